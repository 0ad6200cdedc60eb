"""Where results are printed: what the built pages of studies say of them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote

from report.document import Study

RESULT = re.compile(r'href="\.\./results/([^"/#]+)\.html(?:#[^"]*)?"')
TITLE = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
ITEM = re.compile(
    r'<div class="(?:table|figure)" id="([^"/]+)/(?![^"]*:data")[^"]*">.*?<b>([^<]+)\.</b>', re.DOTALL
)
ABSTRACT = re.compile(r'<section class="abstract"[^>]*>\s*<h2[^>]*>.*?</h2>(.*?)</section>', re.DOTALL)
LINK = re.compile(r'\b(href|src)="([^"]*)"')

Pages = Mapping[str, bytes]


class Place(NamedTuple):
    """A page that prints a result, and the labels of the tables and figures that it shows of it."""

    study: str
    href: str
    title: str
    labels: tuple[str, ...]


def places(studies: Sequence[Study], pages: Pages) -> dict[str, list[Place]]:
    """By analysis, the sections that print it; `pages` by their path in the site, links from `results/`."""
    found: dict[str, list[Place]] = {}
    for study in studies:
        for path, content in sorted(pages.items()):
            folder, name = posixpath.split(path)
            if folder != study.id or name in ("index.html", "provenance.html"):
                continue
            page = content.decode()
            items = ITEM.findall(page)
            title = _words(TITLE.search(page))
            for analysis in dict.fromkeys(map(unquote, RESULT.findall(page))):
                labels = tuple(label for owner, label in items if owner == analysis)
                found.setdefault(analysis, []).append(Place(study.title, f"../{path}", title, labels))
    return found


def results_of(study: Study, pages: Pages) -> set[str]:
    """The analyses that a study draws on."""
    own = (content.decode() for path, content in pages.items() if path.startswith(f"{study.id}/"))
    return {unquote(name) for page in own for name in RESULT.findall(page)}


def abstract(study: Study, pages: Pages) -> str:
    """The HTML of a study's abstract, with its links as they lead from the first page of the site."""
    found = ABSTRACT.search(pages.get(f"{study.id}/index.html", b"").decode())

    def move(link: re.Match[str]) -> str:
        if link[2].startswith(("http:", "https:", "data:")):
            return link[0]
        here = "index.html" if link[2].startswith("#") else ""
        return f'{link[1]}="{posixpath.normpath(f"{study.id}/{here}{link[2]}")}"'

    return LINK.sub(move, found[1].strip()) if found else ""


def _words(html: re.Match[str] | None) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html[1])).split()) if html else ""

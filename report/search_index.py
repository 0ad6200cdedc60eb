"""The index of the site's search: every section, table, figure, result and metric, in one small script.

A page that is read from disk may load a script and no data, so the index is a script that sets one variable.

    places    (study, kind, address, title, text) a place; of a metric (result, name, title)
    studies   (title, folder), by number; the last is that of the results
    results   the names of analyses, by number
    words     a line a word, in their order: "word places"; a place is its distance from the one before

The JSON is deflated, and the script undoes that by what every browser has. The words of titles, captions and
beginnings are read off the places by the script; `words` has the others. A section that several studies print
is indexed with the first of them.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from report.document import Study
from report.html_text import fragment
from report.site_checks import VOID
from results.schema import Result, Table

#: Letters and digits; a decimal is one word. The script's own search agrees.
WORD = re.compile(r"\d+(?:\.\d+)+|[^\W_]+")
EXCERPT = 110  # letters of a place's text that are shown where it is found
#: Elements whose text is not that of a page.
SILENT = {"nav", "script", "style", "svg", "annotation", "button"}
SILENT_CLASSES = {"files", "turn", "meta", "authors"}
#: Elements that end a word, and headings, which begin no excerpt.
BLOCKS = {"p", "li", "div", "section", "tr"}
HEADINGS = {"h2", "h3", "h4"}


@dataclass
class Place:
    study: int
    kind: str
    address: str
    title: str
    text: str = ""
    body: list[str] = field(default_factory=list)

    def entry(self) -> list[Any]:
        return [self.study, self.kind, self.address, self.title, self.text]

    def further_words(self) -> set[str]:
        return set(words(" ".join(self.body))) - set(words(f"{self.title} {self.text}"))


class Metric(Place):
    """A metric; its address and text follow from its result, in the place of the study, and its name."""

    def entry(self) -> list[Any]:
        return [self.study, self.address, self.title]


def words(text: str) -> list[str]:
    """The words of a text as they are looked for: small letters, without accents."""
    parts = unicodedata.normalize("NFKD", text)
    return WORD.findall("".join(c for c in parts if not unicodedata.combining(c)).casefold())


class _Reader(HTMLParser):
    """The places of a page: the page itself, and its numbered tables and figures."""

    def __init__(self, study: int, kind: str, address: str) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Place(study, kind, address, "")
        self.items: list[Place] = []
        self.open: list[tuple[str, str]] = []  # elements and what they are: "", "title", "silent", …

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        data = {name: value or "" for name, value in attrs}
        classes = set(data.get("class", "").split())
        role = ""
        if tag in SILENT or classes & SILENT_CLASSES or (tag == "td" and "n" in classes):
            role = "silent"
        elif tag == "main":
            role = "main"
        elif tag == "h1":
            role = "title"
        elif classes & {"table", "figure"} and not data.get("id", "").endswith(":data") and "id" in data:
            kind, page = ("Table" if "table" in classes else "Figure"), self.page
            self.items.append(Place(page.study, kind, f"{page.address}#{fragment(data['id'])}", ""))
            role = "item"
        elif tag in ("caption", "figcaption"):
            role = "caption"
        elif tag in HEADINGS:
            role = "heading"
        elif tag in BLOCKS:
            self.page.text += " "
        self.open.append((tag, role))

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _ in self.open):
            while self.open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        roles = [role for _, role in self.open]
        if "main" not in roles or "silent" in roles or not data.strip():
            return
        if "item" in roles:
            item = self.items[-1]
            if "caption" not in roles:
                item.body.append(data)
            elif roles.count("item") == 1 and not self._in_numbers():
                item.text += data
        elif "title" in roles:
            self.page.title += data
        else:
            self.page.body.append(data)
            if "heading" not in roles and len(self.page.text) < EXCERPT:
                self.page.text += data

    def _in_numbers(self) -> bool:
        return any(tag == "details" for tag, _ in self.open)

    def places(self) -> Iterator[Place]:
        page = self.page
        page.title = " ".join(page.title.split())
        page.text = " ".join(page.text.split())[:EXCERPT]
        yield page
        for item in self.items:
            label, _, caption = " ".join(item.text.split()).partition(". ")
            item.kind, item.title, item.text = label, caption, page.title
            yield item


def write(studies: Sequence[Study], pages: Mapping[str, bytes], results: Iterable[Result]) -> bytes:
    """The script. `pages`: those of the studies, by their path in the site; `studies` in reading order."""
    by_name = sorted(results, key=lambda result: result.analysis)
    places = [*_printed(studies, pages)]
    shown = {place.address.partition("#")[2] for place in places}
    for number, result in enumerate(by_name):
        places += _of_result(result, number, len(studies), shown)
    index = {
        "studies": [*((study.title, f"{study.id}/") for study in studies), ("Results", "results/")],
        "results": [result.analysis for result in by_name],
        "places": [place.entry() for place in places],
        "words": _words(places),
    }
    data = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    packed = base64.b64encode(zlib.compress(data.encode(), 9)).decode()
    return f'window.searchIndex="{packed}";\n'.encode()


def _printed(studies: Sequence[Study], pages: Mapping[str, bytes]) -> Iterator[Place]:
    seen: set[str] = set()
    for number, study in enumerate(studies):
        for path in sorted(path for path in pages if path.startswith(f"{study.id}/")):
            name = PurePosixPath(path).name
            if name in seen:
                continue
            own = name in ("index.html", "provenance.html")
            if not own:
                seen.add(name)
            reader = _Reader(number, "Study" if name == "index.html" else "Section", name)
            reader.feed(pages[path].decode())
            reader.close()
            yield from reader.places()


def _of_result(result: Result, number: int, study: int, shown: set[str]) -> Iterator[Place]:
    """The result, its metrics, and those of its tables and figures that no study prints."""
    name = result.analysis
    findings = (finding.statement for finding in result.findings.values())
    data = (dataset.name for dataset in result.provenance.datasets)
    body = [name, result.question, *findings, *data]
    yield Place(study, "Result", f"{name}.html", result.title, result.question[:EXCERPT], body)
    for key, content in sorted({**result.tables, **result.figures}.items()):
        if fragment(f"{name}/{key}") in shown:
            continue
        kind, cells = "figure", []
        if isinstance(content, Table):
            kind = "table"
            cells = [cell for row in content.rows for cell in row.cells.values() if isinstance(cell, str)]
        address = f"{name}.html#{fragment(f'{name}/{kind}:{key}')}"
        yield Place(study, kind.capitalize(), address, content.caption, result.title, cells)
    for key, metric in sorted(result.metrics.items()):
        yield Metric(number, "Metric", key, metric.title)


def _words(places: Sequence[Place]) -> str:
    found: dict[str, list[int]] = {}
    for number, place in enumerate(places):
        for word in place.further_words():
            found.setdefault(word, []).append(number)
    return "\n".join(
        f"{word} {' '.join(str(b - a) for a, b in pairwise([0, *numbers]))}"
        for word, numbers in sorted(found.items())
    )

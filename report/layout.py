"""How a compiled study looks: how far floats stand from their first mention, what pages leave blank, and the
size of its type.

LaTeX writes the page of every reference to a table or figure into its .aux (`\\refto` in document.tex), and
poppler draws the pages coarsely and lists their type, so that no PDF has to be understood here.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from report.document import Document, Item

FARTHEST = 3  # pages between a float and its first mention
NEAR, SHARE_NEAR = 1, 0.5  # pages, and the least share of floats that are no farther
WIDEST_GAP = 60.0  # points without ink, between ink
LEAST_INKED = 0.75  # of the text block, on every page before the last of the body

SMALLEST_TYPE = 7.0  # points, but for formulas, whose indices are smaller
ZOOM = 3  # at which poppler lists type, in whole pixels: the most that it takes
FORMULAS = re.compile(r"CM|MS|EU|LM(Math|Roman)")  # fonts of formulas: our text is never in these
TYPE = re.compile(
    r'<page number="(?P<page>\d+)"'
    r'|<fontspec id="(?P<id>\d+)" size="(?P<size>\d+)" family="(?P<family>[^"]*)"'
    r'|<text [^>]*font="(?P<font>\d+)"[^>]*>(?P<text>.*?)</text>',
    re.DOTALL,
)

DPI = 36
PIXEL = 72 / DPI  # points
TOP, BOTTOM = 72.0, 720.0  # the text block, in points from the page's upper edge
BREAK = 36.0  # points: a longer stretch without ink is no part of the inked share


@dataclass(frozen=True)
class Page:
    inked: float  # share of the text block's height
    gap: float  # points: the longest stretch without ink that has ink above and below


def distances(aux: str) -> dict[str, int]:
    """Label of a float → pages from its first mention to where it stands; negative where it is before."""
    at = {
        label: int(page)
        for label, page in re.findall(r"\\newlabel\{((?:fig|tab):[^}]+)\}\{\{[^}]*\}\{(\d+)\}", aux)
    }
    first: dict[str, int] = {}
    for label, page in re.findall(r"\\mentioned\{([^}]+)\}\{(\d+)\}", aux):
        first[label] = min(int(page), first.get(label, int(page)))
    return {label: page - first[label] for label, page in at.items() if label in first}


def pages(pdf: Path, last: int) -> list[Page]:
    """What the first pages hold, up to `last`; none where poppler is not installed."""
    if not shutil.which("pdftoppm") or last < 1:
        return []
    command = ["pdftoppm", "-gray", "-r", str(DPI), "-l", str(last), str(pdf)]
    drawn = subprocess.run(command, capture_output=True, check=True).stdout
    return [_page(rows) for rows in _bitmaps(drawn)]


@dataclass(frozen=True)
class Type:
    size: float  # points, to a third of one
    font: str
    page: int
    text: str


def small_type(pdf: Path) -> list[Type]:
    """The pieces of text below the smallest type, figures included; none where poppler is not installed."""
    if not shutil.which("pdftohtml"):
        return []
    command = ["pdftohtml", "-xml", "-i", "-hidden", "-zoom", str(ZOOM), "-stdout", str(pdf)]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode(errors="replace")
    fonts: dict[str, tuple[float, str]] = {}
    found, page = [], 0
    for element in TYPE.finditer(listed):
        if element["page"]:
            page = int(element["page"])
        elif element["id"]:
            fonts[element["id"]] = (int(element["size"]) / ZOOM, element["family"].rpartition("+")[2])
        else:
            size, font = fonts[element["font"]]
            text = html.unescape(re.sub(r"<[^>]*>", "", element["text"])).strip()
            if text and size < SMALLEST_TYPE and not FORMULAS.match(font):
                found.append(Type(size, font, page, text))
    return found


def problems(pdf: Path, aux_file: Path, document: Document) -> Iterator[str]:
    """A sentence on each limit that a compiled document breaks."""
    aux = aux_file.read_text("latin-1")
    names = {item.anchor: item for item in _floats(document)}
    far = {names[label].label: gap for label, gap in distances(aux).items() if label in names}
    for label, gap in far.items():
        if abs(gap) > FARTHEST:
            way = "behind" if gap > 0 else "before"
            yield f"{label} stands {abs(gap)} pages {way} its first mention; at most {FARTHEST} are right"
    near = sum(abs(gap) <= NEAR for gap in far.values())
    if near < SHARE_NEAR * len(far):
        yield (
            f"{len(far) - near} of {len(far)} tables and figures stand more than {NEAR} page from their "
            f"first mention; at most {1 - SHARE_NEAR:.0%} should"
        )
    end = re.search(r"\\newlabel\{study:end\}\{\{[^}]*\}\{(\d+)\}", aux)
    for number, page in enumerate(pages(pdf, int(end[1]) - 1 if end else 0), 1):
        if page.gap > WIDEST_GAP:
            yield f"page {number} has a gap of {page.gap:.0f} points; at most {WIDEST_GAP:.0f} are right"
        if page.inked < LEAST_INKED:
            yield f"page {number} is filled to {page.inked:.0%} only; at least {LEAST_INKED:.0%} are right"
    yield from _type_problems(pdf)


def _type_problems(pdf: Path) -> Iterator[str]:
    by_page: dict[int, list[Type]] = {}
    for piece in small_type(pdf):
        by_page.setdefault(piece.page, []).append(piece)
    for page, pieces in by_page.items():
        least = min(pieces, key=lambda piece: piece.size)
        yield (
            f"page {page} has type of {least.size:.1f} points ({least.text[:40]!r}); "
            f"at least {SMALLEST_TYPE:.0f} are right"
        )


def _floats(document: Document) -> list[Item]:
    """Tables and figures, without those of the appendix."""
    last = document.sections[-1].id
    return [item for item in document.items.values() if item.section != last and item.kind != "equation"]


def _bitmaps(drawn: bytes) -> Iterator[list[bool]]:
    """Of every picture in a stream of PGM files, which of its rows have ink."""
    at = 0
    while header := re.compile(rb"P5\s+(\d+)\s+(\d+)\s+\d+\s").match(drawn, at):
        width, height = int(header[1]), int(header[2])
        at = header.end()
        rows = (drawn[at + n * width : at + (n + 1) * width] for n in range(height))
        yield [min(row) < 200 for row in rows]
        at += width * height


def _page(rows: list[bool]) -> Page:
    block = rows[round(TOP / PIXEL) : round(BOTTOM / PIXEL)]
    inked = [n for n, ink in enumerate(block) if ink]
    if not inked:
        return Page(0.0, 0.0)
    gaps = [(after - before - 1) * PIXEL for before, after in pairwise(inked)]
    blank = sum(gap for gap in gaps if gap > BREAK) + (len(block) - 1 - inked[-1]) * PIXEL
    return Page(1 - blank / (BOTTOM - TOP), max(gaps, default=0.0))

"""What a page shows of a table or figure: its text, its numbers, and the files beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from string import ascii_lowercase
from typing import NamedTuple
from urllib.parse import quote, unquote

from markupsafe import Markup

from report import figures
from report.colours import coloured
from report.document import Item, Written
from report.downloads import FORMS, csv_path, figure_path, on_paper, rows_path
from report.downloads import table_csv as table_csv
from report.drawings import kept
from report.figure_faults import naming
from report.figure_tables import figure_table
from report.formatting import cell, cell_parts, is_numeric, notes
from results.schema import (
    Chart,
    Column,
    Figure,
    Pictures,
    Result,
    Row,
    Table,
)

PIXELS_PER_POINT = 1.75  # a drawing's print of 8 points has the size of the page's small print
LONGEST_SHORT_TEXT = 24
MOST_ROWS = 600  # of a table on a page, which is to stay small; its files have all
#: Spaces as wide as the characters of an interval.
BLANK = {ord(letter): "\u2007" for letter in "0123456789−"} | {ord(letter): "\u2008" for letter in "[], ."}
WIDE = 300  # points; a wider drawing fills the column, and scrolls on a small screen
IMAGE = re.compile(r'<image xlink:href="data:image/png;base64,([^"]*)"([^>]*)/>')


class Link(NamedTuple):
    text: str
    href: str
    download: bool = False


@dataclass(frozen=True)
class TableView:
    """A table as a page shows it. `hrefs` leads from the text of a first cell to a page."""

    id: str
    label: str
    table: Table
    columns: tuple[Column, ...]
    links: tuple[Link, ...] = ()
    hrefs: Mapping[str, str] = field(default_factory=dict)
    exact: bool = True  # each number for scripts too, which else go by what is printed
    most: int | None = MOST_ROWS  # rows on the page itself; None for all
    script: str = ""  # where the others are, from the page, for the script that appends them

    @cached_property
    def marks(self) -> dict[tuple[str, ...], str]:
        """What rows leave out, and the letter of the footnote that says so."""
        partial = dict.fromkeys(row.partial for row in self.table.rows if row.partial)
        return {names: ascii_lowercase[n % 26] * (1 + n // 26) for n, names in enumerate(partial)}

    @cached_property
    def shapes(self) -> dict[str, str]:
        """By column: "n" for numbers, "s" for short texts, which stay on a line, "w" for those that wrap."""
        return {column.key: _shape(column, self.table.rows) for column in self.columns}

    @cached_property
    def notes(self) -> list[str]:
        return notes(self.table, self.columns)

    @cached_property
    def first(self) -> str:
        """What to say where rows are left out; the script that appends them takes it away."""
        rows = len(self.table.rows)
        if self.most is None or rows <= self.most:
            return ""
        return f"These are the first {self.most} of {rows:,} rows; the files below have all of them."

    @cached_property
    def _widest_interval(self) -> dict[str, str]:
        rows = self.table.rows
        return {
            c.key: max((cell_parts(c, row)[1] for row in rows), key=len, default="") for c in self.columns
        }

    def rows(self, kind: str) -> list[Row]:
        shown = self.table.rows[: self.most] if kind == "body" else self.table.rows
        return [row for row in shown if row.kind == kind]

    def interval(self, column: Column, row: Row) -> str:
        """A cell's interval filled up with spaces, so that all values of a column end at one place."""
        text, widest = cell_parts(column, row)[1], self._widest_interval[column.key]
        return text + widest[len(text) :].translate(BLANK)


def _shape(column: Column, rows: Sequence[Row]) -> str:
    if is_numeric(column):
        return "n"
    return "s" if all(len(cell(column, row)) <= LONGEST_SHORT_TEXT for row in rows) else "w"


@dataclass(frozen=True)
class FigureView:
    """A figure as a page shows it: the drawing, and its numbers as a table for readers and for the script.

    `files`: the pictures that the drawing loads, by their paths from the page's folder.
    """

    id: str
    label: str
    figure: Figure
    svg: Markup
    files: Mapping[str, bytes]
    wide: bool
    data: TableView
    positions: tuple[float, ...]
    links: tuple[Link, ...] = ()

    @property
    def candidates(self) -> str:
        """For the script: the boxes that may be suppressed, with scores, and what they are to find."""
        if not isinstance(self.figure, Pictures) or not self.figure.suppression:
            return ""
        chosen = self.figure.suppression
        boxes = self.figure.pictures[chosen.picture].boxes
        true = [box for picture in self.figure.pictures for box in picture.boxes if box.style == "truth"]
        return json.dumps(
            {
                "picture": chosen.picture,
                "threshold": chosen.threshold,
                "boxes": [(box.row, box.column, box.width, box.score) for box in boxes],
                "match": chosen.match,
                "objects": [(box.row, box.column, box.width) for box in true] if chosen.match else [],
            }
        )

    @property
    def scores(self) -> str:
        """For the script: the pairs over which a reader may move a threshold."""
        if not isinstance(self.figure, Chart) or not self.figure.scores:
            return ""
        return self.figure.scores.model_dump_json()


def table_view(item: Item) -> TableView:
    """A numbered table, with the columns that the document selects."""
    table = item.content
    assert isinstance(table, Table)
    by_key = {column.key: column for column in table.columns}
    columns = tuple(by_key[key] for key in item.columns) or table.columns
    if item.target.startswith("provenance/"):
        names = [str(row.cells[table.columns[0].key]) for row in table.rows]
        hrefs = {name: f"../results/{name}.html" for name in names}
        return TableView(item.target, item.label, table, columns, (), hrefs)
    analysis, _, name = item.target.partition("/")
    links = (
        Link("CSV", f"../results/{quote(csv_path(analysis, name))}", True),
        Link("JSON", f"../results/{analysis}.json", True),
        Link(
            "Where it comes from",
            f"../results/{analysis}.html#{quote(f'{analysis}/table:{name}', safe='/:')}",
        ),
    )
    return TableView(item.target, item.label, table, columns, links)


def figure_view(item: Item, folder: Path | None) -> FigureView:
    """A numbered figure; its drawing is kept in `folder`, if there is one."""
    assert not isinstance(item.content, Table | Written)
    analysis, _, name = item.target.partition("/")
    links = (
        *(
            Link(kind.upper(), f"../results/{quote(figure_path(analysis, name, kind))}", True)
            for kind in FORMS
        ),
        Link("JSON", f"../results/{analysis}.json", True),
        Link(
            "Where it comes from",
            f"../results/{analysis}.html#{quote(f'{analysis}/figure:{name}', safe='/:')}",
        ),
    )
    return _view(item.target, item.target, item.label, item.content, links, folder)


def _view(
    id: str, target: str, label: str, figure: Figure, links: tuple[Link, ...], folder: Path | None
) -> FigureView:
    data, positions = figure_table(figure)
    with naming(target):
        svg, files = _with_files(_svg(figure, drawing_id(target), folder), figure)
    points = float(svg.partition('viewBox="')[2].split()[2])
    sized = Markup(svg.replace("<svg ", f'<svg width="{points * PIXELS_PER_POINT:.0f}" ', 1))
    caption = f"{label} as a table" if label else "As a table"
    by_place = figure.kind in ("scatter", "roc")  # the script finds a point by its numbers
    view = TableView(f"{id}:data", caption, data, data.columns, exact=by_place)
    return FigureView(id, label, figure, sized, files, points > WIDE, view, positions, links)


def _with_files(svg: str, figure: Figure) -> tuple[str, dict[str, bytes]]:
    """The drawing with its pictures as files beside the page, named by their content; and these.

    The pictures of a figure are those of its result, pixel by pixel; what else is drawn of pixels is drawn
    upside down and turned. A browser loads an <image> at once, and an <img> when it comes into sight.
    """
    files: dict[str, bytes] = {}
    originals = iter(figure.pictures if isinstance(figure, Pictures) else ())

    def load(found: re.Match[str]) -> str:
        place = dict(re.findall(r'(transform|x|y|width|height)="([^"]*)"', found[2]))
        original = next(originals, None)
        content = base64.b64decode(original.png if original else found[1])
        turned = re.fullmatch(r"scale\(1 -1\) translate\(0 -([\d.]+)\)", place.get("transform", ""))
        if original and turned:
            del place["transform"]
            place["y"] = f"{float(turned[1]) - float(place['y']) - float(place['height']):g}"
        name = f"pictures/{hashlib.sha256(content).hexdigest()[:16]}.png"
        files[name] = content
        width, height = struct.unpack(">II", content[16:24])
        attributes = " ".join(f'{key}="{value}"' for key, value in place.items())
        picture = f'<img src="{name}" width="{width}" height="{height}" loading="lazy" alt="">'
        return f"<foreignObject {attributes}>{picture}</foreignObject>"

    return IMAGE.sub(load, svg), files


def result_tables(result: Result) -> list[TableView]:
    """The tables of a result, whole, for its own page."""
    name = result.analysis
    return [
        TableView(
            f"{name}/table:{key}",
            "",
            table,
            table.columns,
            (Link("CSV", quote(csv_path(name, key)), True), Link("JSON", f"{name}.json", True)),
            script=quote(rows_path(name, key)) if len(table.rows) > MOST_ROWS else "",
        )
        for key, table in sorted(result.tables.items())
    ]


def rows_scripts(result: Result) -> dict[str, bytes]:
    """The rows that a page of a long table leaves out, as they are printed, by the path from the folder of
    results. They are a script, since a page on a disk may load no other data."""
    files = {}
    for view in result_tables(result):
        if view.script:
            rows = [row for row in view.table.rows[MOST_ROWS:] if row.kind == "body"]
            printed = [[cell(column, row) for column in view.columns] for row in rows]
            data = json.dumps(printed, ensure_ascii=False, separators=(",", ":"))
            key = json.dumps(view.id)
            files[unquote(view.script)] = f"(window.moreRows ??= {{}})[{key}] = {data};\n".encode()
    return files


def result_figures(result: Result, folder: Path | None) -> list[FigureView]:
    """The figures of a result for its own page."""
    name = result.analysis
    return [
        _view(
            f"{name}/figure:{key}",
            f"{name}/{key}",
            "",
            figure,
            (
                *(Link(kind.upper(), quote(figure_path(name, key, kind)), True) for kind in FORMS),
                Link("JSON", f"{name}.json", True),
            ),
            folder,
        )
        for key, figure in sorted(coloured(result.figures).items())
    ]


def figure_files(result: Result, folder: Path | None) -> dict[str, bytes]:
    """The files of the figures of a result, by their paths from the folder of results."""
    files: dict[str, bytes] = {}
    for key, figure in sorted(coloured(result.figures).items()):
        name = f"{result.analysis}/{key}"
        with naming(name):
            content = {
                "svg": on_paper(_svg(figure, drawing_id(name), folder)).encode(),
                "pdf": figures.stored(figure, folder).read_bytes() if folder else figures.pdf(figure),
                "csv": table_csv(figure_table(figure)[0]).encode(),
            }
        files |= {figure_path(result.analysis, key, kind): content[kind] for kind in FORMS}
    return files


def drawing_id(target: str) -> str:
    """A function of the target, so that all pages share one drawing; short: each mark of a line names it."""
    return f"drawing-{hashlib.sha256(target.encode()).hexdigest()[:8]}"


@cache
def _svg(figure: Figure, id: str, folder: Path | None) -> str:
    """The drawing, from `folder` where it was drawn before; a study and the page of its result share it."""
    if folder is None:
        return figures.svg(figure, id)
    path = folder / f"{Path(figures.file_name(figure)).stem}-{id}.svg"
    return kept(path, lambda: figures.svg(figure, id).encode()).decode()

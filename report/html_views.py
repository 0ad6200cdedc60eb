"""What a page shows of a table or figure: its text, its numbers, and the files beside it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from string import ascii_lowercase
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from report import figures
from report.colours import coloured, labels
from report.document import Item, Written
from report.formatting import cell, cell_parts, is_numeric, notes, value_of
from results.schema import (
    Axis,
    Chart,
    Column,
    Estimate,
    Figure,
    Heatmap,
    Network,
    Panel,
    Panels,
    Pictures,
    Result,
    Row,
    Scalar,
    Table,
)
from results.store import write_atomically

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
        found = notes(self.table, self.columns)
        rows = len(self.table.rows)
        if rows > MOST_ROWS:
            found.append(
                f"These are the first {MOST_ROWS} of {rows:,} rows; the files below have all of them."
            )
        return found

    @cached_property
    def _widest_interval(self) -> dict[str, str]:
        rows = self.table.rows
        return {
            c.key: max((cell_parts(c, row)[1] for row in rows), key=len, default="") for c in self.columns
        }

    def rows(self, kind: str) -> list[Row]:
        shown = self.table.rows[:MOST_ROWS] if kind == "body" else self.table.rows
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
        """For the script: the boxes that a reader may suppress, as row, column, width and score."""
        if not isinstance(self.figure, Pictures) or not self.figure.suppression:
            return ""
        chosen = self.figure.suppression
        boxes = self.figure.pictures[chosen.picture].boxes
        return json.dumps(
            {
                "picture": chosen.picture,
                "threshold": chosen.threshold,
                "boxes": [(box.row, box.column, box.width, box.score) for box in boxes],
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
        Link("Where it comes from", f"../results/{analysis}.html"),
    )
    return TableView(item.target, item.label, table, columns, links)


def figure_view(item: Item, folder: Path | None) -> FigureView:
    """A numbered figure; its drawing is kept in `folder`, if there is one."""
    assert not isinstance(item.content, Table | Written)
    analysis = item.target.partition("/")[0]
    links = (
        Link("JSON", f"../results/{analysis}.json", True),
        Link("Where it comes from", f"../results/{analysis}.html"),
    )
    return _view(item.target, item.target, item.label, item.content, links, folder)


def _view(
    id: str, target: str, label: str, figure: Figure, links: tuple[Link, ...], folder: Path | None
) -> FigureView:
    data, positions = figure_table(figure)
    # The drawing's id is a function of the target, so that all pages can share one drawing.
    drawing = (
        f"drawing-{hashlib.sha256(target.encode()).hexdigest()[:8]}"  # short: each mark of a line names it
    )
    svg, files = _with_files(_svg(figure, drawing, folder), figure)
    points = float(svg.partition('viewBox="')[2].split()[2])
    sized = Markup(svg.replace("<svg ", f'<svg width="{points * PIXELS_PER_POINT:.0f}" ', 1))
    view = TableView(f"{id}:data", f"{label} as a table" if label else "As a table", data, data.columns)
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


def figure_table(figure: Figure) -> tuple[Table, tuple[float, ...]]:
    """The numbers of a figure as a table, and the place of each row on the axis of positions.

    A chart has a row for each x (points that share an x within a series take further rows) and a column for
    each series, key "y0", "y1", … in the order of the figure; of several panels with one x, "p0y0", "p1y0", …
    Panels that differ in x have their rows below each other, and no places. A heatmap has a row for each of
    its rows, and pictures one for each of their boxes.
    """
    if isinstance(figure, Pictures):
        return _boxes(figure), ()
    if isinstance(figure, Network):
        return _blocks(figure), ()
    if isinstance(figure, Heatmap):
        return _matrix(figure)
    if isinstance(figure, Panels):
        if any(panel.x != figure.panels[0].x for panel in figure.panels):
            return _panel_rows(figure), ()
        order = labels(figure)
        named = [
            (f"p{n}", f"{panel.title or panel.y.label}: ", [order.index(s.label) for s in panel.series])
            for n, panel in enumerate(figure.panels)
        ]
        return _points(figure.caption, figure.panels, named)
    return _points(figure.caption, [figure], [("", "", list(range(len(figure.series))))])


def _points(
    caption: str, panels: Sequence[Panel], named: Sequence[tuple[str, str, list[int]]]
) -> tuple[Table, tuple[float, ...]]:
    """named: for each panel how keys and labels of its columns begin, and the numbers of its series."""
    by_place: dict[tuple[float, int], dict[str, Scalar]] = {}
    axis = panels[0].x
    columns = [_axis_column(axis)]
    for panel, (prefix, words, numbers) in zip(panels, named, strict=True):
        for n, series in zip(numbers, panel.series, strict=True):
            ends = ["low", "high"] if series.low and series.high else []
            keys = [f"{prefix}{kind}{n}" for kind in ("y", *ends)]
            titles = [f"{words}{series.label}", *(f"{words}{series.label}, {end}" for end in ends)]
            columns += [_numbers(key, title, panel.y.unit) for key, title in zip(keys, titles, strict=True)]
            seen: dict[float, int] = {}
            for index, x in enumerate(series.x):
                seen[x] = seen.get(x, 0) + 1
                cells = by_place.setdefault((x, seen[x]), {"x": _name(axis, x)})
                for key, values in zip(keys, (series.y, series.low, series.high), strict=False):
                    cells[key] = values[index]
    places = sorted(by_place)
    rows = tuple(Row(cells=by_place[place]) for place in places)
    at = tuple(x for x, _ in places)
    if panels[0].kind == "interval":
        down = figures.places(axis)
        at = tuple(down[int(x)] for x in at)
    return Table(caption=caption, columns=tuple(columns), rows=rows), at


def _panel_rows(figure: Panels) -> Table:
    """The points of panels that differ in x: a row for each, under the name of its panel."""
    order = labels(figure)
    names = list(dict.fromkeys(panel.x.label for panel in figure.panels))
    columns = [_words("panel", "Panel"), _words("x", " / ".join(names))]
    columns += [_numbers(f"y{n}", label, "") for n, label in enumerate(order)]
    rows = []
    for n, panel in enumerate(figure.panels):
        found, _ = _points("", [panel], [("", "", [order.index(series.label) for series in panel.series])])
        for row in found.rows:
            kept = {key: value for key, value in row.cells.items() if not key.startswith(("low", "high"))}
            rows.append(Row(cells={"panel": panel.title or str(n + 1), **kept}))
    return Table(caption=figure.caption, columns=tuple(columns), rows=tuple(rows))


def _axis_column(axis: Axis) -> Column:
    return _words("x", axis.label) if axis.categories else _numbers("x", axis.label, axis.unit)


def _name(axis: Axis, x: float) -> str | float:
    names = axis.categories
    return names[int(x)] if names and x.is_integer() and 0 <= x < len(names) else x


def _matrix(figure: Heatmap) -> tuple[Table, tuple[float, ...]]:
    width = range(len(figure.values[0]))
    across = figure.x.categories or tuple(str(n) for n in width)
    down = figure.y.categories or tuple(str(n) for n in range(len(figure.values)))
    columns = (
        _words("x", f"{figure.y.label} / {figure.x.label}"),
        *(_numbers(f"y{n}", across[n], "") for n in width),
    )
    rows = tuple(
        Row(cells={"x": name, **{f"y{n}": value for n, value in enumerate(values)}})
        for name, values in zip(down, figure.values, strict=True)
    )
    return Table(caption=figure.value_label, columns=columns, rows=rows, notes=()), tuple(
        map(float, range(len(rows)))
    )


def _blocks(figure: Network) -> Table:
    """The blocks of a drawn network, with their exact counts."""
    columns = [_words("block", "Block"), Column(key="output", label="Output", type="shape")]
    for key, label in (("parameters", "Parameters"), ("macs", "MACs")):
        if any(getattr(block, key) is not None for panel in figure.panels for block in panel.blocks):
            columns.append(Column(key=key, label=label, type="integer"))
    if len(figure.panels) > 1:
        columns.insert(0, _words("panel", "Network"))
    keys = [column.key for column in columns]
    rows = []
    for panel in figure.panels:
        for block in panel.blocks:
            cells: dict[str, Scalar] = {
                "panel": panel.title,
                "block": block.label.replace("\n", " ") or "sum",
                "output": "×".join(map(str, block.shape)) or None,
                "parameters": block.parameters,
                "macs": block.macs,
            }
            rows.append(Row(cells={key: cells[key] for key in keys}))
    return Table(caption=figure.caption, columns=tuple(columns), rows=tuple(rows))


def _boxes(figure: Pictures) -> Table:
    """The boxes drawn, or the titles of pictures without any."""
    titles = [picture.title or str(number) for number, picture in enumerate(figure.pictures, start=1)]
    rows = [
        Row(
            cells={
                "picture": title,
                "style": dict(figure.legend).get(box.style, box.style),
                **box.model_dump(include={"label", "row", "column", "width", "score"}),
            }
        )
        for title, picture in zip(titles, figure.pictures, strict=True)
        for box in picture.boxes
    ]
    columns = [_words("picture", "Picture")]
    if rows:
        columns += [_words("style", "Drawn as"), _words("label", "Label")]
        columns += [_numbers(key, key.capitalize(), "pixels") for key in ("row", "column", "width")]
        columns.append(_numbers("score", "Score", ""))
    return Table(
        caption=figure.caption,
        columns=tuple(columns),
        rows=tuple(rows or [Row(cells={"picture": title}) for title in titles]),
    )


def _numbers(key: str, label: str, unit: str) -> Column:
    return Column(key=key, label=label, type="number", unit=unit, format="")


def _words(key: str, label: str) -> Column:
    return Column(key=key, label=label, type="text", format="")


def csv_path(analysis: str, table: str) -> str:
    """Where a table's CSV is, from the folder of results."""
    return f"{analysis}/{quote(table, safe='')}.csv"


def table_csv(table: Table) -> str:
    """The table with one header line of column keys; numbers plain, so that a program can read them.

    An estimate takes three columns, "accuracy", "accuracy_low" and "accuracy_high". Further columns give the
    arithmetic of a cell ("weights_arithmetic"), the kind of a row where there are totals, and what a row
    leaves out.
    """
    explained = [c.key for c in table.columns if any(c.key in row.arithmetic for row in table.rows)]
    extra: dict[str, Callable[[Row], str]] = {
        f"{key}_arithmetic": lambda row, key=key: row.arithmetic.get(key, "")  # type: ignore[misc]
        for key in explained
    }
    if any(row.kind == "total" for row in table.rows):
        extra["row"] = lambda row: row.kind
    if any(row.partial for row in table.rows):
        extra["leaves_out"] = lambda row: "; ".join(row.partial)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    heads = [name for c in table.columns for name in (c.key, *(f"{c.key}_{end}" for end in _ends(c, table)))]
    writer.writerow([*heads, *extra])
    for row in table.rows:
        cells: list[Scalar] = []
        for column in table.columns:
            cells.append(value_of(column, row))
            cells += [getattr(row.cells.get(column.key), end, None) for end in _ends(column, table)]
        writer.writerow([*cells, *(text(row) for text in extra.values())])
    return buffer.getvalue()


def _ends(column: Column, table: Table) -> tuple[str, ...]:
    """The ends of intervals that a file has beside the values of a column."""
    has = any(isinstance(row.cells.get(column.key), Estimate) for row in table.rows)
    return ("low", "high") if has else ()


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
        )
        for key, table in sorted(result.tables.items())
    ]


def result_figures(result: Result, folder: Path | None) -> list[FigureView]:
    """The figures of a result for its own page."""
    name = result.analysis
    links = (Link("JSON", f"{name}.json", True),)
    return [
        _view(f"{name}/figure:{key}", f"{name}/{key}", "", figure, links, folder)
        for key, figure in sorted(coloured(result.figures).items())
    ]


@cache
def _svg(figure: Figure, id: str, folder: Path | None) -> str:
    """The drawing, from `folder` where it was drawn before; a study and the page of its result share it."""
    if folder is None:
        return figures.svg(figure, id)
    path = folder / f"{Path(figures.file_name(figure)).stem}-{id}.svg"
    if not path.exists():
        write_atomically(path, figures.svg(figure, id).encode())
    return path.read_text("utf-8")

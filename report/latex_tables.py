"""A Table as LaTeX: booktabs, the arithmetic beside its numbers, as large as the page allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from unicodedata import east_asian_width

from pylatex import LongTable, MultiColumn, NoEscape, Tabular

from report import latex_tags
from report.document import Item
from report.formatting import cell, cell_parts, header, is_numeric, notes
from report.latex_text import arithmetic, breakable, code, escape
from report.provenance import TARGET as PROVENANCE
from results.schema import Column, Row, Table

TEXT_WIDTH = 5.5 * 72.27  # points
TALLEST_FLOAT = 560.0  # points; taller tables break over pages
NARROWEST = 30.0  # points that a column of text needs
MOST_LINES = 3  # of a heading
#: Font size, leading and space beside columns in points; the first at which a table fits is taken.
SIZES = ((9.0, 10.5, 5.0), (8.0, 9.5, 4.0), (8.0, 9.5, 2.5))
SMALLEST = (7.0, 8.5, 3.0)  # of a table that does not fit even where its text wraps


@dataclass(frozen=True)
class _Layout:
    """How a table is set: the columns that show arithmetic, in how many lines a heading may stand, the width
    in points of columns that wrap their text, and whether even so it is too wide and is scaled as a picture.
    """

    size: tuple[float, float, float]
    with_arithmetic: frozenset[str] = frozenset()
    lines: int = 1
    wrapped: Mapping[str, float] = field(default_factory=dict)
    scaled: bool = False


def table(item: Item, label: str, tagged: bool = False) -> str:
    """The float, or the long table, with caption above, number and notes."""
    content = item.content
    assert isinstance(content, Table)
    columns = [column for column in content.columns if not item.columns or column.key in item.columns]
    if item.columns:
        columns.sort(key=lambda column: item.columns.index(column.key))
    layout = _layout(columns, content.rows)
    size, leading, gap = layout.size
    font = rf"\fontsize{{{size:g}pt}}{{{leading:g}pt}}\selectfont\setlength{{\tabcolsep}}{{{gap:g}pt}}"
    caption = rf"\caption{{{escape(content.caption)}}}\label{{{label}}}"
    written_notes = " ".join(map(breakable, notes(content, columns)))
    below = rf"\tablenote{{{written_notes}}}" + "\n" if written_notes else ""
    long = _height(columns, content.rows, layout) > TALLEST_FLOAT
    body = _body(item, columns, layout, caption if long else "", tagged)
    begin, end = ("\\tablebegins\n", "\\tagends\n") if tagged else ("", "")
    if long:
        return f"{{{font}\n{begin}{body}\n{end}}}\n{below}"
    if layout.scaled:
        body = f"\\resizebox{{\\linewidth}}{{!}}{{%\n{body}}}"
    inner = f"{begin}{caption}\n{{{font}\n{body}\n{end}}}\n{below}"
    return f"\\begin{{table}}[htbp]\n\\centering\n{inner}\\end{{table}}"


def _body(item: Item, columns: Sequence[Column], layout: _Layout, caption: str, tagged: bool) -> str:
    assert isinstance(item.content, Table)
    rows = item.content.rows
    doubled = _doubled(columns, rows, layout)
    spec = "".join(doubled.get(column.key) or _alignment(column, layout) for column in columns)
    headings = _headings(columns, rows, layout, doubled)
    count = len(columns) + len(doubled)
    made = (LongTable if caption else Tabular)(f"@{{}}{spec}@{{}}", width=count)
    if caption:
        made.append(NoEscape(caption + r"\\"))
        _add_headings(made, headings, "columnhead" if tagged else None)
        made.append(NoEscape(r"\endfirsthead"))
    _add_headings(made, headings, ("repeated" if caption else "columnhead") if tagged else None)
    if caption:
        made.end_table_header()
    previous = None
    for row in rows:
        if previous == "body" and row.kind == "total":
            made.append(NoEscape(r"\midrule"))
        made.add_row(_in_a_row(_cells(item, row, columns, doubled), tagged))
        previous = row.kind
    made.append(NoEscape(r"\bottomrule"))
    return str(made.dumps())


def _doubled(columns: Sequence[Column], rows: Sequence[Row], layout: _Layout) -> dict[str, str]:
    """The columns that are set as two, by key, and how: arithmetic and number, or value and interval."""
    doubled = {}
    for column in columns:
        if any(cell_parts(column, row)[1] for row in rows):
            doubled[column.key] = r"r@{\hspace{0.35em}}l"
        elif column.key in layout.with_arithmetic:
            doubled[column.key] = r"r@{\,}r"
    return doubled


def _headings(
    columns: Sequence[Column], rows: Sequence[Row], layout: _Layout, doubled: Mapping[str, str]
) -> list[tuple[str, int]]:
    """The heading of each column, and how many of LaTeX's columns it is over."""
    headings = []
    for column in columns:
        most = 1 if column.key in layout.wrapped else layout.lines
        lines = _heading(column, _widest(column, rows, column.key in layout.with_arithmetic), most)
        text = r"\\ ".join(map(escape, lines))
        if len(lines) > 1:
            text = rf"\stacked{{{'r' if is_numeric(column) else 'l'}}}{{{text}}}"
        headings.append((text, 2 if column.key in doubled else 1))
    return headings


def _add_headings(made: Tabular, headings: Sequence[tuple[str, int]], tag: latex_tags.Tag | None) -> None:
    cells: list[object] = []
    last = len(headings) - 1
    for number, (text, count) in enumerate(headings):
        if tag:
            [text] = latex_tags.cell([text], tag, number == 0, number == last)
        data = NoEscape(text)
        right = NoEscape(r"r@{}" if number == last else "r")
        cells.append(MultiColumn(count, align=right, data=data) if count > 1 else data)
    made.append(NoEscape(r"\toprule"))
    made.add_row(cells, strict=False)
    made.append(NoEscape(r"\midrule"))


def _in_a_row(cells: Sequence[Sequence[str]], tagged: bool) -> list[NoEscape]:
    """What LaTeX puts an & between, of cells that are made of one part or of two."""
    if tagged:
        last = len(cells) - 1
        cells = [
            latex_tags.cell(parts, "cell" if number else "rowhead", number == 0, number == last)
            for number, parts in enumerate(cells)
        ]
    return [NoEscape(part) for parts in cells for part in parts]


def _alignment(column: Column, layout: _Layout) -> str:
    if width := layout.wrapped.get(column.key):
        return rf">{{\raggedright\arraybackslash}}p{{{width:.0f}pt}}"
    return "r" if is_numeric(column) else "l"


def _cells(item: Item, row: Row, columns: Sequence[Column], doubled: Mapping[str, str]) -> list[list[str]]:
    """The parts of each cell: value and interval, arithmetic and number, or one."""
    cells: list[list[str]] = []
    for column in columns:
        text, interval = cell_parts(column, row)
        if column.type == "estimate" and column.key in doubled:
            cells.append([_marked(escape(part), column, row) for part in (text, interval)])
            continue
        parts = []
        if column.key in doubled:
            expression = _expression(column, row)
            parts.append(f"{arithmetic(expression)} ${{}}={{}}$" if expression else "")
        latex = code(text) if column.type == "code" and text else breakable(text)
        if item.target == PROVENANCE and column.key == "analysis":
            latex = rf"\raisebox{{\ht\strutbox}}{{\hypertarget{{result:{text}}}{{}}}}{latex}"
        cells.append([*parts, _marked(latex, column, row)])
    return cells


def _marked(latex: str, column: Column, row: Row) -> str:
    """In bold where the row is the best of the column."""
    return rf"\textbf{{{latex}}}" if latex and column.key in row.best else latex


def _has_arithmetic(column: Column, rows: Sequence[Row]) -> bool:
    return any(_expression(column, row) for row in rows)


def _expression(column: Column, row: Row) -> str:
    """The arithmetic of a cell; empty where there is none, or where it is no more than the number."""
    text = row.arithmetic.get(column.key, "")
    return "" if text.isdecimal() else text


def _layout(columns: Sequence[Column], rows: Sequence[Row]) -> _Layout:
    """The largest print that fits. Headings break into lines, and text columns wrap, before print becomes
    smaller than is pleasant to read; arithmetic is given up, from the last column, before text columns wrap.
    """
    reckoned = [column.key for column in columns if _has_arithmetic(column, rows)]
    for count in range(len(reckoned), -1, -1):
        for size in SIZES:
            for lines in range(1, MOST_LINES + 1):
                layout = _Layout(size, frozenset(reckoned[:count]), lines)
                if sum(_widths(columns, rows, layout).values()) <= TEXT_WIDTH:
                    return layout
    layout = _wrapped(columns, rows, SIZES[-2])
    return _wrapped(columns, rows, SMALLEST) if layout.scaled else layout


def _widths(columns: Sequence[Column], rows: Sequence[Row], layout: _Layout) -> dict[str, float]:
    """Points that each column takes, the space beside it included."""
    points, _, gap = layout.size
    widths: dict[str, float] = {}
    for column in columns:
        widest = _widest(column, rows, column.key in layout.with_arithmetic)
        lines = _heading(column, widest, layout.lines)
        widths[column.key] = max(widest, *map(_em, lines)) * points + 2 * gap
    return widths


def _widest(column: Column, rows: Sequence[Row], with_arithmetic: bool) -> float:
    """The widest cell of a column, in ems."""
    mono = column.type == "code"
    widest = max((_em(cell(column, row), mono) for row in rows), default=0.0)
    if with_arithmetic:
        expressions = [_expression(column, row) for row in rows]
        widest += max(_em(text) + 0.25 * text.count("·") for text in expressions) + 1.6
    return widest


def _heading(column: Column, widest: float, most: int) -> list[str]:
    """The lines of a column's heading: few, none wider than its cells, its longest word, or its share."""
    text = header(column)
    room = max(widest, _em(text) / most, *map(_em, text.split()))
    lines: list[str] = []
    for word in text.split():
        if lines and _em(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _height(columns: Sequence[Column], rows: Sequence[Row], layout: _Layout) -> float:
    """Points that the rows take, with the lines that wrapped columns break into."""
    points, leading, _ = layout.size
    wrapped = [column for column in columns if column.key in layout.wrapped]
    lines = 0
    for row in rows:
        widths = (
            (_em(cell(column, row), column.type == "code") * points, layout.wrapped[column.key])
            for column in wrapped
        )
        lines += max((ceil(1.15 * width / room) for width, room in widths), default=1) or 1
    return lines * leading


def _wrapped(columns: Sequence[Column], rows: Sequence[Row], size: tuple[float, float, float]) -> _Layout:
    """Widths for text columns so that all fit: the room that numbers leave, shared by need."""
    layout = _Layout(size, lines=MOST_LINES)
    widths, gap = _widths(columns, rows, layout), size[2]
    texts = [column.key for column in columns if not is_numeric(column)]
    room = TEXT_WIDTH - sum(width for key, width in widths.items() if key not in texts)
    wrapped: dict[str, float] = {}
    for position, key in enumerate(sorted(texts, key=lambda key: widths[key])):
        share = room / (len(texts) - position)
        if widths[key] > share:
            wrapped[key] = max(NARROWEST, share - 2 * gap)
        room -= wrapped[key] + 2 * gap if key in wrapped else widths[key]
    width = sum(wrapped[key] + 2 * gap if key in wrapped else width for key, width in widths.items())
    return replace(layout, wrapped=wrapped, scaled=width > TEXT_WIDTH + 1)


def _em(text: str, mono: bool = False) -> float:
    """The width of a text in ems of Times (or of the typewriter face), on the safe side."""
    if mono:
        return 0.6 * len(text)  # Courier, set at nine tenths in smaller print
    return sum(
        _WIDTHS.get(c) or (1.0 if east_asian_width(c) in "WF" else 0.72 if c.isupper() else 0.5) for c in text
    )


_WIDTHS = {
    **dict.fromkeys("ijlt.,:;'|!()[]/ -", 0.3),
    **dict.fromkeys("mMW", 0.85),
    **dict.fromkeys("w%@&→−±≥≤", 0.85),
    **dict.fromkeys("fIrJs", 0.39),
}

"""Pictures and tables that stand in the prose itself, as floats that LaTeX numbers with all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from report import latex_tables, latex_tags, pictures
from report.document import Block, Item, elements, plain_text, rewrite

#: Writes what stands in a caption or a cell.
Write = Callable[[Any], list[Block]]
LINE, LETTER = 11.0, 5.0  # points that a line is high, and a letter about wide


def raw(latex: str, *, inline: bool = False) -> Block:
    return {"t": "RawInline" if inline else "RawBlock", "c": ["latex", latex]}


def enclosed(before: str, inlines: Sequence[Block], after: str) -> list[Block]:
    return [raw(before, inline=True), *inlines, raw(after, inline=True)]


def float_of(item: Item, label: str, block: Block, write: Write, tagged: bool) -> Block:
    """A picture above its caption, or a table below it; one too tall for a page breaks, where it stands."""
    words = _inlines(rewrite(block["c"][1][1], _note_in_brackets))
    caption = enclosed(r"\caption{", write(words), rf"}}\label{{{label}}}")
    if block["t"] == "Figure":
        shown = "\n".join(picture(image, tagged) for image in pictures.images(block["c"][2]))
        inner = [raw(shown + "\n", inline=True), *caption]
    elif _is_long(block):
        return _long(block, write, tagged, caption)
    else:
        rows = _tabular(block, write, tagged)
        begun = [raw(r"\tablebegins ", inline=True)] if tagged else []
        inner = [*begun, *caption, raw("\n", inline=True), *rows]
    begin, end = f"\\begin{{{item.kind}}}[htbp]\n\\centering\n", f"\n\\end{{{item.kind}}}"
    return {"t": "Para", "c": enclosed(begin, inner, end)}


def unnumbered(table: Block, write: Write, tagged: bool) -> Block:
    """A table without a caption, in its place among the text; longtable would count it."""
    if _is_long(table):
        return _long(table, write, tagged)
    centred = "untagged" if tagged else "center"
    rows = [raw(r"\tablebegins " if tagged else "", inline=True), *_tabular(table, write, tagged)]
    return {"t": "Para", "c": enclosed(f"\\begin{{{centred}}}\n", rows, f"\n\\end{{{centred}}}")}


def picture(image: Block, tagged: bool) -> str:
    """A picture at the width that was asked for, or as it is where that fits the line."""
    name, _ = pictures.in_latex(Path(image["c"][2][0]))
    wide = pictures.width(image)
    width = rf"{wide:g}\linewidth" if isinstance(wide, float) else wide
    latex = rf"\ownpicture{f'[width={width}]' if width else ''}{{pictures/{name}}}"
    return latex_tags.figure(latex, plain_text(image["c"][1])) if tagged else latex


def _is_long(table: Block) -> bool:
    """Whether it is taller than a float may be, by a guess of the lines that its cells take."""
    _, _, columns, head, bodies, foot = table["c"]
    widths = [width.get("c", 1.0) * latex_tables.TEXT_WIDTH for _, width in columns]
    rows = [*head[1], *(row for body in bodies for row in (*body[2], *body[3])), *foot[1]]
    lines = (
        max(
            (
                ceil(LETTER * len(plain_text(cell[4])) / room)
                for cell, room in zip(row[1], widths, strict=False)
            ),
            default=1,
        )
        for row in rows
    )
    return LINE * sum(max(1, count) for count in lines) > latex_tables.TALLEST_FLOAT


def _long(table: Block, write: Write, tagged: bool, caption: Sequence[Block] = ()) -> Block:
    """A table that breaks over pages, with its headings on each; longtable alone would count any."""
    _, _, columns, head, _, _ = table["c"]
    begin = rf"\begin{{longtable}}{{@{{}}{''.join(map(_column, columns))}@{{}}}}" + "\n"
    inner = [raw((r"\tablebegins " if tagged else "") + begin, inline=True)]
    if caption:
        inner += [*caption, raw("\\\\\n", inline=True)]
    inner += [*_head(head, write, "columnhead" if tagged else None), raw("\\endfirsthead\n", inline=True)]
    inner += [*_head(head, write, "repeated" if tagged else None), raw("\\endhead\n", inline=True)]
    inner += _body(table, write, tagged)
    inner.append(raw("\\bottomrule\n\\end{longtable}" + (r"\tagends" if tagged else ""), inline=True))
    if not caption:
        inner = enclosed("\\begin{uncounted}", inner, "\\end{uncounted}")
    return {"t": "Para", "c": inner}


def _tabular(table: Block, write: Write, tagged: bool) -> Iterator[Block]:
    """The rows between rules; a column is as wide as its words, or the fraction that pandoc gave it."""
    _, _, columns, head, _, _ = table["c"]
    yield raw(rf"\begin{{tabular}}{{@{{}}{''.join(map(_column, columns))}@{{}}}}" + "\n", inline=True)
    yield from _head(head, write, "columnhead" if tagged else None)
    yield from _body(table, write, tagged)
    yield raw("\\bottomrule\n\\end{tabular}" + (r"\tagends" if tagged else ""), inline=True)


def _head(head: Any, write: Write, tag: latex_tags.Tag | None) -> Iterator[Block]:
    yield raw("\\toprule\n", inline=True)
    for row in head[1]:
        yield from _row(row, write, tag)
    yield raw("\\midrule\n" if head[1] else "", inline=True)


def _body(table: Block, write: Write, tagged: bool) -> Iterator[Block]:
    _, _, _, _, bodies, foot = table["c"]
    for row in [row for body in bodies for row in (*body[2], *body[3])] + foot[1]:
        yield from _row(row, write, "cell" if tagged else None)


def _column(column: Any) -> str:
    align, width = column
    if width["t"] == "ColWidth":
        return rf">{{\raggedright\arraybackslash}}p{{\dimexpr{width['c']:.4f}\linewidth-2\tabcolsep}}"
    return {"AlignRight": "r", "AlignCenter": "c"}.get(align["t"], "l")


def _row(row: Any, write: Write, tag: latex_tags.Tag | None) -> Iterator[Block]:
    last = len(row[1]) - 1
    for number, cell in enumerate(row[1]):
        yield raw(" & " if number else "", inline=True)
        words = write(rewrite(_inlines(cell[4]), _note_in_table))
        if tag == "repeated":
            words = enclosed(r"\notread{", words, "}")
        elif tag:
            before, behind = latex_tags.beside(tag, number == 0, number == last)
            words = enclosed(before + r"\celltext{", words, "}" + behind)
        yield from words
    yield raw(" \\\\\n", inline=True)


def _inlines(blocks: Sequence[Block]) -> list[Block]:
    """The words of paragraphs in one line."""
    found: list[Block] = []
    for block in blocks:
        words = block["c"] if block["t"] in ("Plain", "Para") else list(elements(block))
        found += [{"t": "Space"}, *words] if found else words
    return found


def _note_in_table(element: Block) -> list[Block] | None:
    """A footnote that leaves its float."""
    return enclosed(r"\tablefootnote{", _inlines(element["c"]), "}") if element["t"] == "Note" else None


def _note_in_brackets(element: Block) -> list[Block] | None:
    if element["t"] != "Note":
        return None
    return [{"t": "Str", "c": " ("}, *_inlines(element["c"]), {"t": "Str", "c": ")"}]

"""A Document as a Jupyter notebook: prose with its formulas, and a code cell for every table and figure.

The cells call `engine.notebook`, which computes again what is analytic and loads what was recorded; what they
print is kept, so that the notebook can be read where nothing is installed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from report import figures, pandoc, pictures
from report.colours import coloured, places
from report.document import Block, Document, Item, Section, Written, elements, marker, rewrite
from report.formatting import cell, header, is_numeric, listing, notes
from report.numbering import words
from report.provenance import TARGET as PROVENANCE
from results.schema import Column, Figure, Result, Table

Cell = dict[str, Any]
Bundle = dict[str, str]

SETUP = """\
# Needs convstudy: run `sh setup.sh` in its folder, and choose the Python of its .venv as the kernel.
try:
    from engine.notebook import compute, figure, load, provenance, table
except ImportError:
    raise SystemExit("convstudy is not installed in this kernel; its README says how to set it up")"""
BOUNDARY = "convstudy-cell-boundary"
FORMAT = "--to=commonmark+tex_math_dollars+pipe_tables"
REFERENCES = "references"


def write(document: Document) -> bytes:
    """The notebook; the same bytes from the same document."""
    pieces = _pieces(document)
    texts = iter(_markdown([piece for piece in pieces if not isinstance(piece, Item)], document))
    cells: list[Cell] = []
    attached = _attachments(document)
    for piece in pieces:
        if isinstance(piece, Item):
            cells.append(_code_cell(piece.target, _call(piece, document.results), _shown(piece)))
        else:
            cells.append(_markdown_cell(f"text/{len(cells)}", next(texts), _answered(piece), attached))
        if len(cells) == 1:
            cells.append(_code_cell("setup", SETUP))
    for count, code in enumerate((one for one in cells if one["cell_type"] == "code"), 1):
        code["execution_count"] = count
        for output in code["outputs"]:
            output["execution_count"] = count
    metadata = {
        "title": document.study.title,
        "authors": [{"name": author} for author in document.study.authors],
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def table_bundle(content: Table, columns: Sequence[str] = ()) -> Bundle:
    """A table as a cell shows it, by MIME type; `columns` are the keys of those shown, all if none."""
    by_key = {column.key: column for column in content.columns}
    shown = [by_key[key] for key in columns] or list(content.columns)
    return {"text/html": _html(content, shown), "text/plain": _plain(content, shown)}


def figure_bundle(content: Figure) -> Bundle:
    """A figure as a cell shows it: on white, legible on every theme."""
    return {"image/png": base64.b64encode(figures.png(content)).decode() + "\n", "text/plain": content.alt}


# The document in pieces


def _pieces(document: Document) -> list[list[Block] | Item]:
    """In reading order: runs of prose, each a cell, and between them tables and figures."""
    study = document.study
    byline = ", ".join(filter(None, (*study.byline, study.affiliation)))
    by = [{"t": "Para", "c": words(byline)}] if byline else []
    top = [_heading(1, study.title), *by, _heading(2, "Abstract")]
    pieces: list[list[Block] | Item] = [[*top, *document.abstract]]
    for section in document.sections:
        prose = [_heading(2, _title(section))]
        for block in section.blocks:
            kind, data = marker(block)
            if block["t"] == "Div" and kind in ("table", "figure"):
                item = document.items[data["target"]]
                caption = [_heading(4, item.label), {"t": "Para", "c": words(item.content.caption)}]
                pieces += [prose] if prose else []
                pieces += [caption, item]
                prose = []
            elif block["t"] == "Header":
                level, attributes, inlines = block["c"]
                prose.append({"t": "Header", "c": [level + 1, attributes, inlines]})
            else:
                prose.append(block)
        pieces += [prose] if prose else []
    if any(element["t"] == "Cite" for element in elements([p for p in pieces if isinstance(p, list)])):
        pieces.append([_heading(2, "References"), {"t": "Div", "c": [["refs", [], []], []]}])
    return pieces


def _heading(level: int, text: str) -> Block:
    return {"t": "Header", "c": [level, ["", [], []], words(text)]}


def _title(section: Section) -> str:
    return f"{section.number} {section.title}"


def _answered(blocks: Sequence[Block]) -> list[str]:
    """The questions that these paragraphs answer."""
    found = [data["questions"].split() for kind, data in map(marker, elements(blocks)) if kind == "answers"]
    return list(dict.fromkeys(one for ids in found for one in ids))


# Prose


def _markdown(pieces: Sequence[list[Block]], document: Document) -> list[str]:
    """The Markdown of each piece; what they cite is in one list of references."""
    boundary: Block = {"t": "Para", "c": words(BOUNDARY)}
    blocks: list[Block] = []
    for piece in pieces:
        blocks += [*rewrite(piece, lambda element: _as_markdown(element, document)), boundary]
    if any(element["t"] == "Cite" for element in elements(blocks)):
        cited = pandoc.write(blocks, "--to=json", "--citeproc", f"--bibliography={document.bibliography}")
        blocks = rewrite(json.loads(cited)["blocks"], _unwrapped)
    text = pandoc.write(blocks, "--to=commonmark+tex_math_dollars+pipe_tables", "--wrap=none")
    return [part.strip() for part in text.split(BOUNDARY)][: len(pieces)]


def _as_markdown(element: Block, document: Document) -> list[Block] | None:
    """What stands for a marker or a footnote; None for what pandoc writes well by itself."""
    kind, data = marker(element)
    match element["t"], kind:
        case "Span", "value" | "quoted":
            return list(element["c"][1])
        case "Span", "ref":
            return [
                {"t": "Link", "c": [["", [], []], element["c"][1], [_address(data["target"], document), ""]]}
            ]
        case "Span", "answers":
            return [{"t": "Emph", "c": words(f"(Answers {listing(data['questions'].split())}.)")}]
        case "Span", "equation":
            return _equation(document.items[data["target"]], element["c"][1][0]["c"])
        case "Div", "written":
            return _written(document.items[data["target"]], element["c"][1][0], document)
        case "Image", _:
            _, words_, (file, _) = element["c"]
            name, _ = pictures.on_page(Path(file))
            return [{"t": "Image", "c": [["", [], []], words_, [f"attachment:{name}", ""]]}]
        case "Div", "missing" | "quick" | "media":
            return [{"t": "BlockQuote", "c": rewrite(element["c"][1], lambda e: _as_markdown(e, document))}]
        case "Note", _:
            return [
                {"t": "Space"},
                {"t": "Str", "c": "("},
                *_inlines(element["c"], document),
                {"t": "Str", "c": ")"},
            ]
    return None


def _written(item: Item, block: Block, document: Document) -> list[Block]:
    """A picture or table of the author's own, below its number and caption."""
    caption = [inline for part in block["c"][1][1] for inline in part["c"]]
    shown: list[Block]
    if block["t"] == "Figure":
        shown = [{"t": "Para", "c": [image]} for image in pictures.images(block["c"][2])]
    else:
        shown = [{"t": "Table", "c": [block["c"][0], [None, []], *block["c"][2:]]}]
    shown = [{"t": "Para", "c": caption}, *shown]
    return [_heading(4, item.label), *rewrite(shown, lambda element: _as_markdown(element, document))]


def _equation(item: Item, formula: list[Any]) -> list[Block]:
    """A formula with its number, below an anchor, as it has no heading."""
    kind, tex = formula
    anchor = {"t": "RawInline", "c": ["html", f'<a id="{item.label.replace(" ", "-")}"></a>']}
    return [anchor, {"t": "Math", "c": [kind, rf"{tex.rstrip()} \tag{{{item.number}}}"]}]


def _inlines(blocks: Sequence[Block], document: Document) -> list[Block]:
    """The text of a footnote, which stands in parentheses where it is called."""
    found: list[Block] = []
    for block in rewrite(blocks, lambda element: _as_markdown(element, document)):
        if block["t"] in ("Para", "Plain"):
            found += [*([{"t": "Space"}] if found else []), *block["c"]]
    return found


def _unwrapped(element: Block) -> list[Block] | None:
    """Citations, and the entries of the list of references, without their boxes."""
    if element["t"] in ("Cite", "Div", "Span"):
        return list(rewrite(element["c"][1], _unwrapped))
    return None


def _address(target: str, document: Document) -> str:
    """Notebooks anchor a heading by its text, with hyphens for spaces."""
    if target in document.items:
        text = document.items[target].label
    else:
        text = next(_title(s) for s in document.sections if f"section:{s.id}" == target)
    return "#" + quote(text.replace(" ", "-"))


# Cells


def _markdown_cell(key: str, text: str, answered: Sequence[str], attached: Mapping[str, Bundle]) -> Cell:
    tags = [f"answers {one}" for one in answered]
    cell = {
        "cell_type": "markdown",
        "id": _id(key),
        "metadata": {"tags": tags} if tags else {},
        "source": _lines(text),
    }
    shown = {name: attached[name] for name in re.findall(r"\(attachment:([0-9a-f]+\.\w+)", text)}
    return {**cell, "attachments": shown} if shown else cell


def _attachments(document: Document) -> dict[str, Bundle]:
    """The author's own pictures by their names, as cells hold them."""
    found = {}
    for image in pictures.images([document.abstract, *(section.blocks for section in document.sections)]):
        name, content = pictures.on_page(Path(image["c"][2][0]))
        kind = {"png": "image/png", "svg": "image/svg+xml"}.get(name.rpartition(".")[2], "image/jpeg")
        found[name] = {kind: base64.b64encode(content).decode()}
    return found


def _code_cell(key: str, text: str, shown: Bundle | None = None) -> Cell:
    data = {kind: _lines(content) for kind, content in (shown or {}).items()}
    output = {"output_type": "execute_result", "metadata": {}, "data": data}
    return {
        "cell_type": "code",
        "id": _id(key),
        "metadata": {},
        "source": _lines(text),
        "outputs": [output] if shown else [],
    }


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def _call(item: Item, results: Mapping[str, Result]) -> str:
    """The code that shows a table or figure."""
    if item.target == PROVENANCE:
        listed = ",\n".join(f"    {_loaded(result)}" for result in results.values())
        return f"provenance(\n{listed},\n)"
    analysis, _, name = item.target.partition("/")
    more = ""
    if isinstance(item.content, Table):
        more = f", columns={list(item.columns)}" if item.columns else ""
    elif not isinstance(item.content, Written) and (colours := places(item.content)) != places(
        coloured({"": results[analysis].figures[name]})[""]
    ):
        more = f", colours={colours}"
    return f'{item.kind}({_source(results[analysis])}, "{name}"{more})'


def _source(result: Result) -> str:
    """How a cell comes by a result: computed again where that takes seconds and no data, else as recorded."""
    computed = result.provenance.device == "meta" and result.profile == "full"
    return f'compute("{result.analysis}")' if computed else _loaded(result)


def _loaded(result: Result) -> str:
    profile = "" if result.profile == "full" else f', "{result.profile}"'
    return f'load("{result.analysis}"{profile})'


def _shown(item: Item) -> Bundle:
    assert not isinstance(item.content, Written)  # it stands in the prose
    if isinstance(item.content, Table):
        return table_bundle(item.content, item.columns)
    return figure_bundle(item.content)


def _html(content: Table, columns: Sequence[Column]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        written = (
            f'<{tag} style="text-align: {"right" if is_numeric(column) else "left"}">{text}</{tag}>'
            for column, text in zip(columns, cells, strict=True)
        )
        return f"<tr>{''.join(written)}</tr>\n"

    lines = [
        "<table>\n<thead>\n",
        row([escape(header(column)) for column in columns], "th"),
        "</thead>\n<tbody>\n",
    ]
    for one in content.rows:
        texts = [escape(cell(column, one)) for column in columns]
        bold = [one.kind == "total" or column.key in one.best for column in columns]
        lines.append(row([f"<b>{t}</b>" if b and t else t for t, b in zip(texts, bold, strict=True)], "td"))
    lines.append("</tbody>\n</table>\n")
    lines += [f"<p>{escape(note)}</p>\n" for note in notes(content, columns)]
    return "".join(lines)


def _plain(content: Table, columns: Sequence[Column]) -> str:
    """Columns of aligned text, and the notes."""
    grid = [[header(column) for column in columns]]
    grid += [[cell(column, row) for column in columns] for row in content.rows]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if is_numeric(column) else text.ljust(width)
            for text, width, column in zip(texts, widths, columns, strict=True)
        ).rstrip()
        for texts in grid
    ]
    return "\n".join([*lines, *notes(content, columns)])

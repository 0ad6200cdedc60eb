"""Section blocks as HTML: markers become links, tables and figures; mathematics becomes MathML."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from report import pandoc, pictures
from report.document import Block, Document, Item, Study, elements, marker, plain_text, rewrite
from report.glossary import Term, mark
from report.numbering import words
from results.schema import Result

#: Reads syntax trees, one a line of JSON; writes the HTML of each and of its references, each ended by NUL.
WRITE_HTML = r"""
local options = pandoc.WriterOptions({html_math_method = 'mathml', wrap_text = 'none'})
for line in io.lines() do
  local document = pandoc.read(line, 'json')
  if document.meta.bibliography then document = pandoc.utils.citeproc(document) end
  local body, references = pandoc.List(), pandoc.List()
  for _, block in ipairs(document.blocks) do
    (block.identifier == 'refs' and references or body):insert(block)
  end
  for _, blocks in ipairs({body, references}) do
    io.write(pandoc.write(pandoc.Pandoc(blocks), 'html5', options), '\0')
  end
end
"""


RUN_IN = "run-in"


class Text(NamedTuple):
    """HTML of a page's blocks, its list of references or "", its numbered subsections (id, title), and its
    title.
    """

    body: str
    references: str
    subsections: tuple[tuple[str, str], ...]
    heading: str = ""


#: How pandoc aligns the columns of a formula; the page's own style goes by their attribute columnalign.
ALIGNMENT = re.compile(r'(<mtd\b[^>]*?) style="[^"]*"')


@dataclass(frozen=True)
class Anchors:
    """Where things are, from the folder of a study's pages."""

    document: Document

    def page(self, section: str) -> str:
        return "index.html" if section == self.document.study.abstract else f"{section}.html"

    def target(self, target: str) -> str:
        """The address of "section:id", or of a table, figure or equation."""
        if target.startswith("section:"):
            return self.page(target.removeprefix("section:"))
        return f"{self.page(self.document.items[target].section)}#{fragment(target)}"

    def title(self, target: str) -> str:
        """The title of the section, the caption of the table or figure, or the equation as TeX."""
        if not target.startswith("section:"):
            return self.document.items[target].content.caption
        name = target.removeprefix("section:")
        return next((s.title for s in self.document.sections if s.id == name), "")

    def result(self, name: str) -> str:
        """The address of a result's page, or of "analysis/metric" or "analysis/parameter:name" on it."""
        analysis, _, part = name.partition("/")
        if part.startswith("parameter:"):
            return f"../results/{analysis}.html#parameters"
        return f"../results/{analysis}.html" + (f"#{fragment(name)}" if part else "")


def fragment(id: str) -> str:
    return quote(id, safe="/:")


def origin(name: str, result: Result) -> str:
    """ "architecture.vgg19/total_weights · full · commit 89abcdef", for the title of a number."""
    made_by = result.provenance
    changed = "+" if made_by.git_dirty else ""
    commit = f"commit {made_by.git_commit[:8]}{changed}" if made_by.git_commit else "outside version control"
    return f"{name} · {result.profile} · {commit}"


def texts(document: Document, draw: Callable[[Item], str], terms: Sequence[Term] = ()) -> list[Text]:
    """The abstract, then every section, by one call of pandoc; `draw` gives the HTML of a table or figure.

    The first use of each of the terms in a section leads to the glossary.
    """
    anchors = Anchors(document)
    bodies = [
        _numbered(document.abstract, ""),
        *(mark(_with_run_ins(_numbered(s.blocks, s.number), s.id), terms) for s in document.sections),
    ]
    trees = [
        _tree(rewrite(body, lambda element: _as_html(element, anchors, draw)), document.bibliography)
        for body in bodies
    ]
    titles = [[{"t": "Plain", "c": list(section.heading)}] for section in document.sections]
    trees += [_tree(title, document.bibliography) for title in titles]
    parts = pandoc.call(["lua", "-e", WRITE_HTML], "".join(json.dumps(tree) + "\n" for tree in trees))
    written = [ALIGNMENT.sub(r"\1", part.strip()) for part in parts.split("\0")]
    headings = ["", *written[2 * len(bodies) :: 2]]
    return [
        Text(written[2 * n], written[2 * n + 1], tuple(_subsections(body)), headings[n])
        for n, body in enumerate(bodies)
    ]


def _tree(blocks: Sequence[Block], bibliography: Path) -> dict[str, Any]:
    meta = {
        "bibliography": {"t": "MetaString", "c": str(bibliography)},
        "link-citations": {"t": "MetaBool", "c": True},
        "lang": {"t": "MetaString", "c": "en-GB"},
    }
    cites = any(element["t"] == "Cite" for element in elements(blocks))
    references = [{"t": "Div", "c": [["refs", [], []], []]}] if cites else []
    return {
        "pandoc-api-version": pandoc.API_VERSION,
        "meta": meta if cites else {},
        "blocks": [*blocks, *references],
    }


def _numbered(blocks: Sequence[Block], section: str) -> list[Block]:
    """Headings with the numbers that LaTeX gives them: 3.1, 3.1.1, and none below."""
    counts = [0, 0]

    def change(element: Block) -> list[Block] | None:
        if element["t"] != "Header" or not section:
            return None
        level, attributes, inlines = element["c"]
        if level not in (2, 3) or "unnumbered" in attributes[1]:
            return None
        counts[level - 2] += 1
        if level == 2:
            counts[1] = 0
        number = ".".join([section, *map(str, counts[: level - 1])])
        label = {"t": "Span", "c": [["", ["number"], []], [{"t": "Str", "c": number}]]}
        return [{"t": "Header", "c": [level, attributes, [label, {"t": "Space"}, *inlines]]}]

    numbered: list[Block] = rewrite(blocks, change)
    return numbered


def _with_run_ins(blocks: Sequence[Block], section: str) -> list[Block]:
    """The blocks, with ids for the bold words that begin paragraphs, where no heading divides the section."""
    if _subsections(blocks):
        return list(blocks)
    found: list[Block] = []
    for number, block in enumerate(blocks):
        first, *rest = block["c"] if block["t"] == "Para" else [None]
        if first and first["t"] == "Strong" and plain_text(first["c"]).endswith((".", "?")):
            name = [f"{section}-part-{number}", [RUN_IN], []]
            block = {"t": "Para", "c": [{"t": "Span", "c": [name, [first]]}, *rest]}
        found.append(block)
    return found


def _subsections(blocks: Sequence[Block]) -> list[tuple[str, str]]:
    """Id and title of what divides a page: its headings, or the bold words that begin paragraphs."""
    found = []
    for element in elements(blocks):
        if element["t"] == "Header" and element["c"][0] == 2 and element["c"][1][0]:
            found.append((element["c"][1][0], plain_text(element["c"][2])))
        elif element["t"] == "Span" and RUN_IN in element["c"][0][1]:
            found.append((element["c"][0][0], plain_text(element["c"][1]).rstrip(".")))
    return found


def _as_html(element: Block, anchors: Anchors, draw: Callable[[Item], str]) -> list[Block] | None:
    """What stands for a marker; None for what pandoc writes well by itself."""
    document = anchors.document
    kind, data = marker(element)
    match element["t"], kind:
        case "Span", "value":
            name = data["metric"]
            return [_link("value", element, anchors.result(name), origin(name, document.results[_of(name)]))]
        case "Span", "ref":
            return [_link("ref", element, anchors.target(data["target"]), anchors.title(data["target"]))]
        case "Span", "answers":
            return [_answers(element, data["questions"].split(), anchors.document.study)]
        case "Span", "quoted":
            title = f"Quoted from the literature: {data['key']} in published.toml"
            return [{"t": "Span", "c": [["", ["quoted"], [["title", title]]], element["c"][1]]}]
        case "Span", "equation":
            return [_equation(document.items[data["target"]], element["c"][1])]
        case "Div", "table" | "figure":
            return [{"t": "RawBlock", "c": ["html", draw(document.items[data["target"]])]}]
        case "Div", "written":
            return _written(document.items[data["target"]], element["c"][1][0], anchors, draw)
        case "Image", _:
            return [_image(element)]
        case "Div", "missing" | "quick" | "media":
            inner = rewrite(element["c"][1], lambda part: _as_html(part, anchors, draw))
            return [{"t": "Div", "c": [["", ["notice", kind], [["role", "note"]]], inner]}]
        case "Math", _:
            return _formula(element)
        case "CodeBlock", _:
            return [{"t": "CodeBlock", "c": [["", [], []], element["c"][1]]}]
        case "Table", _:
            element = {"t": "Table", "c": rewrite(element["c"], lambda e: _as_html(e, anchors, draw))}
            return [_table(element)]
    return None


def _written(item: Item, block: Block, anchors: Anchors, draw: Callable[[Item], str]) -> list[Block]:
    """A picture or table of the author's own, with its number before its caption."""
    inner = rewrite(block["c"], lambda part: _as_html(part, anchors, draw))
    label = [{"t": "Strong", "c": words(f"{item.label}.")}, {"t": "Space"}]
    _, (short, caption), *rest = inner
    caption = [{"t": "Plain", "c": [*label, *(caption[0]["c"] if caption else [])]}, *caption[1:]]
    inner = [["", [], []], [short, caption], *rest]
    body = {"t": "Figure", "c": inner} if block["t"] == "Figure" else _table({"t": "Table", "c": inner})
    return [{"t": "Div", "c": [[item.target, [item.kind, "written"], []], [body]]}]


def _image(element: Block) -> Block:
    """A picture from the page's folder of pictures, no larger than its place."""
    (_, _, data), words_, (file, _) = element["c"]
    name, _ = pictures.on_page(Path(file))
    wide = pictures.width(element)
    attributes = dict(data)
    text = attributes.get("alt", plain_text(words_))
    size = f' width="{wide:.0%}"' if isinstance(wide, float) else f' width="{_pixels(wide)}"' if wide else ""
    image = f'<img src="pictures/{name}" alt="{escape(text)}"{size} loading="lazy">'
    return {"t": "RawInline", "c": ["html", image]}


def _pixels(length: str) -> int:
    """Of a length such as "3cm"."""
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", length).groups()  # type: ignore[union-attr]
    return round(float(number) * {"cm": 37.8, "mm": 3.78, "in": 96, "pt": 4 / 3, "em": 16}[unit])


def _of(name: str) -> str:
    return name.partition("/")[0]


def _link(kind: str, element: Block, address: str, title: str) -> Block:
    return {"t": "Link", "c": [["", [kind], []], element["c"][1], [address, title]]}


def _answers(element: Block, ids: Sequence[str], study: Study) -> Block:
    """The mark of a paragraph; pointing at it shows the questions."""
    asked = {one.id: one.text for one in study.questions}
    title = " ".join(f"{one}: {asked[one]}" for one in ids)
    return {"t": "Span", "c": [["", ["answers"], [["title", title]]], element["c"][1]]}


def _formula(element: Block) -> list[Block] | None:
    """A displayed formula in a box of its own, which scrolls where the page is narrow."""
    if element["c"][0]["t"] != "DisplayMath":
        return None
    return [{"t": "Span", "c": [["", ["equation"], []], [element]]}]


def _equation(item: Item, formula: list[Block]) -> Block:
    """A displayed formula with its number behind it."""
    number = {"t": "Span", "c": [["", ["counted"], []], words(f"({item.number})")]}
    return {"t": "Span", "c": [[item.target, ["equation", "numbered"], []], [*formula, number]]}


def _table(element: Block) -> Block:
    """A table of prose in a box that scrolls. Alignments are classes, since pandoc's are style attributes."""
    attributes, caption, columns, *rest = element["c"]
    plain = [[{"t": "AlignDefault"}, {"t": "ColWidthDefault"}] for _ in columns]
    aligned = [
        {"AlignRight": ["right"], "AlignCenter": ["middle"]}.get(align["t"], []) for align, _ in columns
    ]
    head, bodies, foot = rest
    for row in [*head[1], *(row for body in bodies for row in (*body[2], *body[3])), *foot[1]]:
        for cell, classes in zip(row[1], aligned, strict=False):
            cell[0] = ["", classes, []]
    box = ["", ["scroll"], [["role", "region"], ["aria-label", "Table"], ["tabindex", "0"]]]
    return {"t": "Div", "c": [box, [{"t": "Table", "c": [attributes, caption, plain, *rest]}]]}

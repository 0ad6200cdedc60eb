"""A study that has been composed: numbered sections whose blocks wait for a writer.

`prose.compose` makes a Document; `latex` and `html` each write it. Both find the same numbers,
captions and numbering in it, so the two formats cannot disagree.

Section blocks are pandoc's JSON syntax tree. Where a format must decide, they hold markers:

    Span .value   data: metric="analysis/name"           content: the formatted number
    Span .quoted  data: key="key in published.toml"      content: the formatted number
    Span .ref     data: target="analysis/name", "section:id", "picture:id", "table:id"
                        or "equation:id"                 content: "Table 3", "Figure 2", "Section 4"
    Span .equation data: target="equation:id"            content: the formula, displayed and numbered
    Span .answers data: questions="H1.1 H1.2"            content: the ids of questions answered here
    Div  .table   data: target="analysis/name"           empty: the writer draws `items[target]`
    Div  .figure  data: target="analysis/name"           empty: likewise
    Div  .written  data: target="picture:id" or "table:id"  content: a Figure or Table of the author's own
    Div  .media                                          content: which picture is not here, and its command
    Div  .missing                                        content: what is missing and how to make it
    Div  .quick                                          content: which numbers are of the quick profile

Prose is otherwise ordinary pandoc: Header from level 2 (ids start with the section's), Math, Cite, Code.
A reference that leads nowhere in this document (its section is missing) is plain text, not a Span .ref.
The last section is the appendix "A", id "provenance". It shows the item "provenance/results", a Table whose
column "analysis" (type code) names one result a row: writers anchor those rows, and link numbers to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from report.questions import Question
from results.schema import Figure, Result, Table

Block = dict[str, Any]


@dataclass(frozen=True)
class Author:
    name: str
    affiliation: str = ""
    email: str = ""


@dataclass(frozen=True)
class Study:
    """One study file: which sections, in which order, with which page limit (references not counted)."""

    id: str
    title: str
    people: tuple[Author, ...]
    abstract: str  # the name of a section template
    sections: tuple[str, ...]
    subtitle: str = ""
    contents: bool = False  # whether the PDF has a table of contents
    page_limit: int | None = None
    affiliation: str = ""  # of all of them
    date: str = ""  # as it is printed; that of the newest result if empty
    language: str = "en-GB"
    typed_numbers: str = "refuse"  # or "notice", "allow"
    site: Mapping[str, str] = field(default_factory=dict)  # title, lead, address
    questions: tuple[Question, ...] = ()
    order: int | None = None  # in which studies are read; those without one come last
    headline: str = ""  # "analysis/metric"
    figure: str = ""  # "analysis/figure"
    address: str = ""  # where its pages are published
    repository: str = ""  # where its text is: an address, or one with {commit}, {path} and {line}
    source: Path | None = None

    @property
    def authors(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(one.name for one in self.people)

    @property
    def byline(self) -> tuple[str, ...]:
        """Each with an affiliation and address of their own, if any: "Bo Ek (Lund, bo@example.org)"."""
        about = (", ".join(filter(None, (one.affiliation, one.email))) for one in self.people)
        return tuple(
            f"{one.name} ({text})" if text else one.name for one, text in zip(self.people, about, strict=True)
        )


@dataclass(frozen=True)
class Written:
    """A picture, table or equation that stands in the prose itself. `caption` is its text without marking, of
    an equation its TeX."""

    caption: str


ANCHORS = {"table": "tab", "figure": "fig", "equation": "eq"}


@dataclass(frozen=True)
class Item:
    """A numbered table, figure or equation. `columns` is the selection to print, in order; all when empty."""

    kind: Literal["table", "figure", "equation"]
    number: int
    target: str  # "analysis/name", "provenance/results", or of what is written "picture:id", "table:id" …
    content: Table | Figure | Written
    section: str
    columns: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.kind.capitalize()} {self.number}"

    @property
    def anchor(self) -> str:
        """What LaTeX calls it."""
        return f"{ANCHORS[self.kind]}:{self.target}"


@dataclass(frozen=True)
class Section:
    """`problems` are sentences on results that are missing or refused; the blocks then say so too."""

    id: str
    number: str  # "3", or "A" in the appendix
    title: str
    blocks: tuple[Block, ...]
    heading: tuple[Block, ...] = ()  # the title as inlines
    lines: Mapping[str, int] = field(default_factory=dict)  # of its template, by the id of a heading
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    study: Study
    abstract: tuple[Block, ...]
    sections: tuple[Section, ...]
    items: dict[str, Item]
    results: dict[str, Result]  # every result that the document draws on, by analysis
    bibliography: Path
    problems: tuple[str, ...] = field(default=())
    notices: tuple[
        str, ...
    ] = ()  # on numbers typed by hand where that is allowed, HTML, and floats without mention
    illustrations: frozenset[str] = frozenset()  # figures of data that is here, which not everyone's PDF has
    unanswered: tuple[str, ...] = ()  # the sentence on questions that no section answers, where there are any


def elements(node: Any) -> Iterator[Block]:
    """Every element of a syntax tree, in reading order."""
    if isinstance(node, dict):
        if "t" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for part in node:
            yield from elements(part)


def rewrite(node: Any, change: Callable[[Block], list[Block] | None]) -> Any:
    """The tree with every element for which `change` returns a list replaced by that list.

    What is put in is not looked at again; what is left alone is searched.
    """
    if isinstance(node, dict):
        return {key: rewrite(part, change) for key, part in node.items()}
    if not isinstance(node, list | tuple):
        return node
    parts: list[Any] = []
    for part in node:
        replacement = change(part) if isinstance(part, dict) and "t" in part else None
        parts += [rewrite(part, change)] if replacement is None else replacement
    return parts


#: Class of a marker → the data that makes it one; a Div of the author's own may have the same class.
MARKERS = {
    "value": "metric",
    "quoted": "key",
    "ref": "target",
    "equation": "target",
    "answers": "questions",
    "table": "target",
    "figure": "target",
    "written": "target",
    "media": "",
    "missing": "",
    "quick": "",
}


def marker(element: Block) -> tuple[str, dict[str, str]]:
    """The class and data of a marker; ("", {}) for everything else."""
    if element["t"] in ("Span", "Div"):
        _, classes, data = element["c"][0]
        if len(classes) == 1 and classes[0] in MARKERS:
            needed, given = MARKERS[classes[0]], dict(data)
            if not needed or needed in given:
                return classes[0], given
    return "", {}


def _without_notes(element: Block) -> list[Block] | None:
    """Quotation marks as letters, and no footnotes."""
    if element["t"] == "Quoted":
        left, right = "‘’" if element["c"][0]["t"] == "SingleQuote" else "“”"
        inner = rewrite(element["c"][1], _without_notes)
        return [{"t": "Str", "c": left}, *inner, {"t": "Str", "c": right}]
    return [] if element["t"] == "Note" else None


#: Commands of mathematics that have a character.
SIGNS = {
    "times": "×", "cdot": "·", "pm": "±", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "approx": "≈",
    "to": "→", "infty": "∞", "alpha": "α", "beta": "β", "lambda": "λ", "mu": "μ", "sigma": "σ",
}  # fmt: skip


def _plain_formula(tex: str) -> str:
    """A short formula as a heading's bookmark prints it."""
    tex = re.sub(r"\\([a-zA-Z]+)", lambda found: SIGNS.get(found[1], found[1]), tex)
    return re.sub(r"[{}\\]", "", tex)


def plain_text(inlines: Any) -> str:
    """The words of inlines, without their marking; a footnote is none of them."""
    pieces: dict[str, Callable[[Any], str]] = {
        "Str": str,
        "Space": lambda _: " ",
        "SoftBreak": lambda _: " ",
        "Code": lambda content: str(content[1]),
        "Math": lambda content: _plain_formula(str(content[1])),
    }
    words = rewrite(inlines, _without_notes)
    return "".join(
        pieces[element["t"]](element.get("c")) for element in elements(words) if element["t"] in pieces
    )

"""The glossary: words of the field with their meaning, and their first uses in a section as links to it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from report.document import Block, rewrite

PAGE = "glossary.html"
#: What is read as text, and what is left as it is.
TEXT = {"Str": None, "Space": " ", "SoftBreak": " "}
UNSEARCHED = {"Header", "Div", "Table", "CodeBlock"}


@dataclass(frozen=True)
class Term:
    name: str
    meaning: str
    full: str = ""  # what a shorthand stands for
    forms: tuple[str, ...] = ()  # other ways to write it

    @property
    def id(self) -> str:
        return re.sub(r"\W+", "-", self.name.lower())

    @property
    def text(self) -> str:
        """As one line: "AUC, area under the ROC curve: The probability that …"."""
        return f"{', '.join(filter(None, (self.name, self.full)))}: {self.meaning}"

    @property
    def pattern(self) -> str:
        """Each way to write it, in the plural too, and with a capital where it begins a sentence."""
        return "|".join(_pattern(form) for form in (self.name, *self.forms))


def _pattern(form: str) -> str:
    first = f"[{form[0].upper()}{form[0]}]" if form.islower() else re.escape(form[0])
    return first + re.escape(form[1:]).replace("'", "['’]") + "s?"


def load(templates: Path) -> tuple[Term, ...]:
    """The terms of `glossary.toml`, by their names."""
    entries = tomllib.loads((templates / "html" / "glossary.toml").read_text("utf-8"))["term"]
    terms = (Term(**{**entry, "forms": tuple(entry.get("forms", ()))}) for entry in entries)
    return tuple(sorted(terms, key=lambda term: term.name.lower()))


def mark(blocks: Sequence[Block], terms: Iterable[Term]) -> list[Block]:
    """The blocks of a section, in which the first use of each term is a link to the page of the glossary."""
    left = list(terms)

    def change(element: Block) -> list[Block] | None:
        if element["t"] in UNSEARCHED:
            return [element]
        if element["t"] in ("Para", "Plain"):
            return [{"t": element["t"], "c": _marked(element["c"], left)}]
        return None

    marked: list[Block] = rewrite(blocks, change)
    return marked


def _marked(inlines: Sequence[Block], left: list[Term]) -> list[Block]:
    """Inlines with the terms of `left` that they use as links; these are then no longer left."""
    found: list[Block] = []
    for is_text, group in groupby(inlines, key=lambda element: element["t"] in TEXT):
        parts = list(group)
        found += _linked("".join(TEXT[e["t"]] or e["c"] for e in parts), left) if is_text else parts
    return found


def _linked(text: str, left: list[Term]) -> list[Block]:
    whole = "|".join(f"(?P<t{n}>{term.pattern})" for n, term in enumerate(left))
    use = re.search(rf"(?<![\w-])(?:{whole})(?![\w-])", text) if left else None
    if use is None:
        return _words(text)
    term = left.pop(int(str(use.lastgroup)[1:]))
    link = {"t": "Link", "c": [["", ["term"], []], _words(use[0]), [f"../{PAGE}#{term.id}", term.text]]}
    return [*_words(text[: use.start()]), link, *_linked(text[use.end() :], left)]


def _words(text: str) -> list[Block]:
    parts = re.split("( )", text)
    return [{"t": "Space"} if part == " " else {"t": "Str", "c": part} for part in parts if part]

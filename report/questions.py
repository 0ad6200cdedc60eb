"""The questions of an assignment: which paragraphs of a study answer them, and what its appendix says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report.formatting import listing, markdown

MARK = re.compile(r'(?:\[[^\]]*\])?\{\.answers questions="([^"]*)"\}')
#: A table or figure that begins behind a mark, or behind another one.
FLOAT = re.compile(r'\s*\n\s*\n::: \{\.(?:table|figure) target="([^"]+)"\}(?:\s*\n:::)?')
#: One that ends a text.
FLOAT_ABOVE = re.compile(r'(?:\A|\n)::: \{\.(?:table|figure) target="([^"]+)"\}\s*\n:::\s*\Z')
#: What a paragraph refers to, but for sections.
REFERENCE = re.compile(r'\{\.ref target="(?!section:)([^"]+)"\}')
PARAGRAPH = re.compile(r"\n\s*\n")
CALL = re.compile(r"\banswers\(([^)]*)\)")


@dataclass(frozen=True)
class Question:
    id: str  # as the assignment numbers it
    text: str


def all_ids(templates: Path) -> list[str]:
    """The ids of the questions of every study whose file can be read."""
    found: dict[str, None] = {}
    for file in sorted((templates / "studies").glob("*.toml")):
        try:
            asked = tomllib.loads(file.read_text("utf-8")).get("questions", [])
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue
        found |= dict.fromkeys(str(one["id"]) for one in asked if isinstance(one, dict) and "id" in one)
    return list(found)


def mark(ids: Sequence[str]) -> str:
    """The Markdown of a mark: a Span .answers."""
    return f'[{markdown(" ".join(ids))}]{{.answers questions="{" ".join(ids)}"}}'


def marked(text: str) -> dict[str, tuple[str, ...]]:
    """The questions that rendered Markdown answers, each with the tables and figures that its paragraph
    refers to, those right above it, and those right below.

    One between two marked paragraphs belongs to the upper one, and one above a paragraph that begins a new
    topic, with words in bold, to what came before.
    """
    found: dict[str, tuple[str, ...]] = {}
    taken = 0  # the end of what the last mark shows
    for place in MARK.finditer(text):
        before, paragraph = _last_paragraph(text[: place.start()].rstrip())
        shown, end = REFERENCE.findall(paragraph), place.end()
        while not paragraph.startswith("**") and (above := FLOAT_ABOVE.search(before)):
            if above.start() < taken:
                break
            shown, before = [above[1], *shown], before[: above.start()]
        while below := FLOAT.match(text, end):
            shown, end = [*shown, below[1]], below.end()
        taken = end
        for one in place[1].split():
            found[one] = tuple(dict.fromkeys((*found.get(one, ()), *shown)))
    return found


def _last_paragraph(text: str) -> tuple[str, str]:
    """What stands before the last paragraph of a text, and the paragraph."""
    *_, gap = (0, *(gap.end() for gap in PARAGRAPH.finditer(text)))
    return text[:gap], text[gap:]


def attached(blocks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Blocks in which every mark stands at the end of its paragraph, where the margin has room for it; one in
    a paragraph of its own at the end of the paragraph above, if any.
    """
    joined: list[dict[str, Any]] = []
    for block in blocks:
        if block["t"] != "Para" or not any(map(_is_answers, block["c"])):
            joined.append(block)
            continue
        marks = [inline for inline in block["c"] if _is_answers(inline)]
        words = _without_marks(block["c"])
        above = joined[-1] if joined else {}
        if not words and above.get("t") == "Para":
            words = joined.pop()["c"]
        joined.append({"t": "Para", "c": [*_without_marks(words), {"t": "Space"}, _merged(words, marks)]})
    return joined


def _without_marks(words: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [inline for inline in words if not _is_answers(inline)]
    while kept and kept[-1]["t"] in ("Space", "SoftBreak"):
        kept.pop()
    return kept


def _merged(words: Sequence[dict[str, Any]], marks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One mark of all questions of a paragraph, those that it already had first."""
    every = [*filter(_is_answers, words), *marks]
    ids = dict.fromkeys(one for mark in every for one in dict(mark["c"][0][2])["questions"].split())
    attributes = ["", ["answers"], [["questions", " ".join(ids)]]]
    return {"t": "Span", "c": [attributes, [{"t": "Str", "c": " ".join(ids)}]]}


def _is_answers(inline: dict[str, Any]) -> bool:
    return bool(inline["t"] == "Span" and inline["c"][0][1] == ["answers"])


def named(template: str) -> set[str]:
    """The questions that a template names, rendered or not: of a section whose result is missing."""
    return {one for call in CALL.findall(template) for one in re.findall(r'"([^"]+)"', call)}


CODES = "A code in the margin names the question that the paragraph beside it answers."

#: By section, the questions that it answers, each with the tables and figures that show the answer.
Answers = Mapping[str, Mapping[str, Sequence[str]]]


def unanswered(questions: Sequence[Question], sections: Answers, file: Path | None = None) -> list[str]:
    """The sentence on questions of a study file that no section answers; none where all are."""
    open_ = [one.id for one in questions if not any(one.id in ids for ids in sections.values())]
    if not open_:
        return []
    verb = "has" if len(open_) == 1 else "have"
    return [
        f"{listing(open_)} of its questions {verb} no answer; mark the paragraph that answers one with "
        f'{{{{ answers("{open_[0]}") }}}}, or take the question out of {file or "the study file"}'
    ]


def text(questions: Sequence[Question], sections: Answers) -> str:
    """The part of the appendix that says where each question is answered; "" where none is asked."""
    if not questions:
        return ""
    lines = []
    for one in questions:
        targets = [
            target
            for name, ids in sections.items()
            if one.id in ids
            for target in (f"section:{name}", *ids[one.id])
        ]
        where = listing([f'[]{{.ref target="{target}"}}' for target in dict.fromkeys(targets)])
        lines.append(f"- **{markdown(one.id)}** {markdown(one.text)} {where or 'not answered'}.")
    return f"## Where each question is answered\n\n{CODES}\n\n" + "\n".join(lines)

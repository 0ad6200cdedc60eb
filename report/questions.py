"""The questions of an assignment: which paragraphs of a study answer them, and what its appendix says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from report.formatting import listing, markdown

MARK = re.compile(r'\{\.answers questions="([^"]*)"\}')
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


def marked(text: str) -> set[str]:
    """The questions that rendered Markdown answers."""
    return {one for ids in MARK.findall(text) for one in ids.split()}


def named(template: str) -> set[str]:
    """The questions that a template names, rendered or not: of a section whose result is missing."""
    return {one for call in CALL.findall(template) for one in re.findall(r'"([^"]+)"', call)}


def unanswered(questions: Sequence[Question], sections: Mapping[str, set[str]]) -> list[str]:
    """The sentence on questions that no section answers; none where all are."""
    answered = set().union(*sections.values())
    open_ = [one.id for one in questions if one.id not in answered]
    if not open_:
        return []
    verb = "has" if len(open_) == 1 else "have"
    return [
        f"{listing(open_)} of its questions {verb} no answer; mark the paragraph that answers one with "
        f'{{{{ answers("{open_[0]}") }}}}, or take the question out of the study file'
    ]


def text(questions: Sequence[Question], sections: Mapping[str, set[str]]) -> str:
    """The part of the appendix that says where each question is answered; "" where none is asked."""
    if not questions:
        return ""
    lines = []
    for one in questions:
        places = [f'[]{{.ref target="section:{name}"}}' for name, ids in sections.items() if one.id in ids]
        where = listing(places) if places else "not answered"
        lines.append(f"- **{markdown(one.id)}** {markdown(one.text)} {where}.")
    return "## Where each question is answered\n\n" + "\n".join(lines)

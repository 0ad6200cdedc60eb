"""Findings: statements that hold or not, and the sentences to print of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from results.schema.values import Record, is_number_format


class Placeholder(NamedTuple):
    """A number within a sentence: a metric, and how it is printed."""

    metric: str
    style: str  # "percent", "points", or a Python format specification
    options: frozenset[str]


#: What a placeholder may add: its interval, the words for its unit, no plus sign.
PLACEHOLDER_OPTIONS = ("ci", "unit", "unsigned")
MEMBERS = "members"  # the placeholder of a finding's members, in words


class Finding(Record):
    """A statement that prose may branch on, the metrics it rests on, and the sentence to print of it.

    `sentences` has one complete sentence for each verdict. Where a finding is a plain statement, the verdicts
    are "yes" and "no", and follow `holds`; a comparison has "more", "less" and "same". Numbers stand in a
    sentence as placeholders, so that each keeps its link: {metric}, {metric:.3f}, {metric:percent ci},
    {metric:points unit ci unsigned}; {members} names the members. The first of `metrics` is the difference
    that a comparison judges; what its interval is over, that metric says.
    """

    statement: str
    holds: bool
    metrics: tuple[str, ...] = ()
    verdict: str = Field("", description='Which sentence is printed; empty for "yes" or "no" by `holds`')
    sentences: dict[str, str] = Field({}, description="By verdict")
    members: tuple[str, ...] = Field((), description="In words, what a finding about several is true of")
    p: float | None = Field(
        None, ge=0, le=1, description="p-value of the comparison, corrected for its family where it has one"
    )

    @property
    def outcome(self) -> str:
        return self.verdict or ("yes" if self.holds else "no")

    @model_validator(mode="after")
    def the_verdict_has_a_sentence(self) -> Self:
        if self.sentences and self.outcome not in self.sentences:
            raise ValueError(
                f"there is no sentence for {self.outcome!r}, only for {', '.join(self.sentences)}"
            )
        for sentence in self.sentences.values():
            for part in parts_of(sentence):
                if isinstance(part, Placeholder):
                    _check_placeholder(part, sentence)
        return self


def _check_placeholder(part: Placeholder, sentence: str) -> None:
    for unknown in sorted(part.options - set(PLACEHOLDER_OPTIONS)):
        raise ValueError(f"{unknown!r} is no option of a placeholder in {sentence!r}")
    if part.style not in ("percent", "points") and not is_number_format(part.style):
        raise ValueError(f"{part.style!r} is no format of a number in {sentence!r}")


def parts_of(sentence: str) -> Iterator[str | Placeholder]:
    """The words and the placeholders of a sentence, in order. ValueError for a brace that is not paired."""
    for n, part in enumerate(re.split(r"\{([^{}]*)\}", sentence)):
        if n % 2 == 0:
            if "{" in part or "}" in part:
                raise ValueError(f"a brace of {sentence!r} has no other half")
            if part:
                yield part
            continue
        metric, _, how = part.partition(":")
        style, _, options = how.partition(" ")
        yield Placeholder(metric, style, frozenset(options.split()))

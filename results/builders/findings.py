"""Findings, with the sentence to print of each verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from results.builders.quantities import EstimateLike
from results.schema import Finding

SIGNIFICANT = 0.05
Verdict = Literal["more", "less", "same"]


def sign(difference: EstimateLike) -> int:
    """1 or −1 where the interval lies above or below zero, else 0."""
    if difference.low is None or difference.high is None:
        return 0
    return (difference.low > 0) - (difference.high < 0)


def judge(difference: EstimateLike, adjusted_p: float | None = None) -> Verdict:
    """Whether a difference is significant: by its p-value, corrected for its family, else by its interval."""
    direction = sign(difference)
    if adjusted_p is not None:
        direction = ((difference.value > 0) - (difference.value < 0)) if adjusted_p < SIGNIFICANT else 0
    return "more" if direction > 0 else "less" if direction < 0 else "same"


def statement(words: str, holds: bool, *metrics: str, yes: str = "", no: str = "") -> Finding:
    """A finding that holds or not, with the sentences to print of it where there are any."""
    sentences = {"yes": yes, "no": no} if yes or no else {}
    return Finding(statement=words, holds=holds, metrics=metrics, sentences=sentences)


def comparison(
    words: str,
    name: str,
    difference: EstimateLike,
    *,
    more: str,
    less: str,
    same: str,
    adjusted_p: float | None = None,
    expected: Verdict = "more",
) -> Finding:
    """A finding on a difference, the metric `name`: significantly more than nothing, less, or the same.

    It holds where the verdict is the expected one. adjusted_p: corrected for the family of comparisons that
    it belongs to; without it, the interval decides.
    """
    verdict = judge(difference, adjusted_p)
    return Finding(
        statement=words,
        holds=verdict == expected,
        metrics=(name,),
        verdict=verdict,
        sentences={"more": more, "less": less, "same": same},
        p=adjusted_p,
    )


def family(words: str, members: Mapping[str, bool], *metrics: str, none: str, one: str, many: str) -> Finding:
    """A finding on several: of which of them, in words, it is true. `one` and `many` say {members}."""
    true_of = tuple(name for name, holds in members.items() if holds)
    return Finding(
        statement=words,
        holds=bool(true_of),
        metrics=metrics,
        verdict="none" if not true_of else "one" if len(true_of) == 1 else "many",
        sentences={"none": none, "one": one, "many": many},
        members=true_of,
    )


def shown(
    name: str,
    style: str = "",
    *,
    ci: bool = False,
    unit: bool = False,
    unsigned: bool = False,
) -> str:
    """The place of a metric's number within a sentence: as "percent", as "points", or by Python's format
    specification; with its interval, with the words "percentage points", as a size without its sign."""
    options = [word for word, wanted in (("ci", ci), ("unit", unit), ("unsigned", unsigned)) if wanted]
    how = " ".join((style, *options)) if style or options else ""
    return f"{{{name}:{how}}}" if how else f"{{{name}}}"

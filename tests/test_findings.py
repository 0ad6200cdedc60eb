"""What recorded findings claim, held against their own intervals and corrected p-values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from report.formatting import placeholder, sentence
from results.schema import Finding, Result
from results.store import Store

LEVEL = 0.05
STORE = Store(Path(__file__).parents[1] / "results")
FOUND = [
    (STORE.read(name, "full"), key, finding)
    for name, profile in STORE.recorded()
    if profile == "full"
    for key, finding in STORE.read(name, "full").findings.items()
]
COMPARED = [one for one in FOUND if one[2].outcome in ("more", "less", "same") and one[2].metrics]
PRINTED = [one for one in FOUND if one[2].sentences]
DENIED = (
    r"\b(?:not|no|none|neither|nor|nothing|without(?! (?:them|(?:drawn )?glasses))|never|cannot|too few)\b"
)


def ids(found: list[tuple[Result, str, Finding]]) -> list[str]:
    return [f"{result.analysis}/{key}" for result, key, _ in found]


@pytest.mark.parametrize(("result", "key", "finding"), COMPARED, ids=ids(COMPARED))
def test_a_comparison_is_decided_only_by_its_interval_and_its_corrected_p(result, key, finding):
    difference = result.metrics[finding.metrics[0]]
    assert difference.low is not None and difference.high is not None, "a comparison without an interval"
    side = "more" if difference.low > 0 else "less" if difference.high < 0 else "same"
    significant = finding.p is None or finding.p < LEVEL
    assert finding.outcome == (side if significant else "same")


@pytest.mark.parametrize(("result", "key", "finding"), PRINTED, ids=ids(PRINTED))
def test_a_sentence_says_significant_of_what_is_and_of_nothing_else(result, key, finding):
    text = sentence(finding, lambda part: placeholder(part, result.metrics[part.metric]))
    for clause in re.split(r"[;:.](?=\s|$)", text):
        if "significant" in clause and finding.outcome in ("more", "less"):
            assert not re.search(DENIED, clause), text
        if "significant" in clause and finding.outcome == "same":
            assert re.search(DENIED, clause), text


def test_there_is_something_to_hold_against():
    assert len(COMPARED) > 30 and len(PRINTED) > len(COMPARED)

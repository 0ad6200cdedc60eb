"""Numbers and their nouns read well: real minus signs, no signed zero, words below ten."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.text import counted, number, singular


@pytest.mark.parametrize(
    ("value", "spec", "expected"),
    [
        (-0.0004, ".3f", "0.000"),
        (0.0004, "+.3f", "0.000"),
        (-0.0, "", "0"),
        (-0.0004, ".1%", "0.0%"),
        (-0.0006, "+.3f", "−0.001"),
        (0, "+,", "0"),
        (-1e-20, ".0e", "−1e-20".replace("-", "−")),
        (-1200.0, "+,.0f", "−1,200"),
    ],
)
def test_what_is_rounded_to_zero_has_no_sign(value: float, spec: str, expected: str) -> None:
    assert number(value, spec) == expected


@given(st.floats(-1, 1), st.sampled_from([".0f", ".1f", "+.3f", ".2%", "+,.1f", ".3g", ""]))
def test_no_number_is_minus_zero(value: float, spec: str) -> None:
    assert not re.fullmatch(r"[−+-]0*(\.0*)?%?", number(value, spec))


def test_counts_below_ten_are_words() -> None:
    assert counted(1, "seeds") == "one seed" and counted(3, "seeds") == "three seeds"
    assert counted(240, "test images") == "240 test images" and counted(1, "people") == "one person"


def test_nouns_lose_their_plural() -> None:
    assert [singular(noun) for noun in ("test images", "classes", "folds")] == ["test image", "class", "fold"]

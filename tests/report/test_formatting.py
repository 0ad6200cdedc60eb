"""Numbers read the same everywhere: separators, real minus signs, bounds that say so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import formatting
from results.schema import Column, Metric, Row


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (143667240, "", "143,667,240"),
        (16.0, "", "16"),
        (0.712345, "", "0.7123"),
        (-3, "", "−3"),
        (0.5, ".2f", "0.50"),
        (1e20, "", "1e+20"),
        (12345.678, "", "1.235e+04"),
        (1234.5, ",.1f", "1,234.5"),
    ],
)
def test_numbers(value: float, spec: str, text: str) -> None:
    assert formatting.number(value, spec) == text


@given(st.integers())
def test_integers_keep_every_digit(value: int) -> None:
    assert int(formatting.plain(value)) == value
    assert int(formatting.number(value).replace(",", "").replace("−", "-")) == value


def test_scaling_keeps_whole_integers_whole() -> None:
    assert formatting.number(formatting.scaled(60_000_000, 1e-6)) == "60"
    assert formatting.number(formatting.scaled(0.7124, 100), ".1f") == "71.2"


def test_intervals_are_printed_both_ways() -> None:
    metric = Metric(value=0.7, low=0.68, high=0.71, title="accuracy")
    assert formatting.with_interval(metric, ".2f", None, "±") == "0.70 ± 0.02"
    assert formatting.with_interval(metric, ".0f", 100, "[]") == "70 [68, 71]"
    with pytest.raises(ValueError, match="has no interval"):
        formatting.with_interval(Metric(value=1, title="count"), "", None, "±")


def test_a_partial_row_is_a_lower_bound() -> None:
    count = Column(key="n", label="MACs", type="integer")
    assert formatting.cell(count, Row(cells={"n": 1200}, partial=("attention",))) == "≥ 1,200"
    assert formatting.cell(count, Row(cells={"n": 1200})) == "1,200"
    assert formatting.cell(count, Row(cells={})) == ""
    name = Column(key="n", label="Layer")
    assert formatting.cell(name, Row(cells={"n": "conv1"}, partial=("attention",))) == "conv1"
    assert formatting.cell(name, Row(cells={"n": True})) == "yes"


def test_a_unit_stands_in_the_heading() -> None:
    assert formatting.header(Column(key="t", label="Time", unit="s")) == "Time (s)"
    assert formatting.header(Column(key="t", label="MACs", unit="MACs")) == "MACs"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.02, "0.02 s"), (42.4, "42 s"), (600, "10 min"), (7200, "2.0 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert formatting.duration(seconds) == text


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_listings(words: list[str], text: str) -> None:
    assert formatting.listing(words) == text


def test_nearest_names() -> None:
    assert formatting.nearest("totl", ["total", "mean"]) == "; did you mean total?"
    assert formatting.nearest("xyz", ["total", "mean"]) == "; there are mean and total"
    assert formatting.nearest("xyz", []) == ""

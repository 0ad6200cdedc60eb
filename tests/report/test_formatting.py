"""Numbers read the same everywhere: separators, real minus signs, bounds that say so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import formatting
from results.schema import Column, Estimate, Metric, Row, Table


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
    assert (formatting.number(9, "words"), formatting.number(10, "words")) == ("nine", "10")
    assert formatting.number(formatting.scaled(0.7124, 100), ".1f") == "71.2"


def test_intervals_are_printed_both_ways() -> None:
    metric = Metric(value=0.7, low=0.68, high=0.71, title="accuracy")
    assert formatting.with_interval(metric, ".2f", None, "±") == "0.70 ± 0.02"
    assert formatting.with_interval(metric, ".0f", 100, "[]") == "70 [68, 71]"
    with pytest.raises(ValueError, match="has no interval"):
        formatting.with_interval(Metric(value=1, title="count"), "", None, "±")


def seeds(value: float, low: float | None = None, high: float | None = None, n: int = 3) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=n, over="seeds")


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.8, 0.883, "84.3% (95% CI 80.0–88.3)"),
        (-0.064, 0.9, "84.3% (95% CI −6.4 to 90.0)"),
        (-0.0001, 0.9, "84.3% (95% CI 0.0–90.0)"),
    ],
)
def test_intervals_in_text_have_a_dash_unless_an_end_is_negative(low: float, high: float, text: str) -> None:
    assert formatting.styled(Estimate(value=0.843, low=low, high=high), "percent", ci=True) == text


def test_an_estimate_of_one_seed_says_so() -> None:
    assert formatting.with_interval(seeds(0.5, n=1), ".2f", None, "[]") == "0.50 (one seed)"


def test_a_unit_stands_between_a_number_and_its_interval() -> None:
    assert formatting.with_unit("17.15 (95% CI 17.08–17.22)", "dB") == "17.15 dB (95% CI 17.08–17.22)"
    assert formatting.with_unit("17.15", "dB") == "17.15 dB"


def test_the_size_of_a_negative_difference_has_its_interval_turned_over() -> None:
    loss = Estimate(value=-0.04, low=-0.05, high=0.01)
    assert formatting.styled(loss, "points", ci=True, unsigned=True) == "4.0 (95% CI −1.0 to 5.0)"
    with pytest.raises(ValueError, match='only "points"'):
        formatting.styled(loss, "percent", unit=True)


ACCURACY = Column(key="a", label="Test", type="estimate", unit="%", format=".1f", scale=100)


def test_a_cell_may_be_an_estimate() -> None:
    row = Row(cells={"a": seeds(0.843, 0.8, 0.885)})
    assert formatting.cell(ACCURACY, row) == "84.3 [80.0, 88.5]"
    assert formatting.value_of(ACCURACY, row) == 0.843
    assert formatting.cell(ACCURACY, Row(cells={"a": seeds(0.843, n=1)})) == "84.3"
    assert formatting.cell(ACCURACY, Row(cells={"a": -0.0004})) == "0.0"
    assert formatting.cell(ACCURACY, Row(cells={})) == ""


def test_notes_say_what_brackets_and_bold_cells_mean() -> None:
    best = ACCURACY.model_copy(update={"best": "the highest value"})
    other = ACCURACY.model_copy(update={"key": "b", "label": "Difference", "over": "test images"})
    rows = (
        Row(
            cells={"a": seeds(0.8, 0.7, 0.9), "b": Estimate(value=0.1, low=0.0, high=0.2, n=240)}, best=("a",)
        ),
        Row(cells={"a": seeds(0.7, n=1), "b": Estimate(value=0.1, low=0.0, high=0.2, n=100)}),
    )
    table = Table(caption="C", columns=(best, other), rows=rows, notes=("A note.",))
    assert formatting.notes(table, table.columns) == [
        "A note.",
        "Brackets are 95% confidence intervals over three seeds (Test).",
        "Brackets are 95% confidence intervals over test images (Difference).",
        "A value of one seed has no interval.",
        "Bold (Test): the highest value.",
    ]
    assert formatting.notes(table, [other])[1:] == ["Brackets are 95% confidence intervals over test images."]
    second = best.model_copy(update={"key": "c", "label": "Test, augmented"})
    both = Row(cells={"a": 0.8, "b": 0.1, "c": 0.9}, best=("a", "c"))
    several = Table(caption="C", columns=(best, other, second), rows=(both,))
    assert formatting.notes(several, several.columns)[-1] == (
        "Bold, in each column that has it: the highest value."
    )


def test_a_note_says_that_an_interval_is_cut_where_its_quantity_ends() -> None:
    def cut(low: float, high: float, over: str = "seeds") -> list[str]:
        rows = (Row(cells={"a": Estimate(value=0.9, low=low, high=high, n=3, over=over)}),)
        return formatting.notes(Table(caption="C", columns=(ACCURACY,), rows=rows), [ACCURACY])[1:]

    assert cut(0.85, 0.95) == cut(0.8, 1.0) == []
    assert cut(0.7, 1.0) == ["An interval is cut at the highest possible value."]
    assert cut(0.0, 2.0) == ["An interval is cut at the lowest possible value."]
    assert cut(0.7, 1.0, over="test images") == [], "of resamples, an interval need not be symmetric"


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


def test_a_p_value_that_is_rounded_to_zero_is_a_bound():
    column = Column(key="p", label="Adjusted p", type="number", format=".3f")
    for value, text in ((0.0, "<0.001"), (0.0004, "<0.001"), (0.0006, "0.001"), (0.25, "0.250")):
        assert formatting.cell(column, Row(cells={"p": value})) == text
    share = column.model_copy(update={"label": "Share"})
    assert formatting.cell(share, Row(cells={"p": 0.0})) == "0.000"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.99996, ">99.9%"), (1.0, "100.0%"), (0.0003, "<0.1%"), (0.0, "0.0%"), (0.9994, "99.9%")],
)
def test_rounding_makes_no_share_all_or_none(value, text):
    assert formatting.styled(Estimate(value=value), "percent") == text

"""Plain numbers become tables, figures and findings that say what they show."""

from __future__ import annotations

import doctest
import subprocess
import sys
from dataclasses import dataclass

import pytest

from lab.evaluation import holm, wilson
from results import builders
from results.builders import FRACTION, Rates, integer, number, percent, points, text
from results.schema import Estimate, Row


def seeds(value: float, low: float, high: float, n: int = 3) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=n, over="seeds")


def test_the_example_of_the_module_runs() -> None:
    assert doctest.testmod(builders).failed == 0


def test_no_heavy_library_is_imported() -> None:
    code = "import sys, results.builders; print({'torch', 'pandas', 'numpy', 'lab'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_estimate_of_the_laboratory_becomes_a_metric() -> None:
    found = builders.metric(wilson(81, 100), "Test accuracy", FRACTION, over="test images")
    assert (found.value, found.n, found.over, found.unit) == (0.81, 100, "test images", "fraction")
    assert found.low is not None and 0.72 < found.low < 0.73


def test_a_count_is_a_metric_without_interval() -> None:
    found = builders.metric(12, "Epochs", "epochs")
    assert (found.value, found.low, found.over) == (12, None, "")


def test_metrics_that_belong_together_share_a_prefix_and_what_they_are_of() -> None:
    found = builders.metrics("data/", " of LFW", people=(13, "People"), train=(9, "Images", "images"))
    assert found["data/people"] == builders.metric(13, "People of LFW")
    assert found["data/train"] == builders.metric(9, "Images of LFW", "images")


def test_columns_of_estimates_are_told_by_their_cells() -> None:
    made = builders.table(
        "C",
        {"what": text("What"), "n": integer("Images"), "test": percent("Test")},
        [{"what": "a", "n": 10, "test": seeds(0.8, 0.7, 0.9)}, {"what": "b", "n": 20, "test": None}],
    )
    assert [column.type for column in made.columns] == ["text", "integer", "estimate"]
    assert (made.columns[2].unit, made.columns[2].scale, made.columns[2].format) == ("%", 100.0, ".1f")
    assert made.rows[0].cells["test"] == seeds(0.8, 0.7, 0.9)


def test_rows_may_be_dataclasses_or_have_arithmetic() -> None:
    @dataclass
    class Line:
        layer: str
        weights: int

    rows = [Line("conv", 432), Row(cells={"layer": "fc", "weights": 12}, arithmetic={"weights": "3·4"})]
    made = builders.table(
        "C", {"layer": text("Layer"), "weights": integer("Weights")}, rows, total={"weights": 444}
    )
    assert [row.cells.get("layer") for row in made.rows] == ["conv", "fc", None]
    assert made.rows[1].arithmetic == {"weights": "3·4"} and made.rows[2].kind == "total"


def test_the_best_of_a_column_and_its_ties_are_marked() -> None:
    rows = [{"test": 0.7}, {"test": seeds(0.9, 0.8, 1.0)}, {"test": 0.89}, {"test": None}]
    plain = builders.table("C", {"test": percent("Test", best="highest")}, rows)
    assert [row.best for row in plain.rows] == [(), ("test",), (), ()]
    assert plain.columns[0].best == "the highest value"
    adjusted = holm([0.001, None, 0.6, None])
    with_ties = builders.table(
        "C", {"test": percent("Test", best="highest")}, rows[:3], ties={"test": builders.tied(adjusted[:3])}
    )
    assert [bool(row.best) for row in with_ties.rows] == [False, True, True]
    assert "do not differ significantly" in with_ties.columns[0].best


def test_the_best_may_be_marked_for_each_of_several() -> None:
    made = builders.table(
        "C",
        {"approach": text("Approach"), "loss": number("Loss", ".2f", best="lowest", within="approach")},
        [
            {"approach": "a", "loss": 2.0},
            {"approach": "a", "loss": 1.0},
            {"approach": "b", "loss": 4.0},
            {"approach": "b", "loss": 3.0},
            {"approach": "c", "loss": 5.0},
        ],
    )
    assert [bool(row.best) for row in made.rows] == [False, True, False, True, False]
    assert made.columns[1].best == "the lowest value for each approach"


def test_learning_curves_are_means_with_bands_of_what_every_run_has() -> None:
    histories = [
        {
            "train_loss": [2.0, 1.0, 0.5],
            "validation_loss": [2.2, 1.5, 1.6],
            "train_accuracy": [0.2, 0.5, 0.8],
        },
        {"train_loss": [2.4, 1.2], "validation_loss": [2.2, None], "train_accuracy": [0.3, 0.7]},
    ]
    made = builders.learning_curves("Curves.", histories)
    loss, accuracy = made.panels
    assert [series.label for series in loss.series] == ["Training", "Validation"]
    assert loss.series[0].y == (2.2, 1.1) and loss.series[0].low == (2.0, 1.0)
    assert loss.series[1].y == (2.2,)
    assert accuracy.y.unit == "%" and accuracy.series[0].y == (25.0, 60.0)
    assert (
        made.caption == "Curves. Lines are means over two seeds; bands reach from the lowest to the highest."
    )
    assert "Accuracy by epoch ends at 60.0% (Training)." in made.alt


def test_one_run_has_a_line_and_no_band() -> None:
    made = builders.curves("C.", {"a": [[0.1, 0.2]]}, percent("Accuracy"))
    assert made.series[0].low == () and made.caption == "C. Each line is of one seed."


def test_differences_are_sorted_grouped_and_filled_where_significant() -> None:
    made = builders.intervals(
        "Changes.",
        {
            "dropout": seeds(0.01, -0.01, 0.03),
            "decay": seeds(0.02, 0.01, 0.03),
            "Adam": seeds(-0.1, -0.2, -0.05),
        },
        points("Change"),
        groups={"dropout": "Regularisation", "decay": "Regularisation", "Adam": "Optimiser"},
    )
    assert made.x.categories == ("decay", "dropout", "Adam")
    assert made.x.groups == ("Regularisation", "Regularisation", "Optimiser")
    assert made.series[0].emphasis == (True, False, True) and made.series[0].y == (2.0, 1.0, -10.0)
    assert made.references[0].value == 0
    assert "95% confidence intervals over three seeds" in made.caption
    assert made.alt == "Change of 3 rows, from +2.0 (decay) to −10.0 (Adam)."


def test_significance_may_come_from_corrected_p_values() -> None:
    made = builders.intervals(
        "C.",
        {"a": seeds(0.02, 0.01, 0.03), "b": seeds(0.01, 0.001, 0.02)},
        points("Change"),
        significant={"a"},
    )
    assert made.series[0].emphasis == (True, False)


def test_bars_have_error_bars_where_all_have_intervals() -> None:
    made = builders.bars(
        "C.",
        {"A": {"x": seeds(0.5, 0.4, 0.6), "y": seeds(0.7, 0.6, 0.8)}, "B": {"y": seeds(0.1, 0.0, 0.2)}},
        percent("Accuracy"),
        x="Class",
        references={"chance": 0.1},
    )
    assert made.x.categories == ("x", "y") and made.series[1].x == (1.0,)
    assert made.series[0].high == (60.0, 80.0) and made.references[0].value == 10.0
    assert made.caption == "C. Error bars are 95% confidence intervals over three seeds."
    assert made.alt == "Accuracy by class, from 10.0 (y) to 70.0 (y)."
    assert builders.bars("C.", {"x": 1, "y": 2}, integer("Images"), x="Class").series[0].low == ()


def test_intervals_over_different_things_stand_in_no_figure_together() -> None:
    mixed = {"a": seeds(0.1, 0.0, 0.2), "b": seeds(0.1, 0.0, 0.2).model_copy(update={"over": "people"})}
    with pytest.raises(ValueError, match="over different things"):
        builders.bars("C.", mixed, percent("Accuracy"), x="Class")


def test_a_roc_says_what_it_shows() -> None:
    made = builders.roc(
        "ROC.", {"Pixels": Rates((0.0, 0.1, 1.0), (0.0, 0.6, 1.0))}, bands="bootstrap intervals"
    )
    assert (
        made.kind == "roc" and made.caption == "ROC. Bands are bootstrap intervals. The diagonal is chance."
    )
    assert made.alt == "True positive rate at a false positive rate of one tenth: 0.60 (Pixels)."


@pytest.mark.parametrize(
    ("difference", "adjusted_p", "verdict"),
    [
        (seeds(0.03, 0.01, 0.05), None, "more"),
        (seeds(-0.03, -0.05, -0.01), None, "less"),
        (seeds(0.03, -0.01, 0.07), None, "same"),
        (Estimate(value=0.03), None, "same"),
        (seeds(0.03, 0.01, 0.05), 0.08, "same"),
        (seeds(-0.03, -0.05, -0.01), 0.01, "less"),
    ],
)
def test_a_comparison_is_judged_by_its_interval_or_its_corrected_p(
    difference: Estimate, adjusted_p: float | None, verdict: str
) -> None:
    found = builders.comparison(
        "It helps", "gain", difference, more="M", less="L", same="S", adjusted_p=adjusted_p
    )
    assert found.verdict == verdict and found.holds == (verdict == "more") and found.p == adjusted_p
    assert found.metrics == ("gain",)


def test_a_family_names_its_members() -> None:
    words = {"none": "None helps.", "one": "{members} helps.", "many": "{members} help."}
    found = builders.family("Some help", {"dropout": True, "decay": False}, **words)
    assert (found.holds, found.verdict, found.members) == (True, "one", ("dropout",))
    assert builders.family("Some help", {"dropout": False}, **words).verdict == "none"


def test_a_place_for_a_number_is_written_as_sentences_have_it() -> None:
    assert builders.shown("gain") == "{gain}"
    assert builders.shown("gain", ".3f") == "{gain:.3f}"
    assert builders.shown("gain", "points", ci=True, unit=True) == "{gain:points ci unit}"

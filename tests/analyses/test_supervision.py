"""The experiments on labels: small real runs, and choices without sense."""

from __future__ import annotations

import numpy as np
import pytest

import analyses
from analyses.records import class_numbers
from analyses.supervision._supervision import PARTS
from analyses.supervision._teacher_student_settings import TeacherParameters
from analyses.supervision._teacher_student_summary import labels_metrics
from results.store import Store
from tests.conftest import ROOT

SMALL = (
    *("--profile", "quick", "--jobs", "1", "--set", "epochs=1", "--set", "probe_epochs=2"),
    *("--set", "finetune_epochs=1", "--set", "target.images=60", "--set", "data.test=60"),
)


#: What a cell of an experiment on labels tells apart from its accuracies.
OUTCOME = {"sizes": {"train": 9, "validation": 3, "test": 3}, "classes": 3, "wrong": 0.1, "diverged": False}


def test_wrong_labels_are_judged_on_the_source_and_on_the_target(convstudy, tmp_path):
    finished = convstudy(
        *("run", "supervision.label_noise", *SMALL, "--set", "noise=[50,0]", "--set", "data.train=200")
    )
    assert finished.returncode == 0, finished.stderr
    store = Store(tmp_path / "results")
    result = store.read("supervision.label_noise", "custom")
    metrics = result.metrics
    assert metrics["noise/0/wrong"].value == 0
    assert 0.35 < metrics["noise/50/wrong"].value < 0.5  # some draws give the right label by chance
    for part in ("source", "probe", "finetune"):
        clean, noisy = (metrics[f"noise/{noise}/{part}_accuracy"].value for noise in (0, 50))
        assert metrics[f"noise/50/{part}_difference"].value == pytest.approx(noisy - clean)
    assert len(result.tables["differences"].rows) == 3
    for cell in store.read_outcomes("supervision.label_noise", "custom").cells:
        for part, kept in cell.outcome["predicted"].items():
            right = np.mean(np.equal(class_numbers(kept["predictions"]), class_numbers(kept["labels"])))
            assert right == pytest.approx(cell.outcome[part], abs=1e-6)


def test_a_loss_is_compared_with_the_published_one():
    """A probe that loses 0.1 to 0.12, beside a paper that loses 0.02; then one that loses 0 to 0.04."""
    analysis = analyses.get("supervision.label_noise")
    parameters = analysis.parameters("full").model_copy(update={"noise": (0, 25)})

    def findings(*lost):
        outcomes = {
            f"noise/{noise}/{seed}": OUTCOME | dict.fromkeys(PARTS, 0.5 - cost * (noise > 0))
            for seed, cost in enumerate(lost)
            for noise in (0, 25)
        }
        return analysis.summarize(parameters, outcomes).findings

    found = findings(0.1, 0.11, 0.12)
    assert found["noise/25/loses_more_than_published"].holds and not found["noise/25/holds_published"].holds
    found = findings(0.0, 0.02, 0.04)
    assert not found["noise/25/loses_more_than_published"].holds and found["noise/25/holds_published"].holds


def test_a_long_tail_is_sampled_in_three_ways(convstudy, tmp_path):
    finished = convstudy("run", "supervision.resampling", *SMALL, "--set", "largest=40")
    assert finished.returncode == 0, finished.stderr
    metrics = Store(tmp_path / "results").read("supervision.resampling", "custom").metrics
    assert {f"{way}/accuracy" for way in ("natural", "sqrt", "uniform")} <= set(metrics)
    assert metrics["data/largest"].value == 40 and metrics["data/smallest"].value == 4


@pytest.mark.parametrize(
    ("analysis", "setting", "told"),
    [
        ("label_noise", "noise=[0,101]", "less than or equal to 100"),
        ("label_noise", "noise=[0,-1]", "greater than or equal to 0"),
        ("label_noise", "noise=[10,25]", "--set noise: noise needs 0"),
        ("resampling", "largest=4000", "should have 4000 images"),
        ("resampling", "exponent=0", "greater than 0"),
    ],
)
def test_labels_that_cannot_be_tampered_with_so_are_told_of(convstudy, analysis, setting, told):
    finished = convstudy("run", f"supervision.{analysis}", *SMALL, "--set", setting)
    assert finished.returncode in (1, 2)
    assert told in finished.stderr and "Traceback" not in finished.stderr


TEACHER = (
    *("run", "supervision.teacher_student", "--profile", "quick", "--jobs", "1"),
    *("--set", "teacher_epochs=2", "--set", "rounds=1", "--set", "shown=100", "--set", "finetune_epochs=1"),
    *("--set", "widths=[8,8,8]", "--set", "data.test=60", "--set", "data.validation=60"),
)


def test_a_student_learns_from_what_its_teacher_is_surest_of(convstudy, tmp_path):
    tail = ("--set", "tail_largest=40", "--set", "tail_k=15")
    finished = convstudy(*TEACHER, "--set", "k=[5,60]", "--set", "data.train=500", *tail)
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("supervision.teacher_student", "custom")
    metrics = result.metrics
    best = int(metrics["best_k"].value)
    assert best in (5, 60)
    assert metrics["student/test_accuracy"] == metrics[f"k/{best}/test_accuracy"]
    assert metrics["p/1/test_accuracy"].value == metrics["k/60/test_accuracy"].value
    assert {"teacher/test_accuracy", "supervised/test_accuracy", "p/2/test_accuracy"} <= set(metrics)
    assert metrics["data/unlabelled"].value == 440
    rows = [row.cells for row in result.tables["chosen"].rows]
    assert [(row["k"], row["p"]) for row in rows] == [(5, 1), (5, 2), (60, 1), (60, 2)]
    assert all(row["several"] == 0 for row in (rows[0], rows[2]))  # with its first class an image serves one
    assert rows[3]["labels"] >= rows[2]["labels"]
    for name, row in (("smallest_k", rows[0]), ("largest_k", rows[2])):
        assert metrics[f"{name}/passes"].value == pytest.approx(metrics["data/shown"].value / row["labels"])
    assert metrics["tail/largest"].value == 40 and metrics["tail/smallest"].value == 4
    assert metrics["tail/p/2/rare_labels"].value >= metrics["tail/p/1/rare_labels"].value
    assert [row.cells["p"] for row in result.tables["tail"].rows] == [1, 2]


def test_the_labels_that_the_largest_k_adds_are_those_beyond_the_next_smaller():
    parameters = TeacherParameters(k=(5, 20, 40), rounds=3, shown=400)
    runs = {
        "k/5": [{"labels": 50, "precision": 1.0}],
        "k/20": [{"labels": 200, "precision": 0.9}, {"labels": 200, "precision": 0.8}],
        "k/40": [{"labels": 400, "precision": 0.7}, {"labels": 300, "precision": 0.8}],
    }
    metrics = labels_metrics(parameters, runs)
    assert metrics["smallest_k/passes"].value == 1200 / 50
    assert metrics["largest_k/passes"].value == 1200 / 350
    assert metrics["largest_k/added_precision"].value == pytest.approx((260 - 170) / (350 - 200))


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("labelled=1500", "labelled=1500: labelled is 1500 of 1500 training images, which leaves none"),
        ("k=[5,1441]", "asks for 1441 images a class, and there are 1440"),
        ("k=[0,5]", "greater than or equal to 1"),
        ("p=[1,99]", "99 highest classes are to be kept, and there are"),
        ("data.validation=0", "K is chosen on validation images"),
        ("tail_largest=145", "should have 145 images, and there are 14"),
        ("tail_k=400", "tail_k asks for 400 images a class, and the long tail has 29"),
    ],
)
def test_choices_that_a_teacher_cannot_make_are_told_of(convstudy, setting, told):
    finished = convstudy(*TEACHER, "--set", setting)
    assert finished.returncode in (1, 2)
    assert told in finished.stderr and "Traceback" not in finished.stderr


@pytest.mark.parametrize("name", ["label_noise", "resampling", "teacher_student"])
def test_recorded_cells_can_be_summarized_again(name):
    recorded = Store(ROOT / "results")
    analysis = analyses.get(f"supervision.{name}")
    parameters = recorded.read(analysis.id, "full").provenance.parameters
    bundle = recorded.read_outcomes(analysis.id, "full")
    again = analysis.summarize(
        type(analysis.parameters("full")).model_validate(parameters),
        {cell.id: cell.outcome for cell in bundle.cells},
    )
    assert again.findings["no_run_diverged"].holds
    assert {"results", "differences"} <= set(again.tables)

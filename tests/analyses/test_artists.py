"""The study of painters: what is drawn, planned, kept for the end, and found."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
import torch
from scipy import stats

import analyses
from analyses.classification import _artists_single_findings as findings
from analyses.classification import _artists_tables as tables
from analyses.classification import artists as module
from analyses.classification._artists_comparisons import (
    CHANGES,
    Compared,
    compared_changes,
    correct_shares,
    factor_name,
    over_folds,
)
from analyses.classification._artists_settings import ArtistsParameters, Paintings, Setting
from analyses.comparing import Comparison
from lab import augmentation
from lab.counting import count
from lab.evaluation import Estimate, over_images, paired_over_seeds
from lab.networks.simple import SimpleCNN
from report.formatting import placeholder, sentence
from results.schema import Finding, Metric
from results.store import Store

artists = analyses.get("classification.artists")
QUICK = artists.parameters("quick")
FULL = artists.parameters("full")


def test_the_search_draws_different_settings_within_its_bound_and_the_same_again():
    settings = FULL.searched()
    assert len(settings) == FULL.search_settings == len({repr(setting) for setting in settings})
    assert settings == FULL.searched()
    assert settings != FULL.model_copy(update={"search_seed": 1}).searched()
    for setting in settings:
        model = SimpleCNN(11, **setting.network())
        layers = count(model, (3, 50, 50)).layers
        multiplied = sum(layer.macs for layer in layers if layer.name.startswith("conv"))
        assert multiplied == setting.multiplications(50) <= FULL.most_multiplications


def test_a_factor_changes_one_thing_and_is_judged_on_the_folds_of_the_baseline():
    cells = {cell.id: cell for cell in artists.plan(FULL)}
    for factor, values in FULL.factors.items():
        for value, changes in values.items():
            name = factor_name(factor, value)
            assert FULL.baseline.changed(changes) != FULL.baseline
            for fold in range(FULL.folds * FULL.repeats):
                changed, baseline = cells[f"{name}/{fold}"], cells[f"baseline/{fold}"]
                assert (changed.seed, changed.settings["fold"]) == (baseline.seed, fold)
                assert changed.settings["data"] == baseline.settings["data"]


def test_test_images_are_in_no_fold_and_folds_of_a_partition_cover_the_rest_once():
    chosen = Paintings(name="digits", split="train", images=200, size=8)
    pool, test = module._parts(chosen)
    assert (len(pool), len(test)) == (160, 40)
    rest = {image.tobytes() for image in pool.images}
    assert not rest & {image.tobytes() for image in test.images}
    for repeat in range(2):
        parts = [module._fold(pool, 5, 5 * repeat + fold) for fold in range(5)]
        held_out = [image.tobytes() for _, part in parts for image in part.images]
        assert sorted(held_out) == sorted(image.tobytes() for image in pool.images)
        assert all(len(training) + len(part) == len(pool) for training, part in parts)


def test_the_interval_over_folds_is_the_corrected_resampled_t_interval():
    values = [0.61, 0.66, 0.58, 0.70, 0.64, 0.62, 0.67, 0.60, 0.66, 0.63]
    estimate = over_folds(values, 5)
    deviation = stats.tstd(values) * sqrt(1 / 10 + 1 / 4)  # a test set is a quarter of its training set
    low, high = stats.t.interval(0.95, 9, loc=sum(values) / 10, scale=deviation)
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    assert over_folds([0.99, 0.7, 1.0], 3, (0.0, 1.0)).high == 1.0
    assert over_folds([0.6], 5).low is None


def test_the_network_of_the_hand_out():
    model = SimpleCNN()
    convolutions = (25 * 3 + 1) * 16 + (25 * 16 + 1) * 16
    dense = (13 * 13 * 16 + 1) * 64 + (64 + 1) * 11
    assert sum(parameter.numel() for parameter in model.parameters()) == convolutions + dense == 181_467
    assert model(torch.zeros(2, 3, 50, 50)).shape == (2, 11)
    with pytest.raises(ValueError, match="too small for a pool of 3"):
        SimpleCNN(size=8, pool=3)


def test_a_setting_that_is_no_choice_is_refused():
    with pytest.raises(ValueError, match="kernal"):
        Setting().changed({"kernal": 3})


def test_a_run_chooses_on_folds_and_reports_every_change_on_the_test_images(convstudy, tmp_path):
    few = ("--set", "data.images=200", "--set", "search_settings=3")
    finished = convstudy("run", "classification.artists", "--profile", "quick", *few, "--jobs", "1")
    assert finished.returncode == 0, finished.stderr
    store = Store(tmp_path / "results")
    result = store.read("classification.artists", "custom")
    bundle = store.read_outcomes("classification.artists", "custom")
    outcomes = {cell.id: cell.outcome for cell in bundle.cells}
    tried = {name.split("/")[1] for name in outcomes if name.startswith("search/")}
    everywhere = {name.split("/")[1] for name in outcomes if name.startswith("search/") and name[-2:] == "/1"}
    assert (len(tried), len(everywhere)) == (3, QUICK.finalists)
    assert all("test_accuracy" not in outcome for outcome in outcomes.values())
    finals = [outcome for name, outcome in outcomes.items() if name.startswith("final/best")]
    assert len(finals) == QUICK.seeds
    for change in augmentation.CHANGES:
        metric = result.metrics[f"transform/{change}/test_accuracy"]
        right = [
            sum(map(int.__eq__, one["labels"], one["predictions"][change])) / len(one["labels"])
            for one in finals
        ]
        assert metric.value == pytest.approx(sum(right) / len(right))
        shares = [
            sum(one["predictions"][change][n] == label for one in finals) / len(finals)
            for n, label in enumerate(finals[0]["labels"])
        ]
        expected = over_images(shares)
        assert (metric.low, metric.high) == pytest.approx((expected.low, expected.high))
        assert metric.low <= metric.value <= metric.high
        assert metric.n == 40
    assert set(CHANGES) == {"none", *augmentation.CHANGES}
    _, test = module._parts(Paintings.model_validate({**QUICK.data.model_dump(), "images": 200}))
    assert finals[0]["labels"] == test.labels.tolist()


def test_what_the_search_draws_from_is_printed_whole():
    words = tables.searched_in_words(FULL.space)
    table = tables.setting_table(FULL, FULL.searched()[0])
    assert words["filters"].count(", ") == len(FULL.space["filters"]) - 1
    assert words["optimiser"] == "SGD, Adam, AdamW"
    assert words["learning rate"].startswith(
        "SGD 0.01, 0.03; Adam 0.001, 0.002; AdamW 0.001, 0.002; constant"
    )
    assert words["max-pooling"] == "none, 2 × 2, 3 × 3"
    assert words["augmentation"] == "mirrored or not; moved by 0, 2 or 4 pixels"
    assert {row.cells["searched"] for row in table.rows} - {"–"} == set(words.values())


def test_how_closely_other_settings_fit_is_judged_against_the_baseline():
    def fitted(exponential: float, other: float) -> dict[str, bool]:
        values = {
            "baseline/train_accuracy": 0.93,
            "factor/schedule/exponential/train_accuracy": exponential,
            "factor/schedule/steps/train_accuracy": 0.92,
            "factor/schedule/cosine/train_accuracy": other,
            "factor/filter_size/3_3/train_accuracy": 0.94,
            "factor/filter_size/7_7/train_accuracy": other,
        }
        metrics = {name: Metric(value=value, title="") for name, value in values.items()}
        return {name: finding.holds for name, finding in findings.fit_findings(metrics).items()}

    assert fitted(0.78, 0.95) == {"exponential_fits_less": True, "filter_sizes_fit_alike": True}
    assert fitted(0.91, 0.95) == {"exponential_fits_less": False, "filter_sizes_fit_alike": True}
    assert fitted(0.78, 0.60) == {"exponential_fits_less": False, "filter_sizes_fit_alike": False}


def compared(factor: str, value: str, difference: float, p: float) -> Compared:
    change = Comparison(Estimate(difference, difference - 0.01, difference + 0.01, 10), p, "folds")
    metric = Metric(value=0.5, title="")
    return Compared(
        factor, value, factor_name(factor, value), metric, metric, change, change, 288, (0.5, 0.5)
    )


def printed(finding: Finding) -> str:
    metrics = {name: Metric(value=0.02, low=-0.01, high=0.05, title="") for name in finding.metrics}
    return sentence(finding, lambda part: placeholder(part, metrics[part.metric]), str)


@pytest.mark.parametrize(
    ("factor", "values", "p", "words"),
    [
        ("batch norm", ("yes",), 1.0, "With batch normalisation, mean validation accuracy is higher by 2.0"),
        (
            "batch norm",
            ("yes",),
            0.01,
            "With batch normalisation, validation accuracy is significantly higher,",
        ),
        (
            "pooling",
            ("2 × 2", "3 × 3"),
            1.0,
            "With max-pooling of 2 × 2, mean validation accuracy is higher by",
        ),
        (
            "depth",
            ("3 convolutions", "4 convolutions"),
            0.01,
            "With three convolutions, validation accuracy is",
        ),
        ("dropout", ("0.1", "0.3", "0.5"), 1.0, "None of the three dropout rates changes validation"),
        ("dropout", ("0.1", "0.3", "0.5"), 0.01, "With a dropout rate of 0.1, validation accuracy is signif"),
    ],
)
def test_a_factor_is_described_in_either_case(factor, values, p, words):
    among = [compared(factor, value, 0.02, p) for value in values]
    finding = findings._factor_findings(among)[f"{factor.replace(' ', '_')}_validation"]
    text = printed(finding)
    assert text.startswith(words) and text.endswith(".") and "{" not in text
    assert finding.holds == (p < 0.05)
    assert ("significantly higher" in text) == (p < 0.05)


@pytest.mark.parametrize(
    ("factor", "differences", "words"),
    [
        (
            "batch norm",
            {"yes": -0.02},
            "Mean validation accuracy changes by +2.0 percentage points with batch ",
        ),
        (
            "depth",
            {"3 convolutions": -0.02, "4 convolutions": 0.02},
            "Mean validation accuracy changes by +2.0 percentage points with three convolutions and +2.0 "
            "with four convolutions.",
        ),
        (
            "schedule",
            {"steps": -0.02, "cosine": 0.02, "exponential": -0.02},
            "Mean validation accuracy changes by +2.0 percentage points with step decay, +2.0 with cosine "
            "decay and +2.0 with exponential decay.",
        ),
        (
            "optimizer",
            {
                "SGD, rate 0.01": -0.04,
                "SGD, rate 0.1": -0.02,
                "SGD with momentum, rate 0.03": 0.01,
                "SGD with momentum, rate 0.003": 0.005,
            },
            "For each, we report the best of two rates. Mean validation accuracy changes by +2.0 percentage "
            "points with plain SGD at a rate of 0.1 and +2.0 with SGD with momentum at a rate of 0.03.",
        ),
    ],
)
def test_the_means_of_a_factor_are_signed_and_in_the_order_of_the_figure(factor, differences, words):
    among = [compared(factor, value, difference, 1.0) for value, difference in differences.items()]
    assert printed(findings._factor_means(among)[f"{factor.replace(' ', '_')}_means"]).startswith(words)


def test_all_comparisons_on_changed_images_are_one_family():
    labels = [0, 1] * 20
    right, wrong = labels, [1 - label for label in labels]

    def networks(errors: int):
        changed = dict.fromkeys(CHANGES, wrong[:errors] + right[errors:])
        return [{"labels": labels, "predictions": changed | {"inverted": wrong[:18] + right[18:]}}]

    final = {"best": networks(4), "baseline": networks(11)}
    family = compared_changes(final)
    changes = len(CHANGES) - 1
    assert len(family) == 3 * changes - 1  # lost and lead of each, and all but inversion beside inversion
    inverted = correct_shares(final["best"], "inverted")
    raw = paired_over_seeds(correct_shares(final["best"], "flipped"), inverted).p
    tested = [one.p for one in family.values() if one.p is not None]  # the others do not differ on any image
    assert len(tested) == 8 + 7  # leads of all, of which two are equal, and those beside inversion
    assert raw and family["transform/flipped/less_inverted"].p == pytest.approx(len(tested) * raw)


def test_own_pictures_are_a_setting():
    own = ArtistsParameters.model_validate({"data": {"name": "folder:somewhere", "size": 64}})
    assert artists.datasets(own) == ("folder:somewhere",)
    assert own.searched()


def test_other_optimisers_change_nothing_but_the_rule_and_its_rate():
    for value, changes in FULL.factors["optimizer"].items():
        assert set(changes) == {"optimizer", "momentum", "learning_rate"}, value
        assert value.endswith(f"rate {changes['learning_rate']:g}")


@pytest.mark.parametrize(("difference", "less"), [(-0.08, True), (-0.03, False)])
def test_less_progress_is_said_of_other_optimisers_that_fit_clearly_less(difference, less):
    rates = {"SGD, rate 0.01": -0.2, "SGD, rate 0.1": difference, "SGD with momentum, rate 0.03": -0.1}
    among = [compared("optimizer", value, change, 1.0) for value, change in rates.items()]
    assert not findings.single_findings(among)["some_rates_are_unstable"].holds
    among[0] = replace(among[0], train_range=(0.2, 0.9))
    unstable = findings.single_findings(among)["some_rates_are_unstable"]
    assert unstable.holds and "plain SGD at a rate of 0.01" in printed(unstable)
    finding = findings.single_findings(among)["other_optimisers_fit_less"]
    assert finding.holds == less
    assert ("less progress than Adam" in printed(finding)) == less

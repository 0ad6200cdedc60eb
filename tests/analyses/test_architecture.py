"""The analyses of architectures give the published numbers, and every arithmetic text gives its own."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache

import pytest

import analyses
from analyses.architecture.inception import InceptionParameters
from analyses.plugin import Context
from engine.freshness import freshness
from results.store import Store
from tests.conftest import ROOT

#: From the papers, torchvision's documentation, or a closed form worked by hand; not from this program.
EXPECTED = {
    "alexnet": {
        "total_parameters": 60_965_224,
        "ungrouped_total_parameters": 62_378_344,
        "torchvision_total_parameters": 61_100_840,
    },
    "vgg19": {
        "total_weights": 143_652_544,
        "total_parameters": 143_667_240,
        "total_macs": 19_632_062_464,
        "total_activations": 150_528
        + 2 * 64 * 224**2
        + (64 + 2 * 128) * 112**2
        + (128 + 4 * 256) * 56**2
        + (256 + 4 * 512) * 28**2
        + (512 + 4 * 512) * 14**2
        + 512 * 7**2
        + 4096
        + 4096
        + 1000,
    },
    "inception": {
        "naive_macs": 1_115_684_864,
        "reduced_macs": 397_410_304,
        "naive_output_channels": 672,
        "reduced_output_channels": 480,
        "saving": 2.81,
        "lecture_naive_macs": 854_196_224,
        "lecture_reduced_macs": 271_351_808,
        "alike_reduced_macs": 354_418_688,
        "lecture_slip_macs": 358_055_936,
    },
    "receptive_field": {"three_5x5": 13, "5x5_then_3x3": 7},
    "convolution": {
        "example_output_width": 17,
        "example_parameters": 1_568,
        "uneven_exact_width": 16.5,
        "uneven_output_width": 16,
        "uneven_unread": 1,
        "smallest_unread": 18,
    },
    "base_networks": {
        "convnet_multiplications": 46_497_792,
        "mobilenet_multiplications": 6_824_960,
        "resnet_multiplications": 59_179_008,
        "hand_count_total": 44_921_856,
        "hand_count_error": 14_257_152,
        "hand_count_wrong": 4,
        "residual_blocks_cost": 54_460_416 / 41_779_200,
        "residual_surplus_first_stage": 7_962_624 / 12_681_216,
        "mobilenet_first_filters": 3,
    },
    "lenet": {"total_parameters": 390_410},
    "detector_base": {"total_parameters": 595_722, "total_macs": 33_431_552},
    "siamese": {
        "total_parameters": 2_168_642,
        "total_macs": 37_791_072,
        # EfficientNet-Lite0 less its seventh stage, last convolution with its normalisation, and classifier
        "frozen_parameters": 4_652_008 - 605_440 - 409_600 - 2_560 - 1_281_000,
    },
    "audit": {"claims_checked": 15, "claims_holding": 10},
    "crosscheck": {"models_compared": 10, "largest_unexplained_difference": 0},
}
RECORDED = Store(ROOT / "results")
FAMILY = analyses.select(["architecture"])
CHEAP = ("alexnet", "vgg19", "inception", "convolution", "base_networks", "lenet", "detector_base", "siamese")


@cache
def summary(name):
    analysis = analyses.get(f"architecture.{name}")
    parameters = analysis.parameters("full")
    outcomes = {cell.id: analysis.run(cell, Context()) for cell in analysis.plan(parameters)}
    return analysis.summarize(parameters, outcomes)


@pytest.mark.parametrize("name", CHEAP)
def test_metrics_are_the_known_ones(name):
    found = summary(name).metrics
    assert {key: found[key].value for key in EXPECTED[name]} == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_metrics_are_the_known_ones(name):
    found = RECORDED.read(f"architecture.{name}", "full").metrics
    assert {key: found[key].value for key in EXPECTED[name]} == EXPECTED[name]


@pytest.mark.parametrize("identifier", FAMILY)
def test_recorded_results_are_those_of_the_code(identifier):
    analysis = analyses.get(identifier)
    state = freshness(analysis, "full", analysis.parameters("full"), RECORDED)
    assert state.state == "fresh", f"run `python runner.py run {identifier}` and commit: {state.reasons}"


def evaluate(text):
    """The exact value of an arithmetic text: numbers, + - · / and parentheses."""
    assert re.fullmatch(r"[\d\s+\-·/().]+", text), text
    return eval(re.sub(r"(\d+)", r"Fraction(\1)", text.replace("·", "*")), {"Fraction": Fraction})


#: Counters, drawings and a published table are compared, not computed by a formula.
WITHOUT_ARITHMETIC = ("architecture.crosscheck", "architecture.drawings", "architecture.zoo")


@pytest.mark.parametrize("identifier", FAMILY)
def test_every_arithmetic_evaluates_to_its_number(identifier):
    result = RECORDED.read(identifier, "full")
    checked = 0
    for name, metric in result.metrics.items():
        if metric.arithmetic:
            exact = evaluate(metric.arithmetic)
            value = int(exact) if isinstance(metric.value, int) else round(float(exact), 2)
            assert value == metric.value, f"{name}: {metric.arithmetic}"
            checked += 1
    for table in result.tables.values():
        for row in table.rows:
            for key, text in row.arithmetic.items():
                value = row.cells[key]
                number = float(value.replace(",", "")) if isinstance(value, str) else value
                assert evaluate(text) == number, f"{row.cells}: {text}"
                checked += 1
    assert checked or identifier in WITHOUT_ARITHMETIC


@pytest.mark.parametrize("identifier", FAMILY)
def test_totals_are_the_sums_of_their_rows(identifier):
    additive = ("weights", "biases", "parameters", "activations", "macs")
    for table in RECORDED.read(identifier, "full").tables.values():
        if table.rows[-1].kind != "total" or "published" in table.rows[0].cells:
            continue
        for key in additive:
            if key in table.rows[-1].cells:
                rows = [row.cells.get(key) or 0 for row in table.rows[:-1]]
                assert sum(rows) == table.rows[-1].cells[key], f"{table.caption}: {key}"


@pytest.mark.parametrize("identifier", FAMILY)
def test_macs_and_flops_share_no_column(identifier):
    for table in RECORDED.read(identifier, "full").tables.values():
        for column in table.columns:
            assert not ("MAC" in column.unit and "FLOP" in column.unit)
            if "MAC" in column.label:
                assert "FLOP" not in column.unit


def test_an_inception_module_of_the_readers_own_is_counted():
    analysis = analyses.get("architecture.inception")
    parameters = InceptionParameters(input=(4, 5, 5), filters=(1, 2, 3, 4, 5, 6))
    (cell,) = analysis.plan(parameters)
    found = analysis.summarize(parameters, {cell.id: analysis.run(cell, Context())})
    naive = 25 * (4 * 1 + 9 * 4 * 3 + 25 * 4 * 5)
    reduced = 25 * (4 * 1 + 4 * 2 + 9 * 2 * 3 + 4 * 4 + 25 * 4 * 5 + 4 * 6)
    assert (found.metrics["naive_macs"].value, found.metrics["reduced_macs"].value) == (naive, reduced)
    assert found.metrics["reduced_output_channels"].value == 1 + 3 + 5 + 6
    assert not found.findings["every_module_saves"].holds or found.metrics["smallest_saving"].value > 1


def test_findings_follow_the_numbers():
    for name in CHEAP:
        assert all(finding.holds for finding in summary(name).findings.values()), name

"""The classification experiments on small real data: what they plan, measure, find and say."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy.stats import binomtest

import analyses
from analyses import comparing, experiments, recipe_tables, records
from analyses.classification._base_networks_settings import (
    AUGMENTED,
    LETTER,
    BaseNetworksParameters,
    decoupled_shrinkage,
)
from analyses.classification._base_networks_summary import _coupled_changes
from analyses.classification._cifar10_designs_settings import CHANGES, DesignsParameters
from analyses.classification._cifar10_designs_summary import _groups
from analyses.classification._cifar10_designs_tables import recipes_table
from analyses.comparing import Comparison
from analyses.experiments import DataChoice
from lab.datasets import DataError
from lab.evaluation import Estimate
from lab.recipes import Augmentation, Recipe
from results.store import Store
from tests.conftest import ROOT, command_line

RECORDED = Store(ROOT / "results")
METRICS = {
    "cifar10_baseline": ("baseline/test_accuracy",),
    "cifar10_designs": ("design_a/test_accuracy", "design_b/test_accuracy", "best/epochs"),
    "base_networks": tuple(
        f"{name}/{what}"
        for name in ("convnet", "mobilenet", "resnet")
        for what in ("test_accuracy", "training_seconds", "forward_ms")
    ),
    "artists": (
        "best/validation_accuracy",
        "best/test_accuracy",
        *(f"transform/{change}/test_accuracy" for change in ("translated", "inverted")),
    ),
}
SMALL = (
    *("--set", "data.train=300", "--set", "data.validation=100", "--set", "data.test=100"),
    *("--set", "epochs=2"),
)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """A custom run of the baseline on a few drawn shapes, as a user starts it."""
    folder = tmp_path_factory.mktemp("baseline")
    command = ("run", "classification.cifar10_baseline", "--jobs", "1", "--json", *SMALL)
    finished = command_line("--results", str(folder), *command, folder=folder)
    assert finished.returncode == 0, finished.stderr
    return Store(folder).read("classification.cifar10_baseline", "custom")


def test_a_course_has_a_point_an_epoch_and_the_three_losses_share_one_plot(baseline):
    loss = baseline.figures["curves"].panels[0]
    assert [series.label for series in loss.series] == ["Training", "Validation", "Test"]
    assert all(series.x == (1.0, 2.0) for series in loss.series)


def test_metrics_tables_and_provenance_tell_one_story(baseline):
    row = baseline.tables["results"].rows[0].cells
    metric = baseline.metrics["baseline/test_accuracy"]
    cell = row["test_accuracy"]
    assert (cell.value, cell.low, cell.high) == (metric.value, metric.low, metric.high)
    assert cell.n == metric.n == len(baseline.provenance.seeds)
    assert baseline.provenance.datasets[0].name.startswith("Coloured shapes")
    assert baseline.provenance.parameters["data"]["train"] == 300


def test_the_confusion_matrix_holds_every_test_image(baseline):
    rows = baseline.figures["confusion"].values
    assert len(rows) == 10
    assert all(abs(sum(row) - 1) < 0.002 for row in rows)


def test_the_recipe_that_is_printed_is_the_recipe_that_was_run():
    plan = analyses.get("classification.cifar10_designs").plan(DesignsParameters())
    recipe = next(cell for cell in plan if cell.id == "design_a/0").settings["recipe"]
    said = dict(recipe_tables.recipe_rows(recipe))
    assert said["optimiser"] == "SGD, momentum 0.9 (Nesterov)"
    assert said["augmentation"] == "mirrored (alternating), moved by up to 3 pixels"
    assert said["label smoothing"] == "0.1"
    table = recipe_tables.recipe_table({"A": recipe}, {"A": {"batch": "64 pairs"}})
    cells = {row.cells["choice"]: row.cells["recipe0"] for row in table.rows}
    assert cells["Batch"] == "64 pairs" and cells["Label smoothing"] == "0.1"


def test_a_cell_carries_its_choices_and_records_what_differs_from_the_defaults():
    recipe = Recipe(epochs=3, milestones=(1, 2), augmentation=Augmentation("random"))
    data = DataChoice(name="shapes", size=(32, 32), validation=5_000)
    (cell,) = experiments.cells("lenet", {"name": "lenet"}, recipe, data, seeds=1)
    assert cell.settings["recipe"] is recipe and cell.settings["data"] is data
    assert cell.recorded_settings() == {
        "data": {"name": "shapes", "size": [32, 32]},
        "network": {"name": "lenet"},
        "recipe": {"epochs": 3, "milestones": [1, 2], "augmentation": {"flip": "random"}},
        "keep": False,
    }


def test_every_change_of_the_ablation_changes_something_and_only_the_reference_nothing():
    plan = analyses.get("classification.cifar10_designs").plan(DesignsParameters())
    first = {
        cell.id.split("/")[1]: cell.recorded_settings()
        for cell in plan
        if re.fullmatch(r"ablation/\w+/0", cell.id)
    }
    assert set(first) == set(CHANGES)
    texts = [json.dumps(settings, sort_keys=True) for settings in first.values()]
    assert len(set(texts)) == len(CHANGES)


def test_a_network_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"no network 'vgg'; there are whitened, .*lenet, convnet"):
        experiments.network("vgg", {}, 10)


def test_the_rates_of_the_designs_can_be_set_and_are_printed():
    parameters = DesignsParameters(learning_rate=0.25, learning_rate_b=0.35)
    plan = analyses.get("classification.cifar10_designs").plan(parameters)
    rates = {cell.id.removesuffix("/0"): cell.settings["recipe"].learning_rate for cell in plan}
    assert (rates["design_a"], rates["design_b"]) == (0.25, 0.35)
    assert rates["ablation/filters_3x3"] == 0.25
    assert rates["ablation/adamw"] == 0.002  # a change that brings its own
    printed = {row.cells["choice"]: row.cells for row in recipes_table(parameters).rows}["Learning rate"]
    assert printed["recipe0"].startswith("0.25, ") and printed["recipe1"].startswith("0.35, ")


def test_more_seeds_plan_the_same_first_cells():
    analysis = analyses.get("classification.cifar10_baseline")
    few, many = (
        analysis.plan(analysis.parameters("full").model_copy(update={"seeds": seeds})) for seeds in (2, 4)
    )
    assert many[:2] == few


def test_planning_and_summarizing_import_no_torch():
    import subprocess
    import sys

    code = (
        "import sys, analyses\n"
        "for name in analyses.select(['classification']):\n"
        "    analysis = analyses.get(name)\n"
        "    analysis.plan(analysis.parameters('full'))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", METRICS)
def test_the_recorded_results_are_complete_and_of_the_full_protocol(name):
    result = RECORDED.read(f"classification.{name}", "full")
    assert set(METRICS[name]) <= set(result.metrics)
    assert result.provenance.datasets[0].images == (451 if name == "artists" else 60_000)
    bundle = RECORDED.read_outcomes(f"classification.{name}", "full")
    assert bundle is not None
    assert {cell.seed for cell in bundle.cells} >= set(result.provenance.seeds)  # and of earlier plans


def test_two_classifiers_on_the_same_images_are_printed_with_mcnemars_test():
    labels = "0101010101" * 4

    def run(wrong: int) -> dict:
        flipped = "".join("10"[int(one)] for one in labels[:wrong])
        named = flipped + labels[wrong:]
        return {"labels": labels, "predictions": named, "test_accuracy": 1 - wrong / len(labels)}

    family = {"a": ([run(1), run(2)], [run(9), run(8)])}
    table = comparing.classifier_comparison_table(
        "Two.", {"a": "first − second"}, family, comparing.compared_classifiers(family)
    )
    cells = table.rows[0].cells
    assert (cells["only_first"], cells["only_second"]) == (7, 0)
    assert cells["mcnemar"] == pytest.approx(binomtest(6, 6).pvalue)  # of the seed with 8 − 2 images
    assert cells["p"] >= cells["mcnemar"]


def test_what_augmentation_gains_is_compared_seed_by_seed():
    identifier = "classification.base_networks"
    analysis, bundle = analyses.get(identifier), RECORDED.read_outcomes(identifier, "full")
    outcomes = {cell.id: cell.outcome for cell in bundle.cells}
    parameters = RECORDED.read(identifier, "full").provenance.parameters
    found = analysis.summarize(type(analysis.parameters("full")).model_validate(parameters), outcomes)

    def gain(name, seed):
        runs = (outcomes[f"{kind}{name}/{seed}"]["test_accuracy"] for kind in (AUGMENTED, LETTER))
        return next(runs) - next(runs)

    for other in ("convnet", "resnet"):
        differences = [gain("mobilenet", seed) - gain(other, seed) for seed in range(parameters["seeds"])]
        metric = found.metrics[f"gain/mobilenet_over_{other}/difference"]
        assert metric.value == pytest.approx(sum(differences) / len(differences))
    assert found.metrics["letter/mobilenet/lowest_test_loss_epoch"].value == 3  # as the figure shows


@pytest.mark.parametrize("name", METRICS)
def test_a_recorded_result_follows_from_its_recorded_cells(name):
    identifier = f"classification.{name}"
    analysis, result = analyses.get(identifier), RECORDED.read(identifier, "full")
    bundle = RECORDED.read_outcomes(identifier, "full")
    parameters = type(analysis.parameters("full")).model_validate(result.provenance.parameters)
    again = analysis.summarize(parameters, {cell.id: cell.outcome for cell in bundle.cells})
    assert dict(again.metrics) == result.metrics


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["data.train=90000"], "90,000 + 500 of 6,000 images"),
        (["data.name=folder:nowhere"], "there is no folder or zip"),
        (["data.name=cifar11"], "there is no data set 'cifar11'"),
        (["data.size=16x16"], "takes images of (3, 32, 32), not (3, 16, 16)"),
        (["learning_rate=0"], "learning rate is 0"),
        (["data.tran=3"], "did you mean data.train"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(convstudy, settings, said):
    options = [part for setting in settings for part in ("--set", setting)]
    finished = convstudy("run", "classification.cifar10_baseline", "--jobs", "1", *options)
    assert finished.returncode in (1, 2)
    lines = [line for line in finished.stderr.splitlines() if line.startswith("convstudy:")]
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in finished.stderr


def folder_of(place, counts, split=""):
    """Class folders with so many pictures of noise each; with a split, in a folder of it."""
    from PIL import Image

    random = np.random.default_rng(0)
    for name, count in counts.items():
        folder = place / split / name
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return f"folder:{place}"


FEW = {"cat": 30, "dog": 30}
EXPERIMENTS = ("cifar10_baseline", "cifar10_designs", "base_networks", "artists")


def checked(experiment, **data):
    """Ask an experiment whether its data will do."""
    analysis = analyses.get(f"classification.{experiment}")
    full = analysis.parameters("full")
    if experiment == "artists":
        known = {key: data[key] for key in data if key in ("name", "images")}
        changed = full.data.model_copy(update=known)
    else:
        changed = full.data.model_copy(
            update={"subset": "all", "test": 10, "train": 30, "validation": 10, **data}
        )
    updates = {"data": changed}
    if experiment == "cifar10_designs":
        updates["ablation_train"] = changed.train
    return analysis.check(full.model_copy(update=updates))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_one_class_is_nothing_to_tell_apart(name, tmp_path):
    with pytest.raises(DataError, match=r"class(es apart needs two| cat; what tells classes apart needs)"):
        checked(name, name=folder_of(tmp_path, {"cat": 60}))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_class_with_too_few_images_is_named(name, tmp_path):
    with pytest.raises(DataError, match=r"the class dog has \d images, too few for"):
        checked(name, name=folder_of(tmp_path, {"cat": 55, "dog": 2}))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_more_images_than_there_are_is_one_sentence(name, tmp_path):
    data = {"images": 800} if name == "artists" else {"train": 800, "validation": 100, "test": 100}
    with pytest.raises(DataError) as refused:
        checked(name, name=folder_of(tmp_path, FEW), **data)
    said = str(refused.value)
    if name == "artists":
        assert said.startswith("800 images are asked for, and folder:") and "has 60" in said
    else:
        assert said.startswith("800 + 100 + 100 of 60 images of folder:")
    assert "ask for fewer" in said and "\n" not in said


def test_batch_1_of_a_small_data_set_is_refused(tmp_path):
    folder_of(tmp_path, FEW, "train")
    name = folder_of(tmp_path, FEW, "test")
    with pytest.raises(DataError, match=r"fewer than the 10,000 of a training batch; take them all"):
        checked("base_networks", name=name, subset="batch 1", test=0)


def test_data_that_will_not_do_is_refused_before_anything_is_trained(convstudy, tmp_path):
    """The ablation alone asks for too much: design A comes before it."""
    name = folder_of(tmp_path / "pictures", FEW)
    settings = [
        f"data.name={name}",
        "data.test=10",
        "data.train=30",
        "data.validation=10",
        "ablation_train=400",
    ]
    options = [part for setting in settings for part in ("--set", setting)]
    finished = convstudy("run", "classification.cifar10_designs", "--jobs", "1", *options)
    assert finished.returncode in (1, 2)
    assert "400 + 10" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not list((tmp_path / "results").rglob("*.json")), "no cell was run"


def test_a_rate_that_diverges_is_shown_and_does_not_crash(convstudy, tmp_path):
    finished = convstudy(
        "run", "classification.cifar10_baseline", "--jobs", "1", *SMALL, "--set", "learning_rate=1e8"
    )
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("classification.cifar10_baseline", "custom")
    assert not result.findings["no_run_diverged"].holds


def test_predictions_of_any_number_of_classes_are_kept_a_character_each():
    numbers = list(range(1_000))
    text = records.as_text(numbers)
    assert len(set(text)) == len(text) == 1_000
    assert records.class_numbers(text) == numbers
    assert records.as_text([0, 9, 10, 35]) == "09az"


def test_decoupled_decay_shrinks_weights_by_the_sum_of_its_rates():
    found = decoupled_shrinkage(BaseNetworksParameters())
    mean_rate = (1e-3 - 1e-4) / np.log(10)  # of a rate that falls exponentially from one to the other
    assert found == pytest.approx(1 - np.exp(-0.05 * 2000 * mean_rate), rel=1e-3)


def test_one_sentence_says_what_coupled_decay_changes():
    def said(*verdicts):
        found = _coupled_changes(dict(zip(("convnet", "mobilenet", "resnet"), verdicts, strict=True)), "x")
        return found.sentences["yes" if found.holds else "no"]

    assert said("undecided", "more", "undecided") == (
        "Coupled L2 significantly raises the accuracy of the MobileNet-like network only; "
        "the other two changes are not significant."
    )
    assert said("less", "more", "undecided") == (
        "Coupled L2 significantly raises the accuracy of the MobileNet-like network and lowers the accuracy "
        "of the ConvNet; the other change is not significant."
    )
    assert said("undecided", "undecided", "undecided") == (
        "Coupled L2 changes the accuracy of no network significantly."
    )


def test_each_change_of_the_ablation_belongs_to_the_group_of_its_outcome():
    def outcome(value, p):
        return Comparison(Estimate(value, value - 0.01, value + 0.01, 3, 0.95), p)

    outcomes = {
        "no_batch_norm": outcome(-0.2, 0.01),
        "relu": outcome(-0.02, 0.3),
        "strided": outcome(-0.04, 0.06),
        "adamw": outcome(0.02, 0.3),
    }
    found = _groups(outcomes)
    said = {name: one.sentences[one.verdict] for name, one in found.items()}
    assert said["choices_that_help"].startswith("Only removing batch normalisation lowers")
    assert said["choices_that_may_help"].endswith(
        "replacing max-pooling by strided convolutions ({ablation/strided/difference:points}) "
        "and replacing GELU by ReLU ({ablation/relu/difference:points})."
    )
    assert said["choices_without_benefit"].startswith("Only replacing SGD by AdamW raises mean")
    none = _groups({"relu": outcome(0.02, 0.01)})
    assert {one.verdict for one in none.values()} == {"none"}
    assert "choices_that_help" in none

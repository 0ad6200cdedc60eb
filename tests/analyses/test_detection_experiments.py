"""The detection experiments on small real data: what lies where, what is planned, found and drawn."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import analyses
from analyses.detection import _canvases as canvases
from analyses.detection import _detection as detection
from analyses.detection._canvases import CanvasChoice
from analyses.records import class_numbers
from lab.datasets import load
from results.store import Store
from tests.conftest import ROOT

FEW = CanvasChoice(name="digits", train=60, validation=30, test=40, boxes="drawn")
SMALL = ("--set", "data.train=100", "--set", "data.test=60", "--set", "epochs=1", "--jobs", "1")


def test_canvases_hold_their_object_where_the_label_says():
    data, classes = canvases.load(FEW, "cpu")
    assert classes == tuple("0123456789")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [60, 30, 40]
    for image, (kind, row, column, side) in zip(data.train.images, data.train.labels.tolist(), strict=True):
        assert 0 <= kind < 10
        top, left = row - side // 2, column - side // 2
        outside = np.ones((48, 48), bool)
        outside[top : top + side, left : left + side] = False
        ground = image.numpy()[:, outside]
        assert (ground == ground[:, :1]).all(), "nothing but the mean colour around the object"
        assert np.ptp(image.numpy()[0, top : top + side, left : left + side]) > 100


def test_the_seed_decides_the_canvases_and_a_background_may_be_another_image():
    def images(**changes):
        canvases.load.cache_clear()
        return canvases.load(FEW.model_copy(update=changes), "cpu")[0].test.images.numpy()

    assert (images() == images()).all()
    assert (images() != images(seed=1)).any()
    busy = images(background="image")
    assert len({row.tobytes() for row in busy[:, 0, 0]}) > 5


def test_more_canvases_than_images_show_an_image_more_than_once():
    pool = load("digits", "test", size=(32, 32), grey=False)
    count = 2 * len(pool)
    _, labels = canvases.made_of(pool, FEW, "test", count, np.zeros(3))
    assert sorted(labels[:, 0].tolist()) == sorted([*pool.labels.tolist(), *pool.labels.tolist()])


def test_the_ablation_changes_one_thing_and_never_measures_the_test_canvases():
    analysis = analyses.get("detection.faster_rcnn")
    parameters = analysis.parameters("full")
    cells = {cell.id: cell for cell in analysis.plan(parameters)}
    reference = cells["ablation/reference/0"].settings
    for name in parameters.changes():
        settings = cells[f"ablation/{name}/0"].settings
        assert not settings["test"]
        differs = [key for key in {*settings, *reference} if settings.get(key) != reference.get(key)]
        by_design = {"phases": ["alone"], "longer": ["recipe"], "still": ["data", "recipe"]}
        if name in by_design:
            assert sorted(differs) == by_design[name]
        else:
            assert len(differs) == (name != "reference")
    phases, longer = (cells[f"ablation/{name}/0"].settings for name in ("phases", "longer"))
    assert phases["recipe"].epochs == reference["recipe"].epochs, "the head is trained for as long"
    assert phases["alone"] + phases["recipe"].epochs == longer["recipe"].epochs


def test_where_the_head_looks_is_compared_at_the_budget_of_the_detectors():
    analysis = analyses.get("detection.faster_rcnn")
    cells = {cell.id: cell for cell in analysis.plan(analysis.parameters("full"))}
    detector = cells["convnet/4"]
    for name, part in (("truth", "objective"), ("roi_align", "network")):
        other = cells[f"convnet/{name}/4"]
        assert other.seed == detector.seed
        assert [key for key in other.settings if other.settings[key] != detector.settings[key]] == [part]


def test_anchors_that_are_not_refined_overlap_as_those_of_the_laboratory_do():
    import torch

    from lab.datasets import scenes
    from lab.detection import anchors, iou

    shares = iou(torch.tensor(scenes.boxes(500, 0)), anchors())
    best, positive = detection.unrefined(0.5, count=500)
    assert best == pytest.approx(shares.max(1).values.mean().item(), abs=1e-5)
    assert positive == pytest.approx(shares[shares > 0.5].mean().item(), abs=1e-5)


def recorded(name):
    """The analysis with its recorded parameters and outcomes."""
    store, analysis = Store(ROOT / "results"), analyses.get(name)
    given = store.read(analysis.id, "full").provenance.parameters
    bundle = store.read_outcomes(analysis.id, "full")
    parameters = type(analysis.parameters("full")).model_validate(given)
    return analysis, parameters, {cell.id: cell.outcome for cell in bundle.cells}


def test_two_phases_are_compared_with_as_many_epochs_of_everything():
    analysis, parameters, outcomes = recorded("detection.faster_rcnn")
    outcomes = {key: one for key, one in outcomes.items() if "/phases/" not in key and "/longer/" not in key}
    assert "phases_over_longer" not in analysis.summarize(parameters, outcomes).findings
    for seed in range(parameters.ablation_seeds):  # their runs stand for those of two other changes
        outcomes[f"ablation/phases/{seed}"] = outcomes[f"ablation/truth/{seed}"]
        outcomes[f"ablation/longer/{seed}"] = outcomes[f"ablation/reference/{seed}"]
    found = analysis.summarize(parameters, outcomes)
    for suffix in ("", "iou_"):
        compared = found.metrics[f"ablation/phases/over_longer_{suffix}difference"]
        assert compared.value == found.metrics[f"ablation/truth/{suffix}difference"].value
    assert found.findings["phases_over_longer"].verdict in ("more", "less", "same")


def test_what_still_canvases_change_in_overfitting_is_compared_seed_by_seed():
    analysis, parameters, outcomes = recorded("detection.faster_rcnn")

    def gap(name, seed):
        run = outcomes[f"ablation/{name}/{seed}"]
        return run["measured_class_loss"] - run["history"]["parts"]["train/class_loss"][-1]

    seeds = range(parameters.ablation_seeds)
    wider = np.mean([gap("still", seed) - gap("reference", seed) for seed in seeds])
    found = analysis.summarize(parameters, outcomes)
    assert found.metrics["ablation/still/gap_difference"].value == pytest.approx(wider)
    row = next(row for row in found.tables["ablation_losses"].rows if "neither" in row.cells["change"])
    shown = row.cells["validation_class"].value - row.cells["train_class"].value
    assert shown == pytest.approx(np.mean([gap("still", seed) for seed in seeds]))


def test_losses_on_test_canvases_are_compared_with_those_in_training_seed_by_seed():
    analysis, parameters, outcomes = recorded("detection.faster_rcnn")
    found = analysis.summarize(parameters, outcomes)
    runs = [outcomes[f"resnet/{seed}"] for seed in range(parameters.seeds)]
    rises = [run["measured_box_loss"] - run["history"]["parts"]["train/box_loss"][-1] for run in runs]
    assert found.metrics["resnet/rise_box_difference"].value == pytest.approx(np.mean(rises))
    assert found.metrics["resnet/rise_box_p"].value >= found.metrics["resnet/rise_class_p"].value


def test_the_hyper_parameters_that_are_printed_are_those_of_the_objective():
    from analyses.detection._faster_rcnn_settings import POSITIVE
    from lab.detection import DetectionObjective

    assert DetectionObjective().positive == POSITIVE
    words = detection.choices(f"{POSITIVE:g}", {"objectness": 1, "box": 10.0})
    assert words["cells"] == "positive above an IoU of 0.5, negative up to 0.1"
    assert words["weights of the losses"] == "objectness 1, box 10"


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("faster_rcnn", "convnet_reaches_published"),
        ("region_proposals", "published_threshold_leaves_out"),
        ("suppression", "one_remains"),
    ],
)
def test_recorded_cells_can_be_summarized_again(name, finding):
    recorded = Store(ROOT / "results")
    analysis = analyses.get(f"detection.{name}")
    parameters = recorded.read(analysis.id, "full").provenance.parameters
    bundle = recorded.read_outcomes(analysis.id, "full")
    again = analysis.summarize(
        type(analysis.parameters("full")).model_validate(parameters),
        {cell.id: cell.outcome for cell in bundle.cells},
    )
    assert again.findings[finding].holds


@pytest.mark.parametrize(
    ("analysis", "names", "more"),
    [
        (
            "detection.region_proposals",
            ("test_accuracy", "mean_iou", "centre_error_px", "regression_loss"),
            ("--set", "seeds=1"),
        ),
        ("detection.suppression", (), ()),
    ],
)
def test_a_small_run_has_its_metrics_and_drawings(convstudy, tmp_path, analysis, names, more):
    finished = convstudy("run", analysis, "--profile", "quick", *SMALL, *more)
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read(analysis, "custom")
    assert {f"proposal/{name}" for name in names} <= set(result.metrics)
    if analysis.endswith("suppression"):
        live = result.figures["live"]
        drawn = live.pictures[live.suppression.picture].boxes
        kept = result.metrics["suppression/kept"].value
        assert len(drawn) == result.metrics["suppression/candidates"].value
        assert sum(box.style == "kept" for box in drawn) == kept
        assert result.metrics["kept/0.5"].value == kept
        for threshold, picture in zip((0.5, 0.7, 0.9), live.pictures, strict=True):
            remain = result.metrics[f"kept/{threshold}"].value
            assert sum(box.style == "kept" for box in picture.boxes) == remain
            said = "one remains" if remain == 1 else f"{remain} remain"
            assert picture.title == f"Threshold {threshold}: {said}"
        assert result.findings["more_remain_at_a_higher_threshold"].statement
        best, worked = result.tables["proposals"].rows[:2], result.tables["worked"].rows[-1]
        assert best[1].cells["overlap"] == worked.cells["value"], "one rule of rounding for both tables"
        titles = [picture.title for picture in result.figures["transformer"].pictures]
        assert titles[::2] == ["Training"] * 3 + ["Test"] * 3


def test_the_base_network_is_judged_against_what_is_asked_for(convstudy, tmp_path):
    options = ("seeds=2", "epochs=2", "required=0.05", "data.train=500", "data.test=60")
    command = ("run", "detection.base_network", "--profile", "quick", "--jobs", "1")
    finished = convstudy(*command, *(part for setting in options for part in ("--set", setting)))
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("detection.base_network", "custom")
    accuracy = result.metrics["base/test_accuracy"]
    assert accuracy.n == 2
    assert result.findings["reaches_required"].holds == (accuracy.low >= 0.05)
    training, test = result.figures["accuracy"].series
    assert training.x == (5, 10) == test.x, "500 images are five batches, of which the last one is recorded"


def test_a_run_that_diverges_is_recorded_as_the_worst_there_is(convstudy, tmp_path):
    finished = convstudy(
        *("run", "detection.region_proposals", "--profile", "quick", *SMALL),
        *("--set", "seeds=1", "--set", "box_weight=1e39"),
    )
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("detection.region_proposals", "custom")
    assert not result.findings["no_run_diverged"].holds
    assert result.metrics["proposal/centre_error_px"].value > 0


def test_a_small_detector_is_trained_judged_and_compared(convstudy, tmp_path):
    few = ("seeds=1", "ablation_seeds=1", "ablation_train=60", "ablation_validation=40", "ablation_epochs=2")
    options = [part for setting in few for part in ("--set", setting)]
    finished = convstudy("run", "detection.faster_rcnn", "--profile", "quick", *SMALL, *options)
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("detection.faster_rcnn", "custom")
    bundle = Store(tmp_path / "results").read_outcomes("detection.faster_rcnn", "custom")
    for cell in bundle.cells:
        predicted, labels = (class_numbers(cell.outcome[part]) for part in ("predictions", "labels"))
        right = np.mean(np.equal(predicted, labels))
        assert right == pytest.approx(cell.outcome["measured_accuracy"]), cell.id
    for name in (*detection.NETWORKS, "convnet/truth", "convnet/roi_align", "mobilenet/linear"):
        for what in ("test_accuracy", "map_50", "map_50_95"):
            assert 0 <= result.metrics[f"{name}/{what}"].value <= 1
    assert [panel.title for panel in result.figures["losses"].panels] == [
        f"{label}: {loss}" for label in detection.NETWORKS.values() for loss in ("objectness", "box", "class")
    ]
    rows = [row.cells for row in result.tables["loss_ends"].rows]
    assert [(row["network"], row["part"]) for row in rows] == [
        (label, part) for label in detection.NETWORKS.values() for part in ("training", "test")
    ]
    for row in rows[1::2]:
        name = next(key for key, label in detection.NETWORKS.items() if label == row["network"])
        runs = [run for run in bundle.cells if run.id.rpartition("/")[0] == name]
        for loss in ("objectness", "box", "class"):
            losses = [run.outcome[f"measured_{loss}_loss"] for run in runs]
            assert row[loss].value == pytest.approx(np.mean(losses))
    assert len(result.tables["ablation"].rows) == len(result.tables["ablation_losses"].rows) == 8
    verdicts = {
        base: [row.cells.get("verdict") for row in result.tables[f"{base}_variants"].rows]
        for base in ("convnet", "mobilenet")
    }
    assert verdicts == {
        "convnet": [None, "not significant", "not significant"],
        "mobilenet": [None, "not significant"],
    }


def test_pictures_that_may_not_be_printed_are_refused(convstudy):
    finished = convstudy(
        "run", "detection.suppression", "--set", "data.name=cifar10", "--set", "data.boxes=drawn"
    )
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert "is not on this machine" in finished.stderr or "may not be redistributed" in finished.stderr


@pytest.mark.parametrize(
    ("analysis", "setting"),
    [
        ("suppression", "threshold=2"),
        ("region_proposals", "positive=1.5"),
        ("region_proposals", "box_weight=nan"),
        ("faster_rcnn", "data.test=-3"),
        ("faster_rcnn", "ablation_train=9000"),
        ("suppression", "example=500"),
    ],
)
def test_a_choice_without_sense_is_refused_before_anything_runs(convstudy, analysis, setting):
    finished = convstudy("run", f"detection.{analysis}", "--profile", "full", "--set", setting)
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert setting.partition("=")[0] in line


@pytest.fixture
def one_class(tmp_path):
    """A folder of images that are all of one class."""
    noise = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3), dtype=np.uint8)
    for split in ("train", "test"):
        folder = tmp_path / "pictures" / split / "cats"
        folder.mkdir(parents=True)
        for number, pixels in enumerate(noise):
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "pictures"


@pytest.mark.parametrize(("analysis", "test"), [("base_network", 0), ("faster_rcnn", 12)])
def test_images_of_one_class_are_refused_before_anything_is_trained(convstudy, one_class, analysis, test):
    finished = convstudy(
        *("run", f"detection.{analysis}", "--profile", "quick", "--jobs", "1"),
        *("--set", f"data.name=folder:{one_class}", "--set", "data.train=12", "--set", f"data.test={test}"),
    )
    assert finished.returncode == 1
    assert "of one class" in finished.stderr and "cats" in finished.stderr
    assert "finished)" not in finished.stdout and "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    "identifier", ["classification.base_networks", "detection.faster_rcnn", "detection.region_proposals"]
)
def test_every_comparison_of_a_family_stands_in_a_table_with_its_p(identifier):
    analysis, parameters, outcomes = recorded(identifier)
    found = analysis.summarize(parameters, outcomes)
    printed = {
        cell
        for table in found.tables.values()
        for row in table.rows
        for cell in row.cells.values()
        if isinstance(cell, float)
    }
    alone = "mobilenet/over_required_p"  # a comparison of its own, whose sentence says it
    lacking = [
        name
        for name, metric in found.metrics.items()
        if "Adjusted p" in metric.title and metric.value not in printed and name != alone
    ]
    assert lacking == []


@pytest.mark.parametrize("identifier", ["detection.faster_rcnn", "detection.region_proposals"])
def test_every_loss_has_its_interval_over_seeds(identifier):
    analysis, parameters, outcomes = recorded(identifier)
    found = analysis.summarize(parameters, outcomes)
    table = found.tables["loss_ends"]
    for row in table.rows:
        for column in table.columns[2:]:
            loss = row.cells[column.key]
            assert loss.low is not None and loss.over == "seeds", (row.cells["network"], column.label)


def test_the_drawing_of_the_detector_says_all_that_it_counts():
    from analyses.architecture._drawings_systems import detector
    from lab.networks.base import plain
    from lab.networks.detector import Detector

    blocks = {block.id: block for block in detector().panels[0].blocks}
    model = Detector(plain)
    parts = ("trunk", "intermediate", "objectness", "box", "head")
    assert sum(blocks[name].parameters for name in parts) == sum(one.numel() for one in model.parameters())
    without = {name for name in parts if "norm" not in str(getattr(model, name)).lower()}
    assert without == {"objectness", "box"}, "as the caption says"
    assert "batch normalisation" in detector().caption

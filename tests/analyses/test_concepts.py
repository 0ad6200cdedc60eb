"""Concepts worked through on small examples: what they give, beside other sources, and bad choices."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import box_iou, nms

import analyses
from analyses.concepts.average_precision import AveragePrecisionParameters
from analyses.plugin import Cell, Context
from lab.networks.googlenet import googlenet
from lab.probe import probe
from results.store import Store


def summary(identifier, **changes):
    analysis = analyses.get(identifier)
    parameters = type(analysis.parameters("full"))(**changes)
    outcomes = {cell.id: analysis.run(cell, Context()) for cell in analysis.plan(parameters)}
    return analysis.summarize(parameters, outcomes)


@pytest.fixture(scope="module")
def example():
    return summary("concepts.average_precision")


def corners(squares):
    rows = [(s.column - s.width / 2, s.row - s.width / 2, s.width) for s in squares]
    return torch.tensor([(left, top, left + side, top + side) for left, top, side in rows])


def test_the_example_of_average_precision_is_that_of_torchmetrics(example):
    pytest.importorskip("torchmetrics", reason="torchmetrics is not installed")
    from torchmetrics.detection import MeanAveragePrecision

    parameters = AveragePrecisionParameters()
    kinds = sorted({one.kind for one in parameters.truth})
    found, true = [], []
    for image in sorted({one.image for one in parameters.truth}):
        here = [one for one in parameters.detections if one.image == image]
        there = [one for one in parameters.truth if one.image == image]
        found.append(
            {
                "boxes": corners(here),
                "scores": torch.tensor([one.score for one in here]),
                "labels": torch.tensor([kinds.index(one.kind) for one in here]),
            }
        )
        labels = torch.tensor([kinds.index(one.kind) for one in there])
        true.append({"boxes": corners(there), "labels": labels})
    expected = MeanAveragePrecision(class_metrics=True)
    expected.update(found, true)
    told = expected.compute()
    assert example.metrics["mean/coco"].value == pytest.approx(told["map_50"].item(), abs=1e-6)
    assert example.metrics["mean/strict"].value == pytest.approx(told["map"].item(), abs=1e-6)
    per_class = [example.metrics[f"{kind}/strict"].value for kind in kinds]
    assert per_class == pytest.approx(told["map_per_class"].tolist(), abs=1e-6)


def test_the_envelope_is_the_same_at_one_recall(example):
    rows = [row.cells for row in example.tables["ranking"].rows]
    assert [row["recall"] for row in rows] == [0.25, 0.25, 0.25, 0.5, 0.75, 0.75, 0.75]
    assert [row["envelope"] for row in rows] == pytest.approx([1, 1, 1, 0.6, 0.6, 0.6, 0.6])
    assert example.metrics["missed_iou"].value == pytest.approx(1280 / 3536, abs=0.01)


def test_the_example_of_average_precision_is_that_worked_by_hand(example):
    cat = {"eleven": (3 + 5 * 0.6) / 11, "envelope": 0.55, "plain": 0.525}
    dog = {"eleven": (6 + 5 * 2 / 3) / 11, "envelope": 5 / 6, "plain": 5 / 6}
    for key in cat:
        assert example.metrics[f"cat/{key}"].value == pytest.approx(cat[key])
        assert example.metrics[f"dog/{key}"].value == pytest.approx(dog[key])
        assert example.metrics[f"mean/{key}"].value == pytest.approx((cat[key] + dog[key]) / 2)


def test_every_kind_of_mistake_is_in_the_example(example):
    verdicts = [row.cells["verdict"] for row in example.tables["ranking"].rows]
    wrong = {"found already", "another class", "nothing there", "fits badly"}
    assert set(verdicts) == wrong | {"correct"}
    assert verdicts.count("correct") == example.metrics["found"].value


def test_the_worked_overlap_is_that_of_torchvision(example):
    value = example.tables["worked"].rows[-1].cells["value"]
    titles = [picture.title for picture in example.figures["overlap"].pictures]
    assert f"IoU {value:.2f}" in titles
    parameters = AveragePrecisionParameters()
    shares = box_iou(corners(parameters.detections), corners(parameters.truth))
    assert torch.isclose(shares, torch.tensor(value), atol=0.0005).any()


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.6, 0.72, 1.0])
def test_suppression_by_hand_leaves_what_torchvision_leaves(threshold):
    found = summary("concepts.average_precision", suppression=threshold)
    parameters = AveragePrecisionParameters()
    ranked = sorted(parameters.candidates, key=lambda one: -one.score)
    left = nms(corners(ranked), torch.tensor([one.score for one in ranked]), threshold).tolist()
    stays = [row.cells["box"] - 1 for row in found.tables["steps"].rows if row.cells["fate"] == "stays"]
    assert stays == left
    assert found.findings["torchvision_agrees"].holds


def test_within_the_best_range_suppression_leaves_one_correct_box_of_each_object(example):
    ends = [example.metrics[f"suppression/best_{end}"].value for end in ("from", "until")]
    assert ends == pytest.approx([0.5414, 0.6839], abs=1e-4), "where boxes 4 and 6 overlap box 2"
    for threshold, best in ((ends[0] - 0.001, False), (ends[0] + 0.001, True), (ends[1] + 0.001, False)):
        found = summary("concepts.average_precision", suppression=threshold).metrics
        left = found["suppression/kept"].value
        assert (left == found["suppression/found_after"].value == found["suppression/objects"].value) is best


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("threshold=0", "greater than 0"),
        ("suppression=1.5", "less than or equal to 1"),
        ("shown=horse", "no true 'horse'"),
        ("detections=[]", "at least 1 item"),
        ('detections=[{"kind":"dog","row":1,"column":1,"width":2,"score":0.5}]', "nothing was detected"),
        ('detections=[{"row":1,"column":1,"width":-2,"score":0.5}]', "greater than 0"),
    ],
)
def test_an_example_without_sense_is_refused_in_a_sentence(convstudy, setting, told):
    finished = convstudy("run", "concepts.average_precision", "--set", setting)
    assert finished.returncode == 2
    assert told in finished.stderr and "Traceback" not in finished.stderr


@pytest.mark.parametrize("module", ["3a", "3b", "4a"])
@pytest.mark.parametrize("branch", ["one", "three", "five", "pool"])
def test_branches_see_what_gradients_reach(module, branch):
    metrics = summary("concepts.receptive_fields").metrics
    seen = metrics[f"{module}/{branch}"].value
    with torch.device("meta"):
        network = googlenet()
    assert probe(network, (3, 3 * seen, 64), f"{module}.{branch}")[0][1] == seen


def test_a_module_alone_sees_its_filters():
    metrics = summary("concepts.receptive_fields").metrics
    assert [metrics[f"alone/{branch}"].value for branch in ("one", "three", "five", "pool")] == [1, 3, 5, 3]


def test_the_output_of_yolo_is_that_of_the_paper():
    found = summary("concepts.single_shot")
    assert found.metrics["cell_numbers"].value == 30 and found.metrics["output"].value == 7 * 7 * 30
    values = {row.cells["step"].partition(",")[0]: row.cells["value"] for row in found.tables["cell"].rows}
    assert (values["Column of the cell"], values["Row of the cell"]) == (3, 2)
    # back from the numbers to the box, as a reader of the output would
    assert [64 * (3 + values["x"]), 64 * (2 + values["y"])] == pytest.approx([250, 140])
    assert [448 * values["Width"], 448 * values["Height"]] == pytest.approx([120, 90])


def test_the_boxes_of_two_cells_overlap_as_torchvision_says():
    first, second = (250, 140, 120, 90), (259, 143, 116, 96)
    boxes = torch.tensor([(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for x, y, w, h in (first, second)])
    found = summary("concepts.single_shot", first=first, second=second)
    assert found.metrics["iou"].value == pytest.approx(float(box_iou(boxes[:1], boxes[1:])))
    assert found.findings["second_is_removed"].holds
    apart = summary("concepts.single_shot", second=(400, 140, 116, 96))
    assert apart.metrics["iou"].value == 0 and not apart.findings["second_is_removed"].holds


def test_a_densenet_is_counted_as_torchvision_documents_it():
    found = summary("concepts.dense_connections")
    from torchvision.models import DenseNet201_Weights, ResNet101_Weights

    assert found.metrics["parameters"].value == DenseNet201_Weights.DEFAULT.meta["num_params"]
    assert found.metrics["rival_parameters"].value == ResNet101_Weights.DEFAULT.meta["num_params"]
    *parts, total = found.tables["blocks"].rows
    for key in ("parameters", "macs"):
        assert sum(row.cells[key] for row in parts) == total.cells[key]
    growth = found.metrics["growth"].value
    for row in parts:
        if row.cells["layers"]:
            assert row.cells["given"] == row.cells["taken"] + growth * row.cells["layers"]


SMALL = ("--profile", "quick", "--jobs", "1", "--set", "epochs=2", "--set", "units=16")


def test_autoencoders_are_measured_beside_the_noisy_digits(convstudy, tmp_path):
    finished = convstudy("run", "concepts.autoencoders", *SMALL)
    assert finished.returncode == 0, finished.stderr
    result = Store(tmp_path / "results").read("concepts.autoencoders", "custom")
    metrics = result.metrics
    assert metrics["squared/psnr"].n == 2
    gap = metrics["squared/psnr"].value - metrics["plain/psnr"].value
    assert metrics["squared_over_plain/psnr"].value == pytest.approx(gap)
    assert 0 < metrics["sparse/active"].value < 1
    assert len(result.figures["digits"].pictures) == 6


def test_the_noise_on_test_digits_is_of_its_size():
    analysis = analyses.get("concepts.autoencoders")
    outcome = analysis.run(Cell("baselines", {"noise": 0.1, "noise_seed": 3}), Context())
    # cutting off to [0, 1] takes away half of the noise on the black pixels
    assert 20 < outcome["noisy"]["psnr"] < 23
    assert outcome["components"]["psnr"] > outcome["noisy"]["psnr"]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("noise=1.5", "less than or equal to 1"),
        ("noise=-0.1", "greater than 0"),
        ("units=0", "greater than or equal to 1"),
        ("sparsity=-1", "greater than or equal to 0"),
        ("seeds=1", "greater than or equal to 2"),
        ("epochs=0", "greater than or equal to 1"),
    ],
)
def test_autoencoders_without_sense_are_refused_in_a_sentence(convstudy, setting, told):
    finished = convstudy("run", "concepts.autoencoders", "--profile", "quick", "--set", setting)
    assert finished.returncode == 2
    assert told in finished.stderr and "Traceback" not in finished.stderr


def test_three_segmentations_of_one_scene_differ():
    found = summary("concepts.segmentation")
    metrics = found.metrics
    assert (metrics["objects"].value, metrics["regions"].value, metrics["found"].value) == (4, 3, 3)
    # the region of both disks is their union, of which the front one hides a part of the back one
    assert metrics["front_iou"].value + metrics["back_iou"].value == pytest.approx(1)
    assert metrics["square/iou"].value < metrics["disk/iou"].value < metrics["background/iou"].value
    assert all(finding.holds for finding in found.findings.values())
    assert [picture.title for picture in found.figures["tasks"].pictures][1:] == [
        "Plain",
        "Semantic",
        "Instance",
    ]

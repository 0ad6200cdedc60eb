"""Tables of the study of Faster R-CNN."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from analyses import comparing
from analyses.comparing import Comparison
from analyses.detection import _detection as detection
from analyses.detection._detection import NETWORKS
from analyses.detection._detection_charts import LOSSES
from analyses.detection._faster_rcnn_settings import REFERENCE, VARIANTS, DetectorParameters
from results import builders
from results.builders import FRACTION
from results.schema import Metric, Table
from results.text import counted

#: How names of a difference begin → of what it is.
COMPARED = {"": "measured_accuracy", "iou_": "measured_iou"}
MEASURED = {  # name of the metric → what is measured, title, unit
    "test_accuracy": ("measured_accuracy", "Test accuracy", FRACTION),
    "map_50": ("map_50", "Mean average precision at IoU 0.5", FRACTION),
    "map_50_95": ("map_50_95", "Mean average precision at IoU 0.5 to 0.95", FRACTION),
    "mean_iou": ("measured_iou", "Mean IoU of the best proposal", FRACTION),
    "centre_error_px": ("measured_centre_error", "Mean centre error", "pixels"),
    "training_seconds": ("training_seconds", "Training time", "seconds"),
}


def results_table(metrics: Mapping[str, Metric], parameters: DetectorParameters) -> Table:
    plain, with_interval = ("train_accuracy", "map_50", "map_50_95", "found"), ("mean_iou", "centre_error_px")
    rows = [
        {
            "network": label,
            "test_accuracy": metrics[f"{name}/test_accuracy"],
            **{key: metrics[f"{name}/{key}"].value for key in plain},
            **{key: metrics[f"{name}/{key}"] for key in with_interval},
        }
        for name, label in NETWORKS.items()
    ]
    counts = {label: metrics[f"{name}/parameters"].value for name, label in NETWORKS.items()}
    sizes = ", ".join(f"{count:,} ({label})" for label, count in counts.items())
    return builders.table(
        f"Faster R-CNN on {parameters.data.test:,} test canvases of {parameters.data.title}, with three "
        f"kinds of base network: means over {counted(parameters.seeds, 'seeds')}. Train: accuracy in the "
        "last epoch. mAP: mean average precision by COCO's convention at an intersection over union (IoU) "
        "of 0.5, and over IoUs from 0.5 to 0.95 in steps of 0.05. Found: objects that the "
        "best proposal overlaps with an IoU of at least 0.5.",
        {
            "network": builders.text("Base network"),
            "test_accuracy": builders.percent("Test accuracy", best="highest"),
            "train_accuracy": builders.percent("Train"),
            "map_50": builders.percent("mAP, 0.5"),
            "map_50_95": builders.percent("mAP, 0.5–0.95"),
            "found": builders.percent("Found", 2),
            "mean_iou": builders.number("Mean IoU", ".3f"),
            "centre_error_px": builders.number("Centre error", ".2f", "pixels"),
        },
        rows,
        notes=(
            "The accuracy is of the class that the head predicts at the best proposal; that of training is a "
            "running mean over the batches of the last epoch. Average "
            f"precision is of up to {detection.DETECTIONS} proposals per image that suppression leaves, "
            f"since each canvas holds one object. A bold value need not be significantly higher than the "
            f"others. Parameters: {sizes}.",
        ),
    )


def networks_table(parameters: DetectorParameters, differences: Mapping[str, Comparison]) -> Table:
    found = _compared(
        "The detector on one base network compared with that on another: difference in accuracy on "
        f"{parameters.data.test:,} test canvases of {parameters.data.title} (percentage points).",
        {f"{one} − {other}": differences[key] for key, one, other in network_pairs()},
        parameters.seeds,
    )
    note = "Each interval is of one comparison alone; one without zero need not be significant for all three."
    return found.model_copy(update={"notes": (*found.notes, note)})


def fit_table(parameters: DetectorParameters, differences: Mapping[str, Comparison]) -> Table:
    """How well the detector fits its training canvases on the separable network and on each other."""
    return _compared(
        "The detector on the MobileNet-like network compared with that on each other base network: "
        "difference in training accuracy in the last epoch (percentage points).",
        {
            f"{NETWORKS['mobilenet']} − {NETWORKS[other]}": differences[f"mobilenet/train_over_{other}_"]
            for other in ("convnet", "resnet")
        },
        parameters.seeds,
    )


def rises_table(parameters: DetectorParameters, differences: Mapping[str, Comparison]) -> Table:
    """By how much each loss is higher on the test canvases than in training, on every base network."""
    rows = [
        {"network": label, "loss": title, **differences[f"{name}/rise_{loss}_"].cells()}
        for name, label in NETWORKS.items()
        for loss, title in LOSSES.items()
    ]
    return builders.table(
        "Each loss of the detectors on the test canvases minus that in the last epoch of training, without "
        "the weights of the losses.",
        {
            "network": builders.text("Base network"),
            "loss": builders.text("Loss"),
            "difference": builders.number("Difference", "+.5f"),
            "p": comparing.ADJUSTED_P,
            "verdict": builders.text("Verdict"),
        },
        rows,
        notes=(_paired(parameters.seeds),),
    )


def _compared(caption: str, found: Mapping[str, Comparison], seeds: int) -> Table:
    return builders.table(
        caption,
        {
            "comparison": builders.text("Comparison"),
            "difference": comparing.change("Difference"),
            "p": comparing.ADJUSTED_P,
            "verdict": builders.text("Verdict"),
        },
        [{"comparison": words, **one.cells()} for words, one in found.items()],
        notes=(_paired(seeds),),
    )


def _paired(seeds: int) -> str:
    return f"Paired by seed (n = {seeds}), with Student's 95% intervals over seeds; {comparing.HOLM}"


def network_pairs() -> list[tuple[str, str, str]]:
    """Name of each comparison, and the two networks in words."""
    return [
        (f"{one}/over_{other}_", NETWORKS[one], NETWORKS[other]) for other, one in combinations(NETWORKS, 2)
    ]


def variants_table(
    base: str,
    caption: str,
    metrics: Mapping[str, Metric],
    parameters: DetectorParameters,
    differences: Mapping[str, Comparison],
) -> Table:
    """The detector on a network, and what is compared with it at its own budget."""
    rows = []
    names = {"": "Unchanged detector"} | {name: one.words for name, one in VARIANTS[base].items()}
    for name, label in names.items():
        prefix = f"{base}/{name}".rstrip("/")
        if f"{prefix}/test_accuracy" not in metrics:
            continue
        cells: dict[str, Any] = {"variant": label[:1].upper() + label[1:]}
        cells |= {key: metrics[f"{prefix}/{key}"].value for key in ("test_accuracy", "mean_iou")}
        for suffix in COMPARED if name else ():
            cells |= differences[f"{prefix}/{suffix}"].cells(suffix)
        rows.append(cells)
    return builders.table(
        f"{caption}: accuracy, and mean intersection over union (IoU) of the best proposal with the object, "
        f"on {parameters.data.test:,} test canvases of {parameters.data.title}. Means over "
        f"{counted(parameters.seeds, 'seeds')}.",
        {
            "variant": builders.text("Detector"),
            "test_accuracy": builders.percent("Test accuracy"),
            **comparing.comparison_columns(),
            "mean_iou": builders.number("Mean IoU", ".3f"),
            **comparing.comparison_columns("iou_", fractions=False),
        },
        rows,
        notes=(comparing.comparison_note(parameters.seeds),),
    )


def overfitting_table(
    metrics: Mapping[str, Metric], parameters: DetectorParameters, differences: Mapping[str, Comparison]
) -> Table:
    """What canvases that stay as they are change in the losses."""

    def losses(name: str) -> dict[str, float]:
        found = {
            key: metrics[f"ablation/{name}/{key}_loss"].value
            for key in ("train_class", "validation_class", "train_box")
        }
        return {
            "gap_": found["validation_class"] - found["train_class"],
            "train_box_": found["train_box"],
        }

    moved, still = losses(REFERENCE), losses("still")
    words = {"gap_": "Class, validation − training", "train_box_": "Box, training"}
    return builders.table(
        "Losses of the detector in the ablation, with canvases that are mirrored and shifted in training and "
        f"with those that are neither: means over {counted(parameters.ablation_seeds, 'seeds')}, without the "
        "weights of the losses.",
        {
            "loss": builders.text("Loss"),
            "moved": builders.number("Mirrored and shifted", ".4f"),
            "still": builders.number("Neither", ".4f"),
            "difference": builders.number("Difference", "+.4f"),
            "p": comparing.ADJUSTED_P,
            "verdict": builders.text("Verdict"),
        },
        [
            {
                "loss": label,
                "moved": moved[key],
                "still": still[key],
                **differences[f"ablation/still/{key}"].cells(),
            }
            for key, label in words.items()
        ],
        notes=(_paired(parameters.ablation_seeds),),
    )


def phases_table(parameters: DetectorParameters, differences: Mapping[str, Comparison]) -> Table:
    cells: dict[str, Any] = {"comparison": "Two phases − all parts throughout"}
    for suffix in COMPARED:
        cells |= differences[f"ablation/phases/over_longer_{suffix}"].cells(suffix)
    return builders.table(
        "Training in two phases compared with training all parts for as many epochs: accuracy, and mean IoU "
        f"of the best proposal, on {parameters.ablation_validation:,} validation canvases.",
        {
            "comparison": builders.text("Compared"),
            **comparing.comparison_columns(),
            **{
                key: column if key != "iou_difference" else builders.number("Difference of IoU", "+.3f")
                for key, column in comparing.comparison_columns("iou_", fractions=False).items()
            },
        },
        [cells],
        notes=(_paired(parameters.ablation_seeds),),
    )


def ablation_table(
    metrics: Mapping[str, Metric],
    parameters: DetectorParameters,
    words: Mapping[str, str],
    differences: Mapping[str, Comparison],
) -> Table:
    """Accuracy and fit of the best proposal: the comparisons of each are a family."""
    rows = []
    for name, change in words.items():
        cells: dict[str, Any] = {"change": change[:1].upper() + change[1:]}
        cells |= {key: metrics[f"ablation/{name}/{key}"].value for key in ("accuracy", "iou")}
        if name != REFERENCE:
            for suffix in COMPARED:
                cells |= differences[f"ablation/{name}/{suffix}"].numbers(suffix)
        rows.append(cells)
    return builders.table(
        f"Ablation of the detector on the ConvNet: accuracy, and mean intersection over union (IoU) of the "
        f"best proposal with the object, on {parameters.ablation_validation:,} validation canvases of "
        f"{parameters.data.title} when one choice is changed. Means over "
        f"{counted(parameters.ablation_seeds, 'seeds')}.",
        {
            "change": builders.text("Change"),
            "accuracy": builders.percent("Accuracy"),
            "difference": builders.number("Difference", "+.1f", "points", scale=100),
            "p": builders.number("p", ".3f"),
            "iou": builders.number("IoU", ".3f"),
            "iou_difference": builders.number("Difference", "+.3f"),
            "iou_p": builders.number("p", ".3f"),
        },
        rows,
        notes=(
            f"{parameters.ablation_train:,} training canvases and {parameters.ablation_epochs} epochs, a "
            "smaller budget than that of the detectors themselves.",
            f"Differences to the first row are paired by seed (n = {parameters.ablation_seeds}), each with "
            "Student's 95% interval over seeds; p-values are adjusted by Holm's method, for the comparisons "
            "of accuracy and for those of IoU; intervals are not.",
        ),
    )


def ablation_losses_table(
    metrics: Mapping[str, Metric], parameters: DetectorParameters, words: Mapping[str, str]
) -> Table:
    thousandths = {"box": ("Box", "× 0.001", 1000.0), "class": ("Class", "nats", 1.0)}
    return builders.table(
        "Losses of the detector in the ablation, without their weights: in the last epoch of training and on "
        f"{parameters.ablation_validation:,} validation canvases of {parameters.data.title}, means over "
        f"{counted(parameters.ablation_seeds, 'seeds')}.",
        {
            "change": builders.text("Change"),
            **{
                f"{part}_{loss}": builders.number(f"{label}, {shown}", ".2f", unit, scale=scale)
                for loss, (label, unit, scale) in thousandths.items()
                for part, shown in (("train", "training"), ("validation", "validation"))
            },
        },
        [
            {
                "change": change[:1].upper() + change[1:],
                **{
                    f"{part}_{loss}": metrics[f"ablation/{name}/{part}_{loss}_loss"]
                    for loss in thousandths
                    for part in ("train", "validation")
                },
            }
            for name, change in words.items()
        ],
        notes=("Training losses are with dropout and on the changed canvases where there are such.",),
    )

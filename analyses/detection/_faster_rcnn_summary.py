"""What the outcomes of the study of Faster R-CNN say: metrics and comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from analyses import comparing, recipe_tables, records
from analyses.detection import _detection as detection
from analyses.detection import _detection_charts as charts
from analyses.detection import _faster_rcnn_tables as tables
from analyses.detection._detection import NETWORKS
from analyses.detection._faster_rcnn_findings import findings
from analyses.detection._faster_rcnn_settings import (
    POSITIVE,
    REFERENCE,
    VARIANTS,
    Change,
    DetectorParameters,
)
from analyses.detection._faster_rcnn_tables import COMPARED, MEASURED
from analyses.plugin import Outcome, Summary
from lab.recipes import Recipe
from results import builders
from results.builders import FRACTION
from results.schema import Metric
from results.text import counted

RISES = {"objectness": "objectness", "box": "the box", "class": "the class"}
#: How the name of a difference ends → of what it is.
WHAT = {
    "iou_": "mean IoU of the best proposal",
    **{f"train_over_{other}_": "training accuracy" for other in NETWORKS},
    **{f"rise_{loss}_": f"loss of {what}, test canvases less training" for loss, what in RISES.items()},
    "gap_": "loss of the class on validation canvases less that in training",
    "train_box_": "loss of the box in training",
}
LOSS_ENDS = ("gap_", "train_box_", *(f"rise_{loss}_" for loss in RISES))


def summary(parameters: DetectorParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    runs = {name: records.runs_named(outcomes, name) for name in NETWORKS}
    variants = {
        f"{base}/{name}": found
        for base, changes in VARIANTS.items()
        for name, found in _there(outcomes, base, changes).items()
    }
    ablation = _there(outcomes, "ablation", parameters.changes())
    words = {name: parameters.changes()[name].words for name in ablation}
    changed = {name: found for name, found in ablation.items() if name != REFERENCE}
    accuracy = {name: [run["measured_accuracy"] for run in found] for name, found in runs.items()}
    differences = comparing.compared(
        {f"{one}/over_{other}_": (accuracy[one], accuracy[other]) for other, one in combinations(NETWORKS, 2)}
    )
    for family in (  # a family a table
        *(
            _pairs(base, _there(outcomes, base, changes), runs[base], COMPARED)
            for base, changes in VARIANTS.items()
        ),
        *(_pairs("ablation", changed, ablation[REFERENCE], (suffix,)) for suffix in COMPARED),
    ):
        differences |= comparing.compared(family)
    differences |= comparing.compared(
        {
            "mobilenet/over_required_": (
                accuracy["mobilenet"],
                [parameters.required] * len(accuracy["mobilenet"]),
            )
        }
    )
    for family in (
        _fit_pairs(runs),
        _rise_pairs(runs),
        _phase_pairs(ablation),
        _overfitting_pairs(ablation),
    ):
        differences |= comparing.compared(family)
    metrics = _metrics(parameters, runs | variants, ablation)
    metrics["mobilenet/required"] = builders.metric(
        parameters.required, "Test accuracy that is asked for of the MobileNet-like detector", FRACTION
    )
    planned = DetectorParameters()
    metrics["planned/seeds"] = builders.metric(planned.seeds, "Seeds of a detector in the protocol", "seeds")
    metrics["planned/ablation_seeds"] = builders.metric(
        planned.ablation_seeds, "Seeds of the ablation in the protocol", "seeds"
    )
    metrics["anchor/positive_iou"] = builders.metric(
        detection.unrefined(POSITIVE)[1],
        "Mean IoU of an object with a positive anchor, on drawn places and widths",
        FRACTION,
    )
    for key, one in differences.items():
        what = next((words for end, words in WHAT.items() if key.endswith(end)), "accuracy")
        metrics |= {
            name: metric.model_copy(update={"unit": ""}) if key.endswith(LOSS_ENDS) else metric
            for name, metric in one.metrics(key, f"Difference of {what}").items()
        }
    shown = {
        "results": tables.results_table(metrics, parameters),
        "loss_ends": charts.loss_table(
            metrics,
            NETWORKS,
            "Base network",
            "The three losses of the detector on each base network, without their weights: running means of "
            f"the last epoch on {parameters.data.train:,} training canvases of {parameters.data.title}, and "
            f"on {parameters.data.test:,} test canvases after it. Means over "
            f"{counted(parameters.seeds, 'seeds')}.",
        ),
        "networks": tables.networks_table(parameters, differences),
        "fit": tables.fit_table(parameters, differences),
        "rises": tables.rises_table(parameters, differences),
        "ablation": tables.ablation_table(metrics, parameters, words, differences),
        "ablation_losses": tables.ablation_losses_table(metrics, parameters, words),
        "recipe": recipe_tables.recipe_table(
            {"All networks": _recipe(parameters)},
            {
                "All networks": detection.choices(
                    f"{POSITIVE:g}", {"objectness": 1, "box": parameters.box_weight, "class": 1}
                )
            },
            "Hyper-parameters of the detectors, the same for every base network.",
        ),
    }
    for base, caption in (
        ("convnet", "What the head is shown in training, on the ConvNet"),
        ("mobilenet", "The MobileNet-like detector with and without its inner ReLU"),
    ):
        if any(name.startswith(f"{base}/") for name in variants):
            shown[f"{base}_variants"] = tables.variants_table(base, caption, metrics, parameters, differences)
    if "ablation/still/gap_" in differences:
        shown["overfitting"] = tables.overfitting_table(metrics, parameters, differences)
    if "ablation/phases/over_longer_" in differences:
        shown["phases"] = tables.phases_table(parameters, differences)
    best = max(NETWORKS, key=lambda name: metrics[f"{name}/test_accuracy"].value)
    return Summary(
        metrics=metrics,
        tables=shown,
        figures={
            "losses": charts.losses(
                {label: runs[name] for name, label in NETWORKS.items()},
                "The three losses of the detector on each base network, on "
                f"{parameters.data.train:,} training canvases of {parameters.data.title},",
            ),
            "recall": charts.recall_chart(
                runs[best],
                f"Recall of the objects against the number of proposals per image, {NETWORKS[best]}; "
                f"means over {counted(parameters.seeds, 'seeds')}.",
            ),
            "differences": comparing.differences_chart(metrics, words, "the detector"),
        },
        findings=findings(metrics, parameters, differences, words)
        | {
            "no_run_diverged": records.none_diverged(outcomes),
            "answers_are_kept": builders.statement(
                "The class that each detector predicts for each test canvas is recorded",
                all("predictions" in run for found in runs.values() for run in found),
            ),
        },
    )


def _recipe(parameters: DetectorParameters) -> Recipe:
    return detection.recipe(parameters.epochs, parameters.data.mirror, parameters.data.shift)


def _there(
    outcomes: Mapping[str, Outcome], folder: str, changes: Mapping[str, Change]
) -> dict[str, list[Outcome]]:
    """The runs of each change that was run: older outcomes lack some."""
    found = {name: records.runs_named(outcomes, f"{folder}/{name}") for name in changes}
    return {name: runs for name, runs in found.items() if runs}


def _pairs(
    folder: str,
    changes: Mapping[str, Sequence[Outcome]],
    reference: Sequence[Outcome],
    suffixes: Iterable[str],
) -> dict[str, tuple[list[float], list[float]]]:
    """What is compared of each change and of the reference, seed by seed, by "FOLDER/NAME/SUFFIX"."""
    return {
        f"{folder}/{name}/{suffix}": (
            [run[COMPARED[suffix]] for run in found],
            [run[COMPARED[suffix]] for run in reference],
        )
        for name, found in changes.items()
        for suffix in suffixes
    }


def _metrics(
    parameters: DetectorParameters,
    runs: Mapping[str, Sequence[Outcome]],
    ablation: Mapping[str, Sequence[Outcome]],
) -> dict[str, Metric]:
    """What was measured of every detector, and the budget of the ablation."""
    metrics: dict[str, Metric] = {}
    for name, found in runs.items():
        base, _, variant = name.partition("/")
        label = NETWORKS[base] + (f", {VARIANTS[base][variant].words}" if variant else "")
        for key, (measure, title, unit) in MEASURED.items():
            metrics[f"{name}/{key}"] = records.over_seeds(found, measure, f"{title}, {label}", unit)
        metrics[f"{name}/parameters"] = builders.metric(
            found[0]["parameters"], f"Parameters, {label}", "parameters"
        )
        for key, title, values in (
            ("train_accuracy", "Training accuracy", [one["history"]["train_accuracy"][-1] for one in found]),
            ("found", "Share of objects found at IoU 0.5", [one["recall"]["0.5"][0] for one in found]),
        ):
            metrics[f"{name}/{key}"] = records.over_seeds(
                [{key: value} for value in values], key, f"{title}, {label}"
            )
        metrics |= charts.loss_metrics(name, found, label)
    metrics |= builders.metrics(
        "ablation/",
        train=(parameters.ablation_train, "Training canvases of the ablation", "images"),
        validation=(parameters.ablation_validation, "Canvases that judge the ablation", "images"),
        epochs=(parameters.ablation_epochs, "Epochs of the ablation", "epochs"),
        seeds=(parameters.ablation_seeds, "Seeds of the ablation", ""),
    )
    for name, found in ablation.items():
        words = parameters.changes()[name].words
        for key, measure, title in (
            ("accuracy", "measured_accuracy", "Validation accuracy"),
            ("iou", "measured_iou", "Mean IoU on validation canvases"),
        ):
            metrics[f"ablation/{name}/{key}"] = records.over_seeds(found, measure, f"{title}: {words}")
        for loss in ("box", "class"):
            for part, values in _losses(found, loss).items():
                metrics[f"ablation/{name}/{part}_{loss}_loss"] = records.over_seeds(
                    [{loss: value} for value in values], loss, f"{loss} loss, {part}: {words}", ""
                )
    return metrics


def _losses(runs: Sequence[Outcome], loss: str) -> dict[str, list[float]]:
    """A loss of each run in the last epoch of training and on the validation canvases."""
    return {
        "train": charts.last_losses(runs, loss),
        "validation": [run[f"measured_{loss}_loss"] for run in runs],
    }


def _fit_pairs(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, tuple[list[float], list[float]]]:
    """Training accuracies in the last epoch, of the separable network and of each other."""
    reached = {name: [run["history"]["train_accuracy"][-1] for run in found] for name, found in runs.items()}
    return {
        f"mobilenet/train_over_{other}_": (reached["mobilenet"], reached[other])
        for other in ("convnet", "resnet")
    }


def _rise_pairs(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, tuple[list[float], list[float]]]:
    """Every loss on the test canvases and in the last epoch of training, of every base network."""
    pairs = {}
    for name, found in runs.items():
        for loss in RISES:
            ends = _losses(found, loss)
            pairs[f"{name}/rise_{loss}_"] = (ends["validation"], ends["train"])
    return pairs


def _overfitting_pairs(
    ablation: Mapping[str, Sequence[Outcome]],
) -> dict[str, tuple[list[float], list[float]]]:
    """What canvases that stay as they are change in overfitting: by how much the loss of the class is higher
    on validation canvases than in training, and the loss of the box in training.
    """
    pairs = {}
    if "still" in ablation:
        gaps, boxes = [], []
        for runs in (ablation["still"], ablation[REFERENCE]):
            found = _losses(runs, "class")
            gaps.append([b - a for a, b in zip(found["train"], found["validation"], strict=True)])
            boxes.append(_losses(runs, "box")["train"])
        pairs = {"ablation/still/gap_": (gaps[0], gaps[1]), "ablation/still/train_box_": (boxes[0], boxes[1])}
    return pairs


def _phase_pairs(ablation: Mapping[str, Sequence[Outcome]]) -> dict[str, tuple[list[float], list[float]]]:
    """Two phases against as many epochs of everything."""
    if not {"phases", "longer"} <= set(ablation):
        return {}
    return {
        f"ablation/phases/over_longer_{suffix}": (
            [run[COMPARED[suffix]] for run in ablation["phases"]],
            [run[COMPARED[suffix]] for run in ablation["longer"]],
        )
        for suffix in COMPARED
    }

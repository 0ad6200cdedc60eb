"""What the outcomes of the study of Faster R-CNN say: metrics, comparisons and findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from analyses import comparing, recipe_tables, records
from analyses.comparing import Comparison
from analyses.detection import _detection as detection
from analyses.detection import _detection_charts as charts
from analyses.detection import _faster_rcnn_tables as tables
from analyses.detection._detection import NETWORKS
from analyses.detection._faster_rcnn_settings import (
    POSITIVE,
    REFERENCE,
    ROI_ALIGN,
    TRUTH,
    VARIANTS,
    Change,
    DetectorParameters,
)
from analyses.detection._faster_rcnn_tables import COMPARED, MEASURED
from analyses.plugin import Outcome, Summary
from lab.recipes import Recipe
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric
from results.text import counted

#: How the name of a difference ends → of what it is.
WHAT = {
    "iou_": "mean IoU of the best proposal",
    "gap_": "loss of the class on validation canvases less that in training",
    "train_box_": "loss of the box in training",
}
LOSS_ENDS = ("gap_", "train_box_")


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
    for family in (_phase_pairs(ablation), _overfitting_pairs(ablation)):
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
            "The three losses of the detector, without their weights: means over the last epoch of "
            f"training and on the {parameters.data.test:,} test canvases after it, over "
            f"{counted(parameters.seeds, 'seeds')}.",
        ),
        "networks": tables.networks_table(parameters, differences),
        "ablation": tables.ablation_table(metrics, parameters, words, differences, boxes=False),
        "ablation_boxes": tables.ablation_table(metrics, parameters, words, differences, boxes=True),
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
                "The three losses of the detector on each base network",
            ),
            "recall": charts.recall_chart(
                runs[best],
                f"Recall of the objects against the number of proposals per image, {NETWORKS[best]}; "
                f"means over {counted(parameters.seeds, 'seeds')}.",
            ),
            "differences": comparing.differences_chart(metrics, words, "the detector"),
        },
        findings=_findings(metrics, parameters, differences, words)
        | {"no_run_diverged": records.none_diverged(outcomes)},
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


def _findings(
    metrics: Mapping[str, Metric],
    parameters: DetectorParameters,
    differences: Mapping[str, Comparison],
    words: Mapping[str, str],
) -> dict[str, Finding]:
    def holds(statement: str, keys: Sequence[str], verdict: str) -> Finding:
        return builders.statement(
            f"{statement}, after Holm's correction within its table",
            all(differences[key].verdict == verdict for key in keys),
            *(f"{key}difference" for key in keys),
        )

    reached = {
        name: metrics[f"{name}/test_accuracy"].is_above(parameters.published[name]) for name in NETWORKS
    }
    findings = {
        "published_reached": builders.statement(
            "The interval of every network lies above the published accuracy",
            all(reached.values()),
            *(f"{name}/test_accuracy" for name in NETWORKS),
        ),
        "residual_is_best": holds(
            "The residual network is more accurate than either of the others",
            ("resnet/over_convnet_", "resnet/over_mobilenet_"),
            "more",
        ),
        "separable_is_worst": holds(
            "The separable network is less accurate than the ConvNet", ("mobilenet/over_convnet_",), "less"
        ),
    }
    for key, one, other in tables.network_pairs():
        findings[key.replace("/", "_").rstrip("_")] = _network_finding(key, one, other, differences[key])
    required = (
        "The assignment requires an accuracy of {mobilenet/required:percent} with the MobileNet-like network"
    )
    number = "{mobilenet/over_required_difference:points ci unit}"
    if "mobilenet/over_required_p" in metrics:
        number += " (p = {mobilenet/over_required_p:.2g})"
    findings["mobilenet_over_required"] = differences["mobilenet/over_required_"].finding(
        "The MobileNet-like detector is more accurate than the assignment requires",
        "mobilenet/over_required_difference",
        more=f"{required}; our mean is significantly higher: the difference is {number}.",
        less=f"{required}; our mean is significantly lower: the difference is {number}.",
        same=f"{required}; our mean does not differ significantly from it: the difference is {number}.",
    )
    findings["fewer_seeds"] = builders.statement(
        "Fewer seeds are recorded than the protocol has",
        parameters.seeds < metrics["planned/seeds"].value
        or parameters.ablation_seeds < metrics["planned/ablation_seeds"].value,
        "planned/seeds",
        "planned/ablation_seeds",
    )
    findings["class_overfits"] = builders.statement(
        "On every base network, the loss of the class is higher on test canvases than in training",
        all(
            metrics[f"{name}/test_class_loss"].value > metrics[f"{name}/train_class_loss"].value
            for name in NETWORKS
        ),
        *(f"{name}/{part}_class_loss" for name in NETWORKS for part in ("train", "test")),
    )
    findings["separable_fits_least"] = builders.statement(
        "The training accuracy with the separable network lies below that with each of the others, with "
        "intervals that do not overlap",
        all(
            (metrics["mobilenet/train_accuracy"].high or 1) < (metrics[f"{name}/train_accuracy"].low or 0)
            for name in ("convnet", "resnet")
        ),
        *(f"{name}/train_accuracy" for name in NETWORKS),
    )
    for name, label in NETWORKS.items():
        findings[f"{name}_reaches_published"] = builders.statement(
            f"The interval of the {label} lies above the published accuracy",
            reached[name],
            f"{name}/test_accuracy",
        )
    changes = [(f"ablation/{name}", name, label) for name, label in words.items() if name != REFERENCE]
    changes += [
        (f"{base}/{name}", f"full_{name}", change.words)
        for base, variants in VARIANTS.items()
        for name, change in variants.items()
        if f"{base}/{name}/" in differences
    ]
    for key, name, label in changes:
        for suffix, box, what in (("", "", "accuracy"), ("iou_", "box_", "IoU of the best proposal")):
            for found, verdict, word in (("helps", "more", "higher"), ("hurts", "less", "lower")):
                findings[f"{name}_{box}{found}"] = holds(
                    f"With {label}, the {what} is {word}", (f"{key}/{suffix}",), verdict
                )
    effects = {
        name: abs(differences[f"ablation/{name}/iou_"].difference.value)
        for name in words
        if name != REFERENCE
    }
    findings["weights_matter_most"] = builders.statement(
        "Of all changes, equal weights change the fit of the best proposal most, and make it worse, after "
        "Holm's correction within its table",
        max(effects, key=lambda name: effects[name]) == "equal_weights"
        and differences["ablation/equal_weights/iou_"].verdict == "less",
        *(f"ablation/{name}/iou_difference" for name in effects),
    )
    equal, bare = metrics["ablation/equal_weights/iou"], metrics["anchor/positive_iou"].value
    findings["equal_weights_leave_anchors"] = builders.statement(
        "With equal weights, the interval of the best proposal's mean IoU holds that of a positive anchor",
        equal.low is not None and equal.high is not None and equal.low <= bare <= equal.high,
        "ablation/equal_weights/iou",
        "anchor/positive_iou",
    )
    if "ablation/still/gap_" in differences:
        for name, key, higher in (
            ("still_overfits", "gap_", "the loss of the class is more above that in training"),
            ("still_box_misfits", "train_box_", "the loss of the box is higher in training too"),
        ):
            findings[name] = builders.statement(
                f"With canvases that stay as they are, {higher}",
                differences[f"ablation/still/{key}"].verdict == "more",
                f"ablation/still/{key}difference",
            )
    if "ablation/phases/over_longer_" in differences:
        findings["phases_over_longer"] = _phase_finding(differences["ablation/phases/over_longer_"])
        findings["phases_box_over_longer"] = _phase_finding(
            differences["ablation/phases/over_longer_iou_"], box=True
        )
    families = (
        ("", "help", "more", "raises accuracy significantly", "Accuracy is significantly higher with"),
        ("", "hurt", "less", "lowers accuracy significantly", "Accuracy is significantly lower with"),
        (
            "iou_",
            "fit",
            "more",
            "improves the best proposal significantly",
            "The best proposal fits significantly better with",
        ),
        (
            "iou_",
            "misfit",
            "less",
            "impairs the best proposal significantly",
            "The best proposal fits significantly worse with",
        ),
    )
    for suffix, key, verdict, one, many in families:
        members = {
            label: differences[f"ablation/{name}/{suffix}"].verdict == verdict
            for name, label in words.items()
            if name != REFERENCE
        }
        members_but_head = {
            label: true for label, true in members.items() if label not in (TRUTH.words, ROI_ALIGN.words)
        }
        rests_on = [f"ablation/{name}/{suffix}difference" for name in words if name != REFERENCE]
        for other, chosen in (("", members), ("other ", members_but_head)):
            findings[f"{'others' if other else 'changes'}_that_{key}"] = builders.family(
                f"Some {other}change of the ablation {one}",
                chosen,
                *rests_on,
                none=f"No {other}change {one}.",
                one=f"{many} {{members}}.",
                many=f"{many} each of these changes: {{members}}.",
            )
    return findings


def _phase_finding(found: Comparison, *, box: bool = False) -> Finding:
    """Two phases against as many epochs of everything, in accuracy or in the IoU of the best proposal."""
    name = f"ablation/phases/over_longer_{'iou_' if box else ''}difference"
    difference = f"{{{name}:+.3f}}" if box else builders.shown(name, "points", ci=True, unit=True)
    what = "mean IoU of the best proposal" if box else "accuracy"
    start = "Compared with training all parts for as many epochs, training in two phases"
    return found.finding(
        f"Training in two phases gives a higher {what} than training all parts for as many epochs",
        name,
        more=f"{start} gives a significantly higher {what}: the difference is {difference}.",
        less=f"{start} gives a significantly lower {what}: the difference is {difference}.",
        same=f"{start} does not change the {what} significantly: the difference is {difference}.",
    )


def _network_finding(key: str, one: str, other: str, found: Comparison) -> Finding:
    name = f"{key}difference"
    size = builders.shown(name, "points", ci=True, unit=True, unsigned=True)
    difference = builders.shown(name, "points", ci=True, unit=True)
    return found.finding(
        f"The detector is more accurate on the {one} than on the {other}",
        name,
        more=f"On the {one}, the detector is significantly more accurate than on the {other}, by {size}.",
        less=f"On the {one}, the detector is significantly less accurate than on the {other}, by {size}.",
        same=f"On the {one} and on the {other}, the accuracy of the detector does not differ "
        f"significantly: the difference is {difference}.",
    )

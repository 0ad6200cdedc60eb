"""What follows from the comparisons of the study of Faster R-CNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses.comparing import Comparison
from analyses.detection import _faster_rcnn_tables as tables
from analyses.detection._detection import NETWORKS
from analyses.detection._faster_rcnn_settings import REFERENCE, ROI_ALIGN, TRUTH, VARIANTS, DetectorParameters
from results import builders
from results.schema import Finding, Metric


def findings(
    metrics: Mapping[str, Metric],
    parameters: DetectorParameters,
    differences: Mapping[str, Comparison],
    words: Mapping[str, str],
) -> dict[str, Finding]:
    def holds(statement: str, keys: Sequence[str], verdict: str) -> Finding:
        return builders.statement(
            f"{statement}, after Holm's correction within its family of comparisons",
            all(differences[key].verdict == verdict for key in keys),
            *(f"{key}difference" for key in keys),
        )

    reached = {
        name: metrics[f"{name}/test_accuracy"].is_above(parameters.published[name]) for name in NETWORKS
    }
    stated = {
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
        stated[key.replace("/", "_").rstrip("_")] = _network_finding(key, one, other, differences[key])
    required = (
        "The assignment requires an accuracy of {mobilenet/required:percent} with the MobileNet-like network"
    )
    number = "{mobilenet/over_required_difference:points ci unit}"
    if "mobilenet/over_required_p" in metrics:
        number += ", with p = {mobilenet/over_required_p:.2g}"
    stated["mobilenet_over_required"] = differences["mobilenet/over_required_"].finding(
        "The MobileNet-like detector is more accurate than the assignment requires",
        "mobilenet/over_required_difference",
        more=f"{required}; our mean is significantly higher: the difference is {number}.",
        less=f"{required}; our mean is significantly lower: the difference is {number}.",
        same=f"{required}; the mean does not differ significantly from this requirement: "
        f"the difference is {number}.",
    )
    stated["fewer_seeds"] = builders.statement(
        "Fewer seeds are recorded than the protocol has",
        parameters.seeds < metrics["planned/seeds"].value
        or parameters.ablation_seeds < metrics["planned/ablation_seeds"].value,
        "planned/seeds",
        "planned/ablation_seeds",
    )
    stated["class_overfits"] = holds(
        "On every base network, the loss of the class is higher on test canvases than in training",
        [f"{name}/rise_class_" for name in NETWORKS],
        "more",
    )
    stated["precision_is_below_accuracy"] = builders.statement(
        "With the ResNet-like network, mean average precision at an IoU of 0.5 is below the accuracy, "
        "although at least 99% of the objects are found",
        metrics["resnet/map_50"].value < metrics["resnet/test_accuracy"].value
        and metrics["resnet/found"].value >= 0.99,
        *(f"resnet/{key}" for key in ("map_50", "test_accuracy", "found")),
    )
    places = [f"{name}/rise_{loss}_" for name in NETWORKS for loss in ("objectness", "box")]
    stated["places_do_not_rise"] = builders.statement(
        "On no base network is the mean loss of objectness or of the box higher on test canvases than in "
        "training",
        all(differences[key].difference.value <= 0 for key in places),
        *(f"{key}difference" for key in places),
    )
    stated["places_are_alike"] = builders.statement(
        "Between base networks, the mean IoU of the best proposal differs by at most 0.02 and the share of "
        "objects found by at most 0.1 points, and the accuracy by more than 5 points",
        _spread(metrics, "mean_iou") <= 0.02
        and _spread(metrics, "found") <= 0.001
        and _spread(metrics, "test_accuracy") > 0.05,
        *(f"{name}/{key}" for name in NETWORKS for key in ("mean_iou", "found", "test_accuracy")),
    )
    stated["separable_fits_least"] = builders.statement(
        "The training accuracy with the separable network is lower than with each of the others, after "
        "Holm's correction for these two comparisons",
        all(
            differences[f"mobilenet/train_over_{other}_"].verdict == "less" for other in ("convnet", "resnet")
        ),
        *(f"mobilenet/train_over_{other}_difference" for other in ("convnet", "resnet")),
    )
    for name, label in NETWORKS.items():
        stated[f"{name}_reaches_published"] = builders.statement(
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
                stated[f"{name}_{box}{found}"] = holds(
                    f"With {label}, the {what} is {word}", (f"{key}/{suffix}",), verdict
                )
    effects = {
        name: abs(differences[f"ablation/{name}/iou_"].difference.value)
        for name in words
        if name != REFERENCE
    }
    stated["weights_matter_most"] = builders.statement(
        "Of all changes, equal weights change the fit of the best proposal most, and make it worse, after "
        "Holm's correction within its family of comparisons",
        max(effects, key=lambda name: effects[name]) == "equal_weights"
        and differences["ablation/equal_weights/iou_"].verdict == "less",
        *(f"ablation/{name}/iou_difference" for name in effects),
    )
    equal, bare = metrics["ablation/equal_weights/iou"], metrics["anchor/positive_iou"].value
    stated["equal_weights_leave_anchors"] = builders.statement(
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
            stated[name] = builders.statement(
                f"With canvases that stay as they are, {higher}",
                differences[f"ablation/still/{key}"].verdict == "more",
                f"ablation/still/{key}difference",
            )
    if "ablation/phases/over_longer_" in differences:
        stated["phases_over_longer"] = _phase_finding(differences["ablation/phases/over_longer_"])
        stated["phases_box_over_longer"] = _phase_finding(
            differences["ablation/phases/over_longer_iou_"], box=True
        )
    families = (
        ("", "help", "more", "raises accuracy significantly", "Accuracy is significantly higher"),
        ("", "hurt", "less", "lowers accuracy significantly", "Accuracy is significantly lower"),
        (
            "iou_",
            "fit",
            "more",
            "improves the best proposal significantly",
            "The best proposal fits significantly better",
        ),
        (
            "iou_",
            "misfit",
            "less",
            "impairs the best proposal significantly",
            "The best proposal fits significantly worse",
        ),
    )
    head = {f"with {change.words}" for change in (TRUTH, ROI_ALIGN)}
    for suffix, key, verdict, one, many in families:
        members = {
            f"with {label}": differences[f"ablation/{name}/{suffix}"].verdict == verdict
            for name, label in words.items()
            if name != REFERENCE
        }
        members_but_head = {label: true for label, true in members.items() if label not in head}
        rests_on = [f"ablation/{name}/{suffix}difference" for name in words if name != REFERENCE]
        for other, chosen in (("", members), ("other ", members_but_head)):
            stated[f"{'others' if other else 'changes'}_that_{key}"] = builders.family(
                f"Some {other}change of the ablation {one}",
                chosen,
                *rests_on,
                none=f"No {other}change {one}.",
                one=f"{many} {{members}}.",
                many=f"{many} {{members}}.",
            )
    return stated


def _spread(metrics: Mapping[str, Metric], key: str) -> float:
    """By how much the means on the base networks differ at most."""
    means = [metrics[f"{name}/{key}"].value for name in NETWORKS]
    return max(means) - min(means)


def _phase_finding(found: Comparison, *, box: bool = False) -> Finding:
    """Two phases against as many epochs of everything, in accuracy or in the IoU of the best proposal."""
    name = f"ablation/phases/over_longer_{'iou_' if box else ''}difference"
    difference = (
        builders.shown(name, "+.3f", ci=True) if box else builders.shown(name, "points", ci=True, unit=True)
    )
    what, start = "accuracy", "Training in two phases"
    ways = [f"gives a significantly {way} accuracy" for way in ("higher", "lower")]
    ways.append("does not change accuracy significantly")
    if box:
        what, start = "mean IoU of the best proposal", "After it, the best proposal"
        ways = [
            "fits significantly better",
            "fits significantly worse",
            "does not fit significantly better or worse",
        ]
    more, less, same = (
        f"{start} {way}: the difference{' in mean IoU' * box} is {difference}." for way in ways
    )
    return found.finding(
        f"Training in two phases gives a higher {what} than training all parts for as many epochs",
        name,
        more=more,
        less=less,
        same=same,
    )


def _network_finding(key: str, one: str, other: str, found: Comparison) -> Finding:
    name = f"{key}difference"
    one, other = (words + " network" * words.endswith("-like") for words in (one, other))
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

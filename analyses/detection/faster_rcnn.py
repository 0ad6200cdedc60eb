"""detection.faster_rcnn: what is it, and where? One network proposes, looks there, and names.

After CIS 680 (2017), homework 3, part 3. Three kinds of stage, trained end to end with three losses. To
beat: test accuracies of 0.5846 (ConvNet), 0.4353 (MobileNet-like) and 0.6366 (ResNet-like), one student's
run each. Where the head looks in training is compared at the same budget; the ablation changes one choice at
a time, at a smaller budget that its table names, on held-out training canvases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from pydantic import Field, model_validator

from analyses import experiments
from analyses.detection import _detection as detection
from analyses.detection._detection import LISTED, NETWORKS, CanvasChoice
from analyses.experiments import FRACTION, Comparison
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Box, Column, Figure, Finding, Metric, Picture, Pictures, Row, Table
from results.text import counted

REFERENCE = "reference"
SHOWN = 3  # training, and as many test canvases, drawn where the data is
MEASURED = {  # name of the metric → what is measured, title, unit
    "test_accuracy": ("measured_accuracy", "Test accuracy", FRACTION),
    "map_50": ("map_50", "Mean average precision at IoU 0.5", FRACTION),
    "map_50_95": ("map_50_95", "Mean average precision at IoU 0.5 to 0.95", FRACTION),
    "mean_iou": ("measured_iou", "Mean IoU of the best proposal", FRACTION),
    "centre_error_px": ("measured_centre_error", "Mean centre error", "pixels"),
    "training_seconds": ("training_seconds", "Training time", "seconds"),
}
COMPARED = {
    "": "measured_accuracy",
    "iou_": "measured_iou",
}  # how names of a difference begin → of what it is


@dataclass(frozen=True)
class Change:
    """What differs from the reference. alone: epochs in which the proposals are trained first, without the
    head; more: epochs beyond the reference's.
    """

    words: str
    network: Mapping[str, Any] = field(default_factory=dict)
    objective: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    alone: int = 0
    more: int = 0


TRUTH = Change("the true box shown to the head in training", objective={"truth": True})
ROI_ALIGN = Change("RoIAlign instead of the spatial transformer", network={"by": "roi_align"})
LINEAR = Change("no ReLU between the two convolutions", network={"name": "mobilenet linear"})
#: What is compared with a detector at its own budget, by the detector's network.
VARIANTS = {"convnet": {"truth": TRUTH, "roi_align": ROI_ALIGN}, "mobilenet": {"linear": LINEAR}}


class DetectorParameters(Parameters):
    """box_weight: of the box loss, whose offsets are small. ablation_…: the smaller budget of the ablation,
    whose canvases are of the training list alone.
    """

    data: CanvasChoice = CanvasChoice()
    seeds: int = Field(5, ge=1)  # a run takes about a quarter of an hour on one core
    epochs: int = Field(20, ge=1)  # of 100 steps: 2,000
    box_weight: float = Field(10.0, ge=0)
    ablation_seeds: int = Field(5, ge=1)
    ablation_train: int = Field(2_000, ge=1)
    ablation_validation: int = Field(2_000, ge=1)
    ablation_epochs: int = Field(8, ge=2)
    published: dict[str, float] = Field(  # a student's notebook, one run
        default={"convnet": 0.5846, "mobilenet": 0.4353, "resnet": 0.6366}
    )

    @model_validator(mode="after")
    def ablation_fits(self) -> DetectorParameters:
        wanted = self.ablation_train + self.ablation_validation
        if self.data.boxes == "published" and wanted > LISTED:
            raise ValueError(
                f"ablation_train and ablation_validation are {wanted} canvases together, and the published "
                f"training list has {LISTED}"
            )
        return self

    def changes(self) -> dict[str, Change]:
        first = self.ablation_epochs // 2
        return {
            REFERENCE: Change("the detector as it is"),
            **VARIANTS["convnet"],
            "dropout": Change("dropout of a half in the head", network={"dropout": 0.5}),
            "equal_weights": Change("all losses weighted alike", objective={"weights": (1.0, 1.0, 1.0)}),
            "phases": Change(f"proposals alone for {first} epochs first", alone=first),
            "longer": Change(f"{first} more epochs of everything", more=first),
            "still": Change("canvases neither mirrored nor moved", data={"mirror": False, "shift": 0}),
        }


class FasterRcnn(Analysis[DetectorParameters]):
    id = "detection.faster_rcnn"
    title = "Faster R-CNN with three base networks"
    question = "How well does one small network find an object and name it, and what does each part bring?"

    def parameters(self, profile: Profile) -> DetectorParameters:
        if profile == "quick":
            return DetectorParameters(
                data=detection.QUICK,
                seeds=2,
                epochs=2,
                ablation_seeds=2,
                ablation_train=300,
                ablation_validation=200,
                ablation_epochs=2,
            )
        return DetectorParameters()

    def datasets(self, parameters: DetectorParameters) -> tuple[str, ...]:
        return parameters.data.sources()

    def check(self, parameters: DetectorParameters) -> None:
        detection.check(parameters.data)

    def plan(self, parameters: DetectorParameters) -> list[Cell]:
        weights = {"weights": (1.0, parameters.box_weight, 1.0)}
        detectors = [(name, name, Change("")) for name in NETWORKS]
        detectors += [
            (f"{base}/{name}", base, change)
            for base, changes in VARIANTS.items()
            for name, change in changes.items()
        ]
        planned = [
            cell
            for name, base, change in detectors
            for cell in detection.cells(
                name,
                {"name": base, **change.network},
                parameters.data,
                parameters.epochs,
                parameters.seeds,
                weights | dict(change.objective),
            )
        ]
        small = parameters.data.model_copy(
            update={"train": parameters.ablation_train, "validation": parameters.ablation_validation}
        )
        for name, change in parameters.changes().items():
            planned += detection.cells(
                f"ablation/{name}",
                {"name": "convnet", **change.network},
                small.model_copy(update=dict(change.data)),
                parameters.ablation_epochs + change.more,
                parameters.ablation_seeds,
                weights | dict(change.objective),
                test=False,
                alone=change.alone,
            )
        return planned

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab.networks.detector import Detector
        from lab.recipes import Recipe
        from lab.training import precision_of

        outcome, model, data = detection.trained(cell, context)
        part = data.test if cell.settings["test"] else data.validation
        assert part is not None and isinstance(model, Detector)
        dtype = precision_of(Recipe.of(cell.settings["recipe"]), context.device, model)
        predicted = detection.predict(model, part.images, data, dtype)
        assert predicted.logits is not None
        outcome["predictions"] = experiments.as_text(predicted.logits.argmax(1).tolist())
        outcome["labels"] = experiments.as_text(part.labels[:, 0].tolist())
        if cell.settings["test"]:
            truth = part.labels[:, 1:].float().cpu()
            outcome["recall"] = detection.recall(predicted.objectness.cpu(), predicted.boxes.cpu(), truth)
            outcome["map_50"], outcome["map_50_95"] = detection.precisions(model, predicted, part.labels)
        return outcome

    def summarize(self, parameters: DetectorParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = {name: experiments.of(outcomes, name) for name in NETWORKS}
        variants = {
            f"{base}/{name}": found
            for base, changes in VARIANTS.items()
            for name, found in _there(outcomes, base, changes).items()
        }
        ablation = _there(outcomes, "ablation", parameters.changes())
        words = {name: parameters.changes()[name].words for name in ablation}
        changed = {name: found for name, found in ablation.items() if name != REFERENCE}
        accuracy = {name: [run["measured_accuracy"] for run in found] for name, found in runs.items()}
        differences = experiments.compared(
            {
                f"{one}/over_{other}_": (accuracy[one], accuracy[other])
                for other, one in combinations(NETWORKS, 2)
            }
        )
        for family in (  # a family a table
            *(
                _pairs(base, _there(outcomes, base, changes), runs[base], COMPARED)
                for base, changes in VARIANTS.items()
            ),
            *(_pairs("ablation", changed, ablation[REFERENCE], (suffix,)) for suffix in COMPARED),
        ):
            differences |= experiments.compared(family)
        metrics = _metrics(parameters, runs | variants, ablation)
        for key, one in differences.items():
            what = "mean IoU of the best proposal" if key.endswith("iou_") else "accuracy"
            metrics |= one.metrics(key, f"Difference of {what}")
        tables = {
            "results": _table(metrics, parameters),
            "loss_ends": detection.loss_table(
                metrics,
                NETWORKS,
                "The three losses of the detector: means over the last epoch of training, on mirrored and "
                f"shifted canvases, and on the {parameters.data.test:,} test canvases after it.",
            ),
            "networks": _networks_table(parameters, differences),
            "ablation": _ablation_table(metrics, parameters, words, differences, boxes=False),
            "ablation_boxes": _ablation_table(metrics, parameters, words, differences, boxes=True),
            "recipe": experiments.recipe_table({"All networks": _recipe(parameters)}),
        }
        for base, caption in (
            ("convnet", "What the head is shown in training, on the ConvNet"),
            ("mobilenet", "The MobileNet-like detector with and without its inner ReLU"),
        ):
            if any(name.startswith(f"{base}/") for name in variants):
                tables[f"{base}_variants"] = _variants_table(base, caption, metrics, parameters, differences)
        best = max(NETWORKS, key=lambda name: metrics[f"{name}/test_accuracy"].value)
        return Summary(
            metrics=metrics,
            tables=tables,
            figures={
                "losses": detection.losses(
                    {label: runs[name] for name, label in NETWORKS.items()},
                    "The three losses of the detector on each base network",
                ),
                "recall": detection.recall_chart(
                    runs[best],
                    f"Recall of the objects against the number of proposals per image, {NETWORKS[best]}; "
                    f"means over {parameters.seeds} seeds.",
                ),
                "differences": experiments.differences_chart(metrics, words, "the detector"),
            },
            findings=_findings(metrics, parameters, differences, words)
            | {"no_run_diverged": experiments.none_diverged(outcomes)},
        )

    def media(self, parameters: DetectorParameters, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        return {"canvases": _canvases(parameters.data)}


def _recipe(parameters: DetectorParameters) -> dict[str, Any]:
    return detection.recipe(parameters.epochs, parameters.data.mirror, parameters.data.shift)


def _there(
    outcomes: Mapping[str, Outcome], folder: str, changes: Mapping[str, Change]
) -> dict[str, list[Outcome]]:
    """The runs of each change that was run: older outcomes lack some."""
    found = {name: experiments.of(outcomes, f"{folder}/{name}") for name in changes}
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
            metrics[f"{name}/{key}"] = experiments.over_seeds(found, measure, f"{title}, {label}", unit)
        metrics[f"{name}/parameters"] = Metric(
            value=found[0]["parameters"], title=f"Parameters, {label}", unit="parameters"
        )
        metrics |= detection.loss_metrics(name, found, label)
    for key, value, title, unit in (
        ("train", parameters.ablation_train, "Training canvases of the ablation", "images"),
        ("validation", parameters.ablation_validation, "Canvases that judge the ablation", "images"),
        ("epochs", parameters.ablation_epochs, "Epochs of the ablation", "epochs"),
        ("seeds", parameters.ablation_seeds, "Seeds of the ablation", ""),
    ):
        metrics[f"ablation/{key}"] = Metric(value=value, title=title, unit=unit)
    for name, found in ablation.items():
        words = parameters.changes()[name].words
        for key, measure, title in (
            ("accuracy", "measured_accuracy", "Validation accuracy"),
            ("iou", "measured_iou", "Mean IoU on validation canvases"),
        ):
            metrics[f"ablation/{name}/{key}"] = experiments.over_seeds(found, measure, f"{title}: {words}")
    return metrics


def _findings(
    metrics: Mapping[str, Metric],
    parameters: DetectorParameters,
    differences: Mapping[str, Comparison],
    words: Mapping[str, str],
) -> dict[str, Finding]:
    def reached(name: str) -> bool:
        low = metrics[f"{name}/test_accuracy"].low
        return low is not None and low >= parameters.published[name]

    def holds(statement: str, keys: Sequence[str], verdict: str) -> Finding:
        return Finding(
            statement=f"{statement}, after Holm's correction within its table",
            holds=all(differences[key].verdict == verdict for key in keys),
            metrics=tuple(f"{key}difference" for key in keys),
        )

    findings = {
        "published_reached": Finding(
            statement="The interval of every network lies above the published accuracy",
            holds=all(map(reached, NETWORKS)),
            metrics=tuple(f"{name}/test_accuracy" for name in NETWORKS),
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
    for key, one, other in _network_pairs():
        found = differences[key]
        difference = builders.shown(f"{key}difference", "points", ci=True, unit=True)
        size = builders.shown(f"{key}difference", "points", ci=True, unit=True, unsigned=True)
        findings[key.replace("/", "_").rstrip("_")] = builders.comparison(
            f"The detector is more accurate on the {one} than on the {other}",
            f"{key}difference",
            found.difference,
            adjusted_p=1.0 if found.p is None else found.p,
            more=f"On the {one}, the detector is significantly more accurate than on the {other}, by {size}.",
            less=f"On the {one}, the detector is significantly less accurate than on the {other}, by {size}.",
            same=f"On the {one} and on the {other}, the accuracy of the detector does not differ "
            f"significantly: the difference is {difference}.",
        )
    findings["class_overfits"] = builders.statement(
        "On every base network, the loss of the class is higher on test canvases than in training",
        all(
            metrics[f"{name}/test_class_loss"].value > metrics[f"{name}/train_class_loss"].value
            for name in NETWORKS
        ),
        *(f"{name}/{part}_class_loss" for name in NETWORKS for part in ("train", "test")),
    )
    for name, label in NETWORKS.items():
        findings[f"{name}_reaches_published"] = Finding(
            statement=f"The interval of the {label} lies above the published accuracy",
            holds=reached(name),
            metrics=(f"{name}/test_accuracy",),
        )
    changes = [(f"ablation/{name}", name, said) for name, said in words.items() if name != REFERENCE]
    changes += [
        (f"{base}/{name}", f"full_{name}", change.words)
        for base, variants in VARIANTS.items()
        for name, change in variants.items()
        if f"{base}/{name}/" in differences
    ]
    for key, name, said in changes:
        for suffix, box, what in (("", "", "accuracy"), ("iou_", "box_", "IoU of the best proposal")):
            for found, verdict, word in (("helps", "more", "higher"), ("hurts", "less", "lower")):
                findings[f"{name}_{box}{found}"] = holds(
                    f"With {said}, the {what} is {word}", (f"{key}/{suffix}",), verdict
                )
    families = (
        ("", "help", "more", "raises accuracy significantly", "raise accuracy significantly"),
        ("", "hurt", "less", "lowers accuracy significantly", "lower accuracy significantly"),
        (
            "iou_",
            "fit",
            "more",
            "improves the best proposal significantly",
            "improve the best proposal significantly",
        ),
        (
            "iou_",
            "misfit",
            "less",
            "impairs the best proposal significantly",
            "impair the best proposal significantly",
        ),
    )
    for suffix, key, verdict, one, many in families:
        members = {
            said: differences[f"ablation/{name}/{suffix}"].verdict == verdict
            for name, said in words.items()
            if name != REFERENCE
        }
        findings[f"changes_that_{key}"] = builders.family(
            f"Some change of the ablation {one}",
            members,
            *(f"ablation/{name}/{suffix}difference" for name in words if name != REFERENCE),
            none=f"No change {one}.",
            one=f"One change {one}: {{members}}.",
            many=f"These changes {many}: {{members}}.",
        )
    return findings


SHARE: dict[str, Any] = {"type": "number", "unit": "%", "format": ".1f", "scale": 100}
IOU: dict[str, Any] = {"type": "number", "format": ".3f"}


def _table(metrics: Mapping[str, Metric], parameters: DetectorParameters) -> Table:
    rows: list[dict[str, Any]] = []
    for name, label in NETWORKS.items():
        found = {key: metrics[f"{name}/{key}"] for key in (*MEASURED, "parameters")}
        cells: dict[str, Any] = {key: one.value for key, one in found.items() if key != "training_seconds"}
        cells |= {"network": label, "test_accuracy": builders.estimate(found["test_accuracy"], "seeds")}
        rows.append(cells | {"published": parameters.published[name]})
    return builders.table(
        f"Faster R-CNN on {parameters.data.test:,} test canvases, with three kinds of base network: means "
        f"over {counted(parameters.seeds, 'seeds')}, with Student's 95% intervals over them. Published: one "
        "run in a student's notebook. mAP: mean average precision at an intersection over union (IoU) of "
        f"0.5, and over IoUs from 0.5 to 0.95, of up to {detection.DETECTIONS} proposals per image.",
        {
            "network": builders.text("Base network"),
            "test_accuracy": builders.percent("Test accuracy", best="highest"),
            "published": builders.percent("Published"),
            "map_50": builders.percent("mAP, 0.5"),
            "map_50_95": builders.percent("mAP, 0.5–0.95"),
            "mean_iou": builders.number("Mean IoU", ".3f"),
            "centre_error_px": builders.number("Centre error", ".2f", "pixels"),
            "parameters": builders.integer("Parameters"),
        },
        rows,
        notes=("The accuracy is of the class that the head names at the best proposal.",),
    )


def _networks_table(parameters: DetectorParameters, differences: Mapping[str, Comparison]) -> Table:
    rows = [
        {"comparison": f"{one} less {other}", **differences[key].cells()}
        for key, one, other in _network_pairs()
    ]
    return builders.table(
        "The detector on one base network compared with that on another: difference in test accuracy "
        "(percentage points).",
        {
            "comparison": builders.text("Comparison"),
            "difference": builders.number("Difference", "+.1f", scale=100.0),
            "p": builders.number("Adjusted p", ".3f"),
            "verdict": builders.text("Verdict"),
        },
        rows,
        notes=(
            f"Paired by seed (n = {parameters.seeds}), with Student's 95% intervals over seeds; p-values are "
            "adjusted by Holm's method for the comparisons of the table.",
        ),
    )


def _network_pairs() -> list[tuple[str, str, str]]:
    """Name of each comparison, and the two networks in words."""
    return [
        (f"{one}/over_{other}_", NETWORKS[one], NETWORKS[other]) for other, one in combinations(NETWORKS, 2)
    ]


def _variants_table(
    base: str,
    caption: str,
    metrics: Mapping[str, Metric],
    parameters: DetectorParameters,
    differences: Mapping[str, Comparison],
) -> Table:
    """The detector on a network, and what is compared with it at its own budget."""
    rows = []
    names = {"": "The detector as it is"} | {name: one.words for name, one in VARIANTS[base].items()}
    for name, said in names.items():
        prefix = f"{base}/{name}".rstrip("/")
        if f"{prefix}/test_accuracy" not in metrics:
            continue
        cells: dict[str, Any] = {"variant": said[:1].upper() + said[1:]}
        cells |= {key: metrics[f"{prefix}/{key}"].value for key in ("test_accuracy", "mean_iou")}
        for suffix in COMPARED if name else ():
            cells |= differences[f"{prefix}/{suffix}"].cells(suffix)
        rows.append(Row(cells=cells))
    return Table(
        caption=f"{caption}, on {parameters.data.test:,} test canvases.",
        columns=(
            Column(key="variant", label="Detector"),
            Column(key="test_accuracy", label="Test accuracy", **SHARE),
            *experiments.comparison_columns(),
            Column(key="mean_iou", label="Mean IoU", **IOU),
            *experiments.comparison_columns("iou_", fractions=False),
        ),
        rows=tuple(rows),
        notes=(experiments.comparison_note(parameters.seeds),),
    )


def _ablation_table(
    metrics: Mapping[str, Metric],
    parameters: DetectorParameters,
    words: Mapping[str, str],
    differences: Mapping[str, Comparison],
    *,
    boxes: bool,
) -> Table:
    """By accuracy, or by how well the best proposal fits: each table is a family of comparisons."""
    measured, suffix, label = ("iou", "iou_", "Mean IoU") if boxes else ("accuracy", "", "Accuracy")
    rows = []
    for name, said in words.items():
        cells: dict[str, Any] = {"change": said[:1].upper() + said[1:]}
        cells["measured"] = metrics[f"ablation/{name}/{measured}"].value
        if name != REFERENCE:
            cells |= differences[f"ablation/{name}/{suffix}"].cells()
        rows.append(Row(cells=cells))
    what = "the best proposal's IoU" if boxes else "accuracy"
    return Table(
        caption=f"Ablation of the detector: {what} on {parameters.ablation_validation:,} validation canvases "
        "when one choice is changed.",
        columns=(
            Column(key="change", label="Change"),
            Column(key="measured", label=label, **(IOU if boxes else SHARE)),
            *experiments.comparison_columns(fractions=not boxes),
        ),
        rows=tuple(rows),
        notes=(
            f"ConvNet; {parameters.ablation_train:,} training canvases and {parameters.ablation_epochs} "
            "epochs unless the change says more: a smaller budget than the detectors'.",
            experiments.comparison_note(parameters.ablation_seeds),
        ),
    )


def _canvases(choice: CanvasChoice) -> Pictures:
    """The first training and test canvases with their true boxes, each beside what the head is shown of it
    where the box is right.
    """
    import torch

    from analyses.pictures import shown
    from lab.detection import crop, theta

    data, classes = detection.load(choice, "cpu")
    assert data.test is not None
    found = []
    for split, part in (("Training", data.train), ("Test", data.test)):
        images = part.images[:SHOWN].contiguous()
        boxes = part.labels[:SHOWN, 1:].float()
        seen = crop(images.float(), theta(boxes), 32).clamp(0, 255).round().to(torch.uint8)
        labels = part.labels[:SHOWN].tolist()
        for image, within, (kind, row, column, width) in zip(images, seen, labels, strict=True):
            box = Box(row=row, column=column, width=width, style="truth")
            found.append(Picture(png=shown(image), title=f"{split}: {classes[kind]}", boxes=(box,)))
            found.append(Picture(png=shown(within), title="through the transformer"))
    return Pictures(
        caption="Training and test canvases with their true boxes, each beside what the spatial transformer "
        "makes of it within the true box, which is what the head of the detector is shown.",
        alt=f"{SHOWN} training and {SHOWN} test canvases, each beside the part within its box.",
        columns=6,
        pictures=tuple(found),
        legend=(("truth", "True box"),),
    )


analysis = FasterRcnn()

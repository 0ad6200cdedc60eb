"""detection.faster_rcnn: what is it, and where? One network proposes, looks there, and names.

After CIS 680 (2017), homework 3, part 3. Three kinds of stage, trained end to end with three losses. To
beat: test accuracies of 0.5846 (ConvNet), 0.4353 (MobileNet-like) and 0.6366 (ResNet-like), one student's
run each. The ablation changes one choice at a time, at a smaller budget that its table names, on held-out
training canvases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from analyses import experiments
from analyses.detection import _detection as detection
from analyses.detection._detection import FRACTION, NETWORKS, CanvasChoice
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results.schema import Axis, Column, Finding, Metric, Row, Table

REFERENCE = "reference"
LOSSES = {"objectness": "Objectness", "box": "Box", "class": "Class"}


class DetectorParameters(Parameters):
    """box_weight: of the box loss, whose offsets are small. ablation_…: the smaller budget of the ablation,
    whose canvases are of the training list alone.
    """

    data: CanvasChoice = CanvasChoice()
    seeds: int = Field(2, ge=1)  # a run takes about a quarter of an hour on one core
    epochs: int = Field(20, ge=1)  # of 100 steps: 2,000
    box_weight: float = Field(10.0, ge=0)
    ablation_seeds: int = Field(3, ge=1)
    ablation_train: int = Field(2_000, ge=1)
    ablation_validation: int = Field(2_000, ge=1)
    ablation_epochs: int = Field(8, ge=2)  # one of each of two phases
    published: dict[str, float] = Field(  # a student's notebook, one run
        default={"convnet": 0.5846, "mobilenet": 0.4353, "resnet": 0.6366}
    )

    def changes(self) -> dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
        """Name → words, what is changed of the network, of the objective, and of the rest."""
        return {
            REFERENCE: ("the detector as it is", {}, {}, {}),
            "truth": ("the true box shown to the head in training", {}, {"truth": True}, {}),
            "roi_align": ("RoIAlign instead of the spatial transformer", {"by": "roi_align"}, {}, {}),
            "dropout": ("dropout of a half in the head", {"dropout": 0.5}, {}, {}),
            "equal_weights": ("all losses weighted alike", {}, {"weights": (1.0, 1.0, 1.0)}, {}),
            "two_phases": ("proposals alone in the first half", {}, {}, {"alone": self.ablation_epochs // 2}),
            "still": ("canvases neither mirrored nor moved", {}, {}, {"data": {"mirror": False, "shift": 0}}),
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

    def plan(self, parameters: DetectorParameters) -> list[Cell]:
        weights = {"weights": (1.0, parameters.box_weight, 1.0)}
        planned = [
            cell
            for name in NETWORKS
            for cell in detection.cells(
                name, {"name": name}, parameters.data, parameters.epochs, parameters.seeds, weights
            )
        ]
        small = parameters.data.model_copy(
            update={"train": parameters.ablation_train, "validation": parameters.ablation_validation}
        )
        for name, (_, network, objective, rest) in parameters.changes().items():
            alone = rest.get("alone", 0)
            data = small.model_copy(update=rest.get("data", {}))
            planned += detection.cells(
                f"ablation/{name}",
                {"name": "convnet", **network},
                data,
                parameters.ablation_epochs - alone,
                parameters.ablation_seeds,
                weights | objective,
                test=False,
                alone=alone,
            )
        return planned

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab.recipes import Recipe
        from lab.training import precision_of

        outcome, model, data = detection.trained(cell, context)
        if cell.settings["test"]:
            assert data.test is not None
            truth = data.test.labels[:, 1:].float().cpu()
            dtype = precision_of(Recipe.of(cell.settings["recipe"]), context.device, model)
            objectness, boxes, _ = detection.seen_by(model, data.test.images, data, dtype)
            outcome["recall"] = detection.recall(objectness.cpu(), boxes.cpu(), truth)
            outcome["map_50"], outcome["map_50_95"] = detection.precisions(
                model, data.test.images, data.test.labels, data, dtype
            )
        return outcome

    def summarize(self, parameters: DetectorParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = {name: experiments.of(outcomes, name) for name in NETWORKS}
        ablation = {name: experiments.of(outcomes, f"ablation/{name}") for name in parameters.changes()}
        words = {name: said for name, (said, *_) in parameters.changes().items()}
        metrics: dict[str, Metric] = {}
        for name, label in NETWORKS.items():
            for key, measure, title, unit in (
                ("test_accuracy", "measured_accuracy", "Test accuracy", FRACTION),
                ("map_50", "map_50", "Mean average precision at IoU 0.5", FRACTION),
                ("map_50_95", "map_50_95", "Mean average precision at IoU 0.5 to 0.95", FRACTION),
                ("mean_iou", "measured_iou", "Mean IoU of the best proposal", FRACTION),
                ("centre_error_px", "measured_centre_error", "Mean centre error", "pixels"),
                ("training_seconds", "training_seconds", "Training time", "seconds"),
            ):
                metrics[f"{name}/{key}"] = experiments.over_seeds(
                    runs[name], measure, f"{title}, {label}", unit
                )
            metrics[f"{name}/parameters"] = Metric(
                value=runs[name][0]["parameters"], title=f"Parameters, {label}", unit="parameters"
            )
        for key, value, title, unit in (
            ("train", parameters.ablation_train, "Training canvases of the ablation", "images"),
            ("validation", parameters.ablation_validation, "Canvases that judge the ablation", "images"),
            ("epochs", parameters.ablation_epochs, "Epochs of the ablation", "epochs"),
            ("seeds", parameters.ablation_seeds, "Seeds of the ablation", ""),
        ):
            metrics[f"ablation/{key}"] = Metric(value=value, title=title, unit=unit)
        metrics |= _differences(parameters, ablation)
        accuracy = {name: metrics[f"{name}/test_accuracy"] for name in NETWORKS}
        best = max(NETWORKS, key=lambda name: accuracy[name].value)
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(metrics, parameters),
                "ablation": _ablation_table(metrics, parameters),
                "recipe": experiments.recipe_table(
                    {
                        "All networks": detection.recipe(
                            parameters.epochs, parameters.data.mirror, parameters.data.shift
                        )
                    }
                ),
            },
            figures={
                **{
                    f"losses_{name}": detection.history_chart(
                        runs[name],
                        {f"train/{key}_loss": word for key, word in LOSSES.items()},
                        f"The three training losses of the detector on the {label} by epoch.",
                        "Losses of objectness, box and class",
                        Axis(label="Loss", scale="log"),
                    )
                    for name, label in NETWORKS.items()
                },
                "recall": detection.recall_chart(
                    runs[best],
                    f"Recall of the objects against the number of proposals an image, {NETWORKS[best]}.",
                ),
                "differences": experiments.differences_chart(metrics, words, "the detector"),
            },
            findings={
                "published_reached": Finding(
                    statement="Every network reaches the published accuracy",
                    holds=all(accuracy[name].value >= parameters.published[name] for name in NETWORKS),
                    metrics=tuple(f"{name}/test_accuracy" for name in NETWORKS),
                ),
                **{
                    f"{name}_reaches_published": Finding(
                        statement=f"{label} reaches the published accuracy",
                        holds=accuracy[name].value >= parameters.published[name],
                        metrics=(f"{name}/test_accuracy",),
                    )
                    for name, label in NETWORKS.items()
                },
                "residual_is_best": Finding(
                    statement="The residual network is the most accurate",
                    holds=best == "resnet",
                    metrics=tuple(f"{name}/test_accuracy" for name in NETWORKS),
                ),
                **experiments.verdicts(metrics, words, "With {}, the change {}"),
                **{
                    f"{name}_box_{found}": Finding(
                        statement=f"With {said}, the best proposal fits {word}",
                        holds=experiments.verdict(metrics[f"ablation/{name}/iou_difference"]) == found,
                        metrics=(f"ablation/{name}/iou_difference",),
                    )
                    for name, said in words.items()
                    if name != REFERENCE
                    for found, word in (("helps", "better"), ("hurts", "worse"))
                },
                "no_run_diverged": experiments.none_diverged(outcomes),
            },
        )


def _differences(
    parameters: DetectorParameters, ablation: Mapping[str, Sequence[Outcome]]
) -> dict[str, Metric]:
    """Validation accuracy of each change, and its paired difference to the reference, seed by seed."""
    from lab.evaluation import paired_over_seeds

    metrics = {}
    for name, (words, *_) in parameters.changes().items():
        for key, measure in (("accuracy", "measured_accuracy"), ("iou", "measured_iou")):
            metrics[f"ablation/{name}/{key}"] = experiments.over_seeds(
                ablation[name], measure, f"Validation {'IoU' if key == 'iou' else key}: {words}"
            )
        if name != REFERENCE:
            for key, measure, title in (
                ("difference", "measured_accuracy", "Change of validation accuracy"),
                ("iou_difference", "measured_iou", "Change of the mean IoU of the best proposal"),
            ):
                difference = paired_over_seeds(
                    *([run[measure] for run in runs] for runs in (ablation[name], ablation[REFERENCE]))
                ).difference
                metrics[f"ablation/{name}/{key}"] = experiments.metric(difference, f"{title}: {words}")
    return metrics


def _table(metrics: Mapping[str, Metric], parameters: DetectorParameters) -> Table:
    number: dict[str, Any] = {"type": "number", "format": ".4f"}
    rows = []
    for name, label in NETWORKS.items():
        found = {
            key.removeprefix(f"{name}/"): one for key, one in metrics.items() if key.startswith(f"{name}/")
        }
        rows.append(
            Row(
                cells={
                    "network": label,
                    "low": found["test_accuracy"].low,
                    "high": found["test_accuracy"].high,
                    "published": parameters.published[name],
                    **{
                        key: found[key].value
                        for key in ("test_accuracy", "map_50", "map_50_95", "mean_iou", "centre_error_px")
                    },
                    "parameters": found["parameters"].value,
                }
            )
        )
    return Table(
        caption="Faster R-CNN on the test canvases, with three kinds of base network.",
        columns=(
            Column(key="network", label="Network"),
            Column(key="test_accuracy", label="Test accuracy", **number),
            Column(key="low", label="95% from", **number),
            Column(key="high", label="to", **number),
            Column(key="published", label="Published", **number),
            Column(key="map_50", label="mAP at 0.5", **number),
            Column(key="map_50_95", label="mAP at 0.5 to 0.95", **number),
            Column(key="mean_iou", label="Mean IoU", type="number", format=".3f"),
            Column(key="centre_error_px", label="Centre error", unit="pixels", type="number", format=".2f"),
            Column(key="parameters", label="Parameters", type="integer"),
        ),
        rows=tuple(rows),
        notes=(
            f"Number of seeds: {parameters.seeds}. The accuracy is of the class that the head names at the "
            f"best proposal; average precision counts up to {detection.DETECTIONS} proposals an image.",
        ),
    )


def _ablation_table(metrics: Mapping[str, Metric], parameters: DetectorParameters) -> Table:
    rows = []
    for name, (words, *_) in parameters.changes().items():
        cells: dict[str, Any] = {
            "change": words[:1].upper() + words[1:],
            "accuracy": metrics[f"ablation/{name}/accuracy"].value,
            "iou": metrics[f"ablation/{name}/iou"].value,
        }
        difference = metrics.get(f"ablation/{name}/difference")
        if difference:
            cells |= {"difference": difference.value, "low": difference.low, "high": difference.high}
            cells["verdict"] = experiments.verdict(difference)
        rows.append(Row(cells=cells))
    signed: dict[str, Any] = {"type": "number", "format": "+.4f"}
    return Table(
        caption="What each choice of the detector is worth: validation accuracy when one is changed.",
        columns=(
            Column(key="change", label="Change"),
            Column(key="accuracy", label="Accuracy", type="number", format=".4f"),
            Column(key="iou", label="Mean IoU", type="number", format=".3f"),
            Column(key="difference", label="Difference", **signed),
            Column(key="low", label="95% from", **signed),
            Column(key="high", label="to", **signed),
            Column(key="verdict", label="The change"),
        ),
        rows=tuple(rows),
        notes=(
            f"ConvNet; {parameters.ablation_train:,} training canvases, {parameters.ablation_epochs} epochs, "
            f"{parameters.ablation_seeds} seeds: a smaller budget than the detectors'. Differences of "
            "accuracy are paired by seed, with Student's interval.",
        ),
    )


analysis = FasterRcnn()

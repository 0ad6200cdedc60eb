"""detection.region_proposals: where is the object? Proposals of a small region proposal network.

After CIS 680 (2017), homework 3, part 2: an objectness and a box for each of 6×6 cells, on the canvases of
the Transformed CIFAR-10. Expected: a mean IoU of the best proposal of at least 0.8. The text's positive
threshold of 0.7 leaves nearly half of the images without a positive cell, so 0.5 is the default, and both
are trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from analyses import comparing, recipe_tables, records
from analyses.comparing import Comparison
from analyses.detection import _detection as detection
from analyses.detection import _detection_charts as charts
from analyses.detection._canvases import (
    QUICK,
    CanvasChoice,
    CanvasExperiment,
    CanvasParameters,
    check_canvases,
)
from analyses.plugin import Cell, Context, Outcome, Profile, Summary
from lab.canvas import ANCHOR, CANVAS, NEGATIVE, OBJECTS, STRIDE
from lab.recipes import Recipe
from results import builders
from results.builders import FRACTION
from results.schema import Metric, Table
from results.text import counted

PUBLISHED_THRESHOLD = 0.7
NETWORK = "Proposal network"
MEASURED = {  # name of the metric → what is measured, title, unit
    "test_accuracy": (
        "measured_pointwise_accuracy",
        "Share of the labelled cells that are classified correctly",
        FRACTION,
    ),
    "mean_iou": ("measured_iou", "Mean IoU of the best proposal", FRACTION),
    "centre_error_px": ("measured_centre_error", "Mean distance of its centre from the true one", "pixels"),
    "regression_loss": ("measured_box_loss", "Smooth L1 loss of the positive cells' boxes", ""),
}


class ProposalParameters(CanvasParameters):
    """positive: IoU above which a cell is positive. box_weight: of the box loss, as the offsets are small.

    Both were chosen in single runs on held-out canvases of the training list.
    """

    seeds: int = Field(3, ge=1)
    epochs: int = Field(20, ge=1)  # of 100 steps
    positive: float = Field(0.5, ge=0.1, le=1)
    box_weight: float = Field(10.0, ge=0)


class RegionProposals(CanvasExperiment[ProposalParameters]):
    id = "detection.region_proposals"
    title = "Region proposals on a small canvas"
    question = "How well does a small network propose where the object is?"

    def parameters(self, profile: Profile) -> ProposalParameters:
        if profile == "quick":
            return ProposalParameters(data=QUICK, seeds=2, epochs=2)
        return ProposalParameters()

    def check(self, parameters: ProposalParameters) -> None:
        check_canvases(parameters.data, named=False)

    def plan(self, parameters: ProposalParameters) -> list[Cell]:
        return [
            cell
            for name, positive in _thresholds(parameters).items()
            for cell in detection.cells(
                name,
                {"name": "convnet", "head": False},
                parameters.data,
                parameters.epochs,
                parameters.seeds,
                {"positive": positive, "weights": (1.0, parameters.box_weight, 0.0)},
            )
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab.detection import coverage, mask
        from lab.training import precision_of

        outcome, model, data = detection.trained(cell, context)
        assert data.test is not None
        truth = data.test.labels[:, 1:].float().cpu()
        dtype = precision_of(cell.settings["recipe"], context.device, model)
        predicted = detection.predict(model, data.test.images, data, dtype)
        asked = mask(truth, cell.settings["objective"]["positive"])
        return outcome | {
            "recall": detection.recall(predicted.objectness.cpu(), predicted.boxes.cpu(), truth),
            "coverage": coverage(truth, cell.settings["objective"]["positive"]),
            "positive_cells": (asked == 1).float().mean().item(),
            "negative_cells": (asked == 0).float().mean().item(),
        }

    def summarize(self, parameters: ProposalParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = {name: records.runs_named(outcomes, name) for name in _thresholds(parameters)}
        metrics: dict[str, Metric] = {}
        for name, found in runs.items():
            for key, (measure, title, unit) in MEASURED.items():
                metrics[f"{name}/{key}"] = records.over_seeds(found, measure, title, unit)
            for key, title in (
                ("coverage", "Share of the test images with a positive cell"),
                ("positive_cells", "Positive cells"),
                ("negative_cells", "Negative cells"),
            ):
                metrics[f"{name}/{key}"] = builders.metric(found[0][key], title, FRACTION)
            metrics[f"{name}/positive_threshold"] = builders.metric(
                _thresholds(parameters)[name], "IoU above which a cell is positive"
            )
        metrics |= builders.metrics(
            "training/",
            seeds=(len(runs["proposal"]), "Seeds", "seeds"),
            test=(parameters.data.test, "Test canvases", "images"),
            canvas=(CANVAS, "Height and width of a canvas", "pixels"),
            smallest=(OBJECTS[0], "Smallest width of an object", "pixels"),
            largest=(OBJECTS[1], "Largest width of an object", "pixels"),
            anchor=(ANCHOR, "Width of an anchor", "pixels"),
            stride=(STRIDE, "Distance of neighbouring anchors", "pixels"),
            cells=((CANVAS // STRIDE) ** 2, "Cells of the map", "cells"),
            negative=(NEGATIVE, "IoU up to which an anchor is background", ""),
            epochs=(parameters.epochs, "Epochs", "epochs"),
            images=(parameters.data.train, "Training canvases", "images"),
        )
        main = runs["proposal"]
        for name, found in runs.items():
            words = f"cells positive above {_thresholds(parameters)[name]:g}"
            metrics |= charts.loss_metrics(name, found, words)
        best, positive = detection.unrefined(parameters.positive)
        for key, value, title in (
            ("best", best, "Mean IoU of an object with the best anchor"),
            ("positive", positive, "Mean IoU of an object with a positive anchor"),
        ):
            metrics[f"anchor/{key}_iou"] = builders.metric(
                value, f"{title}, on drawn places and widths", FRACTION
            )
        for overlap in ("0.5", "0.7", "0.9"):
            for place, count in ((0, "first"), (-1, "all")):
                values = [{"recall": run["recall"][overlap][place]} for run in main]
                metrics[f"proposal/recall_{count}_{overlap}"] = records.over_seeds(
                    values,
                    "recall",
                    f"Recall at IoU {overlap} with {detection.PROPOSALS[place]} proposals an image",
                )
        iou = {name: [run["measured_iou"] for run in found] for name, found in runs.items()}
        closer = comparing.compared({"": (iou["proposal"], iou["published"])})[""]
        metrics |= closer.metrics(
            "proposal/over_published_", "Mean IoU with the default threshold less that with the text's"
        )
        strict = metrics["published/coverage"].value
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(metrics, runs, parameters.data),
                "comparison": _comparison_table(closer, len(main)),
                "loss_ends": charts.loss_table(
                    metrics,
                    {name: f"{threshold:g}" for name, threshold in _thresholds(parameters).items()},
                    "Positive above IoU",
                    "The two losses of the proposal network with two thresholds for a positive cell, without "
                    f"their weights: running means of the last epoch on {parameters.data.train:,} training "
                    f"canvases of {parameters.data.title}, and on {parameters.data.test:,} test canvases "
                    f"after it. Means over {counted(len(main), 'seeds')}; IoU: intersection over union. Each "
                    "row is over the cells that are labelled under its own threshold.",
                    ".4f",
                ),
                "recipe": recipe_tables.recipe_table(
                    _recipes(parameters),
                    {
                        NETWORK: detection.choices(
                            f"{parameters.positive:g} or {PUBLISHED_THRESHOLD:g}",
                            {"objectness": 1, "box": parameters.box_weight},
                        )
                    },
                    "Hyper-parameters of the proposal network.",
                ),
            },
            figures={
                "losses": charts.losses(
                    {
                        f"Positive above {threshold:g}": runs[name]
                        for name, threshold in _thresholds(parameters).items()
                    },
                    "The two losses of the proposal network with two thresholds of the intersection over "
                    "union (IoU) above which a cell is positive, on "
                    f"{parameters.data.train:,} training canvases of {parameters.data.title},",
                ),
                "recall": charts.recall_chart(
                    main,
                    "Recall of the objects against the number of proposals per image, by required IoU; means "
                    f"over {counted(len(main), 'seeds')}.",
                ),
            },
            findings={
                "published_threshold_leaves_out": builders.statement(
                    "With the threshold of the text, more than a third of the images have no positive cell",
                    strict < 2 / 3,
                    "published/coverage",
                ),
                "default_covers_all": builders.statement(
                    "With the default threshold, every image has a positive cell",
                    metrics["proposal/coverage"].value == 1,
                    "proposal/coverage",
                ),
                **{
                    f"{name}_is_closer": builders.statement(
                        f"With {words} the best proposal has a significantly higher mean IoU",
                        closer.verdict == verdict,
                        "proposal/over_published_difference",
                    )
                    for name, words, verdict in (
                        ("default", "the default threshold", "more"),
                        ("published", "the threshold of the text", "less"),
                    )
                },
                "does_not_overfit": builders.statement(
                    "With either threshold, no loss on the test canvases is more than a quarter above that "
                    "in training",
                    all(
                        metrics[f"{name}/test_{key}_loss"].value
                        <= 1.25 * metrics[f"{name}/train_{key}_loss"].value
                        for name in runs
                        for key in ("objectness", "box")
                    ),
                    *(f"{name}/{part}_box_loss" for name in runs for part in ("train", "test")),
                ),
                "no_run_diverged": records.none_diverged(outcomes),
            },
            note=_note(parameters),
        )


def _note(parameters: ProposalParameters) -> str:
    where = "as published" if parameters.data.boxes == "published" else "drawn by seed"
    ground = "the mean colour" if parameters.data.background == "mean" else "another image"
    return f"Boxes {where}; the background is {ground}, as that of the exercise is not known."


def _thresholds(parameters: ProposalParameters) -> dict[str, float]:
    return {"proposal": parameters.positive, "published": PUBLISHED_THRESHOLD}


def _recipes(parameters: ProposalParameters) -> dict[str, Recipe]:
    return {NETWORK: detection.recipe(parameters.epochs, parameters.data.mirror, parameters.data.shift)}


def _comparison_table(closer: Comparison, seeds: int) -> Table:
    return builders.table(
        "Mean IoU of the best proposal with the lower threshold for a positive cell minus that with the "
        "higher one.",
        {
            "difference": builders.number("Difference of IoU", "+.3f"),
            "p": builders.number("p", ".3f"),
            "verdict": builders.text("Verdict"),
        },
        [closer.cells()],
        notes=(f"Paired by seed (n = {seeds}); p is from Student's test.",),
    )


def _table(metrics: Mapping[str, Metric], runs: Mapping[str, Any], data: CanvasChoice) -> Table:
    rows = []
    for name in runs:
        rows.append(
            {
                "threshold": metrics[f"{name}/positive_threshold"].value,
                "coverage": metrics[f"{name}/coverage"].value,
                "test_accuracy": metrics[f"{name}/test_accuracy"].value,
                "mean_iou": metrics[f"{name}/mean_iou"],
                "centre_error_px": metrics[f"{name}/centre_error_px"],
            }
        )
    return builders.table(
        f"Best proposals on {data.test:,} test canvases of {data.title}, of networks trained with two "
        "thresholds of the intersection over union (IoU) above which a cell is positive.",
        {
            "threshold": builders.number("Positive above IoU", ".1f"),
            "coverage": builders.percent("Images with a positive cell"),
            "test_accuracy": builders.percent("Cell accuracy", 2),
            "mean_iou": builders.number("Mean IoU", ".3f"),
            "centre_error_px": builders.number("Centre error", ".2f", "pixels"),
        },
        rows,
        notes=(
            f"Means over {counted(len(runs['proposal']), 'seeds')}. IoU and centre error are of the proposal "
            "with the highest objectness. Each row's accuracy is over the cells that are labelled under its "
            "own threshold.",
        ),
    )


analysis = RegionProposals()

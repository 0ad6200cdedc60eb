"""What the example of average precision shows: metrics, tables, figures and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.concepts import _average_precision_tables as tables
from analyses.concepts._average_precision_figures import curve_figure, detections_figure, overlap_figure
from analyses.concepts._average_precision_ranking import Overlaps, averages_of, of_class, rank
from analyses.concepts._average_precision_settings import AveragePrecisionParameters
from analyses.concepts._average_precision_suppression import suppression_summary
from analyses.plugin import Outcome, Summary
from results import builders
from results.builders import FRACTION
from results.schema import Metric


def summary(parameters: AveragePrecisionParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    (outcome,) = outcomes.values()
    kinds = sorted({one.kind for one in parameters.truth})
    ranking = rank(parameters, outcome["overlaps"])
    averages = {kind: averages_of(parameters, outcome["overlaps"], kind) for kind in kinds}
    means = {key: sum(one[key] for one in averages.values()) / len(kinds) for key in averages[kinds[0]]}
    metrics = _example_metrics(parameters, ranking, outcome["overlaps"]) | {
        f"{name}/{key}": builders.metric(value, f"{title} {convention}", FRACTION)
        for name, title, found in (
            *((kind, f"Average precision of {kind},", averages[kind]) for kind in kinds),
            ("mean", "Mean average precision,", means),
        )
        for key, value in found.items()
        for convention in (_in_words(parameters, key),)
    }
    shown = {
        "worked": tables.worked_table(parameters, outcome["overlaps"]),
        "ranking": tables.ranking_table(parameters, ranking),
        "conventions": tables.conventions_table(parameters, averages, means),
    }
    figures: dict[str, Any] = {
        "overlap": overlap_figure(parameters, outcome["overlaps"]),
        "detections": detections_figure(parameters, outcome["overlaps"]),
        "curve": curve_figure(parameters, ranking),
    }
    suppression = suppression_summary(parameters, outcome)
    spread = max(means[key] for key in CONVENTIONS) - min(means[key] for key in CONVENTIONS)
    metrics["spread"] = builders.metric(
        spread, "Largest difference of mean average precision by convention", FRACTION
    )
    return Summary(
        metrics={**metrics, **suppression.metrics},
        tables={**shown, **suppression.tables},
        figures={**figures, **suppression.figures},
        findings={
            "conventions_differ": builders.statement(
                "The conventions give different mean average precisions", spread > 1e-9, "spread"
            ),
            "some_are_missed": builders.statement(
                "Some true boxes of the shown class are not found",
                metrics["found"].value < metrics["truths"].value,
                "found",
                "truths",
            ),
            "one_is_missed": builders.statement(
                "One true box of the shown class is not found, and the best detection of it fits too badly",
                metrics["truths"].value - metrics["found"].value == 1
                and metrics["missed_iou"].value < parameters.threshold,
                "missed_iou",
                "found",
                "truths",
            ),
            "strict_is_lower": builders.statement(
                "Over stricter thresholds the mean average precision is lower",
                means["strict"] < means["coco"],
                "mean/strict",
                "mean/coco",
            ),
            **suppression.findings,
        },
    )


CONVENTIONS = {"eleven": "at 11 points", "envelope": "area", "coco": "at 101 points"}


def _in_words(parameters: AveragePrecisionParameters, key: str) -> str:
    at = f"IoU {parameters.threshold:g}"
    return {
        "eleven": f"11 points, {at}",
        "envelope": f"area below the envelope, {at}",
        "coco": f"101 points, {at}",
        "plain": f"area without interpolation, {at}",
        "strict": "101 points, IoU 0.5 to 0.95",
    }[key]


def _example_metrics(
    parameters: AveragePrecisionParameters, ranking: Sequence[Mapping[str, Any]], overlaps: Overlaps
) -> dict[str, Metric]:
    _, _, shares = of_class(parameters, overlaps, parameters.shown)
    truths = sum(one.kind == parameters.shown for one in parameters.truth)
    counts = {
        "images": (len({one.image for one in (*parameters.truth, *parameters.detections)}), "Images"),
        "boxes": (len(parameters.truth), "True boxes"),
        "detections": (len(parameters.detections), "Detections"),
        "classes": (len({one.kind for one in parameters.truth}), "Classes"),
        "truths": (truths, f"True boxes of {parameters.shown}"),
        "shown": (len(ranking), f"Detections of {parameters.shown}"),
        "found": (ranking[-1]["right"], f"True boxes of {parameters.shown} that are found"),
    }
    return {
        **{key: builders.metric(value, title) for key, (value, title) in counts.items()},
        "threshold": builders.metric(parameters.threshold, "IoU from which a detection is right"),
        "missed_iou": builders.metric(
            min(map(max, zip(*shares, strict=True))),
            f"IoU of the worst found true box of {parameters.shown} with its best detection",
            FRACTION,
        ),
        "precision": builders.metric(ranking[-1]["precision"], "Precision of all detections", FRACTION),
        "recall": builders.metric(ranking[-1]["recall"], "Recall of all detections", FRACTION),
    }

"""What the example of non-maximum suppression shows: its numbers, and what holds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import boxes
from analyses.detection import _suppression_tables as tables
from analyses.detection._suppression_figures import figures
from analyses.detection._suppression_settings import SHOWN, THRESHOLDS, SuppressionParameters
from analyses.plugin import Outcome, Summary
from lab.canvas import CANVAS, OBJECTS
from results import builders
from results.builders import FRACTION


def summary(parameters: SuppressionParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    unrounded = next(iter(outcomes.values()))
    outcome = _in_tenths(unrounded)
    order = sorted(range(len(outcome["objectness"])), key=lambda cell: -outcome["objectness"][cell])
    candidates = [cell for cell in order if outcome["objectness"][cell] >= parameters.least] or order[:1]
    places = [outcome["proposals"][cell] for cell in candidates]
    scores = [outcome["objectness"][cell] for cell in candidates]
    remaining = {
        threshold: boxes.suppressed(places, threshold) for threshold in {*THRESHOLDS, parameters.threshold}
    }
    kept = remaining[parameters.threshold]
    counts = {threshold: len(remaining[threshold]) for threshold in THRESHOLDS}
    pair = (places[0], places[1]) if len(places) > 1 else (places[0], outcome["examples"][0]["truth"])
    metrics = {
        "suppression/candidates": builders.metric(len(candidates), "Proposals before suppression", "boxes"),
        "suppression/kept": builders.metric(len(kept), "Boxes that remain", "boxes"),
        "suppression/threshold": builders.metric(parameters.threshold, "Threshold of IoU"),
        "suppression/cells": builders.metric(len(order), "Cells that propose", "boxes"),
        "suppression/least": builders.metric(parameters.least, "Objectness that a candidate needs", FRACTION),
        "suppression/unchanged_until": builders.metric(
            max(threshold for threshold, count in counts.items() if count == counts[THRESHOLDS[0]]),
            "Highest threshold that leaves as many boxes as the lowest",
        ),
        "example/iou": builders.metric(
            boxes.iou(outcome["examples"][0]["best"], outcome["examples"][0]["truth"]),
            "IoU of the best proposal with the true box",
            FRACTION,
        ),
        "worked/iou": builders.metric(boxes.iou(*pair), "IoU of the two best proposals", FRACTION),
        "detector/mean_iou": builders.metric(
            outcome["measured_iou"], "Mean IoU of the best proposal on all test canvases", FRACTION
        ),
        **{
            f"canvas/{key}": builders.metric(value, title, "pixels")
            for key, value, title in (
                ("size", CANVAS, "Height and width of a canvas"),
                ("smallest", OBJECTS[0], "Smallest width of an object"),
                ("largest", OBJECTS[1], "Largest width of an object"),
            )
        },
        "transformer/shown": builders.metric(SHOWN, "Training, and as many test canvases shown", "images"),
        "detector/test_accuracy": builders.metric(
            outcome["measured_accuracy"], "Test accuracy of the detector of the example", FRACTION
        ),
        **{
            f"kept/{threshold:g}": builders.metric(count, f"Boxes that remain at {threshold:g}", "boxes")
            for threshold, count in counts.items()
        },
    }
    return Summary(
        metrics=metrics,
        tables={
            "decoded": tables.decoded(unrounded["proposals"][order[0]], order[0], len(order)),
            "worked": tables.worked(*pair),
            "proposals": tables.proposals(places, scores, kept, parameters.threshold),
        },
        figures=figures(outcome, places, scores, remaining, parameters),
        findings={
            "some_go": builders.statement(
                "Suppression removes some of the candidates",
                len(kept) < len(candidates),
                "suppression/kept",
                "suppression/candidates",
            ),
            "one_remains": builders.statement("One box remains", len(kept) == 1, "suppression/kept"),
            "second_is_suppressed": builders.statement(
                "The second best proposal is suppressed by the best",
                boxes.iou(*pair) > parameters.threshold,
                "worked/iou",
                "suppression/threshold",
            ),
            "high_thresholds_leave_more": builders.statement(
                "One box remains at low thresholds, and more from 0.7 on",
                list(counts.values()) == sorted(counts.values()) and counts[THRESHOLDS[0]] == 1 < counts[0.7],
                *(f"kept/{threshold:g}" for threshold in THRESHOLDS),
            ),
            "more_remain_at_a_higher_threshold": builders.statement(
                "A higher threshold never leaves fewer boxes here",
                list(counts.values()) == sorted(counts.values()),
                *(f"kept/{threshold:g}" for threshold in THRESHOLDS),
            ),
        },
    )


def _in_tenths(outcome: Outcome) -> Outcome:
    """With every box rounded to a tenth of a pixel, as it is printed: what is computed from boxes, here and
    by a reader with the printed numbers, is then the same.
    """

    def rounded(box: Sequence[float]) -> list[float]:
        return [round(value, 1) for value in box]

    return outcome | {
        "proposals": [rounded(box) for box in outcome["proposals"]],
        "examples": [one | {"best": rounded(one["best"])} for one in outcome["examples"]],
    }

"""Tables of average precision: an IoU worked out, the ranking, and the conventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyses import boxes
from analyses.concepts._average_precision_figures import low_middle_high, overlapping_pairs
from analyses.concepts._average_precision_ranking import Overlaps
from analyses.concepts._average_precision_settings import AveragePrecisionParameters
from results import builders
from results.schema import Table


def worked_table(parameters: AveragePrecisionParameters, overlaps: Overlaps) -> Table:
    """Intersection over union of the middle pair, line by line."""
    three = low_middle_high(overlapping_pairs(parameters, overlaps))
    _, detected, true = three[len(three) // 2]
    places = [", ".join(f"{value:g}" for value in square.place) for square in (detected, true)]
    return boxes.worked_iou(
        "Intersection over union (IoU) of a detection and a true box, step by step, in pixels.",
        detected.place,
        true.place,
        f"The detection with score {detected.score:g} on image {detected.image}. Both boxes are squares, "
        f"given by the row and column of the centre and the side: ({places[0]}) and ({places[1]}).",
        edge=",g",
        value=builders.number("Value", ",.4g"),
        decimals=3,
    )


def ranking_table(parameters: AveragePrecisionParameters, ranking: Sequence[Mapping[str, Any]]) -> Table:
    return builders.table(
        f"Detections of the class {parameters.shown}, best first: the largest IoU with a true box of the "
        f"class, whether the detection is correct at a threshold of {parameters.threshold:g}, and precision "
        "and recall of all detections up to this one. Envelope: the highest precision at this or any higher "
        "recall.",
        {
            "rank": builders.integer("Rank"),
            "image": builders.integer("Image"),
            "score": builders.number("Score", ".2f"),
            "iou": builders.number("IoU", ".2f"),
            "verdict": builders.text("Verdict"),
            "right": builders.integer("Correct so far"),
            "precision": builders.percent("Precision"),
            "recall": builders.percent("Recall"),
            "envelope": builders.percent("Envelope"),
        },
        ranking,
    )


def conventions_table(
    parameters: AveragePrecisionParameters,
    averages: Mapping[str, Mapping[str, float]],
    means: Mapping[str, float],
) -> Table:
    at = f"{parameters.threshold:g}"
    labels = {
        "plain": f"No envelope, {at}",
        "eleven": f"11 points, {at}",
        "envelope": f"Area, {at}",
        "coco": f"101 points, {at}",
        "strict": "101 points, 0.5–0.95",
    }
    return builders.table(
        "Average precision (%) of each class of the example, and its mean over the classes, by convention "
        "and threshold of the intersection over union (IoU): at 11 points (PASCAL VOC 2007), as the area "
        "under the envelope (PASCAL VOC since 2010), and at 101 points (COCO). No envelope: the precision at "
        "each recall as it is. 0.5–0.95: the mean over these thresholds in steps of 0.05.",
        {
            "kind": builders.text("Class"),
            **{key: builders.percent(label) for key, label in labels.items()},
        },
        [{"kind": kind, **found} for kind, found in averages.items()],
        total={"kind": "Mean", **means},
    )

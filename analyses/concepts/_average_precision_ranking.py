"""Detections in their ranking: which are right, precision and recall, and average precision by convention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analyses.concepts._average_precision_settings import AveragePrecisionParameters, Scored
from lab import average_precision as ap

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # of COCO
RIGHT = "correct"
#: IoU of each detection, best first, with each true box.
Overlaps = Sequence[Sequence[float]]


def best_first(squares: Sequence[Scored]) -> list[Scored]:
    """Best first; equal scores stay in their order."""
    return sorted(squares, key=lambda one: -one.score)


def of_class(
    parameters: AveragePrecisionParameters, overlaps: Overlaps, kind: str
) -> tuple[list[int], list[int], list[list[float]]]:
    """Numbers of the class's detections, best first, and of its true boxes, and the IoU between them, which
    is 0 for two on different images.
    """
    ranked = best_first(parameters.detections)
    detections = [number for number, one in enumerate(ranked) if one.kind == kind]
    truths = [number for number, one in enumerate(parameters.truth) if one.kind == kind]
    return detections, truths, [[_overlap(parameters, overlaps, d, t) for t in truths] for d in detections]


def _overlap(parameters: AveragePrecisionParameters, overlaps: Overlaps, detection: int, truth: int) -> float:
    same = best_first(parameters.detections)[detection].image == parameters.truth[truth].image
    return overlaps[detection][truth] if same else 0.0


def averages_of(parameters: AveragePrecisionParameters, overlaps: Overlaps, kind: str) -> dict[str, float]:
    """Average precision of one class by each convention; 0 where nothing of it was detected."""
    _, truths, shares = of_class(parameters, overlaps, kind)

    def curve(threshold: float) -> tuple[Any, Any]:
        right = [found is not None for found in ap.matches(shares, threshold)]
        return ap.precision_and_recall(right, len(truths))

    precision, recall = curve(parameters.threshold)
    strict = [ap.mean_at(*curve(threshold), 101) for threshold in THRESHOLDS]
    return {
        "eleven": ap.mean_at(precision, recall, 11),
        "envelope": ap.area(ap.envelope(precision), recall),
        "coco": ap.mean_at(precision, recall, 101),
        "plain": ap.area(precision, recall),
        "strict": sum(strict) / len(strict),
    }


def rank(parameters: AveragePrecisionParameters, overlaps: Overlaps) -> list[dict[str, Any]]:
    """The shown class's detections, best first: what each is, and precision and recall after it. Of several
    with the same recall, the envelope is the same.
    """
    detections, truths, shares = of_class(parameters, overlaps, parameters.shown)
    found = ap.matches(shares, parameters.threshold)
    right = [one is not None for one in found]
    precision, recall = ap.precision_and_recall(right, len(truths))
    ranked = best_first(parameters.detections)
    others = [number for number, one in enumerate(parameters.truth) if one.kind != parameters.shown]
    return [
        {
            "rank": place + 1,
            "image": ranked[number].image,
            "score": ranked[number].score,
            "iou": max(shares[place]),
            "verdict": _verdict(
                parameters,
                right[place],
                max(shares[place]),
                max((_overlap(parameters, overlaps, number, other) for other in others), default=0.0),
            ),
            "right": sum(right[: place + 1]),
            "precision": float(precision[place]),
            "recall": float(recall[place]),
            "envelope": float(max(precision[recall >= recall[place]])),
        }
        for place, number in enumerate(detections)
    ]


def _verdict(parameters: AveragePrecisionParameters, right: bool, own: float, other: float) -> str:
    """own, other: largest IoU with a true box of the class, and with one of another class."""
    if right:
        return RIGHT
    if own >= parameters.threshold:
        return "found already"
    if other >= parameters.threshold:
        return "another class"
    return "fits badly" if own >= parameters.nothing else "nothing there"

"""Average precision of ranked detections, by each of its conventions, from overlaps alone.

Detections are ranked by score, best first. Precision is the share of the detections so far that are right,
recall the share of the true boxes that they have found. No torch, and no boxes, are needed here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

REVISION = 1  # to be raised when the same detections give another average precision

Curve = NDArray[np.float64]


def matches(overlaps: ArrayLike, threshold: float) -> list[int | None]:
    """Which true box each of the ranked detections finds; None for a false positive.

    overlaps: (D, T) IoU of detections and true boxes of one class, 0 for two on different images. A true box
    is found once. A detection finds the one, of those not found yet, with which its IoU is largest, where
    that is at least `threshold`, as in COCO. (PASCAL VOC takes the largest IoU among all true boxes of the
    image, and calls the detection false where that one has been found.)

    ValueError for a threshold outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"a detection is right from an IoU in (0, 1] on, not {threshold}")
    found: list[int | None] = []
    for shares in np.asarray(overlaps, dtype=float):
        free = [truth for truth in range(len(shares)) if truth not in found and shares[truth] >= threshold]
        found.append(max(free, key=lambda truth: shares[truth], default=None))
    return found


def precision_and_recall(right: ArrayLike, truths: int) -> tuple[Curve, Curve]:
    """(D,) each, after the first, the first two, … of the ranked detections, of which `right` (D,) tells
    which are. ValueError where there is no true box: recall is then not defined.
    """
    if truths < 1:
        raise ValueError("recall needs at least one true box")
    positives = np.cumsum(np.asarray(right, dtype=int))
    return positives / np.arange(1, len(positives) + 1), positives / truths


def envelope(precision: ArrayLike) -> Curve:
    """The highest precision at this recall or any higher one: (D,), never rising."""
    falling: Curve = np.maximum.accumulate(np.asarray(precision, dtype=float)[::-1])[::-1]
    return falling


def area(precision: ArrayLike, recall: ArrayLike) -> float:
    """Sum of precision times the rise of recall: the area below a curve of steps.

    Of the envelope it is the average precision of PASCAL VOC since 2010; of precision itself it is
    scikit-learn's `average_precision_score`.
    """
    return float(np.sum(np.asarray(precision) * np.diff(np.asarray(recall, dtype=float), prepend=0.0)))


def mean_at(precision: ArrayLike, recall: ArrayLike, points: int) -> float:
    """Mean of the envelope at `points` recalls from 0 to 1, 0 where a recall is not reached: 11 points are
    the average precision of PASCAL VOC until 2009, 101 points that of COCO.
    """
    wanted = np.arange(points) / (points - 1)  # quotients are rounded as those of recall are; sums are not
    first = np.searchsorted(np.asarray(recall, dtype=float), wanted, side="left")
    heights = np.append(envelope(precision), 0.0)
    return float(heights[first].mean())

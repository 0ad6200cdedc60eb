"""Figures of average precision: squares on sheets, and the curve of precision by recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyses import boxes
from analyses.concepts._average_precision_ranking import Overlaps, best_first, of_class
from analyses.concepts._average_precision_settings import AveragePrecisionParameters, Scored, Square
from analyses.pictures import png
from lab import average_precision as ap
from results.builders import FRACTION
from results.schema import Axis, Box, BoxStyle, Chart, Picture, Pictures, Series
from results.text import counted


def overlapping_pairs(
    parameters: AveragePrecisionParameters, overlaps: Overlaps
) -> list[tuple[float, Scored, Square]]:
    """Detections of the shown class with the true box that each overlaps most, by their IoU."""
    detections, truths, shares = of_class(parameters, overlaps, parameters.shown)
    ranked = best_first(parameters.detections)
    pairs = []
    for number, row in zip(detections, shares, strict=True):
        best = max(range(len(truths)), key=row.__getitem__)
        pairs.append((row[best], ranked[number], parameters.truth[truths[best]]))
    return sorted(pairs, key=lambda pair: pair[0])


def low_middle_high(pairs: list[tuple[float, Scored, Square]]) -> list[tuple[float, Scored, Square]]:
    """The pair that overlaps least, the middle one and the best, of those that overlap."""
    some = [pair for pair in pairs if pair[0] > 0] or pairs
    return [some[place] for place in dict.fromkeys((0, len(some) // 2, len(some) - 1))]


def canvas(side: int, shaded: Sequence[Square] = ()) -> str:
    """A plain sheet with squares, which is the darker the more of them lie on each other."""
    import numpy as np

    covered = np.zeros((side, side), dtype=int)
    middles = np.arange(side) + 0.5
    for square in shaded:
        rows, columns = (
            (middles > low) & (middles < high)
            for low, high in (boxes.edges(square.place, 0), boxes.edges(square.place, 1))
        )
        covered += rows[:, None] & columns[None]
    return png((250 - 45 * covered.clip(max=4)).astype(np.uint8))


def drawn(square: Square, style: BoxStyle, label: str = "", score: float | None = None) -> Box:
    row, column, width = square.place
    return Box(row=row, column=column, width=width, style=style, label=label, score=score)


def overlap_figure(parameters: AveragePrecisionParameters, overlaps: Overlaps) -> Pictures:
    three = low_middle_high(overlapping_pairs(parameters, overlaps))
    words = ", ".join(f"{share:.2f}" for share, _, _ in three)
    return Pictures(
        caption="Intersection over union (IoU) of three pairs of a detection and a true box: the dark area "
        "divided by the whole shaded area.",
        alt=f"Pairs of squares with an intersection over union of {words}.",
        columns=3,
        pictures=tuple(
            Picture(
                title=f"IoU {share:.2f}",
                png=canvas(parameters.side, (detected, true)),
                boxes=(drawn(true, "truth"), drawn(detected, "kept")),
            )
            for share, detected, true in three
        ),
        legend=(("truth", "True box"), ("kept", "Detection")),
    )


def detections_figure(parameters: AveragePrecisionParameters, overlaps: Overlaps) -> Pictures:
    ranked = best_first(parameters.detections)
    right = set()
    for kind in {one.kind for one in ranked}:
        detections, _, shares = of_class(parameters, overlaps, kind)
        found = ap.matches(shares, parameters.threshold)
        right |= {number for number, one in zip(detections, found, strict=True) if one is not None}
    images = sorted({one.image for one in (*parameters.truth, *ranked)})
    sheet = canvas(parameters.side)
    pictures = []
    for image in images:
        true = [drawn(one, "truth") for one in parameters.truth if one.image == image]
        detected = [
            drawn(one, "kept" if number in right else "suppressed", f"{one.kind} {one.score:.2f}")
            for number, one in enumerate(ranked)
            if one.image == image
        ]
        pictures.append(Picture(title=f"Image {image}", png=sheet, boxes=(*true, *detected)))
    return Pictures(
        caption=f"True boxes on {counted(len(images), 'drawn images')}, and detections with their class and "
        "score. Thin solid boxes are true, thick solid boxes are correct detections, and dotted boxes wrong "
        "ones.",
        alt=f"{len(images)} sheets with {len(parameters.truth)} true boxes and {len(ranked)} detections, of "
        f"which {len(right)} are right.",
        columns=3,
        pictures=tuple(pictures),
        legend=(("truth", "True box"), ("kept", "Correct"), ("suppressed", "Wrong")),
    )


def curve_figure(parameters: AveragePrecisionParameters, ranking: Sequence[Mapping[str, Any]]) -> Chart:
    """Precision by recall, and its envelope as steps down to the axis."""
    steps = [(0.0, ranking[0]["envelope"])]
    for one in ranking:
        if one["recall"] > steps[-1][0]:
            steps += [(steps[-1][0], one["envelope"]), (one["recall"], one["envelope"])]
    last = steps[-1][0]
    steps += [(last, 0.0), (1.0, 0.0)]
    steps = list(dict.fromkeys(steps))
    places = ", ".join(f"{one['precision']:.2f} at {one['recall']:.2f}" for one in ranking)
    return Chart(
        kind="line",
        caption=f"Precision against recall after each detection of the class {parameters.shown}, and the "
        "envelope, the highest precision at this or any higher recall. The area under the envelope is the "
        "average precision.",
        alt=f"Precision by recall, detection by detection: {places}. The envelope falls in steps and is zero "
        f"beyond a recall of {last:.2f}.",
        x=Axis(label="Recall", unit=FRACTION),
        y=Axis(label="Precision", unit=FRACTION),
        series=(
            Series(
                label="After each detection",
                x=tuple(one["recall"] for one in ranking),
                y=tuple(one["precision"] for one in ranking),
            ),
            Series(label="Envelope", x=tuple(x for x, _ in steps), y=tuple(y for _, y in steps)),
        ),
    )

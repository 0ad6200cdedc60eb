"""Tables of the example of non-maximum suppression, worked out for a reader."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analyses import boxes
from analyses.boxes import Place
from analyses.detection._suppression_settings import LISTED
from lab.canvas import ANCHOR, CANVAS
from results import builders
from results.schema import Table


def anchor_of(cell: int, cells: int) -> Place:
    """The anchor of a cell of the feature map, counted row by row."""
    side = math.isqrt(cells)
    stride = CANVAS / side
    return (stride / 2 + stride * (cell // side), stride / 2 + stride * (cell % side), ANCHOR)


def decoded(box: Place, cell: int, cells: int) -> Table:
    """How the outputs of one anchor become a box."""
    anchor = anchor_of(cell, cells)
    row, column, width = anchor
    offsets = [(box[0] - row) / width, (box[1] - column) / width, math.log(box[2] / width)]

    def signed(offset: float) -> str:
        shown = f"{offset:.3f}"
        return f"(−{shown[1:]})" if shown.startswith("-") else shown

    steps = [
        ("Row of the centre", f"{row:g} + {signed(offsets[0])} · {width:g}", box[0]),
        ("Column of the centre", f"{column:g} + {signed(offsets[1])} · {width:g}", box[1]),
        ("Width", f"{width:g} · exp({signed(offsets[2]).strip('()')})", box[2]),
    ]
    return builders.table(
        "How the three outputs of the network for an anchor become a box: the proposal with the highest "
        "objectness, for a canvas with one handwritten digit (pixels).",
        {
            "step": builders.text("Of the box"),
            "how": builders.text("Computation"),
            "value": builders.number("Value", ".1f"),
        },
        [dict(zip(("step", "how", "value"), step, strict=True)) for step in steps],
        notes=(f"The anchor has its centre in row {row:g} and column {column:g}, and a width of {width:g}.",),
    )


def worked(first: Place, second: Place) -> Table:
    places = [", ".join(f"{value:.1f}" for value in box) for box in (first, second)]
    return boxes.worked_iou(
        "Intersection over union (IoU) of the two proposals with the highest objectness for a canvas with "
        "one digit, step by step (pixels).",
        first,
        second,
        f"Boxes as row, column and width of the square: ({places[0]}) and ({places[1]}).",
        edge=".2f",
        width=".1f",
        value=builders.number("Value", ".3f"),
    )


def proposals(
    places: Sequence[Place], scores: Sequence[float], kept: Sequence[int], threshold: float
) -> Table:
    """Each candidate, best first: whether it remains, and with which better one it overlaps most."""
    rows: list[dict[str, builders.Cell]] = []
    for number, (place, score) in enumerate(zip(places[:LISTED], scores, strict=False)):
        better = [(boxes.iou(place, places[other]), other + 1) for other in kept if other < number]
        overlap, rival = max(better, default=(None, None))
        rows.append(
            {
                "number": number + 1,
                "score": score,
                **dict(zip(("row", "column", "width"), place, strict=True)),
                "overlap": overlap,
                "rival": rival,
                "fate": "stays" if number in kept else "removed",
            }
        )
    return builders.table(
        f"Non-maximum suppression of proposals for one digit at a threshold of {threshold:g}: the "
        f"{min(LISTED, len(places))} with the highest objectness of {len(places)}. IoU: the largest "
        "intersection over union with a better proposal that stays; with box: the number of that proposal. "
        "Row and column are those of the centre; they and the width are in pixels.",
        {
            "number": builders.integer("Box"),
            "score": builders.number("Objectness", ".3f"),
            "row": builders.number("Row", ".1f"),
            "column": builders.number("Column", ".1f"),
            "width": builders.number("Width", ".1f"),
            "overlap": builders.number("IoU", ".3f"),
            "rival": builders.integer("With box"),
            "fate": builders.text("Verdict"),
        },
        rows,
    )

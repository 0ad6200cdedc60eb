"""Boxes (row and column of the centre, width; of a rectangle, both sides) as they are worked with by hand,
without torch.
"""

from __future__ import annotations

from collections.abc import Sequence

from results import builders
from results.schema import Table

Place = Sequence[float]  # the centre along two axes, then the width, or the lengths along both


def edges(box: Place, axis: int) -> tuple[float, float]:
    half = box[2 + axis if len(box) > 3 else 2] / 2
    return box[axis] - half, box[axis] + half


def area(box: Place) -> float:
    return box[2] * box[-1]


def shared_sides(first: Place, second: Place) -> list[float]:
    """Of the intersection, along both axes."""
    ends = [(edges(first, axis), edges(second, axis)) for axis in (0, 1)]
    return [
        max(0.0, min(high, other_high) - max(low, other_low)) for (low, high), (other_low, other_high) in ends
    ]


def iou(first: Place, second: Place) -> float:
    height, width = shared_sides(first, second)
    shared = height * width
    return shared / (area(first) + area(second) - shared)


def suppressed(boxes: Sequence[Place], threshold: float) -> list[int]:
    """Which of the boxes, best first, remain: `lab.detection.suppress` without torch."""
    remaining: list[int] = []
    for number, box in enumerate(boxes):
        if all(iou(box, boxes[other]) <= threshold for other in remaining):
            remaining.append(number)
    return remaining


def worked_iou(
    caption: str,
    first: Place,
    second: Place,
    note: str,
    *,
    edge: str = "g",
    width: str = "g",
    value: builders.Format,
    decimals: int | None = None,
) -> Table:
    """Intersection over union of two boxes, line by line. edge, width: formats of the numbers that are
    calculated with; decimals: to which the quotient is rounded.
    """
    sides = shared_sides(first, second)
    rows: list[dict[str, builders.Cell]] = []
    for axis, name in ((0, "Height"), (1, "Width")):
        (low, high), (other_low, other_high) = edges(first, axis), edges(second, axis)
        how = f"min({high:{edge}}, {other_high:{edge}}) − max({low:{edge}}, {other_low:{edge}})"
        rows.append({"step": f"{name} of the intersection", "how": how, "value": sides[axis]})
    shared = sides[0] * sides[1]
    union = first[2] ** 2 + second[2] ** 2 - shared
    quotient = shared / union if decimals is None else round(shared / union, decimals)
    for step, how, result in (
        ("Intersection", f"{sides[0]:{edge}} · {sides[1]:{edge}}", shared),
        ("Union", f"{first[2]:{width}}² + {second[2]:{width}}² − {shared:{edge}}", union),
        ("IoU", f"{shared:{edge}} ÷ {union:{edge}}", quotient),
    ):
        rows.append({"step": step, "how": how, "value": result})
    columns = {"step": builders.text("Step"), "how": builders.text("How"), "value": value}
    return builders.table(caption, columns, rows, notes=(note,))

"""Figures of the example of non-maximum suppression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.boxes import Place
from analyses.detection._suppression_settings import DRAWN, SuppressionParameters
from analyses.detection._suppression_tables import anchor_of
from analyses.plugin import Outcome
from results.schema import Axis, Box, BoxStyle, Figure, Heatmap, Picture, Pictures, Suppression
from results.text import count, counted


def figures(
    outcome: Outcome,
    places: Sequence[Place],
    scores: Sequence[float],
    remaining: Mapping[float, Sequence[int]],
    parameters: SuppressionParameters,
) -> dict[str, Figure]:
    """remaining: numbers of the boxes that remain at each threshold, the chosen one among them."""
    kept = remaining[parameters.threshold]
    words = f"{len(places)} candidates, of which {_remain(kept)} at a threshold of {parameters.threshold:g}"
    drawn = _judged(places, scores, kept)
    return {
        "example": _example(outcome, drawn, kept, words, parameters.least),
        "live": _by_threshold(
            outcome["examples"][0]["png"], places, scores, remaining, parameters.threshold, parameters.least
        ),
        "objectness": _objectness(outcome["objectness"], max(scores)),
        "transformer": _transformer(outcome.get("training_examples", []), outcome["examples"]),
    }


def _remain(kept: Sequence[int]) -> str:
    return "one remains" if len(kept) == 1 else f"{count(len(kept))} remain"


def _judged(places: Sequence[Place], scores: Sequence[float], kept: Sequence[int]) -> tuple[Box, ...]:
    return tuple(
        _box(place, "kept" if number in kept else "suppressed", score=score)
        for number, (place, score) in enumerate(zip(places, scores, strict=True))
    )


def _by_threshold(
    png: str,
    places: Sequence[Place],
    scores: Sequence[float],
    remaining: Mapping[float, Sequence[int]],
    chosen: float,
    least: float,
) -> Pictures:
    """The candidates at the chosen threshold, which moves on the page, and at higher ones."""
    shown = (chosen, *(threshold for threshold in DRAWN if threshold > chosen))
    counts = ", ".join(f"{len(remaining[threshold])} at {threshold:g}" for threshold in shown)
    return Pictures(
        caption=f"Non-maximum suppression of the {len(places)} proposals with an objectness above "
        f"{least:.0%} of a small detector for one handwritten digit of the UCI data set, at thresholds of "
        "the intersection over union (IoU) above which a box is removed. Boxes that remain have bright "
        "lines between dark edges, removed ones thin lines; the true box is not drawn.",
        alt=f"The example with its boxes at {len(shown)} thresholds; of {len(places)} remain {counts}.",
        columns=len(shown),
        pictures=tuple(
            Picture(
                png=png,
                boxes=_judged(places, scores, remaining[threshold]),
                title=f"Threshold {threshold:g}: {_remain(remaining[threshold])}",
            )
            for threshold in shown
        ),
        legend=(("kept", "Remains"), ("suppressed", "Removed")),
        suppression=Suppression(picture=0, threshold=chosen),
    )


def _example(
    outcome: Outcome, drawn: Sequence[Box], kept: Sequence[int], words: str, least: float
) -> Pictures:
    """The anchors, the candidates, and what remains of them."""
    example, objectness = outcome["examples"][0], outcome["objectness"]
    best = max(range(len(objectness)), key=lambda cell: objectness[cell])
    anchors = [
        _box(anchor_of(cell, len(objectness)), "anchor") for cell in sorted({0, best, len(objectness) - 1})
    ]
    true = _box(example["truth"], "truth", label=example["class"])
    return Pictures(
        caption="From anchors to a box, on a canvas with one handwritten digit of the UCI data set. Left: "
        "the true box, and the anchors of the best proposal and of two corners. Middle: the proposals whose "
        f"objectness is above {least:.0%}, the candidates, as thin lines. Right: the true box, and "
        + ("the proposal that remains" if len(kept) == 1 else "the proposals that remain")
        + " after non-maximum suppression.",
        alt=f"One canvas three times: with anchors, with all candidates, with what remains. {words}.",
        columns=3,
        pictures=(
            Picture(title="Anchors", png=example["png"], boxes=(*anchors, true)),
            Picture(
                title=f"{len(drawn)} candidates",
                png=example["png"],
                boxes=tuple(box.model_copy(update={"style": "suppressed"}) for box in drawn),
            ),
            Picture(
                title="What remains",
                png=example["png"],
                boxes=(true, *(drawn[number] for number in kept)),
            ),
        ),
        legend=(
            ("truth", "True box"),
            ("anchor", "Anchor"),
            ("suppressed", "Candidate"),
            ("kept", "Remains"),
        ),
    )


def _objectness(objectness: Sequence[float], highest: float) -> Heatmap:
    cells = round(len(objectness) ** 0.5)
    row, column = divmod(max(range(len(objectness)), key=lambda cell: objectness[cell]), cells)
    near_one = sorted({round(value, 4) for value in objectness if 0.9995 <= value < 1}, reverse=True)
    axis = Axis(label="Column of the cell", categories=tuple(map(str, range(cells))))
    return Heatmap(
        caption="Objectness that the network gives each cell of the example, from 0 to 1. Rows and "
        "columns are those of the feature map, counted from 0 at the upper left. The frame is around the "
        f"highest value, in row {row}, column {column}."
        + (f" Printed as 1: {' and '.join(f'{value:.4f}' for value in near_one)}." if near_one else ""),
        alt=f"A grid of {cells} by {cells} cells; the highest objectness is {highest:.3f}.",
        x=axis,
        y=axis.model_copy(update={"label": "Row of the cell"}),
        values=tuple(
            tuple(round(value, 4) for value in objectness[cells * row : cells * (row + 1)])
            for row in range(cells)
        ),
        value_label="Objectness",
        numbers=True,
        framed=(row, column),
    )


def _transformer(training: Sequence[Outcome], test: Sequence[Outcome]) -> Pictures:
    return Pictures(
        caption="The spatial transformer applied to the pixels of the first "
        f"{counted(len(training), 'training')} and the first {counted(len(test), 'test canvases')}. Each is "
        "shown with its true box and its best proposal, and beside it the part within the proposal, scaled, "
        "with the class that the head predicts and its probability. The detector is a small one, trained on "
        "canvases with one handwritten digit of the UCI data set each; a canvas and its part have grey "
        "scales of their own.",
        alt=f"{len(training)} training and {len(test)} test canvases, each beside the part within its best "
        "proposal.",
        columns=6,
        pictures=tuple(
            picture
            for split, examples in (("Training", training), ("Test", test))
            for example in examples
            for picture in _look(example, split)
        ),
        legend=(("truth", "True box"), ("kept", "Best proposal")),
    )


def _look(example: Outcome, split: str) -> tuple[Picture, Picture]:
    """A canvas with its boxes, and what the head is shown of it."""
    boxes = (_box(example["truth"], "truth"), _box(example["best"], "kept"))
    named = f"“{example['said']}” {example['share']:.2f}"
    wrong = "" if example["said"] == example["class"] else f", not “{example['class']}”"
    return (
        Picture(png=example["png"], boxes=boxes, title=split),
        Picture(png=example["looked_at_png"], title=named + wrong),
    )


def _box(place: Place, style: BoxStyle, **more: Any) -> Box:
    row, column, width = place
    return Box(row=row, column=column, width=max(width, 1.0), style=style, **more)

"""detection.suppression: from 36 proposals to one box, on an example image, step by step.

Anchors, objectness, proposals before and after non-maximum suppression, one intersection over union worked
out, the number of boxes that remain by threshold, and what a spatial transformer makes of a proposal. The
example is an embedded image, so that it may be printed: a photographed handwritten digit on a canvas.
Expected: one box remains at a threshold of 0.3, several at 0.9.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from analyses import boxes
from analyses.boxes import Place
from analyses.detection import _detection as detection
from analyses.detection._detection import CanvasChoice, Predicted
from analyses.pictures import png
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab.canvas import ANCHOR, CANVAS
from results import builders
from results.builders import FRACTION
from results.schema import Axis, Box, BoxStyle, Heatmap, Picture, Pictures, Suppression, Table

if TYPE_CHECKING:
    from lab.training import Images

LISTED = 8  # candidates in the table
THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 10))
SHOWN = 3  # training, and as many test canvases, of the spatial transformer


class SuppressionParameters(Parameters):
    """threshold: of the suppression that is drawn. least: objectness (a probability) of a candidate."""

    data: CanvasChoice = detection.QUICK.model_copy(update={"train": 3_000})
    epochs: int = Field(4, ge=1)
    box_weight: float = Field(10.0, ge=0)
    threshold: float = Field(0.5, ge=0, le=1)
    least: float = Field(0.01, ge=0, le=1)
    example: int = Field(0, ge=0)

    @model_validator(mode="after")
    def is_there(self) -> SuppressionParameters:
        if self.example >= self.data.test:
            raise ValueError(
                f"example is {self.example}, and the {self.data.test} test canvases count from 0"
            )
        return self


class SuppressionExample(Analysis[SuppressionParameters]):
    id = "detection.suppression"
    title = "Non-maximum suppression on an example"
    question = "How do many overlapping proposals become one box?"

    def parameters(self, profile: Profile) -> SuppressionParameters:
        if profile == "quick":
            return SuppressionParameters(data=detection.QUICK, epochs=3)
        return SuppressionParameters()

    def datasets(self, parameters: SuppressionParameters) -> tuple[str, ...]:
        return parameters.data.sources()

    def check(self, parameters: SuppressionParameters) -> None:
        detection.check(parameters.data)

    def plan(self, parameters: SuppressionParameters) -> list[Cell]:
        (cell,) = detection.cells(
            "detector",
            {"name": "convnet"},
            parameters.data,
            parameters.epochs,
            1,
            {"weights": (1.0, parameters.box_weight, 1.0)},
        )
        shown = {"example": parameters.example, "training_examples": SHOWN}
        return [Cell(cell.id, cell.settings | shown, cell.seed)]

    def run(self, cell: Cell, context: Context) -> Outcome:
        """The proposals of the example, and what the head sees of it and of the next ones, as pictures."""
        import torch

        from lab.datasets import locate
        from lab.detection import crop, theta
        from lab.networks.detector import Detector
        from lab.recipes import Recipe
        from lab.training import precision_of

        choice = CanvasChoice.model_validate(cell.settings["data"])
        if not locate(choice.name).redistributable:
            raise ValueError(
                f"pictures of {choice.name} may not be redistributed, and this result would hold some; "
                "take an embedded data set, digits or shapes"
            )
        outcome, model, data = detection.trained(cell, context)
        assert isinstance(model, Detector) and data.test is not None
        dtype = precision_of(Recipe.of(cell.settings["recipe"]), context.device, model)
        _, classes = detection.load(choice, context.device)

        def looks(part: Images, first: int) -> tuple[Predicted, list[Outcome]]:
            """What is predicted of SHOWN images of a part, and what the head sees of each, as pictures."""
            images = part.images[first : first + SHOWN].contiguous()
            predicted = detection.predict(model, images, data, dtype)
            boxes = predicted.boxes[torch.arange(len(images)), predicted.objectness.argmax(1)]
            with torch.no_grad():
                shares = model.classify(predicted.features, boxes).softmax(1)
            seen = crop(images.float(), theta(boxes), 32).clamp(0, 255).round().to(torch.uint8)
            return predicted, [
                {
                    "png": png(images[n]),
                    "looked_at_png": png(seen[n]),
                    "truth": place,
                    "class": classes[kind],
                    "best": boxes[n].tolist(),
                    "said": classes[int(shares[n].argmax())],
                    "share": float(shares[n].max()),
                }
                for n, (kind, *place) in enumerate(part.labels[first : first + SHOWN].tolist())
            ]

        predicted, examples = looks(data.test, cell.settings["example"])
        return outcome | {
            "proposals": predicted.boxes[0].tolist(),
            "objectness": predicted.objectness[0].sigmoid().tolist(),
            "examples": examples,
            "training_examples": looks(data.train, 0)[1],
        }

    def summarize(self, parameters: SuppressionParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        unrounded = next(iter(outcomes.values()))
        outcome = _in_tenths(unrounded)
        order = sorted(range(len(outcome["objectness"])), key=lambda cell: -outcome["objectness"][cell])
        candidates = [cell for cell in order if outcome["objectness"][cell] >= parameters.least] or order[:1]
        places = [outcome["proposals"][cell] for cell in candidates]
        scores = [outcome["objectness"][cell] for cell in candidates]
        remaining = {threshold: boxes.suppressed(places, threshold) for threshold in THRESHOLDS}
        kept = boxes.suppressed(places, parameters.threshold)
        counts = {threshold: len(one) for threshold, one in remaining.items()}
        pair = (places[0], places[1]) if len(places) > 1 else (places[0], outcome["examples"][0]["truth"])
        metrics = {
            "suppression/candidates": builders.metric(
                len(candidates), "Proposals before suppression", "boxes"
            ),
            "suppression/kept": builders.metric(len(kept), "Boxes that remain", "boxes"),
            "suppression/threshold": builders.metric(parameters.threshold, "Threshold of IoU"),
            "suppression/cells": builders.metric(len(order), "Cells that propose", "boxes"),
            "suppression/least": builders.metric(
                parameters.least, "Objectness that a candidate needs", FRACTION
            ),
            "example/iou": builders.metric(
                boxes.iou(outcome["examples"][0]["best"], outcome["examples"][0]["truth"]),
                "IoU of the best proposal with the true box",
                FRACTION,
            ),
            "worked/iou": builders.metric(boxes.iou(*pair), "IoU of the two best proposals", FRACTION),
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
                "decoded": _decoded(unrounded["proposals"][order[0]], order[0], len(order)),
                "worked": _worked(*pair),
                "proposals": _proposals(places, scores, kept),
            },
            figures=_figures(outcome, places, scores, kept, counts, parameters),
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


def _anchor(cell: int, cells: int) -> Place:
    """The anchor of a cell of the feature map, counted row by row."""
    side = math.isqrt(cells)
    stride = CANVAS / side
    return (stride / 2 + stride * (cell // side), stride / 2 + stride * (cell % side), ANCHOR)


def _decoded(box: Place, cell: int, cells: int) -> Table:
    """How the outputs of one anchor become a box."""
    anchor = _anchor(cell, cells)
    row, column, width = anchor
    offsets = [(box[0] - row) / width, (box[1] - column) / width, math.log(box[2] / width)]
    steps = [
        ("Row of the centre", f"{row:g} + ({offsets[0]:.3f}) · {width:g}", box[0]),
        ("Column of the centre", f"{column:g} + ({offsets[1]:.3f}) · {width:g}", box[1]),
        ("Width", f"{width:g} · exp({offsets[2]:.3f})", box[2]),
    ]
    return builders.table(
        "The best proposal of the example, computed from its anchor and the three outputs of the network "
        "(pixels).",
        {
            "step": builders.text("Of the box"),
            "how": builders.text("Computation"),
            "value": builders.number("Value", ".1f"),
        },
        [dict(zip(("step", "how", "value"), step, strict=True)) for step in steps],
        notes=(f"The anchor has its centre in row {row:g} and column {column:g}, and a width of {width:g}.",),
    )


def _worked(first: Place, second: Place) -> Table:
    places = [", ".join(f"{value:.1f}" for value in box) for box in (first, second)]
    return boxes.worked_iou(
        "Intersection over union of the two best proposals, worked out (pixels).",
        first,
        second,
        f"Boxes as row, column and width of the square: ({places[0]}) and ({places[1]}).",
        edge=".2f",
        width=".1f",
        value=builders.number("Value", ".3f"),
    )


def _proposals(places: Sequence[Place], scores: Sequence[float], kept: Sequence[int]) -> Table:
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
        f"The {min(LISTED, len(places))} best of the {len(places)} candidates of the example, and the "
        "largest IoU of each with a better one that remains. Row and column: of the centre, in pixels.",
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


def _box(place: Place, style: BoxStyle, **more: Any) -> Box:
    row, column, width = place
    return Box(row=row, column=column, width=max(width, 1.0), style=style, **more)


def _look(example: Outcome, split: str) -> tuple[Picture, Picture]:
    """A canvas with its boxes, and what the head is shown of it."""
    boxes = (_box(example["truth"], "truth"), _box(example["best"], "kept"))
    named = f"“{example['said']}” {example['share']:.2f}"
    wrong = "" if example["said"] == example["class"] else f", not “{example['class']}”"
    return (
        Picture(png=example["png"], boxes=boxes, title=split),
        Picture(png=example["looked_at_png"], title=named + wrong),
    )


def _figures(
    outcome: Outcome,
    places: Sequence[Place],
    scores: Sequence[float],
    kept: Sequence[int],
    counts: Mapping[float, int],
    parameters: SuppressionParameters,
) -> dict[str, Any]:
    examples = outcome["examples"]
    example = examples[0]
    cells = round(len(outcome["objectness"]) ** 0.5)
    best = max(range(cells**2), key=lambda cell: outcome["objectness"][cell])
    anchors = [
        Box(**dict(zip(("row", "column", "width"), _anchor(cell, cells**2), strict=True)), style="anchor")
        for cell in sorted({0, best, cells**2 - 1})
    ]
    true = _box(example["truth"], "truth", label=example["class"])
    drawn = tuple(
        _box(place, "kept" if number in kept else "suppressed", score=score)
        for number, (place, score) in enumerate(zip(places, scores, strict=True))
    )
    remain = "one remains" if len(kept) == 1 else f"{len(kept)} remain"
    said = f"{len(places)} candidates, of which {remain} at a threshold of {parameters.threshold:g}"
    values = tuple(
        tuple(round(value, 4) for value in outcome["objectness"][cells * row : cells * (row + 1)])
        for row in range(cells)
    )
    axis = Axis(label="Column of the cell", categories=tuple(map(str, range(cells))))
    training = outcome.get("training_examples", [])
    looks = [
        picture
        for split, some in (("Training", training), ("Test", examples))
        for one in some
        for picture in _look(one, split)
    ]
    words = ", ".join(f"{count} at {threshold:g}" for threshold, count in counts.items())
    return {
        "example": Pictures(
            caption="The example: the true box with the anchor of the best proposal and those of two "
            "corners; the candidates before suppression; "
            "and after it.",
            alt=f"One canvas three times: with anchors, with all candidates, with what remains. {said}.",
            columns=3,
            pictures=(
                Picture(title="Anchors", png=example["png"], boxes=(*anchors, true)),
                Picture(
                    title=f"{len(places)} candidates",
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
        ),
        "live": Pictures(
            caption=f"Non-maximum suppression: {said}.",
            alt=f"The example with its boxes. {said}.",
            columns=1,
            pictures=(Picture(png=example["png"], boxes=drawn),),
            legend=(("kept", "Remains"), ("suppressed", "Removed")),
            suppression=Suppression(picture=0, threshold=parameters.threshold),
        ),
        "objectness": Heatmap(
            caption="Objectness that the network gives each cell of the example, from 0 to 1. Rows and "
            "columns are those of the feature map, counted from 0 at the upper left.",
            alt=f"A grid of {cells} by {cells} cells; the highest objectness is {max(scores):.3f}.",
            x=axis,
            y=axis.model_copy(update={"label": "Row of the cell"}),
            values=values,
            value_label="Objectness",
            numbers=True,
        ),
        "counts": builders.bars(
            "Boxes of the example that remain, by the threshold of suppression.",
            {"Boxes": {f"{threshold:g}": count for threshold, count in counts.items()}},
            builders.integer("Boxes that remain"),
            x="Threshold (IoU)",
            alt=f"Bars: {words}.",
        ),
        "transformer": Pictures(
            caption="What the spatial transformer shows the head: training and test canvases, each with its "
            "true box and its best proposal, and beside it that part of it, scaled, with the class that the "
            "head names and its probability.",
            alt=f"{len(training)} training and {len(examples)} test canvases, each beside the part within "
            "its best proposal.",
            columns=6,
            pictures=tuple(looks),
            legend=(("truth", "True box"), ("kept", "Best proposal")),
        ),
    }


analysis = SuppressionExample()

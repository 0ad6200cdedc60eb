"""concepts.single_shot: what YOLO outputs for one object, worked out (Redmon et al. 2016, section 2)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from analyses.boxes import iou
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders

#: A box on the image: x and y of its centre, width and height, in pixels.
Rectangle = tuple[float, float, float, float]
#: Of a box: x, y, width, height and confidence.
NUMBERS_OF_A_BOX = 5


class SingleShotParameters(Parameters):
    """side: of the image, in pixels. grid: cells in a row. boxes: of a cell. classes: of PASCAL VOC. first,
    second: boxes that two neighbouring cells predict for one object; the rest are choices of the example.
    """

    side: int = Field(448, ge=1)
    grid: int = Field(7, ge=1)
    boxes: int = Field(2, ge=1)
    classes: int = Field(20, ge=1)
    first: Rectangle = (250, 140, 120, 90)
    second: Rectangle = (259, 143, 116, 96)
    confidence: float = Field(0.8, ge=0, le=1)
    probability: float = Field(0.9, ge=0, le=1)
    second_score: float = Field(0.55, ge=0, le=1)
    threshold: float = Field(0.5, gt=0, lt=1)


class SingleShot(Analysis[SingleShotParameters]):
    id = "concepts.single_shot"
    title = "The output of YOLO for one object"
    question = "What does each number of YOLO's output mean?"
    analytic = True

    def parameters(self, profile: Profile) -> SingleShotParameters:
        return SingleShotParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        parameters = SingleShotParameters.model_validate(cell.settings)
        return {"iou": iou(parameters.first, parameters.second)}

    def summarize(self, parameters: SingleShotParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        (outcome,) = outcomes.values()
        of_cell = NUMBERS_OF_A_BOX * parameters.boxes + parameters.classes
        cells, cell = parameters.grid**2, parameters.side / parameters.grid
        x, y, width, height = parameters.first
        column, row = int(x // cell), int(y // cell)
        score = parameters.confidence * parameters.probability
        steps = [
            ("Column of the cell", f"⌊{x:g} ÷ {cell:g}⌋", column),
            ("Row of the cell", f"⌊{y:g} ÷ {cell:g}⌋", row),
            ("x, from the left of the cell", f"{x:g} ÷ {cell:g} − {column}", x / cell - column),
            ("y, from the top of the cell", f"{y:g} ÷ {cell:g} − {row}", y / cell - row),
            ("Width", f"{width:g} ÷ {parameters.side}", width / parameters.side),
            ("Height", f"{height:g} ÷ {parameters.side}", height / parameters.side),
            ("Score", f"{parameters.confidence:g} · {parameters.probability:g}", score),
        ]
        return Summary(
            metrics=builders.metrics(
                "",
                side=(parameters.side, "Side of the image", "pixels"),
                cell=(cell, "Side of a cell", "pixels"),
                box_numbers=(NUMBERS_OF_A_BOX, "Numbers of a box"),
                cell_numbers=(of_cell, "Numbers of a cell"),
                output=(cells * of_cell, "Numbers of the output"),
                threshold=(parameters.threshold, "IoU above which a box is removed"),
                score=(score, "Score of the first box"),
                second_score=(parameters.second_score, "Score of the second box"),
                iou=(outcome["iou"], "IoU of the two boxes"),
            ),
            tables={
                "cell": builders.table(
                    f"What the responsible cell of YOLO could output for an object on an image of "
                    f"{parameters.side} × {parameters.side} pixels, with {parameters.grid} × "
                    f"{parameters.grid} cells of {cell:g} pixels, and the score of the box. Columns and rows "
                    "are counted from 0.",
                    {
                        "step": builders.text("Number"),
                        "how": builders.text("Computation"),
                        "value": builders.number("Value", ".3g"),
                    },
                    [dict(zip(("step", "how", "value"), step, strict=True)) for step in steps],
                    notes=(
                        f"The object is {width:g} pixels wide and {height:g} high, with its centre at x = "
                        f"{x:g} and y = {y:g}. Its confidence of {parameters.confidence:g} and class "
                        f"probability of {parameters.probability:g} are choices of this example.",
                    ),
                )
            },
            findings={
                "second_is_removed": builders.statement(
                    "The box of the neighbouring cell overlaps that with the higher score by more than the "
                    "threshold",
                    outcome["iou"] > parameters.threshold and score > parameters.second_score,
                    "iou",
                    "threshold",
                )
            },
        )


analysis = SingleShot()

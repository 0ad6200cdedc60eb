"""The choices of the example of non-maximum suppression."""

from __future__ import annotations

from pydantic import Field, model_validator

from analyses.detection._canvases import QUICK, CanvasChoice, CanvasParameters

LISTED = 8  # candidates in the table

THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 10))

DRAWN = (0.7, 0.9)  # higher thresholds, whose boxes are drawn beside those of the chosen one

SHOWN = 3  # training, and as many test canvases, of the spatial transformer


class SuppressionParameters(CanvasParameters):
    """threshold: of the suppression that is drawn. least: objectness (a probability) of a candidate."""

    data: CanvasChoice = QUICK.model_copy(update={"train": 3_000})
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

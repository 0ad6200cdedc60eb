"""The example of average precision: true boxes, detections, and candidates of a suppression."""

from __future__ import annotations

from pydantic import Field, model_validator

from analyses.plugin import Choice, Parameters


class Square(Choice):
    """A square on one of the images, which count from 1: its centre and its side, in pixels."""

    image: int = Field(1, ge=1, le=12)
    kind: str = Field("cat", min_length=1)
    row: float
    column: float
    width: float = Field(gt=0)

    @property
    def place(self) -> tuple[float, float, float]:
        return self.row, self.column, self.width


class Scored(Square):
    score: float = Field(ge=0, le=1)


def _squares(*values: tuple[int, str, float, float, float]) -> tuple[Square, ...]:
    names = ("image", "kind", "row", "column", "width")
    return tuple(Square(**dict(zip(names, one, strict=True))) for one in values)


def _scored(*values: tuple[float, int, str, float, float, float]) -> tuple[Scored, ...]:
    return tuple(
        Scored(score=score, **one.model_dump())
        for (score, *_), one in zip(values, _squares(*(value[1:] for value in values)), strict=True)
    )


class AveragePrecisionParameters(Parameters):
    """shown: the class whose ranking is shown. threshold: IoU from which a detection is right. nothing: IoU
    below which a false detection is said to be of nothing, as in Hoiem et al. 2012. candidates, objects: of
    the example of suppression, on one image, with the IoU above which a candidate goes.
    """

    side: int = Field(120, ge=8, le=400)
    truth: tuple[Square, ...] = Field(
        _squares(
            (1, "cat", 40, 36, 48),
            (1, "cat", 82, 84, 48),
            (2, "cat", 44, 40, 50),
            (2, "dog", 78, 88, 44),
            (3, "cat", 46, 66, 60),
            (3, "dog", 94, 28, 36),
        ),
        min_length=1,
    )
    detections: tuple[Scored, ...] = Field(
        _scored(
            (0.95, 1, "cat", 41, 38, 46),
            (0.90, 1, "cat", 52, 33, 54),
            (0.85, 2, "cat", 72, 92, 46),
            (0.80, 2, "dog", 79, 87, 42),
            (0.70, 3, "cat", 50, 69, 56),
            (0.65, 1, "dog", 26, 92, 30),
            (0.60, 2, "cat", 48, 45, 46),
            (0.50, 3, "dog", 90, 32, 38),
            (0.45, 3, "cat", 96, 94, 30),
            (0.30, 1, "cat", 94, 96, 40),
        ),
        min_length=1,
    )
    shown: str = "cat"
    threshold: float = Field(0.5, gt=0, le=1)
    nothing: float = Field(0.1, ge=0, le=1)
    objects: tuple[Square, ...] = _squares(
        (1, "cat", 60, 34, 48), (1, "cat", 64, 78, 44), (1, "cat", 60, 88, 44)
    )
    candidates: tuple[Scored, ...] = Field(
        _scored(
            (0.95, 1, "cat", 60, 35, 48),
            (0.90, 1, "cat", 65, 77, 44),
            (0.80, 1, "cat", 63, 39, 46),
            (0.75, 1, "cat", 61, 87, 44),
            (0.60, 1, "cat", 56, 30, 52),
            (0.40, 1, "cat", 70, 73, 48),
        ),
        min_length=1,
    )
    suppression: float = Field(0.5, ge=0, le=1)

    @model_validator(mode="after")
    def of_classes_that_are_there(self) -> AveragePrecisionParameters:
        kinds = {one.kind for one in self.truth}
        for kind in (self.shown, *(one.kind for one in self.detections)):
            if kind not in kinds:
                raise ValueError(
                    f"there is no true {kind!r}, and average precision is of classes that have a true box: "
                    f"{', '.join(sorted(kinds))}"
                )
        if all(one.kind != self.shown for one in self.detections):
            raise ValueError(f"shown is {self.shown!r}, of which nothing was detected")
        return self

"""Figures of pictures, and of boxes on them."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Literal, Self

from pydantic import Field, model_validator

from results.schema.values import Record

LARGEST_SIDE = 4096  # of a picture, in pixels
BoxStyle = Literal["truth", "kept", "suppressed", "anchor"]


class Box(Record):
    """A square drawn on a picture, in its pixels from the upper left corner: centre and width.

    `style` decides colour, line and thickness, which differ together. The label is written above it.
    """

    row: float
    column: float
    width: float = Field(gt=0)
    style: BoxStyle = "kept"
    label: str = ""
    score: float | None = None


class Picture(Record):
    """An image, and boxes on it. Only images that may be redistributed belong into a result."""

    title: str = ""
    png: str = Field(description="The image as a PNG file, in base64", pattern=r"^[A-Za-z0-9+/=]+$")
    boxes: tuple[Box, ...] = ()

    @model_validator(mode="after")
    def is_a_png_of_some_size(self) -> Self:
        try:
            start = base64.b64decode(self.png[:44], validate=True)
            base64.b64decode(self.png, validate=True)
            signature, sides = start[:16], struct.unpack(">II", start[16:24])
        except (binascii.Error, struct.error):
            signature, sides = b"", (0, 0)
        if not (signature.startswith(b"\x89PNG\r\n\x1a\n") and signature.endswith(b"IHDR")):
            raise ValueError(f"the picture {self.title!r} is no PNG file in base64")
        if not all(1 <= side <= LARGEST_SIDE for side in sides):
            raise ValueError(
                f"the picture {self.title!r} is {sides[0]} × {sides[1]} pixels, not 1 to {LARGEST_SIDE}"
            )
        return self


class Suppression(Record):
    """What a reader may move: the threshold above which a box goes, because a better one overlaps it so."""

    picture: int = Field(
        ge=0, description="Which of the pictures has the candidates as its boxes, with scores"
    )
    threshold: float = Field(ge=0, le=1, description="The one that is drawn")
    match: float | None = Field(
        None, gt=0, le=1, description="IoU from which a box finds one of the true boxes that are drawn"
    )


class Pictures(Record):
    """Pictures side by side, row by row; `legend` says what the styles of the boxes mean."""

    kind: Literal["pictures"] = "pictures"
    caption: str
    alt: str = Field(min_length=1)
    pictures: tuple[Picture, ...] = Field(min_length=1)
    columns: int = Field(ge=1)
    legend: tuple[tuple[BoxStyle, str], ...] = ()
    suppression: Suppression | None = None

    @model_validator(mode="after")
    def candidates_have_scores(self) -> Self:
        if self.suppression:
            if self.suppression.picture >= len(self.pictures):
                raise ValueError(f"there is no picture {self.suppression.picture} to suppress boxes on")
            if any(box.score is None for box in self.pictures[self.suppression.picture].boxes):
                raise ValueError("suppression needs the score of every box")
        return self

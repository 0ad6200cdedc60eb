"""Figures of pictures, and of boxes on them."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from typing import Literal, Self

from pydantic import Field, model_validator

from results.schema.values import Record

LARGEST_SIDE = 4096  # of a picture, in pixels
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of the kinds of colour of a PNG file
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
            data = base64.b64decode(self.png, validate=True)
            sides = struct.unpack(">II", data[16:24])
        except (binascii.Error, struct.error):
            data, sides = b"", (0, 0)
        if not (data.startswith(SIGNATURE) and data[12:16] == b"IHDR"):
            raise ValueError(f"the picture {self.title!r} is no PNG file in base64")
        if not all(1 <= side <= LARGEST_SIDE for side in sides):
            raise ValueError(
                f"the picture {self.title!r} is {sides[0]} × {sides[1]} pixels, not 1 to {LARGEST_SIDE}"
            )
        if not _is_whole(data):
            raise ValueError(f"the picture {self.title!r} is a PNG file that is cut off or damaged")
        return self


def _is_whole(data: bytes) -> bool:
    """Whether a PNG file of a size that was seen to be right ends where it says, with every checksum right
    and as many pixels as it states. No more than these is ever decompressed.
    """
    parts: list[tuple[bytes, bytes]] = []
    at = len(SIGNATURE)
    try:
        while not parts or parts[-1][0] != b"IEND":
            length, kind = struct.unpack(">I4s", data[at : at + 8])
            content = data[at + 8 : at + 8 + length]
            if struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] != zlib.crc32(kind + content):
                return False
            parts.append((kind, content))
            at += 12 + length
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
        stated = height * (1 + (width * depth * CHANNELS[colour] + 7) // 8)  # a byte a row says how
        inflating = zlib.decompressobj()
        most = stated * 2 if interlaced else stated  # in seven passes, each with rows of its own
        pixels = inflating.decompress(b"".join(part for kind, part in parts if kind == b"IDAT"), most + 1)
    except (struct.error, zlib.error, KeyError):
        return False
    return len(pixels) == stated or (bool(interlaced) and stated <= len(pixels) <= most)


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

"""Pictures side by side, and boxes on them."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from report.figures.look import (
    BOXES,
    DENSE_BOXES,
    EDGE,
    FADED,
    FONT_SIZE,
    INK,
    MOST_PLAIN_BOXES,
    PAPER,
)
from results.schema import Box, Pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.transforms import Bbox


def draw_pictures(drawing: Drawing, figure: Pictures, id: str) -> Axes:
    """Pictures in rows; returns the last one's axes. A box is a group "ID-box-PICTURE-BOX"."""
    import base64

    from matplotlib.image import imread
    from matplotlib.lines import Line2D

    across = min(figure.columns, len(figure.pictures))
    places = drawing.subplots(ceil(len(figure.pictures) / across), across, squeeze=False).ravel()
    for place in places[len(figure.pictures) :]:
        place.set_visible(False)
    for n, (axes, picture) in enumerate(zip(places, figure.pictures, strict=False)):
        pixels = imread(io.BytesIO(base64.b64decode(picture.png)), format="png")
        height, width = pixels.shape[:2]
        if picture.boxes:
            pixels = 1 - FADED * (1 - pixels)
        grey = {"cmap": "gray", "vmin": 0, "vmax": 1} if pixels.ndim == 2 else {}
        axes.imshow(pixels, interpolation="nearest", extent=(0, width, height, 0), **grey)
        axes.set_axis_off()
        if picture.title:
            axes.set_title(picture.title, fontsize=FONT_SIZE - 1, pad=2)
        unit = width / (72 * drawing.get_figwidth() / across)  # of the picture, to a point
        taken: list[Bbox] = []
        lines = _lines([box.style for box in picture.boxes])
        for k, box in enumerate(picture.boxes):
            _box(axes, box, lines[box.style], f"{id}-box-{n}-{k}", unit, taken)
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
    if figure.legend:
        lines = {
            style: line
            for picture in reversed(figure.pictures)
            for style, line in _lines([box.style for box in picture.boxes]).items()
        }
        handles = [
            Line2D([], [], label=words, **lines.get(style, _line(style))) for style, words in figure.legend
        ]
        drawing.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    last: Axes = places[len(figure.pictures) - 1]
    return last


def _lines(styles: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The line of each style on one picture, thinner where its boxes are many."""
    return {style: _line(style, dense=n > MOST_PLAIN_BOXES) for style, n in Counter(styles).items()}


def _line(style: str, dense: bool = False) -> dict[str, Any]:
    """A line between edges, which shows on every picture. One without a colour of its edge has a second path
    below it all the same, which the site colours where a reader keeps the box.
    """
    from matplotlib.patheffects import withStroke

    colour, dashes, width, edge = (DENSE_BOXES if dense else BOXES)[style]
    around = withStroke(linewidth=width + (2 * EDGE if edge else 0), foreground=edge or colour)
    return {"color": colour, "linestyle": dashes, "linewidth": width, "path_effects": [around]}


def _box(axes: Axes, box: Box, line: Mapping[str, Any], gid: str, unit: float, taken: list[Bbox]) -> None:
    """A square, and its label in the first corner that is free of the labels `taken` so far; unit: of the
    picture, to a point.
    """
    half = box.width / 2
    left, top, right, bottom = box.column - half, box.row - half, box.column + half, box.row + half
    over = 3.0 if box.style in ("kept", "truth") else 2.0
    (drawn,) = axes.plot(
        (left, right, right, left, left), (top, top, bottom, bottom, top), zorder=over, **line
    )
    drawn.set_solid_joinstyle("miter")
    drawn.set_gid(gid)
    if box.label:
        size = FONT_SIZE - 1
        place = _free_corner(
            (max(left, 0) + 0.6, max(top, 0) + 0.6, right - 0.6, bottom - 0.6),
            (0.6 * size * len(box.label) * unit, 1.4 * size * unit),
            taken,
        )
        taken.append(place)
        text = axes.text(place.x0, place.y0, box.label, fontsize=size, color=INK, va="top", zorder=5)
        text.set_bbox({"facecolor": PAPER, "alpha": 0.75, "edgecolor": "none", "pad": 0.6})
        text.set_gid(f"{gid}-label")


def _free_corner(
    inside: tuple[float, float, float, float], size: tuple[float, float], taken: Sequence[Bbox]
) -> Bbox:
    """A place of that width and height in a corner of `inside`, which overlaps none that is taken; the first
    corner where all are.
    """
    from matplotlib.transforms import Bbox

    left, top, right, bottom = inside
    width, height = size
    corners = [
        Bbox.from_bounds(x, y, width, height)
        for x, y in (
            (left, top), (left, bottom - height), (right - width, top), (right - width, bottom - height),
        )
    ]  # fmt: skip
    return next((one for one in corners if not any(one.overlaps(other) for other in taken)), corners[0])

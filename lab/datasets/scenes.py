"""Coloured shapes before a cluttered background, and such scenes as objects on a canvas; drawn by seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lab.canvas import CANVAS, OBJECTS
from lab.datasets.drawing import (
    Floats,
    box,
    coverage,
    ellipse,
    grid,
    in_batches,
    noise,
    paint,
    pixels,
    smooth,
    turned,
    uniform,
)

Distance = Callable[[Floats, Floats], Floats]
SIDE = 32
FIFTHS = (
    (0.0, -1.0),
    (0.951057, -0.309017),
    (0.587785, 0.809017),
    (-0.587785, 0.809017),
    (-0.951057, -0.309017),
)
THIRDS = ((0.0, 1.0), (0.866025, -0.5), (-0.866025, -0.5))


def _sides(x: Floats, y: Floats, normals: tuple[tuple[float, float], ...], inner: float) -> Floats:
    """(sides, N, H, W) distances to the lines at `inner` from the centre."""
    return np.stack([x * np.float32(a) + y * np.float32(b) - np.float32(inner) for a, b in normals])


def _star(x: Floats, y: Floats) -> Floats:
    """Inside all but one of five lines."""
    fourth: Floats = np.sort(_sides(x, y, FIFTHS, 0.34), axis=0)[3]
    return fourth


# By name: the distance to the edge of a shape of about radius 1, negative inside.
SHAPES: dict[str, Distance] = {
    "bar": lambda x, y: box(x, y, 1.05, 0.32),
    "crescent": lambda x, y: np.maximum(ellipse(x, y, 1, 1), -ellipse(x - np.float32(0.5), y, 0.8, 0.8)),
    "cross": lambda x, y: np.minimum(box(x, y, 1, 0.32), box(x, y, 0.32, 1)),
    "disk": lambda x, y: ellipse(x, y, 0.9, 0.9),
    "half disk": lambda x, y: np.maximum(ellipse(x, y, 1.1, 1.1), -y),
    "L": lambda x, y: np.minimum(
        box(x, y - np.float32(0.5), 0.78, 0.28), box(x + np.float32(0.5), y, 0.28, 0.78)
    ),
    "ring": lambda x, y: np.abs(ellipse(x, y, 0.78, 0.78)) - np.float32(0.24),
    "square": lambda x, y: box(x, y, 0.78, 0.78),
    "star": _star,
    "triangle": lambda x, y: _sides(x, y, THIRDS, 0.55).max(axis=0),
}


def labels(count: int, seed: int) -> NDArray[np.int64]:
    """Each class alike often, in an order drawn by the seed."""
    return np.random.default_rng((seed, count)).permutation(np.arange(count) % len(SHAPES))


def scenes(count: int, seed: int) -> NDArray[np.uint8]:
    """(N, 3, 32, 32): one shape each, of any colour, place, size and rotation, whose class is its form."""
    kinds = labels(count, seed)
    return in_batches(count, seed, lambda drawn, part: _scenes(drawn, kinds[part]))


def _scenes(drawn: np.random.Generator, kinds: NDArray[np.int64]) -> NDArray[np.uint8]:
    count = len(kinds)
    x, y = grid(SIDE)
    ground = [uniform(drawn, count, 0.1, 0.9) for _ in range(3)]
    planes = clutter(drawn, ground, SIDE)
    radius = uniform(drawn, count, 6.5, 11.5)
    free = np.float32(SIDE / 2) - radius
    across, down = (free * uniform(drawn, count, -1, 1) for _ in range(2))
    u, v = turned(x - across, y - down, uniform(drawn, count, -1, 1) / uniform(drawn, count, 0.1, 1))
    inside = np.empty((count, SIDE, SIDE), np.float32)
    for kind, distance in enumerate(SHAPES.values()):
        chosen = kinds == kind
        inside[chosen] = coverage(
            distance(u[chosen] / radius[chosen], v[chosen] / radius[chosen]) * radius[chosen]
        )
    shade = np.float32(0.08) * smooth(drawn, count, SIDE, 3)
    for channel in range(3):
        # at least 0.3 away from the ground in every channel, on whichever side there is room
        away = ground[channel] + uniform(drawn, count, 0.3, 0.7)
        tone = away - np.floor(away) + shade
        planes[channel] = paint(planes[channel], inside, tone)
    planes = [plane + noise(drawn, plane.shape, 0.06) for plane in planes]
    return pixels(np.stack(planes, axis=1))


def clutter(drawn: np.random.Generator, ground: list[Floats], side: int, marks: int = 5) -> list[Floats]:
    """Three planes (N, side, side): a ground that varies, with small strokes and spots of other colours."""
    count = len(ground[0])
    x, y = grid(side)
    planes = [tone + np.float32(0.18) * smooth(drawn, count, side, 5) for tone in ground]
    for mark in range(marks):
        across, down = (uniform(drawn, count, -side / 2, side / 2) for _ in range(2))
        u, v = turned(x - across, y - down, uniform(drawn, count, -1, 1))
        length, width = uniform(drawn, count, 1.5, 6 if mark % 2 else 2.5), uniform(drawn, count, 0.5, 1.4)
        inside = coverage(ellipse(u, v, length, width))
        for channel in range(3):
            planes[channel] = paint(planes[channel], inside, uniform(drawn, count, 0, 1))
    return planes


def boxes(count: int, seed: int) -> NDArray[np.int64]:
    """(N, 3) centre row, centre column and width, as in the Transformed CIFAR-10: widths of 24 to 40 alike
    often, and every place alike often where the square lies on the canvas.
    """
    drawn = np.random.default_rng((seed, count, CANVAS))
    width = drawn.integers(*OBJECTS, count, endpoint=True)
    row, column = (
        drawn.integers(width // 2, CANVAS - (width + 1) // 2, count, endpoint=True) for _ in range(2)
    )
    return np.stack([row, column, width], 1)


def canvases(count: int, seed: int) -> NDArray[np.uint8]:
    """(N, 3, 48, 48): a scene each as a square object, where `boxes` says, before a quieter background."""

    def ground(drawn: np.random.Generator, part: slice) -> NDArray[np.uint8]:
        tones = [uniform(drawn, part.stop - part.start, 0.2, 0.8) for _ in range(3)]
        return pixels(np.stack(clutter(drawn, tones, CANVAS, marks=2), axis=1))

    return placed(scenes(count, seed), boxes(count, seed), in_batches(count, seed + 1, ground))


def placed(
    images: NDArray[np.uint8], where: NDArray[np.int64], backgrounds: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Each image (N, 3, H, W) scaled to its box and laid on its background, cut off at the border.

    where: (N, 3) centre row, centre column, width in pixels. backgrounds: (N, 3, S, S), not changed.
    """
    from PIL import Image

    canvas = np.moveaxis(backgrounds, 1, -1).copy()
    for ground, image, (row, column, width) in zip(canvas, images, where.tolist(), strict=True):
        frame = Image.fromarray(ground)
        scaled = Image.fromarray(np.moveaxis(image, 0, -1)).resize((width, width), Image.Resampling.BICUBIC)
        frame.paste(scaled, (column - width // 2, row - width // 2))
        ground[:] = np.asarray(frame)
    return np.ascontiguousarray(np.moveaxis(canvas, -1, 1))


def enlarged(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (N, 3, H, W) over the whole canvas, (N, 3, 48, 48)."""
    from PIL import Image

    whole = [
        np.asarray(Image.fromarray(image).resize((CANVAS, CANVAS), Image.Resampling.BICUBIC))
        for image in np.moveaxis(images, 1, -1)
    ]
    return np.ascontiguousarray(np.moveaxis(np.stack(whole), -1, 1))

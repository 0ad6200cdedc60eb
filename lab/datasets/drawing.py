"""What the seeded drawings share: coordinates, coverage and paint, many images at a time.

Only sums, products, quotients and square roots of numbers from numpy's Generator are used, which IEEE 754
rounds alike everywhere: a seed draws the same pixels on every platform. So rotations are points of the unit
circle by the rational formula, not sines, and nothing is summed in an order that a processor might choose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # float32: numbers (N, 1, 1), or planes (N, H, W)
BATCH = 250  # images drawn at a time, so that their planes stay in the processor's cache


def uniform(drawn: np.random.Generator, count: int, low: float, high: float) -> Floats:
    """(N, 1, 1) numbers between the two."""
    return np.float32(low) + np.float32(high - low) * drawn.random((count, 1, 1), dtype=np.float32)


def grid(side: int) -> tuple[Floats, Floats]:
    """x and y of the pixel centres, (1, H, W), from the centre of the image."""
    line = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    return line[None, None, :], line[None, :, None]


def turned(x: Floats, y: Floats, tangent: Floats) -> tuple[Floats, Floats]:
    """Coordinates turned by the angle whose half has this tangent: 1 is a quarter turn, 0.1 11 degrees."""
    below = 1 + tangent * tangent
    cosine, sine = (1 - tangent * tangent) / below, 2 * tangent / below
    return x * cosine + y * sine, y * cosine - x * sine


def coverage(distance: Floats) -> Floats:
    """How much of each pixel is inside a shape, from the distance to its edge in pixels, negative inside."""
    return np.clip(np.float32(0.5) - distance, 0, 1)


def ellipse(x: Floats, y: Floats, width: Floats | float, height: Floats | float) -> Floats:
    """About the distance to an ellipse with these half axes."""
    return (np.sqrt((x / width) ** 2 + (y / height) ** 2) - 1) * np.minimum(width, height)


def box(x: Floats, y: Floats, width: Floats | float, height: Floats | float) -> Floats:
    """About the distance to an upright box with these half sides."""
    return np.maximum(np.abs(x) - width, np.abs(y) - height)


def paint(image: Floats, inside: Floats, tone: Floats | np.float32) -> Floats:
    """The image with a tone laid over it where `inside` is 1."""
    return image + inside * (tone - image)


def smooth(drawn: np.random.Generator, count: int, side: int, cells: int) -> Floats:
    """(N, side, side) random tones in [−1, 1], interpolated between `cells` × `cells` points."""
    points = 2 * drawn.random((count, cells, cells), dtype=np.float32) - 1
    place = np.arange(side, dtype=np.float32) * np.float32((cells - 1) / side)
    first = place.astype(np.int64)
    share = place - first
    rows = points[:, first] * (1 - share)[None, :, None] + points[:, first + 1] * share[None, :, None]
    smoothed: Floats = rows[:, :, first] * (1 - share) + rows[:, :, first + 1] * share
    return smoothed


def noise(drawn: np.random.Generator, shape: tuple[int, ...], amplitude: float) -> Floats:
    return np.float32(2 * amplitude) * (drawn.random(shape, dtype=np.float32) - np.float32(0.5))


def pixels(image: Floats) -> NDArray[np.uint8]:
    """Tones in [0, 1] as bytes."""
    return np.rint(np.clip(image, 0, 1) * np.float32(255)).astype(np.uint8)


def in_batches(
    count: int, seed: int, draw: Callable[[np.random.Generator, slice], NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """All images of a set: `draw` makes those of a slice, each batch from a generator of its own."""
    starts = range(0, count, BATCH)
    made = [
        draw(np.random.default_rng((seed, start)), slice(start, min(start + BATCH, count)))
        for start in starts
    ]
    return np.concatenate(made)

"""Drawn faces, with and without glasses: a person is a geometry, each image another moment of it; by seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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

SIDE = 64
IMAGES = 10  # of each person; the last five wear glasses


# What stays the same between the images of a person, and between which values: pixels, or tones from 0 to 1.
PERSON: dict[str, tuple[float, float]] = {
    "width": (15.5, 21),
    "height": (21, 26),
    "jaw": (0, 0.28),
    "skin": (0.5, 0.88),
    "hair": (0.05, 0.6),
    "hairline": (-19, -9),
    "sides": (0, 5),
    "eyes": (-6, -1),
    "apart": (6.2, 9.5),
    "opening": (1.2, 2.6),
    "iris": (0.05, 0.45),
    "brow": (0.6, 2.0),
    "slant": (-0.14, 0.14),
    "nose": (4.5, 9),
    "nostrils": (1.6, 4.2),
    "mouth": (4, 8.5),
    "lips": (0.7, 2.2),
    "chin": (3.5, 6.5),
    "ears": (0.5, 3),
}
Person = dict[str, Floats]


def wears_glasses(count: int) -> NDArray[np.bool_]:
    """Whether each image shows glasses, in the order of `faces`."""
    return np.arange(count) % IMAGES >= IMAGES // 2


def faces(people: int, seed: int) -> NDArray[np.uint8]:
    """(N, 1, 64, 64), ten images of each person in turn."""
    drawn = np.random.default_rng((seed, people))
    shares = {name: uniform(drawn, people, *limits) for name, limits in PERSON.items()}
    person_of = np.arange(people * IMAGES) // IMAGES
    glasses = wears_glasses(people * IMAGES)

    def draw(drawn: np.random.Generator, part: slice) -> NDArray[np.uint8]:
        who = {name: values[person_of[part]] for name, values in shares.items()}
        return _moments(drawn, who, glasses[part].astype(np.float32)[:, None, None])

    return in_batches(people * IMAGES, seed, draw)


def _moments(drawn: np.random.Generator, who: Person, glasses: Floats) -> NDArray[np.uint8]:
    """One image each: pose, expression, light and the glasses vary."""
    count = len(glasses)
    x, y = grid(SIDE)
    scale = uniform(drawn, count, 0.93, 1.08)
    u, v = turned(
        (x - uniform(drawn, count, -2.5, 2.5)) / scale,
        (y - uniform(drawn, count, -2.5, 2.5)) / scale,
        uniform(drawn, count, -0.05, 0.05),
    )
    face_x = u - uniform(drawn, count, -1.6, 1.6)  # turned a little aside: features move within the head
    image = uniform(drawn, count, 0.15, 0.55) + np.float32(0.08) * smooth(drawn, count, SIDE, 4)
    image = _head(image, u, v, who)
    image = _features(drawn, image, face_x, v, who)
    image = _glasses(drawn, image, face_x, v, who, glasses)
    light = uniform(drawn, count, -0.009, 0.009) * x + uniform(drawn, count, -0.005, 0.005) * y
    image = image * (1 + light) * uniform(drawn, count, 0.85, 1.12)
    return pixels(image + noise(drawn, image.shape, 0.035))[:, None]


def _head(image: Floats, x: Floats, y: Floats, who: Person) -> Floats:
    width, height = who["width"], who["height"]
    narrow = width * (1 - who["jaw"] * np.clip(y / height, 0, 1))
    shoulders = coverage(ellipse(x, y - np.float32(40), 27, 17))
    image = paint(image, shoulders, who["hair"] * np.float32(0.5) + np.float32(0.25))
    image = paint(
        image,
        coverage(box(x, y - np.float32(24), width * np.float32(0.5), 12)),
        who["skin"] * np.float32(0.86),
    )
    mane = ellipse(x, y + np.float32(3), width + 1 + who["sides"] * np.float32(0.6), height + np.float32(1.5))
    below = y - (who["eyes"] + 3 * who["sides"])
    image = paint(image, coverage(np.maximum(mane, below)), who["hair"])
    aside = np.abs(x) - width
    image = paint(
        image, coverage(ellipse(aside, y - who["eyes"] - 3, who["ears"], 4)), who["skin"] * np.float32(0.92)
    )
    head = ellipse(x, y, narrow, height)
    image = paint(image, coverage(head), who["skin"])
    fringe = np.maximum(head - 1, y - who["hairline"] + np.float32(0.012) * x * x)
    return paint(image, coverage(fringe), who["hair"])


def _features(drawn: np.random.Generator, image: Floats, x: Floats, y: Floats, who: Person) -> Floats:
    count = len(image)
    skin = who["skin"]
    side = np.abs(x) - who["apart"]  # both eyes at once
    level = y - who["eyes"]
    opening = who["opening"] * uniform(drawn, count, 0.55, 1.15)
    look = uniform(drawn, count, -1, 1)
    white = coverage(ellipse(side, level, 3.6, opening))
    image = paint(
        image, coverage(ellipse(side, level, 4.3, opening + np.float32(0.8))), skin * np.float32(0.75)
    )
    image = paint(image, white, np.float32(0.95))
    gaze = x - look - np.where(x > 0, who["apart"], -who["apart"])
    image = paint(image, white * coverage(ellipse(gaze, level, 1.8, 1.8)), who["iris"])
    lift = uniform(drawn, count, -0.8, 0.8)
    brow = box(side, level + np.float32(4.4) + lift + who["slant"] * side * 2, 4.4, who["brow"])
    image = paint(image, coverage(brow), who["hair"] * np.float32(0.8))
    tip = level - who["nose"]
    ridge = box(x - np.float32(0.8), level - who["nose"] / 2, 0.5, who["nose"] / 2)
    image = paint(image, coverage(ridge) * np.float32(0.5), skin * np.float32(0.75))
    image = paint(image, coverage(ellipse(x, tip, who["nostrils"], 1.3)), skin * np.float32(0.72))
    smile = uniform(drawn, count, -0.035, 0.06)
    gape = uniform(drawn, count, 0, 1) ** 2 * np.float32(1.6)
    mouth = ellipse(x, tip - who["chin"] + smile * x * x, who["mouth"], who["lips"] + gape)
    image = paint(image, coverage(mouth), skin * np.float32(0.55))
    inner = ellipse(
        x, tip - who["chin"] + smile * x * x, who["mouth"] * np.float32(0.85), np.float32(0.3) + gape
    )
    return paint(image, coverage(inner), np.float32(0.2))


def _glasses(
    drawn: np.random.Generator,
    image: Floats,
    x: Floats,
    y: Floats,
    who: Person,
    worn: Floats,
    thickness: tuple[float, float] = (0.5, 1.3),
) -> Floats:
    """Frames of any form: round to square, thin to thick, light to dark, clear to dark lenses."""
    count = len(image)
    side = np.abs(x) - who["apart"]
    level = y - who["eyes"] - uniform(drawn, count, 0, 1)
    wide, high = uniform(drawn, count, 4.9, 6.1), uniform(drawn, count, 3.6, 5.2)
    square = uniform(drawn, count, 0, 1)
    edge = square * box(side, level, wide, high) + (1 - square) * ellipse(side, level, wide, high)
    thick = uniform(drawn, count, *thickness)
    tone = uniform(drawn, count, 0.02, 0.35)
    lens = coverage(edge) * worn
    image = paint(image, lens * uniform(drawn, count, 0, 0.3), uniform(drawn, count, 0.1, 0.9))
    image = paint(
        image, lens * coverage(np.abs(side + level) - 1) * uniform(drawn, count, 0, 0.5), np.float32(1)
    )
    bridge = box(x, level + 1, who["apart"] - wide, thick * np.float32(0.7))
    arms = box(np.abs(x) - (who["apart"] + wide + 3), level + 1, 3, thick * np.float32(0.7))
    frame = np.minimum(np.abs(edge) - thick, np.minimum(bridge, arms))
    return paint(image, coverage(frame) * worn, tone)


def with_glasses(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Close portraits (N, 1, S, S), each with frames drawn about where the eyes are; after Guo et al. 2018,
    who render glasses onto faces. Where the eyes are is a guess for all, of faces that fill their images.
    """
    count, _, side, _ = images.shape

    def draw(drawn: np.random.Generator, part: slice) -> NDArray[np.uint8]:
        shown = images[part, 0].astype(np.float32) / np.float32(255)
        many = len(shown)
        x, y = grid(side)
        scale = uniform(drawn, many, 1.4, 1.7) * np.float32(side / SIDE)
        u, v = turned(
            (x - uniform(drawn, many, -0.05, 0.05) * side) / scale,
            (y - uniform(drawn, many, -0.05, 0.05) * side) / scale,
            uniform(drawn, many, -0.05, 0.05),
        )
        who = {"apart": uniform(drawn, many, 7.4, 8.8), "eyes": np.full((many, 1, 1), -2.3, np.float32)}
        worn = np.ones((many, 1, 1), np.float32)
        return pixels(_glasses(drawn, shown, u, v, who, worn, (0.1, 0.6)))[:, None]

    return in_batches(count, seed, draw)

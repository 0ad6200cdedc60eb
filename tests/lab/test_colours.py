"""Colours and frames of pictures, and what a forest makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from lab.colours import Forest, statistics
from lab.datasets import load


def framed(colour: tuple[int, int, int], height: int, width: int) -> np.ndarray:
    """A picture of 20 × 20 with a rectangle of one colour in the middle of black."""
    image = np.zeros((3, 20, 20), np.uint8)
    top, left = (20 - height) // 2, (20 - width) // 2
    image[:, top : top + height, left : left + width] = np.array(colour, np.uint8)[:, None, None]
    return image


def test_the_black_border_is_outside_the_frame():
    found = statistics(np.stack([framed((255, 51, 0), 10, 20), framed((102, 102, 102), 20, 5)]), dark=20)
    assert found == pytest.approx(
        np.array([[1.0, 0.2, 0.0, 0, 0, 0, 0.5, 1.0], [0.4, 0.4, 0.4, 0, 0, 0, 1.0, 0.25]])
    )


def test_a_dark_picture_is_a_frame_of_its_own():
    assert statistics(np.zeros((1, 3, 4, 6), np.uint8), dark=20).tolist() == [[0] * 6 + [1, 1]]


def test_colours_alone_tell_coloured_pictures_apart_and_the_seed_decides():
    random = np.random.default_rng(0)
    images = np.stack([framed((200, *random.integers(0, 100, 2)), 10, 20) for _ in range(30)])
    others = np.stack([framed((*random.integers(0, 100, 2), 200), 10, 20) for _ in range(30)])
    both, labels = np.concatenate([images, others]), np.repeat([0, 1], 30)
    forest = Forest(20, 20, seed=0).fit(both[::2], labels[::2])
    assert forest.predict(both[1::2]) == labels[1::2].tolist()
    digits = load("digits", "train", grey=False)
    first, again = (
        Forest(20, 20, seed=3).fit(digits.images[:200], digits.labels[:200]).predict(digits.images[200:300])
        for _ in range(2)
    )
    assert first == again

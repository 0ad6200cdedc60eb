"""Repeated images are pointed at by two that show what is said of them."""

from __future__ import annotations

import numpy as np

from lab.datasets import ImageSet
from lab.datasets.repetitions import SIDE, repetitions


def part(split: str, labels: list[int], images: list[np.ndarray]) -> ImageSet:
    files = tuple(f"{split}/{number}.png" for number in range(len(labels)))
    return ImageSet("n", split, np.stack(images), np.array(labels), ("a", "b"), files, "f", "", True)


def test_the_two_images_named_are_of_different_splits_or_classes() -> None:
    one, other = np.random.default_rng(0).integers(0, 256, (2, 1, SIDE, SIDE), dtype=np.uint8)
    parts = {"train": part("train", [0, 0, 1, 1], [one] * 2 + [other] * 2), "test": part("test", [0], [one])}
    assert list(repetitions(parts)) == [
        "3 images stand in several splits (test and train), the same: train/0.png = test/0.png",
        "2 images are there more than once, so that a random split may part them, the same: "
        "train/2.png = train/3.png",
    ]
    parts = {"all": part("all", [0, 0, 1], [one] * 3)}
    assert list(repetitions(parts)) == [
        "3 images stand under several classes, the same: all/0.png = all/2.png"
    ]

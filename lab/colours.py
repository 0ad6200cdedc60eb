"""Pictures told apart without a network: a random forest on their colours and the shape of their frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

REVISION = 1  # to be raised when the same pictures and seed give other predictions


def statistics(images: NDArray[np.uint8], dark: int) -> NDArray[np.float64]:
    """(N, 8) of uint8 pictures (N, 3, H, W): mean and standard deviation of each channel within the frame, in
    [0, 1], and the frame's height and width as shares of the picture's.

    The frame is the smallest rectangle that holds all pixels with a channel above `dark`, so that a black
    border lies outside it; of a picture without such a pixel it is the whole.
    """
    return np.array([_statistics(image, dark) for image in images])


def _statistics(image: NDArray[np.uint8], dark: int) -> list[float]:
    lit = image.max(0) > dark
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    if not len(rows):
        rows, columns = np.arange(image.shape[1]), np.arange(image.shape[2])
    frame = image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].reshape(len(image), -1) / 255
    shares = [
        (span[-1] - span[0] + 1) / size for span, size in zip((rows, columns), image.shape[1:], strict=True)
    ]
    return [*frame.mean(1), *frame.std(1), *shares]


class Forest:
    """scikit-learn's random forest (Breiman 2001) of `trees` trees on `statistics`."""

    def __init__(self, trees: int, dark: int, seed: int) -> None:
        from sklearn.ensemble import RandomForestClassifier

        self.dark = dark
        self.trees = RandomForestClassifier(trees, random_state=seed)

    def fit(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Forest:
        self.trees.fit(statistics(images, self.dark), labels)
        return self

    def predict(self, images: NDArray[np.uint8]) -> list[int]:
        predicted: Any = self.trees.predict(statistics(images, self.dark))
        return [int(kind) for kind in predicted]

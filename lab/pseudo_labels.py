"""Pseudo-labels: of unlabelled images, those of which a teacher is surest, class by class.

After Yalniz et al. 2019, section 3.3: of each image the `p` classes with the highest scores are kept, and of
each class the `k` images that score highest in it. An image may be chosen for several classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

REVISION = 1  # to be raised when the same scores give another choice


@dataclass(frozen=True)
class Chosen:
    """images, labels, ranks: (M,) each, class by class and in it by rank, from 0 for the highest score."""

    images: NDArray[np.int64]
    labels: NDArray[np.int64]
    ranks: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def several(self) -> int:
        """Number of images that are chosen for more than one class."""
        return int((np.unique(self.images, return_counts=True)[1] > 1).sum())

    def right(self, truth: ArrayLike) -> NDArray[np.bool_]:
        """(M,): which of the labels are those of `truth`, (N,) of all images."""
        return np.asarray(np.asarray(truth)[self.images] == self.labels)


def top_k_pseudo_labels(scores: ArrayLike, k: int, p: int = 1) -> Chosen:
    """The top k images of each class among those of which it is one of the top p.

    scores: (N, classes). A class that fewer than k images have among their top p gets these only; where
    scores are equal, the earlier image or class is taken. ValueError for a k above N, a p above the number of
    classes, or scores that are no numbers.
    """
    values = np.asarray(scores, float)
    count, classes = values.shape
    if not 1 <= k <= count:
        raise ValueError(f"{k} images a class are to be chosen, and there are {count} unlabelled ones")
    if not 1 <= p <= classes:
        raise ValueError(f"an image's {p} highest classes are to be kept, and there are {classes} classes")
    if not np.isfinite(values).all():
        raise ValueError("some scores are no finite numbers")
    highest = np.argsort(-values, axis=1, kind="stable")[:, :p]
    among = np.zeros(values.shape, bool)
    np.put_along_axis(among, highest, True, axis=1)
    images, labels, ranks = [], [], []
    for kind in range(classes):
        own = np.flatnonzero(among[:, kind])
        best = own[np.argsort(-values[own, kind], kind="stable")[:k]]
        images.append(best)
        labels.append(np.full(len(best), kind))
        ranks.append(np.arange(len(best)))
    return Chosen(np.concatenate(images), np.concatenate(labels), np.concatenate(ranks))

"""What a data set is once it is loaded: all its images in one array, with labels, names and origin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DataError(Exception):
    """Data that is missing, damaged or too little. The message says what, where and what to do."""


class MissingData(DataError):
    """Data that is not on this machine at all."""


@dataclass(frozen=True)
class ImageSet:
    """Images of one size, in memory or mapped from a file.

    images: uint8 (N, C, H, W), C = 1 or 3. labels: int64 (N,), an index into `classes`.
    files: the N names inside the source, which identify an image in reports and splits.
    """

    name: str
    split: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    files: tuple[str, ...]
    fingerprint: str
    licence: str
    redistributable: bool

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: Any) -> ImageSet:
        """The images at `indices` (integers, in their order), copied into memory."""
        indices = np.asarray(indices)
        return replace(
            self,
            images=self.images[indices],
            labels=self.labels[indices],
            files=tuple(self.files[index] for index in indices),
        )

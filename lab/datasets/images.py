"""What a data set is once it is loaded: all its images in one array, with labels, names and origin."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DataError(Exception):
    """Data that is missing, damaged or too little. The message says what, where and what to do."""


class MissingData(DataError):
    """Data that is not on this machine at all."""


LARGE = 1 << 29  # bytes of a choice of images from which on they are not copied into memory
TOUCHED = 1 << 26  # bytes that are read of a mapped file before its pages are given back


class Rows:
    """Chosen images of a mapped file, for data that does not fit in memory: an index copies its images only.

    Stands for a uint8 array (N, C, H, W) that is read batch by batch: `rows[indices]`, `rows[start:end]` and
    `len(rows)`. numpy functions that take an array copy it whole.
    """

    def __init__(self, mapped: NDArray[np.uint8], indices: NDArray[np.int64]) -> None:
        self.mapped, self.indices = mapped, indices
        self.shape = (len(indices), *mapped.shape[1:])
        self.dtype, self.ndim = mapped.dtype, mapped.ndim
        self.nbytes = mapped[:1].nbytes * len(indices)
        self._touched = 0

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, tuple):
            return self[index[0]][index[1:]] if isinstance(index[0], int) else self[index[0]][:, *index[1:]]
        taken = np.array(self.mapped[self.indices[index]])
        self._touched += taken.nbytes
        if self._touched > TOUCHED:
            self._give_back()
        return taken

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return np.asarray(self.mapped[self.indices], dtype)

    def _give_back(self) -> None:
        """The pages that were read count as this process's memory until the system is told otherwise."""
        self._touched = 0
        source = getattr(self.mapped, "_mmap", None)
        if isinstance(source, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            source.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class ImageSet:
    """Images of one size, in memory or mapped from a file.

    images: uint8 (N, C, H, W), C = 1 or 3; of a large choice `Rows`, which are read like an array, batch by
    batch. labels: int64 (N,), an index into `classes`. files: the N names inside the source, which identify
    an image in reports and splits. notes: sentences on what was left out, and what a reader should know.
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
    notes: tuple[str, ...] = ()
    left_out: int = 0  # images of the split that could not be decoded

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: Any) -> ImageSet:
        """The images at `indices` (integers, in their order), copied into memory unless they are LARGE."""
        indices = np.asarray(indices)
        return replace(
            self,
            images=_chosen(self.images, indices),
            labels=self.labels[indices],
            files=tuple(self.files[index] for index in indices),
        )


def in_file(images: Any) -> Rows | None:
    """The images as Rows where they are LARGE and in a file; None where they are or may be in memory."""
    if isinstance(images, Rows):
        return images
    if isinstance(images, np.memmap) and images.nbytes >= LARGE:
        return Rows(images, np.arange(len(images)))
    return None


def _chosen(images: Any, indices: NDArray[np.int64]) -> Any:
    if len(indices) * images[:1].nbytes < LARGE:
        return images[indices]
    if isinstance(images, Rows):
        return Rows(images.mapped, images.indices[indices])
    return Rows(images, indices) if isinstance(images, np.memmap) else images[indices]

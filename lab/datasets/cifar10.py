"""CIFAR-10 and CIFAR-100: the official batches, training batch 1, and the transformed set of the exercise."""

from __future__ import annotations

import io
import pickle
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.canvas import CANVAS
from lab.datasets import splits
from lab.datasets.decoding import Damaged, Size, reshaped
from lab.datasets.files import Files, Reader, first_of, open_files
from lab.datasets.images import DataError, ImageSet
from lab.datasets.layouts import Content, Release

BATCH = 10_000
# Files of each class, airplane … truck, in training batch 1; a pack sorted by class keeps the batches' order.
BATCH_1_OF_PACK = (1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981)


class _Batches(NamedTuple):
    folder: str
    archive: str
    files: dict[str, list[str]]  # by split
    meta: str
    labels: str
    names: str
    md5: dict[str, str]  # of the published files, as torchvision states them


_CIFAR10 = _Batches(
    "cifar-10-batches-py",
    "cifar-10-python",
    {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]},
    "batches.meta",
    "labels",
    "label_names",
    {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    },
)
_CIFAR100 = _Batches(
    "cifar-100-python",
    "cifar-100-python",
    {"train": ["train"], "test": ["test"]},
    "meta",
    "fine_labels",
    "fine_label_names",
    {
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        "meta": "7973b15100ade9c7d40fb424638fde48",
    },
)


def _found(batches: _Batches, root: Path, name: str) -> Release | None:
    """Pickles of uint8 (N, 3072), red, green and blue planes; the folder, or the archive as it is offered."""
    place = first_of(root, batches.folder, batches.archive)
    if place is None:
        return None
    files = open_files(place)
    wanted = [file for group in batches.files.values() for file in group] + [batches.meta]
    missing = [file for file in wanted if file not in files.names]
    if missing:
        raise DataError(f"{place} lacks {', '.join(missing)}; fetch it again")

    def read(split: str, size: Size, grey: bool, damaged: Damaged) -> Content:
        with files.reading() as reader:
            loaded = [_batch(reader, file, batches.labels) for file in batches.files[split]]
            classes = _unpickled(reader, batches.meta).get(batches.names)
        if not classes:
            raise DataError(f"{batches.meta} in {files.path} has no {batches.names}; fetch it again")
        return Content(
            images=reshaped(np.concatenate([images for images, _, _ in loaded]), size, grey),
            labels=np.concatenate([labels for _, labels, _ in loaded]),
            classes=tuple(classes),
            files=tuple(name for _, _, names in loaded for name in names),
        )

    return Release(
        path=place,
        layout="official batches",
        splits=tuple(batches.files),
        images=_count(files, tuple(wanted[:-1]), batches.labels),
        read=read,
        files=(files,),
        checksums={file: f"md5:{digest}" for file, digest in batches.md5.items()},
        altered=partial(_damaged, files, batches),
    )


cifar10_batches = partial(_found, _CIFAR10)
cifar100_batches = partial(_found, _CIFAR100)


def _batch(reader: Reader, file: str, key: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    loaded = _unpickled(reader, file)
    try:
        images = np.asarray(loaded["data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        labels = np.asarray(loaded[key], dtype=np.int64)
        names = list(loaded["filenames"])
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{file} in {reader.path} is no batch of CIFAR ({error}); fetch it again") from None
    if not len(images) == len(labels) == len(names):
        raise DataError(f"{file} in {reader.path} has unequal numbers of images and labels; fetch it again")
    return images, labels, names


@lru_cache(maxsize=8)
def _count(files: Files, batches: tuple[str, ...], key: str) -> int:
    """The images of the batches that can be read; the others are named when they are read."""
    total = 0
    with files.reading() as reader:
        for file in batches:
            with suppress(DataError):
                total += len(_batch(reader, file, key)[1])
    return total


def _damaged(files: Files, batches: _Batches) -> list[str]:
    """Why the batches that cannot be read cannot be."""
    found = []
    with files.reading() as reader:
        for file in (file for group in batches.files.values() for file in group):
            try:
                _batch(reader, file, batches.labels)
            except DataError as error:
                found.append(str(error))
    return found


class _Restricted(pickle.Unpickler):
    """Arrays, numbers and texts only: a pickle from elsewhere must not run code."""

    ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _unpickled(reader: Reader, file: str) -> dict[str, Any]:
    content = reader.content(file)
    try:
        loaded = _Restricted(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # damaged bytes can name any opcode, and so raise nearly anything
        raise DataError(f"{file} in {reader.path} cannot be read ({error}); fetch it again") from None
    if not isinstance(loaded, dict):
        raise DataError(f"{file} in {reader.path} is no batch of CIFAR; fetch it again")
    return loaded


class Subset(NamedTuple):
    indices: NDArray[np.int64]
    origin: str  # a clause: how they were chosen


def training_batch_1(images: ImageSet, seed: int = 0) -> Subset:
    """The 10,000 images of training batch 1 where the batches are known, else a balanced 10,000 by seed."""
    counts = np.bincount(images.labels, minlength=10)
    if len(images) == 5 * BATCH and not any("/" in file for file in images.files):
        return Subset(np.arange(BATCH), "training batch 1 of the official files")
    if counts.tolist() == [BATCH // 2] * 10 and np.all(np.diff(images.labels) >= 0):
        starts = np.arange(10) * (BATCH // 2)
        chosen = [start + np.arange(count) for start, count in zip(starts, BATCH_1_OF_PACK, strict=True)]
        return Subset(
            np.concatenate(chosen),
            "training batch 1, found by its number of images of each class in the pack",
        )
    drawn = splits.stratified(images.labels, [BATCH], seed, images.classes)[0]
    return Subset(drawn, f"10,000 images drawn with the classes in proportion, seed {seed}")


class Transformed(NamedTuple):
    """Where each image lies on a canvas of 48×48 pixels: `boxes` int64 (N, 3), centre row, column, width."""

    indices: NDArray[np.int64]  # into the ImageSet of CIFAR-10
    labels: NDArray[np.int64]
    boxes: NDArray[np.int64]


def transformed(images: ImageSet, text: str) -> Transformed:
    """The lines `image class row column width` of the Transformed CIFAR-10, matched with CIFAR-10's images.

    They are in the order of training batch 1 or of the test batch: the k-th line of a class is the k-th image
    of that class there, in the official files and in a pack sorted by class alike.

    DataError names the first line that is not such a one, or whose square has its centre off the canvas.
    """
    lines_read = [line.split() for line in text.splitlines() if line.strip()]
    if not lines_read:
        raise DataError("the labels of the Transformed CIFAR-10 name no object")
    for number, fields in enumerate(lines_read, start=1):
        numbers = [int(one) for one in fields[1:5] if one.lstrip("-").isdecimal()]
        if len(numbers) < 4 or not (
            all(0 <= place < CANVAS for place in numbers[1:3]) and 0 < numbers[3] <= CANVAS
        ):
            raise DataError(
                f"entry {number} of the labels of the Transformed CIFAR-10, {' '.join(fields)!r}, is not "
                f"`image class row column width` with a square on the canvas of {CANVAS} pixels"
            )
    table = np.array([fields[1:5] for fields in lines_read], dtype=np.int64)
    labels, boxes = table[:, 0], table[:, 1:]
    indices = np.empty(len(labels), dtype=np.int64)
    for kind in np.unique(labels):
        lines, found = np.flatnonzero(labels == kind), np.flatnonzero(images.labels == kind)
        if len(found) < len(lines):
            raise DataError(
                f"the Transformed CIFAR-10 names {len(lines)} images of class {kind}, and {images.name} has "
                f"{len(found)} in its {images.split} split; take the whole CIFAR-10"
            )
        indices[lines] = found[: len(lines)]
    return Transformed(indices, labels, boxes)

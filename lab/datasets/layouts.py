"""How releases lie on a disk. Each finder returns what it recognises below a data root, or None."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.datasets.decoding import Damaged, Wanted, decoded
from lab.datasets.files import Files, open_files
from lab.datasets.images import DataError

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".gif", ".webp", ".tif", ".tiff")
SPLITS = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
SPLITS |= {"validation": "validation", "test": "test", "testing": "test"}


@dataclass(frozen=True)
class Content:
    """One split, read: see ImageSet for the shapes."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    files: tuple[str, ...]


Size = tuple[int, int] | None


@dataclass(frozen=True)
class Release:
    """A data set as found: where, what identifies its content, its splits, and how one is read."""

    path: Path
    layout: str
    fingerprint: str
    splits: tuple[str, ...]
    images: int
    read: Callable[[str, Size, bool, Damaged], Content]  # split, size, grey, damaged


def class_folders(root: Path, name: str) -> Release | None:
    """`NAME/[train|test/]CLASS/*.jpg` as a folder or zip, or `NAME_train.zip` and `NAME_test.zip`."""
    whole = [path for path in (root / name, root / f"{name}.zip") if path.exists()]
    parts = sorted(path for path in root.glob(f"{name}_*.zip") if path.stem.rpartition("_")[2] in SPLITS)
    return folder_release(whole[:1] or parts) if whole or parts else None


def folder_release(paths: list[Path]) -> Release | None:
    """A release of class folders out of one or more folders or zips; None where they hold no image."""
    found = [open_files(path) for path in paths]
    listed: dict[str, list[tuple[Files, str, str]]] = {}
    for files in found:
        for member in files.members:
            if member.name.lower().endswith(IMAGE_ENDINGS) and "/" in member.name:
                split, label = _place(member.name)
                listed.setdefault(split, []).append((files, member.name, label))
    if not listed:
        return None
    # numbered in the order of all splits, so that an index means the same class in each
    classes = tuple(sorted({label for entries in listed.values() for _, _, label in entries}))
    index = {label: number for number, label in enumerate(classes)}

    def read(split: str, size: Size, grey: bool, damaged: Damaged) -> Content:
        entries = listed[split]
        files = entries[0][0]
        entries = [entry for entry in entries if entry[0] is files]  # a split lies in one folder or zip
        names = tuple(name for _, name, _ in entries)
        images, used = decoded(Wanted(files, names, grey, size), damaged)
        labels = np.array([index[entries[i][2]] for i in used], dtype=np.int64)
        return Content(images, labels, classes, tuple(names[i] for i in used))

    return Release(
        path=paths[0],
        layout="class folders",
        fingerprint=_joined(files.fingerprint for files in found),
        splits=tuple(listed),
        images=sum(map(len, listed.values())),
        read=read,
    )


def _place(name: str) -> tuple[str, str]:
    """Split and class of `[train|test/]CLASS[/…]/FILE`."""
    first, _, rest = name.rpartition("/")[0].partition("/")
    return (
        (SPLITS[first.lower()], rest)
        if first.lower() in SPLITS and rest
        else ("all", name.rpartition("/")[0])
    )


def _joined(fingerprints: object) -> str:
    parts = list(fingerprints)  # type: ignore[call-overload]
    return parts[0] if len(parts) == 1 else hashlib.sha256("".join(parts).encode()).hexdigest()[:32]


def cifar10_batches(root: Path, name: str) -> Release | None:
    """The official `cifar-10-batches-py`: pickles of uint8 (N, 3072), red, green and blue planes."""
    folder = root / "cifar-10-batches-py"
    if not folder.is_dir():
        return None
    batches = {"train": [f"data_batch_{n}" for n in range(1, 6)], "test": ["test_batch"]}
    missing = [batch for names in batches.values() for batch in names if not (folder / batch).is_file()]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}; fetch it again")
    files = open_files(folder)

    def read(split: str, size: Size, grey: bool, damaged: Damaged) -> Content:
        if size not in (None, (32, 32)) or grey:
            raise DataError(
                "the batches of CIFAR-10 hold colour images of 32×32 pixels, and are read as such"
            )
        loaded = [_unpickled(folder / batch) for batch in batches[split]]
        images = np.concatenate([part["data"].reshape(-1, 3, 32, 32) for part in loaded])
        labels = np.array([label for part in loaded for label in part["labels"]], dtype=np.int64)
        names = tuple(file for part in loaded for file in part["filenames"])
        classes = tuple(_unpickled(folder / "batches.meta")["label_names"])
        return Content(images, labels, classes, names)

    return Release(folder, "official batches", files.fingerprint, ("train", "test"), 60_000, read)


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

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _unpickled(file: Path) -> dict:  # type: ignore[type-arg]
    try:
        with file.open("rb") as opened:
            loaded = _Restricted(opened, encoding="latin1").load()
    except (OSError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise DataError(f"{file} cannot be read ({error}); fetch it again") from None
    return loaded

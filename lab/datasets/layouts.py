"""How a release lies on a disk, and class folders, the layout of most; `official` has the others.

A finder takes a data root and the name of a data set, and returns what it recognises there, or None.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.datasets.decoding import Box, Damaged, Size, Wanted, decoded
from lab.datasets.files import SPLITS, Files, first_of, is_image, open_files
from lab.datasets.images import DataError


@dataclass(frozen=True)
class Content:
    """One split, read: see ImageSet for the shapes."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """A data set as found: where, what it holds, and how a split of it is read."""

    path: Path
    layout: str
    splits: tuple[str, ...]
    images: int
    read: Callable[[str, Size, bool, Damaged], Content]  # split, size, grey, damaged
    files: tuple[Files, ...] = ()
    drawn: str = ""  # what identifies a set that needs no files
    texts: Mapping[str, str] = field(default_factory=dict)  # those that are in no file
    notes: tuple[str, ...] = ()  # what a reader should know of its completeness
    altered: Callable[[], Sequence[str]] = tuple  # names of files that are not what the release says
    checked: Callable[[], str] = str  # what became of the files of a release that says what they must be

    @property
    def fingerprint(self) -> str:
        """The same for the same content, wherever it lies and however it is packed."""
        parts = sorted(files.fingerprint for files in self.files) or [_hashed(self.drawn)]
        return parts[0] if len(parts) == 1 else _hashed("".join(parts))

    def text(self, name: str) -> str:
        """A text that comes with the release, such as pairs.txt; DataError where it is not there."""
        if name in self.texts:
            return self.texts[name]
        for files in self.files:
            for member in files.members:
                if member.name == name or member.name.endswith(f"/{name}"):
                    with files.reading() as reader:
                        return reader.bytes(member.name).decode("utf-8", errors="replace")
        beside = self.path.parent / name
        if beside.is_file():
            return beside.read_text(encoding="utf-8", errors="replace")
        raise DataError(
            f"{self.path} has no {name}; copy it into {self.path.parent}, or fetch the data again"
        )


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Listed:
    """One image of a release: where it is, what it shows, and the part of it to be used."""

    files: Files
    name: str
    label: str
    box: Box | None = None


def listed_release(
    layout: str,
    files: Sequence[Files],
    splits: Mapping[str, Sequence[Listed]],
    notes: tuple[str, ...] = (),
) -> Release:
    """A release of image files whose labels are known."""
    # numbered in the order of all splits, so that an index means the same class in each
    classes = tuple(sorted({entry.label for entries in splits.values() for entry in entries}))

    def read(split: str, size: Size, grey: bool, damaged: Damaged) -> Content:
        return read_listed(splits[split], classes, size, grey, damaged)

    return Release(
        path=files[0].origin,
        layout=layout,
        splits=tuple(splits),
        images=len({(entry.files.path, entry.name) for entries in splits.values() for entry in entries}),
        read=read,
        files=tuple(files),
        notes=notes,
    )


def read_listed(
    entries: Sequence[Listed], classes: tuple[str, ...], size: Size, grey: bool, damaged: Damaged
) -> Content:
    """Decode the images, which may lie in several folders or zips."""
    index = {label: number for number, label in enumerate(classes)}
    parts, used = [], []
    for _, group in groupby(entries, key=lambda entry: id(entry.files)):
        together = list(group)
        names = tuple(entry.name for entry in together)
        boxes = tuple(entry.box for entry in together if entry.box)
        images, kept = decoded(Wanted(together[0].files, names, grey, size, boxes), damaged)
        parts.append(images)
        used += [together[position] for position in kept]
    if len({part.shape[1:] for part in parts}) > 1:
        raise DataError(
            f"the images in {entries[0].files.origin.parent} differ in size; say which size they shall have"
        )
    return Content(
        images=parts[0] if len(parts) == 1 else np.concatenate(parts),
        labels=np.array([index[entry.label] for entry in used], dtype=np.int64),
        classes=classes,
        files=tuple(entry.name for entry in used),
    )


def class_folders(root: Path, name: str) -> Release | None:
    """`NAME/[train|test/]CLASS/*.jpg` as a folder, zip or tar, or `NAME_train.zip` and `NAME_test.zip`."""
    whole = first_of(root, name)
    parts = [root / f"{name}_{split}.zip" for split in SPLITS]
    return folder_release([whole] if whole else [path for path in parts if path.is_file()])


def class_folders_of(other: str, root: Path, name: str) -> Release | None:
    """Class folders under another name that they are known by."""
    return class_folders(root, other)


def folder_release(paths: Sequence[Path], splits: Sequence[str] = ()) -> Release | None:
    """A release of class folders out of folders, zips or tars; None where they hold no image.

    splits: one a path, for those that do not say it; an image that several paths hold counts once.
    """
    found = [open_files(path) for path in paths]
    listed: dict[str, dict[str, Listed]] = {}
    for number, (path, files) in enumerate(zip(paths, found, strict=True)):
        said = splits[number] if splits else SPLITS.get(path.stem.rpartition("_")[2], "all")
        for member in files.members:
            place = _place(member.name)
            if place and is_image(member.name):
                split, label = place
                listed.setdefault(split or said, {}).setdefault(
                    member.name, Listed(files, member.name, label)
                )
    if not listed:
        return None
    order = [split for split in dict.fromkeys((*SPLITS.values(), *listed)) if split in listed]
    return listed_release("class folders", found, {split: tuple(listed[split].values()) for split in order})


def _place(name: str) -> tuple[str, str] | None:
    """Split and class of `[train|test/]CLASS[/…]/FILE`; no split where none is said, None without a class."""
    folder = name.rpartition("/")[0]
    first, _, rest = folder.partition("/")
    if first.lower() in SPLITS:
        return (SPLITS[first.lower()], rest) if rest else None
    return ("", folder) if folder else None

"""How a release lies on a disk, and class folders, the layout of most; `official` has the others.

A finder takes a data root and the name of a data set, and returns what it recognises there, or None.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from lab.datasets.arrangement import arranged, as_they_lie, like_splits, split_of
from lab.datasets.decoding import Damaged, Size, Wanted, decoded
from lab.datasets.files import Files, first_of, is_image, open_files
from lab.datasets.images import DataError
from lab.datasets.viewing import Box
from lab.datasets.wording import count, few

WHOLE = "all"  # the split of a release without splits; also all splits of another together
ORDER = ("train", "validation", "test", WHOLE)
#: Photographs, recordings and archives that are not read; what else has no image's ending is no picture.
UNREAD = frozenset(
    {
        *(".heic", ".heif", ".hif", ".jxl", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2"),
        *(".raf", ".svg", ".pdf", ".eps", ".ai", ".exr", ".hdr", ".dcm", ".nii", ".fits", ".npy", ".npz"),
        *(".mat", ".h5", ".mp4", ".mov", ".avi", ".mkv", ".webm", ".zip", ".tar", ".gz", ".7z", ".rar"),
        *(".ps", ".wmf", ".emf", ".mpg", ".mpeg", ".fit", ".hdf", ".grib", ".bufr", ".gbr", ".iim"),
    }
)


@dataclass(frozen=True)
class Content:
    """One split, read: see ImageSet for the shapes."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    files: tuple[str, ...]
    damaged: tuple[str, ...] = ()  # names of those that could not be decoded, and were left out


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
    notes: tuple[str, ...] = ()  # what a reader should know of its completeness, and of what was left out
    altered: Callable[[], Sequence[str]] = tuple  # names of files that are not what the release says
    checksums: Mapping[str, str] = field(default_factory=dict)  # of members, where they are published
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # of images, by split and class
    whole: bool = False  # whether `read` also gives the splits together, as WHOLE
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
                        return reader.content(member.name).decode("utf-8", errors="replace")
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

    everything = [entry for entries in splits.values() for entry in entries]

    def read(split: str, size: Size, grey: bool, damaged: Damaged) -> Content:
        entries = everything if split == WHOLE and split not in splits else splits[split]
        return read_listed(entries, classes, size, grey, damaged)

    return Release(
        path=files[0].origin,
        layout=layout,
        splits=tuple(splits),
        images=len({(entry.files.path, entry.name) for entries in splits.values() for entry in entries}),
        read=read,
        counts={split: Counter(entry.label for entry in entries) for split, entries in splits.items()},
        whole=True,
        files=tuple(files),
        notes=notes,
    )


def read_listed(
    entries: Sequence[Listed], classes: tuple[str, ...], size: Size, grey: bool, damaged: Damaged
) -> Content:
    """Decode the images, which may lie in several folders or zips."""
    index = {label: number for number, label in enumerate(classes)}
    parts, used, absent = [], [], []
    for _, group in groupby(entries, key=lambda entry: id(entry.files)):
        together = list(group)
        names = tuple(entry.name for entry in together)
        boxes = tuple(entry.box for entry in together if entry.box)
        images, kept = decoded(Wanted(together[0].files, names, grey, size, boxes), damaged)
        parts.append(images)
        used += [together[position] for position in kept]
        if len(kept) < len(together):
            whole = frozenset(kept)
            absent += [entry.name for at, entry in enumerate(together) if at not in whole]
    if len({part.shape[1:] for part in parts}) > 1:
        raise DataError(
            f"the images in {entries[0].files.origin.parent} differ in size; say which size they shall have"
        )
    return Content(
        images=parts[0] if len(parts) == 1 else np.concatenate(parts),
        labels=np.array([index[entry.label] for entry in used], dtype=np.int64),
        classes=classes,
        files=tuple(entry.name for entry in used),
        damaged=tuple(absent),
    )


def class_folders(root: Path, name: str) -> Release | None:
    """`NAME/[train|test/]CLASS/*.jpg` as a folder, zip or tar, or `NAME_train.zip` and `NAME_test.zip`."""
    whole = first_of(root, name)
    parts = [root / f"{name}_{split}.zip" for split in ("train", "val", "validation", "test")]
    return folder_release([whole] if whole else [path for path in parts if path.is_file()])


def class_folders_of(other: str, root: Path, name: str) -> Release | None:
    """Class folders under another name that they are known by."""
    return class_folders(root, other)


def folder_release(paths: Sequence[Path], splits: Sequence[str] = ()) -> Release | None:
    """A release of class folders out of folders, zips or tars; None where they hold no picture in a class.

    splits: one a path, where the layout is known and folders are classes as they lie; an image that several
    paths hold counts once.
    """
    found = [open_files(path) for path in paths]
    listed: dict[str, dict[str, Listed]] = {}
    notes: list[str] = []
    for number, (path, files) in enumerate(zip(paths, found, strict=True)):
        said = splits[number] if splits else _split_of_file(path)
        pictures = {member.name: _folder(member.name) for member in files.members if is_image(member.name)}
        arrangement = as_they_lie(pictures.values()) if splits else arranged(pictures.values())
        for name, folder in pictures.items():
            if folder in arrangement.places:
                split, label = arrangement.places[folder]
                listed.setdefault(split or said, {}).setdefault(name, Listed(files, name, label))
        unused = [(name, arrangement.unused[at]) for name, at in pictures.items() if at in arrangement.unused]
        notes += [*files.notes, *_left_out(files, unused)]
    if not listed:
        return None
    order = [split for split in dict.fromkeys((*ORDER, *listed)) if split in listed]
    entries = {split: tuple(listed[split].values()) for split in order}
    return listed_release("class folders", found, entries, (*notes, *_notices(entries)))


def _split_of_file(path: Path) -> str:
    """That of `NAME_train.zip`; "all" of other files, and of folders."""
    return split_of(path.stem.rpartition("_")[2]) or "all" if path.is_file() else "all"


def _folder(name: str) -> tuple[str, ...]:
    return tuple(name.split("/")[:-1])


def _left_out(files: Files, unused: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A sentence for each kind of file that is not used."""
    kinds: dict[str, list[str]] = {}
    for member in files.members:
        if not is_image(member.name):
            kinds.setdefault(ending(member.name), []).append(member.name)
    unread = {kind: those for kind, those in kinds.items() if kind in UNREAD}
    if unread:
        total = sum(map(len, unread.values()))
        which = ", ".join(f"{len(those):,} {kind}" for kind, those in sorted(unread.items()))
        yield (
            f"{count(total, 'file')} of a kind that cannot be read {_was(total)} left out: {which}; "
            "convert them to JPEG or PNG, or unpack them"
        )
    others = [name for kind, those in sorted(kinds.items()) if kind not in UNREAD for name in those]
    if others:
        which = f"{count(len(others), 'file')} that {'is no image' if len(others) == 1 else 'are no images'}"
        yield f"{which} {_was(len(others))} left out: {few(others)}"
    reasons: dict[str, list[str]] = {}
    for name, why in (*unused, *files.left_out):
        reasons.setdefault(why, []).append(name)
    for why, those in reasons.items():
        yield f"{count(len(those), 'file')} {_was(len(those))} left out ({why}): {few(those)}"


def ending(name: str) -> str:
    """The lower-case ending of a file's name, with its dot."""
    return PurePosixPath(name).suffix.lower() or "without an ending"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _is(those: Sequence[str]) -> str:
    return "is" if len(those) == 1 else "are"


def _notices(splits: Mapping[str, Sequence[Listed]]) -> Iterator[str]:
    """What a reader should look at: classes that may be splits, and splits that lack a class."""
    labels = {split: {entry.label for entry in entries} for split, entries in splits.items()}
    everything = sorted(set().union(*labels.values()))
    like = like_splits(everything)
    if like:
        yield (
            f"the name of {count(len(like), 'class')} begins like that of a split ({few(like)}); "
            "it is taken for a class, as a folder that holds pictures"
        )
    for split, own in labels.items():
        absent = [label for label in everything if label not in own]
        if absent:
            yield f"the split {split} has no image of {count(len(absent), 'class')}: {few(absent)}"


def why_empty(path: Path) -> str:
    """Why a folder or zip is no release of class folders, in a sentence with what to do."""
    files = open_files(path)
    pictures = [member.name for member in files.members if is_image(member.name)]
    if pictures:
        where = "beside each other" if all("/" not in name for name in pictures) else "in no class folder"
        return (
            f"{path} holds {count(len(pictures), 'picture')} {where} ({few(pictures)}); "
            "put those of each class into a folder of its own (CLASS/FILE.jpg)"
        )
    there = "; it has nothing that can be read: " if files.members or files.left_out else ""
    rest = "; ".join(_left_out(files, ()))
    return f"{path} holds no images in class folders (CLASS/FILE.jpg){there}{rest}"

"""Data sets: `load(name, split)` gives all images of a split as one uint8 array.

Looked for, in this order: the data root (`--data-root`, `CONVSTUDY_DATA`), then the user's cache. Names are
those of the catalogue, the embedded sets (they need no files), and `folder:PATH` for class folders or a zip
of them of the user's own. Nothing is downloaded unless `convstudy data fetch NAME` asks for it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lab.datasets import embedded
from lab.datasets.cache import cache_folder
from lab.datasets.catalog import CATALOG
from lab.datasets.decoding import Damaged, Whole
from lab.datasets.images import DataError, ImageSet, MissingData
from lab.datasets.layouts import WHOLE, Release, folder_release, why_empty
from lab.datasets.wording import count, few

__all__ = ["DataError", "ImageSet", "MissingData", "Source", "Whole", "load", "locate", "names", "roots"]
REVISION = (
    1  # of the whole package: to be raised when the same files give other images, labels or another order
)


@dataclass(frozen=True)
class Source:
    """A data set that is ready on this machine."""

    name: str
    title: str
    licence: str
    redistributable: bool
    grey: bool
    release: Release

    @property
    def fingerprint(self) -> str:
        return self.release.fingerprint

    def text(self, name: str) -> str:
        """A text that comes with the data, such as `pairs.txt`; DataError where it is not there."""
        return self.release.text(name)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as published, what was left out, and what a reader should look at."""
        from lab.datasets.published import differences

        return (*differences(self.name, self.release), *self.release.notes)

    def describe(self) -> dict[str, object]:
        """The fields of `results.schema.Dataset`."""
        return {
            "name": self.title,
            "fingerprint": self.fingerprint,
            "licence": self.licence,
            "images": self.release.images,
            "notes": self.notes,
        }


def names() -> list[str]:
    return [*CATALOG, *embedded.SETS]


def short_title(name: str) -> str:
    """What a data set is called in a sentence: without its authors, or the name of the reader's folder."""
    if name.startswith("folder:"):
        return Path(name.removeprefix("folder:")).expanduser().resolve().name
    known = embedded.SETS.get(name) or CATALOG.get(name)
    return known.title.partition(" (")[0] if known else name


def roots(root: Path | str | None = None) -> list[Path]:
    """Where data is looked for: what is given, `CONVSTUDY_DATA`, the user's cache."""
    chosen = root or os.environ.get("CONVSTUDY_DATA")
    return [*([Path(chosen)] if chosen else []), cache_folder() / "data"]


def locate(name: str, root: Path | str | None = None) -> Source:
    """Where the data set is and what it holds, without decoding; DataError where it is not here."""
    if name in embedded.SETS:
        made = embedded.SETS[name]
        return Source(name, made.title, made.licence, True, made.grey, made.release())
    if name.startswith("folder:"):
        return _users_own(Path(name.removeprefix("folder:")).expanduser())
    if name not in CATALOG:
        raise DataError(f"there is no data set {name!r}; there are {', '.join(names())}, and folder:PATH")
    entry = CATALOG[name]
    for place in roots(root):
        for finder in entry.finders:
            release = finder(place, name) if place.is_dir() else None
            if release:
                return Source(name, entry.title, entry.licence, entry.redistributable, entry.grey, release)
    looked = " and ".join(str(place) for place in roots(root))
    raise MissingData(
        f"the data set {name} is not on this machine (looked in {looked}); fetch it with "
        f"`python runner.py data fetch {name}`, name its folder with --data-root, "
        "or run the quick profile, which needs no data"
    )


def _users_own(path: Path) -> Source:
    if not path.exists():
        raise DataError(f"there is no folder or zip {path}")
    release = folder_release([path])
    if release is None:
        raise DataError(why_empty(path))
    return Source(f"folder:{path}", short_title(f"folder:{path}"), "unknown", False, False, release)


def load(
    name: str,
    split: str = "all",
    *,
    size: tuple[int, int] | None = None,
    grey: bool | None = None,
    root: Path | str | None = None,
    damaged: Damaged = "refuse",
) -> ImageSet:
    """All images of a split.

    size: height and width; images of another shape are scaled and cut to it, centred, or where it is a
    `Whole` scaled without a cut (None: as they are).
    grey: one channel instead of three (None: as the data set is).
    damaged: whether images that cannot be decoded refuse the data set, or are left out.
    DataError where the data is missing, damaged, or has no such split.
    """
    source = locate(name, root)
    release = source.release
    if split not in release.splits and not (split == WHOLE and release.whole):
        there = ", ".join(release.splits) or "no images"
        raise DataError(f"{name} in {release.path} has no split {split!r}; it has {there}")
    content = release.read(split, size, source.grey if grey is None else grey, damaged)
    notes = [*release.notes]
    if content.damaged:
        were = "were" if len(content.damaged) > 1 else "was"
        which = f"{count(len(content.damaged), 'image')} {were} left out"
        notes.append(f"{which} (not to be decoded): {few(content.damaged)}")
    return ImageSet(
        name=source.title,
        split=split,
        images=content.images,
        labels=content.labels,
        classes=content.classes,
        files=content.files,
        fingerprint=source.fingerprint,
        licence=source.licence,
        redistributable=source.redistributable,
        notes=tuple(notes),
        left_out=len(content.damaged),
    )

"""The data sets that are known by name: what each is, under which licence, and how its releases are laid out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.datasets import layouts
from lab.datasets.layouts import Release

Finder = Callable[[Path, str], Release | None]


@dataclass(frozen=True)
class Entry:
    """One data set. `finders` look for a release below a data root, in this order."""

    title: str
    licence: str
    finders: tuple[Finder, ...]
    splits: tuple[str, ...] = ("all",)
    grey: bool = False
    redistributable: bool = False


CATALOG: dict[str, Entry] = {
    "cifar10": Entry(
        title="CIFAR-10 (Krizhevsky 2009)",
        licence="no licence stated by its authors; research use",
        finders=(layouts.cifar10_batches, layouts.class_folders),
        splits=("train", "test"),
    ),
    "artists": Entry(
        title="Paintings by eleven artists (Bylinskii, MIT 6.867)",
        licence="course material, no licence stated; the paintings are in the public domain",
        finders=(layouts.class_folders,),
    ),
}

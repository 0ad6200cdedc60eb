"""A data set to transfer to, in three parts of which no two share an image, a near-duplicate or a track."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from analyses.plugin import Choice, Outcome
from results import builders
from results.schema import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lab.datasets import ImageSet


class Domain(Choice):
    """A data set to transfer to.

    split, test_split: those of the data set; without a test split a share `test` of each class is kept for
    the test. validation: share of each class, of what remains. tracks: whether the part of a file's name
    before "_" names a track, whose frames must stay together. duplicates: the similarity from which on two
    images stay together, as lab.datasets.duplicates has it; None: near-duplicates are not looked for. images:
    at most so many for training, and evaluated: for validation and for the test each, drawn by class. mirror:
    whether a mirrored image is still of its class. size: height and width in pixels.
    """

    name: str
    split: str = "all"
    test_split: str | None = None
    test: float = Field(0.2, gt=0, lt=1)
    validation: float = Field(0.15, gt=0, lt=1)
    tracks: bool = False
    duplicates: float | None = Field(None, gt=0, le=1)
    images: int | None = Field(None, ge=1)
    evaluated: int | None = Field(None, ge=1)
    mirror: bool = True
    size: int = Field(160, ge=32)
    split_seed: int = 0
    damaged: Literal["refuse", "skip"] = "refuse"


class Parts(NamedTuple):
    train: ImageSet
    validation: ImageSet
    test: ImageSet


def load(domain: Domain) -> Parts:
    """The three parts, of which no two share an image, nor a track."""
    return load_counted(domain)[0]


@lru_cache(maxsize=1)
def load_counted(domain: Domain) -> tuple[Parts, Outcome]:
    """`load`, and what an outcome keeps of the near-duplicates; nothing where they are not looked for."""
    import numpy as np

    from lab.datasets import load as load_images
    from lab.datasets import splits
    from lab.datasets.sufficiency import require_classes

    def read(split: str) -> ImageSet:
        size = (domain.size, domain.size)
        return load_images(domain.name, split, size=size, grey=False, damaged=domain.damaged)

    pool = read(domain.split)
    published = [domain.test_split] if domain.test_split else []
    groups = (
        groups_of(domain.name, (domain.split, *published), domain.damaged, domain.duplicates)
        if domain.duplicates
        else {}
    )
    if domain.test_split:
        test = read(domain.test_split)
    else:
        rest, kept = _divided(pool, domain.test, domain, groups)
        pool, test = pool.select(rest), pool.select(kept)
    rest, kept = _divided(pool, domain.validation, domain, groups)
    parts = [pool.select(rest), pool.select(kept), test]
    for number, most in enumerate((domain.images, domain.evaluated, domain.evaluated)):
        part = parts[number]
        if most is not None and most < len(part):
            (some,) = splits.stratified(part.labels, [most], domain.split_seed, part.classes)
            parts[number] = part.select(np.sort(some))
    found = Parts(*parts)
    require_classes({"training": found.train, "validation": found.validation, "test": found.test})
    return found, count_duplicates(groups, found.train, found.test) if groups else {}


Image = tuple[str, str]  # its split and its file


@lru_cache(maxsize=2)
def groups_of(
    name: str, named_splits: tuple[str, ...], damaged: Literal["refuse", "skip"], threshold: float
) -> dict[Image, int]:
    """The group of near-duplicates of every image of the splits; the same for every size of the images."""
    import numpy as np

    from lab.datasets import load as load_images
    from lab.datasets.duplicates import near_duplicates

    parts = [load_images(name, one, size=(64, 64), grey=True, damaged=damaged) for one in named_splits]
    groups = near_duplicates(np.concatenate([part.images for part in parts]), threshold).tolist()
    return dict(zip((image for part in parts for image in images_of(part)), groups, strict=True))


def images_of(part: ImageSet) -> list[Image]:
    return [(part.split, file) for file in part.files]


def count_duplicates(groups: Mapping[Image, int], train: ImageSet, test: ImageSet) -> Outcome:
    """Groups of several images, the images in them, and the test images that are in one with a training
    image.
    """
    sizes = Counter(groups.values())
    trained = {groups[image] for image in images_of(train)}
    return {
        "duplicates": {
            "groups": sum(size > 1 for size in sizes.values()),
            "images": sum(size for size in sizes.values() if size > 1),
            "train_test": sum(groups[image] in trained for image in images_of(test)),
        }
    }


def duplicate_metrics(outcome: Outcome, prefix: str = "") -> dict[str, Metric]:
    """What `count_duplicates` counted; nothing where an outcome was kept without it."""
    titles = {
        "groups": ("Groups of near-duplicates", "groups"),
        "images": ("Images in groups of near-duplicates", "images"),
        "train_test": ("Test images with a near-duplicate among the training images", "images"),
    }
    return {
        f"{prefix}duplicates/{key}": builders.metric(outcome["duplicates"][key], title, unit)
        for key, (title, unit) in titles.items()
        if "duplicates" in outcome
    }


def black_bordered(images: NDArray[Any]) -> float:
    """Share of the uint8 images (N, C, H, W) of which an eighth or more of the rows or columns are black."""
    dark = images.max(axis=1) < 16
    shares = [dark.all(axis=axis).mean(axis=1) for axis in (1, 2)]
    return float(((shares[0] >= 1 / 8) | (shares[1] >= 1 / 8)).mean())


def _divided(pool: ImageSet, share: float, domain: Domain, groups: Mapping[Image, int]) -> tuple[Any, Any]:
    import numpy as np

    from lab.datasets import splits

    if domain.tracks:
        tracks = [
            f"{label}/{PurePosixPath(file).name.partition('_')[0]}"
            for label, file in zip(pool.labels.tolist(), pool.files, strict=True)
        ]
        return splits.grouped(pool.labels, tracks, share, domain.split_seed, pool.classes)
    held = round(share * len(pool))
    numbers = np.array([groups[image] for image in images_of(pool)]) if groups else None
    first, second = splits.stratified(
        pool.labels, [len(pool) - held, held], domain.split_seed, pool.classes, numbers
    )
    return first, second

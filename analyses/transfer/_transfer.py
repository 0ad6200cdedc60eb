"""What the transfer experiments share: a data set in three parts, and a network's features of it, kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from analyses import experiments
from analyses.plugin import Outcome
from results.schema import Column, Metric, Row, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor, dtype

    from lab.datasets import ImageSet
    from lab.weights import Network


class Domain(BaseModel):
    """A data set to transfer to.

    split, test_split: those of the data set; without a test split a share `test` of each class is kept for
    the test. validation: share of each class, of what remains. tracks: whether the part of a file's name
    before "_" names a track, whose frames must stay together. duplicates: the similarity from which on two
    images stay together, as lab.datasets.duplicates has it; None: near-duplicates are not looked for. images:
    at most so many for training, and evaluated: for validation and for the test each, drawn by class. mirror:
    whether a mirrored image is still of its class. size: height and width in pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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


BLOCK = 640  # images of a file that are in memory at a time, in whole batches
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
        f"{prefix}duplicates/{key}": Metric(value=outcome["duplicates"][key], title=title, unit=unit)
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


SIGNIFICANT = 0.05  # of p-values that Holm's correction adjusted within a table


class Comparison(NamedTuple):
    """One comparison of a table: the mean difference of two classifiers in test accuracy, and its p-value,
    adjusted for the others of the table; None where there is no test.
    """

    words: str
    difference: Metric
    p: float | None

    @property
    def verdict(self) -> Literal["better", "worse", "undecided"]:
        if self.p is None or self.p >= SIGNIFICANT:
            return "undecided"
        return "better" if self.difference.value > 0 else "worse"


Over = Literal["test images", "seeds"]


def compare(
    values: Mapping[str, ArrayLike],
    pairs: Mapping[str, tuple[str, str]],
    titles: Mapping[str, str],
    over: Over = "test images",
) -> dict[str, Comparison]:
    """The comparisons of a table, by name. values: by classifier, one for each test image (the share of its
    networks that are right) or for each seed (the accuracy). pairs: by comparison, the two classifiers; one
    and the same pair counts once.
    """
    from lab.evaluation import holm, paired_over_images, paired_over_seeds

    test = paired_over_images if over == "test images" else paired_over_seeds
    found = {name: test(values[one], values[other]) for name, (one, other) in pairs.items()}
    same = {frozenset(pairs[name]): name for name in reversed(list(pairs))}  # each pair's first name
    adjusted = dict(zip(same, holm([found[name].p for name in same.values()]), strict=True))
    return {
        name: Comparison(
            f"{titles[one]} − {titles[other]}",
            experiments.metric(
                found[name].difference,
                f"Test accuracy of {titles[one]} less that of {titles[other]}; interval over {over}",
            ),
            adjusted[frozenset((one, other))],
        )
        for name, (one, other) in pairs.items()
    }


def comparison_table(compared: Mapping[str, Comparison], caption: str, over: Over = "test images") -> Table:
    number: dict[str, Any] = {"type": "number", "unit": "points", "format": "+.1f"}
    test = {"test images": "a paired bootstrap of the images", "seeds": "paired t-tests"}[over]
    distinct = {frozenset(one.words.split(" − ")): one for one in reversed(list(compared.values()))}
    return Table(
        caption=caption,
        columns=(
            Column(key="compared", label="Difference in test accuracy"),
            Column(key="difference", label="Mean", **number),
            Column(key="low", label="95% from", **number),
            Column(key="high", label="to", **number),
            Column(key="p", label="p (Holm)", type="number", format=".2g"),
        ),
        rows=tuple(
            Row(
                cells={
                    "compared": one.words,
                    "difference": 100 * one.difference.value,
                    "low": None if one.difference.low is None else 100 * one.difference.low,
                    "high": None if one.difference.high is None else 100 * one.difference.high,
                    "p": one.p,
                }
            )
            for one in reversed(list(distinct.values()))
        ),
        notes=(
            f"Intervals are over {over} ({test}), of one comparison at a time; p-values are adjusted for the "
            "number of comparisons in this table (Holm).",
        ),
    )


def share_correct(runs: Sequence[Outcome]) -> NDArray[Any]:
    """Of each test image, the share of the runs that name its class; (N,)."""
    import numpy as np

    return np.array([_is_correct(run) for run in runs]).mean(axis=0)


def _is_correct(run: Outcome) -> list[bool]:
    if "predictions" in run:
        return [said == true for said, true in zip(run["predictions"], run["labels"], strict=True)]
    return [one == "1" for one in run["right"]]  # outcomes that were kept without predictions


def accuracy(correct: NDArray[Any], title: str) -> Metric:
    from lab.evaluation import over_images

    return experiments.metric(over_images(correct), f"Test accuracy, {title}; interval over test images")


def kept_features(
    network: Network,
    images: NDArray[Any],
    layer: str = "",
    *,
    mirrored: bool = False,
    kept_as: dtype | None = None,
    device: str = "cpu",
    report: Callable[[float], None] = lambda fraction: None,
) -> Tensor:
    """lab.weights.features of uint8 images (N, C, H, W), on the CPU, kept in the user's cache from then on.

    They are found again by the weights, layer, size, arithmetic, mirroring and the very pixels. Weights that
    are random numbers are not worth keeping. kept_as: float32 by default.
    """
    import numpy as np
    import torch

    from lab import weights
    from lab.datasets.cache import kept_array
    from lab.datasets.images import in_file
    from lab.recipes import Recipe
    from lab.training import precision_of

    arithmetic = precision_of(Recipe(epochs=1), device, network.model)
    kept_as = kept_as or torch.float32
    length = BLOCK if in_file(images) else max(1, len(images))  # what is in a file is read block by block
    starts = range(0, len(images), length)

    def blocks() -> Iterator[NDArray[Any]]:
        return (np.ascontiguousarray(images[start : start + length]) for start in starts)

    def made() -> Tensor:
        model = network.model.to(device, memory_format=torch.channels_last)
        assert model is network.model
        found = []
        for number, block in enumerate(blocks()):
            pixels = torch.from_numpy(block if block.flags.writeable else block.copy())

            def told(fraction: float, number: int = number) -> None:
                report((number + fraction) / len(starts))

            shown = pixels.flip(-1) if mirrored else pixels
            found.append(
                weights.features(network, shown, layer, dtype=arithmetic, kept_as=kept_as, report=told)
            )
        return torch.cat(found)

    if not network.sha256:
        return made()
    pixels_hash = hashlib.sha256()
    for block in blocks():
        pixels_hash.update(block)
    identity = (
        *(network.architecture, network.sha256, layer, network.size, str(arithmetic), mirrored),
        *(weights.REVISION, pixels_hash.hexdigest()),
        *([str(kept_as)] if kept_as != torch.float32 else []),
    )
    return torch.from_numpy(kept_array("features", identity, lambda: made().numpy()))

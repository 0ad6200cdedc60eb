"""Stratified and grouped splits, drawn by seed; a class that is too small is refused by name.

Groups are of near-duplicates (`lab.datasets.duplicates`), mostly of one image, or of tracks, which are large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from lab.datasets.images import DataError
from lab.datasets.wording import count as counted

Indices = NDArray[np.int64]


def stratified(
    labels: NDArray[np.int64],
    parts: Sequence[float | int],
    seed: int,
    classes: Sequence[str] = (),
    groups: NDArray[np.int64] | None = None,
) -> list[Indices]:
    """Disjoint index arrays, one a part, each with the classes in the proportions of `labels`.

    parts: fractions in (0, 1) or numbers of images, of the whole; what is left over is in no part. groups:
    as `by_number` has them.
    """
    total = len(labels)
    sizes = _sizes(parts, total)
    if sum(sizes) > total:
        raise DataError(f"{sum(sizes)} images are asked for and there are {total}; ask for fewer")
    counts = {int(kind): int((labels == kind).sum()) for kind in np.unique(labels)}
    numbers = _numbers(counts, sizes)
    for share in numbers:
        for kind, count in share.items():
            if count < 1:
                raise DataError(_too_few(counts, parts, kind, classes))
    return by_number(labels, numbers, seed, classes, groups)


def _numbers(counts: dict[int, int], sizes: Sequence[int]) -> list[dict[int, int]]:
    """Images of each class in each part, in proportion to what the parts before have left."""
    numbers, left = [], counts
    for size in sizes:
        share = _apportion(left, size)
        numbers.append(share)
        left = {kind: count - share[kind] for kind, count in left.items()}
    return numbers


def _too_few(counts: dict[int, int], parts: Sequence[float | int], kind: int, classes: Sequence[str]) -> str:
    """Why a class has no image in some part, and from how many on it would have one in each."""
    total = sum(counts.values())
    sizes = _sizes(parts, total)
    split = f"{' + '.join(map(str, sizes))} of {counted(total, 'image')}"
    if min(sizes) < len(counts):
        return (
            f"a part of {counted(min(sizes), 'image')}, in a split into {split}, cannot have one of each of "
            f"the {len(counts)} classes; add images, or choose another split"
        )
    there = f"the class {_name(kind, classes)} has {counted(counts[kind], 'image')}"
    there += f", too few for a split into {split}"
    for more in range(counts[kind] + 1, total):
        grown = {**counts, kind: more}
        numbers = _numbers(grown, _sizes(parts, sum(grown.values())))
        if all(share[kind] for share in numbers):
            return f"{there}, which takes at least {more}; add images or leave the class out"
    return f"{there}; add images or leave the class out"


def by_number(
    labels: NDArray[np.int64],
    numbers: Sequence[Mapping[int, int]],
    seed: int,
    classes: Sequence[str] = (),
    groups: NDArray[np.int64] | None = None,
) -> list[Indices]:
    """Disjoint index arrays, sorted, one a part, with so many images of each class: numbers[part][class].

    groups: (N,) numbers; images of one group come into one part, or all into none. A group is given to a part
    that has room for it, drawn in proportion to the room; the single images fill up what is left. Where no
    part has room, the one with the most takes it, and the numbers cannot be kept.
    """
    drawn = np.random.default_rng(seed)
    kinds = _kinds(labels, classes)
    room = np.array([[part[kind] for kind in kinds] for part in numbers])
    counts = np.array([(labels == kind).sum() for kind in kinds])
    room = np.vstack([room, counts - room.sum(axis=0)])  # the last is in no part
    chosen = np.full(len(labels), -1)
    if groups is not None:
        sizes = np.bincount(groups)
        for group in drawn.permutation(np.flatnonzero(sizes > 1)):
            members = groups == group
            needed = np.array([(labels[members] == kind).sum() for kind in kinds])
            own = room[:, needed > 0].sum(axis=1).clip(min=0)
            fits = own * (room >= needed).all(axis=1)
            part = drawn.choice(len(room), p=fits / fits.sum()) if fits.any() else own.argmax()
            chosen[members] = part
            room[part] -= needed
    for column, kind in enumerate(kinds):
        single = drawn.permutation(np.flatnonzero((labels == kind) & (chosen < 0)))
        ends = np.minimum(room[:, column].clip(min=0).cumsum(), len(single))
        for part, some in enumerate(np.split(single, ends[:-1])):
            chosen[some] = part
        for part in range(len(numbers)):
            if not ((chosen == part) & (labels == kind)).any():
                raise DataError(
                    f"of the class {_name(kind, classes)} too many images are near-duplicates of each other "
                    f"for {len(numbers)} parts; add other images or leave the class out"
                )
    return [np.flatnonzero(chosen == part) for part in range(len(numbers))]


def grouped(
    labels: NDArray[np.int64], groups: Sequence[str], share: float, seed: int, classes: Sequence[str] = ()
) -> tuple[Indices, Indices]:
    """Two parts of which no group is in both; the second has about this share of the images of each class.

    For frames of one film, or pictures of one object: groups must not be shared by classes.
    """
    drawn = np.random.default_rng(seed)
    names = np.asarray(groups)
    second = np.zeros(len(labels), dtype=bool)
    for kind in _kinds(labels, classes):
        own, counts = np.unique(names[labels == kind], return_counts=True)
        if len(own) < 2:
            raise DataError(
                f"the class {_name(kind, classes)} has one group only, too few for a split by groups; "
                "add images or leave the class out"
            )
        order = drawn.permutation(len(own))
        upto = np.cumsum(counts[order])
        taken = int(np.abs(upto[:-1] - share * upto[-1]).argmin()) + 1  # one group at least in each part
        second |= np.isin(names, own[order[:taken]])
    return np.flatnonzero(~second), np.flatnonzero(second)


def _sizes(parts: Sequence[float | int], total: int) -> list[int]:
    """Numbers of images; fractions are rounded at their ends, so that those of a whole sum to `total`."""
    sizes, end = [], 0.0
    for part in parts:
        if isinstance(part, Integral):
            sizes.append(int(part))
        else:
            sizes.append(round((end + part) * total) - round(end * total))
            end += float(part)
    return sizes


def _apportion(counts: dict[int, int], size: int) -> dict[int, int]:
    """`size` images shared out in proportion, by largest remainders; no class gives more than it has."""
    total = max(sum(counts.values()), 1)
    share = {kind: count * size // total for kind, count in counts.items()}
    by_remainder = sorted(counts, key=lambda kind: (-(counts[kind] * size % total), kind))
    for kind in by_remainder[: size - sum(share.values())]:
        share[kind] += 1
    return share


def _kinds(labels: NDArray[np.int64], classes: Sequence[str]) -> list[int]:
    kinds = [int(kind) for kind in np.unique(labels)]
    if len(kinds) < 2:
        there = f"all images are of the class {_name(kinds[0], classes)}" if kinds else "there are no images"
        raise DataError(f"{there}; what tells classes apart needs images of two or more")
    return kinds


def _name(kind: int, classes: Sequence[str]) -> str:
    return classes[kind] if len(classes) else str(kind)


def folds(labels: NDArray[np.int64], count: int, seed: int, classes: Sequence[str] = ()) -> list[Indices]:
    """`count` disjoint stratified folds that cover everything: the held-out indices of each."""
    kinds, counts = np.unique(labels, return_counts=True)
    smallest = counts.min()
    if smallest < count:
        name = _name(int(kinds[counts.argmin()]), classes)
        fewer = f"use at most {smallest} folds" if smallest > 1 else "add images or leave the class out"
        raise DataError(
            f"the class {name} has {counted(int(smallest), 'image')}, too few for {count} folds; {fewer}"
        )
    from sklearn.model_selection import StratifiedKFold

    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    return [held_out for _, held_out in splitter.split(labels, labels)]

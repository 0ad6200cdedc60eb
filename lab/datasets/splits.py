"""Stratified and grouped splits, drawn by seed; a class that is too small is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from lab.datasets.images import DataError

Indices = NDArray[np.int64]


def stratified(
    labels: NDArray[np.int64], parts: Sequence[float | int], seed: int, classes: Sequence[str] = ()
) -> list[Indices]:
    """Disjoint index arrays, one a part, each with the classes in the proportions of `labels`.

    parts: fractions in (0, 1) or numbers of images, of the whole; what is left over is in no part.
    """
    total = len(labels)
    sizes = _sizes(parts, total)
    if sum(sizes) > total:
        raise DataError(f"{sum(sizes)} images are asked for and there are {total}; ask for fewer")
    drawn = np.random.default_rng(seed)
    left = {int(kind): drawn.permutation(np.flatnonzero(labels == kind)) for kind in np.unique(labels)}
    split = []
    for size in sizes:
        share = _apportion({kind: len(indices) for kind, indices in left.items()}, size)
        for kind, count in share.items():
            if count < 1:
                there = np.count_nonzero(labels == kind)
                raise DataError(
                    f"the class {_name(kind, classes)} has {there} images, too few for a split into "
                    f"{' + '.join(map(str, sizes))} of {total}; add images or leave the class out"
                )
        split.append(np.sort(np.concatenate([left[kind][:count] for kind, count in share.items()])))
        left = {kind: indices[share[kind] :] for kind, indices in left.items()}
    return split


def grouped(
    labels: NDArray[np.int64], groups: Sequence[str], share: float, seed: int, classes: Sequence[str] = ()
) -> tuple[Indices, Indices]:
    """Two parts of which no group is in both; the second has about this share of the images of each class.

    For frames of one film, or pictures of one object: groups must not be shared by classes.
    """
    drawn = np.random.default_rng(seed)
    names = np.asarray(groups)
    second = np.zeros(len(labels), dtype=bool)
    for kind in np.unique(labels):
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


def _name(kind: int, classes: Sequence[str]) -> str:
    return classes[kind] if len(classes) else str(kind)


def folds(labels: NDArray[np.int64], count: int, seed: int, classes: Sequence[str] = ()) -> list[Indices]:
    """`count` disjoint stratified folds that cover everything: the held-out indices of each."""
    kinds, counts = np.unique(labels, return_counts=True)
    smallest = counts.min()
    if smallest < count:
        name = _name(int(kinds[counts.argmin()]), classes)
        raise DataError(
            f"the class {name} has {smallest} images, too few for {count} folds; use at most {smallest} folds"
        )
    from sklearn.model_selection import StratifiedKFold

    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    return [held_out for _, held_out in splitter.split(labels, labels)]

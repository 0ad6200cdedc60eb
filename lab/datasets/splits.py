"""Stratified and grouped splits, drawn by seed; a class that is too small is refused by name."""

from __future__ import annotations

from collections.abc import Sequence

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
    sizes = [part if isinstance(part, int) else round(part * total) for part in parts]
    if sum(sizes) > total:
        raise DataError(f"{sum(sizes)} images are asked for and there are {total}; ask for fewer")
    drawn = np.random.default_rng(seed)
    kinds = np.unique(labels)
    shuffled = {kind: drawn.permutation(np.flatnonzero(labels == kind)) for kind in kinds}
    taken = dict.fromkeys(kinds, 0)
    split = []
    for size in sizes:
        share = _apportion({kind: len(shuffled[kind]) * size / total for kind in kinds}, size)
        chosen = []
        for kind, count in share.items():
            start, taken[kind] = taken[kind], taken[kind] + count
            if count < 1 or taken[kind] > len(shuffled[kind]):
                name = classes[kind] if len(classes) else str(kind)
                raise DataError(
                    f"the class {name} has {len(shuffled[kind])} images, too few for a split into "
                    f"{' + '.join(map(str, sizes))} of {total}; add images or leave the class out"
                )
            chosen.append(shuffled[kind][start : taken[kind]])
        split.append(np.sort(np.concatenate(chosen)))
    return split


def _apportion(quotas: dict[int, float], size: int) -> dict[int, int]:
    """Whole numbers nearest to the quotas that sum to `size` (largest remainders first)."""
    share = {kind: int(quota) for kind, quota in quotas.items()}
    by_remainder = sorted(quotas, key=lambda kind: (share[kind] - quotas[kind], kind))
    for kind in by_remainder[: size - sum(share.values())]:
        share[kind] += 1
    return share


def folds(labels: NDArray[np.int64], count: int, seed: int, classes: Sequence[str] = ()) -> list[Indices]:
    """`count` disjoint stratified folds that cover everything: the held-out indices of each."""
    smallest = np.bincount(labels)[np.unique(labels)].min()
    if smallest < count:
        kind = int(np.unique(labels)[np.bincount(labels)[np.unique(labels)].argmin()])
        name = classes[kind] if len(classes) else str(kind)
        raise DataError(
            f"the class {name} has {smallest} images, too few for {count} folds; use at most {smallest} folds"
        )
    from sklearn.model_selection import StratifiedKFold

    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    return [held_out for _, held_out in splitter.split(labels, labels)]

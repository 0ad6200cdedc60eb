"""How often each image is shown in training, where classes or data sets differ in size: orders for
`lab.training.fit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

REVISION = 1  # to be raised when the same settings and seed give another order


@dataclass(frozen=True)
class Resampled:
    """As many draws with replacement as there are images, the classes in proportion to their size to this
    power: 1 for natural sampling, ½ for square-root, 0 for uniform (Mahajan et al. 2018, section 2.2).
    """

    power: float

    def __call__(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        own = labels.cpu()
        sizes = torch.bincount(own).double()
        weights = sizes.clamp(min=1).pow(self.power - 1)[own]
        return torch.multinomial(weights, len(own), replacement=True, generator=generator)


@dataclass(frozen=True)
class Rounds:
    """`count` images an epoch, whatever their number is: shuffles of all, one after another, cut off. Sets of
    different sizes are so trained on for as many steps.
    """

    count: int

    def __call__(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        shuffles = -(-self.count // len(labels))
        drawn = [torch.randperm(len(labels), generator=generator) for _ in range(shuffles)]
        return torch.cat(drawn)[: self.count]


def zipf(labels: ArrayLike, largest: int, seed: int, exponent: float = 1.0) -> NDArray[np.int64]:
    """Indices of a long-tailed part: of the class of rank r, drawn by seed, `largest` ÷ r^exponent images.

    ValueError where a class has fewer than its rank asks for, or the last would have none.
    """
    kinds: Sequence[int] = np.unique(labels).tolist()
    drawn = np.random.default_rng(seed)
    chosen = []
    for rank, kind in enumerate(drawn.permutation(kinds).tolist(), start=1):
        own = np.flatnonzero(np.asarray(labels) == kind)
        wanted = round(largest / rank**exponent)
        if not 0 < wanted <= len(own):
            raise ValueError(
                f"the class of rank {rank} should have {wanted} images, and there are {len(own)} of it"
            )
        chosen.append(drawn.permutation(own)[:wanted])
    return np.sort(np.concatenate(chosen))

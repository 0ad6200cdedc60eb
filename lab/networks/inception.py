"""One Inception module, naive or with reductions: Szegedy et al. 2015, figures 2(a), 2(b) and table 1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Filters:
    """How many filters each branch has; a reduction of 0 means that the branch has none (naive).

    Names as the columns of table 1 of the paper: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool proj.
    """

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool_projection: int


#: Input width, input channels and filters of GoogLeNet's nine modules, from table 1 of the paper.
GOOGLENET: dict[str, tuple[int, int, Filters]] = {
    "3a": (28, 192, Filters(64, 96, 128, 16, 32, 32)),
    "3b": (28, 256, Filters(128, 128, 192, 32, 96, 64)),
    "4a": (14, 480, Filters(192, 96, 208, 16, 48, 64)),
    "4b": (14, 512, Filters(160, 112, 224, 24, 64, 64)),
    "4c": (14, 512, Filters(128, 128, 256, 24, 64, 64)),
    "4d": (14, 512, Filters(112, 144, 288, 32, 64, 64)),
    "4e": (14, 528, Filters(256, 160, 320, 32, 128, 128)),
    "5a": (7, 832, Filters(256, 160, 320, 32, 128, 128)),
    "5b": (7, 832, Filters(384, 192, 384, 48, 128, 128)),
}


class Inception(nn.Module):
    """(N, C, H, W) → (N, sum of the branches, H, W); every branch keeps height and width."""

    def __init__(self, input_shape: tuple[int, int, int], filters: Filters) -> None:
        super().__init__()
        self.input_shape = input_shape
        channels = input_shape[0]
        self.one = nn.Conv2d(channels, filters.one, 1)
        self.three = _branch(channels, filters.three_reduce, filters.three, 3)
        self.five = _branch(channels, filters.five_reduce, filters.five, 5)
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1))
        if filters.pool_projection:
            self.pool.append(nn.Conv2d(channels, filters.pool_projection, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], dim=1)


def _branch(channels: int, reduce: int, filters: int, size: int) -> nn.Sequential:
    if not reduce:
        return nn.Sequential(nn.Conv2d(channels, filters, size, padding=size // 2))
    return nn.Sequential(nn.Conv2d(channels, reduce, 1), nn.Conv2d(reduce, filters, size, padding=size // 2))


def naive(filters: Filters) -> Filters:
    """The same module without reductions: figure 2(a)."""
    return Filters(filters.one, 0, filters.three, 0, filters.five, 0)

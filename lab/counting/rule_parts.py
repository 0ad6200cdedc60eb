"""What counting rules share. A rule takes the walk, the function's name, the function and its arguments; it
adds a row and returns the output: an empty tensor of the right shape on the meta device. Shapes that do not
fit raise ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lab.counting.arguments import Arguments, Keywords
from lab.counting.rows import LayerRows
from lab.counting.values import KnownValues
from lab.formulas import Count


class Walk(Protocol):
    """What rules may use of a walk."""

    exact: bool
    lengths: dict[int, Tensor]
    root: nn.Module
    layers: LayerRows
    values: KnownValues

    def run(self, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any: ...
    def meta(self, value: Any) -> Any: ...


Rule = Callable[[Walk, str, Callable[..., Any], Arguments, Keywords], Any]


def empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """An output on the meta device, channels last where the input of an image operator is."""
    output = torch.empty(shape, dtype=like.dtype, device="meta")
    image = len(shape) == 4 == like.dim() and not like.is_contiguous()
    if image and like.is_contiguous(memory_format=torch.channels_last):
        return output.contiguous(memory_format=torch.channels_last)
    return output


def same(x: Tensor) -> Tensor:
    if x.is_contiguous():  # quicker than empty_like, whose shape inference is written in Python
        return torch.empty(x.shape, dtype=x.dtype, device="meta")
    return torch.empty_like(x, device="meta")


def check_window(size: Sequence[int], kernel: Sequence[int], output: Sequence[int]) -> None:
    if min(output) < 1:
        window, space = ("×".join(map(str, n)) for n in (kernel, size))
        raise ValueError(f"its window of {window} does not fit into {space}")


def check_rank(x: Tensor, space: int) -> None:
    if x.dim() not in (space + 1, space + 2):
        raise ValueError(f"it takes {space} spatial dimensions, not a tensor of shape {tuple(x.shape)}")


def check_numbers(x: Tensor, weight: Tensor | None) -> None:
    """Whole numbers do not meet weights of others, which torch refuses too."""
    if weight is not None and weight.is_floating_point() and not (x.is_floating_point() or x.is_complex()):
        kind = str(x.dtype).removeprefix("torch.")
        raise ValueError(f"it takes numbers such as float32, not the whole numbers of {kind}")


def check_width(expected: int, given: int, what: str = "channels") -> None:
    if expected != given:
        raise ValueError(f"it takes {expected} {what}, not {given}")


def claim_pair(
    walk: Walk, weight: Tensor | None, bias: Tensor | None, formula: Count | None = None
) -> dict[str, Any]:
    """The columns of a layer's own parameters; computed ones have been counted where they were stored."""
    weights, again = walk.layers.claim(weight, formula)
    biases, _ = walk.layers.claim(bias)
    return {"own": walk.layers.owner(weight), "weights": weights, "biases": biases, "shared": again}

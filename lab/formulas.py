"""The arithmetic of layers: plain integers in, a count and its expression out; no torch.

Conventions: a count is of one sample (batch 1) unless `repeats` says otherwise; a MAC is one
multiply–accumulate; biases, normalisation, activation and pooling are no MACs. Expressions use "·", "+",
parentheses and digits, and evaluate to the count when "·" is read as "*".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

REVISION = 1

#: The convention in one look: operator class → its multiply–accumulates.
MAC_RULES = {
    "convolution": "(kernel · input channels of a group) · filters · output positions",
    "transposed convolution": "(kernel · filters of a group) · input channels · input positions",
    "linear": "(inputs · outputs) · positions",
    "attention": "heads · queries · keys · (head width of keys + head width of values)",
    "matmul": "batch · rows · inner · columns",
    "recurrent": "steps · gates · hidden · (inputs + hidden), each layer and direction",
}


@dataclass(frozen=True, slots=True)
class Count:
    """A count and the arithmetic that gives it."""

    value: int
    expression: str

    def __add__(self, other: Count) -> Count:
        if not self.value or not other.value:
            return other if not self.value else self
        return Count(self.value + other.value, f"{self.expression} + {other.expression}")


ZERO = Count(0, "0")


def total(counts: Iterable[Count]) -> Count:
    """The sum, written out."""
    return sum(counts, ZERO)


def evaluate(expression: str) -> int:
    """The integer of an expression of digits, "·", "+" and parentheses; ValueError for anything else."""
    if not set(expression) <= set("0123456789·+() "):
        raise ValueError(f"not an arithmetic expression: {expression!r}")
    return int(eval(expression.replace("·", "*"), {"__builtins__": {}}))


def product(factors: Sequence[int]) -> Count:
    """a·b·c."""
    return Count(math.prod(factors), "·".join(map(str, factors)) or "1")


def activations(shape: Sequence[int]) -> Count:
    """Elements of a map (C, H, W), written H·W·C; other shapes in their own order."""
    return product((*shape[1:], shape[0]) if len(shape) > 2 else shape)


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """W2 = ⌊(W1 − F + 2P) / S⌋ + 1, with F = dilation·(kernel − 1) + 1.

    Rounding down leaves the last `unused_pixels` of the padded input unseen.
    """
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def unused_pixels(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Pixels at the far edge of the padded input that no window reaches: the remainder of the division."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) % stride


def transposed_output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> int:
    """W2 = (W1 − 1)·S − 2P + dilation·(F − 1) + output padding + 1."""
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1


def pooled_size(
    size: int, kernel: int, stride: int, padding: int = 0, dilation: int = 1, ceil_mode: bool = False
) -> int:
    """As `output_size`; rounded up, a last window must still start inside the input or its left padding."""
    if not ceil_mode:
        return output_size(size, kernel, stride, padding, dilation)
    windows = -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1
    return windows - 1 if (windows - 1) * stride >= size + padding else windows


def convolution_weights(inputs: int, filters: int, kernel: Sequence[int], groups: int = 1) -> Count:
    """(kernel · input channels of a group) · filters."""
    window = product((*kernel, inputs // groups))
    return Count(window.value * filters, f"({window.expression})·{filters}")


def convolution_macs(weights: Count, output: Sequence[int], repeats: int = 1) -> Count:
    """Every weight once at every output position; `output` is (H, W) without channels."""
    return times(weights, (*output, *((repeats,) if repeats != 1 else ())))


def transposed_convolution_macs(weights: Count, positions: Sequence[int], repeats: int = 1) -> Count:
    """Every weight once at every input position."""
    return convolution_macs(weights, positions, repeats)


def times(count: Count, factors: Sequence[int]) -> Count:
    """count · a · b; a sum is put in parentheses."""
    if not factors:
        return count
    text = f"({count.expression})" if "+" in count.expression else count.expression
    return Count(count.value * math.prod(factors), "·".join((text, *map(str, factors))))


def linear_weights(inputs: int, outputs: int) -> Count:
    return product((inputs, outputs))


def linear_macs(inputs: int, outputs: int, positions: Sequence[int] = ()) -> Count:
    """(inputs · outputs) once at every position (token, pixel)."""
    many = [n for n in positions if n != 1]
    weights = product((inputs, outputs))
    return times(Count(weights.value, f"({weights.expression})"), many) if many else weights


def attention_macs(batch: Sequence[int], queries: int, keys: int, key_width: int, value_width: int) -> Count:
    """Scores Q·Kᵀ, then their weighted sum of V; `batch` has the heads. A causal mask saves nothing."""
    many = [n for n in batch if n != 1]
    return product((*many, queries, keys, key_width)) + product((*many, queries, keys, value_width))


def matmul_macs(rows: int, inner: int, columns: int, batch: int = 1) -> Count:
    return product((batch, rows, inner, columns) if batch != 1 else (rows, inner, columns))


def recurrent_macs(
    steps: int, inputs: int, hidden: int, gates: int, layers: int = 1, directions: int = 1, projected: int = 0
) -> Count:
    """Products of a recurrent net: `gates` is 1 (RNN), 3 (GRU) or 4 (LSTM); the state may be projected."""
    state, total = projected or hidden, ZERO
    for layer in range(layers):
        width = inputs if layer == 0 else state * directions
        step = product((gates, hidden))
        cell = Count(step.value * (width + state), f"{step.expression}·({width} + {state})")
        if projected:
            cell = cell + product((hidden, projected))
        total = total + times(cell, (steps, directions) if directions > 1 else (steps,))
    return total


def separable_macs(kernel: int, inputs: int, filters: int, size: int) -> Count:
    """Depthwise then pointwise on a square map: K²·M·D² + M·N·D² (Howard et al. 2017, equation 5)."""
    return product((kernel, kernel, inputs, size, size)) + product((inputs, filters, size, size))


def stacked_receptive_field(
    kernels: Sequence[int], strides: Sequence[int] | None = None, dilations: Sequence[int] | None = None
) -> int:
    """1 + Σ dᵢ·(kᵢ − 1)·Πⱼ﹤ᵢ sⱼ; for N layers of F×F, stride 1: N·F − N + 1 = N·(F − 1) + 1."""
    strides = strides or [1] * len(kernels)
    dilations = dilations or [1] * len(kernels)
    size = jump = 1
    for kernel, stride, dilation in zip(kernels, strides, dilations, strict=True):
        size += dilation * (kernel - 1) * jump
        jump *= stride
    return size


def backward_macs(forward: int, input_gradient: bool = True) -> int:
    """MACs of the backward pass of a convolution, linear layer or matrix product with `forward` MACs.

    The gradient of the weights and that of the input each repeat every forward product once, whatever the
    groups: 2 · forward; a first layer whose input needs no gradient has the first alone.
    """
    return forward * (2 if input_gradient else 1)


def adaptive_windows(size: int, windows: int) -> list[tuple[int, int]]:
    """(start, end) of each window of an adaptive pooling: ⌊i·size/windows⌋ to ⌈(i+1)·size/windows⌉."""
    return [(i * size // windows, -(-(i + 1) * size // windows)) for i in range(windows)]


def is_uniform(windows: Sequence[tuple[int, int]]) -> bool:
    """Whether the windows have one length and one step, as a fixed pooling has."""
    lengths = {end - start for start, end in windows}
    steps = {b[0] - a[0] for a, b in pairwise(windows)}
    return len(lengths) == 1 and len(steps) <= 1

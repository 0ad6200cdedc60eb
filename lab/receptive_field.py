"""Receptive fields: what part of the input one unit can see, followed from tensor to tensor.

A `Field` belongs to one tensor: along each spatial axis of the input it has the first pixel that the first
unit sees, how many it sees, and how many pixels lie between neighbouring units. It also remembers which
dimension of the tensor runs along which axis, so that permuting or flattening loses nothing. Units that
depend on all positions are "global"; what these rules cannot follow is `UNKNOWN`, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from lab import formulas
from lab.ledger import ReceptiveField

#: Axes along a tensor's dimension, outermost first, each with its number of units; () is not spatial.
Axes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Field:
    start: tuple[int, ...]
    size: tuple[int, ...]
    jump: tuple[int, ...]
    axes: tuple[Axes, ...]


@dataclass(frozen=True)
class Unknown:
    """A dependence on the input of unknown extent."""


UNKNOWN = Unknown()
State = Field | Unknown | Literal["global"] | None  # None: does not depend on the input


def of_input(shape: Sequence[int]) -> Field:
    """Every pixel sees itself; (N, C, …) has the spatial axes …"""
    space = len(shape) - 2
    axes = ((), (), *(((axis, n),) for axis, n in enumerate(shape[2:])))
    return Field((0,) * space, (1,) * space, (1,) * space, axes[: len(shape)])


def report(state: State) -> ReceptiveField | Literal["global"] | None:
    """The state as the ledger holds it."""
    if not isinstance(state, Field):
        return state if state == "global" else None
    if not state.size:
        return None
    centre = tuple(start + size / 2 for start, size in zip(state.start, state.size, strict=True))
    return ReceptiveField(state.size, state.jump, centre)


def merge(states: Sequence[State]) -> State:
    """The union of what several branches see; branches of one shape, broadcast from the right."""
    found = [state for state in states if state is not None]
    if not found or len(found) == 1 or all(state is found[0] for state in found):
        return found[0] if found else None
    if "global" in found:
        return "global"
    if UNKNOWN in found:
        return UNKNOWN
    first, *others = [state for state in found if isinstance(state, Field)]
    for other in others:
        if other == first:
            continue
        end = [
            max(a + b, c + d)
            for a, b, c, d in zip(first.start, first.size, other.start, other.size, strict=True)
        ]
        start = tuple(map(min, first.start, other.start))
        first = Field(
            start,
            tuple(b - a for a, b in zip(start, end, strict=True)),
            tuple(map(max, first.jump, other.jump)),
            first.axes if len(first.axes) >= len(other.axes) else other.axes,
        )
    return first


def window(
    state: State,
    output: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> State:
    """After a convolution or pooling over the last dimensions; `output` is the whole output shape."""
    if not isinstance(state, Field):
        return state
    space = len(kernel)
    start, size, jump = list(state.start), list(state.size), list(state.jump)
    axes: list[Axes] = [()] * len(output)
    untouched = state.axes[: len(state.axes) - space]
    if len(state.axes) != len(output):
        return UNKNOWN
    axes[: len(untouched)] = untouched
    for i in range(space):
        along = state.axes[i - space]
        if len(along) == 1:
            axis = along[0][0]
            start[axis] -= padding[i] * jump[axis]
            size[axis] += dilation[i] * (kernel[i] - 1) * jump[axis]
            jump[axis] *= stride[i]
            axes[i - space] = ((axis, output[i - space]),)
        elif along and not kernel[i] == stride[i] == 1:
            return UNKNOWN
        else:
            axes[i - space] = along
    return Field(tuple(start), tuple(size), tuple(jump), tuple(axes))


def adaptive(state: State, shape: Sequence[int], output: Sequence[int]) -> State:
    """After adaptive pooling from `shape` to `output`: global where one unit is left of several."""
    if not isinstance(state, Field):
        return state
    changed = [i for i, (a, b) in enumerate(zip(shape, output, strict=True)) if a != b and state.axes[i]]
    if any(output[i] == 1 for i in changed) or prod(output[-len(state.size) :]) == 1:
        return "global"
    if any(not formulas.is_uniform(formulas.adaptive_windows(shape[i], output[i])) for i in changed):
        return UNKNOWN
    kernel = [shape[i] // output[i] for i in range(2, len(shape))]
    return window(state, output, kernel, kernel, [0] * len(kernel), [1] * len(kernel))


def contract(state: State, dims: Sequence[int]) -> State:
    """After a sum over whole dimensions (which stay): global when one of them is spatial."""
    if isinstance(state, Field) and any(state.axes[dim] for dim in dims):
        return "global"
    return state


def reduced(state: State, dims: Sequence[int], left: int) -> State:
    """After a sum over whole dimensions, of which `left` dimensions stay."""
    state = contract(state, dims)
    if not isinstance(state, Field) or left == len(state.axes):
        return state
    return replace(state, axes=tuple(axes for dim, axes in enumerate(state.axes) if dim not in dims))


def permute(state: State, dims: Sequence[int]) -> State:
    return replace(state, axes=tuple(state.axes[dim] for dim in dims)) if isinstance(state, Field) else state


def reshape(state: State, shape: Sequence[int], output: Sequence[int]) -> State:
    """After a view: dimensions are merged and split in memory order."""
    if not isinstance(state, Field):
        return state
    axes: list[Axes] = [()] * len(output)
    for old, new in _groups(shape, output):
        along = tuple(pair for i in old for pair in state.axes[i])
        wide = [j for j in new if output[j] != 1] or list(new[:1])
        if not along:
            continue
        if len(wide) == 1:
            axes[wide[0]] = along
        elif [output[j] for j in wide] == [n for _, n in along if n != 1]:
            for j, pair in zip(wide, (pair for pair in along if pair[1] != 1), strict=True):
                axes[j] = (pair,)
        else:
            return UNKNOWN
    return replace(state, axes=tuple(axes))


def _groups(shape: Sequence[int], output: Sequence[int]) -> Iterator[tuple[range, range]]:
    """The shortest runs of old and new dimensions of equally many elements; ones join the run before."""
    i = j = 0
    while i < len(shape) or j < len(output):
        first, to = i, j
        i, j = min(i + 1, len(shape)), min(j + 1, len(output))
        while (old := prod(shape[first:i])) != (new := prod(output[to:j])):
            i, j = (i + 1, j) if old < new else (i, j + 1)
        while i < len(shape) and shape[i] == 1 and (j == len(output) or output[j] != 1):
            i += 1
        while j < len(output) and output[j] == 1 and (i == len(shape) or shape[i] != 1):
            j += 1
        yield range(first, i), range(to, j)


def padded(state: Field, output: Sequence[int], widths: Sequence[int]) -> State:
    """After padding, given as torch does: (before, after) of the last dimension, then of the one before, …"""
    start, axes = list(state.start), list(state.axes)
    for i, before in enumerate(widths[::2]):
        dim = len(output) - 1 - i
        if len(axes[dim]) == 1:
            axis = axes[dim][0][0]
            start[axis] -= before * state.jump[axis]
            axes[dim] = ((axis, output[dim]),)
        elif axes[dim] and any(widths[2 * i : 2 * i + 2]):
            return UNKNOWN
    return replace(state, start=tuple(start), axes=tuple(axes))


def indexed(state: Field, shape: Sequence[int], output: Sequence[int], index: Sequence[object]) -> State:
    """After tensor[index] with slices, numbers, None and one ellipsis; anything else is unknown."""
    if any(not (i is None or i is Ellipsis or isinstance(i, int | slice)) for i in index):
        return UNKNOWN
    missing = len(shape) - sum(i is not None and i is not Ellipsis for i in index)
    if not any(i is Ellipsis for i in index):
        index = (*index, Ellipsis)
    start, jump = list(state.start), list(state.jump)
    axes: list[Axes] = []
    dim = 0
    for i in index:
        if i is Ellipsis:
            axes += state.axes[dim : dim + missing]
            dim += missing
        elif i is None:
            axes.append(())
        else:
            along = state.axes[dim]
            if isinstance(i, slice):
                first, end, step = i.indices(shape[dim])
                if along and (len(along) > 1) and (first, end, step) != (0, shape[dim], 1):
                    return UNKNOWN
                if len(along) == 1:
                    axis = along[0][0]
                    start[axis] += first * jump[axis]
                    jump[axis] *= step
                    along = ((axis, len(range(first, end, step))),)
                axes.append(along)
            elif along:
                return UNKNOWN
            dim += 1
    return replace(state, start=tuple(start), jump=tuple(jump), axes=tuple(axes))

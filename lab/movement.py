"""How torch's functions move receptive fields: `MOVES`, from a function's name to the state of its output.

Here stand the functions that have no counting rule of their own, or that only move values: views, copies,
picking, reductions, products. A rule takes the function's arguments (named as torch names them, see
`arguments`) and its output, and gives the state of the output; what is not here is followed only where it
works element by element. States live with tensors (`keep`, `state_of`), each with the version of the tensor's
memory that it is true of: after a write in place that nobody followed, it is true no longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lab import receptive_field as fields
from lab.receptive_field import UNKNOWN, State

REVISION = 1

Arguments = tuple[Any, ...]
Keywords = Mapping[str, Any]

#: NumPy's and Python's words that torch takes for its own.
ALIASES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other"}


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def take(args: Arguments, kwargs: Keywords, position: int, name: str, default: Any = None) -> Any:
    if position < len(args):
        return args[position]
    return kwargs.get(name, default)


def arguments(args: Arguments, kwargs: Keywords) -> tuple[Arguments, dict[str, Any]]:
    """The call with its first operands by position and every keyword by torch's own name."""
    kwargs = {ALIASES.get(key, key): value for key, value in kwargs.items()}
    for first in ("input", "tensors", "query", "self"):
        if not args and first in kwargs:
            args = (kwargs.pop(first),)
    if len(args) == 1 and "other" in kwargs:
        args = (*args, kwargs.pop("other"))
    return args, kwargs


# States of tensors


def version(tensor: Tensor) -> int:
    """How often the tensor's memory has been written; 0 where torch does not say (inference mode)."""
    try:
        return tensor._version
    except RuntimeError:
        return 0


def keep(tensor: Tensor, state: State) -> None:
    """Remember what the tensor sees, as its memory is now."""
    tensor.field = (state, version(tensor))  # type: ignore[attr-defined]


def state_of(tensor: Any) -> State:
    """What the tensor sees; None where it does not depend on the input."""
    kept = getattr(tensor, "field", None)
    if kept is None:
        return None
    state, when = kept
    if when == version(tensor):
        return state
    state = UNKNOWN
    base = tensor._base
    if base is not None and getattr(base, "field", (None, -1))[1] == version(tensor):
        state = seen_through(base, tensor)  # the memory was written through another view
    keep(tensor, state)
    return state


def channels_of(tensor: Any) -> int | None:
    """The dimension that holds the tensor's channels or features, where it is known."""
    return getattr(tensor, "channels", None)


def keep_channels(tensor: Tensor, dim: int | None) -> None:
    tensor.channels = None if dim is None else dim % max(tensor.dim(), 1)  # type: ignore[attr-defined]


def carry_channels(source: Any, output: Tensor, name: str = "") -> None:
    """Channels of what a function made of `source`: at their step in memory where it is a view of it or a
    reshape, elsewhere in the same dimension."""
    dim = channels_of(source)
    if dim is None or output is source:
        return
    if tuple(output.shape) != tuple(source.shape) or name not in SAME:
        if name in RESHAPES or output._is_view():
            views = output._is_view()
            ours, theirs = (t.stride() if views else fields.contiguous(t.shape) for t in (source, output))
            found = [
                d
                for d, (n, step) in enumerate(zip(output.shape, theirs, strict=True))
                if n > 1 and step == ours[dim]
            ]
            dim = found[0] if len(found) == 1 else None
        elif output.dim() != source.dim():
            dim = None
    keep_channels(output, dim)


def seen_through(source: Tensor, view: Tensor) -> State:
    """The state of a view of `source`, whatever function made it."""
    state = state_of(source)
    if not isinstance(state, fields.Field | fields.Several):
        return state
    return fields.viewed(
        state,
        source.shape,
        source.stride(),
        view.shape,
        view.stride(),
        int(view.storage_offset() - source.storage_offset()),
    )


def written(target: Tensor, state: State) -> None:
    """`target` has been written in place and now sees `state`: so does the tensor it is a view of."""
    base = target._base
    if base is not None:
        before = getattr(base, "field", (None, 0))[0]
        keep(base, with_part(before, base, target, state))
    keep(target, state)


def region(base: Tensor, view: Tensor) -> list[tuple[int, int, int | None]] | None:
    """(first unit, units, dimension of the view) along each dimension of a contiguous base, where the view
    is a block of it with its dimensions in any order; else None."""
    if not base.is_contiguous():
        return None
    offset = int(view.storage_offset() - base.storage_offset())
    block: list[tuple[int, int, int | None]] = []
    for n, step in zip(base.shape, base.stride(), strict=True):
        along = [
            d for d, (m, s) in enumerate(zip(view.shape, view.stride(), strict=True)) if s == step and m > 1
        ]
        if len(along) > 1:
            return None
        first = offset // step if n > 1 else 0
        offset -= first * step
        units = view.shape[along[0]] if along else 1
        if first < 0 or first + units > n:
            return None
        block.append((first, units, along[0] if along else None))
    covered = 1
    for _, units, _ in block:
        covered *= units
    return None if offset or covered != view.numel() else block


def with_part(before: State, base: Tensor, view: Tensor, state: State) -> State:
    """What a base sees after the view of it has been given `state`."""
    if state == before and fields.is_whole(before):
        return before
    block = region(base, view)
    if block is None:
        return None if before is None and state is None else UNKNOWN
    cut = [d for d, ((_, units, _), n) in enumerate(zip(block, base.shape, strict=True)) if units != n]
    left: State = None
    if before is not None and cut:
        if len(cut) > 1:
            return UNKNOWN
        d = cut[0]
        first, units, _ = block[d]
        sides = []
        for low, high in ((0, first), (first + units, base.shape[d])):
            if low < high:
                side = narrowed(before, base.shape, d, low, high)
                sides.append(fields.placed(side, d, low, base.shape[d], high - low))
        left = fields.union(sides)
    order = [d for _, _, d in block]

    def in_base(field: fields.Field) -> State:
        return field._replace(dims=tuple(() if d is None else field.dims[d] for d in order))

    new = fields.each(state, in_base)
    for d in cut:
        new = fields.placed(new, d, block[d][0], base.shape[d], block[d][1])
    return fields.union([left, new])


def narrowed(state: State, shape: Sequence[int], dim: int, low: int, high: int) -> State:
    """The units from `low` to `high` of one dimension."""
    strides = fields.contiguous(shape)
    output = [high - low if d == dim else n for d, n in enumerate(shape)]
    return fields.viewed(state, shape, strides, output, strides, low * strides[dim])


# Rules


Rule = Callable[[Arguments, Keywords, Tensor], State]


def elementwise(tensors: Sequence[Any], output: Tensor) -> State:
    """The union of what is broadcast together."""
    return fields.union(
        [
            fields.aligned(state_of(t), t.shape, output.shape)
            for t in tensors
            if isinstance(t, Tensor) and state_of(t) is not None
        ]
    )


def dimensions(value: Any, rank: int) -> tuple[int, ...]:
    """The dimensions that an argument names: one, several, or all."""
    if value is None or value == () or value == []:
        return tuple(range(rank))
    if isinstance(value, int):
        value = (value,)
    return tuple(int(d) % max(rank, 1) for d in value)


def _reduction(position: int) -> Rule:
    def rule(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
        x, dim = args[0], take(args, kwargs, position, "dim")
        if isinstance(dim, Tensor):
            return elementwise(args, output)
        if isinstance(dim, bool) or (dim is not None and not isinstance(dim, int | list | tuple)):
            dim = None
        return fields.reduced(state_of(x), dimensions(dim, x.dim()), output.dim())

    return rule


def _mixing(position: int, default: Any = None) -> Rule:
    """Functions whose outputs each depend on everything along a dimension."""

    def rule(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
        dim = take(args, kwargs, position, "dim", default)
        return fields.contract(state_of(args[0]), dimensions(dim, args[0].dim()))

    return rule


def _running(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """A running sum: later units see more."""
    x, dim = args[0], take(args, kwargs, 1, "dim")
    state = state_of(x)
    return state if state == fields.contract(state, dimensions(dim, x.dim())) else UNKNOWN


def _copied(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """The elements in their order, under another shape."""
    return fields.reshape(state_of(args[0]), args[0].shape, output.shape)


def _permuted(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    rank = args[0].dim()
    given = args[1:] or tuple(kwargs["dims"])
    order = given[0] if isinstance(given[0], list | tuple) else given
    return fields.permute(state_of(args[0]), [d % rank for d in order])


def _transposed(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    rank = args[0].dim()
    order = list(range(rank))
    a, b = (take(args, kwargs, i + 1, name) for i, name in enumerate(("dim0", "dim1")))
    if a is None or b is None:
        return seen_through(args[0], output)
    order[a], order[b] = order[b], order[a]
    return fields.permute(state_of(args[0]), order)


def _padded(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, widths, mode = args[0], take(args, kwargs, 1, "pad"), take(args, kwargs, 2, "mode", "constant")
    state, shape = state_of(x), list(x.shape)
    by_zeros = fields.padded(state, output.shape, widths)
    if not isinstance(mode, str) or mode == "constant":
        return by_zeros
    output.padded = by_zeros, mode, tuple(widths)  # type: ignore[attr-defined]
    for i in range(len(widths) // 2):
        d, (before, after) = x.dim() - 1 - i, widths[2 * i : 2 * i + 2]
        state = _padded_by_itself(state, shape, d, before, after, mode)
        shape[d] += before + after
    return state


def _padded_by_itself(
    state: State, shape: Sequence[int], d: int, before: int, after: int, mode: str
) -> State:
    """After padding dimension `d` with units of the tensor: mirrored, repeated, or from the other end."""
    n = shape[d]
    ends = {
        "reflect": ((1, before + 1), (n - 1 - after, n - 1)),
        "replicate": ((0, 1), (n - 1, n)),
        "circular": ((n - before, n), (0, after)),
    }[mode]
    total, parts = n + before + after, [fields.placed(state, d, before, n + before + after, n)]
    for width, place, (low, high) in ((before, 0, ends[0]), (after, before + n, ends[1])):
        if width < 0:
            return UNKNOWN
        if width:
            part = narrowed(state, shape, d, low, high)
            part = fields.flipped(part, [d]) if mode == "reflect" else part
            parts.append(fields.placed(part, d, place, total, width))
    return fields.union(parts)


def of_windows(x: Tensor, kernel: Sequence[int], dilation: Sequence[int]) -> State:
    """What `x` sees, for windows over it: padding that repeats or mirrors `x` is to them as one of zeros,
    where each window that holds some of it holds as well what it repeats."""
    by_zeros, mode, widths = getattr(x, "padded", (None, "", ()))
    need = {"replicate": 1, "reflect": 2}.get(mode)
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if need is None or len(widths) > 2 * len(reach) or version(x):
        return state_of(x)
    wide = [max(widths[2 * i : 2 * i + 2], default=0) for i in reversed(range(len(reach)))]
    return by_zeros if all(need * p <= r for p, r in zip(wide, reach, strict=True)) else state_of(x)


def _stacked(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    tensors, dim = args[0], take(args, kwargs, 1, "dim", 0) % output.dim()

    def inserted(field: fields.Field) -> State:
        return field._replace(dims=(*field.dims[:dim], (), *field.dims[dim:]))

    states = [fields.each(state_of(t), inserted) for t in tensors]
    return fields.concatenated(states, [1] * len(tensors), dim)


def joined(tensors: Sequence[Tensor], dim: int) -> State:
    return fields.concatenated([state_of(t) for t in tensors], [t.shape[dim] for t in tensors], dim)


def _joined(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """hstack and its kind: the dimension is the one along which the output is longer."""
    tensors = [t for t in args[0] if isinstance(t, Tensor)]
    if any(t.dim() != output.dim() for t in tensors):
        return UNKNOWN if any(state_of(t) is not None for t in tensors) else None
    dim = next((d for d, n in enumerate(output.shape) if any(t.shape[d] != n for t in tensors)), 0)
    return joined(tensors, dim)


def _rolled(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, shifts, dims = args[0], take(args, kwargs, 1, "shifts"), take(args, kwargs, 2, "dims")
    state = state_of(x)
    if dims is None or dims == ():
        return state if fields.is_whole(state) else UNKNOWN
    many = dimensions(dims, x.dim())
    for shift, dim in zip((shifts,) if isinstance(shifts, int) else shifts, many, strict=True):
        n = x.shape[dim]
        if not shift % n:
            continue
        cut = n - shift % n
        parts = [narrowed(state, x.shape, dim, cut, n), narrowed(state, x.shape, dim, 0, cut)]
        state = fields.union(
            [
                fields.placed(parts[0], dim, 0, n, n - cut),
                fields.placed(parts[1], dim, n - cut, n, cut),
            ]
        )
    return state


def _flipped(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    given = args[1:] or (kwargs["dims"],)
    dims = given[0] if isinstance(given[0], list | tuple) else given
    return fields.flipped(state_of(args[0]), dimensions(dims, args[0].dim()))


def _tiled(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """repeat and tile: units that differ are not repeated."""
    x = args[0]
    shape = (1,) * (output.dim() - x.dim()) + tuple(x.shape)
    again = [d for d, (a, b) in enumerate(zip(shape, output.shape, strict=True)) if a != b and a != 1]
    state = fields.aligned(
        state_of(x), x.shape, [b if a == 1 else a for a, b in zip(shape, output.shape, strict=True)]
    )
    return state if state == fields.contract(state, again) else UNKNOWN


def _interleaved(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, times, dim = args[0], take(args, kwargs, 1, "repeats"), take(args, kwargs, 2, "dim")
    state = state_of(x)
    if not isinstance(times, int) or dim is None:
        return state if fields.is_whole(state) and output.dim() == x.dim() else UNKNOWN
    each = [1] * x.dim()
    each[dim] = times
    return fields.repeated(state, each)


def _resized(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """Interpolation: exact for the nearest pixel at whole factors; elsewhere it is not followed."""
    x, mode = args[0], take(args, kwargs, 3, "mode", "nearest")
    state = state_of(x)
    if tuple(x.shape) == tuple(output.shape) or fields.is_whole(state) or state is None:
        return state
    times = [b // a for a, b in zip(x.shape[2:], output.shape[2:], strict=True)]
    if mode not in ("nearest", "nearest-exact") or any(
        a * n != b for a, b, n in zip(x.shape[2:], output.shape[2:], times, strict=True)
    ):
        return state if state == fields.contract(state, range(2, x.dim())) else UNKNOWN
    return fields.repeated(state, times)


def _shuffled(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """pixel_shuffle: (N, C·r·r, H, W) to (N, C, H·r, W·r)."""
    x, r = args[0], take(args, kwargs, 1, "upscale_factor")
    *batch, channels, height, width = x.shape
    split = (*batch, channels // r**2, r, r, height, width)
    b = len(batch)
    state = fields.reshape(state_of(x), x.shape, split)
    state = fields.permute(state, [*range(b + 1), b + 3, b + 1, b + 4, b + 2])
    return fields.reshape(state, [*split[: b + 1], height, r, width, r], output.shape)


def _unshuffled(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, r = args[0], take(args, kwargs, 1, "downscale_factor")
    *batch, channels, height, width = x.shape
    split = (*batch, channels, height // r, r, width // r, r)
    b = len(batch)
    state = fields.reshape(state_of(x), x.shape, split)
    state = fields.permute(state, [*range(b + 1), b + 2, b + 4, b + 1, b + 3])
    return fields.reshape(state, [*split[: b + 1], r, r, height // r, width // r], output.shape)


def _channels_shuffled(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, groups = args[0], take(args, kwargs, 1, "groups")
    n, channels, *space = x.shape
    split = (n, groups, channels // groups, *space)
    state = fields.reshape(state_of(x), x.shape, split)
    state = fields.permute(state, [0, 2, 1, *range(3, len(split))])
    return fields.reshape(state, (n, channels // groups, groups, *space), output.shape)


def _unfolded(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """F.unfold: (N, C, H, W) to (N, C·kernel, positions); Tensor.unfold is a view."""
    x = args[0]
    if (
        len(args) == 4
        and isinstance(args[1], int)
        and "kernel_size" not in kwargs
        and output.dim() == x.dim() + 1
    ):
        return seen_through(x, output)
    names, defaults = words("kernel_size dilation padding stride"), (None, 1, 0, 1)
    kernel, dilation, padding, stride = (
        (v, v) if isinstance(v, int) else tuple(v)
        for v in (
            take(args, kwargs, i + 1, n, d) for i, (n, d) in enumerate(zip(names, defaults, strict=True))
        )
    )
    sizes = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(x.shape[-2:], padding, dilation, kernel, stride, strict=True)
    ]

    def rule(field: fields.Field) -> State:
        start, inner, outer = list(field.start), [], []
        for i in range(2):
            dimension = field.dims[i - 2]
            if not dimension:
                inner.append((fields.NONE, kernel[i], 0, 0, kernel[i]))
                outer.append((fields.NONE, sizes[i], 0, 0, sizes[i]))
                continue
            axis, n, jump, low, high = dimension[0]
            if len(dimension) > 1 or axis < 0 or low or high != n:
                return UNKNOWN
            start[axis] -= padding[i] * jump
            inner.append((axis, kernel[i], jump * dilation[i], 0, kernel[i]))
            outer.append((axis, sizes[i], jump * stride[i], 0, sizes[i]))
        channels = field.dims[-3] or ((fields.NONE, x.shape[-3], 0, 0, x.shape[-3]),)
        dims = (*field.dims[:-3], (*channels, *inner), tuple(outer))
        return field._replace(start=tuple(start), dims=dims)

    return fields.each(state_of(x), rule)


def _at_indices(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """index_select, gather and their kind: followed where units along the dimension do not differ."""
    x = args[0]
    given = take(args, kwargs, 1, "dim")
    states = [state_of(t) for t in (*args[1:], *kwargs.values()) if isinstance(t, Tensor)]
    state = state_of(x)
    if any(s is not None for s in states) or not isinstance(given, int) or output.dim() != x.dim():
        return _if_whole(args, kwargs, output)
    if tuple(output.shape[:given]) + tuple(output.shape[given:][1:]) != (
        tuple(x.shape[:given]) + tuple(x.shape[given:][1:])
    ):
        return _if_whole(args, kwargs, output)
    return state if state == fields.contract(state, [given % x.dim()]) else UNKNOWN


def indexed(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """tensor[index]: a view by slices and numbers; a tensor of numbers where units do not differ."""
    x, index = args[0], args[1]
    index = index if isinstance(index, tuple) else (index,)
    if all(i is None or i is Ellipsis or type(i) in (int, slice) for i in index):
        return seen_through(x, output)
    state = state_of(x)
    lists = [i for i in index if not (isinstance(i, slice) and i == slice(None))]
    if len(lists) == 1 and isinstance(lists[0], Tensor) and lists[0].dtype != torch.bool:
        d, picked = len(index[: [i is lists[0] for i in index].index(True)]), lists[0]
        if state_of(picked) is None and state == fields.contract(state, [d]):

            def rule(field: fields.Field) -> State:
                return field._replace(dims=(*field.dims[:d], *((),) * picked.dim(), *field.dims[d + 1 :]))

            return fields.each(state, rule)
    return _if_whole(args, kwargs, output)


def _if_whole(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    return anyhow([*args, *kwargs.values()], output)


def anyhow(values: Sequence[Any], output: Tensor) -> State:
    """After a function that is not followed: known only where every unit of its inputs sees the same."""
    flat = [t for v in values for t in (v if isinstance(v, list | tuple) else (v,))]
    states = [s for t in flat if isinstance(t, Tensor) and (s := state_of(t)) is not None]
    if not states:
        return None
    wholes = []
    for state in states:
        if not (isinstance(state, fields.Field) and fields.is_whole(state)):
            return UNKNOWN
        wholes.append(state._replace(dims=((),) * output.dim()))
    return fields.union(wholes)


def _masked(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """Where a constant mask takes something away, it is not known what is left."""
    tensors = [t for t in (*args, *kwargs.values()) if isinstance(t, Tensor)]
    constant = any(t.dtype == torch.bool and state_of(t) is None for t in tensors)
    state = elementwise(tensors, output)
    return UNKNOWN if constant and not fields.is_whole(state) and state is not None else state


def _triangle(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    return anyhow(args, output)


def product(a: State, b: State, a_shape: Sequence[int], b_shape: Sequence[int], output: Tensor) -> State:
    """a @ b: rows see their row, columns their column."""
    if a is None and b is None:
        return None
    rank = output.dim()

    def as_output(state: State, shape: Sequence[int], left: bool) -> State:
        state = fields.contract(state, [len(shape) - 1 if left or len(shape) == 1 else len(shape) - 2])
        if len(shape) == 1:
            return (
                fields.reduced(state, [0], 0)
                if rank == 0
                else fields.each(state, lambda f: f._replace(dims=((),) * rank))
            )
        other = b_shape if left else a_shape
        if len(other) == 1:  # the contracted dimension is gone
            gone = len(shape) - 1 if left else len(shape) - 2
            state = fields.reduced(state, [gone], len(shape) - 1)
            shape = [n for i, n in enumerate(shape) if i != gone]
            return fields.aligned(state, shape, output.shape)
        shape = [*shape[:-1], 1] if left else [*shape[:-2], 1, shape[-1]]
        return fields.aligned(state, shape, output.shape)

    return fields.union([as_output(a, a_shape, True), as_output(b, b_shape, False)])


def _matmul(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    a = args[0]
    b = take(args, kwargs, 1, "other", kwargs.get("mat2", kwargs.get("vec")))
    return product(state_of(a), state_of(b), a.shape, b.shape, output)


def _rmatmul(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    return _matmul((args[1], args[0]), kwargs, output)


def _added_product(names: tuple[str, str]) -> Rule:
    def rule(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
        a, b = (take(args, kwargs, i + 1, name) for i, name in enumerate(names))
        made = product(state_of(a), state_of(b), a.shape, b.shape, output)
        return fields.union([made, fields.aligned(state_of(args[0]), args[0].shape, output.shape)])

    return rule


def _einsum(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    if not isinstance(args[0], str):
        return anyhow(args, output)
    operands = args[1] if len(args) == 2 and isinstance(args[1], list | tuple) else args[1:]
    left, arrow, right = args[0].replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        right = ("..." if "..." in left else "") + "".join(
            sorted(c for c in set(letters) if letters.count(c) == 1)
        )
    target = _labels(right, output.dim())
    states = []
    for term, operand in zip(terms, operands, strict=True):
        state = state_of(operand)
        if state is None:
            continue
        labels = _labels(term, operand.dim())
        if len(set(labels)) != len(labels):
            return UNKNOWN
        state = fields.contract(state, [i for i, c in enumerate(labels) if c not in target])
        place = {c: i for i, c in enumerate(labels)}
        shape = [operand.shape[place[c]] if c in place else 1 for c in target]

        def spread(field: fields.Field, place: Mapping[str, int] = place) -> State:
            return field._replace(dims=tuple(field.dims[place[c]] if c in place else () for c in target))

        states.append(fields.aligned(fields.each(state, spread), shape, output.shape))
    return fields.union(states)


def _labels(term: str, rank: int) -> list[str]:
    """A label a dimension; those of an ellipsis are numbered from its right."""
    before, dots, after = term.partition("...")
    more = rank - len(before) - len(after) if dots else 0
    return [*before, *(f".{more - i}" for i in range(more)), *after]


def _extremum(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """max and min: of one tensor along a dimension, or of two element by element."""
    if len(args) > 1 and isinstance(args[1], Tensor):
        return elementwise(args, output)
    return _reduction(1)(args, kwargs, output)


def _first(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    return seen_through(args[0], output)


VIEWS = words(
    "view view_as squeeze unsqueeze expand expand_as broadcast_to chunk split split_with_sizes tensor_split "
    "hsplit vsplit dsplit unbind narrow select diagonal as_strided movedim moveaxis T mT H mH t adjoint real "
    "imag swapaxes swapdims data detach unsafe_chunk unsafe_split alias slice"
)
SAME = words(
    "contiguous clone to type type_as float half double bfloat16 int long bool cpu cuda requires_grad_ "
    "positive resolve_conj resolve_neg __pos__ pin_memory"
)
RESHAPES = words("reshape flatten unflatten ravel reshape_as _unsafe_view")


def _table() -> dict[str, Rule]:
    table: dict[Rule, Sequence[str]] = {
        _first: VIEWS,
        _copied: [*SAME, *RESHAPES],
        _permuted: ["permute"],
        _transposed: ["transpose"],
        indexed: ["__getitem__"],
        _padded: ["pad", "constant_pad_nd"],
        _stacked: ["stack"],
        _joined: words("hstack vstack dstack column_stack row_stack"),
        _rolled: ["roll"],
        _flipped: ["flip"],
        _tiled: ["repeat", "tile"],
        _interleaved: ["repeat_interleave"],
        _resized: words("interpolate upsample upsample_nearest"),
        _shuffled: ["pixel_shuffle"],
        _unshuffled: ["pixel_unshuffle"],
        _channels_shuffled: ["channel_shuffle", "native_channel_shuffle"],
        _unfolded: ["unfold"],
        _at_indices: ["index_select", "gather", "take_along_dim"],
        _masked: words("where masked_fill masked_fill_"),
        _triangle: words("tril triu tril_ triu_"),
        _matmul: words("matmul __matmul__ linalg_matmul bmm mm mv dot inner"),
        _rmatmul: ["__rmatmul__"],
        _added_product(("batch1", "batch2")): ["baddbmm"],
        _added_product(("mat1", "mat2")): ["addmm"],
        _added_product(("mat", "vec")): ["addmv"],
        _einsum: ["einsum"],
        _extremum: ["max", "min"],
        _reduction(1): words(
            "var std prod logsumexp argmax argmin any all median nanmean nansum count_nonzero var_mean "
            "std_mean aminmax"
        ),
        _reduction(2): ["norm"],
        _mixing(2, 1): ["normalize"],
        _mixing(1, -1): words("sort argsort"),
        _mixing(2, -1): ["topk"],
        _running: words("cumsum cumprod cummax cummin logcumsumexp"),
    }
    return {name: rule for rule, names in table.items() for name in names}


#: Function → the state of its output.
MOVES = _table()

"""How torch's functions move receptive fields: `MOVES`, from a function's name to the state of its output.

Here stand the functions that have no counting rule of their own, or that only move values: views, copies,
picking, reductions, products. A rule takes the function's arguments (named as torch names them, see
`arguments`) and its output, and gives the state of the output; what is not here is followed only where it
works element by element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lab import receptive_field as fields
from lab import views
from lab.counting.arguments import Arguments, Keywords, argument, dimensions, words
from lab.counting.product_fields import Rule, added_product, einsum, matmul, rmatmul
from lab.counting.states import (
    RESHAPES,
    SAME,
    VIEWS,
    anyhow,
    elementwise,
    field_of,
    narrowed,
    seen_through,
    version,
)
from lab.receptive_field import UNKNOWN, State


def _reduction(position: int) -> Rule:
    def rule(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
        x, dim = args[0], argument(args, kwargs, position, "dim")
        if isinstance(dim, Tensor):
            return elementwise(args, output)
        if isinstance(dim, bool) or (dim is not None and not isinstance(dim, int | list | tuple)):
            dim = None
        return fields.reduced(field_of(x), dimensions(dim, x.dim()), output.dim())

    return rule


def _mixing(position: int, default: Any = None) -> Rule:
    """Functions whose outputs each depend on everything along a dimension."""

    def rule(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
        dim = argument(args, kwargs, position, "dim", default)
        return fields.contract(field_of(args[0]), dimensions(dim, args[0].dim()))

    return rule


def _running(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """A running sum: later units see more."""
    x, dim = args[0], argument(args, kwargs, 1, "dim")
    state = field_of(x)
    return state if state == fields.contract(state, dimensions(dim, x.dim())) else UNKNOWN


def _copied(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """The elements in their order, under another shape."""
    return views.reshape(field_of(args[0]), args[0].shape, output.shape)


def _permuted(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    rank = args[0].dim()
    given = args[1:] or tuple(kwargs["dims"])
    order = given[0] if isinstance(given[0], list | tuple) else given
    return views.permute(field_of(args[0]), [d % rank for d in order])


def _transposed(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    rank = args[0].dim()
    order = list(range(rank))
    a, b = (argument(args, kwargs, i + 1, name) for i, name in enumerate(("dim0", "dim1")))
    if a is None or b is None:
        return seen_through(args[0], output)
    order[a], order[b] = order[b], order[a]
    return views.permute(field_of(args[0]), order)


def _padded(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, widths, mode = args[0], argument(args, kwargs, 1, "pad"), argument(args, kwargs, 2, "mode", "constant")
    state, shape = field_of(x), list(x.shape)
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


def of_windows(x: Tensor, kernel: Sequence[int], dilation: Sequence[int], zeros: Sequence[int]) -> State:
    """What `x` sees, for windows over it and over `zeros` around it: padding that repeats or mirrors `x` is
    to them as one of zeros, where each window that holds some of it holds as well what it repeats."""
    by_zeros, mode, widths = getattr(x, "padded", (None, "", ()))
    need = {"replicate": 1, "reflect": 2}.get(mode)
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if need is None or len(widths) > 2 * len(reach) or version(x):
        return field_of(x)
    wide = [max(widths[2 * i : 2 * i + 2], default=0) for i in reversed(range(len(reach)))]
    held = all(not p or need * p + q <= r for p, q, r in zip(wide, zeros, reach, strict=True))
    return by_zeros if held else field_of(x)


def _stacked(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    tensors, dim = args[0], argument(args, kwargs, 1, "dim", 0) % output.dim()

    def inserted(field: fields.Field) -> State:
        return field._replace(dims=(*field.dims[:dim], (), *field.dims[dim:]))

    states = [fields.each(field_of(t), inserted) for t in tensors]
    return fields.concatenated(states, [1] * len(tensors), dim)


def joined(tensors: Sequence[Tensor], dim: int) -> State:
    return fields.concatenated([field_of(t) for t in tensors], [t.shape[dim] for t in tensors], dim)


def _joined(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """hstack and its kind: the dimension is the one along which the output is longer."""
    tensors = [t for t in args[0] if isinstance(t, Tensor)]
    if any(t.dim() != output.dim() for t in tensors):
        return UNKNOWN if any(field_of(t) is not None for t in tensors) else None
    dim = next((d for d, n in enumerate(output.shape) if any(t.shape[d] != n for t in tensors)), 0)
    return joined(tensors, dim)


def _rolled(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, shifts, dims = args[0], argument(args, kwargs, 1, "shifts"), argument(args, kwargs, 2, "dims")
    state = field_of(x)
    if dims is None or dims == ():
        return state if fields.is_whole(state) else UNKNOWN
    turned = dimensions(dims, x.dim())
    for shift, dim in zip((shifts,) if isinstance(shifts, int) else shifts, turned, strict=True):
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
    return fields.flipped(field_of(args[0]), dimensions(dims, args[0].dim()))


def _tiled(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """repeat and tile: units that differ are not repeated."""
    x = args[0]
    shape = (1,) * (output.dim() - x.dim()) + tuple(x.shape)
    again = [d for d, (a, b) in enumerate(zip(shape, output.shape, strict=True)) if a != b and a != 1]
    state = fields.aligned(
        field_of(x), x.shape, [b if a == 1 else a for a, b in zip(shape, output.shape, strict=True)]
    )
    return state if state == fields.contract(state, again) else UNKNOWN


def _interleaved(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, times, dim = args[0], argument(args, kwargs, 1, "repeats"), argument(args, kwargs, 2, "dim")
    state = field_of(x)
    if not isinstance(times, int) or dim is None:
        return state if fields.is_whole(state) and output.dim() == x.dim() else UNKNOWN
    each = [1] * x.dim()
    each[dim] = times
    return fields.repeated(state, each)


def _resized(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """Interpolation: exact for the nearest pixel at whole factors; elsewhere it is not followed."""
    x, mode = args[0], argument(args, kwargs, 3, "mode", "nearest")
    state = field_of(x)
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
    x, r = args[0], argument(args, kwargs, 1, "upscale_factor")
    *batch, channels, height, width = x.shape
    split = (*batch, channels // r**2, r, r, height, width)
    b = len(batch)
    state = views.reshape(field_of(x), x.shape, split)
    state = views.permute(state, [*range(b + 1), b + 3, b + 1, b + 4, b + 2])
    return views.reshape(state, [*split[: b + 1], height, r, width, r], output.shape)


def _unshuffled(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, r = args[0], argument(args, kwargs, 1, "downscale_factor")
    *batch, channels, height, width = x.shape
    split = (*batch, channels, height // r, r, width // r, r)
    b = len(batch)
    state = views.reshape(field_of(x), x.shape, split)
    state = views.permute(state, [*range(b + 1), b + 2, b + 4, b + 1, b + 3])
    return views.reshape(state, [*split[: b + 1], r, r, height // r, width // r], output.shape)


def _channels_shuffled(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    x, groups = args[0], argument(args, kwargs, 1, "groups")
    n, channels, *space = x.shape
    split = (n, groups, channels // groups, *space)
    state = views.reshape(field_of(x), x.shape, split)
    state = views.permute(state, [0, 2, 1, *range(3, len(split))])
    return views.reshape(state, (n, channels // groups, groups, *space), output.shape)


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
            argument(args, kwargs, i + 1, n, d) for i, (n, d) in enumerate(zip(names, defaults, strict=True))
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

    return fields.each(field_of(x), rule)


def _at_indices(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """index_select, gather and their kind: followed where units along the dimension do not differ."""
    x = args[0]
    given = argument(args, kwargs, 1, "dim")
    states = [field_of(t) for t in (*args[1:], *kwargs.values()) if isinstance(t, Tensor)]
    state = field_of(x)
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
    state = field_of(x)
    lists = [i for i in index if not (isinstance(i, slice) and i == slice(None))]
    if len(lists) == 1 and isinstance(lists[0], Tensor) and lists[0].dtype != torch.bool:
        d, picked = len(index[: [i is lists[0] for i in index].index(True)]), lists[0]
        if field_of(picked) is None and state == fields.contract(state, [d]):

            def rule(field: fields.Field) -> State:
                return field._replace(dims=(*field.dims[:d], *((),) * picked.dim(), *field.dims[d + 1 :]))

            return fields.each(state, rule)
    return _if_whole(args, kwargs, output)


def _if_whole(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    return anyhow([*args, *kwargs.values()], output)


def _masked(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """Where a constant mask takes something away, it is not known what is left."""
    tensors = [t for t in (*args, *kwargs.values()) if isinstance(t, Tensor)]
    constant = any(t.dtype == torch.bool and field_of(t) is None for t in tensors)
    state = elementwise(tensors, output)
    return UNKNOWN if constant and not fields.is_whole(state) and state is not None else state


def _triangle(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    return anyhow(args, output)


def _extremum(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    """max and min: of one tensor along a dimension, or of two element by element."""
    if len(args) > 1 and isinstance(args[1], Tensor):
        return elementwise(args, output)
    return _reduction(1)(args, kwargs, output)


def _first(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    return seen_through(args[0], output)


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
        matmul: words("matmul __matmul__ linalg_matmul bmm mm mv dot inner"),
        rmatmul: ["__rmatmul__"],
        added_product(("batch1", "batch2")): ["baddbmm"],
        added_product(("mat1", "mat2")): ["addmm"],
        added_product(("mat", "vec")): ["addmv"],
        einsum: ["einsum"],
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

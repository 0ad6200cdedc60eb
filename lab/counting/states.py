"""What tensors carry through a walk: what they see of the input, and where their channels stand.

A field lives with its tensor (`keep_field`, `field_of`), with the version of the tensor's memory that it is
true of: after a write in place that nobody followed, it is true no longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from lab import receptive_field as fields
from lab import views
from lab.counting.arguments import words
from lab.receptive_field import UNKNOWN, State

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


def version(tensor: Tensor) -> int:
    """How often the tensor's memory has been written; 0 where torch does not say (inference mode)."""
    try:
        return tensor._version
    except RuntimeError:
        return 0


def keep_field(tensor: Tensor, state: State) -> None:
    """Remember what the tensor sees, as its memory is now."""
    tensor.field = (state, version(tensor))  # type: ignore[attr-defined]


def field_of(tensor: Any) -> State:
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
    keep_field(tensor, state)
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
            is_view = output._is_view()
            ours, theirs = (t.stride() if is_view else views.contiguous(t.shape) for t in (source, output))
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
    state = field_of(source)
    if not isinstance(state, fields.Field | fields.Several):
        return state
    return views.viewed(
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
        keep_field(base, with_part(before, base, target, state))
    keep_field(target, state)


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
    strides = views.contiguous(shape)
    output = [high - low if d == dim else n for d, n in enumerate(shape)]
    return views.viewed(state, shape, strides, output, strides, low * strides[dim])


def elementwise(tensors: Sequence[Any], output: Tensor) -> State:
    """The union of what is broadcast together."""
    return fields.union(
        [
            fields.aligned(field_of(t), t.shape, output.shape)
            for t in tensors
            if isinstance(t, Tensor) and field_of(t) is not None
        ]
    )


def anyhow(values: Sequence[Any], output: Tensor) -> State:
    """After a function that is not followed: known only where every unit of its inputs sees the same."""
    flat = [t for v in values for t in (v if isinstance(v, list | tuple) else (v,))]
    states = [s for t in flat if isinstance(t, Tensor) and (s := field_of(t)) is not None]
    if not states:
        return None
    wholes = []
    for state in states:
        if not (isinstance(state, fields.Field) and fields.is_whole(state)):
            return UNKNOWN
        wholes.append(state._replace(dims=((),) * output.dim()))
    return fields.union(wholes)

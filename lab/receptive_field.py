"""Receptive fields: what part of the input one unit can see, followed from tensor to tensor.

A `Field` belongs to one tensor and is affine: along each axis of the input the unit at index i sees the
interval that begins at `start` + Σ jump · i, over the factors of the tensor's dimensions, and is `size` long.
A dimension is a product of factors, outermost first, so that flattening a map, cutting it into windows and
taking it apart again lose nothing. Where units see several such intervals (the union of two branches that do
not move together, parts of a concatenation), the state is `Several` fields, and each may hold for part of a
dimension only. What these rules cannot follow is `UNKNOWN`: never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple

from lab import formulas
from lab.ledger import ReceptiveField

REVISION = 1

#: (axis of the input, units, jump in pixels, first unit that sees it, unit behind the last). The axis is
#: NONE for units that differ in nothing, and INSET for a dimension whose product of factors stands at an
#: offset among units that see nothing (tokens behind a class token): its "jump" is (offset, factors).
Factor = tuple[int, int, Any, int, int]
NONE, INSET = -1, -2
Dimension = tuple[Factor, ...]  # () where units differ in nothing
MANY = 1_024  # terms of a union that are kept apart


class Field(NamedTuple):
    start: tuple[int, ...]
    size: tuple[int, ...]
    dims: tuple[Dimension, ...]
    extent: tuple[int, ...]  # pixels of the input along each axis
    seen: tuple[tuple[int, int], ...]  # of these, from which to which some unit sees: padding adds none
    sequence: bool = False  # axis 0 is that of channels or of tokens: the layout (C, L) or (T, F) is open


class Several(NamedTuple):
    """A unit sees the union of what every field says."""

    terms: tuple[Field, ...]


@dataclass(frozen=True)
class Unknown:
    """A dependence on the input of unknown extent."""


UNKNOWN = Unknown()
State = Field | Several | Unknown | None  # None: does not depend on the input


class Untraceable(Exception):
    """These rules cannot follow; the state is UNKNOWN."""


class _Nothing(Exception):
    """The field holds for none of the units that are left."""


def of_input(shape: Sequence[int]) -> Field:
    """Every pixel sees itself; (N, C, …) has the spatial axes …, and (N, A, B) both A and B, since it may be
    channels and positions as well as tokens and features."""
    sequence = len(shape) == 3
    extent = tuple(shape[1:] if sequence else shape[2:])
    dims = tuple(((axis, n, 1, 0, n),) for axis, n in enumerate(extent))
    space = len(extent)
    none = ((),) * (len(shape) - space)
    return Field((0,) * space, (1,) * space, none + dims, extent, tuple((0, n) for n in extent), sequence)


def report(state: State) -> ReceptiveField | Literal["global"] | None:
    """The state as the ledger holds it: of a position, whatever its channel. None where it is not one
    extent for all positions, or not known."""
    terms = state.terms if isinstance(state, Several) else ()
    if terms:
        places = {d for term in terms for d, dimension in enumerate(term.dims) if _has_axis(dimension)}
        state = union([_every_channel(term, places) for term in terms])
    if not isinstance(state, Field) or not state.size:
        return None
    jumps: list[int | None] = [None] * len(state.size)
    for dimension in state.dims:
        for axis, n, jump, low, high in dimension[0][2][1] if _is_inset(dimension) else dimension:
            if axis >= 0:
                if low or high != n:
                    return None
                known = jumps[axis]
                jumps[axis] = abs(jump) if known is None else min(known, abs(jump))
    whole = [
        jump is None and max(start, seen[0]) <= 0 and min(start + size, seen[1]) >= extent
        for jump, start, size, extent, seen in zip(
            jumps, state.start, state.size, state.extent, state.seen, strict=True
        )
    ]
    if all(whole):
        # in a sequence, what differs may be steps in time as well as channels
        alike = not state.sequence or all(_is_everything(term) for term in terms)
        return "global" if alike else None
    ends = [
        (max(start, seen[0]), min(start + size, seen[1])) if jump is None else (start, start + size)
        for jump, start, size, seen in zip(jumps, state.start, state.size, state.seen, strict=True)
    ]  # what sees all there is sees no padding
    axes: Sequence[int] = range(len(whole))
    if state.sequence:
        axes = (0,) if whole[1] else (1,)
    return ReceptiveField(
        tuple(ends[i][1] - ends[i][0] for i in axes),
        tuple(jumps[i] or 0 for i in axes),
        tuple((ends[i][0] + ends[i][1]) / 2 for i in axes),
    )


def _is_everything(field: Field) -> bool:
    return all(
        max(start, seen[0]) <= 0 and min(start + size, seen[1]) >= extent
        for start, size, extent, seen in zip(field.start, field.size, field.extent, field.seen, strict=True)
    )


def is_whole(state: State) -> bool:
    """Whether every unit sees the same: whatever is made of them sees that too."""
    return isinstance(state, Field) and not any(state.dims)


def _is_inset(dimension: Dimension) -> bool:
    return bool(dimension) and dimension[0][0] == INSET


def _has_axis(dimension: Dimension) -> bool:
    return any(axis >= 0 for axis, *_ in (dimension[0][2][1] if _is_inset(dimension) else dimension))


def _every_channel(field: Field, places: set[int]) -> Field:
    """What some channel sees: parts of dimensions without an axis are taken as the whole, but for those that
    have one in another term (`places`), whose units are positions."""
    dims = tuple(
        [
            d if i in places or not d or (len(d) == 1 and d[0][0] >= 0) else _unlimited(d)
            for i, d in enumerate(field.dims)
        ]
    )
    return Field(field.start, field.size, dims, field.extent, field.seen, field.sequence)


def _unlimited(dimension: Dimension) -> Dimension:
    if _is_inset(dimension) and all(factor[0] == NONE for factor in dimension[0][2][1]):
        return ()
    return _plain(
        tuple((a, n, j, 0, n) if a == NONE else (a, n, j, low, high) for a, n, j, low, high in dimension)
    )


def _plain(dimension: Dimension) -> Dimension:
    """() where no factor has an axis or a limit."""
    if all(axis == NONE and low == 0 and high == n for axis, n, _, low, high in dimension):
        return ()
    return dimension


def each(state: State, rule: Callable[[Field], State]) -> State:
    """The rule for every term, united."""
    if not isinstance(state, Field | Several):
        return state
    states = []
    for term in (state,) if isinstance(state, Field) else state.terms:
        try:
            states.append(rule(term))
        except _Nothing:
            continue
        except Untraceable:
            return UNKNOWN
    return union(states)


# Union


def union(states: Iterable[State]) -> State:
    """What several states of one shape see together."""
    found = [state for state in states if state is not None]
    if not found:
        return None
    first = found[0]
    if len(found) == 1 or all(state is first for state in found):
        return first
    hulls: dict[Any, Field] = {}
    if all(isinstance(state, Field) and state.dims == first.dims for state in found):  # type: ignore[union-attr]
        for state in found[1:]:
            if state.extent != first.extent:  # type: ignore[union-attr]
                return UNKNOWN
            if state[:2] != first[:2] or state.seen != first.seen:  # type: ignore[index, union-attr]
                first = _hull(first, state)  # type: ignore[arg-type]
        return first
    for state in found:
        if not isinstance(state, Field | Several):
            return UNKNOWN
        for term in (state,) if isinstance(state, Field) else state.terms:
            known = hulls.get(term.dims)
            if known is None:
                hulls[term.dims] = term
            elif known[:2] != term[:2] or known.extent != term.extent or known.seen != term.seen:
                if known.extent != term.extent:
                    return UNKNOWN
                hulls[term.dims] = _hull(known, term)
    terms = list(hulls.values())
    if len(terms) > 1:
        if any(term.extent != terms[0].extent for term in terms) or len(terms) > MANY:
            return UNKNOWN
        if len(terms) <= 16:
            terms = _without_contained(terms)
    return terms[0] if len(terms) == 1 else Several(tuple(terms))


def _hull(a: Field, b: Field) -> Field:
    """Of two intervals that move together."""
    start = tuple(map(min, a.start, b.start))
    end = [max(p + q, r + s) for p, q, r, s in zip(a.start, a.size, b.start, b.size, strict=True)]
    size = tuple([e - s for s, e in zip(start, end, strict=True)])
    seen = tuple(
        (min(p), max(q)) for p, q in (zip(*pair, strict=True) for pair in zip(a.seen, b.seen, strict=True))
    )
    return Field(start, size, a.dims, a.extent, seen, a.sequence)


def _without_contained(terms: list[Field]) -> list[Field]:
    kept: list[Field] = []
    for term in terms:
        if any(_contains(other, term) for other in kept):
            continue
        kept = [other for other in kept if not _contains(term, other)] + [term]
    return kept


def _contains(outer: Field, inner: Field) -> bool:
    """Whether `outer` sees at every unit all that `inner` sees there."""
    if any(a[0] < b[0] or a[1] > b[1] for a, b in zip(inner.seen, outer.seen, strict=True)):
        return False
    low = [a - b for a, b in zip(inner.start, outer.start, strict=True)]
    high = list(low)
    for a, b in zip(inner.dims, outer.dims, strict=True):
        if a == b:
            continue
        pairs = _refined(a, b)
        if pairs is None:
            return False
        for (axis, n, jump, lo, hi), (axis_, _, jump_, lo_, hi_) in pairs:
            if (lo_ or hi_ != n) and (lo_ > lo or hi_ < hi):
                return False
            for which, step in ((axis, jump), (axis_, -jump_)):
                if which >= 0:
                    if axis == axis_:
                        step = jump - jump_ if which == axis else 0
                    low[which] += min(lo * step, (hi - 1) * step)
                    high[which] += max(lo * step, (hi - 1) * step)
                if axis == axis_:
                    break
    return all(a >= 0 and b + s <= t for a, b, s, t in zip(low, high, inner.size, outer.size, strict=True))


def _refined(a: Dimension, b: Dimension) -> list[tuple[Factor, Factor]] | None:
    """Two dimensions of as many units as pairs of factors of as many units; None where they do not fit."""
    if _is_inset(a) or _is_inset(b):
        if b or not _is_inset(a):
            return None
        a = a[0][2][1]
    whole = prod(factor[1] for factor in a or b)
    left, right = list(a or ((NONE, whole, 0, 0, whole),)), list(b or ((NONE, whole, 0, 0, whole),))
    pairs = []
    while left and right:
        p, q = left.pop(), right.pop()
        if p[1] != q[1]:
            few = min(p[1], q[1])
            for factor, rest in ((p, left), (q, right)):
                if factor[1] != few:
                    cut = _cut(factor, few)
                    if cut is None:
                        return None
                    rest.append(cut[0])
                    if factor is p:
                        p = cut[1]
                    else:
                        q = cut[1]
        pairs.append((p, q))
    return pairs


def _cut(factor: Factor, inner: int) -> tuple[Factor, Factor] | None:
    """A factor as (outer, inner) of `inner` units; None where they do not divide, or a limit is between."""
    axis, n, jump, low, high = factor
    if n % inner or axis == INSET:
        return None
    outer = n // inner
    if low == 0 and high == n:
        return (axis, outer, jump * inner, 0, outer), (axis, inner, jump, 0, inner)
    if low % inner == 0 and high % inner == 0:
        return (axis, outer, jump * inner, low // inner, high // inner), (axis, inner, jump, 0, inner)
    return None


def aligned(state: State, shape: Sequence[int], output: Sequence[int]) -> State:
    """After broadcasting from `shape` to `output`."""
    if not isinstance(state, Field | Several) or tuple(shape) == tuple(output):
        return state
    more = len(output) - len(shape)

    def rule(field: Field) -> Field:
        wide = [() if n == 1 != m else d for d, n, m in zip(field.dims, shape, output[more:], strict=True)]
        return field._replace(dims=((),) * more + tuple(wide))

    return each(state, rule)


# Sums over dimensions


def contract(state: State, dims: Iterable[int]) -> State:
    """After a sum over whole dimensions, which stay (with one unit, or with as many that see the same)."""
    if isinstance(state, Field) and not any(state.dims):
        return state
    dims = tuple(dims)
    return each(state, lambda field: _contracted(field, dims))


def _contracted(field: Field, dims: Sequence[int]) -> Field:
    if not any(field.dims[d] for d in dims):
        return field
    start, size, left = list(field.start), list(field.size), list(field.dims)
    for d in dims:
        dimension = left[d]
        left[d] = ()
        if _is_inset(dimension):
            dimension = dimension[0][2][1]
        for axis, _, jump, low, high in dimension:
            if axis >= 0:
                start[axis] += min(low * jump, (high - 1) * jump)
                size[axis] += abs((high - 1 - low) * jump)
    return Field(tuple(start), tuple(size), tuple(left), field.extent, field.seen, field.sequence)


def reduced(state: State, dims: Sequence[int], left: int) -> State:
    """After a sum over whole dimensions, of which `left` dimensions stay."""
    state = contract(state, dims)

    def rule(field: Field) -> Field:
        if left == len(field.dims):
            return field
        kept = (dimension for i, dimension in enumerate(field.dims) if i not in dims)
        return field._replace(dims=tuple(kept))

    return each(state, rule)


def grouped(state: State, dim: int, groups: int, outputs: int, units: int) -> State:
    """After mixing the `units` of a dimension within each of `groups`, into `outputs` units."""
    if groups == 1:
        return contract(state, [dim])

    def rule(field: Field) -> State:
        if not field.dims[dim]:
            return field
        mixed = _contracted(_split(field, dim, (groups, units // groups)), [dim + 1])
        outer = mixed.dims[dim]
        if outputs != groups and outer:
            outer = (*outer, (NONE, outputs // groups, 0, 0, outputs // groups))
        return mixed._replace(dims=(*mixed.dims[:dim], _joined(outer), *mixed.dims[dim + 2 :]))

    return each(state, rule)


def _split(field: Field, dim: int, parts: Sequence[int]) -> Field:
    """One dimension seen as several of `parts` units."""
    made = _viewed(field._replace(dims=(field.dims[dim],)), (prod(parts),), tuple(parts))
    dims = (*field.dims[:dim], *made.dims, *field.dims[dim + 1 :])
    return field._replace(dims=dims, start=made.start)


# Windows


def window(
    state: State,
    output: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> State:
    """After a convolution or pooling over the last dimensions; `output` is the whole output shape."""
    if isinstance(state, Field):
        return _windowed(state, output, kernel, stride, padding, dilation)
    return each(state, lambda field: _windowed(field, output, kernel, stride, padding, dilation))


def _windowed(
    field: Field,
    output: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> State:
    start, size, dims = list(field.start), list(field.size), list(field.dims)
    seen, narrowed = field.seen, False
    for i in range(-len(kernel), 0):
        dimension = dims[i]
        if not dimension or (kernel[i] == stride[i] == 1 and not padding[i]):
            continue
        axis, n, jump, low, high = dimension[0]
        if len(dimension) == 1 and axis >= 0 and low == 0 and high == n:
            reach = dilation[i] * (kernel[i] - 1)
            first = -padding[i] if jump > 0 else reach - padding[i]
            start[axis] += first * jump
            size[axis] += reach * abs(jump)
            dims[i] = ((axis, output[i], jump * stride[i], 0, output[i]),)
            end = start[axis] + size[axis] + (output[i] - 1) * abs(jump) * stride[i]
            if start[axis] > seen[axis][0] or end < seen[axis][1]:
                narrowed = True
        elif output[i] == 1 and not padding[i] and dilation[i] == 1 and kernel[i] == _units(dimension):
            return _windowed(_contracted(field, [i]), output, kernel, stride, padding, dilation)
        else:
            return UNKNOWN
    made = Field(tuple(start), tuple(size), tuple(dims), field.extent, seen, field.sequence)
    return _narrowed(made) if narrowed else made


def _narrowed(field: Field) -> Field:
    """The field, with `seen` cut to what its units reach."""
    low, high = list(field.start), [a + b for a, b in zip(field.start, field.size, strict=True)]
    for dimension in field.dims:
        for axis, _, jump, first, last in dimension[0][2][1] if _is_inset(dimension) else dimension:
            if axis >= 0:
                low[axis] += min(first * jump, (last - 1) * jump)
                high[axis] += max(first * jump, (last - 1) * jump)
    seen = tuple((max(a, p), min(b, q)) for a, b, (p, q) in zip(low, high, field.seen, strict=True))
    return field._replace(seen=seen)


def _units(dimension: Dimension) -> int:
    return prod(factor[1] for factor in dimension)


def repeated(state: State, times: Sequence[int]) -> State:
    """After writing every unit of the last dimensions several times side by side."""

    def rule(field: Field) -> State:
        dims = list(field.dims)
        for i, n in zip(range(-len(times), 0), times, strict=True):
            if dims[i] and n > 1:
                if _is_inset(dims[i]):
                    return UNKNOWN
                dims[i] = (*dims[i], (NONE, n, 0, 0, n))
        return field._replace(dims=tuple(dims))

    return each(state, rule)


def adaptive(state: State, shape: Sequence[int], output: Sequence[int]) -> State:
    """After adaptive pooling from `shape` to `output`."""
    changed = [i for i, (a, b) in enumerate(zip(shape, output, strict=True)) if a != b]
    state = contract(state, [i for i in changed if output[i] == 1])
    left = [i for i in changed if output[i] != 1]
    if not left or not isinstance(state, Field | Several) or is_whole(state):
        return state
    if any(not formulas.is_uniform(formulas.adaptive_windows(shape[i], output[i])) for i in left):
        return state if not _depends(state, left) else UNKNOWN
    kernel, stride = [1] * len(shape), [1] * len(shape)
    for i in left:
        windows = formulas.adaptive_windows(shape[i], output[i])
        kernel[i], stride[i] = windows[0][1], windows[1][0]
    return window(state, output, kernel, stride, [0] * len(shape), [1] * len(shape))


def _depends(state: Field | Several, dims: Iterable[int]) -> bool:
    terms = (state,) if isinstance(state, Field) else state.terms
    return any(term.dims[d] for term in terms for d in dims)


def padded(state: State, output: Sequence[int], widths: Sequence[int]) -> State:
    """After padding, given as torch does: (before, after) of the last dimension, then of the one before, …"""

    def rule(field: Field) -> State:
        start, dims = list(field.start), list(field.dims)
        for i, before in enumerate(widths[::2]):
            d = len(output) - 1 - i
            dimension = dims[d]
            if not any(widths[2 * i : 2 * i + 2]) or not dimension:
                continue
            axis, n, jump, low, high = dimension[0]
            if len(dimension) > 1 or axis < 0 or low or high != n:
                return UNKNOWN
            start[axis] -= before * jump
            dims[d] = ((axis, output[d], jump, 0, output[d]),)
        return field._replace(start=tuple(start), dims=tuple(dims))

    return each(state, rule)


# Parts, and what is put together of them


def placed(state: State, dim: int, at: int, total: int, units: int) -> State:
    """The `units` of a dimension as those from `at` among `total`; the others see nothing."""
    if units == total or not isinstance(state, Field | Several):
        return state

    def rule(field: Field) -> Field:
        dimension, start = field.dims[dim], field.start
        if not dimension:
            new: Dimension = ((NONE, total, 0, at, at + units),)
        elif len(dimension) == 1 and dimension[0][0] != INSET:
            axis, _, jump, low, high = dimension[0]
            new = ((axis, total, jump, low + at, high + at),)
            if axis >= 0:
                start = tuple(s - at * jump if i == axis else s for i, s in enumerate(start))
        elif _is_inset(dimension):
            offset, inside = dimension[0][2]
            new = ((INSET, total, (offset + at, inside), 0, total),)
        else:
            new = ((INSET, total, (at, dimension), 0, total),)
        dims = (*field.dims[:dim], new, *field.dims[dim + 1 :])
        return Field(start, field.size, dims, field.extent, field.seen, field.sequence)

    return rule(state) if isinstance(state, Field) else each(state, rule)


def concatenated(states: Sequence[State], sizes: Sequence[int], dim: int) -> State:
    """After concatenation along a dimension, of which each state has so many units."""
    if all(state is None for state in states):
        return None
    if is_whole(states[0]) and all(state == states[0] for state in states):
        return states[0]
    first = states[0]
    if isinstance(first, Field) and not first.dims[dim] and all(state is first for state in states):
        return first
    total, at = sum(sizes), 0
    parts: list[Field] = []
    for state, units in zip(states, sizes, strict=True):
        part = placed(state, dim, at, total, units)
        at += units
        if part is None:
            continue
        if not isinstance(part, Field | Several):
            return UNKNOWN
        parts += (part,) if isinstance(part, Field) else part.terms
    if len(parts) > MANY or any(part.extent != parts[0].extent for part in parts):
        return UNKNOWN
    return parts[0] if len(parts) == 1 else Several(tuple(parts))


def flipped(state: State, dims: Iterable[int]) -> State:
    def rule(field: Field) -> State:
        start, left = list(field.start), list(field.dims)
        for d in dims:
            turned = []
            for axis, n, jump, low, high in left[d]:
                if axis == INSET:
                    return UNKNOWN
                if axis >= 0:
                    start[axis] += (n - 1) * jump
                turned.append((axis, n, -jump, n - high, n - low))
            left[d] = tuple(turned)
        return field._replace(start=tuple(start), dims=tuple(left))

    return each(state, rule)


# Views: the same memory under other shapes and strides


def permute(state: State, dims: Sequence[int]) -> State:
    if isinstance(state, Field):
        return state._replace(dims=tuple(state.dims[d] for d in dims))
    return each(state, lambda field: field._replace(dims=tuple(field.dims[d] for d in dims)))


def reshape(state: State, shape: Sequence[int], output: Sequence[int]) -> State:
    """After dimensions are merged and split in the order of their elements."""
    if not isinstance(state, Field | Several) or tuple(shape) == tuple(output):
        return state
    return each(state, lambda field: _viewed_apart(field, shape, output))


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of elements in order."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def viewed(
    state: State,
    shape: Sequence[int],
    strides: Sequence[int],
    output: Sequence[int],
    output_strides: Sequence[int],
    offset: int = 0,
) -> State:
    """After a view of the elements of a tensor under another shape, strides and offset in its memory."""
    if not isinstance(state, Field | Several):
        return state
    return each(state, lambda field: _viewed_apart(field, shape, output, strides, output_strides, offset))


def _viewed_apart(
    field: Field,
    shape: Sequence[int],
    output: Sequence[int],
    strides: Sequence[int] | None = None,
    output_strides: Sequence[int] | None = None,
    offset: int = 0,
) -> State:
    """As `_viewed`; where a limit cannot be followed as a range of units (channels that were shuffled and
    are cut in two), each unit is followed by itself."""
    try:
        return _viewed(field, shape, output, strides, output_strides, offset)
    except Untraceable:
        found: list[State] = []
        for unit in _single_units(field, shape):
            try:
                found.append(_viewed(unit, shape, output, strides, output_strides, offset))
            except _Nothing:
                continue
        if not found:
            raise _Nothing from None
        return union(found)


def _single_units(field: Field, shape: Sequence[int]) -> list[Field]:
    """A field that holds for some units of one dimension without an axis, as a field for each of them."""
    limited = [
        d
        for d, dimension in enumerate(field.dims)
        if dimension
        and all(f[0] == NONE for f in (dimension[0][2][1] if _is_inset(dimension) else dimension))
    ]
    if len(limited) != 1:
        raise Untraceable
    d = limited[0]
    dimension, place = field.dims[d], 0
    if _is_inset(dimension):
        place, dimension = dimension[0][2]
    units = [0]
    for _, n, _, low, high in dimension:
        units = [unit * n + i for unit in units for i in range(low, high)]
    if len(units) > MANY or (len(units) == 1 and len(dimension) == 1 and not place):
        raise Untraceable
    dims = field.dims
    return [
        field._replace(dims=(*dims[:d], ((NONE, shape[d], 0, place + u, place + u + 1),), *dims[d + 1 :]))
        for u in units
    ]


def _viewed(
    field: Field,
    shape: Sequence[int],
    output: Sequence[int],
    strides: Sequence[int] | None = None,
    output_strides: Sequence[int] | None = None,
    offset: int = 0,
) -> Field:
    """As `viewed`; raises _Nothing where the field holds for none of the units in the view."""
    if not any(field.dims):
        return field._replace(dims=((),) * len(output))
    strides = strides or contiguous(shape)
    output_strides = output_strides or contiguous(output)
    atoms = []  # stride, units, factor: the input's memory, outermost first
    for n, step, dimension in zip(shape, strides, field.dims, strict=True):
        if n == 1 or step == 0:
            continue
        for factor in reversed(dimension or ((NONE, n, 0, 0, n),)):
            atoms.append((step, factor[1], factor))
            step *= factor[1]
    atoms.sort(key=lambda atom: (-atom[0], -atom[1]))
    inside = 0
    for step, units, _ in reversed(atoms):
        if step <= inside:
            raise Untraceable
        inside = inside + step * (units - 1)
    first = []
    for step, units, _ in atoms:
        index = min(offset // step, units - 1)
        first.append(index)
        offset -= index * step
    if offset or any(index < 0 for index in first):
        raise Untraceable
    used: list[list[tuple[int, int, int, int]]] = [[] for _ in atoms]  # dimension, place in it, step, units
    places: list[int] = []
    for d, (n, step) in enumerate(zip(output, output_strides, strict=True)):
        places.append(0)
        k = len(atoms) - 1
        while n > 1 and step:
            while k >= 0 and not (atoms[k][0] <= step < atoms[k][0] * max(atoms[k][1], 2)):
                k -= 1
            if k < 0 or step % atoms[k][0]:
                raise Untraceable
            leap = step // atoms[k][0]
            taken = n
            if first[k] + (n - 1) * leap >= atoms[k][1]:
                taken, rest = divmod(atoms[k][1], leap)
                if rest or first[k] or n % taken or taken < 2:
                    raise Untraceable
            used[k].append((d, places[d], leap, taken))
            places[d] += 1
            n //= taken
            step *= taken
            k -= 1
    start = list(field.start)
    built: list[dict[int, Factor]] = [{} for _ in output]
    for (_, units, factor), index, parts in zip(atoms, first, used, strict=True):
        axis, _, jump, low, high = factor
        if index + sum((taken - 1) * leap for _, _, leap, taken in parts) >= units:
            raise Untraceable
        if axis == INSET:
            at, within = jump
            inner = _units(within)
            if parts and parts[0][2:] == (1, units):
                built[parts[0][0]][parts[0][1]] = (INSET, units, jump, 0, units)
            elif len(parts) == 1 and parts[0][2:] == (1, inner) and index == at and places[parts[0][0]] == 1:
                built[parts[0][0]] = {-i: f for i, f in enumerate(within)}
            elif all(not at <= index + i * leap < at + inner for _, _, leap, n in parts for i in range(n)):
                raise _Nothing
            else:
                raise Untraceable
            continue
        if axis >= 0:
            start[axis] += index * jump
        limited = low > 0 or high < units
        if limited and not parts and not low <= index < high:
            raise _Nothing
        for d, place, leap, taken in parts:
            new_low, new_high = 0, taken
            if limited:
                new_low, new_high = _limits(low - index, high - index, leap, taken, parts)
            built[d][place] = (axis, taken, jump * leap, new_low, new_high)
    dims = []
    for n, factors in zip(output, built, strict=True):
        ordered = tuple(factors[place] for place in sorted(factors, reverse=True))
        if ordered and ordered[0][0] != INSET and _units(ordered) != n:
            raise Untraceable
        dims.append(_joined(ordered))
    return _narrowed(field._replace(start=tuple(start), dims=tuple(dims)))


def _limits(
    low: int, high: int, leap: int, taken: int, parts: Sequence[tuple[int, int, int, int]]
) -> tuple[int, int]:
    """Which units of a new factor still see, of those from `low` to `high` of the old one."""
    if high - low == 1:
        return _place(low, leap, parts)
    if sum(part[2] == leap for part in parts) > 1:
        raise Untraceable
    smaller = [part for part in parts if part[2] < leap]
    larger = [part for part in parts if part[2] > leap]
    inner = 1 + sum((n - 1) * step for _, _, step, n in smaller)
    if smaller and (inner != leap or low % leap or high % leap):
        raise Untraceable
    if larger:  # the outer factor carries the limits where they do not cut this one
        outer = min(part[2] for part in larger)
        if low % outer or high % outer or (taken - 1) * leap >= outer:
            raise Untraceable
        return 0, taken
    new_low, new_high = max(-(-low // leap), 0), min(-(-high // leap), taken)
    if new_low >= new_high:
        raise _Nothing
    return new_low, new_high


def _place(unit: int, leap: int, parts: Sequence[tuple[int, int, int, int]]) -> tuple[int, int]:
    """Where one unit of the old factor stands along the new factor of this leap."""
    found, rest = 0, unit
    for _, _, step, taken in sorted(parts, key=lambda part: -part[2]):
        index = rest // step
        if not 0 <= index < taken:
            raise _Nothing
        rest -= index * step
        if step == leap:
            found = index
    if rest:
        raise _Nothing
    return found, found + 1


def _joined(factors: Dimension) -> Dimension:
    """Neighbouring factors that are one: those of a map that was cut into windows and put together."""
    joined: list[Factor] = []
    for factor in factors:
        axis, n, jump, low, high = factor
        if joined and axis != INSET:
            outer = joined[-1]
            if outer[0] == axis and (axis == NONE or outer[2] == jump * n):
                if low == 0 and high == n:
                    joined[-1] = (axis, outer[1] * n, jump, outer[3] * n, outer[4] * n)
                    continue
                if outer[4] - outer[3] == 1:
                    joined[-1] = (axis, outer[1] * n, jump, outer[3] * n + low, outer[3] * n + high)
                    continue
        joined.append(factor)
    return _plain(tuple(joined))

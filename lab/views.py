"""Receptive fields of views: the same elements under other shapes and strides of memory."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from lab.receptive_field import (
    INSET,
    MANY,
    NONE,
    Dimension,
    Factor,
    Field,
    HoldsForNone,
    Several,
    State,
    Untraceable,
    contract,
    contracted,
    each,
    is_inset,
    union,
    units_of,
    within_reach,
    without_limits,
)

REVISION = 1


def permute(state: State, dims: Sequence[int]) -> State:
    if isinstance(state, Field):
        return state._replace(dims=tuple(state.dims[d] for d in dims))
    return each(state, lambda field: field._replace(dims=tuple(field.dims[d] for d in dims)))


def reshape(state: State, shape: Sequence[int], output: Sequence[int]) -> State:
    """After dimensions are merged and split in the order of their elements."""
    if tuple(shape) == tuple(output):
        return state
    return viewed(state, shape, contiguous(shape), output, contiguous(output))


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of elements in order."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


class _View(NamedTuple):
    """The same memory under two shapes, each with its strides; `offset`: where the second begins."""

    shape: Sequence[int]
    strides: Sequence[int]
    output: Sequence[int]
    output_strides: Sequence[int]
    offset: int = 0


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
    view = _View(shape, strides, output, output_strides, offset)
    return each(state, lambda field: _viewed_apart(field, view))


def _viewed_apart(field: Field, view: _View) -> State:
    """As `_viewed`; where a limit cannot be followed as a range of units (channels that were shuffled and
    are cut in two), each unit is followed by itself."""
    try:
        return _viewed(field, view)
    except Untraceable:
        found: list[State] = []
        for unit in _single_units(field, view.shape):
            try:
                found.append(_viewed(unit, view))
            except HoldsForNone:
                continue
        if not found:
            raise HoldsForNone from None
        return union(found)


def _single_units(field: Field, shape: Sequence[int]) -> list[Field]:
    """A field that holds for some units of one dimension without an axis, as a field for each of them."""
    limited = [
        d
        for d, dimension in enumerate(field.dims)
        if dimension and all(f[0] == NONE for f in (dimension[0][2][1] if is_inset(dimension) else dimension))
    ]
    if len(limited) != 1:
        raise Untraceable
    d = limited[0]
    dimension, place = field.dims[d], 0
    if is_inset(dimension):
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


def _viewed(field: Field, view: _View) -> Field:
    """As `viewed`; raises HoldsForNone where the field holds for none of the units in the view."""
    shape, strides, output, output_strides, offset = view
    if not any(field.dims):
        return field._replace(dims=((),) * len(output))
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
            inner = units_of(within)
            if parts and parts[0][2:] == (1, units):
                built[parts[0][0]][parts[0][1]] = (INSET, units, jump, 0, units)
            elif len(parts) == 1 and parts[0][2:] == (1, inner) and index == at and places[parts[0][0]] == 1:
                built[parts[0][0]] = {-i: f for i, f in enumerate(within)}
            elif all(not at <= index + i * leap < at + inner for _, _, leap, n in parts for i in range(n)):
                raise HoldsForNone
            else:
                raise Untraceable
            continue
        if axis >= 0:
            start[axis] += index * jump
        limited = low > 0 or high < units
        if limited and not parts and not low <= index < high:
            raise HoldsForNone
        for d, place, leap, taken in parts:
            new_low, new_high = 0, taken
            if limited:
                new_low, new_high = _limits(low - index, high - index, leap, taken, parts)
            built[d][place] = (axis, taken, jump * leap, new_low, new_high)
    dims = []
    for n, factors in zip(output, built, strict=True):
        ordered = tuple(factors[place] for place in sorted(factors, reverse=True))
        if ordered and ordered[0][0] != INSET and units_of(ordered) != n:
            raise Untraceable
        dims.append(_joined(ordered))
    return within_reach(field._replace(start=tuple(start), dims=tuple(dims)))


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
        raise HoldsForNone
    return new_low, new_high


def _place(unit: int, leap: int, parts: Sequence[tuple[int, int, int, int]]) -> tuple[int, int]:
    """Where one unit of the old factor stands along the new factor of this leap."""
    found, rest = 0, unit
    for _, _, step, taken in sorted(parts, key=lambda part: -part[2]):
        index = rest // step
        if not 0 <= index < taken:
            raise HoldsForNone
        rest -= index * step
        if step == leap:
            found = index
    if rest:
        raise HoldsForNone
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
    return without_limits(tuple(joined))


def grouped(state: State, dim: int, groups: int, outputs: int, units: int) -> State:
    """After mixing the `units` of a dimension within each of `groups`, into `outputs` units."""
    if groups == 1:
        return contract(state, [dim])

    def rule(field: Field) -> State:
        if not field.dims[dim]:
            return field
        mixed = contracted(_split(field, dim, (groups, units // groups)), [dim + 1])
        outer = mixed.dims[dim]
        if outputs != groups and outer:
            outer = (*outer, (NONE, outputs // groups, 0, 0, outputs // groups))
        return mixed._replace(dims=(*mixed.dims[:dim], _joined(outer), *mixed.dims[dim + 2 :]))

    return each(state, rule)


def _split(field: Field, dim: int, parts: Sequence[int]) -> Field:
    """One dimension seen as several of `parts` units."""
    length = (prod(parts),)
    view = _View(length, contiguous(length), tuple(parts), contiguous(parts))
    made = _viewed(field._replace(dims=(field.dims[dim],)), view)
    dims = (*field.dims[:dim], *made.dims, *field.dims[dim + 1 :])
    return field._replace(dims=dims, start=made.start)

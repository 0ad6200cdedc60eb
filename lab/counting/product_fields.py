"""What products of matrices see: rows their row, columns their column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from lab import receptive_field as fields
from lab.counting.arguments import Arguments, Keywords, argument
from lab.counting.states import anyhow, field_of
from lab.receptive_field import UNKNOWN, State

Rule = Callable[[Arguments, Keywords, Tensor], State]


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


def matmul(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    a = args[0]
    b = argument(args, kwargs, 1, "other", kwargs.get("mat2", kwargs.get("vec")))
    return product(field_of(a), field_of(b), a.shape, b.shape, output)


def rmatmul(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
    return matmul((args[1], args[0]), kwargs, output)


def added_product(names: tuple[str, str]) -> Rule:
    def rule(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
        a, b = (argument(args, kwargs, i + 1, name) for i, name in enumerate(names))
        made = product(field_of(a), field_of(b), a.shape, b.shape, output)
        return fields.union([made, fields.aligned(field_of(args[0]), args[0].shape, output.shape)])

    return rule


def einsum(args: Arguments, kwargs: Keywords, output: Tensor) -> State:
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
        state = field_of(operand)
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

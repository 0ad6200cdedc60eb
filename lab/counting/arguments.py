"""How torch's functions are called: an argument by position or by keyword, one number for every axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

Arguments = tuple[Any, ...]

Keywords = Mapping[str, Any]

#: NumPy's and Python's words that torch takes for its own.
ALIASES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other"}


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def argument(args: Arguments, kwargs: Keywords, position: int, name: str, default: Any = None) -> Any:
    if position < len(args):
        return args[position]
    return kwargs.get(name, default)


def arguments(args: Arguments, kwargs: Keywords) -> tuple[Arguments, dict[str, Any]]:
    """The call with its first operands by position and every keyword by torch's own name."""
    kwargs = {ALIASES.get(key, key): value for key, value in kwargs.items()}
    if "condition" in kwargs or (args and "input" in kwargs):  # of `where`, whose first is the condition
        return args, kwargs
    for first in ("input", "tensors", "query", "self"):
        if not args and first in kwargs:
            args = (kwargs.pop(first),)
    if len(args) == 1 and "other" in kwargs:
        args = (*args, kwargs.pop("other"))
    return args, kwargs


def dimensions(value: Any, rank: int) -> tuple[int, ...]:
    """The dimensions that an argument names: one, several, or all."""
    if value is None or value == () or value == []:
        return tuple(range(rank))
    if isinstance(value, int):
        value = (value,)
    return tuple(int(d) % max(rank, 1) for d in value)


def as_tuple(value: Any, length: int) -> tuple[int, ...]:
    """One number for every axis, or one an axis, as torch takes them."""
    if isinstance(value, int):
        return (value,) * length
    value = tuple(value)
    return value * length if len(value) == 1 else value


def tensors_in(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    if isinstance(value, str | type) or not hasattr(value, "__iter__"):
        return []
    return [tensor for item in value for tensor in tensors_in(item)]

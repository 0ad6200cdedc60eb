"""Values of tensors on the meta device: known where they follow from shapes and constants alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from lab.counting.arguments import tensors_in, words
from lab.counting.states import version

RANDOM = ("rand", "normal", "bernoulli", "multinomial", "poisson", "empty", "new_empty", "dropout")

#: Functions that ask a tensor for a Python value.
ASKING = frozenset(
    words(
        "item __bool__ __int__ __float__ __index__ __complex__ tolist __format__ __repr__ numpy "
        "__array__ equal"
    )
    + words("allclose is_nonzero __contains__ __len__ __hash__")
)

#: Of these, those that need no values.
_OF_THE_SHAPE = frozenset(words("__len__ __hash__"))

#: Functions with one answer here: masks never make the encoder of `nn.Transformer` leave its dense path.
ANSWERS: dict[str, Any] = {"_nested_tensor_from_mask_left_aligned": False}


class ValueUnknown(Exception):
    """A forward asks for numbers that a count does not have."""


class KnownValues:
    """How to compute the values of what was made of constants, should the forward ask for them."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Tensor, int, Callable[[], Any]]] = {}  # tensor, its version, its values

    def forget(self, tensor: Tensor) -> None:
        self.known.pop(id(tensor), None)

    def set(self, tensor: Tensor, compute: Callable[[], Any]) -> None:
        self.known[id(tensor)] = tensor, version(tensor), compute

    def remember(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> None:
        """How to compute the values of what was made of constants, should the forward ask for them."""
        operands = tensors_in((args, kwargs))
        if func.__name__.startswith(RANDOM) or not all(self.is_known(t) for t in operands):
            return

        def compute() -> Any:
            real = {key: self.real(value) for key, value in kwargs.items()}
            if "device" in real:
                real["device"] = "cpu"
            numbers = ["cpu" if isinstance(a, torch.device) or a == "meta" else self.real(a) for a in args]
            return func(*numbers, **real)

        for i, result in enumerate(output if isinstance(output, list | tuple) else (output,)):
            if isinstance(result, Tensor):
                several = isinstance(output, list | tuple)
                self.set(result, (lambda i=i: compute()[i]) if several else compute)  # type: ignore[misc]

    def rewrite(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The values of a constant after a write in place."""
        target = args[0]
        entry = self.known.get(id(target))
        others = tensors_in((args[1:], kwargs))
        if entry is None or target._is_view() or not all(self.is_known(t) for t in others):
            self.forget(target)
            return
        before = entry[2]

        def compute() -> Any:
            values = before().clone()
            func(values, *(self.real(a) for a in args[1:]), **{k: self.real(v) for k, v in kwargs.items()})
            return values

        self.set(target, compute)

    def number(self, value: Any) -> Any:
        """A size, place or slice that is given as a tensor of one number, as that number."""
        if isinstance(value, Tensor) and value.dim() == 0 and not value.is_floating_point():
            return int(self.real(value)) if self.is_known(value) and value.dtype != torch.bool else value
        if isinstance(value, slice):
            return slice(*(self.number(n) for n in (value.start, value.stop, value.step)))
        if type(value) in (list, tuple):
            return type(value)(self.number(item) for item in value)
        return value

    def places(self, index: Any) -> Any:
        """An index whose masks of known values are the places that they name."""
        index = index if isinstance(index, tuple) else (index,)
        found: list[Any] = []
        for item in index:
            if isinstance(item, Tensor) and item.dtype == torch.bool and self.is_known(item):
                found += self.real(item).nonzero(as_tuple=True)
            else:
                found.append(item)
        return tuple(found)

    def is_known(self, tensor: Tensor) -> bool:
        if tensor.device.type != "meta":
            return True
        entry = self.known.get(id(tensor))
        return entry is not None and entry[1] == version(tensor)

    def real(self, value: Any) -> Any:
        """The value with the numbers of its tensors; ValueUnknown where these depend on the input or on
        weights."""
        if isinstance(value, Tensor):
            if value.device.type != "meta":
                return value
            if not self.is_known(value):
                raise ValueUnknown
            return self.known[id(value)][2]()
        if type(value) in (list, tuple):
            return type(value)(self.real(item) for item in value)
        return value

    def any_real(self, value: Any) -> Any:
        """As `real`, with ones in place of what depends on the input or on weights."""
        if isinstance(value, Tensor) and not self.is_known(value):
            return torch.ones(value.shape, dtype=value.dtype)
        if type(value) in (list, tuple):
            return type(value)(self.any_real(item) for item in value)
        return self.real(value)

    def ask(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """A function that gives Python a value: from constants, or refused."""
        if name in _OF_THE_SHAPE:
            return func(*args, **kwargs)
        if name in ANSWERS and ANSWERS[name] is not None:
            return ANSWERS[name]
        try:
            return func(*(self.real(a) for a in args), **{k: self.real(v) for k, v in kwargs.items()})
        except ValueUnknown:
            asked = {"__bool__": "if or bool()", "__int__": "int()", "__float__": "float()"}.get(name, name)
            raise ValueUnknown(
                f"it asks for the value of a tensor ({asked}), which depends on the input or on weights, and "
                "a count knows only shapes: count the part of the model that does not ask, as a module of "
                "its own"
            ) from None

"""Values of tensors on the meta device: known where they follow from shapes and constants alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import getitem
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from lab.counting.arguments import tensors_in, words
from lab.counting.aten import WithoutOperators
from lab.counting.states import version

RANDOM = words(
    "rand normal bernoulli multinomial poisson uniform exponential geometric cauchy log_normal binomial "
    "empty new_empty dropout"
)

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


class Later:
    """A call that is made when its result is asked for, and once; it may wait for other such calls."""

    def __init__(self, func: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.func: Callable[..., Any] | None = func
        self.given = args, kwargs
        self.value: Any = None

    def result(self) -> Any:
        stack = [self]
        while stack:  # a loop in a forward may have made more of them than Python may nest calls
            call = stack[-1]
            waiting = [x for x in tree_leaves(call.given) if isinstance(x, Later) and x.func is not None]
            if call.func is not None and not waiting:
                args, kwargs = tree_map_only(Later, lambda later: later.value, call.given)
                with WithoutOperators():
                    call.value = call.func(*args, **kwargs)
                call.func, call.given = None, ((), {})
            if call.func is None:
                stack.pop()
            stack += waiting
        return self.value


def _written(func: Callable[..., Any], before: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    after = before.clone()
    func(after, *args, **kwargs)
    return after


class KnownValues:
    """How to compute the values of what was made of constants, should the forward ask for them."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Tensor, int, Tensor | Later]] = {}  # tensor, its version, its values
        self.twins: dict[int, tuple[Tensor, Tensor]] = {}  # a real tensor and the one in its place

    def twin(self, tensor: Tensor) -> Tensor:
        """The tensor on the meta device that stands for a real one, always the same."""
        if id(tensor) not in self.twins:
            twin = tensor.detach().to("meta")
            self.twins[id(tensor)] = tensor, twin
            self.set(twin, tensor)
        return self.twins[id(tensor)][1]

    def forget(self, tensor: Tensor) -> None:
        self.known.pop(id(tensor), None)

    def set(self, tensor: Tensor, values: Tensor | Later) -> None:
        self.known[id(tensor)] = tensor, version(tensor), values

    def now(self, value: Any) -> Any:
        """What is given to a function, with values in place of tensors as they are at this moment."""
        return tree_map_only(Tensor, self._values, value)

    def _values(self, tensor: Tensor) -> Tensor | Later:
        tensor = self._standing_for(tensor)
        return self.known[id(tensor)][2] if tensor.is_meta else tensor

    def _standing_for(self, tensor: Tensor) -> Tensor:
        return self.twins.get(id(tensor), (tensor, tensor))[1]

    def remember(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> None:
        """How to compute the values of what was made of constants, should the forward ask for them."""
        kwargs = {key: value for key, value in kwargs.items() if key != "out"}
        if func.__name__.startswith(RANDOM) or not all(self.is_known(t) for t in tensors_in((args, kwargs))):
            return
        if "device" in kwargs:
            kwargs["device"] = "cpu"
        args = tuple(
            "cpu" if isinstance(a, torch.device) or (type(a) is str and a == "meta") else a for a in args
        )
        call = Later(func, *self.now((args, kwargs)))
        if isinstance(output, Tensor):
            self.set(output, call)
        elif isinstance(output, list | tuple):
            for i, result in enumerate(output):
                if isinstance(result, Tensor):
                    self.set(result, Later(getitem, (call, i), {}))

    def rewrite(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The values of a constant after a write in place, of which its version tells."""
        target = self._standing_for(args[0])
        before = self.known.get(id(target))
        given = args[1:], dict(kwargs)
        if (
            before is None
            or version(target) > before[1] + 1  # others wrote it too
            or target._is_view()
            or func.__name__.startswith(RANDOM)
            or not all(self.is_known(t) for t in tensors_in(given))
        ):
            self.forget(target)
            return
        others, named = self.now(given)
        self.set(target, Later(_written, (func, before[2], *others), named))

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
        tensor = self._standing_for(tensor)
        if not tensor.is_meta:
            return True
        entry = self.known.get(id(tensor))
        return entry is not None and entry[1] == version(tensor)

    def real(self, value: Any) -> Any:
        """The value with the numbers of its tensors; ValueUnknown where these depend on the input or on
        weights."""
        if not all(self.is_known(t) for t in tensors_in(value)):
            raise ValueUnknown
        return tree_map_only(Later, Later.result, self.now(value))

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
                f"it asks for the value of a tensor ({asked}), which depends on the input, on weights "
                "or on chance, and a count knows only shapes: count the part of the model that does not ask, "
                "as a module of its own"
            ) from None

"""The walk: every torch function of a forward pass, counted by its rule, moved along, or watched below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as nn_module
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from lab import receptive_field as fields
from lab.counting.arguments import arguments, tensors_in, words
from lab.counting.aten import OperatorCounts, Operators, WithoutOperators
from lab.counting.movement import MOVES
from lab.counting.rows import LayerRows
from lab.counting.rules import RULES
from lab.counting.states import (
    SAME,
    VIEWS,
    anyhow,
    carry_channels,
    elementwise,
    field_of,
    keep_field,
    seen_through,
    with_part,
    written,
)
from lab.counting.values import ANSWERS, ASKING, KnownValues, ValueUnknown
from lab.ledger import Layer

#: Functions that move or make values without arithmetic; they leave no row.
FREE = (
    frozenset(VIEWS)
    | frozenset(SAME)
    | frozenset(
        words(
            "reshape flatten unflatten ravel reshape_as permute transpose __getitem__ __setitem__ "
            "stack pad roll "
            "flip repeat tile zeros ones empty full arange tensor as_tensor zeros_like ones_like empty_like "
            "full_like new_zeros new_ones new_empty new_full new_tensor result_type zero_ fill_ "
            "copy_ __iter__ "
            "eye linspace"
        )
    )
)

_QUESTIONS = frozenset(
    words(
        "size dim numel nelement stride is_contiguous is_floating_point is_complex ndimension storage_offset "
        "element_size is_signed is_same_size result_type can_cast promote_types untyped_storage get_device"
    )
)

_SHAPED_BY_VALUES = frozenset(
    words(
        "where nonzero argwhere unique _unique2 unique_consecutive masked_select bincount repeat_interleave"
    )
)

#: Functions that torch runs on numbers alone, though the shapes of what they give follow from shapes.
_ON_NUMBERS = frozenset(
    words(
        "cov corrcoef linalg_lstsq geqrf histogram istft ctc_loss fake_quantize_per_tensor_affine "
        "fake_quantize_per_channel_affine"
    )
)

_SIZES = frozenset(
    words(
        "shape dtype device is_meta requires_grad ndim layout grad grad_fn is_leaf is_cuda is_cpu "
        "is_sparse is_nested is_quantized is_mps is_xpu names itemsize nbytes is_mkldnn is_ipu "
        "is_maia is_mtia"
    )
)

_TAKES_SIZES = frozenset(
    words("view reshape expand repeat narrow select split chunk unflatten __getitem__ __setitem__ roll pad")
)

_MAKERS = frozenset(words("zeros_like ones_like full_like new_zeros new_ones new_full empty_like new_empty"))

_TO_A_DEVICE = frozenset(words("cpu cuda xpu pin_memory"))

_level = torch._C._functorch.maybe_current_level


class Walk(TorchFunctionMode):
    """One forward pass, function by function. `exact` runs torch's shape inference for counted ones too."""

    def __init__(self, model: nn.Module, exact: bool = False) -> None:
        super().__init__()
        self.exact = exact
        self.root = model
        self.layers = LayerRows(model)
        self.values = KnownValues()
        self.operators = Operators()
        self.lengths: dict[int, Tensor] = {}  # those of packed sequences, which torch wants on the CPU
        self.thread = get_ident()
        self.refused: ValueUnknown | None = None  # also where the forward catches it and goes another way

    @property
    def rows(self) -> list[Layer]:
        return self.layers.rows

    # Modules: which one is being called

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Follow calls by torch's global hooks, which leave no trace in the modules."""
        with ExitStack() as stack:
            stack.callback(nn_module.register_module_forward_pre_hook(self.enter).remove)
            stack.callback(nn_module.register_module_forward_hook(self.leave).remove)
            yield

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if get_ident() != self.thread:
            self.refused = ValueUnknown(
                f"{type(module).__name__} is called in a thread of its own, where a count does not see it: "
                "call the parts one after another"
            )
            raise self.refused
        self.unseen()
        self.layers.enter(module, inputs)

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.unseen()
        self.layers.leave(module, inputs, output)

    def unseen(self) -> None:
        """A row for operators that ran outside of every function that the walk sees."""
        seen = self.operators.outside
        if seen.macs or seen.elements or seen.uncounted:
            self.operators.outside = OperatorCounts()
            self.layers.add(
                "operators",
                None,
                seen.last,
                macs=seen.macs,
                elements=dict(seen.elements),
                uncounted=tuple(seen.uncounted),
            )

    # Functions: one entry for all

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        try:
            return self.call(func, args, kwargs)
        except ValueUnknown as error:
            self.refused = error
            raise

    def call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
        name = func.__name__
        if name == "__get__":
            name = getattr(getattr(func, "__self__", None), "__name__", "")
            if name in _SIZES:
                return func(args[0] if id(args[0]) in self.lengths else self.meta(args[0]))
            if name == "data":  # the same memory, but writes to it are seen
                name, func = "detach", Tensor.detach
            with WithoutOperators():
                return self.move(name, func, args, {})
        if name == "__set__" and isinstance(args[1], Tensor):  # tensor.data = other
            target = self.meta(args[0])
            func(target, self.meta(args[1]))
            keep_field(target, field_of(args[1]))
            self.values.remember(torch.clone, args[1:], {}, target)
            return None
        if name == "data_ptr":  # all are 0 on the meta device
            tensor = self.meta(args[0])
            return tensor.untyped_storage()._cdata + tensor.storage_offset() * tensor.element_size()
        if name in ASKING or name in ANSWERS:
            with WithoutOperators():
                return self.values.ask(name, func, args, kwargs or {})
        if name in _QUESTIONS:
            return func(*(self.meta(a) for a in args), **(kwargs or {}))
        rule = RULES.get(name)
        if kwargs and (rule is not None or name in MOVES):
            args, kwargs = arguments(args, kwargs)
        kwargs = kwargs or {}
        if _level() is None:
            if rule is not None:
                with WithoutOperators():
                    return rule(self, name, func, args, kwargs)
            if name in FREE or func in _device_constructors():
                with WithoutOperators():
                    return self.move(name, func, args, kwargs)
        return self.watch(name, func, args, kwargs)

    def run(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The function on the meta device."""
        if func.__name__ in _TO_A_DEVICE:
            return self.meta(args[0])
        if func.__name__ == "type" and len(args) > 1 and not isinstance(args[1], torch.dtype):
            args = (args[0], _dtype(args[1]))
        if func in _device_constructors():
            args = tuple(self.values.number(a) for a in args)
        args = tuple(_to_meta(a) if isinstance(a, str | torch.device) else self.meta(a) for a in args)
        kwargs = {key: self.meta(value) for key, value in kwargs.items()}
        if "device" in kwargs or func in _device_constructors():
            kwargs["device"] = "meta"
        return func(*args, **kwargs)

    def meta(self, value: Any) -> Any:
        """The value with every tensor on the meta device; a real one always has the same twin."""
        if isinstance(value, Tensor):
            if value.device.type == "meta":
                return value
            return self.values.twin(value)
        if type(value) in (list, tuple):
            return type(value)(self.meta(item) for item in value)
        if type(value) is dict:
            return {key: self.meta(item) for key, item in value.items()}
        return value

    def move(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """A function without arithmetic: parameters it takes are counted, receptive fields go along."""
        if name in _TAKES_SIZES:
            args = (args[0], *(self.values.number(a) for a in args[1:]))
        if name in ("__getitem__", "__setitem__"):
            args = (args[0], self.values.places(args[1]), *args[2:])
        output = self.run(func, args, kwargs)
        if name == "__iter__":
            return iter([self.part(args[0], i, row) for i, row in enumerate(output)])
        if (
            name == "to"
            and (source := args[0]) is not output
            and isinstance(source, Tensor)
            and not source.is_meta
        ):
            output = self.meta(source) if output.dtype == source.dtype else output
        self.layers.add_parameters(args, kwargs)
        self.settle(name, func, args, kwargs, output)
        return output

    def part(self, whole: Tensor, index: int, row: Tensor) -> Tensor:
        keep_field(row, seen_through(self.meta(whole), row))
        self.values.remember(torch.select, (whole, 0, index), {}, row)
        return row

    def settle(
        self,
        name: str,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        output: Any,
        local: bool = False,
    ) -> None:
        """What the output of a function sees, and whether its values are known."""
        first = args[0] if args else None
        for result in output if isinstance(output, list | tuple) else (output,):
            if isinstance(result, Tensor):
                carry_channels(first, result, name)
        if name in _MAKERS:  # of a shape alone
            like = tuple(torch.empty(a.shape, dtype=a.dtype) if isinstance(a, Tensor) else a for a in args)
            self.values.remember(func, like, kwargs, output)
            return
        tensors = tensors_in((args, kwargs))
        depends = any(field_of(t) is not None for t in tensors)
        if name == "__setitem__" or (name in ("copy_", "zero_", "fill_") and isinstance(first, Tensor)):
            self.write(name, func, args, kwargs)
            return
        if not depends:
            if output is first and isinstance(first, Tensor):
                self.values.rewrite(func, args, kwargs)
            elif isinstance(output, Tensor | list | tuple):
                self.values.remember(func, args, kwargs, output)
            return
        rule = MOVES.get(name.removesuffix(".default"))
        for result in output if isinstance(output, list | tuple) else (output,):
            if not isinstance(result, Tensor):
                continue
            if rule is not None and first is not None:
                try:
                    state = rule(args, kwargs, result)
                except (fields.Untraceable, ArithmeticError, LookupError, TypeError, ValueError):
                    state = fields.UNKNOWN
            elif local and result.shape == torch.broadcast_shapes(*(t.shape for t in tensors)):
                state = elementwise(tensors, result)
            else:
                state = anyhow([*args, *kwargs.values()], result)
            if any(result is t for t in tensors):
                written(result, state)
            else:
                keep_field(result, state)

    def write(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> None:
        """A write in place: what was there is seen no more, what is written is."""
        target = self.meta(args[0])
        values = [t for t in tensors_in((args[1:], kwargs)) if isinstance(t, Tensor)]
        if field_of(target) is None and not any(field_of(t) is not None for t in values):
            self.values.rewrite(func, (target, *args[1:]), kwargs)
            return
        self.values.forget(target)
        if name != "__setitem__":
            source = values[0] if values else None
            state = None if source is None else fields.aligned(field_of(source), source.shape, target.shape)
            written(target, state)
            return
        index, value = args[1], args[2]
        index = index if isinstance(index, tuple) else (index,)
        if not all(i is None or i is Ellipsis or type(i) in (int, slice) for i in index):
            written(target, anyhow([target, value], target))
            return
        place = target.__getitem__(index)
        state = (
            fields.aligned(field_of(value), value.shape, place.shape) if isinstance(value, Tensor) else None
        )
        before = field_of(target)
        if place._base is target or (target._base is not None and place._base is target._base):
            inside = with_part(before, target, place, state)
        else:
            inside = fields.UNKNOWN
        written(target, inside)

    def watch(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """A function without a rule: its operators are counted one by one as they run on the meta device."""
        self.layers.add_parameters(args, kwargs)
        target = self.meta(args[0]) if args and isinstance(args[0], Tensor) else None
        before = field_of(target)
        with self.operators.collect() as seen:
            try:
                output = self.run(func, args, kwargs)
            except NotImplementedError:
                read = self.values.any_real if name in _ON_NUMBERS else self.values.real
                try:  # its shape depends on values, which constants have
                    output = func(*(read(a) for a in args), **{k: read(v) for k, v in kwargs.items()})
                    output = self.meta(output) if name in _ON_NUMBERS else output
                except ValueUnknown:
                    why = (
                        "gives a shape that depends on the values of the input or of weights, and a count "
                        "knows only shapes"
                        if name in _SHAPED_BY_VALUES
                        else "does not run on shapes alone, which are all that a count knows"
                    )
                    if any(t.layout != torch.strided for t in tensors_in((args, kwargs))):
                        why = "works on a sparse tensor, and a count knows only whole ones"
                    raise ValueUnknown(
                        f"{name} {why}: count the part of the model before it, as a module of its own"
                    ) from None
        with WithoutOperators():
            if output is target and target is not None:
                keep_field(target, before)  # the operator has written it; what it sees now is said below
            tensors = tensors_in((args, kwargs))
            results = tensors_in(output)
            self.settle(name, func, args, kwargs, output, seen.local)
            if results and (seen.macs or seen.elements or seen.uncounted):
                self.layers.add(
                    name,
                    tensors[0] if tensors else None,
                    results[0],
                    macs=seen.macs,
                    elements=dict(seen.elements),
                    uncounted=tuple(seen.uncounted),
                )
        return output


def _to_meta(value: Any) -> Any:
    """A device given by position is the meta device here; other strings stay."""
    return (
        "meta" if isinstance(value, torch.device) or value.split(":")[0] in ("cpu", "cuda", "mps") else value
    )


_TENSOR_TYPES = {
    "FloatTensor": torch.float32,
    "DoubleTensor": torch.float64,
    "HalfTensor": torch.float16,
    "BFloat16Tensor": torch.bfloat16,
    "LongTensor": torch.int64,
    "IntTensor": torch.int32,
    "ShortTensor": torch.int16,
    "CharTensor": torch.int8,
    "ByteTensor": torch.uint8,
    "BoolTensor": torch.bool,
}


def _dtype(kind: Any) -> torch.dtype:
    """The type of numbers of torch.FloatTensor, or of its name."""
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__name__}"
    return _TENSOR_TYPES[name.rpartition(".")[2]]

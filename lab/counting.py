"""One walk over a model: every layer call as a row of a `Ledger`, on the meta device.

The model's forward runs once under a mode that sees every torch function. A function with a rule in `RULES`
is counted from shapes alone and answers with an empty tensor on the meta device: no arithmetic is done and
no weight is read. Every other function runs as torch's own shape inference, and where it is no mere view
its operators are watched one by one (`_Watch`); one that is neither counted nor known to be free is named
in `uncounted`, and the totals are then lower bounds.

Counted is one sample (batch 1) in evaluation mode. MACs are those of convolutions, linear layers, attention
and matrix products: half of the FLOPs that FlopCounterMode reports on the meta device. `activations` are the
elements of the tensors that layers write; views and layers that work in place write none.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as nn_module
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from lab import formulas
from lab import receptive_field as fields
from lab.formulas import Count
from lab.inputs import Input
from lab.ledger import Layer, Ledger, ReceptiveField, Shape
from lab.movement import (
    MOVES,
    SAME,
    VIEWS,
    anyhow,
    arguments,
    carry_channels,
    channels_of,
    elementwise,
    keep,
    keep_channels,
    seen_through,
    state_of,
    version,
    with_part,
    words,
    written,
)
from lab.operators import RULES

REVISION = 1

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


W = TypeVar("W", bound="Walk")


class CountError(ValueError):
    """The model did not accept the input, or its forward cannot run without real numbers."""


class _Value(Exception):
    """A forward asks for numbers that a count does not have."""


def count(
    model: nn.Module,
    input_shape: Sequence[int],
    *,
    name: str | None = None,
    inputs: Sequence[Any] | None = None,
) -> Ledger:
    """Every layer of `model` for one input of `input_shape` (C, H, W), without the batch axis.

    `inputs` are the forward's arguments for models that take other than one float tensor: values of batch 1,
    or `Input`s, by position and then by name. The model is left as it was: state, hooks, mode. Raises
    CountError when its forward does not accept the input.
    """
    model = getattr(model, "_orig_mod", model)  # a compiled model counts as the model it compiles
    name = name or type(model).__name__
    _check_countable(model)
    if any(isinstance(p, UninitializedTensorMixin) for p in (*model.parameters(), *model.buffers())):
        model = _initialised(model, input_shape, inputs)
    try:
        walk = follow(Walk(model), model, input_shape, inputs=inputs)
    except Exception:  # torch's own shape inference says better what is wrong, and knows every layout
        walk = follow(Walk(model, exact=True), model, input_shape, inputs=inputs)
    return Ledger(name, tuple(input_shape), tuple(walk.rows))


def follow(
    walk: W,
    model: nn.Module,
    shape: Sequence[int],
    *,
    inputs: Sequence[Any] | None = None,
    batch: int = 1,
    training: bool = False,
) -> W:
    """One forward of `model` under `walk`."""
    with torch.inference_mode(False):
        given, named = _given(model, shape, inputs, batch)
    with ExitStack() as stack:
        stack.enter_context(_as_it_was(model, training))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        stack.enter_context(_eager())
        stack.enter_context(walk.hooks())
        stack.enter_context(walk.operators)
        stack.enter_context(walk)
        try:
            model(*given, **named)
        except Exception as error:
            raise CountError(walk.refusal(shape, error)) from error
    walk.finish()
    return walk


def _given(
    model: nn.Module, shape: Sequence[int], inputs: Sequence[Any] | None, batch: int
) -> tuple[list[Any], dict[str, Any]]:
    """The forward's arguments on the meta device, by position and by name, with what their units see.

    The field is that of the first input of numbers, and of the others of its shape.
    """
    own = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    given, named = [], {}
    for value in [Input(tuple(shape))] if inputs is None else inputs:
        if isinstance(value, Input):
            kind = getattr(torch, value.type) if value.type else own
            made = torch.empty((batch, *value.shape), dtype=kind, device="meta")
            if value.name:
                named[value.name] = made
                continue
            value = made
        given.append(value.to("meta").clone() if isinstance(value, Tensor) else value)
    numbers = [x for x in (*given, *named.values()) if isinstance(x, Tensor) and x.is_floating_point()]
    for tensor in numbers:
        if tensor.dim() > 3:
            keep_channels(tensor, 1)
        if tensor.shape[1:] == numbers[0].shape[1:]:
            keep(tensor, fields.of_input(tensor.shape))
    return given, named


@contextmanager
def _eager() -> Iterator[None]:
    """Compiled parts run as what they compile; autocast, which knows no meta device, does nothing."""
    autocast = torch.amp.autocast_mode.autocast
    before = autocast.__init__

    def disabled(self: Any, device_type: str, *args: Any, **kwargs: Any) -> None:
        if device_type == "meta":
            device_type, args, kwargs = "cpu", (), {"enabled": False}
        before(self, device_type, *args, **kwargs)

    autocast.__init__ = disabled  # type: ignore[method-assign]
    try:
        if "torch._dynamo" in sys.modules:
            with torch.compiler.set_stance("force_eager"), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Using `torch.compile", UserWarning)  # of our global hooks
                yield
        else:
            yield
    finally:
        autocast.__init__ = before  # type: ignore[method-assign]


def _check_countable(model: nn.Module) -> None:
    """Refuse quantized layers: their weights are packed in a form that only their own operators read."""
    for path, module in model.named_modules():
        if type(module).__module__.startswith(("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")):
            raise CountError(
                f"{path or 'it'} ({type(module).__name__}) is quantized, and its packed weights cannot be "
                "counted: count the model before it is quantized, which has as many"
            )


def _initialised(model: nn.Module, shape: Sequence[int], inputs: Sequence[Any] | None) -> nn.Module:
    """A copy whose lazy modules have been told their sizes by one forward on the meta device."""
    lazy = [t for t in (*model.parameters(), *model.buffers()) if isinstance(t, UninitializedTensorMixin)]
    memo: dict[int, Any] = {id(t): type(t)(device="meta") for t in lazy}
    copied = copy.deepcopy(model, memo).to("meta").eval()
    given, named = _given(copied, shape, inputs, 1)
    try:
        with torch.no_grad(), torch.device("meta"):
            copied(*given, **named)
    except Exception as error:
        raise CountError(
            f"{type(model).__name__} has lazy modules, which could not be given their sizes by an input of "
            f"{_text(shape)}: {' '.join(str(error).split())}"
        ) from error
    return copied


@contextmanager
def _as_it_was(model: nn.Module, training: bool) -> Iterator[None]:
    """In the mode asked for inside; afterwards every module has its attributes back, also after an error."""
    parts = ("_parameters", "_buffers", "_modules")
    modules = [m for m in model.modules() if not isinstance(m, torch.jit.ScriptModule)]
    saved = [(m.__dict__, dict(m.__dict__), [dict(m.__dict__[part]) for part in parts]) for m in modules]
    try:
        for attributes, _, _ in saved:
            attributes["training"] = training
        yield
    finally:
        for attributes, before, contents in saved:
            attributes.clear()
            attributes.update(before)
            for part, content in zip(parts, contents, strict=True):
                attributes[part].clear()
                attributes[part].update(content)


class Walk(TorchFunctionMode):
    """The rows of one forward pass. `exact` runs torch's shape inference for counted functions too."""

    def __init__(self, model: nn.Module, exact: bool = False) -> None:
        super().__init__()
        self.exact = exact
        self.rows: list[Layer] = []
        self.paths: dict[int, str] = {}
        self.owners: dict[int, tuple[nn.Module, str, Tensor]] = {}
        for path, module in model.named_modules():
            self.paths[id(module)] = path
            for key, tensor in module._parameters.items():
                if tensor is not None:
                    self.owners.setdefault(id(tensor), (module, key, tensor))
        self.root = model
        self.operators = _Operators()
        self.lengths: dict[int, Tensor] = {}  # those of packed sequences, which torch wants on the CPU
        self.known: dict[int, tuple[Tensor, int, Callable[[], Any]]] = {}  # tensor, its version, its values
        self.stack: list[tuple[nn.Module, int, list[Shape]]] = []  # calls: module, rows before, shapes given
        self.path = ""
        self.counted: set[int] = set()
        self.called: Counter[str] = Counter()
        self.last: tuple[Any, ReceptiveField | Literal["global"] | None] = None, None
        self.twins: dict[int, tuple[Tensor, Tensor]] = {}

    # Modules: which one is being called

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Follow calls by torch's global hooks, which leave no trace in the modules."""
        with ExitStack() as stack:
            stack.callback(nn_module.register_module_forward_pre_hook(self.enter).remove)
            stack.callback(nn_module.register_module_forward_hook(self.leave).remove)
            yield

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.unseen()
        self.stack.append((module, len(self.rows), [t.shape for t in inputs if isinstance(t, Tensor)]))
        self.path = self.paths.get(id(module), self.path)

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.unseen()
        while self.stack:
            last, before, _ = self.stack.pop()
            if last is module:
                break
        if len(self.rows) == before and not module._modules and inputs and isinstance(output, Tensor):
            self.row("", inputs[0], output, own=module)
        self.path = self.paths.get(id(self.stack[-1][0]), "") if self.stack else ""

    def unseen(self) -> None:
        """A row for operators that ran outside of every function that the walk sees."""
        seen = self.operators.outside
        if seen.macs or seen.elements or seen.uncounted:
            self.operators.outside = _Counts()
            self.row(
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
        name = func.__name__
        if name == "__get__":
            name = getattr(getattr(func, "__self__", None), "__name__", "")
            if name in _SIZES:
                return func(args[0] if id(args[0]) in self.lengths else self.meta(args[0]))
            with _WithoutOperators():
                return self.move(name, func, args, {})
        if name == "__set__" and isinstance(args[1], Tensor):  # tensor.data = other
            func(*map(self.meta, args))
            keep(self.meta(args[0]), state_of(args[1]))
            return None
        if name in _VALUES or name in _ANSWERS:
            with _WithoutOperators():
                return self.value(name, func, args, kwargs or {})
        if name in _QUESTIONS:
            return func(*(self.meta(a) for a in args), **(kwargs or {}))
        rule = RULES.get(name)
        if kwargs and (rule is not None or name in MOVES):
            args, kwargs = arguments(args, kwargs)
        kwargs = kwargs or {}
        if _level() is None:
            if rule is not None:
                with _WithoutOperators():
                    return rule(self, name, func, args, kwargs)
            if name in FREE or func in _device_constructors():
                with _WithoutOperators():
                    return self.move(name, func, args, kwargs)
        return self.watch(name, func, args, kwargs)

    def run(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The function on the meta device."""
        if func.__name__ in _TO_A_DEVICE:
            return self.meta(args[0])
        if func.__name__ == "type" and len(args) > 1 and not isinstance(args[1], torch.dtype):
            args = (args[0], _dtype(args[1]))
        if func in _device_constructors():
            args = tuple(self.number(a) for a in args)
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
            if id(value) not in self.twins:
                twin = value.detach().to("meta")
                self.twins[id(value)] = value, twin
                self.known[id(twin)] = twin, version(twin), lambda: value
            return self.twins[id(value)][1]
        if type(value) in (list, tuple):
            return type(value)(self.meta(item) for item in value)
        if type(value) is dict:
            return {key: self.meta(item) for key, item in value.items()}
        return value

    # Values: those that follow from shapes and constants alone

    def remember(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> None:
        """How to compute the values of what was made of constants, should the forward ask for them."""
        operands = _tensors((args, kwargs))
        if func.__name__.startswith(_RANDOM) or not all(self.is_known(t) for t in operands):
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
                self.known[id(result)] = (
                    result,
                    version(result),
                    (lambda i=i: compute()[i]) if several else compute,  # type: ignore[misc]
                )

    def rewrite(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The values of a constant after a write in place."""
        target = args[0]
        entry = self.known.get(id(target))
        others = _tensors((args[1:], kwargs))
        if entry is None or target._is_view() or not all(self.is_known(t) for t in others):
            self.known.pop(id(target), None)
            return
        before = entry[2]

        def compute() -> Any:
            values = before().clone()
            func(values, *(self.real(a) for a in args[1:]), **{k: self.real(v) for k, v in kwargs.items()})
            return values

        self.known[id(target)] = target, version(target), compute

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
        """The value with the numbers of its tensors; _Value where they depend on the input or on weights."""
        if isinstance(value, Tensor):
            if value.device.type != "meta":
                return value
            if not self.is_known(value):
                raise _Value
            return self.known[id(value)][2]()
        if type(value) in (list, tuple):
            return type(value)(self.real(item) for item in value)
        return value

    def value(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """A function that gives Python a value: from constants, or refused."""
        if name in _PLAIN:
            return func(*args, **kwargs)
        if name in _ANSWERS and _ANSWERS[name] is not None:
            return _ANSWERS[name]
        try:
            return func(*(self.real(a) for a in args), **{k: self.real(v) for k, v in kwargs.items()})
        except _Value:
            asked = {"__bool__": "if or bool()", "__int__": "int()", "__float__": "float()"}.get(name, name)
            raise _Value(
                f"it asks for the value of a tensor ({asked}), which depends on the input or on "
                f"weights, and a "
                "count knows only shapes: count the part of the model that does not ask, as a "
                "module of its own"
            ) from None

    def move(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """A function without arithmetic: parameters it takes are counted, receptive fields go along."""
        if name in _TAKES_SIZES:
            args = (args[0], *(self.number(a) for a in args[1:]))
        if name in ("__getitem__", "__setitem__"):
            args = (args[0], self.places(args[1]), *args[2:])
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
        self.parameters(args, kwargs)
        self.settle(name, func, args, kwargs, output)
        return output

    def part(self, whole: Tensor, index: int, row: Tensor) -> Tensor:
        keep(row, seen_through(self.meta(whole), row))
        self.remember(torch.select, (whole, 0, index), {}, row)
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
            self.remember(func, like, kwargs, output)
            return
        tensors = _tensors((args, kwargs))
        depends = any(state_of(t) is not None for t in tensors)
        if name == "__setitem__" or (name in ("copy_", "zero_", "fill_") and isinstance(first, Tensor)):
            self.write(name, func, args, kwargs)
            return
        if not depends:
            if output is first and isinstance(first, Tensor):
                self.rewrite(func, args, kwargs)
            elif isinstance(output, Tensor | list | tuple):
                self.remember(func, args, kwargs, output)
            return
        rule = MOVES.get(name.removesuffix(".default"))
        for result in output if isinstance(output, list | tuple) else (output,):
            if not isinstance(result, Tensor):
                continue
            if rule is not None and first is not None:
                try:
                    state = rule(args, kwargs, result)
                except (fields.Untraceable, IndexError, TypeError, KeyError, ValueError):
                    state = fields.UNKNOWN
            elif local and result.shape == torch.broadcast_shapes(*(t.shape for t in tensors)):
                state = elementwise(tensors, result)
            else:
                state = anyhow([*args, *kwargs.values()], result)
            if any(result is t for t in tensors):
                written(result, state)
            else:
                keep(result, state)

    def write(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> None:
        """A write in place: what was there is seen no more, what is written is."""
        target = self.meta(args[0])
        values = [t for t in _tensors((args[1:], kwargs)) if isinstance(t, Tensor)]
        if state_of(target) is None and not any(state_of(t) is not None for t in values):
            self.rewrite(func, (target, *args[1:]), kwargs)
            return
        self.known.pop(id(target), None)
        if name != "__setitem__":
            source = values[0] if values else None
            state = None if source is None else fields.aligned(state_of(source), source.shape, target.shape)
            written(target, state)
            return
        index, value = args[1], args[2]
        index = index if isinstance(index, tuple) else (index,)
        if not all(i is None or i is Ellipsis or type(i) in (int, slice) for i in index):
            written(target, anyhow([target, value], target))
            return
        place = target.__getitem__(index)
        state = (
            fields.aligned(state_of(value), value.shape, place.shape) if isinstance(value, Tensor) else None
        )
        before = state_of(target)
        if place._base is target or (target._base is not None and place._base is target._base):
            inside = with_part(before, target, place, state)
        else:
            inside = fields.UNKNOWN
        written(target, inside)

    def watch(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """A function without a rule: its operators are counted one by one as they run on the meta device."""
        self.parameters(args, kwargs)
        target = self.meta(args[0]) if args and isinstance(args[0], Tensor) else None
        before = state_of(target)
        with self.operators.collect() as seen:
            try:
                output = self.run(func, args, kwargs)
            except NotImplementedError:
                try:  # its shape depends on values, which constants have
                    output = func(
                        *(self.real(a) for a in args), **{k: self.real(v) for k, v in kwargs.items()}
                    )
                except _Value:
                    why = (
                        "gives a shape that depends on the values of the input or of weights, and a count "
                        "knows only shapes"
                        if name in _SHAPED_BY_VALUES
                        else "does not run on shapes alone, which are all that a count knows"
                    )
                    raise _Value(
                        f"{name} {why}: count the part of the model before it, as a module of its own"
                    ) from None
        with _WithoutOperators():
            if output is target and target is not None:
                keep(target, before)  # the operator has written it; what it sees now is said below
            tensors = _tensors((args, kwargs))
            results = _tensors(output)
            self.settle(name, func, args, kwargs, output, seen.local)
            if results and (seen.macs or seen.elements or seen.uncounted):
                self.row(
                    name,
                    tensors[0] if tensors else None,
                    results[0],
                    macs=seen.macs,
                    elements=dict(seen.elements),
                    uncounted=tuple(seen.uncounted),
                )
        return output

    # Rows

    def parameters(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """A row for every parameter that a function without layer takes for the first time."""
        for value in (*args, *kwargs.values()):
            if type(value) in (list, tuple):
                self.parameters(value, {})
            elif (
                isinstance(value, nn.Parameter) and id(value) in self.owners and id(value) not in self.counted
            ):
                self.parameter(value)

    def parameter(self, value: Tensor) -> None:
        module, key, _ = self.owners[id(value)]
        self.counted.add(id(value))
        path = self.paths[id(module)]
        column, text = _column(key), formulas.product(value.shape)
        self.rows.append(
            Layer(
                f"{path}.{key}" if path else key,
                "Parameter",
                None,
                tuple(value.shape),
                **{column: text.value},  # type: ignore[arg-type]
                arithmetic={column: text.expression},
            )
        )

    def claim(self, tensor: Tensor | None, formula: Count | None = None) -> tuple[Count, bool]:
        """What a layer's parameter adds to its row, and whether another call has counted it before."""
        if tensor is None or id(tensor) not in self.owners:
            return formulas.ZERO, False
        if id(tensor) in self.counted:
            return formulas.ZERO, True
        self.counted.add(id(tensor))
        return formula or formulas.product(tensor.shape), False

    def row(
        self,
        function: str,
        x: Any,
        output: Any,
        *,
        own: nn.Module | None = None,
        weights: Count = formulas.ZERO,
        biases: Count = formulas.ZERO,
        macs: Mapping[str, Count] | None = None,
        elements: dict[str, int] | None = None,
        batch_axis: int | None = 0,
        channels: int | None = None,
        **rest: Any,
    ) -> None:
        """Add a row for a call from `x` to `output` (in place when they are one tensor), whose `channels`
        stand in that dimension, or where they stood in `x`."""
        inside = self.stack[-1][0] if self.stack else self.root
        builtin = type(inside).__module__.startswith("torch.nn.") and not inside._modules
        functional = own is not None and not builtin and all(own is not module for module, _, _ in self.stack)
        if own is None and builtin:
            own = inside
        if own is None:
            name, kind = f"{self.path}:{function}" if self.path else function, function
        else:
            name, kind = self.paths.get(id(own), self.path) or type(own).__name__, type(own).__name__
        self.called[name] += 1
        if self.called[name] > 1:
            name = f"{name}#{self.called[name]}"
        shape = output.shape if isinstance(output, Tensor) else None
        if channels is not None:
            keep_channels(output, channels)
        elif shape is not None and channels_of(output) is None:
            carry_channels(x, output)
        writes = function and shape is not None and output is not x
        activations = formulas.ZERO
        if shape is not None and writes:
            activations = formulas.activations(_sample(shape, batch_axis))
        counts = {"weights": weights, "biases": biases, "activations": activations}
        if macs:
            counts["macs"] = formulas.total(macs.values())
        self.rows.append(
            Layer(
                name,
                kind,
                _sample(x.shape, batch_axis) if isinstance(x, Tensor) else None,
                _sample(shape, batch_axis) if shape is not None else None,
                weights=weights.value,
                biases=biases.value,
                activations=activations.value,
                macs_by_class={key: n.value for key, n in macs.items()} if macs else {},
                elements=elements or {},
                arithmetic={key: n.expression for key, n in counts.items() if n.value},
                functional=functional,
                receptive_field=self.reported(output) if isinstance(output, Tensor) else None,
                channels=_without_batch(channels_of(output), shape, batch_axis),
                **rest,
            )
        )

    def reported(self, output: Tensor) -> ReceptiveField | Literal["global"] | None:
        """The receptive field as the ledger holds it; many layers in a row have the same."""
        state = state_of(output)
        if state is not self.last[0]:
            self.last = state, fields.report(state)
        return self.last[1]

    def finish(self) -> None:
        """Rows for what the forward never used: auxiliary heads, spare parameters."""
        unused: dict[int, list[tuple[nn.Module, str, Tensor]]] = {}
        for key, owner in self.owners.items():
            if key not in self.counted:
                unused.setdefault(id(owner[0]), []).append(owner)
        for group in unused.values():
            module = group[0][0]
            sums = {
                column: formulas.total(
                    formulas.product(t.shape) for _, key, t in group if _column(key) == column
                )
                for column in ("weights", "biases")
            }
            self.rows.append(
                Layer(
                    self.paths[id(module)] or type(module).__name__,
                    type(module).__name__,
                    None,
                    None,
                    weights=sums["weights"].value,
                    biases=sums["biases"].value,
                    arithmetic={key: n.expression for key, n in sums.items() if n.value},
                )
            )

    def refusal(self, shape: Sequence[int], error: Exception) -> str:
        """One sentence: the layer that failed, what it was given, and why."""
        module, _, given = self.stack[-1] if self.stack else (self.root, 0, [])
        place = f"{self.path} ({type(module).__name__})" if self.path else type(module).__name__
        came = (
            f", given {' and '.join(_text(_sample(shape)) for shape in given)},"
            if self.path and given
            else ""
        )
        reason = " ".join(str(error).split()) or type(error).__name__
        if "TorchScript" in reason:
            last = reason.rpartition("RuntimeError:")[2].strip()
            reason = f"its scripted code does not run on shapes alone{': ' * bool(last)}{last}"
        elif isinstance(error, NotImplementedError) or "meta tensor" in reason:
            reason = (
                "it depends on the values of tensors, and a count knows only their shapes: count the part of "
                "the model that does not, as a module of its own"
            )
        return f"the model does not accept an input of {_text(shape)}: {place}{came} failed: {reason}"


# Functions without a rule, operator by operator


@dataclass
class _Counts:
    """What the operators of one function count, and which could not be counted."""

    macs: dict[str, Count] = field(default_factory=dict)
    elements: Counter[str] = field(default_factory=Counter)
    uncounted: dict[str, None] = field(default_factory=dict)
    local: bool = True  # whether they all work element by element
    last: Tensor | None = None


class _Operators(TorchDispatchMode):
    """Sees every operator that runs, one by one, but for those inside of rules (`_WithoutOperators`)."""

    def __init__(self) -> None:
        super().__init__()
        self.outside = self.current = _Counts()

    @contextmanager
    def collect(self) -> Iterator[_Counts]:
        before, self.current = self.current, _Counts()
        try:
            yield self.current
        finally:
            self.current = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunction():  # scripted code leaves the walk in force here
            return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        devices = {t.is_meta for t in _tensors((args, kwargs))}
        if len(devices) > 1:  # scripted code brings weights of its own
            args, kwargs = tree_map_only(Tensor, _on_meta, (args, kwargs))
        packet = func._overloadpacket
        rule = _PRODUCTS.get(packet)
        whole = rule is not None or packet in _INTERPOLATIONS
        if not whole and (output := self.decomposed(func, args, kwargs)) is not NotImplemented:
            return output
        output = func(*args, **kwargs)
        seen = self.current
        if rule is not None:
            kind, formula = rule
            seen.macs[kind] = seen.macs.get(kind, formulas.ZERO) + formula(args, kwargs, output)
            seen.local = False
        elif (
            torch.Tag.pointwise in func.tags
            or packet in _INTERPOLATIONS
            or packet.__name__.startswith("_foreach_")
        ):
            name = _INTERPOLATIONS.get(packet, "elementwise")
            seen.elements[name] += sum(t.numel() for t in _tensors(output))
            seen.local = seen.local and packet not in _INTERPOLATIONS
        elif packet not in _NEVER_MIND:
            seen.local = False
            if not func.is_view and packet._qualified_op_name not in _MOVES:
                seen.uncounted[packet._qualified_op_name.replace("::", ".")] = None
        if any(state_of(t) is not None for t in _tensors((args, kwargs))):
            for result in _tensors(output):  # until the function that runs it says more
                keep(result, fields.UNKNOWN)
                seen.last = result
        return output

    def decomposed(self, func: Any, args: Any, kwargs: Any) -> Any:
        with self:
            return func.decompose(*args, **kwargs)


def _product_of(position: int) -> Callable[[Any, Any, Any], Count]:
    """MACs of a product of matrices, or of stacks of them, at two consecutive arguments."""

    def formula(args: Any, kwargs: Any, output: Any) -> Count:
        a, b = args[position].shape, args[position + 1].shape
        return formulas.matmul_macs(a[-2], a[-1], b[-1], a[0] if len(a) == 3 else 1)

    return formula


def _vector(position: int) -> Callable[[Any, Any, Any], Count]:
    """MACs of a product with a vector, which torch's own counter leaves out."""
    return lambda args, kwargs, output: formulas.product(args[position].shape)


def _convolution(args: Any, kwargs: Any, output: Any) -> Count:
    x, weight, transposed, groups = args[0], args[1].shape, args[6], args[8]
    weights = formulas.convolution_weights(weight[1] * groups, weight[0], weight[2:], groups)
    return formulas.convolution_macs(weights, (x if transposed else output).shape[2:], x.shape[0])


def _attention(args: Any, kwargs: Any, output: Any) -> Count:
    q, k, v = (t.shape for t in args[:3])
    return formulas.attention_macs(q[:-2], q[-2], k[-2], q[-1], v[-1])


_aten = torch.ops.aten
_PRODUCTS: dict[Any, tuple[str, Callable[[Any, Any, Any], Count]]] = {
    _aten.mm: ("matmul", _product_of(0)),
    _aten.bmm: ("matmul", _product_of(0)),
    _aten.addmm: ("matmul", _product_of(1)),
    _aten.baddbmm: ("matmul", _product_of(1)),
    _aten.addbmm: ("matmul", _product_of(1)),
    _aten.addmm_: ("matmul", _product_of(1)),
    _aten.baddbmm_: ("matmul", _product_of(1)),
    _aten.addbmm_: ("matmul", _product_of(1)),
    _aten.addmv_: ("matmul", _vector(1)),
    _aten.mv: ("matmul", _vector(0)),
    _aten.addmv: ("matmul", _vector(1)),
    _aten.dot: ("matmul", _vector(0)),
    _aten.vdot: ("matmul", _vector(0)),
    _aten.convolution: ("convolution", _convolution),
    _aten._convolution: ("convolution", _convolution),
    _aten._scaled_dot_product_flash_attention: ("attention", _attention),
    _aten._scaled_dot_product_flash_attention_for_cpu: ("attention", _attention),
    _aten._scaled_dot_product_efficient_attention: ("attention", _attention),
    _aten._scaled_dot_product_cudnn_attention: ("attention", _attention),
}
_INTERPOLATIONS = {
    _aten.upsample_linear1d: "elementwise",
    _aten.upsample_nearest2d: "nearest_upsampling",
    _aten.upsample_bilinear2d: "bilinear_upsampling",
    _aten.upsample_trilinear3d: "elementwise",
    _aten.upsample_bicubic2d: "elementwise",
}
_NEVER_MIND = frozenset(
    (_aten.clone, _aten._to_copy, _aten.copy_, _aten.detach, _aten.alias, _aten.lift_fresh)
)
#: Operators without arithmetic of their own beyond reading and writing elements.
_MOVES = frozenset(
    "aten::" + name
    for name in words(
        "cat stack _unsafe_view index _unsafe_index index_put index_put_ index_select gather "
        "scatter scatter_ constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d "
        "replication_pad1d replication_pad2d replication_pad3d empty empty_like empty_strided "
        "new_empty new_zeros new_ones new_full zeros zeros_like ones ones_like full full_like "
        "arange scalar_tensor fill_ zero_ roll flip repeat repeat_interleave tril triu eye "
        "upsample_nearest1d upsample_nearest3d _upsample_nearest_exact2d "
        "pixel_shuffle pixel_unshuffle channel_shuffle sort topk argsort argmax argmin max min "
        "any all amax amin sum mean var var_mean std std_mean cumsum prod logsumexp norm "
        "linalg_vector_norm nonzero unique bernoulli rand randn bernoulli_ uniform_ normal_ "
        "_softmax _log_softmax masked_fill linspace resize_ set_ native_dropout im2col col2im "
        "unfold_copy split_with_sizes_copy _local_scalar_dense count_nonzero searchsorted "
        "rot90 diag_embed scatter_add scatter_add_ scatter_reduce index_add index_add_ masked_fill_ "
        "masked_scatter exponential_ complex _weight_norm_interface glu avg_pool1d avg_pool2d avg_pool3d "
        "_adaptive_avg_pool2d _adaptive_avg_pool3d max_unpool2d max_unpool3d fractional_max_pool2d "
        "bucketize squeeze_ unsqueeze_ transpose_ t_ swapaxes_ as_strided_ detach_ unsafe_split unsafe_chunk "
        "unsafe_split_with_sizes"
    )
)

#: Functions that ask a tensor for a Python value, and attributes that are no tensors.
_VALUES = frozenset(
    words(
        "item __bool__ __int__ __float__ __index__ __complex__ tolist __format__ __repr__ numpy "
        "__array__ equal"
    )
    + words("allclose is_nonzero __contains__ __len__ __hash__")
)
_QUESTIONS = frozenset(
    words(
        "size dim numel nelement stride is_contiguous is_floating_point is_complex ndimension storage_offset "
        "element_size is_signed is_same_size result_type can_cast promote_types untyped_storage get_device"
    )
)
_PLAIN = frozenset(words("__len__ __hash__"))
_SHAPED_BY_VALUES = frozenset(
    words(
        "where nonzero argwhere unique _unique2 unique_consecutive masked_select bincount repeat_interleave"
    )
)
#: Functions with one answer here: masks never make the encoder of `nn.Transformer` leave its dense path.
_ANSWERS: dict[str, Any] = {"_nested_tensor_from_mask_left_aligned": False}
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
_RANDOM = ("rand", "normal", "bernoulli", "multinomial", "poisson", "empty", "new_empty", "dropout")
_WithoutOperators = torch._C._DisableTorchDispatch
_level = torch._C._functorch.maybe_current_level


# Small things


def _column(key: str) -> str:
    """Whether a parameter is a bias, by its name: "bias", "in_proj_bias", "bias_ih_l0"."""
    return "biases" if "bias" in (key.split("_")[0], key.split("_")[-1]) else "weights"


def _sample(shape: Sequence[int], batch_axis: int | None = 0) -> Shape:
    """A shape without the batch axis of one."""
    if batch_axis is None or len(shape) < 2 or shape[batch_axis] != 1:
        return tuple(shape)
    return (*shape[:batch_axis], *shape[batch_axis + 1 :])


def _without_batch(dim: int | None, shape: Sequence[int] | None, batch_axis: int | None) -> int | None:
    """A dimension of `shape` as one of what `_sample` leaves of it."""
    if dim is None or shape is None or len(_sample(shape, batch_axis)) == len(shape):
        return dim
    return None if dim == batch_axis else dim - (dim > (batch_axis or 0))


def _text(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _on_meta(tensor: Tensor) -> Tensor:
    if tensor.is_meta or not tensor.dim():  # a number may stand beside tensors of any device
        return tensor
    with _WithoutOperators():
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _to_meta(value: Any) -> Any:
    """A device given by position is the meta device here; other strings stay."""
    return (
        "meta" if isinstance(value, torch.device) or value.split(":")[0] in ("cpu", "cuda", "mps") else value
    )


def _dtype(kind: Any) -> torch.dtype:
    """The type of numbers of torch.FloatTensor, or of its name."""
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__name__}"
    return _TENSOR_TYPES[name.rpartition(".")[2]]


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


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    if isinstance(value, str | type) or not hasattr(value, "__iter__"):
        return []
    return [tensor for item in value for tensor in _tensors(item)]

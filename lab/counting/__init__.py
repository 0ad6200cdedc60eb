"""Every layer call of a model as a row of a `Ledger`, from one walk over it on the meta device.

The model's forward runs once under a mode that sees every torch function (`walk`). A function with a rule in
`rules.RULES` is counted from shapes alone and answers with an empty tensor on the meta device: no arithmetic
is done and no weight is read. Every other function runs as torch's own shape inference, and where it is no
mere view its operators are watched one by one (`aten`); one that is neither counted nor known to be free is
named in `uncounted`, and the totals are then lower bounds.

Counted is one sample (batch 1) in evaluation mode. MACs are those of convolutions, linear layers, attention
and matrix products: half of the FLOPs that FlopCounterMode reports on the meta device. It passes over some
products, which are counted here: with vectors, of integers, of bilinear layers (each weight once a position),
of deformed and time-first convolutions, of a grid of points by an affine matrix, of weighted sums of rows
(`embedding_bag`), and the squares that Euclidean distances add (`cdist`, `pdist`). A product of complex
numbers is one MAC. Sampling on a grid, resizing and pooling of regions are elements, no MACs, whatever the
method. Fourier transforms, matrix decompositions and solvers take what their algorithm takes: they are named
as not counted. `activations` are the elements of the tensors that layers write; views and layers that work in
place write none.
"""

from __future__ import annotations

import copy
import inspect
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]

from lab import receptive_field as fields
from lab.counting.rows import in_words
from lab.counting.states import keep_channels, keep_field
from lab.counting.walk import Walk
from lab.inputs import Input
from lab.ledger import Ledger

REVISION = 1  # of all of this package

W = TypeVar("W", bound=Walk)


class CountError(ValueError):
    """The model did not accept the input, or its forward cannot run without real numbers."""


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
        walk = walk_over(Walk(model), model, input_shape, inputs=inputs)
    except Exception:  # torch's own shape inference says better what is wrong, and knows every layout
        _check_arguments(model, inputs)
        walk = walk_over(Walk(model, exact=True), model, input_shape, inputs=inputs)
    return Ledger(name, tuple(input_shape), tuple(walk.rows))


def walk_over(
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
            if walk.refused:
                raise walk.refused
        except (Exception, SystemExit) as error:
            raise CountError(walk.layers.refusal(shape, walk.refused or error)) from error
    walk.layers.add_unused()
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
            keep_field(tensor, fields.of_input(tensor.shape))
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


def _check_arguments(model: nn.Module, inputs: Sequence[Any] | None) -> None:
    """Refuse inputs that the forward has no argument for, and too few of them."""
    if isinstance(model, torch.jit.ScriptModule):
        return
    values = [Input(())] if inputs is None else inputs
    names = [value.name for value in values if isinstance(value, Input) and value.name]
    takes = inspect.signature(model.forward)
    try:
        takes.bind(*values[: len(values) - len(names)], **dict.fromkeys(names))
    except TypeError as error:
        described = ", ".join(map(str, takes.parameters.values()))
        raise CountError(
            f"{type(model).__name__} takes other inputs: {error}; its forward takes ({described}), which "
            "--input says by position or by name, such as image=3x32x32"
        ) from None


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
            f"{in_words(shape)}: {' '.join(str(error).split())}"
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

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

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as nn_module
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode

from lab import formulas
from lab import receptive_field as fields
from lab.formulas import Count
from lab.ledger import Layer, Ledger, Shape
from lab.operators import RULES, state_of, take, words

#: Functions that move or make values without arithmetic; they leave no row.
FREE = frozenset(
    words(
        "view reshape flatten unflatten squeeze unsqueeze view_as expand_as expand contiguous "
        "clone detach to type type_as float half double bfloat16 requires_grad_ permute transpose "
        "swapaxes movedim t chunk split tensor_split unbind narrow select __getitem__ __setitem__ "
        "stack pad roll flip repeat size dim numel stride is_contiguous is_floating_point "
        "is_complex __len__ __hash__ ndimension zeros ones empty full arange tensor as_tensor "
        "zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full "
        "new_tensor item __bool__ __int__ __float__ __index__ tolist result_type zero_ fill_ "
        "copy_ __iter__ __format__ __repr__"
    )
)


W = TypeVar("W", bound="Walk")


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

    `inputs` are the forward's arguments, batch 1, for models that take other than one float tensor. The
    model is left as it was: state, hooks, mode. Raises CountError when its forward does not accept the input.
    """
    model = getattr(model, "_orig_mod", model)  # a compiled model counts as the model it compiles
    name = name or type(model).__name__
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
    given = (
        [torch.empty((batch, *shape), device="meta")] if inputs is None else [walk.meta(x) for x in inputs]
    )
    for tensor in given:
        if isinstance(tensor, Tensor) and tensor.is_floating_point():
            tensor.field = fields.of_input(tensor.shape)
    with _as_it_was(model, training), torch.inference_mode(False), torch.no_grad(), walk.hooks(), walk:
        try:
            model(*given)
        except Exception as error:
            raise CountError(walk.refusal(shape, error)) from error
    walk.finish()
    return walk


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
        self.stack: list[tuple[nn.Module, int, list[Shape]]] = []  # calls: module, rows before, shapes given
        self.path = ""
        self.counted: set[int] = set()
        self.called: Counter[str] = Counter()
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
        self.stack.append((module, len(self.rows), [t.shape for t in inputs if isinstance(t, Tensor)]))
        self.path = self.paths.get(id(module), self.path)
        if isinstance(module, torch.jit.ScriptModule):
            self.row("script", inputs[0] if inputs else None, None, uncounted=("torch.jit.ScriptModule",))

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        while self.stack:
            last, before, _ = self.stack.pop()
            if last is module:
                break
        if len(self.rows) == before and not module._modules and inputs and isinstance(output, Tensor):
            self.row("", inputs[0], output, own=module)
        self.path = self.paths.get(id(self.stack[-1][0]), "") if self.stack else ""

    # Functions: one entry for all

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.__name__
        if name == "__get__":
            return self.move(getattr(func.__self__, "__name__", ""), func, args, kwargs)
        rule = RULES.get(name)
        if rule is not None:
            return rule(self, name, func, args, kwargs)
        if name in FREE or func in _device_constructors():
            return self.move(name, func, args, kwargs)
        return self.watch(name, func, args, kwargs)

    def run(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The function on the meta device; on real numbers only where Python asks for a value."""
        if func.__name__ in _VALUES:
            return func(*args, **kwargs)
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
                self.twins[id(value)] = value, value.detach().to("meta")
            return self.twins[id(value)][1]
        if type(value) in (list, tuple):
            return type(value)(self.meta(item) for item in value)
        return value

    def move(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """A function without arithmetic: parameters it takes are counted, receptive fields go along."""
        output = self.run(func, args, kwargs)
        if name in _SIZES:
            return output
        self.parameters(args, kwargs)
        first = args[0] if args else None
        if isinstance(first, list | tuple):
            states = [state_of(t) for t in first if isinstance(t, Tensor)]
            if any(state is not None for state in states) and isinstance(output, Tensor):
                output.field = _stacked(states, first, output, args, kwargs)
        elif isinstance(first, Tensor) and (state := state_of(first)) is not None:
            for result in output if isinstance(output, list | tuple) else (output,):
                if isinstance(result, Tensor) and result is not first:
                    result.field = _moved(name, state, first.shape, result.shape, args, kwargs)
        return output

    def watch(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """A function without a rule: its operators are counted one by one as they run on the meta device."""
        if name in _VALUES:
            return func(*args, **kwargs)
        self.parameters(args, kwargs)
        watch = _Watch()
        with watch:
            output = self.run(func, args, kwargs)
        tensors = _tensors((args, kwargs))
        results = _tensors(output)
        state = fields.merge([state_of(t) for t in tensors])
        for result in results:
            if any(result is t for t in tensors):
                continue
            same = isinstance(state, fields.Field) and len(result.shape) == len(state.axes) and watch.local
            # a product of what depends on the input is taken to see all of it, as attention does
            result.field = (
                state if same or state in ("global", None) else "global" if watch.macs else fields.UNKNOWN
            )
        if results and (watch.macs or watch.elements or watch.uncounted):
            self.row(
                name,
                tensors[0] if tensors else None,
                results[0],
                macs=watch.macs,
                elements=dict(watch.elements),
                uncounted=tuple(watch.uncounted),
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
                **{column: text.value},
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
        **rest: Any,
    ) -> None:
        """Add a row for a call from `x` to `output` (in place when they are one tensor)."""
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
        writes = function and shape is not None and output is not x
        activations = formulas.activations(_sample(shape)) if writes else formulas.ZERO
        counts = {"weights": weights, "biases": biases, "activations": activations}
        if macs:
            counts["macs"] = formulas.total(macs.values())
        self.rows.append(
            Layer(
                name,
                kind,
                _sample(x.shape) if isinstance(x, Tensor) else None,
                _sample(shape) if shape is not None else None,
                weights=weights.value,
                biases=biases.value,
                activations=activations.value,
                macs_by_class={key: n.value for key, n in macs.items()} if macs else {},
                elements=elements or {},
                arithmetic={key: n.expression for key, n in counts.items() if n.value},
                functional=functional,
                receptive_field=fields.report(state_of(output)) if isinstance(output, Tensor) else None,
                **rest,
            )
        )

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
        if isinstance(error, NotImplementedError) or "meta tensor" in reason:
            reason = "it depends on the values of tensors, and a count knows only their shapes"
        return f"the model does not accept an input of {_text(shape)}: {place}{came} failed: {reason}"


# Moving receptive fields along with tensors


def _moved(
    name: str,
    state: fields.State,
    shape: Shape,
    output: Shape,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> fields.State:
    """The receptive field after a function that moves values from `shape` to `output`."""
    if not isinstance(state, fields.Field):
        return state
    if name in ("permute", "transpose", "swapaxes", "t", "T", "mT", "movedim"):
        order = list(range(len(shape)))
        if name == "permute":
            given = args[1:] or tuple(kwargs["dims"])
            order = [d % len(shape) for d in (given[0] if isinstance(given[0], list | tuple) else given)]
        elif name in ("transpose", "swapaxes"):
            a, b = args[1:] or kwargs.values()
            order[a], order[b] = order[b], order[a]
        elif name == "mT":
            order[-1], order[-2] = order[-2], order[-1]
        elif name in ("t", "T"):
            order.reverse()
        else:
            return fields.UNKNOWN
        return fields.permute(state, order)
    if name in ("roll", "flip", "repeat"):
        return fields.UNKNOWN
    if name in (
        "__getitem__",
        "chunk",
        "split",
        "tensor_split",
        "narrow",
        "select",
        "unbind",
        "stack",
        "pad",
    ):
        return _picked(name, state, shape, output, args, kwargs)
    if tuple(shape) == tuple(output):
        return state
    if name in ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as"):
        return fields.reshape(state, shape, output)
    if name in ("expand", "expand_as") and len(shape) == len(output):
        return state
    return fields.UNKNOWN


def _picked(
    name: str,
    state: fields.Field,
    shape: Shape,
    output: Shape,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> fields.State:
    """After taking parts of dimensions."""
    if name == "pad":
        widths = args[1] if len(args) > 1 else kwargs["pad"]
        return fields.padded(state, output, widths)
    if name == "__getitem__":
        return fields.indexed(state, shape, output, args[1] if isinstance(args[1], tuple) else (args[1],))
    if len(shape) == len(output):
        changed = [i for i, (a, b) in enumerate(zip(shape, output, strict=True)) if a != b]
        return fields.UNKNOWN if any(state.axes[i] for i in changed) else state
    dim = take(args, kwargs, 1, "dim", 0)
    return fields.reduced(state, [dim % len(shape)], len(output)) if not state.axes[dim] else fields.UNKNOWN


def _stacked(
    states: Sequence[fields.State], tensors: Sequence[Any], output: Tensor, args: Sequence[Any], kwargs: Any
) -> fields.State:
    """After stacking tensors along a new dimension."""
    state = fields.merge(states)
    if not isinstance(state, fields.Field):
        return state
    dim = take(args, kwargs, 1, "dim", 0)
    return fields.reshape(state, tensors[0].shape, [*tensors[0].shape[:dim], 1, *tensors[0].shape[dim:]])


# Functions without a rule, operator by operator


class _Watch(TorchDispatchMode):
    """The operators that one function runs: what they count, and which could not be counted."""

    def __init__(self) -> None:
        super().__init__()
        self.macs: dict[str, Count] = {}
        self.elements: Counter[str] = Counter()
        self.uncounted: dict[str, None] = {}
        self.local = True  # whether every output element depends on the same element of its inputs

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func._overloadpacket
        rule = _PRODUCTS.get(packet)
        whole = rule is not None or packet in _INTERPOLATIONS
        if not whole and (output := self.decomposed(func, args, kwargs)) is not NotImplemented:
            return output
        output = func(*args, **kwargs)
        if rule is not None:
            kind, formula = rule
            self.macs[kind] = self.macs.get(kind, formulas.ZERO) + formula(args, kwargs, output)
            self.local = False
        elif torch.Tag.pointwise in func.tags or packet in _INTERPOLATIONS:
            name = _INTERPOLATIONS.get(packet, "elementwise")
            self.elements[name] += sum(t.numel() for t in _tensors(output))
            self.local = self.local and packet not in _INTERPOLATIONS
        elif packet not in _NEVER_MIND:
            self.local = self.local and func.is_view
            if not func.is_view and packet._qualified_op_name not in _MOVES:
                self.uncounted[packet._qualified_op_name.replace("::", ".")] = None
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
    _aten.convolution: ("convolution", _convolution),
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
        "bucketize"
    )
)

#: Functions that ask a tensor for a Python value, and attributes that are no tensors.
_VALUES = frozenset(
    words("item __bool__ __int__ __float__ __index__ tolist __len__ __hash__ __format__ __repr__")
)
_SIZES = _VALUES | frozenset(
    words(
        "shape dtype device is_meta requires_grad ndim layout grad grad_fn is_leaf is_cuda is_cpu "
        "is_sparse is_nested is_quantized is_mps is_xpu names size dim numel stride is_contiguous "
        "is_floating_point is_complex ndimension result_type"
    )
)


# Small things


def _column(key: str) -> str:
    """Whether a parameter is a bias, by its name: "bias", "in_proj_bias", "bias_ih_l0"."""
    return "biases" if "bias" in (key.split("_")[0], key.split("_")[-1]) else "weights"


def _sample(shape: Sequence[int]) -> Shape:
    """A shape without the batch axis of one."""
    return tuple(shape[1:] if len(shape) > 1 and shape[0] == 1 else shape)


def _text(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _to_meta(value: Any) -> Any:
    """A device given by position is the meta device here; other strings stay."""
    return (
        "meta" if isinstance(value, torch.device) or value.split(":")[0] in ("cpu", "cuda", "mps") else value
    )


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return []
    return [tensor for item in value for tensor in _tensors(item)]

"""The rows of a ledger as a forward pass writes them: named by the module that is called, with what its
parameters, its output and its products add.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from lab import formulas
from lab import receptive_field as fields
from lab.counting.states import carry_channels, channels_of, field_of, keep_channels
from lab.formulas import Count
from lab.ledger import Layer, ReceptiveField, Shape


class LayerRows:
    """The rows of one forward pass, and the module that is being called."""

    def __init__(self, model: nn.Module) -> None:
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
        self.last: tuple[Any, ReceptiveField | Literal["global"] | None] = None, None

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.stack.append((module, len(self.rows), [t.shape for t in inputs if isinstance(t, Tensor)]))
        self.path = self.paths.get(id(module), self.path)

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """A layer that ran no function, such as an identity, has a row of its own."""
        while self.stack:
            last, before, _ = self.stack.pop()
            if last is module:
                break
        if len(self.rows) == before and not module._modules and inputs and isinstance(output, Tensor):
            self.add("", inputs[0], output, own=module)
        self.path = self.paths.get(id(self.stack[-1][0]), "") if self.stack else ""

    def owner(self, tensor: Tensor | None) -> nn.Module | None:
        """The module that has the tensor as a parameter."""
        found = self.owners.get(id(tensor))
        return found[0] if found else None

    def claim(self, tensor: Tensor | None, formula: Count | None = None) -> tuple[Count, bool]:
        """What a layer's parameter adds to its row, and whether another call has counted it before."""
        if tensor is None or id(tensor) not in self.owners:
            return formulas.ZERO, False
        if id(tensor) in self.counted:
            return formulas.ZERO, True
        self.counted.add(id(tensor))
        return formula or formulas.product(tensor.shape), False

    def add_parameters(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """A row for every parameter that a function without layer takes for the first time."""
        for value in (*args, *kwargs.values()):
            if type(value) in (list, tuple):
                self.add_parameters(value, {})
            elif (
                isinstance(value, nn.Parameter) and id(value) in self.owners and id(value) not in self.counted
            ):
                self._add_parameter(value)

    def _add_parameter(self, value: Tensor) -> None:
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

    def add(
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
                receptive_field=self._receptive_field(output) if isinstance(output, Tensor) else None,
                channels=_without_batch(channels_of(output), shape, batch_axis),
                **rest,
            )
        )

    def _receptive_field(self, output: Tensor) -> ReceptiveField | Literal["global"] | None:
        """The receptive field as the ledger holds it; many layers in a row have the same."""
        state = field_of(output)
        if state is not self.last[0]:
            self.last = state, fields.report(state)
        return self.last[1]

    def add_unused(self) -> None:
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

    def refusal(self, shape: Sequence[int], error: BaseException) -> str:
        """One sentence: the layer that failed, what it was given, and why."""
        module, _, given = self.stack[-1] if self.stack else (self.root, 0, [])
        place = f"{self.path} ({type(module).__name__})" if self.path else type(module).__name__
        came = (
            f", given {' and '.join(in_words(_sample(shape)) for shape in given)},"
            if self.path and given
            else ""
        )
        reason = " ".join(str(error).split())
        if isinstance(error, LookupError | SystemExit) or not reason:
            reason = f"{type(error).__name__}{': ' * bool(reason)}{reason}"
        if "TorchScript" in reason:
            last = reason.rpartition("RuntimeError:")[2].strip()
            reason = f"its scripted code does not run on shapes alone{': ' * bool(last)}{last}"
        elif "data-dependent shape" in reason:
            function = reason.split(" ")[0].rpartition("::")[2]
            reason = (
                f"{function} gives a shape that depends on the values of the input or of weights, and a "
                "count knows only shapes: count the part of the model before it, as a module of its own"
            )
        elif reason.startswith("FlexAttention"):
            reason = (
                "flex_attention runs compiled and on real devices alone: count the model with "
                "torch.nn.functional.scaled_dot_product_attention in its place, which has the same products"
            )
        elif "NestedTensor" in reason:
            reason = (
                "a nested tensor holds rows of several lengths, and a count knows one shape: count the model "
                "on a padded tensor of the longest"
            )
        elif isinstance(error, NotImplementedError) or "meta tensor" in reason:
            reason = (
                "it depends on the values of tensors, and a count knows only their shapes: count the part of "
                "the model that does not, as a module of its own"
            )
        return f"the model does not accept an input of {in_words(shape)}: {place}{came} failed: {reason}"


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


def in_words(shape: Sequence[int]) -> str:
    """A shape as text: "3×224×224"."""
    return "×".join(map(str, shape))

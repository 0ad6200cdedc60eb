"""What one training step costs beyond the forward pass: backward MACs, and bytes kept for the backward pass.

Both follow from shapes, by the same walk as `lab.counting` with the model in training mode. The backward pass
repeats every forward product once for each operand that needs a gradient (`formulas.backward_macs`), whatever
the groups. What autograd keeps is stated a function in `KEPT`; storages are counted once, parameters and
their gradients not at all. Bytes are those of torch's CPU kernels: dropout keeps its mask as numbers of the
input's type (on CUDA one byte each).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from lab import formulas
from lab.counting import walk_over
from lab.counting.arguments import argument, words
from lab.counting.walk import Walk

INDEX_BYTES = 8  # max pooling keeps positions as 64-bit integers

#: Function → what autograd keeps of a call for its backward pass.
KEPT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys([f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)], ("operands",)),
    **dict.fromkeys(words("linear matmul bmm mul imul rmul"), ("operands",)),
    **dict.fromkeys(words("batch_norm instance_norm group_norm layer_norm"), ("input", "statistics")),
    **dict.fromkeys(words("relu sigmoid tanh softmax log_softmax elu selu"), ("output",)),
    **dict.fromkeys(
        words("relu6 hardtanh silu gelu hardsigmoid hardswish leaky_relu mish softplus"), ("input",)
    ),
    **dict.fromkeys(
        [f"{kind}_pool{n}d" for kind in ("max", "adaptive_max") for n in (2, 3)], ("input", "indices")
    ),
    **dict.fromkeys([f"{kind}_pool{n}d" for kind in ("avg", "adaptive_avg") for n in (2, 3)], ("input",)),
    **dict.fromkeys(words("dropout dropout1d dropout2d dropout3d"), ("mask",)),
    **dict.fromkeys(words("add sub iadd isub radd rsub cat mean sum embedding"), ()),
}
PAIRS = frozenset(name for name, kept in KEPT.items() if kept == ("operands",))


@dataclass(frozen=True)
class Kept:
    """Bytes that one call keeps and no earlier call has kept."""

    layer: str
    what: str
    bytes: int


@dataclass(frozen=True)
class TrainingCost:
    """One step on `batch` samples. MACs are of the whole batch, `backward_macs` without gradients that
    nothing needs: the first layer has none for the images, frozen layers have none for their weights."""

    batch: int
    forward_macs: int
    backward_macs: int
    kept: tuple[Kept, ...]
    #: Functions whose kept bytes are not known here; `kept_bytes` is then a lower bound.
    unknown: tuple[str, ...]

    @property
    def kept_bytes(self) -> int:
        return sum(kept.bytes for kept in self.kept)


def training_cost(model: nn.Module, input_shape: Sequence[int], batch: int = 1) -> TrainingCost:
    """The cost of one training step on `batch` inputs (C, H, W), every layer in training mode."""
    walk = walk_over(_Training(model), model, input_shape, batch=batch, training=True)
    forward = sum(row.macs for row in walk.rows)
    return TrainingCost(batch, forward, walk.backward, tuple(walk.kept), tuple(walk.unknown))


class _Training(Walk):
    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.backward = 0
        self.kept: list[Kept] = []
        self.unknown: dict[str, None] = {}
        self.storages: dict[int, Tensor] = {}  # kept alive, so that no other storage takes its place

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        rows = len(self.rows)
        operands = [
            t for a in (*args, *kwargs.values()) for t in (a if isinstance(a, list | tuple) else (a,))
        ]
        if not any(_learned(t) for t in operands):
            return super().__torch_function__(func, types, args, kwargs)
        name = func.__name__.strip("_")
        pair = [_learned(t) for t in args[:2]] if name in PAIRS else [True, True]
        output = super().__torch_function__(func, types, args, kwargs)
        for result in output if isinstance(output, list | tuple) else (output,):
            if isinstance(result, Tensor) and result.is_floating_point():
                result.learned = True  # type: ignore[attr-defined]
        self.backward += sum(formulas.backward_macs(row.macs, all(pair)) for row in self.rows[rows:])
        if KEPT.get(name):
            self.keep(name, args, kwargs, output, pair)
        elif name not in KEPT and len(self.rows) > rows and self.rows[-1].kind != "Parameter":
            self.unknown[name] = None
        return output

    def keep(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, pair: Sequence[bool]
    ) -> None:
        x, result = args[0] if args else kwargs["input"], output[0] if isinstance(output, tuple) else output
        item = x.element_size()
        for what in KEPT[name]:
            if what == "operands":  # each is kept for the gradient of the other
                for tensor, other in zip(args[:2], reversed(pair), strict=True):
                    if other and isinstance(tensor, Tensor):
                        self.storage(tensor)
            elif what == "input" and result is x:
                self.add("copy", x.numel() * item)  # autograd copies what an operator in place overwrites
            elif what == "input" and not (name.startswith("adaptive_avg") and result[0, 0].numel() == 1):
                self.storage(x)  # an average of everything needs no more than its size
            elif what == "output":
                self.storage(result)
            elif what == "indices":
                self.add(what, result.numel() * INDEX_BYTES)
            elif what == "mask" and result is not x:
                self.add(what, result.numel() * item)
            elif what == "statistics":
                self.add(what, 2 * _statistics(name, x, args, kwargs) * item)

    def storage(self, tensor: Tensor) -> None:
        """Keep a tensor, unless it is a parameter or its memory is kept already."""
        if isinstance(tensor, nn.Parameter):
            return
        memory = tensor.untyped_storage()
        if memory._cdata not in self.storages:
            self.storages[memory._cdata] = tensor
            self.add("values", memory.nbytes())

    def add(self, what: str, size: int) -> None:
        self.kept.append(Kept(self.rows[-1].name if self.rows else "", what, size))


def _learned(value: Any) -> bool:
    """Whether a gradient must reach the value: a parameter that is trained, or computed from one."""
    if isinstance(value, nn.Parameter):
        return value.requires_grad
    return isinstance(value, Tensor) and getattr(value, "learned", False)


def _statistics(name: str, x: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """How many means a normalisation keeps, and as many deviations."""
    if name == "batch_norm":
        return x.shape[1]
    if name == "instance_norm":
        return x.shape[0] * x.shape[1]
    if name == "group_norm":
        return int(x.shape[0] * argument(args, kwargs, 1, "num_groups"))
    return math.prod(x.shape[: x.dim() - len(argument(args, kwargs, 1, "normalized_shape"))])

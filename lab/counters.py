"""Three independent counters, and why each differs from our multiply–accumulates.

Each adapter returns what its program says, term by term and in the program's own unit. `reconcile` then
predicts the difference from our ledger alone, by the conventions written in `CONVENTIONS`; what the
prediction does not reach is reported as unexplained. No total of a counter enters a prediction.

    fvcore     traces the model; counts multiply–accumulates and calls them flops
    torch      FlopCounterMode, on the meta device with gradients: under no_grad on real tensors the fused
               attention of inference would hide 36% of a vision transformer
    torchinfo  hooks into modules: the parameters of each times the positions of its output
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import prod

import torch
from torch import Tensor, nn

from lab.ledger import Layer, Ledger

REVISION = 1

UNEXPLAINED = "unexplained"
FUSED_ATTENTION = ("MultiheadAttention", "scaled_dot_product_attention")
RECURRENT = ("LSTM", "GRU", "RNN")
PADDED_BY_NAME = 'misses convolutions that are padded by a word ("same")'
UNLISTED = frozenset(  # by FlopCounterMode of torch 2.15: by layers and functions
    [
        *("mv", "addmv", "dot", "vdot", "addbmm", "_int_mm"),
        *("bilinear", "Bilinear", "cdist", "pdist", "affine_grid", "embedding_bag", "EmbeddingBag"),
        *("conv_tbc", "deform_conv2d", "DeformConv2d"),
    ]
)
AVERAGE_TO_SIZE = ("AdaptiveAvgPool2d", "adaptive_avg_pool2d")  # fvcore knows no other dimension


class CounterError(RuntimeError):
    """A counter that is not installed, or does not run on the model."""


@dataclass(frozen=True)
class CounterReading:
    """What a counter says of a model: `terms` by its own names, `total` their sum, both in `unit`.

    `macs_per_unit` turns the total into multiply–accumulates: 1/2 for FLOPs.
    """

    counter: str
    unit: str
    version: str
    total: int
    terms: dict[str, int]
    macs_per_unit: float = 1.0


@dataclass(frozen=True)
class Difference:
    """A part of (counter's total − our MACs), in MACs; `reason` completes "the counter …"."""

    counter: str
    reason: str
    amount: int


def read(counter: str, model: nn.Module, input_shape: Sequence[int]) -> CounterReading:
    """The reading of "fvcore", "torch" or "torchinfo" for one input (C, H, W); the model is not touched.

    Raises CounterError when the program is missing or fails on the model.
    """
    model = getattr(model, "_orig_mod", model)  # a compiled model is read as the model it compiles
    try:
        return ADAPTERS[counter](model, tuple(input_shape))
    except ImportError as error:
        raise CounterError(f"{counter} is not installed ({error}); run: pip install {counter}") from error
    except Exception as error:
        raise CounterError(f"{counter} cannot count this model: {type(error).__name__}: {error}") from error


def _fvcore(model: nn.Module, shape: tuple[int, ...]) -> CounterReading:
    with _quiet(), torch.inference_mode(False), torch.enable_grad():
        from fvcore.nn import FlopCountAnalysis

        image = torch.zeros(1, *shape)
        analysis = FlopCountAnalysis(_on_cpu(model), (image,))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        terms = {name: int(count) for name, count in sorted(analysis.by_operator().items())}
    return CounterReading("fvcore", "MACs, called flops", version("fvcore"), sum(terms.values()), terms)


def _torch(model: nn.Module, shape: tuple[int, ...]) -> CounterReading:
    from torch.utils.flop_counter import FlopCounterMode

    with torch.inference_mode(False), torch.enable_grad(), FlopCounterMode(display=False) as counter:
        _on_meta(model)(torch.empty(1, *shape, device="meta"))
    counts = counter.get_flop_counts().get("Global", {})
    terms = {str(operator): int(count) for operator, count in sorted(counts.items(), key=lambda x: str(x[0]))}
    return CounterReading("torch", "FLOPs", version("torch"), sum(terms.values()), terms, 0.5)


def _torchinfo(model: nn.Module, shape: tuple[int, ...]) -> CounterReading:
    import torchinfo

    with torch.inference_mode(False):
        summary = torchinfo.summary(
            _on_meta(model), input_data=torch.empty(1, *shape, device="meta"), verbose=0, device="meta"
        )
    terms: dict[str, int] = {}
    for layer in summary.summary_list:
        if layer.is_leaf_layer and layer.macs:
            terms[layer.class_name] = terms.get(layer.class_name, 0) + int(layer.macs)
    return CounterReading(
        "torchinfo",
        "mult-adds",
        version("torchinfo"),
        int(summary.total_mult_adds),
        dict(sorted(terms.items())),
    )


ADAPTERS: dict[str, Callable[[nn.Module, tuple[int, ...]], CounterReading]] = {
    "fvcore": _fvcore,
    "torch": _torch,
    "torchinfo": _torchinfo,
}


@contextmanager
def _quiet() -> Iterator[None]:
    """fvcore imports deprecated parts of torch and logs every operator that it does not know."""
    logger = logging.getLogger("fvcore")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            yield
        finally:
            logger.setLevel(level)


def _on_meta(model: nn.Module) -> nn.Module:
    return _copied(model, lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype, device="meta"))


def _on_cpu(model: nn.Module) -> nn.Module:
    """Tensors of the meta device become zeros, which cost no memory until they are written."""

    def move(tensor: Tensor) -> Tensor:
        return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor.cpu().clone()

    return _copied(model, move)


def _copied(model: nn.Module, move: Callable[[Tensor], Tensor]) -> nn.Module:
    """The model on moved tensors, in single precision and evaluation mode; the caller's keeps its own.

    Shared tensors stay shared. Every parameter asks for gradients: where none does, torch takes the fused
    attention of inference.
    """
    memo: dict[int, object] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        moved = move(tensor.detach())
        if isinstance(tensor, nn.Parameter):
            moved = nn.Parameter(moved, requires_grad=moved.is_floating_point())
        memo[id(tensor)] = moved
    return copy.deepcopy(model, memo).float().eval()


def conventions(ledger: Ledger, counter: str) -> dict[str, int]:
    """By how much the counter's way of counting differs from our MACs, a reason."""
    amounts: dict[str, int] = {}
    first: dict[str, Layer] = {}
    for layer in ledger.layers:
        if layer.output_shape is None:  # never called
            continue
        owner = first.setdefault(layer.name.rpartition("#")[0] or layer.name, layer)
        if layer.shared:  # counters see the parameters at every call
            layer = replace(layer, weights=owner.weights, biases=owner.biases)
        for reason, amount in CONVENTIONS[counter](layer):
            amounts[reason] = amounts.get(reason, 0) + amount
    return {reason: amount for reason, amount in amounts.items() if amount}


def reconcile(ledger: Ledger, reading: CounterReading) -> list[Difference]:
    """Why the reading differs from our MACs: every reason that matters, then what stays unexplained.

    The amounts add up to (total as MACs − our MACs); the last entry, `UNEXPLAINED`, is 0 where the
    counter's convention is fully understood.
    """
    amounts = conventions(ledger, reading.counter)
    differences = [Difference(reading.counter, reason, amount) for reason, amount in amounts.items()]
    rest = round(reading.total * reading.macs_per_unit) - ledger.macs - sum(amounts.values())
    return [*differences, Difference(reading.counter, UNEXPLAINED, rest)]


Reasons = list[tuple[str, int]]


def _as_fvcore(layer: Layer) -> Reasons:
    """fvcore 0.1.5: the handles of `fvcore.nn.flop_count._DEFAULT_SUPPORTED_OPS`."""
    elements = layer.elements
    norms = {"batch": elements.get("batch_norm", 0), "layer": elements.get("layer_norm", 0)}
    for name in ("group", "instance"):
        if layer.kind.lower().startswith(name):
            norms[name] = elements.get("other_norm", 0)
    reasons = []
    for name, outputs in norms.items():
        each = 1 + layer.affine if name == "batch" and not layer.own_statistics else 4 + layer.affine
        reasons.append((f"counts {each} operations per output of {name} normalisation", each * outputs))
    if layer.kind in AVERAGE_TO_SIZE:
        reasons.append(("counts the inputs of adaptive average pooling", elements.get("adaptive_pooling", 0)))
    for how, each in {"nearest": 1, "bilinear": 4}.items():
        outputs = elements.get(f"{how}_upsampling", 0)
        reasons.append((f"counts {each} operations per output of {how} upsampling", each * outputs))
    if layer.kind == "grid_sample":
        outputs = prod(layer.output_shape or ())
        reasons.append(("counts 4 operations per output of sampling on a grid", 4 * outputs))
    if layer.kind == "einsum" and layer.macs and len(layer.input_shape or ()) > 3:  # fewer axes may be exact
        rounded = int(float(f"{2 * layer.macs:.3e}")) // 2
        reasons.append(("rounds the operations of einsum to four digits", rounded - layer.macs))
    if layer.kind in RECURRENT:
        reasons.append(("misses recurrent layers", -layer.macs))
    if isinstance(layer.padding, str):
        reasons.append((PADDED_BY_NAME, -layer.macs))
    if layer.kind in FUSED_ATTENTION:
        reasons.append(("misses the products of attention", -layer.macs_by_class.get("attention", 0)))
    return reasons


def _as_torch(layer: Layer) -> Reasons:
    """FlopCounterMode counts what we count, as FLOPs, but for the operators that it does not list."""
    if layer.kind in UNLISTED:
        return [("misses this kind of product", -layer.macs)]
    return []


def _as_torchinfo(layer: Layer) -> Reasons:
    """torchinfo 1.8: `LayerInfo.calculate_macs`, for the modules that have no module inside."""
    if layer.kind == "MultiheadAttention":
        return [("misses multi-head attention, its projections included", -layer.macs)]
    if layer.functional or layer.kind[:1].islower():
        return [("misses functions that are no modules", -layer.macs)]
    if "Transpose" in layer.kind:
        at_output = layer.macs // prod((layer.input_shape or ())[1:]) * prod((layer.output_shape or ())[1:])
        return [
            ("counts a transposed convolution at the positions of its output", at_output - layer.macs),
            ("adds the biases of convolutions", layer.elements.get("bias", 0)),
        ]
    if "convolution" in layer.macs_by_class:
        return [("adds the biases of convolutions", layer.elements.get("bias", 0))]
    if layer.kind in RECURRENT:
        steps = prod((layer.output_shape or ())[:-1])
        return [("adds the biases of recurrent layers", layer.biases * steps)]
    if "linear" in layer.kind.lower():
        positions = prod((layer.output_shape or ())[:-1])
        once = layer.macs // positions
        return [
            ("counts a linear layer at one position only", once - layer.macs),
            ("adds the biases of linear layers", layer.elements.get("bias", 0) // positions),
        ]
    if any(layer.elements.get(name) for name in ("batch_norm", "layer_norm", "other_norm")):
        return [("adds the parameters of normalisation", layer.parameters)]
    if layer.kind == "PReLU":
        return [("adds the slopes of PReLU", layer.parameters)]
    return []


CONVENTIONS: dict[str, Callable[[Layer], Reasons]] = {
    "fvcore": _as_fvcore,
    "torch": _as_torch,
    "torchinfo": _as_torchinfo,
}

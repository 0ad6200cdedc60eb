"""What torch's own operators count, below the functions that have no rule: each is seen as it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import torchvision  # noqa: F401  (its operators have names and shapes once it is imported)
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from lab import formulas
from lab import receptive_field as fields
from lab.counting.arguments import tensors_in, words
from lab.counting.states import field_of, keep_field
from lab.formulas import Count

WithoutOperators = torch._C._DisableTorchDispatch


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


def _over_time(args: Any, kwargs: Any, output: Any) -> Count:
    """MACs of a convolution over (time, batch, channels), its weights (kernel, inputs, filters)."""
    kernel, inputs, filters = args[1].shape
    weights = formulas.convolution_weights(inputs, filters, (kernel,))
    return formulas.convolution_macs(weights, output.shape[:1], output.shape[1])


def _deformed(args: Any, kwargs: Any, output: Any) -> Count:
    weight, groups = args[1].shape, args[11]
    weights = formulas.convolution_weights(weight[1] * groups, weight[0], weight[2:], groups)
    return formulas.convolution_macs(weights, output.shape[2:], output.shape[0])


def _bilinear(args: Any, kwargs: Any, output: Any) -> Count:
    """Every weight (outputs, first, second) once at every position."""
    return formulas.times(formulas.product(args[1].shape), args[0].shape[:-1])


def _distances(args: Any, kwargs: Any, output: Any) -> Count:
    """Euclidean distances add one square for every feature of every pair; others have no products."""
    if len(args) > 2 and args[2] != 2 and len(output.shape) > 1:
        return formulas.ZERO
    return formulas.product((*output.shape, args[0].shape[-1]))


def _affine_grid(args: Any, kwargs: Any, output: Any) -> Count:
    """Every point (x, y, 1) times the matrix."""
    rows, columns = args[0].shape[-2:]
    return formulas.matmul_macs(output.numel() // rows, columns, rows)


def _weighted_rows(args: Any, kwargs: Any, output: Any) -> Count:
    """Sums of rows of a table, which are products where every row has a weight."""
    weighted = len(args) > 6 and args[6] is not None
    return formulas.product((args[1].numel(), args[0].shape[1])) if weighted else formulas.ZERO


_aten = torch.ops.aten

_PRODUCTS: dict[Any, tuple[str, Callable[[Any, Any, Any], Count]]] = {
    _aten._int_mm: ("matmul", _product_of(0)),
    _aten._scaled_mm: ("matmul", _product_of(0)),
    _aten.conv_tbc: ("convolution", _over_time),
    torch.ops.torchvision.deform_conv2d: ("convolution", _deformed),
    _aten._trilinear: ("linear", _bilinear),
    _aten._cdist_forward: ("matmul", _distances),
    _aten._euclidean_dist: ("matmul", _distances),
    _aten._pdist_forward: ("matmul", _distances),
    _aten.affine_grid_generator: ("matmul", _affine_grid),
    _aten._embedding_bag: ("matmul", _weighted_rows),
    _aten._embedding_bag_forward_only: ("matmul", _weighted_rows),
    _aten.mm: ("matmul", _product_of(0)),
    _aten.bmm: ("matmul", _product_of(0)),
    _aten.addmm: ("matmul", _product_of(1)),
    _aten.baddbmm: ("matmul", _product_of(1)),
    _aten.addbmm: ("matmul", _product_of(1)),
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

#: Operators of elements and their class: of the input for pooling, else of the output.
_KINDS = {
    getattr(_aten, name): kind
    for kind, names in {
        "elementwise": "upsample_linear1d upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa "
        "_upsample_bicubic2d_aa grid_sampler_2d grid_sampler_3d floor_divide polar log_sigmoid_forward addr "
        "linalg_cross renorm rsub",
        "nearest_upsampling": "upsample_nearest2d",
        "bilinear_upsampling": "upsample_bilinear2d",
        "activation": "hardswish _softmax _safe_softmax _log_softmax",
        "layer_norm": "native_layer_norm",
        "batch_norm": "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training",
        "other_norm": "native_group_norm",
        "pooling": "avg_pool1d avg_pool2d avg_pool3d max_pool2d_with_indices max_pool3d_with_indices "
        "fractional_max_pool2d fractional_max_pool3d",
        "adaptive_pooling": "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d "
        "adaptive_max_pool3d",
    }.items()
    for name in words(names)
} | {torch.ops.torchvision.roi_align: "elementwise", torch.ops.torchvision.ps_roi_align: "elementwise"}

#: Losses and their kind: arithmetic for each element of the first argument.
_OF_EACH_INPUT = frozenset(
    "aten::" + name
    for name in words(
        "mse_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits "
        "nll_loss_forward nll_loss2d_forward multi_margin_loss multilabel_margin_loss_forward "
        "soft_margin_loss dist fake_quantize_per_tensor_affine_cachemask "
        "fake_quantize_per_channel_affine_cachemask"
    )
)

_NEVER_MIND = frozenset(
    (_aten.clone, _aten._to_copy, _aten.copy, _aten.copy_, _aten.detach, _aten.alias, _aten.lift_fresh)
)

#: Operators without arithmetic of their own beyond reading and writing elements.
_MOVES = frozenset(
    "aten::" + name
    for name in words(
        "cat stack _unsafe_view index _unsafe_index index_put index_select gather scatter constant_pad_nd "
        "reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
        "replication_pad3d empty empty_like empty_strided new_empty new_zeros new_ones new_full zeros "
        "zeros_like ones ones_like full full_like arange scalar_tensor fill zero roll flip repeat "
        "repeat_interleave tril triu eye upsample_nearest1d upsample_nearest3d _upsample_nearest_exact2d "
        "pixel_shuffle pixel_unshuffle channel_shuffle sort topk argsort argmax argmin max min any all amax "
        "amin sum mean var var_mean std std_mean cumsum prod logsumexp norm linalg_vector_norm nonzero "
        "unique bernoulli rand randn uniform normal masked_fill linspace resize set native_dropout im2col "
        "col2im unfold_copy split_with_sizes_copy _local_scalar_dense count_nonzero searchsorted rot90 "
        "diag_embed scatter_add scatter_reduce index_add masked_scatter exponential complex "
        "_weight_norm_interface glu max_unpool2d max_unpool3d bucketize unsafe_split unsafe_chunk "
        "unsafe_split_with_sizes resize_as cumprod cummax cummin _cummax_helper _cummin_helper logcumsumexp "
        "median nanmedian mode kthvalue nansum histc take put index_fill index_copy trace block_diag "
        "aminmax _linalg_check_errors unfold_backward hann_window hamming_window blackman_window "
        "bartlett_window kaiser_window select_scatter slice_scatter diagonal_scatter as_strided_scatter "
        "index_reduce is_same_size _has_same_storage_numel _efficientzerotensor segment_reduce embedding "
        "isin bincount multinomial poisson randint randperm randn_like rand_like randint_like binomial "
        "geometric cauchy log_normal logspace tril_indices triu_indices _index_put_impl _unsafe_index_put "
        "masked_select _unique2 unique_consecutive unique_dim empty_permuted new_empty_strided _chunk_cat "
        "to_padded_tensor _is_all_true _is_any_true"
    )
) | {"torchvision::roi_pool", "torchvision::ps_roi_pool"}


@dataclass
class OperatorCounts:
    """What the operators of one function count, and which could not be counted."""

    macs: dict[str, Count] = field(default_factory=dict)
    elements: Counter[str] = field(default_factory=Counter)
    uncounted: dict[str, None] = field(default_factory=dict)
    local: bool = True  # whether they all work element by element
    last: Tensor | None = None


class Operators(TorchDispatchMode):
    """Sees every operator that runs, one by one, but for those inside of rules (`WithoutOperators`)."""

    def __init__(self) -> None:
        super().__init__()
        self.outside = self.current = OperatorCounts()

    @contextmanager
    def collect(self) -> Iterator[OperatorCounts]:
        before, self.current = self.current, OperatorCounts()
        try:
            yield self.current
        finally:
            self.current = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunction():  # scripted code leaves the walk in force here
            return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        devices = {t.is_meta for t in tensors_in((args, kwargs))}
        if len(devices) > 1:  # scripted code brings weights of its own
            args, kwargs = tree_map_only(Tensor, _on_meta, (args, kwargs))
        plain = _out_of_place(func)
        packet = plain._overloadpacket
        rule, kind = _PRODUCTS.get(packet), _KINDS.get(packet)
        whole = rule is not None or kind is not None
        if not whole and (output := self.decomposed(func, args, kwargs)) is not NotImplemented:
            return output
        output = func(*args, **kwargs)
        seen, name = self.current, packet._qualified_op_name.removesuffix("_")
        count = rule[1](args, kwargs, output) if rule else formulas.ZERO
        if rule and count.value:
            seen.macs[rule[0]] = seen.macs.get(rule[0], formulas.ZERO) + count
            seen.local = False
        elif torch.Tag.pointwise in plain.tags or packet.__name__.startswith("_foreach_"):
            seen.elements["elementwise"] += sum(t.numel() for t in tensors_in(output))
        elif packet not in _NEVER_MIND:
            seen.local = False
            if whole:
                counted = args[0] if kind and kind.endswith("pooling") else tensors_in(output)[0]
                seen.elements[kind or "elementwise"] += counted.numel()
            elif name in _OF_EACH_INPUT:
                seen.elements["elementwise"] += args[0].numel()
            elif not plain.is_view and name not in _MOVES:
                seen.uncounted[name.replace("::", ".")] = None
        if any(field_of(t) is not None for t in tensors_in((args, kwargs))):
            for result in tensors_in(output):  # until the function that runs it says more
                keep_field(result, fields.UNKNOWN)
                seen.last = result
        return output

    def decomposed(self, func: Any, args: Any, kwargs: Any) -> Any:
        with self:
            return func.decompose(*args, **kwargs)


@cache
def _out_of_place(func: Any) -> Any:
    """The operator that gives as a new tensor what `func` writes in place, of the same kind and counts."""
    name = func._overloadpacket.__name__
    packet = getattr(_aten, name[:-1], None) if func.namespace == "aten" and name.endswith("_") else None
    return (
        func
        if packet is None
        else getattr(packet, func._overloadname, getattr(packet, packet.overloads()[0]))
    )


def _on_meta(tensor: Tensor) -> Tensor:
    if tensor.is_meta or not tensor.dim():  # a number may stand beside tensors of any device
        return tensor
    with WithoutOperators():
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")

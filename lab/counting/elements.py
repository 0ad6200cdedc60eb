"""Counting rules of normalisation, activations and arithmetic element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lab import receptive_field as fields
from lab import views
from lab.counting.arguments import Arguments, Keywords, argument, words
from lab.counting.rule_parts import (
    Walk,
    check_numbers,
    check_width,
    claim_pair,
    same,
)
from lab.counting.states import (
    channels_of,
    field_of,
    keep_channels,
    keep_field,
    written,
)
from lab.counting.states import (
    elementwise as broadcast,
)
from lab.receptive_field import State


def normalisation(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x = args[0]
    at = {"layer_norm": 2, "rms_norm": 2, "group_norm": 2, "batch_norm": 3, "instance_norm": 3}.get(name, 99)
    weight, bias = argument(args, kwargs, at, "weight"), argument(args, kwargs, at + 1, "bias")
    if isinstance(weight, Tensor):
        check_numbers(x, weight)
        if name in ("batch_norm", "instance_norm"):
            check_width(weight.numel(), x.shape[1])
    output = walk.run(func, args, kwargs) if walk.exact or name == "local_response_norm" else same(x)
    state = field_of(x)
    evaluated = name == "batch_norm" and not walk.root.training
    own_statistics = evaluated and bool(argument(args, kwargs, 5, "training"))
    last, several = name in ("layer_norm", "rms_norm"), False
    if last:
        shape = argument(args, kwargs, 1, "normalized_shape")
        several = len(shape) > 1
        check_width(math.prod(shape), math.prod(x.shape[-len(shape) :]), "features")
        state = fields.contract(state, range(x.dim() - len(shape), x.dim()))
    elif name == "instance_norm" and argument(args, kwargs, 5, "use_input_stats", True):
        state = fields.contract(state, range(2, x.dim()))
    elif own_statistics:
        state = fields.contract(state, [0, *range(2, x.dim())])
    elif name == "group_norm":
        groups = argument(args, kwargs, 1, "num_groups")
        state = fields.contract(state, range(2, x.dim()))
        state = views.grouped(state, 1, groups, x.shape[1], x.shape[1])
    elif name == "local_response_norm" and state != fields.contract(state, [1]):
        state = fields.UNKNOWN
    keep_field(output, state)
    kind = name if name in ("batch_norm", "layer_norm") else "other_norm"
    weight, bias = (t if isinstance(t, Tensor) else None for t in (weight, bias))
    walk.layers.add(
        name,
        x,
        output,
        channels=None if output.dim() < 2 or several else -1 if last else 1,
        **claim_pair(walk, weight, bias),
        elements={kind: x.numel()},
        affine=weight is not None,
        own_statistics=own_statistics,
    )
    return output


#: Where some activations take `inplace` by position.
_INPLACE_AT = {"relu": 1, "relu6": 1, "silu": 1, "mish": 1, "hardswish": 1, "hardsigmoid": 1, "selu": 1} | {
    "elu": 2,
    "celu": 2,
    "leaky_relu": 2,
    "hardtanh": 3,
    "threshold": 3,
}


def activation(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x = args[0] if args else kwargs["input"]
    weight = argument(args, kwargs, 1, "weight") if name == "prelu" else None
    base = name.rstrip("_")
    state = field_of(x)
    if base in ("softmax", "log_softmax", "softmin"):
        dim = argument(args, kwargs, 1, "dim")
        if dim is None:  # torch's old choice
            dim = 0 if x.dim() in (0, 1, 3) else 1
        state = fields.contract(state, [dim % max(x.dim(), 1)])
    bounds = [t for t in (*args[1:], *kwargs.values()) if isinstance(t, Tensor)]
    if bounds and base in ("clamp", "clamp_min", "clamp_max", "clip"):
        walk.layers.add_parameters(args, kwargs)
        state = broadcast([x, *bounds], x)
    in_place = (
        name.endswith("_")
        or kwargs.get("inplace") is True
        or args[_INPLACE_AT.get(name, 99) :][:1] == (True,)
    )
    if in_place:
        output = walk.meta(x)
        if state is None:
            torch.autograd.graph.increment_version(output)
            walk.values.rewrite(func, (output, *args[1:]), kwargs)
        elif state is not field_of(x) or output._is_view():
            written_in_place(output, state)
    elif walk.exact or bounds or not x.is_floating_point() or argument(args, kwargs, 9, "dtype") is not None:
        output = walk.run(func, args, kwargs)
    else:
        output = same(x)
    if not in_place:
        keep_field(output, state)
        if state is None:
            walk.values.remember(func, args, kwargs, output)
    columns = claim_pair(walk, weight, None) if weight is not None else {}
    walk.layers.add(base, output if in_place else x, output, elements={"activation": x.numel()}, **columns)
    return output


ELEMENTWISE = words("add sub rsub mul div true_divide multiply subtract maximum minimum")

_IN_PLACE = frozenset(f"{name}_" for name in ELEMENTWISE) | {
    "__iadd__",
    "__isub__",
    "__imul__",
    "__itruediv__",
}


def elementwise(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    walk.layers.add_parameters(args, kwargs)
    tensors = [t for t in (*args, *kwargs.values()) if isinstance(t, Tensor)]
    first = tensors[0] if tensors else None
    in_place = name in _IN_PLACE or "out" in kwargs
    of_constants = in_place and field_of(first) is None
    if first is None or kwargs or not first.is_floating_point() or len(args) != 2 or of_constants:
        output = walk.run(func, args, kwargs)
    elif in_place:
        output = walk.meta(args[0])
    elif walk.exact or any(t.dtype != first.dtype for t in tensors) or complex in map(type, args):
        output = walk.run(func, args, kwargs)
    elif len(tensors) == 1 or tensors[0].shape == tensors[1].shape:
        output = same(first)
    else:
        shape = torch.broadcast_shapes(*(t.shape for t in tensors))
        output = torch.empty(shape, dtype=first.dtype, device="meta")
    if not isinstance(output, Tensor):
        return output
    state = broadcast(tensors, output)
    if name in _IN_PLACE and state is None and field_of(output) is None:
        walk.values.rewrite(func, args, kwargs)
    elif in_place:
        written_in_place(output, state)
        walk.values.remember(func, args, kwargs, output)
    else:
        keep_field(output, state)
        for tensor in tensors:
            if tensor.dim() == output.dim() and channels_of(tensor) is not None:
                keep_channels(output, channels_of(tensor))
        if state is None:
            walk.values.remember(func, args, kwargs, output)
    walk.layers.add(
        name.strip("_"),
        output if name in _IN_PLACE else first,
        output,
        elements={"elementwise": output.numel()},
    )
    return output


def written_in_place(tensor: Tensor, state: State) -> None:
    """A rule has written the tensor without running torch: others that share its memory must notice."""
    torch.autograd.graph.increment_version(tensor)
    written(tensor, state)


def dropout(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    """The identity in evaluation; in training a new tensor, unless it works in place."""
    x = args[0] if args else kwargs["input"]
    active = argument(args, kwargs, 2, "training", True) and argument(args, kwargs, 1, "p", 0.5)
    if not (active and walk.root.training) or argument(args, kwargs, 3, "inplace", False):
        return walk.meta(x)
    output = same(x)
    keep_field(output, field_of(x))
    return output

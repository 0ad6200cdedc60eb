"""Counting rules of convolutions and of pooling: windows that move over the input."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from lab import formulas, views
from lab import receptive_field as fields
from lab.counting.arguments import Arguments, Keywords, argument, as_tuple
from lab.counting.movement import of_windows
from lab.counting.rule_parts import (
    Walk,
    check_numbers,
    check_rank,
    check_width,
    check_window,
    claim_pair,
    empty,
)
from lab.counting.states import (
    field_of,
    keep_field,
)
from lab.receptive_field import State


def convolution(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x, weight, bias = args[0], argument(args, kwargs, 1, "weight"), argument(args, kwargs, 2, "bias")
    space, transposed = weight.dim() - 2, "transpose" in name
    check_rank(x, space)
    check_numbers(x, weight)
    stride = as_tuple(argument(args, kwargs, 3, "stride", 1), space)
    padding = argument(args, kwargs, 4, "padding", 0)
    kernel = tuple(weight.shape[2:])
    if transposed:
        extra = as_tuple(argument(args, kwargs, 5, "output_padding", 0), space)
        groups, dilation = (
            argument(args, kwargs, 6, "groups", 1),
            as_tuple(argument(args, kwargs, 7, "dilation", 1), space),
        )
    else:
        groups, dilation = (
            argument(args, kwargs, 6, "groups", 1),
            as_tuple(argument(args, kwargs, 5, "dilation", 1), space),
        )
    low, high = _edges(padding, kernel, dilation)
    size = tuple(x.shape[-space:])
    if transposed:
        filters, inputs = weight.shape[1] * groups, weight.shape[0]
        positions = tuple(map(formulas.transposed_output_size, size, kernel, stride, low, extra, dilation))
    else:
        filters, inputs = weight.shape[0], weight.shape[1] * groups
        positions = tuple(
            formulas.output_size(n + a + b, k, s, 0, d)
            for n, a, b, k, s, d in zip(size, low, high, kernel, stride, dilation, strict=True)
        )
    if x.dim() == space + 1 and inputs != x.shape[0]:
        raise ValueError(
            f"it takes {inputs} channels and {space} spatial dimensions, not a tensor of shape "
            f"{tuple(x.shape)}"
        )
    check_width(inputs, x.shape[-space - 1])
    check_window(size, kernel, positions)
    batch = x.shape[: -space - 1]
    output = walk.run(func, args, kwargs) if walk.exact else empty((*batch, filters, *positions), x)
    seen = field_of(x) if transposed else of_windows(x, kernel, dilation, tuple(map(max, low, high)))
    state = _mixed(seen, output.dim() - space - 1, groups, filters, inputs)
    if transposed:
        keep_field(output, _spread(state, output, kernel, stride, low, extra, dilation))
        formula = formulas.convolution_weights(filters, inputs, kernel, groups)
        macs = formulas.convolution_macs(formula, size, math.prod(batch))
    else:
        state = fields.window(state, output.shape, kernel, stride, low, dilation)
        if field_of(weight) is not None:  # filters made of the input
            state = fields.union([state, _of_filters(field_of(weight), output, space)])
        keep_field(output, state)
        formula = formulas.convolution_weights(inputs, filters, kernel, groups)
        macs = formulas.convolution_macs(formula, positions, math.prod(batch))
    walk.layers.add(
        name,
        x,
        output,
        channels=-space - 1,
        **claim_pair(walk, weight, bias, formula),
        macs={"convolution": macs},
        elements={"bias": output.numel()} if bias is not None else {},
        kernel=kernel,
        stride=stride,
        padding=padding if isinstance(padding, str) else low,
        dilation=dilation,
        groups=groups,
    )
    return output


def _mixed(state: State, dim: int, groups: int, filters: int, inputs: int) -> State:
    """Every filter sees all channels of its group."""
    if isinstance(state, fields.Field) and not state.dims[dim]:
        return state
    return views.grouped(state, dim, groups, filters, inputs)


def _spread(
    state: State,
    output: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    extra: Sequence[int],
    dilation: Sequence[int],
) -> State:
    """After a transposed convolution: followed where its windows neither overlap nor leave gaps."""
    if state is None or fields.is_whole(state):
        return state
    if tuple(kernel) == tuple(stride) and not any(padding) and not any(extra) and set(dilation) == {1}:
        return fields.repeated(state, stride)
    space = range(output.dim() - len(kernel), output.dim())
    return state if state == fields.contract(state, space) else fields.UNKNOWN


def _of_filters(state: State, output: Tensor, space: int) -> State:
    """What an output sees through filters that depend on the input."""
    channel = output.dim() - space - 1

    def rule(field: fields.Field) -> State:
        dims: list[fields.Dimension] = [()] * output.dim()
        dims[channel] = field.dims[0]
        return field._replace(dims=tuple(dims))

    return fields.each(fields.contract(state, range(1, space + 2)), rule)


def _edges(
    padding: Any, kernel: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding before and after, along each axis; "same" puts the odd pixel after."""
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple(n // 2 for n in total), tuple(n - n // 2 for n in total)
    low = (0,) * len(kernel) if padding == "valid" else as_tuple(padding, len(kernel))
    return low, low


def pooling(walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:
    x, space = args[0], int(name[8])
    check_rank(x, space)
    kernel = as_tuple(argument(args, kwargs, 1, "kernel_size"), space)
    stride = as_tuple(argument(args, kwargs, 2, "stride") or kernel, space)
    padding = as_tuple(argument(args, kwargs, 3, "padding", 0), space)
    average = name.startswith("avg")
    dilation = (1,) * space if average else as_tuple(argument(args, kwargs, 4, "dilation", 1), space)
    rounding = argument(args, kwargs, 4 if average else 5, "ceil_mode", False)
    size = x.shape[-space:]
    positions = tuple(
        formulas.pooled_size(*axis, rounding)
        for axis in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    check_window(size, kernel, positions)
    indices = "with_indices" in name or kwargs.get("return_indices") is True
    if walk.exact or indices:
        result = walk.run(func, args, kwargs)
    else:
        result = empty((*x.shape[:-space], *positions), x)
    output = result[0] if isinstance(result, tuple) else result
    keep_field(output, fields.window(field_of(x), output.shape, kernel, stride, padding, dilation))
    walk.layers.add(
        name.removesuffix("_with_indices"),
        x,
        output,
        channels=-space - 1,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=None if average else dilation,
        elements={"pooling": x.numel()},
    )
    return result


def adaptive_pooling(
    walk: Walk, name: str, func: Callable[..., Any], args: Arguments, kwargs: Keywords
) -> Any:
    x = args[0]
    space = int(name.removesuffix("_with_indices")[-2])
    wanted = argument(args, kwargs, 1, "output_size")
    wanted = (wanted,) * space if isinstance(wanted, int) or wanted is None else tuple(wanted)
    size = tuple(old if new is None else new for old, new in zip(x.shape[-space:], wanted, strict=True))
    indices = "with_indices" in name or kwargs.get("return_indices") is True
    result = walk.run(func, args, kwargs) if walk.exact or indices else empty((*x.shape[:-space], *size), x)
    output = result[0] if isinstance(result, tuple) else result
    keep_field(output, fields.adaptive(field_of(x), x.shape, output.shape))
    walk.layers.add(
        name.removesuffix("_with_indices"),
        x,
        output,
        channels=-space - 1,
        elements={"adaptive_pooling": x.numel()},
    )
    return result

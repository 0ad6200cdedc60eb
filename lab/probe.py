"""The receptive field by experiment: which pixels have a gradient at one output unit.

An independent check of `lab.receptive_field`. The forward runs on real numbers in float64 with every filter
set to 1 / fan-in, max pooling as average pooling, and activations, normalisation and dropout as identities,
so that no path is blocked and nothing over- or underflows. The model's own weights are not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as nn_module
from torch.overrides import TorchFunctionMode

from lab.counting.arguments import argument
from lab.counting.rules import ACTIVATIONS


def probe(model: nn.Module, input_shape: Sequence[int], layer: str) -> tuple[tuple[int, int], ...]:
    """(first pixel, number of pixels) along each spatial axis that the middle unit of `layer` sees.

    `layer` is the path of a module that gives one map (N, C, …). The extent is cut off at the borders of the
    input (C, …): choose it well above the receptive field along the axis of interest.
    """
    target = model.get_submodule(layer)
    image = torch.ones((1, *input_shape), dtype=torch.float64, requires_grad=True)
    found: list[Tensor] = []

    def stop(module: nn.Module, inputs: Any, output: Any) -> None:
        if module is target:
            found.append(output)
            raise _Reached

    modes = [(module, module.training) for module in model.modules()]
    handle = nn_module.register_module_forward_hook(stop)
    try:
        for module, _ in modes:
            module.__dict__["training"] = False
        with torch.enable_grad(), _Transparent():
            model(image)
    except _Reached:
        pass
    finally:
        handle.remove()
        for module, training in modes:
            module.__dict__["training"] = training
    output = found[0]
    centre: tuple[Any, ...] = (0, slice(None), *(n // 2 for n in output.shape[2:]))
    middle = output[centre]
    (gradient,) = torch.autograd.grad(middle.sum(), image)
    seen = gradient[0].sum(0) > 0
    extents = []
    for axis in range(seen.dim()):
        along = seen.movedim(axis, 0).flatten(1).any(1).nonzero().flatten()
        extents.append((int(along[0]), int(along[-1] - along[0]) + 1))
    return tuple(extents)


class _Reached(Exception):
    """The layer has been reached; what follows it need not run."""


class _Transparent(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.__name__.rstrip("_")
        if name in _IDENTITIES:
            return args[0] if args else kwargs["input"]
        if name.startswith("max_pool"):
            return _average(name, args, kwargs)
        if name.startswith("conv"):
            x, weight = args[0], argument(args, kwargs, 1, "weight")
            filters = torch.full(weight.shape, 1 / weight[0].numel(), dtype=x.dtype)
            rest = {key: value for key, value in kwargs.items() if key not in ("weight", "bias")}
            return func(x, filters, None, *args[3:], **rest)
        return func(*(_ones(a) for a in args), **{key: _ones(value) for key, value in kwargs.items()})


_IDENTITIES = frozenset((*ACTIVATIONS, "batch_norm", "local_response_norm", "dropout", "dropout2d"))


def _average(name: str, args: Any, kwargs: Any) -> Tensor:
    """Average pooling with the windows of a max pooling; dilated ones as a depthwise convolution."""
    x, space = args[0], int(name[8])
    kernel, stride = argument(args, kwargs, 1, "kernel_size"), argument(args, kwargs, 2, "stride")
    padding, dilation = argument(args, kwargs, 3, "padding", 0), argument(args, kwargs, 4, "dilation", 1)
    rounding = argument(args, kwargs, 5, "ceil_mode", False)
    if set(dilation if isinstance(dilation, tuple) else (dilation,)) == {1}:
        pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[space - 1]
        return pool(x, kernel, stride, padding, rounding)
    size = kernel if isinstance(kernel, tuple) else (kernel,) * space
    convolve = (F.conv1d, F.conv2d, F.conv3d)[space - 1]
    filters = torch.ones((x.shape[1], 1, *size), dtype=x.dtype)
    return convolve(x, filters, None, stride or kernel, padding, dilation, x.shape[1])


def _ones(value: Any) -> Any:
    """Parameters and constants without numbers become ones."""
    if isinstance(value, nn.Parameter) or (isinstance(value, Tensor) and value.device.type == "meta"):
        return torch.ones(value.shape, dtype=torch.float64)
    return value

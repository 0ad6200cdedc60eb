"""Where the time of a forward pass goes: milliseconds and multiplications by kind of layer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

REVISION = 1  # to be raised when other times or kinds are measured


@dataclass
class Kind:
    """All layers of a kind: the sum of their shortest times for a batch, and multiplications an image."""

    ms: float = 0.0
    multiplications: int = 0


def kind_of(layer: nn.Module) -> str:
    if isinstance(layer, nn.Conv2d):
        if layer.groups == layer.in_channels > 1:
            return "depthwise convolution"
        return "1×1 convolution" if layer.kernel_size == (1, 1) else "convolution"
    if isinstance(layer, nn.modules.batchnorm._NormBase):
        return "batch norm"
    return "linear" if isinstance(layer, nn.Linear) else "other layers"


@torch.no_grad()
def by_kind(model: nn.Module, images: Tensor, repeats: int) -> dict[str, Kind]:
    """Of one forward pass of `images` (N, C, H, W) in evaluation mode, layer by layer: of each layer the
    shortest of `repeats`, as other work on the machine can only lengthen one. What is computed between
    layers, such as the sum of a residual block, is not seen.
    """
    layers = {name: layer for name, layer in model.named_modules() if not list(layer.children())}
    best = dict.fromkeys(layers, float("inf"))
    multiplications = dict.fromkeys(layers, 0)
    started: dict[str, float] = {}

    def now() -> float:
        if images.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    def begin(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: Any) -> None:
            started[name] = now()

        return hook

    def end(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: Any, output: Tensor) -> None:
            best[name] = min(best[name], now() - started[name])
            if isinstance(layer, nn.Conv2d | nn.Linear):
                multiplications[name] = output[0].numel() * layer.weight[0].numel()

        return hook

    hooks = [layer.register_forward_pre_hook(begin(name)) for name, layer in layers.items()]
    hooks += [layer.register_forward_hook(end(name)) for name, layer in layers.items()]
    training = model.training
    model.eval()
    try:
        for _ in range(repeats):
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)
    kinds: dict[str, Kind] = {}
    for name, layer in layers.items():
        kind = kinds.setdefault(kind_of(layer), Kind())
        kind.ms += 1000 * best[name]
        kind.multiplications += multiplications[name]
    return kinds

"""A frozen network's features of images, computed once and kept in the user's cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, dtype

from lab import weights
from lab.datasets.cache import kept_array
from lab.recipes import Recipe
from lab.training import precision_of
from lab.weights import Network

REVISION = 1  # to be raised when the same network and images give other features


def cached_features(
    network: Network,
    images: NDArray[Any],
    layer: str = "",
    *,
    mirrored: bool = False,
    kept_as: dtype | None = None,
    device: str = "cpu",
    report: Callable[[float], None] = lambda fraction: None,
) -> Tensor:
    """lab.weights.features of uint8 images (N, C, H, W), on the CPU, kept in the user's cache from then on.

    They are found again by the weights, layer, size, arithmetic, mirroring and the very pixels. Weights that
    are random numbers are not worth keeping. kept_as: float32 by default.
    """
    arithmetic = precision_of(Recipe(epochs=1), device, network.model)
    kept_as = kept_as or torch.float32
    images = np.ascontiguousarray(images)

    def made() -> Tensor:
        pixels = torch.from_numpy(images if images.flags.writeable else images.copy())
        model = network.model.to(device, memory_format=torch.channels_last)
        assert model is network.model
        shown = pixels.flip(-1) if mirrored else pixels
        return weights.features(network, shown, layer, dtype=arithmetic, kept_as=kept_as, report=report)

    if not network.sha256:
        return made()
    identity = (
        *(network.architecture, network.sha256, layer, network.size, str(arithmetic), mirrored),
        *(weights.REVISION, hashlib.sha256(images).hexdigest()),
        *([str(kept_as)] if kept_as != torch.float32 else []),
    )
    return torch.from_numpy(kept_array("features", identity, lambda: made().numpy()))

"""A frozen network's features of images, computed once and kept in the user's cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, dtype

from lab import weights
from lab.datasets.cache import cached_array
from lab.datasets.images import in_file
from lab.recipes import Recipe
from lab.training import precision_of
from lab.weights import Network

REVISION = 1  # to be raised when the same network and images give other features
BLOCK = 640  # images of a file that are in memory at a time, in whole batches


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
    length = BLOCK if in_file(images) else max(1, len(images))  # what is in a file is read block by block
    starts = range(0, len(images), length)

    def blocks() -> Iterator[NDArray[Any]]:
        return (np.ascontiguousarray(images[start : start + length]) for start in starts)

    def made() -> Tensor:
        model = network.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        assert model is network.model
        found = []
        for number, block in enumerate(blocks()):
            pixels = torch.from_numpy(block if block.flags.writeable else block.copy())

            def report_progress(fraction: float, number: int = number) -> None:
                report((number + fraction) / len(starts))

            shown = pixels.flip(-1) if mirrored else pixels
            found.append(
                weights.features(
                    network, shown, layer, dtype=arithmetic, kept_as=kept_as, report=report_progress
                )
            )
        return torch.cat(found)

    if not network.sha256:
        return made()
    pixels_hash = hashlib.sha256()
    for block in blocks():
        pixels_hash.update(block.data)
    identity = (
        *(network.architecture, network.sha256, layer, network.size, str(arithmetic), mirrored),
        *(weights.REVISION, pixels_hash.hexdigest()),
        *([str(kept_as)] if kept_as != torch.float32 else []),
    )
    return torch.from_numpy(cached_array("features", identity, lambda: made().numpy()))

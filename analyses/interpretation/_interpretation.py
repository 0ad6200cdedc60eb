"""What the interpretation experiments share: how a network is asked for, and what it sees of a photograph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from analyses.pictures import drawn
from analyses.plugin import Parameters

if TYPE_CHECKING:
    from torch import Tensor

    from lab.weights import Network


class NetworkParameters(Parameters):
    """weights, architecture: as lab.weights.load has them. size: of the images, in pixels."""

    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    size: int = Field(224, ge=32)

    def as_settings(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"weights", "architecture", "download", "size"})


def shown(network: Network, image: Tensor) -> Tensor:
    """The uint8 part (3, DRAWN, DRAWN) of a photograph (1, 3, H, W) that the network is shown."""
    import torch

    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (network.mean, network.std))
    pixels = (network.prepared(image, crop=True)[0] * std + mean) * 255
    return drawn(pixels).clamp(0, 255).round().to(torch.uint8)

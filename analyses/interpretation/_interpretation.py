"""What the interpretation experiments share: a photograph, a network, and its credit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from analyses.plugin import Parameters

if TYPE_CHECKING:
    from torch import Tensor

    from lab.weights import Network

CREDITS = {
    "china": "danielbuechele, CC BY 2.0",
    "flower": "vultilion, CC BY 2.0",
}  # scikit-learn's photographs
DRAWN = 112  # pixels of a drawn picture


class NetworkParameters(Parameters):
    """weights, architecture: as lab.weights.load has them. size: of the images, in pixels."""

    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    size: int = Field(224, ge=32)

    def as_settings(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"weights", "architecture", "download", "size"})


def network(settings: dict[str, Any]) -> Network:
    from lab import weights

    return weights.load(
        settings["weights"],
        settings["architecture"],
        size=settings["size"],
        download=settings["download"],
    )


def drawn(images: Tensor) -> Tensor:
    """(C, H, W) of any number as float (C, DRAWN, DRAWN)."""
    from torch.nn import functional as F

    mode = "area" if images.shape[-1] > DRAWN else "nearest"
    return F.interpolate(images[None].float(), (DRAWN, DRAWN), mode=mode)[0]


def shown(network: Network, image: Tensor) -> Tensor:
    """The uint8 part (3, DRAWN, DRAWN) of a photograph (1, 3, H, W) that the network is shown."""
    import torch

    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (network.mean, network.std))
    pixels = (network.prepared(image, crop=True)[0] * std + mean) * 255
    return drawn(pixels).clamp(0, 255).round().to(torch.uint8)


def credit(image: str) -> str:
    return f" Photograph: {CREDITS[image]}." if image in CREDITS else ""

"""What the interpretation experiments share: a photograph, its credit, a network, and its maps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from analyses.pictures import heat, png, signed
from analyses.plugin import Outcome, Parameters
from results import builders
from results.builders import FRACTION
from results.schema import Metric, Picture, Pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from lab.weights import Network

CREDITS = {
    "china": "danielbuechele, CC BY 2.0",
    "flower": "vultilion, CC BY 2.0",
    "cat": "Stéfan van der Walt, CC0",
    "astronaut": "NASA, public domain",
}  # of the photographs that scikit-learn and scikit-image ship
#: By architecture, the layers whose maps are drawn, after their activation; elsewhere the convolutions.
LAYERS = {
    "tf_efficientnet_lite0": ("bn1", "bn2"),
    "resnet18": ("relu", "layer4"),
    "resnet50": ("relu", "layer4"),
    "alexnet": ("features.1", "features.11"),
}
NAMES = {
    "tf_efficientnet_lite0": "EfficientNet-Lite0",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "alexnet": "AlexNet",
}
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


def square(image: Tensor, share: float = 1.0) -> Tensor:
    """The centre of a photograph (1, 3, H, W): a square, of this share of its shorter side."""
    side = round(share * min(image.shape[2:]))
    top, left = ((length - side) // 2 for length in image.shape[2:])
    return image[..., top : top + side, left : left + side]


def maps_of(network: Network, image: Tensor, classes: Sequence[str], count: int) -> Outcome:
    """What a network makes of a square uint8 image (1, 3, S, S): the classes that it names, the filters of
    its first layer, and the `count` most active maps of its first and of its last convolution, as pictures.
    """
    import torch

    from lab import weights
    from lab.interpretation import weighted_layers

    convolutions = [
        name
        for name in weighted_layers(network.model)
        if isinstance(network.model.get_submodule(name), torch.nn.Conv2d)
    ]
    first, last = LAYERS.get(network.architecture, (convolutions[0], convolutions[-1]))
    with torch.no_grad():
        shares = network.model(network.prepared(image)).softmax(1)[0]
    best = shares.topk(min(5, len(shares)))
    filters = network.model.get_parameter(f"{convolutions[0]}.weight").detach()
    outcome: Outcome = {
        "photograph": png(drawn(image[0]).round().to(torch.uint8)),
        "said": [[classes[int(kind)], float(share)] for share, kind in zip(*best, strict=True)],
        "filters": [signed(_enlarged(one)) for one in filters] if filters.shape[1] == 3 else [],
        "filter_size": list(filters.shape),
    }
    for place, layer in (("first", first), ("last", last)):
        maps = weights.features(network, image, layer)[0]
        order = maps.flatten(1).mean(1).argsort(descending=True)[:count]
        outcome[place] = {
            "layer": layer,
            "shape": list(maps.shape),
            "channels": order.tolist(),
            "maps": [heat(drawn(maps[one][None].clamp(min=0))[0]) for one in order],
            "silent": float((maps <= 0).flatten(1).all(1).float().mean()),
            "zero": float((maps <= 0).float().mean()),
        }
    return outcome


def _enlarged(weight: Tensor) -> Tensor:
    """(3, k, k) as (3, 8k, 8k)."""
    return weight.repeat_interleave(8, 1).repeat_interleave(8, 2)


def map_figures(outcome: Outcome, network: str, image: str) -> dict[str, Pictures]:
    """What `maps_of` drew: "first_maps" and "last_maps" beside the photograph, and "filters"."""
    figures = {}
    for place, words in (("first", "first convolution"), ("last", "last convolution")):
        found = outcome[place]
        figures[f"{place}_maps"] = Pictures(
            caption=f"A photograph, and the {len(found['maps'])} most active of the {found['shape'][0]:,} "
            f"maps that the {words} of {network} makes of it (after the activation, {found['shape'][1]} × "
            f"{found['shape'][2]} values each). Black is zero, and white is large; numbers are those of the "
            f"maps.{credit(image)}",
            alt=f"A photograph that the network calls {outcome['said'][0][0]}, and maps of its {words}.",
            columns=7,
            pictures=(
                Picture(png=outcome["photograph"], title="Input"),
                *(
                    Picture(png=one, title=str(channel))
                    for one, channel in zip(found["maps"], found["channels"], strict=True)
                ),
            ),
        )
    if outcome["filters"]:
        figures["filters"] = Pictures(
            caption=f"All filters of the first layer of {network}, in colour, with the numbers of their "
            "maps; mid-grey is zero.",
            alt=f"{len(outcome['filters'])} small pictures of filters.",
            columns=16,
            pictures=tuple(Picture(png=one, title=str(n)) for n, one in enumerate(outcome["filters"])),
        )
    return figures


def map_metrics(outcome: Outcome) -> dict[str, Metric]:
    """How many maps of the first and of the last convolution there are, and how many of their values are
    zero.
    """
    return {
        f"{place}/{key}": builders.metric(value, title, unit)
        for place in ("first", "last")
        for found in (outcome[place],)
        for key, value, title, unit in (
            ("channels", found["shape"][0], f"Maps of the {place} layer", ""),
            ("side", found["shape"][1], "Height and width of such a map", ""),
            ("zero", found["zero"], f"Share of its values that are not positive, {place}", FRACTION),
            ("silent", found["silent"], f"Share of its maps that are silent, {place}", FRACTION),
        )
    }


def shown(network: Network, image: Tensor) -> Tensor:
    """The uint8 part (3, DRAWN, DRAWN) of a photograph (1, 3, H, W) that the network is shown."""
    import torch

    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (network.mean, network.std))
    pixels = (network.prepared(image, crop=True)[0] * std + mean) * 255
    return drawn(pixels).clamp(0, 255).round().to(torch.uint8)


def credit(image: str) -> str:
    return f" Photograph: {CREDITS[image]}." if image in CREDITS else ""

"""How a pretrained network's last stage is trained on cached activations, or all of its layers on images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from analyses import experiments, feature_maps
from analyses.plugin import Cell, Context, Outcome
from analyses.transfer._cifar10_resnet18_settings import Candidate, LastStageParameters
from lab.recipes import Recipe
from results.schema import Pictures

if TYPE_CHECKING:
    from torch import nn

    from lab.datasets import ImageSet
    from lab.training import Data
    from lab.weights import Network


def count_duplicates(settings: Mapping[str, Any], context: Context) -> Outcome:
    """How many test images have a near-duplicate among the training images; both stay where they are."""
    import numpy as np

    from lab.datasets.duplicates import near_duplicates

    data, _ = experiments.load(settings["data"], context.device)
    assert data.test is not None
    parts = [part.images.cpu().numpy() for part in (data.train, data.test)]
    groups = near_duplicates(np.concatenate(parts), settings["duplicates"])
    sizes = np.bincount(groups)
    train, test = np.split(groups, [len(parts[0])])
    return {
        "diverged": False,
        "duplicates": {
            "groups": int((sizes > 1).sum()),
            "images": int(sizes[sizes > 1].sum()),
            "train_test": int(np.isin(test, train).sum()),
        },
    }


def train(cell: Cell, context: Context) -> Outcome:
    """The candidate, after its last frozen layer or as a whole."""
    from torch import nn

    from lab import weights
    from lab.interpretation import photograph

    settings, seed = cell.settings, cell.seed or 0
    recipe: Recipe = settings["recipe"]
    candidate = Candidate.model_validate(settings["candidate"] | {"epochs": recipe.epochs})
    drawn = settings.get("maps", {})
    image = photograph(drawn["image"]) if drawn else None  # refused before anything is trained
    network = weights.load(
        candidate.weights,
        candidate.architecture,
        size=candidate.size,
        seed=seed,
        download=candidate.download,
    )
    described = weights.describe(network)
    data, classes = experiments.load(settings["data"], context.device)
    side = data.train.images.shape[-1]
    whole = weights.with_head(network.model, len(classes), seed)
    if candidate.layer:
        data = _activations(network, data, candidate.layer, context)
        model: nn.Module = weights.after(whole, candidate.layer)
    else:
        data = replace(data, mean=network.mean, std=network.std)
        enlarge = nn.Upsample((candidate.size, candidate.size), mode="bilinear")
        model = nn.Sequential(enlarge, whole)
    outcome, _ = experiments.train_classifier(model, data, recipe, cell, context, classes)
    outcome |= {
        "weights": described,
        "trained": outcome["parameters"],
        "parameters": sum(parameter.numel() for parameter in whole.parameters()),
        "validation_accuracy": outcome["history"]["validation_accuracy"][-1],
    }
    if image is not None:
        seen = _reduced(feature_maps.square(image), side)
        trained = replace(network, model=whole.cpu().eval())
        outcome["maps"] = feature_maps.maps_of(trained, seen, classes, drawn["shown"])
    return outcome


def maps_of_own_image(parameters: LastStageParameters, images: ImageSet) -> Pictures:
    """The first of the images, and its most active maps of the frozen first convolution."""
    import torch

    from lab import weights

    candidate = parameters.pretrained
    network = weights.load(
        candidate.weights, candidate.architecture, size=candidate.size, download=candidate.download
    )
    image, kind = torch.from_numpy(images.images[:1].copy()), images.classes[images.labels[0]]
    return Pictures(
        caption=f"The first test image of {parameters.data.title} ({kind}), and the {parameters.shown} most "
        "active maps of the first convolution, which is frozen, for it: those with the largest mean after "
        "the activation. In each map, black is zero, and white marks the 99th percentile and above.",
        alt=f"An image ({kind}), and maps of the first convolution.",
        columns=7,
        pictures=feature_maps.first_maps(network, image, parameters.shown),
    )


def _reduced(image: Any, side: int) -> Any:
    """A square uint8 image as small as those that the network was trained on."""
    from torch.nn import functional as F

    small = F.interpolate(image.float(), (side, side), mode="bicubic", antialias=True, align_corners=False)
    return small.round().clamp(0, 255).byte()


def _activations(network: Network, data: Data, layer: str, context: Context) -> Data:
    """The layer's outputs in the place of the images, in half precision."""
    import torch

    from lab.features import cached_features
    from lab.training import Data, Images

    def activations_of(part: Images | None) -> Images | None:
        if part is None:
            return None
        outputs = cached_features(
            network,
            part.images.cpu().numpy(),
            layer,
            kept_as=torch.float16,
            device=context.device,
            report=lambda fraction: context.report(0.0, f"kept activations, {fraction:.0%}"),
        )
        return Images(outputs.to(context.device), part.labels)

    train = activations_of(data.train)
    assert train is not None
    channels = train.images.shape[1]
    # zeros and 1/255 leave the numbers as they are
    return Data(
        train,
        (0.0,) * channels,
        (1 / 255,) * channels,
        activations_of(data.validation),
        activations_of(data.test),
    )

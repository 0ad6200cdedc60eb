"""How the classifiers of faces are trained: perceptrons, linear layers on cached activations, fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from analyses import domains, experiments, records
from analyses.pictures import signed
from analyses.plugin import Cell, Context, Outcome

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lab.datasets import ImageSet
    from lab.heads import Heads

#: By architecture: the layer whose activations are kept, conv4 of AlexNet or what lies as deep elsewhere.
LAYERS = {"alexnet": "features.9", "tf_efficientnet_lite0": "blocks.4", "resnet18": "layer3"}
SHOWN = 2  # hidden units drawn of each perceptron
UNIT_COLUMNS = 8  # of them beside each other


class Faces(NamedTuple):
    train: ImageSet
    validation: ImageSet
    test: ImageSet


@lru_cache(maxsize=2)
def load_faces(
    name: str,
    split: str,
    damaged: Literal["refuse", "skip"],
    person: int,
    seed: int,
    duplicates: float | None,
    size: int,
    grey: bool,
) -> tuple[Faces, Outcome]:
    """Training, validation and test faces, the same people's files for every size; and what an outcome keeps
    of near-duplicates.
    """
    import numpy as np

    from lab.datasets import DataError
    from lab.datasets import load as load_images
    from lab.datasets.splits import by_number

    images = load_images(name, split, size=(size, size), grey=grey, damaged=damaged)
    counts = [int((images.labels == kind).sum()) for kind in range(len(images.classes))]
    for label, count in zip(images.classes, counts, strict=True):
        if count < person + 2:
            raise DataError(
                f"{label} has {count} images, too few for {person} to train with and one each to choose "
                "and to test by; ask for fewer with --set person=…"
            )
    numbers = [
        {kind: part(count - person) for kind, count in enumerate(counts)}
        for part in (lambda rest: person, lambda rest: rest // 2, lambda rest: rest - rest // 2)
    ]
    groups = domains.groups_of(name, (split,), damaged, duplicates) if duplicates else {}
    numbered = np.array([groups[image] for image in domains.images_of(images)]) if groups else None
    parts = by_number(images.labels, numbers, seed, images.classes, numbered)
    faces = Faces(*(images.select(part) for part in parts))
    return faces, domains.count_duplicates(groups, faces.train, faces.test) if groups else {}


def _of(settings: Mapping[str, Any], size: int, grey: bool) -> tuple[Faces, Outcome]:
    names = ("name", "split", "damaged", "person", "split_seed", "duplicates")
    return load_faces(*(settings[name] for name in names), size, grey)


def train_perceptron(cell: Cell, context: Context) -> Outcome:
    """The classification record of a perceptron, and of the first seed two of its units, drawn."""
    import torch

    from lab.networks.simple import MLP
    from lab.training import channel_statistics

    settings, seed = cell.settings, cell.seed or 0
    faces, counted = _of(settings, settings["size"], grey=True)
    torch.manual_seed(seed)
    model = MLP(len(faces.train.classes), size=settings["size"], hidden=settings["hidden"])
    statistics = channel_statistics(faces.train.images)
    outcome, _ = _trained(model, faces, statistics, cell, context)
    state = {name: value.cpu() for name, value in model.state_dict().items()}
    weight = state["hidden.weight"].view(-1, settings["size"], settings["size"])
    steps = torch.cat([weight.diff(dim=axis).abs().flatten() for axis in (1, 2)])
    outcome |= counted | {
        "sizes": [len(part) for part in faces],
        "roughness": float(steps.mean() / weight.std()) if bool(weight.isfinite().all()) else 0.0,
    }
    if seed == 0:
        outcome["units"] = _units(weight, state["linear.weight"], faces.train.classes)
    return outcome


def _units(weight: Tensor, output: Tensor, people: Sequence[str]) -> list[Outcome]:
    """The hidden units with the largest weights, drawn, and the person that each counts most for or against.
    weight: (hidden, H, W) from the pixels; output: (people, hidden).
    """
    largest = weight.flatten(1).norm(dim=1).argsort(descending=True)[:SHOWN].tolist()
    persons = [int(output[:, unit].abs().argmax()) for unit in largest]
    return [
        {"png": signed(weight[unit]), "class": people[person], "for": bool(output[person, unit] > 0)}
        for unit, person in zip(largest, persons, strict=True)
    ]


def _trained(
    model: nn.Module,
    faces: Faces,
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    cell: Cell,
    context: Context,
) -> tuple[Outcome, Tensor]:
    """The classification record of the model after training, and its logits of the test faces."""
    from lab.training import Data, Images

    train, validation, test = (Images.of(part.images, part.labels, context.device) for part in faces)
    data, recipe = Data(train, *statistics, validation, test), cell.settings["recipe"]
    outcome, logits = experiments.train_classifier(model, data, recipe, cell, context, faces.test.classes)
    for key in ("train_accuracy", "validation_accuracy"):
        outcome[key] = outcome["history"][key][-1]
    return outcome, logits


class FixedFeatures(NamedTuple):
    """Standardised activations of a layer of a pretrained network, of the faces of each part."""

    network: Any
    layer: str
    faces: Faces
    train: Tensor  # (views, N, D)
    evaluated: dict[str, tuple[Tensor, Tensor]]  # by part: activations (N, D) and labels
    centre: Tensor
    spread: Tensor


def fixed_features(settings: Mapping[str, Any], context: Context) -> FixedFeatures:
    import torch

    from lab.features import cached_features

    network = experiments.pretrained(settings, settings["view"])
    layer = settings["layer"] or LAYERS.get(network.architecture, "")
    faces, _ = _of(settings, settings["view"], grey=False)

    def activations(part: ImageSet, mirrored: bool = False) -> Tensor:
        found = cached_features(network, part.images, layer, mirrored=mirrored, device=context.device)
        return found.flatten(1)

    views = [
        activations(faces.train, mirrored) for mirrored in ((False, True) if settings["mirror"] else (False,))
    ]
    centre, spread = views[0].mean(0), views[0].std(0).clamp(min=1e-3) * views[0].shape[1] ** 0.5
    evaluated = {
        name: ((activations(part) - centre) / spread, torch.from_numpy(part.labels))
        for name, part in (("validation", faces.validation), ("test", faces.test))
    }
    train = torch.stack([(view - centre) / spread for view in views])
    return FixedFeatures(network, layer, faces, train, evaluated, centre, spread)


def linear_layers(settings: Mapping[str, Any], fixed: FixedFeatures, context: Context) -> Heads:
    """A linear layer for every rate and seed at once."""
    import torch

    from lab.heads import fit_heads

    return fit_heads(
        fixed.train,
        torch.from_numpy(fixed.faces.train.labels),
        len(fixed.faces.train.classes),
        settings["recipe"],
        settings["rates"],
        settings["seeds"],
        fixed.evaluated,
        report=context.report,
    )


def train_linear_layer(cell: Cell, context: Context) -> Outcome:
    """A linear layer on cached activations, for every rate and seed at once."""
    from lab import weights
    from lab.datasets import locate

    settings = cell.settings
    fixed = fixed_features(settings, context)
    heads = linear_layers(settings, fixed, context)
    runs: dict[str, list[Outcome]] = {f"{rate:g}": [] for rate in settings["rates"]}
    inputs, labels = fixed.evaluated["test"]
    for curve, logits in heads.each(inputs):
        runs[f"{curve.learning_rate:g}"].append(
            {
                "history": curve.as_outcome(),
                "diverged": curve.diverged,
                "train_accuracy": curve.accuracy["train"][-1],
                "validation_accuracy": curve.accuracy["validation"][-1],
                **records.classified(logits, labels, fixed.faces.test.classes),
            }
        )
    return {
        "runs": runs,
        "diverged": any(curve.diverged for row in heads.learning_curves for curve in row),
        "weights": weights.describe(fixed.network),
        "layer": fixed.layer or "what the last layer is given",
        "checked": locate(settings["name"]).release.checked(),
        "width": int(fixed.centre.numel()),
    }


class FineTuned(NamedTuple):
    network: Any  # as lab.weights.load gave it
    model: nn.Module  # with all layers trained, and an output for each person
    faces: Faces
    outcome: Outcome
    logits: Tensor  # (test faces, people)


def fine_tuned(cell: Cell, context: Context) -> FineTuned:
    """A pretrained network of which all layers are trained on the faces."""
    from lab.weights import with_head

    settings = cell.settings
    network = experiments.pretrained(settings, settings["view"])
    faces, _ = _of(settings, settings["view"], grey=False)
    model = with_head(network.model, len(faces.train.classes), cell.seed or 0)
    return FineTuned(
        network, model, faces, *_trained(model, faces, (network.mean, network.std), cell, context)
    )


def finetune(cell: Cell, context: Context) -> Outcome:
    """All layers; with the first test face that is named right, and the first that is named wrong."""
    _, _, faces, outcome, logits = fine_tuned(cell, context)
    labels, files, classes = faces.test.labels.tolist(), faces.test.files, faces.test.classes
    correct = [guess == label for guess, label in zip(logits.argmax(1).tolist(), labels, strict=True)]
    return outcome | {
        "worked": [
            {
                "file": files[face],
                "truth": classes[labels[face]],
                "classes": list(classes),
                "shares": logits[face].softmax(0).nan_to_num(0.0).tolist(),
            }
            for kind in (True, False)
            if kind in correct
            for face in [correct.index(kind)]
        ]
    }

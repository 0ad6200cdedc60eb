"""What the experiments share: the images of an analysis, its cells, and the network that a cell trains.

A cell's settings are `data` (DataChoice), `network` (name and options), `recipe` (a Recipe) and `keep`:
whether the test images are measured, and the predictions on them kept. A cell that compares settings does
not touch them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from analyses.plugin import Analysis, Cell, Choice, Context, Outcome, Parameters
from analyses.records import classified, trained_record
from lab.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lab.datasets import ImageSet
    from lab.training import Data, History, Objective, Order, Watch
    from lab.weights import Network

#: Of pretrained networks, by architecture.
NETWORK_NAMES = {
    "tf_efficientnet_lite0": "EfficientNet-Lite0",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "alexnet": "AlexNet",
}
SIZES = "data.train, data.validation and data.test"  # the settings that say how many images


class DataChoice(Choice):
    """Which images are trained on, chosen with, and reported on.

    train, validation: numbers of images, drawn from the data set's training split by class with `split_seed`.
    subset: "batch 1" keeps CIFAR-10's first training batch only. size: height and width, None as they are.
    test: where the data set has no test split of its own, how many of its images become one.
    damaged: whether an image that cannot be decoded refuses the data set or is left out.
    """

    name: str = "cifar10"
    train: int = 45_000
    validation: int = 5_000
    split_seed: int = 0
    subset: Literal["all", "batch 1"] = "all"
    size: tuple[int, int] | None = None
    test: int = 0
    damaged: Literal["refuse", "skip"] = "refuse"

    @property
    def title(self) -> str:
        """What the data set is called in a sentence."""
        from lab.datasets import short_title

        return short_title(self.name)


class ImageParameters(Parameters):
    """The choices of an `ImageExperiment`."""

    data: DataChoice = DataChoice()


ImageP = TypeVar("ImageP", bound=ImageParameters)


class ImageExperiment(Analysis[ImageP]):
    """An experiment on the images of `parameters.data`. Where its title and question speak of CIFAR-10, they
    name the data set that was chosen.
    """

    def headings(self, parameters: ImageP) -> tuple[str, str]:
        name = parameters.data.title
        return self.title.replace("CIFAR-10", name), self.question.replace("CIFAR-10", name)

    def datasets(self, parameters: ImageP) -> tuple[str, ...]:
        return (parameters.data.name,)

    def check(self, parameters: ImageP) -> None:
        parts(parameters.data)


QUICK = DataChoice(name="shapes", train=2_000, validation=500)


@lru_cache(maxsize=1)
def load(choice: DataChoice, device: str) -> tuple[Data, tuple[str, ...]]:
    """Images on the device, with the channel statistics of the training images; and the classes' names."""
    from lab.training import Data, Images, channel_statistics

    chosen, test = parts(choice)
    mean, std = channel_statistics(chosen[0].images)
    placed = [Images.of(part.images, part.labels, device) for part in (*chosen, test)]
    return Data(placed[0], mean, std, placed[1] if len(chosen) > 1 else None, placed[-1]), test.classes


def parts(choice: DataChoice) -> tuple[list[ImageSet], ImageSet]:
    """The training images, the validation images where there are to be any, and the test images.

    DataError in one sentence where there are too few, or a part lacks a class.
    """
    from lab.datasets import DataError
    from lab.datasets import load as load_images
    from lab.datasets.cifar10 import BATCH, training_batch_1
    from lab.datasets.sufficiency import require_classes, require_images

    how: dict[str, Any] = {"size": choice.size, "grey": False, "damaged": choice.damaged}
    if choice.test:
        everything = load_images(choice.name, "all", **how)
        require_images(choice.name, _asked(choice), len(everything), SIZES)
        pool, test = stratified_split(
            everything, [len(everything) - choice.test, choice.test], choice.split_seed
        )
    else:
        pool, test = (load_images(choice.name, split, **how) for split in ("train", "test"))
    if choice.subset == "batch 1":
        if len(pool) < BATCH:
            raise DataError(
                f"{choice.name} has {len(pool):,} training images, fewer than the {BATCH:,} of a training "
                "batch; take them all with `--set data.subset=all`"
            )
        pool = pool.select(training_batch_1(pool)[0])
    require_images(choice.name, _asked(choice)[:2], len(pool), SIZES)
    require_classes({"training": pool, "test": test})
    sizes = [choice.train, choice.validation] if choice.validation else [choice.train]
    chosen = [pool] if choice.train == len(pool) else stratified_split(pool, sizes, choice.split_seed)
    return chosen, test


def _asked(choice: DataChoice) -> tuple[int, int, int]:
    return choice.train, choice.validation, choice.test


def stratified_split(images: ImageSet, sizes: Sequence[int], seed: int) -> list[ImageSet]:
    """Disjoint parts of the sizes, with the classes in proportion."""
    from lab.datasets.splits import stratified

    return [images.select(part) for part in stratified(images.labels, sizes, seed, images.classes)]


def cells(
    name: str,
    network: Mapping[str, Any],
    recipe: Recipe,
    data: DataChoice,
    seeds: int,
    *,
    evaluate_on_test: bool = False,
) -> list[Cell]:
    """One cell a seed, called `name/SEED`; its settings say what differs from the defaults."""
    settings = {
        "data": data,
        "network": dict(network),
        "recipe": recipe,
        "keep": evaluate_on_test,
    }
    return [Cell(f"{name}/{seed}", settings, seed) for seed in range(seeds)]


def network(name: str, options: Mapping[str, Any], classes: int) -> nn.Module:
    """A network by its name in the settings."""
    from torch import nn

    from lab.networks import base, cifar, detector, lenet

    if name == "whitened":
        return cifar.WhitenedNetwork(classes, widths=tuple(options["widths"]))
    if name == "normalised lenet":
        chosen = dict(options)
        activation = {"gelu": nn.GELU, "relu": nn.ReLU}[chosen.pop("activation", "gelu")]
        return cifar.NormalisedLeNet(classes, activation=activation, **chosen)
    plain = {
        "lenet": lenet.LeNet,
        "convnet": base.convnet,
        "mobilenet": base.mobilenet,
        "resnet": base.resnet,
        "detector base": detector.BaseClassifier,
    }
    if name not in plain:
        known = ", ".join(("whitened", "normalised lenet", *plain))
        raise ValueError(f"there is no network {name!r}; there are {known}")
    return plain[name](classes)


def pretrained(settings: Mapping[str, Any], size: int) -> Network:
    """The network of the settings `weights`, `architecture` and `download`, for images of that size."""
    from lab.weights import load as load_weights

    return load_weights(
        settings["weights"], settings["architecture"], size=size, download=settings["download"]
    )


def class_names(network: Network, classes: int) -> tuple[str, ...]:
    """What the network calls its classes; their numbers where it has no names for them."""
    return network.classes or tuple(map(str, range(classes)))


def network_name(architecture: str) -> str:
    """What a pretrained network is called in a sentence."""
    return NETWORK_NAMES.get(architecture, architecture)


def fit(
    model: nn.Module,
    data: Data,
    recipe: Recipe,
    cell: Cell,
    context: Context,
    objective: Objective | None = None,
    *,
    order: Order | None = None,
    watch: Watch | None = None,
    name: str = "checkpoint",
) -> History:
    """Train from the cell's seed; `name`: of the checkpoint, where a cell trains several times."""
    from lab.training import fit as fit_network

    return fit_network(
        model,
        data,
        recipe,
        objective,
        order=order,
        watch=watch,
        seed=cell.seed or 0,
        checkpoint=context.scratch / f"{name}.pt",
        report=context.report,
    )


def train_classifier(
    model: nn.Module, data: Data, recipe: Recipe, cell: Cell, context: Context, classes: Sequence[str]
) -> tuple[Outcome, Tensor]:
    """The record of a training and of the test images, and the logits of these, (N, classes)."""
    from lab.training import precision_of, predict

    assert data.test is not None
    history = fit(model, data, recipe, cell, context)
    logits = predict(model, data.test.images, data, precision_of(recipe, context.device, model))
    return trained_record(history, model) | classified(logits, data.test.labels, classes), logits


class Trained(NamedTuple):
    """What a training gives: its record, and the network and the data for what else is to be measured."""

    outcome: Outcome
    model: nn.Module
    data: Data


def train(cell: Cell, context: Context) -> Trained:
    """Train the cell's network and measure it: its history, and the final figures of each part.

    A run that diverged is measured too: its accuracy, near chance, counts among its seeds.
    """
    import torch

    from lab.networks.cifar import WhitenedNetwork
    from lab.training import measure, precision_of, predict

    settings = cell.settings
    data, classes = load(settings["data"], context.device)
    if not settings["keep"]:
        data = replace(data, test=None)
    torch.manual_seed(cell.seed or 0)
    model = network(settings["network"]["name"], settings["network"].get("options", {}), len(classes))
    shape = tuple(data.train.images.shape[1:])
    if shape != model.input_shape:
        raise ValueError(f"{settings['network']['name']} takes images of {model.input_shape}, not {shape}")
    recipe: Recipe = settings["recipe"]
    if isinstance(model, WhitenedNetwork):
        model.whiten(data.normalised(data.train.images[:5_000]))
    history = fit(model, data, recipe, cell, context)
    model.eval()
    dtype = precision_of(recipe, context.device, model)
    outcome = trained_record(history, model)
    if data.validation is not None:
        logits = predict(model, data.validation.images, data, dtype)
        loss, outcome["validation_accuracy"] = measure(logits, data.validation.labels)
        outcome["validation_loss"] = loss if isfinite(loss) else None
    if data.test is not None:
        logits = predict(model, data.test.images, data, dtype)
        outcome |= classified(logits, data.test.labels, classes)
    return Trained(outcome, model, data)

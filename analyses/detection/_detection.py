"""What the detection experiments share: objects on a canvas, the network of a cell, and what is measured.

The data is the Transformed CIFAR-10 of CIS 680 (2017), homework 3: each image scaled to a square of 24 to 40
pixels and laid somewhere on a canvas of 48. Any other image data set can take CIFAR-10's place.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from analyses import experiments, records
from analyses.plugin import Cell, Choice, Context, Outcome
from lab.canvas import CANVAS
from lab.recipes import Augmentation, Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from lab.datasets import ImageSet
    from lab.networks.detector import Detector, ProposalNetwork
    from lab.training import Data

NETWORKS = {"convnet": "ConvNet", "mobilenet": "MobileNet-like", "resnet": "ResNet-like"}
PROPOSALS = (1, 2, 3, 5, 10, 20)  # of an image, for recall
OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)
SUPPRESSION = 0.5  # IoU above which the worse of two proposals goes, before detections are counted
WORST = {"accuracy": 0.0, "pointwise_accuracy": 0.0, "iou": 0.0, "centre_error": 48.0}
DETECTIONS = 3  # of an image, at most, for average precision
LISTED = 10_000  # canvases of either published list


class CanvasChoice(Choice):
    """Which images lie where, and what is held out.

    train, validation: numbers of canvases; together as many as are made of the training split. boxes:
    "published" takes image, place and width from the lists of the exercise, "drawn" draws them by seed:
    widths of 24 to 40 alike often, and every place alike often where the square lies on the canvas.
    background: the training images' mean colour, or another image of the set over the whole canvas. mirror:
    whether training canvases are mirrored at random; a mirrored object must still be of its class. shift:
    pixels by which they are moved at most.
    """

    name: str = "cifar10"
    train: int = Field(10_000, ge=1)
    validation: int = Field(0, ge=0)
    test: int = Field(10_000, ge=1)
    boxes: Literal["published", "drawn"] = "published"
    background: Literal["mean", "image"] = "mean"
    mirror: bool = True
    shift: int = Field(4, ge=0, lt=48)
    seed: int = 0
    damaged: Literal["refuse", "skip"] = "refuse"

    @model_validator(mode="after")
    def is_listed(self) -> CanvasChoice:
        for split, wanted in (("training", self.train + self.validation), ("test", self.test)):
            if self.boxes == "published" and wanted > LISTED:
                raise ValueError(
                    f"{wanted} {split} canvases are asked for, and the published list has {LISTED}; ask for "
                    "fewer, or set data.boxes=drawn"
                )
        return self

    def sources(self) -> tuple[str, ...]:
        return (self.name, "transformed_cifar10") if self.boxes == "published" else (self.name,)


QUICK = CanvasChoice(name="digits", train=900, test=500, boxes="drawn", mirror=False)


@lru_cache(maxsize=1)
def load(choice: CanvasChoice, device: str) -> tuple[Data, tuple[str, ...]]:
    """Canvases on the device, labelled (N, 4) class, row, column, width; and the classes' names."""
    from lab.training import Data, Images, channel_statistics

    pool, test = _images(choice)
    colour = pool.images[:10_000].mean((0, 2, 3))
    made = made_of(pool, choice, "train", choice.train + choice.validation, colour)
    images, labels = made_of(test, choice, "test", choice.test, colour)
    parts = [(made[0][: choice.train], made[1][: choice.train])]
    parts += [(made[0][choice.train :], made[1][choice.train :])] if choice.validation else []
    mean, std = channel_statistics(parts[0][0])
    placed = [Images.of(*part, device) for part in (*parts, (images, labels))]
    return Data(placed[0], mean, std, placed[1] if len(placed) > 2 else None, placed[-1]), pool.classes


def check(choice: CanvasChoice, *, named: bool = True) -> None:
    """DataError where the images are not those of the published lists, or, where objects are to be `named`,
    are all of one class.
    """
    from lab.datasets import cifar10, locate
    from lab.datasets.sufficiency import require_classes

    sets = _images(choice)
    if named:
        require_classes({"training": sets[0]})
    if choice.boxes == "published":
        for images, split in zip(sets, ("train", "test"), strict=True):
            cifar10.transformed(images, locate("transformed_cifar10").text(f"{split}.txt"))


def _images(choice: CanvasChoice) -> tuple[ImageSet, ImageSet]:
    """The objects of training and of test canvases."""
    from lab.datasets import load as load_images

    how: dict[str, Any] = {"size": (32, 32), "grey": False, "damaged": choice.damaged}
    return load_images(choice.name, "train", **how), load_images(choice.name, "test", **how)


def made_of(images: ImageSet, choice: CanvasChoice, split: str, count: int, colour: Any) -> tuple[Any, Any]:
    """`count` canvases uint8 (N, 3, 48, 48) of a split, and labels int64 (N, 4), in an order by seed."""
    import numpy as np

    from lab.datasets import DataError, cifar10, locate, scenes

    random = np.random.default_rng((choice.seed, split == "test", count))
    if choice.boxes == "published":
        listed = cifar10.transformed(images, locate("transformed_cifar10").text(f"{split}.txt"))
        if count > len(listed.indices):
            raise DataError(
                f"{count} canvases are asked for, and the published {split} list has {len(listed.indices)}; "
                "ask for fewer, or set data.boxes=drawn"
            )
        order = random.permutation(len(listed.indices))[:count]
        indices, where = listed.indices[order], listed.boxes[order]
    else:
        rounds = -(-count // len(images))
        indices = np.concatenate([random.permutation(len(images)) for _ in range(rounds)])[:count]
        where = scenes.boxes(count, int(random.integers(2**31)))
    if choice.background == "mean":
        ground = np.broadcast_to(
            np.rint(colour).astype(np.uint8)[None, :, None, None], (count, 3, CANVAS, CANVAS)
        )
    else:
        ground = scenes.enlarged(
            images.images[random.permutation(len(images))[np.arange(count) % len(images)]]
        )
    canvases = scenes.placed(images.images[indices], where, ground)
    return canvases, np.concatenate([images.labels[indices][:, None], where], axis=1)


def unrefined(positive: float, count: int = 10_000) -> tuple[float, float]:
    """How well anchors fit before a network refines them, on `count` drawn boxes: the mean IoU of the best
    anchor of each box, and that of all anchors that are positive.
    """
    import numpy as np

    from lab.canvas import ANCHOR, STRIDE
    from lab.datasets import scenes

    boxes = scenes.boxes(count, 0).astype(float)
    middles, half = np.arange(STRIDE / 2, CANVAS, STRIDE), boxes[:, 2:] / 2
    rows, columns = (
        np.minimum(middles + ANCHOR / 2, boxes[:, axis, None] + half)
        - np.maximum(middles - ANCHOR / 2, boxes[:, axis, None] - half)
        for axis in (0, 1)
    )
    shared = rows.clip(0)[:, :, None] * columns.clip(0)[:, None]
    shares = shared / (ANCHOR**2 + boxes[:, 2, None, None] ** 2 - shared)
    return float(shares.max((1, 2)).mean()), float(shares[shares > positive].mean())


def recipe(epochs: int, mirror: bool, shift: int) -> Recipe:
    """Of the base networks: Adam, 1e-3 falling to 1e-4, batches of 100, decoupled decay of 0.05."""
    return Recipe(
        epochs=epochs,
        batch=100,
        optimizer="adamw",
        learning_rate=1e-3,
        weight_decay=0.05,
        schedule="exponential",
        final_factor=0.1,
        augmentation=Augmentation("random" if mirror else "none", shift),
    )


def choices(positive: str, weights: Mapping[str, float]) -> dict[str, str]:
    """What is chosen beyond a recipe: which cells are trained, and how much each loss counts."""
    from lab.canvas import NEGATIVE

    return {
        "cells": f"positive above an IoU of {positive}, negative up to {NEGATIVE:g}",
        "weights of the losses": ", ".join(f"{name} {weight:g}" for name, weight in weights.items()),
    }


def cells(
    name: str,
    network: Mapping[str, Any],
    data: CanvasChoice,
    epochs: int,
    seeds: int,
    objective: Mapping[str, Any] | None = None,
    *,
    test: bool = True,
    alone: int = 0,
) -> list[Cell]:
    """One cell a seed. network: name, `head`, `by`, `dropout`. objective: what differs from the defaults of
    lab.detection.DetectionObjective. test: whether the test canvases are measured. alone: epochs in which the
    proposals are trained first, without the head.
    """
    settings = {
        "data": data,
        "network": dict(network),
        "recipe": recipe(epochs, data.mirror, data.shift),
        "objective": dict(objective or {}),
        "test": test,
        **({"alone": alone} if alone else {}),
    }
    return [Cell(f"{name}/{seed}", settings, seed) for seed in range(seeds)]


def network(settings: Mapping[str, Any], classes: int) -> ProposalNetwork:
    from lab.networks import base
    from lab.networks.detector import Detector, ProposalNetwork

    stage = {
        "convnet": base.plain,
        "mobilenet": base.separable,
        "mobilenet linear": base.linear_separable,
        "resnet": base.Residual,
    }[settings["name"]]
    if not settings.get("head", True):
        return ProposalNetwork(stage)
    return Detector(
        stage, classes, by=settings.get("by", "transformer"), dropout=settings.get("dropout", 0.0)
    )


def trained(cell: Cell, context: Context) -> tuple[Outcome, ProposalNetwork, Data]:
    """The cell's network, trained, with its history and what is measured of it: on the test canvases, or on
    the validation canvases where the settings keep those of the test.

    A run that diverged counts among its seeds, with the worst there is in place of what is no number.
    """
    from dataclasses import replace

    import torch

    from lab.detection import DetectionObjective
    from lab.training import DIVERGED_LOSS, evaluate, precision_of

    settings, seed = cell.settings, cell.seed or 0
    data, classes = load(settings["data"], context.device)
    part = data.test if settings["test"] else data.validation
    assert part is not None
    train_only = replace(data, test=None, validation=None)
    torch.manual_seed(seed)
    model = network(settings["network"], len(classes))
    chosen = dict(settings["objective"])
    if "weights" in chosen:
        chosen["weights"] = tuple(chosen["weights"])
    objective = DetectionObjective(**chosen)
    plan: Recipe = settings["recipe"]
    if alone := settings.get("alone", 0):
        first = replace(objective, weights=(*objective.weights[:2], 0.0))
        experiments.fit(model, train_only, replace(plan, epochs=alone), cell, context, first, name="alone")
    outcome = records.trained_record(
        experiments.fit(model, train_only, plan, cell, context, objective), model
    )
    measured = evaluate(model, part, data, objective, precision_of(plan, context.device, model))
    outcome |= {
        f"measured_{name}": value if isfinite(value) else WORST.get(name, DIVERGED_LOSS)
        for name, value in measured.items()
    }
    return outcome, model, data


class Predicted(NamedTuple):
    """objectness (N, 36), boxes (N, 36, 3), the trunk's features (N, 256, 6, 6), and logits (N, classes) at
    the best proposals; no logits of a network without a head.
    """

    objectness: Tensor
    boxes: Tensor
    features: Tensor
    logits: Tensor | None


def predict(model: ProposalNetwork, images: Tensor, data: Data, dtype: Any) -> Predicted:
    """What a proposal network or a detector says of images (N, 3, 48, 48), in evaluation mode."""
    import torch

    from lab.networks.detector import START, Detector, best

    model.eval()
    found = []
    with torch.no_grad():
        for start in range(0, len(images), 1_000):
            batch = data.normalised(images[start : start + 1_000])
            batch = batch.contiguous(memory_format=torch.channels_last)
            with torch.autocast(batch.device.type, dtype, enabled=dtype != torch.float32):
                features = model.trunk(batch)
                seen = model.propose(features)
                named = [model.classify(features, best(seen))] if isinstance(model, Detector) else []
            found.append([seen.objectness, seen.boxes, features.float(), *named])
    objectness, boxes, features, *logits = map(torch.cat, zip(*found, strict=True))
    # of a run that diverged: no object is seen, and every box is the one that training begins with
    boxes = torch.where(boxes.isfinite(), boxes, torch.tensor(START, device=boxes.device))
    return Predicted(
        objectness.nan_to_num(*(-1e4,) * 3),
        boxes,
        features.nan_to_num(0.0),
        logits[0].nan_to_num(0.0) if logits else None,
    )


def kept(objectness: Tensor, boxes: Tensor, threshold: float) -> list[Tensor]:
    """Of each image the indices of the proposals that remain, best first."""
    from lab.detection import suppress

    return [suppress(one, score, threshold) for one, score in zip(boxes, objectness, strict=True)]


def recall(objectness: Tensor, boxes: Tensor, truth: Tensor) -> dict[str, list[float]]:
    """By IoU ("0.5", …): the share of images whose object one of the best k remaining proposals overlaps so,
    for each k of PROPOSALS. Suppression at 0.7, as Ren et al. 2015.
    """
    import torch

    from lab.detection import iou

    best = torch.zeros(len(truth), max(PROPOSALS))
    for n, remaining in enumerate(kept(objectness, boxes, 0.7)):
        chosen = remaining[: max(PROPOSALS)]
        best[n, : len(chosen)] = iou(boxes[n, chosen], truth[n : n + 1])[:, 0]
    reached = best.cummax(1).values
    return {
        f"{overlap:g}": [(reached[:, count - 1] >= overlap).float().mean().item() for count in PROPOSALS]
        for overlap in OVERLAPS
    }


def precisions(model: Detector, predicted: Predicted, labels: Tensor) -> tuple[float, float]:
    """Mean average precision at IoU 0.5, and over 0.5 to 0.95: the best DETECTIONS proposals that suppression
    leaves of an image, each with the head's most likely class, scored by objectness times its probability.
    """
    import torch

    from lab.detection import average_precision

    objectness, boxes = predicted.objectness, predicted.boxes
    remaining = [chosen[:DETECTIONS] for chosen in kept(objectness, boxes, SUPPRESSION)]
    number = torch.cat([torch.full_like(chosen, n) for n, chosen in enumerate(remaining)])
    cell = torch.cat(remaining)
    where, score = boxes[number, cell], objectness[number, cell].sigmoid()
    with torch.no_grad():
        shares = [
            model.classify(predicted.features[number[part]], where[part]).softmax(1)
            for part in torch.arange(len(number)).split(1_000)
        ]
    share, kind = torch.cat(shares).max(1)
    return average_precision(
        labels[:, 1:].float().cpu(),
        labels[:, 0].cpu(),
        where.cpu(),
        (score * share.nan_to_num(0.0)).cpu(),
        number.cpu(),
        kind.cpu(),
    )

"""What the detection experiments share: the network of a cell, how it is trained, and what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from analyses import experiments, records
from analyses.detection._canvases import CanvasChoice, load
from analyses.plugin import Cell, Context, Outcome
from lab.canvas import CANVAS
from lab.recipes import Augmentation, Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from lab.networks.detector import Detector, ProposalNetwork
    from lab.training import Data

NETWORKS = {"convnet": "ConvNet", "mobilenet": "MobileNet-like", "resnet": "ResNet-like"}
PROPOSALS = (1, 2, 3, 5, 10, 20)  # of an image, for recall
OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)
SUPPRESSION = 0.5  # IoU above which the worse of two proposals goes, before detections are counted
WORST = {"accuracy": 0.0, "pointwise_accuracy": 0.0, "iou": 0.0, "centre_error": 48.0}
DETECTIONS = 3  # of an image, at most, for average precision


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

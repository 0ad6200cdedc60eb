"""How a pretrained network is trained on another data set: its last layer alone, or all layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyses import domains, experiments, records
from analyses.domains import Domain
from analyses.plugin import Cell, Context, Outcome
from lab.recipes import Recipe


def train_heads(
    settings: Mapping[str, Any], context: Context, network: Any, parts: domains.Parts, domain: Domain
) -> Outcome:
    """Every rate and seed of the last layer at once, on kept features."""
    import time

    import torch

    from lab.features import cached_features
    from lab.heads import fit_heads

    started = time.perf_counter()
    views = [
        cached_features(network, parts.train.images, mirrored=mirrored, device=context.device)
        for mirrored in ((False, True) if domain.mirror else (False,))
    ]
    evaluated = {
        name: (
            cached_features(network, part.images, device=context.device),
            torch.from_numpy(part.labels),
        )
        for name, part in (("validation", parts.validation), ("test", parts.test))
    }
    extracted = time.perf_counter() - started
    started = time.perf_counter()
    heads = fit_heads(
        torch.stack(views),
        torch.from_numpy(parts.train.labels),
        len(parts.train.classes),
        settings["recipe"],
        settings["rates"],
        settings["seeds"],
        evaluated,
        report=context.report,
    )
    seconds = time.perf_counter() - started
    inputs, labels = evaluated["test"]
    runs = {
        f"{curve.learning_rate:g}/{curve.seed}": {
            "diverged": curve.diverged,
            "history": curve.as_outcome(),
            **records.classified(logits, labels, parts.test.classes),
        }
        for curve, logits in heads.each(inputs)
    }
    return {
        "runs": runs,
        "feature_seconds": extracted,
        "training_seconds": seconds,
        "diverged": any(one["diverged"] for one in runs.values()),
    }


def finetune(cell: Cell, context: Context, network: Any, parts: domains.Parts) -> Outcome:
    """All layers at one rate from one seed."""
    from lab.training import Data, Images
    from lab.weights import with_head

    classes = parts.train.classes
    model = with_head(network.model, len(classes), cell.seed or 0)
    train, validation, test = (Images.of(part.images, part.labels, context.device) for part in parts)
    data = Data(train, network.mean, network.std, validation, test)
    recipe: Recipe = cell.settings["recipe"]
    return experiments.train_classifier(model, data, recipe, cell, context, classes)[0]

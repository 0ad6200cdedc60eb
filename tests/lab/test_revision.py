"""What the shared machinery computes belongs to its revision: other numbers need a higher one.

Recorded cells are kept while `REVISION` stays what it is, so a change that gives other numbers must raise it.
The losses below were computed at these revisions, in float32; other machines differ in the last digits.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lab import augmentation, recipes, training
from lab.recipes import Augmentation, Recipe
from lab.training import Data, Images, channel_statistics, fit

REVISIONS = (training.REVISION, recipes.REVISION, augmentation.REVISION)
AUGMENTED = Augmentation(flip="alternating", shift=2, cutout=3)
#: Training and validation loss after the last of three epochs; kinds of CPU differ in the third digit.
LOSSES: dict[str, tuple[dict[str, Any], tuple[float, float]]] = {
    "defaults": ({}, (0.34826, 0.29416)),
    "decoupled": (
        {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1, "schedule": "cosine"},
        (0.33419, 0.31260),
    ),
    "everything": (
        {
            "weight_decay": 5e-3,
            "decay_all": True,
            "bias_factor": 4.0,
            "schedule": "onecycle",
            "label_smoothing": 0.1,
            "augmentation": AUGMENTED,
            "ema": 0.9,
            "clip": 1.0,
        },
        (0.43114, 0.60884),
    ),
}


def losses(**choices: Any) -> tuple[float, float]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (96, 3, 12, 12), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 3, (96,), generator=generator)
    images[:, 0] //= 1 + labels.view(-1, 1, 1).to(torch.uint8)  # the more, the darker in red
    mean, std = channel_statistics(images[:64].numpy())
    parts = [Images(images[part], labels[part]) for part in (slice(64), slice(64, 96))]
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.1), nn.Flatten(), nn.Linear(8 * 36, 3),
    )  # fmt: skip
    recipe = Recipe(epochs=3, batch=16, precision="float32", **{"learning_rate": 0.05, **choices})
    history = fit(model, Data(parts[0], mean, std, validation=parts[1]), recipe, seed=1)
    return history.train_loss[-1], history.validation_loss[-1]


@pytest.mark.parametrize("name", LOSSES)
def test_the_same_recipe_and_seed_give_the_losses_of_this_revision(name: str) -> None:
    assert REVISIONS == (1, 1, 1), "compute the losses of the new revision anew"
    choices, expected = LOSSES[name]
    assert losses(**choices) == pytest.approx(expected, rel=1e-2), (
        "other numbers than those that were recorded at this revision: raise REVISION, or compute the same"
    )

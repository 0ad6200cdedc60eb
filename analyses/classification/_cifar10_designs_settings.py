"""The choices of the study of two designs for CIFAR-10: their recipes, and the changes of the ablation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from analyses.designs import recipe_a, recipe_b
from analyses.experiments import ImageParameters
from lab.recipes import Augmentation, Recipe

DESIGNS = {"design_a": "Design A", "design_b": "Design B"}
REFERENCE = "reference"
EMA = 0.98  # of design B
#: What the ablation changes of design A: name → words, changes of the network, changes of the recipe.
CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    REFERENCE: ("Design A as it is", {}, {}),
    "no_batch_norm": (
        "without batch normalisation, learning rate 0.02",
        {"normalised": False},
        {"learning_rate": 0.02},
    ),
    "filters_3x3": ("3×3 filters instead of 5×5", {"kernel": 3}, {}),
    "filters_7x7": ("7×7 filters instead of 5×5", {"kernel": 7}, {}),
    "strided": ("strided convolutions instead of max-pooling", {"strided": True}, {}),
    "relu": ("ReLU instead of GELU", {"activation": "relu"}, {}),
    "no_augmentation": ("without augmentation", {}, {"augmentation": Augmentation()}),
    "no_smoothing": ("without label smoothing", {}, {"label_smoothing": 0.0}),
    "adamw": (
        "AdamW instead of SGD, learning rate 0.002",
        {},
        {"optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 0.05},
    ),
    "constant_rate": (
        "a constant learning rate of 0.02 instead of one cycle",
        {},
        {"schedule": "constant", "learning_rate": 0.02},
    ),
}
WORDS = {name: words for name, (words, _, _) in CHANGES.items()}
DONE = {  # the changes as the subject of a sentence
    "no_batch_norm": "removing batch normalisation",
    "filters_3x3": "replacing the filters of 5×5 by filters of 3×3",
    "filters_7x7": "replacing the filters of 5×5 by filters of 7×7",
    "strided": "replacing max-pooling by strided convolutions",
    "relu": "replacing GELU by ReLU",
    "no_augmentation": "removing augmentation",
    "no_smoothing": "removing label smoothing",
    "adamw": "replacing SGD by AdamW",
    "constant_rate": "keeping the learning rate constant",
}
#: Of the changes that lower the largest learning rate as well, how a summary says so.
WITH_RATE = {
    "no_batch_norm": " (with a lower learning rate)",
    "adamw": " (with a lower learning rate)",
    "constant_rate": ", and lower",
}


class DesignsParameters(ImageParameters):
    """Rates were chosen on validation data in single runs. Design B's recipe is Jordan's, scaled to its
    batch; its average of the weights takes the place of his lookahead. Two changes of the ablation bring a
    rate of their own, as they diverge or stall with that of the reference: no batch norm and a constant rate.

    learning_rate: the largest of design A; learning_rate_b: the largest of design B. ema: decay a step of
    that average, 0 for none. ablation_train, ablation_epochs: the budget of the ablation; at that of the
    designs its reference is design A itself, and is not trained twice.
    """

    seeds: int = Field(3, ge=1)
    seeds_b: int = Field(3, ge=1)
    epochs: int = Field(10, ge=1)
    learning_rate: float = Field(0.1, gt=0)
    learning_rate_b: float = Field(0.6, gt=0)
    widths: tuple[int, int, int] = (64, 256, 256)
    ema: float = Field(0.0, ge=0, lt=1)
    ablation_seeds: int = Field(3, ge=1)
    ablation_train: int = Field(45_000, ge=1)
    ablation_epochs: int = Field(10, ge=1)

    def recipes(self) -> dict[str, Recipe]:
        """Of the two designs, by name."""
        return {
            "design_a": recipe_a(self.epochs, self.learning_rate),
            "design_b": recipe_b(self.epochs, self.ema, self.learning_rate_b),
        }

    def ablation_recipe(self, name: str) -> Recipe:
        """Of design A with that one of CHANGES."""
        return replace(recipe_a(self.ablation_epochs, self.learning_rate), **CHANGES[name][2])

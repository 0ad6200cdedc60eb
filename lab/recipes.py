"""What a training run is asked to do, as data: recipe, augmentation and learning-rate schedule. Free of
torch.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

REVISION = 1  # to be raised when the same settings mean another run: a default that changes, say

Schedule = Literal["constant", "multistep", "exponential", "cosine", "onecycle"]


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images.

    flip: "none", "random" (each image mirrored with probability ½, anew every epoch) or "alternating"
    (drawn once, then every image is mirrored in every other epoch; Jordan 2024, "94% on CIFAR-10 in 3.29
    seconds"). shift: largest translation in pixels, the border reflected. cutout: side of a square of
    zeros, 0 for none (DeVries and Taylor 2017).
    """

    flip: str = "none"
    shift: int = 0
    cutout: int = 0

    def __post_init__(self) -> None:
        if self.flip not in ("none", "random", "alternating"):
            raise ValueError(f"flip is none, random or alternating, not {self.flip!r}")
        if self.shift < 0 or self.cutout < 0:
            raise ValueError("shift and cutout are numbers of pixels, 0 or more")


@dataclass(frozen=True)
class Recipe:
    """Every choice of a training run.

    Weight decay is torch's: coupled (L2) for "sgd" and "adam", decoupled for "adamw"; it acts on weights of
    two or more axes, and on biases and normalisation too where `decay_all`. Schedules act a step at a time:
    multistep multiplies by `gamma` at the `milestones` (epochs), exponential and cosine reach
    `final_factor` × the rate, onecycle rises linearly for `warm_up` (a fraction) and falls linearly to 0.
    ema: decay an step of an average of the weights, which is then what is evaluated; 0 for none. patience:
    epochs without a better validation loss before training ends, and the best epoch's weights are taken; 0
    for none.
    """

    epochs: int
    batch: int = 128
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.0
    decay_all: bool = False
    bias_factor: float = 1.0  # learning rate of normalisation biases ÷ learning rate of all else
    schedule: Schedule = "constant"
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    final_factor: float = 0.0
    warm_up: float = 0.2
    label_smoothing: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    ema: float = 0.0
    patience: int = 0
    clip: float = 0.0  # largest norm of the gradient; 0: not clipped
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        for name, value, least in (("epochs", self.epochs, 1), ("batch", self.batch, 1)):
            if value < least:
                raise ValueError(f"{name} is {value}, and must be at least {least}")
        if not self.learning_rate > 0 or not math.isfinite(self.learning_rate):
            raise ValueError(f"the learning rate is {self.learning_rate}, and must be above 0")

    def as_settings(self) -> dict[str, Any]:
        """What differs from the defaults, JSON-able: a choice that is added later changes no older
        settings.
        """
        return _changed(self) | (
            {"augmentation": _changed(self.augmentation)} if self.augmentation != Augmentation() else {}
        )


def _changed(record: Recipe | Augmentation) -> dict[str, Any]:
    return {
        each.name: getattr(record, each.name)
        for each in fields(record)
        if each.default_factory is MISSING and getattr(record, each.name) != each.default
    }


def rate_factor(recipe: Recipe, progress: float, epoch: int) -> float:
    """Learning rate ÷ the recipe's, at a fraction `progress` of all steps, in epoch `epoch` (from 0)."""
    if recipe.schedule == "multistep":
        return float(recipe.gamma ** sum(epoch >= milestone for milestone in recipe.milestones))
    if recipe.schedule == "exponential":
        return float(recipe.final_factor**progress)
    if recipe.schedule == "cosine":
        return recipe.final_factor + (1 - recipe.final_factor) * (1 + math.cos(math.pi * progress)) / 2
    if recipe.schedule == "onecycle":
        return (
            progress / recipe.warm_up if progress < recipe.warm_up else (1 - progress) / (1 - recipe.warm_up)
        )
    return 1.0

"""How the two designs for CIFAR-10 are trained, which several experiments compare with and build upon."""

from __future__ import annotations

from collections.abc import Sequence

from lab.recipes import Augmentation, Recipe


def fixed_parameters(widths: Sequence[int]) -> int:
    """Of design B, how many are not trained: the weights of the whitening, and the two scales of batch norm
    of each block.
    """
    return 24 * 3 * 2 * 2 + 2 * sum(widths)


def recipe_a(epochs: int, learning_rate: float = 0.1) -> Recipe:
    """Of design A, the normalised LeNet-like network."""
    return Recipe(
        epochs=epochs,
        batch=128,
        optimizer="sgd",
        learning_rate=learning_rate,
        weight_decay=5e-4,
        schedule="onecycle",
        warm_up=0.25,
        label_smoothing=0.1,
        augmentation=Augmentation(flip="alternating", shift=3),
    )


def recipe_b(epochs: int, ema: float = 0.0, learning_rate: float = 0.6) -> Recipe:
    """Of design B, the whitened network. Jordan's rate 11.5 and decay 0.0153 are of 1,024 examples and
    decoupled from momentum: see lab.recipes.
    """
    return Recipe(
        epochs=epochs,
        batch=500,
        optimizer="sgd",
        learning_rate=learning_rate,
        momentum=0.85,
        weight_decay=1.5e-3,
        decay_all=True,
        bias_factor=64.0,
        schedule="onecycle",
        warm_up=0.23,
        label_smoothing=0.2,
        augmentation=Augmentation(flip="alternating", shift=2),
        ema=ema,
    )

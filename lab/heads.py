"""Linear heads on kept features: all learning rates and seeds of a sweep are trained at once.

A frozen network gives an image the same features in every epoch, so they are computed once, and what is left
to train is a softmax regression, whose gradient is a product of matrices. The heads of one seed see the same
batches and lie side by side in one matrix; the seeds are the batch of a batched product. This is the training
of `torch.nn.Linear` by `torch.optim.SGD` on the cross-entropy, step by step (tests compare them).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lab.recipes import Recipe, rate_factor
from lab.training import DIVERGED_LOSS

REVISION = 1  # to be raised when the same features, recipe and seeds give other heads


@dataclass
class LearningCurve:
    """One head after each epoch: losses in nats (None where they are no number) and accuracies.

    Of the training images they are running means over the epoch, of the other parts they are of the weights
    at its end.
    """

    learning_rate: float
    seed: int
    loss: dict[str, list[float | None]] = field(default_factory=dict)
    accuracy: dict[str, list[float]] = field(default_factory=dict)
    diverged: bool = False

    def add(self, part: str, loss: float, accuracy: float) -> None:
        self.loss.setdefault(part, []).append(loss if math.isfinite(loss) else None)
        self.accuracy.setdefault(part, []).append(accuracy)

    def as_outcome(self) -> dict[str, list[float]]:
        """The lists of a `lab.training.History`; a loss that is no number is DIVERGED_LOSS there too."""
        losses = {
            f"{part}_loss": [DIVERGED_LOSS if loss is None else min(loss, DIVERGED_LOSS) for loss in curve]
            for part, curve in self.loss.items()
        }
        return losses | {f"{part}_accuracy": curve for part, curve in self.accuracy.items()}


@dataclass(frozen=True)
class Heads:
    """weight: (S, L, classes, D) and bias: (S, L, classes), by seed and learning rate, as the learning
    curves are."""

    weight: Tensor
    bias: Tensor
    learning_curves: list[list[LearningCurve]]

    def each(self, features: Tensor) -> Iterator[tuple[LearningCurve, Tensor]]:
        """Every head's curve and logits (N, classes) of the features (N, D), seed by seed."""
        for weights, biases, row in zip(self.weight, self.bias, self.learning_curves, strict=True):
            for weight, bias, curve in zip(weights, biases, row, strict=True):
                yield curve, features @ weight.T + bias


@torch.no_grad()
def fit_heads(
    features: Tensor,
    labels: Tensor,
    classes: int,
    recipe: Recipe,
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    judged: Mapping[str, tuple[Tensor, Tensor]] | None = None,
    report: Callable[[float, str], None] = lambda fraction, message: None,
) -> Heads:
    """A head for each learning rate and seed.

    features: (N, D) float32, or (V, N, D) for V views of each image, of which one is drawn an epoch. labels:
    (N,). recipe: SGD, whose learning rate is that of `learning_rates` and whose augmentation is the views.
    judged: features (M, D) and labels (M,) of what is measured after every epoch. A seed decides the first
    weights, the order of the images and the views. A head whose loss is no number goes on as "diverged" and
    disturbs no other.

    ValueError where the recipe is not one for heads, or the shapes do not fit.
    """
    if recipe.optimizer != "sgd" or recipe.ema or recipe.patience or recipe.label_smoothing or recipe.clip:
        raise ValueError("heads are trained by SGD without averaging, patience, smoothing or clipping")
    views = features if features.ndim == 3 else features[None]
    count, width = views.shape[1:]
    if labels.shape != (count,) or int(labels.max()) >= classes:
        raise ValueError(f"{count} images need as many labels below {classes}")
    device = views.device
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    weight, bias = (
        torch.stack(first).to(device)
        for first in zip(*(_first(width, classes, one) for one in seeds), strict=True)
    )
    weight, bias = weight.repeat(1, 1, len(learning_rates)), bias.repeat(1, len(learning_rates))
    momenta = torch.zeros_like(weight), torch.zeros_like(bias)
    rates = torch.tensor(learning_rates, device=device).repeat_interleave(classes)
    learning_curves = [[LearningCurve(rate, seed) for rate in learning_rates] for seed in seeds]
    batch = min(recipe.batch, count)
    steps = math.ceil(count / batch)
    for epoch in range(recipe.epochs):
        order = torch.stack([torch.randperm(count, generator=one) for one in generators]).to(device)
        drawn = torch.stack([torch.randint(len(views), (count,), generator=one) for one in generators]).to(
            device
        )
        outcomes = torch.zeros(2, len(seeds), len(learning_rates), device=device)
        for step in range(steps):
            at = order[:, step * batch : (step + 1) * batch]
            inputs = views[drawn.gather(1, at), at]  # (S, B, D)
            targets = labels[at]
            logits = torch.baddbmm(bias[:, None], inputs, weight).unflatten(2, (-1, classes))
            logs = logits.log_softmax(3)  # (S, B, L, classes)
            wanted = targets[:, :, None, None].expand(-1, -1, len(learning_rates), 1)
            outcomes[0] -= logs.gather(3, wanted)[..., 0].sum(1)
            outcomes[1] += (logits.argmax(3) == targets[:, :, None]).sum(1)
            error = logs.exp()
            error.scatter_add_(3, wanted, torch.full_like(wanted, -1, dtype=error.dtype))
            error = (error / at.shape[1]).flatten(2)
            gradients = inputs.transpose(1, 2) @ error, error.sum(1)
            factor = rate_factor(recipe, (epoch * steps + step) / (recipe.epochs * steps), epoch)
            for value, gradient, momentum in zip((weight, bias), gradients, momenta, strict=True):
                if recipe.weight_decay and (value is weight or recipe.decay_all):
                    gradient = gradient + recipe.weight_decay * value
                momentum.mul_(recipe.momentum).add_(gradient)
                nesterov = recipe.nesterov and recipe.momentum > 0
                change = gradient + recipe.momentum * momentum if nesterov else momentum
                value.sub_(change * (rates * factor))
        _record(learning_curves, "train", outcomes / count)
        for part, (inputs, targets) in (judged or {}).items():
            _record(learning_curves, part, _evaluate(inputs, targets, weight, bias, classes))
        report((epoch + 1) / recipe.epochs, f"epoch {epoch + 1}")
    shape = (len(seeds), width, len(learning_rates), classes)
    found = weight.view(shape).permute(0, 2, 3, 1), bias.view(len(seeds), len(learning_rates), classes)
    finite = found[0].isfinite().all(3).all(2) & found[1].isfinite().all(2)
    for seed, row in enumerate(learning_curves):
        for rate, curve in enumerate(row):
            curve.diverged = not bool(finite[seed, rate]) or None in curve.loss["train"]
    return Heads(*found, learning_curves)


def _first(width: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """(D, classes) and (classes,) as `torch.nn.Linear` draws them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = nn.Linear(width, classes)
    return layer.weight.detach().T, layer.bias.detach()


def _evaluate(inputs: Tensor, targets: Tensor, weight: Tensor, bias: Tensor, classes: int) -> Tensor:
    """(2, S, L): mean cross-entropy and accuracy."""
    logits = (inputs @ weight + bias[:, None]).unflatten(2, (-1, classes))
    wanted = targets[None, :, None, None].expand(len(weight), -1, logits.shape[2], 1)
    loss = -logits.log_softmax(3).gather(3, wanted)[..., 0].mean(1)
    return torch.stack([loss, (logits.argmax(3) == targets[None, :, None]).float().mean(1)])


def _record(learning_curves: list[list[LearningCurve]], part: str, outcomes: Tensor) -> None:
    losses, accuracies = outcomes.tolist()
    for row, loss, accuracy in zip(learning_curves, losses, accuracies, strict=True):
        for curve, *one in zip(row, loss, accuracy, strict=True):
            curve.add(part, *one)

"""Heads that are trained at once are those that torch trains one by one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from lab.heads import fit_heads
from lab.recipes import Recipe
from lab.training import DIVERGED_LOSS

CLASSES, WIDTH, COUNT = 4, 7, 50
RATES, SEEDS = (0.5, 0.05, 0.001), (0, 3)


def clouds(count=COUNT, seed=0):
    """Points around one centre a class, which a linear layer can mostly tell apart."""
    drawn = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(9))
    labels = torch.randint(CLASSES, (count,), generator=drawn)
    return centres[labels] + 0.7 * torch.randn(count, WIDTH, generator=drawn), labels


def one_by_one(views, labels, recipe, rate, seed):
    """The same by autograd and torch.optim.SGD."""
    torch.manual_seed(seed)
    layer = nn.Linear(WIDTH, CLASSES)
    groups = [
        {"params": [layer.weight], "weight_decay": recipe.weight_decay},
        {"params": [layer.bias], "weight_decay": recipe.weight_decay * recipe.decay_all},
    ]
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, nesterov=recipe.nesterov)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, recipe.milestones, recipe.gamma)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(recipe.epochs):
        order = torch.randperm(len(labels), generator=generator)
        drawn = torch.randint(len(views), (len(labels),), generator=generator)
        for at in order.split(recipe.batch):
            optimizer.zero_grad()
            F.cross_entropy(layer(views[drawn[at], at]), labels[at]).backward()
            optimizer.step()
        schedule.step()
    return layer


@settings(max_examples=15)
@given(
    momentum=st.sampled_from((0.0, 0.9)),
    decay=st.sampled_from((0.0, 0.01)),
    decay_all=st.booleans(),
    nesterov=st.booleans(),
    batch=st.sampled_from((16, 50, 64)),
    number=st.sampled_from((1, 3)),
)
def test_every_head_is_the_one_that_torch_trains(momentum, decay, decay_all, nesterov, batch, number):
    recipe = Recipe(
        epochs=4,
        batch=batch,
        momentum=momentum,
        nesterov=nesterov and momentum > 0,
        weight_decay=decay,
        decay_all=decay_all,
        schedule="multistep",
        milestones=(2, 3),
    )
    inputs, labels = clouds()
    views = torch.stack([inputs + 0.1 * number for number in range(number)])
    heads = fit_heads(views, labels, CLASSES, recipe, RATES, SEEDS)
    for s, seed in enumerate(SEEDS):
        for r, rate in enumerate(RATES):
            layer = one_by_one(views, labels, recipe, rate, seed)
            assert torch.allclose(heads.weight[s, r], layer.weight, atol=1e-5)
            assert torch.allclose(heads.bias[s, r], layer.bias, atol=1e-5)


def test_what_is_told_is_what_the_heads_do():
    inputs, labels = clouds()
    fresh = clouds(30, seed=1)
    recipe = Recipe(epochs=6, batch=10)
    heads = fit_heads(inputs, labels, CLASSES, recipe, RATES, SEEDS, {"test": fresh})
    for s in range(len(SEEDS)):
        for r, rate in enumerate(RATES):
            curve = heads.learning_curves[s][r]
            logits = fresh[0] @ heads.weight[s, r].T + heads.bias[s, r]
            assert (curve.learning_rate, curve.seed, curve.diverged) == (rate, SEEDS[s], False)
            assert curve.loss["test"][-1] == pytest.approx(F.cross_entropy(logits, fresh[1]).item(), abs=1e-4)
            assert curve.accuracy["test"][-1] == pytest.approx(
                (logits.argmax(1) == fresh[1]).float().mean().item()
            )
            assert len(curve.accuracy["train"]) == recipe.epochs
    assert heads.learning_curves[0][1].accuracy["train"][-1] > 0.6


def test_each_head_comes_with_its_logits_and_the_lists_of_a_history():
    inputs, labels = clouds()
    fresh = clouds(30, seed=1)
    recipe = Recipe(epochs=3, batch=10, weight_decay=1.0)
    heads = fit_heads(inputs, labels, CLASSES, recipe, (0.1, 1e8), SEEDS, {"test": fresh})
    each = list(heads.each(fresh[0]))
    assert [(curve.seed, curve.learning_rate) for curve, _ in each] == [
        (seed, rate) for seed in SEEDS for rate in (0.1, 1e8)
    ]
    for number, (curve, logits) in enumerate(each):
        kept = curve.as_outcome()
        assert {*kept} == {f"{part}_{what}" for part in ("train", "test") for what in ("loss", "accuracy")}
        assert all(len(values) == 3 for values in kept.values())
        if number % 2 == 0:
            right = (logits.argmax(1) == fresh[1]).float().mean().item()
            assert kept["test_accuracy"][-1] == pytest.approx(right)
        else:
            assert curve.diverged and kept["test_loss"][-1] == DIVERGED_LOSS


def test_a_head_that_diverges_disturbs_no_other():
    inputs, labels = clouds()
    recipe = Recipe(epochs=30, batch=10, weight_decay=1.0)
    alone = fit_heads(inputs, labels, CLASSES, recipe, (0.01,), SEEDS)
    both = fit_heads(inputs, labels, CLASSES, recipe, (0.01, 1e6), SEEDS)
    assert torch.allclose(alone.weight[:, 0], both.weight[:, 0], atol=1e-6)
    for row in both.learning_curves:
        assert [curve.diverged for curve in row] == [False, True]
        assert row[1].loss["train"][-1] is None


@pytest.mark.parametrize("wrong", [{"optimizer": "adam"}, {"patience": 3}, {"label_smoothing": 0.1}])
def test_a_recipe_that_is_not_for_heads_is_refused(wrong):
    with pytest.raises(ValueError, match="heads are trained by SGD"):
        fit_heads(*clouds(), CLASSES, Recipe(epochs=1, **wrong), RATES, SEEDS)


def test_more_classes_than_the_head_has_are_refused():
    inputs, labels = clouds()
    with pytest.raises(ValueError, match="labels below 2"):
        fit_heads(inputs, labels, 2, Recipe(epochs=1), RATES, SEEDS)

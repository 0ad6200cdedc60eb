"""Classes of different size: how often each is drawn, and a long tail cut out of a balanced set."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lab.sampling import Resampled, Rounds, zipf

LABELS = torch.tensor([0] * 800 + [1] * 150 + [2] * 50)


@pytest.mark.parametrize(
    ("power", "shares"), [(1, (0.8, 0.15, 0.05)), (0.5, (0.5946, 0.2575, 0.1487)), (0, (1 / 3,) * 3)]
)
def test_classes_are_drawn_in_proportion_to_a_power_of_their_size(power, shares):
    drawn = torch.cat([Resampled(power)(LABELS, torch.Generator().manual_seed(seed)) for seed in range(20)])
    found = torch.bincount(LABELS[drawn]) / len(drawn)
    assert found.tolist() == pytest.approx(shares, abs=0.02)
    one = Resampled(power)(LABELS, torch.Generator().manual_seed(0))
    assert len(one) == len(LABELS)
    assert torch.equal(one, Resampled(power)(LABELS, torch.Generator().manual_seed(0)))


def test_a_long_tail_has_the_first_class_over_the_rank_of_each():
    labels = np.repeat(np.arange(5), 60)
    chosen = zipf(labels, 60, seed=0)
    assert sorted(np.bincount(labels[chosen]), reverse=True) == [60, 30, 20, 15, 12]
    assert len(set(chosen.tolist())) == len(chosen)
    ranks = {tuple(np.argsort(-np.bincount(labels[zipf(labels, 60, seed)])).tolist()) for seed in range(6)}
    assert len(ranks) > 1  # a seed decides who is rare


@pytest.mark.parametrize(
    ("largest", "told"), [(61, "should have 61 images, and there are 60"), (1, "have 0 images")]
)
def test_a_tail_that_cannot_be_cut_is_refused(largest, told):
    with pytest.raises(ValueError, match=told):
        zipf(np.repeat(np.arange(5), 60), largest, seed=0)


@pytest.mark.parametrize("count", [3, 10, 25])
def test_a_round_has_as_many_images_as_asked_for_and_each_about_as_often(count):
    labels = torch.zeros(10)
    drawn = Rounds(count)(labels, torch.Generator().manual_seed(0))
    times = torch.bincount(drawn, minlength=10)
    assert len(drawn) == count and int(times.max() - times.min()) <= 1
    assert torch.equal(drawn, Rounds(count)(labels, torch.Generator().manual_seed(0)))

"""Every pair from a histogram, against scikit-learn on the pairs themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lab import pairs, verification
from lab.pairs import PairHistogram, every_pair, resampled_aucs


def people(count, each, width=16, seed=0, spread=1.0):
    drawn = torch.Generator().manual_seed(seed)
    names = torch.arange(count).repeat_interleave(each)[torch.randperm(count * each, generator=drawn)]
    centres = torch.randn(count, width, generator=drawn)
    return centres[names] + spread * torch.randn(count * each, width, generator=drawn), names.numpy()


def plain(points, names, metric):
    """Distances and whether the pair is the same, one by one in float64."""
    points = points.double()
    if metric == "cosine":
        points = torch.nn.functional.normalize(points, dim=1)
        distances = 1 - points @ points.T
    else:
        distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    first, second = np.triu_indices(len(points), 1)
    return distances.numpy()[first, second], names[first] == names[second]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_the_auc_is_that_of_scikit_learn(metric, offset):
    points, names = people(40, 6)
    points = points + offset
    distances, same = plain(points, names, metric)
    found = every_pair(points, names, metric, bins=2**20)
    assert found.pairs == (same.sum(), (~same).sum())
    tolerance = 1e-6 if not (offset and metric == "cosine") else 2e-4  # all point the same way
    assert found.auc() == pytest.approx(roc_auc_score(same, -distances), abs=tolerance)


@settings(max_examples=25)
@given(
    count=st.integers(2, 9),
    each=st.integers(1, 5),
    seed=st.integers(0, 99),
    block=st.sampled_from((1, 7, 2**21)),
)
def test_blocks_and_workers_change_no_count(
    count,
    each,
    seed,
    block,
):
    points, names = people(count, each, seed=seed)
    distances, same = plain(points, names, "cosine")
    before, pairs.BLOCK = pairs.BLOCK, block
    try:
        found = every_pair(points, names, bins=16, workers=2)
    finally:
        pairs.BLOCK = before
    assert found.pairs == (same.sum(), (~same).sum())
    edge = np.abs(distances * 8 - np.round(distances * 8)).min() < 1e-4  # float32 may take the next bin
    if not edge:
        at = np.clip((distances * 8).astype(int), 0, 15)
        assert found.same.tolist() == np.bincount(at[same], minlength=16).tolist()
        assert found.different.tolist() == np.bincount(at[~same], minlength=16).tolist()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("block", [50, 2**20])
def test_people_drawn_again_give_the_aucs_of_weighted_pairs(metric, block, monkeypatch):
    monkeypatch.setattr(pairs, "BLOCK", block)
    points, names = people(11, 4, spread=2.0)
    keep = np.flatnonzero((names != 3) | (np.arange(44) % 2 == 0))  # not as many images of everyone
    points, names = points[keep], names[keep]
    distances, _ = plain(points, names, metric)
    first, second = verification.every(len(names))
    listed = verification.Pairs.of(distances, names[first], names[second])
    expected = verification.auc(listed, verification.drawn_again(listed, 60, seed=5))
    found = resampled_aucs(points, names, 60, metric, seed=5)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert found.std() > 0.01
    many = resampled_aucs(points, names, 400, metric, seed=1)
    assert many.mean() == pytest.approx(every_pair(points, names, metric).auc(), abs=0.02)


def test_people_without_pairs_of_both_kinds_are_not_drawn():
    points, _ = people(3, 2)
    for names in (np.zeros(6), np.arange(6)):
        with pytest.raises(ValueError, match="a ROC needs pairs of both kinds"):
            resampled_aucs(points, names, 10)


def test_histograms_of_parts_add_up_and_others_are_refused():
    one, two = (every_pair(*people(5, 4, seed=seed), bins=64) for seed in (1, 2))
    both = one + two
    assert both.pairs == tuple(a + b for a, b in zip(one.pairs, two.pairs, strict=True))
    with pytest.raises(ValueError, match="do not add up"):
        one + every_pair(*people(5, 4), bins=32)


def test_rates_of_pairs_that_are_told_apart_and_of_pairs_that_are_not():
    apart = PairHistogram(np.array([5, 0, 0, 0]), np.array([0, 0, 3, 4]), 2.0)
    assert apart.auc() == 1
    assert apart.equal_error_rate()[0] == 0
    assert apart.true_positive_rate(0.0) == 1
    alike = PairHistogram(np.array([2, 2]), np.array([3, 3]), 2.0)
    assert alike.auc() == 0.5
    assert alike.equal_error_rate() == (0.5, 1.0)
    assert alike.true_positive_rate(0.1) == 0


@pytest.mark.parametrize(
    ("points", "names", "told"),
    [
        (torch.zeros(1, 3), [0], "at least two images"),
        (torch.zeros(3, 3), [0, 1], "as many names"),
        (torch.full((2, 3), float("nan")), [0, 1], "no finite numbers"),
    ],
)
def test_embeddings_without_sense_are_refused(points, names, told):
    with pytest.raises(ValueError, match=told):
        every_pair(points, names)


def test_a_roc_needs_pairs_of_both_kinds():
    with pytest.raises(ValueError, match="0 same, 3 different"):
        every_pair(torch.eye(3), [0, 1, 2]).auc()

"""Pairs judged against scikit-learn and by hand: thresholds, rates, ROC, AUC, and people drawn again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lab.verification import (
    Pairs,
    auc,
    balanced_threshold,
    drawn_again,
    equal_error_rate,
    every,
    rates,
    roc,
    threshold_at,
)


def some_pairs(seed: int = 0, people: int = 6, each: int = 4, ties: bool = False) -> Pairs:
    drawn = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    first, second = every(len(who))
    distances = drawn.normal(size=len(first)) + 1.0 * (who[first] != who[second]) + 4
    return Pairs.of(np.round(distances, 1 if ties else 9), who[first], who[second])


@settings(max_examples=30)
@given(st.integers(0, 1_000), st.booleans())
def test_auc_is_scikit_learns_with_weights_and_ties(seed, ties):
    pairs = some_pairs(seed, ties=ties)
    weights = drawn_again(pairs, 4, seed)
    assert auc(pairs)[0] == pytest.approx(roc_auc_score(pairs.same, -pairs.distances))
    for found, one in zip(auc(pairs, weights), weights, strict=True):
        assert found == pytest.approx(roc_auc_score(pairs.same, -pairs.distances, sample_weight=one))


def test_a_pair_counts_as_often_as_its_people_are_drawn():
    pairs = some_pairs(people=3, each=3)
    for weights in drawn_again(pairs, 50):
        counts = {person: weights[pairs.same & (pairs.first == person)] for person in range(3)}
        assert all(len(set(one)) == 1 for one in counts.values())
        times = {person: one[0] for person, one in counts.items()}
        assert sum(times.values()) == 3
        for first, second, weight in zip(pairs.first, pairs.second, weights, strict=True):
            if first != second:
                assert weight == times[first] * times[second]
        assert weights[~pairs.same].any()  # never one person alone


def test_the_interval_over_people_is_wider_than_that_over_pairs():
    drawn = np.random.default_rng(1)
    who = np.repeat(np.arange(8), 5)
    shift = drawn.normal(size=8)  # some people are harder than others
    first, second = every(len(who))
    same = who[first] == who[second]
    distances = drawn.normal(size=len(first)) * 0.2 + np.where(same, shift[who[first]], 1)
    pairs = Pairs.of(distances, who[first], who[second])
    over_people = auc(pairs, drawn_again(pairs, 300)).std()
    count = len(pairs)
    alone = np.stack(
        [np.bincount(drawn.integers(count, size=count), minlength=count) for _ in range(300)]
    ).astype(float)
    assert over_people > 1.5 * auc(pairs, alone).std()


def test_a_threshold_of_balanced_accuracy_is_the_best_of_all():
    for seed in range(10):
        pairs = some_pairs(seed, ties=bool(seed % 2))
        best = max(
            rates(pairs, cut).balanced
            for cut in np.concatenate([pairs.distances, pairs.distances + 1e-9, [-1, 99]])
        )
        assert rates(pairs, balanced_threshold(pairs)).balanced == pytest.approx(best)


def test_a_threshold_lies_in_the_middle_of_what_parts_the_kinds():
    pairs = Pairs.of([1.0, 2.0, 4.0, 5.0], [0, 1, 0, 0], [0, 1, 1, 1])
    assert balanced_threshold(pairs) == 3
    assert rates(pairs, 3).accuracy == 1


def test_a_threshold_at_a_false_positive_rate_accepts_no_more():
    pairs = some_pairs()
    for wanted in (0, 0.01, 0.1, 0.5):
        limit = threshold_at(pairs, wanted)
        assert rates(pairs, limit).false_positive <= wanted
        assert rates(pairs, np.nextafter(limit, np.inf)).false_positive > wanted
    assert threshold_at(pairs, 1) == np.inf


def test_the_roc_runs_through_its_points_and_its_equal_error_rate_lies_on_it():
    pairs = Pairs.of([1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 1, 0], [0, 1, 0, 1, 2, 2])
    # same: 1, 3, 4; different: 2, 5, 6
    assert roc(pairs, [0, 1 / 3, 1]).tolist() == [[1 / 3, 1, 1]]
    assert equal_error_rate(pairs) == pytest.approx(1 / 3)
    easy = Pairs.of([1, 2, 8, 9], [0, 1, 0, 0], [0, 1, 1, 1])
    assert equal_error_rate(easy) == 0
    rate = equal_error_rate(some_pairs())
    assert 1 - roc(some_pairs(), [rate])[0, 0] == pytest.approx(rate, abs=0.02)


def test_equal_distances_tell_nothing():
    pairs = Pairs.of([2.0] * 6, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2])
    assert auc(pairs)[0] == 0.5
    assert equal_error_rate(pairs) == 0.5
    assert rates(pairs, balanced_threshold(pairs)).balanced == 0.5


@pytest.mark.parametrize(
    ("distances", "first", "second", "told"),
    [
        ([], [], [], "of 0 pairs 0 are of the same"),
        ([1.0], [0], [0], "of 1 pairs 1 are of the same"),
        ([1.0], [0], [1], "of 1 pairs 0 are of the same"),
        ([1.0, float("nan")], [0, 0], [0, 1], "no finite numbers"),
    ],
)
def test_pairs_that_cannot_be_judged_are_refused(distances, first, second, told):
    with pytest.raises(ValueError, match=told):
        Pairs.of(distances, first, second)

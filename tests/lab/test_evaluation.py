"""Accuracies, intervals and paired tests against published examples, closed forms and simulation."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import recall_score, roc_auc_score

from lab.evaluation import (
    accuracy,
    bootstrap,
    confusion,
    holm,
    mcnemar,
    over_images,
    over_seeds,
    p_of_resamples,
    paired_over_images,
    paired_over_seeds,
    per_class_accuracy,
    wilson,
)

#: Extra hours of sleep under two drugs, ten patients (Student 1908; `sleep` in R).
SLEEP_A = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_B = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

accuracies = st.floats(0, 1, allow_subnormal=False)
of_10_000_images = st.integers(0, 10_000).map(lambda correct: correct / 10_000)
levels = st.floats(0.5, 0.999)


def discordant(only_a: int, only_b: int, both: int = 101, neither: int = 33):
    """Whether each of two classifiers was right, image by image, with these counts."""
    a = np.repeat([True, False, True, False], [only_a, only_b, both, neither])
    b = np.repeat([False, True, True, False], [only_a, only_b, both, neither])
    return a, b


def test_accuracy_is_the_share_of_equal_entries():
    assert accuracy([0, 1, 2, 2], [0, 1, 1, 2]) == 0.75


# Newcombe (1998), Statistics in Medicine 17:857, table I, method 3.
@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_published_intervals(correct, total, low, high):
    estimate = wilson(correct, total)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)
    assert (estimate.value, estimate.n, estimate.level) == (correct / total, total, 0.95)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("total", [1, 10, 10_000])
def test_wilson_of_all_right_ends_where_worked_by_hand(total, level):
    z = stats.norm.isf((1 - level) / 2)
    assert wilson(total, total, level).low == pytest.approx(total / (total + z**2))
    assert wilson(total, total, level).high == 1


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), levels)
def test_wilson_contains_the_proportion_mirrors_it_and_narrows_with_more_images(counts, level):
    correct, total = counts
    estimate = wilson(correct, total, level)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    wrong = wilson(total - correct, total, level)
    assert (wrong.low, wrong.high) == pytest.approx((1 - estimate.high, 1 - estimate.low))
    more = wilson(4 * correct, 4 * total, level)
    assert more.high - more.low < estimate.high - estimate.low


def test_the_interval_over_two_seeds_is_as_worked_by_hand():
    estimate = over_seeds([0.6, 0.8])  # t(1) at 97.5 % is 12.7062, s / √2 is 0.1
    assert estimate.value == pytest.approx(0.7)
    assert (estimate.low, estimate.high) == pytest.approx((0.7 - 1.27062, 0.7 + 1.27062), abs=1e-5)
    assert (over_seeds([0.6, 0.8], bounds=(0, 1)).low, over_seeds([0.6, 0.8], bounds=(0, 1)).high) == (0, 1)


def test_one_seed_has_no_interval():
    estimate = over_seeds([0.7])
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (0.7, None, None, 1)


@given(accuracies, st.integers(2, 12))
def test_a_repeated_value_is_its_own_mean_and_interval_without_a_warning(value, n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = over_seeds([value] * n, bounds=(0, 1))
    assert (estimate.low, estimate.value, estimate.high) == (value, value, value)


@given(st.lists(accuracies, min_size=2, max_size=12), levels)
def test_the_interval_over_seeds_contains_the_mean_and_widens_with_the_level(values, level):
    estimate = over_seeds(values, level)
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.value == pytest.approx(np.mean(values))
    wider = over_seeds(values, (1 + level) / 2)
    assert wider.low <= estimate.low and estimate.high <= wider.high


def test_the_interval_over_seeds_covers_the_true_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(0.9, 0.01, (4000, 5))
    intervals = [over_seeds(seeds) for seeds in draws]
    covered = sum(interval.low <= 0.9 <= interval.high for interval in intervals)
    assert covered / len(draws) == pytest.approx(0.95, abs=0.01)  # 3 standard errors


def test_a_paired_difference_gives_students_published_example():
    result = paired_over_seeds(
        SLEEP_A, SLEEP_B
    )  # R: t.test(paired): -1.58, p 0.002833, -2.4598858 to -0.7001142
    assert result.difference.value == pytest.approx(-1.58)
    assert (result.difference.low, result.difference.high) == pytest.approx((-2.4598858, -0.7001142))
    assert result.p == pytest.approx(0.002833, abs=5e-7)


@given(st.lists(st.tuples(of_10_000_images, of_10_000_images), min_size=2, max_size=10))
def test_a_paired_p_is_below_five_percent_exactly_where_the_interval_leaves_out_zero(pairs):
    a, b = np.array(pairs).T
    result, swapped = paired_over_seeds(a, b), paired_over_seeds(b, a)
    assert swapped.p == result.p and swapped.difference.value == -result.difference.value
    if result.p is not None and abs(result.p - 0.05) > 1e-9:
        assert (result.p < 0.05) == (not result.difference.low <= 0 <= result.difference.high)


@pytest.mark.parametrize(
    ("a", "b"), [([0.9], [0.8]), ([0.7, 0.8], [0.7, 0.8]), ([0.7, 0.8, 0.9], [0.6, 0.7, 0.8])]
)
def test_a_paired_test_claims_no_p_without_spread(a, b):
    assert paired_over_seeds(a, b).p is None


def test_a_bootstrap_of_a_proportion_ends_at_the_binomial_quantiles():
    right = np.repeat([1, 0], [70, 30])  # a resample of n items has a binomial number of right ones
    estimate = bootstrap(right, np.mean, level=0.9)
    exact = stats.binom(100, 0.7).ppf([0.05, 0.95]) / 100
    assert (estimate.low, estimate.high) == pytest.approx(exact, abs=0.011)  # one item
    assert (estimate.value, estimate.n) == (0.7, 100)


@settings(max_examples=25)
@given(st.lists(accuracies, min_size=2, max_size=30), st.integers(0, 5))
def test_a_bootstrap_of_a_mean_contains_it_within_the_range_and_repeats_by_seed(values, seed):
    estimate = bootstrap(values, np.mean, resamples=200, seed=seed)
    assert min(values) - 1e-12 <= estimate.low <= estimate.high + 1e-12 <= max(values) + 2e-12
    assert estimate == bootstrap(values, np.mean, resamples=200, seed=seed)


@pytest.mark.parametrize("copies", [4, 9])
def test_copies_of_an_item_add_nothing_when_their_group_is_known(copies):
    people = np.random.default_rng(1).random(40)
    faces, who = np.repeat(people, copies), np.repeat(np.arange(40), copies)
    alone, grouped, blind = (
        bootstrap(people, np.mean, resamples=2000),
        bootstrap(faces, np.mean, who, resamples=2000),
        bootstrap(faces, np.mean, resamples=2000),
    )
    assert (grouped.low, grouped.high, grouped.n) == pytest.approx((alone.low, alone.high, 40))
    narrower = (blind.high - blind.low) / (grouped.high - grouped.low)
    assert narrower == pytest.approx(1 / math.sqrt(copies), rel=0.1)


def test_a_bootstrap_draws_groups_whole_whatever_the_order_of_rows():
    seen = set()

    def drawn(rows):
        seen.add(tuple(sorted(rows)))
        return rows.mean()

    bootstrap([10, 1, 11, 2, 12], drawn, ["a", "b", "a", "b", "a"], resamples=50)
    assert seen == {(10, 10, 11, 11, 12, 12), (1, 2, 10, 11, 12), (1, 1, 2, 2)}


def test_a_bootstrap_takes_items_of_several_numbers():
    rng = np.random.default_rng(2)
    label = np.repeat([0, 1], 50)
    pairs = np.stack([label + rng.normal(size=100), label], axis=1)
    estimate = bootstrap(pairs, lambda rows: roc_auc_score(rows[:, 1], rows[:, 0]), resamples=200)
    assert estimate.value == roc_auc_score(label, pairs[:, 0])
    assert estimate.low < estimate.value < estimate.high <= 1


def test_a_bootstrap_of_one_group_has_no_interval_and_of_equal_values_no_width():
    alone = bootstrap([0.2, 0.4], np.mean, ["a", "a"])
    assert (alone.low, alone.high, alone.n) == (None, None, 1)
    equal = bootstrap([1, 1, 1], np.mean, resamples=100)
    assert (equal.low, equal.value, equal.high) == (1, 1, 1)


# The exact p-values of statsmodels' own tests, computed there with VassarStats; (1, 9) is 2 · (1 + 10) / 2¹⁰.
@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [
        (121, 59, 0.000004),
        (70, 59, 0.378688),
        (80, 59, 0.089452),
        (30, 60, 0.00206),
        (10, 30, 0.002221),
        (10, 10, 1.0),
        (1, 9, 0.021484),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_gives_the_published_exact_p(only_a, only_b, p):
    result = mcnemar(*discordant(only_a, only_b))
    assert (result.only_a, result.only_b, round(result.p, 6)) == (only_a, only_b, p)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5))
def test_mcnemar_is_symmetric_and_blind_to_images_both_got_alike(only_a, only_b, alike):
    a, b = discordant(only_a, only_b)
    there, back = mcnemar(a, b), mcnemar(b, a)
    assert (there.only_a, there.only_b, there.p) == (back.only_b, back.only_a, pytest.approx(back.p))
    assert mcnemar(*discordant(only_a, only_b, both=alike + 1, neither=alike)) == there
    assert 0 <= there.p <= 1


def test_confusion_has_truth_in_rows_and_keeps_classes_never_seen():
    matrix = confusion(labels=[0, 0, 1, 1, 1], predictions=[0, 1, 1, 1, 3], classes=4)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 2, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert per_class_accuracy(matrix)[:2].tolist() == [1 / 2, 2 / 3]
    assert np.isnan(per_class_accuracy(matrix)[2:]).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_confusion_accounts_for_every_image(pairs):
    labels, predictions = np.array(pairs).T
    matrix = confusion(labels, predictions, 5)
    assert matrix.sum(axis=1).tolist() == np.bincount(labels, minlength=5).tolist()
    assert matrix.sum(axis=0).tolist() == np.bincount(predictions, minlength=5).tolist()
    assert np.trace(matrix) / matrix.sum() == pytest.approx(accuracy(predictions, labels))
    recall = recall_score(labels, predictions, labels=range(5), average=None, zero_division=np.nan)
    np.testing.assert_allclose(per_class_accuracy(matrix), recall)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: accuracy([], []), "predictions must be a list of at least one number"),
        (lambda: accuracy([1, 2], [1]), "predictions and labels must have the same length, not 2 and 1"),
        (lambda: accuracy([[1, 2]], [1]), "predictions must have one axis"),
        (lambda: accuracy(["cat"], [1]), "predictions must hold finite numbers"),
        (lambda: wilson(3, 2), "0 ≤ correct ≤ total"),
        (lambda: wilson(0, 0), "total ≥ 1"),
        (lambda: wilson(-1, 2), "0 ≤ correct"),
        (lambda: wilson(0.5, 2), "whole numbers"),
        (lambda: wilson(math.nan, 2), "whole numbers"),
        (lambda: wilson(1, math.inf), "whole numbers"),
        (lambda: wilson(1, 2, level=95), "level must lie between 0 and 1"),
        (lambda: over_seeds([]), "values must be a list of at least one number"),
        (lambda: over_seeds(0.5), "values must be a list of at least one number"),
        (lambda: over_seeds([0.5, math.nan]), "values must hold finite numbers"),
        (lambda: over_seeds([0.5, 72.0], bounds=(0, 1)), "outside the bounds 0 to 1"),
        (lambda: over_seeds([0.5], level=1), "level must lie between 0 and 1"),
        (lambda: paired_over_seeds([0.5, 0.6], [0.5]), "a and b must have the same length"),
        (lambda: paired_over_seeds([0.5, 0.6], [0.5, 0.6], level=0), "level must lie between 0 and 1"),
        (lambda: bootstrap([], np.mean), "values must be a list of at least one number"),
        (lambda: bootstrap([0.1, math.inf], np.mean), "values must hold finite numbers"),
        (lambda: bootstrap([0.1, 0.2], np.mean, ["a"]), "a group, not NaN, for each of 2 values"),
        (lambda: bootstrap([0.1, 0.2], np.mean, [1, math.nan]), "a group, not NaN, for each of 2 values"),
        (
            lambda: bootstrap([0.1, 0.2], np.mean, resamples=10),
            "10 resamples are too few for level 0.95: take 40",
        ),
        (lambda: bootstrap([0.1, 0.2], np.mean, level=-1), "level must lie between 0 and 1"),
        (lambda: bootstrap([0.0, 1.0], lambda rows: math.nan), "statistic must give a finite number"),
        (lambda: mcnemar([True], [True, False]), "correct_a and correct_b must have the same length"),
        (lambda: mcnemar([3, 1], [1, 0]), "true or false for each image"),
        (lambda: confusion([0, 1], [0, 2], 2), "predictions must be class numbers from 0 to 1"),
        (lambda: confusion([-1, 1], [0, 1], 2), "labels must be class numbers from 0 to 1"),
        (lambda: confusion([0.5, 1], [0, 1], 2), "labels must be class numbers from 0 to 1"),
        (lambda: per_class_accuracy([[1, 2]]), "square"),
        (lambda: per_class_accuracy([[-1]]), "square and counts images"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(ValueError) as refusal:
        call()
    assert sentence in str(refusal.value)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


def test_importing_it_imports_neither_torch_nor_scipy_nor_sklearn():
    heavy = "{'torch', 'scipy', 'sklearn'} & set(sys.modules)"
    code = f"import sys, lab.evaluation; sys.exit(repr({heavy}) if {heavy} else 0)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_holm_adjusts_as_by_hand_in_any_order_and_leaves_out_what_has_no_test():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, None, 0.04]) == pytest.approx([0.02, None, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_value_itself_and_bonferroni(values):
    for p, adjusted in zip(values, holm(values), strict=True):
        assert p <= adjusted <= min(1, p * len(values)) + 1e-12


def test_holm_falsely_finds_something_in_at_most_a_twentieth_of_families_of_nothing():
    random = np.random.default_rng(0)
    found = [min(holm(random.random(20).tolist())) < 0.05 for _ in range(2_000)]
    assert 0.03 < np.mean(found) < 0.07


def test_the_p_value_of_resamples_is_twice_the_smaller_side_and_never_zero():
    assert p_of_resamples(np.arange(-4, 96)) == pytest.approx(2 * 6 / 101)  # -4 … 0
    assert p_of_resamples(np.ones(999)) == pytest.approx(0.002)
    assert p_of_resamples(np.zeros(9)) == 1.0


def test_means_over_images_are_those_of_the_bootstrap():
    random = np.random.default_rng(3)
    correct = random.random(300) < 0.7
    quick, slow = over_images(correct), bootstrap(correct, np.mean)
    assert (quick.value, quick.n, quick.level) == (slow.value, 300, 0.95)
    assert (quick.low, quick.high) == pytest.approx((slow.low, slow.high), abs=0.004)
    assert over_images([1.0]).low is None
    always = over_images(np.full(50, 1 / 3))
    assert always.low == pytest.approx(1 / 3) == always.high


def test_a_paired_difference_has_the_p_value_of_its_interval():
    random = np.random.default_rng(4)
    better = random.random(400) < 0.8
    worse = better & (random.random(400) < 0.9)
    found = paired_over_images(better, worse)
    assert found.difference.value == pytest.approx(better.mean() - worse.mean())
    assert found.difference.low > 0 and found.p < 0.001
    back = paired_over_images(worse, better)
    assert (back.difference.low, back.difference.high) == pytest.approx(
        (-found.difference.high, -found.difference.low), abs=1e-9
    )
    assert back.p == found.p
    assert paired_over_images(better, better).p == 1
    assert paired_over_images([1], [0]).p is None


def test_chance_differences_are_significant_as_rarely_as_they_should_be():
    random = np.random.default_rng(5)
    p_values = [
        paired_over_images(random.random(200) < 0.5, random.random(200) < 0.5, resamples=499).p
        for _ in range(200)
    ]
    assert 0.01 < np.mean(np.array(p_values) < 0.05) < 0.1

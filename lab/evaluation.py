"""How good a classifier is and how sure that is: accuracy, confusion, intervals and paired tests.

Each interval answers one question. `wilson`: which proportions are compatible with this many right among this
many images. `over_seeds`: where the mean over further seeds would lie, on the same images. `bootstrap`: what
other images (or people, tracks, paintings) might have given. None covers what the others do: an interval over
seeds says nothing of other test images. No network is needed here, and no torch: tensors on the CPU are taken
as arrays.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

REVISION = 1  # to be raised when the same outcomes give other numbers

SAME = (
    1e-12  # differences that vary by less than this part of the values they come from vary by rounding only
)


@dataclass(frozen=True)
class Estimate:
    """A value, and the ends of its interval at `level`; both are None where n does not allow one.

    n counts what the interval rests on: images, seeds, or groups.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    level: float = 0.95


@dataclass(frozen=True)
class Difference:
    """A mean difference and its two-sided p-value; None where the test is not defined."""

    difference: Estimate
    p: float | None


@dataclass(frozen=True)
class Discordance:
    """Images that only the first and only the second classifier got right, and the two-sided p-value."""

    only_a: int
    only_b: int
    p: float


def accuracy(predictions: ArrayLike, labels: ArrayLike) -> float:
    """The share, 0–1, of `predictions` (N,) that equal `labels` (N,), both class numbers."""
    predicted, true = _pair("predictions", predictions, "labels", labels)
    return float(np.mean(predicted == true))


def wilson(correct: int, total: int, level: float = 0.95) -> Estimate:
    """The proportion correct ÷ total with its score interval (Wilson 1927, JASA 22:209), which stays in 0–1.

    It takes images as independent; where several show the same person or track, use `bootstrap` with groups.
    """
    from scipy.stats import binomtest  # half a second to import

    _check_level(level)
    if not (total >= 1 and 0 <= correct <= total and correct % 1 == 0 and total % 1 == 0):
        raise ValueError(
            f"A proportion needs whole numbers 0 ≤ correct ≤ total, total ≥ 1: {correct} of {total}."
        )
    interval = binomtest(int(correct), int(total)).proportion_ci(confidence_level=level, method="wilson")
    return Estimate(correct / total, float(interval.low), float(interval.high), int(total), level)


def over_seeds(values: ArrayLike, level: float = 0.95, bounds: tuple[float, float] | None = None) -> Estimate:
    """The mean of `values` (n,), one a seed, with Student's t-interval (Student 1908, Biometrika 6:1).

    mean ± t(n − 1) · s / √n; no interval for one seed. `bounds`, (0, 1) of an accuracy, cut the interval.
    """
    from scipy.stats import t

    _check_level(level)
    numbers = _vector("values", values).astype(float).tolist()
    low, high = bounds or (-math.inf, math.inf)
    if min(numbers) < low or max(numbers) > high:
        raise ValueError(f"values has {min(numbers)} to {max(numbers)}, outside the bounds {low} to {high}.")
    n, mean = len(numbers), statistics.mean(numbers)  # exact sums: a repeated value has itself as mean
    if n == 1:
        return Estimate(mean, None, None, n, level)
    half = float(t.isf((1 - level) / 2, n - 1)) * statistics.stdev(numbers) / math.sqrt(n)
    return Estimate(mean, max(mean - half, low), min(mean + half, high), n, level)


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[NDArray[Any]], float],
    groups: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> Estimate:
    """`statistic` of `values` with its percentile interval (Efron and Tibshirani 1993, section 13.3).

    values: (N,), or (N, k) where an item has several numbers, such as score and label; `statistic` takes such
    an array of any N. groups: (N,) names; whole groups are drawn with replacement (Davison and Hinkley 1997,
    section 3.8), and n of the estimate counts groups. No interval for one group; with few it is too narrow.
    Percentile rather than BCa, which is not defined where the statistic does not vary (every image right).
    """
    from scipy.stats import bootstrap as resample

    _check_level(level)
    items = _array("values", values)
    if resamples * (1 - level) < 2:
        raise ValueError(
            f"{resamples} resamples are too few for level {level}: take {math.ceil(2 / (1 - level))}."
        )
    names = np.arange(len(items)) if groups is None else np.asarray(groups)
    if names.shape != items.shape[:1] or np.any(names != names):  # NaN differs from itself
        raise ValueError(f"groups must name a group, not NaN, for each of {len(items)} values.")
    group, sizes = np.unique(names, return_inverse=True, return_counts=True)[1:]
    rows = np.argsort(group, kind="stable")  # row numbers, group by group
    starts = np.cumsum(sizes) - sizes  # where in `rows` each group starts

    def measured(sample: NDArray[Any]) -> float:
        result = float(statistic(sample))
        if not math.isfinite(result):
            raise ValueError("statistic must give a finite number for values and for every resample of them.")
        return result

    def of_drawn(drawn: NDArray[np.int64]) -> float:
        lengths = sizes[drawn]
        shifts = starts[drawn] - (np.cumsum(lengths) - lengths)  # from a place in the sample to one in `rows`
        return measured(items[rows[np.arange(lengths.sum()) + np.repeat(shifts, lengths)]])

    value, n = measured(items), len(sizes)
    if n == 1:
        return Estimate(value, None, None, n, level)
    interval = resample(
        (np.arange(n),),
        of_drawn,
        n_resamples=resamples,
        batch=100,
        vectorized=False,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(value, float(interval.low), float(interval.high), n, level)


def paired_over_seeds(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Difference:
    """The mean of a − b over seeds, (n,) each in the same order of seeds, with Student's paired t-test.

    p is None for one seed, and where all differences are the same: without spread there is no test.
    """
    from scipy.stats import ttest_rel

    first, second = (x.astype(float) for x in _pair("a", a, "b", b))
    difference = over_seeds(first - second, level)
    spread, scale = np.ptp(first - second), max(np.abs(first).max(), np.abs(second).max())
    if len(first) == 1 or spread <= SAME * scale:
        return Difference(difference, None)
    return Difference(difference, float(ttest_rel(first, second).pvalue))


def over_images(values: ArrayLike, level: float = 0.95, resamples: int = 9999, seed: int = 0) -> Estimate:
    """The mean of `values` (N,), one an image, as `bootstrap` has it without groups, in less time."""
    return _estimate(_vector("values", values), level, resamples, seed)[0]


def paired_over_images(
    a: ArrayLike, b: ArrayLike, level: float = 0.95, resamples: int = 9999, seed: int = 0
) -> Difference:
    """The mean of a − b, (N,) each, image by image, with interval and p-value of the same resamples.

    Values are right or wrong, or the share of several networks that were right. p is None for one image.
    """
    first, second = _pair("a", a, "b", b)
    estimate, drawn = _estimate(first.astype(float) - second, level, resamples, seed)
    return Difference(estimate, p_of_resamples(drawn) if estimate.n > 1 else None)


def _estimate(
    values: NDArray[Any], level: float, resamples: int, seed: int
) -> tuple[Estimate, NDArray[np.float64]]:
    """The mean with its percentile interval, and the means of the resamples."""
    _check_level(level)
    generator, n = np.random.default_rng(seed), len(values)
    value = float(values.mean())
    if n == 1:
        return Estimate(value, None, None, n, level), np.array([value])
    drawn = np.concatenate(
        [
            values[generator.integers(n, size=(min(100, resamples - start), n))].mean(axis=1)
            for start in range(0, resamples, 100)
        ]
    )
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]).tolist()
    # where nothing varies, sums in another order differ in the last digit
    return Estimate(value, min(low, value), max(high, value), n, level), drawn


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values adjusted for their number, in the same order (Holm 1979, Scand. J. Statist. 6:65).

    A comparison is significant at 5% within its family where the adjusted value is below 0.05. None, a
    comparison without a test, stays None and does not count.
    """
    tested = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, at) in enumerate(tested):
        if not 0 <= p <= 1:
            raise ValueError(f"a p-value lies between 0 and 1, and this is {p}")
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        adjusted[at] = largest
    return adjusted


def p_of_resamples(differences: ArrayLike) -> float:
    """Two-sided p-value of "no difference" from the bootstrap resamples (R,) of a difference.

    Twice the smaller share of resamples on either side of zero, which counts for both, with one added to
    count and number (Davison and Hinkley 1997, section 4.2.3), so that it is never 0.
    """
    drawn = _vector("differences", differences)
    least = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (least + 1) / (len(drawn) + 1))


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> Discordance:
    """Are two classifiers right equally often on the same images? (McNemar 1947, Psychometrika 12:153)

    correct_a, correct_b: (N,) booleans, image by image. Where one alone is right, it is either with the same
    chance under the hypothesis: the exact two-sided binomial test at ½. p is 1 where there is no such image.
    """
    from scipy.stats import binomtest

    a, b = _pair("correct_a", correct_a, "correct_b", correct_b)
    if not (np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()):
        raise ValueError(
            "correct_a and correct_b must say true or false for each image; these hold other numbers."
        )
    only_a, only_b = int(np.sum(a > b)), int(np.sum(b > a))
    discordant = only_a + only_b
    return Discordance(only_a, only_b, float(binomtest(only_a, discordant).pvalue) if discordant else 1.0)


def confusion(labels: ArrayLike, predictions: ArrayLike, classes: int) -> NDArray[np.int64]:
    """How many images of each class (rows) were given each class (columns): (classes, classes).

    labels, predictions: (N,) class numbers, 0 to classes − 1.
    """
    from sklearn.metrics import confusion_matrix  # a second to import

    true, predicted = _pair("labels", labels, "predictions", predictions)
    for name, numbers in (("labels", true), ("predictions", predicted)):
        if not np.isin(numbers, np.arange(classes)).all():
            raise ValueError(f"{name} must be class numbers from 0 to {classes - 1}; it has others.")
    matrix: NDArray[np.int64] = confusion_matrix(true, predicted, labels=np.arange(classes))
    return matrix


def per_class_accuracy(matrix: ArrayLike) -> NDArray[np.float64]:
    """The share of each class's images that were right (recall): (classes,), 0–1, NaN without images.

    matrix: (classes, classes) counts as `confusion` gives them, rows the truth.
    """
    counts = _array("matrix", matrix)
    if counts.shape != (len(counts), len(counts)) or (counts < 0).any():
        raise ValueError(f"A confusion matrix is square and counts images; this has shape {counts.shape}.")
    images, shares = counts.sum(axis=1), np.full(len(counts), np.nan)
    np.divide(np.diag(counts), images, out=shares, where=images > 0)
    return shares


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, such as 0.95, not {level}.")


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    """`values` as an array of finite numbers, not empty."""
    array = np.asarray(values)
    if not array.size or not array.ndim:
        raise ValueError(f"{name} must be a list of at least one number; it is empty or no list.")
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers; it has NaN, infinity or what is no number.")
    return array


def _vector(name: str, values: ArrayLike) -> NDArray[Any]:
    array = _array(name, values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one axis; it has shape {array.shape}.")
    return array


def _pair(name: str, values: ArrayLike, other: str, others: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two arrays of one axis and the same length."""
    first, second = _vector(name, values), _vector(other, others)
    if len(first) != len(second):
        raise ValueError(f"{name} and {other} must have the same length, not {len(first)} and {len(second)}.")
    return first, second

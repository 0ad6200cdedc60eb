"""Are two images of the same person? Distances of labelled pairs judged: thresholds, rates, ROC and AUC, with
intervals over people.

Pairs share images, and images people, so pairs are not independent: what is drawn again is people. A pair of
people that were drawn a and b times counts a·b times, pairs of one person's images as often as the person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Pairs of images, by distance. distances: (M,); first, second: (M,) people."""

    distances: Floats
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @property
    def same(self) -> NDArray[np.bool_]:
        return self.first == self.second

    def __len__(self) -> int:
        return len(self.distances)

    def where(self, chosen: NDArray[np.bool_]) -> Pairs:
        return Pairs(self.distances[chosen], self.first[chosen], self.second[chosen])

    @classmethod
    def of(cls, distances: ArrayLike, first: ArrayLike, second: ArrayLike) -> Pairs:
        """ValueError where there is no pair of the same, or of different people, or a distance is no number.

        Where all distances are the same the pairs can be judged, and tell nothing: an AUC of ½.
        """
        pairs = cls(np.asarray(distances, float), np.asarray(first), np.asarray(second))
        if not np.isfinite(pairs.distances).all():
            raise ValueError("some distances are no finite numbers; the embeddings are not to be used")
        count = int(pairs.same.sum())
        if not 0 < count < len(pairs):
            raise ValueError(
                f"verification needs pairs of the same person and of different people; of {len(pairs)} "
                f"pairs {count} are of the same"
            )
        return pairs


def every(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The images of all pairs of `count`, first before second."""
    return np.triu_indices(count, 1)


def balanced_threshold(pairs: Pairs) -> float:
    """Where a pair is called the same below it: the largest mean of true positive and true negative rate,
    halfway to the next distance, in the middle of what is equally good.
    """
    order = np.argsort(pairs.distances, kind="stable")
    distances, same = pairs.distances[order], pairs.same[order]
    true = np.concatenate([[0], np.cumsum(same)]) / same.sum()
    false = np.concatenate([[0], np.cumsum(~same)]) / (~same).sum()
    # between the distances before and after each cut; equal distances cannot be cut apart
    cuts = np.concatenate([[distances[0]], (distances[1:] + distances[:-1]) / 2, [distances[-1]]])
    possible = np.concatenate([[True], distances[1:] > distances[:-1], [True]])
    gain = np.where(possible, true - false, -np.inf)
    best = np.flatnonzero(gain >= gain.max() - 1e-12)
    cuts[-1] = np.nextafter(cuts[-1], np.inf)
    return float(cuts[best[len(best) // 2]])


def threshold_at(pairs: Pairs, false_positive_rate: float) -> float:
    """The largest threshold at which at most so many different pairs are called the same."""
    different = np.sort(pairs.distances[~pairs.same])
    allowed = int(np.floor(false_positive_rate * len(different) + 1e-9))
    return float(different[allowed]) if allowed < len(different) else float(np.inf)


@dataclass(frozen=True)
class Rates:
    """At a threshold: shares of same pairs called the same, of different ones called so, and of all right."""

    true_positive: float
    false_positive: float
    accuracy: float

    @property
    def balanced(self) -> float:
        return (self.true_positive + 1 - self.false_positive) / 2


def rates(pairs: Pairs, threshold: float) -> Rates:
    """A pair is called the same whose distance is below the threshold; a rate without pairs is nan."""
    called, same = pairs.distances < threshold, pairs.same

    def share(of: NDArray[np.bool_]) -> float:
        return float(called[of].mean()) if of.any() else float("nan")

    return Rates(share(same), share(~same), float((called == same).mean()))


def drawn_again(pairs: Pairs, resamples: int, seed: int = 0) -> Floats:
    """(resamples, M): how often each pair counts when people are drawn again; see the module.

    A draw of one person alone has no pair of different people; it is drawn once more.
    """
    people, numbers = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    first, second = numbers[: len(pairs)], numbers[len(pairs) :]
    drawn = np.random.default_rng(seed)
    counts = np.empty((resamples, len(people)))
    for row in counts:
        while True:
            row[:] = np.bincount(drawn.integers(len(people), size=len(people)), minlength=len(people))
            weights = np.where(first == second, row[first], row[first] * row[second])
            if weights[pairs.same].any() and weights[~pairs.same].any():
                break
    return np.where(first == second, counts[:, first], counts[:, first] * counts[:, second])


def auc(pairs: Pairs, weights: Floats | None = None) -> Floats:
    """(B,): probability that a same pair is closer than a different one, ties counting half; weights (B, M),
    by default all pairs once, (1, M).
    """
    true, false, _ = _cumulated(pairs, weights)
    return np.asarray(
        (np.diff(false, axis=1) * (true[:, 1:] + true[:, :-1]) / 2).sum(1) / (true[:, -1] * false[:, -1])
    )


def roc(pairs: Pairs, at: ArrayLike, weights: Floats | None = None) -> Floats:
    """(B, len(at)): true positive rates at these false positive rates, on the lines between the points."""
    true, false, _ = _cumulated(pairs, weights)
    points = np.asarray(at, float)
    return np.stack([np.interp(points, f / f[-1], t / t[-1]) for t, f in zip(true, false, strict=True)])


def equal_error_rate(pairs: Pairs) -> float:
    """The rate at which as many same pairs are refused as different ones are accepted, on the line between
    the two points of the ROC that lie about it.
    """
    true, false, _ = _cumulated(pairs, None)
    refused, accepted = 1 - true[0] / true[0, -1], false[0] / false[0, -1]
    after = int(np.argmax(accepted >= refused))
    gap = refused[after - 1] - accepted[after - 1] if after else 0.0
    over = accepted[after] - refused[after]
    share = gap / (gap + over) if gap + over else 0.0
    before = max(after - 1, 0)
    return float(accepted[before] + share * (accepted[after] - accepted[before]))


def _cumulated(pairs: Pairs, weights: Floats | None) -> tuple[Floats, Floats, Floats]:
    """(B, k + 1) sums of same and of different pairs up to each of k distinct distances, from 0 on."""
    weights = np.ones((1, len(pairs))) if weights is None else weights
    order = np.argsort(pairs.distances, kind="stable")
    distances = pairs.distances[order]
    ends = np.append(np.flatnonzero(np.diff(distances)), len(distances) - 1)
    ordered = weights[:, order]
    same = pairs.same[order]
    sums = []
    for kind in (same, ~same):
        found = np.cumsum(ordered * kind, axis=1)[:, ends]
        sums.append(np.concatenate([np.zeros((len(found), 1)), found], axis=1))
    return sums[0], sums[1], distances[ends]

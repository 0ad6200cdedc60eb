"""Every pair of a set of embeddings: ROC, AUC and error rates from a histogram that streams and adds up, and
AUCs when people are drawn again.

N images make N(N − 1)/2 pairs, too many to keep. Distances are made a block at a time and counted in bins, of
pairs of the same person and of different people apart; histograms of parts, or of processes, are added. The
AUC of the bins, in which ties count half, differs from the exact one by less than the share of pairs that
meet one of the other kind in a bin.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

REVISION = 1  # to be raised when the same embeddings give other counts

BINS = 2**17
BLOCK = 2**20  # distances at a time and worker: 4 MiB of them
COARSE = 2**12  # bins of `resampled_aucs`

Metric = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class PairHistogram:
    """Counts of pairs by distance. same, different: int64 (bins,), of distances from 0 to `largest`."""

    same: NDArray[np.int64]
    different: NDArray[np.int64]
    largest: float

    def __add__(self, other: PairHistogram) -> PairHistogram:
        """Of both sets of pairs; ValueError where they are binned differently."""
        if self.largest != other.largest or len(self.same) != len(other.same):
            raise ValueError(
                f"histograms of {len(self.same)} bins to {self.largest:g} and of {len(other.same)} bins to "
                f"{other.largest:g} do not add up"
            )
        return PairHistogram(self.same + other.same, self.different + other.different, self.largest)

    @property
    def pairs(self) -> tuple[int, int]:
        """Numbers of same and of different pairs."""
        return int(self.same.sum()), int(self.different.sum())

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """(bins + 1,): the ends of the bins; a pair is called the same below one."""
        return np.linspace(0, self.largest, len(self.same) + 1)

    def roc(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """False and true positive rates, (bins + 1,), at `thresholds`. ValueError without pairs of a kind."""
        same, different = self.pairs
        if not same or not different:
            raise ValueError(f"a ROC needs pairs of both kinds; there are {same} same, {different} different")
        rates = (np.concatenate([[0], np.cumsum(one)]) for one in (self.different, self.same))
        false, true = (counts / total for counts, total in zip(rates, (different, same), strict=True))
        return false, true

    def auc(self) -> float:
        """Probability that a same pair is closer than a different one; ties in a bin count half."""
        false, true = self.roc()
        return float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))

    def equal_error_rate(self) -> tuple[float, float]:
        """The rate at which as many same pairs are refused as different ones are accepted, and its
        threshold."""
        false, true = self.roc()
        at = int(np.argmin(np.abs(false - (1 - true))))
        return float((false[at] + 1 - true[at]) / 2), float(self.thresholds[at])

    def true_positive_rate(self, false_positive_rate: float) -> float:
        """Share of the same pairs that are accepted where at most so many different ones are."""
        false, true = self.roc()
        return float(true[false <= false_positive_rate].max())


@dataclass(frozen=True)
class _Placed:
    """Embeddings in order of their people, whose pairs then lie near the diagonal.

    squares: of their lengths, None for cosine. kinds: people by number, rising. largest: no distance is more.
    """

    points: Tensor
    kinds: Tensor
    squares: Tensor | None
    largest: float

    @classmethod
    def of(cls, embeddings: Tensor, people: ArrayLike, metric: Metric) -> _Placed:
        names = np.unique(np.asarray(people), return_inverse=True)[1]
        points = torch.as_tensor(embeddings, dtype=torch.float32, device="cpu")
        if points.ndim != 2 or len(points) < 2 or len(points) != len(names):
            raise ValueError(
                f"pairs need (N, D) embeddings of at least two images and as many names, not "
                f"{tuple(points.shape)} and {len(names)}"
            )
        if not bool(points.isfinite().all()):
            raise ValueError("some embeddings are no finite numbers")
        if metric == "cosine":
            points, largest = F.normalize(points, dim=1), 2.0
            squares = None
        else:
            points = points - points.mean(0)  # distances stay, and large numbers do not cancel
            squares = points.square().sum(1)
            largest = float(2 * squares.max().sqrt()) or 1.0
        order = torch.from_numpy(np.argsort(names, kind="stable"))
        kinds = torch.from_numpy(names)[order]
        return cls(points[order], kinds, None if squares is None else squares[order], largest)

    def bins(self, start: int, stop: int, bins: int) -> Tensor:
        """int32 (stop − start, N − start): of the distances from these rows to all images from `start` on."""
        distances = self.points[start:stop] @ self.points[start:].T
        if self.squares is None:
            distances = distances.neg_().add_(1)
        else:
            distances = (
                distances.mul_(-2).add_(self.squares[start:stop, None]).add_(self.squares[None, start:])
            )
            distances = distances.clamp_(min=0).sqrt_()
        return distances.mul_(bins / self.largest).clamp_(0, bins - 1).to(torch.int32)

    def blocks(self) -> list[tuple[int, int]]:
        """Rows that are taken at a time, so that a block has about BLOCK distances."""
        blocks, at = [], 0
        while at < len(self.points) - 1:
            rows = max(1, BLOCK // (len(self.points) - at))
            blocks.append((at, min(len(self.points), at + rows)))
            at += rows
        return blocks


def every_pair(
    embeddings: Tensor,
    people: ArrayLike,
    metric: Metric = "cosine",
    *,
    bins: int = BINS,
    workers: int | None = None,
) -> PairHistogram:
    """The histogram of all pairs of (N, D) embeddings of `people` (N,); cosine distance is from 0 to 2.

    workers: threads, by default as many as torch has. ValueError for embeddings that are no numbers, of one
    image, or of another number of people.
    """
    placed = _Placed.of(embeddings, people, metric)
    kinds = placed.kinds
    ends = torch.searchsorted(kinds, kinds, right=True)
    threads = workers or torch.get_num_threads()

    def counted(start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        found = placed.bins(start, stop, bins)
        rows = stop - start
        corner = found[:, :rows][torch.ones(rows, rows, dtype=torch.bool).triu_(1)]
        near = int(ends[stop - 1]) - start  # beyond it all are other people
        among = kinds[start:stop, None] == kinds[None, start : start + near]
        own = found[:, :near][among.triu_(1)]
        every = torch.bincount(corner, minlength=bins)
        if rows < found.shape[1]:
            every += torch.bincount(found[:, rows:].reshape(-1), minlength=bins)
        same = torch.bincount(own, minlength=bins)
        return same.numpy(), (every - same).numpy()

    total = [np.zeros(bins, np.int64), np.zeros(bins, np.int64)]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for part in pool.map(lambda ends: counted(*ends), placed.blocks()):
                for sums, counts in zip(total, part, strict=True):
                    sums += counts
    finally:
        torch.set_num_threads(before)
    return PairHistogram(total[0], total[1], placed.largest)


def resampled_aucs(
    embeddings: Tensor, people: ArrayLike, resamples: int, metric: Metric = "cosine", seed: int = 0
) -> NDArray[np.float64]:
    """(resamples,): the AUC of every pair when people are drawn again, the same draws for the same people.

    As in `lab.verification.drawn_again`, a pair of people who were drawn a and b times counts a·b times, and
    the pairs of one person's images as often as the person. Distances are counted in `COARSE` bins that hold
    as many pairs each, so that ties in a bin change an AUC by less than 1/COARSE. ValueError as `every_pair`
    has it, and where there are no pairs of both kinds.
    """
    histogram = every_pair(embeddings, people, metric)
    histogram.roc()  # ValueError without pairs of both kinds
    fine = np.cumsum(histogram.same + histogram.different)
    coarse = np.maximum(fine - 1, 0) * COARSE // fine[-1]  # of each fine bin
    placed = _Placed.of(embeddings, people, metric)
    kinds = placed.kinds.numpy()
    counts = _draws(np.bincount(kinds), resamples, seed)
    sums = np.zeros((2, resamples, COARSE))  # same, different
    for start, stop in placed.blocks():
        found = coarse[placed.bins(start, stop, BINS).numpy()]
        after = np.arange(start, len(kinds)) > np.arange(start, stop)[:, None]
        same = (kinds[start:stop, None] == kinds[start:]) & after
        rows = np.broadcast_to(kinds[start:stop, None], found.shape)[same]
        own = found[same]
        found[same | ~after] = COARSE  # a bin that is dropped
        flat = found.ravel()
        for drawn, of_same, of_different in zip(counts, *sums, strict=True):
            weights = np.outer(drawn[kinds[start:stop]], drawn[kinds[start:]]).ravel()
            of_different += np.bincount(flat, weights, COARSE + 1)[:COARSE]
            of_same += np.bincount(own, drawn[rows], COARSE)
    true, false = (np.cumsum(one, axis=1) for one in sums)
    steps = true - sums[0] / 2  # ties in a bin count half
    return np.asarray((sums[1] * steps).sum(1) / (true[:, -1] * false[:, -1]))


def _draws(images: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.float64]:
    """(resamples, people): how often each is drawn. A draw without pairs of both kinds is drawn once more.

    images: of each person, (people,).
    """
    drawn = np.random.default_rng(seed)
    counts = np.empty((resamples, len(images)))
    for row in counts:
        while True:
            row[:] = np.bincount(drawn.integers(len(images), size=len(images)), minlength=len(images))
            if np.count_nonzero(row) > 1 and (images[row > 0] > 1).any():
                break
    return counts

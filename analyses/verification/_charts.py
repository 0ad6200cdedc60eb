"""Curves and histograms of the distances of a verification experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses.verification._evaluation import EvaluatedPairs
from results import builders
from results.builders import FRACTION
from results.schema import Axis, Chart

BANDS = 200  # draws of people that a band of a ROC is of
KINDS = {"same": "Same person", "different": "Different people"}


def roc_curve(evaluated: EvaluatedPairs, rates: Sequence[float]) -> builders.Rates:
    """True positive rates at some false positive rates, means over splits and seeds, with a 95% band over
    people.
    """
    import numpy as np

    from lab import verification

    curves, bands = [], []
    for split, runs in enumerate(evaluated.pairs):
        weights = verification.drawn_again(runs[0], BANDS, seed=split)
        curves.append(np.mean([verification.roc(one, rates)[0] for one in runs], axis=0))
        bands.append(np.mean([verification.roc(one, rates, weights) for one in runs], axis=0))
    mean = np.mean(curves, axis=0)
    low, high = np.percentile(np.mean(bands, axis=0), [2.5, 97.5], axis=0)
    return builders.Rates(
        rates, mean.tolist(), np.minimum(low, mean).tolist(), np.maximum(high, mean).tolist()
    )


def distance_chart(
    caption: str, counts: Mapping[str, Sequence[float]], centres: Sequence[float], decimals: int
) -> Chart:
    """Histograms of the distances of same and of different pairs, each as shares of its kind; counts: of
    "same" and of "different", by the centres of their bins. decimals: of the peaks in the alternative text.
    """
    shares = {
        label: {
            centre: count / sum(counts[kind]) for centre, count in zip(centres, counts[kind], strict=True)
        }
        for kind, label in KINDS.items()
    }
    same, different = (max(of_kind, key=lambda at: of_kind[at]) for of_kind in shares.values())
    return builders.trend(
        caption,
        shares,
        builders.number("Share of the pairs", unit=FRACTION),
        x=Axis(label="Distance"),
        alt=f"Histograms of distances: same pairs peak at {same:.{decimals}f}, different ones at "
        f"{different:.{decimals}f}.",
    )

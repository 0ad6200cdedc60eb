"""What is compared in the artists study: settings on folds, methods and changes on test images."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import mean, stdev

from analyses import comparing
from analyses.classification._artists_settings import ArtistsParameters
from analyses.comparing import Comparison
from analyses.plugin import Outcome
from lab.evaluation import Difference, Estimate, over_seeds, paired_over_seeds
from results import builders
from results.builders import FRACTION
from results.schema import Metric

VERDICTS = {"more": "helps", "less": "hurts", "undecided": "undecided"}
LABELS = {"baseline": "Baseline", "best": "Best setting"}
METHODS = {"forest": "Random forest", **LABELS}
TRAINING = ("dropout", "weight decay", "optimizer", "early stopping", "schedule")  # factors of training
FOLDS, IMAGES = "folds", "test images"  # what intervals are over
PHOTOGRAPH, CREDIT = "flower", "vultilion, CC BY 2.0"  # scikit-learn's, to show the changes on
CHANGES = {
    "none": "As they are",
    "translated": "Translated",
    "brightened": "Brightened",
    "darkened": "Darkened",
    "high_contrast": "High contrast",
    "low_contrast": "Low contrast",
    "flipped": "Mirrored",
    "upside_down": "Upside down",
    "inverted": "Inverted",
}


AMOUNTS = (
    "Translated: by a tenth of the width to the right and down. Brightened and darkened: by 20% of the range "
    "of values. High and low contrast: 1.5 and 0.5 times the distance from mid-grey. Inverted: the negative."
)


def factor_name(factor: str, value: str) -> str:
    """ "factor/weight_decay/0.01": the start of the cells' ids, and of the metrics."""
    return "/".join(
        ("factor", *(re.sub(r"[^a-z0-9.]+", "_", part.lower()).strip("_") for part in (factor, value)))
    )


def folds_of(outcomes: Mapping[str, Outcome], name: str) -> list[Outcome]:
    """The outcomes of a setting on folds 0, 1, …, as many as there are."""
    found: list[Outcome] = []
    while (outcome := outcomes.get(f"{name}/{len(found)}")) is not None:
        found.append(outcome)
    return found


def mean_accuracy(outcomes: Sequence[Outcome]) -> float:
    return float(mean(outcome["accuracy"] for outcome in outcomes))


def finalists(parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> list[int]:
    """The drawn settings that are best on the first folds, best first; the earlier drawn of equals."""
    first = {
        number: mean_accuracy(
            [outcomes[f"search/{number}/{fold}"] for fold in range(parameters.search_folds)]
        )
        for number in range(parameters.search_settings)
    }
    return sorted(first, key=lambda number: -first[number])[: parameters.finalists]


def winner(parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> int:
    """The finalist that is best on all folds."""
    return max(
        finalists(parameters, outcomes),
        key=lambda number: mean_accuracy(folds_of(outcomes, f"search/{number}")),
    )


def over_folds(values: Sequence[float], folds: int, bounds: tuple[float, float] | None = None) -> Estimate:
    """The mean over folds with Student's interval, widened because folds share training images.

    The variance is s² (1/n + 1/(folds − 1)) instead of s²/n: Nadeau and Bengio 2003, Machine Learning 52:239,
    the corrected resampled t-test, with its ratio of test to training images.
    """
    plain = over_seeds(values, bounds=bounds)
    if plain.low is None or plain.high is None:
        return plain
    free = over_seeds(values)
    assert free.high is not None
    half = (free.high - free.value) * sqrt(1 + len(values) / (folds - 1))
    low, high = plain.value - half, plain.value + half
    if bounds:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Estimate(plain.value, low, high, plain.n, plain.level)


def paired_over_folds(a: Sequence[float], b: Sequence[float], folds: int) -> Difference:
    """The mean of a − b over folds, with the interval of `over_folds` and the p-value of the same test."""
    from scipy.stats import t

    differences = [x - y for x, y in zip(a, b, strict=True)]
    estimate = over_folds(differences, folds)
    n = len(differences)
    spread = stdev(differences) * sqrt(1 / n + 1 / (folds - 1)) if n > 1 else 0.0
    return Difference(estimate, float(2 * t.sf(abs(estimate.value) / spread, n - 1)) if spread else None)


@dataclass(frozen=True)
class Compared:
    """A value of a factor on the folds, and its differences from the baseline on the same folds."""

    factor: str
    value: str
    name: str
    accuracy: Metric
    train: Metric
    difference: Comparison
    train_difference: Comparison
    images: int | None  # that the networks were trained on in the first fold, where it was kept
    train_range: tuple[float, float]  # the lowest and the highest training accuracy of a fold

    @property
    def verdict(self) -> str:
        return VERDICTS[self.difference.verdict]


def accuracies(outcomes: Sequence[Outcome]) -> list[float]:
    return [one["accuracy"] for one in outcomes]


def folds_metric(parameters: ArtistsParameters, values: Sequence[float], title: str) -> Metric:
    """The mean of fractions over folds."""
    return builders.metric(over_folds(values, parameters.folds, (0.0, 1.0)), title, FRACTION, over=FOLDS)


def folds_difference(
    parameters: ArtistsParameters, first: Sequence[float], second: Sequence[float], title: str
) -> Metric:
    """The mean over folds of first less second."""
    return builders.metric(
        paired_over_folds(first, second, parameters.folds).difference, title, FRACTION, over=FOLDS
    )


def train_accuracies(outcomes: Sequence[Outcome]) -> list[float]:
    """Of the last epoch, while its weights change; a network that diverged in its first counts 0."""
    return [one["train_accuracy"] or 0.0 for one in outcomes]


def train_accuracy(parameters: ArtistsParameters, outcomes: Sequence[Outcome], title: str) -> Metric:
    return folds_metric(parameters, train_accuracies(outcomes), title)


def compared_factors(
    parameters: ArtistsParameters, baseline: Sequence[Outcome], outcomes: Mapping[str, Outcome]
) -> list[Compared]:
    """Every value of every factor; their differences from the baseline are one family for validation
    accuracy, and one for training accuracy.
    """
    found = {
        (factor, value): folds_of(outcomes, factor_name(factor, value))
        for factor, values in parameters.factors.items()
        for value in values
    }

    def less_baseline(values: Callable[[Sequence[Outcome]], list[float]]) -> dict[str, Comparison]:
        differences = {
            factor_name(*key): paired_over_folds(values(runs), values(baseline), parameters.folds)
            for key, runs in found.items()
        }
        return comparing.corrected(differences, FOLDS)

    differences, train_differences = less_baseline(accuracies), less_baseline(train_accuracies)
    return [
        Compared(
            factor,
            value,
            name := factor_name(factor, value),
            folds_metric(parameters, accuracies(runs), f"Validation accuracy of {factor} {value}"),
            train_accuracy(parameters, runs, f"Training accuracy of {factor} {value} in the last epoch"),
            differences[name],
            train_differences[name],
            runs[0].get("images"),
            (min(train_accuracies(runs)), max(train_accuracies(runs))),
        )
        for (factor, value), runs in found.items()
    ]


METHOD_PAIRS = {
    f"{one}_over_{other}/{part}": f"{METHODS[one]} − {METHODS[other]}, {words}"
    for part, words in (("validation", "validation accuracy"), ("test", "test accuracy"))
    for one, other in (("best", "baseline"), ("best", "forest"), ("baseline", "forest"))
}


def compared_methods(
    parameters: ArtistsParameters,
    folds: Mapping[str, Sequence[Outcome]],
    final: Mapping[str, Sequence[Outcome]],
) -> dict[str, Comparison]:
    """Best setting, baseline and forest on the folds and, image by image, on the test; one family."""
    found = {}
    for name in METHOD_PAIRS:
        pair, part = name.split("/")
        one, other = pair.split("_over_")
        if one in folds and other in folds:
            if part == "validation":
                values = (accuracies(folds[one]), accuracies(folds[other]))
                found[name] = paired_over_folds(*values, parameters.folds)
            else:
                found[name] = paired_over_seeds(
                    correct_shares(final[one], "none"), correct_shares(final[other], "none")
                )
    return {
        name: replace(one, over=FOLDS if name.endswith("validation") else IMAGES)
        for name, one in comparing.corrected(found).items()
    }


def compared_changes(final: Mapping[str, Sequence[Outcome]]) -> dict[str, Comparison]:
    """What each change of the test images costs the best setting, whether this is still ahead of the
    baseline, and how much more accurate it is than on inverted images; one family.
    """
    found = {}
    inverted = correct_shares(final["best"], "inverted")
    for change in list(CHANGES)[1:]:
        correct = {name: correct_shares(final[name], change) for name in LABELS}
        found[f"transform/{change}/lost"] = paired_over_seeds(
            correct_shares(final["best"], "none"), correct["best"]
        )
        found[f"transform/{change}/lead"] = paired_over_seeds(correct["best"], correct["baseline"])
        if change != "inverted":
            found[f"transform/{change}/less_inverted"] = paired_over_seeds(correct["best"], inverted)
    return comparing.corrected(found, IMAGES)


def change_words(name: str) -> str:
    _, change, what = name.split("/")
    words = {
        "lost": "Accuracy that the best setting loses",
        "lead": "Accuracy of the best setting less the baseline's",
        "less_inverted": "Accuracy of the best setting, less that on inverted images",
    }[what]
    return f"{words}, test images {CHANGES[change].lower()}"


def correct_shares(outcomes: Sequence[Outcome], change: str) -> list[float]:
    """For each test image the share of the networks that named its class."""
    rights = [
        [float(a == b) for a, b in zip(one["labels"], one["predictions"][change], strict=True)]
        for one in outcomes
    ]
    return [mean(column) for column in zip(*rights, strict=True)]


def transform_name(name: str, change: str) -> str:
    if change == "none":
        return f"{name}/test_accuracy"
    prefix = "transform" if name == "best" else "baseline_transform"
    return f"{prefix}/{change}/test_accuracy"


def gain(one: Compared) -> float:
    return one.difference.difference.value

"""How the classifiers of a transfer experiment are compared: on the same test images, or seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from analyses import comparing
from analyses.comparing import Comparison
from analyses.plugin import Outcome
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric, Table
from results.text import counted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RESAMPLES = 9_999  # of the test images


def compare(
    values: Mapping[str, ArrayLike],
    pairs: Mapping[str, tuple[str, str]],
    over: Literal["test images", "seeds"] = "test images",
) -> dict[str, Comparison]:
    """The comparisons of a table, by name, with Holm's correction. values: by classifier, one for each test
    image (the share of its networks that are right) or for each seed (the accuracy). pairs: by comparison,
    the two classifiers; one and the same pair counts once, whichever of its two stands first.
    """
    from lab.evaluation import paired_over_images, paired_over_seeds

    over_images = partial(paired_over_images, resamples=RESAMPLES)
    test = over_images if over == "test images" else paired_over_seeds
    found = {name: test(values[one], values[other]) for name, (one, other) in pairs.items()}
    firsts = _firsts(pairs)
    corrected = comparing.corrected({name: found[name] for name in set(firsts.values())}, over)
    return {name: Comparison(found[name].difference, corrected[firsts[name]].p, over) for name in pairs}


def welch(first: Sequence[float], second: Sequence[float]) -> float | None:
    """The p-value of Welch's t-test over the seeds of two classifiers; None where one of them has a single
    seed or no spread.
    """
    from scipy.stats import ttest_ind

    if min(len(set(first)), len(set(second))) < 2:
        return None
    return float(ttest_ind(first, second, equal_var=False).pvalue)


def _firsts(pairs: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """The first comparison of the same two classifiers, for each comparison."""
    first: dict[frozenset[str], str] = {}
    return {name: first.setdefault(frozenset(pair), name) for name, pair in pairs.items()}


def _least_p(pairs: Mapping[str, tuple[str, str]]) -> float:
    """The smallest p-value, adjusted, that the resamples can give a comparison."""
    return 2 * len(set(_firsts(pairs).values())) / (RESAMPLES + 1)


def least_p_findings(
    compared: Mapping[str, Comparison],
    pairs: Mapping[str, tuple[str, str]],
    prefix: str = "",
    suffix: str = "",
) -> dict[str, Finding]:
    """ "NAME_p_is_least" of each comparison: its p-value is only known to be no larger than it is printed."""
    return {
        f"{name}_p_is_least{suffix}": builders.statement(
            f"The adjusted p-value of {prefix}{name} is the smallest that the bootstrap resamples can give",
            one.over == "test images" and one.p is not None and one.p <= _least_p(pairs),
            *((f"{prefix}{name}/p",) if one.p is not None else ()),
        )
        for name, one in compared.items()
    }


def comparison_metrics(
    compared: Mapping[str, Comparison],
    pairs: Mapping[str, tuple[str, str]],
    titles: Mapping[str, str],
    prefix: str = "",
) -> dict[str, Metric]:
    """ "NAME/gain" of each comparison, and "NAME/p", adjusted, where there is a test."""
    found = {}
    for name, (one, other) in pairs.items():
        difference, p = compared[name].difference, compared[name].p
        title = f"Difference in test accuracy between {titles[one]} and {titles[other]}"
        found[f"{prefix}{name}/gain"] = builders.metric(difference, title, FRACTION, over=compared[name].over)
        if p is not None:
            found[f"{prefix}{name}/p"] = builders.metric(p, f"Adjusted p-value. {title}")
    found[f"{prefix}comparisons"] = builders.metric(
        len(set(_firsts(pairs).values())), "Comparisons that are corrected together"
    )
    found[f"{prefix}resamples"] = builders.metric(RESAMPLES, "Bootstrap resamples of the test images")
    return found


def comparison_table(
    caption: str,
    compared: Mapping[str, Comparison],
    pairs: Mapping[str, tuple[str, str]],
    titles: Mapping[str, str],
) -> Table:
    over = next(iter(compared.values())).over
    test = {"test images": "a paired bootstrap of the images", "seeds": "paired t-tests"}[over]
    shown = list(dict.fromkeys(_firsts(pairs).values()))
    least = (
        f"; with {RESAMPLES:,} resamples, the smallest possible one is {_least_p(pairs):.2g}"
        if over == "test images"
        else ""
    )
    return builders.table(
        caption,
        {
            "first": builders.text("First"),
            "second": builders.text("Second"),
            "difference": builders.points("Difference in test accuracy"),
            "p": builders.number("p", ".2g"),
        },
        [
            {
                "first": titles[pairs[name][0]],
                "second": titles[pairs[name][1]],
                **compared[name].numbers(),
            }
            for name in shown
        ],
        notes=[
            f"p-values ({test}) are adjusted by Holm's method for the "
            f"{counted(len(shown), 'comparisons')} of the table{least}; intervals are not adjusted."
        ],
    )


def share_correct(runs: Sequence[Outcome]) -> NDArray[Any]:
    """Of each test image, the share of the runs that name its class; (N,)."""
    import numpy as np

    return np.array([_is_correct(run) for run in runs]).mean(axis=0)


def _is_correct(run: Outcome) -> list[bool]:
    if "predictions" in run:
        return [guess == label for guess, label in zip(run["predictions"], run["labels"], strict=True)]
    return [one == "1" for one in run["right"]]  # outcomes that were kept without predictions


def accuracy(correct: NDArray[Any], title: str) -> Metric:
    from lab.evaluation import over_images

    return builders.metric(over_images(correct), f"Test accuracy, {title}", FRACTION, over="test images")

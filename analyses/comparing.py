"""How the runs of an experiment are compared: differences paired by seed, with Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from analyses.plugin import Outcome
from lab.evaluation import Difference, Discordance, Estimate
from results import builders
from results.builders import FRACTION, SIGNIFICANT
from results.schema import Chart, Finding, Metric, Table
from results.text import counted

ADJUSTED_P = builders.number("Adjusted p", ".3f")
HOLM = "p-values are adjusted by Holm's method for the comparisons of the table; intervals are not."
COMPARED = {  # the last columns of a table whose rows are comparisons, as `Comparison.cells` fills them
    "difference": builders.points("Difference"),
    "p": ADJUSTED_P,
    "verdict": builders.text("Verdict"),
}


@dataclass(frozen=True)
class Comparison:
    """A mean difference, paired by what it is `over`, and its p-value, adjusted for the comparisons of its
    family.
    """

    difference: Estimate
    p: float | None
    over: str = "seeds"

    @property
    def verdict(self) -> Literal["more", "less", "undecided"]:
        if self.p is None or self.p >= SIGNIFICANT:
            return "undecided"
        return "more" if self.difference.value > 0 else "less"

    @property
    def direction(self) -> Literal["higher", "lower"]:
        """Where the mean lies, whether significantly or not; of a sentence that says which."""
        return "lower" if self.difference.value < 0 else "higher"

    def metrics(self, prefix: str, title: str) -> dict[str, Metric]:
        """`prefix`difference, with the 95% interval of this comparison alone, and `prefix`p where there is a
        test.
        """
        found = {f"{prefix}difference": builders.metric(self.difference, title, FRACTION, over=self.over)}
        if self.p is not None:
            found[f"{prefix}p"] = builders.metric(self.p, f"Adjusted p-value. {title}")
        return found

    def finding(
        self,
        words: str,
        name: str,
        *,
        more: str,
        less: str,
        same: str,
        expected: builders.Verdict = "more",
    ) -> Finding:
        """A finding on the metric `name`; without a test nothing varies, and nothing is significant."""
        p = 1.0 if self.p is None else self.p
        return builders.comparison(
            words,
            name,
            self.difference,
            more=more,
            less=less,
            same=same,
            adjusted_p=p,
            expected=expected,
        )

    def numbers(self, prefix: str = "") -> dict[str, builders.Cell]:
        """Of a row of a table: the difference with its interval, and p."""
        return {f"{prefix}difference": builders.estimate(self.difference, self.over), f"{prefix}p": self.p}

    def cells(self, prefix: str = "") -> dict[str, builders.Cell]:
        """Of a row of a table with `comparison_columns` or COMPARED: the numbers, and what to conclude."""
        verdict = {"more": "higher", "less": "lower"}.get(self.verdict, "not significant")
        return self.numbers(prefix) | {f"{prefix}verdict": verdict}


def comparison_columns(prefix: str = "", *, fractions: bool = True) -> dict[str, builders.Format]:
    """The difference with its interval, of fractions in percentage points, and what to conclude of it."""
    points = builders.number("Difference", "+.1f", "points", scale=100)
    return {
        f"{prefix}difference": points if fractions else builders.number("Difference", "+.3f"),
        f"{prefix}p": ADJUSTED_P,
        f"{prefix}verdict": builders.text("Verdict"),
    }


def change(label: str) -> builders.Format:
    """A difference of fractions in percentage points, which the caption says."""
    return builders.number(label, "+.1f", scale=100.0)


def comparison_note(seeds: int) -> str:
    return (
        f"Differences to the first row are paired by seed (n = {seeds}), each with Student's 95% interval "
        f"over seeds; {HOLM}"
    )


def compared(family: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> dict[str, Comparison]:
    """Each first less its second, one value a seed in the same order of seeds. The comparisons of a family,
    those of one table, share Holm's correction.
    """
    from lab.evaluation import paired_over_seeds

    return corrected({name: paired_over_seeds(first, second) for name, (first, second) in family.items()})


def corrected(family: Mapping[str, Difference], over: str = "seeds") -> dict[str, Comparison]:
    """The differences of a family, those of one table, with Holm's correction."""
    from lab.evaluation import holm

    adjusted = holm([one.p for one in family.values()])
    return {
        name: Comparison(one.difference, p, over)
        for (name, one), p in zip(family.items(), adjusted, strict=True)
    }


def discordant(first: Sequence[Outcome], second: Sequence[Outcome]) -> list[Discordance]:
    """McNemar's test of two classifiers on the same test images, seed by seed."""
    from lab.evaluation import mcnemar

    found = []
    for one, other in zip(first, second, strict=False):
        if one["labels"] != other["labels"]:
            raise ValueError("classifiers are compared on the same test images, and these are others")
        found.append(mcnemar(*([a == b for a, b in zip(*_named(run), strict=True)] for run in (one, other))))
    return found


def compared_classifiers(
    family: Mapping[str, tuple[Sequence[Outcome], Sequence[Outcome]]],
) -> dict[str, Comparison]:
    """The test accuracy of each first classifier less that of its second, seed by seed.

    The p-value is the larger of Student's paired test over seeds and of McNemar's tests on the test images of
    every seed, so that a difference counts where neither other seeds nor other images explain it; Holm's
    correction is for the comparisons of the family.
    """
    from lab.evaluation import paired_over_seeds

    found = {}
    for name, (ours, theirs) in family.items():
        count = min(len(ours), len(theirs))
        first, second = ([run["test_accuracy"] for run in runs[:count]] for runs in (ours, theirs))
        over = paired_over_seeds(first, second)
        largest = max(one.p for one in discordant(ours, theirs))
        found[name] = replace(over, p=None if over.p is None else max(over.p, largest))
    return corrected(found)


def _named(outcome: Outcome) -> tuple[str, str]:
    return outcome["labels"], outcome["predictions"]


def classifier_comparison_table(
    caption: str,
    words: Mapping[str, str],
    family: Mapping[str, tuple[Sequence[Outcome], Sequence[Outcome]]],
    differences: Mapping[str, Comparison],
) -> Table:
    """`compared_classifiers` by the words of each comparison, with the images that one alone named."""
    rows = []
    for name, text in words.items():
        found = discordant(*family[name])
        rows.append(
            {
                "comparison": text,
                "only_first": round(fmean(one.only_a for one in found)),
                "only_second": round(fmean(one.only_b for one in found)),
                "mcnemar": max(one.p for one in found),
                **differences[name].cells(),
            }
        )
    seeds = counted(max(len(discordant(*family[name])) for name in words), "seeds")
    return builders.table(
        f"{caption} First and second only: test images that only this side of the comparison classifies "
        f"correctly. Means over {seeds}; differences of accuracy are paired by seed.",
        {
            "comparison": builders.text("Compared"),
            "only_first": builders.integer("First only", "images"),
            "only_second": builders.integer("Second only", "images"),
            "difference": COMPARED["difference"],
            "mcnemar": builders.number("McNemar p", ".3f"),
            "p": COMPARED["p"],
            "verdict": COMPARED["verdict"],
        },
        rows,
        notes=(
            "McNemar p: the largest p-value of McNemar's exact test on the test images of any seed, not "
            "adjusted. Adjusted p: the larger of this and of Student's paired test over seeds, adjusted by "
            "Holm's method for the comparisons of the table.",
        ),
    )


def differences_chart(metrics: Mapping[str, Metric], changes: Mapping[str, str], what: str) -> Chart:
    """The differences of an ablation of `what`, the largest on top; filled where p, adjusted, is small."""
    shown = {
        words: metrics[f"ablation/{name}/difference"]
        for name, words in changes.items()
        if f"ablation/{name}/difference" in metrics
    }
    p_values = {
        words: metrics[f"ablation/{name}/p"].value
        for name, words in changes.items()
        if f"ablation/{name}/p" in metrics
    }
    return builders.intervals(
        f"Change of validation accuracy when one choice of {what} is changed. Points are means over seeds; "
        "their intervals are not adjusted, and a point is filled where p is significant after Holm's method.",
        shown,
        builders.points("Difference in accuracy"),
        significant=[words for words, p in p_values.items() if p < SIGNIFICANT] if p_values else None,
    )

"""How well the distances of a verification experiment tell people apart: AUC and rates with intervals over
people, the thresholds that people who were left out chose, and comparisons with Holm's correction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from analyses import records
from analyses.plugin import Outcome
from lab.verification import Pairs
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric, Table
from results.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 999
EXACT = 12  # people at most of whom an exact test counts all changes of sign

#: A mean, and what it is when people are drawn again, (RESAMPLES,).
Drawn = tuple[float, Any]


@dataclass(frozen=True)
class EvaluatedPairs:
    """One method on some splits that are tested in turn, folds of the people: its pairs by split and seed,
    and the thresholds beside them.
    """

    pairs: Sequence[Sequence[Pairs]]
    thresholds: Sequence[Sequence[Mapping[str, float]]]

    @property
    def people(self) -> int:
        """How many are tested on, over all splits."""
        return sum(len({*runs[0].first.tolist(), *runs[0].second.tolist()}) for runs in self.pairs)

    def threshold(self, name: str = "balanced") -> float:
        """Mean over splits and seeds."""
        found = [one[name] for thresholds in self.thresholds for one in thresholds]
        return sum(found) / len(found)


def pairs_of(outcome: Outcome) -> Pairs:
    """The pairs of the test images of a cell; people by number, in the order of their first image."""
    import numpy as np

    from lab.verification import every

    names = list(dict.fromkeys(outcome["people"]))
    people = np.array([names.index(person) for person in outcome["people"]])
    first, second = every(len(people))
    return Pairs.of(outcome["distances"], people[first], people[second])


def aucs(evaluated: EvaluatedPairs) -> Drawn:
    """The mean AUC over splits and seeds, and of people drawn again, (RESAMPLES,): of every split the same
    draws for each method and seed.
    """
    from lab import verification

    return _means(evaluated, lambda split, pairs, weights, thresholds: verification.auc(pairs, weights))


@dataclass(frozen=True)
class DrawnRates:
    """The rates at a threshold, each also of people drawn again."""

    true_positive: Drawn
    false_positive: Drawn
    accuracy: Drawn

    @property
    def balanced(self) -> Drawn:
        (true, trues), (false, falses) = self.true_positive, self.false_positive
        return (true + 1 - false) / 2, (trues + 1 - falses) / 2


def drawn_rates(
    evaluated: EvaluatedPairs, which: NDArray[np.bool_] | None = None, threshold: str = "balanced"
) -> DrawnRates:
    """As `aucs`, of the shares at a threshold; which: (M,) of one split, the pairs that are looked at."""
    import numpy as np

    def shares(split: int, pairs: Pairs, weights: Any, thresholds: Mapping[str, float]) -> Any:
        called, same = pairs.distances < thresholds[threshold], pairs.same
        everyone = np.ones(len(pairs), bool) if which is None else which
        weights = np.ones((1, len(pairs))) if weights is None else weights

        def share(of: NDArray[np.bool_], right: NDArray[np.bool_]) -> Any:
            total = weights @ (of & everyone)
            return weights @ (of & everyone & right) / np.where(total > 0, total, np.nan)

        every = np.ones(len(pairs), bool)
        return np.stack([share(same, called), share(~same, called), share(every, called == same)], axis=-1)

    values, drawn = _means(evaluated, shares)
    true, false, right = ((value, drawn[:, at]) for at, value in enumerate(values))
    return DrawnRates(true, false, right)


def own_aucs(evaluated: EvaluatedPairs) -> NDArray[np.float64]:
    """(people,) of one split: the AUC over the pairs in which a person is, mean over seeds."""
    from lab import verification

    return _by_person(evaluated, lambda pairs, thresholds: float(verification.auc(pairs)[0]))


def own_accepted(evaluated: EvaluatedPairs, which: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(people,) of one split: as `accepted`, of the pairs of each person; NaN of a person without any."""

    def share(pairs: Pairs, thresholds: Mapping[str, float]) -> float:
        return float((pairs.distances < thresholds["balanced"]).mean()) if len(pairs) else float("nan")

    return _by_person(evaluated, share, which & evaluated.pairs[0][0].same)


def _by_person(
    evaluated: EvaluatedPairs,
    measure: Callable[[Pairs, Mapping[str, float]], float],
    which: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    import numpy as np

    (runs,), (thresholds,) = evaluated.pairs, evaluated.thresholds
    first, second = runs[0].first, runs[0].second
    values = []
    for person in np.unique(np.concatenate([first, second])):
        own = (first == person) | (second == person)
        chosen = own if which is None else own & which
        found = [measure(one.where(chosen), limits) for one, limits in zip(runs, thresholds, strict=True)]
        values.append(np.mean(found))
    return np.array(values)


def exact_p(differences: NDArray[np.float64]) -> float | None:
    """Two-sided p of a mean difference over people, one value each, by all changes of their signs (Fisher's
    randomisation test); None of more than EXACT people.
    """
    import numpy as np

    known = differences[np.isfinite(differences)]
    if not 0 < len(known) <= EXACT:
        return None
    means = np.abs(np.array(list(product((1, -1), repeat=len(known)))) @ known)
    return float((means >= abs(known.sum()) - 1e-9).mean())


def _means(evaluated: EvaluatedPairs, measure: Any) -> Any:
    """Means over splits and seeds of what a measure gives, (1, …) or (RESAMPLES, …)."""
    import numpy as np

    from lab import verification

    values, drawn = [], []
    for split, (runs, thresholds) in enumerate(zip(evaluated.pairs, evaluated.thresholds, strict=True)):
        weights = verification.drawn_again(runs[0], RESAMPLES, seed=split)
        pairs = list(zip(runs, thresholds, strict=True))
        values.append(np.mean([measure(split, one, None, limits)[0] for one, limits in pairs], axis=0))
        drawn.append(np.mean([measure(split, one, weights, limits) for one, limits in pairs], axis=0))
    return np.mean(values, axis=0).tolist(), np.nanmean(drawn, axis=0)


def estimated(value: float, drawn: NDArray[np.float64], title: str, people: int) -> Metric:
    """A fraction, with the 95% percentile interval of the draws of so many people."""
    import numpy as np

    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    ends = {"low": min(float(low), value), "high": max(float(high), value)}
    return Metric(value=value, title=title, unit=FRACTION, n=people, over="people", **ends)


@dataclass(frozen=True)
class Measure:
    """What is compared; and what a sentence says of {first} and {second} where the first has more of it, or
    less, or where the difference is not significant. rate: whether it is shown in percentage points.
    """

    name: str
    more: str
    less: str
    same: str
    rate: bool = False


AUC = Measure(
    "AUC",
    more="{first} has a significantly higher AUC than {second}",
    less="{first} has a significantly lower AUC than {second}",
    same="{first} and {second} do not differ significantly in AUC",
)


@dataclass(frozen=True)
class Compared:
    """What is compared, in words that can stand within a sentence, and by which measure."""

    first: str
    second: str
    measure: Measure = AUC
    where: str = ""

    @property
    def title(self) -> str:
        return f"{self.measure.name}{self.where and f' {self.where}'}: {self.first}, less {self.second}"


@dataclass(frozen=True)
class Comparison:
    """One value less another, for the same draws of people; p: adjusted for all comparisons of its table.
    exact: p of an exact test of the people's own differences, not adjusted, where they are few; own: their
    mean, in which every person counts the same.
    """

    words: Compared
    difference: Metric
    p: float
    exact: float | None = None
    own: float | None = None

    @property
    def verdict(self) -> builders.Verdict:
        return builders.judge(self.difference, self.p)

    def finding(self, name: str, expected: builders.Verdict = "more") -> Finding:
        """name: of the metric. It says what the verdict is; it holds where that is the expected one."""
        words = self.words
        parts = {"first": words.first, "second": words.second}

        def sentence(pattern: str) -> str:
            text = (words.where and f"{words.where}, ") + pattern.format(**parts)
            return text[0].upper() + text[1:]

        style = "points" if words.measure.rate else "+.3f"
        how: dict[str, Any] = {"ci": True, "unit": words.measure.rate}
        size = builders.shown(name, style, unsigned=True, **how)
        signed = builders.shown(name, style, **how)
        if builders.judge(self.difference) != "same":  # a reader would ask why
            signed += f", with an adjusted p of {builders.shown(f'{name}_p', '.3f')}"
        return builders.comparison(
            sentence(words.measure.less if expected == "less" else words.measure.more),
            name,
            self.difference,
            more=f"{sentence(words.measure.more)}, by {size}.",
            less=f"{sentence(words.measure.less)}, by {size}.",
            same=f"{sentence(words.measure.same)}: the difference is {signed}.",
            adjusted_p=self.p,
            expected=expected,
        )


def compared(
    pairs: Mapping[str, tuple[Drawn, Drawn]],
    words: Mapping[str, Compared],
    people: Mapping[str, int],
    own: Mapping[str, NDArray[np.float64]] | None = None,
) -> dict[str, Comparison]:
    """The first of each two less the second, over so many people; all belong to one table, and share Holm's
    correction. own: of some of them the difference of each person, for an exact test.
    """
    import numpy as np

    from lab.evaluation import holm, p_of_resamples

    differences, p_values = {}, []
    for name, (first, second) in pairs.items():
        drawn = first[1] - second[1]
        differences[name] = estimated(first[0] - second[0], drawn, words[name].title, people[name])
        p_values.append(p_of_resamples(drawn[np.isfinite(drawn)]))
    found = {}
    for (name, difference), p in zip(differences.items(), holm(p_values), strict=True):
        found[name] = Comparison(words[name], difference, 1.0 if p is None else p)
        values = (own or {}).get(name)
        if values is not None and (exact := exact_p(values)) is not None:
            found[name] = replace(found[name], exact=exact, own=float(np.nanmean(values)))
    return found


def comparison_metrics(found: Mapping[str, Comparison]) -> dict[str, Metric]:
    """The differences by name, NAME_p, and NAME_exact_p."""
    metrics = {}
    for name, one in found.items():
        metrics[name] = one.difference
        metrics[f"{name}_p"] = builders.metric(one.p, f"Adjusted p-value. {one.difference.title}")
        if one.exact is not None:
            metrics[f"{name}_exact_p"] = builders.metric(
                one.exact, f"p-value of the exact test, not adjusted. {one.difference.title}"
            )
    return metrics


#: The column of exact tests.
EXACT_COLUMN = builders.number("Exact p", ".3f")


def exact_cell(key: str, one: Comparison) -> dict[str, float]:
    """The cell of that column, of a comparison that was tested exactly."""
    return {} if one.exact is None else {key: one.exact}


def comparison_table(found: Mapping[str, Comparison], caption: str) -> Table:
    """Of comparisons by one measure, which the caption names."""
    exact = any(one.exact is not None for one in found.values())
    return builders.table(
        caption,
        {
            "first": builders.text("First"),
            "second": builders.text("Second"),
            "where": builders.text("Tested on"),
            "difference": builders.number("Difference", "+.3f"),
            "p": builders.number("p", ".3f"),
            **({"exact": EXACT_COLUMN} if exact else {}),
        },
        [
            {
                "first": one.words.first,
                "second": one.words.second,
                "where": one.words.where.removeprefix("on "),
                "difference": one.difference,
                "p": one.p,
                **exact_cell("exact", one),
            }
            for one in found.values()
        ],
        notes=(family_note(found, "the table"),),
    )


def family_note(found: Mapping[str, Comparison], where: str) -> str:
    """What brackets and p-values of a family are; where: its comparisons are found."""
    people = sorted({one.difference.n or 0 for one in found.values()})
    least = 2 * len(found) / (RESAMPLES + 1)
    return (
        "Differences: first minus second. Brackets: 95% bootstrap intervals over people "
        f"({' or '.join(map(str, people))}; {RESAMPLES} resamples, the same for both), not adjusted. "
        f"p-values are adjusted by Holm's method for the {counted(len(found), 'comparisons')} of {where}; "
        f"with so many resamples, the smallest possible one is {least:.3f}.{_exact_note(found)}"
    )


def _exact_note(found: Mapping[str, Comparison]) -> str:
    """What exact p-values of a family are, where it has any."""
    people = [one.difference.n or 0 for one in found.values() if one.exact is not None]
    if not people:
        return ""
    return (
        f" Exact p-values come from a sign-flip test over the {counted(people[0], 'people')}; each person's "
        "difference is computed over the pairs that include this person. They are not adjusted; the smallest "
        f"possible one is {2 / 2 ** people[0]:.3f}."
    )


def best_balanced(evaluated: EvaluatedPairs) -> float:
    """Mean over splits and seeds of the best balanced accuracy that any threshold would have given."""
    from statistics import mean

    from lab import verification

    return mean(
        verification.rates(pairs, verification.balanced_threshold(pairs)).balanced
        for runs in evaluated.pairs
        for pairs in runs
    )


def error_rate(evaluated: EvaluatedPairs) -> float:
    """Mean equal error rate over splits and seeds."""
    from statistics import mean

    from lab import verification

    return mean(verification.equal_error_rate(pairs) for runs in evaluated.pairs for pairs in runs)


def split_runs(outcomes: Mapping[str, Outcome], splits: Sequence[str], method: str) -> EvaluatedPairs:
    """The runs of a method on each split, with the thresholds that its inner folds chose there, means over
    their seeds; of a method without training its own.
    """
    runs = [records.runs_named(outcomes, f"{split}/{method}") for split in splits]
    thresholds = []
    for split, found in zip(splits, runs, strict=True):
        inner = [one["thresholds"] for one in records.runs_named(outcomes, f"{split}/{method}_inner")]
        if inner:
            means = {name: sum(one[name] for one in inner) / len(inner) for name in inner[0]}
            thresholds.append([means] * len(found))
        else:
            thresholds.append([one["thresholds"] for one in found])
    return EvaluatedPairs([[pairs_of(one) for one in found] for found in runs], thresholds)

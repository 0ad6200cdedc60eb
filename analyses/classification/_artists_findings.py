"""What the outcomes of the artists study say: which factors help, which drawn setting is best, what
misleads it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean
from typing import Any

from analyses import experiments
from analyses.classification._artists_settings import ArtistsParameters, Setting
from analyses.plugin import Outcome, Summary
from lab.evaluation import Estimate, over_seeds, wilson
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

VERDICTS = ("helps", "hurts", "undecided")
LABELS = {"baseline": "Baseline", "best": "Best setting"}
CHANGES = {
    "none": "As they are",
    "translated": "Translated",
    "brightened": "Brightened",
    "darkened": "Darkened",
    "high_contrast": "High contrast",
    "low_contrast": "Low contrast",
    "flipped": "Flipped",
    "upside_down": "Upside down",
    "inverted": "Inverted",
}


def factor_name(factor: str, value: str) -> str:
    """ "factor/weight_decay/0.01": the start of the cells' ids, and of the metrics."""
    return "/".join(
        ("factor", *(re.sub(r"[^a-z0-9.]+", "_", part.lower()).strip("_") for part in (factor, value)))
    )


def _folds_of(outcomes: Mapping[str, Outcome], name: str) -> list[Outcome]:
    """The outcomes of a setting on folds 0, 1, …, as many as there are."""
    found: list[Outcome] = []
    while (outcome := outcomes.get(f"{name}/{len(found)}")) is not None:
        found.append(outcome)
    return found


def _mean_accuracy(outcomes: Sequence[Outcome]) -> float:
    return float(mean(outcome["accuracy"] for outcome in outcomes))


def finalists(parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> list[int]:
    """The drawn settings that are best on the first folds, best first; the earlier drawn of equals."""
    first = {
        number: _mean_accuracy(
            [outcomes[f"search/{number}/{fold}"] for fold in range(parameters.search_folds)]
        )
        for number in range(parameters.search_settings)
    }
    return sorted(first, key=lambda number: -first[number])[: parameters.finalists]


def winner(parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> int:
    """The finalist that is best on all folds."""
    return max(
        finalists(parameters, outcomes),
        key=lambda number: _mean_accuracy(_folds_of(outcomes, f"search/{number}")),
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


@dataclass(frozen=True)
class Compared:
    """A setting on the folds, and its difference to the baseline on the same folds."""

    factor: str
    value: str
    name: str
    accuracy: Metric
    difference: Metric

    @property
    def verdict(self) -> str:
        """What the interval of the difference says; without one, nothing is decided."""
        if self.difference.low is not None and self.difference.low > 0:
            return "helps"
        if self.difference.high is not None and self.difference.high < 0:
            return "hurts"
        return "undecided"


def _compared(
    parameters: ArtistsParameters,
    baseline: Sequence[Outcome],
    outcomes: Sequence[Outcome],
    named: tuple[str, str, str],
    title: str,
) -> Compared:
    paired = list(zip(outcomes, baseline, strict=False))
    accuracy = over_folds([one["accuracy"] for one in outcomes], parameters.folds, (0.0, 1.0))
    difference = over_folds([one["accuracy"] - other["accuracy"] for one, other in paired], parameters.folds)
    return Compared(
        *named,
        experiments.metric(accuracy, f"Validation accuracy of {title}"),
        experiments.metric(difference, f"Validation accuracy of {title}, less the baseline's"),
    )


def summary(parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    baseline = _folds_of(outcomes, "baseline")
    best_number = winner(parameters, outcomes)
    best_folds = _folds_of(outcomes, f"search/{best_number}")
    best = _compared(parameters, baseline, best_folds, ("", "", "best"), "the best setting")
    factors = [
        _compared(
            parameters,
            baseline,
            _folds_of(outcomes, factor_name(factor, value)),
            (factor, value, factor_name(factor, value)),
            f"{factor} {value}",
        )
        for factor, values in parameters.factors.items()
        for value in values
    ]
    final = {name: _folds_of(outcomes, f"final/{name}") for name in LABELS}
    setting = parameters.searched()[best_number]
    metrics = {
        "baseline/validation_accuracy": experiments.metric(
            over_folds([one["accuracy"] for one in baseline], parameters.folds, (0.0, 1.0)),
            "Validation accuracy of the baseline",
        ),
        "baseline/untrained_folds": _untrained(baseline, final["baseline"][0]),
        "best/validation_accuracy": best.accuracy,
        "best/validation_gain": best.difference,
        **_counts(parameters, final["best"][0], factors),
        **_courses(baseline, best_folds),
        **_on_test(final),
        **{f"{one.name}/difference": one.difference for one in factors},
        **{f"{one.name}/validation_accuracy": one.accuracy for one in factors},
    }
    return Summary(
        metrics=metrics,
        tables={
            "factors": _factor_table(parameters, factors),
            "search": _search_table(parameters, outcomes),
            "setting": _setting_table(parameters.baseline, setting),
            "transforms": _transform_table(metrics, parameters.seeds),
        },
        figures={
            "differences": _factor_figure(factors),
            "changed": _transform_figure(metrics),
            "loss": experiments.course(
                best_folds,
                "loss",
                "Loss of the best setting, mean and range over the folds.",
                "the best setting",
            ),
            "accuracy": experiments.course(
                best_folds,
                "accuracy",
                "Accuracy of the best setting, mean and range over the folds.",
                "the best setting",
            ),
        },
        findings={
            **_factor_findings(factors),
            **_search_findings(metrics, setting),
            **_transform_findings(metrics),
            "no_run_diverged": experiments.none_diverged(outcomes),
        },
    )


def _counts(parameters: ArtistsParameters, final: Outcome, factors: Sequence[Compared]) -> dict[str, Metric]:
    """How much there is of everything."""
    labels, pool = final["labels"], final["training_labels"]
    everything = Counter(labels + pool)
    largest, images = everything.most_common(1)[0]
    counts = {
        "data/images": (len(labels) + len(pool), "Images in all", "images"),
        "data/test_images": (len(labels), "Test images", "images"),
        "data/development_images": (len(pool), "Images that choices are made on", "images"),
        "data/classes": (len(everything), "Classes", "classes"),
        "data/largest_class": (images, f"Images of {final['classes'][largest]}, the largest class", "images"),
        "data/smallest_class": (min(everything.values()), "Images of the smallest class", "images"),
        "protocol/folds": (parameters.folds * parameters.repeats, "Folds", "folds"),
        "protocol/epochs": (parameters.baseline.epochs, "Epochs of the baseline", "epochs"),
        "protocol/seeds": (parameters.seeds, "Final networks of each kind", "networks"),
        "search/settings": (parameters.search_settings, "Settings drawn by the search", "settings"),
        "search/folds": (parameters.search_folds, "Folds that a drawn setting is first tried on", "folds"),
        "search/finalists": (parameters.finalists, "Settings tried on all folds", "settings"),
        "search/most_multiplications": (
            parameters.most_multiplications,
            "Most multiplications that the convolutions of a drawn setting may take an image",
            "multiplications",
        ),
        "factors/compared": (
            len(factors),
            "Settings that differ from the baseline in one factor",
            "settings",
        ),
        **{
            f"factors/{verdict}": (
                sum(one.verdict == verdict for one in factors),
                f"Changes of one factor with the verdict: {verdict}",
                "settings",
            )
            for verdict in VERDICTS
        },
    }
    share = images / (len(labels) + len(pool))
    on_test = sum(label == largest for label in labels)
    return {
        name: Metric(value=value, title=title, unit=unit) for name, (value, title, unit) in counts.items()
    } | {
        "majority/share": Metric(
            value=share, title="Share of the largest class in all images", unit=experiments.FRACTION
        ),
        "majority/test_accuracy": experiments.metric(
            wilson(on_test, len(labels)), "Test accuracy of always naming the largest class"
        ),
    }


def _untrained(folds: Sequence[Outcome], final: Outcome) -> Metric:
    """Folds whose network is hardly more accurate on its training images than naming the largest class."""
    labels = final["labels"] + final["training_labels"]
    largest = max(Counter(labels).values()) / len(labels)
    return Metric(
        value=sum((one["train_accuracy"] or 0.0) < 1.5 * largest for one in folds),
        title="Folds on which the baseline hardly learns its training images",
        unit="folds",
        n=len(folds),
    )


def _courses(baseline: Sequence[Outcome], best: Sequence[Outcome]) -> dict[str, Metric]:
    """How far training accuracy is above validation accuracy at the end."""
    return {
        f"{name}/train_accuracy": Metric(
            value=mean(one["train_accuracy"] or 0.0 for one in outcomes),
            title=f"Running training accuracy of the last epoch, {LABELS[name].lower()}",
            unit=experiments.FRACTION,
            n=len(outcomes),
        )
        for name, outcomes in (("baseline", baseline), ("best", best))
    }


def _correct(outcomes: Sequence[Outcome], change: str) -> list[float]:
    """For each test image the share of the networks that named its class."""
    rights = [
        [float(a == b) for a, b in zip(one["labels"], one["predictions"][change], strict=True)]
        for one in outcomes
    ]
    return [mean(column) for column in zip(*rights, strict=True)]


def _share(correct: Sequence[float], title: str) -> Metric:
    """A network's accuracy, mean over seeds, with the interval that so many test images allow: Wilson's for
    the mean number of right images, rounded. n counts images.
    """
    bounds = wilson(round(sum(correct)), len(correct))
    assert bounds.low is not None and bounds.high is not None
    value = mean(correct)
    return Metric(
        value=value,
        title=title,
        unit=experiments.FRACTION,
        low=min(bounds.low, value),
        high=max(bounds.high, value),
        n=len(correct),
    )


def _paired(a: Sequence[float], b: Sequence[float], title: str) -> Metric:
    """Mean of a − b over the images, with Student's interval over images."""
    return experiments.metric(over_seeds([x - y for x, y in zip(a, b, strict=True)]), title)


def _on_test(final: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    plain = {name: _correct(outcomes, "none") for name, outcomes in final.items()}
    for name, outcomes in final.items():
        label = LABELS[name].lower()
        metrics[f"{name}/test_accuracy"] = _share(plain[name], f"Test accuracy, {label}")
        metrics[f"{name}/parameters"] = Metric(
            value=outcomes[0]["parameters"], title=f"Parameters, {label}", unit="parameters"
        )
        single = [
            mean(float(a == b) for a, b in zip(one["labels"], one["predictions"]["none"], strict=True))
            for one in outcomes
        ]
        for end, value in (("lowest", min(single)), ("highest", max(single))):
            metrics[f"{name}/{end}_test_accuracy"] = Metric(
                value=value,
                title=f"{end.capitalize()} test accuracy of one network, {label}",
                unit=experiments.FRACTION,
            )
    metrics["best/test_gain"] = _paired(
        plain["best"], plain["baseline"], "Test accuracy of the best setting, less the baseline's"
    )
    for change, label in list(CHANGES.items())[1:]:
        for name, outcomes in final.items():
            prefix = "transform" if name == "best" else "baseline_transform"
            correct = _correct(outcomes, change)
            what = f"{LABELS[name].lower()}, test images {label.lower()}"
            metrics[f"{prefix}/{change}/test_accuracy"] = _share(correct, f"Accuracy, {what}")
            metrics[f"{prefix}/{change}/loss_of_accuracy"] = _paired(
                plain[name], correct, f"Accuracy lost by the change, {what}"
            )
    return metrics


def _factor_table(parameters: ArtistsParameters, factors: Sequence[Compared]) -> Table:
    number = {"type": "number", "format": ".3f"}
    rows = []
    for one in factors:
        ends = {"low": one.accuracy.low, "high": one.accuracy.high}
        paired = {"least": one.difference.low, "most": one.difference.high}
        rows.append(
            Row(
                cells={
                    "factor": one.factor.capitalize(),
                    "value": one.value,
                    "accuracy": one.accuracy.value,
                    "difference": one.difference.value,
                    "verdict": one.verdict,
                    **ends,
                    **paired,
                }
            )
        )
    return Table(
        caption="One factor changed at a time: validation accuracy, and its difference to the baseline.",
        columns=(
            Column(key="factor", label="Factor"),
            Column(key="value", label="Value"),
            Column(key="accuracy", label="Accuracy", **number),
            Column(key="low", label="95% from", **number),
            Column(key="high", label="to", **number),
            Column(key="difference", label="Difference", type="number", format="+.3f"),
            Column(key="least", label="95% from", type="number", format="+.3f"),
            Column(key="most", label="to", type="number", format="+.3f"),
            Column(key="verdict", label="Verdict"),
        ),
        rows=tuple(rows),
        notes=(
            f"Means over {parameters.folds * parameters.repeats} folds. Intervals are Student's, widened for "
            "folds that share training images; those of the difference are paired by fold. Of comparisons "
            "without any effect, one in twenty would be decided by chance.",
        ),
    )


def _search_table(parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> Table:
    settings = parameters.searched()
    found = {number: _folds_of(outcomes, f"search/{number}") for number in finalists(parameters, outcomes)}
    rows = []
    for number in sorted(found, key=lambda one: -_mean_accuracy(found[one])):
        everywhere = over_folds([one["accuracy"] for one in found[number]], parameters.folds, (0.0, 1.0))
        network, trained = settings[number].in_short()
        rows.append(
            Row(
                cells={
                    "number": number + 1,
                    "network": network,
                    "training": trained,
                    "first": _mean_accuracy(found[number][: parameters.search_folds]),
                    "accuracy": everywhere.value,
                    "low": everywhere.low,
                    "high": everywhere.high,
                }
            )
        )
    number_format: dict[str, Any] = {"type": "number", "format": ".3f"}
    return Table(
        caption="The drawn settings that were tried on all folds, the best first.",
        columns=(
            Column(key="number", label="Drawn as", type="integer"),
            Column(key="network", label="Network"),
            Column(key="training", label="Training"),
            Column(key="first", label="First folds", **number_format),
            Column(key="accuracy", label="All folds", **number_format),
            Column(key="low", label="95% from", **number_format),
            Column(key="high", label="to", **number_format),
        ),
        rows=tuple(rows),
        notes=(
            f"Of {parameters.search_settings} settings, tried on {parameters.search_folds} folds first. "
            "The best of several is judged too well by the folds that chose it.",
        ),
    )


def _setting_table(baseline: Setting, best: Setting) -> Table:
    from lab.recipes import Recipe

    said = {
        name: {
            **setting.in_words(),
            **dict(experiments.recipe_rows(Recipe.of(setting.recipe()))),
        }
        for name, setting in (("baseline", baseline), ("best", best))
    }
    choices = list(dict.fromkeys(choice for words in said.values() for choice in words))
    return Table(
        caption="Every choice of the baseline and of the best setting.",
        columns=(
            Column(key="choice", label="Choice"),
            *(Column(key=name, label=label) for name, label in LABELS.items()),
        ),
        rows=tuple(
            Row(
                cells={
                    "choice": choice.capitalize(),
                    **{name: words.get(choice, "–") for name, words in said.items()},
                }
            )
            for choice in choices
        ),
    )


def _transform_name(name: str, change: str) -> str:
    if change == "none":
        return f"{name}/test_accuracy"
    prefix = "transform" if name == "best" else "baseline_transform"
    return f"{prefix}/{change}/test_accuracy"


def _transform_table(metrics: Mapping[str, Metric], seeds: int) -> Table:
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    rows = []
    for change, label in CHANGES.items():
        cells: dict[str, Any] = {"change": label}
        for name in LABELS:
            accuracy = metrics[_transform_name(name, change)]
            cells |= {name: accuracy.value, f"{name}_low": accuracy.low, f"{name}_high": accuracy.high}
        if change != "none":
            lost = metrics[f"transform/{change}/loss_of_accuracy"]
            cells |= {"lost": lost.value, "least": lost.low, "most": lost.high}
        rows.append(Row(cells=cells))
    return Table(
        caption="Accuracy on the test images, as they are and changed.",
        columns=(
            Column(key="change", label="Test images"),
            *(
                Column(key=f"{name}{end}", label=title, **number)
                for name, label in LABELS.items()
                for end, title in (("", label), ("_low", "95% from"), ("_high", "to"))
            ),
            Column(key="lost", label="Best setting loses", **number),
            Column(key="least", label="95% from", **number),
            Column(key="most", label="to", **number),
        ),
        rows=tuple(rows),
        notes=(
            f"Means over {seeds} networks of each kind. Intervals of accuracies are Wilson's for one network "
            "on as many other test images; those of the loss are paired by image.",
        ),
    )


def _factor_figure(factors: Sequence[Compared]) -> Chart:
    """Differences to the baseline; one series a verdict."""
    series = []
    for verdict in VERDICTS:
        chosen = [(place, one) for place, one in enumerate(factors) if one.verdict == verdict]
        if chosen:
            differences = [one.difference for _, one in chosen]
            series.append(
                Series(
                    label=verdict.capitalize(),
                    x=tuple(float(place) for place, _ in chosen),
                    y=tuple(one.value for one in differences),
                    **experiments.interval(differences),
                )
            )
    ordered = sorted(factors, key=lambda one: one.difference.value)
    return Chart(
        kind="scatter",
        caption="Validation accuracy less the baseline's, on the same folds, for one factor changed at a "
        "time; 95% intervals.",
        alt=f"Points with error bars for {len(factors)} changes. The largest gain is {ordered[-1].factor} "
        f"{ordered[-1].value}, {ordered[-1].difference.value:+.3f}; the largest loss {ordered[0].factor} "
        f"{ordered[0].value}, {ordered[0].difference.value:+.3f}.",
        x=Axis(label="Change", categories=tuple(f"{one.factor}: {one.value}" for one in factors)),
        y=Axis(label="Accuracy less the baseline's", unit=experiments.FRACTION),
        series=tuple(series),
    )


def _transform_figure(metrics: Mapping[str, Metric]) -> Chart:
    series = []
    for name, label in LABELS.items():
        found = [metrics[_transform_name(name, change)] for change in CHANGES]
        series.append(
            Series(
                label=label,
                x=tuple(map(float, range(len(found)))),
                y=tuple(one.value for one in found),
                **experiments.interval(found),
            )
        )
    said = ", ".join(
        f"{label.lower()} {value:.2f}" for label, value in zip(CHANGES.values(), series[1].y, strict=True)
    )
    return Chart(
        kind="bar",
        caption="Accuracy on changed test images, with 95% intervals for the number of images.",
        alt=f"Bars of test accuracy by change, for the baseline and the best setting. Best setting: {said}.",
        x=Axis(label="Test images", categories=tuple(CHANGES.values())),
        y=Axis(label="Test accuracy", unit=experiments.FRACTION),
        series=tuple(series),
    )


def _above(metric: Metric, limit: float = 0.0) -> bool:
    return metric.low is not None and metric.low > limit


def _factor_findings(factors: Sequence[Compared]) -> dict[str, Finding]:
    """What each factor does: some value of it helps, some hurts, or nothing is decided."""
    found = {}
    for factor in dict.fromkeys(one.factor for one in factors):
        chosen = [one for one in factors if one.factor == factor]
        rests = tuple(f"{one.name}/difference" for one in chosen)
        key = factor_name(factor, "").removeprefix("factor/").rstrip("/")
        for verdict, sentence in (
            ("helps", "Some value of this factor, alone, raises validation accuracy: {}"),
            ("hurts", "Some value of this factor, alone, lowers validation accuracy: {}"),
        ):
            found[f"{key}_{verdict}"] = Finding(
                statement=sentence.format(factor),
                holds=any(one.verdict == verdict for one in chosen),
                metrics=rests,
            )
    return found


def _search_findings(metrics: Mapping[str, Metric], setting: Setting) -> dict[str, Finding]:
    best, baseline = metrics["best/test_accuracy"], metrics["baseline/test_accuracy"]
    validation, validated = metrics["best/validation_accuracy"].value, metrics["baseline/validation_accuracy"]
    return {
        "best_beats_baseline": Finding(
            statement="On the folds, the best setting is more accurate than the baseline",
            holds=_above(metrics["best/validation_gain"]),
            metrics=("best/validation_gain",),
        ),
        "best_beats_baseline_on_test": Finding(
            statement="On the test images, the best setting is more accurate than the baseline",
            holds=_above(metrics["best/test_gain"]),
            metrics=("best/test_gain",),
        ),
        "baseline_overfits": Finding(
            statement="The baseline's training accuracy is above the interval of its validation accuracy",
            holds=validated.high is not None and metrics["baseline/train_accuracy"].value > validated.high,
            metrics=("baseline/train_accuracy", "baseline/validation_accuracy"),
        ),
        "baseline_fails_somewhere": Finding(
            statement="On some fold the baseline hardly learns its training images",
            holds=metrics["baseline/untrained_folds"].value > 0,
            metrics=("baseline/untrained_folds",),
        ),
        "baseline_beats_majority": Finding(
            statement="The baseline is more accurate than always naming the largest class",
            holds=_above(baseline, metrics["majority/test_accuracy"].value),
            metrics=("baseline/test_accuracy", "majority/test_accuracy"),
        ),
        "test_agrees_with_validation": Finding(
            statement="The validation accuracy of the best setting lies in the interval of its test accuracy",
            holds=best.low is not None and best.high is not None and best.low <= validation <= best.high,
            metrics=("best/test_accuracy", "best/validation_accuracy"),
        ),
        "best_augments": Finding(
            statement="The best setting mirrors or moves its training images",
            holds=setting.mirror or setting.shift > 0,
        ),
        "best_mirrors": Finding(
            statement="The best setting mirrors its training images", holds=setting.mirror
        ),
        "best_moves": Finding(
            statement="The best setting moves its training images", holds=setting.shift > 0
        ),
        "best_is_normalised": Finding(statement="The best setting has batch norm", holds=setting.normalised),
        "best_pools": Finding(statement="The best setting has max-pooling", holds=setting.pool > 0),
    }


def _transform_findings(metrics: Mapping[str, Metric]) -> dict[str, Finding]:
    changes = list(CHANGES)[1:]
    lost = {change: metrics[f"transform/{change}/loss_of_accuracy"] for change in changes}
    accuracies = tuple(_transform_name("best", change) for change in changes)
    worst = max(changes, key=lambda change: lost[change].value)
    found = {
        "inversion_hurts_most": Finding(
            statement="Of all changes, inversion costs the best setting most accuracy",
            holds=worst == "inverted",
            metrics=accuracies,
        ),
        "inverted_beats_majority": Finding(
            statement="On inverted images the best setting is still above the share of the largest class",
            holds=_above(
                metrics["transform/inverted/test_accuracy"], metrics["majority/test_accuracy"].value
            ),
            metrics=("transform/inverted/test_accuracy", "majority/test_accuracy"),
        ),
    }
    for change in changes:
        found[f"{change}_costs"] = Finding(
            statement="This change of the test images costs the best setting accuracy: "
            + CHANGES[change].lower(),
            holds=_above(lost[change]),
            metrics=(f"transform/{change}/loss_of_accuracy",),
        )
    return found

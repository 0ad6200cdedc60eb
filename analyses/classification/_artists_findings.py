"""What the outcomes of the artists study say: which factors help, which drawn setting is best, what
misleads it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import mean, stdev
from typing import Any

from analyses import experiments
from analyses.classification._artists_settings import ArtistsParameters, Setting
from analyses.experiments import Comparison
from analyses.plugin import Outcome, Summary
from lab.evaluation import Difference, Estimate, over_seeds, paired_over_seeds, wilson
from results.schema import Axis, Chart, Column, Finding, Metric, Picture, Pictures, Row, Series, Table

VERDICTS = {"more": "helps", "less": "hurts", "undecided": "undecided"}
LABELS = {"baseline": "Baseline", "best": "Best setting"}
METHODS = {"forest": "Random forest on colours", **LABELS}
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
    """A value of a factor on the folds, and its difference to the baseline on the same folds."""

    factor: str
    value: str
    name: str
    accuracy: Metric
    train: Metric
    difference: Comparison
    images: int | None  # that the networks were trained on in the first fold, where it was kept

    @property
    def verdict(self) -> str:
        return VERDICTS[self.difference.verdict]


def _accuracies(outcomes: Sequence[Outcome]) -> list[float]:
    return [one["accuracy"] for one in outcomes]


def _folds_metric(parameters: ArtistsParameters, values: Sequence[float], title: str) -> Metric:
    """The mean of fractions over folds."""
    return experiments.metric(over_folds(values, parameters.folds, (0.0, 1.0)), title, over=FOLDS)


def _train_accuracy(parameters: ArtistsParameters, outcomes: Sequence[Outcome], title: str) -> Metric:
    """Of the last epoch, while its weights change; a network that diverged in its first counts 0."""
    return _folds_metric(parameters, [one["train_accuracy"] or 0.0 for one in outcomes], title)


def _factors(
    parameters: ArtistsParameters, baseline: Sequence[Outcome], outcomes: Mapping[str, Outcome]
) -> list[Compared]:
    """Every value of every factor; their differences to the baseline are one family."""
    found = {
        (factor, value): _folds_of(outcomes, factor_name(factor, value))
        for factor, values in parameters.factors.items()
        for value in values
    }
    differences = experiments.corrected(
        {
            factor_name(*key): paired_over_folds(_accuracies(runs), _accuracies(baseline), parameters.folds)
            for key, runs in found.items()
        },
        FOLDS,
    )
    return [
        Compared(
            factor,
            value,
            name := factor_name(factor, value),
            _folds_metric(parameters, _accuracies(runs), f"Validation accuracy of {factor} {value}"),
            _train_accuracy(parameters, runs, f"Training accuracy of {factor} {value} in the last epoch"),
            differences[name],
            runs[0].get("images"),
        )
        for (factor, value), runs in found.items()
    ]


def summary(parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    best_number = winner(parameters, outcomes)
    folds = {
        "forest": _folds_of(outcomes, "forest"),
        "baseline": _folds_of(outcomes, "baseline"),
        "best": _folds_of(outcomes, f"search/{best_number}"),
    }
    folds = {name: found for name, found in folds.items() if found}
    final = {name: _folds_of(outcomes, f"final/{name}") for name in METHODS if name in folds}
    factors = _factors(parameters, folds["baseline"], outcomes)
    methods = _method_comparisons(parameters, folds, final)
    changes = _change_comparisons(final)
    setting = parameters.searched()[best_number]
    metrics = {
        **_counts(parameters, final["best"][0], factors),
        "baseline/untrained_folds": _untrained(folds["baseline"], final["baseline"][0]),
        **_on_folds(parameters, folds),
        **_on_test(final),
    }
    for one in factors:
        metrics |= {f"{one.name}/validation_accuracy": one.accuracy, f"{one.name}/train_accuracy": one.train}
        title = f"Validation accuracy of {one.factor} {one.value}, less the baseline's"
        metrics |= one.difference.metrics(f"{one.name}/", title)
    for name, difference in methods.items():
        metrics |= difference.metrics(f"{name}/", METHOD_PAIRS[name])
    for name, difference in changes.items():
        metrics |= difference.metrics(f"{name}/", _change_words(name))
    metrics |= _largest(factors)
    return Summary(
        metrics=metrics,
        tables={
            "classes": _class_table(final["best"][0]),
            "methods": _method_table(metrics, folds),
            "comparisons": _comparison_table(methods),
            "factors": _factor_table(parameters, folds["baseline"], factors, metrics),
            "search": _search_table(parameters, outcomes),
            "setting": _setting_table(parameters.baseline, setting),
            "transforms": _transform_table(metrics, changes, parameters.seeds),
        },
        figures={
            "differences": _factor_figure(factors),
            "changed": _transform_figure(metrics),
            "loss": experiments.course(
                folds["best"],
                "loss",
                "Loss of the best setting, mean and range over the folds.",
                "the best setting",
            ),
            "accuracy": experiments.course(
                folds["best"],
                "accuracy",
                "Accuracy of the best setting, mean and range over the folds.",
                "the best setting",
            ),
            "baseline_accuracy": experiments.course(
                folds["baseline"],
                "accuracy",
                "Accuracy of the baseline, mean and range over the folds.",
                "the baseline",
            ),
            **_photograph(outcomes),
        },
        findings={
            **_factor_findings(factors),
            **_search_findings(metrics, methods, setting),
            **_transform_findings(metrics, changes),
            "no_run_diverged": experiments.none_diverged(outcomes),
        },
    )


def _on_folds(parameters: ArtistsParameters, folds: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    metrics = {}
    for name, runs in folds.items():
        label = METHODS[name].lower()
        metrics[f"{name}/validation_accuracy"] = _folds_metric(
            parameters, _accuracies(runs), f"Validation accuracy, {label}"
        )
        if name in LABELS:
            metrics[f"{name}/train_accuracy"] = _train_accuracy(
                parameters, runs, f"Running training accuracy of the last epoch, {label}"
            )
    return metrics


METHOD_PAIRS = {
    f"{one}_over_{other}/{part}": f"{METHODS[one]} − {METHODS[other]}, {words}"
    for part, words in (("validation", "validation accuracy"), ("test", "test accuracy"))
    for one, other in (("best", "baseline"), ("best", "forest"), ("baseline", "forest"))
}


def _method_comparisons(
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
                values = (_accuracies(folds[one]), _accuracies(folds[other]))
                found[name] = paired_over_folds(*values, parameters.folds)
            else:
                found[name] = paired_over_seeds(_correct(final[one], "none"), _correct(final[other], "none"))
    return {
        name: replace(one, over=FOLDS if name.endswith("validation") else IMAGES)
        for name, one in experiments.corrected(found).items()
    }


def _change_comparisons(final: Mapping[str, Sequence[Outcome]]) -> dict[str, Comparison]:
    """What each change of the test images costs the best setting, and whether this is still ahead of the
    baseline; one family.
    """
    found = {}
    for change in list(CHANGES)[1:]:
        correct = {name: _correct(final[name], change) for name in LABELS}
        found[f"transform/{change}/lost"] = paired_over_seeds(
            _correct(final["best"], "none"), correct["best"]
        )
        found[f"transform/{change}/lead"] = paired_over_seeds(correct["best"], correct["baseline"])
    return experiments.corrected(found, IMAGES)


def _change_words(name: str) -> str:
    _, change, what = name.split("/")
    words = {
        "lost": "Accuracy that the best setting loses",
        "lead": "Accuracy of the best setting less the baseline's",
    }[what]
    return f"{words}, test images {CHANGES[change].lower()}"


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
            for verdict in VERDICTS.values()
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
            wilson(on_test, len(labels)), "Test accuracy of always naming the largest class", over=IMAGES
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


def _largest(factors: Sequence[Compared]) -> dict[str, Metric]:
    """The largest differences to the baseline: of all changes, and of those of the training alone."""
    found = {}
    for key, chosen, words in (
        ("factors", factors, "of one factor"),
        ("training", [one for one in factors if one.factor in TRAINING], "of the training"),
    ):
        if chosen:
            best = max(chosen, key=lambda one: one.difference.difference.value)
            title = f"Largest gain by a change {words}: {best.factor} {best.value}"
            found |= best.difference.metrics(f"{key}/largest/", title)
    return found


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
        over=IMAGES,
    )


def _on_test(final: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for name, outcomes in final.items():
        label = METHODS[name].lower()
        metrics[f"{name}/test_accuracy"] = _share(_correct(outcomes, "none"), f"Test accuracy, {label}")
        if name not in LABELS:
            continue
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
        for change, words in list(CHANGES.items())[1:]:
            metrics[_transform_name(name, change)] = _share(
                _correct(outcomes, change), f"Accuracy, {label}, test images {words.lower()}"
            )
    return metrics


def _class_table(final: Outcome) -> Table:
    """How many pictures there are of each class, on both sides."""
    rows = []
    for number, name in enumerate(final["classes"]):
        development, test = (final[key].count(number) for key in ("training_labels", "labels"))
        rows.append(
            Row(
                cells={
                    "class": name.replace("_", " ").title(),
                    "development": development,
                    "test": test,
                    "images": development + test,
                }
            )
        )
    total = {key: sum(int(row.cells[key] or 0) for row in rows) for key in ("development", "test", "images")}
    return Table(
        caption="Pictures of each class.",
        columns=(
            Column(key="class", label="Class"),
            Column(key="development", label="To choose by", type="integer"),
            Column(key="test", label="Test", type="integer"),
            Column(key="images", label="In all", type="integer"),
        ),
        rows=(*rows, Row(cells={"class": "Total", **total}, kind="total")),
    )


def _interval_columns(key: str, label: str) -> tuple[Column, ...]:
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    return tuple(
        Column(key=f"{key}{end}", label=text, **number)
        for end, text in (("", label), ("_low", "95% from"), ("_high", "to"))
    )


def _interval_cells(key: str, found: Metric) -> dict[str, Any]:
    return {key: found.value, f"{key}_low": found.low, f"{key}_high": found.high}


def _method_table(metrics: Mapping[str, Metric], folds: Iterable[str]) -> Table:
    rows = []
    majority = {"method": "Always the largest class"}
    rows.append(Row(cells=majority | _interval_cells("test", metrics["majority/test_accuracy"])))
    for name in folds:
        cells: dict[str, Any] = {"method": METHODS[name]}
        cells |= _interval_cells("validation", metrics[f"{name}/validation_accuracy"])
        cells |= _interval_cells("test", metrics[f"{name}/test_accuracy"])
        if found := metrics.get(f"{name}/train_accuracy"):
            cells["train"] = found.value
        rows.append(Row(cells=cells))
    return Table(
        caption="With and without a network: accuracy on the folds and on the test images.",
        columns=(
            Column(key="method", label="Method"),
            Column(key="train", label="Training", type="number", format=".3f"),
            *_interval_columns("validation", "Validation"),
            *_interval_columns("test", "Test"),
        ),
        rows=tuple(rows),
        notes=(
            f"Validation: means over {metrics['baseline/validation_accuracy'].n} folds, with Student's "
            "interval over folds, widened for shared training images. Test: means over the final networks or "
            f"forests, with Wilson's interval over {metrics['baseline/test_accuracy'].n} test images. "
            "Training accuracies are running means over the last epoch.",
        ),
    )


def _comparison_table(methods: Mapping[str, Comparison]) -> Table:
    return Table(
        caption="The methods compared.",
        columns=(Column(key="comparison", label="Compared"), *experiments.comparison_columns()),
        rows=tuple(
            Row(cells={"comparison": METHOD_PAIRS[name], **one.cells()}) for name, one in methods.items()
        ),
        notes=(
            "Differences on the folds are paired by fold, with Student's interval widened for shared "
            "training images; those on the test are paired by image. p-values are adjusted by Holm's method "
            "for the comparisons of the table.",
        ),
    )


def _factor_table(
    parameters: ArtistsParameters,
    baseline: Sequence[Outcome],
    factors: Sequence[Compared],
    metrics: Mapping[str, Metric],
) -> Table:
    number = {"type": "number", "format": ".3f"}
    rows = [
        Row(
            cells={
                "factor": "Baseline",
                "train": metrics["baseline/train_accuracy"].value,
                **_interval_cells("accuracy", metrics["baseline/validation_accuracy"]),
            }
        )
    ]
    for one in factors:
        rows.append(
            Row(
                cells={
                    "factor": one.factor.capitalize(),
                    "value": one.value,
                    "train": one.train.value,
                    **_interval_cells("accuracy", one.accuracy),
                    **one.difference.cells(),
                }
            )
        )
    fewer = any(one.factor == "early stopping" and one.images is None for one in factors)
    return Table(
        caption="One factor changed at a time: training and validation accuracy, and the latter's difference "
        "to the baseline.",
        columns=(
            Column(key="factor", label="Factor"),
            Column(key="value", label="Value"),
            Column(key="train", label="Training", **number),
            *_interval_columns("accuracy", "Validation"),
            *(
                column.model_copy(update={"format": "+.3f"}) if column.format == "+.4f" else column
                for column in experiments.comparison_columns()
            ),
        ),
        rows=tuple(rows),
        notes=(
            f"Means over {len(baseline)} folds; training accuracies are running means over the last epoch. "
            "Intervals are Student's over folds, widened for folds that share training images; those of the "
            "difference are paired by fold. p-values are adjusted by Holm's method for all "
            f"{len(factors)} comparisons of the table.",
            *(("With early stopping, networks had fewer training images than the others.",) if fewer else ()),
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


def _transform_table(metrics: Mapping[str, Metric], changes: Mapping[str, Comparison], seeds: int) -> Table:
    rows = []
    for change, label in CHANGES.items():
        cells: dict[str, Any] = {"change": label}
        for name in LABELS:
            cells |= _interval_cells(name, metrics[_transform_name(name, change)])
        if change != "none":
            for what in ("lost", "lead"):
                found = changes[f"transform/{change}/{what}"]
                cells |= {what: found.difference.value, f"{what}_p": found.p}
        rows.append(Row(cells=cells))
    return Table(
        caption="Accuracy on the test images, as they are and changed.",
        columns=(
            Column(key="change", label="Test images"),
            *(column for name, label in LABELS.items() for column in _interval_columns(name, label)),
            Column(key="lost", label="Best setting loses", type="number", format="+.3f"),
            Column(key="lost_p", label="Adjusted p", type="number", format=".3f"),
            Column(key="lead", label="Best less baseline", type="number", format="+.3f"),
            Column(key="lead_p", label="Adjusted p", type="number", format=".3f"),
        ),
        rows=tuple(rows),
        notes=(
            f"Means over {seeds} networks of each kind. Intervals are Wilson's over "
            f"{metrics['best/test_accuracy'].n} test images; differences are tested image by image "
            f"(Student), and their p-values are adjusted by Holm's method for the {len(changes)} comparisons "
            "of the table.",
        ),
    )


def _photograph(outcomes: Mapping[str, Outcome]) -> dict[str, Pictures]:
    """The changes, on a photograph that may be shown."""
    drawn = outcomes.get("changes")
    if not drawn:
        return {}
    return {
        "changes": Pictures(
            caption=f"The changes of the test images, shown on a photograph that may be passed on: {CREDIT}.",
            alt=f"One photograph {len(drawn['pictures'])} times: "
            + ", ".join(CHANGES[name].lower() for name in drawn["pictures"])
            + ".",
            columns=5,
            pictures=tuple(Picture(png=png, title=CHANGES[name]) for name, png in drawn["pictures"].items()),
        )
    }


def _gain(one: Compared) -> float:
    return one.difference.difference.value


def _factor_figure(factors: Sequence[Compared]) -> Chart:
    """Differences to the baseline; one series a verdict."""
    series = []
    for verdict in VERDICTS.values():
        chosen = [(place, one) for place, one in enumerate(factors) if one.verdict == verdict]
        if chosen:
            differences = [one.difference.difference for _, one in chosen]
            series.append(
                Series(
                    label=verdict.capitalize(),
                    x=tuple(float(place) for place, _ in chosen),
                    y=tuple(one.value for one in differences),
                    **experiments.interval(differences),
                )
            )
    ordered = sorted(factors, key=_gain)
    return Chart(
        kind="scatter",
        caption="Validation accuracy less the baseline's, on the same folds, for one factor changed at a "
        "time; 95% intervals over folds, each of one comparison alone; colours after Holm's correction.",
        alt=f"Points with error bars for {len(factors)} changes. The largest gain is {ordered[-1].factor} "
        f"{ordered[-1].value}, {_gain(ordered[-1]):+.3f}; the largest loss {ordered[0].factor} "
        f"{ordered[0].value}, {_gain(ordered[0]):+.3f}.",
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
    """What each factor does: some value of it helps, some hurts, or nothing is decided; and which factor of
    the training has the largest gain."""
    found = {}
    trained = [one for one in factors if one.factor in TRAINING]
    largest = max(trained, key=_gain, default=None)
    for factor in dict.fromkeys(one.factor for one in factors):
        chosen = [one for one in factors if one.factor == factor]
        rests = tuple(f"{one.name}/difference" for one in chosen)
        key = factor_name(factor, "").removeprefix("factor/").rstrip("/")
        for verdict, sentence in (
            ("helps", "Some value of this factor, alone, raises validation accuracy after correction: {}"),
            ("hurts", "Some value of this factor, alone, lowers validation accuracy after correction: {}"),
        ):
            found[f"{key}_{verdict}"] = Finding(
                statement=sentence.format(factor),
                holds=any(one.verdict == verdict for one in chosen),
                metrics=rests,
            )
        if largest and factor in TRAINING:
            found[f"{key}_is_most_effective"] = Finding(
                statement=f"Of the factors of training, the largest mean gain is that of {factor}",
                holds=largest.factor == factor,
                metrics=("training/largest/difference",),
            )
    if largest:
        found["training_helps"] = Finding(
            statement="The largest gain by a factor of training is significant after Holm's correction",
            holds=largest.verdict == "helps",
            metrics=("training/largest/difference",),
        )
    return found


def _search_findings(
    metrics: Mapping[str, Metric], methods: Mapping[str, Comparison], setting: Setting
) -> dict[str, Finding]:
    best, baseline = metrics["best/test_accuracy"], metrics["baseline/test_accuracy"]
    validation, validated = metrics["best/validation_accuracy"].value, metrics["baseline/validation_accuracy"]
    return {
        **{
            f"{name.replace('_over_', '_beats_').replace('/', '_on_')}": Finding(
                statement=f"More, after Holm's correction: {METHOD_PAIRS[name]}",
                holds=one.verdict == "more",
                metrics=(f"{name}/difference",),
            )
            for name, one in methods.items()
        },
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


def _transform_findings(
    metrics: Mapping[str, Metric], comparisons: Mapping[str, Comparison]
) -> dict[str, Finding]:
    changes = list(CHANGES)[1:]
    lost = {change: comparisons[f"transform/{change}/lost"] for change in changes}
    accuracies = tuple(_transform_name("best", change) for change in changes)
    worst = max(changes, key=lambda change: lost[change].difference.value)
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
            statement="This change of the test images costs the best setting accuracy, after Holm's "
            f"correction: {CHANGES[change].lower()}",
            holds=lost[change].verdict == "more",
            metrics=(f"transform/{change}/lost/difference",),
        )
        for word, verdict in (("leads", "more"), ("trails", "less")):
            found[f"{change}_{word}"] = Finding(
                statement=f"The best setting {word} the baseline, after Holm's correction, on test images "
                f"{CHANGES[change].lower()}",
                holds=comparisons[f"transform/{change}/lead"].verdict == verdict,
                metrics=(f"transform/{change}/lead/difference",),
            )
    return found

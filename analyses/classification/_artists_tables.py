"""Tables and figures of the artists study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

from analyses import comparing, recipe_tables
from analyses.classification._artists_comparisons import (
    AMOUNTS,
    CHANGES,
    CREDIT,
    FOLDS,
    IMAGES,
    LABELS,
    METHOD_PAIRS,
    METHODS,
    Compared,
    accuracies,
    finalists,
    folds_of,
    mean_accuracy,
    over_folds,
    transform_name,
)
from analyses.classification._artists_settings import ArtistsParameters, Choices, Setting
from analyses.comparing import Comparison
from analyses.plugin import Outcome
from results import builders
from results.schema import Chart, Estimate, Metric, Panel, Panels, Picture, Pictures, Table
from results.text import counted


def class_table(final: Outcome) -> Table:
    """How many pictures there are of each class, in three columns."""
    everything = final["training_labels"] + final["labels"]
    classes = [
        (name.replace("_", " ").title(), everything.count(number))
        for number, name in enumerate(final["classes"])
    ]
    third = -(-len(classes) // 3)
    rows: list[dict[str, builders.Cell]] = [{} for _ in range(third)]
    for n, (name, images) in enumerate(classes):
        rows[n % third] |= {f"class{n // third}": name, f"images{n // third}": images}
    return builders.table(
        f"Images of each class ({len(everything):,} in total).",
        {
            key: column
            for n in range(-(-len(classes) // third))
            for key, column in (
                (f"class{n}", builders.text("Class")),
                (f"images{n}", builders.integer("Images")),
            )
        },
        rows,
    )


def method_table(metrics: Mapping[str, Metric], folds: Iterable[str]) -> Table:
    rows: list[dict[str, builders.Cell]] = [
        {"method": "Always the largest class", "test": metrics["majority/test_accuracy"]}
    ]
    for name in folds:
        train = metrics.get(f"{name}/train_accuracy")
        rows.append(
            {
                "method": METHODS[name],
                "train": train.value if train else None,
                "validation": metrics[f"{name}/validation_accuracy"],
                "test": metrics[f"{name}/test_accuracy"],
            }
        )
    return builders.table(
        "Accuracy (%) with and without a network. Validation accuracies are means over "
        f"{metrics['baseline/validation_accuracy'].n} folds, with intervals over folds that are widened for "
        "shared training images. Test accuracies are means over the final networks or forests, with "
        "bootstrap intervals over test images.",
        {
            "method": builders.text("Method"),
            "train": builders.percent("Training"),
            "validation": builders.percent("Validation"),
            "test": builders.percent("Test", best="highest"),
        },
        rows,
        notes=("Training accuracies are running means over the last epoch.",),
    )


def comparison_table(methods: Mapping[str, Comparison]) -> Table:
    return builders.table(
        "Differences in accuracy between methods (percentage points), paired by fold or test image.",
        {
            "comparison": builders.text("Compared"),
            **comparing.COMPARED,
            "difference": comparing.change("Difference"),
        },
        [{"comparison": METHOD_PAIRS[name], **one.cells()} for name, one in methods.items()],
        notes=(comparing.HOLM,),
    )


def factor_table(
    baseline: Sequence[Outcome], factors: Sequence[Compared], metrics: Mapping[str, Metric]
) -> Table:
    rows: list[dict[str, builders.Cell]] = [
        {
            "factor": "Baseline",
            "train": metrics["baseline/train_accuracy"].value,
            "accuracy": metrics["baseline/validation_accuracy"],
        }
    ]
    previous = ""
    for one in factors:
        rows.append(
            {
                "factor": "" if one.factor == previous else one.factor.capitalize(),
                "value": one.value,
                "train": one.train.value,
                "accuracy": one.accuracy,
            }
        )
        previous = one.factor
    fewer = any(one.factor == "early stopping" and one.images is None for one in factors)
    return builders.table(
        "Training and validation accuracy (%) when a single choice of the baseline is changed. Means over "
        f"{counted(len(baseline), 'folds')}; brackets are 95% confidence intervals over folds, widened for "
        "shared training images.",
        {
            "factor": builders.text("Factor"),
            "value": builders.text("Value"),
            "train": builders.percent("Training"),
            "accuracy": builders.percent("Validation"),
        },
        rows,
        notes=(
            "Training accuracies are running means over the last epoch.",
            *(("With early stopping, networks had fewer training images than the others.",) if fewer else ()),
        ),
    )


def search_table(parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> Table:
    settings = parameters.searched()
    found = {number: folds_of(outcomes, f"search/{number}") for number in finalists(parameters, outcomes)}
    rows: list[dict[str, builders.Cell]] = []
    for number in sorted(found, key=lambda one: -mean_accuracy(found[one])):
        on_folds = accuracies(found[number])
        network, trained = settings[number].in_short()
        rows.append(
            {
                "number": number + 1,
                "network": network,
                "training": trained,
                "first": mean(on_folds[: parameters.search_folds]),
                "accuracy": builders.estimate(over_folds(on_folds, parameters.folds, (0.0, 1.0)), FOLDS),
            }
        )
    return builders.table(
        f"Validation accuracy (%) of the {len(rows)} settings, of {parameters.search_settings} drawn at "
        f"random, that were best on the first {counted(parameters.search_folds, 'folds')} and were "
        "therefore tried on all. Intervals are widened for shared training images.",
        {
            "number": builders.integer("Drawn as"),
            "network": builders.text("Network"),
            "training": builders.text("Training"),
            "first": builders.percent("First folds"),
            "accuracy": builders.percent("All folds", best="highest"),
        },
        rows,
    )


def setting_table(parameters: ArtistsParameters, best: Setting) -> Table:
    """The choices of the baseline and of the best setting, and those that the search draws from."""
    from lab.datasets import short_title

    words = {
        name: setting.in_words() | dict(recipe_tables.recipe_rows(setting.recipe()))
        for name, setting in (("baseline", parameters.baseline), ("best", best))
    }
    words["searched"] = {
        choice: ranges for choice, ranges in searched_in_words(parameters.space).items() if ranges
    }
    decayed = " on weight matrices and filters"
    for found in words.values():
        found["weight decay"] = found.get("weight decay", "–").removesuffix(decayed)
    table = recipe_tables.choices_table(
        f"{short_title(parameters.data.name)}: hyper-parameters of the baseline and the best setting, and "
        "the values among which the search draws. Numbers joined by a dash refer to successive convolutions.",
        LABELS | {"searched": "Searched"},
        words,
    )
    notes = (
        "Searched values are drawn independently and uniformly. Weight decay is applied to weight matrices "
        "and filters; coupled decay is added to the gradient, decoupled decay is not."
    )
    return table.model_copy(update={"notes": (notes,)})


def searched_in_words(space: Choices) -> dict[str, str]:
    """What the search draws from, by the choice that it decides."""

    def values(*factors: str) -> list[str]:
        return [value for factor in factors for value in space.get(factor, {})]

    rates: dict[str, list[str]] = {}
    for value in values("optimizer"):
        name, _, rate = value.partition(" ")
        rates.setdefault({"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[name], []).append(rate)
    schedules = {"multistep": "steps", "onecycle": "one cycle"}
    moved = " or ".join(value for value in values("shift") if value != "0")
    return {
        "filters": ", ".join(values("filters")),
        "filter size": ", ".join(f"{size} × {size}" for size in values("filter size")),
        "strides": ", ".join(values("first stride")) + "; later " + ", ".join(values("stride")),
        "max-pooling": ", ".join("none" if size == "0" else f"{size} × {size}" for size in values("pooling")),
        "batch norm": ", ".join(values("batch norm")),
        "dropout": ", ".join(values("dropout")),
        "dense layer": ", ".join(values("dense")),
        "epochs": ", ".join(values("epochs")),
        "optimiser": ", ".join(rates),
        "learning rate": "; ".join(f"{name} {', '.join(found)}" for name, found in rates.items())
        + "; "
        + ", ".join(schedules.get(one, one) for one in values("schedule")),
        "weight decay": ", ".join(values("weight decay")),
        "label smoothing": ", ".join(values("label smoothing")),
        "augmentation": f"mirrored or not; moved by 0, {moved} pixels",
    }


def transform_table(metrics: Mapping[str, Metric], changes: Mapping[str, Comparison], seeds: int) -> Table:
    rows: list[dict[str, builders.Cell]] = []
    for change, label in CHANGES.items():
        cells: dict[str, builders.Cell] = {"change": label}
        cells |= {name: metrics[transform_name(name, change)].value for name in LABELS}
        if change != "none":
            lost, lead = (changes[f"transform/{change}/{what}"] for what in ("lost", "lead"))
            cells |= {"lost": _negative(lost), "lost_p": lost.p}
            cells |= {"lead": builders.estimate(lead.difference, IMAGES), "lead_p": lead.p}
        rows.append(cells)
    return builders.table(
        "Test accuracy (%) on changed images, with the change of the best setting and its difference from "
        f"the baseline (percentage points). Means over {counted(seeds, 'networks')} of each setting.",
        {
            "change": builders.text("Test images"),
            "baseline": builders.percent("Baseline"),
            "best": builders.percent("Best"),
            "lost": comparing.change("Change of best"),
            "lost_p": builders.number("p", ".3f"),
            "lead": comparing.change("Best − baseline"),
            "lead_p": builders.number("p", ".3f"),
        },
        rows,
        notes=(
            f"p-values are adjusted by Holm's method for {len(changes)} comparisons: those of the table, and "
            "those of inverted images with each other change; the intervals are not adjusted.",
        ),
    )


def _negative(loss: Comparison) -> Estimate:
    found = builders.estimate(loss.difference, IMAGES)
    assert found.low is not None and found.high is not None
    return found.model_copy(update={"value": -found.value, "low": -found.high, "high": -found.low})


def photograph(outcomes: Mapping[str, Outcome]) -> dict[str, Pictures]:
    """The changes, on a photograph that may be shown."""
    drawn = outcomes.get("changes")
    if not drawn:
        return {}
    return {
        "changes": Pictures(
            caption=f"The changes of the test images, on a photograph ({CREDIT}). {AMOUNTS}",
            alt=f"One photograph {len(drawn['pictures'])} times: "
            + ", ".join(CHANGES[name].lower() for name in drawn["pictures"])
            + ".",
            columns=9,
            pictures=tuple(Picture(png=png, title=CHANGES[name]) for name, png in drawn["pictures"].items()),
        )
    }


def factor_figure(
    parameters: ArtistsParameters, factors: Sequence[Compared], metrics: Mapping[str, Metric]
) -> Panels:
    """The differences of all values, in two columns with about as many rows; of each value its training
    accuracy stands in its name.
    """
    images = metrics["data/development_images"].value
    names = list(dict.fromkeys(one.factor for one in factors))
    rows = {name: [one for one in factors if one.factor == name] for name in names}
    half = (len(factors) + len(names)) / 2
    columns: list[list[str]] = [[], []]
    for name in names:
        taken = sum(len(rows[other]) + 1 for other in columns[0])
        columns[0 if not columns[1] and taken + len(rows[name]) / 2 < half else 1].append(name)
    charts = [
        _factor_chart([one for name in column for one in rows[name]], metrics) for column in columns if column
    ]
    repeats = "twice" if parameters.repeats == 2 else counted(parameters.repeats, "times")
    return Panels(
        caption="Change in validation accuracy when a single choice of the baseline is changed "
        f"({len(factors)} changes, {images} images). Points are means over {parameters.folds}-fold "
        f"cross-validation, repeated {repeats}; bars are 95% confidence "
        "intervals over folds, widened for shared training images and not adjusted. In brackets: mean "
        f"training accuracy in % (baseline: {100 * metrics['baseline/train_accuracy'].value:.1f}). "
        + (
            "Filled points differ significantly from zero after Holm's correction."
            if any(one.difference.verdict != "undecided" for one in factors)
            else ""
        ),
        alt=" ".join(chart.alt for chart in charts),
        panels=tuple(Panel(kind="interval", **_drawn(chart)) for chart in charts),
        share_y=True,
    )


def _drawn(chart: Chart) -> dict[str, Any]:
    return {name: getattr(chart, name) for name in ("x", "y", "series", "references")}


def _factor_chart(factors: Sequence[Compared], metrics: Mapping[str, Metric]) -> Chart:
    labels: dict[str, Compared] = {}
    for one in factors:
        label = f"{one.value} ({100 * one.train.value:.1f})"
        labels[label if label not in labels else f"{one.factor} {label}"] = one
    return builders.intervals(
        "",
        {label: metrics[f"{one.name}/difference"] for label, one in labels.items()},
        builders.points("Change"),
        groups={label: one.factor.capitalize().replace("izer", "iser") for label, one in labels.items()},
        significant=[label for label, one in labels.items() if one.difference.verdict != "undecided"],
        ordered=False,
    )

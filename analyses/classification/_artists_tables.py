"""Tables and figures of the artists study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean

from analyses import experiments
from analyses.classification._artists_comparisons import (
    CHANGES,
    CREDIT,
    FOLDS,
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
from analyses.classification._artists_settings import ArtistsParameters, Setting
from analyses.experiments import Comparison
from analyses.plugin import Outcome
from results import builders
from results.schema import Chart, Column, Metric, Picture, Pictures, Row, Table
from results.text import counted


def class_table(final: Outcome) -> Table:
    """How many pictures there are of each class, on both sides."""
    rows: list[dict[str, builders.Cell]] = []
    for number, name in enumerate(final["classes"]):
        development, test = (final[key].count(number) for key in ("training_labels", "labels"))
        rows.append(
            {
                "class": name.replace("_", " ").title(),
                "development": development,
                "test": test,
                "images": development + test,
            }
        )
    totals = [len(final["training_labels"]), len(final["labels"])]
    return builders.table(
        "Number of images of each class: those that choices are made on, and the test images.",
        {
            "class": builders.text("Class"),
            "development": builders.integer("Development"),
            "test": builders.integer("Test"),
            "images": builders.integer("In all"),
        },
        rows,
        total={"class": "Total", "development": totals[0], "test": totals[1], "images": sum(totals)},
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
        "Accuracy (%) with and without a network. Validation: means over "
        f"{metrics['baseline/validation_accuracy'].n} folds, with intervals widened for shared training "
        "images. Test: means over the final networks or forests, with Wilson's intervals.",
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
        "Differences of accuracy between the methods: paired by fold, with intervals widened for shared "
        "training images, and paired by test image.",
        {"comparison": builders.text("Compared"), **experiments.COMPARED},
        [experiments.comparison_row(one, comparison=METHOD_PAIRS[name]) for name, one in methods.items()],
        notes=("p-values are adjusted by Holm's method for the comparisons of the table.",),
    )


def factor_table(
    parameters: ArtistsParameters,
    baseline: Sequence[Outcome],
    factors: Sequence[Compared],
    metrics: Mapping[str, Metric],
) -> Table:
    rows: list[dict[str, builders.Cell]] = [
        {
            "factor": "Baseline",
            "train": metrics["baseline/train_accuracy"].value,
            "accuracy": metrics["baseline/validation_accuracy"],
        }
    ]
    for one in factors:
        rows.append(
            experiments.comparison_row(
                one.difference,
                factor=one.factor.capitalize(),
                value=one.value,
                train=one.train.value,
                accuracy=one.accuracy,
            )
        )
    fewer = any(one.factor == "early stopping" and one.images is None for one in factors)
    return builders.table(
        "Training and validation accuracy (%) when a single choice of the baseline is changed. Means over "
        f"{counted(len(baseline), 'folds')}; intervals are widened for shared training images. "
        "Differences from the baseline are paired by fold, in percentage points.",
        {
            "factor": builders.text("Factor"),
            "value": builders.text("Value"),
            "train": builders.percent("Training"),
            "accuracy": builders.percent("Validation"),
            **experiments.COMPARED,
        },
        rows,
        notes=(
            "Training accuracies are running means over the last epoch. p-values are adjusted by Holm's "
            f"method for all {len(factors)} comparisons of the table.",
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


def setting_table(baseline: Setting, best: Setting) -> Table:
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


def transform_table(metrics: Mapping[str, Metric], changes: Mapping[str, Comparison], seeds: int) -> Table:
    rows: list[dict[str, builders.Cell]] = []
    for change, label in CHANGES.items():
        cells: dict[str, builders.Cell] = {"change": label}
        cells |= {name: metrics[transform_name(name, change)] for name in LABELS}
        if change != "none":
            for what in ("lost", "lead"):
                found = changes[f"transform/{change}/{what}"]
                cells |= {what: found.difference.value, f"{what}_p": found.p}
        rows.append(cells)
    networks = counted(seeds, "networks")
    return builders.table(
        "Accuracy (%) on changed test images, what the best setting loses by each change, and how far it is "
        f"ahead of the baseline under it. Means over {networks} of each kind, with Wilson's intervals.",
        {
            "change": builders.text("Test images"),
            "baseline": builders.percent("Baseline"),
            "best": builders.percent("Best setting"),
            "lost": builders.points("Best loses"),
            "lost_p": builders.number("Adjusted p", ".3f"),
            "lead": builders.points("Best − baseline"),
            "lead_p": builders.number("Adjusted p", ".3f"),
        },
        rows,
        notes=(
            "Differences are tested image by image (Student); p-values are adjusted by Holm's method for the "
            f"{len(changes)} comparisons of the table.",
        ),
    )


def photograph(outcomes: Mapping[str, Outcome]) -> dict[str, Pictures]:
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


def factor_figure(
    parameters: ArtistsParameters, factors: Sequence[Compared], metrics: Mapping[str, Metric]
) -> Chart:
    labels = {f"{one.factor}: {one.value}": one for one in factors}
    images = metrics["data/development_images"].value
    return builders.intervals(
        "Change in validation accuracy when a single choice of the baseline is changed "
        f"({len(factors)} changes, {images} images). Points are means over {parameters.folds}-fold "
        f"cross-validation, repeated {counted(parameters.repeats, 'times')}. Intervals are widened "
        "for shared training images and are each for one comparison alone; significance is after Holm's "
        "correction.",
        {label: metrics[f"{one.name}/difference"] for label, one in labels.items()},
        builders.points("Change of accuracy"),
        groups={label: one.factor.capitalize() for label, one in labels.items()},
        significant=[label for label, one in labels.items() if one.difference.verdict != "undecided"],
    )


def transform_figure(metrics: Mapping[str, Metric]) -> Chart:
    n = metrics["best/test_accuracy"].n
    return builders.bars(
        f"Test accuracy of the baseline and of the best setting on changed test images ({n} images).",
        {
            label: {words: metrics[transform_name(name, change)] for change, words in CHANGES.items()}
            for name, label in LABELS.items()
        },
        builders.percent("Test accuracy"),
        x="Test images",
        references={"Always the largest class": metrics["majority/test_accuracy"].value},
    )

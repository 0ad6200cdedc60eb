"""What the outcomes of the artists study say: its metrics, with tables, figures and findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean

from analyses import records
from analyses.classification import _artists_tables as tables
from analyses.classification._artists_comparisons import (
    CHANGES,
    FOLDS,
    IMAGES,
    LABELS,
    METHOD_PAIRS,
    METHODS,
    TRAINING,
    VERDICTS,
    Compared,
    accuracies,
    change_words,
    compared_changes,
    compared_factors,
    compared_methods,
    correct_shares,
    folds_difference,
    folds_metric,
    folds_of,
    train_accuracies,
    train_accuracy,
    transform_name,
    winner,
)
from analyses.classification._artists_findings import (
    curve_findings,
    search_findings,
    transform_findings,
)
from analyses.classification._artists_settings import ArtistsParameters, Setting
from analyses.classification._artists_single_findings import fit_findings, single_findings
from analyses.comparing import Comparison
from analyses.plugin import Outcome, Summary
from lab.evaluation import over_images, paired_over_seeds, wilson
from results import builders
from results.builders import FRACTION
from results.schema import Metric


def summary(parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    best_number = winner(parameters, outcomes)
    folds = {
        "forest": folds_of(outcomes, "forest"),
        "baseline": folds_of(outcomes, "baseline"),
        "best": folds_of(outcomes, f"search/{best_number}"),
    }
    folds = {name: found for name, found in folds.items() if found}
    final = {name: folds_of(outcomes, f"final/{name}") for name in METHODS if name in folds}
    factors = compared_factors(parameters, folds["baseline"], outcomes)
    methods = compared_methods(parameters, folds, final)
    changes = compared_changes(final)
    setting = parameters.searched()[best_number]
    metrics = {
        **_counts(parameters, final["best"][0], factors),
        "baseline/untrained_folds": _untrained(folds["baseline"], final["baseline"][0]),
        **_on_folds(parameters, folds),
        **_on_curves(folds["baseline"]),
        **_sizes(parameters, setting),
        "methods/compared": Metric(value=len(methods), title="Comparisons between methods"),
        **_led(changes),
        "best/train_difference": folds_difference(
            parameters,
            train_accuracies(folds["best"]),
            train_accuracies(folds["baseline"]),
            "Training accuracy of the best setting, less the baseline's",
        ),
        **_on_test(final),
        "baseline_transform/flipped/change": _baseline_mirrored(final["baseline"]),
    }
    for one in factors:
        metrics[f"{one.name}/train_accuracy"] = one.train  # the validation accuracies are in a table
        title = f"Validation accuracy of {one.factor} {one.value}, less the baseline's"
        metrics |= one.difference.metrics(f"{one.name}/", title)
        title = f"Training accuracy of {one.factor} {one.value}, less the baseline's"
        key = f"{one.name}/train_difference"  # of their p-values only the smallest is a metric
        metrics[key] = one.train_difference.metrics(f"{one.name}/train_", title)[key]
        if one.factor == "optimizer":
            for key, value, words in zip(
                ("train_least", "train_most"), one.train_range, ("Lowest", "Highest"), strict=True
            ):
                title = f"{words} training accuracy of a fold, {one.value}"
                metrics[f"{one.name}/{key}"] = builders.metric(value, title, FRACTION)
        if one.factor == "early stopping":
            stops = [outcomes[f"{one.name}/{fold}"]["epochs"] or 0 for fold in range(one.accuracy.n)]
            for key, epochs, words in (
                ("epochs", mean(stops), "on average"),
                ("first_stop", min(stops), "at the earliest"),
                ("last_stop", max(stops), "at the latest"),
            ):
                title = f"Epochs after which training stops {words}, {one.value}"
                metrics[f"{one.name}/{key}"] = Metric(value=epochs, title=title, unit="epochs")
    metrics |= _on_training(parameters, factors, folds["baseline"])
    for name, difference in methods.items():
        metrics |= difference.metrics(f"{name}/", METHOD_PAIRS[name])
    for name, difference in changes.items():
        metrics |= difference.metrics(f"{name}/", change_words(name))
    metrics |= _largest(factors)
    return Summary(
        metrics=metrics,
        tables={
            "classes": tables.class_table(final["best"][0]),
            "methods": tables.method_table(metrics, folds),
            "comparisons": tables.comparison_table(methods),
            "factors": tables.factor_table(folds["baseline"], factors, metrics),
            "search": tables.search_table(parameters, outcomes),
            "setting": tables.setting_table(parameters, setting),
            "transforms": tables.transform_table(metrics, changes, parameters.seeds),
        },
        figures={
            "differences": tables.factor_figure(parameters, factors, metrics),
            **{
                f"{name}_curves": builders.learning_curves(
                    f"Loss and accuracy of the {LABELS[name].lower()} by epoch, on training images (running "
                    "means) and on the held-out fold.",
                    records.histories(folds[name]),
                    FOLDS,
                )
                for name in LABELS
            },
            **tables.photograph(outcomes),
        },
        findings={
            **single_findings(factors),
            **fit_findings(metrics),
            **curve_findings(folds["baseline"], metrics),
            **search_findings(metrics, methods, setting),
            **transform_findings(metrics, changes),
            "no_run_diverged": records.none_diverged(outcomes),
        },
    )


def _on_folds(parameters: ArtistsParameters, folds: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    metrics = {}
    for name, runs in folds.items():
        label = METHODS[name].lower()
        metrics[f"{name}/validation_accuracy"] = folds_metric(
            parameters, accuracies(runs), f"Validation accuracy, {label}"
        )
        if name in LABELS:
            metrics[f"{name}/train_accuracy"] = train_accuracy(
                parameters, runs, f"Running training accuracy of the last epoch, {label}"
            )
    return metrics


def _on_training(
    parameters: ArtistsParameters, factors: Sequence[Compared], baseline: Sequence[Outcome]
) -> dict[str, Metric]:
    """How closely training images are fitted, and what is needed to repeat the changes of the training."""
    first = [one["held_out"] for one in baseline[: parameters.folds]]
    found = {
        "protocol/training_images": Metric(
            value=sum(first) - min(first),
            title="Most images that a network is trained on in cross-validation",
            unit="images",
        )
    }
    for key, p_values, words in (
        ("smallest_p", [one.difference.p for one in factors], "validation"),
        ("smallest_train_p", [one.train_difference.p for one in factors], "training"),
    ):
        if tested := [p for p in p_values if p is not None]:
            found[f"factors/{key}"] = Metric(
                value=min(tested), title=f"Smallest adjusted p-value of a change of {words} accuracy"
            )
    if fitted := [one.train for one in factors if one.factor in ("dropout", "weight decay")]:
        for key, metric in (("lowest", min(fitted, key=_value)), ("highest", max(fitted, key=_value))):
            title = f"{key.capitalize()} training accuracy with dropout or weight decay"
            found[f"regularised/{key}_train_accuracy"] = metric.model_copy(update={"title": title})
    if steps := parameters.factors.get("schedule", {}).get("steps"):
        milestones = parameters.baseline.changed(steps).recipe().milestones
        for number, epochs in enumerate(milestones, 1):
            found[f"factor/schedule/steps/milestone_{number}"] = Metric(
                value=epochs, title=f"Epochs before step {number} of the step decay", unit="epochs"
            )
    return found


def _value(metric: Metric) -> float:
    return metric.value


SPIKE = 1.0  # nats by which a training loss rises from one epoch to the next


def _on_curves(baseline: Sequence[Outcome]) -> dict[str, Metric]:
    """Where the baseline's curves turn, and where its training loss jumps."""
    training = records.mean_curve(baseline, "train_loss")
    loss = records.mean_curve(baseline, "validation_loss")
    accuracy = records.mean_curve(baseline, "validation_accuracy")
    rises = [later - earlier for earlier, later in pairwise(training)]
    spike = rises.index(max(rises)) + 1
    lowest = loss.index(min(loss))
    jumped = [
        one for one in baseline if (curve := one["history"]["train_loss"])[spike] - curve[spike - 1] >= SPIKE
    ]
    return {
        "baseline/spike_epoch": Metric(
            value=spike + 1, title="Epoch before which the baseline's mean training loss rises most"
        ),
        "baseline/spike_folds": Metric(
            value=len(jumped), title="Folds on which it rises by a nat or more", unit="folds"
        ),
        "baseline/lowest_loss_epoch": Metric(
            value=lowest + 1, title="Epoch of the baseline's lowest mean validation loss", unit="epochs"
        ),
        "baseline/lowest_loss_accuracy": Metric(
            value=accuracy[lowest], title="Validation accuracy in that epoch", unit=FRACTION
        ),
    }


def _sizes(parameters: ArtistsParameters, best: Setting) -> dict[str, Metric]:
    """What the dense layer is given, which is most of what a small network has to memorise with."""
    size, baseline = parameters.data.size, parameters.baseline
    pooled = parameters.factors.get("pooling", {}).get("2 × 2", {"pool": 2})
    return {
        f"{name}/dense_inputs": Metric(
            value=setting.dense_inputs(size), title=f"Inputs of the dense layer, {words}", unit="values"
        )
        for name, setting, words in (
            ("baseline", baseline, "baseline"),
            ("pooled", baseline.changed(pooled), "baseline with max-pooling"),
            ("best", best, "best setting"),
        )
    } | {
        f"baseline/map_{number}": Metric(
            value=width, title=f"Width of the maps after convolution {number}, baseline", unit="pixels"
        )
        for number, width in enumerate(baseline.maps(size), 1)
    }


def _baseline_mirrored(final: Sequence[Outcome]) -> Metric:
    """What mirroring the test images changes for the baseline, which was not trained on mirrored images."""
    change = paired_over_seeds(correct_shares(final, "flipped"), correct_shares(final, "none"))
    title = "Accuracy of the baseline on mirrored test images, less that on the images as they are"
    return builders.metric(change.difference, title, FRACTION, over=IMAGES)


def _led(changes: Mapping[str, Comparison]) -> dict[str, Metric]:
    """On how many kinds of changed images the best setting is ahead, and what inversion leaves out."""
    leads = [one for name, one in changes.items() if name.endswith("/lead")]
    return {
        "changes/compared": Metric(value=len(leads), title="Changes of the test images", unit="changes"),
        "changes/led": Metric(
            value=sum(one.verdict == "more" for one in leads),
            title="Changes under which the best setting is significantly more accurate than the baseline",
            unit="changes",
        ),
        "changes/comparisons": Metric(value=len(changes), title="Comparisons on changed images"),
    }


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
    return {name: builders.metric(value, title, unit) for name, (value, title, unit) in counts.items()} | {
        "majority/share": builders.metric(share, "Share of the largest class in all images", FRACTION),
        "majority/test_accuracy": builders.metric(
            wilson(on_test, len(labels)),
            "Test accuracy of always naming the largest class",
            FRACTION,
            over=IMAGES,
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
    found: dict[str, Metric] = {}
    for key, chosen, words in (
        ("factors", factors, "of one factor"),
        ("training", [one for one in factors if one.factor in TRAINING], "of the training"),
    ):
        if chosen:
            best = max(chosen, key=lambda one: one.difference.difference.value)
            title = f"Largest gain by a change {words}: {best.factor} {best.value}"
            found |= best.difference.metrics(f"{key}/largest/", title)
    return found


def _test_accuracy(correct: Sequence[float], title: str) -> Metric:
    """The mean accuracy of several networks, from the share of them that is right on each test image, with a
    bootstrap interval over the images.
    """
    return builders.metric(over_images(correct), title, FRACTION, over=IMAGES)


def _on_test(final: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for name, outcomes in final.items():
        label = METHODS[name].lower()
        metrics[f"{name}/test_accuracy"] = _test_accuracy(
            correct_shares(outcomes, "none"), f"Test accuracy, {label}"
        )
        if name not in LABELS:
            continue
        metrics[f"{name}/parameters"] = builders.metric(
            outcomes[0]["parameters"], f"Parameters, {label}", "parameters"
        )
        single = [
            mean(float(a == b) for a, b in zip(one["labels"], one["predictions"]["none"], strict=True))
            for one in outcomes
        ]
        for end, value in (("lowest", min(single)), ("highest", max(single))):
            metrics[f"{name}/{end}_test_accuracy"] = builders.metric(
                value, f"{end.capitalize()} test accuracy of one network, {label}", FRACTION
            )
        for change, words in list(CHANGES.items())[1:]:
            metrics[transform_name(name, change)] = _test_accuracy(
                correct_shares(outcomes, change), f"Accuracy, {label}, test images {words.lower()}"
            )
    return metrics

"""What the outcomes of the study of learning rates say: metrics, tables, figures and findings."""

from __future__ import annotations

from collections.abc import Mapping

from analyses import classifiers, domains, records
from analyses.domains import Domain
from analyses.plugin import Outcome, Summary
from analyses.transfer import _learning_rates_tables as tables
from analyses.transfer import _transfer as transfer
from analyses.transfer._learning_rates_settings import TITLES, LearningRateParameters
from analyses.transfer._learning_rates_standing import (
    Runs,
    Standing,
    class_counts,
    in_words,
    rank,
    rate_of,
    runs_of,
)
from results import builders
from results.builders import FRACTION
from results.schema import Figure, Finding, Metric, Table
from results.text import counted, listing


def summary(parameters: LearningRateParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    metrics: dict[str, Metric] = {}
    shown: dict[str, Table] = {}
    figures: dict[str, Figure] = {}
    findings: dict[str, Finding] = {}
    for number, (name, domain) in enumerate(parameters.used.items()):
        prefix, suffix = (f"{name}/", f"_{name}") if number else ("", "")
        called = tables.called(name, domain)
        runs = runs_of(parameters, name, outcomes)
        first = outcomes[f"{name}/heads"]
        standing = rank(runs)
        metrics |= _data_metrics(prefix, name, first) | _metrics(prefix, name, runs, standing)
        metrics |= _course_metrics(prefix, name, runs, standing, parameters, domain)
        findings |= _findings(name, prefix, suffix, metrics, runs, standing)
        findings |= transfer.least_p_findings(standing.compared, standing.pairs, prefix, suffix)
        shown[f"results{suffix}"] = tables.results_table(
            called, prefix, metrics, runs, standing, parameters, domain
        )
        shown[f"comparisons{suffix}"] = transfer.comparison_table(
            f"Settings compared on the {first['sizes']['test']:,} test images: {called}.",
            standing.compared,
            standing.pairs,
            {setting: in_words(setting).capitalize() for setting in runs},
        )
        figures[f"classes{suffix}"] = tables.class_chart(called, first)
        figures[f"courses{suffix}"] = tables.curve_chart(called, runs, standing, parameters)
        best = standing.best["finetune"]
        if runs[best][0]["history"].get("test_loss"):
            figures[f"best_course{suffix}"] = builders.learning_curves(
                f"Loss and accuracy by epoch of {in_words(best)}, the setting of fine-tuning that "
                f"validation images select, on {called}. Those of training images are running means "
                "over an epoch.",
                records.histories(runs[best]),
            )
        if number == 0 and set(tables.STAND_INS) <= set(first["classes"]):
            figures["stand_ins"] = tables.stand_ins()
    for kind, epochs in (("finetune", parameters.finetune_epochs), ("head", parameters.head_epochs)):
        metrics[f"{kind}/epochs"] = builders.metric(epochs, f"Epochs: {TITLES[kind].lower()}", "epochs")
    findings["equal_epochs"] = builders.statement(
        "Both approaches had the same number of epochs",
        parameters.finetune_epochs == parameters.head_epochs,
        "finetune/epochs",
        "head/epochs",
    )
    weights = next(iter(outcomes.values()))["weights"]
    findings["network_differs"] = builders.statement(
        "The network is another than the protocol's ResNet-50", weights["architecture"] != "resnet50"
    )
    shown["recipe"] = tables.recipe_table(parameters, outcomes)
    return Summary(
        metrics=metrics,
        tables=shown,
        figures=figures,
        findings=findings,
        note=f"Weights: {weights['source']} ({weights['architecture']}), SHA-256 {weights['sha256']}. "
        f"Fine-tuning had {parameters.finetune_epochs} epochs, the last layer {parameters.head_epochs}.",
    )


MOST_NAMED = 12  # classes that a sentence names
LAG = 0.02  # of a training accuracy behind another, from which on training was not finished


def _data_metrics(prefix: str, name: str, first: Outcome) -> dict[str, Metric]:
    counts = class_counts(first)
    metrics = builders.metrics(
        f"{prefix}data/",
        f", {name}",
        classes=(len(counts), "Classes", "classes"),
        train=(first["sizes"]["train"], "Training images", "images"),
        validation=(first["sizes"]["validation"], "Validation images", "images"),
        test=(first["sizes"]["test"], "Test images", "images"),
        smallest_class=(min(counts), "Training images of the smallest class", "images"),
        largest_class=(max(counts), "Training images of the largest class", "images"),
        size=(first["weights"]["size"], "Height and width of the images", "pixels"),
    )
    metrics[f"{prefix}head/training_seconds"] = builders.metric(
        first["training_seconds"], f"Training of all last layers, {name}", "seconds"
    )
    if "black_bordered" in first:
        metrics[f"{prefix}data/black_bordered"] = builders.metric(
            first["black_bordered"],
            f"Share of the training images with a black border of an eighth or more, {name}",
            FRACTION,
        )
    return metrics | domains.duplicate_metrics(first, prefix)


def _metrics(prefix: str, name: str, runs: Runs, standing: Standing) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for setting, found in runs.items():
        words = f"{in_words(setting)}, {name}"
        metrics[f"{prefix}{setting}/test_accuracy"] = transfer.accuracy(standing.correct[setting], words)
        metrics |= classifiers.test_metrics(f"{prefix}{setting}", found, words)
        for part, title in (("validation", "Validation"), ("train", "Training")):
            metrics[f"{prefix}{setting}/{part}_accuracy"] = records.at_the_end(
                found, f"{part}_accuracy", f"{title} accuracy, {words}"
            )
    for kind, best in standing.best.items():
        rates = sorted((one for one in runs if one.startswith(kind)), key=rate_of)
        by_test = sorted(rates, key=lambda one: metrics[f"{prefix}{one}/test_accuracy"].value)
        chosen = {
            "best/test_accuracy": f"{best}/test_accuracy",
            "best/train_accuracy": f"{best}/train_accuracy",
            "smallest/train_accuracy": f"{rates[0]}/train_accuracy",
            "lowest_test_accuracy": f"{by_test[0]}/test_accuracy",
            "highest_test_accuracy": f"{by_test[-1]}/test_accuracy",
        }
        metrics |= {f"{prefix}{kind}/{key}": metrics[f"{prefix}{one}"] for key, one in chosen.items()}
        metrics[f"{prefix}{kind}/best_rate"] = builders.metric(
            rate_of(best), f"Learning rate that validation chose, {TITLES[kind].lower()}, {name}"
        )
    winner = standing.ranking[0]
    metrics[f"{prefix}winner/test_accuracy"] = metrics[f"{prefix}{winner}/test_accuracy"]
    metrics[f"{prefix}winner/rate"] = builders.metric(rate_of(winner), f"Learning rate of {in_words(winner)}")
    titles = {setting: in_words(setting) for setting in runs}
    return metrics | transfer.comparison_metrics(standing.compared, standing.pairs, titles, prefix)


def _course_metrics(
    prefix: str, name: str, runs: Runs, standing: Standing, parameters: LearningRateParameters, domain: Domain
) -> dict[str, Metric]:
    """Mean validation accuracies before the end: of the best fine-tuning and of its next best rate after one
    epoch, of the best at each division of the rate, and of the frozen backbone after as many epochs as
    fine-tuning had, at the rate that is then best; what a course is too short for is left out.
    """

    def reached(setting: str, epoch: int) -> float:
        return records.mean_curve(runs[setting], "validation_accuracy")[:epoch][-1]  # or where it diverged

    def metric(value: float, words: str) -> Metric:
        return builders.metric(value, f"Validation accuracy of {words}, {name}", FRACTION)

    best = standing.best["finetune"]
    last = records.at_the_end(runs[best], "validation_accuracy", f"Validation accuracy, {in_words(best)}")
    found = {"finetune/best/validation_accuracy": last}
    found["finetune/best/first_validation"] = metric(reached(best, 1), f"{in_words(best)} after one epoch")
    if "rate_second" in standing.pairs:
        second = standing.pairs["rate_second"][1]
        found["finetune/second_rate"] = builders.metric(
            rate_of(second), f"Learning rate of fine-tuning with the second-highest accuracy, {name}"
        )
        found["finetune/second/first_validation"] = metric(
            reached(second, 1), f"{in_words(second)} after one epoch"
        )
    for number, epoch in enumerate(parameters.recipe("finetune", domain).milestones, 1):
        found[f"finetune/best/drop_{number}_validation"] = metric(
            reached(best, epoch), f"{in_words(best)} when the rate is divided for time {number}"
        )
    if parameters.finetune_epochs < parameters.head_epochs:
        epoch = parameters.finetune_epochs
        heads = [one for one in runs if one.startswith("head")]
        early = max(heads, key=lambda one: reached(one, epoch))
        found["head/early/validation_accuracy"] = metric(
            reached(early, epoch), f"{in_words(early)} after {counted(epoch, 'epochs')}"
        )
        found["head/early/rate"] = builders.metric(
            rate_of(early), f"Learning rate of the frozen backbone that is best after {epoch} epochs, {name}"
        )
    return {f"{prefix}{key}": one for key, one in found.items()}


def _findings(
    name: str, prefix: str, suffix: str, metrics: Mapping[str, Metric], runs: Runs, standing: Standing
) -> dict[str, Finding]:
    def value(metric: str) -> float:
        return metrics[f"{prefix}{metric}"].value

    finetune = sorted((one for one in runs if one.startswith("finetune")), key=rate_of)
    tests = {one: value(f"{one}/test_accuracy") for one in runs}
    ranges = [f"{kind}/{end}_test_accuracy" for kind in TITLES for end in ("highest", "lowest")]
    approach = standing.compared["approach"].verdict
    last = value("finetune/best/validation_accuracy")
    drops = [f"{prefix}finetune/best/drop_{number}_validation" for number in (1, 2)]
    second = metrics.get(f"{prefix}finetune/second/first_validation")
    early = metrics.get(f"{prefix}head/early/validation_accuracy")
    stated = {
        "classes_are_balanced": (
            "The largest class has at most two training images more than the smallest",
            value("data/largest_class") - value("data/smallest_class") <= 2,
            ("data/smallest_class", "data/largest_class"),
        ),
        "finetuning_wins": (
            "The best on validation images is fine-tuned",
            standing.ranking[0].startswith("finetune"),
            ("winner/test_accuracy",),
        ),
        "winner_is_clear": (
            "The best on validation images is significantly more accurate on the test images than the second",
            standing.compared["winner"].verdict == "more",
            ("winner/gain",),
        ),
        "finetuning_beats_frozen": (
            "At their best rates, fine-tuning is significantly more accurate than the frozen backbone",
            approach == "more",
            ("approach/gain",),
        ),
        "frozen_beats_finetuning": (
            "At their best rates, the frozen backbone is significantly more accurate than fine-tuning",
            approach == "less",
            ("approach/gain",),
        ),
        "largest_finetune_rate_is_worst": (
            "Of the rates of fine-tuning, the largest has the lowest test accuracy",
            min(finetune, key=lambda one: tests[one]) == finetune[-1],
            tuple(f"{one}/test_accuracy" for one in finetune),
        ),
        "largest_finetune_rate_is_best": (
            "Of the rates of fine-tuning, the largest has the highest validation accuracy",
            standing.best["finetune"] == finetune[-1],
            ("finetune/best_rate",),
        ),
        "head_rate_matters_less": (
            "Test accuracy varies less over the rates of the last layer than over those of fine-tuning",
            value(ranges[2]) - value(ranges[3]) < value(ranges[0]) - value(ranges[1]),
            tuple(ranges),
        ),
        "smallest_head_rate_lags": (
            "At its smallest rate the last layer fits fewer of its training images than at its best",
            value("head/smallest/train_accuracy") < value("head/best/train_accuracy") - LAG,
            ("head/smallest/train_accuracy", "head/best/train_accuracy"),
        ),
        "smallest_finetune_rate_lags": (
            "At its smallest rate fine-tuning fits fewer of its training images than at its best",
            value("finetune/smallest/train_accuracy") < value("finetune/best/train_accuracy") - LAG,
            ("finetune/smallest/train_accuracy", "finetune/best/train_accuracy"),
        ),
        "best_finetuning_underfits": (
            "At their best rates, fine-tuning fits fewer of the training images than the frozen backbone",
            value("finetune/best/train_accuracy") < value("head/best/train_accuracy") - LAG,
            ("finetune/best/train_accuracy", "head/best/train_accuracy"),
        ),
        "best_finetuning_overfits": (
            "At its best rate, fine-tuning fits more of the training images than it classifies correctly of "
            "the test images, by more than a tenth",
            value("finetune/best/train_accuracy") > value("finetune/best/test_accuracy") + 0.1,
            ("finetune/best/train_accuracy", "finetune/best/test_accuracy"),
        ),
        "best_finetuning_flattens": (
            "At its best rate, the mean validation accuracy of fine-tuning changes by less than two points "
            "after the second division of the rate, but not after the first",
            all(one in metrics for one in drops)
            and abs(last - metrics[drops[1]].value) < LAG <= abs(last - metrics[drops[0]].value),
            ("finetune/best/validation_accuracy",),
        ),
        "best_rate_starts_behind": (
            "After one epoch, the best rate of fine-tuning is behind the next best on validation images",
            second is not None and value("finetune/best/first_validation") < second.value - LAG,
            ("finetune/best/first_validation",),
        ),
        "frozen_leads_early": (
            "After as many epochs as fine-tuning had, the frozen backbone's validation accuracy is no lower",
            early is not None and early.value >= last,
            ("finetune/best/validation_accuracy",),
        ),
        "both_fit_better_than_they_generalise": (
            "At their best rates, both approaches fit more of the training images than they classify "
            "correctly of the test images, by more than five points",
            all(
                value(f"{kind}/best/train_accuracy") > value(f"{kind}/best/test_accuracy") + 0.05
                for kind in TITLES
            ),
            tuple(f"{kind}/best/{part}_accuracy" for kind in TITLES for part in ("train", "test")),
        ),
        "no_run_diverged": (
            "No run diverged",
            not any(run["diverged"] for found in runs.values() for run in found),
            (),
        ),
    }
    gain = f"{{{prefix}winner/gain:points ci unit}}"
    by = f"{{{prefix}winner/gain:points ci unit unsigned}}"
    leader, follower = (
        f"{'fine-tuning' if one.startswith('finetune/') else 'the frozen backbone'} at {rate_of(one):g}"
        for one in standing.ranking[:2]
    )
    against = f"{follower}, which has the second-highest validation accuracy"
    found = {
        f"{key}{suffix}": builders.statement(
            f"{statement} ({name})", holds, *(f"{prefix}{metric}" for metric in names)
        )
        for key, (statement, holds, names) in stated.items()
    }
    classes = next(iter(runs.values()))[0]["classes"]
    if len(classes) <= MOST_NAMED:
        named = f"The classes are {listing([one.replace('_', ' ') for one in classes])}."
        found[f"classes{suffix}"] = builders.statement(
            f"The classes ({name})", True, f"{prefix}data/classes", yes=named, no=named
        )
    for key, ranked in (("second", "next best"), ("last", "worst")):
        if f"rate_{key}" not in standing.compared:
            continue
        gain_of_rate = f"{{{prefix}rate_{key}/gain:points ci unit}}"
        size = f"{{{prefix}rate_{key}/gain:points ci unit unsigned}}"
        other = f"the {ranked} rate, {rate_of(standing.pairs[f'rate_{key}'][1]):g}"
        found[f"rate_over_{key}{suffix}"] = standing.compared[f"rate_{key}"].finding(
            f"Fine-tuning at its best rate is more accurate on the test images than at the {ranked} ({name})",
            f"{prefix}rate_{key}/gain",
            more=f"Test accuracy is significantly higher than at {other}, by {size}."
            if key == "second"
            else f"Compared with {other}, the gain of {size} is significant.",
            less=f"On the test images, however, {other}, is significantly more accurate: the difference "
            f"is {gain_of_rate}.",
            same=f"The difference from {other}, is not significant: {gain_of_rate}.",
        )
    found[f"winner_over_second{suffix}"] = standing.compared["winner"].finding(
        f"The best on validation images is more accurate on the test images than the second ({name})",
        f"{prefix}winner/gain",
        more=f"On the test images, {leader} is significantly more accurate than {against}, by {by}.",
        less=f"On the test images, however, {leader} is significantly less accurate than {against}, by {by}.",
        same=f"On the test images, {leader} does not differ significantly from {against}: the difference is "
        f"{gain}.",
    )
    return found

"""What the outcomes of the artists study say: which factors help, which drawn setting is best, what
misleads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean

from analyses import experiments
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
    gain,
    train_accuracies,
    train_accuracy,
    transform_name,
    winner,
)
from analyses.classification._artists_settings import ArtistsParameters, Setting
from analyses.experiments import Comparison
from analyses.plugin import Outcome, Summary
from lab.evaluation import wilson
from results import builders
from results.schema import Finding, Metric
from results.text import count, listing


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
    }
    for one in factors:
        metrics |= {f"{one.name}/validation_accuracy": one.accuracy, f"{one.name}/train_accuracy": one.train}
        title = f"Validation accuracy of {one.factor} {one.value}, less the baseline's"
        metrics |= one.difference.metrics(f"{one.name}/", title)
        title = f"Training accuracy of {one.factor} {one.value}, less the baseline's"
        metrics |= one.train_difference.metrics(f"{one.name}/train_", title)
        if one.factor == "early stopping":
            stops = [outcomes[f"{one.name}/{fold}"]["epochs"] or 0 for fold in range(one.accuracy.n)]
            for key, epochs, words in (
                ("epochs", mean(stops), "on average"),
                ("first_stop", min(stops), "at the earliest"),
                ("last_stop", max(stops), "at the latest"),
            ):
                title = f"Epochs after which training stops {words}, {one.value}"
                metrics[f"{one.name}/{key}"] = Metric(value=epochs, title=title, unit="epochs")
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
            "setting": tables.setting_table(parameters.baseline, setting),
            "transforms": tables.transform_table(metrics, changes, parameters.seeds),
        },
        figures={
            "differences": tables.factor_figure(parameters, factors, metrics),
            **{
                f"{name}_curves": builders.learning_curves(
                    f"Loss and accuracy of the {LABELS[name].lower()} by epoch, on training images (running "
                    "means over an epoch) and on the images of the fold that is held out.",
                    experiments.histories(folds[name]),
                    FOLDS,
                )
                for name in LABELS
            },
            **tables.photograph(outcomes),
        },
        findings={
            **_single_findings(factors),
            **_curve_findings(folds["baseline"], metrics),
            **_search_findings(metrics, methods, setting),
            **_transform_findings(metrics, changes),
            "no_run_diverged": experiments.none_diverged(outcomes),
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


SPIKE = 1.0  # nats by which a training loss rises from one epoch to the next


def _on_curves(baseline: Sequence[Outcome]) -> dict[str, Metric]:
    """Where the baseline's curves turn, and where its training loss jumps."""
    training, _, _ = experiments.mean_course(baseline, "train_loss")
    loss, _, _ = experiments.mean_course(baseline, "validation_loss")
    accuracy, _, _ = experiments.mean_course(baseline, "validation_accuracy")
    rises = [later - earlier for earlier, later in pairwise(training)]
    spike = rises.index(max(rises)) + 1
    lowest = loss.index(min(loss))
    jumped = [
        one
        for one in baseline
        if (course := one["history"]["train_loss"])[spike] - course[spike - 1] >= SPIKE
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
            value=accuracy[lowest], title="Validation accuracy in that epoch", unit=experiments.FRACTION
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
    }


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
        metrics[f"{name}/test_accuracy"] = _share(correct_shares(outcomes, "none"), f"Test accuracy, {label}")
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
            metrics[transform_name(name, change)] = _share(
                correct_shares(outcomes, change), f"Accuracy, {label}, test images {words.lower()}"
            )
    return metrics


def _above(metric: Metric, limit: float = 0.0) -> bool:
    return metric.low is not None and metric.low > limit


WORDS = {  # of a value of each factor, within a sentence
    "pooling": "max-pooling of {}",
    "dropout": "a dropout rate of {}",
    "weight decay": "a weight decay of {}",
    "filter size": "filters of {}",
    "batch norm": "batch normalisation",
    "augmentation": "training images {} at random",
}
NAMES = {  # of values that are called otherwise within a sentence
    "SGD": "plain SGD",
    "SGD with momentum": "SGD with momentum",
    "AdamW": "AdamW",
    "steps": "stepwise decay of the learning rate",
    "exponential": "exponential decay of the learning rate",
    "cosine": "cosine decay of the learning rate",
    "one cycle": "a one-cycle schedule of the learning rate",
    "patience 5": "early stopping with a patience of five epochs",
    "patience 15": "early stopping with a patience of 15 epochs",
    "1, then 2": "a stride of one in the first layer",
    "2, then 1": "a stride of one in the second layer",
    "3 convolutions": "three convolutions",
    "4 convolutions": "four convolutions",
    "pyramid, 8–32": "a pyramid of 8 and 32 filters",
    "inverse pyramid, 32–8": "an inverse pyramid of 32 and 8 filters",
}
GROUPS = {  # of all values of a factor, where there are more than two
    "dropout": "dropout rates",
    "weight decay": "weight decays",
    "optimizer": "other optimisers",
    "schedule": "schedules of the learning rate",
    "augmentation": "kinds of augmentation",
}
ENDS = {
    "more": "a significant gain",
    "less": "a significant loss",
    "same": "which is not significant",
}


def _words(one: Compared) -> str:
    return NAMES.get(one.value) or WORDS.get(one.factor, f"{one.factor} {{}}").format(one.value)


def _p(one: Comparison) -> float:
    """Where there is no test, nothing varies, and nothing is significant."""
    return 1.0 if one.p is None else one.p


def _factor_findings(factors: Sequence[Compared]) -> dict[str, Finding]:
    """Of each factor, whether some value of it changes validation accuracy, and its training accuracy."""
    found = {}
    for factor in dict.fromkeys(one.factor for one in factors):
        among = [one for one in factors if one.factor == factor]
        for what, key in (("validation", "difference"), ("training", "train_difference")):
            found[f"{factor.replace(' ', '_')}_{what}"] = _factor_finding(among, what, key)
    return found


def _factor_finding(among: Sequence[Compared], what: str, key: str) -> Finding:
    def change(one: Compared) -> Comparison:
        return one.difference if key == "difference" else one.train_difference

    names = [_words(one) for one in among]
    numbers = [f"{{{one.name}/{key}:points ci}}" for one in among]
    if len(among) == 1:
        none = f"{names[0]} does not change {what} accuracy significantly: the difference is {numbers[0]} "
        none = f"{none[:1].upper()}{none[1:]}percentage points."
    elif len(among) == 2:
        none = (
            f"{names[0][:1].upper()}{names[0][1:]} changes {what} accuracy by {numbers[0]} percentage "
            f"points, and {names[1]} by {numbers[1]}; neither difference is significant."
        )
    else:
        differences = [change(one).difference.value for one in among]
        validation = what == "validation"
        best = max(range(len(among)), key=lambda n: differences[n] if validation else abs(differences[n]))
        none = (
            f"None of the {count(len(among))} {GROUPS.get(among[0].factor, 'values')} changes {what} "
            f"accuracy significantly: the {'highest' if validation else 'largest'} mean difference is "
            f"{numbers[best]} percentage points, with {names[best]}."
        )
    significant = {name: change(one).verdict != "undecided" for name, one in zip(names, among, strict=True)}
    ends = {"more": ENDS["more"], "less": ENDS["less"]}
    changed = " ".join(
        f"With {name}, {what} accuracy changes by {number} percentage points, "
        f"{ends.get(change(one).verdict, ENDS['same'])}."
        for name, number, one in zip(names, numbers, among, strict=True)
        if significant[name] or not any(significant.values())
    )
    return builders.family(
        f"Some value of this factor changes {what} accuracy significantly: {among[0].factor}",
        significant,
        *(f"{one.name}/{key}" for one in among),
        none=none,
        one=changed,
        many=changed,
    )


def _effective_findings(factors: Sequence[Compared]) -> dict[str, Finding]:
    """Which change gains most: of all, and of those of the training alone."""
    found = {}
    for key, prefix, among, kind in (
        ("most_effective", "factors", factors, "single changes"),
        (
            "most_effective_training",
            "training",
            [one for one in factors if one.factor in TRAINING],
            "regularisers, optimisers and schedules",
        ),
    ):
        if among:
            best = max(among, key=gain)
            metric = f"{prefix}/largest/difference"
            larger = f"{{{metric}:points ci unit}}"
            found[key] = builders.comparison(
                f"The largest gain by one of the {kind} is significant",
                metric,
                best.difference.difference,
                adjusted_p=_p(best.difference),
                more=f"The most effective of the {kind} is {_words(best)}, with a significant gain of "
                f"{larger}.",
                same=f"Of the {kind}, the largest mean gain is that of {_words(best)}, {larger}, which is "
                "not significant.",
                less=f"All {kind} lower validation accuracy. The smallest loss is that of {_words(best)}, "
                f"{larger}.",
            )
    return found


def _single_findings(factors: Sequence[Compared]) -> dict[str, Finding]:
    """Which single changes help, which hurt, and which let the network memorise less."""
    found: dict[str, Finding] = {}
    names = {_words(one): one for one in factors}
    for word, verdict, does in (("help", "helps", "raise"), ("hurt", "hurts", "lower")):
        found[f"changes_that_{word}"] = builders.family(
            f"Some single change {does}s validation accuracy significantly",
            {name: one.verdict == verdict for name, one in names.items()},
            *(f"{one.name}/difference" for one in factors),
            none=f"No single change {does}s validation accuracy significantly.",
            one=f"One single change {does}s validation accuracy significantly: {{members}}.",
            many=f"These changes each {does} validation accuracy significantly: {{members}}.",
        )
    found["changes_that_fit_less"] = builders.family(
        "Some single change lowers training accuracy significantly",
        {name: one.train_difference.verdict == "less" for name, one in names.items()},
        *(f"{one.name}/train_difference" for one in factors),
        none="No single change lowers training accuracy significantly.",
        one="One single change lowers training accuracy significantly: {members}.",
        many="These changes each lower training accuracy significantly: {members}.",
    )
    found["early_stopping_refits"] = Finding(
        statement="Networks that stop early are trained on as many images as the others",
        holds=all(one.images is not None for one in factors if one.factor == "early stopping"),
    )
    return found | _effective_findings(factors) | _factor_findings(factors)


def _curve_findings(baseline: Sequence[Outcome], metrics: Mapping[str, Metric]) -> dict[str, Finding]:
    """What training for longer does to the baseline, in the means over the folds."""
    accuracy, _, _ = experiments.mean_course(baseline, "validation_accuracy")
    loss, _, _ = experiments.mean_course(baseline, "validation_loss")
    return {
        "training_loss_spikes": Finding(
            statement="On some fold the baseline's training loss jumps by a nat or more",
            holds=metrics["baseline/spike_folds"].value > 0,
            metrics=("baseline/spike_epoch", "baseline/spike_folds"),
        ),
        "validation_accuracy_is_kept": Finding(
            statement="The baseline's mean validation accuracy ends within two points of its highest",
            holds=bool(accuracy) and accuracy[-1] >= max(accuracy) - 0.02,
            metrics=("baseline/validation_accuracy",),
        ),
        "validation_loss_rises": Finding(
            statement="The baseline's mean validation loss ends a tenth or more above its lowest",
            holds=bool(loss) and loss[-1] >= 1.1 * min(loss),
            metrics=("baseline/validation_accuracy",),
        ),
    }


METHOD_WORDS = {"forest": "the random forest", "baseline": "the baseline", "best": "the best setting"}


def _method_finding(name: str, one: Comparison) -> Finding:
    pair, part = name.split("/")
    first, second = pair.split("_over_")
    where = "In cross-validation" if part == "validation" else "On the test images"
    subject, other = METHOD_WORDS[first], METHOD_WORDS[second]
    difference = f"{{{name}/difference:points ci unit}}"
    return builders.comparison(
        f"More, after Holm's correction: {METHOD_PAIRS[name]}",
        f"{name}/difference",
        one.difference,
        adjusted_p=1.0 if one.p is None else one.p,
        more=f"{where}, {subject} is significantly more accurate than {other}: the difference is "
        f"{difference}.",
        less=f"{where}, {subject} is significantly less accurate than {other}: the difference is "
        f"{difference}.",
        same=f"{where}, {subject} does not differ significantly from {other} after correction: the "
        f"difference is {difference}.",
    )


def _search_findings(
    metrics: Mapping[str, Metric], methods: Mapping[str, Comparison], setting: Setting
) -> dict[str, Finding]:
    best, baseline = metrics["best/test_accuracy"], metrics["baseline/test_accuracy"]
    validation, validated = metrics["best/validation_accuracy"].value, metrics["baseline/validation_accuracy"]
    combined = setting.ingredients()
    return {
        **{
            f"{name.replace('_over_', '_beats_').replace('/', '_on_')}": _method_finding(name, one)
            for name, one in methods.items()
        },
        "best_setting": builders.statement(
            "What the best setting combines", True, yes=f"The best setting combines {listing(combined)}."
        ),
        "baseline_overfits": Finding(
            statement="The baseline's training accuracy is above the interval of its validation accuracy",
            holds=validated.high is not None and metrics["baseline/train_accuracy"].value > validated.high,
            metrics=("baseline/train_accuracy", "baseline/validation_accuracy"),
        ),
        "best_fits_less": builders.comparison(
            "The best setting fits its training images less closely than the baseline",
            "best/train_difference",
            metrics["best/train_difference"],
            more="The best setting fits its training images more closely "
            "({best/train_accuracy:percent}), and generalises better nevertheless.",
            less="The best setting fits its training images less closely "
            "({best/train_accuracy:percent}), as expected of a regularised network.",
            same="The best setting does not differ significantly from the baseline in training accuracy "
            "({best/train_accuracy:percent}), so we find no evidence that it memorises less.",
            expected="less",
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


WITHIN = 0.05  # of an accuracy: a smaller effect is called none


def _transform_findings(
    metrics: Mapping[str, Metric], comparisons: Mapping[str, Comparison]
) -> dict[str, Finding]:
    changes = list(CHANGES)[1:]
    lost = {change: comparisons[f"transform/{change}/lost"] for change in changes}
    shown = tuple(transform_name("best", change) for change in changes)
    worst = max(changes, key=lambda change: lost[change].difference.value)
    found = {
        "inversion_hurts_most": Finding(
            statement="Of all changes, inversion costs the best setting most accuracy",
            holds=worst == "inverted",
            metrics=shown,
        ),
        "inverted_beats_majority": Finding(
            statement="On inverted images the best setting is still above the share of the largest class",
            holds=_above(
                metrics["transform/inverted/test_accuracy"], metrics["majority/test_accuracy"].value
            ),
            metrics=("transform/inverted/test_accuracy", "majority/test_accuracy"),
        ),
    }
    names = {CHANGES[change].lower(): lost[change].verdict == "more" for change in changes}
    differences = tuple(f"transform/{change}/lost/difference" for change in changes)
    found["changes_that_cost"] = builders.family(
        "Some change of the test images lowers the accuracy of the best setting significantly",
        names,
        *differences,
        none="No change of the test images lowers its accuracy significantly.",
        one="One change of the test images lowers its accuracy significantly ({members}).",
        many="The following changes of the test images lower its accuracy significantly: {members}.",
    )
    found["changes_without_effect"] = builders.family(
        "Some change of the test images does not lower the best setting's accuracy significantly",
        {name: not costs for name, costs in names.items()},
        *differences,
        none="Every change of the test images lowers its accuracy significantly.",
        one="One change does not lower it significantly ({members}).",
        many="The following do not lower it significantly: {members}.",
    )
    mirrored = [metrics[transform_name("baseline", change)].value for change in ("none", "flipped")]
    found["baseline_keeps_mirrored"] = Finding(
        statement="The baseline's mean accuracy on mirrored test images is within two points of that on "
        "images as they are",
        holds=abs(mirrored[0] - mirrored[1]) <= 0.02,
        metrics=("baseline/test_accuracy", transform_name("baseline", "flipped")),
    )
    narrow = [
        change
        for change in changes
        if (bounds := lost[change].difference).low is not None
        and bounds.high is not None
        and max(-bounds.low, bounds.high) <= WITHIN
    ]
    found["changes_within"] = builders.family(
        f"Of some change, the interval lies within {WITHIN:g} of zero",
        {f"{CHANGES[change].lower()} images": change in narrow for change in changes},
        *differences,
        none="For no change does the interval exclude an effect of five percentage points.",
        one="Only for {members} does the interval exclude an effect of five percentage points, in either "
        "direction: the best setting is nearly invariant to this change.",
        many="For {members} the intervals exclude an effect of five percentage points, in either direction: "
        "the best setting is nearly invariant to these changes.",
    )
    majority = metrics["majority/test_accuracy"].value
    found["baseline_inverted_fails"] = Finding(
        statement="The baseline on inverted images is no more accurate than always naming the largest class",
        holds=not _above(metrics[transform_name("baseline", "inverted")], majority),
        metrics=(transform_name("baseline", "inverted"), "majority/test_accuracy"),
    )
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

"""What the outcomes of the artists study say: which factors help, which drawn setting is best, what
misleads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import records
from analyses.classification._artists_comparisons import (
    CHANGES,
    METHOD_PAIRS,
    TRAINING,
    Compared,
    gain,
    transform_name,
)
from analyses.classification._artists_settings import Setting
from analyses.comparing import Comparison
from analyses.plugin import Outcome
from results import builders
from results.schema import Finding, Metric
from results.text import count, listing

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
    "steps": "step decay of the learning rate",
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


def _in_words(one: Compared) -> str:
    return NAMES.get(one.value) or WORDS.get(one.factor, f"{one.factor} {{}}").format(one.value)


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

    names = [_in_words(one) for one in among]
    numbers = [f"{{{one.name}/{key}:points ci}}" for one in among]
    if len(among) == 1:
        none = f"{names[0]} changes {what} accuracy by {numbers[0]} percentage points, which is not "
        none = f"{none[:1].upper()}{none[1:]}significant."
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
            f"accuracy significantly; the {'highest' if validation else 'largest'} mean difference is "
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
        ("most_effective", "factors", factors, f"all {count(len(factors))} changes"),
        (
            "most_effective_training",
            "training",
            [one for one in factors if one.factor in TRAINING],
            "these regularisers, optimisers and schedules",
        ),
    ):
        if among:
            best = max(among, key=gain)
            metric = f"{prefix}/largest/difference"
            larger = f"{{{metric}:points ci unit}}"
            found[key] = best.difference.finding(
                f"The largest gain by one of {kind} is significant",
                metric,
                more=f"The most effective of {kind} is {_in_words(best)}, with a significant gain of "
                f"{larger}.",
                same=f"Of {kind}, the largest mean gain is that of {_in_words(best)}, {larger}, which is not "
                "significant.",
                less=f"Each of {kind} lowers validation accuracy. The smallest loss is that of "
                f"{_in_words(best)}, {larger}.",
            )
    return found


def single_findings(factors: Sequence[Compared]) -> dict[str, Finding]:
    """Which single changes help, which hurt, and which let the network memorise less."""
    found: dict[str, Finding] = {}
    names = {_in_words(one): one for one in factors}
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
    found["early_stopping_refits"] = builders.statement(
        "Networks that stop early are trained on as many images as the others",
        all(one.images is not None for one in factors if one.factor == "early stopping"),
    )
    return found | _dropout_means(factors) | _effective_findings(factors) | _factor_findings(factors)


def _dropout_means(factors: Sequence[Compared]) -> dict[str, Finding]:
    """The rate of dropout that changes mean validation accuracy most, in either direction."""
    rates = [one for one in factors if one.factor == "dropout"]
    if not rates:
        return {}
    most = max(rates, key=lambda one: abs(gain(one)))
    words = (
        f"Mean validation accuracy changes by at most {{{most.name}/difference:points unit}}, at a rate of "
        f"{most.value}."
    )
    return {
        "dropout_means": builders.statement(
            "Which rate of dropout changes mean validation accuracy most",
            True,
            f"{most.name}/difference",
            yes=words,
            no=words,
        )
    }


CLOSE = 0.05  # of an accuracy: a smaller difference of two means is called close


def fit_findings(metrics: Mapping[str, Metric]) -> dict[str, Finding]:
    """How closely training images are fitted when the learning rate decays, and with other filter sizes, in
    the means.
    """
    baseline = metrics["baseline/train_accuracy"].value

    def training(factor: str, *values: str) -> list[tuple[str, float]]:
        names = [f"factor/{factor}/{value}/train_accuracy" for value in values]
        return [(name, metrics[name].value) for name in names if name in metrics]

    decays, sizes = training("schedule", "steps", "cosine"), training("filter_size", "3_3", "7_7")
    exponential = training("schedule", "exponential")
    return {
        "exponential_fits_less": builders.statement(
            "With exponential decay, mean training accuracy is clearly below the baseline's, and with the "
            "other decays it is not",
            bool(exponential)
            and exponential[0][1] < baseline - CLOSE
            and all(abs(value - baseline) <= CLOSE for _, value in decays),
            *(name for name, _ in (*exponential, *decays)),
        ),
        "filter_sizes_fit_alike": builders.statement(
            "With other filter sizes, mean training accuracy is close to the baseline's",
            bool(sizes) and all(abs(value - baseline) <= CLOSE for _, value in sizes),
            *(name for name, _ in sizes),
        ),
    }


def curve_findings(baseline: Sequence[Outcome], metrics: Mapping[str, Metric]) -> dict[str, Finding]:
    """What training for longer does to the baseline, in the means over the folds."""
    accuracy = records.mean_curve(baseline, "validation_accuracy")
    loss = records.mean_curve(baseline, "validation_loss")
    return {
        "training_loss_spikes": builders.statement(
            "On some fold the baseline's training loss jumps by a nat or more",
            metrics["baseline/spike_folds"].value > 0,
            "baseline/spike_epoch",
            "baseline/spike_folds",
        ),
        "validation_accuracy_is_kept": builders.statement(
            "The baseline's mean validation accuracy ends within two points of its highest",
            bool(accuracy) and accuracy[-1] >= max(accuracy) - 0.02,
            "baseline/validation_accuracy",
        ),
        "validation_loss_rises": builders.statement(
            "The baseline's mean validation loss ends a tenth or more above its lowest",
            bool(loss) and loss[-1] >= 1.1 * min(loss),
            "baseline/validation_accuracy",
        ),
    }


METHOD_WORDS = {"forest": "the random forest", "baseline": "the baseline", "best": "the best setting"}


def _method_finding(name: str, one: Comparison) -> Finding:
    pair, part = name.split("/")
    first, second = pair.split("_over_")
    where = "In cross-validation" if part == "validation" else "On the test images"
    subject, other = METHOD_WORDS[first], METHOD_WORDS[second]
    difference = f"{{{name}/difference:points ci unit}}"
    size = f"{{{name}/difference:points ci unit unsigned}}"
    return one.finding(
        f"More, after Holm's correction: {METHOD_PAIRS[name]}",
        f"{name}/difference",
        more=f"{where}, {subject} is significantly more accurate than {other}, by {size}.",
        less=f"{where}, {subject} is significantly less accurate than {other}, by {size}.",
        same=f"{where}, the difference between {subject} and {other}, {difference}, is not significant.",
    )


def search_findings(
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
        "baseline_overfits": builders.statement(
            "The baseline's training accuracy is above the interval of its validation accuracy",
            validated.is_below(metrics["baseline/train_accuracy"].value),
            "baseline/train_accuracy",
            "baseline/validation_accuracy",
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
        "baseline_fails_somewhere": builders.statement(
            "On some fold the baseline hardly learns its training images",
            metrics["baseline/untrained_folds"].value > 0,
            "baseline/untrained_folds",
        ),
        "baseline_beats_majority": builders.statement(
            "The baseline is more accurate than always naming the largest class",
            baseline.is_above(metrics["majority/test_accuracy"].value),
            "baseline/test_accuracy",
            "majority/test_accuracy",
        ),
        "test_agrees_with_validation": builders.statement(
            "The validation accuracy of the best setting lies in the interval of its test accuracy",
            best.includes(validation),
            "best/test_accuracy",
            "best/validation_accuracy",
        ),
        "best_augments": builders.statement(
            "The best setting mirrors or moves its training images", setting.mirror or setting.shift > 0
        ),
        "best_mirrors": builders.statement("The best setting mirrors its training images", setting.mirror),
        "best_moves": builders.statement("The best setting moves its training images", setting.shift > 0),
        "best_is_normalised": builders.statement("The best setting has batch norm", setting.normalised),
        "best_pools": builders.statement("The best setting has max-pooling", setting.pool > 0),
    }


def _capitalised(words: str) -> str:
    return words[:1].upper() + words[1:]


WITHIN = 0.05  # of an accuracy: a smaller effect is called none
NOUNS = {  # of the changes of the test images, within a sentence
    "translated": "translation",
    "brightened": "brightening",
    "darkened": "darkening",
    "high_contrast": "higher contrast",
    "low_contrast": "lower contrast",
    "flipped": "mirroring",
    "upside_down": "turning upside down",
    "inverted": "inversion",
}


def transform_findings(
    metrics: Mapping[str, Metric],
    comparisons: Mapping[str, Comparison],
    inversion: Mapping[str, Comparison],
) -> dict[str, Finding]:
    changes = list(CHANGES)[1:]
    lost = {change: comparisons[f"transform/{change}/lost"] for change in changes}
    shown = tuple(transform_name("best", change) for change in changes)
    worst = max(changes, key=lambda change: lost[change].difference.value)
    found = {
        "inversion_hurts_most": builders.statement(
            "Of all changes, inversion costs the best setting most accuracy", worst == "inverted", *shown
        ),
        "inversion_is_lowest": builders.statement(
            "On inverted images the best setting is significantly less accurate than on images of each other "
            "change, after Holm's correction",
            all(one.verdict == "more" for one in inversion.values()),
            *(f"transform/{change}/less_inverted/difference" for change in inversion),
        ),
        "inverted_beats_majority": builders.statement(
            "On inverted images the best setting is still above the share of the largest class",
            metrics["transform/inverted/test_accuracy"].is_above(metrics["majority/test_accuracy"].value),
            "transform/inverted/test_accuracy",
            "majority/test_accuracy",
        ),
    }
    names = {NOUNS[change]: lost[change].verdict == "more" for change in changes}
    costly, harmless = (listing([name for name in names if names[name] is kind]) for kind in (True, False))
    differences = tuple(f"transform/{change}/lost/difference" for change in changes)
    found["changes_that_cost"] = builders.family(
        "Some change of the test images lowers the accuracy of the best setting significantly",
        names,
        *differences,
        none="No change of the test images lowers its accuracy significantly.",
        one="Only one change lowers its accuracy significantly: {members}.",
        many=f"{_capitalised(costly)} each lower its accuracy significantly.",
    )
    found["changes_without_effect"] = builders.family(
        "Some change of the test images does not lower the best setting's accuracy significantly",
        {name: not costs for name, costs in names.items()},
        *differences,
        none="Every change of the test images lowers its accuracy significantly.",
        one="One change does not lower its accuracy significantly: {members}.",
        many=f"{_capitalised(harmless)} do not lower it significantly.",
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
    for change in changes:
        found[f"{change}_costs"] = builders.statement(
            "This change of the test images costs the best setting accuracy, after Holm's "
            f"correction: {CHANGES[change].lower()}",
            lost[change].verdict == "more",
            f"transform/{change}/lost/difference",
        )
        for word, verdict in (("leads", "more"), ("trails", "less")):
            found[f"{change}_{word}"] = builders.statement(
                f"The best setting {word} the baseline, after Holm's correction, on test images "
                f"{CHANGES[change].lower()}",
                comparisons[f"transform/{change}/lead"].verdict == verdict,
                f"transform/{change}/lead/difference",
            )
    return found

"""What the outcomes of the artists study say of the baseline, of the best drawn setting, and of what misleads
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import records
from analyses.classification._artists_comparisons import (
    CHANGES,
    METHOD_PAIRS,
    transform_name,
)
from analyses.classification._artists_settings import Setting
from analyses.comparing import Comparison
from analyses.plugin import Outcome
from results import builders
from results.schema import Finding, Metric
from results.text import listing


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
    p = "" if one.p is None else f", with an adjusted p of {{{name}/p:.2g}}"
    clear = builders.judge(one.difference) != "same"  # by its interval alone, which is not adjusted
    difference = f"{{{name}/difference:points ci unit}}"
    size = f"{{{name}/difference:points ci unit unsigned}}{p}"
    return one.finding(
        f"More, after Holm's correction: {METHOD_PAIRS[name]}",
        f"{name}/difference",
        more=f"{where}, {subject} is significantly more accurate than {other}, by {size}.",
        less=f"{where}, {subject} is significantly less accurate than {other}, by {size}.",
        same=f"{where}, the difference between {subject} and {other}, {difference}, is not "
        f"significant{p if clear else ''}.",
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
        "best_mirrors": builders.statement("The best setting mirrors its training images", setting.mirror),
        "best_is_normalised": builders.statement("The best setting has batch norm", setting.normalised),
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
) -> dict[str, Finding]:
    changes = list(CHANGES)[1:]
    lost = {change: comparisons[f"transform/{change}/lost"] for change in changes}
    apart = [name for name in comparisons if name.endswith("/less_inverted")]
    shown = tuple(transform_name("best", change) for change in changes)
    worst = max(changes, key=lambda change: lost[change].difference.value)
    found = {
        "inversion_hurts_most": builders.statement(
            "Of all changes, inversion costs the best setting most accuracy", worst == "inverted", *shown
        ),
        "inversion_is_lowest": builders.statement(
            "On inverted images the best setting is significantly less accurate than on images of each other "
            "change, after Holm's correction",
            all(comparisons[name].verdict == "more" for name in apart),
            *(f"{name}/difference" for name in apart),
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
        found[f"{change}_trails"] = builders.statement(
            "The best setting trails the baseline, after Holm's correction, on test images "
            f"{CHANGES[change].lower()}",
            comparisons[f"transform/{change}/lead"].verdict == "less",
            f"transform/{change}/lead/difference",
        )
    return found

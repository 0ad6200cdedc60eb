"""What the outcomes of the artists study say of single changes: which of them help, and which hurt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses.classification._artists_comparisons import TRAINING, Compared, gain
from analyses.comparing import Comparison
from results import builders
from results.schema import Finding, Metric
from results.text import count, listing

WORDS = {  # of a value of each factor, within a sentence
    "pooling": "max-pooling of {}",
    "dropout": "a dropout rate of {}",
    "weight decay": "a weight decay of {}",
    "filter size": "filters of {}",
    "batch norm": "batch normalisation",
    "augmentation": "images {} at random",
}
RATE = ", rate "  # between the name of an optimiser and its learning rate
OPTIMISERS = {"SGD": "plain SGD"}  # where they are called otherwise within a sentence
NAMES = {  # of values that are called otherwise within a sentence
    "0.05, decoupled": "a decoupled weight decay of 0.05 (AdamW)",
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
SHORT = {  # of values and of factors, where a sentence is about the values of one factor
    "steps": "step decay",
    "exponential": "exponential decay",
    "cosine": "cosine decay",
    "one cycle": "a one-cycle schedule",
    "patience 5": "a patience of five epochs",
    "patience 15": "one of 15 epochs",
    "mirrored": "mirrored images",
    "moved": "moved images",
    "mirrored and moved": "images that are mirrored and moved",
    "dropout": "a rate of {}",
    "weight decay": "a coefficient of {}",
    "0.05, decoupled": "a decoupled one of 0.05",
}
GROUPS = {  # of all values of a factor, where there are more than two
    "dropout": "dropout rates",
    "weight decay": "weight decays",
    "optimizer": "combinations of another optimiser and its learning rate",
    "schedule": "schedules of the learning rate",
    "augmentation": "kinds of augmentation",
}


def _in_words(one: Compared) -> str:
    optimiser, between, rate = one.value.partition(RATE)
    if between:
        return f"{OPTIMISERS.get(optimiser, optimiser)} at a rate of {rate}"
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

    validation = what == "validation"
    names = [_in_words(one) for one in among]
    sizes = [f"{{{one.name}/{key}:points ci unit unsigned}}" for one in among]
    ways = [change(one).direction for one in among]
    if len(among) > 2:
        differences = [change(one).difference.value for one in among]
        best = max(range(len(among)), key=lambda n: differences[n] if validation else abs(differences[n]))
        none = (
            f"None of the {count(len(among))} {GROUPS.get(among[0].factor, 'values')} changes {what} "
            f"accuracy significantly; the {'highest' if validation else 'largest'} mean difference is "
            f"{{{among[best].name}/{key}:points ci unit}}, with {names[best]}."
        )
    elif len(among) == 1:
        none = (
            f"With {names[0]}, mean {what} accuracy is {ways[0]} by {sizes[0]}, but the difference is not "
            "significant."
        )
    else:
        second = "" if ways[0] == ways[1] else f"{ways[1]} "
        none = (
            f"With {names[0]}, mean {what} accuracy is {ways[0]} by {sizes[0]}, and with {names[1]} "
            f"{second}by {sizes[1]}; neither difference is significant."
            if validation
            else f"Mean {what} accuracy is {ways[0]} by {sizes[0]} with {names[0]}, and {second}by "
            f"{sizes[1]} with {names[1]}, neither of them significantly."
        )
    significant = {name: change(one).verdict != "undecided" for name, one in zip(names, among, strict=True)}
    changed = " ".join(
        f"With {name}, {what} accuracy is significantly {way}, by {size}."
        for name, way, size in zip(names, ways, sizes, strict=True)
        if significant[name]
    )
    return builders.family(
        f"Some value of this factor changes {what} accuracy significantly: {among[0].factor}",
        significant,
        *(f"{one.name}/{key}" for one in among),
        none=none,
        one=changed or none,
        many=changed or none,
    )


def _factor_means(factors: Sequence[Compared]) -> dict[str, Finding]:
    """Of each factor, how the mean of every value differs from the baseline's, in one sentence."""
    found = {}
    for factor in dict.fromkeys(one.factor for one in factors):
        every = [one for one in factors if one.factor == factor]
        among = _best_rates(every)
        words = _means_in_words(among)
        if len(among) < len(every):
            words = f"For each, we report the best of {count(len(every) // len(among))} rates. {words}"
        found[f"{factor.replace(' ', '_')}_means"] = builders.statement(
            f"How mean validation accuracy differs from the baseline's: {factor}",
            True,
            *(f"{one.name}/difference" for one in among),
            yes=words,
            no=words,
        )
    return found


def _best_rates(among: Sequence[Compared]) -> list[Compared]:
    """Of each optimiser, the learning rate with the highest mean validation accuracy; all else as it is."""
    found: dict[str, Compared] = {}
    for one in among:
        optimiser = one.value.partition(RATE)[0]
        if (
            optimiser not in found
            or one.difference.difference.value > found[optimiser].difference.difference.value
        ):
            found[optimiser] = one
    return list(found.values())


def _means_in_words(among: Sequence[Compared]) -> str:
    """The change with each value, in the order of the figure."""
    names = [
        SHORT.get(one.value)
        or (SHORT[one.factor].format(one.value) if one.factor in SHORT else _in_words(one))
        for one in among
    ]
    sizes = [f"{{{one.name}/difference:points{' unit' if one is among[0] else ''}}}" for one in among]
    changes = [f"{size} with {name}" for size, name in zip(sizes, names, strict=True)]
    return f"Mean validation accuracy changes by {listing(changes)}."


def _effective_findings(factors: Sequence[Compared]) -> dict[str, Finding]:
    """Which change gains most: of all, and of those of the training alone."""
    found = {}
    for key, prefix, among, kind in (
        ("most_effective", "factors", factors, f"all {count(len(factors))} changes"),
        (
            "most_effective_training",
            "training",
            [one for one in factors if one.factor in TRAINING],
            "these choices of training",
        ),
    ):
        if among:
            best = max(among, key=gain)
            metric = f"{prefix}/largest/difference"
            larger = f"{{{metric}:points ci unit}}"
            found[key] = best.difference.finding(
                f"The largest gain by one of {kind} is significant",
                metric,
                more=f"Among {kind}, the largest mean gain is that of {_in_words(best)}, {larger}, which is "
                "significant.",
                same=f"Among {kind}, the largest mean gain is that of {_in_words(best)}, {larger}, which is "
                "not significant.",
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
    return (
        found
        | _optimiser_findings(factors)
        | _factor_means(factors)
        | _effective_findings(factors)
        | _factor_findings(factors)
    )


def _optimiser_findings(factors: Sequence[Compared]) -> dict[str, Finding]:
    """How closely other optimisers fit the training images, each at its best rate, in the means."""
    every = [one for one in factors if one.factor == "optimizer"]
    best = _best_rates(every)
    if not best:
        return {}
    values = listing([f"{{{one.name}/train_accuracy:percent}}" for one in best])
    theirs = "Their training accuracies are" if len(best) > 1 else "Its training accuracy is"
    they = "they make" if len(best) > 1 else "it makes"
    others = [one for one in every if one not in best] or every
    widest = max(others, key=lambda one: one.train_range[1] - one.train_range[0])
    least, most = (f"{widest.name}/train_{end}" for end in ("least", "most"))
    return {
        "some_rates_are_unstable": builders.statement(
            "At some rate, the training accuracy of another optimiser differs by more than a half over folds",
            widest.train_range[1] - widest.train_range[0] > 0.5,
            least,
            most,
            yes=f"Other rates are less stable: with {_in_words(widest)}, training accuracy ranges from "
            f"{{{least}:percent}} to {{{most}:percent}} over the folds.",
            no=f"Training accuracy varies most over the folds with {_in_words(widest)}, from "
            f"{{{least}:percent}} to {{{most}:percent}}.",
        ),
        "other_optimisers_fit_less": builders.statement(
            "With every other optimiser, at its best rate, mean training accuracy is clearly below the "
            "baseline's",
            all(one.train_difference.difference.value < -CLOSE for one in best),
            *(f"{one.name}/train_accuracy" for one in best),
            yes=f"{theirs} {values}, so {they} less progress than Adam in the same number of epochs.",
            no=f"{theirs} {values}.",
        ),
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

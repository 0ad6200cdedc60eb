"""What the outcomes of the study of two designs for CIFAR-10 say: metrics, comparisons and findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import mean

from analyses import classifiers, comparing, records
from analyses.classification import _cifar10_designs_tables as tables
from analyses.classification._cifar10_designs_settings import (
    CHANGES,
    DESIGNS,
    DONE,
    REFERENCE,
    WITH_RATE,
    WORDS,
    DesignsParameters,
)
from analyses.comparing import Comparison
from analyses.plugin import Outcome, Summary
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric
from results.text import counted, listing


def summary(parameters: DesignsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    designs = {name: records.runs_named(outcomes, name) for name in DESIGNS}
    ablation = {name: records.runs_named(outcomes, f"ablation/{name}") for name in CHANGES}
    metrics = _metrics(designs, parameters)
    differences = comparing.compared(_ablation_pairs(ablation))
    for name, one in differences.items():
        metrics |= one.metrics(f"ablation/{name}/", f"Change of validation accuracy: {WORDS[name]}")
    metrics |= _ablation_metrics(ablation, parameters)
    metrics["b_over_a/seeds"] = builders.metric(
        min(len(runs) for runs in designs.values()), "Seeds that both designs share", "seeds"
    )
    pairs = _design_pairs(designs)
    between = comparing.compared_classifiers(pairs)
    for name, one in between.items():
        metrics |= one.metrics(f"{name}/", f"Test accuracy: {PAIRS[name]}")
    discordant = comparing.discordant(*pairs["b_over_a"])
    metrics |= builders.metrics(
        "b_over_a/",
        f": {PAIRS['b_over_a']}",
        only_b=(round(mean(one.only_a for one in discordant)), "Images that B alone names, mean", "images"),
        only_a=(round(mean(one.only_b for one in discordant)), "Images that A alone names, mean", "images"),
        mcnemar_p=(max(one.p for one in discordant), "Largest p-value of McNemar's test of any seed"),
    )
    best = max(DESIGNS, key=lambda name: metrics[f"{name}/validation_accuracy"].value)
    metrics["best/epochs"] = builders.metric(parameters.epochs, "Epochs of the better design", "epochs")
    views = "six_views_test_accuracy" if best == "design_b" else "test_accuracy"
    metrics["best/test_accuracy"] = metrics[f"{best}/{views}"].model_copy(
        update={"title": f"Test accuracy of the better design ({DESIGNS[best]})"}
    )
    return Summary(
        metrics=metrics,
        tables={
            "results": classifiers.classifiers_table(
                f"Losses, accuracies (%) and training time of the two designs after "
                f"{counted(parameters.epochs, 'epochs')} on {parameters.data.train:,} training images. "
                f"Means over {counted(parameters.seeds, 'seeds')} for design A and "
                f"{counted(parameters.seeds_b, 'seeds')} for design B.",
                {**DESIGNS, "six_views": SIX_VIEWS},
                metrics | {"six_views/test_accuracy": metrics["design_b/six_views_test_accuracy"]},
                (
                    "Six views: the outputs for six views of each test image are averaged; all other figures "
                    "are of one view.",
                    *classifiers.table_notes(designs["design_a"]),
                ),
            ),
            "recipes": tables.recipes_table(parameters),
            "designs": comparing.classifier_comparison_table(
                f"The two designs compared on {len(designs['design_a'][0]['labels']):,} test images.",
                {name: PAIRS[name] for name in pairs},
                pairs,
                between,
            ),
            "classes": classifiers.class_table(
                designs[best], f"Test accuracy (%) of {_within(DESIGNS[best])} by class, one view per image."
            ),
            "ablation": tables.ablation_table(metrics, ablation, differences, parameters),
        },
        figures={
            "curves": builders.learning_curves(
                f"Loss and accuracy of {_within(DESIGNS[best])} by epoch, on training, validation and test "
                "images (one view each).",
                records.histories(designs[best]),
            ),
            "differences": builders.intervals(
                "Change in the validation accuracy of design A when one of its choices is changed "
                f"({parameters.ablation_train:,} training images, {parameters.ablation_epochs} epochs).",
                {WORDS[name]: metrics[f"ablation/{name}/difference"] for name in differences},
                builders.points("Change of accuracy"),
                significant=[WORDS[name] for name, one in differences.items() if one.verdict != "undecided"],
            ),
        },
        findings={
            **_design_findings(metrics, between, parameters),
            **_curve_findings(designs[best]),
            **_ablation_findings(differences, parameters),
            **_fit_findings(metrics),
            "classes_differ": classifiers.class_finding(designs[best]),
            "no_run_diverged": records.none_diverged(outcomes),
        },
    )


def _within(title: str) -> str:
    """A title as it stands within a sentence."""
    return title[:1].lower() + title[1:]


SIX_VIEWS = "Design B, six views"
REQUIRED = 0.75  # of each design, by the assignment
AIM = 0.92  # of the better one
PAIRS = {
    "b_over_a": "Design B − Design A",
    "six_views_over_a": f"{SIX_VIEWS} − Design A",
    "six_views_over_one": f"{SIX_VIEWS} − Design B, one view",
}


def _design_pairs(
    designs: Mapping[str, Sequence[Outcome]],
) -> dict[str, tuple[Sequence[Outcome], Sequence[Outcome]]]:
    """The designs on the same test images, B also by six views where its predictions are kept so."""
    a, b = designs["design_a"], designs["design_b"]
    six = [run["six_views"] for run in b if "six_views" in run]
    pairs: dict[str, tuple[Sequence[Outcome], Sequence[Outcome]]] = {"b_over_a": (b, a)}
    if len(six) == len(b):
        pairs |= {"six_views_over_a": (six, a), "six_views_over_one": (six, b)}
    return pairs


def _metrics(designs: Mapping[str, Sequence[Outcome]], parameters: DesignsParameters) -> dict[str, Metric]:
    metrics = {"required": builders.metric(REQUIRED, "Test accuracy asked for", FRACTION)}
    for name, label in DESIGNS.items():
        metrics |= classifiers.metrics(name, designs[name], label)
        metrics[f"{name}/parameters"] = builders.metric(
            designs[name][0]["parameters"], f"Parameters of {label}", "parameters"
        )
    metrics["design_b/six_views_test_accuracy"] = records.over_seeds(
        designs["design_b"], "six_views_test_accuracy", "Test accuracy of Design B, mean of six views"
    )
    return metrics


def _ablation_pairs(
    ablation: Mapping[str, Sequence[Outcome]],
) -> dict[str, tuple[list[float], list[float]]]:
    """Validation accuracies of each change and of the reference, of the seeds that diverged in neither."""
    pairs = {}
    for name in CHANGES:
        both = [
            (run["validation_accuracy"], reference["validation_accuracy"])
            for run, reference in zip(ablation[name], ablation[REFERENCE], strict=False)
            if not run["diverged"] and not reference["diverged"]
        ]
        if name != REFERENCE and both:
            pairs[name] = ([one for one, _ in both], [other for _, other in both])
    return pairs


def _ablation_metrics(
    ablation: Mapping[str, Sequence[Outcome]], parameters: DesignsParameters
) -> dict[str, Metric]:
    metrics = builders.metrics(
        "ablation/",
        " of the ablation",
        train=(parameters.ablation_train, "Training images", "images"),
        epochs=(parameters.ablation_epochs, "Epochs", "epochs"),
        seeds=(parameters.ablation_seeds, "Seeds", "seeds"),
        comparisons=(len(CHANGES) - 1, "Comparisons", "comparisons"),
    )
    for name in (REFERENCE, "no_batch_norm", "adamw", "constant_rate"):
        rate = parameters.ablation_recipe(name).learning_rate
        title = f"Largest learning rate of design A {WORDS[name].removeprefix('Design A ')}"
        metrics[f"ablation/{name}/rate"] = builders.metric(rate, title)
    for name, words in WORDS.items():
        if runs := [run for run in ablation[name] if not run["diverged"]]:
            metrics[f"ablation/{name}/validation_accuracy"] = records.over_seeds(
                runs,
                "validation_accuracy",
                f"Validation accuracy of design A {words.removeprefix('Design A ')}",
            )
            metrics[f"ablation/{name}/train_accuracy"] = records.at_the_end(
                runs,
                "train_accuracy",
                f"Training accuracy of design A {words.removeprefix('Design A ')}",
            )
    return metrics


def _design_findings(
    metrics: Mapping[str, Metric], between: Mapping[str, Comparison], parameters: DesignsParameters
) -> dict[str, Finding]:
    reached = ("design_a/test_accuracy", "design_b/test_accuracy")
    highest = metrics["design_a/train_accuracy"].high
    return {
        "both_pass": builders.statement(
            "Both designs pass the required test accuracy within ten epochs, with their intervals",
            parameters.epochs <= 10 and all(metrics[name].is_above(REQUIRED) for name in reached),
            *reached,
        ),
        "aim_reached": builders.statement(
            "The interval of the better design's test accuracy lies above the aim",
            metrics["best/test_accuracy"].is_above(AIM),
            "best/test_accuracy",
        ),
        "b_is_chosen": builders.statement(
            "Design B has the higher validation accuracy",
            metrics["design_b/validation_accuracy"].value > metrics["design_a/validation_accuracy"].value,
            *(f"{name}/validation_accuracy" for name in DESIGNS),
        ),
        "b_is_better": builders.statement(
            "Design B is the more accurate on the test images, after Holm's correction",
            between["b_over_a"].verdict == "more",
            "b_over_a/difference",
        ),
        "a_is_better": builders.statement(
            "Design A is the more accurate on the test images, after Holm's correction",
            between["b_over_a"].verdict == "less",
            "b_over_a/difference",
        ),
        "b_fits_more": builders.statement(
            "The interval of design B's training accuracy lies above that of design A's",
            highest is not None and metrics["design_b/train_accuracy"].is_above(highest),
            "design_a/train_accuracy",
            "design_b/train_accuracy",
        ),
        "same_budget": builders.statement(
            "The ablation has the training images and epochs of the designs",
            (parameters.ablation_train, parameters.ablation_epochs)
            == (parameters.data.train, parameters.epochs),
            "ablation/train",
            "ablation/epochs",
        ),
        "averages_weights": builders.statement(
            "Design B is judged by an average of its weights", parameters.ema > 0
        ),
    }


def _curve_findings(runs: Sequence[Outcome]) -> dict[str, Finding]:
    """What the learning curves of the better design show, in the means over its seeds."""
    losses = [records.mean_curve(runs, f"{part}_loss") for part in ("train", "validation", "test")]
    last = [records.mean_curve(runs, f"{part}_accuracy")[-1:] or [0.0] for part in ("validation", "test")]
    best_fit = records.mean_curve(runs, "train_accuracy")[-1:] or [0.0]
    return {
        "fits_more_than_it_generalises": Finding(
            statement="The better design's training accuracy ends above its validation accuracy, by two "
            "points or more",
            holds=best_fit[0] >= last[0][0] + 0.02,
        ),
        "losses_fall": Finding(
            statement="The better design's training, validation and test loss are lowest in the last epoch",
            holds=all(bool(curve) and curve[-1] == min(curve) for curve in losses),
        ),
        "test_follows_validation": Finding(
            statement="The better design's validation and test accuracy end within two points of each other",
            holds=abs(last[0][0] - last[1][0]) <= 0.02,
        ),
    }


def _fit_findings(metrics: Mapping[str, Metric]) -> dict[str, Finding]:
    """Of each change, whether the network fits fewer of its training images than design A, and whether it
    fits more of them than of the validation images.
    """
    found = {}
    reference = f"ablation/{REFERENCE}/train_accuracy"
    for name in DONE:
        train, validation = (f"ablation/{name}/{part}_accuracy" for part in ("train", "validation"))
        if not {train, validation, reference} <= set(metrics):
            continue
        found[f"{name}_fits_less"] = Finding(
            statement=f"Design A {WORDS[name]} fits fewer of its training images, in the mean",
            holds=metrics[train].value < metrics[reference].value,
            metrics=(train, reference),
        )
        found[f"{name}_overfits"] = Finding(
            statement=f"Design A {WORDS[name]} classifies its training images more accurately than the "
            "validation images, by two points or more",
            holds=metrics[train].value >= metrics[validation].value + 0.02,
            metrics=(train, validation),
        )
    rate, alone, both = (
        f"ablation/{name}/{key}"
        for name, key in (
            ("constant_rate", "rate"),
            ("constant_rate", "difference"),
            ("no_batch_norm", "difference"),
        )
    )
    if {rate, alone, both} <= set(metrics):
        found["rate_explains_little"] = builders.statement(
            "The smaller rate of the variant without batch normalisation costs less than half as much where "
            "it is constant and batch normalisation stays",
            metrics[rate].value == metrics["ablation/no_batch_norm/rate"].value
            and metrics[both].value < 2 * metrics[alone].value < 0,
            rate,
            alone,
            both,
        )
    return found


def _ablation_findings(
    differences: Mapping[str, Comparison], parameters: DesignsParameters
) -> dict[str, Finding]:
    """Of each change whether it hurts, and whether it helps; and of all which do, with the budget."""
    epochs = counted(parameters.ablation_epochs, "epochs")
    budget = f"In an ablation of design A with {{ablation/train}} images and {epochs}"
    found = {
        f"{name}_{word}": builders.statement(
            f"Design A {WORDS[name]}: the change {word}, after Holm's correction within its table",
            one.verdict == verdict,
            f"ablation/{name}/difference",
        )
        for name, one in differences.items()
        for word, verdict in (("hurts", "less"), ("helps", "more"))
    }
    names = {name: DONE[name] + WITH_RATE.get(name, "") for name in differences}
    for word, verdict, does in (("hurts", "less", "lowers"), ("helps", "more", "raises")):
        found[f"changes_that_{word.removesuffix('s')}"] = builders.family(
            f"Some change of design A {does} validation accuracy significantly",
            {names[name]: one.verdict == verdict for name, one in differences.items()},
            *(f"ablation/{name}/difference" for name in differences),
            none=f"{budget}, no change {does} validation accuracy significantly.",
            one=f"{budget}, only {{members}} {does} validation accuracy significantly.",
            many=f"{budget}, these changes {does.removesuffix('s')} validation accuracy significantly: "
            "{members}.",
        )
    found |= _groups(differences)
    for name, one in differences.items():
        found[f"{name}_may_hurt"] = builders.statement(
            f"Design A {WORDS[name]}: mean validation accuracy is lower, but not significantly",
            _may_hurt(one),
            f"ablation/{name}/difference",
        )
    return found


def _may_hurt(one: Comparison) -> bool:
    return one.verdict == "undecided" and one.direction == "lower"


def _groups(differences: Mapping[str, Comparison]) -> dict[str, Finding]:
    """The changes that lower validation accuracy significantly, those that lower its mean, and the others
    that do not change it significantly; of each group the largest first, with its size.
    """
    order = sorted(differences, key=lambda name: -abs(differences[name].difference.value))

    def group(words: str, belongs: Callable[[Comparison], bool], does: str, significantly: str) -> Finding:
        chosen = [name for name in order if belongs(differences[name])]
        sizes = [
            builders.shown(f"ablation/{name}/difference", "points", ci=True, unit=True, unsigned=True)
            for name in chosen
        ]
        members = listing([f"{DONE[name]} ({{ablation/{name}/difference:points}})" for name in chosen])
        return builders.family(
            words,
            {DONE[name]: name in chosen for name in order},
            *(f"ablation/{name}/difference" for name in order),
            none=f"No change {does}s {significantly}.",
            one=f"Only {DONE[chosen[0]]} {does}s {significantly}, by {sizes[0]}." if chosen else "{members}",
            many=f"These changes {does} {significantly} (in percentage points): {members}.",
        )

    return {
        "choices_that_help": group(
            "Some change of design A lowers validation accuracy significantly",
            lambda one: one.verdict == "less",
            "lower",
            "validation accuracy significantly",
        ),
        "choices_that_may_help": group(
            "Some change of design A lowers mean validation accuracy, but not significantly",
            _may_hurt,
            "lower",
            "mean validation accuracy without being significant",
        ),
        "choices_without_benefit": group(
            "Some change of design A raises mean validation accuracy, but not significantly",
            lambda one: one.verdict == "undecided" and one.direction == "higher",
            "raise",
            "mean validation accuracy without being significant",
        ),
    }

"""What the outcomes of the study of Siamese networks say: metrics, comparisons and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, islice
from statistics import fmean

from analyses import records
from analyses.plugin import Outcome, Summary
from analyses.verification import _evaluation as evaluation
from analyses.verification import _siamese_tables as tables
from analyses.verification import _verification as verification
from analyses.verification._evaluation import EvaluatedPairs
from analyses.verification._siamese_pairs import examples_table, hardest_table
from analyses.verification._siamese_settings import HELDOUT, NEW, OLD, PARTS, PUBLISHED, SiameseParameters
from analyses.verification._verification import IN_TEXT, METHODS
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric
from results.text import counted


def summary(parameters: SiameseParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    folds = [f"fold{k}" for k in range(parameters.folds)]
    parts = {PUBLISHED: [PUBLISHED], HELDOUT: [HELDOUT], "folds": folds}
    evaluated = {
        part: {method: evaluation.split_runs(outcomes, splits, method) for method in METHODS}
        for part, splits in parts.items()
    }
    areas = {
        part: {method: evaluation.aucs(one) for method, one in methods.items()}
        for part, methods in evaluated.items()
    }
    faces = outcomes[f"{PUBLISHED}/pixels/0"]["faces"]
    found = _compared(evaluated, areas)
    metrics = _metrics(parameters, evaluated, areas, faces) | evaluation.comparison_metrics(found)
    for part, splits in parts.items():
        metrics |= _own_people_metrics(part, outcomes, splits)
    seeds = f"Means over {counted(parameters.seeds, 'seeds')} of what is trained."
    few = counted(evaluated[PUBLISHED][NEW].people, "people")
    brackets = "Brackets: 95% bootstrap intervals over people, resampled within their folds"
    none_of_few = f"{brackets}; the {few} of the tutorial are too few for an interval."
    return Summary(
        metrics=metrics,
        tables={
            "results": tables.results_table(metrics, f"{seeds} {none_of_few}"),
            "thresholds": tables.thresholds_table(metrics, f"{seeds} {none_of_few}"),
            "rates": tables.rates_table(
                metrics, evaluated["folds"], f"{seeds} Every fold has its own threshold. {brackets}."
            ),
            "comparisons": evaluation.comparison_table(
                found,
                "Differences between distances in the area under the ROC curve (AUC), on people of the AT&T "
                "faces who are not in the training set: those of the folds, and those with and without "
                "glasses.",
            ),
            "examples": examples_table(outcomes[f"{PUBLISHED}/{OLD}/0"], metrics[f"threshold/{OLD}"].value),
            "hardest": hardest_table(
                outcomes[f"{HELDOUT}/{NEW}/0"], metrics[f"threshold/{NEW}/{HELDOUT}"].value
            ),
            "recipe": verification.recipe_table(parameters),
        },
        figures={
            "roc": tables.roc_chart(evaluated["folds"]),
            "distances": tables.distance_chart(
                evaluated["folds"][NEW], metrics[f"threshold/{NEW}/folds"].value
            ),
            "loss": builders.curves(
                "Contrastive loss of the tutorial's network by epoch, on pairs drawn from the people of the "
                "AT&T faces that the tutorial trains on.",
                {
                    METHODS[OLD]: [
                        history["train_loss"]
                        for history in records.histories(records.runs_named(outcomes, f"{PUBLISHED}/{OLD}"))
                    ]
                },
                builders.number("Contrastive loss", ".4f"),
            ),
        },
        findings=_findings(metrics, found, outcomes),
        note=verification.weights_note(outcomes),
    )


GROUPS = 1_000  # of people of a fold that are looked at, at most


def _metrics(
    parameters: SiameseParameters,
    evaluated: Mapping[str, Mapping[str, EvaluatedPairs]],
    areas: Mapping[str, Mapping[str, evaluation.Drawn]],
    faces: Mapping[str, int],
) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for part, methods in evaluated.items():
        for method, one in methods.items():
            title = f"{METHODS[method]} on {PARTS[part]}"
            metrics[f"{method}/{part}/auc"] = (
                builders.metric(areas[part][method][0], f"AUC: {title}", FRACTION)
                if part == PUBLISHED  # too few people to be drawn again
                else evaluation.estimated(*areas[part][method], f"AUC: {title}", one.people)
            )
            metrics[f"threshold/{method}/{part}"] = builders.metric(
                one.threshold(), f"Threshold of the distance: {title}"
            )
            for key, value, what in (
                ("eer", evaluation.error_rate(one), "Equal error rate"),
                (
                    "best_balanced_accuracy",
                    evaluation.best_balanced(one),
                    "Balanced accuracy, best threshold",
                ),
            ):
                metrics[f"{method}/{part}/{key}"] = builders.metric(value, f"{what}: {title}", FRACTION)
            for key, (drawn, what) in _drawn_rates(one).items():
                name = f"{method}/{part}/{key}"
                metrics[name] = (
                    builders.metric(drawn[0], f"{what}: {title}", FRACTION)
                    if part == PUBLISHED
                    else evaluation.estimated(*drawn, f"{what}: {title}", one.people)
                )
            metrics[f"{method}/{part}/left_out_people"] = builders.metric(
                faces["people"] - one.people // len(one.pairs),
                f"Training people that chose the threshold: {title}",
                "people",
            )
    for part in (PUBLISHED, HELDOUT):
        for key in ("auc", "accuracy"):
            metrics[f"{part}/{key}"] = metrics[f"{NEW}/{part}/{key}"]
    for method in METHODS:
        metrics[f"threshold/{method}"] = metrics[f"threshold/{method}/{PUBLISHED}"]
    easier = _easier_groups(evaluated[PUBLISHED]["pixels"], evaluated["folds"]["pixels"])
    return metrics | {
        "data/people": builders.metric(faces["people"], "People", "people"),
        "data/images": builders.metric(faces["images"], "Images", "images"),
        "data/folds": builders.metric(parameters.folds, "Folds of people"),
        "data/seeds": builders.metric(parameters.seeds, "Seeds of every network on every split"),
        "pixels/groups": builders.metric(len(easier), "Groups of people within a fold", "groups"),
        "pixels/easier_groups": builders.metric(
            fmean(easier),
            "Groups of people within a fold on which raw pixels do worse than on the tutorial's test people",
            FRACTION,
        ),
    }


def _drawn_rates(evaluated: EvaluatedPairs) -> dict[str, tuple[evaluation.Drawn, str]]:
    """By the end of a metric's name: rates at the threshold of the best balanced accuracy, and at those of
    false positive rates; with their words.
    """
    balanced = evaluation.drawn_rates(evaluated)
    found = {
        "accuracy": (balanced.accuracy, "Accuracy"),
        "balanced_accuracy": (balanced.balanced, "Balanced accuracy"),
        "true_positive_rate": (balanced.true_positive, "True positive rate"),
        "false_positive_rate": (balanced.false_positive, "False positive rate"),
    }
    for name, rate in tables.LIMITS.items():
        drawn = evaluation.drawn_rates(evaluated, threshold=f"{rate:g}")
        where = f"at the threshold of an FPR of {rate:.0%}"
        found |= {
            f"{name}_true_positive_rate": (drawn.true_positive, f"True positive rate {where}"),
            f"{name}_false_positive_rate": (drawn.false_positive, f"False positive rate {where}"),
        }
    return found


def _own_people_metrics(
    part: str, outcomes: Mapping[str, Outcome], splits: Sequence[str]
) -> dict[str, Metric]:
    """AUC on the people trained on, and on those whom inner folds left out; for a method without training
    both are strangers.
    """
    metrics = {}
    for method, label in METHODS.items():
        runs = [one for split in splits for one in records.runs_named(outcomes, f"{split}/{method}")]
        inner = [one for split in splits for one in records.runs_named(outcomes, f"{split}/{method}_inner")]
        for key, values, what in (
            ("train_auc", [one["train_auc"] for one in runs], "the people trained on"),
            ("left_out_auc", [one["auc"] for one in inner], "training people that inner folds left out"),
        ):
            if values:
                metrics[f"{method}/{part}/{key}"] = builders.metric(
                    fmean(values), f"AUC on {what}: {label}, {PARTS[part]} tested", FRACTION
                )
    return metrics


def _easier_groups(published: EvaluatedPairs, folds: EvaluatedPairs) -> list[bool]:
    """Of all groups of as many people as the published ones, each within a fold: whether raw pixels have
    a lower AUC on it than on these.
    """
    import numpy as np

    from lab.verification import auc

    area = float(auc(published.pairs[0][0])[0])
    found = []
    for (pairs,) in folds.pairs:
        everyone = np.unique(np.concatenate([pairs.first, pairs.second]))
        for group in islice(combinations(everyone, min(published.people, len(everyone))), GROUPS):
            inside = np.isin(pairs.first, group) & np.isin(pairs.second, group)
            found.append(float(auc(pairs.where(inside))[0]) < area)
    return found


#: One table, one family. The tutorial's test people are too few to draw again: no claim is made on them. The
#: two networks are compared on the people with and without glasses in verification.glasses.
COMPARED = {
    f"{first}_over_{second}/{part}/auc": evaluation.Compared(
        IN_TEXT[first], IN_TEXT[second], where=f"on {PARTS[part]}"
    )
    for part in ("folds", HELDOUT)
    for first, second in ((NEW, "pixels"), (NEW, "backbone"), (OLD, "pixels"), (NEW, OLD))
    if (part, second) != (HELDOUT, OLD)
}


def _compared(
    evaluated: Mapping[str, Mapping[str, EvaluatedPairs]], areas: Mapping[str, Mapping[str, evaluation.Drawn]]
) -> dict[str, evaluation.Comparison]:
    pairs, people, own = {}, {}, {}
    for name in COMPARED:
        methods, part, _ = name.split("/")
        first, _, second = methods.partition("_over_")
        pairs[name] = areas[part][first], areas[part][second]
        people[name] = evaluated[part][first].people
        if part == HELDOUT:  # few people
            own[name] = evaluation.own_aucs(evaluated[part][first]) - evaluation.own_aucs(
                evaluated[part][second]
            )
    return evaluation.compared(pairs, COMPARED, people, own)


BEST_AND_CHOSEN = ("best_balanced_accuracy", "balanced_accuracy")


def _best_and_chosen(metrics: Mapping[str, Metric]) -> list[tuple[float, float]]:
    """Of the two networks, the balanced accuracy at the best possible thresholds, and at the chosen ones."""
    best, chosen = BEST_AND_CHOSEN
    return [
        (metrics[f"{method}/folds/{best}"].value, metrics[f"{method}/folds/{chosen}"].value)
        for method in (OLD, NEW)
    ]


def _findings(
    metrics: Mapping[str, Metric], found: Mapping[str, evaluation.Comparison], outcomes: Mapping[str, Outcome]
) -> dict[str, Finding]:
    names: dict[str, tuple[str, builders.Verdict]] = {
        "new_beats_pixels": (f"{NEW}_over_pixels", "more"),
        "new_beats_backbone": (f"{NEW}_over_backbone", "more"),
        "new_beats_old": (f"{NEW}_over_{OLD}", "more"),
        "old_loses_to_pixels": (f"{OLD}_over_pixels", "less"),
    }
    return {
        **{
            f"{finding}_on_{words}": found[key].finding(key, expected)
            for finding, (name, expected) in names.items()
            for part, words in (("folds", "folds"), (HELDOUT, "held_out"))
            if (key := f"{name}/{part}/auc") in found
        },
        "published_people_are_easy": builders.statement(
            "Raw pixels have a higher AUC on the tutorial's test people than on most groups of their number",
            metrics["pixels/easier_groups"].value > 0.5,
            "pixels/easier_groups",
        ),
        "old_is_stricter_than_asked": builders.statement(
            "On the folds, the tutorial's network accepts a smaller share of the pairs of two people than "
            "its threshold was fixed for, by an interval over people",
            (metrics[f"{OLD}/folds/strict_false_positive_rate"].high or 1.0) < tables.LIMITS["strict"],
            f"{OLD}/folds/strict_false_positive_rate",
        ),
        "errors_come_from_overlap": builders.statement(
            "On the folds, most of the errors of the tutorial's network and of the new one would remain at "
            "the best possible thresholds",
            all(1 - best > (1 - chosen) / 2 for best, chosen in _best_and_chosen(metrics)),
            *(f"{method}/folds/{key}" for method in (OLD, NEW) for key in BEST_AND_CHOSEN),
        ),
        "no_run_diverged": records.none_diverged(outcomes),
    }

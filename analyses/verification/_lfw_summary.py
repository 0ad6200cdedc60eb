"""What the outcomes of the study of Labeled Faces in the Wild say: metrics, comparisons and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import records
from analyses.plugin import Outcome, Summary
from analyses.verification import _evaluation as evaluation
from analyses.verification import _lfw_tables as tables
from analyses.verification import _verification as verification
from analyses.verification._lfw_runs import (
    IN_TEXT,
    LISTED,
    STAGES,
    chosen_rate,
    listed_pairs_of,
    pairs_of,
    runs_of,
    validation_auc,
)
from analyses.verification._lfw_settings import LfwParameters, Which
from analyses.verification._lfw_watched import watched_findings, watched_metrics
from lab.verification import Pairs
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric

#: One table, one family, on listed pairs and on every pair: name → which two stages.
COMPARED = {
    "gain": ("all", "before"),
    "last_gain": ("last", "before"),
    "layers": ("all", "last"),
    "flaws": ("flawed", "last"),
    "second_last_gain": ("second_last", "second_before"),
    "second_layers": ("second_all", "second_last"),
    "second_gain": ("second_all", "second_before"),
    "scratch_gain": ("scratch", "scratch_before"),
    "scratch_over_before": ("scratch", "before"),
}


def summary(parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    rates = {
        stage: chosen_rate(outcomes, stage, choice)
        for stage, choice in (("last", parameters.last_rates), ("all", parameters.all_rates))
    }
    runs = {stage: found for stage in STAGES if (found := runs_of(outcomes, stage, rates))}
    areas = {which: _areas(runs, which) for which in LISTED}
    compared = _compared(areas, runs)
    by_seed = _by_seed(runs, areas)
    whole = bool(records.runs_named(outcomes, "all"))  # else all layers as the search has them
    shorter = records.runs_named(outcomes, f"all/{rates['all']:g}")
    metrics = (
        _metrics(parameters, runs, areas)
        | evaluation.comparison_metrics(compared)
        | by_seed
        | watched_metrics(runs)
        | _validation_metrics(runs, shorter if whole else [])
        | {
            f"{stage}/rate": builders.metric(rate, f"Learning rate: {STAGES[stage]}")
            for stage, rate in rates.items()
        }
        | {
            f"all/{key}": builders.metric(value, f"{title} of training all layers", unit)
            for key, value, title, unit in (
                ("epochs", parameters.all_epochs if whole else parameters.search_epochs, "Epochs", "epochs"),
                ("pairs", parameters.all_pairs if whole else parameters.pairs, "Pairs per epoch", "pairs"),
            )
        }
    )
    return Summary(
        metrics=metrics,
        tables={
            "results": tables.results_table(metrics, runs),
            "comparisons": evaluation.comparison_table(
                compared,
                "Differences in the area under the ROC curve (AUC) between stages of training, on listed "
                "pairs and on every pair of the test people of Labeled Faces in the Wild (LFW).",
            ),
            **({"everyone": tables.by_seed_table(_in_words(by_seed), runs)} if by_seed else {}),
            "rates": tables.rates_table(parameters, outcomes),
            "epochs": tables.epochs_table(parameters, metrics, shorter if whole else []),
            "recipe": tables.recipe_table(parameters, rates, "all" if whole else "search", runs),
        },
        figures={
            "roc_listed": tables.listed_roc(runs),
            "roc": tables.everyone_roc(runs),
            "distances": tables.distance_chart(runs["all"][0]),
            "loss": tables.epochs_chart(runs),
        },
        findings=_findings(metrics, areas, compared, parameters, outcomes)
        | watched_findings(runs)
        | _side_by_side(metrics),
        note=verification.weights_note(outcomes),
    )


def _areas(runs: Mapping[str, Sequence[Outcome]], which: Which) -> dict[str, evaluation.Drawn]:
    """Mean AUC over seeds, and when people are drawn again, of the stages that know the latter."""
    import numpy as np

    if which == "pairs":
        return {stage: evaluation.aucs(listed_pairs_of(found)) for stage, found in runs.items()}
    return {
        stage: (
            float(np.mean([one["everyone"]["auc"] for one in found])),
            np.mean([one["everyone"]["resampled"] for one in found], axis=0),
        )
        for stage, found in runs.items()
        if all("resampled" in one["everyone"] for one in found)
    }


def _compared(
    areas: Mapping[Which, Mapping[str, evaluation.Drawn]], runs: Mapping[str, Sequence[Outcome]]
) -> dict[str, evaluation.Comparison]:
    people = runs["before"][0]["counts"]["test_people"]
    pairs = {
        f"{name}/{which}/auc": (found[first], found[second])
        for which, found in areas.items()
        for name, (first, second) in COMPARED.items()
        if first in found and second in found
    }
    words = {
        f"{name}/{which}/auc": evaluation.Compared(IN_TEXT[first], IN_TEXT[second], where=f"on {where}")
        for which, where in LISTED.items()
        for name, (first, second) in COMPARED.items()
    }
    return evaluation.compared(pairs, words, dict.fromkeys(pairs, people))


def _by_seed(
    runs: Mapping[str, Sequence[Outcome]], areas: Mapping[Which, Mapping[str, evaluation.Drawn]]
) -> dict[str, Metric]:
    """Differences on every pair over seeds, of stages that know no draws of people there; before training
    there is one value for all seeds.
    """
    from lab.evaluation import paired_over_seeds

    found = {}
    for name, (first, second) in COMPARED.items():
        if first not in runs or second not in runs or {first, second} <= set(areas["everyone"]):
            continue
        one, other = ([run["everyone"]["auc"] for run in runs[stage]] for stage in (first, second))
        other = other * len(one) if len(other) == 1 else other
        if len(one) == len(other) > 1:
            title = f"AUC on every pair, by seed: {IN_TEXT[first]}, less {IN_TEXT[second]}"
            difference = paired_over_seeds(one, other).difference
            found[f"{name}/everyone/auc"] = builders.metric(difference, title, FRACTION, over="seeds")
    return found


def _in_words(differences: Mapping[str, Metric]) -> list[tuple[str, str, Metric]]:
    """Each difference with the two stages that it is of."""
    stages = {name: COMPARED[name.partition("/")[0]] for name in differences}
    return [(IN_TEXT[stages[name][0]], IN_TEXT[stages[name][1]], one) for name, one in differences.items()]


def _metrics(
    parameters: LfwParameters,
    runs: Mapping[str, Sequence[Outcome]],
    areas: Mapping[Which, Mapping[str, evaluation.Drawn]],
) -> dict[str, Metric]:
    first = runs["before"][0]
    counts = (
        first["counts"] | runs.get("last", runs["before"])[0]["counts"]
    )  # of the same images; later cells count more
    metrics: dict[str, Metric] = {}
    for stage, found in runs.items():
        label = STAGES[stage]
        for which, words in LISTED.items():
            title = f"AUC on {words}: {label}"
            metrics[f"{stage}/{which}/auc"] = (
                evaluation.estimated(*areas[which][stage], title, counts["test_people"])
                if stage in areas[which]
                else records.over_seeds([one[which] for one in found], "auc", title)
            )
        metrics[f"{stage}/pairs/eer"] = builders.metric(
            evaluation.error_rate(listed_pairs_of(found)),
            f"Equal error rate on listed pairs: {label}",
            FRACTION,
        )
        metrics[f"{stage}/everyone/eer"] = records.over_seeds(
            [one["everyone"] for one in found], "eer", f"Equal error rate on every pair: {label}"
        )
        metrics[f"{stage}/seeds"] = builders.metric(len(found), f"Seeds: {label}")
    if "last" in runs:
        metrics["last/normaliser"] = builders.metric(
            runs["last"][0]["normaliser"], "Normaliser of the distance"
        )
    for key, stage in (("before", "before"), ("after", "all")):
        for which in LISTED:
            metrics[f"{which}/auc_{key}"] = metrics[f"{stage}/{which}/auc"]
    metrics |= _every_pair_metrics(first)
    return (
        metrics
        | builders.metrics(
            "data/",
            test_pairs=(len(first["distances"]), "Listed pairs tested on", "pairs"),
            test_same=(int(pairs_of(first).same.sum()), "Of these of the same person", "pairs"),
            most_same=(_most_pairs(pairs_of(first)), "Most of these of one person", "pairs"),
            listed=(counts["listed"], "Pairs listed", "pairs"),
            missing=(counts["missing"], "Listed pairs that lack an image here", "pairs"),
            train_images=(counts["train_images"], "Training images", "images"),
            train_people=(counts["train_people"], "Training people", "people"),
            validation_people=(counts["validation_people"], "Validation people", "people"),
            test_images=(counts["test_images"], "Test images", "images"),
            test_people=(counts["test_people"], "Test people", "people"),
            seeds=(parameters.seeds, "Seeds", ""),
        )
        | _same_share(counts)
    )


def _same_share(counts: Mapping[str, int]) -> dict[str, Metric]:
    """The share of training pairs that show one person. A fair coin asks for such a pair, and the first image
    must then be of a person with another. Without the count of these images, they are at most all but the
    fewest single images that so many people can have.
    """
    images, people = counts["train_images"], counts["train_people"]
    title = "Share of training pairs that show one person"
    if "train_repeated_images" in counts:
        share = counts["train_repeated_images"] / (2 * images)
        return {"data/train_same_share": builders.metric(share, title, FRACTION)}
    single = max(0, 2 * people - images)
    return builders.metrics(
        "data/",
        train_single_least=(single, "Training people with a single image, at least", "people"),
        train_same_most=((images - single) / (2 * images), f"{title}, at most", FRACTION),
    )


def _most_pairs(pairs: Pairs) -> int:
    """How many pairs of the same person the person has who has most of them."""
    import numpy as np

    return int(np.bincount(pairs.first[pairs.same]).max())


def _every_pair_metrics(outcome: Outcome) -> dict[str, Metric]:
    """What every pair of the test images is made of: a person with many of them has many pairs."""
    same, counts = sum(outcome["everyone"]["same"]), outcome["counts"]
    largest = counts["test_largest"]
    share = largest * (largest - 1) / 2 / same
    return builders.metrics(
        "everyone/",
        pairs=(outcome["everyone"]["pairs"], "Every pair of the test images", "pairs"),
        same=(same, "Of these of the same person", "pairs"),
        repeated=(counts["test_repeated"], "Test people with more than one image", "people"),
        largest=(largest, "Images of the test person with most of them", "images"),
        largest_share=(share, "Share of this person in the pairs of the same person", FRACTION),
    )


def _validation_metrics(
    runs: Mapping[str, Sequence[Outcome]], shorter: Sequence[Outcome]
) -> dict[str, Metric]:
    """On every pair of the validation people, by stage: the AUC, and the best threshold as a probability;
    shorter: the runs of all layers that chose their rate, where longer ones follow.
    """
    metrics = {}
    if shorter:
        metrics["all/shorter_auc"] = builders.metric(
            validation_auc(shorter), "AUC on every pair of the validation people: all layers, shorter"
        )
    for stage, found in runs.items():
        areas = [one["validation"] for one in found]
        metrics[f"{stage}/validation/auc"] = records.over_seeds(
            areas, "auc", f"AUC on every pair of the validation people: {STAGES[stage]}"
        )
    untrained = runs["last"][0]["normaliser"]  # it is of the network before training
    for stage in ("before", "last", "all"):
        chances = [
            {"p": one["validation"]["threshold"] / one.get("normaliser", untrained)}
            for one in runs.get(stage, ())
        ]
        if chances:
            metrics[f"{stage}/validation/threshold"] = records.over_seeds(
                chances,
                "p",
                "Probability of two people at the best threshold on validation people: " + STAGES[stage],
                "",
            )
    return metrics


def _findings(
    metrics: dict[str, Metric],
    areas: Mapping[Which, Mapping[str, evaluation.Drawn]],
    compared: Mapping[str, evaluation.Comparison],
    parameters: LfwParameters,
    outcomes: Mapping[str, Outcome],
) -> dict[str, Finding]:
    names: dict[str, tuple[str, builders.Verdict]] = {
        "training_helps": ("gain", "more"),
        "last_layer_helps": ("last_gain", "more"),
        "more_layers_help": ("layers", "more"),
        "flaws_hurt": ("flaws", "less"),
        "second_last_layer_helps": ("second_last_gain", "more"),
        "more_second_layers_help": ("second_layers", "more"),
        "second_training_helps": ("second_gain", "more"),
        "scratch_helps": ("scratch_gain", "more"),
        "scratch_is_behind": ("scratch_over_before", "less"),
    }
    return {
        "protocol_network": builders.statement(
            "The network is AlexNet or VGG-16, as by protocol",
            parameters.architecture in ("alexnet", "vgg16"),
        ),
        **{
            f"{finding}_{which}": compared[key].finding(key, expected)
            for finding, (name, expected) in names.items()
            for which in LISTED
            if (key := f"{name}/{which}/auc") in compared
        },
        **_published_findings(metrics, areas, parameters),
        **{
            f"{stage}_rate_is_at_an_edge": builders.statement(
                f"The learning rate chosen for {IN_TEXT[stage]} is the lowest or the highest of those tried",
                metrics[f"{stage}/rate"].value in (min(rates), max(rates)),
                f"{stage}/rate",
            )
            for stage, rates in (("last", parameters.last_rates), ("all", parameters.all_rates))
        },
        "loss_still_falls": builders.statement(
            "In the last tenth of its epochs, the training loss of the last layer is lower than in the tenth "
            "before, in every run",
            _still_falls([run["history"]["train_loss"] for run in _runs_of_last(outcomes, metrics)]),
        ),
        "no_run_diverged": records.none_diverged(outcomes),
    }


def _runs_of_last(outcomes: Mapping[str, Outcome], metrics: Mapping[str, Metric]) -> list[Outcome]:
    return runs_of(outcomes, "last", {"last": float(metrics["last/rate"].value)})


def _side_by_side(metrics: Mapping[str, Metric]) -> dict[str, Finding]:
    """How loss and AUC on validation people differ, where the loss was watched."""
    if not {"last/last_loss", "all/last_loss"} <= set(metrics):
        return {}
    value = {name: metric.value for name, metric in metrics.items()}
    areas = tuple(f"{stage}/validation/auc" for stage in ("before", "last", "all"))
    thresholds = tuple(f"{stage}/validation/threshold" for stage in ("before", "last", "all"))
    accuracies = ("last/first_accuracy", "last/last_accuracy")
    return {
        "loss_rises_with_auc": builders.statement(
            "On validation people, the AUC rises with each step of training, although the loss after all "
            "layers is no lower than after the last layer alone",
            value[areas[0]] < value[areas[1]] < value[areas[2]]
            and value["all/last_loss"] >= value["last/last_loss"],
            *areas,
            "last/last_loss",
            "all/last_loss",
        ),
        "probabilities_are_too_high": builders.statement(
            "Training moves the best threshold on validation people above a probability of one half, where "
            "the accuracy falls while the last layer is trained",
            min(value[name] for name in thresholds[1:]) > max(0.5, value[thresholds[0]])
            and value[accuracies[1]] < value[accuracies[0]],
            *thresholds,
            *accuracies,
        ),
    }


def _still_falls(losses: Sequence[Sequence[float]]) -> bool:
    """Whether each run's mean of the last tenth lies below that of the tenth before."""
    from statistics import mean

    tenth = max(1, len(losses[0]) // 10)
    ends = [(mean(one[-tenth:]), mean(one[-2 * tenth : -tenth])) for one in losses if len(one) >= 2 * tenth]
    return len(ends) == len(losses) and all(last < before for last, before in ends)


def _published_findings(
    metrics: Mapping[str, Metric],
    areas: Mapping[Which, Mapping[str, evaluation.Drawn]],
    parameters: LfwParameters,
) -> dict[str, Finding]:
    """Whether the AUC after training lies above what was published, over our people; the project gives no
    interval of its own. All are one family.
    """
    from lab.evaluation import holm, p_of_resamples

    asked = [
        (stage, network, which, value)
        for stage in ("all", "second_all")
        for network, values in parameters.published.items()
        for which, value in values.items()
        if stage in areas[which]
    ]
    adjusted = holm([p_of_resamples(areas[which][stage][1] - value) for stage, _, which, value in asked])
    names = {"alexnet": "AlexNet", "vgg16": "VGG-16"}
    above: dict[str, dict[str, bool]] = {}
    for (stage, network, which, value), p in zip(asked, adjusted, strict=True):
        higher = metrics[f"{stage}/{which}/auc"].value > value and p is not None and p < builders.SIGNIFICANT
        above.setdefault(stage, {})[f"{names.get(network, network)} on {LISTED[which]}"] = higher
    return {
        f"{stage}_above_published": builders.family(
            f"The AUC of {IN_TEXT[stage]} lies above published ones, by an interval over our test people, "
            "after Holm's correction",
            found,
            *(f"{stage}/{which}/auc" for which in LISTED),
            none=f"No AUC that the project reports after training lies significantly below that of "
            f"{IN_TEXT[stage]}.",
            one=f"Of the AUCs that the project reports after training, one lies significantly below that of "
            f"{IN_TEXT[stage]}: {{members}}.",
            many=f"The AUCs that the project reports after training for {{members}} lie significantly below "
            f"that of {IN_TEXT[stage]}.",
        )
        for stage, found in above.items()
    }

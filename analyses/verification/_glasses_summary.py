"""What the outcomes of the study of glasses say: metrics, comparisons and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from analyses import records
from analyses.plugin import Outcome, Summary
from analyses.verification import _evaluation as evaluation
from analyses.verification import _glasses_tables as tables
from analyses.verification import _verification as verification
from analyses.verification._evaluation import EvaluatedPairs
from analyses.verification._glasses_comparisons import (
    COMPARED,
    HARDER,
    IN_TEXT,
    compared,
    drawn_compared,
)
from analyses.verification._glasses_meglass import meglass_metrics, meglass_table
from analyses.verification._glasses_pairs import count_accepted, pairs_by_kind
from analyses.verification._glasses_settings import BARE, BASELINES, KINDS, ROWS, SPLITS, GlassesParameters
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric
from results.text import counted


def summary(parameters: GlassesParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    evaluated = {
        split: {method: evaluation.split_runs(outcomes, [split], method) for method in ROWS}
        for split in SPLITS
    }
    evaluated["heldout"] |= {
        method: evaluation.split_runs(outcomes, ["heldout"], method) for method in BASELINES
    }
    kinds = {split: pairs_by_kind(outcomes[f"{split}/mining/0"]["glasses"]) for split in SPLITS}
    people = evaluated["heldout"]["mining"].people
    areas = {method: evaluation.aucs(one) for method, one in evaluated["heldout"].items()}
    rates = {
        kind: {
            method: evaluation.drawn_rates(one, kinds["heldout"].get(kind))
            for method, one in evaluated["heldout"].items()
        }
        for kind in ("all", *KINDS)
    }
    found = compared(areas, rates, evaluated["heldout"], kinds["heldout"])
    drawn = drawn_compared(rates, people)
    metrics = _metrics(parameters, outcomes, evaluated, kinds, areas, rates)
    metrics |= evaluation.comparison_metrics(found) | evaluation.comparison_metrics(drawn)
    metrics |= _interval_ends(found) | _means_over_people(found)
    metrics |= _images_with_glasses(outcomes["heldout/mining/0"])
    metrics |= _heaviest(evaluated["heldout"], kinds["heldout"], outcomes["heldout/mining/0"]["people"])
    note = (
        f"Means over {counted(parameters.seeds, 'seeds')} of what is trained. Brackets: 95% bootstrap "
        f"intervals over {counted(people, 'people')} ({evaluation.RESAMPLES} resamples)."
    )
    numbers = _numbers_of_pairs(evaluated["heldout"]["mining"], kinds["heldout"])
    shown = {
        "networks": tables.networks_table(metrics, note),
        "kinds": tables.kinds_table(metrics, numbers, note),
        "comparisons": tables.comparisons_table(found),
        "harder": tables.harder_table(found, HARDER, numbers),
        "recipe": verification.crossed_table(parameters),
    }
    if parameters.meglass:
        runs = {method: records.runs_named(outcomes, f"heldout/{method}") for method in ROWS}
        metrics |= meglass_metrics(runs)
        shown["meglass"] = meglass_table(metrics, runs)
    return Summary(
        metrics=metrics,
        tables=shown,
        figures={"accepted": tables.accepted_chart(metrics, numbers), "drawn": tables.drawn_frames()},
        findings=_findings(found, outcomes)
        | {
            "drawing_changes_other_rates": _other_rates_finding(drawn),
            **_exact_findings(found),
            **_reasons(metrics),
            "published_pairs_are_few": _published_finding(metrics, outcomes),
            **_opposite_finding(metrics, found),
        },
        note=verification.weights_note(outcomes),
    )


def _images_with_glasses(outcome: Outcome) -> dict[str, Metric]:
    """How many images of a person show glasses, at least and at most."""
    worn: dict[str, list[bool]] = {}
    for person, glasses in zip(outcome["people"], outcome["glasses"], strict=True):
        worn.setdefault(person, []).append(bool(glasses))
    counts = [sum(of_person) for of_person in worn.values()]
    return builders.metrics(
        "data/",
        images_per_person=(len(outcome["people"]) / len(worn), "Images per person, mean", "images"),
        least_glasses=(min(counts), "Images with glasses of a person, fewest", "images"),
        most_glasses=(max(counts), "Images with glasses of a person, most", "images"),
    )


def trained_parameters(method: str, width: int, outcome: Outcome) -> int:
    """Of the parameters that were counted, those that the loss reaches: the contrastive loss leaves alone the
    directions of the people trained on, which the new network always has.
    """
    people = outcome["faces"]["people"] - len(set(outcome["people"]))
    return int(outcome["parameters"]) - (people * width if method == "new_contrastive" else 0)


def _activations(parameters: GlassesParameters, outcomes: Mapping[str, Outcome]) -> int:
    """From the parameters of the linear layer: a weight for each and a bias to an output."""
    trained = trained_parameters("new_contrastive", parameters.width, outcomes["heldout/new_contrastive/0"])
    return trained // parameters.width - 1


def _metrics(
    parameters: GlassesParameters,
    outcomes: Mapping[str, Outcome],
    evaluated: Mapping[str, Mapping[str, EvaluatedPairs]],
    kinds: Mapping[str, Mapping[str, Any]],
    areas: Mapping[str, evaluation.Drawn],
    rates: Mapping[str, Mapping[str, evaluation.DrawnRates]],
) -> dict[str, Metric]:
    people = evaluated["heldout"]
    metrics: dict[str, Metric] = {}
    for method, label in (BASELINES | ROWS).items():
        own = {kind: of_kind[method] for kind, of_kind in rates.items()}
        metrics |= _held_out_metrics(method, label, people[method], areas[method], own)
    for method, label in ROWS.items():
        metrics |= _training_metrics(method, label, parameters.width, outcomes)
        for split, words in SPLITS.items():
            ending = "" if split == "heldout" else f"/{split}"
            metrics[f"threshold/{method}{ending}"] = builders.metric(
                evaluated[split][method].threshold(), f"Threshold of the distance, {words} tested: {label}"
            )
        accepted, total = count_accepted(evaluated["published"][method], kinds["published"]["cross"])
        metrics[f"{method}/published_cross_accepted"] = builders.metric(
            sum(accepted) / len(accepted),
            f"Accepted mixed pairs of the tutorial's test people, mean over seeds: {label}",
        )
        metrics["published/cross_pairs"] = builders.metric(
            total, "Mixed pairs of the tutorial's test people", "pairs"
        )
    same = people["mining"].pairs[0][0].same
    others = [
        metrics[f"{method}/published_cross_accepted"].value for method in ROWS if method != "contrastive"
    ]
    return metrics | {
        "published/least_of_the_others": builders.metric(
            min(others), "Accepted mixed pairs of the tutorial's test people, least of the other networks"
        ),
        "new/activations": builders.metric(
            _activations(parameters, outcomes), "Activations of an image that the new network reads", "values"
        ),
        "data/cross_pairs": builders.metric(
            int((same & kinds["heldout"]["cross"]).sum()), "Mixed pairs of one person", "pairs"
        ),
        "data/people": builders.metric(people["mining"].people, "People with and without glasses", "people"),
        "data/least_exact_p": builders.metric(
            2 / 2 ** people["mining"].people, "Smallest possible p-value of an exact test over these people"
        ),
        "data/seeds": builders.metric(len(people["mining"].pairs[0]), "Seeds of every network"),
    }


MEASURES = {
    "true_positive": "True positive rate",
    "false_positive": "False positive rate",
    "accuracy": "Accuracy",
}
#: Of a kind of pair, the end of a metric's name.
SHORT = {"true_positive": "tpr", "false_positive": "fpr", "accuracy": "accuracy"}


def _held_out_metrics(
    method: str,
    label: str,
    evaluated: EvaluatedPairs,
    area: evaluation.Drawn,
    rates: Mapping[str, evaluation.DrawnRates],
) -> dict[str, Metric]:
    """Of one row of the tables, on the people with and without glasses; rates: by kind of pair, and "all"."""
    count = evaluated.people
    title = f"of people with and without glasses: {label}"
    metrics = {
        f"{method}/auc": evaluation.estimated(*area, f"AUC {title}", count),
        f"threshold/{method}": builders.metric(
            evaluated.threshold(), f"Threshold of the distance, {SPLITS['heldout']} tested: {label}"
        ),
    }
    for key, what in MEASURES.items():
        value, drawn = getattr(rates["all"], key)
        metrics[f"{method}/{key}"] = evaluation.estimated(value, drawn, f"{what} {title}", count)
        for kind, words in KINDS.items():
            value, drawn = getattr(rates[kind], key)
            metrics[f"{method}/{kind}_glasses_{SHORT[key]}"] = evaluation.estimated(
                value, drawn, f"{what} where {words} wear glasses: {label}", count
            )
    return metrics


def _training_metrics(
    method: str, label: str, width: int, outcomes: Mapping[str, Outcome]
) -> dict[str, Metric]:
    """Of a network: how large it is, and what it reaches on the people trained on and on those of them whom
    inner folds left out.
    """
    runs, inner = (records.runs_named(outcomes, f"heldout/{method}{part}") for part in ("", "_inner"))
    fractions = {
        "train_auc": ("AUC on the people trained on", [one["train_auc"] for one in runs]),
        "left_out_auc": ("AUC on training people that inner folds left out", [one["auc"] for one in inner]),
        "left_out_tpr": (
            "True positive rate on training people that inner folds left out",
            [one["true_positive"] for one in inner],
        ),
    }
    return {
        f"{method}/parameters": builders.metric(
            trained_parameters(method, width, runs[0]), f"Trained parameters: {label}", "parameters"
        )
    } | {
        f"{method}/{key}": builders.metric(fmean(values), f"{what}: {label}", FRACTION)
        for key, (what, values) in fractions.items()
    }


def _numbers_of_pairs(evaluated: EvaluatedPairs, kinds: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """By kind of pair, how many are of one person and how many of two."""
    same = evaluated.pairs[0][0].same
    return {
        kind: {"same": int((same & kinds[kind]).sum()), "different": int((~same & kinds[kind]).sum())}
        for kind in KINDS
    }


def _heaviest(
    evaluated: Mapping[str, EvaluatedPairs], kinds: Mapping[str, Any], names: Sequence[str]
) -> dict[str, Metric]:
    """Of the person with most pairs without glasses: how many these and the mixed ones are, and which share
    of them each network accepts.
    """
    import numpy as np

    pairs = evaluated["mining"].pairs[0][0]
    count = {
        kind: np.bincount(pairs.first[pairs.same & kinds[kind]], minlength=evaluated["mining"].people)
        for kind in ("none", "cross")
    }
    person = int(count["none"].argmax())
    name = sorted(set(names))[person]
    metrics = builders.metrics(
        "heaviest/",
        none_pairs=(int(count["none"][person]), f"Pairs of {name} without glasses", "pairs"),
        cross_pairs=(int(count["cross"][person]), f"Mixed pairs of {name}", "pairs"),
        all_none_pairs=(int(count["none"].sum()), "Pairs of one person without glasses", "pairs"),
    )
    for method, label in ROWS.items():
        shares = evaluation.own_accepted(evaluated[method], kinds["none"])
        title = f"True positive rate without glasses: {label}"
        metrics |= builders.metrics(
            f"heaviest/{method}_",
            none_tpr=(float(shares[person]), f"{title}, {name}", FRACTION),
            others_least=(float(np.delete(shares, person).min()), f"{title}, lowest of the others", FRACTION),
        )
    return metrics


def _opposite_finding(
    metrics: Mapping[str, Metric], found: Mapping[str, evaluation.Comparison]
) -> dict[str, Finding]:
    """Where pairs and people say opposite things of mixed pairs, because one hard person has most of the
    pairs without glasses.
    """
    opposite = [
        method
        for method in ROWS
        if (own := found[f"{HARDER}/{method}"].own) is not None
        and own * found[f"{HARDER}/{method}"].difference.value < 0
        and metrics[f"heaviest/{method}_none_tpr"].value < metrics[f"heaviest/{method}_others_least"].value
    ]
    if len(opposite) != 1:
        return {}
    (method,) = opposite
    person = metrics["heaviest/none_pairs"].title.removeprefix("Pairs of ").removesuffix(" without glasses")
    return {
        "weights_turn_the_sign": builders.statement(
            "For one network, the difference over pairs and the mean over people have opposite signs, and "
            "the person with most pairs without glasses has the lowest rate of acceptance",
            True,
            f"heaviest/{method}_none_tpr",
            f"heaviest/{method}_others_least",
            "heaviest/none_pairs",
            "heaviest/cross_pairs",
            "heaviest/all_none_pairs",
            "data/cross_pairs",
            yes=f"For {IN_TEXT[method]}, the difference over pairs and the mean over people have opposite "
            f"signs, because one person weighs more in one rate: {person} has {{heaviest/none_pairs}} of the "
            f"{{heaviest/all_none_pairs}} pairs without glasses, but {{heaviest/cross_pairs}} of the "
            f"{{data/cross_pairs}} mixed pairs. Of the former, only {{heaviest/{method}_none_tpr:percent}} "
            "are accepted, so that this person lowers the pooled rate without glasses more than that of the "
            "mixed pairs.",
            no="",
        )
    }


def _other_rates_finding(found: Mapping[str, evaluation.Comparison]) -> Finding:
    differences = counted(len(found), "differences")
    return builders.family(
        "Drawn glasses change another rate of the new network significantly",
        {
            f"in the {one.words.measure.name} {one.words.where}": one.verdict != "same"
            for one in found.values()
        },
        *found,
        none=f"None of these {differences} is significant after Holm's correction.",
        one=f"After Holm's correction for these {differences}, only that {{members}} is significant.",
        many=f"After Holm's correction for these {differences}, those {{members}} are significant.",
    )


def _exact_findings(found: Mapping[str, evaluation.Comparison]) -> dict[str, Finding]:
    """What exact tests over so few people can show, and which have a small p without correction."""
    exact = [one.exact for one in found.values() if one.exact is not None]
    if not exact:
        return {}
    people = found[f"{HARDER}/mining"].difference.n or 0
    told = {
        "the effect of drawn glasses on mixed pairs": "drawn_difference/cross_glasses_tpr",
        "the effect of drawn glasses on the AUC": "drawn_difference/auc",
        "the difference between mixed pairs and pairs without glasses in the tutorial's network": (
            f"{HARDER}/contrastive"
        ),
    }
    below = sum(p < builders.SIGNIFICANT for p in exact)
    without = f"Without correction, {below} of the {len(exact)} exact tests are significant"
    return {
        "exact_tests_are_weak": builders.statement(
            "Corrected for the comparisons of its tables, no exact test could be significant",
            2 / 2**people * len(exact) >= builders.SIGNIFICANT,
            "data/least_exact_p",
            yes="The smallest possible value is {data/least_exact_p:.3f}, so no comparison could remain "
            "significant after a correction for all of them.",
            no="The smallest possible value is {data/least_exact_p:.3g}.",
        ),
        "exact_tests_agree": builders.family(
            "Without correction, the exact test is significant",
            {words: (found[name].exact or 1.0) < builders.SIGNIFICANT for words, name in told.items()},
            *(f"{name}_exact_p" for name in told.values()),
            none="Even without correction, the exact test is significant neither for the effect of drawn "
            "glasses nor for the difference between mixed pairs and pairs without glasses in the "
            "tutorial's network.",
            one=f"{without}; one of them concerns {{members}}.",
            many=f"{without}; some of them concern {{members}}.",
        ),
    }


def _reasons(metrics: Mapping[str, Metric]) -> dict[str, Finding]:
    """What the results of the tutorial's network are explained by."""

    def lost(method: str) -> float:
        """Share of accepted pairs that one pair of glasses costs."""
        return metrics[f"{method}/none_glasses_tpr"].value - metrics[f"{method}/cross_glasses_tpr"].value

    def shares(*methods: str) -> tuple[str, ...]:
        return tuple(f"{method}/{kind}_glasses_tpr" for method in methods for kind in ("none", "cross"))

    old = metrics["contrastive/true_positive"].value
    return {
        "old_accepts_fewer_than_left_out": builders.statement(
            "The tutorial's network accepts a smaller share of the pairs of one person than among the "
            "training people who were left out",
            old < metrics["contrastive/left_out_tpr"].value,
            "contrastive/true_positive",
            "contrastive/left_out_tpr",
        ),
        "pixels_lose_less_than_old": builders.statement(
            "Glasses on one photograph cost raw pixels less of the accepted pairs than they cost the "
            "tutorial's network",
            lost("pixels") < lost("contrastive"),
            *shares("pixels", "contrastive"),
        ),
        "features_lose_more_than_pixels": builders.statement(
            "Glasses on one photograph cost the pretrained features more of the accepted pairs than they "
            "cost raw pixels",
            lost("backbone") > lost("pixels"),
            *shares("backbone", "pixels"),
        ),
    }


def _published_finding(metrics: Mapping[str, Metric], outcomes: Mapping[str, Outcome]) -> Finding:
    """Of how many of the tutorial's test people there are mixed pairs."""
    first = outcomes["published/mining/0"]
    worn: dict[str, set[bool]] = {}
    for person, glasses in zip(first["people"], first["glasses"], strict=True):
        worn.setdefault(person, set()).add(glasses)
    shown = sorted(person for person, kinds in worn.items() if len(kinds) > 1)
    who = f"one person, {shown[0]}" if len(shown) == 1 else counted(len(shown), "people")
    words = (
        f"All {{published/cross_pairs}} pairs show {who}, so this comparison has "
        f"{'no' if len(shown) == 1 else 'little'} statistical weight."
    )
    return builders.statement(
        "The mixed pairs of the tutorial's test people show a single person",
        len(shown) == 1,
        "published/cross_pairs",
        yes=words,
        no=words,
    )


def _interval_ends(found: Mapping[str, evaluation.Comparison]) -> dict[str, Metric]:
    """The ends of two intervals as metrics of their own, which are asked for by name."""
    metrics = {}
    for name in ("difference", "drawn_difference"):
        one = found[f"{name}/cross_glasses_tpr"].difference
        for end, value in (("low", one.low), ("high", one.high)):
            if value is not None:
                title = f"95% interval over people, {end}er end: {one.title}"
                metrics[f"{name}/ci_{end}"] = builders.metric(value, title, FRACTION)
    return metrics


def _means_over_people(found: Mapping[str, evaluation.Comparison]) -> dict[str, Metric]:
    """How much harder mixed pairs are where every person counts the same, not every pair."""
    return {
        f"{name}_own": builders.metric(one.own, f"Mean over people. {one.difference.title}", FRACTION)
        for name, one in found.items()
        if name.startswith(f"{HARDER}/") and one.own is not None
    }


def _findings(
    found: Mapping[str, evaluation.Comparison], outcomes: Mapping[str, Outcome]
) -> dict[str, Finding]:
    names: dict[str, tuple[str, builders.Verdict]] = {
        "new_accepts_more_across": ("difference/cross_glasses_tpr", "more"),
        "new_has_higher_auc": ("difference/auc", "more"),
        "drawing_helps": ("drawn_difference/auc", "more"),
        "drawing_helps_across": ("drawn_difference/cross_glasses_tpr", "more"),
        **{
            f"{name}_helps{words}": (f"{name}/{key}", "more")
            for name in COMPARED
            if name not in ("difference", "drawn_difference")
            for key, words in (("auc", ""), ("cross_glasses_tpr", "_across"))
        },
        "glasses_are_harder_for_the_old": (f"{HARDER}/contrastive", "less"),
        "glasses_are_harder_for_the_new": (f"{HARDER}/mining", "less"),
        "glasses_are_harder_without_drawing": (f"{HARDER}/{BARE}", "less"),
    }
    return {finding: found[name].finding(name, expected) for finding, (name, expected) in names.items()} | {
        "no_run_diverged": records.none_diverged(outcomes)
    }

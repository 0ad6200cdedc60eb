"""What the outcomes of the study of glasses say: metrics, comparisons and findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyses import records
from analyses.plugin import Outcome, Summary
from analyses.verification import _glasses_tables as tables
from analyses.verification import _judging as judging
from analyses.verification import _verification as verification
from analyses.verification._glasses_meglass import meglass_metrics, meglass_table
from analyses.verification._glasses_pairs import accepted_share, count_accepted, pairs_by_kind
from analyses.verification._glasses_settings import BARE, KINDS, ROWS, SPLITS, GlassesParameters
from analyses.verification._judging import Judged
from analyses.verification._verification import CROSSED
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric
from results.text import counted


def summary(parameters: GlassesParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    judged = {
        split: {method: judging.split_runs(outcomes, [split], method) for method in ROWS} for split in SPLITS
    }
    kinds = {split: pairs_by_kind(outcomes[f"{split}/mining/0"]["glasses"]) for split in SPLITS}
    people = judged["heldout"]["mining"].people
    areas = {method: judging.aucs(one) for method, one in judged["heldout"].items()}
    rates = {
        kind: {
            method: judging.accepted(one, [kinds["heldout"][kind]])
            for method, one in judged["heldout"].items()
        }
        for kind in KINDS
    }
    found = _compared(areas, rates, people)
    metrics = _metrics(judged, kinds, areas, rates) | judging.comparison_metrics(found)
    metrics |= _interval_ends(found)
    note = (
        f"Means over {counted(parameters.seeds, 'seeds')}; intervals are from {judging.RESAMPLES} bootstrap "
        "resamples of the people."
    )
    shown = {
        "networks": tables.networks_table(metrics, note),
        "kinds": tables.kinds_table(metrics, judged["heldout"]["mining"], kinds["heldout"], note),
        "comparisons": judging.comparison_table(
            found,
            "Differences between networks and losses, and between kinds of pairs. Mixed TPR: share of accepted "
            "mixed pairs. In the last rows, the first TPR is that of mixed pairs.",
        ),
        "published": tables.published_table(judged["published"], kinds["published"]),
        "recipe": verification.recipe_table(parameters, ("contrastive", *CROSSED, "mining")),
    }
    if parameters.meglass:
        runs = {method: records.runs_named(outcomes, f"heldout/{method}") for method in ROWS}
        metrics |= meglass_metrics(runs)
        shown["meglass"] = meglass_table(metrics, runs)
    return Summary(
        metrics=metrics,
        tables=shown,
        figures={"accepted": tables.accepted_chart(metrics)},
        findings=_findings(found, outcomes),
        note=verification.weights_note(outcomes),
    )


def _metrics(
    judged: Mapping[str, Mapping[str, Judged]],
    kinds: Mapping[str, Mapping[str, Any]],
    areas: Mapping[str, judging.Drawn],
    rates: Mapping[str, Mapping[str, judging.Drawn]],
) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    people = judged["heldout"]
    for method, label in ROWS.items():
        count = people[method].people
        metrics[f"{method}/auc"] = judging.estimated(
            *areas[method], f"AUC of people with both: {label}", count
        )
        for split, words in SPLITS.items():
            ending = "" if split == "heldout" else f"/{split}"
            metrics[f"threshold/{method}{ending}"] = builders.metric(
                judged[split][method].threshold(), f"Threshold of the distance, {words} tested: {label}"
            )
        whole = judging.rates_of(people[method])
        for key, what in (
            ("true_positive", "True positive rate"),
            ("false_positive", "False positive rate"),
            ("accuracy", "Accuracy"),
        ):
            metrics[f"{method}/{key}"] = builders.metric(
                whole[key], f"{what} of people with both: {label}", FRACTION
            )
        for kind, words in KINDS.items():
            metrics[f"{method}/{kind}_glasses_tpr"] = judging.estimated(
                *rates[kind][method], f"True positive rate where {words} wear glasses: {label}", count
            )
            metrics[f"{method}/{kind}_glasses_fpr"] = builders.metric(
                accepted_share(people[method], kinds["heldout"][kind], same=False),
                f"False positive rate where {words} wear glasses: {label}",
                FRACTION,
            )
        accepted, total = count_accepted(judged["published"][method], kinds["published"]["cross"])
        metrics[f"{method}/published_cross_accepted"] = builders.metric(
            sum(accepted) / len(accepted),
            f"Accepted mixed pairs of the published people, mean over seeds: {label}",
        )
        metrics["published/cross_pairs"] = builders.metric(
            total, "Mixed pairs of the published people", "pairs"
        )
    same = people["mining"].pairs[0][0].same
    return metrics | {
        "data/cross_pairs": builders.metric(
            int((same & kinds["heldout"]["cross"]).sum()), "Mixed pairs", "pairs"
        ),
        "data/people": builders.metric(people["mining"].people, "People with both", "people"),
        "data/seeds": builders.metric(len(people["mining"].pairs[0]), "Seeds of every network"),
    }


#: Name → of which two rows; the first two are the question, the others tell network and loss apart.
COMPARED = {
    "difference": ("mining", "contrastive"),
    "drawn_difference": ("mining", BARE),
    "loss_old": ("tutorial_mining", "contrastive"),
    "loss_new": ("mining", "new_contrastive"),
    "network_contrastive": ("new_contrastive", "contrastive"),
    "network_mining": ("mining", "tutorial_mining"),
}
HARDER = "harder"  # with glasses on one of two images than without any
CROSS = judging.Measure(
    "mixed TPR",
    more="{first} accepts significantly more mixed pairs than {second}",
    less="{first} accepts significantly fewer mixed pairs than {second}",
    same="on mixed pairs, the difference between the acceptance rates of {first} and {second}, {difference}, is "
    "not significant",
    rate=True,
)
KIND = judging.Measure(
    "TPR",
    more="{first} accepts a significantly larger share of mixed pairs than of pairs without glasses",
    less="{first} accepts a significantly smaller share of mixed pairs than of pairs without glasses",
    same="for {first}, the difference between the acceptance rates of mixed pairs and of pairs without glasses, "
    "{difference}, is not significant",
    rate=True,
)
IN_TEXT = verification.IN_TEXT | {BARE: "the new network trained on bare faces"}
#: The two of each comparison in words that can stand within one sentence.
SIDES = {
    "difference": (IN_TEXT["mining"], IN_TEXT["contrastive"]),
    "drawn_difference": ("the new network with drawn glasses", "the same network trained on bare faces"),
    "loss_old": (IN_TEXT["tutorial_mining"], "the same network with the contrastive loss"),
    "loss_new": ("the new network with mined pairs", "the same network with the contrastive loss"),
    "network_contrastive": (IN_TEXT["new_contrastive"], "the tutorial's network with the same loss"),
    "network_mining": ("the new network with mined pairs", "the tutorial's network with the same pairs"),
}
#: One table, one family.
WORDS = {
    f"{name}/{key}": judging.Compared(*SIDES[name], measure)
    for name in COMPARED
    for key, measure in (("auc", judging.AUC), ("cross_glasses_tpr", CROSS))
} | {
    f"{HARDER}/{method}": judging.Compared(IN_TEXT[method], "the same, pairs without glasses", KIND) for method in ROWS
}


def _compared(
    areas: Mapping[str, judging.Drawn],
    rates: Mapping[str, Mapping[str, judging.Drawn]],
    people: int,
) -> dict[str, judging.Comparison]:
    """All comparisons of the table: AUC, and accepted pairs across glasses."""
    values = {"auc": areas, "cross_glasses_tpr": rates["cross"]}
    pairs = {
        f"{name}/{key}": (found[first], found[second])
        for name, (first, second) in COMPARED.items()
        for key, found in values.items()
    } | {f"{HARDER}/{method}": (rates["cross"][method], rates["none"][method]) for method in ROWS}
    return judging.compared(pairs, WORDS, dict.fromkeys(pairs, people))


def _interval_ends(found: Mapping[str, judging.Comparison]) -> dict[str, Metric]:
    """The ends of two intervals as metrics of their own, which are asked for by name."""
    metrics = {}
    for name in ("difference", "drawn_difference"):
        one = found[f"{name}/cross_glasses_tpr"].difference
        for end, value in (("low", one.low), ("high", one.high)):
            if value is not None:
                title = f"95% interval over people, {end}er end: {one.title}"
                metrics[f"{name}/ci_{end}"] = builders.metric(value, title, FRACTION)
    return metrics


def _findings(found: Mapping[str, judging.Comparison], outcomes: Mapping[str, Outcome]) -> dict[str, Finding]:
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

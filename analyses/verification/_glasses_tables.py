"""Tables and figures of the study of glasses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyses.verification._glasses_pairs import count_accepted
from analyses.verification._glasses_settings import KINDS, ROWS
from analyses.verification._judging import Judged
from results import builders
from results.schema import Chart, Metric, Table


def networks_table(metrics: Mapping[str, Metric], note: str) -> Table:
    return builders.table(
        "AUC of two networks, each with two losses, on held-out people with and without glasses, and rates at "
        "a threshold chosen on held-out training people. Mixed TPR: share of accepted mixed pairs.",
        {
            "method": builders.text("Network"),
            "auc": builders.number("AUC", ".3f"),
            "threshold": builders.number("Threshold", ".3f"),
            "true_positive": builders.percent("TPR"),
            "false_positive": builders.percent("FPR"),
            "accuracy": builders.percent("Accuracy"),
            "cross_glasses_tpr": builders.percent("Mixed TPR"),
        },
        [
            {
                "method": label,
                "threshold": metrics[f"threshold/{method}"].value,
                "auc": metrics[f"{method}/auc"],
                "cross_glasses_tpr": metrics[f"{method}/cross_glasses_tpr"],
                **{
                    key: metrics[f"{method}/{key}"].value
                    for key in ("true_positive", "false_positive", "accuracy")
                },
            }
            for method, label in ROWS.items()
        ],
        notes=(note,),
    )


def kinds_table(metrics: Mapping[str, Metric], judged: Judged, kinds: Mapping[str, Any], note: str) -> Table:
    """judged: of any network; all have the same pairs."""
    same = judged.pairs[0][0].same
    rows = []
    for method, label in ROWS.items():
        for kind, words in KINDS.items():
            tpr, fpr = (metrics[f"{method}/{kind}_glasses_{rate}"] for rate in ("tpr", "fpr"))
            positives, negatives = int((same & kinds[kind]).sum()), int((~same & kinds[kind]).sum())
            right = tpr.value * positives + (1 - fpr.value) * negatives
            rows.append(
                {
                    "method": label,
                    "kind": words,
                    "same": positives,
                    "different": negatives,
                    "tpr": tpr,
                    "fpr": fpr.value,
                    "accuracy": right / (positives + negatives),
                }
            )
    return builders.table(
        "Rates by who wears glasses, on pairs of held-out people with and without glasses, at the thresholds "
        "chosen on held-out training people.",
        {
            "method": builders.text("Network"),
            "kind": builders.text("Glasses"),
            "same": builders.integer("Same", "pairs"),
            "different": builders.integer("Different", "pairs"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "accuracy": builders.percent("Accuracy"),
        },
        rows,
        notes=(note,),
    )


def published_table(judged: Mapping[str, Judged], kinds: Mapping[str, Any]) -> Table:
    rows = []
    for method, label in ROWS.items():
        accepted, total = count_accepted(judged[method], kinds["cross"])
        rows.append(
            {
                "method": label,
                "seeds": ", ".join(map(str, accepted)),
                "mean": sum(accepted) / len(accepted),
                "pairs": total,
            }
        )
    return builders.table(
        "Mixed pairs of the tutorial's test people that are accepted.",
        {
            "method": builders.text("Network"),
            "seeds": builders.text("Accepted, by seed"),
            "mean": builders.number("Mean", ".1f"),
            "pairs": builders.integer("Of", "pairs"),
        },
        rows,
    )


def accepted_chart(metrics: Mapping[str, Metric]) -> Chart:
    return builders.bars(
        "Share of the pairs of one person that are accepted, by which of the two images show glasses.",
        {
            label: {words: metrics[f"{method}/{kind}_glasses_tpr"] for kind, words in KINDS.items()}
            for method, label in ROWS.items()
        },
        builders.percent("True positive rate"),
        x="Glasses",
    )

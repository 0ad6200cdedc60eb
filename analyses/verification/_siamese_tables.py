"""Tables and figures of the study of Siamese networks."""

from __future__ import annotations

from collections.abc import Mapping

from analyses.verification import _charts as charts
from analyses.verification import _evaluation as evaluation
from analyses.verification import _verification as verification
from analyses.verification._evaluation import EvaluatedPairs
from analyses.verification._siamese_settings import HELDOUT, NEW, PARTS, PUBLISHED
from analyses.verification._verification import METHODS
from results import builders
from results.schema import Chart, Metric, Reference, Table
from results.text import counted

GRID = tuple(index / 50 for index in range(51))  # false positive rates at which a ROC is drawn


def results_table(metrics: Mapping[str, Metric], note: str) -> Table:
    return builders.table(
        "Verification of people whom no network was trained on: area under the ROC curve (AUC) of each "
        "distance on the tutorial's test people, on people with and without glasses, and on the folds of a "
        "cross-validation over people, and equal error rate (EER) on the folds.",
        {
            "method": builders.text("Distance"),
            PUBLISHED: builders.number("Tutorial's people", ".3f"),
            HELDOUT: builders.number("With, without glasses", ".3f"),
            "folds": builders.number("Folds", ".3f"),
            "eer": builders.percent("EER, folds"),
        },
        [
            {
                "method": label,
                **{part: metrics[f"{method}/{part}/auc"] for part in PARTS},
                "eer": metrics[f"{method}/folds/eer"].value,
            }
            for method, label in METHODS.items()
        ],
        notes=(note,),
    )


def thresholds_table(metrics: Mapping[str, Metric], seeds: str) -> Table:
    rows = []
    for part, words in PARTS.items():
        if part == HELDOUT:  # they are in verification.glasses
            continue
        for method, label in METHODS.items():
            own = f"{method}/{part}"
            chosen_on = metrics.get(f"{own}/left_out_auc", metrics[f"{own}/train_auc"])
            rows.append(
                {
                    "part": words.removeprefix("the ").capitalize(),
                    "method": label,
                    "people": metrics[f"{own}/left_out_people"].value,
                    "auc": chosen_on.value,
                    "threshold": metrics[f"threshold/{own}"].value,
                    "tpr": metrics[f"{own}/true_positive_rate"].value,
                    "fpr": metrics[f"{own}/false_positive_rate"].value,
                    "balanced": metrics[f"{own}/balanced_accuracy"].value,
                    "possible": metrics[f"{own}/best_balanced_accuracy"].value,
                }
            )
    return builders.table(
        "The threshold of each distance, chosen by balanced accuracy on training people whom the network had "
        "not seen, and on the people tested its true and false positive rates (TPR, FPR), the shares of the "
        "pairs of one person and of two people that are accepted.",
        {
            "part": builders.text("Tested"),
            "method": builders.text("Distance"),
            "people": builders.integer("Chosen on", "people"),
            "auc": builders.number("AUC there", ".3f"),
            "threshold": builders.number("Threshold", ".3f"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "balanced": builders.percent("Balanced"),
            "possible": builders.percent("Best possible"),
        },
        rows,
        notes=(
            "A pair below the threshold is accepted. Balanced: mean of true positive and true negative rate; "
            "best possible: with the best threshold for the tested people themselves. Every fold has its "
            f"own threshold. {seeds}",
        ),
    )


def rates_table(evaluated: Mapping[str, EvaluatedPairs], note: str) -> Table:
    rows = []
    for threshold in (f"{rate:g}" for rate in verification.RATES):
        for method, label in METHODS.items():
            found = evaluation.rates_of(evaluated[method], threshold)
            rows.append(
                {
                    "chosen": f"{float(threshold):.0%}",
                    "method": label,
                    "threshold": evaluated[method].threshold(threshold),
                    "tpr": found["true_positive"],
                    "fpr": found["false_positive"],
                    "accuracy": found["accuracy"],
                }
            )
    return builders.table(
        "Rates on the folds of a cross-validation over people, at thresholds that give a false positive rate "
        "(FPR) of 1% or 10% on training people whom inner folds left out. TPR, FPR: shares of the pairs of "
        "one person and of two people that are accepted.",
        {
            "chosen": builders.text("Chosen for FPR"),
            "method": builders.text("Distance"),
            "threshold": builders.number("Threshold", ".3f"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "accuracy": builders.percent("Accuracy"),
        },
        rows,
        notes=(note,),
    )


def roc_chart(evaluated: Mapping[str, EvaluatedPairs]) -> Chart:
    """With the band of the new network alone: those of all would cover each other."""
    curves = {method: charts.roc_curve(evaluated[method], GRID) for method in METHODS}
    rates = {
        label: curves[method] if method == NEW else builders.Rates(GRID, curves[method].true_positive)
        for method, label in METHODS.items()
    }
    return builders.roc(
        "ROC of four distances between photographs of people whom no network was trained on, in a "
        "cross-validation over people: true positive rates, averaged over the folds at each false positive "
        "rate. The band, of the new network, is a 95% bootstrap interval over "
        f"{counted(evaluated[NEW].people, 'people')}.",
        rates,
    )


def distance_chart(evaluated: EvaluatedPairs, threshold: float) -> Chart:
    import numpy as np

    pairs = [one for runs in evaluated.pairs for one in runs]
    distances = np.concatenate([one.distances for one in pairs])
    same = np.concatenate([one.same for one in pairs])
    edges = np.linspace(0, float(distances.max()) or 1.0, 31)
    chart = charts.distance_chart(
        "Distances between photographs in the new network, for pairs of one person and pairs of different "
        "people, whom it was not trained on (folds of a cross-validation): shares of each kind. The vertical "
        "line is the mean of the folds' thresholds.",
        {
            kind: np.histogram(distances[chosen], edges)[0].tolist()
            for kind, chosen in (("same", same), ("different", ~same))
        },
        ((edges[1:] + edges[:-1]) / 2).tolist(),
        decimals=2,
    )
    threshold_line = Reference(axis="x", value=threshold, label="threshold")
    return chart.model_copy(update={"references": (threshold_line,)})

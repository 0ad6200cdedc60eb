"""Tables and figures of the study of Siamese networks."""

from __future__ import annotations

from collections.abc import Mapping

from analyses.verification import _charts as charts
from analyses.verification import _verification as verification
from analyses.verification._evaluation import EvaluatedPairs
from analyses.verification._siamese_settings import HELDOUT, NEW, PARTS, PUBLISHED
from analyses.verification._verification import METHODS
from results import builders
from results.schema import Chart, Metric, Reference, Table
from results.text import counted

GRID = tuple(index / 50 for index in range(51))  # false positive rates at which a ROC is drawn
#: False positive rates at which a threshold is fixed also, by the names of their metrics.
LIMITS = dict(zip(("strict", "lenient"), verification.RATES, strict=True))


def results_table(metrics: Mapping[str, Metric], note: str) -> Table:
    return builders.table(
        "Area under the ROC curve (AUC) of each distance on people of the AT&T faces who are not in the "
        "training set, and equal error rate (EER) on the folds.",
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


def thresholds_table(metrics: Mapping[str, Metric], note: str) -> Table:
    rows = []
    for part, words in PARTS.items():
        if part == HELDOUT:  # they are in verification.glasses
            continue
        for method, label in METHODS.items():
            own = f"{method}/{part}"
            chosen_on = metrics.get(f"{own}/left_out_auc", metrics[f"{own}/train_auc"])
            rows.append(
                {
                    "part": words.removeprefix("the ").removesuffix(" test people").capitalize(),
                    "method": label,
                    "people": metrics[f"{own}/left_out_people"].value,
                    "auc": chosen_on.value,
                    "threshold": metrics[f"threshold/{own}"].value,
                    "tpr": metrics[f"{own}/true_positive_rate"],
                    "fpr": metrics[f"{own}/false_positive_rate"],
                    "balanced": metrics[f"{own}/balanced_accuracy"],
                    "possible": metrics[f"{own}/best_balanced_accuracy"].value,
                }
            )
    return builders.table(
        "The threshold of each distance on the AT&T faces: the number of training people on whom it was "
        "chosen, and the AUC on them, each left out of the training of the network that gave the distances; "
        "and on the people tested, its true and false positive rates (TPR, FPR), the shares of the pairs of "
        "one person and of two people that are accepted.",
        {
            "part": builders.text("People tested"),
            "method": builders.text("Distance"),
            "people": builders.integer("Chosen on", "people"),
            "auc": builders.number("AUC there", ".3f"),
            "threshold": builders.number("Threshold", ".3f"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "balanced": builders.percent("Balanced"),
            "possible": builders.percent("Best balanced"),
        },
        rows,
        notes=(
            "A pair below the threshold is accepted. Balanced: balanced accuracy, the mean of true positive "
            "and true negative rate, by which the threshold is chosen; best balanced: at the best "
            f"threshold for the tested people themselves. Every fold has its own threshold. {note}",
        ),
    )


def rates_table(metrics: Mapping[str, Metric], evaluated: Mapping[str, EvaluatedPairs], note: str) -> Table:
    """At fixed false positive rates; those at the best balanced accuracy are in the table of thresholds."""
    rows = [
        {
            "chosen": f"{rate:.0%}",
            "method": label,
            "threshold": evaluated[method].threshold(f"{rate:g}"),
            "tpr": metrics[f"{method}/folds/{name}_true_positive_rate"],
            "fpr": metrics[f"{method}/folds/{name}_false_positive_rate"],
        }
        for name, rate in LIMITS.items()
        for method, label in METHODS.items()
    ]
    return builders.table(
        "True and false positive rates (TPR, FPR) on the folds of the AT&T faces, the shares of the pairs of "
        "one person and of two people that are accepted, at thresholds that give an FPR of "
        f"{' or '.join(f'{rate:.0%}' for rate in LIMITS.values())} on training people whom inner folds left "
        "out.",
        {
            "chosen": builders.text("FPR aimed at"),
            "method": builders.text("Distance"),
            "threshold": builders.number("Threshold", ".3f"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
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
        "Receiver operating characteristic (ROC) curves of four distances on the folds of the AT&T faces: "
        "the share of the pairs of one person that are accepted against that of the pairs of two people, as "
        "the threshold rises. Lines are means over folds and seeds at each false positive rate; the band, of "
        f"the new network, is a 95% bootstrap interval over {counted(evaluated[NEW].people, 'people')}.",
        rates,
    )


def distance_chart(evaluated: EvaluatedPairs, threshold: float) -> Chart:
    import numpy as np

    pairs = [one for runs in evaluated.pairs for one in runs]
    distances = np.concatenate([one.distances for one in pairs])
    same = np.concatenate([one.same for one in pairs])
    edges = np.linspace(0, float(distances.max()) or 1.0, 31)
    seeds = len(evaluated.pairs[0])
    numbers = [f"{int(chosen.sum()) // seeds:,}" for chosen in (same, ~same)]
    chart = charts.distance_chart(
        "Distances of the new network with mined pairs on the folds of the AT&T faces, of pairs of one "
        f"person ({numbers[0]}) and of different people ({numbers[1]}), over "
        f"{counted(seeds, 'seeds')}: shares of each kind in bins of width {edges[1]:.3f}. The line is the "
        "mean of the folds' thresholds; pairs to its left are accepted.",
        {
            kind: np.histogram(distances[chosen], edges)[0].tolist()
            for kind, chosen in (("same", same), ("different", ~same))
        },
        ((edges[1:] + edges[:-1]) / 2).tolist(),
        decimals=2,
    )
    threshold_line = Reference(axis="x", value=threshold, label="threshold")
    return chart.model_copy(update={"references": (threshold_line,)})

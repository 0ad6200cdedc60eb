"""Tables and figures of the study of Siamese networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from analyses.plugin import Outcome
from analyses.verification import _judging as judging
from analyses.verification import _verification as verification
from analyses.verification._judging import Judged
from analyses.verification._siamese_settings import HELDOUT, NEW, PARTS, PUBLISHED
from analyses.verification._verification import METHODS
from results import builders
from results.schema import Chart, Metric, Reference, Table
from results.text import counted

GRID = tuple(index / 50 for index in range(51))  # false positive rates at which a ROC is drawn
HARDEST = 5


def results_table(metrics: Mapping[str, Metric], note: str) -> Table:
    return builders.table(
        "AUC on people that were not trained on, and equal error rate on the folds.",
        {
            "method": builders.text("Distance"),
            PUBLISHED: builders.number("Published", ".3f"),
            HELDOUT: builders.number("Held out", ".3f"),
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
        "The threshold of each distance, with the best balanced accuracy on training people that the network "
        "had not seen, and what it gives on the people tested.",
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
            "A pair is called the same below the threshold. Balanced: mean of true positive and true "
            "negative rate; best possible: with the threshold that the tested people themselves would have "
            f"chosen. Every fold has its own threshold. {seeds}",
        ),
    )


def rates_table(judged: Mapping[str, Judged], note: str) -> Table:
    rows = []
    for threshold in ("balanced", *(f"{rate:g}" for rate in verification.RATES)):
        for method, label in METHODS.items():
            found = judging.rates_of(judged[method], threshold)
            rows.append(
                {
                    "chosen": "balanced accuracy"
                    if threshold == "balanced"
                    else f"FPR {float(threshold):.0%}",
                    "method": label,
                    "threshold": judged[method].threshold(threshold),
                    "tpr": found["true_positive"],
                    "fpr": found["false_positive"],
                    "accuracy": found["accuracy"],
                }
            )
    return builders.table(
        "Rates on the folds at thresholds fixed on training people whom inner folds left out: by the best "
        "balanced accuracy, or by a false positive rate.",
        {
            "chosen": builders.text("Fixed by"),
            "method": builders.text("Distance"),
            "threshold": builders.number("Threshold", ".3f"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "accuracy": builders.percent("Accuracy"),
        },
        rows,
        notes=(note,),
    )


def _pairs_table(caption: str, outcome: Outcome, chosen: Sequence[tuple[int, int]], called: float) -> Table:
    """Some pairs of the tested images; called: the threshold that calls them same or different."""
    from lab.verification import every

    ends = zip(*every(len(outcome["files"])), strict=True)
    distance = {(int(a), int(b)): d for (a, b), d in zip(ends, outcome["distances"], strict=True)}
    rows = []
    for first, second in chosen:
        same = outcome["people"][first] == outcome["people"][second]
        rows.append(
            {
                "people": "same" if same else "different",
                "first": outcome["files"][first],
                "second": outcome["files"][second],
                "distance": distance[first, second],
                "called": "same" if distance[first, second] < called else "different",
            }
        )
    return builders.table(
        caption,
        {
            "people": builders.text("People"),
            "first": builders.text("First image"),
            "second": builders.text("Second image"),
            "distance": builders.number("Distance", ".3f"),
            "called": builders.text("Called"),
        },
        rows,
    )


def examples_table(outcome: Outcome, threshold: float) -> Table:
    """Of the first three people: two images of each, and an image of each two."""
    people = list(dict.fromkeys(outcome["people"]))[:3]
    own = [[at for at, name in enumerate(outcome["people"]) if name == person] for person in people]
    same = [(images[0], images[1]) for images in own]
    different = [(a[0], b[0]) for a, b in combinations(own, 2)]
    return _pairs_table(
        "Pairs of the published people and their distances in the tutorial's network (first seed), and what "
        f"its threshold of {threshold:.3f} calls them.",
        *(outcome, [*same, *different], threshold),
    )


def hardest_table(outcome: Outcome, threshold: float) -> Table:
    """The same pairs that lie furthest apart, and the different ones that lie closest."""
    import numpy as np

    from lab.verification import every

    first, second = every(len(outcome["files"]))
    distances, people = np.array(outcome["distances"]), np.array(outcome["people"])
    same = people[first] == people[second]
    chosen = []
    for kind, sign in ((same, -1), (~same, 1)):
        where = np.flatnonzero(kind)
        hardest = where[np.argsort(sign * distances[where], kind="stable")][:HARDEST]
        chosen += [(int(first[at]), int(second[at])) for at in hardest]
    return _pairs_table(
        "The hardest pairs of the people held out, by the new network (first seed): one person furthest "
        f"apart, and different people closest; its threshold is {threshold:.3f}.",
        *(outcome, chosen, threshold),
    )


def roc_chart(judged: Mapping[str, Judged]) -> Chart:
    return builders.roc(
        "ROC on the folds, true positive rates averaged at each false positive rate.",
        {label: judging.roc_curve(judged[method], GRID) for method, label in METHODS.items()},
        bands=f"95% intervals over {counted(judged[NEW].people, 'people')}",
    )


def distance_chart(judged: Judged, threshold: float) -> Chart:
    import numpy as np

    pairs = [one for runs in judged.pairs for one in runs]
    distances = np.concatenate([one.distances for one in pairs])
    same = np.concatenate([one.same for one in pairs])
    edges = np.linspace(0, float(distances.max()) or 1.0, 31)
    chart = judging.distance_chart(
        "Distances of the new network on the folds, of pairs of one person and of different people: "
        "shares of each kind. The line is the mean of the folds' thresholds.",
        {
            kind: np.histogram(distances[chosen], edges)[0].tolist()
            for kind, chosen in (("same", same), ("different", ~same))
        },
        ((edges[1:] + edges[:-1]) / 2).tolist(),
        decimals=2,
    )
    threshold_line = Reference(axis="x", value=threshold, label="threshold")
    return chart.model_copy(update={"references": (threshold_line,)})

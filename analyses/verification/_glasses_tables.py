"""Tables and figures of the study of glasses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyses import comparing
from analyses.pictures import png
from analyses.verification import _evaluation as evaluation
from analyses.verification._evaluation import EvaluatedPairs
from analyses.verification._glasses_settings import BASELINES, KINDS, ROWS
from results import builders
from results.schema import Chart, Metric, Picture, Pictures, Table


def networks_table(metrics: Mapping[str, Metric], note: str) -> Table:
    return builders.table(
        "Two distances without training on faces, and two networks, each with two losses, on held-out people "
        "with and without glasses: trained parameters; AUC; the threshold chosen on training people whom an "
        "inner fold left out, with true and false positive rate (TPR, FPR) and accuracy over all pairs; and "
        "the share of accepted mixed pairs of one person (mixed TPR).",
        {
            "method": builders.text("Distance"),
            "parameters": builders.integer("Trained parameters"),
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
                "parameters": metrics[f"{method}/parameters"].value if method in ROWS else 0,
                "threshold": metrics[f"threshold/{method}"].value,
                "auc": metrics[f"{method}/auc"],
                "cross_glasses_tpr": metrics[f"{method}/cross_glasses_tpr"],
                **{
                    key: metrics[f"{method}/{key}"].value
                    for key in ("true_positive", "false_positive", "accuracy")
                },
            }
            for method, label in (BASELINES | ROWS).items()
        ],
        notes=(note,),
    )


def kinds_table(
    metrics: Mapping[str, Metric], evaluated: EvaluatedPairs, kinds: Mapping[str, Any], note: str
) -> Table:
    """evaluated: of any network; all have the same pairs."""
    same = evaluated.pairs[0][0].same
    rows = []
    for method, label in (BASELINES | ROWS).items():
        for kind, words in KINDS.items():
            tpr, fpr = (metrics[f"{method}/{kind}_glasses_{rate}"] for rate in ("tpr", "fpr"))
            positives, negatives = int((same & kinds[kind]).sum()), int((~same & kinds[kind]).sum())
            right = tpr.value * positives + (1 - fpr.value) * negatives
            rows.append(
                {
                    "method": label,
                    "kind": "mixed" if kind == "cross" else words,
                    "same": positives,
                    "different": negatives,
                    "tpr": tpr,
                    "fpr": fpr.value,
                    "accuracy": right / (positives + negatives),
                }
            )
    return builders.table(
        "Pairs of held-out people with and without glasses, by how many of the two photographs show glasses "
        "(mixed: one of them): numbers of pairs of one person and of two people, and at the threshold of "
        "each distance, the shares of both that are accepted (TPR and FPR) and the accuracy.",
        {
            "method": builders.text("Distance"),
            "kind": builders.text("Glasses"),
            "same": builders.integer("One person", "pairs"),
            "different": builders.integer("Two people", "pairs"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "accuracy": builders.percent("Accuracy"),
        },
        rows,
        notes=(note,),
    )


#: The comparisons of networks and losses, first less second, in the words of a narrow column.
COMPARED_WORDS = {
    "difference": "New − tutorial's network, each with its own loss",
    "drawn_difference": "Drawn − no glasses, new network",
    "loss_old": "Mined − contrastive, tutorial's network",
    "loss_new": "Mined − contrastive, new network",
    "network_contrastive": "New − tutorial's network, contrastive loss",
    "network_mining": "New − tutorial's network, mined pairs",
}


def comparisons_table(found: Mapping[str, evaluation.Comparison]) -> Table:
    """Networks and losses: a row for each two, with both measures."""
    rows = []
    for name, words in COMPARED_WORDS.items():
        auc, mixed = (found[f"{name}/{key}"] for key in ("auc", "cross_glasses_tpr"))
        rows.append(
            {
                "compared": words,
                "auc": auc.difference,
                "auc_p": auc.p,
                "mixed": mixed.difference,
                "mixed_p": mixed.p,
            }
            | evaluation.exact_cell("auc_exact", auc)
            | evaluation.exact_cell("mixed_exact", mixed)
        )
    return builders.table(
        "Differences between networks and losses on held-out people with and without glasses: in AUC, and in "
        "the share of accepted mixed pairs of one person (mixed TPR, percentage points).",
        {
            "compared": builders.text("Compared"),
            "auc": builders.number("AUC", "+.3f"),
            "auc_p": builders.number("p", ".3f"),
            "auc_exact": evaluation.EXACT_COLUMN,
            "mixed": comparing.change("Mixed TPR"),
            "mixed_p": builders.number("p", ".3f"),
            "mixed_exact": evaluation.EXACT_COLUMN,
        },
        rows,
        notes=(
            evaluation.family_note(found, "this table and of that of mixed pairs less pairs without glasses"),
        ),
    )


def harder_table(found: Mapping[str, evaluation.Comparison], prefix: str, numbers: str) -> Table:
    """Each network on mixed pairs, against pairs without glasses."""
    return builders.table(
        "Effect of glasses on one photograph of a pair: share of accepted pairs among mixed pairs (one with "
        "glasses, one without) less that among pairs without glasses, in percentage points, by network. The "
        f"two photographs of a pair show the same person, who was not in the training set. {numbers}",
        {
            "method": builders.text("Network"),
            "difference": comparing.change("Difference"),
            "p": builders.number("p", ".3f"),
            "own": comparing.change("Mean over people"),
            "exact": evaluation.EXACT_COLUMN,
        },
        [
            {
                "method": label,
                "difference": found[f"{prefix}/{method}"].difference,
                "p": found[f"{prefix}/{method}"].p,
                **({} if (own := found[f"{prefix}/{method}"].own) is None else {"own": own}),
                **evaluation.exact_cell("exact", found[f"{prefix}/{method}"]),
            }
            for method, label in ROWS.items()
        ],
        notes=(
            f"p-values are adjusted by Holm's method for all {len(found)} comparisons of networks, losses "
            "and kinds of pair; intervals are not. Exact p-values, not adjusted, come from a sign-flip test "
            "of the mean over people, which weights every person equally.",
        ),
    )


def accepted_chart(metrics: Mapping[str, Metric], numbers: str) -> Chart:
    return builders.bars(
        "Share of the pairs of one person that a network accepts at its threshold (true positive rate), by "
        "how many of the two photographs show glasses. Each bar is a network with its loss; the new network "
        f"with mined pairs is trained with and without drawn glasses. {numbers}",
        {
            label: {words: metrics[f"{method}/{kind}_glasses_tpr"] for kind, words in KINDS.items()}
            for method, label in ROWS.items()
        },
        builders.percent("True positive rate"),
        x="Photographs with glasses",
    )


FACE = (
    60,
    173,
    107,
)  # top, left and side of the face on the photograph, so that the eyes are where frames go
DRAWN_SIDE = 100  # pixels
FRAMES = 5


def drawn_frames() -> Pictures:
    """The frames that are drawn on training images, on a portrait that may be shown."""
    import numpy as np
    from PIL import Image
    from skimage import data

    from lab.datasets.faces import with_glasses

    top, left, side = FACE
    face = Image.fromarray(data.astronaut()).convert("L").crop((left, top, left + side, top + side))
    portrait = np.asarray(face.resize((DRAWN_SIDE, DRAWN_SIDE)))[None, None]
    shown = [("the photograph", portrait)]
    shown += [(f"copy {seed + 1}", with_glasses(portrait, seed)) for seed in range(FRAMES)]
    return Pictures(
        caption="Frames as they are drawn on copies of training images, random in shape, tone and place; "
        "here on a portrait from scikit-image (NASA, public domain) instead of a face of the data set.",
        alt="A portrait, and the same with drawn glasses of different frames.",
        columns=len(shown),
        pictures=tuple(Picture(title=title, png=png(image[0, 0])) for title, image in shown),
    )

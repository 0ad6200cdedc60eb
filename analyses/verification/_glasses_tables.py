"""Tables and figures of the study of glasses."""

from __future__ import annotations

from collections.abc import Mapping

from analyses import comparing
from analyses.pictures import png
from analyses.verification import _evaluation as evaluation
from analyses.verification._glasses_settings import BASELINES, KINDS, ROWS
from results import builders
from results.schema import Chart, Metric, Picture, Pictures, Table


def networks_table(metrics: Mapping[str, Metric], note: str) -> Table:
    return builders.table(
        "Two distances without training on faces, and two networks, each with two losses, on held-out people "
        "of the AT&T faces with and without glasses: trained parameters; area under the ROC curve (AUC); and "
        "the threshold chosen on training people whom an inner fold left out, with the shares of the pairs "
        "of one person and of two people that it accepts (TPR, FPR).",
        {
            "method": builders.text("Distance"),
            "parameters": builders.integer("Trained parameters"),
            "auc": builders.number("AUC", ".3f"),
            "threshold": builders.number("Threshold", ".3f"),
            "true_positive": builders.percent("TPR"),
            "false_positive": builders.percent("FPR"),
        },
        [
            {
                "method": label,
                "parameters": metrics[f"{method}/parameters"].value if method in ROWS else 0,
                "threshold": metrics[f"threshold/{method}"].value,
                **{key: metrics[f"{method}/{key}"] for key in ("auc", "true_positive", "false_positive")},
            }
            for method, label in (BASELINES | ROWS).items()
        ],
        notes=(note,),
    )


#: How many pairs of one person ("same") and of two ("different") there are, by kind.
Numbers = Mapping[str, Mapping[str, int]]


def kinds_table(metrics: Mapping[str, Metric], numbers: Numbers, note: str) -> Table:
    rows = [
        {
            "method": label,
            "kind": "mixed" if kind == "cross" else words,
            **{rate: metrics[f"{method}/{kind}_glasses_{rate}"] for rate in ("tpr", "fpr", "accuracy")},
        }
        for method, label in (BASELINES | ROWS).items()
        for kind, words in KINDS.items()
    ]
    return builders.table(
        "Verification of held-out people of the AT&T faces, by how many of the two photographs show glasses "
        "(mixed: one of them): at the threshold of each distance, the shares of the pairs of one person and "
        f"of two people that are accepted (TPR, FPR), and the accuracy. {_counts(numbers)}",
        {
            "method": builders.text("Distance"),
            "kind": builders.text("Glasses"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "accuracy": builders.percent("Accuracy"),
        },
        rows,
        notes=(note,),
    )


def _counts(numbers: Numbers) -> str:
    same, different = (
        f"{of['none']:,} without glasses, {of['both']:,} with glasses on both and {of['cross']:,} mixed"
        for of in ({kind: one[which] for kind, one in numbers.items()} for which in ("same", "different"))
    )
    return f"Pairs of one person: {same}; of two people: {different}."


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
        "Differences between networks and losses on held-out people of the AT&T faces with and without "
        "glasses: in the area under the ROC curve (AUC), and in the share of accepted pairs of one person "
        "with glasses on one photograph (mixed TPR, percentage points).",
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


def harder_table(found: Mapping[str, evaluation.Comparison], prefix: str, numbers: Numbers) -> Table:
    """Each network on mixed pairs, against pairs without glasses."""
    return builders.table(
        f"Share of accepted pairs of one person on the AT&T faces, in percentage points: the "
        f"{numbers['cross']['same']:,} mixed pairs (glasses on one photograph) less the "
        f"{numbers['none']['same']:,} pairs without glasses, by network and loss.",
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
            "of the mean over people, which weights every person equally; the difference weights every pair "
            "equally, so that people with many pairs count more.",
        ),
    )


def accepted_chart(metrics: Mapping[str, Metric], numbers: Numbers) -> Chart:
    none, both, cross = (numbers[kind]["same"] for kind in ("none", "both", "cross"))
    return builders.bars(
        "Share of the pairs of one person of the AT&T faces that are accepted (true positive rate), by "
        f"network and loss and by how many of the two photographs show glasses: {none:,} pairs without "
        f"glasses, {both:,} with glasses on both and {cross:,} mixed ones. The last two networks are trained "
        "with mined pairs. Raw pixels and pretrained features are in the table of rates by kind of pair.",
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

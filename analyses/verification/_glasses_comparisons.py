"""What the study of glasses compares: networks, losses, drawn glasses, and kinds of pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyses.verification import _evaluation as evaluation
from analyses.verification import _verification as verification
from analyses.verification._evaluation import EvaluatedPairs
from analyses.verification._glasses_settings import BARE, ROWS

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
CROSS = evaluation.Measure(
    "mixed TPR",
    more="{first} accepts significantly more mixed pairs than {second}",
    less="{first} accepts significantly fewer mixed pairs than {second}",
    same="on mixed pairs, the acceptance rates of {first} and {second} do not differ significantly",
    rate=True,
)
KIND = evaluation.Measure(
    "TPR",
    more="{first} accepts a significantly larger share of mixed pairs than of pairs without glasses",
    less="{first} accepts a significantly smaller share of mixed pairs than of pairs without glasses",
    same="{first} accepts mixed pairs and pairs without glasses at rates that do not differ significantly",
    rate=True,
)
IN_TEXT = verification.IN_TEXT | {BARE: "the new network without drawn glasses"}
#: The two of each comparison in words that can stand within one sentence.
SIDES = {
    "difference": (IN_TEXT["mining"], IN_TEXT["contrastive"]),
    "drawn_difference": ("the new network with drawn glasses", "the same network without them"),
    "loss_old": (IN_TEXT["tutorial_mining"], "the same network with the contrastive loss"),
    "loss_new": ("the new network with mined pairs", "the same network with the contrastive loss"),
    "network_contrastive": (IN_TEXT["new_contrastive"], "the tutorial's network with the same loss"),
    "network_mining": ("the new network with mined pairs", "the tutorial's network with the same pairs"),
}
#: One table, one family.
WORDS = {
    f"{name}/{key}": evaluation.Compared(*SIDES[name], measure)
    for name in COMPARED
    for key, measure in (("auc", evaluation.AUC), ("cross_glasses_tpr", CROSS))
} | {
    f"{HARDER}/{method}": evaluation.Compared(IN_TEXT[method], "the same, on pairs without glasses", KIND)
    for method in ROWS
}


def compared(
    areas: Mapping[str, evaluation.Drawn],
    rates: Mapping[str, Mapping[str, evaluation.DrawnRates]],
    evaluated: Mapping[str, EvaluatedPairs],
    kinds: Mapping[str, Any],
) -> dict[str, evaluation.Comparison]:
    """All comparisons of the two tables: AUC, and accepted pairs across glasses."""
    accepted = {
        kind: {method: drawn.true_positive for method, drawn in rates[kind].items()}
        for kind in ("cross", "none")
    }
    values = {"auc": areas, "cross_glasses_tpr": accepted["cross"]}
    pairs = {
        f"{name}/{key}": (found[first], found[second])
        for name, (first, second) in COMPARED.items()
        for key, found in values.items()
    } | {f"{HARDER}/{method}": (accepted["cross"][method], accepted["none"][method]) for method in ROWS}
    areas_of = {method: evaluation.own_aucs(evaluated[method]) for method in ROWS}
    shares_of = {
        kind: {method: evaluation.own_accepted(evaluated[method], kinds[kind]) for method in ROWS}
        for kind in ("cross", "none")
    }
    own = {
        f"{name}/{key}": found[first] - found[second]
        for name, (first, second) in COMPARED.items()
        for key, found in (("auc", areas_of), ("cross_glasses_tpr", shares_of["cross"]))
    } | {f"{HARDER}/{method}": shares_of["cross"][method] - shares_of["none"][method] for method in ROWS}
    return evaluation.compared(pairs, WORDS, dict.fromkeys(pairs, evaluated["mining"].people), own)


#: The kinds of pair on which drawn glasses may change a rate of acceptance.
ON = {
    "all": "over all pairs",
    "none": "on pairs without glasses",
    "both": "on pairs with glasses on both photographs",
    "cross": "on mixed pairs",
}
STRANGERS, OTHERS = (
    "drawn_strangers",
    "drawn_others",
)  # pairs of two people; other pairs of one than mixed ones


def drawn_compared(
    rates: Mapping[str, Mapping[str, evaluation.DrawnRates]], people: int
) -> dict[str, evaluation.Comparison]:
    """What drawn glasses change in the other rates of acceptance of the new network; a family of its own."""
    pairs, words = {}, {}
    for prefix, name, kinds in ((OTHERS, "true", ("none", "both")), (STRANGERS, "false", tuple(ON))):
        measure = evaluation.Measure(f"{name} positive rate", "", "", "", rate=True)
        for kind in kinds:
            drawn, bare = (getattr(rates[kind][method], f"{name}_positive") for method in ("mining", BARE))
            pairs[f"{prefix}/{kind}"] = (drawn, bare)
            words[f"{prefix}/{kind}"] = evaluation.Compared(*SIDES["drawn_difference"], measure, ON[kind])
    return evaluation.compared(pairs, words, dict.fromkeys(pairs, people))

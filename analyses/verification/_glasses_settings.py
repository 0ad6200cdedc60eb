"""The choices of the study of glasses, and its networks and kinds of pairs in words."""

from __future__ import annotations

from analyses.verification._verification import CROSSED, METHODS, VerificationParameters

KINDS = {"none": "neither", "both": "both", "cross": "one (mixed)"}  # of the photographs of a pair
BARE = "mining_glasses"  # the new network without drawn glasses
ROWS = {
    "contrastive": METHODS["contrastive"],
    **CROSSED,
    BARE: "New network, no glasses drawn",
    "mining": "New network, glasses drawn",
}
BASELINES = {method: METHODS[method] for method in ("pixels", "backbone")}  # without training on faces
SPLITS = {"heldout": "people with and without glasses", "published": "the tutorial's test people"}


class GlassesParameters(VerificationParameters):
    """meglass: whether the networks are tried on the lists of MeGlass too, whose images must be here."""

    meglass: bool = False

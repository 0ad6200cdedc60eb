"""The choices of the study of Siamese networks, and the splits of the people."""

from __future__ import annotations

from pydantic import Field

from analyses.verification._verification import VerificationParameters

PUBLISHED = "published_split"
HELDOUT = "heldout_split"
NEW = "mining"
OLD = "contrastive"
PARTS = {
    PUBLISHED: "the tutorial's test people",
    HELDOUT: "the people with and without glasses",
    "folds": "the folds",
}


class SiameseParameters(VerificationParameters):
    """folds: parts of the people, each tested on by networks that were trained on the others."""

    folds: int = Field(5, ge=2)
    fold_seed: int = 0

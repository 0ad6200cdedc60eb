"""Pairs of images by who wears glasses, and how many of them are accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analyses.verification._evaluation import EvaluatedPairs
from analyses.verification._glasses_settings import KINDS
from analyses.verification._verification import Faces
from analyses.verification._verification_people import glasses_of, load_faces


def check_glasses(faces: Faces, people: Sequence[str], *, needed: bool) -> None:
    """DataError where glasses.csv leaves out an image of these people; and, where they are `needed`, where
    nobody has two images of one kind, or one of both.
    """
    from lab.datasets import DataError
    from lab.verification import every

    images, worn = load_faces(faces), glasses_of(faces)
    chosen = [at for at, label in enumerate(images.labels.tolist()) if images.classes[label] in people]
    missing = [images.files[at] for at in chosen if images.files[at] not in worn]
    if missing:
        more = f" and {len(missing) - 1} other test images" if len(missing) > 1 else ""
        raise DataError(f"glasses.csv of {faces.name} says nothing of {missing[0]}{more}; add them")
    first, second = every(len(chosen))
    labels = images.labels[chosen]
    kinds = pairs_by_kind([worn[images.files[at]] for at in chosen])
    for kind, words in KINDS.items():
        if needed and not (kinds[kind] & (labels[first] == labels[second])).any():
            raise DataError(
                f"glasses.csv of {faces.name} gives the people held out ({', '.join(people)}) no pair of one "
                f"person whose images show glasses on {words}; name people with several images of both "
                "kinds, with --set heldout=…"
            )


def pairs_by_kind(glasses: list[bool]) -> dict[str, Any]:
    """Which pairs are of which kind, (M,) bool each."""
    import numpy as np

    from lab.verification import every

    worn = np.array(glasses)
    first, second = every(len(worn))
    both, none = worn[first] & worn[second], ~worn[first] & ~worn[second]
    return {"none": none, "both": both, "cross": ~none & ~both}


def count_accepted(evaluated: EvaluatedPairs, which: Any) -> tuple[list[int], int]:
    """Of the same pairs among these, how many each seed accepts; and how many there are."""
    (runs,), (thresholds,) = evaluated.pairs, evaluated.thresholds
    accepted = [
        int((which & pairs.same & (pairs.distances < limits["balanced"])).sum())
        for pairs, limits in zip(runs, thresholds, strict=True)
    ]
    return accepted, int((which & runs[0].same).sum())

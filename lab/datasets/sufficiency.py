"""Whether images suffice for what is asked: said in one sentence before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lab.datasets.images import DataError, ImageSet
from lab.datasets.wording import few

PARTS = ("training", "validation", "test")


def require_images(name: str, asked: Sequence[int], there: int, settings: str) -> None:
    """DataError where more images are asked for, for training, validation and test, than there are.

    settings: which settings say how many.
    """
    wanted = [count for count in asked if count]
    if sum(wanted) > there:
        parts = [part for part, count in zip(PARTS, asked, strict=False) if count]
        listed = " + ".join(f"{count:,}" for count in wanted)
        purpose = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
        raise DataError(
            f"{listed} of {there:,} images of {name} are asked for, for {purpose}; "
            f"ask for fewer with {settings}"
        )


def require_classes(parts: Mapping[str, ImageSet]) -> None:
    """DataError where there is one class only, or a part lacks a class that another has."""
    held = {name: set(np.unique(part.labels).tolist()) for name, part in parts.items()}
    everything = sorted(set().union(*held.values()))
    first = next(iter(parts.values()))
    if len(everything) < 2:
        only = f"one class only, {first.classes[everything[0]]}" if everything else "no class"
        raise DataError(f"{first.name} has images of {only}; telling classes apart needs two or more")
    for name, labels in held.items():
        absent = [first.classes[label] for label in everything if label not in labels]
        if absent:
            raise DataError(
                f"{first.name} has no {name} image of {few(absent)}; add some, or leave the "
                f"class{'es' if len(absent) > 1 else ''} out"
            )


def require_validation(name: str, parts: int) -> None:
    """DataError where no validation images are asked for, by which something is to be chosen."""
    if not parts:
        raise DataError(
            f"validation images of {name} choose a setting, and none are asked for; set data.validation"
        )

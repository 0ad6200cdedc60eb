"""Faces divided by the people on them: who is trained with, and who is tested on."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from analyses.verification._verification import Faces, Tested, VerificationParameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.datasets import ImageSet


def check_people(parameters: VerificationParameters, tests: Iterable[Tested]) -> None:
    """DataError where a split cannot be trained and tested."""
    for test in tests:
        divide_people(parameters.faces, test, max(parameters.inner_folds, parameters.tower_inner_folds))


@lru_cache(maxsize=1)
def load_faces(faces: Faces) -> ImageSet:
    """All faces, grey; those of the first people where not all are wanted."""
    import numpy as np

    images = load_named(faces, faces.name, faces.split)
    if faces.people is None:
        return images
    return images.select(np.flatnonzero(images.labels < faces.people))


def load_named(faces: Faces, name: str, split: str = "all") -> ImageSet:
    """The images of any data set, of the size and shape of the faces."""
    from lab.datasets import Whole
    from lab.datasets import load as load_images

    square = (faces.size, faces.size)
    size = square if faces.crop else Whole(*square)
    return load_images(name, split, size=size, grey=True, damaged=faces.damaged)


def tested_people(faces: Faces, test: Tested) -> list[str]:
    """By name. DataError where someone is not there, or there are too few for so many folds."""
    import numpy as np

    from lab.datasets import DataError

    images = load_faces(faces)
    there = [images.classes[label] for label in sorted(set(images.labels.tolist()))]
    if isinstance(test, Mapping):
        if len(there) < 2 * test["of"]:
            raise DataError(
                f"{len(there)} people are too few for {test['of']} folds of two; ask for fewer folds"
            )
        order = np.random.default_rng(test["seed"]).permutation(len(there))
        return [there[index] for index in sorted(np.array_split(order, test["of"])[test["fold"]])]
    unknown = [person for person in test if person not in there]
    if unknown:
        raise DataError(
            f"{images.name} has no person {unknown[0]}; it has {there[0]} … {there[-1]}; who is tested on is "
            "chosen with --set published=… and heldout=…"
        )
    if len(set(test)) < 2:
        raise DataError(f"{test[0]} alone makes no pair of two people; test on two at least")
    if len(set(there) - set(test)) < 2:
        raise DataError(
            f"of {len(there)} people {len(set(test))} are tested on, which leaves no two to train with"
        )
    return list(test)


def divide_people(faces: Faces, test: Tested, inner: int = 1) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the images to train with and to test on, which share no person.

    DataError also where a person has one image only, or where the people to train with are too few for so
    many `inner` parts of two.
    """
    import numpy as np

    from lab.datasets import DataError

    people = tested_people(faces, test)
    images = load_faces(faces)
    counts = np.bincount(images.labels)
    if 1 in counts:
        raise DataError(
            f"{images.classes[counts.tolist().index(1)]} has one image only in {images.name}, and no pair of "
            "the same person; add another, or leave the person out"
        )
    left = len(set(images.labels.tolist())) - len(people)
    if left < 2 * inner:
        raise DataError(
            f"{left} people of {images.name} are left to train with, too few for {inner} inner parts of two; "
            "test on fewer people, or ask for fewer parts with --set inner_folds=2 and tower_inner_folds=2"
        )
    tested = np.isin(images.labels, [images.classes.index(person) for person in people])
    return np.flatnonzero(~tested), np.flatnonzero(tested)


def glasses_of(faces: Faces) -> dict[str, bool]:
    """File → whether it shows glasses, from the data set's glasses.csv (file, subject, glasses)."""
    from lab.datasets import DataError, locate

    text = locate(faces.name).text("glasses.csv")
    try:
        return {row["file"]: bool(int(row["glasses"])) for row in csv.DictReader(text.splitlines())}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"glasses.csv of {faces.name} cannot be read ({error}); its columns are file, subject, glasses"
        ) from None

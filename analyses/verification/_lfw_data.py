"""The images of Labeled Faces in the Wild, divided by people, and the pairs of the official list."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.datasets import ImageSet


class DividedFaces(NamedTuple):
    """train, validation, test: indices of images. pairs: (M, 2) of listed test pairs, by place in `test`."""

    images: ImageSet
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    pairs: NDArray[np.int64]
    listed: int
    missing: int

    @property
    def evaluated(self) -> NDArray[np.int64]:
        """Validation images, then those of the test."""
        import numpy as np

        return np.concatenate([self.validation, self.test])


def faces_of(settings: Mapping[str, Any]) -> DividedFaces:
    """The images as the settings of a cell divide them."""
    return divide(
        settings["name"],
        settings["split"],
        settings["damaged"],
        settings["size"],
        tuple(settings["test_folds"]),
        tuple(settings["validation_folds"]),
    )


@lru_cache(maxsize=1)
def divide(
    name: str,
    split: str,
    damaged: Literal["refuse", "skip"],
    size: int,
    test_folds: tuple[int, ...],
    validation_folds: tuple[int, ...],
) -> DividedFaces:
    """By the official list; a set without one has its people in ten folds, and every pair of each listed."""
    import numpy as np

    from lab.datasets import DataError
    from lab.datasets import load as load_images

    images = load_images(name, split, size=(size, size), grey=False, damaged=damaged)
    folds, listed, missing = listed_pairs(name, images)
    unknown = [fold for fold in (*test_folds, *validation_folds) if not 0 <= fold < len(folds)]
    if unknown:
        raise DataError(f"pairs of {name} are in {len(folds)} folds, from 0; there is no fold {unknown[0]}")
    pairs, chosen_by = (
        np.concatenate([folds[fold] for fold in which]) for which in (test_folds, validation_folds)
    )
    _require_pairs(name, images.labels, pairs, chosen_by)
    tested, validated = (np.isin(images.labels, images.labels[part]) for part in (pairs, chosen_by))
    train, validation, test = map(np.flatnonzero, (~tested & ~validated, validated & ~tested, tested))
    for which, part in (("validated", validation), ("trained", train)):
        counts = np.bincount(images.labels[part])
        if np.count_nonzero(counts) < 2 or counts.max() < 2:
            raise DataError(
                f"who is {which} with in {name} makes no pairs of both kinds; choose other folds with "
                "--set test_folds=… and validation_folds=…"
            )
    return DividedFaces(images, train, validation, test, np.searchsorted(test, pairs), listed, missing)


def _require_pairs(
    name: str, labels: NDArray[np.int64], tested: NDArray[np.int64], validation: NDArray[np.int64]
) -> None:
    """DataError without any pairs, (M, 2), or where those to be tested are all of one kind."""
    from lab.datasets import DataError

    for which, pairs in (("tested", tested), ("validation", validation)):
        if not len(pairs):
            raise DataError(
                f"of the pairs of {name} in the {which} folds no one has both images here; fetch the images"
            )
    same = labels[tested[:, 0]] == labels[tested[:, 1]]
    if same.all() or not same.any():
        kind = "one person" if same.all() else "two people"
        raise DataError(
            f"all {len(tested)} pairs of {name} in the tested folds are of {kind}; choose other folds with "
            "--set test_folds=…"
        )


def listed_pairs(name: str, images: ImageSet) -> tuple[list[NDArray[np.int64]], int, int]:
    """(M, 2) images of the pairs of each fold that are here; how many are listed, how many lack an image.

    `pairs.txt` as the official View 2: folds and pairs of each kind; then, for each fold, NAME A B and
    NAME A NAME B. A set of ours without a list: ten folds of people, and all pairs within each.
    """
    import numpy as np

    from lab.datasets import DataError, locate

    try:
        lines = locate(name).text("pairs.txt").splitlines()
    except DataError:
        if not images.redistributable:
            raise
        folds_of_pairs = _every_pair_by_fold(images)
        return folds_of_pairs, sum(map(len, folds_of_pairs)), 0
    number = {file.rpartition("/")[2].rpartition(".")[0]: at for at, file in enumerate(images.files)}
    try:
        count, each = map(int, lines[0].split())
        ends = [_ends(line) for line in lines[1:] if line.strip()]
    except (ValueError, IndexError) as error:
        raise DataError(
            f"pairs.txt of {images.name} cannot be read ({error}); its first line is FOLDS PAIRS, then come "
            "NAME A B and NAME A NAME B"
        ) from None
    if not ends:
        raise DataError(f"pairs.txt of {images.name} lists no pair; fetch it again")
    folds: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    missing = 0
    for at, (first, second) in enumerate(ends):
        if first in number and second in number:
            folds[min(at // (2 * each), count - 1)].append((number[first], number[second]))
        else:
            missing += 1
    return [np.array(fold, dtype=np.int64).reshape(-1, 2) for fold in folds], len(ends), missing


def _every_pair_by_fold(images: ImageSet) -> list[NDArray[np.int64]]:
    """Ten folds of people, and (M, 2) all pairs of images within each."""
    import numpy as np

    from lab.verification import every

    folds = []
    for people in np.array_split(np.arange(len(images.classes)), 10):
        own = np.flatnonzero(np.isin(images.labels, people))
        first, second = every(len(own))
        folds.append(np.stack([own[first], own[second]], 1))
    return folds


def _ends(line: str) -> tuple[str, str]:
    """The two files of a line, without their endings."""
    parts = line.split("\t") if "\t" in line else line.split()
    if len(parts) not in (3, 4):
        raise ValueError(f"the line {line!r}")
    first, second = (parts[0], parts[1]), (parts[-2] if len(parts) == 4 else parts[0], parts[-1])
    return f"{first[0]}_{int(first[1]):04d}", f"{second[0]}_{int(second[1]):04d}"

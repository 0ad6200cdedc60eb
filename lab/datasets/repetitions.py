"""Images that stand in a data set more than once: in two splits, or under two classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lab.datasets.duplicates import clusters, near_duplicates
from lab.datasets.images import ImageSet
from lab.datasets.wording import count, few

MOST = 100_000  # images that are compared, each with each: minutes
SIDE = 64  # pixels of the images that are compared
ALIKE = 0.95  # least similarity, of lab.datasets.duplicates, of images that are pointed at


def repetitions(parts: Mapping[str, ImageSet]) -> Iterator[str]:
    """A sentence on images that stand in two of `parts`, one on those under two classes, one on those that
    are there more than once within a part; of images that are the same, and of those that look nearly so.

    Images are of SIDE pixels, grey.
    """
    images = np.concatenate([part.images for part in parts.values()])
    same = identical(images)
    where = [name for name, part in parts.items() for _ in part.files]
    files = [file for part in parts.values() for file in part.files]
    kinds = [part.classes[label] for part in parts.values() for label in part.labels]
    yield from _told(clusters(same), "the same", where, kinds, files)
    if len(images) > MOST:
        yield f"{len(images):,} images are too many to look for such as are nearly alike (at most {MOST:,})"
        return
    alike = [
        group
        for group in clusters(near_duplicates(images, ALIKE))
        if len({int(same[index]) for index in group}) > 1
    ]
    yield from _told(alike, "nearly alike", where, kinds, files)


def identical(images: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The group of each image, (N,): those of the same pixels share one."""
    first: dict[bytes, int] = {}
    return np.array(
        [first.setdefault(images[index].tobytes(), index) for index in range(len(images))], np.int64
    )


def also_in_training(train: Any, test: Any) -> int:
    """How many of the test images, uint8 (N, C, H, W), have the pixels of a training image."""
    known = {hash(train[index].tobytes()) for index in range(len(train))}
    return sum(hash(test[index].tobytes()) in known for index in range(len(test)))


def _told(
    groups: Sequence[list[int]],
    how: str,
    where: Sequence[str],
    kinds: Sequence[str],
    files: Sequence[str],
) -> Iterator[str]:
    found: dict[str, list[tuple[list[int], int]]] = defaultdict(list)

    def other(group: Sequence[int], names: Sequence[str]) -> int:
        """The first image that differs from the first of its group in this."""
        return next(index for index in group if names[index] != names[group[0]])

    for group in groups:
        splits, labels = ({names[index] for index in group} for names in (where, kinds))
        if len(splits) > 1:
            found[f"stand in several splits ({' and '.join(sorted(splits))})"].append(
                (group, other(group, where))
            )
        if len(labels) > 1:
            found["stand under several classes"].append((group, other(group, kinds)))
        if len(splits) == len(labels) == 1:
            found["are there more than once, so that a random split may part them"].append((group, group[1]))
    for what, those in found.items():
        pairs = few([f"{files[group[0]]} = {files[second]}" for group, second in those])
        yield f"{count(sum(len(group) for group, _ in those), 'image')} {what}, {how}: {pairs}"

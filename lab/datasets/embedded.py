"""Data sets that need no files: photographs that install with the dependencies, and seeded drawings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.datasets import faces, scenes
from lab.datasets.decoding import Damaged, Size, reshaped
from lab.datasets.layouts import Content, Release

OURS = "CC0 (drawn by this program)"
PEOPLE = 80
DRAWING = 2  # part of the fingerprint: raise it when a seed gives other pixels


@dataclass(frozen=True)
class Embedded:
    """A data set of the program's own. `draw` gives the images, labels and file names of a split."""

    title: str
    licence: str
    grey: bool
    classes: tuple[str, ...]
    sizes: Mapping[str, int]  # images by split
    draw: Callable[[str], tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]]
    texts: Callable[[], Mapping[str, str]] = field(default=dict)

    def release(self) -> Release:
        def read(split: str, size: Size, grey: bool, damaged: Damaged) -> Content:
            drawn = [self.draw(one) for one in ([split] if split in self.sizes else self.sizes)]
            images, labels = (np.concatenate([part[at] for part in drawn]) for at in (0, 1))
            files = tuple(file for part in drawn for file in part[2])
            return Content(reshaped(images, size, grey), labels, self.classes, files)

        return Release(
            path=Path("embedded"),
            layout="embedded",
            splits=tuple(self.sizes),
            images=sum(self.sizes.values()),
            read=read,
            drawn=f"{self.title} {self.sizes} {DRAWING}",
            whole=True,
            texts=self.texts(),
        )


def _digits(split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """The official order: the test split, the last fifth, was written by other people than the first."""
    from sklearn.datasets import load_digits

    data = load_digits()
    chosen = np.arange(len(data.images)) >= 1437
    chosen = chosen if split == "test" else ~chosen
    images = np.rint(data.images[chosen] * (255 / 16)).astype(np.uint8)[:, None]
    files = tuple(f"digit-{index:04d}" for index in np.flatnonzero(chosen))
    return images, data.target[chosen].astype(np.int64), files


SEEDS = {"train": 1, "test": 2}
SHAPES = {"train": 6_000, "test": 2_000}
CANVASES = {"train": 4_000, "test": 1_000}


def _shapes(split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    count, seed = SHAPES[split], SEEDS[split]
    return scenes.scenes(count, seed), scenes.labels(count, seed), _numbered(split, count)


def _canvases(split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    count, seed = CANVASES[split], 10 * SEEDS[split]
    return scenes.canvases(count, seed), scenes.labels(count, seed), _numbered(split, count)


def _canvas_texts() -> dict[str, str]:
    """Lines `image class row column width`, as the Transformed CIFAR-10 has them."""
    texts = {}
    for split, count in CANVASES.items():
        seed = 10 * SEEDS[split]
        lines = zip(
            _numbered(split, count), scenes.labels(count, seed), scenes.boxes(count, seed), strict=True
        )
        texts[f"{split}.txt"] = "".join(f"{file} {kind} {r} {c} {w}\n" for file, kind, (r, c, w) in lines)
    return texts


def _numbered(split: str, count: int) -> tuple[str, ...]:
    return tuple(f"{split}/{index:05d}.png" for index in range(count))


def _people() -> tuple[str, ...]:
    return tuple(f"p{number:02d}" for number in range(PEOPLE))


def _face_files() -> tuple[str, ...]:
    return tuple(f"{person}/{number}.png" for person in _people() for number in range(1, faces.IMAGES + 1))


def _faces(split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    labels = np.arange(PEOPLE * faces.IMAGES, dtype=np.int64) // faces.IMAGES
    return faces.faces(PEOPLE, seed=1), labels, _face_files()


def _face_texts() -> dict[str, str]:
    """`glasses.csv` with the columns that come with the AT&T faces."""
    worn = faces.wears_glasses(PEOPLE * faces.IMAGES)
    rows = (
        f"{file},{file.partition('/')[0]},{int(g)}\n" for file, g in zip(_face_files(), worn, strict=True)
    )
    return {"glasses.csv": "file,subject,glasses\n" + "".join(rows)}


SETS = {
    "digits": Embedded(
        title="Handwritten digits (Alpaydin and Kaynak 1998, as in scikit-learn)",
        licence="CC BY 4.0",
        grey=True,
        classes=tuple(map(str, range(10))),
        sizes={"train": 1_437, "test": 360},
        draw=_digits,
    ),
    "shapes": Embedded(
        title="Coloured shapes before clutter, drawn",
        licence=OURS,
        grey=False,
        classes=tuple(scenes.SHAPES),
        sizes=SHAPES,
        draw=_shapes,
    ),
    "faces": Embedded(
        title="Faces with and without glasses, drawn",
        licence=OURS,
        grey=True,
        classes=_people(),
        sizes={"all": PEOPLE * faces.IMAGES},
        draw=_faces,
        texts=_face_texts,
    ),
    "canvas": Embedded(
        title="Coloured shapes as objects on a canvas, drawn",
        licence=OURS,
        grey=False,
        classes=tuple(scenes.SHAPES),
        sizes=CANVASES,
        draw=_canvases,
        texts=_canvas_texts,
    ),
}

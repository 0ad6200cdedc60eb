"""Data sets that need no files: photographs that install with the dependencies, and seeded drawings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lab.datasets.decoding import Size, reshaped
from lab.datasets.layouts import Content, Release


@dataclass(frozen=True)
class Digits:
    """Handwritten digits, 8×8 grey: 1,797 scans of forms (Alpaydin and Kaynak 1998), from scikit-learn.

    The official order is kept: the test split is the last fifth, written by other people than the first.
    """

    title: str = "Handwritten digits (UCI, as in scikit-learn)"
    licence: str = "CC BY 4.0"
    grey: bool = True

    def release(self) -> Release:
        def read(split: str, size: Size, grey: bool, damaged: str) -> Content:
            from sklearn.datasets import load_digits

            data = load_digits()
            images = np.rint(data.images * (255 / 16)).astype(np.uint8)[:, None]
            chosen = np.arange(len(images)) >= 1437
            chosen = chosen if split == "test" else ~chosen
            return Content(
                reshaped(images[chosen], size, grey),
                data.target[chosen].astype(np.int64),
                tuple(map(str, range(10))),
                tuple(f"digit-{index:04d}" for index in np.flatnonzero(chosen)),
            )

        return Release(
            Path("scikit-learn"), "embedded", ("train", "test"), 1_797, read, drawn="optdigits 1437 + 360"
        )


SETS = {"digits": Digits()}

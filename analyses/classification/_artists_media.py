"""Pictures of paintings, and of what is done to them; they may not be passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyses.classification._artists_comparisons import AMOUNTS, CHANGES
from analyses.pictures import png, samples
from results.schema import Picture, Pictures

if TYPE_CHECKING:
    from torch import Tensor

    from lab.datasets import ImageSet


def under_every_change(square: Tensor) -> dict[str, str]:
    """A PNG of an image as it is ("none") and under every change, by name. square: float (1, 3, H, W) in
    [0, 1].
    """
    import torch

    from lab.augmentation import CHANGES as changes

    changed = {"none": square, **{name: change(square) for name, change in changes.items()}}
    return {name: png((255 * one[0]).round().clamp(0, 255).to(torch.uint8)) for name, one in changed.items()}


def painted(images: ImageSet) -> dict[str, Pictures]:
    """A sheet with one painting of every class, and the first painting under every change."""
    import torch

    first = torch.from_numpy(images.images[:1].copy()).float() / 255
    changed = under_every_change(first)
    return {
        "paintings": Pictures(
            caption="The first painting of each painter in the data set, scaled to a square as the networks "
            "are given it, with the number of the painter's paintings.",
            alt=f"{len(images.classes)} paintings, one of each painter.",
            columns=8,
            pictures=tuple(samples(images, images.classes, 1, counted=True)),
        ),
        "painting_changes": Pictures(
            caption=f"One painting under each change of the test images. {AMOUNTS}",
            alt=f"One painting {len(changed)} times: "
            + ", ".join(CHANGES[name].lower() for name in changed)
            + ".",
            columns=9,
            pictures=tuple(Picture(png=one, title=CHANGES[name]) for name, one in changed.items()),
        ),
    }

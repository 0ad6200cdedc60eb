"""Objects on a canvas: the data of the detection experiments.

The data is the Transformed CIFAR-10 of CIS 680 (2017), homework 3: each image scaled to a square of 24 to 40
pixels and laid somewhere on a canvas of 48. Any other image data set can take CIFAR-10's place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, model_validator

from analyses.plugin import Analysis, Choice, Parameters
from lab.canvas import CANVAS

if TYPE_CHECKING:
    from lab.datasets import ImageSet
    from lab.training import Data

LISTED = 10_000  # canvases of either published list


class CanvasChoice(Choice):
    """Which images lie where, and what is held out.

    train, validation: numbers of canvases; together as many as are made of the training split. boxes:
    "published" takes image, place and width from the lists of the exercise, "drawn" draws them by seed:
    widths of 24 to 40 alike often, and every place alike often where the square lies on the canvas.
    background: the training images' mean colour, or another image of the set over the whole canvas. mirror:
    whether training canvases are mirrored at random; a mirrored object must still be of its class. shift:
    pixels by which they are moved at most.
    """

    name: str = "cifar10"
    train: int = Field(10_000, ge=1)
    validation: int = Field(0, ge=0)
    test: int = Field(10_000, ge=1)
    boxes: Literal["published", "drawn"] = "published"
    background: Literal["mean", "image"] = "mean"
    mirror: bool = True
    shift: int = Field(4, ge=0, lt=48)
    seed: int = 0
    damaged: Literal["refuse", "skip"] = "refuse"

    @model_validator(mode="after")
    def is_listed(self) -> CanvasChoice:
        for split, wanted in (("training", self.train + self.validation), ("test", self.test)):
            if self.boxes == "published" and wanted > LISTED:
                raise ValueError(
                    f"{wanted} {split} canvases are asked for, and the published list has {LISTED}; ask for "
                    "fewer, or set data.boxes=drawn"
                )
        return self

    @property
    def title(self) -> str:
        """What the data set is called in a sentence."""
        from lab.datasets import short_title

        return short_title(self.name)

    def sources(self) -> tuple[str, ...]:
        return (self.name, "transformed_cifar10") if self.boxes == "published" else (self.name,)


class CanvasParameters(Parameters):
    """The choices of a `CanvasExperiment`."""

    data: CanvasChoice = CanvasChoice()


CanvasP = TypeVar("CanvasP", bound=CanvasParameters)


class CanvasExperiment(Analysis[CanvasP]):
    """An experiment on the canvases of `parameters.data`, whose objects are to be named."""

    def datasets(self, parameters: CanvasP) -> tuple[str, ...]:
        return parameters.data.sources()

    def check(self, parameters: CanvasP) -> None:
        check_canvases(parameters.data)


QUICK = CanvasChoice(name="digits", train=900, test=500, boxes="drawn", mirror=False)


@lru_cache(maxsize=1)
def load(choice: CanvasChoice, device: str) -> tuple[Data, tuple[str, ...]]:
    """Canvases on the device, labelled (N, 4) class, row, column, width; and the classes' names."""
    from lab.training import Data, Images, channel_statistics

    pool, test = _images(choice)
    colour = pool.images[:10_000].mean((0, 2, 3))
    made = made_of(pool, choice, "train", choice.train + choice.validation, colour)
    images, labels = made_of(test, choice, "test", choice.test, colour)
    parts = [(made[0][: choice.train], made[1][: choice.train])]
    parts += [(made[0][choice.train :], made[1][choice.train :])] if choice.validation else []
    mean, std = channel_statistics(parts[0][0])
    placed = [Images.of(*part, device) for part in (*parts, (images, labels))]
    return Data(placed[0], mean, std, placed[1] if len(placed) > 2 else None, placed[-1]), pool.classes


def check_canvases(choice: CanvasChoice, *, named: bool = True) -> None:
    """DataError where the images are not those of the published lists, or, where objects are to be `named`,
    are all of one class.
    """
    from lab.datasets import cifar10, locate
    from lab.datasets.sufficiency import require_classes

    sets = _images(choice)
    if named:
        require_classes({"training": sets[0]})
    if choice.boxes == "published":
        for images, split in zip(sets, ("train", "test"), strict=True):
            cifar10.transformed(images, locate("transformed_cifar10").text(f"{split}.txt"))


def _images(choice: CanvasChoice) -> tuple[ImageSet, ImageSet]:
    """The objects of training and of test canvases."""
    from lab.datasets import load as load_images

    how: dict[str, Any] = {"size": (32, 32), "grey": False, "damaged": choice.damaged}
    return load_images(choice.name, "train", **how), load_images(choice.name, "test", **how)


def made_of(images: ImageSet, choice: CanvasChoice, split: str, count: int, colour: Any) -> tuple[Any, Any]:
    """`count` canvases uint8 (N, 3, 48, 48) of a split, and labels int64 (N, 4), in an order by seed."""
    import numpy as np

    from lab.datasets import DataError, cifar10, locate, scenes

    random = np.random.default_rng((choice.seed, split == "test", count))
    if choice.boxes == "published":
        listed = cifar10.transformed(images, locate("transformed_cifar10").text(f"{split}.txt"))
        if count > len(listed.indices):
            raise DataError(
                f"{count} canvases are asked for, and the published {split} list has {len(listed.indices)}; "
                "ask for fewer, or set data.boxes=drawn"
            )
        order = random.permutation(len(listed.indices))[:count]
        indices, where = listed.indices[order], listed.boxes[order]
    else:
        rounds = -(-count // len(images))
        indices = np.concatenate([random.permutation(len(images)) for _ in range(rounds)])[:count]
        where = scenes.boxes(count, int(random.integers(2**31)))
    if choice.background == "mean":
        ground = np.broadcast_to(
            np.rint(colour).astype(np.uint8)[None, :, None, None], (count, 3, CANVAS, CANVAS)
        )
    else:
        ground = scenes.enlarged(
            images.images[random.permutation(len(images))[np.arange(count) % len(images)]]
        )
    canvases = scenes.placed(images.images[indices], where, ground)
    return canvases, np.concatenate([images.labels[indices][:, None], where], axis=1)

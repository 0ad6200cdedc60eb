"""The choices of the study of photographs of one's own."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from analyses.experiments import DataChoice, ImageParameters

SCRATCH_SIZE = (32, 32)  # what the LeNet-like network takes


class PhotographsParameters(ImageParameters):
    """data: the photographs. size: of the images that transfer is shown, in pixels. epochs, batch,
    learning_rate: of the training from scratch, whose images are mirrored. penalties: strengths of the
    penalty on the weights of the linear classifier, of which validation images choose one. seeds: runs from
    scratch. weights, architecture: as lab.weights.load has them.
    """

    own_data: ClassVar[dict[str, int]] = {"size": 128, "seeds": 2}  # for photographs of the reader's own

    data: DataChoice = DataChoice(name="shapes", train=600, validation=150, size=SCRATCH_SIZE)
    size: int = Field(128, ge=32)
    epochs: int = Field(30, ge=1)
    batch: int = Field(32, ge=1)
    learning_rate: float = Field(0.01, gt=0)
    penalties: tuple[float, ...] = Field((1000.0, 100.0, 10.0, 1.0), min_length=1)
    seeds: int = Field(2, ge=1)
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False

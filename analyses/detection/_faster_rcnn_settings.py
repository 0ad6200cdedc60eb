"""The choices of the study of Faster R-CNN: detectors, their variants, and an ablation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, model_validator

from analyses.detection._canvases import LISTED, CanvasParameters
from results.text import counted

REFERENCE = "reference"
POSITIVE = 0.5  # the IoU above which a cell is positive, the default of lab.detection.DetectionObjective


@dataclass(frozen=True)
class Change:
    """What differs from the reference. alone: epochs in which the proposals are trained first, without the
    head; more: epochs beyond the reference's.
    """

    words: str
    network: Mapping[str, Any] = field(default_factory=dict)
    objective: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    alone: int = 0
    more: int = 0


TRUTH = Change("the true box shown to the head in training", objective={"truth": True})
ROI_ALIGN = Change("RoIAlign instead of the spatial transformer", network={"by": "roi_align"})
LINEAR = Change("no ReLU between the two convolutions", network={"name": "mobilenet linear"})
#: What is compared with a detector at its own budget, by the detector's network.
VARIANTS = {"convnet": {"truth": TRUTH, "roi_align": ROI_ALIGN}, "mobilenet": {"linear": LINEAR}}


class DetectorParameters(CanvasParameters):
    """box_weight: of the box loss, whose offsets are small. ablation_…: the smaller budget of the ablation,
    whose canvases are of the training list alone.
    """

    seeds: int = Field(5, ge=1)  # a run takes about a quarter of an hour on one core
    epochs: int = Field(20, ge=1)  # of 100 steps: 2,000
    box_weight: float = Field(10.0, ge=0)
    ablation_seeds: int = Field(5, ge=1)
    ablation_train: int = Field(2_000, ge=1)
    ablation_validation: int = Field(2_000, ge=1)
    ablation_epochs: int = Field(8, ge=2)
    required: float = Field(0.60, ge=0, le=1)  # what the assignment asks of the MobileNet-like network
    published: dict[str, float] = Field(  # an unpublished notebook, one run
        default={"convnet": 0.5846, "mobilenet": 0.4353, "resnet": 0.6366}
    )

    @model_validator(mode="after")
    def ablation_fits(self) -> DetectorParameters:
        wanted = self.ablation_train + self.ablation_validation
        if self.data.boxes == "published" and wanted > LISTED:
            raise ValueError(
                f"ablation_train and ablation_validation are {wanted} canvases together, and the published "
                f"training list has {LISTED}"
            )
        return self

    def changes(self) -> dict[str, Change]:
        first = self.ablation_epochs // 2
        return {
            REFERENCE: Change("unchanged detector"),
            **VARIANTS["convnet"],
            "dropout": Change("dropout of a half in the head", network={"dropout": 0.5}),
            "equal_weights": Change("equal weights of all losses", objective={"weights": (1.0, 1.0, 1.0)}),
            "phases": Change(
                f"the proposals trained alone for {counted(first, 'epochs')} beforehand", alone=first
            ),
            "longer": Change(f"{counted(first, 'more epochs')} of all parts", more=first),
            "still": Change(
                "canvases that are neither mirrored nor shifted", data={"mirror": False, "shift": 0}
            ),
        }

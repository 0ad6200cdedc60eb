"""What a detection network costs: a part fixed by the size of the image, and one for every proposal.

How many proposals an image has is data: one number for "the MACs of Faster R-CNN" depends on the weights and
on the picture. For torchvision's detectors, whose image is resized inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lab.counting import count
from lab.ledger import Ledger, Shape


@dataclass(frozen=True)
class DetectionCost:
    """MACs of one image: `fixed` + `proposal` · proposals + `detection` · detections with mask or pose."""

    resized: Shape
    fixed: Ledger
    proposal: Ledger | None
    detection: Ledger | None

    def macs(self, proposals: int = 0, detections: int = 0) -> int:
        variable = ((self.proposal, proposals), (self.detection, detections))
        return self.fixed.macs + sum(ledger.macs * number for ledger, number in variable if ledger)


def detection_cost(model: nn.Module, input_shape: Sequence[int]) -> DetectionCost:
    """The cost of a torchvision detector for one image (C, H, W) of values in [0, 1].

    Raises TypeError for a model without torchvision's `transform` and `backbone`.
    """
    transform, backbone = getattr(model, "transform", None), getattr(model, "backbone", None)
    if transform is None or backbone is None:
        raise TypeError(
            f"{type(model).__name__} is no detector of torchvision: it has no transform and backbone"
        )
    images, _ = transform.eval()([torch.zeros(tuple(input_shape))])
    resized = tuple(images.tensors.shape[1:])
    rois = getattr(model, "roi_heads", None)
    head = model.get_submodule("head" if rois is None else "rpn.head")
    fixed = count(_Chain(backbone=backbone, head=_OnMaps(head)), resized, name="backbone and dense head")
    return DetectionCost(
        resized, fixed, _roi_cost(model, "box"), _roi_cost(model, "mask") or _roi_cost(model, "keypoint")
    )


def _roi_cost(model: Any, task: str) -> Ledger | None:
    """One region's way through a head of the second stage."""
    pool = getattr(getattr(model, "roi_heads", None), f"{task}_roi_pool", None)
    if pool is None:
        return None
    parts = {name: getattr(model.roi_heads, name) for name in (f"{task}_head", f"{task}_predictor")}
    shape = (model.backbone.out_channels, *pool.output_size)
    return count(_Chain(**parts), shape, name=f"{task} head of one region")


class _Chain(nn.Module):
    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Any) -> Any:
        for part in self.children():
            x = part(x)
        return x


class _OnMaps(nn.Module):
    """The head on every map of a pyramid."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, maps: Tensor | dict[str, Tensor]) -> Any:
        return self.head([maps] if isinstance(maps, Tensor) else list(maps.values()))

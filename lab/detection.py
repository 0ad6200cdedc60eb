"""One square object on a small canvas: boxes, anchors, masks, suppression, crops and average precision.

A box is (row, column, width): the centre of a square and its side, in pixels. Anchors are squares of one size
around the cells of a feature map, which is `stride` times smaller than the canvas. After CIS 680 (University
of Pennsylvania, autumn 2017), homework 3, and Ren et al. 2015, "Faster R-CNN".
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import box_iou, nms

from lab.canvas import ANCHOR, CANVAS, NEGATIVE, STRIDE

REVISION = 1  # to be raised when the same boxes give other masks, offsets or scores


def anchors(canvas: int = CANVAS, stride: int = STRIDE, size: int = ANCHOR) -> Tensor:
    """(cells², 3) boxes around the cells of the feature map, row by row: centres stride/2 + stride·i."""
    centres = torch.arange(stride // 2, canvas, stride, dtype=torch.float32)
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([rows.flatten(), columns.flatten(), torch.full_like(rows.flatten(), size)], 1)


def corners(boxes: Tensor) -> Tensor:
    """(…, 3) boxes → (…, 4): left, top, right, bottom, as torchvision has them."""
    row, column, half = boxes[..., 0], boxes[..., 1], boxes[..., 2] / 2
    return torch.stack([column - half, row - half, column + half, row + half], -1)


def iou(first: Tensor, second: Tensor) -> Tensor:
    """(N, 3) and (M, 3) boxes → (N, M): area of the intersection over that of the union."""
    return box_iou(corners(first.float()), corners(second.float()))


def paired_iou(first: Tensor, second: Tensor) -> Tensor:
    """(N, 3) and (N, 3) boxes → (N,)."""
    a, b = corners(first.float()), corners(second.float())
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    shared = sides.prod(1)
    return shared / (first[:, 2] ** 2 + second[:, 2] ** 2 - shared)


def mask(boxes: Tensor, positive: float = 0.5, negative: float = NEGATIVE) -> Tensor:
    """(N, 3) boxes → (N, cells²) int8: 1 where the anchor's IoU is above `positive`, 0 up to `negative`,
    −1 between, where nothing is asked.

    ValueError where the thresholds are not 0 ≤ negative ≤ positive ≤ 1.
    """
    if not 0 <= negative <= positive <= 1:
        raise ValueError(
            f"mask thresholds must be 0 ≤ negative ≤ positive ≤ 1, not {negative} and {positive}"
        )
    shares = iou(boxes, anchors().to(boxes.device))
    found = torch.full(shares.shape, -1, dtype=torch.int8, device=boxes.device)
    found[shares <= negative] = 0
    found[shares > positive] = 1
    return found


def coverage(boxes: Tensor, positive: float) -> float:
    """Share of the boxes that have a positive anchor."""
    return (mask(boxes, positive) == 1).any(1).float().mean().item()


def encode(boxes: Tensor, around: Tensor) -> Tensor:
    """Boxes (…, 3) as offsets to anchors: (row − rowₐ)/wₐ, (column − columnₐ)/wₐ, log(w/wₐ)."""
    centre = (boxes[..., :2] - around[..., :2]) / around[..., 2:]
    return torch.cat([centre, (boxes[..., 2:].clamp(min=1) / around[..., 2:]).log()], -1)


def decode(offsets: Tensor, around: Tensor) -> Tensor:
    """The boxes of offsets (…, 3) to anchors."""
    centre = offsets[..., :2] * around[..., 2:] + around[..., :2]
    return torch.cat([centre, offsets[..., 2:].exp() * around[..., 2:]], -1)


def suppress(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Indices of the boxes (N, 3) that remain, best first: one goes where its IoU with a better one that
    remains is above `threshold` (non-maximum suppression).

    ValueError for a threshold outside [0, 1], and for scores or boxes that are no numbers.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"the threshold of suppression must be in [0, 1], not {threshold}")
    if not bool(scores.isfinite().all() and boxes.isfinite().all()):
        raise ValueError("suppression needs scores and boxes that are finite numbers")
    return nms(corners(boxes.float()), scores.float(), threshold)


def theta(boxes: Tensor, canvas: int = CANVAS) -> Tensor:
    """(N, 3) boxes → (N, 2, 3): the affine maps that look at them, as `affine_grid` takes them."""
    scale = boxes[:, 2] / canvas
    zero = torch.zeros_like(scale)
    right, down = (2 * boxes[:, axis] / canvas - 1 for axis in (1, 0))
    return torch.stack([torch.stack([scale, zero, right], 1), torch.stack([zero, scale, down], 1)], 1)


def crop(features: Tensor, maps: Tensor, size: int) -> Tensor:
    """(N, C, H, W) seen through affine maps (N, 2, 3) as (N, C, size, size): the spatial transformer of
    Jaderberg et al. 2015. Outside of the map is what is at its border, as `roi_align` has it."""
    grid = F.affine_grid(maps.to(features.dtype), [*features.shape[:2], size, size], align_corners=False)
    return F.grid_sample(features, grid, padding_mode="border", align_corners=False)


@dataclass(frozen=True)
class DetectionObjective:
    """Finding the object: cross-entropy of the asked cells' objectness, smooth L1 of the positive cells' box
    offsets, and cross-entropy of the class that the head says, each with its weight.

    Labels are (N, 4): class, row, column, width. positive: as `mask` has it. truth: whether the head is shown
    the true box in training, instead of the best proposal; in evaluation it never is. A model without a head
    has no third part, and its "accuracy" is that of the cells. "iou" and "centre_error" (pixels) are of the
    best proposal.
    """

    positive: float = 0.5
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    truth: bool = False

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        kinds, truth = labels[:, 0], labels[:, 1:].float()
        seen = model(images, truth) if self.truth and model.training else model(images)
        asked = mask(truth, self.positive)
        on, positive = asked >= 0, asked == 1
        scores, expected = seen.objectness[on], asked[on].float()
        objectness = F.binary_cross_entropy_with_logits(scores, expected)
        around = anchors().to(truth.device)
        found, targets = encode(seen.boxes, around), encode(truth[:, None].expand_as(seen.boxes), around)
        box = F.smooth_l1_loss(found[positive], targets[positive], reduction="sum") / max(
            3 * int(positive.sum()), 1
        )
        cells = seen.objectness.argmax(1)
        best = seen.boxes[torch.arange(len(cells), device=cells.device), cells]
        measured = {
            "objectness_loss": objectness,
            "box_loss": box,
            "pointwise_accuracy": ((scores > 0) == (expected > 0)).float().mean(),
            "iou": paired_iou(best, truth).mean(),
            "centre_error": (best[:, :2] - truth[:, :2]).norm(dim=1).mean(),
        }
        loss = self.weights[0] * objectness + self.weights[1] * box
        if seen.logits is None:
            measured["accuracy"] = measured["pointwise_accuracy"]
        else:
            measured["class_loss"] = F.cross_entropy(seen.logits, kinds)
            measured["accuracy"] = (seen.logits.argmax(1) == kinds).float().mean()
            loss = loss + self.weights[2] * measured["class_loss"]
        return loss, {name: value.detach() for name, value in measured.items()} | {"loss": loss.detach()}


def average_precision(
    truth: Tensor, labels: Tensor, boxes: Tensor, scores: Tensor, images: Tensor, classes: Tensor
) -> tuple[float, float]:
    """Mean average precision at IoU 0.5, and over IoU 0.5 to 0.95 in steps of 0.05, as COCO defines it.

    truth (N, 3), labels (N,): the object of each image. boxes (D, 3), scores, images, classes (D,): what was
    detected, on which of the N images, as what.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def listed(where: Tensor) -> Sequence[list[float]]:
        left, top, right, bottom = corners(where.double()).unbind(1)
        found: list[list[float]] = torch.stack([left, top, right - left, bottom - top], 1).tolist()
        return found

    areas = (truth[:, 2].double() ** 2).tolist()
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": index + 1} for index in range(len(truth))],
            "categories": [{"id": kind} for kind in sorted(set(labels.tolist()))],
            "annotations": [
                {
                    "id": index + 1,
                    "image_id": index + 1,
                    "category_id": kind,
                    "bbox": box,
                    "area": area,
                    "iscrowd": 0,
                }
                for index, (kind, box, area) in enumerate(
                    zip(labels.tolist(), listed(truth), areas, strict=True)
                )
            ],
        }
        coco.createIndex()
        if not len(boxes):
            return 0.0, 0.0
        found = coco.loadRes(
            [
                {"image_id": image + 1, "category_id": kind, "bbox": box, "score": score}
                for image, kind, box, score in zip(
                    images.tolist(), classes.tolist(), listed(boxes), scores.tolist(), strict=True
                )
            ]
        )
        evaluation = COCOeval(coco, found, "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
        precision = evaluation.eval["precision"]  # (10 thresholds, 101 recalls, classes, 1, 3)
    at_all = precision[:, :, :, 0, -1]
    return float(at_all[0].mean()), float(at_all.mean())

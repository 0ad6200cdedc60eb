"""A small Faster R-CNN for one square object on a 48×48 canvas, with any of the three kinds of stage.

Source: CIS 680 (University of Pennsylvania, autumn 2017), homework 3, after Ren et al. 2015 (proposals) and
Jaderberg et al. 2015 (spatial transformer).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from lab.canvas import CANVAS, STRIDE
from lab.detection import corners, crop, theta
from lab.networks.base import WIDTHS, plain

START = (24.0, 24.0, 32.0)  # row, column and width of every proposal before training
CELLS = CANVAS // STRIDE
LOOK = 4  # cells of the feature map that the head looks at, each way


class Seen(NamedTuple):
    """objectness: (N, 36) logits of the cells. boxes: (N, 36, 3), row, column and width in pixels.

    looked_at: (N, 3), the box that the head was shown, and logits: (N, classes), what it says of it; both
    None of a network without a head.
    """

    objectness: Tensor
    boxes: Tensor
    looked_at: Tensor | None = None
    logits: Tensor | None = None


class BaseClassifier(nn.Sequential):
    """(N, 3, 32, 32) → (N, classes): the trunk of the detector, of plain stages, and a linear classifier of
    its 4×4 cells.
    """

    input_shape = (3, 32, 32)

    def __init__(self, classes: int = 10) -> None:
        layers = _trunk(plain)
        layers["flatten"] = nn.Flatten()
        layers["linear"] = nn.Linear(WIDTHS[3] * LOOK**2, classes)
        super().__init__(layers)


class ProposalNetwork(nn.Module):
    """(N, 3, 48, 48) → Seen: three stages and a 3×3 convolution give 6×6 cells, each of which proposes a
    box.
    """

    input_shape = (3, CANVAS, CANVAS)

    def __init__(self, stage: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.trunk = nn.Sequential(_trunk(stage))
        self.intermediate = _convolution(WIDTHS[3], 256)
        self.objectness = nn.Conv2d(256, 1, 1)
        self.box = nn.Conv2d(256, 3, 1)
        assert self.box.bias is not None
        with torch.no_grad():
            self.box.bias.copy_(torch.tensor(START))

    def forward(self, x: Tensor) -> Seen:
        return self.propose(self.trunk(x))

    def propose(self, features: Tensor) -> Seen:
        """From the trunk's features (N, 256, 6, 6)."""
        hidden = self.intermediate(features)
        # a bias of about 30 and small terms: bfloat16 would round their sum to eighths of a pixel
        with torch.autocast(hidden.device.type, enabled=False):
            boxes = self.box(hidden.float())
        return Seen(self.objectness(hidden).float().flatten(1), boxes.flatten(2).transpose(1, 2))


class Detector(ProposalNetwork):
    """(N, 3, 48, 48) → Seen with logits: the head looks at 4×4 cells within one box an image.

    by: whether it looks through a spatial transformer, through which the loss of the class also moves the
    box, or by `roi_align`, through which it does not. dropout: share of the head's hidden units left out in
    training.
    """

    def __init__(
        self,
        stage: Callable[[int, int], nn.Module],
        classes: int = 10,
        *,
        by: Literal["transformer", "roi_align"] = "transformer",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(stage)
        self.by = by
        self.head = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(WIDTHS[3], 256, LOOK),
                norm=nn.BatchNorm2d(256),
                relu=nn.ReLU(),
                flatten=nn.Flatten(),
                dropout=nn.Dropout(dropout),
                linear=nn.Linear(256, classes),
            )
        )

    def forward(self, x: Tensor, look_at: Tensor | None = None) -> Seen:
        """look_at: (N, 3) boxes for the head, in place of the best proposals."""
        features = self.trunk(x)
        seen = self.propose(features)
        boxes = best(seen) if look_at is None else look_at
        return seen._replace(looked_at=boxes, logits=self.classify(features, boxes))

    def classify(self, features: Tensor, boxes: Tensor) -> Tensor:
        """Logits (N, classes) of a box (N, 3) in each of the trunk's features (N, 256, 6, 6)."""
        features = features.float()
        # a box that is not yet one, early in training, is looked at as one of 8 to 96 pixels around the
        # canvas
        boxes = torch.cat([boxes[:, :2].clamp(0, CANVAS), boxes[:, 2:].clamp(STRIDE, 2 * CANVAS)], 1)
        with torch.autocast(features.device.type, enabled=False):
            if self.by == "transformer":
                looked = crop(features, theta(boxes), LOOK)
            else:
                number = torch.arange(len(boxes), device=boxes.device, dtype=torch.float32)[:, None]
                rois = torch.cat([number, corners(boxes)], 1)
                looked = roi_align(features, rois, LOOK, 1 / STRIDE, sampling_ratio=1, aligned=True)
        logits: Tensor = self.head(looked)
        return logits.float()


def best(seen: Seen) -> Tensor:
    """(N, 3): the box of the cell with the highest objectness."""
    cells = seen.objectness.argmax(1)
    return seen.boxes[torch.arange(len(cells), device=cells.device), cells]


def _trunk(stage: Callable[[int, int], nn.Module]) -> OrderedDict[str, nn.Module]:
    """Three stages that each end in a max-pool, and a 3×3 convolution: a cell for every 8×8 pixels."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = 3
    for index, width in enumerate(WIDTHS[:3], start=1):
        layers[f"stage{index}"] = stage(inputs, width)
        layers[f"pool{index}"] = nn.MaxPool2d(2)
        inputs = width
    layers["conv4"] = _convolution(inputs, WIDTHS[3])
    return layers


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    """3×3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, 3, padding=1), norm=nn.BatchNorm2d(outputs), relu=nn.ReLU()
        )
    )

"""Three base networks of one outline: ConvNet, MobileNet-like and ResNet-like.

Source: CIS 680 (University of Pennsylvania, autumn 2017), homework 3, table 1. Five stages, each ending in a
2×2 max-pool; the first four are convolutions, separable convolutions (Howard et al. 2017) or residual blocks
(He et al. 2016).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

WIDTHS = (32, 64, 128, 256)
LAST_WIDTH = 512


def plain(inputs: int, outputs: int) -> nn.Module:
    """5×5 convolution, batch norm, ReLU."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, 5, padding=2), norm=nn.BatchNorm2d(outputs), relu=nn.ReLU()
        )
    )


def separable(inputs: int, outputs: int) -> nn.Module:
    """5×5 depthwise, batch norm, ReLU, 1×1 pointwise, batch norm, ReLU."""
    return nn.Sequential(
        OrderedDict(
            depthwise=nn.Conv2d(inputs, inputs, 5, padding=2, groups=inputs),
            norm1=nn.BatchNorm2d(inputs),
            relu1=nn.ReLU(),
            pointwise=nn.Conv2d(inputs, outputs, 1),
            norm2=nn.BatchNorm2d(outputs),
            relu2=nn.ReLU(),
        )
    )


def linear_separable(inputs: int, outputs: int) -> nn.Module:
    """As `separable`, without the ReLU between the convolutions (Chollet 2017, "Xception", section 4.7)."""
    return nn.Sequential(
        OrderedDict(
            depthwise=nn.Conv2d(inputs, inputs, 5, padding=2, groups=inputs),
            norm1=nn.BatchNorm2d(inputs),
            pointwise=nn.Conv2d(inputs, outputs, 1),
            norm2=nn.BatchNorm2d(outputs),
            relu2=nn.ReLU(),
        )
    )


class Residual(nn.Module):
    """3×3, batch norm, ReLU, 3×3, batch norm, plus a 1×1 and batch norm shortcut, then ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)
        self.shortcut_norm = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(y + self.shortcut_norm(self.shortcut(x)))


class BaseNetwork(nn.Sequential):
    """(N, 3, 32, 32) → (N, classes): four stages from `stage(inputs, outputs)`, one of 3×3, one linear."""

    input_shape = (3, 32, 32)

    def __init__(self, stage: Callable[[int, int], nn.Module], classes: int = 10) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = 3
        for index, width in enumerate(WIDTHS, start=1):
            layers[f"stage{index}"] = stage(inputs, width)
            layers[f"pool{index}"] = nn.MaxPool2d(2)
            inputs = width
        layers["conv5"] = nn.Conv2d(inputs, LAST_WIDTH, 3, padding=1)
        layers["norm5"] = nn.BatchNorm2d(LAST_WIDTH)
        layers["relu5"] = nn.ReLU()
        layers["pool5"] = nn.MaxPool2d(2)
        layers["flatten"] = nn.Flatten()
        layers["linear"] = nn.Linear(LAST_WIDTH, classes)
        super().__init__(layers)


def convnet(classes: int = 10) -> BaseNetwork:
    return BaseNetwork(plain, classes)


def mobilenet(classes: int = 10) -> BaseNetwork:
    return BaseNetwork(separable, classes)


def resnet(classes: int = 10) -> BaseNetwork:
    return BaseNetwork(Residual, classes)

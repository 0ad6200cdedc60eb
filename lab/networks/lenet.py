"""The LeNet-like baseline for CIFAR-10: three 5×5 convolutions (ReLU, 2×2 max-pool), two dense layers."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class LeNet(nn.Sequential):
    """(N, 3, 32, 32) → (N, classes); 390,410 parameters with ten classes."""

    input_shape = (3, 32, 32)

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(3, 32, 5, padding=2),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(32, 64, 5, padding=2),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                conv3=nn.Conv2d(64, 128, 5, padding=2),
                relu3=nn.ReLU(),
                pool3=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                fc1=nn.Linear(128 * 4 * 4, 64),
                relu4=nn.ReLU(),
                fc2=nn.Linear(64, classes),
            )
        )

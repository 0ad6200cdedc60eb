"""AlexNet as published: Krizhevsky, Sutskever and Hinton 2012, section 3.5 and figure 2.

The paper's two GPUs each hold half of the filters of layers 2, 4 and 5, which is a convolution of two
groups. Its input is given as 224×224 there; the arithmetic of 55×55 outputs needs 227×227, used here.
torchvision's network of that name is the one-tower network of Krizhevsky 2014, another design.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


class AlexNet(nn.Module):
    """(N, 3, 227, 227) → (N, classes). `groups` is 2 for the paper's network, 1 for one without groups."""

    input_shape = (3, 227, 227)

    def __init__(self, groups: int = 2, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 96, 11, stride=4),
                relu1=nn.ReLU(),
                norm1=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0),
                pool1=nn.MaxPool2d(3, stride=2),
                conv2=nn.Conv2d(96, 256, 5, padding=2, groups=groups),
                relu2=nn.ReLU(),
                norm2=nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0),
                pool2=nn.MaxPool2d(3, stride=2),
                conv3=nn.Conv2d(256, 384, 3, padding=1),
                relu3=nn.ReLU(),
                conv4=nn.Conv2d(384, 384, 3, padding=1, groups=groups),
                relu4=nn.ReLU(),
                conv5=nn.Conv2d(384, 256, 3, padding=1, groups=groups),
                relu5=nn.ReLU(),
                pool5=nn.MaxPool2d(3, stride=2),
            )
        )
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            OrderedDict(
                drop6=nn.Dropout(0.5),
                fc6=nn.Linear(256 * 6 * 6, 4096),
                relu6=nn.ReLU(),
                drop7=nn.Dropout(0.5),
                fc7=nn.Linear(4096, 4096),
                relu7=nn.ReLU(),
                fc8=nn.Linear(4096, classes),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.flatten(self.features(x)))


def two_gpus() -> AlexNet:
    """The paper's network, two groups in layers 2, 4 and 5."""
    return AlexNet(groups=2)


def one_gpu() -> AlexNet:
    """The same widths without groups."""
    return AlexNet(groups=1)

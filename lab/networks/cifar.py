"""The two designs for CIFAR-10 of the study: a normalised LeNet, and a whitened residual-free speed network.

Design A keeps the outline of `lab.networks.lenet` and changes what may help one thing at a time. Design B
is after Keller Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024), with narrower blocks so
that a CPU can train it.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


class NormalisedLeNet(nn.Sequential):
    """(N, 3, 32, 32) → (N, classes): three convolutions of `kernel`, each halved, and two dense layers.

    normalised: batch norm after each convolution. strided: the convolution halves by its stride, not a
    max-pool. activation: GELU, or ReLU. 390,634 parameters at its defaults.
    """

    input_shape = (3, 32, 32)

    def __init__(
        self,
        classes: int = 10,
        *,
        kernel: int = 5,
        normalised: bool = True,
        strided: bool = False,
        activation: type[nn.Module] = nn.GELU,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = 3
        for index, width in enumerate((32, 64, 128), start=1):
            layers[f"conv{index}"] = nn.Conv2d(
                inputs, width, kernel, padding=kernel // 2, stride=2 if strided else 1, bias=not normalised
            )
            if normalised:
                layers[f"norm{index}"] = nn.BatchNorm2d(width)
            layers[f"act{index}"] = activation()
            if not strided:
                layers[f"pool{index}"] = nn.MaxPool2d(2)
            inputs = width
        layers["flatten"] = nn.Flatten()
        layers["fc1"] = nn.Linear(inputs * 4 * 4, 64)
        layers["act4"] = activation()
        layers["fc2"] = nn.Linear(64, classes)
        super().__init__(layers)


class WhitenedNetwork(nn.Module):
    """(N, 3, 32, 32) → (N, classes): a fixed 2×2 whitening convolution, three blocks of two 3×3 convolutions.

    Call `whiten` with training images first. Convolutions begin as the identity on their first channels
    (Dirac); batch norm learns no scale; the logits are multiplied by 1/9.
    """

    input_shape = (3, 32, 32)

    def __init__(self, classes: int = 10, widths: tuple[int, int, int] = (64, 256, 256)) -> None:
        super().__init__()
        self.whitening = nn.Conv2d(3, 24, 2)
        self.whitening.weight.requires_grad_(False)
        self.act = nn.GELU()
        blocks = []
        inputs = 24
        for width in widths:
            blocks.append(_block(inputs, width))
            inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.MaxPool2d(3)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(inputs, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.whitening(x))  # (N, 24, 31, 31)
        x = self.pool(self.blocks(x))  # (N, width, 1, 1)
        logits: Tensor = self.linear(self.flatten(x)) / 9
        return logits

    @torch.no_grad()
    def whiten(self, images: Tensor, eps: float = 5e-4) -> None:
        """Set the first layer to the eigenvectors of 2×2 patches of normalised `images` (N, 3, 32, 32), and
        their negatives, scaled to unit variance.
        """
        patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
        covariance = (patches.T @ patches) / len(patches)
        values, vectors = torch.linalg.eigh(covariance.double())
        scaled = (vectors / (values + eps).sqrt()).T.float().reshape(12, 3, 2, 2)
        self.whitening.weight.copy_(torch.cat([scaled, -scaled]))
        if self.whitening.bias is not None:
            nn.init.zeros_(self.whitening.bias)


def _block(inputs: int, width: int) -> nn.Sequential:
    """3×3, 2×2 max-pool, batch norm, GELU, 3×3, batch norm, GELU."""
    block = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(inputs, width, 3, padding=1, bias=False),
            pool=nn.MaxPool2d(2),
            norm1=_norm(width),
            act1=nn.GELU(),
            conv2=nn.Conv2d(width, width, 3, padding=1, bias=False),
            norm2=_norm(width),
            act2=nn.GELU(),
        )
    )
    for conv in (block.get_submodule("conv1"), block.get_submodule("conv2")):
        assert isinstance(conv, nn.Conv2d)
        nn.init.dirac_(conv.weight[: conv.in_channels])
    return block


def _norm(width: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(width, momentum=0.4)  # torch's momentum is 1 − Jordan's
    norm.weight.requires_grad_(False)
    return norm

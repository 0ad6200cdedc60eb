"""Networks that place faces so that those of one person lie close: the tower of a Siamese network for 100×100
grey faces, and a linear layer on the activations of another network.

Source of the tower: V. Maksimovic, "Siamese network in PyTorch with application to face similarity"
(datahacker.rs, 2020).
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


class ExactLinear(nn.Linear):
    """A linear layer that computes in float32 where those around it compute in bfloat16."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "meta":  # counted only
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class SiameseTower(nn.Sequential):
    """(N, 1, 100, 100) → (N, width); 2,168,642 parameters at a width of 2.

    Two numbers say where a face lies, so that they need their digits: the linear layers compute in float32.
    """

    input_shape = (1, 100, 100)

    def __init__(self, width: int = 2) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(1, 96, 11, stride=4),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(3, 2),
                conv2=nn.Conv2d(96, 256, 5),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                conv3=nn.Conv2d(256, 384, 3),
                relu3=nn.ReLU(),
                flatten=nn.Flatten(),
                fc1=ExactLinear(384, 1024),
                relu4=nn.ReLU(),
                fc2=ExactLinear(1024, 256),
                relu5=nn.ReLU(),
                fc3=ExactLinear(256, width),
            )
        )


class DistanceNetwork(nn.Module):
    """Another network, beside whose weights the largest distance between its outputs is kept: `largest`.

    In training its batch norm keeps the statistics that it came with: those of a batch of pairs, half of them
    of one person, would take away what tells people apart.
    """

    largest: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("largest", torch.zeros(()))

    def train(self, mode: bool = True) -> DistanceNetwork:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase):
                module.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.network(images)
        return outputs


class TowerWithPeople(SiameseTower):
    """A `SiameseTower`, beside which the directions of the people trained on are the rows of
    `people.weight`, which is no part of its forward.
    """

    def __init__(self, width: int, people: int) -> None:
        super().__init__(width)
        self.people = nn.Linear(width, people, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        for name, layer in self.named_children():
            if name != "people":
                x = layer(x)
        return x


class LinearEmbedding(nn.Module):
    """(N, C, H, W) activations → (N, width), with dropout before the layer in training.

    people: those trained on, whose directions in the space of the embedding are the rows of `people.weight`.
    """

    def __init__(self, shape: tuple[int, ...], width: int, people: int, dropout: float = 0.3) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(int(torch.tensor(shape).prod()), width)
        self.people = nn.Linear(width, people, bias=False)

    def forward(self, activations: Tensor) -> Tensor:
        embedded: Tensor = self.linear(self.dropout(activations.flatten(1)))
        return embedded

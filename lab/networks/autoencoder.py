"""A small autoencoder: one hidden layer, the code, between an image and its reconstruction."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn
from torch.nn import functional as F


class Autoencoder(nn.Module):
    """(N, C, H, W) → logits of the pixels (N, C, H, W), by way of a code (N, units) that is never negative.

    The features that the decoder adds up have length one, so that a code cannot be made small, which an L1
    penalty rewards, by making them large.
    """

    def __init__(self, input_shape: tuple[int, ...], units: int) -> None:
        super().__init__()
        self.input_shape = input_shape
        pixels = prod(input_shape)
        self.encoder = nn.Linear(pixels, units)
        self.decoder = nn.Linear(units, pixels)

    def encode(self, images: Tensor) -> Tensor:
        return F.relu(self.encoder(images.flatten(1)))

    def features(self) -> Tensor:
        """(units, C, H, W): what each unit of the code adds to the logits."""
        return F.normalize(self.decoder.weight, dim=0).T.reshape(-1, *self.input_shape)

    def decode(self, code: Tensor) -> Tensor:
        """Logits of the pixels (N, C, H, W)."""
        logits = F.linear(code, F.normalize(self.decoder.weight, dim=0), self.decoder.bias)
        return logits.unflatten(1, self.input_shape)

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))

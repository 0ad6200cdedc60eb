"""Images and what is made of them again: noise, losses, the objective of an autoencoder, and plain filters.

Images are float (N, C, H, W) with pixels in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

REVISION = 1  # to be raised when the same settings and seed give another network or another figure

Loss = Literal["squared", "cross-entropy", "absolute"]


def noisy(images: Tensor, noise: float, generator: torch.Generator | None = None) -> Tensor:
    """Gaussian noise of that standard deviation added, and what leaves [0, 1] cut off.

    Drawn on the CPU, so that a seed draws the same on every device. ValueError for noise outside [0, 1].
    """
    if not 0 <= noise <= 1:
        raise ValueError(f"noise is a standard deviation in [0, 1] of pixels in [0, 1], not {noise}")
    drawn = torch.randn(images.shape, generator=generator).to(images.device)
    return (images + noise * drawn).clamp(0, 1)


def loss_of(logits: Tensor, images: Tensor, loss: Loss) -> Tensor:
    """Mean over pixels: of squares, of the binary cross-entropy (nats), or of absolute differences."""
    if loss == "cross-entropy":
        return F.binary_cross_entropy_with_logits(logits, images)
    measured = F.mse_loss if loss == "squared" else F.l1_loss
    return measured(logits.sigmoid(), images)


@dataclass(frozen=True)
class Reconstruction:
    """Giving an image back from a noisy copy of it: the loss between the model's output and the image
    without noise, and `sparsity` times the mean of the code (L1; Vincent et al. 2008 have the noise).

    The model is a `lab.networks.autoencoder.Autoencoder`. "accuracy": share of pixels that are on the right
    side of one half. "active": share of the code's units above zero.
    """

    loss: Loss = "squared"
    noise: float = 0.0
    sparsity: float = 0.0

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        shown = noisy(images, self.noise) if self.noise else images
        code = model.encode(shown)  # type: ignore[operator]
        logits = model.decode(code).float()  # type: ignore[operator]
        loss = loss_of(logits, images, self.loss)
        measured = {
            "loss": loss,
            "accuracy": ((logits > 0) == (images > 0.5)).float().mean(),
            "active": (code > 0).float().mean(),
        }
        return loss + self.sparsity * code.mean(), {name: value.detach() for name, value in measured.items()}


def psnr(first: Tensor, second: Tensor) -> float:
    """Peak signal-to-noise ratio in decibels of pixels in [0, 1], from the mean square over all images."""
    square = (first.double() - second.double()).square().mean().item()
    return -10 * math.log10(square) if square else math.inf


def absolute_error(first: Tensor, second: Tensor) -> float:
    """Mean absolute difference of pixels."""
    return (first.double() - second.double()).abs().mean().item()


def smoothed(images: Tensor, width: float) -> Tensor:
    """Filtered with a Gaussian of that standard deviation in pixels, the border repeated."""
    from scipy.ndimage import gaussian_filter

    filtered = gaussian_filter(images.cpu().numpy(), (0, 0, width, width), mode="nearest")
    return torch.from_numpy(filtered)


@dataclass(frozen=True)
class Components:
    """Principal components of training images: mean (D,) and directions (K, D), largest variance first."""

    mean: NDArray[np.float32]
    directions: NDArray[np.float32]

    @classmethod
    def of(cls, images: Tensor) -> Components:
        pixels = images.flatten(1).double().cpu().numpy()
        mean = pixels.mean(0)
        directions = np.linalg.svd(pixels - mean, full_matrices=False)[2]
        return cls(mean.astype(np.float32), directions.astype(np.float32))

    def projected(self, images: Tensor, count: int) -> Tensor:
        """What `count` components keep of the images, cut off to [0, 1]."""
        chosen = self.directions[:count]
        pixels = images.flatten(1).cpu().numpy() - self.mean
        kept = torch.from_numpy(pixels @ chosen.T @ chosen + self.mean)
        return kept.clamp(0, 1).reshape(images.shape)


def best_of(made: Sequence[Tensor], images: Tensor) -> int:
    """Which of several reconstructions has the largest PSNR."""
    ratios = [psnr(one, images) for one in made]
    return ratios.index(max(ratios))

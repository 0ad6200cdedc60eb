"""Random augmentation of whole batches on their device, and the fixed changes that robustness is tested with.

Images are uint8 or float (N, C, H, W). All that is random for an epoch is drawn at once, on the CPU, so
that the same seed gives the same epoch on every device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from lab.recipes import Augmentation

REVISION = 1  # to be raised when the same seed gives other images


@dataclass(frozen=True)
class Draw:
    """One epoch's random choices for N images: mirrored or not, translations, corners of the squares."""

    mirrored: Tensor  # (N,) bool
    shifts: Tensor  # (N, 2) int64, rows and columns
    corners: Tensor  # (N, 2) in [0, 1)

    def to(self, device: str) -> Draw:
        return Draw(self.mirrored.to(device), self.shifts.to(device), self.corners.to(device))


def draw(augmentation: Augmentation, count: int, epoch: int, seed: int, generator: torch.Generator) -> Draw:
    """The choices of one epoch; `seed` alone decides who is mirrored first when flips alternate."""
    mirrored = torch.zeros(count, dtype=torch.bool)
    if augmentation.flip == "random":
        mirrored = torch.rand(count, generator=generator) < 0.5
    elif augmentation.flip == "alternating":
        first = torch.rand(count, generator=torch.Generator().manual_seed(seed)) < 0.5
        mirrored = first ^ bool(epoch % 2)
    reach = augmentation.shift
    shifts = torch.randint(-reach, reach + 1, (count, 2), generator=generator)
    corners = torch.rand(count, 2, generator=generator)
    return Draw(mirrored, shifts, corners)


def augment(images: Tensor, augmentation: Augmentation, choices: Draw, indices: Tensor) -> Tensor:
    """The batch `images` (which are number `indices` of the set), mirrored, moved and cut as was drawn.

    ValueError where the shift or the square is too large for the images.
    """
    count, _, height, width = images.shape
    side = min(height, width)
    if augmentation.shift >= side or augmentation.cutout > side:
        raise ValueError(
            f"images of {height}×{width} pixels can move by at most {side - 1} and be cut by at most {side}, "
            f"not by {augmentation.shift} and {augmentation.cutout}"
        )
    if augmentation.flip != "none" or augmentation.shift:
        # one gather does both: where each pixel comes from, by row and by column
        rows = torch.arange(height, device=images.device) - choices.shifts[indices, 0, None]
        columns = torch.arange(width, device=images.device) - choices.shifts[indices, 1, None]
        columns = torch.where(choices.mirrored[indices, None], width - 1 - columns, columns)
        rows, columns = _reflected(rows, height), _reflected(columns, width)
        batch = torch.arange(count, device=images.device)[:, None, None]
        images = images.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if augmentation.cutout:
        images = images * ~_squares(images, augmentation.cutout, choices.corners[indices])
    return images


def kept_inside(choices: Draw, squares: Tensor, side: int) -> Draw:
    """The choices with shifts so short that every square of an image of side × side pixels stays on it.

    squares: int64 (N, 3), centre row, centre column and width, of which half, rounded down, lies before the
    centre.
    """
    mirrored = _mirrored(squares, choices.mirrored, side)
    first = mirrored[:, :2] - mirrored[:, 2:] // 2
    last = first + mirrored[:, 2:]
    shifts = torch.minimum(torch.maximum(choices.shifts, -first.clamp(min=0)), (side - last).clamp(min=0))
    return replace(choices, shifts=shifts)


def move_boxes(squares: Tensor, choices: Draw, indices: Tensor, side: int) -> Tensor:
    """The squares (N, 3) of a batch after `augment` has mirrored and moved their images."""
    moved = _mirrored(squares, choices.mirrored[indices], side)
    return torch.cat([moved[:, :2] + choices.shifts[indices], moved[:, 2:]], 1)


def _mirrored(squares: Tensor, where: Tensor, side: int) -> Tensor:
    row, column, width = squares.unbind(1)
    return torch.stack([row, torch.where(where, side - column - width % 2, column), width], 1)


def _reflected(position: Tensor, size: int) -> Tensor:
    """Positions outside 0 … size−1 mirrored back at the border."""
    position = position.abs()
    return torch.where(position >= size, 2 * (size - 1) - position, position)


def _squares(images: Tensor, side: int, corners: Tensor) -> Tensor:
    """(N, 1, H, W) bool: a square of `side` pixels wholly inside each image."""
    inside = []
    for axis, size in enumerate(images.shape[2:]):
        start = (corners[:, axis] * (size - side + 1)).floor()[:, None]
        at = torch.arange(size, device=images.device)
        inside.append((at >= start) & (at < start + side))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def translated(images: Tensor) -> Tensor:
    """Moved by a tenth of the width to the right and down, the border repeated."""
    by = images.shape[-1] // 10
    return F.pad(images, (by, 0, by, 0), mode="replicate")[..., : images.shape[-2], : images.shape[-1]]


#: Changes to a test image (N, C, H, W) in [0, 1]; after the hand-out of MIT 6.867, homework 3, with our own
#: amounts.
CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "translated": translated,
    "brightened": lambda images: (images + 0.2).clamp(0, 1),
    "darkened": lambda images: (images - 0.2).clamp(0, 1),
    "high_contrast": lambda images: ((images - 0.5) * 1.5 + 0.5).clamp(0, 1),
    "low_contrast": lambda images: (images - 0.5) * 0.5 + 0.5,
    "flipped": lambda images: images.flip(-1),
    "upside_down": lambda images: images.flip(-2),
    "inverted": lambda images: 1 - images,
}

"""Pictures as results hold them: small PNG files in base64."""

from __future__ import annotations

import base64
import io
from typing import Any


def png(pixels: Any) -> str:
    """uint8 tensor or array, (3, H, W) in colour or (H, W) in grey."""
    import numpy as np
    from PIL import Image

    array = np.asarray(pixels.cpu() if hasattr(pixels, "cpu") else pixels)
    file = io.BytesIO()
    shown = array if array.ndim == 2 else array.transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(shown)).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def signed(weights: Any) -> str:
    """A float tensor (H, W) or (3, H, W) in which mid-grey is zero, and white or black the largest."""
    scale = weights.abs().max().clamp(min=1e-9)
    return png((127.5 + 127.5 * weights / scale).round().byte())


def heat(values: Any) -> str:
    """A float tensor (H, W), none below zero: black is zero, white its 99th percentile and above."""
    scale = values.flatten().float().quantile(0.99).clamp(min=1e-9)
    return png((255 * (values / scale).clamp(0, 1)).round().byte())

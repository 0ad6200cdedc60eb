"""Pictures as results hold them: small PNG files in base64."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from results.schema import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from lab.datasets import ImageSet

DRAWN = 112  # pixels of a drawn picture
#: Of the photographs that scikit-learn and scikit-image ship.
CREDITS = {
    "china": "danielbuechele, CC BY 2.0",
    "flower": "vultilion, CC BY 2.0",
    "cat": "Stéfan van der Walt, CC0",
    "astronaut": "NASA, public domain",
}


def png(pixels: Any) -> str:
    """uint8 tensor or array, (3, H, W) in colour or (H, W) in grey."""
    import numpy as np
    from PIL import Image

    array = np.asarray(pixels.cpu() if hasattr(pixels, "cpu") else pixels)
    file = io.BytesIO()
    shown = array if array.ndim == 2 else array.transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(shown)).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def array_of(picture: str) -> NDArray[Any]:
    """What `png` made a picture of: uint8 (3, H, W) or (H, W)."""
    import numpy as np
    from PIL import Image

    array = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
    return array if array.ndim == 2 else array.transpose(2, 0, 1)


def signed(weights: Any) -> str:
    """A float tensor (H, W) or (3, H, W) in which mid-grey is zero, and white or black the largest."""
    scale = weights.abs().max().clamp(min=1e-9)
    return png((127.5 + 127.5 * weights / scale).round().byte())


def heat(values: Any) -> str:
    """A float tensor (H, W), none below zero: black is zero, white its 99th percentile and above."""
    scale = values.flatten().float().quantile(0.99).clamp(min=1e-9)
    return png((255 * (values / scale).clamp(0, 1)).round().byte())


def shown(pixels: Any) -> str:
    """An image of a data set, uint8 (1 or 3, H, W)."""
    return png(pixels[0] if len(pixels) == 1 else pixels)


def drawn(images: Tensor) -> Tensor:
    """(C, H, W) of any number as float (C, DRAWN, DRAWN)."""
    from torch.nn import functional as F

    mode = "area" if images.shape[-1] > DRAWN else "nearest"
    return F.interpolate(images[None].float(), (DRAWN, DRAWN), mode=mode)[0]


def samples(images: ImageSet, classes: Sequence[str], each: int, counted: bool = False) -> list[Picture]:
    """The first `each` images of every one of these classes, a rule that does not look at them; `counted`:
    with the number of images of the class in the title.
    """
    import numpy as np

    found = []
    for name in classes:
        where = np.flatnonzero(images.labels == images.classes.index(name))
        words = name.replace("_", " ")
        title = f"{words} ({len(where)})" if counted else words
        found += [Picture(png=shown(images.images[at]), title=title) for at in where[:each]]
    return found


def credit(*images: str) -> str:
    """A sentence that names who took the photographs, for the end of a caption; empty for one's own."""
    credits = [CREDITS[image] for image in dict.fromkeys(images) if image in CREDITS]
    return f" Photograph{'s' * (len(credits) > 1)}: {'; '.join(credits)}." if credits else ""

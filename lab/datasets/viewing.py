"""An image file as a viewer shows it: upright, opaque, 8 bits a channel, whatever the file's own mode is.

Training, pictures of results and interpretation all read photographs through `viewed`. Of several frames the
first is taken; colours are those that the file states, without its colour profile.
"""

from __future__ import annotations

import warnings
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels, as the file stores them
ORIENTATION, BITS, PHOTOMETRIC = 274, 258, 262  # tags of EXIF and TIFF
WHITE_IS_ZERO = 0
#: Highest value of a grey PNG of fewer than 8 bits, whose transparent value is stated in that scale.
FEW_BITS = {"L;2": 3, "L;4": 15}


class Unclear(ValueError):
    """An image file that decodes to numbers of which white and black are not stated."""


def viewed(file: IO[bytes], box: Box | None = None) -> Image:
    """The picture in mode L or RGB: 16 bits are scaled to 8, transparency shows white, EXIF turns it upright.

    box: only what lies in it. Pillow's exceptions where the file cannot be decoded whole; Unclear where its
    numbers have no stated white.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large photographs and odd metadata; what cannot be read raises
        with Image.open(file) as image:
            raw = _raw_mode(image)
            image.load()
            turn = _turn(image)
            photometric, bits = _tiff_tags(image)
            cut = image.crop(box) if box else image
            shown = _opaque(_eight_bits(cut, image.format or "", photometric, bits), raw)
    return shown if turn is None else shown.transpose(turn)


def _raw_mode(image: Image) -> str:
    """How the decoder finds the values in the file, such as "RGB;16B"; known before they are decoded."""
    tiles: Any = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles and len(tiles[0]) > 3 else ""
    if isinstance(arguments, tuple):
        arguments = arguments[0] if arguments else ""
    return arguments if isinstance(arguments, str) else ""


def _turn(image: Image) -> Any:
    """What brings an image upright, None where it is. Damaged EXIF says nothing."""
    from PIL.Image import Transpose

    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # Pillow raises nearly anything on damaged bytes
        return None
    return {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation or 1)


def _tiff_tags(image: Image) -> tuple[int, int]:
    """Photometric interpretation and bits a value of a TIFF; (1, 16), black is zero, of others."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(BITS, (16,))
    return int(tags.get(PHOTOMETRIC, 1)), int(bits[0] if isinstance(bits, tuple) else bits)


def _eight_bits(image: Image, kind: str, photometric: int, bits: int) -> Image:
    """Grey of more than 8 bits → L, or LA where one value is transparent; other images as they are."""
    from PIL import Image

    if image.mode not in ("I", "F", "I;16", "I;16B", "I;16L", "I;16N"):
        return image
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        white = 2.0 ** (bits if kind == "TIFF" and 8 < bits < 16 else 16) - 1
    elif image.mode == "I" and kind in ("PPM", "PNG"):
        white = 65535.0  # to which Pillow scales them
    elif image.mode == "F" and values.size and values.min() >= 0 and values.max() <= 1:
        white = 1.0
    else:
        what = "fractions beyond 0 to 1" if image.mode == "F" else "whole numbers of 32 bits"
        raise Unclear(f"it holds {what}, of which white is not stated; save it with 8 or 16 bits a channel")
    scaled = np.rint(values * (255.0 / white)).clip(0, 255).astype(np.uint8)
    if kind == "TIFF" and photometric == WHITE_IS_ZERO:
        scaled = 255 - scaled
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return Image.fromarray(scaled)
    alpha = np.where(values == transparent, 0, 255).astype(np.uint8)
    return Image.merge("LA", (Image.fromarray(scaled), Image.fromarray(alpha)))


def _opaque(image: Image, raw: str) -> Image:
    """On white, in mode L or RGB."""
    from PIL import Image

    transparent = image.info.get("transparency")
    if image.mode == "L" and isinstance(transparent, int) and raw in FEW_BITS:
        image.info["transparency"] = transparent * 255 // FEW_BITS[raw]
    if image.mode == "RGB" and isinstance(transparent, tuple) and ";16" in raw:
        image.info["transparency"] = tuple(value >> 8 for value in transparent)
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data or image.mode == "La":
        with_alpha = image.convert("LA") if image.mode == "La" else image
        pixels = np.asarray(with_alpha.convert("RGBA"))
        composed = _on_white(pixels[..., :3], pixels[..., 3:])
        return Image.fromarray(composed[..., 0] if grey else composed)
    if grey:
        return image if image.mode == "L" else image.convert("L")
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(ink: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each value blended with white by its alpha, rounded to the nearest."""
    share = alpha.astype(np.uint32)
    mixed: NDArray[np.uint8] = ((ink * share + 255 * (255 - share) + 127) // 255).astype(np.uint8)
    return mixed

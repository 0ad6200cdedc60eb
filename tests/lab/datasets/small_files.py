"""Small real files, to be laid out as the official releases are."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def pixels(seed: int, height: int = 8, width: int = 8, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels) if channels == 3 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(seed: int, ending: str = ".png", **shape: int) -> bytes:
    """An image file. PNG, PPM, PGM and BMP hold its pixels exactly."""
    opened = io.BytesIO()
    kind = {".jpg": "JPEG", ".pgm": "PPM", ".ppm": "PPM", ".png": "PNG", ".bmp": "BMP"}[ending]
    Image.fromarray(pixels(seed, **shape)).save(opened, kind)
    return opened.getvalue()


def write(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def packed(path: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def classes(kinds: dict[str, int], ending: str = ".png", start: int = 0) -> dict[str, bytes]:
    """CLASS/0000.png …, every image another."""
    files = {}
    for kind, count in kinds.items():
        for number in range(count):
            files[f"{kind}/{number:04d}{ending}"] = encoded(start + len(files), ending)
    return files

"""Encoded images → one uint8 array, decoded by several processes once and kept as a memory-mapped file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lab.datasets.files import Files
from lab.datasets.images import DataError

Damaged = Literal["refuse", "skip"]
CHUNK = 2_000  # images a process decodes at a time; fewer are decoded in this one
DECODING = 1  # part of the key of the kept files: raise it when the same bytes give other pixels


@dataclass(frozen=True)
class Wanted:
    """Files to decode to one shape. `boxes` are (left, top, right, bottom) in pixels, to cut out first."""

    files: Files
    names: tuple[str, ...]
    grey: bool
    size: tuple[int, int] | None  # height, width; None: as they are, all of one size
    boxes: tuple[tuple[int, int, int, int], ...] = ()


def cache_folder() -> Path:
    """Where decoded and fetched data is kept: `CONVSTUDY_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("CONVSTUDY_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("convstudy"))


def decoded(wanted: Wanted, damaged: Damaged = "refuse") -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """The images (N, C, H, W), and the indices of `wanted.names` that they are.

    All of them, unless `damaged` is "skip" and some could not be decoded. DataError names these otherwise.
    """
    kept = cache_folder() / "images" / f"{_key(wanted)}.npy"
    skipped_file = kept.with_suffix(".json")
    try:
        skipped = json.loads(skipped_file.read_text())
        images = np.load(kept, mmap_mode="r")
    except (OSError, ValueError):
        images, failures = _decode_all(wanted)
        skipped = dict(sorted(failures.items()))
        _keep(kept, images, json.dumps(skipped))
        if kept.exists():
            images = np.load(kept, mmap_mode="r")
    if skipped and damaged == "refuse":
        first = "; ".join(f"{wanted.names[int(index)]}: {why}" for index, why in list(skipped.items())[:3])
        raise DataError(
            f"{len(skipped)} of {len(wanted.names)} images in {wanted.files.path} cannot be used ({first}); "
            "copy them again, remove them, or leave them out with `--set damaged=skip`"
        )
    left_out = {int(index) for index in skipped}
    return images, tuple(index for index in range(len(wanted.names)) if index not in left_out)


def _key(wanted: Wanted) -> str:
    said = (wanted.files.fingerprint, wanted.names, wanted.grey, wanted.size, wanted.boxes, DECODING)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _keep(file: Path, images: NDArray[np.uint8], skipped: str) -> None:
    """Write both files whole or not at all; DataError where there is no room."""
    temporary: str | None = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".part")
        with os.fdopen(handle, "wb") as opened:
            np.save(opened, images)
        Path(temporary).replace(file)
        file.with_suffix(".json").write_text(skipped)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise DataError(
            f"{images.nbytes / 1e6:.0f} MB of decoded images cannot be kept in {file.parent} ({error.strerror}); "
            "make room there, or choose another folder with the environment variable CONVSTUDY_CACHE"
        ) from None


def _decode_all(wanted: Wanted) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """The images that can be decoded, and the reason by index of those that cannot."""
    starts = range(0, len(wanted.names), CHUNK)
    workers = min(os.cpu_count() or 1, len(starts))
    if workers < 2:
        parts = [_decode(wanted, start) for start in starts]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(_decode, [wanted] * len(starts), starts))
    failures = {index: why for _, failed in parts for index, why in failed.items()}
    images = [image for decoded_part, _ in parts for image in decoded_part]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise DataError(
            f"the images in {wanted.files.path} differ in size ({_some(shapes)}); "
            "say which size they shall have"
        )
    if not images:
        raise DataError(f"no image in {wanted.files.path} can be used; copy it again")
    return np.stack(images), failures


def _some(shapes: set[tuple[int, ...]]) -> str:
    return ", ".join("×".join(map(str, shape[1:])) for shape in sorted(shapes)[:3])


def _decode(wanted: Wanted, start: int) -> tuple[Sequence[NDArray[np.uint8]], dict[int, str]]:
    """One chunk, as arrays (C, H, W)."""
    from PIL import Image, ImageOps

    images: list[NDArray[np.uint8]] = []
    failures: dict[int, str] = {}
    with wanted.files.reading() as reader:
        for index, name in enumerate(wanted.names[start : start + CHUNK], start):
            try:
                with Image.open(io.BytesIO(reader.bytes(name))) as opened:
                    image = opened.convert("L" if wanted.grey else "RGB")
            except (DataError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                failures[index] = str(error) or type(error).__name__
                continue
            if wanted.boxes:
                image = image.crop(wanted.boxes[index])
            if wanted.size:
                height, width = wanted.size
                image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
            pixels = np.asarray(image)
            images.append(pixels[None] if wanted.grey else np.moveaxis(pixels, -1, 0))
    return images, failures

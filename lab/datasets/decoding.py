"""Encoded images → one uint8 array, decoded by several processes once and kept as a memory-mapped file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.datasets import cache
from lab.datasets.files import Files, Reader
from lab.datasets.images import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Damaged = Literal["refuse", "skip"]


class Whole(NamedTuple):
    """A size that whole images are scaled to, whatever their shape; to any other they are scaled and cut."""

    height: int
    width: int


Size = tuple[int, int] | None  # height, width; None: as they are
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
Pixels = NDArray[np.uint8]
BATCH = 200  # images decoded between two messages of a process
FEW = 2_000  # images that one process decodes sooner than others can be started
DECODING = 2  # part of the key of the kept files: raise it when the same bytes give other pixels


@dataclass(frozen=True)
class Wanted:
    """Files to decode to one shape; with `boxes`, only what lies in them, one a file."""

    files: Files
    names: tuple[str, ...]
    grey: bool
    size: Size
    boxes: tuple[Box, ...] = ()


def decoded(wanted: Wanted, damaged: Damaged = "refuse") -> tuple[Pixels, tuple[int, ...]]:
    """The images (N, C, H, W), and the indices of `wanted.names` that they are.

    All of them, unless `damaged` is "skip" and some could not be decoded. DataError names these otherwise.
    """
    everything = tuple(range(len(wanted.names)))
    kept = cache.cache_folder() / "images" / f"{_key(wanted)}.npy"
    images = _mapped(kept)
    if images is not None:
        return images, everything
    with cache.making(kept) as part:
        images = _mapped(kept)  # perhaps another process has made it meanwhile
        if images is not None:
            return images, everything
        shape, offset, failures = _decode_into(part, wanted)
        if not failures:
            part.replace(kept)
            return np.load(kept, mmap_mode="c"), everything
        if damaged == "refuse":
            raise _refusal(wanted, failures)
        # Not kept: a damaged file may be mended without a change of its name, size or stated CRC.
        rest = np.fromfile(part, np.uint8, offset=offset).reshape(-1, *shape)
        return rest, tuple(index for index in everything if index not in failures)


def reshaped(images: Pixels, size: Size, grey: bool) -> Pixels:
    """(N, C, H, W) that are decoded already, as `decoded` would give them."""
    from PIL import Image

    if (size is None or size == images.shape[2:]) and images.shape[1] == (1 if grey else 3):
        return images
    frames = (Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)) for image in images)
    return np.stack([_shaped(frame, size, grey) for frame in frames])


def _key(wanted: Wanted) -> str:
    said: tuple[object, ...] = (
        *(wanted.files.fingerprint, wanted.names, wanted.grey, wanted.size, wanted.boxes, DECODING),
        *(["whole"] if isinstance(wanted.size, Whole) else []),
    )
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _mapped(file: Path) -> Pixels | None:
    try:
        images: Pixels = np.load(file, mmap_mode="c")
    except (OSError, ValueError):
        return None
    return images


def _refusal(wanted: Wanted, failures: dict[int, str]) -> DataError:
    first = "; ".join(why for _, why in sorted(failures.items())[:3])
    return DataError(
        f"{len(failures)} of {len(wanted.names)} images in {wanted.files.origin} cannot be used ({first}); "
        "copy them again, remove them, or leave them out with `--set data.damaged=skip`"
    )


def _decode_into(part: Path, wanted: Wanted) -> tuple[tuple[int, ...], int, dict[int, str]]:
    """Write the images as .npy; their shape (C, H, W), where they start, and why some failed, by index."""
    shape: tuple[int, ...] = ()
    offset = 0
    failures: dict[int, str] = {}
    with part.open("wb") as opened:
        for images, failed in _batches(wanted):
            failures |= failed
            for image in images:
                if not shape:
                    shape = image.shape
                    header = {"descr": "|u1", "fortran_order": False, "shape": (len(wanted.names), *shape)}
                    np.lib.format.write_array_header_1_0(opened, header)
                    offset = opened.tell()
                if image.shape != shape:
                    raise DataError(
                        f"the images in {wanted.files.origin} differ in size ({_text(shape)}, "
                        f"{_text(image.shape)}); say which size they shall have"
                    )
                opened.write(image.tobytes())
    if not shape:
        raise _refusal(wanted, failures)
    return shape, offset, failures


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape[1:]))


Decoded = tuple[list[Pixels], dict[int, str]]
_worker: tuple[Reader, bool, Size]  # of a process that decodes: what it reads, and how


def _batches(wanted: Wanted) -> Iterator[Decoded]:
    """The images in their order, batch by batch, as arrays (C, H, W)."""
    starts = range(0, len(wanted.names), BATCH)
    work = [
        (start, wanted.names[start : start + BATCH], wanted.boxes[start : start + BATCH]) for start in starts
    ]
    setting = (wanted.files.path, wanted.files.prefix, wanted.grey, wanted.size)
    workers = os.cpu_count() or 1
    if workers < 2 or len(wanted.names) <= FEW:
        with wanted.files.reading() as reader:
            for task in work:
                yield _decode(reader, wanted.grey, wanted.size, *task)
        return
    context = get_context("spawn")  # a fork would copy the locks of torch's threads
    try:
        with ProcessPoolExecutor(min(workers, len(work)), context, _start_worker, setting) as pool:
            with _without_main():
                batches = pool.map(_work, work)  # starts the processes
            yield from batches
    except BrokenProcessPool:
        raise DataError(
            f"a process that decoded {wanted.files.origin} was ended from outside; perhaps the memory is full"
        ) from None


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes started meanwhile do not run the main script again, which they have no need of.

    So they start sooner, and a script needs no main guard and may come from standard input.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start_worker(path: Path, prefix: str, grey: bool, size: Size) -> None:
    """Open the files once a process: the list of a zip with many members takes long to read."""
    global _worker
    _worker = (Reader(path, prefix), grey, size)


def _work(task: tuple[int, tuple[str, ...], tuple[Box, ...]]) -> Decoded:
    return _decode(*_worker, *task)


def _decode(
    reader: Reader, grey: bool, size: Size, start: int, names: tuple[str, ...], boxes: tuple[Box, ...]
) -> Decoded:
    images: list[Pixels] = []
    failures: dict[int, str] = {}
    for index, name in enumerate(names):
        try:
            image = opened_image(reader.bytes(name))
            images.append(_shaped(image.crop(boxes[index]) if boxes else image, size, grey))
        except DataError as error:
            failures[start + index] = str(error)
        except Exception as error:  # Pillow raises nearly anything on damaged bytes, struct.error for one
            failures[start + index] = f"{name}: {str(error) or type(error).__name__}"
    return images, failures


def opened_image(content: bytes) -> Image:
    """The picture, decoded whole; Pillow's exceptions where it cannot be."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as opened:
        opened.load()
        return opened


def _shaped(image: Image, size: Size, grey: bool) -> Pixels:
    """(C, H, W), scaled and cut to `size` around the centre, or scaled whole."""
    from PIL import Image, ImageOps

    mode = "L" if grey else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if size and size != (image.height, image.width):
        to = (size[1], size[0])
        if isinstance(size, Whole):
            image = image.resize(to, Image.Resampling.BICUBIC)
        else:
            image = ImageOps.fit(image, to, Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return pixels[None] if grey else np.moveaxis(pixels, -1, 0)

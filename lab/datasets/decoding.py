"""Encoded images → one uint8 array, decoded by several processes once and kept as a memory-mapped file.

Processes write what they decode straight into that file: memory holds a few images of each at a time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.datasets import cache
from lab.datasets.files import Files, Reader
from lab.datasets.images import DataError
from lab.datasets.viewing import Box, viewed

if TYPE_CHECKING:
    from PIL.Image import Image

Damaged = Literal["refuse", "skip"]


class Whole(NamedTuple):
    """A size that whole images are scaled to, whatever their shape; to any other they are scaled and cut."""

    height: int
    width: int


Size = tuple[int, int] | None  # height, width; None: as they are
Pixels = NDArray[np.uint8]
BATCH = 200  # images decoded between two messages of a process
FEW = 2_000  # images that one process decodes sooner than others can be started
DECODING = 3  # part of the key of the kept files: raise it when the same bytes give other pixels
STREAMED = 1 << 26  # bytes of an encoded image from which on it is not read whole before it is decoded


@dataclass(frozen=True)
class Wanted:
    """Files to decode to one shape; with `boxes`, only what lies in them, one a file."""

    files: Files
    names: tuple[str, ...]
    grey: bool
    size: Size
    boxes: tuple[Box, ...] = ()


def decoded(wanted: Wanted, damaged: Damaged = "refuse") -> tuple[Pixels, tuple[int, ...]]:
    """The images (N, C, H, W), mapped from a file, and the indices of `wanted.names` that they are.

    All of them, unless `damaged` is "skip" and some could not be decoded. DataError names these otherwise.
    """
    everything = tuple(range(len(wanted.names)))
    kept = cache.cache_folder() / "images" / f"{_key(wanted)}.npy"
    images = cache.mapped_array(kept)
    if images is not None:
        return images, everything
    with cache.making(kept) as part:
        images = cache.mapped_array(kept)  # perhaps another process has made it meanwhile
        if images is not None:
            return images, everything
        shape, offset, checksums, failures = _decode_into(part, wanted)
        if not failures:
            cache.put_array(part, kept, checksums)
            return np.load(kept, mmap_mode="c"), everything
        if damaged == "refuse":
            raise _refusal(wanted, failures)
        # Not kept: a damaged file may be mended without a change of its name, size or stated CRC.
        rest = tuple(index for index in everything if index not in failures)
        _close_ranks(part, offset, shape, rest)
        return np.memmap(part, np.uint8, "c", offset, (len(rest), *shape)), rest


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


def _refusal(wanted: Wanted, failures: dict[int, str]) -> DataError:
    first = "; ".join(why for _, why in sorted(failures.items())[:3])
    return DataError(
        f"{len(failures)} of {len(wanted.names)} images in {wanted.files.origin} cannot be used ({first}); "
        "copy them again, remove them, or leave them out with `--set data.damaged=skip`"
    )


def _decode_into(part: Path, wanted: Wanted) -> tuple[tuple[int, ...], int, list[int], dict[int, str]]:
    """Write the images as .npy, and zeros for those that fail.

    Their shape (C, H, W), where they start, the CRC-32 of each, and why some failed, by index.
    """
    channels = 1 if wanted.grey else 3
    shape = (channels, *wanted.size) if wanted.size else _first_shape(wanted)
    with part.open("wb") as opened:
        offset = cache.begin_array(opened, np.dtype(np.uint8), (len(wanted.names), *shape))
        opened.truncate(offset + len(wanted.names) * int(np.prod(shape)))
    checksums: list[int] = []
    failures: dict[int, str] = {}
    for sums, failed in _batches(_Target(part, offset, shape), wanted):
        checksums += sums
        failures |= failed
    if len(failures) == len(wanted.names):
        raise _refusal(wanted, failures)
    return shape, offset, checksums, failures


def _first_shape(wanted: Wanted) -> tuple[int, ...]:
    """That of the first image that can be decoded."""
    failures: dict[int, str] = {}
    with wanted.files.reading() as reader:
        for index, name in enumerate(wanted.names):
            found = _image(reader, name, wanted.boxes[index : index + 1], wanted.grey, None)
            if not isinstance(found, str):
                return found.shape
            failures[index] = found
    raise _refusal(wanted, failures)


def _close_ranks(part: Path, offset: int, shape: tuple[int, ...], kept: tuple[int, ...]) -> None:
    """Move the images `kept` to the front of the file and cut off what is behind them."""
    length = int(np.prod(shape))
    with part.open("r+b") as opened:
        for place, index in enumerate(kept):
            if place != index:
                image = os.pread(opened.fileno(), length, offset + index * length)
                os.pwrite(opened.fileno(), image, offset + place * length)
        opened.truncate(offset + len(kept) * length)


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape[1:]))


@dataclass(frozen=True)
class _Target:
    """The file that images are written to: from `offset` on, each of `shape` (C, H, W)."""

    part: Path
    offset: int
    shape: tuple[int, ...]


Task = tuple[int, tuple[str, ...], tuple[Box, ...]]  # the first index, the names, their boxes
Written = tuple[list[int], dict[int, str]]  # the CRC-32 of each image, and why some failed, by index
Setting = tuple[Reader, bool, Size, _Target, Path]
_worker: Setting  # of a process that decodes: what it reads, how, where to, and what the user calls it


def _batches(target: _Target, wanted: Wanted) -> Iterator[Written]:
    """Decode and write the images, batch by batch in their order."""
    starts = range(0, len(wanted.names), BATCH)
    work = (
        (start, wanted.names[start : start + BATCH], wanted.boxes[start : start + BATCH]) for start in starts
    )
    allowed = getattr(os, "sched_getaffinity", None)  # fewer than the machine's on a shared one
    workers = len(allowed(0)) if allowed else os.cpu_count() or 1
    if workers < 2 or len(wanted.names) <= FEW:
        with wanted.files.reading() as reader:
            for task in work:
                yield _decode((reader, wanted.grey, wanted.size, target, wanted.files.origin), task)
        return
    context = get_context("spawn")  # a fork would copy the locks of torch's threads
    setting = (wanted.files, wanted.grey, wanted.size, target)
    try:
        with ProcessPoolExecutor(min(workers, len(starts)), context, _start_worker, setting) as pool:
            pending: list[Future[Written]] = []
            with _without_main():
                pending += [pool.submit(_work, task) for task in islice(work, 2 * workers)]
            while pending:
                yield pending.pop(0).result()
                pending += [pool.submit(_work, task) for task in islice(work, 1)]
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


def _start_worker(files: Files, grey: bool, size: Size, target: _Target) -> None:
    """Open the files once a process: the list of a zip with many members takes long to read."""
    global _worker
    _worker = (files.reader(), grey, size, target, files.origin)


def _work(task: Task) -> Written:
    return _decode(_worker, task)


def _decode(setting: Setting, task: Task) -> Written:
    """OSError where the images cannot be written; DataError where they differ in size."""
    reader, grey, size, target, origin = setting
    start, names, boxes = task
    checksums: list[int] = []
    failures: dict[int, str] = {}
    length = int(np.prod(target.shape))
    with target.part.open("r+b", buffering=0) as opened:
        for index, name in enumerate(names):
            found = _image(reader, name, boxes[index : index + 1], grey, size)
            if isinstance(found, str):
                failures[start + index] = found
                checksums.append(0)
                continue
            if found.shape != target.shape:
                raise DataError(
                    f"the images in {origin} differ in size ({_text(target.shape)}, {_text(found.shape)}); "
                    "say which size they shall have"
                )
            content = found.tobytes()
            written = os.pwrite(opened.fileno(), content, target.offset + (start + index) * length)
            if written < length:
                raise OSError(28, "No space left on device")
            checksums.append(zlib.crc32(content))
    return checksums, failures


def _image(reader: Reader, name: str, box: tuple[Box, ...], grey: bool, size: Size) -> Pixels | str:
    """One image (C, H, W), or why it cannot be had."""
    try:
        with opened_member(reader, name) as opened:
            return _shaped(viewed(opened, *box), size, grey)
    except DataError as error:
        return str(error)
    except Exception as error:  # Pillow raises nearly anything on damaged bytes, struct.error for one
        return f"{name}: {plainly(error)}"


@contextmanager
def opened_member(reader: Reader, name: str) -> Iterator[IO[bytes]]:
    """An encoded image to decode; one that is large is read twice: for its CRC, and then as it is needed."""
    content = io.BytesIO()
    for piece in reader.pieces(name):
        if content.tell() <= STREAMED:
            content.write(piece)
    if content.tell() <= STREAMED:
        content.seek(0)
        yield content
    else:
        with reader.open(name) as opened:
            yield opened


def plainly(error: Exception) -> str:
    """What an image library says of a damaged file, without the buffer's address."""
    said = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    if "cannot identify image file" in said:
        return "it is no picture of a kind that can be read, or cut short"
    if "decompression bomb" in said:
        pixels = [int(number) for number in re.findall(r"\d+", said)[:2]]
        return "it is too large: {:,} pixels, and at most {:,} are read".format(*pixels)
    return said


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

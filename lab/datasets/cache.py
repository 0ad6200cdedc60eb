"""Where decoded and fetched data is kept, and how a file gets there: whole or not at all, by one process.

An array is kept as .npy with checksums behind it, so that a file that was cut short or altered is made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from lab.datasets.images import DataError

#: Behind the checksums of the rows: a mark, the time of change in seconds, the number of the checksums, and
#: one of the header and of them all.
FOOTER = struct.Struct("<8sqII")
MARK = b"convnpy1"
LOG = logging.getLogger("convstudy")
CHECKED = (
    1 << 30
)  # bytes up to which a file is checked whenever it is opened; a larger one when it was touched


def cache_folder() -> Path:
    """`CONVSTUDY_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("CONVSTUDY_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("convstudy"))


@contextmanager
def alone(file: Path, doing: str) -> Iterator[None]:
    """The only process that writes `file`; while another is `doing` so, say it, and wait."""
    lock = FileLock(file.with_name(file.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        LOG.warning("another process %s %s; this one goes on when that has ended", doing, file)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def making(file: Path) -> Iterator[Path]:
    """A path beside `file` to write to; what is left there is removed afterwards. One process at a time.

    The caller moves it to `file` once it is whole. DataError where it cannot be written.
    """
    part = file.with_name(file.name + ".making")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with alone(file, "makes"):
            try:
                yield part
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise no_room(file.parent, error) from None


def put(part: Path, file: Path) -> None:
    """Move what `making` gave to its place, once it is on the disk."""
    with part.open("rb") as opened:
        os.fsync(opened.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def begin_array(opened: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    """Write the header of .npy; where the values begin."""
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(opened, header)
    return opened.tell()


def put_array(part: Path, file: Path, checksums: Sequence[int]) -> None:
    """Put an array; checksums: the CRC-32 of its parts, which are of equal length, in their order."""
    table = np.asarray(checksums, "<u4").tobytes()
    stamp = int(time.time())
    with part.open("r+b") as opened:
        own = zlib.crc32(table, zlib.crc32(_header(opened)))
        opened.seek(0, os.SEEK_END)
        opened.write(table + FOOTER.pack(MARK, stamp, len(checksums), own))
    os.utime(part, (stamp, stamp))
    put(part, file)


def mapped_array(file: Path) -> NDArray[Any] | None:
    """The array, mapped from the file, a page copied when written to; None where no sound file is there."""
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="c")
        sound = _is_sound(file, array)
    except Exception:  # numpy takes a header for Python, and raises what that raises
        return None
    return array if sound else None


def _is_sound(file: Path, array: NDArray[Any]) -> bool:
    """Whether the file is whole, and its values are those that were written."""
    stated = file.stat()
    with file.open("rb") as opened:
        opened.seek(-FOOTER.size, os.SEEK_END)
        mark, stamp, count, own = FOOTER.unpack(opened.read())
        start = stated.st_size - FOOTER.size - 4 * count - array.nbytes
        if mark != MARK or start != getattr(array, "offset", -1):
            return False
        opened.seek(start + array.nbytes)
        table = opened.read(4 * count)
        if zlib.crc32(table, zlib.crc32(_header(opened))) != own:
            return False
        if array.nbytes > CHECKED and stated.st_mtime_ns == stamp * 10**9:
            return True
        opened.seek(start)
        length = array.nbytes // max(count, 1)
        checksums = np.frombuffer(table, "<u4").tolist()
        if not all(zlib.crc32(opened.read(length)) == checksum for checksum in checksums):
            return False
    os.utime(file, (stamp, stamp))
    return True


def _header(opened: IO[bytes]) -> bytes:
    """What stands before the values: 8 bytes, the length of the rest in 2, and the rest."""
    opened.seek(0)
    start = opened.read(10)
    return start + opened.read(int.from_bytes(start[8:], "little"))


def cached_array(kind: str, identity: tuple[Any, ...], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """What `make` gives, in the folder `kind` of the cache from then on; identity: all that decides it."""
    name = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    file = cache_folder() / kind / f"{name}.npy"
    kept = mapped_array(file)
    if kept is not None:
        return np.array(kept)
    made = make()
    with making(file) as part:
        content = np.ascontiguousarray(made)
        with part.open("wb") as opened:
            begin_array(opened, content.dtype, content.shape)
            opened.write(content.tobytes())
        put_array(part, file, [zlib.crc32(content.tobytes())])
    return made


def kept_json(file: Path) -> Any:
    """What `keep_json` wrote; None where there is none, or the file is damaged."""
    try:
        kept = json.loads(file.read_bytes())
        return kept["content"] if kept["hash"] == _digest(kept["content"]) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def keep_json(file: Path, content: Any) -> None:
    """Write what can be made again, with its hash."""
    with making(file) as part:
        part.write_text(json.dumps({"hash": _digest(content), "content": content}))
        put(part, file)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def no_room(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"{folder} cannot be written ({error.strerror or error}); make room there, or choose another folder "
        "with the environment variable CONVSTUDY_CACHE"
    )

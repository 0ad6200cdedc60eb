"""Files of a data set, read alike from a folder, a zip or a tar; fingerprinted by their content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from lab.datasets import cache
from lab.datasets.images import DataError

SPLITS = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
SPLITS |= {"validation": "validation", "test": "test", "testing": "test"}
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".gif", ".webp", ".tif", ".tiff")
TARS = (".tar.gz", ".tgz", ".tar")
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, RuntimeError, NotImplementedError)
SETTLED = 2.0  # seconds after which a file that is written again surely has another time of change


@dataclass(frozen=True)
class Member:
    """One file: its place inside the data set and its size in bytes; its CRC-32 where a zip states it."""

    name: str
    size: int
    crc: int | None = None
    changed: int = 0  # nanoseconds, of a file in a folder


@dataclass(frozen=True)
class Files:
    """The members of one folder or zip, their names without the leading folder `prefix`.

    origin: what the user has; another path than `path` for a tar, which is unpacked.
    """

    path: Path
    prefix: str
    members: tuple[Member, ...]
    origin: Path

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        with Reader(self.path, self.prefix) as reader:
            yield reader

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(member.name for member in self.members)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the names, sizes and CRC-32 of all members: the same for a zip and for its content."""
        checksums = [member.crc for member in self.members] if self.path.is_file() else _checksums(self)
        lines = sorted(
            f"{member.name}\t{member.size}\t{crc:08x}"
            for member, crc in zip(self.members, checksums, strict=True)
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


class Reader:
    """Reads the members of one folder or zip; to be closed, or used in a `with` block."""

    def __init__(self, path: Path, prefix: str) -> None:
        self.path = path
        self.prefix = prefix
        self._archive = None if path.is_dir() else _opened_zip(path)

    def bytes(self, name: str) -> bytes:
        """The content of a member; DataError names the file where it is missing or damaged."""
        try:
            if self._archive is None:
                return (self.path / (self.prefix + name)).read_bytes()
            return self._archive.read(self.prefix + name)
        except UNREADABLE as error:
            raise DataError(f"{name} in {self.path} cannot be read ({error})") from None

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_files(path: Path) -> Files:
    """The files of a folder, zip or tar. A single folder that holds all others is left out of the names.

    A tar is unpacked into the cache, once: it cannot be read in any order but its own.
    """
    origin = path
    if path.name.endswith(TARS) and path.is_file():
        path = _unpacked(path)
    if path.is_file():
        found = path.stat()
        return _zip_files(path, found.st_size, found.st_mtime_ns)
    return _files(path, _folder_members(path), origin)


@lru_cache(maxsize=8)  # listing 50,000 members takes half a second
def _zip_files(path: Path, size: int, changed: int) -> Files:
    return _files(path, _zip_members(path), path)


def _files(path: Path, members: list[Member], origin: Path) -> Files:
    prefix = _leading_folder([member.name for member in members])
    cut = (Member(m.name.removeprefix(prefix), m.size, m.crc, m.changed) for m in members)
    return Files(path, prefix, tuple(sorted(cut, key=lambda member: member.name)), origin)


def first_of(root: Path, *names: str) -> Path | None:
    """The folder, zip or tar under `root` that bears one of the names; the first there is."""
    for name in names:
        if (root / name).is_dir():
            return root / name
        for ending in (".zip", *TARS):
            if (root / f"{name}{ending}").is_file():
                return root / f"{name}{ending}"
    return None


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(
            f"{path} is no readable zip ({error}), perhaps it was cut short; fetch or copy it again"
        ) from None


def _zip_members(path: Path) -> list[Member]:
    with _opened_zip(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    return [Member(entry.filename, entry.file_size, entry.CRC) for entry in entries if _shown(entry.filename)]


def _folder_members(path: Path) -> list[Member]:
    members = []
    seen = set()
    for folder, below, names in os.walk(path, followlinks=True):
        if os.path.realpath(folder) in seen:
            below[:] = []  # a link to a folder above or beside
            continue
        seen.add(os.path.realpath(folder))
        below[:] = [name for name in below if _shown(name)]
        inside = Path(folder).relative_to(path).as_posix()
        for name in filter(_shown, names):
            file = Path(folder) / name
            if file.is_file():  # not so for a link to what is gone
                found = file.stat()
                place = name if inside == "." else f"{inside}/{name}"
                members.append(Member(place, found.st_size, changed=found.st_mtime_ns))
    return members


def _shown(name: str) -> bool:
    """Whether a file is of the data set, not of the system that packed it (.DS_Store, __MACOSX)."""
    return not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _leading_folder(names: list[str]) -> str:
    """The folder that all names start with, with a slash; none where it is a split or a class of images."""
    top, slash, _ = names[0].partition("/") if names else ("", "", "")
    prefix = top + slash
    if not slash or top.lower() in SPLITS or not all(name.startswith(prefix) for name in names):
        return ""
    inside = [name.removeprefix(prefix) for name in names]
    return "" if any(is_image(name) and "/" not in name for name in inside) else prefix


def is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_ENDINGS)


def _checksums(files: Files) -> list[int]:
    """CRC-32 of every file of a folder; kept by size and time of change, so that each is read once."""
    key = hashlib.sha256(str(files.path.resolve()).encode()).hexdigest()[:32]
    kept = cache.cache_folder() / "checksums" / f"{key}.json"
    try:
        known = json.loads(kept.read_text())
    except (OSError, ValueError):
        known = {}
    made = {}
    with files.reading() as reader:
        for member in files.members:
            size, changed, crc = known.get(member.name, (None, None, None))
            if (size, changed) != (member.size, member.changed):
                crc = zlib.crc32(reader.bytes(member.name))
            made[member.name] = (member.size, member.changed, crc)
    settled = {name: entry for name, entry in made.items() if time.time() - entry[1] / 1e9 > SETTLED}
    if {name: tuple(entry) for name, entry in known.items()} != settled:
        with cache.making(kept) as part:
            part.write_text(json.dumps(settled))
            part.replace(kept)
    return [made[member.name][2] for member in files.members]


def _unpacked(archive: Path) -> Path:
    """The folder in the cache with the content of a tar."""
    found = archive.stat()
    said = f"{archive.resolve()}\t{found.st_size}\t{found.st_mtime_ns}"
    folder = cache.cache_folder() / "unpacked" / hashlib.sha256(said.encode()).hexdigest()[:32]
    if not folder.is_dir():
        with cache.making(folder):
            if not folder.is_dir():
                unpack(archive, folder)
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """The content of a tar as `folder`, whole or not at all."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(part, filter="data")
        part.replace(folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} cannot be unpacked ({error}); fetch or copy it again") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)

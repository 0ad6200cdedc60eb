"""Files of a data set, read alike from a folder, a zip, or several of them; fingerprinted by their content."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.datasets.images import DataError


@dataclass(frozen=True)
class Member:
    """One file: its place inside the data set, its size in bytes and the CRC-32 of its content."""

    name: str
    size: int
    crc: int


@dataclass(frozen=True)
class Files:
    """The members of one folder or zip, their names without the leading folder `prefix`."""

    path: Path
    prefix: str
    members: tuple[Member, ...]

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A reader, for as long as the block lasts; DataError for what cannot be read."""
        if self.path.is_dir():
            yield Reader(self, None)
            return
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield Reader(self, archive)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(f"{self.path} cannot be read ({error}); fetch or copy it again") from None

    @property
    def fingerprint(self) -> str:
        """Hash of the names, sizes and CRC-32 of all members: the same for a zip and for its content."""
        lines = sorted(f"{member.name}\t{member.size}\t{member.crc:08x}" for member in self.members)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Reader:
    files: Files
    archive: zipfile.ZipFile | None

    def bytes(self, name: str) -> bytes:
        """The content of a member; DataError names the file where it is missing or damaged."""
        try:
            if self.archive is None:
                return (self.files.path / name).read_bytes()
            return self.archive.read(self.files.prefix + name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError) as error:
            raise DataError(f"{name} in {self.files.path} cannot be read ({error})") from None


def open_files(path: Path) -> Files:
    """The files of a folder or a zip. A single leading folder in a zip is left out of the names."""
    return _zip(path) if path.is_file() else _folder(path)


def _zip(path: Path) -> Files:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(
            f"{path} is no readable zip ({error}), perhaps it was cut short; fetch or copy it again"
        ) from None
    tops = {entry.filename.partition("/")[0] for entry in entries if "/" in entry.filename}
    nested = all("/" in entry.filename for entry in entries)
    prefix = f"{tops.pop()}/" if len(tops) == 1 and nested else ""
    members = (Member(e.filename.removeprefix(prefix), e.file_size, e.CRC) for e in entries)
    return Files(path, prefix, tuple(sorted(members, key=lambda member: member.name)))


def _folder(path: Path) -> Files:
    members = []
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and not any(part.startswith(".") for part in name.split("/")):
            content = file.read_bytes()
            members.append(Member(name, len(content), zlib.crc32(content)))
    return Files(path, "", tuple(members))

"""Files of a data set, read alike from a folder, a zip or a tar; fingerprinted by their content."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO

from lab.datasets import cache, wording
from lab.datasets.arrangement import split_of
from lab.datasets.images import DataError
from lab.datasets.wording import count, few

#: Of files that Pillow opens. What a file with such a name is is decided by its content.
IMAGE_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".avif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm", ".pfm", ".jp2", ".j2k", ".jpx", ".jpf", ".jpc"),
    *(".j2c", ".tga", ".ico", ".cur", ".icns", ".pcx", ".psd", ".sgi", ".rgb", ".bw", ".xbm", ".xpm"),
    *(".qoi", ".dds", ".msp", ".mpo", ".im", ".avifs", ".icb", ".vda", ".vst", ".rgba", ".ras", ".dcx"),
    *(".pcd", ".pxr", ".fli", ".flc", ".blp", ".ftc", ".ftu"),
)
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, RuntimeError, NotImplementedError)
PIECE = 1 << 20  # bytes
ENCODINGS = {"gb2312": "GBK", "latin-1": "Latin-1", "cp1252": "Windows-1252", "cp437": "code page 437"}
SETTLED = 2.0  # seconds after which a file that is written again surely has another time of change


@dataclass(frozen=True)
class Member:
    """One file: its place inside the data set and its size in bytes; its CRC-32 where a zip states it."""

    name: str
    size: int
    crc: int | None = None
    changed: int = 0  # nanoseconds, of a file in a folder
    place: str = ""  # where it is read from, where that is not its name: another encoding, backslashes


@dataclass(frozen=True)
class Files:
    """The members of one folder or zip, their names without the leading folder `prefix`.

    origin: what the user has; another path than `path` for a tar, which is unpacked. left_out: names of what
    is no member, each with the reason. notes: what a reader should know of the names.
    """

    path: Path
    prefix: str
    members: tuple[Member, ...]
    origin: Path
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        with self.reader() as reader:
            yield reader

    def reader(self) -> Reader:
        return Reader(self.path, self.prefix, self.places)

    @cached_property
    def places(self) -> dict[str, str]:
        """Where members are read from whose names are not their places."""
        return {member.name: member.place for member in self.members if member.place}

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

    def __init__(self, path: Path, prefix: str, places: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.prefix = prefix
        self.places = places or {}
        self._archive = None if path.is_dir() else _opened_zip(path)

    def content(self, name: str) -> bytes:
        """The content of a member; DataError names the file where it is missing or damaged."""
        return b"".join(self.pieces(name, -1))

    def pieces(self, name: str, length: int = PIECE) -> Iterator[bytes]:
        """The content of a member, so many bytes at a time: a gigabyte is never in memory at once."""
        try:
            with self.open(name) as opened:
                while piece := opened.read(length):
                    yield piece
        except UNREADABLE as error:
            raise DataError(f"{name} in {self.path} cannot be read ({_why(error)})") from None

    def open(self, name: str) -> IO[bytes]:
        """A member to be read and sought in; zipfile's and the system's exceptions where it is damaged."""
        place = self.places.get(name, self.prefix + name)
        if self._archive is None:
            return (self.path / place).open("rb")
        return self._archive.open(place)

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
    if path.name.lower().endswith(TARS) and path.is_file():
        path = _unpacked(path)
    if path.is_file():
        found = path.stat()
        return _zip_files(path, found.st_size, found.st_mtime_ns)
    return _files(path, _folder_listing(path), origin)


@lru_cache(maxsize=8)  # listing 50,000 members takes half a second
def _zip_files(path: Path, size: int, changed: int) -> Files:
    return _files(path, _zip_listing(path), path)


class _Listing:
    """What a folder or zip holds: members, what is left out of them, and how names were read."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.left_out: list[tuple[str, str]] = []
        self.taken: set[str] = set()
        self.encodings: dict[str, list[str]] = {}

    def named(self, raw: bytes, place: str, encoding: str) -> tuple[str, str]:
        """A name that no other member has, and where it is read from, empty where that is the name."""
        name = wording.readable(raw, encoding)
        if name in self.taken:
            name = wording.visible(raw.decode("ascii", errors="backslashreplace"))
        if encoding != "utf-8" and not raw.isascii():
            self.encodings.setdefault(encoding, []).append(name)
        self.taken.add(name)
        return name, "" if name == place else place

    def notes(self, path: Path) -> tuple[str, ...]:
        return tuple(
            f"{count(len(those), 'name')} in {path} {'is' if len(those) == 1 else 'are'} not in UTF-8, and "
            f"{'was' if len(those) == 1 else 'were'} read as {ENCODINGS[encoding]}: {few(those)}"
            for encoding, those in self.encodings.items()
        )


def _files(path: Path, listing: _Listing, origin: Path) -> Files:
    members = listing.members
    prefix = _leading_folder([member.name for member in members])
    cut = (replace(member, name=member.name.removeprefix(prefix)) for member in members)
    return Files(
        path,
        prefix,
        tuple(sorted(cut, key=lambda member: member.name)),
        origin,
        tuple(listing.left_out),
        listing.notes(origin),
    )


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
        if path.suffix.lower() != ".zip":
            raise DataError(
                f"{path} is no folder, zip or tar; name a folder of class folders, or unpack it"
            ) from None
        raise DataError(
            f"{path} is no readable zip ({error}), perhaps it was cut short; fetch or copy it again"
        ) from None


def _zip_listing(path: Path) -> _Listing:
    listing = _Listing()
    with _opened_zip(path) as archive:
        entries = archive.infolist()
    # A zip has slashes; some programs of Windows write backslashes in the place of all of them.
    backslashes = not any("/" in entry.filename for entry in entries)
    raws = {entry.filename: (entry, wording.of_zip(entry.filename, entry.flag_bits)) for entry in entries}
    encoding = wording.encoding_of(raw for _, raw in raws.values()) or "cp437"
    for entry, name in raws.values():  # of entries of one name the last is read
        raw = name.replace(b"\\", b"/") if backslashes else name
        own = "utf-8" if entry.flag_bits & wording.UTF8_FLAG else encoding
        parts = raw.split(b"/")
        if raw.endswith(b"/"):
            continue
        if b".." in parts or not parts[0]:
            listing.left_out.append((wording.readable(raw, own), "a place outside the zip"))
        elif not _shown(os.fsdecode(raw)):
            _leave_hidden(listing, os.fsdecode(raw))
        elif stat.S_ISLNK(entry.external_attr >> 16):
            listing.left_out.append((wording.readable(raw, own), "a link inside a zip"))
        else:
            shown, place = listing.named(raw, entry.filename, own)
            listing.members.append(Member(shown, entry.file_size, entry.CRC, place=place))
    return listing


def _folder_listing(path: Path) -> _Listing:
    listing = _Listing()
    _list_folder(listing, str(path), "", frozenset())
    return listing


def _list_folder(listing: _Listing, folder: str, start: str, above: frozenset[str]) -> None:
    """Add what `folder` holds, under names that begin with `start`. above: the folders that it is in, without
    links: one that leads back to them would never end.
    """
    here = os.path.realpath(folder)
    if here in above:
        listing.left_out.append((_as_text(start.rstrip("/")), "a link to a folder that it is in"))
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        listing.left_out.append(
            (_as_text(start.rstrip("/")), f"a folder that cannot be read ({_why(error)})")
        )
        return
    for entry in entries:
        place = start + entry.name
        if entry.is_dir():
            if _shown(entry.name):
                _list_folder(listing, entry.path, place + "/", above | {here})
        elif not _shown(entry.name):
            _leave_hidden(listing, place)
        elif not entry.is_file():
            why = "a link that leads nowhere" if entry.is_symlink() else "no regular file"
            listing.left_out.append((_as_text(place), why))
        else:
            status = entry.stat()
            raw = os.fsencode(place)
            name, place = listing.named(raw, place, wording.encoding_of([raw]) or "cp1252")
            listing.members.append(Member(name, status.st_size, changed=status.st_mtime_ns, place=place))


def _as_text(place: str) -> str:
    raw = os.fsencode(place)
    return wording.readable(raw, wording.encoding_of([raw]) or "cp1252")


def _leave_hidden(listing: _Listing, place: str) -> None:
    """Name hidden pictures, but not what systems write beside others (.DS_Store, ._1.jpg, __MACOSX)."""
    if is_image(place) and "__MACOSX" not in place and not place.rpartition("/")[2].startswith("._"):
        listing.left_out.append((_as_text(place), "hidden: its name begins with a dot"))


def _shown(name: str) -> bool:
    """Whether a file is of the data set, not of the system that packed it (.DS_Store, __MACOSX)."""
    return not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _leading_folder(files: list[str]) -> str:
    """The folder that all names start with, with a slash; none where it is a split or a class of images."""
    top, slash, _ = files[0].partition("/") if files else ("", "", "")
    prefix = top + slash
    if not slash or split_of(top) or not all(name.startswith(prefix) for name in files):
        return ""
    inside = [name.removeprefix(prefix) for name in files]
    return "" if any(is_image(name) and "/" not in name for name in inside) else prefix


def is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_ENDINGS)


def _checksums(files: Files) -> list[int]:
    """CRC-32 of every file of a folder; kept by size and time of change, so that each is read once."""
    key = hashlib.sha256(str(files.path.resolve()).encode()).hexdigest()[:32]
    kept = cache.cache_folder() / "checksums" / f"{key}.json"
    known = cache.kept_json(kept) or {}
    made = {}
    with files.reading() as reader:
        for member in files.members:
            size, changed, crc = known.get(member.name, (None, None, None))
            if (size, changed) != (member.size, member.changed):
                crc = 0
                for piece in reader.pieces(member.name):
                    crc = zlib.crc32(piece, crc)
            made[member.name] = (member.size, member.changed, crc)
    settled = {name: entry for name, entry in made.items() if time.time() - entry[1] / 1e9 > SETTLED}
    if {name: tuple(entry) for name, entry in known.items()} != settled:
        cache.keep_json(kept, settled)
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

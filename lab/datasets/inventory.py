"""What is ready on this machine and where, and whether it is sound."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.datasets import DataError, MissingData, Source, locate, names
from lab.datasets.catalog import CATALOG
from lab.datasets.decoding import opened_image
from lab.datasets.embedded import SETS
from lab.datasets.fetch import SOURCES, matches
from lab.datasets.files import Files, is_image

SUMS = "SHA256SUMS"
Report = Callable[[str, int, int], None]  # data set, files checked, files in all


@dataclass(frozen=True)
class State:
    """One data set: `ready` is "embedded", "yes", "no" or "damaged"; `problem` says why it is not ready."""

    name: str
    title: str
    ready: str
    where: str
    images: int | None
    licence: str
    redistributable: bool
    can_fetch: bool
    notes: tuple[str, ...] = ()
    problem: str = ""


def inventory(root: Path | None = None) -> list[State]:
    """All data sets that are known by name, without decoding any."""
    return [_state(name, root) for name in names()]


def _state(name: str, root: Path | None) -> State:
    known = SETS.get(name) or CATALOG[name]
    redistributable = name in SETS or CATALOG[name].redistributable
    try:
        release = locate(name, root).release
    except DataError as error:
        ready = "no" if isinstance(error, MissingData) else "damaged"
        return State(
            name,
            known.title,
            ready,
            "",
            None,
            known.licence,
            redistributable,
            name in SOURCES,
            (),
            str(error),
        )
    return State(
        name=name,
        title=known.title,
        ready="embedded" if name in SETS else "yes",
        where=str(release.path),
        images=release.images,
        licence=known.licence,
        redistributable=redistributable,
        can_fetch=name in SOURCES,
        notes=release.notes,
    )


@dataclass(frozen=True)
class Verification:
    """What reading all files of a data set found. `damaged` has a sentence a file that is not sound."""

    name: str
    where: str
    files: int
    damaged: tuple[str, ...]


def verify(name: str, root: Path | None = None, report: Report = lambda *_: None) -> Verification:
    """Read and decode everything, against the CRC of a zip and the hashes that are published or lie beside.

    DataError where the data set is not here, or so damaged that it cannot be listed.
    """
    source = locate(name, root)
    release = source.release
    total = sum(len(files.members) for files in release.files)
    damaged = [*_wrong_archives(source)]
    damaged += [
        f"{file} is not the file that the release lists (its hash differs)" for file in release.altered()
    ]
    done = 0
    for files in release.files:
        for problem in _wrong_members(files):
            done += 1
            report(name, done, total)
            if problem:
                damaged.append(problem)
    return Verification(name, str(release.path), total or release.images, tuple(damaged))


def _wrong_members(files: Files) -> Iterator[str | None]:
    """For each file, why it is not sound, or None."""
    with files.reading() as reader:
        for member in files.members:
            try:
                content = reader.bytes(member.name)
                if is_image(member.name):
                    opened_image(content)
            except DataError as error:
                yield str(error)
            except Exception as error:  # Pillow raises nearly anything on damaged bytes
                why = str(error) or type(error).__name__
                yield f"{member.name} in {files.origin} cannot be decoded ({why})"
            else:
                yield None


def _wrong_archives(source: Source) -> Iterator[str]:
    """Archives whose hash is published, or stated by a SHA256SUMS beside them, and is another."""
    published = {download.file: download.checksum for download in SOURCES.get(source.name, ())}
    for path in sorted({source.release.path, *(files.origin for files in source.release.files)}):
        if not path.is_file():
            continue
        stated = _stated(path)
        if stated and stated != _sha256(path):
            yield f"{path} is not the file that {SUMS} beside it lists (its SHA-256 differs)"
        elif not stated and path.name in published and not matches(path, published[path.name]):
            yield f"{path} is not the file that was published (its checksum differs)"


def _stated(path: Path) -> str | None:
    sums = path.parent / SUMS
    if not sums.is_file():
        return None
    lines = (line.split() for line in sums.read_text(encoding="utf-8").splitlines())
    return next((words[0] for words in lines if len(words) == 2 and words[1].lstrip("*") == path.name), None)


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

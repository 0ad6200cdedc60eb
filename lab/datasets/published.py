"""Whether files are those that were published: by the checksums that sources and lists beside them state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from lab.datasets import cache
from lab.datasets.fetch import SOURCES, matches
from lab.datasets.layouts import Release
from lab.datasets.wording import few

SUMS = "SHA256SUMS"


def differences(name: str, release: Release) -> tuple[str, ...]:
    """A sentence for every file that is not the one that was published, or that a list beside it names.

    Each file is read once, and again when its size or time of change is another.
    """
    found = [*_archives(name, release)]
    if not found and release.path.is_dir():
        found += _members(release)
    return tuple(found)


def _archives(name: str, release: Release) -> Iterator[str]:
    published = {download.file: download.checksum for download in SOURCES.get(name, ())}
    for path in sorted({release.path, *(files.origin for files in release.files)}):
        if not path.is_file():
            continue
        stated = _stated(path)
        if stated and not _matches(path, f"sha256:{stated}"):
            yield f"{path} is not the file that {SUMS} beside it lists (its SHA-256 differs)"
        elif not stated and path.name in published and not _matches(path, published[path.name]):
            yield f"{path} is not the file that was published (its checksum differs)"


def _members(release: Release) -> Iterator[str]:
    """Files of an unpacked release, where the checksum of each is published."""
    differing = [
        member
        for files in release.files
        for member, checksum in release.checksums.items()
        if files.path.is_dir() and not _matches(files.path / (files.prefix + member), checksum)
    ]
    if differing:
        are = "is not the file that was" if len(differing) == 1 else "are not the files that were"
        yield f"{few(differing)} in {release.path} {are} published (checksums differ)"


def _stated(path: Path) -> str | None:
    sums = path.parent / SUMS
    if not sums.is_file():
        return None
    lines = (line.split() for line in sums.read_text(encoding="utf-8", errors="replace").splitlines())
    return next((words[0] for words in lines if len(words) == 2 and words[1].lstrip("*") == path.name), None)


def _matches(file: Path, checksum: str) -> bool:
    """`matches`, remembered by the file's size and time of change."""
    status = file.stat()
    identity = f"{file.resolve()}\t{status.st_size}\t{status.st_mtime_ns}\t{checksum}"
    kept = (
        cache.cache_folder()
        / "published"
        / hashlib.sha256(identity.encode(errors="replace")).hexdigest()[:32]
    )
    same = cache.kept_json(kept)
    if not isinstance(same, bool):
        same = matches(file, checksum)
        cache.keep_json(kept, same)
    return same

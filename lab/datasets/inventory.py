"""What is ready on this machine and where, and whether it is sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.datasets import DataError, MissingData, load, locate, names
from lab.datasets.catalog import CATALOG
from lab.datasets.decoding import opened_member, plainly
from lab.datasets.embedded import SETS
from lab.datasets.fetch import SOURCES
from lab.datasets.files import Files, is_image
from lab.datasets.layouts import WHOLE
from lab.datasets.published import differences
from lab.datasets.repetitions import SIDE, repetitions
from lab.datasets.viewing import viewed
from lab.datasets.wording import count, few

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
    """What reading all files of a data set found. `damaged` has a sentence a file that is not sound, `notes`
    sentences on what was left out, and what a reader should look at.
    """

    name: str
    where: str
    files: int
    damaged: tuple[str, ...]
    images: dict[str, dict[str, int]] = field(default_factory=dict)  # by split and class
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """What a reader is told: what was read, what is damaged, what was left out and why."""
        damaged = f"{len(self.damaged):,} damaged" if self.damaged else "all sound"
        yield f"{self.name}: {count(self.files, 'file')} in {self.where}, {damaged}"
        for split, kinds in self.images.items():
            listed = few([f"{kind} {images:,}" for kind, images in kinds.items()], 8)
            named = "" if split == WHOLE else f" for {split}"
            images = count(sum(kinds.values()), "image")
            yield f"    {images}{named} of {count(len(kinds), 'class')}: {listed}"
        yield from (f"    {problem}" for problem in self.damaged)
        yield from (f"    {note}" for note in self.notes)


def verify(name: str, root: Path | None = None, report: Report = lambda *_: None) -> Verification:
    """Read and decode everything, against the CRC of a zip and the hashes that are published or lie beside.

    DataError where the data set is not here, or so damaged that it cannot be listed.
    """
    source = locate(name, root)
    release = source.release
    total = sum(len(files.members) for files in release.files)
    damaged = [*differences(name, release)]
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
    notes = [*release.notes]
    if name.startswith("folder:") and len(damaged) < release.images:
        size = (SIDE, SIDE)
        parts = {split: load(name, split, size=size, grey=True, damaged="skip") for split in release.splits}
        notes += repetitions(parts)
    return Verification(
        name,
        str(release.path),
        total or release.images,
        tuple(damaged),
        {split: dict(kinds) for split, kinds in release.counts.items()},
        tuple(notes),
    )


def _wrong_members(files: Files) -> Iterator[str | None]:
    """For each file, why it is not sound, or None."""
    with files.reading() as reader:
        for member in files.members:
            try:
                if is_image(member.name):
                    with opened_member(reader, member.name) as opened:
                        viewed(opened)
                else:
                    for _ in reader.pieces(member.name):
                        pass
            except DataError as error:
                yield str(error)
            except Exception as error:  # Pillow raises nearly anything on damaged bytes
                yield f"{member.name} in {files.origin} cannot be decoded ({plainly(error)})"
            else:
                yield None

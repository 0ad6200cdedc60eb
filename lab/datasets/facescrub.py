"""FaceScrub (Ng and Winkler 2014): a list of boxes and hashes; only a file with its hash is used."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from lab.datasets.decoding import Damaged, Size
from lab.datasets.files import Files, first_of, open_files
from lab.datasets.images import DataError
from lab.datasets.layouts import Content, Listed, Release, read_listed
from lab.datasets.viewing import Box

LISTS = ("facescrub.txt", "facescrub_actors.txt", "facescrub_actresses.txt")
COLUMNS = ("name", "image_id", "face_id", "url", "bbox", "sha256")


@dataclass(frozen=True)
class Line:
    """One face of the official list."""

    person: str
    image: str
    face: str
    box: Box
    sha256: str


@dataclass(frozen=True)
class Check:
    """What became of the lines of the list."""

    accepted: tuple[Listed, ...]
    altered: tuple[str, ...]  # files that are there with another content
    missing: tuple[str, ...]  # faces that no file is there for

    def __str__(self) -> str:
        return (
            f"{len(self.accepted)} faces accepted by their SHA-256, {len(self.altered)} altered and "
            f"{len(self.missing)} missing of the list"
        )


def facescrub(root: Path, name: str) -> Release | None:
    """`facescrub/facescrub.txt` with the images anywhere below, under any name; or a zip of it."""
    place = first_of(root, "facescrub", "facescrub_raw", "FaceScrub")
    if place is None:
        return None
    files = open_files(place)
    lists = _lists(files)
    if not lists:
        return None
    lines = listed_lines(files)
    classes = tuple(sorted({line.person for line in lines}))

    @cache
    def checked() -> Check:
        return check(files)

    def read(split: str, size: Size, grey: bool, damaged: Damaged) -> Content:
        accepted = checked().accepted
        if not accepted:
            raise DataError(f"no file in {files.path} has a SHA-256 of the list; fetch the images again")
        return read_listed(accepted, classes, size, grey, damaged)

    return Release(
        path=place,
        layout="official list with hashes",
        splits=("all",),
        images=len(files.members) - len(lists),
        read=read,
        files=(files,),
        notes=(f"its list names {len(lines)} faces",),
        altered=lambda: checked().altered,
        checked=lambda: str(checked()),
    )


def check(files: Files) -> Check:
    """Look for each face of the lists by the hash of its file, then by its number."""
    by_hash: dict[str, str] = {}
    by_number: dict[str, str] = {}
    with files.reading() as reader:
        for member in files.members:
            digest = hashlib.sha256()
            for piece in reader.pieces(member.name):
                digest.update(piece)
            by_hash.setdefault(digest.hexdigest(), member.name)
            by_number[PurePosixPath(member.name).stem] = member.name
    accepted, altered, missing = [], [], []
    for line in listed_lines(files):
        if line.sha256 in by_hash:
            accepted.append(Listed(files, by_hash[line.sha256], line.person, line.box))
        elif line.face in by_number:
            altered.append(by_number[line.face])
        else:
            missing.append(f"{line.person} {line.face}")
    return Check(tuple(accepted), tuple(altered), tuple(missing))


def _lists(files: Files) -> list[str]:
    return [member.name for member in files.members if PurePosixPath(member.name).name in LISTS]


def listed_lines(files: Files) -> list[Line]:
    """The faces of all lists; DataError for a line that cannot be understood."""
    return [line for file in _lists(files) for line in _lines(files, file)]


def _lines(files: Files, file: str) -> list[Line]:
    with files.reading() as reader:
        text = reader.content(file).decode("utf-8", errors="replace")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    if not rows or set(COLUMNS) - set(rows[0]):
        raise DataError(
            f"{file} in {files.path} is no list of FaceScrub; its columns are {', '.join(COLUMNS)}, with tabs"
        )
    lines = []
    for number, row in enumerate(rows, 2):
        try:
            left, top, right, bottom = (int(part) for part in row["bbox"].split(","))
        except (ValueError, AttributeError):
            raise DataError(
                f"line {number} of {file} in {files.path} has the box {row['bbox']!r}; "
                "it should be left,top,right,bottom in pixels"
            ) from None
        box = (left, top, right, bottom)
        lines.append(Line(row["name"], row["image_id"], row["face_id"], box, row["sha256"].strip().lower()))
    return lines

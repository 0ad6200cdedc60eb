"""What an author has still to make their own: text as `new` wrote it, and what our sections say of others
that the study does without, or cite of entries that are the author's now."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.own import OwnStudy

TITLE, AUTHOR = "A study of my own", "Your Name"
BEGUN = (
    TITLE,
    AUTHOR,
    "What the study asks, how it answers, and what follows.",
    "# A section of my own",
    "An entry of my own, cited with its key",
    '"…"',  # of an example of a key
)
MINE = "my-source"  # the key of that entry
MOST_LINES = 4  # of a section that are named


def unfinished(own: OwnStudy, ours: Path) -> list[str]:
    """A sentence on each."""
    return [
        *_as_begun(own),
        *_without_abstract(own),
        *_of_dropped_sections(own, ours),
        *_of_replaced_entries(own, ours),
    ]


def _as_begun(own: OwnStudy) -> Iterator[str]:
    written = [file for file in _sections(own).values() if file.is_relative_to(own.folder)]
    cited = any(f"@{MINE}" in _text(file) for file in written)
    files = [own.folder / "study.toml", *written, *([own.folder / "references.bib"] if cited else [])]
    places = [
        f"{file}:{number}"
        for file in files
        for number, line in enumerate(_text(file).splitlines(), 1)
        if any(text in line for text in BEGUN) and not (file.suffix == ".toml" and line.startswith("#"))
    ]
    if places:
        others = f", as {'are' if places[2:] else 'is'} {', '.join(places[1:])}" if places[1:] else ""
        yield f"{places[0]}: this line is still as `convstudy new` wrote it{others}; write your own"


def _without_abstract(own: OwnStudy) -> Iterator[str]:
    file = _sections(own)[own.study.abstract]
    lines = [line for line in _text(file).split("\n") if line.strip()]
    if file.is_relative_to(own.folder) and lines and all(line.startswith("#") for line in lines):
        yield f"{file}: it has a heading and no text; write it"


def _of_dropped_sections(own: OwnStudy, ours: Path) -> Iterator[str]:
    """Of each of our sections at most one sentence; what it says in a study of ours without the other section
    needs that one nowhere."""
    from report.mentions import shown_in, spoken_of
    from report.text_files import read

    shown, there = shown_in(own.templates / "sections"), set(_sections(own))
    studies = [tomllib.loads(read(file)) for file in (ours / "studies").glob("*.toml")]
    for name, file in _sections(own).items():
        if not file.is_relative_to(ours):
            continue
        dropped = {
            other: lines
            for other, lines in spoken_of(file, shown, there).items()
            if not any(name in study["sections"] and other not in study["sections"] for study in studies)
        }
        if dropped:
            of = "; ".join(f"{_lines(lines)} {other}" for other, lines in dropped.items())
            copied = f"`cp {quote(str(file))} {quote(str(own.folder / 'sections'))}/`"
            yield (
                f"{file}: it speaks of sections that this study does without ({of}); make it yours with"
                f" {copied}, and change these lines there"
            )


def _of_replaced_entries(own: OwnStudy, ours: Path) -> Iterator[str]:
    """On each entry of the author that has the key of one of ours, which sections of ours cite."""
    from report.bibliography import bibliography_keys

    theirs, mine = bibliography_keys(ours / "references.bib"), own.folder / "references.bib"
    sections = [file for file in _sections(own).values() if file.is_relative_to(ours)]
    for key, line in bibliography_keys(mine).items():
        cited = rf"@{re.escape(key)}(?![\w-])"
        citing = [str(file) for file in sections if re.search(cited, _text(file))] if key in theirs else []
        if citing:
            yield (
                f"{mine}:{line}: this entry takes the place of ours with the key {key}, which {citing[0]}"
                f" cites{' as others do' * bool(citing[1:])}; choose another key if it is another work"
            )


def _lines(lines: list[int]) -> str:
    """ "line 4 of", "lines 4, 8 and more of"."""
    shown = ", ".join(map(str, lines[:MOST_LINES]))
    return f"line{'s' * bool(lines[1:])} {shown}{' and more' * (len(lines) > MOST_LINES)} of"


def _sections(own: OwnStudy) -> dict[str, Path]:
    """The files of the abstract and of every section, as they were written."""
    folder = own.templates / "sections"
    return {name: (folder / f"{name}.md").resolve() for name in (own.study.abstract, *own.study.sections)}


def _text(file: Path) -> str:
    return file.read_text("utf-8-sig", errors="replace") if file.is_file() else ""

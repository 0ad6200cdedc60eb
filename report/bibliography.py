"""The entries of a BibTeX file, by their keys."""

from __future__ import annotations

import re
from pathlib import Path

from report import text_files


class BibliographyError(Exception):
    """A bibliography that cannot be used; the message names file and line and says what to do."""


def bibliography_keys(path: Path) -> dict[str, int]:
    """The keys of the entries, with their lines. BibliographyError where one is there twice."""
    try:
        text = text_files.read(path) if path.exists() else ""
    except text_files.UnreadableText as error:
        raise BibliographyError(str(error)) from None
    keys: dict[str, int] = {}
    for entry in re.finditer(r"^[ \t]*@(\w+)\s*[{(]\s*([^,\s]+)", text, re.MULTILINE):
        if entry[1].lower() in ("comment", "string", "preamble"):
            continue
        line = text.count("\n", 0, entry.start(1)) + 1
        if entry[2] in keys:
            again = f"the entry {entry[2]!r} is there twice (line {keys[entry[2]]} too); remove one"
            raise BibliographyError(f"{path}:{line}: {again}")
        keys[entry[2]] = line
    return keys

"""The entries of a BibTeX file, by their keys."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from report import text_files

BEGUN = re.compile(r"(?m)^[ \t]*@(\w+)\s*([{(])\s*([^,\s{}()]*)")
NO_KEYS = ("comment", "string", "preamble")


class BibliographyError(Exception):
    """A bibliography that cannot be used; the message names file and line and says what to do."""


class _Entry(NamedTuple):
    kind: str
    key: str
    line: int
    text: str  # up to the next one
    keyed: bool
    closed: bool


def bibliography_keys(path: Path) -> dict[str, int]:
    """The keys of the entries, with their lines. BibliographyError where one is there twice, which for BibTeX
    it is with other capital letters too, or where an entry is never closed, which would swallow the next.
    """
    try:
        text = text_files.read(path) if path.exists() else ""
    except text_files.UnreadableText as error:
        raise BibliographyError(str(error)) from None
    keys: dict[str, int] = {}
    for entry in _entries(text):
        if not entry.closed:
            what = "a } or a quotation mark is missing, or one is too many"
            raise BibliographyError(f"{path}:{entry.line}: the entry {entry.key!r} has no end; {what}")
        if entry.kind in NO_KEYS:
            continue
        if not entry.keyed:
            what = f"@{entry.kind} has no key with a comma behind it"
            raise BibliographyError(f"{path}:{entry.line}: {what}; write @{entry.kind}{{key, title = …}}")
        for known, line in keys.items():
            if known.lower() == entry.key.lower():
                again = f"the entry {entry.key!r} is there twice (line {line} too); remove one"
                raise BibliographyError(f"{path}:{entry.line}: {again}")
        keys[entry.key] = entry.line
    return keys


def without(bibtex: str, keys: Container[str]) -> str:
    """The text without the entries of these keys."""
    return "".join(entry.text for entry in _entries(bibtex) if entry.key not in keys)


def _entries(text: str) -> Iterator[_Entry]:
    begun = list(BEGUN.finditer(text))
    ends = [found.start() for found in begun[1:]] + [len(text)] * bool(begun)
    for found, end in zip(begun, ends, strict=True):
        line = text.count("\n", 0, found.start(1)) + 1
        closed = _is_closed(text[found.end(2) : end], found[2])
        keyed = bool(found[3]) and bool(re.match(r"\s*[,})]", text[found.end() : end]))
        yield _Entry(found[1].lower(), found[3], line, text[found.start() : end], keyed, closed)


def _is_closed(text: str, opening: str) -> bool:
    """Whether the bracket before the text has its end in it, as BibTeX reads it: a backslash hides no brace,
    and a quotation mark within braces is one of the text."""
    outside = depth = int(opening == "{")
    quoted = False
    for sign in re.findall(r'[{})"]', text):
        if sign == '"':
            quoted ^= depth == outside
            continue
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < outside or (sign == ")" and opening == "(" and depth == outside and not quoted):
            return not quoted and depth == 0
    return False

"""Names and numbers of files as text that prints everywhere, whatever the encoding of a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

UTF8_FLAG = 0x800  # of an entry of a zip: its name is UTF-8
# Two bytes a character, of the 3,755 commonest of GB 2312: what Chinese names are made of, and others rarely.
_CHINESE = re.compile(rb"(?:[\x00-\x7f]|[\xb0-\xd7][\xa1-\xfe])+")
_LATIN = re.compile(rb"[\x00-\x7f\xc0-\xff]+")  # in the code page of DOS these are frames and Greek
_DIRECTION = re.compile("[\u2028-\u202e\u2066-\u2069]")  # separators of lines, overrides of direction


def encoding_of(names: Iterable[bytes]) -> str:
    """The encoding that all names can be in; empty where there is none."""
    known = list(names)
    for encoding, pattern in (("utf-8", None), ("gb2312", _CHINESE), ("latin-1", _LATIN)):
        if pattern is None or all(pattern.fullmatch(name) for name in known):
            try:
                for name in known:
                    name.decode(encoding)
            except UnicodeDecodeError:
                continue
            return encoding
    return ""


def readable(raw: bytes, encoding: str) -> str:
    """A name, in which characters that control a terminal or the direction of text are escapes."""
    return visible(raw.decode(encoding, errors="backslashreplace"))


def visible(text: str) -> str:
    """The text with escapes for what does not print."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cs") or _DIRECTION.match(character)
        else character
        for character in text
    )


def of_zip(name: str, flags: int) -> bytes:
    """The bytes of an entry's name, which zipfile reads as code page 437 unless it is marked as UTF-8."""
    if flags & UTF8_FLAG:
        return name.encode("utf-8", "surrogatepass")
    try:
        return name.encode("cp437")
    except UnicodeEncodeError:  # from an extra field that is UTF-8
        return name.encode("utf-8", "surrogatepass")


def count(number: int, noun: str) -> str:
    """ "1 file", "2 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


def few(those: Sequence[str], shown: int = 3) -> str:
    """The first of some names, and how many others there are."""
    rest = f", … ({len(those) - shown:,} more)" if len(those) > shown else ""
    return ", ".join(those[:shown]) + rest

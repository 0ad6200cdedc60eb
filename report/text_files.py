"""The text files of an author, in UTF-8 and without control characters; others are refused in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how such a file begins
#: What nothing prints, but tabs and ends of lines; and what some count for ends of lines, and others do not.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class UnreadableText(ValueError):
    """The message is one sentence with file and line, and says what to do."""


def read(file: Path) -> str:
    """The text without a byte order mark. Raises UnreadableText, or OSError."""
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise _encoded(file, content, len(content) - len(error.object) + error.start) from None
    found = CONTROL.search(text)
    if not found:
        return text
    if content.count(b"\0") > len(content) // 4:  # as every other byte of English in UTF-16 is
        raise _encoded(file, content, content.find(b"\0"))
    line = text.count("\n", 0, found.start()) + 1
    raise UnreadableText(f"{file}:{line}: {no_control(found[0])}")


def no_control(character: str) -> str:
    """What is wrong with a control character."""
    return f"the text has a control character (U+{ord(character):04X}), which nothing prints; remove it"


def _encoded(file: Path, content: bytes, wrong: int) -> UnreadableText:
    line = content.count(b"\n", 0, wrong) + 1
    is_wide = content.startswith(UTF_16) or b"\0" in content
    kind, name = ("UTF-16", "UTF-16") if is_wide else ("an encoding such as Latin-1", "WINDOWS-1252")
    return UnreadableText(
        f"{file}:{line}: the text is in {kind}, not in UTF-8; save the file as UTF-8, in your editor or with"
        f" `iconv -f {name} -t UTF-8`"
    )

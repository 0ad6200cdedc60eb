"""The text files of an author, which are in UTF-8; one in another encoding is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how such a file begins


class NotUTF8(ValueError):
    """The message is one sentence with file and line, and says how to save the file."""


def read(file: Path) -> str:
    """The text without a byte order mark. Raises NotUTF8, or OSError."""
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
        wrong = content.find(b"\0")  # as every other byte of English in UTF-16 is
    except UnicodeDecodeError as error:
        text, wrong = "", len(content) - len(error.object) + error.start
    if wrong < 0:
        return text.replace("\r\n", "\n").replace("\r", "\n")
    line = content.count(b"\n", 0, wrong) + 1
    is_wide = content.startswith(UTF_16) or b"\0" in content
    kind, name = ("UTF-16", "UTF-16") if is_wide else ("an encoding such as Latin-1", "WINDOWS-1252")
    raise NotUTF8(
        f"{file}:{line}: the text is in {kind}, not in UTF-8; save the file as UTF-8, in your editor or with"
        f" `iconv -f {name} -t UTF-8`"
    )

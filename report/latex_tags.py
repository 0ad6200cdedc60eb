r"""What a screen reader goes by in a PDF: tables of rows and cells, figures with alternative texts.

The macros are those of tagged.sty. Tagging takes LaTeX about twelve times as long, so it is an option.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

#: Of cells; "repeated" is a heading that stands again on the next page, and is not read again.
Tag = Literal["cell", "rowhead", "columnhead", "repeated"]
#: What an alternative text may not hold, and what stands for it.
PLAIN = {
    "%": " per cent",
    "#": "number ",
    "\\": " ",
    "{": "(",
    "}": ")",
    "×": "x",
    "·": "*",
    "−": "-",
    "–": "-",
}


def cell(parts: Sequence[str], tag: Tag, first: bool, last: bool) -> list[str]:
    """The parts of one cell, which LaTeX puts an & between, tagged as one."""
    if tag == "repeated":
        return [rf"\notread{{{part}}}" for part in parts]
    marked = [rf"\celltext{{{part}}}" for part in parts]
    begin, end = beside(tag, first, last)
    return [
        f"{begin if n == 0 else ''}{part}{end if n == len(parts) - 1 else ''}"
        for n, part in enumerate(marked)
    ]


def beside(tag: Tag, first: bool, last: bool) -> tuple[str, str]:
    """What stands before and behind a cell; the first and the last begin and end their row."""
    return (r"\rowbegins" if first else "") + rf"\{tag}begins", r"\tagends" + (r"\tagends" if last else "")


def figure(picture: str, alt: str) -> str:
    """A picture and what is said in its place."""
    return rf"\taggedfigure{{{picture}}}{{{alternative(alt)}}}"


def alternative(text: str) -> str:
    """A text in ASCII that LaTeX copies as it is."""
    plain = "".join(PLAIN.get(character, character) for character in " ".join(text.split()))
    letters = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return re.sub(" +", " ", letters).replace("~", r"\string~").strip()


def settled(pdf: bytes, made: datetime) -> bytes:
    """The same file whenever it was compiled: its dates are those of what it shows, and the ids of its
    metadata a function of all that it holds. No length changes.
    """
    date, digits = made.strftime("%Y-%m-%dT%H:%M:%SZ").encode(), made.strftime("%Y%m%d%H%M%S").encode()
    pdf = re.sub(rb"(<xmp:\w+Date>|<rdf:li>)\d{4}-[^<]{15}(</)", rb"\g<1>" + date + rb"\2", pdf)
    pdf = re.sub(rb"(/(?:Creation|Mod)Date ?\(D:)\d{14}Z", rb"\g<1>" + digits + b"Z", pdf)
    blank = re.sub(rb"(<xmpMM:\w+ID>uuid:)[^<]{36}", rb"\g<1>" + b"0" * 36, pdf)
    sha = hashlib.sha256(blank).hexdigest()
    name = f"{sha[:8]}-{sha[8:12]}-4{sha[13:16]}-8{sha[17:20]}-{sha[20:32]}"
    return re.sub(rb"(<xmpMM:\w+ID>uuid:)0{36}", rb"\g<1>" + name.encode(), blank)

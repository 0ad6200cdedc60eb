"""Names in a BibTeX file whose script has an order of its own: in Chinese, Japanese or Korean the family name
comes first, and Hebrew and Arabic run from right to left. And what stands for the name of who wrote no name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from report.latex_text import RIGHT_TO_LEFT, SCRIPTS

ENTRY = re.compile(r"(?m)^(?=[ \t]*@\w+\s*\{)")
NAMED = re.compile(r"(?i)\b(?:author|editor)\s*=")
TITLE = re.compile(r"(?i)\btitle\s*=\s*(\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|\"[^\"]*\")")
FIELD = re.compile(r"(?i)(\b(?:author|editor)\s*=\s*)(\{(?:[^{}]|\{[^{}]*\})*\}|\"[^\"]*\")")
EASTERN = re.compile(r"(?P<family>\S+?)(?:\s*,\s*|\s+)(?P<given>\S+)")  # with a comma or without
FROM_THE_RIGHT = re.compile(r"(?P<family>[^,]+?)\s*,\s*(?P<given>[^,]+)|(?P<first>.+)\s(?P<last>\S+)")


def family_first(bibtex: str) -> str:
    """With "山田, 花子" for "山田 花子", of which BibTeX takes the last word for the family name."""

    def name(written: str) -> str:
        parts = EASTERN.fullmatch(written)
        return f"{parts['family']}, {parts['given']}" if parts and _is_in(("cjk",), written) else written

    return _renamed(bibtex, name)


def for_latex(bibtex: str) -> str:
    r"""With \family and \eastern, by which plainnat, which puts given names first and on the left, prints
    山田花子; and those from right to left, whose given name is then the right one. In an entry without
    author or editor its title takes their place, as on a page; plainnat would cite three letters of its key.
    """

    def name(written: str) -> str:
        if (parts := EASTERN.fullmatch(written)) and _is_in(("cjk",), written):
            return rf"{{\family{{{parts['family']}}}}}, \eastern{{{parts['given']}}}"
        if (parts := FROM_THE_RIGHT.fullmatch(written)) and _is_in(RIGHT_TO_LEFT, written):
            family, given = parts["family"] or parts["last"], parts["given"] or parts["first"]
            return rf"{{\family{{{family}}}}}, \eastern{{~{given}}}"
        return written

    return "".join(map(_with_author, ENTRY.split(_renamed(bibtex, name))))


def _with_author(entry: str) -> str:
    title = TITLE.search(entry)
    if not title or NAMED.search(entry):
        return entry
    return f"{entry[: title.start()]}author = {{{{{title[1][1:-1]}}}}}{entry[title.end() :]}"


def _renamed(bibtex: str, name: Callable[[str], str]) -> str:
    def field(found: re.Match[str]) -> str:
        names = re.split(r"(\s+and\s+)", found[2][1:-1])
        return found[1] + found[2][0] + "".join(map(name, names)) + found[2][-1]

    return FIELD.sub(field, bibtex)


def _is_in(scripts: tuple[str, ...], name: str) -> bool:
    letters = re.sub(r"[\s,.]", "", name)
    return all(SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0]) in scripts for letter in letters)

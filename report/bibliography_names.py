"""Names in Chinese, Japanese or Korean script in a BibTeX file: the family name comes first."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from report.latex_text import SCRIPTS

FIELD = re.compile(r"(?i)(\b(?:author|editor)\s*=\s*)(\{(?:[^{}]|\{[^{}]*\})*\}|\"[^\"]*\")")
PARTS = re.compile(r"(\S+?)(?:\s*,\s*|\s+)(\S+)")  # family and given, with a comma or without


def family_first(bibtex: str) -> str:
    """With "山田, 花子" for "山田 花子", of which BibTeX takes the last word for the family name."""
    return _renamed(bibtex, lambda family, given: f"{family}, {given}")


def for_latex(bibtex: str) -> str:
    r"""With \family and \eastern, by which plainnat, which puts given names first, prints 山田花子."""
    return _renamed(bibtex, lambda family, given: rf"{{\family{{{family}}}}}, \eastern{{{given}}}")


def _renamed(bibtex: str, form: Callable[[str, str], str]) -> str:
    def name(written: str) -> str:
        parts = PARTS.fullmatch(written)
        return form(parts[1], parts[2]) if parts and _is_eastern(written) else written

    def field(found: re.Match[str]) -> str:
        names = re.split(r"(\s+and\s+)", found[2][1:-1])
        return found[1] + found[2][0] + "".join(map(name, names)) + found[2][-1]

    return FIELD.sub(field, bibtex)


def _is_eastern(name: str) -> bool:
    letters = re.sub(r"[\s,]", "", name)
    return all(SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0]) == "cjk" for letter in letters)

"""What a section's source speaks of, by line: results, their tables and figures, and other sections."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from report.macros import MACROS, full_name

_CALL = re.compile(r"""\b(\w+)\(\s*(["'])([^"']+)\2""")
_SHOWS = ("table", "figure")


class Mention(NamedTuple):
    line: int
    macro: str
    target: str  # "analysis/name", "section:id" or the name of an analysis alone


def section_titles(sections: Path) -> dict[str, str]:
    """The title of each section of a folder, without marks."""
    files = [file for file in sorted(sections.glob("*.md")) if file.is_file()]
    first = {file.stem: file.read_text("utf-8-sig", errors="replace").partition("\n")[0] for file in files}
    return {name: re.sub(r"[*`$]", "", line.removeprefix("# ").strip()) for name, line in first.items()}


def mentions(section: Path) -> Iterator[Mention]:
    subject = ""
    for number, line in enumerate(section.read_text("utf-8-sig", errors="replace").splitlines(), 1):
        for call in _CALL.finditer(line):
            macro, name = call[1], call[3]
            if macro == "about":
                subject = name
            elif macro in MACROS:
                yield Mention(number, macro, full_name(name, subject))


def shown_in(sections: Path) -> dict[str, str]:
    """The section of a folder that shows each table and figure of a result."""
    found: dict[str, str] = {}
    for file in sorted(sections.glob("*.md")):
        for mention in mentions(file) if file.is_file() else ():
            if mention.macro in _SHOWS:
                found.setdefault(mention.target, file.stem)
    return found


def spoken_of(section: Path, shown: Mapping[str, str], there: Collection[str]) -> dict[str, list[int]]:
    """The sections that are not `there` of which this one speaks, with its lines: by reference, or by results
    of which tables and figures are shown elsewhere alone. `shown` is what `shown_in` found.
    """
    found: dict[str, list[int]] = {}
    for line, _, target in mentions(section):
        analysis = target.partition("/")[0]
        of = {home for one, home in shown.items() if one.partition("/")[0] == analysis}
        of |= {name} if (name := target.removeprefix("section:")) != target else set()
        if of and not of & set(there):
            lines = found.setdefault(min(of), [])
            lines += [line] if line not in lines else []
    return found

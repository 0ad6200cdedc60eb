"""A study file: which sections, in which order, under which title and page limit."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from report.document import Study
from report.formatting import nearest
from report.provenance import SECTION as APPENDIX
from report.questions import Question

#: Key → type, for what a study file must and may say.
REQUIRED: dict[str, type] = {"title": str, "authors": list, "abstract": str, "sections": list}
OPTIONAL: dict[str, type] = {
    "page_limit": int,  # pages before the references
    "affiliation": str,
    "order": int,  # its place among the studies of the site
    "headline": str,  # "analysis/metric", the number that stands for it on the first page
    "figure": str,  # "analysis/figure", shown there in small
    "address": str,  # where its site is published, for citations and previews: https://…
}
#: What a text of a key must be, and how an error calls it.
FORMS = {
    "headline": (r"[a-z0-9_.]+/[^\s]+", 'the "analysis/metric" of a result'),
    "figure": (r"[a-z0-9_.]+/[^\s/]+", 'the "analysis/figure" of a result'),
    "address": (r"https?://[^\s\"<>]+", "an address that begins with https://"),
}
TYPE_NAMES = {str: "a text", list: "a list of texts", int: "a whole number above 0"}


class StudyError(Exception):
    """A study file that cannot be used; the message is one sentence with file, key and remedy."""


def load(path: Path, templates: Path) -> Study:
    """The study of a TOML file; its id is the file's stem. Raises StudyError."""
    data = _read(path)
    expected = REQUIRED | OPTIONAL
    questions = _questions(path, data.pop("questions", []))
    for key, value in data.items():
        if key not in expected:
            raise StudyError(f"{path}: there is no key {key!r}{nearest(key, [*expected, 'questions'])}")
        if not _is_a(value, expected[key]):
            raise StudyError(f"{path}: {key} must be {TYPE_NAMES[expected[key]]}, not {value!r}")
        if key in FORMS and not re.fullmatch(FORMS[key][0], value):
            raise StudyError(f"{path}: {key} must be {FORMS[key][1]}, not {value!r}")
    for key in REQUIRED:
        if not data.get(key):
            raise StudyError(f"{path}: {key} is missing; add {key} = {_example(key)}")
    _check_sections(path, [data["abstract"], *data["sections"]], templates)
    return Study(
        id=path.stem,
        title=data["title"],
        authors=tuple(data["authors"]),
        abstract=data["abstract"],
        sections=tuple(data["sections"]),
        page_limit=data.get("page_limit"),
        affiliation=data.get("affiliation", ""),
        questions=questions,
        order=data.get("order"),
        headline=data.get("headline", ""),
        figure=data.get("figure", ""),
        address=data.get("address", "").rstrip("/"),
        source=path,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        known = sorted(file.stem for file in path.parent.glob("*.toml"))
        raise StudyError(f"there is no study {path.stem!r} at {path}{nearest(path.stem, known)}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StudyError(f"{path} cannot be read as a study: {error}") from None


def _questions(path: Path, given: Any) -> tuple[Question, ...]:
    """The questions of the assignment that a study answers: [[questions]] with id and text."""
    example = 'write [[questions]] with id = "1a" and text = "…"'
    if not isinstance(given, list):
        raise StudyError(f"{path}: questions must be a list of tables; {example}")
    found: dict[str, Question] = {}
    for number, one in enumerate(given, 1):
        if not isinstance(one, dict) or set(one) != {"id", "text"}:
            raise StudyError(f"{path}: question {number} must have an id and a text; {example}")
        if not all(isinstance(value, str) and value.strip() for value in one.values()):
            raise StudyError(f"{path}: id and text of question {number} must be texts; {example}")
        if not re.fullmatch(r"[\w.-]+", one["id"]):
            raise StudyError(
                f"{path}: the id {one['id']!r} of question {number} has more than letters, digits, . and -"
            )
        if one["id"] in found:
            raise StudyError(f"{path}: the question {one['id']!r} is asked twice; remove one")
        found[one["id"]] = Question(**one)
    return tuple(found.values())


def _is_a(value: object, expected: type) -> bool:
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    if expected is list:
        return isinstance(value, list) and all(isinstance(part, str) and part.strip() for part in value)
    return isinstance(value, expected)


def _example(key: str) -> str:
    return '["…"]' if REQUIRED[key] is list else '"…"'


def _check_sections(path: Path, names: list[str], templates: Path) -> None:
    folder = templates / "sections"
    known = sorted(file.stem for file in folder.glob("*.md"))
    for position, name in enumerate(names):
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or name not in known:
            raise StudyError(f"{path}: there is no section {name!r} in {folder}{nearest(name, known)}")
        if name == APPENDIX:
            raise StudyError(f"{path}: {name!r} is the appendix that every study has; rename the section")
        if name in names[:position]:
            raise StudyError(f"{path}: the section {name!r} is named twice; remove one")

"""A study file: which sections, in which order, under which title and page limit."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from report import text_files
from report.document import Author, Study
from report.formatting import nearest
from report.provenance import SECTION as APPENDIX
from report.questions import Question


class Key(NamedTuple):
    """A key of a study file: the type of its value, what it does, and an example, in TOML."""

    type: type
    meaning: str
    example: str
    required: bool = False


KEYS = {
    "title": Key(str, "the title", '"Who painted it?"', required=True),
    "subtitle": Key(str, "a line below the title", '"A study of ten painters"'),
    "authors": Key(
        list,
        "names, or tables with name, affiliation and email; [] for none",
        '["Ada Lovelace", { name = "Bo Ek", affiliation = "Lund", email = "bo@example.org" }]',
        required=True,
    ),
    "affiliation": Key(str, "a line below all authors", '"A course, a group, a university"'),
    "anonymous": Key(bool, "true prints neither authors nor affiliations", "true"),
    "date": Key(str, "a date as it is printed; the day of the newest result if not given", '"May 2026"'),
    "abstract": Key(str, "the section that is the abstract", '"abstract"', required=True),
    "sections": Key(
        list,
        "in order: a file of sections/, one that comes with convstudy (`convstudy list sections`), or a path",
        '["my-section", "lenet", "text/method.md"]',
        required=True,
    ),
    "contents": Key(
        bool, "true prints a table of contents below the abstract, which a site has anyway", "true"
    ),
    "page_limit": Key(
        int,
        "pages before the references; more are reported, except with pictures of data that is at hand",
        "8",
    ),
    "language": Key(str, "the language for browsers, screen readers and PDF viewers (BCP 47)", '"en-GB"'),
    "typed_numbers": Key(
        str,
        "numbers that the prose types by hand: notice names them, refuse stops the build, allow is silent",
        '"notice"',
    ),
    "site": Key(dict, "title and first words of the site's first page", '{ title = "Painters", lead = "…" }'),
    "address": Key(
        str, "where the site is published, for citations and previews", '"https://ada.example.org/painters"'
    ),
    "repository": Key(
        str,
        "where its sections are kept, so that their pages link to them; with {commit}, {path} and {line} "
        "where they are not at /blob/{commit}/{path}#L{line}",
        '"https://github.com/ada/painters"',
    ),
    "headline": Key(
        str,
        "the number that stands for the study on the first page; `as percent`, `as points` or `as .3f` "
        "behind it says how it is printed",
        '"verification.siamese/mining/folds/auc as .3f"',
    ),
    "figure": Key(str, "the figure that is shown there in small", '"architecture.drawings/lenet"'),
    "order": Key(int, "its place among several studies of a site", "1"),
    "questions": Key(list, "tables with id and text: what must be answered", '[{ id = "1a", text = "…" }]'),
}
TYPE_NAMES = {
    str: "a text",
    list: "a list of texts",
    int: "a whole number above 0",
    bool: "true or false",
    dict: "a table of texts",
}
TYPED_NUMBERS = ("notice", "refuse", "allow")
SITE = ("title", "lead")
#: What a text of a key must be, and how an error calls it.
FORMS = {
    "headline": (
        r"[a-z0-9_.]+/[^\s]+( as (percent|points|\.\df))?",
        'the "analysis/metric" of a result, and if wanted " as percent", " as points" or " as .3f"',
    ),
    "figure": (r"[a-z0-9_.]+/[^\s/]+", 'the "analysis/figure" of a result'),
    "address": (r"https?://[^\s\"<>]+", "an address that begins with https://"),
    "repository": (r"https?://[^\s\"<>]+", "an address that begins with https://"),
    "language": (r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*", "a tag such as en-GB or de"),
    "typed_numbers": ("|".join(TYPED_NUMBERS), "notice, refuse or allow"),
}
AUTHOR = ("name", "affiliation", "email")


class StudyError(Exception):
    """A study file that cannot be used; the message is one sentence with file, key and remedy."""


@dataclass(frozen=True)
class _Text:
    """A study file as it was written, whose lines errors name."""

    path: Path
    lines: Sequence[str]

    def at(self, key: str, word: str = "", number: int = 1) -> str:
        """ "file:line" of a key, of one of several tables of that name, or of a word from there on."""
        named = re.compile(rf"""[\s\[]*["']?{re.escape(key)}["']?\s*[\]=.]""")
        places = [n for n, line in enumerate(self.lines) if named.match(line)]
        if not places:
            return str(self.path)
        begin = places[min(number, len(places)) - 1]
        whole = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        found = (n for n, line in enumerate(self.lines[begin:], begin) if whole.search(line))
        return f"{self.path}:{next(found, begin) + 1}"


def place(path: Path, key: str) -> str:
    """ "file:line" of a key in a study file."""
    return _Text(path, text_files.read(path).split("\n")).at(key)


def load(path: Path, templates: Path, typed_numbers: str = "refuse") -> Study:
    """The study of a TOML file; its id is the file's stem. Raises StudyError.

    `typed_numbers` is what holds where the file does not say it.
    """
    text, data = _read(path)
    questions = _questions(text, data.pop("questions", []))
    people = _people(text, data)
    for key, value in data.items():
        if key not in KEYS:
            raise StudyError(f"{text.at(key)}: there is no key {key!r}{nearest(key, list(KEYS))}")
        if not _is_a(value, KEYS[key].type):
            wanted = f"{TYPE_NAMES[KEYS[key].type]}, not {value!r}"
            raise StudyError(f"{text.at(key)}: {key} must be {wanted}; write {key} = {KEYS[key].example}")
        for part in (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        ):
            if isinstance(part, str) and (found := text_files.CONTROL.search(part)):
                raise StudyError(f"{text.at(key)}: {text_files.no_control(found[0])} from {key}")
        if key in FORMS and not re.fullmatch(FORMS[key][0], value):
            raise StudyError(f"{text.at(key)}: {key} must be {FORMS[key][1]}, not {value!r}")
    for name, known in KEYS.items():
        given = data.get(name)
        is_none = name == "authors" and given == []
        if known.required and not (given.strip() if isinstance(given, str) else given) and not is_none:
            lacks = "is empty; write" if name in data else "is missing; add"
            raise StudyError(f"{text.at(name)}: {name} {lacks} {name} = {known.example}")
    site = data.get("site", {})
    for key in site:
        if key not in SITE:
            raise StudyError(f"{text.at('site', key)}: site has no {key!r}{nearest(key, list(SITE))}")
    (abstract,) = _section_names(text, "abstract", [data["abstract"]], templates)
    sections = _section_names(text, "sections", data["sections"], templates)
    if abstract in sections:
        raise StudyError(f"{text.at('sections', abstract)}: {abstract!r} is the abstract; remove it here")
    if data.get("anonymous"):
        people = (Author("Anonymous author" + "s" * (len(people) > 1)),)
    return Study(
        id=path.stem,
        title=data["title"],
        subtitle=data.get("subtitle", ""),
        people=people,
        abstract=abstract,
        sections=tuple(sections),
        contents=data.get("contents", False),
        page_limit=data.get("page_limit"),
        affiliation="" if data.get("anonymous") else data.get("affiliation", ""),
        date=data.get("date", ""),
        language=data.get("language", "en-GB"),
        typed_numbers=data.get("typed_numbers", typed_numbers),
        site=site,
        questions=questions,
        order=data.get("order"),
        headline=data.get("headline", ""),
        figure=data.get("figure", ""),
        address=data.get("address", "").rstrip("/"),
        repository=data.get("repository", ""),
        source=path,
    )


def _people(text: _Text, data: dict[str, Any]) -> tuple[Author, ...]:
    """The authors, each a name or a table with one; `data` keeps the names."""
    given = data.get("authors")
    if not isinstance(given, list):
        return ()
    people = []
    for number, one in enumerate(given, 1):
        fields = {"name": one} if isinstance(one, str) else one
        if not isinstance(fields, dict) or not _is_a(fields, dict) or not fields.get("name", "").strip():
            raise StudyError(
                f"{text.at('authors', number=number)}: author {number} must be a name, or a table such as "
                '{ name = "Ada Lovelace", affiliation = "London", email = "ada@example.org" }'
            )
        for key in fields:
            if key not in AUTHOR:
                place = text.at("authors", key, number)
                raise StudyError(f"{place}: author {number} has no {key!r}{nearest(key, list(AUTHOR))}")
        people.append(Author(**fields))
    data["authors"] = [one.name for one in people]
    return tuple(people)


def _read(path: Path) -> tuple[_Text, dict[str, Any]]:
    try:
        written = text_files.read(path)
    except FileNotFoundError:
        known = sorted(file.stem for file in path.parent.glob("*.toml"))
        raise StudyError(f"there is no study {path.stem!r} at {path}{nearest(path.stem, known)}") from None
    except text_files.UnreadableText as error:
        raise StudyError(str(error)) from None
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}") from None
    text = _Text(path, written.split("\n"))
    try:
        return text, tomllib.loads(written)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(_no_toml(text, str(error))) from None


def _no_toml(text: _Text, problem: str) -> str:
    """tomllib's words at their line; what is never closed is named where its key is."""
    message, _, place = problem.partition(" (at ")
    found = re.match(r"line (\d+)", place)
    begun = [number for number, line in enumerate(text.lines, 1) if re.match(r"\w+\s*=", line)]
    line = int(found[1]) if found else (begun or [1])[-1]
    return (
        f"{text.path}:{line}: the file is no TOML from here on ({message}); a text stands in quotes, a list"
        " in brackets with commas, and each key once"
    )


def _questions(text: _Text, given: Any) -> tuple[Question, ...]:
    """The questions of the assignment that a study answers: [[questions]] with id and text."""
    example = 'write [[questions]] with id = "1a" and text = "…"'
    if not isinstance(given, list):
        raise StudyError(f"{text.at('questions')}: questions must be a list of tables; {example}")
    found: dict[str, Question] = {}
    for number, one in enumerate(given, 1):
        place = text.at("questions", number=number)
        if not isinstance(one, dict) or set(one) != {"id", "text"}:
            raise StudyError(f"{place}: question {number} must have an id and a text; {example}")
        if not all(isinstance(value, str) and value.strip() for value in one.values()):
            raise StudyError(f"{place}: id and text of question {number} must be texts; {example}")
        if not re.fullmatch(r"[\w.-]+", one["id"]):
            raise StudyError(
                f"{place}: the id {one['id']!r} of question {number} has more than letters, digits, . and -"
            )
        if one["id"] in found:
            raise StudyError(f"{place}: the question {one['id']!r} is asked twice; remove one")
        found[one["id"]] = Question(**one)
    return tuple(found.values())


def _is_a(value: object, expected: type) -> bool:
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    if expected is list:
        return isinstance(value, list) and all(isinstance(part, str) and part.strip() for part in value)
    if expected is dict:
        return isinstance(value, dict) and all(isinstance(part, str) for part in value.values())
    return isinstance(value, expected)


def _section_names(text: _Text, key: str, given: list[str], templates: Path) -> list[str]:
    """The sections by their names; one that is named by its path has that of its file."""
    folder = templates / "sections"
    known = sorted(file.stem for file in folder.glob("*.md"))
    names: list[str] = []
    for said in given:
        place = text.at(key, said)
        name = Path(said).stem if said.endswith(".md") else said
        if name not in known:
            where = (
                f"file {said!r}" if said.endswith(".md") else f"section {name!r}, a file {folder / name}.md"
            )
            raise StudyError(f"{place}: there is no {where}{nearest(name, known)}")
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise StudyError(
                f"{place}: the section {name!r} becomes part of an address: rename its file to small letters,"
                " digits and hyphens"
            )
        if name == APPENDIX:
            raise StudyError(f"{place}: {name!r} is the appendix that every study has; rename the section")
        if name in names:
            raise StudyError(f"{place}: the section {name!r} is named twice; remove one")
        names.append(name)
    return names

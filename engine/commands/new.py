"""`new`: a study of one's own, in a folder anywhere."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.common import TEMPLATES, called, escape, fail, out, refusing, studies_named
from engine.unfinished import AUTHOR, TITLE

BEGUN = TEMPLATES / "new"
#: File of `templates/new` → its place in the folder, for those that would be read as ours where they are.
PLACES = {"ignored.txt": ".gitignore", "pages.yml": ".github/workflows/pages.yml"}
HEAD = "# `convstudy build` in this folder writes the PDF and site/index.html.\n"
#: Keys that many a study sets.
OFFERED = ("subtitle", "affiliation", "date", "contents", "page_limit", "typed_numbers")
OFF = '# Off until you take away the first "# "; `convstudy list study-keys` has more.'


def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that does not exist yet")],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="STUDY", help="Begin with its sections (`list studies`)")
    ] = None,
    title: Annotated[str, typer.Option(help="The title")] = TITLE,
    author: Annotated[list[str] | None, typer.Option(help="An author; again for each")] = None,
) -> None:
    """Begin a study of your own: its file, an abstract, a section, a bibliography, an analysis."""
    from engine.own import study_id
    from report.html import RESERVED_STUDIES
    from report.mentions import section_titles
    from report.text_files import CONTROL

    for text in (title, *(author or ())):
        if not text.strip() or CONTROL.search(text) or "\n" in text:
            fail(2, f"{text!r} is no text for --title or --author; say it in letters, in one line")
    copied = studies_named([from_])[0].sections if from_ else ()
    if folder.exists():
        fail(2, f"{folder} exists already; name a folder that does not")
    if study_id(folder) in RESERVED_STUDIES:
        fail(2, f"no study can be called {study_id(folder)!r}, a folder of its site; choose another name")
    known = section_titles(TEMPLATES / "sections")
    names = (*copied[:-1], "my-section", *copied[-1:])  # before the conclusion
    given = {
        "title": json.dumps(title, ensure_ascii=False),  # JSON's texts and lists of texts are TOML's
        "authors": json.dumps(author or [AUTHOR], ensure_ascii=False),
        "abstract": '"abstract"',
        "sections": "[\n" + "".join(f'    "{name}",  # {known.get(name, "yours")}\n' for name in names) + "]",
    }
    with refusing(OSError, status=1):
        folder.mkdir(parents=True)
        for file in sorted(file for file in BEGUN.rglob("*") if file.is_file()):
            name = str(file.relative_to(BEGUN))
            if "__pycache__" not in name:
                _put(folder / PLACES.get(name, name), file.read_bytes())
        _put(folder / "study.toml", _study_file(given).encode())
        makefile = folder / "Makefile"
        program = Path(sys.argv[0]).resolve()
        makefile.write_text(makefile.read_text("utf-8").replace("{program}", str(program)), "utf-8")
    out.print(
        escape(f"Rewrite abstract.md and sections/my-section.md in {folder}, whose study.toml names the")
    )
    out.print("sections; this builds it, as often as you like, and names what is still to be done:")
    out.print(escape(f"{called()} build {shlex.quote(str(folder))}"))


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _study_file(given: dict[str, str]) -> str:
    """Those given, and some others as comments, with what they do."""
    from report.study import KEYS

    lines = [HEAD]
    for name, value in given.items():
        key = KEYS[name]
        such = f" For instance {key.example}." if name == "authors" else ""
        lines.append(f"# {key.meaning[:1].upper()}{key.meaning[1:]}.{such}\n{name} = {value}\n")
    lines.append(OFF)
    lines += [f"# {name} = {KEYS[name].example}  # {KEYS[name].meaning}" for name in OFFERED]
    return "\n".join(lines) + "\n"

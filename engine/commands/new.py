"""`new`: a study of one's own, in a folder anywhere."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from engine.commands.common import TEMPLATES, fail, out, refusing, studies_named
from engine.unfinished import AUTHOR, TITLE

BEGUN = TEMPLATES / "new"
#: File of `templates/new` → its place in the folder, for those that would be read as ours where they are.
PLACES = {"ignored.txt": ".gitignore", "pages.yml": ".github/workflows/pages.yml"}
HEAD = """\
# The study. `convstudy build` in this folder makes site/index.html and the PDF; what a line says that begins
# with "# key =" is off until you take away the "# ".
"""


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
    from report.text_files import CONTROL

    for text in (title, *(author or ())):
        if not text.strip() or CONTROL.search(text):
            fail(2, f"{text!r} is no text for --title or --author; say it in letters")
    copied = studies_named([from_])[0].sections if from_ else ()
    if folder.exists():
        fail(2, f"{folder} exists already; name a folder that does not")
    if study_id(folder) in RESERVED_STUDIES:
        fail(2, f"no study can be called {study_id(folder)!r}, a folder of its site; choose another name")
    names = (*copied[:-1], "my-section", *copied[-1:])  # before the conclusion
    given = {
        "title": json.dumps(title, ensure_ascii=False),  # JSON's texts and lists of texts are TOML's
        "authors": json.dumps(author or [AUTHOR], ensure_ascii=False),
        "abstract": '"abstract"',
        "sections": "[\n" + "".join(f'    "{name}",\n' for name in names) + "]",
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
        escape(f"{folder}/study.toml names the sections; {folder}/sections/my-section.md is yours to rewrite")
    )
    out.print(escape(f"convstudy build {shlex.quote(str(folder))}"))


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _study_file(given: dict[str, str]) -> str:
    """Every key with what it does: those given, then the others as comments."""
    from report.study import KEYS

    lines = [HEAD]
    for name in sorted(KEYS, key=lambda key: key not in given):
        key = KEYS[name]
        such = f", as {key.example}" if name == "authors" else ""
        lines.append(f"# {key.meaning[:1].upper()}{key.meaning[1:]}{such}.")
        lines.append(f"{name} = {given[name]}\n" if name in given else f"# {name} = {key.example}\n")
    return "\n".join(lines)

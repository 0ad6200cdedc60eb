"""`new`: a study of one's own, in a folder anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.common import fail, out, refusing, studies_named

STUDY = """\
# The study. `convstudy build` in this folder makes site/ and the PDF.
title = {title}
authors = {authors}
abstract = "abstract"    # abstract.md
# page_limit = 8         # pages before the references
# affiliation = "…"      # printed below the authors

# A section is a file of sections/, or one that comes with convstudy. Drop, add and reorder them.
sections = [
{sections}]
"""
ABSTRACT = """\
# Abstract

What the study asks, what it finds, and what follows from it.
"""
SECTION = """\
# A section of my own
% do about("architecture.lenet")

The baseline [@lecun1998; @my-source] has {{ value("total_parameters") }} parameters ({{ ref("layers") }}).
{{ ref("architecture.drawings/lenet") }} draws it.

{{ figure("architecture.drawings/lenet") }}

{{ table("layers") }}
"""
BIBLIOGRAPHY = """\
@misc{my-source,
  author = {Family, Given},
  title = {A source of my own, to be cited with its key},
  year = {2026}
}
"""
NAMES = "# Names that hold digits and may be written in your prose, one a line.\n"


def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that does not exist yet")],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="STUDY", help="Begin with its sections")
    ] = None,
    title: Annotated[str, typer.Option(help="The title")] = "A study of my own",
    author: Annotated[list[str] | None, typer.Option(help="An author; again for each")] = None,
) -> None:
    """Begin a study of your own: its file, an abstract, a section, a bibliography."""
    copied = studies_named([from_])[0].sections if from_ else ()
    if folder.exists():
        fail(2, f"{folder} exists already; name a folder that does not")
    files = {
        "study.toml": STUDY.format(
            title=_toml(title),
            authors=_toml(author or ["Your Name"]),
            sections="".join(f"    {_toml(name)},\n" for name in ("my-section", *copied)),
        ),
        "abstract.md": ABSTRACT,
        "sections/my-section.md": SECTION,
        "references.bib": BIBLIOGRAPHY,
        "names.txt": NAMES,
        ".gitignore": "/.build/\n/site/\n",
    }
    with refusing(OSError, status=1):
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
    out.print(f"{folder}/study.toml names the sections; {folder}/sections/my-section.md is yours to rewrite")
    out.print(f"convstudy build {folder}", markup=False)


def _toml(value: str | list[str]) -> str:
    """JSON's texts and lists of texts are TOML's."""
    return json.dumps(value, ensure_ascii=False)

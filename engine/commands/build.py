"""`build`: the PDF and the site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from engine.commands.common import (
    TEMPLATES,
    Options,
    as_profile,
    fail,
    out,
    progress,
    refusing,
    say,
    studies_named,
)

if TYPE_CHECKING:
    from engine.own import OwnStudy


def build(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="STUDY|FOLDER…", help="Studies, or a folder of your own; all if none"),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Prefer results of this profile: full, quick or custom")
    ] = None,
    formats: Annotated[
        str,
        typer.Option(
            "--format", help="pdf, html, ipynb (a notebook) and latex (a zip of sources), with a comma"
        ),
    ] = "pdf,html",
    output: Annotated[
        Path | None, typer.Option(help="Where the site goes (default: site, in the folder of your own study)")
    ] = None,
    offline_check: Annotated[
        bool,
        typer.Option("--offline-check", help="Check the links and the offline promise of the site built"),
    ] = False,
) -> None:
    """Write the PDF and the site, running what is cheap and missing or stale."""
    from engine.refreshing import refresh
    from report.build import FORMATS, BuildError, build_studies

    wanted = tuple(part.strip() for part in formats.split(",") if part.strip())
    if not wanted or set(wanted) - set(FORMATS):
        fail(2, f"--format {formats} is not known; say one or more of {','.join(FORMATS)}")
    prefer = as_profile(profile)
    own = _own_study(names or [])
    studies, templates = ([own.study], own.templates) if own else (studies_named(names or []), TEMPLATES)
    output = output or (own.folder / "site" if own else Path("site"))
    with progress() as report:
        refreshed = refresh(Options.store, report)
    for identifier in refreshed.recorded:
        out.print(f"{identifier}: recorded")
    try:
        built = build_studies(studies, Options.store, templates, output, wanted, prefer=prefer)
    except BuildError as error:
        if Options.debug:
            raise
        fail(1, own.in_files_written(str(error)) if own else str(error))
    for line in built.lines:
        out.print(escape(line))
    for problem in dict.fromkeys((*refreshed.problems, *refreshed.notices, *built.notices, *built.problems)):
        say(own.in_files_written(problem) if own else problem, "yellow")
    if offline_check:
        from report.site_checks import check_site

        problems = check_site(output)
        for problem in problems:
            say(problem)
        if problems:
            raise typer.Exit(1)
        out.print("Every link resolves, and no page loads anything from outside its folder.")
    if built.problems or refreshed.problems:
        raise typer.Exit(1)


def _own_study(names: list[str]) -> OwnStudy | None:
    """The study of the folder that is named, or of the present one where none is."""
    from engine.own import is_own, open_study
    from report.study import StudyError

    folders = [name for name in names or ["."] if is_own(name) and not _is_ours(name)]
    if not folders:
        return None
    if len(names) > 1:
        fail(2, f"{folders[0]} holds a study of your own; build it by itself")
    with refusing(StudyError, OSError):
        return open_study(Path(folders[0]), TEMPLATES)


def _is_ours(name: str) -> bool:
    return (TEMPLATES / "studies" / f"{name}.toml").is_file()

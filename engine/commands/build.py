"""`build`: the PDF and the site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.common import (
    Options,
    as_profile,
    escape,
    fail,
    near,
    needed,
    out,
    say,
    site,
    studies_named,
    templates,
    unfinished,
    usable,
    work_in_named,
)
from engine.commands.progress import progress


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
    tagged: Annotated[
        bool,
        typer.Option("--tagged", help="Tag the PDFs for screen readers; LaTeX takes about 12 times as long"),
    ] = False,
    offline_check: Annotated[
        bool,
        typer.Option("--offline-check", help="Check the links and the offline promise of the site built"),
    ] = False,
) -> None:
    """Write the PDF and the site, running what is cheap and missing or stale."""
    from engine.refreshing import refresh
    from report.build import FORMATS, build_studies

    wanted = tuple(part.strip() for part in formats.split(",") if part.strip())
    if not wanted or set(wanted) - set(FORMATS):
        fail(2, f"--format {formats} is not known; say one or more of {','.join(FORMATS)}")
    prefer = as_profile(profile)
    studies = studies_named(work_in_named(names or []))
    output = usable(site(output))
    with progress() as report:
        refreshed = refresh(Options.store, report, only=needed(studies))
    for identifier in refreshed.recorded:
        out.print(f"{identifier}: recorded")
    built = build_studies(studies, Options.store, templates(), output, wanted, prefer=prefer, tagged=tagged)
    for line in built.lines:
        out.print(escape(line))
    for problem in dict.fromkeys(
        (*refreshed.problems, *refreshed.notices, *unfinished(), *built.notices, *built.problems)
    ):
        say(problem, "yellow")
    if Options.folder:
        _say_where(output, [study.id for study in studies])
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


def _say_where(output: Path, studies: list[str]) -> None:
    """Where one's own study is to be seen."""
    made = [output / "index.html", *(output / f"{study}.pdf" for study in studies)]
    if files := [near(file) for file in made if file.is_file()]:
        out.print(escape(f"Open {' or '.join(files)}"))

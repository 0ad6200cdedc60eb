"""`build`: the PDF and the site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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


def build(
    names: Annotated[list[str] | None, typer.Argument(metavar="STUDY…", help="Studies; all if none")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Prefer results of this profile: full, quick or custom")
    ] = None,
    formats: Annotated[str, typer.Option("--format", help="pdf, html or both, with a comma")] = "pdf,html",
    output: Annotated[Path, typer.Option(help="Where the site goes")] = Path("site"),
    offline_check: Annotated[
        bool,
        typer.Option("--offline-check", help="Check the links and the offline promise of the site built"),
    ] = False,
) -> None:
    """Write the PDF and the site, running what is cheap and missing or stale."""
    from engine.refreshing import refresh
    from report.build import BuildError, build_studies

    wanted = tuple(part.strip() for part in formats.split(",") if part.strip())
    if not wanted or set(wanted) - {"pdf", "html"}:
        fail(2, f"--format {formats} is not known; say pdf, html or pdf,html")
    prefer = as_profile(profile)
    studies = studies_named(names or [])
    with progress() as report:
        refreshed = refresh(Options.store, report)
    for identifier in refreshed.recorded:
        out.print(f"{identifier}: recorded")
    with refusing(BuildError, status=1):
        built = build_studies(studies, Options.store, TEMPLATES, output, wanted, prefer=prefer)
    for line in built.lines:
        out.print(escape(line))
    for problem in dict.fromkeys((*refreshed.problems, *refreshed.notices, *built.notices, *built.problems)):
        say(problem, "yellow")
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

"""`list`: what there is, and what is ready here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import analyses
from engine.commands.common import (
    WIDTH,
    AsJson,
    Options,
    fail,
    print_entries,
    print_json,
    print_rows,
    refusing,
    say,
    studies_named,
    templates,
)

LISTS = ("analyses", "studies", "sections", "models", "data", "macros", "study-keys")


def list_(
    what: Annotated[
        str,
        typer.Argument(help=f"{', '.join(LISTS)}, or an analysis: its parameters"),
    ] = "analyses",
    as_json: AsJson = False,
) -> None:
    """What there is, and what is ready here."""
    rows: list[dict[str, Any]]
    if what == "analyses":
        rows = _analysis_rows()
    elif what == "studies":
        rows = [
            {"study": study.id, "title": study.title, "sections": len(study.sections)}
            for study in studies_named([])
        ]
    elif what == "sections":
        rows = _section_rows()
    elif what == "models":
        from analyses.inspection import model_names

        rows = [{"model": name} for name in model_names()]
    elif what == "data":
        from engine.commands import data

        rows = data.as_json_rows() if as_json else data.rows()
    elif what == "macros":
        rows = _macro_rows()
    elif what == "study-keys":
        from report.study import KEYS

        rows = [
            {"key": name, "what it is": key.meaning, "example": f"{name} = {key.example}"}
            for name, key in KEYS.items()
        ]
    elif what in analyses.identifiers():
        from analyses.parameter_help import parameter_rows

        with refusing(analyses.BrokenPlugin, status=1):
            rows = parameter_rows(analyses.get(what))
    else:
        known = [*LISTS, *analyses.identifiers()]
        fail(
            2,
            f"there is nothing called {what!r} to list; say {', '.join(LISTS)}, or the id of an analysis"
            f"{analyses.nearest(what, known)}",
        )
    if as_json:
        print_json(rows)
    elif what in ("macros", "study-keys"):
        print_entries(rows)  # whose examples are to be copied
    else:
        print_rows(rows, WIDTH)


def _section_rows() -> list[dict[str, Any]]:
    """Those that a study may name, with the studies that do."""
    from report.mentions import section_titles

    uses: dict[str, list[str]] = {}
    for study in studies_named([file.stem for file in sorted((templates() / "studies").glob("*.toml"))]):
        for name in (study.abstract, *study.sections):
            uses.setdefault(name, []).append(study.id)
    return [
        {"section": name, "title": title, "in": ", ".join(uses.get(name, []))}
        for name, title in section_titles(templates() / "sections").items()
    ]


def _macro_rows() -> list[dict[str, Any]]:
    """What a section may call."""
    from report.macros import MACROS, Macros

    descriptions = {name: " ".join((getattr(Macros, name).__doc__ or "").split()) for name in MACROS}
    return [
        {
            "macro": name,
            "in a section": example,
            "what it prints": descriptions[name].partition(". ")[0].rstrip("."),
        }
        for name, example in MACROS.items()
    ]


def _analysis_rows() -> list[dict[str, Any]]:
    recorded = Options.store.recorded()
    problems = analyses.clashes()
    rows = []
    for identifier in analyses.identifiers():
        try:
            title = analyses.get(identifier).title
        except analyses.BrokenPlugin as error:
            problems.append(str(error))
            title = "cannot be loaded"
        profiles = [profile for name, profile in recorded if name == identifier]
        rows.append({"analysis": identifier, "title": title, "recorded": ", ".join(profiles) or "no"})
    for problem in problems:
        say(problem)
    return rows

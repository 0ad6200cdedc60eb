"""`explain`: why an analysis would run, or a study would be built again, or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import analyses
from engine.commands.common import (
    AsJson,
    Options,
    as_written,
    escape,
    needed,
    out,
    print_json,
    refusing,
    site,
    studies_named,
    templates,
    work_in_named,
)
from results.store import Profile, ResultError

WORDS = {
    "fresh": "unchanged, would not run again",
    "stale": "would be made again",
    "missing": "was never made",
    "refused": "cannot be used",
}


def explain(
    name: Annotated[str | None, typer.Argument(metavar="ANALYSIS|STUDY|FOLDER")] = None,
    output: Annotated[Path | None, typer.Option(help="Where the site goes (default: site)")] = None,
    as_json: AsJson = False,
) -> None:
    """Why an analysis would run, or a study would be built again, or not."""
    name = next(iter(work_in_named([name])), None) if name else None
    known_studies = sorted(path.stem for path in (templates() / "studies").glob("*.toml"))
    rows: list[dict[str, Any]] = []
    if name is None or name not in known_studies:
        with refusing(analyses.UnknownAnalysis):
            if name is not None and name not in analyses.identifiers() and not _is_family(name):
                raise analyses.UnknownAnalysis(
                    f"there is no analysis or study {name!r}"
                    f"{analyses.nearest(name, [*analyses.identifiers(), *known_studies])}"
                )
        used = needed(studies_named([])) if name is None else None
        chosen = [
            known
            for known in analyses.identifiers()
            if (known in used if used is not None else name is None or f"{known}.".startswith(f"{name}."))
        ]
        for identifier in chosen:
            rows += _analysis_rows(identifier)
    if name is None or name in known_studies:
        rows += _study_rows([name] if name else [], site(output))
    for row in rows:
        row["reasons"] = [as_written(reason) for reason in row["reasons"]]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        out.print(escape(f"{row['name']} ({row['profile']}): {WORDS[row['state']]}"))
        for reason in row["reasons"]:
            out.print(escape(f"    {reason}"))


def _is_family(name: str) -> bool:
    return any(identifier.startswith(name + ".") for identifier in analyses.identifiers())


def _analysis_rows(identifier: str) -> list[dict[str, Any]]:
    from engine.faults import AnalysisFailed
    from engine.freshness import freshness
    from engine.refreshing import parameters_of, profiles_of

    rows: list[dict[str, Any]] = []
    try:
        plugin = analyses.get(identifier)
        for profile in profiles_of(plugin):
            found = freshness(plugin, profile, parameters_of(plugin, profile), Options.store)
            reasons = [*found.reasons, *_measured(plugin, profile, found.state)]
            rows.append({"name": identifier, "profile": profile, "state": found.state, "reasons": reasons})
    except (analyses.BrokenPlugin, AnalysisFailed) as error:
        rows.append({"name": identifier, "profile": "full", "state": "refused", "reasons": [str(error)]})
    return rows


def _measured(plugin: Any, profile: Profile, state: str) -> list[str]:
    """How many cells of an experiment that is not fresh are measured, and the command that goes on."""
    if plugin.analytic or state not in ("missing", "stale"):
        return []
    from engine.execution import measured
    from engine.refreshing import parameters_of

    try:
        known, planned = measured(plugin, profile, parameters_of(plugin, profile), Options.store)
    except ResultError as error:
        return [str(error)]
    if not known and state == "missing":
        return []
    if known == planned and state == "stale":
        return [f"{known} of {planned} cells measured; summarize them with `python runner.py build`"]
    go_on = f"go on with `python runner.py run {plugin.id} --profile {profile}`"
    return [f"{known} of {planned} cells measured; {go_on}"]


def _study_rows(names: list[str], output: Path) -> list[dict[str, Any]]:
    from report.build import explain_study

    return [
        {"name": study.id, "profile": kind, "state": "stale" if reasons else "fresh", "reasons": reasons}
        for study in studies_named(names)
        for kind, reasons in explain_study(study, output, Options.store, templates()).items()
    ]

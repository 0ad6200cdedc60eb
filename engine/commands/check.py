"""`check`: whether results, prose, links and PDFs hold."""

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
    out,
    print_json,
    say,
    site,
    studies_named,
    templates,
    unfinished,
    work_in_named,
)
from results.store import Profile, ResultError


def check(
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="The folder of a study of your own")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The site to check (default: site)")] = None,
    as_json: AsJson = False,
) -> None:
    """Check results, prose, links and PDFs; exit 1 when something does not hold."""
    from report.build import explain_study
    from report.output_checks import check_output, check_prose
    from report.state import NEVER_BUILT, shown

    studies, output = studies_named(work_in_named([folder] if folder else [])), site(output)
    problems, notices = analyses.clashes(), unfinished()
    if not Options.folder:
        problems += check_prose(templates())
    for identifier, profile in shown(studies, Options.store, templates()):
        _check_result(identifier, profile, problems, notices)
    for found, of_output in zip(
        (problems, notices), check_output(studies, Options.store, templates(), output), strict=True
    ):
        found += of_output
    for study in studies:
        for kind, reasons in explain_study(study, output, Options.store, templates()).items():
            if (output / study.id).is_dir() and reasons and reasons != [NEVER_BUILT]:
                problems.append(f"{study.id} ({kind}) is not up to date: {reasons[0]}; build it again")
    problems, notices = list(map(as_written, problems)), list(map(as_written, notices))
    if as_json:
        print_json({"problems": problems, "notices": notices})
    else:
        for problem in problems:
            out.print(escape(problem))
        for notice in notices:
            say(notice, "yellow")
    if problems:
        raise typer.Exit(1)
    if not as_json:
        out.print("Results, prose, links and PDFs hold.")


def _check_result(identifier: str, profile: Profile, problems: list[str], notices: list[str]) -> None:
    """Whether a result can be read, and follows from today's code and parameters.

    One that was measured by an earlier protocol, or on other data, is a true record of that, and only named.
    """
    try:
        Options.store.read(identifier, profile)
        Options.store.read_outcomes(identifier, profile)
    except ResultError as error:
        problems.append(str(error))
        return
    if identifier not in analyses.identifiers():
        where = Options.store.path(identifier, profile)
        problems.append(f"{where} belongs to no analysis that is installed here")
        return
    if profile == "custom":
        return
    from engine.faults import AnalysisFailed
    from engine.freshness import freshness
    from engine.refreshing import parameters_of

    try:
        plugin = analyses.get(identifier)
        parameters = parameters_of(plugin, profile)
        found = freshness(plugin, profile, parameters, Options.store)
        reasons = [f"the {profile} result of {identifier} is stale: {reason}" for reason in found.reasons]
        if reasons and not plugin.analytic and not _all_measured(plugin, profile, parameters):
            go_on = (
                f"`python runner.py run {identifier} --profile {profile}` measures it as it is planned now"
            )
            notices.append(f"{reasons[0]}; {go_on}")
        else:
            problems += reasons
    except (analyses.BrokenPlugin, AnalysisFailed, ResultError) as error:
        problems.append(str(error))


def _all_measured(plugin: Any, profile: Profile, parameters: Any) -> bool:
    from engine.execution import measured

    known, planned = measured(plugin, profile, parameters, Options.store)
    return known == planned

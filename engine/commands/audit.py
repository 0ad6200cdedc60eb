"""`audit`: claimed numbers against computed ones."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import analyses
from engine.commands.common import AsJson, Options, err, escape, one_format, print_json, print_table, refusing
from engine.commands.progress import progress
from results.store import ResultError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.schema import Metric


def audit(
    claims: Annotated[
        Path,
        typer.Argument(
            metavar="CLAIMS",
            help="CSV with columns quantity,claimed[,tolerance,source,input,name], or a Markdown or LaTeX "
            "table, also one of a paper: Model, Params (M), GFLOPs",
        ),
    ],
    as_json: AsJson = False,
    as_latex: Annotated[bool, typer.Option("--latex")] = False,
) -> None:
    """Check claimed numbers against computed ones; `build --profile custom` puts the audit in the report."""
    one_format(json=as_json, latex=as_latex)
    from analyses.architecture import audit as auditing
    from analyses.architecture._claims import ClaimsError
    from analyses.architecture._claims import read as read_claims
    from engine.execution import AnalysisFailed, execute

    of_a_user = (ClaimsError, analyses.UnknownAnalysis, analyses.BrokenPlugin)
    with refusing(AnalysisFailed, status=1), refusing(*of_a_user):
        found, problems = read_claims(claims)
        for problem in problems:
            err.print(escape(f"{claims}:{problem.line}: {problem.text}"))
        if not found:
            raise typer.Exit(2)
        parameters = auditing.AuditParameters(
            claims=found, recorded=auditing.recorded(found, _recorded_metrics)
        )
        with progress() as report:
            try:
                result = execute(
                    auditing.analysis,
                    "custom",
                    parameters,
                    Options.store,
                    device="meta",
                    force=True,
                    report=report,
                )
            except AnalysisFailed as error:
                if not isinstance(error.__cause__, of_a_user):
                    raise
                raise error.__cause__ from None
    verdicts = auditing.verdicts(result, found)
    unknown = [verdict for verdict in verdicts if verdict["problem"]]
    for verdict in unknown:
        err.print(escape(f"{claims}:{verdict['line']}: {verdict['problem']}"))
    if as_json:
        print_json({"claims": verdicts, "problems": [asdict(problem) for problem in problems]})
    elif as_latex:
        from report.text_tables import latex

        sys.stdout.write(latex(result.tables["claims"]))
    else:
        print_table(result.tables["claims"])
    if problems or unknown:
        raise typer.Exit(2)
    if not all(verdict["holds"] for verdict in verdicts):
        raise typer.Exit(1)


def _recorded_metrics(identifier: str) -> Mapping[str, Metric] | None:
    """The metrics of the best recorded result that is up to date; None where there is none."""
    from engine.freshness import freshness
    from engine.refreshing import parameters_of

    try:
        result = Options.store.best(identifier)
        plugin, profile = analyses.get(identifier), result.profile
        if profile == "custom":
            return None
        if freshness(plugin, profile, parameters_of(plugin, profile), Options.store).state != "fresh":
            return None
    except (ResultError, analyses.BrokenPlugin, ValueError):
        return None
    return result.metrics

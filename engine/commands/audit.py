"""`audit`: claimed numbers against computed ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import analyses
from engine.commands.common import AsJson, Options, print_json, print_table, progress, refusing


def audit(
    claims: Annotated[
        Path, typer.Argument(metavar="CLAIMS.csv", help="Columns quantity,claimed[,tolerance,source]")
    ],
    as_json: AsJson = False,
) -> None:
    """Check claimed numbers against computed ones; `build --profile custom` puts the audit in the report."""
    from analyses.architecture import audit as auditing
    from engine.execution import AnalysisFailed, execute

    of_a_user = (auditing.ClaimsError, analyses.UnknownAnalysis, analyses.BrokenPlugin)
    with refusing(*of_a_user, AnalysisFailed), progress() as report:
        parameters = auditing.AuditParameters(claims=auditing.read_claims(claims))
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
    verdicts = auditing.verdicts(result)
    if as_json:
        print_json({"claims": verdicts})
    else:
        print_table(result.tables["claims"])
    if not all(verdict["holds"] for verdict in verdicts):
        raise typer.Exit(1)

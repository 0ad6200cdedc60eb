"""`show`: a recorded result, in the terminal or as JSON."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

import analyses
from engine.commands.common import (
    AsJson,
    Options,
    as_profile,
    out,
    print_json,
    print_rows,
    print_table,
    refusing,
)
from results.schema import Metric, Result
from results.store import ResultError


def show(
    name: Annotated[str, typer.Argument(metavar="ANALYSIS")],
    profile: Annotated[
        str | None, typer.Option(help="full, quick or custom; the best one if not said")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A recorded result, in the terminal or as JSON."""
    with refusing(analyses.UnknownAnalysis):
        analyses.select([name])
    chosen = as_profile(profile)
    with refusing(ResultError, status=1):
        result = Options.store.read(name, chosen) if chosen else Options.store.best(name)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print_result(result)


def print_result(result: Result) -> None:
    """Its metrics, findings and tables."""
    commit = result.provenance.git_commit[:8] or "no commit"
    out.print(escape(f"{result.title} ({result.analysis}, {result.profile} profile, {commit})"), style="bold")
    out.print(escape(result.question))
    print_rows(
        [
            {"metric": name, "value": _text(metric), "unit": metric.unit, "what": metric.title}
            for name, metric in result.metrics.items()
        ]
    )
    for finding in result.findings.values():
        out.print(escape(f"{'holds' if finding.holds else 'does not hold'}: {finding.statement}"))
    for table in result.tables.values():
        out.print()
        print_table(table)


def _text(metric: Metric) -> str:
    from report import formatting

    text = ("at least " if metric.partial else "") + formatting.number(metric.value)
    if metric.low is None or metric.high is None:
        return text
    return f"{text} [{formatting.number(metric.low)}, {formatting.number(metric.high)}], n = {metric.n}"

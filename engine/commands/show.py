"""`show`: a recorded result, in the terminal or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

import analyses
from engine.commands.common import (
    AsJson,
    Options,
    analyses_named,
    as_profile,
    escape,
    fail,
    out,
    print_json,
    print_rows,
    print_table,
    refusing,
)
from results.schema import Figure, Metric, Result, Table
from results.store import ResultError

Part = TypeVar("Part", Table, Figure)


def show(
    name: Annotated[str, typer.Argument(metavar="ANALYSIS")],
    profile: Annotated[
        str | None, typer.Option(help="full, quick or custom; the best one if not said")
    ] = None,
    as_json: AsJson = False,
    table: Annotated[str | None, typer.Option(help="This table of it alone")] = None,
    as_csv: Annotated[bool, typer.Option("--csv")] = False,
    as_latex: Annotated[bool, typer.Option("--latex")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown")] = False,
    figure: Annotated[str | None, typer.Option(help="This figure of it, into the file of --output")] = None,
    output: Annotated[Path | None, typer.Option(help="A .svg, .pdf or .png for --figure")] = None,
) -> None:
    """A recorded result, in the terminal or as JSON; or its tables and figures for another document."""
    found = analyses_named([name])
    if name not in found:
        fail(2, f"{name} is a family of analyses; name one, such as {found[0]}")
    chosen = as_profile(profile)
    with refusing(ResultError, status=1):
        result = Options.store.read(name, chosen) if chosen else Options.store.best(name)
    if figure:
        _write_figure(_part(result, "figure", result.figures, figure), output)
    elif table or as_csv or as_latex or as_markdown:
        tables = [_part(result, "table", result.tables, table)] if table else list(result.tables.values())
        if as_json:
            print_json([one.model_dump(mode="json") for one in tables])
        else:
            _print_tables(
                tables, "csv" if as_csv else "latex" if as_latex else "markdown" if as_markdown else ""
            )
    elif as_json:
        print_json(result.model_dump(mode="json"))
    else:
        print_result(result)


def _part(result: Result, kind: str, parts: Mapping[str, Part], name: str) -> Part:
    if name not in parts:
        known = list(parts)
        fail(
            2,
            f"{result.analysis} has no {kind} {name!r}; it has {', '.join(known) or 'none'}"
            f"{analyses.nearest(name, known)}",
        )
    return parts[name]


def _print_tables(tables: Sequence[Table], form: str) -> None:
    from report.html_views import table_csv
    from report.text_tables import latex, markdown

    write = {"csv": table_csv, "latex": latex, "markdown": markdown}.get(form)
    for table in tables:
        if write:
            sys.stdout.write(write(table))
        else:
            print_table(table)


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
    out.print()
    _print_lines(result)


def _print_lines(result: Result) -> None:
    """What a section says to print each of them."""
    out.print(escape(f'In a section, below `% do about("{result.analysis}")`:'), style="bold")
    lines = [_call("value", name) for name in result.metrics]
    for name, finding in result.findings.items():
        lines.append(_call("sentence", name) if finding.sentences else f'% if holds("{name}")')
    for name, table in result.tables.items():
        keys = ", ".join(column.key for column in table.columns)
        lines.append(f"{_call('table', name)} {_call('ref', name)} of the columns {keys}")
    lines += [f"{_call('figure', name)} {_call('ref', name)}" for name in result.figures]
    for line in lines:
        out.print(escape(line))


def _write_figure(figure: Figure, output: Path | None) -> None:
    """The drawing as the suffix of the file says."""
    from report import figures
    from results.store import write_atomically

    writers = {".svg": figures.drawn_svg, ".pdf": figures.pdf, ".png": figures.png}
    if output is None or output.suffix.lower() not in writers:
        fail(2, "say where the figure goes, as --output FILE.svg, .pdf or .png")
    with refusing(OSError, status=1):
        write_atomically(output, writers[output.suffix.lower()](figure))
    out.print(escape(f"Written: {output}"))


def _call(macro: str, name: str) -> str:
    return f'{{{{ {macro}("{name}") }}}}'


def _text(metric: Metric) -> str:
    from report import formatting

    text = ("at least " if metric.partial else "") + formatting.number(metric.value)
    if metric.low is None or metric.high is None:
        return text
    return f"{text} [{formatting.number(metric.low)}, {formatting.number(metric.high)}], n = {metric.n}"

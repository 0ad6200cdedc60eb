"""`inspect`: the layer table of a model, checked by independent counters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from engine.commands.common import AsJson, err, out, print_json, print_table, refusing
from results.schema import Table


def inspect(
    model: Annotated[str, typer.Argument(help="A torchvision name, timm:NAME, or package.module:callable")],
    shape: Annotated[
        str | None, typer.Option("--input", metavar="CxHxW", help="Input without the batch axis")
    ] = None,
    against: Annotated[
        str, typer.Option(help="all, none, or counters with a comma: fvcore,torch,torchinfo")
    ] = "all",
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the table as a page")
    ] = None,
) -> None:
    """The layer table of a model, checked by independent counters."""
    from analyses import inspection

    with refusing(inspection.InspectionError):
        cost = inspection.detection_table(model, shape)
        if cost:
            _print_cost(cost, as_json, as_csv)
            return
        found = inspection.inspect(model, shape, against)
    tables = [inspection.layer_table(found)]
    if found.readings or found.failures:
        tables.append(inspection.difference_table(found))
    if html:
        from report.html import table_page
        from results.store import write_atomically

        write_atomically(html, table_page(f"{model}, layer by layer", tables))
        err.print(escape(f"Written: {html}"))
    if as_json:
        print_json(inspection.as_json(found))
    elif as_csv:
        _print_csv(tables[0])
    elif not html:
        for table in tables:
            print_table(table)
            out.print()


def _print_cost(table: Table, as_json: bool, as_csv: bool) -> None:
    if as_json:
        print_json({"note": table.caption, "parts": [row.cells for row in table.rows]})
    elif as_csv:
        _print_csv(table)
    else:
        print_table(table)


def _print_csv(table: Table) -> None:
    from report.html_views import table_csv

    sys.stdout.write(table_csv(table))

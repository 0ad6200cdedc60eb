"""`inspect`: the layer tables of models, checked by independent counters."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from engine.commands.common import (
    AsJson,
    err,
    escape,
    fail,
    one_format,
    out,
    print_json,
    print_table,
    refusing,
)
from results.schema import Table


def inspect(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL…",
            help="A torchvision name, timm:NAME, package.module:callable or file.py:Net, also with "
            "arguments: Net(width=64)",
        ),
    ],
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="[NAME=]CxHxW[:TYPE]", help="An input without the batch axis; may be repeated"
        ),
    ] = None,
    against: Annotated[
        str, typer.Option(help="all, none, or counters with a comma: fvcore,torch,torchinfo")
    ] = "all",
    depth: Annotated[
        int | None, typer.Option(min=1, help="Group layers by modules so many names deep")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A checkpoint that the model must take")
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv")] = False,
    as_latex: Annotated[bool, typer.Option("--latex")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the table as a page")
    ] = None,
) -> None:
    """The layer table of a model, checked by independent counters; of several, where they differ."""
    from analyses import inspection

    if weights and len(names) > 1:
        fail(2, "--weights are those of one model; inspect it alone")
    one_format(json=as_json, csv=as_csv, latex=as_latex, markdown=as_markdown)
    with refusing(inspection.InspectionError):
        inputs = inspection.read_inputs(given)
        inspection.counters(against)  # refused before torch is imported
        inspection.import_torch()
        if len(names) == 1 and (cost := inspection.detection_table(names[0], inputs)):
            if as_json:
                print_json({"note": cost.caption, "parts": [row.cells for row in cost.rows]})
            else:
                _print_tables([cost], cost, as_csv, as_latex, as_markdown)
            return
        found = [inspection.inspect(name, inputs, against, weights) for name in names]
    tables = inspection.tables(found, depth)
    if html:
        from report.html import table_page
        from results.store import write_atomically

        title = f"{', '.join(names)}, layer by layer"
        write_atomically(html, table_page(title, tables, inspection.drawing(found)))
        err.print(escape(f"Written: {html}"))
    if as_json:
        shown = [inspection.as_json(entry) for entry in found]
        print_json(shown[0] if len(shown) == 1 else shown)
    elif as_csv or as_latex or as_markdown or not html:
        _print_tables(tables, tables[1], as_csv, as_latex, as_markdown)


def _print_tables(
    tables: Sequence[Table], layers: Table, as_csv: bool, as_latex: bool, as_markdown: bool
) -> None:
    """As text for another document, or for the terminal; as CSV the layers alone."""
    if as_csv:
        from report.html_views import table_csv

        sys.stdout.write(table_csv(layers))
    elif as_latex or as_markdown:
        from report.text_tables import latex, markdown

        sys.stdout.write("\n".join((latex if as_latex else markdown)(table) for table in tables))
    else:
        for table in tables:
            print_table(table)
            out.print()

"""The files beside a page: tables as CSV; figures as SVG, PDF and their numbers as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from urllib.parse import quote

from report.formatting import value_of
from results.schema import Column, Estimate, Row, Scalar, Table

#: The forms in which a figure can be had.
FORMS = ("svg", "pdf", "csv")


def csv_path(analysis: str, table: str) -> str:
    """Where a table's CSV is, from the folder of results."""
    return f"{analysis}/{quote(table, safe='')}.csv"


def rows_path(analysis: str, table: str) -> str:
    """Where the rows are that a page of a long table appends, from the folder of results."""
    return f"{analysis}/{quote(table, safe='')}.js"


def figure_path(analysis: str, figure: str, form: str) -> str:
    """Where a figure's file is, from the folder of results."""
    return f"{analysis}/figures/{quote(figure, safe='')}.{form}"


def on_paper(svg: str) -> str:
    """A drawing of a page as one that stands alone: black ink, and a typeface."""
    return svg.replace("<svg ", '<svg color="#111111" font-family="Helvetica, Arial, sans-serif" ', 1)


def table_csv(table: Table) -> str:
    """The table with one header line of column keys; numbers plain, so that a program can read them.

    An estimate takes three columns, "accuracy", "accuracy_low" and "accuracy_high". Further columns give the
    arithmetic of a cell ("weights_arithmetic"), the kind of a row where there are totals, and what a row
    leaves out.
    """
    explained = [c.key for c in table.columns if any(c.key in row.arithmetic for row in table.rows)]
    extra: dict[str, Callable[[Row], str]] = {
        f"{key}_arithmetic": lambda row, key=key: row.arithmetic.get(key, "")  # type: ignore[misc]
        for key in explained
    }
    if any(row.kind == "total" for row in table.rows):
        extra["row"] = lambda row: row.kind
    if any(row.partial for row in table.rows):
        extra["leaves_out"] = lambda row: "; ".join(row.partial)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    ends = {column.key: _ends(column, table) for column in table.columns}
    heads = [name for key, found in ends.items() for name in (key, *(f"{key}_{end}" for end in found))]
    writer.writerow([*heads, *extra])
    for row in table.rows:
        cells: list[Scalar] = []
        for column in table.columns:
            cells.append(value_of(column, row))
            cells += [getattr(row.cells.get(column.key), end, None) for end in ends[column.key]]
        writer.writerow([*cells, *(text(row) for text in extra.values())])
    return buffer.getvalue()


def _ends(column: Column, table: Table) -> tuple[str, ...]:
    """The ends of intervals that a file has beside the values of a column."""
    has = any(isinstance(row.cells.get(column.key), Estimate) for row in table.rows)
    return ("low", "high") if has else ()

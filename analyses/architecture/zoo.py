"""architecture.zoo: the largest published table of counts, row by row, beside ours.

The table is timm's, of its results folder; it is looked for under the data root by the name in `table`, which
may also be the path of a newer one. It is no part of the project: every outcome keeps the published figures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab import zoo
from lab.zoo import Published
from results.schema import Column, Finding, Metric, Row, Table

BLOCK = 50  # rows a cell

#: How the figures of a row are reached, in the order in which it is tried.
PLAIN, FUSED, ROTARY, ANOTHER = "fvcore's way of counting", "fused", "rotary", "another network"


class ZooParameters(Parameters):
    """`rows` from `first` on are counted; `table` is a file under the data root, or a path."""

    table: str = "timm_infer_2026.csv"
    first: int = 0
    rows: int = 1627


class Zoo(Analysis[ZooParameters]):
    id = "architecture.zoo"
    title = "The largest published table of counts"
    question = "Are the parameters, operations and activations right that timm publishes of its models?"
    libraries = ("torch", "timm")

    def parameters(self, profile: Profile) -> ZooParameters:
        return ZooParameters() if profile == "full" else ZooParameters(first=400, rows=20)

    def plan(self, parameters: ZooParameters) -> list[Cell]:
        last = parameters.first + parameters.rows
        return [
            Cell(f"rows {low}", {"table": parameters.table, "low": low, "high": min(low + BLOCK, last)})
            for low in range(parameters.first, last, BLOCK)
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        published = _table(cell.settings["table"])[cell.settings["low"] : cell.settings["high"]]
        rows = []
        for i, row in enumerate(published):
            context.report(i / len(published), row.model)
            figures = [row.parameters, row.gmacs, row.activations]
            rows.append({"model": row.model, "size": row.size, "published": figures, **zoo.counted(row)})
        return {"rows": rows}

    def summarize(self, parameters: ZooParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        rows = [row for outcome in outcomes.values() for row in outcome["rows"]]
        return Summary({"models": Metric(value=len(rows), title="Models and sizes")})


def _table(name: str) -> list[Published]:
    path = Path(name)
    if not path.is_file():
        path = Path(os.environ.get("CONVSTUDY_DATA", "")) / name
    if not path.is_file():
        raise zoo.TableError(
            f"there is no table {name} here or under the data root; take a benchmark-infer file of timm's "
            "results folder, and name it by --set table=FILE"
        )
    return zoo.read_table(path)


analysis = Zoo()

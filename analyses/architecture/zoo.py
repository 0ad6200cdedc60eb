"""architecture.zoo: the largest published table of counts, row by row, beside ours.

The table is timm's, of its results folder; it is looked for under the data root by the name in `table`, which
may also be the path of a newer one. It is no part of the project: every outcome keeps the published figures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab import zoo
from lab.zoo import Published
from results import builders
from results.schema import Column, Metric, Row, Table

BLOCK = 50  # rows a cell
SHOWN = 10  # rows of the largest differences

#: How the figures of a row are reached, in the order in which it is tried.
PLAIN, FUSED, ROTARY, ANOTHER = "fvcore's counts", "fused first", "rotary products", "another network"
MISSED = "operators that fvcore misses"


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
        entries = [_entry(row, rows) for row in rows]
        unexplained = [entry for entry in entries if not entry["how"]]
        by_gmacs = sorted((e for e in entries if e["gmacs_error"]), key=lambda e: -abs(e["gmacs_error"]))
        named = [entry for entry in by_gmacs if entry["how"] in (FUSED, ANOTHER) or entry["missed"]]
        metrics = {
            "models": builders.metric(len(rows), "Models and sizes in the table"),
            "parameters_agree": _count(
                entries, "parameters_agree", "Rows whose parameters are ours to two decimals"
            ),
            "macs_agree": (
                agreeing := _count(entries, "macs_agree", "Rows whose GMACs are ours to two decimals")
            ),
            "macs_agree_share": builders.metric(
                agreeing.value / len(rows), "Share of the rows whose GMACs are ours", builders.FRACTION
            ),
            "macs_explained": builders.metric(
                sum(entry["macs_explained"] for entry in entries),
                "Rows whose GMACs are reached to two decimals by a stated way of counting",
            ),
            "unexplained": builders.metric(
                len(unexplained), "Rows of which some figure is not reached by any stated way of counting"
            ),
            "fused": builders.metric(
                sum(entry["how"] == FUSED for entry in entries),
                "Rows measured after the branches of the network had been fused",
            ),
            "core_seconds": builders.metric(
                round(sum(row["seconds"] for row in rows), 1), "Processor time of all counts on one core", "s"
            ),
            **_largest(named),
        }
        findings = {
            "all_explained": builders.statement(
                "Every published figure is reached to its two decimals",
                not unexplained,
                "models",
                "unexplained",
            ),
            "rows_of_other_networks": builders.statement(
                "Some published GMACs are those of another network than the row names: fused, or "
                "without the operators that fvcore misses",
                bool(named),
                "models",
            ),
            "table_mixes_conventions": builders.statement(
                "The published GMACs of most rows are not multiply–accumulates of the network as it is "
                "defined: they add normalisation, miss recurrent layers, or are those of a fused network",
                2 * metrics["macs_agree"].value < len(rows),
                "models",
                "macs_agree",
            ),
        }
        tables = {"ways": _ways(entries), "largest": _largest_table(named[:SHOWN]), "rows": _rows(entries)}
        if unexplained:
            tables["unexplained"] = _rows(unexplained, "Rows of which some figure is not reached.")
        return Summary(metrics, tables, {}, findings)


def _entry(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How the published figures of a row are reached, and how far they are from the network as defined."""
    published = Published(row["model"], row["size"], *row["published"])
    entry: dict[str, Any] = {
        "model": row["model"],
        "size": row["size"],
        "published": published,
        "how": "",
        "missed": 0,
        "parameters_agree": False,
        "macs_agree": False,
        "macs_explained": False,
        "gmacs_error": None,
        "ours": None,
        "note": row.get("error", ""),
    }
    if "error" in row:
        return entry
    plain = row["plain"]
    ours = plain["parameters"] / 1e6, plain["macs"] / 1e9, zoo.as_published(plain)[2]
    entry["ours"] = ours
    entry["parameters_agree"] = zoo.agrees(ours[0], published.parameters)
    entry["macs_agree"] = zoo.agrees(ours[1], published.gmacs)
    entry["missed"] = -sum(amount for amount in plain["reasons"].values() if amount < 0)
    if published.gmacs is not None:
        entry["gmacs_error"] = published.gmacs / ours[1] - 1
    ways = {PLAIN: (plain, 0), ROTARY: (plain, plain["rotary"])}
    if "fused" in row:
        ways[FUSED] = row["fused"], 0
    for how, (counts, extra) in ways.items():
        if zoo.matches(published, counts, extra):
            entry["how"] = how
            break
        entry["macs_explained"] |= zoo.agrees(zoo.as_published(counts, extra)[1], published.gmacs)
    if not entry["how"]:
        twin = _twin(row, published, rows)
        if twin:
            entry["how"], entry["note"] = ANOTHER, f"the figures of {twin}"
    entry["macs_explained"] |= bool(entry["how"])
    return entry


def _twin(row: Mapping[str, Any], published: Published, rows: Sequence[Mapping[str, Any]]) -> str:
    """Another model whose own counts give all figures that are published of this one."""
    for other in rows:
        same = other["size"] == row["size"] and other["published"] == row["published"]
        another = same and other["model"] != row["model"] and "plain" in other
        if another and zoo.matches(published, other["plain"]):
            return str(other["model"])
    return ""


def _count(entries: Sequence[Mapping[str, Any]], key: str, title: str) -> Metric:
    return builders.metric(sum(entry[key] for entry in entries), title)


def _largest(named: Sequence[Mapping[str, Any]]) -> dict[str, Metric]:
    """The published figure that is farthest below the network as it is defined, and the network's own."""
    if not named:
        return {}
    worst = named[0]
    return {
        "largest_published": builders.metric(
            worst["published"].gmacs,
            f"Published for {worst['model']} at {worst['size']}, the farthest from its definition",
            "GMACs",
        ),
        "largest_counted": builders.metric(
            round(worst["ours"][1], 2), f"Counted for {worst['model']} as defined", "GMACs"
        ),
    }


def _ways(entries: Sequence[Mapping[str, Any]]) -> Table:
    meaning = {
        PLAIN: "the network as defined: products, and 2 operations per output of batch "
        "normalisation, 5 of layer normalisation, and others; recurrent layers and fused attention missed",
        FUSED: "the same, after branches and normalisations were fused into single convolutions",
        ROTARY: "the same, and an outer product for every mixed rotary position",
        ANOTHER: "all figures are those of another network of the table",
        "": "not reached",
    }
    rows = []
    for how, text in meaning.items():
        of = [entry for entry in entries if entry["how"] == how]
        if of or not how:
            agree = sum(entry["macs_agree"] for entry in of)
            rows.append(
                Row(cells={"how": how or "unexplained", "what": text, "rows": len(of), "agree": agree})
            )
    return builders.table(
        "Which way of counting reproduces all three published figures to two decimals, in how many rows, "
        "and in how many of these the published billions of MACs (GMACs) are also those of the network as "
        "it is defined.",
        {
            "how": builders.text("Reached by"),
            "what": builders.text("What is counted"),
            "rows": builders.integer("Rows"),
            "agree": builders.integer("GMACs agree"),
        },
        rows,
    )


_MODEL = Column(key="model", label="Model", type="code")
_SIZE = Column(key="size", label="Input", type="integer")
_HOW = Column(key="how", label="Reached by")


def _largest_table(named: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for entry in named:
        cells = {
            "model": entry["model"],
            "size": entry["size"],
            "published": entry["published"].gmacs,
            "ours": round(entry["ours"][1], 2),
            "error": entry["gmacs_error"],
            "how": entry["note"] or (MISSED if entry["missed"] and entry["how"] == PLAIN else entry["how"]),
        }
        rows.append(Row(cells=cells))
    return Table(
        caption="The largest differences between published and counted GMACs, the latter of the network "
        "that the name defines.",
        columns=(
            _MODEL,
            _SIZE,
            Column(key="published", label="Published", type="number", unit="GMACs", format=".2f"),
            Column(key="ours", label="Counted", type="number", unit="GMACs", format=".2f"),
            Column(key="error", label="Difference", type="number", format=".0%"),
            _HOW,
        ),
        rows=tuple(rows),
    )


def _rows(entries: Sequence[Mapping[str, Any]], caption: str = "") -> Table:
    pairs = (
        ("parameters", "Parameters", "M"),
        ("gmacs", "MACs", "GMACs"),
        ("activations", "Activations", "M"),
    )
    columns = [_MODEL, _SIZE]
    for key, label, unit in pairs:
        columns.append(Column(key=key, label=f"{label}, published", type="number", unit=unit, format=".2f"))
        columns.append(
            Column(key=f"our_{key}", label=f"{label}, counted", type="number", unit=unit, format=".2f")
        )
    rows = []
    for entry in entries:
        cells: dict[str, Any] = {"model": entry["model"], "size": entry["size"], "how": entry["how"]}
        for i, (key, _, _) in enumerate(pairs):
            cells[key] = getattr(entry["published"], key)
            cells[f"our_{key}"] = round(entry["ours"][i], 4) if entry["ours"] else None
        rows.append(Row(cells={key: value for key, value in cells.items() if value not in (None, "")}))
    return Table(
        caption=caption
        or "Every row of the table: published beside counted, the MACs without any other operation, and how "
        "the published figures are reached.",
        columns=(*columns, _HOW),
        rows=tuple(rows),
    )


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

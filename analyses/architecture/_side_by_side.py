"""Ledgers in short: totals of one or more models, layers grouped by module, and where models differ."""

from __future__ import annotations

from collections.abc import Sequence

from analyses.architecture import _layers as layers
from lab.ledger import Layer, Ledger
from results.schema import Column, Row, Table

BYTES = 4  # of a weight in single precision
ADDED = ("weights", "biases", "parameters", "activations", "macs")


def summary(ledgers: Sequence[Ledger], given: Sequence[str]) -> Table:
    """A row a model: what it is given, and its totals."""
    rows = []
    for ledger, inputs in zip(ledgers, given, strict=True):
        called = [layer for layer in ledger.layers if layer.output_shape]
        cells = {
            "model": ledger.model,
            "input": inputs,
            "output": layers.output_text(called[-1]) if called else "",
            "calls": len(called),
            "parameters": ledger.parameters,
            "mib": round(ledger.parameters * BYTES / 2**20, 2),
            "activations": ledger.activations,
            "macs": ledger.macs,
        }
        rows.append(Row(cells={k: v for k, v in cells.items() if v != ""}, partial=ledger.uncounted))
    names = ", ".join(ledger.model for ledger in ledgers)
    missing = dict.fromkeys(name for ledger in ledgers for name in ledger.uncounted)
    return Table(
        caption=f"{names} in total.",
        columns=(
            Column(key="model", label="Model", type="code"),
            layers.INPUT,
            layers.OUTPUT,
            Column(key="calls", label="Calls", type="integer"),
            layers.PARAMETERS,
            Column(key="mib", label="Weights", type="number", unit="MiB in float32", format=".2f"),
            layers.ACTIVATIONS,
            layers.MACS,
        ),
        rows=tuple(rows),
        notes=(f"Not counted, so that totals are lower bounds: {', '.join(missing)}.",) if missing else (),
    )


def grouped(ledger: Ledger, depth: int, given: str) -> Table:
    """A row for every module that is `depth` names deep in the model, with all that is inside of it."""
    groups: dict[str, list[Layer]] = {}
    for layer in ledger.layers:
        groups.setdefault(_group(layer.name, depth), []).append(layer)
    columns = (
        Column(key="layer", label="Module", type="code"),
        Column(key="calls", label="Calls", type="integer"),
        layers.OUTPUT,
        *(getattr(layers, name.upper()) for name in ADDED),
    )
    rows = []
    for name, inside in groups.items():
        called = [layer for layer in inside if layer.output_shape]
        cells = {
            "layer": name,
            "calls": len(called),
            "output": layers.output_text(called[-1]) if called else "",
            **{key: sum(getattr(layer, key) for layer in inside) for key in ADDED},
        }
        missing = tuple(dict.fromkeys(name for layer in inside for name in layer.uncounted))
        rows.append(Row(cells={k: v for k, v in cells.items() if v != ""}, partial=missing))
    return Table(
        caption=f"{ledger.model} by modules {depth} deep, for an input of {given}.",
        columns=columns,
        rows=(*rows, layers.total(rows, columns)),
    )


def _group(name: str, depth: int) -> str:
    path = name.partition("#")[0]
    parts = path.split(".")
    if len(parts) > depth:
        return ".".join(parts[:depth])
    return path.partition(":")[0] if path.count(".") + 1 >= depth else path


def differences(ledgers: Sequence[Ledger]) -> Table:
    """Every layer that is not the same in all models, side by side, then the totals of all layers."""
    names: dict[str, None] = {}
    found = []
    for ledger in ledgers:
        by_name = {layer.name: layer for layer in ledger.layers}
        found.append(by_name)
        names |= dict.fromkeys(by_name)
    rows, same = [], 0
    for name in _in_order(names, ledgers):
        here = [by_name.get(name) for by_name in found]
        if len({_what(layer) for layer in here}) == 1:
            same += 1
            continue
        cells: dict[str, str | int] = {"layer": name}
        for i, layer in enumerate(here):
            if layer is not None:
                cells |= {f"output{i}": layers.output_text(layer)} if layer.output_shape else {}
                cells |= {f"parameters{i}": layer.parameters, f"macs{i}": layer.macs}
        rows.append(Row(cells=cells))
    total: dict[str, str | int] = {"layer": "Total of all layers"}
    columns = [Column(key="layer", label="Layer", type="code")]
    for i, ledger in enumerate(ledgers):
        total |= {f"parameters{i}": ledger.parameters, f"macs{i}": ledger.macs}
        columns += [
            Column(key=f"output{i}", label=f"Output of {ledger.model}", type="shape"),
            Column(key=f"parameters{i}", label=f"Parameters of {ledger.model}", type="integer"),
            Column(key=f"macs{i}", label=f"MACs of {ledger.model}", type="integer"),
        ]
    return Table(
        caption=f"Where {' and '.join(ledger.model for ledger in ledgers)} differ: layers of one name that "
        "are not the same, and those that only one has.",
        columns=tuple(columns),
        rows=(*rows, Row(cells=total, kind="total")),
        notes=(f"Layers that are the same in all: {same}.",),
    )


def _what(layer: Layer | None) -> tuple[object, ...]:
    if layer is None:
        return ()
    return layer.kind, layer.output_shape, layer.kernel, layer.stride, layer.parameters, layer.macs


def _in_order(names: dict[str, None], ledgers: Sequence[Ledger]) -> list[str]:
    """The names as they come in each model: one that the first lacks stands behind its neighbour."""
    order = [layer.name for layer in ledgers[0].layers]
    for ledger in ledgers[1:]:
        place = 0
        for layer in ledger.layers:
            if layer.name in names and layer.name in order:
                place = order.index(layer.name) + 1
            else:
                order.insert(place, layer.name)
                place += 1
    return list(dict.fromkeys(order))

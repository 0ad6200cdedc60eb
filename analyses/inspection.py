"""One model, counted and checked against independent counters: what `inspect` prints."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import analyses
from analyses.architecture import _layers as layers
from analyses.architecture import _side_by_side as side_by_side
from analyses.architecture._named import InspectionError, load_and_count
from lab.inputs import Input, InputError, parse_all
from lab.ledger import Ledger
from results import builders
from results.schema import Block, Column, Network, NetworkPanel, Row, Table

if TYPE_CHECKING:
    from lab.counters import CounterReading, Difference

__all__ = ["InspectionError"]
COUNTERS = ("fvcore", "torch", "torchinfo")


@dataclass(frozen=True)
class Inspection:
    ledger: Ledger
    readings: tuple[CounterReading, ...]
    differences: tuple[Difference, ...]
    inputs: tuple[Input, ...]
    failures: Mapping[str, str] = field(default_factory=dict)  # counter → why it has no reading

    @property
    def given(self) -> str:
        """Every input as a table has it: "32×32×3", "image: 32×32×3; ids: 16"."""
        shapes = ((entry.name, layers.shape_text(entry.shape)) for entry in self.inputs)
        return "; ".join(f"{name}: {shape}" if name else shape for name, shape in shapes)


def import_torch() -> None:
    """Import what models are made of: nothing of it is garbage, and to look for some takes a tenth of the
    time."""
    gc.disable()
    try:
        importlib.import_module("lab.models")
    finally:
        gc.freeze()
        gc.unfreeze()  # as objects that have been looked at and stay
        gc.enable()


def model_names() -> list[str]:
    """torchvision's classification models, by the names that `inspect` takes."""
    from lab import models

    return models.names()


def read_inputs(texts: Sequence[str] | None) -> tuple[Input, ...]:
    """What `--input` says, once or several times."""
    try:
        return parse_all(texts or ())
    except InputError as error:
        raise InspectionError(str(error)) from error


def counters(against: str) -> tuple[str, ...]:
    """The counters that `--against` names."""
    if against in ("all", "none"):
        return COUNTERS if against == "all" else ()
    names = tuple(part.strip() for part in against.split(","))
    for name in names:
        if name not in COUNTERS:
            raise InspectionError(
                f"there is no counter {name!r}{analyses.nearest(name, list(COUNTERS))}; say all, none or "
                f"{', '.join(COUNTERS)}"
            )
    return names


def inspect(
    model: str,
    inputs: Sequence[Input] | None = None,
    against: str = "all",
    weights: Path | None = None,
) -> Inspection:
    chosen = counters(against)
    _, found, given = load_and_count(model, inputs, weights)
    if not chosen:
        return Inspection(found, (), (), given)
    from lab import models
    from lab.counters import CounterError, read, reconcile

    if len(given) > 1 or given[0].name or given[0].type:
        reason = "it is asked for models of one input of numbers"
        return Inspection(found, (), (), given, {counter: f"{counter}: {reason}" for counter in chosen})
    with redirect_stdout(sys.stderr):
        network = models.load(model)
    readings, differences, failures = [], [], {}
    for counter in chosen:
        try:
            with redirect_stdout(sys.stderr):
                reading = read(counter, network, found.input_shape)
        except CounterError as error:
            failures[counter] = str(error)
            continue
        readings.append(reading)
        differences += reconcile(found, reading)
    return Inspection(found, tuple(readings), tuple(differences), given, failures)


def drawing(found: Sequence[Inspection]) -> Network:
    """The models as rows of slabs, by module, as deep as a page has room for."""
    from lab.graph import summary

    panels = []
    for each in found:
        shape = each.ledger.input_shape
        first = Block(id="input", kind="data", label="input", shape=shape if len(shape) == 3 else ())
        blocks = [
            Block(
                id=f"block{number}",
                kind=part.kind,
                label=part.label,
                shape=part.shape,
                parameters=part.parameters,
                macs=part.macs,
                repeat=part.repeat,
                row=part.name,
            )
            for number, part in enumerate(summary(each.ledger))
        ]
        panels.append(NetworkPanel(title=each.ledger.model, blocks=(first, *blocks)))
    names = ", ".join(each.ledger.model for each in found)
    return Network(
        form="volumes",
        caption=f"{names}, by module. A slab is the output of a module: its height stands for the side of "
        "the map and its width for the number of channels, both on logarithmic scales.",
        alt=f"A row of slabs for {'each of ' if len(found) > 1 else ''}{names}.",
        panels=tuple(panels),
    )


def detection_table(model: str, inputs: Sequence[Input] = ()) -> Table | None:
    """What a detector of torchvision costs, as a fixed part and one a proposal; None for other models."""
    from lab import models
    from lab.detection_cost import detection_cost

    try:
        network = models.load(model)
        cost = detection_cost(network, inputs[0].shape if inputs else (3, 224, 224))
    except models.ModelError as error:
        raise InspectionError(str(error)) from error
    except TypeError:
        return None
    parts = {
        "fixed": ("backbone and dense head, once an image", cost.fixed),
        "proposal": ("box head, for each proposal", cost.proposal),
        "detection": ("mask or keypoint head, for each detection", cost.detection),
    }
    rows = tuple(
        Row(cells={"part": part, "what": what, "parameters": found.parameters, "macs": found.macs})
        for part, (what, found) in parts.items()
        if found
    )
    return Table(
        caption=f"{model}: its cost is the fixed part, plus the others times their number, which the picture "
        f"and the weights decide. The image is resized to {layers.shape_text(cost.resized)} inside.",
        columns=(
            Column(key="part", label="Part"),
            Column(key="what", label="What"),
            layers.PARAMETERS,
            layers.MACS,
        ),
        rows=rows,
    )


def as_json(inspection: Inspection) -> dict[str, Any]:
    found = inspection.ledger
    return {
        "model": found.model,
        "input": list(found.input_shape),
        "inputs": [{"name": entry.name, "shape": list(entry.shape)} for entry in inspection.inputs],
        "totals": {
            "parameters": found.parameters,
            "weights": found.weights,
            "biases": found.biases,
            "activations": found.activations,
            "macs": found.macs,
        },
        "layers": layers.to_json(found)["layers"],
        "counters": {
            **dict.fromkeys(inspection.failures),
            **{reading.counter: reading.total for reading in inspection.readings},
        },
        "differences": [
            {"counter": difference.counter, "reason": difference.reason, "amount": difference.amount}
            for difference in inspection.differences
        ],
    }


def layer_table(inspection: Inspection) -> Table:
    found = inspection.ledger
    columns = (
        Column(key="layer", label="Layer", type="code"),
        Column(key="kind", label="Kind"),
        layers.FILTER,
        layers.STRIDE,
        layers.PADDING,
        layers.GROUPS,
        layers.OUTPUT,
        layers.WEIGHTS,
        layers.BIASES,
        layers.ACTIVATIONS,
        layers.MACS,
        Column(key="field", label="Receptive field", type="shape"),
    )
    rows = []
    for layer in found.layers:
        row = layers.row(layer, columns, layer.name)
        field = layer.receptive_field
        text = field if isinstance(field, str) else layers.step_text(field.size) if field else None
        rows.append(row.model_copy(update={"cells": {**row.cells, "kind": layer.kind, "field": text}}))
    return Table(
        caption=f"{found.model}, layer by layer, for an input of {inspection.given}.",
        columns=columns,
        rows=(*rows, layers.total(rows, columns)),
        notes=_notes(found),
    )


def _notes(found: Ledger) -> tuple[str, ...]:
    notes = []
    if any(layer.receptive_field is None and layer.output_shape for layer in found.layers):
        notes.append("Where no receptive field stands, it is not known, or differs from unit to unit.")
    if found.uncounted:
        notes.append(f"Not counted, so that totals are lower bounds: {', '.join(found.uncounted)}.")
    return tuple(notes)


def difference_table(inspection: Inspection) -> Table:
    """What each counter says, and why it differs from our MACs."""
    rows: list[Row] = []
    for reading in inspection.readings:
        rows.append(
            Row(
                cells={
                    "counter": reading.counter,
                    "reason": f"total, in {reading.unit}",
                    "amount": reading.total,
                }
            )
        )
        rows += [
            Row(cells={"counter": "", "reason": difference.reason, "amount": difference.amount})
            for difference in _of(inspection.differences, reading.counter)
        ]
    return builders.table(
        f"Independent counters beside our {inspection.ledger.macs:,} multiply–accumulates.",
        {
            "counter": builders.text("Counter"),
            "reason": builders.text("Reason"),
            "amount": builders.integer("Amount"),
        },
        rows,
        notes=tuple(inspection.failures.values()),
    )


def _of(differences: Sequence[Difference], counter: str) -> list[Difference]:
    return [difference for difference in differences if difference.counter == counter]


def tables(found: Sequence[Inspection], depth: int | None = None) -> list[Table]:
    """What `inspect` shows: the totals; the layers, grouped where a depth is said, of several models where
    they differ; what other counters say."""
    ledgers = [entry.ledger for entry in found]
    shown = [side_by_side.summary(ledgers, [entry.given for entry in found])]
    if depth:
        shown += [side_by_side.grouped(entry.ledger, depth, entry.given) for entry in found]
    elif len(found) > 1:
        shown.append(side_by_side.differences(ledgers))
    else:
        shown.append(layer_table(found[0]))
    return shown + [difference_table(entry) for entry in found if entry.readings or entry.failures]

"""What the architecture analyses share: ledgers as outcomes, and their layers as table rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter

from lab.ledger import Layer, Ledger
from results.schema import Column, Row, Scalar, Table

_LEDGER: TypeAdapter[Ledger] = TypeAdapter(Ledger)

LAYER = Column(key="layer", label="Layer")
FILTER = Column(key="filter", label="Filter", type="shape")
STRIDE = Column(key="stride", label="Stride", type="shape")
PADDING = Column(key="padding", label="Padding", type="shape")
GROUPS = Column(key="groups", label="Groups", type="integer")
INPUT = Column(key="input", label="Input", type="shape")
OUTPUT = Column(key="output", label="Output", type="shape")
WEIGHTS = Column(key="weights", label="Weights", type="integer")
BIASES = Column(key="biases", label="Biases", type="integer")
PARAMETERS = Column(key="parameters", label="Parameters", type="integer")
ACTIVATIONS = Column(key="activations", label="Activations", type="integer")
MACS = Column(key="macs", label="MACs", type="integer", unit="MACs")
#: What a layer is, before anything of it is counted.
SHAPES = (LAYER, FILTER, STRIDE, PADDING, GROUPS, INPUT, OUTPUT)
#: Of a table of all layers of a network.
EVERY_LAYER = (LAYER, FILTER, STRIDE, PADDING, OUTPUT, PARAMETERS, MACS)


def counted(name: str, shape: Sequence[int] | None = None) -> Any:
    """The ledger of a model, by its name in `lab.models`, as an outcome keeps it.

    shape: of the input, (C, H, W); None for the one that the model says it is made for.
    """
    from lab import models
    from lab.counting import count

    network = models.load(name)
    shape = shape or models.default_input(name, network)
    if shape is None:
        raise ValueError(f"{name} does not say what input it takes; give its class an input_shape")
    return to_json(count(network, tuple(shape), name=name))


def to_json(ledger: Ledger) -> Any:
    return _LEDGER.dump_python(ledger, mode="json")


def from_json(data: Any) -> Ledger:
    return _LEDGER.validate_python(data)


def is_convolution(layer: Layer) -> bool:
    return "convolution" in layer.macs_by_class


def is_linear(layer: Layer) -> bool:
    return "linear" in layer.macs_by_class


def main_layers(ledger: Ledger) -> list[Layer]:
    """The layers that have weights or change a shape: convolutions, linear layers and poolings."""
    return [
        layer
        for layer in ledger.layers
        if is_convolution(layer) or is_linear(layer) or "pooling" in layer.elements
    ]


def shape_text(shape: Sequence[int] | None) -> str:
    """A map (C, H, W) as "H×W×C", the way tables of architectures are written; (T, C) as it is."""
    if not shape:
        return ""
    if len(shape) < 3:
        return "×".join(map(str, shape))
    channels, *space = shape
    return "×".join(str(n) for n in (*space, channels))


def output_text(layer: Layer) -> str:
    """The shape of what a layer gives: channels last, where it is known which they are."""
    shape = list(layer.output_shape or ())
    if layer.channels is not None:
        shape.append(shape.pop(layer.channels))
    return "×".join(map(str, shape))


def window_text(window: Sequence[int] | str | None) -> str:
    """A filter, stride or padding: one number when both axes agree in stride and padding."""
    if window is None or isinstance(window, str):
        return window or ""
    return "×".join(str(n) for n in window)


def step_text(step: Sequence[int] | str | None) -> str:
    """A stride or padding: one number where every axis has the same."""
    if step and not isinstance(step, str) and len(set(step)) == 1:
        return str(step[0])
    return window_text(step)


def short_name(layer: Layer) -> str:
    """The layer's own name, without the path of the modules around it."""
    return layer.name.rsplit(".", 1)[-1]


def cells(layer: Layer, name: str | None = None) -> dict[str, Scalar]:
    """Every column above for one layer; columns that a table does not have are dropped by `row`."""
    return {
        "layer": name or short_name(layer),
        "filter": window_text(layer.kernel),
        "stride": step_text(layer.stride),
        "padding": step_text(layer.padding),
        "groups": layer.groups,
        "input": shape_text(layer.input_shape),
        "output": output_text(layer),
        "weights": layer.weights,
        "biases": layer.biases,
        "parameters": layer.parameters,
        "activations": layer.activations,
        "macs": layer.macs,
    }


def row(layer: Layer, columns: Iterable[Column | str], name: str | None = None) -> Row:
    """The cells of a layer that a table has columns for; `columns` may be their keys."""
    keys = [column if isinstance(column, str) else column.key for column in columns]
    found = cells(layer, name)
    arithmetic = dict(layer.arithmetic)
    if layer.weights and layer.biases and "weights" in arithmetic and "biases" in arithmetic:
        arithmetic["parameters"] = f"{arithmetic['weights']} + {arithmetic['biases']}"
    return Row(
        cells={key: found[key] for key in keys if found.get(key) not in (None, "")},
        arithmetic={
            key: text
            for key, text in arithmetic.items()
            if key in keys and found.get(key) and not text.isdigit()
        },
        partial=layer.uncounted,
    )


def whole(cell: Any) -> int:
    """A number of a table; 0 where the row has none."""
    return int(cell or 0)


def total(rows: Sequence[Row], columns: Iterable[Column], label: str = "Total") -> Row:
    """The sums of the integer columns that add up; a sum over partial rows is partial."""
    additive = ("weights", "biases", "parameters", "activations", "macs")
    sums: dict[str, Scalar] = {"layer": label}
    for column in columns:
        if column.key in additive:
            sums[column.key] = sum(whole(row.cells.get(column.key)) for row in rows)
    partial = tuple(dict.fromkeys(name for row in rows for name in row.partial))
    return Row(cells=sums, kind="total", partial=partial)


def layers_table(ledger: Ledger, what: str) -> Table:
    """Every layer but those that only flatten, with totals. what: the caption, without the input's size."""
    rows = [row(layer, EVERY_LAYER, layer.name) for layer in ledger.layers if layer.kind != "Flatten"]
    return Table(
        caption=f"{what}, layer by layer, for an image of {shape_text(ledger.input_shape)}.",
        columns=EVERY_LAYER,
        rows=(*rows, total(rows, EVERY_LAYER)),
    )

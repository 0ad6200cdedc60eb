"""A short table of a network of convolutions: those of its layers that have parameters."""

from __future__ import annotations

from analyses.architecture import _layers as layers
from lab.ledger import Ledger
from results.schema import Column, Row, Table

COLUMNS = (
    *layers.SHAPES,
    layers.PARAMETERS,
    Column(key="macs", label="Multiplications", type="integer", unit="MACs"),
)


def convolutions_table(ledger: Ledger, words: str, note: str) -> Table:
    """The layers that have parameters, all batch normalisations in one row. note: on the others, which follow
    the convolutions.
    """
    norms = [layer for layer in ledger.layers if "batch_norm" in layer.elements]
    rows = [
        *(layers.row(layer, COLUMNS, layer.name) for layer in ledger.layers if layers.is_convolution(layer)),
        Row(
            cells={
                "layer": f"{len(norms)} batch normalisations",
                "parameters": sum(layer.parameters for layer in norms),
            }
        ),
        *(layers.row(layer, COLUMNS[:-1], layer.name) for layer in ledger.layers if layers.is_linear(layer)),
    ]
    rows = [row.model_copy(update={"arithmetic": _of_macs(row)}) for row in rows]
    return Table(
        caption=f"Layers of {words} with their parameters, and the multiplications in its convolutions for "
        f"an image of {layers.shape_text(ledger.input_shape)}.",
        columns=COLUMNS,
        rows=(*rows, layers.total(rows, COLUMNS)),
        notes=(f"{note} Parameters include biases.",),
    )


def _of_macs(row: Row) -> dict[str, str]:
    return {key: text for key, text in row.arithmetic.items() if key == "macs"}

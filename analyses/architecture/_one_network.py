"""An analysis of one network of ours: its layers as a table, and their totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Table

COLUMNS = (
    layers.LAYER,
    layers.FILTER,
    layers.STRIDE,
    layers.PADDING,
    layers.OUTPUT,
    layers.PARAMETERS,
    layers.MACS,
)


class OneNetwork(Analysis[Parameters]):
    """network: "module:Class" of a class with an `input_shape`. words: what it is called in a sentence.
    caption: of the table, without the size of the input.
    """

    analytic = True
    network: ClassVar[str]
    words: ClassVar[str]
    caption: ClassVar[str]

    def parameters(self, profile: Profile) -> Parameters:
        return Parameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab import models
        from lab.counting import count

        network = models.load(self.network)
        shape = vars(type(network))["input_shape"]
        return {"ledger": layers.to_json(count(network, shape, name=self.network))}

    def summarize(self, parameters: Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        ledger = layers.from_json(outcomes["all"]["ledger"])
        rows = [layers.row(layer, COLUMNS, layer.name) for layer in ledger.layers if layer.kind != "Flatten"]
        return Summary(
            metrics={
                "total_parameters": builders.metric(
                    ledger.parameters, f"Parameters of {self.words}", "parameters"
                ),
                "total_macs": builders.metric(ledger.macs, f"Multiply–accumulates of {self.words}", "MACs"),
            },
            tables={
                "layers": Table(
                    caption=f"{self.caption}, for an image of {layers.shape_text(ledger.input_shape)}.",
                    columns=COLUMNS,
                    rows=(*rows, layers.total(rows, COLUMNS)),
                )
            },
        )

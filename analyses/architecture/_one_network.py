"""An analysis of one network of ours: its layers as a table, and their totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders


class OneNetwork(Analysis[Parameters]):
    """network: "module:Class" of a class with an `input_shape`. words: what it is called in a sentence.
    what: as the caption of its table begins.
    """

    analytic = True
    network: ClassVar[str]
    words: ClassVar[str]
    what: ClassVar[str]

    def parameters(self, profile: Profile) -> Parameters:
        return Parameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        return {"ledger": layers.counted(self.network)}

    def summarize(self, parameters: Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        ledger = layers.from_json(outcomes["all"]["ledger"])
        return Summary(
            metrics={
                "total_parameters": builders.metric(
                    ledger.parameters, f"Parameters of {self.words}", "parameters"
                ),
                "total_macs": builders.metric(ledger.macs, f"Multiply–accumulates of {self.words}", "MACs"),
            },
            tables={"layers": layers.layers_table(ledger, self.what)},
        )

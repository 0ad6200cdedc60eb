"""architecture.detector_base: the layers of the base network of the detector, as a classifier."""

from __future__ import annotations

from collections.abc import Mapping

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


class DetectorBase(Analysis[Parameters]):
    id = "architecture.detector_base"
    title = "Layers of the detector's base network"
    question = "What is the base network of the detector made of, layer by layer?"
    analytic = True

    def parameters(self, profile: Profile) -> Parameters:
        return Parameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab import models
        from lab.counting import count
        from lab.networks.detector import BaseClassifier as Network

        name = "lab.networks.detector:BaseClassifier"
        return {"ledger": layers.to_json(count(models.load(name), Network.input_shape, name=name))}

    def summarize(self, parameters: Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        ledger = layers.from_json(outcomes["all"]["ledger"])
        rows = [layers.row(layer, COLUMNS, layer.name) for layer in ledger.layers if layer.kind != "Flatten"]
        return Summary(
            metrics={
                "total_parameters": builders.metric(
                    ledger.parameters, "Parameters of the base network", "parameters"
                ),
                "total_macs": builders.metric(
                    ledger.macs, "Multiply–accumulates of the base network", "MACs"
                ),
            },
            tables={
                "layers": Table(
                    caption="The base network of the detector with a linear classifier, layer by layer, for "
                    f"an image of {layers.shape_text(ledger.input_shape)}.",
                    columns=COLUMNS,
                    rows=(*rows, layers.total(rows, COLUMNS)),
                )
            },
        )


analysis = DetectorBase()

"""architecture.lenet: the LeNet-like network that the CIFAR-10 baseline trains."""

from __future__ import annotations

from collections.abc import Mapping

from analyses.architecture import _layers as layers
from analyses.architecture._one_network import OneNetwork
from analyses.plugin import Outcome, Parameters, Summary
from results import builders
from results.schema import Table

COLUMNS = (
    layers.LAYER,
    layers.FILTER,
    layers.OUTPUT,
    layers.WEIGHTS,
    layers.BIASES,
    layers.PARAMETERS,
    layers.MACS,
)


class LeNet(OneNetwork):
    id = "architecture.lenet"
    title = "Parameters of the LeNet-like network"
    question = "How many parameters does the CIFAR-10 baseline have, layer by layer?"
    network = "lab.networks.lenet:LeNet"
    words = "the LeNet-like network"
    what = "The LeNet-like network for CIFAR-10"

    def summarize(self, parameters: Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        ledger = layers.from_json(outcomes["all"]["ledger"])
        shown = layers.main_layers(ledger)
        rows = [layers.row(layer, COLUMNS) for layer in shown]
        heaviest = max(shown, key=lambda layer: layer.parameters)
        metrics = {
            "total_parameters": builders.metric(
                ledger.parameters,
                "Parameters of the LeNet-like network",
                "parameters",
                arithmetic=" + ".join(str(layer.parameters) for layer in shown if layer.parameters),
            ),
            "total_macs": builders.metric(
                ledger.macs, "Multiply–accumulates of the LeNet-like network", "MACs"
            ),
            "largest_layer_share": builders.metric(
                heaviest.parameters / ledger.parameters,
                "Share of the parameters in the largest layer",
                "fraction",
            ),
        }
        findings = {
            "convolution_is_largest": builders.statement(
                "The largest layer is a convolution", layers.is_convolution(heaviest), "largest_layer_share"
            )
        }
        table = Table(
            caption="The LeNet-like network for CIFAR-10, layer by layer.",
            columns=COLUMNS,
            rows=(*rows, layers.total(rows, COLUMNS)),
        )
        return Summary(metrics, {"layers": table}, {}, findings)


analysis = LeNet()

"""architecture.cifar10_designs: the layers of the two designs for CIFAR-10."""

from __future__ import annotations

from collections.abc import Mapping

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Metric, Table

NETWORKS = {
    "design_a": ("Design A", "lab.networks.cifar:NormalisedLeNet"),
    "design_b": ("Design B", "lab.networks.cifar:WhitenedNetwork"),
}


class Cifar10Designs(Analysis[Parameters]):
    id = "architecture.cifar10_designs"
    title = "Layers of the two designs for CIFAR-10"
    question = "What are the two designs made of, layer by layer?"
    analytic = True

    def parameters(self, profile: Profile) -> Parameters:
        return Parameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        return {name: layers.counted(source) for name, (_, source) in NETWORKS.items()}

    def summarize(self, parameters: Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        metrics: dict[str, Metric] = {}
        tables: dict[str, Table] = {}
        for name, (label, _) in NETWORKS.items():
            ledger = layers.from_json(outcomes["all"][name])
            metrics[f"{name}/parameters"] = builders.metric(
                ledger.parameters, f"Parameters of {label}", "parameters"
            )
            metrics[f"{name}/macs"] = builders.metric(ledger.macs, f"Multiply–accumulates of {label}", "MACs")
            tables[name] = _with_filters_or_weights(layers.layers_table(ledger, label))
        return Summary(metrics, tables)


def _with_filters_or_weights(table: Table) -> Table:
    """Without the activations, of which the text says where they stand."""
    rows = tuple(
        row for row in table.rows if row.kind == "total" or row.cells.get("filter") or row.cells["parameters"]
    )
    caption = table.caption.removesuffix(".") + ", without activations."
    return table.model_copy(update={"rows": rows, "caption": caption})


analysis = Cifar10Designs()

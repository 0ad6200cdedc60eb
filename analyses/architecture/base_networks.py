"""architecture.base_networks: multiplications in the convolutions of three base networks of one outline."""

from __future__ import annotations

from collections.abc import Mapping

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab.ledger import Ledger
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

NETWORKS = {"convnet": "ConvNet", "mobilenet": "MobileNet-like", "resnet": "ResNet-like"}
COLUMNS = (
    layers.LAYER,
    layers.FILTER,
    layers.GROUPS,
    layers.INPUT,
    layers.OUTPUT,
    Column(key="macs", label="Multiplications", type="integer", unit="MACs"),
)


class BaseNetworksParameters(Parameters):
    """A published hand count of the ResNet-like network: its total, and its first 3×3 convolution."""

    hand_count_total: int = 44_921_856
    hand_count_first_row: int = 138_240


class BaseNetworks(Analysis[BaseNetworksParameters]):
    id = "architecture.base_networks"
    title = "Multiplications of three base networks"
    question = "How many multiplications do plain, separable and residual convolutions need in one outline?"
    analytic = True

    def parameters(self, profile: Profile) -> BaseNetworksParameters:
        return BaseNetworksParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab import models
        from lab.counting import count
        from lab.networks import base

        return {
            name: layers.to_json(
                count(models.load(f"lab.networks.base:{name}"), base.BaseNetwork.input_shape, name=name)
            )
            for name in NETWORKS
        }

    def summarize(self, parameters: BaseNetworksParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        ledgers = {name: layers.from_json(outcomes["all"][name]) for name in NETWORKS}
        metrics: dict[str, Metric] = {}
        for name, label in NETWORKS.items():
            convolutions = [layer for layer in ledgers[name].layers if layers.is_convolution(layer)]
            metrics[f"{name}_multiplications"] = Metric(
                value=ledgers[name].macs_of("convolution"),
                title=f"Multiplications in the convolutions of the {label} network",
                unit="MACs",
                arithmetic=" + ".join(str(layer.macs) for layer in convolutions),
            )
            metrics[f"{name}_parameters"] = Metric(
                value=ledgers[name].parameters, title=f"Parameters of the {label} network", unit="parameters"
            )
        plain = metrics["convnet_multiplications"].value
        metrics["separable_saving"] = Metric(
            value=plain / metrics["mobilenet_multiplications"].value,
            title="How many times fewer multiplications the MobileNet-like network needs than the ConvNet",
        )
        metrics["hand_count_error"] = Metric(
            value=metrics["resnet_multiplications"].value - parameters.hand_count_total,
            title="Multiplications that the published hand count of the ResNet-like network misses",
            unit="MACs",
        )
        first_rows = _first_of_block(ledgers["resnet"])
        findings = {
            "separable_is_cheapest": Finding(
                statement="The MobileNet-like network needs the fewest multiplications",
                holds=metrics["mobilenet_multiplications"].value
                == min(metrics[f"{name}_multiplications"].value for name in NETWORKS),
                metrics=tuple(f"{name}_multiplications" for name in NETWORKS),
            ),
            "first_row_is_wrong": Finding(
                statement="The row of the hand count that is known differs from the computed one",
                holds=next(iter(first_rows.values())) != parameters.hand_count_first_row,
            ),
            "error_fits_first_rows": Finding(
                statement="What the hand count misses is less than the first 3×3 convolutions of the four "
                "blocks need together, so errors in those rows alone can explain it",
                holds=0 < metrics["hand_count_error"].value < sum(first_rows.values()),
                metrics=("hand_count_error",),
            ),
        }
        tables = {f"{name}_layers": _table(ledgers[name], label) for name, label in NETWORKS.items()}
        tables["hand_count"] = _hand_count_table(parameters, first_rows, ledgers["resnet"])
        return Summary(metrics, tables, {"by_stage": _figure(ledgers)}, findings)


def _first_of_block(ledger: Ledger) -> dict[str, int]:
    """Multiplications of the first 3×3 convolution of each residual block, by layer name."""
    return {layer.name: layer.macs for layer in ledger.layers if layer.name.endswith(".conv1")}


def _table(ledger: Ledger, label: str) -> Table:
    shown = [layer for layer in ledger.layers if layers.is_convolution(layer)]
    rows = [layers.row(layer, COLUMNS, layer.name) for layer in shown]
    return Table(
        caption=f"Multiplications in the convolutions of the {label} network.",
        columns=COLUMNS,
        rows=(*rows, layers.total(rows, COLUMNS)),
        notes=("The linear layer and batch normalisation are not part of this count.",),
    )


def _hand_count_table(
    parameters: BaseNetworksParameters, first_rows: Mapping[str, int], ledger: Ledger
) -> Table:
    columns = (
        layers.LAYER,
        Column(key="published", label="Published", type="integer", unit="MACs"),
        Column(key="macs", label="Computed", type="integer", unit="MACs"),
        Column(key="difference", label="Difference", type="integer", unit="MACs"),
    )

    def row(name: str, published: int | None, computed: int, arithmetic: str = "", kind: str = "body") -> Row:
        return Row(
            cells={
                "layer": name,
                "published": published,
                "macs": computed,
                "difference": computed - published if published is not None else None,
            },
            arithmetic={"macs": arithmetic} if arithmetic else {},
            kind="total" if kind == "total" else "body",
        )

    published = [parameters.hand_count_first_row, *[None] * (len(first_rows) - 1)]
    rows = [
        row(name, claimed, macs, ledger.layer(name).arithmetic["macs"])
        for (name, macs), claimed in zip(first_rows.items(), published, strict=True)
    ]
    total = row("Whole network", parameters.hand_count_total, ledger.macs_of("convolution"), kind="total")
    return Table(
        caption="A published hand count of the ResNet-like network: the first convolution of each block.",
        columns=columns,
        rows=(*rows, total),
        notes=("Only the first row and the total of the hand count are known to us.",),
    )


def _figure(ledgers: Mapping[str, Ledger]) -> Chart:
    stages = ("stage1", "stage2", "stage3", "stage4", "conv5")
    by_stage = {
        name: [
            sum(layer.macs for layer in ledger.layers if layer.name.split(".")[0] == stage) / 1e6
            for stage in stages
        ]
        for name, ledger in ledgers.items()
    }
    return Chart(
        kind="bar",
        caption="Multiplications of each stage in the three base networks.",
        alt=f"Bars a stage. In the second stage the ConvNet needs {by_stage['convnet'][1]:.1f}, the "
        f"MobileNet-like {by_stage['mobilenet'][1]:.1f} and the ResNet-like network "
        f"{by_stage['resnet'][1]:.1f} million multiplications.",
        x=Axis(label="Stage", categories=("1", "2", "3", "4", "5")),
        y=Axis(label="Multiplications", unit="millions"),
        series=tuple(
            Series(label=label, x=tuple(range(len(stages))), y=tuple(by_stage[name]))
            for name, label in NETWORKS.items()
        ),
    )


analysis = BaseNetworks()

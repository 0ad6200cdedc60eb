"""architecture.base_networks: multiplications in the convolutions of three base networks of one outline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyses.architecture import _layers as layers
from analyses.architecture._convolutions import convolutions_table
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab.ledger import Layer, Ledger
from results import builders
from results.builders import FRACTION
from results.schema import Chart, Metric, Row, Table
from results.text import counted

NETWORKS = {"convnet": "ConvNet", "mobilenet": "MobileNet-like", "resnet": "ResNet-like"}
WORDS = {
    "convnet": "the ConvNet",
    "mobilenet": "the MobileNet-like network",
    "resnet": "the ResNet-like network",
}
LAST_STAGE = "conv5"
STAGES = ("stage1", "stage2", "stage3", "stage4", LAST_STAGE)
#: The layer of each network that first filters positions, of those whose number of filters differs.
FIRST_LAYERS = {"convnet": "stage1.conv", "mobilenet": "stage1.depthwise"}


class BaseNetworksParameters(Parameters):
    """An unpublished hand count of the ResNet-like network: a number for each convolution, in their order.

    wrong_width: what stands in its wrong rows in the place of the number of filters.
    """

    hand_count: tuple[int, ...] = (
        *(138_240, 9_437_184, 98_304),
        *(368_640, 9_437_184, 524_288),
        *(184_320, 9_437_184, 524_288),
        *(92_160, 9_437_184, 524_288),
        4_718_592,
    )
    wrong_width: int = 5


class BaseNetworks(Analysis[BaseNetworksParameters]):
    id = "architecture.base_networks"
    title = "Multiplications of three base networks"
    question = "How many multiplications do plain, separable and residual convolutions need in one outline?"
    analytic = True

    def parameters(self, profile: Profile) -> BaseNetworksParameters:
        return BaseNetworksParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        return {name: layers.counted(f"lab.networks.base:{name}") for name in NETWORKS}

    def summarize(self, parameters: BaseNetworksParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        ledgers = {name: layers.from_json(outcomes["all"][name]) for name in NETWORKS}
        metrics: dict[str, Metric] = {}
        for name, words in WORDS.items():
            convolutions = [layer for layer in ledgers[name].layers if layers.is_convolution(layer)]
            metrics[f"{name}_multiplications"] = builders.metric(
                ledgers[name].macs_of("convolution"),
                f"Multiplications in the convolutions of {words}",
                "MACs",
                arithmetic=" + ".join(str(layer.macs) for layer in convolutions),
            )
            metrics[f"{name}_parameters"] = builders.metric(
                ledgers[name].parameters, f"Parameters of {words}", "parameters"
            )
        plain = metrics["convnet_multiplications"].value
        metrics["separable_saving"] = builders.metric(
            plain / metrics["mobilenet_multiplications"].value,
            "How many times fewer multiplications the MobileNet-like network needs than the ConvNet",
        )
        metrics["separable_cost"] = builders.metric(
            metrics["mobilenet_multiplications"].value / plain,
            "How many times the multiplications of the ConvNet the MobileNet-like network needs",
        )
        metrics["residual_cost"] = builders.metric(
            metrics["resnet_multiplications"].value / plain,
            "How many times the multiplications of the ConvNet the ResNet-like network needs",
        )
        metrics |= _of_the_stages(ledgers)
        hand_count = _compared(parameters, ledgers["resnet"])
        wrong = [row for row in hand_count if row.claimed != row.layer.macs]
        metrics["hand_count_total"] = builders.metric(
            sum(parameters.hand_count),
            "Multiplications of the ResNet-like network by an unpublished hand count",
            "MACs",
            arithmetic=" + ".join(map(str, parameters.hand_count)),
        )
        metrics["hand_count_error"] = builders.metric(
            metrics["resnet_multiplications"].value - metrics["hand_count_total"].value,
            "Multiplications that the hand count of the ResNet-like network misses",
            "MACs",
            arithmetic=" + ".join(f"({row.layer.macs} - {row.claimed})" for row in wrong),
        )
        metrics["hand_count_rows"] = builders.metric(len(hand_count), "Rows of the hand count", "rows")
        metrics["hand_count_wrong"] = builders.metric(len(wrong), "Its wrong rows", "rows")
        findings = {
            "separable_is_cheapest": builders.statement(
                "The MobileNet-like network needs the fewest multiplications",
                metrics["mobilenet_multiplications"].value
                == min(metrics[f"{name}_multiplications"].value for name in NETWORKS),
                *(f"{name}_multiplications" for name in NETWORKS),
            ),
            "surplus_in_first_stage": builders.statement(
                "More than half of the residual network's surplus of multiplications is in the first stage",
                metrics["residual_surplus_first_stage"].value > 0.5,
                "residual_surplus_first_stage",
            ),
            "fewer_first_filters": builders.statement(
                "The first stage of the MobileNet-like network has fewer spatial filters than the ConvNet's",
                metrics["mobilenet_first_filters"].value < metrics["convnet_first_filters"].value,
                "mobilenet_first_filters",
                "convnet_first_filters",
            ),
            "cause_found": builders.statement(
                "Every wrong row of the hand count, and no other, has "
                f"{parameters.wrong_width} in the place of the number of filters",
                bool(wrong) and all((row.claimed == row.mistaken) == (row in wrong) for row in hand_count),
                "hand_count_wrong",
                "hand_count_error",
            ),
        }
        tables = {
            f"{name}_layers": convolutions_table(ledgers[name], words, _others(ledgers[name]))
            for name, words in WORDS.items()
        }
        tables["hand_count"] = _hand_count_table(parameters, hand_count, metrics)
        return Summary(metrics, tables, {"by_stage": _figure(ledgers)}, findings)


def _of_the_stages(ledgers: Mapping[str, Ledger]) -> dict[str, Metric]:
    """What the blocks alone need, without the last convolution, which all three networks have alike."""
    stages = {name: _by_stage(ledger) for name, ledger in ledgers.items()}
    blocks = {name: sum(found.values()) - found[LAST_STAGE] for name, found in stages.items()}
    plain, residual = stages["convnet"], stages["resnet"]
    first = {name: ledgers[name].layer(layer) for name, layer in FIRST_LAYERS.items()}
    return {
        "residual_blocks_cost": builders.metric(
            blocks["resnet"] / blocks["convnet"],
            "How many times the multiplications of the ConvNet's first four stages the residual blocks need",
        ),
        "residual_surplus_first_stage": builders.metric(
            (residual["stage1"] - plain["stage1"]) / (sum(residual.values()) - sum(plain.values())),
            "Share of the ResNet-like network's surplus of multiplications that is in the first stage",
            FRACTION,
        ),
        **{
            f"{name}_first_filters": builders.metric(
                (layer.output_shape or (0,))[0], f"Spatial filters of the first stage, {NETWORKS[name]}"
            )
            for name, layer in first.items()
        },
    }


def _by_stage(ledger: Ledger) -> dict[str, int]:
    """Multiplications in the convolutions of each stage."""
    return {
        stage: sum(
            layer.macs
            for layer in ledger.layers
            if layers.is_convolution(layer) and layer.name.split(".")[0] == stage
        )
        for stage in STAGES
    }


@dataclass(frozen=True)
class Claimed:
    """A row of the hand count: the layer, what is claimed of it, and what the mistake would make of it."""

    layer: Layer
    claimed: int
    mistaken: int


def _compared(parameters: BaseNetworksParameters, ledger: Ledger) -> list[Claimed]:
    convolutions = [layer for layer in ledger.layers if layers.is_convolution(layer)]
    rows = []
    for layer, claimed in zip(convolutions, parameters.hand_count, strict=True):
        assert layer.output_shape is not None
        rows.append(Claimed(layer, claimed, layer.macs // layer.output_shape[0] * parameters.wrong_width))
    return rows


def _others(ledger: Ledger) -> str:
    """On the layers that the table of a network leaves out."""
    residual = any("shortcut" in layer.name for layer in ledger.layers)
    exception = "; in a residual block, the sum of conv2 and shortcut has one ReLU" if residual else ""
    return (
        f"Batch normalisation and a ReLU follow each convolution{exception}. Each stage ends in a 2 × 2 "
        "max-pooling with a stride of 2."
    )


def _hand_count_table(
    parameters: BaseNetworksParameters, rows: Sequence[Claimed], metrics: Mapping[str, Metric]
) -> Table:
    width = parameters.wrong_width
    wrong = [row for row in rows if row.claimed != row.layer.macs]
    right = [row for row in rows if row.claimed == row.layer.macs]
    return builders.table(
        "An unpublished hand count of the multiplications in the ResNet-like network's "
        f"{len(rows)} convolutions, beside the computed values: its wrong rows, and the sum of the others. "
        f"Mistaken: the product with {width} in place of the number of filters.",
        {
            "layer": builders.text("Layer"),
            "published": builders.integer("Hand count", "MACs"),
            "macs": builders.integer("Computed", "MACs"),
            "difference": builders.integer("Difference", "MACs"),
            "mistaken": builders.integer("Mistaken", "MACs"),
        },
        [
            Row(
                cells={
                    "layer": row.layer.name,
                    "published": row.claimed,
                    "macs": row.layer.macs,
                    "difference": row.layer.macs - row.claimed,
                    "mistaken": row.mistaken,
                },
                arithmetic={"macs": row.layer.arithmetic["macs"]},
            )
            for row in wrong
        ]
        + [
            Row(
                cells={
                    "layer": f"The other {counted(len(right), 'rows')}",
                    "published": sum(row.claimed for row in right),
                    "macs": sum(row.layer.macs for row in right),
                    "difference": 0,
                }
            )
        ],
        total={
            "layer": "Total",
            "published": metrics["hand_count_total"].value,
            "macs": metrics["resnet_multiplications"].value,
            "difference": metrics["hand_count_error"].value,
        },
    )


def _figure(ledgers: Mapping[str, Ledger]) -> Chart:
    millions = {
        name: {str(n): macs / 1e6 for n, macs in enumerate(_by_stage(ledger).values(), 1)}
        for name, ledger in ledgers.items()
    }
    return builders.bars(
        "Multiplications per image in the convolutions of each stage of the three base networks.",
        {label: millions[name] for name, label in NETWORKS.items()},
        builders.number("Multiplications", unit="millions"),
        x="Stage",
        alt=f"Bars for each stage. In the second stage the ConvNet needs {millions['convnet']['2']:.1f}, the "
        f"MobileNet-like {millions['mobilenet']['2']:.1f} and the ResNet-like network "
        f"{millions['resnet']['2']:.1f} million multiplications.",
    )


analysis = BaseNetworks()

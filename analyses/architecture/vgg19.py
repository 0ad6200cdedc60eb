"""architecture.vgg19: activations, weights and MACs of VGG-19, the whole table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab.ledger import Layer, Ledger
from results import builders
from results.schema import Chart, Row, Table

COLUMNS = (layers.LAYER, layers.OUTPUT, layers.ACTIVATIONS, layers.WEIGHTS, layers.MACS)
MAC_COLUMNS = (layers.LAYER, layers.OUTPUT, layers.MACS)


class Vgg19Parameters(Parameters):
    input: tuple[int, int, int] = (3, 224, 224)
    bytes_per_number: int = 4  # fp32
    backward_factor: int = 2  # every activation is kept, and has a gradient of its own size


class Vgg19(Analysis[Vgg19Parameters]):
    id = "architecture.vgg19"
    title = "Activations and parameters of VGG-19"
    question = "Where does VGG-19 spend its memory, its parameters and its arithmetic?"
    analytic = True

    def parameters(self, profile: Profile) -> Vgg19Parameters:
        return Vgg19Parameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        return {"ledger": layers.counted("vgg19", cell.settings["input"])}

    def summarize(self, parameters: Vgg19Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        ledger = layers.from_json(outcomes["all"]["ledger"])
        table = _table(ledger, parameters.input)
        totals = table.rows[-1].cells
        activations = layers.whole(totals["activations"])
        forward = activations * parameters.bytes_per_number
        shares = _shares(table.rows[:-1])
        metrics = {
            "total_weights": builders.metric(
                ledger.weights, "Weights of VGG-19, without biases", "parameters"
            ),
            "total_parameters": builders.metric(
                ledger.parameters,
                "Parameters of VGG-19, biases included",
                "parameters",
                arithmetic=f"{ledger.weights} + {ledger.biases}",
            ),
            "total_macs": builders.metric(ledger.macs, "Multiply–accumulates of VGG-19", "MACs"),
            "total_activations": builders.metric(
                activations,
                "Activations of VGG-19: the input, and the output of every convolution, pooling and "
                "dense layer",
                "activations",
            ),
            "forward_bytes": builders.metric(
                forward,
                "Memory of the activations at fp32, forward pass of one image",
                "bytes",
                arithmetic=f"{activations}·{parameters.bytes_per_number}",
            ),
            "training_bytes": builders.metric(
                forward * parameters.backward_factor,
                "The same with the gradients of the backward pass",
                "bytes",
                arithmetic=f"{activations}·{parameters.bytes_per_number}·{parameters.backward_factor}",
            ),
            "early_activation_share": builders.metric(
                shares["activations"][0] + shares["activations"][1],
                "Share of the activations in the input and the first two stages",
                "fraction",
            ),
            "dense_weight_share": builders.metric(
                shares["weights"][-1], "Share of the weights in the dense layers", "fraction"
            ),
            "convolution_mac_share": builders.metric(
                ledger.macs_of("convolution") / ledger.macs,
                "Share of the multiply–accumulates in the convolutions",
                "fraction",
            ),
        }
        findings = {
            "memory_is_early": builders.statement(
                "More than half of the activations are in the first two stages",
                metrics["early_activation_share"].value > 0.5,
                "early_activation_share",
            ),
            "weights_are_late": builders.statement(
                "More than half of the weights are in the dense layers",
                metrics["dense_weight_share"].value > 0.5,
                "dense_weight_share",
            ),
        }
        tables = {"layers": table, "macs": _mac_table(ledger)}
        return Summary(metrics, tables, {"shares": _figure(shares)}, findings)


def _labels(shown: Sequence[Layer]) -> list[str]:
    """conv1_1 (3×3, 64), pool1, fc6 …: names by stage, which the paper's own "conv3-64" are not."""
    labels = []
    stage = number = 1
    for layer in shown:
        if layers.is_convolution(layer):
            channels = layer.output_shape[0] if layer.output_shape else 0
            labels.append(f"conv{stage}_{number} ({layers.window_text(layer.kernel)}, {channels})")
            number += 1
        elif layer.kernel:
            labels.append(f"pool{stage}")
            stage, number = stage + 1, 1
        else:
            labels.append(f"fc{stage}")
            stage += 1
    return labels


def _table(ledger: Ledger, shape: tuple[int, int, int]) -> Table:
    channels, height, width = shape
    first = Row(
        cells={
            "layer": "input",
            "output": layers.shape_text(shape),
            "activations": channels * height * width,
            "weights": 0,
            "macs": 0,
        },
        arithmetic={"activations": f"{height}·{width}·{channels}"},
    )
    shown = layers.main_layers(ledger)
    rows = [
        first,
        *(layers.row(layer, COLUMNS, label) for layer, label in zip(shown, _labels(shown), strict=True)),
    ]
    return Table(
        caption="VGG-19 layer by layer, without biases, with the arithmetic of each number.",
        columns=COLUMNS,
        rows=(*rows, layers.total(rows, COLUMNS)),
        notes=("ReLU works in place: its output is the convolution's and is not counted twice.",),
    )


def _mac_table(ledger: Ledger) -> Table:
    shown = layers.main_layers(ledger)
    labelled = zip(shown, _labels(shown), strict=True)
    rows = [layers.row(layer, MAC_COLUMNS, label) for layer, label in labelled if layer.macs]
    return Table(
        caption="Multiply–accumulates of VGG-19; each weight is used once at every output position.",
        columns=MAC_COLUMNS,
        rows=(*rows, layers.total(rows, MAC_COLUMNS)),
    )


STAGES = ("input, 1", "2", "3", "4", "5", "dense")


def _shares(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Share of each column's total in each stage; a stage ends with its pooling."""
    sums = {key: [0] * len(STAGES) for key in ("activations", "weights", "macs")}
    stage = 0
    for row in rows:
        for key, values in sums.items():
            values[stage] += layers.whole(row.cells.get(key))
        if str(row.cells["layer"]).startswith("pool"):
            stage += 1
    return {key: [value / sum(values) for value in values] for key, values in sums.items()}


def _figure(shares: Mapping[str, list[float]]) -> Chart:
    labels = {"activations": "Activations", "weights": "Weights", "macs": "MACs"}
    return builders.bars(
        "Share of the activations, weights and multiply–accumulates (MACs) of VGG-19, for one image, in each "
        "of its five stages, which end with a pooling, and in its dense layers. The input is counted in the "
        "first stage; bars of one kind sum to 100%.",
        {label: dict(zip(STAGES, shares[key], strict=True)) for key, label in labels.items()},
        builders.percent("Share of the total"),
        x="Stage",
        alt=f"Bars for stages. Activations fall from {shares['activations'][0]:.0%} in the first stage to "
        f"{shares['activations'][-1]:.1%} in the dense layers, which hold {shares['weights'][-1]:.0%} of "
        "the weights.",
    )


analysis = Vgg19()

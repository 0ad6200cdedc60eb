"""architecture.alexnet: the parameters of AlexNet, layer by layer, in its three versions."""

from __future__ import annotations

from collections.abc import Mapping

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab.ledger import Layer
from results import builders
from results.schema import Chart, Column, Row, Table

#: Version → (label in tables, metric's prefix).
VERSIONS = {
    "grouped": ("Paper, two groups", ""),
    "ungrouped": ("Without groups", "ungrouped_"),
    "torchvision": ("torchvision", "torchvision_"),
}
COUNTS = (layers.LAYER, layers.WEIGHTS, layers.BIASES, layers.PARAMETERS)

STATED = 224  # width of the input in Krizhevsky et al. 2012, section 3.5


class AlexNetParameters(Parameters):
    torchvision_input: tuple[int, int, int] = (3, 224, 224)


class AlexNet(Analysis[AlexNetParameters]):
    id = "architecture.alexnet"
    title = "Parameters of AlexNet"
    question = "How many parameters does AlexNet have, layer by layer, and why do sources disagree?"
    analytic = True

    def parameters(self, profile: Profile) -> AlexNetParameters:
        return AlexNetParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        return {
            "grouped": layers.counted("lab.networks.alexnet:two_gpus"),
            "ungrouped": layers.counted("lab.networks.alexnet:one_gpu"),
            "torchvision": layers.counted("alexnet", cell.settings["torchvision_input"]),
        }

    def summarize(self, parameters: AlexNetParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        ledgers = {version: layers.from_json(outcomes["all"][version]) for version in VERSIONS}
        shown = {version: layers.main_layers(ledger) for version, ledger in ledgers.items()}
        metrics = {
            f"{prefix}total_parameters": builders.metric(
                ledgers[version].parameters,
                f"Parameters of AlexNet ({_lower(label)})",
                "parameters",
                arithmetic=" + ".join(str(layer.parameters) for layer in shown[version] if layer.parameters),
            )
            for version, (label, prefix) in VERSIONS.items()
        }
        first = next(layer for layer in shown["grouped"] if layers.is_convolution(layer))
        assert first.kernel and first.stride and isinstance(first.padding, tuple)
        for name, width, whose in (
            ("", ledgers["grouped"].input_shape[-1], "used"),
            ("stated_", STATED, "stated"),
        ):
            exact = (width - first.kernel[0] + 2 * first.padding[0]) / first.stride[0] + 1
            metrics[f"{name}input"] = builders.metric(width, f"Width of the input, as {whose}", "pixels")
            metrics[f"{name}first_width"] = builders.metric(
                exact,
                f"Width of the first layer's output before rounding, for the input as {whose}",
                "pixels",
            )
        for key, value in (("kernel", first.kernel), ("stride", first.stride), ("padding", first.padding)):
            metrics[f"first_{key}"] = builders.metric(
                value[0], f"{key.capitalize()} of the first layer", "pixels"
            )
        dense = sum(layer.parameters for layer in shown["grouped"] if layers.is_linear(layer))
        metrics["dense_share"] = builders.metric(
            dense / ledgers["grouped"].parameters,
            "Share of the paper network's parameters in its three dense layers",
            "fraction",
        )
        metrics["groups_save"] = builders.metric(
            ledgers["ungrouped"].parameters - ledgers["grouped"].parameters,
            "Parameters that the two groups save",
            "parameters",
        )
        tables: dict[str, Table] = {}
        for version, (label, _) in VERSIONS.items():
            tables[f"{version}_shapes"] = _shape_table(shown[version], label)
            tables[f"{version}_layers"] = _count_table(shown[version], label)
        tables["versions"] = _versions_table(shown)
        findings = {
            "groups_explain_ungrouped": builders.statement(
                "Only layers with groups differ between the paper's network and the one without",
                all(
                    (a.parameters != b.parameters) == (a.groups == 2)
                    for a, b in zip(
                        _parametrised(shown["grouped"]), _parametrised(shown["ungrouped"]), strict=True
                    )
                ),
                "total_parameters",
                "ungrouped_total_parameters",
            ),
            "dense_layers_dominate": builders.statement(
                "More than nine tenths of the parameters are in the dense layers",
                dense / ledgers["grouped"].parameters > 0.9,
                "dense_share",
            ),
        }
        return Summary(metrics, tables, {"by_layer": _figure(shown)}, findings)


def _parametrised(shown: list[Layer]) -> list[Layer]:
    return [layer for layer in shown if layer.parameters]


def _named(shown: list[Layer]) -> list[tuple[str, Layer]]:
    """The layers with the paper's numbering: conv1, pool1, …, fc8."""
    number, named = 0, []
    for layer in shown:
        if layer.parameters:
            number += 1
            named.append((f"{'conv' if layers.is_convolution(layer) else 'fc'}{number}", layer))
        else:
            named.append((f"pool{number}", layer))
    return named


def _shape_table(shown: list[Layer], label: str) -> Table:
    return Table(
        caption=f"AlexNet ({_lower(label)}): filters and shapes, layer by layer.",
        columns=layers.SHAPES,
        rows=tuple(layers.row(layer, layers.SHAPES, name) for name, layer in _named(shown)),
        notes=("Pooling, ReLU, normalisation and dropout have no parameters; only pooling changes a shape.",),
    )


def _count_table(shown: list[Layer], label: str) -> Table:
    rows = [layers.row(layer, COUNTS, name) for name, layer in _named(shown) if layer.parameters]
    return Table(
        caption=f"AlexNet ({_lower(label)}): parameters and their arithmetic, layer by layer.",
        columns=COUNTS,
        rows=(*rows, layers.total(rows, COUNTS)),
    )


def _lower(label: str) -> str:
    return label[0].lower() + label[1:]


def _versions_table(shown: Mapping[str, list[Layer]]) -> Table:
    columns = (
        layers.LAYER,
        *(Column(key=version, label=label, type="integer") for version, (label, _) in VERSIONS.items()),
        Column(key="why", label="Why they differ"),
    )
    names = [name for name, layer in _named(shown["grouped"]) if layer.parameters]
    rows = []
    for name, *group in zip(names, *(_parametrised(shown[version]) for version in VERSIONS), strict=True):
        by_version = dict(zip(VERSIONS, group, strict=True))
        rows.append(
            Row(
                cells={
                    "layer": name,
                    **{version: layer.parameters for version, layer in by_version.items()},
                    "why": "; ".join(_reasons(by_version)),
                },
                arithmetic={
                    version: f"{layer.arithmetic['weights']} + {layer.arithmetic['biases']}"
                    for version, layer in by_version.items()
                },
            )
        )
    sums = {version: sum(layer.parameters for layer in shown[version]) for version in VERSIONS}
    return Table(
        caption="The three networks called AlexNet: parameters of each layer, and why they differ.",
        columns=columns,
        rows=(*rows, Row(cells={"layer": "Total", **sums}, kind="total")),
    )


def _reasons(versions: Mapping[str, Layer]) -> list[str]:
    paper, without, other = versions["grouped"], versions["ungrouped"], versions["torchvision"]
    reasons = []
    if paper.parameters != without.parameters:
        reasons.append(
            f"{paper.groups} groups: a filter sees {_inputs(without) // (paper.groups or 1)} channels"
        )
    if _outputs(other) != _outputs(without):
        reasons.append(f"torchvision has {_outputs(other)} filters, not {_outputs(without)}")
    if layers.is_convolution(other) and _inputs(other) != _inputs(without):
        reasons.append(f"torchvision's filters see {_inputs(other)} channels, not {_inputs(without)}")
    return reasons


def _inputs(layer: Layer) -> int:
    return layer.input_shape[0] if layer.input_shape else 0


def _outputs(layer: Layer) -> int:
    return layer.output_shape[0] if layer.output_shape else 0


def _figure(shown: Mapping[str, list[Layer]]) -> Chart:
    names = [name for name, layer in _named(shown["grouped"]) if layer.parameters]
    millions = {
        version: [layer.parameters / 1e6 for layer in _parametrised(found)]
        for version, found in shown.items()
    }
    largest = max(zip(millions["grouped"], names, strict=True))
    return builders.bars(
        "Parameters of each layer in the three versions of AlexNet, on a logarithmic scale.",
        {label: dict(zip(names, millions[version], strict=True)) for version, (label, _) in VERSIONS.items()},
        builders.number("Parameters", unit="millions"),
        x="Layer",
        log=True,
        alt=f"Bars for each layer. The convolutions stay below {max(millions['ungrouped'][:5]):.1f} million "
        f"parameters each; {largest[1]} is the largest with {largest[0]:.1f} million.",
    )


analysis = AlexNet()

"""concepts.dense_connections: where the parameters of a DenseNet are, block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Row


class DenseConnectionsParameters(Parameters):
    """network: of torchvision. rival: the residual network that Huang et al. 2017, section 4.4, compare."""

    network: Literal["densenet121", "densenet161", "densenet169", "densenet201"] = "densenet201"
    rival: Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"] = "resnet101"


class DenseConnections(Analysis[DenseConnectionsParameters]):
    id = "concepts.dense_connections"
    title = "A DenseNet, block by block"
    question = "Why does a DenseNet need few parameters?"
    analytic = True

    def parameters(self, profile: Profile) -> DenseConnectionsParameters:
        return DenseConnectionsParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        """Counts by part; of each dense layer the channels that it takes, squeezes them to, and adds."""
        from lab import models
        from lab.counting import count

        parameters = DenseConnectionsParameters.model_validate(cell.settings)
        ledger = count(models.load(parameters.network), (3, 224, 224), name=parameters.network)
        parts: Outcome = {}
        for layer in ledger.layers:
            assert layer.input_shape and layer.output_shape
            name = next((word for word in layer.name.split(".") if word.startswith(("dense", "trans"))), "")
            name = name.partition(":")[0] or ("head" if parts.get("transition3") else "stem")
            part = parts.setdefault(
                name, {"layers": [], "parameters": 0, "macs": 0, "taken": layer.input_shape[0]}
            )
            part["parameters"] += layer.parameters
            part["macs"] += layer.macs
            part["given"] = layer.output_shape[0]
            if name.startswith("denseblock") and layer.name.endswith("conv1"):
                part["layers"].append([layer.input_shape[0], layer.output_shape[0]])
            if name.startswith("denseblock") and layer.name.endswith("conv2"):
                part["layers"][-1].append(layer.output_shape[0])
        rival = count(models.load(parameters.rival), (3, 224, 224), name=parameters.rival)
        return {
            "parts": parts,
            "network": {"parameters": ledger.parameters, "macs": ledger.macs},
            "rival": {"parameters": rival.parameters, "macs": rival.macs},
        }

    def summarize(self, parameters: DenseConnectionsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        (outcome,) = outcomes.values()
        parts, network, rival = outcome["parts"], outcome["network"], outcome["rival"]
        layers = [layer for part in parts.values() for layer in part["layers"]]
        deepest = max((part["layers"] for part in parts.values()), key=len)
        growth = layers[0][2]
        weights = sum(taken * squeezed + 9 * squeezed * added for taken, squeezed, added in layers)
        direct = sum(9 * taken * added for taken, _, added in layers)
        plain = sum(9 * taken * taken for taken, _, _ in layers)
        metrics = builders.metrics(
            "",
            growth=(growth, "Growth rate: maps that a layer adds", "channels"),
            squeezed=(layers[0][1], "Maps to which a bottleneck squeezes its input", "channels"),
            layers=(len(layers), "Dense layers"),
            deepest_layers=(len(deepest), "Layers of the longest block"),
            deepest_taken=(deepest[-1][0], "Maps that the last layer of the longest block takes"),
            parameters=(network["parameters"], f"Parameters of {parameters.network}", "parameters"),
            rival_parameters=(rival["parameters"], f"Parameters of {parameters.rival}", "parameters"),
            macs=(network["macs"], f"MACs of {parameters.network}", "MACs"),
            rival_macs=(rival["macs"], f"MACs of {parameters.rival}", "MACs"),
            weights=(weights, "Weights of the dense layers", "parameters"),
            direct_weights=(direct, "Weights of the dense layers without bottlenecks", "parameters"),
            plain_weights=(
                plain,
                "Weights of 3×3 convolutions that give as many maps as each dense layer takes",
                "parameters",
            ),
        )
        metrics["deepest_connections"] = builders.metric(
            len(deepest) * (len(deepest) + 1) // 2,
            "Connections within the longest block",
            arithmetic=f"{len(deepest)}·({len(deepest)} + 1)/2",
        )
        named = {"stem": "Stem", "head": "Head"}
        rows = []
        for name, part in parts.items():
            kind = "Block" if name.startswith("dense") else "Transition"
            cells = {"part": named.get(name, f"{kind} {name[-1]}"), "layers": len(part["layers"]) or None}
            rows.append(cells | {key: part[key] for key in ("taken", "given", "parameters", "macs")})
        return Summary(
            metrics=metrics,
            tables={
                "blocks": builders.table(
                    f"{_named(parameters)}, part by part: dense layers, input and output maps, parameters "
                    "and multiply–accumulates (MACs).",
                    {
                        "part": builders.text("Part"),
                        "layers": builders.integer("Layers"),
                        "taken": builders.integer("Input", "maps"),
                        "given": builders.integer("Output", "maps"),
                        "parameters": builders.integer("Parameters"),
                        "macs": builders.integer("MACs"),
                    },
                    [*rows, Row(cells={"part": "Total", "layers": len(layers), **network}, kind="total")],
                )
            },
            findings={
                "needs_fewer_parameters": builders.statement(
                    f"{parameters.network} has fewer parameters than {parameters.rival}",
                    network["parameters"] < rival["parameters"],
                    "parameters",
                    "rival_parameters",
                ),
                "bottlenecks_save": builders.statement(
                    "Bottlenecks save weights", weights < direct, "weights", "direct_weights"
                ),
            },
        )


def _named(parameters: DenseConnectionsParameters) -> str:
    return f"DenseNet-{parameters.network.removeprefix('densenet')}"


analysis = DenseConnections()

"""architecture.inception: the naive and the dimension-reduced Inception module, filter by filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab.ledger import Layer, Ledger
from results import builders
from results.builders import Format, integer, number, shape, text
from results.schema import Chart, Column, Metric, Table

BRANCHES = {"one": "1×1", "three": "3×3", "five": "5×5", "pool": "pool"}
FILTERS = {
    "one": "1×1",
    "three_reduce": "3×3 reduce",
    "three": "3×3",
    "five_reduce": "5×5 reduce",
    "five": "5×5",
    "pool_projection": "Pool projection",
}
COLUMNS: dict[str, Format | Column] = {
    "layer": text("Branch"),
    "filter": shape("Filter"),
    "filters": integer("Filters"),
    "input": layers.INPUT,
    "output": layers.OUTPUT,
    "macs": layers.MACS,
}


class InceptionParameters(Parameters):
    """filters: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection, as in table 1 of the paper.
    lecture_slide: millions of operations that a slide of the lecture gives for its reduced module.
    """

    input: tuple[int, int, int] = (256, 32, 32)
    filters: tuple[int, int, int, int, int, int] = (128, 128, 192, 32, 96, 64)  # GoogLeNet's module 3b
    lecture_input: tuple[int, int, int] = (256, 28, 28)
    lecture_filters: tuple[int, int, int, int, int, int] = (128, 64, 192, 64, 96, 64)  # CS231n
    lecture_slide: int = Field(358, ge=1)

    @field_validator("input", "filters", "lecture_input", "lecture_filters")
    @classmethod
    def positive(cls, numbers: tuple[int, ...]) -> tuple[int, ...]:
        if min(numbers) < 1:
            raise ValueError("every number must be at least 1")
        return numbers


class Inception(Analysis[InceptionParameters]):
    id = "architecture.inception"
    title = "Operations of an Inception module"
    question = "What do the 1×1 reductions of an Inception module save?"
    analytic = True

    def parameters(self, profile: Profile) -> InceptionParameters:
        return InceptionParameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab.networks.inception import GOOGLENET, Filters

        parameters = InceptionParameters.model_validate(cell.settings)
        outcome: dict[str, Any] = {
            "module": _pair(parameters.input, Filters(*parameters.filters)),
            "lecture": _pair(parameters.lecture_input, Filters(*parameters.lecture_filters)),
            "alike": _pair(parameters.input, Filters(*parameters.lecture_filters)),
        }
        for name, (width, channels, filters) in GOOGLENET.items():
            outcome[name] = _pair((channels, width, width), filters)
        return outcome

    def summarize(self, parameters: InceptionParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        pairs = {
            name: {kind: layers.from_json(ledger) for kind, ledger in pair.items()}
            for name, pair in outcomes["all"].items()
        }
        module, lecture, alike = (pairs.pop(name) for name in ("module", "lecture", "alike"))
        metrics = {
            **_metrics(module, "", "Inception module"),
            **_metrics(lecture, "lecture_", "module of the lecture"),
            **_metrics(alike, "alike_", "module with the lecture's filters on the larger input"),
            **_slip(lecture["reduced"]),
        }
        savings = {name: pair["naive"].macs / pair["reduced"].macs for name, pair in pairs.items()}
        for which, value in (("Smallest", min(savings.values())), ("Largest", max(savings.values()))):
            metrics[f"{which.lower()}_saving"] = builders.metric(
                value, f"{which} saving among GoogLeNet's nine modules"
            )
        naive = _branch_macs(module["naive"])
        return Summary(
            metrics,
            tables={
                "naive": _branch_table(module["naive"], "naive"),
                "reduced": _branch_table(module["reduced"], "dimension-reduced"),
                "lecture": _lecture_table(lecture),
                "googlenet": _googlenet_table(pairs),
                "filters": _filters_table({"This study": module, "The lecture": lecture} | pairs),
            },
            figures={"branches": _figure(module)},
            findings={
                "five_by_five_dominates": builders.statement(
                    "The 5×5 branch is the naive module's most expensive one",
                    naive["five"] == max(naive.values()),
                    "naive_macs",
                ),
                "every_module_saves": builders.statement(
                    "Reductions save multiply–accumulates in each of GoogLeNet's nine modules",
                    min(savings.values()) > 1,
                    "smallest_saving",
                ),
                "slip_gives_the_slide": builders.statement(
                    "With twice the inputs in its 3×3 convolution the lecture's reduced module needs what "
                    "the slide says",
                    round(metrics["lecture_slip_macs"].value / 1e6) == parameters.lecture_slide,
                    "lecture_slip_macs",
                ),
            },
        )


def _pair(shape: tuple[int, int, int], filters: Any) -> dict[str, Any]:
    import torch

    from lab.counting import count
    from lab.networks import inception

    with torch.device("meta"):
        naive = inception.Inception(shape, inception.naive(filters))
        reduced = inception.Inception(shape, filters)
    return {
        "naive": layers.to_json(count(naive, shape, name="naive")),
        "reduced": layers.to_json(count(reduced, shape, name="reduced")),
    }


def _branch(layer: Layer) -> str:
    return layer.name.split(".")[0]


def _branch_macs(ledger: Ledger) -> dict[str, int]:
    return {
        branch: sum(layer.macs for layer in layers.main_layers(ledger) if _branch(layer) == branch)
        for branch in BRANCHES
    }


def _channels(ledger: Ledger) -> int:
    """Channels after concatenation: those of the last layer of each branch."""
    last = {_branch(layer): layer.output_shape for layer in layers.main_layers(ledger)}
    return sum(shape[0] for shape in last.values() if shape)


def _metrics(pair: Mapping[str, Ledger], prefix: str, what: str) -> dict[str, Metric]:
    metrics = {}
    for kind, ledger in pair.items():
        metrics[f"{prefix}{kind}_macs"] = builders.metric(
            ledger.macs,
            f"Multiply–accumulates of the {kind} {what}",
            "MACs",
            arithmetic=" + ".join(str(layer.macs) for layer in layers.main_layers(ledger) if layer.macs),
        )
        metrics[f"{prefix}{kind}_output_channels"] = builders.metric(
            _channels(ledger), f"Output channels of the {kind} {what}", "channels"
        )
    naive, reduced = pair["naive"].macs, pair["reduced"].macs
    metrics[f"{prefix}saving"] = builders.metric(
        round(naive / reduced, 2),
        f"How many times fewer multiply–accumulates the reduced {what} needs",
        arithmetic=f"{naive}/{reduced}",
    )
    return metrics


def _branch_table(ledger: Ledger, kind: str) -> Table:
    rows = []
    for layer in layers.main_layers(ledger):
        found = layers.row(layer, COLUMNS, BRANCHES[_branch(layer)])
        filters = layer.output_shape[0] if layer.macs and layer.output_shape else None
        rows.append(found.model_copy(update={"cells": found.cells | {"filters": filters}}))
    shape = ledger.input_shape
    return builders.table(
        f"The {kind} Inception module on an input of {layers.shape_text(shape)}: output and "
        "multiply–accumulates (MACs) of each filter.",
        COLUMNS,
        rows,
        total={
            "layer": "Concatenation",
            "output": layers.shape_text((_channels(ledger), *shape[1:])),
            "macs": ledger.macs,
        },
    )


def _lecture_table(lecture: Mapping[str, Ledger]) -> Table:
    variants = {"naive": ("Naive", lecture["naive"]), "reduced": ("Reduced", lecture["reduced"])}
    branches = {key: _branch_macs(ledger) for key, (_, ledger) in variants.items()}
    return builders.table(
        "Multiply–accumulates of each branch of the naive and of the reduced module of the lecture CS231n, "
        f"on an input of {layers.shape_text(lecture['naive'].input_shape)}.",
        {"layer": text("Branch")} | {key: integer(label, "MACs") for key, (label, _) in variants.items()},
        [
            {"layer": label} | {key: macs[branch] for key, macs in branches.items()}
            for branch, label in BRANCHES.items()
        ],
        total={"layer": "Total"} | {key: ledger.macs for key, (_, ledger) in variants.items()},
        notes=["Every reduction has 64 filters."],
    )


def _slip(reduced: Ledger) -> dict[str, Metric]:
    """What the lecture's reduced module would need if its 3×3 convolution read twice the channels."""
    three = [layer for layer in layers.main_layers(reduced) if layer.macs and layer.kernel == (3, 3)][-1]
    return {
        "lecture_three_macs": builders.metric(
            three.macs,
            "Multiply–accumulates of the lecture's 3×3 convolution after its reduction",
            "MACs",
            arithmetic=three.arithmetic["macs"],
        ),
        "lecture_slip_macs": builders.metric(
            reduced.macs + three.macs,
            "Multiply–accumulates of the lecture's reduced module if its 3×3 convolution read twice as much",
            "MACs",
            arithmetic=f"{reduced.macs} + {three.macs}",
        ),
    }


def _googlenet_table(pairs: Mapping[str, Mapping[str, Ledger]]) -> Table:
    naive, reduced = (sum(pair[kind].macs for pair in pairs.values()) for kind in ("naive", "reduced"))
    return builders.table(
        "Output channels and multiply–accumulates (MACs) of the nine Inception modules of GoogLeNet, without "
        "reductions (naive) and with those of the paper (reduced). Saving: naive over reduced MACs.",
        {
            "layer": text("Module"),
            "input": layers.INPUT,
            "naive_channels": integer("Naive output", "channels"),
            "naive": integer("Naive", "MACs"),
            "reduced_channels": integer("Reduced output", "channels"),
            "reduced": integer("Reduced", "MACs"),
            "saving": number("Saving", ".2f"),
        },
        [
            {
                "layer": name,
                "input": layers.shape_text(pair["naive"].input_shape),
                "naive_channels": _channels(pair["naive"]),
                "naive": pair["naive"].macs,
                "reduced_channels": _channels(pair["reduced"]),
                "reduced": pair["reduced"].macs,
                "saving": pair["naive"].macs / pair["reduced"].macs,
            }
            for name, pair in pairs.items()
        ],
        total={"layer": "Total", "naive": naive, "reduced": reduced, "saving": naive / reduced},
        notes=["Each module keeps the input that it has in GoogLeNet."],
    )


def _filters_table(pairs: Mapping[str, Mapping[str, Ledger]]) -> Table:
    rows = []
    for name, pair in pairs.items():
        channels, _, width = pair["reduced"].input_shape
        filters = [
            layer.output_shape[0]
            for layer in layers.main_layers(pair["reduced"])
            if layer.macs and layer.output_shape
        ]
        rows.append(
            {"layer": name, "width": width, "channels": channels, **dict(zip(FILTERS, filters, strict=True))}
        )
    return builders.table(
        "Input and filters of every module that is counted.",
        {"layer": text("Module"), "width": integer("Width", "pixels"), "channels": integer("Channels")}
        | {key: integer(label) for key, label in FILTERS.items()},
        rows,
    )


def _figure(module: Mapping[str, Ledger]) -> Chart:
    naive, reduced = (_branch_macs(module[kind]) for kind in ("naive", "reduced"))
    return builders.bars(
        "Multiply–accumulates of each branch of an Inception module on an input of "
        f"{layers.shape_text(module['naive'].input_shape)}, naive and with reductions. A branch includes its "
        "reduction; pooling alone needs none.",
        {
            label: {name: macs[branch] for branch, name in BRANCHES.items()}
            for label, macs in (("Naive", naive), ("Reduced", reduced))
        },
        number("Multiply–accumulates", ".0f", "millions", scale=1e-6),
        x="Branch",
        alt=f"Bars for each branch. The 5×5 branch falls from {naive['five'] / 1e6:.0f} to "
        f"{reduced['five'] / 1e6:.0f} million multiply–accumulates.",
    )


analysis = Inception()

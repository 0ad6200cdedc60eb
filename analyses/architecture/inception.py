"""architecture.inception: the naive and the dimension-reduced Inception module, filter by filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import field_validator

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab.ledger import Layer, Ledger
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

BRANCHES = {"one": "1×1", "three": "3×3", "five": "5×5", "pool": "pool"}
COLUMNS = (
    Column(key="layer", label="Branch"),
    Column(key="filter", label="Filter", type="shape"),
    Column(key="filters", label="Filters", type="integer"),
    layers.INPUT,
    layers.OUTPUT,
    layers.MACS,
)


class InceptionParameters(Parameters):
    """`filters`: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection, as in table 1 of the paper."""

    input: tuple[int, int, int] = (256, 32, 32)
    filters: tuple[int, int, int, int, int, int] = (128, 128, 192, 32, 96, 64)  # GoogLeNet's module 3b
    lecture_input: tuple[int, int, int] = (256, 28, 28)
    lecture_filters: tuple[int, int, int, int, int, int] = (128, 64, 192, 64, 96, 64)  # CS231n

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
        }
        for name, (width, channels, filters) in GOOGLENET.items():
            outcome[name] = _pair((channels, width, width), filters)
        return outcome

    def summarize(self, parameters: InceptionParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        pairs = {
            name: {kind: layers.from_json(ledger) for kind, ledger in pair.items()}
            for name, pair in outcomes["all"].items()
        }
        module, lecture = pairs.pop("module"), pairs.pop("lecture")
        metrics = {
            **_metrics(module, "", "Inception module"),
            **_metrics(lecture, "lecture_", "module of the lecture"),
        }
        savings = {name: pair["naive"].macs / pair["reduced"].macs for name, pair in pairs.items()}
        metrics["smallest_saving"] = Metric(
            value=min(savings.values()), title="Smallest saving among GoogLeNet's nine modules"
        )
        metrics["largest_saving"] = Metric(
            value=max(savings.values()), title="Largest saving among GoogLeNet's nine modules"
        )
        tables = {
            "naive": _branch_table(module["naive"], "naive"),
            "reduced": _branch_table(module["reduced"], "dimension-reduced"),
            "lecture": _comparison_table(module, lecture),
            "googlenet": _googlenet_table(pairs),
        }
        findings = {
            "five_by_five_dominates": Finding(
                statement="The 5×5 branch is the naive module's most expensive one",
                holds=_branch_macs(module["naive"])["five"] == max(_branch_macs(module["naive"]).values()),
                metrics=("naive_macs",),
            ),
            "every_module_saves": Finding(
                statement="Reductions save multiply–accumulates in each of GoogLeNet's nine modules",
                holds=min(savings.values()) > 1,
                metrics=("smallest_saving",),
            ),
        }
        return Summary(metrics, tables, {"branches": _figure(module)}, findings)


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


def _shown(ledger: Ledger) -> list[Layer]:
    return [layer for layer in ledger.layers if layers.is_convolution(layer) or "pooling" in layer.elements]


def _branch(layer: Layer) -> str:
    return layer.name.split(".")[0]


def _branch_macs(ledger: Ledger) -> dict[str, int]:
    return {
        branch: sum(layer.macs for layer in _shown(ledger) if _branch(layer) == branch) for branch in BRANCHES
    }


def _channels(ledger: Ledger) -> int:
    """Channels after concatenation: those of the last layer of each branch."""
    last = {_branch(layer): layer.output_shape for layer in _shown(ledger)}
    return sum(shape[0] for shape in last.values() if shape)


def _metrics(pair: Mapping[str, Ledger], prefix: str, what: str) -> dict[str, Metric]:
    naive, reduced = pair["naive"], pair["reduced"]

    def macs(ledger: Ledger, title: str) -> Metric:
        text = " + ".join(str(layer.macs) for layer in _shown(ledger) if layer.macs)
        return Metric(value=ledger.macs, title=title, unit="MACs", arithmetic=text)

    return {
        f"{prefix}naive_macs": macs(naive, f"Multiply–accumulates of the naive {what}"),
        f"{prefix}reduced_macs": macs(reduced, f"Multiply–accumulates of the reduced {what}"),
        f"{prefix}naive_output_channels": Metric(
            value=_channels(naive), title=f"Output channels of the naive {what}", unit="channels"
        ),
        f"{prefix}reduced_output_channels": Metric(
            value=_channels(reduced), title=f"Output channels of the reduced {what}", unit="channels"
        ),
        f"{prefix}saving": Metric(
            value=round(naive.macs / reduced.macs, 2),
            title=f"How many times fewer multiply–accumulates the reduced {what} needs",
            arithmetic=f"{naive.macs}/{reduced.macs}",
        ),
    }


def _branch_table(ledger: Ledger, kind: str) -> Table:
    rows = []
    for layer in _shown(ledger):
        found = layers.row(layer, COLUMNS, BRANCHES[_branch(layer)])
        filters = layer.output_shape[0] if layer.macs and layer.output_shape else None
        rows.append(Row(cells={**found.cells, "filters": filters}, arithmetic=found.arithmetic))
    shape = ledger.input_shape
    total = Row(
        cells={
            "layer": "Concatenation",
            "output": layers.shape_text((_channels(ledger), *shape[1:])),
            "macs": ledger.macs,
        },
        kind="total",
    )
    return Table(
        caption=f"The {kind} module on an input of {layers.shape_text(shape)}: output and "
        "multiply–accumulates of each filter.",
        columns=COLUMNS,
        rows=(*rows, total),
    )


def _comparison_table(module: Mapping[str, Ledger], lecture: Mapping[str, Ledger]) -> Table:
    variants = {
        "naive": (module["naive"], "Naive"),
        "reduced": (module["reduced"], "Reduced"),
        "lecture_naive": (lecture["naive"], "Lecture, naive"),
        "lecture_reduced": (lecture["reduced"], "Lecture, reduced"),
    }
    columns = (
        Column(key="layer", label="Branch"),
        *(Column(key=key, label=label, type="integer", unit="MACs") for key, (_, label) in variants.items()),
    )
    branches = {key: _branch_macs(ledger) for key, (ledger, _) in variants.items()}
    rows = [
        Row(cells={"layer": label, **{key: branches[key][branch] for key in variants}})
        for branch, label in BRANCHES.items()
    ]
    total = Row(
        cells={"layer": "Total", **{key: ledger.macs for key, (ledger, _) in variants.items()}}, kind="total"
    )
    size, lecture_size = (layers.shape_text(pair["naive"].input_shape) for pair in (module, lecture))
    return Table(
        caption="Multiply–accumulates a branch, beside the variant of a widely used lecture.",
        columns=columns,
        rows=(*rows, total),
        notes=(f"Input {size}; the lecture's {lecture_size}, where every reduction has 64 filters.",),
    )


def _googlenet_table(pairs: Mapping[str, Mapping[str, Ledger]]) -> Table:
    columns = (
        Column(key="layer", label="Module"),
        layers.INPUT,
        Column(key="naive_channels", label="Naive output", type="integer", unit="channels"),
        Column(key="naive", label="Naive", type="integer", unit="MACs"),
        Column(key="reduced_channels", label="Reduced output", type="integer", unit="channels"),
        Column(key="reduced", label="Reduced", type="integer", unit="MACs"),
        Column(key="saving", label="Saving", type="number", format=".2f"),
    )
    rows = [
        Row(
            cells={
                "layer": name,
                "input": layers.shape_text(pair["naive"].input_shape),
                "naive_channels": _channels(pair["naive"]),
                "naive": pair["naive"].macs,
                "reduced_channels": _channels(pair["reduced"]),
                "reduced": pair["reduced"].macs,
                "saving": pair["naive"].macs / pair["reduced"].macs,
            }
        )
        for name, pair in pairs.items()
    ]
    naive, reduced = (sum(pair[kind].macs for pair in pairs.values()) for kind in ("naive", "reduced"))
    total = Row(
        cells={"layer": "Total", "naive": naive, "reduced": reduced, "saving": naive / reduced}, kind="total"
    )
    return Table(
        caption="The nine modules of GoogLeNet with the filters of the paper, and without reductions.",
        columns=columns,
        rows=(*rows, total),
        notes=("Each module keeps the input that it has in GoogLeNet.",),
    )


def _figure(module: Mapping[str, Ledger]) -> Chart:
    kinds = {"naive": "Naive", "reduced": "Reduced"}
    macs = {kind: _branch_macs(module[kind]) for kind in kinds}
    return Chart(
        kind="bar",
        caption="Multiply–accumulates of each branch, with and without reductions.",
        alt=f"Bars a branch. The 5×5 branch falls from {macs['naive']['five'] / 1e6:.0f} to "
        f"{macs['reduced']['five'] / 1e6:.0f} million multiply–accumulates.",
        x=Axis(label="Branch", categories=tuple(BRANCHES.values())),
        y=Axis(label="Multiply–accumulates", unit="millions"),
        series=tuple(
            Series(
                label=label,
                x=tuple(range(len(BRANCHES))),
                y=tuple(macs[kind][branch] / 1e6 for branch in BRANCHES),
            )
            for kind, label in kinds.items()
        ),
    )


analysis = Inception()

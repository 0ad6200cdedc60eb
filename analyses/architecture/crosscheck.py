"""architecture.crosscheck: do independent counters agree with us and with each other, and if not, why?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Axis, Column, Heatmap, Row, Table

#: Counter → (label, MACs in one of its units).
COUNTERS = {"torch": ("FlopCounterMode", 0.5), "fvcore": ("fvcore", 1.0), "torchinfo": ("torchinfo", 1.0)}
UNEXPLAINED = "unexplained"


class CrosscheckParameters(Parameters):
    input: tuple[int, int, int] = (3, 224, 224)
    models: tuple[str, ...] = (
        "alexnet",
        "vgg19",
        "googlenet",
        "inception_v3",
        "resnet18",
        "resnet50",
        "mobilenet_v2",
        "densenet121",
        "efficientnet_b0",
        "vit_b_16",
    )
    transformer: str = "vit_b_16"


class Crosscheck(Analysis[CrosscheckParameters]):
    id = "architecture.crosscheck"
    title = "Cross-check of independent counters"
    question = "Do independent counters agree on the operations of a model, and if not, why?"
    analytic = True
    libraries = ("torch", "torchvision", "fvcore", "torchinfo")

    def parameters(self, profile: Profile) -> CrosscheckParameters:
        return CrosscheckParameters()

    def plan(self, parameters: CrosscheckParameters) -> list[Cell]:
        settings = parameters.model_dump(mode="json")
        return [Cell(name, settings) for name in parameters.models]

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab import models
        from lab.counters import read, reconcile
        from lab.counting import count

        parameters = CrosscheckParameters.model_validate(cell.settings)
        model = models.load(cell.id)
        ledger = count(model, parameters.input, name=cell.id)
        readings = {counter: read(counter, models.load(cell.id), parameters.input) for counter in COUNTERS}
        return {
            "macs": ledger.macs,
            "parameters": ledger.parameters,
            "elements": sum(parameter.numel() for parameter in model.parameters()),
            "totals": {counter: reading.total for counter, reading in readings.items()},
            "differences": {
                counter: [[found.reason, found.amount] for found in reconcile(ledger, reading)]
                for counter, reading in readings.items()
            },
        }

    def summarize(self, parameters: CrosscheckParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        found = {name: outcomes[name] for name in parameters.models}
        unexplained = max(
            abs(_unexplained(entry, counter)) for entry in found.values() for counter in COUNTERS
        )
        transformer = found[parameters.transformer]
        metrics = {
            "models_compared": builders.metric(len(found), "Networks compared"),
            "largest_unexplained_difference": builders.metric(
                unexplained,
                "Largest difference from a counter that is not attributed to a class of operators",
                "MACs",
            ),
            **{
                f"vit_{counter}_share": builders.metric(
                    _macs(transformer, counter) / transformer["macs"],
                    f"Share of our MACs that {COUNTERS[counter][0]} counts on {parameters.transformer}",
                    "fraction",
                )
                for counter in ("fvcore", "torchinfo")
            },
        }
        findings = {
            "all_explained": builders.statement(
                "Every difference is attributed to classes of operators, with nothing left",
                unexplained == 0,
                "largest_unexplained_difference",
            ),
            "parameters_agree": builders.statement(
                "Our parameters are the elements of the model's own tensors on every network",
                all(entry["parameters"] == entry["elements"] for entry in found.values()),
            ),
            "no_two_counters_agree": builders.statement(
                "No two of the counters agree on all networks",
                all(
                    any(_macs(entry, one) != _macs(entry, other) for entry in found.values())
                    for one, other in combinations(COUNTERS, 2)
                ),
                "models_compared",
            ),
        }
        tables = {
            "totals": _totals_table(found, parameters.input),
            "differences": _reason_table(found),
            "differences_by_network": _difference_table(found),
        }
        return Summary(metrics, tables, {"excess": _figure(found)}, findings)


def _macs(entry: Outcome, counter: str) -> float:
    """A counter's total as MACs, so that it can be compared."""
    return float(entry["totals"][counter]) * COUNTERS[counter][1]


def _unexplained(entry: Outcome, counter: str) -> float:
    """What remains of total − ours after every reason; counted again here, not taken from `reconcile`."""
    explained = sum(amount for reason, amount in entry["differences"][counter] if reason != UNEXPLAINED)
    return _macs(entry, counter) - entry["macs"] - explained


def _totals_table(found: Mapping[str, Outcome], shape: tuple[int, ...]) -> Table:
    columns = (
        Column(key="network", label="Network", type="code"),
        Column(key="parameters", label="Parameters", type="integer"),
        Column(key="macs", label="Ours", type="integer", unit="MACs"),
        Column(key="torch", label="FlopCounterMode", type="integer", unit="FLOPs"),
        Column(key="fvcore", label="fvcore", type="integer", unit="MACs"),
        Column(key="torchinfo", label="torchinfo", type="integer", unit="mult-adds"),
    )
    return Table(
        caption=f"Operations of {len(found)} networks on an input of {layers.shape_text(shape)}, as each "
        "program counts them, in its own unit.",
        columns=columns,
        rows=tuple(
            Row(
                cells={
                    "network": name,
                    "parameters": entry["parameters"],
                    "macs": entry["macs"],
                    **entry["totals"],
                }
            )
            for name, entry in found.items()
        ),
        notes=("What fvcore calls a FLOP is a multiply–accumulate (MAC).",),
    )


def _reason_table(found: Mapping[str, Outcome]) -> Table:
    """A row a reason: on how many networks it counts, and how much."""
    rows = []
    for counter, (label, _) in COUNTERS.items():
        by_reason: dict[str, list[int]] = {}
        for entry in found.values():
            for reason, amount in entry["differences"][counter]:
                if amount and reason != UNEXPLAINED:
                    by_reason.setdefault(reason, []).append(amount)
        for reason, amounts in by_reason.items():
            ordered = sorted(amounts, key=abs)
            rows.append(
                Row(
                    cells={
                        "counter": label,
                        "reason": reason,
                        "networks": len(amounts),
                        "smallest": ordered[0],
                        "largest": ordered[-1],
                    }
                )
            )
        unexplained = [_unexplained(entry, counter) for entry in found.values()]
        rest = max(unexplained, key=abs)
        cells = {"counter": label, "reason": "left unexplained", "networks": sum(map(bool, unexplained))}
        rows.append(Row(cells={**cells, "smallest": rest, "largest": rest}))
    return builders.table(
        "Why the counters differ from our multiply–accumulates: every reason, on how many networks "
        "it matters, and its smallest and largest amount. The FLOPs of FlopCounterMode are halved first.",
        {
            "counter": builders.text("Counter"),
            "reason": builders.text("What it does"),
            "networks": builders.integer("Networks"),
            "smallest": builders.integer("Smallest", "MACs"),
            "largest": builders.integer("Largest", "MACs"),
        },
        rows,
    )


def _difference_table(found: Mapping[str, Outcome]) -> Table:
    rows = [
        Row(cells={"network": name, "counter": COUNTERS[counter][0], "reason": reason, "amount": amount})
        for name, entry in found.items()
        for counter in COUNTERS
        for reason, amount in entry["differences"][counter]
    ]
    return builders.table(
        "Every difference between a counter and our multiply–accumulates, attributed.",
        {
            "network": builders.code("Network"),
            "counter": builders.text("Counter"),
            "reason": builders.text("What it does"),
            "amount": builders.integer("Amount", "MACs"),
        },
        rows,
    )


def _figure(found: Mapping[str, Outcome]) -> Heatmap:
    values = tuple(
        tuple(round(100 * (_macs(entry, counter) / entry["macs"] - 1), 2) for entry in found.values())
        for counter in COUNTERS
    )
    worst = min(
        (value, counter, name)
        for counter, row in zip(COUNTERS, values, strict=True)
        for value, name in zip(row, found, strict=True)
    )
    return Heatmap(
        caption="How far each counter is from our multiply–accumulates, as a percentage of ours (two FLOPs "
        "are one multiply–accumulate), rounded. Orange is more, violet less; differences beyond "
        "the middle of the scale are coloured by their logarithm.",
        alt=f"A table of percentages. FlopCounterMode differs by at most {max(map(abs, values[0])):.2f} "
        f"percent; the largest difference is {worst[0]:.1f} percent, of {COUNTERS[worst[1]][0]} on "
        f"{worst[2]}.",
        x=Axis(label="Network", categories=tuple(found)),
        y=Axis(label="Counter", categories=tuple(label for label, _ in COUNTERS.values())),
        values=values,
        value_label="Difference (%)",
        numbers=True,
    )


analysis = Crosscheck()

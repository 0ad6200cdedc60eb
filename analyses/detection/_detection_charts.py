"""Losses and recall of the detection experiments: metrics, tables and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from analyses import records
from analyses.detection._detection import OVERLAPS, PROPOSALS
from analyses.plugin import Outcome
from results import builders
from results.builders import FRACTION
from results.schema import Axis, Chart, Metric, Panel, Panels, Reference, Series, Table
from results.text import counted

LOSSES = {"objectness": "Objectness", "box": "Box", "class": "Class"}


def losses(runs: Mapping[str, Sequence[Outcome]], what: str) -> Panels:
    """A row of panels for each network, by its label, with one for each training loss by epoch, and a line at
    that loss on the test canvases at the end. what: whose losses they are, as a caption begins.
    """
    panels, ends = [], []
    for label, some in runs.items():
        for key, title in LOSSES.items():
            found = _loss_panel(some, key, f"{label}: {title.lower()}" if len(runs) > 1 else title)
            if found:
                panel, tested = found
                panels.append(panel)
                ends.append(f"{panel.title} {panel.series[0].y[-1]:.4f} ({tested:.4f} on test canvases)")
    fewest = min(map(len, runs.values()))
    logarithmic = [panel.y.scale == "log" for panel in panels]
    axes = " Vertical axes are logarithmic where a loss varies by more than a factor of ten."
    if all(logarithmic):
        axes = " The vertical axes are logarithmic."
    return Panels(
        caption=f"{what} by epoch, without their weights, means over {counted(fewest, 'seeds')}"
        + (
            "; bands, hidden where narrower than the line, reach from the lowest to the highest seed"
            * (fewest > 1)
        )
        + ". The dashed line is the mean of the same loss on the test canvases after training."
        + (axes if any(logarithmic) else ""),
        alt=f"Training losses by epoch end at: {', '.join(ends)}.",
        panels=tuple(panels),
        columns=len(panels) // len(runs),
        share_x=True,
    )


def _loss_panel(runs: Sequence[Outcome], key: str, title: str) -> tuple[Panel, float] | None:
    """The panel, and the mean on test canvases; None for the class of a network without a head."""
    curves = [run["history"]["parts"].get(f"train/{key}_loss") for run in runs]
    if None in curves:
        return None
    epochs = list(zip(*curves, strict=False))  # as far as every run went
    tested = fmean(run[f"measured_{key}_loss"] for run in runs)
    mean = tuple(map(fmean, epochs))
    training = Series(
        label="Training",
        x=tuple(float(epoch) for epoch in range(1, len(epochs) + 1)),
        y=mean,
        low=tuple(map(min, epochs)) if len(runs) > 1 else (),
        high=tuple(map(max, epochs)) if len(runs) > 1 else (),
    )
    spread = max(*mean, tested) > 10 * min(*mean, tested) > 0
    return (
        Panel(
            kind="line",
            title=title,
            x=Axis(label="Epoch"),
            y=Axis(label="Loss", scale="log" if spread else "linear"),
            series=(training,),
            references=(Reference(axis="y", value=tested, label="test"),),
        ),
        tested,
    )


def loss_metrics(name: str, runs: Sequence[Outcome], label: str) -> dict[str, Metric]:
    """Every loss in the last epoch of training and on the test canvases: "NAME/train_class_loss"."""
    found = {}
    for key, title in LOSSES.items():
        ends = last_losses(runs, key)
        if ends:
            tested = [run[f"measured_{key}_loss"] for run in runs]
            for part, values in (("train", ends), ("test", tested)):
                where = "in the last epoch of training" if part == "train" else "on test canvases"
                found[f"{name}/{part}_{key}_loss"] = records.over_seeds(
                    [{"loss": value} for value in values],
                    "loss",
                    f"{title} loss {where}, {label}".strip(", "),
                    "nats" if key in ("objectness", "class") else "",
                )
    return found


def last_losses(runs: Sequence[Outcome], key: str) -> list[float]:
    """A loss in the last epoch of training, of each run; none of a network without such a part."""
    ends = [run["history"]["parts"].get(f"train/{key}_loss", [None])[-1] for run in runs]
    return [] if None in ends else ends


def loss_table(
    metrics: Mapping[str, Metric], labels: Mapping[str, str], first: str, caption: str, style: str = ".3f"
) -> Table:
    """Two rows a network, of training and of test canvases, with a column for each loss. labels: names to
    words, of the column `first`. style: of the losses that are shown in thousandths.
    """
    keys = [key for key in LOSSES if f"{next(iter(labels))}/train_{key}_loss" in metrics]
    return builders.table(
        caption,
        {
            "network": builders.text(first),
            "part": builders.text("Canvases"),
            **{
                key: builders.number("Class", ".3f", "nats")
                if key == "class"
                else builders.number(LOSSES[key], style, "× 0.001", scale=1000)
                for key in keys
            },
        },
        [
            {
                "network": words,
                "part": shown,
                **{key: metrics[f"{name}/{part}_{key}_loss"] for key in keys},
            }
            for name, words in labels.items()
            for part, shown in (("train", "training"), ("test", "test"))
        ],
    )


def recall_chart(runs: Sequence[Outcome], caption: str) -> Chart:
    """Recall against the number of proposals, a line for each IoU."""
    series = []
    for overlap in OVERLAPS:
        values = [run["recall"][f"{overlap:g}"] for run in runs]
        mean = tuple(sum(at) / len(at) for at in zip(*values, strict=True))
        series.append(Series(label=f"IoU ≥ {overlap:g}", x=tuple(map(float, PROPOSALS)), y=mean))
    ends = ", ".join(f"{one.y[0]:.2f} to {one.y[-1]:.2f} at {one.label}" for one in series)
    return Chart(
        kind="line",
        caption=caption,
        alt=f"Recall with {PROPOSALS[0]} to {PROPOSALS[-1]} proposals an image: {ends}.",
        x=Axis(label="Proposals per image", scale="log"),
        y=Axis(label="Recall", unit=FRACTION),
        series=tuple(series),
    )

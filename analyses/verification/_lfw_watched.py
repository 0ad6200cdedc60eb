"""What loss and accuracy on pairs of validation people, measured after every epoch, say of the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import records
from analyses.plugin import Outcome
from analyses.verification._lfw_runs import HISTORIES, IN_TEXT
from results import builders
from results.schema import Finding, Metric


def _watched(
    runs: Mapping[str, Sequence[Outcome]], stage: str, key: str = "validation_loss"
) -> list[list[float]]:
    """By seed, the loss, or what `key` says, after every epoch on pairs of validation people; empty where it
    was not measured.
    """
    histories = [run.get(HISTORIES[stage], {}) for run in runs.get(stage, ())]
    found = [list(one.get(key, ())) for one in histories]
    return found if all(found) else []


def _lowest(losses: Sequence[Sequence[float]]) -> int:
    """The epoch, from 0, at which the mean over seeds is lowest."""
    means = [sum(one) / len(losses) for one in zip(*losses, strict=True)]
    return means.index(min(means))


def watched_metrics(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    metrics = {}
    for stage in ("last", "all"):
        if losses := _watched(runs, stage):
            lowest, what = _lowest(losses), f"on pairs of validation people, {IN_TEXT[stage]}"
            metrics[f"{stage}/lowest_epoch"] = builders.metric(
                lowest + 1, f"Epoch of the lowest mean loss {what}", "epochs"
            )
            for key, epoch, when in (
                ("lowest_loss", lowest, "in that epoch"),
                ("last_loss", -1, "at the end"),
            ):
                values = [{"loss": one[epoch]} for one in losses]
                metrics[f"{stage}/{key}"] = records.over_seeds(values, "loss", f"Loss {what}, {when}", "")
        if accuracies := _watched(runs, stage, "validation_accuracy"):
            for key, epoch, when in (
                ("first_accuracy", 0, "after the first epoch"),
                ("last_accuracy", -1, "at the end"),
            ):
                values = [{"accuracy": one[epoch]} for one in accuracies]
                title = f"Accuracy at a probability of one half {what}, {when}"
                metrics[f"{stage}/{key}"] = records.over_seeds(values, "accuracy", title)
    return metrics


def watched_findings(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Finding]:
    """Whether more epochs hurt: whether the loss on pairs of validation people rises."""
    return {
        f"{stage}_overfits": builders.statement(
            f"On pairs of validation people, the loss of {IN_TEXT[stage]} is higher at the end of every run "
            "than in the epoch in which the mean over runs is lowest",
            all(one[-1] > one[_lowest(losses)] for one in losses),
            f"{stage}/lowest_epoch",
            f"{stage}/lowest_loss",
            f"{stage}/last_loss",
        )
        for stage in ("last", "all")
        if (losses := _watched(runs, stage))
    }

"""What loss, accuracy and AUC on pairs of validation people, after every epoch, say of the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import records
from analyses.plugin import Outcome
from analyses.verification._lfw_runs import HISTORIES, IN_TEXT
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric


def watched(runs: Sequence[Outcome], stage: str, key: str) -> list[list[float]]:
    """By seed, what `key` of the history says after every epoch: "validation_loss", "validation_accuracy", or
    "auc", which is that of every pair of the validation people. Empty where it was not measured.
    """
    histories = [run.get(HISTORIES[stage], {}) for run in runs]
    if key == "auc":
        histories = [one.get("parts", {}) for one in histories]
        key = "watched/auc"
    found = [list(one.get(key, ())) for one in histories]
    return found if all(found) else []


def _means(curves: Sequence[Sequence[float]]) -> list[float]:
    """Epoch by epoch, over seeds."""
    return [sum(one) / len(curves) for one in zip(*curves, strict=True)]


def _lowest(losses: Sequence[Sequence[float]]) -> int:
    """The epoch, from 0, at which the mean over seeds is lowest."""
    means = _means(losses)
    return means.index(min(means))


def _highest(areas: Sequence[Sequence[float]]) -> int:
    means = _means(areas)
    return means.index(max(means))


def watched_metrics(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    metrics = {}
    for stage in HISTORIES:
        found = runs.get(stage, ())
        what = f"on pairs of validation people, {IN_TEXT[stage]}"
        if losses := watched(found, stage, "validation_loss"):
            lowest = _lowest(losses)
            metrics[f"{stage}/lowest_epoch"] = builders.metric(
                lowest + 1, f"Epoch of the lowest mean loss {what}", "epochs"
            )
            for key, epoch, when in (
                ("lowest_loss", lowest, "in that epoch"),
                ("last_loss", -1, "at the end"),
            ):
                metrics[f"{stage}/{key}"] = _in_epoch(losses, epoch, f"Loss {what}, {when}", "")
        if accuracies := watched(found, stage, "validation_accuracy"):
            for key, epoch, when in (
                ("first_accuracy", 0, "after the first epoch"),
                ("last_accuracy", -1, "at the end"),
            ):
                title = f"Accuracy at a probability of one half {what}, {when}"
                metrics[f"{stage}/{key}"] = _in_epoch(accuracies, epoch, title)
        if areas := watched(found, stage, "auc"):
            highest = _highest(areas)
            metrics |= {
                f"{stage}/highest_auc_epoch": builders.metric(
                    highest + 1, f"Epoch of the highest mean AUC {what}", "epochs"
                ),
                f"{stage}/first_auc": _in_epoch(areas, 0, f"AUC {what}, after the first epoch"),
                f"{stage}/highest_auc": _in_epoch(areas, highest, f"AUC {what}, in that epoch"),
                f"{stage}/last_auc": _in_epoch(areas, -1, f"AUC {what}, at the end"),
            }
    return metrics


def _in_epoch(curves: Sequence[Sequence[float]], epoch: int, title: str, unit: str = FRACTION) -> Metric:
    return records.over_seeds([{"value": one[epoch]} for one in curves], "value", title, unit)


def watched_findings(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Finding]:
    """Whether more epochs hurt: whether the loss on pairs of validation people rises, or their AUC falls."""
    findings = {}
    for stage in HISTORIES:
        found = runs.get(stage, ())
        if losses := watched(found, stage, "validation_loss"):
            findings[f"{stage}_overfits"] = builders.statement(
                f"On pairs of validation people, the loss of {IN_TEXT[stage]} is higher at the end of every "
                "run than in the epoch in which the mean over runs is lowest",
                all(one[-1] > one[_lowest(losses)] for one in losses),
                f"{stage}/lowest_epoch",
                f"{stage}/lowest_loss",
                f"{stage}/last_loss",
            )
        if areas := watched(found, stage, "auc"):
            findings[f"{stage}_auc_falls"] = builders.statement(
                f"On every pair of validation people, the AUC of {IN_TEXT[stage]} is lower at the end of "
                "every run than in the epoch in which the mean over runs is highest",
                all(one[-1] < one[_highest(areas)] for one in areas),
                f"{stage}/highest_auc_epoch",
                f"{stage}/highest_auc",
                f"{stage}/last_auc",
            )
    return findings

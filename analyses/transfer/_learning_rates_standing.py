"""How the settings of one data set stand: by validation accuracy, and image by image of the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

from analyses.comparing import Comparison
from analyses.plugin import Outcome
from analyses.transfer import _transfer as transfer
from analyses.transfer._learning_rates_settings import TITLES, LearningRateParameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

Runs = Mapping[str, Sequence[Outcome]]  # "finetune/0.01" → outcomes by seed


def runs_of(
    parameters: LearningRateParameters, name: str, outcomes: Mapping[str, Outcome]
) -> dict[str, list[Outcome]]:
    found = {}
    for kind, rate in parameters.settings():
        runs = [
            outcomes[f"{name}/heads"]["runs"][f"{rate:g}/{seed}"]
            if kind == "head"
            else outcomes[f"{name}/finetune/{rate:g}/{seed}"]
            for seed in range(parameters.seeds)
        ]
        # outcomes that were kept without predictions have their courses beside them
        found[f"{kind}/{rate:g}"] = [{"history": run} | run for run in runs]
    return found


def in_words(setting: str) -> str:
    kind, rate = setting.split("/")
    return f"{TITLES[kind].lower()} at {rate}"


@dataclass(frozen=True)
class Standing:
    """How the settings of one data set stand.

    ranking: by mean validation accuracy, the best first. best: by kind, its first in the ranking. correct: by
    setting, the share of its seeds that are right, image by image of the test. pairs, compared: the winner
    with the runner-up ("winner"), the best of fine-tuning with that of the frozen backbone ("approach"), and
    the best rate of fine-tuning with the next best and with the worst ("rate_second", "rate_last").
    """

    ranking: tuple[str, ...]
    best: dict[str, str]
    correct: dict[str, NDArray[Any]]
    pairs: dict[str, tuple[str, str]]
    compared: dict[str, Comparison]


def rank(runs: Runs) -> Standing:
    correct = {setting: transfer.share_correct(found) for setting, found in runs.items()}
    validation = {
        setting: mean(run["history"]["validation_accuracy"][-1] for run in found)
        for setting, found in runs.items()
    }
    ranking = tuple(sorted(runs, key=lambda setting: -validation[setting]))
    best = {kind: next(one for one in ranking if one.startswith(kind)) for kind in TITLES}
    pairs = {"winner": (ranking[0], ranking[1]), "approach": (best["finetune"], best["head"])}
    first, *others = (one for one in ranking if one.startswith("finetune"))
    if others:
        pairs |= {"rate_second": (first, others[0]), "rate_last": (first, others[-1])}
    return Standing(ranking, best, correct, pairs, transfer.compare(correct, pairs))


def rate_of(setting: str) -> float:
    return float(setting.split("/")[1])


def class_counts(first: Outcome) -> list[int]:
    """Training images of each class."""
    counts: list[int] = first.get("counts") or [
        first["labels"].count(kind) for kind in range(len(first["classes"]))
    ]
    return counts

"""The runs of each stage of the study of Labeled Faces in the Wild, and the learning rates chosen by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import records
from analyses.plugin import Outcome
from analyses.verification._evaluation import EvaluatedPairs
from analyses.verification._lfw_settings import Which
from lab.verification import Pairs

#: Rows of the tables.
STAGES = {
    "pixels": "Raw pixels",
    "before": "Pretrained network, before training",
    "last": "Pretrained network, last layer trained",
    "flawed": "Pretrained network, last layer trained with two flaws",
    "all": "Pretrained network, all layers trained",
    "second_before": "Second network, before training",
    "second_last": "Second network, last layer trained",
    "second_all": "Second network, all layers trained",
    "scratch_before": "Siamese tower, before training",
    "scratch": "Siamese tower, trained from scratch",
}
#: The stages within a sentence.
IN_TEXT = {
    "before": "the pretrained network before training",
    "last": "the network with its last layer trained",
    "flawed": "the network with its last layer trained with two flaws",
    "all": "the network with all layers trained",
    "second_before": "the second network before training",
    "second_last": "the second network with its last layer trained",
    "second_all": "the second network with all layers trained",
    "scratch_before": "the tower before training",
    "scratch": "the tower trained from scratch",
}
#: In which part of a run's outcome the training of a stage is recorded.
HISTORIES = {"last": "history", "all": "all_history", "scratch": "history"}
LISTED: dict[Which, str] = {"pairs": "listed pairs", "everyone": "every pair"}


def runs_of(outcomes: Mapping[str, Outcome], stage: str, rates: Mapping[str, float]) -> list[Outcome]:
    """Of a stage by seed: at the rate that was chosen, where only the cells that chose it were measured."""
    if stage == "scratch_before":
        return [one["before"] for one in records.runs_named(outcomes, "scratch") if "before" in one]
    found = records.runs_named(outcomes, stage)
    if found or stage not in rates:
        return found
    return records.runs_named(outcomes, f"{stage}/{rates[stage]:g}")


def chosen_rate(outcomes: Mapping[str, Outcome], stage: str, rates: Sequence[float]) -> float:
    """That with the highest mean AUC over seeds on every pair of the validation people."""
    return max(rates, key=lambda rate: validation_auc(records.runs_named(outcomes, f"{stage}/{rate:g}")))


def validation_auc(runs: Sequence[Outcome]) -> float:
    return sum(run["validation"]["auc"] for run in runs) / len(runs)


def pairs_of(outcome: Outcome) -> Pairs:
    return Pairs.of(outcome["distances"], outcome["first"], outcome["second"])


def listed_pairs_of(runs: Sequence[Outcome]) -> EvaluatedPairs:
    """The listed pairs of the runs of a stage, by seed."""
    return EvaluatedPairs([[pairs_of(run) for run in runs]], [[{} for _ in runs]])

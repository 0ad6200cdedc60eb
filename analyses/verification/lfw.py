"""verification.lfw: are two photographs of the same person? Labeled Faces in the Wild, listed pairs and all.

After a course project (JHU 520.638, homework 3): two images go through a pretrained network, and the
distance of their 1,000 outputs, divided by a normaliser, is the probability of two people; first the last
layer is trained, then all. By protocol AlexNet and VGG-16. A Siamese tower of ours, from scratch, is the
second network. The official folds of pairs share no person: some of them are tested on, by others the
learning rates are chosen, and everyone who is in none of these is trained on. The published program leaves
dropout on in both towers and lets its normaliser drift; that is measured beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyses.plugin import Analysis, Cell, Context, Outcome, Profile
from analyses.verification import _lfw_training as training
from analyses.verification._lfw_data import faces_of
from analyses.verification._lfw_runs import chosen_rate
from analyses.verification._lfw_settings import LfwParameters, Stage
from analyses.verification._lfw_summary import summary


class Lfw(Analysis[LfwParameters]):
    """Cells are `STAGE/RATE/SEED` where a learning rate is chosen, else `STAGE/SEED`, which draw people again
    for the intervals of every pair.
    """

    id = "verification.lfw"
    title = "Labeled Faces in the Wild: listed pairs and every pair"
    question = "How well does a pretrained network tell strangers apart, before and after training on pairs?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> LfwParameters:
        if profile == "quick":
            return LfwParameters(
                name="faces",
                size=64,
                pairs=60,
                last_rates=(0.3, 0.1),
                last_epochs=2,
                all_rates=(0.01,),
                search_epochs=1,
                all_epochs=1,
                all_pairs=60,
                all_seeds=1,
                resamples=999,
                watched=40,
                scratch_pairs=32,
                scratch_epochs=1,
                seeds=1,
            )
        return LfwParameters(all_seeds=2, resamples=999, scratch_pairs=2_200, scratch_epochs=15)

    def datasets(self, parameters: LfwParameters) -> tuple[str, ...]:
        return (parameters.name,)

    def check(self, parameters: LfwParameters) -> None:
        faces_of(parameters.data_settings())

    def plan(self, parameters: LfwParameters) -> list[Cell]:
        shared = parameters.data_settings() | parameters.resampling_settings()
        scratch = {
            "stage": "scratch",
            "size": parameters.scratch_size,
            "pairs": parameters.scratch_pairs,
            "recipe": parameters.scratch_recipe(),
            "auc_by_epoch": True,
        }
        cells = [
            Cell("pixels/0", shared | {"stage": "pixels"}, 0),
            Cell("before/0", shared | {"stage": "before"} | parameters.network_settings(), 0),
        ]
        for seed in range(parameters.seeds):
            cells += [
                Cell(f"last/{rate:g}/{seed}", parameters.last_settings(rate), seed)
                for rate in parameters.last_rates
            ]
            cells.append(Cell(f"scratch/{seed}", shared | scratch, seed))
        return cells

    def plan_next(self, parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> list[Cell]:
        """With the best rate of the last layer: that again, the flaws, and all layers, whose best rate has
        its longer runs in turn.
        """
        resampling = parameters.resampling_settings()
        watched = {"watched": parameters.watched, "auc_by_epoch": True}
        last_rate = chosen_rate(outcomes, "last", parameters.last_rates)
        last = parameters.last_settings(last_rate, "final")

        def all_layers(stage: Stage, rate: float) -> dict[str, Any]:
            first = last if stage == "all" else parameters.last_settings(last_rate)
            return first | {"stage": "all", "then": parameters.recipe(stage, rate)}

        flawed = last | resampling | {"stage": "flawed", "dropout": parameters.dropout}
        cells = []
        for seed in range(parameters.seeds):
            cells += [Cell(f"last/{seed}", last | resampling | watched, seed)] if resampling else []
            cells.append(Cell(f"flawed/{seed}", flawed, seed))
            cells += [
                Cell(f"all/{rate:g}/{seed}", all_layers("search", rate), seed)
                for rate in parameters.all_rates
            ]
        if any(cell.id not in outcomes for cell in cells):
            return cells
        rate = chosen_rate(outcomes, "all", parameters.all_rates)
        longer = all_layers("all", rate) | resampling | watched | {"then_pairs": parameters.all_pairs}
        return cells + [Cell(f"all/{seed}", longer, seed) for seed in range(parameters.all_seeds)]

    def run(self, cell: Cell, context: Context) -> Outcome:
        return training.run(cell, context)

    summarize = staticmethod(summary)


analysis = Lfw()

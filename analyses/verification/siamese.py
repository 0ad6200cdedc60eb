"""verification.siamese: are two photographs of the same person? The AT&T faces.

After V. Maksimovic's Siamese network (datahacker.rs, 2020), which is trained on 37 people and shown on three.
Raw pixels tell these three apart almost without a fault, so every method is judged on five folds of people
too, and on the seven of whom there are images with glasses and without. Thresholds are chosen on training
people whom inner folds left out: a network knows its own training people by heart.
"""

from __future__ import annotations

from collections.abc import Mapping

from analyses.plugin import Analysis, Cell, Context, Outcome, Profile
from analyses.verification import _evaluation as evaluation
from analyses.verification._siamese_pairs import example_pairs, hardest_pairs, pair_pictures
from analyses.verification._siamese_settings import HELDOUT, NEW, OLD, PUBLISHED, SiameseParameters
from analyses.verification._siamese_summary import summary
from analyses.verification._verification import IN_TEXT, METHODS, QUICK, Tested
from analyses.verification._verification_methods import run_method
from analyses.verification._verification_people import check_people
from results.schema import Figure


class Siamese(Analysis[SiameseParameters]):
    id = "verification.siamese"
    title = "Siamese networks on the AT&T faces"
    question = "Does a trained network tell strangers apart better than their pixels do?"
    version = "2"  # whole images, and thresholds from people whom the networks have not seen
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> SiameseParameters:
        if profile == "quick":
            return SiameseParameters(**QUICK, folds=2)
        return SiameseParameters()

    def datasets(self, parameters: SiameseParameters) -> tuple[str, ...]:
        return (parameters.faces.name,)

    def splits(self, parameters: SiameseParameters) -> dict[str, Tested]:
        """Name → who is tested on."""
        return {
            PUBLISHED: parameters.published,
            HELDOUT: parameters.heldout,
            **{
                f"fold{k}": {"fold": k, "of": parameters.folds, "seed": parameters.fold_seed}
                for k in range(parameters.folds)
            },
        }

    def check(self, parameters: SiameseParameters) -> None:
        check_people(parameters, self.splits(parameters).values())

    def plan(self, parameters: SiameseParameters) -> list[Cell]:
        return [
            cell
            for split, test in self.splits(parameters).items()
            for method in METHODS
            for cell in parameters.cells(split, test, method)
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        return run_method(cell, context)[0]

    summarize = staticmethod(summary)

    def media(self, parameters: SiameseParameters, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        drawn = {
            "pairs": (PUBLISHED, OLD, example_pairs, "Pairs of the tutorial's test people"),
            "hardest_pairs": (
                HELDOUT,
                NEW,
                hardest_pairs,
                "The hardest pairs of the people with and without glasses",
            ),
        }
        figures = {}
        for name, (split, method, choose, what) in drawn.items():
            outcome = outcomes[f"{split}/{method}/0"]
            threshold = evaluation.split_runs(outcomes, [split], method).threshold()
            figures[name] = pair_pictures(
                parameters.faces, outcome, choose(outcome), threshold, what, IN_TEXT[method]
            )
        return figures


analysis = Siamese()

"""concepts.autoencoders: three losses, noise and sparsity, on handwritten digits.

Five autoencoders of one shape, with more units than there are pixels: three learn to take noise away, by the
squared error, the binary cross-entropy and the absolute error; a plain and a sparse one see no noise in
training. Expected: each loss is best by its own measure; the plain one reconstructs clean digits best and
noisy ones worse than those that were trained on noise; the sparse one uses half as many units.
`python runner.py run concepts.autoencoders --profile full`
"""

from __future__ import annotations

from analyses.concepts._autoencoders_settings import BASELINES, DIGITS, AutoencoderParameters
from analyses.concepts._autoencoders_summary import summary
from analyses.concepts._autoencoders_training import run_baselines, train
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile


class Autoencoders(Analysis[AutoencoderParameters]):
    id = "concepts.autoencoders"
    title = "Autoencoders of handwritten digits"
    question = "What do the loss, noise and sparsity make of an autoencoder?"

    def parameters(self, profile: Profile) -> AutoencoderParameters:
        if profile == "quick":
            return AutoencoderParameters(epochs=15, seeds=2)
        return AutoencoderParameters()

    def datasets(self, parameters: AutoencoderParameters) -> tuple[str, ...]:
        return (DIGITS,)

    def plan(self, parameters: AutoencoderParameters) -> list[Cell]:
        shared = {"noise": parameters.noise, "noise_seed": parameters.noise_seed}
        trained = shared | {
            "units": parameters.units,
            "recipe": parameters.recipe(),
        }
        return [
            Cell(BASELINES, shared),
            *(
                Cell(f"{kind}/{seed}", trained | {"objective": objective}, seed)
                for kind, objective in parameters.objectives().items()
                for seed in range(parameters.seeds)
            ),
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        return run_baselines(cell) if cell.id == BASELINES else train(cell, context)

    summarize = staticmethod(summary)


analysis = Autoencoders()

"""transfer.facescrub: which of nine people is it? From pixels, from cached features, and by fine-tuning.

After CSC321/411 (University of Toronto, 2017): 70 faces a person for training, the rest in two halves for
validation and test. A perceptron of 300 hidden units on 28×28 grey pixels (published: 0.80 to 0.85), a linear
layer on the activations of a middle convolution (AlexNet's conv4 by protocol), and the network fine-tuned
(expected: 0.95 or more). Cells run in this order: those of seconds, then fine-tuning seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping

from analyses.plugin import Analysis, Cell, Context, Outcome, Profile
from analyses.transfer import _facescrub_training as training
from analyses.transfer._facescrub_settings import FaceParameters
from analyses.transfer._facescrub_summary import summary
from analyses.transfer._facescrub_worked import worked_examples, worked_pictures
from results.schema import Figure


class Facescrub(Analysis[FaceParameters]):
    id = "transfer.facescrub"
    title = "Nine people"
    question = "What do features learned on other images bring to telling faces apart?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> FaceParameters:
        if profile == "quick":
            return FaceParameters(
                name="digits",
                split="train",
                person=20,
                duplicates=None,  # at 8 × 8 pixels every digit is like many others
                size=16,
                hidden=(30, 80),
                mlp_epochs=10,
                mirror=False,
                view=32,
                head_epochs=10,
                finetune_epochs=1,
                seeds=2,
            )
        return FaceParameters()

    def datasets(self, parameters: FaceParameters) -> tuple[str, ...]:
        return (parameters.name,)

    def plan(self, parameters: FaceParameters) -> list[Cell]:
        data = parameters.model_dump(
            mode="json", include={"name", "split", "damaged", "person", "split_seed", "duplicates"}
        )
        network = parameters.model_dump(
            mode="json", include={"weights", "architecture", "download", "layer", "view"}
        )
        heads = {
            "kind": "head",
            "rates": list(parameters.rates),
            "seeds": list(range(parameters.seeds)),
            "recipe": parameters.head_recipe(),
            "mirror": parameters.mirror,
        }
        cells = [Cell("conv4", data | network | heads)]
        for name, (hidden, decay) in parameters.perceptrons().items():
            recipe = parameters.perceptron_recipe(decay)
            settings = data | {"kind": "mlp", "size": parameters.size, "hidden": hidden, "recipe": recipe}
            cells += [Cell(f"{name}/{seed}", settings, seed) for seed in range(parameters.seeds)]
        settings = data | network | {"kind": "finetune", "recipe": parameters.finetune_recipe()}
        cells += [Cell(f"finetuned/{seed}", settings, seed) for seed in range(parameters.seeds)]
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        work = {
            "mlp": training.train_perceptron,
            "head": training.train_linear_layer,
            "finetune": training.finetune,
        }
        return work[cell.settings["kind"]](cell, context)

    summarize = staticmethod(summary)

    def media(self, parameters: FaceParameters, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        run = outcomes.get("finetuned/0")
        return {"worked": worked_pictures(parameters, worked_examples(run))} if run else {}


analysis = Facescrub()

"""classification.photographs: how well are photographs of one's own told apart, from scratch and by transfer?

    python runner.py run classification.photographs --set data.name=folder:PATH

A LeNet-like network is trained from scratch, and a linear classifier on the features of a network that was
trained on ImageNet; both on the same images. The strength of the classifier's penalty is chosen on the
validation images. How many images train, and how long, follows from the data's size unless it is said
(`analyses.size_settings`). Without a folder, drawn shapes stand in.
"""

from __future__ import annotations

from analyses import experiments
from analyses.classification._photographs_settings import SCRATCH_SIZE, PhotographsParameters
from analyses.classification._photographs_summary import summary
from analyses.classification._photographs_transfer import train_linear
from analyses.experiments import DataChoice, ImageExperiment
from analyses.plugin import Cell, Context, Outcome, Profile
from lab.recipes import Augmentation, Recipe


class Photographs(ImageExperiment[PhotographsParameters]):
    id = "classification.photographs"
    title = "Photographs of one's own, from scratch and by transfer"
    question = "How well are these photographs told apart, and which are mistaken for what?"
    libraries = ("torch", "torchvision", "timm", "captum", "scikit-learn")

    def parameters(self, profile: Profile) -> PhotographsParameters:
        if profile == "quick":
            data = DataChoice(name="shapes", train=100, validation=40, test=60, size=SCRATCH_SIZE)
            return PhotographsParameters(data=data, size=64, epochs=3, seeds=1)
        return PhotographsParameters()

    def headings(self, parameters: PhotographsParameters) -> tuple[str, str]:
        name = parameters.data.title
        return f"{name}: from scratch and by transfer", f"How well are the images of {name} told apart?"

    def plan(self, parameters: PhotographsParameters) -> list[Cell]:
        recipe = Recipe(
            epochs=parameters.epochs,
            batch=parameters.batch,
            optimizer="sgd",
            learning_rate=parameters.learning_rate,
            weight_decay=5e-4,
            schedule="cosine",
            augmentation=Augmentation(flip="random"),
            precision="float32",  # small batches take longer in bfloat16
        )
        scratch = experiments.cells(
            "scratch", {"name": "lenet"}, recipe, parameters.data, parameters.seeds, evaluate_on_test=True
        )
        transfer = {
            "data": parameters.data,
            **parameters.model_dump(mode="json", include={"weights", "architecture", "download", "size"}),
            "penalties": list(parameters.penalties),
        }
        return [*scratch, Cell("transfer", transfer)]

    def run(self, cell: Cell, context: Context) -> Outcome:
        if cell.id == "transfer":
            return train_linear(cell, context)
        return experiments.train(cell, context).outcome

    summarize = staticmethod(summary)


analysis = Photographs()

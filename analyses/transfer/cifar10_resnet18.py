"""transfer.cifar10_resnet18: the last stage of a pretrained network, trained on enlarged CIFAR-10.

By protocol ResNet-18 with ImageNet weights, images enlarged eightfold to 256 pixels, layer4 and the last
layer trained by Adam at 5e-4 in batches of 32 for five epochs. What comes before the trained stage is
frozen, so it is computed once an image and kept. Where its weights cannot be had, another pretrained network
follows the protocol (expected: a test accuracy of 0.86 or more):

    run transfer.cifar10_resnet18 --set pretrained.architecture=resnet18 --set pretrained.layer=layer3 \\
        --set pretrained.weights=file:PATH          (or pretrained.weights=imagenet)

The better design of classification.cifar10_designs is trained on the same images, from scratch; where that
study has trained it on as many, its outcomes are taken. Cells run in this order: near-duplicates (seconds),
then the two networks in turn, seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyses import experiments
from analyses.designs import recipe_b
from analyses.experiments import DataChoice, ImageExperiment
from analyses.plugin import Cell, Context, Outcome, Profile
from analyses.transfer._cifar10_resnet18_settings import OWN, Candidate, LastStageParameters
from analyses.transfer._cifar10_resnet18_summary import summary
from analyses.transfer._cifar10_resnet18_training import count_duplicates, maps_of_own_image, train
from results.schema import Figure


class Cifar10Resnet18(ImageExperiment[LastStageParameters]):
    id = "transfer.cifar10_resnet18"
    title = "The last stage of a pretrained network on CIFAR-10"
    question = "How far does a network pretrained on other images come when only its last stage is trained?"
    libraries = ("torch", "torchvision", "timm")
    shares_cells = ("classification.cifar10_designs",)

    def parameters(self, profile: Profile) -> LastStageParameters:
        if profile == "quick":
            return LastStageParameters(
                data=DataChoice(name="shapes", train=300, validation=100),
                pretrained=Candidate(weights="lite0", layer="blocks.5", size=64, epochs=2),
                own_epochs=2,
                own_widths=(16, 32, 32),
                seeds=2,
                image="flower",
            )
        return LastStageParameters()

    def plan(self, parameters: LastStageParameters) -> list[Cell]:
        cells = []
        for name, candidate in parameters.candidates().items():
            settings: dict[str, Any] = {
                "data": parameters.data,
                "candidate": candidate.model_dump(mode="json", exclude={"epochs"}),
                "recipe": parameters.recipe(candidate),
            }
            drawn = {"maps": {"image": parameters.image, "shown": parameters.shown}}
            cells += [
                Cell(f"{name}/{seed}", settings | ({} if seed else drawn), seed)
                for seed in range(parameters.seeds)
            ]
        cells += experiments.cells(
            OWN,
            {"name": "whitened", "options": {"widths": parameters.own_widths}},
            recipe_b(parameters.own_epochs),
            parameters.data,
            parameters.own_seeds,
            evaluate_on_test=True,
        )
        cells.sort(key=lambda cell: cell.seed or 0)  # stable: the networks in turn
        if parameters.duplicates:
            alike = {"data": parameters.data, "duplicates": parameters.duplicates}
            cells.insert(0, Cell("duplicates", alike))
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        if "duplicates" in cell.settings:
            return count_duplicates(cell.settings, context)
        if "candidate" in cell.settings:
            return train(cell, context)
        return experiments.train(cell, context).outcome

    summarize = staticmethod(summary)

    def media(self, parameters: LastStageParameters, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        """What the first convolution, where it is frozen, makes of a test image."""
        if not parameters.pretrained.layer:
            return {}
        _, test = experiments.parts(parameters.data)
        return {"own_maps": maps_of_own_image(parameters, test)}


analysis = Cifar10Resnet18()

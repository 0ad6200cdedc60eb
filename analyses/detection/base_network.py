"""detection.base_network: the base network of the detector as a classifier of ten thousand images.

After CIS 680 (2017), homework 3, part 2, table 2: three 5×5 convolutions and a 3×3 one, on CIFAR-10's
training batch 1. Expected: a test accuracy of at least 0.72, where 0.68 is asked for. `python runner.py run
detection.base_network --profile full`
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from analyses import classifiers, experiments, recipe_tables, records
from analyses.detection import _detection as detection
from analyses.experiments import DataChoice, ImageExperiment, ImageParameters
from analyses.plugin import Cell, Context, Outcome, Profile, Summary
from lab.recipes import Recipe
from results import builders
from results.builders import FRACTION
from results.text import counted

LABEL = "Base network"


class BaseNetworkParameters(ImageParameters):
    """mirror, shift: what is done to training images, as to the detector's canvases; the text of the exercise
    names no augmentation. required: the test accuracy that it asks for.
    """

    data: DataChoice = DataChoice(train=10_000, validation=0, subset="batch 1")
    seeds: int = Field(3, ge=1)
    epochs: int = Field(20, ge=1)  # of 100 steps: 2,000
    mirror: bool = True
    shift: int = Field(4, ge=0, lt=32)
    required: float = Field(0.68, ge=0, le=1)


class BaseNetwork(ImageExperiment[BaseNetworkParameters]):
    id = "detection.base_network"
    title = "The base network of the detector as a classifier"
    question = "How well does the base network of the detector classify, trained alone?"

    def parameters(self, profile: Profile) -> BaseNetworkParameters:
        if profile == "quick":
            data = experiments.QUICK.model_copy(update={"validation": 0})
            return BaseNetworkParameters(data=data, seeds=2, epochs=3)
        return BaseNetworkParameters()

    def plan(self, parameters: BaseNetworkParameters) -> list[Cell]:
        network, recipe = {"name": "detector base"}, _recipe(parameters)
        return experiments.cells(
            "base", network, recipe, parameters.data, parameters.seeds, evaluate_on_test=True
        )

    def run(self, cell: Cell, context: Context) -> Outcome:
        return experiments.train(cell, context).outcome

    def summarize(self, parameters: BaseNetworkParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = list(outcomes.values())
        metrics = classifiers.metrics("base", runs, "the base network")
        metrics["base/required"] = builders.metric(
            parameters.required, "Test accuracy that is asked for", FRACTION
        )
        metrics |= builders.metrics(
            "training/",
            images=(parameters.data.train, "Training images", "images"),
            epochs=(parameters.epochs, "Epochs", "epochs"),
            seeds=(parameters.seeds, "Seeds"),
        )
        return Summary(
            metrics=metrics,
            tables={
                "results": classifiers.classifiers_table(
                    "Losses and accuracies (%) of the base network at the end of training.",
                    {"base": LABEL},
                    metrics,
                    (
                        f"Means over {counted(len(runs), 'seeds')}, with 95% confidence intervals.",
                        *classifiers.table_notes(runs),
                    ),
                ),
                "recipe": recipe_tables.recipe_table(
                    {LABEL: _recipe(parameters)}, caption="Hyper-parameters of the detector's base network."
                ),
            },
            figures={
                "accuracy": classifiers.by_iteration(
                    runs,
                    f"the detector's base network on {parameters.data.title} "
                    f"({parameters.data.train:,} training images)",
                ),
                "curves": builders.learning_curves(
                    "Training and test loss and accuracy of the base network by epoch.",
                    records.histories(runs),
                ),
            },
            findings={
                "reaches_required": builders.statement(
                    "The interval of the test accuracy over seeds lies above what is asked for",
                    metrics["base/test_accuracy"].is_above(parameters.required),
                    "base/test_accuracy",
                    "base/required",
                ),
                "no_run_diverged": records.none_diverged(outcomes),
            },
        )


def _recipe(parameters: BaseNetworkParameters) -> Recipe:
    return detection.recipe(parameters.epochs, parameters.mirror, parameters.shift)


analysis = BaseNetwork()

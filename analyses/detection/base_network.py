"""detection.base_network: the base network of the detector as a classifier of ten thousand images.

After CIS 680 (2017), homework 3, part 2, table 2: three 5×5 convolutions and a 3×3 one, on CIFAR-10's
training batch 1. Expected: a test accuracy of at least 0.72, where 0.68 is asked for. `python runner.py run
detection.base_network --profile full`
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from analyses import experiments
from analyses.detection import _detection as detection
from analyses.experiments import FRACTION, DataChoice
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results.schema import Finding, Metric

LABEL = "Base network"


class BaseNetworkParameters(Parameters):
    """mirror, shift: what is done to training images, as to the detector's canvases; the text of the exercise
    names no augmentation. required: the test accuracy that it asks for.
    """

    data: DataChoice = DataChoice(train=10_000, validation=0, subset="batch 1")
    seeds: int = Field(3, ge=1)
    epochs: int = Field(20, ge=1)  # of 100 steps: 2,000
    mirror: bool = True
    shift: int = Field(4, ge=0, lt=32)
    required: float = Field(0.68, ge=0, le=1)


class BaseNetwork(Analysis[BaseNetworkParameters]):
    id = "detection.base_network"
    title = "The base network of the detector as a classifier"
    question = "How well does the base network of the detector classify, trained alone?"

    def parameters(self, profile: Profile) -> BaseNetworkParameters:
        if profile == "quick":
            data = experiments.QUICK.model_copy(update={"validation": 0})
            return BaseNetworkParameters(data=data, seeds=2, epochs=3)
        return BaseNetworkParameters()

    def datasets(self, parameters: BaseNetworkParameters) -> tuple[str, ...]:
        return (parameters.data.name,)

    def check(self, parameters: BaseNetworkParameters) -> None:
        experiments.parts(parameters.data)

    def plan(self, parameters: BaseNetworkParameters) -> list[Cell]:
        recipe = detection.recipe(parameters.epochs, parameters.mirror, parameters.shift)
        network = {"name": "detector base"}
        return experiments.cells("base", network, recipe, parameters.data, parameters.seeds, keep=True)

    def run(self, cell: Cell, context: Context) -> Outcome:
        return experiments.train(cell, context)

    def summarize(self, parameters: BaseNetworkParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = list(outcomes.values())
        accuracy = experiments.over_seeds(runs, "test_accuracy", "Test accuracy of the base network")
        recipe = detection.recipe(parameters.epochs, parameters.mirror, parameters.shift)
        return Summary(
            metrics={
                "base/test_accuracy": accuracy,
                "base/train_accuracy": experiments.at_the_end(runs, "train_accuracy", "Training accuracy"),
                "base/required": Metric(value=parameters.required, title="Accuracy asked for", unit=FRACTION),
                "training/images": Metric(
                    value=parameters.data.train, title="Training images", unit="images"
                ),
                "training/epochs": Metric(value=parameters.epochs, title="Epochs", unit="epochs"),
                "training/seeds": Metric(value=parameters.seeds, title="Seeds"),
            },
            tables={
                "results": experiments.results_table(
                    "Losses and accuracies of the base network at the end of training.",
                    {LABEL: runs},
                    (f"Means and 95% intervals over {len(runs)} seeds.", *experiments.table_notes(runs)),
                ),
                "recipe": experiments.recipe_table({LABEL: recipe}),
            },
            figures={"accuracy": experiments.by_iteration(runs, "the base network")},
            findings={
                "reaches_required": Finding(
                    statement="The interval of the test accuracy over seeds lies above what is asked for",
                    holds=accuracy.low is not None and accuracy.low >= parameters.required,
                    metrics=("base/test_accuracy", "base/required"),
                ),
                "no_run_diverged": experiments.none_diverged(outcomes),
            },
        )


analysis = BaseNetwork()

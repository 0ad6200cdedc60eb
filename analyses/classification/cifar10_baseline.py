"""classification.cifar10_baseline: the LeNet-like network on CIFAR-10, trained without any help.

Expected: a test accuracy of at least 0.72. `python runner.py run classification.cifar10_baseline --profile
full`
"""

from __future__ import annotations

from collections.abc import Mapping

from analyses import classifiers, experiments, recipe_tables, records
from analyses.experiments import ImageExperiment, ImageParameters
from analyses.pictures import samples
from analyses.plugin import Cell, Context, Outcome, Profile, Summary
from lab.recipes import Recipe
from results import builders
from results.builders import FRACTION
from results.schema import Figure, Pictures
from results.text import counted


class BaselineParameters(ImageParameters):
    """Nothing is augmented, normalised inside or smoothed: what those bring is measured by cifar10_designs.

    The schedule is a cosine, whose end needs no choice of when to stop; the rate is the largest of 0.1,
    0.05, 0.02 with which validation loss fell in the first epochs.
    """

    seeds: int = 3
    epochs: int = 10
    batch: int = 128
    learning_rate: float = 0.05
    weight_decay: float = 5e-4


class Cifar10Baseline(ImageExperiment[BaselineParameters]):
    id = "classification.cifar10_baseline"
    title = "A LeNet-like network on CIFAR-10"
    question = "How well does the LeNet-like network classify CIFAR-10, trained from scratch?"

    def parameters(self, profile: Profile) -> BaselineParameters:
        if profile == "quick":
            return BaselineParameters(data=experiments.QUICK, seeds=2, epochs=5, batch=64)
        return BaselineParameters()

    def plan(self, parameters: BaselineParameters) -> list[Cell]:
        return experiments.cells(
            "lenet",
            {"name": "lenet"},
            _recipe(parameters),
            parameters.data,
            parameters.seeds,
            evaluate_on_test=True,
        )

    def run(self, cell: Cell, context: Context) -> Outcome:
        return experiments.train(cell, context).outcome

    def summarize(self, parameters: BaselineParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = list(outcomes.values())
        metrics = {
            **classifiers.metrics("baseline", runs, "the baseline"),
            "baseline/lowest_validation_epoch": records.lowest_validation(runs),
            "baseline/epochs": builders.metric(parameters.epochs, "Epochs of training", "epochs"),
        }
        gap = metrics["baseline/train_accuracy"].value - metrics["baseline/test_accuracy"].value
        metrics["baseline/gap"] = builders.metric(gap, "Training accuracy above test accuracy", FRACTION)
        test = records.mean_curve(runs, "test_loss")
        confusions, confused = classifiers.confusion_parts(runs, "Test images of the baseline, all seeds.")
        return Summary(
            metrics=metrics,
            tables={
                "results": classifiers.classifiers_table(
                    "Losses, accuracies (%) and training time of the baseline after "
                    f"{counted(parameters.epochs, 'epochs')}. Means over {counted(len(runs), 'seeds')}.",
                    {"baseline": "LeNet-like"},
                    metrics,
                    classifiers.table_notes(runs),
                ),
                "classes": classifiers.class_table(runs, "Test accuracy (%) of the baseline by class."),
                "recipe": recipe_tables.recipe_table(
                    {"LeNet-like": _recipe(parameters)},
                    caption=f"Hyper-parameters of the baseline on {parameters.data.title}.",
                ),
                **confused,
            },
            figures={
                "curves": builders.learning_curves(
                    "Loss and accuracy of the baseline by epoch, on training, validation and test images.",
                    records.histories(runs),
                ),
                **confusions,
            },
            findings={
                "overfits": builders.statement(
                    "Validation loss is lowest before the last epoch, and rises after",
                    metrics["baseline/lowest_validation_epoch"].value < parameters.epochs,
                    "baseline/lowest_validation_epoch",
                    "baseline/epochs",
                ),
                "test_loss_rises": builders.statement(
                    "Test loss is lowest before the last epoch, and rises after",
                    bool(test) and test[-1] > min(test),
                ),
                "classes_differ": classifiers.class_finding(runs),
                "no_run_diverged": records.none_diverged(outcomes),
            },
        )

    def media(self, parameters: BaselineParameters, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        training = experiments.parts(parameters.data)[0][0]
        return {
            "samples": Pictures(
                caption=f"The first training image of each class of {parameters.data.title}.",
                alt=f"One image of each class: {', '.join(training.classes)}.",
                columns=10,
                pictures=tuple(samples(training, training.classes, 1)),
            )
        }


def _recipe(parameters: BaselineParameters) -> Recipe:
    return Recipe(
        epochs=parameters.epochs,
        batch=parameters.batch,
        optimizer="sgd",
        learning_rate=parameters.learning_rate,
        weight_decay=parameters.weight_decay,
        schedule="cosine",
    )


analysis = Cifar10Baseline()

"""classification.cifar10_designs: two designs that pass 0.75 on CIFAR-10 within ten epochs, and what helped.

Design A is the baseline's outline with batch norm, GELU, augmentation and a one-cycle schedule: expected test
accuracy at least 0.82. Design B is a whitened network after Jordan (2024), judged on six views of an image:
at least 0.90. The ablation changes one choice of design A at a time, at a smaller budget that its table
names, and is judged on validation data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyses import experiments
from analyses.experiments import DataChoice
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results.schema import Column, Finding, Metric, Row, Table

DESIGNS = {"design_a": "Design A", "design_b": "Design B"}
REQUIRED = 0.75  # of each design, by the exercise
REFERENCE = "reference"

#: What the ablation changes of design A: name → words, changes of the network, changes of the recipe.
CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    REFERENCE: ("Design A as it is", {}, {}),
    "no_batch_norm": ("without batch norm", {"normalised": False}, {"learning_rate": 0.02}),
    "filters_3x3": ("3×3 filters instead of 5×5", {"kernel": 3}, {}),
    "filters_7x7": ("7×7 filters instead of 5×5", {"kernel": 7}, {}),
    "strided": ("strided convolutions instead of max-pooling", {"strided": True}, {}),
    "relu": ("ReLU instead of GELU", {"activation": "relu"}, {}),
    "no_augmentation": ("without augmentation", {}, {"augmentation": {}}),
    "no_smoothing": ("without label smoothing", {}, {"label_smoothing": 0.0}),
    "adamw": (
        "AdamW instead of SGD",
        {},
        {"optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 0.05},
    ),
    "constant_rate": (
        "a constant learning rate instead of one cycle",
        {},
        {"schedule": "constant", "learning_rate": 0.02},
    ),
}
WORDS = {name: words for name, (words, _, _) in CHANGES.items()}


class DesignsParameters(Parameters):
    """Rates were chosen on validation data in single runs. Design B's recipe is Jordan's, scaled to its
    batch.

    ablation_train, ablation_epochs: the smaller budget of the ablation. Two choices bring a rate of their
    own, as they diverge or stall with that of the reference: no batch norm and a constant rate.
    """

    data: DataChoice = DataChoice()
    seeds: int = 3
    seeds_b: int = 2
    epochs: int = 10
    widths: tuple[int, int, int] = (64, 256, 256)
    ablation_seeds: int = 3
    ablation_train: int = 10_000
    ablation_epochs: int = 4


class Cifar10Designs(Analysis[DesignsParameters]):
    id = "classification.cifar10_designs"
    title = "Two designs for CIFAR-10, and an ablation"
    question = "Which choices lift a small network above the baseline within ten epochs?"

    def parameters(self, profile: Profile) -> DesignsParameters:
        if profile == "quick":
            return DesignsParameters(
                data=experiments.QUICK,
                seeds=2,
                seeds_b=2,
                epochs=4,
                widths=(16, 32, 32),
                ablation_seeds=2,
                ablation_train=500,
                ablation_epochs=3,
            )
        return DesignsParameters()

    def datasets(self, parameters: DesignsParameters) -> tuple[str, ...]:
        return (parameters.data.name,)

    def plan(self, parameters: DesignsParameters) -> list[Cell]:
        small = parameters.data.model_copy(update={"train": parameters.ablation_train})
        planned = experiments.cells(
            "design_a",
            {"name": "normalised lenet"},
            recipe_a(parameters.epochs),
            parameters.data,
            parameters.seeds,
            keep=True,
        )
        for name, (_, options, changes) in CHANGES.items():
            planned += experiments.cells(
                f"ablation/{name}",
                {"name": "normalised lenet", "options": options},
                recipe_a(parameters.ablation_epochs) | changes,
                small,
                parameters.ablation_seeds,
            )
        planned += experiments.cells(
            "design_b",
            {"name": "whitened", "options": {"widths": parameters.widths}},
            recipe_b(parameters.epochs),
            parameters.data,
            parameters.seeds_b,
            keep=True,
        )
        return planned

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab.recipes import Recipe
        from lab.training import measure, precision_of, predict

        outcome, model, data = experiments.trained(cell, context)
        if cell.id.startswith("design_b") and data.test is not None:
            dtype = precision_of(Recipe.of(cell.settings["recipe"]), context.device, model)
            logits = predict(model, data.test.images, data, dtype, six_views=True)
            outcome["six_views_test_accuracy"] = measure(logits, data.test.labels)[1]
        return outcome

    def summarize(self, parameters: DesignsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        designs = {name: experiments.of(outcomes, name) for name in DESIGNS}
        ablation = {name: experiments.of(outcomes, f"ablation/{name}") for name in CHANGES}
        metrics: dict[str, Metric] = {}
        for name, label in DESIGNS.items():
            key = "six_views_test_accuracy" if name == "design_b" else "test_accuracy"
            said = ", mean of six views of an image" if name == "design_b" else ""
            metrics[f"{name}/test_accuracy"] = experiments.over_seeds(
                designs[name], key, f"Test accuracy of {label}{said}"
            )
            metrics[f"{name}/plain_test_accuracy"] = experiments.over_seeds(
                designs[name], "test_accuracy", f"Test accuracy of {label}, one image at a time"
            )
            metrics[f"{name}/validation_accuracy"] = experiments.over_seeds(
                designs[name], "validation_accuracy", f"Validation accuracy of {label}"
            )
            metrics[f"{name}/training_seconds"] = experiments.over_seeds(
                designs[name], "training_seconds", f"Training time of {label}", "seconds"
            )
            metrics[f"{name}/parameters"] = Metric(
                value=designs[name][0]["parameters"], title=f"Parameters of {label}", unit="parameters"
            )
        best = max(DESIGNS, key=lambda name: metrics[f"{name}/validation_accuracy"].value)
        metrics["best/epochs"] = Metric(
            value=parameters.epochs, title="Epochs of the better design", unit="epochs"
        )
        metrics["best/test_accuracy"] = metrics[f"{best}/test_accuracy"].model_copy(
            update={"title": f"Test accuracy of the better design ({DESIGNS[best]})"}
        )
        metrics["ablation/train"] = Metric(
            value=parameters.ablation_train, title="Training images of the ablation", unit="images"
        )
        metrics["ablation/epochs"] = Metric(
            value=parameters.ablation_epochs, title="Epochs of the ablation", unit="epochs"
        )
        metrics["ablation/seeds"] = Metric(value=parameters.ablation_seeds, title="Seeds of the ablation")
        metrics |= _differences(ablation)
        return Summary(
            metrics=metrics,
            tables={
                "results": experiments.results_table(
                    "The two designs at the end of training, means over the seeds.",
                    {label: designs[name] for name, label in DESIGNS.items()},
                    experiments.table_notes(designs["design_a"]),
                ),
                "recipes": experiments.recipe_table(
                    {"Design A": recipe_a(parameters.epochs), "Design B": recipe_b(parameters.epochs)}
                ),
                "ablation": _ablation_table(metrics, ablation, parameters),
            },
            figures={
                "loss": experiments.course(
                    designs[best], "loss", f"Loss of {DESIGNS[best]} by epoch.", DESIGNS[best]
                ),
                "accuracy": experiments.course(
                    designs[best], "accuracy", f"Accuracy of {DESIGNS[best]} by epoch.", DESIGNS[best]
                ),
                "differences": experiments.differences_chart(metrics, WORDS, "design A"),
            },
            findings={
                "both_pass": Finding(
                    statement="Both designs pass the required test accuracy within ten epochs",
                    holds=parameters.epochs <= 10
                    and all(metrics[f"{name}/test_accuracy"].value >= REQUIRED for name in DESIGNS),
                    metrics=tuple(f"{name}/test_accuracy" for name in DESIGNS),
                ),
                "b_is_better": Finding(
                    statement="Design B has the higher validation accuracy",
                    holds=best == "design_b",
                    metrics=tuple(f"{name}/validation_accuracy" for name in DESIGNS),
                ),
                **experiments.verdicts(metrics, WORDS, "Design A {}: the change {}"),
                "no_run_diverged": experiments.none_diverged(outcomes),
            },
        )


def recipe_a(epochs: int) -> dict[str, Any]:
    return {
        "epochs": epochs,
        "batch": 128,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "weight_decay": 5e-4,
        "schedule": "onecycle",
        "warm_up": 0.25,
        "label_smoothing": 0.1,
        "augmentation": {"flip": "alternating", "shift": 3},
    }


def recipe_b(epochs: int) -> dict[str, Any]:
    """Of design B. Jordan's rate 11.5 and decay 0.0153 are of 1,024 examples and decoupled from momentum: see
    lab.recipes.
    """
    return {
        "epochs": epochs,
        "batch": 500,
        "optimizer": "sgd",
        "learning_rate": 0.6,
        "momentum": 0.85,
        "weight_decay": 1.5e-3,
        "decay_all": True,
        "bias_factor": 64.0,
        "schedule": "onecycle",
        "warm_up": 0.23,
        "label_smoothing": 0.2,
        "augmentation": {"flip": "alternating", "shift": 2},
    }


def _differences(ablation: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    """Mean validation accuracy of each change, and its paired difference to the reference, seed by seed."""
    from lab.evaluation import paired_over_seeds

    reference = {one["seed"]: one for one in _seeded(ablation[REFERENCE])}
    metrics = {}
    for name, (words, _, _) in CHANGES.items():
        runs = _seeded(ablation[name])
        if not runs or not reference:
            continue  # every seed diverged: the table says so
        metrics[f"ablation/{name}/validation_accuracy"] = experiments.over_seeds(
            runs, "validation_accuracy", f"Validation accuracy of design A {words.removeprefix('Design A ')}"
        )
        pairs = [(one, reference[one["seed"]]) for one in runs if one["seed"] in reference]
        if name != REFERENCE and pairs:
            changed, kept = zip(
                *[(a["validation_accuracy"], b["validation_accuracy"]) for a, b in pairs], strict=True
            )
            difference = paired_over_seeds(changed, kept).difference
            metrics[f"ablation/{name}/difference"] = experiments.metric(
                difference, f"Change of validation accuracy: {words}"
            )
    return metrics


def _seeded(runs: Sequence[Outcome]) -> list[Outcome]:
    """The runs that did not diverge, each with its seed, which is its place."""
    return [{**run, "seed": seed} for seed, run in enumerate(runs) if not run["diverged"]]


def _ablation_table(
    metrics: Mapping[str, Metric], ablation: Mapping[str, Sequence[Outcome]], parameters: DesignsParameters
) -> Table:
    rows = []
    for name, (words, _, _) in CHANGES.items():
        cells: dict[str, Any] = {"change": words, "diverged": sum(run["diverged"] for run in ablation[name])}
        cells["accuracy"] = metrics[f"ablation/{name}/validation_accuracy"].value
        difference = metrics.get(f"ablation/{name}/difference")
        if difference:
            cells |= {"difference": difference.value, "low": difference.low, "high": difference.high}
            cells["verdict"] = experiments.verdict(difference)
        rows.append(Row(cells=cells))
    return Table(
        caption="What each choice of design A is worth: validation accuracy when one is changed.",
        columns=(
            Column(key="change", label="Change"),
            Column(key="accuracy", label="Accuracy", type="number", format=".4f"),
            Column(key="difference", label="Difference", type="number", format="+.4f"),
            Column(key="low", label="95% from", type="number", format="+.4f"),
            Column(key="high", label="to", type="number", format="+.4f"),
            Column(key="verdict", label="The change"),
            Column(key="diverged", label="Diverged", type="integer"),
        ),
        rows=tuple(rows),
        notes=(
            f"{parameters.ablation_train:,} training images, {parameters.ablation_epochs} epochs, "
            f"{parameters.ablation_seeds} seeds: a smaller budget than the designs'. Differences are paired "
            "by seed, with Student's interval.",
        ),
    )


analysis = Cifar10Designs()

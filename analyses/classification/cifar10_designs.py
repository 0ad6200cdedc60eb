"""classification.cifar10_designs: two designs that pass 0.75 on CIFAR-10 within ten epochs, and what helped.

Design A is the baseline's outline with batch norm, GELU, augmentation and a one-cycle schedule: expected test
accuracy at least 0.82. Design B is a whitened network after Jordan (2024), judged on six views of an image:
at least 0.90, with 0.92 as the aim. The ablation changes one choice of design A at a time, at the budget of
the designs, and is judged on validation data.
"""

from __future__ import annotations

from analyses import experiments, records
from analyses.classification._cifar10_designs_settings import (
    CHANGES,
    EMA,
    DesignsParameters,
)
from analyses.classification._cifar10_designs_summary import summary
from analyses.experiments import ImageExperiment
from analyses.plugin import Cell, Context, Outcome, Profile


class Cifar10Designs(ImageExperiment[DesignsParameters]):
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
        return DesignsParameters(ema=EMA)

    def check(self, parameters: DesignsParameters) -> None:
        super().check(parameters)
        experiments.parts(parameters.data.model_copy(update={"train": parameters.ablation_train}))

    def plan(self, parameters: DesignsParameters) -> list[Cell]:
        recipes = parameters.recipes()
        budget = parameters.data.model_copy(update={"train": parameters.ablation_train})
        planned = experiments.cells(
            "design_a",
            {"name": "normalised lenet"},
            recipes["design_a"],
            parameters.data,
            parameters.seeds,
            evaluate_on_test=True,
        )
        for name, (_, options, _) in CHANGES.items():
            planned += experiments.cells(
                f"ablation/{name}",
                {"name": "normalised lenet", **({"options": options} if options else {})},
                parameters.ablation_recipe(name),
                budget,
                parameters.ablation_seeds,
                evaluate_on_test=True,
            )
        planned += experiments.cells(
            "design_b",
            {"name": "whitened", "options": {"widths": parameters.widths}},
            recipes["design_b"],
            parameters.data,
            parameters.seeds_b,
            evaluate_on_test=True,
        )
        return planned

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab.training import precision_of, predict

        outcome, model, data = experiments.train(cell, context)
        if cell.id.startswith("design_b") and data.test is not None:
            dtype = precision_of(cell.settings["recipe"], context.device, model)
            logits = predict(model, data.test.images, data, dtype, six_views=True)
            outcome["six_views"] = records.classified(logits, data.test.labels, outcome["classes"])
            outcome["six_views_test_accuracy"] = outcome["six_views"]["test_accuracy"]
        return outcome

    summarize = staticmethod(summary)


analysis = Cifar10Designs()

"""Tables of the study of two designs for CIFAR-10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import comparing, recipe_tables
from analyses.classification._cifar10_designs_settings import DESIGNS, WORDS, DesignsParameters
from analyses.comparing import Comparison
from analyses.plugin import Outcome
from results import builders
from results.schema import Metric, Table
from results.text import counted


def recipes_table(parameters: DesignsParameters) -> Table:
    return recipe_tables.recipe_table(
        {DESIGNS[name]: recipe for name, recipe in parameters.recipes().items()},
        {
            "Design A": {
                "initial weights": "uniform in ±1/√inputs (PyTorch's default)",
                "batch norm": "scale and shift learned; running mean 0.9 old + 0.1 new",
                "evaluated on": "one view of each image",
            },
            "Design B": {
                "initial weights": "first layer: whitening of 2 × 2 patches of 5,000 training images, kept; "
                "convolutions: identity on the first channels; all others uniform in ±1/√inputs",
                "batch norm": "scale kept at 1, shift learned; running mean 0.6 old + 0.4 new",
                "evaluated on": "one view, and six views of each test image, averaged before the softmax",
            },
        },
        f"Hyper-parameters of the two designs on {parameters.data.title}.",
    )


def ablation_table(
    metrics: Mapping[str, Metric],
    ablation: Mapping[str, Sequence[Outcome]],
    differences: Mapping[str, Comparison],
    parameters: DesignsParameters,
) -> Table:
    diverged = any(run["diverged"] for runs in ablation.values() for run in runs)
    rows: list[dict[str, builders.Cell]] = []
    for name, words in WORDS.items():
        cells: dict[str, builders.Cell] = {
            "change": words,
            "train": found.value if (found := metrics.get(f"ablation/{name}/train_accuracy")) else None,
            "accuracy": metrics.get(f"ablation/{name}/validation_accuracy"),
        }
        if diverged:
            cells["diverged"] = sum(run["diverged"] for run in ablation[name])
        rows.append(cells | (differences[name].cells() if name in differences else {}))
    return builders.table(
        f"Training and validation accuracy (%) of design A and of variants with one choice changed, after "
        f"{counted(parameters.ablation_epochs, 'epochs')} on {parameters.ablation_train:,} training images. "
        "Means over "
        f"{counted(parameters.ablation_seeds, 'seeds')}; differences from design A are paired by seed.",
        {
            "change": builders.text("Change"),
            "train": builders.percent("Training"),
            "accuracy": builders.percent("Validation"),
            **comparing.COMPARED,
            **({"diverged": builders.integer("Diverged", "runs")} if diverged else {}),
        },
        rows,
        notes=(
            "Training accuracies are running means over the last epoch, on augmented images where images are "
            "augmented. p-values are adjusted by Holm's method for the "
            f"{counted(len(differences), 'comparisons')} of the table.",
        ),
    )

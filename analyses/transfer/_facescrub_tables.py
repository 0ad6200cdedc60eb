"""Tables and pictures of the study of nine people's faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from analyses import experiments, recipe_tables
from analyses.plugin import Outcome
from analyses.transfer._facescrub_settings import FaceParameters
from analyses.transfer._facescrub_training import SHOWN
from analyses.transfer._facescrub_worked import person
from results import builders
from results.schema import Metric, Picture, Pictures, Table
from results.text import MINUS, count, counted

UNIT_COLUMNS = 8  # of the drawn units beside each other


def titles_of(parameters: FaceParameters) -> dict[str, str]:
    perceptrons = {
        name: f"perceptron with {hidden} hidden units" + (" and L2 penalty" if decay else "")
        for name, (hidden, decay) in parameters.perceptrons().items()
    }
    return perceptrons | {"conv4": "linear layer on fixed features", "finetuned": "all layers fine-tuned"}


def results_table(metrics: Mapping[str, Metric], parameters: FaceParameters) -> Table:
    sizes = [int(metrics[f"data/{part}"].value) for part in ("classes", "train", "validation", "test")]
    return builders.table(
        "Accuracy (%) in naming {} people ({:,} training, {:,} validation and {:,} test images).".format(
            count(sizes[0]), *sizes[1:]
        ),
        {
            "what": builders.text("Classifier"),
            "train": builders.percent("Training"),
            "validation": builders.percent("Validation"),
            "test": builders.percent("Test", best="highest"),
        },
        [
            {
                "what": title[:1].upper() + title[1:],
                "train": metrics[f"{name}/train_accuracy"].value,
                "validation": metrics[f"{name}/validation_accuracy"].value,
                "test": metrics[f"{name}/test_accuracy"],
            }
            for name, title in titles_of(parameters).items()
        ],
        notes=[f"Means over {counted(parameters.seeds, 'seeds')}."],
    )


def best_rate(head: Outcome) -> str:
    """Of the linear layer, by mean validation accuracy."""
    runs: Mapping[str, Sequence[Outcome]] = head["runs"]
    return max(runs, key=lambda rate: mean(run["validation_accuracy"] for run in runs[rate]))


def recipe_table(parameters: FaceParameters, runs: Mapping[str, Sequence[Outcome]], head: Outcome) -> Table:
    """Every choice of the three systems, with what they are given and what they are."""
    from lab.datasets import short_title

    widths, network = " or ".join(map(str, parameters.hidden)), head["weights"]["architecture"]
    drawn = "uniform in ±1/√inputs"
    rows = {
        "Perceptron": {
            "weight decay": f"none or {parameters.penalty:g}",
            "input": f"{parameters.size} × {parameters.size} grey pixels",
            "layers": f"{widths} hidden units",
            "first weights": drawn,
        },
        "Linear layer": {
            "augmentation": "mirrored (random)" if parameters.mirror else "none",
            "arithmetic": "float32",
            "input": f"{head['width']:,} activations of {head['layer']}",
            "layers": "none hidden",
            "first weights": drawn,
        },
        "All layers": {
            "arithmetic": runs["finetuned"][0]["history"]["precision"],
            "input": f"{parameters.view} × {parameters.view} colour pixels",
            "layers": f"those of {experiments.network_name(network)}",
            "first weights": f"pretrained; last layer {drawn}",
        },
    }
    table = recipe_tables.recipe_table(
        {
            "Perceptron": parameters.perceptron_recipe(0.0),
            "Linear layer": replace(parameters.head_recipe(), learning_rate=float(best_rate(head))),
            "All layers": parameters.finetune_recipe(),
        },
        rows,
        f"Hyper-parameters and standardised inputs on {short_title(parameters.name)}.",
    )
    single = {"Arithmetic", "float32"}
    shown = [row for row in table.rows if set(row.cells.values()) != {"Label smoothing", "0"}]
    alike = any(set(row.cells.values()) == single for row in shown)
    return table.model_copy(
        update={
            "rows": tuple(row for row in shown if set(row.cells.values()) != single),
            "caption": table.caption + (" Arithmetic is in float32." if alike else ""),
        }
    )


def unit_pictures(parameters: FaceParameters, units: Mapping[str, Sequence[Outcome]]) -> Pictures:
    """The drawn units of every perceptron, by its name."""

    shown = [(name, unit) for name in parameters.perceptrons() for unit in units[name]]

    def title(name: str, unit: Mapping[str, Any]) -> str:
        hidden, decay = parameters.perceptrons()[name]
        side = f"{'+' if unit['for'] else MINUS} {person(unit['class']).split()[-1]}"
        return f"{hidden}{', L2' if decay else ''}\n{side}"

    return Pictures(
        caption=f"Weights from the pixels to hidden units: of each perceptron the {counted(SHOWN, 'units')} "
        "whose weights have the largest norm. The label names the person for (+) or against "
        f"({MINUS}) whom the unit counts most; L2: with a penalty. Light is positive, dark is negative.",
        alt=f"{SHOWN} hidden units of each perceptron as grey pictures.",
        columns=UNIT_COLUMNS,
        pictures=tuple(Picture(title=title(name, unit), png=unit["png"]) for name, unit in shown),
    )

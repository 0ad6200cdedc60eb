"""Tables and figures of the study of a pretrained network's last stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import experiments, recipe_tables, records
from analyses.designs import recipe_b
from analyses.experiments import DataChoice
from analyses.plugin import Outcome
from analyses.transfer._cifar10_resnet18_settings import OWN, Candidate, LastStageParameters, Runs
from results import builders
from results.schema import Chart, Metric, Table
from results.text import counted


def titles_of(parameters: LastStageParameters, runs: Runs) -> dict[str, str]:
    def title(name: str, candidate: Candidate) -> str:
        weights, network = runs[name][0]["weights"], network_of(runs[name])
        if not candidate.layer:
            return f"{network}, all layers, " + ("from scratch" if not weights["sha256"] else "pretrained")
        return f"{network}, last stage, " + ("pretrained" if weights["sha256"] else "drawn")

    candidates = parameters.candidates()
    return {name: title(name, candidate) for name, candidate in candidates.items()} | {
        OWN: "Design B, from scratch"
    }


def network_of(runs: Sequence[Outcome]) -> str:
    return experiments.network_name(runs[0]["weights"]["architecture"])


def pixels_of(data: DataChoice) -> str:
    """The size of its images, in words."""
    size = data.size or ((32, 32) if data.name == "cifar10" else None)
    return f"{size[0]} × {size[1]} pixels" if size else f"the size of the images of {data.title}"


def results_table(
    parameters: LastStageParameters, metrics: Mapping[str, Metric], titles: Mapping[str, str], runs: Runs
) -> Table:
    same = parameters.own_seeds == parameters.seeds
    return builders.table(
        f"Accuracy (%) on {parameters.data.title} from {parameters.data.train:,} training images: the last "
        f"stage of a pretrained network, and {_from_scratch(parameters)}. Means over "
        f"{counted(parameters.seeds, 'seeds')}"
        + ("." if same else f", of design B over {counted(parameters.own_seeds, 'seeds')}."),
        {
            "network": builders.text("Network"),
            "trained": builders.integer("Trained", "parameters"),
            "epochs": builders.integer("Epochs"),
            "seconds": builders.number("Training", ".0f", "s"),
            "train": builders.percent("Train"),
            "validation": builders.percent("Validation"),
            "test": builders.percent("Test", best="highest"),
            "loss": builders.number("Test loss", ".3f", "nats"),
        },
        [
            {
                "network": title,
                "trained": int(metrics[f"{name}/trained"].value),
                "epochs": int(metrics[f"{name}/epochs"].value),
                "seconds": metrics[f"{name}/training_seconds"].value,
                "train": metrics[f"{name}/train_accuracy"].value,
                "validation": metrics[f"{name}/validation_accuracy"].value,
                "test": metrics[f"{name}/test_accuracy"],
                "loss": loss.value if (loss := metrics.get(f"{name}/test_loss")) else None,
            }
            for name, title in titles.items()
        ],
        notes=[
            "Training accuracies are running means over the last epoch. Seconds are of training alone; the "
            "frozen layers were run once per image before."
        ],
    )


def _from_scratch(parameters: LastStageParameters) -> str:
    return "networks trained from scratch" if parameters.resnet18 else "design B, trained from scratch"


def recipe_table(parameters: LastStageParameters, runs: Runs, titles: Mapping[str, str]) -> Table:
    candidates = parameters.candidates()
    beside = {
        titles[name]: {
            "trained layers": f"those after stage {candidate.layer}" if candidate.layer else "all",
            "image size": f"enlarged to {candidate.size} × {candidate.size} pixels",
            "arithmetic": runs[name][0]["history"]["precision"],
        }
        for name, candidate in candidates.items()
    }
    beside[titles[OWN]] = {
        "trained layers": "all",
        "image size": "as it is",
        "arithmetic": runs[OWN][0]["history"]["precision"],
    }
    recipes = {titles[name]: parameters.recipe(candidate) for name, candidate in candidates.items()}
    return recipe_tables.recipe_table(
        recipes | {titles[OWN]: recipe_b(parameters.own_epochs)},
        beside,
        f"Hyper-parameters on {parameters.data.title} of the last stage of the pretrained network, and of "
        f"{_from_scratch(parameters)}.",
    )


def loss_curves(runs: Runs, titles: Mapping[str, str]) -> Chart:
    """Training and validation loss of the pretrained network and of the best of our own."""
    return builders.curves(
        f"Training and validation loss by epoch of the pretrained network "
        f"({counted(len(runs['pretrained']), 'seeds')}) and of our best network "
        f"({counted(len(runs[OWN]), 'seeds')}), trained on the same images.",
        {
            f"{titles[name]}: {builders.PARTS[part].lower()}": [
                history[f"{part}_loss"] for history in records.histories(runs[name])
            ]
            for name in ("pretrained", OWN)
            for part in ("train", "validation")
        },
        builders.number("Cross-entropy", ".3f", "nats"),
    )


def accuracy_curves(parameters: LastStageParameters, runs: Runs, titles: Mapping[str, str]) -> Chart:
    return builders.curves(
        f"Validation accuracy by epoch of each network, on {parameters.data.validation:,} images of "
        f"{parameters.data.title}.",
        {
            title: [history["validation_accuracy"] for history in records.histories(runs[name])]
            for name, title in titles.items()
        },
        builders.percent("Accuracy"),
    )

"""Tables and figures of the study of base networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from analyses import comparing, records
from analyses.classification._base_networks_settings import (
    AUGMENTED,
    COUPLED,
    LABELS,
    LETTER,
    NETWORKS,
    PREFIXES,
    BaseNetworksParameters,
    Runs,
)
from analyses.comparing import Comparison
from analyses.experiments import DataChoice
from analyses.plugin import Outcome
from results import builders
from results.schema import Chart, Metric, Panel, Panels, Series, Table
from results.text import counted

STUDENT = "p is of Student's paired test, adjusted by Holm's method for the comparisons of the table."


def results_table(metrics: Mapping[str, Metric], runs: Runs, parameters: BaseNetworksParameters) -> Table:
    columns = {LETTER: "letter", COUPLED: "coupled", AUGMENTED: "accuracy"}
    rows: list[dict[str, builders.Cell]] = []
    for name, label in NETWORKS.items():
        found: dict[str, builders.Cell] = {
            columns[kind]: metrics[f"{PREFIXES[kind]}{name}/test_accuracy"] for kind in runs
        }
        rows.append(
            {
                "network": label,
                **found,
                "published": parameters.published[name],
                **{
                    f"train_{columns[kind]}": metrics[f"{PREFIXES[kind]}{name}/train_accuracy"].value
                    for kind in runs
                },
            }
        )
    seeds = counted(len(runs[LETTER]["convnet"]), "seeds")
    labels = ((LETTER, "as assigned"), (COUPLED, "coupled L2"), (AUGMENTED, "augmented"))
    shown = [(columns[kind], words) for kind, words in labels if kind in runs]
    return builders.table(
        f"Accuracy (%) of the three base networks ({parameters.data.train:,} training images, "
        f"{parameters.epochs} epochs), trained as assigned (with decoupled weight decay)"
        + (", with coupled L2," if COUPLED in runs else "")
        + f" and with augmentation. Means over {seeds}.",
        {
            "network": builders.text("Network"),
            **{key: builders.percent(f"Test, {words}", best="highest") for key, words in shown},
            "published": builders.percent("Test, reported"),
            **{f"train_{key}": builders.percent(f"Train, {words}") for key, words in shown},
        },
        rows,
        notes=(
            "Training accuracy is a running mean over the batches of the last epoch. "
            "Reported: one run of each network in an unpublished notebook.",
        ),
    )


def costs_table(metrics: Mapping[str, Metric], runs: Runs, parameters: BaseNetworksParameters) -> Table:
    """What a training and a forward pass of each network take."""
    passes = len(runs) * len(runs[LETTER]["convnet"]) * parameters.timed_repeats
    arithmetic = {label: runs[LETTER][name][0]["history"]["precision"] for name, label in NETWORKS.items()}
    if len(set(arithmetic.values())) > 1:
        trained = ", ".join(f"{label} in {precision}" for label, precision in arithmetic.items())
    else:
        trained = f"all networks in {next(iter(arithmetic.values()))}"
    return builders.table(
        "Parameters of the base networks, time of one training as assigned "
        f"({parameters.epochs * parameters.data.train // parameters.batch:,} steps of {parameters.batch} "
        f"images, mean over {counted(len(runs[LETTER]['convnet']), 'seeds')}) and of a forward pass of "
        f"{parameters.timed_batch} images, on one CPU thread.",
        {
            "network": builders.text("Network"),
            "parameters": builders.integer("Parameters"),
            "training": builders.number("Training", ".0f", "s"),
            "forward": builders.number("Forward pass", ".1f", "ms"),
        },
        [
            {
                "network": label,
                "parameters": runs[LETTER][name][0]["parameters"],
                "training": metrics[f"{name}/training_seconds"],
                "forward": metrics[f"{name}/forward_ms"].value,
            }
            for name, label in NETWORKS.items()
        ],
        notes=(
            f"Arithmetic of training: {trained}; other work ran on the machine. Forward pass: the "
            f"shortest of {passes} passes in float32, so that it has no interval.",
        ),
    )


def seconds_table(runs: Runs, words: Mapping[str, str], differences: Mapping[str, Comparison]) -> Table:
    longer = {"higher": "longer", "lower": "shorter"}
    rows = [{"comparison": words[key], **one.cells()} for key, one in differences.items()]
    return builders.table(
        "Training times of the base networks compared, as assigned: mean differences over "
        f"{counted(len(runs[LETTER]['convnet']), 'seeds')}, paired by seed.",
        {
            "comparison": builders.text("Compared"),
            **comparing.COMPARED,
            "difference": builders.number("Difference", "+.0f", "s"),
        },
        [row | {"verdict": longer.get(str(row["verdict"]), row["verdict"])} for row in rows],
        notes=(STUDENT,),
    )


def separable_table(runs: Runs, words: Mapping[str, str], differences: Mapping[str, Comparison]) -> Table:
    """What explains the accuracy of the separable network with augmentation."""
    return builders.table(
        f"The {NETWORKS['mobilenet']} network compared with the others: by how much more augmentation raises "
        "its test accuracy, and its training accuracy in the last epoch with augmentation. Mean differences "
        f"over {counted(len(runs[LETTER]['convnet']), 'seeds')}, paired by seed.",
        {"comparison": builders.text("Compared"), **comparing.COMPARED},
        [{"comparison": words[key], **one.cells()} for key, one in differences.items()],
        notes=(STUDENT,),
    )


def published_table(runs: Runs, words: Mapping[str, str], differences: Mapping[str, Comparison]) -> Table:
    seeds = counted(len(runs[LETTER]["convnet"]), "seeds")
    return builders.table(
        f"Test accuracy of the base networks, means over {seeds}, minus the accuracy that an unpublished "
        "notebook reports for one run.",
        {"comparison": builders.text("Compared"), **comparing.COMPARED},
        [{"comparison": words[key], **one.cells()} for key, one in differences.items()],
        notes=(comparing.HOLM,),
    )


def accuracy_chart(metrics: Mapping[str, Metric], runs: Runs, parameters: BaseNetworksParameters) -> Chart:
    values: dict[str, dict[str, builders.Number]] = {
        label: {words: metrics[f"{PREFIXES[kind]}{name}/test_accuracy"] for name, words in NETWORKS.items()}
        for kind, label in LABELS.items()
        if kind in runs
    }
    chart = builders.bars(
        "Test accuracy of the base networks by kind of training, and accuracies that an unpublished "
        "notebook reports (one run each).",
        values,
        builders.percent("Test accuracy"),
        x="Network",
    )
    published = Series(
        label="Reported",
        x=tuple(map(float, range(len(NETWORKS)))),
        y=tuple(100 * parameters.published[name] for name in NETWORKS),
    )
    return chart.model_copy(update={"series": (*chart.series, published)})


def learning_curves(
    runs: Mapping[str, Sequence[Outcome]], what: Literal["loss", "accuracy"], how: str, data: DataChoice
) -> Panels:
    """A panel of training and one of test images, with a line for each network."""
    quantity = {
        "loss": builders.number("Cross-entropy", ".2f", "nats"),
        "accuracy": builders.percent("Accuracy"),
    }[what]
    charts = {
        label: builders.curves(
            f"Training and test {what} of the base networks by epoch, {how}, on {data.title} ({data.train:,} "
            "training images).",
            {
                NETWORKS[name]: [one[f"{part}_{what}"] for one in records.histories(found)]
                for name, found in runs.items()
            },
            quantity,
        )
        for part, label in (("train", "Training images"), ("test", "Test images"))
    }
    return Panels(
        caption=charts["Training images"].caption,
        alt=" ".join(f"{label}: {chart.alt}" for label, chart in charts.items()),
        panels=tuple(
            Panel(kind="line", title=label, x=chart.x, y=chart.y, series=chart.series)
            for label, chart in charts.items()
        ),
        share_x=True,
        share_y=what == "accuracy",
    )

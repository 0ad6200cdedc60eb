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
from analyses.plugin import Outcome
from results import builders
from results.schema import Chart, Metric, Panel, Panels, Series, Table
from results.text import counted


def results_table(metrics: Mapping[str, Metric], runs: Runs, parameters: BaseNetworksParameters) -> Table:
    columns = {LETTER: "letter", COUPLED: "coupled", AUGMENTED: "accuracy"}
    rows: list[dict[str, builders.Cell]] = []
    for name, label in NETWORKS.items():
        found: dict[str, builders.Cell] = {
            columns[kind]: metrics[f"{PREFIXES[kind]}{name}/test_accuracy"] for kind in runs
        }
        first = runs[LETTER][name][0]
        rows.append(
            {
                "network": label,
                **found,
                "published": parameters.published[name],
                "train": metrics[f"letter/{name}/train_accuracy"].value,
                "parameters": first["parameters"],
                "training": metrics[f"{name}/training_seconds"].value,
                "forward": metrics[f"{name}/forward_ms"].value,
                "precision": first["history"]["precision"],
            }
        )
    seeds = counted(len(runs[LETTER]["convnet"]), "seeds")
    return builders.table(
        f"Test accuracy (%) and cost of the three base networks ({parameters.data.train:,} training images, "
        f"{parameters.epochs} epochs): as the assignment has it, with decoupled weight decay"
        + (" and with coupled L2" if COUPLED in runs else "")
        + f", and with augmentation. Means over {seeds}.",
        {
            "network": builders.text("Network"),
            **{
                columns[kind]: builders.percent(label, best="highest")
                for kind, label in (
                    (LETTER, "As assigned"),
                    (COUPLED, "Coupled L2"),
                    (AUGMENTED, "Augmented"),
                )
                if kind in runs
            },
            "published": builders.percent("Reported"),
            "train": builders.percent("Train"),
            "parameters": builders.integer("Parameters"),
            "training": builders.number("Training", ".0f", "s"),
            "forward": builders.number("Forward pass", ".1f", "ms"),
            "precision": builders.text("Arithmetic"),
        },
        rows,
        notes=(
            "Training accuracy and training time are of the runs as assigned, on one CPU thread beside other "
            f"work; a forward pass is the shortest one of {parameters.timed_batch} images in float32. "
            "Reported: one run of each network in an unpublished notebook.",
        ),
    )


def published_table(runs: Runs, words: Mapping[str, str], differences: Mapping[str, Comparison]) -> Table:
    seeds = counted(len(runs[LETTER]["convnet"]), "seeds")
    return builders.table(
        f"Test accuracy of the base networks, means over {seeds}, less the accuracy that an unpublished "
        "notebook reports of one run.",
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
    runs: Mapping[str, Sequence[Outcome]], what: Literal["loss", "accuracy"], how: str
) -> Panels:
    """A panel of training and one of test images, with a line for each network."""
    quantity = {
        "loss": builders.number("Cross-entropy", ".2f", "nats"),
        "accuracy": builders.percent("Accuracy"),
    }[what]
    charts = {
        label: builders.curves(
            f"Training and test {what} of the base networks by epoch, {how}.",
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

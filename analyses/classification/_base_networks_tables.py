"""Tables and figures of the study of base networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from analyses import comparing, records
from analyses.classification._base_networks_comparisons import ORDER
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

#: Keys of columns, and their labels, by kind of training.
KIND_COLUMNS = {LETTER: "letter", COUPLED: "coupled", AUGMENTED: "augmented"}
KIND_LABELS = {LETTER: "Decoupled decay", COUPLED: "Coupled L2", AUGMENTED: "Augmented"}
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
    labels = ((LETTER, "decoupled decay"), (COUPLED, "coupled L2"), (AUGMENTED, "augmented"))
    shown = [(columns[kind], words) for kind, words in labels if kind in runs]
    return builders.table(
        f"Accuracy (%) of the three base networks ({parameters.data.train:,} training images, "
        f"{parameters.epochs} epochs), trained with decoupled weight decay"
        + (", with coupled L2," if COUPLED in runs else "")
        + f" and with augmentation and decoupled decay. Means over {seeds}.",
        {
            "network": builders.text("Network"),
            **{key: builders.percent(f"Test, {words}", best="highest") for key, words in shown},
            "published": builders.percent("Test, reported"),
            **{f"train_{key}": builders.percent(f"Train, {words}") for key, words in shown},
        },
        rows,
        notes=(
            "Training accuracy is a running mean over the batches of the last epoch. "
            "Reported: one run of each network in an unpublished notebook. A bold value need not be "
            "significantly higher than the others.",
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
    multiplied = all(f"time/{name}/multiplications" in metrics for name in NETWORKS)
    return builders.table(
        "What the base networks cost on one CPU thread: parameters"
        + (", multiplications in the convolutions per image" if multiplied else "")
        + ", time of one training with decoupled decay "
        f"({parameters.epochs * parameters.data.train // parameters.batch:,} steps of {parameters.batch} "
        f"images, mean over {counted(len(runs[LETTER]['convnet']), 'seeds')}), of one of its steps, and of a "
        f"forward pass of {parameters.timed_batch} images.",
        {
            "network": builders.text("Network"),
            "parameters": builders.integer("Parameters"),
            **({"macs": builders.integer("Multiplications")} if multiplied else {}),
            "training": builders.number("Training", ".0f", "s"),
            "step": builders.number("Step", ".1f", "ms"),
            "forward": builders.number("Forward pass", ".1f", "ms"),
        },
        [
            {
                "network": label,
                "parameters": runs[LETTER][name][0]["parameters"],
                **({"macs": metrics[f"time/{name}/multiplications"].value} if multiplied else {}),
                "training": metrics[f"{name}/training_seconds"],
                "step": metrics[f"{name}/step_ms"].value,
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
        "Training times of the base networks compared, with decoupled decay: mean differences over "
        f"{counted(len(runs[LETTER]['convnet']), 'seeds')}, paired by seed.",
        {
            "comparison": builders.text("Compared"),
            **comparing.COMPARED,
            "difference": builders.number("Difference", "+.0f", "s"),
        },
        [row | {"verdict": longer.get(str(row["verdict"]), row["verdict"])} for row in rows],
        notes=(STUDENT,),
    )


def network_differences_table(runs: Runs, differences: Mapping[str, Comparison]) -> Table:
    """Every two networks, a column for each kind of training: the comparisons of `network_pairs`."""
    rows = {
        f"{NETWORKS[one]} − {NETWORKS[other]}": {
            KIND_COLUMNS[kind]: differences[f"{PREFIXES[kind]}{one}_over_{other}"] for kind in runs
        }
        for one, other in combinations(ORDER, 2)
    }
    return _differences_table(
        "Differences in test accuracy between the base networks (percentage points), by kind of training, on "
        "the same test images: means",
        rows,
        {KIND_COLUMNS[kind]: KIND_LABELS[kind] for kind in runs},
        runs,
    )


def training_differences_table(runs: Runs, differences: Mapping[str, Comparison]) -> Table:
    """Every network with other training less with decoupled decay: the comparisons of `training_pairs`."""
    kinds = [kind for kind in runs if kind != LETTER]
    return _differences_table(
        "Test accuracy of each base network with coupled L2, and with augmentation, minus that with "
        "decoupled decay alone (percentage points), on the same test images: mean differences",
        {
            label: {KIND_COLUMNS[kind]: differences[f"{kind}{name}_over_letter"] for kind in kinds}
            for name, label in NETWORKS.items()
        },
        {KIND_COLUMNS[kind]: KIND_LABELS[kind] for kind in kinds},
        runs,
    )


def _differences_table(
    caption: str, rows: Mapping[str, Mapping[str, Comparison]], columns: Mapping[str, str], runs: Runs
) -> Table:
    """A row of comparisons by the words of the row; each column of them has one of p behind it."""
    return builders.table(
        f"{caption} over {counted(len(runs[LETTER]['convnet']), 'seeds')}, paired by seed.",
        {
            "comparison": builders.text("Network" if set(rows) == set(NETWORKS.values()) else "Compared"),
            **{
                key: column
                for name, label in columns.items()
                for key, column in (
                    (f"{name}_difference", comparing.change(label)),
                    (f"{name}_p", builders.number("p", ".3f")),
                )
            },
        },
        [
            {"comparison": words}
            | {key: cell for name, one in cells.items() for key, cell in one.numbers(f"{name}_").items()}
            for words, cells in rows.items()
        ],
        notes=(
            "p: the larger of those of Student's paired test over seeds and of McNemar's exact test on the "
            "test images of any seed, adjusted by Holm's method for the comparisons of the table; intervals "
            "are not adjusted.",
        ),
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
    runs: Mapping[str, Sequence[Outcome]], what: Sequence[str], how: str, data: DataChoice
) -> Panels:
    """A row for each of `what` ("accuracy", "loss"): a panel of training and one of test images, with a line
    for each network.
    """
    quantities = {
        "loss": builders.number("Cross-entropy", ".2f", "nats"),
        "accuracy": builders.percent("Accuracy"),
    }
    charts = {
        f"{title} images": builders.curves(
            f"Training and test {' and '.join(what)} of the base networks by epoch, trained {how}, on "
            f"{data.title} ({data.train:,} training images).",
            {
                NETWORKS[name]: [one[f"{part}_{quantity}"] for one in records.histories(found)]
                for name, found in runs.items()
            },
            quantities[quantity],
        )
        for quantity in what
        for part, title in (
            ("train", f"{quantity.capitalize()}, training"),
            ("test", f"{quantity.capitalize()}, test"),
        )
    }
    return Panels(
        caption=next(iter(charts.values())).caption,
        alt=" ".join(f"{label}: {chart.alt}" for label, chart in charts.items()),
        panels=tuple(
            Panel(kind="line", title=label, x=chart.x, y=chart.y, series=chart.series)
            for label, chart in charts.items()
        ),
        share_x=True,
    )

"""What is reported of every classifier: metrics, tables, learning curves, and which classes it confuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from analyses import records
from analyses.plugin import Outcome
from analyses.records import at_the_end, class_numbers
from results import builders
from results.builders import FRACTION
from results.schema import Axis, Chart, Finding, Heatmap, Metric, Series, Table
from results.text import counted

MOST_CLASSES = 30  # of a confusion matrix that can be read; of more, the worst pairs are listed
PAIRS = 15


def metrics(prefix: str, outcomes: Sequence[Outcome], what: str) -> dict[str, Metric]:
    """What is reported of a classifier, over its seeds: "PREFIX/test_accuracy", "PREFIX/train_loss" and so
    on, as `classifiers_table` shows them. Losses and training accuracy are those of the last epoch.
    """
    found = {
        f"{prefix}/{part}_accuracy": records.over_seeds(
            outcomes, f"{part}_accuracy", f"{name} accuracy of {what}"
        )
        for part, name in builders.PARTS.items()
        if f"{part}_accuracy" in outcomes[0]
    }
    for key, title in (
        ("train_accuracy", "Training accuracy"),
        ("train_loss", "Training loss"),
        ("validation_loss", "Validation loss"),
    ):
        if outcomes[0]["history"][key]:
            found[f"{prefix}/{key}"] = at_the_end(outcomes, key, f"{title} of {what}")
    found[f"{prefix}/training_seconds"] = records.over_seeds(
        outcomes, "training_seconds", f"Training time of {what}", "seconds"
    )
    return found | test_metrics(prefix, outcomes, what)


def test_metrics(prefix: str, outcomes: Sequence[Outcome], what: str) -> dict[str, Metric]:
    """What is reported of every classifier's test images, beside the accuracy, whose interval some analyses
    choose for themselves: "PREFIX/test_loss". Of what `records.classified` keeps, so that a metric that is
    added here costs no training; nothing where a run has none.
    """
    if any(outcome.get("test_loss") is None for outcome in outcomes):
        return {}
    return {f"{prefix}/test_loss": records.over_seeds(outcomes, "test_loss", f"Test loss of {what}", "nats")}


def classifiers_table(
    caption: str, rows: Mapping[str, str], metrics: Mapping[str, Metric], notes: Sequence[str] = ()
) -> Table:
    """Losses, accuracies and training time of classifiers at the end of training; rows: prefix → label."""
    columns = {
        "network": builders.text("Network"),
        "train_loss": builders.number("Train loss", ".3f", "nats"),
        "validation_loss": builders.number("Validation loss", ".3f", "nats"),
        "test_loss": builders.number("Test loss", ".3f", "nats"),
        "train_accuracy": builders.percent("Train"),
        "validation_accuracy": builders.percent("Validation"),
        "test_accuracy": builders.percent("Test", best="highest"),
        "training_seconds": builders.number("Time", ".0f", "s"),
    }
    measured = {key for key in columns for prefix in rows if f"{prefix}/{key}" in metrics}
    columns = {key: column for key, column in columns.items() if key == "network" or key in measured}
    return builders.table(
        caption,
        columns,
        [
            {key: found.value for key in columns if (found := metrics.get(f"{prefix}/{key}"))}
            | {"network": label, "test_accuracy": metrics[f"{prefix}/test_accuracy"]}
            for prefix, label in rows.items()
        ],
        notes=notes,
    )


def table_notes(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What a reader of a table of results must know."""
    return (
        "Losses are cross-entropies in nats. Training figures are running means over the last epoch; "
        f"arithmetic in {outcomes[0]['history']['precision']}.",
    )


def learning_curve(
    outcomes: Sequence[Outcome], what: Literal["loss", "accuracy"], caption: str, label: str
) -> Chart:
    """Training, validation and test loss (or accuracy) by epoch in one plot, with bands over the seeds."""
    history = outcomes[0]["history"]
    series = [
        _banded(name, outcomes, key, range(1, len(history[key]) + 1))
        for part, name in builders.PARTS.items()
        if history.get(key := f"{part}_{what}")
    ]
    return Chart(
        kind="line",
        caption=caption,
        alt=f"{what.capitalize()} of {label} by epoch, from the first to epoch {len(series[0].x)}, "
        f"where it ends at: {_ends(series)}.",
        x=Axis(label="Epoch"),
        y=Axis(label="Cross-entropy", unit="nats")
        if what == "loss"
        else Axis(label="Accuracy", unit=FRACTION),
        series=tuple(series),
    )


def by_iteration(outcomes: Sequence[Outcome], label: str) -> Chart:
    """Training accuracy every few iterations, and test accuracy after every epoch, with bands over seeds."""
    longest = max((one["history"] for one in outcomes), key=lambda history: len(history["iterations"]))
    iterations, epochs = longest["iterations"], len(longest["test_accuracy"])
    series = [
        _banded("Training batches", outcomes, "iteration_accuracy", iterations, 100),
        _banded(
            "Test images",
            outcomes,
            "test_accuracy",
            [iterations[-1] * (at + 1) // epochs for at in range(epochs)],
            100,
        ),
    ]
    return Chart(
        kind="line",
        caption=f"Accuracy of {label} by iteration: of the training batches since the point before, and of "
        f"the test images after every epoch; means over {counted(len(outcomes), 'seeds')}; bands reach "
        "from the lowest to the highest.",
        alt=f"Accuracy of {label} in {iterations[-1]} iterations, ending at: {_ends(series, '.1f')}%.",
        x=Axis(label="Iteration"),
        y=builders.percent("Accuracy").axis(),
        series=tuple(series),
    )


def _banded(label: str, outcomes: Sequence[Outcome], key: str, x: Sequence[int], scale: float = 1) -> Series:
    """The mean of a history's list at each x, with a band from the lowest to the highest of several seeds."""
    mean = tuple(scale * value for value in records.mean_curve(outcomes, key))
    values = records.by_epoch(outcomes, key)
    low, high = (tuple(scale * end(found) for found in values) for end in (min, max))
    band = {"low": low, "high": high} if len(outcomes) > 1 else {}
    return Series(label=label, x=tuple(map(float, x[: len(mean)])), y=mean, **band)


def _ends(series: Sequence[Series], style: str = ".3f") -> str:
    return ", ".join(f"{one.label.lower()} {one.y[-1]:{style}}" for one in series)


def confusion_parts(outcomes: Sequence[Outcome], caption: str) -> tuple[dict[str, Heatmap], dict[str, Table]]:
    """The figure "confusion" of up to MOST_CLASSES classes, and of more the table "confusion" of pairs."""
    if len(outcomes[0]["classes"]) <= MOST_CLASSES:
        return {"confusion": confusion_figure(outcomes, caption)}, {}
    return {}, {"confusion": confused_table(outcomes, caption)}


def confusion_figure(outcomes: Sequence[Outcome], caption: str) -> Heatmap:
    """Share of each true class (rows) that is predicted as each class (columns), over all seeds."""
    names = outcomes[0]["classes"]
    counts = _confusions(outcomes)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    pairs = [(shares[i, j], i, j) for i in range(len(names)) for j in range(len(names)) if i != j]
    share, i, j = max(pairs)
    return Heatmap(
        caption=f"{caption} Rows: true class; columns: predicted class; values: share of the row.",
        alt=f"Confusion matrix of {len(names)} classes. Most often confused: {names[i]} taken for "
        f"{names[j]}, {share:.1%} of its images.",
        x=Axis(label="Predicted class", categories=tuple(names)),
        y=Axis(label="True class", categories=tuple(names)),
        values=tuple(tuple(round(float(value), 4) for value in row) for row in shares),
        value_label="Share of the true class",
        numbers=True,
    )


def confused_table(outcomes: Sequence[Outcome], caption: str) -> Table:
    """The pairs of classes that are most often confused, however many classes there are."""
    import numpy as np

    names = outcomes[0]["classes"]
    counts = _confusions(outcomes)
    images = counts.sum(axis=1)
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [divmod(int(place), len(names)) for place in order if wrong.flat[place]]
    return builders.table(
        f"{caption} The pairs of classes most often confused, of {len(names)} classes.",
        {
            "truth": builders.text("True class"),
            "predicted": builders.text("Predicted"),
            "count": builders.integer("Images"),
            "share": builders.number("Share of the class", ".1%"),
        },
        [
            {
                "truth": names[i],
                "predicted": names[j],
                "count": int(counts[i, j]),
                "share": float(counts[i, j] / images[i]),
            }
            for i, j in pairs
        ],
        notes=(f"Images are counted over {len(outcomes)} seeds.",) if len(outcomes) > 1 else (),
    )


def class_table(outcomes: Sequence[Outcome], caption: str) -> Table:
    """Accuracy on the test images of each class, a mean over seeds with its interval."""
    import numpy as np

    from lab.evaluation import over_seeds, per_class_accuracy

    names = outcomes[0]["classes"]
    counts = [_confusions([one]) for one in outcomes]
    accuracies = np.stack([per_class_accuracy(one) for one in counts])  # (seeds, classes)
    together = np.sum(counts, axis=0)
    rows: list[dict[str, builders.Cell]] = []
    for number, name in enumerate(names):
        images = int(counts[0][number].sum())
        if not images:
            continue
        others = np.delete(together[number], number)
        most = int(others.argmax())
        most += most >= number
        cells: dict[str, builders.Cell] = {
            "class": name,
            "images": images,
            "accuracy": builders.estimate(over_seeds(accuracies[:, number], bounds=(0.0, 1.0)), "seeds"),
        }
        if others.max():
            share = float(others.max() / together[number].sum())
            cells |= {"taken_for": names[most], "share": share}
        rows.append(cells)
    return builders.table(
        f"{caption} Means over {counted(len(outcomes), 'seeds')}.",
        {
            "class": builders.text("Class"),
            "images": builders.integer("Test images"),
            "accuracy": builders.percent("Accuracy"),
            "taken_for": builders.text("Most often taken for"),
            "share": builders.percent("Share"),
        },
        rows,
    )


def class_finding(outcomes: Sequence[Outcome]) -> Finding:
    """Which class is named rightly most often and which least, and what the latter is taken for."""
    import numpy as np

    from lab.evaluation import per_class_accuracy

    names, together = outcomes[0]["classes"], _confusions(outcomes)
    accuracies = per_class_accuracy(together)
    best, worst = int(np.nanargmax(accuracies)), int(np.nanargmin(accuracies))
    others = together[worst].copy()
    others[worst] = 0
    taken = f", which is most often misclassified as {names[int(others.argmax())]}" if others.max() else ""
    return builders.statement(
        "The classes differ in their accuracy",
        bool(accuracies[best] > accuracies[worst]),
        yes=f"Measured accuracy is highest for the class {names[best]} and lowest for {names[worst]}{taken}.",
        no="Accuracy is the same for every class.",
    )


def _confusions(outcomes: Sequence[Outcome]) -> Any:
    """Images by true class (rows) and predicted class (columns), over all outcomes."""
    from lab.evaluation import confusion

    truth = [number for one in outcomes for number in class_numbers(one["labels"])]
    predicted = [number for one in outcomes for number in class_numbers(one["predictions"])]
    return confusion(truth, predicted, len(outcomes[0]["classes"]))

"""classification.base_networks: ConvNet, MobileNet-like and ResNet-like from 10,000 images and 2,000 steps.

The protocol of CIS 680 (2017), homework 3: CIFAR-10's training batch 1, Adam, rate 1e-3 falling
exponentially to 1e-4 over 2,000 steps of 100 images, weight decay 0.05, which is decoupled here, as the
protocol leaves open how it is applied. It names no augmentation; every network is trained without any, to its
letter, and with images mirrored and moved. Expected test accuracies with augmentation: ConvNet at least 0.66,
MobileNet-like 0.55, ResNet-like 0.70.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from analyses import experiments
from analyses.experiments import DataChoice
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

NETWORKS = {"convnet": "ConvNet", "mobilenet": "MobileNet-like", "resnet": "ResNet-like"}
AUGMENTED, LETTER = "augmented/", ""  # how cells of a kind of training begin


class BaseNetworksParameters(Parameters):
    """shift: pixels by which an augmented image is moved at most."""

    data: DataChoice = DataChoice(train=10_000, validation=0, subset="batch 1")
    seeds: int = 3
    epochs: int = 20  # of 100 steps: 2,000
    batch: int = 100
    weight_decay: float = 0.05
    shift: int = 4
    timed_batch: int = 100
    timed_repeats: int = 20
    published: dict[str, float] = Field(  # a student's notebook, one run
        default={"convnet": 0.646, "mobilenet": 0.516, "resnet": 0.684}
    )


class BaseNetworks(Analysis[BaseNetworksParameters]):
    id = "classification.base_networks"
    title = "Three base networks from ten thousand images"
    question = "What do separable convolutions and residual blocks cost and bring, at the same small budget?"

    def parameters(self, profile: Profile) -> BaseNetworksParameters:
        if profile == "quick":
            data = experiments.QUICK.model_copy(update={"validation": 0})
            return BaseNetworksParameters(data=data, seeds=2, epochs=2, timed_repeats=3)
        return BaseNetworksParameters()

    def datasets(self, parameters: BaseNetworksParameters) -> tuple[str, ...]:
        return (parameters.data.name,)

    def plan(self, parameters: BaseNetworksParameters) -> list[Cell]:
        timing = {"batch": parameters.timed_batch, "repeats": parameters.timed_repeats}
        return [
            Cell(cell.id, {**cell.settings, "timing": timing}, cell.seed)
            for kind in (LETTER, AUGMENTED)
            for name in NETWORKS
            for cell in experiments.cells(
                f"{kind}{name}",
                {"name": name},
                _recipe(parameters, kind),
                parameters.data,
                parameters.seeds,
                keep=True,
            )
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        outcome, model, data = experiments.trained(cell, context)
        timing = cell.settings["timing"]
        assert data.test is not None
        outcome["forward_ms"] = _forward_ms(model, data, timing["batch"], timing["repeats"])
        return outcome

    def summarize(self, parameters: BaseNetworksParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs, letter = (
            {
                name: [run for key, run in outcomes.items() if key.startswith(f"{kind}{name}/")]
                for name in NETWORKS
            }
            for kind in (AUGMENTED, LETTER)
        )
        metrics: dict[str, Metric] = {}
        for name, label in NETWORKS.items():
            metrics[f"letter/{name}/test_accuracy"] = experiments.over_seeds(
                letter[name], "test_accuracy", f"Test accuracy without augmentation, {label}"
            )
            metrics[f"{name}/test_accuracy"] = experiments.over_seeds(
                runs[name], "test_accuracy", f"Test accuracy, {label}"
            )
            metrics[f"{name}/training_seconds"] = experiments.over_seeds(
                letter[name],
                "training_seconds",
                f"Training time without augmentation, {label}",
                "seconds",
            )
            metrics[f"{name}/forward_ms"] = Metric(
                value=min(run["forward_ms"] for run in (*runs[name], *letter[name])),
                title=f"Forward pass of {parameters.timed_batch} images, the shortest of all, {label}",
                unit="ms",
            )
        best = {name: metrics[f"{name}/test_accuracy"].value for name in NETWORKS}
        plain = {name: metrics[f"letter/{name}/test_accuracy"].value for name in NETWORKS}
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(metrics, runs, parameters),
                "recipe": experiments.recipe_table(
                    {
                        "To the letter": _recipe(parameters, LETTER),
                        "With augmentation": _recipe(parameters, AUGMENTED),
                    }
                ),
            },
            figures={
                "accuracy": _figure(metrics, parameters),
                "loss": _losses(letter, "without augmentation"),
                "loss_augmented": _losses(runs, "with augmentation"),
            },
            findings={
                "published_reached": Finding(
                    statement="To the letter of the protocol, every network reaches what was published",
                    holds=all(plain[name] >= parameters.published[name] for name in NETWORKS),
                    metrics=tuple(f"letter/{name}/test_accuracy" for name in NETWORKS),
                ),
                "published_reached_augmented": Finding(
                    statement="With augmentation, every network reaches what was published",
                    holds=all(best[name] >= parameters.published[name] for name in NETWORKS),
                    metrics=tuple(f"{name}/test_accuracy" for name in NETWORKS),
                ),
                **{
                    f"{name}_reaches_published": Finding(
                        statement=f"To the letter, {label} reaches what was published",
                        holds=plain[name] >= parameters.published[name],
                        metrics=(f"letter/{name}/test_accuracy",),
                    )
                    for name, label in NETWORKS.items()
                },
                "augmentation_helps_all": Finding(
                    statement="Augmentation raises the test accuracy of every network",
                    holds=all(best[name] > plain[name] for name in NETWORKS),
                    metrics=tuple(
                        f"{kind}{name}/test_accuracy" for name in NETWORKS for kind in ("", "letter/")
                    ),
                ),
                "residual_is_best": Finding(
                    statement="The residual network is the most accurate of the three",
                    holds=max(best, key=lambda name: best[name]) == "resnet",
                    metrics=tuple(f"{name}/test_accuracy" for name in NETWORKS),
                ),
                "separable_is_worst": Finding(
                    statement="The network of separable convolutions is the least accurate of the three",
                    holds=min(best, key=lambda name: best[name]) == "mobilenet",
                    metrics=tuple(f"{name}/test_accuracy" for name in NETWORKS),
                ),
                "separable_is_fastest": Finding(
                    statement="The network of separable convolutions trains in the shortest time",
                    holds=min(NETWORKS, key=lambda name: metrics[f"{name}/training_seconds"].value)
                    == "mobilenet",
                    metrics=tuple(f"{name}/training_seconds" for name in NETWORKS),
                ),
                "no_run_diverged": experiments.none_diverged(outcomes),
            },
        )


def _recipe(parameters: BaseNetworksParameters, kind: str) -> dict[str, Any]:
    augmentation = {"flip": "random", "shift": parameters.shift} if kind == AUGMENTED else {}
    return {
        **({"augmentation": augmentation} if augmentation else {}),
        "epochs": parameters.epochs,
        "batch": parameters.batch,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": parameters.weight_decay,
        "schedule": "exponential",
        "final_factor": 0.1,
    }


def _forward_ms(model: Any, data: Any, batch: int, repeats: int) -> float:
    """Time of one forward pass of `batch` test images in float32: the shortest of `repeats`, as other work on
    the machine can only lengthen one.
    """
    import torch

    images = data.normalised(data.test.images[:batch])
    cuda = images.device.type == "cuda"
    times = []
    with torch.no_grad():
        for _ in range(repeats):
            started = time.perf_counter()
            model(images)
            if cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
    return 1000 * min(times)


def _table(
    metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]], parameters: BaseNetworksParameters
) -> Table:
    rows = []
    for name, label in NETWORKS.items():
        accuracy = metrics[f"{name}/test_accuracy"]
        rows.append(
            Row(
                cells={
                    "network": label,
                    "accuracy": accuracy.value,
                    "low": accuracy.low,
                    "high": accuracy.high,
                    "letter": metrics[f"letter/{name}/test_accuracy"].value,
                    "published": parameters.published[name],
                    "parameters": runs[name][0]["parameters"],
                    "training": metrics[f"{name}/training_seconds"].value,
                    "forward": metrics[f"{name}/forward_ms"].value,
                }
            )
        )
    return Table(
        caption="Test accuracy of the three base networks with augmentation and to the letter of the "
        "protocol, and what they cost.",
        columns=(
            Column(key="network", label="Network"),
            Column(key="accuracy", label="Augmented", type="number", format=".4f"),
            Column(key="low", label="95% from", type="number", format=".4f"),
            Column(key="high", label="to", type="number", format=".4f"),
            Column(key="letter", label="To the letter", type="number", format=".4f"),
            Column(key="published", label="Published", type="number", format=".3f"),
            Column(key="parameters", label="Parameters", type="integer"),
            Column(key="training", label="Training", type="number", unit="s", format=".0f"),
            Column(key="forward", label="Forward pass", type="number", unit="ms", format=".1f"),
        ),
        rows=tuple(rows),
        notes=(
            f"Means over {parameters.seeds} seeds. Training times are of the runs to the letter, of one "
            f"thread beside other work; a forward pass is the shortest of {parameters.timed_batch} images in "
            "float32.",
        ),
    )


def _figure(metrics: Mapping[str, Metric], parameters: BaseNetworksParameters) -> Chart:
    at = tuple(map(float, range(len(NETWORKS))))
    measured = {
        words: [metrics[f"{prefix}{name}/test_accuracy"] for name in NETWORKS]
        for words, prefix in (("To the letter", "letter/"), ("With augmentation", ""))
    }
    series = (
        *(
            Series(label=words, x=at, y=tuple(one.value for one in found), **experiments.interval(found))
            for words, found in measured.items()
        ),
        Series(label="Published", x=at, y=tuple(parameters.published[name] for name in NETWORKS)),
    )
    said = "; ".join(
        f"{one.label}: "
        + ", ".join(f"{label} {y:.3f}" for label, y in zip(NETWORKS.values(), one.y, strict=True))
        for one in series
    )
    return Chart(
        kind="bar",
        caption="Test accuracy of the base networks, with intervals over seeds, beside published figures.",
        alt=f"Bars of test accuracy by network. {said}.",
        x=Axis(label="Network", categories=tuple(NETWORKS.values())),
        y=Axis(label="Test accuracy", unit=experiments.FRACTION),
        series=series,
    )


def _losses(runs: Mapping[str, Sequence[Outcome]], how: str) -> Chart:
    series = []
    for name, found in runs.items():
        for part, label in (("train", "training"), ("test", "test")):
            mean, _, _ = experiments.mean_course(found, f"{part}_loss")
            epochs = tuple(float(epoch) for epoch in range(1, len(mean) + 1))
            series.append(Series(label=f"{NETWORKS[name]}, {label}", x=epochs, y=tuple(mean)))
    ends = ", ".join(f"{one.label} {one.y[-1]:.2f}" for one in series)
    return Chart(
        kind="line",
        caption=f"Training and test loss of the base networks {how}; means over seeds.",
        alt=f"Losses by epoch. At the end: {ends}.",
        x=Axis(label="Epoch"),
        y=Axis(label="Cross-entropy", unit="nats"),
        series=tuple(series),
    )


analysis = BaseNetworks()

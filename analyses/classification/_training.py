"""What the classification experiments share: the data of a cell, the network it trains, and how its course
is shown.

A cell's settings are `data` (DataChoice), `network` (name and options), `recipe` (of lab.training.Recipe),
and `keep`, whether the predictions on the test images are part of the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from analyses.plugin import Cell, Context, Outcome
from lab.evaluation import Estimate
from results.schema import Axis, Chart, Column, Metric, Row, Series, Table

if TYPE_CHECKING:
    from torch import nn

    from lab.training import Data

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"  # one character a predicted class
PARTS = {"train": "Training", "validation": "Validation", "test": "Test"}
FRACTION = "fraction"


class DataChoice(BaseModel):
    """Which images are trained on, chosen with, and reported on.

    train, validation: numbers of images, drawn from the data set's training split by class with `split_seed`.
    subset: "batch 1" keeps CIFAR-10's first training batch only. size: height and width, None as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "cifar10"
    train: int = 45_000
    validation: int = 5_000
    split_seed: int = 0
    subset: Literal["all", "batch 1"] = "all"
    size: tuple[int, int] | None = None


QUICK = DataChoice(name="digits", train=1_150, validation=287, size=(32, 32))


@lru_cache(maxsize=1)
def load(choice: DataChoice, device: str) -> Data:
    """Images on the device, with the channel statistics of the training images."""
    from lab.datasets import load as load_images
    from lab.datasets.cifar10 import training_batch_1
    from lab.datasets.splits import stratified
    from lab.training import Data, Images, channel_statistics

    colour = {"size": choice.size, "grey": False}
    pool, test = (load_images(choice.name, split, **colour) for split in ("train", "test"))
    if choice.subset == "batch 1":
        pool = pool.select(training_batch_1(pool)[0])
    parts = [choice.train, choice.validation] if choice.validation else [choice.train]
    if choice.train == len(pool):
        chosen = [pool]
    else:
        chosen = [
            pool.select(part) for part in stratified(pool.labels, parts, choice.split_seed, pool.classes)
        ]
    mean, std = channel_statistics(chosen[0].images)
    placed = [Images.of(part.images, part.labels, device) for part in (*chosen, test)]
    return Data(placed[0], mean, std, placed[1] if len(chosen) > 1 else None, placed[-1])


def network(name: str, options: Mapping[str, Any]) -> nn.Module:
    """A network of ten classes by its name in the settings."""
    from torch import nn

    from lab.networks import base, cifar, lenet

    if name == "whitened":
        return cifar.WhitenedNetwork(widths=tuple(options["widths"]))
    if name == "normalised lenet":
        chosen = dict(options)
        activation = {"gelu": nn.GELU, "relu": nn.ReLU}[chosen.pop("activation", "gelu")]
        return cifar.NormalisedLeNet(activation=activation, **chosen)
    plain = {
        "lenet": lenet.LeNet,
        "convnet": base.convnet,
        "mobilenet": base.mobilenet,
        "resnet": base.resnet,
    }
    return plain[name]()


def train(cell: Cell, context: Context) -> Outcome:
    """Train the cell's network and measure it: its history, and the final figures of each part of the data.
    """
    return trained(cell, context)[0]


def trained(cell: Cell, context: Context) -> tuple[Outcome, nn.Module, Data]:
    """As `train`, with the network and the data for what else is to be measured."""
    import torch

    from lab.training import Recipe, fit, measure, precision_of, predict

    settings = cell.settings
    seed = cell.seed or 0
    data = load(DataChoice.model_validate(settings["data"]), context.device)
    torch.manual_seed(seed)
    model = network(settings["network"]["name"], settings["network"].get("options", {}))
    recipe = Recipe.of(settings["recipe"])
    if hasattr(model, "whiten"):
        model.whiten(data.normalised(data.train.images[:5_000]))
    history = fit(
        model, data, recipe, seed=seed, checkpoint=context.scratch / "checkpoint.pt", report=context.report
    )
    model.eval()
    dtype = precision_of(recipe, context.device)
    outcome: Outcome = {
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "training_seconds": sum(history.seconds),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    if history.outcome == "diverged":
        return outcome, model, data
    for part, images in (("validation", data.validation), ("test", data.test)):
        if images is not None:
            for mirror in (False, True):
                logits = predict(model, images.images, data, dtype, mirror=mirror)
                key = f"{part}_mirrored" if mirror else part
                outcome[f"{key}_loss"], outcome[f"{key}_accuracy"] = measure(logits, images.labels)
                if part == "test" and not mirror and settings.get("keep"):
                    outcome["predictions"] = "".join(DIGITS[index] for index in logits.argmax(1).tolist())
                    outcome["labels"] = "".join(DIGITS[index] for index in images.labels.tolist())
    return outcome, model, data


def finished(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that did not diverge."""
    return [outcome for outcome in outcomes if not outcome["diverged"]]


def metric(estimate: Estimate, title: str, unit: str = FRACTION) -> Metric:
    """A mean over seeds with its interval, as a result holds it."""
    return Metric(
        value=estimate.value,
        title=title,
        unit=unit,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        n=estimate.n,
    )


def over_seeds(outcomes: Sequence[Outcome], key: str, title: str, unit: str = FRACTION) -> Metric:
    """The mean of an outcome's number over seeds, with Student's 95% interval; a fraction stays in [0, 1]."""
    from lab.evaluation import over_seeds as estimate

    bounds = (0.0, 1.0) if unit == FRACTION else None
    return metric(estimate([outcome[key] for outcome in outcomes], bounds=bounds), title, unit)


def mean_course(outcomes: Sequence[Outcome], key: str) -> tuple[list[float], list[float], list[float]]:
    """Mean, lowest and highest over seeds of a history's list, epoch by epoch, as long as all runs go."""
    courses = [outcome["history"][key] for outcome in outcomes]
    epochs = range(min(map(len, courses)))
    at = [[course[epoch] for course in courses] for epoch in epochs]
    return [sum(values) / len(values) for values in at], [min(v) for v in at], [max(v) for v in at]


def course(outcomes: Sequence[Outcome], what: Literal["loss", "accuracy"], caption: str, label: str) -> Chart:
    """Training, validation and test loss (or accuracy) against the epoch in one plot, bands over the seeds.
    """
    series = []
    for part, name in PARTS.items():
        if outcomes[0]["history"][f"{part}_{what}"]:
            mean, low, high = mean_course(outcomes, f"{part}_{what}")
            band = {"low": tuple(low), "high": tuple(high)} if len(outcomes) > 1 else {}
            epochs = tuple(float(epoch) for epoch in range(1, len(mean) + 1))
            series.append(Series(label=name, x=epochs, y=tuple(mean), **band))
    last = ", ".join(f"{one.label.lower()} {one.y[-1]:.3f}" for one in series)
    return Chart(
        kind="line",
        caption=caption,
        alt=f"{what.capitalize()} of {label} by epoch, from the first to epoch {len(series[0].x)}, "
        f"where it ends at: {last}.",
        x=Axis(label="Epoch"),
        y=Axis(label="Cross-entropy", unit="nats")
        if what == "loss"
        else Axis(label="Accuracy", unit=FRACTION),
        series=tuple(series),
    )


RESULT_COLUMNS = (
    Column(key="network", label="Network"),
    Column(key="seeds", label="Seeds", type="integer"),
    Column(key="train_loss", label="Train loss", type="number", unit="nats", format=".3f"),
    Column(key="train_accuracy", label="Train accuracy", type="number", format=".3f"),
    Column(key="validation_loss", label="Validation loss", type="number", unit="nats", format=".3f"),
    Column(key="validation_accuracy", label="Validation accuracy", type="number", format=".3f"),
    Column(key="test_accuracy", label="Test accuracy", type="number", format=".4f"),
    Column(key="interval", label="95% interval", type="text"),
)


def results_table(caption: str, rows: Mapping[str, Sequence[Outcome]], notes: Sequence[str] = ()) -> Table:
    """Losses and accuracies of each network, means over its seeds."""
    body = []
    for name, outcomes in rows.items():
        test = over_seeds(outcomes, "test_accuracy", name)
        cells: dict[str, Any] = {"network": name, "seeds": len(outcomes), "test_accuracy": test.value}
        for key in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
            ends = [one["history"][key][-1] for one in outcomes if one["history"][key]]
            cells[key] = sum(ends) / len(ends) if ends else None
        cells["interval"] = interval_text(test)
        body.append(Row(cells=cells))
    return Table(caption=caption, columns=RESULT_COLUMNS, rows=tuple(body), notes=tuple(notes))


def interval_text(metric: Metric, digits: int = 4) -> str:
    """ "[0.7312, 0.7390]", or a dash where one seed allows none."""
    if metric.low is None or metric.high is None:
        return "–"
    return f"[{metric.low:.{digits}f}, {metric.high:.{digits}f}]"


def recipe_rows(recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every choice of a recipe that differs from doing nothing, in words: what is needed to repeat a run."""
    rate = f"{recipe['learning_rate']:g}"
    schedules = {
        "constant": "constant", "multistep": f"multiplied by {recipe['gamma']:g} after epochs {',
        '.join(map(str, recipe['milestones']))}", "exponential": f"exponential to {recipe['final_factor']:g}
        × the first", "cosine": f"cosine to {recipe['final_factor']:g} × the first", "onecycle": f"linear
        from 0 for the first {recipe['warm_up']:.0%} of the steps, then linear to 0", } augmentation =
        recipe["augmentation"] done = [ f"mirrored ({augmentation['flip']})" if augmentation["flip"] !=
        "none" else "", f"moved by up to {augmentation['shift']} pixels" if augmentation["shift"] else "",
        f"a square of {augmentation['cutout']} pixels cut out" if augmentation["cutout"] else "", ]
        optimizer = { "sgd": f"SGD, momentum {recipe['momentum']:g}{' (Nesterov)' if recipe['nesterov'] else
        ''}", "adam": "Adam (coupled decay)", "adamw": "AdamW (decoupled decay)", }[recipe["optimizer"]]
        decayed = "all parameters" if recipe["decay_all"] else "weights of two or more axes" decay =
        f"{recipe['weight_decay']:g} on {decayed}" if recipe["weight_decay"] else "none" rows = [ ("epochs",
        str(recipe["epochs"])), ("batch", str(recipe["batch"])), ("optimizer", optimizer), ("learning rate",
        f"{rate}, {schedules[recipe['schedule']]}"), ("weight decay", decay), ("label smoothing",
        f"{recipe['label_smoothing']:g}"), ("augmentation", ", ".join(filter(None, done)) or "none"), ] if
        recipe["bias_factor"] != 1: rows.append(("biases of batch norm", f"{recipe['bias_factor']:g} × the
        learning rate")) if recipe["patience"]: rows.append(("early stopping", f"after {recipe['patience']}
        epochs without a lower validation loss")) return rows

"""What the experiments share: the data of a cell, the network it trains, and how its course
is shown.

A cell's settings are `data` (DataChoice), `network` (name and options), `recipe` (of lab.recipes.Recipe),
and `keep`: whether the test images are measured, and the predictions on them kept. A cell that compares
settings does not touch them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf, isfinite
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from analyses.plugin import Cell, Context, Outcome
from lab.evaluation import Difference, Discordance, Estimate
from results import builders
from results.schema import Axis, Chart, Column, Finding, Heatmap, Metric, Row, Series, Table
from results.text import counted

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lab.datasets import ImageSet
    from lab.recipes import Recipe
    from lab.training import Data

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MORE = 0x4E00 - len(DIGITS)
PARTS = {"train": "Training", "validation": "Validation", "test": "Test"}
FRACTION = "fraction"
SIZES = "data.train, data.validation and data.test"  # the settings that say how many images


class DataChoice(BaseModel):
    """Which images are trained on, chosen with, and reported on.

    train, validation: numbers of images, drawn from the data set's training split by class with `split_seed`.
    subset: "batch 1" keeps CIFAR-10's first training batch only. size: height and width, None as they are.
    test: where the data set has no test split of its own, how many of its images become one.
    damaged: whether an image that cannot be decoded refuses the data set or is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "cifar10"
    train: int = 45_000
    validation: int = 5_000
    split_seed: int = 0
    subset: Literal["all", "batch 1"] = "all"
    size: tuple[int, int] | None = None
    test: int = 0
    damaged: Literal["refuse", "skip"] = "refuse"

    @property
    def title(self) -> str:
        """What the data set is called in a sentence."""
        from lab.datasets import short_title

        return short_title(self.name)


def headings(title: str, question: str, choice: DataChoice) -> tuple[str, str]:
    """Title and question that speak of CIFAR-10, with the data set that was chosen in its place."""
    return title.replace("CIFAR-10", choice.title), question.replace("CIFAR-10", choice.title)


QUICK = DataChoice(name="shapes", train=2_000, validation=500)


@lru_cache(maxsize=1)
def load(choice: DataChoice, device: str) -> tuple[Data, tuple[str, ...]]:
    """Images on the device, with the channel statistics of the training images; and the classes' names."""
    from lab.training import Data, Images, channel_statistics

    chosen, test = parts(choice)
    mean, std = channel_statistics(chosen[0].images)
    placed = [Images.of(part.images, part.labels, device) for part in (*chosen, test)]
    return Data(placed[0], mean, std, placed[1] if len(chosen) > 1 else None, placed[-1]), test.classes


def parts(choice: DataChoice) -> tuple[list[ImageSet], ImageSet]:
    """The training images, the validation images where there are to be any, and the test images.

    DataError in one sentence where there are too few, or a part lacks a class.
    """
    from lab.datasets import DataError
    from lab.datasets import load as load_images
    from lab.datasets.cifar10 import BATCH, training_batch_1
    from lab.datasets.sufficiency import require_classes, require_images

    how: dict[str, Any] = {"size": choice.size, "grey": False, "damaged": choice.damaged}
    if choice.test:
        everything = load_images(choice.name, "all", **how)
        require_images(choice.name, _asked(choice), len(everything), SIZES)
        pool, test = divided(everything, [len(everything) - choice.test, choice.test], choice.split_seed)
    else:
        pool, test = (load_images(choice.name, split, **how) for split in ("train", "test"))
    if choice.subset == "batch 1":
        if len(pool) < BATCH:
            raise DataError(
                f"{choice.name} has {len(pool):,} training images, fewer than the {BATCH:,} of a training "
                "batch; take them all with `--set data.subset=all`"
            )
        pool = pool.select(training_batch_1(pool)[0])
    require_images(choice.name, _asked(choice)[:2], len(pool), SIZES)
    require_classes({"training": pool, "test": test})
    sizes = [choice.train, choice.validation] if choice.validation else [choice.train]
    chosen = [pool] if choice.train == len(pool) else divided(pool, sizes, choice.split_seed)
    return chosen, test


def _asked(choice: DataChoice) -> tuple[int, int, int]:
    return choice.train, choice.validation, choice.test


def divided(images: ImageSet, sizes: Sequence[int], seed: int) -> list[ImageSet]:
    """Disjoint parts of the sizes, with the classes in proportion."""
    from lab.datasets.splits import stratified

    return [images.select(part) for part in stratified(images.labels, sizes, seed, images.classes)]


def cells(
    name: str,
    network: Mapping[str, Any],
    recipe: Mapping[str, Any],
    data: DataChoice,
    seeds: int,
    *,
    keep: bool = False,
) -> list[Cell]:
    """One cell a seed, called `name/SEED`; its settings say what differs from the defaults."""
    from lab.recipes import Recipe

    settings = {
        "data": data.model_dump(mode="json", exclude_defaults=True),
        "network": dict(network),
        "recipe": Recipe.of(recipe).as_settings(),
        "keep": keep,
    }
    return [Cell(f"{name}/{seed}", settings, seed) for seed in range(seeds)]


def network(name: str, options: Mapping[str, Any], classes: int) -> nn.Module:
    """A network by its name in the settings."""
    from torch import nn

    from lab.networks import base, cifar, detector, lenet

    if name == "whitened":
        return cifar.WhitenedNetwork(classes, widths=tuple(options["widths"]))
    if name == "normalised lenet":
        chosen = dict(options)
        activation = {"gelu": nn.GELU, "relu": nn.ReLU}[chosen.pop("activation", "gelu")]
        return cifar.NormalisedLeNet(classes, activation=activation, **chosen)
    plain = {
        "lenet": lenet.LeNet,
        "convnet": base.convnet,
        "mobilenet": base.mobilenet,
        "resnet": base.resnet,
        "detector base": detector.BaseClassifier,
    }
    return plain[name](classes)


def train(cell: Cell, context: Context) -> Outcome:
    """Train the cell's network and measure it: its history, and the final figures of each part."""
    return trained(cell, context)[0]


def trained(cell: Cell, context: Context) -> tuple[Outcome, nn.Module, Data]:
    """As `train`, with the network and the data for what else is to be measured.

    A run that diverged is measured too: its accuracy, near chance, counts among its seeds.
    """
    import torch

    from lab.networks.cifar import WhitenedNetwork
    from lab.recipes import Recipe
    from lab.training import fit, measure, precision_of, predict

    settings = cell.settings
    seed = cell.seed or 0
    data, classes = load(DataChoice.model_validate(settings["data"]), context.device)
    if not settings["keep"]:
        data = replace(data, test=None)
    torch.manual_seed(seed)
    model = network(settings["network"]["name"], settings["network"].get("options", {}), len(classes))
    shape = tuple(data.train.images.shape[1:])
    if shape != model.input_shape:
        raise ValueError(f"{settings['network']['name']} takes images of {model.input_shape}, not {shape}")
    recipe = Recipe.of(settings["recipe"])
    if isinstance(model, WhitenedNetwork):
        model.whiten(data.normalised(data.train.images[:5_000]))
    history = fit(
        model, data, recipe, seed=seed, checkpoint=context.scratch / "checkpoint.pt", report=context.report
    )
    model.eval()
    dtype = precision_of(recipe, context.device, model)
    outcome: Outcome = {
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "training_seconds": sum(history.seconds),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    if data.validation is not None:
        logits = predict(model, data.validation.images, data, dtype)
        loss, outcome["validation_accuracy"] = measure(logits, data.validation.labels)
        outcome["validation_loss"] = loss if isfinite(loss) else None
    if data.test is not None:
        logits = predict(model, data.test.images, data, dtype)
        outcome |= classified(logits, data.test.labels, classes)
    return outcome, model, data


def as_text(classes: Iterable[int]) -> str:
    """Class numbers, one character each, as an outcome keeps them: 0–9, a–z, and from 36 on the characters
    from U+4E00, which are as many as there are classes.
    """
    return "".join(DIGITS[number] if number < len(DIGITS) else chr(MORE + number) for number in classes)


def class_numbers(text: str) -> list[int]:
    """The inverse of `as_text`."""
    return [DIGITS.index(letter) if letter in DIGITS else ord(letter) - MORE for letter in text]


def classified(logits: Tensor, labels: Tensor, classes: Sequence[str]) -> Outcome:
    """What every classifier keeps of its test images: loss (nats), accuracy, and the predicted and the true
    class of each, so that new metrics and tests cost no training. logits (N, classes), labels (N,).
    """
    from lab.training import measure

    loss, accuracy = measure(logits, labels)
    return {
        "test_loss": loss if isfinite(loss) else None,
        "test_accuracy": accuracy,
        "predictions": as_text(logits.argmax(1).tolist()),
        "labels": as_text(labels.tolist()),
        "classes": list(classes),
    }


def finished(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that did not diverge."""
    return [outcome for outcome in outcomes if not outcome["diverged"]]


def metric(estimate: Estimate, title: str, unit: str = FRACTION, over: str = "") -> Metric:
    """An estimate as a result holds it; `over`: what its interval is over, such as "test images"."""
    return builders.metric(estimate, title, unit, over=over)


def over_seeds(outcomes: Sequence[Outcome], key: str, title: str, unit: str = FRACTION) -> Metric:
    """The mean of an outcome's number over seeds, with Student's 95% interval; a fraction stays in [0, 1]."""
    from lab.evaluation import over_seeds as estimate

    bounds = (0.0, 1.0 if unit == FRACTION else inf)
    return metric(estimate([outcome[key] for outcome in outcomes], bounds=bounds), title, unit, "seeds")


def measured(prefix: str, outcomes: Sequence[Outcome], what: str) -> dict[str, Metric]:
    """What is measured of every classifier, over its seeds: "PREFIX/test_accuracy", "PREFIX/train_loss" and
    so on, as `classifiers_table` shows them. Losses and training accuracy are those of the last epoch.
    """
    found = {
        f"{prefix}/{part}_accuracy": over_seeds(outcomes, f"{part}_accuracy", f"{name} accuracy of {what}")
        for part, name in PARTS.items()
        if f"{part}_accuracy" in outcomes[0]
    }
    for key, title in (
        ("train_accuracy", "Training accuracy"),
        ("train_loss", "Training loss"),
        ("validation_loss", "Validation loss"),
    ):
        if outcomes[0]["history"][key]:
            found[f"{prefix}/{key}"] = at_the_end(outcomes, key, f"{title} of {what}")
    found[f"{prefix}/training_seconds"] = over_seeds(
        outcomes, "training_seconds", f"Training time of {what}", "seconds"
    )
    return found


def classifiers_table(
    caption: str, rows: Mapping[str, str], metrics: Mapping[str, Metric], notes: Sequence[str] = ()
) -> Table:
    """Losses, accuracies and training time of classifiers at the end of training; rows: prefix → label."""
    columns = {
        "network": builders.text("Network"),
        "train_loss": builders.number("Train loss", ".3f", "nats"),
        "validation_loss": builders.number("Validation loss", ".3f", "nats"),
        **(
            {"test_loss": builders.number("Test loss", ".3f", "nats")}
            if any(f"{prefix}/test_loss" in metrics for prefix in rows)
            else {}
        ),
        "train_accuracy": builders.percent("Train"),
        "validation_accuracy": builders.percent("Validation"),
        "test_accuracy": builders.percent("Test", best="highest"),
        "training_seconds": builders.number("Time", ".0f", "s"),
    }
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


def test_loss(prefix: str, outcomes: Sequence[Outcome], what: str) -> dict[str, Metric]:
    """ "PREFIX/test_loss", which `classifiers_table` then shows; nothing where a run has none."""
    if any(outcome["test_loss"] is None for outcome in outcomes):
        return {}
    return {f"{prefix}/test_loss": over_seeds(outcomes, "test_loss", f"Test loss of {what}", "nats")}


def histories(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The courses to draw: of the runs that did not diverge, or of all where every one did."""
    return [outcome["history"] for outcome in finished(outcomes) or outcomes]


def mean_course(outcomes: Sequence[Outcome], key: str) -> tuple[list[float], list[float], list[float]]:
    """Mean, lowest and highest over seeds of a history's list, epoch by epoch, as long as all runs go."""
    courses = [outcome["history"][key] for outcome in finished(outcomes) or outcomes]
    epochs = range(min(map(len, courses)))
    at = [[course[epoch] for course in courses] for epoch in epochs]
    return [sum(values) / len(values) for values in at], [min(v) for v in at], [max(v) for v in at]


def at_the_end(outcomes: Sequence[Outcome], key: str, title: str) -> Metric:
    """The last value of a history's list, as a mean over seeds."""
    last = [{key: outcome["history"][key][-1]} for outcome in outcomes]
    return over_seeds(last, key, title, FRACTION if key.endswith("accuracy") else "nats")


def lowest_validation(outcomes: Sequence[Outcome]) -> Metric:
    """The epoch in which the mean validation loss is lowest, from 1."""
    losses, _, _ = mean_course(outcomes, "validation_loss")
    return Metric(
        value=losses.index(min(losses)) + 1, title="Epoch of the lowest validation loss", unit="epochs"
    )


def interval(metrics: Sequence[Metric]) -> dict[str, tuple[float, ...]]:
    """The ends of the intervals, as a Series takes them; nothing where one has none."""
    ends = [(one.low, one.high) for one in metrics if one.low is not None and one.high is not None]
    if len(ends) < len(metrics):
        return {}
    return {"low": tuple(low for low, _ in ends), "high": tuple(high for _, high in ends)}


SIGNIFICANT = 0.05  # of an adjusted p-value


@dataclass(frozen=True)
class Comparison:
    """A mean difference, paired by what it is `over`, and its p-value, adjusted for the comparisons of its
    family.
    """

    difference: Estimate
    p: float | None
    over: str = "seeds"

    @property
    def verdict(self) -> Literal["more", "less", "undecided"]:
        if self.p is None or self.p >= SIGNIFICANT:
            return "undecided"
        return "more" if self.difference.value > 0 else "less"

    def metrics(self, prefix: str, title: str) -> dict[str, Metric]:
        """`prefix`difference, with the 95% interval of this comparison alone, and `prefix`p where there is a
        test.
        """
        found = {f"{prefix}difference": metric(self.difference, title, over=self.over)}
        if self.p is not None:
            found[f"{prefix}p"] = Metric(value=self.p, title=f"Adjusted p-value. {title}")
        return found

    def cells(self, prefix: str = "") -> dict[str, Any]:
        """Of a row of a table with `comparison_columns`."""
        found = self.difference
        return {
            f"{prefix}difference": builders.estimate(found, self.over),
            f"{prefix}p": self.p,
            f"{prefix}verdict": {"more": "higher", "less": "lower"}.get(self.verdict, "not significant"),
        }


def comparison_columns(prefix: str = "", *, fractions: bool = True) -> tuple[Column, ...]:
    """The difference with its interval, of fractions in percentage points, and what to conclude of it."""
    shown: dict[str, Any] = (
        {"unit": "points", "format": "+.1f", "scale": 100} if fractions else {"format": "+.3f"}
    )
    return (
        Column(key=f"{prefix}difference", label="Difference", type="estimate", **shown),
        Column(key=f"{prefix}p", label="Adjusted p", type="number", format=".3f"),
        Column(key=f"{prefix}verdict", label="Verdict"),
    )


def comparison_note(seeds: int, reference: str = "the first row") -> str:
    return (
        f"Differences to {reference} are paired by seed (n = {seeds}), each with Student's 95% interval over "
        "seeds; p-values are adjusted by Holm's method for the comparisons of the table."
    )


def compared(family: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> dict[str, Comparison]:
    """Each first less its second, one value a seed in the same order of seeds. The comparisons of a family,
    those of one table, share Holm's correction.
    """
    from lab.evaluation import paired_over_seeds

    return corrected({name: paired_over_seeds(first, second) for name, (first, second) in family.items()})


def corrected(family: Mapping[str, Difference], over: str = "seeds") -> dict[str, Comparison]:
    """The differences of a family, those of one table, with Holm's correction."""
    from lab.evaluation import holm

    adjusted = holm([one.p for one in family.values()])
    return {
        name: Comparison(one.difference, p, over)
        for (name, one), p in zip(family.items(), adjusted, strict=True)
    }


def discordant(first: Sequence[Outcome], second: Sequence[Outcome]) -> list[Discordance]:
    """McNemar's test of two classifiers on the same test images, seed by seed."""
    from lab.evaluation import mcnemar

    found = []
    for one, other in zip(first, second, strict=False):
        if one["labels"] != other["labels"]:
            raise ValueError("classifiers are compared on the same test images, and these are others")
        found.append(mcnemar(*([a == b for a, b in zip(*_named(run), strict=True)] for run in (one, other))))
    return found


def _named(outcome: Outcome) -> tuple[str, str]:
    return outcome["labels"], outcome["predictions"]


def compared_classifiers(
    family: Mapping[str, tuple[Sequence[Outcome], Sequence[Outcome]]],
) -> dict[str, Comparison]:
    """The test accuracy of each first classifier less that of its second, seed by seed.

    The p-value is the larger of Student's paired test over seeds and of McNemar's tests on the test images of
    every seed, so that a difference counts where neither other seeds nor other images explain it; Holm's
    correction is for the comparisons of the family.
    """
    from lab.evaluation import paired_over_seeds

    found = {}
    for name, (ours, theirs) in family.items():
        count = min(len(ours), len(theirs))
        first, second = ([run["test_accuracy"] for run in runs[:count]] for runs in (ours, theirs))
        over = paired_over_seeds(first, second)
        largest = max(one.p for one in discordant(ours, theirs))
        found[name] = replace(over, p=None if over.p is None else max(over.p, largest))
    return corrected(found)


def comparison_row(one: Comparison, **cells: builders.Cell) -> dict[str, builders.Cell]:
    """Of a table whose columns end in COMPARED, after the cells that say what is compared."""
    return {
        **cells,
        "difference": builders.estimate(one.difference, one.over),
        "p": one.p,
        "verdict": {"more": "higher", "less": "lower"}.get(one.verdict, "not significant"),
    }


COMPARED = {
    "difference": builders.points("Difference"),
    "p": builders.number("Adjusted p", ".3f"),
    "verdict": builders.text("Verdict"),
}


def classifier_comparison_table(
    caption: str,
    words: Mapping[str, str],
    family: Mapping[str, tuple[Sequence[Outcome], Sequence[Outcome]]],
    differences: Mapping[str, Comparison],
) -> Table:
    """`compared_classifiers` by the words of each comparison, with the images that one alone named."""
    rows = []
    for name, text in words.items():
        found = discordant(*family[name])
        rows.append(
            comparison_row(
                differences[name],
                comparison=text,
                only_first=round(fmean(one.only_a for one in found)),
                only_second=round(fmean(one.only_b for one in found)),
            )
        )
    seeds = counted(max(len(discordant(*family[name])) for name in words), "seeds")
    return builders.table(
        f"{caption} First and second only: test images that only this network classifies correctly. Means "
        f"over {seeds}; differences of accuracy are paired by seed.",
        {
            "comparison": builders.text("Compared"),
            "only_first": builders.integer("First only", "images"),
            "only_second": builders.integer("Second only", "images"),
            **COMPARED,
        },
        rows,
        notes=(
            "p is the larger of Student's paired test over seeds and of McNemar's exact test on the test "
            "images of any seed, adjusted by Holm's method for the comparisons of the table.",
        ),
    )


def verdict(difference: Metric) -> str:
    """What a difference says whose interval leaves out zero, or does not."""
    if difference.low is None or difference.high is None:
        return "undecided"
    return "hurts" if difference.high < 0 else "helps" if difference.low > 0 else "undecided"


def of(outcomes: Mapping[str, Outcome], name: str) -> list[Outcome]:
    """The outcomes of the cells `name/SEED`, in the order of the plan."""
    return [outcome for key, outcome in outcomes.items() if key.rpartition("/")[0] == name]


def verdicts(metrics: Mapping[str, Metric], changes: Mapping[str, str], sentence: str) -> dict[str, Finding]:
    """For each change of an ablation, by its words, whether it hurts, and whether it helps; `sentence` has
    places for both. The metrics are "ablation/NAME/difference"; a change without one is left out.
    """
    return {
        f"{name}_{found}": Finding(
            statement=sentence.format(words, found),
            holds=verdict(metrics[key]) == found,
            metrics=(key,),
        )
        for name, words in changes.items()
        if (key := f"ablation/{name}/difference") in metrics
        for found in ("hurts", "helps")
    }


def differences_chart(metrics: Mapping[str, Metric], changes: Mapping[str, str], what: str) -> Chart:
    """The differences of an ablation of `what`, the largest on top; filled where p, adjusted, is small."""
    shown = {
        words: metrics[f"ablation/{name}/difference"]
        for name, words in changes.items()
        if f"ablation/{name}/difference" in metrics
    }
    p_values = {
        words: metrics[f"ablation/{name}/p"].value
        for name, words in changes.items()
        if f"ablation/{name}/p" in metrics
    }
    return builders.intervals(
        f"Change of validation accuracy when one choice of {what} is changed. Points are means over seeds, "
        "with 95% intervals of each comparison alone; filled points differ significantly from zero after "
        "Holm's correction.",
        shown,
        builders.points("Difference in accuracy"),
        significant=[words for words, p in p_values.items() if p < SIGNIFICANT] if p_values else None,
    )


def none_diverged(outcomes: Mapping[str, Outcome]) -> Finding:
    return Finding(
        statement="No run diverged", holds=not any(outcome["diverged"] for outcome in outcomes.values())
    )


def table_notes(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What a reader of a table of results must know."""
    return (
        "Losses are cross-entropies in nats. Training figures are running means over the last epoch; "
        f"arithmetic in {outcomes[0]['history']['precision']}.",
    )


MOST_CLASSES = 30  # of a confusion matrix that can be read; of more, the worst pairs are listed
PAIRS = 15


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


def class_table(outcomes: Sequence[Outcome], caption: str) -> Table:
    """Accuracy on the test images of each class, a mean over seeds with its interval."""
    import numpy as np

    from lab.evaluation import confusion, over_seeds, per_class_accuracy

    names = outcomes[0]["classes"]
    counts = []
    for one in outcomes:
        true, predicted = map(class_numbers, _named(one))
        counts.append(confusion(true, predicted, len(names)))
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


def class_finding(outcomes: Sequence[Outcome], what: str) -> Finding:
    """Which class is named rightly most often and which least, and what the latter is taken for."""
    import numpy as np

    from lab.evaluation import per_class_accuracy

    names, together = outcomes[0]["classes"], _confusions(outcomes)
    accuracies = per_class_accuracy(together)
    best, worst = int(np.nanargmax(accuracies)), int(np.nanargmin(accuracies))
    others = together[worst].copy()
    others[worst] = 0
    taken = f", which it takes most often for {names[int(others.argmax())]}" if others.max() else ""
    return builders.statement(
        "The classes differ in their accuracy",
        bool(accuracies[best] > accuracies[worst]),
        yes=f"{what} recognises the class {names[best]} most often and {names[worst]} least often{taken}.",
        no=f"{what} recognises every class equally often.",
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
    return Table(
        caption=f"{caption} The pairs of classes most often confused, of {len(names)} classes.",
        columns=(
            Column(key="truth", label="True class"),
            Column(key="predicted", label="Predicted"),
            Column(key="count", label="Images", type="integer"),
            Column(key="share", label="Share of the class", type="number", format=".1%"),
        ),
        rows=tuple(
            Row(
                cells={
                    "truth": names[i],
                    "predicted": names[j],
                    "count": int(counts[i, j]),
                    "share": float(counts[i, j] / images[i]),
                }
            )
            for i, j in pairs
        ),
        notes=(f"Images are counted over {len(outcomes)} seeds.",) if len(outcomes) > 1 else (),
    )


def confusion_parts(outcomes: Sequence[Outcome], caption: str) -> tuple[dict[str, Heatmap], dict[str, Table]]:
    """The figure "confusion" of up to MOST_CLASSES classes, and of more the table "confusion" of pairs."""
    if len(outcomes[0]["classes"]) <= MOST_CLASSES:
        return {"confusion": confusion_figure(outcomes, caption)}, {}
    return {}, {"confusion": confused_table(outcomes, caption)}


def _confusions(outcomes: Sequence[Outcome]) -> Any:
    """Images by true class (rows) and predicted class (columns), over all outcomes."""
    from lab.evaluation import confusion

    truth = [number for one in outcomes for number in class_numbers(one["labels"])]
    predicted = [number for one in outcomes for number in class_numbers(one["predictions"])]
    return confusion(truth, predicted, len(outcomes[0]["classes"]))


def course(outcomes: Sequence[Outcome], what: Literal["loss", "accuracy"], caption: str, label: str) -> Chart:
    """Training, validation and test loss (or accuracy) by epoch in one plot, with bands over the seeds."""
    series = []
    for part, name in PARTS.items():
        if outcomes[0]["history"].get(f"{part}_{what}"):
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


def by_iteration(outcomes: Sequence[Outcome], label: str) -> Chart:
    """Training accuracy every few iterations, and test accuracy after every epoch, with bands over seeds."""
    longest = max((one["history"] for one in outcomes), key=lambda history: len(history["iterations"]))
    iterations, epochs = longest["iterations"], len(longest["test_accuracy"])
    series = []
    for name, key, x in (
        ("Training batches", "iteration_accuracy", iterations),
        ("Test images", "test_accuracy", [iterations[-1] * (at + 1) // epochs for at in range(epochs)]),
    ):
        mean, low, high = mean_course(outcomes, key)
        band = {"low": tuple(low), "high": tuple(high)} if len(outcomes) > 1 else {}
        series.append(Series(label=name, x=tuple(map(float, x[: len(mean)])), y=tuple(mean), **band))
    last = ", ".join(f"{one.label.lower()} {one.y[-1]:.3f}" for one in series)
    return Chart(
        kind="line",
        caption=f"Accuracy of {label} by iteration: of the training batches since the point before, and of "
        f"the test images after every epoch; means over {len(outcomes)} seeds, band: lowest and highest.",
        alt=f"Accuracy of {label} in {iterations[-1]} iterations, ending at: {last}.",
        x=Axis(label="Iteration"),
        y=Axis(label="Accuracy", unit=FRACTION),
        series=tuple(series),
    )


def recipe_table(
    recipes: Mapping[str, Mapping[str, Any]],
    besides: Mapping[str, Mapping[str, str]] | None = None,
    caption: str = "Every choice of the training.",
) -> Table:
    """Every choice of some recipes side by side, in words. besides: by name, what the experiment does in the
    place of a recipe's choice.
    """
    from lab.recipes import Recipe

    said = {
        name: dict(recipe_rows(Recipe.of(recipe))) | dict((besides or {}).get(name, {}))
        for name, recipe in recipes.items()
    }
    choices = list(dict.fromkeys(choice for rows in said.values() for choice in rows))
    return Table(
        caption=caption,
        columns=(
            Column(key="choice", label="Choice"),
            *(Column(key=f"recipe{index}", label=name) for index, name in enumerate(said)),
        ),
        rows=tuple(
            Row(
                cells={
                    "choice": choice.capitalize(),
                    **{f"recipe{index}": rows.get(choice, "–") for index, rows in enumerate(said.values())},
                }
            )
            for choice in choices
        ),
    )


def recipe_rows(recipe: Recipe) -> list[tuple[str, str]]:
    """Every choice of a recipe, in words: what is needed to repeat a run."""
    last = f"{recipe.final_factor:g} × the first" if recipe.final_factor else "0"
    *earlier, milestone = map(str, recipe.milestones or ("",))
    milestones = f"epochs {', '.join(earlier)} and {milestone}" if earlier else f"epoch {milestone}"
    schedule = {
        "constant": "constant",
        "multistep": f"multiplied by {recipe.gamma:g} after {milestones}"
        if recipe.milestones
        else "constant",
        "exponential": f"exponential to {last}",
        "cosine": f"cosine to {last}",
        "onecycle": f"linear from 0 in the first {recipe.warm_up:.0%} of the steps, then linear to 0",
    }[recipe.schedule]
    augmentation = recipe.augmentation
    done = [
        f"mirrored ({augmentation.flip})" if augmentation.flip != "none" else "",
        f"moved by up to {augmentation.shift} pixels" if augmentation.shift else "",
        f"a square of {augmentation.cutout} pixels cut out" if augmentation.cutout else "",
    ]
    nesterov = " (Nesterov)" if recipe.nesterov else ""
    optimizer = {
        "sgd": f"SGD, momentum {recipe.momentum:g}{nesterov}",
        "adam": "Adam (coupled decay)",
        "adamw": "AdamW (decoupled decay)",
    }[recipe.optimizer]
    decayed = "all parameters" if recipe.decay_all else "weights of two or more axes"
    rows = [
        ("epochs", str(recipe.epochs)),
        ("batch", str(recipe.batch)),
        ("optimiser", optimizer),
        ("learning rate", f"{recipe.learning_rate:g}, {schedule}"),
        ("weight decay", f"{recipe.weight_decay:g} on {decayed}" if recipe.weight_decay else "none"),
        ("label smoothing", f"{recipe.label_smoothing:g}"),
        ("augmentation", ", ".join(filter(None, done)) or "none"),
    ]
    if recipe.clip:
        rows.append(("gradient", f"clipped to a norm of {recipe.clip:g}"))
    if recipe.precision != "auto":
        rows.append(("arithmetic", recipe.precision))
    if recipe.bias_factor != 1:
        rows.append(("biases of batch norm", f"{recipe.bias_factor:g} × the learning rate"))
    if recipe.patience:
        rows.append(("early stopping", f"after {recipe.patience} epochs without a lower validation loss"))
    return rows

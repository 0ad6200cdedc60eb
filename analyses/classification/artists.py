"""classification.artists: who painted it? Small networks on 451 paintings by eleven artists.

After MIT 6.867 (2016), homework 3, whose splits had no test images; here 90 are kept for the end. Every
choice is made on the other 361, by stratified folds. Expected: a validation accuracy of at least 0.70 for
the best setting. `python runner.py run classification.artists --profile full`
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from analyses.classification import _artists_findings as findings
from analyses.classification._artists_settings import SPACE, ArtistsParameters, Pictures, Setting
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary

if TYPE_CHECKING:
    from torch import nn

    from lab.datasets import ImageSet
    from lab.training import Data, History


class Artists(Analysis[ArtistsParameters]):
    id = "classification.artists"
    title = "Who painted it?"
    question = (
        "What helps a small network to tell eleven painters apart, and which changes of a picture mislead it?"
    )

    def parameters(self, profile: Profile) -> ArtistsParameters:
        if profile == "quick":
            return ArtistsParameters(
                data=Pictures(name="digits", split="train", images=500, size=16),
                folds=2,
                repeats=1,
                baseline=Setting(epochs=15, learning_rate=0.003),
                factors={
                    "pooling": {"2 × 2": {"pool": 2}},
                    "batch norm": {"yes": {"normalised": True}},
                    "augmentation": {"mirrored and moved": {"mirror": True, "shift": 2}},
                },
                space=SPACE | {"epochs": {"10": {"epochs": 10}}},
                search_settings=4,
                most_multiplications=1_000_000,
                search_folds=1,
                finalists=2,
                seeds=2,
            )
        return ArtistsParameters()

    def datasets(self, parameters: ArtistsParameters) -> tuple[str, ...]:
        return (parameters.data.name,)

    def plan(self, parameters: ArtistsParameters) -> list[Cell]:
        baseline = parameters.baseline
        cells = _on_folds(parameters, "baseline", baseline, keep=True)
        for factor, values in parameters.factors.items():
            for value, changes in values.items():
                name = findings.factor_name(factor, value)
                cells += _on_folds(parameters, name, baseline.changed(changes))
        for number, setting in enumerate(parameters.searched()):
            cells += _on_folds(parameters, f"search/{number}", setting, parameters.search_folds, keep=True)
        return cells

    def follow(self, parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> list[Cell]:
        """The best drawn settings on all folds; then the best of these and the baseline on all images."""
        settings = parameters.searched()
        cells = []
        for number in findings.finalists(parameters, outcomes):
            cells += _on_folds(parameters, f"search/{number}", settings[number], keep=True)
        if all(cell.id in outcomes for cell in cells):
            best = settings[findings.winner(parameters, outcomes)]
            for name, setting in (("baseline", parameters.baseline), ("best", best)):
                for seed in range(parameters.seeds):
                    cells.append(
                        Cell(f"final/{name}/{seed}", _settings(parameters, setting, fold=None), seed)
                    )
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        """Train on the other folds and judge by one; where the settings name none, train on all and test."""
        settings = cell.settings
        pool, test = _parts(Pictures.model_validate(settings["data"]))
        if settings["fold"] is None:
            return _final(cell, context, pool, test)
        training, held_out = _fold(pool, settings["folds"], settings["fold"])
        model, data, history = _trained(cell, context, training, held_out)
        outcome = _course(history, settings["keep"])
        labels, predicted, loss = _predicted(cell, context, model, data, held_out, None)
        right = sum(a == b for a, b in zip(labels, predicted, strict=True))
        outcome |= {"accuracy": right / len(labels), "loss": loss, "held_out": len(labels)}
        return outcome

    def summarize(self, parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        return findings.summary(parameters, outcomes)


def _settings(
    parameters: ArtistsParameters, setting: Setting, fold: int | None, *, keep: bool = False
) -> dict[str, Any]:
    """All that decides a cell, without what only other cells need."""
    from lab.recipes import Recipe

    settings: dict[str, Any] = {
        "data": parameters.data.model_dump(mode="json", exclude_defaults=True),
        "fold": fold,
        "network": setting.network(),
        "recipe": Recipe.of(setting.recipe()).as_settings(),
        "keep": keep,
    }
    if fold is not None:
        settings["folds"] = parameters.folds
    if setting.patience:
        settings["inner"] = parameters.inner
    return settings


def _on_folds(
    parameters: ArtistsParameters,
    name: str,
    setting: Setting,
    folds: int | None = None,
    *,
    keep: bool = False,
) -> list[Cell]:
    """A cell for each of the first `folds` folds of all repeats; a fold has the same seed for every
    setting.
    """
    return [
        Cell(f"{name}/{fold}", _settings(parameters, setting, fold, keep=keep), fold)
        for fold in range(parameters.folds * parameters.repeats if folds is None else folds)
    ]


@lru_cache(maxsize=1)
def _parts(chosen: Pictures) -> tuple[ImageSet, ImageSet]:
    """What every choice is made on, and the test images."""
    from lab.datasets import load
    from lab.datasets.splits import stratified

    images = load(
        chosen.name, chosen.split, size=(chosen.size, chosen.size), grey=False, damaged=chosen.damaged
    )
    count = len(images) if chosen.images is None else chosen.images
    test = round(chosen.test * count)
    rest, kept = stratified(images.labels, [count - test, test], chosen.split_seed, images.classes)
    return images.select(rest), images.select(kept)


def _fold(pool: ImageSet, folds: int, number: int) -> tuple[ImageSet, ImageSet]:
    """Training images and those held out. Folds 0 … n − 1 are one partition, n … 2n − 1 another."""
    from numpy import arange, setdiff1d

    from lab.datasets import splits

    repeat, fold = divmod(number, folds)
    held_out = splits.folds(pool.labels, folds, repeat, pool.classes)[fold]
    return pool.select(setdiff1d(arange(len(pool)), held_out)), pool.select(held_out)


def _trained(
    cell: Cell, context: Context, training: ImageSet, watched: ImageSet | None
) -> tuple[nn.Module, Data, History]:
    """The cell's network, trained. `watched` images are measured after every epoch and decide nothing: early
    stopping goes by an inner part of the training images."""
    import torch

    from lab.datasets.splits import stratified
    from lab.networks.simple import SimpleCNN
    from lab.recipes import Recipe
    from lab.training import Data, Images, fit

    settings, seed = cell.settings, cell.seed or 0
    inner = None
    if "inner" in settings:
        held = round(settings["inner"] * len(training))
        parts = stratified(training.labels, [len(training) - held, held], seed, training.classes)
        training, inner = training.select(parts[0]), training.select(parts[1])

    def placed(images: ImageSet) -> Images:
        return Images.of(images.images, images.labels, context.device)

    data = Data(
        placed(training),
        mean=(0.5,) * 3,  # values in [−0.5, 0.5], as the hand-out has them
        std=(1.0,) * 3,
        validation=placed(inner) if inner else None,
        test=placed(watched) if watched and settings["keep"] else None,
    )
    torch.manual_seed(seed)
    model = SimpleCNN(len(training.classes), size=training.images.shape[-1], **settings["network"])
    history = fit(
        model,
        data,
        Recipe.of(settings["recipe"]),
        seed=seed,
        checkpoint=context.scratch / "checkpoint.pt",
        report=context.report,
    )
    return model, data, history


def _course(history: History, keep: bool) -> Outcome:
    """What training gave; the held-out images are called validation, as they judge a setting."""
    outcome: Outcome = {
        "diverged": history.outcome == "diverged",
        "epochs": history.best_epoch,
        "seconds": sum(history.seconds),
        "precision": history.precision,
        "train_accuracy": history.train_accuracy[-1] if history.train_accuracy else None,
    }
    if keep:
        parts = {"train": "train", "validation": "test"}
        outcome["history"] = {
            f"{name}_{what}": [round(value, 4) for value in getattr(history, f"{part}_{what}")]
            for name, part in parts.items()
            for what in ("loss", "accuracy")
        }
    return outcome


def _predicted(
    cell: Cell, context: Context, model: nn.Module, data: Data, images: ImageSet, change: str | None
) -> tuple[list[int], list[int], float | None]:
    """True and predicted classes of images that were changed so, and the mean loss where it is a number."""
    import torch

    from lab.augmentation import CHANGES
    from lab.recipes import Recipe
    from lab.training import measure, precision_of, predict

    pixels = torch.from_numpy(images.images).to(context.device)
    labels = torch.from_numpy(images.labels).to(context.device)
    if change:
        pixels = 255 * CHANGES[change](pixels.float() / 255)
    logits = predict(
        model, pixels, data, precision_of(Recipe.of(cell.settings["recipe"]), context.device, model)
    )
    loss, _ = measure(logits, labels)
    return labels.tolist(), logits.argmax(1).tolist(), loss if isfinite(loss) else None


def _final(cell: Cell, context: Context, pool: ImageSet, test: ImageSet) -> Outcome:
    """A final network on the test images as they are (change "none"), and under every change."""
    from lab.augmentation import CHANGES

    model, data, history = _trained(cell, context, pool, None)
    outcome = _course(history, keep=False)
    predictions = {}
    for change in (None, *CHANGES):
        labels, predictions[change or "none"], _ = _predicted(cell, context, model, data, test, change)
    outcome |= {
        "labels": labels,
        "predictions": predictions,
        "training_labels": pool.labels.tolist(),
        "classes": list(pool.classes),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    return outcome


analysis = Artists()

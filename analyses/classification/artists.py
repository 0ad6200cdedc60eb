"""classification.artists: who painted it? Small networks on 451 paintings by eleven artists.

After MIT 6.867 (2016), homework 3, whose splits had no test images; here 90 are kept for the end. Every
choice is made on the other 361, by stratified folds. Expected: a validation accuracy of at least 0.70 for
the best setting, and 0.6 for a random forest on colours. `python runner.py run classification.artists
--profile full`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from analyses import experiments, records
from analyses.classification import _artists_comparisons as comparisons
from analyses.classification._artists_media import painted, under_every_change
from analyses.classification._artists_settings import SPACE, ArtistsParameters, Paintings, Setting
from analyses.classification._artists_summary import summary
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile
from results.schema import Figure

if TYPE_CHECKING:
    from torch import nn

    from lab.colours import Forest
    from lab.datasets import ImageSet
    from lab.recipes import Recipe
    from lab.training import Data, History

SHOWN = 112  # pixels of a drawn picture


class Artists(Analysis[ArtistsParameters]):
    id = "classification.artists"
    title = "Who painted it?"
    question = (
        "What helps a small network to tell eleven painters apart, and which changes of a picture mislead it?"
    )

    def parameters(self, profile: Profile) -> ArtistsParameters:
        if profile == "quick":
            return ArtistsParameters(
                data=Paintings(name="digits", split="train", images=500, size=16),
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

    def check(self, parameters: ArtistsParameters) -> None:
        """Whether every fold, and what early stopping holds back of it, has images of every class."""
        pool, _ = _parts(parameters.data)
        settings = [parameters.baseline, *parameters.searched()]
        settings += [
            parameters.baseline.changed(one)
            for values in parameters.factors.values()
            for one in values.values()
        ]
        stops = any(setting.patience for setting in settings)
        for number in range(parameters.folds * parameters.repeats):
            training, _ = _fold(pool, parameters.folds, number)
            if stops:
                _held_back(training, parameters.inner, number)

    def plan(self, parameters: ArtistsParameters) -> list[Cell]:
        baseline = parameters.baseline
        cells = _on_folds(parameters, "baseline", baseline, evaluate_on_test=True)
        for fold in range(parameters.folds * parameters.repeats):
            cells.append(Cell(f"forest/{fold}", _forest_settings(parameters, fold), fold))
        cells.append(Cell("changes", {"photograph": comparisons.PHOTOGRAPH}))
        for factor, values in parameters.factors.items():
            for value, changes in values.items():
                name = comparisons.factor_name(factor, value)
                cells += _on_folds(parameters, name, baseline.changed(changes))
        for number, setting in enumerate(parameters.searched()):
            cells += _on_folds(
                parameters, f"search/{number}", setting, parameters.search_folds, evaluate_on_test=True
            )
        return cells

    def plan_next(self, parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> list[Cell]:
        """The best drawn settings on all folds; then the best of these and the baseline on all images."""
        settings = parameters.searched()
        cells = []
        for number in comparisons.finalists(parameters, outcomes):
            cells += _on_folds(parameters, f"search/{number}", settings[number], evaluate_on_test=True)
        if all(cell.id in outcomes for cell in cells):
            best = settings[comparisons.winner(parameters, outcomes)]
            for name, setting in (("baseline", parameters.baseline), ("best", best)):
                for seed in range(parameters.seeds):
                    cells.append(
                        Cell(f"final/{name}/{seed}", _settings(parameters, setting, fold=None), seed)
                    )
            for seed in range(parameters.seeds):
                cells.append(Cell(f"final/forest/{seed}", _forest_settings(parameters, fold=None), seed))
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        """Train on the other folds and judge by one; where the settings name none, train on all and test."""
        settings = cell.settings
        if "photograph" in settings:
            return _changed(settings["photograph"])
        pool, test = _parts(settings["data"])
        if settings["fold"] is None:
            return _final(cell, context, pool, test)
        training, held_out = _fold(pool, settings["folds"], settings["fold"])
        if "forest" in settings:
            predicted = _grown(settings["forest"], cell.seed or 0, training).predict(held_out.images)
            return {"diverged": False} | _held_out_outcome(held_out.labels.tolist(), predicted)
        model, data, history = _trained(cell, context, training, held_out)
        outcome = _training_outcome(history, settings["keep"]) | {"images": len(training)}
        labels, predicted, loss = _predicted(cell, context, model, data, held_out, None)
        return outcome | {"loss": loss} | _held_out_outcome(labels, predicted)

    summarize = staticmethod(summary)

    def media(self, parameters: ArtistsParameters, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        return painted(_whole(parameters.data, SHOWN))


def _settings(
    parameters: ArtistsParameters, setting: Setting, fold: int | None, *, evaluate_on_test: bool = False
) -> dict[str, Any]:
    """All that decides a cell, without what only other cells need."""
    settings: dict[str, Any] = {
        "data": parameters.data,
        "fold": fold,
        "network": setting.network(),
        "recipe": setting.recipe(),
        "keep": evaluate_on_test,
    }
    if fold is not None:
        settings["folds"] = parameters.folds
    if setting.patience:
        settings |= {"inner": parameters.inner, "refitted": True}
    return settings


def _forest_settings(parameters: ArtistsParameters, fold: int | None) -> dict[str, Any]:
    return {
        "data": parameters.data,
        "fold": fold,
        "forest": parameters.forest.model_dump(),
        **({"folds": parameters.folds} if fold is not None else {}),
    }


def _on_folds(
    parameters: ArtistsParameters,
    name: str,
    setting: Setting,
    folds: int | None = None,
    *,
    evaluate_on_test: bool = False,
) -> list[Cell]:
    """A cell for each of the first `folds` folds of all repeats; a fold has the same seed for every
    setting.
    """
    return [
        Cell(f"{name}/{fold}", _settings(parameters, setting, fold, evaluate_on_test=evaluate_on_test), fold)
        for fold in range(parameters.folds * parameters.repeats if folds is None else folds)
    ]


def _whole(chosen: Paintings, size: int | None = None) -> ImageSet:
    """All images, at the height and width of training where no other is given."""
    from lab.datasets import load

    side = size or chosen.size
    return load(chosen.name, chosen.split, size=(side, side), grey=False, damaged=chosen.damaged)


@lru_cache(maxsize=1)
def _parts(chosen: Paintings) -> tuple[ImageSet, ImageSet]:
    """What every choice is made on, and the test images."""
    from lab.datasets import DataError
    from lab.datasets.sufficiency import require_classes

    images = _whole(chosen)
    require_classes({"training": images})
    count = len(images) if chosen.images is None else chosen.images
    if count > len(images):
        raise DataError(
            f"{count:,} images are asked for, and {chosen.name} has {len(images):,}; ask for fewer, with "
            "`--set data.images=…`"
        )
    test = round(chosen.test * count)
    pool, kept = experiments.stratified_split(images, [count - test, test], chosen.split_seed)
    return pool, kept


def _fold(pool: ImageSet, folds: int, number: int) -> tuple[ImageSet, ImageSet]:
    """Training images and those held out. Folds 0 … n − 1 are one partition, n … 2n − 1 another."""
    from numpy import arange, setdiff1d

    from lab.datasets import splits

    repeat, fold = divmod(number, folds)
    held_out = splits.folds(pool.labels, folds, repeat, pool.classes)[fold]
    return pool.select(setdiff1d(arange(len(pool)), held_out)), pool.select(held_out)


def _held_back(training: ImageSet, share: float, seed: int) -> list[ImageSet]:
    """The training images, without and within the share that decides when early stopping stops."""
    held = round(share * len(training))
    return experiments.stratified_split(training, [len(training) - held, held], seed)


def _trained(
    cell: Cell, context: Context, training: ImageSet, watched: ImageSet | None
) -> tuple[nn.Module, Data, History]:
    """The cell's network, trained. `watched` images are measured after every epoch and decide nothing. Where
    the settings stop early, an inner part of the training images decides after which epoch; the network is
    then trained anew for so many epochs on all of them, and a schedule ends with these.
    """
    settings = cell.settings
    recipe: Recipe = settings["recipe"]
    seconds: list[float] = []
    if "inner" in settings:
        first, inner = _held_back(training, settings["inner"], cell.seed or 0)
        data = _data(context, first, validation=inner)
        _, stopped = _fitted(cell, context, recipe, data, len(training.classes), "inner")
        recipe = replace(recipe, epochs=stopped.best_epoch or 1, patience=0)
        seconds = stopped.seconds
    data = _data(context, training, test=watched if settings["keep"] else None)
    model, history = _fitted(cell, context, recipe, data, len(training.classes))
    history.seconds = [*seconds, *history.seconds]
    return model, data, history


def _data(
    context: Context,
    training: ImageSet,
    validation: ImageSet | None = None,
    test: ImageSet | None = None,
) -> Data:
    from lab.training import Data, Images

    def placed(images: ImageSet | None) -> Images | None:
        return Images.of(images.images, images.labels, context.device) if images else None

    train = placed(training)
    assert train is not None
    # values in [−0.5, 0.5], as the hand-out has them
    return Data(train, (0.5,) * 3, (1.0,) * 3, placed(validation), placed(test))


def _fitted(
    cell: Cell, context: Context, recipe: Recipe, data: Data, classes: int, checkpoint: str = "checkpoint"
) -> tuple[nn.Module, History]:
    import torch

    from lab.networks.simple import SimpleCNN

    torch.manual_seed(cell.seed or 0)
    model = SimpleCNN(classes, size=data.train.images.shape[-1], **cell.settings["network"])
    return model, experiments.fit(model, data, recipe, cell, context, name=checkpoint)


def _grown(forest: dict[str, int], seed: int, training: ImageSet) -> Forest:
    from lab.colours import Forest

    return Forest(forest["trees"], forest["dark"], seed).fit(training.images, training.labels)


def _held_out_outcome(labels: list[int], predicted: list[int]) -> Outcome:
    """What is kept of held-out images: how many there are, their classes, and what was said of each."""
    right = sum(a == b for a, b in zip(labels, predicted, strict=True))
    return {
        "accuracy": right / len(labels),
        "held_out": len(labels),
        "labels": records.as_text(labels),
        "predictions": records.as_text(predicted),
    }


def _changed(photograph: str) -> Outcome:
    """A photograph that may be shown, as it is and under every change, as pictures."""
    import torch
    from sklearn.datasets import load_sample_image
    from torch.nn import functional as F

    pixels = (
        torch.from_numpy(load_sample_image(f"{photograph}.jpg").copy()).permute(2, 0, 1)[None].float() / 255
    )
    side = min(pixels.shape[2:])
    square = F.interpolate(pixels[..., :side, :side], (SHOWN, SHOWN), mode="area")
    return {"diverged": False, "pictures": under_every_change(square)}


def _training_outcome(history: History, evaluate_on_test: bool) -> Outcome:
    """What training gave; the held-out images are called validation, as they judge a setting."""
    outcome: Outcome = {
        "diverged": history.outcome == "diverged",
        "epochs": history.best_epoch,
        "seconds": sum(history.seconds),
        "precision": history.precision,
        "train_accuracy": history.train_accuracy[-1] if history.train_accuracy else None,
    }
    if evaluate_on_test:
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
    from lab.training import measure, precision_of, predict

    pixels = torch.from_numpy(images.images).to(context.device)
    labels = torch.from_numpy(images.labels).to(context.device)
    if change:
        pixels = 255 * CHANGES[change](pixels.float() / 255)
    dtype = precision_of(cell.settings["recipe"], context.device, model)
    logits = predict(model, pixels, data, dtype)
    loss, _ = measure(logits, labels)
    return labels.tolist(), logits.argmax(1).tolist(), loss if isfinite(loss) else None


def _final(cell: Cell, context: Context, pool: ImageSet, test: ImageSet) -> Outcome:
    """A final network on the test images as they are (change "none"), and under every change; a final forest
    on them as they are.
    """
    from lab.augmentation import CHANGES

    if forest := cell.settings.get("forest"):
        return {
            "diverged": False,
            "labels": test.labels.tolist(),
            "predictions": {"none": _grown(forest, cell.seed or 0, pool).predict(test.images)},
        }
    model, data, history = _trained(cell, context, pool, None)
    outcome = _training_outcome(history, evaluate_on_test=False)
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

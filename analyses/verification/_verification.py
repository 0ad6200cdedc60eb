"""What the verification experiments share: faces divided by person, four ways to tell people apart, and how
their distances are judged.

A cell's settings are `faces` (Faces), `test` (the people who are tested on; all others are trained on),
`method` and the settings of that method.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from analyses import experiments
from analyses.experiments import FRACTION
from analyses.plugin import Cell, Context, Outcome, Parameters
from analyses.transfer._transfer import kept_features
from lab.verification import Pairs
from results.schema import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.datasets import ImageSet

#: Words of each method, in the order of tables.
METHODS = {
    "pixels": "Raw pixels",
    "backbone": "Features of ImageNet",
    "contrastive": "Siamese network, contrastive loss",
    "mining": "New network, mined pairs",
}
RATES = (0.01, 0.1)  # false positive rates at which thresholds are fixed besides
RESAMPLES = 999


class Faces(BaseModel):
    """A data set of faces. size: of the grey images that the networks are given, in pixels; at most `people`
    of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "att_faces"
    split: str = "all"
    size: int = Field(100, ge=32)
    people: int | None = Field(None, ge=4)
    damaged: Literal["refuse", "skip"] = "refuse"


#: The people who are tested on, by name; or which of how many folds, drawn by which seed.
Tested = Sequence[str] | Mapping[str, int]


class VerificationParameters(Parameters):
    """published, heldout: people of two splits, who are tested on in turn. By the source of the Siamese
    network s5, s6 and s7; and the seven of whom there are images with glasses and without.

    pairs, margin, rate, epochs: of the Siamese network. weights, layer, view: of the network whose
    activations are taken, at images of `view` pixels. glasses: sets of images with drawn glasses that are
    added to the training of the new network; width, share, scale, batch_people, batch_each, batches,
    mining_rate, mining_epochs: of that. siamese_seeds: of the Siamese network, which is dear; seeds: of the
    new one.
    """

    faces: Faces = Faces()
    published: tuple[str, ...] = Field(("s5", "s6", "s7"), min_length=2)
    heldout: tuple[str, ...] = Field(("s4", "s7", "s13", "s17", "s19", "s20", "s36"), min_length=2)
    pairs: int = Field(370, ge=1)
    pair_batch: int = Field(64, ge=1)
    margin: float = Field(2.0, gt=0)
    rate: float = Field(5e-4, gt=0)
    epochs: int = Field(100, ge=1)
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    layer: str = "blocks.5"
    view: int = Field(112, ge=32)
    glasses: int = Field(2, ge=0)
    width: int = Field(64, ge=2)
    share: float = Field(0.5, ge=0, le=1)
    scale: float = Field(16.0, ge=0)
    batch_people: int = Field(16, ge=2)
    batch_each: int = Field(4, ge=2)
    batches: int = Field(6, ge=1)
    mining_rate: float = Field(1e-3, gt=0)
    mining_epochs: int = Field(60, ge=1)
    seeds: int = Field(3, ge=1)
    siamese_seeds: int = Field(1, ge=1)

    def recipe(self, method: str) -> dict[str, Any]:
        """Of a method that is trained. A batch of pairs has two images for each."""
        if method == "contrastive":
            return {
                "epochs": self.epochs,
                "batch": 2 * self.pair_batch,
                "optimizer": "adam",
                "learning_rate": self.rate,
            }
        return {
            "epochs": self.mining_epochs,
            "batch": self.batch_people * self.batch_each,
            "optimizer": "adamw",
            "learning_rate": self.mining_rate,
            "weight_decay": 0.01,
            "schedule": "cosine",
        }

    def cells(
        self, split: str, test: Tested, method: str, *, siamese_seeds: int = 0, **changes: Any
    ) -> list[Cell]:
        """`SPLIT/METHOD/SEED`; a method without training has one seed. siamese_seeds: if not the usual."""
        from lab.recipes import Recipe

        settings: dict[str, Any] = {
            "faces": self.faces.model_dump(mode="json", exclude_defaults=True),
            "test": test,
            "method": method,
        }
        network = self.model_dump(
            mode="json", include={"weights", "architecture", "download", "layer", "view"}
        )
        if method == "backbone":
            settings |= {**network, "layer": ""}
        elif method == "contrastive":
            settings |= self.model_dump(mode="json", include={"pairs", "margin"})
        elif method == "mining":
            settings |= network | self.model_dump(
                mode="json",
                include={"glasses", "width", "share", "scale", "batch_people", "batch_each", "batches"},
            )
        seeds = {"contrastive": siamese_seeds or self.siamese_seeds, "mining": self.seeds}.get(method, 0)
        if seeds:
            settings["recipe"] = Recipe.of(self.recipe(method)).as_settings()
        name = "_".join([method, *changes])
        return [Cell(f"{split}/{name}/{seed}", settings | changes, seed) for seed in range(seeds or 1)]


@lru_cache(maxsize=1)
def load(faces: Faces) -> ImageSet:
    """All faces, grey; those of the first people where not all are wanted."""
    import numpy as np

    from lab.datasets import load as load_images

    images = load_images(
        faces.name, faces.split, size=(faces.size, faces.size), grey=True, damaged=faces.damaged
    )
    if faces.people is None:
        return images
    return images.select(np.flatnonzero(images.labels < faces.people))


def tested_people(faces: Faces, test: Tested) -> list[str]:
    """By name. DataError where someone is not there, or there are too few for so many folds."""
    import numpy as np

    from lab.datasets import DataError

    images = load(faces)
    there = [images.classes[label] for label in sorted(set(images.labels.tolist()))]
    if isinstance(test, Mapping):
        if len(there) < 2 * test["of"]:
            raise DataError(
                f"{len(there)} people are too few for {test['of']} folds of two; ask for fewer folds"
            )
        order = np.random.default_rng(test["seed"]).permutation(len(there))
        return [there[index] for index in sorted(np.array_split(order, test["of"])[test["fold"]])]
    unknown = [person for person in test if person not in there]
    if unknown:
        raise DataError(
            f"{images.name} has no person {unknown[0]}; it has {there[0]} … {there[-1]}; who is tested on is "
            "chosen with --set published=… and heldout=…"
        )
    if len(set(there) - set(test)) < 2:
        raise DataError(
            f"of {len(there)} people {len(set(test))} are tested on, which leaves no two to train with"
        )
    return list(test)


def divided(faces: Faces, test: Tested) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the images to train with and to test on, which share no person.

    DataError besides where a person has one image only.
    """
    import numpy as np

    from lab.datasets import DataError

    people = tested_people(faces, test)
    images = load(faces)
    counts = np.bincount(images.labels)
    if 1 in counts:
        raise DataError(
            f"{images.classes[counts.tolist().index(1)]} has one image only in {images.name}, and no pair of "
            "the same person; add another, or leave the person out"
        )
    tested = np.isin(images.labels, [images.classes.index(person) for person in people])
    return np.flatnonzero(~tested), np.flatnonzero(tested)


def glasses_of(faces: Faces) -> dict[str, bool]:
    """File → whether it shows glasses, from the data set's glasses.csv (file, subject, glasses)."""
    from lab.datasets import DataError, locate

    text = locate(faces.name).text("glasses.csv")
    try:
        return {row["file"]: bool(int(row["glasses"])) for row in csv.DictReader(text.splitlines())}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"glasses.csv of {faces.name} cannot be read ({error}); its columns are file, subject, glasses"
        ) from None


def run(
    cell: Cell, context: Context, others: NDArray[np.uint8] | None = None
) -> tuple[Outcome, NDArray[np.float64]]:
    """Distances of all pairs of the test images, and thresholds that the training images alone chose; and
    the distances between `others`, (N, 1, size, size), of people that nothing was trained on: (N, N), empty
    without them.
    """
    import numpy as np
    from scipy.spatial.distance import squareform

    from lab import verification

    settings = cell.settings
    faces = Faces.model_validate(settings["faces"])
    train, test = divided(faces, settings["test"])
    images = load(faces)
    work = {"pixels": _pixels, "backbone": _backbone, "contrastive": _contrastive, "mining": _mining}
    embed, told = work[settings["method"]](cell, context, images, train)
    cosine = settings["method"] in ("backbone", "mining")
    points = embed(images.images)
    judged = {
        name: Pairs.of(_distances(points[indices], cosine), *(images.labels[indices][i] for i in ends))
        for name, indices in (("train", train), ("test", test))
        for ends in (verification.every(len(indices)),)
    }
    thresholds = {"balanced": verification.balanced_threshold(judged["train"])}
    for rate in RATES:
        thresholds[f"{rate:g}"] = verification.threshold_at(judged["train"], rate)
    between = np.zeros((0, 0)) if others is None else squareform(_distances(embed(others), cosine))
    return told | {
        "diverged": told.get("diverged", False),
        "files": [images.files[index] for index in test],
        "people": [images.classes[label] for label in images.labels[test]],
        "distances": np.round(judged["test"].distances, 5).tolist(),
        "thresholds": {name: float(value) for name, value in thresholds.items()},
        "train_auc": float(verification.auc(judged["train"])[0]),
        "faces": {"people": len(set(images.labels.tolist())), "images": len(images)},
    }, between


def _distances(points: NDArray[np.float64], cosine: bool) -> NDArray[np.float64]:
    """Of all pairs: Euclidean, or one less the cosine. Networks that diverged give no numbers: all alike."""
    import numpy as np
    from scipy.spatial.distance import pdist

    points = np.asarray(points.reshape(len(points), -1), np.float64)
    if not np.isfinite(points).all():
        return np.zeros(len(points) * (len(points) - 1) // 2)
    if not cosine:
        return np.asarray(pdist(points))
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(pdist(points / np.maximum(lengths, 1e-12), "sqeuclidean") / 2)


#: uint8 images (N, 1, size, size) → where they are placed, (N, …).
Embed = Callable[[Any], Any]


def _pixels(cell: Cell, context: Context, images: ImageSet, train: Any) -> tuple[Embed, Outcome]:
    return lambda pixels: pixels / 255, {}


def _network(settings: Mapping[str, Any]) -> Any:
    from lab import weights

    return weights.load(
        settings["weights"], settings["architecture"], size=settings["view"], download=settings["download"]
    )


def _backbone(cell: Cell, context: Context, images: ImageSet, train: Any) -> tuple[Embed, Outcome]:
    from lab import weights

    network = _network(cell.settings)

    def embed(pixels: Any) -> Any:
        return kept_features(network, pixels, device=context.device).numpy()

    return embed, {"weights": weights.describe(network)}


def _fitted(cell: Cell, context: Context, model: Any, data: Any, objective: Any, order: Any) -> Outcome:
    from lab.recipes import Recipe
    from lab.training import fit

    history = fit(
        model,
        data,
        Recipe.of(cell.settings["recipe"]),
        objective,
        order=order,
        seed=cell.seed or 0,
        checkpoint=context.scratch / "checkpoint.pt",
        report=context.report,
    )
    return {
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "training_seconds": sum(history.seconds),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _contrastive(cell: Cell, context: Context, images: ImageSet, train: Any) -> tuple[Embed, Outcome]:
    """The published network and loss: pixels from 0 to 1, pairs drawn anew every epoch."""
    import torch

    from lab.networks.siamese import SiameseTower
    from lab.pair_training import Contrastive, DrawnPairs
    from lab.recipes import Recipe
    from lab.training import Data, Images, precision_of, predict

    settings = cell.settings
    shown = Images.of(images.images[train], images.labels[train], context.device)
    data = Data(shown, (0.0,), (1.0,))
    torch.manual_seed(cell.seed or 0)
    model = SiameseTower()
    told = _fitted(cell, context, model, data, Contrastive(settings["margin"]), DrawnPairs(settings["pairs"]))
    dtype = precision_of(Recipe.of(settings["recipe"]), context.device, model)

    def embed(pixels: Any) -> Any:
        placed = torch.from_numpy(pixels[:]).to(context.device)
        return predict(model, placed, data, dtype).cpu().numpy()

    return embed, told


def _mining(cell: Cell, context: Context, images: ImageSet, train: Any) -> tuple[Embed, Outcome]:
    """A linear layer on a pre-trained network's activations, which are kept; of the images, of their mirror
    images, and with glasses drawn.
    """
    import numpy as np
    import torch

    from lab import weights
    from lab.datasets.faces import with_glasses
    from lab.networks.siamese import LinearEmbedding
    from lab.pair_training import Balanced, MiningContrastive
    from lab.recipes import Recipe
    from lab.training import Data, Images, precision_of, predict

    settings = cell.settings
    network = _network(settings)

    def kept(pixels: Any) -> Any:
        return kept_features(network, pixels, settings["layer"], kept_as=torch.float16, device=context.device)

    views = [images.images, images.images[..., ::-1]]
    for seed in range(settings["glasses"]):
        worn = with_glasses(images.images, seed)
        views.append(worn[..., ::-1] if seed % 2 else worn)
    activations = [kept(view)[train] for view in views]  # of all images: other splits find them again
    people = np.unique(images.labels[train], return_inverse=True)[1].astype(np.int64)
    shown = Images(
        torch.cat(activations).to(context.device),
        torch.from_numpy(np.tile(people, len(views))).to(context.device),
    )
    own = activations[0].float()
    axes = (0, *range(2, own.ndim))
    mean, spread = own.mean(axes) / 255, own.std(axes).clamp(min=1e-3) / 255
    data = Data(shown, tuple(mean.tolist()), tuple(spread.tolist()))
    torch.manual_seed(cell.seed or 0)
    model = LinearEmbedding(own.shape[1:], settings["width"], int(people.max()) + 1)
    told = _fitted(
        cell,
        context,
        model,
        data,
        MiningContrastive(settings["share"], settings["scale"]),
        Balanced(settings["batch_people"], settings["batch_each"], settings["batches"]),
    )
    dtype = precision_of(Recipe.of(settings["recipe"]), context.device, model)

    def embed(pixels: Any) -> Any:
        return predict(model, kept(pixels).to(context.device), data, dtype).cpu().numpy()

    return embed, told | {"weights": weights.describe(network)}


@dataclass(frozen=True)
class Judged:
    """One method on some splits that are tested in turn, folds of the people: its pairs by split and seed,
    and the thresholds beside them.
    """

    pairs: Sequence[Sequence[Pairs]]
    thresholds: Sequence[Sequence[Mapping[str, float]]]

    @classmethod
    def of(cls, outcomes: Sequence[Sequence[Outcome]]) -> Judged:
        """outcomes: by split and seed."""
        return cls(
            [[pairs_of(one) for one in runs] for runs in outcomes],
            [[one["thresholds"] for one in runs] for runs in outcomes],
        )


def pairs_of(outcome: Outcome) -> Pairs:
    """The pairs of the test images of a cell; people by number, in the order of their first image."""
    import numpy as np

    from lab.verification import every

    names = list(dict.fromkeys(outcome["people"]))
    people = np.array([names.index(person) for person in outcome["people"]])
    first, second = every(len(people))
    return Pairs.of(outcome["distances"], people[first], people[second])


def aucs(judged: Judged) -> tuple[float, NDArray[np.float64]]:
    """The mean AUC over splits and seeds, and of people drawn again, (RESAMPLES,): of every split the same
    draws for each method and seed.
    """
    from lab import verification

    return _means(judged, lambda pairs, weights, thresholds: verification.auc(pairs, weights))


def accepted(judged: Judged, which: Any = None) -> tuple[float, NDArray[np.float64]]:
    """As `aucs`, of the share of the same pairs accepted at the balanced threshold; which: (M,) bool by
    split, the pairs that are looked at.
    """
    import numpy as np

    def share(pairs: Pairs, weights: Any, thresholds: Mapping[str, float], split: int = 0) -> Any:
        chosen = pairs.same if which is None else pairs.same & which[split]
        weights = np.ones((1, len(pairs))) if weights is None else weights
        total = (weights * chosen).sum(1)
        called = (weights * (chosen & (pairs.distances < thresholds["balanced"]))).sum(1)
        return called / np.where(total > 0, total, np.nan)

    return _means(judged, share, numbered=which is not None)


def _means(judged: Judged, measure: Any, numbered: bool = False) -> tuple[float, NDArray[np.float64]]:
    import numpy as np

    from lab import verification

    values, drawn = [], []
    for split, (runs, thresholds) in enumerate(zip(judged.pairs, judged.thresholds, strict=True)):
        weights = verification.drawn_again(runs[0], RESAMPLES, seed=split)
        more = {"split": split} if numbered else {}
        pairs = list(zip(runs, thresholds, strict=True))
        values.append(np.mean([measure(one, None, limits, **more) for one, limits in pairs]))
        drawn.append(np.mean([measure(one, weights, limits, **more) for one, limits in pairs], axis=0))
    return float(np.mean(values)), np.nanmean(drawn, axis=0)


def estimated(value: float, drawn: NDArray[np.float64], title: str, unit: str = FRACTION) -> Metric:
    """With the 95% percentile interval of the draws."""
    import numpy as np

    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Metric(value=value, title=title, unit=unit, low=min(low, value), high=max(high, value), level=0.95)


def rates_of(judged: Judged, threshold: str = "balanced") -> dict[str, float]:
    """Mean rates over splits and seeds at the thresholds that training people chose."""
    import numpy as np

    from lab import verification

    found = [
        verification.rates(pairs, limits[threshold])
        for runs, thresholds in zip(judged.pairs, judged.thresholds, strict=True)
        for pairs, limits in zip(runs, thresholds, strict=True)
    ]
    return {
        name: float(np.nanmean([getattr(one, name) for one in found]))
        for name in ("true_positive", "false_positive", "accuracy", "balanced")
    }


def error_rate(judged: Judged) -> float:
    """Mean equal error rate over splits and seeds."""
    from statistics import mean

    from lab import verification

    return mean(verification.equal_error_rate(pairs) for runs in judged.pairs for pairs in runs)


def weights_note(outcomes: Mapping[str, Outcome]) -> str:
    """The pre-trained weights that some cell has used."""
    told = next(one["weights"] for one in outcomes.values() if "weights" in one)
    return f"Weights: {told['source']} ({told['architecture']}), SHA-256 {told['sha256']}."


def split_runs(outcomes: Mapping[str, Outcome], splits: Sequence[str], method: str) -> Judged:
    return Judged.of([experiments.of(outcomes, f"{split}/{method}") for split in splits])

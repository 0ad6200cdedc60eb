"""What the verification experiments share: faces divided by person, and six ways to tell people apart.

A cell's settings are `faces` (Faces), `test` (the people who are tested on; all others are trained on),
`method` and the settings of that method.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from analyses import experiments
from analyses.plugin import Cell, Context, Outcome, Parameters
from lab.verification import Pairs
from results.schema import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.datasets import ImageSet

#: Words of each method, in the order of tables.
METHODS = {
    "pixels": "Raw pixels",
    "backbone": "Pretrained features",
    "contrastive": "Siamese network, contrastive loss",
    "mining": "New network, mined pairs",
}
#: The other two of two networks and two losses, so that what each of the two brings can be told apart.
CROSSED = {
    "tutorial_mining": "Siamese network, mined pairs",
    "new_contrastive": "New network, contrastive loss",
}
#: Words of each within a sentence.
IN_TEXT = {
    "pixels": "raw pixels",
    "backbone": "the pretrained features",
    "contrastive": "the tutorial's network",
    "mining": "the new network",
    "tutorial_mining": "the tutorial's network with mined pairs",
    "new_contrastive": "the new network with the contrastive loss",
}
TOWER = ("contrastive", "tutorial_mining")  # trained from scratch; the other trained ones stand on features
TRAINED = (*TOWER, "mining", "new_contrastive")
COSINE = ("backbone", "mining", "tutorial_mining")  # the others are judged by Euclidean distances
RATES = (0.01, 0.1)  # false positive rates at which thresholds are fixed also
PAIR_FIELDS = ("distances", "first", "second")


class Faces(BaseModel):
    """A data set of faces. size: of the grey images that the networks are given, in pixels; at most `people`
    of them. crop: whether an image of another shape is cut to a square, which takes the forehead or the chin;
    else the whole image is scaled to one, as the tutorial does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "att_faces"
    split: str = "all"
    size: int = Field(100, ge=32)
    people: int | None = Field(None, ge=4)
    crop: bool = False
    damaged: Literal["refuse", "skip"] = "refuse"


#: The people who are tested on, by name; or which of how many folds, drawn by which seed.
Tested = Sequence[str] | Mapping[str, int]


class VerificationParameters(Parameters):
    """published, heldout: people of two splits, who are tested on in turn. By the source of the Siamese
    network s5, s6 and s7; and the seven of whom there are images with glasses and without.

    pairs, margin, rate, epochs: of the Siamese network. weights, layer, view: of the network whose
    activations are taken, at images of `view` pixels. glasses: sets of images with drawn glasses that are
    added to the training of the new network; width, share, scale, batch_people, batch_each, batches,
    mining_rate, mining_epochs: of that. seeds: of every network on every split.

    inner_folds: parts of the training people. A network that was trained on the others tells in turn how far
    apart the people of a part lie, whom it has never seen: these distances choose the threshold. inner_seeds:
    how often. Two parts only for the Siamese network, which takes two minutes to train.
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
    inner_folds: int = Field(4, ge=2)
    tower_inner_folds: int = Field(2, ge=2)
    inner_seeds: int = Field(1, ge=1)

    def recipe(self, method: str) -> dict[str, Any]:
        """Of a method that is trained. A batch of pairs has two images for each."""
        batch = self.batch_people * self.batch_each if method.endswith("mining") else 2 * self.pair_batch
        if method in TOWER:
            return {"epochs": self.epochs, "batch": batch, "optimizer": "adam", "learning_rate": self.rate}
        return {
            "epochs": self.mining_epochs,
            "batch": batch,
            "optimizer": "adamw",
            "learning_rate": self.mining_rate,
            "weight_decay": 0.01,
            "schedule": "cosine",
        }

    def cells(self, split: str, test: Tested, method: str, **changes: Any) -> list[Cell]:
        """`SPLIT/METHOD/SEED`, and of a method that is trained `SPLIT/METHOD_inner/SEED`, which choose its
        thresholds; a method without training has one seed.
        """
        from lab.recipes import Recipe

        network = {"weights", "architecture", "download", "layer", "view"}
        used = {
            "backbone": network - {"layer"},
            "contrastive": {"pairs", "margin"},
            "tutorial_mining": {"width", "share", "scale", "batch_people", "batch_each", "batches"},
            "new_contrastive": network | {"glasses", "width", "pairs", "margin"},
            "mining": network
            | {"glasses", "width", "share", "scale", "batch_people", "batch_each", "batches"},
        }.get(method, set())
        settings: dict[str, Any] = {
            "faces": self.faces.model_dump(mode="json", exclude_defaults=True),
            "test": test,
            "method": method,
            **self.model_dump(mode="json", include=used),
        }
        if method == "backbone":
            settings["layer"] = ""
        name = "_".join([method, *changes])
        if method not in TRAINED:
            return [Cell(f"{split}/{name}/0", settings | changes, 0)]
        settings |= {"recipe": Recipe.of(self.recipe(method)).as_settings()} | changes
        inner = {"inner": self.tower_inner_folds if method in TOWER else self.inner_folds}
        return [
            *(Cell(f"{split}/{name}/{seed}", settings, seed) for seed in range(self.seeds)),
            *(
                Cell(f"{split}/{name}_inner/{seed}", settings | inner, seed)
                for seed in range(self.inner_seeds)
            ),
        ]


def check_people(parameters: VerificationParameters, tests: Iterable[Tested]) -> None:
    """DataError where a split cannot be trained and tested."""
    for test in tests:
        divided(parameters.faces, test, max(parameters.inner_folds, parameters.tower_inner_folds))


@lru_cache(maxsize=1)
def load(faces: Faces) -> ImageSet:
    """All faces, grey; those of the first people where not all are wanted."""
    import numpy as np

    images = load_named(faces, faces.name, faces.split)
    if faces.people is None:
        return images
    return images.select(np.flatnonzero(images.labels < faces.people))


def load_named(faces: Faces, name: str, split: str = "all") -> ImageSet:
    """The images of any data set, of the size and shape of the faces."""
    from lab.datasets import Whole
    from lab.datasets import load as load_images

    square = (faces.size, faces.size)
    size = square if faces.crop else Whole(*square)
    return load_images(name, split, size=size, grey=True, damaged=faces.damaged)


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
    if len(set(test)) < 2:
        raise DataError(f"{test[0]} alone makes no pair of two people; test on two at least")
    if len(set(there) - set(test)) < 2:
        raise DataError(
            f"of {len(there)} people {len(set(test))} are tested on, which leaves no two to train with"
        )
    return list(test)


def divided(faces: Faces, test: Tested, inner: int = 1) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the images to train with and to test on, which share no person.

    DataError also where a person has one image only, or where the people to train with are too few for so
    many `inner` parts of two.
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
    left = len(set(images.labels.tolist())) - len(people)
    if left < 2 * inner:
        raise DataError(
            f"{left} people of {images.name} are left to train with, too few for {inner} inner parts of two; "
            "test on fewer people, or ask for fewer parts with --set inner_folds=2 and tower_inner_folds=2"
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
    """Distances of all pairs of the test images; and the distances between `others`, (N, 1, size, size), of
    people that nothing was trained on: (N, N), empty without them. Of a cell of inner folds: thresholds.
    """
    import numpy as np
    from scipy.spatial.distance import squareform

    from lab import verification

    settings = cell.settings
    faces = Faces.model_validate(settings["faces"])
    train, test = divided(faces, settings["test"], settings.get("inner", 1))
    if "inner" in settings:
        return _inner(cell, context, load(faces), train), np.zeros((0, 0))
    images = load(faces)
    embed, told = _WORK[settings["method"]](cell, context, images, train)
    cosine = settings["method"] in COSINE
    points = embed(images.images)
    known, strangers = (_pairs(points, images, indices, cosine) for indices in (train, test))
    if settings["method"] not in TRAINED:  # its training people are strangers to it
        told |= {"thresholds": _thresholds(known)}
    between = np.zeros((0, 0)) if others is None else squareform(_distances(embed(others), cosine))
    return told | {
        "diverged": told.get("diverged", False),
        "files": [images.files[index] for index in test],
        "people": [images.classes[label] for label in images.labels[test]],
        "distances": np.round(strangers.distances, 5).tolist(),
        "train_auc": float(verification.auc(known)[0]),
        "faces": {"people": len(set(images.labels.tolist())), "images": len(images)},
    }, between


def _inner(cell: Cell, context: Context, images: ImageSet, train: NDArray[np.int64]) -> Outcome:
    """Thresholds of the pairs of training people whom networks have not seen: those of each part, by a
    network that was trained on the other parts. Pairs of one part only, as the networks differ.
    """
    import numpy as np

    from lab import verification

    settings, count = cell.settings, cell.settings["inner"]
    people = np.random.default_rng((cell.seed or 0, count)).permutation(np.unique(images.labels[train]))
    found, histories, diverged = [], [], False
    for part, left_out in enumerate(np.array_split(people, count)):
        out = np.isin(images.labels[train], left_out)

        def report(fraction: float, message: str, part: int = part) -> None:
            context.report((part + fraction) / count, f"part {part + 1} of {count}, {message}")

        there = replace(context, scratch=context.scratch / f"part{part}", report=report)
        there.scratch.mkdir(parents=True, exist_ok=True)
        embed, told = _WORK[settings["method"]](cell, there, images, train[~out])
        points = embed(images.images)
        found.append(_pairs(points, images, train[out], settings["method"] in COSINE))
        histories.append(told["training_seconds"])
        diverged |= told["diverged"]
    pooled = Pairs(*(np.concatenate([getattr(one, name) for one in found]) for name in PAIR_FIELDS))
    thresholds = _thresholds(pooled)
    rates = verification.rates(pooled, thresholds["balanced"])
    return {
        "thresholds": thresholds,
        "diverged": diverged,
        "training_seconds": sum(histories),
        "auc": float(verification.auc(pooled)[0]),
        "true_positive": rates.true_positive,
        "false_positive": rates.false_positive,
        "people": len(people),
    }


def _pairs(points: Any, images: ImageSet, indices: NDArray[np.int64], cosine: bool) -> Pairs:
    from lab import verification

    first, second = verification.every(len(indices))
    labels = images.labels[indices]
    return Pairs.of(_distances(points[indices], cosine), labels[first], labels[second])


def _thresholds(pairs: Pairs) -> dict[str, float]:
    """The balanced one, and those at fixed false positive rates."""
    from lab import verification

    fixed = {f"{rate:g}": float(verification.threshold_at(pairs, rate)) for rate in RATES}
    return {"balanced": float(verification.balanced_threshold(pairs)), **fixed}


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
    from lab.features import cached_features

    network = _network(cell.settings)

    def embed(pixels: Any) -> Any:
        return cached_features(network, pixels, device=context.device).numpy()

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


def _tower(cell: Cell, context: Context, images: ImageSet, train: Any) -> tuple[Embed, Outcome]:
    """The published network on pixels from 0 to 1: with the published loss of pairs drawn anew every epoch,
    or with mined pairs, for which its two outputs become `width`, since two cosines place no 37 people.
    """
    import numpy as np
    import torch

    from lab.networks.siamese import SiameseTower, TowerWithPeople
    from lab.pair_training import Contrastive, DrawnPairs
    from lab.recipes import Recipe
    from lab.training import Data, Images, precision_of, predict

    settings = cell.settings
    people = np.unique(images.labels[train], return_inverse=True)[1].astype(np.int64)
    data = Data(Images.of(images.images[train], people, context.device), (0.0,), (1.0,))
    torch.manual_seed(cell.seed or 0)
    model: SiameseTower
    if settings["method"] == "contrastive":
        model = SiameseTower()
        objective, order = Contrastive(settings["margin"]), DrawnPairs(settings["pairs"])
        told = _fitted(cell, context, model, data, objective, order)
    else:
        model = TowerWithPeople(settings["width"], int(people.max()) + 1)
        told = _fitted(cell, context, model, data, *_mined(settings))
    dtype = precision_of(Recipe.of(settings["recipe"]), context.device, model)

    def embed(pixels: Any) -> Any:
        placed = torch.from_numpy(pixels[:]).to(context.device)
        return predict(model, placed, data, dtype).cpu().numpy()

    return embed, told


def _mined(settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """The loss of mined pairs, and batches that it can mine."""
    from lab.pair_training import Balanced, MiningContrastive

    return (
        MiningContrastive(settings["share"], settings["scale"]),
        Balanced(settings["batch_people"], settings["batch_each"], settings["batches"]),
    )


def _new(cell: Cell, context: Context, images: ImageSet, train: Any) -> tuple[Embed, Outcome]:
    """A linear layer on a pre-trained network's activations, which are kept; of the images, of their mirror
    images, and with glasses drawn. With mined pairs, or with the published loss of drawn pairs.
    """
    import numpy as np
    import torch

    from lab import weights
    from lab.datasets.faces import with_glasses
    from lab.features import cached_features
    from lab.networks.siamese import LinearEmbedding
    from lab.pair_training import Contrastive, DrawnPairs
    from lab.recipes import Recipe
    from lab.training import Data, Images, precision_of, predict

    settings = cell.settings
    network = _network(settings)

    def kept(pixels: Any) -> Any:
        return cached_features(
            network, pixels, settings["layer"], kept_as=torch.float16, device=context.device
        )

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
    if settings["method"] == "mining":
        told = _fitted(cell, context, model, data, *_mined(settings))
    else:
        objective, order = Contrastive(settings["margin"]), DrawnPairs(settings["pairs"])
        told = _fitted(cell, context, model, data, objective, order)
    dtype = precision_of(Recipe.of(settings["recipe"]), context.device, model)

    def embed(pixels: Any) -> Any:
        return predict(model, kept(pixels).to(context.device), data, dtype).cpu().numpy()

    return embed, told | {"weights": weights.describe(network)}


_WORK: dict[str, Callable[..., tuple[Embed, Outcome]]] = {
    "pixels": _pixels,
    "backbone": _backbone,
    "contrastive": _tower,
    "tutorial_mining": _tower,
    "mining": _new,
    "new_contrastive": _new,
}


def weights_note(outcomes: Mapping[str, Outcome]) -> str:
    """The pre-trained weights that some cell has used."""
    told = next(one["weights"] for one in outcomes.values() if "weights" in one)
    return f"Weights: {told['source']} ({told['architecture']}), SHA-256 {told['sha256']}."


def recipe_table(parameters: VerificationParameters, methods: Sequence[str]) -> Table:
    """Every choice of the methods' training side by side."""
    names = METHODS | CROSSED
    tower = "three convolutions and three linear layers, from scratch"
    linear = f"a linear layer of {parameters.width} outputs on kept activations"
    drawn = {"batch": f"{parameters.pair_batch} pairs", "pairs an epoch": f"{parameters.pairs}, drawn anew"}
    mined = {
        "batch": f"{parameters.batch_people} people × {parameters.batch_each} images",
        "batches an epoch": str(parameters.batches),
    }
    contrastive = {"loss": f"contrastive, margin {parameters.margin:g}", "distance": "Euclidean"}
    mining = {
        "loss": f"hardest {parameters.share:.0%} of pairs, and cross-entropy of people",
        "distance": "1 − cosine",
    }
    views = {"augmentation": f"mirror images; {parameters.glasses} copies with drawn glasses"}
    besides = {
        "contrastive": {"network": f"{tower}; 2 outputs"} | contrastive | drawn,
        "tutorial_mining": {"network": f"{tower}; {parameters.width} outputs"} | mining | mined,
        "new_contrastive": {"network": linear} | contrastive | drawn | views,
        "mining": {"network": linear} | mining | mined | views,
    }
    return experiments.recipe_table(
        {names[method]: parameters.recipe(method) for method in methods},
        {names[method]: besides[method] for method in methods},
        caption="Hyper-parameters of the Siamese network and of the new network."
        if len(methods) == 2
        else "Hyper-parameters of the Siamese network and of the new network, each with both losses.",
    )

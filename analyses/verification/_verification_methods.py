"""Six ways to tell people apart: how each is trained, and the distances and thresholds that it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from analyses import experiments, records
from analyses.plugin import Cell, Context, Outcome
from analyses.verification._verification import COSINE, RATES, TRAINED, Faces
from analyses.verification._verification_people import divide_people, load_faces
from lab.verification import Pairs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.datasets import ImageSet

PAIR_FIELDS = ("distances", "first", "second")


def run_method(
    cell: Cell, context: Context, others: NDArray[np.uint8] | None = None
) -> tuple[Outcome, NDArray[np.float64]]:
    """Distances of all pairs of the test images; and the distances between `others`, (N, 1, size, size), of
    people that nothing was trained on: (N, N), empty without them. Of a cell of inner folds: thresholds.
    """
    import numpy as np
    from scipy.spatial.distance import squareform

    from lab import verification

    settings = cell.settings
    faces: Faces = settings["faces"]
    train, test = divide_people(faces, settings["test"], settings.get("inner", 1))
    if "inner" in settings:
        return _inner(cell, context, load_faces(faces), train), np.zeros((0, 0))
    images = load_faces(faces)
    embed, outcome = _WORK[settings["method"]](cell, context, images, train)
    cosine = settings["method"] in COSINE
    points = embed(images.images)
    known, strangers = (_pairs(points, images, indices, cosine) for indices in (train, test))
    if settings["method"] not in TRAINED:  # its training people are strangers to it
        outcome |= {"thresholds": _thresholds(known)}
    between = np.zeros((0, 0)) if others is None else squareform(_distances(embed(others), cosine))
    return outcome | {
        "diverged": outcome.get("diverged", False),
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
    found, seconds, diverged = [], [], False
    for part, left_out in enumerate(np.array_split(people, count)):
        out = np.isin(images.labels[train], left_out)

        def report(fraction: float, message: str, part: int = part) -> None:
            context.report((part + fraction) / count, f"part {part + 1} of {count}, {message}")

        there = replace(context, scratch=context.scratch / f"part{part}", report=report)
        there.scratch.mkdir(parents=True, exist_ok=True)
        embed, outcome = _WORK[settings["method"]](cell, there, images, train[~out])
        points = embed(images.images)
        found.append(_pairs(points, images, train[out], settings["method"] in COSINE))
        seconds.append(outcome["training_seconds"])
        diverged |= outcome["diverged"]
    pooled = Pairs(*(np.concatenate([getattr(one, name) for one in found]) for name in PAIR_FIELDS))
    thresholds = _thresholds(pooled)
    rates = verification.rates(pooled, thresholds["balanced"])
    return {
        "thresholds": thresholds,
        "diverged": diverged,
        "training_seconds": sum(seconds),
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


def _backbone(cell: Cell, context: Context, images: ImageSet, train: Any) -> tuple[Embed, Outcome]:
    from lab import weights
    from lab.features import cached_features

    network = experiments.pretrained(cell.settings, cell.settings["view"])

    def embed(pixels: Any) -> Any:
        return cached_features(network, pixels, device=context.device).numpy()

    return embed, {"weights": weights.describe(network)}


def _fitted(cell: Cell, context: Context, model: Any, data: Any, objective: Any, order: Any) -> Outcome:
    history = experiments.fit(model, data, cell.settings["recipe"], cell, context, objective, order=order)
    return records.trained_record(history, model)


def _tower(cell: Cell, context: Context, images: ImageSet, train: Any) -> tuple[Embed, Outcome]:
    """The published network on pixels from 0 to 1: with the published loss of pairs drawn anew every epoch,
    or with mined pairs, for which its two outputs become `width`, since two cosines place no 37 people.
    """
    import numpy as np
    import torch

    from lab.networks.siamese import SiameseTower, TowerWithPeople
    from lab.pair_training import Contrastive, RandomPairs
    from lab.training import Data, Images, precision_of, predict

    settings = cell.settings
    people = np.unique(images.labels[train], return_inverse=True)[1].astype(np.int64)
    data = Data(Images.of(images.images[train], people, context.device), (0.0,), (1.0,))
    torch.manual_seed(cell.seed or 0)
    model: SiameseTower
    if settings["method"] == "contrastive":
        model = SiameseTower()
        objective, order = Contrastive(settings["margin"]), RandomPairs(settings["pairs"])
        outcome = _fitted(cell, context, model, data, objective, order)
    else:
        model = TowerWithPeople(settings["width"], int(people.max()) + 1)
        outcome = _fitted(cell, context, model, data, *_mined(settings))
    dtype = precision_of(settings["recipe"], context.device, model)

    def embed(pixels: Any) -> Any:
        placed = torch.from_numpy(pixels[:]).to(context.device)
        return predict(model, placed, data, dtype).cpu().numpy()

    return embed, outcome


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
    from lab.pair_training import Contrastive, RandomPairs
    from lab.training import Data, Images, precision_of, predict

    settings = cell.settings
    network = experiments.pretrained(settings, settings["view"])

    def activations_of(pixels: Any) -> Any:
        return cached_features(
            network, pixels, settings["layer"], kept_as=torch.float16, device=context.device
        )

    views = [images.images, images.images[..., ::-1]]
    for seed in range(settings["glasses"]):
        worn = with_glasses(images.images, seed)
        views.append(worn[..., ::-1] if seed % 2 else worn)
    # of all images are computed, so that other splits find them in the cache
    activations = [activations_of(view)[train] for view in views]
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
        outcome = _fitted(cell, context, model, data, *_mined(settings))
    else:
        objective, order = Contrastive(settings["margin"]), RandomPairs(settings["pairs"])
        outcome = _fitted(cell, context, model, data, objective, order)
    dtype = precision_of(settings["recipe"], context.device, model)

    def embed(pixels: Any) -> Any:
        return predict(model, activations_of(pixels).to(context.device), data, dtype).cpu().numpy()

    return embed, outcome | {"weights": weights.describe(network)}


_WORK: dict[str, Callable[..., tuple[Embed, Outcome]]] = {
    "pixels": _pixels,
    "backbone": _backbone,
    "contrastive": _tower,
    "tutorial_mining": _tower,
    "mining": _new,
    "new_contrastive": _new,
}

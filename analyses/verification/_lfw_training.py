"""How a cell of the study of Labeled Faces in the Wild trains its network, and measures its distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyses import experiments
from analyses.plugin import Cell, Context, Outcome
from analyses.verification._lfw_data import DividedFaces, faces_of
from lab.recipes import Recipe

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from lab.training import Data, Watch

BINS = 200  # of the stored histograms, at most


def run(cell: Cell, context: Context) -> Outcome:
    """What a cell measures: its outcome, with the distances of the validation and the test images."""
    work = {"pixels": _pixels, "before": _before, "scratch": _scratch}.get(cell.settings["stage"], _trained)
    faces = faces_of(cell.settings)
    points, outcome = work(cell, context, faces)
    return outcome | _evaluated(points, faces, cell)


def _evaluated(points: NDArray[np.float32], faces: DividedFaces, cell: Cell) -> Outcome:
    """points: (validation and test images, D). Of the validation people's every pair the AUC, and the
    threshold that parts the kinds best. Of the test people the distances of the listed pairs; and of every
    pair the counts, and the AUC when people are drawn again.
    """
    import numpy as np

    points = _finite(points)
    validation, test = np.split(points, [len(faces.validation)])
    labels = faces.images.labels
    first, second = faces.pairs.T
    people = np.unique(labels[faces.test], return_inverse=True)[1]
    images_of = np.bincount(people)
    return {
        "validation": _validation(validation, labels[faces.validation]),
        "distances": np.round(np.linalg.norm(test[first] - test[second], axis=1), 4).tolist(),
        "first": people[first].tolist(),
        "second": people[second].tolist(),
        "everyone": _everyone(test, labels[faces.test], cell.settings.get("resamples")),
        "counts": {
            "train_images": len(faces.train),
            "train_people": len(np.unique(labels[faces.train])),
            "train_repeated_images": _of_repeated(labels[faces.train]),
            "validation_people": len(np.unique(labels[faces.validation])),
            "test_images": len(faces.test),
            "test_people": len(images_of),
            "test_repeated": int((images_of > 1).sum()),
            "test_largest": int(images_of.max()),
            "listed": faces.listed,
            "missing": faces.missing,
        },
    }


def _finite(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(images, D), with zeros in the place of what diverged."""
    import numpy as np

    return np.nan_to_num(points.reshape(len(points), -1), posinf=0.0, neginf=0.0)


def _of_repeated(people: NDArray[np.int64]) -> int:
    """How many images (N,) are of a person with more than one."""
    import numpy as np

    counts = np.unique(people, return_counts=True)[1]
    return int(counts[counts > 1].sum())


def _validation(points: NDArray[np.float32], people: NDArray[np.int64]) -> dict[str, float]:
    import numpy as np
    import torch

    from lab.pairs import every_pair

    histogram = every_pair(torch.from_numpy(points), people, "euclidean")
    false, true = histogram.roc()
    return {"auc": histogram.auc(), "threshold": float(histogram.thresholds[int(np.argmax(true - false))])}


def _everyone(points: NDArray[np.float32], people: NDArray[np.int64], resamples: int | None) -> Outcome:
    """Every pair of the test images, in a histogram of BINS at most."""
    import numpy as np
    import torch

    from lab.pairs import every_pair, resampled_aucs

    histogram = every_pair(torch.from_numpy(points), people, "euclidean")
    used = int(np.flatnonzero(histogram.same + histogram.different)[-1]) + 1
    scale = -(-used // BINS)  # fine bins to a stored one, of which the last is part of what is used

    def coarse(counts: NDArray[np.int64]) -> list[int]:
        padded = np.pad(counts[:used], (0, -used % scale))
        return [int(value) for value in padded.reshape(-1, scale).sum(1)]

    everyone: Outcome = {
        "auc": histogram.auc(),
        "eer": histogram.equal_error_rate()[0],
        "pairs": sum(histogram.pairs),
        "same": coarse(histogram.same),
        "different": coarse(histogram.different),
        "largest": scale * -(-used // scale) * histogram.largest / len(histogram.same),
    }
    if resamples is not None:
        aucs = resampled_aucs(torch.from_numpy(points), people, resamples, "euclidean")
        everyone["resampled"] = np.round(aucs, 6).tolist()
    return everyone


def _pixels(cell: Cell, context: Context, faces: DividedFaces) -> tuple[Any, Outcome]:
    import numpy as np

    return (faces.images.images[faces.evaluated] / 255).astype(np.float32), {"diverged": False}


def _before(cell: Cell, context: Context, faces: DividedFaces) -> tuple[Any, Outcome]:
    """The outputs of the network as it was published."""
    import torch

    from lab import weights
    from lab.features import cached_features

    network = experiments.pretrained(cell.settings, cell.settings["size"])
    features = cached_features(network, faces.images.images, device=context.device)[faces.evaluated]
    _, last = weights.last_linear(network.model)
    with torch.no_grad():
        points = last.cpu()(features)
    return points.numpy(), {"diverged": False, "weights": weights.describe(network)}


def _trained(cell: Cell, context: Context, faces: DividedFaces) -> tuple[Any, Outcome]:
    """The last layer on cached features; then, if it is asked for, all layers on the images."""
    import copy

    import torch
    from torch import nn

    from lab import weights
    from lab.features import cached_features
    from lab.networks.siamese import DistanceNetwork
    from lab.pair_training import NormalisedDistance, RandomPairs
    from lab.training import Data, Images, precision_of, predict

    settings = cell.settings
    network = experiments.pretrained(settings, settings["size"])
    labels = torch.from_numpy(faces.images.labels).to(context.device)
    features = cached_features(network, faces.images.images, device=context.device).to(context.device)
    name, published = weights.last_linear(network.model)
    last = copy.deepcopy(published)
    normaliser = _normaliser(last.to(context.device), features[faces.train], labels[faces.train])

    watched = _watched(faces, settings.get("watched", 0))

    def data(inputs: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Data:
        train, validation = (Images(inputs[part], labels[part]) for part in (faces.train, watched))
        return Data(train, mean, std, validation if len(watched) else None)

    # cached features stand as images of one pixel; these numbers leave them as they are
    maps = features[:, :, None, None]
    shown = data(maps, (0.0,) * features.shape[1], (1 / 255,) * features.shape[1])
    head = DistanceNetwork(nn.Sequential(nn.Flatten(), nn.Dropout(settings.get("dropout", 0.0)), last))
    recipe: Recipe = settings["recipe"]
    objective = NormalisedDistance(0.0 if settings["stage"] == "flawed" else normaliser)
    order = RandomPairs(settings["pairs"])
    dtype = precision_of(recipe, context.device, head)
    watch = _watch(cell, faces, maps, shown, dtype) if settings["stage"] != "all" else None
    history = experiments.fit(
        head, shown, recipe, cell, context, objective, order=order, watch=watch, name="last"
    )
    outcome: Outcome = {
        "weights": weights.describe(network),
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "normaliser": normaliser,
    }
    if settings["stage"] != "all" or outcome["diverged"]:
        return predict(head, maps[faces.evaluated], shown, dtype).cpu().numpy(), outcome
    parent, _, child = name.rpartition(".")
    setattr(network.model.get_submodule(parent), child, last.cpu())
    pixels = Images.of(faces.images.images, faces.images.labels, context.device).images
    shown = data(pixels, network.mean, network.std)
    model = DistanceNetwork(network.model)
    order = RandomPairs(settings.get("then_pairs", settings["pairs"]))
    recipe, objective = settings["then"], NormalisedDistance(normaliser)
    dtype = precision_of(recipe, context.device, model)
    watch = _watch(cell, faces, pixels, shown, dtype)
    history = experiments.fit(
        model, shown, recipe, cell, context, objective, order=order, watch=watch, name="all"
    )
    outcome |= {"all_history": history.as_outcome(), "diverged": history.outcome == "diverged"}
    evaluated = torch.from_numpy(faces.evaluated).to(context.device)
    return predict(model, pixels[evaluated], shown, dtype).cpu().numpy(), outcome


def _watch(cell: Cell, faces: DividedFaces, inputs: Any, data: Data, dtype: torch.dtype) -> Watch | None:
    """Measures the AUC on every pair of the validation people, in cells that want it after every epoch.
    inputs: of all images, as `data` has them.
    """
    import torch

    from lab.training import predict

    if not cell.settings.get("auc_by_epoch"):
        return None
    images = inputs[torch.from_numpy(faces.validation).to(inputs.device)]
    people = faces.images.labels[faces.validation]

    def measured(model: nn.Module) -> dict[str, float]:
        points = predict(model, images, data, dtype).cpu().numpy()
        return {"auc": _validation(_finite(points), people)["auc"]}

    return measured


def _watched(faces: DividedFaces, pairs: int) -> NDArray[np.int64]:
    """The images of that many pairs of the validation people, one after the other; none of none."""
    import torch

    from lab.pair_training import RandomPairs

    if not pairs:
        return faces.validation[:0]
    labels = torch.from_numpy(faces.images.labels[faces.validation])
    return faces.validation[RandomPairs(pairs)(labels, torch.Generator().manual_seed(0)).numpy()]


def _normaliser(last: Any, features: Any, labels: Any) -> float:
    """The largest distance among drawn training pairs before training."""
    import torch

    from lab.pair_training import RandomPairs

    order = RandomPairs(2_000)(labels, torch.Generator().manual_seed(0)).to(features.device)
    with torch.no_grad():
        points = last(features[order].float())
    return float((points[0::2] - points[1::2]).norm(dim=1).max())


def _scratch(cell: Cell, context: Context, faces: DividedFaces) -> tuple[Any, Outcome]:
    """The tower of verification.siamese on grey images, by the contrastive loss; and as it was before."""
    import torch

    from lab.networks.siamese import SiameseTower
    from lab.pair_training import Contrastive, RandomPairs
    from lab.training import Data, Images, precision_of, predict

    colours = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    pixels = torch.from_numpy(faces.images.images[:]).float()
    grey = (pixels * colours).sum(1, keepdim=True).round().to(torch.uint8).numpy()
    everyone = Images.of(grey, faces.images.labels, context.device)
    data = Data(Images(everyone.images[faces.train], everyone.labels[faces.train]), (0.0,), (1.0,))
    torch.manual_seed(cell.seed or 0)
    model = SiameseTower().to(context.device)
    recipe: Recipe = cell.settings["recipe"]
    dtype = precision_of(recipe, context.device, model)

    def points() -> Any:
        return predict(model, everyone.images[faces.evaluated], data, dtype).cpu().numpy()

    before = _evaluated(points(), faces, cell)
    order = RandomPairs(cell.settings["pairs"])
    watch = _watch(cell, faces, everyone.images, data, dtype)
    history = experiments.fit(
        model, data, recipe, cell, context, Contrastive(), order=order, watch=watch, name="scratch"
    )
    return points(), {
        "before": before,
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
    }

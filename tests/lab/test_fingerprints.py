"""A module of the laboratory that computes something else says so by its revision.

Each fingerprint is of one small computation, at the revision named. Where a number differs, raise REVISION of
that module and record the fingerprint anew, or compute the same as before: recorded cells are kept by it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 4, 200)
VECTORS = torch.from_numpy(RANDOM.normal(size=(60, 8))).float()


def sampling() -> list[float]:
    from lab.sampling import Resampled, Rounds, zipf

    generator = torch.Generator().manual_seed(0)
    order = Resampled(0.5)(torch.from_numpy(LABELS), generator)
    rounds = Rounds(250)(torch.from_numpy(LABELS), generator)
    return [weighted(order), weighted(rounds), weighted(zipf(LABELS, 30, seed=1))]


def pseudo_labels() -> list[float]:
    from lab.pseudo_labels import top_k_pseudo_labels

    chosen = top_k_pseudo_labels(VECTORS, k=5, p=2)
    return [weighted(chosen.images), weighted(chosen.labels), chosen.several]


def pairs() -> list[float]:
    from lab.pairs import every_pair

    found = every_pair(VECTORS, LABELS[:60], bins=100)
    return [weighted(found.same), weighted(found.different)]


def detection() -> list[float]:
    from lab.detection import anchors, encode, iou, mask, suppress

    around = anchors()
    boxes = around[::7] + 3
    kept = suppress(around, torch.arange(float(len(around))), 0.3)
    return [
        weighted(iou(boxes, around)),
        weighted(mask(boxes)),
        weighted(encode(boxes, around[::7])),
        len(kept),
    ]


def average_precision() -> list[float]:
    from lab.average_precision import area, envelope, mean_at, precision_and_recall

    precision, recall = precision_and_recall(LABELS[:40] > 1, 30)
    return [area(envelope(precision), recall), mean_at(precision, recall, 11)]


def evaluation() -> list[float]:
    from lab.evaluation import bootstrap, over_seeds, wilson

    found = bootstrap(LABELS, np.mean, resamples=999, seed=3), wilson(37, 50), over_seeds([0.1, 0.2, 0.4])
    return [end for estimate in found for end in (estimate.low, estimate.high) if end is not None]


def heads() -> list[float]:
    from lab.heads import fit_heads
    from lab.recipes import Recipe

    recipe = Recipe(epochs=3, batch=20, precision="float32", learning_rate=0.1)
    found = fit_heads(VECTORS, torch.from_numpy(LABELS[:60]), 4, recipe, [0.1], [0])
    return [weighted(found.weight), weighted(found.bias)]


def pair_training() -> list[float]:
    from lab.pair_training import RandomPairs

    return [weighted(RandomPairs(20)(torch.from_numpy(LABELS), torch.Generator().manual_seed(0)))]


def networks() -> list[float]:
    from lab.networks.base import convnet, mobilenet

    return [answer(make) for make in (convnet, mobilenet)]


def datasets() -> list[float]:
    from lab.datasets import embedded

    images, labels, _ = embedded._shapes("test")
    return [weighted(images[:20]), weighted(labels)]


def weighted(values: Tensor | np.ndarray) -> float:
    """A sum in which the order counts."""
    flat = np.asarray(values, float).ravel()
    return float(flat @ (1 + np.arange(flat.size) % 97))


def answer(make: Callable[[], nn.Module]) -> float:
    torch.manual_seed(0)
    network = make().eval()
    with torch.no_grad():
        return weighted(network(torch.linspace(-1, 1, 3 * 32 * 32).view(1, 3, 32, 32)))


FINGERPRINTS: dict[Callable[[], list[float]], tuple[int, list[float]]] = {
    sampling: (1, [900746.0, 1128528.0, 264157.0]),
    pseudo_labels: (1, [27045.0, 3920.0, 8.0]),
    pairs: (1, [21511.0, 67514.0]),
    detection: (1, [2001.9607, -3476.0, 15.770566, 8.0]),
    average_precision: (1, [0.55881163, 0.55913553]),
    evaluation: (1, [1.49, 1.795, 0.60446843, 0.84128473, -0.14612497, 0.61279164]),
    heads: (1, [-12.706711, -2.3040888]),
    pair_training: (1, [85519.0]),
    networks: (1, [-0.51230504, 0.71447591]),
    datasets: (1, [393855080.0, 435788.0]),
}


@pytest.mark.parametrize("compute", FINGERPRINTS, ids=lambda compute: compute.__name__)
def test_a_module_computes_what_it_computed_at_its_revision(compute: Callable[[], list[float]]) -> None:
    revision, expected = FINGERPRINTS[compute]
    module = importlib.import_module(f"lab.{compute.__name__}")
    assert revision == module.REVISION, "record the fingerprint of the new revision"
    assert compute() == pytest.approx(expected, rel=1e-3), (
        f"lab.{compute.__name__} computes something else: raise its REVISION, or compute the same"
    )

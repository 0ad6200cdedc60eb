"""What the transfer experiments share: a data set in three parts, and a network's features of it, kept."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor, dtype

    from lab.datasets import ImageSet
    from lab.weights import Network


class Domain(BaseModel):
    """A data set to transfer to.

    split, test_split: those of the data set; without a test split a share `test` of each class is kept for
    the test. validation: share of each class, of what remains. tracks: whether the part of a file's name
    before "_" names a track, whose frames must stay together. images: at most so many for training, drawn by
    class. mirror: whether a mirrored image is still of its class. size: height and width in pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    split: str = "all"
    test_split: str | None = None
    test: float = Field(0.2, gt=0, lt=1)
    validation: float = Field(0.15, gt=0, lt=1)
    tracks: bool = False
    images: int | None = Field(None, ge=1)
    mirror: bool = True
    size: int = Field(160, ge=32)
    split_seed: int = 0
    damaged: Literal["refuse", "skip"] = "refuse"


class Parts(NamedTuple):
    train: ImageSet
    validation: ImageSet
    test: ImageSet


@lru_cache(maxsize=1)
def load(domain: Domain) -> Parts:
    """The three parts, of which no two share an image, nor a track."""
    import numpy as np

    from lab.datasets import load as load_images
    from lab.datasets import splits

    def read(split: str) -> ImageSet:
        size = (domain.size, domain.size)
        return load_images(domain.name, split, size=size, grey=False, damaged=domain.damaged)

    pool = read(domain.split)
    if domain.test_split:
        test = read(domain.test_split)
    else:
        rest, kept = _divided(pool, domain.test, domain)
        pool, test = pool.select(rest), pool.select(kept)
    rest, kept = _divided(pool, domain.validation, domain)
    train, validation = pool.select(rest), pool.select(kept)
    if domain.images is not None and domain.images < len(train):
        (some,) = splits.stratified(train.labels, [domain.images], domain.split_seed, train.classes)
        train = train.select(np.sort(some))
    return Parts(train, validation, test)


def _divided(pool: ImageSet, share: float, domain: Domain) -> tuple[Any, Any]:
    from lab.datasets import splits

    if domain.tracks:
        groups = [
            f"{label}/{PurePosixPath(file).name.partition('_')[0]}"
            for label, file in zip(pool.labels.tolist(), pool.files, strict=True)
        ]
        return splits.grouped(pool.labels, groups, share, domain.split_seed, pool.classes)
    held = round(share * len(pool))
    first, second = splits.stratified(pool.labels, [len(pool) - held, held], domain.split_seed, pool.classes)
    return first, second


def kept_features(
    network: Network,
    images: NDArray[Any],
    layer: str = "",
    *,
    mirrored: bool = False,
    kept_as: dtype | None = None,
    device: str = "cpu",
    report: Callable[[float], None] = lambda fraction: None,
) -> Tensor:
    """lab.weights.features of uint8 images (N, C, H, W), on the CPU, kept in the user's cache from then on.

    They are found again by the weights, layer, size, arithmetic, mirroring and the very pixels. Weights that
    are random numbers are not worth keeping. kept_as: float32 by default.
    """
    import numpy as np
    import torch

    from lab import weights
    from lab.datasets.cache import kept_array
    from lab.recipes import Recipe
    from lab.training import precision_of

    arithmetic = precision_of(Recipe(epochs=1), device, network.model)
    kept_as = kept_as or torch.float32
    images = np.ascontiguousarray(images)

    def made() -> Tensor:
        pixels = torch.from_numpy(images if images.flags.writeable else images.copy())
        model = network.model.to(device, memory_format=torch.channels_last)
        assert model is network.model
        shown = pixels.flip(-1) if mirrored else pixels
        return weights.features(network, shown, layer, dtype=arithmetic, kept_as=kept_as, report=report)

    if not network.sha256:
        return made()
    identity = (
        *(network.architecture, network.sha256, layer, network.size, str(arithmetic), mirrored),
        *(weights.REVISION, hashlib.sha256(images).hexdigest()),
        *([str(kept_as)] if kept_as != torch.float32 else []),
    )
    return torch.from_numpy(kept_array("features", identity, lambda: made().numpy()))

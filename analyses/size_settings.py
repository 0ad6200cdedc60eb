"""Settings that follow from a data set's size, for those that a reader leaves open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analyses.domains import Domain
from analyses.experiments import DataChoice

if TYPE_CHECKING:
    from analyses.plugin import Parameters

TEST, VALIDATION = 0.2, 0.15  # shares: of all images where there is no test split; of what is left
MOST_HELD = 5_000  # images of either
STEPS = 1_500  # of training from scratch, about
BATCHES = (8, 16, 32, 64, 128)
EPOCHS = (10, 60)
SMALL = (32, 32)  # height and width of the images of training from scratch


def settings_by_size(parameters: Parameters, settings: Sequence[str]) -> list[str]:
    """Settings `KEY=VALUE` to be made in addition to those given, where these name a data set to train on.

    How many images train, validate and test; the size that the networks take; batch and epochs. DataError
    where the data set is not here.
    """
    given = dict(setting.partition("=")[::2] for setting in settings)
    name = given.get("data.name", "")
    data = getattr(parameters, "data", None)
    if not name or (isinstance(data, DataChoice | Domain) and name == data.name):
        return []
    counts = _counts(name, skipping=given.get("data.damaged") == "skip")
    if isinstance(data, DataChoice):
        proposed = _for_training(data, parameters, counts, given)
    elif "data" in type(parameters).model_fields and (data is None or isinstance(data, Domain)):
        proposed = _for_transfer(counts)
    else:
        return []
    proposed |= getattr(parameters, "own_data", {})
    known = type(parameters).model_fields
    return [
        f"{key}={value}"
        for key, value in proposed.items()
        if key not in given and key.partition(".")[0] in known
    ]


def _counts(name: str, skipping: bool) -> dict[str, Counter[str]]:
    """Images by split and class; those that can be decoded, where the others are to be skipped."""
    from lab.datasets import load, locate

    release = locate(name).release
    if release.counts and not skipping:
        return {split: Counter(kinds) for split, kinds in release.counts.items()}
    how: dict[str, Any] = {"damaged": "skip", "size": SMALL, "grey": False} if skipping else {}
    parts = [load(name, split, **how) for split in release.splits]
    return {part.split: Counter(part.classes[label] for label in part.labels) for part in parts}


def _for_training(
    data: DataChoice,
    parameters: Parameters,
    counts: Mapping[str, Counter[str]],
    given: Mapping[str, str],
) -> dict[str, str | float]:
    own_test = "train" in counts and "test" in counts
    pool = counts["train"].total() if own_test else sum(kinds.total() for kinds in counts.values())
    kinds = len({kind for those in counts.values() for kind in those})
    test = 0 if own_test else _share(TEST, pool, kinds)
    left = pool - test
    validation = _share(VALIDATION, left, kinds) if data.validation else 0
    asked = given.get("data.train", "")
    train = int(asked) if asked.isdecimal() else left - validation
    batch = max((size for size in BATCHES if size <= train / 8), default=BATCHES[0])
    before = getattr(parameters, "batch", batch)
    batch = min(batch, before)
    epochs = min(EPOCHS[1], max(EPOCHS[0], round(STEPS * batch / max(1, train))))
    rate = getattr(parameters, "learning_rate", 0.0) * batch / before  # in proportion (Goyal et al. 2017)
    return {
        "data.train": train,
        "data.validation": validation,
        "data.test": test,
        "data.subset": "all",
        "data.size": "x".join(map(str, SMALL)),
        "batch": batch,
        "learning_rate": float(f"{rate:.3g}"),
        "epochs": epochs,
    }


def _for_transfer(counts: Mapping[str, Counter[str]]) -> dict[str, str | float]:
    """The splits of a Domain, whose shares fit any size; small images and few epochs where there are few."""
    own_test = "train" in counts and "test" in counts
    total = sum(kinds.total() for kinds in counts.values())
    small = total < 1_000
    return {
        "data.split": "train" if own_test else "all",
        "data.test_split": "test" if own_test else "null",
        "data.size": 96 if small else 160,
        "seeds": 2 if small else 3,
        "batch": 16 if small else 64,
        "finetune_epochs": 8 if small else 20,
    }


def _share(share: float, images: int, kinds: int) -> int:
    """A share of the images, one a class at least, as far as they go."""
    return min(max(round(share * images), kinds), MOST_HELD, images)

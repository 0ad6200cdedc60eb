"""The choices of the artists study: a network with its training, the changes that each factor makes to the
baseline, the space that the search draws from, and the budget.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from analyses.plugin import Choice, Parameters
from lab.recipes import Augmentation, Recipe
from results.text import listing

#: Factor → name of a value → what it changes of a Setting.
Choices = dict[str, dict[str, dict[str, Any]]]


class Setting(Choice):
    """A SimpleCNN and how it is trained; the defaults are the baseline.

    The network is the hand-out's. Its training there is plain gradient descent at rate 0.01 in 5,001 steps of
    10 images; 50 epochs of Adam are less than a third of that, and learn the training images of every fold,
    which SGD with momentum 0.9 at that rate does not.
    """

    filters: tuple[int, ...] = (16, 16)
    kernel: int = 5
    first_stride: int = 2
    stride: int = 2  # of the stages after the first
    pool: int = 0
    normalised: bool = False
    dropout: float = 0.0
    dense: int = 64
    epochs: int = 50
    batch: int = 32
    optimizer: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: float = 0.001
    momentum: float = 0.9  # of SGD
    weight_decay: float = 0.0
    schedule: Literal["constant", "multistep", "exponential", "cosine", "onecycle"] = "constant"
    label_smoothing: float = 0.0
    patience: int = 0
    mirror: bool = False
    shift: int = 0

    def changed(self, changes: dict[str, Any]) -> Setting:
        """With other choices in place of some; ValidationError names what is no choice."""
        return Setting.model_validate({**self.model_dump(), **changes})

    def stages(self) -> list[tuple[int, int, int]]:
        """Filters, kernel and stride of each convolution."""
        strides = [self.first_stride, *[self.stride] * (len(self.filters) - 1)]
        return [(width, self.kernel, stride) for width, stride in zip(self.filters, strides, strict=True)]

    def network(self) -> dict[str, Any]:
        """The options of lab.networks.simple.SimpleCNN."""
        return {
            "stages": self.stages(),
            "pool": self.pool,
            "normalised": self.normalised,
            "dropout": self.dropout,
            "dense": self.dense,
        }

    def recipe(self) -> Recipe:
        """The schedules' own choices are the usual ones: a tenth of the rate after half and after three
        quarters of the epochs, a hundredth at the end, or none.
        """
        return Recipe(
            epochs=self.epochs,
            batch=self.batch,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            nesterov=False,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            milestones=(self.epochs // 2, self.epochs * 3 // 4) if self.schedule == "multistep" else (),
            final_factor=0.01 if self.schedule == "exponential" else 0.0,
            label_smoothing=self.label_smoothing,
            augmentation=Augmentation("random" if self.mirror else "none", self.shift),
            patience=self.patience,
        )

    def multiplications(self, size: int) -> int | None:
        """Of the convolutions for one image of size × size pixels; None where a map is smaller than the
        pool.
        """
        count, inputs = 0, 3
        for width, kernel, stride in self.stages():
            size = -(-size // stride)
            count += size * size * kernel * kernel * inputs * width
            size = size // self.pool if self.pool else size
            inputs = width
        return count if size else None

    def maps(self, size: int) -> list[int]:
        """The width of the maps after each stage, of an image of size × size pixels."""
        found = []
        for _, _, stride in self.stages():
            size = -(-size // stride)
            size = size // self.pool if self.pool else size
            found.append(size)
        return found

    def dense_inputs(self, size: int) -> int:
        """What the dense layer is given of an image of size × size pixels."""
        return int(self.maps(size)[-1] ** 2 * self.filters[-1])

    def in_words(self) -> dict[str, str]:
        """The network's choices, by name."""
        return {
            "filters": "–".join(map(str, self.filters)),
            "filter size": f"{self.kernel} × {self.kernel}",
            "padding": str(self.kernel // 2),
            "strides": "–".join(str(stride) for _, _, stride in self.stages()),
            "max-pooling": f"{self.pool} × {self.pool}" if self.pool else "none",
            "batch norm": "yes" if self.normalised else "no",
            "dropout": f"{self.dropout:g}",
            "dense layer": str(self.dense),
        }

    def ingredients(self) -> list[str]:
        """What a sentence says that it combines."""
        filters = listing([str(width) for width in self.filters])
        schedules = {"multistep": "stepwise", "onecycle": "one-cycle"}
        found = [f"{filters} filters of {self.kernel} × {self.kernel} in its convolutions"]
        found += [f"max-pooling of {self.pool} × {self.pool}"] if self.pool else []
        found += ["batch normalisation"] if self.normalised else []
        found += [f"a dropout rate of {self.dropout:g}"] if self.dropout else []
        found += [f"a weight decay of {self.weight_decay:g}"] if self.weight_decay else []
        if self.schedule != "constant":
            found += [f"a {schedules.get(self.schedule, self.schedule)} schedule of the learning rate"]
        found += ["label smoothing"] if self.label_smoothing else []
        found += ["mirrored training images"] if self.mirror else []
        found += [f"training images that are moved by up to {self.shift} pixels"] if self.shift else []
        return found

    def in_short(self) -> tuple[str, str]:
        """The network and its training, in a few words each."""
        words = self.in_words()
        network = [f"{words['filters']} filters of {words['filter size']}", f"strides {words['strides']}"]
        network += [f"pool {words['max-pooling']}"] if self.pool else []
        network += ["batch norm"] if self.normalised else []
        network += [f"dropout {words['dropout']}"] if self.dropout else []
        optimizer = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[self.optimizer]
        training = [f"{self.epochs} epochs of {optimizer} {self.learning_rate:g}", self.schedule]
        training += ["mirrored"] if self.mirror else []
        training += [f"moved by {self.shift}"] if self.shift else []
        return ", ".join(network), ", ".join(training)


#: One thing at a time is changed from the baseline; no rate suits all optimizers, so others have three each.
FACTORS: Choices = {
    "pooling": {"2 × 2": {"pool": 2}, "3 × 3": {"pool": 3}},
    "dropout": {f"{share:g}": {"dropout": share} for share in (0.1, 0.2, 0.3, 0.4, 0.5)},
    "weight decay": {
        **{f"{decay:g}": {"weight_decay": decay} for decay in (0.001, 0.01, 0.03)},
        "0.05, decoupled": {"optimizer": "adamw", "weight_decay": 0.05},
    },
    "optimizer": {
        f"{name}, rate {rate:g}": {"optimizer": "sgd", "momentum": momentum, "learning_rate": rate}
        for name, momentum, rates in (
            ("SGD", 0.0, (0.01, 0.03, 0.1)),
            ("SGD with momentum", 0.9, (0.003, 0.01, 0.03)),
        )
        for rate in rates
    },
    "schedule": {
        "steps": {"schedule": "multistep"},
        "exponential": {"schedule": "exponential"},
        "cosine": {"schedule": "cosine"},
        "one cycle": {"schedule": "onecycle", "learning_rate": 0.003},  # made for a higher peak
    },
    "early stopping": {f"patience {epochs}": {"patience": epochs} for epochs in (5, 15)},
    "filter size": {"3 × 3": {"kernel": 3}, "7 × 7": {"kernel": 7}},
    "stride": {"1, then 2": {"first_stride": 1}, "2, then 1": {"stride": 1}},
    "depth": {"3 convolutions": {"filters": (16,) * 3}, "4 convolutions": {"filters": (16,) * 4}},
    "widths": {"pyramid, 8–32": {"filters": (8, 32)}, "inverse pyramid, 32–8": {"filters": (32, 8)}},
    "batch norm": {"yes": {"normalised": True}},
    "augmentation": {
        "mirrored": {"mirror": True},
        "moved": {"shift": 4},
        "mirrored and moved": {"mirror": True, "shift": 4},
    },
}

#: What the random search draws from, each factor on its own. Early stopping is left out: it does not go with
#: a schedule that ends by itself.
SPACE: Choices = {
    "filters": {
        "–".join(map(str, widths)): {"filters": widths}
        for widths in (
            *((16, 16), (32, 32), (32, 32, 32)),
            *((16, 32), (32, 64), (16, 32, 64), (32, 64, 128), (16, 32, 64, 128)),
            *((64, 32), (64, 32, 16)),
        )
    },
    "filter size": {str(size): {"kernel": size} for size in (3, 5, 7)},
    "first stride": {str(stride): {"first_stride": stride} for stride in (1, 2)},
    "stride": {str(stride): {"stride": stride} for stride in (1, 2)},
    "pooling": {str(size): {"pool": size} for size in (0, 2, 3)},
    "batch norm": {"no": {"normalised": False}, "yes": {"normalised": True}},
    "dropout": {f"{share:g}": {"dropout": share} for share in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)},
    "dense": {str(width): {"dense": width} for width in (64, 128)},
    "optimizer": {
        f"{name} {rate:g}": {"optimizer": name, "learning_rate": rate}
        for name, rate in (
            *(("sgd", 0.01), ("sgd", 0.03)),
            *(("adam", 0.001), ("adam", 0.002), ("adamw", 0.001), ("adamw", 0.002)),
        )
    },
    "weight decay": {f"{decay:g}": {"weight_decay": decay} for decay in (0.0, 0.001, 0.01, 0.05)},
    "schedule": {
        name: {"schedule": name} for name in ("constant", "multistep", "exponential", "cosine", "onecycle")
    },
    "label smoothing": {f"{share:g}": {"label_smoothing": share} for share in (0.0, 0.1)},
    "epochs": {str(epochs): {"epochs": epochs} for epochs in (50, 100)},
    "mirror": {"no": {"mirror": False}, "yes": {"mirror": True}},
    "shift": {str(pixels): {"shift": pixels} for pixels in (0, 2, 4)},
}


class Paintings(Choice):
    """What is read, and what is kept for the end.

    size: height and width that it is scaled to (the hand-out's 50). images: how many are used, drawn by
    class; None for all. test: share kept for the final networks, which alone are measured on it, once.
    damaged: whether an image that cannot be decoded refuses the data set or is left out.
    """

    name: str = "artists"
    split: str = "all"
    images: int | None = None
    size: int = 50
    test: float = 0.2
    split_seed: int = 0
    damaged: Literal["refuse", "skip"] = "refuse"


class Forest(Choice):
    """A random forest on colours and the shape of the frame: its number of trees, and up to which value, of
    255, a border is dark and outside the frame.
    """

    trees: int = Field(500, ge=1)
    dark: int = Field(20, ge=0, le=254)


class ArtistsParameters(Parameters):
    """The baseline, the factors changed one at a time, and a search whose budget is stated.

    folds, repeats: of what is not kept for the test. The baseline, its changes and the finalists are
    trained on all, a drawn setting on the first `search_folds`, of which the `finalists` best go on: two
    folds are enough to tell the bad ones. most_multiplications: an image, in the convolutions of a drawn
    setting; it keeps the study within an hour of one core. inner: share of the training images that decides
    in which epoch early stopping stops, so that it is not decided by the images that judge; the network is
    then trained for so many epochs on all training images, as its rivals are. forest: the baseline without a
    network. seeds: final networks of each kind.
    """

    data: Paintings = Paintings()
    folds: int = 5
    repeats: int = 2
    inner: float = 0.2
    baseline: Setting = Setting()
    factors: Choices = FACTORS
    space: Choices = SPACE
    search_settings: int = 30
    search_seed: int = 0
    search_folds: int = 2
    most_multiplications: int = 10_000_000
    finalists: int = 4
    forest: Forest = Forest()
    seeds: int = 5

    def searched(self) -> list[Setting]:
        return drawn(
            self.baseline,
            self.space,
            self.search_settings,
            self.search_seed,
            self.data.size,
            self.most_multiplications,
        )


def drawn(
    baseline: Setting, space: Choices, count: int, seed: int, size: int, most_multiplications: int
) -> list[Setting]:
    """`count` different settings, each factor drawn alone and uniformly; those whose maps vanish or whose
    convolutions take more than `most_multiplications` an image are drawn again."""
    from numpy.random import default_rng

    random = default_rng(seed)
    found: list[Setting] = []
    while len(found) < count:
        changes: dict[str, Any] = {}
        for values in space.values():
            changes |= list(values.values())[random.integers(len(values))]
        setting = baseline.changed(changes)
        cost = setting.multiplications(size)
        if cost is not None and cost <= most_multiplications and setting not in found:
            found.append(setting)
    return found

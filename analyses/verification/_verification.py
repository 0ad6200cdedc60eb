"""What the verification experiments share: their methods in words, their parameters, and their cells.

A cell's settings are `faces` (Faces), `test` (the people who are tested on; all others are trained on),
`method` and the settings of that method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from analyses import recipe_tables
from analyses.plugin import Cell, Choice, Outcome, Parameters
from lab.recipes import Recipe
from results.schema import Table

#: Words of each method, in the order of tables.
METHODS = {
    "pixels": "Raw pixels",
    "backbone": "Pretrained features",
    "contrastive": "Tutorial's network, contrastive loss",
    "mining": "New network, mined pairs",
}
#: The other two of two networks and two losses, so that the two can be told apart.
CROSSED = {
    "tutorial_mining": "Tutorial's network, mined pairs",
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
NETWORKS = ("contrastive", "mining")  # each with its own loss; CROSSED has them with that of the other
TOWER = ("contrastive", "tutorial_mining")  # trained from scratch; the other trained ones stand on features
TRAINED = (*TOWER, "mining", "new_contrastive")
COSINE = ("backbone", "mining", "tutorial_mining")  # the others are judged by Euclidean distances
RATES = (0.01, 0.1)  # false positive rates at which thresholds are fixed also


class Faces(Choice):
    """A data set of faces. size: of the grey images that the networks are given, in pixels; at most `people`
    of them. crop: whether an image of another shape is cut to a square, which takes the forehead or the chin;
    else the whole image is scaled to one, as the tutorial does.
    """

    name: str = "att_faces"
    split: str = "all"
    size: int = Field(100, ge=32)
    people: int | None = Field(None, ge=4)
    crop: bool = False
    damaged: Literal["refuse", "skip"] = "refuse"


#: Of the quick profile.
QUICK: dict[str, Any] = {
    "faces": Faces(name="faces", people=12),
    "published": ("p00", "p01", "p02"),
    "heldout": ("p03", "p04", "p05", "p06"),
    "pairs": 64,
    "epochs": 3,
    "mining_epochs": 5,
    "batch_people": 4,
    "seeds": 2,
    "inner_folds": 2,
}

#: The people who are tested on, by name; or which of how many folds, drawn by which seed.
Tested = Sequence[str] | Mapping[str, int]


class VerificationParameters(Parameters):
    """published, heldout: people of two splits, who are tested on in turn. By the source of the Siamese
    network s5, s6 and s7; and the seven of whom there are images with glasses and without.

    pairs, margin, rate, epochs: of the Siamese network. weights, layer, view: of the network whose
    activations are taken, at images of `view` pixels. glasses: sets of images with drawn glasses that are
    added to the training of the new network; width, share, scale, batch_people, batch_each, batches,
    mining_rate, mining_epochs: of the new network. seeds: of every network on every split.

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

    def recipe(self, method: str) -> Recipe:
        """Of a method that is trained. A batch of pairs has two images for each."""
        batch = self.batch_people * self.batch_each if method.endswith("mining") else 2 * self.pair_batch
        if method in TOWER:
            return Recipe(epochs=self.epochs, batch=batch, optimizer="adam", learning_rate=self.rate)
        return Recipe(
            epochs=self.mining_epochs,
            batch=batch,
            optimizer="adamw",
            learning_rate=self.mining_rate,
            weight_decay=0.01,
            schedule="cosine",
        )

    def cells(self, split: str, test: Tested, method: str, **changes: Any) -> list[Cell]:
        """`SPLIT/METHOD/SEED`, and of a method that is trained `SPLIT/METHOD_inner/SEED`, which choose its
        thresholds; a method without training has one seed.
        """
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
            "faces": self.faces,
            "test": test,
            "method": method,
            **self.model_dump(mode="json", include=used),
        }
        if method == "backbone":
            settings["layer"] = ""
        name = "_".join([method, *changes])
        if method not in TRAINED:
            return [Cell(f"{split}/{name}/0", settings | changes, 0)]
        settings |= {"recipe": self.recipe(method)} | changes
        inner = {"inner": self.tower_inner_folds if method in TOWER else self.inner_folds}
        return [
            *(Cell(f"{split}/{name}/{seed}", settings, seed) for seed in range(self.seeds)),
            *(
                Cell(f"{split}/{name}_inner/{seed}", settings | inner, seed)
                for seed in range(self.inner_seeds)
            ),
        ]


def weights_note(outcomes: Mapping[str, Outcome]) -> str:
    """The pre-trained weights that cells have used."""
    used = {
        f"{weights['source']} ({weights['architecture']}), SHA-256 {weights['sha256']}": None
        for one in outcomes.values()
        if (weights := one.get("weights"))
    }
    return f"Weights: {'; '.join(used)}."


def recipe_table(parameters: VerificationParameters) -> Table:
    """Every choice of the training of the two networks side by side."""
    additions = _additions(parameters)
    return recipe_tables.recipe_table(
        {METHODS[method]: parameters.recipe(method) for method in NETWORKS},
        {METHODS[method]: additions[method] for method in NETWORKS},
        caption="Hyper-parameters of the tutorial's network and of the new network on the AT&T faces.",
    )


def crossed_table(parameters: VerificationParameters) -> Table:
    """What the two networks train with the loss of each other: the choices that differ from their own."""
    additions = _additions(parameters)
    own = dict(zip(CROSSED, NETWORKS, strict=True))
    changed = [
        choice
        for choice in dict.fromkeys(choice for method in CROSSED for choice in additions[method])
        if any(additions[method].get(choice) != additions[own[method]].get(choice) for method in CROSSED)
    ]
    return recipe_tables.choices_table(
        "Hyper-parameters of the two remaining combinations of a network and a loss on the AT&T faces, where "
        "they differ from those of the same network with its own loss.",
        dict(CROSSED),
        {method: {choice: additions[method].get(choice, "–") for choice in changed} for method in CROSSED},
    )


def _additions(parameters: VerificationParameters) -> dict[str, dict[str, str]]:
    """By method, the choices that a recipe does not have."""
    tower = "three convolutions and three linear layers, from scratch"
    linear = f"a linear layer of {parameters.width} outputs on frozen features"
    drawn = {
        "batch": f"{parameters.pair_batch} pairs",
        "pairs per epoch": f"{parameters.pairs}, drawn for each",
    }
    mined = {
        "batch": f"{parameters.batch_people} people × {parameters.batch_each} images",
        "batches per epoch": str(parameters.batches),
    }
    contrastive = {"loss": f"contrastive, margin {parameters.margin:g}", "distance": "Euclidean"}
    mining = {
        "loss": f"hardest {parameters.share:.0%} of pairs, and cross-entropy of people",
        "distance": "1 − cosine",
    }
    views = {"augmentation": f"mirror images; {parameters.glasses} copies with drawn glasses"}
    return {
        "contrastive": {"network": f"{tower}; 2 outputs"} | contrastive | drawn,
        "tutorial_mining": {"network": f"{tower}; {parameters.width} outputs"} | mining | mined,
        "new_contrastive": {"network": linear} | contrastive | drawn | views,
        "mining": {"network": linear} | mining | mined | views,
    }

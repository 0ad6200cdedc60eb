"""The choices of the study of base networks, and its networks and kinds of training in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from analyses.experiments import DataChoice, ImageParameters
from analyses.plugin import Outcome
from lab.recipes import Augmentation, Recipe, rate_factor

NETWORKS = {"convnet": "ConvNet", "mobilenet": "MobileNet-like", "resnet": "ResNet-like"}
#: How the names of the cells of each kind of training begin.
AUGMENTED = "augmented/"
LETTER = ""
COUPLED = "coupled/"
KINDS = {LETTER: "with decoupled decay", COUPLED: "with coupled L2", AUGMENTED: "with augmentation"}
LABELS = {kind: words[0].upper() + words[1:] for kind, words in KINDS.items()}
PREFIXES = {LETTER: "letter/", COUPLED: "coupled/", AUGMENTED: ""}  # how their metrics begin
SUFFIXES = {LETTER: "letter", COUPLED: "coupled", AUGMENTED: "augmented"}  # how their findings end
Runs = Mapping[str, Mapping[str, Sequence[Outcome]]]  # by kind of training and by network


class BaseNetworksParameters(ImageParameters):
    """shift: pixels by which an augmented image is moved at most. Weight decay is decoupled (AdamW) but in
    the runs with coupled L2 (Adam), and acts on weights, not on biases and batch norm.
    """

    data: DataChoice = DataChoice(train=10_000, validation=0, subset="batch 1")
    seeds: int = 3
    epochs: int = 20  # of 100 steps: 2,000
    batch: int = 100
    weight_decay: float = 0.05
    shift: int = 4
    timed_batch: int = 100
    timed_repeats: int = 20
    published: dict[str, float] = Field(  # a student's notebook, one run
        default={"convnet": 0.646, "mobilenet": 0.516, "resnet": 0.684}
    )


def decoupled_shrinkage(parameters: BaseNetworksParameters) -> float:
    """The share of a weight that decoupled decay takes off over a whole training."""
    recipe = recipe_of(parameters, LETTER)
    steps = parameters.epochs * parameters.data.train // parameters.batch
    kept = 1.0
    for step in range(steps):
        epoch = step * parameters.epochs // steps
        kept *= 1 - recipe.learning_rate * rate_factor(recipe, step / steps, epoch) * recipe.weight_decay
    return 1 - kept


def recipe_of(parameters: BaseNetworksParameters, kind: str) -> Recipe:
    return Recipe(
        epochs=parameters.epochs,
        batch=parameters.batch,
        optimizer="adam" if kind == COUPLED else "adamw",
        learning_rate=1e-3,
        weight_decay=parameters.weight_decay,
        schedule="exponential",
        final_factor=0.1,
        augmentation=Augmentation("random", parameters.shift) if kind == AUGMENTED else Augmentation(),
    )

"""The choices of the study of a pretrained network's last stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from analyses.experiments import ImageParameters
from analyses.plugin import Choice, Outcome
from lab.recipes import Augmentation, Recipe

Runs = Mapping[str, Sequence[Outcome]]  # by network, its outcomes by seed
OWN = "design_b"  # the better design of classification.cifar10_designs


class Candidate(Choice):
    """weights, architecture: as lab.weights.load has them. layer: the last frozen one, "" to train all
    layers. size: height and width in pixels to which the images are enlarged. epochs: of training.
    """

    weights: str = "none"
    architecture: str = ""
    layer: str = ""
    size: int = Field(256, ge=32)
    epochs: int = Field(5, ge=1)
    download: bool = False


class LastStageParameters(ImageParameters):
    """pretrained: the network of the protocol, or what follows it in its place. resnet18: another network
    beside the two, such as ResNet-18 from scratch. Images are mirrored in training where all layers are
    trained; kept activations are of the images as they are. duplicates: the similarity from which on a test
    image counts as near-duplicate of a training image; the published split is kept. image: as
    lab.interpretation.photograph has it; the trained network's `shown` most active maps of it are printed.
    seeds, own_seeds: of the candidates, and of the network of our own.
    """

    pretrained: Candidate = Candidate(weights="lite0", layer="blocks.5")
    resnet18: Candidate | None = None
    learning_rate: float = Field(5e-4, gt=0)
    batch: int = Field(32, ge=1)
    own_epochs: int = Field(10, ge=1)
    own_widths: tuple[int, int, int] = (64, 256, 256)
    seeds: int = Field(3, ge=1)
    own_seeds: int = Field(2, ge=1)
    duplicates: float | None = Field(0.85, gt=0, le=1)
    image: str = "cat"
    shown: int = Field(12, ge=10, le=40)

    def candidates(self) -> dict[str, Candidate]:
        return {"pretrained": self.pretrained} | ({"resnet18": self.resnet18} if self.resnet18 else {})

    def recipe(self, candidate: Candidate) -> Recipe:
        return Recipe(
            epochs=candidate.epochs,
            batch=self.batch,
            optimizer="adam",
            learning_rate=self.learning_rate,
            augmentation=Augmentation(flip="none" if candidate.layer else "random"),
        )

"""The choices of the study of nine people's faces."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analyses.plugin import Parameters
from lab.recipes import Augmentation, Recipe


class FaceParameters(Parameters):
    """person: faces of each person that train. duplicates: the similarity from which on two images are in one
    part, as lab.datasets.duplicates has it; None: near-duplicates are not looked for. size: of the
    perceptron's grey images, view: of the network's, in pixels. hidden, penalty: widths of the perceptrons,
    and the decoupled decay of their penalised twins. weights, architecture: as lab.weights.load has them.
    layer: "" for that of LAYERS. rates: of the linear layer, of which validation chooses.
    """

    name: str = "facescrub9"
    split: str = "all"
    damaged: Literal["refuse", "skip"] = "refuse"
    person: int = Field(70, ge=2)
    split_seed: int = 0
    duplicates: float | None = Field(0.85, gt=0, le=1)
    size: int = Field(28, ge=8)
    hidden: tuple[int, ...] = Field((300, 800), min_length=1)
    penalty: float = Field(1.0, gt=0)
    mlp_epochs: int = Field(100, ge=1)
    mirror: bool = True
    view: int = Field(128, ge=32)
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    layer: str = ""
    rates: tuple[float, ...] = Field((10.0, 1.0, 0.1), min_length=1)
    head_epochs: int = Field(60, ge=1)
    finetune_rate: float = Field(0.01, gt=0)
    finetune_epochs: int = Field(60, ge=1)
    seeds: int = Field(3, ge=1)
    published: float = 0.80

    def perceptrons(self) -> dict[str, tuple[int, float]]:
        """Name → hidden units and decay."""
        return {
            f"mlp{hidden}{suffix}": (hidden, decay)
            for hidden in self.hidden
            for suffix, decay in (("", 0.0), ("_l2", self.penalty))
        }

    def perceptron_recipe(self, decay: float) -> Recipe:
        return Recipe(
            epochs=self.mlp_epochs,
            batch=50,
            optimizer="adamw",
            learning_rate=1e-3,
            weight_decay=decay,
            schedule="cosine",
            precision="float32",
            augmentation=self._augmentation(),
        )

    def head_recipe(self) -> Recipe:
        """All choices but the learning rate."""
        return Recipe(epochs=self.head_epochs, batch=50, nesterov=False, schedule="cosine")

    def finetune_recipe(self) -> Recipe:
        return Recipe(
            epochs=self.finetune_epochs,
            batch=50,
            learning_rate=self.finetune_rate,
            nesterov=False,
            schedule="cosine",
            augmentation=self._augmentation(),
        )

    def _augmentation(self) -> Augmentation:
        return Augmentation(flip="random" if self.mirror else "none")

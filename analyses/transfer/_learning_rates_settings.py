"""The choices of the study of learning rates."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from analyses.domains import Domain
from analyses.plugin import Parameters
from lab.recipes import Augmentation, Recipe

Rate = Annotated[float, Field(gt=0, le=1_000)]
TITLES = {"finetune": "Fine-tuning", "head": "Frozen backbone"}


class LearningRateParameters(Parameters):
    """data: with a name, the one data set to transfer to, in place of the domains. domains: the first one's
    metrics have no prefix, those of the others begin with their name. dtd10 has
    the first ten of the 47 classes in the order of the alphabet, a rule that does not look at the images. Of
    the signs, whose photographs of one kind are all alike, tracks are kept together instead of
    near-duplicates; 1,000 images of each part keep the training short. Rates decay by a tenth after each
    quarter of the epochs (60: at 15, 30 and 45). weights, architecture: as lab.weights.load has them.
    """

    domains: dict[str, Domain] = Field(
        default={
            "textures": Domain(name="dtd10", size=128, duplicates=0.85),
            "signs": Domain(
                name="gtsrb",
                split="train",
                test_split="test",
                tracks=True,
                images=1_000,
                evaluated=1_000,
                mirror=False,
                size=64,
            ),
        },
        min_length=1,
    )
    data: Domain = Domain(name="")
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    finetune_rates: tuple[Rate, ...] = Field((0.001, 0.01, 0.1), min_length=1)
    head_rates: tuple[Rate, ...] = Field((1.0, 0.1, 0.01, 0.001), min_length=1)
    head_epochs: int = Field(60, ge=1)
    finetune_epochs: int = Field(60, ge=1)
    batch: int = Field(64, ge=1)
    momentum: float = Field(0.9, ge=0, lt=1)
    seeds: int = Field(3, ge=1)

    @property
    def used(self) -> dict[str, Domain]:
        """The domains; or `data` alone, by the last part of its name."""
        if not self.data.name:
            return self.domains
        return {self.data.name.removeprefix("folder:").rstrip("/").rpartition("/")[2] or "data": self.data}

    def settings(self) -> list[tuple[str, float]]:
        """Kind and rate of every setting that is compared."""
        return [("finetune", rate) for rate in self.finetune_rates] + [
            ("head", rate) for rate in self.head_rates
        ]

    def recipe(self, kind: str, domain: Domain) -> Recipe:
        """All choices but the learning rate."""
        epochs = self.head_epochs if kind == "head" else self.finetune_epochs
        return Recipe(
            epochs=epochs,
            batch=self.batch,
            optimizer="sgd",
            momentum=self.momentum,
            nesterov=False,
            schedule="multistep",
            milestones=tuple(dict.fromkeys(epoch for n in (1, 2, 3) if (epoch := epochs * n // 4))),
            augmentation=Augmentation(flip="random" if domain.mirror else "none"),
        )

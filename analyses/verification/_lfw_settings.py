"""The choices of the study of Labeled Faces in the Wild, and the settings of its cells."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from analyses.plugin import Parameters
from lab.recipes import Recipe

Rate = Annotated[float, Field(gt=0)]
Which = Literal["pairs", "everyone"]
Stage = Literal["last", "final", "search", "all"]


class LfwParameters(Parameters):
    """test_folds, validation_folds: of the official list, from 0, whose people are tested on, and chosen by.
    size: of the images, in pixels. weights, architecture: as lab.weights.load has them.

    last_epochs of `pairs` train the last layer, all_epochs of `all_pairs` then all, pairs drawn anew every
    epoch from the training people. last_rates, all_rates: that with the highest AUC on every pair of the
    validation people is taken, of all layers after search_epochs of `pairs`. all_seeds: of the runs of all
    layers at that rate, which take most of the time; without any, those of the search stand for them.
    resamples: draws of people for the intervals of every pair. watched: pairs of the validation people whose
    loss is measured after every epoch of the last layer and of all layers, the same every time; there, and
    for the tower, the AUC on every pair of them is measured too. dropout: of the run with the published
    flaws. published: AUCs of a course project after training, on its own test people.
    """

    name: str = "lfw"
    split: str = "all"
    damaged: Literal["refuse", "skip"] = "refuse"
    test_folds: tuple[int, ...] = Field((0, 1, 2, 3, 4), min_length=1)
    validation_folds: tuple[int, ...] = Field((8, 9), min_length=1)
    size: int = Field(112, ge=32)
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    pairs: int = Field(1_000, ge=2)
    batch: int = Field(22, ge=1)
    last_rates: tuple[Rate, ...] = Field((0.3, 0.1, 0.03), min_length=1)
    last_epochs: int = Field(100, ge=1)
    all_rates: tuple[Rate, ...] = Field((0.01, 0.003), min_length=1)
    search_epochs: int = Field(4, ge=1)
    all_epochs: int = Field(15, ge=1)
    all_pairs: int = Field(2_200, ge=2)
    all_seeds: int = Field(0, ge=0)
    resamples: int = Field(0, ge=0)
    watched: int = Field(500, ge=2)
    dropout: float = Field(0.5, ge=0, lt=1)
    scratch_size: int = Field(100, ge=100, le=100)
    scratch_pairs: int = Field(370, ge=2)
    scratch_epochs: int = Field(60, ge=1)
    seeds: int = Field(3, ge=1)
    published: dict[str, dict[Which, float]] = Field(
        default={
            "alexnet": {"pairs": 0.8239, "everyone": 0.7912},
            "vgg16": {"pairs": 0.8572, "everyone": 0.8471},
        }
    )

    @model_validator(mode="after")
    def folds_are_apart(self) -> LfwParameters:
        both = sorted(set(self.test_folds) & set(self.validation_folds))
        if both:
            raise ValueError(f"fold {both[0]} is both in test_folds and in validation_folds")
        return self

    def scratch_recipe(self) -> Recipe:
        """Of the Siamese tower."""
        return Recipe(
            epochs=self.scratch_epochs, batch=128, optimizer="adam", learning_rate=5e-4, precision="float32"
        )

    def recipe(self, stage: Stage, rate: float) -> Recipe:
        """Of the pretrained network: "last" and "search" (of all layers, shorter) choose the rates; "final"
        (of the last layer) and "all" are reported, in arithmetic that is the same on every CPU.
        """
        epochs = {"search": self.search_epochs, "all": self.all_epochs}
        return Recipe(
            epochs=epochs.get(stage, self.last_epochs),
            batch=2 * self.batch,
            optimizer="sgd",
            learning_rate=rate,
            momentum=0.9,
            nesterov=False,
            schedule="cosine",
            clip=1.0,
            precision="float32" if stage in ("final", "all") else "auto",
        )

    def data_settings(self) -> dict[str, Any]:
        names = {"name", "split", "damaged", "test_folds", "validation_folds", "size"}
        return self.model_dump(mode="json", include=names)

    def network_settings(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"weights", "architecture", "download", "pairs"})

    def resampling_settings(self) -> dict[str, int]:
        """Of the cells that draw people anew for the intervals of every pair."""
        return {"resamples": self.resamples} if self.resamples else {}

    def last_settings(self, rate: float, stage: Stage = "last") -> dict[str, Any]:
        """Of the last layer trained at that learning rate, by the recipe of a stage."""
        return (
            self.data_settings()
            | self.network_settings()
            | {"stage": "last", "recipe": self.recipe(stage, rate)}
        )

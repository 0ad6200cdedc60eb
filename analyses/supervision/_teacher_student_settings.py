"""The choices of the study of teachers and students, and the settings of its cells."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, model_validator

from analyses.designs import recipe_a, recipe_b
from analyses.experiments import ImageParameters
from analyses.plugin import Cell
from analyses.supervision import _supervision as supervision
from lab.recipes import Recipe

Positive = Annotated[int, Field(ge=1)]
TEACHER = "whitened"  # design B of classification.cifar10_designs, and its student design A
STUDENT = supervision.NETWORK


class TeacherParameters(ImageParameters):
    """data: its training images are `labelled` ones and the unlabelled rest; validation images choose K.

    k: images chosen a class. p: classes kept an image; the first is that of the sweep of K, the others are
    tried at the largest K, where the choice depends on P most. tail_…: every P is also tried on a long-tailed
    part of the unlabelled images, `largest` of the first class and of that of rank r a share of 1 ÷
    r^exponent, at a K that the rare classes do not have; by seed the ranks differ. shown: images a round of
    the student's first training, of which there are `rounds`. bin: ranks of which the precision is taken
    together.
    """

    labelled: int = Field(2_000, ge=2)
    k: tuple[Positive, ...] = Field((50, 200, 500, 1_000, 2_000, 4_000), min_length=2)
    p: tuple[Positive, ...] = Field((1, 2, 5), min_length=1)
    tail_largest: int = Field(4_000, ge=2)
    tail_exponent: float = Field(1.0, gt=0)
    tail_k: int = Field(1_000, ge=1)
    widths: tuple[int, int, int] = (64, 128, 128)
    teacher_epochs: int = Field(40, ge=1)
    rounds: int = Field(24, ge=1)
    shown: int = Field(2_500, ge=1)
    finetune_rate: float = Field(0.01, gt=0)
    finetune_epochs: int = Field(8, ge=1)
    bin: int = Field(200, ge=1)
    seeds: int = Field(5, ge=2)

    @property
    def unlabelled(self) -> int:
        return self.data.train - self.labelled

    @model_validator(mode="after")
    def there_is_enough(self) -> TeacherParameters:
        if self.unlabelled < 1:
            raise ValueError(
                f"labelled is {self.labelled} of {self.data.train} training images, which leaves none "
                "unlabelled"
            )
        if max(self.k) > self.unlabelled:
            raise ValueError(
                f"k asks for {max(self.k)} images a class, and there are {self.unlabelled} unlabelled ones"
            )
        if not self.data.validation:
            raise ValueError("data.validation is 0, and K is chosen on validation images")
        return self

    def recipes(self) -> dict[str, Recipe]:
        student = recipe_a(self.rounds)
        return {
            "teacher": replace(recipe_b(self.teacher_epochs), batch=128),
            "student": student,
            "finetune": replace(
                student,
                epochs=self.finetune_epochs,
                learning_rate=self.finetune_rate,
                schedule="cosine",
                nesterov=False,
            ),
        }


def cells_of(
    parameters: TeacherParameters, name: str, choice: tuple[int, int] | None, **more: Any
) -> list[Cell]:
    """One cell a seed. choice: K and P of a student, whose settings hold those of its teacher. more: settings
    of its own.
    """
    recipes = parameters.recipes()
    settings: dict[str, Any] = {
        "data": parameters.data,
        "labelled": parameters.labelled,
        "role": "student",
    }
    taught = {"widths": list(parameters.widths), "teacher": recipes["teacher"]}
    if name == "teacher":
        settings |= taught | {
            "role": "teacher",
            "k": list(parameters.k),
            "p": list(parameters.p),
            "bin": parameters.bin,
        }
    else:
        settings |= {part: recipes[part] for part in ("student", "finetune")} | {"shown": parameters.shown}
    if choice:
        settings |= taught | {"k": choice[0], "p": choice[1]}
    return [Cell(f"{name}/{seed}", settings | more, seed) for seed in range(parameters.seeds)]

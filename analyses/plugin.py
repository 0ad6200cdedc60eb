"""What an analysis is: it plans cells, runs each, and summarizes their outcomes.

    plan(parameters)                → cells, each independent: one learning rate and one seed, say
    run(cell, context)              → a small JSON-able dict of outcomes; the only step that may train
    plan_next(parameters, outcomes) → cells that wait for outcomes: the best setting on test data, say
    summarize(parameters, outcomes) → a Summary; pure, so that it can be repeated without measuring

Caching, resuming, seeds, devices, provenance and writing belong to `engine.execution`. A module of this
package that holds `analysis = MyAnalysis()` is found by its file's place; others come through entry points
of the group "convstudy.analyses", or from the folder `analyses` of a study of one's own. Import torch and lab
inside `run`, so that reports stay free of torch.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from results.schema import Dataset, Figure, Finding, Metric, Table

Profile = Literal["quick", "full"]
Outcome = dict[str, Any]


class Parameters(BaseModel):
    """Every choice that an analysis makes, with its default; one subclass an analysis."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Choice(BaseModel):
    """Choices that belong together, such as which data: a parameter, and what the settings of cells hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def as_settings(self) -> dict[str, Any]:
        """What differs from the defaults, JSON-able: a choice that is added later changes no older
        settings.
        """
        return self.model_dump(mode="json", exclude_defaults=True)


P = TypeVar("P", bound=Parameters)


@runtime_checkable
class Choices(Protocol):
    """Choices that cells hold as one object: a `Choice`, or a `lab.recipes.Recipe`."""

    def as_settings(self) -> dict[str, Any]:
        """What is recorded of them, JSON-able."""
        ...


@dataclass(frozen=True)
class Cell:
    """One independent piece of work. Its `settings` (JSON-able values and `Choices`) and `seed` are all that
    `run` goes by.
    """

    id: str
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None

    def recorded_settings(self) -> dict[str, Any]:
        """The settings as cells are keyed and recorded by: what JSON makes of them."""
        recorded: dict[str, Any] = json.loads(json.dumps(self.settings, default=_recorded))
        return recorded


def _recorded(value: Any) -> dict[str, Any]:
    if isinstance(value, Choices):
        return value.as_settings()
    name = type(value).__name__
    raise TypeError(f"a {name} is neither JSON-able nor has it as_settings(), so it cannot be recorded")


@dataclass(frozen=True)
class Context:
    """What the runner lends to a cell."""

    device: str = "cpu"
    threads: int = 1  # what the cell may use of the machine's cores; set for torch already
    scratch: Path = Path()  # a folder of the cell's own, kept until its outcome is stored: checkpoints
    report: Callable[[float, str], None] = lambda fraction, message: None


@dataclass(frozen=True)
class Summary:
    """The findings of an analysis; `engine.execution` adds the provenance that makes it a Result."""

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    findings: Mapping[str, Finding] = field(default_factory=dict)
    datasets: tuple[Dataset, ...] = ()
    data_notes: tuple[str, ...] = ()  # on the first data set: what was left out of it, say
    note: str = ""


class Analysis(ABC, Generic[P]):
    """One question, answered by one Result.

    `analytic` marks what needs no data and no training: it is the same under every profile, costs
    seconds, and is run again by `build` when it is missing or stale.
    `libraries` are the distributions whose version can change the outcome, `uses` the ids of other analyses
    that `run` calls upon; `shares_cells` those whose cells of the same settings and seed compute at least the
    same: where such a cell has been measured, its outcome is taken. `version` of an experiment is to be
    raised when `run` computes something else: its outcomes are expensive, so the code of `analyses` does not
    decide whether they are kept (see `engine.freshness`).
    """

    id: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    version: ClassVar[str] = "1"
    analytic: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("torch", "torchvision")
    uses: ClassVar[tuple[str, ...]] = ()
    shares_cells: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def parameters(self, profile: Profile) -> P:
        """The choices of a profile."""

    def datasets(self, parameters: P) -> tuple[str, ...]:
        """Names of the data sets that the cells read, as `lab.datasets` knows them."""
        return ()

    def headings(self, parameters: P) -> tuple[str, str]:
        """Title and question of a result with these parameters: they name the data that was used."""
        return self.title, self.question

    def check(self, parameters: P) -> None:
        """DataError where the data here does not allow the cells, such as a class with too few images; asked
        before the first of them is run.
        """

    def plan(self, parameters: P) -> list[Cell]:
        return [Cell("all", parameters.model_dump(mode="json"))]

    @abstractmethod
    def run(self, cell: Cell, context: Context) -> Outcome: ...

    def plan_next(self, parameters: P, outcomes: Mapping[str, Outcome]) -> list[Cell]:
        """Cells that depend on the outcomes so far; asked again until it names none that is new."""
        return []

    @abstractmethod
    def summarize(self, parameters: P, outcomes: Mapping[str, Outcome]) -> Summary:
        """The findings, from the outcomes by cell id. Where they take a module of their own, its function is
        assigned here as a `staticmethod`.
        """

    def media(self, parameters: P, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        """Pictures of data that may not be passed on, from the data and the outcomes: they stay on the
        machine that draws them, and a report shows them there. What is trained for them takes seconds.
        """
        return {}

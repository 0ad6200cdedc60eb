"""A Result: all that a report may know of an analysis.

It holds data, never formatted text or drawn pictures. Every model is frozen and refuses unknown keys,
so a Result that was read is a Result that some analysis meant.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION: Literal[1] = 1

Scalar = int | float | str | bool | None
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./|-]*$")]
AnalysisId = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Metric(Record):
    """One named value.

    A value over several seeds carries its interval and n. `partial` names what the value leaves out:
    such a metric is a lower bound, and a report refuses to print it as a total.
    """

    value: int | float
    title: str = Field(description="What it is, as a phrase that can stand in a table")
    unit: str = Field(
        "", description="parameters, MACs, bytes, pixels, seconds, fraction; empty for a pure number"
    )
    arithmetic: str = Field("", description='How the value follows, such as "(3·3·3)·64"')
    low: float | None = None
    high: float | None = None
    level: float = Field(0.95, gt=0, lt=1, description="Confidence level of [low, high]")
    n: int = Field(1, ge=1, description="How many of what the interval is over")
    over: str = Field(
        "", description='What the interval is over, in the plural: "seeds", "test images", "people"'
    )
    partial: tuple[str, ...] = Field((), description="What the value does not include")

    @model_validator(mode="after")
    def interval_holds_the_value(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval needs both of its ends")
        if self.low is not None and self.high is not None and not self.low <= self.value <= self.high:
            raise ValueError(f"the interval [{self.low}, {self.high}] does not hold the value {self.value}")
        return self


class Column(Record):
    """A typed column. A unit belongs to the column, so two units can never share one."""

    key: str
    label: str
    type: Literal["text", "integer", "number", "shape", "code"] = "text"
    unit: str = ""
    format: str = Field("", description='Python format specification of a number, such as ".2f"')


class Row(Record):
    """Cells by column key; a missing key is an empty cell.

    `arithmetic` gives, by column key, the text that evaluates to the cell when "·" is read as "*".
    `partial` names what the row's counts leave out; its numbers are then shown as lower bounds.
    """

    cells: dict[str, Scalar]
    kind: Literal["body", "total"] = "body"
    arithmetic: dict[str, str] = {}
    partial: tuple[str, ...] = ()


class Table(Record):
    caption: str
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = Field((), description="Footnotes below the table")

    @model_validator(mode="after")
    def cells_have_columns(self) -> Self:
        keys = {column.key for column in self.columns}
        for row in self.rows:
            for key in (*row.cells, *row.arithmetic):
                if key not in keys:
                    raise ValueError(
                        f"a row has a cell {key!r}, which is no column ({', '.join(sorted(keys))})"
                    )
        return self


class Axis(Record):
    label: str
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    categories: tuple[str, ...] = Field((), description="Names of positions 0, 1, 2, … on a categorical axis")


class Series(Record):
    """Points (x, y), with bands or error bars [low, high] where given; all of one length."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @model_validator(mode="after")
    def one_length(self) -> Self:
        for name in ("y", "low", "high"):
            values = getattr(self, name)
            if values and len(values) != len(self.x):
                raise ValueError(f"series {self.label!r} has {len(self.x)} x and {len(values)} {name}")
        return self


class Scores(Record):
    """What a reader may move on a ROC: the distance below which a pair is called the same.

    Counts of same and of different pairs in bins of one width, from 0 to `largest`; their sums up to a
    threshold are the true and the false positives there. `threshold`: the one that is shown first.
    """

    label: str
    same: tuple[int, ...] = Field(min_length=1)
    different: tuple[int, ...] = Field(min_length=1)
    largest: float = Field(gt=0)
    threshold: float = Field(ge=0)

    @model_validator(mode="after")
    def of_both_kinds(self) -> Self:
        if len(self.same) != len(self.different):
            raise ValueError(f"{len(self.same)} bins of same and {len(self.different)} of different pairs")
        if not sum(self.same) or not sum(self.different):
            raise ValueError("a threshold is moved over pairs of both kinds")
        return self


class Chart(Record):
    """Lines, points or bars over two axes. `stacked` bars sit on top of each other."""

    kind: Literal["line", "scatter", "bar", "stacked bar"]
    caption: str
    alt: str = Field(min_length=1, description="What the drawing shows, for someone who cannot see it")
    x: Axis
    y: Axis
    series: tuple[Series, ...] = Field(min_length=1)
    scores: Scores | None = None


class Heatmap(Record):
    """A matrix drawn as cells; rows from top to bottom, values printed in the cells where `numbers`."""

    kind: Literal["heatmap"] = "heatmap"
    caption: str
    alt: str = Field(min_length=1)
    x: Axis
    y: Axis
    values: tuple[tuple[float, ...], ...] = Field(min_length=1)
    value_label: str
    numbers: bool = False

    @model_validator(mode="after")
    def rectangular(self) -> Self:
        if len({len(row) for row in self.values}) != 1:
            raise ValueError("the rows of a heatmap differ in length")
        return self


BoxStyle = Literal["truth", "kept", "suppressed", "anchor"]


class Box(Record):
    """A square drawn on a picture, in its pixels from the upper left corner: centre and width.

    `style` decides colour, line and thickness, which differ together. The label is written above it.
    """

    row: float
    column: float
    width: float = Field(gt=0)
    style: BoxStyle = "kept"
    label: str = ""
    score: float | None = None


class Picture(Record):
    """An image, and boxes on it. Only images that may be redistributed belong into a result."""

    title: str = ""
    png: str = Field(description="The image as a PNG file, in base64", pattern=r"^[A-Za-z0-9+/=]+$")
    boxes: tuple[Box, ...] = ()


class Suppression(Record):
    """What a reader may move: the threshold above which a box goes, because a better one overlaps it so."""

    picture: int = Field(
        ge=0, description="Which of the pictures has the candidates as its boxes, with scores"
    )
    threshold: float = Field(ge=0, le=1, description="The one that is drawn")


class Pictures(Record):
    """Pictures side by side, row by row; `legend` says what the styles of the boxes mean."""

    kind: Literal["pictures"] = "pictures"
    caption: str
    alt: str = Field(min_length=1)
    pictures: tuple[Picture, ...] = Field(min_length=1)
    columns: int = Field(ge=1)
    legend: tuple[tuple[BoxStyle, str], ...] = ()
    suppression: Suppression | None = None

    @model_validator(mode="after")
    def candidates_have_scores(self) -> Self:
        if self.suppression:
            if self.suppression.picture >= len(self.pictures):
                raise ValueError(f"there is no picture {self.suppression.picture} to suppress boxes on")
            if any(box.score is None for box in self.pictures[self.suppression.picture].boxes):
                raise ValueError("suppression needs the score of every box")
        return self


Figure = Annotated[Chart | Heatmap | Pictures, Field(discriminator="kind")]


class Finding(Record):
    """A statement that prose may branch on: whether it holds, and the metrics it rests on."""

    statement: str
    holds: bool
    metrics: tuple[str, ...] = ()


class Dataset(Record):
    """A data set that a result was measured on, or weights that it started from."""

    name: str
    fingerprint: str
    licence: str = ""
    images: int | None = None


class CellRecord(Record):
    """What one cell of an experiment gave, and where it was measured."""

    key: str = Field(description="Of all that decides the outcome")
    id: str
    settings: dict[str, Any] = {}
    seed: int | None = None
    outcome: dict[str, Any]
    seconds: float
    device: str
    threads: int
    peak_memory_bytes: int
    libraries: dict[str, str] = {}
    python: str = ""
    git_commit: str = ""
    git_dirty: bool = False
    created: str


class Outcomes(Record):
    """The cells that the Result of an experiment was summarized from."""

    schema_version: Literal[1] = SCHEMA_VERSION
    analysis: AnalysisId
    datasets: dict[str, Dataset] = Field({}, description="By the name that the analysis asks for")
    cells: tuple[CellRecord, ...]


class Provenance(Record):
    """Where a Result comes from, in enough detail to make it again."""

    analysis_version: str
    source_hash: str = Field(description="Of the analysis's code and of what it imports from this project")
    sources: dict[str, str] = Field(
        {}, description="Module to hash of its code: what source_hash is taken of"
    )
    cache_key: str = Field(description="Of source, parameters, data and library versions")
    parameters: dict[str, Any] = {}
    seeds: tuple[int, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    device: str = "cpu"
    libraries: dict[str, str] = {}
    python: str = ""
    git_commit: str = Field("", description="Empty outside a git checkout")
    git_dirty: bool = False
    created: str = Field("", description="UTC, ISO 8601")
    wall_seconds: float = 0.0
    peak_memory_bytes: int = 0
    note: str = Field("", description="What was not run, or was run at a smaller budget than the protocol's")


class Result(Record):
    """What one analysis found, under one profile."""

    schema_version: Literal[1] = SCHEMA_VERSION
    analysis: AnalysisId
    title: str
    question: str
    profile: Literal["full", "quick", "custom"]
    metrics: dict[Identifier, Metric] = {}
    tables: dict[Identifier, Table] = {}
    figures: dict[Identifier, Figure] = {}
    findings: dict[Identifier, Finding] = {}
    provenance: Provenance

    @model_validator(mode="after")
    def findings_rest_on_metrics(self) -> Self:
        for name, finding in self.findings.items():
            for metric in finding.metrics:
                if metric not in self.metrics:
                    raise ValueError(
                        f"finding {name!r} rests on {metric!r}, which is no metric of {self.analysis}"
                    )
        return self


if __name__ == "__main__":
    print(json.dumps(Result.model_json_schema(), indent=1))

"""A Result: all that a report may know of an analysis.

It holds data, never formatted text or drawn pictures. Every model is frozen and refuses unknown keys,
so a Result that was read is a Result that some analysis meant. `results.builders` has the calls in which an
analysis makes these.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

#: Of results. Version 1 had no estimates in cells, panels, sentences or colours; `upgraded` reads it.
SCHEMA_VERSION: Literal[2] = 2
OUTCOMES_VERSION: Literal[1] = 1
MEDIA_VERSION: Literal[1] = 1

Scalar = int | float | str | bool | None
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./|-]*$")]
AnalysisId = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")]


NUMBER_FORMAT = re.compile(r"[-+]?,?(\.\d{1,2})?[defgE%]?")
#: Of JSON text: what no page can show, escaped or as it is.
CONTROL_CHARACTER = re.compile(r"(?<!\\)(?:\\\\)*\\(?:u00[01]|b|f)|[\x7f-\x9f]")
LARGEST_PLOTTED = 1e100
LARGEST_SIDE = 4096  # of a picture, in pixels


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(Record):
    """A value with the ends of its interval at `level`: a metric, or one cell of a table.

    Both ends are None where n allows no interval, as with one seed.
    """

    value: int | float
    low: float | None = None
    high: float | None = None
    level: float = Field(0.95, gt=0, lt=1, description="Confidence level of [low, high]")
    n: int = Field(1, ge=1, description="How many of what the interval is over")
    over: str = Field(
        "", description='What the interval is over, in the plural: "seeds", "test images", "people"'
    )

    @model_validator(mode="after")
    def interval_holds_the_value(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval needs both of its ends")
        if self.low is not None and self.high is not None and not self.low <= self.value <= self.high:
            raise ValueError(f"the interval [{self.low}, {self.high}] does not hold the value {self.value}")
        return self


class Metric(Estimate):
    """One named value.

    A value over several seeds carries its interval and n. `partial` names what the value leaves out:
    such a metric is a lower bound, and a report refuses to print it as a total.
    """

    title: str = Field(description="What it is, as a phrase that can stand in a table")
    unit: str = Field(
        "", description="parameters, MACs, bytes, pixels, seconds, fraction; empty for a pure number"
    )
    arithmetic: str = Field("", description='How the value follows, such as "(3·3·3)·64"')
    partial: tuple[str, ...] = Field((), description="What the value does not include")


class Column(Record):
    """A typed column. A unit belongs to the column, so two units can never share one.

    A column of estimates holds an Estimate or a plain number in each cell, and is sorted by the values.
    """

    key: str
    label: str
    type: Literal["text", "integer", "number", "estimate", "shape", "code"] = "text"
    unit: str = ""
    format: str = Field("", description='Python format specification of a number, such as ".2f"')
    scale: float = Field(1.0, gt=0, description="What a number is multiplied by to have the unit: 100 for %")
    over: str = Field("", description="What the intervals are over, in cells that do not say it themselves")
    best: str = Field(
        "",
        description="What the cells marked as best have in common: "
        '"the highest, and what does not differ significantly from it"',
    )

    @model_validator(mode="after")
    def numbers_can_be_formatted(self) -> Self:
        if not _is_number_format(self.format):
            raise ValueError(f"{self.format!r} is no format of the numbers of column {self.key!r}")
        return self


class Row(Record):
    """Cells by column key; a missing key is an empty cell.

    `arithmetic` gives, by column key, the text that evaluates to the cell when "·" is read as "*".
    `partial` names what the row's counts leave out; its numbers are then shown as lower bounds.
    `best` names the columns in which this row is the best, or ties with it.
    """

    cells: dict[str, Scalar | Estimate]
    kind: Literal["body", "total"] = "body"
    arithmetic: dict[str, str] = {}
    partial: tuple[str, ...] = ()
    best: tuple[str, ...] = ()


class Table(Record):
    caption: str
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = Field((), description="Footnotes below the table")

    @model_validator(mode="after")
    def cells_have_columns(self) -> Self:
        columns = {column.key: column for column in self.columns}
        for row in self.rows:
            for key in (*row.cells, *row.arithmetic, *row.best):
                if key not in columns:
                    raise ValueError(
                        f"a row has a cell {key!r}, which is no column ({', '.join(sorted(columns))})"
                    )
            for key, value in row.cells.items():
                if isinstance(value, Estimate) and columns[key].type != "estimate":
                    raise ValueError(f"the column {key!r} has an estimate, but not the type for estimates")
                if isinstance(value, str) and columns[key].type == "estimate":
                    raise ValueError(f"the column {key!r} is of estimates, and {value!r} is a text")
            for key in row.best:
                if not columns[key].best:
                    raise ValueError(f"the column {key!r} has a best cell and does not say what that means")
        return self


class Axis(Record):
    label: str
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    categories: tuple[str, ...] = Field((), description="Names of positions 0, 1, 2, … on a categorical axis")
    groups: tuple[str, ...] = Field((), description="The heading above each category of an interval plot")

    @model_validator(mode="after")
    def every_category_has_a_group(self) -> Self:
        if self.groups and len(self.groups) != len(self.categories):
            raise ValueError(f"{len(self.categories)} categories and {len(self.groups)} groups")
        return self


class Series(Record):
    """Points (x, y), with bands or error bars [low, high] where given; all of one length.

    `emphasis`: the points of an interval plot that stand out; without it, all do. `colour`: a place in the
    palette; where it is None, the report gives the same one to all series of that label in a document.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    emphasis: tuple[bool, ...] = ()
    colour: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def one_length(self) -> Self:
        for name in ("y", "low", "high", "emphasis"):
            values = getattr(self, name)
            if values and len(values) != len(self.x):
                raise ValueError(f"series {self.label!r} has {len(self.x)} x and {len(values)} {name}")
        if len(self.low) != len(self.high):
            raise ValueError(f"series {self.label!r} has {len(self.low)} low and {len(self.high)} high")
        for low, y, high in zip(self.low, self.y, self.high, strict=False):
            if not low <= y <= high:
                raise ValueError(f"series {self.label!r} has {y} outside of its interval [{low}, {high}]")
        if any(abs(value) > LARGEST_PLOTTED for value in (*self.x, *self.y, *self.low, *self.high)):
            raise ValueError(f"series {self.label!r} has a value that is too large to be drawn")
        return self


class Reference(Record):
    """A straight line across a plot to compare with, such as zero: at one value of one axis."""

    axis: Literal["x", "y"]
    value: float
    label: str = ""


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


class Panel(Record):
    """Lines, points or bars over two axes.

    stacked bar: on top of each other. interval: the categories of x are named below each other from top to
    bottom, and y runs across, as a point with its interval. roc: a square of false and true positive rates,
    with the line of chance.
    """

    kind: Literal["line", "scatter", "bar", "stacked bar", "interval", "roc"]
    title: str = ""
    x: Axis
    y: Axis
    series: tuple[Series, ...] = Field(min_length=1)
    references: tuple[Reference, ...] = ()

    @model_validator(mode="after")
    def points_have_their_place(self) -> Self:
        if len({series.label for series in self.series}) != len(self.series):
            raise ValueError("two series of one plot have the same label")
        for series in self.series:
            categories = len(self.x.categories)
            if (categories or self.kind == "interval") and not all(
                place.is_integer() and 0 <= place < categories for place in series.x
            ):
                raise ValueError(f"the plot has {series.label!r} at a place that is no category")
            for name, axis, values in (("x", self.x, series.x), ("y", self.y, series.y)):
                if axis.scale == "log" and any(value <= 0 for value in values):
                    raise ValueError(f"{series.label!r} is not above zero on a logarithmic axis {name}")
            if self.kind == "roc" and not all(0 <= rate <= 1 for rate in (*series.x, *series.y)):
                raise ValueError(f"a ROC curve has rates between 0 and 1; {series.label!r} has others")
        return self


class Chart(Panel):
    """A figure of one panel."""

    caption: str
    alt: str = Field(min_length=1, description="What the drawing shows, for someone who cannot see it")
    scores: Scores | None = None


class Panels(Record):
    """Panels side by side, `columns` in a row; axes that are shared have the same range and are named once.

    Series of one label have one colour and one entry in the legend.
    """

    kind: Literal["panels"] = "panels"
    caption: str
    alt: str = Field(min_length=1)
    panels: tuple[Panel, ...] = Field(min_length=1)
    columns: int = Field(2, ge=1)
    share_x: bool = False
    share_y: bool = False

    @model_validator(mode="after")
    def shared_axes_are_the_same(self) -> Self:
        for name, shared in (("x", self.share_x), ("y", self.share_y)):
            if shared and any(getattr(panel, name) != getattr(self.panels[0], name) for panel in self.panels):
                raise ValueError(f"panels share an axis {name} that differs between them")
        kinds = {panel.kind for panel in self.panels}
        if (self.share_x or self.share_y) and "interval" in kinds and len(kinds) > 1:
            raise ValueError("panels of kind interval, whose x is drawn downwards, share no axis with others")
        return self


class Heatmap(Record):
    """A matrix drawn as cells; rows from top to bottom, values printed in the cells where `numbers`.

    Values of both signs are coloured from a white zero, and their logarithms further out. scale: "log"
    colours by logarithm and leaves zeros blank; no value is then below zero.
    """

    kind: Literal["heatmap"] = "heatmap"
    caption: str
    alt: str = Field(min_length=1)
    x: Axis
    y: Axis
    values: tuple[tuple[float, ...], ...] = Field(min_length=1)
    value_label: str
    numbers: bool = False
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def a_logarithm_is_of_positive_values(self) -> Self:
        values = [value for row in self.values for value in row]
        if self.scale == "log" and (min(values) < 0 or not any(values)):
            raise ValueError("a heatmap on a logarithmic scale needs values, and none below zero")
        return self

    @model_validator(mode="after")
    def rectangular(self) -> Self:
        if len({len(row) for row in self.values}) != 1:
            raise ValueError("the rows of a heatmap differ in length")
        for name, axis, count in (("x", self.x, len(self.values[0])), ("y", self.y, len(self.values))):
            if axis.categories and len(axis.categories) != count:
                raise ValueError(
                    f"a heatmap has {count} places and {len(axis.categories)} categories on its axis {name}"
                )
        if any(abs(value) > LARGEST_PLOTTED for row in self.values for value in row):
            raise ValueError("a heatmap has a value that is too large to be drawn")
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

    @model_validator(mode="after")
    def is_a_png_of_some_size(self) -> Self:
        try:
            start = base64.b64decode(self.png[:44], validate=True)
            base64.b64decode(self.png, validate=True)
            signature, sides = start[:16], struct.unpack(">II", start[16:24])
        except (binascii.Error, struct.error):
            signature, sides = b"", (0, 0)
        if not (signature.startswith(b"\x89PNG\r\n\x1a\n") and signature.endswith(b"IHDR")):
            raise ValueError(f"the picture {self.title!r} is no PNG file in base64")
        if not all(1 <= side <= LARGEST_SIDE for side in sides):
            raise ValueError(
                f"the picture {self.title!r} is {sides[0]} × {sides[1]} pixels, not 1 to {LARGEST_SIDE}"
            )
        return self


class Suppression(Record):
    """What a reader may move: the threshold above which a box goes, because a better one overlaps it so."""

    picture: int = Field(
        ge=0, description="Which of the pictures has the candidates as its boxes, with scores"
    )
    threshold: float = Field(ge=0, le=1, description="The one that is drawn")
    match: float | None = Field(
        None, gt=0, le=1, description="IoU from which a box finds one of the true boxes that are drawn"
    )


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


#: What a block of a network does; it decides its fill. "data" is an input, an output or a set of images.
BlockKind = Literal[
    "data", "conv", "dense", "attention", "pool", "norm", "activation", "merge", "operation", "loss"
]
BlockName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:#-]*$")]


class FeatureMap(Record):
    """A block drawn as a map of cells: a window that slides over it, and boxes centred on it, in cells."""

    rows: int = Field(ge=1, le=64)
    columns: int = Field(ge=1, le=64)
    window: int = Field(3, ge=0, description="Side of the window at the centre cell; 0 for none")
    boxes: tuple[tuple[float, float], ...] = Field((), description="(height, width) of each anchor, in cells")


class Block(Record):
    """One box of a drawn network. Its counts are formatted by the report, never here."""

    id: BlockName
    kind: BlockKind
    label: str = Field("", description="What it is, such as '3×3 conv, 64'; a merge without one is a sum")
    shape: tuple[int, ...] = Field((), description="Of the output, without the batch axis")
    parameters: int | None = Field(None, ge=0)
    macs: int | None = Field(None, ge=0)
    share: float | None = Field(None, ge=0, le=1, description="Of the network's MACs: a bar along the edge")
    repeat: int = Field(1, ge=1, description="Equal blocks in a row, drawn as that many slices")
    notes: tuple[str, ...] = Field((), description="Further lines inside the box")
    row: str = Field("", description="Row of the figure's table that shows the block, by its first cell")
    map: FeatureMap | None = None


class Arrow(Record):
    """From block to block. Whether it is a skip is seen from the graph, not said."""

    source: BlockName
    target: BlockName
    label: str = ""
    style: Literal["forward", "training"] = Field("forward", description="training: dashed, absent at test")


class Frame(Record):
    """A dashed line around blocks that belong together, with a title above it."""

    title: str
    blocks: tuple[BlockName, ...] = Field(min_length=1)


class NetworkPanel(Record):
    """Blocks that are laid out together; panels stand side by side, or one below the other."""

    title: str = ""
    blocks: tuple[Block, ...] = Field(min_length=1)
    arrows: tuple[Arrow, ...] = ()
    frames: tuple[Frame, ...] = ()

    @model_validator(mode="after")
    def names_hold(self) -> Self:
        names = [block.id for block in self.blocks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two blocks are called {', '.join(twice)}")
        used = [name for arrow in self.arrows for name in (arrow.source, arrow.target)]
        used += [name for frame in self.frames for name in frame.blocks]
        missing = sorted(set(used) - set(names))
        if missing:
            raise ValueError(f"no block is called {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def arrows_go_forward(self) -> Self:
        into = {block.id: 0 for block in self.blocks}
        for arrow in self.arrows:
            into[arrow.target] += 1
        ready = [name for name, count in into.items() if not count]
        for name in ready:
            for arrow in self.arrows:
                if arrow.source == name:
                    into[arrow.target] -= 1
                    if not into[arrow.target]:
                        ready.append(arrow.target)
        if len(ready) < len(self.blocks):
            raise ValueError("the arrows go round in a circle")
        return self


class Network(Record):
    """A drawing of one or more networks: what is drawn, never where, which the report's layout decides.

    volumes: a row of blocks, height by side and width by channels, labels below as a table.
    graph: boxes and arrows; `flow` is where the data goes.
    """

    kind: Literal["network"] = "network"
    form: Literal["volumes", "graph"]
    flow: Literal["right", "down"] = "right"
    caption: str
    alt: str = Field(min_length=1)
    panels: tuple[NetworkPanel, ...] = Field(min_length=1)
    arrange: Literal["beside", "below"] = "beside"
    table: str = Field("", description="The table of the same result whose rows the blocks show")


Figure = Annotated[Chart | Panels | Heatmap | Pictures | Network, Field(discriminator="kind")]


class Placeholder(NamedTuple):
    """A number within a sentence: a metric, and how it is printed."""

    metric: str
    style: str  # "percent", "points", or a Python format specification
    options: frozenset[str]


#: What a placeholder may add: its interval, the words for its unit, no plus sign.
PLACEHOLDER_OPTIONS = ("ci", "unit", "unsigned")
MEMBERS = "members"  # the placeholder of a finding's members, in words


class Finding(Record):
    """A statement that prose may branch on, the metrics it rests on, and the sentence to print of it.

    `sentences` has one complete sentence for each verdict. Where a finding is a plain statement, the verdicts
    are "yes" and "no", and follow `holds`; a comparison has "more", "less" and "same". Numbers stand in a
    sentence as placeholders, so that each keeps its link: {metric}, {metric:.3f}, {metric:percent ci},
    {metric:points unit ci unsigned}; {members} names the members. The first of `metrics` is the difference
    that a comparison judges; what its interval is over, that metric says.
    """

    statement: str
    holds: bool
    metrics: tuple[str, ...] = ()
    verdict: str = Field("", description='Which sentence is printed; empty for "yes" or "no" by `holds`')
    sentences: dict[str, str] = Field({}, description="By verdict")
    members: tuple[str, ...] = Field((), description="In words, what a finding about several is true of")
    p: float | None = Field(
        None, ge=0, le=1, description="p-value of the comparison, corrected for its family where it has one"
    )

    @property
    def outcome(self) -> str:
        return self.verdict or ("yes" if self.holds else "no")

    @model_validator(mode="after")
    def the_verdict_has_a_sentence(self) -> Self:
        if self.sentences and self.outcome not in self.sentences:
            raise ValueError(
                f"there is no sentence for {self.outcome!r}, only for {', '.join(self.sentences)}"
            )
        for sentence in self.sentences.values():
            for part in parts_of(sentence):
                if isinstance(part, Placeholder):
                    _check_placeholder(part, sentence)
        return self


def _check_placeholder(part: Placeholder, sentence: str) -> None:
    for unknown in sorted(part.options - set(PLACEHOLDER_OPTIONS)):
        raise ValueError(f"{unknown!r} is no option of a placeholder in {sentence!r}")
    if part.style not in ("percent", "points") and not _is_number_format(part.style):
        raise ValueError(f"{part.style!r} is no format of a number in {sentence!r}")


def _is_number_format(text: str) -> bool:
    """As Python has them, without what would fill a page."""
    try:
        format(1, text)
    except ValueError:
        return False
    return NUMBER_FORMAT.fullmatch(text) is not None


def parts_of(sentence: str) -> Iterator[str | Placeholder]:
    """The words and the placeholders of a sentence, in order. ValueError for a brace that is not paired."""
    for n, part in enumerate(re.split(r"\{([^{}]*)\}", sentence)):
        if n % 2 == 0:
            if "{" in part or "}" in part:
                raise ValueError(f"a brace of {sentence!r} has no other half")
            if part:
                yield part
            continue
        metric, _, how = part.partition(":")
        style, _, options = how.partition(" ")
        yield Placeholder(metric, style, frozenset(options.split()))


class Dataset(Record):
    """A data set that a result was measured on, or weights that it started from."""

    name: str
    fingerprint: str
    licence: str = ""
    images: int | None = None
    notes: tuple[str, ...] = ()


def _moment(text: str) -> str:
    if text:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no moment, such as 2026-11-27T09:00:00+00:00") from None
    return text


Moment = Annotated[str, AfterValidator(_moment)]


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
    peak_device_bytes: int | None = Field(None, description="Of a GPU; not written of a CPU")
    libraries: dict[str, str] = {}
    python: str = ""
    git_commit: str = ""
    git_dirty: bool = False
    created: Moment

    @model_serializer(mode="wrap")
    def without_device_of_a_cpu(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = serialize(self)
        if self.peak_device_bytes is None:
            written.pop("peak_device_bytes", None)
        return written


class Pending(Record):
    """Finished cells of a run that has not ended, and the data that they were measured on."""

    datasets: dict[str, Dataset] = {}
    cells: tuple[CellRecord, ...] = ()


class Outcomes(Record):
    """What is kept of the cells of an experiment under one profile.

    `cells` are those that the recorded Result was summarized from, in the order of its plan. They change only
    together with the Result, so that it can always be summarized again. Each cell of a run is added to
    `pending` as it ends, and becomes one of `cells` when the Result of that run is written. Until then it is
    no part of any Result; a run takes it before one of `cells` of the same key, which was measured earlier.
    """

    schema_version: Literal[1] = OUTCOMES_VERSION
    analysis: AnalysisId
    datasets: dict[str, Dataset] = Field({}, description="By the name that the analysis asks for")
    cells: tuple[CellRecord, ...] = ()
    pending: Pending = Pending()


class Media(Record):
    """Pictures of data that may not be passed on: beside a Result, on the machine that has the data."""

    schema_version: Literal[1] = MEDIA_VERSION
    analysis: AnalysisId
    figures: dict[Identifier, Figure] = {}


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
    created: Moment = Field("", description="UTC, ISO 8601")
    wall_seconds: float = 0.0
    peak_memory_bytes: int = 0
    note: str = Field("", description="What was not run, or was run at a smaller budget than the protocol's")


class Result(Record):
    """What one analysis found, under one profile."""

    schema_version: Literal[2] = SCHEMA_VERSION
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
    def text_can_be_printed(self) -> Self:
        found = CONTROL_CHARACTER.search(text := self.model_dump_json())
        if found:
            raise ValueError(f"a control character stands after {text[: found.start()][-40:]!r}")
        return self

    @model_validator(mode="after")
    def findings_rest_on_metrics(self) -> Self:
        for name, finding in self.findings.items():
            printed = [
                part.metric
                for sentence in finding.sentences.values()
                for part in parts_of(sentence)
                if isinstance(part, Placeholder) and part.metric != MEMBERS
            ]
            for metric in (*finding.metrics, *printed):
                if metric not in self.metrics:
                    raise ValueError(
                        f"finding {name!r} rests on {metric!r}, which is no metric of {self.analysis}"
                    )
        return self


def upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """A result of an earlier version as the present one; all that was added since then has a default."""
    return data | {"schema_version": SCHEMA_VERSION} if data.get("schema_version") == 1 else data


if __name__ == "__main__":
    print(json.dumps(Result.model_json_schema(), indent=1))

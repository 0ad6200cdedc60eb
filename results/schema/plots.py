"""Figures with axes: lines, points, bars, intervals and curves, alone or in panels, and heatmaps."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from results.schema.values import LARGEST_PLOTTED, Record


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
    colours by logarithm and leaves zeros blank; no value is then below zero. framed: row and column of a cell
    that the caption speaks of.
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
    framed: tuple[int, int] | None = None

    @model_validator(mode="after")
    def a_frame_is_around_a_cell(self) -> Self:
        if self.framed is not None:
            row, column = self.framed
            if not (0 <= row < len(self.values) and 0 <= column < len(self.values[row])):
                raise ValueError(f"a heatmap frames its cell {self.framed}, which it does not have")
        return self

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

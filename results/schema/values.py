"""Values with their intervals, and what every record of a Result has in common."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Scalar = int | float | str | bool | None
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./|-]*$")]
AnalysisId = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")]
NUMBER_FORMAT = re.compile(r"[-+]?,?(\.\d{1,2})?[defgE%]?")
LARGEST_PLOTTED = 1e100


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

    def is_above(self, limit: float = 0.0) -> bool:
        """Whether there is an interval, and all of it lies above the limit."""
        return self.low is not None and self.low > limit

    def is_below(self, limit: float = 0.0) -> bool:
        """Whether there is an interval, and all of it lies below the limit."""
        return self.high is not None and self.high < limit

    def includes(self, value: float) -> bool:
        """Whether there is an interval, and the value lies in it."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


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


def is_number_format(text: str) -> bool:
    """As Python has them, without what would fill a page."""
    try:
        format(1, text)
    except ValueError:
        return False
    return NUMBER_FORMAT.fullmatch(text) is not None

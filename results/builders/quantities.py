"""Numbers with their intervals, and how a quantity is shown in a column or along an axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from results.schema import Axis, Estimate, Metric
from results.text import number as written

FRACTION = "fraction"
Best = Literal["", "highest", "lowest"]


@runtime_checkable
class EstimateLike(Protocol):
    """A value with its interval, as laboratories and results both have it."""

    @property
    def value(self) -> int | float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def n(self) -> int: ...
    @property
    def level(self) -> float: ...


Number = int | float | EstimateLike


def estimate(found: Number, over: str = "") -> Estimate:
    """A number, or a value with its interval, as results hold it; `over` where it does not say it itself."""
    if isinstance(found, int | float):
        return Estimate(value=found)
    over = getattr(found, "over", "") or over
    return Estimate(
        value=found.value, low=found.low, high=found.high, level=found.level, n=found.n, over=over
    )


def metric(
    found: Number,
    title: str,
    unit: str = "",
    *,
    over: str = "",
    arithmetic: str = "",
    partial: tuple[str, ...] = (),
) -> Metric:
    """A named value; `over`: what its interval is over, in the plural ("seeds", "test images")."""
    parts = estimate(found, over).model_dump()
    return Metric(**parts, title=title, unit=unit, arithmetic=arithmetic, partial=partial)


def metrics(
    prefix: str, of: str = "", /, **rows: tuple[Number, str] | tuple[Number, str, str]
) -> dict[str, Metric]:
    """Named values by key: each a number, its title, and its unit where it has one. `prefix` stands before
    all keys, `of` behind all titles.
    """
    return {f"{prefix}{key}": metric(row[0], f"{row[1]}{of}", *row[2:]) for key, row in rows.items()}


@dataclass(frozen=True)
class Format:
    """How a quantity is shown, in a column or along an axis.

    best: which value of a column is marked. within: the key of a column; the best is then marked for each of
    its values.
    """

    label: str
    type: Literal["text", "integer", "number", "shape", "code"]
    unit: str = ""
    format: str = ""
    scale: float = 1.0
    best: Best = ""
    within: str = ""

    def axis(self, *, log: bool = False) -> Axis:
        return Axis(label=self.label, unit=self.unit, scale="log" if log else "linear")

    def text(self, value: float) -> str:
        return written(value * self.scale if self.scale != 1 else value, self.format)


def text(label: str) -> Format:
    return Format(label, "text")


def code(label: str) -> Format:
    return Format(label, "code")


def shape(label: str) -> Format:
    return Format(label, "shape")


def integer(label: str, unit: str = "", *, best: Best = "", within: str = "") -> Format:
    return Format(label, "integer", unit, "", 1.0, best, within)


def number(
    label: str, format: str = "", unit: str = "", *, scale: float = 1.0, best: Best = "", within: str = ""
) -> Format:
    """`format`: Python's format specification, such as ".3f"; `scale`: 1e-6 to show millions."""
    return Format(label, "number", unit, format, scale, best, within)


def percent(label: str, decimals: int = 1, *, best: Best = "", within: str = "") -> Format:
    """A fraction, shown in per cent."""
    return Format(label, "number", "%", f".{decimals}f", 100.0, best, within)


def points(label: str, decimals: int = 1, *, best: Best = "", within: str = "") -> Format:
    """A difference of fractions, shown in percentage points with its sign."""
    return Format(label, "number", "percentage points", f"+.{decimals}f", 100.0, best, within)

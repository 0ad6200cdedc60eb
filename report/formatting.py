"""Numbers, cells and durations as text: the same text in the PDF, on the site and in the terminal."""

from __future__ import annotations

import re
from difflib import get_close_matches

from results.schema import Column, Metric, Row, Scalar

MINUS = "−"
AT_LEAST = "≥ "


def number(value: int | float, spec: str = "") -> str:
    """Thousands separators for integers, four significant digits otherwise; `spec` is Python's own."""
    if not spec:
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < 1e15)
        value, spec = (int(value), ",") if whole else (value, ",.4g")
    return format(value, spec).replace("-", MINUS)


def scaled(value: int | float, scale: float | None) -> int | float:
    """`value · scale`; an integer stays one where the product is whole."""
    if scale is None:
        return value
    product = value * scale
    return round(product) if isinstance(value, int) and float(product).is_integer() else product


def plain(value: int | float, spec: str = "") -> str:
    """Digits, a sign and a point only, so that it can stand in mathematics or in a spreadsheet."""
    return number(value, spec).replace(",", "").replace(MINUS, "-")


def with_interval(metric: Metric, spec: str, scale: float | None, style: str) -> str:
    """ "0.712 ± 0.004" (style "±") or "0.712 [0.708, 0.716]" (style "[]"); ValueError without an interval."""
    if metric.low is None or metric.high is None:
        raise ValueError("it has no interval")
    middle = number(scaled(metric.value, scale), spec)
    if style == "±":
        half = max(metric.high - metric.value, metric.value - metric.low)
        return f"{middle} ± {number(scaled(half, scale), spec)}"
    if style == "[]":
        low, high = (number(scaled(end, scale), spec) for end in (metric.low, metric.high))
        return f"{middle} [{low}, {high}]"
    raise ValueError(f'there is no interval style {style!r}, only "±" and "[]"')


def is_numeric(column: Column) -> bool:
    return column.type in ("integer", "number")


def cell(column: Column, row: Row) -> str:
    """The text of one cell. Numbers of a partial row are lower bounds and say so."""
    value: Scalar = row.cells.get(column.key)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return (AT_LEAST if row.partial and is_numeric(column) else "") + number(value, column.format)


def header(column: Column) -> str:
    """ "Weights", or "Time (seconds)" where the column has a unit that the label does not say."""
    return f"{column.label} ({column.unit})" if column.unit and column.unit != column.label else column.label


def duration(seconds: float) -> str:
    """ "0.4 s", "12 min" or "3.2 h"."""
    if seconds < 60:
        return f"{number(seconds, '.2g' if seconds < 10 else '.0f')} s"
    return f"{number(seconds / 60, '.0f')} min" if seconds < 5400 else f"{number(seconds / 3600, '.1f')} h"


def listing(words: list[str]) -> str:
    """ "a", "a and b" or "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def nearest(name: str, known: list[str]) -> str:
    """ "; did you mean a or b?" for what resembles `name`, else "; there are a, b" where those are few."""
    if close := get_close_matches(name, known, n=3, cutoff=0.5):
        return f"; did you mean {' or '.join(close)}?"
    return f"; there are {listing(sorted(known))}" if 0 < len(known) <= 8 else ""


def markdown(text: str) -> str:
    """Text that Markdown prints as it is."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)

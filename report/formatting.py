"""Numbers, cells and durations as text: the same text in the PDF, on the site and in the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from results.schema import (
    MEMBERS,
    Column,
    Estimate,
    Finding,
    Metric,
    Placeholder,
    Row,
    Scalar,
    Table,
    parts_of,
)
from results.text import MINUS as MINUS
from results.text import counted
from results.text import listing as listing
from results.text import number as number

AT_LEAST = "≥ "


def scaled(value: int | float, scale: float | None) -> int | float:
    """`value · scale`; an integer stays one where the product is whole."""
    if scale is None:
        return value
    product = value * scale
    return round(product) if isinstance(value, int) and float(product).is_integer() else product


def plain(value: int | float, spec: str = "") -> str:
    """Digits, a sign and a point only, so that it can stand in mathematics or in a spreadsheet."""
    return number(value, spec).replace(",", "").replace(MINUS, "-")


def with_interval(estimate: Estimate, spec: str, scale: float | None, style: str) -> str:
    """ "0.712 ± 0.004" (style "±"), "0.712 [0.708, 0.716]" ("[]") or "71.2% (95% CI 70.8–71.6)" ("CI").

    "0.712 (one seed)" where n is one of what the interval would be over; ValueError without an interval.
    """
    if style not in ("±", "[]", "CI"):
        raise ValueError(f'there is no interval style {style!r}, only "±", "[]" and "CI"')
    middle = number(scaled(estimate.value, scale), spec)
    if estimate.low is None or estimate.high is None:
        if not estimate.over:
            raise ValueError("it has no interval")
        return f"{middle} ({counted(estimate.n, estimate.over)})"
    if style == "±":
        half = max(estimate.high - estimate.value, estimate.value - estimate.low)
        return f"{middle} ± {number(scaled(half, scale), spec)}"
    if style == "[]":
        low, high = (number(scaled(end, scale), spec) for end in (estimate.low, estimate.high))
        return f"{middle} [{low}, {high}]"
    return f"{middle} ({interval_in_words(estimate, spec, scale)})"


def interval_in_words(estimate: Estimate, spec: str, scale: float | None) -> str:
    """ "95% CI 80.0–88.3", or "95% CI −6.4 to 1.9" where an end is negative; no plus signs, and no unit."""
    assert estimate.low is not None and estimate.high is not None
    unsigned = spec.replace("+", "")
    ends = [number(scaled(end, scale), unsigned).removesuffix("%") for end in (estimate.low, estimate.high)]
    between = " to " if any(end.startswith(MINUS) for end in ends) else "–"
    return f"{100 * estimate.level:g}% CI {between.join(ends)}"


def styled(
    estimate: Estimate,
    style: str,
    *,
    decimals: int | None = None,
    ci: bool = False,
    unit: bool = False,
    unsigned: bool = False,
) -> str:
    """A number as "percent" ("84.3%"), in percentage "points" ("+2.4") or by a format specification.

    ci: with its interval. unit: with the words "percentage points". unsigned: its size, without a sign.
    """
    if unsigned and estimate.value < 0:
        estimate = _mirrored(estimate)
    if unit and style != "points":
        raise ValueError('only "points" have a unit in words')
    places = 1 if decimals is None else decimals
    spec, scale = {"percent": (f".{places}%", None), "points": (f"+.{places}f", 100.0)}.get(
        style, (style, None)
    )
    spec = spec.replace("+", "") if unsigned else spec
    text = with_interval(estimate, spec, scale, "CI") if ci else number(scaled(estimate.value, scale), spec)
    if style == "percent":
        _value, space, rest = text.partition(" ")
        text = f"{_share(estimate.value, places)}{space}{rest}"
    return with_unit(text, "percentage points") if unit else text


def with_unit(text: str, unit: str) -> str:
    """A number, with or without its interval in parentheses, with the unit behind the number."""
    value, space, rest = text.partition(" ")
    return f"{value} {unit}{space}{rest}"


def _share(value: float, places: int) -> str:
    """ "84.3%"; ">99.9%" or "<0.1%" of what only rounding makes all or none."""
    text, step = number(value, f".{places}%"), 10.0 ** -(places + 2)
    if value > 1e-9 and text == number(0.0, f".{places}%"):
        return f"<{number(step, f'.{places}%')}"
    if value < 1 - 1e-9 and text == number(1.0, f".{places}%"):
        return f">{number(1 - step, f'.{places}%')}"
    return text


def _mirrored(estimate: Estimate) -> Estimate:
    low, high = (None if end is None else -end for end in (estimate.high, estimate.low))
    return estimate.model_copy(update={"value": -estimate.value, "low": low, "high": high})


def sentence(finding: Finding, show: Callable[[Placeholder], str], words: Callable[[str], str] = str) -> str:
    """The sentence of a finding's verdict; `show` gives the text of a number and `words` that of the rest.

    ValueError where it has none.
    """
    if not finding.sentences:
        raise ValueError("it has no sentence")
    return "".join(
        words(part)
        if isinstance(part, str)
        else words(listing(finding.members))
        if part.metric == MEMBERS
        else show(part)
        for part in parts_of(finding.sentences[finding.outcome])
    )


def placeholder(part: Placeholder, metric: Metric) -> str:
    """The number that a sentence has a place for."""
    return styled(metric, part.style, **dict.fromkeys(part.options, True))


def is_numeric(column: Column) -> bool:
    return column.type in ("integer", "number", "estimate")


def value_of(column: Column, row: Row) -> Scalar:
    """The number or word of a cell, of an estimate without its interval."""
    value = row.cells.get(column.key)
    return value.value if isinstance(value, Estimate) else value


def cell(column: Column, row: Row) -> str:
    """The text of one cell. Numbers of a partial row are lower bounds and say so."""
    return " ".join(filter(None, cell_parts(column, row)))


def cell_parts(column: Column, row: Row) -> tuple[str, str]:
    """The text of a cell, and its interval as "[0.800, 0.885]", or ""."""
    whole = row.cells.get(column.key)
    value = value_of(column, row)
    if value is None:
        return "", ""
    if isinstance(value, bool):
        return "yes" if value else "no", ""
    if isinstance(value, str):
        return value, ""
    text = (AT_LEAST if row.partial and is_numeric(column) else "") + _scaled_text(column, value)
    if not isinstance(whole, Estimate) or whole.low is None or whole.high is None:
        return text, ""
    return text, f"[{_scaled_text(column, whole.low)}, {_scaled_text(column, whole.high)}]"


def _scaled_text(column: Column, value: int | float) -> str:
    text = number(value if column.scale == 1 else value * column.scale, column.format)
    if re.search(r"\bp\b", column.label) and re.fullmatch(r"0\.0+", text):  # no p-value is zero
        return f"<{text[:-1]}1"
    return text


def notes(table: Table, columns: Sequence[Column]) -> list[str]:
    """What stands below a table: its notes, and what the brackets and the bold cells of `columns` mean."""
    has_interval_note = any("95% " in note and "interval" in note for note in table.notes)
    intervals = () if has_interval_note else _interval_notes(table, columns)
    return [*table.notes, *intervals, *_cut_notes(table, columns), *_best_notes(table, columns)]


def _cut_notes(table: Table, columns: Sequence[Column]) -> list[str]:
    """That an interval ends where its quantity does: Student's, over seeds, is symmetric everywhere else."""
    ends = set()
    for value in (row.cells.get(column.key) for row in table.rows for column in columns):
        if isinstance(value, Estimate) and value.over == "seeds" and value.low is not None:
            below, above = value.value - value.low, (value.high or 0.0) - value.value
            if abs(below - above) > 1e-6 * (below + above):
                ends.add("lowest" if below < above else "highest")
    return [f"An interval is cut at the {one} possible value." for one in sorted(ends, reverse=True)]


def _interval_notes(table: Table, columns: Sequence[Column]) -> list[str]:
    """What the intervals are over, and that a value without one is of a single seed."""
    meanings: dict[tuple[float, str], list[str]] = {}
    alone: dict[str, None] = {}
    for column in columns:
        sizes: dict[tuple[float, str], set[int]] = {}
        for row in table.rows:
            value = row.cells.get(column.key)
            if isinstance(value, Estimate):
                over = value.over or column.over
                if value.low is not None:
                    sizes.setdefault((value.level, over), set()).add(value.n)
                elif over:
                    alone[counted(value.n, over)] = None
        for (level, over), numbers in sizes.items():
            what = f"over {counted(max(numbers), over) if len(numbers) == 1 else over}" if over else ""
            meanings.setdefault((level, what), []).append(column.label)
    same: dict[tuple[float, tuple[str, ...]], list[str]] = {}  # what the intervals of some columns are over
    for (level, what), labels in meanings.items():
        same.setdefault((level, tuple(labels)), []).append(what)
    several = len(same) > 1
    found = [
        f"Brackets are {100 * level:g}% confidence intervals{' ' * any(whats)}{' or '.join(whats)}"
        f"{', depending on the row' * (len(whats) > 1)}{f' ({listing(labels)})' if several else ''}."
        for (level, labels), whats in same.items()
    ]
    if alone:
        found.append(f"A value of {listing(list(alone))} has no interval.")
    return found


def _best_notes(table: Table, columns: Sequence[Column]) -> list[str]:
    """What the bold cells mean, and of which columns, unless every column with numbers has some."""
    meanings: dict[str, list[str]] = {}
    for column in columns:
        if any(column.key in row.best for row in table.rows):
            meanings.setdefault(column.best, []).append(column.label)
    numeric = {
        column.label
        for column in columns
        if any(isinstance(row.cells.get(column.key), int | float | Estimate) for row in table.rows)
    }
    if len(meanings) == 1 and numeric <= {label for labels in meanings.values() for label in labels}:
        return [f"Bold: {next(iter(meanings))}."]
    if len(meanings) == 1 and len(next(iter(meanings.values()))) > 1:
        return [f"Bold, in each column that has it: {next(iter(meanings))}."]
    return [f"Bold ({'; '.join(labels)}): {what}." for what, labels in meanings.items()]


def header(column: Column) -> str:
    """ "Weights", or "Time (seconds)" where the column has a unit that the label does not say."""
    return f"{column.label} ({column.unit})" if column.unit and column.unit != column.label else column.label


def duration(seconds: float) -> str:
    """ "0.4 s", "12 min" or "3.2 h"."""
    if seconds < 60:
        return f"{number(seconds, '.2g' if seconds < 10 else '.0f')} s"
    return f"{number(seconds / 60, '.0f')} min" if seconds < 5400 else f"{number(seconds / 3600, '.1f')} h"


def nearest(name: str, known: list[str]) -> str:
    """ "; did you mean a or b?" for what resembles `name`, else "; there are a, b" where those are few."""
    if close := get_close_matches(name, known, n=3, cutoff=0.5):
        return f"; did you mean {' or '.join(close)}?"
    return f"; there are {listing(sorted(known))}" if 0 < len(known) <= 8 else ""


def markdown(text: str) -> str:
    """Text that Markdown prints as it is."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)

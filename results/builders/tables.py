"""Tables from rows of plain numbers and estimates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from results.builders.findings import SIGNIFICANT
from results.builders.quantities import EstimateLike, Format, estimate
from results.schema import Column, Estimate, Row, Scalar, Table

Cell = Scalar | EstimateLike


def table(
    caption: str,
    columns: Mapping[str, Format | Column] | Sequence[Column],
    rows: Iterable[Any],
    *,
    total: Mapping[str, Cell] | None = None,
    notes: Iterable[str] = (),
    ties: Mapping[str, Collection[int]] | None = None,
) -> Table:
    """A table; rows have cells by key, or are dataclasses, or Rows where cells have arithmetic.

    Estimates are shown with their intervals. ties: by column, which rows do not differ significantly from the
    best one; without it, only equal values share the mark.
    """
    if not isinstance(columns, Mapping):
        columns = {column.key: column for column in columns}
    body = [_row(cells) for cells in rows]
    marked = [set(row.best) for row in body]
    tied = ties or {}
    made = []
    for key, column in columns.items():
        best = ""
        if isinstance(column, Format) and column.best:
            for n in _best_rows(body, key, column) | set(tied.get(key, ())):
                marked[n].add(key)
            best = _best_words(column, columns, tied=bool(tied.get(key)))
        made.append(_column(key, column, best, [*body, *([_row(total)] if total else [])]))
    body = [
        row.model_copy(update={"best": tuple(key for key in columns if key in found)})
        for row, found in zip(body, marked, strict=True)
    ]
    if total:
        body.append(_row(total).model_copy(update={"kind": "total"}))
    return Table(caption=caption, columns=tuple(made), rows=tuple(body), notes=tuple(notes))


def tied(adjusted: Sequence[float | None]) -> set[int]:
    """The rows that do not differ significantly from the best, by the p-values of their comparisons with it,
    corrected for their number; None for the best itself."""
    return {n for n, p in enumerate(adjusted) if p is None or p >= SIGNIFICANT}


def _row(cells: Any) -> Row:
    if isinstance(cells, Row):
        return cells
    if is_dataclass(cells) and not isinstance(cells, type):
        cells = {field.name: getattr(cells, field.name) for field in fields(cells)}
    return Row(cells={key: _cell(value) for key, value in cells.items()})


def _cell(value: Cell) -> Scalar | Estimate:
    return estimate(value) if isinstance(value, EstimateLike) else value


def _column(key: str, column: Format | Column, best: str, rows: Sequence[Row]) -> Column:
    if isinstance(column, Column):
        return column
    estimated = any(isinstance(row.cells.get(key), Estimate) for row in rows)
    return Column(
        key=key,
        label=column.label,
        type="estimate" if estimated else column.type,
        unit=column.unit,
        format=column.format,
        scale=column.scale,
        best=best,
    )


def _value(row: Row, key: str) -> float | None:
    found = row.cells.get(key)
    found = found.value if isinstance(found, Estimate) else found
    return None if found is None or isinstance(found, str | bool) else float(found)


def _best_rows(rows: Sequence[Row], key: str, column: Format) -> set[int]:
    """The rows with the best value of several, for each value of the column `within` where there is one."""
    groups: dict[object, dict[int, float]] = {}
    for n, row in enumerate(rows):
        if (value := _value(row, key)) is not None:
            groups.setdefault(row.cells.get(column.within), {})[n] = value
    best = max if column.best == "highest" else min
    several = [values for values in groups.values() if len(values) > 1]
    return {n for values in several for n, value in values.items() if value == best(values.values())}


def _best_words(column: Format, columns: Mapping[str, Format | Column], *, tied: bool) -> str:
    words = f"the {column.best} value"
    if column.within:
        words += f" for each {columns[column.within].label.lower()}"
    return f"{words}, and those that do not differ significantly from it" if tied else words

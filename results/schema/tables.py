"""Tables: typed columns, rows of cells."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from results.schema.values import Estimate, Record, Scalar, is_number_format


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
        if not is_number_format(self.format):
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

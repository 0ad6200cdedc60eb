"""The words in which an analysis builds its result from plain numbers.

How a number is shown (`percent`, `points`, `integer`, `number`, …) is said once, for a column of a table and
an axis of a figure alike. Captions get a sentence on what bands and bars are, figures their alternative text,
and findings the sentence of each verdict. A whole small result:

>>> accuracy = metric(Estimate(value=0.81, low=0.79, high=0.83, n=3), "Test accuracy", FRACTION, over="seeds")
>>> gain = metric(Estimate(value=0.03, low=0.01, high=0.05, n=3), "Gain by dropout", FRACTION, over="seeds")
>>> metrics = {"accuracy": accuracy, "gain": gain}
>>> tables = {
...     "results": table(
...         "Accuracy on CIFAR-10 (10,000 test images), by what is changed.",
...         {"change": text("Change"), "epochs": integer("Epochs"), "test": percent("Test", best="highest")},
...         [
...             {"change": "none", "epochs": 10, "test": 0.78},
...             {"change": "dropout", "epochs": 10, "test": accuracy},
...         ],
...     )
... }
>>> figures = {
...     "curves": learning_curves(
...         "Loss and accuracy by epoch.", [{"train_loss": [2.3, 1.1], "train_accuracy": [0.2, 0.6]}]
...     ),
...     "changes": intervals("Change of accuracy.", {"dropout": gain}, points("Change of accuracy")),
... }
>>> findings = {
...     "dropout_helps": comparison(
...         "Dropout raises test accuracy",
...         "gain",
...         gain,
...         more=f"Dropout raises test accuracy by {shown('gain', 'points', ci=True, unit=True)}.",
...         less="Dropout lowers test accuracy.",
...         same="Dropout does not change test accuracy significantly.",
...     )
... }
>>> findings["dropout_helps"].verdict
'more'

Nothing here knows the laboratory: whatever has `value`, `low`, `high`, `n` and `level` is an estimate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

from results.schema import (
    Axis,
    Chart,
    Column,
    Estimate,
    Finding,
    Metric,
    Panel,
    Panels,
    Reference,
    Row,
    Scalar,
    Series,
    Table,
)
from results.text import counted, listing
from results.text import number as written

FRACTION = "fraction"
SIGNIFICANT = 0.05
PARTS = {"train": "Training", "validation": "Validation", "test": "Test"}

Verdict = Literal["more", "less", "same"]
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
Cell = Scalar | EstimateLike


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


def learning_curves(
    caption: str, histories: Sequence[Mapping[str, Sequence[float | None]]], over: str = "seeds"
) -> Panels:
    """Loss and accuracy beside each other, by epoch, on training, validation and test images.

    histories: of each run, lists by name ("train_loss", "test_accuracy", …). A part of the data without a
    list is left out, and so are epochs that not every run had.
    """
    panels, ends = [], []
    for title, quantity in (
        ("Loss", number("Cross-entropy", ".3f", "nats")),
        ("Accuracy", percent("Accuracy")),
    ):
        mean_curves = {
            name: _mean_curve(runs, quantity)
            for part, name in PARTS.items()
            if all(runs := [history.get(f"{part}_{title.lower()}") or () for history in histories])
        }
        if mean_curves:
            axes = {"x": Axis(label="Epoch"), "y": quantity.axis()}
            panels.append(Panel(kind="line", title=title, series=_lines(mean_curves), **axes))
            ends.append(f"{title} by epoch ends at {_ends(mean_curves, quantity)}.")
    return Panels(
        caption=_with(caption, _bands(len(histories), over)),
        alt=" ".join(ends),
        panels=tuple(panels),
        share_x=True,
    )


def curves(
    caption: str,
    runs: Mapping[str, Sequence[Sequence[float | None]]],
    y: Format,
    *,
    log_x: bool = False,
    bands: bool = True,
    over: str = "seeds",
) -> Chart:
    """A line for each label: the mean of its runs by epoch, with a band from the lowest to the highest."""
    mean_curves = {label: _mean_curve(found, y) for label, found in runs.items()}
    return Chart(
        kind="line",
        caption=_with(caption, _bands(max(map(len, runs.values())), over, bands=bands)),
        alt=f"{y.label} by epoch ends at {_ends(mean_curves, y)}.",
        x=Axis(label="Epoch", scale="log" if log_x else "linear"),
        y=y.axis(),
        series=_lines(mean_curves, bands=bands),
    )


@dataclass(frozen=True)
class _MeanCurve:
    """Mean, lowest and highest of some runs, epoch by epoch, in the unit that is shown."""

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: int


def _mean_curve(runs: Sequence[Sequence[float | None]], quantity: Format) -> _MeanCurve:
    epochs: list[list[float]] = []
    for values in zip(*runs, strict=False):
        numbers = [quantity.scale * value for value in values if value is not None]
        if len(numbers) < len(runs):
            break  # from here on some run is no number
        epochs.append(numbers)
    return _MeanCurve(
        tuple(sum(values) / len(values) for values in epochs),
        tuple(map(min, epochs)),
        tuple(map(max, epochs)),
        len(runs),
    )


def _lines(mean_curves: Mapping[str, _MeanCurve], *, bands: bool = True) -> tuple[Series, ...]:
    return tuple(
        Series(
            label=label,
            x=tuple(float(epoch) for epoch in range(1, len(course.mean) + 1)),
            y=course.mean,
            low=course.low if bands and course.n > 1 else (),
            high=course.high if bands and course.n > 1 else (),
        )
        for label, course in mean_curves.items()
    )


def _ends(mean_curves: Mapping[str, _MeanCurve], quantity: Format) -> str:
    plain = replace(quantity, scale=1.0)
    unit = "%" if quantity.unit == "%" else ""
    return listing(
        [f"{plain.text(c.mean[-1])}{unit} ({label})" for label, c in mean_curves.items() if c.mean]
    )


def _bands(n: int, over: str, *, bands: bool = True) -> str:
    if n == 1:
        return f"Each line is of {counted(n, over)}."
    what = f"Lines are means over {counted(n, over)}"
    return f"{what}; bands reach from the lowest to the highest." if bands else f"{what}."


def intervals(
    caption: str,
    differences: Mapping[str, EstimateLike] | Mapping[str, Mapping[str, EstimateLike]],
    quantity: Format,
    *,
    x: str = "Change",
    groups: Mapping[str, str] | None = None,
    significant: Collection[str] | None = None,
    ordered: bool = True,
) -> Chart:
    """Differences as points with their intervals, below each other, with a line at zero.

    differences: by what is compared, or by series and then by that; `x` says what it is. The largest stands
    on top (of its group, where `groups` names one for each), unless it is not to be ordered. significant: the
    rows whose points are filled; without it, those whose interval leaves out zero.
    """
    by_series = _by_series(differences, quantity.label)
    first = next(iter(by_series.values()))
    names = list(first)
    if ordered:
        names.sort(key=lambda name: -first[name].value)
    if groups:
        order = list(dict.fromkeys(groups[name] for name in first))
        names.sort(key=lambda name: order.index(groups[name]))
    series = []
    for label, found in by_series.items():
        shown = [name for name in names if name in found]
        series.append(
            Series(
                label=label,
                x=tuple(float(names.index(name)) for name in shown),
                emphasis=tuple(
                    name in significant if significant is not None else sign(found[name]) != 0
                    for name in shown
                ),
                **_ends_of([found[name] for name in shown], quantity),
            )
        )
    everything = [one for found in by_series.values() for one in found.values()]
    told = (
        f"{quantity.label} of {len(names)} rows, from {quantity.text(first[names[0]].value)} ({names[0]}) to "
    )
    return Chart(
        kind="interval",
        caption=_with(
            caption,
            _intervals_are(everything),
            "Filled points differ significantly from zero."
            if any(any(one.emphasis) for one in series)
            else "",
        ),
        alt=f"{told}{quantity.text(first[names[-1]].value)} ({names[-1]}).",
        x=Axis(
            label=x,
            categories=tuple(names),
            groups=tuple(groups[name] for name in names) if groups else (),
        ),
        y=quantity.axis(),
        series=tuple(series),
        references=(Reference(axis="y", value=0.0),),
    )


def bars(
    caption: str,
    values: Mapping[str, Number] | Mapping[str, Mapping[str, Number]],
    y: Format,
    *,
    x: str,
    references: Mapping[str, float] | None = None,
    alt: str = "",
) -> Chart:
    """Bars by category, or by series and then category, with error bars where all have an interval.

    references: horizontal lines to compare with, by their labels. alt: where the range does not say enough.
    """
    by_series = _by_series(values, y.label)
    names = list(dict.fromkeys(name for found in by_series.values() for name in found))
    return _points_chart(
        "bar", caption, by_series, Axis(label=x, categories=tuple(names)), y, references, alt
    )


def trend(
    caption: str,
    values: Mapping[str, Mapping[float, Number]],
    y: Format,
    *,
    x: Axis,
    references: Mapping[str, float] | None = None,
    alt: str = "",
) -> Chart:
    """Points by a number, joined by a line for each series, with a band where all have an interval."""
    return _points_chart("line", caption, values, x, y, references, alt)


def _points_chart(
    kind: Literal["bar", "line"],
    caption: str,
    by_series: Mapping[str, Mapping[Any, Number]],
    x: Axis,
    y: Format,
    references: Mapping[str, float] | None,
    alt: str,
) -> Chart:
    everything = [one for found in by_series.values() for one in found.values()]
    numbers = sorted((estimate(one).value, str(name)) for f in by_series.values() for name, one in f.items())
    (low, least), (high, most) = numbers[0], numbers[-1]
    return Chart(
        kind=kind,
        caption=_with(caption, _intervals_are(everything, "Error bars" if kind == "bar" else "Bands")),
        alt=alt
        or f"{y.label} by {x.label.lower()}, from {y.text(low)} ({least}) to {y.text(high)} ({most}).",
        x=x,
        y=y.axis(),
        series=tuple(
            Series(
                label=label,
                x=tuple(float(x.categories.index(name)) if x.categories else float(name) for name in found),
                **_ends_of(list(found.values()), y),
            )
            for label, found in by_series.items()
        ),
        references=tuple(
            Reference(axis="y", value=y.scale * value, label=label)
            for label, value in (references or {}).items()
        ),
    )


@dataclass(frozen=True)
class Rates:
    """A ROC curve: true positive rates at false positive rates, both in 0–1, with the ends of a band."""

    false_positive: Sequence[float]
    true_positive: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def roc(caption: str, rates: Mapping[str, Rates], *, bands: str = "") -> Chart:
    """ROC curves in a square with the line of chance; bands: what the bands are, as a phrase."""
    mid = {label: _at(curve, 0.1) for label, curve in rates.items()}
    return Chart(
        kind="roc",
        caption=_with(caption, f"Bands are {bands}." if bands else "", "The diagonal is chance."),
        alt="True positive rate at a false positive rate of one tenth: "
        + listing([f"{written(rate, '.2f')} ({label})" for label, rate in mid.items()])
        + ".",
        x=Axis(label="False positive rate"),
        y=Axis(label="True positive rate"),
        series=tuple(
            Series(
                label=label,
                x=tuple(curve.false_positive),
                y=tuple(curve.true_positive),
                low=tuple(curve.low),
                high=tuple(curve.high),
            )
            for label, curve in rates.items()
        ),
    )


def _at(curve: Rates, rate: float) -> float:
    """The true positive rate where the false positive rate has not passed `rate`."""
    pairs = zip(curve.false_positive, curve.true_positive, strict=True)
    return max((true for false, true in pairs if false <= rate), default=0.0)


def _by_series(values: Mapping[str, Any], label: str) -> Mapping[str, Mapping[str, Any]]:
    """Series by label; values of none are one series of that label."""
    return values if all(isinstance(found, Mapping) for found in values.values()) else {label: values}


def _ends_of(found: Sequence[Number], quantity: Format) -> dict[str, tuple[float, ...]]:
    """y, and the ends of the intervals where every value has one, as a Series takes them."""
    made = [estimate(one) for one in found]
    values = {"y": tuple(quantity.scale * one.value for one in made)}
    if all(one.low is not None for one in made):
        values["low"] = tuple(quantity.scale * one.low for one in made if one.low is not None)
        values["high"] = tuple(quantity.scale * one.high for one in made if one.high is not None)
    return values


def _intervals_are(found: Sequence[Number], what: str = "Bars") -> str:
    made = [estimate(one) for one in found]
    if not made or any(one.low is None for one in made):
        return ""
    levels, over, sizes = ({getattr(one, name) for one in made} for name in ("level", "over", "n"))
    if len(levels) > 1 or len(over) > 1:
        raise ValueError(
            "intervals of different levels, or over different things, do not stand in one figure"
        )
    words = f"{what} are {100 * levels.pop():g}% confidence intervals"
    if name := over.pop():
        words += f" over {counted(sizes.pop(), name) if len(sizes) == 1 else name}"
    return f"{words}."


def _with(caption: str, *sentences: str) -> str:
    return " ".join(filter(None, (caption, *sentences)))


def sign(difference: EstimateLike) -> int:
    """1 or −1 where the interval lies above or below zero, else 0."""
    if difference.low is None or difference.high is None:
        return 0
    return (difference.low > 0) - (difference.high < 0)


def judge(difference: EstimateLike, adjusted_p: float | None = None) -> Verdict:
    """Whether a difference is significant: by its p-value, corrected for its family, else by its interval."""
    direction = sign(difference)
    if adjusted_p is not None:
        direction = ((difference.value > 0) - (difference.value < 0)) if adjusted_p < SIGNIFICANT else 0
    return "more" if direction > 0 else "less" if direction < 0 else "same"


def statement(words: str, holds: bool, *metrics: str, yes: str = "", no: str = "") -> Finding:
    """A finding that holds or not, with the sentences to print of it where there are any."""
    sentences = {"yes": yes, "no": no} if yes or no else {}
    return Finding(statement=words, holds=holds, metrics=metrics, sentences=sentences)


def comparison(
    words: str,
    name: str,
    difference: EstimateLike,
    *,
    more: str,
    less: str,
    same: str,
    adjusted_p: float | None = None,
    expected: Verdict = "more",
) -> Finding:
    """A finding on a difference, the metric `name`: significantly more than nothing, less, or the same.

    It holds where the verdict is the expected one. adjusted_p: corrected for the family of comparisons that
    it belongs to; without it, the interval decides.
    """
    verdict = judge(difference, adjusted_p)
    return Finding(
        statement=words,
        holds=verdict == expected,
        metrics=(name,),
        verdict=verdict,
        sentences={"more": more, "less": less, "same": same},
        p=adjusted_p,
    )


def family(words: str, members: Mapping[str, bool], *metrics: str, none: str, one: str, many: str) -> Finding:
    """A finding on several: of which of them, in words, it is true. `one` and `many` say {members}."""
    true_of = tuple(name for name, holds in members.items() if holds)
    return Finding(
        statement=words,
        holds=bool(true_of),
        metrics=metrics,
        verdict="none" if not true_of else "one" if len(true_of) == 1 else "many",
        sentences={"none": none, "one": one, "many": many},
        members=true_of,
    )


def shown(
    name: str,
    style: str = "",
    *,
    ci: bool = False,
    unit: bool = False,
    unsigned: bool = False,
) -> str:
    """The place of a metric's number within a sentence: as "percent", as "points", or by Python's format
    specification; with its interval, with the words "percentage points", as a size without its sign."""
    options = [word for word, wanted in (("ci", ci), ("unit", unit), ("unsigned", unsigned)) if wanted]
    how = " ".join((style, *options)) if style or options else ""
    return f"{{{name}:{how}}}" if how else f"{{{name}}}"

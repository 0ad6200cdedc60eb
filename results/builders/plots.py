"""Figures of numbers with their intervals: differences below each other, bars, trends and ROC curves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from results.builders.findings import sign
from results.builders.quantities import EstimateLike, Format, Number, estimate
from results.schema import Axis, Chart, Reference, Series
from results.text import counted, listing
from results.text import number as written


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
    start = (
        f"{quantity.label} of {len(names)} rows, from {quantity.text(first[names[0]].value)} ({names[0]}) to "
    )
    return Chart(
        kind="interval",
        caption=with_sentences(
            caption,
            _intervals_are(everything),
            "Filled points differ significantly from zero."
            if any(any(one.emphasis) for one in series)
            else "",
        ),
        alt=f"{start}{quantity.text(first[names[-1]].value)} ({names[-1]}).",
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
    log: bool = False,
    alt: str = "",
) -> Chart:
    """Bars by category, or by series and then category, with error bars where all have an interval.

    references: horizontal lines to compare with, by their labels. alt: where the range does not say enough.
    """
    by_series = _by_series(values, y.label)
    names = list(dict.fromkeys(name for found in by_series.values() for name in found))
    axis = Axis(label=x, categories=tuple(names))
    return _points_chart("bar", caption, by_series, axis, y, references, alt, log=log)


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
    *,
    log: bool = False,
) -> Chart:
    everything = [one for found in by_series.values() for one in found.values()]
    numbers = sorted((estimate(one).value, str(name)) for f in by_series.values() for name, one in f.items())
    (low, least), (high, most) = numbers[0], numbers[-1]
    return Chart(
        kind=kind,
        caption=with_sentences(
            caption, _intervals_are(everything, "Error bars" if kind == "bar" else "Bands")
        ),
        alt=alt
        or f"{y.label} by {x.label.lower()}, from {y.text(low)} ({least}) to {y.text(high)} ({most}).",
        x=x,
        y=y.axis(log=log),
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
        caption=with_sentences(caption, f"Bands are {bands}." if bands else "", "The diagonal is chance."),
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


def with_sentences(caption: str, *sentences: str) -> str:
    return " ".join(filter(None, (caption, *sentences)))

"""Curves by epoch, as means over runs with bands from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from results.builders.plots import with_sentences
from results.builders.quantities import Format, number, percent
from results.schema import Axis, Chart, Panel, Panels, Series
from results.text import count, counted, listing

PARTS = {"train": "Training", "validation": "Validation", "test": "Test"}


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
        caption=with_sentences(caption, _bands([len(histories)], over)),
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
        caption=with_sentences(caption, _bands([len(found) for found in runs.values()], over, bands=bands)),
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
            x=tuple(float(epoch) for epoch in range(1, len(curve.mean) + 1)),
            y=curve.mean,
            low=curve.low if bands and curve.n > 1 else (),
            high=curve.high if bands and curve.n > 1 else (),
        )
        for label, curve in mean_curves.items()
    )


def _ends(mean_curves: Mapping[str, _MeanCurve], quantity: Format) -> str:
    plain = replace(quantity, scale=1.0)
    unit = "%" if quantity.unit == "%" else ""
    return listing(
        [f"{plain.text(c.mean[-1])}{unit} ({label})" for label, c in mean_curves.items() if c.mean]
    )


def _bands(counts: Sequence[int], over: str, *, bands: bool = True) -> str:
    """What the lines are, of which each has so many runs."""
    fewest, most = min(counts), max(counts)
    if most == 1:
        return f"Each line is of {counted(most, over)}."
    number = f"{count(fewest)} to {counted(most, over)}" if fewest < most else counted(most, over)
    what = f"Lines are means over {number}"
    return f"{what}; bands reach from the lowest to the highest." if bands else f"{what}."

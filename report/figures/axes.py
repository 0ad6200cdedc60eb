"""Axes: their titles and ticks, and the room that names of categories take."""

from __future__ import annotations

from math import ceil
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from report.figures.look import CHARACTER, LINE
from results.schema import Axis
from results.text import number

if TYPE_CHECKING:
    pass


def axis_title(axis: Axis) -> str:
    return f"{axis.label} ({axis.unit})" if axis.unit and axis.unit != axis.label else axis.label


def text_width(text: str) -> float:
    """Inches that a tick label takes, on the safe side."""
    return len(text) * CHARACTER


def category_names(axis: Axis, width: float) -> tuple[list[str], bool]:
    """The names of categories for an axis `width` inches long, and whether they stand upright.

    They lie flat, in up to three lines, where no word is wider than the place of its category.
    """
    place = 0.92 * width / max(1, len(axis.categories))
    wrapped = [wrap(name, max(1, int(place / CHARACTER)), break_long_words=False) for name in axis.categories]
    flat = all(len(lines) <= 3 and all(text_width(line) <= place for line in lines) for lines in wrapped)
    return ["\n".join(lines) for lines in wrapped] if flat else list(axis.categories), not flat


def names_depth(axis: Axis, width: float) -> float:
    """Inches to add to a drawing for names that stand upright."""
    return 0.8 * max(map(text_width, axis.categories)) if category_names(axis, width)[1] else 0.0


def set_ticks(axis: Axis, drawn: Any, length: float) -> None:
    """Tick labels along `length` inches; of more names than fit there, every second or third is shown."""
    from matplotlib.ticker import MaxNLocator, NullFormatter

    if axis.categories:
        step = ceil(len(axis.categories) * LINE / length)
        names, upright = (
            (list(axis.categories), False) if drawn.axis_name == "y" else category_names(axis, length)
        )
        drawn.set_ticks(
            range(0, len(names), step), names[::step], rotation=90 if upright else 0, linespacing=0.9
        )
        drawn.set_tick_params(length=0)
        return
    if axis.label.startswith("Epoch") and axis.scale == "linear":
        drawn.set_major_locator(MaxNLocator("auto", integer=True, steps=(1, 2, 5, 10)))
    drawn.set_major_formatter(tick_label)
    drawn.set_minor_formatter(NullFormatter())


def tick_label(value: float, _: float | None = None) -> str:
    """ "0.25", "1,500", "20 k", "3 M": as short as a tick must be."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size * (1 - 1e-9):
            return f"{number(value / (size if letter != 'k' else 1e3), '.4g')} {letter}"
    return number(value, ",.4g")

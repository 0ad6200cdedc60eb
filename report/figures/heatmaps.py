"""Heatmaps: a matrix as coloured cells, with the scale of its colours."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

from report.figures.axes import axis_title, set_ticks, tick_label
from report.figures.look import COLOUR_MAP, EDGE, FRAME, INK, MOST_VECTOR_CELLS, PAPER, SIGNED_COLOUR_MAP
from results.schema import Heatmap
from results.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


def draw_heatmap(drawing: Drawing, axes: Axes, figure: Heatmap) -> None:
    from matplotlib import colormaps

    values = [value for row in figure.values for value in row]
    signed = min(values) < 0 < max(values)
    map = colormaps[SIGNED_COLOUR_MAP if signed else COLOUR_MAP].resampled(32)
    how: dict[str, Any] = {"cmap": map, "norm": _colour_scale(figure, values, signed)}
    rows, columns = len(figure.values), len(figure.values[0])
    if rows * columns > MOST_VECTOR_CELLS:
        mesh: Any = axes.imshow(figure.values, **how, aspect="auto", interpolation="none")
    else:
        mesh = axes.pcolormesh(range(columns), range(rows), figure.values, **how, shading="nearest")
        axes.invert_yaxis()
    bar = drawing.colorbar(mesh, ax=axes, label=figure.value_label)
    bar.outline.set_visible(False)
    bar.ax.patch.set_visible(False)
    if signed:
        bar.set_ticks(_signed_ticks(how["norm"]))
        bar.ax.yaxis.minorticks_off()
    bar.ax.yaxis.set_major_formatter(tick_label)
    if figure.numbers:
        for i, row in enumerate(figure.values):
            for j, value in enumerate(row):
                light = sum(mesh.cmap(mesh.norm(value))[:3]) > 1.3
                text = number(value, ".3g")
                if text == "1" and value != 1:
                    text = number(value, ".4g")
                axes.text(j, i, text, ha="center", va="center", color=INK if light else "white")
    if figure.framed is not None:
        _frame(axes, *figure.framed)
    width, height = drawing.get_size_inches()
    set_ticks(figure.x, axes.xaxis, width - 1.5)
    set_ticks(figure.y, axes.yaxis, height - 0.9)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(axis_title(figure.x))
    axes.set_ylabel(axis_title(figure.y))


def _frame(axes: Axes, row: int, column: int) -> None:
    """A dark line around a cell, between light edges: it shows on every colour."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    around = withStroke(linewidth=FRAME + 2 * EDGE, foreground=PAPER)
    line: dict[str, Any] = {
        "facecolor": "none",
        "edgecolor": INK,
        "linewidth": FRAME,
        "path_effects": [around],
    }
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, zorder=3, clip_on=False, **line))


def _colour_scale(figure: Heatmap, values: Sequence[float], signed: bool) -> Any:
    """How values become colours: from zero to both sides where there are both signs, evenly as far as half of
    them reach and by logarithm beyond, so that one extreme leaves the others their shades.
    """
    from matplotlib.colors import LogNorm, Normalize, SymLogNorm

    if figure.scale == "log":
        return LogNorm(min(value for value in values if value > 0), max(values))
    if not signed:
        return Normalize(min(values), max(values))
    sizes = sorted(abs(value) for value in values if value)
    largest = sizes[-1]
    return SymLogNorm(linthresh=sizes[len(sizes) // 2], vmin=-largest, vmax=largest)


def _signed_ticks(scale: Any) -> list[float]:
    """Zero, and the powers of ten beyond the even part of a scale, on both sides."""
    powers = range(ceil(log10(scale.linthresh)) + 1, floor(log10(scale.vmax)) + 1)
    sizes = [10.0**power for power in powers] or [scale.vmax]
    return [*(-size for size in reversed(sizes)), 0.0, *sizes]

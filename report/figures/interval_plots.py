"""Interval plots: points with their intervals, a row for each category."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from report.figures.axes import axis_title, set_ticks
from report.figures.look import DENSE_ROW, FONT_SIZE, HOLLOW, MANY_ROWS, POINT, ROW, WHISKERS, WIDTH, look_of
from results.schema import Axis, Panel, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def interval_height(panel: Panel) -> float:
    rows = len(panel.x.categories) * max(1.0, 0.7 * len(panel.series)) + len(set(panel.x.groups))
    return 0.6 + rows * (DENSE_ROW if rows > MANY_ROWS else ROW)


def places(axis: Axis) -> list[float]:
    """How far down each category of an interval plot stands, in rows: every group has a row for its name."""
    if not axis.groups:
        return [float(n) for n in range(len(axis.categories))]
    rows, row = [], 0.0
    for n, group in enumerate(axis.groups):
        row += 1 if n == 0 or group != axis.groups[n - 1] else 0
        rows.append(row)
        row += 1
    return rows


def draw_intervals(axes: Axes, panel: Panel, ids: Sequence[str]) -> None:
    """Points with their intervals, a row for each category; of several series one below the other."""
    rows = places(panel.x)
    for n, (series, gid) in enumerate(zip(panel.series, ids, strict=True)):
        shift = 0.6 * ((n + 0.5) / len(panel.series) - 0.5)
        down = [rows[int(place)] + shift for place in series.x]
        colour, marker, _ = look_of(series, n)
        if series.low and series.high:
            draw_whiskers(axes, down, series, f"{gid}-bars", colour, across=True)
        filled = series.emphasis or (True,) * len(series.x)
        for part, wanted in (("", True), ("-hollow", False)):
            chosen = [k for k, is_filled in enumerate(filled) if is_filled == wanted]
            if not chosen and not (wanted and len(panel.series) > 1):
                continue
            (drawn,) = axes.plot(
                [series.y[k] for k in chosen],
                [down[k] for k in chosen],
                color=colour,
                linestyle="none",
                marker=marker,
                markersize=POINT,
                markerfacecolor=colour if wanted else HOLLOW,
                label=series.label if wanted else "_",
            )
            drawn.set_gid(f"{gid}{part}")
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.set_ylim(max(rows, default=0) + 0.6, -0.6)
    axes.set_yticks(rows, panel.x.categories)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    named = axes.yaxis.get_tick_params().get("labelleft", True)  # beside a panel that shares its rows: there
    for n, (row, group) in enumerate(zip(rows, panel.x.groups, strict=False)):
        if named and (n == 0 or group != panel.x.groups[n - 1]):
            axes.annotate(
                group,
                xy=(0, row - 1),
                xycoords=("axes fraction", "data"),
                xytext=(-3, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=FONT_SIZE - 1,
                fontweight="bold",
            )
    set_ticks(panel.y, axes.xaxis, WIDTH - 0.6)
    axes.set_xlabel(axis_title(panel.y))


def draw_whiskers(
    axes: Axes, at: Sequence[float], series: Series, gid: str, colour: str, *, across: bool = False
) -> None:
    below = [y - low for y, low in zip(series.y, series.low, strict=True)]
    above = [high - y for y, high in zip(series.y, series.high, strict=True)]
    look: Any = {"fmt": "none", "ecolor": colour, **WHISKERS}
    if across:
        bars = axes.errorbar(series.y, at, xerr=(below, above), **look)
    else:
        bars = axes.errorbar(at, series.y, yerr=(below, above), **look)
    for part, artist in enumerate(bars.get_children()):
        artist.set_gid(f"{gid}-{part}")

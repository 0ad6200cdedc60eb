"""Plots of series over two axes, alone or in panels: lines, points, bars, intervals and ROC curves."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log
from typing import TYPE_CHECKING

from report.colours import labels
from report.figures.axes import axis_title, set_ticks
from report.figures.interval_plots import draw_intervals, draw_whiskers
from report.figures.legends import draw_legend
from report.figures.look import BAND, BAR, DASHES, FONT_SIZE, GREY, HATCHES, HEIGHT, REFERENCE, WIDTH, look_of
from results.schema import Panel, Panels, Reference, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


def draw_panels(drawing: Drawing, figure: Panels, id: str) -> list[Axes]:
    across = min(figure.columns, len(figure.panels))
    below, beside = figure.share_x, figure.share_y
    if figure.panels[0].kind == "interval":  # whose x is drawn downwards
        below, beside = beside, below
    places = drawing.subplots(
        ceil(len(figure.panels) / across), across, squeeze=False, sharex=below, sharey=beside
    ).ravel()
    for place in places[len(figure.panels) :]:
        place.set_visible(False)
    order = labels(figure)
    for n, (axes, panel) in enumerate(zip(places, figure.panels, strict=False)):
        axes.patch.set_visible(False)
        draw_panel(axes, panel, id, f"-panel-{n}", order, WIDTH / across - 0.6)
        if beside and n % across:
            axes.set_ylabel("")
        if below and n + across < len(figure.panels):
            axes.set_xlabel("")
        elif below:
            axes.tick_params(labelbottom=True)  # also where the last row of panels is shorter
    drawn = list(places[: len(figure.panels)])
    if len(order) > 1:
        draw_legend(drawing, drawn, figure, id)
    if across > 1:
        _keep_inside(drawing, drawn)
    return drawn


def _keep_inside(drawing: Drawing, drawn: Sequence[Axes]) -> None:
    """Move names of axes that are wider than their panel off the edges, which the layout does not."""
    drawing.draw_without_rendering()
    for axes in drawn:
        name = axes.xaxis.label
        box, edges = name.get_window_extent(), drawing.bbox
        beyond = max(0.0, box.x1 - edges.x1) - max(0.0, edges.x0 - box.x0)
        if beyond:
            name.set_x(name.get_position()[0] - beyond / axes.bbox.width)


def draw_panel(
    axes: Axes,
    panel: Panel,
    id: str,
    suffix: str = "",
    order: Sequence[str] = (),
    length: float = WIDTH - 0.6,
) -> None:
    """One panel. The group of a series is "ID-series-N", N its place in `order` or in the panel, and the
    suffix that keeps the panels of a drawing apart."""
    axes.set_xscale(panel.x.scale if panel.kind != "interval" else panel.y.scale)
    axes.set_yscale(panel.y.scale if panel.kind != "interval" else "linear")
    ids = [f"{id}-series-{order.index(s.label) if order else n}{suffix}" for n, s in enumerate(panel.series)]
    if panel.title:
        axes.set_title(panel.title, fontsize=FONT_SIZE)
    for reference in panel.references:
        _reference(axes, reference, panel)
    if panel.kind == "interval":
        draw_intervals(axes, panel, ids)
        return
    if panel.kind in ("bar", "stacked bar"):
        _bars(axes, panel, ids)
    else:
        for n, (series, gid) in enumerate(zip(panel.series, ids, strict=True)):
            _points(axes, series, n, gid, kind=panel.kind)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if panel.kind == "roc":
        axes.plot((0, 1), (0, 1), **REFERENCE)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.grid(axis="x")
    set_ticks(panel.x, axes.xaxis, length)
    set_ticks(panel.y, axes.yaxis, HEIGHT - 0.6)
    axes.set_xlabel(axis_title(panel.x))
    axes.set_ylabel(axis_title(panel.y))


def _reference(axes: Axes, reference: Reference, panel: Panel) -> None:
    """A line across the plot; its label stands at its upper end, or where it lies, at the end that is farther
    from the series."""
    upright = (reference.axis == "x") != (panel.kind == "interval")
    left = upright or _is_clear_at_the_left(reference.value, panel)
    draw = axes.axvline if upright else axes.axhline
    draw(reference.value, **REFERENCE)
    if reference.label:
        axes.annotate(
            reference.label,
            xy=(reference.value, 1) if upright else (0 if left else 1, reference.value),
            xycoords=("data", "axes fraction") if upright else ("axes fraction", "data"),
            xytext=(2, -2) if upright else (2 if left else -2, 2),
            textcoords="offset points",
            ha="left" if left else "right",
            va="top" if upright else "bottom",
            fontsize=FONT_SIZE - 1,
            color=GREY,
        )


def _is_clear_at_the_left(value: float, panel: Panel) -> bool:
    """Whether the first points of all series are farther from a value than the last ones."""

    def distance(end: int) -> float:
        found = [series.y[end] for series in panel.series if series.y]
        if panel.y.scale == "log":
            return min((abs(log(y / value)) for y in found if y > 0 < value), default=0.0)
        return min((abs(y - value) for y in found), default=0.0)

    return panel.kind == "line" and distance(0) > distance(-1)


def _points(axes: Axes, series: Series, n: int, gid: str, *, kind: str) -> None:
    colour, marker, shape = look_of(series, n)
    joined = kind in ("line", "roc")
    if series.low and series.high and joined:
        band = axes.fill_between(series.x, series.low, series.high, color=colour, **BAND)
        band.set_gid(f"{gid}-band")
    elif series.low and series.high:
        draw_whiskers(axes, series.x, series, f"{gid}-bars", colour)
    (line,) = axes.plot(
        series.x,
        series.y,
        color=colour,
        linestyle=DASHES[shape] if joined else "none",
        marker=marker if not joined or (kind == "line" and len(series.x) <= 30) else "none",
        markerfacecolor="none" if shape % 2 else colour,
        label=series.label,
    )
    line.set_gid(gid)


def _bars(axes: Axes, panel: Panel, ids: Sequence[str]) -> None:
    stacked = panel.kind == "stacked bar"
    width = 0.8 if stacked else 0.8 / len(panel.series)
    bottom: dict[float, float] = {}
    for n, (series, gid) in enumerate(zip(panel.series, ids, strict=True)):
        shift = 0.0 if stacked else (n - (len(panel.series) - 1) / 2) * width
        x = [position + shift for position in series.x]
        colour, _, shape = look_of(series, n)
        drawn = axes.bar(
            x,
            series.y,
            width,
            bottom=[bottom.get(position, 0.0) for position in series.x] if stacked else None,
            color=colour,
            hatch=HATCHES[shape],
            label=series.label,
            **BAR,
        )
        for k, bar in enumerate(drawn):
            bar.set_gid(f"{gid}-{k}")
        if series.low and series.high and not stacked:
            draw_whiskers(axes, x, series, f"{gid}-bars", "black")
        for position, y in zip(series.x, series.y, strict=True):
            bottom[position] = bottom.get(position, 0.0) + y
    axes.margins(x=0.01)

"""One drawing of a Figure by matplotlib, as PDF for print and as SVG for the site.

Series differ by colour and also by dash, marker or hatch, so they stay apart in grey, to every eye. Which
colour a series has, `colours` decides for a whole document by its label.
Both files are vector graphics and come out byte-identical every time. matplotlib is imported on first use.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Sequence
from importlib.metadata import version
from math import ceil, floor, log, log10
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

from report.colours import labels
from report.drawings import kept, saved
from results.schema import (
    Axis,
    Box,
    Chart,
    Figure,
    Heatmap,
    Network,
    Panel,
    Panels,
    Pictures,
    Reference,
    Series,
)
from results.store import canonical_json
from results.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.transforms import Bbox

WIDTH = 5.5  # inches: the text block of the page
HEIGHT = 2.5
SQUARE = 3.3  # inches: width and height of a ROC's drawing
PANEL_HEIGHT = 1.85
TALLEST = 8.0
ROW = 0.19  # inches that a row of an interval plot takes
DENSE_ROW, MANY_ROWS = 0.145, 15  # and where there are more rows than this
FONT_SIZE = 8  # points
LINE = 0.12  # inches that a line of tick labels takes
CHARACTER = 0.6 * (FONT_SIZE - 1) / 72  # inches, on the safe side
#: Mid-tones, legible on white and on near-black; Okabe and Ito's, apart from the last two.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7F7F7F", "#A6761D")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "////", "----", "xxxx", "\\\\\\\\", "++++")  # dots would add 250 kB to an SVG
INK = "#111111"  # on a coloured cell or a picture: stays dark where the page's ink turns light
PAPER = "#FDFDFD"  # behind lines and letters on a picture
#: Boxes on pictures: colour, line and width in points; the truth is dark and dotted, what is kept bright.
BOXES: dict[str, tuple[str, Any, float]] = {
    "truth": (INK, (0, (1, 1)), 1.3),
    "kept": ("#E69F00", "-", 1.6),
    "suppressed": ("#0072B2", (0, (4, 2)), 0.6),
    "anchor": ("#7F7F7F", (0, (2, 2)), 0.8),
}
GREY = "#7F7F7F"  # of lines to compare with
REFERENCE_DASHES = (0, (4, 2))
HOLLOW = "none"
COLOUR_MAP = "cividis"
SIGNED_COLOUR_MAP = "PuOr_r"
MOST_VECTOR_CELLS = 2500

Plot = Chart | Panels | Heatmap | Pictures

STYLE: Any = {
    "font.size": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "xtick.labelsize": FONT_SIZE - 1,
    "ytick.labelsize": FONT_SIZE - 1,
    "legend.fontsize": FONT_SIZE - 1,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.5,
    "grid.alpha": 0.5,
    "grid.linewidth": 0.3,
    "grid.color": "#7F7F7F",
    "text.parse_math": False,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


def pdf(figure: Figure) -> bytes:
    """The figure in a Times-like face, fonts embedded as TrueType."""
    return _printed(figure, "pdf")


def png(figure: Figure) -> bytes:
    """The figure as it is printed, on white."""
    return _printed(figure, "png")


def drawn_svg(figure: Figure) -> bytes:
    """The figure as it is printed, as a file of its own; `svg` is for our pages."""
    return _printed(figure, "svg")


def _printed(figure: Figure, format: Literal["pdf", "png", "svg"]) -> bytes:
    import matplotlib

    if isinstance(figure, Network):
        from report import networks

        return networks.printed(figure, format)
    with matplotlib.rc_context(STYLE | {"font.family": ["STIXGeneral", "DejaVu Sans"]}):
        return saved(_draw(figure, "figure")[0], format)


def svg(figure: Figure, id: str) -> str:
    """An <svg> element to stand in a page; every id in it starts with `id`.

    Text is in the page's font and ink. A series is a group of class "series" with data-series="0", "1", … and
    data-label; `data-box` (left, top, right, bottom), `data-x` and `data-y` (low, high, scale) map the plot.
    """
    import matplotlib

    if isinstance(figure, Network):
        from report import networks

        return networks.svg(figure, id)
    with matplotlib.rc_context(STYLE | {"font.family": ["DejaVu Sans"], "svg.hashsalt": id}):
        drawing, axes = _draw(figure, id)
        content = saved(drawing, "svg").decode()
        plot = "" if isinstance(figure, Pictures) else _plot_data(drawing, axes)
    return _for_page(content, figure, id, plot)


def file_name(figure: Figure) -> str:
    """The name under which a figure's PDF is stored: a hash of the figure, this code and matplotlib."""
    here = Path(__file__)
    code = [here, here.with_name("drawings.py"), *sorted((here.parent / "networks").glob("*.py"))]
    source = hashlib.sha256(b"".join(map(Path.read_bytes, code)) + version("matplotlib").encode())
    source.update(canonical_json(figure.model_dump(mode="json")))
    return f"{source.hexdigest()[:16]}.pdf"


def stored(figure: Figure, folder: Path) -> Path:
    """The PDF of a figure in `folder`, drawn only when it is not kept there."""
    path = folder / file_name(figure)
    kept(path, lambda: pdf(figure))
    return path


def _draw(figure: Plot, id: str) -> tuple[Drawing, list[Axes]]:
    """The drawing, and the axes of its panels (of pictures, the last one's)."""
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=_size(figure))
    if isinstance(figure, Pictures):
        return drawing, [_pictures(drawing, figure, id)]
    if isinstance(figure, Panels):
        return drawing, _panels(drawing, figure, id)
    axes = drawing.add_subplot()
    axes.patch.set_visible(False)
    if isinstance(figure, Heatmap):
        _heatmap(drawing, axes, figure)
    else:
        _panel(axes, figure, id)
    if isinstance(figure, Chart) and len(figure.series) > 1:
        _legend(drawing, [axes], figure, id)
    return drawing, [axes]


def _size(figure: Plot) -> tuple[float, float]:
    """Inches. Long category names below the plot need room; a heatmap grows with its cells, wide ones where
    numbers stand in them and square ones otherwise."""
    if isinstance(figure, Pictures):
        across = min(figure.columns, len(figure.pictures))
        side = min(1.9, WIDTH / figure.columns)
        rows = ceil(len(figure.pictures) / across)
        return side * across, rows * (side + 0.2) + (0.25 if figure.legend else 0)
    if isinstance(figure, Heatmap):
        rows, columns = len(figure.values), len(figure.values[0])
        cell = (0.55, 0.28) if figure.numbers else (0.13, 0.13)
        width = min(WIDTH, max(2.8, 1.6 + cell[0] * columns))
        return width, min(6.0, max(1.8, 0.9 + cell[1] * rows + _depth(figure.x, width - 1.5)))
    if isinstance(figure, Panels):
        across = min(figure.columns, len(figure.panels))
        if all(panel.kind == "interval" for panel in figure.panels):
            height = max(_interval_height(panel) for panel in figure.panels)
        else:
            height = max(PANEL_HEIGHT + _depth(panel.x, WIDTH / across - 0.6) for panel in figure.panels)
        legend = LINE * _legend_rows(figure, WIDTH)
        return WIDTH, min(TALLEST, height * ceil(len(figure.panels) / across) + legend)
    if figure.kind == "roc":
        legend = LINE * _legend_rows(figure, SQUARE) if len(figure.series) > 1 else 0.0
        return SQUARE, SQUARE + legend
    if figure.kind == "interval":
        return WIDTH, min(TALLEST, _interval_height(figure))
    return WIDTH, HEIGHT + _depth(figure.x, WIDTH - 0.6)


def _interval_height(panel: Panel) -> float:
    rows = len(panel.x.categories) * max(1.0, 0.7 * len(panel.series)) + len(set(panel.x.groups))
    return 0.6 + rows * (DENSE_ROW if rows > MANY_ROWS else ROW)


def _title(axis: Axis) -> str:
    return f"{axis.label} ({axis.unit})" if axis.unit and axis.unit != axis.label else axis.label


def _text_width(text: str) -> float:
    """Inches that a tick label takes, on the safe side."""
    return len(text) * CHARACTER


def _names(axis: Axis, width: float) -> tuple[list[str], bool]:
    """The names of categories for an axis `width` inches long, and whether they stand upright.

    They lie flat, in up to three lines, where no word is wider than the place of its category.
    """
    place = 0.92 * width / max(1, len(axis.categories))
    wrapped = [wrap(name, max(1, int(place / CHARACTER)), break_long_words=False) for name in axis.categories]
    flat = all(len(lines) <= 3 and all(_text_width(line) <= place for line in lines) for lines in wrapped)
    return ["\n".join(lines) for lines in wrapped] if flat else list(axis.categories), not flat


def _depth(axis: Axis, width: float) -> float:
    """Inches to add to a drawing for names that stand upright."""
    return 0.8 * max(map(_text_width, axis.categories)) if _names(axis, width)[1] else 0.0


def _panels(drawing: Drawing, figure: Panels, id: str) -> list[Axes]:
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
        _panel(axes, panel, id, f"-panel-{n}", order, WIDTH / across - 0.6)
        if beside and n % across:
            axes.set_ylabel("")
        if below and n + across < len(figure.panels):
            axes.set_xlabel("")
        elif below:
            axes.tick_params(labelbottom=True)  # also where the last row of panels is shorter
    drawn = list(places[: len(figure.panels)])
    if len(order) > 1:
        _legend(drawing, drawn, figure, id)
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


def _panel(
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
        _intervals(axes, panel, ids)
        return
    if panel.kind in ("bar", "stacked bar"):
        _bars(axes, panel, ids)
    else:
        for n, (series, gid) in enumerate(zip(panel.series, ids, strict=True)):
            _points(axes, series, n, gid, kind=panel.kind)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if panel.kind == "roc":
        axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.8, linestyle=REFERENCE_DASHES, zorder=1)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.grid(axis="x")
    _ticks(panel.x, axes.xaxis, length)
    _ticks(panel.y, axes.yaxis, HEIGHT - 0.6)
    axes.set_xlabel(_title(panel.x))
    axes.set_ylabel(_title(panel.y))


def _reference(axes: Axes, reference: Reference, panel: Panel) -> None:
    """A line across the plot; its label stands at its upper end, or where it lies, at the end that is farther
    from the series."""
    upright = (reference.axis == "x") != (panel.kind == "interval")
    left = upright or _is_clear_at_the_left(reference.value, panel)
    draw = axes.axvline if upright else axes.axhline
    draw(reference.value, color=GREY, linewidth=0.8, linestyle=REFERENCE_DASHES, zorder=1)
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


def _intervals(axes: Axes, panel: Panel, ids: Sequence[str]) -> None:
    """Points with their intervals, a row for each category; of several series one below the other."""
    rows = places(panel.x)
    for n, (series, gid) in enumerate(zip(panel.series, ids, strict=True)):
        shift = 0.6 * ((n + 0.5) / len(panel.series) - 0.5)
        down = [rows[int(place)] + shift for place in series.x]
        colour, marker, _ = _look(series, n)
        if series.low and series.high:
            _whiskers(axes, down, series, f"{gid}-bars", colour, across=True)
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
                markersize=4,
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
    _ticks(panel.y, axes.xaxis, WIDTH - 0.6)
    axes.set_xlabel(_title(panel.y))


def _look(series: Series, n: int) -> tuple[str, str, int]:
    """Colour, marker, and which dash and hatch: of the series' own place in the palette, or the nth."""
    place = n if series.colour is None else series.colour
    shape = (place + place // len(COLOURS)) % len(MARKERS)
    return COLOURS[place % len(COLOURS)], MARKERS[shape], shape


def _points(axes: Axes, series: Series, n: int, gid: str, *, kind: str) -> None:
    colour, marker, shape = _look(series, n)
    joined = kind in ("line", "roc")
    if series.low and series.high and joined:
        band = axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.2, linewidth=0)
        band.set_gid(f"{gid}-band")
    elif series.low and series.high:
        _whiskers(axes, series.x, series, f"{gid}-bars", colour)
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


def _whiskers(
    axes: Axes, at: Sequence[float], series: Series, gid: str, colour: str, *, across: bool = False
) -> None:
    below = [y - low for y, low in zip(series.y, series.low, strict=True)]
    above = [high - y for y, high in zip(series.y, series.high, strict=True)]
    look: Any = {"fmt": "none", "ecolor": colour, "elinewidth": 0.7, "capsize": 1.5}
    if across:
        bars = axes.errorbar(series.y, at, xerr=(below, above), **look)
    else:
        bars = axes.errorbar(at, series.y, yerr=(below, above), **look)
    for part, artist in enumerate(bars.get_children()):
        artist.set_gid(f"{gid}-{part}")


def _bars(axes: Axes, panel: Panel, ids: Sequence[str]) -> None:
    stacked = panel.kind == "stacked bar"
    width = 0.8 if stacked else 0.8 / len(panel.series)
    bottom: dict[float, float] = {}
    for n, (series, gid) in enumerate(zip(panel.series, ids, strict=True)):
        shift = 0.0 if stacked else (n - (len(panel.series) - 1) / 2) * width
        x = [position + shift for position in series.x]
        colour, _, shape = _look(series, n)
        drawn = axes.bar(
            x,
            series.y,
            width,
            bottom=[bottom.get(position, 0.0) for position in series.x] if stacked else None,
            color=colour,
            edgecolor="black",
            linewidth=0.4,
            hatch=HATCHES[shape],
            label=series.label,
        )
        for k, bar in enumerate(drawn):
            bar.set_gid(f"{gid}-{k}")
        if series.low and series.high and not stacked:
            _whiskers(axes, x, series, f"{gid}-bars", "black")
        for position, y in zip(series.x, series.y, strict=True):
            bottom[position] = bottom.get(position, 0.0) + y
    axes.margins(x=0.01)


def _pictures(drawing: Drawing, figure: Pictures, id: str) -> Axes:
    """Pictures in rows; returns the last one's axes. A box is a group "ID-box-PICTURE-BOX"."""
    import base64

    from matplotlib.image import imread
    from matplotlib.lines import Line2D

    across = min(figure.columns, len(figure.pictures))
    places = drawing.subplots(ceil(len(figure.pictures) / across), across, squeeze=False).ravel()
    for place in places[len(figure.pictures) :]:
        place.set_visible(False)
    for n, (axes, picture) in enumerate(zip(places, figure.pictures, strict=False)):
        pixels = imread(io.BytesIO(base64.b64decode(picture.png)), format="png")
        height, width = pixels.shape[:2]
        grey = {"cmap": "gray", "vmin": 0, "vmax": 1} if pixels.ndim == 2 else {}
        axes.imshow(pixels, interpolation="nearest", extent=(0, width, height, 0), **grey)
        axes.set_axis_off()
        if picture.title:
            axes.set_title(picture.title, fontsize=FONT_SIZE - 1, pad=2)
        unit = width / (72 * drawing.get_figwidth() / across)  # of the picture, to a point
        taken: list[Bbox] = []
        for k, box in enumerate(picture.boxes):
            _box(axes, box, f"{id}-box-{n}-{k}", unit, taken)
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
    if figure.legend:
        handles = [Line2D([], [], label=words, **_line(style)) for style, words in figure.legend]
        drawing.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    last: Axes = places[len(figure.pictures) - 1]
    return last


def _line(style: str) -> dict[str, Any]:
    colour, dashes, width = BOXES[style]
    return {"color": colour, "linestyle": dashes, "linewidth": width}


def _box(axes: Axes, box: Box, gid: str, unit: float, taken: list[Bbox]) -> None:
    """A square with a pale edge around its line, which shows on every picture, and its label in the first
    corner that is free of the labels `taken` so far; unit: of the picture, to a point.
    """
    from matplotlib.patheffects import withStroke

    half = box.width / 2
    left, top, right, bottom = box.column - half, box.row - half, box.column + half, box.row + half
    line = _line(box.style)
    over = 3.0 if box.style in ("kept", "truth") else 2.0
    (drawn,) = axes.plot(
        (left, right, right, left, left), (top, top, bottom, bottom, top), zorder=over, **line
    )
    drawn.set_solid_joinstyle("miter")
    drawn.set_path_effects([withStroke(linewidth=line["linewidth"] + 0.9, foreground=PAPER, alpha=0.7)])
    drawn.set_gid(gid)
    if box.label:
        size = FONT_SIZE - 1
        place = _free_corner(
            (max(left, 0) + 0.6, max(top, 0) + 0.6, right - 0.6, bottom - 0.6),
            (0.6 * size * len(box.label) * unit, 1.4 * size * unit),
            taken,
        )
        taken.append(place)
        text = axes.text(place.x0, place.y0, box.label, fontsize=size, color=INK, va="top", zorder=5)
        text.set_bbox({"facecolor": PAPER, "alpha": 0.75, "edgecolor": "none", "pad": 0.6})
        text.set_gid(f"{gid}-label")


def _free_corner(
    inside: tuple[float, float, float, float], size: tuple[float, float], taken: Sequence[Bbox]
) -> Bbox:
    """A place of that width and height in a corner of `inside`, which overlaps none that is taken; the first
    corner where all are.
    """
    from matplotlib.transforms import Bbox

    left, top, right, bottom = inside
    width, height = size
    corners = [
        Bbox.from_bounds(x, y, width, height)
        for x, y in (
            (left, top), (left, bottom - height), (right - width, top), (right - width, bottom - height),
        )
    ]  # fmt: skip
    return next((one for one in corners if not any(one.overlaps(other) for other in taken)), corners[0])


def _heatmap(drawing: Drawing, axes: Axes, figure: Heatmap) -> None:
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
    bar.ax.yaxis.set_major_formatter(_tick_label)
    if figure.numbers:
        for i, row in enumerate(figure.values):
            for j, value in enumerate(row):
                light = sum(mesh.cmap(mesh.norm(value))[:3]) > 1.3
                axes.text(
                    j, i, number(value, ".3g"), ha="center", va="center", color=INK if light else "white"
                )
    width, height = drawing.get_size_inches()
    _ticks(figure.x, axes.xaxis, width - 1.5)
    _ticks(figure.y, axes.yaxis, height - 0.9)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(_title(figure.x))
    axes.set_ylabel(_title(figure.y))


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


def _ticks(axis: Axis, drawn: Any, length: float) -> None:
    """Tick labels along `length` inches; of more names than fit there, every second or third is shown."""
    from matplotlib.ticker import MaxNLocator, NullFormatter

    if axis.categories:
        step = ceil(len(axis.categories) * LINE / length)
        names, upright = (list(axis.categories), False) if drawn.axis_name == "y" else _names(axis, length)
        drawn.set_ticks(
            range(0, len(names), step), names[::step], rotation=90 if upright else 0, linespacing=0.9
        )
        drawn.set_tick_params(length=0)
        return
    if axis.label.startswith("Epoch") and axis.scale == "linear":
        drawn.set_major_locator(MaxNLocator("auto", integer=True, steps=(1, 2, 5, 10)))
    drawn.set_major_formatter(_tick_label)
    drawn.set_minor_formatter(NullFormatter())


def _tick_label(value: float, _: float | None = None) -> str:
    """ "0.25", "1,500", "20 k", "3 M": as short as a tick must be."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size * (1 - 1e-9):
            return f"{number(value / (size if letter != 'k' else 1e3), '.4g')} {letter}"
    return number(value, ",.4g")


def _legend_columns(names: Sequence[str], width: float) -> int:
    widths = [_text_width(name) + 0.5 for name in names]
    return len(widths) if sum(widths) < width else max(1, int(width / max(widths)))


def _legend_rows(figure: Chart | Panels, width: float) -> int:
    names = labels(figure)
    return ceil(len(names) / _legend_columns(names, width))


def _legend(drawing: Drawing, drawn: Sequence[Axes], figure: Chart | Panels, id: str) -> None:
    """The labels of all panels, each once."""
    entries: dict[str, Any] = {}
    for axes in drawn:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    names = labels(figure)
    columns = _legend_columns(names, float(drawing.get_figwidth()))
    legend = drawing.legend(
        [entries[name] for name in names], names, loc="outside upper center", ncols=columns
    )
    for n, (mark, text) in enumerate(zip(legend.legend_handles, legend.get_texts(), strict=True)):
        text.set_gid(f"{id}-legend-{n}-text")
        if mark is not None:
            mark.set_gid(f"{id}-legend-{n}")


def _plot_data(drawing: Drawing, drawn: Sequence[Axes]) -> str:
    """Attributes that let a script turn a place in the picture into data and back, panels apart by ";"."""
    height, scale = drawing.get_figheight() * 72, 72 / drawing.dpi
    boxes: list[str] = []
    across: list[str] = []
    down: list[str] = []
    for axes in drawn:
        box = axes.get_window_extent()
        corners = (box.x0 * scale, height - box.y1 * scale, box.x1 * scale, height - box.y0 * scale)
        boxes.append(" ".join(f"{place:.2f}" for place in corners))
        for limits, (low, high), kind in (
            (across, axes.get_xlim(), axes.get_xscale()),
            (down, axes.get_ylim(), axes.get_yscale()),
        ):
            limits.append(f"{low:.6g} {high:.6g} {kind}")
    parts = {"box": boxes, "x": across, "y": down}
    return " ".join(f'data-{name}="{";".join(values)}"' for name, values in parts.items())


def _for_page(drawn: str, figure: Plot, id: str, plot: str) -> str:
    """matplotlib's file as an element of a page: own ids, the page's ink and font, no global style."""
    body = re.sub(r"<(metadata|style).*?</\1>\s*", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'(<image\b[^>]*?) id="[^"]*"', r"\1", body)  # the same for the same picture
    body = re.sub(r'\sstyle="([^"]*)"', _as_attributes, body)
    body = re.sub(rf'\bid="(?!{re.escape(id)}-)', f'id="{id}-', body)
    body = re.sub(rf'(href="#|url\(#)(?!{re.escape(id)}-)', rf"\g<1>{id}-", body)
    body = body.replace('"#000000"', '"currentColor"').replace("#000000", "currentColor")
    body = re.sub(
        rf'<g id="({re.escape(id)}-box-(\d+)-(\d+))"',
        r'<g id="\1" class="box" data-picture="\2" data-box="\3"',
        body,
    )
    body = _smaller(body)
    names = labels(figure)
    for kind in ("series", "legend"):
        body = re.sub(
            rf'<g id="({re.escape(id)}-{kind}-(\d+)[^"]*)"',
            lambda found, kind=kind: (  # type: ignore[misc]
                f'<g id="{found[1]}" class="{kind}" data-series="{found[2]}" '
                f'data-label="{html.escape(names[int(found[2])])}"'
            ),
            body,
        )
    view = re.search(r'viewBox="([^"]+)"', body)
    root = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" id="{id}" '
        f'viewBox="{view[1] if view else ""}" role="img" aria-labelledby="{id}-title {id}-desc" '
        f'fill="currentColor" stroke-linejoin="round" stroke-linecap="butt" {plot}>\n'
        f'<title id="{id}-title">{html.escape(figure.caption)}</title>\n'
        f'<desc id="{id}-desc">{html.escape(figure.alt)}</desc>\n'
    )
    return root + body[body.index(">") + 1 :].strip() + "\n"


def _smaller(body: str) -> str:
    """Without what a page has no use for: names of parts, turns by nothing, hundredths of a pixel."""
    body = re.sub(r'<g id="[^"]*-(?:text|xtick|ytick|line2d|matplotlib\.axis|axes|figure)_\d+"', "<g", body)
    body = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", body)
    body = re.sub(r">\s+<", "><", re.sub(r"\n +", "\n", body))

    def rounded(attribute: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.1f}", attribute[0])

    return re.sub(r' (?:d|x|y|points)="[^"]*"', rounded, body)


def _as_attributes(style: re.Match[str]) -> str:
    """A style attribute as presentation attributes, which a strict content policy lets through."""
    attributes = []
    for rule in filter(None, (part.strip() for part in html.unescape(style[1]).split(";"))):
        name, _, setting = (text.strip() for text in rule.partition(":"))
        if name == "font":
            size = re.search(r"[\d.]+px", setting)
            attributes.append(f'font-size="{size[0] if size else "8px"}"')
        elif name != "font-family":
            attributes.append(f'{name}="{html.escape(setting)}"')
    return "".join(" " + attribute for attribute in attributes)

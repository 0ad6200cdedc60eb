"""A figure as one drawing by matplotlib, which decides its size."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from report.figures.axes import names_depth
from report.figures.heatmaps import draw_heatmap
from report.figures.interval_plots import interval_height
from report.figures.legends import draw_legend, legend_rows
from report.figures.look import HEIGHT, LINE, LOW_PANEL_HEIGHT, PANEL_HEIGHT, SQUARE, TALLEST, WIDTH, Plot
from report.figures.pictures import draw_pictures
from report.figures.plots import draw_panel, draw_panels
from results.schema import Chart, Heatmap, Panels, Pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


def draw(figure: Plot, id: str) -> tuple[Drawing, list[Axes]]:
    """The drawing, and the axes of its panels (of pictures, the last one's)."""
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=_size(figure))
    if isinstance(figure, Pictures):
        return drawing, [draw_pictures(drawing, figure, id)]
    if isinstance(figure, Panels):
        return drawing, draw_panels(drawing, figure, id)
    axes = drawing.add_subplot()
    axes.patch.set_visible(False)
    if isinstance(figure, Heatmap):
        draw_heatmap(drawing, axes, figure)
    else:
        draw_panel(axes, figure, id)
    if isinstance(figure, Chart) and len(figure.series) > 1:
        draw_legend(drawing, [axes], figure, id)
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
        return width, min(6.0, max(1.8, 0.9 + cell[1] * rows + names_depth(figure.x, width - 1.5)))
    if isinstance(figure, Panels):
        across = min(figure.columns, len(figure.panels))
        down = ceil(len(figure.panels) / across)
        if all(panel.kind == "interval" for panel in figure.panels):
            height = max(interval_height(panel) for panel in figure.panels)
        else:
            plain = PANEL_HEIGHT if down < 3 else LOW_PANEL_HEIGHT
            height = plain + max(names_depth(panel.x, WIDTH / across - 0.6) for panel in figure.panels)
        legend = LINE * legend_rows(figure, WIDTH)
        return WIDTH, min(TALLEST, height * down + legend)
    if figure.kind == "roc":
        legend = LINE * legend_rows(figure, SQUARE) if len(figure.series) > 1 else 0.0
        return SQUARE, SQUARE + legend
    if figure.kind == "interval":
        return WIDTH, min(TALLEST, interval_height(figure))
    return WIDTH, HEIGHT + names_depth(figure.x, WIDTH - 0.6)

"""The legend of a figure: every label once."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from report.colours import labels
from report.figures.axes import text_width
from results.schema import Chart, Panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


def _legend_columns(names: Sequence[str], width: float) -> int:
    widths = [text_width(name) + 0.5 for name in names]
    return len(widths) if sum(widths) < width else max(1, int(width / max(widths)))


def legend_rows(figure: Chart | Panels, width: float) -> int:
    names = labels(figure)
    return ceil(len(names) / _legend_columns(names, width))


def draw_legend(drawing: Drawing, drawn: Sequence[Axes], figure: Chart | Panels, id: str) -> None:
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

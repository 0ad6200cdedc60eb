"""A drawing as an element of a page: own ids, the page's ink and font, and where its data lies."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from report.colours import labels
from report.drawings import presentation_attributes, smaller
from report.figures.look import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


def plot_data(drawing: Drawing, drawn: Sequence[Axes]) -> str:
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


def for_page(drawn: str, figure: Plot, id: str, plot: str) -> str:
    """matplotlib's file as an element of a page: own ids, the page's ink and font, no global style."""
    body = re.sub(r"<(metadata|style).*?</\1>\s*", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'(<image\b[^>]*?) id="[^"]*"', r"\1", body)  # the same for the same picture
    body = re.sub(r'\sstyle="([^"]*)"', presentation_attributes, body)
    body = re.sub(rf'\bid="(?!{re.escape(id)}-)', f'id="{id}-', body)
    body = re.sub(rf'(href="#|url\(#)(?!{re.escape(id)}-)', rf"\g<1>{id}-", body)
    body = body.replace('"#000000"', '"currentColor"').replace("#000000", "currentColor")
    body = re.sub(
        rf'<g id="({re.escape(id)}-box-(\d+)-(\d+))"',
        r'<g id="\1" class="box" data-picture="\2" data-box="\3"',
        body,
    )
    body = smaller(body)
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

"""One drawing of a Figure by matplotlib, as PDF for print and as SVG for the site.

Both files are vector graphics and come out byte-identical every time. matplotlib is imported on first use.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from report.drawings import kept, saved
from report.figures.drawing import draw
from report.figures.look import STYLE
from report.figures.pages import for_page, plot_data
from results.schema import Figure, Network, Pictures
from results.store import canonical_json


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
        return saved(draw(figure, "figure")[0], format)


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
        drawing, axes = draw(figure, id)
        content = saved(drawing, "svg").decode()
        plot = "" if isinstance(figure, Pictures) else plot_data(drawing, axes)
    return for_page(content, figure, id, plot)


def file_name(figure: Figure) -> str:
    """The name under which a figure's PDF is stored: a hash of the figure, this code and matplotlib."""
    here = Path(__file__).parent
    folders = (here, here.with_name("networks"))
    code = [
        here.with_name("drawings.py"),
        *(file for folder in folders for file in sorted(folder.glob("*.py"))),
    ]
    source = hashlib.sha256(b"".join(map(Path.read_bytes, code)) + version("matplotlib").encode())
    source.update(canonical_json(figure.model_dump(mode="json")))
    return f"{source.hexdigest()[:16]}.pdf"


def stored(figure: Figure, folder: Path) -> Path:
    """The PDF of a figure in `folder`, drawn only when it is not kept there."""
    path = folder / file_name(figure)
    kept(path, lambda: pdf(figure))
    return path

"""Colours, dashes, markers, sizes and faces of all figures.

Series differ by colour and also by dash, marker or hatch, so they stay apart in grey, to every eye. Which
colour a series has, `report.colours` decides for a whole document by its label.
"""

from __future__ import annotations

from typing import Any

from results.schema import Chart, Heatmap, Panels, Pictures, Series

WIDTH = 5.5  # inches: the text block of the page
HEIGHT = 2.2
SQUARE = 2.9  # inches: width and height of a ROC's drawing
PANEL_HEIGHT, LOW_PANEL_HEIGHT = 1.85, 1.4  # and where there are three rows of panels or more
TALLEST = 8.0
ROW = 0.15  # inches that a row of an interval plot takes
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
#: Boxes on pictures: colour, line, width in points, and the colour of its edges. In grey, a true box is a
#: dark line, one that is kept a bright line between dark edges, and the others are dots, and dots and dashes.
BOXES: dict[str, tuple[str, Any, float, str]] = {
    "truth": ("#00563F", "-", 1.1, PAPER),
    "kept": ("#F2B134", "-", 2.2, INK),
    "suppressed": ("#0072B2", (0, (1, 1.4)), 0.8, PAPER),
    "anchor": ("#A8447F", (0, (7, 1.5, 1.5, 1.5)), 1.2, PAPER),
}
EDGE = 0.5  # points on each side of a box's line
FRAME = 2.0  # points: the line around a cell of a heatmap
#: More boxes of one style than this on a picture are thinner, and removed ones dark hair lines.
MOST_PLAIN_BOXES = 8
DENSE_BOXES = BOXES | {"suppressed": ("#00344F", "-", 0.45, ""), "kept": ("#F2B134", "-", 1.0, INK)}
FADED = 0.55  # share of its contrast with paper that a picture keeps below boxes
GREY = "#7F7F7F"  # of lines to compare with
REFERENCE: Any = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (4, 2)), "zorder": 1}
WHISKERS: Any = {"elinewidth": 0.7, "capsize": 1.5}
BAND: Any = {"alpha": 0.2, "linewidth": 0}
BAR: Any = {"edgecolor": "black", "linewidth": 0.4}
POINT = 4  # points across, in an interval plot
HOLLOW = "none"
COLOUR_MAP = "cividis"
SIGNED_COLOUR_MAP = "PuOr_r"
MOST_VECTOR_CELLS = 2500
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


def look_of(series: Series, n: int) -> tuple[str, str, int]:
    """Colour, marker, and which dash and hatch: of the series' own place in the palette, or the nth."""
    place = n if series.colour is None else series.colour
    shape = (place + place // len(COLOURS)) % len(MARKERS)
    return COLOURS[place % len(COLOURS)], MARKERS[shape], shape


Plot = Chart | Panels | Heatmap | Pictures

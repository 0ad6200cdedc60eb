"""A page to draw a network on, in points, y downwards: boxes, bent lines, arrows and measured text.

The same drawing becomes a PDF and an SVG, byte-identical every time. Text is measured by the glyphs of
matplotlib's own fonts, so that every machine places it alike.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from report.drawings import Format, saved

Point = tuple[float, float]
Extent = tuple[float, float, float, float]  # left, top, right, bottom

#: Hue, and how much of it is mixed into the paper in print and on a screen. In print the lightness differs by
#: four steps of L* or more between kinds that stand beside each other; on a screen letters keep a contrast of
#: 4.5:1, light and dark. The hues are Okabe and Ito's.
FILLS: dict[str, tuple[str, float, float]] = {
    "data": ("#7F7F7F", 0.0, 0.0),
    "activation": ("#7F7F7F", 0.0, 0.0),
    "operation": ("#7F7F7F", 0.10, 0.10),
    "norm": ("#7F7F7F", 0.24, 0.20),
    "merge": ("#F0E442", 0.45, 0.26),
    "conv": ("#56B4E9", 0.40, 0.28),
    "attention": ("#CC79A7", 0.50, 0.34),
    "dense": ("#E69F00", 0.85, 0.36),
    "pool": ("#0072B2", 1.0, 1.0),
    "loss": ("#D55E00", 0.18, 0.12),
}
QUIET = "#4A4A4A"
STYLE: Any = {
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "path.simplify": False,
}


class Pen:
    """What is drawn, and the extents of its boxes and texts. `screen` is the SVG: wider letters, translucent
    fills.
    """

    def __init__(self, screen: bool, id: str) -> None:
        self.screen, self.id = screen, id
        self.family = ["DejaVu Sans"] if screen else ["STIXGeneral", "DejaVu Sans"]
        self.size = 7.0 if screen else 8.0  # of the type; DejaVu is as large at 7 as Times at 8
        self.panel = 0
        self.patches: list[tuple[Path, dict[str, Any], str, float]] = []
        self.texts: list[tuple[Point, dict[str, Any]]] = []
        self.extents: list[tuple[Literal["block", "text"], str, Extent]] = []

    def width(self, text: str, *, bold: bool = False) -> float:
        return _text_width(text, tuple(self.family), self.size, bold)

    def fill(self, kind: str) -> Any:
        """Colour of a kind of block, or "none"."""
        hue, *shares = FILLS[kind]
        share = shares[self.screen]
        if not share:
            return "none"
        rgb = [int(hue[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        return (*rgb, share) if self.screen else tuple(1 - share * (1 - value) for value in rgb)

    def patch(
        self,
        path: Path,
        *,
        fill: Any = "none",
        ink: str = "black",
        line: float = 0.6,
        dash: Any = "-",
        gid: str = "",
        z: float = 2,
    ) -> None:
        style = {
            "facecolor": fill,
            "edgecolor": ink if line else "none",
            "linewidth": line,
            "linestyle": dash,
        }
        self.patches.append((path, style, gid, z))

    def line(
        self,
        points: list[Point],
        *,
        width: float = 0.7,
        dash: Any = "-",
        ink: str = "black",
        gid: str = "",
        z: float = 1,
    ) -> None:
        self.patch(bent(points, 2.5), ink=ink, line=width, dash=dash, gid=gid, z=z)

    def arrow(self, points: list[Point], *, dash: Any = "-", gid: str = "") -> None:
        """Along upright and level lines, with a filled head."""
        (x0, y0), (x1, y1) = points[-2:]
        length = max(abs(x1 - x0), abs(y1 - y0)) or 1
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        head, half = 4.0, 1.6
        tip = (x1 - 0.3 * ux, y1 - 0.3 * uy)
        base = (tip[0] - head * ux, tip[1] - head * uy)
        self.line([*points[:-1], base], dash=dash, gid=gid)
        sides = [(base[0] - half * uy, base[1] + half * ux), (base[0] + half * uy, base[1] - half * ux)]
        self.patch(
            Path([tip, *sides, tip], closed=True),
            fill="black",
            line=0,
            gid=f"{gid}-head" if gid else "",
            z=1,
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        align: Literal["left", "center"] = "center",
        bold: bool = False,
        ink: str = "black",
        owner: str = "",
    ) -> None:
        """y is the middle of the line. owner: the block that the text belongs to."""
        width = self.width(text, bold=bold)
        left = x - width / 2 if align == "center" else x
        half = self.size * 0.42
        self.extents.append(("text", owner or text, (left, y - half, left + width, y + half)))
        style = {
            "s": text,
            "ha": align,
            "va": "baseline",
            "fontsize": self.size,
            "fontweight": "bold" if bold else "normal",
            "color": ink,
        }
        self.texts.append(((x, y + self.size * 0.34), style))

    def block(self, name: str, extent: Extent) -> None:
        """Note where a block stands, for `collisions`."""
        self.extents.append(("block", name, extent))

    def save(self, width: float, height: float, format: Format) -> bytes:
        with matplotlib.rc_context(STYLE | {"font.family": self.family, "svg.hashsalt": self.id}):
            page = Figure(figsize=(width / 72, height / 72))
            axes = page.add_axes((0, 0, 1, 1))
            axes.set_axis_off()
            axes.set_xlim(0, width)
            axes.set_ylim(height, 0)
            for path, style, gid, z in self.patches:
                artist = PathPatch(path, zorder=z, joinstyle="miter", capstyle="butt", **style)
                artist.set_clip_on(False)
                if gid:
                    artist.set_gid(f"{self.id}-{gid}")
                axes.add_patch(artist)
                artist.set_clip_on(False)
            for place, style in self.texts:
                axes.text(*place, **style).set_zorder(4)
            return saved(page, format)


@lru_cache(maxsize=4096)
def _text_width(text: str, family: tuple[str, ...], size: float, bold: bool) -> float:
    """Points."""
    font = FontProperties(family=list(family), weight="bold" if bold else "normal", size=size)
    return round(text_to_path.get_text_width_height_descent(text, font, False)[0], 2) if text else 0.0


def rectangle(left: float, top: float, width: float, height: float, radius: float = 1.5) -> Path:
    """With round corners, unless their radius is 0."""
    r = min(radius, width / 2, height / 2)
    right, bottom = left + width, top + height
    if not r:
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return Path([*corners, corners[0]], closed=True)
    bends = [
        ((right - r, top), (right, top), (right, top + r)),
        ((right, bottom - r), (right, bottom), (right - r, bottom)),
        ((left + r, bottom), (left, bottom), (left, bottom - r)),
        ((left, top + r), (left, top), (left + r, top)),
    ]
    places, codes = [(left + r, top)], [Path.MOVETO]
    for bend in bends:
        places += bend
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*places, (left + r, top)], [*codes, Path.CLOSEPOLY])


def circle(x: float, y: float, radius: float) -> Path:
    return Path.circle((x, y), radius)


def bent(points: list[Point], radius: float) -> Path:
    """A line through `points` whose corners are rounded."""
    places, codes = [points[0]], [Path.MOVETO]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(radius, _length(before, at) / 2, _length(at, after) / 2)
        places += [_toward(at, before, reach), at, _toward(at, after, reach)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*places, points[-1]], [*codes, Path.LINETO])


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _toward(a: Point, b: Point, reach: float) -> Point:
    length = _length(a, b) or 1
    return a[0] + (b[0] - a[0]) * reach / length, a[1] + (b[1] - a[1]) * reach / length


def level_pieces(points: list[Point]) -> list[tuple[Point, Point]]:
    return [(p, q) for p, q in pairwise(points) if abs(p[1] - q[1]) < 0.5]


def collisions(pen: Pen, size: tuple[float, float]) -> list[str]:
    """Texts that touch another text or a block that is not their own, blocks that touch, and what leaves the
    page: none in a drawing that can be read.
    """
    width, height = size
    found = [
        f"{name!r} leaves the page"
        for _, name, (left, top, right, bottom) in pen.extents
        if left < -0.3 or top < -1 or right > width or bottom > height
    ]
    for at, (kind, name, extent) in enumerate(pen.extents):
        for other_kind, other, other_extent in pen.extents[at + 1 :]:
            if name != other and _overlap(extent, other_extent):
                found.append(f"{kind} {name!r} on {other_kind} {other!r}")
    return found


def _overlap(a: Extent, b: Extent, slack: float = 0.3) -> bool:
    return a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack

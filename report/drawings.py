"""A drawing of matplotlib as a file, byte-identical every time."""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from results.store import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["pdf", "png", "svg"]

DPI = 150  # of a PNG
#: Metadata that would differ between two runs or two machines.
FIELDS = {"pdf": ("CreationDate", "Creator", "Producer"), "png": ("Software",), "svg": ("Date", "Creator")}


def saved(drawing: Figure, format: Format) -> bytes:
    """The file; a PNG is on white, the others on what lies behind them."""
    drawing.patch.set_visible(format == "png")
    drawing.patch.set_facecolor("white")
    content = io.BytesIO()
    metadata = dict.fromkeys(FIELDS[format])
    drawing.savefig(content, format=format, dpi=DPI if format == "png" else "figure", metadata=metadata)
    return content.getvalue()


def presentation_attributes(style: re.Match[str]) -> str:
    """A style attribute, found in an SVG, as presentation attributes, which a strict content policy lets
    through; of a font its size, and that it is bold."""
    attributes = []
    for rule in filter(None, (part.strip() for part in html.unescape(style[1]).split(";"))):
        name, _, setting = (text.strip() for text in rule.partition(":"))
        if name == "font":
            size = re.search(r"[\d.]+px", setting)
            weight = ' font-weight="bold"' if "bold" in setting or "700" in setting else ""
            attributes.append(f'font-size="{size[0] if size else "8px"}"{weight}')
        elif name != "font-family":
            attributes.append(f'{name}="{html.escape(setting)}"')
    return "".join(" " + attribute for attribute in attributes)


def smaller(body: str) -> str:
    """An SVG without what a page has no use for: names of parts, turns by nothing, hundredths of a pixel, and
    groups that only hold lines."""
    body = re.sub(r'<g id="[^"]*-(?:text|xtick|ytick|line2d|matplotlib\.axis|axes|figure)_\d+"', "<g", body)
    body = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", body)
    body = re.sub(r">\s+<", "><", re.sub(r"\n +", "\n", body))
    body = re.sub(r"<g>((?:<path [^>]*/>)+)</g>", r"\1", body)

    def rounded(attribute: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{round(float(number[0]), 1):g}", attribute[0])

    return re.sub(r' (?:d|x|y|points)="[^"]*"', rounded, body)


def kept(path: Path, draw: Callable[[], bytes]) -> bytes:
    """What `draw` gives, kept in the file `path` from then on; drawn again where that was altered."""
    beside = path.with_name(f"{path.name}.sha256")
    try:
        content = path.read_bytes()
        if beside.read_bytes() == _hash(content):
            return content
    except OSError:
        pass
    content = draw()
    write_atomically(path, content)
    write_atomically(beside, _hash(content))
    return content


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()

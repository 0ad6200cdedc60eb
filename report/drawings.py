"""A drawing of matplotlib as a file, byte-identical every time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

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

"""Live figures: below a table, a place for a script that begins at the numbers of the table's result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from report.document import Item
from results.schema import Result


def _stack(result: Result) -> Any:
    """Width and channels of the input, and layers as filter, stride, dilation, padding, filters."""
    given = result.provenance.parameters
    layer = (given["filter"], given["stride"], 1, given["padding"], given["filters"])
    return [[given["width"], given["channels"]], [layer]]


def _memory(result: Result) -> Any:
    """Of every layer its name, the activations of one image, and the weights."""
    rows = (row.cells for row in result.tables["layers"].rows if row.kind == "body")
    return [(cells["layer"], cells["activations"], cells["weights"]) for cells in rows]


#: What a table begins: the script, and the numbers that it begins at.
BEGINS: Mapping[str, tuple[str, Callable[[Result], Any]]] = {
    "architecture.convolution/filters": ("stack", _stack),
    "architecture.vgg19/layers": ("memory", _memory),
}
SCRIPTS = {script for script, _ in BEGINS.values()}


def block(item: Item, results: Mapping[str, Result]) -> str:
    """The place for the script below an item, or "" where there is none; without a script it is not seen."""
    if item.target not in BEGINS:
        return ""
    script, start = BEGINS[item.target]
    numbers = json.dumps(start(results[item.target.partition("/")[0]]), separators=(",", ":"))
    place = '<div class="live" id="{}:live" data-live="{}" data-start="{}"></div>'
    return str(Markup(place).format(item.target, script, numbers))

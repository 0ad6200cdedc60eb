"""Networks as rows of slabs: height by the side of the map, width by its channels, both on logarithmic
scales, with name, size, channels and parameters in a small table below (after Net2Vis: Bäuerle et al. 2021,
arXiv 1902.04394).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log2

from report.networks.graph import LINE, WIDTH
from report.networks.pen import FILLS, QUIET, Pen, rectangle
from report.networks.words import NAMES, short
from results.schema import Block, Network, NetworkPanel

TALLEST = 84.0  # points of the largest map
SCALES = (2.6, 2.2, 1.8, 1.5, 1.2, 1.0, 0.8, 0.6, 0.45, 0.35, 0.25, 0.15)  # points a doubling of channels
LEAST_SCALE = 1.0  # where a network may go on in a further row
HEADERS = ("", "size", "channels", "parameters")
GAP, CLOSE_GAP = 9.0, 2.0  # between slabs; beside a thin one
BETWEEN_LABELS = 5.0
MOST_SPARE = 14.0
POOL = 3.5  # a pool changes no channels: its slab is thin
FEW = 13  # up to so many blocks, each with parameters has a label of its own


@dataclass(frozen=True)
class _Row:
    """How a row of slabs fits the page."""

    runs: list[list[Block]]  # neighbours that share a label
    labels: list[list[str]]
    widths: list[float]
    places: list[float]  # of the centres
    end: float
    tiers: int  # rows of labels
    scale: float


def draw_volumes(network: Network, pen: Pen, room: float = WIDTH) -> tuple[float, float]:
    """Width and height of what was drawn. In a narrower room it goes on in further rows."""
    space = room - _head(pen)
    rows = [_rows(panel, pen, space, several=room < WIDTH) for panel in network.panels]
    scale = min(_fit(row, pen, SCALES, space).scale for panel in rows for row in panel)  # one for all
    kinds = [block.kind for panel in network.panels for block in panel.blocks]
    title = pen.width(network.panels[0].title, bold=True)
    y, width = (pen.size * 1.6 if title + _legend_width(pen, kinds) > room else 0.0), 0.0
    for pen.panel, panel in enumerate(network.panels):
        if panel.title:
            pen.text(0, y + pen.size * 0.6, panel.title, align="left", bold=True)
        if panel.title or not pen.panel:
            y += pen.size * 1.8
        largest = max(side_and_channels(block.shape)[0] for block in panel.blocks)
        for row in rows[pen.panel]:
            row_width, row_height = _draw_row(_fit(row, pen, (scale,), space), pen, y, largest, space)
            y, width = y + row_height + 12, max(width, row_width)
    _draw_legend(pen, kinds, width)
    return width, y - 12


def _rows(panel: NetworkPanel, pen: Pen, room: float, several: bool) -> list[list[list[Block]]]:
    """The runs of a panel in one row or, where it may have several, in as few as show their slabs."""
    runs = runs_of(panel.blocks)
    seen = [scale for scale in SCALES if scale >= LEAST_SCALE]
    for count in range(1, len(runs) if several else 1):
        ends = [round(len(runs) * at / count) for at in range(count + 1)]
        rows = [runs[start:end] for start, end in pairwise(ends)]
        if all(_fit(row, pen, seen, room).end <= room for row in rows):
            return rows
    return [runs]


def _fit(runs: list[list[Block]], pen: Pen, scales: Sequence[float], room: float) -> _Row:
    """The first of the ways to write the labels, and the largest slabs, that fit the room."""
    row = None
    for squared, tiers in ((False, 1), (True, 1), (True, 2)):
        labels = [
            _label(run, following, squared) for run, following in zip(runs, [*runs[1:], None], strict=True)
        ]
        text_widths = [max(map(pen.width, cells), default=0.0) for cells in labels]
        for scale in scales:
            widths = [sum(_slab(block, scale) * block.repeat for block in run) for run in runs]
            places, end = _places(widths, text_widths, tiers)
            row = _Row(runs, labels, widths, places, end, tiers, scale)
            if end <= room:
                return row
    assert row is not None
    return row


def _head(pen: Pen) -> float:
    """Points that the names of the labels' lines take, at the left."""
    return max(map(pen.width, HEADERS)) + 6


def side_and_channels(shape: tuple[int, ...]) -> tuple[float, int]:
    """Of a map; tokens count as a square map, a vector as one pixel, and what has no shape as one number."""
    if len(shape) == 3:
        return (shape[1] * shape[2]) ** 0.5, shape[0]
    if len(shape) == 2:
        return shape[0] ** 0.5, shape[1]
    return 1.0, shape[0] if shape else 1


def runs_of(blocks: Sequence[Block]) -> list[list[Block]]:
    """Neighbours of one kind and size share a label, apart from pools, dense layers, and short networks."""
    runs: list[list[Block]] = []
    for block in blocks:
        last = runs[-1][-1] if runs else None
        alike = last and (last.kind, last.shape) == (block.kind, block.shape)
        own_label = block.kind in ("pool", "dense") or (len(blocks) <= FEW and block.parameters)
        if alike and not own_label:
            runs[-1].append(block)
        else:
            runs.append([block])
    return runs


def _label(run: list[Block], following: list[Block] | None, squared: bool) -> list[str]:
    """Name, size, channels, parameters. A pool has none where the next block shows its size."""
    first = run[0]
    shape = first.shape
    if first.kind == "pool" and following and (following[0].shape[1:] == shape[1:] or set(shape[1:]) == {1}):
        return []
    count = sum(block.repeat for block in run)
    name = first.label
    if len(run) > 1:
        name = re.sub(r"[_.-]?\d+$", "", first.label) or f"{first.label}–{run[-1].label}"
    if count > 1:
        name += f" ×{count}"
    side = f"{shape[0]} tokens" if len(shape) == 2 else "–"
    if len(shape) == 3:
        side = f"{shape[1]}²" if squared and shape[1] == shape[2] else f"{shape[1]}×{shape[2]}"
    parameters = sum(block.parameters or 0 for block in run)
    channels = f"{side_and_channels(shape)[1]:,}" if shape else "–"
    return [name, side, channels, short(parameters) if parameters else "–"]


def _draw_row(row: _Row, pen: Pen, top: float, largest: float, room: float) -> tuple[float, float]:
    """largest: side of the largest map of the network."""
    head = _head(pen)

    def height(block: Block) -> float:
        side = side_and_channels(block.shape)[0]
        return TALLEST * (log2(max(1.0, side)) + 1) / (log2(max(1.0, largest)) + 1)

    spare = min(MOST_SPARE, max(0.0, room - row.end) / max(1, len(row.runs) - 1))
    places = [head + place + spare * at for at, place in enumerate(row.places)]
    base, step = top + TALLEST + 2, pen.size * LINE
    tier_height = 4 * step + 3
    labelled = 0
    for at, (run, place, cells) in enumerate(zip(row.runs, places, row.labels, strict=True)):
        left = place - row.widths[at] / 2
        for block in run:
            left = _draw_slabs(pen, block, left, base, height(block), _slab(block, row.scale))
        if at + 1 < len(row.runs):
            start, end = left, places[at + 1] - row.widths[at + 1] / 2
            level = base - min(height(run[-1]), height(row.runs[at + 1][0])) / 2
            if end - start > 6:
                pen.arrow([(start, level), (end, level)])
        tier = labelled % row.tiers if cells else 0
        labelled += bool(cells)
        below = base + 4 + tier * tier_height
        if tier:
            pen.line([(place, base + 2), (place, below)], width=0.3, ink=QUIET)
        for line, text in enumerate(cells):
            owner = f"{run[0].id}@{pen.panel}"
            pen.text(place, below + step * (line + 0.5), text, ink=QUIET if line else "black", owner=owner)
    for tier in range(row.tiers):
        for line, text in enumerate(HEADERS):
            if text:
                middle = base + 4 + tier * tier_height + step * (line + 0.5)
                pen.text(0, middle, text, align="left", ink=QUIET, owner=f"{text} {tier}@{pen.panel}")
    width = head + row.end + spare * (len(row.runs) - 1)
    return width, TALLEST + 6 + row.tiers * 4 * step + (row.tiers - 1) * 3


def _draw_slabs(pen: Pen, block: Block, left: float, base: float, height: float, slab: float) -> float:
    """As many slabs as equal blocks; returns their right end."""
    width = slab * block.repeat
    gid = f"block-{pen.panel}-{block.id}"
    pen.patch(rectangle(left, base - height, width, height, 0), fill=pen.fill(block.kind), gid=gid)
    pen.block(f"{block.id}@{pen.panel}", (left, base - height, left + width, base))
    for number in range(1, block.repeat):
        x = left + number * slab
        pen.line([(x, base - height), (x, base)], width=0.4 if slab > 3 else 0.2, z=3)
    return left + width


def _slab(block: Block, scale: float) -> float:
    """Width of one slab, by its channels."""
    if block.kind == "pool":
        return POOL
    least = 3.0 if block.repeat == 1 else 1.4
    return max(least, scale * log2(max(2, side_and_channels(block.shape)[1])))


def _places(widths: Sequence[float], text_widths: Sequence[float], tiers: int) -> tuple[list[float], float]:
    """Centres from left to right such that neither slabs nor labels of one tier touch, and the right end."""
    places: list[float] = []
    label_ends = [0.0] * tiers
    right, labelled = 0.0, 0
    for width, text in zip(widths, text_widths, strict=True):
        x = right + width / 2
        if places:
            x += GAP if width > 4 else CLOSE_GAP
        if text:
            tier = labelled % tiers
            x = max(x, label_ends[tier] + text / 2 + (BETWEEN_LABELS if label_ends[tier] else 0))
            label_ends[tier] = x + text / 2
            labelled += 1
        places.append(x)
        right = x + width / 2
    return places, max(right, *label_ends)


def _explained(kinds: Iterable[str]) -> list[str]:
    """Those that the legend names, in the order of the fills."""
    used = set(kinds)
    return [kind for kind in FILLS if kind in used and kind != "data"]


def _legend_width(pen: Pen, kinds: Iterable[str]) -> float:
    return sum(pen.width(NAMES[kind]) + 20 for kind in _explained(kinds))


def _draw_legend(pen: Pen, kinds: Iterable[str], right: float) -> None:
    """What the fills mean, on the first line, from the right end."""
    x = right
    for kind in reversed(_explained(kinds)):
        x -= pen.width(NAMES[kind])
        pen.text(x, pen.size * 0.6, NAMES[kind], align="left", owner=f"legend {kind}")
        x -= 11
        pen.patch(rectangle(x, pen.size * 0.2, 8, pen.size * 0.8, 0), fill=pen.fill(kind))
        x -= 9

"""Networks as boxes and arrows: branches side by side, sums as signs, skips in lanes of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from report.networks.layout import Plan, plan
from report.networks.nodes import Edge, Node
from report.networks.pen import QUIET, Pen, Point, circle, level_pieces, rectangle
from report.networks.words import is_sign, lines
from results.schema import Block, FeatureMap, Network, NetworkPanel

WIDTH = 396.0  # points: 5.5 inches, the text block of the page
NARROW = 250.0  # points that a phone has room for: letters of 8 points are 11 pixels high there
LINE = 1.18  # line height in sizes of the type
PAD_X, PAD_Y = 4.5, 3.0
SHARE_BAR = 2.5  # height of the bar that shows a share of MACs
BESIDE, MOST_BESIDE = 22.0, 60.0  # between panels side by side
DASHED = (0, (2.5, 1.8))
GRID = "#8FA9B8"
ANCHOR = "#A84300"
MAP_SIDE, MOST_CELL = 118.0, 11.0


@dataclass(frozen=True)
class _Placed:
    """A panel that is laid out: its size, and how it is drawn at a place."""

    width: float
    height: float
    draw: Callable[[float, float], None]


def draw_graph(network: Network, pen: Pen, room: float = WIDTH) -> tuple[float, float]:
    """Width and height of what was drawn. In a room narrower than a page, panels stand one below the other,
    and the data goes where the drawing is narrower.
    """
    beside = network.arrange == "beside" and room >= WIDTH
    ways = [(network.flow, True)] * (network.flow == "down") + [(network.flow, False)]
    if room < WIDTH:
        ways += [("right", False)] if network.flow == "down" else [("down", True), ("down", False)]
    found: dict[float, list[_Placed]] = {}
    for flow, joined in ways:  # joined: fewer lines in wider boxes, where these fit
        placed = [_laid_out(panel, flow == "right", pen, joined) for panel in network.panels]
        widths = [each.width for each in placed]
        width = sum(widths) + BESIDE * (len(widths) - 1) if beside else max(widths)
        found.setdefault(width, placed)
        if width <= room:
            break
    else:
        placed = found[min(found)]
    title = pen.size * 1.7 if any(panel.title for panel in network.panels) else 0.0
    widths = [
        max(each.width, pen.width(panel.title, bold=True) + 1)
        for panel, each in zip(network.panels, placed, strict=True)
    ]
    if not beside:
        y = 0.0
        for pen.panel, (panel, each) in enumerate(zip(network.panels, placed, strict=True)):
            if panel.title:
                pen.text(0, y + pen.size * 0.6, panel.title, bold=True, align="left")
            each.draw(0, y + title)
            y += each.height + title + 10
        return max(widths), y - 10
    space = BESIDE
    total = sum(widths) + space * (len(placed) - 1)
    if total < WIDTH and len(placed) > 1:  # equal spaces over the whole width
        space = min(MOST_BESIDE, space + (WIDTH - total) / (len(placed) - 1))
    x = 0.0
    for pen.panel, (panel, each, width) in enumerate(zip(network.panels, placed, widths, strict=True)):
        each.draw(x + (width - each.width) / 2, title)
        if panel.title:
            pen.text(x + width / 2, pen.size * 0.6, panel.title, bold=True)
        x += width + space
    return x - space, max(each.height for each in placed) + title


def _laid_out(panel: NetworkPanel, right: bool, pen: Pen, joined: bool) -> _Placed:
    """right: the data goes to the right, else down."""
    sizes = {block.id: _box_size(block, pen, joined) for block in panel.blocks}
    _make_even(panel, sizes, right, joined)
    nodes = [
        Node(
            block.id,
            *(sizes[block.id] if right else sizes[block.id][::-1]),
            round=is_sign(block),
            even=not block.map and not is_sign(block),
        )
        for block in panel.blocks
    ]
    found = plan(
        nodes,
        [Edge(arrow.source, arrow.target, _label_room(arrow.label, right, pen)) for arrow in panel.arrows],
        gap=13.0 if right else 11.0,
        between=9.0 if right else 10.0,
        lane=5.0,
        skips_first=right,
        frames=[list(frame.blocks) for frame in panel.frames],
        frame=(8.0 if right else pen.size * 1.1, 8.0),
    )
    margin = 12.0 if panel.frames else 1.0
    top = margin + (pen.size if panel.frames else 0)

    def draw(x: float, y: float) -> None:
        def place(point: Point) -> Point:
            along, across = point
            return (along + x + margin, across + y + top) if right else (across + x + margin, along + y + top)

        _draw_frames(panel, found, place, pen)
        _draw_arrows(panel, found, place, pen)
        for block in panel.blocks:
            node = found.nodes[block.id]
            width, height = (node.along, node.across) if right else (node.across, node.along)
            centre_x, centre_y = place((node.a, node.c))
            _draw_block(pen, block, centre_x - width / 2, centre_y - height / 2, width, height, joined)

    width, height = (found.along, found.across) if right else (found.across, found.along)
    return _Placed(width + 2 * margin, height + top + margin, draw)


def _label_room(label: str, right: bool, pen: Pen) -> float:
    """Points along the arrow that its label needs."""
    if not label:
        return 0.0
    return max(map(pen.width, label.split("\n"))) + 11 if right else 20.0


def _box_size(block: Block, pen: Pen, joined: bool) -> tuple[float, float]:
    if is_sign(block):
        return 11.0, 11.0
    texts = lines(block, joined=joined and not block.map)
    widest = max((pen.width(text) for text, _ in texts), default=0.0)
    tall = len(texts) * pen.size * LINE
    if block.map:
        cell = _cell(block.map)
        return (
            max(block.map.columns * cell, widest),
            block.map.rows * cell + 2 * _overhang(block.map) + tall + 4,
        )
    width = widest + 2 * PAD_X + (3 if block.repeat > 1 else 0)
    return max(width, 24.0), tall + 2 * PAD_Y + (SHARE_BAR if block.share is not None else 0)


def _make_even(panel: NetworkPanel, sizes: dict[str, tuple[float, float]], right: bool, joined: bool) -> None:
    """Boxes with equally many lines become equally tall; in a column all boxes become equally wide."""
    plain = [block for block in panel.blocks if not block.map and not is_sign(block)]
    for count in sorted({len(lines(block, joined=joined)) for block in plain}):
        group = [block.id for block in plain if len(lines(block, joined=joined)) == count]
        tallest = max(sizes[id][1] for id in group)
        sizes.update({id: (sizes[id][0], tallest) for id in group})
    if not right:
        widest = max((sizes[block.id][0] for block in plain), default=0.0)
        sizes.update({block.id: (widest, sizes[block.id][1]) for block in plain})


def _overhang(map: FeatureMap) -> float:
    """How far the tallest anchor reaches beyond the map, above and below."""
    return max([(height - map.rows) / 2 * _cell(map) for height, _ in map.boxes] + [0.0])


def _cell(map: FeatureMap) -> float:
    return min(MOST_CELL, MAP_SIDE / max(map.rows, map.columns))


def _draw_frames(panel: NetworkPanel, found: Plan, place: Callable[[Point], Point], pen: Pen) -> None:
    for frame in panel.frames:
        members = [found.nodes[id] for id in frame.blocks]
        corners = [
            place((node.a + side * node.along / 2, node.c + side * node.across / 2))
            for node in members
            for side in (-1, 1)
        ]
        left, right = min(x for x, _ in corners) - 7, max(x for x, _ in corners) + 7
        top, bottom = min(y for _, y in corners) - 7, max(y for _, y in corners) + 7
        pen.patch(rectangle(left, top, right - left, bottom - top, 4), ink=QUIET, dash=(0, (3, 2)), z=0)
        pen.text(left + 3, top - pen.size * 0.6, frame.title, align="left", ink=QUIET)


def _draw_arrows(panel: NetworkPanel, found: Plan, place: Callable[[Point], Point], pen: Pen) -> None:
    for number, (edge, arrow) in enumerate(zip(found.edges, panel.arrows, strict=True)):
        points = [place(point) for point in edge.points]
        sharing = [
            other for other in found.edges if other.skip and other.source == edge.source and other is not edge
        ]
        if edge.skip and sharing and edge.points[2][0] < max(other.points[2][0] for other in sharing):
            pen.patch(circle(*place(edge.points[2]), 1.5), fill="black", line=0, z=1.2)  # where lanes part
        pen.arrow(
            points,
            dash=DASHED if arrow.style == "training" else "-",
            gid=f"arrow-{pen.panel}-{number}",
        )
        if arrow.label:
            _draw_label(pen, points, arrow.label.split("\n"))


def _draw_label(pen: Pen, points: list[Point], texts: list[str]) -> None:
    """Over the first level piece of an arrow; beside the arrow where all of it is upright."""
    level = level_pieces(points)
    if level:
        (x0, y), (x1, _) = level[0]
        x = (x0 + x1) / 2 - (1.5 if len(level) == 1 else 0)
        for line, text in enumerate(reversed(texts)):
            pen.text(x, y - pen.size * (0.6 + LINE * line), text, ink=QUIET)
        return
    (x, y0), (_, y1) = points[0], points[-1]
    for line, text in enumerate(texts):
        middle = (y0 + y1) / 2 + pen.size * LINE * (line - (len(texts) - 1) / 2) - 1
        pen.text(x + 4, middle, text, align="left", ink=QUIET)


def _draw_block(
    pen: Pen, block: Block, left: float, top: float, width: float, height: float, joined: bool
) -> None:
    gid, owner = f"block-{pen.panel}-{block.id}", f"{block.id}@{pen.panel}"
    pen.block(owner, (left, top, left + width, top + height))
    x, y = left + width / 2, top + height / 2
    if is_sign(block):
        pen.patch(circle(x, y, width / 2), fill=pen.fill("merge"), gid=gid)
        product = block.label == "×"
        arm = 1.9 if product else 2.6
        for dx, dy in ((arm, arm), (arm, -arm)) if product else ((arm, 0.0), (0.0, arm)):
            pen.line([(x - dx, y - dy), (x + dx, y + dy)], z=3)
        return
    texts = lines(block, joined=joined and not block.map)
    step = pen.size * LINE
    if block.map:
        _draw_map(pen, block.map, x, top + _overhang(block.map), gid)
        first = top + block.map.rows * _cell(block.map) + 2 * _overhang(block.map) + 4 + step / 2
    else:
        bar = SHARE_BAR if block.share is not None else 0.0
        if block.repeat > 1:  # a second sheet behind
            behind = rectangle(left + 2.2, top - 2.2, width, height)
            pen.patch(behind, fill="none" if pen.screen else "white", line=0.5, z=1.5)
        pen.patch(
            rectangle(left, top, width, height),
            fill=pen.fill(block.kind),
            dash=DASHED if block.kind == "loss" else "-",
            gid=gid,
        )
        if block.share is not None:
            long = max(0.1, (width - 1) * block.share)
            pen.patch(
                rectangle(left + 0.5, top + height - 3, long, SHARE_BAR, 0.3), fill="black", line=0, z=3
            )
        first = y - bar / 2 - step * (len(texts) - 1) / 2
    for line, (text, ink) in enumerate(texts):
        pen.text(x, first + line * step, text, ink=ink, owner=owner)


def _draw_map(pen: Pen, map: FeatureMap, x: float, top: float, gid: str) -> None:
    """A grid of cells, the window at its centre, and the anchors around that."""
    cell = _cell(map)
    width, height = map.columns * cell, map.rows * cell
    left = x - width / 2
    pen.patch(rectangle(left, top, width, height, 0), fill=pen.fill("conv"), gid=gid)
    for column in range(1, map.columns):
        at = left + column * cell
        pen.line([(at, top), (at, top + height)], width=0.15, ink=GRID, z=2.2)
    for row in range(1, map.rows):
        at = top + row * cell
        pen.line([(left, at), (left + width, at)], width=0.15, ink=GRID, z=2.2)
    centre = left + (map.columns // 2 + 0.5) * cell, top + (map.rows // 2 + 0.5) * cell

    def around(tall: float, wide: float) -> Any:
        return rectangle(
            centre[0] - wide * cell / 2, centre[1] - tall * cell / 2, wide * cell, tall * cell, 0
        )

    if map.window:
        pen.patch(around(map.window, map.window), fill=pen.fill("dense"), z=2.9)
    dashes: list[Any] = ["-", (0, (4, 1.5)), (0, (1, 1))]
    for number, (tall, wide) in enumerate(map.boxes):
        pen.patch(around(tall, wide), ink=ANCHOR, line=1.0, dash=dashes[number // 3 % 3], z=2.8)

"""The ways of orthogonal arrows between boxes that have their places; each line across has a track."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from report.networks.nodes import Edge, Node, Point


def _port(n: Node, towards: float) -> float:
    """Where across an arrow touches a box: straight where the box reaches that far, else its middle."""
    inside = n.across / 2 - 4
    return towards if abs(towards - n.c) <= inside and n.across > 40 else n.c


def _ends(n: Node, m: Node) -> Point:
    """Where across an arrow from n to m leaves and enters: straight where one of them reaches that far."""
    out = n.c if n.dummy else _port(n, m.c)
    into = m.c if m.dummy else _port(m, out)
    if abs(out - into) > 0.5 and not n.dummy and not m.dummy:
        out, into = n.c, _port(m, n.c)
    return out, into


def bends(n: Node, m: Node) -> bool:
    """Whether an arrow from n to m has a piece across."""
    out, into = _ends(n, m)
    return abs(out - into) > 0.5 and not enters_a_side(m, out)


def enters_a_side(n: Node, c: float) -> bool:
    """Whether an arrow at that place across enters n from its side."""
    return n.round and abs(c - n.c) > n.across / 2


def route(
    real: dict[str, Node],
    nodes: dict[str, Node],
    edges: list[Edge],
    lane: float,
    first: bool,
    extra: dict[int, float],
) -> None:
    """The points of every arrow between boxes that have their places."""
    tracks = _tracks(nodes, edges, lane, extra)
    levels = _levels(real, edges)
    for e in edges:
        s, t = real[e.source], real[e.target]
        if e.skip:
            inner = [n for n in real.values() if s.rank <= n.rank <= t.rank]
            edge = min(n.c - n.across / 2 for n in inner) if first else max(n.c + n.across / 2 for n in inner)
            way = -1 if first else 1
            c = edge + way * (lane + 2 + lane * levels[e.source])
            leave, enter = s.a + _offset(s, 1), t.a - _offset(t, 1)
            from_side = s.c + way * s.across / 2
            if s.round:  # from the line that leaves the sum, so that what enters and what leaves stay apart
                leave, from_side = s.a + s.along / 2 + 4.0, s.c
            e.points = [(leave, from_side), (leave, c), (enter, c), (enter, t.c + way * t.across / 2)]
            continue
        points: list[Point] = []
        for p, q in pairwise(e.chain):
            n, m = nodes[p], nodes[q]
            out, into = _ends(n, m)
            start = (n.a + (0 if n.dummy else n.along / 2), out)
            if enters_a_side(m, out):
                points += [start, (m.a, out), (m.a, m.c + (m.across / 2 if out > m.c else -m.across / 2))]
                continue
            end = (m.a - (0 if m.dummy else m.along / 2), into)
            bend = tracks.get((e.source, e.target, p), (start[0] + end[0]) / 2)
            points += [start, end] if abs(out - into) <= 0.5 else [start, (bend, out), (bend, into), end]
        e.points = _simplified(points)


def _offset(n: Node, side: int) -> float:
    return 0.0 if n.round else min(n.along / 4, 8.0) * side


@dataclass
class _Span:
    """How far across the lines of one net reach in a gap, and which pieces of arrows they are."""

    low: float = inf
    high: float = -inf
    keys: list[tuple[str, str, str]] = field(default_factory=list)


def _tracks(
    nodes: dict[str, Node], edges: list[Edge], lane: float, extra: dict[int, float]
) -> dict[tuple[str, str, str], float]:
    """The place along of every line across: lines of one source, or into one target, share theirs."""
    fan: dict[str, list[Edge]] = {}
    for e in edges:
        if not e.skip:
            fan.setdefault(e.source, []).append(e)
    places: dict[tuple[str, str, str], float] = {}
    gaps: dict[int, dict[str, _Span]] = {}
    for e in edges:
        if e.skip:
            continue
        for p, q in pairwise(e.chain):
            n, m = nodes[p], nodes[q]
            if not bends(n, m):
                continue
            net = f"s{p}" if n.dummy or len(fan[e.source]) > 1 else f"t{q}"
            span = gaps.setdefault(n.rank, {}).setdefault(net, _Span())
            span.low, span.high = min(span.low, n.c, m.c), max(span.high, n.c, m.c)
            span.keys.append((e.source, e.target, p))
    for rank, nets in gaps.items():
        taken: list[list[tuple[float, float]]] = []
        chosen: list[tuple[int, _Span]] = []
        for _, span in sorted(nets.items(), key=lambda item: (item[1].low, item[0])):
            free = (
                k
                for k, track in enumerate(taken)
                if all(span.high < a - 1 or span.low > b + 1 for a, b in track)
            )
            k = next(free, len(taken))
            if k == len(taken):
                taken.append([])
            taken[k].append((span.low, span.high))
            chosen.append((k, span))
        left = max(n.a + n.along / 2 for n in nodes.values() if n.rank == rank) + extra.get(rank, 0.0)
        right = min(n.a - n.along / 2 for n in nodes.values() if n.rank == rank + 1)
        labelled = any(e.label and nodes[e.source].rank == rank for e in edges)
        for k, span in chosen:
            late = right - 9 - lane * (len(taken) - 1 - k)  # after the labels
            for key in span.keys:
                places[key] = late if labelled else left + (right - left - 3) * (k + 1) / (len(taken) + 1)
    return places


def _levels(nodes: dict[str, Node], edges: list[Edge]) -> dict[str, int]:
    """A lane for the skips of each source; lanes are shared where they do not overlap."""
    spans: dict[str, tuple[int, int]] = {}
    for e in edges:
        if e.skip:
            a, b = nodes[e.source].rank, nodes[e.target].rank
            lo, hi = spans.get(e.source, (a, b))
            spans[e.source] = (min(lo, a), max(hi, b))
    levels: dict[str, int] = {}
    for source, (a, b) in sorted(
        spans.items(), key=lambda item: (item[1][1] - item[1][0], item[1][0], item[0])
    ):
        used = {levels[o] for o, (c, d) in spans.items() if o in levels and a < d and c < b}
        levels[source] = next(k for k in range(len(used) + 1) if k not in used)
    return levels


def _simplified(points: list[Point]) -> list[Point]:
    kept: list[Point] = []
    for p in points:
        if kept and p == kept[-1]:
            continue
        if len(kept) > 1 and any(
            abs(kept[-2][i] - kept[-1][i]) < 1e-6 and abs(kept[-1][i] - p[i]) < 1e-6 for i in (0, 1)
        ):
            kept[-1] = p
        else:
            kept.append(p)
    return kept

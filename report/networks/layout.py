"""Places for the boxes of a network: layered, deterministic, in points, no library.

Along is where the data goes, across is the other axis (both grow to the right and downwards). Ranks are the
longest way from a source; order within a rank follows the neighbours, ties the order of declaration; places
across minimize squared bends under fixed distances (pool adjacent violators, rank by rank).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf

from report.networks import routes
from report.networks.nodes import Edge, Node


@dataclass
class Plan:
    nodes: dict[str, Node]
    edges: list[Edge]
    along: float
    across: float


def plan(
    nodes: list[Node],
    edges: list[Edge],
    *,
    gap: float,
    between: float,
    lane: float,
    skips_first: bool,
    frames: list[list[str]] | None = None,
    frame: tuple[float, float] = (0.0, 0.0),
) -> Plan:
    """gap: between ranks at least. between: between boxes of one rank. lane: between parallel lines.

    skips_first: skips run on the side of small across (above), else on the other (right of a column).
    """
    real = {n.id: n for n in nodes}
    ranks = _ranks(list(real), edges)
    for n in nodes:
        n.rank = ranks[n.id]
    _mark_skips(edges, ranks)
    layers, all_nodes = _layers(nodes, edges)
    links = [(a, b) for e in edges if not e.skip for a, b in pairwise(e.chain)]
    _order(layers, links)
    _across(layers, links, all_nodes, between)
    _stretch(real, edges, between)
    for layer in layers:  # boxes of one rank are equally long
        longest = max((n.along for n in layer if n.even), default=0.0)
        for n in layer:
            n.along = longest if n.even else n.along
    extra: dict[int, float] = {}
    for members in frames or []:
        low, high = min(real[i].rank for i in members), max(real[i].rank for i in members)
        extra[low - 1] = max(extra.get(low - 1, 0.0), frame[0])
        extra[high] = max(extra.get(high, 0.0), frame[1])
    _along(layers, all_nodes, edges, gap, lane, extra)
    routes.route(real, all_nodes, edges, lane, skips_first, extra)
    return _framed(real, edges)


def _ranks(ids: list[str], edges: list[Edge]) -> dict[str, int]:
    rank = dict.fromkeys(ids, 0)
    for _ in ids:
        for e in edges:
            rank[e.target] = max(rank[e.target], rank[e.source] + 1)
        if max(rank.values()) > len(ids):
            raise ValueError("the arrows go round in a circle")
    into = {e.target for e in edges}
    for i in ids:  # a source stands just before what it feeds
        ahead = [rank[e.target] for e in edges if e.source == i]
        if i not in into and ahead:
            rank[i] = min(ahead) - 1
    return rank


def _mark_skips(edges: list[Edge], rank: dict[str, int]) -> None:
    """A skip: a long arrow whose ends are also joined by a way through other blocks."""
    after: dict[str, list[str]] = {}
    for e in edges:
        after.setdefault(e.source, []).append(e.target)
    for e in edges:
        if rank[e.target] - rank[e.source] < 2:
            continue
        seen, todo = set(), [t for t in after[e.source] if t != e.target]
        while todo:
            n = todo.pop()
            if n not in seen:
                seen.add(n)
                todo += after.get(n, [])
        e.skip = e.target in seen


def _layers(nodes: list[Node], edges: list[Edge]) -> tuple[list[list[Node]], dict[str, Node]]:
    everything = {n.id: n for n in nodes}
    layers: list[list[Node]] = [[] for _ in range(max(n.rank for n in nodes) + 1)]
    for n in nodes:
        layers[n.rank].append(n)
    for k, e in enumerate(edges):
        a, b = everything[e.source].rank, everything[e.target].rank
        e.chain = [e.source]
        if not e.skip:
            for r in range(a + 1, b):
                d = Node(f"~{k}.{r}", 0.0, 2.0, rank=r, dummy=True, even=False)
                everything[d.id] = d
                layers[r].append(d)
                e.chain.append(d.id)
        e.chain.append(e.target)
    return layers, everything


def _order(layers: list[list[Node]], links: list[tuple[str, str]]) -> None:
    before: dict[str, list[str]] = {}
    for a, b in links:
        before.setdefault(b, []).append(a)
    for layer, previous in zip(layers[1:], layers, strict=False):
        at = {n.id: i for i, n in enumerate(previous)}
        declared = {n.id: i for i, n in enumerate(layer)}

        def key(n: Node, at: dict[str, int] = at, declared: dict[str, int] = declared) -> tuple[float, int]:
            places = [at[p] for p in before.get(n.id, []) if p in at]
            return (sum(places) / len(places) if places else declared[n.id], declared[n.id])

        layer.sort(key=key)


def _across(
    layers: list[list[Node]], links: list[tuple[str, str]], nodes: dict[str, Node], between: float
) -> None:
    """Chains become columns, each with one place across. Columns start in the middle between their leftmost
    and rightmost packing, then move towards the mean of their neighbours as far as there is room.
    """
    column = _columns(layers, links, nodes)
    rows = [[column[n.id] for n in layer] for layer in layers]
    apart: dict[tuple[str, str], float] = {}
    for layer, row in zip(layers, rows, strict=True):
        for p, q, u, v in zip(layer, layer[1:], row, row[1:], strict=False):
            apart[u, v] = max(apart.get((u, v), 0.0), (p.across + q.across) / 2 + between)
    names = list(dict.fromkeys(c for row in rows for c in row))
    low = _packed(names, apart)
    high = _packed(names, {(v, u): d for (u, v), d in apart.items()})
    place = {c: (low[c] - high[c]) / 2 for c in names}
    near: dict[str, list[str]] = {c: [] for c in names}
    for a, b in links:
        if column[a] != column[b]:
            near[column[a]].append(column[b])
            near[column[b]].append(column[a])
    for sweep in range(100):
        for c in names if sweep % 2 else reversed(names):
            if near[c]:
                wish = sum(place[m] for m in near[c]) / len(near[c])
                least = max((place[u] + d for (u, v), d in apart.items() if v == c), default=-inf)
                most = min((place[v] - d for (u, v), d in apart.items() if u == c), default=inf)
                place[c] = min(max(wish, least), most)
    for n in nodes.values():
        n.c = round(place[column[n.id]], 1)


def _columns(
    layers: list[list[Node]], links: list[tuple[str, str]], nodes: dict[str, Node]
) -> dict[str, str]:
    """Of every node its column: that of the node before where both have no other neighbour there; a sum
    stands under the longer of its branches, and so does the block from which they part.
    """
    column = {i: i for i in nodes}
    after: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    for a, b in links:
        after.setdefault(a, []).append(b)
        before.setdefault(b, []).append(a)
    wanted = [(a, b) for a, b in links if len(after[a]) == 1 and len(before[b]) == 1]
    for m in [n for n in nodes.values() if n.round]:
        ways = []
        for p in before.get(m.id, []):
            way = [p]
            while len(before.get(way[-1], [])) == 1 and len(after[before[way[-1]][0]]) == 1:
                way.append(before[way[-1]][0])
            ways.append((sum(not nodes[i].dummy for i in way), way))
        if ways:
            _, way = max(ways, key=lambda w: w[0])
            wanted.append((way[0], m.id))
            if (fork := before.get(way[-1], [])) and len(after[fork[0]]) == len(ways):
                wanted.append((fork[0], way[-1]))
    for a, b in wanted:
        trial = {i: column[a] if c == column[b] else c for i, c in column.items()}
        if _orderly(layers, trial):
            column = trial
    return column


def _orderly(layers: list[list[Node]], column: dict[str, str]) -> bool:
    """Whether no column is both left and right of another."""
    try:
        _packed(
            list(dict.fromkeys(column.values())),
            {(column[p.id], column[q.id]): 1.0 for layer in layers for p, q in pairwise(layer)},
        )
    except ValueError:
        return False
    return True


def _packed(names: list[str], apart: dict[tuple[str, str], float]) -> dict[str, float]:
    """The least places, all at 0 or above; ValueError where the distances go round in a circle."""
    place = dict.fromkeys(names, 0.0)
    for _ in range(len(names) + 1):
        moved = False
        for (u, v), d in apart.items():
            if place[u] + d > place[v] + 1e-9:
                place[v], moved = place[u] + d, True
        if not moved:
            return place
    raise ValueError("columns cross")


def _stretch(nodes: dict[str, Node], edges: list[Edge], between: float) -> None:
    """A box with three or more arrows on a side is drawn across all of its neighbours, so that these arrows
    are straight.
    """
    for n in nodes.values():
        for ends in (
            [nodes[e.source] for e in edges if e.target == n.id and not e.skip],
            [nodes[e.target] for e in edges if e.source == n.id and not e.skip],
        ):
            if len(ends) >= 3 and not n.round:
                low = min(m.c - m.across / 2 for m in ends)
                high = max(m.c + m.across / 2 for m in ends)
                n.c, n.across = (low + high) / 2, max(n.across, high - low)


def _along(
    layers: list[list[Node]],
    nodes: dict[str, Node],
    edges: list[Edge],
    gap: float,
    lane: float,
    extra: dict[int, float],
) -> None:
    """Ranks one after the other; a gap has room for its labels and for its lines across."""
    a = 0.0
    for r, layer in enumerate(layers):
        width = max(n.along for n in layer)
        for n in layer:
            n.a = a + width / 2
        bends = {
            e.source
            for e in edges
            if not e.skip
            and nodes[e.source].rank == r
            and not routes.enters_a_side(nodes[e.target], nodes[e.source].c)
            and routes.bends(nodes[e.source], nodes[e.chain[1]])
        }
        labels = [e.label + lane * len(bends) for e in edges if nodes[e.source].rank == r and e.label]
        a += (
            width
            + max([gap + lane * max(0, len(bends) - 1) + (lane if bends else 0), *labels])
            + extra.get(r, 0.0)
        )


def _framed(nodes: dict[str, Node], edges: list[Edge]) -> Plan:
    """Moved so that everything begins at (0, 0)."""
    a0 = min([n.a - n.along / 2 for n in nodes.values()] + [p[0] for e in edges for p in e.points])
    a1 = max([n.a + n.along / 2 for n in nodes.values()] + [p[0] for e in edges for p in e.points])
    c0 = min([n.c - n.across / 2 for n in nodes.values()] + [p[1] for e in edges for p in e.points])
    c1 = max([n.c + n.across / 2 for n in nodes.values()] + [p[1] for e in edges for p in e.points])
    for n in nodes.values():
        n.a, n.c = round(n.a - a0, 2), round(n.c - c0, 2)
    for e in edges:
        e.points = [(round(a - a0, 2), round(c - c0, 2)) for a, c in e.points]
    return Plan(nodes, edges, a1 - a0, c1 - c0)

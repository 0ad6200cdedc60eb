"""Boxes and arrows of a drawn network: along is where the data goes, across the other axis."""

from __future__ import annotations

from dataclasses import dataclass, field

Point = tuple[float, float]  # along, across


@dataclass
class Node:
    id: str
    along: float  # extent
    across: float
    round: bool = False  # a merge, which arrows may enter from the side
    even: bool = True  # as long as the others of its rank
    a: float = 0.0  # place of the centre
    c: float = 0.0
    rank: int = 0
    dummy: bool = False


@dataclass
class Edge:
    source: str
    target: str
    label: float = 0.0  # room along that its label needs
    skip: bool = False
    points: list[Point] = field(default_factory=list)
    chain: list[str] = field(default_factory=list)

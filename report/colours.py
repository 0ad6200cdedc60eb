"""Colours of series: the same label has the same colour in every figure of a document.

The parts of the data have fixed places in the palette. Every other label, in the order in which the document
shows them first, takes the first place that no label has which stands beside it in some figure; so two series
of one figure never look alike, and most figures need the first few colours only.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import TypeVar

from results.schema import Chart, Figure, Panels, Series, Table

FIXED = {"training": 0, "validation": 1, "test": 2}

Content = TypeVar("Content", bound=Table | Figure)


def labels(figure: Table | Figure) -> list[str]:
    """The labels of all series of a figure, each once."""
    return list(dict.fromkeys(series.label for series in _series(figure)))


def coloured(contents: Mapping[str, Content]) -> dict[str, Content]:
    """The figures (and tables, as they are) of a document with a colour for each series that has none."""
    given = {s.label: s.colour for c in contents.values() for s in _series(c) if s.colour is not None}
    chosen = _choose([labels(content) for content in contents.values()], given)
    return {name: with_colours(content, chosen) for name, content in contents.items()}


def places(figure: Table | Figure) -> dict[str, int]:
    """Label → place in the palette, of the series that have one."""
    return {series.label: series.colour for series in _series(figure) if series.colour is not None}


def _choose(figures: list[list[str]], given: Mapping[str, int]) -> dict[str, int]:
    beside: dict[str, set[str]] = {}
    for figure in figures:
        for label in figure:
            beside.setdefault(label, set()).update(figure)
    places = {label: FIXED[label.casefold()] for label in beside if label.casefold() in FIXED} | dict(given)
    for label, others in beside.items():
        if label not in places:
            taken = {places[other] for other in others if other in places}
            places[label] = next(place for place in count() if place not in taken)
    return places


def _series(content: Table | Figure) -> tuple[Series, ...]:
    if isinstance(content, Chart):
        return content.series
    if isinstance(content, Panels):
        return tuple(series for panel in content.panels for series in panel.series)
    return ()


def with_colours(content: Content, places: Mapping[str, int]) -> Content:
    """The figure with these colours for series that have none."""

    def changed(found: tuple[Series, ...]) -> tuple[Series, ...]:
        return tuple(
            series
            if series.colour is not None
            else series.model_copy(update={"colour": places.get(series.label)})
            for series in found
        )

    if isinstance(content, Chart):
        return content.model_copy(update={"series": changed(content.series)})
    if isinstance(content, Panels):
        panels = tuple(p.model_copy(update={"series": changed(p.series)}) for p in content.panels)
        return content.model_copy(update={"panels": panels})
    return content

"""A figure in small: its first panel as a drawing of 300 units across, with few words and no legend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from math import log10

from markupsafe import Markup, escape

from report.formatting import number
from results.schema import Chart, Figure, Panel, Panels, Series

WIDTH, ROW, MOST_ROWS, MOST_SERIES = 300.0, 19.0, 6, 4
LETTER = 6.8  # the width of one, at 12 units, on the safe side
LINE = 15.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 292.0, 20.0, 104.0


class NotSmall(Exception):
    """A figure that has no small form; the message says which have one."""


def thumbnail(figure: Figure) -> Markup:
    """An <svg> element. Raises NotSmall for pictures, heatmaps, networks and stacked bars."""
    panel = figure.panels[0] if isinstance(figure, Panels) else figure
    if not isinstance(figure, Chart | Panels) or not isinstance(panel, Panel) or panel.kind == "stacked bar":
        raise NotSmall(f"a {figure.kind} has no small form; name a bar, interval, line, roc or scatter chart")
    parts, height = _rows(panel) if panel.x.categories else _curves(panel)
    return Markup(
        f'<svg class="small" viewBox="0 0 {WIDTH:g} {height:g}" role="img">'
        f"<title>{escape(figure.alt)}</title>{''.join(parts)}</svg>"
    )


def _scale(values: Sequence[float], log: bool, start: float, end: float) -> Callable[[float], float]:
    if log:
        least = min(value for value in values if value > 0)
        inner = _scale([log10(max(least, value)) for value in values], False, start, end)
        return lambda value: inner(log10(max(least, value)))
    low, high = min(values), max(values)
    return lambda value: start + (end - start) * (value - low) / ((high - low) or 1)


def _rows(panel: Panel) -> tuple[list[str], float]:
    """A row a category: bars from zero, or points with their intervals."""
    shown = min(MOST_ROWS, len(panel.x.categories))
    names = [_short(name) for name in panel.x.categories[:shown]]
    left = 8 + LETTER * max(map(len, names))
    bars = panel.kind == "bar"
    log = panel.y.scale == "log"
    points = [
        (n, int(x), y, *(ends[i] if ends else y for ends in (series.low, series.high)))
        for n, series in enumerate(panel.series)
        for i, (x, y) in enumerate(zip(series.x, series.y, strict=True))
        if x < shown
    ]
    values = [value for point in points for value in point[2:]]
    place = _scale([*values, *([] if log and bars else [0.0])], log, left, 246.0 if bars else RIGHT)
    parts = [_word("word", left - 6, ROW * n + 14, name, "end") for n, name in enumerate(names)]
    if not bars:
        parts.append(f'<path class="grid" d="M{place(0):.1f} 2V{ROW * shown:.0f}"/>')
    thick = (ROW - 5) / len(panel.series)
    for series, row, y, low, high in points:
        colour = "a" if series == 0 else "b"
        top = ROW * row + 3 + series * thick
        if bars:
            width = max(1.0, place(y) - left)
            parts.append(
                f'<rect class="{colour}" x="{left:.1f}" y="{top:.1f}" '
                f'width="{width:.1f}" height="{thick - 1:.1f}"/>'
            )
            if len(panel.series) == 1:
                parts.append(_word("tick", left + width + 5, top + 11, number(y)))
        else:
            middle = top + thick / 2
            parts.append(
                f'<path class="line {colour}" d="M{place(low):.1f} {middle:.1f}H{place(high):.1f}"/>'
            )
            parts.append(f'<circle class="{colour}" cx="{place(y):.1f}" cy="{middle:.1f}" r="3.5"/>')
    height = ROW * shown + 4
    if bars and len(panel.series) > 1:
        return [*parts, *_key(panel.series, height + 12)], height + 8 + LINE * len(panel.series)
    if not bars:
        low, high = min(values), max(values)
        parts += [
            _word("tick", place(value), height + 10, _round(value), anchor)
            for value, anchor in ((low, "start"), (0.0, "middle"), (high, "end"))
            if value in (low, high) or min(abs(place(0) - place(end)) for end in (low, high)) > 45
        ]
        height += 16
    return parts, height


def _curves(panel: Panel) -> tuple[list[str], float]:
    series = panel.series[:MOST_SERIES]
    across = _scale([x for one in series for x in one.x], panel.x.scale == "log", LEFT, RIGHT)
    down = _scale([y for one in series for y in one.y], panel.y.scale == "log", BOTTOM, TOP)
    parts = [f'<path class="grid" d="M{LEFT:g} {TOP:g}H{RIGHT:g}M{LEFT:g} {BOTTOM:g}H{RIGHT:g}"/>']
    for n, one in enumerate(series):
        points = (
            sorted(zip(one.x, one.y, strict=True))
            if panel.kind == "scatter"
            else zip(one.x, one.y, strict=True)
        )
        path = "L".join(f"{across(x):.1f} {down(y):.1f}" for x, y in points)
        parts.append(f'<path class="line {_colour(n)}" d="M{path}"/>')
    ys = [y for one in series for y in one.y]
    xs = [x for one in series for x in one.x]
    parts += [_word("tick", LEFT - 4, down(y) + 4, _round(y), "end") for y in (min(ys), max(ys))]
    parts += [
        _word("tick", across(min(xs)), BOTTOM + 15, _round(min(xs))),
        _word("tick", (LEFT + RIGHT) / 2, BOTTOM + 15, panel.x.label, "middle"),
        _word("tick", across(max(xs)), BOTTOM + 15, _round(max(xs)), "end"),
    ]
    return [*parts, *_key(series, BOTTOM + 34)], BOTTOM + 24 + LINE * len(series)


def _key(series: Sequence[Series], y: float) -> list[str]:
    """The names of series, each behind a piece of its line: side by side, or below each other if too long."""
    names = [_short(one.label) for one in series]
    if len(names) == 1:
        return [_word("tick", LEFT, y, names[0])]
    starts = list(accumulate((24 + LETTER * len(name) for name in names), initial=0.0))
    places = (
        [(x, y) for x in starts] if starts[-1] <= WIDTH else [(0.0, y + LINE * n) for n in range(len(names))]
    )
    parts = []
    for n, (name, (x, down)) in enumerate(zip(names, places, strict=False)):
        parts.append(f'<path class="line {_colour(n)}" d="M{x:.1f} {down - 4:.1f}h12"/>')
        parts.append(_word("tick", x + 16, down, name))
    return parts


def _colour(n: int) -> str:
    return "abcd"[n]


def _word(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    end = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{end}>{escape(text)}</text>'


def _round(value: float) -> str:
    return number(float(f"{value:.2g}"))


def _short(name: str, most: int = 22) -> str:
    flat = " ".join(name.split())
    return flat if len(flat) <= most else f"{flat[: most - 1].rstrip()}…"

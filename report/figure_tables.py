"""The numbers of a figure as a table: for readers, for files and for the script."""

from __future__ import annotations

from collections.abc import Sequence

from report.colours import labels
from report.figures.interval_plots import places as row_places
from results.schema import Axis, Column, Figure, Heatmap, Network, Panel, Panels, Pictures, Row, Scalar, Table


def figure_table(figure: Figure) -> tuple[Table, tuple[float, ...]]:
    """The numbers of a figure as a table, and the place of each row on the axis of positions.

    A chart has a row for each x (points that share an x within a series take further rows) and a column for
    each series, key "y0", "y1", … in the order of the figure; of several panels with one x, "p0y0", "p1y0", …
    Panels that differ in x have their rows below each other, and no places. A heatmap has a row for each of
    its rows, and pictures one for each of their boxes.
    """
    if isinstance(figure, Pictures):
        return _boxes(figure), ()
    if isinstance(figure, Network):
        return _blocks(figure), ()
    if isinstance(figure, Heatmap):
        return _matrix(figure)
    if isinstance(figure, Panels):
        if any(panel.x != figure.panels[0].x for panel in figure.panels):
            return _panel_rows(figure), ()
        order = labels(figure)
        named = [
            (f"p{n}", f"{panel.title or panel.y.label}: ", [order.index(s.label) for s in panel.series])
            for n, panel in enumerate(figure.panels)
        ]
        return _points(figure.caption, figure.panels, named)
    return _points(figure.caption, [figure], [("", "", list(range(len(figure.series))))])


def _points(
    caption: str, panels: Sequence[Panel], named: Sequence[tuple[str, str, list[int]]]
) -> tuple[Table, tuple[float, ...]]:
    """named: for each panel how keys and labels of its columns begin, and the numbers of its series."""
    by_place: dict[tuple[float, int], dict[str, Scalar]] = {}
    axis = panels[0].x
    columns = [_axis_column(axis)]
    for panel, (prefix, words, numbers) in zip(panels, named, strict=True):
        for n, series in zip(numbers, panel.series, strict=True):
            ends = ["low", "high"] if series.low and series.high else []
            keys = [f"{prefix}{kind}{n}" for kind in ("y", *ends)]
            titles = [f"{words}{series.label}", *(f"{words}{series.label}, {end}" for end in ends)]
            columns += [_numbers(key, title, panel.y.unit) for key, title in zip(keys, titles, strict=True)]
            seen: dict[float, int] = {}
            for index, x in enumerate(series.x):
                seen[x] = seen.get(x, 0) + 1
                cells = by_place.setdefault((x, seen[x]), {"x": _name(axis, x)})
                for key, values in zip(keys, (series.y, series.low, series.high), strict=False):
                    cells[key] = values[index]
    places = sorted(by_place)
    rows = tuple(Row(cells=by_place[place]) for place in places)
    at = tuple(x for x, _ in places)
    if panels[0].kind == "interval":
        down = row_places(axis)
        at = tuple(down[int(x)] for x in at)
    return Table(caption=caption, columns=tuple(columns), rows=rows), at


def _panel_rows(figure: Panels) -> Table:
    """The points of panels that differ in x: a row for each, under the name of its panel."""
    order = labels(figure)
    names = list(dict.fromkeys(panel.x.label for panel in figure.panels))
    columns = [_words("panel", "Panel"), _words("x", " / ".join(names))]
    columns += [_numbers(f"y{n}", label, "") for n, label in enumerate(order)]
    rows = []
    for n, panel in enumerate(figure.panels):
        found, _ = _points("", [panel], [("", "", [order.index(series.label) for series in panel.series])])
        for row in found.rows:
            kept = {key: value for key, value in row.cells.items() if not key.startswith(("low", "high"))}
            rows.append(Row(cells={"panel": panel.title or str(n + 1), **kept}))
    return Table(caption=figure.caption, columns=tuple(columns), rows=tuple(rows))


def _axis_column(axis: Axis) -> Column:
    return _words("x", axis.label) if axis.categories else _numbers("x", axis.label, axis.unit)


def _name(axis: Axis, x: float) -> str | float:
    names = axis.categories
    return names[int(x)] if names and x.is_integer() and 0 <= x < len(names) else x


def _matrix(figure: Heatmap) -> tuple[Table, tuple[float, ...]]:
    width = range(len(figure.values[0]))
    across = figure.x.categories or tuple(str(n) for n in width)
    down = figure.y.categories or tuple(str(n) for n in range(len(figure.values)))
    columns = (
        _words("x", f"{figure.y.label} / {figure.x.label}"),
        *(_numbers(f"y{n}", across[n], "") for n in width),
    )
    rows = tuple(
        Row(cells={"x": name, **{f"y{n}": value for n, value in enumerate(values)}})
        for name, values in zip(down, figure.values, strict=True)
    )
    return Table(caption=figure.value_label, columns=columns, rows=rows, notes=()), tuple(
        map(float, range(len(rows)))
    )


def _blocks(figure: Network) -> Table:
    """The blocks of a drawn network, with their exact counts."""
    columns = [_words("block", "Block"), Column(key="output", label="Output", type="shape")]
    for key, label in (("parameters", "Parameters"), ("macs", "MACs")):
        if any(getattr(block, key) is not None for panel in figure.panels for block in panel.blocks):
            columns.append(Column(key=key, label=label, type="integer"))
    if len(figure.panels) > 1:
        columns.insert(0, _words("panel", "Network"))
    keys = [column.key for column in columns]
    rows = []
    for panel in figure.panels:
        for block in panel.blocks:
            cells: dict[str, Scalar] = {
                "panel": panel.title,
                "block": block.label.replace("\n", " ") or "sum",
                "output": "×".join(map(str, block.shape)) or None,
                "parameters": block.parameters,
                "macs": block.macs,
            }
            rows.append(Row(cells={key: cells[key] for key in keys}))
    return Table(caption=figure.caption, columns=tuple(columns), rows=tuple(rows))


def _boxes(figure: Pictures) -> Table:
    """The boxes drawn, or the titles of pictures without any."""
    titles = [picture.title or str(number) for number, picture in enumerate(figure.pictures, start=1)]
    rows = [
        Row(
            cells={
                "picture": title,
                "style": dict(figure.legend).get(box.style, box.style),
                **box.model_dump(include={"label", "row", "column", "width", "score"}),
            }
        )
        for title, picture in zip(titles, figure.pictures, strict=True)
        for box in picture.boxes
    ]
    columns = [_words("picture", "Picture")]
    if rows:
        columns += [_words("style", "Drawn as"), _words("label", "Label")]
        columns += [_numbers(key, key.capitalize(), "pixels") for key in ("row", "column", "width")]
        columns.append(_numbers("score", "Score", ""))
    return Table(
        caption=figure.caption,
        columns=tuple(columns),
        rows=tuple(rows or [Row(cells={"picture": title}) for title in titles]),
    )


def _numbers(key: str, label: str, unit: str) -> Column:
    return Column(key=key, label=label, type="number", unit=unit, format="")


def _words(key: str, label: str) -> Column:
    return Column(key=key, label=label, type="text", format="")

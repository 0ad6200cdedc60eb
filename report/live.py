"""Live figures: a place for a script that begins at the numbers of a result.

It stands below a table, or in the place of a figure's drawing, which stays where there is no script.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from markupsafe import Markup

from report.document import Item
from results.schema import Estimate, Panels, Result


def _stack(result: Result) -> Any:
    """Width and channels of the input, and layers as filter, stride, dilation, padding, filters."""
    given = result.provenance.parameters
    layer = (given["filter"], given["stride"], 1, given["padding"], given["filters"])
    return [[given["width"], given["channels"]], [layer]]


def _memory(result: Result) -> Any:
    """Of every layer its name, the activations of one image, and the weights."""
    rows = (row.cells for row in result.tables["layers"].rows if row.kind == "body")
    return [(cells["layer"], cells["activations"], cells["weights"]) for cells in rows]


def _inception(result: Result) -> Any:
    """Of every module its name, the width and channels of its input, and its filters; the printed first."""
    table = result.tables["filters"]
    return [[row.cells[column.key] for column in table.columns] for row in table.rows]


def _precision(result: Result) -> Any:
    """The true boxes, the detections, best first, and what the conventions are called."""
    given = result.provenance.parameters
    place = ("image", "kind", "row", "column", "width")
    ranked = sorted(given["detections"], key=lambda one: -one["score"])
    return {
        "truth": [[one[key] for key in place] for one in given["truth"]],
        "detections": [[one[key] for key in (*place, "score")] for one in ranked],
        **{key: given[key] for key in ("shown", "threshold", "nothing")},
        "conventions": {c.key: c.label for c in result.tables["conventions"].columns[1:]},
    }


def _counters(result: Result) -> Any:
    """Of every network its name, our count, and of each program: name, unit, count, and reasons with amounts.

    A program that counts FLOPs counts every multiply–accumulate once more.
    """
    totals, differences = result.tables["totals"], result.tables["differences_by_network"]
    programs = [column for column in totals.columns if column.unit and column.key != "macs"]
    found = []
    for row in totals.rows:
        network, macs = row.cells["network"], row.cells["macs"]
        counts = []
        for program in programs:
            reasons: list[tuple[Any, Any]] = [
                (line.cells["reason"], line.cells["amount"])
                for line in differences.rows
                if (line.cells["network"], line.cells["counter"]) == (network, program.label)
                and line.cells["amount"]
            ]
            if program.unit == "FLOPs":
                reasons.insert(0, ("counts two FLOPs a multiply–accumulate", macs))
            counts.append([program.label, program.unit, row.cells[program.key], reasons])
        found.append([network, macs, counts])
    return found


def _rates(result: Result, domain: str = "") -> Any:
    """Of every setting its validation accuracy by epoch, and its results."""
    suffix = f"_{domain}" if domain else ""
    drawn = result.figures[f"courses{suffix}"]
    assert isinstance(drawn, Panels)
    curves = {
        f"{panel.title} {line.label}": [[x, round(y, 2)] for x, y in zip(line.x, line.y, strict=True)]
        for panel in drawn.panels
        for line in panel.series
    }
    settings = [row.cells for row in result.tables[f"results{suffix}"].rows]
    return [
        {
            "trained": cells["trained"],
            "rate": f"{cells['rate']:g}",
            "curve": curves[f"{cells['trained']} rate {cells['rate']:g}"],
            **{part: cells[part] for part in ("train", "validation", "test")},
        }
        for cells in settings
    ]


def _students(result: Result) -> Any:
    """What the teacher, the labelled images alone and every student reach, and the K that was chosen."""
    teacher, alone, *students = (row.cells for row in result.tables["results"].rows)
    best = result.metrics["best_k"].value
    return {"teacher": teacher["accuracy"], "alone": alone["accuracy"], "students": students, "best": best}


#: What a table or figure begins: the script, and the numbers that it begins at.
BEGINS: Mapping[str, tuple[str, Callable[[Result], Any]]] = {
    "architecture.convolution/filters": ("stack", _stack),
    "architecture.vgg19/layers": ("memory", _memory),
    "architecture.inception/branches": ("inception", _inception),
    "concepts.average_precision/curve": ("precision", _precision),
    "architecture.crosscheck/differences": ("counters", _counters),
    "transfer.learning_rates/courses": ("rates", _rates),
    "transfer.learning_rates/courses_signs": ("rates", partial(_rates, domain="signs")),
    "supervision.teacher_student/k": ("students", _students),
}
SHARED = "parts"
SCRIPTS = (SHARED, *sorted({script for script, _ in BEGINS.values()}))


def scripts(page: str) -> list[str]:
    """The scripts of the places on a page, in the order in which they are loaded."""
    used = [name for name in SCRIPTS if f'data-live="{name}"' in page]
    return [SHARED, *used] if used else []


def _values(estimate: Estimate) -> dict[str, Any]:
    return estimate.model_dump(exclude_none=True)


def block(item: Item, results: Mapping[str, Result]) -> Markup:
    """The place for the script of an item, empty where there is none; without a script it is not seen."""
    if item.target not in BEGINS:
        return Markup("")
    script, start = BEGINS[item.target]
    numbers = json.dumps(
        start(results[item.target.partition("/")[0]]), default=_values, separators=(",", ":")
    )
    place = '<div class="live" id="{}:live" data-live="{}" data-start="{}"></div>'
    return Markup(place).format(item.target, script, numbers)

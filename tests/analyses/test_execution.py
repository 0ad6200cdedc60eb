"""Finished cells survive an interruption and are not run again."""

from __future__ import annotations

import pytest

from analyses.execution import Progress, execute
from analyses.plugin import Analysis, Cell, Parameters, Summary
from results.schema import Metric
from results.store import Store


class CountingParameters(Parameters):
    cells: int = 3


class Counting(Analysis[CountingParameters]):
    """Counts how often each of its cells is run; the cell named in `breaks_at` is interrupted once."""

    id = "tests.counting"
    title = "Counting"
    question = "How often is each cell run?"
    libraries = ()

    def __init__(self, breaks_at: str = "") -> None:
        self.breaks_at = breaks_at
        self.runs: list[str] = []

    def parameters(self, profile):
        return CountingParameters()

    def plan(self, parameters):
        return [Cell(str(index), {"index": index}, seed=index) for index in range(parameters.cells)]

    def run(self, cell, context):
        self.runs.append(cell.id)
        context.report(0.5, "half")
        if cell.id == self.breaks_at:
            self.breaks_at = ""
            raise KeyboardInterrupt
        return {"index": cell.settings["index"]}

    def summarize(self, parameters, outcomes):
        return Summary({"sum": Metric(value=sum(o["index"] for o in outcomes.values()), title="Sum")})


def test_an_interrupted_run_is_taken_up_where_it_was(tmp_path):
    analysis, store = Counting(breaks_at="2"), Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        execute(analysis, "quick", analysis.parameters("quick"), store, jobs=1)
    assert not store.path(analysis.id, "quick").exists()
    result = execute(analysis, "quick", analysis.parameters("quick"), store, jobs=1)
    assert analysis.runs == ["0", "1", "2", "2"]
    assert result.metrics["sum"].value == 3
    assert not (tmp_path / "cells").exists()


def test_force_runs_every_cell_again(tmp_path):
    analysis, store = Counting(breaks_at="1"), Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        execute(analysis, "quick", analysis.parameters("quick"), store, jobs=1)
    execute(analysis, "quick", analysis.parameters("quick"), store, jobs=1, force=True)
    assert analysis.runs == ["0", "1", "0", "1", "2"]


def test_changed_parameters_repeat_no_cell_that_they_do_not_change(tmp_path):
    analysis, store = Counting(breaks_at="2"), Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        execute(analysis, "quick", analysis.parameters("quick"), store, jobs=1)
    execute(analysis, "custom", CountingParameters(cells=2), store, jobs=1)
    execute(analysis, "quick", analysis.parameters("quick"), store, jobs=1)
    assert analysis.runs == ["0", "1", "2", "2"]


def test_progress_says_what_runs_and_how_far_it_is(tmp_path):
    analysis, told = Counting(), list[Progress]()
    execute(analysis, "quick", analysis.parameters("quick"), Store(tmp_path), jobs=1, report=told.append)
    assert [(step.done, step.fraction) for step in told] == [
        (0, 0.0),
        (0, 0.5),
        (1, 0.0),
        (1, 0.5),
        (2, 0.0),
        (2, 0.5),
        (3, 0.0),
    ]


def test_provenance_records_seeds_parameters_and_code(tmp_path):
    analysis = Counting()
    found = execute(analysis, "quick", analysis.parameters("quick"), Store(tmp_path), jobs=1).provenance
    assert found.seeds == (0, 1, 2)
    assert found.parameters == {"cells": 3}
    assert __name__ in found.sources or any("test_execution" in name for name in found.sources)
    assert found.wall_seconds >= 0
    assert found.peak_memory_bytes > 1_000_000

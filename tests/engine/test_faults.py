"""What an author's analysis builds wrong is one sentence with its field, file and line."""

from __future__ import annotations

from typing import NoReturn

import pytest

from analyses.plugin import Analysis, Cell, Parameters, Summary
from engine.cells import CellCache
from engine.commands.common import escape
from engine.faults import AnalysisFailed, faults_of
from results.schema import Column, Metric, Row, Table
from results.store import Store


class Faulty(Analysis[Parameters]):
    id, title, question = "own.faulty", "Faulty", "What is wrong?"

    def parameters(self, profile):
        return Parameters()

    def run(self, cell, context):
        return {}

    def summarize(self, parameters, outcomes):
        return Summary({"n": outcomes["all"]["build"]()})


class Stopped(BaseException):
    """As of a library that means to end its program."""


class Silent(Exception):
    def __str__(self) -> str:
        raise LookupError


def raised(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (
            lambda: Metric(value="many", title="N"),
            r"value of Metric: .*valid integer or .*valid number, not 'many'",
        ),
        (lambda: Metric(value=1, tittle="N"), "Metric has no 'tittle'; did you mean title"),
        (lambda: Metric(value=1), "Metric lacks title"),
        (lambda: Metric(value=1, title="N", unit="", low=0.5), "Metric: an interval needs both of its ends"),
        (
            lambda: Table(caption="T", columns=(Column(key="a", label="A", typ="text"),), rows=()),
            "Column has no 'typ'",
        ),
        (lambda: Row(cells=3), "cells of Row: Input should be a valid dictionary"),
        (lambda: {}["none"], "KeyError: 'none'"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: raised(Stopped("all of it")), "Stopped: all of it"),
        (lambda: raised(Silent()), "Silent: an error that cannot be put into words, for LookupError"),
        (lambda: raised(ValueError("x" * 10**6)), rf"ValueError: {'x' * 1000} … \("),
    ],
)
def test_a_fault_is_named_with_its_field_file_and_line(build, complaint) -> None:
    analysis, said = Faulty(), rf"own\.faulty failed in its summary: {complaint}"
    with pytest.raises(AnalysisFailed, match=said) as refused, faults_of(analysis, "its summary"):
        analysis.summarize(Parameters(), {"all": {"build": build}})
    assert f"({__file__}:" in str(refused.value) and "\n" not in str(refused.value)


def test_a_terminal_is_told_nothing_by_names_and_errors_of_others() -> None:
    assert escape("a\x1b]0;b\x07 [red] c\td\x9b1m 猫") == "a\ufffd]0;b\ufffd \\[red] c\td\ufffd1m 猫"


def test_settings_that_cannot_be_recorded_are_named_with_their_cell(tmp_path) -> None:
    cache = CellCache(Faulty(), "full", Store(tmp_path), {})
    with pytest.raises(AnalysisFailed, match=r"the settings of cell day/1: TypeError: a set is neither"):
        cache.key(Cell("day/1", {"days": {1, 2}}))

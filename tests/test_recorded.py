"""What is recorded in this repository is what today's code makes of it: the safety net of every change.

Nothing is trained, and no data is read. Where a test fails, `python runner.py build` summarizes again; commit
what it writes, or record the experiment anew.
"""

from __future__ import annotations

import pytest

import analyses
from analyses.plugin import Cell
from engine.cells import measured_with
from engine.freshness import cell_key
from results.schema import Outcomes, Result
from results.store import Store
from tests.conftest import ROOT

#: Experiments that wait to be recorded anew, because the code that measures has moved on since; and why.
STALE: dict[str, str] = {}

RECORDED = Store(ROOT / "results")
EXPERIMENTS = [
    name for name, profile in RECORDED.recorded() if profile == "full" and not analyses.get(name).analytic
]
PARTS = ("metrics", "tables", "figures", "findings")


def recorded(identifier: str) -> tuple[Result, Outcomes]:
    outcomes = RECORDED.read_outcomes(identifier, "full")
    assert outcomes is not None, f"{identifier} has a result and no outcomes"
    return RECORDED.read(identifier, "full"), outcomes


def of_another_version(identifier: str, result: Result) -> bool:
    return result.provenance.analysis_version != analyses.get(identifier).version


def lost(identifier: str, outcomes: Outcomes) -> list[str]:
    """The recorded cells that a run would measure again."""
    analysis = analyses.get(identifier)
    fingerprints = {name: dataset.fingerprint for name, dataset in outcomes.datasets.items()}
    return [
        record.id
        for record in outcomes.cells
        if record.key
        not in {
            cell_key(analysis, Cell(record.id, record.settings, record.seed), fingerprints, *how)[:32]
            for how in measured_with([outcomes])
        }
    ]


@pytest.mark.parametrize("identifier", EXPERIMENTS)
def test_a_result_is_what_todays_code_makes_of_the_outcomes_beside_it(identifier: str) -> None:
    result, outcomes = recorded(identifier)
    if of_another_version(identifier, result):
        assert identifier in STALE, f"{identifier} was recorded by another version, and is not named as stale"
        pytest.skip(f"{identifier} is stale: {STALE[identifier]}")
    analysis = analyses.get(identifier)
    parameters = type(analysis.parameters("full")).model_validate(result.provenance.parameters)
    summary = analysis.summarize(parameters, {cell.id: cell.outcome for cell in outcomes.cells})
    now = {part: dict(getattr(summary, part)) for part in PARTS}
    before = {part: getattr(result, part) for part in PARTS}
    other = [
        f"{part} {name}"
        for part in PARTS
        for name in sorted({*now[part], *before[part]})
        if now[part].get(name) != before[part].get(name)
    ]
    assert other == [], f"{identifier} is no longer what was recorded"


@pytest.mark.parametrize("identifier", EXPERIMENTS)
def test_no_recorded_cell_would_be_measured_again(identifier: str) -> None:
    if identifier in STALE:
        pytest.skip(f"{identifier} is stale: {STALE[identifier]}")
    assert lost(identifier, recorded(identifier)[1]) == []


def test_what_is_named_as_stale_is_stale() -> None:
    wrongly = [
        identifier
        for identifier in STALE
        if not of_another_version(identifier, recorded(identifier)[0])
        and not lost(identifier, recorded(identifier)[1])
    ]
    assert wrongly == []

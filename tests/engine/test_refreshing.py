"""A build brings results up to date without measuring, and passes over what cannot have changed."""

from __future__ import annotations

import re

import pytest

import analyses
from engine.execution import execute
from engine.freshness import freshness
from engine.refreshing import refresh
from results.store import Store
from tests.analyses.experiments import Trial, TrialParameters


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVSTUDY_CACHE", str(tmp_path / "cache"))
    return Store(tmp_path / "results")


def only(monkeypatch, analysis):
    """As if there were no other."""
    monkeypatch.setattr(analyses, "identifiers", lambda: [analysis.id])
    monkeypatch.setattr(analyses, "get", lambda identifier: analysis)


def outdated(store, identifier):
    """The result as an earlier state of the code summarized it."""
    result = store.read(identifier, "full")
    older = result.provenance.model_copy(update={"cache_key": "0", "sources": {}})
    store.write(result.model_copy(update={"provenance": older, "metrics": {}}))
    return result


def refreshed(store):
    return refresh(store, lambda progress: None)


class Protocol(Trial):
    """Its full profile has more seeds than were recorded."""

    def parameters(self, profile):
        return TrialParameters(seeds=5)


def test_what_was_measured_by_an_earlier_protocol_is_summarized_with_that(store, tmp_path, monkeypatch):
    analysis = Protocol()
    only(monkeypatch, analysis)
    earlier = TrialParameters(folder=str(tmp_path), seeds=2)
    execute(analysis, "full", earlier, store, jobs=1)
    outcomes = store.outcomes_path(analysis.id, "full").read_bytes()
    before = outdated(store, analysis.id)
    assert refreshed(store).recorded == [analysis.id]
    after = store.read(analysis.id, "full")
    assert (after.metrics, after.provenance.parameters) == (before.metrics, before.provenance.parameters)
    assert store.outcomes_path(analysis.id, "full").read_bytes() == outcomes
    found = freshness(analysis, "full", analysis.parameters("full"), store)
    assert found.state == "stale"
    assert "the parameter seeds is 5, it was 2" in found.reasons
    assert refreshed(store).recorded == []


def test_a_plan_with_more_cells_leaves_the_result_stale(store, tmp_path, monkeypatch):
    class Widened(Trial):
        """Its code plans another cell, with the same parameters."""

        def parameters(self, profile):
            return TrialParameters(folder=str(tmp_path))

        def plan(self, parameters):
            return super().plan(parameters.model_copy(update={"seeds": 4}))

    execute(Trial(), "full", TrialParameters(folder=str(tmp_path)), store, jobs=1)
    outdated(store, "tests.trial")
    analysis = Widened()
    only(monkeypatch, analysis)
    assert refreshed(store).recorded == [analysis.id]
    assert store.read(analysis.id, "full").metrics["sum"].value == 3
    found = freshness(analysis, "full", analysis.parameters("full"), store)
    assert (found.state, found.reasons) == ("stale", ("its plan has cells that were never measured",))
    assert refreshed(store).recorded == []


def test_what_its_code_can_no_longer_summarize_stays_as_it_was_recorded(store, tmp_path, monkeypatch):
    analysis = Protocol()
    only(monkeypatch, analysis)
    execute(analysis, "full", TrialParameters(folder=str(tmp_path), seeds=2), store, jobs=1)
    outdated(store, analysis.id)
    monkeypatch.setattr(Protocol, "summarize", lambda *_: 1 / 0)
    done = refreshed(store)
    assert (done.recorded, done.problems) == ([], [])
    (notice,) = done.notices
    said = (
        "the full result of tests.trial stays as it was recorded: tests.trial failed in its summary: "
        "ZeroDivisionError: division by zero"
    )
    assert re.fullmatch(rf"{re.escape(said)} \({re.escape(__file__)}:\d+\)", notice)


def test_what_cannot_have_changed_is_not_looked_at(store, monkeypatch):
    analysis = analyses.get("architecture.lenet")
    only(monkeypatch, analysis)
    looked = []
    monkeypatch.setattr(analyses, "get", lambda identifier: looked.append(identifier) or analysis)
    assert refreshed(store).recorded == [analysis.id]
    assert refreshed(store).recorded == []
    assert len(looked) == 2
    assert refreshed(store).recorded == []
    assert len(looked) == 2

    store.path(analysis.id, "full").unlink()
    assert refreshed(store).recorded == [analysis.id]
    assert len(looked) == 3


def test_what_an_analysis_gets_wrong_is_named_and_the_others_are_refreshed(store, monkeypatch):
    class Wrong(Trial):
        id = "tests.wrong"

        def parameters(self, profile):
            raise KeyError("profile")

    lenet = analyses.get("architecture.lenet")
    chosen = {"tests.wrong": Wrong(), lenet.id: lenet}
    monkeypatch.setattr(analyses, "identifiers", lambda: list(chosen))
    monkeypatch.setattr(analyses, "get", chosen.__getitem__)
    done = refreshed(store)
    (problem,) = done.problems
    said = "tests.wrong failed in its parameters: KeyError: 'profile'"
    assert re.fullmatch(rf"{re.escape(said)} \({re.escape(__file__)}:\d+\)", problem)
    assert done.recorded == [lenet.id]

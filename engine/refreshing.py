"""What a build does before it prints: run analytic analyses that are missing or stale, and summarize again
the experiments whose code changed. Nothing is measured.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import analyses
from analyses.plugin import Analysis, Parameters
from engine.cells import CellCache
from engine.faults import AnalysisFailed, faults_of
from engine.freshness import Freshness, earlier_plan_key, freshness, libraries
from engine.sources import cache_file, file_of, keep_in_cache, sources
from results.store import Profile, ResultError, Store, digest

#: Beside an analysis's own: what decides whether something is to be done for it.
MACHINERY = tuple(
    sorted(
        file
        for folder in ("engine", "results")
        for file in (Path(__file__).resolve().parents[1] / folder).rglob("*.py")
    )
)


@dataclass
class Refreshed:
    """Ids of what was recorded; a sentence for each that could not be, and for each that stays as it was."""

    recorded: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def profiles_of(analysis: Analysis[Any]) -> tuple[Profile, ...]:
    """Those that an analysis has results of."""
    return ("full",) if analysis.analytic else ("full", "quick")


def parameters_of(analysis: Analysis[Any], profile: Profile) -> Parameters:
    """Its choices under a profile; AnalysisFailed where its code cannot say them."""
    with faults_of(analysis, "its parameters"):
        chosen = analysis.parameters("quick" if profile == "quick" else "full")
        if not isinstance(chosen, Parameters):
            raise TypeError(f"parameters gave {type(chosen).__name__}, not Parameters")
        return chosen


def refresh(store: Store, report: Any, only: Collection[str] | None = None) -> Refreshed:
    """Bring the results, or those of these analyses, up to date as far as that takes seconds."""
    done = Refreshed(notices=analyses.clashes())
    settled = Settled(store)
    for identifier in analyses.identifiers():
        if only is not None and identifier not in only:
            continue
        if settled.holds(identifier):
            continue
        try:
            analysis = analyses.get(identifier)
            before = len(done.recorded) + len(done.problems) + len(done.notices)
            for profile in profiles_of(analysis):
                _refresh_one(analysis, profile, store, report, done)
            if before == len(done.recorded) + len(done.problems) + len(done.notices):
                settled.add(analysis)
        except analyses.BrokenPlugin as error:  # a section that needs it says so too
            (done.notices if only is None else done.problems).append(str(error))
        except (AnalysisFailed, ResultError) as error:
            done.problems.append(str(error))
    settled.save()
    return done


def _refresh_one(
    analysis: Analysis[Any], profile: Profile, store: Store, report: Any, done: Refreshed
) -> None:
    parameters = parameters_of(analysis, profile)
    found = freshness(analysis, profile, parameters, store, data=False)
    if found.state == "stale" or (found.state == "missing" and analysis.analytic):
        if analysis.analytic:
            from engine.execution import execute

            with CellCache(analysis, profile, store, {}).alone(wait=True):
                if freshness(analysis, profile, parameters, store).state == "fresh":
                    return  # another build has just made it
                execute(analysis, profile, parameters, store, device="meta", report=report)
            done.recorded.append(analysis.id)
        elif _summarize(analysis, profile, parameters, found, store, done):
            done.recorded.append(analysis.id)


def _summarize(
    analysis: Analysis[Any],
    profile: Profile,
    parameters: Parameters,
    found: Freshness,
    store: Store,
    done: Refreshed,
) -> bool:
    """Summarize kept cells with the parameters of today; where today's plan was never measured, those of the
    recorded result with the parameters of then, so that it holds what today's code says of them."""
    from engine.execution import Busy, Unmeasured, summarize_again, summarize_recorded

    with suppress(Busy, Unmeasured):  # expensive, or on its way: for `run` only
        summarize_again(analysis, profile, parameters, store)
        return True
    assert found.result is not None
    recorded = found.result.provenance
    if recorded.analysis_version != analysis.version:
        return False
    if recorded.cache_key == earlier_plan_key(analysis, recorded.parameters):
        return False
    try:
        with faults_of(analysis, "its parameters as they were recorded"):
            then = type(parameters).model_validate(recorded.parameters)
        summarize_recorded(analysis, found.result, then, store)
    except (Busy, Unmeasured):
        return False
    except AnalysisFailed as error:
        done.notices.append(f"the {profile} result of {analysis.id} stays as it was recorded: {error}")
        return False
    return True


class Settled:
    """Analyses for which nothing is to be done while the files and libraries that this rests on are the same:
    they need not even be imported. Those of third parties are always looked at."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.file = cache_file("settled", str(store.root.resolve()))
        self.known: dict[str, Any] = {}
        self.found: dict[str, Any] = {}
        self._hashes: dict[str, str] = {}
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            kept = json.loads(self.file.read_bytes())
            if kept["hash"] == digest(kept["analyses"]):
                self.known = kept["analyses"]

    def holds(self, identifier: str) -> bool:
        known = self.known.get(identifier)
        if not known or self._beside(identifier):
            return False
        same = all(self._hash(path) == expected for path, expected in known["files"].items())
        if same and known["libraries"] == libraries(known["libraries"]) and known["python"] == _python():
            self.found[identifier] = known
            return True
        return False

    def add(self, analysis: Analysis[Any]) -> None:
        module = file_of(type(analysis).__module__)
        if not type(analysis).__module__.startswith("analyses.") or module is None:
            return
        if self._beside(analysis.id):
            return
        code = [file for file in map(file_of, sources(analysis)) if file]
        data = [file for file in module.parent.iterdir() if file.is_file() and file.suffix != ".py"]
        store, profiles = self.store, get_args(Profile)
        kept = [store.path(analysis.id, profile) for profile in profiles]
        kept += [store.outcomes_path(analysis.id, profile) for profile in profiles]
        contract = [file for name in ("analyses", "analyses.plugin") if (file := file_of(name))]
        self.found[analysis.id] = {
            "files": {
                str(file): self._hash(str(file)) for file in (*MACHINERY, *contract, *code, *data, *kept)
            },
            "libraries": libraries(analysis.libraries if analysis.analytic else ()),
            "python": _python(),
        }

    def save(self) -> None:
        if self.found != self.known:
            with suppress(OSError):  # then all is looked at again
                keep_in_cache(self.file, {"hash": digest(self.found), "analyses": self.found})

    def _beside(self, identifier: str) -> bool:
        """Whether a run of it goes on, or left something."""
        return (self.store.root / "cells" / identifier).exists()

    def _hash(self, path: str) -> str:
        if path not in self._hashes:
            try:
                self._hashes[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            except OSError:
                self._hashes[path] = ""
        return self._hashes[path]


def _python() -> str:
    return platform.python_version()

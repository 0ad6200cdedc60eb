"""Is a recorded result still the one that today's code would make? Answered without importing torch.

A cache key is taken of the code that computes (this project's modules that the analysis imports, without
comments and docstrings), of the parameters, and for analytic analyses of the library versions too.

The outcomes of an experiment's cells are expensive. A cell is keyed by the analysis's id and `version`, by
its settings and seed, by the data, and by the modules of `lab` alone: what is changed in `analyses`
summarizes the same outcomes again. Shared machinery in `lab` declares `REVISION = n` at the top of a module,
or of a package's `__init__` for all of it; it then counts by that number, to be raised when what it computes
changes; at revision 1 not at all, so that a new network, say, repeats no training of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from analyses.plugin import Analysis, Cell, Parameters
from engine.sources import sources
from results.schema import Result
from results.store import MissingResult, Profile, ResultError, Store, digest

FIRST = 1  # the revision at which a module of `lab` does not decide a cell


@cache
def library_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def libraries(names: Iterable[str]) -> dict[str, str]:
    """The installed version of each."""
    return {name: library_version(name) for name in names}


def source_hash(analysis: Analysis[Any]) -> str:
    return digest(sources(analysis))


def cache_key(analysis: Analysis[Any], parameters: Parameters) -> str:
    """Hash of all that decides the outcome. An experiment's libraries are recorded, not keyed: a result
    measured on another machine stays a result."""
    return digest(
        {
            "analysis": analysis.id,
            "version": analysis.version,
            "source": source_hash(analysis),
            "parameters": parameters.model_dump(mode="json"),
            "libraries": libraries(analysis.libraries) if analysis.analytic else {},
        }
    )


def earlier_plan_key(analysis: Analysis[Any], parameters: Mapping[str, Any]) -> str:
    """The cache key of a result that today's code summarized from the cells of an earlier plan, of the
    parameters that were recorded: it is never fresh."""
    return digest(
        {"earlier plan": dict(parameters), "version": analysis.version, "source": source_hash(analysis)}
    )


def device_class(device: str) -> str:
    """ "cpu", "mps" or "cuda", of what torch or a record calls a device; records have the names of GPUs."""
    return device if device in ("cpu", "mps") else "cuda"


def cell_key(
    analysis: Analysis[Any],
    cell: Cell,
    fingerprints: Mapping[str, str],
    device: str = "cpu",
    threads: int = 1,
) -> str:
    """Hash of all that decides the outcome of one cell. `fingerprints`: data set → hash of its content.

    Arithmetic is another one on another class of device, and with other threads; a CPU and one thread are
    what is understood.
    """
    modules = sources(analysis)
    if not analysis.analytic:
        modules = {
            name: code
            for name, code in modules.items()
            if name.split(".")[0] == "lab" and code != f"revision {FIRST}"
        }
    computed_with: dict[str, Any] = {}
    if not analysis.analytic and device_class(device) != "cpu":
        computed_with["device"] = device_class(device)
    if not analysis.analytic and threads != 1:
        computed_with["threads"] = threads
    return digest(
        {
            **computed_with,
            "analysis": analysis.id,
            "version": analysis.version,
            "source": modules,
            "settings": cell.recorded_settings(),
            "seed": cell.seed,
            "cell": cell.id if analysis.analytic else "",
            "data": dict(fingerprints),
            "libraries": libraries(analysis.libraries) if analysis.analytic else {},
        }
    )


@dataclass(frozen=True)
class Freshness:
    """Whether a recorded result would be made again, and why."""

    state: Literal["fresh", "stale", "missing", "refused"]
    reasons: tuple[str, ...]
    result: Result | None = None


def freshness(
    analysis: Analysis[Any], profile: Profile, parameters: Parameters, store: Store, *, data: bool = True
) -> Freshness:
    """How the result of a profile stands. `data`: also compare the data sets that are on this machine."""
    try:
        result = store.read(analysis.id, profile)
    except MissingResult as error:
        return Freshness("missing", (error.problem,))
    except ResultError as error:
        return Freshness("refused", (error.problem,))
    other_data = tuple(_other_data(result, analysis, parameters)) if data else ()
    if result.provenance.cache_key == cache_key(analysis, parameters) and not other_data:
        return Freshness("fresh", (), result)
    reasons = (*other_data, *_differences(result, analysis, parameters))
    return Freshness("stale", reasons or ("its plan has cells that were never measured",), result)


def _other_data(result: Result, analysis: Analysis[Any], parameters: Parameters) -> Iterator[str]:
    """Where the data here is not what the result was measured on; data that is not here is passed over."""
    from lab.datasets import DataError, locate

    measured = {dataset.fingerprint for dataset in result.provenance.datasets}
    for name in analysis.datasets(parameters):
        try:
            found = locate(name)
        except DataError:
            continue
        if found.fingerprint not in measured:
            yield f"the data set {name} in {found.release.path} is not the one that was measured on"


def _differences(result: Result, analysis: Analysis[Any], parameters: Parameters) -> Iterator[str]:
    recorded = result.provenance
    if recorded.analysis_version != analysis.version:
        yield f"the analysis is version {analysis.version}, the result of version {recorded.analysis_version}"
    now = sources(analysis)
    for name in sorted({*now, *recorded.sources}):
        if name not in recorded.sources:
            yield f"the code now uses {name}"
        elif name not in now:
            yield f"the code no longer uses {name}"
        elif now[name] != recorded.sources[name]:
            yield f"the code of {name} changed"
    parameters_now = parameters.model_dump(mode="json")
    for key in sorted({*parameters_now, *recorded.parameters}):
        before, after = recorded.parameters.get(key), parameters_now.get(key)
        if before != after:
            yield f"the parameter {key} is {after!r}, it was {before!r}"
    if analysis.analytic:
        for name, installed in libraries(analysis.libraries).items():
            if recorded.libraries.get(name) != installed:
                yield f"{name} is {installed}, it was {recorded.libraries.get(name, 'not recorded')}"

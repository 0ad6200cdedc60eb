"""Running an analysis: its plan of cells, each kept as it ends, and the Result that they are summarized to.

An interrupted run loses at most the cells it was in, and these go on from their checkpoints. The outcomes
of an experiment stay beside its Result, so that it can be summarized again, or widened, without measuring
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from analyses.plugin import Analysis, Cell, Outcome, Parameters, Summary
from engine import cells, workers
from engine.cells import Busy, CellCache
from engine.cluster import Cluster, ClusterError, run_on
from engine.faults import AnalysisFailed, faults_of
from engine.freshness import cache_key, earlier_plan_key, source_hash
from engine.sources import sources
from results.schema import CellRecord, Dataset, Provenance, Result
from results.store import Profile, ResultError, Store
from results.text import listing

__all__ = [
    "AnalysisFailed",
    "Busy",
    "Cluster",
    "ClusterError",
    "Progress",
    "Unmeasured",
    "execute",
    "measured",
    "summarize_again",
    "summarize_recorded",
]


@dataclass(frozen=True)
class Progress:
    """How far an analysis is: `done` of `cells` are finished, and `shares` are how much of those in hand is.

    `message` is of `cell`; it is the cell's id when that begins.
    """

    analysis: str
    cells: int
    done: int
    shares: Mapping[str, float]  # by id
    cell: str
    message: str
    waiting: Sequence[str] = ()  # the ids of the cells that no process has begun
    recorded: Sequence[Mapping[str, float]] = ()  # seconds of cells measured earlier by id, likest first

    @property
    def fraction(self) -> float:
        """What is done of cells in hand, in cells."""
        return sum(self.shares.values())


class Unmeasured(RuntimeError):
    """Some cells have no outcome yet, and none was to be measured: `measured` of `planned` so far have."""

    def __init__(self, analysis: str, measured: int, planned: int) -> None:
        super().__init__(f"{measured} of {planned} cells of {analysis} are measured")
        self.measured, self.planned = measured, planned


Report = Callable[[Progress], None]
Records = dict[str, CellRecord]


def execute(
    analysis: Analysis[Any],
    profile: Profile,
    parameters: Parameters,
    store: Store,
    *,
    device: str = "cpu",
    threads: int = 1,
    jobs: int | None = None,
    cluster: Cluster | None = None,
    limit: float | None = None,
    force: bool = False,
    report: Report = lambda progress: None,
) -> Result:
    """Run every cell that has no kept outcome (all with `force`), summarize, and write the Result.

    threads: what a cell of an experiment computes with. jobs: cells at a time (None: one a core on a CPU,
    else one; on a cluster one a worker). cluster: where the cells of an experiment run (None: in processes of
    this machine). limit: seconds after which a cell of an experiment is stopped. DataError where data is
    needed and is not here; AnalysisFailed says which cell went wrong; Busy where another process runs the
    analysis.
    """
    with faults_of(analysis, "its choice of data"):
        names = analysis.datasets(parameters)
    datasets, missing_data = _datasets(analysis, names, store)
    cache = CellCache(analysis, profile, store, datasets, device, threads)
    records: Records = {}
    with nullcontext() if analysis.analytic else cache.alone():
        for waiting in _planned(analysis, parameters, records):
            keys = {cell.id: cache.key(cell) for cell in waiting}
            by_key: dict[str, Cell] = {}
            for cell in waiting:
                by_key.setdefault(keys[cell.id], cell)
            known = cache.measured
            if not force and not analysis.analytic:
                known = cache.find(by_key)
                cache.take_up(known.values())
            tasks = [
                workers.Task(cell, key, cache.scratch(key), device, threads, force, limit)
                for key, cell in by_key.items()
                if key not in known
            ]
            if tasks and missing_data:
                raise missing_data
            if tasks:
                with faults_of(analysis, "its check of the data"):
                    analysis.check(parameters)
                earlier = _recorded_seconds(cache, known)
                notify = _notify(analysis.id, len(records) + len(waiting), tasks, earlier, report)
                if cluster and not analysis.analytic:
                    run_on(cluster, analysis, tasks, jobs, datasets, notify, cache.keep)
                else:
                    workers.run(analysis, tasks, jobs, notify, cache.keep)
            records |= _by_id(keys, known | cache.measured)
        with faults_of(analysis, "its summary"):
            result = _result(analysis, profile, parameters, datasets, records)
        if not analysis.analytic:
            cache.conclude(records.values(), ended=True)
        store.write(result)
    report(Progress(analysis.id, len(records), len(records), {}, "", "written"))
    return result


def _notify(
    analysis: str,
    planned: int,
    tasks: Sequence[workers.Task],
    recorded: Sequence[Mapping[str, float]],
    report: Report,
) -> workers.Notify:
    """What workers tell of `tasks`, those missing among the planned cells, as progress of the analysis."""
    waiting = dict.fromkeys(task.cell.id for task in tasks)

    def notify(done: int, shares: dict[str, float], cell: str, message: str) -> None:
        for begun in shares:
            waiting.pop(begun, None)
        ended = planned - len(tasks) + done
        report(Progress(analysis, planned, ended, shares, cell, message, tuple(waiting), recorded))

    return notify


def _recorded_seconds(cache: CellCache, known: Mapping[str, CellRecord]) -> list[Mapping[str, float]]:
    """How long cells took: those that this run takes up, then those kept under its profile, then others."""
    try:
        bundles = cache.bundles
    except ResultError:  # all is to be measured again
        bundles = {}
    own_first = sorted(bundles, key=lambda profile: profile != cache.profile)
    kept = [(*bundles[profile].cells, *bundles[profile].pending.cells) for profile in own_first]
    return [{record.id: record.seconds for record in records} for records in (known.values(), *kept)]


def summarize_again(
    analysis: Analysis[Any], profile: Profile, parameters: Parameters, store: Store
) -> Result:
    """Summarize kept cells and write the Result, whatever they were computed with; nothing is measured.

    Unmeasured where some cell has no outcome; Busy where another process is measuring them.
    """
    cache, records = _all_kept(analysis, profile, parameters, store)
    with faults_of(analysis, "its summary"):
        result = _result(analysis, profile, parameters, cache.datasets, records)
    with cache.alone():
        cache.conclude(records.values(), ended=False)
        store.write(result)
    return result


def summarize_recorded(
    analysis: Analysis[Any], recorded: Result, parameters: Parameters, store: Store
) -> Result:
    """Summarize the cells of a recorded Result with `parameters`, those of its provenance, where today's plan
    has cells that were never measured; and write the Result, which stays stale.

    Unmeasured where its cells are not kept; Busy where another process runs the analysis.
    """
    outcomes = store.read_outcomes(analysis.id, recorded.profile)
    if outcomes is None or not outcomes.cells:
        raise Unmeasured(analysis.id, 0, 0)
    records = {record.id: record for record in outcomes.cells}
    with faults_of(analysis, "its summary"):
        result = _result(analysis, recorded.profile, parameters, outcomes.datasets, records)
    as_recorded = {
        "parameters": recorded.provenance.parameters,
        "cache_key": earlier_plan_key(analysis, recorded.provenance.parameters),
    }
    result = result.model_copy(
        update={"provenance": result.provenance.model_copy(update=as_recorded)},
    )
    with CellCache(analysis, recorded.profile, store, outcomes.datasets).alone():
        store.write(result)
    return result


def measured(
    analysis: Analysis[Any], profile: Profile, parameters: Parameters, store: Store
) -> tuple[int, int]:
    """How many cells have an outcome, and how many are planned so far."""
    try:
        _, records = _all_kept(analysis, profile, parameters, store)
    except Unmeasured as error:
        return error.measured, error.planned
    return len(records), len(records)


def _all_kept(
    analysis: Analysis[Any], profile: Profile, parameters: Parameters, store: Store
) -> tuple[CellCache, Records]:
    """The records of every cell, all computed with the same device and threads; Unmeasured tells of those of
    which most are kept."""
    bundles = cells.kept_or_shared(analysis, store)
    with faults_of(analysis, "its choice of data"):
        names = analysis.datasets(parameters)
    datasets = {name: cells.measured_on(name, bundles) for name in names}
    found = {name: dataset for name, dataset in datasets.items() if dataset}
    best = Unmeasured(analysis.id, 0, 0)
    for device, threads in cells.measured_with(bundles):
        cache = CellCache(analysis, profile, store, found, device, threads)
        records: Records = {}
        planned = 0
        for waiting in _planned(analysis, parameters, records):
            keys = {cell.id: cache.key(cell) for cell in waiting} if len(found) == len(names) else {}
            known = cache.find({keys[cell.id]: cell for cell in waiting if keys})
            records |= _by_id({name: key for name, key in keys.items() if key in known}, known)
            planned += len(waiting)
            if len(records) < planned:
                unmeasured = Unmeasured(analysis.id, len(records), planned)
                best = max(best, unmeasured, key=lambda one: (one.measured, one.planned))
                break
        else:
            return cache, records
    raise best


def _planned(
    analysis: Analysis[Any], parameters: Parameters, records: Mapping[str, CellRecord]
) -> Iterator[list[Cell]]:
    """Its plan, then what follows from the outcomes in `records`, into which the caller puts those of the
    cells that it was given.
    """
    with faults_of(analysis, "its plan"):
        waiting = analysis.plan(parameters)
    while waiting:
        if len({cell.id for cell in waiting}) < len(waiting):
            raise AnalysisFailed(f"{analysis.id} plans two cells of one name")
        yield waiting
        with faults_of(analysis, "planning what follows"):
            following = analysis.plan_next(parameters, _outcomes(records))
        waiting = [cell for cell in following if cell.id not in records]
    if not records:
        raise AnalysisFailed(f"{analysis.id} plans no cell with these parameters")


def _by_id(keys: Mapping[str, str], known: Mapping[str, CellRecord]) -> Records:
    return {name: known[key].model_copy(update={"id": name}) for name, key in keys.items()}


def _datasets(
    analysis: Analysis[Any], names: Iterable[str], store: Store
) -> tuple[dict[str, Dataset], Exception | None]:
    """The data sets as they are here, or as they were when cells were measured on them; in that case also
    what is missing, should a cell have to be measured."""
    names = list(names)
    if not names:
        return {}, None
    from lab.datasets import DataError, locate

    datasets: dict[str, Dataset] = {}
    missing: Exception | None = None
    for name in names:
        try:
            datasets[name] = Dataset.model_validate(locate(name).describe())
        except DataError as error:
            missing = missing or error
            known = cells.measured_on(name, cells.kept_or_shared(analysis, store))
            if known is None:
                raise
            datasets[name] = known
    return datasets, missing


def _result(
    analysis: Analysis[Any],
    profile: Profile,
    parameters: Parameters,
    datasets: Mapping[str, Dataset],
    records: Mapping[str, CellRecord],
) -> Result:
    summary = analysis.summarize(parameters, _outcomes(records))
    if not isinstance(summary, Summary):
        raise TypeError(f"summarize gave {type(summary).__name__}, not a Summary")
    measured = list(records.values())
    latest = max(measured, key=lambda cell: cell.created)
    title, question = analysis.headings(parameters)
    return Result(
        analysis=analysis.id,
        title=title,
        question=question,
        profile=profile,
        metrics=dict(summary.metrics),
        tables=dict(summary.tables),
        figures=dict(summary.figures),
        findings=dict(summary.findings),
        provenance=Provenance(
            analysis_version=analysis.version,
            source_hash=source_hash(analysis),
            sources=sources(analysis),
            cache_key=cache_key(analysis, parameters),
            parameters=parameters.model_dump(mode="json"),
            seeds=tuple(sorted({cell.seed for cell in measured if cell.seed is not None})),
            datasets=(*_noted(datasets.values(), summary.data_notes), *summary.datasets),
            device=", ".join(sorted({cell.device for cell in measured})),
            libraries=latest.libraries,
            python=latest.python,
            git_commit=latest.git_commit,
            git_dirty=any(cell.git_dirty for cell in measured),
            created=latest.created,
            wall_seconds=round(sum(cell.seconds for cell in measured), 3),
            peak_memory_bytes=max(cell.peak_memory_bytes for cell in measured),
            note=" ".join(filter(None, (summary.note, _differing(measured)))),
        ),
    )


def _noted(datasets: Iterable[Dataset], notes: Sequence[str]) -> Iterator[Dataset]:
    """The data sets, with these notes beside those of the first."""
    for number, one in enumerate(datasets):
        together = tuple(dict.fromkeys((*one.notes, *notes)))
        yield one if number else one.model_copy(update={"notes": together})


def _differing(measured: Iterable[CellRecord]) -> str:
    """Where the provenance names the latest of several, what the others were."""
    found: dict[str, set[str]] = {}
    for cell in measured:
        for name, value in {"commit": cell.git_commit[:8], "Python": cell.python, **cell.libraries}.items():
            found.setdefault(name, set()).add(value or "none")
    several = [
        f"{'commits' if name == 'commit' else name} {listing(sorted(values))}"
        for name, values in found.items()
        if len(values) > 1
    ]
    return f"Its runs were measured with {', '.join(several)}." if several else ""


def _outcomes(records: Mapping[str, CellRecord]) -> dict[str, Outcome]:
    return {identifier: record.outcome for identifier, record in records.items()}

"""Running an analysis: its cells, in this process or several, each kept as it ends; then the Result.

An interrupted run loses at most the cells it was in, and these go on from their checkpoints. The outcomes
of an experiment stay beside its Result, so that it can be summarized again, or widened, without measuring
twice.
"""

from __future__ import annotations

import importlib
import json
import math
import multiprocessing
import os
import platform
import queue
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import analyses
from analyses.freshness import cache_key, cell_key, file_of, libraries, source_hash, sources
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters
from results.schema import CellRecord, Dataset, Outcomes, Provenance, Result
from results.store import Profile, Store, write_atomically


@dataclass(frozen=True)
class Progress:
    """How far an analysis is: `done` of `cells` are finished, and `fraction` more are in hand.

    `message` is of `cell`; it is the cell's id when that begins.
    """

    analysis: str
    cells: int
    done: int
    fraction: float
    cell: str
    message: str


class AnalysisFailed(RuntimeError):
    """An error of an experiment's own code, or the end of a process that ran it; not of the machinery."""


class Unmeasured(RuntimeError):
    """Some cell has no outcome yet, and none was to be measured."""


Report = Callable[[Progress], None]
_KEPT = "what was finished is kept, and the same command takes it up again"


def execute(
    analysis: Analysis[Any],
    profile: Profile,
    parameters: Parameters,
    store: Store,
    *,
    device: str = "cpu",
    jobs: int | None = None,
    force: bool = False,
    measure: bool = True,
    report: Report = lambda progress: None,
) -> Result:
    """Run every cell that has no kept outcome (all with `force`), summarize, and write the Result.

    jobs: cells at a time (None: one a core on a CPU, else one). DataError where data is needed and is not
    here; AnalysisFailed says which cell went wrong; Unmeasured, only where `measure` is false.
    """
    data = _Data.of(analysis, parameters, store)
    kept = _Kept(analysis, store, data.fingerprints)
    work = _Work(analysis, kept, device, jobs, force, report)
    known: dict[str, CellRecord] = {}  # by key
    records: dict[str, CellRecord] = {}  # by cell id, in the order of the plan
    with _faults_of(analysis, "its plan"):
        waiting = analysis.plan(parameters)
    while waiting:
        keys = {cell.id: kept.key(cell) for cell in waiting}
        if len(keys) < len(waiting):
            raise AnalysisFailed(f"{analysis.id} plans two cells of one name")
        if not force:
            known |= kept.find(set(keys.values()) - set(known))
        missing: dict[str, Cell] = {}
        for cell in waiting:
            if keys[cell.id] not in known:
                missing.setdefault(keys[cell.id], cell)
        if missing and not measure:
            raise Unmeasured(f"{len(missing)} cells of {analysis.id} were never measured")
        if missing and data.error:
            raise data.error
        if missing:
            with _faults_of(analysis, "its check of the data"):
                analysis.check(parameters)
        known |= work.run(missing, len(records) + len(waiting) - len(missing))
        records |= {name: known[key].model_copy(update={"id": name}) for name, key in keys.items()}
        with _faults_of(analysis, "planning what follows"):
            following = analysis.follow(parameters, _outcomes(records))
        waiting = [cell for cell in following if cell.id not in records]
    if not records:
        raise AnalysisFailed(f"{analysis.id} plans no cell with these parameters")
    with _faults_of(analysis, "its summary"):
        result = _result(analysis, profile, parameters, data, records)
    cells = tuple(records.values())
    if not analysis.analytic:
        store.write_outcomes(Outcomes(analysis=analysis.id, datasets=data.datasets, cells=cells), profile)
    store.write(result)
    kept.forget(cells)
    report(Progress(analysis.id, len(cells), len(cells), 0.0, "", "written"))
    return result


def _result(
    analysis: Analysis[Any],
    profile: Profile,
    parameters: Parameters,
    data: _Data,
    records: Mapping[str, CellRecord],
) -> Result:
    summary = analysis.summarize(parameters, _outcomes(records))
    cells = list(records.values())
    latest = max(cells, key=lambda cell: cell.created)
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
            seeds=tuple(sorted({cell.seed for cell in cells if cell.seed is not None})),
            datasets=(*data.datasets.values(), *summary.datasets),
            device=", ".join(sorted({cell.device for cell in cells})),
            libraries=latest.libraries,
            python=latest.python,
            git_commit=latest.git_commit,
            git_dirty=any(cell.git_dirty for cell in cells),
            created=latest.created,
            wall_seconds=round(sum(cell.seconds for cell in cells), 3),
            peak_memory_bytes=max(cell.peak_memory_bytes for cell in cells),
            note=" ".join(filter(None, (summary.note, _differing(cells)))),
        ),
    )


def _differing(cells: Iterable[CellRecord]) -> str:
    """Where the provenance names the latest of several, what the others were."""
    found: dict[str, set[str]] = {}
    for cell in cells:
        for name, value in {"commit": cell.git_commit[:8], "Python": cell.python, **cell.libraries}.items():
            found.setdefault(name, set()).add(value or "none")
    several = [f"{name} {' and '.join(sorted(values))}" for name, values in found.items() if len(values) > 1]
    return f"Its cells were measured with {', '.join(several)}." if several else ""


def _outcomes(records: Mapping[str, CellRecord]) -> dict[str, Outcome]:
    return {identifier: record.outcome for identifier, record in records.items()}


@dataclass(frozen=True)
class _Data:
    """The data sets of an analysis as they are here, or as they were when its cells were measured."""

    datasets: dict[str, Dataset]
    error: Exception | None  # what is missing, should a cell have to be measured

    @classmethod
    def of(cls, analysis: Analysis[Any], parameters: Parameters, store: Store) -> _Data:
        names = analysis.datasets(parameters)
        if not names:
            return cls({}, None)
        from lab.datasets import DataError, locate

        datasets, missing = {}, None
        for name in names:
            try:
                datasets[name] = Dataset.model_validate(locate(name).describe())
            except DataError as error:
                missing = missing or error
                recorded = (bundle.datasets.get(name) for bundle in _bundles(analysis, store))
                measured_on = next(filter(None, recorded), None)
                if measured_on is None:
                    raise
                datasets[name] = measured_on
        return cls(datasets, missing)

    @property
    def fingerprints(self) -> dict[str, str]:
        return {name: dataset.fingerprint for name, dataset in self.datasets.items()}


def _bundles(analysis: Analysis[Any], store: Store) -> Iterator[Outcomes]:
    for profile in get_args(Profile):
        bundle = store.read_outcomes(analysis.id, profile)
        if bundle:
            yield bundle


class _Kept:
    """The finished cells of an analysis: those of results, and the loose ones of runs that have not ended."""

    def __init__(self, analysis: Analysis[Any], store: Store, fingerprints: Mapping[str, str]) -> None:
        self.analysis, self.store, self.fingerprints = analysis, store, fingerprints
        self.folder = store.root / "cells" / analysis.id

    def key(self, cell: Cell) -> str:
        return cell_key(self.analysis, cell, self.fingerprints)[:32]

    def find(self, keys: Iterable[str]) -> dict[str, CellRecord]:
        """By key, the records of those that need not run again; of several, that of the best profile."""
        bundles = reversed(list(_bundles(self.analysis, self.store)))
        known = {cell.key: cell for bundle in bundles for cell in bundle.cells}
        found = {key: self._loose(key) or known.get(key) for key in keys}
        return {key: record for key, record in found.items() if record}

    def _loose(self, key: str) -> CellRecord | None:
        try:
            return CellRecord.model_validate_json((self.folder / f"{key}.json").read_bytes())
        except (FileNotFoundError, ValueError):  # not finished
            return None

    def forget(self, cells: Iterable[CellRecord]) -> None:
        for cell in cells:
            (self.folder / f"{cell.key}.json").unlink(missing_ok=True)
            shutil.rmtree(self.folder / cell.key, ignore_errors=True)
        for folder in (self.folder, self.folder.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


@dataclass(frozen=True)
class _Task:
    """One cell to be run, with all that a worker needs to know."""

    cell: Cell
    key: str
    folder: Path
    device: str
    threads: int
    force: bool


@dataclass(frozen=True)
class _Work:
    """Cells to be measured, `jobs` at a time."""

    analysis: Analysis[Any]
    kept: _Kept
    device: str
    jobs: int | None
    force: bool
    report: Report

    def run(self, cells: Mapping[str, Cell], before: int) -> dict[str, CellRecord]:
        """Their records, by key as they are; `before` others are done already."""
        if not cells:
            return {}
        cores = _cores()
        alone = self.analysis.analytic or self.device != "cpu"
        jobs = max(1, min(self.jobs or (1 if alone else cores), len(cells)))
        threads = max(1, cores // jobs)
        tasks = [
            _Task(cell, key, self.kept.folder, self.device, threads, self.force)
            for key, cell in cells.items()
        ]
        total = before + len(cells)

        def told(done: int, fraction: float, cell: str, message: str) -> None:
            self.report(Progress(self.analysis.id, total, before + done, fraction, cell, message))

        if jobs == 1 or self.analysis.analytic:
            return self._here(tasks, told)
        return _in_workers(self.analysis, tasks, jobs, told)

    def _here(self, tasks: list[_Task], told: Callable[..., None]) -> dict[str, CellRecord]:
        if not self.analysis.analytic:
            _use_threads(tasks[0].threads)
        records = {}
        for done, task in enumerate(tasks):
            told(done, 0.0, task.cell.id, task.cell.id)

            def tell(fraction: float, message: str, done: int = done, cell: str = task.cell.id) -> None:
                told(done, fraction, cell, message)

            records[task.key] = _run_cell(self.analysis, task, tell)
        return records


def _cores() -> int:
    """Those that this process may use: fewer than the machine's on a shared one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _use_threads(threads: int) -> None:
    """Never torch's default: two jobs at the default are several times slower than two of one thread."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)


@contextmanager
def _faults_of(analysis: Analysis[Any], part: str) -> Iterator[None]:
    """Lay what goes wrong in an experiment's own code at its door; missing data and a full disk are not."""
    from lab.datasets import DataError

    try:
        yield
    except (DataError, OSError, AnalysisFailed):
        raise
    except Exception as error:
        if analysis.analytic:
            raise
        name, said = type(error).__name__, " ".join(str(error).split())
        if isinstance(error, MemoryError) or name == "OutOfMemoryError":  # the latter is torch's
            raise AnalysisFailed(f"{analysis.id} ran out of memory in {part}; {_KEPT}") from error
        ours = type(error).__module__.partition(".")[0] in ("analyses", "lab")
        raise AnalysisFailed(
            f"{analysis.id} failed in {part}: {said if ours else f'{name}: {said}'}"
        ) from error


def _run_cell(analysis: Analysis[Any], task: _Task, tell: Callable[[float, str], None]) -> CellRecord:
    """Run one cell and keep its record."""
    cell, scratch = task.cell, task.folder / task.key
    if task.force:
        shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, exist_ok=True)
    context = Context(device=task.device, threads=task.threads, scratch=scratch, report=tell)
    commit, dirty = _commit(analysis)
    started = time.perf_counter()
    with _faults_of(analysis, f"cell {cell.id}"):
        outcome = analysis.run(cell, context)
    unfit = next(_unfit(outcome, ""), None)
    if unfit:
        raise AnalysisFailed(f"{analysis.id} gave cell {cell.id} an outcome that is no JSON: {unfit}")
    record = CellRecord(
        key=task.key,
        id=cell.id,
        settings=cell.settings,
        seed=cell.seed,
        outcome=json.loads(json.dumps(outcome)),  # what a resumed run would see
        seconds=round(time.perf_counter() - started, 3),
        device=_device_name(task.device),
        threads=task.threads,
        peak_memory_bytes=_peak_memory_bytes(),
        libraries=libraries(analysis),
        python=platform.python_version(),
        git_commit=commit,
        git_dirty=dirty,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_atomically(task.folder / f"{task.key}.json", record.model_dump_json().encode())
    shutil.rmtree(scratch, ignore_errors=True)
    return record


def _unfit(value: Any, where: str) -> Iterator[str]:
    """What in an outcome JSON cannot hold, and where: "losses.3 is nan"."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _unfit(item, f"{where}.{key}".lstrip("."))
    elif not where:
        yield f"it is a {type(value).__name__}, not a dict"
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _unfit(item, f"{where}.{index}")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} is {value}"
    elif not isinstance(value, str | int | float | None):
        yield f"{where} is a {type(value).__name__}"


def _in_workers(
    analysis: Analysis[Any], tasks: list[_Task], jobs: int, told: Callable[..., None]
) -> dict[str, CellRecord]:
    """As many processes as jobs. After an error no cell is begun, and those in hand are finished."""
    spawn = multiprocessing.get_context("spawn")
    messages = spawn.Queue()
    pool = ProcessPoolExecutor(
        jobs, mp_context=spawn, initializer=_prepare, initargs=(tasks[0].threads, messages)
    )
    reference: Any = analysis.id if analysis.id in analyses.identifiers() else analysis
    waiting = iter(tasks)
    pending: dict[Future[CellRecord], str] = {}
    fractions: dict[str, float] = {}
    records: dict[str, CellRecord] = {}

    def begin(count: int) -> None:
        """No more cells than jobs are handed over: those that wait can still be left."""
        for task in islice(waiting, count):
            with _deaf_to_ctrl_c():
                pending[pool.submit(_run_there, reference, task)] = task.cell.id
            fractions[task.cell.id] = 0.0
            told(len(records), sum(fractions.values()), task.cell.id, task.cell.id)

    try:
        begin(jobs)
        while pending:
            finished, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            for cell, fraction, message in _waiting(messages):
                if cell in fractions:
                    fractions[cell] = fraction
                    told(len(records), sum(fractions.values()), cell, message)
            for future in finished:
                record = future.result()
                records[record.key] = record
                del fractions[pending.pop(future)]
            begin(len(finished))
        pool.shutdown()
    except BrokenProcessPool:
        raise AnalysisFailed(
            f"a process of {analysis.id} was killed, perhaps for want of memory; {_KEPT} "
            "(fewer at a time: --jobs 1)"
        ) from None
    except BaseException as error:
        try:
            pool.shutdown(wait=isinstance(error, Exception))
        finally:  # by Ctrl-C, also while cells in hand were being finished
            for process in multiprocessing.active_children():
                process.terminate()
        raise
    return records


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A process begun here never hears of Ctrl-C, which is its parent's to handle."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _waiting(messages: Any) -> Iterator[tuple[str, float, str]]:
    while True:
        try:
            yield messages.get_nowait()
        except queue.Empty:
            return


_messages: Any = None  # of a worker: where its progress goes


def _prepare(threads: int, messages: Any) -> None:
    """In a new worker, before torch is imported."""
    global _messages
    os.environ["OMP_NUM_THREADS"] = str(threads)
    _messages = messages
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Killed, a parent ends no worker; a worker left over would go on beside the next run of its cell."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _end_with_parent() -> None:
    """A killed run must leave nothing behind that goes on training."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_there(reference: Any, task: _Task) -> CellRecord:
    analysis = analyses.get(reference) if isinstance(reference, str) else reference
    _use_threads(task.threads)
    return _run_cell(
        analysis, task, lambda fraction, message: _messages.put((task.cell.id, fraction, message))
    )


def _device_name(device: str) -> str:
    if device != "cuda":
        return device
    return str(importlib.import_module("torch").cuda.get_device_name())


def _peak_memory_bytes() -> int:
    """Of this process since it started; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@cache
def _commit(analysis: Analysis[Any]) -> tuple[str, bool]:
    """The commit that the code of `analysis` stood at when it was first run, and whether it differed."""
    files = [file_of(name) for name in sources(analysis)]
    root = Path(__file__).resolve().parent.parent
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", *(str(file) for file in files if file))
    except (OSError, subprocess.CalledProcessError):
        return "", False
    return commit, bool(changed)


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

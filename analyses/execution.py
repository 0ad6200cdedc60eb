"""Running an analysis: its cells, in this process or several, each kept as it ends; then the Result.

An interrupted run loses at most the cells it was in, and these go on from their checkpoints. The outcomes
of an experiment stay beside its Result, so that it can be summarized again, or widened, without measuring
twice.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import platform
import queue
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
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


class CellFailed(RuntimeError):
    """A cell raised an error: of its analysis, not of the machinery."""


class Unmeasured(RuntimeError):
    """Some cell has no outcome yet, and none was to be measured."""


Report = Callable[[Progress], None]


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
    here; CellFailed names the cell that went wrong; Unmeasured, only where `measure` is false.
    """
    started = time.perf_counter()
    data = _Data.of(analysis, parameters, store)
    kept = _Kept(analysis, store, data.fingerprints)
    work = _Work(analysis, kept, device, jobs, force, report)
    records: dict[str, CellRecord] = {}
    waiting = analysis.plan(parameters)
    while waiting:
        found = {} if force else kept.find(waiting)
        records |= found
        missing = [cell for cell in waiting if cell.id not in found]
        if missing and not measure:
            raise Unmeasured(f"{len(missing)} cells of {analysis.id} were never measured")
        if missing and data.error:
            raise data.error
        records |= work.run(missing, len(records))
        outcomes = _outcomes(records)
        waiting = [cell for cell in analysis.follow(parameters, outcomes) if cell.id not in records]
    summary = analysis.summarize(parameters, _outcomes(records))
    cells = list(records.values())
    seconds = time.perf_counter() - started if analysis.analytic else sum(cell.seconds for cell in cells)
    latest = max(cells, key=lambda cell: cell.created)
    result = Result(
        analysis=analysis.id,
        title=analysis.title,
        question=analysis.question,
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
            wall_seconds=round(seconds, 3),
            peak_memory_bytes=max(cell.peak_memory_bytes for cell in cells),
            note=summary.note,
        ),
    )
    if not analysis.analytic:
        store.write_outcomes(
            Outcomes(analysis=analysis.id, datasets=data.datasets, cells=tuple(cells)), profile
        )
    store.write(result)
    kept.forget(cells)
    report(Progress(analysis.id, len(cells), len(cells), 0.0, "", "written"))
    return result


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

        bundles = [bundle for bundle in _bundles(analysis, store) if set(names) <= set(bundle.datasets)]
        datasets, missing = {}, None
        for name in names:
            try:
                datasets[name] = Dataset.model_validate(locate(name).describe())
            except DataError as error:
                missing = missing or error
                if not bundles:
                    raise
                datasets[name] = bundles[0].datasets[name]
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

    def find(self, cells: Iterable[Cell]) -> dict[str, CellRecord]:
        """By id, the records of those that need not run again, under the names they have now."""
        known = {cell.key: cell for bundle in _bundles(self.analysis, self.store) for cell in bundle.cells}
        found = {}
        for cell in cells:
            key = self.key(cell)
            try:
                record = CellRecord.model_validate_json((self.folder / f"{key}.json").read_bytes())
            except (FileNotFoundError, ValueError):
                if key not in known:
                    continue
                record = known[key]
            found[cell.id] = record.model_copy(update={"id": cell.id})
        return found

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

    def run(self, cells: list[Cell], before: int) -> dict[str, CellRecord]:
        """The records by id, in the order of the cells; `before` are done already."""
        cores = os.cpu_count() or 1
        alone = self.analysis.analytic or self.device != "cpu"
        jobs = max(1, min(self.jobs or (1 if alone else cores), len(cells)))
        threads = max(1, cores // jobs)
        tasks = [
            _Task(cell, self.kept.key(cell), self.kept.folder, self.device, threads, self.force)
            for cell in cells
        ]
        total = before + len(cells)

        def told(done: int, fraction: float, cell: str, message: str) -> None:
            self.report(Progress(self.analysis.id, total, before + done, fraction, cell, message))

        if jobs == 1 or self.analysis.analytic:
            return self._here(tasks, told)
        return _in_workers(self.analysis, tasks, jobs, told)

    def _here(self, tasks: list[_Task], told: Callable[..., None]) -> dict[str, CellRecord]:
        if not self.analysis.analytic:
            _use_threads(tasks[0].threads if tasks else 1)
        records = {}
        for done, task in enumerate(tasks):
            told(done, 0.0, task.cell.id, task.cell.id)

            def tell(fraction: float, message: str, done: int = done, cell: str = task.cell.id) -> None:
                told(done, fraction, cell, message)

            records[task.cell.id] = _run_cell(self.analysis, task, tell)
        return records


def _use_threads(threads: int) -> None:
    """Never torch's default: two jobs at the default are several times slower than two of one thread."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)


def _run_cell(analysis: Analysis[Any], task: _Task, tell: Callable[[float, str], None]) -> CellRecord:
    """Run one cell and keep its record. The user's errors pass; all others become a CellFailed."""
    from lab.datasets import DataError

    cell, scratch = task.cell, task.folder / task.key
    if task.force:
        shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, exist_ok=True)
    context = Context(device=task.device, threads=task.threads, scratch=scratch, report=tell)
    started = time.perf_counter()
    try:
        outcome = analysis.run(cell, context)
    except (DataError, OSError):
        raise
    except MemoryError as error:
        raise CellFailed(f"{analysis.id} ran out of memory in {cell.id}; {_KEPT}") from error
    except Exception as error:
        if analysis.analytic:
            raise
        raise CellFailed(f"{analysis.id} failed in {cell.id}: {type(error).__name__}: {error}") from error
    try:
        text = json.dumps(outcome, allow_nan=False)
    except ValueError as error:
        raise CellFailed(f"{analysis.id} gave {cell.id} an outcome that is no JSON: {error}") from error
    commit, dirty = _commit(analysis)
    record = CellRecord(
        key=task.key,
        id=cell.id,
        settings=cell.settings,
        seed=cell.seed,
        outcome=json.loads(text),  # what a resumed run would see
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


_KEPT = "what was finished is kept, and the same command takes it up again"


def _in_workers(
    analysis: Analysis[Any], tasks: list[_Task], jobs: int, told: Callable[..., None]
) -> dict[str, CellRecord]:
    """As many processes as jobs; the first error ends the run once the cells in hand are finished."""
    spawn = multiprocessing.get_context("spawn")
    messages = spawn.Queue()
    pool = ProcessPoolExecutor(
        jobs, mp_context=spawn, initializer=_prepare, initargs=(tasks[0].threads, messages)
    )
    reference: Any = analysis.id if analysis.id in analyses.identifiers() else analysis
    futures: dict[Future[CellRecord], str] = {}
    records: dict[str, CellRecord] = {}
    try:
        futures = {pool.submit(_run_there, reference, task): task.cell.id for task in tasks}
        pending = set(futures)
        fractions: dict[str, float] = {}
        while pending:
            finished, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            for cell, fraction, message in _waiting(messages):
                fractions[cell] = fraction
                told(len(records), sum(fractions.values()), cell, message)
            for future in finished:
                records[futures[future]] = future.result()
                fractions.pop(futures[future], None)
    except BrokenProcessPool:
        raise CellFailed(
            f"a process of {analysis.id} was killed, perhaps for want of memory; {_KEPT} "
            "(fewer at a time: --jobs 1)"
        ) from None
    except BaseException as error:
        pool.shutdown(wait=isinstance(error, CellFailed), cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()
    return {task.cell.id: records[task.cell.id] for task in tasks}


def _waiting(messages: Any) -> Iterator[tuple[str, float, str]]:
    while True:
        try:
            yield messages.get_nowait()
        except queue.Empty:
            return


_messages: Any = None  # of a worker: where its progress goes


def _prepare(threads: int, messages: Any) -> None:
    """In a new worker, before torch is imported. Ctrl-C is the parent's to handle."""
    global _messages
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    _messages = messages


def _run_there(reference: Any, task: _Task) -> CellRecord:
    analysis = analyses.get(reference) if isinstance(reference, str) else reference
    _use_threads(task.threads)
    _messages.put((task.cell.id, 0.0, task.cell.id))
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


def _commit(analysis: Analysis[Any]) -> tuple[str, bool]:
    """The commit that the code of `analysis` stands at, and whether the code differs from it."""
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

"""Cells at work: in this process, or several at a time in processes of their own.

A cell computes with the threads that were asked for, whichever process runs it and whatever runs beside it,
so that its outcome does not depend on how many others are left.
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
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import analyses
from analyses.plugin import Analysis, Cell, Context
from engine.faults import KEPT, AnalysisFailed, faults_of
from engine.freshness import libraries
from engine.sources import file_of, sources
from results.schema import CellRecord

end_process = os._exit  # while a cell runs, os._exit raises
LARGEST_BITS = 64  # of a whole number in an outcome
AGAIN = 5.0  # seconds until a cell that goes on after its time is stopped again


@dataclass(frozen=True)
class Task:
    """One cell to be run, with all that a worker needs to know."""

    cell: Cell
    key: str
    scratch: Path
    device: str
    threads: int
    force: bool
    limit: float | None = None  # seconds


#: Told of each step: how many cells are done, the fractions of those in hand by id, a cell, a message of it.
Notify = Callable[[int, dict[str, float], str, str], None]
Keep = Callable[[CellRecord], None]


def cores() -> int:
    """Those that this process may use: fewer than the machine's on a shared one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(analysis: Analysis[Any], tasks: Sequence[Task], jobs: int | None, notify: Notify, keep: Keep) -> None:
    """Run each cell, `jobs` at a time (None: one a core on a CPU, else one); each record is kept as its cell
    ends. One after another they run in this process.
    """
    at_a_time = min(jobs or (cores() if tasks[0].device == "cpu" else 1), len(tasks))
    if at_a_time > 1 and not analysis.analytic:
        _run_in_processes(analysis, tasks, at_a_time, notify, keep)
        return
    for done, task in enumerate(tasks):
        notify(done, {task.cell.id: 0.0}, task.cell.id, task.cell.id)

        def report(fraction: float, message: str, done: int = done, cell: str = task.cell.id) -> None:
            notify(done, {cell: fraction}, cell, message)

        if analysis.analytic:
            with tempfile.TemporaryDirectory() as scratch:
                record = run_cell(analysis, replace(task, scratch=Path(scratch)), report)
        else:
            with with_threads(task.threads):
                record = run_cell(analysis, task, report)
        keep(record)


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """torch and the libraries behind numpy compute with `count` threads meanwhile. Where torch is not yet
    imported, it goes by the environment when a cell imports it: loading it takes seconds, which not all need.
    """
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else count
    environment = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    if torch:
        torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        if environment is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = environment
        if torch:
            torch.set_num_threads(before)


def _run_in_processes(
    analysis: Analysis[Any], tasks: Sequence[Task], jobs: int, notify: Notify, keep: Keep
) -> None:
    """As many processes as jobs; each record is kept as its cell ends.

    After an error no cell is begun, and those in hand are finished and kept.
    """
    spawn = multiprocessing.get_context("spawn")
    messages = spawn.Queue()
    pool = ProcessPoolExecutor(
        jobs, mp_context=spawn, initializer=_prepare, initargs=(tasks[0].threads, messages)
    )
    reference: Any = analysis.id if analysis.id in analyses.identifiers() else analysis
    waiting = iter(tasks)
    pending: dict[Future[CellRecord], str] = {}
    fractions: dict[str, float] = {}
    done = 0

    def begin(count: int) -> None:
        """No more cells than jobs are handed over: those that wait can still be left."""
        for task in islice(waiting, count):
            with sigint_blocked():
                pending[pool.submit(_run_task, reference, task)] = task.cell.id
            fractions[task.cell.id] = 0.0
            notify(done, dict(fractions), task.cell.id, task.cell.id)

    try:
        begin(jobs)
        while pending:
            finished, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            for cell, fraction, message in _received(messages):
                if cell in fractions:
                    fractions[cell] = fraction
                    notify(done, dict(fractions), cell, message)
            for future in finished:
                keep(future.result())
                done += 1
                del fractions[pending.pop(future)]
            begin(len(finished))
        pool.shutdown()
    except BaseException as error:
        try:
            pool.shutdown(wait=isinstance(error, Exception))
        finally:  # by Ctrl-C, also while cells in hand were being finished
            for process in multiprocessing.active_children():
                process.terminate()
            for future in pending:
                if future.done() and not future.cancelled() and not future.exception():
                    keep(future.result())
        if isinstance(error, BrokenProcessPool):
            raise AnalysisFailed(
                f"a process of {analysis.id} was killed, perhaps for want of memory; {KEPT} "
                "(fewer at a time: --jobs 1)"
            ) from None
        raise


@contextmanager
def sigint_blocked() -> Iterator[None]:
    """A process begun here never hears of Ctrl-C, which is its parent's to handle."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(messages: Any) -> Iterator[tuple[str, float, str]]:
    while True:
        try:
            yield messages.get_nowait()
        except queue.Empty:
            return


_messages: Any = None  # of a worker: where its progress goes


def _prepare(threads: int, messages: Any) -> None:
    """In a new worker, before torch and numpy are imported."""
    global _messages
    os.environ["OMP_NUM_THREADS"] = str(threads)
    _messages = messages
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Killed, a parent ends no worker; one left over would go on beside the next run of its cell."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        end_process(1)


def _run_task(reference: Any, task: Task) -> CellRecord:
    analysis = analyses.get(reference) if isinstance(reference, str) else reference
    with with_threads(task.threads):
        return run_cell(
            analysis, task, lambda fraction, message: _messages.put((task.cell.id, fraction, message))
        )


def run_cell(analysis: Analysis[Any], task: Task, report: Callable[[float, str], None]) -> CellRecord:
    """Run one cell. Its scratch folder stays, for whoever keeps the record to remove."""
    cell = task.cell
    if task.force:
        shutil.rmtree(task.scratch, ignore_errors=True)
    task.scratch.mkdir(parents=True, exist_ok=True)
    context = Context(device=task.device, threads=task.threads, scratch=task.scratch, report=report)
    commit, dirty = commit_of(analysis)
    started = time.perf_counter()
    with (
        faults_of(analysis, f"cell {cell.id}"),
        _limit(analysis, task),
        _process_restored(),
        arithmetic_of(task.device),
    ):
        outcome = analysis.run(cell, context)
    unfit = next(_unfit(outcome, "", ()), None)
    if unfit:
        raise AnalysisFailed(f"{analysis.id} gave cell {cell.id} an outcome that is no JSON: {unfit}")
    return CellRecord(
        key=task.key,
        id=cell.id,
        settings=cell.recorded_settings(),
        seed=cell.seed,
        outcome=json.loads(json.dumps(outcome)),  # what a resumed run would see
        seconds=round(time.perf_counter() - started, 3),
        device=_device_name(task.device),
        threads=task.threads,
        peak_memory_bytes=_peak_memory_bytes(),
        peak_device_bytes=_peak_device_bytes(task.device),
        libraries=libraries(analysis.libraries),
        python=platform.python_version(),
        git_commit=commit,
        git_dirty=dirty,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


class _TimeIsUp(BaseException):
    """No Exception: code that goes on after whatever goes wrong is to be stopped too."""


@contextmanager
def _limit(analysis: Analysis[Any], task: Task) -> Iterator[None]:
    """Stop a cell that takes too long. In the main thread alone: on a cluster the driver stops it."""
    if task.limit is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, task.limit, AGAIN)
    try:
        yield
    except _TimeIsUp:
        raise too_long(analysis, task) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def too_long(analysis: Analysis[Any], task: Task) -> AnalysisFailed:
    return AnalysisFailed(
        f"{analysis.id} took longer than {task.limit:g} seconds for cell {task.cell.id}, "
        f"which was stopped; {KEPT}"
    )


def _unfit(value: Any, where: str, around: tuple[int, ...]) -> Iterator[str]:
    """What in an outcome a JSON file cannot hold, and where: "losses.3 is nan"."""
    if isinstance(value, dict | list | tuple):
        if id(value) in around:
            yield f"{where} holds itself"
            return
        around = (*around, id(value))
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _unfit(item, f"{where}.{key}".lstrip("."), around)
            else:
                yield f"{where or 'it'} has the key {key!r}, which is no text"
    elif not where:
        yield f"it is a {type(value).__name__}, not a dict"
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _unfit(item, f"{where}.{index}", around)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} is {value}"
    elif isinstance(value, int) and value.bit_length() > LARGEST_BITS:
        yield f"{where} is a whole number of {value.bit_length()} bits"
    elif isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        yield f"{where} is text with half a character"
    elif not isinstance(value, str | int | float | None):
        yield f"{where} is a {type(value).__name__}"


@contextmanager
def _process_restored() -> Iterator[None]:
    """What a cell sets for all of its process is set back: the next may be of another analysis, whose numbers
    are to depend on nothing that ran before.
    """
    environment, folder = dict(os.environ), os.open(".", os.O_RDONLY)
    torch = sys.modules.get("torch")
    dtype = torch.get_default_dtype() if torch else None
    gradients = torch.is_grad_enabled() if torch else True
    try:
        with warnings.catch_warnings():
            yield
    finally:
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        os.fchdir(folder)
        os.close(folder)
        if torch := sys.modules.get("torch"):
            torch.set_default_dtype(dtype or torch.float32)
            torch.set_grad_enabled(gradients)


@contextmanager
def arithmetic_of(device: str) -> Iterator[None]:
    """Of a GPU: what a recipe computes in float32 is float32, where cuDNN alone would take TF32, and its
    algorithms are chosen by rule, not by which was fastest this time. ARITHMETIC says so in the record.
    """
    if not device.startswith("cuda"):
        yield
        return
    torch = importlib.import_module("torch")
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=False):
            if torch.cuda.is_available():
                torch.cuda.init()
                torch.cuda.reset_peak_memory_stats(device)
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


ARITHMETIC = "float32 without TF32, cuDNN without benchmark"


def _device_name(device: str) -> str:
    """Of a GPU its name, its memory and what it computed in."""
    if not device.startswith("cuda"):
        return device
    card = importlib.import_module("torch").cuda.get_device_properties(device)
    return f"{card.name}, {card.total_memory / 2**30:.0f} GiB, {ARITHMETIC}"


def _peak_device_bytes(device: str) -> int | None:
    """Of the GPU, since the cell began."""
    if not device.startswith("cuda"):
        return None
    return int(importlib.import_module("torch").cuda.max_memory_allocated(device))


def _peak_memory_bytes() -> int:
    """Of this process since it started; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@cache
def commit_of(analysis: Analysis[Any]) -> tuple[str, bool]:
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
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

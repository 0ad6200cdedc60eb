"""A cell on a worker of a cluster, which refuses it where it would compute other numbers than the driver.

What differs is named: code, data, libraries, the kind of CPU. Without its driver or scheduler a worker ends.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import analyses
from analyses.plugin import Analysis
from engine.freshness import libraries
from engine.sources import code_of, sources
from engine.workers import Task, end_process, run_cell, with_threads

LOOK = 0.5  # seconds from one look at whether the cell is still wanted to the next
NUMERICAL = ("numpy", "pillow", "scikit-learn", "scipy", "torch", "torchvision")
OWN_MODULES = ("engine.remote", "engine.workers")


@dataclass(frozen=True)
class Job:
    """What the cells of a run share, and what a worker must have to compute the same numbers."""

    analysis: Any  # its id, or itself where it is not registered
    datasets: tuple[str, ...]
    expected: tuple[tuple[str, str], ...]
    run: str


@dataclass(frozen=True)
class Answer:
    """The record of a cell as JSON, or why the worker refused it."""

    record: str = ""
    refusal: str = ""


def conditions(analysis: Analysis[Any], datasets: Iterable[str]) -> dict[str, str]:
    """What decides the numbers of a cell beside its settings, as it is in this process."""
    code = sources(analysis) | {name: code_of(name) for name in OWN_MODULES}
    found = {"Python": platform.python_version(), "the CPU": _kind_of_cpu()}
    found |= {f"the code of {name}": text for name, text in code.items()}
    found |= libraries(dict.fromkeys((*NUMERICAL, *analysis.libraries)))
    if datasets := tuple(datasets):
        from lab.datasets import locate

        found |= {f"the data set {name}": locate(name).fingerprint[:12] for name in datasets}
    return found


def _kind_of_cpu() -> str:
    """Its vector instructions decide in which order sums are taken, and in which precision."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    maker = re.search(r"vendor_id\s*: (\S+)", text)
    flags = re.search(r"flags\s*: (.*)", text)
    vectors = sorted(word for word in flags[1].split() if re.match("avx|amx|fma", word)) if flags else []
    capability = os.environ.get("ATEN_CPU_CAPABILITY")
    limit = [f"held to {capability}"] if capability else []
    return " ".join([maker[1] if maker else platform.machine(), *vectors, *limit])


def run_there(job: Job, task: Task) -> Answer:
    """Run one cell in this worker, or refuse it."""
    from distributed import get_worker

    worker, ended = get_worker(), threading.Event()
    watched = (worker, worker.get_current_task(), ended)
    threading.Thread(target=_end_unless_wanted, args=watched, daemon=True).start()

    def report(fraction: float, message: str) -> None:
        worker.log_event(job.run, (task.cell.id, fraction, message))

    try:
        if refusal := _refusal(job):
            return Answer(refusal=refusal)
        analysis = _analysis(job)
        with _scratch(job, task, worker.local_directory) as scratch, with_threads(task.threads):
            report(0.0, "")  # the time that it may take begins
            return Answer(run_cell(analysis, replace(task, scratch=scratch), report).model_dump_json())
    finally:
        ended.set()


def _end_unless_wanted(worker: Any, key: str, ended: threading.Event) -> None:
    """Dask lets a cell whose driver is gone finish in its thread, beside the next run of it."""
    while not ended.wait(LOOK):
        state = worker.state.tasks.get(key)
        lost = worker.status.name in ("closing", "closed", "failed")  # as when the scheduler ended
        if lost or state is None or state.state in ("cancelled", "released", "forgotten"):
            end_process(1)  # the nanny begins another


@cache
def _refusal(job: Job) -> str:
    """Why this worker would compute other numbers than the driver; empty where it would not."""
    from lab.datasets import DataError

    try:
        here = conditions(_analysis(job), job.datasets)
    except (analyses.BrokenPlugin, analyses.UnknownAnalysis, DataError) as error:
        return str(error)
    for name, there in job.expected:
        if here.get(name) != there:
            return f"{name} is {here.get(name, 'missing')}, and {there} where the run was begun"
    return ""


def _analysis(job: Job) -> Analysis[Any]:
    found: Analysis[Any] = analyses.get(job.analysis) if isinstance(job.analysis, str) else job.analysis
    return found


@contextmanager
def _scratch(job: Job, task: Task, own: str) -> Iterator[Path]:
    """The driver's folder for the checkpoints of the cell where it is seen from here, else one of our own."""
    with suppress(OSError):
        if lock_of(task).read_text() == job.run:
            yield task.scratch
            return
    with tempfile.TemporaryDirectory(prefix="cell-", dir=own) as folder:
        yield Path(folder)


def lock_of(task: Task) -> Path:
    """The driver holds it, and names its run in it."""
    return task.scratch.parent / "lock"

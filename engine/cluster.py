"""Cells on a Dask cluster: one at a time a worker, and each record sent back to the driver as JSON.

The driver alone writes. It hands a cell to a worker by name; a worker whose code, data, libraries, kind of
CPU or threads are not the driver's refuses its cell, which another then gets. Where the workers see the
driver's folder of results, checkpoints outlive them; elsewhere a lost worker costs its cell's epochs.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import queue
import shutil
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import analyses
from analyses.plugin import Analysis
from engine.faults import KEPT, AnalysisFailed
from engine.remote import Job, conditions, lock_of, run_there
from engine.workers import Keep, Notify, Task, commit_of, cores, sigint_blocked, too_long
from results.schema import CellRecord

ATTEMPTS = 3  # at a cell that loses its workers
PATIENCE = 60  # seconds without any worker
ANSWER = 30  # seconds for a record that is ready to come over
LOOK = 0.5  # seconds from one look at the workers to the next

#: Settings of Dask for this process and, inherited, for the workers of this machine that it starts.
ENVIRONMENT = {
    "DASK_LOGGING__DISTRIBUTED": "CRITICAL",  # else warnings and tracebacks on stderr
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",  # else stacks are sampled 100 times a second
    "DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "False",
    # Dask trims at 64 KiB, so that memory of each tensor is asked for anew: cells take half as long again.
    "DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON": '{"MALLOC_TRIM_THRESHOLD_": None}',
}


@dataclass(frozen=True)
class Cluster:
    """The scheduler at an address; without one, workers of this machine for as long as the run takes."""

    scheduler: str | None = None
    warn: Callable[[str], None] = lambda sentence: None

    def __post_init__(self) -> None:
        if find_spec("distributed") is None:
            raise ClusterError(
                "--executor dask needs the packages of the extra cluster; "
                "install them with `pip install 'convstudy[cluster]'`"
            )


class ClusterError(RuntimeError):
    """The cluster cannot be used."""


def run_on(
    cluster: Cluster,
    analysis: Analysis[Any],
    tasks: Sequence[Task],
    jobs: int | None,
    datasets: Iterable[str],
    notify: Notify,
    keep: Keep,
) -> None:
    """Run each cell on a worker, no more at a time than jobs; each record is kept as its cell ends.

    After an error no cell is begun, and those in hand are finished and kept. ClusterError where there is no
    worker that can be used.
    """
    datasets = tuple(datasets)
    registered = analysis.id in analyses.identifiers()
    job = Job(
        analysis.id if registered else analysis,
        datasets,
        tuple(conditions(analysis, datasets).items()),
        f"convstudy-{uuid.uuid4().hex[:12]}",
    )
    lock_of(tasks[0]).write_text(job.run)
    for task in tasks:
        if task.force:  # here and once: another attempt goes on from the checkpoints of the first
            shutil.rmtree(task.scratch, ignore_errors=True)
    with _client(cluster, min(jobs or cores(), len(tasks)), tasks[0]) as client:
        _Driver(cluster, client, job, analysis, tasks, jobs, notify, keep).run()


@contextmanager
def _client(cluster: Cluster, jobs: int, task: Task) -> Iterator[Any]:
    """A client of the scheduler, or of as many workers of this machine as jobs."""
    os.environ |= {name: value for name, value in ENVIRONMENT.items() if name not in os.environ}
    import dask
    from distributed import Client, SpecCluster

    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # it has a level of its own
    if cluster.scheduler:
        try:
            client = Client(cluster.scheduler, set_as_default=False, timeout=10)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {cluster.scheduler} ({_first_line(error)}); "
                "start one with `dask scheduler`"
            ) from None
        with client:
            yield client
        return
    folder = tempfile.mkdtemp(prefix="convstudy-dask-")
    try:
        with sigint_blocked(), dask.config.set(temporary_directory=folder):
            workers = SpecCluster(**_workers_here(jobs, task, folder), silence_logs=False)
        with workers, Client(workers, set_as_default=False) as client:
            try:
                yield client
            except BaseException as error:
                if not isinstance(error, Exception):  # closing would wait for the cells in hand
                    for process in multiprocessing.active_children():
                        process.terminate()
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _workers_here(jobs: int, task: Task, folder: str) -> dict[str, Any]:
    """What a SpecCluster is made of: a scheduler and one process a job, all on the loopback address."""
    from distributed import Nanny, Scheduler

    here = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    common = here | {"nthreads": 1, "memory_limit": 0, "local_directory": folder}
    threads = {"OMP_NUM_THREADS": str(task.threads), "MKL_NUM_THREADS": str(task.threads)}
    workers = {}
    for number in range(jobs):
        environment = threads | _card(number, jobs, task.device)
        workers[number] = {"cls": Nanny, "options": common | {"env": environment}}
    return {"workers": workers, "scheduler": {"cls": Scheduler, "options": here}}


def _card(number: int, jobs: int, device: str) -> dict[str, str]:
    """The one GPU that a worker sees, in turn."""
    if device != "cuda":
        return {}
    cards = (os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(jobs)))).split(",")
    return {"CUDA_VISIBLE_DEVICES": cards[number % len(cards)]}


@dataclass
class _Attempt:
    task: Task
    future: Any
    worker: str
    fraction: float = 0.0
    begun: float | None = None


@dataclass
class _Driver:
    """Hands cells to workers, and keeps what comes back."""

    cluster: Cluster
    client: Any
    job: Job
    analysis: Analysis[Any]
    tasks: Sequence[Task]
    jobs: int | None
    notify: Notify
    keep: Keep
    waiting: deque[Task] = field(default_factory=deque)
    attempts: dict[str, _Attempt] = field(default_factory=dict)  # in hand, by key of the future
    losses: dict[str, int] = field(default_factory=dict)  # workers lost, by key of the cell
    workers: dict[str, str] = field(default_factory=dict)  # address → name
    refused: dict[str, str] = field(default_factory=dict)  # address → why
    done: int = 0
    error: Exception | None = None

    def run(self) -> None:
        self.waiting.extend(self.tasks)
        news: queue.SimpleQueue[Any] = queue.SimpleQueue()  # what cells tell, and futures that are done
        self.client.subscribe_topic(self.job.run, lambda event: news.put(event[1]))
        seen = time.monotonic()
        looked = 0.0
        while self.attempts or (self.waiting and not self.error):
            if time.monotonic() - looked > LOOK:
                self._look()
                looked = time.monotonic()
            if self.workers:
                seen = looked
            elif looked - seen > PATIENCE:
                self._fail("the cluster has had no worker for a minute; start one with `dask worker`")
            self._begin(news)
            with suppress(queue.Empty):
                heard = news.get(timeout=LOOK)
                if isinstance(heard, tuple | list):
                    self._progress(*heard)
                elif heard.key in self.attempts:
                    self._end(self.attempts.pop(heard.key))
        if self.error:
            raise self.error

    def _fail(self, sentence: str) -> None:
        raise ClusterError(f"{sentence}; {KEPT}")

    def _look(self) -> None:
        """Which workers there are; a cell whose worker is gone waits again."""
        if self.client.status != "running":
            self._fail(f"the Dask scheduler of {self.analysis.id} is gone")
        try:
            found = self.client.scheduler_info(n_workers=-1)["workers"]
        except OSError:
            self._fail(f"the Dask scheduler of {self.analysis.id} is gone")
        self.workers = {address: _name(address, worker) for address, worker in found.items()}
        for address, worker in found.items():
            if worker["nthreads"] != 1 and address not in self.refused:
                self._refuse(address, f"it has {worker['nthreads']} threads; start it with --nthreads 1")
        for key, attempt in list(self.attempts.items()):
            if attempt.worker not in self.workers:
                del self.attempts[key]
                attempt.future.cancel()
                self._lost(attempt)
            elif attempt.begun and time.monotonic() - attempt.begun > (attempt.task.limit or math.inf):
                del self.attempts[key]
                attempt.future.cancel()  # which ends the worker's process
                self.error = self.error or too_long(self.analysis, attempt.task)

    def _refuse(self, address: str, why: str) -> None:
        self.refused[address] = why
        self.cluster.warn(f"the worker {self.workers.get(address, address)} gets no cell: {why}")

    def _begin(self, news: Any) -> None:
        """A cell for each worker that has none of ours."""
        busy = {attempt.worker for attempt in self.attempts.values()}
        free = [address for address in self.workers if address not in busy and address not in self.refused]
        if self.workers and not free and not busy and self.waiting:
            names = "; ".join(
                sorted({f"{self.workers[worker]}: {self.refused[worker]}" for worker in self.workers})
            )
            self._fail(f"no worker of the cluster can run {self.analysis.id} ({names})")
        for address in free[: (self.jobs or len(free)) - len(busy)] if not self.error else ():
            if not self.waiting:
                return
            task = self.waiting.popleft()
            number = self.losses.get(task.key, 0) + len(self.refused)
            key = f"{self.job.run}-{task.key}-{number}"  # else drivers that name one cell would share it
            future = self.client.submit(
                run_there,
                self.job,
                replace(task, force=False),
                key=key,
                pure=False,
                workers=[address],
                allow_other_workers=False,
            )
            self.attempts[key] = _Attempt(task, future, address)
            self._tell(task.cell.id, task.cell.id)
            future.add_done_callback(news.put)

    def _tell(self, cell: str, message: str) -> None:
        shares = {attempt.task.cell.id: attempt.fraction for attempt in self.attempts.values()}
        self.notify(self.done, shares, cell, message)

    def _progress(self, cell: str, fraction: float, message: str) -> None:
        for attempt in self.attempts.values():
            if attempt.task.cell.id == cell:
                attempt.begun = attempt.begun or time.monotonic()
                attempt.fraction = fraction
                if message:
                    self._tell(cell, message)

    def _end(self, attempt: _Attempt) -> None:
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        from lab.datasets import DataError

        try:
            answer = attempt.future.result(timeout=ANSWER)
        except (AnalysisFailed, DataError) as error:
            self.error = self.error or error
        except KilledWorker:
            self.losses[attempt.task.key] = ATTEMPTS
            self._lost(attempt)
        except (FutureCancelledError, TimeoutError):  # the worker ended just after the cell, or the scheduler
            self._look()
            attempt.future.cancel()
            self._lost(attempt)
        except Exception as error:  # what a worker without convstudy cannot even read
            self._refuse(attempt.worker, f"{type(error).__name__}: {_first_line(error)}")
            self.waiting.appendleft(attempt.task)
        else:
            if answer.refusal:
                self._refuse(attempt.worker, answer.refusal)
                self.waiting.appendleft(attempt.task)
                return
            commit, dirty = commit_of(self.analysis)  # what the worker has need be no checkout
            record = CellRecord.model_validate_json(answer.record)
            self.keep(record.model_copy(update={"git_commit": commit, "git_dirty": dirty}))
            self.done += 1

    def _lost(self, attempt: _Attempt) -> None:
        key, cell = attempt.task.key, attempt.task.cell.id
        self.losses[key] = self.losses.get(key, 0) + 1
        if self.losses[key] < ATTEMPTS:
            self.waiting.appendleft(attempt.task)
            return
        self.error = self.error or AnalysisFailed(
            f"cell {cell} of {self.analysis.id} lost the {ATTEMPTS} workers that ran it, perhaps for want of "
            f"memory; {KEPT}"
        )


def _name(address: str, worker: dict[str, Any]) -> str:
    """Of a worker, as whoever started it may call it."""
    return address if worker["name"] == address else f"{worker['name']} at {worker['host']}"


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]

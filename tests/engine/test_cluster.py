"""Cells on a Dask cluster give what they give here, whatever becomes of workers and drivers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image

from engine.execution import AnalysisFailed, Cluster, ClusterError, execute
from results.store import Store
from tests.analyses.experiments import Trial, TrialParameters
from tests.conftest import ROOT
from tests.engine.trials import Trials, of_group, wait_until


@pytest.fixture
def trials(tmp_path):
    return Trials(tmp_path)


def outcomes(store: Store, profile="quick"):
    """What the cells gave, but for the process that they ran in."""
    kept = store.read_outcomes("tests.trial", profile)
    return {cell.id: {**cell.outcome, "process": 0} for cell in kept.cells}


def addresses() -> set[str]:
    """Where this process and its children listen, and what they are connected to."""
    this = psutil.Process()
    found = set()
    for process in (this, *this.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            for connection in process.net_connections(kind="inet"):
                found |= {end.ip for end in (connection.laddr, connection.raddr) if end}
    return found


# Workers of this machine


def test_workers_of_this_machine_give_what_one_process_gives_and_speak_to_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    parameters = TrialParameters(folder=str(tmp_path), seeds=4, best=True)
    execute(Trial(), "quick", parameters, Store(tmp_path / "here"))
    spoken_to: set[str] = set()
    execute(
        Trial(),
        "quick",
        parameters,
        Store(tmp_path / "there"),
        jobs=2,
        cluster=Cluster(),
        report=lambda progress: spoken_to.update(addresses()),
    )
    here, there = outcomes(Store(tmp_path / "here")), outcomes(Store(tmp_path / "there"))
    for cell in here:
        assert there[cell].pop("environment") == "1"
        del here[cell]["environment"]
    assert there == here
    assert spoken_to == {"127.0.0.1"}
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "there" / "cells").exists()


@pytest.mark.sweep
def test_a_cell_goes_on_after_its_worker_was_killed_and_is_given_up_after_the_third(tmp_path):
    for cell, misdeed in (("1", "die once"), ("2", "die")):
        (tmp_path / f"{cell}.misdeed").write_text(misdeed)
    store = Store(tmp_path / "results")
    parameters = TrialParameters(folder=str(tmp_path), steps=2)
    with pytest.raises(AnalysisFailed, match=r"^cell 2 of tests\.trial lost the 3 workers that ran it"):
        execute(Trial(), "quick", parameters, store, jobs=2, cluster=Cluster())
    kept = {cell.id: cell.outcome for cell in store.read_outcomes("tests.trial", "quick").pending.cells}
    assert kept.keys() == {"0", "1"}
    assert kept["1"]["taken_up_at"] == 2  # the checkpoints of the worker that was killed
    runs = (tmp_path / "runs").read_text().split()
    assert (runs.count("0"), runs.count("1"), runs.count("2")) == (1, 2, 3)


@pytest.mark.sweep
def test_a_cell_that_takes_too_long_is_stopped_with_its_worker(tmp_path):
    (tmp_path / "1.misdeed").write_text("sleep 600")
    store = Store(tmp_path / "results")
    parameters = TrialParameters(folder=str(tmp_path), seeds=2)
    with pytest.raises(AnalysisFailed, match=r"tests\.trial took longer than 10 seconds for cell 1"):
        execute(Trial(), "quick", parameters, store, jobs=1, cluster=Cluster(), limit=10)
    assert [cell.id for cell in store.read_outcomes("tests.trial", "quick").pending.cells] == ["0"]


# A cluster that others started


class Machines:
    """A scheduler, and workers that each stand for a machine: processes in groups of their own."""

    def __init__(self, trials: Trials, folder: Path) -> None:
        self.trials, self.folder = trials, folder
        self.groups: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                                     "--scheduler-file", str(folder / "scheduler.json"))  # fmt: skip
        written = folder / "scheduler.json"
        deadline = time.monotonic() + 60
        while not written.exists() or not written.read_text().endswith("}"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        self.address = json.loads(written.read_text())["address"]

    def _start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        begun = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=self.folder,
            env={**self.trials.environment, "MALLOC_TRIM_THRESHOLD_": "", **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.groups.append(begun)
        return begun

    def worker(self, name: str, *, threads: int = 1, **environment: str) -> subprocess.Popen[bytes]:
        return self._start(
            "worker", self.address, "--name", name, "--nthreads", str(threads), "--memory-limit", "0",
            "--no-dashboard", "--local-directory", str(self.folder / name), **environment,
        )  # fmt: skip

    def command(self, *arguments: str, analysis: str = "tests.trial") -> tuple[str, ...]:
        return ("run", analysis, *arguments, "--executor", "dask", "--scheduler", self.address)

    def end(self) -> None:
        for begun in self.groups:
            kill(begun)


def kill(begun: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()


@contextmanager
def machines_of(trials: Trials, folder: Path) -> Iterator[Machines]:
    folder.mkdir()
    begun = Machines(trials, folder)
    try:
        yield begun
    finally:
        begun.end()


@pytest.fixture
def machines(trials, tmp_path):
    with machines_of(trials, tmp_path / "machines") as begun:
        yield begun


@pytest.mark.sweep
def test_a_lost_machine_and_a_killed_driver_lose_nothing_and_leave_no_orphan(trials, machines):
    first = machines.worker("first")
    second = machines.worker("second")
    for cell in ("0", "1"):
        trials.misdeed(cell, f"after {trials.folder / 'go-on'} 0")
    command = machines.command("--seeds", "4")
    with trials.begun(*command) as running:
        wait_until(lambda: sorted(trials.runs) == ["0", "1"], running)
        running.send_signal(signal.SIGKILL)
    with trials.begun(*command) as running:  # their cells were ended, and begin again
        wait_until(lambda: sorted(trials.runs) == ["0", "0", "1", "1"], running)
        kill(first)
        wait_until(lambda: of_group(first.pid) == [], running)
        (trials.folder / "go-on").touch()
        assert running.wait(timeout=120) == 0
    found = outcomes(trials.store, "custom")
    assert {cell: outcome["score"] for cell, outcome in found.items()} == {"0": 0, "1": 1, "2": 2, "3": 3}
    assert [found[cell]["taken_up_at"] for cell in ("0", "1")] == [1, 1]
    assert sorted(trials.runs) in ([*"0001123"], [*"0011123"])  # the lost one a third time
    assert not (trials.store.root / "cells").exists()
    assert of_group(second.pid) != []


@pytest.mark.sweep
def test_two_drivers_share_the_workers_and_one_study_has_one_driver(trials, machines):
    machines.worker("only")
    trials.misdeed("0", f"after {trials.folder / 'go-on'} 0")
    with trials.begun(*machines.command("--json")) as running:
        wait_until(lambda: trials.runs == ["0"], running)
        busy = trials(*machines.command())
        assert busy.returncode == 1
        assert busy.stderr.startswith("convstudy: tests.trial is being run by another process")
        with trials.begun(
            "run", "tests.other", "--executor", "dask", "--scheduler", machines.address
        ) as other:
            (trials.folder / "go-on").touch()
            assert (running.wait(timeout=120), other.wait(timeout=120)) == (0, 0)
    assert [cell.id for cell in trials.store.read_outcomes("tests.other", "quick").cells] == ["0", "1", "2"]
    assert list(outcomes(trials.store)) == ["0", "1", "2"]


@pytest.mark.sweep
def test_workers_that_would_compute_other_numbers_are_refused_by_name(trials, machines, tmp_path):
    pictures(tmp_path / "machines" / "pets", 200)
    pictures(tmp_path / "pets", 10)
    code = tmp_path / "other code" / "tests"
    shutil.copytree(ROOT / "tests" / "analyses", code / "analyses", ignore=shutil.ignore_patterns("test_*"))
    shutil.copy(ROOT / "tests" / "__init__.py", code)
    with (code / "analyses" / "experiments.py").open("a") as file:
        file.write("\nprint\n")
    numpy = tmp_path / "other numpy" / "numpy-1.0.dist-info"
    numpy.mkdir(parents=True)
    (numpy / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    paths = trials.environment["PYTHONPATH"]
    machines.worker("threads", threads=2)
    machines.worker("code", PYTHONPATH=f"{code.parent}:{paths}")
    machines.worker("numpy", PYTHONPATH=f"{numpy.parent}:{paths}")
    machines.worker("cpu", ATEN_CPU_CAPABILITY="default")
    machines.worker("data")
    refused = trials(*machines.command("--set", 'data=["folder:pets"]', "--json"))
    assert refused.returncode == 1
    said = refused.stderr
    assert "the worker threads at 127.0.0.1 gets no cell: it has 2 threads; start it with --" in said
    assert "the worker code at 127.0.0.1 gets no cell: the code of tests.analyses.experiments is " in said
    assert "the worker numpy at 127.0.0.1 gets no cell: numpy is 1.0, and " in said
    assert "the worker cpu at 127.0.0.1 gets no cell: the CPU is " in said
    assert "the worker data at 127.0.0.1 gets no cell: the data set folder:pets is " in said
    assert "no worker of the cluster can run tests.trial" in said.splitlines()[-1]
    assert json.loads(refused.stdout) == []
    assert trials.runs == []


def pictures(folder: Path, shade: int) -> None:
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (4, 4), (shade, 0, 0)).save(folder / name / "1.png")


@pytest.mark.sweep
def test_a_scheduler_that_ends_is_one_sentence_and_the_run_goes_on_with_another(trials, machines, tmp_path):
    worker = machines.worker("first")
    trials.misdeed("1", "sleep 600")
    with trials.begun(*machines.command()) as running:
        wait_until(lambda: trials.runs == ["0", "1"], running)
        kill(machines.scheduler)
        _, stderr = running.communicate(timeout=120)
    assert running.returncode == 1
    assert stderr.splitlines()[-1] == (
        "convstudy: the Dask scheduler of tests.trial is gone; "
        "what was finished is kept, and the same command takes it up again"
    )
    kill(worker)
    trials.mend("1")
    with machines_of(trials, tmp_path / "other machines") as others:
        others.worker("second")
        finished = trials(*others.command("--json"))
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) == [{"analysis": "tests.trial", "profile": "quick", "ran": True}]
    assert "distributed" not in finished.stderr
    assert trials.runs == ["0", "1", "1", "2"]


def test_a_wrong_executor_device_or_scheduler_is_one_sentence(convstudy, monkeypatch):
    for arguments, expected in (
        (("--device", "tpu"), "--device tpu is not known; say auto, cpu, cuda, cuda:1 or mps"),
        (("--device", "cpu:1"), "--device cpu:1 is not known; say auto, cpu, cuda, cuda:1 or mps"),
        (
            ("--executor", "dask", "--device", "cuda:1"),
            "--device cuda:1 is of one machine; say cuda, and give each worker a GPU of its own",
        ),
        (("--executor", "ray"), "--executor ray is not known; say local or dask"),
        (
            ("--scheduler", "tcp://head:8786"),
            "--scheduler tcp://head:8786 is for --executor dask; say that too",
        ),
    ):
        finished = convstudy("run", "detection.base_network", *arguments)
        assert (finished.returncode, finished.stderr) == (2, f"convstudy: {expected}\n")
    finished = convstudy("run", "detection.base_network", "--executor", "dask", "--scheduler", "nonsense")
    assert finished.returncode == 1
    assert finished.stderr.startswith("convstudy: no Dask scheduler answers at nonsense (")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match="pip install"):
        Cluster()

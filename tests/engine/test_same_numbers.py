"""A cell gives the same numbers however it ran: pinned or not, alone or beside others,
at once or resumed, in this process or on a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import analyses
from engine.execution import Cluster, Progress, execute
from results.store import Store
from tests.conftest import ROOT

BASELINE = analyses.get("classification.cifar10_baseline")
EPOCHS = 3


def small(pictures: Path) -> Any:
    """Some epochs of two seeds on a few images."""
    data = {"name": f"folder:{pictures}", "train": 120, "validation": 20, "test": 20}
    choices = {"data": data, "seeds": 2, "epochs": EPOCHS, "batch": 20}
    return type(BASELINE.parameters("quick")).model_validate(choices)


def draw(pictures: Path) -> None:
    """Two classes of noise, one darker."""
    random = np.random.default_rng(0)
    for name, brightest in (("dark", 160), ("light", 255)):
        (pictures / name).mkdir(parents=True)
        for number in range(80):
            pixels = random.integers(0, brightest, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(pictures / name / f"{number}.png")


def run(
    folder: Path, jobs: int, stop_at: tuple[str, str] | None = None, cluster: Cluster | None = None
) -> None:
    """Train; or stop as by Ctrl-C when a cell tells of an epoch."""

    def report(progress: Progress) -> None:
        if stop_at and progress.cell == stop_at[0] and progress.message.startswith(stop_at[1]):
            raise KeyboardInterrupt

    parameters = small(folder.parent / "pictures")
    execute(BASELINE, "quick", parameters, Store(folder), jobs=jobs, cluster=cluster, report=report)


def resume_on_one_core(folder: Path) -> None:
    """In a process of its own: the first cell is stopped after its second epoch, and gone on with."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        run(folder, jobs=1, stop_at=("lenet/0", "epoch 2"))
    except KeyboardInterrupt:
        run(folder, jobs=1)


def numbers(folder: Path) -> dict[str, dict[str, Any]]:
    """All that the cells gave, but how long they took."""
    outcomes = Store(folder).read_outcomes(BASELINE.id, "quick")
    assert outcomes is not None
    assert all(cell.threads == 1 for cell in outcomes.cells)
    found = {}
    for cell in outcomes.cells:
        found[cell.id] = {key: value for key, value in cell.outcome.items() if key != "training_seconds"}
        found[cell.id]["history"] = {**cell.outcome["history"], "seconds": None}
    return found


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be pinned here")
def test_a_training_gives_the_same_numbers_to_the_bit_however_it_ran(tmp_path):
    draw(tmp_path / "pictures")
    run(tmp_path / "at once", jobs=2)
    expected = numbers(tmp_path / "at once")
    assert list(expected) == ["lenet/0", "lenet/1"]
    assert len(expected["lenet/0"]["history"]["train_loss"]) == EPOCHS

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "the last alone", jobs=1, stop_at=("lenet/1", "epoch 2"))
    run(tmp_path / "the last alone", jobs=2)
    assert numbers(tmp_path / "the last alone") == expected

    run(tmp_path / "on a cluster", jobs=2, cluster=Cluster())
    assert numbers(tmp_path / "on a cluster") == expected

    code = "import sys, pathlib, tests.engine.test_same_numbers as same\n"
    code += "same.resume_on_one_core(pathlib.Path(sys.argv[1]))"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    pinned = tmp_path / "resumed on one core"
    subprocess.run([sys.executable, "-c", code, str(pinned)], cwd=ROOT, env=environment, check=True)
    assert numbers(pinned) == expected

"""A result is stale when code, parameters or libraries changed, and only then; and the reason is named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import analyses
from engine.execution import execute
from engine.freshness import freshness
from results.store import Store, digest, write_atomically
from tests.conftest import ROOT


def test_a_result_is_fresh_until_something_changes(tmp_path):
    store, analysis = Store(tmp_path), analyses.get("architecture.lenet")
    parameters = analysis.parameters("full")
    assert freshness(analysis, "full", parameters, store).state == "missing"
    result = execute(analysis, "full", parameters, store)
    assert freshness(analysis, "full", parameters, store).state == "fresh"

    changed = result.provenance.model_copy(
        update={
            "cache_key": digest("other"),
            "libraries": {**result.provenance.libraries, "torch": "1.0"},
            "sources": {**result.provenance.sources, "lab.counting": "0"},
        }
    )
    store.write(result.model_copy(update={"provenance": changed}))
    found = freshness(analysis, "full", parameters, store)
    assert found.state == "stale"
    assert any(reason.startswith("the code of lab.counting changed") for reason in found.reasons)
    assert any(reason.startswith("torch is") and "1.0" in reason for reason in found.reasons)


def test_asking_whether_results_are_fresh_imports_no_torch():
    code = (
        "import sys, analyses\n"
        "from engine.freshness import cache_key\n"
        "for name in analyses.identifiers():\n"
        "    analysis = analyses.get(name)\n"
        "    cache_key(analysis, analysis.parameters('full'))\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


# Experiments: what decides a cell, and what only its summary

EXPERIMENT = "classification.cifar10_baseline"
KEYS = f"""
import analyses
from engine.freshness import cache_key, cell_key
analysis = analyses.get({EXPERIMENT!r})
parameters = analysis.parameters("full")
print(cell_key(analysis, analysis.plan(parameters)[0], {{"cifar10": "abc"}}), cache_key(analysis, parameters))
"""


@pytest.fixture
def checkout(tmp_path):
    """A copy of the code to change, and the keys of a cell and of its result there."""
    for package in ("analyses", "engine", "lab", "results"):
        ignored = shutil.ignore_patterns("__pycache__", "*.json")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)

    def keys():
        command = [sys.executable, "-c", KEYS]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.split()

    return tmp_path, keys


def change(file: Path, before: str = "", after: str = "CHANGED = True\n") -> None:
    text = file.read_text()
    assert before in text
    write_atomically(file, (text.replace(before, after, 1) if before else text + after).encode())


@pytest.mark.parametrize(
    ("file", "before", "after", "cell_is_another", "result_is_another"),
    [
        ("analyses/classification/cifar10_baseline.py", "", "CHANGED = True\n", False, True),
        ("analyses/experiments.py", "", "CHANGED = True\n", False, True),
        ("engine/execution.py", "", "CHANGED = True\n", False, False),
        ("lab/training.py", "", "CHANGED = True\n", False, False),
        ("lab/training.py", "REVISION = ", "REVISION = 1", True, True),
        ("lab/datasets/splits.py", "", "CHANGED = True\n", False, False),
        ("lab/networks/lenet.py", "", "CHANGED = True\n", False, False),
        ("lab/networks/__init__.py", "REVISION = ", "REVISION = 1", True, True),
        ("analyses/experiments.py", "", "import lab.networks.alexnet\n", False, True),
        ("analyses/experiments.py", "", "import lab.verification\n", True, True),
    ],
)
def test_what_a_cell_is_keyed_by(checkout, file, before, after, cell_is_another, result_is_another):
    folder, keys = checkout
    cell, result = keys()
    change(folder / file, before, after)
    cell_now, result_now = keys()
    assert (cell_now != cell, result_now != result) == (cell_is_another, result_is_another)

"""What the tests share: a store of one's own, and the command line as a user types it."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

os.environ |= {"COLUMNS": "200", "NO_COLOR": "1"}  # before rich looks for them
os.environ["OMP_NUM_THREADS"] = "1"  # before torch does: tests run beside one another, a process a core

signal.signal(signal.SIGINT, signal.default_int_handler)  # programs run in the background ignore it

settings.register_profile("untimed", deadline=None)  # a test says nothing about how busy the machine is
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent
Finished = subprocess.CompletedProcess[str]
Run = Callable[..., Finished]


@pytest.fixture
def convstudy(tmp_path: Path) -> Run:
    """Runs `runner.py` in an empty folder, with results of its own unless told otherwise.

    In this process, since torch takes seconds to load; with a `path` of other packages in one of its own.
    """

    def run(
        *arguments: str, results: Path | None = tmp_path / "results", path: Path | None = None
    ) -> Finished:
        chosen = (*(("--results", str(results)) if results else ()), *arguments)
        if "run" in arguments and "--jobs" not in arguments:
            chosen = (*chosen, "--jobs", "1")
        if path is None:
            return command_line(*chosen, folder=tmp_path)
        return subprocess.run(
            [sys.executable, str(ROOT / "runner.py"), *chosen],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def command_line(*arguments: str, folder: Path) -> Finished:
    """What `python runner.py …` in `folder` prints and ends with, in this process."""
    import runner

    printed, said = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        mock.patch.object(os, "environ", os.environ.copy()),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(said),
    ):
        status = runner.main(list(arguments))
    return subprocess.CompletedProcess(arguments, status, printed.getvalue(), said.getvalue())

"""The experiments of the tests, installed as a third party's are, and run by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from results.store import Profile, Store
from tests.conftest import ROOT

ENTRY_POINTS = """
[convstudy.analyses]
tests.trial = tests.analyses.experiments:analysis
tests.other = tests.analyses.experiments:other
"""


#: Where the tests' experiment went wrong, behind what went wrong.
PLACE = r" \(\S+/tests/analyses/experiments\.py:\d+\)"


class Misdeeds:
    """What a cell of the tests' experiment is to do wrong, and which cells said that they ran."""

    folder: Path

    def misdeed(self, cell: str, what: str) -> None:
        (self.folder / f"{cell}.misdeed").write_text(what)

    def mend(self, cell: str) -> None:
        (self.folder / f"{cell}.misdeed").unlink()

    @property
    def runs(self) -> list[str]:
        file = self.folder / "runs"
        return file.read_text().split() if file.exists() else []


class Trials(Misdeeds):
    """The experiments of the tests, installed as a third party's are, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(folder / "results")
        self.install("trials", ENTRY_POINTS)
        paths = os.pathsep.join(map(str, (folder / "installed", ROOT)))
        self.environment = {
            **os.environ,
            "PYTHONPATH": paths,
            "TRIAL_FOLDER": str(folder),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def install(self, name: str, entry_points: str) -> None:
        """A distribution with these entry points."""
        info = self.folder / "installed" / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(entry_points)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "runner.py"), "--results", str(self.store.root), *arguments]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def explain(self, name: str) -> list[dict[str, Any]]:
        return json.loads(self("explain", name, "--json").stdout)

    @contextmanager
    def begun(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """In a process group of its own, as a terminal begins it; nothing of it is left afterwards."""
        running = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.communicate()

    def kept(self, profile: Profile = "custom") -> list[str]:
        """The finished cells of a run that has not ended."""
        outcomes = self.store.read_outcomes("tests.trial", profile)
        return [record.id for record in outcomes.pending.cells] if outcomes else []


def wait_until(holds, running):
    while not holds():
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)


def of_group(group: int) -> list[str]:
    """The processes of a process group."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [row[2] for row in rows if row[0] == str(group) and not row[1].startswith("Z")]

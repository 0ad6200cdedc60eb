"""What the tests share: a store of one's own, and the command line as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def convstudy(tmp_path: Path) -> Run:
    """Runs `python runner.py` in an empty folder, with results of its own unless told otherwise."""

    def run(
        *arguments: str,
        results: Path | None = tmp_path / "results",
        path: Path | None = None,
        **options: object,
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(path or ""), "NO_COLOR": "1"}
        chosen = ["--results", str(results)] if results else []
        return subprocess.run(
            [sys.executable, str(ROOT / "runner.py"), *chosen, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            **options,  # type: ignore[call-overload]
        )

    return run

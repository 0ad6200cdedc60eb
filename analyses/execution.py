"""Running an analysis: its cells, each cached as it ends, then the Result with its provenance.

An interrupted run loses at most the cell it was in: finished cells are kept under `<results>/cells/` until
the Result is written, and are taken up again by the next run of the same code and parameters.
"""

from __future__ import annotations

import json
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analyses.freshness import cache_key, file_of, libraries, source_hash, sources
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters
from results.schema import Provenance, Result
from results.store import Profile, Store, digest, write_atomically


@dataclass(frozen=True)
class Progress:
    """What runs, and how far it is: `done` of `cells`, the present one at `fraction`."""

    analysis: str
    cells: int
    done: int
    fraction: float
    message: str


def execute(
    analysis: Analysis[Any],
    profile: Profile,
    parameters: Parameters,
    store: Store,
    *,
    device: str = "cpu",
    force: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """Run every cell that has no stored outcome (all with `force`), summarize, and write the Result."""
    started = time.perf_counter()
    cells = analysis.plan(parameters)
    key = cache_key(analysis, parameters)
    folder = store.root / "cells" / f"{analysis.id}-{key[:16]}"
    if force:
        shutil.rmtree(folder, ignore_errors=True)
    outcomes: dict[str, Outcome] = {}
    for index, cell in enumerate(cells):

        def tell(fraction: float, message: str, done: int = index) -> None:
            report(Progress(analysis.id, len(cells), done, fraction, message))

        tell(0.0, cell.id)
        outcomes[cell.id] = _outcome(analysis, cell, parameters, folder, device, tell)
    summary = analysis.summarize(parameters, outcomes)
    commit, dirty = _commit(analysis)
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
            cache_key=key,
            parameters=parameters.model_dump(mode="json"),
            seeds=tuple(sorted({cell.seed for cell in cells if cell.seed is not None})),
            datasets=summary.datasets,
            device=device,
            libraries=libraries(analysis),
            python=platform.python_version(),
            git_commit=commit,
            git_dirty=dirty,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            wall_seconds=round(time.perf_counter() - started, 3),
            peak_memory_bytes=_peak_memory_bytes(),
            note=summary.note,
        ),
    )
    store.write(result)
    shutil.rmtree(folder, ignore_errors=True)
    report(Progress(analysis.id, len(cells), len(cells), 0.0, "written"))
    return result


def _outcome(
    analysis: Analysis[Any],
    cell: Cell,
    parameters: Parameters,
    folder: Path,
    device: str,
    tell: Callable[[float, str], None],
) -> Outcome:
    """The cell's stored outcome, or a new one, stored before it is returned."""
    name = digest({"id": cell.id, "settings": cell.settings, "seed": cell.seed})[:16]
    stored = folder / f"{name}.json"
    try:
        outcome: Outcome = json.loads(stored.read_bytes())
        return outcome
    except (FileNotFoundError, ValueError):
        pass
    scratch = folder / name
    scratch.mkdir(parents=True, exist_ok=True)
    outcome = analysis.run(cell, parameters, Context(device=device, scratch=scratch, report=tell))
    text = json.dumps(outcome)
    write_atomically(stored, text.encode())
    shutil.rmtree(scratch, ignore_errors=True)
    loaded: Outcome = json.loads(text)  # what a resumed run would see
    return loaded


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

"""What a cell costs beside its own work, in processes of this machine and on a Dask cluster of this machine.

    python -m benchmarks.cluster [--cells 10 100 1000] [--json FILE]

Cells that do nothing, two at a time, each kept as it ends. Start is what the first cell waits for; the time
a cell is of those after it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from benchmarks.goals import Goal, options, report
from engine.execution import Cluster, Progress, execute
from results.store import Store

JOBS = 2


class Count(Parameters):
    cells: int = 10


class Nothing(Analysis[Count]):
    id = "benchmarks.nothing"
    title = "Nothing"
    question = "What does a cell cost that does nothing?"
    libraries = ()

    def parameters(self, profile: Profile) -> Count:
        return Count()

    def plan(self, parameters: Count) -> list[Cell]:
        return [Cell(str(number), seed=number) for number in range(parameters.cells)]

    def run(self, cell: Cell, context: Context) -> Outcome:
        return {"seed": cell.seed}

    def summarize(self, parameters: Count, outcomes: Mapping[str, Outcome]) -> Summary:
        return Summary()


def measure(cells: int, cluster: Cluster | None) -> tuple[float, float]:
    """Seconds to the end of the first cell, and for each one after it."""
    ends: list[float] = []

    def note(progress: Progress) -> None:
        if progress.done > len(ends):
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory(prefix="convstudy-") as folder:
        started = time.perf_counter()
        execute(
            Nothing(),
            "quick",
            Count(cells=cells),
            Store(Path(folder)),
            jobs=JOBS,
            cluster=cluster,
            report=note,
        )
    return ends[0] - started, (ends[-1] - ends[0]) / (cells - 1)


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--cells", type=int, nargs="+", default=[10, 100, 1000])
    chosen = parser.parse_args()
    goals = []
    for cells in chosen.cells:
        for name, cluster in (("local", None), ("dask", Cluster())):
            start, each = measure(cells, cluster)
            goals += [
                Goal(f"{name}, {cells} cells: start, s", start),
                Goal(f"{name}, {cells} cells: a cell, ms", 1000 * each),
            ]
    report(goals, chosen.json)


if __name__ == "__main__":
    main()

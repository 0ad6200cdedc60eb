"""How long the largest published table of counts takes, in processes beside one another.

    python -m benchmarks.zoo [TABLE] [--every N] [--processes N] [--json FILE]

The table is that of `architecture.zoo`, looked for under the data root. `--every 10` counts each tenth row,
and multiplies the time by ten. The time is that of the clock, with builds and fusions, once torch and timm
are imported.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from pathlib import Path

from benchmarks.goals import Goal, options, report
from lab import zoo


def alone() -> None:
    """A process beside others computes on one thread; what it needs is imported before the clock starts."""
    import timm  # noqa: F401
    import torch

    torch.set_num_threads(1)


def main() -> None:
    parser: argparse.ArgumentParser = options(__doc__)
    default = Path(os.environ.get("CONVSTUDY_DATA", "."), "timm_infer_2026.csv")
    parser.add_argument("table", type=Path, nargs="?", default=default)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    rows = zoo.read_table(chosen.table)[:: chosen.every]
    with multiprocessing.get_context("spawn").Pool(chosen.processes, alone) as pool:
        pool.map(zoo.counted, rows[: chosen.processes], chunksize=1)
        started = time.perf_counter()
        found = list(pool.imap_unordered(zoo.counted, rows, chunksize=4))
    minutes = chosen.every * (time.perf_counter() - started) / 60
    cores = chosen.every * sum(entry["seconds"] for entry in found)
    counted_rows = sum("error" not in entry for entry in found)
    report(
        [
            Goal(f"whole table, {chosen.processes} processes, minutes", minutes, at_most=4),
            Goal("whole table, seconds of processors", cores),
            Goal(f"of {len(rows)} rows, counted", counted_rows, at_least=len(rows)),
        ],
        chosen.json,
    )


if __name__ == "__main__":
    main()

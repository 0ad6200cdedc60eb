"""How much memory a data set takes that does not fit in it, and how fast it is decoded and read.

    python -m benchmarks.loading [--count 100000] [--side 224] [--json FILE]

Synthetic photographs are written into a zip in a temporary folder, decoded into a cache beside it, and shown
to a network of one convolution for one epoch. Everything is deleted at the end; the decoded images take
count × side² × 3 bytes of the disk (15 GB). Memory is the largest resident size of this process and of those
that decode, together, above what it was once torch was imported.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import tempfile
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path

from benchmarks.goals import Goal, options, report

KINDS = 10
DISTINCT = 200  # images; the zip repeats them under other names


class Watch(threading.Thread):
    """The largest resident size of this process and those that it started, looked at all the time."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = self.now()
        self.start()

    def now(self) -> int:
        """Bytes, as Linux tells them."""
        pages = 0
        for process in (os.getpid(), *(child.pid for child in multiprocessing.active_children())):
            with suppress(OSError):  # ended meanwhile
                pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, self.now())
            time.sleep(0.05)


def write_zip(path: Path, count: int, side: int) -> None:
    import numpy as np
    from PIL import Image

    drawn = np.random.default_rng(0)
    contents = []
    for _ in range(DISTINCT):
        small = Image.fromarray(drawn.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        opened = io.BytesIO()
        small.resize((side, side), Image.Resampling.BICUBIC).save(opened, "JPEG")
        contents.append(opened.getvalue())
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            archive.writestr(f"class{number % KINDS}/{number:07d}.jpg", contents[number % DISTINCT])


def measure(count: int, side: int, folder: Path) -> list[Goal]:
    import torch
    from torch import nn

    from analyses.experiments import DataChoice, load
    from lab.recipes import Recipe
    from lab.training import fit

    write_zip(folder / "photos.zip", count, side)
    watch = Watch()
    before = watch.peak
    started = time.perf_counter()
    held = count // 10
    choice = DataChoice(
        name=f"folder:{folder / 'photos.zip'}",
        train=count - 2 * held,
        validation=held,
        test=held,
        size=(side, side),
    )
    data, classes = load(choice, "cpu")
    decoded = time.perf_counter() - started
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 8, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, len(classes))
    )
    started = time.perf_counter()
    fit(model, data, Recipe(epochs=1, learning_rate=0.01))
    shown = time.perf_counter() - started
    kept = sum(file.stat().st_size for file in (folder / "cache").rglob("*.npy"))
    return [
        Goal("decoded images in the cache, GB", kept / 1e9),
        Goal("memory above the import, GB", (watch.peak - before) / 1e9, at_most=2),
        Goal("images decoded and kept a second", count / decoded),
        Goal("images shown and measured a second", count / shown),
    ]


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=224)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="convstudy-") as folder:
        os.environ["CONVSTUDY_CACHE"] = f"{folder}/cache"
        report(measure(chosen.count, chosen.side, Path(folder)), chosen.json)


if __name__ == "__main__":
    main()

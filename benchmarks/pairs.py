"""How fast ROC and AUC over every pair are, in how much memory, beside the usual ways.

    python -m benchmarks.pairs [--images 3708] [--many 31600] [--json FILE]

Embeddings of 1,000 numbers, drawn around a centre for each of N ÷ 3 people. Ours, with as many threads as
there are cores; `pdist` and scikit-learn's roc_curve and auc on all distances; torchmetrics' AUROC of these,
where it is installed; and a Python loop over pairs, timed on a part of them and scaled. Then `--many` images
of 128 numbers with ours alone. Memory is the growth of the peak of a fresh process above the embeddings, on
Linux.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.goals import Goal, options, report

MIB = 2**20
MEMORY = """
import re, sys
from pathlib import Path
from benchmarks.pairs import drawn
from lab.pairs import every_pair
every_pair(*drawn(300, 16))
points, names = drawn(int(sys.argv[1]), int(sys.argv[2]))
def told(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = told("VmRSS")
every_pair(points, names)
print(told("VmHWM") - before)
"""


def drawn(count: int, width: int) -> tuple[Any, Any]:
    import torch

    generator = torch.Generator().manual_seed(0)
    names = torch.randint(max(2, count // 3), (count,), generator=generator)
    centres = torch.randn(int(names.max()) + 1, width, generator=generator)
    return centres[names] + 2 * torch.randn(count, width, generator=generator), names.numpy()


def measure(count: int, many: int) -> list[Goal]:
    import numpy as np
    import torch
    from sklearn.metrics import auc, roc_curve

    from lab.pairs import every_pair

    torch.set_num_threads(os.cpu_count() or 1)
    points, names = drawn(count, 1_000)
    every_pair(points[:300], names[:300])
    times, exact = [], 0.0
    for _ in range(3):
        started = time.perf_counter()
        found = every_pair(points, names)
        area = found.auc()
        times.append(time.perf_counter() - started)
    first, second = np.triu_indices(count, 1)
    started = time.perf_counter()
    unit = torch.nn.functional.normalize(points, dim=1)
    distances = torch.pdist(unit).square().div(2).numpy()
    false, true, _ = roc_curve(names[first] == names[second], -distances)
    exact = auc(false, true)
    usual = time.perf_counter() - started
    others = []
    try:
        from torchmetrics.functional.classification import binary_auroc
    except ImportError:
        pass
    else:
        started = time.perf_counter()
        binary_auroc(-torch.from_numpy(distances), torch.from_numpy(names[first] == names[second]).long())
        others.append(
            Goal("torchmetrics, from the distances ÷ ours", (time.perf_counter() - started) / min(times))
        )
    some = 20_000
    started = time.perf_counter()
    plain = [
        (float((unit[i] * unit[j]).sum()), names[i] == names[j])
        for i, j in zip(first[:some].tolist(), second[:some].tolist(), strict=True)
    ]
    loop = (time.perf_counter() - started) * len(first) / len(plain)

    def growth(images: int, width: int) -> float:
        arguments = [sys.executable, "-c", MEMORY, str(images), str(width)]
        told = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
        return int(told) * 1024 / MIB

    big, people = drawn(many, 128)
    started = time.perf_counter()
    every_pair(big, people)
    all_of_many = time.perf_counter() - started
    return [
        Goal(f"ours: {len(first):,} pairs, s", min(times), at_most=0.5),
        Goal("pdist, roc_curve and auc, s", usual),
        Goal("pdist, roc_curve and auc ÷ ours", usual / min(times)),
        *others,
        Goal("loop over pairs, scaled ÷ ours", loop / min(times)),
        Goal("difference of the AUC to the exact one × 10⁶", abs(area - exact) * 1e6, at_most=1),
        Goal("memory above the embeddings, MiB", growth(count, 1_000), at_most=200),
        Goal(f"{many * (many - 1) // 2:,} pairs, s", all_of_many),
        Goal("memory above these embeddings, MiB", growth(many, 128), at_most=200),
    ]


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--images", type=int, default=3_708)
    parser.add_argument("--many", type=int, default=31_600)
    chosen = parser.parse_args()
    report(measure(chosen.images, chosen.many), chosen.json)


if __name__ == "__main__":
    main()

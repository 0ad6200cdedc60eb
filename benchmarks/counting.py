"""How fast a layer table is, beside other counters, and how many of them count right: ratios in one run.

    python -m benchmarks.counting [--json FILE] [--zoo MODELS]

ptflops, calflops and thop take part where they are installed. A count is right where it is to the unit what
FlopCounterMode sees on real numbers, with torch's fused attention of inference switched off, which hides its
products. `--zoo` adds so many models of timm, drawn by a seed from those of at most two thousand million
MACs, which every program can run on real numbers. Peers that are not here are named.

Every program counts the same models, built before the clock starts: the others on real tensors, as their
documentation shows, ours as it always works. Repeats are interleaved, and the best of each is kept, since
other work on the machine can only slow a run down. Peak memory is read in a fresh process a program.
"""

from __future__ import annotations

import copy
import logging
import os
import random
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from analyses.architecture.crosscheck import CrosscheckParameters
from benchmarks.goals import Goal, options, report

os.environ.setdefault("OMP_NUM_THREADS", "1")

TEN = CrosscheckParameters().models
PROGRAMS = ("ours", "fvcore", "torch", "torchinfo")
#: Programs that are no dependencies of ours, with what they import and do not say that they need.
NEEDS = {"ptflops": (), "calflops": ("transformers", "accelerate"), "thop": ("distutils",)}
PEERS = tuple(name for name, needs in NEEDS.items() if all(map(find_spec, (name, *needs))))
SHAPE = (3, 224, 224)
MIB = 2**20
LARGEST = 2_000_000_000  # MACs of a model of timm that is run on real numbers


def counter(program: str, shape: tuple[int, ...] = SHAPE) -> Callable[[object], object]:
    """A function that counts one model, everything imported."""
    import torch

    torch.set_num_threads(1)
    if program == "ours":
        from lab.counting import count

        return lambda model: count(model, shape).macs
    image = torch.zeros(1, *shape)
    if program == "ptflops":
        from ptflops import get_model_complexity_info

        return lambda model: get_model_complexity_info(
            model, shape, as_strings=False, print_per_layer_stat=False, verbose=False
        )[0]
    if program == "calflops":
        from calflops import calculate_flops

        return lambda model: calculate_flops(
            model, input_shape=(1, *shape), print_results=False, output_as_string=False
        )[1]
    if program == "thop":
        from thop import profile

        return lambda model: profile(model, inputs=(image,), verbose=False)[0]
    if program == "torch":
        from torch.utils.flop_counter import FlopCounterMode

        def flops(model):
            with FlopCounterMode(display=False) as mode:
                model(image)
            return mode.get_total_flops()

        return flops
    if program == "torchinfo":
        import torchinfo

        return lambda model: torchinfo.summary(model, input_data=image, verbose=0).total_mult_adds
    warnings.simplefilter("ignore")
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    from fvcore.nn import FlopCountAnalysis

    return lambda model: FlopCountAnalysis(model, (image,)).total()


def built(names: Iterable[str], program: str) -> list[object]:
    """The models: on the meta device for us, with numbers for the others."""
    import torch

    from lab import models

    loaded = [models.load(name).eval() for name in names]
    if program == "ours":
        return loaded
    real = [model.to_empty(device="cpu") for model in loaded]
    for model in real:
        for tensor in (*model.parameters(), *model.buffers()):
            with torch.no_grad():
                tensor.fill_(0.01) if tensor.is_floating_point() else tensor.zero_()
    return real


def seconds(count: Callable[[object], object], models: Iterable[object]) -> float:
    started = time.perf_counter()
    for model in models:
        count(model)
    return time.perf_counter() - started


def best_times(names: tuple[str, ...], repeats: int) -> dict[str, float]:
    """The best wall time of each program over interleaved repeats, after one that is not counted."""
    counters = {program: counter(program) for program in (*PROGRAMS, *PEERS)}
    real = built(names, "real")
    kept = {id(t): t for model in real for t in (*model.parameters(), *model.buffers())}
    models = {program: [copy.deepcopy(m, dict(kept)) for m in real] for program in (*PROGRAMS, *PEERS)}
    models["ours"] = built(names, "ours")
    for program in (*PROGRAMS, *PEERS):
        seconds(counters[program], models[program])
    best = dict.fromkeys((*PROGRAMS, *PEERS), float("inf"))
    for _ in range(repeats):
        for program in (*PROGRAMS, *PEERS):
            best[program] = min(best[program], seconds(counters[program], models[program]))
    return best


def right(program: str, build: Callable[[], object], shape: tuple[int, ...], truth: int) -> bool:
    """Whether the program's MACs of a fresh model are the truth; a program that fails is not."""
    try:
        total = counter(program, shape)(build())
    except Exception:
        return False
    return int(total) // (2 if program == "torch" else 1) == truth  # FLOPs


def rightness(builds: dict[tuple[str, tuple[int, ...]], Callable[[], Any]]) -> dict[str, int]:
    """Of how many models each program counts the MACs right."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    found = dict.fromkeys((*PROGRAMS, *PEERS), 0)
    for (_, shape), build in builds.items():
        model = build().requires_grad_(False)  # else its tracker of modules may fail
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.no_grad(), FlopCounterMode(display=False) as mode:
            model(torch.zeros(1, *shape))
        torch.backends.mha.set_fastpath_enabled(True)
        for program in found:
            with torch.no_grad():
                found[program] += right(program, build, shape, mode.get_total_flops() // 2)
    return found


def of_timm(number: int) -> dict[tuple[str, tuple[int, ...]], Callable[[], Any]]:
    """So many models of timm, drawn by a seed, that run on an image and are small enough for real numbers."""
    import timm
    import torch

    from lab import models
    from lab.counting import CountError, count

    names = timm.list_models()
    random.Random(20).shuffle(names)
    chosen: dict[tuple[str, tuple[int, ...]], Callable[[], Any]] = {}
    for name in names:
        if len(chosen) == number:
            break
        model = models.load(f"timm:{name}").eval()
        shape = models.default_input(f"timm:{name}", model)
        with suppress(CountError):  # it runs on shapes in torch all the same, and is then judged
            if count(model, shape).macs > LARGEST:
                continue
        try:
            model(torch.empty(1, *shape, device="meta"))
        except Exception:  # it takes no image
            continue
        chosen[name, shape] = lambda name=name: built([f"timm:{name}"], "real")[0]
    return chosen


def growth(program: str) -> float:
    """MiB by which counting the ten models raises the peak memory of a fresh process."""
    code = (
        "from benchmarks.counting import TEN, built, counter, forget_peak, peak\n"
        f"count, models = counter({program!r}), built(TEN, {program!r})\n"
        "forget_peak()\n"
        "before = peak()\n"
        "for model in models: count(model)\n"
        "print(peak() - before)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / MIB


def forget_peak() -> None:
    """Let the peak start again from what is resident now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Peak resident bytes of this process since the last `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def all_models() -> tuple[int, float]:
    """How many classification models torchvision has, and the seconds to build and count them all."""
    from lab import models
    from lab.counting import count

    names, started = models.names(), time.perf_counter()
    for name in names:
        model = models.load(name)
        count(model, models.default_input(name, model))
    return len(names), time.perf_counter() - started


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--zoo", type=int, default=0, help="models of timm that are counted too")
    chosen = parser.parse_args()
    for name in NEEDS.keys() - set(PEERS):
        print(f"{name} takes no part: {' or '.join((name, *NEEDS[name]))} is not installed")
    one = best_times(("vgg19",), chosen.repeats)
    ten = best_times(TEN, max(2, chosen.repeats // 2))
    number, total = all_models()
    grown = {program: growth(program) for program in PROGRAMS}
    others = PROGRAMS[1:]
    models = {(name, SHAPE): (lambda name=name: built([name], "real")[0]) for name in TEN}
    exact = rightness(models | of_timm(chosen.zoo))
    judged = len(TEN) + chosen.zoo
    report(
        [
            Goal("VGG-19 table, ms", 1e3 * one["ours"], at_most=20),
            *(Goal(f"VGG-19, {other} ÷ ours", one[other] / one["ours"], at_least=20) for other in others),
            Goal("ten models, s", ten["ours"]),
            *(
                Goal(f"ten models, {other} ÷ ours", ten[other] / ten["ours"], at_least=goal)
                for other, goal in zip(others, (5, 3, 3), strict=True)
            ),
            Goal(f"of {judged} models, counted right by us", exact["ours"], at_least=judged),
            *(
                Goal(f"of {judged} models, counted right by {other}", exact[other])
                for other in (*others, *PEERS)
            ),
            *(Goal(f"ten models, {other} ÷ ours", ten[other] / ten["ours"], at_least=3) for other in PEERS),
            Goal("ten models, our growth in memory, MiB", grown["ours"], at_most=50),
            *(Goal(f"ten models, growth of {other}, MiB", grown[other]) for other in others),
            Goal(f"all {number} classification models, built and counted, s", total, at_most=60),
        ],
        chosen.json,
    )


if __name__ == "__main__":
    main()

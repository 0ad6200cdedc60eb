"""What survives: runs and builds that are killed, resumed, damaged, refused disk and begun twice, at random.

    python -m benchmarks.soak [--minutes 20] [--seed 0] [--json FILE]

A small training of several cells is disturbed again and again, and then left to end; what it gave is compared
with an undisturbed run, to the bit but for times. So are builds of a study, which are killed at any moment
and at the moment in which a file is moved to its place, and the site is compared. Damaged outcomes must be
refused by name; damaged checkpoints, files of the cache, pages and what is kept of the last build must be
made again. Cells are lost when a record that was kept is gone; files are left when more lies there than after
an undisturbed run. A disk that is full is one that takes no file above some size.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.goals import Goal, options, report
from results.store import Store

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = (str(ROOT / "runner.py"),)
ANALYSIS = "classification.cifar10_baseline"
SEEDS = 4
STUDY = "architectures"
SHARE_OF_RUNS = 0.6  # of the time; builds have the rest
KILLS_OF_TEN = 5  # disturbances of a run; the others are one of each kind
KILLS_A_SITE = 8  # before it is left to be built, and compared
#: runner.py, killed before it moves the file of that number to its place, or before it does the next thing.
KILLED_AT_A_MOVE = """
import os, signal, sys
number, late, moves = int(sys.argv.pop(1)), sys.argv.pop(1) == "late", 0
def watch(event, _):
    global moves
    if not late:
        moves += event == "os.rename"
    if moves == number:
        moves = -sys.maxsize
        os.kill(os.getpid(), signal.SIGKILL)
    if late:
        moves += event == "os.rename"
import runner
sys.addaudithook(watch)
sys.exit(runner.main())
"""

#: Kinds of damage to a file, each from its bytes.
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "first half": lambda data: data[: len(data) // 2],
    "last byte gone": lambda data: data.rstrip()[:-1],
    "first byte gone": lambda data: data[1:],
    "one bit": lambda data: data[:200] + bytes([data[200] ^ 4]) + data[201:] if data[200:] else b"?",
    "zeros within": lambda data: data[:100] + b"\0" * 64 + data[164:],
    "all zeros": lambda data: b"\0" * len(data),
    "twice": lambda data: data + data,
    "another number": lambda data: data.replace(b": 0.", b": 1.", 1),
    "a page": lambda data: b"<!DOCTYPE html><p>Not found</p>",
    "a list": lambda data: b"[]",
    "null": lambda data: b"null",
    "a text": lambda data: b'"result"',
    "too large a number": lambda data: b'{"schema_version": 1e999}',
    "half a character": lambda data: b'{"schema_version": "\\ud800"}',
    "nested": lambda data: b"[" * 200_000,
    "of a newer version": lambda data: data.replace(b'"schema_version": ', b'"schema_version": 9', 1),
    "not UTF-8": lambda data: b"\xff\xfe" + data,
    "conflict markers": lambda data: b"<<<<<<< HEAD\n" + data,
}


class Soak:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.reference: dict[str, Any] = {}

    # What is disturbed

    def draw(self) -> None:
        """Two classes of noise, one darker."""
        pixels = np.random.default_rng(0)
        for name, brightest in (("dark", 160), ("light", 255)):
            (self.folder / "pictures" / name).mkdir(parents=True)
            for number in range(80):
                image = pixels.integers(0, brightest, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(image).save(self.folder / "pictures" / name / f"{number}.png")

    def begin(
        self,
        *arguments: str,
        largest: int | None = None,
        program: tuple[str, ...] = PROGRAM,
    ) -> subprocess.Popen[str]:
        def limited() -> None:
            if largest is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=self.folder,
            env=os.environ
            | {
                "CONVSTUDY_CACHE": str(self.folder / "cache"),
                "NO_COLOR": "1",
                "PYTHONPATH": str(ROOT),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=limited,
        )

    def training(self, results: Path, largest: int | None = None) -> subprocess.Popen[str]:
        data = {"name": f"folder:{self.folder / 'pictures'}", "train": 120, "validation": 20, "test": 20}
        settings = {"data": json.dumps(data), "seeds": SEEDS, "epochs": 3, "batch": 20}
        changes = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        command = ("--results", str(results), "run", ANALYSIS, "--device", "cpu", "--jobs", "1", *changes)
        return self.begin(*command, largest=largest)

    def kept(self, results: Path) -> dict[str, Any]:
        outcomes = Store(results).read_outcomes(ANALYSIS, "custom")
        records = (*outcomes.cells, *outcomes.pending.cells) if outcomes else ()
        found = {}
        for record in records:
            found[record.id] = {k: v for k, v in record.outcome.items() if k != "training_seconds"}
            found[record.id]["history"] = {**record.outcome["history"], "seconds": None}
        return found

    # How

    def kill(self, results: Path) -> None:
        running = self.training(results)
        begun = has_begun(running)
        time.sleep(self.random.uniform(0, 1.5))
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            self.counts["kills of a run"] += begun
        running.communicate()

    def interrupt(self, results: Path) -> None:
        running = self.training(results)
        has_begun(running)
        time.sleep(self.random.uniform(0, 1.5))
        os.killpg(running.pid, signal.SIGINT)
        said = running.communicate()[1]
        self.counts["interruptions"] += 1
        self.expect("Traceback" not in said, f"an interrupted run said {said[-300:]!r}")

    def fill_the_disk(self, results: Path) -> None:
        running = self.training(results, largest=self.random.randrange(100, 6000))
        said = running.communicate()[1]
        self.counts["full disks"] += 1
        self.expect(
            running.returncode == 1, f"with a full disk a run ended with {running.returncode}: {said[-300:]}"
        )
        self.expect("Traceback" not in said, f"with a full disk a run said {said[-300:]!r}")

    def run_twice(self, results: Path) -> None:
        both = [self.training(results) for _ in range(2)]
        said = [running.communicate()[1] for running in both]
        self.counts["runs begun twice"] += 1
        ends = sorted(running.returncode for running in both)
        busy = [text for text in said if "is being run by another process" in text]
        self.expect(ends == [0, len(busy)], f"two runs at once ended with {ends}: {said}")

    def damage(self, results: Path) -> None:
        """A damaged file is refused by name, and the run goes on once it is restored."""
        path = Store(results).outcomes_path(ANALYSIS, "custom")
        if not path.exists():
            return
        intact = path.read_bytes()
        for kind in self.random.sample(sorted(DAMAGE), 2):
            path.write_bytes(DAMAGE[kind](intact))
            running = self.training(results)
            said = running.communicate()[1]
            self.counts["damaged files"] += 1
            self.counts[f"damage: {kind}"] += 1
            refused = running.returncode == 1 and path.name in said and "Traceback" not in said
            self.expect(refused, f"{kind} damage was met with {running.returncode}: {said[-300:]}")
            path.write_bytes(intact)

    def damage_what_is_made_again(self, results: Path) -> None:
        """Checkpoints and files of the cache, of which the next run makes what it needs."""
        self.damage_some(files(results / "cells"), results / "cells")
        self.damage_some(files(self.folder / "cache"), self.folder / "cache")

    def damage_some(self, names: set[str], folder: Path) -> None:
        known = sorted(name for name in names if not name.endswith("lock"))
        for name in self.random.sample(known, min(2, len(known))):
            kind = self.random.choice(sorted(DAMAGE))
            (folder / name).write_bytes(DAMAGE[kind]((folder / name).read_bytes()))
            self.counts["damaged files"] += 1
            self.counts[f"damage: {kind}"] += 1

    # What is compared

    def expect(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)
            print(problem, flush=True)

    def undisturbed(self) -> None:
        results = self.folder / "undisturbed"
        assert self.training(results).wait() == 0
        self.reference = self.kept(results)
        assert len(self.reference) == SEEDS

    def round(self, number: int) -> None:
        results = self.folder / f"round {number}"
        known: dict[str, Any] = {}
        for _ in range(self.random.randrange(5, 15)):
            ways = (
                *(self.kill,) * KILLS_OF_TEN,
                self.interrupt,
                self.fill_the_disk,
                self.damage,
                self.damage_what_is_made_again,
                self.run_twice,
            )
            self.random.choice(ways)(results)
            now = self.kept(results)
            self.counts["cells lost"] += len(known.keys() - now.keys())
            known = now
        last = self.training(results)
        said = last.communicate()[1]
        self.expect(last.returncode == 0, f"the last run ended with {last.returncode}: {said[-300:]}")
        self.counts["results compared"] += 1
        self.counts["results that differ"] += self.kept(results) != self.reference
        self.counts["files left"] += len(files(results) ^ files(self.folder / "undisturbed"))
        shutil.rmtree(results)

    def builds(self, until: float) -> None:
        """Builds of the recorded results, disturbed and then let end."""
        recorded = self.folder / "recorded"
        shutil.copytree(ROOT / "results" / "full", recorded / "full")
        command = ("--results", str(recorded), "build", STUDY, "--format", "html", "--output")
        sites = self.folder / "site", self.folder / "disturbed" / "site"
        assert self.begin(*command, str(sites[0])).wait() == 0
        moves = len(files(sites[0]))
        while time.monotonic() < until:
            for _ in range(KILLS_A_SITE):
                disturb = self.random.choice((self.kill_a_build, self.kill_at_a_move, self.kill_at_a_move))
                disturb((*command, str(sites[1])), moves)
            if self.random.random() < 0.5:
                self.damage_some(files(sites[1].parent), sites[1].parent)
            both = [self.begin(*command, str(sites[1])) for _ in range(self.random.choice((1, 2)))]
            said = [running.communicate()[1] for running in both]
            self.counts["builds begun twice"] += len(both) == 2
            self.expect(
                not any(running.returncode for running in both), f"builds ended with {said[0][-300:]}"
            )
            self.counts["sites compared"] += 1
            self.counts["sites that differ"] += any(
                not (sites[1] / name).is_file()
                or (sites[1] / name).read_bytes() != (sites[0] / name).read_bytes()
                for name in files(sites[0])
            )
            self.counts["files left"] += len(files(sites[1]) - files(sites[0]))
            shutil.rmtree(sites[1].parent)

    def kill_a_build(self, command: tuple[str, ...], moves: int) -> None:
        running = self.begin(*command)
        time.sleep(self.random.uniform(0.3, 6))
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            self.counts["kills of a build, at any moment"] += 1
        running.communicate()

    def kill_at_a_move(self, command: tuple[str, ...], moves: int) -> None:
        at = (str(self.random.randint(1, moves)), self.random.choice(("late", "early")))
        killed = self.begin(*command, program=("-c", KILLED_AT_A_MOVE, *at))
        killed.communicate()
        self.counts["kills of a build, where a file is moved"] += killed.returncode == -signal.SIGKILL


def has_begun(running: subprocess.Popen[str]) -> bool:
    """Wait until a cell of the run begins; False where the run ends before."""
    assert running.stderr is not None
    return any(line.startswith(f"{ANALYSIS}: ") for line in running.stderr)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="convstudy-soak-") as folder:
        soak = Soak(Path(folder), chosen.seed)
        soak.draw()
        soak.undisturbed()
        number = 0
        while time.monotonic() < started + 60 * chosen.minutes * SHARE_OF_RUNS:
            soak.round(number := number + 1)
        soak.builds(started + 60 * chosen.minutes)
    nothing = ("cells lost", "files left", "results that differ", "sites that differ")
    goals = [Goal(name, count) for name, count in sorted(soak.counts.items()) if name not in nothing]
    goals += [Goal(name, soak.counts[name], at_most=0) for name in nothing]
    goals.append(Goal("other than expected", len(soak.problems), at_most=0))
    report(goals, chosen.json)
    if not all(goal.holds for goal in goals):
        sys.exit(1)


if __name__ == "__main__":
    main()

"""What survives: runs and builds that are killed, resumed, damaged, refused disk and begun twice, at random.

    python -m benchmarks.soak [--minutes 20] [--seed 0] [--json FILE]

A small training of several cells is disturbed again and again, and then left to end; what it gave is compared
with an undisturbed run, to the bit but for times. So are builds of a study, which are killed at any moment
and at the moment in which a file is moved to its place, and the site is compared. Damaged outcomes must be
refused by name; damaged checkpoints, files of the cache, pages and what is kept of the last build must be
made again. Cells are lost when a record that was kept is gone; files are left when more lies there than after
an undisturbed run, or a lock in the checkout. A disk that is full is one that takes no file above some size.

The undisturbed ones are begun as a user begins them. The others are forks of this process, which has imported
what they import: most of what a run of seconds costs is Python, torch and the rest being loaded.
"""

from __future__ import annotations

import importlib
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
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from PIL import Image

import runner
from benchmarks.goals import Goal, options, report
from results.store import Store

ROOT = Path(__file__).resolve().parent.parent
ANALYSIS = "classification.cifar10_baseline"
SEEDS = 4
SHARE_OF_RUNS = 0.6  # of the time; builds have the rest
SHARE_OF_MOVES = 0.8  # of the kills of a build; the others come at any moment
SHARE_OF_SITES = 0.7  # that go before the next one while what is kept of their build stays
MOST_DISTURBANCES = 60  # of a run before it is left to end
KILLS = 12  # of 17 disturbances of a run; the others are one of each kind
KILLS_A_SITE = 12  # before it is left to be built, and compared
#: Prints the names of all modules that the command behind it has imported.
IMPORTED = """
import runner, sys
status = runner.main()
print("imported", *sys.modules, file=sys.stderr)
sys.exit(status)
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


class Begun:
    """A command of convstudy in a fork of this process, the first of a process group of its own."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, prepare: Callable[[], None]) -> None:
        read, write = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.dup2(write, 2)
            os.close(read)
            _become(arguments, folder, prepare)
        os.close(write)
        self.stderr = os.fdopen(read)

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def send(self, number: signal.Signals) -> None:
        """To all of its group, where that is there."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def communicate(self) -> str:
        """What it says on stderr until it ends."""
        with self.stderr:
            said = self.stderr.read()
        self._wait(0)
        return said

    def _wait(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def _become(arguments: tuple[str, ...], folder: Path, prepare: Callable[[], None]) -> NoReturn:
    """In the fork: the command, and nothing of the soak behind it."""
    status = 1
    try:
        os.chdir(folder)
        prepare()
        status = runner.main(list(arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def nothing() -> None:
    """To be done before a command."""


def kill_at_a_move(number: int, late: bool) -> None:
    """From now on: end this process before it moves the file of that number to its place, or before it does
    the next thing.
    """
    moves = 0

    def watch(event: str, _: Any) -> None:
        nonlocal moves
        moves += event == "os.rename" and not late
        if moves == number:
            moves = -sys.maxsize
            os.kill(os.getpid(), signal.SIGKILL)
        moves += event == "os.rename" and late

    sys.addaudithook(watch)


def take_no_larger(largest: int) -> None:
    """From now on no file of this process grows above so many bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


class Soak:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.reference: dict[str, Any] = {}
        self.build: tuple[str, ...] = ()
        self.run_seconds = self.build_seconds = 0.0  # undisturbed; of a run from its first cell on
        kinds = sorted(DAMAGE)
        self.random.shuffle(kinds)
        self.kinds = cycle(kinds)
        os.environ |= {"CONVSTUDY_CACHE": str(folder / "cache"), "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}

    # What is disturbed

    def draw(self) -> None:
        """Two classes of noise, one darker."""
        pixels = np.random.default_rng(0)
        for name, brightest in (("dark", 160), ("light", 255)):
            (self.folder / "pictures" / name).mkdir(parents=True)
            for number in range(80):
                image = pixels.integers(0, brightest, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(image).save(self.folder / "pictures" / name / f"{number}.png")

    def undisturbed(self, *arguments: str) -> None:
        """Run a command as a user does, and import what it imported."""
        command = [sys.executable, "-c", IMPORTED, *arguments]
        ended = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        for name in ended.stderr.partition("imported ")[2].split():
            with suppress(Exception):  # what one module makes of itself is none to be imported
                importlib.import_module(name)

    def begin(self, *arguments: str, prepare: Callable[[], None] = nothing) -> Begun:
        return Begun(arguments, self.folder, prepare)

    def arguments(self, results: Path) -> tuple[str, ...]:
        data = {"name": f"folder:{self.folder / 'pictures'}", "train": 120, "validation": 20, "test": 20}
        settings = {"data": json.dumps(data), "seeds": SEEDS, "epochs": 3, "batch": 20}
        changes = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        return ("--results", str(results), "run", ANALYSIS, "--device", "cpu", "--jobs", "1", *changes)

    def training(self, results: Path, prepare: Callable[[], None] = nothing) -> Begun:
        return self.begin(*self.arguments(results), prepare=prepare)

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
        time.sleep(self.random.uniform(0, self.run_seconds / 6))
        if running.poll() is None:
            running.send(signal.SIGKILL)
            self.counts["kills of a run"] += begun
        running.communicate()

    def interrupt(self, results: Path) -> None:
        running = self.training(results)
        has_begun(running)
        time.sleep(self.random.uniform(0, self.run_seconds / 6))
        running.send(signal.SIGINT)
        said = running.communicate()
        self.counts["interruptions"] += 1
        self.expect("Traceback" not in said, f"an interrupted run said {said[-300:]!r}")

    def fill_the_disk(self, results: Path) -> None:
        largest = self.random.randrange(100, 6000)
        running = self.training(results, lambda: take_no_larger(largest))
        said = running.communicate()
        self.counts["full disks"] += 1
        self.expect(
            running.returncode == 1, f"with a full disk a run ended with {running.returncode}: {said[-300:]}"
        )
        self.expect("Traceback" not in said, f"with a full disk a run said {said[-300:]!r}")

    def run_twice(self, results: Path) -> None:
        both = [self.training(results) for _ in range(2)]
        said = [running.communicate() for running in both]
        self.counts["runs begun twice"] += 1
        ends = sorted(running.returncode or 0 for running in both)
        busy = [text for text in said if "is being run by another process" in text]
        self.expect(ends == [0, len(busy)], f"two runs at once ended with {ends}: {said}")

    def damage(self, results: Path) -> None:
        """A damaged file is refused by name, and the run goes on once it is restored."""
        path = Store(results).outcomes_path(ANALYSIS, "custom")
        if not path.exists():
            return
        intact = path.read_bytes()
        for kind in (next(self.kinds), next(self.kinds)):
            path.write_bytes(DAMAGE[kind](intact))
            running = self.training(results)
            said = running.communicate()
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

    def prepare_runs(self) -> None:
        results = self.folder / "undisturbed"
        self.undisturbed(*self.arguments(results))
        self.reference = self.kept(results)
        assert len(self.reference) == SEEDS
        timed = self.training(self.folder / "timed")
        has_begun(timed)
        started = time.monotonic()
        timed.communicate()
        self.run_seconds = time.monotonic() - started

    def prepare_builds(self) -> None:
        """A study of one's own, and its site."""
        study = str(self.folder / "study")
        self.undisturbed("new", study)
        self.build = ("build", study, "--format", "html", "--output")
        self.undisturbed(*self.build, str(self.folder / "site"))
        started = time.monotonic()
        self.begin(*self.build, str(self.folder / "timed" / "site")).communicate()
        self.build_seconds = time.monotonic() - started

    def disturb(self, until: float) -> None:
        of_runs = of_builds = 0.0  # seconds
        while (started := time.monotonic()) < until:
            if of_runs * (1 - SHARE_OF_RUNS) <= of_builds * SHARE_OF_RUNS:
                self.round()
                of_runs += time.monotonic() - started
            else:
                self.site()
                of_builds += time.monotonic() - started

    def round(self) -> None:
        """A run that is disturbed until it has all its cells, and then let end."""
        results = self.folder / "results"
        known: dict[str, Any] = {}
        for _ in range(MOST_DISTURBANCES):
            ways = (
                *(self.kill,) * KILLS,
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
            if len(now) == SEEDS:
                break
        last = self.training(results)
        said = last.communicate()
        self.expect(last.returncode == 0, f"the last run ended with {last.returncode}: {said[-300:]}")
        self.counts["results compared"] += 1
        self.counts["results that differ"] += self.kept(results) != self.reference
        self.counts["files left"] += len(files(results) ^ files(self.folder / "undisturbed"))
        shutil.rmtree(results)

    def site(self) -> None:
        """A site whose builds are killed, and then let end."""
        whole, site = self.folder / "site", self.folder / "disturbed" / "site"
        command = (*self.build, str(site))
        for _ in range(KILLS_A_SITE):
            if self.random.random() < SHARE_OF_MOVES:
                self.kill_at_a_move(command, len(files(whole)))
            else:
                self.kill_a_build(command)
        if self.random.random() < 0.5:
            self.damage_some(files(site.parent), site.parent)
        both = [self.begin(*command) for _ in range(self.random.choice((1, 2)))]
        said = [running.communicate() for running in both]
        self.counts["builds begun twice"] += len(both) == 2
        self.expect(not any(running.returncode for running in both), f"builds ended with {said[0][-300:]}")
        self.counts["sites compared"] += 1
        self.counts["sites that differ"] += any(
            not (site / name).is_file() or (site / name).read_bytes() != (whole / name).read_bytes()
            for name in files(whole)
        )
        self.counts["files left"] += len(files(site) - files(whole))
        shutil.rmtree(site if self.random.random() < SHARE_OF_SITES else site.parent)

    def kill_a_build(self, command: tuple[str, ...]) -> None:
        running = self.begin(*command)
        time.sleep(self.random.uniform(0, self.build_seconds / 2))
        if running.poll() is None:
            running.send(signal.SIGKILL)
            self.counts["kills of a build, at any moment"] += 1
        running.communicate()

    def kill_at_a_move(self, command: tuple[str, ...], moves: int) -> None:
        number, late = self.random.randint(1, moves), self.random.random() < 0.5
        killed = self.begin(*command, prepare=lambda: kill_at_a_move(number, late))
        killed.communicate()
        self.counts["kills of a build, where a file is moved"] += killed.returncode == -signal.SIGKILL


def has_begun(running: Begun) -> bool:
    """Wait until a cell of the run begins; False where the run ends before."""
    return any(line.startswith(f"{ANALYSIS}: ") for line in running.stderr)


def git_lock() -> Path:
    """What a git that is killed leaves in the checkout, where nobody can commit until it is removed."""
    command = ["git", "rev-parse", "--git-path", "index.lock"]
    return ROOT / subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    started = time.monotonic()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that begins it with & has it ignored
    with tempfile.TemporaryDirectory(prefix="convstudy-soak-") as folder:
        soak = Soak(Path(folder), chosen.seed)
        with suppress(KeyboardInterrupt):  # what it has found by then is told
            soak.draw()
            soak.prepare_runs()
            soak.prepare_builds()
            soak.disturb(started + 60 * chosen.minutes)
    soak.counts["files left"] += git_lock().exists()
    nothing = ("cells lost", "files left", "results that differ", "sites that differ")
    goals = [Goal(name, count) for name, count in sorted(soak.counts.items()) if name not in nothing]
    goals += [Goal(name, soak.counts[name], at_most=0) for name in nothing]
    goals.append(Goal("other than expected", len(soak.problems), at_most=0))
    report(goals, chosen.json)
    if not all(goal.holds for goal in goals):
        sys.exit(1)


if __name__ == "__main__":
    main()

"""How far work is and how long it still takes: a bar in a terminal, lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from engine.commands.common import err

if TYPE_CHECKING:
    from engine.execution import Progress, Report

FileReport = Callable[[str, int, int | None], None]  # name, how much is done, and of how much
BETWEEN = 60.0  # seconds between two lines of a log on one piece of work
Clock = Callable[[], float]


class TimeLeft:
    """Of one piece of work, by how long the part of it took that was done since it was first seen to move.

    What was done before, as of a run that is taken up, says nothing of the speed; nor does what comes before
    the first step, such as the start of processes.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.first: float | None = None  # how much was done when it was first reported
        self.moving: tuple[float, float] | None = None  # when it had moved, and how much was done then
        self.end: float | None = None

    def update(self, done: float, total: float | None) -> None:
        now = self.clock()
        if self.first is None:
            self.first = done
        if self.moving is None:
            self.moving = (now, done) if done > self.first else None
            return
        begun, before = self.moving
        if total and done > before and now > begun:
            self.end = now + (now - begun) * (total - done) / (done - before)

    @property
    def seconds(self) -> float | None:
        """None as long as nothing is known."""
        return None if self.end is None else max(0.0, self.end - self.clock())

    def __str__(self) -> str:
        """ "about 5 minutes left"; empty as long as nothing is known."""
        left = self.seconds
        if left is None:
            return ""
        for unit, length in (("hour", 3600), ("minute", 60)):
            if left >= 1.5 * length:
                return f"about {left / length:.0f} {unit}s left"
        return f"about {max(1, round(left))} second{'s' if round(left) > 1 else ''} left"


@contextmanager
def progress() -> Iterator[Report]:
    """What runs, how far it is, and the time left: a bar an analysis; in a log lines on its cells."""
    if not err.is_terminal:
        yield LogOfCells().report
        return
    with _bars() as bars:

        def report(progress: Progress) -> None:
            done = progress.done + progress.fraction
            bars(progress.analysis, done, progress.cells, progress.message)

        yield report


class LogOfCells:
    """Lines on the cells of analyses."""

    def __init__(self, clock: Clock = time.monotonic, line: Callable[[str], None] | None = None) -> None:
        self.clock = clock
        self.line = line or (lambda text: err.print(escape(text)))
        self.left: dict[str, TimeLeft] = {}
        self.last: dict[str, float] = {}

    def report(self, progress: Progress) -> None:
        name, now = progress.analysis, self.clock()
        left = self.left.setdefault(name, TimeLeft(self.clock))
        left.update(progress.done + progress.fraction, progress.cells)
        begins = progress.message == progress.cell
        if begins and progress.cells > 1:
            told = ", ".join(filter(None, (f"{progress.done} of {progress.cells} finished", str(left))))
            self._say(f"{name}: {progress.cell} ({told})", name)
        elif not begins and progress.cell and now - self.last.setdefault(name, now) >= BETWEEN:
            share = (progress.done + progress.fraction) / progress.cells
            told = ", ".join(filter(None, (progress.cell, progress.message, str(left))))
            self._say(f"{name}: {share:.0%} done, {told}", name)

    def _say(self, text: str, name: str) -> None:
        self.last[name] = self.clock()
        self.line(text)


@contextmanager
def file_progress(doing: str) -> Iterator[FileReport]:
    """A bar a file or data set with the time left; in a log a line as it begins, and one a minute."""
    if not err.is_terminal:
        yield LogOfFiles(doing).report
        return
    with _bars() as bars:
        yield lambda name, done, total: bars(f"{doing} {name}", done, total, "")


class LogOfFiles:
    """Lines on what is read or fetched."""

    def __init__(
        self, doing: str, clock: Clock = time.monotonic, line: Callable[[str], None] | None = None
    ) -> None:
        self.doing, self.clock = doing, clock
        self.line = line or (lambda text: err.print(escape(text)))
        self.left: dict[str, TimeLeft] = {}
        self.last: dict[str, float] = {}

    def report(self, name: str, done: int, total: int | None) -> None:
        now = self.clock()
        left = self.left.setdefault(name, TimeLeft(self.clock))
        left.update(done, total)
        if name not in self.last:
            self.last[name] = now
            self.line(f"{self.doing} {name}")
        elif now - self.last[name] >= BETWEEN:
            self.last[name] = now
            share = f": {done / total:.0%} done" if total else ""
            self.line(", ".join(filter(None, (f"{self.doing} {name}{share}", str(left)))))


@contextmanager
def _bars() -> Iterator[Callable[[str, float, float | None, str], None]]:
    """Told of the name, how much is done, of how much, and a message."""
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class TimeLeftColumn(TextColumn):
        def render(self, task: Any) -> Text:
            return Text(str(task.fields["left"]), style="progress.remaining")

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[message]}", markup=False),
        TimeElapsedColumn(),
        TimeLeftColumn(""),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, Any] = {}
        left: dict[str, TimeLeft] = {}

        def report(name: str, done: float, total: float | None, message: str) -> None:
            if name not in tasks:
                left[name] = TimeLeft()
                tasks[name] = bars.add_task(name, total=total, message="", left=left[name])
            left[name].update(done, total)
            bars.update(tasks[name], completed=done, total=total, message=message)

        yield report

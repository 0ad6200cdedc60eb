"""How far work is and how long it still takes: a bar in a terminal, lines in a log."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING, Any

from engine.commands.common import err, escape

if TYPE_CHECKING:
    from engine.execution import Progress, Report

FileReport = Callable[[str, int, int | None], None]  # name, how much is done, and of how much
BETWEEN = 60.0  # seconds between two lines of a log on one piece of work
Clock = Callable[[], float]


class TimeLeft:
    """Seconds until work ends, as they were last estimated; they run down meanwhile."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.end: float | None = None

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


class TimeLeftOfFiles(TimeLeft):
    """Of work that goes on evenly, by how long what was done since the first report took."""

    first: tuple[float, float] | None = None  # when, and how much was done

    def update(self, done: float, total: float | None) -> None:
        now = self.clock()
        begun, before = self.first = self.first or (now, done)
        if total and done > before and now > begun:
            self.end = now + (now - begun) * (total - done) / (done - before)


@dataclass
class _CellInHand:
    """When a cell began, and the first and last step that it told of."""

    begun: float
    starts: bool  # perhaps a process too, which takes as long as a short cell
    first: tuple[float, float] | None = None  # when, and its share by then
    last: tuple[float, float] | None = None

    def tell(self, now: float, share: float) -> None:
        if share > 0 and share != (self.last or (0, 0))[1]:
            self.first, self.last = self.first or (now, share), (now, share)

    def length(self) -> float | None:
        """Seconds that all of it takes at the speed of its steps; what was done before it began, and the
        start of its process, say nothing of that.
        """
        if not self.first or not self.last or self.last[1] <= self.first[1]:
            return None
        return (self.last[0] - self.first[0]) / (self.last[1] - self.first[1])

    def beside(self, now: float) -> float:
        """Seconds that a cell which has ended took beside its steps, to read data, say, or be evaluated."""
        length = self.length()
        if length is None or not self.last:
            return 0.0
        since, share = self.last if self.starts else (self.begun, 0.0)
        return max(0.0, now - since - length * (1 - share))

    def left(self, now: float, usual: float | None, beside: float) -> tuple[float, float] | None:
        """Seconds that it still takes, and those that all of it takes. usual: of other cells, of which each
        took so long `beside` its steps."""
        length, share = self.length(), self.last[1] if self.last else 0.0
        if length is None:
            if usual is None:
                return None
            passed = now - self.begun
            length = max(usual, 2 * passed)
            return length - passed, length
        return length * (1 - share) + beside, length + beside


class TimeLeftOfCells(TimeLeft):
    """Of cells of several lengths: those in hand by their own steps, those that wait by others like them."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self.in_hand: dict[str, _CellInHand] = {}
        #: Of finished cells: seconds of the steps, or of all where it told of none, and those beside.
        self.ended: dict[str, tuple[float, float]] = {}
        self.whole: dict[str, float] = {}  # with what the start of a process took, as records have it

    def update(self, progress: Progress) -> None:
        now = self.clock()
        for cell in [cell for cell in self.in_hand if cell not in progress.shares]:
            ended = self.in_hand.pop(cell)
            self.ended[cell] = ended.length() or now - ended.begun, ended.beside(now)
            self.whole[cell] = max(now - ended.begun, sum(self.ended[cell]))
        for cell, share in progress.shares.items():
            self.in_hand.setdefault(cell, _CellInHand(now, not self.ended)).tell(now, share)
        seconds, whole = {cell: sum(both) for cell, both in self.ended.items()}, dict(self.whole)
        left = []
        for cell, one in sorted(self.in_hand.items(), key=lambda item: item[1].length() is None):
            usual = _usual(_kind(cell), seconds, whole, progress.recorded)
            known = one.left(now, usual, self._beside(cell, one.length() or 0.0))
            if known is None:
                return
            left.append(known[0])
            seconds[cell], whole[cell] = known[1], max(now - one.begun, known[1])
        if not left:
            return
        heapify(left)
        kinds = [_kind(cell) for cell in progress.waiting]
        usual_of = {kind: _usual(kind, seconds, whole, progress.recorded) or 0.0 for kind in set(kinds)}
        for kind in kinds:  # each begins where one ends first
            heapreplace(left, left[0] + usual_of[kind])
        self.end = now + max(left)

    def _beside(self, cell: str, length: float) -> float:
        """Seconds beside the steps of a cell of that length, as of its kind; else as of all, but of a shorter
        one in proportion.
        """
        alike = [beside for other, (_, beside) in self.ended.items() if _kind(other) == _kind(cell)]
        if alike:
            return _mean(alike) or 0.0
        usual = _mean(length for length, _ in self.ended.values())
        beside = _mean(beside for _, beside in self.ended.values())
        return beside * min(1.0, length / usual) if beside and usual else 0.0


@cache
def _kind(cell: str) -> str:
    """Its id without the parts that are numbers: coupled/convnet/0 is one of coupled/convnet."""
    return "/".join(part for part in cell.split("/") if not re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", part))


def _usual(
    kind: str,
    seconds: Mapping[str, float],
    whole: Mapping[str, float],
    recorded: Sequence[Mapping[str, float]],
) -> float | None:
    """How long a cell of that kind takes, by the `seconds` of such cells in this run; else as recorded, times
    what `whole` cells of kinds known in both take in this run against there; else by all of this run.
    """
    here = _by_kind(seconds)
    if kind in here:
        return here[kind]
    for there in map(_by_kind, recorded):
        both = [cell for cell in whole if _kind(cell) in there]
        took = sum(there[_kind(cell)] for cell in both)
        if kind in there and took:
            return there[kind] * sum(whole[cell] for cell in both) / took
    return _mean(whole.values())


def _by_kind(seconds: Mapping[str, float]) -> dict[str, float]:
    """The mean of each kind."""
    alike: dict[str, list[float]] = {}
    for cell, length in seconds.items():
        alike.setdefault(_kind(cell), []).append(length)
    return {kind: sum(lengths) / len(lengths) for kind, lengths in alike.items()}


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


@contextmanager
def progress() -> Iterator[Report]:
    """What runs, how far it is, and the time left: a bar an analysis; in a log lines on its cells."""
    if not err.is_terminal:
        yield LogOfCells().report
        return
    with _bars() as bars:
        left: dict[str, TimeLeftOfCells] = {}

        def report(progress: Progress) -> None:
            own = left.setdefault(progress.analysis, TimeLeftOfCells())
            own.update(progress)
            done = progress.done + progress.fraction
            bars(progress.analysis, done, progress.cells, progress.message, own)

        yield report


class LogOfCells:
    """Lines on the cells of analyses."""

    def __init__(self, clock: Clock = time.monotonic, line: Callable[[str], None] | None = None) -> None:
        self.clock = clock
        self.line = line or (lambda text: err.print(escape(text)))
        self.left: dict[str, TimeLeftOfCells] = {}
        self.last: dict[str, float] = {}

    def report(self, progress: Progress) -> None:
        name, now = progress.analysis, self.clock()
        left = self.left.setdefault(name, TimeLeftOfCells(self.clock))
        left.update(progress)
        begins = progress.message == progress.cell
        if begins and progress.cells > 1:
            state = ", ".join(filter(None, (f"{progress.done} of {progress.cells} finished", str(left))))
            self._say(f"{name}: {progress.cell} ({state})", name)
        elif not begins and progress.cell and now - self.last.setdefault(name, now) >= BETWEEN:
            share = (progress.done + progress.fraction) / progress.cells
            state = ", ".join(filter(None, (progress.cell, progress.message, str(left))))
            self._say(f"{name}: {share:.0%} done, {state}", name)

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
        left: dict[str, TimeLeftOfFiles] = {}

        def report(name: str, done: int, total: int | None) -> None:
            own = left.setdefault(name, TimeLeftOfFiles())
            own.update(done, total)
            bars(f"{doing} {name}", done, total, "", own)

        yield report


class LogOfFiles:
    """Lines on what is read or fetched."""

    def __init__(
        self, doing: str, clock: Clock = time.monotonic, line: Callable[[str], None] | None = None
    ) -> None:
        self.doing, self.clock = doing, clock
        self.line = line or (lambda text: err.print(escape(text)))
        self.left: dict[str, TimeLeftOfFiles] = {}
        self.last: dict[str, float] = {}

    def report(self, name: str, done: int, total: int | None) -> None:
        now = self.clock()
        left = self.left.setdefault(name, TimeLeftOfFiles(self.clock))
        left.update(done, total)
        if name not in self.last:
            self.last[name] = now
            self.line(f"{self.doing} {name}")
        elif now - self.last[name] >= BETWEEN:
            self.last[name] = now
            share = f": {done / total:.0%} done" if total else ""
            self.line(", ".join(filter(None, (f"{self.doing} {name}{share}", str(left)))))


@contextmanager
def _bars() -> Iterator[Callable[[str, float, float | None, str, TimeLeft], None]]:
    """Told of the name, how much is done, of how much, a message, and the time left."""
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

        def report(name: str, done: float, total: float | None, message: str, left: TimeLeft) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total, message="", left=left)
            bars.update(tasks[name], completed=done, total=total, message=message)

        yield report

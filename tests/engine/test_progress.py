"""What runs, how far it is, and how long it still takes, with a clock that the test sets."""

from __future__ import annotations

import pytest

from engine.commands.progress import LogOfCells, LogOfFiles, TimeLeft
from engine.execution import Progress


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def run(cells, jobs, start=0.0, kept=0, steps=20, length=50.0):
    """(seconds since the begin, finished cells, fractions of those in hand) of cells of one length each."""
    free = [start] * jobs
    spans = []
    for _ in range(cells - kept):
        begun = min(free)
        free[free.index(begun)] = begun + length
        spans.append((begun, begun + length))
    moments = {begun + length * step / steps for begun, _ in spans for step in range(steps + 1)}
    for moment in sorted({0.0, *moments}):
        shares = [min(max((moment - begun) / length, 0.0), 1.0) for begun, _ in spans]
        finished = sum(share == 1 for share in shares)
        yield moment, kept + finished, sum(share for share in shares if share < 1), max(free)


@pytest.mark.parametrize(
    ("cells", "jobs", "start", "kept"),
    [(1, 1, 0, 0), (6, 2, 10, 0), (40, 4, 30, 0), (40, 4, 5, 25), (9, 1, 200, 3)],
)
def test_after_a_tenth_of_the_work_the_time_left_is_right_within_a_factor_of_two(cells, jobs, start, kept):
    """However long processes take to start, and whatever was done before."""
    clock = Clock()
    left, begun, looked = TimeLeft(clock), clock.now, 0
    for moment, done, fraction, end in run(cells, jobs, start, kept):
        clock.now = begun + moment
        left.update(done + fraction, cells)
        if (done + fraction - kept) / (cells - kept) >= 0.1 and end - moment >= 5:
            looked += 1
            assert (end - moment) / 2 <= left.seconds <= 2 * (end - moment)
    assert looked > 10


def test_the_time_left_runs_down_between_two_reports():
    clock = Clock()
    left = TimeLeft(clock)
    assert str(left) == ""
    for done in (0, 1, 2):
        left.update(done, 10)
        clock.now += 60
    assert str(left) == "about 7 minutes left"
    clock.now += 120
    assert str(left) == "about 5 minutes left"
    clock.now += 3600
    assert str(left) == "about 1 second left"


def test_a_log_tells_of_each_cell_and_every_minute_of_a_long_one():
    clock, lines = Clock(), []
    log = LogOfCells(clock, lines.append)
    for epoch in range(11):
        message = f"epoch {epoch}" if epoch else "one/0"
        log.report(Progress("own.one", 2, 0, epoch / 10, "one/0", message))
        clock.now += 30
    log.report(Progress("own.one", 2, 1, 0.0, "one/1", "one/1"))
    assert lines == [
        "own.one: one/0 (0 of 2 finished)",
        "own.one: 10% done, one/0, epoch 2, about 9 minutes left",
        "own.one: 20% done, one/0, epoch 4, about 8 minutes left",
        "own.one: 30% done, one/0, epoch 6, about 7 minutes left",
        "own.one: 40% done, one/0, epoch 8, about 6 minutes left",
        "own.one: 50% done, one/0, epoch 10, about 5 minutes left",
        "own.one: one/1 (1 of 2 finished, about 6 minutes left)",
    ]


def test_a_log_tells_of_many_files_every_minute():
    clock, lines = Clock(), []
    log = LogOfFiles("checking", clock, lines.append)
    for done in range(0, 100, 10):
        log.report("folder:phone:", done, 100)
        clock.now += 30
    assert lines[:2] == ["checking folder:phone:", "checking folder:phone:: 20% done, about 4 minutes left"]
    assert len(lines) == 5

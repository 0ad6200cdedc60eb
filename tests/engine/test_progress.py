"""What runs, how far it is, and how long it still takes, with a clock that the test sets."""

from __future__ import annotations

import pytest

from engine.commands.progress import LogOfCells, LogOfFiles, TimeLeftOfCells, TimeLeftOfFiles
from engine.execution import Progress


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def run(lengths, jobs, start=0.0, kept=0, taken_up=0.0, steps=20, beside=0.0, names=None, recorded=()):
    """(seconds since the begin, Progress, seconds of the whole run) of cells of those lengths.

    start: seconds until a process has begun its first cell. taken_up: the share of the first cell that is
    done in advance. beside: seconds of each cell after its last step. Nobody is told of the end of a cell
    before the next one begins.
    """
    names = names or [str(number) for number in range(len(lengths))]
    free, spans = [0.0] * jobs, []
    for number, length in enumerate(lengths):
        begun = min(free)
        late = start if begun == 0 else 0.0
        rest = 1 - taken_up if number == 0 else 1.0
        free[free.index(begun)] = begun + late + length * rest + beside
        spans.append((begun, begun + late, length, 1 - rest))
    moments = {0.0}
    for _, moving, length, before in spans:
        moments |= {moving + length * (1 - before) * step / steps for step in range(steps + 1)}
    for moment in sorted(moments):
        shares, waiting, done = {}, [], kept
        for number, (begun, moving, length, before) in enumerate(spans):
            share = before + max(moment - moving, 0) / length
            if moment >= moving + length * (1 - before) + beside - 1e-9:
                done += 1
            elif begun <= moment:
                shares[names[number]] = min(share, 1.0) if moment > moving else 0.0
            else:
                waiting.append(names[number])
        cells = kept + len(lengths)
        yield moment, Progress("own.one", cells, done, shares, "", "step", waiting, recorded), max(free)


OF_KINDS = {
    **{f"big/{seed}": 900.0 for seed in range(6)},
    **{f"small/{rate}/{seed}": 150.0 for rate in ("1e-05", "0.1") for seed in range(6)},
    **{f"time/{network}": 5.0 for network in ("big", "small")},
}
RECORDED = {"big/7": 600.0, "time/big": 4.0, "time/small": 3.0}
KINDS_AFTER = [*(f"one/{seed}" for seed in range(3)), *(f"two/{seed}" for seed in range(12))]
WITH_A_SHORT_ONE_FIRST = [
    "two/0",
    *(f"one/{seed}" for seed in range(4)),
    *(f"two/{seed}" for seed in range(1, 31)),
]


@pytest.mark.parametrize(
    ("lengths", "jobs", "options"),
    [
        ([50], 1, {}),
        ([50] * 6, 2, {"start": 10}),
        ([50] * 40, 4, {"start": 30}),
        ([50] * 15, 4, {"start": 5, "kept": 25}),
        ([300, 200], 1, {"start": 200, "taken_up": 0.8}),
        ([5, *[60] * 6], 2, {"start": 10}),
        ([20, 40] * 10, 2, {"start": 3, "steps": 7}),
        ([10] * 30, 1, {"start": 30, "beside": 15}),
        ([10] * 30, 3, {"start": 30, "beside": 15}),
        *(
            (list(OF_KINDS.values()), jobs, {"names": list(OF_KINDS), "recorded": recorded, "steps": 7})
            for jobs in (1, 3)
            for recorded in (
                [{**RECORDED, "small/7": 90.0}],  # on a faster machine
                [{"other": 1.0, "time/big": 9.0}, {**RECORDED, "small/0.1/7": 90.0}],  # beside an own run's
            )
        ),
        ([60] * 3 + [400] * 12, 1, {"names": KINDS_AFTER, "recorded": [{"one/0": 6.0, "two/0": 40.0}]}),
        ([60, *[400] * 4, *[60] * 30], 1, {"names": WITH_A_SHORT_ONE_FIRST, "beside": 2}),
        ([60, *[400] * 4, *[60] * 30], 2, {"names": WITH_A_SHORT_ONE_FIRST, "start": 10}),
    ],
)
def test_after_a_tenth_of_the_work_the_time_left_is_right_within_a_factor_of_two(lengths, jobs, options):
    """However long processes take to start, and whatever was done before."""
    clock = Clock()
    left, begun, looked = TimeLeftOfCells(clock), clock.now, 0
    start = options.get("start", 0)
    for moment, progress, end in run(lengths, jobs, **options):
        clock.now = begun + moment
        left.update(progress)
        if moment - start >= 0.1 * (end - start) and end - moment >= 5:
            looked += 1
            assert (end - moment) / 2 <= left.seconds <= 2 * (end - moment), (moment, end)
    assert looked > 10


def test_cells_that_tell_of_no_steps_are_measured_by_those_before():
    clock = Clock()
    left = TimeLeftOfCells(clock)
    for done in range(10):
        waiting = [str(cell) for cell in range(done + 1, 10)]
        left.update(Progress("own.one", 10, done, {str(done): 0.0}, str(done), str(done), waiting))
        if done:
            assert (10 - done) * 15 <= left.seconds <= (10 - done) * 60
        clock.now += 30


def test_the_time_left_runs_down_between_two_reports():
    clock = Clock()
    left = TimeLeftOfFiles(clock)
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
        log.report(Progress("own.one", 2, 0, {"one/0": epoch / 10}, "one/0", message, ["one/1"]))
        clock.now += 30
    log.report(Progress("own.one", 2, 1, {"one/1": 0.0}, "one/1", "one/1"))
    assert lines == [
        "own.one: one/0 (0 of 2 finished)",
        "own.one: 10% done, one/0, epoch 2, about 9 minutes left",
        "own.one: 20% done, one/0, epoch 4, about 8 minutes left",
        "own.one: 30% done, one/0, epoch 6, about 7 minutes left",
        "own.one: 40% done, one/0, epoch 8, about 6 minutes left",
        "own.one: 50% done, one/0, epoch 10, about 5 minutes left",
        "own.one: one/1 (1 of 2 finished, about 6 minutes left)",  # it ended half a minute after its steps
    ]


def test_a_log_tells_of_many_files_every_minute():
    clock, lines = Clock(), []
    log = LogOfFiles("checking", clock, lines.append)
    for done in range(0, 100, 10):
        log.report("folder:phone:", done, 100)
        clock.now += 30
    assert lines[:2] == ["checking folder:phone:", "checking folder:phone:: 20% done, about 4 minutes left"]
    assert len(lines) == 5

"""Cells are measured once and kept; whatever stops a run, what was finished is not run again."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image

import analyses
from analyses.plugin import Cell
from engine.cells import CellCache
from engine.execution import AnalysisFailed, Busy, Progress, Unmeasured, execute, measured, summarize_again
from engine.freshness import cell_key
from engine.workers import _git, arithmetic_of
from lab.datasets import DataError
from results.locking import holding
from results.schema import CellRecord
from results.store import ResultError, Store, digest
from tests.analyses.experiments import Trial, TrialParameters
from tests.conftest import ROOT
from tests.engine.trials import PLACE, Misdeeds


class Bench(Misdeeds):
    """A store, an experiment, and the folder where its cells say that they ran."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store, self.analysis = folder, Store(folder / "results"), Trial()

    def parameters(self, choices):
        return TrialParameters(folder=str(self.folder), **choices)

    def execute(
        self,
        *,
        profile="quick",
        jobs=1,
        threads=1,
        device="cpu",
        limit=None,
        force=False,
        report=None,
        **choices,
    ):
        return execute(
            self.analysis,
            profile,
            self.parameters(choices),
            self.store,
            jobs=jobs,
            threads=threads,
            device=device,
            limit=limit,
            force=force,
            report=report or (lambda progress: None),
        )

    def summarize_again(self, profile="quick", **choices):
        return summarize_again(self.analysis, profile, self.parameters(choices), self.store)

    def measured(self, profile="quick", **choices):
        return measured(self.analysis, profile, self.parameters(choices), self.store)

    def pending(self, profile="quick") -> list[CellRecord]:
        outcomes = self.store.read_outcomes("tests.trial", profile)
        return list(outcomes.pending.cells) if outcomes else []

    def outcomes(self, profile="quick"):
        return {cell.id: cell.outcome for cell in self.store.read_outcomes("tests.trial", profile).cells}

    def edit_outcomes(self, profile, change) -> None:
        path = self.store.outcomes_path("tests.trial", profile)
        data = json.loads(path.read_bytes())
        del data["content_hash"]
        change(data)
        path.write_text(json.dumps({"content_hash": digest(data), **data}))


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


# What is kept


def test_an_interrupted_run_is_taken_up_where_it_was(bench):
    bench.misdeed("2", "interrupt")
    with pytest.raises(KeyboardInterrupt):
        bench.execute(steps=2)
    assert not bench.store.path("tests.trial", "quick").exists()
    assert sorted(record.id for record in bench.pending()) == ["0", "1"]
    bench.mend("2")
    assert bench.execute(steps=2).metrics["sum"].value == 3
    assert bench.runs == ["0", "1", "2", "2"]
    assert bench.outcomes()["2"]["taken_up_at"] == 2  # its own checkpoints were there
    assert not (bench.store.root / "cells").exists()


def test_force_runs_every_cell_again_from_its_start(bench):
    bench.misdeed("1", "interrupt")
    with pytest.raises(KeyboardInterrupt):
        bench.execute()
    bench.mend("1")
    bench.execute(force=True)
    assert bench.runs == ["0", "1", "0", "1", "2"]
    assert bench.outcomes()["1"]["taken_up_at"] == 0


def test_more_seeds_repeat_none(bench):
    bench.execute(seeds=2)
    bench.execute(profile="custom", seeds=4)
    bench.execute(profile="full", seeds=3)
    assert bench.runs == ["0", "1", "2", "3"]
    assert list(bench.outcomes("full")) == ["0", "1", "2"]


def test_another_summary_measures_nothing(bench):
    bench.execute()
    assert bench.summarize_again(scale=10).metrics["sum"].value == 30
    assert bench.runs == ["0", "1", "2"]
    with pytest.raises(Unmeasured, match=r"3 of 4 cells of tests\.trial"):
        bench.summarize_again(seeds=4)


def test_outcomes_come_in_the_order_of_the_plan_whenever_they_were_measured(bench):
    bench.execute()
    bench.edit_outcomes("quick", lambda data: data["cells"].pop(0))
    bench.execute()
    assert bench.runs == ["0", "1", "2", "0"]
    assert list(bench.outcomes()) == ["0", "1", "2"]


def test_a_cell_of_the_same_settings_is_measured_once(bench):
    class Twice(Trial):
        def plan(self, parameters):
            (cell,) = super().plan(parameters)
            return [cell, type(cell)("again", cell.settings, cell.seed)]

    bench.analysis = Twice()
    bench.execute(seeds=1, force=True)
    assert bench.runs == ["0"]
    assert list(bench.outcomes()) == ["0", "again"]


def test_a_cell_that_another_analysis_has_measured_is_taken_from_it(tmp_path):
    """The network of our own of the transfer on CIFAR-10, trained for the study of two designs."""
    store = Store(tmp_path)
    transfer, designs = map(analyses.get, ("transfer.cifar10_resnet18", "classification.cifar10_designs"))
    parameters = transfer.parameters("full")
    own = [cell for cell in transfer.plan(parameters) if "network" in cell.settings]
    assert own and measured(transfer, "full", parameters, store)[0] == 0
    recorded = Store(ROOT / "results").read_outcomes(designs.id, "full")
    theirs = CellCache(designs, "full", store, recorded.datasets)
    trained = recorded.cells[0]
    kept = [
        trained.model_copy(update={"key": theirs.key(cell), "id": f"theirs/{cell.seed}", "seed": cell.seed})
        for cell in own
    ]
    store.write_outcomes(recorded.model_copy(update={"cells": tuple(kept)}), "full")
    assert measured(transfer, "full", parameters, store)[0] == len(own)
    cache = CellCache(transfer, "full", store, recorded.datasets)
    found = cache.find({cache.key(cell): cell for cell in own})
    assert [(record.key, record.id) for record in found.values()] == [
        (cache.key(cell), cell.id) for cell in own
    ]
    assert all(record.outcome == trained.outcome for record in found.values())


def test_cells_that_follow_know_the_outcomes_before(bench):
    result = bench.execute(best=True)
    assert bench.runs == ["0", "1", "2", "best"]
    assert result.metrics["sum"].value == 0 + 1 + 2 + 2
    bench.execute(best=True)
    assert bench.runs == ["0", "1", "2", "best"]


def test_the_committed_outcomes_are_taken_before_others(bench):
    bench.execute(profile="full", seeds=1)
    bench.execute(profile="custom", seeds=1, force=True)
    bench.edit_outcomes("custom", lambda data: data["cells"][0]["outcome"].update(score=99))
    assert bench.execute(profile="full", seeds=1).metrics["sum"].value == 0


def test_damaged_outcomes_are_refused_and_not_measured_again_unasked(bench):
    bench.execute()
    path = bench.store.outcomes_path("tests.trial", "quick")
    path.write_text(path.read_text().replace('"score": 1', '"score": 7'))
    with pytest.raises(ResultError, match=r"outcomes/tests\.trial\.json was changed .* restore it"):
        bench.execute(scale=2)
    assert bench.runs == ["0", "1", "2"]
    bench.execute(force=True)
    assert bench.outcomes()["1"]["score"] == 1


def interrupted(bench, cell: str, **choices) -> None:
    bench.misdeed(cell, "interrupt")
    with pytest.raises(KeyboardInterrupt):
        bench.execute(**choices)
    bench.mend(cell)


def test_another_machine_takes_up_an_outcomes_file_that_is_not_complete(bench, tmp_path):
    interrupted(bench, "2")
    elsewhere = Store(tmp_path / "clone")
    source, target = (store.outcomes_path("tests.trial", "quick") for store in (bench.store, elsewhere))
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes())
    bench.store = elsewhere
    assert bench.measured() == (2, 3)
    assert bench.execute().metrics["sum"].value == 3
    assert bench.runs == ["0", "1", "2", "2"]
    assert bench.pending() == []


def test_what_a_result_was_summarized_from_stays_until_another_replaces_it(bench):
    before = bench.execute(seeds=2)
    interrupted(bench, "3", seeds=4)
    assert [record.id for record in bench.pending()] == ["2"]
    assert list(bench.outcomes()) == ["0", "1"]
    assert bench.summarize_again(seeds=2) == before
    assert bench.measured(seeds=4) == (3, 4)
    bench.execute(seeds=4)
    assert list(bench.outcomes()) == ["0", "1", "2", "3"]
    assert bench.pending() == []


def test_a_forced_run_that_was_interrupted_is_gone_on_with(bench):
    bench.execute()
    interrupted(bench, "1", force=True)
    bench.edit_outcomes("quick", lambda data: data["pending"]["cells"][0]["outcome"].update(score=7))
    assert bench.outcomes()["0"]["score"] == 0
    assert bench.execute().metrics["sum"].value == 7 + 1 + 2
    assert bench.runs == ["0", "1", "2", "0", "1"]


def test_other_parameters_of_ones_own_are_still_gone_on_with(bench):
    interrupted(bench, "2", profile="custom", steps=2)
    bench.execute(profile="custom")
    bench.execute(profile="custom", steps=2)
    assert bench.runs == ["0", "1", "2", "0", "1", "2", "2"]


def test_loose_cells_of_earlier_versions_are_taken_up_once(bench):
    interrupted(bench, "2")
    path = bench.store.outcomes_path("tests.trial", "quick")
    folder = bench.store.root / "cells" / "tests.trial"
    first, second = bench.pending()
    (folder / f"{first.key}.json").write_text(first.model_dump_json())
    (folder / f"{second.key}.json").write_text(second.model_dump_json()[:40])  # half-written
    path.unlink()
    interrupted(bench, "1")
    assert [record.id for record in bench.pending()] == ["0"]
    assert not (folder / f"{first.key}.json").exists()
    bench.execute()
    assert bench.runs == ["0", "1", "2", "1", "1", "2"]


def test_one_run_at_a_time_writes_what_is_kept(bench):
    held = holding(bench.store.root / "cells" / "tests.trial")
    with held, pytest.raises(Busy, match=r"tests\.trial is being run by another process"):
        bench.execute()
    assert bench.runs == []
    bench.execute()
    assert not (bench.store.root / "cells").exists()


def test_cells_are_kept_by_the_device_and_threads_that_they_were_computed_with(bench):
    plain = bench.execute(seeds=1)
    bench.execute(seeds=1, threads=2)
    assert bench.runs == ["0", "0"]
    (cell,) = bench.store.read_outcomes("tests.trial", "quick").cells
    assert (cell.threads, cell.outcome["threads"]) == (2, 2)
    again = bench.summarize_again(seeds=1)  # from what is there
    assert again.metrics == plain.metrics
    keys = {cell_key(bench.analysis, Cell("0"), {}, *how) for how in (("cpu", 1), ("cpu", 2), ("cuda:1", 1))}
    assert len(keys) == 3
    assert cell_key(bench.analysis, Cell("0"), {}) in keys
    assert cell_key(bench.analysis, Cell("0"), {}, "NVIDIA H100 80GB HBM3") in keys


# What is refused


@pytest.mark.parametrize(
    ("misdeed", "expected"),
    [
        ("raise", rf"tests\.trial failed in cell 1: RuntimeError: the third layer is missing{PLACE}$"),
        ("memory", r"tests\.trial ran out of memory in cell 1; what was finished is kept"),
        ("exit", rf"tests\.trial failed in cell 1: it called sys.exit\(0\){PLACE}$"),
        ("vanish", rf"tests\.trial failed in cell 1: it called os\._exit\(0\){PLACE}$"),
        (
            "read",
            rf"tests\.trial failed in cell 1: No such file or directory \(nowhere\.txt\){PLACE}; what was",
        ),
        ("unfit nan", r"cell 1 an outcome that is no JSON: history\.losses\.1 is nan"),
        ("unfit object", r"history\.losses\.1 is a PosixPath"),
        ("unfit huge", r"history\.losses\.1 is a whole number of 16610 bits"),
        ("unfit itself", r"history\.losses\.1\.0 holds itself"),
        ("unfit key", r"history\.losses\.1 has the key \(1, 2\), which is no text"),
        ("unfit half", r"history\.losses\.1 is text with half a character"),
    ],
)
def test_a_cell_that_goes_wrong_is_named_and_those_before_are_kept(bench, misdeed, expected):
    bench.misdeed("1", misdeed)
    with pytest.raises(AnalysisFailed, match=expected):
        bench.execute()
    assert [record.id for record in bench.pending()] == ["0"]


@pytest.mark.parametrize(("jobs", "misdeed"), [(1, "sleep 600"), (2, "sleep 600"), (1, "go on 600")])
def test_a_cell_that_takes_too_long_is_stopped_where_that_was_asked_for(bench, jobs, misdeed):
    bench.misdeed("1", misdeed)
    with pytest.raises(AnalysisFailed, match=r"tests\.trial took longer than 2 seconds for cell 1"):
        bench.execute(seeds=2, jobs=jobs, limit=2)
    assert [record.id for record in bench.pending()] == ["0"]
    bench.mend("1")
    bench.execute(seeds=2, jobs=jobs, limit=60)


def test_a_fault_in_a_summary_or_a_plan_is_the_analysis_own(bench):
    with pytest.raises(AnalysisFailed, match=r"tests\.trial failed in its summary: KeyError"):
        bench.execute(scale=0)
    assert len(bench.pending()) == 3
    with pytest.raises(AnalysisFailed, match="plans no cell"):
        bench.execute(seeds=0)

    class Confused(Trial):
        def plan(self, parameters):
            return [cell for cell in super().plan(parameters) for _ in range(2)]

    bench.analysis = Confused()
    with pytest.raises(AnalysisFailed, match="two cells of one name"):
        bench.execute()


# What is said


def test_progress_says_what_runs_and_how_far_it_is(bench):
    told = list[Progress]()
    bench.execute(report=told.append)
    assert [(step.done, step.fraction, step.message) for step in told] == [
        (0, 0.0, "0"),
        (0, 1.0, "step 0"),
        (1, 0.0, "1"),
        (1, 1.0, "step 0"),
        (2, 0.0, "2"),
        (2, 1.0, "step 0"),
        (3, 0.0, "written"),
    ]


def test_progress_says_what_waits_and_how_long_such_cells_took_before(bench):
    bench.execute(seeds=2)
    before = {cell.id: cell.seconds for cell in bench.store.read_outcomes("tests.trial", "quick").cells}
    assert sorted(before) == ["0", "1"]
    told = list[Progress]()
    bench.execute(seeds=4, report=told.append)
    assert [step.waiting for step in told] == [("3",), ("3",), (), (), ()]
    assert told[0].recorded == [before, before]  # taken up by this run, and all that is kept


def test_progress_with_damaged_records_is_told_without_them(bench):
    bench.execute(seeds=2)
    bench.store.outcomes_path("tests.trial", "quick").write_text("{}")
    told = list[Progress]()
    bench.execute(seeds=2, force=True, report=told.append)
    assert [step.waiting for step in told[:2]] == [("1",), ("1",)]
    assert not any(told[0].recorded)


def test_provenance_records_seeds_parameters_and_code(bench):
    result = bench.execute(seeds=2)
    found, cells = result.provenance, bench.store.read_outcomes("tests.trial", "quick").cells
    assert found.seeds == (0, 1)
    assert found.parameters["seeds"] == 2
    assert "tests.analyses.experiments" in found.sources
    assert found.wall_seconds == pytest.approx(sum(cell.seconds for cell in cells), abs=1e-3)
    assert found.peak_memory_bytes == max(cell.peak_memory_bytes for cell in cells) > 1_000_000
    assert found.note == ""


def test_provenance_says_where_cells_were_measured_differently(bench):
    bench.execute(seeds=1)
    elsewhere = {"git_commit": "0123456789", "device": "NVIDIA A100"}
    bench.edit_outcomes("quick", lambda data: data["cells"][0].update(elsewhere))
    found = bench.execute(seeds=2).provenance
    assert found.note.startswith("Its runs were measured with commits 01234567 and ")
    assert found.device == "NVIDIA A100, cpu"


# What is measured on


def pictures(folder: Path, shade: int) -> str:
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (shade, 0, 0)).save(folder / name / "1.png")
    return f"folder:{folder}"


def test_data_is_named_in_the_result_and_other_data_is_measured_anew(bench, tmp_path):
    name = pictures(tmp_path / "pets", 10)
    (first,) = bench.execute(seeds=1, data=(name,)).provenance.datasets
    assert (first.name, first.images) == ("pets", 2)
    bench.execute(seeds=1, data=(name,))
    assert bench.runs == ["0"]
    pictures(tmp_path / "pets", 200)
    (second,) = bench.execute(seeds=1, data=(name,)).provenance.datasets
    assert second.fingerprint != first.fingerprint
    assert bench.runs == ["0", "0"]


def test_without_its_data_a_measured_experiment_can_still_be_summarized(bench, tmp_path):
    name = pictures(tmp_path / "pets", 10)
    measured = bench.execute(data=(name,))
    (tmp_path / "pets").rename(tmp_path / "elsewhere")
    again = bench.execute(data=(name,), scale=2)
    assert again.metrics["sum"].value == 6
    assert again.provenance.datasets == measured.provenance.datasets
    with pytest.raises(DataError, match="there is no folder or zip"):
        bench.execute(data=(name,), seeds=5)
    assert bench.runs == ["0", "1", "2"]


def test_missing_data_is_said_before_any_cell_runs(bench, tmp_path):
    with pytest.raises(DataError, match="there is no folder or zip"):
        bench.execute(data=(f"folder:{tmp_path / 'nowhere'}",))
    assert bench.runs == []


# Several at a time


def test_two_workers_give_what_one_process_gives_with_the_threads_asked_for(bench):
    told = list[Progress]()
    bench.execute(seeds=4, jobs=2, report=told.append)
    found = bench.outcomes()
    assert [outcome["score"] for outcome in found.values()] == [0, 1, 2, 3]
    assert os.getpid() not in {outcome["process"] for outcome in found.values()}
    assert {(outcome["threads"], outcome["environment"]) for outcome in found.values()} == {(1, "1")}
    begun = [step.cell for step in told if step.message == step.cell]
    assert begun[:4] == ["0", "1", "2", "3"]
    assert all(step.done + step.fraction <= step.cells for step in told)


def test_workers_tell_how_far_they_are(bench):
    bench.misdeed("0", f"after {bench.folder / 'told'} 0")  # does not end before it was heard

    def report(progress):
        if progress.message == "step 0":
            (bench.folder / "told").touch()

    bench.execute(seeds=2, jobs=2, report=report)
    assert (bench.folder / "told").exists()


def test_the_first_error_of_a_worker_begins_no_other_cell_and_keeps_what_is_in_hand(bench):
    bench.misdeed("0", "raise")
    bench.misdeed("1", f"after {bench.folder / 'runs'} 2")
    with pytest.raises(AnalysisFailed, match="failed in cell 0: RuntimeError") as failure:
        bench.execute(seeds=6, jobs=2)
    assert "experiments.py" in str(failure.value.__cause__)  # the worker's traceback, for --debug
    assert sorted(bench.runs) == ["0", "1"]
    assert [record.id for record in bench.pending()] == ["1"]


def test_a_killed_worker_is_one_sentence_and_its_cell_goes_on_from_its_checkpoint(bench):
    bench.misdeed("3", "die")
    with pytest.raises(AnalysisFailed, match=r"a process of tests\.trial was killed.*--jobs 1"):
        bench.execute(seeds=4, jobs=2, steps=3)
    kept = {record.id for record in bench.pending()}
    assert "3" not in kept
    bench.mend("3")
    bench.execute(seeds=4, jobs=2, steps=3)
    assert bench.outcomes()["3"]["taken_up_at"] == 3
    assert all(bench.runs.count(cell) == 1 for cell in kept)
    assert not (bench.store.root / "cells").exists()


def test_what_a_cell_sets_for_its_process_is_set_back(bench):
    before = dict(os.environ), Path.cwd(), list(warnings.filters)
    bench.misdeed("0", "set")
    bench.execute(seeds=2)
    assert (dict(os.environ), Path.cwd(), list(warnings.filters)) == before
    assert bench.outcomes()["0"]["environment"] is None
    assert bench.outcomes()["1"]["environment"] == "1"
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_git_is_asked_without_a_lock_that_a_killed_run_would_leave_in_the_checkout(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    git("init")
    (tmp_path / "code.py").write_text("a")
    git("add", "code.py")
    git("commit", "-m", "Begin")
    os.utime(tmp_path / "code.py", (1, 1))  # which makes git write what it knows of the file
    index = (tmp_path / ".git" / "index").read_bytes()
    assert _git(tmp_path, "status", "--porcelain") == ""
    assert (tmp_path / ".git" / "index").read_bytes() == index
    git("status", "--porcelain")
    assert (tmp_path / ".git" / "index").read_bytes() != index  # what the test looks for is seen


def test_arithmetic_on_a_gpu_is_float32_and_chosen_by_rule_and_that_of_a_cpu_is_left_alone():
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32, cudnn.benchmark, torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with arithmetic_of("cuda:1"):
            assert (cudnn.allow_tf32, cudnn.benchmark) == (False, False)
            assert torch.get_float32_matmul_precision() == "highest"
        with arithmetic_of("cpu"):
            assert torch.get_float32_matmul_precision() == "high"
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before[2])
    assert (cudnn.allow_tf32, cudnn.benchmark) == before[:2]


def test_the_memory_of_a_gpu_is_written_of_a_gpu_alone():
    """So that what was recorded on a CPU stays byte for byte what it was."""
    record = CellRecord(
        key="k",
        id="0",
        outcome={},
        seconds=1.0,
        device="cpu",
        threads=1,
        peak_memory_bytes=1,
        created="2026-11-21T00:00:00+00:00",
    )
    assert "peak_device_bytes" not in record.model_dump(mode="json")
    measured = record.model_copy(update={"device": "NVIDIA A100, 80 GiB", "peak_device_bytes": 7})
    assert CellRecord.model_validate_json(measured.model_dump_json()) == measured

"""`run` and `build` with experiments: workers, Ctrl-C, seeds, and one sentence for what goes wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal

import pytest

from results.store import Store
from tests.conftest import ROOT
from tests.engine.trials import PLACE, Trials, of_group, wait_until


@pytest.fixture
def trials(tmp_path):
    return Trials(tmp_path)


def test_ctrl_c_ends_the_workers_tidily_and_the_same_command_goes_on(trials):
    trials.misdeed("2", "sleep 600")
    trials.misdeed("3", "sleep 600")
    with trials.begun("run", "tests.trial", "--seeds", "5", "--jobs", "2") as running:
        wait_until(lambda: len(trials.kept()) == 2 and len(trials.runs) == 4, running)
        os.killpg(running.pid, signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert stderr.splitlines()[-1].endswith(
        "what was finished is kept, and the same command takes it up again"
    )
    assert "Traceback" not in stderr
    assert of_group(running.pid) == []
    trials.mend("2")
    trials.mend("3")
    finished = trials("run", "tests.trial", "--seeds", "5", "--jobs", "2")
    assert finished.returncode == 0, finished.stderr
    assert sorted(trials.runs) == ["0", "1", "2", "2", "3", "3", "4"]
    assert trials.kept() == []


def test_explain_says_how_many_cells_are_measured_and_what_goes_on(trials):
    trials.misdeed("2", "raise")
    assert trials("run", "tests.trial", "--jobs", "1").returncode == 1
    (row,) = (row for row in trials.explain("tests.trial") if row["profile"] == "quick")
    assert row["state"] == "missing"
    assert row["reasons"][-1] == (
        "2 of 3 cells measured; go on with `python runner.py run tests.trial --profile quick`"
    )
    trials.mend("2")
    assert trials("run", "tests.trial", "--jobs", "1").returncode == 0
    stale(trials.store)
    (row,) = (row for row in trials.explain("tests.trial") if row["profile"] == "quick")
    assert row["reasons"][-1] == "3 of 3 cells measured; summarize them with `python runner.py build`"


def test_ctrl_c_is_tidy_while_workers_start(trials):
    with trials.begun("run", "tests.trial", "--jobs", "2") as running:
        assert running.stderr.readline().startswith("tests.trial: 0 ")
        assert running.stderr.readline().startswith("tests.trial: 1 ")
        os.killpg(running.pid, signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    *begun, last = stderr.splitlines()
    assert last.startswith("convstudy: interrupted")
    assert all(line.startswith("tests.trial: ") for line in begun), "no traceback of a worker"


def test_workers_end_with_a_parent_that_is_killed(trials):
    trials.misdeed("0", "sleep 600")
    with trials.begun("run", "tests.trial", "--jobs", "2") as running:
        wait_until(lambda: "0" in trials.runs, running)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)  # ends when no process holds its stderr
    assert running.returncode == -signal.SIGKILL


def test_a_log_has_a_line_a_cell(trials):
    finished = trials("run", "tests.trial", "--jobs", "2")
    lines = [line for line in finished.stderr.splitlines() if line.startswith("tests.trial: ")]
    assert [line.split()[1] for line in lines] == ["0", "1", "2"]
    assert len(lines) == len(finished.stderr.splitlines())


def test_what_goes_wrong_in_one_analysis_leaves_the_others_to_run(trials):
    trials.misdeed("1", "raise")
    finished = trials("run", "tests.trial", "tests.other", "architecture.convolution", "--jobs", "1")
    assert finished.returncode == 1
    assert "architecture.convolution: recorded in" in finished.stdout
    for name, line in zip(("trial", "other"), finished.stderr.splitlines()[-2:], strict=True):
        said = rf"convstudy: tests\.{name} failed in cell 1: RuntimeError: the third layer is missing{PLACE}"
        assert re.fullmatch(said, line)


BROKEN = """
[convstudy.analyses]
architecture.lenet = tests.analyses.experiments:analysis
broken.exits = broken_exits:analysis
broken.missing = nowhere:analysis
broken.vanishes = broken_vanishes:analysis
broken.shapeless = ???
broken.stops = broken_stops:analysis
"""


def test_broken_plugins_are_named_and_stop_nothing_else(trials):
    trials.install("broken", BROKEN)
    (trials.folder / "installed" / "broken_exits.py").write_text("import sys\nsys.exit(0)\n")
    (trials.folder / "installed" / "broken_vanishes.py").write_text("import os\nos._exit(0)\n")
    (trials.folder / "installed" / "broken_stops.py").write_text(
        "print('[a word in the way')\nclass Stop(BaseException): pass\nraise Stop('all of it')\n"
    )
    shutil.copytree(ROOT / "results" / "full", trials.store.root / "full")

    listed = trials("list", "--json")
    assert listed.returncode == 0
    rows = {row["analysis"]: row for row in json.loads(listed.stdout)}
    assert rows["architecture.lenet"]["recorded"] == "full"
    for name in (f"broken.{how}" for how in ("exits", "missing", "shapeless", "stops", "vanishes")):
        assert rows[name]["title"] == "cannot be loaded"
        assert f"convstudy: the analysis {name} cannot be loaded from " in listed.stderr
    assert "two analyses are called architecture.lenet" in listed.stderr
    assert len(listed.stderr.splitlines()) == 7
    assert "[a word in the way" in listed.stderr.splitlines()
    assert "broken_stops.py:3): all of it" in listed.stderr
    assert "broken_vanishes.py:2): it called os._exit(0)" in listed.stderr

    (row,) = trials.explain("broken.missing")
    assert (row["state"], "No module named 'nowhere'" in row["reasons"][0]) == ("refused", True)
    assert trials("run", "broken.missing").returncode == 2
    built = trials("build", "photographs", "--format", "ipynb")
    assert built.returncode == 0, built.stderr
    assert "photographs.ipynb: built" in built.stdout
    assert "Traceback" not in built.stderr

    ran = trials("run", "tests", "broken", "--jobs", "1")
    assert ran.returncode == 1
    assert "tests.trial: recorded in" in ran.stdout


def test_a_cell_that_exits_or_cannot_read_a_file_is_an_error_of_its_own(trials):
    trials.misdeed("1", "exit")
    finished = trials("run", "tests.trial", "--jobs", "1")
    assert finished.returncode == 1
    said = rf"convstudy: tests\.trial failed in cell 1: it called sys\.exit\(0\){PLACE}"
    assert re.fullmatch(said, finished.stderr.splitlines()[-1])
    trials.misdeed("1", "read")
    finished = trials("run", "tests.trial", "--jobs", "1")
    assert finished.returncode == 1
    said = rf"convstudy: tests\.trial failed in cell 1: No such file or directory \(nowhere\.txt\){PLACE}; "
    assert re.match(said, finished.stderr.splitlines()[-1])


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_a_cell_prints_is_not_in_the_way_of_what_was_asked_for(trials, jobs):
    trials.misdeed("1", "print")
    finished = trials("run", "tests.trial", "--jobs", jobs, "--json")
    assert json.loads(finished.stdout) == [{"analysis": "tests.trial", "profile": "quick", "ran": True}]
    assert "[a word in the way" in finished.stderr


def test_debug_shows_where_it_went_wrong_in_a_worker(trials):
    trials.misdeed("0", "raise")
    finished = trials("run", "tests.trial", "--jobs", "2", "--debug")
    assert finished.returncode == 1
    assert "experiments.py" in finished.stderr


def test_missing_data_is_one_sentence(trials):
    finished = trials("run", "tests.trial", "--set", 'data=["folder:nowhere"]', "--jobs", "1")
    assert finished.returncode == 1
    assert finished.stderr == "convstudy: there is no folder or zip nowhere\n"


def test_seeds_make_a_custom_result_where_there_are_seeds_to_change(trials):
    assert trials("run", "tests.trial", "--seeds", "2", "--jobs", "1").returncode == 0
    assert trials.store.read("tests.trial", "custom").provenance.seeds == (0, 1)
    assert trials("run", "tests.trial", "--seeds", "3", "--jobs", "1").returncode == 0
    assert trials.store.read("tests.trial", "quick").provenance.seeds == (0, 1, 2)  # as many as it has
    assert trials.runs == ["0", "1", "2"]
    finished = trials("run", "architecture.lenet", "--seeds", "2")
    assert finished.returncode == 2
    assert (
        finished.stderr == "convstudy: --seeds changes nothing: architecture.lenet has no parameter seeds\n"
    )


def test_a_data_root_that_is_no_folder_is_wrong_use(trials):
    finished = trials("--data-root", "nowhere", "run", "tests.trial")
    assert finished.returncode == 2
    assert finished.stderr == "convstudy: --data-root nowhere is no folder\n"


def stale(store: Store) -> None:
    """As after a change of the code that summarizes."""
    result = store.read("tests.trial", "quick")
    older = result.provenance.model_copy(update={"cache_key": "0"})
    store.write(result.model_copy(update={"provenance": older, "metrics": {}}))


def test_build_summarizes_what_is_stale_and_measures_nothing(trials):
    shutil.copytree(ROOT / "results" / "full", trials.store.root / "full")
    assert trials("run", "tests.trial", "--jobs", "1").returncode == 0
    before = trials.store.read("tests.trial", "quick")
    stale(trials.store)
    built = trials("build", "photographs", "--format", "ipynb")
    assert "tests.trial: recorded" in built.stdout, built.stderr
    assert "tests.other: recorded" not in built.stdout  # never measured
    assert trials.store.read("tests.trial", "quick") == before
    assert trials.runs == ["0", "1", "2"]

    stale(trials.store)
    trials.store.outcomes_path("tests.trial", "quick").unlink()
    built = trials("build", "photographs", "--format", "ipynb")
    assert "tests.trial" not in built.stdout + built.stderr
    assert trials.runs == ["0", "1", "2"]


def test_check_names_outcomes_that_were_edited(trials):
    assert trials("run", "tests.trial", "--jobs", "1").returncode == 0
    path = trials.store.outcomes_path("tests.trial", "quick")
    path.write_text(path.read_text().replace('"score": 1', '"score": 7'))
    problems = json.loads(trials("check", "--json").stdout)["problems"]
    assert [problem for problem in problems if "outcomes/tests.trial.json was changed" in problem]
    stale(trials.store)
    (row,) = (row for row in trials.explain("tests.trial") if row["profile"] == "quick")
    assert "outcomes/tests.trial.json was changed" in row["reasons"][-1]

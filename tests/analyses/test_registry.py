"""Analyses are found by their files, and third parties add theirs through an entry point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import analyses
from results.store import Store
from tests.conftest import ROOT

PLUGIN = """
from analyses.plugin import Analysis, Cell, Parameters, Summary
from results.schema import Metric


class SquaresParameters(Parameters):
    numbers: tuple[int, ...] = (1, 2, 3)


class Squares(Analysis[SquaresParameters]):
    id = "example.squares"
    title = "Squares"
    question = "What is the sum of squares?"
    libraries = ()

    def parameters(self, profile):
        return SquaresParameters(numbers=(1, 2, 3) if profile == "quick" else (1, 2, 3, 4))

    def plan(self, parameters):
        return [Cell(str(number), {"number": number}) for number in parameters.numbers]

    def run(self, cell, context):
        context.report(0.5, "squaring")
        return {"square": cell.settings["number"] ** 2}

    def summarize(self, parameters, outcomes):
        total = sum(outcome["square"] for outcome in outcomes.values())
        return Summary({"sum": Metric(value=total, title="Sum of squares")})


class Slow(Squares):
    id = "example.slow"

    def plan(self, parameters):
        return [Cell(str(number), {"number": number}) for number in range(8)]

    def run(self, cell, context):
        import time

        time.sleep(0.5)
        return super().run(cell, context)


analysis = Squares()
slow = Slow()
"""
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "convstudy-example"
version = "1"
[project.entry-points."convstudy.analyses"]
"example.squares" = "convstudy_example:analysis"
"example.slow" = "convstudy_example:slow"
[tool.setuptools]
py-modules = ["convstudy_example"]
"""


@pytest.fixture(scope="module")
def third_party(tmp_path_factory):
    """A plugin of someone else's, installed by pip into a folder of its own."""
    source = tmp_path_factory.mktemp("source")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "convstudy_example.py").write_text(PLUGIN)
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True)
    return target


def test_a_third_party_plugin_is_listed_run_and_shown(third_party, convstudy):
    listed = json.loads(convstudy("list", "--json", path=third_party).stdout)
    assert "example.squares" in [row["analysis"] for row in listed]
    ran = convstudy("run", "example.squares", "--profile", "full", "--device", "cpu", path=third_party)
    assert ran.returncode == 0, ran.stderr
    shown = json.loads(convstudy("show", "example.squares", "--json", path=third_party).stdout)
    assert shown["metrics"]["sum"]["value"] == 30
    assert shown["provenance"]["parameters"] == {"numbers": [1, 2, 3, 4]}


def test_ctrl_c_is_tidy_and_the_same_command_goes_on(third_party, convstudy, tmp_path):
    store = Store(tmp_path / "results")

    def kept():
        outcomes = store.read_outcomes("example.slow", "quick")
        return outcomes.pending.cells if outcomes else ()

    environment = {**os.environ, "PYTHONPATH": str(third_party)}
    command = [sys.executable, str(ROOT / "runner.py"), "--results", str(tmp_path / "results"), "run"]
    command += ["example.slow", "--device", "cpu"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        while not kept():
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in stderr
    assert "takes it up again" in stderr
    assert 1 <= len(kept()) < 8
    finished = convstudy("run", "example.slow", "--device", "cpu", path=third_party)
    assert finished.returncode == 0, finished.stderr
    assert kept() == ()
    shown = json.loads(convstudy("show", "example.slow", "--json", path=third_party).stdout)
    assert shown["metrics"]["sum"]["value"] == sum(number**2 for number in range(8))


def test_a_changed_parameter_makes_a_custom_result(third_party, convstudy):
    ran = convstudy("run", "example.squares", "--set", "numbers=[5]", "--device", "cpu", path=third_party)
    assert ran.returncode == 0, ran.stderr
    shown = convstudy("show", "example.squares", "--profile", "custom", "--json", path=third_party)
    assert json.loads(shown.stdout)["metrics"]["sum"]["value"] == 25
    assert convstudy("show", "example.squares", path=third_party).returncode == 1


def test_every_built_in_analysis_loads_and_is_called_as_its_file():
    for identifier in analyses.identifiers():
        assert analyses.get(identifier).id == identifier


def test_an_unknown_analysis_is_answered_with_the_nearest_names():
    with pytest.raises(analyses.UnknownAnalysis, match=r"did you mean architecture\.alexnet"):
        analyses.get("architecture.alexnett")


def test_a_family_stands_for_its_members():
    assert analyses.select(["architecture"]) == [
        name for name in analyses.identifiers() if name.startswith("architecture.")
    ]

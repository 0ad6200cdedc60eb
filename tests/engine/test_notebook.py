"""What a notebook's cells call: a notebook that is run shows what it kept."""

from __future__ import annotations

import shutil
from copy import deepcopy

import nbclient
import nbformat
import pytest

import analyses
from engine import notebook
from report import notebook as writer
from report.prose import compose
from report.study import load
from results.store import ResultError, Store
from tests.conftest import ROOT

SECTIONS = {
    "short": "# Abstract\n\nA short text.\n",
    "counted": """# Counted
% do about("architecture.vgg19")

It has {{ value("total_parameters") }} parameters ({{ ref("shares") }}).

{{ table("layers", columns=["layer", "weights"]) }}

{{ figure("shares") }}
""",
    "measured": """# Measured
% do about("supervision.label_noise")

{{ figure("accuracy") }}
""",
}


@pytest.fixture
def written(tmp_path):
    """The notebook of a study of one analytic and one recorded result."""
    templates = tmp_path / "templates"
    shutil.copytree(ROOT / "templates", templates)
    for name, text in SECTIONS.items():
        (templates / "sections" / f"{name}.md").write_text(text, "utf-8")
    study = templates / "studies" / "one.toml"
    study.write_text(
        'title = "One"\nauthors = ["A"]\nabstract = "short"\nsections = ["counted", "measured"]\n', "utf-8"
    )
    return writer.write(compose(load(study, templates), templates, Store(ROOT / "results"))).decode()


def test_a_run_shows_what_was_kept(written, tmp_path):
    kept = nbformat.reads(written, as_version=4)
    run = deepcopy(kept)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(run, timeout=120, kernel_name="python3", resources=resources).execute()
    sources = [cell.source for cell in run.cells if cell.cell_type == "code"]
    assert "table(compute(\"architecture.vgg19\"), \"layers\", columns=['layer', 'weights'])" in sources
    assert any(source.startswith('figure(load("supervision.label_noise"), "') for source in sources)
    for before, after in zip(kept.cells, run.cells, strict=True):
        assert before.get("outputs") == after.get("outputs"), before.source


def test_a_result_near_the_notebook_is_taken_before_the_installed_one(tmp_path, monkeypatch):
    store = Store(ROOT / "results")
    mine = store.read("architecture.lenet", "full").model_copy(update={"title": "Mine"})
    Store(tmp_path / "results").write(mine)
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path / "site")
    notebook.load.cache_clear()
    assert notebook.load("architecture.lenet").title == "Mine"
    assert notebook.load("architecture.vgg19") == store.read("architecture.vgg19", "full")
    notebook.load.cache_clear()
    with pytest.raises(ResultError, match=r"there is no quick result of architecture\.lenet"):
        notebook.load("architecture.lenet", "quick")


OWN = """
from analyses.plugin import Analysis, Parameters, Summary
from results.schema import Metric


class One(Analysis[Parameters]):
    id, title, question, analytic, libraries = "own.one", "One", "How many?", True, ()

    def parameters(self, profile):
        return Parameters()

    def run(self, cell, context):
        return {"n": 1}

    def summarize(self, parameters, outcomes):
        return Summary({"n": Metric(value=outcomes["all"]["n"], title="N")})


analysis = One()
"""


def test_an_analysis_of_the_study_is_computed_where_the_notebook_is_in_its_folder(tmp_path, monkeypatch):
    for folder in ("site", "analyses"):
        (tmp_path / "mine" / folder).mkdir(parents=True)
    (tmp_path / "mine" / "study.toml").touch()
    (tmp_path / "mine" / "analyses" / "one.py").write_text(OWN, "utf-8")
    monkeypatch.setenv(analyses.OWN_FOLDER, "")  # put back as it was afterwards
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="keep the notebook in that folder"):
        notebook.compute("own.one")
    monkeypatch.chdir(tmp_path / "mine" / "site")
    assert notebook.compute("own.one").metrics["n"].value == 1
    analyses.use_folder(None)


def test_what_does_not_exist_is_named_with_what_resembles_it():
    result = notebook.load("architecture.vgg19")
    with pytest.raises(KeyError, match="no table 'layer'; did you mean layers"):
        notebook.table(result, "layer")
    with pytest.raises(KeyError, match="no figure 'share'; did you mean shares"):
        notebook.figure(result, "share")
    with pytest.raises(ValueError, match="is measured, not computed"):
        notebook.compute("supervision.label_noise")

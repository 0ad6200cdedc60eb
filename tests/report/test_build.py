"""A build writes what changed and nothing else, and a fault costs only the part that it is in."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages

import pytest

import report
import results
from engine.refreshing import MACHINERY
from report.build import Built, build_studies, explain_study
from report.output_checks import check_output, check_prose
from report.state import code_inputs, hash_of
from report.study import load
from results.locking import holding
from results.schema import Picture, Pictures
from results.store import Store
from tests.lab.datasets.test_viewing import png
from tests.report.test_search_index import index_of, places_with

ROOT = Path(__file__).resolve().parents[2]
LENET, VGG = "architecture.lenet", "architecture.vgg19"
SECTIONS = {
    "lenet": """# The LeNet-like network
% do about("architecture.lenet")

The baseline is small.
It has {{ value("total_parameters") }} parameters ({{ ref("layers") }}).

{{ table("layers") }}
""",
    "vgg19": """# VGG-19
% do about("architecture.vgg19")

It has {{ value("total_parameters") }} parameters ({{ ref("layers") }}).

{{ table("layers") }}

**Where it goes.** {{ ref("shares") }} shows each stage.

{{ figure("shares") }}
""",
}
needs_tex = pytest.mark.skipif(not shutil.which("latexmk"), reason="TeX is not installed here")


class Workplace:
    """Templates, recorded results and an output of one's own: two small studies that share a section."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.templates = folder / "templates"
        self.store = Store(folder / "results")
        self.output = folder / "site"
        if not self.templates.exists():
            shutil.copytree(ROOT / "templates", self.templates)
            for study in (self.templates / "studies").glob("*.toml"):
                study.unlink()
            for name, text in SECTIONS.items():
                (self.templates / "sections" / f"{name}.md").write_text(text)
            self.study("one", "lenet", "vgg19")
            self.study("two", "lenet")
            for name in (LENET, VGG):
                self.store.path(name, "full").parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / "results" / "full" / f"{name}.json", self.store.path(name, "full"))

    def study(self, name: str, *sections: str) -> None:
        listed = ", ".join(f'"{section}"' for section in sections)
        (self.templates / "sections" / "short.md").write_text("# Abstract\n\nA short text.\n")
        (self.templates / "studies" / f"{name}.toml").write_text(
            f'title = "Study {name}"\nauthors = ["A. Author"]\nabstract = "short"\nsections = [{listed}]\n'
        )

    def build(self, *formats: str, studies: tuple[str, ...] = ("one", "two")) -> Built:
        loaded = [load(self.templates / "studies" / f"{name}.toml", self.templates) for name in studies]
        return build_studies(loaded, self.store, self.templates, self.output, formats or ("html",))

    def edit(self, section: str, old: str, new: str) -> None:
        path = self.templates / "sections" / f"{section}.md"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_a_second_build_changes_nothing(workplace):
    assert workplace.build().lines == ["one.html: built", "two.html: built", "site: built"]
    before = files(workplace.output)
    assert workplace.build().lines == ["one.html: unchanged", "two.html: unchanged", "site: unchanged"]
    assert files(workplace.output) == before


def test_one_changed_sentence_builds_the_documents_that_hold_it_and_what_is_looked_up(workplace):
    workplace.build()
    workplace.edit("vgg19", "Where it goes.", "Where it altogether goes.")
    assert workplace.build().lines == ["one.html: built", "two.html: unchanged", "site: built"]
    assert "Where it altogether goes." in (workplace.output / "one" / "vgg19.html").read_text()
    script = (workplace.output / "assets" / "search.js").read_bytes()
    assert places_with(index_of(script), "altogether")


def test_a_changed_result_builds_what_draws_on_it(workplace):
    workplace.build()
    result = workplace.store.read(VGG, "full")
    workplace.store.write(result.model_copy(update={"title": "Another title"}))
    assert workplace.build().lines == ["one.html: built", "two.html: unchanged", "site: built"]


def test_the_reason_for_building_again_is_named(workplace):
    workplace.build()
    study = load(workplace.templates / "studies" / "one.toml", workplace.templates)
    assert explain_study(study, workplace.output, workplace.store, workplace.templates)["html"] == []
    workplace.edit("lenet", "baseline", "base line")
    (workplace.output / "one" / "vgg19.html").unlink()
    reasons = explain_study(study, workplace.output, workplace.store, workplace.templates)["html"]
    assert [reason.split("/")[-1] for reason in reasons] == [
        "lenet.md changed",
        "vgg19.html is missing or was changed",
    ]


def test_every_module_that_writes_is_a_reason_for_building_again() -> None:
    names = [
        module.name
        for package in (report, results)
        for module in walk_packages(package.__path__, f"{package.__name__}.")
    ]
    assert "report.figures.look" in names and "results.schema.tables" in names
    modules = {Path(str(find_spec(name).origin)) for name in names}
    assert {hash_of(module) for module in modules} <= set(code_inputs(None).values())
    schema = {module for module in modules if module.is_relative_to(ROOT / "results")}
    assert schema <= set(MACHINERY), "and of summarizing again"


def test_a_pipe_among_the_results_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    assert hash_of(tmp_path / "pipe.json") is None


def test_a_section_taken_out_takes_its_page_along(workplace):
    workplace.build()
    workplace.study("one", "lenet")
    workplace.build()
    assert not (workplace.output / "one" / "vgg19.html").exists()
    assert "one/vgg19.html" not in json.loads((workplace.output / "manifest.json").read_text())


def test_the_manifest_names_every_file_of_the_site(workplace):
    workplace.build()
    listed = set(json.loads((workplace.output / "manifest.json").read_text()))
    assert listed == set(files(workplace.output)) - {"manifest.json"}


def test_two_builds_in_two_folders_are_the_same_to_the_byte(tmp_path):
    places = [Workplace(tmp_path / name) for name in ("here", "there")]
    for place in places:
        place.build("html")
        if shutil.which("latexmk"):
            place.build("html", "pdf", studies=("two",))
    assert files(places[0].output) == files(places[1].output)


@pytest.mark.parametrize("damage", ["missing", "truncated", "edited", "newer"])
def test_a_result_that_cannot_be_used_costs_only_its_section(workplace, damage):
    path = workplace.store.path(VGG, "full")
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:500])
    else:
        data = json.loads(path.read_text())
        data.update({"title": "Edited"} if damage == "edited" else {"schema_version": 3})
        path.write_text(json.dumps(data))
    built = workplace.build()
    (problem,) = built.problems
    assert "section vgg19" in problem
    assert f"python runner.py run {VGG}" in problem
    page = (workplace.output / "one" / "vgg19.html").read_text()
    assert f"python runner.py run {VGG}" in page
    assert "390,410" in (workplace.output / "one" / "lenet.html").read_text()
    assert workplace.build().problems == [problem], "an unchanged build still says what is missing"


def test_a_result_that_cannot_be_drawn_stops_nothing_that_does_not_use_it(workplace):
    colours_of_one_bit = base64.b64encode(png(8, 1, 2, bytes(3))).decode()  # which PNG files have not
    picture = Picture(png=colours_of_one_bit)
    stray = Pictures(caption="A picture.", alt="None.", pictures=(picture,), columns=1)
    result = workplace.store.read(VGG, "full")
    workplace.store.write(result.model_copy(update={"analysis": "their.stray", "figures": {"one": stray}}))
    built = workplace.build()
    assert built.lines == ["one.html: built", "two.html: built", "site: built"]
    (problem,) = built.problems
    said = "the page of their.stray cannot be made: the figure their.stray/one cannot be drawn: "
    assert problem.startswith(said)
    assert (workplace.output / "results" / f"{VGG}.html").is_file()
    assert "their.stray" not in (workplace.output / "results" / "index.html").read_text()


def test_a_second_build_of_the_same_output_waits_and_says_so(workplace):
    workplace.build()
    code = "import sys, pathlib, tests.report.test_build as test\n"
    code += "print(test.Workplace(pathlib.Path(sys.argv[1])).build().lines)"
    command = [sys.executable, "-c", code, str(workplace.folder)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}
    with holding(workplace.output.parent / ".build" / workplace.output.name):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        second = subprocess.Popen(command, env=environment, text=True, **pipes)
        waits = f"another process builds {workplace.output}; this one goes on when that has ended\n"
        assert second.stderr.readline() == waits
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1)
    printed, _ = second.communicate(timeout=120)
    assert "site: unchanged" in printed


def test_without_tex_the_site_is_built_and_one_sentence_says_what_to_install(workplace, monkeypatch):
    monkeypatch.setenv("PATH", str(workplace.folder))
    built = workplace.build("pdf", "html", studies=("two",))
    (notice,) = built.notices
    assert "apt-get install" in notice
    assert built.lines == ["two.html: built", "site: built"]
    assert list((workplace.folder / ".build").rglob("two.tex"))
    assert not (workplace.output / "two.pdf").exists()


def test_a_notebook_is_built_when_asked_for_and_explained_only_then(workplace):
    study = load(workplace.templates / "studies" / "two.toml", workplace.templates)

    def explained() -> dict[str, list[str]]:
        return explain_study(study, workplace.output, workplace.store, workplace.templates)

    assert set(explained()) == {"pdf", "html"}
    assert workplace.build("ipynb", studies=("two",)).lines == ["two.ipynb: built"]
    assert workplace.build("ipynb", studies=("two",)).lines == ["two.ipynb: unchanged"]
    assert explained()["ipynb"] == []
    workplace.edit("lenet", "is small", "is very small")
    assert workplace.build("ipynb", studies=("two",)).lines == ["two.ipynb: built"]
    assert "is very small" in (workplace.output / "two.ipynb").read_text("utf-8")
    workplace.build("ipynb", "latex", "html", studies=("two",))
    page = (workplace.output / "two" / "index.html").read_text("utf-8")
    assert '<a href="../two.ipynb">Notebook</a> <a href="../two-latex.zip">LaTeX sources</a>' in page


def test_a_study_that_is_gone_leaves_the_site(workplace):
    workplace.build("html", "ipynb")
    (workplace.templates / "studies" / "one.toml").unlink()
    lines = workplace.build("html", studies=("two",)).lines
    assert lines == [
        "two.html: unchanged",
        "one.html: removed, since its study is gone",
        "one.ipynb: removed, since its study is gone",
        "site: built",
    ]
    left = {path.parts[0] for path in map(Path, files(workplace.output))}
    assert left == {"assets", "glossary.html", "index.html", "manifest.json", "results", "two", "two.ipynb"}
    assert not (workplace.output / "one").exists()
    assert "one/index.html" not in (workplace.output / "index.html").read_text()


def test_the_latex_of_a_study_compiles_in_an_empty_folder_as_it_does_here(workplace, tmp_path):
    built = workplace.build("latex", "pdf", studies=("one",))
    assert built.lines[-1] == "one.latex: built"
    folder = tmp_path / "empty"
    shutil.unpack_archive(workplace.output / "one-latex.zip", folder)
    assert {"one.tex", "convstudy.cls", "references.bib", "latexmkrc"} <= set(files(folder))
    said = (folder / "README.txt").read_text("utf-8")
    assert "Run latexmk in this folder: it makes one.pdf, with pdflatex" in said and "choose this zip" in said
    assert "one-latex.zip: unpack it and run `latexmk` there, which takes pdflatex" in built.notices[0]
    if not shutil.which("latexmk"):
        assert built.notices and "has no .bbl" in built.notices[-1]
        return
    subprocess.run(["latexmk", "-silent"], cwd=folder, capture_output=True, check=True)
    texts = [
        subprocess.run(["pdftotext", str(pdf), "-"], capture_output=True, check=True).stdout
        for pdf in (folder / "one.pdf", workplace.output / "one.pdf")
    ]
    assert texts[0] == texts[1] and b"Study one" in texts[0]
    assert b"undefined" not in (folder / "one.log").read_bytes()


@needs_tex
def test_a_pdf_is_built_once_and_linked_from_its_site(workplace):
    first = workplace.build("pdf", "html", studies=("two",))
    assert (first.problems, first.notices) == ([], [])
    assert first.lines == ["two.pdf: built", "two.html: built", "site: built"]
    assert "../two.pdf" in (workplace.output / "two" / "index.html").read_text()
    again = workplace.build("pdf", "html", studies=("two",))
    assert again.lines == ["two.pdf: unchanged", "two.html: unchanged", "site: unchanged"]
    study = load(workplace.templates / "studies" / "two.toml", workplace.templates)
    assert check_output([study], workplace.store, workplace.templates, workplace.output) == ([], [])


@needs_tex
def test_a_breach_of_the_page_limit_is_reported_with_the_count_every_time(workplace):
    study = workplace.templates / "studies" / "one.toml"
    study.write_text(study.read_text() + "page_limit = 1\n")
    for _ in range(2):
        (problem,) = workplace.build("pdf", studies=("one",)).problems
        assert problem.startswith("one.pdf: ")
        assert "page" in problem
        assert "limit" in problem


def test_a_study_with_an_open_question_is_refused_built_or_not(workplace):
    for name in ("lenet", "vgg19"):
        (workplace.templates / "sections" / f"{name}.md").write_text("# Weights\n\nThere are some.\n")
    file = workplace.templates / "studies" / "one.toml"
    file.write_text(file.read_text() + '[[questions]]\nid = "1a"\ntext = "How many weights?"\n')
    (problem,) = workplace.build("html", studies=("one",)).problems
    assert problem.startswith("one: 1a of its questions has no answer")
    shutil.rmtree(workplace.output / "one")
    study = load(file, workplace.templates)
    assert problem in check_output([study], workplace.store, workplace.templates, workplace.output)[0]


@pytest.mark.parametrize("own", [False, True])
def test_a_float_without_mention_is_a_problem_of_ours_and_a_notice_in_ones_own(workplace, own):
    workplace.edit("lenet", ' ({{ ref("layers") }})', "")
    store = Store(workplace.store.root, behind=workplace.store.root) if own else workplace.store
    (said,) = workplace.build("html", studies=("one",)).notices
    study = load(workplace.templates / "studies" / "one.toml", workplace.templates)
    problems, notices = check_output([study], store, workplace.templates, workplace.output)
    assert "lenet.md:7: the text never refers to Table 1" in said
    assert (said in problems, said in notices) == (not own, own)


def test_prose_without_typed_digits_is_all_there_is(workplace):
    assert check_prose(workplace.templates) == []
    workplace.edit("lenet", "It has", "It has 390,410 or")
    (problem,) = check_prose(workplace.templates)
    assert "lenet.md:5" in problem
    assert "390,410" in problem


def test_sources_with_tags_have_what_they_need_and_stay_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)  # tagging takes LaTeX long
    study = load(place.templates / "studies" / "two.toml", place.templates)

    def build(tagged: bool) -> Built:
        return build_studies([study], place.store, place.templates, place.output, ["latex"], tagged=tagged)

    assert build(False).lines == build(True).lines == ["two.latex: built"]
    assert build(True).lines == ["two.latex: unchanged"]
    with zipfile.ZipFile(place.output / "two-latex.zip") as archive:
        assert "tagged.sty" in archive.namelist()

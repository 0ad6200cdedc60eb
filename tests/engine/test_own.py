"""A study in a folder of one's own: begun by `new`, built there, its faults named in the author's files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import analyses
from engine.commands import common
from engine.own import open_study, study_id
from engine.unfinished import AUTHOR, BEGUN, TITLE, unfinished
from report import html, latex, latex_scripts, notebook
from report import study as studies
from report.bibliography_names import for_latex
from report.drafts import ProseError
from report.prose import compose
from report.study import KEYS, StudyError
from results.store import Store
from runner import main
from tests.report.conftest import refusal

TEMPLATES = common.TEMPLATES
RECORDED = TEMPLATES.parent / "results"
SECTION = "sections/my-section.md"
needs_tex = pytest.mark.skipif(not shutil.which("latexmk"), reason="TeX is not installed")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """No command of a test leaves a study behind that the next one works on."""
    yield
    common.work_in(None)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "My Study"
    assert (
        main(["new", str(path), "--title", 'A "quoted" \\ title', "--author", "Ada", "--author", "Bo"]) == 0
    )
    return path


@pytest.fixture
def plain(folder):
    """With an abstract that needs no result."""
    (folder / "abstract.md").write_text("# Abstract\n\nNothing.\n", "utf-8")
    return folder


def document(folder: Path, text: str | None = None, **changes):
    if text is not None:
        (folder / SECTION).write_text(text, "utf-8")
    own = open_study(folder, TEMPLATES)
    return compose(replace(own.study, **changes), own.templates, Store(folder / "results", RECORDED))


def pages(folder: Path, text: str) -> str:
    files = html.write_document(document(folder, text))
    return files["my-study/my-section.html"].decode()


def test_a_new_study_builds_with_its_own_analysis_picture_and_table(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["build", "--format", "html"]) == 0
    assert "own.squeeze: recorded" in capsys.readouterr().out
    assert (folder / "results/full/own.squeeze.json").is_file()
    page = (folder / "site/my-study/my-section.html").read_text("utf-8")
    assert "1,248,424" in page and "Figure 2." in page and "The plan of the study." in page
    shown = sorted(file.name for file in (folder / "site/results").glob("*.json"))
    assert shown == [
        "architecture.drawings.json",
        "architecture.lenet.json",
        "architecture.vgg19.json",
        "own.squeeze.json",
    ]
    for command in (["check"], ["show", "own.squeeze"], ["explain", "my-study"], ["list", "studies"]):
        assert main(command) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert "1,248,424" in said and "my-study" in said
    assert main(["build", "--format", "html"]) == 0
    assert "my-study.html: unchanged" in capsys.readouterr().out


def test_a_folder_is_built_checked_and_explained_from_anywhere(plain, monkeypatch, capsys):
    monkeypatch.chdir(plain.parent)
    (plain / SECTION).write_text("# Mine\n\nWords.\n", "utf-8")
    assert main(["build", plain.name, "--format", "html"]) == 0
    assert main(["check", plain.name]) == 0
    assert main(["explain", plain.name]) == 0
    said = capsys.readouterr().out
    assert "links and PDFs hold" in said and "my-study (html): unchanged" in said
    Path("empty").mkdir()
    for command in ("build", "check", "explain", "serve"):
        assert main([command, "empty"]) == 2
        assert "empty holds no study.toml; `convstudy new FOLDER` begins" in capsys.readouterr().err
    common.work_in(None)
    for arguments in (["run", "own.squeeze"], ["show", "own.squeeze"], ["run", plain.name]):
        assert main(arguments) == 2
        assert "give the command in the folder of its study" in capsys.readouterr().err


def test_a_folder_of_the_author_never_hides_a_module_of_ours(plain, monkeypatch):
    for name in ("lab", "report", "results", "analyses", "torch"):
        (plain / name).mkdir(exist_ok=True)
        (plain / name / "__init__.py").write_text("raise RuntimeError('hidden')\n", "utf-8")
    (plain / "analyses" / "statistics.py").write_text("analysis = 3\n", "utf-8")
    monkeypatch.chdir(plain)
    assert main(["list", "studies"]) == 0
    assert main(["run", "architecture.lenet"]) == 0
    with pytest.raises(
        analyses.BrokenPlugin, match=r"loaded from .*/analyses/statistics\.py:1: its `analysis` is 3"
    ):
        analyses.get("own.statistics")


def test_the_file_of_a_new_study_says_what_a_key_does_and_every_example_is_one(folder):
    text = (folder / "study.toml").read_text("utf-8")
    offered = [key for key in KEYS if f"# {key} = {KEYS[key].example}  # {KEYS[key].meaning}\n" in text]
    assert offered[:2] == ["subtitle", "affiliation"] and '"my-section",  # yours\n' in text
    others = "".join(f"{key} = {KEYS[key].example}\n" for key in KEYS if f"{key} = " not in text)
    uncommented = others + re.sub("(?m)^# (?=[a-z_]+ = )", "", text)
    assert set(tomllib.loads(uncommented)) == set(KEYS)
    (folder / "study.toml").write_text(uncommented.replace("anonymous = true\n", ""), "utf-8")
    (folder / "abstract.md").write_text("# Abstract\n\nNothing.\n", "utf-8")
    study = document(folder, '# A\n\nDone. {{ answers("1a") }}\n').study
    assert (study.subtitle, study.date, study.page_limit) == ("A study of ten painters", "May 2026", 8)
    assert study.site["title"] == "Painters" and study.questions[0].id == "1a"


def test_authors_are_names_or_tables_or_anonymous(plain):
    study = plain / "study.toml"
    text = study.read_text("utf-8").replace('["Ada", "Bo"]', KEYS["authors"].example)
    study.write_text(text, "utf-8")
    people = document(plain, "# A\n").study.people
    assert [(one.name, one.affiliation, one.email) for one in people] == [
        ("Ada Lovelace", "", ""),
        ("Bo Ek", "Lund", "bo@example.org"),
    ]
    study.write_text("anonymous = true\n" + text, "utf-8")
    assert document(plain).study.authors == ("Anonymous authors",)


@needs_tex
def test_a_study_without_authors_names_none_in_any_format(plain, capsys):
    study = plain / "study.toml"
    study.write_text(study.read_text("utf-8").replace('["Ada", "Bo"]', '[]\ndate = "May 2026"'), "utf-8")
    (plain / SECTION).write_text("# Mine\n", "utf-8")
    assert main(["build", str(plain), "--format", "pdf,html,ipynb"]) == 0, capsys.readouterr().err
    pdf = ["pdfinfo", str(plain / "site" / "my-study.pdf")]
    assert not re.search("Author: *[^ \n]", subprocess.run(pdf, capture_output=True, text=True).stdout)
    page = (plain / "site" / "my-study" / "index.html").read_text("utf-8")
    assert '<p class="authors">May 2026</p>' in page and "citation_author" not in page
    assert "  author" not in page
    cells = json.loads((plain / "site" / "my-study.ipynb").read_text("utf-8"))["cells"]
    assert "".join(cells[0]["source"]).startswith('# A "quoted" \\\\ title\n\n## Abstract')


def test_photographs_of_a_reader_are_signed_by_nobody():
    study = studies.load(TEMPLATES / "studies" / "photographs.toml", TEMPLATES)
    assert study.people == () and "convstudy made" in study.subtitle


def test_from_copies_the_sections_of_a_study_so_that_some_can_be_dropped(tmp_path):
    assert main(["new", str(tmp_path / "a"), "--from", "verification"]) == 0
    ours = tomllib.loads((TEMPLATES / "studies" / "verification.toml").read_text("utf-8"))
    sections = tomllib.loads((tmp_path / "a" / "study.toml").read_text("utf-8"))["sections"]
    assert sections == [*ours["sections"][:-1], "my-section", ours["sections"][-1]]


def test_what_new_wrote_is_named_until_it_is_rewritten(folder, capsys):
    study = folder / "study.toml"
    text = study.read_text("utf-8").replace('"Bo"', f'"{AUTHOR}"')
    study.write_text(f"site = {KEYS['site'].example}\n{text}", "utf-8")
    begun = open_study(folder, TEMPLATES)
    (said,) = unfinished(begun, TEMPLATES)
    lines = study.read_text("utf-8").splitlines()
    toml = [f"{study}:{number}" for number, line in enumerate(lines, 1) if line[:4] in ("auth", "site")]
    others = [f"{folder}/{SECTION}:1", f"{folder}/references.bib:3"]
    assert said.startswith(f"{toml[0]}: this line is still as `convstudy new` wrote it, as are {toml[1]}, ")
    assert f"{folder}/abstract.md:3, {', '.join(others)}; write your own" in said
    (folder / SECTION).write_text("# Mine\n\nWords.\n", "utf-8")
    (said,) = unfinished(begun, TEMPLATES)
    assert "references.bib" not in said and SECTION not in said
    for command in ("build", "check"):
        main([command, str(folder), *(["--format", "html"] if command == "build" else [])])
        assert f"convstudy: {said}" in capsys.readouterr().err.splitlines()
    assert set(BEGUN) - {TITLE, AUTHOR, '"…"'} == {
        text
        for text in BEGUN
        for file in (TEMPLATES / "new").rglob("*.[mb]*")
        if text in file.read_text("utf-8")
    }


def test_an_abstract_without_text_is_named(tmp_path):
    folder = tmp_path / "a"
    assert main(["new", str(folder), "--title", "T", "--author", "A"]) == 0
    (folder / SECTION).write_text("# Mine\n\nWords.\n", "utf-8")
    (folder / "abstract.md").write_text("# Abstract\n\n", "utf-8")
    (said,) = unfinished(open_study(folder, TEMPLATES), TEMPLATES)
    assert said == f"{folder}/abstract.md: it has a heading and no text; write it"


def test_an_entry_that_our_sections_cite_instead_of_ours_is_named(tmp_path):
    folder = tmp_path / "a"
    assert main(["new", str(folder), "--from", "artists-and-faces", "--title", "T", "--author", "A"]) == 0
    (folder / "abstract.md").write_text("# Abstract\n\nWords.\n", "utf-8")
    (folder / SECTION).write_text("# Mine\n\nWords [@wang].\n", "utf-8")
    (folder / "references.bib").write_text(BIB, "utf-8")
    assert not unfinished(open_study(folder, TEMPLATES), TEMPLATES)
    cited = "@misc{simonyan2015, title = {Mine}}"
    (folder / "references.bib").write_text(f"{BIB}{cited}\n", "utf-8")
    (said,) = unfinished(open_study(folder, TEMPLATES), TEMPLATES)
    place = f"{folder}/references.bib:{len(BIB.splitlines()) + 1}"
    assert said.startswith(f"{place}: this entry takes the place of ours with the key simonyan2015, which ")


def test_what_our_sections_say_of_one_that_is_dropped_is_named_until_they_are_copied(tmp_path):
    folder = tmp_path / "a"
    assert main(["new", str(folder), "--from", "artists-and-faces", "--title", "T", "--author", "A"]) == 0
    (folder / "abstract.md").write_text("# Abstract\n\nWords.\n", "utf-8")
    (folder / SECTION).write_text("# Mine\n\nWords.\n", "utf-8")
    assert not unfinished(open_study(folder, TEMPLATES), TEMPLATES)
    study = folder / "study.toml"
    study.write_text(study.read_text("utf-8").replace('    "facescrub",  # Recognising faces\n', ""), "utf-8")
    names = ("artists-introduction", "artists-conclusion")
    for number in range(3):
        said = unfinished(open_study(folder, TEMPLATES), TEMPLATES)
        assert len(said) == 2 - number
        for name, one in zip(names[number:], said, strict=True):
            assert one.startswith(
                f"{TEMPLATES}/sections/{name}.md: it speaks of sections that this study does"
            )
            assert re.search(
                rf"\(lines? \d+, .*of facescrub\); .* `cp .*/{name}\.md {folder}/sections/`, and", one
            )
        if said:
            shutil.copy(TEMPLATES / "sections" / f"{names[number]}.md", folder / "sections")


def test_a_reference_to_what_a_dropped_section_shows_names_that_section(plain):
    said = refusal(lambda: document(plain, '# A\n\nSee {{ ref("verification.siamese/recipe") }}.\n'))
    assert (
        f"{SECTION}:3: no section of this study shows 'verification.siamese/recipe', as the section s" in said
    )
    assert "name siamese in the study file" in said


def test_a_section_of_the_author_stands_before_ours_and_goes_when_it_is_removed(folder):
    mine = folder / "sections" / "lenet.md"
    mine.write_text("# Mine\n", "utf-8")
    joined = open_study(folder, TEMPLATES).templates / "sections" / "lenet.md"
    assert joined.read_text("utf-8") == "# Mine\n"
    mine.unlink()
    ours = (TEMPLATES / "sections" / "lenet.md").read_text("utf-8")
    assert (open_study(folder, TEMPLATES).templates / "sections" / "lenet.md").read_text("utf-8") == ours


def test_a_section_may_be_named_by_its_path(plain):
    (plain / "text").mkdir()
    (plain / "text" / "method.md").write_text("# Method\n", "utf-8")
    study = plain / "study.toml"
    study.write_text(study.read_text("utf-8").replace('"my-section"', '"text/method.md"'), "utf-8")
    assert document(plain).sections[0].title == "Method"
    text = study.read_text("utf-8")
    for name, title in (("my-section.md", "A section of my own"), ("lenet.md", "The LeNet-like network")):
        study.write_text(text.replace("text/method.md", name), "utf-8")
        assert open_study(plain, TEMPLATES).study.sections == (name.removesuffix(".md"),)
        joined = plain / ".build" / "templates" / "sections" / name
        assert title in joined.read_text("utf-8").partition("\n")[0]
    study.write_text(text.replace("method.md", "methods.md"), "utf-8")
    with pytest.raises(StudyError, match=r"there is no file 'text/methods\.md'"):
        open_study(plain, TEMPLATES)


def test_numbers_typed_by_hand_are_named_refused_or_allowed(plain):
    section = plain / SECTION
    section.write_text("# Mine\n\nIt is a ZX-81.\n", "utf-8")
    own = open_study(plain, TEMPLATES)
    (typed,) = document(plain).notices
    assert own.in_files_written(typed).startswith(f"{section}:3: the digits of 'ZX-81.' are typed by hand")
    assert str(plain / "names.txt") in own.in_files_written(typed)
    with pytest.raises(ProseError, match="ZX-81"):
        document(plain, typed_numbers="refuse")
    assert not document(plain, typed_numbers="allow").notices
    many = "\n\n".join(["It is a ZX-81, of $1000$.", "And 3,5.", *(f"Of {n}." for n in range(40, 50))])
    (typed,) = document(plain, f"# Mine\n\n{many}\n").notices
    assert "say {{ number(\"…\") }}; so are '1000' (line 3), '3,5.' (line 5), '40.' (line 7), '41.'" in typed
    assert typed.endswith("'45.' (line 17) and 4 more")
    (plain / "names.txt").write_text("ZX-81\n", "utf-8")
    (plain / SECTION).write_text("# Mine\n\nIt is a ZX-81.\n", "utf-8")
    assert not document(plain, typed_numbers="refuse").notices
    said = document(plain, '# Mine\n\nIn 1997, 5 May 2024, see Figure 2: {{ number("1,234") }} of it.\n')
    assert not said.notices


def test_faults_are_named_in_the_file_that_the_author_wrote(folder):
    study = folder / "study.toml"
    study.write_text(study.read_text("utf-8").replace('"my-section"', '"my-sektion"'), "utf-8")
    with pytest.raises(StudyError, match="did you mean my-section") as refused:
        open_study(folder, TEMPLATES)
    assert str(study) in str(refused.value)


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        (
            "@misc{a, title = {A}}\n@misc{LeCun1998, title = {Other}}\n",
            r"references\.bib:2: the key 'LeCun1998' differs from 'lecun1998', .* write lecun1998",
        ),
        (
            "@misc{a, title = {A}}\n\n@misc{a, title = {B}}\n",
            r"references\.bib:3: the entry 'a' is there twice",
        ),
        (
            "@misc{a, title = {A}}\n@misc{A, title = {B}}\n",
            r"references\.bib:2: the entry 'A' is there twice",
        ),
        (
            "@misc{a}\n@misc{, title = {A}}\n",
            r"references\.bib:2: @misc has no key with a comma behind it; write",
        ),
        ("@misc{title = {A}}\n", r"references\.bib:1: @misc has no key with a comma"),
        ("@misc{a b, title = {A}}\n", r"references\.bib:1: @misc has no key with a comma"),
        ("\n@misc{a, title = {A}\n", r"references\.bib:2: the entry 'a' has no end; a } or"),
        ('@misc{b, title = {B}}\n@misc{a, title = "A}\n', r"references\.bib:2: the entry 'a' has no end"),
        ("@misc(a, title = {A}\n@misc{b, title = {B}}\n", r"references\.bib:1: the entry 'a' has no end"),
    ],
)
def test_entries_that_cannot_be_told_apart_or_have_no_end_are_refused(folder, entries, complaint):
    (folder / "references.bib").write_text(entries, "utf-8")
    with pytest.raises(StudyError, match=complaint):
        open_study(folder, TEMPLATES)


def test_an_entry_of_the_author_takes_the_place_of_ours_in_every_format(plain):
    (plain / "references.bib").write_text("@misc{lecun1998, author = {Ada}, title = {My Own Net}}\n", "utf-8")
    page = pages(plain, "# Mine\n\nAs [@lecun1998; @simonyan2015] say.\n")
    assert "My Own Net" in page and "Simonyan" in page and "Gradient-based" not in page
    entries = latex.sources("", document(plain), open_study(plain, TEMPLATES).templates, plain)[
        "references.bib"
    ]
    assert entries.count(b"{lecun1998,") == 1 and b"My Own Net" in entries


def test_one_broken_section_says_so_in_its_place_and_the_rest_is_built(plain, monkeypatch, capsys):
    study = plain / "study.toml"
    study.write_text(study.read_text("utf-8").replace('"my-section",', '"my-section", "good",'), "utf-8")
    (plain / "sections" / "good.md").write_text("# Good\n\nAll is well.\n", "utf-8")
    (plain / SECTION).write_text('# Bad\n\n{{ valeu("a.b/c") }}\n', "utf-8")
    assert main(["build", str(plain), "--format", "html"]) == 1
    said = capsys.readouterr().err
    assert f"{plain / SECTION}:3: 'valeu' is undefined; did you mean value" in said
    site = plain / "site" / "my-study"
    assert "All is well." in (site / "good.html").read_text("utf-8")
    assert "This section cannot be shown" in (site / "my-section.html").read_text("utf-8")
    (plain / SECTION).write_text("# Mended\n", "utf-8")
    assert main(["build", str(plain), "--format", "html"]) == 0


def test_a_fault_in_a_formula_has_the_same_sentence_in_both_formats(plain, capsys):
    (plain / SECTION).write_text("# Bad\n\nOne $x$.\n\nAs\n$$\nx = \\frca{a}{b}\n$$\nsays.\n", "utf-8")
    said = []
    for kind in ("html", "latex"):
        assert main(["build", str(plain), "--format", kind]) == 1
        said.append([line for line in capsys.readouterr().err.splitlines() if "formula" in line])
    wrong = r"the formula x = \frca{a}{b} cannot be set: there is no command \frca; did you mean \frac?"
    assert said == [[f"convstudy: my-study: {plain / SECTION}:7: {wrong}"]] * 2


@needs_tex
def test_what_latex_cannot_set_costs_its_section_and_bibtex_is_quoted(plain, capsys):
    study = plain / "study.toml"
    study.write_text(study.read_text("utf-8").replace('"my-section",', '"my-section", "good",'), "utf-8")
    (plain / "sections" / "good.md").write_text("# Good\n\nAll is well.\n", "utf-8")
    bad = "# Bad\n\nOne $x$.\n\n$$\nx =\n\\cancel{x}\n$$\n"
    (plain / SECTION).write_text(bad, "utf-8")
    assert main(["build", str(plain), "--format", "pdf"]) == 1
    assert f"{plain / SECTION}:7: LaTeX stops with “Undefined control sequence”" in capsys.readouterr().err
    assert (plain / "site" / "my-study.pdf").is_file()
    (plain / SECTION).write_text("# Cites\n\nAs [@mine] says.\n", "utf-8")
    broken = "@misc{mine,\n  title = {A title}\n  year = {2016}\n}\n"
    (plain / "references.bib").write_text(broken, "utf-8")
    assert main(["build", str(plain), "--format", "pdf"]) == 1
    assert f"{plain / 'references.bib'}:3: BibTeX stops with" in capsys.readouterr().err
    (plain / "references.bib").write_text(broken.replace("title}", "title},"), "utf-8")
    assert main(["build", str(plain), "--format", "pdf"]) == 0


BIB = """@misc{wang, author = {王小明 and 李, 四}, title = {One}, year = {2020}}
@misc{sato, author = "佐藤 太郎 and
    Kim, Min and {Some Group}", title = {Two}, year = {2021}}
@misc{kim, author = {김 철수}, title = {Three}, year = {2022}}
@misc{cohen, author = {כהן, דוד בן}, title = {Four}, year = {2023}}
"""


def test_a_family_name_stands_first_in_the_scripts_where_it_does(plain):
    (plain / "references.bib").write_text(BIB, "utf-8")
    page = re.sub(r"<[^>]+>", "", pages(plain, "# Mine\n\nAs [@wang; @sato; @kim] say.\n"))
    for name in ("王小明, and 李四.", "佐藤太郎, Min Kim, and Some Group.", "김철수.", "李 2020", "佐藤"):
        assert name in page, name
    assert r"author = {{\family{כהן}}, \eastern{~דוד}}" in for_latex("author = {דוד כהן}")
    assert r"author = {{\family{李}}, \eastern{四} and Li, Si and 王小明}" in for_latex(
        "author = {李, 四 and Li, Si and 王小明}"
    )


UNNAMED = (
    "@misc{lost, title = {Cats {and} \\emph{dogs}}, year = {2020}}\n@book{x, editor = {A}, title = {B}}\n"
)


def test_what_has_no_author_is_cited_by_its_title(plain):
    (plain / "references.bib").write_text(UNNAMED, "utf-8")
    page = re.sub(r"<[^>]+>", "", pages(plain, "# Mine\n\nAs [@lost] says.\n"))
    assert "Cats and Dogs 2020" in page
    assert for_latex(UNNAMED) == UNNAMED.replace(
        "title = {Cats {and} \\emph{dogs}}", "author = {{Cats {and} \\emph{dogs}}}"
    )


@needs_tex
def test_a_family_name_stands_first_in_the_pdf(plain, capsys):
    (plain / "references.bib").write_text(BIB, "utf-8")
    (plain / SECTION).write_text("# Mine\n\nAs [@wang; @sato; @kim; @cohen] say.\n", "utf-8")
    lacking = latex_scripts.advice(
        r"\foreign{cjk}{674E}\foreign{hebrew}{05D3}"
    )  # fonts, which are then named
    assert main(["build", str(plain), "--format", "pdf"]) == bool(lacking), capsys.readouterr().err
    shown = ["pdftotext", str(plain / "site" / "my-study.pdf"), "-"]
    text = re.sub(r"\s", "", subprocess.run(shown, capture_output=True, text=True, check=True).stdout)
    assert "MinKim" in text and "eastern" not in text and "family" not in text
    if not lacking:
        assert re.sub("[\u202a-\u202e]", "", text).count("דודבןכהן") == 1
        assert "佐藤太郎,MinKim" in text and "李四" in text and "김철수" in text


PICTURE = "# P\n\n![My *drawing*.](net.png){#net width=50%}\n\nSee {{ ref('picture:net') }}.\n"


def test_pictures_and_tables_of_the_author_are_numbered_with_all_others(plain):
    Image.new("RGB", (40, 20), "red").save(plain / "figures" / "net.png")
    text = PICTURE + (
        "\n| A | B |\n|---|--:|\n| a[^n] | b |\n\n: Two columns. {#two}\n\n[^n]: A note.\n\n"
        "| C |\n|---|\n| without a number |\n\n"
        '{{ table("architecture.vgg19/layers", columns=["layer"]) }}\n\n'
        '{{ ref("table:two") }}, {{ ref("architecture.vgg19/layers") }}.\n'
    )
    items = document(plain, text).items
    assert [(item.target, item.label) for item in items.values()][:3] == [
        ("picture:net", "Figure 1"),
        ("table:two", "Table 1"),
        ("architecture.vgg19/layers", "Table 2"),
    ]
    page = pages(plain, text)
    assert '.png" alt="My drawing." width="50%" loading="lazy">' in page
    assert "<strong>Figure 1.</strong> My <em>drawing</em>." in page and "<strong>Table 1.</strong>" in page


@needs_tex
def test_both_formats_number_what_the_author_wrote_alike(plain, capsys):
    Image.new("RGB", (40, 20), "red").save(plain / "figures" / "net.png")
    text = (
        "# The $O(n^2)$ cost of *attention* and `conv_x`\n\n## With `code_y` and $n$\n\n"
        "::: {.figure}\nA box.\n:::\n\n![Mine.](net.png)\n\n"
        "| A | B |\n|---|---|\n| a[^n] | b |\n\n: With a note. {#two}\n\n[^n]: A note.\n\n"
        "| C |\n|---|\n| c |\n\n"
        "| D |\n|---|\n" + "| step |\n" * 70 + "\n"
        "| E | F |\n|---|---|\n" + "| step | f |\n" * 70 + "| last[^n] | f |\n\n: A long one. {#long}\n\n"
        '{{ table("architecture.vgg19/layers", columns=["layer", "weights"]) }}\n\n'
        f"{{{{ ref('table:two') }}}} {{{{ ref('table:long') }}}} "
        f"<https://example.org/{'abcdefghij' * 20}>\n\n"
        f"```\nx = 'a' if {{b}} else \"c\"  # {'long ' * 40}\n```\n"
    )
    (plain / SECTION).write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert main(["build", str(plain), "--format", "pdf"]) == 0, capsys.readouterr().err
    shown = ["pdftotext", "-layout", str(plain / "site" / "my-study.pdf"), "-"]
    text = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
    assert text.count("step") == 140 and "Table 2: A long one." in text and "Table 3: " in text
    for heading in (r"^\f? *D$", r"^\f? *E +F$"):  # on each of its pages
        assert len(re.findall(heading, text, re.MULTILINE)) > 1


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("none.png", "there is no picture none.png"),
        ("net.bmp", "save it as PNG, JPEG, SVG or PDF"),
        ("false.png", "is no PNG that can be read"),
        ("https://example.org/net.png", "pages load nothing from there"),
    ],
)
def test_a_picture_that_cannot_be_shown_is_named_with_its_line(plain, address, complaint):
    (plain / "figures" / "net.bmp").write_bytes(b"BM")
    (plain / "figures" / "false.png").write_bytes(b"<html>")
    message = refusal(lambda: document(plain, f"# P\n\n![Mine.]({address})\n"))
    assert complaint in message
    assert f"{SECTION}:3" in message.replace(str(plain), "").replace("/.build/templates/", "")


def test_two_pictures_of_one_name_are_refused(plain):
    Image.new("RGB", (4, 2)).save(plain / "figures" / "net.png")
    with pytest.raises(ProseError, match="two of the study have the name 'net'"):
        document(plain, PICTURE + "\n" + PICTURE.partition("\n\n")[2])


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("# Another", 3, "this heading would begin another section; write ## before it"),
        ("## X {#x}\n\n## Y {#x}", 5, "two headings have the id 'x'"),
        (
            "## Above {#above}\n\n[up](#abov)",
            5,
            "no heading of this section has the id of the link #abov; did you",
        ),
        ("A [page](other.html).", 3, "the link other.html leads nowhere in a PDF; write {{ ref("),
        ("- a\n  - b\n    - c\n      - d\n        - ee", 7, "a list stands in 4 others"),
        ("A note[^n].", 3, "the footnote [^n] has no text"),
        ("A note[^n].\n\n[^n]: A\n\n[^n]: B", 3, "the footnote [^n] has several texts"),
        ("A note.\n\n[^n]: Its text.", 5, "no text has the mark [^n] of this footnote"),
        ("A\n\n$$ a = b", 5, "the formula that $$ begins there is never ended; write $$ behind it"),
        ("$$ a\n\nb $$", 3, "the formula that $$ begins there is never ended"),
        ("As $x = 1 says.\n\nAnd ($y$).", 3, "the formula that $ begins there is never ended; write $ right"),
        ("| A | $x |\n|---|---|\n| a | b |", 3, "the formula that $ begins there is never ended"),
        (
            "| A | B |\n|---|---|\n| a | b |\n| a | b | c |",
            6,
            "this row has 3 cells, and its table 2 columns",
        ),
        ("| A | B | C |\n|---|---|\n| a | b |", 3, "this row has 3 cells, and its table 2 columns"),
        ("A | B\n--|--\n% for n in [1]\na | b | c\n% endfor", 6, "this row has 3 cells, and its table 2"),
        ("+---+---+\n| a | b |\n+===+===+\n| a | b | c |\n+---+---+", 6, "this row has 3 cells"),
        (f"A\n{'[' * 3000}word{']' * 3000}", 4, "more than 8 brackets [ of this paragraph are open at once"),
        (f"A\n\n{'> ' * 1500}word", 5, "quotes, lists or emphasis stand too deep in each other there"),
        (f"A {{{{ {'(' * 3000}1{')' * 3000} }}}}", 3, "brackets stand too deep in each other there"),
        (
            "![A](window.png){width=wide}",
            3,
            "the width wide of window.png is none; write one such as {width=50%}",
        ),
        ("![A](window.png){width=1.2.3cm}", 3, "the width 1.2.3cm of window.png is none"),
        ("![A](window.png){width=0%}", 3, "the width 0% of window.png is none"),
        ("![A](cut.png)", 3, "cut.png is no PNG that can be read; save the picture again"),
        ("![A](large.png)", 3, "large.png is too large to be shown; save it with at most 10000 pixels"),
        ("A \x07 sound.", 3, "the text has a control character (U+0007), which nothing prints"),
        ("A\n\nline\u2028break.", 5, "the text has a control character (U+2028), which nothing prints"),
        ("{{ value(3) }}", 3, "name of value() is a text in quotation marks"),
        ("{{ table('a.b/c', columns='layer') }}", 3, "columns of table() is a list of texts"),
        ("% for n in range(10000000)\nx\n% endfor", 3, "Range too big"),
        ("{{ ''.__class__ }}", 3, "access to attribute '__class__' of 'str' object is unsafe"),
    ],
)
def test_what_an_author_may_get_wrong_in_a_section_is_named_with_its_line(plain, text, line, complaint):
    figures = plain / "figures"
    (figures / "cut.png").write_bytes((figures / "window.png").read_bytes()[:-300])
    Image.new("1", (10_001, 1)).save(figures / "large.png")
    message = refusal(lambda: document(plain, f"# Mine\n\n{text}\n"))
    assert complaint in message and f"{SECTION.rpartition('/')[2]}:{line}: " in message


def test_links_to_headings_lead_there_and_pictures_may_have_any_name(plain):
    (plain / "figures" / "window.png").rename(plain / "figures" / "ein Bild (1) ü%.png")
    page = pages(plain, "# A\n\n## X {#x}\n\nSee [x](#x) `[^code]`.\n\n![P.](<ein Bild (1) ü%.png>)\n")
    assert 'href="#my-section-x"' in page and 'id="my-section-x"' in page
    assert next(item.target for item in document(plain).items.values()) == "picture:ein-Bild-1"


@needs_tex
def test_a_fault_that_only_latex_finds_is_named_with_its_file_and_line(plain, capsys):
    written = "@misc{mine,\n  author = nobody,\n  title = {A & B},\n  year = 2016}\n"
    (plain / "references.bib").write_text("\n" + written, "utf-8")
    (plain / SECTION).write_text("# Mine\n\nA 🎉 [@mine].\n", "utf-8")
    assert main(["build", str(plain), "--format", "pdf"]) == 1
    assert f"{plain / 'references.bib'}:2: LaTeX stops with “Misplaced" in capsys.readouterr().err
    (plain / "references.bib").write_text("\n" + written.replace("&", "and"), "utf-8")
    assert main(["build", str(plain), "--format", "pdf"]) == 1
    said = capsys.readouterr().err
    assert f"{plain / 'references.bib'}:3: no @string defines nobody" in said
    assert f"{plain / SECTION}:3: a character is missing: U+1F389" in said


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ('title = "  "', r"study\.toml:1: title is empty; write title"),
        (r'title = "A\u0007"', r":1: the text has a control character \(U\+0007\)"),
        ('title = "A"\nabstract = "sections/none.md"', r":2: there is no file 'sections/none\.md'"),
        (
            'title = "A"\nabstract = "nothing"',
            r":2: there is no section 'nothing', a file .*sections/nothing\.md",
        ),
    ],
)
def test_what_an_author_may_get_wrong_in_the_study_file_is_named(plain, key, complaint):
    rest = 'authors = ["A"]\nsections = ["my-section"]\n'
    (plain / "study.toml").write_text(
        f"{key}\n" + ("" if "abstract" in key else 'abstract = "abstract"\n') + rest
    )
    with pytest.raises(StudyError, match=complaint) as refused:
        open_study(plain, TEMPLATES)
    assert ".build" not in str(refused.value)


def test_the_headline_of_a_study_is_of_any_result_and_named_with_its_line_where_it_is_none(plain, capsys):
    (plain / SECTION).write_text("# Mine\n", "utf-8")
    study = plain / "study.toml"
    text = study.read_text("utf-8")
    study.write_text('headline = "architecture.lenet/total_parameters"\n' + text, "utf-8")
    assert main(["build", str(plain), "--format", "html"]) == 0
    assert "390,410" in (plain / "site" / "index.html").read_text("utf-8")
    study.write_text('headline = "architecture.lenet/total_parameter"\n' + text, "utf-8")
    assert main(["build", str(plain), "--format", "html"]) == 1
    assert f"{study}:1: the headline" in (said := capsys.readouterr().err) and "did you mean total_p" in said


def test_a_damaged_state_of_the_last_build_is_made_again(plain):
    (plain / SECTION).write_text("# Mine\n", "utf-8")
    assert main(["build", str(plain), "--format", "html"]) == 0
    state = plain / ".build" / "site" / "state.json"
    page = (plain / "site" / "index.html").read_bytes()
    elsewhere = state.read_text().replace('"index.html"', '"../study.toml"')  # which it would remove
    for damaged in ("[]", '{"hash": "", "targets": {}}', "{", "[" * 200_000, elsewhere):
        state.write_text(damaged)
        assert main(["build", str(plain), "--format", "html"]) == 0
        assert (plain / "site" / "index.html").read_bytes() == page
    assert (plain / "study.toml").is_file()


def test_new_and_build_refuse_what_is_no_title_and_no_folder(tmp_path, capsys):
    for arguments in (["--title", "a\x07"], ["--author", " "], ["--author", "Ada\nBo"]):
        assert main(["new", str(tmp_path / "a"), *arguments]) == 2
        assert "is no text for --title or --author" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    assert main(["build", str(tmp_path / "none")]) == 2
    assert f"{tmp_path / 'none'} is no folder; `convstudy new FOLDER`" in capsys.readouterr().err


def test_new_refuses_what_exists_and_a_study_that_does_not(folder, capsys):
    assert main(["new", str(folder)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["new", str(folder / "b"), "--from", "verificaton"]) == 2
    assert "did you mean verification" in capsys.readouterr().err
    assert not (folder / "b").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_new_in_a_read_only_folder_is_one_sentence(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["new", str(tmp_path / "a")]) == 1
    assert "Permission denied" in capsys.readouterr().err


def test_a_folder_is_a_study_by_its_file_alone(folder):
    assert common.is_own(folder) and not common.is_own(folder.parent)
    assert study_id(folder.parent / "Ünï 2!") == "n-2"


@needs_tex
def test_a_study_builds_without_home_language_or_a_folder_for_temporary_files(plain):
    """And without a cache, where nothing but PATH is set."""
    unusable = {"TMPDIR": "/nowhere", "CONVSTUDY_CACHE": "/proc/nothing", "LC_ALL": "C"}
    command = [sys.executable, str(TEMPLATES.parent / "runner.py"), "build", str(plain)]
    (plain / SECTION).write_text("# Plain\n\nThis is “it”: naïve.\n", "utf-8")
    environment = {"PATH": os.environ["PATH"], **unusable}
    built = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert built.returncode == 0, built.stderr
    assert (plain / "site" / "my-study.pdf").is_file()


ANALYTIC = """from pathlib import Path

from analyses.plugin import Analysis, Parameters, Summary
from results.schema import Metric

class Squeeze(Analysis[Parameters]):
    id, title, question, analytic, libraries = "own.squeeze", "Runs", "How many runs?", True, ()

    def parameters(self, profile):
        return Parameters()

    def run(self, cell, context):
        import time

        with Path(__file__).with_name("runs.txt").open("a") as file:
            file.write("run\\n")
        time.sleep(1)  # the other build comes here meanwhile
        return {"n": 1}

    def summarize(self, parameters, outcomes):
        return Summary({"n": Metric(value=1, title="N")})

analysis = Squeeze()
"""


def test_two_builds_of_one_study_at_once_wait_for_each_other_and_run_its_analysis_once(plain):
    (plain / "analyses" / "squeeze.py").write_text(ANALYTIC, "utf-8")
    (plain / SECTION).write_text('# Mine\n\nWords of mine: {{ value("own.squeeze/n") }}.\n', "utf-8")
    command = [sys.executable, str(TEMPLATES.parent / "runner.py"), "build", str(plain), "--format", "html"]
    builds = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "ab"
    ]
    said = [build.communicate(timeout=300) for build in builds]
    assert [build.returncode for build in builds] == [0, 0], said
    for line in "".join(err for _, err in said).splitlines():
        assert re.fullmatch(r"convstudy: another process .*; this one goes on when that has ended", line)
    assert (plain / "analyses" / "runs.txt").read_text() == "run\n"
    assert sorted("own.squeeze: recorded" in out for out, _ in said) == [False, True]
    assert sorted("my-study.html: unchanged" in out for out, _ in said) == [False, True]
    assert not (plain / "results" / "cells").exists()
    assert "Words of mine:" in (plain / "site/my-study/my-section.html").read_text("utf-8")


@pytest.mark.parametrize("variable", ["HOME", "TMPDIR", "CONVSTUDY_CACHE"])
def test_new_and_check_work_where_a_folder_of_the_user_is_none(plain, variable):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", variable: "/dev/null/none"}
    for arguments, status in ((["new", str(plain.parent / "b")], 0), (["check", str(plain)], 1)):
        command = [sys.executable, str(TEMPLATES.parent / "runner.py"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")
        assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert "there is no site in" in done.stdout


def test_a_fault_of_the_abstract_is_named_in_its_file(plain, capsys):
    (plain / "abstract.md").write_text("# Abstract\n\n% if true\n\nA.\n", "utf-8")
    (plain / SECTION).write_text("# Mine\n", "utf-8")
    assert main(["build", str(plain), "--format", "html"]) == 1
    assert capsys.readouterr().err.startswith(
        f"convstudy: my-study: {plain / 'abstract.md'}:3: `% if` begins"
    )


@needs_tex
@pytest.mark.parametrize("place", ["text", "caption", "abstract"])
def test_a_formula_without_an_end_is_named_with_its_file_and_costs_its_section(plain, capsys, place):
    Image.new("RGB", (40, 20)).save(plain / "figures" / "net.png")
    broken = {"text": "A $\\frac{1$ b.", "caption": "![A $\\frac{1$ b.](net.png)", "abstract": "Fine."}[place]
    (plain / SECTION).write_text(f"# Bad\n\n{broken}\n", "utf-8")
    if place == "abstract":
        (plain / "abstract.md").write_text("# Abstract\n\nWhat $\\frac{1$ is.\n", "utf-8")
    assert main(["build", str(plain), "--format", "pdf"]) == 1
    file = plain / ("abstract.md" if place == "abstract" else SECTION)
    assert str(file) in capsys.readouterr().err
    assert (plain / "site" / "my-study.pdf").is_file()


TRAINS = """from analyses.plugin import Analysis, Cell, Parameters, Summary
from results.schema import Metric

class Slow(Analysis[Parameters]):
    id, title, question = "own.slow", "Slow", "How slow?"

    def parameters(self, profile):
        return Parameters()

    def plan(self, parameters):
        return [Cell("one", {"day": 1}), Cell("two", {"day": 2})]

    def run(self, cell, context):
        if cell.settings["day"] == 2:
            raise ValueError("not today")
        return {"n": 1}

    def summarize(self, parameters, outcomes):
        return Summary({"n": Metric(value=1, title="N", unit="n")})

analysis = Slow()
"""


def test_the_command_that_works_in_the_folder_is_printed_there(folder, monkeypatch, capsys):
    (folder / "analyses" / "slow.py").write_text(TRAINS, "utf-8")
    (folder / SECTION).write_text('# A\n\n{{ value("own.slow/n") }}\n')
    monkeypatch.chdir(folder)
    assert main(["check", "--json"]) == 1
    assert main(["build", "--format", "html"]) == 1
    assert main(["run", "own.slow"]) == 1
    for command in (["explain", "own.slow", "--json"], ["explain"], ["check"]):
        main(command)
    said = capsys.readouterr()
    for command in ("build", "run own.slow", "run own.slow --profile quick"):
        assert f"`convstudy {command}`" in said.out
    written = [file for file in Path().rglob("*") if file.suffix in (".html", ".json", ".js")]
    texts = [said.out, said.err, *(file.read_text("utf-8") for file in written)]
    assert not [text for text in texts if "runner.py" in text]


@pytest.mark.parametrize("name", ["study.toml", "abstract.md", SECTION, "references.bib", "names.txt"])
def test_a_file_in_another_encoding_is_named_whatever_it_is_for(plain, capsys, name):
    file = plain / name
    (plain / SECTION).write_text("# Mine\n", "utf-8")
    file.write_bytes(file.read_bytes() + "\n# naïve\n".encode("latin-1"))
    line = file.read_bytes().count(b"\n")
    status = main(["build", str(plain), "--format", "html"])
    said = capsys.readouterr().err
    assert status in (1, 2) and len(said.splitlines()) == 1, said
    assert f"{file}:{line}: the text is in an encoding such as Latin-1, not in UTF-8; save" in said


def test_html_is_shown_as_it_is_typed_with_a_notice(plain, capsys):
    (plain / SECTION).write_text("# Mine\n\nA <b>word</b>.\n", "utf-8")
    assert main(["build", str(plain), "--format", "html"]) == 0
    assert f"{plain / SECTION}:3: HTML such as <b> is printed as it is typed" in capsys.readouterr().err
    page = (plain / "site/my-study/my-section.html").read_text("utf-8")
    assert "&lt;b&gt;word&lt;/b&gt;" in page
    assert main(["check", str(plain)]) == 0
    assert f"{plain / SECTION}:3: HTML" in capsys.readouterr().err


def test_a_command_in_a_folder_below_works_on_the_study_around_it(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder / "sections")
    for command in ("run", "show", "explain"):
        assert main([command, "own.sqeeze"]) == 2
        assert "did you mean own.squeeze" in capsys.readouterr().err
    assert main(["list", "studies"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("my-study")


def test_a_custom_result_says_which_earlier_one_it_takes_the_place_of(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for size, earlier in (("14x14", ""), ("28x28", "[256, 14, 14]"), ("28x28", "")):
        assert main(["run", "architecture.inception", "--set", f"input=256x{size}"]) == 0
        first = capsys.readouterr().out.splitlines()[0]
        said = f", in the place of the earlier one with input={earlier}" if earlier else ""
        assert (
            first == f"architecture.inception: recorded in results/custom/architecture.inception.json{said}"
        )


@pytest.mark.parametrize(
    ("key", "there", "close"),
    [
        ("data.nam", "data has name, train,", "data.name"),
        ("dta.name", "it has data, size,", "data.name"),
        ("name", "it has data, size,", "data.name"),
        ("data.name.of", "data.name has none", "data.name"),
    ],
)
def test_a_parameter_that_is_not_there_is_named_with_the_nearest(key, there, close, capsys):
    assert main(["run", "classification.photographs", "--set", f"{key}=x"]) == 2
    said = capsys.readouterr().err
    assert f"has no parameter {key!r}; {there}" in said and f"; did you mean {close}" in said


def test_a_value_that_does_not_fit_is_named_with_what_it_is_now(capsys):
    for setting, said in (
        ("data=5", "--set data has parts; set one of them, as --set data.name=VALUE"),
        (
            "data.size=0",
            "--set data.size: Input should be a valid tuple; it is data.size=[32, 32] unless said",
        ),
    ):
        assert main(["run", "classification.photographs", "--set", setting]) == 2
        assert said in capsys.readouterr().err
    assert main(["show", "architecture"]) == 2
    assert "architecture is a family of analyses; name one, such as architecture.a" in capsys.readouterr().err


def test_an_analysis_that_is_not_there_is_named_with_its_line_and_the_nearest(folder, capsys):
    for use in ('{{ value("own.sqeeze/total_parameters") }}', '% do about("own.sqeeze")'):
        (folder / SECTION).write_text(f"# A\n\n{use}\n", "utf-8")
        assert main(["build", str(folder), "--format", "html"]) == 1
        *_, said = capsys.readouterr().err.splitlines()
        assert f"{folder / SECTION}:3: there is no analysis 'own.sqeeze'; did you mean own.squeeze" in said
    shutil.copy(folder / "analyses" / "squeeze.py", folder / "analyses" / "sqeeze.py")
    assert main(["explain", str(folder)]) == 0
    assert "the lack of own.sqeeze is gone" in capsys.readouterr().out


HELPER = "from own import helper\n\n\n"


@pytest.mark.parametrize(
    ("code", "place", "complaint"),
    [
        ("\ndef broken(:\n", "squeeze.py:2: ", "invalid syntax"),
        ("\n\nimport nowhere\n", "squeeze.py:3: ", "No module named 'nowhere'"),
        ("\n1 / 0\n", "squeeze.py:2: ", "division by zero"),
        (HELPER, r"squeeze.py \(.*helper.py:2\): ", "unindent does not match|unexpected indent"),
        ("x = 1\n", "squeeze.py: ", "it has no `analysis`; end the file with .*helper.s file with _"),
        (ANALYTIC.replace('"Runs", ', "3, "), "squeeze.py:7: ", 'Squeeze says no title; write title = "…"'),
        (ANALYTIC.replace("own.squeeze", "own.lemon"), "squeeze.py:7: ", 'write id = "own.squeeze"'),
        (ANALYTIC.replace("def run", "def ran"), "squeeze.py:23: ", "abstract class Squeeze"),
        ("import sys\nsys.exit(3)\n", "squeeze.py:2: ", r"it called sys.exit\(3\)"),
        (b'\n\nname = "na\xefve"\n', "squeeze.py:3: ", "an encoding such as Latin-1, not in UTF-8; save"),
        ("x = 1\n".encode("utf-16"), "squeeze.py.*: ", "the text is in UTF-16, not in UTF-8; save"),
    ],
)
def test_an_analysis_that_cannot_be_loaded_is_named_with_its_line(folder, code, place, complaint):
    content = code if isinstance(code, bytes) else code.encode()
    (folder / "analyses" / "squeeze.py").write_bytes(content)
    (folder / "analyses" / "helper.py").write_text("x = 1\n  y = 2\n", "utf-8")
    common.work_in(folder)
    with pytest.raises(analyses.BrokenPlugin, match=f"loaded from .*{place}.*({complaint})"):
        analyses.get("own.squeeze")


@pytest.mark.parametrize("output", ["/dev/null", "study.toml", "study.toml/site", "/proc/site"])
def test_an_output_that_cannot_be_a_folder_is_refused_before_the_build(folder, output, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["build", "--format", "html", "--output", output]) == 2
    printed = capsys.readouterr()
    (said,) = printed.err.splitlines()
    assert output in said and "recorded" not in printed.out
    assert not (folder / "results" / "full").exists()


def test_explain_names_what_the_study_rests_on_alone(folder, capsys):
    assert main(["explain", str(folder)]) == 0
    rows = [line.split(" ")[0] for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert list(dict.fromkeys(rows)) == [
        "architecture.drawings",
        "architecture.lenet",
        "architecture.vgg19",
        "own.squeeze",
        "my-study",
    ]
    assert main(["explain", "architecture.zoo"]) == 0
    assert "architecture.zoo (full)" in capsys.readouterr().out


def test_a_broken_analysis_or_bibliography_is_named_with_its_file(folder, capsys):
    (folder / "analyses" / "squeeze.py").write_text("def broken(:\n", "utf-8")
    assert main(["build", str(folder), "--format", "html"]) == 1
    assert f"{folder / 'analyses' / 'squeeze.py'}:1: invalid syntax" in capsys.readouterr().err
    (folder / "abstract.md").write_text("# Abstract\n\nAs [@mine] says.\n", "utf-8")
    (folder / "references.bib").write_text("@misc{mine,\n  title = {A}\n  year = {2016}\n}\n", "utf-8")
    assert main(["build", str(folder), "--format", "html"]) == 1
    assert f"{folder / 'references.bib'}:3: the bibliography cannot be read" in capsys.readouterr().err


def test_a_copy_of_a_folder_leaves_the_other_study_behind(plain, capsys):
    (plain / SECTION).write_text("# A\n", "utf-8")
    assert main(["build", str(plain), "--format", "html"]) == 0
    copy = plain.parent / "copy"
    shutil.copytree(plain, copy, symlinks=True)
    assert main(["build", str(copy), "--format", "html"]) == 0
    assert sorted(file.name for file in (copy / "site").iterdir() if file.is_dir()) == [
        "assets",
        "copy",
        "results",
    ]


def test_a_name_that_the_site_needs_is_refused(tmp_path, capsys):
    assert main(["new", str(tmp_path / "results")]) == 2
    assert "choose another name" in capsys.readouterr().err


EQUATIONS = """# Mine

See {{ ref("equation:loss") }} and {{ ref("equation:gain") }}.

$$L = x_1$$ {#loss}

As in
$$
G = x_2
$$
{#eq:gain}, where $x$ is it; and $$y$$ has none.
"""


def test_equations_with_a_label_have_numbers_and_are_referred_to(plain):
    items = document(plain, EQUATIONS, typed_numbers="refuse").items
    assert [(item.target, item.label) for item in items.values()][:2] == [
        ("equation:loss", "Equation 1"),
        ("equation:gain", "Equation 2"),
    ]
    page = pages(plain, EQUATIONS)
    assert '<a href="my-section.html#equation:gain" class="ref" title="G = x_2">Equation 2</a>' in page
    assert page.count('class="equation numbered"') == 2 and page.count('class="equation"') == 1
    assert '<span id="equation:loss"' in page and '<span class="counted">(1)</span></span></p>' in page
    cells = "\n".join(
        "".join(cell["source"]) for cell in json.loads(notebook.write(document(plain)))["cells"]
    )
    assert '<a id="Equation-1"></a>$$L = x_1 \\tag{1}$$\n' in cells and "[Equation 1](#Equation-1)" in cells
    named = '# Mine\n\n![A net $$x$$ {#in}.](figures/window.png){#größe}\n\n{{ ref("picture:größe") }}\n'
    assert list(document(plain, named).items)[:2] == ["picture:gr-e", "equation:in"]
    document(plain, EQUATIONS)
    assert "not refer" not in "".join(document(plain).notices)
    (unnamed,) = document(plain, "# Mine\n\nAs in\n\n$$y$$ {#y}\n").notices
    assert "my-section.md:5: the text never refers to Equation 1; say what to see there with" in unnamed


@needs_tex
def test_a_pdf_numbers_equations_as_the_page_does(plain, capsys):
    (plain / SECTION).write_text(EQUATIONS, "utf-8")
    assert main(["build", str(plain), "--format", "pdf"]) == 0, capsys.readouterr().err
    shown = ["pdftotext", "-layout", str(plain / "site" / "my-study.pdf"), "-"]
    text = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
    assert "See Equation 1 and Equation 2." in text
    assert re.search(r"L = x1 +\(1\)", text) and re.search(r"G = x2 +\(2\)", text)


def test_a_label_of_nothing_is_refused(plain):
    said = refusal(lambda: document(plain, "# Mine\n\nWords.\n\nAs $x$ {#mine} says.\n"))
    assert f"{SECTION}:5: the label {{#mine}} stands behind none of a heading, a picture" in said
    said = refusal(lambda: document(plain, "# Mine\n\n$$x$$ {#my loss}\n"))
    assert f"{SECTION}:3: the label {{#my must be one word in braces, as {{#name}}" in said
    document(plain, "# Mine\n\nWrite \\{#mine\\} or `{#mine}`.\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A net.\n\n![One.](net.png)\n\nThe net.\n\n![Two.](net.png)\n", 9),
        ("A net.\n\n![One.](net.png){#net width=50%}\n\n![Two.](net.png)\n", 7),
        ("A net.\n\n![One.](net.png){#a}\n\n![Two.](net.png)\n\n![Three.](net.png){#net}\n", 9),
        ("A net.\n\n| A |\n|---|\n| a |\n\n: One. {#net}\n\n| A |\n|---|\n| a |\n\n: Two. {#net}\n", 15),
        ("A net.\n\n$$x$$ {#net}\n\n$$y$$ {#net}\n", 7),
        ("A net.\n\n## A {#net}\n\nWords.\n\n## B {#net}\n", 9),
    ],
)
def test_a_name_that_is_given_twice_is_refused_where_it_is_given_again(plain, text, line):
    Image.new("RGB", (40, 20), "red").save(plain / "figures" / "net.png")
    assert f"{SECTION}:{line}: two " in refusal(lambda: document(plain, f"# Mine\n\n{text}"))


DOLLARS = "# Costs in $\n\nIt costs $5 and that is it.\n\nUS$ 5, `$x`, \\$6 and $7 or $8.\n\n- 9$ a^$^\n"


def test_a_dollar_sign_that_begins_no_formula_is_printed_in_every_format(plain):
    composed = document(plain, DOLLARS, typed_numbers="allow")
    assert composed.notices == ()
    page = pages(plain, DOLLARS)
    assert "<p>It costs $5 and that is it.</p>\n<p>US$ 5, <code>$x</code>, $6 and $7 or $8.</p>" in page
    tex = latex.write(composed, TEMPLATES)
    assert "It costs \\$5 and that is it." in tex and "\\$6 and \\$7 or \\$8." in tex
    cells = "\n".join("".join(cell["source"]) for cell in json.loads(notebook.write(composed))["cells"])
    assert "It costs \\$5 and that is it." in cells and "\\$6 and \\$7 or \\$8." in cells
    paired = "# Mine\n\nIt costs $5 or 6$ more.\n"
    assert 'content="It costs 5or6 more."' in pages(plain, paired)
    assert "It costs \\(5 or 6\\) more." in latex.write(document(plain), TEMPLATES)


def test_signs_within_cells_and_what_looks_like_settings_are_not_lost(plain):
    cells = "| A | B |\n|---|---|\n| `a|b` | $|x|$ |\n| a\\|b |\n\n- | C | D |\n  |---|---|\n  | c | d |\n"
    text = f"{cells}\nWords.\n\n---\nkey: kept\n---\n\nMore.\n"
    page = pages(plain, f"# Mine\n\n{text}")
    assert "<td>a|b</td>" in page and "key: kept" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("as \\cite{ada} says", r"LaTeX such as \cite is printed as it is typed; write [@key]"),
        ("an \\alpha more", r"LaTeX such as \alpha is printed as it is typed; write a formula as $x$"),
        ("so \\[ x = y \\] holds", r"\[ x = y \] is printed without its backslashes; write $x$, or $$x$$"),
    ],
)
def test_latex_outside_of_formulas_is_named(plain, words, said):
    (notice,) = document(plain, f"# Mine\n\nWords.\n\n{words}\n").notices
    assert f"{SECTION}:5: {said}" in notice
    assert not document(plain, "# Mine\n\nC:\\Users\\ada, `\\cite`, $\\alpha$ and \\* or \\\\.\n").notices


def test_sections_are_listed_with_the_studies_that_have_them(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["list", "sections"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line[0] != " ")
    assert rows["lenet"].endswith("cifar10-and-transfer, complete") and rows["my-section"].endswith(
        "my-study"
    )


@pytest.mark.parametrize(
    "what", ["macros", "study-keys", "sections", "analyses", "studies", "data", "verification.siamese"]
)
def test_what_is_listed_fits_a_hundred_columns(what, monkeypatch, capsys):
    monkeypatch.delenv("CONVSTUDY_DATA", raising=False)  # whose paths are as long as they are
    assert main(["list", what]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100 and lines == [line.rstrip() for line in lines]


def test_a_macro_is_listed_with_an_example_that_can_be_copied(capsys):
    assert main(["list", "macros"]) == 0
    lines = capsys.readouterr().out.splitlines()
    name = next(number for number, line in enumerate(lines) if line.startswith("percent "))
    assert lines[name] == 'percent    {{ percent("test_accuracy", ci=True) }}'
    assert lines[name + 1] == '           A fraction as "84.3%", or "84.3% (95% CI 80.0–88.3)"'

"""A study in a folder of one's own: begun by `new`, built there, its faults named in the author's files."""

from __future__ import annotations

import os
import tomllib

import pytest

from engine.commands.common import TEMPLATES
from engine.own import is_own, open_study, study_id
from report.prose import ProseError, compose
from report.study import StudyError
from results.store import Store
from runner import main

STORE = Store(TEMPLATES.parent / "results")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "My Study"
    assert (
        main(["new", str(path), "--title", 'A "quoted" \\ title', "--author", "Ada", "--author", "Bo"]) == 0
    )
    return path


def test_a_new_study_composes_with_its_own_title_authors_section_and_citation(folder):
    own = open_study(folder, TEMPLATES)
    document = compose(own.study, own.templates, STORE)
    assert (own.study.id, own.study.title, own.study.authors) == (
        "my-study",
        'A "quoted" \\ title',
        ("Ada", "Bo"),
    )
    assert [section.title for section in document.sections][:1] == ["A section of my own"]
    assert {item.kind for item in document.items.values()} == {"table", "figure"}
    assert not document.problems


def test_from_copies_the_sections_of_a_study_so_that_some_can_be_dropped(tmp_path):
    assert main(["new", str(tmp_path / "a"), "--from", "verification"]) == 0
    ours = tomllib.loads((TEMPLATES / "studies" / "verification.toml").read_text("utf-8"))
    sections = tomllib.loads((tmp_path / "a" / "study.toml").read_text("utf-8"))["sections"]
    assert sections == ["my-section", *ours["sections"]]


def test_a_section_of_the_author_stands_before_ours_and_goes_when_it_is_removed(folder):
    mine = folder / "sections" / "lenet.md"
    mine.write_text("# Mine\n", "utf-8")
    assert (open_study(folder, TEMPLATES).templates / "sections" / "lenet.md").read_text(
        "utf-8"
    ) == "# Mine\n"
    mine.unlink()
    ours = (TEMPLATES / "sections" / "lenet.md").read_text("utf-8")
    assert (open_study(folder, TEMPLATES).templates / "sections" / "lenet.md").read_text("utf-8") == ours


def test_names_of_the_author_may_be_typed(folder):
    section = folder / "sections" / "my-section.md"
    section.write_text("# Mine\n\nIt is a ZX-81.\n", "utf-8")
    own = open_study(folder, TEMPLATES)
    with pytest.raises(ProseError) as refused:
        compose(own.study, own.templates, STORE)
    assert own.in_files_written(str(refused.value)).startswith(f"{section}:3:")
    (folder / "names.txt").write_text("ZX-81\n", "utf-8")
    own = open_study(folder, TEMPLATES)
    assert not compose(own.study, own.templates, STORE).problems


def test_faults_are_named_in_the_file_that_the_author_wrote(folder):
    study = folder / "study.toml"
    study.write_text(study.read_text("utf-8").replace('"my-section"', '"my-sektion"'), "utf-8")
    with pytest.raises(StudyError, match="did you mean my-section") as refused:
        open_study(folder, TEMPLATES)
    assert str(study) in str(refused.value)


def test_a_key_that_our_bibliography_has_is_refused(folder):
    (folder / "references.bib").write_text("@misc{lecun1998, title = {Other}}\n", "utf-8")
    with pytest.raises(StudyError, match="'lecun1998' is already"):
        open_study(folder, TEMPLATES)


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
    assert is_own(str(folder)) and not is_own(str(folder.parent))
    assert study_id(folder.parent / "Ünï 2!") == "n-2"

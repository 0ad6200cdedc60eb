"""A study file says which sections a document has; a wrong one is refused in one sentence."""

from __future__ import annotations

import re

import pytest

from report import text_files
from report.study import StudyError, load
from tests.report.conftest import Workshop


def test_a_study_is_named_after_its_file(workshop: Workshop) -> None:
    study = workshop.study("layers", page_limit=8)
    assert (study.id, study.sections, study.page_limit) == ("small", ("layers",), 8)
    assert study.authors == ("Ada Łukasz", "Émile Жук")
    assert not study.contents and workshop.study("layers", contents=True).contents


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('titel = "x"', "wrong.toml:5: there is no key 'titel'; did you mean title or site or subtitle?"),
        ("title = 3", 'wrong.toml:4: title must be a text, not 3; write title = "Who painted it?"'),
        ('authors = "Ada"', "authors must be a list of texts"),
        ("page_limit = 0", "page_limit must be a whole number above 0"),
        ("contents = 1", "contents must be true or false, not 1"),
        ("page_limit = true", "page_limit must be a whole number above 0"),
        ('sections = ["layer"]', "there is no section 'layer'.*did you mean layers?"),
        ('sections = ["../layers"]', "there is no section '../layers'"),
        ('sections = ["layers", "layers"]', "the section 'layers' is named twice"),
        ('abstract = "nothing"', "there is no section 'nothing'"),
        ("sections = []", "wrong.toml:4: sections is empty; write sections ="),
        ("= 3", "wrong.toml:5: the file is no TOML from here on .*; a text stands in quotes"),
        ('sections = ["layers"\n', "wrong.toml:4: the file is no TOML from here on .Unclosed array"),
        ('site = {title = "T", leed = "L"}', "wrong.toml:5: site has no 'leed'; did you mean lead?"),
        ('language = "English!"', "wrong.toml:5: language must be a tag such as en-GB or de"),
        ("\n[site]\nlead = 3", "wrong.toml:6: site must be a table of texts"),
        ('authors = ["A",\n  { name = "B", mail = "b" }]', "wrong.toml:5: author 2 has no 'mail'.*email"),
        ('sections = ["layers",\n  "layer"]', "wrong.toml:5: there is no section 'layer'"),
        ('sections = ["abstract"]', "wrong.toml:4: 'abstract' is the abstract; remove it here"),
        ("#\n[[questions]]\nid='1'\ntext='a'\n[[questions]]\nid='2'", "wrong.toml:9: question 2 must have"),
        ('questions = "why"', "questions must be a list of tables; write"),
        ('questions = [{id = "1a"}]', "question 1 must have an id and a text"),
        ('questions = [{id = "1 a", text = "Why?"}]', "the id '1 a' of question 1 has more than letters"),
        ('questions = [{id = "1", text = "A"}, {id = "1", text = "B"}]', "the question '1' is asked twice"),
    ],
)
def test_a_wrong_study_is_refused_in_one_sentence(workshop: Workshop, line: str, complaint: str) -> None:
    path = workshop.templates / "studies" / "wrong.toml"
    keys = {"title": '"T"', "authors": '["A"]', "abstract": '"abstract"', "sections": '["layers"]'}
    keys.pop(line.partition(" ")[0], None)
    path.write_text("\n".join([*(f"{key} = {value}" for key, value in keys.items()), line]), "utf-8")
    with pytest.raises(StudyError) as caught:
        load(path, workshop.templates)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    assert re.search(complaint.replace("?", r"\?").replace("[", r"\["), message)


@pytest.mark.parametrize(
    ("content", "line", "kind"),
    [
        ("# Größe\n".encode("latin-1"), 1, "an encoding such as Latin-1"),
        ("\ufeff# Plain\n\n\n# naïve\n".encode("utf-8") + "# naïve\n".encode("cp1252"), 5, "Latin-1"),
        ("# Plain\n".encode("utf-16"), 1, "UTF-16"),
        ("# Plain\n".encode("utf-16-le"), 1, "UTF-16"),
    ],
)
def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path, content, line, kind) -> None:
    file = tmp_path / "section.md"
    file.write_bytes(content)
    with pytest.raises(
        text_files.UnreadableText, match=f"^{file}:{line}: the text is in .*{kind}.*; save the file as"
    ):
        text_files.read(file)
    file.write_bytes("\ufeff# Größe\r\n漢字\n".encode())
    assert text_files.read(file) == "# Größe\n漢字\n"


def test_the_appendix_is_no_section_of_a_study(workshop: Workshop) -> None:
    workshop.section("provenance", "# Provenance\n")
    with pytest.raises(StudyError, match="'provenance' is the appendix that every study has"):
        workshop.study("layers", "provenance")


def test_an_unknown_study_names_the_nearest(workshop: Workshop) -> None:
    workshop.study()
    with pytest.raises(StudyError, match=r"there is no study 'smal'.*did you mean small"):
        load(workshop.templates / "studies" / "smal.toml", workshop.templates)

"""A study file says which sections a document has; a wrong one is refused in one sentence."""

from __future__ import annotations

import re

import pytest

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
        ('titel = "x"', "there is no key 'titel'; did you mean title or site or subtitle?"),
        ("title = 3", "title must be a text, not 3"),
        ('authors = "Ada"', "authors must be a list of texts"),
        ("page_limit = 0", "page_limit must be a whole number above 0"),
        ("contents = 1", "contents must be true or false, not 1"),
        ("page_limit = true", "page_limit must be a whole number above 0"),
        ('sections = ["layer"]', "there is no section 'layer'.*did you mean layers?"),
        ('sections = ["../layers"]', "there is no section '../layers'"),
        ('sections = ["layers", "layers"]', "the section 'layers' is named twice"),
        ('abstract = "nothing"', "there is no section 'nothing'"),
        ("sections = []", "sections is missing; add sections ="),
        ("= 3", "cannot be read as a study"),
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


def test_the_appendix_is_no_section_of_a_study(workshop: Workshop) -> None:
    workshop.section("provenance", "# Provenance\n")
    with pytest.raises(StudyError, match="'provenance' is the appendix that every study has"):
        workshop.study("layers", "provenance")


def test_an_unknown_study_names_the_nearest(workshop: Workshop) -> None:
    workshop.study()
    with pytest.raises(StudyError, match=r"there is no study 'smal'.*did you mean small"):
        load(workshop.templates / "studies" / "smal.toml", workshop.templates)

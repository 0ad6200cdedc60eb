"""A study says where it answers each question of its assignment, and is refused while one is open."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from report import html, latex, questions
from report.document import Document, elements, marker
from report.drafts import ProseError
from report.prose import compose
from report.questions import Question, marked
from tests.report.conftest import Workshop

ASKED = (Question("1a", "How many weights?"), Question("1b", "Why & for what?"))


def document(workshop: Workshop, text: str, asked: tuple[Question, ...] = ASKED) -> Document:
    workshop.section("layers", f"# Layers\n\n{text}\n")
    study = replace(workshop.study("layers", "training"), questions=asked)
    other = workshop.templates / "studies" / "other.toml"
    other.write_text('questions = [{id = "9", text = "Of another study?"}]\n', "utf-8")
    return compose(study, workshop.templates, workshop.store)


def test_the_appendix_says_in_which_sections_a_question_is_answered(workshop: Workshop) -> None:
    made = document(workshop, 'It has some. {{ answers("1a", "9") }}\n\nSo it is. {{ answers("1b") }}')
    marks = [
        data["questions"]
        for kind, data in map(marker, elements(made.sections[0].blocks))
        if kind == "answers"
    ]
    assert marks == ["1a", "1b"], "a question of another study leaves no mark"
    links = [
        data["target"] for kind, data in map(marker, elements(made.sections[-1].blocks)) if kind == "ref"
    ]
    assert links[:2] == ["section:layers", "section:layers"]
    assert not made.unanswered


def test_the_appendix_links_the_table_that_stands_below_a_mark(workshop: Workshop) -> None:
    shown = '\n\n{{ table("architecture.vgg19/layers") }}\n\nThat is all.'
    made = document(workshop, 'It has {{ ref("architecture.vgg19/layers") }}.\n\n{{ answers("1a") }}' + shown)
    assert [block["t"] for block in made.sections[0].blocks] == ["Para", "Div", "Para"], "no line of its own"
    first = latex.write(made, workshop.templates).partition(r"\textbf{1a} ")[2].partition(r"\item")[0]
    assert (
        "[section:layers]{Section~1}" in first and r"\refto{tab:architecture.vgg19/layers}{Table~1}" in first
    )


def test_the_appendix_names_a_table_once_that_two_sections_refer_to() -> None:
    shown = {"1a": ("a.b/t",)}
    assert questions.text(ASKED[:1], {"one": shown, "two": shown}).count('target="a.b/t"') == 1


def test_a_mark_shows_what_its_paragraph_refers_to_and_every_float_right_below() -> None:
    paragraph = '[]{.ref target="a.b/far"} and [1]{.ref target="section:s"}. [1]{.answers questions="1"}'
    floats = ['::: {.table target="a.b/t"}\n:::', '::: {.figure target="a.b/f"}\n:::', "More."]
    later = '::: {.table target="a.b/later"}\n:::'
    text = "\n\n".join(['Above []{.ref target="a.b/above"}.', paragraph, *floats, later])
    assert marked(text) == {"1": ("a.b/far", "a.b/t", "a.b/f")}
    assert marked("Above.\n\n" + paragraph.replace(". [1]", ".\n\n[1]")) == {"1": ("a.b/far",)}


def test_a_mark_shows_the_float_above_its_paragraph_that_no_other_mark_and_no_topic_before_it_has() -> None:
    table, figure = '::: {.table target="a.b/t"}\n:::', '::: {.figure target="a.b/f"}\n:::'
    mark = '[1]{.answers questions="1"}'
    assert marked("\n\n".join(["Listed.", table, figure, f"It sums. {mark}"])) == {"1": ("a.b/t", "a.b/f")}
    assert marked("\n\n".join(["Listed.", table, f"**New.** It sums. {mark}"])) == {"1": ()}
    other = 'Listed. [2]{.answers questions="2"}'
    assert marked("\n\n".join([other, table, f"It sums. {mark}"])) == {"2": ("a.b/t",), "1": ()}


def test_the_pdf_says_what_a_code_in_the_margin_means(workshop: Workshop) -> None:
    made = document(workshop, 'It has some. {{ answers("1a", "1b") }}')
    assert r"\codes{Codes in the margin, such as 1a, refer to" in latex.write(made, workshop.templates)
    without = replace(made, study=replace(made.study, questions=()))
    assert r"\codes{Codes" not in latex.write(without, workshop.templates)


def test_a_mark_within_a_paragraph_stands_at_its_end_where_the_margin_has_room(workshop: Workshop) -> None:
    made = document(workshop, 'It has. {{ answers("1a") }}\nIt does. {{ answers("1b") }}\nSo be it.')
    (paragraph,) = made.sections[0].blocks
    kinds = [inline["t"] for inline in paragraph["c"]]
    assert kinds[-2:] == ["Space", "Span"] and kinds.count("Span") == 1
    assert re.search(r"So be it\.\s*\\answers\{1a 1b\}", latex.write(made, workshop.templates))


def test_an_open_question_is_a_problem_of_the_study(workshop: Workshop) -> None:
    (problem,) = document(workshop, 'It has some. {{ answers("1a") }}').unanswered
    assert problem.startswith(
        '1b of its questions has no answer; mark the paragraph that answers one with {{ answers("1b")'
    )


def test_a_question_that_no_study_asks_is_refused_with_the_nearest(workshop: Workshop) -> None:
    with pytest.raises(ProseError, match=r"layers\.md:3: no study asks a question '9b'.*did you mean 9"):
        document(workshop, 'It has some. {{ answers("9b") }}')


def test_both_formats_show_the_mark(workshop: Workshop) -> None:
    made = document(workshop, 'It has some. {{ answers("1a", "1b") }}')
    assert r"It has some. \answers{1a 1b}" in latex.write(made, workshop.templates)
    page = html.write_document(made, workshop.templates)["small/layers.html"].decode()
    assert 'class="answers"' in page and "1b: Why &amp; for what?" in page

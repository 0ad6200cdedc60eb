"""The first use of a term in a section leads to its sentence; nothing else of the prose changes."""

from __future__ import annotations

import pytest

from report import glossary, html
from report.document import Block, elements, plain_text
from report.glossary import Term
from tests.report.conftest import TEMPLATES
from tests.report.pages import parse

IOU = Term("IoU", "Overlap.", "intersection over union", ("intersection over union",))
TERMS = (IOU, Term("anchor", "A box."), Term("Holm's method", "A correction."))


def paragraph(text: str) -> Block:
    words = [{"t": "Str", "c": word} for word in text.split(" ")]
    spaced = [part for word in words for part in (word, {"t": "SoftBreak"})]
    return {"t": "Para", "c": spaced[:-1]}


def uses(*blocks: Block) -> list[str]:
    return [
        plain_text(element["c"][1])
        for element in elements(glossary.mark(blocks, TERMS))
        if element["t"] == "Link"
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Boxes have an IoU.", ["IoU"]),
        ("The intersection over union (IoU) of two", ["intersection over union"]),
        ("Anchors, and more anchors", ["Anchors"]),
        ("by Holm’s method; an anchor", ["Holm’s method", "anchor"]),
        ("GIoU and anchored boxes, anchor-free", []),
    ],
)
def test_the_first_use_is_found_in_any_form(text: str, found: list[str]) -> None:
    marked = glossary.mark([paragraph(text)], TERMS)
    assert uses(paragraph(text)) == found
    assert plain_text(marked[0]["c"]) == text


def test_a_later_paragraph_and_what_is_no_prose_have_no_link() -> None:
    head = {"t": "Header", "c": [2, ["", [], []], paragraph("Anchors")["c"]]}
    linked = {"t": "Para", "c": [{"t": "Link", "c": [["", [], []], paragraph("anchors")["c"], ["x", ""]]}]}
    assert uses(head, linked) == ["anchors"]  # its own link
    assert uses(paragraph("An anchor"), paragraph("Another anchor")) == ["anchor"]


def test_every_term_is_on_the_page_in_one_sentence_and_no_two_have_the_same_form() -> None:
    terms = glossary.load(TEMPLATES)
    page = parse(html.write_glossary()["glossary.html"])
    forms = [form for term in terms for form in (term.name, *term.forms)]
    assert len(set(forms)) == len(forms)
    for term in terms:
        assert term.meaning.endswith(".") and term.meaning.count(". ") == 0
        assert term.meaning in page.one("div", id=term.id).text()

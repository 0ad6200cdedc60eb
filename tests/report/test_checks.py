"""A digit typed by hand is found wherever prose may hide it; a PDF that breaks its promises is reported."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from report import checks, latex, pdf_checks
from report.document import Document
from tests.report.conftest import TEMPLATES, open_workshop

NAMES = ["Inception v3", "GoogLeNet 3b", "CIFAR-10", "VGG-19", "2012"]


def problems(tmp_path: Path, text: str) -> list[str]:
    template = tmp_path / "section.md"
    template.write_text(f"# T\n\n{text}\n", "utf-8")
    return checks.check_digits(template, NAMES)


@pytest.mark.parametrize(
    "text",
    [
        'It has {{ value("a.b/c2", format=".3f") }} weights.',
        "{## 12 ##}{% if x == 3 %}yes{% endif %}",
        "VGG-19 on CIFAR-10, Inception v3 and GoogLeNet 3b (2012).",
        "Run `python runner.py run --seeds 5`.",
        "```\nfor n in range(10):\n```",
        "As [@he2016, Table 1; see @tan2019] and @simonyan2015 say.",
        "A [link](https://example.org/2024/x#3) and <https://example.org/7>.",
        "A note.[^n1]\n\n[^n1]: Text.",
        r"A $3 \times 3$ filter, $W_2 = (W_1 - F)/S$, $$x^{10}$$",
        r"So $7 \times {{ plain('a.b/c') }}$ weights.",
        "## Heading {#heading-2}",
        "1. first\n2. second",
        'Costs \\$ and [text]{.value metric="a.b/c3"}.',
    ],
)
def test_digits_that_are_no_claims_pass(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It has 144 million weights.", "'144'"),
        ("It rose by 3%.", "'3%.'"),
        ("Inception v34 is new.", "'v34'"),
        ("VGG-199 is not a name.", "'VGG-199'"),
        (r"$x = 143$", "the number 143 is typed in a formula"),
        (r"$x = 0.5$", "the number 0.5 is typed in a formula"),
        ("[5 layers](https://example.org)", "'5'"),
        ("A *3* in emphasis", "'*3*'"),
        ("{{ value('a.b/c') }}7 it is", "7'"),
        ("## Layer 4", "'4'"),
    ],
)
def test_a_digit_typed_by_hand_is_named_with_its_line(tmp_path: Path, text: str, found: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(f"{tmp_path / 'section.md'}:3: ") and found in problem


def test_every_digit_is_found_in_order(tmp_path: Path) -> None:
    assert [p.split(":")[1] for p in problems(tmp_path, "one 1\n\n$22 + 333$\n\nfour 4")] == ["3", "5", "7"]


def test_our_own_sections_hold_no_digit_typed_by_hand() -> None:
    names = checks.allowed_names(TEMPLATES)
    sections = sorted((TEMPLATES / "sections").glob("*.md"))
    assert [problem for section in sections for problem in checks.check_digits(section, names)] == []


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Document]:
    workshop, folder = open_workshop(tmp_path_factory.mktemp("workshop")), tmp_path_factory.mktemp("tex")
    document = workshop.document(page_limit=4)
    tex = latex.write(document, workshop.templates)
    try:
        return latex.compile(tex, document, workshop.templates, folder), document
    except latex.NoTeX as error:
        pytest.skip(str(error))


@pytest.fixture
def compiled(built: tuple[Path, Document], tmp_path: Path) -> tuple[Path, Document]:
    """A copy of the compiled study that a test may spoil."""
    pdf, document = built
    shutil.copytree(pdf.parent, tmp_path / "tex")
    return tmp_path / "tex" / pdf.name, document


def test_a_good_pdf_has_no_problems(compiled: tuple[Path, Document]) -> None:
    pdf, document = compiled
    assert pdf_checks.check_pdf(pdf, pdf.with_suffix(".log"), document) == []


def test_what_a_pdf_has_otherwise_than_its_document_is_reported(compiled: tuple[Path, Document]) -> None:
    pdf, document = compiled
    items = dict(document.items)
    target = "architecture.vgg19/awkward"
    caption = items[target].content.model_copy(update={"caption": "Another caption."})
    items[target] = replace(items[target], number=7, content=caption)
    study = replace(document.study, title="Another title", page_limit=1)
    found = pdf_checks.check_pdf(pdf, pdf.with_suffix(".log"), replace(document, items=items, study=study))
    assert f"tab:{target} has number 2 in the PDF and 7 in the document" in found
    assert "small has 3 pages before its references; its limit is 1" in found
    assert any(
        "the PDF's title is 'A small study of VGG-19 & others', not 'Another title'" in p for p in found
    )
    assert any("does not show the caption of Table 7" in p for p in found)
    assert len(found) == 4


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "LaTeX Warning: Reference `x' on page 1 undefined on input line 3.",
            "the reference 'x' leads nowhere",
        ),
        (
            "Package natbib Warning: Citation `k' on page 1 undefined on input line 3.",
            "the citation 'k' leads nowhere",
        ),
        ("LaTeX Warning: Label `x' multiply defined.", "the label 'x' is defined twice"),
        (r"Overfull \hbox (9.4pt too wide) in paragraph at lines 3--4", "a line is 9 points too wide"),
        (
            "LaTeX Warning: Float too large for page by 20.5pt on input line 7.",
            "is 20 points too tall for a page",
        ),
        ("Missing character: There is no x in font ptmr8t!", "a character is missing"),
        ("pdfTeX warning (ext4): destination with the same identifier (name{a.1})", "'a.1' is defined twice"),
    ],
)
def test_complaints_in_the_log_are_reported(compiled: tuple[Path, Document], line: str, problem: str) -> None:
    pdf, document = compiled
    log = pdf.with_suffix(".log")
    log.write_text(log.read_text("latin-1") + line + "\n", "latin-1")
    (found,) = pdf_checks.check_pdf(pdf, log, document)
    assert problem in found


def test_a_slightly_wide_line_is_let_pass(compiled: tuple[Path, Document]) -> None:
    pdf, document = compiled
    log = pdf.with_suffix(".log")
    log.write_text(log.read_text("latin-1") + "Overfull \\hbox (4.9pt too wide) in paragraph\n", "latin-1")
    assert pdf_checks.check_pdf(pdf, log, document) == []


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("A <b>bold</b> word.", "<b> is printed as it is typed; write **words**"),
        (
            '<img\n src="x.png" width="3">',
            '<img src="x.png" width="3"> is printed as it is typed; write ![Cap',
        ),
        ("One<br/>two.", "<br/> is printed as it is typed; write a backslash"),
        ("<!-- hidden\nhere -->", "<!-- is printed as it is typed; write % # before"),
        ("</DIV>", "</DIV> is printed as it is typed; write Markdown"),
        ("`<b>` and $a <b> c$, <https://example.org/b>, List<T>, 1 < b and b > a, {{ value('<b>') }}", ""),
        ("```\n<b>\n```\n\n% # <b>", ""),
    ],
)
def test_html_is_named_once_a_file_with_what_to_write_instead(tmp_path, text: str, instead: str) -> None:
    section = tmp_path / "section.md"
    section.write_text(f"# T\n\n{text}\n\nAnd <i>more</i>.\n" if instead else f"# T\n\n{text}\n", "utf-8")
    said = checks.check_html(section)
    assert said.startswith(f"{section}:3: HTML such as {instead}") if instead else said == ""

"""Names in every script are in the PDF as they were written, or are named; addresses break in table cells."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from report import latex, latex_scripts, pdf_checks
from report.document import Author, Item
from report.latex_tables import table
from report.latex_text import breakable, escape
from results.schema import Column, Row, Table
from tests.report.conftest import Workshop, vgg19

needs_tex = pytest.mark.skipif(not shutil.which("latexmk"), reason="TeX is not installed")
needs_fonts = pytest.mark.skipif(
    bool(latex_scripts.advice(escape("Жук 王 ế"))), reason="lualatex or its fonts are not installed"
)

LATIN = ("Nguyễn Văn Ánh", "Łukasz Wałęsa", "Ǫ", "İstanbul", "Ǖ", "Ďáďa Ťaľ", "Jūratė Ų", "Hồ Tấn")
OTHERS = (
    "Đỗ Mười Ư", "Phạm Thị Hộ", "Γιώργος Παπαδόπουλος", "Мария Иванова", "王小明", "山田 太郎",
    "ドナルド", "김철수", "محمد علي", "דוד בן גוריון", "हिन्दी नाम", "Արամ", "გიორგი",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ễ", r"\uni{\~{\^{e}}}{1EC5}"),
        ("ệ", r"\foreign{latin}{1EC7}"),
        ("ę", r"\actual{\k{e}}{0119}"),
        ("ï", r'{\"{\i}}'),
        ("α and Δ", r"\uni{\ensuremath{\alpha}}{03B1} and \uni{\ensuremath{\Delta}}{0394}"),
        ("Ώ", r"\foreign{serif}{038F}"),
        ("Жук", r"\foreign{serif}{0416 0443 043A}"),
        ("ơ", r"\foreign{latin}{01A1}"),
        ("王、", r"\foreign{cjk}{738B 3001}"),
        ("עם על", r"\foreign{hebrew}{05E2 05DD 0020 05E2 05DC}"),
        ("ע, 4 ע.", r"\foreign{hebrew}{05E2 002C 0020 0034 0020 05E2}."),
        ("（王，a，", r"\uni{(}{FF08}\foreign{cjk}{738B FF0C}a\uni{,}{FF0C}"),
        ("☃", r"\nofont{2603}"),
    ],
)  # fmt: skip
def test_a_letter_is_a_command_of_pdflatex_or_marked_with_its_script(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_numbers_within_hebrew_run_their_own_way_and_no_line_begins_with_a_comma(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latex_scripts, "_found", lambda file: "here")
    monkeypatch.setattr(latex_scripts, "_characters", lambda file: frozenset(range(0x10000)))

    def printed(text: str) -> str:
        return latex_scripts.resolve(escape(text), "lualatex")

    assert printed("ע 3.14, ע") == r"{\inhebrew{ע \innumber{3.14}, ע}}"
    signs = [rf"{{\incjk{{{part}}}}}" for part in ("深", "度，", "（学", "习）。", "是")]
    assert printed("深度，（学习）。是") == r"\allowbreak{}".join(signs)


def test_without_fonts_letters_become_latin_or_codes() -> None:
    def printed(text: str) -> str:
        return latex_scripts.resolve(escape(text), "pdflatex")

    assert printed("Жук") == r"\uni{Zh}{0416}\uni{u}{0443}\uni{k}{043A}"
    assert printed("ệ") == r"\actual{\d{\^{e}}}{1EC7}"
    assert printed("ơ") == r"\uni{o}{01A1}"
    assert printed("ώ") == r"\uni{\uni{\ensuremath{\omega}}{03C9}}{03CE}"
    assert printed("漢") == r"\nofont{6F22}"
    assert printed("דוד כהן").count(" ") == 1 and "0020" not in printed("דוד כהן")


def test_fonts_that_are_missing_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert latex_scripts.advice(escape("Ångström, Nguyễn, α → β")) == ""
    monkeypatch.setattr(latex_scripts, "_found", lambda file: "")
    sentence = latex_scripts.advice(escape("Мария, 王小明"))
    assert sentence.startswith("its text has Chinese, Japanese or Korean and Greek, Cyrillic and the like, ")
    assert "apt-get install --no-install-recommends fonts-freefont-otf fonts-texgyre" in sentence
    assert latex_scripts.engine(escape("Мария")) == "pdflatex"


def test_a_table_for_another_document_has_the_letters_themselves() -> None:
    from report.text_tables import latex as as_latex

    content = Table(caption="Мария", columns=(Column(key="a", label="王"),), rows=(Row(cells={"a": "ễ"}),))
    assert r"\caption{Мария}" in as_latex(content) and "王" in as_latex(content)


@needs_tex
def test_a_table_for_another_document_fits_its_pages(tmp_path: Path) -> None:
    from report.text_tables import latex as as_latex

    columns = tuple(Column(key=f"c{i}", label=f"A long heading {i}") for i in range(9))
    rows = tuple(Row(cells={column.key: f"cell {i}" for column in columns}) for i in range(90))
    text = as_latex(Table(caption="Many rows and columns.", columns=columns, rows=rows, notes=("A note.",)))
    packages = text.splitlines()[0].removeprefix("% needs ")
    document = rf"\documentclass{{article}}{packages}\begin{{document}}{text}\end{{document}}"
    (tmp_path / "many.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "many.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Overfull" not in run.stdout and "too large" not in run.stdout and "Output written" in run.stdout


def build(workshop: Workshop, folder: Path, names: tuple[str, ...]) -> tuple[Path, str]:
    """A study with these names for authors, in a heading, a caption, a table and prose; and its text."""
    listed = ", ".join(names)
    content = Table(
        caption=f"Of {listed}.",
        columns=(Column(key="name", label="Name"),),
        rows=tuple(Row(cells={"name": name}) for name in names),
    )
    workshop.store.write(vgg19().model_copy(update={"tables": {"names": content}, "figures": {}}))
    call = '{{ table("architecture.vgg19/names") }}'
    workshop.section("layers", f"# By {names[0]}\n\n{listed}; *{listed}*; **{listed}**.\n\n{call}\n")
    document = workshop.document("layers")
    document = replace(
        document, study=replace(document.study, people=tuple(map(Author, names)), title=f"By {names[-1]}")
    )
    tex = latex.write(document, workshop.templates)
    pdf = latex.compile(tex, document, workshop.templates, folder)
    assert pdf_checks.check_pdf(pdf, pdf.with_suffix(".log"), document) == []
    run = subprocess.run(["pdftotext", "-enc", "UTF-8", str(pdf), "-"], capture_output=True, check=True)
    text = unicodedata.normalize("NFC", run.stdout.decode())
    return pdf, re.sub(r"[\u202a-\u202e\s]+", "", text)


@needs_tex
def test_latin_names_with_any_accents_are_printed_by_pdflatex(workshop: Workshop, tmp_path: Path) -> None:
    pdf, text = build(workshop, tmp_path / "tex", LATIN)
    assert "pdfTeX" in pdf.with_suffix(".log").read_text("latin-1")[:40]
    for name in LATIN:
        assert text.count(name.replace(" ", "")) >= 6, name


@needs_tex
@needs_fonts
def test_names_in_every_script_are_printed_by_lualatex_the_same_every_time(
    workshop: Workshop, tmp_path: Path
) -> None:
    pdf, text = build(workshop, tmp_path / "tex", OTHERS)
    for name in OTHERS:
        assert text.count(name.replace(" ", "")) >= 6, name
    assert build(workshop, tmp_path / "elsewhere", OTHERS)[0].read_bytes() == pdf.read_bytes()


def test_long_addresses_break_in_table_cells() -> None:
    address = "https://proceedings.example.org/paper_files/c399862d3b9d6b76c8436e924a68c45b-Paper.pdf?a=1&b=2"
    pieces = breakable(address).split(r"\allowbreak{}")
    assert max(map(len, pieces)) < 20 and len(pieces) > 8
    assert breakable("a short cell") == "a short cell"
    columns = (Column(key="a", label="A"), Column(key="b", label="B", type="code"))
    content = Table(caption="C", columns=columns, rows=(Row(cells={"a": address, "b": address}),))
    assert table(Item("table", 1, "a.b/c", content, "s"), "tab:x").count(r"\allowbreak{}") > 16


@needs_tex
def test_a_table_of_long_addresses_fits_the_page(workshop: Workshop, tmp_path: Path) -> None:
    address = f"https://example.org/{'a1b2c3d4' * 20}/x?y={'z' * 80}"
    columns = (Column(key="a", label="A"), Column(key="b", label="B", type="code"))
    content = Table(
        caption="C", columns=columns, rows=(Row(cells={"a": address, "b": address}),), notes=(address,)
    )
    workshop.store.write(vgg19().model_copy(update={"tables": {"wide": content}, "figures": {}}))
    workshop.section("layers", '# Addresses\n\n{{ table("architecture.vgg19/wide") }}\n')
    document = workshop.document("layers")
    tex = latex.write(document, workshop.templates)
    pdf = latex.compile(tex, document, workshop.templates, tmp_path / "tex")
    assert r"\resizebox" not in tex
    assert pdf_checks.check_pdf(pdf, pdf.with_suffix(".log"), document) == []

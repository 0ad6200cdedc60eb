"""The PDF: the same from any folder, complete in every character, numbered as its document, a sound file."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import latex, latex_scripts, pdf_checks
from report.document import Item
from report.latex_tables import table
from report.latex_text import arithmetic, code, escape
from results.schema import Column, Result, Row, Table
from tests.report.conftest import Workshop, open_workshop, trained, vgg19

needs_tex = pytest.mark.skipif(not shutil.which("latexmk"), reason="TeX is not installed")


@pytest.fixture(autouse=True, scope="module")
def no_other_fonts() -> Iterator[None]:
    """As where only pdflatex is installed; `test_latex_scripts` has the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latex_scripts, "_found", lambda file: "")
        yield


def build(workshop: Workshop, folder: Path, *sections: str) -> Path:
    document = workshop.document(*sections)
    return latex.compile(latex.write(document, workshop.templates), document, workshop.templates, folder)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The PDF of the small study, among what it was made of: to be read."""
    folder = tmp_path_factory.mktemp("printed")
    return build(open_workshop(folder), folder / "tex")


@pytest.fixture
def copied(printed: Path, tmp_path: Path) -> Path:
    """A copy of `printed`, to be changed."""
    return Path(shutil.copytree(printed.parent, tmp_path / "tex"), printed.name)


def text_of(pdf: Path) -> str:
    run = subprocess.run(
        ["pdftotext", "-layout", "-enc", "UTF-8", str(pdf), "-"], capture_output=True, check=True
    )
    return run.stdout.decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50% of A & B_1", r"50\% of A \& B\_1"),
        ("é ł ß", r"{\'{e}} {\l} {\ss}"),
        ("α → Ω", r"\uni{\ensuremath{\alpha}}{03B1} \uni{\ensuremath{\rightarrow}}{2192} "
                  r"\uni{\ensuremath{\Omega}}{03A9}"),
        ("5²", r"5\uni{\ensuremath{^{2}}}{00B2}"),
        ("e\u0301", r"{\'{e}}"),
        ("ﬁ", r"\uni{fi}{FB01}"),
        ("a\nb", "a b"),
    ],
)  # fmt: skip
def test_text_is_escaped(text: str, expected: str) -> None:
    assert escape(text) == expected


@given(st.text())
def test_escaped_text_is_balanced_ascii(text: str) -> None:
    latex_text = escape(text)
    assert latex_text.isascii() and not re.search(
        r"(?<!\\)[%&#$_~^](?!\{)", re.sub(r"\\[`'^~=.\"]", "", latex_text).replace("~", "")
    )
    braces = re.sub(r"\\\\|\\[{}]", "", latex_text)
    depth = 0
    for character in braces:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0


def test_arithmetic_becomes_mathematics() -> None:
    assert arithmetic("(3·3·64)·64") == r"$(3\cdot 3\cdot 64)\cdot 64$"
    assert arithmetic("four & more") == r"four \& more"


def test_code_may_break_after_its_separators() -> None:
    assert code("a.b_c") == r"\code{a.\allowbreak{}b\_\allowbreak{}c}"


def item(rows: int = 3, text: str = "x", arithmetic: str = "", columns: int = 2) -> Item:
    names = [Column(key=f"c{n}", label=f"Column {n}") for n in range(columns)]
    count = Column(key="n", label="Count", type="integer")
    shown = {"n": arithmetic} if arithmetic else {}
    made = [Row(cells={**{c.key: text for c in names}, "n": 7 * n}, arithmetic=shown) for n in range(rows)]
    total = Row(cells={"n": 21}, kind="total", partial=("attention",))
    content = Table(caption="C", columns=(*names, count), rows=(*made, total), notes=("A note.",))
    return Item("table", 1, "a.b/c", content, "s")


def test_a_total_has_a_rule_above_and_a_bound_when_partial() -> None:
    lines = table(item(), "tab:x").splitlines()
    total = next(n for n, line in enumerate(lines) if "21" in line)
    assert r"\midrule" in lines[total - 1] and r"\geq" in lines[total]
    assert r"\tablenote{A note.}" in lines[-2]


def test_arithmetic_stands_beside_its_number_where_it_fits() -> None:
    assert r"$7\cdot 1$ ${}={}$&7" in table(item(arithmetic="7·1"), "tab:x")
    assert "$7$" not in table(item(arithmetic="7"), "tab:x")
    wide = table(item(text="wide text " * 9, arithmetic="7·1"), "tab:x")
    assert r"\cdot" not in wide and r"p{" in wide


def test_wide_tables_shrink_to_eight_points_then_wrap_and_only_then_shrink_further() -> None:
    assert r"\fontsize{9pt}" in table(item(), "tab:x")
    assert r"\fontsize{8pt}" in (shrunk := table(item(text="some words", columns=7), "tab:x"))
    assert "p{" not in shrunk
    assert r"\fontsize{8pt}" in (wrapped := table(item(text="some more words", columns=7), "tab:x"))
    assert "p{" in wrapped
    assert r"\fontsize{7pt}" in table(item(text="words", columns=14), "tab:x")


def test_arithmetic_is_given_up_from_the_last_column() -> None:
    columns = (Column(key="a", label="A", type="integer"), Column(key="b", label="B", type="integer"))
    rows = (Row(cells={"a": 7, "b": 9}, arithmetic={"a": "3·" * 20 + "3", "b": "2·" * 20 + "2"}),)
    written = table(Item("table", 1, "a.b/c", Table(caption="C", columns=columns, rows=rows), "s"), "tab:x")
    assert r"3\cdot 3" in written and r"2\cdot 2" not in written


def test_headings_break_into_lines_before_print_becomes_smaller() -> None:
    columns = tuple(Column(key=f"c{n}", label="A long heading", type="integer") for n in range(8))
    rows = (Row(cells={column.key: 12 for column in columns}),)
    content = Table(caption="C", columns=columns, rows=rows)
    written = table(Item("table", 1, "a.b/c", content, "s"), "tab:x")
    assert r"\fontsize{9pt}" in written and r"\stacked{r}{A long\\ heading}" in written
    assert r"\stacked" not in table(Item("table", 1, "a.b/c", content, "s", columns=("c1", "c2")), "tab:x")


def test_long_tables_break_over_pages() -> None:
    assert r"\begin{longtable}" in table(item(rows=80), "tab:x")
    assert r"\begin{table}" in table(item(rows=20), "tab:x")
    assert r"\begin{longtable}" in table(item(rows=20, text="words that wrap into lines " * 8), "tab:x")


def test_an_estimate_is_a_value_and_its_interval_under_one_heading() -> None:
    content = trained().tables["results"]
    written = table(Item("table", 1, "a.b/c", content, "s"), "tab:x")
    assert r"r@{\hspace{0.35em}}l@{}}" in written and r"\multicolumn{2}{r@{}}{Test (\%)}" in written
    assert "Plain&100&71.2&{[}69.2, 73.2{]}" in written.replace(r"\newline%", "")
    assert r"\textbf{80.0}&\textbf{{[}79.0, 81.0{]}}" in written and r"\textbf{79.0}&\\" in written
    assert r"\tablenote{Brackets are 95\% confidence intervals over three seeds" in written
    assert "Bold (Test): the highest value, and those" in written and written.count(r"\tablenote") == 1


def test_chosen_columns_stand_in_the_order_asked_for() -> None:
    chosen = replace(item(), columns=("n", "c1"))
    assert r"Count&Column 1\\" in table(chosen, "tab:x")


def test_the_source_is_ascii_and_names_its_sections(workshop: Workshop) -> None:
    tex = latex.write(workshop.document(), workshop.templates)
    assert tex.isascii()
    assert re.findall(r"^% section: (.+)$", tex, re.MULTILINE) == [
        "abstract", "layers", "training", "references", "provenance",
    ]  # fmt: skip


def test_a_displayed_formula_stays_with_the_sentence_before_it(workshop: Workshop) -> None:
    workshop.section(
        "layers",
        "# Layers\n\nThe system answers\n\n$$\nr = 1 .\n$$\n\nThe error is\n\n$$ e $$ {#error}\n\nwhere.\n",
    )
    tex = latex.write(workshop.document(), workshop.templates)
    assert re.search(r"The system answers\n\\\[\s*r = 1 \.\s*\\\]\n\nThe error is\n\\begin\{equation\}", tex)


# What the official styles do that could clash with ours; they may not be redistributed.
OFFICIAL = r"""
\ProvidesPackage{neurips_2025}
\DeclareOption{preprint}{}
\ProcessOptions\relax
\RequirePackage{natbib}
\RequirePackage[verbose=true,letterpaper]{geometry}
\renewcommand{\rmdefault}{ptm}
\newcommand{\@noticestring}{Submitted to a conference.}
\newcommand{\@notice}{\footnotetext{\@noticestring}}
\renewcommand{\maketitle}{\par{\LARGE\@title\par}\@author\@notice}
"""


def test_an_official_style_is_used_when_it_is_there(workshop: Workshop, tmp_path: Path) -> None:
    folder = workshop.templates / "latex"
    source = folder.resolve()
    folder.unlink()
    shutil.copytree(source, folder)
    (folder / "neurips_2025.sty").write_text(OFFICIAL, "utf-8")
    document = workshop.document()
    tex = latex.write(document, workshop.templates)
    assert r"\usepackage[preprint]{neurips_2025}" in tex and "convstudy}" not in tex
    if shutil.which("latexmk"):
        pdf = build(workshop, tmp_path / "tex")
        assert pdf_checks.check_pdf(pdf, pdf.with_suffix(".log"), document) == []
        assert "Submitted to a conference" not in text_of(pdf)


def test_a_table_of_contents_is_printed_where_the_study_asks_for_it(workshop: Workshop) -> None:
    document = workshop.document()
    with_contents = replace(document, study=replace(document.study, contents=True))
    plain, asked = (latex.write(one, workshop.templates) for one in (document, with_contents))
    assert "tableofcontents" not in plain
    assert asked.index(r"\end{abstract}") < asked.index(r"\tableofcontents") < asked.index(r"\section{")


@needs_tex
def test_the_pdf_is_byte_identical_from_any_folder(printed: Path, workshop: Workshop, tmp_path: Path) -> None:
    assert build(workshop, tmp_path / "deep" / "er" / "b").read_bytes() == printed.read_bytes()


@needs_tex
def test_the_pdf_is_sound(printed: Path) -> None:
    if shutil.which("qpdf"):
        subprocess.run(["qpdf", "--check", str(printed)], check=True, capture_output=True)
    with pikepdf.open(printed) as pdf:
        assert str(pdf.docinfo["/Title"]) == "A small study of VGG-19 & others"
        assert str(pdf.docinfo["/Author"]) == "Ada Łukasz, Émile Жук"
        assert str(pdf.Root.Lang) == "en-GB"
        assert [float(n) for n in pdf.pages[0].MediaBox] == [0, 0, 612, 792]
        with pdf.open_outline() as outline:
            titles = [entry.title for entry in outline.root]
            assert titles == ["1 Layers & memory", "2 Training", "A Where the numbers come from"]
            assert [entry.title for entry in outline.root[0].children] == ["1.1 Where they are"]
        fonts = [
            obj for obj in pdf.objects if isinstance(obj, pikepdf.Dictionary) and obj.get("/Type") == "/Font"
        ]
        assert fonts and not [font for font in fonts if font.Subtype == "/Type3"]
        simple = [font for font in fonts if font.Subtype in ("/Type1", "/TrueType")]
        assert all(any(f"/FontFile{n}" in font.FontDescriptor for n in ("", "2", "3")) for font in simple)


@needs_tex
def test_no_character_is_dropped(printed: Path) -> None:
    text = unicodedata.normalize("NFKC", text_of(printed))
    caption = next(line for line in text.splitlines() if "Table 2:" in line)
    for character in "&%$#_{}~\\<>éłαΩ→×·−“q”":
        assert character in caption, character
    assert "Zhuk" in caption
    assert "≥ 12" in text and "−3" in text and "143,652,544" in text


@needs_tex
def test_a_title_of_any_characters_is_a_heading_a_bookmark_and_a_caption(
    workshop: Workshop, tmp_path: Path
) -> None:
    title = r"& % $ # _ { } ~ ^ \\ < > é ł α → Жук “q”"
    figure = vgg19().figures["curves"].model_copy(update={"caption": title})
    workshop.store.write(vgg19().model_copy(update={"figures": {"curves": figure}, "tables": {}}))
    workshop.section("layers", f'# {title}\n\n{{{{ figure("architecture.vgg19/curves") }}}}\n')
    document = workshop.document("layers")
    path = build(workshop, tmp_path, "layers")
    assert pdf_checks.check_pdf(path, path.with_suffix(".log"), document) == []
    with pikepdf.open(path) as pdf, pdf.open_outline() as outline:
        assert outline.root[0].title == "1 " + title.replace(r"\\", "\\")


@needs_tex
def test_numbers_link_to_the_row_that_made_them(printed: Path) -> None:
    with pikepdf.open(printed) as pdf:
        links = [
            str(note.A.D)
            for page in pdf.pages
            for note in page.get("/Annots", [])
            if "/A" in note and "/D" in note.A
        ]
        assert "result:architecture.vgg19" in links
        names = pdf.Root.Names.Dests
        found: list[str] = []
        stack = [names]
        while stack:
            node = stack.pop()
            stack += list(node.get("/Kids", []))
            found += [str(name) for name in list(node.get("/Names", []))[::2]]
        assert set(links) <= set(found)


@needs_tex
def test_a_character_without_a_form_is_shown_and_reported(workshop: Workshop, tmp_path: Path) -> None:
    workshop.section("layers", "# A 漢 section\n\nSee 漢字 here.\n")
    document = workshop.document("layers")
    pdf = build(workshop, tmp_path, "layers")
    assert "[U+6F22][U+5B57]" in text_of(pdf)
    found = pdf_checks.check_pdf(pdf, pdf.with_suffix(".log"), document)
    assert [problem for problem in found if "U+5B57" in problem]


@needs_tex
def test_a_latex_error_is_our_section_and_line(workshop: Workshop, tmp_path: Path) -> None:
    workshop.section("training", "# Training\n\nFine.\n\nThen $x + \\cancel{y}$ breaks.\n")
    with pytest.raises(latex.LaTeXError) as caught:
        build(workshop, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{workshop.templates / 'sections' / 'training.md'}:5: ")
    assert "Undefined control sequence" in message and "cancel" in message and "\n" not in message
    workshop.section("training", "# Training\n\nFine.\n")
    assert build(workshop, tmp_path).exists()


def test_without_tex_the_source_is_written_and_the_command_named(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(latex.NoTeX, match="apt-get install --no-install-recommends texlive"):
        build(workshop, tmp_path / "tex")
    assert (tmp_path / "tex" / "small.tex").exists()


@needs_tex
def test_what_did_not_change_is_not_made_again(copied: Path, workshop: Workshop) -> None:
    folder = copied.parent
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.pdf")}
    build(workshop, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.pdf")} == before
    workshop.section("layers", "# Layers\n\nAnother sentence.\n")
    build(workshop, folder)
    changed = [path for path in before if path.stat().st_mtime_ns != before[path]]
    assert changed == [copied]


@needs_tex
def test_what_an_interrupted_run_left_does_no_harm(copied: Path, workshop: Workshop) -> None:
    aux = copied.with_suffix(".aux")
    aux.write_bytes(aux.read_bytes()[:-40] + b"\\newlabel{tab:x}{{1")
    workshop.section("layers", "# Layers\n\nAnother sentence.\n")
    assert build(workshop, copied.parent) == copied


@needs_tex
def test_long_and_wide_tables_fit_their_pages(workshop: Workshop, tmp_path: Path) -> None:
    result = vgg19()
    shapes = {
        "long": item(rows=120, arithmetic="(3·3·512)·512"),
        "wordy": item(text="several words that take their room", columns=5),
        "wide": item(text="some words", columns=18),
    }
    tables = {name: shape.content for name, shape in shapes.items()}
    workshop.store.write(Result.model_validate(result.model_dump() | {"tables": tables}))
    calls = "\n\n".join(f'{{{{ table("architecture.vgg19/{name}") }}}}' for name in shapes)
    workshop.section("tables", f"# Tables\n\n{calls}\n")
    document = workshop.document("tables")
    pdf = build(workshop, tmp_path, "tables")
    assert pdf_checks.check_pdf(pdf, pdf.with_suffix(".log"), document) == []
    assert "Table 1: C" in (text := text_of(pdf)) and text.count("Column 0") > len(shapes)


@needs_tex
def test_a_folder_that_cannot_be_written_is_an_os_error(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "tex").write_text("a file", "utf-8")
    with pytest.raises(OSError):
        build(workshop, tmp_path / "tex")
    assert (tmp_path / "tex").read_text("utf-8") == "a file"

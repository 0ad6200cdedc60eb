"""Floats stand near their first mention, pages are filled, and type is legible."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from report import latex, layout
from tests.report.conftest import Workshop

TEX = r"""\documentclass[letterpaper]{article}
\usepackage[letterpaper,margin=1in]{geometry}\setlength{\parindent}{0pt}\setlength{\topskip}{0pt}
\pagestyle{empty}
\begin{document}
\hrule height 400pt width 50pt \vspace{100pt} \hrule height 100pt width 50pt
\newpage
\hrule height 500pt width 50pt
\end{document}
"""
SMALL = r"""\documentclass{article}
\usepackage[T1]{fontenc}\renewcommand{\rmdefault}{ptm}
\begin{document}
Text, $x_{i_j}^2$, {\fontsize{7}{8}\selectfont just legible} and {\fontsize{6}{7}\selectfont too small}.
\end{document}
"""
needs_tex = pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("pdftoppm")), reason="TeX or poppler is not installed here"
)


def test_the_distance_is_from_the_first_mention_to_the_float() -> None:
    aux = r"""\newlabel{tab:a.b/near}{{1}{4}{Caption}{table.1}{}}
\newlabel{fig:a.b/early}{{1}{2}{Caption}{figure.1}{}}
\newlabel{fig:a.b/silent}{{2}{9}{Caption}{figure.2}{}}
\mentioned{tab:a.b/near}{5}
\mentioned{tab:a.b/near}{3}
\mentioned{fig:a.b/early}{4}
"""
    assert layout.distances(aux) == {"tab:a.b/near": 1, "fig:a.b/early": -2}


@needs_tex
def test_gaps_and_the_inked_share_are_measured(tmp_path: Path) -> None:
    (tmp_path / "pages.tex").write_text(TEX)
    subprocess.run(["pdflatex", "pages.tex"], cwd=tmp_path, check=True, capture_output=True)
    first, second = layout.pages(tmp_path / "pages.pdf", last=2)
    assert first.gap == pytest.approx(100, abs=5)
    assert first.inked == pytest.approx(500 / 648, abs=0.02)
    assert second.gap == 0
    assert second.inked == pytest.approx(500 / 648, abs=0.02)


@needs_tex
def test_type_below_seven_points_is_found_and_indices_of_formulas_are_not(tmp_path: Path) -> None:
    (tmp_path / "small.tex").write_text(SMALL)
    subprocess.run(["pdflatex", "small.tex"], cwd=tmp_path, check=True, capture_output=True)
    (piece,) = layout.small_type(tmp_path / "small.pdf")
    assert (piece.text, piece.page) == ("too small", 1) and piece.size == pytest.approx(6, abs=0.2)


@needs_tex
def test_what_breaks_a_limit_is_a_sentence(workshop: Workshop, tmp_path: Path) -> None:
    document = workshop.document()
    pdf = latex.compile(latex.write(document, workshop.templates), document, workshop.templates, tmp_path)
    aux = pdf.with_suffix(".aux")
    assert not [problem for problem in layout.problems(pdf, aux, document) if "mention" in problem]
    assert layout.distances(aux.read_text("latin-1"))
    assert not layout.small_type(pdf)
    label = r"\newlabel{tab:architecture.vgg19/layers}{{1}{"
    aux.write_text(aux.read_text("latin-1").replace(label, label + "9"), "latin-1")
    assert any("pages behind its first mention; at most 3" in p for p in layout.problems(pdf, aux, document))

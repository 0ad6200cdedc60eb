"""What is wrong with a formula is said in words at its own line, before LaTeX or MathML sets it."""

from __future__ import annotations

import pytest

from report import formulas, pandoc
from tests.report.conftest import Workshop, refusal

#: Formula → what is wrong with it, and the text that stands from there on.
WRONG = {
    r"\frac{a}{b": ("a { is never closed", "{b"),
    r"\frac{a}}{b}": ("a } closes nothing there", "}{b}"),
    r"c = \frca{a}{b}": (r"there is no command \frca; did you mean \frac?", r"\frca{a}{b}"),
    r"\softmax(x)": (r"there is no command \softmax; a function is \operatorname{softmax}", r"\softmax(x)"),
    r"a + \left( b": (r"\left is never ended; write \right; \right. ends it without a sign", r"\left( b"),
    r"a \right)": (r"\right stands without its \left", r"\right)"),
    r"\begin{cases} a \\ b": (r"\begin{cases} is never ended; write \end{cases}", r"\begin{cases} a \\ b"),
    r"\begin{cases} a \end{case}": (
        r"\end{case} stands without its \begin{case}, since \begin{cases} is still open",
        r"\end{case}",
    ),
    r"\begin{align} a &= b \end{align}": (
        r"\begin{align} cannot stand within $ or $$; write \begin{aligned}",
        r"\begin{align} a &= b \end{align}",
    ),
    r"x + a_b_c": (
        r"two subscripts follow each other; put what belongs together in braces, and a name in \text{…}",
        "_b_c",
    ),
    r"x_{a}_{b}": (
        r"two subscripts follow each other; put what belongs together in braces, and a name in \text{…}",
        "_{a}_{b}",
    ),
    r"\text{train_set}": (r"a _ stands among words; write \_", "_set}"),
    r"a \\ b": (
        r"lines break in \begin{aligned} … \end{aligned} alone; write \\ between these",
        r"\\ b",
    ),
    r"50 % x": (r"a % hides what follows it; write \% for the sign", "% x"),
    r"{\rm x}": (r"write \mathrm{…} in place of \rm", r"\rm x}"),
    r"x^": ("something is missing at its end", ""),
}
RIGHT = [
    r"\left\{ x_{i_j} \right.", r"\lVert x \rVert_2^2", r"W_{\text{in}}^{(l)}", r"\text{a\_b and $a_b$}",
    r"\begin{aligned} a &= b \\ c &= d \end{aligned}", r"\operatorname*{argmax}_x f(x)", r"50\% \& \#",
    r"\bm{x}^\top x''", r"f'(x_0)^2", r"\{a\} \_",
]  # fmt: skip


@pytest.mark.parametrize("tex", WRONG)
def test_what_is_wrong_with_a_formula_is_said_and_where(tex: str) -> None:
    problem, rest = WRONG[tex]
    ((found, refused),) = pandoc.read_markdown([f"${tex}$"])[0].formulas
    wrong = formulas.fault(found, refused)
    assert wrong and (wrong.problem, tex[wrong.where :]) == (problem, rest)


def test_what_latex_and_mathml_read_is_left_alone() -> None:
    found = pandoc.read_markdown(["\n\n".join(f"${tex}$" for tex in RIGHT)])[0].formulas
    assert [tex for tex, _ in found] == RIGHT
    assert [formulas.fault(*one) for one in found] == [None] * len(RIGHT)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# T\n\nx b\n\nAnd $a$.\n\nAs $a {b$ says.\n", 7),
        ("# T\n\nx b\n\n$$\na = c \\begin{cases} d \\\\\n\\foo \\end{cases}\n$$\n", 7),
        ("# T\n\n- one\n- as\n  $$\n  a\n  {b\n  $$\n", 7),
        ('# T\n% do about("architecture.vgg19")\n\n${{ plain("total_weights") }} \\times \\foo$\n', 4),
        ("# T\n\n[^n]: As $\\foo$.\n\nA note.[^n]\n", 3),
        ("# T\n\n`$a$` and\n\n| A | B |\n|---|---|\n| a | $\\foo$ |\n", 7),
        ("# A title with $\\foo$\n\nWords.\n", 1),
    ],
)
def test_a_formula_is_found_at_its_own_line(workshop: Workshop, text: str, line: int) -> None:
    workshop.section("layers", text)
    assert refusal(lambda: workshop.document("layers")).startswith(
        f"{workshop.templates / 'sections' / 'layers.md'}:{line}: the formula "
    )

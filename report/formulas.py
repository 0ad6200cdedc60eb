"""Formulas of sections: what neither LaTeX nor MathML can read of them, in words, and the line of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

#: Formulas in the source of a section, of which none goes beyond its paragraph.
DISPLAYED = r"\$\$(?:(?!\n[ \t]*\n).)+?\$\$"
FORMULA = rf"{DISPLAYED}|(?<![\\\w])\$(?=\S)(?:[^$\\\n]|\n(?![ \t]*\n)|\\.)+?(?<=\S)\$(?!\d)"
#: A $ that begins a formula, whatever may follow it: no sum of money, as $5 and $7m are.
BEGUN = r"(?<![\\\w$])\$(?=-?[A-Za-z\\({|\[]|-?[\d.,]+[A-Za-z]?[\\^_{])"
_MACRO = r"\{\{.*?\}\}"
#: Commands that a misspelt one may be meant as.
COMMANDS = """
alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega frac dfrac
tfrac sqrt sum prod int lim max min arg log ln exp sin cos tan tanh det dim gcd Pr times cdot cdots ldots
dots vdots ddots div pm mp leq geq neq approx equiv sim propto infty in notin subset subseteq cup cap
emptyset forall exists partial nabla left right big Big bigl bigr lfloor rfloor lceil rceil langle rangle
lVert rVert lvert rvert mid text textbf mathbf mathrm mathcal mathbb mathit mathsf boldsymbol operatorname
hat widehat bar overline tilde widetilde vec dot ddot underbrace overbrace underset overset binom begin
end quad qquad to rightarrow leftarrow Rightarrow Leftarrow mapsto circ odot oplus otimes star ast top
prime ell
"""
#: Environments that display by themselves → what a formula, which is displayed already, has for them.
INSTEAD = {
    "equation": "", "displaymath": "", "math": "", "align": "aligned", "alignat": "aligned",
    "flalign": "aligned", "eqnarray": "aligned", "gather": "gathered", "multline": "gathered",
}  # fmt: skip
#: What a page cannot show of a formula → what to do about it.
UNREADABLE = {
    "&": r"an & stands outside of \begin{aligned} … \end{aligned}; write \& for the sign",
    "#": r"a # stands there; write \# for the sign",
    "\\": r"lines break in \begin{aligned} … \end{aligned} alone; write \\ between these",
    "tag": "an equation with a label has a number, as $$ … $$ {#name}",
    "label": r"a label is written behind the formula, as $$ … $$ {#name}",
    "ref": 'an equation is referred to as {{ ref("equation:name") }}',
    "eqref": 'an equation is referred to as {{ ref("equation:name") }}',
    **{old: rf"write \math{old}{{…}} in place of \{old}" for old in ("rm", "bf", "it", "cal", "sf", "tt")},
    "right": r"\right stands without its \left",
}
_GROUP = "\x01"  # stands for each character of what is in braces
_TEXTS = r"\\(?:text|textbf|textit|textrm|mbox|operatorname)\*?\s*$"  # whose braces hold words
_ARGUMENT = rf"(?:{_GROUP}+|\\[A-Za-z]+|\\.|[^\s\\])"
_TWICE = rf"(?<!\\)([_^])\s*{_ARGUMENT}\s*(?:(?!\1)[_^]\s*{_ARGUMENT}\s*)?\1"


class Fault(NamedTuple):
    """What is wrong with a formula, and where in its text."""

    problem: str
    where: int


def fault(tex: str, refused: str = "") -> Fault | None:
    """What is wrong with the text of a formula; `refused` is pandoc's message where it could not read it."""
    found = next(_structure(tex), None)
    if found or not refused:
        return found
    expected = refused.partition("expecting")[0]
    if command := re.search(r"unexpected control sequence \\(\w+|.)", expected):
        name = command[1]
        where = re.search(rf"\\{re.escape(name)}" + (r"(?![A-Za-z])" if name.isalpha() else ""), tex)
        close = " or ".join(f"\\{one}" for one in get_close_matches(name, COMMANDS.split(), cutoff=0.7))
        hint = f"; did you mean {close}?" if close else rf"; a function is \operatorname{{{name}}}"
        problem = UNREADABLE.get(name, rf"there is no command \{name}{hint}")
        return Fault(problem, where.start() if where else 0)
    if sign := re.search(r"unexpected [\"'](.)[\"']", expected):
        where = re.search(rf"(?<!\\){re.escape(sign[1])}", tex)
        return Fault(UNREADABLE.get(sign[1], f"{sign[1]} cannot stand there"), where.start() if where else 0)
    return Fault("something is missing at its end", len(tex.rstrip()))


def _structure(tex: str) -> Iterator[Fault]:
    """What does not pair or nest, in the order in which it is looked for."""
    shown = re.sub(r"\\[\\{}$%&#_ ]", "..", tex)  # signs that are printed
    opened: list[int] = []
    for sign in re.finditer(r"[{}]", shown):
        if sign[0] == "{":
            opened.append(sign.start())
        elif not opened:
            yield Fault("a } closes nothing there", sign.start())
        else:
            begun = opened.pop()
            yield from _in_words(shown, begun, sign.start())
    if opened:
        yield Fault("a { is never closed", opened[-1])
    if (comment := shown.find("%")) >= 0:
        yield Fault(r"a % hides what follows it; write \% for the sign", comment)
    yield from _pairs(shown)
    for found in re.finditer(r"\\begin\{(\w+)\*?\}", shown):
        if found[1] in INSTEAD:
            better = rf"write \begin{{{INSTEAD[found[1]]}}}" if INSTEAD[found[1]] else "leave it out"
            yield Fault(rf"\begin{{{found[1]}}} cannot stand within $ or $$; {better}", found.start())
    flat, inner = "", shown
    while flat != inner:
        flat = inner
        for group in re.finditer(r"\{([^{}]*)\}", flat):
            yield from _twice(group[1], group.start(1))
        inner = re.sub(r"\{[^{}]*\}", lambda group: _GROUP * len(group[0]), flat)
    yield from _twice(flat, 0)


def _twice(part: str, begun: int) -> Iterator[Fault]:
    if found := re.search(_TWICE, part):
        name = "subscripts" if found[1] == "_" else "superscripts"
        remedy = r"put what belongs together in braces, and a name in \text{…}"
        yield Fault(f"two {name} follow each other; {remedy}", begun + found.start())


def _in_words(shown: str, begun: int, ended: int) -> Iterator[Fault]:
    """Signs of mathematics in the words of a formula."""
    inner = shown[begun:ended]
    if re.search(_TEXTS, shown[:begun]) and "$" not in inner and (sign := re.search(r"[_^]", inner)):
        instead = r"\_" if sign[0] == "_" else r"\^{}"
        yield Fault(f"a {sign[0]} stands among words; write {instead}", begun + sign.start())


def _pairs(shown: str) -> Iterator[Fault]:
    r"""\left and \right, \begin{name} and \end{name} that do not pair."""
    opened: list[tuple[str, int]] = []
    for found in re.finditer(r"\\(?:(left|right)(?![A-Za-z])|(begin|end)\s*\{([^}]*)\})", shown):
        opens = found[1] == "left" or found[2] == "begin"
        name = rf"\{found[1]}" if found[1] else found[3]
        if opens:
            opened.append((name, found.start()))
            continue
        wanted = r"\left" if found[1] else name
        if not opened or opened[-1][0] != wanted:
            before = r" its \left" if found[1] else rf" its \begin{{{name}}}"
            within = f", since {_written(opened[-1][0])} is still open" if opened else ""
            yield Fault(f"{found[0]} stands without{before}{within}", found.start())
            return
        opened.pop()
    if opened:
        name, where = opened[-1]
        ending = r"\right; \right. ends it without a sign" if name == r"\left" else rf"\end{{{name}}}"
        yield Fault(f"{_written(name)} is never ended; write {ending}", where)


def _written(name: str) -> str:
    return name if name.startswith("\\") else rf"\begin{{{name}}}"


def line(source: str, tex: str, where: int = 0, form: Callable[[str], str] = str) -> int | None:
    """The line of a place in a formula of the source; None if no formula there has this text.

    `form` makes of a formula's source what `tex` is in.
    """
    wanted = re.sub(r"\s", "", tex)
    for found in re.finditer(FORMULA, source, re.DOTALL):
        dollars = 2 if found[0].startswith("$$") else 1
        body = found[0][dollars:-dollars]
        pieces = [
            re.escape(re.sub(r"\s", "", form(piece))) for piece in re.split(_MACRO, body, flags=re.DOTALL)
        ]
        if re.fullmatch(".*?".join(pieces), wanted, re.DOTALL):
            begin = found.start() + dollars + len(body) - len(body.lstrip())
            within = tex[len(tex) - len(tex.lstrip()) : where].count("\n")
            return source.count("\n", 0, begin) + 1 + within
    return None

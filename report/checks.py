"""What must hold of the text of a section: no digit typed by hand, and no HTML, LaTeX or mark left open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from report.formatting import listing
from report.formulas import BEGUN, DISPLAYED, FORMULA

_CODE = (r"^(```|~~~).*?^\1[ \t]*$", r"(`+)(?!`).*?(?<!`)\1(?!`)")
#: What is no prose: blanked out (line breaks kept) before digits are looked for.
_NOT_PROSE = (
    r"\{##.*?##\}|\{%.*?%\}",  # Jinja
    *_CODE,
    r"(?<=\])\([^)\s]*(?:\s+\"[^\"]*\")?\)|<https?://[^>]*>",  # the address of a link
    r"(?<=\$\$)\s*\{#[^}\n]*\}",  # labels of equations
    r"(?<=\])[ ]*\{[^}\n]*\}|^:::+[^\n]*$|(?<=\S )\{[#.][^}\n]*\}[ \t]*$",  # attributes and heading ids
    r"\[\^[^\]\s]+\]",  # footnote marks
    r"\[[^\[\]]*@[A-Za-z][^\[\]]*\]",  # citations with the place they point to
    r"-?@[A-Za-z][\w:.#$%&+?<>~/-]*",  # citations
)
#: Digits that count or measure nothing here: dates, years, versions, and what another work numbers.
_NO_MEASURE = (
    r"\b(?:19|20)\d\d-\d\d-\d\d\b",
    r"\b\d{1,2}(?:st|nd|rd|th)?\.? (?:January|February|March|April|May|June|July|August|September|October"
    r"|November|December)\b|\b(?:January|February|March|April|May|June|July|August|September|October"
    r"|November|December) \d{1,2}\b(?![.,]\d)",
    r"(?<![\w.,])(?:19\d\d|20[0-3]\d)(?:s\b|[–-](?:19\d\d|20[0-3]\d|\d\d)\b)?(?![\w]|[.,]\d)",
    r"(?i)\b(?:version|release|python|pytorch|torch|torchvision|cuda)[ ~]v?\d+(?:\.\d+)*\b",
    r"\bv\d+(?:\.\d+)+\b",
    r"\b(?:Figures?|Figs?\.|Tables?|Sections?|Sec\.|Chapters?|Equations?|Eqs?\.|Pages?|pages?|pp?\.|Questions?"
    r"|Exercises?|Parts?|Appendix|Step|Algorithm|Lemma|Theorem)[ ~\u00a0]\(?\d+(?:\.\d+)*[a-z]?\b\)?",
)
_TAG = r"<!--|</?([a-zA-Z][a-zA-Z0-9]*)(?=[\s/>])[^<>]*>"
#: Elements of HTML → what a section has for them.
_INSTEAD = {
    "b strong u mark font span small big": "**words**",
    "i em": "*words*",
    "img figure figcaption picture svg": "![Caption.](picture.png){width=50%}",
    "table thead tbody tr th td caption": "a table as | A | B |",
    "ul ol li dl dt dd": "a line that begins with - or 1. for each item",
    "h1 h2 h3 h4 h5 h6": "## Heading",
    "code tt kbd pre": "`code`, or lines between two of ```",
    "a": "[words](https://…)",
    "p": "an empty line",
    "br": "a backslash at the end of the line",
    "hr": "a line of ---",
    "s del": "~~words~~",
    "sub": "~words~",
    "sup": "^words^",
    "blockquote": "> before each line",
    "!--": "% # before a comment",
    "div section center details summary iframe video audio script style": "Markdown, or leave it out",
}
_ELEMENTS = {name: instead for names, instead in _INSTEAD.items() for name in names.split()}
#: Commands of LaTeX → what a section has for them.
_COMMANDS = {
    **dict.fromkeys(("cite", "citep", "citet", "parencite"), "[@key]"),
    **dict.fromkeys(("ref", "cref", "Cref", "autoref", "eqref"), '{{ ref("table:name") }}'),
    **dict.fromkeys(("emph", "textit", "textbf"), "*words* or **words**"),
    **dict.fromkeys(("section", "subsection", "subsubsection", "paragraph"), "## Heading"),
    "footnote": "[^name] and a paragraph that begins with [^name]:",
    **dict.fromkeys(("url", "href"), "[words](https://…)"),
    **dict.fromkeys(("texttt", "verb"), "`code`"),
    "includegraphics": "![Caption.](picture.png){width=50%}",
    **dict.fromkeys(("begin", "end", "item"), "a list with - before each item, or $$ … $$ for a formula"),
}
DEEPEST_BRACKETS = 8
MOST_NAMED = 8  # typed numbers in one sentence, behind the first

#: Jinja's own would take "{#id" of a heading or a picture for one.
COMMENT = ("{##", "##}")


def with_statements(source: str) -> str:
    """A template for Jinja, line by line: a line "% statement" becomes a block, "% # words" an empty comment.

    Jinja's own line statements would swallow the blank line behind, which ends a paragraph.
    """
    return re.sub(
        r"(?m)^%[ \t]?(.*)$",
        lambda line: f"{COMMENT[0]}{COMMENT[1]}" if line[1].startswith("#") else f"{{% {line[1]} %}}",
        source,
    )


def allowed_names(templates: Path) -> list[str]:
    """The names with digits that prose may write, from `names.txt`; longest first."""
    path = templates / "names.txt"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    names = (line.strip() for line in lines if not line.startswith("#"))
    return sorted(filter(None, names), key=len, reverse=True)


class Typed(NamedTuple):
    """A number that a section types by hand, at its line, and the sentence on it."""

    line: int
    text: str
    problem: str


def check_digits(template: Path, names: list[str]) -> list[str]:
    """One sentence for every number typed by hand in a section's prose."""
    return [f"{template}:{found.line}: {found.problem}" for found in _typed(template, names)]


def check_typed(template: Path, names: list[str]) -> str:
    """One sentence on all the numbers typed by hand, each with its line; "" without any."""
    found = _typed(template, names)
    if not found:
        return ""
    others = [f"{one.text!r} (line {one.line})" for one in found[1 : MOST_NAMED + 1]]
    if left := len(found) - 1 - len(others):
        others.append(f"{left} more")
    so = f"; so {'are' if others[1:] else 'is'} {listing(others)}" if others else ""
    return f"{template}:{found[0].line}: {found[0].problem}{so}"


def _typed(template: Path, names: list[str]) -> list[Typed]:
    """In reading order."""
    text, found = _prose(template), []

    def add(where: int, number: str, problem: str) -> None:
        found.append((where, Typed(text.count("\n", 0, where) + 1, number, problem)))

    for formula in re.finditer(FORMULA, text, flags=re.DOTALL):
        for digits in re.finditer(r"\d[\d.,]*", formula[0]):
            number = digits[0].rstrip(".,")
            if not re.fullmatch(r"\d{1,2}", number):
                instead = 'use {{ plain("analysis/metric") }}'
                where = formula.start() + digits.start()
                add(where, number, f"the number {number} is typed in a formula; {instead}")
    text = re.sub(FORMULA, _blank, text, flags=re.DOTALL)
    for pattern in _NO_MEASURE:
        text = re.sub(pattern, _blank, text)
    for name in names:
        text = re.sub(rf"(?<![\w.,]){re.escape(name)}(?![\w]|[.,]\d)", _blank, text)
    text = re.sub(r"^[ \t]*\d{1,2}[.)](?=[ \t])", _blank, text, flags=re.MULTILINE)  # numbered lists
    allowed = template.parent.parent / "names.txt"
    instead = f'use value(…) or published(…), add the name to {allowed}, or say {{{{ number("…") }}}}'
    for word in re.finditer(r"[^\s()\[\]]*\d[^\s()\[\]]*", text):
        add(word.start(), word[0], f"the digits of {word[0]!r} are typed by hand; {instead}")
    return [typed for _, typed in sorted(found)]


def _prose(template: Path) -> str:
    """A section with all that is no prose blanked out, and a letter for each character of a macro."""
    text = with_statements(template.read_text("utf-8-sig", errors="replace"))
    text = re.sub(r"\{\{.*?\}\}", lambda found: re.sub(r"[^\n]", "j", found[0]), text, flags=re.DOTALL)
    for pattern in _NOT_PROSE:
        text = re.sub(pattern, _blank, text, flags=re.DOTALL | re.MULTILINE)
    return text


def _without_code(template: Path) -> str:
    text = with_statements(template.read_text("utf-8-sig", errors="replace"))
    for pattern in _CODE:
        text = re.sub(pattern, _blank, text, flags=re.DOTALL | re.MULTILINE)
    return text


def check_html(template: Path) -> str:
    """A sentence on the first tag of HTML in a section, which is printed as it is typed; "" without one."""
    text = re.sub(FORMULA, _blank, _prose(template), flags=re.DOTALL)
    for found in re.finditer(_TAG, text):
        if instead := _ELEMENTS.get((found[1] or "!--").lower()):
            line, tag = text.count("\n", 0, found.start()) + 1, " ".join(found[0].split())
            return f"{template}:{line}: HTML such as {tag} is printed as it is typed; write {instead}"
    return ""


def check_latex(template: Path) -> str:
    """A sentence on the first LaTeX outside of formulas, which is printed as it is typed; "" without any."""
    text = re.sub(FORMULA, _blank, _prose(template), flags=re.DOTALL)
    displayed = r"\\[\[(][^\n]*[=^_\\][^\n]*\\[\])]"
    if found := re.search(rf"(?<![\\\w:/])\\([A-Za-z]{{2,}})|{displayed}", text):
        line = text.count("\n", 0, found.start()) + 1
        if found[0].startswith((r"\[", r"\(")):
            return f"{template}:{line}: {found[0]} is printed without its backslashes; write $x$, or $$x$$"
        instead = _COMMANDS.get(found[1], "a formula as $x$, without spaces beside the $")
        return f"{template}:{line}: LaTeX such as {found[0]} is printed as it is typed; write {instead}"
    return ""


def check_dollars(template: Path) -> str:
    """A sentence on the first formula that is begun and not ended in its paragraph; "" without one."""
    text = re.sub(DISPLAYED, _blank, _prose(template), flags=re.DOTALL)
    found = re.search(r"(?<!\\)\$\$", text)
    remedy = "write $$ behind it, and no empty line in it"
    if not found:
        found = re.search(BEGUN, re.sub(FORMULA, _blank, text, flags=re.DOTALL))
        remedy = r"write $ right behind its last sign, or \$ for the sign itself"
    if not found:
        return ""
    line = text.count("\n", 0, found.start()) + 1
    return f"{template}:{line}: the formula that {found[0]} begins there is never ended; {remedy}"


def check_tables(template: Path) -> str:
    """A sentence on the first row of a table with more cells than it has columns; "" without one.

    Pandoc leaves such cells out without a word.
    """
    source = template.read_text("utf-8-sig", errors="replace").split("\n")
    text = re.sub(FORMULA, _blank, _prose(template), flags=re.DOTALL).split("\n")
    columns, header = 0, (0, "")
    for number, (line, written) in enumerate(zip(text, source, strict=True), 1):
        if written.startswith("%"):  # a statement between rows
            continue
        row = line.strip(" \t>")
        ruled = re.fullmatch(r"[|+]?[ \t]*[:=-]+[ \t]*(?:[|+][ \t]*[:=-]+[ \t]*)*[|+]?", row)
        if ruled and re.search(r"[|+]", row):
            columns = _cells(row.replace("+", "|"))
            number, row = (number, "") if row.startswith("+") else header
            row = row[row.find("|") :] if line.strip(" \t>").startswith("|") else row  # behind a list's mark
        elif not row or "|" not in row:
            columns, header = 0, (0, "")
        if columns and _cells(row) > columns:
            found = f"this row has {_cells(row)} cells, and its table {columns} columns"
            what = r"take cells out, or add columns to every row and rule; \| is the sign itself"
            return f"{template}:{number}: {found}; {what}"
        if "|" in row:
            header = (number, row)
    return ""


def _cells(row: str) -> int:
    """How many cells a row of a table has."""
    return len(re.findall(r"(?<!\\)\|", row.removeprefix("|").removesuffix("|"))) + 1


def check_brackets(template: Path) -> str:
    """A sentence on the first paragraph with more brackets within brackets than pandoc reads in a second, as
    each takes it three times as long; "" without one.
    """
    text = re.sub(FORMULA, _blank, _without_code(template), flags=re.DOTALL)
    depth = 0
    for found in re.finditer(r"\n[ \t]*\n|\\.|[\[\]]", text):
        depth = 0 if found[0][0] == "\n" else max(0, depth + {"[": 1, "]": -1}.get(found[0], 0))
        if depth > DEEPEST_BRACKETS:
            line = text.count("\n", 0, found.start()) + 1
            what = f"more than {DEEPEST_BRACKETS} brackets [ of this paragraph are open at once"
            return f"{template}:{line}: {what}; close them, or put a backslash before each that is text"
    return ""


def check_footnotes(template: Path) -> str:
    """A sentence on the first footnote without a text, several of them, or no mark; "" without one."""
    text = _without_code(template)
    names = re.findall(r"(?<!\\)\[\^([^\]\s]+)\]", text)
    texts = re.findall(r"^ {0,3}\[\^([^\]\s]+)\]:", text, flags=re.MULTILINE)
    for found in re.finditer(r"(?<!\\)\[\^([^\]\s]+)\]", text):
        line, mark = text.count("\n", 0, found.start()) + 1, found[0]
        if texts.count(found[1]) != 1:
            what = "has several texts; keep one" if found[1] in texts else "has no text"
            return f"{template}:{line}: the footnote {mark} {what}, a paragraph that begins with {mark}:"
        if names.count(found[1]) == 1:
            return (
                f"{template}:{line}: no text has the mark {mark} of this footnote; write it where it belongs"
            )
    return ""


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])

"""Why LaTeX or BibTeX stopped, in a sentence, with the line that the author wrote."""

from __future__ import annotations

import re
from pathlib import Path

from report import formulas
from report.bibliography import bibliography_keys
from report.document import Document
from report.latex_text import only_ascii

PACKAGES = "texlive-latex-recommended texlive-fonts-recommended texlive-latex-extra latexmk"
INSTALL = f"apt-get install --no-install-recommends {PACKAGES}"
MATHEMATICS = r"\\\(.*?\\\)|\\\[.*?\\\]"
SHORTEST_PIECE = 3  # letters by which a line is found


def explain(log: Path, tex: str, document: Document, templates: Path) -> tuple[str, str]:
    """One sentence for the first error in a log, and the section that it is in, "" if in none."""
    text = log.read_text("latin-1") if log.exists() else ""
    if missing := re.search(r"File `([^']+)' not found", text):
        return f"LaTeX has no {missing[1]}; install what it needs with `{INSTALL}`", ""
    found = re.search(r"^(?:\./)?[^\s:]+\.(tex|cls|sty|bbl):(\d+): (.+)", text, re.MULTILINE)
    if not found:
        if runaway := re.search(r"Runaway (?:argument|definition|text)\?\s*\n(.{8,})", text):
            return _unended(runaway[1], tex, document, templates)
        last = [line for line in text.splitlines() if line.startswith("!")] or text.split("\n")[-3:]
        return f"LaTeX gave no PDF; its last words are “{' '.join(last).strip()}”", ""
    line, message = int(found[2]), found[3].strip().rstrip(".")
    shown = re.search(rf"^l\.{line} (.*)$", text[found.end() :], re.MULTILINE)
    words = shown[1].strip() if shown else ""
    near = f" near “{words[-60:]}”" if words else ""
    if found[1] == "bbl":
        return f"{_entry(log.with_suffix('.bbl'), line, document)}: LaTeX stops with “{message}”{near}", ""
    above = re.findall(r"^% section: (\S+)$", "\n".join(tex.splitlines()[:line]), re.MULTILINE)
    stop = f"LaTeX stops with “{message}”{near} (line {line} of {log.stem}.tex)"
    if not above:
        return f"{document.study.source or document.study.id}, before the first section: {stop}", ""
    template = templates / "sections" / f"{above[-1]}.md"
    in_formula = _line_of_formula(template, tex, line, words)
    where = f"{template}:{in_formula}" if in_formula else _place_in_template(template, words)
    return f"{where}: {stop}", above[-1]


def _entry(references: Path, line: int, document: Document) -> str:
    """ "file:line" of the entry of the bibliography that a line of the .bbl was made of."""
    above = "".join(references.read_text("utf-8").splitlines(keepends=True)[:line])
    keys = re.findall(r"\\bibitem(?:\[[^\]]*\])?\{([^}]+)\}", above)
    lines = [number for key, number in bibliography_keys(document.bibliography).items() if key in keys[-1:]]
    return f"{document.bibliography}:{lines[0]}" if lines else str(document.bibliography)


def _unended(words: str, tex: str, document: Document, templates: Path) -> tuple[str, str]:
    """The sentence on an argument that has no end, found by its first words, and its section."""
    begun = words.partition(r"\par")[0].strip("{ ")[:50]
    stop = f"LaTeX looks in vain for the end of “{begun}”; a brace, a $ or the end of a formula is missing"
    letters = re.sub(r"\s", "", begun)[:20]  # LaTeX prints spaces of its own behind commands
    found = re.search(r"\s*".join(map(re.escape, letters)), tex)
    above = re.findall(r"^% section: (\S+)$", tex[: found.start()], re.MULTILINE) if found else []
    if not above:
        return f"{document.study.source or document.study.id}: {stop}", ""
    return f"{_place_in_template(templates / 'sections' / f'{above[-1]}.md', words)}: {stop}", above[-1]


def bibtex_error(log: Path, bibliography: Path) -> str:
    """BibTeX's own first error, with the line of the bibliography; empty where it has none."""
    text = log.read_text("latin-1") if log.exists() else ""
    found = re.search(r"^(.+)---line (\d+) of file (\S+)$", text, re.MULTILINE)
    return (
        f"{bibliography}:{found[2]}: BibTeX stops with “{found[1].strip()}”; mend the entry there"
        if found
        else ""
    )


def _line_of_formula(template: Path, tex: str, line: int, words: str) -> int | None:
    """The line of the source where LaTeX stopped behind these words; None outside of formulas."""
    before = "".join(tex.splitlines(keepends=True)[: line - 1])
    stopped = len(before) + max(tex[len(before) :].partition("\n")[0].find(words[-20:]), 0) + len(words[-20:])
    for formula in re.finditer(MATHEMATICS, tex, re.DOTALL):
        if formula.start() < stopped <= formula.end() and template.exists():
            body = formula[0][2:-2]
            source = template.read_text("utf-8-sig", errors="replace")
            return formulas.line(source, body, stopped - formula.start() - 2, only_ascii)
    return None


def _place_in_template(template: Path, words: str) -> str:
    """ "file:line" of the source of a piece of LaTeX, found by its last command; else the file alone."""
    if template.exists():
        lines = template.read_text("utf-8").splitlines()
        plain = re.sub(
            r"\\[()\[\]]|\\text\w+|[{}$]", "\n", words
        )  # what pandoc writes otherwise than the author
        pieces = [piece for piece in plain.splitlines() if len(piece.strip()) > SHORTEST_PIECE]
        pieces.sort(key=len, reverse=True)
        for needle in filter(None, (words[-30:], *re.findall(r"\\[A-Za-z]+", words)[::-1], *pieces)):
            if found := next((number for number, line in enumerate(lines, 1) if needle in line), None):
                return f"{template}:{found}"
    return str(template)

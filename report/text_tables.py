"""A table as text for another document: Markdown, or LaTeX with booktabs and graphicx."""

from __future__ import annotations

import re

from report import latex_scripts, latex_text
from report.formatting import cell, header, is_numeric
from results.schema import Table

ROWS_OF_A_PAGE = 40


def markdown(table: Table) -> str:
    """A pipe table with its caption above and its notes below."""
    lines = [_cell(table.caption), ""]
    lines.append("| " + " | ".join(_cell(header(column)) for column in table.columns) + " |")
    lines.append("|" + "|".join("--:" if is_numeric(column) else "---" for column in table.columns) + "|")
    for row in table.rows:
        texts = [_cell(cell(column, row)) for column in table.columns]
        if row.kind == "total":
            texts = [f"**{text}**" if text else "" for text in texts]
        lines.append("| " + " | ".join(texts) + " |")
    notes = [part for note in table.notes for part in ("", _cell(note))]
    return "\n".join([*lines, *notes]) + "\n"


def _cell(text: str) -> str:
    for character in "\\|*_<`[]":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def latex(table: Table) -> str:
    """Table environments, each at most a page, with the packages they need; wide ones shrink to the text."""
    columns = "".join("r" if is_numeric(column) else "l" for column in table.columns)
    lines = [r"% needs \usepackage{booktabs,graphicx}"]
    last = max(len(table.rows) - 1, 0) // ROWS_OF_A_PAGE
    for page in range(last + 1):
        lines += [r"\begin{table}", r"\centering"]
        lines += [r"\addtocounter{table}{-1}"] if page else []
        lines += [
            rf"\caption{{{escape(table.caption)}{' (Continued.)' * bool(page)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(escape(header(column)) for column in table.columns) + r" \\",
            r"\midrule",
        ]
        for i, row in enumerate(table.rows[page * ROWS_OF_A_PAGE :][:ROWS_OF_A_PAGE]):
            if row.kind == "total" and i:
                lines.append(r"\midrule")
            lines.append(" & ".join(escape(cell(column, row)) for column in table.columns) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}}"]
        lines += [rf"\par {escape(note)}" for note in table.notes if page == last]
        lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """As in the study, without the macros that name characters for the reader of its PDF."""
    escaped = latex_scripts.plain(latex_text.escape(text))
    escaped = re.sub(
        r"\\(?:actual|uni)\{\\.\{.*?\}\}\{([0-9A-F]{4})\}", lambda found: chr(int(found[1], 16)), escaped
    )
    return re.sub(r"\\uni\{((?:[^{}]|\{[^{}]*\})*)\}\{[0-9A-F]+\}", r"\1", escaped)

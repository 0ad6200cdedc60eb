"""A table as text for another document: Markdown, or a LaTeX tabular with booktabs."""

from __future__ import annotations

import re

from report import latex_scripts, latex_text
from report.formatting import cell, header, is_numeric
from results.schema import Table


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
    """A table environment, which says the package that it needs."""
    columns = "".join("r" if is_numeric(column) else "l" for column in table.columns)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(escape(header(column)) for column in table.columns) + r" \\",
        r"\midrule",
    ]
    for i, row in enumerate(table.rows):
        if row.kind == "total" and i:
            lines.append(r"\midrule")
        lines.append(" & ".join(escape(cell(column, row)) for column in table.columns) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par {escape(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def escape(text: str) -> str:
    """As in the study, without the macros that name characters for the reader of its PDF."""
    escaped = latex_scripts.plain(latex_text.escape(text))
    escaped = re.sub(
        r"\\(?:actual|uni)\{\\.\{.*?\}\}\{([0-9A-F]{4})\}", lambda found: chr(int(found[1], 16)), escaped
    )
    return re.sub(r"\\uni\{((?:[^{}]|\{[^{}]*\})*)\}\{[0-9A-F]+\}", r"\1", escaped)

"""What must hold of a report: no digit typed by hand in its prose, nothing wrong with its PDF."""

from __future__ import annotations

import re
from pathlib import Path

#: What is no prose: blanked out (line breaks kept) before digits are looked for.
_NOT_PROSE = (
    r"\{#.*?#\}|\{%.*?%\}",  # Jinja
    r"^(```|~~~).*?^\1[ \t]*$",
    r"(`+)(?!`).*?(?<!`)\1(?!`)",
    r"(?<=\])\([^)\s]*(?:\s+\"[^\"]*\")?\)|<https?://[^>]*>",  # the address of a link
    r"(?<=\])\{[^}\n]*\}|^:::+[^\n]*$|(?<=\S )\{[#.][^}\n]*\}[ \t]*$",  # attributes and heading ids
    r"\[\^[^\]\s]+\]",  # footnote marks
    r"-?@[A-Za-z][\w:.#$%&+?<>~/-]*",  # citations
)
_MATH = r"\$\$.+?\$\$|(?<![\\\w])\$(?=\S)(?:[^$\\]|\\.)+?(?<=\S)\$(?!\d)"


def allowed_names(templates: Path) -> list[str]:
    """The names with digits that prose may write, from `names.txt`; longest first."""
    path = templates / "names.txt"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    names = (line.strip() for line in lines if not line.startswith("#"))
    return sorted(filter(None, names), key=len, reverse=True)


def check_digits(template: Path, names: list[str]) -> list[str]:
    """One sentence for every number typed by hand in a section's prose."""
    text = template.read_text("utf-8")
    text = re.sub(r"\{\{.*?\}\}", lambda found: re.sub(r"[^\n]", "j", found[0]), text, flags=re.DOTALL)
    for pattern in _NOT_PROSE:
        text = re.sub(pattern, _blank, text, flags=re.DOTALL | re.MULTILINE)
    problems: list[tuple[int, str]] = []
    for formula in re.finditer(_MATH, text, flags=re.DOTALL):
        for found in re.finditer(r"\d[\d.,]*", formula[0]):
            if not re.fullmatch(r"\d{1,2}", found[0].rstrip(".,")):
                where = formula.start() + found.start()
                problems.append(
                    (
                        where,
                        f"the number {found[0].rstrip('.,')} is typed in a formula; "
                        'use {{ plain("analysis/metric") }}',
                    )
                )
    text = re.sub(_MATH, _blank, text, flags=re.DOTALL)
    for name in names:
        text = re.sub(rf"(?<![\w.,]){re.escape(name)}(?![\w]|[.,]\d)", _blank, text)
    text = re.sub(r"^[ \t]*\d{1,2}[.)](?=[ \t])", _blank, text, flags=re.MULTILINE)  # numbered lists
    for found in re.finditer(r"[^\s()\[\]]*\d[^\s()\[\]]*", text):
        problems.append(
            (
                found.start(),
                f"the digits of {found[0]!r} are typed by hand; use value(…) or "
                "published(…), or add the name to templates/names.txt",
            )
        )
    lines = [(text.count("\n", 0, where) + 1, problem) for where, problem in sorted(problems)]
    return [f"{template}:{line}: {problem}" for line, problem in lines]


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])

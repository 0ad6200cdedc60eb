"""Claimed numbers as people write them: files of claims (CSV, Markdown, LaTeX), values with units, verdicts.

A value is read with all that its writing says: 25.6M is every number that rounds to it, 4.1–4.2G a range, <5M
a bound, 8.2 GFLOPs are half as many multiply–accumulates, 97.8 MB are bytes of weights in single precision.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from analyses.architecture._claims_values import read_value

REQUIRED = ("quantity", "claimed")
OPTIONAL = ("model", "tolerance", "source", "input", "name")
#: What a column is called elsewhere.
ALIASES = {
    **dict.fromkeys(("value", "published", "reported"), "claimed"),
    **dict.fromkeys(("network", "architecture"), "model"),
}
BYTES = 4  # of a weight in single precision


class ClaimsError(Exception):
    """A claims file that cannot be used, or a quantity that is not known."""


class Claim(BaseModel):
    """`claimed` is a number, or a shape such as 55x55x96; `tolerance` absolute, or relative with a %.

    name: what a reader is told that the quantity is. text: as it was written. low, high: what the writing
    says that the number is, at least and at most; None where it says one number. unit: "" as the quantity
    has it, or "flops", "bytes", "percent".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: str
    claimed: float | str
    tolerance: str = ""
    source: str = ""
    input: str = ""
    name: str = ""
    text: str = ""
    low: float | None = None
    high: float | None = None
    unit: str = ""
    line: int = 0


@dataclass(frozen=True)
class Problem:
    """A row that makes no claim."""

    line: int
    text: str


def holds(claim: Claim, computed: float | str) -> bool:
    """Whether the computed value is what the claim says, within its tolerance (relative to the computed)."""
    if isinstance(computed, str) or isinstance(claim.claimed, str):
        return same_shape(_dimensions(claim.claimed), _dimensions(computed))
    low = claim.claimed if claim.low is None else claim.low
    high = claim.claimed if claim.high is None else claim.high
    for factor in factors(claim):
        value = computed * factor
        slack = 0.0
        if claim.tolerance.endswith("%"):
            slack = float(claim.tolerance[:-1]) / 100 * abs(value)
        elif claim.tolerance:
            slack = float(claim.tolerance)
        if low - slack - 1e-9 * abs(value) <= value <= high + slack + 1e-9 * abs(value):
            return True
    return False


def factors(claim: Claim) -> tuple[float, ...]:
    """What the computed value is multiplied by to be in the claim's unit: of megabytes there are two."""
    if claim.unit == "flops":
        return (2.0,)
    if claim.unit == "bytes":
        return (float(BYTES), BYTES * (1e6 / 2**20)) if "i" not in claim.text.lower() else (float(BYTES),)
    return (1.0,)


def conversion(claim: Claim) -> str:
    """What was done to compare units, in words."""
    if claim.unit == "flops":
        return "two FLOPs a MAC"
    return f"{BYTES} bytes a weight" if claim.unit == "bytes" else ""


def _dimensions(value: float | str) -> list[str]:
    if not isinstance(value, str):
        return [f"{value:g}"]
    return value.lower().replace("×", "x").replace(" ", "").split("x")


def same_shape(claimed: Sequence[str], computed: Sequence[str]) -> bool:
    """Channels last as we print them, or first; leading ones are a batch."""
    claimed = list(claimed)
    while len(claimed) > len(computed) and claimed[0] == "1":
        claimed = claimed[1:]
    return claimed in (list(computed), [*computed[-1:], *computed[:-1]])


def read(path: Path) -> tuple[tuple[Claim, ...], tuple[Problem, ...]]:
    """The claims of a CSV file, or of a Markdown or LaTeX table, and the rows that make none; ClaimsError
    for a file that holds no table of claims."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ClaimsError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ClaimsError(f"{path} cannot be read: {error.strerror}; name a CSV file of claims") from None
    rows = list(_rows(path, text))
    if not rows:
        raise ClaimsError(
            f"{path} is empty; its first line must be {','.join(REQUIRED)}[,{','.join(OPTIONAL)}]"
        )
    (_, header), *body = rows
    header = [name.strip() for name in header]
    claims: list[tuple[int, dict[str, str]]] = []
    problems: list[Problem] = []
    paper = _paper_columns(header)
    if not paper:
        header = [ALIASES.get(name.lower(), name.lower()) for name in header]
        _check_header(path, header)
    for line, cells in body:
        if len(cells) != len(header):
            problems.append(
                Problem(line, "it has not as many cells as the header; quote a cell that holds the separator")
            )
        elif paper:
            claims += [(line, entry) for entry in _of_paper(cells, paper)]
        else:
            entry = {key: cell.strip() for key, cell in zip(header, cells, strict=True)}
            claims.append((line, _with_model(entry)))
    comma = _decimal_comma(path, claims)
    found = []
    for line, entry in claims:
        try:
            found.append(_claim(line, entry, comma))
        except ValueError as error:
            problems.append(Problem(line, str(error)))
    if not found and not problems:
        raise ClaimsError(f"{path} holds no claim; write one a line below the header")
    return tuple(found), tuple(sorted(problems, key=lambda problem: problem.line))


def _with_model(entry: dict[str, str]) -> dict[str, str]:
    """The entry with its model within the quantity: "parameters" is the total, "layer/macs" stays."""
    model, quantity = entry.pop("model", ""), entry["quantity"]
    if not model or not quantity:
        return entry
    word = quantity.lower().replace("-", "")
    what = _COUNTED.get(word, quantity)
    claimed = entry["claimed"]
    if word == "flops" and not re.search(r"flop|mac", claimed, re.IGNORECASE):
        claimed += "FLOPs"
    return entry | {
        "quantity": f"{model}/{what}" if "/" in what else f"{model}/total/{what}",
        "claimed": claimed,
    }


def _check_header(path: Path, header: Sequence[str]) -> None:
    for name in REQUIRED:
        if name not in header:
            raise ClaimsError(
                f"{path} has no column {name!r}; its first line must be {','.join(REQUIRED)}"
                f"[,{','.join(OPTIONAL)}], or name a model and what is counted (Params, GMACs, GFLOPs)"
            )
    for name in header:
        if header.count(name) > 1:
            raise ClaimsError(f"{path} has two columns that are read as {name!r}; keep one")
        if name not in (*REQUIRED, *OPTIONAL):
            raise ClaimsError(
                f"{path} has a column {name!r}, which is none of {', '.join((*REQUIRED, *OPTIONAL))}"
            )


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row, the header first."""
    if r"\begin{tabular" in text or r"\begin{longtable" in text:
        yield from _latex_rows(path, text)
    elif text.lstrip().startswith("|") or re.search(r"^\s*\|?\s*:?-{2,}:?\s*\|", text, re.MULTILINE):
        for line, row in enumerate(text.splitlines(), 1):
            if "|" in row and not re.fullmatch(r"[\s|:-]+", row):
                cells = re.split(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|"))
                yield line, [re.sub(r"[*`]|\\(?=\|)", "", cell).strip() for cell in cells]
    else:
        lines = text.splitlines()
        first = lines[0] if lines else ""
        delimiter = max(";\t,", key=first.count)
        reader = csv.reader(lines, delimiter=delimiter)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells


def _latex_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    begin = re.search(r"\\begin\{(tabular\*?|tabularx|longtable)\}", text)
    end = text.find(r"\end{", begin.end()) if begin else -1
    if begin is None or end < 0:
        raise ClaimsError(f"{path}: its tabular does not end")
    inside = text[begin.end() : end]
    inside = re.sub(r"^(\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\s*\[[^\]]*\])+", _blank, inside)
    inside = re.sub(r"(?<!\\)%.*", "", inside)
    line = text[: begin.end()].count("\n") + 1
    for row in re.split(r"(?<!\\)\\\\(?:\[[^\]]*\])?", inside):
        clean = re.sub(r"\\(?:hline|toprule|midrule|bottomrule|cmidrule(?:\([lr]+\))?\{[^}]*\})", "", row)
        if clean.strip():
            before = clean[: len(clean) - len(clean.lstrip())].count("\n")
            yield line + before, [_without_latex(cell) for cell in re.split(r"(?<!\\)&", clean)]
        line += row.count("\n")


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _without_latex(cell: str) -> str:
    cell = re.sub(r"~?\\(?:cite[a-z]*|footnote|label)\*?(?:\[[^\]]*\])*\{[^{}]*\}", "", cell)
    for _ in range(3):
        cell = re.sub(
            r"\\(?:textbf|textit|emph|texttt|underline|mathbf|mathrm|text|num)\{([^{}]*)\}", r"\1", cell
        )
    for mark, plain in (
        (r"\times", "×"),
        (r"\cdot", "·"),
        (r"\pm", "±"),
        (r"\approx", "≈"),
        (r"\sim", "~"),
        (r"\%", "%"),
        ("--", "–"),
    ):
        cell = cell.replace(mark, plain)
    cell = re.sub(r"\\(?:,|;|:|!|quad|\s)|~(?=\S)", " ", cell) if not cell.strip().startswith("~") else cell
    return re.sub(r"[${}\\]", "", cell).strip()


_COUNTED = {
    "params": "parameters",
    "param": "parameters",
    "parameters": "parameters",
    "macs": "macs",
    "multadds": "macs",
    "madds": "macs",
    "flops": "macs",
    "activations": "activations",
    "acts": "activations",
}


def _paper_columns(header: Sequence[str]) -> dict[int, tuple[str, str]]:
    """Columns of a table of a paper: index → (what is counted, unit); the model's is ("model", "")."""
    found: dict[int, tuple[str, str]] = {}
    for i, name in enumerate(header):
        lower = name.lower()
        if lower in ("model", "network", "architecture", "method", "backbone"):
            found[i] = "model", ""
            continue
        match = re.fullmatch(
            r"#?\s*([kmgbt]?)(params?|parameters|macs|mult-?adds|madds|flops|activations|acts)\.?"
            r"\s*(?:[(\[]\s*#?([kmgbt]?)[^)\]]*[)\]])?",
            lower,
        )
        if match:
            word = match[2].replace("-", "")
            scale = (match[1] or match[3] or "").upper()
            found[i] = _COUNTED[word], scale + ("FLOPs" if word == "flops" else "")
    whats = [what for what, _ in found.values()]
    return found if "model" in whats and len(whats) > 1 and "quantity" not in header else {}


def _of_paper(cells: Sequence[str], columns: dict[int, tuple[str, str]]) -> Iterator[dict[str, str]]:
    model = next(cells[i] for i, (what, _) in columns.items() if what == "model")
    for i, (what, unit) in columns.items():
        value = cells[i].strip()
        if what != "model" and value not in ("", "-", "–", "—"):
            has_unit = bool(re.search(r"[A-Za-z]\s*$", value))
            yield {"quantity": f"{model}/total/{what}", "claimed": value if has_unit else f"{value}{unit}"}


def _decimal_comma(path: Path, claims: Sequence[tuple[int, dict[str, str]]]) -> bool | None:
    """Whether decimals stand behind commas in the file, where its numbers show it."""
    shown: dict[bool, int] = {}
    for line, entry in claims:
        for text in (entry.get("claimed", ""), entry.get("tolerance", "")):
            for number in re.findall(r"[0-9][0-9.,]*[0-9]", text):
                marks = re.findall(r"[.,]", number)
                tail = re.split(r"[.,]", number)[-1]
                if not marks or (len(tail) == 3 and len(set(marks)) == 1):
                    continue  # thousands or decimals: it shows nothing
                shown.setdefault(marks[-1] == ",", line)
    if len(shown) == 2:
        raise ClaimsError(
            f"{path} writes decimals with a comma in line {shown[True]} and with a point in line "
            f"{shown[False]}; use one of them"
        )
    return next(iter(shown), None)


def _claim(line: int, entry: dict[str, str], comma: bool | None) -> Claim:
    if not entry["quantity"]:
        raise ValueError("it names no quantity")
    value, tolerance = read_value(entry["claimed"], comma), _tolerance(entry.get("tolerance", ""), comma)
    if tolerance and value.rounded:  # it stands in place of what rounding leaves open
        value = replace(value, low=None, high=None)
    return Claim(
        quantity=entry["quantity"],
        claimed=value.value,
        tolerance=tolerance,
        source=entry.get("source", ""),
        input=entry.get("input", ""),
        name=entry.get("name", ""),
        text=entry["claimed"],
        low=value.low,
        high=value.high,
        unit=value.unit,
        line=line,
    )


def _tolerance(text: str, comma: bool | None) -> str:
    plain = re.sub(r"^(±|\+/-)", "", text.strip()).strip()
    if not plain:
        return ""
    try:
        value = read_value(plain, comma)
        if isinstance(value.value, str) or not 0 <= value.value < inf or value.unit not in ("", "percent"):
            raise ValueError
    except ValueError:
        raise ValueError(f"the tolerance {text!r} is no number from 0 and no percentage like 1%") from None
    return f"{value.value * 100:g}%" if value.unit == "percent" else f"{value.value:g}"

"""What must hold of a PDF: nothing that LaTeX or BibTeX warns of, and nothing missing in the file itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from report.document import Document
from report.latex_text import CYRILLIC

WIDEST_OVERFULL = 5.0  # points


def check_pdf(pdf: Path, log: Path, document: Document) -> list[str]:
    """What is wrong with a compiled document, a sentence each.

    `log` is LaTeX's, with its .aux beside it. The PDF itself is read with poppler's tools where they are
    installed, and only the log speaks where they are not.
    """
    problems = [*_log_problems(log, document), *_label_problems(log.with_suffix(".aux"), document)]
    problems += _bibtex_problems(log.with_suffix(".blg"), document)
    if shutil.which("pdffonts") and shutil.which("pdftotext") and shutil.which("pdfinfo"):
        problems += _font_problems(_output("pdffonts", str(pdf)))
        problems += _information_problems(_output("pdfinfo", str(pdf)), document)
        problems += _text_problems(_output("pdftotext", "-enc", "UTF-8", str(pdf), "-"), document)
    return problems


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=True).stdout.decode(errors="replace")


def _log_problems(file: Path, document: Document) -> Iterator[str]:
    log = file.read_text("latin-1")
    for kind, name in dict.fromkeys(re.findall(r"(Reference|Citation) `([^']+)'.*undefined", log)):
        yield f"the {kind.lower()} {name!r} leads nowhere"
    for name in dict.fromkeys(re.findall(r"Label `([^']+)' multiply defined", log)):
        yield f"the label {name!r} is defined twice"
    for name in dict.fromkeys(re.findall(r"destination with the same identifier \(name\{([^}]+)\}", log)):
        yield f"the link target {name!r} is defined twice"
    wide: dict[str, list[float]] = {}
    for points, line in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)\D*(\d*)", log):
        if float(points) > WIDEST_OVERFULL:
            wide.setdefault(_section_of(file, line, document), []).append(float(points))
    for place, found in wide.items():
        lines = "a line is" if len(found) == 1 else f"{len(found)} lines are"
        yield f"{place}{lines} {max(found):.0f} points too wide; shorten a table, a formula or a long word"
    for points, line in re.findall(r"Float too large for page by ([\d.]+)pt on input line (\d+)", log):
        place = _section_of(file, line, document)
        yield f"{place}a table or figure is {float(points):.0f} points too tall for a page; make two of it"
    for what in dict.fromkeys(re.findall(r"Missing character: (.+)", log)):
        code = re.match(r"U\+([0-9A-F]+) has no form", what)
        place = _place_of(chr(int(code[1], 16)), document) if code else ""
        yield f"{place}a character is missing: {what}"


def _bibtex_problems(file: Path, document: Document) -> Iterator[str]:
    """Names that BibTeX leaves out, since no @string defines them."""
    log = file.read_text("latin-1") if file.exists() else ""
    for name, line in re.findall(r'Warning--string name "(.+)" is undefined\n--line (\d+)', log):
        yield f"{document.bibliography}:{line}: no @string defines {name}; put the text in braces"


def _section_of(log: Path, line: str, document: Document) -> str:
    """ "file: " of the section that has a line of the .tex beside the log; "" where there is none."""
    tex = log.with_suffix(".tex")
    lines = tex.read_text("utf-8").splitlines()[: int(line or 0)] if tex.exists() else []
    above = re.findall(r"(?m)^% section: (\S+)$", "\n".join(lines))
    return f"{_section_file(above[-1], document)}: " if above else ""


def _place_of(character: str, document: Document) -> str:
    """ "file:line: " of the first line of the study's sections that has a character; "" where none has."""
    for name in (document.study.abstract, *document.study.sections):
        file = _section_file(name, document)
        text = file.read_text("utf-8-sig", errors="replace") if file.is_file() else ""
        if character in text:
            line = text.count("\n", 0, text.index(character)) + 1
            return f"{file}:{line}: "
    return ""


def _section_file(name: str, document: Document) -> Path:
    return document.bibliography.parent / "sections" / f"{name}.md"


def _label_problems(path: Path, document: Document) -> Iterator[str]:
    """Numbers that LaTeX counted otherwise than the document, the page limit, and bookmarks."""
    aux = path.read_text("latin-1")
    labels = {
        name: (number, int(page))
        for name, number, page in re.findall(r"\\newlabel\{([^}]+)\}\{\{([^}]*)\}\{(\d+)\}", aux)
    }
    expected = {f"section:{section.id}": section.number for section in document.sections}
    expected |= {item.anchor: str(item.number) for item in document.items.values()}
    for name, number in expected.items():
        if name not in labels:
            yield f"{name} is missing from the PDF"
        elif labels[name][0] != number:
            yield f"{name} has number {labels[name][0]} in the PDF and {number} in the document"
    if aux.count("\\BKM@entry{") < len(document.sections):
        yield "bookmarks are missing"
    body = [item.anchor for item in document.items.values() if item.section != "provenance"]
    pages = max((labels[name][1] for name in ("study:end", *body) if name in labels), default=0)
    study = document.study
    if study.page_limit and pages > study.page_limit and not document.illustrations:
        yield f"{study.id} has {pages} pages before its references; its limit is {study.page_limit}"


def _font_problems(table: str) -> Iterator[str]:
    for line in table.splitlines()[2:]:
        name, kind, embedded = line[:36].strip(), line[37:54].strip(), line.split()[-5]
        if embedded != "yes":
            yield f"the font {name} is not embedded"
        if kind == "Type 3":
            yield f"the font {name} is of Type 3, made of pictures"


def _information_problems(table: str, document: Document) -> Iterator[str]:
    found = {key: value.strip() for key, _, value in (line.partition(":") for line in table.splitlines())}
    wanted = {"Title": document.study.title, "Author": ", ".join(document.study.authors)}
    for key, value in wanted.items():
        if found.get(key, "") != " ".join(value.split()):
            yield f"the PDF's {key.lower()} is {found.get(key)!r}, not {value!r}"


def _text_problems(text: str, document: Document) -> Iterator[str]:
    if "??" in text:
        yield 'the text has a reference "??"'
    printed = _letters(text)
    for item in document.items.values():
        if item.kind != "equation" and _letters(f"{item.label}: {item.content.caption}") not in printed:
            yield f"the PDF does not show the caption of {item.label} ({item.target}) as it is"


def _letters(text: str) -> str:
    """Letters and digits as both a caption and a PDF's text layer have them, without spaces and breaks."""
    latin = "".join(CYRILLIC.get(character.lower(), character) for character in text)
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKC", latin).lower())

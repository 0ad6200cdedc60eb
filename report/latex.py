"""A Document as LaTeX, and LaTeX as PDF.

The text is pandoc's, tables are PyLaTeX fragments, figures are PDF files drawn by `figures`. Auxiliary files
stay in the build folder: one changed sentence costs one run of LaTeX, nothing changed costs none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import jinja2

from report import (
    figures,
    latex_faults,
    latex_scripts,
    latex_tables,
    latex_tags,
    numbering,
    pandoc,
    pictures,
)
from report.bibliography_names import for_latex
from report.document import Block, Document, Item, Section, Study, Written, elements, marker, rewrite
from report.figure_faults import naming
from report.formatting import listing
from report.latex_scripts import Engine
from report.latex_text import code, escape, only_ascii, verbatim
from report.latex_written import enclosed, float_of, picture, raw, unnumbered
from report.numbering import words
from results.store import write_atomically

TIME_LIMIT = 300  # seconds
TIME_LIMIT_TAGGED = 1800
TAGGED = r"\usepackage{tagged}"
LATEXMK = {"pdflatex": "-pdf", "lualatex": "-pdflua"}


class NoTeX(Exception):
    """TeX is not installed; the message has the command that installs it."""


class LaTeXError(Exception):
    """LaTeX stopped; the message says in which section, where in its source, and why."""

    def __init__(self, message: str, section: str = "") -> None:
        super().__init__(message)
        self.section = section


#: No figure comes after it, and no page ends early: from the end of a full page both go on to the next.
BEFORE_CONCLUSION = r"\ifdim\pagetotal>0.9\pagegoal\else\FloatBarrier\fi"


def write(document: Document, templates: Path, tagged: bool = False) -> str:
    """The whole document as the text of a .tex file, in ASCII, with names in other scripts still marked;
    with tags for screen readers where asked for.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates / "latex"),
        undefined=jinja2.StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    abstract, *sections = _sections_as_latex(document, tagged)
    official = _official_style(templates)
    study = document.study
    return environment.get_template("document.tex").render(
        tagged=tagged,
        source=study.source.name if study.source else study.id,
        official=official.stem if official else None,
        title=escape(study.title),
        subtitle=escape(study.subtitle),
        authors=[escape(author) for author in study.authors],
        byline=_byline(study, _date(document)),
        language=study.language,
        subject=escape(listing([section.title for section in document.sections[:-1]])),
        abstract_id=study.abstract,
        abstract=abstract,
        asked=escape(study.questions[0].id) if study.questions else "",
        contents=study.contents,
        body="\n\n".join(sections[:-1]),
        appendix=sections[-1],
        cites=bool(_cited(document)),
        cited=latex_scripts.marks(only_ascii(_cited_entries(document))),
    )


def _byline(study: Study, date: str) -> str:
    """Who wrote it, where and when, a line each."""
    about = (rf"\normalfont {text}" for text in (escape(study.affiliation), date) if text)
    return r"\\[2pt] ".join(filter(None, (_people(study), *about)))


def _people(study: Study) -> str:
    """The authors in a row, each above an affiliation and address of their own where one has these."""
    if not any(one.affiliation or one.email for one in study.people):
        return r"\quad{} ".join(escape(one.name) for one in study.people)
    blocks = []
    for one in study.people:
        lines = [escape(one.name), *(rf"\normalfont {escape(text)}" for text in [one.affiliation] if text)]
        lines += [rf"\normalfont {code(text)}" for text in [one.email] if text]
        blocks.append(r"\begin{tabular}[t]{@{}c@{}}" + r"\\ ".join(lines) + r"\end{tabular}")
    return r"\qquad{} ".join(blocks)


def compile(tex: str, document: Document, templates: Path, folder: Path) -> Path:
    """The PDF of `tex` in `folder`, where the .tex, figures and auxiliary files are kept between builds.

    Raises NoTeX (the .tex is written then too), LaTeXError, or OSError when the folder cannot be written.
    """
    prepare(tex, document, templates, folder)
    return run(tex, document, templates, folder)


def prepare(tex: str, document: Document, templates: Path, folder: Path) -> None:
    """Write what LaTeX reads. Raises NoTeX when nothing can read it."""
    for path, content in sources(tex, document, templates, folder).items():
        _write_if_changed(folder / path, content)
    if not (shutil.which("latexmk") and shutil.which("pdflatex")):
        raise NoTeX(f"TeX is not installed, so there is no PDF; install it with `{latex_faults.INSTALL}`")


def sources(tex: str, document: Document, templates: Path, folder: Path) -> dict[str, bytes]:
    """What LaTeX reads, by path: the .tex, its class, the bibliography, and the figures, which are drawn
    where `folder` has none yet.
    """
    engine = latex_scripts.engine(tex)
    files = {f"{document.study.id}.tex": latex_scripts.resolve(tex, engine).encode()}
    for source in _sources(templates):
        content = source.read_text("utf-8")
        if source.suffix == ".bib":
            content = latex_scripts.resolve(only_ascii(for_latex(content)), engine)
        files[source.name] = content.encode()
    if TAGGED in tex:
        files["tagged.sty"] = (templates / "latex" / "tagged.sty").read_bytes()
    if engine == "lualatex":
        files["scripts.sty"] = (templates / "latex" / "scripts.sty").read_bytes()
    for item in document.items.values():
        if item.kind == "figure" and not isinstance(item.content, Written):
            with naming(item.target):
                drawn = figures.stored(item.content, folder / "figures")  # type: ignore[arg-type]
            files[f"figures/{drawn.name}"] = drawn.read_bytes()
    for image in pictures.images([document.abstract, *(section.blocks for section in document.sections)]):
        picture_name, content_ = pictures.in_latex(Path(image["c"][2][0]))
        files[f"pictures/{picture_name}"] = content_
    return files


def run(tex: str, document: Document, templates: Path, folder: Path) -> Path:
    """The PDF of what `prepare` wrote. Draws nothing, so that documents may be run side by side."""
    name = document.study.id
    engine = latex_scripts.engine(tex)
    limit = TIME_LIMIT_TAGGED if TAGGED in tex else TIME_LIMIT
    if _run(document, folder, engine, limit):
        return folder / f"{name}.pdf"
    bibtex_error = latex_faults.bibtex_error(folder / f"{name}.blg", document.bibliography)
    if bibtex_error or not (_forget(folder, name) and _run(document, folder, engine, limit)):
        if bibtex_error:
            problem, section = bibtex_error, ""
        else:
            problem, section = latex_faults.explain(folder / f"{name}.log", tex, document, templates)
        _forget(folder, name)
        raise LaTeXError(problem, section)
    return folder / f"{name}.pdf"


def _run(document: Document, folder: Path, engine: Engine, limit: int) -> bool:
    """Whether latexmk, which runs LaTeX and BibTeX as often as it takes, came to its end."""
    command = ["latexmk", "-norc", LATEXMK[engine], "-silent", "-interaction=nonstopmode", "-halt-on-error"]
    command += ["-file-line-error", f"{document.study.id}.tex"]
    try:
        done = subprocess.run(
            command, cwd=folder, env=_environment(document), capture_output=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        raise LaTeXError(f"LaTeX did not end within {limit} s in {folder}") from None
    return done.returncode == 0


def _forget(folder: Path, name: str) -> bool:
    """Remove what latexmk goes by, which an interrupted run may have left broken; whether there was any."""
    files = [folder / f"{name}.{kind}" for kind in ("aux", "bbl", "blg", "log", "out", "fls", "fdb_latexmk")]
    there = [file for file in files if file.exists()]
    for file in there:
        file.unlink()
    return bool(there)


def _sections_as_latex(document: Document, tagged: bool) -> list[str]:
    """LaTeX of the abstract and of every section, by one call of pandoc."""
    boundary = "%convstudy-section-boundary"
    blocks: list[Block] = [*document.abstract]
    for section in document.sections:
        blocks += [raw(boundary), *_heading(section), *section.blocks]
    marked = rewrite(
        with_notes(with_formulas(blocks)), lambda element: _as_latex(element, document.items, tagged)
    )
    text = pandoc.write(
        marked, "--to=latex-smart", "--natbib", "--wrap=preserve", "--syntax-highlighting=none"
    )
    return [only_ascii(part).strip() for part in text.split(boundary)]


def with_formulas(blocks: list[Block]) -> list[Block]:
    """Every displayed formula at the end of the paragraph before it, so that neither a page nor a float parts
    the two: LaTeX breaks no page above a display, but anywhere between paragraphs.
    """
    joined: list[Block] = []
    for block in blocks:
        if joined and joined[-1]["t"] == block["t"] == "Para" and _displayed(block["c"][0]):
            joined[-1] = {"t": "Para", "c": [*joined[-1]["c"], {"t": "SoftBreak"}, *block["c"]]}
        else:
            joined.append(block)
    return joined


def with_notes(blocks: list[Block]) -> list[Block]:
    """How to draw a picture that is not here as a footnote of the paragraph before it, so that a command does
    not interrupt the text.
    """
    noted: list[Block] = []
    for block in blocks:
        above = next((n for n in range(len(noted) - 1, -1, -1) if not _is_float(noted[n])), None)
        if marker(block)[0] == "media" and above is not None and noted[above]["t"] == "Para":
            words = noted[above]["c"]
            end = next((n for n, word in enumerate(words) if marker(word)[0] == "answers"), len(words))
            while end and words[end - 1]["t"] in ("Space", "SoftBreak"):
                end -= 1
            noted[above] = {"t": "Para", "c": [*words[:end], {"t": "Note", "c": block["c"][1]}, *words[end:]]}
        else:
            noted.append(block)
    return noted


def _is_float(block: Block) -> bool:
    return marker(block)[0] in ("table", "figure", "written")


def _displayed(inline: Block) -> bool:
    return numbering.is_displayed(inline) or marker(inline)[0] == "equation"


def _heading(section: Section) -> list[Block]:
    """The title, which pandoc makes plain for bookmarks."""
    title = list(section.heading) or words(section.title)
    return [
        *([raw(BEFORE_CONCLUSION)] if section.title == "Conclusion" else []),
        raw(f"% section: {section.id}"),
        {"t": "Header", "c": [1, [f"section:{section.id}", [], []], title]},
    ]


def _as_latex(element: Block, items: Mapping[str, Item], tagged: bool) -> list[Block] | None:
    """What stands for a marker, or for code; None for what pandoc writes well by itself."""
    kind, data = marker(element)
    write = partial(rewrite, change=lambda e: _as_latex(e, items, tagged))
    match element["t"], kind:
        case "Code", _:
            return [raw(code(element["c"][1]), inline=True)]
        case "Table", _:
            return [unnumbered(element, write, tagged)]
        case "CodeBlock", _:
            return [raw(verbatim(element["c"][1]))]
        case "Span", "value":
            analysis = data["metric"].partition("/")[0]
            return enclosed(rf"\hyperlink{{result:{analysis}}}{{", element["c"][1], "}")
        case "Span", "quoted":
            return list(element["c"][1])
        case "Span", "answers":
            return enclosed(r"\answers{", words(data["questions"]), "}")
        case "Span", "ref":
            target = data["target"]
            place = items[target].anchor if target in items else target
            before = rf"\refto{{{place}}}{{" if target in items else rf"\hyperref[{place}]{{"
            return enclosed(before, _unbroken(element["c"][1]), "}")
        case "Span", "equation":
            item = items[data["target"]]
            tex = element["c"][1][0]["c"][1].strip()
            begun = rf"\begin{{equation}}\label{{{item.anchor}}}"
            return [raw(f"{begun}\n{tex}\n\\end{{equation}}", inline=True)]
        case "Div", "table":
            item = items[data["target"]]
            return [raw(latex_tables.table(item, item.anchor, tagged))]
        case "Div", "figure":
            return [raw(_figure(items[data["target"]], tagged))]
        case "Div", "written":
            item = items[data["target"]]
            return [float_of(item, item.anchor, element["c"][1][0], write, tagged)]
        case "Image", _:
            shown = picture(element, tagged)
            return [raw(rf"\betweenwords{{{shown}}}" if tagged else shown, inline=True)]
        case "Div", "missing" | "quick" | "media":
            return [
                raw(rf"\begin{{{kind}}}"),
                *write(element["c"][1]),
                raw(rf"\end{{{kind}}}"),
            ]
    return None


def _unbroken(inlines: list[Block]) -> list[Block]:
    """Words that no line break comes between: "Table~3"."""
    return [{"t": "Str", "c": "\u00a0"} if part["t"] == "Space" else part for part in inlines]


def _figure(item: Item, tagged: bool) -> str:
    content = item.content
    drawing = rf"\includegraphics{{figures/{figures.file_name(content)}}}"  # type: ignore[arg-type]
    if tagged:
        drawing = latex_tags.figure(drawing, content.alt)  # type: ignore[union-attr]
    return (
        f"\\begin{{figure}}[htbp]\n\\centering\n{drawing}\n"
        f"\\caption{{{escape(content.caption)}}}\\label{{{item.anchor}}}\n\\end{{figure}}"
    )


def _cited(document: Document) -> set[str]:
    """The keys of what the text cites."""
    bodies = [document.abstract, *(section.blocks for section in document.sections)]
    cites = (element for element in elements(bodies) if element["t"] == "Cite")
    return {citation["citationId"] for element in cites for citation in element["c"][0]}


def _cited_entries(document: Document) -> str:
    """Their entries of the bibliography."""
    keys, file = _cited(document), document.bibliography
    text = file.read_text("utf-8-sig") if keys and file.exists() else ""
    entries = re.split(r"(?m)^(?=[ \t]*@\w+\s*\{)", text)
    key = re.compile(r"\s*@\w+\s*\{\s*([^,\s]+)")
    return "".join(entry for entry in entries if (found := key.match(entry)) and found[1] in keys)


def _official_style(templates: Path) -> Path | None:
    """The newest official style that a user put beside our class."""
    return max((templates / "latex").glob("neurips_*.sty"), default=None)


def _sources(templates: Path) -> list[Path]:
    official = _official_style(templates)
    style = official or templates / "latex" / "convstudy.cls"
    return [path for path in (style, templates / "references.bib") if path.exists()]


def _write_if_changed(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        write_atomically(path, content)


def newest(document: Document) -> datetime | None:
    """When the newest result of a document was made, which is the document's own date."""
    dates = [result.provenance.created for result in document.results.values() if result.provenance.created]
    return datetime.fromisoformat(max(dates)) if dates else None


def _date(document: Document) -> str:
    """As the study says it, or "21 November 2026" of its newest result; empty without results."""
    if document.study.date:
        return escape(document.study.date)
    made = newest(document)
    return f"{made.day} {made:%B %Y}" if made else ""


def _environment(document: Document) -> dict[str, str]:
    """The same file from the same document, wherever and whenever."""
    made = newest(document)
    epoch = int(made.timestamp()) if made else 0
    fixed = {"FORCE_SOURCE_DATE": "1", "max_print_line": "1000"}
    return {"SOURCE_DATE_EPOCH": str(epoch), **os.environ, **fixed}

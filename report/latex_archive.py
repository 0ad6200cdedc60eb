"""The LaTeX sources of a study as a zip that compiles without us: for Overleaf, arXiv or a journal."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from report import latex, latex_faults, latex_scripts
from report.document import Document

#: What latexmk, and so Overleaf, compiles with when no option is given.
MODES = {"pdflatex": 1, "lualatex": 4}
#: How pdflatex and lualatex are called where no latexmk is.
README = """\
{title}

Run latexmk in this folder: it makes {name}.pdf, with {engine}, as latexmkrc says. Without
latexmk, run {engine} {name}, bibtex {name}, and then {engine} {name} twice.

TeX Live needs, as Debian calls them: {packages}.

Overleaf: New Project, Upload Project, and choose this zip; its compiler is {compiler}.
arXiv: {arxiv}.
"""
COMPILERS = {"pdflatex": "pdfLaTeX", "lualatex": "LuaLaTeX"}
SETTINGS = "$pdf_mode = {mode};\n@default_files = ('{name}.tex');\n"


def hint(tex: str, name: str) -> str:
    """What to do with the zip, in a sentence."""
    return f"{name}: unpack it and run `latexmk` there, which takes {latex_scripts.engine(tex)}"


def write(tex: str, document: Document, templates: Path, folder: Path) -> bytes:
    """The zip; with the list of references that a run of LaTeX left in `folder`, which arXiv asks for."""
    name = document.study.id
    files = latex.sources(tex, document, templates, folder)
    engine = latex_scripts.engine(tex)
    files["latexmkrc"] = SETTINGS.format(mode=MODES[engine], name=name).encode()
    plain = engine == "pdflatex"
    files["README.txt"] = README.format(
        title=document.study.title,
        name=name,
        engine=engine,
        compiler=COMPILERS[engine],
        packages=" ".join(
            [latex_faults.PACKAGES, *([] if plain else sorted(set(latex_scripts.PACKAGES.values())))]
        ),
        arxiv="upload this zip"
        if plain
        else "its names need LuaLaTeX; look whether that can be chosen there",
    ).encode()
    if (references := folder / f"{name}.bbl").exists():
        files[references.name] = references.read_bytes()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, written in sorted(files.items()):
            entry = zipfile.ZipInfo(path)  # without the time of writing
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, written)
    return content.getvalue()

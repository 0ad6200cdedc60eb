"""The LaTeX sources of a study as a zip that compiles without us: for Overleaf, arXiv or a journal."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from report import latex, latex_scripts
from report.document import Document

#: What latexmk, and so Overleaf, compiles with when no option is given.
MODES = {"pdflatex": 1, "lualatex": 4}
SETTINGS = "$pdf_mode = {mode};\n@default_files = ('{name}.tex');\n"


def write(tex: str, document: Document, templates: Path, folder: Path) -> bytes:
    """The zip; with the list of references that a run of LaTeX left in `folder`, which arXiv asks for."""
    name = document.study.id
    files = latex.sources(tex, document, templates, folder)
    files["latexmkrc"] = SETTINGS.format(mode=MODES[latex_scripts.engine(tex)], name=name).encode()
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

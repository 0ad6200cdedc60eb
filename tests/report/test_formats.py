"""The PDF and the site say the same: numbers, numbering, captions and references, read off both."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from report import latex
from tests.report.conftest import Workshop
from tests.report.pages import Node, parse, site

pytestmark = pytest.mark.skipif(
    not (shutil.which("latexmk") and shutil.which("pdftotext")), reason="TeX or pdftotext is not installed"
)


def words(text: str) -> str:
    """Text without what typesetting changes: spaces, hyphens at the end of lines, ligatures."""
    return re.sub(r"\s+|-|­", "", text.replace("ﬁ", "fi").replace("ﬂ", "fl").replace("ﬀ", "ff"))


def test_numbers_labels_captions_and_headings_agree(workshop: Workshop, tmp_path: Path) -> None:
    workshop.section("deep", "# Deep\n\n## One\n\n### Inner\n\n## Two\n\nText.\n")
    document = workshop.document("layers", "deep", "training")
    pdf = latex.compile(latex.write(document, workshop.templates), document, workshop.templates, tmp_path)
    run = subprocess.run(
        ["pdftotext", "-layout", "-enc", "UTF-8", str(pdf), "-"], capture_output=True, check=True
    )
    printed = words(run.stdout.decode())
    files = site(document, workshop.templates)
    pages = [parse(files[f"small/{name}.html"]) for name in ("index", "layers", "deep", "training")]
    mains = [page.one("main") for page in pages]

    captions = [
        captioned.text()
        for main in mains[1:]
        for captioned in main
        if captioned.tag in ("caption", "figcaption") and re.match(r"(Table|Figure) \d+\. ", captioned.text())
    ]
    assert len(captions) == 7
    for caption in captions:
        label, _, text = caption.partition(". ")
        plain = text.partition("& %")[0]  # other scripts are transliterated in print
        assert words(f"{label}: {plain}") in printed

    headings = [squeezed(node) for main in mains[1:] for node in main if node.tag in ("h1", "h2", "h3")]
    assert "2.1.1 Inner" in headings
    for heading in headings:
        assert words(heading) in printed

    numbers = [link.text() for main in mains for link in main.all("a", of="value")]
    references = [link.text() for main in mains for link in main.all("a", of="ref")]
    assert len(numbers) == 5 and references == ["Table 1", "Figure 1", "Section 3"]
    for text in (*numbers, *references):
        assert words(text) in printed


def squeezed(node: Node) -> str:
    return " ".join(node.text().split())

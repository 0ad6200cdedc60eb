"""A tagged PDF: headings, rows and cells, captions and texts in the place of pictures."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from report import latex, latex_tags, pdf_checks
from results.schema import Table
from tests.report.conftest import Workshop, vgg19

needs_tex = pytest.mark.skipif(not shutil.which("latexmk"), reason="TeX is not installed")


def tags(node: Any, parent: str = "") -> Iterator[tuple[str, str, Any]]:
    """Parent's tag, tag and element of everything below."""
    if isinstance(node, pikepdf.Array):
        for kid in node:
            yield from tags(kid, parent)
    elif isinstance(node, pikepdf.Dictionary) and "/S" in node:
        yield parent, str(node.S), node
        yield from tags(node.get("/K"), str(node.S))


@needs_tex
def test_a_tagged_pdf_says_what_each_part_is(workshop: Workshop, tmp_path: Path) -> None:
    workshop.section("tall", "# Tall\n\n" + "| A |\n|---|\n" + "| a |\n" * 70)
    document = workshop.document("layers", "training", "tall")
    source = latex.write(document, workshop.templates, tagged=True)
    path = latex.compile(source, document, workshop.templates, tmp_path)
    assert pdf_checks.check_pdf(path, path.with_suffix(".log"), document) == []
    log = path.with_suffix(".log").read_text("latin-1")
    assert "Package tagpdf Warning" not in log
    with pikepdf.open(path) as pdf:
        found = list(tags(pdf.Root.StructTreeRoot.K))
        assert pdf.Root.MarkInfo.Marked
        said = sorted(str(element.Alt) for _, tag, element in found if tag == "/Figure")
        items = [item for item in document.items.values() if item.kind == "figure"]
        assert said == sorted(latex_tags.alternative(item.content.alt) for item in items)  # type: ignore[union-attr]
        inside = Counter((parent, tag) for parent, tag, _ in found)
        tables = [item.content for item in document.items.values() if isinstance(item.content, Table)]
        assert inside["/Table", "/TR"] == sum(len(table.rows) + 1 for table in tables) + 71
        assert inside["/Table", "/Caption"] == len(tables)
        assert {parent for parent, tag in inside if tag in ("/TD", "/TH")} == {"/TR"}
        heads = [element for _, tag, element in found if tag == "/TH"]
        assert all("/C" in element or "/A" in element for element in heads)
        assert inside["/Document", "/H1"] >= len(document.sections)


def test_an_alternative_text_is_plain() -> None:
    assert latex_tags.alternative("50% of\n{a} × é_1 − 3") == "50 per cent of (a) x e_1 - 3"


def test_two_parts_of_a_cell_are_one_cell() -> None:
    assert latex_tags.cell(["0.8", "[0.7, 0.9]"], "cell", False, True) == [
        r"\cellbegins\celltext{0.8}",
        r"\celltext{[0.7, 0.9]}\tagends\tagends",
    ]


def test_when_a_pdf_was_compiled_does_not_show() -> None:
    when = datetime(2026, 11, 1, 12, 0, 5, tzinfo=UTC)
    first, second = (
        f"/CreationDate (D:{day}101010Z) <xmp:CreateDate>{dashed}T10:10:10Z</xmp:CreateDate>"
        f"<xmpMM:DocumentID>uuid:{uuid}</xmpMM:DocumentID>".encode()
        for day, dashed, uuid in (
            ("20260101", "2026-01-01", "cc21d3d7-443b-4cff-85d8-cc0400ad0ee2"),
            ("20270202", "2027-02-02", "00000000-443b-4cff-85d8-cc0400ad0ee3"),
        )
    )
    settled = latex_tags.settled(first, when)
    assert settled == latex_tags.settled(second, when)
    assert len(settled) == len(first) and b"D:20261101120005Z" in settled
    assert latex_tags.settled(first + b" ", when) != settled + b" "


def test_without_tags_nothing_of_them_is_written(workshop: Workshop) -> None:
    source = latex.write(workshop.document(), workshop.templates)
    assert "tag" not in source.partition(r"\begin{document}")[0].replace("% section", "")
    assert vgg19().tables and r"\celltext" not in source

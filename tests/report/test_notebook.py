"""The notebook of a study: valid, complete, numbered as the document, the same bytes every time."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import unquote

import nbformat

from report import notebook
from report import study as studies
from report.document import Document
from report.prose import compose
from tests.report.conftest import Workshop


def read(document: Document) -> Any:
    found = nbformat.reads(notebook.write(document).decode(), as_version=4)
    nbformat.validate(found)
    return found


def prose(found: Any) -> str:
    return "\n\n".join(cell.source for cell in found.cells if cell.cell_type == "markdown")


def test_it_is_valid_and_the_same_every_time(workshop: Workshop) -> None:
    document = workshop.document()
    assert read(document).metadata.authors == [{"name": "Ada Łukasz"}, {"name": "Émile Жук"}]
    assert notebook.write(workshop.document()) == notebook.write(document)


def test_prose_keeps_its_formulas_numbers_notes_and_citations(workshop: Workshop) -> None:
    text = prose(read(workshop.document()))
    assert "# A small study of VGG-19 & others" in text
    assert "VGG-19 has 143,652,544 weights; see [Table 1](#Table-1), [Figure 1](#Figure-1)" in text
    assert r"$7 \times 7 \times 143652544$" in text and r"$$W_2 = \frac{W_1 - F + 2P}{S} + 1$$" in text
    assert "(A footnote, with `code_x` and a [link](https://example.org/a_b%20c#1).)" in text
    assert "Krizhevsky et al. (2012) reports" in text and "<" not in text.replace(r"\<", "")
    *_, references = text.split("\n## ")
    assert references.startswith("References\n\nKrizhevsky, Alex")


def test_every_link_leads_to_a_heading(workshop: Workshop) -> None:
    text = prose(read(workshop.document()))
    headings = {re.sub(r"\\(.)", r"\1", h).replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.M)}
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert len(links) >= 3 and {unquote(link) for link in links} <= headings


def test_every_table_and_figure_is_a_cell_with_its_output_kept(workshop: Workshop) -> None:
    document = workshop.document("layers", "training", "trained")
    cells = [cell for cell in read(document).cells if cell.cell_type == "code"][1:]
    assert [cell.execution_count for cell in cells] == [*range(2, len(document.items) + 2)]
    for cell, item in zip(cells, document.items.values(), strict=True):
        kinds = {"table": {"text/html", "text/plain"}, "figure": {"image/png", "text/plain"}}[item.kind]
        assert set(cell.outputs[0].data) == kinds
    shown = next(cell for cell in cells if "trained" in cell.source and cell.source.startswith("table"))
    assert shown.source == 'table(load("classification.trained"), "results")'
    assert "80.0 [79.0, 81.0]" in shown.outputs[0].data["text/plain"]
    assert '<td style="text-align: right"><b>80.0 [79.0, 81.0]</b></td>' in shown.outputs[0].data["text/html"]


def test_a_caption_of_any_characters_is_text(workshop: Workshop) -> None:
    found = read(workshop.document())
    (caption,) = [c.source for c in found.cells if c.source.startswith("#### Table 2")]
    plain = unicodedata.normalize("NFC", re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", caption))
    assert r"& % $ # _ { } ~ ^ \ < > and é ł α Ω Жук → × · − “q” in a caption" in plain


def test_a_question_is_named_where_it_is_answered(workshop: Workshop) -> None:
    workshop.section("layers", '# Layers\n\nMost are dense. {{ answers("1a") }}\n')
    study = workshop.templates / "studies" / "small.toml"
    workshop.study("layers")
    study.write_text(
        study.read_text("utf-8") + '[[questions]]\nid = "1a"\ntext = "Where are they?"\n', "utf-8"
    )
    found = read(compose(studies.load(study, workshop.templates), workshop.templates, workshop.store))
    (cell,) = [cell for cell in found.cells if cell.metadata.get("tags")]
    assert cell.metadata.tags == ["answers 1a"]
    assert cell.source.endswith("Most are dense. *(Answers 1a.)*")
    assert "- **1a** Where are they? [Section 1](#1-Layers)." in prose(found)


def test_a_missing_result_is_said_where_it_is_missing(workshop: Workshop) -> None:
    workshop.section("resnet", '# ResNet\n\n{{ table("architecture.resnet/layers") }}\n')
    text = prose(read(workshop.document("layers", "training", "resnet")))
    assert "> The table `architecture.resnet/layers` cannot be shown: there is no result of" in text

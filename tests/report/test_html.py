"""The site says what the Document says: the same numbers, labels, captions and links, whatever the text."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import downloads, html, html_views
from report.document import Document, Item, elements, marker
from report.downloads import table_csv
from report.formatting import cell, header
from report.html_views import table_view
from report.site_checks import check_site
from results.schema import Axis, Chart, Column, Heatmap, Row, Table
from results.store import Store
from tests.report.conftest import PNG, TEMPLATES, Workshop, open_workshop, trained, vgg19
from tests.report.pages import Node, parse, put, site

AWKWARD = "& % $ # _ { } ~ ^ \\ < > \" ' </caption> <b> &amp; é ł α Ω Жук 卷积 → × · −"


def squeezed(text: str) -> str:
    return " ".join(text.split())


def pages(document: Document, workshop: Workshop) -> dict[str, Node]:
    """The pages of a study by the name of their section."""
    files = html.write_document(document, workshop.templates)
    return {Path(name).stem: parse(content) for name, content in files.items() if name.endswith(".html")}


def page_of(item: Item, found: dict[str, Node]) -> Node:
    return found[item.section]


def spans(document: Document, kind: str) -> list[tuple[str, str]]:
    """Data and words of the markers of a Document, in reading order."""
    bodies = [document.abstract, *(section.blocks for section in document.sections)]
    return [
        (next(iter(data.values())), "".join(part.get("c", " ") for part in element["c"][1]))
        for element in elements(bodies)
        for found, data in [marker(element)]
        if found == kind and element["t"] == "Span"
    ]


def test_every_number_of_the_document_is_on_its_pages_and_leads_to_its_metric(workshop: Workshop) -> None:
    document = workshop.document()
    files = site(document, workshop.templates)
    ordered = ["index", *(section.id for section in document.sections)]
    links = [link for name in ordered for link in parse(files[f"small/{name}.html"]).all("a", of="value")]
    expected = spans(document, "value")
    assert len(expected) == 5
    assert [link.text() for link in links] == [words for _, words in expected]
    for link, (metric, _) in zip(links, expected, strict=True):
        assert link.attributes["title"] == f"{metric} · full · commit 89abcdef"
        address, _, place = link.attributes["href"].partition("#")
        row = parse(files[address.removeprefix("../")]).one("tr", id=unquote(place))
        analysis, _, name = metric.partition("/")
        assert row.one("th").text() == name
        assert float(row.one("td", of="n").attributes["data-value"]) == (
            document.results[analysis].metrics[name].value
        )


def test_numbers_labels_and_captions_of_tables_are_the_documents(workshop: Workshop) -> None:
    document = workshop.document()
    found = pages(document, workshop)
    tables = [item for item in document.items.values() if isinstance(item.content, Table)]
    assert len(tables) == 3
    for item in tables:
        drawn = page_of(item, found).one("div", id=item.target).one("table")
        table = item.content
        assert isinstance(table, Table)
        assert drawn.one("caption").text() == f"{item.label}. {table.caption}"
        assert [head.text() for head in drawn.one("thead").all("th")] == [header(c) for c in table.columns]
        cells = [
            [one.text(without=("small", "sup")) for one in row if one.tag in ("th", "td")]
            for row in drawn.all("tr")[1:]
        ]
        assert cells == [[cell(column, row) for column in table.columns] for row in table.rows]


def test_labels_captions_and_alternatives_of_figures_are_the_documents(workshop: Workshop) -> None:
    document = workshop.document()
    found = pages(document, workshop)
    figures = [item for item in document.items.values() if not isinstance(item.content, Table)]
    assert [item.label for item in figures] == [f"Figure {n}" for n in range(1, 6)]
    for item in figures:
        drawn = page_of(item, found).one("div", id=item.target)
        assert drawn.one("figcaption").text() == f"{item.label}. {item.content.caption}"
        assert not isinstance(item.content, Table)
        assert drawn.one("desc").text() == item.content.alt


def test_references_lead_to_what_they_name(workshop: Workshop) -> None:
    document = workshop.document()
    found = pages(document, workshop)
    links = [link for page in found.values() for link in page.all("a", of="ref")]
    assert [link.text() for link in links] == ["Table 1", "Figure 1", "Section 2"]
    table, figure, section = (link.attributes["href"] for link in links)
    assert table == "layers.html#architecture.vgg19/layers"
    assert figure == "layers.html#architecture.vgg19/memory"
    assert section == "training.html"


def test_sections_and_subsections_are_numbered_as_in_print(workshop: Workshop) -> None:
    workshop.section(
        "deep", "# Deep\n\n## One\n\n### Inner\n\n## Two\n\n### First\n\n## Free {.unnumbered}\n"
    )
    found = pages(workshop.document("layers", "deep"), workshop)
    headings = [
        squeezed(node.text()) for node in found["deep"].one("main") if re.fullmatch("h[1-6]", node.tag)
    ]
    assert headings == ["2 Deep", "2.1 One", "2.1.1 Inner", "2.2 Two", "2.2.1 First", "Free"]
    contents = found["deep"].one("nav", of="side").one("ol", of="contents")
    assert [squeezed(link.text()) for link in contents.all("a")] == [
        "1 Layers & memory", "2 Deep", "2.1 One", "2.2 Two", "Free", "A Where the numbers come from",
    ]  # fmt: skip
    assert [squeezed(link.text()) for link in contents.all("a", **{"aria-current": "page"})] == ["2 Deep"]


def test_bold_words_that_begin_paragraphs_are_contents_where_no_heading_is(workshop: Workshop) -> None:
    text = "# Deep\n\n**Data.** We count.\n\nNo **bold** begins it.\n\n**Does it hold?** It does.\n"
    workshop.section("deep", text)
    workshop.section("both", text.replace("Deep", "Both") + "\n## A heading\n")
    found = pages(workshop.document("deep", "both"), workshop)
    contents = found["deep"].one("nav", of="side").one("ol", of="contents").one("ol")
    assert [link.text() for link in contents.all("a")] == ["Data", "Does it hold?"]
    first = contents.all("a")[0].attributes["href"].removeprefix("#")
    assert found["deep"].one("main").one(id=first).text() == "Data."
    assert found["both"].one("main").all("span", of="run-in") == []


def test_arithmetic_stands_beside_numbers_and_totals_in_the_foot(workshop: Workshop) -> None:
    drawn = pages(workshop.document(), workshop)["layers"].one("div", id="architecture.vgg19/layers")
    first = drawn.one("tbody").all("tr")[1]
    assert [small.text() for small in first.all("small")] == ["224·224·64", "(3·3·3)·64"]
    assert [number.attributes["data-value"] for number in first.all("td", of="n")] == ["3211264", "1728"]
    total = drawn.one("tfoot").one("tr")
    assert [part.text() for part in total if part.tag in ("th", "td")] == [
        "TOTAL", "", "", "16,542,184", "143,652,544",
    ]  # fmt: skip
    assert "TOTAL" not in drawn.one("tbody").text()


def test_a_partial_row_is_a_lower_bound_and_says_what_it_leaves_out(workshop: Workshop) -> None:
    page = pages(workshop.document(), workshop)["training"]
    drawn = page.one("div", id="architecture.vgg19/awkward")
    assert drawn.all("tr")[1].one("td").text() == "≥ 12"
    mark = drawn.all("tr")[1].one("sup").one("a")
    note = page.one("p", id=unquote(mark.attributes["href"].removeprefix("#")))
    assert note.text() == "a Without attention: the numbers of this row are lower bounds."


def test_the_page_of_a_result_shows_intervals_bounds_findings_and_provenance(workshop: Workshop) -> None:
    page = parse(html.write_result(vgg19(), workshop.templates)["results/architecture.vgg19.html"])
    accuracy = page.one("tr", id="architecture.vgg19/accuracy")
    assert accuracy.one("td", of="n").text() == "0.7124 [0.7081, 0.7169]"
    assert "95% interval, n = 5" in accuracy.text()
    partial = page.one("tr", id="architecture.vgg19/known_operations")
    assert partial.one("td", of="n").text() == "≥ 1,200"
    assert "without attention and pooling" in partial.text()
    finding = page.one("li", id="architecture.vgg19/finding:dense_holds_most")
    assert finding.text().startswith("Holds. The first dense layer holds most weights.")
    assert finding.one("a").attributes["href"] == "#architecture.vgg19/total_weights"
    facts = page.one("dl", of="facts").text()
    for fact in ("89abcdef" * 5, "fedcba9876543210" * 4, "torch 2.15.0", "CIFAR-10", "a" * 64):
        assert fact in facts


def test_a_finding_on_many_metrics_of_one_kind_names_the_kind_and_their_number(workshop: Workshop) -> None:
    known = vgg19()
    metric = known.metrics["accuracy"]
    many = {f"factor/{number}/difference": metric for number in range(9)}
    finding = known.findings["dense_holds_most"].model_copy(
        update={"metrics": (*many, "accuracy", "factor/0/p"), "sentences": {}}
    )
    result = known.model_copy(
        update={"metrics": known.metrics | many | {"factor/0/p": metric}, "findings": {"some": finding}}
    )
    page = parse(html.write_result(result, workshop.templates)["results/architecture.vgg19.html"])
    rests = page.one("li", id="architecture.vgg19/finding:some").one("small")
    assert rests.text() == "Rests on factor/…/difference (9), accuracy, factor/0/p"
    assert [link.attributes["href"] for link in rests.all("a")] == [
        f"#architecture.vgg19/{name}" for name in ("factor/0/difference", "accuracy", "factor/0/p")
    ]


def test_the_page_of_a_result_leads_back_to_the_sections_that_print_it(workshop: Workshop) -> None:
    files = site(workshop.document(), workshop.templates)
    page = parse(files["results/architecture.vgg19.html"])
    links = page.one("ul", of="printed").all("a")
    assert [(link.attributes["href"], link.text()) for link in links] == [
        ("../small/layers.html", "1 Layers & memory"),
        ("../small/training.html", "2 Training"),
    ]
    assert "Table 1 and Figure 1" in page.one("ul", of="printed").all("small")[0].text()


def test_a_result_can_be_loaded_from_the_site(workshop: Workshop, tmp_path: Path) -> None:
    files = html.write_result(vgg19(), workshop.templates)
    store = Store(tmp_path / "downloaded")
    path = store.path("architecture.vgg19", "full")
    path.parent.mkdir(parents=True)
    path.write_bytes(files["results/architecture.vgg19.json"])
    assert store.read("architecture.vgg19", "full") == vgg19()


def test_csv_holds_every_row_with_arithmetic_totals_and_what_is_left_out() -> None:
    tables = vgg19().tables
    rows = list(csv.DictReader(io.StringIO(table_csv(tables["layers"]))))
    assert [row["row"] for row in rows].count("total") == 1
    for row in rows:
        if row["weights_arithmetic"]:
            assert eval(row["weights_arithmetic"].replace("·", "*")) == int(row["weights"])
    assert rows[1]["layer"] == "CONV3-64" and rows[1]["activations_arithmetic"] == "224·224·64"
    bounds = list(csv.DictReader(io.StringIO(table_csv(tables["awkward"]))))
    assert [row["leaves_out"] for row in bounds] == ["attention", ""]
    assert [row["weights"] for row in bounds] == ["12", "-3"]


def test_an_estimate_is_one_cell_that_sorts_by_its_value_and_three_columns_of_a_file() -> None:
    table = trained().tables["results"]
    rows = drawn_table(table).one("tbody").all("tr")
    cells = [row.all("td", of="n")[1] for row in rows]
    assert [cell.attributes["data-value"] for cell in cells] == ["0.712", "0.8", "0.79"]
    assert [squeezed(cell.text()) for cell in cells] == ["71.2 [69.2, 73.2]", "80.0 [79.0, 81.0]", "79.0"]
    assert [bool(cell.all("b")) for cell in cells] == [False, True, True]
    assert len({len(cell.text()) for cell in cells}) == 1
    lines = table_csv(table).splitlines()
    assert lines[0] == "network,images,test,test_low,test_high"
    assert lines[2].startswith("Deep,100,0.8,0.79,") and lines[3] == "Wide,100,0.79,,"


def test_notes_below_a_table_are_those_of_the_pdf() -> None:
    notes = [note.text() for note in drawn_table(trained().tables["results"]).all("p", of="note")]
    assert notes[0] == "Brackets are 95% confidence intervals over three seeds."
    assert notes[1] == "A value of one seed has no interval." and notes[2].startswith(
        "Bold (Test): the highest value"
    )


def test_the_page_of_a_result_has_sentences_p_values_and_what_intervals_are_over(workshop: Workshop) -> None:
    page = parse(html.write_result(trained(), workshop.templates)["results/classification.trained.html"])
    finding = page.one("li", id="classification.trained/finding:normalisation")
    assert "(p = 0.012)" in finding.text()
    assert (
        finding.one("q").text() == "It raises accuracy by +5.0 percentage points (95% CI 3.0–7.0) *at once*."
    )
    assert "95% interval over seeds, n = 3" in page.one("tr", id="classification.trained/gain").text()


def test_a_parameter_leads_to_the_parameters_of_its_result(workshop: Workshop) -> None:
    workshop.section("new", '# New\n\n{{ parameter("classification.trained/faces/size") }}\n')
    document = workshop.document("new")
    link = pages(document, workshop)["new"].one("a", of="value")
    assert link.attributes["href"] == "../results/classification.trained.html#parameters"
    assert link.attributes["title"].startswith("classification.trained/parameter:faces/size · full")
    result = parse(html.write_result(trained(), workshop.templates)["results/classification.trained.html"])
    assert "faces" in result.one("details", id="parameters").text()


def test_csv_of_a_table_with_a_path_for_a_name_stays_in_its_folder() -> None:
    path = downloads.csv_path("some.analysis", "a/../../b")
    assert path.count("/") == 1
    assert path != downloads.csv_path("some.analysis", "a-..-..-b")


def test_a_figure_can_be_had_as_drawing_and_as_numbers(workshop: Workshop) -> None:
    files = site(workshop.document("layers", "training"), workshop.templates)
    folder = "results/architecture.vgg19/figures"
    drawn = files[f"{folder}/curves.svg"].decode()
    assert parse(drawn).one("svg").attributes["xmlns"] == "http://www.w3.org/2000/svg"
    assert files[f"{folder}/curves.pdf"].startswith(b"%PDF")
    rows = list(csv.DictReader(io.StringIO(files[f"{folder}/curves.csv"].decode())))
    curves = vgg19().figures["curves"]
    assert isinstance(curves, Chart)
    assert [float(row["y0"]) for row in rows] == list(curves.series[0].y)
    links = (
        parse(files["small/training.html"])
        .one("div", id="architecture.vgg19/curves")
        .all("p", of="files")[-1]
    )
    assert [link.text() for link in links.all("a")] == ["SVG", "PDF", "CSV", "JSON", "Where it comes from"]
    assert links.all("a")[-1].attributes["href"].endswith(".html#architecture.vgg19/figure:curves")


def test_a_study_is_cited_with_its_commit_and_its_address(workshop: Workshop) -> None:
    document = workshop.document()
    at = replace(document, study=replace(document.study, address="https://example.org/small"))
    page = parse(html.write_document(at, workshop.templates)["small/index.html"])
    entry = page.one("pre", of="bibtex").text()
    assert "url    = {https://example.org/small/index.html}" in entry and "commit 89abcdef" in entry
    metas = {node.attributes.get("property"): node.attributes.get("content") for node in page.all("meta")}
    assert metas["og:url"] == "https://example.org/small/index.html"
    assert metas["og:title"] == document.study.title
    assert str(metas["og:description"]).startswith("We count VGG-19")
    cited = {node.attributes.get("name"): node.attributes.get("content") for node in page.all("meta")}
    assert cited["citation_title"] == document.study.title
    assert cited["citation_author"] == document.study.authors[-1]
    assert str(cited["citation_publication_date"]) in entry


def test_a_study_with_an_address_is_shared_with_its_figure(workshop: Workshop) -> None:
    document = workshop.document()
    study = replace(document.study, address="https://example.org/small", figure="architecture.vgg19/memory")
    files = html.write_document(replace(document, study=study), workshop.templates)
    figure = vgg19().figures["memory"]
    for name in ("index", "layers"):
        page = parse(files[f"small/{name}.html"])
        metas = {node.attributes.get("property"): node.attributes.get("content") for node in page.all("meta")}
        assert metas["og:image"] == "https://example.org/small/share.png"
        assert metas["og:image:alt"] == figure.alt
    assert files["small/share.png"].startswith(b"\x89PNG")
    here = html.write_document(replace(document, study=replace(study, address="")), workshop.templates)
    assert "small/share.png" not in here and b"og:image" not in here["small/index.html"]


def test_a_study_shows_the_columns_it_selects_in_its_order(workshop: Workshop) -> None:
    workshop.section(
        "chosen", '# Chosen\n\n{{ table("architecture.vgg19/layers", columns=["weights", "layer"]) }}\n'
    )
    page = pages(workshop.document("chosen"), workshop)["chosen"]
    heads = [head.text() for head in page.one("thead").all("th")]
    assert heads == ["Weights", "Layer"]


def test_pictures_are_files_beside_the_page_and_loaded_when_they_come_into_sight(workshop: Workshop) -> None:
    files = html.write_document(workshop.document(), workshop.templates)
    drawing = parse(files["small/training.html"]).one("figure", **{"data-kind": "pictures"}).one("svg")
    shown = drawing.all("img")
    assert len(shown) == 2
    for picture in shown:
        address = picture.attributes["src"]
        assert files[f"small/{address}"] == base64.b64decode(PNG)
        asked = {name: picture.attributes[name] for name in ("loading", "width", "height")}
        assert asked == {"loading": "lazy", "width": "48", "height": "48"}
    assert b"base64" not in files["small/training.html"].partition(b"</head>")[2]
    assert f"results/{address}" in html.write_result(vgg19(), workshop.templates)


def test_a_heatmap_of_many_cells_is_a_picture_too(tmp_path: Path) -> None:
    side = range(60)
    heatmap = Heatmap(
        caption="Many cells.",
        alt="A slope.",
        x=Axis(label="x"),
        y=Axis(label="y"),
        values=tuple(tuple(float(i + j) for j in side) for i in side),
        value_label="sum",
    )
    result = vgg19().model_copy(update={"figures": {"many": heatmap}})
    files = html.write_result(result)
    (picture,) = parse(files["results/architecture.vgg19.html"]).all("img")
    assert files[f"results/{picture.attributes['src']}"].startswith(b"\x89PNG")


def test_a_missing_result_costs_its_section_and_the_rest_is_there(workshop: Workshop) -> None:
    workshop.section("lost", '# Lost\n% do about("no.such")\n\n{{ value("metric") }}\n')
    document = workshop.document("layers", "lost")
    found = pages(document, workshop)
    notice = found["lost"].one("div", of="missing")
    assert "python runner.py run no.such" in squeezed(notice.text())
    assert "section lost" in found["index"].one("div", of="missing").text()
    assert found["layers"].all("a", of="value")


def test_quick_results_are_named_on_the_page(workshop: Workshop) -> None:
    quick = vgg19().model_copy(update={"profile": "quick"})
    workshop.store.path("architecture.vgg19", "full").unlink()
    workshop.store.write(quick)
    found = pages(workshop.document(), workshop)
    assert "quick profile" in found["layers"].one("div", of="quick").text()
    assert "· quick ·" in found["layers"].all("a", of="value")[0].attributes["title"]
    result = parse(html.write_result(quick, workshop.templates)["results/architecture.vgg19.html"])
    assert "--profile full" in result.one("div", of="notice").text()


def test_numbers_of_the_literature_say_where_they_were_typed(workshop: Workshop) -> None:
    number = pages(workshop.document(), workshop)["layers"].one("span", of="quoted")
    assert number.text() == "60"
    assert number.attributes["title"].endswith("alexnet_parameters in published.toml")


def test_mathematics_is_mathml_and_prose_tables_need_no_style(workshop: Workshop) -> None:
    workshop.section(
        "prose",
        "# Prose\n\n$$\\frac{1}{2}$$\n\n$$\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}$$\n\n"
        "| a | b |\n|--:|:-:|\n| x | "
        '{{ value("architecture.vgg19/total_weights") }} |\n\n``` python\nx = "style"\n```\n',
    )
    page = pages(workshop.document("prose"), workshop)["prose"]
    assert page.all("span", of="equation")[0].one("mfrac")
    assert page.all("mtd")[0].attributes["columnalign"] == "right"
    assert page.one("div", of="scroll").one("a", of="value").text() == "143,652,544"
    assert page.one("pre").text() == 'x = "style"'
    assert not [node for node in page if "style" in node.attributes]


def test_references_stand_at_the_end_of_pages_that_cite(workshop: Workshop) -> None:
    found = pages(workshop.document(), workshop)
    entries = found["layers"].one("section", of="literature").all("div", of="csl-entry")
    assert [entry.attributes["id"] for entry in entries] == ["ref-krizhevsky2012"]
    assert found["layers"].all("a", href="#ref-krizhevsky2012")
    assert not found["training"].all("section", of="literature")
    assert found["training"].one("section", id="footnotes")


def test_the_first_page_of_a_study_has_abstract_contents_pdf_facts_and_citation(workshop: Workshop) -> None:
    document = workshop.document()
    page = parse(
        html.write_document(document, workshop.templates, {"PDF": "../small.pdf"})["small/index.html"]
    )
    assert page.one("h1").text() == "A small study of VGG-19 & others"
    assert page.one("p", of="authors").text() == "Ada Łukasz and Émile Жук"
    assert "It has 143,667,240 parameters." in squeezed(page.one("section", of="abstract").text())
    assert page.all("a", href="../small.pdf")
    assert "89abcdef" in page.one("dl", of="facts").text()
    assert "author = {Ada Łukasz and Émile Жук}" in page.one("pre").text()
    without = parse(html.write_document(document, workshop.templates)["small/index.html"])
    assert not [link for link in without.all("a") if link.attributes["href"].endswith(".pdf")]


def test_the_same_input_in_another_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("first", "another folder"):
        workshop = open_workshop(tmp_path / name)
        html_views._svg.cache_clear()
        made.append(site(workshop.document(), workshop.templates))
    assert made[0] == made[1]


def test_a_drawing_that_was_kept_is_not_made_again(workshop: Workshop, tmp_path: Path) -> None:
    document, folder = workshop.document(), tmp_path / "drawings"
    first = html.write_document(document, workshop.templates, drawings=folder)
    kept = {file: file.stat().st_ino for file in folder.glob("*.svg")}
    assert len(kept) == 5
    assert first == html.write_document(document, workshop.templates)
    html_views._svg.cache_clear()
    assert first == html.write_document(document, workshop.templates, drawings=folder)
    assert kept == {file: file.stat().st_ino for file in folder.glob("*.svg")}
    min(kept).write_text('<svg viewBox="0 0 1 1"><title>altered</title></svg>')
    html_views._svg.cache_clear()
    assert first == html.write_document(document, workshop.templates, drawings=folder)


def test_the_site_is_sound_small_and_loads_nothing_from_outside(workshop: Workshop, tmp_path: Path) -> None:
    files = site(workshop.document(), workshop.templates, pdf="small.pdf")
    folder = put({**files, "small.pdf": b"%PDF"}, tmp_path / "site")
    assert check_site(folder) == []
    assert len(files["assets/site.js"]) < 60_000
    assert len(files["assets/site.css"]) < 30_000


def test_tables_make_a_page_that_needs_no_other_file(tmp_path: Path) -> None:
    content = html.table_page("VGG <19> & more", vgg19().tables.values())
    page = parse(content)
    assert page.one("h1").text() == "VGG <19> & more"
    assert len(page.all("table")) == 2
    assert not page.all("link", rel="stylesheet")
    assert "src" not in page.one("script").attributes
    assert check_site(put({"alone.html": content}, tmp_path)) == []


@pytest.mark.parametrize(("study", "section"), [("results", "layers"), ("small", "index")])
def test_names_that_the_site_uses_itself_are_refused(workshop: Workshop, study: str, section: str) -> None:
    workshop.section("index", "# Index\n\nText.\n")
    document = workshop.document("layers", section) if section != "layers" else workshop.document()
    renamed = replace(document, study=replace(document.study, id=study))
    with pytest.raises(html.SiteError, match="rename"):
        html.write_document(renamed, workshop.templates)


def drawn_table(table: Table) -> Node:
    """A table as a page draws it."""
    return parse(str(html._parts(TEMPLATES).table(table_view(Item("table", 7, "an.analysis/t", table, "s")))))


def test_a_long_name_of_code_may_break_after_its_separators() -> None:
    column = Column(key="k", label="Name", type="code", format="")
    row = Row(cells={"k": "architecture.<b>&_networks/total_parameters"})
    code = drawn_table(Table(caption="c", columns=(column,), rows=(row,), notes=())).one("code")
    assert code.text() == row.cells["k"]
    assert len(code.all("wbr")) == 3


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1) | st.just(AWKWARD))
def test_any_text_comes_through(text: str) -> None:
    column = Column(key="k", label=text, type="text", format="")
    row = Row(cells={"k": text}, arithmetic={"k": text}, partial=(text,))
    node = drawn_table(Table(caption=text, columns=(column,), rows=(row,), notes=(text,)))
    assert node.one("caption").text() == f"Table 7. {text}"
    assert node.one("thead").one("th").text() == text
    assert node.one("tbody").one("th").text(without=("small", "sup")) == text
    assert node.one("small").text() == text
    assert [note.text() for note in node.all("p", of="note")] == [
        text,
        f"a Without {text}: the numbers of this row are lower bounds.",
    ]


def long_table() -> Table:
    return Table(
        caption="Long",
        columns=(
            Column(key="name", label="Name", type="code"),
            Column(key="size", label="Size", type="integer"),
        ),
        rows=tuple(Row(cells={"name": f"row <{n}>", "size": 1000 * n}) for n in range(700)),
    )


def test_a_page_has_the_first_rows_of_a_long_table_and_a_script_beside_it_the_others(tmp_path) -> None:
    result = vgg19().model_copy(update={"tables": {"long-rows": long_table()}, "figures": {}})
    files = html.write_result(result) | html.write_assets()
    page = parse(files["results/architecture.vgg19.html"])
    block = page.one("div", of="table", id="architecture.vgg19/table:long-rows")
    assert len(block.one("tbody").all("tr")) == 600
    assert block.one("p", of="first").text() == (
        "These are the first 600 of 700 rows; the files below have all of them."
    )
    script = files[f"results/{unquote(block.attributes['data-rows'])}"].decode()
    rows = json.loads(script.partition(" = ")[2].rstrip(";\n"))
    assert len(rows) == 100 and rows[-1] == ["row <699>", "699,000"]
    folder = put(files, tmp_path)
    assert not [problem for problem in check_site(folder) if "rows" in problem]
    (folder / "results" / unquote(block.attributes["data-rows"])).unlink()
    assert any("which is not there" in problem for problem in check_site(folder))


def test_a_page_of_tables_alone_has_every_row() -> None:
    page = parse(html.table_page("Long", [long_table()]))
    assert len(page.one("tbody").all("tr")) == 700
    assert not page.all("p", of="first")

"""The first page: studies in reading order, each with its abstract, its number and a figure in small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from report import html, html_home, printed
from report.study import StudyError, load
from report.thumbnails import NotSmall, thumbnail
from tests.report.conftest import Workshop, trained, vgg19
from tests.report.pages import Node, parse


def pages_of(workshop: Workshop) -> dict[str, bytes]:
    files = html.write_document(workshop.document("layers", "training", "trained"), workshop.templates)
    return {path: content for path, content in files.items() if path.endswith(".html")}


def first_page(workshop: Workshop, **keys: str) -> tuple[Node, list[str]]:
    study = replace(workshop.study("layers", "training", "trained"), **keys)
    results = [vgg19(), trained().model_copy(update={"profile": "quick"})]
    cards, problems = html_home.cards([study], {study.id: "small.pdf"}, pages_of(workshop), results)
    return parse(html.write_index(cards, results, "89abcdef", workshop.templates)["index.html"]), problems


def test_a_study_has_its_abstract_its_number_with_interval_and_a_small_figure(workshop: Workshop) -> None:
    page, problems = first_page(
        workshop, headline="architecture.vgg19/accuracy", figure="architecture.vgg19/curves"
    )
    assert problems == []
    card = page.one("ul", of="studies").one("li")
    assert card.one("a", of="big").text() == "0.7124"
    assert (
        card.one("a", of="big").attributes["href"]
        == "results/architecture.vgg19.html#architecture.vgg19/accuracy"
    )
    assert card.one("span", of="ci").text() == "95% [0.7081, 0.7169]"
    drawing = card.one("svg", of="small")
    assert drawing.one("title").text() == vgg19().figures["curves"].alt
    assert len(drawing.all("path", of="line")) == 2 * 3
    link = card.one("div", of="text").one("a", of="value")
    assert link.text() == "143,667,240"
    assert link.attributes["href"] == "results/architecture.vgg19.html#architecture.vgg19/total_parameters"
    assert "89abcdef" in page.one("p", of="foot").text()


@pytest.mark.parametrize(
    ("style", "value", "interval"),
    [
        (" as percent", "71.2%", "95% CI 70.8–71.7"),
        (" as points", "+71.2", "percentage points, 95% CI 70.8–71.7"),
        (" as .3f", "0.712", "95% CI 0.708–0.717"),
    ],
)
def test_the_number_is_printed_as_the_study_says(
    workshop: Workshop, style: str, value: str, interval: str
) -> None:
    page, problems = first_page(workshop, headline=f"architecture.vgg19/accuracy{style}")
    card = page.one("ul", of="studies").one("li")
    assert problems == [] and card.one("a", of="big").text() == value
    assert card.one("span", of="ci").text() == interval


def test_a_number_without_an_interval_is_printed_as_the_study_says(workshop: Workshop) -> None:
    page, _ = first_page(workshop, headline="architecture.vgg19/total_weights as .1f")
    card = page.one("ul", of="studies").one("li")
    assert (card.one("a", of="big").text(), card.one("span", of="ci").text()) == ("143652544.0", "exact")


def test_results_that_are_not_of_the_full_profile_are_named(workshop: Workshop) -> None:
    page, _ = first_page(workshop)
    notice = page.one("p", of="notice")
    assert notice.text() == "Not of the full profile: classification.trained (quick)."
    assert notice.one("a").attributes["href"] == "results/classification.trained.html"


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"headline": "architecture.vgg19/acuracy"}, "has no such metric"),
        ({"headline": "no.such/metric"}, "is of a result that is missing; `python runner.py run no.such`"),
        ({"figure": "architecture.vgg19/curve"}, "has no such figure"),
        ({"figure": "architecture.vgg19/boxes"}, "a pictures has no small form"),
    ],
)
def test_what_a_study_names_and_is_not_there_is_said(
    workshop: Workshop, keys: dict[str, str], problem: str
) -> None:
    _, (found,) = first_page(workshop, **keys)
    assert "small.toml: " in found and problem in found


@pytest.mark.parametrize(
    "line",
    [
        'headline = "accuracy"',
        'headline = "a.b/c as %"',
        'figure = "a.b"',
        'address = "example.org"',
        "order = 0",
    ],
)
def test_a_key_of_another_form_is_refused_by_name(workshop: Workshop, line: str) -> None:
    source = workshop.study().source
    assert source
    source.write_text(f"{line}\n{source.read_text('utf-8')}", "utf-8")
    with pytest.raises(StudyError, match=f"{line.partition(' ')[0]} must be"):
        load(source, workshop.templates)


def test_studies_come_in_their_order_and_then_by_title(workshop: Workshop) -> None:
    study = workshop.study()
    others = [("b", None), ("c", 2), ("a", None), ("d", 1)]
    studies = [replace(study, title=title, order=order) for title, order in others]
    assert [one.title for one in html_home.reading_order(studies)] == ["d", "c", "a", "b"]


def test_bars_are_as_long_as_their_values() -> None:
    drawing = parse(str(thumbnail(trained().figures["changes"])))
    assert len(drawing.all("circle")) == 3
    bars = parse(str(thumbnail(vgg19().figures["memory"]))).all("rect")
    assert len(bars) == 2 * 6
    assert all(0 < float(bar.attributes["width"]) < 300 for bar in bars)
    with pytest.raises(NotSmall):
        thumbnail(vgg19().figures["confusion"])


def test_the_sections_that_print_a_result_are_known_with_their_items(workshop: Workshop) -> None:
    places = printed.places([workshop.study("layers", "training", "trained")], pages_of(workshop))
    assert [(place.href, place.title, place.labels) for place in places["architecture.vgg19"]] == [
        ("../small/layers.html", "1 Layers & memory", ("Table 1", "Figure 1")),
        ("../small/training.html", "2 Training", ("Figure 2", "Table 2", "Figure 3", "Figure 4", "Figure 5")),
    ]

"""The index names every section, table, figure, result and metric once, and every word of them."""

from __future__ import annotations

import base64
import json
import zlib
from itertools import accumulate
from typing import Any
from urllib.parse import unquote

import pytest

from report import html, search_index
from tests.report.conftest import Workshop, trained, vgg19
from tests.report.pages import parse, site


def index_of(script: bytes) -> dict[str, Any]:
    packed = script.removeprefix(b'window.searchIndex="').removesuffix(b'";\n')
    loaded: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return loaded


def places_with(index: dict[str, Any], word: str) -> list[str]:
    """The titles of the places that have the word beside their titles."""
    for line in index["words"].split("\n"):
        known, *gaps = line.split(" ")
        if known == word:
            return [index["places"][number][3] for number in accumulate(map(int, gaps))]
    return []


def test_every_section_item_result_and_metric_is_a_place_and_its_address_leads_there(
    workshop: Workshop,
) -> None:
    document = workshop.document("layers", "training")
    files = site(document, workshop.templates)
    index = index_of(files["assets/search.js"])
    metrics = [place for place in index["places"] if len(place) == 3]
    assert {name: title for _, name, title in metrics} == {
        name: metric.title for name, metric in vgg19().metrics.items()
    }
    others = [place for place in index["places"] if len(place) == 5]
    kinds = [place[1] for place in others]
    assert len(metrics) == len(vgg19().metrics)
    assert kinds.count("Section") == 3 and kinds.count("Study") == kinds.count("Result") == 1
    labels = [item.label for item in document.items.values()]
    assert sorted(kind for kind in kinds if kind[-1].isdigit()) == sorted(labels)
    addresses = [(index["studies"][place[0]][1] + place[2]).partition("#") for place in others]
    addresses += [
        (f"results/{index['results'][number]}.html", "#", f"{index['results'][number]}/{name}")
        for number, name, _ in metrics
    ]
    for path, _, fragment in addresses:
        page = parse(files[path])
        assert not fragment or page.all(id=unquote(fragment)), fragment


def test_words_of_prose_and_of_cells_lead_to_their_place_and_numbers_of_cells_do_not(
    workshop: Workshop,
) -> None:
    index = index_of(site(workshop.document("layers", "training"), workshop.templates)["assets/search.js"])
    assert places_with(index, "footnote") == ["2 Training"]
    assert "VGG-19, layer by layer, without biases." in places_with(index, "conv3")
    assert "Confusion of three classes." in places_with(index, "aeroplane")
    assert places_with(index, "542") == []  # of a cell of numbers


def test_a_section_of_several_studies_is_indexed_with_the_first(workshop: Workshop) -> None:
    document = workshop.document("layers", "training")
    pages = {
        path: content
        for path, content in html.write_document(document, workshop.templates).items()
        if path.endswith(".html")
    }
    other = document.study.__class__(**{**vars(document.study), "id": "whole", "title": "All of it"})
    pages |= {path.replace("small/", "whole/"): content for path, content in pages.items()}
    index = index_of(search_index.write([document.study, other], pages, [vgg19(), trained()]))
    sections = [place for place in index["places"] if place[1] == "Section"]
    assert [place[0] for place in sections if place[3] == "1 Layers & memory"] == [0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Émile’s VGG-19: 3.2 MACs", ["emile", "s", "vgg", "19", "3.2", "macs"]),
        ("architecture.vgg19/total_weights", ["architecture", "vgg19", "total", "weights"]),
        ("3×3 and α_β", ["3", "3", "and", "α", "β"]),
    ],
)
def test_words_are_small_and_without_accents(text: str, words: list[str]) -> None:
    assert search_index.words(text) == words


def test_what_is_shown_of_a_page_is_the_beginning_of_its_text(workshop: Workshop) -> None:
    index = index_of(site(workshop.document("layers"), workshop.templates)["assets/search.js"])
    shown = {place[1]: place[4] for place in index["places"] if len(place) == 5}
    assert shown["Study"].startswith("We count VGG-19 (Simonyan and Zisserman 2015). It has 143,667,240")

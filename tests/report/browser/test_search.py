"""The search of a section of ours and of every recorded result finds what a reader asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from report import html
from report.prose import compose
from report.site_checks import LARGEST_INDEX
from report.study import load
from results.store import Store
from tests.report.conftest import TEMPLATES
from tests.report.pages import put

HEADROOM = 0.8  # of the limit
#: What is typed → the beginning of one of the places that are shown.
ASKED = {
    "soft-nms": "Section 1 Measuring a detector",
    "Everingham": "Section 1 Measuring a detector",
    "iou cat": "Table 2 Detections of the class cat",
    "non-maximum suppression": "Result Non-maximum suppression on an example",
    "anchor": "Table How the three outputs of the network for an anchor become a box",
    "smooth l1": "Metric Smooth L1 loss of the positive cells' boxes",
    "bootstrap": "Figure Receiver operating characteristic (ROC)",
    "vgg": "Result Activations and parameters of VGG-19",
    "vgg-19 weights": "Metric Weights of VGG-19, without biases",
    "144 million": "Table Claimed numbers beside computed ones",
    "alexnet param": "Result Parameters of AlexNet",
    "siamese": "Result Siamese networks on the AT&T faces",
    "mobilenet_v2": "Table Every row of the table",
    "efficientnet": "Figure All filters of the first layer of EfficientNet-Lite0",
    "holm": "Figure Change of validation accuracy when one choice of the detector",
    "largest_saving": "Metric Largest saving among GoogLeNet",
    "architecture.inception/saving": "Metric How many times fewer multiply–accumulates",
    "teacher": "Result Teacher and student",
    "labeled faces": "Result Labeled Faces in the Wild",
    "guided backpropagation": "Figure Guided backpropagation",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(TEMPLATES.parent / "results")
    study = load(TEMPLATES / "studies" / "detection.toml", TEMPLATES)
    study = replace(study, sections=("measuring-detection",))
    pages = html.write_document(compose(study, TEMPLATES, store), TEMPLATES)
    texts = {path: content for path, content in pages.items() if path.endswith(".html")}
    results = [store.read(name, profile) for name, profile in store.recorded() if profile == "full"]
    index = html.write_search([study], texts, results)
    return put({**texts, **index, **html.write_assets()}, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def found(chromium: Any, folder: Path) -> Iterator[Any]:
    page = chromium.new_page()
    page.goto((folder / "detection" / "index.html").as_uri())
    page.keyboard.press("/")
    dialog = page.get_by_role("dialog", name="Search")
    dialog.get_by_text("places: sections").wait_for()

    def asked(words: str) -> list[str]:
        dialog.get_by_role("combobox").fill(words)
        return [" ".join(one.split()) for one in dialog.get_by_role("option").all_inner_texts()]

    yield asked
    page.close()


def test_the_index_leaves_room_for_more_results(folder: Path) -> None:
    assert (folder / "assets" / "search.js").stat().st_size < HEADROOM * LARGEST_INDEX


def test_twenty_questions_find_their_places(found: Any) -> None:
    shown = {words: found(words) for words in ASKED}
    missed = {
        words: shown[words]
        for words, place in ASKED.items()
        if not any(one.startswith(place) for one in shown[words])
    }
    assert missed == {} and len(ASKED) == 20
    assert found("Münster") == found("no such word") == []

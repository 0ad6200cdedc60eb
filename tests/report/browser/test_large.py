"""Drawings open large, footnotes stand beside the text, and headings lead to their source."""

from __future__ import annotations

from typing import Any

import pytest

#: The size of the smallest letter of a drawing, in pixels of the window.
LETTERS = """(plot) => Math.min(...[...plot.querySelectorAll("text")].map((text) => {
  const { a, b } = text.getScreenCTM();
  return Math.hypot(a, b) * parseFloat(getComputedStyle(text).fontSize);
}))"""
CHART = "[id='architecture.vgg19/curves']"
HEATMAP = "[id='architecture.vgg19/confusion']"


def test_a_chart_opens_large_by_keyboard_and_is_read_there(show: Any) -> None:
    page = show("small/training.html")
    button = page.get_by_role("button", name="Enlarge Figure 2")
    before = page.locator(f"{CHART} .plot svg").bounding_box()
    place = page.evaluate("document.documentElement.scrollHeight")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Enlarge Figure 2")
    assert dialog.get_by_role("button", name="Close").evaluate("(one) => one === document.activeElement")
    large = dialog.locator(".plot svg").bounding_box()
    assert large["width"] > 1.2 * before["width"] and large["height"] <= 900
    assert abs(page.evaluate("document.documentElement.scrollHeight") - place) <= 4
    dialog.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    assert dialog.locator("output").inner_text().startswith("Epoch 2: training (nats) 1.35 ")
    page.keyboard.press("Escape")
    page.locator(f"{CHART} > figure > .plot").wait_for()
    assert not dialog.is_visible() and button.evaluate("(one) => one === document.activeElement")
    after = page.locator(f"{CHART} .plot svg").bounding_box()
    assert (after["x"], after["width"], after["height"]) == (before["x"], before["width"], before["height"])


@pytest.mark.parametrize("figure", [CHART, HEATMAP, "[id='architecture.vgg19/memory']"])
def test_a_click_opens_and_a_click_beside_it_closes(show: Any, figure: str) -> None:
    page = show("small/layers.html" if "memory" in figure else "small/training.html")
    page.locator(f"{figure} .plot svg").click()
    dialog = page.locator("dialog.large")
    assert dialog.is_visible() and dialog.locator("figcaption").is_visible()
    page.mouse.click(2, 2)
    page.locator(f"{figure} > figure > .plot").wait_for()
    assert not dialog.is_visible()


def test_a_tap_reads_a_chart_and_its_button_opens_it_with_letters_that_can_be_read(show: Any) -> None:
    page = show("small/training.html", width=390, has_touch=True)
    page.locator(f"{CHART} .plot svg").tap()
    assert page.locator(f"{CHART} output").inner_text().startswith("Epoch ")
    assert page.locator("dialog.large[open]").count() == 0
    page.locator(f"{HEATMAP} .enlarge").tap()
    assert page.locator("dialog.large .plot").evaluate(LETTERS) >= 11.9
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_what_is_printed_while_it_is_large_is_in_its_place(show: Any) -> None:
    page = show("small/training.html")
    page.get_by_role("button", name="Enlarge Figure 2").click()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.locator(f"{CHART} > figure > .plot svg").wait_for()


def test_footnotes_stand_beside_the_text_where_there_is_room(show: Any) -> None:
    page = show("small/training.html", width=1280)
    link = page.locator("a[role=doc-noteref]")
    note, text = page.get_by_role("note").first, page.locator("main > p").first
    assert note.inner_text().startswith("1 A footnote, with code_x and a link.")
    beside, at, right = note.bounding_box(), link.bounding_box(), text.bounding_box()
    assert beside["x"] > right["x"] + right["width"] and beside["x"] + beside["width"] <= 1280
    assert abs(beside["y"] - at["y"]) < 60
    assert not page.locator(".footnotes").is_visible()
    link.hover()
    page.wait_for_timeout(400)
    assert not page.locator("#card").is_visible()  # which would say it twice
    for media, width in (("print", 1280), ("screen", 1100)):
        page.emulate_media(media=media)
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(".footnotes li").is_visible() and not note.is_visible()


def test_headings_lead_to_their_lines(show: Any) -> None:
    page = show("small/layers.html")
    link = page.get_by_role("link", name="Source of 1.1 Where they are")
    assert link.get_attribute("href") == "https://example.org/layers.md#L10"

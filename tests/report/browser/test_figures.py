"""Figures tell their numbers by pointer, keyboard and touch."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_series_can_be_hidden_and_comes_back(show: Any) -> None:
    page = show("small/training.html")
    figure = page.locator("figure[data-kind=line]")
    marks = figure.locator('.plot .series[data-series="1"]')
    button = figure.get_by_role("button", name="validation")
    assert marks.first.is_visible() and button.get_attribute("aria-pressed") == "true"
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert not any(mark.is_visible() for mark in marks.all())
    assert figure.locator('.plot .series[data-series="0"]').first.is_visible()
    page.keyboard.press("Enter")
    assert marks.first.is_visible()


def test_the_pointer_and_the_slider_read_the_numbers_of_a_chart(show: Any) -> None:
    page = show("small/training.html")
    figure = page.locator("figure[data-kind=line]")
    drawing = figure.locator(".plot svg")
    drawing.scroll_into_view_if_needed()
    point = drawing.locator('.series[data-series="0"] use').nth(5).bounding_box()  # the band is the first
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + 30)
    said = "Epoch 5: training (nats) 0.78 [0.741, 0.819] · validation (nats) 1.1 [1.045, 1.155]"
    assert figure.locator("output").inner_text().startswith(said)
    slider = figure.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext").startswith("Epoch 6: training (nats) 0.7167")
    figure.get_by_role("button", name="training").click()
    assert "training" not in figure.locator("output").inner_text()


def test_the_slider_reads_the_cells_of_a_heatmap(show: Any) -> None:
    page = show("small/training.html")
    figure = page.locator("figure[data-kind=heatmap]")
    figure.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    assert figure.locator("output").inner_text() == "True cat, Predicted dog: 0.25"


def test_the_threshold_of_suppression_can_be_moved_by_the_keyboard(show: Any) -> None:
    page = show("small/training.html")
    figure = page.locator("figure[data-kind=pictures]")
    shown = [figure.locator(f'.plot .box[data-box="{n}"]') for n in range(4)]
    slider = figure.get_by_role("slider")
    said = figure.locator("output")
    assert said.inner_text().startswith("Threshold 0.50: 2 of 4 boxes remain. Their largest IoU is 0.00.")
    assert "The smallest IoU that removed a box is 0.60." in said.inner_text()
    assert [box.is_visible() for box in shown] == [True, False, False, True]
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert said.inner_text().startswith("Threshold 0.60: 3 of 4 boxes remain.")
    assert [box.is_visible() for box in shown] == [True, False, True, True]
    page.keyboard.press("End")
    assert said.inner_text().startswith("Threshold 1.00: 4 of 4 boxes remain.")
    assert slider.get_attribute("aria-valuetext") == said.inner_text()


def test_pictures_are_seen_where_their_boxes_are(show: Any) -> None:
    page = show("small/training.html")
    figure = page.locator("figure[data-kind=pictures]")
    figure.scroll_into_view_if_needed()
    picture, box = figure.locator("svg img").first, figure.locator('.box[data-box="0"]')
    page.wait_for_function(
        "(shown) => shown.complete && shown.naturalWidth == 48", arg=picture.element_handle()
    )
    around = picture.bounding_box()
    inside = box.evaluate(  # without the width of its line
        """(box) => {
            const { x, width } = box.getBBox(), { a, e } = box.getScreenCTM();
            return { x: a * x + e, width: a * width };
        }"""
    )
    assert around["width"] == pytest.approx(around["height"])
    side = around["width"] / 48  # the box is 16 pixels wide, around the sixteenth
    assert inside["width"] == pytest.approx(16 * side, rel=0.15)
    assert inside["x"] - around["x"] == pytest.approx(8 * side, rel=0.15)


def test_the_threshold_of_pairs_moves_a_point_on_the_roc_and_says_the_rates(show: Any) -> None:
    page = show("small/training.html")
    figure = page.locator("figure[data-scores]")
    slider = figure.get_by_role("slider", name="Threshold of the distance: Network")
    rates = "true positive rate 0.800, false positive rate 0.250, accuracy 0.767, balanced 0.775"
    assert slider.get_attribute("aria-valuetext") == f"Network, threshold 1.00: {rates}"
    counts = figure.locator(".decisions td")
    assert counts.all_inner_texts() == ["8", "2", "5", "15"]
    line = figure.locator(".decisions .at")
    assert line.get_attribute("d") == "M150 0V84"
    point = figure.locator("svg .threshold")
    marks = figure.locator('.plot .series[data-series="0"] use')
    middle = [box["x"] + box["width"] / 2 for box in (marks.nth(2).bounding_box(), point.bounding_box())]
    assert abs(middle[0] - middle[1]) < 1
    slider.focus()
    page.keyboard.press("Home")
    assert "true positive rate 0.000, false positive rate 0.000" in slider.get_attribute("aria-valuetext")
    page.keyboard.press("End")
    assert "true positive rate 1.000, false positive rate 1.000" in slider.get_attribute("aria-valuetext")
    assert point.bounding_box()["x"] > middle[0]
    assert counts.all_inner_texts() == ["10", "0", "20", "0"]
    assert line.get_attribute("d") == "M300 0V84"


def test_panels_are_read_and_toggled_together(show: Any) -> None:
    page = show("small/trained.html")
    figure = page.locator("figure[data-kind=panels]")
    drawing = figure.locator(".plot svg")
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.97, box["y"] + box["height"] * 0.5)
    said = figure.locator("output").inner_text()
    assert said.startswith("Epoch 4: Loss: Training ") and "Accuracy: Validation (%) 52" in said
    assert drawing.locator(".guide").count() == 2
    key = figure.get_by_role("button", name="Training")
    key.click()
    assert drawing.locator('.series[data-series="0"].off').count() == 4
    assert "Training" not in figure.locator("output").inner_text()
    assert drawing.get_by_text("Loss", exact=True).is_visible()


def test_rows_of_an_interval_plot_are_read_where_they_stand(show: Any) -> None:
    page = show("small/trained.html")
    figure = page.locator("figure[data-kind=interval]")
    drawing = figure.locator(".plot svg")
    drawing.scroll_into_view_if_needed()
    mark = drawing.locator(".series use").last.bounding_box()
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)
    said = figure.locator("output").inner_text()
    assert said == "Change a longer schedule: Change (percentage points) 0.3 [-1.7, 2.3]".replace("-", "−")


def test_bars_on_a_logarithmic_axis_are_read_where_they_stand(show: Any) -> None:
    page = show("small/layers.html")
    drawing = page.locator("figure .plot svg")
    drawing.scroll_into_view_if_needed()
    bar = drawing.locator('.series[data-series="0"]').nth(21).bounding_box()
    page.mouse.move(bar["x"] + bar["width"] / 4, bar["y"] + 5)
    expected = "Layer 21 POOL2: Activations 25,088 · Weights 1"
    assert page.locator("figure output").inner_text() == expected


LETTERS = """(plot) => Math.min(...[...plot.querySelectorAll("svg text")]
  .filter((text) => text.getBoundingClientRect().width)
  .map((text) => [parseFloat(getComputedStyle(text).fontSize), text.getScreenCTM()])
  .map(([size, { a, b }]) => size * Math.hypot(a, b)))"""


@pytest.mark.parametrize("name", ["small/layers.html", "small/training.html", "small/trained.html"])
def test_on_a_phone_drawings_fit_and_charts_have_letters_that_can_be_read(show: Any, name: str) -> None:
    page = show(name, width=390, has_touch=True)
    for plot in page.locator("#content .plot").all():
        assert plot.evaluate("(plot) => plot.scrollWidth <= plot.clientWidth")
    for chart in page.locator(":is([data-kind=line], [data-kind=panels], [data-kind=bar]) .plot").all():
        assert chart.evaluate(LETTERS) > 7.5
    small = """(parts) => parts.filter((part) => part.checkVisibility()).map((part) => [part.textContent,
      part.getBoundingClientRect()]).filter(([, box]) => box.width < 24 || box.height < 24)"""
    for operated in ("main button", "summary", ".top a", ".contents a", "main input"):
        assert page.locator(operated).evaluate_all(small) == []


def test_on_a_phone_a_network_is_laid_out_anew_and_opens_as_on_a_page(show: Any) -> None:
    plot = show("results/architecture.drawings.html").locator("figure[data-kind=network] .plot").first
    wide, narrow = plot.locator("svg").all()
    assert wide.is_visible() and not narrow.is_visible()
    page = show("results/architecture.drawings.html", width=390, has_touch=True)
    plot = page.locator("figure[data-kind=network] .plot").first
    wide, narrow = plot.locator("svg").all()
    assert narrow.is_visible() and not wide.is_visible()
    assert plot.evaluate(LETTERS) > 9
    assert narrow.locator(".block").count() == wide.locator(".block").count()
    page.locator("figure[data-kind=network] .enlarge").first.tap()
    assert page.locator("dialog.large svg:not(.narrow)").is_visible()
    assert not page.locator("dialog.large svg.narrow").is_visible()


def test_on_a_phone_panels_stand_below_each_other_and_are_read_by_a_tap(show: Any) -> None:
    page = show("small/trained.html", width=390, has_touch=True)
    drawing = page.locator("figure[data-kind=panels] .plot svg")
    upper, lower = (
        [float(end) for end in box.split()] for box in drawing.get_attribute("data-box").split(";")
    )
    assert upper[0] == pytest.approx(lower[0]) and upper[3] < lower[1]
    left, top, width, _ = (float(end) for end in drawing.get_attribute("viewBox").split())
    scale = drawing.bounding_box()["width"] / width
    drawing.tap(position={"x": (lower[2] - 1 - left) * scale, "y": (lower[1] + 5 - top) * scale})
    said = page.locator("figure[data-kind=panels] output").inner_text()
    assert said.startswith("Epoch 4: Loss: Training ") and "Accuracy: Validation (%) 52" in said
    guides = drawing.locator(".guide").evaluate_all("(lines) => lines.map((line) => line.getAttribute('y1'))")
    assert [float(end) for end in guides] == pytest.approx([upper[1], lower[1]])

"""The site in a real Chromium: accessible, quiet on the network, usable by keyboard, never too wide."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image

from report import html
from tests.report.conftest import open_workshop, vgg19
from tests.report.pages import put, site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("Chromium is not installed; `apt-get install chromium` gets it", allow_module_level=True)
driver = pytest.importorskip("playwright._impl._driver", reason="playwright is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
if subprocess.run(
    [driver.compute_driver_executable()[0], "--version"], capture_output=True, check=False
).returncode:
    pytest.skip(
        "playwright's driver does not start; `apt-get install libatomic1` may help", allow_module_level=True
    )

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PAGES = (
    "index.html", "small/index.html", "small/layers.html", "small/training.html", "small/provenance.html",
    "small/lost.html", "small/trained.html", "results/index.html", "results/architecture.vgg19.html",
    "results/classification.trained.html", "alone.html",
)  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """No lines among the test's output."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workshop = open_workshop(tmp_path_factory.mktemp("workshop"))
    workshop.section(
        "lost",
        "# A section that rests on something_rather_long_that_was_never_run\n\n"
        '{{ value("no.such/metric") }}\n',
    )
    made = site(
        workshop.document("layers", "training", "trained", "lost"), workshop.templates, pdf="small.pdf"
    )
    alone = html.table_page("VGG-19, layer by layer", vgg19().tables.values())
    return put({**made, "small.pdf": b"%PDF", "alone.html": alone}, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Any, folder: Path) -> Iterator[Any]:
    """Opens a page of the site; afterwards, nothing may have been requested from outside or gone wrong."""
    contexts, requests, faults = [], [], []

    def opened(name: str, width: int = 1280, **settings: Any) -> Any:
        size = {"width": width, "height": 900}
        context = chromium.new_context(viewport=size, reduced_motion="reduce", **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto((folder / name).as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert requests
    inside = (folder.as_uri(), "data:")
    assert [address for address in requests if not address.startswith(inside)] == []
    assert faults == []


def violations(page: Any, *rules: str) -> list[tuple[str, str, str]]:
    """What axe finds on a page: rule, element, explanation. All rules where none is named."""
    only = {"runOnly": list(rules)} if rules else {}
    found = page.evaluate("(options) => axe.run(options)", {"preload": False, **only})
    assert found["passes"]
    return [
        (violation["id"], node["html"][:200], node["failureSummary"])
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_no_accessibility_rule_is_violated_in_either_theme(show: Any, name: str) -> None:
    page = show(name, color_scheme="light", bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, "color-contrast", "link-in-text-block") == []


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_the_window(show: Any, name: str) -> None:
    page = show(name)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    for width in (1280, 1088, 800, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_site_works_below_any_folder_of_a_server(chromium: Any, folder: Path) -> None:
    handler = partial(Quiet, directory=str(folder.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        below = f"http://127.0.0.1:{server.server_port}/{folder.name}/"
        requests: list[str] = []
        page = chromium.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto(below)
        page.get_by_role("link", name="A small study").click()
        page.get_by_role("link", name="Layers & memory").first.click()
        page.locator("a.value").first.click()
        assert page.url == f"{below}results/architecture.vgg19.html#architecture.vgg19/total_weights"
        page.get_by_role("button", name="Dark").wait_for()
        assert page.evaluate("document.styleSheets[0].cssRules.length") > 10
        assert [address for address in requests if not address.startswith((below, "data:"))] == []
        page.close()
        server.shutdown()


def column(page: Any, part: str, index: int) -> list[float]:
    script = f"""(table) => [...table.querySelectorAll("{part} tr")].map((row) =>
      Number(row.cells[{index}].dataset.value))"""
    values: list[float] = page.locator("#content .table table").first.evaluate(script)
    return values


def test_columns_sort_by_keyboard_and_totals_stay_below(show: Any) -> None:
    page = show("small/layers.html")
    before = column(page, "tbody", 4)
    total = column(page, "tfoot", 4)
    button = page.get_by_role("button", name="Weights", exact=True).and_(page.locator("thead button"))
    head = page.get_by_role("columnheader", name="Weights", exact=True).first
    button.focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(page, "tbody", 4) == sorted(before) != before
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, "tbody", 4) == sorted(before, reverse=True)
    assert column(page, "tfoot", 4) == total == [sum(before)]
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") is None
    assert column(page, "tbody", 4) == before
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Layer", exact=True).first.click()
    assert head.get_attribute("aria-sort") is None
    names = page.locator("#content tbody").first.locator("th").all_inner_texts()
    assert names[:3] == ["CONV3-64", "CONV3-64", "CONV3-128"]


def test_the_theme_follows_the_system_until_the_reader_chooses(show: Any) -> None:
    page = show("small/layers.html", color_scheme="dark")

    def background() -> Any:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    dark = background()
    page.get_by_role("button", name="Light").click()
    light = background()
    assert light != dark
    page.reload()
    assert background() == light
    page.get_by_role("button", name="Dark").click()
    assert background() == dark
    page.emulate_media(color_scheme="light")
    assert background() == dark


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
    around, inside = picture.bounding_box(), box.bounding_box()
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


def test_estimates_sort_by_their_values(show: Any) -> None:
    page = show("small/trained.html")
    page.get_by_role("button", name="Test (%)").click()
    names = page.locator("#content tbody").first.locator("th").all_inner_texts()
    assert names == ["Plain", "Wide", "Deep"]


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


def test_contents_are_beside_the_text_where_there_is_room_and_open_on_demand_where_not(show: Any) -> None:
    wide = show("small/layers.html", java_script_enabled=False)
    link = wide.get_by_role("navigation", name="A small study").get_by_role("link", name="Training")
    assert link.is_visible()
    narrow = show("small/layers.html", width=390, java_script_enabled=False)
    link = narrow.get_by_role("navigation", name="A small study").get_by_role("link", name="Training")
    assert not link.is_visible()
    narrow.locator("summary", has_text="Contents").click()
    assert link.is_visible()


def test_a_page_is_whole_without_a_script(show: Any) -> None:
    page = show("small/training.html", java_script_enabled=False)
    assert page.locator("figure .plot svg .legend").first.is_visible()
    page.get_by_text("Figure 2 in numbers").click()
    assert page.get_by_role("cell", name="0.875", exact=True).is_visible()


def test_print_has_no_controls_and_the_whole_table(show: Any) -> None:
    page = show("small/layers.html")
    page.emulate_media(media="print")
    for control in (".top", ".side", ".turn", ".readout"):
        assert not page.locator(control).first.is_visible()
    box = page.locator("#content .scroll").first
    assert box.evaluate("(box) => getComputedStyle(box).overflowX") == "visible"
    assert page.locator("table").first.is_visible()


def test_the_contents_follow_the_reader(show: Any) -> None:
    page = show("small/layers.html")
    side = page.get_by_role("navigation", name="A small study")
    deep = side.get_by_role("link", name="1.1 Where they are")
    assert deep.get_attribute("aria-current") is None
    page.get_by_role("heading", name="1.1 Where they are").evaluate("(head) => head.scrollIntoView()")
    page.wait_for_function("document.querySelector('.side [aria-current=true]')")
    assert deep.get_attribute("aria-current") == "true"
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function("!document.querySelector('.side [aria-current=true]')")


def test_the_current_section_of_long_contents_is_in_sight(show: Any) -> None:
    page = show("small/training.html")
    page.set_viewport_size({"width": 1280, "height": 130})
    page.reload()
    link, side = (
        page.locator(".side [aria-current=page]").bounding_box(),
        page.locator(".side").bounding_box(),
    )
    assert side["y"] <= link["y"] and link["y"] + link["height"] <= side["y"] + side["height"]
    assert page.evaluate("scrollY") == 0


def test_a_heading_and_a_table_give_and_copy_their_address(show: Any) -> None:
    page = show("small/layers.html", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Link to 1.1 Where they are").click()
    page.get_by_role("status").get_by_text("Copied").first.wait_for()
    assert page.url.endswith("layers.html#layers-where-they-are")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.get_by_role("link", name="Link to Table 1").click()
    assert page.url.endswith("#architecture.vgg19/layers")
    assert page.locator(":target table").count() == 1


def test_references_show_what_they_lead_to_on_focus_and_pointing(show: Any) -> None:
    page = show("small/layers.html")
    card = page.get_by_role("tooltip")
    page.keyboard.press("Tab")
    page.get_by_role("link", name="Table 1", exact=True).first.focus()
    assert "VGG-19, layer by layer" in card.inner_text() and "CONV3-64" in card.inner_text()
    assert "more rows" in card.inner_text()
    page.keyboard.press("Escape")
    assert not card.is_visible()
    page.locator("main a.ref", has_text="Figure 1").focus()
    assert card.locator("svg").is_visible() and "by layer" in card.inner_text()
    page.locator("a[role=doc-biblioref]").first.hover()
    card.get_by_text("Krizhevsky").or_(card.get_by_text("Simonyan")).first.wait_for()
    page.locator("a.ref", has_text="Section 2").focus()
    assert card.inner_text().strip() == "Training"
    page.mouse.move(0, 0)
    page.goto(page.url.replace("layers.html", "training.html"))
    page.locator("a[role=doc-noteref]").hover()
    page.get_by_role("tooltip").get_by_text("A footnote, with").wait_for()


def test_a_table_can_be_copied_as_latex_markdown_and_text(show: Any) -> None:
    page = show("small/training.html", permissions=["clipboard-read", "clipboard-write"])
    table = page.locator("#content > .table")

    def copied(name: str) -> list[str]:
        table.get_by_role("button", name=name).click()
        table.get_by_role("status").get_by_text("Copied").wait_for()
        lines: list[str] = page.evaluate("navigator.clipboard.readText()").split("\n")
        return lines

    latex = copied("Copy as LaTeX")
    assert latex[1:4] == [r"\begin{tabular}{lr}", r"\toprule", r"Layer & Weights \& 100\% \\"]
    assert r"norm \& pool\_1 <50\%> & $\geq$ 12 \\" in latex and r"α\_β → \{x\} & $-$3 \\" in latex
    assert copied("Copy as Markdown")[:3] == [
        "| Layer | Weights & 100% |", "|---|---:|", "| norm & pool_1 <50%> | ≥ 12 |",
    ]  # fmt: skip
    assert copied("Copy the table")[2] == "α_β → {x}\t−3"


def test_a_figure_can_be_saved_as_png_and_embedded(show: Any, tmp_path: Path) -> None:
    page = show("small/training.html", permissions=["clipboard-read", "clipboard-write"])
    figure = page.locator("#content > .figure").first
    with page.expect_download() as started:
        figure.get_by_role("button", name="PNG").click()
    started.value.save_as(tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.width == 4 * 396 and picture.getpixel((0, 0)) == (255, 255, 255, 255)
        assert len(picture.convert("RGB").getcolors(100_000) or []) > 50
    figure.get_by_role("button", name="Copy HTML").click()
    figure.get_by_role("status").get_by_text("Copied").wait_for()
    snippet = page.evaluate("navigator.clipboard.readText()")
    assert 'figures/curves.svg" alt="' in snippet and '#architecture.vgg19/curves">' in snippet


def test_printing_from_the_dark_theme_is_dark_on_white(show: Any) -> None:
    page = show("small/layers.html", color_scheme="dark")
    page.get_by_role("button", name="Light").click()
    page.get_by_role("button", name="Dark").click()
    page.emulate_media(media="print", color_scheme="dark")
    for part in ("body", "main p", "td", "figcaption", "svg text"):
        ink = page.locator(part).first.evaluate(
            "(part) => getComputedStyle(part)[part.closest('svg') ? 'fill' : 'color']"
        )
        assert max(map(int, ink.removeprefix("rgb(").removesuffix(")").split(","))) < 100, part


def test_what_goes_on_to_the_right_says_so(show: Any) -> None:
    page = show("small/layers.html", width=320)
    box = page.locator("#content > .table .scroll")
    hint = page.locator("#content > .table .goes-on")
    assert "more" in box.get_attribute("class").split() and hint.is_visible()
    box.evaluate("(box) => box.scrollTo(box.scrollWidth, 0)")
    page.wait_for_function("!document.querySelector('#content > .table .scroll').classList.contains('more')")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function("!document.querySelector('#content > .table .goes-on')")


def test_the_search_finds_text_tables_and_metrics_by_keyboard_from_disk(show: Any) -> None:
    page = show("small/layers.html")
    assert page.evaluate("window.searchIndex") is None  # loaded when it is first used
    page.keyboard.press("/")
    dialog = page.get_by_role("dialog", name="Search")
    field = dialog.get_by_role("combobox")
    assert field.evaluate("(field) => field === document.activeElement")
    places = dialog.get_by_role("option")
    dialog.get_by_text("places: sections").wait_for()

    def found(words: str) -> list[str]:
        field.fill(words)
        return [" ".join(one.split()) for one in places.all_inner_texts()]

    assert found("footn")[0].startswith("Section 2 Training")
    assert found("conv3")[0].startswith("Table 1 VGG-19, layer by layer")
    assert found("aeroplane")[0].startswith("Figure 3 Confusion of three classes")
    assert any(
        one.startswith("Metric accuracy architecture.vgg19/accuracy") for one in found("Accuracy vgg19")
    )
    assert found("no-such-thing") == []
    dialog.get_by_text("0 places", exact=True).wait_for()
    assert len(found("vgg")) > 3
    page.keyboard.press("ArrowDown")
    chosen = page.locator("[role=option][aria-selected=true]")
    assert field.get_attribute("aria-activedescendant") == chosen.get_attribute("id") == "hit-1"
    found("total weights")
    page.keyboard.press("Enter")
    page.wait_for_url("**/results/architecture.vgg19.html#architecture.vgg19/total_weights")


def test_the_search_leads_to_the_results_without_a_script(show: Any) -> None:
    page = show("small/layers.html", java_script_enabled=False)
    page.get_by_role("link", name="Search").click()
    assert page.url.endswith("results/index.html")


def test_the_first_stop_of_the_keyboard_skips_to_the_text(show: Any) -> None:
    page = show("small/layers.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"

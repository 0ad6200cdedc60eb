"""The site in a real Chromium: accessible, quiet on the network, usable by keyboard, never too wide."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image

from report import html
from results.schema import Column, Row
from tests.report.conftest import vgg19

PAGES = (
    "index.html", "small/index.html", "small/layers.html", "small/training.html", "small/provenance.html",
    "small/lost.html", "small/trained.html", "results/index.html", "results/architecture.vgg19.html",
    "results/classification.trained.html", "alone.html",
)  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """No lines among the test's output."""


def violations(page: Any, *rules: str, within: str = "html") -> list[tuple[str, str, str]]:
    """What axe finds on a page: rule, element, explanation. All rules where none is named."""
    only = {"runOnly": list(rules)} if rules else {}
    found = page.evaluate("([part, options]) => axe.run(part, options)", [within, {"preload": False, **only}])
    assert found["passes"]
    return [
        (violation["id"], node["html"][:200], node["failureSummary"])
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_no_accessibility_rule_is_violated_light_and_wide_or_dark_and_narrow(show: Any, name: str) -> None:
    page = show(name, color_scheme="light", bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 900})
    narrow = ("color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable")
    assert violations(page, *narrow) == []


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
        page.get_by_role("link", name="A small study").first.click()
        page.get_by_role("link", name="Layers & memory").first.click()
        page.locator("a.value").first.click()
        assert page.url == f"{below}results/architecture.vgg19.html#architecture.vgg19/total_weights"
        page.get_by_role("button", name="Dark").wait_for()
        assert page.evaluate("document.styleSheets[0].cssRules.length") > 10
        assert [address for address in requests if not address.startswith((below, "data:"))] == []
        page.close()
        server.shutdown()


def test_a_figure_of_pictures_is_saved_as_png_from_a_server(
    chromium: Any, folder: Path, tmp_path: Path
) -> None:
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/small/training.html")
        figure = page.locator("[id='architecture.vgg19/boxes']")
        with page.expect_download() as started:
            figure.get_by_role("button", name="PNG").click()
        started.value.save_as(tmp_path / "boxes.png")
        page.close()
        server.shutdown()
    with Image.open(tmp_path / "boxes.png") as picture:
        greys = {
            red
            for _, (red, green, blue) in picture.convert("RGB").getcolors(1_000_000)
            if red == green == blue
        }
    assert len(greys) > 40  # of the gradient from dark to bright


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


def test_estimates_sort_by_their_values(show: Any) -> None:
    page = show("small/trained.html")
    page.get_by_role("button", name="Test (%)").click()
    names = page.locator("#content tbody").first.locator("th").all_inner_texts()
    assert names == ["Plain", "Wide", "Deep"]


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
    for control in (".top", ".side", ".turn", ".readout", ".enlarge"):
        assert not page.locator(control).first.is_visible()
    box = page.locator("#content .scroll").first
    assert box.evaluate("(box) => getComputedStyle(box).overflowX") == "visible"
    assert page.locator("table").first.is_visible()
    # A button would not be repeated at the head of the next page.
    assert page.locator("th button").first.evaluate("(one) => getComputedStyle(one).display") == "contents"


@pytest.mark.parametrize(("width", "below"), [(1280, False), (390, True)])
def test_arithmetic_stands_beside_all_numbers_of_a_table_or_below_them(
    show: Any, width: int, below: bool
) -> None:
    page = show("small/layers.html", width=width)
    tops = page.locator("#content > .table .sum small").evaluate_all(
        "(sums) => sums.map((sum) => sum.offsetTop - sum.parentElement.offsetTop > 8)"
    )
    assert len(tops) > 20 and set(tops) == {below}


def test_what_the_keyboard_reaches_is_seen(show: Any) -> None:
    page = show("small/trained.html")
    seen = """() => { const { width, height } = document.activeElement.getBoundingClientRect();
      return [document.activeElement.tagName, width > 1 && height > 1]; }"""
    stops = []
    while (stop := page.evaluate(seen))[0] != "BODY" or not stops:
        stops += [stop]
        page.keyboard.press("Tab")
    assert len(stops) > 20 and [stop for stop in stops[1:] if not stop[1]] == []


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
    page.wait_for_function(
        "() => !document.querySelector('#content > .table .scroll').classList.contains('more')"
    )
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function("() => !document.querySelector('#content > .table .goes-on')")


def test_the_first_stop_of_the_keyboard_skips_to_the_text(show: Any) -> None:
    page = show("small/layers.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_layer_table_of_twelve_columns_fits_a_window(show: Any, folder: Path) -> None:
    table = vgg19().tables["layers"]
    name = "encoder.layers.encoder_layer_11.self_attention.out_projection"
    columns = (
        Column(key="layer", label="Layer", type="code"),
        *(Column(key=f"n{n}", label=f"Count {n}", type="integer") for n in range(11)),
    )
    row = Row(cells={"layer": name, **{f"n{n}": 10_000_000 for n in range(11)}})
    made = table.model_copy(update={"columns": columns, "rows": (row,), "notes": ()})
    (folder / "wide.html").write_bytes(html.table_page("Wide", [made]))
    box = show("wide.html").locator(".scroll")
    assert box.evaluate("(box) => box.scrollWidth <= box.clientWidth")

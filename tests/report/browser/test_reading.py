"""Finding, following and taking away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from report import figures
from tests.report.conftest import vgg19


def test_the_contents_follow_the_reader(show: Any) -> None:
    page = show("small/layers.html")
    side = page.get_by_role("navigation", name="A small study")
    deep = side.get_by_role("link", name="1.1 Where they are")
    assert deep.get_attribute("aria-current") is None
    page.get_by_role("heading", name="1.1 Where they are").evaluate("(head) => head.scrollIntoView()")
    page.wait_for_function("() => document.querySelector('.side [aria-current=true]')")
    assert deep.get_attribute("aria-current") == "true"
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function("() => !document.querySelector('.side [aria-current=true]')")


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
    page.set_viewport_size({"width": 1100, "height": 900})  # where the note does not stand beside the text
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
        drawn = vgg19().figures["curves"]
        height = float(figures.svg(drawn, "it").partition('viewBox="')[2].split()[3].strip('"'))
        assert picture.height == int(4 * height)  # with the legend, in whose place the page has buttons
        assert picture.width == 4 * 396 and picture.getpixel((0, 0)) == (255, 255, 255, 255)
        assert len(picture.convert("RGB").getcolors(100_000) or []) > 50
    assert page.locator("[id='architecture.vgg19/boxes']").get_by_role("button", name="PNG").count() == 0
    figure.get_by_role("button", name="Copy HTML").click()
    figure.get_by_role("status").get_by_text("Copied").wait_for()
    snippet = page.evaluate("navigator.clipboard.readText()")
    assert 'figures/curves.svg" alt="' in snippet and '#architecture.vgg19/curves">' in snippet


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

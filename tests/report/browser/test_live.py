"""Live figures begin at the recorded numbers, and compute what was recorded for other settings."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from report import html
from report.live import BEGINS, SHARED
from results.schema import Result
from results.store import Store
from tests.report.browser.test_pages import violations
from tests.report.conftest import TEMPLATES, open_workshop
from tests.report.pages import put

STACK = "[data-live=stack]"
RECORDED = Store(TEMPLATES.parent / "results")


def recorded(analysis: str) -> Result:
    return RECORDED.read(analysis, "full")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of all live figures."""
    workshop = open_workshop(tmp_path_factory.mktemp("workshop"))
    text = "# Live\n"
    targets = (*BEGINS, "detection.suppression/live", "concepts.average_precision/suppression")
    for analysis in sorted({target.partition("/")[0] for target in targets}):
        workshop.store.write(recorded(analysis))
    for target in targets:
        analysis, _, name = target.partition("/")
        kind = "table" if name in recorded(analysis).tables else "figure"
        text += f'\n{{{{ {kind}("{target}") }}}}\n'
    workshop.section("live", text)
    pages = html.write_document(workshop.document("live"), workshop.templates)
    metrics = recorded("transfer.learning_rates").model_copy(update={"tables": {}, "figures": {}})
    zoo = recorded("architecture.zoo").model_copy(update={"figures": {}})
    pages |= {**html.write_result(metrics), **html.write_result(zoo), **html.write_assets()}
    folder = put(pages, tmp_path_factory.mktemp("site"))
    return (folder / "small" / "live.html").as_uri()


@pytest.fixture
def live(window: Any, address: str) -> Any:
    """The page of all live figures, with the state of one where it is given."""

    def opened(state: str = "") -> Any:
        window.goto("about:blank")
        window.goto(address + state)
        return window

    return opened


@pytest.fixture(scope="module")
def window(chromium: Any) -> Iterator[Any]:
    """One for all tests; nothing may have gone wrong in it."""
    page, faults = chromium.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    page.close()
    assert faults == []


def numbers(stack: Any, row: int) -> list[str]:
    """Size, receptive field, jump, parameters and MACs of a layer, without their arithmetic."""
    script = "(row) => [...row.cells].slice(6).map((cell) => cell.firstChild?.textContent ?? '')"
    found: list[str] = stack.locator("tbody tr").nth(row).evaluate(script)
    return found


def test_the_stack_begins_at_the_printed_layer_and_computes_every_recorded_row(live: Any) -> None:
    stack = live().locator(STACK)
    result = recorded("architecture.convolution")
    assert stack.get_by_role("button", name="As printed").get_attribute("aria-pressed") == "true"
    metrics = result.metrics
    width, parameters = metrics["example_output_width"].value, metrics["example_parameters"].value
    assert numbers(stack, 0)[0] == f"{width}×{width}×32" and numbers(stack, 0)[3] == f"{parameters:,}"
    field = stack.get_by_role("spinbutton", name="Filter F")
    for row in result.tables["filters"].rows:
        field.fill(str(row.cells["filter"]))
        found = numbers(stack, 0)
        assert found[0] == f"{row.cells['width']}×{row.cells['width']}×32"
        assert found[3] == f"{row.cells['parameters']:,}"
    assert "Your numbers" in stack.locator("output").inner_text()


def test_the_stack_sees_what_was_recorded_of_networks_and_counts_the_weights_of_vgg19(live: Any) -> None:
    stack = live().locator(STACK)
    fields = {
        row.cells["network"]: row for row in recorded("architecture.receptive_field").tables["networks"].rows
    }
    for button, network in (("AlexNet", "alexnet"), ("VGG-19", "vgg19")):
        stack.get_by_role("button", name=button).click()
        layers = stack.locator("tbody tr").count()
        _, sees, jump, *_ = numbers(stack, layers - 1)
        side = fields[network].cells["walk"]
        assert (sees, jump) == (f"{side}×{side}", str(fields[network].cells["jump"]))
    rows = [
        row
        for row in recorded("architecture.vgg19").tables["layers"].rows
        if "conv" in str(row.cells["layer"])
    ]
    sizes = [numbers(stack, n) for n in range(stack.locator("tbody tr").count())]
    convolutions = [found for found in sizes if found[4] != "0"]
    assert [found[0] for found in convolutions] == [row.cells["output"] for row in rows]
    assert [found[4] for found in convolutions] == [f"{row.cells['macs']:,}" for row in rows]
    stack.get_by_role("button", name="Three 5×5").click()
    side = recorded("architecture.receptive_field").metrics["three_5x5"].value
    assert numbers(stack, 2)[1] == f"{side}×{side}"


def test_layers_come_and_go_refuse_what_is_no_layer_and_keep_their_state_in_the_link(
    live: Any,
) -> None:
    stack = live().locator(STACK)
    stack.get_by_role("button", name="Add a layer").press("Enter")
    assert stack.locator("tbody tr").count() == 2
    stack.get_by_role("spinbutton", name="Filter F").nth(1).fill("99")
    assert "does not fit" in stack.locator("output").inner_text()
    stack.get_by_role("spinbutton", name="Stride S").first.fill("0")
    assert "whole number" in stack.locator("output").inner_text()
    stack.get_by_role("button", name="Remove the last").click()
    stack.get_by_role("button", name="As printed").click()
    live("#architecture.convolution/filters:live=16,3;3,1,2,2,8;2,2,1,0,0")
    assert numbers(stack, 0)[:3] == ["16×16×8", "5×5", "1"]
    assert numbers(stack, 1)[:4] == ["8×8×8", "6×6", "2", "0"]


def test_the_memory_of_vgg19_begins_at_what_was_recorded_and_follows_batch_bits_and_training(
    live: Any,
) -> None:
    page = live()
    metrics = recorded("architecture.vgg19").metrics

    def said(activations: float, weights: float) -> str:
        sizes = [f"{size / 1e6:,.1f} MB" for size in (activations, weights, activations + weights)]
        return f"Activations {sizes[0]}, weights {sizes[1]}, together {sizes[2]}"

    output = page.locator("[data-live=memory] output")
    weights = 4 * metrics["total_weights"].value
    assert output.inner_text().startswith(said(metrics["forward_bytes"].value, weights))
    page.get_by_role("combobox", name="What is kept").select_option("2")
    training = metrics["training_bytes"].value
    assert output.inner_text().startswith(said(training, 2 * weights))
    page.get_by_role("spinbutton", name="Images in a batch").fill("64")
    page.get_by_role("combobox", name="Bits of a number").select_option("2")
    assert output.inner_text().startswith(said(64 * training / 2, weights))
    page.get_by_role("spinbutton", name="Images in a batch").fill("0")
    assert "at least one" in output.inner_text()


def test_the_inception_module_begins_at_the_printed_bars_and_computes_every_recorded_module(
    live: Any,
) -> None:
    place = live().locator("[data-live=inception]")
    result = recorded("architecture.inception")
    press_all = """(place) => {
      const all = [...place.querySelectorAll("button[aria-pressed]")].map((button) => {
        button.click();
        const rows = [...place.querySelectorAll("tbody tr")];
        const operations = rows.map((row) => [...row.cells].slice(1, 3).map((cell) => cell.textContent));
        return [button.textContent, [place.querySelector("output").textContent, operations]];
      });
      return Object.fromEntries(all);
    }"""
    assert place.get_by_role("button", pressed=True).inner_text() == "This study"
    begun = place.locator("output").inner_text()
    found = place.evaluate(press_all)
    assert begun == found["This study"][0]
    assert begun.endswith(f" {result.metrics['saving'].value} times fewer.")

    ours = [[round(1e6 * value) for value in series.y] for series in result.figures["branches"].series]
    lecture = [
        [row.cells[kind] for row in result.tables["lecture"].rows[:-1]] for kind in ("naive", "reduced")
    ]
    for name, kinds in (("This study", ours), ("The lecture", lecture)):
        assert found[name][1] == [[f"{count:,}" for count in branch] for branch in zip(*kinds, strict=True)]
    for row in result.tables["googlenet"].rows[:-1]:
        cells = row.cells
        assert found[cells["layer"]][0] == (
            f"Naive: {cells['naive_channels']} channels, {cells['naive']:,} MACs. "
            f"Reduced: {cells['reduced_channels']} channels, {cells['reduced']:,} MACs, "
            f"{cells['saving']:.2f} times fewer."
        )


def test_an_inception_module_of_the_readers_own_is_in_the_link_and_refuses_no_filters(live: Any) -> None:
    place = live("#architecture.inception/branches:live=8,2,1,1,1,1,1,1").locator("[data-live=inception]")
    output = place.locator("output")
    operations = f"{(25 * 2 + 9 * 2 + 2) * 64:,} MACs. Reduced: 4 channels, {(4 * 2 + 9 + 25) * 64:,} MACs"
    assert operations in output.inner_text() and "Your numbers" in output.inner_text()
    place.get_by_role("spinbutton", name="5×5 reduce").fill("0")
    assert "at least 1" in output.inner_text()


def test_average_precision_begins_at_the_recorded_conventions_and_follows_the_scores(live: Any) -> None:
    page = live()
    result = recorded("concepts.average_precision")
    place = page.locator("[data-live=precision]")

    def cells(region: str) -> list[list[str]]:
        script = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
        found: list[list[str]] = (
            place.get_by_role("region", name=region).locator("tbody tr").evaluate_all(script)
        )
        return found

    conventions = [
        [
            str(row.cells["kind"]),
            *(f"{row.cells[key]:.3f}" for key in ("plain", "eleven", "envelope", "coco", "strict")),
        ]
        for row in result.tables["conventions"].rows
    ]
    ranking = result.tables["ranking"].rows
    assert cells("Average precision") == conventions
    assert cells("Detections") == [
        ["", f"{row.cells['score']:.2f}", str(row.cells["rank"]), row.cells["verdict"]] for row in ranking
    ]
    # Below the fourth, the three false detections in front of it no longer cost it anything.
    for slider in place.get_by_role("slider").all()[1:3]:
        slider.focus()
        page.keyboard.press("Home")
    assert [row[2] for row in cells("Detections")] == ["1", "6", "7", "2", "3", "4", "5"]
    assert cells("Average precision")[0][1:4] == ["0.750", f"{8 / 11:.3f}", "0.750"]
    assert cells("Average precision")[1] == conventions[1]
    assert "Your numbers" in place.locator("output").inner_text()
    place.get_by_role("combobox", name="Class").select_option("dog")
    assert [row[3] for row in cells("Detections")] == ["correct", "nothing there", "correct"]
    place.get_by_role("button", name="As printed").click()
    assert cells("Average precision") == conventions


def test_the_conventions_of_every_counter_close_its_gap_on_every_network(live: Any) -> None:
    place = live().locator("[data-live=counters]")
    result = recorded("architecture.crosscheck")
    output, following = place.locator("output"), place.get_by_role("button", name="Switch on the next")
    rows = place.locator("tbody td")
    ours = {row.cells["network"]: row.cells for row in result.tables["totals"].rows}
    assert rows.first.inner_text() == f"{ours['vit_b_16']['macs']:,}"
    assert rows.last.inner_text() == f"{ours['vit_b_16']['torchinfo']:,}"
    gap = ours["vit_b_16"]["torchinfo"] - ours["vit_b_16"]["macs"]
    assert output.inner_text() == f"The gap is −{-gap:,} operations."
    place.get_by_role("checkbox").last.press("Space")
    assert output.inner_text() != f"The gap is −{-gap:,} operations."
    choose = """([network, program, next]) => {
      const said = [];
      const change = (input, value) => {
        input.value = value;
        input.dispatchEvent(new Event("input"));
      };
      for (const { value: n } of network.options) for (const { value: p } of program.options) {
        change(network, n);
        change(program, p);
        while (!next.disabled) next.click();
        said.push(next.closest(".live").querySelector("output").textContent);
      }
      return said;
    }"""
    controls = [place.get_by_role("combobox", name=name) for name in ("Network", "Program")]
    said = place.page.evaluate(choose, [each.element_handle() for each in (*controls, following)])
    assert said == ["The gap is 0: the conventions explain it."] * 3 * len(ours)


@pytest.mark.parametrize("suffix", ["", "_signs"])
def test_every_learning_rate_has_the_recorded_accuracies_and_its_rank(live: Any, suffix: str) -> None:
    result = recorded("transfer.learning_rates")
    place = live().locator(f"[id='transfer.learning_rates/courses{suffix}:live']")
    settings = [row.cells for row in result.tables[f"results{suffix}"].rows]
    ranked = sorted(settings, key=lambda cells: -cells["validation"])
    output = place.locator("output")

    def said(cells: Any) -> str:
        test = cells["test"]
        within = f"{100 * test.value:.1f}% [{100 * test.low:.1f}, {100 * test.high:.1f}] (95% interval over"
        return (
            f"{cells['trained']} at {cells['rate']:g}: rank {ranked.index(cells) + 1} of {len(ranked)}, "
            f"with {100 * cells['validation']:.1f}% of the validation images right; test accuracy {within} "
            f"{test.n:,} {test.over}); training {100 * cells['train']:.1f}%."
        )

    assert output.inner_text() == said(ranked[0])
    for cells in settings:
        place.get_by_role("combobox", name="What is trained").select_option(cells["trained"])
        place.get_by_role("combobox", name="Learning rate").select_option(f"{cells['rate']:g}")
        assert output.inner_text() == said(cells)
        assert f"{cells['trained']} at {cells['rate']:g}" in place.locator("tr.on").inner_text()


def test_every_student_has_the_recorded_labels_and_accuracies(live: Any) -> None:
    result = recorded("supervision.teacher_student")
    place = live().locator("[data-live=students]")
    teacher, alone, *students = (row.cells for row in result.tables["results"].rows)
    sizes = sorted({cells["k"] for cells in students})
    slider, choice = place.get_by_role("slider"), place.get_by_role("combobox")
    assert slider.input_value() == str(sizes.index(result.metrics["best_k"].value))
    assert place.locator("option:disabled").count() == 2
    for cells in students:
        slider.fill(str(sizes.index(cells["k"])))
        choice.select_option(str(cells["p"]))
        accuracy = cells["accuracy"]
        low, value, high = (100 * end for end in (accuracy.low, accuracy.value, accuracy.high))
        gains = (value - 100 * other["accuracy"].value for other in (alone, teacher))
        assert place.locator("tbody td").all_inner_texts() == [
            f"{100 * cells['precision']:.1f}",
            f"{100 * cells['before']:.1f}",
            f"{value:.1f} [{low:.1f}, {high:.1f}]",
            *(f"{gain:+.1f}".replace("-", "−") for gain in gains),
        ]


def test_suppression_leaves_what_was_recorded_at_every_threshold(live: Any) -> None:
    page = live()
    metrics = recorded("detection.suppression").metrics
    place = page.locator("[id='detection.suppression/live']")
    slider, output = place.get_by_role("slider"), place.locator("output")
    for name, kept in metrics.items():
        if name.startswith("kept/"):
            slider.fill(name.removeprefix("kept/"))
            said = f": {kept.value} of {metrics['suppression/candidates'].value} boxes remain."
            assert said in output.inner_text()
            assert place.locator(".box.kept[data-picture='0']").count() == kept.value
    several = recorded("concepts.average_precision").metrics
    kept, candidates, objects, before, after = (
        several[f"suppression/{name}"].value
        for name in ("kept", "candidates", "objects", "found_before", "found_after")
    )
    place = page.locator("[id='concepts.average_precision/suppression']")
    said = f"{kept} of {candidates} boxes remain. They find {after} of {objects} objects."
    assert said in place.locator("output").inner_text()
    place.get_by_role("slider").press("End")
    said = f"{candidates} of {candidates} boxes remain. They find {before} of {objects} objects."
    assert said in place.locator("output").inner_text()


def test_live_figures_are_accessible_and_no_wider_than_a_small_window(live: Any) -> None:
    page = live()
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    kinds = ("aria", "forms", "keyboard", "name-role-value", "semantics", "tables")
    assert violations(page, *(f"cat.{kind}" for kind in kinds), within=".live") == []
    page.set_viewport_size({"width": 320, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.wait_for_function("() => document.querySelector('.live .scroll.more + .goes-on')")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_long_list_of_metrics_can_be_filtered_and_fits_a_phone(window: Any, address: str) -> None:
    names = recorded("transfer.learning_rates").metrics
    window.goto(address.replace("small/live.html", "results/transfer.learning_rates.html"))
    field, rows = window.get_by_role("searchbox"), window.locator(".metrics tbody tr")
    field.fill("signs best")
    rows_of = {name: f"{name} {metric.title}" for name, metric in names.items()}
    shown = [name for name, text in rows_of.items() if "signs" in text and "best" in text]
    seen = "(rows) => rows.filter((row) => row.checkVisibility()).map((row) => row.cells[0].textContent)"
    assert rows.evaluate_all(seen) == sorted(shown)
    assert window.get_by_role("status").inner_text() == f"{len(shown)} of {len(names)}"
    field.fill("")
    assert len(rows.evaluate_all(seen)) == len(names)
    window.set_viewport_size({"width": 390, "height": 900})
    box = window.locator(".metrics .scroll")
    assert box.evaluate("(box) => box.scrollWidth <= box.clientWidth")
    window.set_viewport_size({"width": 1280, "height": 900})


def test_a_long_table_is_completed_sorted_and_filtered(window: Any, address: str) -> None:
    rows = recorded("architecture.zoo").tables["rows"].rows
    window.goto(address.replace("small/live.html", "results/architecture.zoo.html"))
    table = window.locator("[data-rows]")
    table.locator("tbody tr").nth(len(rows) - 1).wait_for(state="attached")
    assert table.locator("tbody tr").count() == len(rows)
    window.get_by_role("searchbox", name="Filter the rows").fill("repvgg fused")
    wanted = [row for row in rows if "repvgg" in row.cells["model"] and "fused" in row.cells["how"]]
    assert window.get_by_role("status").last.inner_text() == f"{len(wanted)} of {len(rows):d}"
    window.get_by_role("searchbox", name="Filter the rows").fill("")
    for _ in range(2):
        table.get_by_role("button", name="MACs, counted").click()
    largest = max(rows, key=lambda row: row.cells["our_gmacs"]).cells["model"]
    assert table.locator("tbody th").first.inner_text() == largest


def test_a_live_figure_is_small_and_unseen_without_a_script() -> None:
    assets = html.write_assets()
    shared = len(assets[f"assets/{SHARED}.js"])
    for script, _ in BEGINS.values():
        assert shared + len(assets[f"assets/{script}.js"]) < 15_000
    assert b".live:empty" in assets["assets/site.css"]

"""One drawing in two formats: identical every time, legible in every ink, open to scripts and readers."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import matplotlib
import pikepdf
import pytest
from matplotlib.colors import to_rgb
from pydantic import ValidationError

from report import figures
from report.figures.drawing import draw
from report.figures.interval_plots import places
from report.figures.look import BOXES, FONT_SIZE, STYLE, WIDTH
from results.schema import Axis, Chart, Figure, Heatmap, Panel, Panels, Pictures, Series
from tests.report.conftest import trained, vgg19

SVG = "{http://www.w3.org/2000/svg}"
EXAMPLES = (
    vgg19().figures
    | {f"trained-{name}": found for name, found in trained().figures.items()}
    | {
        kind.replace(" ", "-"): Chart(
            kind=kind,  # type: ignore[arg-type]
            caption="A & B < C $x$",
            alt="Three bars, 100% & <more>.",
            x=Axis(label="Class", categories=("first", "second & last", "a rather long name of a class")),
            y=Axis(label="Share_of", unit="%"),
            series=tuple(
                Series(label=f"s_{n} & $t$", x=(0, 1, 2), y=(1, 2, 3), low=(0.5, 1, 2), high=(2, 3, 4))
                for n in range(7)
            ),
        )
        for kind in ("scatter", "stacked bar")
    }
)


@pytest.fixture(params=sorted(EXAMPLES))
def example(request: pytest.FixtureRequest) -> Figure:
    return EXAMPLES[request.param]


def test_drawings_are_identical_every_time(example: Figure) -> None:
    assert figures.pdf(example) == figures.pdf(example)
    assert figures.svg(example, "f") == figures.svg(example, "f")


def test_fonts_are_embedded_and_none_is_type_3(example: Figure) -> None:
    with pikepdf.open(io.BytesIO(figures.pdf(example))) as pdf:
        fonts = [o for o in pdf.objects if isinstance(o, pikepdf.Dictionary) and o.get("/Type") == "/Font"]
        assert {str(font.Subtype) for font in fonts} == {"/Type0", "/CIDFontType2"}
        assert len(pdf.pages) == 1
        width = float(pdf.pages[0].MediaBox[2]) / 72
        assert width <= WIDTH


def test_a_page_can_hold_many_drawings(example: Figure) -> None:
    root = ET.fromstring(figures.svg(example, "fig-one"))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and all(id and id.startswith("fig-one") for id in ids)
    text = ET.tostring(root, "unicode")
    assert "style" not in text and "font-family" not in text
    linked = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    assert {a or b for a, b in linked} <= set(ids)


def test_a_screen_reader_is_told_what_is_drawn(example: Figure) -> None:
    root = ET.fromstring(figures.svg(example, "f"))
    assert root.get("role") == "img" and root.get("aria-labelledby") == "f-title f-desc"
    assert root[0].tag == f"{SVG}title" and root[0].text == example.caption
    assert root[1].tag == f"{SVG}desc" and root[1].text == example.alt


def test_ink_is_the_pages_and_the_ground_transparent(example: Figure) -> None:
    text = figures.svg(example, "f")
    assert "#000000" not in text and 'fill="currentColor"' in text
    grounds = {element.get("fill") for element in ET.fromstring(text).iter() if element.tag == f"{SVG}path"}
    assert "#ffffff" not in grounds


def test_scripts_find_series_and_scales() -> None:
    root = ET.fromstring(figures.svg(EXAMPLES["curves"], "f"))
    groups = {e.get("data-series"): e.get("data-label") for e in root.iter() if e.get("class") == "series"}
    assert groups == {"0": "training", "1": "validation", "2": "test"}
    assert {e.get("data-series") for e in root.iter() if e.get("class") == "legend"} == {"0", "1", "2"}
    left, top, right, bottom = map(float, str(root.get("data-box")).split())
    low, high, scale = str(root.get("data-x")).split()
    assert left < right and top < bottom and scale == "linear" and float(low) < 1 < 10 < float(high)
    bars = ET.fromstring(figures.svg(EXAMPLES["memory"], "f"))
    assert str(bars.get("data-y")).endswith("log")


def test_panels_share_a_legend_and_say_where_each_of_them_is() -> None:
    root = ET.fromstring(figures.svg(EXAMPLES["trained-curves"], "f"))
    drawn = [(e.get("data-series"), e.get("data-label")) for e in root.iter() if e.get("class") == "series"]
    assert set(drawn) == {("0", "Training"), ("1", "Validation")} and len(drawn) == 8  # line and band, twice
    legends = [e.get("id") for e in root.iter() if e.get("class") == "legend"]
    assert sorted(legends) == ["f-legend-0", "f-legend-0-text", "f-legend-1", "f-legend-1-text"]
    (left, _, right, _), (left_2, _, right_2, _) = (
        map(float, box.split()) for box in str(root.get("data-box")).split(";")
    )
    assert left < right < left_2 < right_2
    assert len(str(root.get("data-y")).split(";")) == 2


def test_rows_of_an_interval_plot_run_down_and_zero_is_drawn() -> None:
    figure = EXAMPLES["trained-changes"]
    assert isinstance(figure, Chart)
    assert places(figure.x) == [1.0, 3.0, 5.0]
    text = figures.svg(figure, "f")
    root = ET.fromstring(text)
    low, high, _ = map(str, str(root.get("data-y")).split())
    assert float(low) > float(high)
    heights = {
        t.text: float(str(t.get("y")))
        for t in root.iter(f"{SVG}text")
        if t.text in (*figure.x.categories, *figure.x.groups)
    }
    order = [name for pair in zip(figure.x.groups, figure.x.categories, strict=True) for name in pair]
    assert sorted(heights, key=lambda name: heights[name]) == order
    assert "stroke-dasharray" in text  # the line at zero


def changes(names: str) -> Panel:
    """An interval plot with a row for each letter, further to the right in each."""
    values = tuple(float(n) for n in range(len(names)))
    one = tuple(value + 1 for value in values)
    series = Series(label="s", x=values, y=values, low=tuple(value - 1 for value in values), high=one)
    return Panel(
        kind="interval", x=Axis(label="Change", categories=tuple(names)), y=Axis(label="%"), series=(series,)
    )


def test_interval_plots_share_the_axis_of_values_and_keep_their_rows() -> None:
    figure = Panels(
        caption="c", alt="a", panels=(changes("abc"), changes("vwxyz"), changes("q")), share_y=True
    )
    root = ET.fromstring(figures.svg(figure, "f"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert [texts.count(name) for name in "abcvwxyzq"] == [1] * 9
    assert len(set(str(root.get("data-x")).split(";"))) == 1
    assert len(set(str(root.get("data-y")).split(";"))) == 3
    assert texts.count("%") == 2  # below the last panel of each column


def test_interval_plots_share_rows_that_are_named_once() -> None:
    figure = Panels(caption="c", alt="a", panels=(changes("abc"), changes("abc")), share_x=True)
    texts = [text.text for text in ET.fromstring(figures.svg(figure, "f")).iter(f"{SVG}text")]
    assert [texts.count(name) for name in "abc"] == [1] * 3
    with pytest.raises(ValidationError, match="share no axis with others"):
        line = changes("abc").model_copy(update={"kind": "line"})
        Panels(caption="c", alt="a", panels=(changes("abc"), line), share_x=True)


def test_points_that_are_not_significant_are_hollow() -> None:
    groups = {
        e.get("id"): ET.tostring(e, "unicode")
        for e in ET.fromstring(figures.svg(EXAMPLES["trained-changes"], "f")).iter()
        if e.get("class") == "series" and "bars" not in str(e.get("id"))
    }
    assert groups["f-series-0"].count("<ns0:use") == 2 and groups["f-series-0-hollow"].count("<ns0:use") == 1
    assert 'fill-opacity="0"' in groups["f-series-0-hollow"] and "fill-opacity" not in groups["f-series-0"]


def test_a_roc_is_square_and_has_the_line_of_chance() -> None:
    root = ET.fromstring(figures.svg(EXAMPLES["trained-roc"], "f"))
    left, top, right, bottom = map(float, str(root.get("data-box")).split())
    assert abs((right - left) - (bottom - top)) < 0.1
    assert str(root.get("data-x")) == str(root.get("data-y")) == "-0.01 1.01 linear"


def test_scripts_find_the_boxes_on_pictures() -> None:
    figure = EXAMPLES["boxes"]
    assert isinstance(figure, Pictures)
    root = ET.fromstring(figures.svg(figure, "f"))
    boxes = [e for e in root.iter() if e.get("class") == "box"]
    assert {(e.get("data-picture"), e.get("data-box")) for e in boxes} == {("0", str(n)) for n in range(4)}
    assert len([e for e in root.iter() if e.tag == f"{SVG}image"]) == len(figure.pictures)


def test_labels_of_boxes_at_one_place_do_not_cover_each_other() -> None:
    figure = EXAMPLES["boxes"]
    assert isinstance(figure, Pictures)
    picture = figure.pictures[0]
    box = picture.boxes[0]
    names = ("cat 0.95", "cat 0.90", "dog 0.80")
    boxes = tuple(box.model_copy(update={"label": name, "width": 30}) for name in names)
    one = figure.model_copy(update={"pictures": (picture.model_copy(update={"boxes": boxes}),), "columns": 1})
    root = ET.fromstring(figures.svg(one, "f"))
    found = [t for t in root.iter(f"{SVG}text") if t.text in names]
    corners = [(float(str(t.get("x"))), float(str(t.get("y")))) for t in found]
    assert len(corners) == 3
    assert all(max(abs(a - c), abs(b - d)) >= FONT_SIZE for (a, b), (c, d) in combinations(corners, 2))


def test_boxes_differ_without_colour() -> None:
    def brightness(colour: str) -> float:
        return sum(share * part for share, part in zip((0.299, 0.587, 0.114), to_rgb(colour), strict=True))

    assert len({str(dashes) for _, dashes, _, _ in BOXES.values()}) == len(BOXES) - 1
    (true, _, _, around_true), (kept, _, _, around_kept) = BOXES["truth"], BOXES["kept"]  # both are solid
    assert brightness(around_true) - brightness(true) > 0.5
    assert brightness(kept) - brightness(around_kept) > 0.5


def test_many_removed_boxes_are_hair_lines_that_stay_apart() -> None:
    def widths(number: int) -> set[str]:
        figure = EXAMPLES["boxes"]
        assert isinstance(figure, Pictures)
        box = figure.pictures[0].boxes[0].model_copy(update={"style": "suppressed", "label": ""})
        boxes = tuple(box.model_copy(update={"column": 10.0 + n / 4}) for n in range(number))
        one = figure.model_copy(
            update={"pictures": (figure.pictures[0].model_copy(update={"boxes": boxes}),), "legend": ()}
        )
        return set(re.findall(r'stroke-width="([\d.]+)"', figures.svg(one, "f")))

    assert max(map(float, widths(3))) > 1.5
    assert max(map(float, widths(31))) < 0.6


WIDE = ((1.0, 2.0, 3.0), (2.0, 3.0, 4.0), (0.0, 0.0, 0.0))


def test_a_framed_cell_has_a_line_around_it_and_must_exist() -> None:
    plain, framed = (figures.svg(heat(WIDE, framed=cell), "f") for cell in (None, (1, 2)))
    assert framed.count("<path") == plain.count("<path") + 2
    with pytest.raises(ValidationError, match=r"frames its cell \(1, 0\)"):
        heat(((1.0, 2.0),), framed=(1, 0))


def test_names_of_categories_keep_clear_of_each_other() -> None:
    root = ET.fromstring(figures.svg(EXAMPLES["memory"], "f"))
    ticks = [t for t in root.iter(f"{SVG}text") if re.match(r"\d+ [A-Z]{2}", t.text or "")]
    assert len(ticks) == 25 and all("rotate(-90" in str(tick.get("transform")) for tick in ticks)
    heights = sorted(float(re.findall(r"-?[\d.]+", str(tick.get("transform")))[0]) for tick in ticks)
    assert min(b - a for a, b in pairwise(heights)) > FONT_SIZE


def test_names_lie_flat_in_lines_where_they_can() -> None:
    root = ET.fromstring(figures.svg(EXAMPLES["scatter"], "f"))
    lines = {text.text: str(text.get("transform")) for text in root.iter(f"{SVG}text")}
    assert "a rather long name of a" in lines and "class" in lines
    assert "-90" not in lines["class"]


def test_of_too_many_categories_every_second_or_third_is_named() -> None:
    names = tuple(f"layer {n}" for n in range(120))
    figure = Chart(
        kind="bar",
        caption="C",
        alt="A",
        x=Axis(label="x", categories=names),
        y=Axis(label="y"),
        series=(Series(label="s", x=tuple(map(float, range(120))), y=(1.0,) * 120),),
    )
    shown = re.findall(r">layer (\d+)<", figures.svg(figure, "f"))
    assert shown == [str(n) for n in range(0, 120, 3)]


def test_series_differ_without_colour() -> None:
    text = figures.svg(EXAMPLES["curves"], "f")
    dashes = set(re.findall(r'stroke-dasharray="([^"]+)"', text))
    assert len(dashes) == 2  # and one solid line
    assert figures.svg(EXAMPLES["stacked-bar"], "f").count("<pattern") >= 5


def test_numbers_in_cells_have_real_minus_signs() -> None:
    axis = Axis(label="x")
    figure = Heatmap(
        caption="C", alt="A", x=axis, y=axis, values=((-3.97, 1.0),), value_label="v", numbers=True
    )
    assert ">−3.97<" in figures.svg(figure, "f") and ">-3.97<" not in figures.svg(figure, "f")


def test_a_large_heatmap_stays_small() -> None:
    values = tuple(tuple(float(i * j) for j in range(90)) for i in range(90))
    figure = Heatmap(
        caption="C", alt="A", x=Axis(label="x"), y=Axis(label="y"), values=values, value_label="v"
    )
    assert len(figures.svg(figure, "f")) < 100_000


def heat(values: tuple[tuple[float, ...], ...], **more: Any) -> Heatmap:
    axes = {"x": Axis(label="x"), "y": Axis(label="y")}
    return Heatmap(caption="C", alt="A", values=values, value_label="v", **axes, **more)


def fills(figure: Figure) -> list[str]:
    """The colours of the cells, row by row."""
    drawn = re.search(r'<g id="f-QuadMesh_1">(.*?)</g>', figures.svg(figure, "f"), re.DOTALL)
    assert drawn
    return re.findall(r'fill="(#[0-9a-f]{6})"', drawn[1])


def test_values_of_both_signs_are_coloured_from_a_light_zero_and_an_extreme_leaves_shades() -> None:
    less, zero, little, more = fills(heat(((-99.0, 0.0, 2.0, 4.0),)))
    assert min(int(zero[n : n + 2], 16) for n in (1, 3, 5)) > 0xE0
    assert len({less, zero, little, more}) == 4


def test_a_logarithmic_heatmap_leaves_zeros_blank() -> None:
    assert len(fills(heat(((0.0, 0.01, 1.0),), scale="log"))) == 2


def test_a_stored_drawing_is_not_drawn_again(tmp_path: Path) -> None:
    path = figures.stored(EXAMPLES["curves"], tmp_path)
    drawn, content = path.stat().st_ino, path.read_bytes()
    assert figures.stored(EXAMPLES["curves"], tmp_path).stat().st_ino == drawn
    assert figures.stored(EXAMPLES["confusion"], tmp_path) != path
    for altered in (content[:-1], content[:99] + b"!" + content[100:], b""):
        path.write_bytes(altered)
        assert figures.stored(EXAMPLES["curves"], tmp_path).read_bytes() == content


def test_the_name_of_an_axis_that_is_wider_than_its_panel_stays_inside() -> None:
    panel = Panel(
        kind="interval",
        title="",
        x=Axis(label="Change", categories=("a rather long name of what is changed", "another one as long")),
        y=Axis(label="Change of validation accuracy", unit="percentage points"),
        series=(Series(label="change", x=(0, 1), y=(1, 2), low=(0, 1), high=(2, 3)),),
    )
    both = Panels(caption="Two panels.", alt="Two.", columns=2, panels=(panel, panel))
    with matplotlib.rc_context(STYLE):
        drawing, drawn = draw(both, "it")
        drawing.draw_without_rendering()
        ends = [axes.xaxis.label.get_window_extent() for axes in drawn]
    assert ends[1].x1 - ends[1].x0 > drawn[1].bbox.width + 20  # so there is something to keep inside
    assert all(box.x0 >= -1 and box.x1 <= drawing.bbox.x1 + 1 for box in ends)

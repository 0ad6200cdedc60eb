"""Every figure is a table too, of the numbers that it shows."""

from __future__ import annotations

from report.figure_tables import figure_table
from results.schema import Axis, Chart, Heatmap, Panels, Series
from tests.report.conftest import trained, vgg19


def test_the_numbers_of_panels_with_one_x_are_one_table() -> None:
    table, positions = figure_table(trained().figures["curves"])
    assert positions == (1, 2, 3, 4)
    assert [column.key for column in table.columns if column.key.startswith("p")] == [
        f"p{panel}{kind}{series}" for panel in (0, 1) for series in (0, 1) for kind in ("y", "low", "high")
    ]
    assert (
        table.columns[1].label == "Loss: Training" and table.columns[-1].label == "Accuracy: Validation, high"
    )


def test_the_numbers_of_panels_that_differ_in_x_stand_below_each_other() -> None:
    curves = trained().figures["curves"]
    assert isinstance(curves, Panels)
    loss, accuracy = curves.panels
    other = accuracy.model_copy(update={"x": Axis(label="Step")})
    table, positions = figure_table(curves.model_copy(update={"panels": (loss, other), "share_x": False}))
    assert positions == ()
    assert [row.cells["panel"] for row in table.rows] == ["Loss"] * 4 + ["Accuracy"] * 4
    assert [column.label for column in table.columns] == ["Panel", "Epoch / Step", "Training", "Validation"]


def test_rows_of_an_interval_plot_stand_below_the_names_of_their_groups() -> None:
    table, positions = figure_table(trained().figures["changes"])
    assert positions == (1, 3, 5)
    names = [row.cells["x"] for row in table.rows]
    assert names == ["without dropout", "a longer schedule", "batch normalisation"]


def test_the_numbers_of_a_chart_are_a_table_by_x() -> None:
    chart = Chart(
        kind="scatter", caption="c", alt="a", x=Axis(label="x", unit="s"), y=Axis(label="y"),
        series=(
            Series(label="first", x=(2, 1, 1), y=(20, 10, 11)),
            Series(label="second", x=(1, 3), y=(5, 6), low=(4, 5), high=(6, 7)),
        ),
    )  # fmt: skip
    table, positions = figure_table(chart)
    assert positions == (1, 1, 2, 3)
    assert [column.label for column in table.columns] == [
        "x",
        "first",
        "second",
        "second, low",
        "second, high",
    ]
    assert [row.cells for row in table.rows] == [
        {"x": 1, "y0": 10, "y1": 5, "low1": 4, "high1": 6},
        {"x": 1, "y0": 11},
        {"x": 2, "y0": 20},
        {"x": 3, "y1": 6, "low1": 5, "high1": 7},
    ]


def test_the_numbers_of_a_heatmap_are_its_matrix() -> None:
    heatmap = vgg19().figures["confusion"]
    assert isinstance(heatmap, Heatmap)
    table, _ = figure_table(heatmap)
    values = [[row.cells[f"y{n}"] for n in range(3)] for row in table.rows]
    assert values == [list(row) for row in heatmap.values]
    assert [row.cells["x"] for row in table.rows] == ["cat", "dog", "aeroplane"]


def test_the_numbers_of_pictures_are_their_boxes() -> None:
    table, positions = figure_table(vgg19().figures["boxes"])
    assert positions == ()
    assert [row.cells["style"] for row in table.rows] == ["Remains", "Goes", "Goes", "Remains"]
    assert table.rows[3].cells["label"] == "cat"
    assert {column.key: column.unit for column in table.columns}["width"] == "pixels"

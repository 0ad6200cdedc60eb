"""A label has one colour in a document, and two series of a figure never look alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from report.colours import FIXED, coloured
from report.figures.look import look_of
from results.schema import Axis, Chart, Series


def chart(labels: list[str], **colours: int) -> Chart:
    series = tuple(Series(label=name, x=(0.0,), y=(0.0,), colour=colours.get(name)) for name in labels)
    return Chart(kind="line", caption="c", alt="a", x=Axis(label="x"), y=Axis(label="y"), series=series)


def colours(charts: dict[str, Chart]) -> list[dict[str, int]]:
    return [{s.label: s.colour or 0 for s in found.series} for found in coloured(charts).values()]


@given(st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=1, unique=True), min_size=1, max_size=6))
def test_labels_keep_their_colour_and_neighbours_differ(found: list[list[str]]) -> None:
    made = colours({str(n): chart(labels) for n, labels in enumerate(found)})
    for figure in made:
        assert len(set(figure.values())) == len(figure)
    for label in {label for labels in found for label in labels}:
        assert len({figure[label] for figure in made if label in figure}) == 1


def test_parts_of_the_data_have_fixed_colours_and_given_ones_stay() -> None:
    (first, second) = colours(
        {"a": chart(["Other", "Test", "Training"]), "b": chart(["Other", "Pinned"], Pinned=0)}
    )
    assert (first["Training"], first["Test"]) == (FIXED["training"], FIXED["test"])
    assert second["Pinned"] == 0 and first["Other"] == second["Other"] not in (0, 2)


def test_series_beyond_the_palette_still_differ() -> None:
    series = [Series(label=str(n), x=(), y=(), colour=n) for n in range(30)]
    looks = {look_of(one, 0) for one in series}
    assert len(looks) == len(series)

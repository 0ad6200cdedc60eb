"""The contract holds what it promises, and its exported JSON Schema is the one in the repository."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import results.schema
from results.schema import (
    Axis,
    Chart,
    Column,
    Estimate,
    Finding,
    Heatmap,
    Metric,
    Panel,
    Panels,
    Picture,
    Placeholder,
    Provenance,
    Result,
    Row,
    Series,
    Table,
    parts_of,
)
from tests.lab.datasets.test_viewing import png

EXPORTED = Path(results.__path__[0], "schema.json")
PROVENANCE = Provenance(analysis_version="1", source_hash="0" * 64, cache_key="1" * 64)
PROVENANCE_AS_JSON = PROVENANCE.model_dump()

printable = st.characters(exclude_categories=("Cs", "Cc"))
texts = st.text(printable, max_size=20)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
metrics = st.builds(Metric, value=numbers, title=texts, unit=texts, arithmetic=texts, n=st.integers(1, 9))
names = st.from_regex(r"[a-z0-9][a-z0-9_./|-]{0,10}", fullmatch=True)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    keys = draw(st.lists(st.text(printable, min_size=1, max_size=5), min_size=1, max_size=4, unique=True))
    scalars = st.none() | st.booleans() | numbers | texts
    estimates = st.builds(Estimate, value=numbers, n=st.integers(1, 9), over=texts)
    cells = {key: draw(st.sampled_from([scalars, numbers | estimates])) for key in keys}
    rows = st.lists(st.builds(Row, cells=st.fixed_dictionaries({}, optional=cells)), max_size=4)
    columns = tuple(
        Column(key=key, label=key, type="text" if kind is scalars else "estimate")
        for key, kind in cells.items()
    )
    return Table(caption=draw(texts), columns=columns, rows=tuple(draw(rows)))


@given(st.dictionaries(names, metrics, max_size=3), st.dictionaries(names, tables(), max_size=2))
def test_a_result_survives_json_unchanged(found_metrics, found_tables):
    result = Result(
        analysis="tests.example",
        title="t",
        question="q",
        profile="quick",
        metrics=found_metrics,
        tables=found_tables,
        provenance=PROVENANCE,
    )
    assert Result.model_validate(json.loads(json.dumps(result.model_dump(mode="json")))) == result


def test_the_exported_json_schema_is_up_to_date():
    assert json.loads(EXPORTED.read_text()) == Result.model_json_schema(), (
        "results/schema changed; write results/schema.json again with "
        "`python -m results.schema > results/schema.json`"
    )


def test_an_interval_must_hold_its_value():
    with pytest.raises(ValidationError, match="does not hold the value"):
        Metric(value=0.9, title="accuracy", low=0.5, high=0.8)


def test_a_cell_needs_a_column():
    with pytest.raises(ValidationError, match="no column"):
        Table(caption="", columns=(Column(key="a", label="A"),), rows=(Row(cells={"b": 1}),))


def test_a_finding_rests_on_metrics_of_its_own_result():
    with pytest.raises(ValidationError, match=r"no metric of tests\.example"):
        Result(
            analysis="tests.example",
            title="t",
            question="q",
            profile="full",
            findings={"f": Finding(statement="s", holds=True, metrics=("missing",))},
            provenance=PROVENANCE,
        )


def test_nan_is_no_value():
    with pytest.raises(ValidationError):
        Metric(value=float("nan"), title="loss")


def test_a_series_has_one_length():
    with pytest.raises(ValidationError, match="2 x and 1 y"):
        Series(label="s", x=(0.0, 1.0), y=(0.0,))


def table(type: str, row: Row) -> Table:
    return Table(caption="", columns=(Column(key="a", label="A", type=type),), rows=(row,))  # type: ignore[arg-type]


def test_an_estimate_stands_in_a_column_of_estimates_only() -> None:
    estimate = Estimate(value=0.8, low=0.7, high=0.9)
    assert table("estimate", Row(cells={"a": estimate})).rows[0].cells["a"] == estimate
    with pytest.raises(ValidationError, match="not the type for estimates"):
        table("number", Row(cells={"a": estimate}))
    with pytest.raises(ValidationError, match="is a text"):
        table("estimate", Row(cells={"a": "high"}))


def test_a_best_cell_has_a_meaning() -> None:
    with pytest.raises(ValidationError, match="does not say what that means"):
        table("number", Row(cells={"a": 1}, best=("a",)))


AXES = {"x": Axis(label="x", categories=("p", "q")), "y": Axis(label="y")}


def test_an_interval_lies_above_or_below_a_limit_or_includes_it() -> None:
    found = Estimate(value=0.2, low=0.1, high=0.3)
    assert found.is_above() and found.is_above(0.05) and not found.is_above(0.1)
    assert found.is_below(0.31) and not found.is_below(0.3) and not found.is_below()
    assert found.includes(0.1) and found.includes(0.3) and not found.includes(0.0)
    alone = Estimate(value=0.2)
    assert not (alone.is_above() or alone.is_below(1.0) or alone.includes(0.2))


def test_an_interval_plot_has_points_at_its_categories() -> None:
    with pytest.raises(ValidationError, match="no category"):
        Panel(kind="interval", series=(Series(label="s", x=(2.0,), y=(1.0,)),), **AXES)


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png_header(width: int, height: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x02\x00\x00\x00"
    )


PNG = png(3, 8, 2, bytes(range(9)))


def points(**values: Any) -> Series:
    return Series(**{"label": "s", "x": (0.0,), "y": (1.0,), **values})


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Column(key="a", label="A", format="zzz"), "'zzz' is no format of the numbers"),
        (lambda: Column(key="a", label="A", format="999999999d"), "is no format of the numbers"),
        (lambda: Column(key="a", label="A", type="integer", format=".2d"), "is no format of the numbers"),
        (lambda: points(low=(2.0,), high=(0.5,)), r"1.0 outside of its interval \[2.0, 0.5\]"),
        (lambda: points(low=(0.5,)), "1 low and 0 high"),
        (lambda: points(y=(1e308,)), "too large to be drawn"),
        (lambda: Panel(kind="bar", series=(points(x=(2.0,)),), **AXES), "no category"),
        (
            lambda: Panel(
                kind="line", x=Axis(label="x"), y=Axis(label="y", scale="log"), series=(points(y=(0.0,)),)
            ),
            "not above zero on a logarithmic axis y",
        ),
        (lambda: heatmap(((1.0, 2.0, 3.0),)), "3 places and 2 categories on its axis x"),
        (lambda: heatmap(((1.0, -1e308),)), "too large to be drawn"),
        (lambda: Picture(png=base64.b64encode(b"<!DOCTYPE html>" * 9).decode()), "no PNG file"),
        (lambda: Picture(png="iVBORw0KGgo"), "no PNG file"),
        (lambda: Picture(png=in_base64(png_header(16_000, 16_000))), "16000 × 16000 pixels"),
        (lambda: Picture(png=in_base64(png_header(300, 200))), "is a PNG file that is cut off or damaged"),
        (lambda: Picture(png=in_base64(PNG[:-12])), "cut off or damaged"),
        (lambda: Picture(png=in_base64(PNG[:45] + bytes([PNG[45] ^ 4]) + PNG[46:])), "cut off or damaged"),
        (lambda: Picture(png=in_base64(png(3, 8, 2, bytes(10)))), "cut off or damaged"),  # a pixel too many
        (lambda: Picture(png=in_base64(png(3, 8, 2, bytes(8)))), "cut off or damaged"),
        (lambda: Picture(png=in_base64(png(3, 8, 5, bytes(9)))), "cut off or damaged"),  # no kind of colour
        (
            lambda: Provenance(**{**PROVENANCE.model_dump(), "created": "yesterday"}),
            "'yesterday' is no moment",
        ),
        (lambda: result_with(Finding(statement="a\x00b", holds=True)), "a control character stands after"),
        (lambda: result_with(Finding(statement="a\x9bb", holds=True)), "a control character stands after"),
    ],
)
def test_what_cannot_be_drawn_or_printed_is_refused(make: Callable[[], Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        make()


def test_what_can_be_drawn_is_taken() -> None:
    assert Picture(png=in_base64(PNG)).title == ""
    assert points(low=(0.5,), high=(1.0,)).y == (1.0,)
    assert result_with(Finding(statement="tabs\tand\nlines \\u0000, × and 猫", holds=True)).findings


def heatmap(values: tuple[tuple[float, ...], ...], **more: Any) -> Heatmap:
    return Heatmap(caption="c", alt="a", values=values, value_label="v", **AXES, **more)


def test_a_logarithm_is_of_positive_values() -> None:
    assert heatmap(((0.0, 1.0),), scale="log").scale == "log"
    for values in (((-1.0, 1.0),), ((0.0, 0.0),)):
        with pytest.raises(ValidationError, match="none below zero"):
            heatmap(values, scale="log")


def test_rates_of_a_roc_are_shares() -> None:
    with pytest.raises(ValidationError, match="between 0 and 1"):
        Panel(kind="roc", x=Axis(label="x"), y=Axis(label="y"), series=(points(y=(1.5,)),))


def test_two_series_of_a_plot_differ_in_label() -> None:
    series = Series(label="s", x=(0.0,), y=(1.0,))
    with pytest.raises(ValidationError, match="same label"):
        Chart(kind="line", caption="c", alt="a", series=(series, series), **AXES)


def test_shared_axes_are_the_same() -> None:
    panels = tuple(
        Panel(
            kind="line", x=Axis(label="Epoch"), y=Axis(label=label), series=(Series(label="s", x=(), y=()),)
        )
        for label in ("Loss", "Accuracy")
    )
    assert Panels(caption="c", alt="a", panels=panels, share_x=True).columns == 2
    with pytest.raises(ValidationError, match="share an axis y that differs"):
        Panels(caption="c", alt="a", panels=panels, share_y=True)


def result_with(finding: Finding) -> Result:
    return Result(
        analysis="tests.example",
        title="t",
        question="q",
        profile="full",
        metrics={"gain/test": Metric(value=0.03, title="Gain")},
        findings={"f": finding},
        provenance=PROVENANCE,
    )


def test_a_sentence_is_words_and_places_for_numbers() -> None:
    sentence = "It gains {gain/test:points ci unit} over {members}, to {a:.3f} from {b}."
    assert list(parts_of(sentence)) == [
        "It gains ",
        Placeholder("gain/test", "points", frozenset({"ci", "unit"})),
        " over ",
        Placeholder("members", "", frozenset()),
        ", to ",
        Placeholder("a", ".3f", frozenset()),
        " from ",
        Placeholder("b", "", frozenset()),
        ".",
    ]


@pytest.mark.parametrize(
    ("finding", "complaint"),
    [
        ({"sentences": {"yes": "Yes."}}, "no sentence for 'no', only for yes"),
        ({"sentences": {"no": "It is {gain/tets}."}}, "rests on 'gain/tets'"),
        ({"sentences": {"no": "It is {gain/test:points so}."}}, "'so' is no option"),
        ({"sentences": {"no": "It is {gain/test:.3x}."}}, "'.3x' is no format"),
        ({"sentences": {"no": "It is {gain/test."}}, "no other half"),
    ],
)
def test_a_sentence_that_cannot_be_printed_is_refused(finding: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        result_with(Finding(statement="s", holds=False, **finding))


def test_a_plain_statement_has_its_verdict_from_whether_it_holds() -> None:
    found = result_with(
        Finding(statement="s", holds=True, sentences={"yes": "{gain/test} {members}", "no": "N"})
    )
    assert found.findings["f"].outcome == "yes"

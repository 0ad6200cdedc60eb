"""The contract holds what it promises, and its exported JSON Schema is the one in the repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import results.schema
from results.schema import Column, Finding, Metric, Provenance, Result, Row, Series, Table

EXPORTED = Path(results.schema.__file__).with_name("schema.json")
PROVENANCE = Provenance(analysis_version="1", source_hash="0" * 64, cache_key="1" * 64)

texts = st.text(max_size=20)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
metrics = st.builds(Metric, value=numbers, title=texts, unit=texts, arithmetic=texts, n=st.integers(1, 9))
names = st.from_regex(r"[a-z0-9][a-z0-9_./|-]{0,10}", fullmatch=True)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    keys = draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4, unique=True))
    scalars = st.none() | st.booleans() | numbers | texts
    rows = st.lists(st.builds(Row, cells=st.dictionaries(st.sampled_from(keys), scalars)), max_size=4)
    return Table(
        caption=draw(texts), columns=tuple(Column(key=key, label=key) for key in keys), rows=tuple(draw(rows))
    )


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
        "results/schema.py changed; write results/schema.json again with "
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

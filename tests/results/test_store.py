"""Results are written whole, and what cannot be trusted is refused by name."""

from __future__ import annotations

import json

import pytest

from results.schema import Metric, Provenance, Result
from results.store import MissingResult, ResultError, Store, digest, write_atomically

RESULT = Result(
    analysis="tests.example",
    title="Example",
    question="Is it written whole?",
    profile="full",
    metrics={"accuracy": Metric(value=0.5, title="Accuracy", unit="fraction")},
    provenance=Provenance(analysis_version="1", source_hash="a", cache_key="b"),
)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results")
    store.write(RESULT)
    return store


def edit(store, change):
    path = store.path("tests.example", "full")
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def rehash(data):
    del data["content_hash"]
    data["content_hash"] = digest(data)


def test_what_is_written_is_read_back(store):
    assert store.read("tests.example", "full") == RESULT


def test_full_is_preferred_to_quick_unless_asked(store):
    store.write(RESULT.model_copy(update={"profile": "quick"}))
    assert store.best("tests.example").profile == "full"
    assert store.best("tests.example", prefer="quick").profile == "quick"


def test_custom_results_are_taken_only_when_asked_for(tmp_path):
    store = Store(tmp_path)
    store.write(RESULT.model_copy(update={"profile": "custom"}))
    with pytest.raises(MissingResult, match=r"runner\.py run tests\.example"):
        store.best("tests.example")
    assert store.best("tests.example", prefer="custom").profile == "custom"


def test_an_edited_file_is_refused(store):
    edit(store, lambda data: data["metrics"]["accuracy"].update(value=0.99))
    with pytest.raises(ResultError, match="changed after it was written"):
        store.read("tests.example", "full")


def test_a_truncated_file_is_refused(store):
    path = store.path("tests.example", "full")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ResultError, match=r"tests\.example\.json cannot be read"):
        store.read("tests.example", "full")


def test_a_newer_schema_is_refused_before_its_content_is_judged(store):
    edit(store, lambda data: data.update(schema_version=99, surprise=True))
    with pytest.raises(ResultError, match=r"newer convstudy .* update convstudy"):
        store.read("tests.example", "full")


def test_a_result_of_another_analysis_is_refused(store):
    def change(data):
        data["analysis"] = "tests.other"
        rehash(data)

    edit(store, change)
    with pytest.raises(ResultError, match=r"of tests\.other, not of tests\.example"):
        store.read("tests.example", "full")


def test_an_unknown_key_is_refused(store):
    def change(data):
        data["colour"] = "red"
        rehash(data)

    edit(store, change)
    with pytest.raises(ResultError, match="colour"):
        store.read("tests.example", "full")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "result.json"
    write_atomically(target, b"old")
    with pytest.raises(TypeError):
        write_atomically(target, "text, not bytes")  # type: ignore[arg-type]
    assert target.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]

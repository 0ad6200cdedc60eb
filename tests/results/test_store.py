"""Results are written whole, and what cannot be trusted is refused by name."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from results.schema import CellRecord, Metric, Outcomes, Provenance, Result
from results.store import MissingResult, ResultError, Store, digest, write_atomically
from tests.conftest import ROOT

DATA = Path(__file__).parent / "data"
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


def test_a_result_of_the_first_version_is_read_and_written_as_the_present_one(tmp_path):
    store = Store(tmp_path)
    path = store.path("classification.cifar10_baseline", "full")
    path.parent.mkdir()
    path.write_bytes((DATA / "version1.json").read_bytes())
    result = store.read("classification.cifar10_baseline", "full")
    assert json.loads(path.read_text())["schema_version"] == 1 and result.schema_version == 2
    accuracy = result.metrics["baseline/test_accuracy"]
    assert (round(accuracy.value, 4), accuracy.n, accuracy.over) == (0.7589, 3, "")
    assert result.tables["results"].columns[-1].scale == 1
    assert all(finding.outcome in ("yes", "no") for finding in result.findings.values())
    store.write(result)
    assert json.loads(path.read_text())["schema_version"] == 2
    assert store.read("classification.cifar10_baseline", "full") == result


def test_an_edited_result_of_the_first_version_is_refused(tmp_path):
    store = Store(tmp_path)
    path = store.path("classification.cifar10_baseline", "full")
    path.parent.mkdir()
    path.write_text((DATA / "version1.json").read_text().replace('"n": 3', '"n": 4', 1))
    with pytest.raises(ResultError, match="changed after it was written"):
        store.read("classification.cifar10_baseline", "full")


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


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files have names from the first here")
def test_a_process_killed_while_it_writes_leaves_nothing(tmp_path):
    code = "import os, sys, pathlib, results.store as store\nstore.os.fsync = lambda _: os._exit(9)\n"
    code += "store.write_atomically(pathlib.Path(sys.argv[1]) / 'result.json', b'new')"
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert killed.returncode == 9
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_killed_before_the_move_left_goes_with_the_next_write(tmp_path):
    code = "import os, sys, pathlib, results.store as store\n"
    code += "sys.addaudithook(lambda event, _: event == 'os.rename' and os._exit(9))\n"
    code += "store.write_atomically(pathlib.Path(sys.argv[1]) / 'result.json', b'new')"
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert killed.returncode == 9
    (left,) = tmp_path.iterdir()
    in_hand = tmp_path / ".result.json.0123abcd"
    with in_hand.open("wb") as file:  # of a writer that is alive
        fcntl.flock(file, fcntl.LOCK_EX)
        write_atomically(tmp_path / "result.json", b"new")
    assert not left.exists()
    assert sorted(file.name for file in tmp_path.iterdir()) == [in_hand.name, "result.json"]


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 200_000,
        b'{"content_hash": "0", "value": 1e999}',
        b'{"content_hash": "0", "title": "\\ud800"}',
        b"\xff\xfe",
        b"",
    ],
    ids=["nested", "infinite", "surrogate", "bytes", "empty"],
)
def test_whatever_the_damage_the_file_is_refused_by_name(store, text):
    store.path("tests.example", "full").write_bytes(text)
    with pytest.raises(ResultError, match=r"tests\.example\.json (cannot be read|was changed)"):
        store.read("tests.example", "full")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_refused_and_not_waited_for(store, make):
    path = store.root / "quick" / "tests.example.json"
    path.parent.mkdir()
    make(path)
    with pytest.raises(ResultError, match=r"tests\.example\.json is no file"):
        store.read("tests.example", "quick")


def test_a_disk_without_room_is_named_with_the_file(tmp_path):
    code = "import pathlib, resource, signal, sys\nfrom results.store import write_atomically\n"
    code += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))\n"
    code += "write_atomically(pathlib.Path(sys.argv[1]) / 'result.json', bytes(10))"
    refused = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False
    )
    assert refused.stderr.splitlines()[-1] == f"OSError: [Errno 27] File too large: '{tmp_path}/result.json'"
    assert list(tmp_path.iterdir()) == []


OUTCOMES = Outcomes(
    analysis="tests.example",
    cells=(
        CellRecord(
            key="k",
            id="0",
            settings={"rate": 0.1},
            outcome={"accuracy": 0.5},
            seconds=1.0,
            device="cpu",
            threads=1,
            peak_memory_bytes=1,
            created="2026-11-21T00:00:00+00:00",
        ),
    ),
)


def test_outcomes_lie_beside_their_result_and_are_no_result(store):
    assert store.read_outcomes("tests.example", "full") is None
    path = store.write_outcomes(OUTCOMES, "full")
    assert path == store.root / "full" / "outcomes" / "tests.example.json"
    assert store.read_outcomes("tests.example", "full") == OUTCOMES
    assert store.recorded() == [("tests.example", "full")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('"accuracy": 0.5', '"accuracy": 0.9', "was changed after it was written"),
        ('"cells": [', '"cells": ', "cannot be read"),
        ('"schema_version": 1', '"schema_version": 2', "newer convstudy"),
    ],
)
def test_outcomes_that_cannot_be_trusted_are_refused(store, before, after, expected):
    path = store.write_outcomes(OUTCOMES, "full")
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(ResultError, match=expected):
        store.read_outcomes("tests.example", "full")

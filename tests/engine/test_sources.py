"""The code of an analysis: what counts of a module, which modules count, and what is kept of reading them."""

from __future__ import annotations

import os
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

import analyses
from engine.sources import Module, ParsedModules, code_only, parse, sources
from tests.analyses.experiments import Trial

SOURCE = dedent('''
    """A module."""

    # a comment
    def f(x):  # another
        """What it does."""
        text = "# no comment"
        return x + 1, text
''')


def test_comments_and_docstrings_do_not_change_the_code():
    edited = SOURCE.replace("a comment", "ein Kommentar").replace("What it does.", "Tut es — gründlich.")
    assert code_only(edited) == code_only(SOURCE)
    assert "no comment" in code_only(SOURCE)


def test_a_changed_statement_changes_the_code():
    assert code_only(SOURCE.replace("x + 1", "x + 2")) != code_only(SOURCE)


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30))
def test_any_comment_is_left_out(comment):
    assert code_only(f"x = 1  # {comment}\n") == "x = 1"


def test_the_code_of_an_analysis_includes_what_it_imports_inside_functions():
    found = sources(analyses.get("architecture.vgg19"))
    assert {"analyses.architecture.vgg19", "lab.counting", "lab.formulas", "lab.ledger"} <= set(found)
    assert not [name for name in found if name.startswith("results")]


def test_the_helpers_of_a_third_partys_analysis_are_its_code_too(tmp_path, monkeypatch):
    package = tmp_path / "someones_package"
    (package / "parts").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "analysis.py": "from . import helper\nfrom .parts import number\nimport json, numpy\n",
        "helper.py": "from lab import formulas\n",
        "parts/__init__.py": "from .deep import number\n",
        "parts/deep.py": "from ..helper import formulas\nfrom ... import beyond\nnumber = 1\n",
        "unused.py": "",
    }.items():
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    analysis = type("Theirs", (Trial,), {"__module__": "someones_package.analysis"})()
    found = {name.removeprefix("someones_package.") for name in sources(analysis)}
    assert {"analysis", "helper", "parts", "parts.deep", "lab.formulas"} <= found
    assert not found & {"unused", "json", "numpy"}


def test_what_is_no_python_counts_by_its_text():
    assert parse("def f(:").code != parse("def g(:").code
    assert parse("def f(:").imports == ()


READ = b"import lab.formulas\nREVISION = 3\n"
EXPECTED = Module(parse(READ.decode()).code, 3, ("lab.formulas",))


def test_what_was_read_of_a_module_is_kept_by_its_text(tmp_path):
    kept = ParsedModules(tmp_path / "kept.json")
    assert kept.read(READ) == EXPECTED
    kept.save()
    again = ParsedModules(tmp_path / "kept.json")
    assert list(again.known.values()) == [EXPECTED]
    assert again.read(READ) == EXPECTED
    assert again.read(READ + b"x = 1") != EXPECTED


def test_what_was_kept_for_checkouts_long_out_of_use_goes(tmp_path):
    names = ("parsed-0.json", "parsed-1.json", "settled-0.json", "parsed.txt")
    for name in names:
        (tmp_path / name).write_text("{}")
    for name in names[1:]:
        os.utime(tmp_path / name, (0, 0))
    kept = ParsedModules(tmp_path / "parsed-2.json")
    kept.read(READ)
    kept.save()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"parsed-0.json", "parsed-2.json", "settled-0.json", "parsed.txt"}


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "nested", "folder"])
def test_a_damaged_file_of_what_was_read_is_made_again(tmp_path, damage):
    file = tmp_path / "kept.json"
    kept = ParsedModules(file)
    kept.read(READ)
    kept.save()
    text = file.read_bytes()
    damaged = {
        "empty": b"",
        "cut": text[:-20],
        "flipped": text.replace(EXPECTED.code.encode(), b"0" * 12),
        "nested": b"[" * 200_000,
    }
    file.unlink()
    if damage == "folder":
        file.mkdir()
    else:
        file.write_bytes(damaged[damage])
    again = ParsedModules(file)
    assert again.known == {}
    assert again.read(READ) == EXPECTED
    again.save()

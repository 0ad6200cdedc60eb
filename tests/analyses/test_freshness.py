"""A result is stale when code, parameters or libraries changed, and only then; and the reason is named."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

from hypothesis import given
from hypothesis import strategies as st

import analyses
from analyses.execution import execute
from analyses.freshness import code_only, freshness, sources
from results.store import Store, digest

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


def test_a_result_is_fresh_until_something_changes(tmp_path):
    store, analysis = Store(tmp_path), analyses.get("architecture.lenet")
    parameters = analysis.parameters("full")
    assert freshness(analysis, "full", parameters, store).state == "missing"
    result = execute(analysis, "full", parameters, store)
    assert freshness(analysis, "full", parameters, store).state == "fresh"

    changed = result.provenance.model_copy(
        update={
            "cache_key": digest("other"),
            "libraries": {**result.provenance.libraries, "torch": "1.0"},
            "sources": {**result.provenance.sources, "lab.counting": "0"},
        }
    )
    store.write(result.model_copy(update={"provenance": changed}))
    found = freshness(analysis, "full", parameters, store)
    assert found.state == "stale"
    assert any(reason.startswith("the code of lab.counting changed") for reason in found.reasons)
    assert any(reason.startswith("torch is") and "1.0" in reason for reason in found.reasons)


def test_asking_whether_results_are_fresh_imports_no_torch():
    code = (
        "import sys, analyses\n"
        "from analyses.freshness import cache_key\n"
        "for name in analyses.identifiers():\n"
        "    analysis = analyses.get(name)\n"
        "    cache_key(analysis, analysis.parameters('full'))\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)

"""The registry of analyses: the modules of this package, and entry points of "convstudy.analyses".

A built-in is found by its file: `analyses/architecture/alexnet.py` is `architecture.alexnet`. Nothing is
imported until it is asked for.
"""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analyses.plugin import Analysis

GROUP = "convstudy.analyses"


class UnknownAnalysis(LookupError):
    """No analysis has that id."""


class BrokenPlugin(RuntimeError):
    """An analysis that cannot be loaded, or two of one id."""


def nearest(name: str, names: list[str]) -> str:
    """ ", did you mean a or b" for the names close to `name`; empty when none is."""
    close = get_close_matches(name, names, n=3, cutoff=0.4)
    return f"; did you mean {' or '.join(close)}?" if close else ""


@cache
def _targets() -> dict[str, str]:
    """Analysis id → "module:attribute"."""
    package = Path(__file__).parent
    found = {
        f"{file.parent.name}.{file.stem}": f"analyses.{file.parent.name}.{file.stem}:analysis"
        for file in sorted(package.glob("*/*.py"))
        if not file.stem.startswith("_")
    }
    for point in entry_points(group=GROUP):
        if found.setdefault(point.name, point.value) != point.value:
            raise BrokenPlugin(f"two analyses are called {point.name}: {found[point.name]} and {point.value}")
    return found


def identifiers() -> list[str]:
    return sorted(_targets())


def get(identifier: str) -> Analysis[Any]:
    """The analysis of that id; UnknownAnalysis names the nearest ones."""
    targets = _targets()
    if identifier not in targets:
        raise UnknownAnalysis(
            f"there is no analysis {identifier!r}{nearest(identifier, list(targets))} "
            "(`python runner.py list analyses` shows all)"
        )
    module, _, attribute = targets[identifier].partition(":")
    try:
        analysis: Analysis[Any] = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # anything may go wrong in a file of someone else's
        raise BrokenPlugin(
            f"the analysis {identifier} cannot be loaded from {targets[identifier]}: {error}"
        ) from error
    if analysis.id != identifier:
        raise BrokenPlugin(f"{targets[identifier]} calls itself {analysis.id}, not {identifier}")
    return analysis


def select(names: list[str]) -> list[str]:
    """Ids for what a user typed: ids, or a family such as "architecture"; all when nothing was typed."""
    chosen: list[str] = []
    for name in names or identifiers():
        family = [known for known in identifiers() if known.startswith(name + ".")]
        if not family:
            get(name)
        chosen += family or [name]
    return list(dict.fromkeys(chosen))

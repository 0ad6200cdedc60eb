"""What goes wrong in an analysis's own code, as one sentence that names the analysis and the part of it."""

from __future__ import annotations

import reprlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

import analyses
from analyses.plugin import Analysis
from results import schema

KEPT = "what was finished is kept, and the same command takes it up again"

UNION = ("int", "float", "str", "bool", "none")  # what pydantic puts behind a field of several types


class AnalysisFailed(RuntimeError):
    """An error of an analysis's own code, or the end of a process that ran it; not of the machinery."""


@contextmanager
def faults_of(analysis: Analysis[Any], part: str) -> Iterator[None]:
    """Turn whatever goes wrong within into AnalysisFailed; Ctrl-C and missing data stay what they are."""
    try:
        with analyses.contained():
            yield
    except (AnalysisFailed, KeyboardInterrupt):
        raise
    except BaseException as error:
        if _is_missing_data(error):
            raise
        name, text = type(error).__name__, analyses.in_words(error)
        if isinstance(error, MemoryError) or name == "OutOfMemoryError":  # the latter is torch's
            raise AnalysisFailed(f"{analysis.id} ran out of memory in {part}; {KEPT}") from error
        if isinstance(error, SystemExit):
            text = f"it called {analyses.exit_of(error)}"
        elif isinstance(error, OSError) and error.strerror:
            where = f" ({error.filename})" if error.filename else ""
            text = f"{error.strerror}{where}"
        elif isinstance(error, ValidationError):
            text = _of_contract(error)
        elif type(error).__module__.partition(".")[0] not in ("analyses", "lab"):
            text = f"{name}: {text}"
        kept = f"; {KEPT}" if isinstance(error, OSError) and error.strerror else ""
        text += _place(analysis, error) + kept
        raise AnalysisFailed(f"{analysis.id} failed in {part}: {text}") from error


def _of_contract(error: ValidationError) -> str:
    """What cannot be in a Metric, a Table or whatever of the contract was built: its first wrong field."""
    found = error.errors(include_url=False)
    known = getattr(getattr(schema, error.title, None), "model_fields", {})
    for one in found:
        if one["type"] == "extra_forbidden":
            name = str(one["loc"][-1])
            return f"{error.title} has no {name!r}{analyses.nearest(name, list(known))}"
    field, first = found[0]["loc"][:1], found[0]
    if first["type"] == "missing":
        return f"{error.title} lacks {'.'.join(map(str, first['loc']))}"
    expectations = [
        one["msg"].removeprefix("Value error, ").partition(", unable")[0]
        for one in found
        if one["loc"][:1] == field
    ]
    where = ".".join(str(part) for part in first["loc"] if part not in UNION)
    of = f"{where} of {error.title}" if where else error.title
    given = f", not {reprlib.repr(first['input'])}" if where else ""
    return f"{of}: {' or '.join(dict.fromkeys(expectations))}{given}"


def _place(analysis: Analysis[Any], error: BaseException) -> str:
    """ " (squeeze.py:17)": where the fault left the file of an analysis that is not ours."""
    module = type(analysis).__module__
    if module.partition(".")[0] == "analyses":
        return ""
    file = getattr(sys.modules.get(module), "__file__", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" ({file}:{lines[-1]})" if lines else f" ({file})"


def _is_missing_data(error: BaseException) -> bool:
    datasets = sys.modules.get("lab.datasets")  # what was never imported has raised nothing
    return datasets is not None and isinstance(error, datasets.DataError)

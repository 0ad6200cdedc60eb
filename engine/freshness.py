"""Is a recorded result still the one that today's code would make? Answered without importing torch.

A cache key is taken of the code that computes (this project's modules that the analysis imports, without
comments and docstrings), of the parameters, and for analytic analyses of the library versions too.

The outcomes of an experiment's cells are dear. A cell is keyed by the analysis's id and `version`, by its
settings and seed, by the data, and by the modules of `lab` alone: what is changed in `analyses` summarizes
the same outcomes anew. Shared machinery in `lab` declares `REVISION = n` at the top of a module, or of a
package's `__init__` for all of it; it then counts by that number, to be raised when what it computes
changes; at revision 1 not at all, so that a new network, say, repeats no training of the others.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import analyses
from analyses.plugin import Analysis, Cell, Parameters
from results.schema import Result
from results.store import MissingResult, Profile, ResultError, Store, digest

FIRST = 1  # the revision at which a module of `lab` does not decide a cell
#: The contract: changing it does not change what an analysis computes.
NOT_HASHED = ("analyses", "analyses.plugin")


def code_only(source: str) -> str:
    """`source` without comments, docstrings and blank lines: what a change of meaning must touch."""
    lines = source.splitlines(keepends=True)
    spans: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            spans.append((token.start, token.end))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                start = (first.lineno, _characters(lines, first.lineno, first.col_offset))
                end_line = first.end_lineno or first.lineno
                spans.append((start, (end_line, _characters(lines, end_line, first.end_col_offset or 0))))
    for (first_line, first_column), (last_line, last_column) in sorted(spans, reverse=True):
        kept = lines[first_line - 1][:first_column] + lines[last_line - 1][last_column:]
        lines[first_line - 1 : last_line] = [kept] + [""] * (last_line - first_line)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _characters(lines: list[str], line: int, utf8_column: int) -> int:
    """ast counts columns in UTF-8 bytes, tokenize in characters."""
    return len(lines[line - 1].encode()[:utf8_column].decode())


def file_of(module: str) -> Path | None:
    """The source file of a module, found without importing the packages around it."""
    top, *path = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or not path:
        return Path(spec.origin) if spec and spec.origin else None
    for folder in spec.submodule_search_locations or ():
        place = Path(folder, *path)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def _imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(analysis: Analysis[Any]) -> dict[str, str]:
    """Module name → short hash of its code, for the analysis and every module of ours that it needs."""
    modules = [type(user).__module__ for user in (analysis, *map(analyses.get, analysis.uses))]
    by_code = analysis.analytic
    return dict(sorted(item for module in modules for item in _closure(module, by_code).items()))


def _closure(module: str, by_code: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        read = _module(name, by_code)
        if read and name not in found:
            found[name], needed = read
            waiting += needed
    return found


def _revision(source: str) -> int | None:
    """The number that a module declares at its top level as REVISION."""
    for node in ast.parse(source).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "REVISION"
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, int)
        ):
            return node.value.value
    return None


def _declared(name: str) -> int | None:
    """The revision of a module, or of the innermost package that has one."""
    parts = name.split(".")
    for end in range(len(parts), 1, -1):
        file = file_of(".".join(parts[:end]))
        found = _revision(file.read_text(encoding="utf-8")) if file and file.suffix == ".py" else None
        if found is not None:
            return found
    return None


@cache
def _module(name: str, by_code: bool) -> tuple[str, list[str]] | None:
    """Short hash of a module's code, or its revision unless `by_code`, and the modules of ours that it
    imports; None without source."""
    file = file_of(name)
    if file is None or file.suffix != ".py":
        return None
    text = file.read_text(encoding="utf-8")
    needed = [
        found
        for found in _imports(text)
        if found.split(".")[0] in ("analyses", "lab") and found not in NOT_HASHED
    ]
    revision = None if by_code else _declared(name)
    if revision is not None:
        return f"revision {revision}", needed
    return hashlib.sha256(code_only(text).encode()).hexdigest()[:12], needed


@cache
def library_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def libraries(analysis: Analysis[Any]) -> dict[str, str]:
    return {name: library_version(name) for name in analysis.libraries}


def source_hash(analysis: Analysis[Any]) -> str:
    return digest(sources(analysis))


def cache_key(analysis: Analysis[Any], parameters: Parameters) -> str:
    """Hash of all that decides the outcome. An experiment's libraries are recorded, not keyed: a result
    measured on another machine stays a result."""
    return digest(
        {
            "analysis": analysis.id,
            "version": analysis.version,
            "source": source_hash(analysis),
            "parameters": parameters.model_dump(mode="json"),
            "libraries": libraries(analysis) if analysis.analytic else {},
        }
    )


def device_class(device: str) -> str:
    """ "cpu", "mps" or "cuda", of what torch or a record calls a device; records have the names of GPUs."""
    return device if device in ("cpu", "mps") else "cuda"


def cell_key(
    analysis: Analysis[Any],
    cell: Cell,
    fingerprints: Mapping[str, str],
    device: str = "cpu",
    threads: int = 1,
) -> str:
    """Hash of all that decides the outcome of one cell. `fingerprints`: data set → hash of its content.

    Arithmetic is another one on another class of device, and with other threads; a CPU and one thread are
    what is understood.
    """
    modules = sources(analysis)
    if not analysis.analytic:
        modules = {
            name: code
            for name, code in modules.items()
            if name.split(".")[0] == "lab" and code != f"revision {FIRST}"
        }
    computed_with: dict[str, Any] = {}
    if not analysis.analytic and device_class(device) != "cpu":
        computed_with["device"] = device_class(device)
    if not analysis.analytic and threads != 1:
        computed_with["threads"] = threads
    return digest(
        {
            **computed_with,
            "analysis": analysis.id,
            "version": analysis.version,
            "source": modules,
            "settings": cell.settings,
            "seed": cell.seed,
            "cell": cell.id if analysis.analytic else "",
            "data": dict(fingerprints),
            "libraries": libraries(analysis) if analysis.analytic else {},
        }
    )


@dataclass(frozen=True)
class Freshness:
    """Whether a recorded result would be made again, and why."""

    state: Literal["fresh", "stale", "missing", "refused"]
    reasons: tuple[str, ...]
    result: Result | None = None


def freshness(
    analysis: Analysis[Any], profile: Profile, parameters: Parameters, store: Store, *, data: bool = True
) -> Freshness:
    """How the result of a profile stands. `data`: also compare the data sets that are on this machine."""
    try:
        result = store.read(analysis.id, profile)
    except MissingResult as error:
        return Freshness("missing", (error.problem,))
    except ResultError as error:
        return Freshness("refused", (error.problem,))
    other_data = tuple(_other_data(result, analysis, parameters)) if data else ()
    if result.provenance.cache_key == cache_key(analysis, parameters) and not other_data:
        return Freshness("fresh", (), result)
    return Freshness("stale", (*other_data, *_differences(result, analysis, parameters)), result)


def _other_data(result: Result, analysis: Analysis[Any], parameters: Parameters) -> Iterator[str]:
    """Where the data here is not what the result was measured on; data that is not here is passed over."""
    from lab.datasets import DataError, locate

    measured = {dataset.fingerprint for dataset in result.provenance.datasets}
    for name in analysis.datasets(parameters):
        try:
            found = locate(name)
        except DataError:
            continue
        if found.fingerprint not in measured:
            yield f"the data set {name} in {found.release.path} is not the one that was measured on"


def _differences(result: Result, analysis: Analysis[Any], parameters: Parameters) -> Iterator[str]:
    recorded = result.provenance
    if recorded.analysis_version != analysis.version:
        yield f"the analysis is version {analysis.version}, the result of version {recorded.analysis_version}"
    now = sources(analysis)
    for name in sorted({*now, *recorded.sources}):
        if name not in recorded.sources:
            yield f"the code now uses {name}"
        elif name not in now:
            yield f"the code no longer uses {name}"
        elif now[name] != recorded.sources[name]:
            yield f"the code of {name} changed"
    parameters_now = parameters.model_dump(mode="json")
    for key in sorted({*parameters_now, *recorded.parameters}):
        before, after = recorded.parameters.get(key), parameters_now.get(key)
        if before != after:
            yield f"the parameter {key} is {after!r}, it was {before!r}"
    if analysis.analytic:
        for name, installed in libraries(analysis).items():
            if recorded.libraries.get(name) != installed:
                yield f"{name} is {installed}, it was {recorded.libraries.get(name, 'not recorded')}"

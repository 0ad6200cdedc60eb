"""The code that an analysis is made of: its module, and the modules of ours that it imports, by short hash.

Found without importing any of them. Parsing all takes seconds, so what was read of a module is kept in the
user's cache by the hash of its text.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import json
import os
import platform
import time
import tokenize
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import analyses
from analyses.plugin import Analysis
from results.store import digest, write_atomically

#: The contract: changing it does not change what an analysis computes.
NOT_HASHED = ("analyses", "analyses.plugin")
UNUSED = 90 * 24 * 3600  # seconds after which what was kept for a checkout goes; at worst it is made again


def sources(analysis: Analysis[Any]) -> dict[str, str]:
    """Module name → short hash of its code, for the analysis and every module of ours that it needs.

    Ours are those of `analyses` and `lab`, and of the packages that a third party's analysis comes with.
    Modules of `lab` that declare a revision count by that in an experiment.
    """
    users = (analysis, *map(analyses.get, analysis.uses))
    modules = tuple(type(user).__module__ for user in users)
    return dict(_sources(modules, _ours(modules, analysis.id), by_code=analysis.analytic))


def _ours(modules: Iterable[str], identifier: str) -> frozenset[str]:
    own = {module.partition(".")[0] for module in modules}
    return frozenset({"analyses", "lab", *own, *analyses.packages(identifier)})


@cache
def _sources(modules: tuple[str, ...], ours: frozenset[str], by_code: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        module = _module(name)
        if module is None or name in found:
            continue
        revision = None if by_code else _revision(name)
        found[name] = module.code if revision is None else f"revision {revision}"
        needed = (_absolute(text, name) for text in module.imports)
        waiting += [text for text in needed if text.partition(".")[0] in ours and text not in NOT_HASHED]
    _parsed().save()
    return dict(sorted(found.items()))


def _absolute(text: str, module: str) -> str:
    """The name that an import in `module` stands for: "..pixels.mean" in a.b.c is a.pixels.mean."""
    level = len(text) - len(text.lstrip("."))
    if not level:
        return text
    file = file_of(module)
    package = module.split(".") if file and file.name == "__init__.py" else module.split(".")[:-1]
    return ".".join([*package[: len(package) - level + 1], text[level:]])


def _revision(name: str) -> int | None:
    """The revision of a module, or of the innermost package that has one."""
    parts = name.split(".")
    for end in range(len(parts), 1, -1):
        module = _module(".".join(parts[:end]))
        if module and module.revision is not None:
            return module.revision
    return None


@cache
def file_of(module: str) -> Path | None:
    """The source file of a module, found without importing the packages around it."""
    top, *path = module.split(".")
    spec = _top_spec(top)
    if spec is None or not path:
        return Path(spec.origin) if spec and spec.origin else None
    for folder in spec.submodule_search_locations or ():
        place = Path(folder, *path)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


@cache
def _top_spec(name: str) -> Any:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


class Module(NamedTuple):
    """What was read of a module: a short hash of its code, its REVISION, and what it imports, as written."""

    code: str
    revision: int | None
    imports: tuple[str, ...]


@cache
def _module(name: str) -> Module | None:
    """None without source."""
    file = file_of(name)
    return _parsed().read(file.read_bytes()) if file and file.suffix == ".py" else None


def code_of(name: str) -> str:
    """A short hash of the code of a module; empty without source."""
    module = _module(name)
    return module.code if module else ""


class ParsedModules:
    """Modules by the hash of their text, kept in a file between commands; a damaged file is made again."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.known: dict[str, Module] = {}
        self.used: dict[str, Module] = {}
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            kept = json.loads(file.read_bytes())
            if kept["made_by"] == _made_by() and kept["hash"] == digest(kept["modules"]):
                self.known = {
                    text: Module(code, revision, tuple(imports))
                    for text, (code, revision, imports) in kept["modules"].items()
                }

    def read(self, source: bytes) -> Module:
        text = hashlib.sha256(source).hexdigest()
        module = self.known.get(text) or self.used.get(text) or parse(source.decode("utf-8", "replace"))
        self.used[text] = module
        return module

    def save(self) -> None:
        """Keep what was used, where something of it is new."""
        if self.used.keys() <= self.known.keys():
            return
        self.known |= self.used
        modules = {text: list(module) for text, module in self.known.items()}
        with suppress(OSError):  # then the next command parses again
            kept = {"made_by": _made_by(), "hash": digest(modules), "modules": modules}
            keep_in_cache(self.file, kept)


@cache
def _parsed() -> ParsedModules:
    return ParsedModules(cache_file("parsed"))


def cache_file(name: str, *of: str) -> Path:
    """A file in the user's cache for this checkout or installation, and for what else it is of."""
    which = hashlib.sha256("\0".join((str(Path(__file__).parent), *of)).encode()).hexdigest()[:12]
    folder = os.environ.get("CONVSTUDY_CACHE")
    if not folder:
        from platformdirs import user_cache_dir

        folder = user_cache_dir("convstudy")
    return Path(folder, f"{name}-{which}.json")


def keep_in_cache(file: Path, content: object) -> None:
    """Write a file that `cache_file` names, and remove its like of checkouts that are long out of use."""
    write_atomically(file, json.dumps(content).encode())
    kind = file.name.partition("-")[0]
    for other in file.parent.glob(f"{kind}-*.json"):
        with suppress(OSError):  # another process was first
            if time.time() - other.stat().st_mtime > UNUSED:
                other.unlink()


@cache
def _made_by() -> str:
    """What decides how a module is read."""
    return digest([hashlib.sha256(Path(__file__).read_bytes()).hexdigest(), platform.python_version()])


def parse(source: str) -> Module:
    """Of what is no Python the text counts."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return Module(_short_hash(source), None, ())
    return Module(_short_hash(code_only(source)), _declared_revision(tree), tuple(_imports(tree)))


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


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


def _imports(tree: ast.Module) -> Iterator[str]:
    """Names of modules, and of what is taken from them, which may be modules too; relative ones with dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if node.module:
                yield module
            separator = "." if node.module else ""
            yield from (f"{module}{separator}{alias.name}" for alias in node.names)


def _declared_revision(tree: ast.Module) -> int | None:
    """The number that a module declares at its top level as REVISION."""
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "REVISION"
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, int)
        ):
            return node.value.value
    return None

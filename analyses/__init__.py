"""The registry of analyses: the modules of this package, entry points of "convstudy.analyses", and the files
of a study of one's own.

A built-in is found by its file: `analyses/architecture/alexnet.py` is `architecture.alexnet`, and so is one
of the author's: `FOLDER/analyses/squeeze.py` is `own.squeeze`. Nothing is imported until it is asked for.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from difflib import get_close_matches
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from analyses.plugin import Analysis

GROUP = "convstudy.analyses"
OWN = "own"  # the family, and the package, of an author's own analyses
OWN_FOLDER = "CONVSTUDY_OWN"  # the variable that names their folder, so that worker processes know it too
LONGEST = 1000  # letters of what an error says


class UnknownAnalysis(LookupError):
    """No analysis has that id."""


class BrokenPlugin(RuntimeError):
    """An analysis that cannot be loaded."""


def nearest(name: str, names: list[str]) -> str:
    """ ", did you mean a or b" for the names close to `name`; empty when none is."""
    close = get_close_matches(name, names, n=3, cutoff=0.4)
    return f"; did you mean {' or '.join(close)}?" if close else ""


class Exited(SystemExit):
    """os._exit was called."""


@contextmanager
def contained() -> Iterator[None]:
    """While code of an analysis runs: os._exit, which would end this process without a word, raises Exited in
    this process, and what the code prints goes to stderr, since stdout is for what was asked for.
    """
    end, process = os._exit, os.getpid()

    def leave(status: int) -> NoReturn:
        if os.getpid() != process:  # a fork of it ends as it is meant to
            end(status)
        raise Exited(status)

    os._exit = leave
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os._exit = end


def in_words(error: BaseException) -> str:
    """What an error says, on one line and of a length that can be read; "" where it says nothing."""
    try:
        words = " ".join(str(error).split())
    except Exception as unsaid:  # of an author's own kind of error
        words = f"an error that cannot be put into words, for {type(unsaid).__name__}"
    return words if len(words) <= LONGEST else f"{words[:LONGEST]} …"


def exit_of(error: SystemExit) -> str:
    """The call that raised it."""
    status = "" if error.code is None else error.code
    return f"os._exit({status})" if isinstance(error, Exited) else f"sys.exit({status})"


@cache
def _targets() -> dict[str, str]:
    """Analysis id → "module:attribute"."""
    package = Path(__file__).parent
    found = {
        f"{file.parent.name}.{file.stem}": f"analyses.{file.parent.name}.{file.stem}:analysis"
        for file in sorted(package.glob("*/*.py"))
        if not file.stem.startswith("_")
    }
    return {**{name: point.value for name, point in _plugins().items()}, **own(), **found}


def use_folder(folder: Path | None) -> None:
    """Analyses in the files of this folder are found from now on, in the place of those of another."""
    if folder is None:
        os.environ.pop(OWN_FOLDER, None)
    else:
        os.environ[OWN_FOLDER] = str(folder)
    for name in [name for name in sys.modules if name == OWN or name.startswith(f"{OWN}.")]:
        del sys.modules[name]
    for cached in (_targets, _load):
        cached.cache_clear()


def own() -> dict[str, str]:
    """The author's own, id → "module:attribute". Their folder becomes the package `own`, so that no name in
    it hides another module.
    """
    folder = os.environ.get(OWN_FOLDER)
    if not folder:
        return {}
    spec = ModuleSpec(OWN, None, is_package=True)
    spec.submodule_search_locations = [folder]
    sys.modules[OWN] = module_from_spec(spec)
    names = [f"{OWN}.{file.stem}" for file in sorted(Path(folder).glob("[!_]*.py")) if file.is_file()]
    return {name: f"{name}:analysis" for name in names}


@cache
def _plugins() -> dict[str, EntryPoint]:
    """Analysis id → the entry point that adds it; the first where several have one id."""
    return {point.name: point for point in reversed(tuple(entry_points(group=GROUP)))}


def clashes() -> list[str]:
    """A sentence for each plugin that is left out, because its id is taken."""
    return [
        f"two analyses are called {point.name}: {_targets()[point.name]} is used, {point.value} is not"
        for point in dict.fromkeys(entry_points(group=GROUP))
        if point.value != _targets()[point.name]
    ]


def packages(identifier: str) -> tuple[str, ...]:
    """The top-level packages and modules that the distribution of a third party's analysis brings."""
    point = _plugins().get(identifier)
    listed = point.dist.read_text("top_level.txt") if point and point.dist else None
    return tuple((listed or "").split())


def identifiers() -> list[str]:
    return sorted(_targets())


def get(identifier: str) -> Analysis[Any]:
    """The analysis of that id; UnknownAnalysis names the nearest ones, BrokenPlugin what is wrong with it."""
    targets = _targets()
    if identifier not in targets:
        raise UnknownAnalysis(
            f"there is no analysis {identifier!r}{nearest(identifier, list(targets))} "
            "(`python runner.py list analyses` shows all)"
        )
    return _load(identifier, targets[identifier])


@cache
def _load(identifier: str, target: str) -> Analysis[Any]:
    module, _, attribute = target.partition(":")
    family, _, stem = module.partition(".")
    if family == OWN:  # in words that lead its author there
        target = str(Path(os.environ[OWN_FOLDER], f"{stem}.py"))
    broken = f"the analysis {identifier} cannot be loaded from {target}"
    try:
        with contained():
            found = getattr(importlib.import_module(module), attribute, None)
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        raise BrokenPlugin(f"{broken}{_line(error, target)}: it called {exit_of(error)}") from error
    except BaseException as error:  # anything may go wrong in a file of someone else's
        what = error.msg if isinstance(error, SyntaxError) else in_words(error)
        what = _encoding(what) or what or type(error).__name__
        raise BrokenPlugin(f"{broken}{_line(error, target)}: {what}") from error
    return _checked(found, identifier, broken, target)


def _encoding(fault: str) -> str:
    """What is wrong with a file that Python cannot decode, by its words; "" for another fault."""
    kinds = {"(unicode error) 'utf-8' codec": ("WINDOWS-1252", "an encoding such as Latin-1")}
    kinds["source code string cannot contain null bytes"] = ("UTF-16", "UTF-16")
    for start, (name, kind) in kinds.items():
        if fault.startswith(start):
            return (
                f"the text is in {kind}, not in UTF-8; save the file as UTF-8, in your editor or with"
                f" `iconv -f {name} -t UTF-8`"
            )
    return ""


def _line(error: BaseException, target: str) -> str:
    """ ":17", or " (helper.py:17)" of another file than the target: where the fault left the code of its
    author, the file that was being loaded or one of its folder."""
    machinery = (__file__, importlib.__file__)
    steps = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        steps.append((error.filename, error.lineno))
    steps = [step for step in steps if step[0] not in machinery and not step[0].startswith("<frozen ")]
    near = [step for step in steps if Path(step[0]).parent == Path(steps[0][0]).parent]
    if not near:
        return ""
    file, line = near[-1]
    return f":{line}" if file == target else f" ({file}:{line})"


def _checked(found: Any, identifier: str, broken: str, target: str) -> Analysis[Any]:
    """The analysis, when it says of itself what everything here asks for."""
    from analyses.plugin import Analysis

    if not isinstance(found, Analysis):
        what = "it has no `analysis`" if found is None else f"its `analysis` is {found!r}"
        what += "; end the file with `analysis = MyAnalysis()`, of a class of Analysis"
        where = _place(target, "analysis")
        raise BrokenPlugin(f"{broken}{where}: {what}, or begin the name of a helper's file with _")
    for name in ("id", "title", "question"):
        if not isinstance(getattr(found, name, None), str):
            kind = type(found).__name__
            said = f'{kind} says no {name}; write {name} = "…" in it'
            raise BrokenPlugin(f"{broken}{_place(target, name, f'class {kind}')}: {said}")
    if found.id != identifier:
        said = f'it calls itself {found.id}; write id = "{identifier}"'
        raise BrokenPlugin(f"{broken}{_place(target, 'id', f'class {type(found).__name__}')}: {said}")
    return found


def _place(target: str, *names: str) -> str:
    """ ":17", where an author's file gives the first of these names a value, or begins the last; else ""."""
    text = Path(target).read_text("utf-8", errors="replace") if Path(target).is_file() else ""
    for begun in (rf"\s*(\w+\s*,\s*)*{names[0]}\s*[,:=]", rf"\s*{names[-1]}\b"):
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(begun, line):
                return f":{number}"
    return ""


def select(names: list[str]) -> list[str]:
    """Ids for what a user typed: ids, or a family such as "architecture"; all when nothing was typed."""
    if not names:
        return identifiers()
    chosen: list[str] = []
    for name in names:
        family = [known for known in identifiers() if known.startswith(name + ".")]
        if not family:
            get(name)
        chosen += family or [name]
    return list(dict.fromkeys(chosen))

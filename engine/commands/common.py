"""What the commands share: the options before them, how they end, and what they print.

Exit status: 0 done, 1 something does not hold, 2 wrong use. An error is one sentence that says what, where
and what to do; a traceback only with --debug.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich import markup
from rich.console import Console

import analyses
from results.store import Profile, Store

if TYPE_CHECKING:
    from rich.table import Table as Grid

    from engine.own import OwnStudy
    from report.document import Study
    from results.schema import Table

HOME = Path(__file__).resolve().parents[2]
TEMPLATES = HOME / "templates"
STUDY = "study.toml"  # the file that makes a folder a study of one's own

out = Console(highlight=False, emoji=False, soft_wrap=True)  # folder:phone: is no telephone
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

WIDTH = 100  # columns of a list
SHORT_CELL = 30  # letters that stay in a line

#: What a terminal obeys; names of files and errors of others may hold it.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

AsJson = Annotated[bool, typer.Option("--json")]


class Options:
    """Those that stand before the command, and the study of one's own that it works on, if any."""

    store = Store(HOME / "results")
    given: Path | None = None  # the folder of results that was asked for
    debug = False
    folder: Path | None = None
    opened: OwnStudy | None = None


def is_own(folder: Path) -> bool:
    """Whether a folder holds a study."""
    return (folder / STUDY).is_file()


def _own_around(here: Path) -> Path | None:
    """The nearest of this folder and those above it that holds a study; those above convstudy hold none."""
    inside = here.is_relative_to(HOME)
    above = (folder for folder in (here, *here.parents) if not inside or folder.is_relative_to(HOME))
    return next(filter(is_own, above), None)


def work_in(folder: Path | None, results: Path | None = None) -> None:
    """Let the command work on the study of a folder: its results and analyses come before ours."""
    recorded = HOME / "results"
    Options.folder, Options.opened = folder, None
    own = results or (folder / "results" if folder else recorded)
    analyses.use_folder(folder / "analyses" if folder else None)
    Options.store = Store(
        own, behind=recorded if folder else None, analyses=frozenset(analyses.identifiers())
    )


def work_in_named(names: Sequence[str]) -> Sequence[str]:
    """The names that are none of a folder; where one is, the command works on the study that it holds."""
    ours = {file.stem for file in (TEMPLATES / "studies").glob("*.toml")}
    ours |= {part for known in analyses.identifiers() for part in (known, known.partition(".")[0])}
    folders = [name for name in names if name not in ours and Path(name).is_dir()]
    for name in set(names) - ours if not folders else ():
        if "/" in name or name.endswith(".toml"):
            problem = "is a file; name its folder" if Path(name).is_file() else "is no folder"
            fail(2, f"{name} {problem}; `convstudy new FOLDER` begins a study in a new one")
    if not folders:
        return names
    if len(names) > 1:
        fail(2, f"{folders[0]} is the folder of a study of your own; name it by itself")
    if not is_own(Path(folders[0])):
        fail(2, f"{folders[0]} holds no {STUDY}; `convstudy new FOLDER` begins a study in a new folder")
    work_in(Path(folders[0]).resolve(), Options.given)
    return []


def own_study() -> OwnStudy | None:
    """The study of the folder that the command works on."""
    if Options.folder and Options.opened is None:
        from engine.own import open_study
        from report.study import StudyError

        with refusing(StudyError, OSError):
            Options.opened = open_study(Options.folder, TEMPLATES)
    return Options.opened


def unfinished() -> list[str]:
    """What the author of one's own study has still to write, a sentence each."""
    from engine.unfinished import unfinished as of

    own = own_study()
    return of(own, TEMPLATES) if own else []


def templates() -> Path:
    """The folder of sections, studies and layouts."""
    own = own_study()
    return own.templates if own else TEMPLATES


def site(named: Path | None) -> Path:
    """Where the site goes: as named, or in the folder of one's own study, or here."""
    return named or (Options.folder or Path()) / "site"


def usable(output: Path) -> Path:
    """The folder, once it was seen that a site can be written there."""
    from report.state import state_folder

    for folder in (output, *output.parents):
        if folder.exists() and not folder.is_dir():
            fail(2, f"--output {output} cannot be a folder, since {folder} is a file; name another")
    with refusing(OSError):
        for folder in (output, state_folder(output)):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                fail(2, f"{folder} cannot be written; name another folder with --output, or make it writable")
    return output


def needed(studies: list[Study]) -> set[str] | None:
    """The analyses behind a study of one's own; None where all are to be up to date."""
    from report.state import mentioned

    return mentioned(studies, templates()) | set(analyses.own()) if Options.folder else None


class _Said(logging.Handler):
    """What the parts of convstudy log is said on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), "none")


def options(
    results: Annotated[
        Path | None, typer.Option(help="The folder of results (default: beside this file)")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="The folder of data sets (default: the variable CONVSTUDY_DATA)")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback instead of one sentence")] = False,
) -> None:
    logging.getLogger("convstudy").handlers = [_Said()]
    Options.debug = debug
    Options.given = results
    work_in(_own_around(Path.cwd()), results)
    if data_root is not None:
        if not data_root.is_dir():
            fail(2, f"--data-root {data_root} is no folder")
        os.environ["CONVSTUDY_DATA"] = str(data_root)


def escape(text: str) -> str:
    """The text as rich is to print it: it formats nothing, and tells the terminal nothing."""
    return markup.escape(CONTROL.sub("\ufffd", text))


def say(message: str, colour: str = "red") -> None:
    """A sentence on stderr."""
    err.print(escape(f"convstudy: {as_written(message)}"), style=colour if err.is_terminal else None)


def as_written(message: str) -> str:
    """The message with the files that the author wrote in place of those made of them."""
    if Options.folder:
        message = message.replace("python runner.py", "convstudy")
    return Options.opened.in_files_written(message) if Options.opened else message


def fail(status: int, message: str) -> NoReturn:
    say(message)
    raise typer.Exit(status)


def one_format(**chosen: bool) -> None:
    """Refuse to write in two formats at once."""
    formats = [f"--{name}" for name, said in chosen.items() if said]
    if len(formats) > 1:
        fail(2, f"{' and '.join(formats)} are two formats; ask for one")


@contextmanager
def refusing(*errors: type[Exception], status: int = 2) -> Iterator[None]:
    """Turn the errors that a user can cause into their sentence and an exit status."""
    try:
        yield
    except errors as error:
        if Options.debug:
            raise
        fail(status, in_words(error))


def in_words(error: Exception) -> str:
    """The error as a sentence; one of the system without its number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def report_fault(error: Exception) -> int:
    """What the command line says of an error that no command expected, and its exit status."""
    if Options.debug:
        raise error
    if hasattr(error, "format_message"):  # typer's own, of wrong arguments
        err.print(escape(f"convstudy: {error.format_message()} (--help shows how)"))
        return 2
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        room = "; make room there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        err.print(escape(f"convstudy: {error.strerror or error}{where}; nothing was left half-written{room}"))
        return 1
    err.print(
        escape(f"convstudy: {type(error).__name__}: {error} (a fault of convstudy; --debug shows where)")
    )
    return 1


# Analyses and studies


def as_profile(name: str | None) -> Profile | None:
    """The profile of that name."""
    match name:
        case None | "full" | "quick" | "custom":
            return name
    fail(2, f"--profile {name} is not known; say full, quick or custom")


def analyses_named(names: Sequence[str]) -> list[str]:
    """The ids of those analyses, of a family all; where none is named of all."""
    for name in names:
        if not Options.folder and (name.startswith(f"{analyses.OWN}.") or is_own(Path(name))):
            fail(2, f"there is no analysis {name!r} here; give the command in the folder of its study")
    with refusing(analyses.UnknownAnalysis, analyses.BrokenPlugin):
        return analyses.select(list(names))


def studies_named(names: Sequence[str]) -> list[Study]:
    """Those studies; where none is named one's own, or all of ours."""
    from report.study import StudyError, load

    own = own_study()
    if own and not set(names) - {own.study.id}:
        return [own.study]
    folder = templates() / "studies"
    with refusing(StudyError):
        paths = [folder / f"{name}.toml" for name in names] or sorted(folder.glob("*.toml"))
        return [load(path, templates()) for path in paths]


# Printing


def print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def called() -> str:
    """How this program was called, for commands that are to be copied."""
    program = Path(sys.argv[0])
    if program.suffix == ".py":
        return f"{near(Path(sys.executable))} {near(program)}"
    return "convstudy" if shutil.which("convstudy") else near(program)


def near(path: Path) -> str:
    """The path as it is written from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def print_grid(grid: Grid, width: int | None = None) -> None:
    """At its natural width, where the terminal is narrower too: a shortened number would be another one. With
    a width, words of what is wider go on below.
    """
    from rich.measure import Measurement

    measured = Measurement.get(out, out.options.update(max_width=10_000), grid)
    natural = measured.maximum
    room = max(out.width, natural)
    if width is not None and measured.minimum <= width:  # else a path stays whole
        room = min(width, natural)
    console = Console(highlight=False, emoji=False, soft_wrap=True, width=room)
    with console.capture() as captured:
        console.print(grid)
    for line in captured.get().splitlines():
        out.out(line.rstrip(), highlight=False)


def print_rows(rows: Sequence[dict[str, Any]], width: int | None = None) -> None:
    """Rows of the same keys, which head the columns; of a width where one is given."""
    from rich.table import Table as Grid

    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for key in rows[0] if rows else ():
        longest = max(len(str(row[key])) for row in rows)
        grid.add_column(key, no_wrap=longest <= SHORT_CELL, overflow="fold")
    for row in rows:
        grid.add_row(*(escape(str(value)) for value in row.values()))
    print_grid(grid, width)


def print_entries(rows: Sequence[dict[str, Any]]) -> None:
    """Each row as its first value with the others below each other beside it."""
    names = [str(next(iter(row.values()))) for row in rows]
    indent = max(map(len, names), default=0) + 2
    for name, row in zip(names, rows, strict=True):
        begun = name.ljust(indent)
        for text in map(str, list(row.values())[1:]):
            for line in textwrap.wrap(text, WIDTH - indent, break_long_words=False, break_on_hyphens=False):
                out.print(escape(f"{begun}{line}"))
                begun = " " * indent


def print_table(table: Table) -> None:
    """A table of a result, with its totals and notes."""
    from rich.table import Table as Grid

    from report import formatting

    grid = Grid(
        title=escape(table.caption), title_justify="left", title_style="italic", box=None, pad_edge=False
    )
    for column in table.columns:
        grid.add_column(
            escape(formatting.header(column)), justify="right" if formatting.is_numeric(column) else "left"
        )
    for row in table.rows:
        if row.kind == "total":
            grid.add_section()
        style = "bold" if row.kind == "total" else None
        grid.add_row(*(escape(formatting.cell(column, row)) for column in table.columns), style=style)
    print_grid(grid)
    for note in table.notes:
        out.print(escape(note), style="dim")

"""The command line: the only file that knows every part.

Exit status: 0 done, 1 something does not hold, 2 wrong use. An error is one sentence that says what, where
and what to do; a traceback only with --debug. Torch is imported by the commands that need it alone.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table as Grid

import analyses
from engine.freshness import freshness
from report import formatting
from results.schema import Metric, Result, Table
from results.store import Profile, ResultError, Store

HOME = Path(__file__).resolve().parent
TEMPLATES = HOME / "templates"
INTERRUPTED = 130  # as a shell reports Ctrl-C

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
app = typer.Typer(
    name="convstudy",
    help="A study of convolutional networks that builds itself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)


class State:
    """The options that stand before the command."""

    store = Store(HOME / "results")
    debug = False


def fail(status: int, message: str) -> NoReturn:
    err.print(escape(f"convstudy: {message}"), style="red" if err.is_terminal else None)
    raise typer.Exit(status)


@contextmanager
def refusing(*errors: type[Exception], status: int = 2) -> Iterator[None]:
    """Turn the errors that a user can cause into their sentence and an exit status."""
    try:
        yield
    except errors as error:
        if State.debug:
            raise
        fail(status, str(error))


def print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


@app.callback()
def options(
    results: Annotated[
        Path | None, typer.Option(help="The folder of results (default: beside this file)")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="The folder of data sets (default: the variable CONVSTUDY_DATA)")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback instead of one sentence")] = False,
) -> None:
    State.debug = debug
    State.store = Store(results or HOME / "results")
    if data_root is not None:
        if not data_root.is_dir():
            fail(2, f"--data-root {data_root} is no folder")
        os.environ["CONVSTUDY_DATA"] = str(data_root)


@app.command()
def run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="ANALYSIS…", help="Ids or families; all if none")
    ] = None,
    profile: Annotated[str, typer.Option(help="quick or full")] = "quick",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a parameter; makes a custom result"),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many seeds; makes a custom result where it changes that")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Cells at a time (default: one a core on a CPU, else one)")
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads a cell computes with; others than 1 measure all of it anew")
    ] = 1,
    force: Annotated[bool, typer.Option("--force", help="Run again what is fresh")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON")] = False,
) -> None:
    """Run analyses and record their results."""
    chosen = _profile(profile)
    with refusing(analyses.UnknownAnalysis, analyses.BrokenPlugin):
        selected = analyses.select(names or [])
        plugins = [analyses.get(identifier) for identifier in selected]
    if settings and len(selected) != 1:
        fail(2, f"--set changes the parameters of one analysis, and {len(selected)} were chosen; name one")
    if seeds is not None and not any(_has_seeds(plugin.parameters(chosen)) for plugin in plugins):
        fail(2, f"--seeds changes nothing: {', '.join(selected)} has no parameter seeds")
    from engine.execution import AnalysisFailed, Busy
    from lab.datasets import DataError

    done, failures = [], []
    with _progress() as report:
        for plugin in plugins:
            parameters = plugin.parameters(chosen)
            changes = [*(settings or []), *_seeds(parameters, seeds)]
            recorded: Profile = "custom" if changes else "full" if plugin.analytic else chosen
            if changes:
                parameters = _changed(plugin.id, parameters, changes)
            elif not force and freshness(plugin, recorded, parameters, State.store).state == "fresh":
                done.append({"analysis": plugin.id, "profile": recorded, "ran": False})
                continue
            try:
                result = _execute(plugin, recorded, parameters, device, force, report, jobs, threads)
            except (DataError, AnalysisFailed, Busy, ResultError) as error:
                if State.debug:
                    raise
                failures.append(str(error))
                continue
            done.append({"analysis": plugin.id, "profile": result.profile, "ran": True})
    if as_json:
        print_json(done)
    for entry in done if not as_json else []:
        where = State.store.path(entry["analysis"], entry["profile"])
        out.print(
            escape(f"{entry['analysis']}: {'recorded in' if entry['ran'] else 'unchanged,'} {_near(where)}")
        )
    if settings and done and not as_json:
        _print_result(State.store.read(selected[0], "custom"))
    if failures:
        for failure in dict.fromkeys(failures):
            err.print(escape(f"convstudy: {failure}"), style="red" if err.is_terminal else None)
        raise typer.Exit(1)


def _seeds(parameters: Any, seeds: int | None) -> list[str]:
    """--seeds as the change of a parameter, where the analysis has it and it is another number."""
    changed = seeds is not None and _has_seeds(parameters) and seeds != parameters.seeds
    return [f"seeds={seeds}"] if changed else []


def _has_seeds(parameters: Any) -> bool:
    return isinstance(getattr(parameters, "seeds", None), int)


def _profile(name: str) -> Any:
    if name not in ("quick", "full"):
        fail(2, f"--profile {name} is not known; say quick or full")
    return name


def _changed(identifier: str, parameters: Any, settings: list[str]) -> Any:
    """The parameters with KEY=VALUE changed, KEY.KEY=VALUE inside one of them.

    A value is JSON, or `256x28x28` for numbers, or text.
    """
    from pydantic import ValidationError

    changed = parameters.model_dump()
    for setting in settings:
        path, separator, text = setting.partition("=")
        if not separator:
            fail(2, f"--set {setting} has no value; write --set {path}=VALUE")
        inside = parent = changed
        last = path.rpartition(".")[2]
        for key in path.split("."):
            known = list(inside) if isinstance(inside, dict) else []
            if key not in known:
                fail(
                    2,
                    f"{identifier} has no parameter {path!r}{analyses.nearest(key, known)}; "
                    f"it has {', '.join(known) or 'none'}",
                )
            parent, inside = inside, inside[key]
        parent[last] = _value(text)
    try:
        return type(parameters).model_validate(changed)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or " ".join(settings)  # or of several together
        fail(2, f"--set {where}: {first['msg'].removeprefix('Value error, ')}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        parts = text.replace(",", "x").split("x")
        return [int(part) for part in parts] if all(part.isdigit() for part in parts) else text


def _device(choice: str) -> str:
    if choice not in ("auto", "cpu", "cuda", "mps"):
        fail(2, f"--device {choice} is not known; say auto, cpu, cuda or mps")
    if choice == "cpu":
        return choice
    import torch

    ready = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if choice == "auto":
        return next((name for name, available in ready.items() if available), "cpu")
    if not ready[choice]:
        fail(2, f"--device {choice} was asked for, and torch finds none here; say --device cpu or auto")
    return choice


def _execute(
    plugin: Any,
    profile: Profile,
    parameters: Any,
    device: str,
    force: bool,
    report: Any,
    jobs: int | None = None,
    threads: int = 1,
) -> Result:
    from engine.execution import execute

    where = "meta" if plugin.analytic else _device(device)
    return execute(
        plugin,
        profile,
        parameters,
        State.store,
        device=where,
        threads=threads,
        jobs=jobs,
        force=force,
        report=report,
    )


@contextmanager
def _progress() -> Iterator[Any]:
    """What runs, how far it is, and the time left: a bar an analysis, or a line a cell in a log."""
    if not err.is_terminal:
        yield _progress_line
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[analysis]}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[message]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(progress: Any) -> None:
            name = progress.analysis
            if name not in tasks:
                tasks[name] = bars.add_task("", analysis=name, message="", total=progress.cells)
            bars.update(tasks[name], completed=progress.done + progress.fraction, message=progress.message)

        yield report


def _progress_line(progress: Any) -> None:
    if progress.cells > 1 and progress.message == progress.cell:
        err.print(
            escape(f"{progress.analysis}: {progress.cell} ({progress.done} of {progress.cells} finished)")
        )


def _studies(names: list[str]) -> list[Any]:
    from report.study import StudyError, load

    folder = TEMPLATES / "studies"
    with refusing(StudyError):
        paths = [folder / f"{name}.toml" for name in names] or sorted(folder.glob("*.toml"))
        return [load(path, TEMPLATES) for path in paths]


def _refresh(report: Any) -> tuple[list[str], list[str]]:
    """Run what is cheap and missing or stale: analytic analyses, and experiments whose cells are all kept and
    need only be summarized. Names what was recorded, and says what could not be."""
    from engine.execution import AnalysisFailed, Busy, Unmeasured, execute, summarize_again

    ran, problems = [], []
    for identifier in analyses.identifiers():
        plugin = analyses.get(identifier)
        for profile in _profiles(plugin):
            parameters = plugin.parameters(profile)
            state = freshness(plugin, profile, parameters, State.store, data=False).state
            if state != "stale" and not (state == "missing" and plugin.analytic):
                continue
            try:
                if plugin.analytic:
                    execute(plugin, profile, parameters, State.store, device="meta", report=report)
                else:
                    summarize_again(plugin, profile, parameters, State.store)
                ran.append(identifier)
            except (Unmeasured, Busy):  # expensive: for `run` only
                continue
            except (AnalysisFailed, ResultError) as error:
                problems.append(str(error))
    return ran, problems


def _profiles(plugin: Any) -> tuple[Profile, ...]:
    """Those that an analysis has results of."""
    return ("full",) if plugin.analytic else ("full", "quick")


@app.command()
def build(
    names: Annotated[list[str] | None, typer.Argument(metavar="STUDY…", help="Studies; all if none")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Prefer results of this profile: full, quick or custom")
    ] = None,
    formats: Annotated[str, typer.Option("--format", help="pdf, html or both, with a comma")] = "pdf,html",
    output: Annotated[Path, typer.Option(help="Where the site goes")] = Path("site"),
    offline_check: Annotated[
        bool,
        typer.Option("--offline-check", help="Check the links and the offline promise of the site built"),
    ] = False,
) -> None:
    """Write the PDF and the site, running what is cheap and missing or stale."""
    from report.build import BuildError, build_studies

    wanted = tuple(part.strip() for part in formats.split(",") if part.strip())
    if not wanted or set(wanted) - {"pdf", "html"}:
        fail(2, f"--format {formats} is not known; say pdf, html or pdf,html")
    if profile not in (None, "full", "quick", "custom"):
        fail(2, f"--profile {profile} is not known; say full, quick or custom")
    studies = _studies(names or [])
    with refusing(analyses.BrokenPlugin, status=1), _progress() as report:
        ran, refused = _refresh(report)
    for identifier in ran:
        out.print(f"{identifier}: recorded")
    with refusing(BuildError, status=1):
        built = build_studies(studies, State.store, TEMPLATES, output, wanted, prefer=profile)
    for line in built.lines:
        out.print(escape(line))
    for problem in dict.fromkeys((*refused, *built.notices, *built.problems)):
        err.print(escape(f"convstudy: {problem}"), style="yellow" if err.is_terminal else None)
    if offline_check:
        from report.site_checks import check_site

        problems = check_site(output)
        for problem in problems:
            err.print(escape(f"convstudy: {problem}"))
        if problems:
            raise typer.Exit(1)
        out.print("Every link resolves, and no page loads anything from outside its folder.")
    if built.problems or refused:
        raise typer.Exit(1)


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="analyses, studies, models or data")] = "analyses",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """What there is, and what is ready here."""
    if what == "analyses":
        rows = _analysis_rows()
    elif what == "studies":
        rows = [
            {"study": study.id, "title": study.title, "sections": len(study.sections)}
            for study in _studies([])
        ]
    elif what == "models":
        from analyses.inspection import model_names

        rows = [{"model": name} for name in model_names()]
    elif what == "data":
        from analyses import data

        rows = data.as_json() if as_json else data.rows()
    else:
        fail(2, f"there is nothing called {what!r} to list; say analyses, studies, models or data")
    if as_json:
        print_json(rows)
    else:
        _print_rows(rows)


def _print_grid(grid: Grid) -> None:
    """At its natural width, where the terminal is narrower too: a shortened number would be another one."""
    natural = Measurement.get(out, out.options.update(max_width=10_000), grid).maximum
    Console(highlight=False, soft_wrap=True, width=max(out.width, natural)).print(grid)


def _analysis_rows() -> list[dict[str, Any]]:
    recorded = State.store.recorded()
    rows = []
    for identifier in analyses.identifiers():
        with refusing(analyses.BrokenPlugin, status=1):
            plugin = analyses.get(identifier)
        profiles = [profile for name, profile in recorded if name == identifier]
        rows.append({"analysis": identifier, "title": plugin.title, "recorded": ", ".join(profiles) or "no"})
    return rows


def _print_rows(rows: list[dict[str, Any]]) -> None:
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for key in rows[0] if rows else ():
        grid.add_column(key)
    for row in rows:
        grid.add_row(*(escape(str(value)) for value in row.values()))
    _print_grid(grid)


data_app = typer.Typer(
    help="Data sets: what is ready, from where, and whether it is sound.", no_args_is_help=True
)
app.add_typer(data_app, name="data")


@data_app.command("list")
def data_list(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Every data set that is known, whether it is ready and where."""
    list_("data", as_json)


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where to (default: the user's cache)")
    ] = None,
) -> None:
    """Download a data set from its official source; goes on where it broke off."""
    from analyses import data

    with refusing(data.UnknownData):
        data.known(name)
    with refusing(data.DataError, status=1), _file_progress("fetching") as report:
        fetched = data.fetch(name, to, report)
    for path in fetched:
        out.print(escape(f"Fetched and checked: {path}"))


@data_app.command("verify")
def data_verify(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="All that are here if none")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Read and decode every file; exit 1 when one is damaged."""
    from analyses import data

    with refusing(data.UnknownData):
        chosen = data.known(name) if name else None
    with refusing(data.DataError, status=1), _file_progress("checking") as report:
        found = data.verify_all(chosen, report)
    if as_json:
        print_json([asdict(verification) for verification in found])
    else:
        for verification in found:
            damaged = len(verification.damaged)
            state = f"{damaged:,} damaged" if damaged else "all sound"
            out.print(
                escape(f"{verification.name}: {verification.files:,} files in {verification.where}, {state}")
            )
            for problem in verification.damaged:
                out.print(escape(f"    {problem}"))
    if any(verification.damaged for verification in found):
        raise typer.Exit(1)


@contextmanager
def _file_progress(doing: str) -> Iterator[Any]:
    """A bar a file or data set with the time left, or one line in a log. The unit is bytes or files."""
    known: dict[str, Any] = {}

    def line(name: str, done: int, total: int | None) -> None:
        if known.setdefault(name, done) == done:
            err.print(escape(f"{doing} {name}"))

    if not err.is_terminal:
        yield line
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
    )
    with Progress(*columns, TimeRemainingColumn(compact=True), console=err, transient=True) as bars:

        def bar(name: str, done: int, total: int | None) -> None:
            if name not in known:
                known[name] = bars.add_task(escape(f"{doing} {name}"), total=total)
            bars.update(known[name], completed=done, total=total)

        yield bar


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ANALYSIS")],
    profile: Annotated[
        str | None, typer.Option(help="full, quick or custom; the best one if not said")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """A recorded result, in the terminal or as JSON."""
    with refusing(analyses.UnknownAnalysis):
        analyses.select([name])
    if profile not in (None, "full", "quick", "custom"):
        fail(2, f"--profile {profile} is not known; say full, quick or custom")
    with refusing(ResultError, status=1):
        result = State.store.read(name, profile) if profile else State.store.best(name)  # type: ignore[arg-type]
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        _print_result(result)


def _print_result(result: Result) -> None:
    commit = result.provenance.git_commit[:8] or "no commit"
    out.print(escape(f"{result.title} ({result.analysis}, {result.profile} profile, {commit})"), style="bold")
    out.print(escape(result.question))
    _print_rows(
        [
            {"metric": name, "value": metric_text(metric), "unit": metric.unit, "what": metric.title}
            for name, metric in result.metrics.items()
        ]
    )
    for finding in result.findings.values():
        out.print(escape(f"{'holds' if finding.holds else 'does not hold'}: {finding.statement}"))
    for table in result.tables.values():
        out.print()
        print_table(table)


def metric_text(metric: Metric) -> str:
    text = ("at least " if metric.partial else "") + formatting.number(metric.value)
    if metric.low is None or metric.high is None:
        return text
    return f"{text} [{formatting.number(metric.low)}, {formatting.number(metric.high)}], n = {metric.n}"


def print_table(table: Table) -> None:
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
    _print_grid(grid)
    for note in table.notes:
        out.print(escape(note), style="dim")


@app.command()
def explain(
    name: Annotated[str | None, typer.Argument(metavar="ANALYSIS|STUDY")] = None,
    output: Annotated[Path, typer.Option(help="Where the site goes")] = Path("site"),
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Why an analysis would run, or a study would be built again, or not."""
    from report.build import explain_study

    known_studies = sorted(path.stem for path in (TEMPLATES / "studies").glob("*.toml"))
    rows: list[dict[str, Any]] = []
    if name is None or name not in known_studies:
        with refusing(analyses.UnknownAnalysis):
            if name is not None and name not in analyses.identifiers() and not _is_family(name):
                raise analyses.UnknownAnalysis(
                    f"there is no analysis or study {name!r}"
                    f"{analyses.nearest(name, [*analyses.identifiers(), *known_studies])}"
                )
            chosen = analyses.select([name] if name else [])
        for identifier in chosen:
            plugin = analyses.get(identifier)
            for profile in _profiles(plugin):
                state = freshness(plugin, profile, plugin.parameters(profile), State.store)
                rows.append(
                    {
                        "name": identifier,
                        "profile": profile,
                        "state": state.state,
                        "reasons": [*state.reasons, *_measured(plugin, profile, state.state)],
                    }
                )
    if name is None or name in known_studies:
        for study in _studies([name] if name else []):
            for kind, reasons in explain_study(study, output, State.store, TEMPLATES).items():
                rows.append(
                    {
                        "name": study.id,
                        "profile": kind,
                        "state": "stale" if reasons else "fresh",
                        "reasons": reasons,
                    }
                )
    if as_json:
        print_json(rows)
        return
    words = {
        "fresh": "unchanged, would not run again",
        "stale": "would be made again",
        "missing": "was never made",
        "refused": "cannot be used",
    }
    for row in rows:
        out.print(escape(f"{row['name']} ({row['profile']}): {words[row['state']]}"))
        for reason in row["reasons"]:
            out.print(escape(f"    {reason}"))


def _measured(plugin: Any, profile: Profile, state: str) -> list[str]:
    """How many cells of an experiment that is not fresh are measured, and the command that goes on."""
    if plugin.analytic or state not in ("missing", "stale"):
        return []
    from engine.execution import measured

    known, planned = measured(plugin, profile, plugin.parameters(profile), State.store)
    if not known and state == "missing":
        return []
    if known == planned and state == "stale":
        return [f"{known} of {planned} cells measured; summarize them with `python runner.py build`"]
    go_on = f"go on with `python runner.py run {plugin.id} --profile {profile}`"
    return [f"{known} of {planned} cells measured; {go_on}"]


def _is_family(name: str) -> bool:
    return any(identifier.startswith(name + ".") for identifier in analyses.identifiers())


@app.command()
def inspect(
    model: Annotated[str, typer.Argument(help="A torchvision name, timm:NAME, or package.module:callable")],
    shape: Annotated[
        str | None, typer.Option("--input", metavar="CxHxW", help="Input without the batch axis")
    ] = None,
    against: Annotated[
        str, typer.Option(help="all, none, or counters with a comma: fvcore,torch,torchinfo")
    ] = "all",
    as_json: Annotated[bool, typer.Option("--json")] = False,
    as_csv: Annotated[bool, typer.Option("--csv")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the table as a page")
    ] = None,
) -> None:
    """The layer table of a model, checked by independent counters."""
    from analyses import inspection

    with refusing(inspection.InspectionError):
        cost = inspection.detection_table(model, shape)
        if cost:
            _print_cost(cost, as_json, as_csv)
            return
        found = inspection.inspect(model, shape, against)
    tables = [inspection.layer_table(found)]
    if found.readings or found.failures:
        tables.append(inspection.difference_table(found))
    if html:
        from report.html import table_page
        from results.store import write_atomically

        write_atomically(html, table_page(f"{model}, layer by layer", tables))
        err.print(escape(f"Written: {html}"))
    if as_json:
        print_json(inspection.as_json(found))
    elif as_csv:
        from report.html_views import table_csv

        sys.stdout.write(table_csv(tables[0]))
    elif not html:
        for table in tables:
            print_table(table)
            out.print()


def _print_cost(table: Table, as_json: bool, as_csv: bool) -> None:
    if as_json:
        print_json({"note": table.caption, "parts": [row.cells for row in table.rows]})
    elif as_csv:
        from report.html_views import table_csv

        sys.stdout.write(table_csv(table))
    else:
        print_table(table)


@app.command()
def audit(
    claims: Annotated[
        Path, typer.Argument(metavar="CLAIMS.csv", help="Columns quantity,claimed[,tolerance,source]")
    ],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Check claimed numbers against computed ones; `build --profile custom` puts the audit in the report."""
    from analyses.architecture import audit as auditing
    from analyses.inspection import InspectionError

    plugin = auditing.analysis
    with refusing(auditing.ClaimsError, InspectionError, analyses.UnknownAnalysis, analyses.BrokenPlugin):
        parameters = auditing.AuditParameters(claims=auditing.read_claims(claims))
        with _progress() as report:
            result = _execute(plugin, "custom", parameters, "cpu", True, report)
    verdicts = auditing.verdicts(result)
    if as_json:
        print_json({"claims": verdicts})
    else:
        print_table(result.tables["claims"])
    if not all(verdict["holds"] for verdict in verdicts):
        raise typer.Exit(1)


@app.command()
def check(
    output: Annotated[Path, typer.Option(help="The site to check")] = Path("site"),
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Check results, prose, links and PDFs; exit 1 when something does not hold."""
    from report.build import check_output, check_prose, explain_study

    problems = [*check_prose(TEMPLATES)]
    for identifier, profile in State.store.recorded():
        try:
            State.store.read(identifier, profile)
            State.store.read_outcomes(identifier, profile)
        except ResultError as error:
            problems.append(str(error))
            continue
        if identifier not in analyses.identifiers():
            problems.append(
                f"{State.store.path(identifier, profile)} belongs to no analysis that is installed here"
            )
        elif profile != "custom":
            plugin = analyses.get(identifier)
            state = freshness(plugin, profile, plugin.parameters(profile), State.store)
            problems += [
                f"the {profile} result of {identifier} is stale: {reason}" for reason in state.reasons
            ]
    studies = _studies([])
    problems += check_output(studies, State.store, TEMPLATES, output)
    for study in studies:
        for kind, reasons in explain_study(study, output, State.store, TEMPLATES).items():
            if (output / study.id).is_dir() and reasons:
                problems.append(f"{study.id} ({kind}) is not up to date: {reasons[0]}; build it again")
    if as_json:
        print_json({"problems": problems})
    for problem in [] if as_json else problems:
        out.print(escape(problem))
    if problems:
        raise typer.Exit(1)
    if not as_json:
        out.print("Results, prose, links and PDFs hold.")


@app.command()
def serve(
    output: Annotated[Path, typer.Option(help="The site to show")] = Path("site"),
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Preview the site at localhost."""
    if not (output / "index.html").is_file():
        fail(1, f"there is no site in {output}; make it with `python runner.py build`")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(output))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        fail(1, f"port {port} cannot be used ({error.strerror}); choose another with --port")
    with server:
        out.print(f"http://localhost:{server.server_address[1]}/ shows {output} (Ctrl-C ends it)")
        server.serve_forever()


def _near(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status. --debug may stand anywhere."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--debug" in arguments:
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    try:
        result = app(arguments, standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except typer.Exit as exit_:
        status = int(exit_.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        return _report(error)
    if status == INTERRUPTED:
        err.print("convstudy: interrupted; what was finished is kept, and the same command takes it up again")
    return status


def _report(error: Exception) -> int:
    if State.debug:
        raise error
    if hasattr(error, "format_message"):  # typer's own, of wrong arguments
        err.print(escape(f"convstudy: {error.format_message()} (--help shows how)"))
        return 2
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        err.print(escape(f"convstudy: {error.strerror or error}{where}; nothing was left half-written"))
        return 1
    err.print(
        escape(f"convstudy: {type(error).__name__}: {error} (a fault of convstudy; --debug shows where)")
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""`run`: analyses to recorded results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

import analyses
from engine.commands.common import Options, analyses_named, escape, fail, near, out, print_json, refusing, say
from engine.commands.progress import progress
from results.store import Profile, ResultError

MOST_CHANGES = 3  # of an earlier result that are named

if TYPE_CHECKING:
    from analyses.plugin import Analysis, Parameters
    from engine.execution import Cluster


def run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="ANALYSIS…", help="Ids or families; all if none")
    ] = None,
    profile: Annotated[str, typer.Option(help="quick or full")] = "quick",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps")] = "auto",
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
        int, typer.Option(min=1, help="Threads a cell computes with; others than 1 are measured separately")
    ] = 1,
    limit: Annotated[
        float | None, typer.Option("--time-limit", min=0.001, help="Seconds after which a cell is stopped")
    ] = None,
    executor: Annotated[str, typer.Option(help="local, or dask: the cells on a cluster")] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="Of Dask, as tcp://HEAD:8786 (default: workers of this machine)")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run again what is fresh")] = False,
    media: Annotated[
        bool,
        typer.Option("--media", help="Run nothing; draw the pictures of data that stay on this machine"),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON")] = False,
) -> None:
    """Run analyses and record their results."""
    if profile not in ("quick", "full"):
        fail(2, f"--profile {profile} is not known; say quick or full")
    chosen: Profile = "full" if profile == "full" else "quick"
    plugins, failures = _plugins(names or [])
    if media:
        if settings or seeds is not None:
            fail(2, "--media draws for what is recorded; leave out --set and --seeds")
        _draw(plugins, bool(names), failures)
        return
    if settings and len(plugins) != 1:
        fail(2, f"--set changes the parameters of one analysis, and {len(plugins)} were chosen; name one")
    from analyses.size_settings import settings_by_size
    from engine.execution import AnalysisFailed, Busy, ClusterError, execute
    from engine.freshness import freshness
    from engine.refreshing import parameters_of
    from lab.datasets import DataError

    with refusing(AnalysisFailed, status=1):
        if seeds is not None and not any(_has_seeds(parameters_of(plugin, chosen)) for plugin in plugins):
            ids = ", ".join(plugin.id for plugin in plugins)
            fail(2, f"--seeds changes nothing: {ids} has no parameter seeds")
    cluster = _cluster(executor, scheduler)
    if cluster and ":" in device:
        fail(2, f"--device {device} is of one machine; say cuda, and give each worker a GPU of its own")
    done: list[tuple[str, Profile, bool]] = []  # analysis, profile, whether it ran
    replaced: dict[str, str] = {}
    with progress() as report:
        for plugin in plugins:
            try:
                parameters = parameters_of(plugin, chosen)
                changes = [*(settings or []), *_seeds(parameters, seeds)]
                recorded: Profile = "custom" if changes else "full" if plugin.analytic else chosen
                if changes:
                    own = settings_by_size(parameters, changes)
                    if own:
                        say(f"chosen from the data's size: {' '.join(own)} (--set changes them)", "none")
                    parameters = _changed(plugin.id, parameters, [*changes, *own])
                    skipping = getattr(getattr(parameters, "data", None), "damaged", "") == "skip"
                    _tell_of_data(plugin.datasets(parameters), skipping)
                    replaced[plugin.id] = _replaced(plugin.id, parameters)
                elif not force and freshness(plugin, recorded, parameters, Options.store).state == "fresh":
                    done.append((plugin.id, recorded, False))
                    continue
                execute(
                    plugin,
                    recorded,
                    parameters,
                    Options.store,
                    device="meta" if plugin.analytic else _device(device, plugin),
                    threads=threads,
                    jobs=jobs,
                    cluster=cluster,
                    limit=limit,
                    force=force,
                    report=report,
                )
            except (DataError, AnalysisFailed, Busy, ClusterError, ResultError) as error:
                if Options.debug:
                    raise
                failures.append(str(error))
                continue
            done.append((plugin.id, recorded, True))
    _print_done(done, as_json, replaced)
    if settings and done and not as_json:
        from engine.commands.show import print_result

        print_result(Options.store.read(plugins[0].id, "custom"))
    for failure in dict.fromkeys(failures):
        say(failure)
    if failures:
        raise typer.Exit(1)


def _tell_of_data(names: Iterable[str], skipping: bool) -> None:
    """What is read of a reader's own data, and what of any data is left out or to be looked at."""
    from lab.datasets import DataError, locate
    from lab.datasets.wording import count

    for name in names:
        with suppress(DataError):  # said where it is needed
            source = locate(name)
            if name.startswith("folder:"):
                less = " as far as they can be decoded" if skipping else ""
                read = count(source.release.images, "image")
                say(f"{name}: {read} {'is' if source.release.images == 1 else 'are'} read{less}", "none")
            for note in source.notes:
                say(f"{name}: {note}", "none")


def _plugins(names: list[str]) -> tuple[list[Analysis[Any]], list[str]]:
    """The analyses chosen; and of those that cannot be loaded, and were not named themselves, why."""
    selected = analyses_named(names)
    plugins, problems = [], analyses.clashes() if not names else []
    for identifier in selected:
        try:
            plugins.append(analyses.get(identifier))
        except analyses.BrokenPlugin as error:
            problems.append(str(error))
    return plugins, problems


def _draw(plugins: list[Analysis[Any]], named: bool, failures: list[str]) -> None:
    """The pictures of the data of these analyses."""
    from engine.faults import AnalysisFailed
    from engine.media import draw, draws
    from lab.datasets import DataError

    for plugin in plugins:
        if not draws(plugin):
            if named:
                fail(2, f"{plugin.id} has no pictures of its data to draw")
            continue
        try:
            for path in draw(plugin, Options.store):
                out.print(escape(f"{plugin.id}: drawn in {near(path)}"))
        except (DataError, AnalysisFailed, ResultError) as error:
            if Options.debug:
                raise
            failures.append(str(error))
    for failure in dict.fromkeys(failures):
        say(failure)
    if failures:
        raise typer.Exit(1)


def _replaced(identifier: str, parameters: Parameters) -> str:
    """ ", in the place of …": what the custom result that is there was made with, where that is something
    else; there is one custom result of an analysis.
    """
    try:
        earlier = Options.store.read(identifier, "custom").provenance.parameters
    except ResultError:
        return ""
    now = dict(_flat(parameters.model_dump(mode="json")))
    others = [f"{key}={value}" for key, value in _flat(earlier) if now.get(key, value) != value]
    shown = " ".join(others[:MOST_CHANGES]) + " …" * (len(others) > MOST_CHANGES)
    return f", in the place of the earlier one with {shown}" if others else ""


def _flat(parameters: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Each parameter as --set names it, those inside others too, with its value."""
    for key, value in parameters.items():
        yield from _flat(value, f"{before}{key}.") if isinstance(value, dict) else [(before + key, value)]


def _print_done(done: list[tuple[str, Profile, bool]], as_json: bool, replaced: Mapping[str, str]) -> None:
    if as_json:
        print_json([{"analysis": name, "profile": profile, "ran": ran} for name, profile, ran in done])
        return
    for name, profile, ran in done:
        where = near(Options.store.path(name, profile))
        out.print(escape(f"{name}: {'recorded in' if ran else 'unchanged,'} {where}{replaced.get(name, '')}"))


def _seeds(parameters: Parameters, seeds: int | None) -> list[str]:
    """--seeds as the change of a parameter, where the analysis has it and it is another number."""
    changed = seeds is not None and _has_seeds(parameters) and seeds != getattr(parameters, "seeds", None)
    return [f"seeds={seeds}"] if changed else []


def _has_seeds(parameters: Parameters) -> bool:
    return isinstance(getattr(parameters, "seeds", None), int)


def _changed(identifier: str, parameters: Parameters, settings: list[str]) -> Parameters:
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
        keys = path.split(".")
        for depth, key in enumerate(keys):
            known = list(inside) if isinstance(inside, dict) else []
            if key not in known:
                names = [name for name, _ in _flat(parameters.model_dump())]
                there = f"{'.'.join(keys[:depth]) or 'it'} has {', '.join(known) or 'none'}"
                close = analyses.nearest(path, list(dict.fromkeys([*changed, *names])))
                fail(2, f"{identifier} has no parameter {path!r}; {there}{close}")
            parent, inside = inside, inside[key]
        parent[keys[-1]] = value = _value(text)
        if isinstance(inside, dict) and not isinstance(value, dict):
            fail(2, f"--set {path} has parts; set one of them, as --set {path}.{next(iter(inside))}=VALUE")
    try:
        return type(parameters).model_validate(changed)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or " ".join(settings)  # or of several together
        now = dict(_flat(parameters.model_dump(mode="json"))).get(where)
        is_now = "" if now is None else f"; it is {where}={json.dumps(now)} unless said"
        fail(2, f"--set {where}: {first['msg'].removeprefix('Value error, ')}{is_now}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        parts = text.replace(",", "x").split("x")
        return [int(part) for part in parts] if all(part.isdigit() for part in parts) else text


def _cluster(executor: str, scheduler: str | None) -> Cluster | None:
    if executor not in ("local", "dask"):
        fail(2, f"--executor {executor} is not known; say local or dask")
    if executor == "local":
        if scheduler:
            fail(2, f"--scheduler {scheduler} is for --executor dask; say that too")
        return None
    from engine.execution import Cluster, ClusterError

    with refusing(ClusterError):
        return Cluster(scheduler, warn=lambda sentence: say(sentence, "none"))


def _device(choice: str, plugin: Analysis[Any]) -> str:
    kind, _, number = choice.partition(":")
    known = (
        kind in ("auto", "cpu", "cuda", "mps") if ":" not in choice else kind == "cuda" and number.isdigit()
    )
    if not known:
        fail(2, f"--device {choice} is not known; say auto, cpu, cuda, cuda:1 or mps")
    if choice == "cpu" or (choice == "auto" and "torch" not in plugin.libraries):
        return "cpu"
    import torch

    found = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if choice == "auto":
        return next((name for name, count in found.items() if count), "cpu")
    if found[kind] <= int(number or 0):
        there = f"{found[kind]} of them" if found[kind] else "none"
        fail(2, f"--device {choice} was asked for, and torch finds {there} here; say --device cpu or auto")
    return choice

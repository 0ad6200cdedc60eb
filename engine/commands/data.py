"""`data`: which data sets are ready and from where, fetching them, and whether they are sound."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import analyses
from engine.commands.common import WIDTH, AsJson, escape, fail, out, print_json, print_rows, refusing
from engine.commands.progress import FileReport, file_progress

if TYPE_CHECKING:
    from lab.datasets.inventory import Verification

app = typer.Typer(help="Data sets: what is ready, from where, and whether it is sound.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every data set that is known, whether it is ready and where."""
    if as_json:
        print_json(as_json_rows())
    else:
        print_rows(rows(), WIDTH)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where to (default: the user's cache)")
    ] = None,
) -> None:
    """Download a data set from its official source; goes on where it broke off."""
    from lab.datasets import DataError
    from lab.datasets.fetch import fetch

    _require_known(name)
    with refusing(DataError, status=1), file_progress("fetching") as report:
        fetched = fetch(name, to, report)
    for path in fetched:
        out.print(escape(f"Fetched and checked: {path}"))


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="All that are here if none")] = None,
    as_json: AsJson = False,
) -> None:
    """Read and decode every file; exit 1 when one is damaged."""
    from lab.datasets import DataError

    if name:
        _require_known(name)
    with refusing(DataError, status=1), file_progress("checking") as report:
        found = _verify_all(name, report)
    if as_json:
        print_json([asdict(verification) for verification in found])
    else:
        for verification in found:
            for line in verification.lines():
                out.print(escape(line))
    if any(verification.damaged for verification in found):
        raise typer.Exit(1)


def _require_known(name: str) -> None:
    from lab.datasets import names

    if name not in names() and not name.startswith("folder:"):
        fail(
            2,
            f"there is no data set {name!r}; `data list` names them{analyses.nearest(name, names())}",
        )


def as_json_rows() -> list[dict[str, Any]]:
    """Every data set that is known by name."""
    from lab.datasets.inventory import inventory

    return [
        {
            "data": state.name,
            "title": state.title,
            "ready": state.ready,
            "where": state.where or None,
            "images": state.images,
            "licence": state.licence,
            "pictures_may_be_published": state.redistributable,
            "can_be_fetched": state.can_fetch,
            "notes": list(state.notes),
            "problem": state.problem or None,
        }
        for state in inventory()
    ]


def rows() -> list[dict[str, Any]]:
    """The same in the columns of a terminal."""
    return [
        {
            "data": state["data"],
            "ready": state["ready"],
            "where": state["where"] or ("data fetch" if state["can_be_fetched"] else ""),
            "images": "" if state["images"] is None else f"{state['images']:,}",
            "pictures": "may be published" if state["pictures_may_be_published"] else "stay here",
            "licence": state["licence"],
        }
        for state in as_json_rows()
    ]


def _verify_all(name: str | None, report: FileReport) -> list[Verification]:
    """One data set, or all that are here. A set that cannot even be listed is damaged as a whole.

    DataError where the named one is not here.
    """
    from lab.datasets.inventory import Verification, inventory, verify

    if name:
        return [verify(name, None, report)]
    done = []
    for state in inventory():
        if state.ready == "yes":
            done.append(verify(state.name, None, report))
        elif state.ready == "damaged":
            done.append(Verification(state.name, state.where, 0, (state.problem,)))
    return done

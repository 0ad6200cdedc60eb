"""What the command line says and does about data sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import analyses
from lab.datasets import DataError, names
from lab.datasets.fetch import fetch
from lab.datasets.inventory import Verification, inventory, verify

__all__ = ["DataError", "UnknownData", "as_json", "fetch", "known", "rows", "verify_all"]


class UnknownData(DataError):
    """A name that no data set bears."""


def known(name: str) -> str:
    """The name; UnknownData where there is no such data set."""
    if name not in names() and not name.startswith("folder:"):
        raise UnknownData(
            f"there is no data set {name!r}{analyses.nearest(name, names())}; `data list` names them"
        )
    return name


def as_json() -> list[dict[str, Any]]:
    """Every data set that is known by name."""
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
        for state in as_json()
    ]


def verify_all(name: str | None, report: Callable[[str, int, int], None]) -> list[Verification]:
    """One data set, or all that are here. A set that cannot even be listed is damaged as a whole.

    DataError where the named one is not here.
    """
    if name:
        return [verify(name, None, report)]
    done = []
    for state in inventory():
        if state.ready == "yes":
            done.append(verify(state.name, None, report))
        elif state.ready == "damaged":
            done.append(Verification(state.name, state.where, 0, (state.problem,)))
    return done

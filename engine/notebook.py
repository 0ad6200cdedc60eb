"""What the cells of a study's notebook call: results computed again or as recorded, shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import analyses
from engine.execution import execute
from engine.own import STUDY
from engine.refreshing import parameters_of
from report import provenance as origins
from report.colours import coloured, with_colours
from report.formatting import nearest
from report.notebook import Bundle, figure_bundle, table_bundle
from results.schema import Result
from results.store import Profile, Store

INSTALLED = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Shown:
    """What a cell shows, by MIME type."""

    bundle: Bundle

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:
        return self.bundle


@cache
def compute(analysis: str) -> Result:
    """The result of an analytic analysis, computed now; UnknownAnalysis, or ValueError of an experiment.

    One of the author's own is that of the study whose folder the notebook is in.
    """
    if analysis.startswith(f"{analyses.OWN}."):
        here = Path.cwd()
        studies = [folder for folder in (here, *here.parents) if (folder / STUDY).is_file()]
        if not studies:
            raise ValueError(
                f"{analysis} is an analysis of a study's folder; keep the notebook in that folder"
            )
        analyses.use_folder(studies[0] / "analyses")
    found = analyses.get(analysis)
    if not found.analytic:
        raise ValueError(f"{analysis} is measured, not computed; load({analysis!r}) gives its record")
    with TemporaryDirectory() as folder:
        parameters = parameters_of(found, "full")
        return execute(found, "full", parameters, Store(Path(folder)), device="meta", jobs=1)


@cache
def load(analysis: str, profile: Profile = "full") -> Result:
    """A recorded result: of the nearest folder `results` from here upwards, else that of convstudy itself.

    ResultError where there is none to trust.
    """
    here = Path.cwd()
    near = (Store(folder / "results") for folder in (here, *here.parents))
    stores = [store for store in near if store.path(analysis, profile).exists()]
    store = stores[0] if stores else Store(INSTALLED)
    return store.illustrated(store.read(analysis, profile))


def table(result: Result, name: str, columns: Sequence[str] = ()) -> Shown:
    """One of a result's tables; `columns` are the keys of those shown, all if none."""
    if name not in result.tables:
        raise KeyError(f"{result.analysis} has no table {name!r}{nearest(name, list(result.tables))}")
    return Shown(table_bundle(result.tables[name], columns))


def figure(result: Result, name: str, colours: Mapping[str, int] | None = None) -> Shown:
    """One of a result's figures, drawn now; `colours` are places in the palette by the label of a series."""
    if name not in result.figures:
        raise KeyError(f"{result.analysis} has no figure {name!r}{nearest(name, list(result.figures))}")
    content = with_colours(result.figures[name], colours or {})
    return Shown(figure_bundle(coloured({name: content})[name]))


def provenance(*results: Result) -> Shown:
    """Which code made these results, from what, where and when."""
    return Shown(table_bundle(origins.table({result.analysis: result for result in results})))

"""Pictures of data that may not be passed on: drawn from the data and from recorded outcomes, kept on this
machine beside the results, where reports find them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from analyses.plugin import Analysis
from engine.faults import AnalysisFailed, faults_of
from results.schema import Media, Result
from results.store import MissingResult, Profile, Store


def draws(analysis: Analysis[Any]) -> bool:
    """Whether an analysis has such pictures."""
    return type(analysis).media is not Analysis.media


def draw(analysis: Analysis[Any], store: Store) -> Iterator[Path]:
    """Draw those of every recorded result of an analysis; the file of each.

    MissingResult where there is none, AnalysisFailed, DataError where the data is not here.
    """
    profiles = [profile for profile in get_args(Profile) if store.path(analysis.id, profile).exists()]
    if not profiles:
        raise MissingResult(
            analysis.id,
            f"there is no result of {analysis.id} to draw pictures for",
            f"make one with `{store.program} run {analysis.id}`",
        )
    for profile in profiles:
        result = store.read(analysis.id, profile)
        figures = _figures(analysis, result, store)
        yield store.write_media(Media(analysis=analysis.id, figures=figures), profile)


def _figures(analysis: Analysis[Any], result: Result, store: Store) -> dict[str, Any]:
    recorded = store.read_outcomes(analysis.id, result.profile)
    outcomes = {cell.id: cell.outcome for cell in recorded.cells} if recorded else {}
    model = type(analysis.parameters("quick"))
    try:
        parameters = model.model_validate(result.provenance.parameters)
    except ValidationError:
        again = f"`{store.program} run {analysis.id} --profile {result.profile}`"
        raise AnalysisFailed(
            f"the {result.profile} result of {analysis.id} was made with other parameters than it has now; "
            f"make it again with {again}"
        ) from None
    with faults_of(analysis, "its media"):
        return dict(analysis.media(parameters, outcomes))

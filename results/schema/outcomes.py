"""What is kept of the cells of an experiment."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer

from results.schema.values import AnalysisId, Record

OUTCOMES_VERSION: Literal[1] = 1


class Dataset(Record):
    """A data set that a result was measured on, or weights that it started from."""

    name: str
    fingerprint: str
    licence: str = ""
    images: int | None = None
    notes: tuple[str, ...] = ()


def _moment(text: str) -> str:
    if text:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no moment, such as 2026-11-27T09:00:00+00:00") from None
    return text


Moment = Annotated[str, AfterValidator(_moment)]


class CellRecord(Record):
    """What one cell of an experiment gave, and where it was measured."""

    key: str = Field(description="Of all that decides the outcome")
    id: str
    settings: dict[str, Any] = {}
    seed: int | None = None
    outcome: dict[str, Any]
    seconds: float
    device: str
    threads: int
    peak_memory_bytes: int
    peak_device_bytes: int | None = Field(None, description="Of a GPU; not written of a CPU")
    libraries: dict[str, str] = {}
    python: str = ""
    git_commit: str = ""
    git_dirty: bool = False
    created: Moment

    @model_serializer(mode="wrap")
    def without_device_of_a_cpu(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = serialize(self)
        if self.peak_device_bytes is None:
            written.pop("peak_device_bytes", None)
        return written


class Pending(Record):
    """Finished cells of a run that has not ended, and the data that they were measured on."""

    datasets: dict[str, Dataset] = {}
    cells: tuple[CellRecord, ...] = ()


class Outcomes(Record):
    """What is kept of the cells of an experiment under one profile.

    `cells` are those that the recorded Result was summarized from, in the order of its plan. They change only
    together with the Result, so that it can always be summarized again. Each cell of a run is added to
    `pending` as it ends, and becomes one of `cells` when the Result of that run is written. Until then it is
    no part of any Result; a run takes it before one of `cells` of the same key, which was measured earlier.
    """

    schema_version: Literal[1] = OUTCOMES_VERSION
    analysis: AnalysisId
    datasets: dict[str, Dataset] = Field({}, description="By the name that the analysis asks for")
    cells: tuple[CellRecord, ...] = ()
    pending: Pending = Pending()

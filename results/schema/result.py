"""A Result, where it comes from, and the pictures that stay beside it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from results.schema.findings import MEMBERS, Finding, Placeholder, parts_of
from results.schema.networks import Network
from results.schema.outcomes import Dataset, Moment
from results.schema.pictures import Pictures
from results.schema.plots import Chart, Heatmap, Panels
from results.schema.tables import Table
from results.schema.values import AnalysisId, Identifier, Metric, Record

#: Of results. Version 1 had no estimates in cells, panels, sentences or colours; `upgraded` reads it.
SCHEMA_VERSION: Literal[2] = 2
MEDIA_VERSION: Literal[1] = 1
#: Of JSON text: what no page can show, escaped or as it is.
CONTROL_CHARACTER = re.compile(r"(?<!\\)(?:\\\\)*\\(?:u00[01]|b|f)|[\x7f-\x9f]")
Figure = Annotated[Chart | Panels | Heatmap | Pictures | Network, Field(discriminator="kind")]


class Media(Record):
    """Pictures of data that may not be passed on: beside a Result, on the machine that has the data."""

    schema_version: Literal[1] = MEDIA_VERSION
    analysis: AnalysisId
    figures: dict[Identifier, Figure] = {}


class Provenance(Record):
    """Where a Result comes from, in enough detail to make it again."""

    analysis_version: str
    source_hash: str = Field(description="Of the analysis's code and of what it imports from this project")
    sources: dict[str, str] = Field(
        {}, description="Module to hash of its code: what source_hash is taken of"
    )
    cache_key: str = Field(description="Of source, parameters, data and library versions")
    parameters: dict[str, Any] = {}
    seeds: tuple[int, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    device: str = "cpu"
    libraries: dict[str, str] = {}
    python: str = ""
    git_commit: str = Field("", description="Empty outside a git checkout")
    git_dirty: bool = False
    created: Moment = Field("", description="UTC, ISO 8601")
    wall_seconds: float = 0.0
    peak_memory_bytes: int = 0
    note: str = Field("", description="What was not run, or was run at a smaller budget than the protocol's")


class Result(Record):
    """What one analysis found, under one profile."""

    schema_version: Literal[2] = SCHEMA_VERSION
    analysis: AnalysisId
    title: str
    question: str
    profile: Literal["full", "quick", "custom"]
    metrics: dict[Identifier, Metric] = {}
    tables: dict[Identifier, Table] = {}
    figures: dict[Identifier, Figure] = {}
    findings: dict[Identifier, Finding] = {}
    provenance: Provenance

    @model_validator(mode="after")
    def text_can_be_printed(self) -> Self:
        found = CONTROL_CHARACTER.search(text := self.model_dump_json())
        if found:
            raise ValueError(f"a control character stands after {text[: found.start()][-40:]!r}")
        return self

    @model_validator(mode="after")
    def findings_rest_on_metrics(self) -> Self:
        for name, finding in self.findings.items():
            printed = [
                part.metric
                for sentence in finding.sentences.values()
                for part in parts_of(sentence)
                if isinstance(part, Placeholder) and part.metric != MEMBERS
            ]
            for metric in (*finding.metrics, *printed):
                if metric not in self.metrics:
                    raise ValueError(
                        f"finding {name!r} rests on {metric!r}, which is no metric of {self.analysis}"
                    )
        return self


def upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """A result of an earlier version as the present one; all that was added since then has a default."""
    return data | {"schema_version": SCHEMA_VERSION} if data.get("schema_version") == 1 else data

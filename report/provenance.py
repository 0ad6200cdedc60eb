"""The appendix that says where a document's numbers come from."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from report.formatting import duration, listing, markdown
from results.schema import Column, Result, Row, Table

SECTION = "provenance"
TITLE = "Where the numbers come from"
RESULTS = "Results, libraries and data"  # where questions stand before them
TARGET = "provenance/results"


COLUMNS = {
    "analysis": "Result",
    "profile": "Profile",
    "version": "Version",
    "source": "Source",
    "key": "Key",
    "commit": "Commit",
    "device": "Device",
    "created": "Date",
    "time": "Time",
}
CODES = ("analysis", "source", "key", "commit")


def table(results: Mapping[str, Result]) -> Table:
    """One row a result: which code made it, from which inputs, where, when and how long it took. A profile
    that all share stands in the caption.
    """
    profiles = {result.profile for result in results.values()}
    shared = f" All are of the profile {min(profiles)}." if len(profiles) == 1 else ""
    columns = {key: label for key, label in COLUMNS.items() if not (shared and key == "profile")}
    return Table(
        caption="Results that this document rests on: version and source hash of the analysis, cache key of "
        f"code, parameters, data and libraries, and commit (+ where files were changed).{shared}",
        columns=tuple(
            Column(key=key, label=label, type="code" if key in CODES else "text", format="")
            for key, label in columns.items()
        ),
        rows=tuple(_row(name, result, columns) for name, result in results.items()),
        notes=(),
    )


def _row(name: str, result: Result, columns: Container[str]) -> Row:
    origin = result.provenance
    cells = {
        "analysis": name,
        "profile": result.profile,
        "version": origin.analysis_version,
        "source": origin.source_hash[:8],
        "key": origin.cache_key[:8],
        "commit": origin.git_commit[:8] + ("+" if origin.git_commit and origin.git_dirty else ""),
        "device": origin.device,
        "created": origin.created[:10],
        "time": duration(origin.wall_seconds),
    }
    return Row(cells={key: value for key, value in cells.items() if key in columns})


def text(results: Mapping[str, Result], program: str) -> str:
    """The appendix as Markdown: the table of results, then libraries, data and what was not run.

    `program` is how a reader calls convstudy.
    """
    if not results:
        return "No result was read."
    return "\n\n".join(
        [
            "Every computed number above was read from a result file. Each row of the table names a result "
            "file and the code that produced it.",
            f'::: {{.table target="{TARGET}"}}\n:::',
            *_libraries(results),
            *_data(results, program),
            *_notes(results),
        ]
    )


def _notes(results: Mapping[str, Result]) -> list[str]:
    """A paragraph for every note, with the names of all results that it is of."""
    noted: dict[str, list[str]] = {}
    for name, result in results.items():
        if result.provenance.note:
            noted.setdefault(_short(result.provenance.note), []).append(f"`{name}`")
    return [f"{listing(names)}: {markdown(note)}" for note, names in noted.items()]


def _short(note: str) -> str:
    """With the first eight digits of each SHA-256, which is whole in the result."""
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{56}\b", r"\1", note)


def _libraries(results: Mapping[str, Result]) -> list[str]:
    """A paragraph for every set of library versions that results were made with; the commonest comes last."""
    makers: dict[str, list[str]] = {}
    for name, result in results.items():
        versions = {"Python": result.provenance.python, **result.provenance.libraries}
        described = [f"{markdown(library)} {markdown(version)}" for library, version in versions.items()]
        makers.setdefault(listing(described), []).append(f"`{name}`")
    *others, (largest, _) = sorted(makers.items(), key=lambda pair: len(pair[1]))
    return [
        *(f"{listing(names)} {_was(names)} made with {versions}." for versions, names in others),
        f"All {'other ' if others else ''}results were made with {largest}.",
    ]


def _was(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"


def _licence(text: str) -> str:
    return markdown(text) if text.startswith("no licence") else f"licence {markdown(text)}"


def _data(results: Mapping[str, Result], program: str) -> list[str]:
    """The data sets and weights that results were measured on, and how to draw pictures of them. One content
    is described once, although an earlier result may say the same of it in other words.
    """
    described: dict[tuple[str, str], str] = {}
    for result in results.values():
        for data in result.provenance.datasets:
            words = (
                f"{markdown(data.name)} (fingerprint `{data.fingerprint[:8]}`"
                + (f", {_licence(data.licence)})" if data.licence else ")")
                + (f" ({markdown('; '.join(data.notes))})" if data.notes else "")
            )
            described.setdefault((data.name, data.fingerprint), words)
    if not described:
        return []
    return [
        f"Data sets and weights: {'; '.join(sorted(described.values()))}.",
        f"Where a data set is available, `{program} run NAME --media`, with the name of a result in the "
        "table, draws those of its pictures that cannot be redistributed.",
    ]

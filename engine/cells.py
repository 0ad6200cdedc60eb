"""What is kept of the cells of an analysis, and where.

results/<profile>/outcomes/ANALYSIS.json  finished cells, each written as it ends: they survive the machine
results/cells/ANALYSIS/KEY/               checkpoints of a cell that is being measured; only of this machine
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

import analyses
from analyses.plugin import Analysis, Cell
from engine.faults import faults_of
from engine.freshness import cell_key, device_class
from results.locking import Held, holding
from results.schema import CellRecord, Dataset, Outcomes, Pending
from results.store import Profile, ResultError, Store


class Busy(RuntimeError):
    """Another process runs the same analysis."""


class CellCache:
    """The finished cells of an experiment, as a run under one profile finds and keeps them.

    Of an analytic analysis, which takes seconds, nothing is kept but its Result.

    device, threads: what the cells are to be computed with; both are part of their keys.
    """

    def __init__(
        self,
        analysis: Analysis[Any],
        profile: Profile,
        store: Store,
        datasets: Mapping[str, Dataset],
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.analysis, self.profile, self.store, self.datasets = analysis, profile, store, dict(datasets)
        self.device, self.threads = device, threads
        self.folder = store.root / "cells" / analysis.id
        self.measured: dict[str, CellRecord] = {}  # by this run
        self._bundles: dict[Profile, Outcomes] | None = None
        self._loose: list[Path] = []

    @contextmanager
    def alone(self, *, wait: bool = False) -> Iterator[None]:
        """The only writer meanwhile; where another process is, Busy, or a wait for its end."""
        try:
            with holding(self.folder, wait_for=f"runs {self.analysis.id}" if wait else ""):
                yield
        except Held:
            raise Busy(
                f"{self.analysis.id} is being run by another process with the results in {self.store.root}; "
                "wait for it, or end it"
            ) from None
        finally:
            with suppress(OSError):  # others have checkpoints there
                self.folder.parent.rmdir()

    def key(self, cell: Cell) -> str:
        fingerprints = {name: dataset.fingerprint for name, dataset in self.datasets.items()}
        with faults_of(self.analysis, f"the settings of cell {cell.id}"):
            return cell_key(self.analysis, cell, fingerprints, self.device, self.threads)[:32]

    def scratch(self, key: str) -> Path:
        """Where the cell of that key has its checkpoints."""
        return self.folder / key

    @property
    def bundles(self) -> dict[Profile, Outcomes]:
        """What is kept under each profile, the best first. ResultError where a file is damaged."""
        if self._bundles is None:
            self._bundles = kept(self.analysis, self.store)
        return self._bundles

    def find(self, planned: Mapping[str, Cell]) -> dict[str, CellRecord]:
        """Of planned cells by key, the records of those that need not run again.

        Of several, one that this run measured, or the last that has not ended; else that of the best profile,
        or of an analysis that shares its cells.
        """
        places = [self.measured.values(), self._of_earlier_versions()]
        if self.profile in self.bundles:
            places.append(self.bundles[self.profile].pending.cells)
        places += [bundle.cells for bundle in self.bundles.values()]
        places += [bundle.pending.cells for bundle in self.bundles.values()]
        known = self._shared(planned)
        known |= {record.key: record for place in reversed(places) for record in place}
        return {key: known[key] for key in planned if key in known}

    def _shared(self, planned: Mapping[str, Cell]) -> dict[str, CellRecord]:
        """Of planned cells by key, the records of other analyses that compute the same."""
        found: dict[str, CellRecord] = {}
        for identifier in self.analysis.shares_cells:
            other = CellCache(
                analyses.get(identifier), self.profile, self.store, self.datasets, self.device, self.threads
            )
            bundles = other.bundles.values()
            records = {
                record.key: record for bundle in bundles for record in (*bundle.cells, *bundle.pending.cells)
            }
            for key, cell in planned.items():
                if record := records.get(other.key(cell)):
                    found.setdefault(key, record.model_copy(update={"key": key, "id": cell.id}))
        return found

    def _of_earlier_versions(self) -> list[CellRecord]:
        """Finished cells that lie beside the checkpoints, a file each; they are taken up once."""
        records = []
        for path in self.folder.glob("*.json"):
            try:
                records.append(CellRecord.model_validate_json(path.read_bytes()))
            except ValueError:  # half-written
                continue
        return records

    def keep(self, record: CellRecord) -> None:
        """Write the record of a cell that has just ended, beside those before it; then its checkpoints go."""
        self.measured[record.key] = record
        if not self.analysis.analytic:
            self._write_pending()
            shutil.rmtree(self.scratch(record.key), ignore_errors=True)

    def take_up(self, records: Iterable[CellRecord]) -> None:
        """Keep what earlier versions left as loose files, in the place of those."""
        loose = [record for record in records if (self.folder / f"{record.key}.json").exists()]
        if loose:
            self.measured |= {record.key: record for record in loose}
            self._write_pending()
            for record in loose:
                (self.folder / f"{record.key}.json").unlink()

    def _write_pending(self) -> None:
        outcomes = self._own()
        cells = {record.key: record for record in outcomes.pending.cells} | self.measured
        pending = Pending(
            datasets={**outcomes.pending.datasets, **self.datasets}, cells=tuple(cells.values())
        )
        self._write(outcomes.model_copy(update={"pending": pending}))

    def conclude(self, cells: Iterable[CellRecord], *, ended: bool) -> None:
        """Record the cells that a Result is summarized from.

        What else is pending stays where the run it belongs to has not `ended`, and where it is of other
        parameters of a user's own, who may go on with them.
        """
        chosen = tuple(cells)
        used = {record.key for record in chosen}
        for key in used:  # of a run that was taken up after its cell was measured elsewhere
            shutil.rmtree(self.scratch(key), ignore_errors=True)
        pending = self._own().pending
        others = tuple(record for record in pending.cells if record.key not in used)
        keeps = others and (not ended or self.profile == "custom")
        outcomes = Outcomes(
            analysis=self.analysis.id,
            datasets=self.datasets,
            cells=chosen,
            pending=pending.model_copy(update={"cells": others}) if keeps else Pending(),
        )
        if outcomes != self.bundles.get(self.profile):
            self._write(outcomes)

    def _own(self) -> Outcomes:
        try:
            own = self.bundles.get(self.profile)
        except ResultError:  # only where all is to be measured again
            own, self._bundles = None, {}
        return own or Outcomes(analysis=self.analysis.id)

    def _write(self, outcomes: Outcomes) -> None:
        self.store.write_outcomes(outcomes, self.profile)
        self.bundles[self.profile] = outcomes


def kept(analysis: Analysis[Any], store: Store) -> dict[Profile, Outcomes]:
    """What is kept under each profile, the best first."""
    found = {profile: store.read_outcomes(analysis.id, profile) for profile in get_args(Profile)}
    return {profile: bundle for profile, bundle in found.items() if bundle}


def kept_or_shared(analysis: Analysis[Any], store: Store) -> list[Outcomes]:
    """What is kept of the analysis, and then of those that share their cells with it."""
    sharing = (analysis, *map(analyses.get, analysis.shares_cells))
    return [bundle for each in sharing for bundle in kept(each, store).values()]


def measured_with(bundles: Iterable[Outcomes]) -> list[tuple[str, int]]:
    """The device classes and threads that cells were computed with, one thread of a CPU first."""
    records = [record for bundle in bundles for record in (*bundle.cells, *bundle.pending.cells)]
    found = {(device_class(record.device), record.threads) for record in records}
    return list(dict.fromkeys([("cpu", 1), *sorted(found)]))


def measured_on(name: str, bundles: Iterable[Outcomes]) -> Dataset | None:
    """The data set of that name as it was when cells were measured on it."""
    for bundle in bundles:
        if found := bundle.datasets.get(name) or bundle.pending.datasets.get(name):
            return found
    return None

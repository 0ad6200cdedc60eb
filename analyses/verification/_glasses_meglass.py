"""The official lists of MeGlass, gallery against probe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analyses import records
from analyses.plugin import Outcome
from analyses.verification._glasses_settings import ROWS
from analyses.verification._verification import Faces
from analyses.verification._verification_people import load_named
from results import builders
from results.schema import Metric, Table


def load_meglass(faces: Faces) -> tuple[dict[str, list[int]], Any]:
    """The images of each official list by number, as far as they are here; and the images of them all."""
    import numpy as np

    from lab.datasets import locate
    from lab.datasets.official import meglass_lists

    images = load_named(faces, "meglass")
    number = {file.rpartition("/")[2]: at for at, file in enumerate(images.files)}
    lists = {
        name: [number[file] for file in files if file in number]
        for name, files in meglass_lists(locate("meglass").release).items()
    }
    used = sorted({at for found in lists.values() for at in found})
    place = {at: position for position, at in enumerate(used)}
    people = [int(label) for label in images.labels[used]]
    listed = {name: [place[at] for at in found] for name, found in lists.items()}
    return listed | {"people": people}, np.ascontiguousarray(images.images[used])


def protocols(listed: Mapping[str, list[int]]) -> Iterator[tuple[str, Any, Any]]:
    """Each protocol of MeGlass, and the images of its pairs of gallery and probe, (M,) each. DataError where
    the images that are here make no pairs of both kinds.
    """
    import numpy as np

    from lab.datasets import DataError
    from lab.datasets.official import MEGLASS_PROTOCOLS

    people = np.array(listed["people"])
    for protocol, ends in MEGLASS_PROTOCOLS.items():
        gallery, probe = (np.array([at for name in end for at in listed[name]], int) for end in ends)
        first, second = (grid.ravel() for grid in np.meshgrid(gallery, probe, indexing="ij"))
        same = people[first] == people[second] if len(first) else np.zeros(0, bool)
        if not same.any() or same.all():
            raise DataError(
                f"of MeGlass {len(gallery)} images of the gallery and {len(probe)} probes of {protocol} are "
                "here, and no pair of one person or of two; fetch its images, or leave out --set meglass=true"
            )
        yield protocol, first, second


def evaluate_protocols(listed: Mapping[str, list[int]], distances: Any) -> Outcome:
    """AUC of the pairs of gallery and probe under each protocol of MeGlass, and how many there are."""
    import numpy as np

    from lab.verification import Pairs, auc

    people = np.array(listed["people"])
    evaluated = {}
    for protocol, first, second in protocols(listed):
        pairs = Pairs.of(distances[first, second], people[first], people[second])
        evaluated[protocol] = {"auc": float(auc(pairs)[0]), "pairs": len(pairs)}
    return evaluated


def meglass_metrics(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    return {
        f"meglass/{protocol.replace('/', '_')}/{method}/auc": records.over_seeds(
            [run["meglass"][protocol] for run in found], "auc", f"AUC on MeGlass, {protocol}: {ROWS[method]}"
        )
        for method, found in runs.items()
        for protocol in found[0]["meglass"]
    }


def meglass_table(metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]) -> Table:
    protocols = runs["mining"][0]["meglass"]
    return builders.table(
        "AUC on the official lists of MeGlass, gallery against probe: who wears glasses in each.",
        {
            "protocol": builders.text("Gallery/probe"),
            "pairs": builders.integer("Pairs"),
            **{method: builders.number(label, ".3f") for method, label in ROWS.items()},
        },
        [
            {
                "protocol": protocol,
                "pairs": evaluated["pairs"],
                **{method: metrics[f"meglass/{protocol.replace('/', '_')}/{method}/auc"] for method in ROWS},
            }
            for protocol, evaluated in protocols.items()
        ],
    )

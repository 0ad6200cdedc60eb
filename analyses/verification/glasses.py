"""verification.glasses: the same people with glasses and without.

A network that has never seen a person put glasses on may take the glasses for the person. The published
network and one trained on mined pairs (after Guo et al. 2018) are compared at their fixed thresholds by kind
of pair: neither wears glasses, both do, one does. The new network is trained on faces on which glasses were
drawn, as the paper renders them, and once without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from analyses import experiments
from analyses.experiments import FRACTION
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from analyses.verification import _verification as verification
from analyses.verification._verification import (
    CROSSED,
    METHODS,
    Compared,
    Faces,
    Judged,
    VerificationParameters,
)
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

KINDS = {"none": "neither", "both": "both", "cross": "one of the two"}
BARE = "mining_glasses"  # the new network without drawn glasses
ROWS = {
    "contrastive": METHODS["contrastive"],
    **CROSSED,
    BARE: "New network, no glasses drawn",
    "mining": "New network, glasses drawn",
}
SPLITS = {"heldout": "people with both", "published": "published people"}


class GlassesParameters(VerificationParameters):
    """meglass: whether the networks are tried on the lists of MeGlass too, whose images must be here."""

    meglass: bool = False


class Glasses(Analysis[GlassesParameters]):
    id = "verification.glasses"
    title = "With glasses and without"
    question = "Is a person still the same with glasses on?"
    version = "2"  # whole images, and thresholds from people whom the networks have not seen
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> GlassesParameters:
        if profile == "quick":
            return GlassesParameters(
                faces=Faces(name="faces", people=12),
                published=("p00", "p01", "p02"),
                heldout=("p03", "p04", "p05", "p06"),
                pairs=64,
                epochs=3,
                mining_epochs=5,
                batch_people=4,
                seeds=2,
                inner_folds=2,
            )
        return GlassesParameters()

    def datasets(self, parameters: GlassesParameters) -> tuple[str, ...]:
        return (parameters.faces.name, *(["meglass"] if parameters.meglass else []))

    def plan(self, parameters: GlassesParameters) -> list[Cell]:
        cells = []
        for split in SPLITS:
            test = getattr(parameters, split)
            for method in ("mining", "contrastive", "tutorial_mining", "new_contrastive"):
                cells += parameters.cells(split, test, method)
            cells += parameters.cells(split, test, "mining", glasses=0)
        if not parameters.meglass:
            return cells
        return [
            replace(cell, settings=cell.settings | {"meglass": True})
            if cell.id.startswith("heldout/") and "inner" not in cell.settings
            else cell
            for cell in cells
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab.datasets import DataError

        faces = Faces.model_validate(cell.settings["faces"])
        worn = verification.glasses_of(faces)
        if cell.settings.get("meglass"):
            listed, pixels = _meglass(faces)
            outcome, between = verification.run(cell, context, pixels)
            outcome["meglass"] = _protocols(listed, between)
        else:
            outcome, _ = verification.run(cell, context)
        if "inner" in cell.settings:
            return outcome
        missing = [file for file in outcome["files"] if file not in worn]
        if missing:
            raise DataError(
                f"glasses.csv says nothing of {missing[0]} and {len(missing) - 1} other test images; add them"
            )
        return outcome | {"glasses": [worn[file] for file in outcome["files"]]}

    def summarize(self, parameters: GlassesParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        judged = {
            split: {method: verification.split_runs(outcomes, [split], method) for method in ROWS}
            for split in SPLITS
        }
        kinds = {split: _kinds(outcomes[f"{split}/mining/0"]["glasses"]) for split in SPLITS}
        metrics = _metrics(judged, kinds)
        tables = {
            "kinds": _table(judged["heldout"], kinds["heldout"], parameters),
            "published": _published_table(judged["published"], kinds["published"]),
        }
        if parameters.meglass:
            found = {method: experiments.of(outcomes, f"heldout/{method}") for method in ROWS}
            metrics |= _meglass_metrics(found)
            tables["meglass"] = _meglass_table(metrics, found)
        return Summary(
            metrics=metrics,
            tables=tables,
            figures={"accepted": _chart(metrics)},
            findings=_findings(metrics, judged["heldout"], kinds["heldout"], outcomes),
            note=verification.weights_note(outcomes),
        )


def _meglass(faces: Faces) -> tuple[dict[str, list[int]], Any]:
    """The images of each official list by number, as far as they are here; and the images of them all."""
    import numpy as np

    from lab.datasets import load, locate
    from lab.datasets.official import meglass_lists

    images = load("meglass", "all", size=(faces.size, faces.size), grey=True)
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


def _protocols(listed: Mapping[str, list[int]], distances: Any) -> Outcome:
    """AUC of the pairs of gallery and probe under each protocol of MeGlass, and how many there are."""
    import numpy as np

    from lab.datasets import DataError
    from lab.datasets.official import MEGLASS_PROTOCOLS
    from lab.verification import Pairs, auc

    people = np.array(listed["people"])
    told = {}
    for protocol, ends in MEGLASS_PROTOCOLS.items():
        gallery, probe = (np.array([at for name in end for at in listed[name]], int) for end in ends)
        first, second = (grid.ravel() for grid in np.meshgrid(gallery, probe, indexing="ij"))
        try:
            pairs = Pairs.of(distances[first, second], people[first], people[second])
        except ValueError:
            raise DataError(
                f"of MeGlass {len(gallery)} images of the gallery and {len(probe)} probes of {protocol} are "
                "here, and no pair of one person or of two; fetch its images, or leave out --set meglass=true"
            ) from None
        told[protocol] = {"auc": float(auc(pairs)[0]), "pairs": len(pairs)}
    return told


def _meglass_metrics(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    return {
        f"meglass/{protocol.replace('/', '_')}/{method}/auc": experiments.over_seeds(
            [run["meglass"][protocol] for run in found], "auc", f"AUC on MeGlass, {protocol}: {ROWS[method]}"
        )
        for method, found in runs.items()
        for protocol in found[0]["meglass"]
    }


def _meglass_table(metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]) -> Table:
    protocols = runs["mining"][0]["meglass"]
    return Table(
        caption="AUC on the official lists of MeGlass, gallery against probe: who wears glasses in each.",
        columns=(
            Column(key="protocol", label="Gallery/probe"),
            Column(key="pairs", label="Pairs", type="integer"),
            *(Column(key=method, label=label, type="number", format=".3f") for method, label in ROWS.items()),
        ),
        rows=tuple(
            Row(
                cells={
                    "protocol": protocol,
                    "pairs": told["pairs"],
                    **{
                        method: metrics[f"meglass/{protocol.replace('/', '_')}/{method}/auc"].value
                        for method in ROWS
                    },
                }
            )
            for protocol, told in protocols.items()
        ),
    )


def _kinds(glasses: list[bool]) -> dict[str, Any]:
    """Which pairs are of which kind, (M,) bool each."""
    import numpy as np

    from lab.verification import every

    worn = np.array(glasses)
    first, second = every(len(worn))
    both, none = worn[first] & worn[second], ~worn[first] & ~worn[second]
    return {"none": none, "both": both, "cross": ~none & ~both}


def _metrics(
    judged: Mapping[str, Mapping[str, Judged]], kinds: Mapping[str, Mapping[str, Any]]
) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    people = judged["heldout"]
    areas = {method: verification.aucs(one) for method, one in people.items()}
    cross = {
        method: verification.accepted(one, [kinds["heldout"]["cross"]]) for method, one in people.items()
    }
    for method, label in ROWS.items():
        metrics[f"{method}/auc"] = verification.estimated(
            *areas[method], f"AUC of people with both: {label}", people[method].people
        )
        metrics[f"threshold/{method}"] = Metric(
            value=people[method].threshold, title=f"Threshold of the distance: {label}"
        )
        for kind, said in KINDS.items():
            value = verification.accepted(people[method], [kinds["heldout"][kind]])
            metrics[f"{method}/{kind}_glasses_tpr"] = verification.estimated(
                *value, f"True positive rate where {said} wear glasses: {label}", people[method].people
            )
            metrics[f"{method}/{kind}_glasses_fpr"] = Metric(
                value=_share(people[method], kinds["heldout"][kind], same=False),
                title=f"False positive rate where {said} wear glasses: {label}",
                unit=FRACTION,
            )
        count, total = _counted(judged["published"][method], kinds["published"]["cross"])
        metrics[f"{method}/published_cross_accepted"] = Metric(
            value=count, title=f"Accepted cross pairs of the published people, mean over seeds: {label}"
        )
        metrics["published/cross_pairs"] = Metric(
            value=total, title="Cross pairs of the published people", unit="pairs"
        )
    for name, found in _compared(areas, cross, people["mining"].people).metrics.items():
        metrics[name] = found
        if name in ("difference/cross_glasses_tpr", "drawn_difference/cross_glasses_tpr"):
            assert found.low is not None and found.high is not None
            for end, value in (("low", found.low), ("high", found.high)):
                metrics[f"{name.split('/')[0]}/ci_{end}"] = Metric(
                    value=value, title=f"95% interval over people, {end}er end: {found.title}", unit=FRACTION
                )
    same = people["mining"].pairs[0][0].same
    metrics["data/cross_pairs"] = Metric(
        value=int((same & kinds["heldout"]["cross"]).sum()), title="Cross pairs of one person", unit="pairs"
    )
    return metrics


#: Name → of which two rows; the first two are the question, the others tell network and loss apart.
COMPARED = {
    "difference": ("mining", "contrastive"),
    "drawn_difference": ("mining", BARE),
    "loss_old": ("tutorial_mining", "contrastive"),
    "loss_new": ("mining", "new_contrastive"),
    "network_contrastive": ("new_contrastive", "contrastive"),
    "network_mining": ("mining", "tutorial_mining"),
}


def _compared(
    areas: Mapping[str, verification.Drawn], cross: Mapping[str, verification.Drawn], people: int
) -> Compared:
    """All comparisons of the table, one family: AUC, and accepted pairs across glasses."""
    pairs, titles = {}, {}
    for name, (first, second) in COMPARED.items():
        for key, what, values in (
            ("auc", "AUC of people with both", areas),
            ("cross_glasses_tpr", "True positive rate of cross pairs", cross),
        ):
            pairs[f"{name}/{key}"] = values[first], values[second]
            titles[f"{name}/{key}"] = f"{what}: {ROWS[first]}, less {ROWS[second]}"
    return verification.compared(pairs, titles, people)


def _share(judged: Judged, which: Any, *, same: bool) -> float:
    """Mean over seeds of the share of these pairs that is called the same."""
    import numpy as np

    found = []
    for runs, thresholds in zip(judged.pairs, judged.thresholds, strict=True):
        for pairs, limits in zip(runs, thresholds, strict=True):
            chosen = which & (pairs.same == same)
            if chosen.any():
                found.append(float((pairs.distances[chosen] < limits["balanced"]).mean()))
    return float(np.mean(found)) if found else 0.0


def _counted(judged: Judged, which: Any) -> tuple[float, int]:
    """Of the same pairs among these, how many are accepted, mean over seeds; and how many there are."""
    total = int((which & judged.pairs[0][0].same).sum())
    return _share(judged, which, same=True) * total, total


def _table(judged: Mapping[str, Judged], kinds: Mapping[str, Any], parameters: GlassesParameters) -> Table:
    rows = []
    for method, label in ROWS.items():
        for kind, said in KINDS.items():
            pairs = judged[method].pairs[0][0]
            tpr = _share(judged[method], kinds[kind], same=True)
            fpr = _share(judged[method], kinds[kind], same=False)
            positives = int((pairs.same & kinds[kind]).sum())
            negatives = int((~pairs.same & kinds[kind]).sum())
            right = tpr * positives + (1 - fpr) * negatives
            rows.append(
                Row(
                    cells={
                        "method": label,
                        "kind": said,
                        "same": positives,
                        "different": negatives,
                        "tpr": tpr,
                        "fpr": fpr,
                        "accuracy": right / (positives + negatives),
                    }
                )
            )
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    return Table(
        caption="Pairs of people of whom there are images with glasses and without, at the threshold that "
        "training people chose, by who wears them.",
        columns=(
            Column(key="method", label="Network"),
            Column(key="kind", label="Glasses"),
            Column(key="same", label="Same", type="integer", unit="pairs"),
            Column(key="different", label="Different", type="integer", unit="pairs"),
            Column(key="tpr", label="TPR", **number),
            Column(key="fpr", label="FPR", **number),
            Column(key="accuracy", label="Accuracy", **number),
        ),
        rows=tuple(rows),
        notes=(f"Means over {parameters.seeds} seeds.",),
    )


def _published_table(judged: Mapping[str, Judged], kinds: Mapping[str, Any]) -> Table:
    rows = []
    for method, label in ROWS.items():
        count, total = _counted(judged[method], kinds["cross"])
        rows.append(Row(cells={"method": label, "accepted": count, "pairs": total}))
    return Table(
        caption="Pairs of one published person with glasses and without that are accepted as the same.",
        columns=(
            Column(key="method", label="Network"),
            Column(key="accepted", label="Accepted, mean", type="number", format=".1f"),
            Column(key="pairs", label="Of", type="integer", unit="pairs"),
        ),
        rows=tuple(rows),
    )


def _chart(metrics: Mapping[str, Metric]) -> Chart:
    series = []
    for method, label in ROWS.items():
        found = [metrics[f"{method}/{kind}_glasses_tpr"] for kind in KINDS]
        series.append(
            Series(
                label=label,
                x=tuple(map(float, range(len(KINDS)))),
                y=tuple(one.value for one in found),
                **experiments.interval(found),
            )
        )
    told = "; ".join(f"{one.label}: {', '.join(f'{value:.2f}' for value in one.y)}" for one in series)
    return Chart(
        kind="bar",
        caption="Share of the pairs of one person that are accepted, by who wears glasses; 95% intervals of "
        "people drawn again.",
        alt=f"Bars of true positive rates where {', '.join(KINDS.values())} wear glasses. {told}.",
        x=Axis(label="Glasses", categories=tuple(KINDS.values())),
        y=Axis(label="True positive rate", unit=FRACTION),
        series=tuple(series),
    )


def _findings(
    metrics: Mapping[str, Metric],
    judged: Mapping[str, Judged],
    kinds: Mapping[str, Any],
    outcomes: Mapping[str, Outcome],
) -> dict[str, Finding]:
    found = _compared(
        {method: verification.aucs(one) for method, one in judged.items()},
        {method: verification.accepted(one, [kinds["cross"]]) for method, one in judged.items()},
        judged["mining"].people,
    )
    above, below = found.is_above, found.is_below

    def harder(method: str) -> bool:
        return metrics[f"{method}/cross_glasses_tpr"].value < metrics[f"{method}/none_glasses_tpr"].value

    return {
        "new_accepts_more_across": Finding(
            statement="The new network accepts more pairs across glasses than the published one, by an "
            "interval above zero",
            holds=above("difference/cross_glasses_tpr"),
            metrics=("difference/cross_glasses_tpr",),
        ),
        "new_accepts_fewer_across": Finding(
            statement="The new network accepts fewer pairs across glasses than the published one, by an "
            "interval below zero",
            holds=below("difference/cross_glasses_tpr"),
            metrics=("difference/cross_glasses_tpr",),
        ),
        "new_has_higher_auc": Finding(
            statement="The new network's AUC lies above that of the published one, by an interval above zero",
            holds=above("difference/auc"),
            metrics=("difference/auc",),
        ),
        "drawing_helps": Finding(
            statement="Drawn glasses raise the new network's AUC, by an interval above zero",
            holds=above("drawn_difference/auc"),
            metrics=("drawn_difference/auc",),
        ),
        "drawing_harms": Finding(
            statement="Drawn glasses lower the new network's AUC, by an interval below zero",
            holds=below("drawn_difference/auc"),
            metrics=("drawn_difference/auc",),
        ),
        "drawing_helps_across": Finding(
            statement="Drawn glasses raise the share of accepted pairs across glasses, by an interval above "
            "zero",
            holds=above("drawn_difference/cross_glasses_tpr"),
            metrics=("drawn_difference/cross_glasses_tpr",),
        ),
        "glasses_are_harder_for_the_old": Finding(
            statement="The published network accepts fewer pairs across glasses than without any",
            holds=harder("contrastive"),
            metrics=("contrastive/cross_glasses_tpr", "contrastive/none_glasses_tpr"),
        ),
        "glasses_are_harder_without_drawing": Finding(
            statement="Without drawn glasses the new network accepts fewer pairs across glasses than without "
            "any",
            holds=harder(BARE),
            metrics=(f"{BARE}/cross_glasses_tpr", f"{BARE}/none_glasses_tpr"),
        ),
        **{
            f"{name}_{verdict}": Finding(
                statement=f"{ROWS[first]}: the AUC is {words} that of {ROWS[second].lower()}, after Holm's "
                "correction",
                holds=(above if verdict == "helps" else below)(f"{name}/auc"),
                metrics=(f"{name}/auc",),
            )
            for name, (first, second) in COMPARED.items()
            if name not in ("difference", "drawn_difference")
            for verdict, words in (("helps", "above"), ("hurts", "below"))
        },
        "no_run_diverged": experiments.none_diverged(outcomes),
    }


analysis = Glasses()

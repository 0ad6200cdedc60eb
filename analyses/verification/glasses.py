"""verification.glasses: the same people with glasses and without.

A network that has never seen a person put glasses on may take the glasses for the person. The published
network and one trained on mined pairs (after Guo et al. 2018) are compared at their fixed thresholds by kind
of pair: neither wears glasses, both do, one does. The new network is trained on faces on which glasses were
drawn, as the paper renders them, and once without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from analyses import records
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from analyses.verification import _judging as judging
from analyses.verification import _verification as verification
from analyses.verification._judging import Judged
from analyses.verification._verification import CROSSED, METHODS, Faces, VerificationParameters
from analyses.verification._verification_methods import run_method
from analyses.verification._verification_people import check_people, glasses_of, load_faces, load_named
from results import builders
from results.builders import FRACTION
from results.schema import Chart, Finding, Metric, Table
from results.text import counted

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

    def check(self, parameters: GlassesParameters) -> None:
        check_people(parameters, [getattr(parameters, split) for split in SPLITS])
        for split in SPLITS:
            _check_glasses(parameters.faces, getattr(parameters, split), needed=split == "heldout")
        if parameters.meglass:
            list(_protocols(_meglass(parameters.faces)[0]))

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
        faces = Faces.model_validate(cell.settings["faces"])
        worn = glasses_of(faces)
        if cell.settings.get("meglass"):
            listed, pixels = _meglass(faces)
            outcome, between = run_method(cell, context, pixels)
            outcome["meglass"] = _judged_protocols(listed, between)
        else:
            outcome, _ = run_method(cell, context)
        if "inner" in cell.settings:
            return outcome
        return outcome | {"glasses": [worn[file] for file in outcome["files"]]}

    def summarize(self, parameters: GlassesParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        judged = {
            split: {method: judging.split_runs(outcomes, [split], method) for method in ROWS}
            for split in SPLITS
        }
        kinds = {split: _kinds(outcomes[f"{split}/mining/0"]["glasses"]) for split in SPLITS}
        people = judged["heldout"]["mining"].people
        areas = {method: judging.aucs(one) for method, one in judged["heldout"].items()}
        rates = {
            kind: {
                method: judging.accepted(one, [kinds["heldout"][kind]])
                for method, one in judged["heldout"].items()
            }
            for kind in KINDS
        }
        found = _compared(areas, rates, people)
        metrics = _metrics(judged, kinds, areas, rates) | judging.comparison_metrics(found)
        metrics |= _interval_ends(found)
        note = (
            f"Means over {counted(parameters.seeds, 'seeds')}. Intervals (95%) are over "
            f"{counted(people, 'people')}, drawn again {judging.RESAMPLES} times."
        )
        tables = {
            "networks": _networks_table(metrics, note),
            "kinds": _table(metrics, judged["heldout"]["mining"], kinds["heldout"], note),
            "comparisons": judging.comparison_table(
                found, "Differences between networks and losses, and between kinds of pairs."
            ),
            "published": _published_table(judged["published"], kinds["published"]),
            "recipe": verification.recipe_table(parameters, ("contrastive", *CROSSED, "mining")),
        }
        if parameters.meglass:
            runs = {method: records.runs_named(outcomes, f"heldout/{method}") for method in ROWS}
            metrics |= _meglass_metrics(runs)
            tables["meglass"] = _meglass_table(metrics, runs)
        return Summary(
            metrics=metrics,
            tables=tables,
            figures={"accepted": _chart(metrics)},
            findings=_findings(found, outcomes),
            note=verification.weights_note(outcomes),
        )


def _check_glasses(faces: Faces, people: Sequence[str], *, needed: bool) -> None:
    """DataError where glasses.csv leaves out an image of these people; and, where they are `needed`, where
    nobody has two images of one kind, or one of both.
    """
    from lab.datasets import DataError
    from lab.verification import every

    images, worn = load_faces(faces), glasses_of(faces)
    chosen = [at for at, label in enumerate(images.labels.tolist()) if images.classes[label] in people]
    missing = [images.files[at] for at in chosen if images.files[at] not in worn]
    if missing:
        more = f" and {len(missing) - 1} other test images" if len(missing) > 1 else ""
        raise DataError(f"glasses.csv of {faces.name} says nothing of {missing[0]}{more}; add them")
    first, second = every(len(chosen))
    labels = images.labels[chosen]
    kinds = _kinds([worn[images.files[at]] for at in chosen])
    for kind, words in KINDS.items():
        if needed and not (kinds[kind] & (labels[first] == labels[second])).any():
            raise DataError(
                f"glasses.csv of {faces.name} gives the people held out ({', '.join(people)}) no pair of one "
                f"person where {words} wear glasses; name people with several images of both kinds, with "
                "--set heldout=…"
            )


def _meglass(faces: Faces) -> tuple[dict[str, list[int]], Any]:
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


def _protocols(listed: Mapping[str, list[int]]) -> Iterator[tuple[str, Any, Any]]:
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


def _judged_protocols(listed: Mapping[str, list[int]], distances: Any) -> Outcome:
    """AUC of the pairs of gallery and probe under each protocol of MeGlass, and how many there are."""
    import numpy as np

    from lab.verification import Pairs, auc

    people = np.array(listed["people"])
    told = {}
    for protocol, first, second in _protocols(listed):
        pairs = Pairs.of(distances[first, second], people[first], people[second])
        told[protocol] = {"auc": float(auc(pairs)[0]), "pairs": len(pairs)}
    return told


def _meglass_metrics(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    return {
        f"meglass/{protocol.replace('/', '_')}/{method}/auc": records.over_seeds(
            [run["meglass"][protocol] for run in found], "auc", f"AUC on MeGlass, {protocol}: {ROWS[method]}"
        )
        for method, found in runs.items()
        for protocol in found[0]["meglass"]
    }


def _meglass_table(metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]) -> Table:
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
                "pairs": told["pairs"],
                **{method: metrics[f"meglass/{protocol.replace('/', '_')}/{method}/auc"] for method in ROWS},
            }
            for protocol, told in protocols.items()
        ],
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
    judged: Mapping[str, Mapping[str, Judged]],
    kinds: Mapping[str, Mapping[str, Any]],
    areas: Mapping[str, judging.Drawn],
    rates: Mapping[str, Mapping[str, judging.Drawn]],
) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    people = judged["heldout"]
    for method, label in ROWS.items():
        count = people[method].people
        metrics[f"{method}/auc"] = judging.estimated(
            *areas[method], f"AUC of people with both: {label}", count
        )
        for split, words in SPLITS.items():
            ending = "" if split == "heldout" else f"/{split}"
            metrics[f"threshold/{method}{ending}"] = builders.metric(
                judged[split][method].threshold(), f"Threshold of the distance, {words} tested: {label}"
            )
        whole = judging.rates_of(people[method])
        for key, what in (
            ("true_positive", "True positive rate"),
            ("false_positive", "False positive rate"),
            ("accuracy", "Accuracy"),
        ):
            metrics[f"{method}/{key}"] = builders.metric(
                whole[key], f"{what} of people with both: {label}", FRACTION
            )
        for kind, words in KINDS.items():
            metrics[f"{method}/{kind}_glasses_tpr"] = judging.estimated(
                *rates[kind][method], f"True positive rate where {words} wear glasses: {label}", count
            )
            metrics[f"{method}/{kind}_glasses_fpr"] = builders.metric(
                _share(people[method], kinds["heldout"][kind], same=False),
                f"False positive rate where {words} wear glasses: {label}",
                FRACTION,
            )
        accepted, total = _counted(judged["published"][method], kinds["published"]["cross"])
        metrics[f"{method}/published_cross_accepted"] = builders.metric(
            sum(accepted) / len(accepted),
            f"Accepted cross pairs of the published people, mean over seeds: {label}",
        )
        metrics["published/cross_pairs"] = builders.metric(
            total, "Cross pairs of the published people", "pairs"
        )
    same = people["mining"].pairs[0][0].same
    return metrics | {
        "data/cross_pairs": builders.metric(
            int((same & kinds["heldout"]["cross"]).sum()), "Cross pairs of one person", "pairs"
        ),
        "data/people": builders.metric(people["mining"].people, "People with both", "people"),
        "data/seeds": builders.metric(len(people["mining"].pairs[0]), "Seeds of every network"),
    }


#: Name → of which two rows; the first two are the question, the others tell network and loss apart.
COMPARED = {
    "difference": ("mining", "contrastive"),
    "drawn_difference": ("mining", BARE),
    "loss_old": ("tutorial_mining", "contrastive"),
    "loss_new": ("mining", "new_contrastive"),
    "network_contrastive": ("new_contrastive", "contrastive"),
    "network_mining": ("mining", "tutorial_mining"),
}
HARDER = "harder"  # across glasses than without any
CROSS = judging.Measure(
    "cross TPR",
    more="{first} accepts more pairs across glasses than {second}",
    less="{first} accepts fewer pairs across glasses than {second}",
    same="{first} and {second} do not differ significantly in the pairs across glasses that they accept",
    rate=True,
)
KIND = judging.Measure(
    "TPR",
    more="{first} accepts a larger share of the pairs across glasses than of those without any",
    less="{first} accepts a smaller share of the pairs across glasses than of those without any",
    same="{first} accepts shares of the pairs across glasses and of those without any that do not differ "
    "significantly",
    rate=True,
)
IN_TEXT = verification.IN_TEXT | {BARE: "the new network without drawn glasses"}
#: The two of each comparison in words that can stand within one sentence.
SIDES = {
    "difference": (IN_TEXT["mining"], IN_TEXT["contrastive"]),
    "drawn_difference": ("the new network with drawn glasses", "the same network without them"),
    "loss_old": (IN_TEXT["tutorial_mining"], "the same network with its own loss"),
    "loss_new": ("the new network with mined pairs", "the same network with the contrastive loss"),
    "network_contrastive": (IN_TEXT["new_contrastive"], "the tutorial's network with the same loss"),
    "network_mining": ("the new network with mined pairs", "the tutorial's network with the same pairs"),
}
#: One table, one family.
WORDS = {
    f"{name}/{key}": judging.Compared(*SIDES[name], measure)
    for name in COMPARED
    for key, measure in (("auc", judging.AUC), ("cross_glasses_tpr", CROSS))
} | {
    f"{HARDER}/{method}": judging.Compared(IN_TEXT[method], "the same, without any", KIND) for method in ROWS
}


def _compared(
    areas: Mapping[str, judging.Drawn],
    rates: Mapping[str, Mapping[str, judging.Drawn]],
    people: int,
) -> dict[str, judging.Comparison]:
    """All comparisons of the table: AUC, and accepted pairs across glasses."""
    values = {"auc": areas, "cross_glasses_tpr": rates["cross"]}
    pairs = {
        f"{name}/{key}": (found[first], found[second])
        for name, (first, second) in COMPARED.items()
        for key, found in values.items()
    } | {f"{HARDER}/{method}": (rates["cross"][method], rates["none"][method]) for method in ROWS}
    return judging.compared(pairs, WORDS, dict.fromkeys(pairs, people))


def _interval_ends(found: Mapping[str, judging.Comparison]) -> dict[str, Metric]:
    """The ends of two intervals as metrics of their own, which are asked for by name."""
    metrics = {}
    for name in ("difference", "drawn_difference"):
        one = found[f"{name}/cross_glasses_tpr"].difference
        for end, value in (("low", one.low), ("high", one.high)):
            if value is not None:
                title = f"95% interval over people, {end}er end: {one.title}"
                metrics[f"{name}/ci_{end}"] = builders.metric(value, title, FRACTION)
    return metrics


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


def _counted(judged: Judged, which: Any) -> tuple[list[int], int]:
    """Of the same pairs among these, how many each seed accepts; and how many there are."""
    (runs,), (thresholds,) = judged.pairs, judged.thresholds
    accepted = [
        int((which & pairs.same & (pairs.distances < limits["balanced"])).sum())
        for pairs, limits in zip(runs, thresholds, strict=True)
    ]
    return accepted, int((which & runs[0].same).sum())


def _networks_table(metrics: Mapping[str, Metric], note: str) -> Table:
    return builders.table(
        "Two networks, each with two losses, on the people with glasses and without, whom they have not "
        "seen: AUC; the threshold that left-out training people chose, and rates there; cross: pairs of one "
        "person with glasses and without.",
        {
            "method": builders.text("Network"),
            "auc": builders.number("AUC", ".3f"),
            "threshold": builders.number("Threshold", ".3f"),
            "true_positive": builders.percent("TPR"),
            "false_positive": builders.percent("FPR"),
            "accuracy": builders.percent("Accuracy"),
            "cross_glasses_tpr": builders.percent("Cross TPR"),
        },
        [
            {
                "method": label,
                "threshold": metrics[f"threshold/{method}"].value,
                "auc": metrics[f"{method}/auc"],
                "cross_glasses_tpr": metrics[f"{method}/cross_glasses_tpr"],
                **{
                    key: metrics[f"{method}/{key}"].value
                    for key in ("true_positive", "false_positive", "accuracy")
                },
            }
            for method, label in ROWS.items()
        ],
        notes=(note,),
    )


def _table(metrics: Mapping[str, Metric], judged: Judged, kinds: Mapping[str, Any], note: str) -> Table:
    """judged: of any network; all have the same pairs."""
    same = judged.pairs[0][0].same
    rows = []
    for method, label in ROWS.items():
        for kind, words in KINDS.items():
            tpr, fpr = (metrics[f"{method}/{kind}_glasses_{rate}"] for rate in ("tpr", "fpr"))
            positives, negatives = int((same & kinds[kind]).sum()), int((~same & kinds[kind]).sum())
            right = tpr.value * positives + (1 - fpr.value) * negatives
            rows.append(
                {
                    "method": label,
                    "kind": words,
                    "same": positives,
                    "different": negatives,
                    "tpr": tpr,
                    "fpr": fpr.value,
                    "accuracy": right / (positives + negatives),
                }
            )
    return builders.table(
        "Pairs of people of whom there are images with glasses and without, at the threshold that left-out "
        "training people chose, by who wears them.",
        {
            "method": builders.text("Network"),
            "kind": builders.text("Glasses"),
            "same": builders.integer("Same", "pairs"),
            "different": builders.integer("Different", "pairs"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "accuracy": builders.percent("Accuracy"),
        },
        rows,
        notes=(note,),
    )


def _published_table(judged: Mapping[str, Judged], kinds: Mapping[str, Any]) -> Table:
    rows = []
    for method, label in ROWS.items():
        accepted, total = _counted(judged[method], kinds["cross"])
        rows.append(
            {
                "method": label,
                "seeds": ", ".join(map(str, accepted)),
                "mean": sum(accepted) / len(accepted),
                "pairs": total,
            }
        )
    return builders.table(
        "Pairs of one published person with glasses and without that are accepted as the same.",
        {
            "method": builders.text("Network"),
            "seeds": builders.text("Accepted, by seed"),
            "mean": builders.number("Mean", ".1f"),
            "pairs": builders.integer("Of", "pairs"),
        },
        rows,
    )


def _chart(metrics: Mapping[str, Metric]) -> Chart:
    return builders.bars(
        "Share of the pairs of one person that are accepted, by who wears glasses.",
        {
            label: {words: metrics[f"{method}/{kind}_glasses_tpr"] for kind, words in KINDS.items()}
            for method, label in ROWS.items()
        },
        builders.percent("True positive rate"),
        x="Glasses",
    )


def _findings(found: Mapping[str, judging.Comparison], outcomes: Mapping[str, Outcome]) -> dict[str, Finding]:
    names: dict[str, tuple[str, builders.Verdict]] = {
        "new_accepts_more_across": ("difference/cross_glasses_tpr", "more"),
        "new_has_higher_auc": ("difference/auc", "more"),
        "drawing_helps": ("drawn_difference/auc", "more"),
        "drawing_helps_across": ("drawn_difference/cross_glasses_tpr", "more"),
        **{
            f"{name}_helps": (f"{name}/auc", "more")
            for name in COMPARED
            if name not in ("difference", "drawn_difference")
        },
        "glasses_are_harder_for_the_old": (f"{HARDER}/contrastive", "less"),
        "glasses_are_harder_for_the_new": (f"{HARDER}/mining", "less"),
        "glasses_are_harder_without_drawing": (f"{HARDER}/{BARE}", "less"),
    }
    return {finding: found[name].finding(name, expected) for finding, (name, expected) in names.items()} | {
        "no_run_diverged": records.none_diverged(outcomes)
    }


analysis = Glasses()

"""verification.siamese: are two photographs of the same person? The AT&T faces.

After V. Maksimovic's Siamese network (datahacker.rs, 2020), which is trained on 37 people and shown on three.
Raw pixels tell these three apart almost without a fault, so every method is judged on five folds of people
too, and on the seven of whom there are images with glasses and without. Thresholds are chosen on training
people whom inner folds left out: a network knows its own training people by heart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, islice
from statistics import fmean
from typing import Any

from pydantic import Field

from analyses import experiments
from analyses.experiments import FRACTION
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from analyses.verification import _judging as judging
from analyses.verification import _verification as verification
from analyses.verification._judging import Judged
from analyses.verification._verification import METHODS, Faces, Tested, VerificationParameters
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

PUBLISHED, HELDOUT = "published_split", "heldout_split"
NEW, OLD = "mining", "contrastive"
GRID = tuple(index / 50 for index in range(51))  # false positive rates at which a ROC is drawn
HARDEST = 5
GROUPS = 1_000  # of people of a fold that are looked at, at most


class SiameseParameters(VerificationParameters):
    """folds: parts of the people, each tested on by networks that were trained on the others."""

    folds: int = Field(5, ge=2)
    fold_seed: int = 0


class Siamese(Analysis[SiameseParameters]):
    id = "verification.siamese"
    title = "Siamese networks on the AT&T faces"
    question = "Does a trained network tell strangers apart better than their pixels do?"
    version = "2"  # whole images, and thresholds from people whom the networks have not seen
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> SiameseParameters:
        if profile == "quick":
            return SiameseParameters(
                faces=Faces(name="faces", people=12),
                published=("p00", "p01", "p02"),
                heldout=("p03", "p04", "p05", "p06"),
                pairs=64,
                epochs=3,
                mining_epochs=5,
                batch_people=4,
                folds=2,
                seeds=2,
                inner_folds=2,
            )
        return SiameseParameters()

    def datasets(self, parameters: SiameseParameters) -> tuple[str, ...]:
        return (parameters.faces.name,)

    def splits(self, parameters: SiameseParameters) -> dict[str, Tested]:
        """Name → who is tested on."""
        return {
            PUBLISHED: parameters.published,
            HELDOUT: parameters.heldout,
            **{
                f"fold{k}": {"fold": k, "of": parameters.folds, "seed": parameters.fold_seed}
                for k in range(parameters.folds)
            },
        }

    def plan(self, parameters: SiameseParameters) -> list[Cell]:
        splits = self.splits(parameters)
        verification.check_people(parameters, splits.values())
        return [
            cell
            for split, test in splits.items()
            for method in METHODS
            for cell in parameters.cells(split, test, method)
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        return verification.run(cell, context)[0]

    def summarize(self, parameters: SiameseParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        folds = [f"fold{k}" for k in range(parameters.folds)]
        parts = {PUBLISHED: [PUBLISHED], HELDOUT: [HELDOUT], "folds": folds}
        judged = {
            part: {method: judging.split_runs(outcomes, splits, method) for method in METHODS}
            for part, splits in parts.items()
        }
        areas = {
            part: {method: judging.aucs(one) for method, one in methods.items()}
            for part, methods in judged.items()
        }
        faces = outcomes[f"{PUBLISHED}/pixels/0"]["faces"]
        found = _compared(judged, areas)
        metrics = _metrics(parameters, judged, areas, faces) | judging.comparison_metrics(found)
        metrics["pixels/easier_groups"] = Metric(
            value=_easier_groups(judged[PUBLISHED]["pixels"], judged["folds"]["pixels"]),
            title="Groups of people within a fold on which raw pixels do worse than on the published people",
            unit=FRACTION,
        )
        for part, splits in parts.items():
            metrics |= _own_people_metrics(part, outcomes, splits)
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(metrics, parameters),
                "thresholds": _thresholds_table(metrics, judged),
                "rates": _rates_table(judged["folds"], parameters),
                "comparisons": judging.comparison_table(
                    found, COMPARED, "of AUC on people that were not trained on", _people(judged)
                ),
                "examples": _examples(outcomes[f"{PUBLISHED}/{OLD}/0"], metrics[f"threshold/{OLD}"].value),
                "hardest": _hardest(outcomes[f"{HELDOUT}/{NEW}/0"]),
                "recipe": verification.recipe_table(parameters, (OLD, NEW)),
            },
            figures={
                "roc": _roc_chart(judged["folds"]),
                "distances": _distance_chart(judged["folds"][NEW]),
                "loss": _loss_chart(experiments.of(outcomes, f"{PUBLISHED}/{OLD}")),
            },
            findings=_findings(metrics, found, outcomes),
            note=verification.weights_note(outcomes),
        )


SAID = {PUBLISHED: "the published people", HELDOUT: "the people held out", "folds": "the folds"}


def _people(judged: Mapping[str, Mapping[str, Judged]]) -> str:
    """How many people the intervals of the comparisons are over, in words."""
    parts = dict.fromkeys(name.split("/")[1] for name in COMPARED)
    return ", ".join(f"{judged[part][NEW].people} of {SAID[part]}" for part in parts)


def _metrics(
    parameters: SiameseParameters,
    judged: Mapping[str, Mapping[str, Judged]],
    areas: Mapping[str, Mapping[str, judging.Drawn]],
    faces: Mapping[str, int],
) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for part, methods in judged.items():
        for method, one in methods.items():
            title = f"{METHODS[method]} on {SAID[part]}"
            metrics[f"{method}/{part}/auc"] = judging.estimated(
                *areas[part][method], f"AUC: {title}", one.people
            )
            metrics[f"threshold/{method}/{part}"] = Metric(
                value=one.threshold(), title=f"Threshold of the distance: {title}"
            )
            rates = judging.rates_of(one)
            for key, value, what in (
                ("eer", judging.error_rate(one), "Equal error rate"),
                ("accuracy", rates["accuracy"], "Accuracy"),
                ("balanced_accuracy", rates["balanced"], "Balanced accuracy"),
                ("best_balanced_accuracy", judging.best_balanced(one), "Balanced accuracy, best threshold"),
                ("true_positive_rate", rates["true_positive"], "True positive rate"),
                ("false_positive_rate", rates["false_positive"], "False positive rate"),
            ):
                metrics[f"{method}/{part}/{key}"] = Metric(
                    value=value, title=f"{what}: {title}", unit=FRACTION
                )
            metrics[f"{method}/{part}/left_out_people"] = Metric(
                value=faces["people"] - one.people // len(one.pairs),
                title=f"Training people that chose the threshold: {title}",
                unit="people",
            )
    for part in (PUBLISHED, HELDOUT):
        for key in ("auc", "accuracy"):
            metrics[f"{part}/{key}"] = metrics[f"{NEW}/{part}/{key}"]
    for method in METHODS:
        metrics[f"threshold/{method}"] = metrics[f"threshold/{method}/{PUBLISHED}"]
    return metrics | {
        "data/people": Metric(value=faces["people"], title="People", unit="people"),
        "data/images": Metric(value=faces["images"], title="Images", unit="images"),
        "data/folds": Metric(value=parameters.folds, title="Folds of people"),
        "data/inner_folds": Metric(
            value=parameters.tower_inner_folds, title="Inner folds of the training people: Siamese network"
        ),
        "data/new_inner_folds": Metric(
            value=parameters.inner_folds, title="Inner folds of the training people: new network"
        ),
        "data/seeds": Metric(value=parameters.seeds, title="Seeds of every network on every split"),
    }


def _own_people_metrics(
    part: str, outcomes: Mapping[str, Outcome], splits: Sequence[str]
) -> dict[str, Metric]:
    """AUC on the people trained on, and on those whom inner folds left out; for a method without training
    both are strangers.
    """
    metrics = {}
    for method, label in METHODS.items():
        runs = [one for split in splits for one in experiments.of(outcomes, f"{split}/{method}")]
        inner = [one for split in splits for one in experiments.of(outcomes, f"{split}/{method}_inner")]
        for key, values, what in (
            ("train_auc", [one["train_auc"] for one in runs], "the people trained on"),
            ("left_out_auc", [one["auc"] for one in inner], "training people that inner folds left out"),
        ):
            if values:
                metrics[f"{method}/{part}/{key}"] = Metric(
                    value=fmean(values), title=f"AUC on {what}: {label}, {SAID[part]} tested", unit=FRACTION
                )
    return metrics


#: What is compared, and on which people: one table, one family.
COMPARED = {
    f"{first}_over_{second}/{part}/auc": (f"{METHODS[first]} − {METHODS[second].lower()}", SAID[part])
    for part in ("folds", HELDOUT)  # three published people are too few to draw again
    for first, second in ((NEW, "pixels"), (NEW, "backbone"), (OLD, "pixels"), (NEW, OLD))
}


def _compared(
    judged: Mapping[str, Mapping[str, Judged]], areas: Mapping[str, Mapping[str, judging.Drawn]]
) -> dict[str, judging.Comparison]:
    pairs, people = {}, {}
    for name in COMPARED:
        methods, part, _ = name.split("/")
        first, _, second = methods.partition("_over_")
        pairs[name] = areas[part][first], areas[part][second]
        people[name] = judged[part][first].people
    titles = {name: f"AUC: {what}, on {where}" for name, (what, where) in COMPARED.items()}
    return judging.compared(pairs, titles, people)


def _easier_groups(published: Judged, folds: Judged) -> float:
    """Of all groups of as many people as the published ones, each within a fold, the share on which raw
    pixels have a lower AUC than on these.
    """
    import numpy as np

    from lab.verification import auc

    area = float(auc(published.pairs[0][0])[0])
    found = []
    for (pairs,) in folds.pairs:
        everyone = np.unique(np.concatenate([pairs.first, pairs.second]))
        for group in islice(combinations(everyone, min(published.people, len(everyone))), GROUPS):
            inside = np.isin(pairs.first, group) & np.isin(pairs.second, group)
            found.append(float(auc(pairs.where(inside))[0]) < area)
    return fmean(found)


def _findings(
    metrics: Mapping[str, Metric],
    found: Mapping[str, judging.Comparison],
    outcomes: Mapping[str, Outcome],
) -> dict[str, Finding]:
    after = "after Holm's correction"
    return {
        "new_beats_pixels_on_folds": judging.finding(
            f"On the folds the new network's AUC lies above that of raw pixels, {after}",
            *(found, f"{NEW}_over_pixels/folds/auc", "higher"),
        ),
        "new_loses_to_pixels_on_folds": judging.finding(
            f"On the folds the new network's AUC lies below that of raw pixels, {after}",
            *(found, f"{NEW}_over_pixels/folds/auc", "lower"),
        ),
        "new_beats_backbone_on_folds": judging.finding(
            f"On the folds the new network's AUC lies above that of the features it is made from, {after}",
            *(found, f"{NEW}_over_backbone/folds/auc", "higher"),
        ),
        "new_beats_old_on_folds": judging.finding(
            f"On the folds the new network's AUC lies above that of the published recipe, {after}",
            *(found, f"{NEW}_over_{OLD}/folds/auc", "higher"),
        ),
        "old_loses_to_pixels_on_folds": judging.finding(
            f"On the folds the published recipe's AUC lies below that of raw pixels, {after}",
            *(found, f"{OLD}_over_pixels/folds/auc", "lower"),
        ),
        "published_people_are_easy": Finding(
            statement="Raw pixels have a higher AUC on the published people than on most groups of as many "
            "people of a fold",
            holds=metrics["pixels/easier_groups"].value > 0.5,
            metrics=("pixels/easier_groups",),
        ),
        "no_run_diverged": experiments.none_diverged(outcomes),
    }


def _table(metrics: Mapping[str, Metric], parameters: SiameseParameters) -> Table:
    rows = []
    for method, label in METHODS.items():
        cells: dict[str, Any] = {"method": label}
        for part in SAID:
            found = metrics[f"{method}/{part}/auc"]
            cells |= {part: found.value, f"{part}_low": found.low, f"{part}_high": found.high}
        rows.append(Row(cells=cells | {"eer": metrics[f"{method}/folds/eer"].value}))
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    people = {part: metrics[f"{NEW}/{part}/auc"].n for part in SAID}
    return Table(
        caption="AUC on people that were not trained on, and equal error rate on the folds.",
        columns=(
            Column(key="method", label="Distance"),
            *(
                Column(key=f"{part}{end}", label=label, **number)
                for part, name in ((PUBLISHED, "Published"), (HELDOUT, "Held out"), ("folds", "Folds"))
                for end, label in (("", name), ("_low", "95% from"), ("_high", "to"))
            ),
            Column(key="eer", label="EER, folds", **number),
        ),
        rows=tuple(rows),
        notes=(
            f"Published: {people[PUBLISHED]} people; held out: {people[HELDOUT]}; {parameters.folds} folds "
            f"of all {people['folds']}. Means over {parameters.seeds} seeds of what is trained. Intervals "
            f"are over people, drawn again {judging.RESAMPLES} times, fold by fold.",
        ),
    )


def _thresholds_table(metrics: Mapping[str, Metric], judged: Mapping[str, Mapping[str, Judged]]) -> Table:
    rows = []
    for part, words in SAID.items():
        for method, label in METHODS.items():
            own = f"{method}/{part}"
            chosen_on = metrics.get(f"{own}/left_out_auc", metrics[f"{own}/train_auc"])
            rows.append(
                Row(
                    cells={
                        "part": words.removeprefix("the ").capitalize(),
                        "method": label,
                        "people": metrics[f"{own}/left_out_people"].value,
                        "auc": chosen_on.value,
                        "threshold": metrics[f"threshold/{own}"].value,
                        "tpr": metrics[f"{own}/true_positive_rate"].value,
                        "fpr": metrics[f"{own}/false_positive_rate"].value,
                        "balanced": metrics[f"{own}/balanced_accuracy"].value,
                        "best": metrics[f"{own}/best_balanced_accuracy"].value,
                    }
                )
            )
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    return Table(
        caption="The threshold of each distance, with the best balanced accuracy on training people that the "
        "network had not seen, and what it gives on the people tested.",
        columns=(
            Column(key="part", label="Tested"),
            Column(key="method", label="Distance"),
            Column(key="people", label="Chosen on", type="integer", unit="people"),
            Column(key="auc", label="AUC there", **number),
            Column(key="threshold", label="Threshold", **number),
            Column(key="tpr", label="TPR", **number),
            Column(key="fpr", label="FPR", **number),
            Column(key="balanced", label="Balanced", **number),
            Column(key="best", label="Best possible", **number),
        ),
        rows=tuple(rows),
        notes=(
            "A pair is called the same below the threshold. Balanced: mean of true positive and true "
            "negative rate; best possible: with the threshold that the tested people themselves would have "
            f"chosen. On the folds all are means over {len(judged['folds'][NEW].pairs)}, each with its own "
            "threshold.",
        ),
    )


def _examples(outcome: Outcome, threshold: float) -> Table:
    """Of the first three people: two images of each, and an image of each two."""
    import numpy as np

    from lab.verification import every

    people = list(dict.fromkeys(outcome["people"]))[:3]
    own = {person: [at for at, name in enumerate(outcome["people"]) if name == person] for person in people}
    ends = zip(*every(len(outcome["people"])), strict=True)
    distance = {(int(a), int(b)): d for (a, b), d in zip(ends, outcome["distances"], strict=True)}
    shown = [
        *((own[person][0], own[person][1]) for person in people),
        *(
            (own[a][0], own[b][0])
            for a, b in zip(*(np.array(people)[i] for i in every(len(people))), strict=True)
        ),
    ]
    rows = []
    for first, second in shown:
        found = distance[first, second]
        same = outcome["people"][first] == outcome["people"][second]
        rows.append(
            Row(
                cells={
                    "first": outcome["files"][first],
                    "second": outcome["files"][second],
                    "people": "same" if same else "different",
                    "distance": found,
                    "called": "same" if found < threshold else "different",
                }
            )
        )
    return Table(
        caption="Pairs of the published people and their distances in the Siamese network (first seed), and "
        f"what its threshold of {threshold:.3f} calls them.",
        columns=(
            Column(key="first", label="First image"),
            Column(key="second", label="Second image"),
            Column(key="people", label="People"),
            Column(key="distance", label="Distance", type="number", format=".3f"),
            Column(key="called", label="Called"),
        ),
        rows=tuple(rows),
    )


def _rates_table(judged: Mapping[str, Judged], parameters: SiameseParameters) -> Table:
    rows = []
    for threshold in ("balanced", *(f"{rate:g}" for rate in verification.RATES)):
        for method, label in METHODS.items():
            found = judging.rates_of(judged[method], threshold)
            rows.append(
                Row(
                    cells={
                        "method": label,
                        "threshold": judged[method].threshold(threshold),
                        "chosen": "balanced accuracy" if threshold == "balanced" else f"FPR {threshold}",
                        "tpr": found["true_positive"],
                        "fpr": found["false_positive"],
                        "accuracy": found["accuracy"],
                    }
                )
            )
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    return Table(
        caption="Rates on the folds at thresholds fixed on training people whom inner folds left out: by the "
        "best balanced accuracy, or by a false positive rate.",
        columns=(
            Column(key="chosen", label="Fixed by"),
            Column(key="method", label="Distance"),
            Column(key="threshold", label="Threshold", **number),
            Column(key="tpr", label="TPR", **number),
            Column(key="fpr", label="FPR", **number),
            Column(key="accuracy", label="Accuracy", **number),
        ),
        rows=tuple(rows),
        notes=(
            f"Means over {parameters.folds} folds and {parameters.seeds} seeds of what is trained; every "
            "fold has its own threshold.",
        ),
    )


def _hardest(outcome: Outcome) -> Table:
    """The same pairs that lie furthest apart, and the different ones that lie closest."""
    import numpy as np

    from lab.verification import every

    first, second = every(len(outcome["files"]))
    distances = np.array(outcome["distances"])
    people = np.array(outcome["people"])
    same = people[first] == people[second]
    rows = []
    for kind, chosen, sign in (("same", same, -1), ("different", ~same, 1)):
        where = np.flatnonzero(chosen)
        for index in where[np.argsort(sign * distances[where], kind="stable")][:HARDEST]:
            rows.append(
                Row(
                    cells={
                        "kind": kind,
                        "first": outcome["files"][first[index]],
                        "second": outcome["files"][second[index]],
                        "distance": float(distances[index]),
                    }
                )
            )
    return Table(
        caption="The hardest pairs of the people held out, by the new network: one person furthest apart, "
        "and different people closest.",
        columns=(
            Column(key="kind", label="People"),
            Column(key="first", label="First image"),
            Column(key="second", label="Second image"),
            Column(key="distance", label="Distance", type="number", format=".3f"),
        ),
        rows=tuple(rows),
    )


def _roc_chart(judged: Mapping[str, Judged]) -> Chart:
    import numpy as np

    from lab import verification as pairs

    series = []
    for method, label in METHODS.items():
        curves, bands = [], []
        for split, runs in enumerate(judged[method].pairs):
            weights = pairs.drawn_again(runs[0], 200, seed=split)
            curves.append(np.mean([pairs.roc(one, GRID)[0] for one in runs], axis=0))
            bands.append(np.mean([pairs.roc(one, GRID, weights) for one in runs], axis=0))
        mean = np.mean(curves, axis=0)
        low, high = np.percentile(np.mean(bands, axis=0), [2.5, 97.5], axis=0)
        series.append(
            Series(
                label=label,
                x=GRID,
                y=tuple(map(float, mean)),
                low=tuple(map(float, np.minimum(low, mean))),
                high=tuple(map(float, np.maximum(high, mean))),
            )
        )
    at = GRID.index(0.1)
    told = ", ".join(f"{one.label} {one.y[at]:.2f}" for one in series)
    return Chart(
        kind="line",
        caption="ROC on the folds, true positive rates averaged at each false positive rate; the bands are "
        f"95% intervals over {judged[NEW].people} people.",
        alt=f"ROC curves of {len(series)} methods. At a false positive rate of 0.1: {told}.",
        x=Axis(label="False positive rate"),
        y=Axis(label="True positive rate"),
        series=tuple(series),
    )


def _distance_chart(judged: Judged) -> Chart:
    import numpy as np

    pairs = [one for runs in judged.pairs for one in runs]
    distances = np.concatenate([one.distances for one in pairs])
    same = np.concatenate([one.same for one in pairs])
    edges = np.linspace(0, float(distances.max()) or 1.0, 31)
    centres = tuple(map(float, (edges[1:] + edges[:-1]) / 2))
    series = []
    for label, chosen in (("Same person", same), ("Different people", ~same)):
        counts, _ = np.histogram(distances[chosen], edges)
        series.append(Series(label=label, x=centres, y=tuple(map(float, counts / counts.sum()))))
    peaks = [centres[int(np.argmax(one.y))] for one in series]
    return Chart(
        kind="line",
        caption="Distances of the new network on the folds, of pairs of one person and of different people: "
        "shares of each kind.",
        alt=f"Histograms of distances: same pairs peak at {peaks[0]:.2f}, different ones at {peaks[1]:.2f}.",
        x=Axis(label="Distance"),
        y=Axis(label="Share of the pairs", unit=FRACTION),
        series=tuple(series),
    )


def _loss_chart(outcomes: Sequence[Outcome]) -> Chart:
    chart = experiments.course(
        outcomes,
        "loss",
        "Contrastive loss of the published recipe by epoch, of the pairs drawn from its training people.",
        "the Siamese network",
    )
    return chart.model_copy(update={"y": Axis(label="Contrastive loss")})


analysis = Siamese()

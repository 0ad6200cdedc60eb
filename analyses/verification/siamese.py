"""verification.siamese: are two photographs of the same person? The AT&T faces.

After V. Maksimovic's Siamese network (datahacker.rs, 2020), which is trained on 37 people and shown on three.
Raw pixels tell these three apart almost without a fault, so every method is judged on five folds of people
too, and on the seven of whom there are images with glasses and without. Thresholds are chosen on training
people whom inner folds left out: a network knows its own training people by heart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from analyses import experiments
from analyses.experiments import FRACTION
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from analyses.verification import _verification as verification
from analyses.verification._verification import (
    METHODS,
    Compared,
    Faces,
    Judged,
    Tested,
    VerificationParameters,
)
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

PUBLISHED, HELDOUT = "published_split", "heldout_split"
NEW, OLD = "mining", "contrastive"
GRID = tuple(index / 50 for index in range(51))  # false positive rates at which a ROC is drawn
HARDEST = 5


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
        return [
            cell
            for split, test in self.splits(parameters).items()
            for method in METHODS
            for cell in parameters.cells(split, test, method)
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        return verification.run(cell, context)[0]

    def summarize(self, parameters: SiameseParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        folds = [f"fold{k}" for k in range(parameters.folds)]
        parts = {PUBLISHED: [PUBLISHED], HELDOUT: [HELDOUT], "folds": folds}
        judged = {
            part: {method: verification.split_runs(outcomes, splits, method) for method in METHODS}
            for part, splits in parts.items()
        }
        metrics = _metrics(parameters, judged, outcomes[f"{PUBLISHED}/pixels/0"]["faces"])
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(metrics, parameters),
                "rates": _rates_table(judged["folds"], parameters),
                "hardest": _hardest(outcomes[f"{HELDOUT}/{NEW}/0"]),
                "recipe": experiments.recipe_table(
                    {METHODS[method]: parameters.recipe(method) for method in (OLD, NEW)},
                    {
                        METHODS[OLD]: {"batch": f"{parameters.pair_batch} pairs"},
                        METHODS[NEW]: {
                            "batch": f"{parameters.batch_people} people × {parameters.batch_each} images",
                            "augmentation": f"mirror images; {parameters.glasses} copies with drawn glasses",
                        },
                    },
                ),
            },
            figures={
                "roc": _roc_chart(judged["folds"]),
                "distances": _distance_chart(judged["folds"][NEW]),
                "loss": _loss_chart(experiments.of(outcomes, f"{PUBLISHED}/{OLD}")),
            },
            findings=_findings(metrics, judged["folds"], outcomes),
            note=verification.weights_note(outcomes),
        )


def _metrics(
    parameters: SiameseParameters, judged: Mapping[str, Mapping[str, Judged]], faces: Mapping[str, int]
) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for part, methods in judged.items():
        areas = {method: verification.aucs(one) for method, one in methods.items()}
        for method, one in methods.items():
            title = f"{METHODS[method]} on {SAID[part]}"
            metrics[f"{method}/{part}/auc"] = verification.estimated(
                *areas[method], f"AUC: {title}", one.people
            )
            metrics[f"threshold/{method}/{part}"] = Metric(
                value=one.threshold, title=f"Threshold of the distance: {title}"
            )
            rates = verification.rates_of(one)
            for key, value, what in (
                ("eer", verification.error_rate(one), "Equal error rate"),
                ("accuracy", rates["accuracy"], "Accuracy"),
                ("balanced_accuracy", rates["balanced"], "Balanced accuracy"),
                ("true_positive_rate", rates["true_positive"], "True positive rate"),
                ("false_positive_rate", rates["false_positive"], "False positive rate"),
            ):
                metrics[f"{method}/{part}/{key}"] = Metric(
                    value=value, title=f"{what}: {title}", unit=FRACTION
                )
        for name, found in _compared(part, areas, methods[NEW].people).metrics.items():
            metrics[name] = found
    for part in (PUBLISHED, HELDOUT):
        for key in ("auc", "accuracy"):
            metrics[f"{part}/{key}"] = metrics[f"{NEW}/{part}/{key}"]
    for method in METHODS:
        metrics[f"threshold/{method}"] = metrics[f"threshold/{method}/{PUBLISHED}"]
    return metrics | {
        "data/people": Metric(value=faces["people"], title="People", unit="people"),
        "data/images": Metric(value=faces["images"], title="Images", unit="images"),
        "data/folds": Metric(value=parameters.folds, title="Folds of people"),
        "data/seeds": Metric(value=parameters.seeds, title="Seeds of the new network"),
    }


COMPARED = ((NEW, "pixels"), (NEW, "backbone"), (OLD, "pixels"), (NEW, OLD))
SAID = {PUBLISHED: "the published people", HELDOUT: "the people held out", "folds": "the folds"}


def _compared(part: str, areas: Mapping[str, verification.Drawn], people: int) -> Compared:
    """The comparisons of one part's table."""
    names = {f"{first}_over_{second}/{part}/auc": (first, second) for first, second in COMPARED}
    return verification.compared(
        {name: (areas[first], areas[second]) for name, (first, second) in names.items()},
        {
            name: f"AUC of {METHODS[first]}, less that of {METHODS[second]}, on {SAID[part]}"
            for name, (first, second) in names.items()
        },
        people,
    )


def _findings(
    metrics: Mapping[str, Metric], folds: Mapping[str, Judged], outcomes: Mapping[str, Outcome]
) -> dict[str, Finding]:
    areas = {method: verification.aucs(one) for method, one in folds.items()}
    found = _compared("folds", areas, folds[NEW].people)
    above, below = found.is_above, found.is_below
    return {
        "new_beats_pixels_on_folds": Finding(
            statement="On the folds the new network's AUC lies above that of raw pixels, by an interval over "
            "zero",
            holds=above(f"{NEW}_over_pixels/folds/auc"),
            metrics=(f"{NEW}_over_pixels/folds/auc",),
        ),
        "new_loses_to_pixels_on_folds": Finding(
            statement="On the folds the new network's AUC lies below that of raw pixels, by an interval "
            "below zero",
            holds=below(f"{NEW}_over_pixels/folds/auc"),
            metrics=(f"{NEW}_over_pixels/folds/auc",),
        ),
        "new_beats_backbone_on_folds": Finding(
            statement="On the folds the new network's AUC lies above that of the features it is made from",
            holds=above(f"{NEW}_over_backbone/folds/auc"),
            metrics=(f"{NEW}_over_backbone/folds/auc",),
        ),
        "old_loses_to_pixels_on_folds": Finding(
            statement="On the folds the published recipe's AUC lies below that of raw pixels, by an interval "
            "below zero",
            holds=below(f"{OLD}_over_pixels/folds/auc"),
            metrics=(f"{OLD}_over_pixels/folds/auc",),
        ),
        "pixels_lead_on_published": Finding(
            statement="On the three published people raw pixels have a higher AUC than the published recipe",
            holds=metrics[f"pixels/{PUBLISHED}/auc"].value > metrics[f"{OLD}/{PUBLISHED}/auc"].value,
            metrics=(f"pixels/{PUBLISHED}/auc", f"{OLD}/{PUBLISHED}/auc"),
        ),
        "published_people_are_easy": Finding(
            statement="Raw pixels do better on the three published people than on the folds",
            holds=metrics[f"pixels/{PUBLISHED}/auc"].value > metrics["pixels/folds/auc"].value,
            metrics=(f"pixels/{PUBLISHED}/auc", "pixels/folds/auc"),
        ),
        "old_threshold_does_not_carry_over": Finding(
            statement="On the folds the published recipe has a balanced accuracy below one less its equal "
            "error rate by 0.02 or more, at the threshold that left-out training people chose",
            holds=metrics[f"{OLD}/folds/balanced_accuracy"].value
            < 1 - metrics[f"{OLD}/folds/eer"].value - 0.02,
            metrics=(f"{OLD}/folds/balanced_accuracy", f"{OLD}/folds/eer"),
        ),
        "no_run_diverged": experiments.none_diverged(outcomes),
    }


def _table(metrics: Mapping[str, Metric], parameters: SiameseParameters) -> Table:
    rows = []
    for method, label in METHODS.items():
        folds = metrics[f"{method}/folds/auc"]
        rows.append(
            Row(
                cells={
                    "method": label,
                    "published": metrics[f"{method}/{PUBLISHED}/auc"].value,
                    "heldout": metrics[f"{method}/{HELDOUT}/auc"].value,
                    "folds": folds.value,
                    "low": folds.low,
                    "high": folds.high,
                    "eer": metrics[f"{method}/folds/eer"].value,
                    "threshold": metrics[f"threshold/{method}/folds"].value,
                    "accuracy": metrics[f"{method}/folds/balanced_accuracy"].value,
                }
            )
        )
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    return Table(
        caption="AUC on people that were not trained on; on the folds also equal error rate, and balanced "
        "accuracy at the threshold that left-out training people chose (mean over the folds).",
        columns=(
            Column(key="method", label="Distance"),
            Column(key="published", label="Published", **number),
            Column(key="heldout", label="Held out", **number),
            Column(key="folds", label="Folds", **number),
            Column(key="low", label="95% from", **number),
            Column(key="high", label="to", **number),
            Column(key="eer", label="EER", **number),
            Column(key="threshold", label="Threshold", **number),
            Column(key="accuracy", label="Balanced", **number),
        ),
        rows=tuple(rows),
        notes=(
            f"Published: {len(parameters.published)} people; held out: {len(parameters.heldout)}; "
            f"{parameters.folds} folds of all people. Means over {parameters.seeds} seeds. Intervals: people "
            f"drawn again {verification.RESAMPLES} times, fold by fold.",
        ),
    )


def _rates_table(judged: Mapping[str, Judged], parameters: SiameseParameters) -> Table:
    rows = []
    for threshold in ("balanced", *(f"{rate:g}" for rate in verification.RATES)):
        for method, label in METHODS.items():
            found = verification.rates_of(judged[method], threshold)
            rows.append(
                Row(
                    cells={
                        "method": label,
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
            Column(key="tpr", label="TPR", **number),
            Column(key="fpr", label="FPR", **number),
            Column(key="accuracy", label="Accuracy", **number),
        ),
        rows=tuple(rows),
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
        "95% intervals of people drawn again.",
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

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

from pydantic import Field

from analyses import records
from analyses.plugin import Analysis, Cell, Context, Outcome, Profile, Summary
from analyses.verification import _judging as judging
from analyses.verification import _verification as verification
from analyses.verification._judging import Judged
from analyses.verification._verification import IN_TEXT, METHODS, Faces, Tested, VerificationParameters
from analyses.verification._verification_methods import run_method
from analyses.verification._verification_people import check_people
from results import builders
from results.builders import FRACTION
from results.schema import Chart, Finding, Metric, Reference, Table
from results.text import counted

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

    def check(self, parameters: SiameseParameters) -> None:
        check_people(parameters, self.splits(parameters).values())

    def plan(self, parameters: SiameseParameters) -> list[Cell]:
        return [
            cell
            for split, test in self.splits(parameters).items()
            for method in METHODS
            for cell in parameters.cells(split, test, method)
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        return run_method(cell, context)[0]

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
        for part, splits in parts.items():
            metrics |= _own_people_metrics(part, outcomes, splits)
        seeds = f"Means over {counted(parameters.seeds, 'seeds')} of what is trained."
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(
                    metrics, f"{seeds} Intervals (95%) are over people, drawn again fold by fold."
                ),
                "thresholds": _thresholds_table(metrics, seeds),
                "rates": _rates_table(judged["folds"], f"{seeds} Every fold has its own threshold."),
                "comparisons": judging.comparison_table(
                    found, "Differences of AUC on people that were not trained on."
                ),
                "examples": _examples(outcomes[f"{PUBLISHED}/{OLD}/0"], metrics[f"threshold/{OLD}"].value),
                "hardest": _hardest(
                    outcomes[f"{HELDOUT}/{NEW}/0"], metrics[f"threshold/{NEW}/{HELDOUT}"].value
                ),
                "recipe": verification.recipe_table(parameters, (OLD, NEW)),
            },
            figures={
                "roc": _roc_chart(judged["folds"]),
                "distances": _distance_chart(judged["folds"][NEW], metrics[f"threshold/{NEW}/folds"].value),
                "loss": builders.curves(
                    "Contrastive loss of the tutorial's network, of pairs drawn from its training people.",
                    {
                        METHODS[OLD]: [
                            history["train_loss"]
                            for history in records.histories(
                                records.runs_named(outcomes, f"{PUBLISHED}/{OLD}")
                            )
                        ]
                    },
                    builders.number("Contrastive loss", ".4f"),
                ),
            },
            findings=_findings(metrics, found, outcomes),
            note=verification.weights_note(outcomes),
        )


PARTS = {PUBLISHED: "the published people", HELDOUT: "the people held out", "folds": "the folds"}


def _metrics(
    parameters: SiameseParameters,
    judged: Mapping[str, Mapping[str, Judged]],
    areas: Mapping[str, Mapping[str, judging.Drawn]],
    faces: Mapping[str, int],
) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for part, methods in judged.items():
        for method, one in methods.items():
            title = f"{METHODS[method]} on {PARTS[part]}"
            metrics[f"{method}/{part}/auc"] = judging.estimated(
                *areas[part][method], f"AUC: {title}", one.people
            )
            metrics[f"threshold/{method}/{part}"] = builders.metric(
                one.threshold(), f"Threshold of the distance: {title}"
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
                metrics[f"{method}/{part}/{key}"] = builders.metric(value, f"{what}: {title}", FRACTION)
            metrics[f"{method}/{part}/left_out_people"] = builders.metric(
                faces["people"] - one.people // len(one.pairs),
                f"Training people that chose the threshold: {title}",
                "people",
            )
    for part in (PUBLISHED, HELDOUT):
        for key in ("auc", "accuracy"):
            metrics[f"{part}/{key}"] = metrics[f"{NEW}/{part}/{key}"]
    for method in METHODS:
        metrics[f"threshold/{method}"] = metrics[f"threshold/{method}/{PUBLISHED}"]
    return metrics | {
        "data/people": builders.metric(faces["people"], "People", "people"),
        "data/images": builders.metric(faces["images"], "Images", "images"),
        "data/folds": builders.metric(parameters.folds, "Folds of people"),
        "data/seeds": builders.metric(parameters.seeds, "Seeds of every network on every split"),
        "pixels/easier_groups": builders.metric(
            _easier_groups(judged[PUBLISHED]["pixels"], judged["folds"]["pixels"]),
            "Groups of people within a fold on which raw pixels do worse than on the published people",
            FRACTION,
        ),
    }


def _own_people_metrics(
    part: str, outcomes: Mapping[str, Outcome], splits: Sequence[str]
) -> dict[str, Metric]:
    """AUC on the people trained on, and on those whom inner folds left out; for a method without training
    both are strangers.
    """
    metrics = {}
    for method, label in METHODS.items():
        runs = [one for split in splits for one in records.runs_named(outcomes, f"{split}/{method}")]
        inner = [one for split in splits for one in records.runs_named(outcomes, f"{split}/{method}_inner")]
        for key, values, what in (
            ("train_auc", [one["train_auc"] for one in runs], "the people trained on"),
            ("left_out_auc", [one["auc"] for one in inner], "training people that inner folds left out"),
        ):
            if values:
                metrics[f"{method}/{part}/{key}"] = builders.metric(
                    fmean(values), f"AUC on {what}: {label}, {PARTS[part]} tested", FRACTION
                )
    return metrics


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


#: One table, one family. The published people are too few to draw again: no claim is made on them.
COMPARED = {
    f"{first}_over_{second}/{part}/auc": judging.Compared(
        IN_TEXT[first], IN_TEXT[second], where=f"on {PARTS[part]}"
    )
    for part in ("folds", HELDOUT)
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
    return judging.compared(pairs, COMPARED, people)


def _findings(
    metrics: Mapping[str, Metric], found: Mapping[str, judging.Comparison], outcomes: Mapping[str, Outcome]
) -> dict[str, Finding]:
    names: dict[str, tuple[str, builders.Verdict]] = {
        "new_beats_pixels": (f"{NEW}_over_pixels", "more"),
        "new_beats_backbone": (f"{NEW}_over_backbone", "more"),
        "new_beats_old": (f"{NEW}_over_{OLD}", "more"),
        "old_loses_to_pixels": (f"{OLD}_over_pixels", "less"),
    }
    return {
        **{
            f"{finding}_on_{words}": found[f"{name}/{part}/auc"].finding(f"{name}/{part}/auc", expected)
            for finding, (name, expected) in names.items()
            for part, words in (("folds", "folds"), (HELDOUT, "held_out"))
        },
        "published_people_are_easy": builders.statement(
            "Raw pixels have a higher AUC on the published people than on most groups of as many people",
            metrics["pixels/easier_groups"].value > 0.5,
            "pixels/easier_groups",
        ),
        "no_run_diverged": records.none_diverged(outcomes),
    }


def _table(metrics: Mapping[str, Metric], note: str) -> Table:
    return builders.table(
        "AUC on people that were not trained on, and equal error rate on the folds.",
        {
            "method": builders.text("Distance"),
            PUBLISHED: builders.number("Published", ".3f"),
            HELDOUT: builders.number("Held out", ".3f"),
            "folds": builders.number("Folds", ".3f"),
            "eer": builders.percent("EER, folds"),
        },
        [
            {
                "method": label,
                **{part: metrics[f"{method}/{part}/auc"] for part in PARTS},
                "eer": metrics[f"{method}/folds/eer"].value,
            }
            for method, label in METHODS.items()
        ],
        notes=(note,),
    )


def _thresholds_table(metrics: Mapping[str, Metric], seeds: str) -> Table:
    rows = []
    for part, words in PARTS.items():
        for method, label in METHODS.items():
            own = f"{method}/{part}"
            chosen_on = metrics.get(f"{own}/left_out_auc", metrics[f"{own}/train_auc"])
            rows.append(
                {
                    "part": words.removeprefix("the ").capitalize(),
                    "method": label,
                    "people": metrics[f"{own}/left_out_people"].value,
                    "auc": chosen_on.value,
                    "threshold": metrics[f"threshold/{own}"].value,
                    "tpr": metrics[f"{own}/true_positive_rate"].value,
                    "fpr": metrics[f"{own}/false_positive_rate"].value,
                    "balanced": metrics[f"{own}/balanced_accuracy"].value,
                    "possible": metrics[f"{own}/best_balanced_accuracy"].value,
                }
            )
    return builders.table(
        "The threshold of each distance, with the best balanced accuracy on training people that the network "
        "had not seen, and what it gives on the people tested.",
        {
            "part": builders.text("Tested"),
            "method": builders.text("Distance"),
            "people": builders.integer("Chosen on", "people"),
            "auc": builders.number("AUC there", ".3f"),
            "threshold": builders.number("Threshold", ".3f"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "balanced": builders.percent("Balanced"),
            "possible": builders.percent("Best possible"),
        },
        rows,
        notes=(
            "A pair is called the same below the threshold. Balanced: mean of true positive and true "
            "negative rate; best possible: with the threshold that the tested people themselves would have "
            f"chosen. Every fold has its own threshold. {seeds}",
        ),
    )


def _rates_table(judged: Mapping[str, Judged], note: str) -> Table:
    rows = []
    for threshold in ("balanced", *(f"{rate:g}" for rate in verification.RATES)):
        for method, label in METHODS.items():
            found = judging.rates_of(judged[method], threshold)
            rows.append(
                {
                    "chosen": "balanced accuracy"
                    if threshold == "balanced"
                    else f"FPR {float(threshold):.0%}",
                    "method": label,
                    "threshold": judged[method].threshold(threshold),
                    "tpr": found["true_positive"],
                    "fpr": found["false_positive"],
                    "accuracy": found["accuracy"],
                }
            )
    return builders.table(
        "Rates on the folds at thresholds fixed on training people whom inner folds left out: by the best "
        "balanced accuracy, or by a false positive rate.",
        {
            "chosen": builders.text("Fixed by"),
            "method": builders.text("Distance"),
            "threshold": builders.number("Threshold", ".3f"),
            "tpr": builders.percent("TPR"),
            "fpr": builders.percent("FPR"),
            "accuracy": builders.percent("Accuracy"),
        },
        rows,
        notes=(note,),
    )


def _pairs_table(caption: str, outcome: Outcome, chosen: Sequence[tuple[int, int]], called: float) -> Table:
    """Some pairs of the tested images; called: the threshold that calls them same or different."""
    from lab.verification import every

    ends = zip(*every(len(outcome["files"])), strict=True)
    distance = {(int(a), int(b)): d for (a, b), d in zip(ends, outcome["distances"], strict=True)}
    rows = []
    for first, second in chosen:
        same = outcome["people"][first] == outcome["people"][second]
        rows.append(
            {
                "people": "same" if same else "different",
                "first": outcome["files"][first],
                "second": outcome["files"][second],
                "distance": distance[first, second],
                "called": "same" if distance[first, second] < called else "different",
            }
        )
    return builders.table(
        caption,
        {
            "people": builders.text("People"),
            "first": builders.text("First image"),
            "second": builders.text("Second image"),
            "distance": builders.number("Distance", ".3f"),
            "called": builders.text("Called"),
        },
        rows,
    )


def _examples(outcome: Outcome, threshold: float) -> Table:
    """Of the first three people: two images of each, and an image of each two."""
    people = list(dict.fromkeys(outcome["people"]))[:3]
    own = [[at for at, name in enumerate(outcome["people"]) if name == person] for person in people]
    same = [(images[0], images[1]) for images in own]
    different = [(a[0], b[0]) for a, b in combinations(own, 2)]
    return _pairs_table(
        "Pairs of the published people and their distances in the tutorial's network (first seed), and what "
        f"its threshold of {threshold:.3f} calls them.",
        *(outcome, [*same, *different], threshold),
    )


def _hardest(outcome: Outcome, threshold: float) -> Table:
    """The same pairs that lie furthest apart, and the different ones that lie closest."""
    import numpy as np

    from lab.verification import every

    first, second = every(len(outcome["files"]))
    distances, people = np.array(outcome["distances"]), np.array(outcome["people"])
    same = people[first] == people[second]
    chosen = []
    for kind, sign in ((same, -1), (~same, 1)):
        where = np.flatnonzero(kind)
        hardest = where[np.argsort(sign * distances[where], kind="stable")][:HARDEST]
        chosen += [(int(first[at]), int(second[at])) for at in hardest]
    return _pairs_table(
        "The hardest pairs of the people held out, by the new network (first seed): one person furthest "
        f"apart, and different people closest; its threshold is {threshold:.3f}.",
        *(outcome, chosen, threshold),
    )


def _roc_chart(judged: Mapping[str, Judged]) -> Chart:
    return builders.roc(
        "ROC on the folds, true positive rates averaged at each false positive rate.",
        {label: judging.roc_curve(judged[method], GRID) for method, label in METHODS.items()},
        bands=f"95% intervals over {counted(judged[NEW].people, 'people')}",
    )


def _distance_chart(judged: Judged, threshold: float) -> Chart:
    import numpy as np

    pairs = [one for runs in judged.pairs for one in runs]
    distances = np.concatenate([one.distances for one in pairs])
    same = np.concatenate([one.same for one in pairs])
    edges = np.linspace(0, float(distances.max()) or 1.0, 31)
    chart = judging.distance_chart(
        "Distances of the new network on the folds, of pairs of one person and of different people: "
        "shares of each kind. The line is the mean of the folds' thresholds.",
        {
            kind: np.histogram(distances[chosen], edges)[0].tolist()
            for kind, chosen in (("same", same), ("different", ~same))
        },
        ((edges[1:] + edges[:-1]) / 2).tolist(),
        decimals=2,
    )
    threshold_line = Reference(axis="x", value=threshold, label="threshold")
    return chart.model_copy(update={"references": (threshold_line,)})


analysis = Siamese()

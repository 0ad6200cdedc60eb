"""Tables and figures of the study of Labeled Faces in the Wild."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from analyses import recipe_tables, records
from analyses.plugin import Outcome
from analyses.verification import _judging as judging
from analyses.verification._lfw_runs import LISTED, STAGES, chosen_rate, listed_pairs_of, validation_auc
from analyses.verification._lfw_settings import LfwParameters
from results import builders
from results.schema import Chart, Metric, Scores, Table
from results.text import counted

GRID = tuple(index / 100 for index in range(101))  # false positive rates at which a ROC is drawn


def results_table(metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]) -> Table:
    people = counted(runs["before"][0]["counts"]["test_people"], "people")
    return builders.table(
        "AUC and equal error rate on the listed pairs of the test people, and on every pair of their images.",
        {
            "stage": builders.text("Distance"),
            "seeds": builders.integer("Seeds"),
            "pairs": builders.number("AUC, listed", ".4f"),
            "pairs_eer": builders.percent("EER, listed"),
            "everyone": builders.number("AUC, every", ".4f"),
            "everyone_eer": builders.percent("EER, every"),
        },
        [
            {
                "stage": STAGES[stage],
                "seeds": len(found),
                **{which: metrics[f"{stage}/{which}/auc"] for which in LISTED},
                **{f"{which}_eer": metrics[f"{stage}/{which}/eer"].value for which in LISTED},
            }
            for stage, found in runs.items()
        ],
        notes=(
            f"Means over the seeds. Intervals (95%) are over {people}, drawn again; where nobody was drawn "
            "again for every pair, they are over seeds.",
        ),
    )


def rates_table(parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> Table:
    rows = []
    for stage, rates in (("last", parameters.last_rates), ("all", parameters.all_rates)):
        chosen = chosen_rate(outcomes, stage, rates)
        for rate in rates:
            found = records.runs_named(outcomes, f"{stage}/{rate:g}")
            areas = [one["validation"]["auc"] for one in found]
            cells = {"stage": STAGES[stage], "rate": rate, "auc": validation_auc(found)}
            cells |= {"low": min(areas), "high": max(areas), "chosen": "yes" if rate == chosen else ""}
            rows.append(cells)
    return builders.table(
        "AUC on every pair of the validation people, by the learning rate.",
        {
            "stage": builders.text("Trained"),
            "rate": builders.number("Learning rate", "g"),
            "auc": builders.number("AUC", ".4f"),
            "low": builders.number("lowest", ".4f"),
            "high": builders.number("highest", ".4f"),
            "chosen": builders.text("Taken"),
        },
        rows,
        notes=(
            f"Means, lowest and highest of {counted(parameters.seeds, 'seeds')}; of all layers after "
            f"{counted(parameters.search_epochs, 'epochs')} of {parameters.pairs:,} pairs.",
        ),
    )


def recipe_table(parameters: LfwParameters, rates: Mapping[str, float], of_all: str) -> Table:
    """of_all: the recipe that all layers were trained by, "all" or "search"."""
    cross_entropy = "cross-entropy of distance ÷ normaliser"
    columns = {
        "last": ("last", parameters.pairs, parameters.batch, cross_entropy),
        "all": (
            of_all,
            parameters.all_pairs if of_all == "all" else parameters.pairs,
            parameters.batch,
            cross_entropy,
        ),
        "scratch": ("scratch", parameters.scratch_pairs, 64, "contrastive, margin 2"),
    }
    return recipe_tables.recipe_table(
        {
            STAGES[stage]: parameters.recipe(recipe, rates.get(stage, 0.0))
            for stage, (recipe, *_) in columns.items()
        },
        {
            STAGES[stage]: {
                "epochs": f"{parameters.recipe(recipe)['epochs']} of {pairs:,} pairs drawn anew",
                "batch": f"{batch} pairs",
                "loss": loss,
                "images": f"{parameters.scratch_size}×{parameters.scratch_size} grey"
                if stage == "scratch"
                else f"{parameters.size}×{parameters.size} colour",
            }
            for stage, (recipe, pairs, batch, loss) in columns.items()
        },
    )


def _drawn_stages(runs: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    """Those that have a curve: the flaws would hide the line beside them."""
    return (stage for stage in runs if stage != "flawed")


def listed_roc(runs: Mapping[str, Sequence[Outcome]]) -> Chart:
    rates = {
        STAGES[stage]: judging.roc_curve(listed_pairs_of(runs[stage]), GRID) for stage in _drawn_stages(runs)
    }
    people = counted(runs["before"][0]["counts"]["test_people"], "people")
    return builders.roc(
        "ROC on the listed pairs, means over seeds.", rates, bands=f"95% intervals over {people}"
    )


def everyone_roc(runs: Mapping[str, Sequence[Outcome]]) -> Chart:
    """Of the first seed, so that a threshold is a point on the line."""
    import numpy as np

    rates = {}
    for stage in _drawn_stages(runs):
        everyone = runs[stage][0]["everyone"]
        same, different = (np.cumsum([0, *everyone[kind]]) for kind in ("same", "different"))
        curve = np.interp(GRID, different / different[-1], same / same[-1])
        rates[STAGES[stage]] = builders.Rates(GRID, curve.tolist())
    first = runs["all"][0]
    everyone = first["everyone"]
    chart = builders.roc("ROC on every pair of the test people's images (first seed).", rates)
    scores = Scores(
        label=STAGES["all"],
        same=tuple(everyone["same"]),
        different=tuple(everyone["different"]),
        largest=everyone["largest"],
        threshold=min(first["validation"]["threshold"], everyone["largest"]),
    )
    return chart.model_copy(update={"scores": scores})


def distance_chart(outcome: Outcome) -> Chart:
    everyone = outcome["everyone"]
    width = everyone["largest"] / len(everyone["same"])
    return judging.distance_chart(
        "Distances of every pair after training all layers, shares of each kind (first seed).",
        everyone,
        [(at + 0.5) * width for at in range(len(everyone["same"]))],
        decimals=1,
    )

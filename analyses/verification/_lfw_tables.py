"""Tables and figures of the study of Labeled Faces in the Wild."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from analyses import experiments, recipe_tables, records
from analyses.plugin import Outcome
from analyses.verification import _charts as charts
from analyses.verification._lfw_runs import (
    HISTORIES,
    LISTED,
    STAGES,
    chosen_rate,
    listed_pairs_of,
    validation_auc,
)
from analyses.verification._lfw_settings import LfwParameters, Stage
from analyses.verification._lfw_watched import watched
from results import builders
from results.schema import Chart, Metric, Panel, Panels, Scores, Table
from results.text import counted, listing

#: False positive rates at which a ROC is drawn: denser where it bends.
GRID = tuple(index / 100 for index in (*range(20), *range(20, 101, 4)))


def results_table(metrics: Mapping[str, Metric], runs: Mapping[str, Sequence[Outcome]]) -> Table:
    first = runs["before"][0]
    return builders.table(
        "Verification on Labeled Faces in the Wild (LFW) with raw pixels, with networks that were pretrained "
        "on ImageNet, and with the Siamese tower, which was not: area under the ROC curve (AUC) and equal "
        f"error rate (EER) on the {len(first['distances']):,} listed pairs of the test people and on every "
        f"pair of their images ({first['everyone']['pairs']:,} pairs). Means over seeds. {_names(runs)}",
        {
            "stage": builders.text("Distance"),
            "seeds": builders.integer("Seeds"),
            "pairs": builders.number("AUC, listed", ".3f"),
            "pairs_eer": builders.percent("EER, listed"),
            "everyone": builders.number("AUC, every", ".3f"),
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
    )


def rates_table(parameters: LfwParameters, outcomes: Mapping[str, Outcome]) -> Table:
    rows = []
    arithmetic = set()
    for stage, rates in (("last", parameters.last_rates), ("all", parameters.all_rates)):
        chosen = chosen_rate(outcomes, stage, rates)
        for rate in rates:
            found = records.runs_named(outcomes, f"{stage}/{rate:g}")
            areas = [one["validation"]["auc"] for one in found]
            arithmetic |= {one["history"]["precision"] for one in found}
            cells = {"stage": STAGES[stage], "rate": rate, "auc": validation_auc(found)}
            cells |= {"low": min(areas), "high": max(areas), "chosen": "yes" if rate == chosen else ""}
            rows.append(cells)
    return builders.table(
        "Choice of the learning rate: area under the ROC curve (AUC) on every pair of the validation people "
        f"of LFW. Mean, lowest and highest of {counted(parameters.seeds, 'seeds')}.",
        {
            "stage": builders.text("Trained"),
            "rate": builders.number("Learning rate", "g"),
            "auc": builders.number("AUC", ".3f"),
            "low": builders.number("Lowest", ".3f"),
            "high": builders.number("Highest", ".3f"),
            "chosen": builders.text("Chosen"),
        },
        rows,
        notes=(
            f"All layers are compared after {counted(parameters.search_epochs, 'epochs')} of "
            f"{parameters.pairs:,} pairs. Arithmetic of these runs: {', '.join(sorted(arithmetic))}.",
        ),
    )


def epochs_table(
    parameters: LfwParameters, metrics: Mapping[str, Metric], shorter: Sequence[Outcome]
) -> Table:
    """Loss and AUC beside each other on the validation people; shorter: the runs of all layers that chose
    their rate, where longer ones follow.
    """
    rows: list[dict[str, str | float]] = [
        {"stage": STAGES["before"], "auc": metrics["before/validation/auc"].value}
    ]
    all_pairs = parameters.all_pairs if shorter else parameters.pairs
    epochs = {
        "last": f"{parameters.last_epochs} × {parameters.pairs:,}",
        "all": f"{metrics['all/epochs'].value} × {all_pairs:,}",
    }
    for stage, words in epochs.items():
        if stage == "all" and shorter:
            searched = f"{parameters.search_epochs} × {parameters.pairs:,}"
            rows.append({"stage": STAGES["all"], "epochs": searched, "auc": validation_auc(shorter)})
        row: dict[str, str | float] = {"stage": STAGES[stage], "epochs": words}
        row["auc"] = metrics[f"{stage}/validation/auc"].value
        for key in ("lowest_loss", "last_loss", "last_accuracy"):
            if f"{stage}/{key}" in metrics:
                row[key] = metrics[f"{stage}/{key}"].value
        rows.append(row)
    return builders.table(
        "Loss and AUC side by side on validation people of LFW: the lowest cross-entropy of any epoch, the "
        "cross-entropy and the accuracy at a probability of one half at the end, all on "
        f"{parameters.watched} fixed pairs, and the AUC at the end on every pair. Means over seeds.",
        {
            "stage": builders.text("Trained"),
            "epochs": builders.text("Epochs × pairs"),
            "lowest_loss": builders.number("Lowest loss", ".3f"),
            "last_loss": builders.number("Loss at the end", ".3f"),
            "last_accuracy": builders.percent("Accuracy"),
            "auc": builders.number("AUC", ".3f"),
        },
        rows,
        notes=("Loss and accuracy were recorded in the longer runs only.",),
    )


def recipe_table(
    parameters: LfwParameters,
    rates: Mapping[str, float],
    of_all: Stage,
    runs: Mapping[str, Sequence[Outcome]],
) -> Table:
    """of_all: the recipe that all layers were trained by, "all" or "search"; runs: by stage, of which the
    arithmetic is known.
    """
    cross_entropy = "cross-entropy of distance ÷ normaliser"
    columns = {
        "last": (
            parameters.recipe("final", rates["last"]),
            parameters.pairs,
            parameters.batch,
            cross_entropy,
        ),
        "all": (
            parameters.recipe(of_all, rates["all"]),
            parameters.all_pairs if of_all == "all" else parameters.pairs,
            parameters.batch,
            cross_entropy,
        ),
        "scratch": (parameters.scratch_recipe(), parameters.scratch_pairs, 64, "contrastive, margin 2"),
    }
    return recipe_tables.recipe_table(
        {STAGES[stage]: recipe for stage, (recipe, *_) in columns.items()},
        {
            STAGES[stage]: {
                "epochs": f"{recipe.epochs} of {pairs:,} pairs, drawn for each",
                "batch": f"{batch} pairs",
                "loss": loss,
                "arithmetic": runs[stage][0][HISTORIES[stage]]["precision"],
                "images": f"{parameters.scratch_size}×{parameters.scratch_size} grey"
                if stage == "scratch"
                else f"{parameters.size}×{parameters.size} colour",
            }
            for stage, (recipe, pairs, batch, loss) in columns.items()
        },
        caption="Hyper-parameters of training on pairs from LFW: the pretrained network's last layer, then "
        "all of its layers, and the Siamese tower."
        + (
            " The second pretrained network is trained as the first, all layers for "
            f"{counted(parameters.second_epochs, 'epochs')} of {parameters.all_pairs:,} pairs."
            if "second_all" in runs
            else ""
        ),
    )


def _drawn_stages(runs: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    """Those that have a curve, the main result first, whose line is solid: the pretrained networks before and
    after training. More lines would hide each other, and their AUC is in a table.
    """
    left_out = ("pixels", "flawed", "second_last", "scratch_before", "scratch")
    first = ("all", "last", "before")
    ordered = sorted(runs, key=lambda stage: first.index(stage) if stage in first else len(first))
    return (stage for stage in ordered if stage not in left_out)


def _names(runs: Mapping[str, Sequence[Outcome]]) -> str:
    """Which networks the rows and lines are of, as a sentence."""
    names = {
        words: experiments.network_name(runs[stage][0]["weights"]["architecture"])
        for stage, words in (("before", "pretrained"), ("second_before", "second"))
        if stage in runs
    }
    return f"The {listing([f'{words} network is {name}' for words, name in names.items()])}."


def by_seed_table(
    differences: Sequence[tuple[str, str, Metric]], runs: Mapping[str, Sequence[Outcome]]
) -> Table:
    """differences: of the first stage less the second."""
    everyone = runs["before"][0]["everyone"]["pairs"]
    return builders.table(
        f"Differences in AUC on every pair of the test people of LFW ({everyone:,} pairs).",
        {
            "first": builders.text("First"),
            "second": builders.text("Second"),
            "difference": builders.number("Difference", "+.3f"),
        },
        [{"first": first, "second": second, "difference": one} for first, second, one in differences],
        notes=("Intervals over seeds reflect the variation of training, not the choice of people.",),
    )


def listed_roc(runs: Mapping[str, Sequence[Outcome]]) -> Chart:
    rates = {}
    for stage in _drawn_stages(runs):
        found = charts.roc_curve(listed_pairs_of(runs[stage]), GRID)
        # bands of all stages would cover each other
        rates[STAGES[stage]] = found if stage == "all" else builders.Rates(GRID, found.true_positive)
    first = runs["before"][0]
    people = counted(first["counts"]["test_people"], "test people")
    return builders.roc(
        f"ROC curves on the {len(first['distances']):,} listed pairs of the {people} of LFW: true positive "
        "rate against false positive rate. Lines are means over seeds. The band, of the network with all "
        f"layers trained, is a 95% bootstrap interval over people. {_names(runs)}",
        rates,
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
    chart = builders.roc(
        f"ROC curves on every pair of the test people of LFW ({everyone['pairs']:,} pairs), of the first "
        f"seed. Each point of a line corresponds to one threshold. {_names(runs)}",
        rates,
    )
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
    return charts.distance_chart(
        "Distribution of the distances of every pair of the test people of LFW after all layers are "
        "trained, for pairs of one person and of two people (first seed). Each histogram sums to one; where "
        "the two overlap, a threshold makes errors.",
        everyone,
        [(at + 0.5) * width for at in range(len(everyone["same"]))],
        decimals=1,
    )


def epochs_chart(runs: Mapping[str, Sequence[Outcome]]) -> Panels:
    """Loss and, where it was measured, AUC by epoch: of the last layer, and then of all layers, which have
    far fewer epochs. A panel each.
    """
    titles = {"last": "Last layer alone", "all": "Then all layers"}
    measures = (
        (builders.number("Loss", ".2f"), {"Training": "train_loss", "Validation": "validation_loss"}),
        (builders.number("AUC", ".2f"), {"Validation": "auc"}),
    )
    panels, alternatives = [], []
    for y, keys in measures:
        for stage, title in titles.items():
            curves = {
                label: found for label, key in keys.items() if (found := watched(runs[stage], stage, key))
            }
            if curves:
                chart = builders.curves("", curves, y, bands=True)
                title = f"{title} ({counted(len(runs[stage]), 'seeds')})"
                panels.append(Panel(kind="line", title=title, x=chart.x, y=chart.y, series=chart.series))
                alternatives.append(f"{title}: {chart.alt}")
    return Panels(
        caption="Training on pairs from Labeled Faces in the Wild (LFW), by epoch. Above: cross-entropy on "
        "training pairs drawn for each epoch and on fixed pairs of validation people. Below: area under the "
        "ROC curve (AUC) on every pair of the validation people. The last layer of the pretrained network is "
        "trained first (left), then all of its layers (right). Lines are means over the seeds, bands reach "
        "from the lowest to the highest.",
        alt=" ".join(alternatives),
        panels=tuple(panels),
    )

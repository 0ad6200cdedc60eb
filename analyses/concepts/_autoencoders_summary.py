"""What the outcomes of the study of autoencoders say: metrics, differences and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses import comparing, recipe_tables, records
from analyses.comparing import Comparison
from analyses.concepts import _autoencoders_tables as tables
from analyses.concepts._autoencoders_settings import (
    BASELINES,
    DENOISING,
    KINDS,
    SIMPLE,
    AutoencoderParameters,
)
from analyses.concepts._autoencoders_tables import DECIBEL
from analyses.plugin import Outcome, Summary
from results import builders
from results.schema import Finding, Metric


def summary(parameters: AutoencoderParameters, outcomes: Mapping[str, Outcome]) -> Summary:
    runs = {kind: records.runs_named(outcomes, kind) for kind in KINDS}
    simple = outcomes[BASELINES]
    metrics = {
        "images/train": builders.metric(simple["train"], "Training digits", "images"),
        "images/test": builders.metric(simple["test"], "Test digits", "images"),
        "pixels": builders.metric(simple["pixels"], "Pixels of a digit", "pixels"),
        "units": builders.metric(parameters.units, "Units of the code"),
        "noise": builders.metric(parameters.noise, "Standard deviation of the noise"),
        "sparsity": builders.metric(parameters.sparsity, "Weight of the L1 penalty"),
        "seeds": builders.metric(parameters.seeds, "Seeds"),
        "compared": builders.metric(len(COMPARED), "Comparisons that are corrected together"),
        "components/count": builders.metric(simple["count"], "Principal components"),
        "gaussian/width": builders.metric(simple["width"], "Standard deviation of the filter", "pixels"),
    }
    for name, words in SIMPLE.items():
        metrics |= {
            f"{name}/psnr": builders.metric(simple[name]["psnr"], f"{words}: PSNR", DECIBEL),
            f"{name}/absolute": builders.metric(simple[name]["absolute"], f"{words}: mean absolute error"),
        }
    for kind, words in KINDS.items():
        for key, title, unit in (
            ("psnr", "PSNR on noisy digits", DECIBEL),
            ("absolute", "mean absolute error on noisy digits", ""),
            ("clean_psnr", "PSNR on clean digits", DECIBEL),
            ("active", "share of units that are active", builders.FRACTION),
        ):
            metrics[f"{kind}/{key}"] = records.over_seeds(runs[kind], key, f"{words}: {title}", unit)
    differences = _differences(runs)
    metrics |= {
        name: builders.metric(one.difference, _title(name), COMPARED[name][2], over=one.over)
        for name, one in differences.items()
    }
    return Summary(
        metrics=metrics,
        tables={
            "results": tables.results_table(metrics),
            "recipe": recipe_tables.recipe_table(
                {"Autoencoders": parameters.recipe()},
                {
                    "Autoencoders": {
                        "code": f"{parameters.units} units, ReLU",
                        "noise": f"Gaussian, standard deviation {parameters.noise:g}, cut off to [0, 1]; "
                        "none for the plain and the sparse one",
                        "penalty": f"{parameters.sparsity:g} × mean of the code, for the sparse one",
                    }
                },
                "Hyper-parameters of the five autoencoders of handwritten digits.",
            ),
        },
        figures=tables.figures(simple, runs, parameters.noise),
        findings=_findings(metrics, differences) | {"no_run_diverged": _none_diverged(runs)},
    )


#: Name → of which measure the first of two has more than the second, and its unit; one family.
COMPARED = {
    "squared_over_absolute/psnr": ("squared", "absolute", DECIBEL),
    "squared_over_absolute/absolute": ("squared", "absolute", ""),
    "cross_entropy_over_squared/psnr": ("cross_entropy", "squared", DECIBEL),
    "squared_over_plain/psnr": ("squared", "plain", DECIBEL),
    "plain_over_squared/clean_psnr": ("plain", "squared", DECIBEL),
    "sparse_over_plain/psnr": ("sparse", "plain", DECIBEL),
    "sparse_over_plain/clean_psnr": ("sparse", "plain", DECIBEL),
    "sparse_over_plain/active": ("sparse", "plain", builders.FRACTION),
}


def _differences(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Comparison]:
    """Paired by seed, with Holm's correction."""
    return comparing.compared(
        {
            name: ([run[key] for run in runs[one]], [run[key] for run in runs[other]])
            for name, (one, other, _) in COMPARED.items()
            for key in (name.rpartition("/")[2],)
        }
    )


def _title(name: str) -> str:
    measures = {
        "psnr": "PSNR on noisy digits",
        "absolute": "mean absolute error",
        "clean_psnr": "PSNR on clean digits",
        "active": "share of active units",
    }
    one, other, _ = COMPARED[name]
    measure = measures[name.rpartition("/")[2]]
    return f"Difference in {measure}: {KINDS[one].lower()} less {KINDS[other].lower()}"


def _findings(metrics: Mapping[str, Metric], differences: Mapping[str, Comparison]) -> dict[str, Finding]:
    def finding(statement: str, name: str, *, above: bool) -> Finding:
        holds = differences[name].verdict == ("more" if above else "less")
        return builders.statement(statement, holds, name)

    best = max(metrics[f"{name}/psnr"].value for name in SIMPLE)
    return {
        "denoising_beats_the_simple": builders.statement(
            "With every loss, a denoising autoencoder has a higher PSNR than filter and components",
            all(metrics[f"{kind}/psnr"].is_above(best) for kind in DENOISING),
            *(f"{name}/psnr" for name in (*DENOISING, *SIMPLE)),
        ),
        "squared_is_better_by_squares": finding(
            "Trained by the squared error, PSNR is higher than by the absolute error",
            "squared_over_absolute/psnr",
            above=True,
        ),
        "absolute_is_better_by_absolutes": finding(
            "Trained by the absolute error, the mean absolute error is lower than by the squared error",
            "squared_over_absolute/absolute",
            above=True,
        ),
        "cross_entropy_beats_squared": finding(
            "Trained by cross-entropy, PSNR is higher than by the squared error",
            "cross_entropy_over_squared/psnr",
            above=True,
        ),
        "cross_entropy_loses_to_squared": finding(
            "Trained by cross-entropy, PSNR is lower than by the squared error",
            "cross_entropy_over_squared/psnr",
            above=False,
        ),
        "noise_in_training_helps": finding(
            "Trained with noise, an autoencoder removes noise better than without",
            "squared_over_plain/psnr",
            above=True,
        ),
        "plain_copies_better": finding(
            "Trained without noise, an autoencoder reconstructs clean digits better",
            "plain_over_squared/clean_psnr",
            above=True,
        ),
        "plain_loses_to_components": builders.statement(
            "The plain autoencoder removes less noise than principal components",
            (metrics["plain/psnr"].high or metrics["plain/psnr"].value) < metrics["components/psnr"].value,
            "plain/psnr",
            "components/psnr",
        ),
        "sparse_is_sparser": finding(
            "The penalty makes fewer units active", "sparse_over_plain/active", above=False
        ),
        "sparsity_costs": finding(
            "The penalty makes reconstruction of clean digits worse",
            "sparse_over_plain/clean_psnr",
            above=False,
        ),
        "sparsity_helps_against_noise": finding(
            "The penalty makes the output for noisy digits better", "sparse_over_plain/psnr", above=True
        ),
        "sparsity_harms_against_noise": finding(
            "The penalty makes the output for noisy digits worse", "sparse_over_plain/psnr", above=False
        ),
    }


def _none_diverged(runs: Mapping[str, Sequence[Outcome]]) -> Finding:
    return builders.statement(
        "No run diverged", not any(run["diverged"] for some in runs.values() for run in some)
    )

"""The table and the figures of the study of autoencoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses.concepts._autoencoders_settings import DENOISING, KINDS, SIMPLE
from analyses.concepts._autoencoders_training import FEATURES, SHOWN
from analyses.plugin import Outcome
from results import builders
from results.schema import Metric, Picture, Pictures, Table

DECIBEL = "dB"


def results_table(metrics: Mapping[str, Metric]) -> Table:
    rows: list[dict[str, builders.Cell]] = [
        {"what": words, **{key: metrics[f"{name}/{key}"].value for key in ("psnr", "absolute")}}
        for name, words in SIMPLE.items()
    ]
    for kind, words in KINDS.items():
        found = {key: metrics[f"{kind}/{key}"] for key in ("psnr", "absolute", "clean_psnr", "active")}
        cells = {key: one.value for key, one in found.items()}
        rows.append({"what": words, **cells, "low": found["psnr"].low, "high": found["psnr"].high})
    return builders.table(
        "Noisy test digits given back: peak signal-to-noise ratio with its 95% interval over seeds, "
        "mean absolute error; clean digits given back; share of the code's units above zero on clean digits.",
        {
            "what": builders.text("Method"),
            "psnr": builders.number("PSNR", ".2f", DECIBEL),
            "low": builders.number("from", ".2f"),
            "high": builders.number("to", ".2f"),
            "absolute": builders.number("Absolute error", ".4f"),
            "clean_psnr": builders.number("Clean", ".2f", DECIBEL),
            "active": builders.number("Active", ".2f"),
        },
        rows,
        notes=(
            f"{metrics['seeds'].value} seeds; the noise on the test digits is the same for all. Training "
            f"digits chose the filter's width, {metrics['gaussian/width'].value:g} pixels, and the number of "
            f"components, {metrics['components/count'].value}.",
        ),
    )


def figures(simple: Outcome, runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Pictures]:
    first = {kind: next(run for run in some if "picture" in run) for kind, some in runs.items()}
    shown = {
        "Original": simple["pictures"]["original"],
        "Noisy": simple["pictures"]["noisy"],
        "Components": simple["pictures"]["components"],
        **{words.capitalize(): first[kind]["picture"] for kind, words in DENOISING.items()},
    }
    features = {"Plain": "plain", "Sparse": "sparse", "Denoising": "squared"}
    return {
        "digits": Pictures(
            caption="Test digits, with noise, and given back by principal components and by denoising "
            "autoencoders with three losses.",
            alt=f"Six sheets of the same {SHOWN**2} digits: {', '.join(shown).lower()}.",
            columns=len(shown),
            pictures=tuple(Picture(title=title, png=picture) for title, picture in shown.items()),
        ),
        "features": Pictures(
            caption="What units of the code add to the picture, those that are active most often: grey is "
            "nothing, white makes lighter, black darker. Squared error.",
            alt=f"Three sheets of {FEATURES**2} features each, of the plain, the sparse and the denoising "
            "autoencoder.",
            columns=len(features),
            pictures=tuple(
                Picture(title=title, png=first[kind]["features"]) for title, kind in features.items()
            ),
        ),
    }

"""The table and the figures of the study of autoencoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyses.concepts._autoencoders_settings import DENOISING, KINDS, SIMPLE
from analyses.concepts._autoencoders_training import FEATURES, SHOWN
from analyses.plugin import Outcome
from results import builders
from results.schema import Metric, Picture, Pictures, Table
from results.text import count, counted

DECIBEL = "dB"


def results_table(metrics: Mapping[str, Metric]) -> Table:
    keys = ("psnr", "absolute", "clean_psnr", "active")
    rows: list[dict[str, builders.Cell]] = [
        {"what": words, **{key: metrics[f"{name}/{key}"].value for key in keys[:2]}}
        for name, words in SIMPLE.items()
    ]
    for kind, words in KINDS.items():
        cells: dict[str, builders.Cell] = {key: metrics[f"{kind}/{key}"] for key in keys[:3]}
        rows.append({"what": words, **cells, "active": metrics[f"{kind}/active"].value})
    return builders.table(
        f"Reconstruction of {metrics['images/test'].value} handwritten test digits: peak signal-to-noise "
        "ratio (PSNR) and mean absolute error on noisy digits, PSNR on clean digits, and share of the code's "
        "units that are above zero on clean digits. Means over "
        f"{counted(int(metrics['seeds'].value), 'seeds')}.",
        {
            "what": builders.text("Method"),
            "psnr": builders.number("Noisy (dB)", ".2f", best="highest"),
            "absolute": builders.number("Absolute error", ".4f", best="lowest"),
            "clean_psnr": builders.number("Clean (dB)", ".2f", best="highest"),
            "active": builders.percent("Active"),
        },
        rows,
        notes=(
            "The noise on the test digits is the same for all. Chosen on training digits: the filter's width "
            f"of {metrics['gaussian/width'].value:g} pixels and the {metrics['components/count'].value} "
            "principal components.",
        ),
    )


def figures(simple: Outcome, runs: Mapping[str, Sequence[Outcome]], noise: float) -> dict[str, Pictures]:
    """noise: standard deviation of that on the digits."""
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
            caption=f"{count(SHOWN**2).capitalize()} handwritten test digits of 8×8 pixels; the same with "
            f"Gaussian noise of standard deviation {noise:g} (pixels lie between 0 and 1); and the noisy "
            "digits as reconstructed by principal components and by denoising autoencoders with three "
            "losses.",
            alt=f"Six sheets of the same {count(SHOWN**2)} digits: {', '.join(shown).lower()}.",
            columns=len(shown),
            pictures=tuple(Picture(title=title, png=picture) for title, picture in shown.items()),
        ),
        "features": Pictures(
            caption=f"What a unit of the code adds to the image, for the {FEATURES**2} units that are "
            "active most often, of three autoencoders of handwritten digits trained with the squared error. "
            "Grey adds nothing, white makes a pixel lighter and black darker; each image is scaled to its "
            "own range.",
            alt=f"Three sheets of {FEATURES**2} features each, of the plain, the sparse and the denoising "
            "autoencoder.",
            columns=len(features),
            pictures=tuple(
                Picture(title=title, png=first[kind]["features"]) for title, kind in features.items()
            ),
        ),
    }

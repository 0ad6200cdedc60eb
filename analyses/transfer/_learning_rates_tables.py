"""Tables and figures of the study of learning rates."""

from __future__ import annotations

from collections.abc import Mapping

from analyses import recipe_tables, records
from analyses.domains import Domain
from analyses.plugin import Outcome
from analyses.transfer._learning_rates_settings import TITLES, LearningRateParameters
from analyses.transfer._learning_rates_standing import (
    Runs,
    Standing,
    class_counts,
    in_words,
    rate_of,
    runs_of,
)
from results import builders
from results.schema import Chart, Metric, Panel, Panels, Picture, Pictures, Table
from results.text import counted

DATA_SETS = {"dtd10": "DTD", "gtsrb": "GTSRB"}
STAND_INS = ("banded", "chequered")  # classes that can be drawn


def called(name: str, domain: Domain) -> str:
    """A domain in captions, with its data set where that has a name of its own."""
    return f"{name} ({DATA_SETS[domain.name]})" if domain.name in DATA_SETS else name


def recipe_table(parameters: LearningRateParameters, outcomes: Mapping[str, Outcome]) -> Table:
    """What each approach was trained with, on every data set."""
    domains = parameters.used
    first = next(iter(domains.values()))

    def by_domain(words: Mapping[str, str]) -> str:
        if len(set(words.values())) == 1:
            return next(iter(words.values()))
        return "; ".join(f"{name}: {text}" for name, text in words.items())

    recipes, beside = {}, {}
    for kind, rates in (("finetune", parameters.finetune_rates), ("head", parameters.head_rates)):
        recipes[TITLES[kind]] = parameters.recipe(kind, first)
        rows = {
            name: dict(recipe_tables.recipe_rows(parameters.recipe(kind, domain)))
            for name, domain in domains.items()
        }
        schedule = rows[next(iter(domains))]["learning rate"].partition(", ")[2]
        beside[TITLES[kind]] = {
            "learning rate": f"one of {', '.join(f'{rate:g}' for rate in rates)}; {schedule}",
            "augmentation": by_domain({name: row["augmentation"] for name, row in rows.items()}),
            "image size": by_domain(
                {name: f"{domain.size} × {domain.size} pixels" for name, domain in domains.items()}
            ),
        }
    precisions = {
        run["history"]["precision"]
        for name in domains
        for found in runs_of(parameters, name, outcomes).values()
        for run in found
        if "precision" in run["history"]
    }
    if precisions:
        beside[TITLES["finetune"]]["arithmetic"] = " or ".join(sorted(precisions))
        beside[TITLES["head"]]["arithmetic"] = "float32"
    names = " and ".join(called(name, domain) for name, domain in domains.items())
    caption = f"Hyper-parameters of fine-tuning and of training the last layer alone, on {names}."
    return recipe_tables.recipe_table(recipes, beside, caption)


def results_table(
    name: str,
    prefix: str,
    metrics: Mapping[str, Metric],
    runs: Runs,
    standing: Standing,
    parameters: LearningRateParameters,
    domain: Domain,
) -> Table:
    sizes = [int(metrics[f"{prefix}data/{part}"].value) for part in ("train", "validation", "test")]
    diverged = any(run["diverged"] for found in runs.values() for run in found)
    images = f"{sizes[0]:,} training, {sizes[1]:,} validation and {sizes[2]:,} test images"
    caption = f"{name[:1].upper() + name[1:]} ({images}): accuracy (%) of the same settings."
    if not prefix:
        caption = (
            f"Accuracy (%) of fine-tuning and of a frozen backbone by learning rate, on {name} ({images}). "
            "The highest validation accuracy of each approach selects its setting."
        )
    return builders.table(
        f"{caption} Means over {counted(parameters.seeds, 'seeds')}.",
        {
            "trained": builders.text("Approach"),
            "rate": builders.number("Rate", "g"),
            "train": builders.percent("Training"),
            "validation": builders.percent("Validation", best="highest", within="trained"),
            "test": builders.percent("Test"),
            **({"diverged": builders.integer("Diverged")} if diverged else {}),
        },
        [
            {
                "trained": TITLES[setting.split("/")[0]],
                "rate": rate_of(setting),
                "train": metrics[f"{prefix}{setting}/train_accuracy"].value,
                "validation": metrics[f"{prefix}{setting}/validation_accuracy"].value,
                "test": metrics[f"{prefix}{setting}/test_accuracy"],
                **({"diverged": sum(run["diverged"] for run in found)} if diverged else {}),
            }
            for setting, found in runs.items()
        ],
        notes=[
            f"Fine-tuning had {counted(parameters.finetune_epochs, 'epochs')}, the frozen backbone "
            f"{parameters.head_epochs}. Images have {domain.size} × {domain.size} pixels."
            + (" A run that diverged counts with what it reached." if diverged else "")
        ],
    )


def stand_ins() -> Pictures:
    """Two drawn textures of each of two classes, in the place of photographs that may not be passed on."""
    import numpy as np

    from analyses.pictures import png

    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:96, :96]
    pictures = []
    for name in STAND_INS:
        for angle, width in ((0.3, 9), (1.2, 14)):
            along = (columns * np.cos(angle) + rows * np.sin(angle)) // width
            across = (rows * np.cos(angle) - columns * np.sin(angle)) // width
            odd = (along if name == "banded" else along + across) % 2 == 1
            dark, light = random.integers(30, 120, 3), random.integers(140, 240, 3)
            pixels = np.where(odd[..., None], dark, light) + random.normal(0, 8, (96, 96, 3))
            drawn = png(pixels.clip(0, 255).astype(np.uint8).transpose(2, 0, 1))
            pictures.append(Picture(png=drawn, title=name))
    return Pictures(
        caption=f"Drawn stand-ins for the classes {' and '.join(STAND_INS)}, two images of each, because the "
        "photographs of the data set cannot be redistributed. They show what defines the classes, stripes "
        "and "
        "a chequered pattern, but not the materials and the light of the photographs.",
        alt="Two drawn images of stripes and two of chequered patterns, in different colours and directions.",
        columns=4,
        pictures=tuple(pictures),
    )


def class_chart(name: str, first: Outcome) -> Chart:
    names, counts = first["classes"], class_counts(first)
    return builders.bars(
        f"Number of training images per class, {name} ({sum(counts):,} images of {len(names)} classes).",
        dict(zip(names, counts, strict=True)),
        builders.integer("Images"),
        x="Class",
    )


def curve_chart(name: str, runs: Runs, standing: Standing, parameters: LearningRateParameters) -> Panels:
    """Validation accuracy by epoch, a panel for each approach; the same rate has the same colour in both."""
    quantity = builders.percent("Validation accuracy")
    panels = []
    for kind, title in TITLES.items():
        chart = builders.curves(
            "",
            {
                f"rate {rate_of(setting):g}": [
                    history["validation_accuracy"] for history in records.histories(runs[setting])
                ]
                for setting in sorted(runs, key=rate_of)
                if setting.startswith(kind)
            },
            quantity,
            bands=False,
        )
        panels.append(Panel(kind="line", title=title, x=chart.x, y=chart.y, series=chart.series))
    best = [f"{in_words(one)} ({rate_of(one):g})" for one in standing.best.values()]
    return Panels(
        caption=f"Validation accuracy by epoch on {name}, for each learning rate of fine-tuning "
        f"({counted(parameters.finetune_epochs, 'epochs')}) and of a frozen backbone "
        f"({counted(parameters.head_epochs, 'epochs')}). Lines are means over "
        f"{counted(parameters.seeds, 'seeds')}; each panel has its own vertical axis.",
        alt=f"Validation accuracy by epoch in two panels; the best rates are {' and '.join(best)}.",
        panels=tuple(panels),
    )

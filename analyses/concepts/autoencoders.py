"""concepts.autoencoders: three losses, noise and sparsity, on handwritten digits.

Five autoencoders of one shape, with more units than there are pixels: three learn to take noise away, by the
squared error, the binary cross-entropy and the absolute error; a plain and a sparse one see no noise in
training. Expected: each loss is best by its own measure; the plain one gives clean digits back best and
noisy ones worse than those that were trained on noise; the sparse one uses half as many units.
`python runner.py run concepts.autoencoders --profile full`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from analyses import experiments, recipe_tables, records
from analyses.pictures import png
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Finding, Metric, Picture, Pictures, Table

DIGITS = "digits"
DENOISING = {"squared": "squared error", "cross_entropy": "cross-entropy", "absolute": "absolute error"}
KINDS = {
    **{kind: f"Denoising, {words}" for kind, words in DENOISING.items()},
    "plain": "Plain",
    "sparse": "Sparse",
}
SIMPLE = {"noisy": "Noisy input", "gaussian": "Gaussian filter", "components": "Principal components"}
BASELINES = "baselines"
WIDTHS = tuple(round(0.3 + 0.1 * step, 1) for step in range(10))  # pixels, of the Gaussian filter
DECIBEL = "dB"
SHOWN = 3  # digits along each side of a picture
FEATURES = 6


class AutoencoderParameters(Parameters):
    """noise: standard deviation of what is added to pixels in [0, 1]. sparsity: weight of the mean of the
    code in the loss of the sparse one. learning_rate: of 0.003 and 0.01 the one with the lower training loss.
    noise_seed: of the noise on the test digits, which is the same for all.
    """

    units: int = Field(128, ge=1, le=4_096)
    noise: float = Field(0.3, gt=0, le=1)
    sparsity: float = Field(0.05, ge=0)
    epochs: int = Field(80, ge=1)
    batch: int = Field(128, ge=1)
    learning_rate: float = Field(0.01, gt=0)
    noise_seed: int = Field(0, ge=0)
    seeds: int = Field(5, ge=2)

    def recipe(self) -> dict[str, Any]:
        return {
            "epochs": self.epochs,
            "batch": self.batch,
            "optimizer": "adam",
            "learning_rate": self.learning_rate,
            "schedule": "cosine",
            "precision": "float32",
        }

    def objectives(self) -> dict[str, dict[str, Any]]:
        """By kind, the settings of `lab.reconstruction.Reconstruction`."""
        denoising = {
            kind: {"loss": kind.replace("_", "-"), "noise": self.noise, "sparsity": 0.0} for kind in DENOISING
        }
        plain = {"loss": "squared", "noise": 0.0, "sparsity": 0.0}
        return {**denoising, "plain": plain, "sparse": {**plain, "sparsity": self.sparsity}}


class Autoencoders(Analysis[AutoencoderParameters]):
    id = "concepts.autoencoders"
    title = "Autoencoders of handwritten digits"
    question = "What do the loss, noise and sparsity make of an autoencoder?"

    def parameters(self, profile: Profile) -> AutoencoderParameters:
        if profile == "quick":
            return AutoencoderParameters(epochs=15, seeds=2)
        return AutoencoderParameters()

    def datasets(self, parameters: AutoencoderParameters) -> tuple[str, ...]:
        return (DIGITS,)

    def plan(self, parameters: AutoencoderParameters) -> list[Cell]:
        from lab.recipes import Recipe

        shared = {"noise": parameters.noise, "noise_seed": parameters.noise_seed}
        trained = shared | {
            "units": parameters.units,
            "recipe": Recipe.of(parameters.recipe()).as_settings(),
        }
        return [
            Cell(BASELINES, shared),
            *(
                Cell(f"{kind}/{seed}", trained | {"objective": objective}, seed)
                for kind, objective in parameters.objectives().items()
                for seed in range(parameters.seeds)
            ),
        ]

    def run(self, cell: Cell, context: Context) -> Outcome:
        return _baselines(cell) if cell.id == BASELINES else _trained(cell, context)

    def summarize(self, parameters: AutoencoderParameters, outcomes: Mapping[str, Outcome]) -> Summary:
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
            "components/count": builders.metric(simple["count"], "Principal components"),
            "gaussian/width": builders.metric(simple["width"], "Standard deviation of the filter", "pixels"),
        }
        for name, words in SIMPLE.items():
            metrics |= {
                f"{name}/psnr": builders.metric(simple[name]["psnr"], f"{words}: PSNR", DECIBEL),
                f"{name}/absolute": builders.metric(
                    simple[name]["absolute"], f"{words}: mean absolute error"
                ),
            }
        for kind, words in KINDS.items():
            for key, title, unit in (
                ("psnr", "PSNR on noisy digits", DECIBEL),
                ("absolute", "mean absolute error on noisy digits", ""),
                ("clean_psnr", "PSNR on clean digits", DECIBEL),
                ("active", "share of units that are active", builders.FRACTION),
            ):
                metrics[f"{kind}/{key}"] = records.over_seeds(runs[kind], key, f"{words}: {title}", unit)
        metrics |= _differences(runs)
        return Summary(
            metrics=metrics,
            tables={
                "results": _results(metrics),
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
                ),
            },
            figures=_figures(simple, runs),
            findings=_findings(metrics) | {"no_run_diverged": _none_diverged(runs)},
        )


def _images() -> tuple[Any, Any]:
    """Training and test digits, float (N, 1, 8, 8) in [0, 1]."""
    import torch

    from lab.datasets import load

    first, second = (torch.from_numpy(load(DIGITS, split).images) / 255 for split in ("train", "test"))
    return first, second


def _noisy_test(images: Any, settings: Mapping[str, Any]) -> Any:
    import torch

    from lab.reconstruction import noisy

    return noisy(images, settings["noise"], torch.Generator().manual_seed(settings["noise_seed"]))


def _measured(made: Any, images: Any) -> dict[str, float]:
    from lab.reconstruction import absolute_error, psnr

    return {"psnr": psnr(made, images), "absolute": absolute_error(made, images)}


def _baselines(cell: Cell) -> Outcome:
    """The noisy digits as they are, filtered, and by their components. Training digits choose how much."""
    import torch

    from lab.reconstruction import Components, best_of, noisy, smoothed

    train, test = _images()
    seen = _noisy_test(test, cell.settings)
    generator = torch.Generator().manual_seed(cell.settings["noise_seed"] + 1)
    tried = noisy(train, cell.settings["noise"], generator)
    width = WIDTHS[best_of([smoothed(tried, one) for one in WIDTHS], train)]
    components = Components.of(train)
    counts = range(1, len(components.directions) + 1)
    count = 1 + best_of([components.projected(tried, one) for one in counts], train)
    made = {
        "noisy": seen,
        "gaussian": smoothed(seen, width),
        "components": components.projected(seen, count),
    }
    return {
        **{name: _measured(one, test) for name, one in made.items()},
        "width": width,
        "count": count,
        "train": len(train),
        "test": len(test),
        "pixels": test[0].numel(),
        "pictures": {name: _side_by_side(one) for name, one in {"original": test, **made}.items()},
    }


def _trained(cell: Cell, context: Context) -> Outcome:
    import torch

    from lab.datasets import load
    from lab.networks.autoencoder import Autoencoder
    from lab.recipes import Recipe
    from lab.reconstruction import Reconstruction
    from lab.training import Data, Images

    settings, seed = cell.settings, cell.seed or 0
    digits = load(DIGITS, "train")
    data = Data(Images.of(digits.images, digits.labels, context.device), (0.0,), (1.0,))
    torch.manual_seed(seed)
    model = Autoencoder(tuple(digits.images.shape[1:]), settings["units"])
    recipe, objective = Recipe.of(settings["recipe"]), Reconstruction(**settings["objective"])
    history = experiments.fit(model, data, recipe, cell, context, objective)
    model.eval()
    _, test = _images()
    seen = _noisy_test(test, settings)
    with torch.no_grad():
        made, copied = (model(images.to(context.device)).sigmoid().cpu() for images in (seen, test))
        code = model.encode(test.to(context.device)).cpu()
    active = (code > 0).float()
    outcome: Outcome = {
        **_measured(made, test),
        "clean_psnr": _measured(copied, test)["psnr"],
        "active": float(active.mean()),
        "loss": history.train_loss[-1],
        "diverged": history.outcome == "diverged",
    }
    if not seed:
        most = active.mean(0).argsort(descending=True)[: FEATURES**2]
        features = model.features().detach().cpu()[most]
        scale = features.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-9)
        outcome["picture"] = _side_by_side(made)
        outcome["features"] = _side_by_side(0.5 + features / scale / 2, FEATURES)
    return outcome


def _side_by_side(images: Any, side: int = SHOWN) -> str:
    """The first side² of the images (N, 1, H, W) in [0, 1], as one picture with lines between them."""
    import torch

    height, width = images.shape[-2:]
    sheet = torch.full((side * (height + 1) - 1, side * (width + 1) - 1), 128, dtype=torch.uint8)
    for number, image in enumerate(images[: side**2, 0]):
        row, column = divmod(number, side)
        top, left = row * (height + 1), column * (width + 1)
        sheet[top : top + height, left : left + width] = (255 * image.clamp(0, 1)).round().byte()
    return png(sheet)


def _differences(runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Metric]:
    """Paired by seed: what one autoencoder has more of a measure than another."""
    from lab.evaluation import paired_over_seeds

    compared = {
        "squared_over_absolute/psnr": ("squared", "absolute", DECIBEL),
        "squared_over_absolute/absolute": ("squared", "absolute", ""),
        "cross_entropy_over_squared/psnr": ("cross_entropy", "squared", DECIBEL),
        "cross_entropy_over_squared/absolute": ("cross_entropy", "squared", ""),
        "squared_over_plain/psnr": ("squared", "plain", DECIBEL),
        "plain_over_squared/clean_psnr": ("plain", "squared", DECIBEL),
        "sparse_over_plain/psnr": ("sparse", "plain", DECIBEL),
        "sparse_over_plain/clean_psnr": ("sparse", "plain", DECIBEL),
        "sparse_over_plain/active": ("sparse", "plain", builders.FRACTION),
    }
    said = {
        "psnr": "PSNR on noisy digits",
        "absolute": "mean absolute error",
        "clean_psnr": "PSNR on clean digits",
        "active": "share of active units",
    }
    return {
        name: builders.metric(
            paired_over_seeds([run[key] for run in runs[one]], [run[key] for run in runs[other]]).difference,
            f"Difference in {said[key]}: {KINDS[one].lower()} less {KINDS[other].lower()}",
            unit,
        )
        for name, (one, other, unit) in compared.items()
        for key in (name.rpartition("/")[2],)
    }


def _clear(difference: Metric, *, above: bool) -> bool:
    """Whether the interval lies on one side of zero."""
    end = difference.low if above else difference.high
    return end is not None and (end > 0 if above else end < 0)


def _findings(metrics: Mapping[str, Metric]) -> dict[str, Finding]:
    def finding(statement: str, name: str, *, above: bool) -> Finding:
        return builders.statement(statement, _clear(metrics[name], above=above), name)

    best = max(metrics[f"{name}/psnr"].value for name in SIMPLE)
    lows = [metrics[f"{kind}/psnr"].low for kind in DENOISING]
    return {
        "denoising_beats_the_simple": builders.statement(
            "With every loss, a denoising autoencoder has a higher PSNR than filter and components",
            all(low is not None and low > best for low in lows),
            *tuple(f"{name}/psnr" for name in (*DENOISING, *SIMPLE)),
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
            "Trained with noise, an autoencoder takes noise away better than without",
            "squared_over_plain/psnr",
            above=True,
        ),
        "plain_copies_better": finding(
            "Trained without noise, an autoencoder gives clean digits back better",
            "plain_over_squared/clean_psnr",
            above=True,
        ),
        "plain_loses_to_components": builders.statement(
            "The plain autoencoder takes away less noise than principal components",
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


def _results(metrics: Mapping[str, Metric]) -> Table:
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


def _figures(simple: Outcome, runs: Mapping[str, Sequence[Outcome]]) -> dict[str, Pictures]:
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


analysis = Autoencoders()

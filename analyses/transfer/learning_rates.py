"""transfer.learning_rates: fine-tune or freeze, and at which learning rate?

After an exercise on the Visual Decathlon (Rebuffi et al. 2017): a pretrained network gets a new last layer;
all layers are trained at three rates, or the last one alone at four. By protocol ResNet-50; both have 60
epochs. The last layer is trained on kept features, all rates and seeds at once. Expected of fine-tuning: a
test accuracy of 0.85 to 0.88 on textures. Cells run in this order: all frozen backbones (seconds); the first
data set before the others; of each, every rate with the first seed before any with the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from analyses import experiments
from analyses.experiments import FRACTION, Comparison
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.transfer import _transfer as transfer
from analyses.transfer._transfer import Domain
from results import builders
from results.schema import Chart, Figure, Finding, Metric, Panel, Panels, Pictures, Table
from results.text import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rate = Annotated[float, Field(gt=0, le=1_000)]
Runs = Mapping[str, Sequence[Outcome]]  # "finetune/0.01" → outcomes by seed
TITLES = {"finetune": "Fine-tuning", "head": "Frozen backbone"}
LAG = 0.02  # of a training accuracy behind another, from which on training was not finished


class LearningRateParameters(Parameters):
    """data: with a name, the one data set to transfer to, in place of the domains. domains: the first one's
    metrics have no prefix, those of the others begin with their name. dtd10 has
    the first ten of the 47 classes in the order of the alphabet, a rule that does not look at the images. Of
    the signs, whose photographs of one kind are all alike, tracks are kept together instead of
    near-duplicates; 1,000 images of each part keep the training short. Rates decay by a tenth after each
    quarter of the epochs (60: at 15, 30 and 45). weights, architecture: as lab.weights.load has them.
    """

    domains: dict[str, Domain] = Field(
        default={
            "textures": Domain(name="dtd10", size=128, duplicates=0.85),
            "signs": Domain(
                name="gtsrb",
                split="train",
                test_split="test",
                tracks=True,
                images=1_000,
                evaluated=1_000,
                mirror=False,
                size=64,
            ),
        },
        min_length=1,
    )
    data: Domain = Domain(name="")
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    finetune_rates: tuple[Rate, ...] = Field((0.001, 0.01, 0.1), min_length=1)
    head_rates: tuple[Rate, ...] = Field((1.0, 0.1, 0.01, 0.001), min_length=1)
    head_epochs: int = Field(60, ge=1)
    finetune_epochs: int = Field(60, ge=1)
    batch: int = Field(64, ge=1)
    momentum: float = Field(0.9, ge=0, lt=1)
    seeds: int = Field(3, ge=1)

    @property
    def used(self) -> dict[str, Domain]:
        """The domains; or `data` alone, by the last part of its name."""
        if not self.data.name:
            return self.domains
        return {self.data.name.removeprefix("folder:").rstrip("/").rpartition("/")[2] or "data": self.data}

    def settings(self) -> list[tuple[str, float]]:
        """Kind and rate of every setting that is compared."""
        return [("finetune", rate) for rate in self.finetune_rates] + [
            ("head", rate) for rate in self.head_rates
        ]

    def recipe(self, kind: str, domain: Domain) -> dict[str, Any]:
        """All choices but the learning rate."""
        epochs = self.head_epochs if kind == "head" else self.finetune_epochs
        milestones = tuple(dict.fromkeys(epoch for n in (1, 2, 3) if (epoch := epochs * n // 4)))
        return {
            "epochs": epochs,
            "batch": self.batch,
            "optimizer": "sgd",
            "momentum": self.momentum,
            "nesterov": False,
            "schedule": "multistep",
            "milestones": milestones,
            "augmentation": {"flip": "random"} if domain.mirror else {},
        }


class LearningRates(Analysis[LearningRateParameters]):
    id = "transfer.learning_rates"
    title = "Fine-tune or freeze, and at which learning rate"
    question = "When is it better to train all layers of a pretrained network, and how fast?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> LearningRateParameters:
        if profile == "quick":
            return LearningRateParameters(
                domains={"digits": Domain(name="digits", split="train", images=300, mirror=False, size=32)},
                finetune_epochs=4,
                head_epochs=4,
                seeds=2,
            )
        return LearningRateParameters()

    def datasets(self, parameters: LearningRateParameters) -> tuple[str, ...]:
        return tuple(dict.fromkeys(domain.name for domain in parameters.used.values()))

    def plan(self, parameters: LearningRateParameters) -> list[Cell]:
        from lab.recipes import Recipe

        common = {
            name: {
                "domain": domain.model_dump(mode="json", exclude_defaults=True),
                "weights": parameters.weights,
                "architecture": parameters.architecture,
                "download": parameters.download,
            }
            for name, domain in parameters.used.items()
        }

        def recipe(kind: str, name: str, **changes: Any) -> dict[str, Any]:
            return Recipe.of(parameters.recipe(kind, parameters.used[name]) | changes).as_settings()

        cells = []
        for name, settings in common.items():
            heads = {
                "rates": list(parameters.head_rates),
                "seeds": list(range(parameters.seeds)),
                "recipe": recipe("head", name),
            }
            cells.append(Cell(f"{name}/heads", settings | heads))
        for name, settings in common.items():
            for seed in range(parameters.seeds):
                for rate in parameters.finetune_rates:
                    finetune = {"recipe": recipe("finetune", name, learning_rate=rate)}
                    cells.append(Cell(f"{name}/finetune/{rate:g}/{seed}", settings | finetune, seed))
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab import weights

        settings = cell.settings
        domain = Domain.model_validate(settings["domain"])
        parts, counted = transfer.load_counted(domain)
        network = weights.load(
            settings["weights"],
            settings["architecture"],
            size=domain.size,
            download=settings["download"],
        )
        described: Outcome = {"weights": weights.describe(network)}
        if "rates" not in settings:
            return described | _finetuned(cell, context, network, parts)
        labels = parts.train.labels.tolist()
        described |= counted | {
            "classes": list(parts.train.classes),
            "sizes": {name: len(part) for name, part in parts._asdict().items()},
            "counts": [labels.count(kind) for kind in range(len(parts.train.classes))],
            "black_bordered": transfer.black_bordered(parts.train.images),
        }
        return described | _heads(settings, context, network, parts, domain)

    def summarize(self, parameters: LearningRateParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        metrics: dict[str, Metric] = {}
        tables: dict[str, Table] = {}
        figures: dict[str, Figure] = {}
        findings: dict[str, Finding] = {}
        for number, (name, domain) in enumerate(parameters.used.items()):
            prefix, suffix = (f"{name}/", f"_{name}") if number else ("", "")
            runs = _runs(parameters, name, outcomes)
            first = outcomes[f"{name}/heads"]
            standing = _standing(runs)
            metrics |= _data_metrics(prefix, name, first) | _metrics(prefix, name, runs, standing)
            findings |= _findings(name, prefix, suffix, metrics, runs, standing)
            tables[f"results{suffix}"] = _table(name, prefix, metrics, runs, standing, parameters, domain)
            tables[f"comparisons{suffix}"] = transfer.comparison_table(
                f"Settings compared on the {first['sizes']['test']:,} test images: {name}.",
                standing.compared,
                standing.pairs,
                {setting: _words(setting).capitalize() for setting in runs},
            )
            figures[f"classes{suffix}"] = _class_chart(name, first)
            figures[f"courses{suffix}"] = _course_chart(name, runs, standing, parameters)
            best = standing.best["finetune"]
            if runs[best][0]["history"].get("test_loss"):
                figures[f"best_course{suffix}"] = builders.learning_curves(
                    f"Loss and accuracy by epoch of {_words(best)}, the setting of fine-tuning that "
                    f"validation "
                    f"images select, on the {name}. Those of training images are running means over an "
                    f"epoch.",
                    experiments.histories(runs[best]),
                )
        for kind, epochs in (("finetune", parameters.finetune_epochs), ("head", parameters.head_epochs)):
            metrics[f"{kind}/epochs"] = Metric(
                value=epochs, title=f"Epochs: {TITLES[kind].lower()}", unit="epochs"
            )
        findings["equal_epochs"] = Finding(
            statement="Both approaches had the same number of epochs",
            holds=parameters.finetune_epochs == parameters.head_epochs,
            metrics=("finetune/epochs", "head/epochs"),
        )
        weights = next(iter(outcomes.values()))["weights"]
        findings["network_differs"] = Finding(
            statement="The network is another than the protocol's ResNet-50",
            holds=weights["architecture"] != "resnet50",
        )
        tables["recipe"] = _recipe_table(parameters, outcomes)
        return Summary(
            metrics=metrics,
            tables=tables,
            figures=figures,
            findings=findings,
            note=f"Weights: {weights['source']} ({weights['architecture']}), SHA-256 {weights['sha256']}. "
            f"Fine-tuning had {parameters.finetune_epochs} epochs, the last layer {parameters.head_epochs}.",
        )

    def media(
        self, parameters: LearningRateParameters, outcomes: Mapping[str, Outcome]
    ) -> Mapping[str, Figure]:
        return {
            "samples" if number == 0 else f"{name}_samples": _samples(domain)
            for number, (name, domain) in enumerate(parameters.used.items())
        }


def _heads(
    settings: Mapping[str, Any], context: Context, network: Any, parts: transfer.Parts, domain: Domain
) -> Outcome:
    """Every rate and seed of the last layer at once, on kept features."""
    import time

    import torch

    from lab.features import cached_features
    from lab.heads import fit_heads
    from lab.recipes import Recipe

    started = time.perf_counter()
    views = [
        cached_features(network, parts.train.images, mirrored=mirrored, device=context.device)
        for mirrored in ((False, True) if domain.mirror else (False,))
    ]
    judged = {
        name: (
            cached_features(network, part.images, device=context.device),
            torch.from_numpy(part.labels),
        )
        for name, part in (("validation", parts.validation), ("test", parts.test))
    }
    extracted = time.perf_counter() - started
    started = time.perf_counter()
    heads = fit_heads(
        torch.stack(views),
        torch.from_numpy(parts.train.labels),
        len(parts.train.classes),
        Recipe.of(settings["recipe"]),
        settings["rates"],
        settings["seeds"],
        judged,
        report=context.report,
    )
    seconds = time.perf_counter() - started
    inputs, labels = judged["test"]
    runs = {
        f"{course.learning_rate:g}/{course.seed}": {
            "diverged": course.diverged,
            "history": course.as_outcome(),
            **experiments.classified(logits, labels, parts.test.classes),
        }
        for course, logits in heads.each(inputs)
    }
    return {
        "runs": runs,
        "feature_seconds": extracted,
        "training_seconds": seconds,
        "diverged": any(one["diverged"] for one in runs.values()),
    }


def _finetuned(cell: Cell, context: Context, network: Any, parts: transfer.Parts) -> Outcome:
    """All layers at one rate from one seed."""
    from lab.recipes import Recipe
    from lab.training import Data, Images, fit, precision_of, predict
    from lab.weights import with_head

    seed = cell.seed or 0
    model = with_head(network.model, len(parts.train.classes), seed)
    train, validation, test = (Images.of(part.images, part.labels, context.device) for part in parts)
    data = Data(train, network.mean, network.std, validation, test)
    recipe = Recipe.of(cell.settings["recipe"])
    history = fit(
        model,
        data,
        recipe,
        seed=seed,
        checkpoint=context.scratch / "checkpoint.pt",
        report=context.report,
    )
    logits = predict(model, test.images, data, precision_of(recipe, context.device, model))
    return {
        "diverged": history.outcome == "diverged",
        "history": history.as_outcome(),
        "training_seconds": sum(history.seconds),
        **experiments.classified(logits, test.labels, parts.test.classes),
    }


def _runs(
    parameters: LearningRateParameters, name: str, outcomes: Mapping[str, Outcome]
) -> dict[str, list[Outcome]]:
    found = {}
    for kind, rate in parameters.settings():
        runs = [
            outcomes[f"{name}/heads"]["runs"][f"{rate:g}/{seed}"]
            if kind == "head"
            else outcomes[f"{name}/finetune/{rate:g}/{seed}"]
            for seed in range(parameters.seeds)
        ]
        # outcomes that were kept without predictions have their courses beside them
        found[f"{kind}/{rate:g}"] = [{"history": run} | run for run in runs]
    return found


def _words(setting: str) -> str:
    kind, rate = setting.split("/")
    return f"{TITLES[kind].lower()} at {rate}"


@dataclass(frozen=True)
class Standing:
    """How the settings of one data set stand.

    ranking: by mean validation accuracy, the best first. best: by kind, its first in the ranking. correct: by
    setting, the share of its seeds that are right, image by image of the test. pairs, compared: the winner
    with the runner-up ("winner"), and the best of fine-tuning with that of the frozen backbone ("approach").
    """

    ranking: tuple[str, ...]
    best: dict[str, str]
    correct: dict[str, NDArray[Any]]
    pairs: dict[str, tuple[str, str]]
    compared: dict[str, Comparison]


def _standing(runs: Runs) -> Standing:
    correct = {setting: transfer.share_correct(found) for setting, found in runs.items()}
    validation = {
        setting: mean(run["history"]["validation_accuracy"][-1] for run in found)
        for setting, found in runs.items()
    }
    ranking = tuple(sorted(runs, key=lambda setting: -validation[setting]))
    best = {kind: next(one for one in ranking if one.startswith(kind)) for kind in TITLES}
    pairs = {"winner": (ranking[0], ranking[1]), "approach": (best["finetune"], best["head"])}
    return Standing(ranking, best, correct, pairs, transfer.compare(correct, pairs))


def _counts(first: Outcome) -> list[int]:
    """Training images of each class."""
    counts: list[int] = first.get("counts") or [
        first["labels"].count(kind) for kind in range(len(first["classes"]))
    ]
    return counts


def _data_metrics(prefix: str, name: str, first: Outcome) -> dict[str, Metric]:
    counts = _counts(first)
    metrics = {
        f"{prefix}data/{key}": Metric(value=value, title=f"{title}, {name}", unit=unit)
        for key, value, title, unit in (
            ("classes", len(counts), "Classes", "classes"),
            ("train", first["sizes"]["train"], "Training images", "images"),
            ("validation", first["sizes"]["validation"], "Validation images", "images"),
            ("test", first["sizes"]["test"], "Test images", "images"),
            ("smallest_class", min(counts), "Training images of the smallest class", "images"),
            ("largest_class", max(counts), "Training images of the largest class", "images"),
            ("size", first["weights"]["size"], "Height and width of the images", "pixels"),
        )
    }
    metrics[f"{prefix}head/training_seconds"] = Metric(
        value=first["training_seconds"], title=f"Training of all last layers, {name}", unit="seconds"
    )
    if "black_bordered" in first:
        metrics[f"{prefix}data/black_bordered"] = Metric(
            value=first["black_bordered"],
            title=f"Share of the training images with a black border of an eighth or more, {name}",
            unit=FRACTION,
        )
    return metrics | transfer.duplicate_metrics(first, prefix)


def _metrics(prefix: str, name: str, runs: Runs, standing: Standing) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for setting, found in runs.items():
        words = f"{_words(setting)}, {name}"
        metrics[f"{prefix}{setting}/test_accuracy"] = transfer.accuracy(standing.correct[setting], words)
        for part, title in (("validation", "Validation"), ("train", "Training")):
            metrics[f"{prefix}{setting}/{part}_accuracy"] = experiments.at_the_end(
                found, f"{part}_accuracy", f"{title} accuracy, {words}"
            )
    for kind, best in standing.best.items():
        rates = sorted((one for one in runs if one.startswith(kind)), key=_rate)
        by_test = sorted(rates, key=lambda one: metrics[f"{prefix}{one}/test_accuracy"].value)
        chosen = {
            "best/test_accuracy": f"{best}/test_accuracy",
            "best/train_accuracy": f"{best}/train_accuracy",
            "smallest/train_accuracy": f"{rates[0]}/train_accuracy",
            "lowest_test_accuracy": f"{by_test[0]}/test_accuracy",
            "highest_test_accuracy": f"{by_test[-1]}/test_accuracy",
        }
        metrics |= {f"{prefix}{kind}/{key}": metrics[f"{prefix}{one}"] for key, one in chosen.items()}
        metrics[f"{prefix}{kind}/best_rate"] = Metric(
            value=_rate(best), title=f"Learning rate that validation chose, {TITLES[kind].lower()}, {name}"
        )
    winner = standing.ranking[0]
    metrics[f"{prefix}winner/test_accuracy"] = metrics[f"{prefix}{winner}/test_accuracy"]
    metrics[f"{prefix}winner/rate"] = Metric(value=_rate(winner), title=f"Learning rate of {_words(winner)}")
    titles = {setting: _words(setting) for setting in runs}
    return metrics | transfer.comparison_metrics(standing.compared, standing.pairs, titles, prefix)


def _rate(setting: str) -> float:
    return float(setting.split("/")[1])


def _findings(
    name: str, prefix: str, suffix: str, metrics: Mapping[str, Metric], runs: Runs, standing: Standing
) -> dict[str, Finding]:
    def value(metric: str) -> float:
        return metrics[f"{prefix}{metric}"].value

    finetune = sorted((one for one in runs if one.startswith("finetune")), key=_rate)
    tests = {one: value(f"{one}/test_accuracy") for one in runs}
    ranges = [f"{kind}/{end}_test_accuracy" for kind in TITLES for end in ("highest", "lowest")]
    approach = standing.compared["approach"].verdict
    stated = {
        "classes_are_balanced": (
            "The largest class has at most two training images more than the smallest",
            value("data/largest_class") - value("data/smallest_class") <= 2,
            ("data/smallest_class", "data/largest_class"),
        ),
        "finetuning_wins": (
            "The best on validation images is fine-tuned",
            standing.ranking[0].startswith("finetune"),
            ("winner/test_accuracy",),
        ),
        "winner_is_clear": (
            "The best on validation images is significantly more accurate on the test images than the second",
            standing.compared["winner"].verdict == "more",
            ("winner/gain",),
        ),
        "finetuning_beats_frozen": (
            "At their best rates, fine-tuning is significantly more accurate than the frozen backbone",
            approach == "more",
            ("approach/gain",),
        ),
        "frozen_beats_finetuning": (
            "At their best rates, the frozen backbone is significantly more accurate than fine-tuning",
            approach == "less",
            ("approach/gain",),
        ),
        "largest_finetune_rate_is_worst": (
            "Of the rates of fine-tuning, the largest has the lowest test accuracy",
            min(finetune, key=lambda one: tests[one]) == finetune[-1],
            tuple(f"{one}/test_accuracy" for one in finetune),
        ),
        "largest_finetune_rate_is_best": (
            "Of the rates of fine-tuning, the largest has the highest validation accuracy",
            standing.best["finetune"] == finetune[-1],
            ("finetune/best_rate",),
        ),
        "head_rate_matters_less": (
            "Test accuracy varies less over the rates of the last layer than over those of fine-tuning",
            value(ranges[2]) - value(ranges[3]) < value(ranges[0]) - value(ranges[1]),
            tuple(ranges),
        ),
        "smallest_head_rate_lags": (
            "At its smallest rate the last layer fits fewer of its training images than at its best",
            value("head/smallest/train_accuracy") < value("head/best/train_accuracy") - LAG,
            ("head/smallest/train_accuracy", "head/best/train_accuracy"),
        ),
        "smallest_finetune_rate_lags": (
            "At its smallest rate fine-tuning fits fewer of its training images than at its best",
            value("finetune/smallest/train_accuracy") < value("finetune/best/train_accuracy") - LAG,
            ("finetune/smallest/train_accuracy", "finetune/best/train_accuracy"),
        ),
        "best_finetuning_underfits": (
            "At their best rates, fine-tuning fits fewer of the training images than the frozen backbone",
            value("finetune/best/train_accuracy") < value("head/best/train_accuracy") - LAG,
            ("finetune/best/train_accuracy", "head/best/train_accuracy"),
        ),
        "best_finetuning_overfits": (
            "At its best rate, fine-tuning fits more of the training images than it classifies correctly of "
            "the test images, by more than a tenth",
            value("finetune/best/train_accuracy") > value("finetune/best/test_accuracy") + 0.1,
            ("finetune/best/train_accuracy", "finetune/best/test_accuracy"),
        ),
        "best_finetuning_flattens": (
            "At its best rate, the mean validation accuracy of fine-tuning changes by less than two points "
            "in the last third of the epochs",
            _flattens(runs[standing.best["finetune"]]),
            (),
        ),
        "no_run_diverged": (
            "No run diverged",
            not any(run["diverged"] for found in runs.values() for run in found),
            (),
        ),
    }
    second, gain = standing.ranking[1], f"{{{prefix}winner/gain:points ci unit}}"
    words = {"finetune": "fine-tuning", "head": "the frozen backbone"}[second.split("/")[0]]
    against = f"the setting with the second-highest validation accuracy, {words} at {_rate(second):g}"
    winner = standing.compared["winner"]
    return {
        f"{key}{suffix}": Finding(
            statement=f"{statement} ({name})",
            holds=holds,
            metrics=tuple(f"{prefix}{metric}" for metric in names),
        )
        for key, (statement, holds, names) in stated.items()
    } | {
        f"winner_over_second{suffix}": builders.comparison(
            f"The best on validation images is more accurate on the test images than the second ({name})",
            f"{prefix}winner/gain",
            winner.difference,
            adjusted_p=1.0 if winner.p is None else winner.p,
            more=f"On the test images, it is significantly more accurate than {against}, by {gain}.",
            less=f"On the test images, however, it is significantly less accurate than {against}: the "
            f"difference is {gain}.",
            same=f"On the test images, it does not differ significantly from {against}: the difference is "
            f"{gain}.",
        )
    }


def _flattens(runs: Sequence[Outcome]) -> bool:
    course, _, _ = experiments.mean_course(runs, "validation_accuracy")
    late = course[-max(2, len(course) // 3) :]
    return len(course) > 2 and max(late) - min(late) < 0.02


def _recipe_table(parameters: LearningRateParameters, outcomes: Mapping[str, Outcome]) -> Table:
    """What each approach was trained with, on every data set."""
    from lab.recipes import Recipe

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
            name: dict(experiments.recipe_rows(Recipe.of(parameters.recipe(kind, domain))))
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
        for found in _runs(parameters, name, outcomes).values()
        for run in found
        if "precision" in run["history"]
    }
    if precisions:
        beside[TITLES["finetune"]]["arithmetic"] = " or ".join(sorted(precisions))
        beside[TITLES["head"]]["arithmetic"] = "float32"
    table = experiments.recipe_table(recipes, beside)
    caption = "Hyper-parameters of fine-tuning and of training the last layer alone, on each data set."
    return table.model_copy(update={"caption": caption})


def _table(
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
    return builders.table(
        f"Accuracy (%) of fine-tuning and of a frozen backbone by learning rate, on the {name} ({sizes[0]:,} "
        f"training, {sizes[1]:,} validation and {sizes[2]:,} test images). Means over "
        f"{counted(parameters.seeds, 'seeds')}. The highest validation accuracy of each approach selects its "
        "setting.",
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
                "rate": _rate(setting),
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


def _class_chart(name: str, first: Outcome) -> Chart:
    names, counts = first["classes"], _counts(first)
    return builders.bars(
        f"Number of training images per class, {name} ({sum(counts):,} images of {len(names)} classes).",
        dict(zip(names, counts, strict=True)),
        builders.integer("Images"),
        x="Class",
    )


def _course_chart(name: str, runs: Runs, standing: Standing, parameters: LearningRateParameters) -> Panels:
    """Validation accuracy by epoch, a panel for each approach; the same rate has the same colour in both."""
    quantity = builders.percent("Validation accuracy")
    panels = []
    for kind, title in TITLES.items():
        chart = builders.curves(
            "",
            {
                f"{_rate(setting):g}": [
                    history["validation_accuracy"] for history in experiments.histories(runs[setting])
                ]
                for setting in sorted(runs, key=_rate)
                if setting.startswith(kind)
            },
            quantity,
            bands=False,
        )
        panels.append(Panel(kind="line", title=title, x=chart.x, y=chart.y, series=chart.series))
    best = [f"{_words(one)} ({_rate(one):g})" for one in standing.best.values()]
    return Panels(
        caption=f"Validation accuracy by epoch on the {name}, for each learning rate of fine-tuning "
        f"({counted(parameters.finetune_epochs, 'epochs')}) and of a frozen backbone "
        f"({counted(parameters.head_epochs, 'epochs')}). Lines are means over "
        f"{counted(parameters.seeds, 'seeds')}.",
        alt=f"Validation accuracy by epoch in two panels; the best rates are {' and '.join(best)}.",
        panels=tuple(panels),
        share_y=True,
    )


def _samples(domain: Domain) -> Pictures:
    """Two training images of each of the first two classes."""
    from analyses.pictures import samples
    from lab.datasets import short_title

    images = transfer.load(domain).train
    classes = images.classes[:2]
    return Pictures(
        caption=f"Two training images of each of the first two classes of {short_title(domain.name)}, at the "
        "size at which the network is given them.",
        alt=f"Four images: two of {classes[0]}, two of {classes[1]}.",
        columns=4,
        pictures=tuple(samples(images, classes, 2)),
    )


analysis = LearningRates()

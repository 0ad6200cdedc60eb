"""transfer.learning_rates: fine-tune or freeze, and at which learning rate?

After an exercise on the Visual Decathlon (Rebuffi et al. 2017): a pre-trained network gets a new last layer;
all layers are trained at three rates, or the last one alone at four. By protocol ResNet-50 and 60 epochs. The
last layer's runs are of kept features, all at once, and follow the protocol's epochs; fine-tuning has a
budget of its own, which the result names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Annotated, Any

from pydantic import Field

from analyses import experiments
from analyses.experiments import FRACTION
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.transfer import _transfer as transfer
from analyses.transfer._transfer import Domain
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

Rate = Annotated[float, Field(gt=0, le=1_000)]
TITLES = {"finetune": "All layers", "head": "Last layer"}


class LearningRateParameters(Parameters):
    """domains: the first one's metrics have no prefix, those of the others begin with their name. Rates decay
    by a tenth after each quarter of the epochs (60: at 15, 30 and 45). weights, architecture: as
    lab.weights.load has them.
    """

    domains: dict[str, Domain] = Field(
        default={
            "textures": Domain(name="dtd10", size=128),
            "signs": Domain(
                name="gtsrb",
                split="train",
                test_split="test",
                tracks=True,
                images=1_000,
                mirror=False,
                size=64,
            ),
        },
        min_length=1,
    )
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    finetune_rates: tuple[Rate, ...] = Field((0.001, 0.01, 0.1), min_length=1)
    head_rates: tuple[Rate, ...] = Field((1.0, 0.1, 0.01, 0.001), min_length=1)
    head_epochs: int = Field(60, ge=4)
    finetune_epochs: int = Field(6, ge=1)
    batch: int = Field(64, ge=1)
    momentum: float = Field(0.9, ge=0, lt=1)
    seeds: int = Field(3, ge=1)

    def settings(self) -> list[tuple[str, float]]:
        """Kind and rate of every setting that is compared."""
        return [("finetune", rate) for rate in self.finetune_rates] + [
            ("head", rate) for rate in self.head_rates
        ]

    def recipe(self, kind: str, rate: float, domain: Domain) -> dict[str, Any]:
        epochs = self.head_epochs if kind == "head" else self.finetune_epochs
        milestones = tuple(dict.fromkeys(epoch for n in (1, 2, 3) if (epoch := epochs * n // 4)))
        return {
            "epochs": epochs,
            "batch": self.batch,
            "optimizer": "sgd",
            "learning_rate": rate,
            "momentum": self.momentum,
            "nesterov": False,
            "schedule": "multistep",
            "milestones": milestones,
            "augmentation": {"flip": "random"} if domain.mirror else {},
        }


class LearningRates(Analysis[LearningRateParameters]):
    id = "transfer.learning_rates"
    title = "Fine-tune or freeze, and at which learning rate"
    question = "When is it better to train all layers of a pre-trained network, and how fast?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> LearningRateParameters:
        if profile == "quick":
            return LearningRateParameters(
                domains={"digits": Domain(name="digits", split="train", images=300, mirror=False, size=32)},
                finetune_epochs=2,
                seeds=2,
            )
        return LearningRateParameters()

    def datasets(self, parameters: LearningRateParameters) -> tuple[str, ...]:
        return tuple(dict.fromkeys(domain.name for domain in parameters.domains.values()))

    def plan(self, parameters: LearningRateParameters) -> list[Cell]:
        from lab.recipes import Recipe

        cells = []
        for name, domain in parameters.domains.items():
            common = {
                "domain": domain.model_dump(mode="json", exclude_defaults=True),
                "weights": parameters.weights,
                "architecture": parameters.architecture,
                "download": parameters.download,
            }

            def recipe(kind: str, rate: float, domain: Domain = domain) -> dict[str, Any]:
                return Recipe.of(parameters.recipe(kind, rate, domain)).as_settings()

            heads = {
                "rates": list(parameters.head_rates),
                "seeds": list(range(parameters.seeds)),
                "recipe": recipe("head", 1.0),
            }
            cells.append(Cell(f"{name}/heads", common | heads))
            for rate in parameters.finetune_rates:
                for seed in range(parameters.seeds):
                    settings = common | {"recipe": recipe("finetune", rate)}
                    cells.append(Cell(f"{name}/finetune/{rate:g}/{seed}", settings, seed))
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        from lab import weights

        settings = cell.settings
        domain = Domain.model_validate(settings["domain"])
        parts = transfer.load(domain)
        network = weights.load(
            settings["weights"],
            settings["architecture"],
            size=domain.size,
            download=settings["download"],
        )
        told: Outcome = {
            "weights": weights.describe(network),
            "classes": list(parts.train.classes),
            "sizes": {name: len(part) for name, part in parts._asdict().items()},
            "labels": parts.train.labels.tolist(),
        }
        if "rates" in settings:
            return told | _heads(settings, context, network, parts, domain)
        return told | _finetuned(cell, context, network, parts)

    def summarize(self, parameters: LearningRateParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        metrics: dict[str, Metric] = {}
        tables: dict[str, Table] = {}
        figures: dict[str, Chart] = {}
        findings: dict[str, Finding] = {}
        for number, (name, domain) in enumerate(parameters.domains.items()):
            prefix, mark = (f"{name}/", f"_{name}") if number else ("", "")
            runs = _runs(parameters, name, outcomes)
            first = outcomes[f"{name}/heads"]
            metrics |= _metrics(prefix, name, runs, first)
            ranking = sorted(runs, key=lambda one: -metrics[f"{prefix}{one}/validation_accuracy"].value)
            metrics |= _winner(prefix, runs, ranking)
            findings |= _findings(name, prefix, mark, metrics, runs, ranking, parameters)
            tables[f"results{mark}"] = _table(name, prefix, metrics, runs, ranking, parameters, domain)
            figures[f"classes{mark}"] = _class_chart(name, first)
            figures[f"courses{mark}"] = _course_chart(name, runs, ranking)
        for kind, epochs in (("finetune", parameters.finetune_epochs), ("head", parameters.head_epochs)):
            metrics[f"{kind}/epochs"] = Metric(
                value=epochs, title=f"Epochs: {TITLES[kind].lower()}", unit="epochs"
            )
        tables["recipe"] = experiments.recipe_table(
            {
                TITLES[kind]: parameters.recipe(kind, rate, next(iter(parameters.domains.values())))
                for kind, rate in reversed(parameters.settings())
            }
        )
        weights = next(iter(outcomes.values()))["weights"]
        return Summary(
            metrics=metrics,
            tables=tables,
            figures=figures,
            findings=findings,
            note=f"Weights: {weights['source']} ({weights['architecture']}), SHA-256 {weights['sha256']}. "
            f"Fine-tuning had {parameters.finetune_epochs} epochs, the last layer {parameters.head_epochs}.",
        )


def _heads(
    settings: Mapping[str, Any], context: Context, network: Any, parts: transfer.Parts, domain: Domain
) -> Outcome:
    """Every rate and seed of the last layer at once, on kept features."""
    import time

    import torch

    from lab.heads import fit_heads
    from lab.recipes import Recipe

    started = time.perf_counter()
    views = [
        transfer.kept_features(network, parts.train.images, mirrored=mirrored, device=context.device)
        for mirrored in ((False, True) if domain.mirror else (False,))
    ]
    judged = {
        name: (
            transfer.kept_features(network, part.images, device=context.device),
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
        {"validation": judged["validation"]},
        report=context.report,
    )
    inputs, labels = judged["test"]
    runs = {}
    for s, row in enumerate(heads.courses):
        for r, course in enumerate(row):
            right = (inputs @ heads.weight[s, r].T + heads.bias[s, r]).argmax(1) == labels
            runs[f"{course.learning_rate:g}/{course.seed}"] = {
                "diverged": course.diverged,
                "train_accuracy": course.accuracy["train"],
                "validation_accuracy": course.accuracy["validation"],
                "right": "".join("01"[int(one)] for one in right.tolist()),
            }
    return {
        "runs": runs,
        "feature_seconds": extracted,
        "training_seconds": time.perf_counter() - started,
        "diverged": any(one["diverged"] for one in runs.values()),
    }


def _finetuned(cell: Cell, context: Context, network: Any, parts: transfer.Parts) -> Outcome:
    """All layers at one rate from one seed."""
    import torch

    from lab.recipes import Recipe
    from lab.training import Data, Images, fit, precision_of, predict
    from lab.weights import with_head

    seed = cell.seed or 0
    model = with_head(network.model, len(parts.train.classes), seed)
    placed = [Images.of(part.images, part.labels, context.device) for part in parts]
    data = Data(placed[0], network.mean, network.std, placed[1])
    recipe = Recipe.of(cell.settings["recipe"])
    history = fit(
        model,
        data,
        recipe,
        seed=seed,
        checkpoint=context.scratch / "checkpoint.pt",
        report=context.report,
    )
    logits = predict(model, placed[2].images, data, precision_of(recipe, context.device, model))
    right = (logits.argmax(1) == placed[2].labels) & torch.isfinite(logits).all(1)
    return {
        "diverged": history.outcome == "diverged",
        "train_accuracy": history.train_accuracy,
        "validation_accuracy": history.validation_accuracy,
        "training_seconds": sum(history.seconds),
        "right": "".join("01"[int(one)] for one in right.tolist()),
    }


def _runs(
    parameters: LearningRateParameters, name: str, outcomes: Mapping[str, Outcome]
) -> dict[str, list[Outcome]]:
    """ "finetune/0.01" → its outcomes by seed, and so for every setting."""
    found = {}
    for kind, rate in parameters.settings():
        found[f"{kind}/{rate:g}"] = [
            outcomes[f"{name}/heads"]["runs"][f"{rate:g}/{seed}"]
            if kind == "head"
            else outcomes[f"{name}/finetune/{rate:g}/{seed}"]
            for seed in range(parameters.seeds)
        ]
    return found


def _said(setting: str) -> str:
    kind, rate = setting.split("/")
    return f"{TITLES[kind].lower()} at {rate}"


def _share_right(run: Outcome) -> float:
    return mean(one == "1" for one in run["right"])


def _metrics(
    prefix: str, name: str, runs: Mapping[str, Sequence[Outcome]], first: Outcome
) -> dict[str, Metric]:
    counts = [first["labels"].count(kind) for kind in range(len(first["classes"]))]
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
    for setting, found in runs.items():
        numbers = [
            {
                "test": _share_right(run),
                "validation": run["validation_accuracy"][-1],
                "train": run["train_accuracy"][-1],
            }
            for run in found
        ]
        for part, title in (("test", "Test"), ("validation", "Validation"), ("train", "Training")):
            metrics[f"{prefix}{setting}/{part}_accuracy"] = experiments.over_seeds(
                numbers, part, f"{title} accuracy, {_said(setting)}, {name}"
            )
    return metrics


def _winner(prefix: str, runs: Mapping[str, Sequence[Outcome]], ranking: Sequence[str]) -> dict[str, Metric]:
    """The setting that is best on the validation images, and how it compares with the next on the test
    images: intervals are over these."""
    import numpy as np

    from lab.evaluation import bootstrap

    best, second = (
        np.mean([[one == "1" for one in run["right"]] for run in runs[setting]], axis=0)
        for setting in ranking[:2]
    )
    kind, rate = ranking[0].split("/")
    return {
        f"{prefix}winner/test_accuracy": experiments.metric(
            bootstrap(best, np.mean), f"Test accuracy of {_said(ranking[0])}, the best on validation images"
        ),
        f"{prefix}winner/gain": experiments.metric(
            bootstrap(best - second, np.mean), f"Its test accuracy, less that of {_said(ranking[1])}"
        ),
        f"{prefix}winner/rate": Metric(
            value=float(rate), title=f"Its learning rate ({TITLES[kind].lower()})"
        ),
    }


def _findings(
    name: str,
    prefix: str,
    mark: str,
    metrics: Mapping[str, Metric],
    runs: Mapping[str, Sequence[Outcome]],
    ranking: Sequence[str],
    parameters: LearningRateParameters,
) -> dict[str, Finding]:
    def best_of(kind: str) -> str:
        return next(setting for setting in ranking if setting.startswith(kind))

    def accuracy(setting: str, part: str = "test") -> float:
        return metrics[f"{prefix}{setting}/{part}_accuracy"].value

    gain = metrics[f"{prefix}winner/gain"]
    finetune = [f"finetune/{rate:g}" for rate in sorted(parameters.finetune_rates)]
    head = [f"head/{rate:g}" for rate in sorted(parameters.head_rates)]
    best_finetune, best_head = best_of("finetune"), best_of("head")
    said = {
        "finetuning_wins": (
            "The best on validation images trains all layers",
            ranking[0].startswith("finetune"),
            ("winner/test_accuracy",),
        ),
        "winner_is_clear": (
            "The winner's lead over the runner-up on the test images has an interval above zero",
            gain.low is not None and gain.low > 0,
            ("winner/gain",),
        ),
        "runner_up_finetunes": (
            "The runner-up trains all layers",
            ranking[1].startswith("finetune"),
            ("winner/gain",),
        ),
        "largest_finetune_rate_is_worst": (
            "Of the rates for all layers, the largest gives the lowest test accuracy",
            min(finetune, key=accuracy) == finetune[-1],
            tuple(f"{one}/test_accuracy" for one in finetune),
        ),
        "smallest_head_rate_lags": (
            "At the smallest rate the last layer has not even learnt its training images as the best has",
            accuracy(head[0], "train") < accuracy(best_head, "train") - 0.02,
            (f"{head[0]}/train_accuracy", f"{best_head}/train_accuracy"),
        ),
        "smallest_finetune_rate_lags": (
            "At the smallest rate all layers have not even learnt their training images as at the best",
            accuracy(finetune[0], "train") < accuracy(best_finetune, "train") - 0.02,
            (f"{finetune[0]}/train_accuracy", f"{best_finetune}/train_accuracy"),
        ),
        "all_layers_beat_the_last": (
            "The best rate for all layers gives more than the best for the last layer",
            accuracy(best_finetune) > accuracy(best_head),
            (f"{best_finetune}/test_accuracy", f"{best_head}/test_accuracy"),
        ),
        "no_run_diverged": (
            "No run diverged",
            not any(run["diverged"] for found in runs.values() for run in found),
            (),
        ),
    }
    return {
        f"{key}{mark}": Finding(
            statement=f"{statement} ({name})",
            holds=holds,
            metrics=tuple(f"{prefix}{metric}" for metric in names),
        )
        for key, (statement, holds, names) in said.items()
    }


def _table(
    name: str,
    prefix: str,
    metrics: Mapping[str, Metric],
    runs: Mapping[str, Sequence[Outcome]],
    ranking: Sequence[str],
    parameters: LearningRateParameters,
    domain: Domain,
) -> Table:
    rows = []
    for setting, found in runs.items():
        kind, rate = setting.split("/")
        test = metrics[f"{prefix}{setting}/test_accuracy"]
        diverged = sum(run["diverged"] for run in found)
        rows.append(
            Row(
                cells={
                    "trained": TITLES[kind],
                    "rate": float(rate),
                    "train": metrics[f"{prefix}{setting}/train_accuracy"].value,
                    "validation": metrics[f"{prefix}{setting}/validation_accuracy"].value,
                    "test": test.value,
                    "low": test.low,
                    "high": test.high,
                    "diverged": diverged,
                    "rank": ranking.index(setting) + 1,
                }
            )
        )
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    return Table(
        caption=f"Accuracy by what is trained and its learning rate: {name}.",
        columns=(
            Column(key="trained", label="Trained"),
            Column(key="rate", label="Rate", type="number", format="g"),
            Column(key="train", label="Train", **number),
            Column(key="validation", label="Validation", **number),
            Column(key="test", label="Test", **number),
            Column(key="low", label="95% from", **number),
            Column(key="high", label="to", **number),
            Column(key="diverged", label="Diverged", type="integer"),
            Column(key="rank", label="Rank", type="integer"),
        ),
        rows=tuple(rows),
        notes=(
            f"Number of seeds: {parameters.seeds}, over which the intervals are. All layers: "
            f"{parameters.finetune_epochs} epochs; last layer: {parameters.head_epochs}. Images of "
            f"{domain.size} × {domain.size} pixels. The rank is by validation accuracy. A run that diverged "
            "counts with what it reached.",
        ),
    )


def _class_chart(name: str, first: Outcome) -> Chart:
    names = first["classes"]
    counts = [first["labels"].count(kind) for kind in range(len(names))]
    return Chart(
        kind="bar",
        caption=f"Training images a class: {name}.",
        alt=f"Bars of the training images of {len(names)} classes, from {min(counts)} to {max(counts)}.",
        x=Axis(label="Class", categories=tuple(names)),
        y=Axis(label="Images"),
        series=(Series(label="Images", x=tuple(map(float, range(len(names)))), y=tuple(map(float, counts))),),
    )


def _course_chart(name: str, runs: Mapping[str, Sequence[Outcome]], ranking: Sequence[str]) -> Chart:
    series = []
    for setting in ranking:
        courses = [run["validation_accuracy"] for run in runs[setting]]
        length = min(map(len, courses))
        series.append(
            Series(
                label=_said(setting).capitalize(),
                x=tuple(float(epoch) for epoch in range(1, length + 1)),
                y=tuple(mean(course[epoch] for course in courses) for epoch in range(length)),
            )
        )
    ends = ", ".join(f"{one.label.lower()} {one.y[-1]:.3f}" for one in series)
    return Chart(
        kind="line",
        caption=f"Validation accuracy by epoch, means over the seeds, best first: {name}.",
        alt=f"Validation accuracy by epoch, ending at: {ends}.",
        x=Axis(label="Epoch", scale="log"),
        y=Axis(label="Accuracy", unit=FRACTION),
        series=tuple(series),
    )


analysis = LearningRates()

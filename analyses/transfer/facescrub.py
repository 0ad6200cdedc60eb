"""transfer.facescrub: which of nine people is it? From pixels, from kept features, and by fine-tuning.

After CSC321/411 (University of Toronto, 2017): 70 faces a person for training, the rest in two halves for
validation and test. A perceptron of 300 hidden units on 28×28 grey pixels (published: 0.80 to 0.85), a linear
layer on the activations of a middle convolution (AlexNet's conv4 by protocol), and the network fine-tuned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from analyses import experiments
from analyses.experiments import FRACTION
from analyses.pictures import signed
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.transfer._transfer import kept_features
from results.schema import Axis, Chart, Column, Finding, Metric, Picture, Pictures, Row, Series, Table

if TYPE_CHECKING:
    from lab.datasets import ImageSet

#: By architecture: the layer whose activations are kept, conv4 of AlexNet or what lies as deep elsewhere.
LAYERS = {"alexnet": "features.9", "tf_efficientnet_lite0": "blocks.4", "resnet18": "layer3"}
SHOWN = 2  # hidden units drawn of each perceptron


class FaceParameters(Parameters):
    """person: faces of each person that train. size: of the perceptron's grey images, view: of the network's,
    in pixels. hidden, penalty: widths of the perceptrons, and the decoupled decay of their penalised twins.
    weights, architecture: as lab.weights.load has them. layer: "" for that of LAYERS. rates: of the linear
    layer, of which validation chooses.
    """

    name: str = "facescrub9"
    split: str = "all"
    damaged: Literal["refuse", "skip"] = "refuse"
    person: int = Field(70, ge=2)
    split_seed: int = 0
    size: int = Field(28, ge=8)
    hidden: tuple[int, ...] = Field((300, 800), min_length=1)
    penalty: float = Field(1.0, gt=0)
    mlp_epochs: int = Field(100, ge=1)
    mirror: bool = True
    view: int = Field(128, ge=32)
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False
    layer: str = ""
    rates: tuple[float, ...] = Field((10.0, 1.0, 0.1), min_length=1)
    head_epochs: int = Field(60, ge=1)
    finetune_rate: float = Field(0.01, gt=0)
    finetune_epochs: int = Field(6, ge=1)
    seeds: int = Field(3, ge=1)
    published: float = 0.80

    def perceptrons(self) -> dict[str, tuple[int, float]]:
        """Name → hidden units and decay."""
        return {
            f"mlp{hidden}{suffix}": (hidden, decay)
            for hidden in self.hidden
            for suffix, decay in (("", 0.0), ("_l2", self.penalty))
        }

    def mlp_recipe(self, decay: float) -> dict[str, Any]:
        return {
            "epochs": self.mlp_epochs,
            "batch": 50,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": decay,
            "schedule": "cosine",
            "precision": "float32",
            "augmentation": {"flip": "random"} if self.mirror else {},
        }

    def head_recipe(self) -> dict[str, Any]:
        return {"epochs": self.head_epochs, "batch": 50, "nesterov": False, "schedule": "cosine"}

    def finetune_recipe(self) -> dict[str, Any]:
        return {
            "epochs": self.finetune_epochs,
            "batch": 50,
            "learning_rate": self.finetune_rate,
            "nesterov": False,
            "schedule": "cosine",
            "augmentation": {"flip": "random"} if self.mirror else {},
        }


class Facescrub(Analysis[FaceParameters]):
    id = "transfer.facescrub"
    title = "Nine people"
    question = "What do features learnt on other images bring to telling faces apart?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> FaceParameters:
        if profile == "quick":
            return FaceParameters(
                name="digits",
                split="train",
                person=20,
                size=16,
                hidden=(30, 80),
                mlp_epochs=10,
                mirror=False,
                view=32,
                head_epochs=10,
                finetune_epochs=1,
                seeds=2,
            )
        return FaceParameters()

    def datasets(self, parameters: FaceParameters) -> tuple[str, ...]:
        return (parameters.name,)

    def plan(self, parameters: FaceParameters) -> list[Cell]:
        from lab.recipes import Recipe

        data = parameters.model_dump(
            mode="json", include={"name", "split", "damaged", "person", "split_seed"}
        )
        network = parameters.model_dump(
            mode="json", include={"weights", "architecture", "download", "layer", "view"}
        )
        cells = []
        for name, (hidden, decay) in parameters.perceptrons().items():
            recipe = Recipe.of(parameters.mlp_recipe(decay)).as_settings()
            settings = data | {"kind": "mlp", "size": parameters.size, "hidden": hidden, "recipe": recipe}
            cells += [Cell(f"{name}/{seed}", settings, seed) for seed in range(parameters.seeds)]
        heads = {
            "kind": "head",
            "rates": list(parameters.rates),
            "seeds": list(range(parameters.seeds)),
            "recipe": Recipe.of(parameters.head_recipe()).as_settings(),
            "mirror": parameters.mirror,
        }
        cells.append(Cell("conv4", data | network | heads))
        recipe = Recipe.of(parameters.finetune_recipe()).as_settings()
        settings = data | network | {"kind": "finetune", "recipe": recipe}
        cells += [Cell(f"finetuned/{seed}", settings, seed) for seed in range(parameters.seeds)]
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        work = {"mlp": _perceptron, "head": _head, "finetune": _finetuned}[cell.settings["kind"]]
        return work(cell, context)

    def summarize(self, parameters: FaceParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = {name: experiments.of(outcomes, name) for name in parameters.perceptrons()}
        runs["finetuned"] = experiments.of(outcomes, "finetuned")
        head = outcomes["conv4"]
        rate = max(
            head["runs"], key=lambda one: mean(run["validation_accuracy"] for run in head["runs"][one])
        )
        runs["conv4"] = head["runs"][rate]
        metrics = _metrics(parameters, runs, outcomes, rate)
        first = f"mlp{parameters.hidden[0]}"
        figures: dict[str, Chart | Pictures] = {
            "loss": experiments.course(
                runs[first], "loss", "Loss of the perceptron on pixels, mean and range.", "the perceptron"
            ),
            "accuracy": experiments.course(
                runs[first], "accuracy", "Accuracy of the perceptron on pixels, mean and range.", "it"
            ),
            "worked": _worked_chart(runs["finetuned"][0]["worked"]),
        }
        if all("units" in run for name in parameters.perceptrons() for run in runs[name]):
            figures["units"] = _unit_pictures(parameters, runs)
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(metrics, parameters),
                "recipe": experiments.recipe_table(
                    {
                        "Perceptron": parameters.mlp_recipe(0.0),
                        "Linear layer": parameters.head_recipe() | {"learning_rate": float(rate)},
                        "All layers": parameters.finetune_recipe(),
                    },
                    {"Linear layer": {"augmentation": "mirrored (random)"}} if parameters.mirror else None,
                ),
            },
            figures=figures,
            findings=_findings(metrics, parameters, outcomes),
            note=f"Weights: {head['weights']['source']} ({head['weights']['architecture']}), SHA-256 "
            f"{head['weights']['sha256']}; kept activations: {head['layer']}."
            + (f" {head['checked']}." if head.get("checked") else ""),
        )


@lru_cache(maxsize=2)
def _parts(
    name: str, split: str, damaged: Literal["refuse", "skip"], person: int, seed: int, size: int, grey: bool
) -> tuple[ImageSet, ImageSet, ImageSet]:
    """Training, validation and test faces; the same people's files for every size."""
    import numpy as np

    from lab.datasets import DataError
    from lab.datasets import load as load_images

    images = load_images(name, split, size=(size, size), grey=grey, damaged=damaged)
    drawn = np.random.default_rng(seed)
    parts: list[list[int]] = [[], [], []]
    for kind, label in enumerate(images.classes):
        own = drawn.permutation(np.flatnonzero(images.labels == kind)).tolist()
        half = (len(own) - person) // 2
        if half < 1:
            raise DataError(
                f"{label} has {len(own)} images, too few for {person} to train with and one each to choose "
                "and to test by; ask for fewer with --set person=…"
            )
        for part, some in zip(
            parts, (own[:person], own[person : person + half], own[person + half :]), strict=True
        ):
            part += some
    return tuple(images.select(part) for part in parts)  # type: ignore[return-value]


def _of(settings: Mapping[str, Any], size: int, grey: bool) -> tuple[ImageSet, ImageSet, ImageSet]:
    names = ("name", "split", "damaged", "person", "split_seed")
    return _parts(*(settings[name] for name in names), size, grey)


def _bits(right: Any) -> str:
    return "".join("01"[int(one)] for one in right.tolist())


def _perceptron(cell: Cell, context: Context) -> Outcome:
    import torch

    from lab.networks.simple import MLP
    from lab.recipes import Recipe
    from lab.training import Data, Images, channel_statistics, fit, predict

    settings, seed = cell.settings, cell.seed or 0
    parts = _of(settings, settings["size"], grey=True)
    placed = [Images.of(part.images, part.labels, context.device) for part in parts]
    data = Data(placed[0], *channel_statistics(parts[0].images), placed[1])
    torch.manual_seed(seed)
    model = MLP(len(parts[0].classes), size=settings["size"], hidden=settings["hidden"])
    history = fit(
        model,
        data,
        Recipe.of(settings["recipe"]),
        seed=seed,
        checkpoint=context.scratch / "checkpoint.pt",
        report=context.report,
    )
    logits = predict(model, placed[2].images, data)
    weight = model.hidden.weight.detach().cpu().view(-1, settings["size"], settings["size"])
    steps = torch.cat([weight.diff(dim=axis).abs().flatten() for axis in (1, 2)])
    outcome: Outcome = {
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "train_accuracy": history.train_accuracy[-1],
        "validation_accuracy": history.validation_accuracy[-1],
        "right": _bits(logits.argmax(1) == placed[2].labels),
        "sizes": [len(part) for part in parts],
        "classes": list(parts[0].classes),
        "roughness": float(steps.mean() / weight.std()) if bool(weight.isfinite().all()) else 0.0,
    }
    if parts[0].redistributable and seed == 0:
        # those that say most for one class
        strongest = model.linear.weight.detach().cpu().abs().max(0).values.argsort(descending=True)[:SHOWN]
        outcome["units"] = [signed(weight[int(unit)]) for unit in strongest]
    elif parts[0].redistributable:
        outcome["units"] = []
    return outcome


def _network(settings: Mapping[str, Any]) -> Any:
    from lab import weights

    return weights.load(
        settings["weights"],
        settings["architecture"],
        size=settings["view"],
        download=settings["download"],
    )


def _head(cell: Cell, context: Context) -> Outcome:
    """A linear layer on kept activations, for every rate and seed at once."""
    import torch

    from lab import weights
    from lab.datasets import locate
    from lab.heads import fit_heads
    from lab.recipes import Recipe

    settings = cell.settings
    network = _network(settings)
    layer = settings["layer"] or LAYERS.get(network.architecture, "")
    parts = _of(settings, settings["view"], grey=False)

    def activations(part: ImageSet, mirrored: bool = False) -> Any:
        found = kept_features(network, part.images, layer, mirrored=mirrored, device=context.device)
        return found.flatten(1)

    views = [
        activations(parts[0], mirrored) for mirrored in ((False, True) if settings["mirror"] else (False,))
    ]
    centre, spread = views[0].mean(0), views[0].std(0).clamp(min=1e-3) * views[0].shape[1] ** 0.5
    inputs = [(view - centre) / spread for view in views]
    labels = [torch.from_numpy(part.labels) for part in parts]
    validation = (activations(parts[1]) - centre) / spread
    test = (activations(parts[2]) - centre) / spread
    heads = fit_heads(
        torch.stack(inputs),
        labels[0],
        len(parts[0].classes),
        Recipe.of(settings["recipe"]),
        settings["rates"],
        settings["seeds"],
        {"validation": (validation, labels[1])},
        report=context.report,
    )
    runs: dict[str, list[Outcome]] = {f"{rate:g}": [] for rate in settings["rates"]}
    for s, row in enumerate(heads.courses):
        for r, course in enumerate(row):
            said = (test @ heads.weight[s, r].T + heads.bias[s, r]).argmax(1)
            runs[f"{course.learning_rate:g}"].append(
                {
                    "train_accuracy": course.accuracy["train"][-1],
                    "validation_accuracy": course.accuracy["validation"][-1],
                    "right": _bits(said == labels[2]),
                }
            )
    return {
        "runs": runs,
        "diverged": any(course.diverged for row in heads.courses for course in row),
        "weights": weights.describe(network),
        "layer": layer or "what the last layer is given",
        "checked": locate(settings["name"]).release.checked(),
        "width": int(centre.numel()),
    }


def _finetuned(cell: Cell, context: Context) -> Outcome:
    import torch

    from lab.recipes import Recipe
    from lab.training import Data, Images, fit, precision_of, predict
    from lab.weights import with_head

    settings, seed = cell.settings, cell.seed or 0
    network = _network(settings)
    parts = _of(settings, settings["view"], grey=False)
    placed = [Images.of(part.images, part.labels, context.device) for part in parts]
    data = Data(placed[0], network.mean, network.std, placed[1])
    model = with_head(network.model, len(parts[0].classes), seed)
    recipe = Recipe.of(settings["recipe"])
    history = fit(
        model,
        data,
        recipe,
        seed=seed,
        checkpoint=context.scratch / "checkpoint.pt",
        report=context.report,
    )
    logits = predict(model, placed[2].images, data, precision_of(recipe, context.device, model))
    shares = logits[0].softmax(0).nan_to_num(0.0)
    return {
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "train_accuracy": history.train_accuracy[-1],
        "validation_accuracy": history.validation_accuracy[-1],
        "right": _bits((logits.argmax(1) == placed[2].labels) & torch.isfinite(logits).all(1)),
        "worked": {
            "file": parts[2].files[0],
            "truth": parts[2].classes[int(parts[2].labels[0])],
            "classes": list(parts[2].classes),
            "shares": shares.tolist(),
        },
    }


def _per_image(runs: Sequence[Outcome]) -> Any:
    """Share of the seeds that tell each test image right."""
    import numpy as np

    return np.mean([[one == "1" for one in run["right"]] for run in runs], axis=0)


def _titles(parameters: FaceParameters) -> dict[str, str]:
    said = {
        name: f"perceptron of {hidden} units on pixels" + (", with L2" if decay else "")
        for name, (hidden, decay) in parameters.perceptrons().items()
    }
    return said | {"conv4": "linear layer on kept activations", "finetuned": "all layers fine-tuned"}


def _metrics(
    parameters: FaceParameters,
    runs: Mapping[str, Sequence[Outcome]],
    outcomes: Mapping[str, Outcome],
    rate: str,
) -> dict[str, Metric]:
    import numpy as np

    from lab.evaluation import bootstrap

    first = f"mlp{parameters.hidden[0]}"
    sizes = runs[first][0]["sizes"]
    metrics = {
        f"data/{key}": Metric(value=value, title=title, unit=unit)
        for key, value, title, unit in (
            ("classes", len(runs[first][0]["classes"]), "People", "classes"),
            ("train", sizes[0], "Training images", "images"),
            ("validation", sizes[1], "Validation images", "images"),
            ("test", sizes[2], "Test images", "images"),
            ("person", parameters.person, "Training images of each person", "images"),
            ("seeds", parameters.seeds, "Networks of each kind", "networks"),
        )
    }
    metrics["conv4/width"] = Metric(value=outcomes["conv4"]["width"], title="Kept activations of an image")
    metrics["conv4/rate"] = Metric(value=float(rate), title="Learning rate that validation chose")
    correct = {name: _per_image(found) for name, found in runs.items()}
    for name, title in _titles(parameters).items():
        metrics[f"{name}/test_accuracy"] = experiments.metric(
            bootstrap(correct[name], np.mean), f"Test accuracy, {title}"
        )
        for part in ("train", "validation"):
            metrics[f"{name}/{part}_accuracy"] = experiments.over_seeds(
                runs[name], f"{part}_accuracy", f"{part.capitalize()} accuracy, {title}"
            )
    for name in parameters.perceptrons():
        metrics[f"{name}/roughness"] = experiments.over_seeds(
            runs[name],
            "roughness",
            f"Mean difference of neighbouring weights ÷ their deviation, {_titles(parameters)[name]}",
            "",
        )
    pairs = {"conv4": first, "finetuned": "conv4"}
    pairs |= {f"{first}_l2": first}
    pairs |= {f"mlp{hidden}": first for hidden in parameters.hidden[1:]}
    for name, other in pairs.items():
        metrics[f"{name}/gain"] = experiments.metric(
            bootstrap(correct[name] - correct[other], np.mean),
            f"Test accuracy, {_titles(parameters)[name]}, less that of the {_titles(parameters)[other]}",
        )
    return metrics


def _findings(
    metrics: Mapping[str, Metric], parameters: FaceParameters, outcomes: Mapping[str, Outcome]
) -> dict[str, Finding]:
    first, wide = f"mlp{parameters.hidden[0]}", f"mlp{parameters.hidden[-1]}"

    def clear(name: str) -> bool:
        return experiments.verdict(metrics[f"{name}/gain"]) == "helps"

    return {
        "published_reached": Finding(
            statement="The perceptron on pixels reaches the published accuracy",
            holds=metrics[f"{first}/test_accuracy"].value >= parameters.published,
            metrics=(f"{first}/test_accuracy",),
        ),
        "features_beat_pixels": Finding(
            statement="Kept activations give more than pixels, with an interval above zero",
            holds=clear("conv4"),
            metrics=("conv4/gain",),
        ),
        "finetuning_beats_features": Finding(
            statement="Fine-tuning gives more than kept activations, with an interval above zero",
            holds=clear("finetuned"),
            metrics=("finetuned/gain",),
        ),
        "features_beat_finetuning": Finding(
            statement="Kept activations give more than fine-tuning, with an interval above zero",
            holds=experiments.verdict(metrics["finetuned/gain"]) == "hurts",
            metrics=("finetuned/gain",),
        ),
        "penalty_decides": Finding(
            statement="The penalty changes the perceptron's test accuracy, with an interval without zero",
            holds=experiments.verdict(metrics[f"{first}_l2/gain"]) != "undecided",
            metrics=(f"{first}_l2/gain",),
        ),
        "penalty_smooths": Finding(
            statement="With the penalty the weights of the hidden units are smoother",
            holds=metrics[f"{first}_l2/roughness"].value < metrics[f"{first}/roughness"].value,
            metrics=(f"{first}/roughness", f"{first}_l2/roughness"),
        ),
        "width_decides": Finding(
            statement="More hidden units change the test accuracy, with an interval without zero",
            holds=wide != first and experiments.verdict(metrics[f"{wide}/gain"]) != "undecided",
            metrics=(f"{wide}/gain",) if wide != first else (f"{first}/test_accuracy",),
        ),
        "no_run_diverged": experiments.none_diverged(outcomes),
    }


def _table(metrics: Mapping[str, Metric], parameters: FaceParameters) -> Table:
    rows = []
    for name, title in _titles(parameters).items():
        test = metrics[f"{name}/test_accuracy"]
        rows.append(
            Row(
                cells={
                    "what": title[:1].upper() + title[1:],
                    "train": metrics[f"{name}/train_accuracy"].value,
                    "validation": metrics[f"{name}/validation_accuracy"].value,
                    "test": test.value,
                    "low": test.low,
                    "high": test.high,
                }
            )
        )
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    return Table(
        caption="Telling people apart: from pixels, from kept activations, and with all layers fine-tuned.",
        columns=(
            Column(key="what", label="Classifier"),
            Column(key="train", label="Train", **number),
            Column(key="validation", label="Validation", **number),
            Column(key="test", label="Test", **number),
            Column(key="low", label="95% from", **number),
            Column(key="high", label="to", **number),
        ),
        rows=tuple(rows),
        notes=(
            f"Means over {parameters.seeds} seeds; intervals are over the test images. All layers were "
            f"fine-tuned for {parameters.finetune_epochs} epochs.",
        ),
    )


def _worked_chart(worked: Mapping[str, Any]) -> Chart:
    order = sorted(range(len(worked["classes"])), key=lambda kind: -worked["shares"][kind])
    names = [worked["classes"][kind].replace("_", " ") for kind in order]
    shares = [worked["shares"][kind] for kind in order]
    truth = worked["truth"].replace("_", " ")
    return Chart(
        kind="bar",
        caption=f"One prediction of the fine-tuned network: {worked['file']}, in truth {truth}.",
        alt=f"Bars of the probabilities of {len(names)} classes, the highest {names[0]} with "
        f"{shares[0]:.3f}; in truth {truth}.",
        x=Axis(label="Class", categories=tuple(names)),
        y=Axis(label="Probability", unit=FRACTION),
        series=(Series(label="Probability", x=tuple(map(float, range(len(names)))), y=tuple(shares)),),
    )


def _unit_pictures(parameters: FaceParameters, runs: Mapping[str, Sequence[Outcome]]) -> Pictures:
    titles = _titles(parameters)
    return Pictures(
        caption="Weights of hidden units that say most for one class; mid-grey is zero.",
        alt=f"{SHOWN} hidden units of each perceptron as grey pictures.",
        columns=SHOWN * 2,
        pictures=tuple(
            Picture(title=titles[name].removesuffix(" on pixels"), png=png)
            for name in parameters.perceptrons()
            for png in runs[name][0]["units"]
        ),
    )


analysis = Facescrub()

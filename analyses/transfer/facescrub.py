"""transfer.facescrub: which of nine people is it? From pixels, from kept features, and by fine-tuning.

After CSC321/411 (University of Toronto, 2017): 70 faces a person for training, the rest in two halves for
validation and test. A perceptron of 300 hidden units on 28×28 grey pixels (published: 0.80 to 0.85), a linear
layer on the activations of a middle convolution (AlexNet's conv4 by protocol), and the network fine-tuned
(expected: 0.95 or more). Cells run in this order: those of seconds, then fine-tuning seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from analyses import experiments
from analyses.experiments import Comparison
from analyses.interpretation._interpretation import NAMES
from analyses.pictures import shown, signed
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.transfer import _transfer as transfer
from results import builders
from results.schema import Figure, Finding, Metric, Picture, Pictures, Table
from results.text import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from lab.datasets import ImageSet
    from lab.heads import Heads
    from lab.recipes import Recipe

#: By architecture: the layer whose activations are kept, conv4 of AlexNet or what lies as deep elsewhere.
LAYERS = {"alexnet": "features.9", "tf_efficientnet_lite0": "blocks.4", "resnet18": "layer3"}
SHOWN = 2  # hidden units drawn of each perceptron
UNIT_COLUMNS = 8  # of them beside each other
OVERFITTED = 0.05  # of a training accuracy above the validation accuracy


class FaceParameters(Parameters):
    """person: faces of each person that train. duplicates: the similarity from which on two images are in one
    part, as lab.datasets.duplicates has it; None: near-duplicates are not looked for. size: of the
    perceptron's grey images, view: of the network's, in pixels. hidden, penalty: widths of the perceptrons,
    and the decoupled decay of their penalised twins. weights, architecture: as lab.weights.load has them.
    layer: "" for that of LAYERS. rates: of the linear layer, of which validation chooses.
    """

    name: str = "facescrub9"
    split: str = "all"
    damaged: Literal["refuse", "skip"] = "refuse"
    person: int = Field(70, ge=2)
    split_seed: int = 0
    duplicates: float | None = Field(0.85, gt=0, le=1)
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
    finetune_epochs: int = Field(60, ge=1)
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
    question = "What do features learned on other images bring to telling faces apart?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> FaceParameters:
        if profile == "quick":
            return FaceParameters(
                name="digits",
                split="train",
                person=20,
                duplicates=None,  # at 8 × 8 pixels every digit is like many others
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
            mode="json", include={"name", "split", "damaged", "person", "split_seed", "duplicates"}
        )
        network = parameters.model_dump(
            mode="json", include={"weights", "architecture", "download", "layer", "view"}
        )
        heads = {
            "kind": "head",
            "rates": list(parameters.rates),
            "seeds": list(range(parameters.seeds)),
            "recipe": Recipe.of(parameters.head_recipe()).as_settings(),
            "mirror": parameters.mirror,
        }
        cells = [Cell("conv4", data | network | heads)]
        for name, (hidden, decay) in parameters.perceptrons().items():
            recipe = Recipe.of(parameters.mlp_recipe(decay)).as_settings()
            settings = data | {"kind": "mlp", "size": parameters.size, "hidden": hidden, "recipe": recipe}
            cells += [Cell(f"{name}/{seed}", settings, seed) for seed in range(parameters.seeds)]
        recipe = Recipe.of(parameters.finetune_recipe()).as_settings()
        settings = data | network | {"kind": "finetune", "recipe": recipe}
        cells += [Cell(f"finetuned/{seed}", settings, seed) for seed in range(parameters.seeds)]
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        work = {"mlp": perceptron, "head": _head, "finetune": _finetuned}[cell.settings["kind"]]
        return work(cell, context)

    def summarize(self, parameters: FaceParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = {name: experiments.of(outcomes, name) for name in parameters.perceptrons()}
        runs["finetuned"] = experiments.of(outcomes, "finetuned")
        head = outcomes["conv4"]
        runs["conv4"] = head["runs"][_best_rate(head)]
        correct = {name: transfer.share_correct(found) for name, found in runs.items()}
        pairs = _pairs(parameters)
        compared = transfer.compare(correct, pairs)
        titles = _titles(parameters)
        metrics = _metrics(parameters, runs, head, correct)
        metrics |= transfer.comparison_metrics(compared, pairs, titles)
        first = f"mlp{parameters.hidden[0]}"
        worked = _worked(runs["finetuned"][0])
        metrics |= _worked_metrics(worked)
        figures: dict[str, Figure] = {
            "curves": builders.learning_curves(
                f"Loss and accuracy by epoch of a perceptron with {parameters.hidden[0]} hidden units on the "
                "pixels of faces. Training values are running means over each epoch.",
                experiments.histories(runs[first]),
            ),
        }
        if all("units" in runs[name][0] for name in parameters.perceptrons()):
            figures["units"] = unit_pictures(
                parameters, {name: runs[name][0]["units"] for name in parameters.perceptrons()}
            )
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(metrics, parameters),
                "comparisons": transfer.comparison_table(
                    f"Classifiers compared on the {metrics['data/test'].value} test images.",
                    compared,
                    pairs,
                    {name: title[:1].upper() + title[1:] for name, title in titles.items()},
                ),
                "recipe": _recipe_table(parameters, runs, head),
                "worked": _worked_table(worked),
            },
            figures=figures,
            findings=_findings(metrics, parameters, outcomes, compared, worked),
            note=f"Weights: {head['weights']['source']} ({head['weights']['architecture']}), SHA-256 "
            f"{head['weights']['sha256']}; kept activations: {head['layer']}."
            + (f" {head['checked']}." if head.get("checked") else ""),
        )

    def media(self, parameters: FaceParameters, outcomes: Mapping[str, Outcome]) -> Mapping[str, Figure]:
        run = outcomes.get("finetuned/0")
        return {"worked": _worked_pictures(parameters, _worked(run))} if run else {}


class Faces(NamedTuple):
    train: ImageSet
    validation: ImageSet
    test: ImageSet


@lru_cache(maxsize=2)
def _faces(
    name: str,
    split: str,
    damaged: Literal["refuse", "skip"],
    person: int,
    seed: int,
    duplicates: float | None,
    size: int,
    grey: bool,
) -> tuple[Faces, Outcome]:
    """Training, validation and test faces, the same people's files for every size; and what an outcome keeps
    of near-duplicates.
    """
    import numpy as np

    from lab.datasets import DataError
    from lab.datasets import load as load_images
    from lab.datasets.splits import by_number

    images = load_images(name, split, size=(size, size), grey=grey, damaged=damaged)
    counts = [int((images.labels == kind).sum()) for kind in range(len(images.classes))]
    for label, count in zip(images.classes, counts, strict=True):
        if count < person + 2:
            raise DataError(
                f"{label} has {count} images, too few for {person} to train with and one each to choose "
                "and to test by; ask for fewer with --set person=…"
            )
    numbers = [
        {kind: part(count - person) for kind, count in enumerate(counts)}
        for part in (lambda rest: person, lambda rest: rest // 2, lambda rest: rest - rest // 2)
    ]
    groups = transfer.groups_of(name, (split,), damaged, duplicates) if duplicates else {}
    numbered = np.array([groups[image] for image in transfer.images_of(images)]) if groups else None
    parts = by_number(images.labels, numbers, seed, images.classes, numbered)
    faces = Faces(*(images.select(part) for part in parts))
    return faces, transfer.count_duplicates(groups, faces.train, faces.test) if groups else {}


def _of(settings: Mapping[str, Any], size: int, grey: bool) -> tuple[Faces, Outcome]:
    names = ("name", "split", "damaged", "person", "split_seed", "duplicates")
    return _faces(*(settings[name] for name in names), size, grey)


def perceptron(cell: Cell, context: Context) -> Outcome:
    """The classification record of a perceptron, and of the first seed two of its units, drawn."""
    import torch

    from lab.networks.simple import MLP
    from lab.recipes import Recipe
    from lab.training import channel_statistics

    settings, seed = cell.settings, cell.seed or 0
    faces, counted = _of(settings, settings["size"], grey=True)
    torch.manual_seed(seed)
    model = MLP(len(faces.train.classes), size=settings["size"], hidden=settings["hidden"])
    statistics = channel_statistics(faces.train.images)
    outcome, _ = _trained(model, faces, statistics, Recipe.of(settings["recipe"]), seed, context)
    state = {name: value.cpu() for name, value in model.state_dict().items()}
    weight = state["hidden.weight"].view(-1, settings["size"], settings["size"])
    steps = torch.cat([weight.diff(dim=axis).abs().flatten() for axis in (1, 2)])
    outcome |= counted | {
        "sizes": [len(part) for part in faces],
        "roughness": float(steps.mean() / weight.std()) if bool(weight.isfinite().all()) else 0.0,
    }
    if seed == 0:
        says = state["linear.weight"]  # (people, hidden)
        largest = weight.flatten(1).norm(dim=1).argsort(descending=True)[:SHOWN].tolist()
        people = [int(says[:, unit].abs().argmax()) for unit in largest]
        outcome["units"] = [
            {
                "png": signed(weight[unit]),
                "class": faces.train.classes[person],
                "for": bool(says[person, unit] > 0),
            }
            for unit, person in zip(largest, people, strict=True)
        ]
    return outcome


def _trained(
    model: nn.Module,
    faces: Faces,
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    recipe: Recipe,
    seed: int,
    context: Context,
) -> tuple[Outcome, Tensor]:
    """The classification record of the model after training, and its logits of the test faces."""
    from lab.training import Data, Images, fit, precision_of, predict

    train, validation, test = (Images.of(part.images, part.labels, context.device) for part in faces)
    data = Data(train, *statistics, validation, test)
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
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "train_accuracy": history.train_accuracy[-1],
        "validation_accuracy": history.validation_accuracy[-1],
        **experiments.classified(logits, test.labels, faces.test.classes),
    }, logits


def _network(settings: Mapping[str, Any]) -> Any:
    from lab import weights

    return weights.load(
        settings["weights"],
        settings["architecture"],
        size=settings["view"],
        download=settings["download"],
    )


class FixedFeatures(NamedTuple):
    """Standardised activations of a layer of a pretrained network, of the faces of each part."""

    network: Any
    layer: str
    faces: Faces
    train: Tensor  # (views, N, D)
    judged: dict[str, tuple[Tensor, Tensor]]  # by part: activations (N, D) and labels
    centre: Tensor
    spread: Tensor


def fixed_features(settings: Mapping[str, Any], context: Context) -> FixedFeatures:
    import torch

    from lab.features import cached_features

    network = _network(settings)
    layer = settings["layer"] or LAYERS.get(network.architecture, "")
    faces, _ = _of(settings, settings["view"], grey=False)

    def activations(part: ImageSet, mirrored: bool = False) -> Tensor:
        found = cached_features(network, part.images, layer, mirrored=mirrored, device=context.device)
        return found.flatten(1)

    views = [
        activations(faces.train, mirrored) for mirrored in ((False, True) if settings["mirror"] else (False,))
    ]
    centre, spread = views[0].mean(0), views[0].std(0).clamp(min=1e-3) * views[0].shape[1] ** 0.5
    judged = {
        name: ((activations(part) - centre) / spread, torch.from_numpy(part.labels))
        for name, part in (("validation", faces.validation), ("test", faces.test))
    }
    train = torch.stack([(view - centre) / spread for view in views])
    return FixedFeatures(network, layer, faces, train, judged, centre, spread)


def linear_layers(settings: Mapping[str, Any], fixed: FixedFeatures, context: Context) -> Heads:
    """A linear layer for every rate and seed at once."""
    import torch

    from lab.heads import fit_heads
    from lab.recipes import Recipe

    return fit_heads(
        fixed.train,
        torch.from_numpy(fixed.faces.train.labels),
        len(fixed.faces.train.classes),
        Recipe.of(settings["recipe"]),
        settings["rates"],
        settings["seeds"],
        fixed.judged,
        report=context.report,
    )


def _head(cell: Cell, context: Context) -> Outcome:
    """A linear layer on kept activations, for every rate and seed at once."""
    from lab import weights
    from lab.datasets import locate

    settings = cell.settings
    fixed = fixed_features(settings, context)
    heads = linear_layers(settings, fixed, context)
    runs: dict[str, list[Outcome]] = {f"{rate:g}": [] for rate in settings["rates"]}
    inputs, labels = fixed.judged["test"]
    for course, logits in heads.each(inputs):
        runs[f"{course.learning_rate:g}"].append(
            {
                "history": course.as_outcome(),
                "diverged": course.diverged,
                "train_accuracy": course.accuracy["train"][-1],
                "validation_accuracy": course.accuracy["validation"][-1],
                **experiments.classified(logits, labels, fixed.faces.test.classes),
            }
        )
    return {
        "runs": runs,
        "diverged": any(course.diverged for row in heads.courses for course in row),
        "weights": weights.describe(fixed.network),
        "layer": fixed.layer or "what the last layer is given",
        "checked": locate(settings["name"]).release.checked(),
        "width": int(fixed.centre.numel()),
    }


def _finetuned(cell: Cell, context: Context) -> Outcome:
    """All layers; with the first test face that is named right, and the first that is named wrong."""
    from lab.recipes import Recipe
    from lab.weights import with_head

    settings, seed = cell.settings, cell.seed or 0
    network = _network(settings)
    faces, _ = _of(settings, settings["view"], grey=False)
    model = with_head(network.model, len(faces.train.classes), seed)
    statistics = (network.mean, network.std)
    outcome, logits = _trained(model, faces, statistics, Recipe.of(settings["recipe"]), seed, context)
    labels, files, classes = faces.test.labels.tolist(), faces.test.files, faces.test.classes
    correct = [said == true for said, true in zip(logits.argmax(1).tolist(), labels, strict=True)]
    return outcome | {
        "worked": [
            {
                "file": files[face],
                "truth": classes[labels[face]],
                "classes": list(classes),
                "shares": logits[face].softmax(0).nan_to_num(0.0).tolist(),
            }
            for kind in (True, False)
            if kind in correct
            for face in [correct.index(kind)]
        ]
    }


def _titles(parameters: FaceParameters) -> dict[str, str]:
    said = {
        name: f"perceptron with {hidden} hidden units" + (" and L2 penalty" if decay else "")
        for name, (hidden, decay) in parameters.perceptrons().items()
    }
    return said | {"conv4": "linear layer on fixed features", "finetuned": "all layers fine-tuned"}


def _pairs(parameters: FaceParameters) -> dict[str, tuple[str, str]]:
    """Each classifier with the one that it is to improve on."""
    first = f"mlp{parameters.hidden[0]}"
    others = {"conv4": first, "finetuned": "conv4", f"{first}_l2": first}
    others |= {f"mlp{hidden}": first for hidden in parameters.hidden[1:]}
    return {name: (name, other) for name, other in others.items()}


def _metrics(
    parameters: FaceParameters,
    runs: Mapping[str, Sequence[Outcome]],
    head: Outcome,
    correct: Mapping[str, NDArray[Any]],
) -> dict[str, Metric]:
    from lab.evaluation import paired_over_seeds

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
    metrics |= transfer.duplicate_metrics(runs[first][0])
    metrics["conv4/width"] = Metric(value=head["width"], title="Kept activations of an image")
    metrics["conv4/rate"] = Metric(value=float(_best_rate(head)), title="Learning rate that validation chose")
    metrics["finetuned/epochs"] = Metric(
        value=parameters.finetune_epochs, title="Epochs of fine-tuning", unit="epochs"
    )
    for name, title in _titles(parameters).items():
        metrics[f"{name}/test_accuracy"] = transfer.accuracy(correct[name], title)
        for part in ("train", "validation"):
            metrics[f"{name}/{part}_accuracy"] = experiments.over_seeds(
                runs[name],
                f"{part}_accuracy",
                f"{part.capitalize()} accuracy, {title}",
            )
    for name in parameters.perceptrons():
        metrics[f"{name}/roughness"] = experiments.over_seeds(
            runs[name],
            "roughness",
            f"Mean difference of neighbouring weights ÷ their deviation, {_titles(parameters)[name]}",
            "",
        )
    smooth, rough = ([run["roughness"] for run in runs[name]] for name in (f"{first}_l2", first))
    metrics[f"{first}_l2/roughness_difference"] = experiments.metric(
        paired_over_seeds(smooth, rough).difference, "Its difference with and without L2", "", "seeds"
    )
    return metrics


def _findings(
    metrics: Mapping[str, Metric],
    parameters: FaceParameters,
    outcomes: Mapping[str, Outcome],
    compared: Mapping[str, Comparison],
    worked: Sequence[Mapping[str, Any]],
) -> dict[str, Finding]:
    first, wide = f"mlp{parameters.hidden[0]}", f"mlp{parameters.hidden[-1]}"
    rougher = metrics[f"{first}_l2/roughness_difference"]
    reached = f"{{{first}/test_accuracy:percent}}"
    by_penalty, by_width = (f"{{{name}/gain:points ci unit}}" for name in (f"{first}_l2", wide))
    return {
        "published_reached": Finding(
            statement="The perceptron on pixels reaches the published accuracy",
            holds=metrics[f"{first}/test_accuracy"].value >= parameters.published,
            metrics=(f"{first}/test_accuracy",),
        ),
        "perceptron_overfits": Finding(
            statement="The perceptron on pixels names its training images better than the validation images, "
            f"by more than {OVERFITTED:g}",
            holds=metrics[f"{first}/train_accuracy"].value
            > metrics[f"{first}/validation_accuracy"].value + OVERFITTED,
            metrics=(f"{first}/train_accuracy", f"{first}/validation_accuracy"),
        ),
        "test_courses_kept": Finding(
            statement="The perceptron was measured on the test images after every epoch",
            holds=all(bool(run["history"].get("test_accuracy")) for run in experiments.of(outcomes, first)),
        ),
        "finetuning_overfits": Finding(
            statement="The fine-tuned network names its training images better than the validation images, "
            f"by more than {OVERFITTED:g}",
            holds=metrics["finetuned/train_accuracy"].value
            > metrics["finetuned/validation_accuracy"].value + OVERFITTED,
            metrics=("finetuned/train_accuracy", "finetuned/validation_accuracy"),
        ),
        "equal_epochs": Finding(
            statement="Fine-tuning has as many epochs as the linear layer",
            holds=parameters.finetune_epochs == parameters.head_epochs,
            metrics=("finetuned/epochs",),
        ),
        "features_beat_pixels": _compared(
            "Features of a pretrained network are significantly more accurate than pixels",
            "conv4/gain",
            compared["conv4"],
            more="On faces, a linear classifier on pretrained features reaches a test accuracy of "
            f"{{conv4/test_accuracy:percent}}, significantly more than the {reached} of a perceptron on "
            "pixels.",
            less="On faces, a linear classifier on pretrained features reaches a test accuracy of "
            f"{{conv4/test_accuracy:percent}}, significantly less than the {reached} of a perceptron on "
            "pixels.",
            same="On faces, a linear classifier on pretrained features does not differ significantly from a "
            "perceptron on pixels.",
        ),
        "finetuning_over_features": _compared(
            "Fine-tuning is significantly more accurate than a linear layer on fixed features",
            "finetuned/gain",
            compared["finetuned"],
            more="It is significantly more accurate than the linear classifier on fixed features, by "
            "{finetuned/gain:points ci unit}.",
            less="It is significantly less accurate than the linear classifier on fixed features: the "
            "difference is {finetuned/gain:points ci unit}.",
            same="It does not differ significantly from the linear classifier on fixed features: the "
            "difference is {finetuned/gain:points ci unit}.",
        ),
        "penalty_changes": _compared(
            "The penalty raises the perceptron's test accuracy significantly",
            f"{first}_l2/gain",
            compared[f"{first}_l2"],
            more=f"A penalty on the weights raises test accuracy significantly, by {by_penalty}.",
            less=f"A penalty on the weights lowers test accuracy significantly, by {by_penalty}.",
            same="A penalty on the weights does not change test accuracy significantly: the difference is "
            f"{by_penalty}.",
        ),
        "finetuning_beats_features": Finding(
            statement="Fine-tuning is significantly more accurate than kept activations",
            holds=compared["finetuned"].verdict == "more",
            metrics=("finetuned/gain",),
        ),
        "features_beat_finetuning": Finding(
            statement="Kept activations are significantly more accurate than fine-tuning",
            holds=compared["finetuned"].verdict == "less",
            metrics=("finetuned/gain",),
        ),
        "penalty_smooths": Finding(
            statement="With the penalty the weights of the hidden units are smoother, with an interval below "
            "zero",
            holds=rougher.high is not None and rougher.high < 0,
            metrics=(f"{first}_l2/roughness_difference",),
        ),
        "worked_right": _worked_finding(worked, right=True),
        "worked_wrong": _worked_finding(worked, right=False),
        "no_run_diverged": experiments.none_diverged(outcomes),
    } | (
        {}
        if wide == first
        else {
            "width_changes": _compared(
                "More hidden units raise the test accuracy significantly",
                f"{wide}/gain",
                compared[wide],
                more=f"More hidden units raise test accuracy significantly, by {by_width}.",
                less=f"More hidden units lower test accuracy significantly, by {by_width}.",
                same="More hidden units do not change test accuracy significantly: the difference is "
                f"{by_width}.",
            )
        }
    )


def _worked_finding(worked: Sequence[Mapping[str, Any]], *, right: bool) -> Finding:
    """The worked example that is named rightly, or wrongly, in a sentence with its probabilities."""
    chosen = [one for one in worked if _is_right(one) == right]
    kind = "right" if right else "wrong"
    name = f"worked/{kind}"
    words = f"A prediction that is {kind} is shown"
    if not chosen:
        none = f"The recorded outcomes hold no example of a {kind} answer."
        return builders.statement(words, False, yes=none, no=none)
    one = chosen[0]
    face = f"a test photograph of {person(one['truth'])}"
    ends = (
        f"It names {face} correctly, with a probability of {{{name}/named:percent}}."
        if right
        else f"It names {face} wrongly, as {person(_named(one))}, with a probability of "
        f"{{{name}/named:percent}}; the right person is given {{{name}/truth:percent}}."
    )
    return builders.statement(words, True, f"{name}/named", f"{name}/truth", yes=ends, no=ends)


def _worked_metrics(worked: Sequence[Mapping[str, Any]]) -> dict[str, Metric]:
    found = {}
    for one in worked:
        name = f"worked/{'right' if _is_right(one) else 'wrong'}"
        truth = one["shares"][one["classes"].index(one["truth"])]
        for key, value, title in (
            ("named", max(one["shares"]), "of the person that is named"),
            ("truth", truth, "of the person in truth"),
        ):
            found[f"{name}/{key}"] = Metric(
                value=value, title=f"Probability {title}, {one['file']}", unit=experiments.FRACTION
            )
    return found


def _compared(words: str, name: str, one: Comparison, *, more: str, less: str, same: str) -> Finding:
    p = 1.0 if one.p is None else one.p
    return builders.comparison(words, name, one.difference, adjusted_p=p, more=more, less=less, same=same)


def _recipe_table(parameters: FaceParameters, runs: Mapping[str, Sequence[Outcome]], head: Outcome) -> Table:
    """Every choice of the three systems, with what they are given and what they are."""
    widths, network = " or ".join(map(str, parameters.hidden)), head["weights"]["architecture"]
    penalties = f"none or {parameters.penalty:g}"
    drawn = "uniform in ±1/√inputs"
    rows = {
        "Perceptron": {
            "weight decay": penalties,
            "input": f"{parameters.size} × {parameters.size} grey pixels",
            "layers": f"{widths} hidden units",
            "first weights": drawn,
        },
        "Linear layer": {
            "augmentation": "mirrored (random)" if parameters.mirror else "none",
            "arithmetic": "float32",
            "input": f"{head['width']:,} activations of {head['layer']}",
            "layers": "none hidden",
            "first weights": drawn,
        },
        "All layers": {
            "arithmetic": runs["finetuned"][0]["history"]["precision"],
            "input": f"{parameters.view} × {parameters.view} colour pixels",
            "layers": f"those of {NAMES.get(network, network)}",
            "first weights": "pretrained; last layer as left",
        },
    }
    table = experiments.recipe_table(
        {
            "Perceptron": parameters.mlp_recipe(0.0),
            "Linear layer": parameters.head_recipe() | {"learning_rate": float(_best_rate(head))},
            "All layers": parameters.finetune_recipe(),
        },
        rows,
    )
    caption = "Hyper-parameters, inputs and layers of the three systems. Inputs are standardised."
    rows_shown = tuple(row for row in table.rows if set(row.cells.values()) != {"Label smoothing", "0"})
    return table.model_copy(update={"caption": caption, "rows": rows_shown})


def _best_rate(head: Outcome) -> str:
    """Of the linear layer, by mean validation accuracy."""
    runs: Mapping[str, Sequence[Outcome]] = head["runs"]
    return max(runs, key=lambda rate: mean(run["validation_accuracy"] for run in runs[rate]))


def _table(metrics: Mapping[str, Metric], parameters: FaceParameters) -> Table:
    sizes = [int(metrics[f"data/{part}"].value) for part in ("classes", "train", "validation", "test")]
    return builders.table(
        "Accuracy (%) of naming {} people: perceptrons on pixels, a linear layer on the fixed features of a "
        "pretrained network, and this network with all layers fine-tuned ({:,} training, {:,} validation "
        "and {:,} test images).".format(*sizes),
        {
            "what": builders.text("Classifier"),
            "train": builders.percent("Training"),
            "validation": builders.percent("Validation"),
            "test": builders.percent("Test", best="highest"),
        },
        [
            {
                "what": title[:1].upper() + title[1:],
                "train": metrics[f"{name}/train_accuracy"].value,
                "validation": metrics[f"{name}/validation_accuracy"].value,
                "test": metrics[f"{name}/test_accuracy"],
            }
            for name, title in _titles(parameters).items()
        ],
        notes=[
            f"Means over {counted(parameters.seeds, 'seeds')}. All layers were fine-tuned for "
            f"{counted(parameters.finetune_epochs, 'epochs')}."
        ],
    )


def _worked(run: Outcome) -> list[dict[str, Any]]:
    """The predictions that are shown, the right one first; outcomes once kept a single one."""
    kept = run["worked"]
    return kept if isinstance(kept, list) else [kept]


def _named(worked: Mapping[str, Any]) -> str:
    shares = worked["shares"]
    return str(worked["classes"][shares.index(max(shares))])


def _is_right(worked: Mapping[str, Any]) -> bool:
    return _named(worked) == str(worked["truth"])


def _worked_pictures(parameters: FaceParameters, worked: Sequence[Mapping[str, Any]]) -> Pictures:
    """The faces of the worked examples, as the network is given them."""
    from lab.datasets import load as load_images

    side = (parameters.view, parameters.view)
    images = load_images(parameters.name, parameters.split, size=side, grey=False, damaged=parameters.damaged)
    return Pictures(
        caption="The test photographs of the worked examples, as the network is given them, with the person "
        "that it names and the probability.",
        alt="; ".join(f"a face of {person(one['truth'])}, named {person(_named(one))}" for one in worked),
        columns=4,
        pictures=tuple(
            Picture(
                png=shown(images.images[images.files.index(one["file"])]),
                title=f"{person(_named(one))}, {max(one['shares']):.1%}"
                + ("" if _is_right(one) else f" (wrong: {person(one['truth'])})"),
            )
            for one in worked
        ),
    )


def person(name: str) -> str:
    return name.replace("_", " ").title()


def _worked_table(worked: Sequence[Mapping[str, Any]]) -> Table:
    """The probabilities of each shown face, people in one order."""
    people = worked[0]["classes"]
    labels = {
        f"face{number}": f"{person(one['truth'])} ({'right' if _is_right(one) else 'wrong'})"
        for number, one in enumerate(worked)
    }
    faces = " and ".join(
        f"of {person(one['truth'])}, which it names "
        + ("correctly" if _is_right(one) else f"{person(_named(one))}, wrongly")
        for one in worked
    )
    return builders.table(
        f"Probabilities (%) that the fine-tuned network assigns to the {len(people)} people for a test "
        f"photograph {faces}.",
        {
            "person": builders.text("Person"),
            **{key: builders.percent(label, best="highest") for key, label in labels.items()},
        },
        [
            {"person": person(name)}
            | {f"face{number}": one["shares"][n] for number, one in enumerate(worked)}
            for n, name in enumerate(people)
        ],
    )


def unit_pictures(parameters: FaceParameters, units: Mapping[str, Sequence[Outcome]]) -> Pictures:
    """The drawn units of every perceptron, by its name."""

    shown = [(name, unit) for name in parameters.perceptrons() for unit in units[name]]

    def title(name: str, unit: Mapping[str, Any]) -> str:
        hidden, decay = parameters.perceptrons()[name]
        side = f"{'for' if unit['for'] else 'against'} {person(unit['class']).split()[-1]}"
        return f"{hidden}{', L2' if decay else ''}\n{side}"

    return Pictures(
        caption=f"Weights from the pixels to hidden units: of each perceptron the {counted(SHOWN, 'units')} "
        "with the largest weights, and for or against whom they count most. Mid-grey is zero; light pixels "
        "of the photograph raise the unit where its weights are light, and lower it where they are dark.",
        alt=f"{SHOWN} hidden units of each perceptron as grey pictures.",
        columns=UNIT_COLUMNS,
        pictures=tuple(Picture(title=title(name, unit), png=unit["png"]) for name, unit in shown),
    )


analysis = Facescrub()

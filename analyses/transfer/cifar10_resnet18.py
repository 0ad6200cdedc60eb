"""transfer.cifar10_resnet18: the last stage of a pretrained network, trained on enlarged CIFAR-10.

By protocol ResNet-18 with ImageNet weights, images enlarged eightfold to 256 pixels, layer4 and the last
layer trained by Adam at 5e-4 in batches of 32 for five epochs. What comes before the trained stage is
frozen, so it is computed once an image and kept. Where its weights cannot be had, another pretrained network
follows the protocol (expected: a test accuracy of 0.86 or more):

    run transfer.cifar10_resnet18 --set pretrained.architecture=resnet18 --set pretrained.layer=layer3 \\
        --set pretrained.weights=file:PATH          (or pretrained.weights=imagenet)

A network of our own is trained on the same images, from scratch. Cells run in this order: near-duplicates
(seconds), then the two networks in turn, seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from analyses import experiments
from analyses.classification.cifar10_designs import fixed_parameters, recipe_b
from analyses.experiments import FRACTION, Comparison, DataChoice
from analyses.interpretation import _interpretation as interpretation
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.transfer import _transfer as transfer
from results import builders
from results.schema import Chart, Figure, Finding, Metric, Table
from results.text import counted

if TYPE_CHECKING:
    from torch import nn

    from lab.training import Data
    from lab.weights import Network

Runs = Mapping[str, Sequence[Outcome]]  # by network, its outcomes by seed
OWN = "design_b"  # the better design of classification.cifar10_designs


class Candidate(BaseModel):
    """weights, architecture: as lab.weights.load has them. layer: the last frozen one, "" to train all
    layers. size: height and width in pixels to which the images are enlarged. epochs: of training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: str = "none"
    architecture: str = ""
    layer: str = ""
    size: int = Field(256, ge=32)
    epochs: int = Field(5, ge=1)
    download: bool = False


class LastStageParameters(Parameters):
    """pretrained: the network of the protocol, or what follows it in its place. resnet18: another network
    beside the two, such as ResNet-18 from scratch. Images are mirrored in training where all layers are
    trained; kept activations are of the images as they are. duplicates: the similarity from which on a test
    image counts as near-duplicate of a training image; the published split is kept. image: as
    lab.interpretation.photograph has it; the trained network's `shown` most active maps of it are printed.
    """

    data: DataChoice = DataChoice()
    pretrained: Candidate = Candidate(weights="lite0", layer="blocks.5")
    resnet18: Candidate | None = None
    learning_rate: float = Field(5e-4, gt=0)
    batch: int = Field(32, ge=1)
    own_epochs: int = Field(10, ge=1)
    own_widths: tuple[int, int, int] = (64, 256, 256)
    seeds: int = Field(3, ge=1)
    duplicates: float | None = Field(0.85, gt=0, le=1)
    image: str = "cat"
    shown: int = Field(12, ge=10, le=40)

    def candidates(self) -> dict[str, Candidate]:
        return {"pretrained": self.pretrained} | ({"resnet18": self.resnet18} if self.resnet18 else {})

    def recipe(self, candidate: Candidate) -> dict[str, Any]:
        return {
            "epochs": candidate.epochs,
            "batch": self.batch,
            "optimizer": "adam",
            "learning_rate": self.learning_rate,
            "augmentation": {} if candidate.layer else {"flip": "random"},
        }


class Cifar10Resnet18(Analysis[LastStageParameters]):
    id = "transfer.cifar10_resnet18"
    title = "The last stage of a pretrained network on CIFAR-10"
    question = "How far does a network pretrained on other images come when only its last stage is trained?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> LastStageParameters:
        if profile == "quick":
            return LastStageParameters(
                data=DataChoice(name="shapes", train=300, validation=100),
                pretrained=Candidate(weights="lite0", layer="blocks.5", size=64, epochs=2),
                own_epochs=2,
                own_widths=(16, 32, 32),
                seeds=2,
                image="flower",
            )
        return LastStageParameters()

    def headings(self, parameters: LastStageParameters) -> tuple[str, str]:
        return experiments.headings(self.title, self.question, parameters.data)

    def datasets(self, parameters: LastStageParameters) -> tuple[str, ...]:
        return (parameters.data.name,)

    def plan(self, parameters: LastStageParameters) -> list[Cell]:
        from lab.recipes import Recipe

        data = parameters.data.model_dump(mode="json", exclude_defaults=True)
        cells = []
        for name, candidate in parameters.candidates().items():
            settings: dict[str, Any] = {
                "data": data,
                "candidate": candidate.model_dump(mode="json", exclude={"epochs"}),
                "recipe": Recipe.of(parameters.recipe(candidate)).as_settings(),
            }
            drawn = {"maps": {"image": parameters.image, "shown": parameters.shown}}
            cells += [
                Cell(f"{name}/{seed}", settings | ({} if seed else drawn), seed)
                for seed in range(parameters.seeds)
            ]
        cells += experiments.cells(
            OWN,
            {"name": "whitened", "options": {"widths": parameters.own_widths}},
            recipe_b(parameters.own_epochs),
            parameters.data,
            parameters.seeds,
            keep=True,
        )
        cells.sort(key=lambda cell: cell.seed or 0)  # stable: the networks in turn
        if parameters.duplicates:
            cells.insert(0, Cell("duplicates", {"data": data, "duplicates": parameters.duplicates}))
        return cells

    def run(self, cell: Cell, context: Context) -> Outcome:
        if "duplicates" in cell.settings:
            return _duplicates(cell.settings, context)
        if "candidate" in cell.settings:
            return _trained(cell, context)
        return experiments.train(cell, context)

    def summarize(self, parameters: LastStageParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = {name: experiments.of(outcomes, name) for name in (*parameters.candidates(), OWN)}
        titles = _titles(parameters, runs)
        accuracies = {name: [run["test_accuracy"] for run in found] for name, found in runs.items()}
        pairs = {name: (name, OWN) for name in parameters.candidates()}
        compared = transfer.compare(accuracies, pairs, "seeds")
        metrics = _metrics(parameters, runs, titles)
        metrics |= transfer.comparison_metrics(compared, pairs, titles)
        metrics |= transfer.duplicate_metrics(outcomes.get("duplicates", {}))
        best, title = runs["pretrained"], titles["pretrained"]
        figures: dict[str, Figure] = {
            "curves": builders.learning_curves(
                f"Loss and accuracy by epoch of {title}, on {parameters.data.train:,} training images of "
                f"{parameters.data.title}. Training values are running means over each epoch.",
                experiments.histories(best),
            ),
            "losses": _losses(runs, titles),
            "courses": _courses(parameters, runs, titles),
        }
        maps = best[0].get("maps")
        if maps:
            figures |= interpretation.map_figures(maps, title, parameters.image)
            named, share = maps["said"][0]
            metrics["image/probability"] = Metric(
                value=share, title=f"Probability of {named} for the photograph of the figures", unit=FRACTION
            )
            for place in ("first", "last"):
                metrics |= _map_metrics(place, maps[place])
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(parameters, metrics, titles, runs),
                "comparisons": transfer.comparison_table(
                    f"Networks compared in test accuracy on {parameters.data.title}.", compared, pairs, titles
                ),
                "recipe": _recipe_table(parameters, runs, titles),
            },
            figures=figures,
            findings=_findings(metrics, runs, outcomes, compared),
            note="; ".join(
                f"{name}: {run['weights']['source']} ({run['weights']['architecture']}), "
                + (f"SHA-256 {run['weights']['sha256']}" if run["weights"]["sha256"] else "trained whole")
                for name in parameters.candidates()
                for run in runs[name][:1]
            )
            + ".",
        )


def _duplicates(settings: Mapping[str, Any], context: Context) -> Outcome:
    """How many test images have a near-duplicate among the training images; both stay where they are."""
    import numpy as np

    from lab.datasets.duplicates import near_duplicates

    data, _ = experiments.load(DataChoice.model_validate(settings["data"]), context.device)
    assert data.test is not None
    parts = [part.images.cpu().numpy() for part in (data.train, data.test)]
    groups = near_duplicates(np.concatenate(parts), settings["duplicates"])
    sizes = np.bincount(groups)
    train, test = np.split(groups, [len(parts[0])])
    return {
        "diverged": False,
        "duplicates": {
            "groups": int((sizes > 1).sum()),
            "images": int(sizes[sizes > 1].sum()),
            "train_test": int(np.isin(test, train).sum()),
        },
    }


def _trained(cell: Cell, context: Context) -> Outcome:
    """The candidate, after its last frozen layer or as a whole."""
    from torch import nn

    from lab import weights
    from lab.interpretation import photograph
    from lab.recipes import Recipe
    from lab.training import fit, precision_of, predict

    settings, seed = cell.settings, cell.seed or 0
    candidate = Candidate.model_validate(settings["candidate"] | {"epochs": settings["recipe"]["epochs"]})
    drawn = settings.get("maps", {})
    image = photograph(drawn["image"]) if drawn else None  # refused before anything is trained
    network = weights.load(
        candidate.weights,
        candidate.architecture,
        size=candidate.size,
        seed=seed,
        download=candidate.download,
    )
    described = weights.describe(network)
    data, classes = experiments.load(DataChoice.model_validate(settings["data"]), context.device)
    side = data.train.images.shape[-1]
    whole = weights.with_head(network.model, len(classes), seed)
    if candidate.layer:
        data = _kept(network, data, candidate.layer, context)
        model: nn.Module = weights.after(whole, candidate.layer)
    else:
        data = replace(data, mean=network.mean, std=network.std)
        enlarge = nn.Upsample((candidate.size, candidate.size), mode="bilinear")
        model = nn.Sequential(enlarge, whole)
    assert data.test is not None
    recipe = Recipe.of(settings["recipe"])
    history = fit(
        model,
        data,
        recipe,
        seed=seed,
        checkpoint=context.scratch / "checkpoint.pt",
        report=context.report,
    )
    logits = predict(model, data.test.images, data, precision_of(recipe, context.device, model))
    outcome: Outcome = {
        "weights": described,
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "training_seconds": sum(history.seconds),
        "trained": sum(parameter.numel() for parameter in model.parameters()),
        "parameters": sum(parameter.numel() for parameter in whole.parameters()),
        "validation_accuracy": history.validation_accuracy[-1],
        **experiments.classified(logits, data.test.labels, classes),
    }
    if image is not None:
        seen = _reduced(interpretation.square(image), side)
        trained = replace(network, model=whole.cpu().eval())
        outcome["maps"] = interpretation.maps_of(trained, seen, classes, drawn["shown"])
    return outcome


def _reduced(image: Any, side: int) -> Any:
    """A square uint8 image as small as those that the network was trained on."""
    from torch.nn import functional as F

    small = F.interpolate(image.float(), (side, side), mode="bicubic", antialias=True, align_corners=False)
    return small.round().clamp(0, 255).byte()


def _kept(network: Network, data: Data, layer: str, context: Context) -> Data:
    """The layer's outputs in the place of the images, in half precision."""
    import torch

    from lab.features import cached_features
    from lab.training import Data, Images

    def kept(part: Images | None) -> Images | None:
        if part is None:
            return None
        outputs = cached_features(
            network,
            part.images.cpu().numpy(),
            layer,
            kept_as=torch.float16,
            device=context.device,
            report=lambda fraction: context.report(0.0, f"kept activations, {fraction:.0%}"),
        )
        return Images(outputs.to(context.device), part.labels)

    train = kept(data.train)
    assert train is not None
    channels = train.images.shape[1]
    # zeros and 1/255 leave the numbers as they are
    return Data(train, (0.0,) * channels, (1 / 255,) * channels, kept(data.validation), kept(data.test))


def _titles(parameters: LastStageParameters, runs: Runs) -> dict[str, str]:
    def title(name: str, candidate: Candidate) -> str:
        weights = runs[name][0]["weights"]
        network = interpretation.NAMES.get(weights["architecture"], weights["architecture"])
        if not candidate.layer:
            return f"{network}, all layers, " + ("from scratch" if not weights["sha256"] else "pretrained")
        return f"{network}, last stage, " + ("pretrained" if weights["sha256"] else "drawn")

    candidates = parameters.candidates()
    return {name: title(name, candidate) for name, candidate in candidates.items()} | {
        OWN: "Design B, from scratch"
    }


def _metrics(
    parameters: LastStageParameters,
    runs: Runs,
    titles: Mapping[str, str],
) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for name, title in titles.items():
        metrics |= experiments.measured(name, runs[name], title)
        metrics[f"{name}/lowest_validation"] = experiments.lowest_validation(runs[name])
    for name, candidate in parameters.candidates().items():
        for key, value, words, unit in (
            ("trained", runs[name][0]["trained"], "Trained parameters", "parameters"),
            ("parameters", runs[name][0]["parameters"], "Parameters", "parameters"),
            ("size", candidate.size, "Height and width of the enlarged images", "pixels"),
            ("epochs", candidate.epochs, "Epochs", "epochs"),
        ):
            metrics[f"{name}/{key}"] = Metric(value=value, title=f"{words}: {titles[name]}", unit=unit)
    metrics["data/train"] = Metric(value=parameters.data.train, title="Training images", unit="images")
    metrics[f"{OWN}/trained"] = Metric(
        value=runs[OWN][0]["parameters"] - fixed_parameters(parameters.own_widths),
        title=f"Trained parameters: {titles[OWN]}",
        unit="parameters",
    )
    metrics[f"{OWN}/epochs"] = Metric(
        value=parameters.own_epochs, title=f"Epochs: {titles[OWN]}", unit="epochs"
    )
    return metrics


def _map_metrics(place: str, found: Mapping[str, Any]) -> dict[str, Metric]:
    return {
        f"{place}/channels": Metric(value=found["shape"][0], title=f"Maps of the {place} layer"),
        f"{place}/side": Metric(value=found["shape"][1], title="Height and width of such a map"),
        f"{place}/zero": Metric(
            value=found["zero"], title=f"Share of its values that are not positive, {place}", unit=FRACTION
        ),
        f"{place}/silent": Metric(
            value=found["silent"], title=f"Share of its maps that are silent, {place}", unit=FRACTION
        ),
    }


def _table(
    parameters: LastStageParameters, metrics: Mapping[str, Metric], titles: Mapping[str, str], runs: Runs
) -> Table:
    return builders.table(
        f"Accuracy (%) on {parameters.data.title} from {parameters.data.train:,} training images: the last "
        "stage of a pretrained network, and networks trained from scratch. Means over "
        f"{counted(parameters.seeds, 'seeds')}.",
        {
            "network": builders.text("Network"),
            "trained": builders.integer("Trained", "parameters"),
            "epochs": builders.integer("Epochs"),
            "seconds": builders.number("Training", ".0f", "s"),
            "train": builders.percent("Train"),
            "validation": builders.percent("Validation"),
            "test": builders.percent("Test", best="highest"),
        },
        [
            {
                "network": title,
                "trained": int(metrics[f"{name}/trained"].value),
                "epochs": int(metrics[f"{name}/epochs"].value),
                "seconds": metrics[f"{name}/training_seconds"].value,
                "train": metrics[f"{name}/train_accuracy"].value,
                "validation": metrics[f"{name}/validation_accuracy"].value,
                "test": metrics[f"{name}/test_accuracy"],
            }
            for name, title in titles.items()
        ],
        notes=[
            "Training accuracies are running means over the last epoch. Seconds are of training alone; the "
            "frozen layers were run once per image before."
        ],
    )


def _recipe_table(parameters: LastStageParameters, runs: Runs, titles: Mapping[str, str]) -> Table:
    candidates = parameters.candidates()
    beside = {
        titles[name]: {
            "trained layers": f"those after stage {candidate.layer}" if candidate.layer else "all",
            "image size": f"enlarged to {candidate.size} × {candidate.size} pixels",
            "arithmetic": runs[name][0]["history"]["precision"],
        }
        for name, candidate in candidates.items()
    }
    beside[titles[OWN]] = {
        "trained layers": "all",
        "image size": "as it is",
        "arithmetic": runs[OWN][0]["history"]["precision"],
    }
    recipes = {titles[name]: parameters.recipe(candidate) for name, candidate in candidates.items()}
    table = experiments.recipe_table(recipes | {titles[OWN]: recipe_b(parameters.own_epochs)}, beside)
    caption = "Hyper-parameters of the last stage of the pretrained network and of the networks from scratch."
    return table.model_copy(update={"caption": caption})


def _losses(runs: Runs, titles: Mapping[str, str]) -> Chart:
    """Training and validation loss of the pretrained network and of the best of our own."""
    return builders.curves(
        "Training and validation loss by epoch of the pretrained network and of our best network, trained on "
        "the same images.",
        {
            f"{titles[name]}: {experiments.PARTS[part].lower()}": [
                history[f"{part}_loss"] for history in experiments.histories(runs[name])
            ]
            for name in ("pretrained", OWN)
            for part in ("train", "validation")
        },
        builders.number("Cross-entropy", ".3f", "nats"),
    )


def _courses(parameters: LastStageParameters, runs: Runs, titles: Mapping[str, str]) -> Chart:
    return builders.curves(
        f"Validation accuracy by epoch of each network, on {parameters.data.validation:,} images of "
        f"{parameters.data.title}.",
        {
            title: [history["validation_accuracy"] for history in experiments.histories(runs[name])]
            for name, title in titles.items()
        },
        builders.percent("Accuracy"),
    )


def _findings(
    metrics: Mapping[str, Metric],
    runs: Runs,
    outcomes: Mapping[str, Outcome],
    compared: Mapping[str, Comparison],
) -> dict[str, Finding]:
    first = {name: experiments.mean_course(runs[name], "validation_loss")[0][0] for name in runs}
    found = {
        "protocol_network": Finding(
            statement="The pretrained network is ResNet-18, of which the last stage was trained",
            holds=any(
                run["weights"]["architecture"] == "resnet18"
                and run["weights"]["sha256"]
                and run["trained"] < run["parameters"]
                for name in compared
                for run in runs[name]
            ),
        ),
        "pretrained_is_best": Finding(
            statement="The pretrained network is significantly more accurate than our best network",
            holds=compared["pretrained"].verdict == "more",
            metrics=("pretrained/gain",),
        ),
        "own_is_best": Finding(
            statement="Our best network is significantly more accurate than the pretrained one",
            holds=compared["pretrained"].verdict == "less",
            metrics=("pretrained/gain",),
        ),
        "test_courses_kept": Finding(
            statement="The pretrained network was measured on the test images after every epoch",
            holds=all(bool(run["history"].get("test_loss")) for run in runs["pretrained"]),
        ),
        "pretrained_starts_lower": Finding(
            statement="After the first epoch the pretrained network has the lower validation loss",
            holds=first["pretrained"] < first[OWN],
        ),
        "no_run_diverged": experiments.none_diverged(outcomes),
    }
    for name in ("pretrained", OWN):
        lowest, epochs = metrics[f"{name}/lowest_validation"], metrics[f"{name}/epochs"]
        found[f"{name}_loss_rises"] = Finding(
            statement=f"The validation loss of {name} is lowest before its last epoch",
            holds=lowest.value < epochs.value,
            metrics=(f"{name}/lowest_validation", f"{name}/epochs"),
        )
    return found


analysis = Cifar10Resnet18()

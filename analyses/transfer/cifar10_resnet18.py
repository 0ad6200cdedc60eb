"""transfer.cifar10_resnet18: the last stage of a pre-trained network, trained on enlarged CIFAR-10.

By protocol ResNet-18 with ImageNet weights, images enlarged eightfold to 256 pixels, layer4 and the last
layer trained by Adam at 5e-4 in batches of 32 for five epochs. What comes before the trained stage is
frozen, so it is computed once an image and kept. Where its weights cannot be had, ResNet-18 is trained from
scratch and another pre-trained network follows the protocol; a network of our own is trained on the same
images, from scratch too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from analyses import experiments
from analyses.classification.cifar10_designs import recipe_b
from analyses.experiments import FRACTION, DataChoice
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from analyses.transfer import _transfer as transfer
from results.schema import Axis, Chart, Column, Finding, Metric, Row, Series, Table

if TYPE_CHECKING:
    from lab.training import Data
    from lab.weights import Network

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
    """With torchvision's weights, ResNet-18 is by protocol at weights "imagenet", layer "layer3", size 256
    and 5 epochs. Images are mirrored in training where all layers are trained; kept activations are of
    the images as they are.
    """

    data: DataChoice = DataChoice(train=10_000, validation=2_500)
    resnet18: Candidate = Candidate(architecture="resnet18", size=64, epochs=8)
    pretrained: Candidate = Candidate(weights="lite0", layer="blocks.5")
    learning_rate: float = Field(5e-4, gt=0)
    batch: int = Field(32, ge=1)
    own_epochs: int = Field(10, ge=1)
    own_widths: tuple[int, int, int] = (64, 256, 256)
    seeds: int = Field(2, ge=1)

    def candidates(self) -> dict[str, Candidate]:
        return {"resnet18": self.resnet18, "pretrained": self.pretrained}

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
    title = "The last stage of a pre-trained network on CIFAR-10"
    question = "How far does a network pre-trained on other images come when only its last stage is trained?"
    libraries = ("torch", "torchvision", "timm")

    def parameters(self, profile: Profile) -> LastStageParameters:
        if profile == "quick":
            return LastStageParameters(
                data=DataChoice(name="shapes", train=300, validation=100),
                resnet18=Candidate(architecture="resnet18", size=32, epochs=2),
                pretrained=Candidate(weights="lite0", layer="blocks.5", size=64, epochs=2),
                own_epochs=2,
                own_widths=(16, 32, 32),
                seeds=2,
            )
        return LastStageParameters()

    def datasets(self, parameters: LastStageParameters) -> tuple[str, ...]:
        return (parameters.data.name,)

    def plan(self, parameters: LastStageParameters) -> list[Cell]:
        from lab.recipes import Recipe

        data = parameters.data.model_dump(mode="json", exclude_defaults=True)
        cells = []
        for name, candidate in parameters.candidates().items():
            settings = {
                "data": data,
                "candidate": candidate.model_dump(mode="json", exclude={"epochs"}),
                "recipe": Recipe.of(parameters.recipe(candidate)).as_settings(),
            }
            cells += [Cell(f"{name}/{seed}", settings, seed) for seed in range(parameters.seeds)]
        return cells + experiments.cells(
            OWN,
            {"name": "whitened", "options": {"widths": parameters.own_widths}},
            recipe_b(parameters.own_epochs),
            parameters.data,
            parameters.seeds,
            keep=True,
        )

    def run(self, cell: Cell, context: Context) -> Outcome:
        if "candidate" not in cell.settings:
            return experiments.train(cell, context)
        return _trained(cell, context)

    def summarize(self, parameters: LastStageParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs = {name: experiments.of(outcomes, name) for name in (*parameters.candidates(), OWN)}
        titles = _titles(parameters, runs)
        metrics = _metrics(parameters, runs, titles)
        best = runs["pretrained"]
        title = titles["pretrained"]
        return Summary(
            metrics=metrics,
            tables={
                "results": _table(parameters, metrics, titles, runs),
                "recipe": experiments.recipe_table(
                    {
                        **{
                            titles[name]: parameters.recipe(candidate)
                            for name, candidate in parameters.candidates().items()
                        },
                        titles[OWN]: recipe_b(parameters.own_epochs),
                    }
                ),
            },
            figures={
                "loss": experiments.course(best, "loss", f"Loss of {title}, mean and range.", title),
                "courses": _courses(runs, titles),
            },
            findings=_findings(metrics, parameters, outcomes),
            note="; ".join(
                f"{name}: {run['weights']['source']} ({run['weights']['architecture']}), "
                + (f"SHA-256 {run['weights']['sha256']}" if run["weights"]["sha256"] else "trained whole")
                for name in parameters.candidates()
                for run in runs[name][:1]
            )
            + ".",
        )


def _trained(cell: Cell, context: Context) -> Outcome:
    """The candidate, after its last frozen layer or as a whole."""
    from torch import nn

    from lab import weights
    from lab.recipes import Recipe
    from lab.training import fit, measure, precision_of, predict

    settings, seed = cell.settings, cell.seed or 0
    candidate = Candidate.model_validate(settings["candidate"] | {"epochs": settings["recipe"]["epochs"]})
    network = weights.load(
        candidate.weights,
        candidate.architecture,
        size=candidate.size,
        seed=seed,
        download=candidate.download,
    )
    told = weights.describe(network)
    data, classes = experiments.load(DataChoice.model_validate(settings["data"]), context.device)
    whole = weights.with_head(network.model, len(classes), seed)
    if candidate.layer:
        data = _kept(network, data, candidate.layer, context)
        model = weights.after(whole, candidate.layer)
    else:
        data = replace(data, mean=network.mean, std=network.std)
        enlarge = nn.Upsample((candidate.size, candidate.size), mode="bilinear")
        model = nn.Sequential(enlarge, whole)
    test = data.test
    assert test is not None
    recipe = Recipe.of(settings["recipe"])
    history = fit(
        model,
        replace(data, test=None),
        recipe,
        seed=seed,
        checkpoint=context.scratch / "checkpoint.pt",
        report=context.report,
    )
    logits = predict(model, test.images, data, precision_of(recipe, context.device, model))
    loss, accuracy = measure(logits, test.labels)
    return {
        "weights": told,
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "training_seconds": sum(history.seconds),
        "trained": sum(parameter.numel() for parameter in model.parameters()),
        "parameters": sum(parameter.numel() for parameter in whole.parameters()),
        "test_loss": loss if isfinite(loss) else None,
        "test_accuracy": accuracy,
        "validation_accuracy": history.validation_accuracy[-1],
    }


def _kept(network: Network, data: Data, layer: str, context: Context) -> Data:
    """The layer's outputs in the place of the images, in half precision."""
    import torch

    from lab.training import Data, Images

    def kept(part: Images | None) -> Images | None:
        if part is None:
            return None
        outputs = transfer.kept_features(
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


def _titles(parameters: LastStageParameters, runs: Mapping[str, Sequence[Outcome]]) -> dict[str, str]:
    names = {"resnet18": "ResNet-18", "tf_efficientnet_lite0": "EfficientNet-Lite0"}

    def said(name: str, candidate: Candidate) -> str:
        told = runs[name][0]["weights"]
        network = names.get(told["architecture"], told["architecture"])
        if not candidate.layer:
            return f"{network}, all layers, " + ("from scratch" if not told["sha256"] else "pre-trained")
        return f"{network}, last stage, " + ("pre-trained" if told["sha256"] else "drawn")

    return {name: said(name, candidate) for name, candidate in parameters.candidates().items()} | {
        OWN: "Design B, from scratch"
    }


def _metrics(
    parameters: LastStageParameters, runs: Mapping[str, Sequence[Outcome]], titles: Mapping[str, str]
) -> dict[str, Metric]:
    from lab.evaluation import paired_over_seeds

    metrics: dict[str, Metric] = {}
    for name, title in titles.items():
        for part in ("test", "validation"):
            metrics[f"{name}/{part}_accuracy"] = experiments.over_seeds(
                runs[name], f"{part}_accuracy", f"{part.capitalize()} accuracy: {title}"
            )
        metrics[f"{name}/training_seconds"] = experiments.over_seeds(
            runs[name], "training_seconds", f"Training time: {title}", "seconds"
        )
    for name, candidate in parameters.candidates().items():
        for key, value, title, unit in (
            ("trained", runs[name][0]["trained"], "Trained parameters", "parameters"),
            ("parameters", runs[name][0]["parameters"], "Parameters", "parameters"),
            ("size", candidate.size, "Height and width of the enlarged images", "pixels"),
            ("epochs", candidate.epochs, "Epochs", "epochs"),
        ):
            metrics[f"{name}/{key}"] = Metric(value=value, title=f"{title}: {titles[name]}", unit=unit)
    difference = paired_over_seeds(
        *([run["test_accuracy"] for run in runs[name]] for name in ("pretrained", OWN))
    ).difference
    metrics["pretrained/gain"] = experiments.metric(
        difference, f"Test accuracy of {titles['pretrained']}, less that of {titles[OWN]}"
    )
    metrics["data/train"] = Metric(value=parameters.data.train, title="Training images", unit="images")
    metrics[f"{OWN}/epochs"] = Metric(
        value=parameters.own_epochs, title=f"Epochs: {titles[OWN]}", unit="epochs"
    )
    return metrics


def _table(
    parameters: LastStageParameters,
    metrics: Mapping[str, Metric],
    titles: Mapping[str, str],
    runs: Mapping[str, Sequence[Outcome]],
) -> Table:
    rows = []
    for name, title in titles.items():
        test = metrics[f"{name}/test_accuracy"]
        trained = runs[name][0].get("trained", runs[name][0]["parameters"])
        rows.append(
            Row(
                cells={
                    "network": title,
                    "trained": trained,
                    "epochs": int(metrics[f"{name}/epochs"].value),
                    "seconds": metrics[f"{name}/training_seconds"].value,
                    "validation": metrics[f"{name}/validation_accuracy"].value,
                    "test": test.value,
                    "low": test.low,
                    "high": test.high,
                }
            )
        )
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    return Table(
        caption=f"Accuracy from {parameters.data.train:,} training images: a pre-trained network's last "
        "stage, and networks trained from scratch.",
        columns=(
            Column(key="network", label="Network"),
            Column(key="trained", label="Trained", type="integer", unit="parameters"),
            Column(key="epochs", label="Epochs", type="integer"),
            Column(key="seconds", label="Training", type="number", unit="s", format=".0f"),
            Column(key="validation", label="Validation", **number),
            Column(key="test", label="Test", **number),
            Column(key="low", label="95% from", **number),
            Column(key="high", label="to", **number),
        ),
        rows=tuple(rows),
        notes=(
            f"Number of seeds: {parameters.seeds}. Seconds are of training alone; the frozen layers were run "
            "once an image before.",
        ),
    )


def _courses(runs: Mapping[str, Sequence[Outcome]], titles: Mapping[str, str]) -> Chart:
    series = []
    for name, title in titles.items():
        mean, low, high = experiments.mean_course(runs[name], "validation_accuracy")
        band = {"low": tuple(low), "high": tuple(high)} if len(runs[name]) > 1 else {}
        epochs = tuple(float(epoch) for epoch in range(1, len(mean) + 1))
        series.append(Series(label=title, x=epochs, y=tuple(mean), **band))
    ends = ", ".join(f"{one.label} {one.y[-1]:.3f}" for one in series)
    return Chart(
        kind="line",
        caption="Validation accuracy by epoch of the pre-trained network and of two trained from scratch on "
        "the same images; mean and range over the seeds.",
        alt=f"Validation accuracy by epoch, ending at: {ends}.",
        x=Axis(label="Epoch"),
        y=Axis(label="Accuracy", unit=FRACTION),
        series=tuple(series),
    )


def _findings(
    metrics: Mapping[str, Metric], parameters: LastStageParameters, outcomes: Mapping[str, Outcome]
) -> dict[str, Finding]:
    gain = metrics["pretrained/gain"]
    return {
        "protocol_network": Finding(
            statement="ResNet-18 had pre-trained weights, of which the last stage was trained",
            holds=bool(parameters.resnet18.layer) and parameters.resnet18.weights != "none",
        ),
        "pretrained_is_best": Finding(
            statement="The pre-trained network's test accuracy lies above that of the better design, by an "
            "interval above zero",
            holds=gain.low is not None and gain.low > 0,
            metrics=("pretrained/gain",),
        ),
        "own_is_best": Finding(
            statement="The better design's test accuracy lies above that of the pre-trained network, by an "
            "interval above zero",
            holds=gain.high is not None and gain.high < 0,
            metrics=("pretrained/gain",),
        ),
        "resnet18_beats_own": Finding(
            statement="ResNet-18 has a higher test accuracy than the better design",
            holds=metrics["resnet18/test_accuracy"].value > metrics[f"{OWN}/test_accuracy"].value,
            metrics=("resnet18/test_accuracy", f"{OWN}/test_accuracy"),
        ),
        "no_run_diverged": experiments.none_diverged(outcomes),
    }


analysis = Cifar10Resnet18()

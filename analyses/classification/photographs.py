"""classification.photographs: how well are photographs of one's own told apart, from scratch and by transfer?

    python runner.py run classification.photographs --set data.name=folder:PATH

A LeNet-like network is trained from scratch, and a linear classifier on the features of a network that was
trained on ImageNet; both on the same images. The strength of the classifier's penalty is chosen on the
validation images. How many images train, and how long, follows from the data's size unless it is said
(`analyses.fitting`). Without a folder, drawn shapes stand in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from analyses import classifiers, experiments, records
from analyses.experiments import DataChoice
from analyses.pictures import heat, png
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.builders import FRACTION
from results.schema import Column, Figure, Metric, Picture, Pictures, Row, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lab.datasets import ImageSet

SCRATCH_SIZE = (32, 32)  # what the LeNet-like network takes
SHOWN = 12  # sample images
MISTAKES = 8


class PhotographsParameters(Parameters):
    """data: the photographs. size: of the images that transfer is shown, in pixels. epochs, batch,
    learning_rate: of the training from scratch, whose images are mirrored. penalties: strengths of the
    penalty on the weights of the linear classifier, of which validation images choose one. seeds: runs from
    scratch. weights, architecture: as lab.weights.load has them.
    """

    own_data: ClassVar[dict[str, int]] = {"size": 128, "seeds": 2}  # for photographs of the reader's own

    data: DataChoice = DataChoice(name="shapes", train=600, validation=150, size=SCRATCH_SIZE)
    size: int = Field(128, ge=32)
    epochs: int = Field(30, ge=1)
    batch: int = Field(32, ge=1)
    learning_rate: float = Field(0.01, gt=0)
    penalties: tuple[float, ...] = Field((1000.0, 100.0, 10.0, 1.0), min_length=1)
    seeds: int = Field(2, ge=1)
    weights: str = "lite0"
    architecture: str = ""
    download: bool = False


class Photographs(Analysis[PhotographsParameters]):
    id = "classification.photographs"
    title = "Photographs of one's own, from scratch and by transfer"
    question = "How well are these photographs told apart, and which are mistaken for what?"
    libraries = ("torch", "torchvision", "timm", "captum", "scikit-learn")

    def parameters(self, profile: Profile) -> PhotographsParameters:
        if profile == "quick":
            data = DataChoice(name="shapes", train=100, validation=40, test=60, size=SCRATCH_SIZE)
            return PhotographsParameters(data=data, size=64, epochs=3, seeds=1)
        return PhotographsParameters()

    def datasets(self, parameters: PhotographsParameters) -> tuple[str, ...]:
        return (parameters.data.name,)

    def headings(self, parameters: PhotographsParameters) -> tuple[str, str]:
        name = parameters.data.title
        return f"{name}: from scratch and by transfer", f"How well are the images of {name} told apart?"

    def check(self, parameters: PhotographsParameters) -> None:
        experiments.parts(parameters.data)

    def plan(self, parameters: PhotographsParameters) -> list[Cell]:
        recipe = {
            "epochs": parameters.epochs,
            "batch": parameters.batch,
            "optimizer": "sgd",
            "learning_rate": parameters.learning_rate,
            "weight_decay": 5e-4,
            "schedule": "cosine",
            "augmentation": {"flip": "random"},
            "precision": "float32",  # small batches take longer in bfloat16
        }
        scratch = experiments.cells(
            "scratch", {"name": "lenet"}, recipe, parameters.data, parameters.seeds, keep=True
        )
        transfer = {
            "data": parameters.data.model_dump(mode="json", exclude_defaults=True),
            **parameters.model_dump(mode="json", include={"weights", "architecture", "download", "size"}),
            "penalties": list(parameters.penalties),
        }
        return [*scratch, Cell("transfer", transfer)]

    def run(self, cell: Cell, context: Context) -> Outcome:
        return _transferred(cell, context) if cell.id == "transfer" else experiments.train(cell, context)

    def summarize(self, parameters: PhotographsParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        runs, transfer = records.runs_named(outcomes, "scratch"), outcomes["transfer"]
        about = transfer["data"]
        metrics = _metrics(parameters, runs, transfer)
        heatmaps, pairs = classifiers.confusion_parts(
            [transfer], f"Test images of {about['name']} by transfer."
        )
        gain, chance = metrics["transfer/gain"], metrics["data/chance"].value
        return Summary(
            metrics=metrics,
            tables={"classes": _class_table(about, transfer), "results": _table(metrics, about), **pairs},
            figures={
                **_pictures(transfer),
                **heatmaps,
                "accuracy": classifiers.learning_curve(
                    runs,
                    "accuracy",
                    f"Accuracy from scratch on {about['name']} by epoch.",
                    f"the LeNet-like network on {about['name']}",
                ),
            },
            findings={
                "transfer_wins": builders.statement(
                    "Transfer names more test images rightly than training from scratch, and the "
                    "interval of the difference is above zero",
                    gain.low is not None and gain.low > 0,
                    "transfer/gain",
                ),
                "scratch_wins": builders.statement(
                    "Training from scratch names more test images rightly than transfer, and the "
                    "interval of the difference is below zero",
                    gain.high is not None and gain.high < 0,
                    "transfer/gain",
                ),
                "above_chance": builders.statement(
                    "Transfer is better than always naming the most frequent class, and so is the "
                    "lower end of its interval",
                    (metrics["transfer/test_accuracy"].low or 0) > chance,
                    "transfer/test_accuracy",
                    "data/chance",
                ),
                "no_test_image_in_training": builders.statement(
                    "No test image has the pixels of a training image",
                    not transfer["repeated"],
                    "data/repeated",
                ),
                "pictures_shown": builders.statement(
                    "Pictures of the data are shown", bool(transfer["samples"])
                ),
                "no_run_diverged": records.none_diverged(
                    {name: one for name, one in outcomes.items() if name != "transfer"}
                ),
            },
            note=" ".join(about["notes"]),
        )


def _transferred(cell: Cell, context: Context) -> Outcome:
    """A linear classifier on features of all parts, and pictures of what it is sure of wrongly."""
    import numpy as np
    import torch

    from lab import weights
    from lab.datasets import locate
    from lab.datasets.repetitions import also_in_training
    from lab.datasets.sufficiency import require_validation
    from lab.features import cached_features

    settings = cell.settings
    size = settings["size"]
    choice = DataChoice.model_validate(settings["data"]).model_copy(update={"size": (size, size)})
    chosen, test = experiments.parts(choice)
    require_validation(choice.name, len(chosen) - 1)
    source = locate(choice.name)
    network = weights.load(
        settings["weights"], settings["architecture"], size=size, download=settings["download"]
    )
    features = []
    for number, part in enumerate((*chosen, test)):
        features.append(cached_features(network, part.images, device=context.device).numpy())
        context.report((number + 1) / 4, f"features of {len(part):,} images")
    train, validation = chosen
    fitted = [_classifier(features[0], train.labels, penalty) for penalty in settings["penalties"]]
    scores = [float((one.predict(features[1]) == validation.labels).mean()) for one in fitted]
    best = int(np.argmax(scores))  # of equals the strongest penalty, which stands first
    logits = _logits(fitted[best], features[2], len(test.classes))
    outcome: Outcome = {
        "diverged": False,
        "weights": weights.describe(network),
        "penalty": settings["penalties"][best],
        "validation_accuracy": scores[best],
        **records.classified(torch.from_numpy(logits), torch.from_numpy(test.labels), test.classes),
        "repeated": sum(also_in_training(part.images, test.images) for part in chosen),
        "data": {
            "name": source.title.partition(" (")[0],
            "licence": source.licence,
            "images": source.release.images,
            "notes": list(source.notes),
            "sizes": [len(part) for part in (train, validation, test)],
            "counts": [
                np.bincount(part.labels, minlength=len(test.classes)).tolist()
                for part in (train, validation, test)
            ],
        },
        "samples": [],
        "mistakes": [],
    }
    if source.redistributable or choice.name.startswith("folder:"):
        outcome |= _drawn(network, fitted[best], train, test, logits)
    return outcome


def _classifier(features: NDArray[Any], labels: NDArray[Any], penalty: float) -> Any:
    """Multinomial logistic regression on features scaled to deviation 1; penalty: of the squared weights."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(C=1 / penalty, max_iter=500)
    return make_pipeline(StandardScaler(), regression).fit(features, labels)


def _logits(classifier: Any, features: NDArray[Any], classes: int) -> NDArray[Any]:
    """(N, classes), also where the classifier of two classes has one number an image."""
    import numpy as np

    weight, bias = _linear(classifier, classes)
    return (features @ weight.T + bias).astype(np.float32)


def _linear(classifier: Any, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The classifier as weight (classes, D) and bias (classes,) of the features as they are."""
    import numpy as np

    scaler, regression = classifier[0], classifier[1]
    weight = regression.coef_ / scaler.scale_
    bias = regression.intercept_ - weight @ scaler.mean_
    if classes == 2:
        return np.vstack([np.zeros_like(weight), weight]), np.concatenate([np.zeros(1), bias])
    return weight, bias


def _drawn(network: Any, classifier: Any, train: ImageSet, test: ImageSet, logits: NDArray[Any]) -> Outcome:
    """Sample images of each class, the mistakes that the classifier is surest of, and what one rests on."""
    import numpy as np
    import torch

    from lab.interpretation import attribute
    from lab.weights import last_linear, with_head

    shares = torch.from_numpy(logits).softmax(1).numpy()
    predicted = shares.argmax(1)
    sure = shares.max(1)
    wrong = [int(i) for i in np.argsort(-sure, kind="stable") if predicted[i] != test.labels[i]][:MISTAKES]
    firsts = [int(np.flatnonzero(train.labels == kind)[0]) for kind in range(len(train.classes))][:SHOWN]
    right = [int(i) for i in np.argsort(-sure, kind="stable") if predicted[i] == test.labels[i]]
    looked = (wrong[:1] + right[:1])[:2]
    model = with_head(network.model, len(test.classes))
    weight, bias = _linear(classifier, len(test.classes))
    head = last_linear(model)[1]
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))
    attributed = []
    for index in looked:
        seen = network.prepared(torch.from_numpy(np.array(test.images[index : index + 1])))
        found = attribute(model, seen, torch.tensor([int(predicted[index])]), "guided")[0]
        attributed.append(
            {
                "truth": test.classes[test.labels[index]],
                "predicted": test.classes[predicted[index]],
                "picture": png(test.images[index]),
                "map": heat(found.abs().sum(0)),
            }
        )
    return {
        "samples": [
            {"class": train.classes[train.labels[index]], "picture": png(train.images[index])}
            for index in firsts
        ],
        "mistakes": [
            {
                "truth": test.classes[test.labels[index]],
                "predicted": test.classes[predicted[index]],
                "probability": round(float(sure[index]), 4),
                "picture": png(test.images[index]),
                "file": test.files[index],
            }
            for index in wrong
        ],
        "attributed": attributed,
    }


def _metrics(
    parameters: PhotographsParameters, runs: Sequence[Outcome], transfer: Outcome
) -> dict[str, Metric]:
    import numpy as np

    from lab.evaluation import bootstrap, wilson

    about = transfer["data"]
    labels = np.array(records.class_numbers(transfer["labels"]))
    by_transfer = np.array(records.class_numbers(transfer["predictions"])) == labels
    by_scratch = np.mean(
        [np.array(records.class_numbers(run["predictions"])) == labels for run in runs], axis=0
    )
    metrics = {
        f"data/{key}": builders.metric(value, f"{title} of {about['name']}", "images")
        for key, value, title in (
            ("images", about["images"], "Images"),
            ("train", about["sizes"][0], "Training images"),
            ("validation", about["sizes"][1], "Validation images"),
            ("test", about["sizes"][2], "Test images"),
            (
                "smallest_class",
                min(map(sum, zip(*about["counts"], strict=True))),
                "Images of the smallest class",
            ),
            (
                "largest_class",
                max(map(sum, zip(*about["counts"], strict=True))),
                "Images of the largest class",
            ),
            ("repeated", transfer["repeated"], "Test images that are training images too"),
        )
    }
    metrics["data/classes"] = builders.metric(len(transfer["classes"]), "Classes", "classes")
    metrics["data/chance"] = builders.metric(
        float(np.bincount(labels).max() / len(labels)),
        "Share of the most frequent class among the test images",
        FRACTION,
    )
    metrics["transfer/test_accuracy"] = builders.metric(
        wilson(int(by_transfer.sum()), len(labels)),
        "Test accuracy by transfer; interval over test images",
        FRACTION,
    )
    metrics["scratch/test_accuracy"] = builders.metric(
        bootstrap(by_scratch, np.mean),
        "Test accuracy from scratch, mean over seeds; interval over test images",
        FRACTION,
    )
    metrics["transfer/gain"] = builders.metric(
        bootstrap(by_transfer - by_scratch, np.mean),
        "Test accuracy by transfer less that from scratch",
        FRACTION,
    )
    metrics["transfer/validation_accuracy"] = builders.metric(
        transfer["validation_accuracy"], "Validation accuracy by transfer", FRACTION
    )
    metrics["transfer/penalty"] = builders.metric(
        transfer["penalty"], "Strength of the penalty that validation images chose"
    )
    metrics["transfer/mistakes"] = builders.metric(
        int((~by_transfer).sum()), "Test images that transfer names wrongly", "images"
    )
    for key, value, title, unit in (
        ("scratch/epochs", parameters.epochs, "Epochs from scratch", "epochs"),
        ("scratch/seeds", len(runs), "Seeds from scratch", "seeds"),
        ("transfer/size", parameters.size, "Height and width of the images for transfer", "pixels"),
    ):
        metrics[key] = builders.metric(value, title, unit)
    return metrics


def _table(metrics: Mapping[str, Metric], about: Mapping[str, Any]) -> Table:
    number: dict[str, Any] = {"type": "number", "format": ".3f"}
    rows = {"transfer": "Linear classifier on ImageNet features", "scratch": "LeNet-like, from scratch"}
    return Table(
        caption=f"Test accuracy on {about['name']} ({about['sizes'][2]} test images).",
        columns=(
            Column(key="way", label="Way"),
            Column(key="test", label="Test accuracy", **number),
            Column(key="low", label="95% from", **number),
            Column(key="high", label="to", **number),
        ),
        rows=(
            *(
                Row(
                    cells={
                        "way": label,
                        "test": metrics[f"{key}/test_accuracy"].value,
                        "low": metrics[f"{key}/test_accuracy"].low,
                        "high": metrics[f"{key}/test_accuracy"].high,
                    }
                )
                for key, label in rows.items()
            ),
            Row(cells={"way": "Always the most frequent class", "test": metrics["data/chance"].value}),
        ),
        notes=("Intervals are over the test images (Wilson's, and bootstrap for means over seeds).",),
    )


def _class_table(about: Mapping[str, Any], transfer: Outcome) -> Table:
    """Images of each class in each part, and how many of its test images are named rightly."""
    labels = records.class_numbers(transfer["labels"])
    predicted = records.class_numbers(transfer["predictions"])
    right = [0] * len(transfer["classes"])
    for truth, said in zip(labels, predicted, strict=True):
        right[truth] += truth == said
    order = sorted(range(len(right)), key=lambda kind: right[kind] / max(1, about["counts"][2][kind]))
    shown = sorted(order[: classifiers.MOST_CLASSES])
    parts = ("train", "validation", "test")
    rest = len(right) - len(shown)
    return Table(
        caption=f"Images of each class of {about['name']}, and test images that transfer names rightly.",
        columns=(
            Column(key="class", label="Class"),
            *(Column(key=part, label=part.capitalize(), type="integer") for part in parts),
            Column(key="right", label="Right", type="integer"),
        ),
        rows=tuple(
            Row(
                cells={
                    "class": transfer["classes"][kind],
                    **{part: about["counts"][number][kind] for number, part in enumerate(parts)},
                    "right": right[kind],
                }
            )
            for kind in shown
        ),
        notes=(f"The {len(shown)} classes with the most mistakes; {rest} others are left out.",)
        if rest
        else (),
    )


def _pictures(transfer: Outcome) -> dict[str, Figure]:
    about = transfer["data"]
    licence = f" Licence: {about['licence']}." if about["licence"] else ""
    figures: dict[str, Figure] = {}
    if transfer["samples"]:
        shown = transfer["samples"]
        first = f" (the first {len(shown)})" if len(shown) < len(transfer["classes"]) else ""
        figures["samples"] = Pictures(
            caption=f"One training image of each class of {about['name']}{first}.{licence}",
            alt=f"Images of {', '.join(one['class'] for one in shown)}.",
            pictures=tuple(Picture(title=one["class"], png=one["picture"]) for one in shown),
            columns=min(6, len(shown)),
        )
    if transfer["mistakes"]:
        shown = transfer["mistakes"]
        figures["mistakes"] = Pictures(
            caption=f"The mistakes of transfer on {about['name']} that it is surest of: what it says, with "
            "its probability, and what the test image is.",
            alt="; ".join(f"{one['truth']} taken for {one['predicted']}" for one in shown) + ".",
            pictures=tuple(
                Picture(
                    title=f"{one['predicted']} ({one['probability']:.0%}): {one['truth']}", png=one["picture"]
                )
                for one in shown
            ),
            columns=min(4, len(shown)),
        )
    if transfer.get("attributed"):
        shown = transfer["attributed"]
        figures["attributed"] = Pictures(
            caption="Test images and the pixels on which the class that transfer names rests, by guided "
            "backpropagation: white where it is most sensitive.",
            alt="; ".join(f"an image of {one['truth']} that is called {one['predicted']}" for one in shown)
            + ".",
            pictures=tuple(
                picture
                for one in shown
                for picture in (
                    Picture(title=f"{one['truth']}, called {one['predicted']}", png=one["picture"]),
                    Picture(title="Guided backpropagation", png=one["map"]),
                )
            ),
            columns=min(4, 2 * len(shown)),
        )
    return figures


analysis = Photographs()

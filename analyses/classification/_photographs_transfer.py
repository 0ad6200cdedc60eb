"""A linear classifier on the features of a network of ImageNet, and what it sees in photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyses import experiments, records
from analyses.experiments import DataChoice
from analyses.pictures import heat, png
from analyses.plugin import Cell, Context, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lab.datasets import ImageSet

SHOWN = 12  # sample images
MISTAKES = 8


def train_linear(cell: Cell, context: Context) -> Outcome:
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
    choice: DataChoice = settings["data"].model_copy(update={"size": (size, size)})
    chosen, test = experiments.parts(choice)
    require_validation(choice.name, len(chosen) - 1)
    source = locate(choice.name)
    network = experiments.pretrained(settings, size)
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
            "images": source.release.images - _left_out([*chosen, test]),
            "notes": [
                *dict.fromkeys((*source.notes, *(note for part in (*chosen, test) for note in part.notes)))
            ],
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


def _left_out(parts: Sequence[ImageSet]) -> int:
    """How many images of the splits that the parts are of could not be decoded."""
    return sum({part.split: part.left_out for part in parts}.values())


def distinct_samples(train: ImageSet, kinds: int) -> list[int]:
    """An image of each of the first classes, where there is one of other pixels than those before."""
    import numpy as np

    seen: set[bytes] = set()
    chosen = []
    for kind in range(kinds):
        own = [int(index) for index in np.flatnonzero(train.labels == kind)]
        chosen.append(next((index for index in own if train.images[index].tobytes() not in seen), own[0]))
        seen.add(train.images[chosen[-1]].tobytes())
    return chosen


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
    samples = distinct_samples(train, min(SHOWN, len(train.classes)))
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
            for index in samples
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

"""How teachers and students are trained: which images a teacher chooses, and how right its labels are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from analyses import experiments, records
from analyses.plugin import Cell, Context, Outcome
from analyses.supervision._teacher_student_settings import STUDENT, TEACHER
from lab.recipes import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lab.pseudo_labels import Chosen
    from lab.training import Data, Images


class Parts:
    """The training images, by whether their labels may be seen, and the rest of the data without them."""

    def __init__(self, data: Data, labelled: NDArray[np.int64], unlabelled: NDArray[np.int64]) -> None:
        import torch

        self.data = replace(data, validation=None, test=None)
        self.validation, self.test = data.validation, data.test
        self.labelled, self.unlabelled = (
            _selected(data.train, torch.from_numpy(part).to(data.train.labels.device))
            for part in (labelled, unlabelled)
        )


def _selected(images: Images, indices: Any) -> Images:
    from lab.training import Images

    return Images(images.images[indices], images.labels[indices])


def divide(cell: Cell, data: Data, classes: Sequence[str]) -> Parts:
    from lab.datasets.splits import stratified

    labels = data.train.labels.cpu().numpy()
    sizes = [cell.settings["labelled"], len(labels) - cell.settings["labelled"]]
    return Parts(data, *stratified(labels, sizes, cell.seed or 0, classes))


def pool_of(cell: Cell, parts: Parts) -> NDArray[np.int64]:
    """Of the unlabelled images those that the teacher chooses from: all of them, or a long-tailed part."""
    import numpy as np

    from lab.datasets import DataError
    from lab.sampling import zipf

    truth, tail = parts.unlabelled.labels.cpu().numpy(), cell.settings.get("tail")
    if not tail:
        return np.arange(len(truth))
    try:
        pool = zipf(truth, tail["largest"], cell.seed or 0, tail["exponent"])
    except ValueError as error:
        raise DataError(f"{error}; choose another --set tail_largest=… or tail_exponent=…") from None
    if cell.settings["k"] > len(pool):
        raise DataError(
            f"tail_k asks for {cell.settings['k']} images a class, and the long tail has {len(pool)} in all; "
            "choose a smaller one with --set tail_k=…"
        )
    return pool


def _measured(model: Any, parts: Parts, dtype: Any, classes: Sequence[str]) -> Outcome:
    from lab.training import measure, predict

    assert parts.validation is not None and parts.test is not None
    logits = predict(model, parts.validation.images, parts.data, dtype)
    predicted = records.classified(
        predict(model, parts.test.images, parts.data, dtype), parts.test.labels, classes
    )
    return {
        "validation_accuracy": measure(logits, parts.validation.labels)[1],
        "test_accuracy": predicted["test_accuracy"],
        "predicted": predicted,
    }


def _teacher_network(settings: Mapping[str, Any], classes: Sequence[str]) -> Any:
    return experiments.network(TEACHER, {"widths": settings["widths"]}, len(classes))


def _train_teacher(cell: Cell, context: Context, parts: Parts, classes: Sequence[str]) -> Any:
    """The teacher: trained on the labelled images alone."""
    import torch

    torch.manual_seed(cell.seed or 0)
    model = _teacher_network(cell.settings, classes)
    model.whiten(parts.data.normalised(parts.labelled.images[:5_000]))
    labelled = replace(parts.data, train=parts.labelled)
    history = experiments.fit(model, labelled, cell.settings["teacher"], cell, context, name="teacher")
    model.eval()
    return model, history


def _scores(
    cell: Cell, context: Context, parts: Parts, classes: Sequence[str]
) -> tuple[list[NDArray[Any]], bool]:
    """Probabilities that the teacher gives the unlabelled, the validation and the test images, (N, classes)
    each, kept in the user's cache; and whether its training diverged, which leaves them all equal.
    """
    import hashlib

    import numpy as np

    from lab import training
    from lab.datasets.cache import cached_array
    from lab.networks import REVISION

    recipe: Recipe = cell.settings["teacher"]
    dtype = training.precision_of(recipe, context.device, _teacher_network(cell.settings, classes))
    assert parts.validation is not None and parts.test is not None
    evaluated = (parts.unlabelled, parts.validation, parts.test)
    pixels = hashlib.sha256()
    for part in (parts.labelled, *evaluated):
        for values in (part.images, part.labels):
            pixels.update(np.ascontiguousarray(values.cpu().numpy()).data)

    def made() -> NDArray[Any]:
        model, history = _train_teacher(cell, context, parts, classes)
        logits = [training.predict(model, part.images, parts.data, dtype) for part in evaluated]
        found = np.concatenate([one.float().softmax(1).cpu().numpy() for one in logits])
        return np.full_like(found, np.nan) if history.outcome == "diverged" else found

    identity = (TEACHER, cell.settings["widths"], recipe, cell.seed, str(dtype), pixels.hexdigest())
    scores = cached_array("teachers", (*identity, REVISION, training.REVISION), made)
    ends = np.cumsum([len(part) for part in evaluated])[:-1]
    return np.split(np.nan_to_num(scores), ends), not np.isfinite(scores).all()


def run_teacher(cell: Cell, context: Context, parts: Parts, classes: Sequence[str]) -> Outcome:
    """How good the teacher is, and how right the labels are that it gives."""
    import torch

    from lab.pseudo_labels import top_k_pseudo_labels

    (scores, validation, test), diverged = _scores(cell, context, parts, classes)
    assert parts.validation is not None and parts.test is not None
    truth = parts.unlabelled.labels.cpu().numpy()
    settings = cell.settings
    most = top_k_pseudo_labels(scores, max(settings["k"]), settings["p"][0])
    right, bins = most.right(truth), most.ranks // settings["bin"]
    return {
        "validation_accuracy": _accuracy(validation, parts.validation),
        "test_accuracy": _accuracy(test, parts.test),
        "predicted": records.classified(
            torch.from_numpy(test).clamp(min=1e-12).log(), parts.test.labels.cpu(), classes
        ),
        "diverged": diverged,
        "chosen": [
            {"k": k, "p": p} | _chosen_record(top_k_pseudo_labels(scores, k, p), truth)
            for p in settings["p"]
            for k in settings["k"]
        ],
        "precision": [float(right[bins == one].mean()) for one in range(int(bins.max()) + 1)],
        "unlabelled": len(truth),
    }


def _accuracy(scores: NDArray[Any], images: Images) -> float:
    return float((scores.argmax(1) == images.labels.cpu().numpy()).mean())


def _chosen_record(chosen: Chosen, truth: NDArray[np.int64]) -> Outcome:
    return {
        "labels": len(chosen),
        "several": chosen.several,
        "precision": float(chosen.right(truth).mean()),
    }


def run_student(cell: Cell, context: Context, parts: Parts, classes: Sequence[str]) -> Outcome:
    """Trained on what the teacher chose, or as the baseline on the labelled images; then on these."""
    import numpy as np
    import torch

    from lab.pseudo_labels import top_k_pseudo_labels
    from lab.sampling import Rounds
    from lab.training import Images, precision_of

    settings, seed = cell.settings, cell.seed or 0
    outcome: Outcome = {}
    shown = parts.labelled
    if "k" in settings:
        pool = pool_of(cell, parts)
        (scores, _, _), _ = _scores(cell, context, parts, classes)
        chosen = top_k_pseudo_labels(scores[pool], settings["k"], settings["p"])
        truth = parts.unlabelled.labels.cpu().numpy()[pool]
        outcome = _chosen_record(chosen, truth) | {
            "class_sizes": np.bincount(truth, minlength=len(classes)).tolist(),
            "class_labels": np.bincount(chosen.labels, minlength=len(classes)).tolist(),
            "class_right": np.bincount(chosen.labels[chosen.right(truth)], minlength=len(classes)).tolist(),
        }
        device = shown.labels.device
        some = _selected(parts.unlabelled, torch.from_numpy(pool[chosen.images]).to(device))
        shown = Images(some.images, torch.from_numpy(chosen.labels).to(device))
    torch.manual_seed(seed)
    model = experiments.network(STUDENT, {}, len(classes))
    dtype = precision_of(settings["student"], context.device, model)
    outcome["diverged"] = False
    for part, images, order in (
        ("student", shown, Rounds(settings["shown"])),
        ("finetune", parts.labelled, None),
    ):
        data = replace(parts.data, train=images)
        history = experiments.fit(model, data, settings[part], cell, context, order=order, name=part)
        outcome["diverged"] |= history.outcome == "diverged"
        model.eval()
        if part == "student":
            outcome["before_finetuning"] = _measured(model, parts, dtype, classes)["test_accuracy"]
    return outcome | _measured(model, parts, dtype, classes)

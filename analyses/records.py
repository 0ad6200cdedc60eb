"""What cells record, and what is read of the records of several seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from analyses.plugin import Outcome
from results import builders
from results.builders import FRACTION
from results.schema import Finding, Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lab.training import History

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MORE = 0x4E00 - len(DIGITS)


def as_text(classes: Iterable[int]) -> str:
    """Class numbers, one character each, as an outcome keeps them: 0–9, a–z, and from 36 on the characters
    from U+4E00, which are as many as there are classes.
    """
    return "".join(DIGITS[number] if number < len(DIGITS) else chr(MORE + number) for number in classes)


def class_numbers(text: str) -> list[int]:
    """The inverse of `as_text`."""
    return [DIGITS.index(letter) if letter in DIGITS else ord(letter) - MORE for letter in text]


def classified(logits: Tensor, labels: Tensor, classes: Sequence[str]) -> Outcome:
    """What every classifier keeps of its test images: loss (nats), accuracy, and the predicted and the true
    class of each, so that new metrics and tests cost no training. logits (N, classes), labels (N,).
    """
    from lab.training import measure

    loss, accuracy = measure(logits, labels)
    return {
        "test_loss": loss if isfinite(loss) else None,
        "test_accuracy": accuracy,
        "predictions": as_text(logits.argmax(1).tolist()),
        "labels": as_text(labels.tolist()),
        "classes": list(classes),
    }


def trained_record(history: History, model: nn.Module) -> Outcome:
    """What every training records."""
    return {
        "history": history.as_outcome(),
        "diverged": history.outcome == "diverged",
        "training_seconds": sum(history.seconds),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def runs_named(outcomes: Mapping[str, Outcome], name: str) -> list[Outcome]:
    """The outcomes of the cells `name/SEED`, in the order of the plan."""
    return [outcome for key, outcome in outcomes.items() if key.rpartition("/")[0] == name]


def finished(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that did not diverge."""
    return [outcome for outcome in outcomes if not outcome["diverged"]]


def none_diverged(outcomes: Mapping[str, Outcome]) -> Finding:
    return builders.statement(
        "No run diverged", not any(outcome["diverged"] for outcome in outcomes.values())
    )


def over_seeds(outcomes: Sequence[Outcome], key: str, title: str, unit: str = FRACTION) -> Metric:
    """The mean of an outcome's number over seeds, with Student's 95% interval; a fraction stays in [0, 1]."""
    from lab.evaluation import over_seeds as estimate

    bounds = (0.0, 1.0 if unit == FRACTION else inf)
    return builders.metric(
        estimate([outcome[key] for outcome in outcomes], bounds=bounds), title, unit, over="seeds"
    )


def histories(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """What is drawn as learning curves: of the runs that did not diverge, or of all where every one did."""
    return [outcome["history"] for outcome in finished(outcomes) or outcomes]


def by_epoch(outcomes: Sequence[Outcome], key: str) -> list[tuple[float, ...]]:
    """A history's list, epoch by epoch the values of all seeds, as long as all runs go."""
    return list(zip(*(history[key] for history in histories(outcomes)), strict=False))


def mean_curve(outcomes: Sequence[Outcome], key: str) -> list[float]:
    """The mean over seeds of a history's list, epoch by epoch."""
    return [sum(values) / len(values) for values in by_epoch(outcomes, key)]


def at_the_end(outcomes: Sequence[Outcome], key: str, title: str) -> Metric:
    """The last value of a history's list, as a mean over seeds."""
    last = [{key: outcome["history"][key][-1]} for outcome in outcomes]
    return over_seeds(last, key, title, FRACTION if key.endswith("accuracy") else "nats")


def lowest_validation(outcomes: Sequence[Outcome]) -> Metric:
    """The epoch in which the mean validation loss is lowest, from 1."""
    losses = mean_curve(outcomes, "validation_loss")
    return builders.metric(losses.index(min(losses)) + 1, "Epoch of the lowest validation loss", "epochs")

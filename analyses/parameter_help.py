"""What an analysis can be told: its parameters, with defaults and meaning."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from analyses.plugin import Analysis, Parameters

#: Of parameters that mean the same in every analysis, where its own words say nothing.
COMMON = {
    "ablation_seeds": "runs of each changed setting",
    "architecture": "of weights from a file, as lab.weights.load has them",
    "batch": "images of a step",
    "damaged": "refuse a data set with an image that cannot be decoded, or skip such images",
    "data": "the images",
    "download": "whether weights may be downloaded",
    "epochs": "passes over the training images",
    "finetune_epochs": "passes over the training images when all layers are trained",
    "finetune_rate": "learning rate when all layers are trained",
    "finetune_rates": "learning rates that are compared when all layers are trained",
    "fold_seed": "of the division into folds",
    "head_epochs": "passes over the training images when the last layer alone is trained",
    "head_rates": "learning rates that are compared when the last layer alone is trained",
    "input": "channels, height and width of the input",
    "learning_rate": "of the training",
    "mirror": "whether images are mirrored at random in training",
    "momentum": "of SGD",
    "name": "a data set as `data list` names it, or folder:PATH for class folders or a zip of your own",
    "pair_batch": "pairs of a step",
    "people": "at most so many people, none for all",
    "probe_epochs": "passes over the training images of the linear probe",
    "published": "values from the literature that are compared with",
    "seed": "of what is drawn",
    "seeds": "runs, each from another seed",
    "shift": "pixels by which images are moved at most in training",
    "size": "height and width of the images, in pixels",
    "split": "of the data set",
    "split_seed": "of the division into training, validation and test images",
    "test": "test images, as a number or a share",
    "tower_inner_folds": "folds within the training people that choose the setting",
    "weight_decay": "of the training",
    "weights": "lite0 or lite2 (come along), imagenet, file:PATH or none",
    "widths": "channels of the stages of the network",
}


def parameter_rows(analysis: Analysis[Any]) -> list[dict[str, Any]]:
    """A row a parameter: its key for --set, the default of the quick and of the full profile, its meaning."""
    quick, full = (analysis.parameters(profile) for profile in ("quick", "full"))
    meanings = dict(_meanings(type(full), ""))
    rows = []
    for key, value in _leaves(full, ""):
        last = key.rpartition(".")[2]
        in_quick = dict(_leaves(quick, "")).get(key, value)
        rows.append(
            {
                "parameter": key,
                "meaning": meanings.get(key) or COMMON.get(last) or last.replace("_", " "),
                "quick": "the same" if in_quick == value else _text(in_quick),
                "full": _text(value),
            }
        )
    return rows


def _leaves(model: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _meanings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    """By key, what the docstrings of the model and of those inside it say of each field."""
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base not in (BaseModel, Parameters):
            for names, text in _passages(inspect.getdoc(base) or "", set(model.model_fields)):
                yield from ((f"{prefix}{name}", text) for name in names)
    for name, field in model.model_fields.items():
        if field.description:
            yield f"{prefix}{name}", field.description
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _meanings(field.annotation, f"{prefix}{name}.")


def _passages(text: str, fields: set[str]) -> Iterator[tuple[list[str], str]]:
    """The passages "name, name: meaning" of a docstring."""
    flat = " ".join(text.split())
    starts = [
        (match, [name.strip() for name in match.group(1).split(",")])
        for match in re.finditer(r"(?:^|(?<=[.;:] ))(\w+(?:, \w+)*): ", flat)
    ]
    starts = [(match, names) for match, names in starts if set(names) <= fields]
    for (match, names), following in zip(starts, (*starts[1:], None), strict=False):
        end = following[0].start() if following else len(flat)
        yield names, flat[match.end() : end].strip().rstrip(".;")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value or "empty"
    if isinstance(value, dict):
        return json.dumps({key: _plain(item) for key, item in value.items()}, ensure_ascii=False)
    return "none" if value is None else json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value

"""A model that is named as a user names it, and its ledger: what `inspect` prints and an audit looks up."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from lab.inputs import Input
from lab.ledger import Ledger

if TYPE_CHECKING:
    from torch import nn


class InspectionError(Exception):
    """A model, input or counter that cannot be used."""


def ledger(
    model: str, inputs: Sequence[Input] | tuple[int, ...] | None = None, weights: Path | None = None
) -> Ledger:
    """Every layer of a named model; InspectionError for a name, an input or weights that cannot be used."""
    return load_and_count(model, inputs, weights)[1]


def load_and_count(
    model: str, inputs: Sequence[Input] | tuple[int, ...] | None = None, weights: Path | None = None
) -> tuple[nn.Module, Ledger, tuple[Input, ...]]:
    """The model, its ledger, and the inputs that were counted; errors as `ledger`."""
    from lab import models
    from lab.counting import CountError, count

    try:
        with redirect_stdout(sys.stderr):  # what the model prints is no part of a table
            network = models.load(model)
        if weights:
            models.load_weights(network, weights)
        if inputs and not isinstance(inputs[0], Input):
            inputs = (Input(tuple(inputs)),)  # type: ignore[arg-type]
        given: tuple[Input, ...] = tuple(inputs or ())  # type: ignore[arg-type]
        if not given:
            shape = models.default_input(model, network)
            if shape is None:
                raise InspectionError(
                    f"{model} does not say what input it takes; add --input, such as 3x224x224 or "
                    "ids=16:long, or give the module an attribute input_shape, such as (3, 224, 224)"
                )
            given = (Input(shape),)
        with redirect_stdout(sys.stderr):
            return network, count(network, given[0].shape, name=model, inputs=given), given
    except CountError as error:
        if type(network).__module__.startswith("torchvision.models.detection"):
            raise InspectionError(
                f"what {model} costs depends on how many proposals the picture gives: inspect {model} counts "
                "a fixed part and one a proposal"
            ) from error
        raise InspectionError(str(error)) from error
    except models.ModelError as error:
        raise InspectionError(str(error)) from error

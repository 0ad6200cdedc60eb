"""The ledger of a model that is named as a user names it: what `inspect` prints and an audit looks up."""

from __future__ import annotations

from lab.ledger import Ledger


class InspectionError(Exception):
    """A model, input or counter that cannot be used."""


def ledger(model: str, shape: tuple[int, ...] | None) -> Ledger:
    """Every layer of a named model; InspectionError for a name or an input that cannot be used."""
    from lab import models
    from lab.counting import CountError, count

    try:
        network = models.load(model)
        shape = shape or models.default_input(model, network)
        if shape is None:
            raise InspectionError(
                f"{model} does not say what input it takes; add --input, such as 3x224x224, or give the "
                "module an attribute input_shape, such as (3, 224, 224)"
            )
        return count(network, shape, name=model)
    except (models.ModelError, CountError) as error:
        raise InspectionError(str(error)) from error

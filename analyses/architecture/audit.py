"""architecture.audit: claimed numbers beside computed ones, a verdict a row.

A quantity is `analysis/metric`, or `model/layer/what` with `what` one of parameters, weights, macs,
activations, output and `total` for a layer. The built-in claims are published numbers; `audit CLAIMS.csv`
checks a reader's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

import analyses
from analyses.architecture import _layers as layers
from analyses.architecture._claims import Claim, ClaimsError, conversion, factors, holds
from analyses.architecture._claims import read as read_claims
from analyses.architecture._named import InspectionError, ledger
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab.ledger import Ledger
from results import builders
from results.schema import Column, Metric, Result, Row, Table

PUBLISHED = Path(__file__).with_name("claims.csv")
QUANTITIES = ("parameters", "weights", "macs", "activations", "output")


class AuditParameters(Parameters):
    """`recorded`: metrics of results that are recorded and up to date, which need not be computed."""

    claims: tuple[Claim, ...]
    recorded: dict[str, float] = Field(default={})


class Audit(Analysis[AuditParameters]):
    id = "architecture.audit"
    title = "Audit of published numbers"
    question = "Which published counts follow from the definition of the network that they describe?"
    analytic = True
    uses = (
        "architecture.alexnet",
        "architecture.base_networks",
        "architecture.inception",
    )

    def parameters(self, profile: Profile) -> AuditParameters:
        claims, problems = read_claims(PUBLISHED)
        if problems:
            raise ClaimsError(f"{PUBLISHED.name}:{problems[0].line}: {problems[0].text}")
        return AuditParameters(claims=claims)

    def run(self, cell: Cell, context: Context) -> Outcome:
        parameters = AuditParameters.model_validate(cell.settings)
        found = []
        for index, claim in enumerate(parameters.claims):
            context.report(index / len(parameters.claims), claim.quantity)
            if claim.quantity in parameters.recorded:
                found.append({"value": parameters.recorded[claim.quantity], "arithmetic": ""})
                continue
            try:
                found.append(_computed(claim))
            except (ClaimsError, analyses.UnknownAnalysis) as error:
                found.append({"problem": str(error)})
        return {"computed": found}

    def summarize(self, parameters: AuditParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        named = any(claim.name for claim in parameters.claims)
        columns = (
            *((Column(key="name", label="Network or layer"),) if named else ()),
            Column(key="quantity", label="Quantity", type="code"),
            Column(key="claimed", label="Claimed"),
            Column(key="computed", label="Computed"),
            Column(key="verdict", label="Verdict"),
            Column(key="tolerance", label="Tolerance"),
            Column(key="source", label="Source"),
        )
        rows = []
        for claim, found in zip(parameters.claims, outcomes["all"]["computed"], strict=True):
            value = found.get("value")
            verdict = (
                "cannot be checked" if value is None else "holds" if holds(claim, value) else "does not hold"
            )
            cells = {
                "name": claim.name,
                "quantity": claim.quantity + (f" at {claim.input}" if claim.input else ""),
                "claimed": claim.text if _keeps_its_writing(claim) else _text(claim.claimed),
                "computed": "" if value is None else _converted(claim, value),
                "verdict": verdict,
                "tolerance": _tolerance(claim.tolerance),
                "source": found.get("problem", claim.source),
            }
            arithmetic = {"computed": found["arithmetic"]} if found.get("arithmetic") else {}
            rows.append(
                Row(cells={key: value for key, value in cells.items() if value}, arithmetic=arithmetic)
            )
        holding = sum(row.cells["verdict"] == "holds" for row in rows)
        metrics = {
            "claims_checked": builders.metric(len(rows), "Claims checked"),
            "claims_holding": builders.metric(holding, "Claims that hold"),
        }
        findings = {
            "every_claim_holds": builders.statement(
                "Every claim holds within its tolerance",
                holding == len(rows),
                "claims_checked",
                "claims_holding",
            )
        }
        table = Table(
            caption="Claimed numbers beside computed ones: what the source prints, and what we count of the "
            "network or layer. Tolerance: the largest deviation at which a claim holds.",
            columns=columns,
            rows=tuple(rows),
            notes=(
                "A claim without a tolerance must equal the computed number, rounded to the digits of "
                "the claim.",
            ),
        )
        return Summary(metrics, {"claims": table}, {}, findings)


def verdicts(result: Result, claims: Sequence[Claim] = ()) -> list[dict[str, Any]]:
    """The audit as data: quantity, claimed, computed, holds; the line, where the claims are given."""
    rows = result.tables["claims"].rows
    origins = [{"line": claim.line, "source": claim.source} for claim in claims] or [{} for _ in rows]
    return [
        {
            "quantity": row.cells["quantity"],
            "claimed": _plain(row.cells["claimed"]),
            "computed": _plain(row.cells.get("computed")),
            "arithmetic": row.arithmetic.get("computed", ""),
            "holds": row.cells["verdict"] == "holds",
            "verdict": row.cells["verdict"],
            "problem": row.cells["source"] if row.cells["verdict"] == "cannot be checked" else "",
            **more,
        }
        for row, more in zip(rows, origins, strict=True)
    ]


def _plain(text: Any) -> Any:
    """A number written out, as one."""
    try:
        value = float(str(text).replace(",", ""))
    except ValueError:
        return text
    return int(value) if value.is_integer() else value


def _tolerance(written: str) -> str:
    """A share as it is written; a number as the claimed ones are."""
    return written if not written or written.endswith("%") else _text(float(written))


def _keeps_its_writing(claim: Claim) -> bool:
    """A number that is only written out otherwise (6e7) is shown as the computed ones are."""
    if isinstance(claim.claimed, str):
        return False
    return bool(claim.text) and (claim.low is not None or bool(re.search(r"[^\W\de_]|%", claim.text.lower())))


def _text(value: float | str) -> str:
    if isinstance(value, str):
        return "×".join(value.lower().replace("×", "x").replace(" ", "").split("x"))
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,}"


def _converted(claim: Claim, value: float | str) -> str:
    """The computed value, and what it is in the claim's unit."""
    if isinstance(value, str) or not conversion(claim):
        return _text(value)
    text = f"{_text(round(value * factors(claim)[0], 6))} {claim.unit}: {conversion(claim)}"
    meant = claim.model_copy(update={"unit": ""})
    if claim.unit == "flops" and holds(meant, value) and not holds(claim, value):
        text += "; as multiply–accumulates the claim would hold"
    return f"{_text(value)} ({text})"


def recorded(
    claims: Sequence[Claim], metrics: Callable[[str], Mapping[str, Metric] | None]
) -> dict[str, float]:
    """Of the quantities, those that are metrics of results at hand; `metrics` gives those of an analysis."""
    found = {}
    for claim in claims:
        identifier, _, name = claim.quantity.partition("/")
        if identifier in analyses.identifiers() and (known := metrics(identifier)) and name in known:
            value = known[name].value
            if value is not None:
                found[claim.quantity] = float(value)
    return found


def _computed(claim: Claim) -> dict[str, Any]:
    quantity = claim.quantity
    identifier, _, name = quantity.partition("/")
    if identifier in analyses.identifiers():
        return _metric(identifier, name)
    parts = quantity.rsplit("/", 2)
    if len(parts) == 2:
        return _metric(*parts)
    if len(parts) < 3:
        raise ClaimsError(
            f"the quantity {quantity!r} is neither analysis/metric nor model/layer/what; "
            "an example is vgg19/total/macs"
        )
    model, layer, what = parts
    return _count(model, layer, what, claim.input)


def _metric(identifier: str, name: str) -> dict[str, Any]:
    """A metric of an analytic analysis, computed now: an audit never checks a claim against an old file."""
    analysis = analyses.get(identifier)
    if not analysis.analytic:
        raise ClaimsError(
            f"{identifier} is an experiment of which no result is recorded; an audit computes "
            f"only what is exact"
        )
    metrics = _metrics(identifier)
    if name not in metrics:
        raise ClaimsError(f"{identifier} has no metric {name!r}{analyses.nearest(name, list(metrics))}")
    return {"value": metrics[name].value, "arithmetic": metrics[name].arithmetic}


@cache
def _metrics(identifier: str) -> Mapping[str, Metric]:
    analysis = analyses.get(identifier)
    parameters = analysis.parameters("full")
    outcomes = {cell.id: analysis.run(cell, Context()) for cell in analysis.plan(parameters)}
    return analysis.summarize(parameters, outcomes).metrics


def _count(model: str, layer_name: str, what: str, size: str) -> dict[str, Any]:
    if what not in QUANTITIES:
        raise ClaimsError(
            f"{what!r} of {model}/{layer_name}/{what} is none of {', '.join(QUANTITIES)}"
            f"{analyses.nearest(what, list(QUANTITIES))}"
        )
    if (layer_name, what) == ("total", "parameters") and not size:
        return {
            "value": _parameters(model),
            "arithmetic": "",
        }  # of a detector too, whose forward has no count
    found = _ledger(model, size)
    if layer_name == "total":
        if what == "output":
            shapes = [layer for layer in found.layers if layer.output_shape]
            return {"value": layers.output_text(shapes[-1]), "arithmetic": ""}
        partial = found.uncounted if what in ("macs", "activations") else ()
        if partial:
            raise ClaimsError(
                f"the {what} of {model} leave out {', '.join(partial)}, so no claim can be checked"
            )
        return {"value": getattr(found, what), "arithmetic": ""}
    try:
        layer = found.layer(layer_name)
    except KeyError:
        names = [layer.name for layer in found.layers]
        raise ClaimsError(
            f"{model} has no layer {layer_name!r}{analyses.nearest(layer_name, ['total', *names])}"
        ) from None
    if what == "output":
        return {"value": layers.output_text(layer), "arithmetic": ""}
    arithmetic = layer.arithmetic.get(what, "")
    if what == "parameters" and layer.weights and layer.biases:
        arithmetic = f"{layer.arithmetic['weights']} + {layer.arithmetic['biases']}"
    return {"value": getattr(layer, what), "arithmetic": arithmetic}


@cache
def _network(model: str) -> tuple[str, Any]:
    """The model's name as it is known (ResNet-50 is resnet50), and the model."""
    from lab import models

    try:
        try:
            return model, models.load(model)
        except models.ModelError:
            known = {_bare(name): name for name in models.all_names()}
            if _bare(model) not in known:
                raise
            return known[_bare(model)], models.load(known[_bare(model)])
    except models.ModelError as error:
        raise ClaimsError(str(error)) from error


def _bare(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


@cache
def _parameters(model: str) -> int:
    return sum(parameter.numel() for parameter in _network(model)[1].parameters())


@cache
def _ledger(model: str, size: str) -> Ledger:
    from lab.inputs import InputError, parse

    try:
        return ledger(_network(model)[0], (parse(size),) if size else None)
    except InputError as error:
        raise ClaimsError(str(error).removeprefix("--input ")) from error
    except InspectionError as error:
        raise ClaimsError(str(error)) from error


analysis = Audit()

"""architecture.audit: claimed numbers beside computed ones, a verdict a row.

A quantity is `analysis/metric`, or `model/layer/what` with `what` one of parameters, weights, macs,
activations, output and `total` for a layer. The built-in claims are published numbers; `audit CLAIMS.csv`
checks a reader's own.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from math import inf, isclose, isfinite
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

import analyses
from analyses.architecture import _layers as layers
from analyses.architecture._named import InspectionError, ledger
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab.ledger import Ledger
from results.schema import Column, Finding, Metric, Result, Row, Table

PUBLISHED = Path(__file__).with_name("claims.csv")
REQUIRED = ("quantity", "claimed")
OPTIONAL = ("tolerance", "source")
QUANTITIES = ("parameters", "weights", "macs", "activations", "output")


class ClaimsError(Exception):
    """A claims file that cannot be used, or a quantity that is not known."""


class Claim(BaseModel):
    """`claimed` is a number, or a shape such as 55x55x96; `tolerance` absolute, or relative with a %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: str
    claimed: float | str
    tolerance: str = ""
    source: str = ""


class AuditParameters(Parameters):
    claims: tuple[Claim, ...]


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
        return AuditParameters(claims=read_claims(PUBLISHED))

    def run(self, cell: Cell, context: Context) -> Outcome:
        parameters = AuditParameters.model_validate(cell.settings)
        found = []
        for index, claim in enumerate(parameters.claims):
            context.report(index / len(parameters.claims), claim.quantity)
            found.append(_computed(claim.quantity))
        return {"computed": found}

    def summarize(self, parameters: AuditParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        columns = (
            Column(key="quantity", label="Quantity", type="code"),
            Column(key="claimed", label="Claimed"),
            Column(key="computed", label="Computed"),
            Column(key="verdict", label="Verdict"),
            Column(key="tolerance", label="Tolerance"),
            Column(key="source", label="Source"),
        )
        rows = []
        for claim, found in zip(parameters.claims, outcomes["all"]["computed"], strict=True):
            cells = {
                "quantity": claim.quantity,
                "claimed": _text(claim.claimed),
                "computed": _text(found["value"]),
                "verdict": "holds" if _holds(claim, found["value"]) else "does not hold",
                "tolerance": claim.tolerance,
                "source": claim.source,
            }
            arithmetic = {"computed": found["arithmetic"]} if found["arithmetic"] else {}
            rows.append(
                Row(cells={key: value for key, value in cells.items() if value}, arithmetic=arithmetic)
            )
        holding = sum(row.cells["verdict"] == "holds" for row in rows)
        metrics = {
            "claims_checked": Metric(value=len(rows), title="Claims checked"),
            "claims_holding": Metric(value=holding, title="Claims that hold"),
        }
        findings = {
            "every_claim_holds": Finding(
                statement="Every claim holds within its tolerance",
                holds=holding == len(rows),
                metrics=("claims_checked", "claims_holding"),
            )
        }
        table = Table(
            caption="Claimed numbers beside computed ones.",
            columns=columns,
            rows=tuple(rows),
            notes=("A claim without a tolerance must be exact.",),
        )
        return Summary(metrics, {"claims": table}, {}, findings)


def verdicts(result: Result) -> list[dict[str, Any]]:
    """The audit as data: quantity, claimed, computed, holds."""
    rows = result.tables["claims"].rows
    return [
        {
            "quantity": row.cells["quantity"],
            "claimed": _number(str(row.cells["claimed"])),
            "computed": _number(str(row.cells["computed"])),
            "arithmetic": row.arithmetic.get("computed", ""),
            "holds": row.cells["verdict"] == "holds",
        }
        for row in rows
    ]


def read_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of a CSV file; ClaimsError names the file, the line and what to do."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ClaimsError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ClaimsError(f"{path} cannot be read: {error.strerror}; name a CSV file of claims") from None
    reader = csv.DictReader(text.splitlines())
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    for name in REQUIRED:
        if name not in header:
            raise ClaimsError(
                f"{path} has no column {name!r}; its first line must be {','.join(REQUIRED)}"
                f"[,{','.join(OPTIONAL)}]"
            )
    for name in header:
        if name not in (*REQUIRED, *OPTIONAL):
            known = [*REQUIRED, *OPTIONAL]
            raise ClaimsError(f"{path} has a column {name!r}, which is none of {', '.join(known)}")
    claims = tuple(_claim(path, reader.line_num, record) for record in reader)
    if not claims:
        raise ClaimsError(f"{path} holds no claim; write one a line below the header")
    return claims


def _claim(path: Path, line: int, record: Mapping[str | None, Any]) -> Claim:
    if None in record or None in record.values():
        raise ClaimsError(
            f"{path}:{line} has not as many cells as the header; quote a cell that holds a comma"
        )
    cells = {str(key): str(value).strip() for key, value in record.items()}
    if not cells["quantity"]:
        raise ClaimsError(f"{path}:{line} names no quantity")
    claimed = _number(cells["claimed"])
    if isinstance(claimed, str) and not all(part.isdigit() for part in _dimensions(claimed)):
        raise ClaimsError(f"{path}:{line}: {claimed!r} is neither a number nor a shape such as 55x55x96")
    if isinstance(claimed, float) and not isfinite(claimed):
        raise ClaimsError(f"{path}:{line}: {cells['claimed']!r} is no number that could hold")
    tolerance = cells.get("tolerance", "")
    if tolerance:
        try:
            usable = 0 <= float(tolerance.removesuffix("%")) < inf
        except ValueError:
            usable = False
        if not usable:
            raise ClaimsError(
                f"{path}:{line}: the tolerance {tolerance!r} is no number from 0 and no percentage like 1%"
            )
    return Claim(
        quantity=cells["quantity"], claimed=claimed, tolerance=tolerance, source=cells.get("source", "")
    )


def _number(text: str) -> int | float | str:
    """ "61,100,840" and "6.1e7" are numbers; what is none stays text."""
    plain = text.replace(",", "").replace("_", "").replace(" ", "")
    try:
        value = float(plain)
    except ValueError:
        return text
    return int(value) if isfinite(value) and value.is_integer() else value


def _dimensions(text: str) -> list[str]:
    return text.lower().replace("×", "x").replace(" ", "").split("x")


def _shape(value: float | str) -> list[str]:
    return _dimensions(value) if isinstance(value, str) else [f"{value:g}"]


def _text(value: float | str) -> str:
    if isinstance(value, str):
        return "×".join(_dimensions(value))
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,}"


def _holds(claim: Claim, computed: float | str) -> bool:
    if isinstance(computed, str) or isinstance(claim.claimed, str):
        return _shape(claim.claimed) == _shape(computed)
    if claim.tolerance.endswith("%"):
        return isclose(claim.claimed, computed, rel_tol=float(claim.tolerance[:-1]) / 100)
    return abs(claim.claimed - computed) <= float(claim.tolerance or 0)


def _computed(quantity: str) -> dict[str, Any]:
    parts = quantity.split("/")
    if len(parts) == 2:
        return _metric(*parts)
    if len(parts) < 3:
        raise ClaimsError(
            f"the quantity {quantity!r} is neither analysis/metric nor model/layer/what; "
            "an example is vgg19/total/macs"
        )
    return _count("/".join(parts[:-2]), parts[-2], parts[-1])


def _metric(identifier: str, name: str) -> dict[str, Any]:
    """A metric of an analytic analysis, computed now: an audit never checks a claim against an old file."""
    analysis = analyses.get(identifier)
    if not analysis.analytic:
        raise ClaimsError(f"{identifier} is an experiment; an audit checks only what can be computed exactly")
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


def _count(model: str, layer_name: str, what: str) -> dict[str, Any]:
    if what not in QUANTITIES:
        raise ClaimsError(
            f"{what!r} of {model}/{layer_name}/{what} is none of {', '.join(QUANTITIES)}"
            f"{analyses.nearest(what, list(QUANTITIES))}"
        )
    found = _ledger(model)
    if layer_name == "total":
        if what == "output":
            shapes = [layer.output_shape for layer in found.layers if layer.output_shape]
            return {"value": layers.shape_text(shapes[-1]), "arithmetic": ""}
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
        return {"value": layers.shape_text(layer.output_shape), "arithmetic": ""}
    arithmetic = layer.arithmetic.get(what, "")
    if what == "parameters" and layer.weights and layer.biases:
        arithmetic = f"{layer.arithmetic['weights']} + {layer.arithmetic['biases']}"
    return {"value": getattr(layer, what), "arithmetic": arithmetic}


@cache
def _ledger(model: str) -> Ledger:
    try:
        return ledger(model, None)
    except InspectionError as error:
        raise ClaimsError(str(error)) from error


analysis = Audit()

"""Models of timm counted the way that its published table of inference benchmarks was measured.

The table holds millions of parameters, GMACs and millions of activations, with two decimals: fvcore's counts,
of attention that is not fused, and of some networks after their branches were fused into single convolutions.
Activations are fvcore's too: the outputs of convolutions, linear layers and matrix products.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

REVISION = 1

COLUMNS = ("model", "infer_img_size", "param_count", "infer_gmacs", "infer_macts")
LARGEST_FUSED = 500_000_000  # parameters: fusing needs real numbers in memory


class TableError(ValueError):
    """A table that cannot be read."""


@dataclass(frozen=True)
class Published:
    """One row of the table: parameters and activations in millions, MACs in thousands of millions."""

    model: str
    size: int
    parameters: float
    gmacs: float | None
    activations: float | None


def read_table(path: Path) -> list[Published]:
    """The rows of timm's results folder; TableError names the file, the line and what is wrong."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path} cannot be read as a table: {error}") from None
    reader = csv.DictReader(lines)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise TableError(f"{path} has no column {missing[0]}; it must be a results file of timm")
    rows = []
    for record in reader:
        try:
            rows.append(
                Published(
                    record["model"],
                    int(record["infer_img_size"]),
                    float(record["param_count"]),
                    *(float(record[key]) if record[key] else None for key in COLUMNS[3:]),
                )
            )
        except (TypeError, ValueError) as error:
            needed = ", ".join(COLUMNS)
            raise TableError(f"{path}:{reader.line_num}: {error}; a row needs {needed}") from None
    return rows


def counted(published: Published) -> dict[str, Any]:
    """Our counts of the model at the published size, and as fused where the plain ones do not give the
    published figures; `error` in place of what could not be counted."""
    started = time.process_time()
    found: dict[str, Any] = {}
    try:
        found["plain"], channels, for_size = _plain(published)
        if for_size:
            found["built_for"] = published.size
        if not matches(published, found["plain"]) and found["plain"]["parameters"] < LARGEST_FUSED:
            fused = _fused(published, for_size)
            if fused is not None:
                counts = _counts(fused, (channels, published.size, published.size))
                if {**counts, "kinds": 0} != {**found["plain"], "kinds": 0}:
                    found["fused"] = counts
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return {**found, "seconds": round(time.process_time() - started, 3)}


def as_published(counts: Mapping[str, Any], outer: int = 0) -> tuple[float, float, float]:
    """Parameters (M), GMACs and activations (M) as fvcore counts them.

    `outer` are the outputs of outer products, activations that hardly add MACs: fvcore's rule for matrix
    products reads the first factor's shape, before it is broadcast.
    """
    macs = counts["macs"] + sum(counts["reasons"].values())
    return counts["parameters"] / 1e6, macs / 1e9, (counts["activations"] + outer) / 1e6


def agrees(ours: float, published: float | None) -> bool:
    """To the two decimals that are published; a half may be rounded either way."""
    return published is None or abs(ours - published) <= 0.005 + 1e-6


def matches(published: Published, counts: Mapping[str, Any], outer: int = 0) -> bool:
    ours = as_published(counts, outer)
    figures = (published.parameters, published.gmacs, published.activations)
    return all(agrees(a, b) for a, b in zip(ours, figures, strict=True))


def _plain(published: Published) -> tuple[dict[str, Any], int, bool]:
    """The counts of the model, its input channels, and whether it had to be built for the size."""
    import timm
    from timm.layers.config import set_fused_attn

    from lab import models
    from lab.counting import CountError

    set_fused_attn(False)
    model = models.load(f"timm:{published.model}").eval()
    channels = int(model.pretrained_cfg.get("input_size", (3,))[0])  # type: ignore[union-attr, operator]
    shape = (channels, published.size, published.size)
    try:
        return _counts(model, shape), channels, False
    except CountError:
        made = timm.create_model(published.model, img_size=published.size).eval().to("meta")
        return _counts(made, shape), channels, True


def _fused(published: Published, for_size: bool) -> Any:
    """The model after timm has fused its branches; None where it has nothing to fuse, or cannot."""
    import timm
    from timm.utils.model import reparameterize_model

    from lab.models import uninitialised

    options: dict[str, Any] = {"img_size": published.size} if for_size else {}
    try:
        with uninitialised():
            return reparameterize_model(timm.create_model(published.model, **options).eval(), inplace=True)
    except Exception:  # some definitions cannot be fused; their plain counts stand alone
        return None


def _counts(model: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    from lab.counters import RECURRENT, conventions
    from lab.counting import count

    ledger = count(model, shape)
    kinds: dict[str, int] = {}
    for layer in ledger.layers:
        for kind, macs in layer.macs_by_class.items():
            kinds[kind] = kinds.get(kind, 0) + macs
    return {
        "parameters": ledger.parameters,
        "macs": ledger.macs,
        "activations": sum(
            prod(layer.output_shape)
            for layer in ledger.layers
            if layer.macs
            and layer.output_shape
            and "attention" not in layer.macs_by_class
            and layer.kind not in RECURRENT
            and not isinstance(layer.padding, str)
        ),
        "reasons": conventions(ledger, "fvcore"),
        "rotary": _rotary(model),
        "kinds": kinds,
        "uncounted": list(ledger.uncounted),
    }


def _rotary(model: Any) -> int:
    """Outputs of the outer products of mixed rotary positions, where they are written as matrix products:
    one for every frequency and token."""
    return sum(
        module.freqs.numel() * model.patch_embed.num_patches
        for module in model.modules()
        if type(module).__name__ == "RotaryEmbeddingMixed"
    )

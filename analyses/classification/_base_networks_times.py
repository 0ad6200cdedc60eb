"""How long the base networks take: a forward pass, and its layers by kind."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

from analyses import experiments
from analyses.classification._base_networks_settings import NETWORKS, BaseNetworksParameters
from analyses.plugin import Context, Outcome
from results import builders
from results.schema import Metric, Table
from results.text import counted

DENSE = "convolution"  # larger than 1×1 and of all channels
DEPTHWISE = "depthwise convolution"
WITHOUT = ("batch norm", "other layers")  # kinds of layer that multiply nothing, or next to nothing
WORDS = {"other layers": "Activations and pooling"}  # what a kind is called in a table
Times = Mapping[str, Mapping[str, Mapping[str, float]]]  # by network and kind of layer


def layer_times(name: str, batch: int, repeats: int, context: Context) -> Outcome:
    """Times and multiplications of the layers of a network, by their kind; its weights do not matter."""
    import torch

    from lab.layer_times import by_kind

    model = experiments.network(name, {}, 10)
    shape = (batch, *cast("tuple[int, ...]", model.input_shape))
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(context.device)
    images = images.contiguous(memory_format=torch.channels_last)
    model = model.to(context.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    kinds = by_kind(model, images, repeats)
    return {"kinds": {kind: {"ms": one.ms, "macs": one.multiplications} for kind, one in kinds.items()}}


def forward_ms(model: Any, data: Any, batch: int, repeats: int) -> float:
    """Time of one forward pass of `batch` test images in float32: the shortest of `repeats`, as other work on
    the machine can only lengthen one.
    """
    import torch

    images = data.normalised(data.test.images[:batch])
    cuda = images.device.type == "cuda"
    times = []
    with torch.no_grad():
        for _ in range(repeats):
            started = time.perf_counter()
            model(images)
            if cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
    return 1000 * min(times)


def time_metrics(times: Times) -> dict[str, Metric]:
    metrics = {}
    for name, kinds in times.items():
        whole = sum(one["ms"] for one in kinds.values())
        rest = sum(one["ms"] for kind, one in kinds.items() if kind in WITHOUT)
        metrics[f"time/{name}/without_multiplications"] = builders.metric(
            rest / whole,
            f"Share of a forward pass in batch norm, activations and pooling, {NETWORKS[name]}",
            builders.FRACTION,
        )
        metrics[f"time/{name}/without_multiplications_ms"] = builders.metric(
            rest, f"Time of a forward pass in batch norm, activations and pooling, {NETWORKS[name]}", "ms"
        )
        dense = kinds[DENSE]["ms"] if DENSE in kinds else 0.0
        metrics |= builders.metrics(
            f"time/{name}/",
            f", {NETWORKS[name]}",
            dense_ms=(dense, "Time of a forward pass in ordinary convolutions", "ms"),
            dense_ms_share=(
                dense / whole,
                "Share of a forward pass in ordinary convolutions",
                builders.FRACTION,
            ),
            largest_ms=(max(one["ms"] for one in kinds.values()), "Time of the slowest kind of layer", "ms"),
        )
        depthwise = kinds.get(DEPTHWISE)
        if depthwise:
            multiplied = sum(one["macs"] for one in kinds.values())
            for key, share, what in (
                ("ms", depthwise["ms"] / whole, "a forward pass"),
                ("macs", depthwise["macs"] / multiplied, "the multiplications"),
            ):
                metrics[f"time/{name}/depthwise_{key}_share"] = builders.metric(
                    share, f"Share of {what} in depthwise convolutions, {NETWORKS[name]}", builders.FRACTION
                )
        metrics[f"time/{name}/multiplications"] = builders.metric(
            sum(int(one["macs"]) for kind, one in kinds.items() if "convolution" in kind),
            f"Multiplications in the convolutions, {NETWORKS[name]}",
            "MACs",
        )
        metrics[f"time/{name}/ms"] = builders.metric(
            whole, f"Sum of the times of all layers, {NETWORKS[name]}", "ms"
        )
    if set(times) == set(NETWORKS):
        for key, title in (("ms", "Time of the layers"), ("multiplications", "Multiplications")):
            one, other = (metrics[f"time/{name}/{key}"].value for name in ("convnet", "mobilenet"))
            metrics[f"time/{key}_saving"] = builders.metric(
                one / other, f"{title} of the ConvNet ÷ those of the MobileNet-like network"
            )
    return metrics


def time_table(times: Times, parameters: BaseNetworksParameters) -> Table:
    """A row a kind of layer, the slowest of all networks first; a network without it has no numbers there."""
    kinds = {
        kind: max(found[kind]["ms"] for found in times.values() if kind in found) for kind in _kinds(times)
    }
    rows: list[dict[str, builders.Cell]] = []
    for kind in sorted(kinds, key=lambda name: -kinds[name]):
        row: dict[str, builders.Cell] = {"kind": WORDS.get(kind, kind[0].upper() + kind[1:])}
        for name, found in times.items():
            if kind in found:
                row |= {f"{name}_macs": found[kind]["macs"] or None, f"{name}_ms": found[kind]["ms"]}
        rows.append(row)
    total: dict[str, builders.Cell] = {"kind": "Total"}
    for name, found in times.items():
        for key in ("macs", "ms"):
            total[f"{name}_{key}"] = sum(one[key] for one in found.values())
    return builders.table(
        "Multiplications per image (millions) and time of a forward pass (ms) by kind of layer of the base "
        f"networks, for {parameters.timed_batch} images in float32 on one CPU thread. The time of each layer "
        f"is the shortest of {counted(parameters.timed_repeats, 'passes')}. The total includes the linear "
        "layer.",
        {
            "kind": builders.text("Layers"),
            **{
                key: column
                for name in times
                for key, column in (
                    (f"{name}_macs", builders.number(f"{NETWORKS[name]}, millions", ".2f", scale=1e-6)),
                    (f"{name}_ms", builders.number("ms", ".1f")),
                )
            },
        },
        rows,
        total=total,
    )


def _kinds(times: Times) -> dict[str, None]:
    """The kinds of layer of any network."""
    return {kind: None for found in times.values() for kind in found}

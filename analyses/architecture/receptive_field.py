"""architecture.receptive_field: what a stack of convolutions sees, by formula and by gradient."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from analyses.architecture import _layers as layers
from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from lab import formulas
from results import builders
from results.schema import Axis, Heatmap, Table

STACKS = "stacks"


class ReceptiveFieldParameters(Parameters):
    """`networks`: model → the module that gives its last map. The probe's image is tall and thin: the field
    is measured along its height, at twice the field and more, so that no border cuts it off."""

    stacks: int = 60
    deepest_stack: int = 5
    largest_filter: int = 7
    largest_stride: int = 3
    largest_dilation: int = 3
    seed: int = 0
    margin: int = 2  # pixels drawn around the field
    networks: dict[str, str] = Field(
        default={
            "alexnet": "features",
            "vgg19": "features",
            "googlenet": "inception5b",
            "inception_v3": "Mixed_7c",
            "resnet18": "layer4",
            "resnet50": "layer4",
        }
    )
    input: tuple[int, int, int] = (3, 299, 299)
    probe_width: int = 96


class ReceptiveField(Analysis[ReceptiveFieldParameters]):
    id = "architecture.receptive_field"
    title = "Receptive fields"
    question = "What part of the input can one unit see, and do formula and gradient agree?"
    analytic = True

    def parameters(self, profile: Profile) -> ReceptiveFieldParameters:
        return ReceptiveFieldParameters()

    def plan(self, parameters: ReceptiveFieldParameters) -> list[Cell]:
        settings = parameters.model_dump(mode="json")
        networks = [Cell(name, settings) for name in parameters.networks]
        return [Cell(STACKS, settings, seed=parameters.seed), *networks]

    def run(self, cell: Cell, context: Context) -> Outcome:
        parameters = ReceptiveFieldParameters.model_validate(cell.settings)
        if cell.id != STACKS:
            return _network(cell.id, parameters)
        drawn = random.Random(parameters.seed)
        stacks = [_draw(drawn, parameters) for _ in range(parameters.stacks)]
        size = formulas.stacked_receptive_field([5, 5, 5])
        return {
            "stacks": [{**stack, **_compare(stack)} for stack in stacks],
            "three_5x5": _compare(_plain(5, 5, 5)),
            "5x5_then_3x3": _compare(_plain(5, 3)),
            "support": _support(_plain(5, 5, 5), size + 2 * parameters.margin, parameters.margin),
        }

    def summarize(self, parameters: ReceptiveFieldParameters, outcomes: Mapping[str, Outcome]) -> Summary:
        found = outcomes[STACKS]
        agreeing = sum(stack["formula"] == stack["gradient"] for stack in found["stacks"])
        networks = {name: outcomes[name] for name in parameters.networks}
        networks_agreeing = sum(entry["walk"] == entry["gradient"] for entry in networks.values())
        metrics = {
            "three_5x5": builders.metric(
                found["three_5x5"]["formula"],
                "Side of the receptive field of three 5×5 convolutions",
                "pixels",
                arithmetic="3·5 - 3 + 1",
            ),
            "5x5_then_3x3": builders.metric(
                found["5x5_then_3x3"]["formula"],
                "Side of the receptive field of a 5×5, then a 3×3 convolution",
                "pixels",
                arithmetic="1 + (5 - 1) + (3 - 1)",
            ),
            "stacks_checked": builders.metric(len(found["stacks"]), "Random stacks checked by gradients"),
            "stacks_agreeing": builders.metric(agreeing, "Random stacks on which formula and gradient agree"),
            "deepest_stack": builders.metric(
                max(len(stack["kernels"]) for stack in found["stacks"]), "Layers of the deepest stack"
            ),
            "networks_checked": builders.metric(len(networks), "Networks checked by gradients"),
            "networks_agreeing": builders.metric(
                networks_agreeing, "Networks on which walk and gradient agree"
            ),
        }
        findings = {
            "stacks_agree": builders.statement(
                "Formula and gradient agree to the pixel on every random stack",
                agreeing == len(found["stacks"])
                and all(
                    found[name]["formula"] == found[name]["gradient"]
                    for name in ("three_5x5", "5x5_then_3x3")
                ),
                "stacks_checked",
                "stacks_agreeing",
            ),
            "networks_agree": builders.statement(
                "Walk and gradient agree to the pixel on every network",
                networks_agreeing == len(networks),
                "networks_checked",
                "networks_agreeing",
            ),
        }
        figures = {"support": _heatmap(found["support"])}
        return Summary(metrics, {"networks": _table(networks, parameters.input)}, figures, findings)


def _plain(*kernels: int) -> dict[str, Any]:
    return {"kernels": list(kernels), "strides": [1] * len(kernels), "dilations": [1] * len(kernels)}


def _draw(drawn: random.Random, parameters: ReceptiveFieldParameters) -> dict[str, Any]:
    depth = range(drawn.randint(1, parameters.deepest_stack))
    return {
        "kernels": [drawn.randint(1, parameters.largest_filter) for _ in depth],
        "strides": [drawn.randint(1, parameters.largest_stride) for _ in depth],
        "dilations": [drawn.randint(1, parameters.largest_dilation) for _ in depth],
    }


def _gradient(stack: Mapping[str, list[int]], width: int, unit: int | None) -> Any:
    """Gradient of one output unit with respect to an input (width, width); `unit` None for the middle one."""
    import torch
    from torch import nn

    network = nn.Sequential(
        *(
            nn.Conv2d(1, 1, kernel, stride, dilation=dilation, bias=False, dtype=torch.float64)
            for kernel, stride, dilation in zip(
                stack["kernels"], stack["strides"], stack["dilations"], strict=True
            )
        )
    )
    for weight in network.parameters():
        nn.init.constant_(weight, 1 / weight.numel())
    image = torch.zeros(1, 1, width, width, dtype=torch.float64, requires_grad=True)
    output = network(image)[0, 0]
    place = output.shape[0] // 2 if unit is None else unit
    (gradient,) = torch.autograd.grad(output[place, place], image)
    return gradient[0, 0]


def _compare(stack: Mapping[str, list[int]]) -> dict[str, int]:
    """The side by the formula, and the extent of the gradient of the first unit, in pixels."""
    side = formulas.stacked_receptive_field(stack["kernels"], stack["strides"], stack["dilations"])
    columns = _gradient(stack, side + 3, 0).abs().sum(dim=0).nonzero().flatten()
    return {"formula": side, "gradient": int(columns.max() - columns.min()) + 1}


def _support(stack: Mapping[str, list[int]], width: int, margin: int) -> list[list[float]]:
    """The gradient of the middle unit, as shares of its largest value."""
    gradient = _gradient(stack, width, None)
    shares: list[list[float]] = (gradient / gradient.max()).round(decimals=4).tolist()
    return shares


def _network(name: str, parameters: ReceptiveFieldParameters) -> Outcome:
    """The receptive field of the last map, by our walk and by gradients."""
    from lab import models
    from lab.counting import count
    from lab.probe import probe

    module = parameters.networks[name]
    ledger = count(models.load(name), parameters.input, name=name)
    last = [layer for layer in ledger.layers if layer.name.startswith(module)][-1]
    if last.receptive_field is None or isinstance(last.receptive_field, str):
        raise ValueError(f"{name}/{last.name} has no local receptive field")
    walk = last.receptive_field.size[0]
    image = (parameters.input[0], 3 * walk, parameters.probe_width)
    return {
        "layer": module,
        "walk": walk,
        "jump": last.receptive_field.jump[0],
        "map": layers.shape_text(last.output_shape),
        "gradient": probe(models.load(name), image, module)[0][1],
    }


def _table(networks: Mapping[str, Outcome], size: Sequence[int]) -> Table:
    return builders.table(
        "Receptive field of the last feature map, counted over the branches and by gradients. Shapes are "
        f"those for an image of {'×'.join(map(str, (*size[1:], size[0])))}.",
        {
            "network": builders.code("Network"),
            "layer": builders.code("Last map"),
            "map": builders.shape("Shape"),
            "walk": builders.integer("Counted", "pixels"),
            "gradient": builders.integer("Gradient", "pixels"),
            "jump": builders.integer("Jump", "pixels"),
        },
        [
            {
                "network": name,
                **{key: entry[key] for key in ("layer", "map", "walk", "gradient", "jump")},
            }
            for name, entry in networks.items()
        ],
        notes=(
            "The jump is the distance in the input between neighbouring units. Gradients are taken on images "
            "that are three times as high as the counted field, so that no border cuts it off, with maxima "
            "replaced by averages and without activation functions.",
        ),
    )


def _heatmap(support: list[list[float]]) -> Heatmap:
    side = len(support)
    seen = sum(any(row) for row in support)
    ticks = tuple(str(index - side // 2) for index in range(side))
    return Heatmap(
        caption="What a unit after three 5×5 convolutions sees: the gradient of its value for every pixel, "
        "as a share of the largest, with equal weights in every filter, on a logarithmic scale. It vanishes "
        f"outside a square of side {seen}.",
        alt=f"A map of {side} by {side} pixels. The gradient is largest at the centre, falls towards the "
        f"edges, and vanishes outside a square of side {seen}.",
        x=Axis(label="Column from the centre", categories=ticks),
        y=Axis(label="Row from the centre", categories=ticks),
        values=tuple(tuple(row) for row in support),
        value_label="Gradient, share of the largest",
        scale="log",
    )


analysis = ReceptiveField()

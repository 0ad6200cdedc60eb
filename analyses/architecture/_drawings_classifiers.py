"""Drawings of the networks that classify."""

from __future__ import annotations

from typing import Any

from analyses.architecture._drawings_blocks import arrows_of, block_of, chain, on_meta, row_of
from results.schema import Block, Network, NetworkPanel


def alexnet_and_vgg() -> Network:
    from torchvision.models import vgg19

    from lab.graph import trace
    from lab.networks import alexnet

    vgg = trace(on_meta(vgg19), (3, 224, 224), "VGG-19")
    stage, names = 1, {}
    within = 0
    for layer in vgg.ledger.layers:
        if layer.kind == "Conv2d":
            within += 1
            names[layer.name] = f"conv{stage}_{within}"
        elif layer.kind == "MaxPool2d":
            names[layer.name] = f"pool{stage}"
            stage, within = stage + 1, 0
    names |= {"avgpool": "", "classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8"}
    two_gpus = trace(on_meta(alexnet.two_gpus), (3, 227, 227), "AlexNet")
    return Network(
        form="volumes",
        caption="AlexNet (above) and VGG-19 (below). A slab is the output of a layer: its height stands for "
        "the side of the map and its width for the number of channels, both on logarithmic scales. Size, "
        "channels and parameters (with biases) are given below each layer.",
        alt="Two rows of slabs that become lower and wider from left to right.",
        panels=(row_of(two_gpus, "AlexNet"), row_of(vgg, "VGG-19", names)),
    )


def lenet() -> Network:
    from lab.graph import trace
    from lab.networks.lenet import LeNet

    return Network(
        form="volumes",
        caption="The LeNet-like network. A slab is the output of a layer: height stands for the side of the "
        "map, width for the number of channels, both on logarithmic scales.",
        alt="A row of slabs: three convolutions, each followed by a pool, and two dense layers.",
        panels=(row_of(trace(on_meta(LeNet), (3, 32, 32), "LeNet")),),
    )


def designs() -> Network:
    from lab.graph import trace
    from lab.networks.cifar import NormalisedLeNet, WhitenedNetwork

    first = trace(on_meta(NormalisedLeNet), (3, 32, 32), "A")
    second = trace(on_meta(WhitenedNetwork), (3, 32, 32), "B")
    return Network(
        form="volumes",
        caption="The two designs for CIFAR-10: A, the normalised LeNet-like network, and B, the whitened "
        "network. Height stands for the side of the map, width for the number of channels.",
        alt="Two rows of slabs; the second has seven convolutions and no hidden dense layer.",
        panels=(
            row_of(first, "A: normalised LeNet-like network"),
            row_of(second, "B: whitened network", {"whitening": "whitening", "pool": "pool4"}),
        ),
    )


def stages() -> Network:
    """One stage of each of the three base networks."""
    from lab.graph import grouped, trace
    from lab.networks import base

    inputs, outputs, side = 32, 64, 16
    panels = []
    for stage, title in ((base.plain, "plain"), (base.separable, "separable"), (base.Residual, "residual")):
        graph = trace(on_meta(lambda stage=stage: stage(inputs, outputs)), (inputs, side, side))  # type: ignore[misc]
        groups = grouped(graph, ("conv", "norm", "activation", "merge"))
        blocks = [Block(id="input", kind="data", label=f"{inputs} channels")]
        for group in groups:
            block = block_of(graph, group, shape=())
            blocks.append(
                block if block.kind == "conv" else block.model_copy(update={"parameters": None, "macs": None})
            )
        panels.append(NetworkPanel(title=title, blocks=tuple(blocks), arrows=arrows_of(graph, groups)))
    return Network(
        form="graph",
        flow="down",
        caption=f"A stage of the three base networks, from {inputs} to {outputs} channels: a plain "
        "convolution, a depthwise separable one, and a residual block whose shortcut is a 1×1 convolution. "
        "Boxes of convolutions give their parameters, with biases; a batch norm has two per channel.",
        alt="Three columns of boxes; the third has a second branch that joins it at a sum.",
        panels=tuple(panels),
    )


def inception() -> Network:
    from lab.networks import inception

    width, channels, filters = inception.GOOGLENET["3b"]
    side = 32  # of the question; the paper's module sees 28×28
    assert width < side
    shape = (channels, side, side)
    naive = _inception_panel(shape, inception.naive(filters), "(a) naive")
    reduced = _inception_panel(shape, filters, "(b) with reductions")
    return Network(
        form="graph",
        flow="down",
        arrange="below",
        caption=f"An Inception module with the filters of GoogLeNet's module 3b on an input of {side}×{side}×"
        f"{channels}: (a) without reductions, (b) with 1×1 convolutions that reduce the channels before the "
        "larger filters and after the pool. The bar in a box is its share of the module's "
        "multiply–accumulates (MACs).",
        alt="Two graphs of four branches each that join in a concatenation.",
        panels=(naive, reduced),
    )


def _inception_panel(shape: tuple[int, int, int], filters: Any, title: str) -> NetworkPanel:
    from lab.graph import grouped, trace
    from lab.networks.inception import Inception

    graph = trace(on_meta(lambda: Inception(shape, filters)), shape)
    total = graph.ledger.macs
    groups = grouped(graph)
    blocks = [Block(id="input", kind="data", label="previous layer", shape=shape)]
    for group in groups:
        block = block_of(graph, group, parameters=None)
        if block.kind == "merge":
            block = block.model_copy(update={"label": "filter concatenation"})
        elif block.macs:
            block = block.model_copy(update={"share": block.macs / total})
        blocks.append(block)
    return NetworkPanel(title=title, blocks=tuple(blocks), arrows=arrows_of(graph, groups))


def dense_block() -> Network:
    """Four layers of a growth of 32 on 64 channels: the beginning of DenseNet-121's first block."""
    from torchvision.models import densenet121

    from lab.graph import trace

    graph = trace(on_meta(densenet121), (3, 224, 224))
    layers, growth = 4, 32
    blocks = [Block(id="input", kind="data", label="x0", shape=(64, 56, 56))]
    pairs = []
    for number in range(1, layers + 1):
        prefix = f"features.denseblock1.denselayer{number}."
        rows = [layer for layer in graph.ledger.layers if layer.name.startswith(prefix)]
        entering = next(layer.input_shape for layer in rows if layer.name.endswith("conv1"))
        assert entering is not None
        blocks.append(
            Block(
                id=f"H{number}",
                kind="conv",
                label=f"H{number}: {entering[0]}→{growth}",
                notes=("1×1, 3×3 conv",),
                parameters=sum(layer.parameters for layer in rows),
                macs=sum(layer.macs for layer in rows),
                row=prefix.rstrip("."),
            )
        )
        pairs += [(f"H{giver}" if giver else "input", f"H{number}") for giver in range(number)]
    blocks.append(
        Block(id="output", kind="merge", label="concatenation", shape=(64 + layers * growth, 56, 56))
    )
    pairs += [(f"H{giver}" if giver else "input", "output") for giver in range(layers + 1)]
    return Network(
        form="graph",
        flow="right",
        caption="The first four layers of a dense block of DenseNet-121. Each layer sees the concatenation "
        "of all that came before it and adds 32 channels.",
        alt="Five boxes in a row, each with arrows to all that follow.",
        panels=(NetworkPanel(blocks=tuple(blocks), arrows=chain(pairs)),),
    )

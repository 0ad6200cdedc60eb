"""architecture.drawings: how the networks of the studies are built, drawn from their counted layers.

No block is placed or labelled with a count by hand: shapes, parameters and multiply–accumulates are those of
the walk that counts every model, and the report's layout decides where blocks stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analyses.plugin import Analysis, Cell, Context, Outcome, Parameters, Profile, Summary
from results import builders
from results.schema import Arrow, Block, FeatureMap, Frame, Network, NetworkPanel

if TYPE_CHECKING:
    from torch import nn

    from lab.graph import Graph, Group

#: Ren et al. 2015, section 3.3: anchors of three areas and three shapes at a stride of 16 pixels.
ANCHOR_SIDES = (128, 256, 512)
ANCHOR_SHAPES = (0.5, 1.0, 2.0)
ANCHOR_STRIDE = 16


class Drawings(Analysis[Parameters]):
    id = "architecture.drawings"
    title = "Drawings of the networks"
    question = "How are the networks of this study built?"
    analytic = True

    def parameters(self, profile: Profile) -> Parameters:
        return Parameters()

    def run(self, cell: Cell, context: Context) -> Outcome:
        return {name: draw().model_dump(mode="json", exclude_defaults=True) for name, draw in DRAWN.items()}

    def summarize(self, parameters: Parameters, outcomes: Mapping[str, Outcome]) -> Summary:
        figures = {name: Network.model_validate(figure) for name, figure in outcomes["all"].items()}
        blocks = [block for figure in figures.values() for panel in figure.panels for block in panel.blocks]
        return Summary(
            metrics={
                "networks": builders.metric(
                    sum(len(figure.panels) for figure in figures.values()),
                    "Networks and parts of networks that are drawn",
                ),
                "blocks": builders.metric(len(blocks), "Blocks that are drawn"),
            },
            figures=dict(figures),
        )


def _on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    """A network without memory for its weights."""
    import torch

    with torch.device("meta"):
        return make().eval()


def _block_id(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in name) or "root"


def _block(graph: Graph, group: Group, **changes: Any) -> Block:
    """A group of counted layers; its main layer names it."""
    from lab.graph import kind_of, words_of

    layers = [graph.ledger.layers[at] for at in group.rows]
    main = next((one for one in layers if kind_of(one) in ("conv", "dense", "attention")), layers[0])
    rank = len(main.output_shape or ())
    shapes = [one.output_shape for one in layers if one.output_shape and len(one.output_shape) == rank]
    block = Block(
        id=_block_id(group.name),
        kind=kind_of(main),
        label=words_of(main),
        shape=shapes[-1] if shapes else (),
        parameters=sum(one.parameters for one in layers),
        macs=sum(one.macs for one in layers),
        row=layers[0].name,
    )
    return block.model_copy(update=changes)


def _arrows(graph: Graph, groups: Sequence[Group]) -> tuple[Arrow, ...]:
    from lab.graph import arrows

    return tuple(
        Arrow(source=_block_id(source), target=_block_id(target)) for source, target in arrows(graph, groups)
    )


def _chain(pairs: Iterable[tuple[str, str]], style: str = "forward") -> tuple[Arrow, ...]:
    return tuple(Arrow.model_validate({"source": a, "target": b, "style": style}) for a, b in pairs)


def _row(graph: Graph, title: str = "", names: Mapping[str, str] | None = None) -> NetworkPanel:
    """A chain of convolutions, pools and dense layers as slabs. names: of layers, "" leaves one out."""
    from lab.graph import grouped

    names = names or {}
    blocks = [Block(id="input", kind="data", label="input", shape=graph.ledger.input_shape, row="input")]
    for group in grouped(graph, ("conv", "dense", "pool")):
        label = names.get(group.name, group.name.rsplit(".", 1)[-1])
        if label:
            blocks.append(_block(graph, group, label=label))
    return NetworkPanel(title=title, blocks=tuple(blocks))


def _alexnet_and_vgg() -> Network:
    from torchvision.models import vgg19

    from lab.graph import trace
    from lab.networks import alexnet

    vgg = trace(_on_meta(vgg19), (3, 224, 224), "VGG-19")
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
    two_gpus = trace(_on_meta(alexnet.two_gpus), (3, 227, 227), "AlexNet")
    return Network(
        form="volumes",
        caption="AlexNet (above) and VGG-19 (below). A slab is the output of a layer: its height stands for "
        "the side of the map and its width for the number of channels, both on logarithmic scales. Below "
        "each stand size, channels and parameters, biases included.",
        alt="Two rows of slabs that become lower and wider from left to right.",
        panels=(_row(two_gpus, "AlexNet"), _row(vgg, "VGG-19", names)),
    )


def _lenet() -> Network:
    from lab.graph import trace
    from lab.networks.lenet import LeNet

    return Network(
        form="volumes",
        caption="The LeNet-like network. A slab is the output of a layer: height stands for the side of the "
        "map, width for the number of channels, both on logarithmic scales.",
        alt="A row of slabs: three convolutions, each followed by a pool, and two dense layers.",
        panels=(_row(trace(_on_meta(LeNet), (3, 32, 32), "LeNet")),),
    )


def _designs() -> Network:
    from lab.graph import trace
    from lab.networks.cifar import NormalisedLeNet, WhitenedNetwork

    first = trace(_on_meta(NormalisedLeNet), (3, 32, 32), "A")
    second = trace(_on_meta(WhitenedNetwork), (3, 32, 32), "B")
    return Network(
        form="volumes",
        caption="The two designs for CIFAR-10: A, the normalised LeNet-like network, and B, the whitened "
        "network. Height stands for the side of the map, width for the number of channels.",
        alt="Two rows of slabs; the second has seven convolutions and no hidden dense layer.",
        panels=(
            _row(first, "A: normalised LeNet-like network"),
            _row(second, "B: whitened network", {"whitening": "whitening", "pool": "pool4"}),
        ),
    )


def _stages() -> Network:
    """One stage of each of the three base networks."""
    from lab.graph import grouped, trace
    from lab.networks import base

    inputs, outputs, side = 32, 64, 16
    panels = []
    for stage, title in ((base.plain, "plain"), (base.separable, "separable"), (base.Residual, "residual")):
        graph = trace(_on_meta(lambda stage=stage: stage(inputs, outputs)), (inputs, side, side))  # type: ignore[misc]
        groups = grouped(graph, ("conv", "norm", "activation", "merge"))
        blocks = [Block(id="input", kind="data", label=f"{inputs} channels")]
        for group in groups:
            block = _block(graph, group, shape=())
            blocks.append(
                block if block.kind == "conv" else block.model_copy(update={"parameters": None, "macs": None})
            )
        panels.append(NetworkPanel(title=title, blocks=tuple(blocks), arrows=_arrows(graph, groups)))
    return Network(
        form="graph",
        flow="down",
        caption=f"A stage of the three base networks, from {inputs} to {outputs} channels: a plain "
        "convolution, a depthwise separable one, and a residual block whose shortcut is a 1×1 convolution. "
        "Parameters stand in the boxes, biases included.",
        alt="Three columns of boxes; the third has a second branch that joins it at a sum.",
        panels=tuple(panels),
    )


def _inception() -> Network:
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

    graph = trace(_on_meta(lambda: Inception(shape, filters)), shape)
    total = graph.ledger.macs
    groups = grouped(graph)
    blocks = [Block(id="input", kind="data", label="previous layer", shape=shape)]
    for group in groups:
        block = _block(graph, group, parameters=None)
        if block.kind == "merge":
            block = block.model_copy(update={"label": "filter concatenation"})
        elif block.macs:
            block = block.model_copy(update={"share": block.macs / total})
        blocks.append(block)
    return NetworkPanel(title=title, blocks=tuple(blocks), arrows=_arrows(graph, groups))


def _dense_block() -> Network:
    """Four layers of a growth of 32 on 64 channels: the beginning of DenseNet-121's first block."""
    from torchvision.models import densenet121

    from lab.graph import trace

    graph = trace(_on_meta(densenet121), (3, 224, 224))
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
        panels=(NetworkPanel(blocks=tuple(blocks), arrows=_chain(pairs)),),
    )


def _proposals() -> Network:
    """Ren et al. 2015, figure 3 and section 3.1, on the last convolution of VGG-16 at 600×800 pixels."""
    from torch import nn

    from lab.graph import grouped, trace

    channels, rows, columns = 512, 37, 50
    anchors = len(ANCHOR_SIDES) * len(ANCHOR_SHAPES)

    class Proposals(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(channels, channels, 3, padding=1)
            self.objectness = nn.Conv2d(channels, 2 * anchors, 1)
            self.box = nn.Conv2d(channels, 4 * anchors, 1)

        def forward(self, features: Any) -> Any:
            hidden = self.conv(features).relu()
            return self.objectness(hidden), self.box(hidden)

    graph = trace(_on_meta(Proposals), (channels, rows, columns))
    groups = grouped(graph)
    by_name = {group.name: _block(graph, group) for group in groups}
    sides = [side / ANCHOR_STRIDE for side in ANCHOR_SIDES]
    blocks = (
        Block(
            id="input",
            kind="conv",
            label="feature map",
            shape=(channels, rows, columns),
            notes=(f"k = {anchors} anchors per cell",),
            map=FeatureMap(
                rows=rows,
                columns=columns,
                boxes=tuple(
                    (side * shape**0.5, side / shape**0.5) for side in sides for shape in ANCHOR_SHAPES
                ),
            ),
        ),
        by_name["conv"].model_copy(update={"notes": ("ReLU",)}),
        by_name["objectness"].model_copy(update={"label": f"objectness\n1×1 conv, 2k = {2 * anchors}"}),
        by_name["box"].model_copy(update={"label": f"box offsets\n1×1 conv, 4k = {4 * anchors}"}),
        Block(id="object_loss", kind="loss", label="object or not"),
        Block(id="box_loss", kind="loss", label="smooth L1"),
    )
    arrows = [
        arrow.model_copy(update={"label": "3×3\nwindow"}) if arrow.source == "input" else arrow
        for arrow in _arrows(graph, groups)
    ]
    arrows += _chain((("objectness", "object_loss"), ("box", "box_loss")), "training")
    return Network(
        form="graph",
        flow="right",
        caption="A region proposal network on the feature map of VGG-16. A 3×3 window slides over the map; "
        "at each cell, nine anchors (three areas, three shapes, drawn around the middle cell) are scored and "
        "refined. Dashed boxes are losses, which act in training only.",
        alt="A grid with nine rectangles around its centre, then a convolution that feeds two branches.",
        panels=(NetworkPanel(blocks=blocks, arrows=tuple(arrows)),),
    )


def _detector() -> Network:
    """The detector of the study: `lab.networks.detector`, by its parts."""
    from lab.counting import count
    from lab.networks import base
    from lab.networks.detector import Detector

    model: Any = _on_meta(lambda: Detector(base.plain))
    features = (256, 6, 6)

    def part(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
        ledger = count(getattr(model, name), shape)
        return {
            "parameters": ledger.parameters,
            "macs": ledger.macs,
            "shape": [layer.output_shape for layer in ledger.layers if layer.output_shape][-1],
            "row": name,
        }

    blocks = (
        Block(id="image", kind="data", label="image", shape=model.input_shape),
        Block(id="trunk", kind="conv", label="base network", **part("trunk", model.input_shape)),
        Block(id="intermediate", kind="conv", label="3×3 conv, 256", **part("intermediate", features)),
        Block(id="objectness", kind="conv", label="objectness", **part("objectness", features)),
        Block(id="box", kind="conv", label="boxes", **part("box", features)),
        Block(id="best", kind="operation", label="best\nproposal"),
        Block(id="crop", kind="operation", label="spatial\ntransformer", shape=(256, 4, 4)),
        Block(id="head", kind="dense", label="head", **part("head", (256, 4, 4))),
        Block(id="objectness_loss", kind="loss", label="objectness loss"),
        Block(id="box_loss", kind="loss", label="box loss"),
        Block(id="class_loss", kind="loss", label="class loss"),
    )
    forward = [
        ("image", "trunk"),
        ("trunk", "intermediate"),
        ("intermediate", "objectness"),
        ("intermediate", "box"),
        ("objectness", "best"),
        ("box", "best"),
        ("best", "crop"),
        ("trunk", "crop"),
        ("crop", "head"),
    ]
    losses = [("objectness", "objectness_loss"), ("box", "box_loss"), ("head", "class_loss")]
    frame = Frame(title="region proposal network", blocks=("intermediate", "objectness", "box"))
    return Network(
        form="graph",
        flow="down",
        caption="The detector. The box with the highest objectness drives a spatial transformer, which cuts "
        "4×4 cells out of the features of the base network. Dashed boxes are losses, which act in training "
        "only.",
        alt="A column of boxes with a branch of proposals, which meets the features again at the crop.",
        panels=(
            NetworkPanel(blocks=blocks, arrows=_chain(forward) + _chain(losses, "training"), frames=(frame,)),
        ),
    )


def _siamese() -> Network:
    from lab.counting import count
    from lab.networks.siamese import SiameseTower

    ledger = count(_on_meta(SiameseTower), SiameseTower.input_shape)
    parts = {
        prefix: sum(layer.parameters for layer in ledger.layers if layer.name.startswith(prefix))
        for prefix in ("conv", "fc")
    }
    blocks: list[Block] = []
    pairs: list[tuple[str, str]] = []
    arrows: list[Arrow] = []
    for side in ("A", "B"):
        shared: dict[str, Any] = {"notes": ("the same weights",)} if side == "B" else {}
        blocks += [
            Block(id=f"face{side}", kind="data", label=f"face {side}", shape=SiameseTower.input_shape),
            Block(
                id=f"conv{side}",
                kind="conv",
                label="3 conv, 2 pool",
                shape=ledger.layer("conv3").output_shape or (),
                parameters=None if shared else parts["conv"],
                **shared,
            ),
            Block(
                id=f"dense{side}",
                kind="dense",
                label="3 dense",
                shape=ledger.layer("fc3").output_shape or (),
                parameters=None if shared else parts["fc"],
                **shared,
            ),
        ]
        pairs += [(f"face{side}", f"conv{side}"), (f"conv{side}", f"dense{side}")]
        arrows.append(Arrow(source=f"dense{side}", target="distance", label=f"f({side})"))
    blocks += [
        Block(id="distance", kind="operation", label="distance", notes=("‖f(A) − f(B)‖",)),
        Block(id="loss", kind="loss", label="contrastive"),
    ]
    return Network(
        form="graph",
        flow="right",
        caption="The Siamese network: one tower sees both faces, and the distance between its two outputs is "
        "small for one person and large for two. The loss acts in training only.",
        alt="Two equal rows of boxes that meet in a distance.",
        panels=(
            NetworkPanel(
                blocks=tuple(blocks),
                arrows=(*_chain(pairs), *arrows, *_chain([("distance", "loss")], "training")),
            ),
        ),
    )


def _teacher_and_student() -> Network:
    blocks = (
        Block(id="labelled", kind="data", label="labelled images", notes=("few",)),
        Block(id="teacher", kind="conv", label="teacher", notes=("trained",)),
        Block(id="unlabelled", kind="data", label="unlabelled images", notes=("many",)),
        Block(id="score", kind="operation", label="score and rank"),
        Block(id="chosen", kind="data", label="top K per class"),
        Block(id="student", kind="conv", label="student", notes=("pretrained",)),
        Block(id="finetuned", kind="conv", label="student", notes=("fine-tuned",)),
    )
    pairs = [
        ("labelled", "teacher"),
        ("teacher", "score"),
        ("unlabelled", "score"),
        ("score", "chosen"),
        ("chosen", "student"),
        ("student", "finetuned"),
        ("labelled", "finetuned"),
    ]
    return Network(
        form="graph",
        flow="right",
        caption="Semi-supervised training with a teacher and a student. The teacher, trained on the labelled "
        "images, scores the unlabelled ones; the student is pretrained on the K images of each class that "
        "score highest, and fine-tuned on the labelled images.",
        alt="Labelled images feed a teacher, whose scores choose images for a student.",
        panels=(NetworkPanel(blocks=blocks, arrows=_chain(pairs)),),
    )


DRAWN: dict[str, Callable[[], Network]] = {
    "alexnet_and_vgg": _alexnet_and_vgg,
    "lenet": _lenet,
    "designs": _designs,
    "stages": _stages,
    "inception": _inception,
    "dense_block": _dense_block,
    "proposals": _proposals,
    "detector": _detector,
    "siamese": _siamese,
    "teacher_and_student": _teacher_and_student,
}

analysis = Drawings()

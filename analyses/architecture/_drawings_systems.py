"""Drawings of what is built around a network: proposals, detectors, Siamese networks, teacher and student."""

from __future__ import annotations

from typing import Any

from analyses.architecture._drawings_blocks import arrows_of, block_of, chain, on_meta
from results.schema import Arrow, Block, FeatureMap, Frame, Network, NetworkPanel

#: Ren et al. 2015, section 3.3: anchors of three areas and three shapes at a stride of 16 pixels.
ANCHOR_SIDES = (128, 256, 512)
ANCHOR_SHAPES = (0.5, 1.0, 2.0)
ANCHOR_STRIDE = 16


def proposals() -> Network:
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

    graph = trace(on_meta(Proposals), (channels, rows, columns))
    groups = grouped(graph)
    by_name = {group.name: block_of(graph, group) for group in groups}
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
        for arrow in arrows_of(graph, groups)
    ]
    arrows += chain((("objectness", "object_loss"), ("box", "box_loss")), "training")
    return Network(
        form="graph",
        flow="right",
        caption="A region proposal network on the feature map of VGG-16 (of an image of 600 × 800 "
        "pixels). A 3×3 window slides over the map; "
        "at each cell, nine anchors are scored and refined. Those of the middle cell are drawn: the three "
        "areas, from the smallest, by solid, dashed and dotted lines, each in three shapes. Rounded dashed "
        "boxes are losses, which act in training only.",
        alt="A grid with nine rectangles around its centre, then a convolution that feeds two branches.",
        panels=(NetworkPanel(blocks=blocks, arrows=tuple(arrows)),),
    )


def detector() -> Network:
    """The detector of the study: `lab.networks.detector`, by its parts."""
    from lab.counting import count
    from lab.networks import base
    from lab.networks.detector import Detector

    model: Any = on_meta(lambda: Detector(base.plain))
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
        caption="The small Faster R-CNN with the ConvNet as its base network. The box with the highest "
        "objectness controls a spatial transformer, which cuts 4×4 cells out of the features of the base "
        "network; the head classifies them. Parameters include biases, "
        "and the batch normalisation that follows every convolution but the two that predict objectness and "
        "boxes. Dashed boxes are losses, which act in training only.",
        alt="A column of boxes with a branch of proposals, which meets the features again at the crop.",
        panels=(
            NetworkPanel(blocks=blocks, arrows=chain(forward) + chain(losses, "training"), frames=(frame,)),
        ),
    )


def siamese() -> Network:
    from lab.counting import count
    from lab.networks.siamese import SiameseTower

    ledger = count(on_meta(SiameseTower), SiameseTower.input_shape)
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
        caption="The tutorial's Siamese network: one tower maps both faces, and is trained so that the "
        "distance between its two outputs is small for one person and large for two. The loss is used only "
        "during training.",
        alt="Two equal rows of boxes that meet in a distance.",
        panels=(
            NetworkPanel(
                blocks=tuple(blocks),
                arrows=(*chain(pairs), *arrows, *chain([("distance", "loss")], "training")),
            ),
        ),
    )


def teacher_and_student() -> Network:
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
        panels=(NetworkPanel(blocks=blocks, arrows=chain(pairs)),),
    )

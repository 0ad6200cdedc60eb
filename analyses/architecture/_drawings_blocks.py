"""Blocks, arrows and rows of a drawing, made of counted layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from results.schema import Arrow, Block, NetworkPanel

if TYPE_CHECKING:
    from torch import nn

    from lab.graph import Graph, Group


def on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    """A network without memory for its weights."""
    import torch

    with torch.device("meta"):
        return make().eval()


def block_id(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in name) or "root"


def block_of(graph: Graph, group: Group, **changes: Any) -> Block:
    """A group of counted layers; its main layer names it."""
    from lab.graph import kind_of, words_of

    layers = [graph.ledger.layers[at] for at in group.rows]
    main = next((one for one in layers if kind_of(one) in ("conv", "dense", "attention")), layers[0])
    rank = len(main.output_shape or ())
    shapes = [one.output_shape for one in layers if one.output_shape and len(one.output_shape) == rank]
    block = Block(
        id=block_id(group.name),
        kind=kind_of(main),
        label=words_of(main),
        shape=shapes[-1] if shapes else (),
        parameters=sum(one.parameters for one in layers),
        macs=sum(one.macs for one in layers),
        row=layers[0].name,
    )
    return block.model_copy(update=changes)


def arrows_of(graph: Graph, groups: Sequence[Group]) -> tuple[Arrow, ...]:
    from lab.graph import arrows

    return tuple(
        Arrow(source=block_id(source), target=block_id(target)) for source, target in arrows(graph, groups)
    )


def chain(pairs: Iterable[tuple[str, str]], style: str = "forward") -> tuple[Arrow, ...]:
    return tuple(Arrow.model_validate({"source": a, "target": b, "style": style}) for a, b in pairs)


def row_of(graph: Graph, title: str = "", names: Mapping[str, str] | None = None) -> NetworkPanel:
    """A chain of convolutions, pools and dense layers as slabs. names: of layers, "" leaves one out."""
    from lab.graph import grouped

    names = names or {}
    blocks = [Block(id="input", kind="data", label="input", shape=graph.ledger.input_shape, row="input")]
    for group in grouped(graph, ("conv", "dense", "pool")):
        label = names.get(group.name, group.name.rsplit(".", 1)[-1])
        if label:
            blocks.append(block_of(graph, group, label=label))
    return NetworkPanel(title=title, blocks=tuple(blocks))

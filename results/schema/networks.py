"""Figures of networks: blocks, arrows and frames, without their places."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from results.schema.values import Record

#: What a block of a network does; it decides its fill. "data" is an input, an output or a set of images.
BlockKind = Literal[
    "data", "conv", "dense", "attention", "pool", "norm", "activation", "merge", "operation", "loss"
]
BlockName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:#-]*$")]


class FeatureMap(Record):
    """A block drawn as a map of cells: a window that slides over it, and boxes centred on it, in cells."""

    rows: int = Field(ge=1, le=64)
    columns: int = Field(ge=1, le=64)
    window: int = Field(3, ge=0, description="Side of the window at the centre cell; 0 for none")
    boxes: tuple[tuple[float, float], ...] = Field((), description="(height, width) of each anchor, in cells")


class Block(Record):
    """One box of a drawn network. Its counts are formatted by the report, never here."""

    id: BlockName
    kind: BlockKind
    label: str = Field("", description="What it is, such as '3×3 conv, 64'; a merge without one is a sum")
    shape: tuple[int, ...] = Field((), description="Of the output, without the batch axis")
    parameters: int | None = Field(None, ge=0)
    macs: int | None = Field(None, ge=0)
    share: float | None = Field(None, ge=0, le=1, description="Of the network's MACs: a bar along the edge")
    repeat: int = Field(1, ge=1, description="Equal blocks in a row, drawn as that many slices")
    notes: tuple[str, ...] = Field((), description="Further lines inside the box")
    row: str = Field("", description="Row of the figure's table that shows the block, by its first cell")
    map: FeatureMap | None = None


class Arrow(Record):
    """From block to block. Whether it is a skip is seen from the graph, not said."""

    source: BlockName
    target: BlockName
    label: str = ""
    style: Literal["forward", "training"] = Field("forward", description="training: dashed, absent at test")


class Frame(Record):
    """A dashed line around blocks that belong together, with a title above it."""

    title: str
    blocks: tuple[BlockName, ...] = Field(min_length=1)


class NetworkPanel(Record):
    """Blocks that are laid out together; panels stand side by side, or one below the other."""

    title: str = ""
    blocks: tuple[Block, ...] = Field(min_length=1)
    arrows: tuple[Arrow, ...] = ()
    frames: tuple[Frame, ...] = ()

    @model_validator(mode="after")
    def names_hold(self) -> Self:
        names = [block.id for block in self.blocks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two blocks are called {', '.join(twice)}")
        used = [name for arrow in self.arrows for name in (arrow.source, arrow.target)]
        used += [name for frame in self.frames for name in frame.blocks]
        missing = sorted(set(used) - set(names))
        if missing:
            raise ValueError(f"no block is called {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def arrows_go_forward(self) -> Self:
        into = {block.id: 0 for block in self.blocks}
        for arrow in self.arrows:
            into[arrow.target] += 1
        ready = [name for name, count in into.items() if not count]
        for name in ready:
            for arrow in self.arrows:
                if arrow.source == name:
                    into[arrow.target] -= 1
                    if not into[arrow.target]:
                        ready.append(arrow.target)
        if len(ready) < len(self.blocks):
            raise ValueError("the arrows go round in a circle")
        return self


class Network(Record):
    """A drawing of one or more networks: what is drawn, never where, which the report's layout decides.

    volumes: a row of blocks, height by side and width by channels, labels below as a table.
    graph: boxes and arrows; `flow` is where the data goes.
    """

    kind: Literal["network"] = "network"
    form: Literal["volumes", "graph"]
    flow: Literal["right", "down"] = "right"
    caption: str
    alt: str = Field(min_length=1)
    panels: tuple[NetworkPanel, ...] = Field(min_length=1)
    arrange: Literal["beside", "below"] = "beside"
    table: str = Field("", description="The table of the same result whose rows the blocks show")

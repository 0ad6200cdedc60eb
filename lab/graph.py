"""Which counted layer feeds which: what a drawing of a network needs beyond its ledger."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from torch import Tensor, nn

from lab.counting import walk_over
from lab.counting.walk import Walk
from lab.ledger import Layer, Ledger

INPUT = -1  # the number of the input among those that feed

Kind = Literal["conv", "dense", "attention", "pool", "norm", "activation", "merge", "operation"]

#: Functions of several tensors, and the sign that they are drawn as; a concatenation has none.
JOINS = {
    "cat": "",
    "concat": "",
    **dict.fromkeys(("add", "add_", "__add__", "__iadd__"), "+"),
    **dict.fromkeys(("mul", "mul_", "__mul__", "__imul__"), "×"),
}
ACTIVATIONS = {"relu": "ReLU", "relu_": "ReLU"}


@dataclass(frozen=True)
class Graph:
    """A ledger, and pairs of numbers of its layers: the first feeds the second; INPUT is the input."""

    ledger: Ledger
    feeds: tuple[tuple[int, int], ...]

    def givers(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for giver, taker in self.feeds:
            found.setdefault(taker, []).append(giver)
        return found


def trace(model: nn.Module, input_shape: Sequence[int], name: str = "") -> Graph:
    """Every layer of `model` for one input (C, H, W), as `lab.counting.count`, with what feeds it."""
    walk = walk_over(_Trace(model), model, input_shape)
    ledger = Ledger(name or type(model).__name__, tuple(input_shape), tuple(walk.rows))
    return Graph(ledger, tuple(walk.feeds))


class _Trace(Walk):
    """A walk that notes on every tensor the rows that it comes from."""

    def __init__(self, model: nn.Module, exact: bool = False) -> None:
        super().__init__(model, exact)
        self.feeds: dict[tuple[int, int], None] = {}

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """What the first module is given is the input."""
        if not self.rows:
            for tensor in _tensors(inputs):
                if not hasattr(tensor, "givers"):
                    tensor.givers = (INPUT,)
        super().enter(module, inputs)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.__name__ in ("__get__", "size", "dim", "numel"):
            return super().__torch_function__(func, types, args, kwargs)
        givers = _givers((args, kwargs or {}))
        before = len(self.rows)
        output = super().__torch_function__(func, types, args, kwargs)
        made = [at for at in range(before, len(self.rows)) if self.rows[at].kind != "Parameter"]
        if made:
            self.feeds.update(dict.fromkeys((giver, made[0]) for giver in givers))
            self.feeds.update(dict.fromkeys(pairwise(made)))
        for tensor in _tensors(output):
            tensor.givers = (made[-1],) if made else givers
        return output

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """A module whose call left a row of its own (identity, dropout in place) feeds what follows."""
        before = len(self.rows)
        super().leave(module, inputs, output)
        if len(self.rows) > before and isinstance(output, Tensor):
            last = len(self.rows) - 1
            self.feeds.update(dict.fromkeys((giver, last) for giver in _givers(inputs)))
            output.givers = (last,)  # type: ignore[attr-defined]


def _givers(value: Any) -> tuple[int, ...]:
    return tuple(dict.fromkeys(giver for t in _tensors(value) for giver in getattr(t, "givers", ())))


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [found for each in value for found in _tensors(each)] if isinstance(value, list | tuple) else []


def kind_of(layer: Layer) -> Kind:
    macs = layer.macs_by_class
    if macs.get("attention") or "Attention" in layer.kind:
        return "attention"
    if macs:
        most = max(macs, key=lambda name: macs[name])
        return "conv" if most == "convolution" else "dense" if most == "linear" else "operation"
    if any("pool" in name for name in layer.elements):
        return "pool"
    if any("norm" in name for name in layer.elements):
        return "norm"
    if layer.kind in JOINS:
        return "merge"
    return "activation" if "activation" in layer.elements else "operation"


def words_of(layer: Layer) -> str:
    """ "5×5 conv, 32": what a layer does, in a few words."""
    kind = kind_of(layer)
    step = f", /{layer.stride[0]}" if layer.stride and layer.stride[0] > 1 else ""
    shape = layer.output_shape
    if kind == "conv" and layer.kernel and shape and layer.input_shape:
        depthwise = layer.groups and layer.groups > 1 and layer.groups == layer.input_shape[0]
        how = "depthwise" if depthwise else "conv"
        return f"{'×'.join(map(str, layer.kernel))} {how}, {shape[0]}{step}"
    if kind == "dense" and shape:
        return f"dense, {shape[-1]}"
    if kind == "pool":
        return f"{'×'.join(map(str, layer.kernel))} max-pool{step}" if layer.kernel else "mean-pool"
    if kind == "norm":
        return "batch norm" if any("batch" in name for name in layer.elements) else "layer norm"
    if kind == "merge":
        return JOINS[layer.kind] or "concatenation"
    if kind == "attention":
        return "attention"
    return ACTIVATIONS.get(layer.kind, layer.kind)


@dataclass
class Group:
    """Rows that are drawn as one block, by their numbers."""

    name: str
    rows: list[int] = field(default_factory=list)


DRAWN: tuple[Kind, ...] = ("conv", "dense", "pool", "merge", "attention")


def grouped(graph: Graph, drawn: Collection[Kind] = DRAWN) -> list[Group]:
    """A group for every layer of the kinds `drawn`; the others join the group that feeds them."""
    groups: list[Group] = []
    group_of: dict[int, Group] = {}
    givers = graph.givers()
    for at, layer in enumerate(graph.ledger.layers):
        feeding = [group_of[giver] for giver in givers.get(at, []) if giver in group_of]
        kind = kind_of(layer)
        sources = len({id(group) for group in feeding}) + (INPUT in givers.get(at, []))
        joins = kind != "merge" or sources > 1
        resized = any("upsampling" in name for name in layer.elements)
        if (kind in drawn and joins) or resized or not feeding:
            if kind not in drawn and not layer.parameters and not resized:
                continue  # of the input alone, such as its normalisation
            group_of[at] = Group(layer.name, [at])
            groups.append(group_of[at])
        else:
            group_of[at] = feeding[0]
            feeding[0].rows.append(at)
    return groups


def arrows(graph: Graph, groups: Iterable[Group], input_name: str = "input") -> list[tuple[str, str]]:
    """Which group feeds which, by name; layers of no group are passed through."""
    groups = list(groups)
    owner = {at: group.name for group in groups for at in group.rows} | {INPUT: input_name}
    givers = graph.givers()

    def owners(at: int) -> list[str]:
        return (
            [owner[at]] if at in owner else [name for giver in givers.get(at, []) for name in owners(giver)]
        )

    found = {
        (name, group.name): None
        for group in groups
        for at in group.rows
        for giver in givers.get(at, [])
        for name in owners(giver)
        if name != group.name
    }
    return list(found)


@dataclass(frozen=True)
class Part:
    """A module, or a run of equal ones, as one block of a summary."""

    name: str
    label: str
    kind: Kind
    shape: tuple[int, ...]
    parameters: int
    macs: int
    repeat: int = 1


def summary(ledger: Ledger, most: int = 15, labels: Callable[[list[Part]], int] = len) -> list[Part]:
    """The layers by module, as deep as gives at most `most` blocks (as `labels` counts them); equal blocks
    that follow each other are one. Parameters that the forward never uses are left out.
    """
    best: list[Part] = []
    deepest = max(layer.name.count(".") for layer in ledger.layers) + 1
    for depth in range(1, deepest + 1):
        parts = _parts(ledger, depth)
        if best and (labels(parts) + 1 > most or len(parts) > 2 * most):
            break
        best = parts
    return best


def _parts(ledger: Ledger, depth: int) -> list[Part]:
    modules: list[tuple[str, list[Layer]]] = []
    for layer in ledger.layers:
        if layer.output_shape is None:
            continue
        path = re.sub(r"(:|#).*", "", layer.name)
        name = (
            path if ":" in layer.name and path.count(".") + 1 < depth else ".".join(path.split(".")[:depth])
        )
        if modules and modules[-1][0] == name:
            modules[-1][1].append(layer)
        else:
            modules.append((name, [layer]))
    parts: list[Part] = []
    for name, layers in modules:
        part = _part(name, layers)
        last = parts[-1] if parts else None
        if part is None:  # a norm, an activation, a parameter: with the block before
            if last:
                parts[-1] = _with(last, layers)
            continue
        several = sum(1 for layer in layers if layer.macs) > 1
        beside = last is not None and "." in name and _parent(last.name) == _parent(name)
        if last and beside and several and (last.shape, last.kind) == (part.shape, part.kind):
            first, number = last.label.split("–")[0], re.search(r"\d+$", part.label)
            label = f"{first}–{number[0]}" if number else first
            parts[-1] = Part(
                last.name,
                label,
                last.kind,
                last.shape,
                last.parameters + part.parameters,
                last.macs + part.macs,
                last.repeat + 1,
            )
        else:
            parts.append(part)
    children = Counter(_parent(part.name) for part in parts)
    return [  # a block that is all of its parent is called after that
        Part(**{**vars(part), "label": _parent(part.name).rsplit(".", 1)[-1]})
        if "." in part.name and children[_parent(part.name)] == 1
        else part
        for part in parts
    ]


def _part(name: str, layers: Sequence[Layer]) -> Part | None:
    shapes = [layer.output_shape for layer in layers if layer.output_shape and layer.kind != "Parameter"]
    kinds = [kind_of(layer) for layer in layers]
    parameters, macs = sum(layer.parameters for layer in layers), sum(layer.macs for layer in layers)
    if not shapes or not {"conv", "dense", "pool", "attention"} & set(kinds):
        return None
    weight: Counter[Kind] = Counter()
    for kind, layer in zip(kinds, layers, strict=True):
        weight[kind] += layer.macs or (kind == "pool")
    what = "attention" if weight["attention"] else max(weight, key=lambda kind: weight[kind])
    label = "pool" if what == "pool" and ":" in layers[0].name else name.rsplit(".", 1)[-1]
    return Part(name, label, what, shapes[-1], parameters, macs)


def _with(part: Part, layers: Sequence[Layer]) -> Part:
    more = sum(layer.parameters for layer in layers), sum(layer.macs for layer in layers)
    return Part(**{**vars(part), "parameters": part.parameters + more[0], "macs": part.macs + more[1]})


def _parent(name: str) -> str:
    return name.rsplit(".", 1)[0]

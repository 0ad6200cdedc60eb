"""What a drawing of a network says: counts, sizes, the lines in a box, and the whole of it in words."""

from __future__ import annotations

from report.networks.pen import QUIET
from results.schema import Block, Network

NAMES = {
    "data": "input",
    "conv": "convolution",
    "pool": "pooling",
    "dense": "dense",
    "norm": "normalisation",
    "attention": "attention",
    "merge": "concatenation or sum",
    "activation": "activation",
    "operation": "operation",
    "loss": "loss",
}
WHITE_ON = ("pool",)  # kinds whose fill is dark


def short(count: int) -> str:
    """ "34.9 k", "58.6 M": three digits."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {letter}"
    return str(count)


def size_of(shape: tuple[int, ...]) -> str:
    """Height × width × channels, as the papers write it; tokens × width; a vector's length."""
    if len(shape) == 1:
        return f"{shape[0]:,} outputs"
    order = (*shape[1:], shape[0]) if len(shape) == 3 else shape
    return "×".join(map(str, order))


def is_sign(block: Block) -> bool:
    """A sum or a product, drawn as its sign in a circle."""
    return block.kind == "merge" and block.label in ("", "+", "×")


def lines(block: Block, *, joined: bool = False) -> list[tuple[str, str]]:
    """What stands in a box of a graph, and in which ink: label, notes, size, parameters, share of MACs;
    the label in one line and all else in another where `joined`.
    """
    details = list(block.notes)
    if block.shape:
        details.append(size_of(block.shape))
    if block.parameters:
        details.append(f"{short(block.parameters)} param.")
    if block.share is not None:
        details.append(f"{100 * block.share:.0f}% of MACs")
    label = block.label.split("\n")
    if joined:
        label, details = [" ".join(label)], ["; ".join(details)]
    dark, pale = ("white", "white") if block.kind in WHITE_ON else ("black", QUIET)
    return [(text, dark) for text in label if text] + [(text, pale) for text in details if text]


def name_of(block: Block) -> str:
    return block.label.replace("\n", " ") or "sum"


def details_of(block: Block) -> str:
    """A block in words, with its exact counts."""
    parts = [name_of(block)]
    if block.shape:
        parts.append("output " + size_of(block.shape))
    if block.parameters is not None:
        parts.append(f"{block.parameters:,} parameters")
    if block.macs is not None:
        parts.append(f"{block.macs:,} MACs")
    return "; ".join(parts)


def spoken(network: Network) -> str:
    """The drawing in words, for someone who cannot see it: every block and every arrow, in order."""
    sentences = []
    for panel in network.panels:
        names = {
            block.id: name_of(block) + (f" ({size_of(block.shape)})" if block.shape else "")
            for block in panel.blocks
        }
        if network.form == "volumes":
            words = ", then ".join(names.values())
        else:
            fed = {
                block.id: [
                    name_of(next(other for other in panel.blocks if other.id == arrow.target))
                    for arrow in panel.arrows
                    if arrow.source == block.id
                ]
                for block in panel.blocks
            }
            words = "; ".join(
                name + (f" feeds {' and '.join(fed[id])}" if fed[id] else "") for id, name in names.items()
            )
        sentences.append((f"{panel.title}: " if panel.title else "") + words + ".")
    return " ".join(sentences)

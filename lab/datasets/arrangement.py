"""How pictures lie in folders: which part of a path is a split, which the class, which only a wrapping.

A class is a folder that holds pictures. A folder is a split where its name is one of those in use (train,
validation, test and their kin) and it holds class folders; one that holds pictures itself is a class,
whatever its name. A split may stand anywhere: around the classes, around a wrapping, or inside every class.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "evaluation", "eval"), "test"),
}
#: Words that stand beside those of WORDS and say nothing more: training_set, seg_train, test images.
ROUND = frozenset(
    {"set", "sets", "seg", "data", "dataset", "images", "image", "imgs", "img", "pictures", "split"}
)
_JOINED = re.compile(r"(train|training|val|valid|validation|test|testing)(set|data|images|imgs)")

Folder = tuple[str, ...]


def split_of(name: str) -> str:
    """The split that a folder of this name is: "train", "validation" or "test"; empty for other names."""
    split, rest = _words(name)
    return "" if rest else split


def _words(name: str) -> tuple[str, str]:
    """The split that a word of a name says, and its other words but those of ROUND."""
    words = [word for word in re.split(r"[\W_]+", name.lower()) if word]
    words = [joined.group(1) if (joined := _JOINED.fullmatch(word)) else word for word in words]
    said = [word for word in words if word in WORDS]
    rest = [word for word in words if word not in WORDS and word not in ROUND]
    return (WORDS[said[0]], " ".join(rest)) if len(said) == 1 else ("", name)


@dataclass
class _Node:
    """A folder: whether pictures lie in it, and the folders below."""

    path: Folder
    pictures: bool = False
    below: dict[str, _Node] = field(default_factory=dict)

    @property
    def wraps(self) -> _Node | None:
        """The one folder that is all it holds, where that is no class: pictures beside several folders are
        stray.
        """
        if self.pictures or len(self.below) != 1:
            return None
        (only,) = self.below.values()
        return None if only.pictures and len(only.below) < 2 else only

    def holding(self) -> Iterator[_Node]:
        """This folder and those below that hold pictures."""
        if self.pictures:
            yield self
        for child in self.below.values():
            yield from child.holding()


@dataclass(frozen=True)
class Arrangement:
    """Split ("" where none is said) and class of each folder; the reason for each that has no class."""

    places: Mapping[Folder, tuple[str, str]]
    unused: Mapping[Folder, str]


def as_they_lie(folders: Iterable[Folder]) -> Arrangement:
    """Every folder is a class by its whole path, as in a release whose layout is known."""
    named = {folder: ("", "/".join(folder)) for folder in folders if folder}
    return Arrangement(named, {})


def arranged(folders: Iterable[Folder]) -> Arrangement:
    """What the folders that hold pictures are. () is the folder of all."""
    root = _Node(())
    for folder in sorted(set(folders)):
        node = root
        for depth, name in enumerate(folder, 1):
            node = node.below.setdefault(name, _Node(folder[:depth]))
        node.pictures = True
    split, top = _unwrapped(root, "")
    parts = _splits(top) if not split else {}
    places: dict[Folder, tuple[str, str]] = {}
    unused: dict[Folder, str] = {}
    if parts:
        used = [_unwrapped(node, split) for node, split in parts.values()]
        labelled = [node for _, node in used if node.below]
        while labelled and all(node.wraps for node in labelled):
            used = [(said, node.wraps or node) for said, node in used]
            labelled = [node.wraps or node for node in labelled]
        for said, node in used:
            _classes(node, said, places, unused)
        for name, child in top.below.items():
            if name not in parts:
                beside = " and ".join(sorted(parts))
                unused |= {node.path: f"beside {beside}, and neither" for node in child.holding()}
        if top.pictures:
            unused[top.path] = "in no class folder"
    else:
        _classes(top, split, places, unused)
        if not split:
            places = _inner_splits(places)
    return Arrangement(places, unused)


def _unwrapped(node: _Node, split: str) -> tuple[str, _Node]:
    """What is left of a folder without the folders that only hold one other; and the split that these say."""
    while inner := node.wraps:
        said = split_of(inner.path[-1])
        if said and split and said != split:
            break
        split, node = said or split, inner
    return split, node


def _splits(top: _Node) -> dict[str, tuple[_Node, str]]:
    """By name, the folders of `top` that are splits, and which split each is; none where they are classes."""
    known = {name: split_of(name) for name in top.below}
    named = {name: split for name, split in known.items() if split}
    holds_classes = [name for name in named if not top.below[name].pictures]
    if holds_classes and (len(set(named.values())) > 1 or len(named) == len(top.below)):
        return {name: (top.below[name], split) for name, split in named.items()}
    if named and len(named) == len(top.below) and len(set(named.values())) == len(named) > 1:
        return {name: (top.below[name], split) for name, split in named.items()}  # pictures without a class
    stems: dict[str, dict[str, str]] = {}
    for name, child in top.below.items():
        split, stem = _words(name)
        if split and not child.pictures:
            stems.setdefault(stem, {})[name] = split
    for group in stems.values():
        if len(set(group.values())) > 1:
            return {name: (top.below[name], split) for name, split in group.items()}
    return {}


def _classes(
    node: _Node, split: str, places: dict[Folder, tuple[str, str]], unused: dict[Folder, str]
) -> None:
    for holding in node.holding():
        label = "/".join(holding.path[len(node.path) :])
        if label:
            places[holding.path] = split, unicodedata.normalize("NFC", label)
        else:
            unused[holding.path] = "in no class folder"


def _inner_splits(places: dict[Folder, tuple[str, str]]) -> dict[Folder, tuple[str, str]]:
    """With splits inside the classes (cat/train, cat/test), where every folder has one at the same depth."""
    labels = {folder: label.split("/") for folder, (_, label) in places.items()}
    for depth in range(1, min(map(len, labels.values()), default=0)):
        said = {folder: split_of(label[depth]) for folder, label in labels.items()}
        if all(said.values()) and len(set(said.values())) > 1:
            return {
                folder: (said[folder], "/".join(label[:depth] + label[depth + 1 :]))
                for folder, label in labels.items()
            }
    return places


def like_splits(labels: Iterable[str]) -> list[str]:
    """The classes whose names begin like a split's."""
    start = re.compile(rf"({'|'.join(WORDS)})(?![a-z])")
    return [label for label in labels if any(start.match(part.lower()) for part in label.split("/"))]

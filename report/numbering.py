"""Numbers for tables, figures and equations in order of appearance, and the words of references to them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from report.document import Block, Item, Section, Written, elements, marker, plain_text, rewrite
from report.formatting import nearest
from results.schema import Figure, Table

Kind = Literal["table", "figure", "equation"]

#: Behind a displayed formula, the id by which `ref` finds it, and what stands on behind that.
LABEL = r"\{#(?:eq:|equation:)?([^\s{}]+)\}(.*)"


class DeadReference(Exception):
    """A reference to what no section shows."""

    def __init__(self, target: str, problem: str) -> None:
        super().__init__(problem)
        self.target = target


class RepeatedName(Exception):
    """Two pictures, tables or equations of the author's own that `ref` could not tell apart."""

    def __init__(self, target: str) -> None:
        kind, _, name = target.partition(":")
        super().__init__(f"two of the study have the name {name!r}; give one an id, as {{#another-{kind}}}")
        self.target = name


@dataclass(frozen=True)
class Offer:
    """A table or figure that a section asked for, before it has a number."""

    kind: Kind
    content: Table | Figure
    columns: tuple[str, ...] = ()


def number_items(
    bodies: Mapping[str, Sequence[Block]], offers: Mapping[str, Offer]
) -> tuple[dict[str, list[Block]], dict[str, Item]]:
    """Bodies by section in reading order; where an item appears again, a reference takes its place."""
    items: dict[str, Item] = {}
    counts: dict[Kind, int] = {"table": 0, "figure": 0, "equation": 0}

    def numbered(section: str, body: Sequence[Block]) -> list[Block]:
        changed: list[Block] = rewrite(body, lambda part: change(section, part))
        return changed

    def change(section: str, element: Block) -> list[Block] | None:
        if element["t"] == "Image":
            return [element]  # whose words are those of its caption again
        if element["t"] in ("Figure", "Table") and (caption := _caption(element)):
            return [written(section, element, caption)]
        kind, data = marker(element)
        if element["t"] == "Span" and kind == "equation":
            count(section, "equation", data["target"], element["c"][1][0]["c"][1])
            return [element]
        if element["t"] != "Div" or kind not in ("table", "figure"):
            return None
        target = data["target"]
        if target in items:
            again = {"t": "Span", "c": [["", ["ref"], [["target", target]]], []]}
            return [{"t": "Para", "c": [*words("See "), again, *words(".")]}]
        offer = offers[target]
        counts[offer.kind] += 1
        items[target] = Item(offer.kind, counts[offer.kind], target, offer.content, section, offer.columns)
        return [element]

    def written(section: str, element: Block, caption: str) -> Block:
        """What the author wrote, with a number and a name by which `ref` finds it."""
        kind: Kind = "figure" if element["t"] == "Figure" else "table"
        target = _name(element, counts[kind] + 1)
        count(section, kind, target, caption)
        inner = {"t": element["t"], "c": rewrite(element["c"], lambda part: change(section, part))}
        return {"t": "Div", "c": [["", ["written"], [["target", target]]], [inner]]}

    def count(section: str, kind: Kind, target: str, caption: str) -> None:
        counts[kind] += 1
        if target in items:
            raise RepeatedName(target)
        items[target] = Item(kind, counts[kind], target, Written(" ".join(caption.split())), section)

    return {section: numbered(section, body) for section, body in bodies.items()}, items


def with_equations(node: Any) -> Any:
    """The tree with a marker for each displayed formula that has a label behind it."""
    if isinstance(node, dict):
        return {key: with_equations(part) for key, part in node.items()}
    if not isinstance(node, list):
        return node
    parts: list[Any] = []
    for part in map(with_equations, node):
        found = re.fullmatch(LABEL, part["c"]) if _is(part, "Str") else None
        while found and len(parts) > 1 and _is(parts[-1], "Space", "SoftBreak"):
            if not is_displayed(parts[-2]):
                break
            parts.pop()
        if found and parts and is_displayed(parts[-1]):
            data = [["target", f"equation:{label(found[1])}"]]
            parts[-1] = {"t": "Span", "c": [["", ["equation"], data], [parts[-1]]]}
            parts += [{"t": "Str", "c": found[2]}] if found[2] else []
        else:
            parts.append(part)
    return parts


def _is(part: Any, *kinds: str) -> bool:
    return isinstance(part, dict) and part.get("t") in kinds


def is_displayed(part: Any) -> bool:
    """Whether it is a displayed formula without a number."""
    return _is(part, "Math") and part["c"][0]["t"] == "DisplayMath"


def unmentioned(bodies: Mapping[str, Sequence[Block]], items: Mapping[str, Item]) -> list[Item]:
    """The tables, figures and equations of these sections that no sentence in them refers to."""
    mentioned = {
        data["target"] for kind, data in map(marker, elements(list(bodies.values()))) if kind == "ref"
    }
    return [item for item in items.values() if item.section in bodies and item.target not in mentioned]


def _caption(element: Block) -> str:
    """The text of the caption of a figure or table of the author's own; "" without one."""
    return plain_text(element["c"][1][1]).strip()


def _name(element: Block, number: int) -> str:
    """ "picture:net" and "table:costs": by the id that the author gave, else by the file of the picture."""
    given = element["c"][0][0]
    if element["t"] == "Table":
        return f"table:{label(given) or number}"
    files = [Path(image["c"][2][0]).stem for image in elements(element) if image["t"] == "Image"]
    return f"picture:{label(given) or label(''.join(files[:1])) or number}"


def label(name: str) -> str:
    """The name with hyphens for what no label of LaTeX may have."""
    return re.sub(r"[^a-zA-Z0-9_.]+", "-", name).strip("-")


@dataclass(frozen=True)
class Linker:
    """Writes out references: "Table 3" and the like, or words where a reference leads nowhere.

    `missing` are the tables and figures that sections without a result would have shown; it is None when no
    section lacks one. `titles` are those of all section templates, of this study or not.
    """

    items: Mapping[str, Item]
    sections: Mapping[str, Section]
    titles: Mapping[str, str]
    missing: Mapping[str, Kind] | None

    def link(self, body: Sequence[Block]) -> list[Block]:
        def change(element: Block) -> list[Block] | None:
            kind, data = marker(element)
            if element["t"] != "Span" or kind != "ref":
                return None
            text, leads = self._text(data["target"])
            return [{"t": "Span", "c": [element["c"][0], words(text)]}] if leads else words(text)

        linked: list[Block] = rewrite(body, change)
        return linked

    def _text(self, target: str) -> tuple[str, bool]:
        """The words of a reference, and whether they lead somewhere in this document."""
        kind, colon, name = target.partition(":")
        if colon and kind == "section":
            return self._section_text(name, target)
        if item := self.items.get(target):
            return item.label, True
        if self.missing is None:
            hint = nearest(target, list(self.items))
            raise DeadReference(target, f"no section of this study shows {target!r}{hint}")
        return f"the missing {self.missing.get(target, 'part')}", False

    def _section_text(self, name: str, target: str) -> tuple[str, bool]:
        if section := self.sections.get(name):
            return f"{'Appendix' if section.number == 'A' else 'Section'} {section.number}", True
        if name not in self.titles:
            raise DeadReference(target, f"there is no section {name!r}{nearest(name, list(self.titles))}")
        return f"“{self.titles[name]}” (not in this document)", False


def words(text: str) -> list[Block]:
    """Text as pandoc's inlines, which a line may break at spaces."""
    parts: list[Block] = []
    for n, word in enumerate(text.split(" ")):
        parts += [{"t": "Space"}] if n else []
        parts += [{"t": "Str", "c": word}] if word else []
    return parts

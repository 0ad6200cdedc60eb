"""What rendered sections may not hold: headings, links and lists that LaTeX cannot set, marks within code,
citations without an entry, and pictures that cannot be shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from report import formulas, pictures
from report.bibliography import BibliographyError, bibliography_keys
from report.document import Block, elements, plain_text, rewrite
from report.drafts import Draft, ProseError, fault, fault_of_name
from report.formatting import nearest
from report.numbering import LABEL

#: A marker as it is rendered.
MARKED = re.compile(r"\]\{\.(value|quoted|ref) ")
#: What prints a marker as it is → how a section has it, and what to do.
VERBATIM = {
    "Code": (r"`[^`]+`", "backquotes; take it out of them"),
    "Math": (formulas.FORMULA, "a formula; use {{ plain(…) }} there"),
}
DEEPEST_LIST = 4
LONGEST_SHOWN = 60  # letters of a formula in a sentence


def with_pictures(draft: Draft, tree: list[Block]) -> list[Block]:
    """The tree with the files of its pictures for their addresses."""

    def found(element: Block) -> list[Block] | None:
        if element["t"] != "Image":
            return None
        attributes, words, (address, title) = element["c"]
        said = dict(attributes[2]).get("width")
        if said and pictures.width(element) is None:
            problem = (
                f"the width {said} of {address} is none; write one such as {{width=50%}} or {{width=6cm}}"
            )
            raise fault([draft], address, problem)
        try:
            file = pictures.find(unquote(address), draft.file)
        except (pictures.PictureError, OSError) as error:
            raise fault([draft], address, str(error)) from None
        return [{"t": "Image", "c": [attributes, words, [str(file), title]]}]

    changed: list[Block] = rewrite(tree, found)
    return changed


def check_structure(draft: Draft, tree: list[Block]) -> None:
    """ProseError for a heading that would begin another section, an id that is there twice, a link that leads
    nowhere, and a list that LaTeX cannot set."""
    headings = [element["c"] for element in elements(tree) if element["t"] == "Header"]
    ids = [attributes[0] for _, attributes, _ in headings]
    for level, (name, _, _), inlines in headings:
        if level == 1:
            said = "this heading would begin another section; write ## before it, or move it to a file"
            raise fault([draft], f"# {plain_text(inlines)}", said)
        if name and ids.count(name) > 1:
            raise fault_of_name([draft], name, f"two headings have the id {name!r}; change one")
    for element in elements(tree):
        address = element["c"][2][0] if element["t"] == "Link" else ""
        if address.startswith("#") and address[1:] not in ids:
            said = f"no heading of this section has the id of the link {address}"
            raise fault([draft], address, f"{said}{nearest(address[1:], ids)}")
        if address and not re.match(r"#|[a-zA-Z][a-zA-Z0-9+.-]*:", address):
            said = 'write {{ ref("section:ID") }} for a section, or an address that begins with https://'
            raise fault([draft], unquote(address), f"the link {address} leads nowhere in a PDF; {said}")
        label = re.match(LABEL, element["c"]) if element["t"] == "Str" else None
        if label and not draft.lost and re.search(rf"(?<![\\`]){{#{re.escape(label[1])}", draft.source):
            said = "a heading, a picture, a caption of a table, or a formula within $$"
            raise fault([draft], f"#{label[1]}", f"the label {{#{label[1]}}} stands behind none of {said}")
        if element["t"] == "Str" and not label and element["c"].startswith("{#") and not draft.lost:
            begun = element["c"]
            if re.search(rf"(?<![\\`]){re.escape(begun)}", draft.source):
                raise fault([draft], begun, f"the label {begun} must be one word in braces, as {{#name}}")
    for depth, block in _lists(tree):
        if depth > DEEPEST_LIST:
            first = next((plain_text(part["c"]) for part in elements(block) if part["t"] == "Plain"), "- ")
            said = f"a list stands in {depth - 1} others, and LaTeX sets {DEEPEST_LIST} levels; write it flat"
            raise fault([draft], first, said)


def _lists(node: Any, depth: int = 1) -> Iterator[tuple[int, Block]]:
    """The lists of a syntax tree, with how deep they stand in each other."""
    if isinstance(node, dict):
        if node.get("t") in ("BulletList", "OrderedList"):
            yield depth, node
            depth += 1
        node = list(node.values())
    for part in node if isinstance(node, list) else ():
        yield from _lists(part, depth)


def check_markers(drafts: Sequence[Draft], trees: Sequence[list[Block]]) -> None:
    """ProseError where a macro stands within code or a formula, which would print its marks."""
    for draft, tree in zip(drafts, trees, strict=True):
        for kind, (pattern, instead) in VERBATIM.items():
            marked = [element for element in elements(tree) if element["t"] == kind]
            if not any(MARKED.search(element["c"][1]) for element in marked):
                continue
            typed = (
                written.start() + macro.start()
                for written in re.finditer(pattern, draft.source, re.DOTALL)
                if (macro := re.search(r"\{\{(?! *plain\b)", written[0]))
            )
            line = 1 + draft.source.count("\n", 0, next(typed, 0))
            raise ProseError(f"{draft.file}:{line}: a macro stands within {instead}", draft.file.stem)


def check_formulas(draft: Draft, found: Sequence[tuple[str, str]]) -> None:
    """ProseError for the first formula that cannot be set; `found` are all, with pandoc's reasons."""
    for tex, refused in found:
        if wrong := formulas.fault(tex, refused):
            line = formulas.line(draft.source, tex, wrong.where)
            place = f"{draft.file}:{line}" if line else str(draft.file)
            shown = " ".join(tex.split())
            near = shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]} …"
            said = f"the formula {near} cannot be set: {wrong.problem}"
            raise ProseError(f"{place}: {said}", draft.file.stem)


def check_citations(drafts: Sequence[Draft], trees: Sequence[list[Block]], bibliography: Path) -> None:
    try:
        known = bibliography_keys(bibliography)
    except BibliographyError as error:
        raise ProseError(str(error)) from None
    for element in elements(trees):
        for citation in element["c"][0] if element["t"] == "Cite" else ():
            key = citation["citationId"]
            if key not in known:
                message = f"{bibliography.name} has no entry {key!r}{nearest(key, list(known))}"
                raise fault(drafts, f"@{key}", message)

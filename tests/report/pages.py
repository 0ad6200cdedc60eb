"""Written pages as trees, and a small site to write: what tests of the site share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from report import html, html_home, printed
from report.document import Document
from report.site_checks import VOID
from report.sources import Source


@dataclass
class Node:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    parts: list[Node | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Node]:
        """Every element below this one, in reading order."""
        for part in self.parts:
            if isinstance(part, Node):
                yield part
                yield from part

    def all(self, tag: str = "", of: str = "", **attributes: str) -> list[Node]:
        """Elements with that tag, class and attributes."""
        return [
            node
            for node in self
            if tag in ("", node.tag)
            and (not of or of in node.attributes.get("class", "").split())
            and all(node.attributes.get(name) == value for name, value in attributes.items())
        ]

    def one(self, tag: str = "", of: str = "", **attributes: str) -> Node:
        found = self.all(tag, of, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag}.{of} {attributes}"
        return found[0]

    def text(self, without: tuple[str, ...] = ()) -> str:
        return "".join(
            part if isinstance(part, str) else "" if part.tag in without else part.text(without)
            for part in self.parts
        )


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].parts.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].parts.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> ends no element that is open"

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def parse(content: bytes | str) -> Node:
    """The tree of a page; AssertionError when its elements are not well nested."""
    builder = _Builder()
    builder.feed(content.decode() if isinstance(content, bytes) else content)
    builder.close()
    assert len(builder.open) == 1, f"<{builder.open[-1].tag}> is never ended"
    return builder.open[0]


def site(document: Document, templates: Path, pdf: str = "") -> html.Files:
    """The whole site of one study."""
    results = document.results.values()
    written = {"layers": Source("layers.md", "89abcdef" * 5, "https://example.org/layers.md#L{line}")}
    study_pages = html.write_document(
        document, templates, {"PDF": f"../{pdf}"} if pdf else {}, sources=written
    )
    texts = {path: content for path, content in study_pages.items() if path.endswith(".html")}
    places = printed.places([document.study], texts)
    pages = [
        html.write_result(result, templates, places=places.get(result.analysis, ())) for result in results
    ]
    cards, _ = html_home.cards([document.study], {document.study.id: pdf}, texts, results)
    return {
        **study_pages,
        **html.write_search([document.study], texts, results),
        **{name: content for files in pages for name, content in files.items()},
        **html.write_results_index(results, templates),
        **html.write_index(cards, [*results], "89abcdef", templates),
        **html.write_glossary(templates),
        **html.write_assets(templates),
        "manifest.json": b"{}",
    }


def put(files: html.Files, folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder

"""What must hold of a built site: links lead somewhere, nothing is loaded from outside, pages are sound."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGEST_PAGE = 300_000  # bytes, without the shared style and script
LARGEST_SCRIPT = 60_000
LARGEST_INDEX = 300_000  # of the search, and of the rows of a long table, which load after the page
#: Element → attribute through which it loads something.
LOADS = {
    "audio": "src", "embed": "src", "form": "action", "iframe": "src", "img": "src", "image": "href",
    "link": "href", "object": "data", "script": "src", "source": "src", "track": "src", "use": "href",
    "video": "src",
}  # fmt: skip
#: Elements that have no end.
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
LABELS = ("aria-labelledby", "aria-describedby", "aria-controls", "for")


@dataclass
class Page(HTMLParser):
    """What a page holds. `problems` are those that show without another page."""

    name: str
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    policy: str = ""
    language: str = ""
    title: str = ""
    inside: list[str] = field(default_factory=list)
    unnamed_drawings: int = 0

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        data = {name.removeprefix("xlink:"): value or "" for name, value in attrs}
        if tag not in VOID:
            self.inside.append(tag)
        self._identify(tag, data)
        self._follow(tag, data)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        elif tag == "html":
            self.language = data.get("lang", "")
        elif tag == "meta" and data.get("http-equiv", "").lower() == "content-security-policy":
            self.policy = data.get("content", "")
        elif tag == "img" and "alt" not in data:
            self.problems.append(f"the picture {data.get('src', '')[:60]} has no alt text")
        elif tag == "svg" and not data.get("aria-hidden"):
            self.unnamed_drawings += 1
        elif tag == "title" and "svg" in self.inside[:-1] and self.inside[-2] == "svg":
            self.unnamed_drawings -= 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.inside[-2:] == ["head", "title"]:
            self.title += data
        elif self.inside[-1:] == ["style"]:
            self._styles(data)

    def _identify(self, tag: str, data: Mapping[str, str]) -> None:
        if "id" in data:
            if data["id"] in self.ids:
                self.problems.append(f"the id {data['id']!r} is used twice")
            self.ids.add(data["id"])
        for name in LABELS:
            self.labels += data.get(name, "").split()
        for name, value in data.items():
            if name.startswith("on"):
                self.problems.append(f"<{tag}> has a script in its attribute {name}")
            elif name == "style":
                self._styles(value)

    def _follow(self, tag: str, data: Mapping[str, str]) -> None:
        if address := data.get(LOADS.get(tag, ""), ""):
            self.loads.append(address)
        if "data-rows" in data:  # the script loads it
            self.loads.append(data["data-rows"])
        if tag == "a" and "href" in data:
            self.links.append(data["href"])
        if "srcset" in data:
            self.loads += [part.split()[0] for part in data["srcset"].split(",") if part.strip()]

    def _styles(self, style: str) -> None:
        self.loads += style_loads(style)


def style_loads(style: str) -> list[str]:
    """The addresses that a style sheet loads."""
    found = re.findall(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""", style)
    return [first or second for first, second in found]


def check_site(folder: Path) -> list[str]:
    """One sentence for everything that does not hold of the site in `folder`, in the order of its pages."""
    paths = sorted(folder.rglob("*.html"))
    if not paths:
        return [f"there is no page in {folder}"]
    pages = {path.relative_to(folder).as_posix(): _read(path, folder) for path in paths}
    problems = [
        f"{name}: {problem}" for name, page in pages.items() for problem in _problems(page, pages, folder)
    ]
    for script in sorted(folder.rglob("*.js")):
        shared = script.parent.name == "assets"
        limit = LARGEST_INDEX if script.name == "search.js" or not shared else LARGEST_SCRIPT
        if (size := script.stat().st_size) > limit:
            name = script.relative_to(folder).as_posix()
            problems.append(f"{name}: it has {size:,} bytes, more than {limit:,}")
    for sheet in sorted(folder.rglob("*.css")):
        name = sheet.relative_to(folder).as_posix()
        problems += [
            f"{name}: {problem}"
            for address in style_loads(sheet.read_text("utf-8"))
            for problem in _load(address, name, folder)
        ]
    return problems


def _read(path: Path, folder: Path) -> Page:
    page = Page(path.relative_to(folder).as_posix())
    content = path.read_bytes()
    page.feed(content.decode("utf-8"))
    page.close()
    if len(content) > LARGEST_PAGE:
        page.problems.append(f"it has {len(content):,} bytes, more than {LARGEST_PAGE:,}")
    return page


def _problems(page: Page, pages: Mapping[str, Page], folder: Path) -> Iterator[str]:
    yield from page.problems
    if not page.language:
        yield "it does not name its language"
    if not page.title.strip():
        yield "it has no title"
    if "default-src 'none'" not in page.policy:
        yield "its content policy does not forbid what it does not name"
    if page.unnamed_drawings:
        yield f"{page.unnamed_drawings} drawings have no title"
    yield from _outline(page.headings)
    for label in page.labels:
        if label not in page.ids:
            yield f"something is labelled by the id {label!r}, which is not there"
    for address in page.loads:
        yield from _load(address, page.name, folder)
    for address in page.links:
        yield from _link(address, page, pages, folder)


def _outline(levels: list[int]) -> Iterator[str]:
    if levels.count(1) != 1:
        yield f"it has {levels.count(1)} headings of the first level, not 1"
    for before, level in zip([0, *levels], levels, strict=False):
        if level > before + 1:
            yield f"a heading of level {level} follows one of level {before}"


def _load(address: str, name: str, folder: Path) -> Iterator[str]:
    if address.startswith(("data:", "#")):
        return
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or address.startswith("/"):
        yield f"it loads {address[:80]} from outside the site"
    elif not _target(parts.path, name, folder).is_file():
        yield f"it loads {address[:80]}, which is not there"


def _link(address: str, page: Page, pages: Mapping[str, Page], folder: Path) -> Iterator[str]:
    parts = urlsplit(address)
    if parts.scheme in ("http", "https", "mailto"):
        return
    if parts.scheme or parts.netloc or address.startswith("/"):
        yield f"the link {address[:80]!r} leaves the folder of the site"
        return
    target = _target(parts.path, page.name, folder) if parts.path else folder.resolve() / page.name
    if not target.is_file():
        yield f"the link {address!r} leads to no file"
        return
    if not parts.fragment:
        return
    found = pages.get(target.relative_to(folder.resolve()).as_posix())
    if found and unquote(parts.fragment) not in found.ids:
        yield f"the link {address!r} leads to no place on that page"


def _target(path: str, name: str, folder: Path) -> Path:
    """The file that an address leads to; one above the folder counts as not there."""
    root = folder.resolve()
    target = (root / name).parent.joinpath(unquote(path)).resolve()
    return target if target.is_relative_to(root) else root / "outside"

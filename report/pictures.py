"""Pictures of the author's own, in the forms that LaTeX and a page can show.

A picture is a PNG, JPEG, SVG or PDF below the section's folder or the study's. LaTeX shows no SVG and a page
no PDF: a file of the same name in the other form is taken where there is one, else it is converted.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from report.document import Block, elements

MOST_PIXELS = 10_000  # a side: of 16,384 printer's points LaTeX knows no more
KINDS = (".png", ".jpg", ".jpeg", ".svg", ".pdf")
#: The picture's address in a section: ![caption](figures/net.png){width=50%}
MENTION = re.compile(r"!\[[^\]]*\]\(\s*<?([^)>\s]+)")
#: Kind of file → the programs that make the other kind of it, and the package that each comes with.
CONVERTERS = {
    ".svg": (("rsvg-convert", "-f", "pdf", "-o"), "librsvg2-bin"),
    ".pdf": (("pdftocairo", "-svg"), "poppler-utils"),
}


class PictureError(Exception):
    """A picture that cannot be shown; the message says which, why and what to do."""


def find(address: str, section: Path) -> Path:
    """The file that a section shows by its address, when it is a picture that both formats can show."""
    file = _file(address, section)
    _check(file)
    return file


def _file(address: str, section: Path) -> Path:
    """The file of that address below the section's folder or the one above."""
    if re.match(r"[a-z][a-z0-9+.-]+:", address):
        raise PictureError(
            f"the picture {address} is elsewhere, and pages load nothing from there; save it beside the text"
        )
    folder = section.resolve().parent
    places = [folder / address, folder.parent / address, folder.parent / "figures" / address]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise PictureError(f"there is no picture {address} in {folder} or {folder.parent}")
    if file.suffix.lower() not in KINDS:
        raise PictureError(f"{address} is no picture that can be shown; save it as PNG, JPEG, SVG or PDF")
    return file


def mentioned(text: str, section: Path) -> Iterator[Path]:
    """The files that a section's source shows, as far as they are there."""
    for address in MENTION.findall(text):
        try:
            yield _file(unquote(address), section)
        except (PictureError, OSError):
            continue


def images(node: Any) -> Iterator[Block]:
    """The pictures in a syntax tree."""
    return (element for element in elements(node) if element["t"] == "Image")


def in_latex(file: Path) -> tuple[str, bytes]:
    """Name and content for LaTeX."""
    return _stored(_as(file, ".svg", ".pdf"))


def on_page(file: Path) -> tuple[str, bytes]:
    """Name and content for a page."""
    return _stored(_as(file, ".pdf", ".svg"))


def width(image: Block) -> float | str | None:
    """A fraction of the text's width, or a length that both formats know; None where it is not said."""
    stated = dict(image["c"][0][2]).get("width", "")
    found = re.fullmatch(r"(\d*\.?\d+)\s*(%|px|cm|mm|in|pt|em)?", stated)
    if not found or not float(found[1]):
        return None
    number, unit = float(found[1]), found[2] or "px"
    if unit == "%":
        return min(number / 100, 1.0)
    return f"{number * 0.75:g}pt" if unit == "px" else f"{number:g}{unit}"


def _stored(content: tuple[str, bytes]) -> tuple[str, bytes]:
    suffix, data = content
    return f"{hashlib.sha256(data).hexdigest()[:16]}{suffix}", data


def _as(file: Path, unknown: str, instead: str) -> tuple[str, bytes]:
    """Suffix and content; of the kind `instead` where the file is of the kind that is unknown there."""
    suffix = file.suffix.lower()
    if suffix != unknown:
        return suffix, file.read_bytes()
    for beside in (instead, ".png"):
        if (other := file.with_suffix(beside)).is_file():
            return beside, other.read_bytes()
    return instead, _converted(file, file.stat().st_mtime_ns)


@cache
def _converted(file: Path, _changed: int) -> bytes:
    (program, *options), package = CONVERTERS[file.suffix.lower()]
    other = ".pdf" if file.suffix.lower() == ".svg" else ".svg"
    if not shutil.which(program):
        raise PictureError(
            f"{file} needs {program} (apt-get install {package}), or a {file.stem}{other} beside it"
        )
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "picture")
        files = [str(made), str(file)] if options[-1] == "-o" else [str(file), str(made)]
        done = subprocess.run([program, *options, *files], capture_output=True, text=True)
        if done.returncode or not made.is_file():
            problem = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise PictureError(f"{file} cannot be converted by {program}: {problem}")
        return made.read_bytes()


def _is_svg(file: Path) -> bool:
    from xml.etree import ElementTree

    try:
        return ElementTree.parse(file).getroot().tag.endswith("svg")
    except ElementTree.ParseError:
        return False


def _check(file: Path) -> None:
    """PictureError for a file that is not what its name says, or that LaTeX cannot show."""
    suffix = file.suffix.lower()
    readable = {".svg": _is_svg, ".pdf": _is_pdf}.get(suffix, _is_raster)
    if not readable(file):
        raise PictureError(f"{file} is no {suffix[1:].upper()} that can be read; save the picture again")


def _is_pdf(file: Path) -> bool:
    """Whether it is whole and not encrypted, as far as poppler is installed to tell."""
    content = file.read_bytes()
    if not content.startswith(b"%PDF") or b"%%EOF" not in content[-2048:]:
        return False
    return (
        not shutil.which("pdfinfo") or not subprocess.run(["pdfinfo", file], capture_output=True).returncode
    )


def _is_raster(file: Path) -> bool:
    from PIL import Image

    kinds = ("PNG",) if file.suffix.lower() == ".png" else ("JPEG", "MPO")
    large = f"{file} is too large to be shown; save it with at most {MOST_PIXELS} pixels a side"
    try:
        with Image.open(file, formats=kinds) as image:
            fits = max(image.size) <= MOST_PIXELS
            if fits:
                image.load()
    except Image.DecompressionBombError:
        raise PictureError(large) from None
    except Exception:  # Pillow raises of every kind
        return False
    if not fits:
        raise PictureError(large)
    return True

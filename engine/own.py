"""A study in a folder of its author's own: its sections, entries, results and analyses come before ours.

`study.toml`, `abstract.md`, `sections/*.md`, and if wanted `references.bib`, `names.txt`, `analyses/*.py` and
`results/`. The folder's `.build/templates` joins what is written there with ours by links, so that the report
reads one folder of templates as ever.
"""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from report import text_files
from report.bibliography import BibliographyError, bibliography_keys, without
from report.bibliography_names import family_first
from report.document import Study
from report.study import StudyError, load
from results.locking import holding
from results.store import write_atomically

STUDY = "study.toml"
LEAD = "Every number leads to the result that it came from."  # of the first page


@dataclass(frozen=True)
class OwnStudy:
    """`links` are the joined paths, which nobody wrote, with the files behind them."""

    study: Study
    templates: Path
    links: dict[Path, Path]

    @property
    def folder(self) -> Path:
        return self.templates.parents[1]

    def in_files_written(self, message: str) -> str:
        return _in_files_written(message, self.links)


def study_id(folder: Path) -> str:
    """What the files of the study are called: the folder's name in letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "study"


def open_study(folder: Path, ours: Path) -> OwnStudy:
    """The study of a folder, with its templates joined to ours. StudyError names the author's own file."""
    folder = folder.resolve()
    joined, name = folder / ".build" / "templates", study_id(folder)
    links = {joined / part: ours / part for part in ("latex", "html", "published.toml")}
    links |= {joined / "studies" / file.name: file for file in (ours / "studies").glob("*.toml")}
    links |= {joined / "sections" / file.name: file for file in (ours / "sections").glob("*.md")}
    links |= {joined / "sections" / file.name: file for file in (folder / "sections").glob("*.md")}
    links |= {joined / "sections" / file.name: file for file in _named_by_path(folder, ours)}
    links |= {joined / "sections" / "abstract.md": folder / "abstract.md"}
    links |= {joined / "studies" / f"{name}.toml": folder / STUDY}
    try:
        joint = {
            "names.txt": _text(folder / "names.txt") + _text(ours / "names.txt"),
            "references.bib": family_first(_references(folder / "references.bib", ours / "references.bib")),
        }
    except (BibliographyError, text_files.UnreadableText) as error:
        raise StudyError(str(error)) from None
    with holding(joined, wait_for=f"reads {folder}"):
        _link(joined, links)
        for part, text in joint.items():
            write_atomically(joined / part, text.encode())
    links |= {joined / part: folder / part for part in (*joint, "sections")}
    links |= {joined / "studies": ours / "studies"}
    try:
        study = load(joined / "studies" / f"{name}.toml", joined, typed_numbers="notice")
    except StudyError as error:
        raise StudyError(_in_files_written(str(error), links)) from None
    return OwnStudy(replace(study, site={"title": study.title, "lead": LEAD, **study.site}), joined, links)


def _text(file: Path) -> str:
    return f"{text_files.read(file)}\n" if file.is_file() else ""


def _references(mine: Path, ours: Path) -> str:
    """The author's entries, first so that lines are counted as there, and those of ours with other keys."""
    keys = bibliography_keys(mine)
    known = {key.lower(): key for key in bibliography_keys(ours)}
    for key, line in keys.items():
        if (same := known.get(key.lower(), key)) != key:  # which are one for BibTeX, and two for pandoc
            raise BibliographyError(
                f"{mine}:{line}: the key {key!r} differs from {same!r}, which comes with convstudy, in"
                f" capital letters alone; write {same}, so that your entry takes its place, or choose another"
            )
    return _text(mine) + without(_text(ours), keys)


def _named_by_path(folder: Path, ours: Path) -> list[Path]:
    """The sections that the study file names by their path, or as a file of a folder of sections; `load`
    judges the rest of it.
    """

    def place(name: str) -> Path:
        files = [folder / name, *(home / "sections" / name for home in (folder, ours) if "/" not in name)]
        return next((file for file in files if file.is_file()), files[0])

    with suppress(OSError, ValueError, tomllib.TOMLDecodeError):
        sections = tomllib.loads((folder / STUDY).read_text("utf-8-sig")).get("sections")
        if isinstance(sections, list):
            return [place(name) for name in sections if isinstance(name, str) and name.endswith(".md")]
    return []


def _link(joined: Path, links: dict[Path, Path]) -> None:
    """Make the links, and remove those of files that are gone."""
    for folder in {link.parent for link in links}:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.iterdir():
            if stale.is_symlink() and links.get(stale) != stale.readlink():
                stale.unlink()
    for link, file in links.items():
        if file.exists() and not link.is_symlink():
            link.symlink_to(file)


def _in_files_written(message: str, links: dict[Path, Path]) -> str:
    for link, file in links.items():
        message = message.replace(str(link), str(file))
    return message

"""A study in a folder of its author's own: its sections and entries stand before and beside ours.

`study.toml`, `abstract.md`, `sections/*.md`, and if wanted `references.bib` and `names.txt`. The folder's
`.build/templates` joins them with ours by links, so that the report reads one folder of templates as ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from report.document import Study
from report.prose import bibliography_keys
from report.study import StudyError, load
from results.locking import holding
from results.store import write_atomically

STUDY = "study.toml"


@dataclass(frozen=True)
class OwnStudy:
    """`links` are the joined paths, which nobody wrote, with the files behind them."""

    folder: Path
    study: Study
    templates: Path
    links: dict[Path, Path]

    def in_files_written(self, message: str) -> str:
        return _in_files_written(message, self.links)


def is_own(name: str) -> bool:
    """Whether the words name a folder with a study, rather than a study of ours."""
    return (Path(name) / STUDY).is_file()


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
    links |= {joined / "sections" / "abstract.md": folder / "abstract.md"}
    links |= {joined / "studies" / f"{name}.toml": folder / STUDY}
    repeated = sorted(_keys(ours) & _keys(folder))
    if repeated:
        raise StudyError(
            f"{folder / 'references.bib'}: the key {repeated[0]!r} is already in the bibliography that comes"
            " with convstudy; remove the entry, or give it another key"
        )
    with holding(joined, wait=True):
        _link(joined, links)
        for part in ("names.txt", "references.bib"):  # the author's first, so that lines are counted as there
            texts = [file.read_text("utf-8-sig") for file in (folder / part, ours / part) if file.is_file()]
            write_atomically(joined / part, "\n".join(texts).encode())
    try:
        return OwnStudy(folder, load(joined / "studies" / f"{name}.toml", joined), joined, links)
    except StudyError as error:
        raise StudyError(_in_files_written(str(error), links)) from None


def _keys(folder: Path) -> set[str]:
    return set(bibliography_keys(folder / "references.bib"))


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

"""Where the sections of a study are written: their files, and the addresses of lines in its repository."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from report.document import Study
from report.state import ROOT

LINE = "{line}"
#: What follows the address of a repository on GitHub and GitLab.
USUAL = "/blob/{commit}/{path}#L{line}"


@dataclass(frozen=True)
class Source:
    """`path` is from the repository or folder of the study; `address` has LINE for the number of a line, and
    is "" where no repository is known that has the file as it is here."""

    path: str
    commit: str = ""
    address: str = ""

    def at(self, line: int) -> str:
        return self.address.replace(LINE, str(line))


def sources(study: Study, templates: Path) -> dict[str, Source]:
    """The source of each section. Its commit is the one that last changed it, so that pages whose text stays
    as it is do so too; what it has is what the commit of the build has."""
    files = {name: (templates / "sections" / f"{name}.md").resolve() for name in study.sections}
    home = (study.source or templates).resolve().parent
    known = _in_repository(files.values(), home) if study.repository else {}
    found = {}
    for name, file in files.items():
        path, commit = known.get(file, ("", ""))
        address = _address(study.repository, commit, path) if commit else ""
        found[name] = Source(path or _below(file, home), commit, address)
    return found


def _below(file: Path, home: Path) -> str:
    above = next((folder for folder in (home, ROOT) if file.is_relative_to(folder)), file.parent)
    return file.relative_to(above).as_posix()


def _address(repository: str, commit: str, path: str) -> str:
    pattern = repository if "{path}" in repository else repository.rstrip("/") + USUAL
    return pattern.replace("{commit}", commit).replace("{path}", quote(path))


def _in_repository(files: Iterable[Path], home: Path) -> dict[Path, tuple[str, str]]:
    """Path and commit of each file that the repository around `home` has as it is here."""
    try:
        top = Path(git(home, "rev-parse", "--show-toplevel").strip())
        inside = {file: file.relative_to(top).as_posix() for file in files if file.is_relative_to(top)}
        changed = {
            entry[3:] for entry in git(top, "status", "--porcelain", "-z", "--", *inside.values()).split("\0")
        }
        kept = {file: path for file, path in inside.items() if path not in changed}
        commits = {
            file: git(top, "log", "-1", "--format=%H", "--", path).strip() for file, path in kept.items()
        }
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return {}
    return {file: (kept[file], commit) for file, commit in commits.items() if commit}


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder, without the lock that it would leave in the repository when it is killed; of
    `describe --dirty` it takes that all the same.
    """
    command = ["git", "--no-optional-locks", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout

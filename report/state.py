"""What the last build was made of: the hash of every file that went in and of every file that came out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from stat import S_ISREG
from typing import Any

from report.document import Study
from results.store import PREFERENCE, Profile, Store, digest, write_atomically

ROOT = Path(__file__).resolve().parent.parent
CODE = (ROOT / "report", ROOT / "results")
#: "analysis/name" in a template: what a section may draw on, present or not.
MENTION = re.compile(r"""["']([a-z0-9_]+(?:\.[a-z0-9_]+)+)(?:/[^"']*)?["']""")

Hashes = dict[str, str | None]
PREFERRED = "preferred profile"
TAGS = "tags for screen readers"
NEVER_BUILT = "it was never built here"


@dataclass(frozen=True)
class Made:
    """Files by their path below the output, and what does not hold of them. No files: not to be had here."""

    files: dict[str, bytes]
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """One thing that is made or left alone as a whole."""

    name: str  # "complete.pdf", "complete.html", "site"
    inputs: Hashes
    make: Callable[[], Made]


#: Format → what a page calls a study in it, and how its file ends.
WHOLE = {
    "pdf": ("PDF", ".pdf"),
    "ipynb": ("Notebook", ".ipynb"),
    "latex": ("LaTeX sources", "-latex.zip"),
}


class State:
    """What the last build was made of."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = state_folder(output)
        self.path = self.folder / "state.json"
        self.targets: dict[str, dict[str, Any]] = {}
        # none, or damaged: all is made again
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            kept = json.loads(self.path.read_bytes())
            if kept["hash"] == digest(kept["targets"]):
                self.targets = kept["targets"]

    @property
    def drawings(self) -> Path:
        """Where drawn figures are kept between builds."""
        return self.folder / "drawings"

    def reasons(self, name: str, inputs: Hashes) -> list[str]:
        """Why the target would be made again; empty when it would not."""
        known = self.targets.get(name)
        if known is None:
            return [NEVER_BUILT]
        before = known["inputs"]
        reasons = [
            f"{path} {_change(before.get(path), inputs.get(path))}"
            for path in sorted({*before, *inputs})
            if before.get(path) != inputs.get(path)
        ]
        reasons += [
            f"{self.output / path} is missing or was changed"
            for path, expected in sorted(known["outputs"].items())
            if hash_of(self.output / path) != expected
        ]
        return reasons

    def record(self, target: Target, made: Made) -> None:
        outputs = {path: hashlib.sha256(content).hexdigest() for path, content in made.files.items()}
        self._discard(set(self.targets.get(target.name, {}).get("outputs", {})) - set(outputs))
        for path, content in made.files.items():
            write_atomically(self.output / path, content)
        self.targets[target.name] = {
            "inputs": target.inputs,
            "outputs": outputs,
            "problems": list(made.problems),
        }
        self._save()

    def remove_gone(self, templates: Path) -> list[str]:
        """Remove what was made of studies whose file is gone; its names."""
        there = {file.stem for file in (templates / "studies").glob("*.toml")}
        made = {name: name.rpartition(".") for name in self.targets}
        gone = [name for name, (study, dot, _) in made.items() if dot and study not in there]
        for name in gone:
            self._discard(self.targets.pop(name)["outputs"])
        if gone:
            self._save()
        return gone

    def _save(self) -> None:
        kept = {"hash": digest(self.targets), "targets": self.targets}
        write_atomically(self.path, json.dumps(kept, indent=1, sort_keys=True).encode())

    def _discard(self, paths: Iterable[str]) -> None:
        """Remove files of the output, and the folders that they leave empty."""
        for path in paths:
            (self.output / path).unlink(missing_ok=True)
            for folder in Path(path).parents:
                with suppress(OSError):
                    (self.output / folder).rmdir()

    def preferred(self, study: str) -> Profile | None:
        """The profile that the study was last built with, where one was asked for."""
        for kind in ("pdf", "html"):
            profile: Profile | None = self.targets.get(f"{study}.{kind}", {}).get("inputs", {}).get(PREFERRED)
            if profile:
                return profile
        return None

    def tagged(self, study: str) -> bool:
        """Whether the study's PDF was last built with tags."""
        return TAGS in self.targets.get(f"{study}.pdf", {}).get("inputs", {})

    def pdf(self, study: str) -> str | None:
        """The study's PDF below the output, where it was built."""
        return self.files(study).get("PDF")

    def files(self, study: str) -> dict[str, str]:
        """What a reader of the study can take away whole: its kind and its place below the output."""
        there = {f"{study}.{kind}": (words, study + end) for kind, (words, end) in WHOLE.items()}
        return {
            words: file
            for target, (words, file) in there.items()
            if target in self.targets and (self.output / file).is_file()
        }

    def pages(self, study: str) -> Hashes:
        """The pages of the study, with their hashes."""
        outputs = self.targets.get(f"{study}.html", {}).get("outputs", {})
        return {path: sha for path, sha in outputs.items() if path.endswith(".html")}

    def manifest(self) -> bytes:
        """Every file of the site with its hash."""
        files = {path: sha for target in self.targets.values() for path, sha in target["outputs"].items()}
        return (json.dumps(files, indent=1, sort_keys=True) + "\n").encode()


def state_folder(output: Path) -> Path:
    return output.parent / ".build" / output.name


def document_inputs(study: Study, store: Store, templates: Path, prefer: Profile | None) -> Hashes:
    """Every file that the composed document is made of, by hash."""
    sections = section_files(study, templates)
    shared = [templates / name for name in ("names.txt", "published.toml", "references.bib")]
    names = sorted(mentioned([study], templates))
    profiles = dict.fromkeys((*((prefer,) if prefer else ()), *PREFERENCE))
    places = (store.path, store.media_path)
    recorded = [place(name, profile) for name in names for profile in profiles for place in places]
    shown = [picture for file in sections for picture in _pictures(file)]
    found = hashes([*([study.source] if study.source else []), *sections, *shared, *recorded, *shown])
    known = store.known()
    unknown = {f"the lack of {name}": "not there" for name in names if known and name not in known}
    return {**found, **unknown, PREFERRED: prefer}


def mentioned(studies: Iterable[Study], templates: Path) -> set[str]:
    """The analyses that the studies may draw on."""
    found = set()
    for study in studies:
        found |= {name for file in section_files(study, templates) for name in _mentions(file)}
        found |= {name.partition("/")[0] for name in (study.headline, study.figure) if name}
    return found


def section_files(study: Study, templates: Path) -> list[Path]:
    """The templates of the abstract and of every section."""
    return [templates / "sections" / f"{name}.md" for name in (study.abstract, *study.sections)]


def _pictures(section: Path) -> list[Path]:
    from report.pictures import mentioned

    return list(mentioned(section.read_text("utf-8", errors="replace"), section)) if section.is_file() else []


def _mentions(section: Path) -> set[str]:
    return set(MENTION.findall(section.read_text("utf-8", errors="replace"))) if section.is_file() else set()


def code_inputs(layouts: Path | None) -> Hashes:
    """This project's writers, and the layouts that they fill."""
    return hashes([*_code_files(), *(_files(layouts) if layouts else ())])


@cache
def _code_files() -> tuple[Path, ...]:
    return tuple(file for folder in CODE for file in sorted(folder.rglob("*.py")))


def shown(studies: Iterable[Study], store: Store, templates: Path) -> list[tuple[str, Profile]]:
    """The recorded results that the site has a page of: all, or of ours behind one's own those drawn on."""
    if store.behind is None:
        return store.recorded()
    used = mentioned(studies, templates)
    return [
        (name, profile)
        for name, profile in store.recorded()
        if name in used or store.path(name, profile).is_relative_to(store.root)
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _change(before: str | None, now: str | None) -> str:
    return "is gone" if now is None else "is new" if before is None else "changed"


def hashes(files: Iterable[Path]) -> Hashes:
    return {_name(file): hash_of(file) for file in files}


def _name(file: Path) -> str:
    """The path as a reason prints it: below the project where it is."""
    return str(file).removeprefix(f"{ROOT}/")


def hash_of(file: Path) -> str | None:
    try:
        found = file.stat()
        if not S_ISREG(found.st_mode):  # a pipe, say, of which nobody knows when it ends
            return None
        return _content_hash(file, (found.st_ino, found.st_ctime_ns, found.st_mtime_ns, found.st_size))
    except FileNotFoundError:
        return None


@cache
def _content_hash(file: Path, _state: tuple[int, ...]) -> str:
    """Of each state of a file once, since studies share most of their inputs."""
    return hashlib.sha256(file.read_bytes()).hexdigest()

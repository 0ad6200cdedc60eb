"""Building studies: what changed is composed and written again, nothing else.

Beside the output, `.build/<name>/state.json` keeps for every document the hash of each file it was made of
(its sections, the results it may use, layouts and this project's writers) and of each file it made. A
document whose inputs and outputs still have those hashes is not touched, and needs neither pandoc nor TeX.
One process at a time builds an output; a second one waits.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from report.document import Document, Study
from report.formatting import listing
from report.printed import Place
from results.locking import holding
from results.schema import Result
from results.store import PREFERENCE, Profile, ResultError, Store, write_atomically

ROOT = Path(__file__).resolve().parent.parent
CODE = (ROOT / "report", ROOT / "results")
#: "analysis/name" in a template: what a section may draw on, present or not.
MENTION = re.compile(r"""["']([a-z0-9_]+(?:\.[a-z0-9_]+)+)(?:/[^"']*)?["']""")

Hashes = dict[str, str | None]
PREFERRED = "preferred profile"


class BuildError(Exception):
    """A study that cannot be built; the message says what, where and what to do."""


@dataclass
class Built:
    """What a build did, what it could not do here, and what does not hold of what it made; a line each."""

    lines: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Made:
    """Files by their path below the output, and what does not hold of them. No files: not to be had here."""

    files: dict[str, bytes]
    problems: tuple[str, ...] = ()
    notice: str = ""


@dataclass(frozen=True)
class Target:
    """One thing that is made or left alone as a whole."""

    name: str  # "complete.pdf", "complete.html", "site"
    inputs: Hashes
    make: Callable[[], Made]


class State:
    """What the last build was made of."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = _state_folder(output)
        self.path = self.folder / "state.json"
        try:
            self.targets: dict[str, dict[str, Any]] = json.loads(self.path.read_bytes())
        except (FileNotFoundError, ValueError):
            self.targets = {}

    @property
    def drawings(self) -> Path:
        """Where drawn figures are kept between builds."""
        return self.folder / "drawings"

    def reasons(self, name: str, inputs: Hashes) -> list[str]:
        """Why the target would be made again; empty when it would not."""
        known = self.targets.get(name)
        if known is None:
            return ["it was never built here"]
        before = known["inputs"]
        reasons = [
            f"{path} {_change(before.get(path), inputs.get(path))}"
            for path in sorted({*before, *inputs})
            if before.get(path) != inputs.get(path)
        ]
        reasons += [
            f"{self.output / path} is missing or was changed"
            for path, expected in sorted(known["outputs"].items())
            if _hash(self.output / path) != expected
        ]
        return reasons

    def record(self, name: str, inputs: Hashes, made: Made) -> None:
        outputs = {path: hashlib.sha256(content).hexdigest() for path, content in made.files.items()}
        for stale in set(self.targets.get(name, {}).get("outputs", {})) - set(outputs):
            (self.output / stale).unlink(missing_ok=True)
        for path, content in made.files.items():
            write_atomically(self.output / path, content)
        self.targets[name] = {"inputs": inputs, "outputs": outputs, "problems": list(made.problems)}
        write_atomically(self.path, json.dumps(self.targets, indent=1, sort_keys=True).encode())

    def preferred(self, study: str) -> Profile | None:
        """The profile that the study was last built with, where one was asked for."""
        for kind in ("pdf", "html"):
            profile: Profile | None = self.targets.get(f"{study}.{kind}", {}).get("inputs", {}).get(PREFERRED)
            if profile:
                return profile
        return None

    def pdf(self, study: str) -> str | None:
        """The study's PDF below the output, where it was built."""
        built = f"{study}.pdf" in self.targets and (self.output / f"{study}.pdf").is_file()
        return f"{study}.pdf" if built else None

    def pages(self, study: str) -> Hashes:
        """The pages of the study, with their hashes."""
        outputs = self.targets.get(f"{study}.html", {}).get("outputs", {})
        return {path: sha for path, sha in outputs.items() if path.endswith(".html")}

    def manifest(self) -> bytes:
        """Every file of the site with its hash."""
        files = {path: sha for target in self.targets.values() for path, sha in target["outputs"].items()}
        return (json.dumps(files, indent=1, sort_keys=True) + "\n").encode()


def _state_folder(output: Path) -> Path:
    return output.parent / ".build" / output.name


def build_studies(
    studies: Sequence[Study],
    store: Store,
    templates: Path,
    output: Path,
    formats: Sequence[str],
    prefer: Profile | None = None,
) -> Built:
    """Bring the output up to date. A missing TeX or result costs only its part; BuildError stops it."""
    with holding(_state_folder(output), wait=True):
        return _build(studies, store, templates, State(output), formats, prefer)


def _build(
    studies: Sequence[Study],
    store: Store,
    templates: Path,
    state: State,
    formats: Sequence[str],
    prefer: Profile | None,
) -> Built:
    built = Built()
    makers = [_Maker(study, store, templates, state, prefer) for study in studies]
    with ThreadPoolExecutor(_processors()) as pool:
        try:
            for maker in makers if "pdf" in formats else ():
                if state.reasons(f"{maker.study.id}.pdf", maker.inputs("pdf")):
                    maker.compile_in(pool)
            for maker in makers:
                for kind in [kind for kind in ("pdf", "html") if kind in formats]:
                    _bring_up_to_date(state, maker.target(kind), built)
        finally:
            pool.shutdown(cancel_futures=True)
    if "html" in formats:
        known = _known_studies(templates, state)
        pdfs = {path.stem: state.pdf(path.stem) for path in known}
        inputs = {**_results_inputs(store), **_code_inputs(templates / "html"), **_hashes(known), **pdfs}
        inputs |= {path: sha for study in known for path, sha in state.pages(study.stem).items()}

        commit = _commit()

        def make() -> Made:
            from report import html, html_home
            from report import printed as prints
            from report.study import load

            studies = html_home.reading_order(load(path, templates) for path in known)
            results = _readable(store, prefer)
            printed = {
                path: (state.output / path).read_bytes() for s in studies for path in state.pages(s.id)
            }
            places = prints.places(studies, printed)
            pages, problems = _result_pages(results, templates, state.drawings, places)
            cards, missing = html_home.cards(
                studies, {s.id: pdfs[s.id] or "" for s in studies}, printed, results
            )
            files = {
                **html.write_index(cards, results, commit or "", templates),
                **pages,
                **html.write_search(studies, printed, results),
                **html.write_assets(templates),
            }
            return Made(files, (*problems, *missing))

        _bring_up_to_date(state, Target("site", {**inputs, PREFERRED: prefer, "commit": commit}, make), built)
    manifest = state.manifest()
    if _hash(state.output / "manifest.json") != hashlib.sha256(manifest).hexdigest():
        write_atomically(state.output / "manifest.json", manifest)
    return built


def _processors() -> int:
    """How many documents LaTeX compiles at the same time."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _result_pages(
    results: Iterable[Result],
    templates: Path,
    drawings: Path,
    places: Mapping[str, Sequence[Place]],
) -> tuple[dict[str, bytes], list[str]]:
    """The list of results and everything about each; and of those that cannot be drawn or written, why."""
    from report import html

    files: dict[str, bytes] = {}
    listed, problems = [], []
    for result in results:
        try:
            files |= html.write_result(result, templates, drawings, places.get(result.analysis, ()))
            listed.append(result)
        except OSError:
            raise
        except Exception as error:
            problems.append(_cannot_be_made(f"the page of {result.analysis}", error))
    return files | html.write_results_index(listed, templates), problems


def _cannot_be_made(what: str, error: Exception) -> str:
    return f"{what} cannot be made: {type(error).__name__}: {' '.join(str(error).split())}"


def _bring_up_to_date(state: State, target: Target, built: Built) -> None:
    if not state.reasons(target.name, target.inputs):
        built.lines.append(f"{target.name}: unchanged")
        built.problems += state.targets[target.name]["problems"]
        return
    try:
        made = target.make()
    except (BuildError, OSError):
        raise
    except Exception as error:  # what a result or a section holds costs what is made of it alone
        built.problems.append(_cannot_be_made(target.name, error))
        return
    if made.files:
        state.record(target.name, target.inputs, made)
        built.lines.append(f"{target.name}: built")
    built.notices += [made.notice] if made.notice else []
    built.problems += made.problems


@dataclass
class _Maker:
    """Composes a study at most once, and writes it in the formats asked for."""

    study: Study
    store: Store
    templates: Path
    state: State
    prefer: Profile | None
    _document: Document | None = None
    _compiled: Future[Path] | None = None

    def target(self, kind: str) -> Target:
        make = self._pdf if kind == "pdf" else self._html
        return Target(f"{self.study.id}.{kind}", self.inputs(kind), make)

    def inputs(self, kind: str) -> Hashes:
        found = document_inputs(self.study, self.store, self.templates, self.prefer)
        if kind == "pdf":
            return {**found, **_code_inputs(self.templates / "latex")}
        return {**found, **_code_inputs(self.templates / "html"), "pdf": self.state.pdf(self.study.id)}

    def document(self) -> Document:
        from report.prose import ProseError, compose

        if self._document is None:
            try:
                self._document = compose(self.study, self.templates, self.store, self.prefer)
            except ProseError as error:
                raise BuildError(str(error)) from None
        return self._document

    def problems(self) -> tuple[str, ...]:
        document = self.document()
        return tuple(f"{self.study.id}: {problem}" for problem in (*document.problems, *document.unanswered))

    def compile_in(self, pool: ThreadPoolExecutor) -> None:
        """Write what LaTeX reads here, and run it in the pool; what fails is raised by the target."""
        from report import latex

        try:
            source = self._source()
            latex.prepare(*source)
        except Exception as error:
            self._compiled = Future()
            self._compiled.set_exception(error)
        else:
            self._compiled = pool.submit(latex.run, *source)

    def _source(self) -> tuple[str, Document, Path, Path]:
        """What LaTeX compiles, and where."""
        from report import latex

        document = self.document()
        folder = self.state.folder / self.study.id
        return latex.write(document, self.templates), document, self.templates, folder

    def _pdf(self) -> Made:
        from report import checks, latex

        try:
            pdf = self._compiled.result() if self._compiled else latex.compile(*self._source())
        except latex.NoTeX as error:
            return Made({}, notice=f"{self.study.id}.pdf: {error}")
        except latex.LaTeXError as error:
            raise BuildError(f"{self.study.id}: {error}") from None
        document = self.document()
        problems = [
            f"{pdf.name}: {text}" for text in checks.check_pdf(pdf, pdf.with_suffix(".log"), document)
        ]
        return Made({pdf.name: pdf.read_bytes()}, (*self.problems(), *problems))

    def _html(self) -> Made:
        from report import html

        pdf = self.state.pdf(self.study.id)
        address = f"../{pdf}" if pdf else ""
        try:
            pages = html.write_document(self.document(), self.templates, address, self.state.drawings)
        except html.SiteError as error:
            raise BuildError(str(error)) from None
        return Made(pages, self.problems())


def document_inputs(study: Study, store: Store, templates: Path, prefer: Profile | None) -> Hashes:
    """Every file that the composed document is made of, by hash."""
    sections = [templates / "sections" / f"{name}.md" for name in (study.abstract, *study.sections)]
    shared = [templates / name for name in ("names.txt", "published.toml", "references.bib")]
    mentioned = sorted({name for file in sections for name in _mentions(file)})
    profiles = dict.fromkeys((*((prefer,) if prefer else ()), *PREFERENCE))
    recorded = [store.path(name, profile) for name in mentioned for profile in profiles]
    found = _hashes([*([study.source] if study.source else []), *sections, *shared, *recorded])
    return {**found, PREFERRED: prefer}


def _mentions(section: Path) -> set[str]:
    return set(MENTION.findall(section.read_text("utf-8", errors="replace"))) if section.is_file() else set()


def _code_inputs(layouts: Path) -> Hashes:
    return _hashes([*(file for folder in CODE for file in sorted(folder.glob("*.py"))), *_files(layouts)])


def _results_inputs(store: Store) -> Hashes:
    return _hashes(store.path(name, profile) for name, profile in store.recorded())


def _commit() -> str | None:
    """The commit that is checked out, with a "+" where files differ from it; None outside version control."""
    command = ("git", "describe", "--always", "--dirty=+", "--abbrev=8", "--exclude=*")
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _known_studies(templates: Path, state: State) -> list[Path]:
    """The study files whose pages are in the site."""
    built = {name.removesuffix(".html") for name in state.targets if name.endswith(".html")}
    return [file for file in sorted((templates / "studies").glob("*.toml")) if file.stem in built]


def _readable(store: Store, prefer: Profile | None) -> list[Result]:
    """The best readable result of each analysis; sections name the others."""
    found = []
    for name in sorted({name for name, _ in store.recorded()}):
        try:
            found.append(store.best(name, prefer))
        except ResultError:
            continue
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _change(before: str | None, now: str | None) -> str:
    return "is gone" if now is None else "is new" if before is None else "changed"


def _hashes(files: Iterable[Path]) -> Hashes:
    return {_name(file): _hash(file) for file in files}


def _name(file: Path) -> str:
    """The path as a reason prints it: below the project where it is."""
    return str(file).removeprefix(f"{ROOT}/")


def _hash(file: Path) -> str | None:
    try:
        found = file.stat()
        return _content_hash(file, (found.st_ino, found.st_ctime_ns, found.st_mtime_ns, found.st_size))
    except (FileNotFoundError, IsADirectoryError):
        return None


@cache
def _content_hash(file: Path, _state: tuple[int, ...]) -> str:
    """Of each state of a file once, since studies share most of their inputs."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def explain_study(study: Study, output: Path, store: Store, templates: Path) -> dict[str, list[str]]:
    """Why each format of the study would be built again; no reason when it would not."""
    state = State(output)
    maker = _Maker(study, store, templates, state, state.preferred(study.id))
    return {kind: state.reasons(f"{study.id}.{kind}", maker.inputs(kind)) for kind in ("pdf", "html")}


def check_prose(templates: Path) -> list[str]:
    """Digits typed by hand, in every section."""
    from report.checks import allowed_names, check_digits

    names = allowed_names(templates)
    sections = sorted((templates / "sections").glob("*.md"))
    return [problem for section in sections for problem in check_digits(section, names)]


def check_output(
    studies: Sequence[Study], store: Store, templates: Path, output: Path, notices: list[str] | None = None
) -> list[str]:
    """What does not hold of the studies, and of their site and PDFs in `output`.

    To `notices` are added the tables and figures that a study shows and never refers to.
    """
    from report import checks, layout
    from report.prose import ProseError, compose
    from report.site_checks import check_site

    if not output.is_dir():
        return [f"there is no site in {output}; make it with `python runner.py build`"]
    problems: list[Any] = check_site(output)
    state = State(output)
    for study in studies:
        try:
            document = compose(study, templates, store, state.preferred(study.id))
        except ProseError as error:
            problems.append(str(error))
            continue
        problems += [f"{study.id}: {problem}" for problem in document.unanswered]
        if notices is not None and (floats := layout.unmentioned(document)):
            notices.append(f"{study.id} never refers to {listing(floats)}; say with ref(…) what to see there")
        pdf, log = output / f"{study.id}.pdf", state.folder / study.id / f"{study.id}.log"
        if pdf.is_file() and log.is_file() and pdf.name in state.targets:
            found = [
                *checks.check_pdf(pdf, log, document),
                *layout.problems(pdf, log.with_suffix(".aux"), document),
            ]
            problems += [f"{pdf.name}: {problem}" for problem in found]
    return problems

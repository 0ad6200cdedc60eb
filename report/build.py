"""Building studies: what changed is composed and written again, nothing else.

Beside the output, `.build/<name>/state.json` keeps for every document the hash of each file it was made of
(its sections, the results it may use, layouts and this project's writers) and of each file it made. A
document whose inputs and outputs still have those hashes is not touched, and needs neither pandoc nor TeX.
One process at a time builds an output; a second one waits.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from report.document import Document, Study
from report.figure_faults import DrawingError
from report.pandoc import PandocError
from report.pictures import PictureError
from report.printed import Place
from report.sources import Source, git, sources
from report.state import (
    PREFERRED,
    TAGS,
    Hashes,
    Made,
    State,
    Target,
    code_inputs,
    document_inputs,
    hash_of,
    hashes,
    shown,
    state_folder,
)
from results.locking import holding
from results.schema import Result
from results.store import Profile, ResultError, Store, write_atomically

#: What a study is written as, in the order of the building: a site links to the others.
FORMATS = ("pdf", "ipynb", "latex", "html")
TYPESET = ("pdf", "latex")


class BuildError(Exception):
    """A study that cannot be built; the message says what, where and what to do."""


@dataclass
class Built:
    """What a build did, what it could not do here, and what does not hold of what it made; a line each."""

    lines: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def build_studies(
    studies: Sequence[Study],
    store: Store,
    templates: Path,
    output: Path,
    formats: Sequence[str],
    prefer: Profile | None = None,
    tagged: bool = False,
) -> Built:
    """Bring the output up to date. What is missing or broken costs only its part."""
    with holding(state_folder(output), wait_for=f"builds {output}"):
        return _build(studies, store, templates, State(output), formats, prefer, tagged)


def _build(
    studies: Sequence[Study],
    store: Store,
    templates: Path,
    state: State,
    formats: Sequence[str],
    prefer: Profile | None,
    tagged: bool,
) -> Built:
    built = Built()
    makers = [_Maker(study, store, templates, state, prefer, tagged) for study in studies]
    with ThreadPoolExecutor(_processors()) as pool:
        try:
            for maker in makers:
                targets = (maker.target(kind) for kind in TYPESET if kind in formats)
                if any(state.reasons(target.name, target.inputs) for target in targets):
                    maker.compile_in(pool)
            for maker in makers:
                for kind in [kind for kind in FORMATS if kind in formats]:
                    _bring_up_to_date(state, maker.target(kind), built)
        finally:
            pool.shutdown(cancel_futures=True)
    if "html" in formats:
        built.lines += [f"{name}: removed, since its study is gone" for name in state.remove_gone(templates)]
        known = _known_studies(templates, state)
        pdfs = {path.stem: state.pdf(path.stem) for path in known}
        recorded = shown(studies, store, templates)
        places = (store.path, store.media_path)
        results = hashes(place(name, profile) for name, profile in recorded for place in places)
        inputs = {**results, **code_inputs(templates / "html"), **hashes(known), **pdfs}
        inputs |= {path: sha for study in known for path, sha in state.pages(study.stem).items()}
        commit = _commit(studies)

        def make() -> Made:
            from report import html, html_home
            from report import printed as prints
            from report.study import load

            given = {study.id: study for study in studies}
            listed = html_home.reading_order(given.get(f.stem) or load(f, templates) for f in known)
            results = _readable(recorded, store, prefer)
            printed = {path: (state.output / path).read_bytes() for s in listed for path in state.pages(s.id)}
            places = prints.places(listed, printed)
            site = next((one.site for one in listed if one.site), html.NO_SITE)
            pages, problems = _result_pages(results, templates, state.drawings, places, site, store.program)
            cards, missing = html_home.cards(
                listed, {s.id: pdfs[s.id] or "" for s in listed}, printed, results
            )
            files = {
                **html.write_index(cards, results, commit or "", templates, site),
                **pages,
                **html.write_glossary(templates, site),
                **html.write_search(listed, printed, results),
                **html.write_assets(templates),
            }
            return Made(files, (*problems, *missing))

        _bring_up_to_date(state, Target("site", {**inputs, PREFERRED: prefer, "commit": commit}, make), built)
    manifest = state.manifest()
    if hash_of(state.output / "manifest.json") != hashlib.sha256(manifest).hexdigest():
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
    site: Mapping[str, str],
    program: str,
) -> tuple[dict[str, bytes], list[str]]:
    """The list of results and everything about each; and of those that cannot be drawn or written, why."""
    from report import html

    files: dict[str, bytes] = {}
    listed, problems = [], []
    for result in results:
        try:
            files |= html.write_result(
                result, templates, drawings, places.get(result.analysis, ()), site, program
            )
            listed.append(result)
        except OSError:
            raise
        except Exception as error:
            problems.append(_cannot_be_made(f"the page of {result.analysis}", error))
    return files | html.write_results_index(listed, templates, site), problems


def _cannot_be_made(what: str, error: Exception) -> str:
    kind = "" if isinstance(error, DrawingError) else f"{type(error).__name__}: "
    return f"{what} cannot be made: {kind}{' '.join(str(error).split())}"


def _bring_up_to_date(state: State, target: Target, built: Built) -> None:
    if not state.reasons(target.name, target.inputs):
        built.lines.append(f"{target.name}: unchanged")
        built.problems += state.targets[target.name]["problems"]
        return
    try:
        made = target.make()
    except (BuildError, PandocError, PictureError) as error:
        built.problems.append(str(error))
        return
    except OSError:
        raise
    except Exception as error:  # what a result or a section holds costs what is made of it alone
        built.problems.append(_cannot_be_made(target.name, error))
        return
    if made.files:
        state.record(target, made)
        built.lines.append(f"{target.name}: built")
    built.notices += made.notices
    built.problems += made.problems


@dataclass
class _Maker:
    """Composes a study at most once, and writes it in the formats asked for."""

    study: Study
    store: Store
    templates: Path
    state: State
    prefer: Profile | None
    tagged: bool
    _document: Document | None = None
    _sources: dict[str, Source] | None = None
    _broken: dict[str, str] = field(default_factory=dict)  # sections that LaTeX cannot set, and why
    _compiled: Future[Path] | None = None

    def target(self, kind: str) -> Target:
        make = {"pdf": self._pdf, "html": self._html, "ipynb": self._notebook, "latex": self._latex}[kind]
        return Target(f"{self.study.id}.{kind}", self.inputs(kind), make)

    def inputs(self, kind: str) -> Hashes:
        found = dict(self.of_document)
        if kind == "html":
            found |= {f"the source of {name}": one.address for name, one in self.sources().items()}
            return {**found, **code_inputs(self.templates / "html"), **self.state.files(self.study.id)}
        if kind in TYPESET and self.tagged:
            found |= {TAGS: "asked for"}
        return {**found, **code_inputs(self.templates / "latex" if kind in TYPESET else None)}

    @cached_property
    def of_document(self) -> Hashes:
        """What the document is made of, as it was before anything was composed."""
        return document_inputs(self.study, self.store, self.templates, self.prefer)

    def sources(self) -> dict[str, Source]:
        if self._sources is None:
            self._sources = sources(self.study, self.templates)
        return self._sources

    def document(self) -> Document:
        from report.drafts import ProseError
        from report.prose import compose

        if self._document is None:
            try:
                self._document = compose(
                    self.study, self.templates, self.store, self.prefer, tolerant=True, broken=self._broken
                )
            except ProseError as error:
                raise BuildError(str(error)) from None
        return self._document

    def _unbroken(self) -> Document:
        """With what only LaTeX cannot set."""
        if self._broken:
            self._broken, self._document = {}, None
        return self.document()

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
        return latex.write(document, self.templates, self.tagged), document, self.templates, folder

    def _pdf(self) -> Made:
        from report import latex, latex_scripts, latex_tags, pdf_checks

        try:
            pdf = self._compile()
        except latex.NoTeX as error:
            return Made({}, notices=(f"{self.study.id}.pdf: {error}",))
        document = self.document()
        problems = [
            f"{pdf.name}: {text}" for text in pdf_checks.check_pdf(pdf, pdf.with_suffix(".log"), document)
        ]
        notice = latex_scripts.advice(self._source()[0])
        notices = (*document.notices, *([f"{pdf.name}: {notice}"] if notice else []))
        content, made = pdf.read_bytes(), latex.newest(document)
        if self.tagged and made:
            content = latex_tags.settled(content, made)
        return Made({pdf.name: content}, (*self.problems(), *problems), notices)

    def _compile(self) -> Path:
        from report import latex

        while True:
            try:
                return self._compiled.result() if self._compiled else latex.compile(*self._source())
            except latex.LaTeXError as error:
                if not error.section or error.section in self._broken:
                    raise BuildError(f"{self.study.id}: {error}") from None
                self._broken[error.section] = str(error)
                self._document = self._compiled = None

    def _latex(self) -> Made:
        from report import latex, latex_archive

        name, notices = f"{self.study.id}-latex.zip", self.document().notices
        try:
            self._compile()
        except latex.NoTeX:
            said = f"{name} has no .bbl, which arXiv asks for, since TeX is not installed here"
            notices = (*notices, said)
        source = self._source()
        notices = (f"{latex_archive.hint(source[0], name)}; its README.txt says more", *notices)
        return Made({name: latex_archive.write(*source)}, self.problems(), notices)

    def _html(self) -> Made:
        from report import html

        files = {kind: f"../{file}" for kind, file in self.state.files(self.study.id).items()}
        try:
            document = self._unbroken()
            pages = html.write_document(document, self.templates, files, self.state.drawings, self.sources())
        except html.SiteError as error:
            raise BuildError(str(error)) from None
        return Made(pages, self.problems(), self.document().notices)

    def _notebook(self) -> Made:
        from report import notebook

        document = self._unbroken()
        return Made({f"{self.study.id}.ipynb": notebook.write(document)}, self.problems(), document.notices)


def _commit(studies: Sequence[Study]) -> str | None:
    """The commit that the studies are of, with a "+" where files differ from it; None without one."""
    sources = [study.source.resolve().parent for study in studies if study.source]
    try:
        commit = git(sources[0], "describe", "--always", "--abbrev=8", "--exclude=*").strip()
        differs = git(sources[0], "status", "--porcelain", "--untracked-files=no")
    except (OSError, IndexError, subprocess.CalledProcessError):
        return None
    return commit + "+" * bool(differs)


def _known_studies(templates: Path, state: State) -> list[Path]:
    """The study files whose pages are in the site."""
    built = {name.removesuffix(".html") for name in state.targets if name.endswith(".html")}
    return [file for file in sorted((templates / "studies").glob("*.toml")) if file.stem in built]


def _readable(recorded: Iterable[tuple[str, Profile]], store: Store, prefer: Profile | None) -> list[Result]:
    """The best readable result of each analysis; sections name the others."""
    found = []
    for name in sorted({name for name, _ in recorded}):
        try:
            found.append(store.illustrated(store.best(name, prefer)))
        except ResultError:
            continue
    return found


def explain_study(study: Study, output: Path, store: Store, templates: Path) -> dict[str, list[str]]:
    """Why each format of the study would be built again, of those built unless asked for only where it was;
    no reason when it would not.
    """
    state = State(output)
    maker = _Maker(study, store, templates, state, state.preferred(study.id), state.tagged(study.id))
    kinds = [kind for kind in FORMATS if kind in ("pdf", "html") or f"{study.id}.{kind}" in state.targets]
    return {kind: state.reasons(f"{study.id}.{kind}", maker.inputs(kind)) for kind in kinds}

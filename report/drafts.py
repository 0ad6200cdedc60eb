"""One section's template and the results → Markdown, with the faults of a template named by file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from report import checks, template_faults, text_files
from report.formatting import listing, markdown
from report.macro_calls import missing_note, namespace
from report.macros import MacroError, Macros, full_name
from report.numbering import Kind
from results.schema import Result
from results.store import ResultError

#: What sets the numbers of a profile apart from those of the protocol.
NOT_FULL = {
    "quick": "measured on small embedded data, with short training, in place of the data of the protocol",
    "custom": "made with parameters of the reader's own",
}
#: What a section's template can raise.
IN_A_TEMPLATE = (
    template_faults.TemplateFault, jinja2.TemplateError, MacroError, TypeError, ValueError, LookupError,
    AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip


class ProseError(Exception):
    """A template that cannot be composed; the message names file and line and says what to do.

    `section` is the one that the fault is in, "" where it concerns all.
    """

    def __init__(self, message: str, section: str = "") -> None:
        super().__init__(message)
        self.section = section


@dataclass(frozen=True)
class Draft:
    """A rendered section. `declared` are the tables and figures that its template names, shown or not."""

    file: Path
    source: str
    title: str
    markdown: str
    used: frozenset[str] = frozenset()
    declared: dict[str, Kind] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    lost: bool = False  # what stands here is a note in the place of the section

    def place(self, needle: str) -> str | None:
        """ "file:line" of the first line with that text as a whole word."""
        lines, word = enumerate(self.source.splitlines(), 1), re.compile(re.escape(needle) + r"(?![\w-])")
        return next((f"{self.file}:{number}" for number, line in lines if word.search(line)), None)


def render(file: Path, macros: Macros, typed_numbers: str) -> Draft:
    source = _source(file)
    title, body = _split_title(source, file)
    template = checks.with_statements(source)
    typed = checks.check_typed(file, macros.allowed_names) if typed_numbers != "allow" else ""
    if typed and typed_numbers == "refuse":
        raise ProseError(typed, file.stem)
    notices = tuple(filter(None, (typed, checks.check_html(file), checks.check_latex(file))))
    for check in (checks.check_footnotes, checks.check_brackets, checks.check_dollars, checks.check_tables):
        if problem := check(file):
            raise ProseError(problem, file.stem)
    macros.begin()
    try:
        compiled, declared = _compiled(file, template)
        text = compiled.render(namespace(macros))
    except ResultError as error:
        note, problem = missing_note(error, "This section"), f"section {file.stem}: {error}"
        return Draft(file, source, title, note, frozenset(), declared, (problem,), notices, lost=True)
    except IN_A_TEMPLATE as error:
        line, words = template_faults.described(error, str(file), template)
        raise ProseError(f"{file}:{line}: {words}", file.stem) from None
    title, body = _split_title(text, file)
    body = _quick_note([macros.loaded[name] for name in sorted(macros.used)], macros.store.program) + body
    problems = tuple(f"section {file.stem}: {error}" for error in macros.lacking.values())
    return Draft(file, source, title, body, frozenset(macros.used), declared, problems, notices)


@lru_cache(maxsize=256)
def _compiled(file: Path, template: str) -> tuple[jinja2.Template, dict[str, Kind]]:
    """The template ready to be rendered, and the tables and figures that it names; kept, since a section
    stands in several studies.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(lambda name: (template, name, None)),
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.do"],
        comment_start_string=checks.COMMENT[0],
        comment_end_string=checks.COMMENT[1],
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    template_faults.check_statements(environment, template)
    declared = dict(_declared(environment.parse(template)))
    return environment.get_template(str(file)), declared


def broken_draft(file: Path, problem: str) -> Draft:
    """What stands in the place of a section with a fault."""
    text = file.read_text("utf-8-sig", errors="replace") if file.is_file() else ""
    first = text.partition("\n")[0]
    title = first[2:].strip() if first.startswith("# ") else file.stem
    said = markdown(problem.replace(f"{file.parent}/", ""))
    note = f"\n::: {{.missing}}\nThis section cannot be shown: {said}.\n:::\n"
    return Draft(file, text, title, note, problems=(problem,), lost=True)


def _source(file: Path) -> str:
    try:
        return text_files.read(file)
    except FileNotFoundError:
        raise ProseError(f"there is no section template {file}", file.stem) from None
    except text_files.UnreadableText as error:
        raise ProseError(str(error), file.stem) from None
    except OSError as error:
        raise ProseError(f"{file} cannot be read: {error.strerror}", file.stem) from None


def _split_title(text: str, file: Path) -> tuple[str, str]:
    first, _, body = text.partition("\n")
    if not first.startswith("# ") or not first[2:].strip():
        raise ProseError(f"{file}:1: a section starts with its title, as `# Title`", file.stem)
    return first[2:].strip(), body


def _declared(template: nodes.Template) -> Iterator[tuple[str, Kind]]:
    """Target and kind of every table and figure that a template names."""
    kinds: dict[str, Kind] = {"table": "table", "figure": "figure"}
    subject = ""
    for call in template.find_all(nodes.Call):
        name = call.node.name if isinstance(call.node, nodes.Name) else ""
        if call.args and isinstance(call.args[0], nodes.Const):
            said = str(call.args[0].value)
            if name == "about":
                subject = said
            elif name in kinds:
                yield full_name(said, subject), kinds[name]


def _quick_note(results: Sequence[Result], program: str) -> str:
    """What a section says first when it rests on anything but full results."""
    notes = []
    for profile, what in NOT_FULL.items():
        names = [result.analysis for result in results if result.profile == profile]
        if names:
            listed = listing([f"`{name}`" for name in names])
            again = f" `{program} run {' '.join(names)} --profile full` makes the full ones."
            if profile == "custom":  # which nothing full takes the place of
                again = ""
            notes.append(f"The numbers of {listed} are of the {profile} profile: {what}.{again}")
    return "".join(f"\n::: {{.quick}}\n{note}\n:::\n\n" for note in notes)


def fault_of_name(drafts: Sequence[Draft], name: str, message: str) -> ProseError:
    """The error where a name is given again: by an id, or by the file of a picture without one."""
    given = re.compile(
        rf"\{{#(?:eq:|equation:)?{re.escape(name)}[\s}}]|/?\b{re.escape(name)}\.\w+\)(?!\{{[^}}]*#)"
    )
    places = [
        (draft, number)
        for draft in drafts
        for number, line in enumerate(draft.source.splitlines(), 1)
        for _ in given.finditer(line)
    ]
    if len(places) < 2:
        return fault(drafts, name, message)
    draft, number = places[1]
    return ProseError(f"{draft.file}:{number}: {message}", draft.file.stem)


def fault(drafts: Sequence[Draft], needle: str, message: str) -> ProseError:
    """The error of the section that first says `needle`."""
    draft, place = next(
        ((draft, place) for draft in drafts if (place := draft.place(needle))),
        (drafts[0], str(drafts[0].file)),
    )
    return ProseError(f"{place}: {message}", draft.file.stem)

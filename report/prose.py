"""Section templates and results → a Document: the prose written once, read by both writers.

A section is `templates/sections/<id>.md`: Markdown with Jinja whose first line is `# Title`. A statement
stands on a line of its own that begins with "%", and a sentence on a line of its own too:

    % do about("analysis")                                           the analysis of names that say none
    % if holds("finding") / % elif verdict("finding") == "more" / % else / % endif
    % if profile() == "full"
    % for name, metric in result().metrics.items() / % endfor
    % # a comment

Numbers come only through macros; "analysis/name" stands for every name below too:

    {{ percent("metric", ci=True) }}                                 84.3% (95% CI 80.0–88.3)
    {{ value("count", format="words") }}                             "three", or "12"
    {{ points("metric", ci=True, unit=True, unsigned=True) }}        14.7 percentage points (95% CI 6.3–23.0)
    {{ value("metric", format=".3f", scale=100, interval="CI", "±" or "[]", partial=True) }}
    ${{ plain("metric") }} \\times 2$, ${{ plain("published:key") }}$    digits alone, for mathematics
    {{ published("key", format=None, scale=None) }} [@citation]      from templates/published.toml
    {{ parameter("faces/size") }}                                    a parameter of the analysis
    {{ sentence("finding") }}                                        the sentence of its verdict
    {{ table("name", columns=["layer", "weights"]) }}                in a paragraph of its own
    {{ figure("name") }}
    {{ media("name", "What it shows") }}                             a picture of data that is here, or how to
    % if has("name")                                                 draw it; whether a figure is there
    {{ ref("name") }}, {{ ref("section:id") }}, {{ ref("picture:id") }}, {{ ref("table:id") }}
    {{ number("1,234") }}                                            a number of the author's own
    {{ answers("1a", "1b") }}                                        marks the paragraph that it ends, and
                                                                     a table or figure right below
    {{ data() }}, {{ licence() }}, {% for note in notes() %}         of the data set

A result that is missing or refused costs only the sections that are about it, or ask for it in a statement:
a Div .missing says what to run. What another section prints of it is missing in its place alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from report import checks, pandoc, pictures, provenance, questions, template_faults, text_files
from report.bibliography import BibliographyError, bibliography_keys
from report.colours import coloured
from report.document import Block, Document, Item, Section, Study, Written, elements, plain_text, rewrite
from report.formatting import listing, markdown, nearest
from report.macros import MacroError, Macros, full_name, missing_note
from report.numbering import DeadReference, Kind, Linker, Offer, RepeatedName, number_items, unmentioned
from results.schema import Result
from results.store import Profile, ResultError, Store

#: A marker as it is rendered.
MARKED = re.compile(r"\]\{\.(value|quoted|ref) ")
#: What prints a marker as it is → how a section has it, and what to do.
VERBATIM = {
    "Code": (r"`[^`]+`", "backquotes; take it out of them"),
    "Math": (checks.FORMULA, "a formula; use {{ plain(…) }} there"),
}
DEEPEST_LIST = 4
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


def compose(
    study: Study,
    templates: Path,
    store: Store,
    prefer: Profile | None = None,
    tolerant: bool = False,
    broken: Mapping[str, str] | None = None,
) -> Document:
    """The numbered document of a study, from the best results at hand. Raises ProseError.

    `broken` are sections that are known to have a fault, with its sentence, which stands in their place;
    where the call is `tolerant`, others that turn out so are added to these.
    """
    known = dict(broken or {})
    while True:
        try:
            return _compose(study, templates, store, prefer, known)
        except ProseError as error:
            if not tolerant or not error.section or error.section in known:
                raise
            known[error.section] = str(error)


def _compose(
    study: Study, templates: Path, store: Store, prefer: Profile | None, broken: Mapping[str, str]
) -> Document:
    try:
        macros = Macros(templates, store, prefer, asked=frozenset(one.id for one in study.questions))
    except ValueError as error:
        raise ProseError(str(error)) from None
    files = {name: templates / "sections" / f"{name}.md" for name in _names(study)}
    drafts = [
        _broken(file, broken[name]) if name in broken else _render(file, macros, study.typed_numbers)
        for name, file in files.items()
    ]
    results = {
        name: macros.loaded[name] for name in sorted({name for draft in drafts for name in draft.used})
    }
    answered = {
        name: dict.fromkeys(questions.named(draft.source), ())
        if draft.lost
        else questions.marked(draft.markdown)
        for name, draft in zip(study.sections, drafts[1:], strict=True)
    }
    appendix = [questions.text(study.questions, answered), provenance.text(results)]
    drafts.append(_Draft(Path(), "", provenance.TITLE, "\n\n".join(filter(None, appendix))))
    titles = [f"# {draft.title}" for draft in drafts]
    try:
        texts = pandoc.read_markdown([*titles, *(draft.markdown for draft in drafts)])
    except pandoc.NestedTooDeep as error:
        draft = drafts[error.index % len(drafts)]
        place = f"{draft.file}:{template_faults.deepest(draft.source)}"
        what = "quotes, lists or emphasis stand too deep in each other there; write it flat"
        raise ProseError(f"{place}: {what}", draft.file.stem) from None
    headings, trees = [blocks[0]["c"][2] for blocks in texts[: len(drafts)]], texts[len(drafts) :]
    trees = [_with_pictures(draft, tree) for draft, tree in zip(drafts, trees, strict=True)]
    for draft, tree in zip(drafts, trees, strict=True):
        _check_structure(draft, tree)
    _check_markers(drafts, trees)
    _check_citations(drafts, trees, templates / "references.bib")
    offers = {**macros.offers, provenance.TARGET: Offer("table", provenance.table(results))}
    names = [*_names(study), provenance.SECTION]
    bodies = {
        name: questions.attached(_prefix_ids(tree, name)) for name, tree in zip(names, trees, strict=True)
    }
    try:
        numbered, items = number_items(bodies, offers)
    except RepeatedName as error:
        raise _fault(drafts, error.target, str(error)) from None
    contents = coloured(
        {name: item.content for name, item in items.items() if not isinstance(item.content, Written)}
    )
    items |= {target: replace(items[target], content=content) for target, content in contents.items()}
    sections = [
        Section(
            name,
            number,
            plain_text(heading),
            tuple(numbered[name]),
            tuple(heading),
            _heading_lines(draft.source, numbered[name]),
            draft.problems,
        )
        for name, number, heading, draft in zip(
            names[1:], _numbers(len(names) - 1), headings[1:], drafts[1:], strict=True
        )
    ]
    linker = Linker(
        items, {section.id: section for section in sections}, _titles(templates), _missing(drafts)
    )
    return Document(
        study=study,
        abstract=tuple(_link(linker, numbered[study.abstract], drafts)),
        sections=tuple(
            replace(section, blocks=tuple(_link(linker, section.blocks, drafts))) for section in sections
        ),
        items=items,
        results=results,
        bibliography=templates / "references.bib",
        problems=tuple(problem for draft in drafts for problem in draft.problems),
        notices=(
            *(notice for draft in drafts for notice in draft.notices),
            *_unmentioned({name: numbered[name] for name in _names(study)}, items, drafts),
        ),
        illustrations=frozenset(macros.local & macros.offers.keys()),
        unanswered=tuple(questions.unanswered(study.questions, answered, study.source)),
    )


@dataclass(frozen=True)
class _Draft:
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


def _names(study: Study) -> tuple[str, ...]:
    return (study.abstract, *study.sections)


def _numbers(count: int) -> list[str]:
    """ "1", "2", … and "A" for the last section, the appendix."""
    return [*map(str, range(1, count)), "A"]


def _render(file: Path, macros: Macros, typed_numbers: str) -> _Draft:
    source = _source(file)
    title, body = _split_title(source, file)
    template = checks.with_statements(source)
    typed = _typed(file, macros) if typed_numbers != "allow" else ""
    if typed and typed_numbers == "refuse":
        raise ProseError(typed, file.stem)
    notices = tuple(filter(None, (typed, checks.check_html(file))))
    if fault := checks.check_footnotes(file) or checks.check_brackets(file):
        raise ProseError(fault, file.stem)
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
    macros.begin()
    try:
        template_faults.check_statements(environment, template)
        declared = dict(_declared(environment.parse(template)))
        text = environment.get_template(str(file)).render(macros.namespace())
    except ResultError as error:
        note, problem = missing_note(error, "This section"), f"section {file.stem}: {error}"
        return _Draft(file, source, title, note, frozenset(), declared, (problem,), notices, lost=True)
    except IN_A_TEMPLATE as error:
        line, words = template_faults.described(error, str(file), template)
        raise ProseError(f"{file}:{line}: {words}", file.stem) from None
    title, body = _split_title(text, file)
    body = _quick_note([macros.loaded[name] for name in sorted(macros.used)], macros.store.program) + body
    problems = tuple(f"section {file.stem}: {error}" for error in macros.lacking.values())
    return _Draft(file, source, title, body, frozenset(macros.used), declared, problems, notices)


def _broken(file: Path, problem: str) -> _Draft:
    """What stands in the place of a section with a fault."""
    text = file.read_text("utf-8-sig", errors="replace") if file.is_file() else ""
    first = text.partition("\n")[0]
    title = first[2:].strip() if first.startswith("# ") else file.stem
    said = markdown(problem.replace(f"{file.parent}/", ""))
    note = f"\n::: {{.missing}}\nThis section cannot be shown: {said}.\n:::\n"
    return _Draft(file, text, title, note, problems=(problem,), lost=True)


def _typed(file: Path, macros: Macros) -> str:
    """A sentence on the first number that a section types by hand, and on how many there are."""
    typed = checks.check_digits(file, macros.allowed_names)
    return typed[0] + (f" (and {len(typed) - 1} more in this file)" if typed[1:] else "") if typed else ""


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


def _missing(drafts: Sequence[_Draft]) -> dict[str, Kind] | None:
    """What sections without their result would have shown; None when no section lacks one."""
    lacking = [draft for draft in drafts if draft.problems]
    if not lacking:
        return None
    return {target: kind for draft in lacking for target, kind in draft.declared.items()}


def _heading_lines(source: str, blocks: Sequence[Block]) -> dict[str, int]:
    """The line of each heading whose words stand in the template as they are printed, by its id."""

    def letters(text: str) -> str:
        return re.sub(r"\W+", "", text)

    written = [
        (number, letters(re.sub(r"\{[#.].*\}$", "", line.strip())))
        for number, line in enumerate(source.splitlines(), 1)
        if re.match(r"#{2,6} ", line)
    ]
    found, after = {}, 0
    for heading in (element["c"] for element in elements(blocks) if element["t"] == "Header"):
        words = letters(plain_text(heading[2]))
        line = next((number for number, text in written if number > after and text == words), None)
        if line and heading[1][0]:
            found[heading[1][0]] = after = line
    return found


def _titles(templates: Path) -> dict[str, str]:
    files = sorted((templates / "sections").glob("*.md"))
    texts = {file.stem: file.read_text("utf-8-sig", errors="replace") for file in files if file.is_file()}
    titles = {name: text.partition("\n")[0].removeprefix("# ").strip() for name, text in texts.items()}
    return {name: re.sub(r"[*`$]", "", title) for name, title in titles.items()}


def _link(linker: Linker, blocks: Sequence[Block], drafts: Sequence[_Draft]) -> list[Block]:
    try:
        return linker.link(blocks)
    except DeadReference as error:
        raise _fault(drafts, error.target, str(error)) from None


def _unmentioned(
    bodies: Mapping[str, list[Block]], items: Mapping[str, Item], drafts: Sequence[_Draft]
) -> Iterator[str]:
    """A sentence for each table and figure that the text shows and never refers to."""
    files = {draft.file.stem: draft for draft in drafts}
    for item in unmentioned(bodies, items):
        draft, words = files[item.section], [item.target, re.split("[/:]", item.target, maxsplit=1)[1]]
        if isinstance(item.content, Written):
            words.append(item.content.caption[:30])
        place = next(filter(None, map(draft.place, words)), draft.file)
        said = f'say what to see there with {{{{ ref("{item.target}") }}}}'
        yield f"{place}: the text never refers to {item.label}; {said}"


def _fault(drafts: Sequence[_Draft], needle: str, message: str) -> ProseError:
    """The error of the section that first says `needle`."""
    draft, place = next(
        ((draft, place) for draft in drafts if (place := draft.place(needle))),
        (drafts[0], str(drafts[0].file)),
    )
    return ProseError(f"{place}: {message}", draft.file.stem)


def _with_pictures(draft: _Draft, tree: list[Block]) -> list[Block]:
    """The tree with the files of its pictures for their addresses."""

    def found(element: Block) -> list[Block] | None:
        if element["t"] != "Image":
            return None
        attributes, words, (address, title) = element["c"]
        said = dict(attributes[2]).get("width")
        if said and pictures.width(element) is None:
            problem = (
                f"the width {said} of {address} is none; write one such as {{width=50%}} or {{width=6cm}}"
            )
            raise _fault([draft], address, problem)
        try:
            file = pictures.find(unquote(address), draft.file)
        except (pictures.PictureError, OSError) as error:
            raise _fault([draft], address, str(error)) from None
        return [{"t": "Image", "c": [attributes, words, [str(file), title]]}]

    changed: list[Block] = rewrite(tree, found)
    return changed


def _check_structure(draft: _Draft, tree: list[Block]) -> None:
    """ProseError for a heading that would begin another section, an id that is there twice, a link that leads
    nowhere, and a list that LaTeX cannot set."""
    headings = [element["c"] for element in elements(tree) if element["t"] == "Header"]
    ids = [attributes[0] for _, attributes, _ in headings]
    for level, (name, _, _), inlines in headings:
        if level == 1:
            said = "this heading would begin another section; write ## before it, or move it to a file"
            raise _fault([draft], f"# {plain_text(inlines)}", said)
        if name and ids.count(name) > 1:
            raise _fault([draft], f"#{name}", f"two headings have the id {name!r}; change one")
    for element in elements(tree):
        address = element["c"][2][0] if element["t"] == "Link" else ""
        if address.startswith("#") and address[1:] not in ids:
            said = f"no heading of this section has the id of the link {address}"
            raise _fault([draft], address, f"{said}{nearest(address[1:], ids)}")
        if address and not re.match(r"#|[a-zA-Z][a-zA-Z0-9+.-]*:", address):
            said = 'write {{ ref("section:ID") }} for a section, or an address that begins with https://'
            raise _fault([draft], unquote(address), f"the link {address} leads nowhere in a PDF; {said}")
    for depth, block in _lists(tree):
        if depth > DEEPEST_LIST:
            first = next((plain_text(part["c"]) for part in elements(block) if part["t"] == "Plain"), "- ")
            said = f"a list stands in {depth - 1} others, and LaTeX sets {DEEPEST_LIST} levels; write it flat"
            raise _fault([draft], first, said)


def _lists(node: Any, depth: int = 1) -> Iterator[tuple[int, Block]]:
    """The lists of a syntax tree, with how deep they stand in each other."""
    if isinstance(node, dict):
        if node.get("t") in ("BulletList", "OrderedList"):
            yield depth, node
            depth += 1
        node = list(node.values())
    for part in node if isinstance(node, list) else ():
        yield from _lists(part, depth)


def _prefix_ids(blocks: list[Block], section: str) -> list[Block]:
    """Ids of headings are unique in a section; with its name in front they are unique in the document."""
    for element in elements(blocks):
        if element["t"] == "Header" and element["c"][1][0]:
            element["c"][1][0] = f"{section}-{element['c'][1][0]}"
        elif element["t"] == "Link" and element["c"][2][0].startswith("#"):
            element["c"][2][0] = f"#{section}-{element['c'][2][0][1:]}"
    return blocks


def _check_markers(drafts: Sequence[_Draft], trees: Sequence[list[Block]]) -> None:
    """ProseError where a macro stands within code or a formula, which would print its marks."""
    for draft, tree in zip(drafts, trees, strict=True):
        for kind, (pattern, instead) in VERBATIM.items():
            marked = [element for element in elements(tree) if element["t"] == kind]
            if not any(MARKED.search(element["c"][1]) for element in marked):
                continue
            typed = (
                written.start() + macro.start()
                for written in re.finditer(pattern, draft.source, re.DOTALL)
                if (macro := re.search(r"\{\{(?! *plain\b)", written[0]))
            )
            line = 1 + draft.source.count("\n", 0, next(typed, 0))
            raise ProseError(f"{draft.file}:{line}: a macro stands within {instead}", draft.file.stem)


def _check_citations(drafts: Sequence[_Draft], trees: Sequence[list[Block]], bibliography: Path) -> None:
    try:
        known = bibliography_keys(bibliography)
    except BibliographyError as error:
        raise ProseError(str(error)) from None
    for element in elements(trees):
        for citation in element["c"][0] if element["t"] == "Cite" else ():
            key = citation["citationId"]
            if key not in known:
                message = f"{bibliography.name} has no entry {key!r}{nearest(key, list(known))}"
                raise _fault(drafts, f"@{key}", message)

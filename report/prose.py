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
    $$ E = m c^2 $$ {#id}, {{ ref("equation:id") }}                  a numbered equation
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
from dataclasses import replace
from pathlib import Path

from report import pandoc, provenance, questions, template_faults
from report.colours import coloured
from report.document import Block, Document, Item, Section, Study, Written, elements, plain_text
from report.draft_checks import check_citations, check_formulas, check_markers, check_structure, with_pictures
from report.drafts import Draft, ProseError, broken_draft, fault, fault_of_name, render
from report.macros import Macros
from report.mentions import section_titles, shown_in
from report.numbering import (
    DeadReference,
    Kind,
    Linker,
    Offer,
    RepeatedName,
    number_items,
    unmentioned,
    with_equations,
)
from results.store import Profile, Store


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
        asked = frozenset(one.id for one in study.questions)
        macros = Macros(templates, store, prefer, asked=asked, sections=frozenset(study.sections))
    except ValueError as error:
        raise ProseError(str(error)) from None
    files = {name: templates / "sections" / f"{name}.md" for name in _names(study)}
    drafts = [
        broken_draft(file, broken[name]) if name in broken else render(file, macros, study.typed_numbers)
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
    places, origins = questions.text(study.questions, answered), provenance.text(results, store.program)
    appendix = f"{places}\n\n## {provenance.RESULTS}\n\n{origins}" if places else origins
    drafts.append(Draft(Path(), "", provenance.TITLE, appendix))
    titles = [f"# {draft.title}" for draft in drafts]
    try:
        texts = pandoc.read_markdown([*titles, *(draft.markdown for draft in drafts)])
    except pandoc.NestedTooDeep as error:
        draft = drafts[error.index % len(drafts)]
        place = f"{draft.file}:{template_faults.deepest(draft.source)}"
        what = "quotes, lists or emphasis stand too deep in each other there; write it flat"
        raise ProseError(f"{place}: {what}", draft.file.stem) from None
    titled, bodied = texts[: len(drafts)], texts[len(drafts) :]
    headings, trees = [text.blocks[0]["c"][2] for text in titled], [text.blocks for text in bodied]
    trees = [with_equations(with_pictures(draft, tree)) for draft, tree in zip(drafts, trees, strict=True)]
    for draft, tree in zip(drafts, trees, strict=True):
        check_structure(draft, tree)
    check_markers(drafts, trees)
    for draft, title, text in zip(drafts, titled, bodied, strict=True):
        check_formulas(draft, [*title.formulas, *text.formulas])
    check_citations(drafts, trees, templates / "references.bib")
    offers = {**macros.offers, provenance.TARGET: Offer("table", provenance.table(results))}
    names = [*_names(study), provenance.SECTION]
    bodies = {
        name: questions.attached(_prefix_ids(tree, name)) for name, tree in zip(names, trees, strict=True)
    }
    try:
        numbered, items = number_items(bodies, offers)
    except RepeatedName as error:
        raise fault_of_name(drafts, error.target, str(error)) from None
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
        items,
        {section.id: section for section in sections},
        section_titles(templates / "sections"),
        _missing(drafts),
    )
    return Document(
        study=study,
        abstract=tuple(_link(linker, numbered[study.abstract], study.abstract, drafts)),
        sections=tuple(
            replace(section, blocks=tuple(_link(linker, section.blocks, section.id, drafts)))
            for section in sections
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


def _names(study: Study) -> tuple[str, ...]:
    return (study.abstract, *study.sections)


def _numbers(count: int) -> list[str]:
    """ "1", "2", … and "A" for the last section, the appendix."""
    return [*map(str, range(1, count)), "A"]


def _missing(drafts: Sequence[Draft]) -> dict[str, Kind] | None:
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


def _link(linker: Linker, blocks: Sequence[Block], section: str, drafts: Sequence[Draft]) -> list[Block]:
    try:
        return linker.link(blocks)
    except DeadReference as error:
        own = [draft for draft in drafts if draft.file.stem == section] or drafts
        _, _, short = error.target.partition("/")  # as it is written after about(…)
        said = (error.target, f'ref("{short}"', f"ref('{short}'")
        needle = next((one for one in said if any(draft.place(one) for draft in own)), error.target)
        home = shown_in(own[0].file.parent).get(error.target)
        does = f"no section of this study shows {error.target!r}, as the section {home} does"
        remedy = f"name {home} in the study file, or take the reference out"
        raise fault(own, needle, f"{does}; {remedy}" if home else str(error)) from None


def _unmentioned(
    bodies: Mapping[str, list[Block]], items: Mapping[str, Item], drafts: Sequence[Draft]
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


def _prefix_ids(blocks: list[Block], section: str) -> list[Block]:
    """Ids of headings are unique in a section; with its name in front they are unique in the document."""
    for element in elements(blocks):
        if element["t"] == "Header" and element["c"][1][0]:
            element["c"][1][0] = f"{section}-{element['c'][1][0]}"
        elif element["t"] == "Link" and element["c"][2][0].startswith("#"):
            element["c"][2][0] = f"#{section}-{element['c'][2][0][1:]}"
    return blocks

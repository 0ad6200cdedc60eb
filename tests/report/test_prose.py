"""Sections and results become one numbered document; what is missing costs only its section."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from report import latex, pandoc
from report.bibliography import bibliography_keys
from report.document import Block, Document, elements, marker
from report.drafts import ProseError
from report.formatting import markdown
from report.prose import compose
from report.questions import Question
from report.study import load
from results.schema import Chart, Media, Panels
from tests.report.conftest import TEMPLATES, Workshop, refusal, trained, vgg19


def text_of(node: Any) -> str:
    """What a reader sees of a syntax tree."""
    spoken = {"Space": " ", "SoftBreak": " "}
    return "".join(
        spoken.get(element["t"], element.get("c") if element["t"] == "Str" else "")
        if element["t"] not in ("Math", "Code")
        else element["c"][1]
        for element in elements(node)
    )


def spans(document: Document, kind: str, section: str = "") -> list[tuple[dict[str, str], str]]:
    """Data and words of markers: of the whole document, or of one section."""
    bodies = [document.abstract, *(found.blocks for found in document.sections)]
    bodies = [body(document, section)] if section else bodies
    return [
        (data, text_of(element["c"][1]))
        for element in elements(bodies)
        for found, data in [marker(element)]
        if found == kind and element["t"] == "Span"
    ]


def body(document: Document, section: str) -> tuple[Block, ...]:
    return next(found.blocks for found in document.sections if found.id == section)


def test_sections_tables_and_figures_are_numbered_in_order(workshop: Workshop) -> None:
    document = workshop.document()
    assert [(s.number, s.id, s.title) for s in document.sections] == [
        ("1", "layers", "Layers & memory"),
        ("2", "training", "Training"),
        ("A", "provenance", "Where the numbers come from"),
    ]
    assert {item.target: item.label for item in document.items.values()} == {
        "architecture.vgg19/layers": "Table 1",
        "architecture.vgg19/memory": "Figure 1",
        "architecture.vgg19/curves": "Figure 2",
        "architecture.vgg19/awkward": "Table 2",
        "architecture.vgg19/confusion": "Figure 3",
        "architecture.vgg19/boxes": "Figure 4",
        "architecture.vgg19/roc": "Figure 5",
        "provenance/results": "Table 3",
    }
    swapped = workshop.document("training", "layers")
    assert swapped.items["architecture.vgg19/layers"].label == "Table 2"
    assert document.problems == ()


def test_every_number_remembers_its_metric(workshop: Workshop) -> None:
    values = spans(workshop.document(), "value")
    assert ({"metric": "architecture.vgg19/total_parameters"}, "143,667,240") in values
    assert ({"metric": "architecture.vgg19/accuracy"}, "0.712 ± 0.004") in values
    assert ({"metric": "architecture.vgg19/accuracy"}, "71.2") in values
    assert ({"metric": "architecture.vgg19/known_operations"}, "at least 1,200") in values


def test_quoted_numbers_remember_their_source(workshop: Workshop) -> None:
    assert spans(workshop.document(), "quoted") == [({"key": "alexnet_parameters"}, "60")]


def test_references_point_forward_and_to_sections(workshop: Workshop) -> None:
    assert spans(workshop.document(), "ref") == [
        ({"target": "architecture.vgg19/layers"}, "Table 1"),
        ({"target": "architecture.vgg19/memory"}, "Figure 1"),
        ({"target": "section:training"}, "Section 2"),
    ]


def test_digits_alone_stand_in_mathematics(workshop: Workshop) -> None:
    formulas = [e["c"][1] for e in elements(workshop.document().sections[0].blocks) if e["t"] == "Math"]
    assert r"7 \times 7 \times 143652544" in formulas


def test_a_section_of_another_study_is_named_in_words(workshop: Workshop) -> None:
    document = workshop.document("layers")
    assert "“Training” (not in this document)" in text_of(body(document, "layers"))


def test_a_section_asks_which_others_its_study_has(workshop: Workshop) -> None:
    text = "# Layers\n\n% if includes('training')\nAs below.\n% else\nIt is defined here.\n% endif\n"
    workshop.section("layers", text)
    assert "As below." in text_of(body(workshop.document("layers", "training"), "layers"))
    assert "It is defined here." in text_of(body(workshop.document("layers"), "layers"))
    workshop.section("layers", text.replace("training", "trainin"))
    assert "there is no section 'trainin'; did you mean training" in refusal(workshop.document)


def test_an_item_shown_twice_is_numbered_once(workshop: Workshop) -> None:
    workshop.section("again", '# Again\n\n{{ table("architecture.vgg19/layers") }}\n')
    document = workshop.document("layers", "training", "again")
    assert "See Table 1." in text_of(body(document, "again"))
    assert sum(marker(e)[1].get("target") == "architecture.vgg19/layers" and e["t"] == "Div"
               for s in document.sections for e in elements(s.blocks)) == 1  # fmt: skip


def test_ids_of_headings_carry_their_section(workshop: Workshop) -> None:
    workshop.section("other", "# Other\n\n## Where they are\n\nHere.\n")
    document = workshop.document("layers", "training", "other")
    ids = [e["c"][1][0] for s in document.sections for e in elements(s.blocks) if e["t"] == "Header"]
    assert ids == ["layers-where-they-are", "other-where-they-are"]


def test_footnotes_of_two_sections_do_not_meet(workshop: Workshop) -> None:
    workshop.section("one", "# One\n\nA.[^n]\n\n[^n]: first\n")
    workshop.section("two", "# Two\n\nB.[^n]\n\n[^n]: second\n")
    document = workshop.document("layers", "training", "one", "two")
    assert "first" in text_of(body(document, "one")) and "second" in text_of(body(document, "two"))


def test_a_missing_result_costs_only_its_section(workshop: Workshop) -> None:
    workshop.section("resnet", '# ResNet\n\n{{ table("architecture.resnet/layers") }}\n')
    workshop.section(
        "talk", '# Talk\n\nSee {{ ref("architecture.resnet/layers") }}, {{ ref("section:resnet") }}.\n'
    )
    document = workshop.document("layers", "training", "resnet", "talk")
    (problem,) = document.problems
    assert "there is no result of architecture.resnet" in problem
    assert "python runner.py run architecture.resnet" in problem
    missing = [e for e in elements(body(document, "resnet")) if marker(e)[0] == "missing"]
    assert "there is no result of architecture.resnet" in text_of(missing)
    assert text_of(body(document, "talk")) == "See the missing table, Section 3."
    assert "architecture.vgg19/layers" in document.items


def test_what_a_section_borrows_in_vain_is_missing_in_its_place_alone(workshop: Workshop) -> None:
    workshop.section(
        "borrows",
        '# Borrows\n% do about("architecture.vgg19")\n\n{{ value("total_weights") }} and '
        '{{ value("no.such/a") }}, $x = {{ plain("no.such/b") }}$, {{ ref("no.such/c") }}, '
        '{{ data("no.such") }}.\n\n'
        '{{ figure("no.such/c") }}\n\n{{ table("layers") }} \n\n{{ ref("layers") }} has more.\n',
    )
    document = workshop.document("borrows")
    (problem,) = document.problems
    assert problem.startswith("section borrows: there is no result of no.such")
    text = text_of(body(document, "borrows"))
    assert "143,652,544" in text and "Table 1 has more" in text
    assert list(document.items) == ["architecture.vgg19/layers", "provenance/results"]
    assert "(missing: no.such/a)" in text and "the missing figure" in text and "(missing: no.such)" in text
    (note,) = [e for e in elements(body(document, "borrows")) if marker(e)[0] == "missing"]
    assert "The figure no.such/c cannot be shown: there is no result of no.such" in text_of([note])
    workshop.section("asks", '# Asks\n\n% if holds("no.such/a")\nA.\n% endif\n\nB.\n')
    assert "This section cannot be shown" in text_of(body(workshop.document("asks"), "asks"))


def test_prose_names_the_data_that_a_result_was_measured_on(workshop: Workshop) -> None:
    """Never that of the protocol, where a reader's own was used."""
    v = "architecture.vgg19"
    workshop.section(
        "training",
        f'# Training\n\n{{{{ data("{v}") }}}}: {{{{ licence("{v}") }}}}.'
        f'{{% for note in notes("{v}") %}} {{{{ note }}}}{{% endfor %}}',
    )
    said = text_of(list(body(workshop.document(), "training")))
    assert said == "CIFAR-10: none stated. 2 files were left out."
    assert "2 files were left out" in text_of(list(body(workshop.document(), "provenance")))


def test_an_edited_result_is_refused_and_said(workshop: Workshop) -> None:
    path = workshop.store.path("architecture.vgg19", "full")
    path.write_text(path.read_text("utf-8").replace("143652544", "143652545"), "utf-8")
    document = workshop.document()
    assert len(document.problems) == 3 and document.results == {} and document.items == {}
    assert all("was changed after it was written" in problem for problem in document.problems)


def test_a_quick_result_is_labelled(workshop: Workshop) -> None:
    data = vgg19().model_dump()
    workshop.store.path("architecture.vgg19", "full").unlink()
    workshop.store.write(type(vgg19()).model_validate(data | {"profile": "quick"}))
    document = workshop.document()
    first = body(document, "layers")[0]
    assert marker(first)[0] == "quick" and "quick profile" in text_of(first)
    workshop.store.write(vgg19())
    assert marker(body(workshop.document(), "layers")[0])[0] == ""


def test_prose_follows_findings_and_profiles(workshop: Workshop) -> None:
    workshop.section("layers", '# L\n\n{% if holds("architecture.vgg19/dense_holds_most") %}yes{% endif %}'
                               ' {{ profile("architecture.vgg19") }}\n')  # fmt: skip
    assert text_of(body(workshop.document(), "layers")) == "yes full"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            '{{ value("architecture.vgg19/total_weight") }}',
            "has no metric 'total_weight'; did you mean total_weights",
        ),
        ('{{ value("total_weights") }}', "is not of the form"),
        (
            '{{ value("architecture.vgg19/known_operations") }}',
            "leaves out attention and pooling and is no total",
        ),
        ('{{ plain("architecture.vgg19/known_operations") }}', "is no total"),
        ('{{ value("architecture.vgg19/total_weights", interval="±") }}', "it has no interval"),
        ('{{ value("architecture.vgg19/accuracy", format="d") }}', "cannot be printed so"),
        ('{{ table("architecture.vgg19/layer") }}', "has no table 'layer'; did you mean layers"),
        (
            '{{ table("architecture.vgg19/layers", columns=["weight"]) }}',
            "has no column 'weight'; did you mean weights",
        ),
        ('{{ figure("architecture.vgg19/memry") }}', "has no figure 'memry'; did you mean memory"),
        ('{{ holds("architecture.vgg19/x") }}', "has no finding 'x'"),
        ('{{ published("alexnet_parameter") }}', "no 'alexnet_parameter'; did you mean alexnet_parameters"),
        ("{{ valu('a') }}", "'valu' is undefined; did you mean value"),
        (
            "% fi holds('a.b/c')",
            "there is no `% fi` (a line that begins with % is a statement, and \\% prints the sign)",
        ),
        ("% if holds('a.b/c'", "the statement cannot be read: ) is missing"),
        ('% do about("vgg19")', "'vgg19' is no analysis"),
        ("% do abuot('a.b')", "'abuot' is undefined; did you mean about"),
        ("{{ profile() }}", 'begin with `% do about("analysis")`'),
        ('{{ percent("architecture.vgg19/total_weights", ci=True) }}', "it has no interval"),
        ('{{ parameter("architecture.vgg19/epochs") }}', "has no parameter 'epochs'"),
        (
            '{{ parameter("classification.trained/face/size") }}',
            "no parameter 'face/size'; did you mean faces",
        ),
        ('{{ parameter("classification.trained/on") }}', "it is True, no number, word or list"),
        ('{{ sentence("classification.trained/dropout") }}', "it has no sentence"),
        ('{{ plain("published:alexnet") }}', "published.toml has no 'alexnet'"),
        ("{% if %}\n% endif", "the statement cannot be read: its end is missing"),
        ("{{ ref('architecture.vgg19/layerz') }}", "no section of this study shows"),
        ('{{ ref("section:trainin") }}', "there is no section 'trainin'; did you mean training"),
        ("As @simonyan2051 say.", "no entry 'simonyan2051'; did you mean simonyan2015"),
        ("It has 144 million.", "the digits of '144' are typed by hand"),
    ],
)
def test_a_wrong_template_is_refused_with_file_and_line(
    workshop: Workshop, line: str, complaint: str
) -> None:
    workshop.section("wrong", f"# Wrong\n\nFine.\n\n{line}\n")
    message = refusal(lambda: workshop.document("layers", "training", "wrong"))
    assert complaint in message
    assert message.startswith(f"{workshop.templates / 'sections' / 'wrong.md'}:5: ")


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("% if true\n\nA.\n", 3, "`% if` begins here and is never ended; write `% endif` below it"),
        (
            '% do about("architecture.vgg19")\n\nSee {{ ref("layerz") }}.\n',
            5,
            "no section of this study shows 'architecture.vgg19/layerz'",
        ),
        ("A.\n% for a in [1]\n% if a\n% endif\n", 4, "`% for` begins here and is never ended"),
        (
            "% if true\n% for a in [1]\n% endif\n",
            5,
            "where the `% for` of line 4 is not ended; write `% endfor`",
        ),
        ("% endif\n", 3, "`% endif` belongs to no `% if` above"),
        ("A.\n\n% else\n", 5, "`% else` belongs to no `% if` or `% for` above"),
        ("% for a in [1]\n% elif true\n% endfor\n", 4, "`% elif` stands where the `% for` of line 3"),
        ("% include 'a.md'\n", 3, "there is no `% include`"),
        ("% of these\n", 3, "there is no `% of`"),
        (
            "A.\n\n% 50 of them\n",
            5,
            "this is no statement; a line that begins with % is a statement, and \\% prints",
        ),
        ("A {{ profile()\n\nB.\n", 3, "{{ begins here and is never ended; write }} behind it"),
        ("A {{ profile() }\n\nB {{ profile() }}.\n", 3, "{{ begins here and is never ended"),
        ("A {## note\n\nB.\n", 3, "{## begins here and is never ended; write ##} behind it"),
        ("A {{ ref(“a”) }}.\n", 3, '“ is no quotation mark of a program; write "…"'),
        (
            "A {{ ref() }}.\n",
            3,
            "ref() missing 1 required positional argument: 'target'; it is written {{ ref(\"l",
        ),
        ("A {{ value('a.b/c', formt='d') }}.\n", 3, "value() has no 'formt'; did you mean format"),
        ("A {{ 1 / 0 }}.\n", 3, "division by zero"),
        ("{{ ref('a') ref }}\n", 3, "what {{ … }} holds cannot be read: 'ref' stands where it should end"),
    ],
)
def test_a_wrong_statement_is_named_where_it_begins_in_plain_words(
    workshop: Workshop, text: str, line: int, complaint: str
) -> None:
    workshop.section("wrong", f"# Wrong\n\n{text}")
    message = refusal(lambda: workshop.document("wrong"))
    assert complaint in message
    assert message.startswith(f"{workshop.templates / 'sections' / 'wrong.md'}:{line}: ")


def test_a_float_that_no_sentence_refers_to_is_named_with_its_line(workshop: Workshop) -> None:
    workshop.section(
        "layers",
        '# Layers\n% do about("architecture.vgg19")\n\nSee {{ ref("layers") }}.\n\n{{ table("layers") }}\n\n'
        '{{ figure("memory") }}\n\n| A |\n|---|\n| a |\n\n: Mine. {#plan}\n\n| A |\n|---|\n| a |\n',
    )
    file = workshop.templates / "sections" / "layers.md"
    assert workshop.document("layers").notices == (
        f"{file}:8: the text never refers to Figure 1; say what to see there with "
        '{{ ref("architecture.vgg19/memory") }}',
        f"{file}:14: the text never refers to Table 2; say what to see there with "
        '{{ ref("table:plan") }}',
    )
    workshop.section(
        "training", '# Training\n\n{{ ref("architecture.vgg19/memory") }}, {{ ref("table:plan") }}.\n'
    )
    assert not workshop.document("layers", "training").notices


def rendered(workshop: Workshop, text: str) -> Document:
    workshop.section("new", f"# New\n{text}")
    return workshop.document("new")


def test_a_statement_has_a_line_of_its_own_and_paragraphs_stay_apart(workshop: Workshop) -> None:
    document = rendered(
        workshop,
        """% # a comment, with a digit: 7
% do about("classification.trained")

First.
% if holds("dropout")
Second.
% else
Never.
% endif
Third, 100 % is no statement: {{ percent("deep/accuracy") }}.

% if verdict("dropout") == "yes"
- one
- two

% endif
% for name in ("x", "y")
Last {{ name }}.
% endfor
""".replace("100 ", "a "),
    )
    blocks = body(document, "new")
    assert [block["t"] for block in blocks] == ["Para", "BulletList", "Para"]
    assert text_of(blocks[0]) == "First. Second. Third, a % is no statement: 80.0%."
    assert text_of(blocks[2]) == "Last x. Last y."


def test_names_without_an_analysis_are_of_the_one_named_last(workshop: Workshop) -> None:
    document = rendered(
        workshop,
        """% do about("classification.trained")

{{ value("deep/accuracy") }} in {{ ref("results") }}, {{ ref("section:new") }} {{ profile() }}
{{ value("architecture.vgg19/total_weights") }}

{{ table("results") }}

% do about("architecture.vgg19")
{{ plain("total_macs") }}, {{ ref("layers") }}

{{ table("layers") }}
""",
    )
    assert [data["metric"] for data, _ in spans(document, "value", "new")] == [
        "classification.trained/deep/accuracy",
        "architecture.vgg19/total_weights",
    ]
    assert [data["target"] for data, _ in spans(document, "ref", "new")] == [
        "classification.trained/results",
        "section:new",
        "architecture.vgg19/layers",
    ]
    assert sorted(document.results) == ["architecture.vgg19", "classification.trained"]


def test_the_next_section_names_its_own_analysis(workshop: Workshop) -> None:
    workshop.section("first", '# First\n% do about("classification.trained")\n\nText.\n')
    workshop.section("second", '# Second\n\n{{ value("deep/accuracy") }}\n')
    with pytest.raises(ProseError, match=r"second\.md:3: 'deep/accuracy' is not of the form"):
        workshop.document("first", "second")


def test_a_missing_figure_is_named_where_its_analysis_was_named_before(workshop: Workshop) -> None:
    workshop.section("lost", '# Lost\n% do about("no.such")\n\n{{ value("x") }}\n\n{{ figure("drawing") }}\n')
    workshop.section("talk", '# Talk\n\nSee {{ ref("no.such/drawing") }}.\n')
    document = workshop.document("lost", "talk")
    assert text_of(body(document, "talk")) == "See the missing figure."


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ('percent("deep/accuracy")', "80.0%"),
        ('percent("deep/accuracy", ci=True)', "80.0% (95% CI 79.0–81.0)"),
        ('percent("wide/accuracy", ci=True)', "79.0% (one seed)"),
        ('value("wide/accuracy", format=".3f", interval="[]")', "0.790 (one seed)"),
        ('percent("deep/accuracy", decimals=0)', "80%"),
        ('points("gain", ci=True)', "+5.0 (95% CI 3.0–7.0)"),
        ('points("loss", ci=True)', "−4.0 (95% CI −5.0 to −3.0)"),
        ('points("loss", unsigned=True, unit=True, ci=True)', "4.0 percentage points (95% CI 3.0–5.0)"),
        ('value("loss", format=".2f", interval="CI")', "−0.04 (95% CI −0.05 to −0.03)"),
        ('parameter("rates")', "0.1, 0.01 and 0.001"),
        ('parameter("faces/size")', "64"),
        ('parameter("name")', "x_y"),
    ],
)
def test_numbers_read_as_in_a_paper(workshop: Workshop, call: str, text: str) -> None:
    document = rendered(workshop, f'% do about("classification.trained")\n\n{{{{ {call} }}}}\n')
    ((data, found),) = spans(document, "value", "new")
    assert found == text and data["metric"].startswith("classification.trained/")


def test_a_published_number_stands_in_mathematics(workshop: Workshop) -> None:
    document = rendered(workshop, '\n$x < {{ plain("published:alexnet_parameters") }}$\n')
    assert [e["c"][1] for e in elements(body(document, "new")) if e["t"] == "Math"] == ["x < 60000000"]


def test_a_finding_says_its_sentence_with_linked_numbers_and_literal_words(workshop: Workshop) -> None:
    document = rendered(workshop, '\n{{ sentence("classification.trained/normalisation") }}\n')
    said = "It raises accuracy by +5.0 percentage points (95% CI 3.0–7.0) *at once*."
    assert text_of(body(document, "new")) == said
    assert [data["metric"] for data, _ in spans(document, "value", "new")] == ["classification.trained/gain"]


def test_a_label_has_one_colour_in_a_study(workshop: Workshop) -> None:
    document = workshop.document("trained", "training")
    curves = document.items["classification.trained/curves"].content
    older = document.items["architecture.vgg19/curves"].content
    assert isinstance(curves, Panels) and isinstance(older, Chart)
    assert [[s.colour for s in panel.series] for panel in curves.panels] == [[0, 1], [0, 1]]
    assert [(s.label, s.colour) for s in older.series] == [("training", 0), ("validation", 1), ("test", 2)]


def test_a_section_must_start_with_its_title(workshop: Workshop) -> None:
    workshop.section("wrong", "No title.\n")
    with pytest.raises(ProseError, match=r"wrong\.md:1: a section starts with its title"):
        workshop.document("wrong")


def test_provenance_says_what_made_each_result(workshop: Workshop) -> None:
    document = workshop.document()
    table = document.items["provenance/results"].content
    row = table.rows[0].cells  # type: ignore[union-attr]
    assert (
        row["analysis"] == "architecture.vgg19" and row["commit"] == "89abcdef" and row["key"] == "fedcba98"
    )
    said = text_of(body(document, "provenance"))
    assert "torch 2.15.0" in said and "CIFAR-10" in said and "none stated" in said


def test_provenance_names_who_was_made_with_other_libraries(workshop: Workshop) -> None:
    other = vgg19().provenance.model_copy(update={"python": "3.12.1"})
    for name in ("architecture.a", "architecture.b", "architecture.c"):
        made = {"provenance": other} if name.endswith("a") else {}
        workshop.store.write(vgg19().model_copy(update={"analysis": name, **made}))
    calls = (f'{{{{ value("architecture.{name}/total_weights") }}}}' for name in "abc")
    workshop.section("more", f"# More\n\n{', '.join(calls)}\n")
    said = [text_of(block) for block in body(workshop.document("more"), "provenance")]
    assert "architecture.a was made with Python 3.12.1, torch 2.15.0 and torchvision 0.29.0." in said
    assert "All other results were made with Python 3.11.2, torch 2.15.0 and torchvision 0.29.0." in said


def test_a_note_of_several_results_is_printed_once(workshop: Workshop) -> None:
    notes = {"a": "Weights: x.", "b": "Weights: y.", "c": "Weights: x."}
    for name, note in notes.items():
        noted = vgg19().provenance.model_copy(update={"note": note})
        workshop.store.write(
            vgg19().model_copy(update={"analysis": f"architecture.{name}", "provenance": noted})
        )
    calls = (f'{{{{ value("architecture.{name}/total_weights") }}}}' for name in "abc")
    workshop.section("more", f"# More\n\n{', '.join(calls)}\n")
    said = [text_of(block) for block in body(workshop.document("more"), "provenance")]
    assert [one for one in said if "Weights" in one] == [
        "architecture.a and architecture.c: Weights: x.",
        "architecture.b: Weights: y.",
    ]


def test_a_document_is_the_same_every_time(workshop: Workshop) -> None:
    study = workshop.study()
    first, second = (compose(study, workshop.templates, workshop.store) for _ in range(2))
    assert json.dumps([s.blocks for s in first.sections]) == json.dumps([s.blocks for s in second.sections])
    assert first.items == second.items


def test_every_quoted_number_says_where_it_stands() -> None:
    quoted = tomllib.loads((TEMPLATES / "published.toml").read_text("utf-8"))
    keys = bibliography_keys(TEMPLATES / "references.bib")
    for name, entry in quoted.items():
        assert set(entry) == {"value", "unit", "citation", "where", "what"}, name
        assert entry["where"] and entry["what"] and entry["value"] > 0, name
        assert entry["citation"] in ("", *keys), name


def test_the_bibliography_is_read_whole() -> None:
    path = TEMPLATES / "references.bib"
    entries = json.loads(pandoc.call(["--from=bibtex", "--to=csljson"], path.read_text("utf-8")))
    assert [entry["id"] for entry in entries] == list(bibliography_keys(path))
    for entry in entries:
        assert entry["author"] and entry["title"] and entry["issued"], entry["id"]
        year = entry["id"][-4:]
        assert not year.isdecimal() or entry["issued"]["date-parts"][0][0] == int(year)


@pytest.mark.parametrize("path", sorted((TEMPLATES / "studies").glob("*.toml")), ids=lambda path: path.stem)
def test_our_own_studies_load(path: Path) -> None:
    assert load(path, TEMPLATES).sections


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=0x4FF, exclude_categories=["C", "Z"])),
        min_size=20,
        max_size=20,
    )
)
def test_escaped_text_comes_back_from_markdown(texts: list[str]) -> None:
    read = pandoc.read_markdown([f"[x{markdown(text)}x]{{.value}}" for text in texts])
    spoken = pandoc.write([block for text in read for block in text.blocks], "--to=plain", "--wrap=none")
    assert spoken.split() == [f"x{text}x" for text in texts]


def test_a_picture_that_is_not_here_is_a_sentence_with_its_command(workshop: Workshop) -> None:
    text = '# Samples\n% do about("classification.trained")\n\n{{ media("samples", "Four textures") }}\n'
    workshop.section("layers", text)
    (section,) = workshop.document("layers").sections[:1]
    words = text_of(section.blocks)
    assert "Four textures cannot be redistributed" in words
    assert "run classification.trained --media draws them" in words


def test_in_the_pdf_the_command_for_a_picture_is_a_footnote_of_the_paragraph_before_it(
    workshop: Workshop,
) -> None:
    about = '% do about("classification.trained")'
    shown = '{{ ref("results") }} lists them. {{ answers("1") }}\n\n{{ table("results") }}'
    text = f'# Samples\n{about}\n\n{shown}\n\n{{{{ media("samples", "Four textures") }}}}\n'
    workshop.section("layers", text)
    study = replace(workshop.study("layers"), questions=(Question("1", "Which?"),))
    tex = latex.write(compose(study, workshop.templates, workshop.store), workshop.templates)
    assert re.search(r"lists\s+them\.\\footnote\{Four\s+textures\s+cannot", tex)
    assert re.search(r"available\.\}\s*\\answers\{1\}", tex) and r"\begin{media}" not in tex


def test_a_picture_that_is_here_is_a_numbered_figure(workshop: Workshop) -> None:
    figure = next(iter(trained().figures.values()))
    workshop.store.write_media(Media(analysis="classification.trained", figures={"samples": figure}), "full")
    workshop.section(
        "layers",
        '# Samples\n% do about("classification.trained")\n\n'
        '% if has("samples")\nSee {{ ref("samples") }}.\n% endif\n\n{{ media("samples", "Textures") }}\n',
    )
    document = workshop.document("layers")
    assert document.items["classification.trained/samples"].label == "Figure 1"
    assert document.illustrations == {"classification.trained/samples"}


@pytest.mark.parametrize(
    ("sentence", "place"),
    [
        ('It has `{{ value("total_parameters") }}` of them.', "backquotes"),
        ('With ${{ plain("total_parameters") }}$, $N = {{ value("total_parameters") }}$.', "a formula"),
        ("$$\nN = {{ percent('total_parameters') }}\n$$", "a formula"),
    ],
)
def test_a_macro_within_code_or_a_formula_is_refused_with_its_line(
    workshop: Workshop, sentence: str, place: str
) -> None:
    workshop.section("layers", f'# Layers\n% do about("architecture.vgg19")\n\n{sentence}\n')
    with pytest.raises(ProseError, match=rf"layers.md:[45]: a macro stands within {place}"):
        workshop.document("layers")

"""Our own sections can be edited by a person, and read whichever way the findings fall."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import analyses
from report.checks import with_statements
from report.document import Document
from report.prose import compose
from report.study import load
from results.schema import Finding, Result
from results.store import Profile, Store
from tests.report.conftest import TEMPLATES

SECTIONS = sorted((TEMPLATES / "sections").glob("*.md"))
RECORDED = Store(TEMPLATES.parent / "results")
LONGEST = 200
OPPOSITE = {"more": "less", "less": "more", "same": "same", "none": "many", "one": "none", "many": "none"}


def faults(text: str) -> list[str]:
    """What a person could not edit: lines that are too long, and statements within a line of prose."""
    return [
        f"line {number}: {fault}"
        for number, line in enumerate(text.splitlines(), 1)
        for fault, found in (
            (f"{len(line)} characters, {LONGEST} at most", len(line) > LONGEST),
            ("a statement stands on a line of its own that begins with %", re.search(r"\{%|%\}", line)),
        )
        if found
    ]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda path: path.stem)
def test_a_section_can_be_edited_by_a_person(section: Path) -> None:
    assert faults(section.read_text("utf-8")) == []


def test_what_cannot_be_edited_is_named() -> None:
    found = faults("# T\n% if x\nShort.\n% endif\nA {% if x %}b{% endif %} c.\n" + "long " * 50)
    assert [fault[:7] for fault in found] == ["line 5:", "line 6:"]


def test_lines_keep_their_numbers_and_blank_lines_stay() -> None:
    source = "# T\n% if x\n\nA 5 % share.\n% # why 3\n\n%endif\n"
    assert with_statements(source) == "# T\n{% if x %}\n\nA 5 % share.\n{####}\n\n{% endif %}\n"


@dataclass(frozen=True)
class Turned(Store):
    """The recorded results with every finding the other way round."""

    def best(self, analysis: str, prefer: Profile | None = None) -> Result:
        result = super().best(analysis, prefer)
        turned = {name: _turned(finding) for name, finding in result.findings.items()}
        return result.model_copy(update={"findings": turned})


def _turned(finding: Finding) -> Finding:
    verdict = OPPOSITE.get(finding.verdict, finding.verdict)
    return finding.model_copy(update={"holds": not finding.holds, "verdict": verdict})


@pytest.mark.parametrize("store", [RECORDED, Turned(RECORDED.root)], ids=["recorded", "turned"])
@pytest.mark.parametrize("study", sorted((TEMPLATES / "studies").glob("*.toml")), ids=lambda path: path.stem)
def test_every_study_is_whole_whichever_way_the_findings_fall(study: Path, store: Store) -> None:
    document = compose(load(study, TEMPLATES), TEMPLATES, store)
    assert [problem for problem in document.problems if "there is no result of" not in problem] == []
    assert all(section.blocks for section in document.sections)


@dataclass(frozen=True)
class Completed(Store):
    """The results of detectors with the cells that their plan still lacks: others stand in.

    seeds: of the detectors and of their ablation; those that are not recorded are like recorded ones.
    """

    seeds: int = 0  # as many as are recorded

    def best(self, analysis: str, prefer: Profile | None = None) -> Result:
        result = super().best(analysis, prefer)
        if analysis not in STAND_INS:
            return result
        measured, bundle = analyses.get(analysis), super().read_outcomes(analysis, "full")
        assert bundle is not None
        outcomes = {cell.id: cell.outcome for cell in bundle.cells}
        for wanted, recorded in STAND_INS[analysis].items():
            outcomes |= {
                f"{wanted}/{seed}": outcomes[f"{recorded}/{seed}"]
                for seed in range(5)
                if f"{recorded}/{seed}" in outcomes
            }
        provenance = result.provenance
        if self.seeds:
            for name in {cell.rpartition("/")[0] for cell in outcomes}:
                runs = [outcomes[f"{name}/{seed}"] for seed in range(5) if f"{name}/{seed}" in outcomes]
                outcomes |= {f"{name}/{seed}": runs[seed % len(runs)] for seed in range(self.seeds)}
            planned = {"seeds": self.seeds, "ablation_seeds": self.seeds}
            provenance = provenance.model_copy(update={"parameters": {**provenance.parameters, **planned}})
        parameters = type(measured.parameters("full")).model_validate(provenance.parameters)
        found = measured.summarize(parameters, outcomes)
        parts = ("metrics", "tables", "figures", "findings")
        return result.model_copy(
            update={"provenance": provenance, **{part: dict(getattr(found, part)) for part in parts}}
        )


@dataclass(frozen=True)
class CompletedTurned(Turned, Completed):
    """The results that plans will give, with every finding the other way round."""


STAND_INS = {
    "detection.faster_rcnn": {
        "convnet/truth": "convnet",
        "convnet/roi_align": "resnet",
        "mobilenet/linear": "mobilenet",
        "ablation/phases": "ablation/truth",
        "ablation/longer": "ablation/reference",
    },
}


@pytest.mark.parametrize(
    "store",
    [
        Completed(RECORDED.root),
        CompletedTurned(RECORDED.root),
        Completed(RECORDED.root, seeds=5),
        CompletedTurned(RECORDED.root, seeds=5),
    ],
    ids=["few seeds", "few seeds, turned", "all seeds", "all seeds, turned"],
)
def test_the_study_of_detection_says_what_its_planned_cells_will_show(store: Store) -> None:
    study = load(TEMPLATES / "studies" / "detection.toml", TEMPLATES)
    document = compose(study, TEMPLATES, store)
    assert document.problems == ()
    assert {
        "classification.base_networks/time",
        "detection.faster_rcnn/convnet_variants",
        "detection.faster_rcnn/mobilenet_variants",
    } <= set(document.items)
    assert not [notice for notice in document.notices if "never refers" in notice]


MISSING = "What has not been run."


@pytest.mark.parametrize(
    ("store", "said"),
    [(RECORDED, 1), (Completed(RECORDED.root), 1), (Completed(RECORDED.root, seeds=5), 0)],
    ids=["recorded", "few seeds", "all seeds"],
)
def test_what_detectors_lack_is_said_once(store: Store, said: int) -> None:
    if said and RECORDED.best("detection.faster_rcnn").findings["fewer_seeds"].holds is False:
        pytest.skip("every planned seed is recorded")
    text = words_of(compose(load(TEMPLATES / "studies" / "detection.toml", TEMPLATES), TEMPLATES, store))
    assert text.count(MISSING) == said
    assert text.count("planned seeds") <= said and ("not been run" in text) == bool(said)


def words_of(document: Document) -> str:
    """The words of all paragraphs, lists and headings."""

    def of(node: Any) -> str:
        if isinstance(node, list):
            return "".join(map(of, node))
        if not isinstance(node, dict):
            return ""
        if node.get("t") in ("Space", "SoftBreak"):
            return " "
        content = node.get("c")
        if node.get("t") == "Str":
            return str(content)
        ending = "\n" if node.get("t") in ("Para", "Plain", "Header") else ""
        return of(content) + ending

    return "".join(of(list(section.blocks)) for section in document.sections)

"""A section's page says where it is written, and leads to its lines where the study names its repository."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from report import html
from report.build import build_studies
from report.document import Study
from report.prose import compose
from report.sources import Source, sources
from report.study import StudyError, load
from tests.report.conftest import Workshop
from tests.report.pages import Node, parse

REPOSITORY = "https://github.com/ada/vgg"


def git(folder: Path, *arguments: str) -> str:
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(
        ["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def committed(workshop: Workshop) -> str:
    """The commit of a new repository that has the templates."""
    folder = workshop.templates.parent
    git(folder, "init", "-q")
    git(folder, "add", "templates/sections", "templates/studies")
    git(folder, "commit", "-q", "-m", "Write the study")
    return git(folder, "rev-parse", "HEAD")


def foot(study: Study, workshop: Workshop) -> Node:
    document = compose(study, workshop.templates, workshop.store)
    pages = html.write_document(document, workshop.templates, sources=sources(study, workshop.templates))
    return parse(pages["small/layers.html"]).one("p", "source")


def test_without_a_repository_the_file_is_named(workshop: Workshop) -> None:
    said = foot(workshop.study("layers"), workshop)
    assert said.text() == "Source of this section: layers.md" and not said.all("a")


def test_a_section_leads_to_its_lines_at_the_commit_that_has_them(workshop: Workshop) -> None:
    study = replace(workshop.study("layers", "training"), repository=REPOSITORY)
    commit = committed(workshop)
    (workshop.templates.parent / "other").write_text("later", "utf-8")
    git(workshop.templates.parent, "add", "other")
    git(workshop.templates.parent, "commit", "-q", "-m", "Change something else")
    link = foot(study, workshop).one("a")
    file = f"{REPOSITORY}/blob/{commit}/templates/sections/layers.md"
    assert (link.attributes["href"], link.text()) == (f"{file}#L1", "templates/sections/layers.md")
    assert link.attributes["data-address"] == f"{file}#L{{line}}"
    written = (workshop.templates / "sections" / "layers.md").read_text("utf-8").splitlines()
    lines = json.loads(link.attributes["data-lines"])
    assert lines == {"layers-where-they-are": written.index("## Where they are") + 1}


def test_what_differs_from_its_commit_is_not_linked(workshop: Workshop) -> None:
    study = replace(workshop.study("layers", "training"), repository=REPOSITORY)
    committed(workshop)
    file = workshop.templates / "sections" / "layers.md"
    file.write_text(file.read_text("utf-8") + "\nMore.\n", "utf-8")
    found = sources(study, workshop.templates)
    assert found["layers"] == Source("layers.md") and found["training"].address


def test_a_host_with_other_addresses_is_named_by_a_pattern(workshop: Workshop) -> None:
    pattern = "https://codeberg.example/ada/vgg/src/commit/{commit}/{path}#L{line}"
    study = replace(workshop.study("layers"), repository=pattern)
    commit = committed(workshop)
    place = sources(study, workshop.templates)["layers"].at(12)
    assert place == f"https://codeberg.example/ada/vgg/src/commit/{commit}/templates/sections/layers.md#L12"


def test_a_page_is_built_again_when_its_source_is_committed(workshop: Workshop, tmp_path: Path) -> None:
    study = replace(workshop.study("layers"), repository=REPOSITORY)

    def lines() -> list[str]:
        output = tmp_path / "site"
        return build_studies([study], workshop.store, workshop.templates, output, ["html"]).lines

    assert "small.html: built" in lines() and "small.html: unchanged" in lines()
    committed(workshop)
    assert "small.html: built" in lines() and "small.html: unchanged" in lines()


def test_a_heading_that_the_template_writes_otherwise_has_no_line(workshop: Workshop) -> None:
    workshop.section(
        "layers",
        "# Layers\n\n## Both *are* here {#one}\n\nText.\n\n"
        '## {{ value("architecture.vgg19/total_weights") }} weights\n\nText.\n\n'
        "## Both are here {#two}\n\nText.\n",
    )
    document = workshop.document("layers")
    assert document.sections[0].lines == {"layers-one": 3, "layers-two": 11}


def test_a_repository_that_is_no_address_is_refused(workshop: Workshop) -> None:
    with pytest.raises(StudyError, match="repository must be an address that begins with https://"):
        file = workshop.templates / "studies" / "small.toml"
        workshop.study("layers")
        file.write_text(file.read_text("utf-8") + 'repository = "ada/vgg"\n', "utf-8")
        load(file, workshop.templates)
        load(file, workshop.templates)

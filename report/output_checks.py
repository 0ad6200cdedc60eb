"""What does not hold of the prose, and of the site and PDFs that were built."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report.document import Study
from report.state import State
from results.store import Store


def check_prose(templates: Path) -> list[str]:
    """Digits typed by hand, in every section."""
    from report.checks import allowed_names, check_digits

    names = allowed_names(templates)
    sections = sorted((templates / "sections").glob("*.md"))
    return [problem for section in sections for problem in check_digits(section, names)]


def check_output(
    studies: Sequence[Study], store: Store, templates: Path, output: Path
) -> tuple[list[str], list[str]]:
    """What does not hold of the studies, and of their site and PDFs in `output`; and notices.

    What a study of one's own looks like is its author's to judge, and noticed there; in ours it is a problem.
    """
    from report import layout, pdf_checks
    from report.drafts import ProseError
    from report.prose import compose
    from report.site_checks import check_site

    if not output.is_dir():
        return [f"there is no site in {output}; make it with `python runner.py build`"], []
    problems: list[Any] = check_site(output)
    notices: list[str] = []
    judged = problems if store.behind is None else notices
    state = State(output)
    for study in studies:
        try:
            document = compose(study, templates, store, state.preferred(study.id))
        except ProseError as error:
            problems.append(str(error))
            continue
        problems += [f"{study.id}: {problem}" for problem in (*document.problems, *document.unanswered)]
        judged += [notice for notice in document.notices if notice not in judged]
        pdf, log = output / f"{study.id}.pdf", state.folder / study.id / f"{study.id}.log"
        if pdf.is_file() and log.is_file() and pdf.name in state.targets:
            problems += [f"{pdf.name}: {problem}" for problem in pdf_checks.check_pdf(pdf, log, document)]
            filled = layout.problems(pdf, log.with_suffix(".aux"), document)
            judged += [f"{pdf.name}: {problem}" for problem in filled]
    return problems, notices

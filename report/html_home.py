"""The first page: of each study its abstract, one number with its interval, and one figure in small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from report import printed
from report.colours import coloured
from report.document import Study
from report.formatting import AT_LEAST, nearest, number, styled, with_interval
from report.html_text import fragment
from report.study import place
from report.thumbnails import NotSmall, thumbnail
from results.schema import Metric, Result


class Headline(NamedTuple):
    value: str
    interval: str  # "95% [0.89, 0.91]"
    text: str
    href: str


class Small(NamedTuple):
    svg: Markup
    caption: str
    href: str


@dataclass(frozen=True)
class Card:
    """What the first page says of a study. `others`: results that are not of the full profile, by name."""

    study: Study
    pdf: str
    abstract: Markup
    headline: Headline | None
    figure: Small | None
    results: int
    others: Mapping[str, str]


def reading_order(studies: Iterable[Study]) -> list[Study]:
    return sorted(studies, key=lambda study: (study.order is None, study.order or 0, study.title))


def cards(
    studies: Sequence[Study], pdfs: Mapping[str, str], pages: printed.Pages, results: Iterable[Result]
) -> tuple[list[Card], list[str]]:
    """The cards in the order of `studies`, and what their study files name that is not there."""
    by_name = {result.analysis: result for result in results}
    made, problems = [], []
    for study in studies:
        used = sorted(printed.results_of(study, pages) & set(by_name))
        headline, figure = None, None
        try:
            headline = _headline(study, by_name)
            figure = _figure(study, by_name)
        except (LookupError, NotSmall) as error:
            key = "headline" if headline is None and study.headline else "figure"
            where = place(study.source, key) if study.source else study.id
            problems.append(f"{where}: {error.args[0]}")
        made.append(
            Card(
                study,
                pdfs.get(study.id, ""),
                Markup(printed.abstract(study, pages)),
                headline,
                figure,
                len(used),
                {name: by_name[name].profile for name in used if by_name[name].profile != "full"},
            )
        )
    return made, problems


def interval_text(metric: Metric) -> str:
    """ "95% [0.89, 0.91]", or "" of a metric without one."""
    if metric.low is None:
        return ""
    return f"{metric.level * 100:g}% {with_interval(metric, '', None, '[]').partition(' ')[2]}"


def _headline(study: Study, results: Mapping[str, Result]) -> Headline | None:
    if not study.headline:
        return None
    name, _, style = study.headline.partition(" as ")
    result, key = _named(name, "headline", results)
    if key not in result.metrics:
        hint = nearest(key, list(result.metrics))
        raise LookupError(f"the headline is {name!r}, and the result has no such metric{hint}")
    metric = result.metrics[key]
    value, interval = _printed(metric, style)
    unit = metric.unit if metric.unit not in ("", "fraction") else ""
    return Headline(
        (AT_LEAST if metric.partial else "") + value,
        interval,
        " · ".join(filter(None, (metric.title, unit, f"over {metric.over}" if metric.over else ""))),
        f"results/{result.analysis}.html#{fragment(name)}",
    )


def _printed(metric: Metric, style: str) -> tuple[str, str]:
    """The number, and its interval as words, or "" where it has none."""
    if style and metric.low is not None:
        value, _, interval = styled(metric, style, ci=True).partition(" (")
    elif style:
        value, interval = styled(metric, style), ""
    elif metric.low is not None:
        return with_interval(metric, "", None, "[]").split(" ")[0], interval_text(metric)
    else:
        return number(metric.value), ""
    unit = "percentage points" if style == "points" else ""
    return value, ", ".join(filter(None, (unit, interval.removesuffix(")"))))


def _figure(study: Study, results: Mapping[str, Result]) -> Small | None:
    if not study.figure:
        return None
    result, key = _named(study.figure, "figure", results)
    if key not in result.figures:
        hint = nearest(key, list(result.figures))
        raise LookupError(f"the figure is {study.figure!r}, and the result has no such figure{hint}")
    figure = coloured(result.figures)[key]
    href = f"results/{result.analysis}.html#{fragment(f'{result.analysis}/figure:{key}')}"
    return Small(thumbnail(figure), figure.caption.partition(". ")[0].rstrip(".;"), href)


def _named(name: str, key: str, results: Mapping[str, Result]) -> tuple[Result, str]:
    analysis, _, part = name.partition("/")
    if analysis not in results:
        raise LookupError(
            f"the {key} {name!r} is of a result that is missing; `python runner.py run {analysis}`"
            f"{nearest(analysis, list(results))}"
        )
    return results[analysis], part

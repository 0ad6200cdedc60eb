"""Documents and results as the pages of a static site, as a mapping of path to content.

    index.html                      the studies                      write_index
    <study>/index.html              title, abstract, contents        write_document
    <study>/<section>.html          a page a section
    <study>/pictures/<hash>.png     the pictures in its figures
    <study>/share.png               its figure, for those who share its address
    glossary.html                   words of the field              write_glossary
    results/index.html              every result                     write_results_index
    results/<analysis>.html, .json  one result, to read and to load  write_result
    results/<analysis>/<table>.csv, and of a long one .js, the rows that its page appends
    results/<analysis>/figures/<figure>.svg, .pdf, .csv
    results/pictures/<hash>.png
    assets/site.css, assets/site.js                                  write_assets
    assets/search.js                what the search finds            write_search

Links are relative, so the site works from any folder of a server and from disk, and no page loads anything
from elsewhere. The same input gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

from report import (
    downloads,
    figures,
    formatting,
    glossary,
    html_home,
    html_text,
    html_views,
    live,
    printed,
    search_index,
)
from report import pictures as own_pictures
from report.colours import coloured
from report.document import Document, Item, Study
from report.sources import Source
from results.schema import Figure, Finding, Metric, Network, Result, Table
from results.store import encode

TEMPLATES = Path(__file__).parents[1] / "templates"
#: Names of folders and pages that the site itself uses.
RESERVED_STUDIES = ("assets", "results")
RESERVED_SECTIONS = ("index",)

MOST_NAMED = 5  # metrics of one kind that are named one by one beside a finding

#: The parts of the style and of the script, in the order in which they are joined.
STYLES = (
    "frame", "text", "notes", "cards", "tables", "figures", "large", "search", "home", "live", "touch",
    "print",
)  # fmt: skip
SCRIPTS = (
    "base", "theme", "copy", "contents", "notes", "cards", "tables", "filter", "rows", "narrow", "figures",
    "threshold", "suppression", "takeaway", "large", "search", "reach",
)  # fmt: skip
SCRIPTS_OF_TABLES = ("base", "theme", "copy", "tables", "large", "reach")

#: Title and lead of a site that has none of its own.
NO_SITE: Mapping[str, str] = {}
NO_FILES: Mapping[str, str] = {}
NO_SOURCES: Mapping[str, Source] = {}

BIBTEX = {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}

Files = dict[str, bytes]


class SiteError(Exception):
    """A study that cannot become pages; the message says which and what to do."""


class Page(NamedTuple):
    """An entry of a study's contents."""

    id: str
    number: str
    title: str
    href: str


def write_document(
    document: Document,
    templates: Path = TEMPLATES,
    files: Mapping[str, str] = NO_FILES,
    drawings: Path | None = None,
    sources: Mapping[str, Source] = NO_SOURCES,
) -> Files:
    """The pages of a study; `files` are the addresses of its PDF and other forms from the study's folder.

    Drawings are kept in the folder `drawings`, if one is given, and not made again from there. `sources` says
    of sections where they are written.
    """
    _check_names(document)
    study = document.study
    parts = _parts(templates)
    pictures: Files = {}

    def draw(item: Item) -> str:
        place = live.block(item, document.results)
        if item.kind == "table":
            return str(parts.table(html_views.table_view(item)) + place)
        view = html_views.figure_view(item, drawings)
        pictures.update({f"{study.id}/{path}": content for path, content in view.files.items()})
        return str(parts.figure(view, place))

    abstract, *bodies = html_text.texts(document, draw, glossary.load(templates))
    for image in own_pictures.images([document.abstract, *(s.blocks for s in document.sections)]):
        name, content = own_pictures.on_page(Path(image["c"][2][0]))
        pictures[f"{study.id}/pictures/{name}"] = content
    pages = [Page(s.id, s.number, s.title, f"{s.id}.html") for s in document.sections]
    shared = {"root": "../", "document": document, "study": study, "pages": pages, "files": files}
    shared["site"] = study.site
    shared["share"] = share = _share(document)
    if share:
        pictures[f"{study.id}/share.png"] = figures.png(share)
    address = html_text.Anchors(document).target
    written = {
        f"{study.id}/index.html": _render(
            templates,
            "study.html",
            shared,
            text=abstract,
            facts=_facts(document),
            cite=_citation(document),
            address=address,
        ),
        **pictures,
    }
    around: list[Page | None] = [Page("", "", "Contents", "index.html"), *pages, None]
    for n, (section, text) in enumerate(zip(document.sections, bodies, strict=True)):
        written[f"{study.id}/{section.id}.html"] = _render(
            templates,
            "section.html",
            shared,
            section=section,
            source=sources.get(section.id),
            text=text,
            scripts=live.scripts(text.body),
            before=around[n],
            after=around[n + 2],
        )
    return written


def write_result(
    result: Result,
    templates: Path = TEMPLATES,
    drawings: Path | None = None,
    places: Sequence[printed.Place] = (),
    site: Mapping[str, str] = NO_SITE,
    program: str = "python runner.py",
) -> Files:
    """The page of one result, with the sections that print it; the result as JSON, and its tables as CSV.

    `site` has the title of the site, where that is not ours; `program` is how its reader calls convstudy.
    """
    name = result.analysis
    figures = html_views.result_figures(result, drawings)
    page = _render(
        templates,
        "result.html",
        {"root": "../"},
        result=result,
        tables=html_views.result_tables(result),
        figures=figures,
        places=places,
        site=site,
        program=program,
    )
    files = {f"results/{name}.html": page, f"results/{name}.json": encode(result)}
    for view in figures:
        files |= {f"results/{path}": content for path, content in view.files.items()}
    for key, table in sorted(result.tables.items()):
        files[f"results/{downloads.csv_path(name, key)}"] = downloads.table_csv(table).encode()
    beside = html_views.rows_scripts(result) | html_views.figure_files(result, drawings)
    return files | {f"results/{path}": content for path, content in beside.items()}


def write_results_index(
    results: Iterable[Result], templates: Path = TEMPLATES, site: Mapping[str, str] = NO_SITE
) -> Files:
    """The page that lists every result."""
    by_name = sorted(results, key=lambda result: result.analysis)
    page = _render(templates, "results.html", {"root": "../"}, results=by_name, site=site)
    return {"results/index.html": page}


def write_index(
    cards: Sequence[html_home.Card],
    results: Sequence[Result],
    commit: str = "",
    templates: Path = TEMPLATES,
    site: Mapping[str, str] = NO_SITE,
) -> Files:
    """The first page: every study in reading order, and the commit that the site was built from."""
    metrics = sum(len(result.metrics) for result in results)
    context = {"cards": cards, "results": results, "metrics": metrics, "commit": commit, "site": site}
    return {"index.html": _render(templates, "index.html", {"root": ""}, **context)}


def write_glossary(templates: Path = TEMPLATES, site: Mapping[str, str] = NO_SITE) -> Files:
    """The page that explains words of the field."""
    page = _render(templates, "glossary.html", {"root": ""}, terms=glossary.load(templates), site=site)
    return {glossary.PAGE: page}


def write_search(studies: Sequence[Study], pages: Files, results: Iterable[Result]) -> Files:
    """The index of the search; `pages` are those of the studies, which are in reading order."""
    return {"assets/search.js": search_index.write(studies, pages, results)}


def write_assets(templates: Path = TEMPLATES) -> Files:
    """Style and script, which all pages share."""
    return {
        "assets/site.css": _joined(templates, "styles", STYLES, "css"),
        "assets/site.js": _joined(templates, "scripts", SCRIPTS, "js"),
        **{f"assets/{name}.js": _joined(templates, "live", [name], "js") for name in live.SCRIPTS},
    }


def _joined(templates: Path, folder: str, names: Sequence[str], kind: str) -> bytes:
    parts = [(templates / "html" / folder / f"{name}.{kind}").read_bytes() for name in names]
    joined = b"\n".join(parts)
    return re.sub(rb"\n\s+", b"\n", joined) if kind == "css" else joined  # in a script it may stand in a text


def table_page(
    title: str, tables: Iterable[Table], drawing: Network | None = None, templates: Path = TEMPLATES
) -> bytes:
    """Tables, and the drawing of what they are of, as one page that needs no other file."""
    views = [
        html_views.TableView(f"table-{n}", "", table, table.columns, most=None)
        for n, table in enumerate(tables, 1)
    ]
    style = _joined(templates, "styles", STYLES, "css")
    script = _joined(templates, "scripts", SCRIPTS_OF_TABLES, "js")
    return _render(
        templates,
        "tables.html",
        {"site": NO_SITE},
        title=title,
        tables=views,
        drawing=drawing,
        drawn=Markup(figures.svg(drawing, "network")) if drawing else "",
        style=Markup(style.decode()),
        script=Markup(script.decode()),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _hash(content: bytes) -> Markup:
    """How a content policy names what is written into a page."""
    return Markup("'sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode() + "'")


def _check_names(document: Document) -> None:
    study = document.study
    if study.id in RESERVED_STUDIES:
        raise SiteError(f"no study can be called {study.id!r}, a folder of the site; rename {study.source}")
    for section in document.sections:
        if section.id in RESERVED_SECTIONS:
            raise SiteError(
                f"{study.id}: no section can be called {section.id!r}, the page of contents; rename it"
            )


def _share(document: Document) -> Figure | None:
    """The figure that stands for a study where its address is shared; none for a study without an address."""
    study = document.study
    analysis, _, name = study.figure.partition("/")
    if not study.address or analysis not in document.results:
        return None
    return coloured(document.results[analysis].figures).get(name)


def _facts(document: Document) -> list[tuple[str, str]]:
    """What the numbers of a study rest on, as terms and their descriptions."""
    results = list(document.results.values())
    made = [result.provenance for result in results]
    facts = [
        ("Results", str(len(results))),
        ("Profile", formatting.listing(sorted({result.profile for result in results}))),
        ("Results made", _span(sorted(origin.created[:10] for origin in made if origin.created))),
        ("Commit", formatting.listing(sorted({o.git_commit[:8] for o in made if o.git_commit}))),
        ("Device", formatting.listing(sorted({origin.device for origin in made}))),
        ("Computing time", formatting.duration(sum(origin.wall_seconds for origin in made))),
    ]
    return [(term, text) for term, text in facts if text] if results else []


def _span(dates: Sequence[str]) -> str:
    return " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else ""


def _citation(document: Document) -> dict[str, str]:
    """How to cite a study: its year and commit are those of its newest result, not of the build."""
    study = document.study
    made = [result.provenance for result in document.results.values()]
    newest = max(made, key=lambda origin: origin.created, default=None)
    year = newest.created[:4] if newest else ""
    commit = f", commit {newest.git_commit[:8]}" if newest and newest.git_commit else ""
    fields = {
        "title": f"{{{_for_bibtex(study.title)}}}",
        "author": " and ".join(map(_for_bibtex, study.authors)),
        "year": year,
        "url": f"{study.address}/index.html" if study.address else "",
        "note": f"Computed study, built with convstudy{commit}",
    }
    lines = [f"  {key:<6} = {{{text}}}" for key, text in fields.items() if text]
    authors = f"{formatting.listing(list(study.authors))}." if study.authors else ""
    stop = "" if study.title[-1] in ".?!" else "."
    where = f" {study.address}/index.html" if study.address else ""
    text = f"{authors}{f' {year}.' if year else ''} {study.title}{stop} Computed study{commit}.{where}"
    return {"text": text.strip(), "year": year, "bibtex": f"@misc{{{study.id},\n" + ",\n".join(lines) + "\n}"}


def _for_bibtex(text: str) -> str:
    """Text as a field of BibTeX, whose letters may be of any script."""
    return re.sub(r"[&%$#_{}~^\\]", lambda found: BIBTEX.get(found[0], f"\\{found[0]}"), text)


def _metric_text(metric: Metric) -> str:
    """The value, with its interval where it has one."""
    if metric.low is None:
        return (formatting.AT_LEAST if metric.partial else "") + formatting.number(metric.value)
    return formatting.with_interval(metric, "", None, "[]")


def _sentence(finding: Finding, result: Result) -> str:
    """What a finding says in prose."""
    return formatting.sentence(
        finding, lambda part: formatting.placeholder(part, result.metrics[part.metric])
    )


def _short(value: float | int | str) -> str:
    """A number as scripts read it: six significant digits, integers whole."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _breakable(code: str) -> Markup:
    """A long name of code, with places after its separators where a line may end."""
    if len(code) <= html_views.LONGEST_SHORT_TEXT:
        return escape(code)
    return Markup(re.sub(r"([/._|-])(?=\w)", r"\1<wbr>", str(escape(code))))


def _grouped(metrics: Sequence[str]) -> list[tuple[str, str, int]]:
    """The metrics that a finding rests on, for a list to be read: each with its name and 1; of many that
    begin and end alike the first, with what they share and their number.
    """
    groups: dict[str, list[str]] = {}
    for name in metrics:
        parts = name.split("/")
        groups.setdefault(f"{parts[0]}/…/{parts[-1]}", []).append(name)
    return [
        shown
        for pattern, names in groups.items()
        for shown in (
            [(names[0], pattern, len(names))]
            if len(names) > MOST_NAMED
            else [(name, name, 1) for name in names]
        )
    ]


@cache
def _environment(templates: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates / "html"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "breakable": _breakable,
        "words": lambda text: Markup(re.sub(r"<annotation .*?</annotation>", "", text)).striptags(),
        "header": formatting.header,
        "listing": lambda words: formatting.listing(list(words)),
        "duration": formatting.duration,
        "fragment": html_text.fragment,
        "grouped": _grouped,
        "metric_text": _metric_text,
        "number": formatting.number,
        "sentence": _sentence,
        "short": _short,
        "pretty_json": lambda data: json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True),
    }
    environment.tests["numeric"] = formatting.is_numeric
    environment.globals |= {"cell_parts": formatting.cell_parts, "value_of": formatting.value_of}
    return environment


def _parts(templates: Path) -> Any:
    """The macros that draw a table and a figure."""
    return _environment(templates).get_template("parts.html").module


def _render(templates: Path, name: str, shared: dict[str, Any], **context: Any) -> bytes:
    return _environment(templates).get_template(name).render(**shared, **context).encode()

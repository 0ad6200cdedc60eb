"""What section templates may call: every number, table, figure and reference in prose comes through here.

`report.macro_calls` gives templates these macros, with their arguments checked.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from report import formatting
from report.checks import allowed_names
from report.formatting import (
    listing,
    markdown,
    nearest,
    placeholder,
    plain,
    scaled,
    sentence,
    styled,
    with_interval,
)
from report.numbering import Offer, label
from report.questions import all_ids, mark
from results.schema import Dataset, Finding, Metric, Placeholder, Result
from results.store import Profile, ResultError, Store

#: What a template may call → an example of it.
MACROS = {
    "about": '% do about("architecture.vgg19")',
    "value": '{{ value("total_parameters") }}',
    "percent": '{{ percent("test_accuracy", ci=True) }}',
    "points": '{{ points("difference", ci=True, unit=True) }}',
    "plain": '${{ plain("total_parameters") }} \\times 4$',
    "published": '{{ published("alexnet_top5_error", scale=100) }}',
    "parameter": '{{ parameter("learning_rate") }}',
    "number": '{{ number("1,234") }}',
    "row": '{{ row("AlexNet", value("weights"), published("alexnet_weights")) }}',
    "sentence": '{{ sentence("deeper_is_better") }}',
    "has": '% if has("samples")',
    "holds": '% if holds("deeper_is_better")',
    "verdict": '% if verdict("deeper_is_better") == "more"',
    "profile": '% if profile() == "full"',
    "includes": '% if includes("measuring-detection")',
    "result": "% for name, metric in result().metrics.items()",
    "table": '{{ table("layers", columns=["layer", "weights"]) }}',
    "figure": '{{ figure("curves") }}',
    "media": '{{ media("samples", "Four textures of two classes") }}',
    "ref": '{{ ref("layers") }}, {{ ref("section:vgg19") }}, {{ ref("equation:loss") }}',
    "data": "{{ data() }}",
    "licence": "{{ licence() }}",
    "notes": "% for note in notes()",
    "answers": '{{ answers("1a") }}',
}
ANALYSIS = r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)+"
OF_THE_PROSE = ("section:", "picture:", "table:", "equation:")
PUBLISHED = "published:"  # before a key of published.toml, where a name of a metric may also stand


class MacroError(Exception):
    """A macro was asked for what does not exist; the caller knows the file and line."""


@dataclass
class Macros:
    """What templates may call. Remembers every result read (`loaded`) and what the present section rests on.

    A name is "analysis/name"; without its analysis it is of the one that `about` named last in the section.
    ValueError when published.toml cannot be read.
    """

    templates: Path
    store: Store
    prefer: Profile | None = None
    loaded: dict[str, Result] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    offers: dict[str, Offer] = field(default_factory=dict)
    local: set[str] = field(default_factory=set)  # pictures of data that is at hand
    subject: str = ""
    subjects: set[str] = field(default_factory=set)  # all that the present section is about
    lacking: dict[str, ResultError] = field(default_factory=dict)  # what it borrows in vain
    asked: frozenset[str] = frozenset()  # the ids of the questions of this study
    sections: frozenset[str] = frozenset()  # the ids of its sections

    def __post_init__(self) -> None:
        path = self.templates / "published.toml"
        try:
            self.quoted: dict[str, dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            self.quoted = {}
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from None
        self.allowed_names = allowed_names(self.templates)

    def begin(self) -> None:
        """A new section, which rests on nothing yet."""
        self.used.clear()
        self.subjects.clear()
        self.lacking.clear()
        self.subject = ""

    def about(self, analysis: str) -> str:
        """The analysis of all later names that do not say theirs; prints nothing."""
        if not re.fullmatch(ANALYSIS, analysis):
            raise MacroError(f'{analysis!r} is no analysis; write one such as "architecture.vgg19"')
        self._check_known(analysis)
        self.subject = analysis
        self.subjects.add(analysis)
        return ""

    def result(self, analysis: str | None = None) -> Result:
        """The whole result of an analysis, to go through its metrics or tables."""
        name = analysis or self.subject
        if not name:
            raise MacroError('name an analysis, or begin with `% do about("analysis")`')
        if name not in self.loaded:
            self._check_known(name)
            recorded = self.store.best(name, self.prefer)
            self.loaded[name] = self.store.illustrated(recorded)
            self.local |= {f"{name}/{one}" for one in self.loaded[name].figures.keys() - recorded.figures}
        self.used.add(name)
        return self.loaded[name]

    def _check_known(self, analysis: str) -> None:
        known = self.store.known()
        if known and analysis not in known:
            raise MacroError(f"there is no analysis {analysis!r}{nearest(analysis, sorted(known))}")

    def profile(self, analysis: str | None = None) -> str:
        """Of a result: "full", "quick" or "custom"."""
        return self.result(analysis).profile

    def includes(self, section: str) -> bool:
        """Whether this study has a section, so that another one need not say the same again."""
        known = {file.stem for file in (self.templates / "sections").glob("*.md")} | self.sections
        if section not in known:
            raise MacroError(f"there is no section {section!r}{nearest(section, sorted(known))}")
        return section in self.sections

    def data(self, analysis: str | None = None) -> str:
        """The name of the data set that a result was measured on, without its authors."""
        return markdown(self._dataset(analysis).name.partition(" (")[0])

    def licence(self, analysis: str | None = None) -> str:
        """The licence of the data set that a result was measured on."""
        return markdown(self._dataset(analysis).licence or "unknown")

    def notes(self, analysis: str | None = None) -> list[str]:
        """What a reader should know of the data: what was left out of it, and what is not as published."""
        return [
            markdown(note[:1].upper() + note[1:].rstrip(".") + ".") for note in self._dataset(analysis).notes
        ]

    def number(self, text: str) -> str:
        """A number that the author answers for, as it is written here."""
        return markdown(str(text))

    def row(self, *cells: str) -> str:
        """A row of a table in Markdown, a cell each."""
        return f"| {' | '.join(cells)} |"

    def _dataset(self, analysis: str | None) -> Dataset:
        datasets = self.result(analysis).provenance.datasets
        if not datasets:
            raise MacroError(f"{analysis or self.subject} was measured on no data set")
        return datasets[0]

    def answers(self, *questions: str) -> str:
        """A quiet mark at the end of a paragraph that answers these questions, those that this study asks."""
        for one in questions:
            if one not in self.asked:
                known = all_ids(self.templates)
                if one not in known:
                    raise MacroError(f"no study asks a question {one!r}{nearest(one, known)}")
        here = [one for one in questions if one in self.asked]
        return mark(here) if here else ""

    def holds(self, name: str) -> bool:
        """Whether a finding holds."""
        return self._finding(name).holds

    def verdict(self, name: str) -> str:
        """ "more", "less" or "same" of a comparison; "yes" or "no" of a plain statement."""
        return self._finding(name).outcome

    def sentence(self, name: str) -> str:
        """The sentence of a finding's verdict, its numbers linked as all others."""
        analysis, _, _ = self.full(name).partition("/")

        def show(part: Placeholder) -> str:
            metric = self._metric(f"{analysis}/{part.metric}", False)
            return _span("value", "metric", f"{analysis}/{part.metric}", placeholder(part, metric))

        try:
            return sentence(self._finding(name), show, lambda words: markdown(words.replace("'", "’")))
        except ValueError as error:
            raise MacroError(f"the finding {name} cannot be printed as a sentence: {error}") from None

    def value(
        self,
        name: str,
        format: str | None = None,
        scale: float | None = None,
        interval: str | None = None,
        partial: bool = False,
        unit: str = "",
    ) -> str:
        """The number of a metric; interval: "±", "[]" or "CI". unit: between number and interval."""
        metric = self._metric(name, partial)
        try:
            text = (
                with_interval(metric, format or "", scale, interval)
                if interval
                else formatting.number(scaled(metric.value, scale), format or "")
            )
        except ValueError as error:
            raise MacroError(f"{name} cannot be printed so: {error}") from None
        if unit:
            text = formatting.with_unit(text, unit)
        return _span("value", "metric", self.full(name), f"at least {text}" if metric.partial else text)

    def percent(self, name: str, ci: bool = False, decimals: int = 1) -> str:
        """A fraction as "84.3%", or "84.3% (95% CI 80.0–88.3)"."""
        return self._styled(name, "percent", ci=ci, decimals=decimals)

    def points(
        self, name: str, ci: bool = False, unit: bool = False, unsigned: bool = False, decimals: int = 1
    ) -> str:
        """A difference of fractions as "+2.4" percentage points; unit: with these words behind the number."""
        return self._styled(name, "points", ci=ci, unit=unit, unsigned=unsigned, decimals=decimals)

    def _styled(self, name: str, style: str, **options: Any) -> str:
        try:
            text = styled(self._metric(name, False), style, **options)
        except ValueError as error:
            raise MacroError(f"{name} cannot be printed so: {error}") from None
        return _span("value", "metric", self.full(name), text)

    def parameter(self, name: str, format: str | None = None) -> str:
        """A parameter of the analysis as its result has it: "faces/size" is the size within faces. Lists are
        printed with "and"."""
        analysis, path = self._split(name)
        found: Any = self.result(analysis).provenance.parameters
        for part in path.split("/"):
            known = list(found) if isinstance(found, dict) else []
            if part not in known:
                raise MacroError(f"{analysis} has no parameter {path!r}{nearest(part, known)}")
            found = found[part]
        try:
            text = _in_words(found, format or "")
        except ValueError as error:
            raise MacroError(f"the parameter {path!r} cannot be printed: {error}") from None
        return _span("value", "metric", f"{analysis}/parameter:{path}", text)

    def plain(
        self, name: str, format: str | None = None, scale: float | None = None, partial: bool = False
    ) -> str:
        """Digits alone, for mathematics: of a metric, or of "published:key"."""
        if name.startswith(PUBLISHED):
            found = self._published(name.removeprefix(PUBLISHED))
        else:
            found = self._metric(name, partial).value
        try:
            return plain(scaled(found, scale), format or "")
        except ValueError as error:
            raise MacroError(f"{name} cannot be printed so: {error}") from None

    def published(self, key: str, format: str | None = None, scale: float | None = None) -> str:
        """A number of published.toml, to be cited."""
        try:
            text = formatting.number(scaled(self._published(key), scale), format or "")
        except ValueError as error:
            raise MacroError(f"{key} cannot be printed so: {error}") from None
        return _span("quoted", "key", key, text)

    def table(self, name: str, columns: list[str] | None = None) -> str:
        """A table of a result, or some of its columns, in a paragraph of its own."""
        table, target = self._part(name, "tables", "table"), self.full(name)
        known = [column.key for column in table.columns]
        for column in columns or ():
            if column not in known:
                raise MacroError(f"the table {name} has no column {column!r}{nearest(column, known)}")
        self.offers.setdefault(target, Offer("table", table, tuple(columns or ())))
        return _div("table", target)

    def figure(self, name: str) -> str:
        """A figure of a result, in a paragraph of its own."""
        target = self.full(name)
        self.offers.setdefault(target, Offer("figure", self._part(name, "figures", "figure")))
        return _div("figure", target)

    def media(self, name: str, what: str) -> str:
        """A picture of data that may not be passed on: the figure where it was drawn on this machine, else a
        sentence on what it shows ("Four textures of two classes") and how to draw it.
        """
        if self.has(name):
            return self.figure(name)
        analysis, _ = self._split(name)
        return (
            f"\n\n::: {{.media}}\n{markdown(what)} cannot be redistributed with this study; "
            f"`{self.store.program} run {analysis} --media` draws them if the data set is available."
            "\n:::\n\n"
        )

    def has(self, name: str) -> bool:
        """Whether a figure is there: one of data that may not be passed on is where it was drawn."""
        analysis, part = self._split(name)
        return part in self.result(analysis).figures

    def ref(self, target: str) -> str:
        """A reference to a table, figure or section, or to an equation $$ … $$ {#loss}: "Table 3"."""
        if not target.strip():
            raise MacroError(f"ref() names nothing; it is written {MACROS['ref']}")
        kind, colon, name = target.partition(":")
        if f"{kind}:" in OF_THE_PROSE and kind != "section":
            target = f"{kind}{colon}{label(name)}"
        return _span("ref", "target", full_name(target, self.subject), "?")

    def _published(self, key: str) -> int | float:
        if key not in self.quoted:
            raise MacroError(f"published.toml has no {key!r}{nearest(key, list(self.quoted))}")
        value = self.quoted[key].get("value")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise MacroError(f"published.toml gives {key} no number as its value")
        return value

    def _finding(self, name: str) -> Finding:
        finding: Finding = self._part(name, "findings", "finding")
        return finding

    def _metric(self, name: str, partial: bool) -> Metric:
        metric: Metric = self._part(name, "metrics", "metric")
        if metric.partial and not partial:
            raise MacroError(
                f"{name} leaves out {listing(list(metric.partial))} and is no total; "
                'print it with partial=True, which says "at least"'
            )
        return metric

    def full(self, name: str) -> str:
        """A name with its analysis."""
        return full_name(name, self.subject)

    def _split(self, name: str) -> tuple[str, str]:
        """Analysis and part of a name."""
        analysis, slash, part = self.full(name).partition("/")
        if not slash or not re.fullmatch(ANALYSIS, analysis):
            raise MacroError(
                f'{name!r} is not of the form "analysis/name", and `% do about("analysis")` is not above'
            )
        return analysis, part

    def _part(self, name: str, kind: str, singular: str) -> Any:
        """One metric, table, figure or finding."""
        analysis, part = self._split(name)
        parts = getattr(self.result(analysis), kind)
        if part not in parts:
            raise MacroError(f"{analysis} has no {singular} {part!r}{nearest(part, list(parts))}")
        return parts[part]


def full_name(name: str, subject: str) -> str:
    """A name with its analysis, which is `subject` where it says none.

    "section:id", "picture:id", "table:id" and "equation:id" say what they are.
    """
    first = name.partition("/")[0]
    if not subject or name.startswith(OF_THE_PROSE) or re.fullmatch(ANALYSIS, first):
        return name
    return f"{subject}/{name}"


def _in_words(value: Any, spec: str) -> str:
    """A parameter as text; ValueError for one that is no number, word or list of these."""
    if isinstance(value, list | tuple):
        return listing([_in_words(part, spec) for part in value])
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"it is {value!r}, no number, word or list of these")
    return value if isinstance(value, str) else formatting.number(value, spec)


def _span(kind: str, key: str, data: str, text: str) -> str:
    return f'[{markdown(text)}]{{.{kind} {key}="{data}"}}'


def _div(kind: str, target: str) -> str:
    return f'\n\n::: {{.{kind} target="{target}"}}\n:::\n\n'

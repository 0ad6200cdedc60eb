"""What section templates may call: every number, table, figure and reference in prose comes through here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from report.checks import allowed_names
from report.formatting import listing, markdown, nearest, number, plain, scaled, with_interval
from report.numbering import Offer
from results.schema import Metric, Result
from results.store import Profile, Store


class MacroError(Exception):
    """A macro was asked for what does not exist; the caller knows the file and line."""


@dataclass
class Macros:
    """What templates may call. Remembers every result read (`loaded`) and what the present section rests on.

    ValueError when published.toml cannot be read.
    """

    templates: Path
    store: Store
    prefer: Profile | None = None
    loaded: dict[str, Result] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    offers: dict[str, Offer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path = self.templates / "published.toml"
        try:
            self.quoted: dict[str, dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            self.quoted = {}
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from None
        self.allowed_names = allowed_names(self.templates)

    def namespace(self) -> dict[str, Callable[..., Any]]:
        names = ("value", "plain", "published", "table", "figure", "ref", "holds", "profile", "result")
        return {name: getattr(self, name) for name in names}

    def result(self, analysis: str) -> Result:
        if analysis not in self.loaded:
            self.loaded[analysis] = self.store.best(analysis, self.prefer)
        self.used.add(analysis)
        return self.loaded[analysis]

    def profile(self, analysis: str) -> str:
        return self.result(analysis).profile

    def holds(self, name: str) -> bool:
        return bool(self._part(name, "findings", "finding").holds)

    def value(
        self,
        name: str,
        format: str | None = None,
        scale: float | None = None,
        interval: str | None = None,
        partial: bool = False,
    ) -> str:
        metric = self._metric(name, partial)
        try:
            text = (
                with_interval(metric, format or "", scale, interval)
                if interval
                else number(scaled(metric.value, scale), format or "")
            )
        except ValueError as error:
            raise MacroError(f"{name} cannot be printed so: {error}") from None
        return _span("value", "metric", name, f"at least {text}" if metric.partial else text)

    def plain(
        self, name: str, format: str | None = None, scale: float | None = None, partial: bool = False
    ) -> str:
        try:
            return plain(scaled(self._metric(name, partial).value, scale), format or "")
        except ValueError as error:
            raise MacroError(f"{name} cannot be printed so: {error}") from None

    def published(self, key: str, format: str | None = None, scale: float | None = None) -> str:
        if key not in self.quoted:
            raise MacroError(f"published.toml has no {key!r}{nearest(key, list(self.quoted))}")
        value = self.quoted[key].get("value")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise MacroError(f"published.toml gives {key} no number as its value")
        try:
            return _span("quoted", "key", key, number(scaled(value, scale), format or ""))
        except ValueError as error:
            raise MacroError(f"{key} cannot be printed so: {error}") from None

    def table(self, name: str, columns: list[str] | None = None) -> str:
        table = self._part(name, "tables", "table")
        known = [column.key for column in table.columns]
        for column in columns or ():
            if column not in known:
                raise MacroError(f"the table {name} has no column {column!r}{nearest(column, known)}")
        self.offers.setdefault(name, Offer("table", table, tuple(columns or ())))
        return _div("table", name)

    def figure(self, name: str) -> str:
        self.offers.setdefault(name, Offer("figure", self._part(name, "figures", "figure")))
        return _div("figure", name)

    def ref(self, target: str) -> str:
        return _span("ref", "target", target, "?")

    def _metric(self, name: str, partial: bool) -> Metric:
        metric: Metric = self._part(name, "metrics", "metric")
        if metric.partial and not partial:
            raise MacroError(
                f"{name} leaves out {listing(list(metric.partial))} and is no total; "
                'print it with partial=True, which says "at least"'
            )
        return metric

    def _part(self, name: str, kind: str, singular: str) -> Any:
        """One metric, table, figure or finding by "analysis/name"."""
        analysis, slash, part = name.partition("/")
        if not slash or not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", analysis):
            raise MacroError(f'{name!r} is not of the form "analysis/{singular}"')
        parts = getattr(self.result(analysis), kind)
        if part not in parts:
            raise MacroError(f"{analysis} has no {singular} {part!r}{nearest(part, list(parts))}")
        return parts[part]


def _span(kind: str, key: str, data: str, text: str) -> str:
    return f'[{markdown(text)}]{{.{kind} {key}="{data}"}}'


def _div(kind: str, target: str) -> str:
    return f'\n\n::: {{.{kind} target="{target}"}}\n:::\n\n'

"""The filters of a list: read from the address, shown in the bar above the table, handed to the query as plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from daifa.web.kit.scope import Scope


@dataclass(frozen=True)
class Choice:
    """One of a list. `choices`: (value, label) pairs, or a function of the scope. `tabs=True` shows it as tabs over the table.

    Gives `filters[name] = value` (a string). `default` holds when the address says nothing; "" in the address means all.
    """

    name: str
    label: Any
    choices: Sequence[tuple[str, Any]] | Callable[[Scope], Sequence[tuple[str, Any]]]
    tabs: bool = False
    all_label: Any = None
    default: str = ""
    kind: str = field(default="choice", init=False)

    def options(self, scope: Scope) -> list[tuple[str, Any]]:
        found = self.choices(scope) if callable(self.choices) else self.choices
        return [(str(value), label) for value, label in found]

    def read(self, query: Mapping[str, str], scope: Scope, filters: dict[str, Any], raw: dict[str, str]) -> str | None:
        value = query.get(self.name, self.default)
        if self.default and self.name in query and not value:
            raw[self.name] = ""
        if not value:
            return None
        if value not in {known for known, _label in self.options(scope)}:
            return _("“%(value)s” is not one of the choices of %(filter)s; all are shown.") % {
                "value": value[:40], "filter": self.label,
            }  # fmt: skip
        filters[self.name] = value
        if value != self.default:
            raw[self.name] = value
        return None


@dataclass(frozen=True)
class Toggle:
    """Yes or not asked. Gives `filters[name] = True`."""

    name: str
    label: Any
    kind: str = field(default="toggle", init=False)

    def read(self, query: Mapping[str, str], scope: Scope, filters: dict[str, Any], raw: dict[str, str]) -> str | None:
        if query.get(self.name) in ("1", "on", "true"):
            filters[self.name] = True
            raw[self.name] = "1"
        return None


@dataclass(frozen=True)
class Text:
    """Free words. Gives `filters[name]`, stripped, at most 200 characters."""

    name: str
    label: Any
    kind: str = field(default="text", init=False)

    def read(self, query: Mapping[str, str], scope: Scope, filters: dict[str, Any], raw: dict[str, str]) -> str | None:
        value = query.get(self.name, "").replace("\x00", "").strip()[:200]
        if value:
            filters[self.name] = raw[self.name] = value
        return None


@dataclass(frozen=True)
class DateRange:
    """Two days, both included. Gives `filters[name_from]` and `filters[name_to]` (dates, in the store's own calendar)."""

    name: str
    label: Any
    kind: str = field(default="dates", init=False)

    def read(self, query: Mapping[str, str], scope: Scope, filters: dict[str, Any], raw: dict[str, str]) -> str | None:
        problem = None
        for end in ("from", "to"):
            key = f"{self.name}_{end}"
            text = query.get(key, "").strip()
            if not text:
                continue
            try:
                filters[key] = date.fromisoformat(text)
                raw[key] = text
            except ValueError:
                problem = _("“%(value)s” is not a date; write it as 2026-11-22.") % {"value": text[:40]}
        return problem


Filter = Choice | Toggle | Text | DateRange


@dataclass
class Asked:
    """What an address asks of a list: typed `filters`, their `raw` words for new addresses, and what could not be read."""

    filters: dict[str, Any]
    raw: dict[str, str]
    problems: list[str]

    def address(self, **changes: str | None) -> str:
        """The query string with `changes` (None removes); empty ones are left out unless they override a default."""
        query = QueryDict(mutable=True)
        for key, value in {**self.raw, **changes}.items():
            if value is not None:
                query[key] = value
        return f"?{query.urlencode()}" if query else "?"


def read(declared: Sequence[Filter], query: Mapping[str, str], scope: Scope, *, search: bool) -> Asked:
    """Filters of an address. Unknown parameters are ignored; values that mean nothing are reported in a sentence."""
    asked = Asked({}, {}, [])
    everything: list[Filter] = [*declared, *([Text("q", _("Search"))] if search else [])]
    for one in everything:
        problem = one.read(query, scope, asked.filters, asked.raw)
        if problem:
            asked.problems.append(problem)
    return asked

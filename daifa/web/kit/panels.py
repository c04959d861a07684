"""The pieces a page is made of. Each is a declaration with its template; `{% panel %}` draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from daifa.web.kit import columns as cols
from daifa.web.kit import format as fmt
from daifa.web.kit.actions import ActionButton, LinkButton
from daifa.web.kit.columns import Column
from daifa.web.kit.scope import Scope

Button = ActionButton | LinkButton


@dataclass(frozen=True)
class Fact:
    """One labelled value; `kind` as in `Column` (money wants a `Money`)."""

    label: Any
    value: Any
    kind: str = "text"
    states: Any = ""
    url: str | None = None
    hint: Any = ""
    store_id: int | None = None

    def shown(self, scope: Scope | None) -> SafeString:
        row = {"value": self.value, "hint": self.hint, "store_id": self.store_id}
        column = Column("value", self.label, self.kind, states=self.states, url=lambda _row: self.url, hint="hint")
        return column.cell(row, scope)


class Panel:
    """Anything `{% panel %}` can draw."""

    template: ClassVar[str]

    def context(self, scope: Scope | None) -> dict[str, Any]:
        return {}

    def render(self, request: HttpRequest | None) -> SafeString:
        scope = getattr(request, "scope", None)
        return render_to_string(self.template, {"panel": self, "scope": scope, **self.context(scope)}, request)


@dataclass(frozen=True)
class FactsPanel(Panel):
    """Labelled values in a grid."""

    title: Any
    facts: Sequence[Fact]
    actions: Sequence[Button] = ()
    note: Any = ""
    template: ClassVar[str] = "web/panels/facts.html"

    def context(self, scope: Scope | None) -> dict[str, Any]:
        return {"facts": [(fact.label, fact.shown(scope)) for fact in self.facts]}


@dataclass(frozen=True)
class TablePanel(Panel):
    """A short table, all its rows at once (for long ones: `ListPage`). `footer`: rows of cells, already formatted."""

    title: Any
    columns: Sequence[Column]
    rows: Sequence[Any]
    row_url: Callable[[Any], str | None] | None = None
    row_class: Callable[[Any], str] | None = None
    empty: Any = ""
    footer: Sequence[Sequence[Any]] = ()
    actions: Sequence[Button] = ()
    more: LinkButton | None = None
    note: Any = ""
    template: ClassVar[str] = "web/panels/table.html"

    def context(self, scope: Scope | None) -> dict[str, Any]:
        shown = cols.visible(self.columns, scope)
        body = cols.body(shown, self.rows, scope, row_url=self.row_url, row_class=self.row_class)
        return {"columns": shown, "body": body, "footer": [list(zip(shown, row, strict=False)) for row in self.footer]}


@dataclass(frozen=True)
class Kpi:
    """One figure. `tone` colours it; `delta` is a fraction against the period before; `url` makes the card a link."""

    label: Any
    value: Any
    hint: Any = ""
    tone: str = ""
    delta: Decimal | None = None
    icon: str = ""
    url: str | None = None
    good_when_up: bool = True

    @property
    def delta_text(self) -> str:
        return fmt.percent_text(abs(self.delta), 0) if self.delta is not None else ""

    @property
    def delta_tone(self) -> str:
        if not self.delta:
            return "secondary"
        return "green" if (self.delta > 0) == self.good_when_up else "red"


@dataclass(frozen=True)
class KpiPanel(Panel):
    """A row of cards with one figure each."""

    kpis: Sequence[Kpi]
    template: ClassVar[str] = "web/panels/kpis.html"


@dataclass(frozen=True)
class Series:
    """One line or row of bars. kind: bar · line · area. `stack`: bars of one name stand on each other.

    tone: blue · azure · green · teal · orange · red · yellow · purple · gray, else by turn.
    """

    name: Any
    values: Sequence[Decimal | int | None]
    kind: str = "bar"
    stack: str = ""
    tone: str = ""


@dataclass(frozen=True)
class ChartPanel(Panel):
    """A chart (ECharts) with its figures as a table beneath. unit: a currency code, "percent" (0.1 = 10 %) or ""."""

    title: Any
    labels: Sequence[Any]
    series: Sequence[Series]
    unit: str = ""
    pie: bool = False
    tall: bool = False
    empty: Any = ""
    note: Any = ""
    name: str = "chart"
    actions: Sequence[Button] = ()
    template: ClassVar[str] = "web/panels/chart.html"

    def context(self, scope: Scope | None) -> dict[str, Any]:
        # Pixels need no Decimal: the figures people read come from the table.
        data = {
            "labels": [str(label) for label in self.labels],
            "unit": self.unit,
            "pie": self.pie,
            "series": [
                {
                    "name": str(one.name), "kind": one.kind, "stack": one.stack, "tone": one.tone,
                    "values": [None if value is None else float(value) for value in one.values],
                }
                for one in self.series
            ],
        }  # fmt: skip
        figures = [
            (label, [self._figure(one.values[i]) for one in self.series]) for i, label in enumerate(self.labels)
        ]
        return {
            "data": data, "figures": figures, "data_id": f"{self.name}-data",
            "is_empty": not any(value for one in self.series for value in one.values),
        }  # fmt: skip

    def _figure(self, value: Any) -> str:
        if value is None:
            return "–"
        if self.unit == "percent":
            return fmt.percent_text(value)
        return fmt.money_text(Decimal(value), self.unit) if self.unit else fmt.quantity_text(value)


@dataclass(frozen=True)
class Event:
    """One thing that happened. `by`: an actor string; its name is looked up for the whole timeline at once."""

    at: datetime
    title: Any
    by: str = ""
    why: Any = ""
    detail: Any = ""
    icon: str = "circle-dot"
    tone: str = "neutral"
    url: str | None = None
    badge: Any = None


@dataclass(frozen=True)
class TimelinePanel(Panel):
    """What happened, newest first unless given otherwise, grouped by day."""

    title: Any
    events: Sequence[Event]
    empty: Any = ""
    store_id: int | None = None
    more: LinkButton | None = None
    template: ClassVar[str] = "web/panels/timeline.html"

    def context(self, scope: Scope | None) -> dict[str, Any]:
        names = fmt.actor_names(event.by for event in self.events if event.by)
        zone = scope.zone(self.store_id) if scope else None
        days: list[tuple[str, list[dict[str, Any]]]] = []
        for event in self.events:
            day = fmt.date_text(event.at, zone)
            if not days or days[-1][0] != day:
                days.append((day, []))
            moment = fmt._time(event.at, f"{fmt._here(event.at, zone):%H:%M}", zone)
            days[-1][1].append({"event": event, "who": names.get(event.by, ""), "time": moment})
        return {"days": days}


@dataclass(frozen=True)
class ProgressPanel(Panel):
    """Long work. While `running` the browser asks `url` every `every` seconds and shows the answer in its place.

    The view behind `url` builds the same panel and returns `panel.respond(request)`; when the work is over, the whole
    page is loaded again once, so that its results appear.
    """

    title: Any
    url: str
    done: int
    total: int | None
    running: bool
    sentence: Any = ""
    badge: Any = None
    every: int = 2
    name: str = "progress"
    actions: Sequence[Button] = ()
    template: ClassVar[str] = "web/panels/progress.html"

    @property
    def percent(self) -> str:
        return fmt.percent_text(Decimal(self.done) / self.total, 0) if self.total else ""

    @property
    def bar(self) -> SafeString:
        return cols.bar(self.done, self.total)

    def respond(self, request: HttpRequest) -> HttpResponse:
        response = HttpResponse(self.render(request))
        if not self.running:
            response["HX-Refresh"] = "true"
        return response


@dataclass(frozen=True)
class FormPanel(Panel):
    """A Django form in a panel, posted to `url`."""

    title: Any
    form: Any
    url: str
    submit: Any
    icon: str = ""
    intro: Any = ""
    reason: str | None = None
    template: ClassVar[str] = "web/panels/form.html"


@dataclass(frozen=True)
class NotePanel(Panel):
    """A sentence that should be seen, with what to do about it. tone: info · warning · danger · success."""

    text: Any
    tone: str = "info"
    title: Any = ""
    actions: Sequence[Button] = ()
    template: ClassVar[str] = "web/panels/note.html"

    @property
    def icon(self) -> str:
        return {"info": "info-circle", "success": "circle-check"}.get(self.tone, "alert-triangle")


@dataclass(frozen=True)
class EmptyPanel(Panel):
    """Nothing here yet: what would be here, and how it gets here."""

    title: Any
    text: Any = ""
    icon: str = "inbox"
    actions: Sequence[Button] = ()
    template: ClassVar[str] = "web/panels/empty.html"


@dataclass(frozen=True)
class HtmlPanel(Panel):
    """A template of the page's own, with `title` around it as a card (none: bare)."""

    body: str
    values: Mapping[str, Any] = field(default_factory=dict)
    title: Any = ""
    actions: Sequence[Button] = ()
    template: ClassVar[str] = "web/panels/html.html"

    def context(self, scope: Scope | None) -> dict[str, Any]:
        return dict(self.values)

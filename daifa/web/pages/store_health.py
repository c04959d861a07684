"""Store health: each figure its channel counts, against the line, with what breaks next and who adds what."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.compliance import queries
from daifa.domain.compliance.health import value_text
from daifa.flows.keep_clocks import keep_clocks, keep_metrics
from daifa.web.kit import (
    ActionButton,
    Badge,
    ChartPanel,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    LinkButton,
    NotePanel,
    Panel,
    PanelPage,
    Scope,
    Series,
    TablePanel,
    after,
    page,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places

CHART_DAYS = 60
CHART_LINES = 4
TONES = {100: "danger", 85: "warning", 70: "warning", 0: "success"}


def _panels_of_all(request: HttpRequest, scope: Scope) -> list[Panel]:
    known = {row[0]: row for row in queries.latest_figures(scope.store_ids)}
    stores = [store for store in scope.stores if store.id in scope.store_ids]
    if not stores:
        return [EmptyPanel(_("No store yet"), _("Health is counted for each store."), icon="chart-line")]
    return [
        TablePanel(
            _("Stores"),
            [
                Column("name", _("Store"), link=True, hint="channel"),
                Column("state", _("Lines"), "badges", value=lambda store: _badges(known.get(store.id))),
                Column("breaks", _("Breaks next"), "due", value=lambda store: known[store.id][4] if store.id in known else None),
                Column("day", _("Counted on"), "date", phone=False,
                       value=lambda store: known[store.id][1] if store.id in known else None),
            ],
            stores,
            row_url=lambda store: reverse("web:store_health_of", args=[store.id]),
            note=_("Counted every hour from your own rows. What the platform shows counts; this is to know it earlier."),
        )
    ]  # fmt: skip


def _badges(row: Any) -> list[Any]:
    if row is None:
        return [Badge(_("not counted yet"), "muted")]
    found = []
    if row[2]:
        found.append(Badge(ngettext("%(count)d crossed", "%(count)d crossed", row[2]) % {"count": row[2]}, "danger"))
    if row[3]:
        found.append(Badge(ngettext("%(count)d near", "%(count)d near", row[3]) % {"count": row[3]}, "warning"))
    return found or [Badge(_("all in order"), "success")]


HEALTH = PanelPage(title=gettext_lazy("Store health"), panels=_panels_of_all)


# --- One store ----------------------------------------------------------------------------------------------------------


def _load(scope: Scope, pk: int) -> Any:
    return queries.whole_health(pk, at=scope.at) if scope.whole.store(pk) else None


def _standing(one: queries.Metric) -> list[Any]:
    word = {100: _("crossed"), 85: _("85 % of the line"), 70: _("70 % of the line")}.get(one.level)
    found = [Badge(word or _("in order"), TONES[one.level] if one.acts or not one.level else "info")]
    if one.level and not one.is_sure:
        found.append(Badge(_("small number"), "muted", _("It may be bad luck: too few orders to be sure.")))
    if not one.acts:
        found.append(Badge(_("to be checked"), "muted", one.why_not))
    return found


def _line(one: queries.Metric) -> str:
    return f"{one.comparison} {value_text(one.line, one.unit)}" if one.line is not None else ""


def _interval(one: queries.Metric) -> str:
    if one.low is None or one.high is None:
        return _window(one)
    return _window(one) + " · " + _("%(bad)s of %(base)s, between %(low)s and %(high)s %%") % {
        "bad": one.events, "base": one.base, "low": f"{one.low:.1f}", "high": f"{one.high:.1f}"
    }  # fmt: skip


def _hint(one: queries.Metric) -> str:
    parts = [one.consequence]
    if one.about:
        parts.append(_("worst: %(sku)s") % {"sku": one.about})
    if one.gate:
        parts.append(_("only with %(gate)s") % {"gate": one.gate})
    return " · ".join(part for part in (*parts, one.note) if part)


def _left(one: queries.Metric) -> str:
    if not one.left or one.level >= 100:
        return ""
    return ngettext("%(count)d more breaks it", "%(count)d more break it", one.left) % {"count": one.left}


def _window(one: queries.Metric) -> str:
    if one.window is None:
        return ""
    if one.window.natural:
        return _("today") if one.window.natural == "day" else _("this week")
    return _("%(days)s days") % {"days": (one.window.end - one.window.begin).days}


def _breaks(one: queries.Metric, scope: Scope, store_id: int) -> Any:
    if one.breaks is None:
        return None
    return ngettext(
        "%(at)s: %(bad)s of %(base)s, unless %(count)d goes out before",
        "%(at)s: %(bad)s of %(base)s, unless %(count)d go out before",
        one.breaks.needed,
    ) % {"at": fmt.short_text(one.breaks.at, scope.zone(store_id)), "bad": one.breaks.events, "base": one.breaks.base,
         "count": one.breaks.needed}  # fmt: skip


def _panels(found: queries.Health, scope: Scope) -> list[Panel]:
    lines = [one for one in found.metrics if one.rule and not one.missing]
    figures = [one for one in found.metrics if not one.rule]
    store = scope.whole.store(found.store_id)
    panels: list[Panel] = []
    if (first := found.next_break) is not None:
        panels.append(
            NotePanel(
                _("%(metric)s: %(when)s.") % {"metric": first.words, "when": _breaks(first, scope, found.store_id)},
                title=_("What breaks next"), tone="warning" if first.acts else "info",
                actions=[LinkButton(_("The orders to ship"), places.place("clocks", state="running", thing="order"), icon="clock")],
            )
        )  # fmt: skip
    if not any(one.acts for one in lines):
        panels.append(
            NotePanel(
                _("No line that may act holds for this store: own sites have no platform, and rules of undated or weak sources inform until the owner confirms them.")
                if lines
                else _("The rule book has no lines for the channel “%(channel)s”.") % {"channel": store.channel},
                actions=[LinkButton(_("Rule book"), places.place("rules"), icon="book-2")] if places.place("rules") else [],
            )
        )
    panels.append(
        TablePanel(
            _("Lines of the channel"),
            [
                Column("words", _("Figure"), wrap=True, hint=_hint, url=lambda one: places.place("rule", one.rule)),
                Column("standing", _("How it stands"), "badges", value=_standing),
                Column("value", _("Value"), wrap=True, value=lambda one: value_text(one.value, one.unit), hint=_interval),
                Column("line", _("Breaks at"), value=_line, hint=_left),
                Column("share_of_line", _("Of the way"), "percent"),
                Column("next", _("Breaks next"), wrap=True, value=lambda one: _breaks(one, scope, found.store_id)),
            ],
            lines,
            empty=_("The rule book has no lines for this channel."),
        )
    )  # fmt: skip
    panels.append(_chart(found, scope, lines))
    if unseen := [one for one in found.metrics if one.missing]:
        panels.append(
            TablePanel(
                _("Lines that daifa cannot measure"),
                [
                    Column("words", _("Figure"), wrap=True, hint="consequence", url=lambda one: places.place("rule", one.rule)),
                    Column("line", _("Breaks at"), value=_line),
                    Column("missing", _("Why"), wrap=True),
                ],
                unseen,
            )
        )  # fmt: skip
    panels += [
        _shares(_("Which suppliers the late orders come from"), _("Supplier"), found.suppliers),
        _shares(_("Which listings the late orders are about"), _("SKU"), found.listings),
        TablePanel(
            _("Figures without a line"),
            [
                Column("words", _("Figure"), hint="about"),
                Column("value", _("Value"), value=lambda one: value_text(one.value, one.unit)),
                Column("base", _("Counted over"), "quantity"),
                Column("window", _("Window"), value=_window),
            ],
            figures,
            note=_("They go into platforms' scores; how much is not published."),
        ),
        _behind(lines),
    ]  # fmt: skip
    return panels


def _shares(title: str, what: str, rows: list[Any]) -> TablePanel:
    return TablePanel(
        title,
        [
            Column("key", what, "code", hint="name"),
            Column("due", _("Orders due"), "quantity"),
            Column("late", _("Late"), "quantity"),
            Column("share", _("Share of all late ones"), "percent"),
        ],
        rows,
        empty=_("No late orders in 30 days."),
    )


def _behind(lines: list[queries.Metric]) -> TablePanel:
    rows = [(one, order) for one in lines if one.level >= 70 for order in one.orders[:10]]
    return TablePanel(
        _("Orders behind it"),
        [
            Column("order", _("Order"), "code", value=lambda row: f"#{row[1]}", url=lambda row: places.order(row[1])),
            Column("metric", _("Figure"), value=lambda row: row[0].words, hint=lambda row: row[0].rule),
        ],
        rows[:40],
        empty=_("No line is near."),
    )


def _chart(found: queries.Health, scope: Scope, lines: list[queries.Metric]) -> ChartPanel:
    since = scope.at.astimezone(scope.zone(found.store_id)).date() - timedelta(days=CHART_DAYS)
    shown = [one for one in lines if not one.missing and one.unit == "percent" and one.value is not None][:CHART_LINES]
    trends = [dict(queries.trend(found.store_id, one.rule, since=since)) for one in shown]
    days = sorted({day for trend in trends for day in trend})
    return ChartPanel(
        _("The last 60 days"),
        [f"{day.month}-{day.day:02d}" for day in days],
        [
            Series(f"{one.words} ({one.rule})", [_fraction(trend.get(day)) for day in days], kind="line")
            for one, trend in zip(shown, trends, strict=True)
        ],
        unit="percent",
        empty=_("The chart begins with the first day on which figures are kept."),
        name="health",
    )


def _fraction(value: Decimal | None) -> Decimal | None:
    return None if value is None else value / 100


STORE_HEALTH = DetailPage(
    load=_load,
    store_id="store_id",
    title=lambda found, scope: _("Health of %(store)s") % {"store": scope.whole.store(found.store_id).name},
    pretitle=lambda found, scope: found.channel,
    back=(gettext_lazy("Store health"), lambda: reverse("web:store_health")),
    actions=lambda found, scope: [
        ActionButton(_("Count again"), reverse("web:store_health_count", args=[found.store_id]), icon="refresh",
                     reason=scope.why_not("operate", found.store_id)),
    ],
    facts=lambda found, scope: [
        Fact(_("Channel"), found.channel, "code"),
        Fact(_("Counted at"), found.at, "datetime", store_id=found.store_id),
        Fact(_("Lines crossed"), sum(one.level == 100 and one.acts for one in found.metrics), "quantity"),
        Fact(_("Lines near"), sum(one.level in (70, 85) and one.acts for one in found.metrics), "quantity"),
    ],
    panels=_panels,
)  # fmt: skip


@page("view", methods=("POST",))
def count_again(request: HttpRequest, scope: Scope, pk: int) -> Any:
    scope.require(pk, "operate")
    keep_clocks(at=scope.at, by=scope.by, stores=[pk])
    keep_metrics(at=scope.at, stores=[pk])
    return after(request, reverse("web:store_health_of", args=[pk]), _("Counted."))


urlpatterns = [
    path("store-health/", HEALTH.view, name="store_health"),
    path("store-health/<int:pk>/", STORE_HEALTH.view, name="store_health_of"),
    path("store-health/<int:pk>/count/", count_again, name="store_health_count"),
]

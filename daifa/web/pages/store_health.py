"""Store health: each figure its channel counts, against the line, with what breaks next and who adds what."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.compliance import announced, figure_queries, queries
from daifa.domain.compliance.health import line_words, value_text
from daifa.domain.policy.commands import NewOverride
from daifa.domain.policy.queries import channel_word
from daifa.flows import put_right
from daifa.flows.keep_clocks import keep_clocks, keep_metrics
from daifa.flows.reads.store_health import numbers_of, whole_health
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
from daifa.web.pages.rule_links import rule_link, rule_titles

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
                Column("name", _("Store"), link=True, hint=lambda store: channel_word(store.channel)),
                Column("state", _("Lines of the channel"), "badges", value=lambda store: _badges(known.get(store.id))),
                Column("breaks", _("Breaks next"), "html", value=lambda store: _breaks_next(known.get(store.id), scope)),
                Column("day", _("Counted on"), "date", phone=False,
                       value=lambda store: known[store.id][1] if store.id in known else None),
            ],
            stores,
            row_url=lambda store: reverse("web:store_health_of", args=[store.id]),
            note=_("Counted every hour from your own rows. What the platform shows counts; this is to know it earlier."),
        )
    ]  # fmt: skip


def _breaks_next(row: Any, scope: Scope) -> Any:
    """When the first line breaks, by the clock of the store."""
    return None if row is None or row[4] is None else fmt.due(row[4], scope.zone(row[0]))


def _badges(row: Any) -> list[Any]:
    if row is None:
        return [Badge(_("not counted yet"), "muted")]
    found = []
    if row[2]:
        found.append(Badge(ngettext("%(count)d crossed", "%(count)d crossed", row[2]) % {"count": row[2]}, "danger"))
    if row[3]:
        found.append(Badge(ngettext("%(count)d near", "%(count)d near", row[3]) % {"count": row[3]}, "warning"))
    if not found and not row[5]:
        return [Badge(_("no data"), "muted", _("Nothing was placed, due or announced in the windows of its lines."))]
    return found or [Badge(_("all in order"), "success")]


HEALTH = PanelPage(title=gettext_lazy("Store health"), panels=_panels_of_all)


# --- One store ----------------------------------------------------------------------------------------------------------


def _load(scope: Scope, pk: int) -> Any:
    return whole_health(pk, at=scope.at) if scope.whole.store(pk) else None


def _standing(one: queries.Metric) -> list[Any]:
    word = {100: _("crossed"), 85: _("85 % of the line"), 70: _("70 % of the line")}
    found = []
    if not one.missing:
        found.append(Badge(word.get(one.level) or _("in order"), TONES[one.level] if one.acts or not one.level else "info"))
        if one.level and not one.is_sure:
            found.append(Badge(_("small number"), "muted", _("It may be bad luck: too few orders to be sure.")))
    if (said := one.platform) is not None and said.said is not None:
        text = _("platform: %(standing)s") % {"standing": word.get(said.said.level) or _("in order")}
        found.append(Badge(text, "muted" if said.is_stale else TONES[said.said.level] if one.acts or not said.said.level else "info"))
        if said.said.gate_open:
            found.append(Badge(_("second condition not said"), "muted", _("The line also asks for: %(gate)s") % {"gate": one.gate}))
    if one.verdict == "ended":
        found.append(Badge(_("ended"), "muted", one.why_not))
    elif not one.acts:
        found.append(Badge(_("to be checked"), "muted", one.why_not))
    if one.text_from is not None:
        found.append(Badge(_("text from %(day)s") % {"day": fmt.date_text(one.text_from)}, "info", one.text_note))
    elif one.text_until is not None and one.verdict != "ended":
        found.append(Badge(_("text until %(day)s") % {"day": fmt.date_text(one.text_until)}, "neutral", one.text_note))
    return found


def _said(one: queries.Metric) -> str:
    return "" if one.platform is None else value_text(one.platform.figure.value, one.unit)


def _said_hint(one: queries.Metric) -> str:
    """Of when it is, how old, how far from ours."""
    if (said := one.platform) is None:
        return ""
    parts = [_("as of %(day)s") % {"day": said.figure.ended_on.isoformat()}]
    if said.figure.base:
        parts.append(_("%(part)s of %(base)s") % {"part": said.figure.part, "base": said.figure.base})
    if said.line_then:
        parts.append(_("the line of that day: %(line)s") % {"line": said.line_then})
    if said.is_stale:
        parts.append(ngettext("%(count)d day old: look again", "%(count)d days old: look again", said.age) % {"count": said.age})
    if said.apart is not None:
        apart = value_text(abs(said.apart).quantize(Decimal("0.01")), "" if one.unit == "percent" else one.unit)
        apart = _("%(apart)s points") % {"apart": apart} if one.unit == "percent" else apart
        parts.append(
            (_("%(apart)s above what is counted here") if said.apart > 0 else _("%(apart)s below what is counted here"))
            % {"apart": apart}
        )
    return " · ".join(parts)


def _line(one: queries.Metric) -> str:
    return line_words(one.comparison, value_text(one.line, one.unit)) if one.line is not None else ""


def _interval(one: queries.Metric) -> str:
    if one.missing:
        return one.missing
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
    if one.text_from is not None:
        return _("since %(day)s") % {"day": fmt.date_text(one.text_from)}
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
    known = [one for one in found.metrics if one.rule]
    lines = [one for one in known if not one.missing or one.platform]
    figures = [one for one in found.metrics if not one.rule]
    store = scope.whole.store(found.store_id)
    panels: list[Panel] = []
    if (first := found.next_break) is not None:
        panels.append(
            NotePanel(
                _("%(metric)s: %(when)s.") % {"metric": first.words, "when": _breaks(first, scope, found.store_id)},
                title=_("What breaks next"), tone="warning" if first.acts else "info",
                actions=[LinkButton(_("The orders to ship"), places.place("clocks", state="running", thing="order", store=found.store_id), icon="clock")],
            )
        )  # fmt: skip
    if waiting := [one for one in known if one.verdict in CONFIRMABLE and one.text_until is None]:
        panels.append(_confirm(found.store_id, waiting, scope))
    elif not any(one.acts for one in lines):
        panels.append(
            NotePanel(
                _("No line that may act holds for this store: own sites have no platform, and rules of undated or weak sources inform until the owner confirms them.")
                if lines
                else _("The rule book has no lines for the channel “%(channel)s”.") % {"channel": channel_word(store.channel)},
                actions=[LinkButton(_("Rule book"), places.place("rules"), icon="book-2")] if places.place("rules") else [],
            )
        )
    panels.append(
        TablePanel(
            _("Lines of the channel"),
            [
                Column("words", _("Figure"), wrap=True, hint=_hint, url=lambda one: places.place("rule", one.rule)),
                Column("standing", _("How it stands"), "badges", value=_standing),
                Column("value", _("Counted here"), wrap=True, value=_counted, hint=_interval),
                Column("platform", _("The platform says"), wrap=True, value=_said, hint=_said_hint),
                Column("line", _("Breaks at"), value=_line, hint=_left),
                Column("share_of_line", _("Of the way"), value=_way_text),
                Column("next", _("Breaks next"), wrap=True, value=lambda one: _breaks(one, scope, found.store_id)),
            ],
            lines,
            empty=_("The rule book has no lines for this channel."),
        )
    )  # fmt: skip
    panels += [_left_out(one) for one in found.left_out]
    panels.append(_chart(found, scope, lines))
    if unseen := [one for one in known if one.missing and not one.platform]:
        panels.append(
            TablePanel(
                _("Lines that only the platform shows"),
                [
                    Column("words", _("Figure"), wrap=True, hint="consequence", url=lambda one: places.place("rule", one.rule)),
                    Column("line", _("Breaks at"), value=_line),
                    Column("missing", _("Why"), wrap=True),
                    Column("enter", "", value=lambda one: _("Enter it"), url=lambda one: _enter(found.store_id, one.metric)),
                ],
                unseen,
                note=_("Look them up on the platform and enter them: they are then watched as the others are."),
            )
        )  # fmt: skip
    panels += [
        _shares(_("Which suppliers the late orders come from"), _("Supplier"), found.suppliers),
        _shares(_("Which listings the late orders are about"), _("SKU"), found.listings),
        TablePanel(
            _("Figures without a line"),
            [
                Column("words", _("Figure"), wrap=True, hint=lambda one: one.about or one.note),
                Column("value", _("Counted here"), wrap=True, value=_counted, hint=lambda one: one.missing),
                Column("platform", _("The platform says"), wrap=True, value=_said, hint=_said_hint),
                Column("base", _("Counted over"), "quantity", value=lambda one: None if one.missing else one.base),
                Column("window", _("Window"), value=_window),
            ],
            figures,
            note=_("They go into platforms' scores or are asked for elsewhere; how much they count is not published."),
        ),
        _behind(lines, numbers_of(order for one in lines if one.level >= 70 for order in one.orders[:10])),
    ]  # fmt: skip
    return panels


CONFIRMABLE = ("undated", "stale", "default")
"""Verdicts that the owner's word lifts; weak and contradicted sources need a source that was read."""


def _confirm(store_id: int, waiting: list[queries.Metric], scope: Scope) -> NotePanel:
    """One click a line: the owner read that it still stands, and from then on it acts in this store."""
    url = reverse("web:store_health_confirm", args=[store_id])
    why = scope.why_not("own", store_id)
    ask = _("Have you read that it still stands like this? Your name and the day are kept; it then acts in this store.")
    buttons = [
        ActionButton(_named(one), url, icon="check", fields={"rules": one.rule}, confirm=_asked(one, ask), reason=why)
        for one in waiting
    ]
    if len(waiting) > 1:
        every = ",".join(one.rule for one in waiting)
        buttons.append(ActionButton(_("All of them"), url, icon="check", style="primary", fields={"rules": every}, confirm=ask, reason=why))
    return NotePanel(
        _("Their sources bear no date or are old: they are shown, and warn of nothing until you confirm that they still read like this."),
        title=_("Lines that wait for your word"), actions=buttons,
    )  # fmt: skip


def _named(one: queries.Metric) -> str:
    """A line where there is no room for its rule: the figure, where it breaks and over which days; two lines of one
    figure differ in these."""
    parts = [part for part in (_line(one), _window(one)) if part]
    return _("%(figure)s (%(line)s)") % {"figure": one.words, "line": " · ".join(parts)} if parts else one.words


def _asked(one: queries.Metric, ask: str) -> str:
    return _("%(metric)s: %(line)s. %(question)s") % {"metric": one.words, "line": _line(one), "question": ask}


def _left_out(one: Any) -> NotePanel:
    words = ngettext(
        "%(count)d order from %(first)s to %(last)s is left out of %(what)s: %(why)s.",
        "%(count)d orders from %(first)s to %(last)s are left out of %(what)s: %(why)s.",
        one.orders,
    )
    given = {"count": one.orders, "first": one.first, "last": one.last, "what": _(dict(announced.LEAVES_OUT)[one.leaves_out]), "why": one.title or one.source}
    return NotePanel(words % given, actions=[LinkButton(_("Announcements"), reverse("web:announcements"), icon="calendar-due")])


def _counted(one: queries.Metric) -> str:
    return "" if one.missing else value_text(one.value, one.unit)


def _way(one: queries.Metric) -> Decimal | None:
    if not one.missing:
        return one.share_of_line
    return one.platform.said.share if one.platform and one.platform.said else None


def _way_text(one: queries.Metric) -> str:
    """How far it is on the way to the line; once it is far over it, how many times as much."""
    way = _way(one)
    if way is None:
        return ""
    return f"{way * 100:.0f} %" if way < 2 else f"{way:.0f} ×"


def _enter(store_id: int, metric: str) -> str:
    return reverse("web:store_figure_add_of", args=[store_id, metric])


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
        note=_("An order of several counts for each of them.") if rows else "",
    )


def _behind(lines: list[queries.Metric], numbers: dict[int, str]) -> TablePanel:
    rows = [(one, order) for one in lines if one.level >= 70 for order in one.orders[:10]]
    titles = rule_titles(one.rule for one, _order in rows)
    return TablePanel(
        _("Orders behind it"),
        [
            Column("order", _("Order"), "code", value=lambda row: numbers.get(row[1], f"#{row[1]}"), url=lambda row: places.order(row[1])),
            Column("metric", _("Figure"), value=lambda row: row[0].words, hint=lambda row: rule_link(row[0].rule, titles)),
        ],
        rows[:40],
        empty=_("No line is near."),
    )


def _chart(found: queries.Health, scope: Scope, lines: list[queries.Metric]) -> ChartPanel:
    since = scope.at.astimezone(scope.zone(found.store_id)).date() - timedelta(days=CHART_DAYS)
    shown = [one for one in lines if one.unit == "percent" and (one.value is not None or one.platform)]
    shown = list({(one.metric, one.rule): one for one in reversed(shown)}.values())[::-1][:CHART_LINES]  # a line's texts are one curve
    trends: list[tuple[str, dict[Any, Any]]] = []
    for one in shown:
        name = _named(one)
        if not one.missing:
            trends.append((name, dict(queries.trend(found.store_id, one.rule, since=since))))
        if one.platform:
            days = one.platform.figure.window_days
            said = figure_queries.said_trend(found.store_id, one.metric, days, since=since)
            trends.append((_("%(name)s, the platform says") % {"name": name}, dict(said)))
    days = sorted({day for _name, trend in trends for day in trend})
    return ChartPanel(
        _("The last 60 days"),
        [f"{day.month}-{day.day:02d}" for day in days],
        [Series(name, [_fraction(trend.get(day)) for day in days], kind="line") for name, trend in trends],
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
    pretitle=lambda found, scope: channel_word(found.channel),
    back=(gettext_lazy("Store health"), lambda: reverse("web:store_health")),
    actions=lambda found, scope: [
        LinkButton(_("Enter what the platform shows"), reverse("web:store_figure_add", args=[found.store_id]), icon="pencil",
                   reason=scope.why_not("operate", found.store_id)),
        LinkButton(_("History"), reverse("web:store_figures", args=[found.store_id]), icon="history"),
        ActionButton(_("Count again"), reverse("web:store_health_count", args=[found.store_id]), icon="refresh",
                     reason=scope.why_not("operate", found.store_id)),
    ],
    facts=lambda found, scope: [
        Fact(_("Channel"), channel_word(found.channel)),
        Fact(_("Counted at"), found.at, "datetime", store_id=found.store_id),
        Fact(_("Lines crossed"), sum(one.worst == 100 and one.acts for one in found.metrics), "quantity"),
        Fact(_("Lines near"), sum(one.worst in (70, 85) and one.acts for one in found.metrics), "quantity"),
    ],
    panels=_panels,
)  # fmt: skip


@page("own", methods=("POST",))
def confirm(request: HttpRequest, scope: Scope, pk: int) -> Any:
    """The owner's word that lines still stand, for this store; they act at once."""
    store = scope.require(pk, "own")
    today = scope.at.astimezone(scope.zone(store.id)).date()
    words = [
        NewOverride(rule, _("Compared with the platform; confirmed on the page of store health."), today, store_id=pk)
        for rule in request.POST.get("rules", "").split(",") if rule
    ]  # fmt: skip
    done, _routed = put_right.override_rules(words[:50], by=scope.by, at=scope.at)
    keep_clocks(at=scope.at, by=scope.by, stores=[pk])
    keep_metrics(at=scope.at, stores=[pk])
    told = ngettext("%(count)d line acts from now on.", "%(count)d lines act from now on.", len(done.ids)) % {"count": len(done.ids)}
    return after(
        request, reverse("web:store_health_of", args=[pk]), told if done.ids else None, refused=list(done.refused.values())
    )


@page("view", methods=("POST",))
def count_again(request: HttpRequest, scope: Scope, pk: int) -> Any:
    scope.require(pk, "operate")
    keep_clocks(at=scope.at, by=scope.by, stores=[pk])
    keep_metrics(at=scope.at, stores=[pk])
    return after(request, reverse("web:store_health_of", args=[pk]), _("Counted."))


urlpatterns = [
    path("store-health/", HEALTH.view, name="store_health"),
    path("store-health/<int:pk>/", STORE_HEALTH.view, name="store_health_of"),
    path("store-health/<int:pk>/confirm/", confirm, name="store_health_confirm"),
    path("store-health/<int:pk>/count/", count_again, name="store_health_count"),
]

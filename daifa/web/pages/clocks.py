"""Clocks: what runs out when and what it costs; what is wrong with parcels; how a store ships."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as N_

from daifa.domain.compliance import commands, queries, rules
from daifa.domain.compliance.announced_queries import announcement_page
from daifa.domain.compliance.models import STATES
from daifa.domain.orders.commands import find_variants
from daifa.domain.policy.telling import listed
from daifa.flows.keep_clocks import keep_clocks
from daifa.lib.money import Money
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    ActionButton,
    Badge,
    Choice,
    Column,
    Cursor,
    EmptyPanel,
    FormPage,
    Kpi,
    KpiPanel,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    Scope,
    Sort,
    TablePanel,
    Toggle,
    after,
    page,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places
from daifa.web.pages.orders import clock_rule, stores_in_view
from daifa.web.pages.rule_links import rule_code, rule_titles

THINGS = [("order", gettext_lazy("order")), ("parcel", gettext_lazy("parcel")), ("case", gettext_lazy("case"))]
_PAGE_OF = {"order": "order", "parcel": "parcel", "case": "aftersale_case"}


def kind_word(kind: str) -> str:
    return _(rules.KINDS[kind].words) if kind in rules.KINDS else kind


def of_store(scope: Scope, filters: dict[str, Any]) -> list[int]:
    """The stores in view, or the one that is asked for among them."""
    wanted = int(filters["store"]) if "store" in filters else None
    return [store for store in scope.store_ids if wanted in (None, store)]


class Shown(queries.ClockRow):
    """A clock with what its money is made of (percent, floor and cap), and its rule by name."""

    terms: str = ""
    titles: Mapping[str, str] = {}


def clock_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[Shown]:
    rows = [Shown(*row) for row in _clock_rows(scope, filters, cursor, limit)]
    terms: dict[tuple[int, str, str], set[str]] = {}
    for store in {row.store_id for row in rows if row.stake}:
        for line in commands.lines_since(scope.whole.store(store), at=scope.at, as_set=True):
            terms.setdefault((store, line.rule, line.kind), set()).add(_cost(line))
    titles = rule_titles(row.rule for row in rows)
    for row in rows:
        row.titles = titles
        whole = row.stake and "limits_in_other_currency" not in row.why
        said = terms.get((row.store_id, row.rule, row.kind), set()) if whole else set()
        row.terms = next(iter(said)) if len(said) == 1 else ""  # several ways of dispatch or texts: "How it ships" and the rule tell them apart
    return rows


def _clock_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[queries.ClockRow]:
    return queries.open_clocks(
        of_store(scope, filters), state=filters.get("state"), kind=filters.get("kind"), thing_kind=filters.get("thing"),
        acts=False if filters.get("informs") else None, q=filters.get("q"), cursor=cursor, limit=limit,
        moved=int(filters["moved"]) if "moved" in filters else None,
    )  # fmt: skip


def _panels(scope: Scope, filters: dict[str, Any]) -> list[Panel]:
    stores = of_store(scope, filters)
    now = queries.totals(stores, at=scope.at)
    money = " · ".join(fmt.money_text(amount, currency) for currency, amount in sorted(now.stakes.items()))
    faults = queries.findings_by_kind(stores)
    panels: list[Panel] = [
        KpiPanel([
            Kpi(_("Run out"), fmt.quantity_text(now.overdue), icon="clock", tone="red" if now.overdue else ""),
            Kpi(_("Within a day"), fmt.quantity_text(now.soon), icon="hourglass"),
            Kpi(_("At stake"), money or "–", icon="cash", hint=_("of what has run out or will within a day")),
            Kpi(_("Parcels to look at"), fmt.quantity_text(sum(row[3] for row in faults)), icon="alert-triangle",
                url=places.place("parcel_findings"), hint=_("no scan, another's number, scans that cannot be true, elsewhere")),
        ])
    ]  # fmt: skip
    for store in (one for one in scope.stores if one.id in stores):
        if queries.dispatch_mode(store.id) is None and store.kind == "marketplace":
            panels.append(
                NotePanel(
                    _("Nobody has said how %(store)s ships: the strictest time that can apply is shown.") % {"store": store.name},
                    tone="warning",
                    actions=[LinkButton(_("Say it"), reverse("web:clocks_dispatch", args=[store.id]), icon="pencil",
                                        reason=scope.why_not("own", store.id))],
                )
            )  # fmt: skip
        if store.kind in commands.LAW_ONLY and len(stores) == 1:
            panels.append(
                NotePanel(
                    _("No platform's rules hold for %(store)s: its own promise and the law of its buyers' countries are shown.")
                    % {"store": store.name}
                )
            )
    return panels


def _announcements(scope: Scope) -> list[tuple[str, str]]:
    return [(str(row.pk), row.title) for row in announcement_page(scope.all_store_ids) if not row.withdrawn_at]


def _stake(row: queries.ClockRow) -> Money | None:
    return None if row.stake is None else Money(row.stake, row.currency)


CLOCKS = ListPage(
    title=gettext_lazy("Clocks"),
    intro=gettext_lazy("Deadlines of the channels' rules, of the law and of your own promises, with what missing them costs."),
    search=gettext_lazy("Order number"),
    sorts=[
        Sort("due", gettext_lazy("Soonest first"), queries.SOONEST),
        Sort("stake", gettext_lazy("Most money first"), queries.DEAREST),
    ],
    rows=clock_rows,
    export="clocks",
    panels=_panels,
    columns=[
        Column("kind", gettext_lazy("Clock"), value=lambda row: kind_word(row.kind), link=True,
               hint=lambda row: " ".join(row.sentences())),
        Column("thing_number", gettext_lazy("Runs on"), "code", url=lambda row: places.of_thing(_PAGE_OF[row.thing_kind], row.thing),
               hint=lambda row: "" if row.thing_kind == "order" else _("order %(number)s") % {"number": row.order_number}),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("due_at", gettext_lazy("Due"), "due"),
        Column("stake", gettext_lazy("At stake"), "money", value=_stake, hint=lambda row: row.terms),
        Column("rule", gettext_lazy("Rule"), phone=False, wrap=True, value=lambda row: clock_rule(row.rule, row.titles),
               hint=lambda row: "" if row.rule == rules.OWN_PROMISE else rule_code(row.rule, row.titles),
               url=lambda row: None if row.rule == rules.OWN_PROMISE else places.place("rule", row.rule)),
        Column("acts", "", "badges", export=False,
               value=lambda row: [] if row.acts else [Badge(_("to be checked"), "muted", _("The rule only informs."))]),
    ],
    filters=[
        Choice("state", gettext_lazy("State"), STATES, tabs=True),
        Choice("kind", gettext_lazy("Clock"), lambda scope: [(kind, _(one.words)) for kind, one in rules.KINDS.items()]),
        Choice("thing", gettext_lazy("Runs on"), THINGS),
        Choice("store", gettext_lazy("Store"), stores_in_view),
        Choice("moved", gettext_lazy("Moved by"), _announcements),
        Toggle("informs", gettext_lazy("Only rules to be checked")),
    ],
    actions=lambda scope: [
        ActionButton(_("Reckon again"), reverse("web:clocks_reckon"), icon="refresh", reason=scope.why_not("operate")),
        LinkButton(_("Announcements"), reverse("web:announcements"), icon="calendar-due"),
        *([LinkButton(_("How it ships"), reverse("web:clocks_dispatch", args=[scope.current.id]), icon="truck-delivery")]
          if scope.current else []),
    ],
    row_url=lambda row: places.order(row.order_id),
    empty=EmptyPanel(
        gettext_lazy("Nothing runs"),
        gettext_lazy("Clocks start with an order and are reckoned every few minutes."),
        icon="clock",
    ),
)  # fmt: skip


@page("operate", methods=("POST",))
def reckon(request, scope):
    done = keep_clocks(at=scope.at, by=scope.by, stores=scope.store_ids)
    return after(
        request, reverse("web:clocks"),
        _("%(clocks)s clocks run; %(changed)s have changed.") % {"clocks": done["clocks"], "changed": done["changed"]},
    )  # fmt: skip


# --- What is wrong with parcels -----------------------------------------------------------------------------------------

_KINDS = {
    "parcel_without_scan": gettext_lazy("never scanned"), "number_reused": gettext_lazy("another parcel's number"),
    "pickup_before_payment": gettext_lazy("scanned before payment"), "other_destination": gettext_lazy("delivered elsewhere"),
    "delivered_before_pickup": gettext_lazy("delivered before pickup"), "moved_after_delivery": gettext_lazy("moving after delivery"),
    "two_carriers": gettext_lazy("two carriers"), "two_places_at_once": gettext_lazy("two places at once"),
}  # fmt: skip


def _finding(row: Any) -> tuple[str, str]:
    return queries.finding_words(row.kind, row.params, zone=row.store.timezone)


FINDINGS = ListPage(
    title=gettext_lazy("Parcels to look at"),
    intro=gettext_lazy("What channels count as false or missing tracking. It goes by itself once it is put right."),
    order=("-id",),
    rows=lambda scope, filters, cursor, limit: queries.finding_page(
        of_store(scope, filters), kind=filters.get("kind"), cursor=cursor, limit=limit
    ),
    export="parcel-findings",
    columns=[
        Column("parcel__number", gettext_lazy("Parcel"), "code", link=True),
        Column("kind", gettext_lazy("What is wrong"), wrap=True, value=lambda row: _finding(row)[0],
               hint=lambda row: _finding(row)[1]),
        Column("order__number", gettext_lazy("Order"), "code", url=lambda row: places.order(row.order_id)),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("found_at", gettext_lazy("Found"), "ago", phone=False),
        Column("stake", gettext_lazy("At stake"), "money", currency="currency"),
    ],
    filters=[
        Choice("kind", gettext_lazy("What is wrong"), list(_KINDS.items()), tabs=True),
        Choice("store", gettext_lazy("Store"), stores_in_view),
    ],
    row_url=lambda row: places.of_thing("parcel", row.parcel_id),
    empty=EmptyPanel(gettext_lazy("Nothing found"), gettext_lazy("Every number has been scanned, once, and after its payment."), icon="check"),
)  # fmt: skip


# --- How a store ships --------------------------------------------------------------------------------------------------


class DispatchForm(forms.Form):
    mode = forms.ChoiceField(label=gettext_lazy("Way of dispatch"), choices=lambda: [(m, _(word)) for m, word in rules.MODES])
    hours = forms.IntegerField(
        label=gettext_lazy("Hours promised to buyers"), required=False, min_value=1,
        help_text=gettext_lazy("Where you promise less than the rule allows; needed for goods made or bought to order."),
    )  # fmt: skip
    ships_on = forms.DateField(
        label=gettext_lazy("On presale: ships by"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("The day the listing promises. Orders paid near to it or after it go by the plain time."),
    )  # fmt: skip
    origin = forms.CharField(
        label=gettext_lazy("Province the parcels leave from"), required=False, max_length=60,
        help_text=gettext_lazy("For times between scans inside China, for example 浙江. Empty: the shortest time is taken."),
    )  # fmt: skip
    skus = forms.CharField(
        label=gettext_lazy("Only for these SKUs"), required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("One a line. Empty: for everything the store sells."),
    )  # fmt: skip


def _save(scope: Scope, store: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    variants: list[int] = []
    if skus := [line.strip() for line in data["skus"].splitlines() if line.strip()]:
        known = find_variants(store.pk, skus)
        if missing := [sku for sku in skus if known.get(sku, (None, None))[1] is None]:
            raise Refused(
                _("No article is known under %(skus)s.") % {"skus": listed(missing[:5])}, code="sku_unknown", field="skus"
            )
        variants = [known[sku][1] for sku in skus]  # type: ignore[misc]
    commands.set_dispatch_mode(
        store_id=store.pk, mode=data["mode"], hours=data["hours"], origin=data["origin"], variants=variants,
        ships_on=data["ships_on"], by=by, at=at,
    )  # fmt: skip
    keep_clocks(at=at, by=by, stores=[store.pk])
    return reverse("web:clocks_dispatch", args=[store.pk])


def _initial(scope: Scope, store: Any) -> dict[str, Any]:
    now = queries.dispatch_mode(store.pk)
    return {"mode": now.mode, "hours": None if now.ships_on else now.hours, "origin": now.origin, "ships_on": now.ships_on} if now else {"mode": "unknown"}


def _dispatch_panels(scope: Scope, store: Any) -> list[Panel]:
    lines = commands.store_lines(store, at=scope.at)
    several = len({line.mode for line in lines}) > 1
    panels: list[Panel] = [
        TablePanel(
            _("What runs in this store"),
            [
                Column("kind", _("Clock"), wrap=True, value=lambda line: kind_word(line.kind), hint=lambda line: _hint(line, several),
                       url=lambda line: None if line.rule == rules.OWN_PROMISE else places.place("rule", line.rule)),
                Column("time", _("Time"), value=_time),
                Column("cost", _("Compensation"), wrap=True, value=_cost),
            ],
            lines,
        ),
        TablePanel(
            _("Shipped in another way"),
            [
                Column("variant__sku", _("SKU"), "code"),
                Column("mode", _("Way of dispatch"), value=lambda row: _mode(rules.mode_key(row.mode, row.hours, row.ships_on))),
            ],
            queries.dispatch_exceptions(store.pk),
            empty=_("No exceptions."),
        ),
    ]  # fmt: skip
    if left := queries.deadlines_not_kept(store.channel, on=commands.local_day(store, scope.at)):
        panels.append(
            TablePanel(
                _("Deadlines without a clock here"),
                [
                    Column("note", _("What it is"), wrap=True, value=lambda row: str(row[0].note),
                           url=lambda row: places.place("rule", row[0].id)),
                    Column("why", _("Why"), wrap=True, value=lambda row: row[1]),
                ],
                left,
            )
        )  # fmt: skip
    return panels


def _mode(key: str) -> str:
    mode, _sign, hours = key.replace("<", ":").partition(":")
    word = _(dict(rules.MODES)[mode])
    if "@" in hours:
        return f"{word} ({hours.partition('@')[2]})"
    return f"{word} ({hours} h)" if hours else word


def _hint(line: rules.ClockLine, several: bool) -> str:
    parts = [_mode(line.mode)] if several else []
    parts += [_("to be checked")] if not line.acts else []
    parts += [_(_ZONES[line.zone])] if line.zone else []
    parts += [_(rules.WHYS[one]) for one in line.why.split(",") if one in rules.WHYS]
    return " · ".join(parts)


_ZONES = {"near": N_("same province or region"), "far": N_("between regions"), "remote": N_("remote provinces")}


def _time(line: rules.ClockLine) -> str:
    if line.until is not None:
        return _("until %(day)s") % {"day": line.until.isoformat()}
    if line.by_end_of_day:
        return _("the same day")
    if line.days is not None:
        return _("%(days)s working days") % {"days": line.days}
    if line.seconds is None:
        return _("as promised")
    hours = line.seconds // 3600
    return _("%(days)s days") % {"days": hours // 24} if hours >= 24 * 7 else _("%(hours)s hours") % {"hours": hours}


def _cost(line: rules.ClockLine) -> str:
    if line.penalty is None:
        return ""
    one = line.penalty
    parts = [f"{one.percent.normalize():f} %"]
    if one.floor is not None:
        parts.append(_("at least %(amount)s") % {"amount": fmt.money_text(one.floor, one.currency)})
    if one.cap is not None:
        parts.append(_("at most %(amount)s") % {"amount": fmt.money_text(one.cap, one.currency)})
    return listed(parts, comma="，")


DISPATCH = FormPage(
    title=lambda store, scope: _("How %(store)s ships") % {"store": store.name},
    form=DispatchForm,
    load=lambda scope, pk: scope.whole.store(pk),
    store_id="pk",
    initial=_initial,
    save=_save,
    success=gettext_lazy("Saved; the clocks are reckoned anew."),
    needs="own",
    intro=gettext_lazy("It decides which of the channel's times hold. While nobody has said it, the strictest that can apply is taken."),
    back=(gettext_lazy("Clocks"), lambda: reverse("web:clocks")),
    panels=_dispatch_panels,
)

urlpatterns = [
    path("clocks/", CLOCKS.view, name="clocks"),
    path("clocks/reckon/", reckon, name="clocks_reckon"),
    path("clocks/parcels/", FINDINGS.view, name="parcel_findings"),
    path("clocks/dispatch/<int:pk>/", DISPATCH.view, name="clocks_dispatch"),
]

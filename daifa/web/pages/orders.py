"""Orders: the list people work with, and one order with everything that hangs on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.aftersales.models import AftersaleCase
from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.domain.aftersales.queries import case_page
from daifa.domain.books.queries import entries_of_orders, profit_of_orders
from daifa.domain.compliance.queries import finding_words, findings_of_order, open_clocks
from daifa.domain.compliance.rules import KINDS, OWN_PROMISE, source_words
from daifa.domain.messages.process import MESSAGE
from daifa.domain.orders import queries
from daifa.domain.orders.models import OrderLine
from daifa.domain.purchasing.process import PURCHASE_ORDER
from daifa.domain.shipping.process import PARCEL
from daifa.domain.sourcing.queries import standing_between
from daifa.flows import by_hand
from daifa.flows.reads import orders as reads
from daifa.flows.reads.timeline import timeline
from daifa.flows.release_holds import hold_orders, release_holds
from daifa.lib.commas import listed
from daifa.lib.money import Money
from daifa.web.kit import (
    ActionButton,
    Badge,
    BulkAction,
    Choice,
    Column,
    Cursor,
    DateRange,
    DetailPage,
    EmptyPanel,
    Event,
    Fact,
    FactsPanel,
    FormPage,
    HtmlPanel,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    Scope,
    TablePanel,
    after,
    chosen_ids,
    page,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import cases_evidence as evidence
from daifa.web.pages import places, private, words
from daifa.web.pages.rule_links import RuleName, rule_code, rule_name, rule_title, rule_titles

ENDED = ("delivered", "closed", "cancelled")
SHOWN = 8  # of the messages, and of entries a few more; the rest is one click away


def orders_url() -> str:
    return reverse("web:orders")


def order_url(row: Any) -> str:
    return reverse("web:order", args=[row.id])


# --- The list -----------------------------------------------------------------------------------------------------


def day_begins(scope: Scope, day: Any) -> datetime:
    return datetime.combine(day, time(), scope.zone())


def order_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[queries.OrderRow]:
    rows = reads.order_list(
        scope.store_ids,
        q=filters.get("q"),
        status=filters.get("status"),
        hold=filters.get("hold"),
        store_id=int(filters["store"]) if "store" in filters else None,
        since=day_begins(scope, filters["placed_from"]) if "placed_from" in filters else None,
        until=day_begins(scope, filters["placed_to"] + timedelta(days=1)) if "placed_to" in filters else None,
        cursor=cursor,
        limit=limit,
    )
    readable = {store: private.may_read(scope, store) for store in scope.store_ids}
    return [row if readable[row.store_id] else row._replace(name=private.masked(row.name)) for row in rows]


def stores_in_view(scope: Scope) -> list[tuple[str, str]]:
    """The stores a list shows, to choose one of them."""
    return [(str(store.id), store.name) for store in scope.stores if store.id in scope.store_ids]


def _statuses(_scope: Scope) -> list[tuple[str, str]]:
    return [("open", _("open")), *states.choices("order")]


ORDERS = ListPage(
    title=gettext_lazy("Orders"),
    search=gettext_lazy("Order, waybill or purchase number, SKU, buyer"),
    order=queries.NEWEST,
    rows=order_rows,
    export="orders",
    columns=[
        Column("number", gettext_lazy("Order"), "code", link=True, hint="name"),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("status", gettext_lazy("State"), "state", states="order"),
        Column("holds", gettext_lazy("Held for"), "badges", wrap=True,
               value=lambda row: [Badge(words.hold_short(reason), "warning", words.hold(reason))
                              for reason in row.holds]),
        Column("placed_at", gettext_lazy("Placed"), "datetime"),
        Column("ship_by_at", gettext_lazy("Ship by"), "due",
               value=lambda row: row.ship_by_at
               if row.units > row.cancelled + row.shipped and row.status not in ENDED else None),
        Column("shipped", gettext_lazy("Shipped"), "progress", phone=False,
               value=lambda row: (row.shipped, row.units - row.cancelled) if row.units > row.cancelled else None),
        Column("country", gettext_lazy("Country"), "code", phone=False),
        Column("total_amount", gettext_lazy("Total"), "money", currency="currency"),
    ],
    filters=[
        Choice("status", gettext_lazy("State"), _statuses, tabs=True),
        Choice("hold", gettext_lazy("Held for"), words.hold_choices, all_label=gettext_lazy("Held for: anything")),
        Choice("store", gettext_lazy("Store"), stores_in_view),
        DateRange("placed", gettext_lazy("Placed")),
    ],
    bulk=[
        BulkAction(gettext_lazy("Release"), lambda: reverse("web:orders_release"), icon="player-play"),
        BulkAction(gettext_lazy("Hold"), lambda: reverse("web:orders_hold"), icon="player-pause",
                   ask=gettext_lazy("Why are they held?")),
        BulkAction(gettext_lazy("Look for suppliers again"), lambda: reverse("web:orders_route"), icon="route"),
    ],
    row_url=order_url,
    empty=lambda scope: EmptyPanel(
        _("No orders yet"), _("Orders appear here as soon as a file of your store is imported."), icon="shopping-cart",
        actions=[LinkButton(_("Import orders"), url, icon="file-import", style="primary")]
        if (url := places.place("imports")) and scope.may("operate") else [],
    ),
)  # fmt: skip


# --- One order: what stands on it ---------------------------------------------------------------------------------


def _order(whole: reads.WholeOrder) -> dict[str, Any]:
    return whole.detail.order


def _has_open_units(order: dict[str, Any]) -> bool:
    return not order["is_history"] and order["units"] > order["cancelled"] + order["allocated"]


def _open_holds(whole: reads.WholeOrder) -> list[dict[str, Any]]:
    return [hold for hold in whole.detail.holds if hold["released_at"] is None]


def order_badges(whole: reads.WholeOrder, scope: Scope) -> list[Any]:
    order = _order(whole)
    badges: list[Any] = [Badge(states.word("order", order["status"]), states.tone("order", order["status"]))]
    if order["is_history"]:
        badges.append(Badge(_("only kept"), "muted", _("It was finished before daifa saw it.")))
    waits = order["units"] > order["cancelled"] + order["shipped"] and order["status"] not in ENDED
    if waits and order["ship_by_at"] and order["ship_by_at"] < scope.at:
        badges.append(Badge(_("overdue"), "danger"))
    if any(parcel.is_late and parcel.delivered_at is None for parcel in whole.parcels):
        badges.append(Badge(_("parcel late"), "danger"))
    if order["refunded_amount"]:
        badges.append(Badge(_("refunded"), "info"))
    return badges


def order_actions(whole: reads.WholeOrder, scope: Scope) -> list[Any]:
    order = _order(whole)
    pk, short = order["id"], scope.why_not("operate", order["store_id"])
    actions: list[Any] = []
    if order["is_history"]:
        return actions
    if _open_holds(whole):
        actions.append(
            ActionButton(_("Release"), reverse("web:order_release", args=[pk]), icon="player-play", reason=short,
                         style="primary", confirm=_asked_if_paid(hold["reason"] for hold in _open_holds(whole)))
        )  # fmt: skip
    by_person = any(hold["reason"] == "by_hand" and hold["line_id"] is None for hold in _open_holds(whole))
    if order["status"] not in ENDED and not by_person:
        nothing_left = None if _has_open_units(order) else _("Everything of it has been given to suppliers already.")
        actions.append(
            ActionButton(_("Hold"), reverse("web:order_hold", args=[pk]), icon="player-pause",
                         reason=short or nothing_left, ask=_("Why is it held?"))
        )  # fmt: skip
    if _has_open_units(order):
        actions.append(
            ActionButton(_("Look for suppliers again"), reverse("web:order_route", args=[pk]), icon="route", reason=short)
        )  # fmt: skip
    if order["total_amount"] > order["refunded_amount"] or order["units"] > order["cancelled"]:
        actions.append(
            LinkButton(_("Cancel or refund"), reverse("web:order_give_back", args=[pk]), icon="receipt-refund",
                       reason=short)
        )  # fmt: skip
    actions.append(evidence.now_button(scope, store_id=order["store_id"], order=pk))
    return actions


def order_facts(whole: reads.WholeOrder, scope: Scope) -> list[Fact]:
    order, customer = _order(whole), whole.detail.customer
    store, currency = order["store_id"], order["currency"]
    facts = [
        Fact(_("Placed"), order["placed_at"], "datetime", store_id=store),
        Fact(_("Paid"), order["paid_at"], "datetime", store_id=store),
        Fact(_("Ship by"), order["ship_by_at"], "due" if order["status"] not in ENDED else "datetime", store_id=store),
        Fact(_("Total"), Money(order["total_amount"], currency), "money",
             hint=_amounts(order)),
        Fact(_("Came with"), order["source"].replace("import:", _("import ")), url=places.of_import(order["source"])),
        Fact(_("Customer"), customer["ref"] if customer else None, "code"),
    ]  # fmt: skip
    if order["refunded_amount"]:
        facts.insert(4, Fact(_("Refunded"), Money(order["refunded_amount"], currency), "money"))
    if order["note"]:
        facts.append(Fact(_("Buyer's note"), order["note"] if private.may_read(scope, store) else private.DOTS))
    return facts


def _amounts(order: dict[str, Any]) -> str:
    said = {
        name: fmt.money_text(order[f"{name}_amount"], order["currency"])
        for name in ("goods", "shipping", "other")
    }
    if order["other_amount"]:
        return _("goods %(goods)s, shipping %(shipping)s, other %(other)s") % said
    if order["shipping_amount"]:
        return _("goods %(goods)s, shipping %(shipping)s") % said
    return ""


LINE_KINDS = dict(OrderLine.KINDS)


def _line_columns(lines: list[dict[str, Any]], currency: str) -> list[Column]:
    def units(name: str, label: Any) -> Column:
        return Column(name, label, "quantity", value=lambda line: line[name] or None)

    columns = [
        Column("sku", gettext_lazy("SKU"), "code", link=True, wrap=True, hint=lambda line: line["title"]
               or (LINE_KINDS.get(line["kind"], line["kind"]) if line["kind"] != "goods" else "")),
        Column("quantity", gettext_lazy("Ordered"), "quantity"),
        units("cancelled", gettext_lazy("Cancelled")),
        units("allocated", gettext_lazy("Routed")),
        units("purchased", gettext_lazy("Purchased")),
        units("shipped", gettext_lazy("Shipped")),
        units("delivered", gettext_lazy("Delivered")),
        units("refunded", gettext_lazy("Refunded")),
        Column("amount", gettext_lazy("Amount"), "money", value=lambda line: Money(line["amount"], currency),
               hint=lambda line: _("%(price)s each") % {"price": fmt.money_text(line["unit_price"], currency)}
               if line["quantity"] > 1 else ""),
    ]  # fmt: skip
    seldom = ("cancelled", "refunded")
    return [column for column in columns if column.name not in seldom or any(line[column.name] for line in lines)]


def _lines_panel(whole: reads.WholeOrder) -> TablePanel:
    order, lines = _order(whole), whole.detail.lines
    columns = _line_columns(lines, order["currency"])
    sums: dict[str, Any] = {
        "sku": _("Total"), "quantity": fmt.quantity_text(order["units"]),
        "amount": fmt.money(order["total_amount"], order["currency"]),
    }  # fmt: skip
    return TablePanel(
        _("Lines"),
        columns,
        lines,
        row_url=lambda line: places.place("variant", line["variant_id"]) if line["variant_id"] else None,
        empty=_("This order has no lines."),
        footer=[
            [
                sums[c.name] if c.name in sums else fmt.quantity_text(order[c.name]) if order.get(c.name) else ""
                for c in columns
            ]
        ],
    )


def _settle_links(hold: dict[str, Any], order: dict[str, Any], scope: Scope, sku: str) -> list[Any]:
    """Where what a hold names is put right."""
    short = scope.why_not("operate", order["store_id"])
    reason = hold["reason"]
    links: list[Any] = []
    if reason in ("buyer_data_missing", "address_invalid"):
        links.append(
            LinkButton(_("Enter the address"), reverse("web:order_address", args=[order["id"]]), icon="map-pin",
                       reason=short, style="primary")
        )  # fmt: skip
    elif reason in ("mapping_missing", "mapping_broken", "out_of_stock", "supplier_rejected", "part_of_pack"):
        if url := places.place("catalogue", q=sku) if sku else places.place("catalogue"):
            links.append(LinkButton(_("Link the SKU"), url, icon="link"))
    elif reason == "exchange_rate_missing" and (url := places.place("books_rates") or places.place("books")):
        links.append(LinkButton(_("Enter the rate"), url, icon="switch-horizontal"))
    elif reason == "price_above_limit" and (url := places.place("store", order["store_id"])):
        links.append(LinkButton(_("Margin floor"), url, icon="adjustments"))
    links.append(
        ActionButton(_("Release"), reverse("web:hold_release", args=[hold["id"]]), icon="player-play", reason=short,
                     style="" if links else "primary", confirm=_asked_if_paid([reason]))
    )  # fmt: skip
    return links


def _asked_if_paid(reasons: Iterable[str]) -> str | None:
    """What is asked before holds are released, None where nothing needs to be."""
    return _(words.PAID_IF_RELEASED) if "not_paid" in reasons else None


def _between(order: dict[str, Any], variants: list[int], scope: Scope) -> list[dict[str, Any]]:
    """Who has these goods and what is missing before he may ship them, each with the page where it is put right."""
    found = standing_between(order["store_id"], variants, at=scope.at)
    # A closed channel is closed to all of them in the same words: said once.
    once = {one.supplier_id if one.verdict != "platform_restricted" else 0: one for one in found}
    return [
        {"supplier": one.supplier if one.verdict != "platform_restricted" else listed(rule_title(rule) for rule in one.verdict.rules), "sentence": one.verdict.sentence, "missing": [words.term(term) for term in one.verdict.missing],
         "url": words.where_to_agree(one)[0], "button": words.where_to_agree(one)[1]}
        for one in once.values()
    ]  # fmt: skip


def _holds_panel(whole: reads.WholeOrder, scope: Scope) -> HtmlPanel | None:
    order = _order(whole)
    found = sorted(_open_holds(whole), key=lambda hold: (hold["line_id"] is not None, hold["reason"], hold["id"]))
    if not found:
        return None
    skus = {line["id"]: line["sku"] for line in whole.detail.lines}
    groups = []
    for reason, group in groupby(found, key=lambda hold: hold["reason"]):
        holds = list(group)
        many = len(holds) > 1
        named = [skus.get(hold["line_id"], "") for hold in holds if hold["line_id"]]
        buttons = _settle_links(holds[0], order, scope, named[0] if len(named) == 1 else "")
        if many:
            buttons[-1] = ActionButton(
                buttons[-1].label, reverse("web:holds_release"), icon="player-play", reason=buttons[-1].reason,
                style=buttons[-1].style, fields={"ids": ",".join(str(hold["id"]) for hold in holds)},
            )  # fmt: skip
        note = holds[0]["params"].get("note", "") if reason == "by_hand" else ""
        lines = {hold["line_id"] for hold in holds}
        variants = [line["variant_id"] for line in whole.detail.lines if line["id"] in lines and line["variant_id"]]
        between = _between(order, variants, scope) if reason in words.FOR_WANT_OF_TERMS else []
        if between:
            buttons.insert(0, LinkButton(between[0]["button"], between[0]["url"], icon="file-text", style="primary"))
            buttons[-1] = replace(buttons[-1], style="")
        groups.append({
            "between": between,
            "reason": words.hold(reason), "advice": words.hold_advice(reason), "skus": named, "note": note,
            "since": min(hold["opened_at"] for hold in holds), "buttons": buttons,
        })  # fmt: skip
    return HtmlPanel("web/pages/holds.html", {"groups": groups}, _("Why it does not go on"))


def _routing_panel(whole: reads.WholeOrder) -> HtmlPanel | None:
    found = reads.routing_of(_order(whole)["id"])
    if not found:
        return None
    decisions = []
    for at, group in groupby(found, key=lambda line: line.at):
        routed = sorted(group, key=lambda line: line.held is None)  # what is held is what one came to see
        decisions.append({
            "at": at,
            "lines": [
                {
                    "sku": line.sku, "title": line.title,
                    "won": [{"units": one.units, "supplier": one.supplier, "sku": one.supplier_sku,
                             "url": places.place("offer", one.offer_id)} for one in line.won],
                    "held": (words.hold(line.held[0]), line.held[1]) if line.held else None, "late": line.late,
                    "lost": [{"supplier": one.supplier, "sku": one.supplier_sku, "why": words.not_chosen(one.reason)}
                             for one in line.lost],
                }
                for line in routed
            ],
        })  # fmt: skip
    return HtmlPanel(
        "web/pages/routing.html", {"latest": decisions[0], "earlier": decisions[1:]}, _("Who delivers, and why")
    )


def purchase_columns(*, of_order: bool = False) -> list[Column]:
    """Columns of purchase orders, for the list and for the tables on other pages."""
    columns = [
        Column("reference", gettext_lazy("Purchase order"), "code", link=True,
               hint=lambda row: row.their_reference and f"→ {row.their_reference}"),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("order_number", gettext_lazy("Order"), "code", url=lambda row: places.order(row.order_id)),
        Column("supplier_code", gettext_lazy("Supplier"), url=lambda row: places.place("supplier", row.supplier_id)),
        Column("state", gettext_lazy("State"), "state", states=PURCHASE_ORDER),
        Column("answered", gettext_lazy("Accepted"), "badges", value=_answered, wrap=True, export=False),
        Column("shipped", gettext_lazy("Shipped"), "progress",
               value=lambda row: (row.shipped, row.units - row.rejected - row.cancelled)
               if row.units > row.rejected + row.cancelled else None),
        Column("ship_due_at", gettext_lazy("Ship by"), "due",
               value=lambda row: row.ship_due_at
               if row.state == "placed" and row.units > row.shipped + row.rejected + row.cancelled else None),
        Column("cost", gettext_lazy("Cost"), "money", value=lambda row: row.goods_amount + row.freight_amount,
               currency="currency"),
    ]  # fmt: skip
    return [c for c in columns if c.name not in ("order_number", "store_id")] if of_order else columns


def _answered(row: Any) -> list[Badge]:
    left = row.units - row.accepted - row.rejected - row.cancelled - row.backordered
    found = [
        (row.accepted, ngettext("%d accepted", "%d accepted", row.accepted), "success"),
        (row.rejected, ngettext("%d refused", "%d refused", row.rejected), "danger"),
        (row.backordered, ngettext("%d to follow", "%d to follow", row.backordered), "warning"),
        (row.cancelled, ngettext("%d cancelled", "%d cancelled", row.cancelled), "muted"),
        (left, ngettext("%d not answered", "%d not answered", left), "neutral"),
    ]
    return [Badge(text % n, tone) for n, text, tone in found if n > 0]


def parcel_columns(*, of_order: bool = False) -> list[Column]:
    """Columns of parcels, for the list and for the tables on other pages."""
    columns = [
        Column("number", gettext_lazy("Waybill number"), "code", link=True, hint="carrier"),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("order_number", gettext_lazy("Order"), "code", url=lambda row: places.order(row.order_id)),
        Column("supplier_code", gettext_lazy("Supplier"), url=lambda row: places.place("supplier", row.supplier_id)),
        Column("state", gettext_lazy("State"), "state", states=PARCEL),
        Column("marks", gettext_lazy("Marks"), "badges", value=parcel_marks, wrap=True),
        Column("units", gettext_lazy("Units"), "quantity", phone=False),
        Column("handed_over_at", gettext_lazy("Handed over"), "datetime"),
        Column("last_event_at", gettext_lazy("Last scan"), "ago", phone=False),
        Column("delivered_at", gettext_lazy("Delivered"), "datetime"),
    ]  # fmt: skip
    return [c for c in columns if c.name not in ("order_number", "store_id")] if of_order else columns


def parcel_marks(row: Any) -> list[Badge]:
    marks = []
    if row.is_late:
        marks.append(Badge(_("late"), "danger" if row.delivered_at is None else "muted"))
    if row.is_shared_number:
        marks.append(Badge(_("number shared"), "warning", _("Another order has the same waybill number.")))
    return marks


def message_columns() -> list[Column]:
    return [
        Column("kind", gettext_lazy("Message"), value=lambda row: words.message_kind(row["kind"]), link=True),
        Column("state", gettext_lazy("State"), "state", states=MESSAGE,
               hint=lambda row: words.message_reason(row["reason"])),
        Column("at", gettext_lazy("Arose"), "datetime"),
        Column("sent_at", gettext_lazy("Sent"), "datetime"),
    ]  # fmt: skip


def entry_columns() -> list[Column]:
    return [
        Column("at", gettext_lazy("Time"), "datetime"),
        Column("fact", gettext_lazy("Fact"), value=lambda row: row["fact"], url=lambda row: row["url"]),
        Column("account", gettext_lazy("Account")),
        Column("debit", gettext_lazy("Debit"), "money"),
        Column("credit", gettext_lazy("Credit"), "money"),
    ]


def _books_panel(whole: reads.WholeOrder, scope: Scope) -> TablePanel | None:
    order = _order(whole)
    legs = entries_of_orders([order["store_id"]], [order["id"]])
    if not legs:
        return None
    rows, last = [], None
    shown = legs[-2 * SHOWN :]
    while shown and shown[0].entry_id == legs[max(0, len(legs) - len(shown) - 1)].entry_id and len(shown) < len(legs):
        shown = shown[1:]  # whole entries only
    for leg in shown:
        first = leg.entry_id != last
        last = leg.entry_id
        amount = Money(abs(leg.amount), leg.currency)
        rows.append({
            "store_id": leg.store_id, "at": leg.at if first else None, "fact": words.entry(leg.fact) if first else None,
            "url": places.place("books_entry", leg.entry_id) if first else None,
            "account": words.account(leg.name, leg.name_zh),
            "debit": amount if leg.amount > 0 else None, "credit": amount if leg.amount < 0 else None,
        })  # fmt: skip
    return TablePanel(
        _("In the books"), entry_columns(), rows,
        more=_more("books_entries", order, len(legs) if len(shown) < len(legs) else 0),
    )  # fmt: skip


def clock_rule(rule_id: str, titles: Mapping[str, str]) -> RuleName:
    """By what a clock runs: the rule's name, or "your own promise"."""
    word = source_words(rule_id)
    return rule_name(rule_id, titles) if word == rule_id else RuleName(word, word)


def _clocks_panel(order: dict[str, Any], scope: Scope) -> TablePanel | None:
    """What runs out on this order, soonest first; nothing once it has ended."""
    rows = open_clocks([order["store_id"]], order_id=order["id"], limit=20) if order["status"] not in ENDED else []
    if not rows:
        return None
    titles = rule_titles(row.rule for row in rows)
    return TablePanel(
        _("Clocks"),
        [
            Column("kind", gettext_lazy("Clock"), value=lambda row: _(KINDS[row.kind].words) if row.kind in KINDS else row.kind,
                   hint=lambda row: " ".join(row.sentences()), wrap=True),
            Column("due_at", gettext_lazy("Due"), "due"),
            Column("stake", gettext_lazy("At stake"), "money", value=lambda row: None if row.stake is None else Money(row.stake, row.currency)),
            Column("rule", gettext_lazy("Rule"), phone=False, wrap=True, value=lambda row: clock_rule(row.rule, titles),
                   hint=lambda row: "" if row.rule == OWN_PROMISE else rule_code(row.rule, titles),
                   url=lambda row: None if row.rule == OWN_PROMISE else places.place("rule", row.rule)),
        ],
        rows,
        actions=[
            LinkButton(_("The buyer agrees to a later dispatch"), places.place("order_agreed", order["id"]), icon="calendar-due",
                       reason=scope.why_not("operate", order["store_id"]))
        ],
    )  # fmt: skip


def _finding_panels(order: dict[str, Any], scope: Scope) -> list[Panel]:
    """What is wrong with its parcels, each with what to do."""
    told = [finding_words(*one, zone=scope.zone(order["store_id"]).key) for one in findings_of_order(order["id"])]
    return [NotePanel(advice, tone="warning", title=sentence) for sentence, advice in told]


def order_panels(whole: reads.WholeOrder, scope: Scope) -> list[Panel]:
    order = _order(whole)
    panels: list[Panel | None] = []
    if order["is_history"]:
        panels.append(NotePanel(_("This order was finished before daifa saw it: it is kept, and nothing is done with it.")))
    panels += [_holds_panel(whole, scope), _clocks_panel(order, scope), _lines_panel(whole)]
    if not order["is_history"]:
        panels.append(_routing_panel(whole))
        panels.append(
            TablePanel(_("Purchase orders"), purchase_columns(of_order=True), whole.purchases,
                       row_url=lambda row: reverse("web:purchase", args=[row.id]),
                       empty=_("No supplier has been asked yet."))
        )  # fmt: skip
        if whole.parcels:
            panels += _finding_panels(order, scope)
        panels.append(
            TablePanel(_("Parcels"), parcel_columns(of_order=True), whole.parcels,
                       row_url=lambda row: reverse("web:parcel", args=[row.id]),
                       empty=_("No parcel yet: numbers come with the suppliers' replies."))
        )  # fmt: skip
    cases = case_page([order["store_id"]], order_id=order["id"], limit=50)
    if cases or whole.refunds:
        panels.append(_aftersales_panel(whole, cases))
    if not order["is_history"]:
        panels.append(
            TablePanel(_("Messages to the buyer"), message_columns(),
                       [{**message, "store_id": order["store_id"]} for message in whole.messages[-SHOWN:][::-1]],
                       more=_more("messages", order, len(whole.messages)), row_url=lambda row: reverse("web:message", args=[row["id"]]),
                       empty=_("Nothing has been said to the buyer yet."))
        )  # fmt: skip
        panels.append(_books_panel(whole, scope))
    return [one for one in panels if one is not None]


def _more(name: str, order: dict[str, Any], count: int) -> LinkButton | None:
    url = places.place(name, q=order["number"])
    return LinkButton(_("All of them"), url) if url and count > SHOWN else None


def _aftersales_panel(whole: reads.WholeOrder, cases: list[dict[str, Any]]) -> TablePanel:
    rows = [
        {
            "what": dict(AftersaleCase.KINDS)[case["kind"]], "badge": states.word(AFTERSALE_CASE, case["state"]),
            "tone": states.tone(AFTERSALE_CASE, case["state"]), "reason": words.case_reason(case["reason"]),
            "amount": None, "at": case["opened_at"], "url": reverse("web:case", args=[case["id"]]),
        }
        for case in cases
    ] + [
        {
            "what": _("Refund %(number)s") % {"number": refund["external_ref"]},
            "badge": states.word(REFUND, refund["state"]), "tone": states.tone(REFUND, refund["state"]),
            "reason": words.case_reason(refund["reason"]), "amount": Money(refund["amount"], refund["currency"]),
            "at": refund["at"], "url": reverse("web:refund", args=[refund["id"]]),
        }
        for refund in whole.refunds
    ]  # fmt: skip
    return TablePanel(
        _("Aftersales"),
        [
            Column("what", gettext_lazy("What"), link=True),
            Column("state", gettext_lazy("State"), "badge", value=lambda row: Badge(row["badge"], row["tone"])),
            Column("reason", gettext_lazy("Reason")),
            Column("at", gettext_lazy("Date"), "datetime"),
            Column("amount", gettext_lazy("Amount"), "money"),
        ],
        rows,
        row_url=lambda row: row["url"],
    )


def order_aside(whole: reads.WholeOrder, scope: Scope) -> list[Panel]:
    order = _order(whole)
    store = order["store_id"]
    readable = private.may_read(scope, store)
    newest = whole.detail.addresses[0] if whole.detail.addresses else None
    shown = newest if newest is None or readable else private.masked_address(newest)
    actions = []
    if not order["is_history"] and order["status"] not in ENDED:
        reason = scope.why_not("operate", store) or by_hand.why_not_readdress(order["id"]) or None
        actions = [
            LinkButton(_("Change"), reverse("web:order_address", args=[order["id"]]), icon="pencil", reason=reason)
        ]
    earlier = whole.detail.addresses[1:]
    panels: list[Panel] = [
        HtmlPanel(
            "web/pages/address.html",
            {
                "address": shown, "hidden": not readable and newest is not None,
                "earlier": [one if readable else private.masked_address(one) for one in earlier],
            },
            _("Ship to"),
            actions=actions,
        )
    ]  # fmt: skip
    profit = profit_of_orders([store], [order["id"]]).get(order["id"])
    if profit is not None:
        panels.append(_profit_panel(profit))
    return panels


def _profit_panel(profit: Any) -> FactsPanel:
    def money(amount: Decimal) -> Money:
        return Money(amount, profit.currency)

    facts = [
        Fact(_("Sales"), money(profit.sales), "money"),
        Fact(_("Goods"), money(-profit.goods), "signed_money"),
        Fact(_("Freight"), money(-profit.freight), "signed_money"),
        Fact(_("Fees"), money(-profit.fees), "signed_money"),
    ]
    if profit.refunds:
        facts.append(Fact(_("Refunds"), money(-profit.refunds), "signed_money"))
    facts.append(Fact(_("Earned so far"), money(profit.profit), "signed_money"))
    if profit.expected != profit.profit:
        facts.append(
            Fact(_("Once all is handed over"), money(profit.expected), "signed_money")
        )
    return FactsPanel(_("What it earns"), facts)


_ICONS = {
    "order": "shopping-cart", "address": "map-pin", "hold": "player-pause", "fulfilment_order": "route",
    "purchase_order": "clipboard-list", "purchase_run": "file-spreadsheet", "answer": "message-2", "parcel": "box",
    "scan": "truck-delivery", "dispatch_notice": "send", "message": "mail", "aftersale_case": "receipt-refund",
    "refund": "receipt-refund", "parcel_check": "eye", "complaint": "inbox", "violation": "flag",
}  # fmt: skip


# Steps on the way that say nothing once the next one is there: what counts is how it ended.
_PASSING = {
    "message": ("queued", "sending"), "dispatch_notice": ("queued", "sent"), "purchase_run": ("fixed", "sending"),
    "purchase_order": ("draft", "submitting"), "fulfilment_order": ("assigned",),
}  # fmt: skip


def order_events(whole: reads.WholeOrder, scope: Scope) -> list[Event]:
    order = _order(whole)
    events: list[Event] = []
    ended: set[tuple[str, int]] = set()
    alike = 1
    may_read = private.may_read(scope, order["store_id"])
    for one in timeline([order["store_id"]], order["id"]):  # newest first
        if one.state in _PASSING.get(one.subject, ()) and (one.subject, one.thing) in ended:
            continue
        ended.add((one.subject, one.thing))
        event = Event(
            one.at, one.sentence, by=one.by, why=words.message_reason(one.why) if one.subject == "message" else words.why(one.why),
            detail=one.detail if may_read or one.subject != "scan" else "", icon="player-play" if one.subject == "hold" and one.state == "released"
            else _ICONS.get(one.subject, "circle-dot"),
            tone=states.tone("parcel" if one.subject == "scan" else one.subject, one.state) if one.state else "neutral",
            url=places.of_thing(one.subject, one.thing) if one.subject != "order" else None,
        )  # fmt: skip
        last = events[-1] if events else None
        if last and (last.at, last.title, last.why, last.detail) == (event.at, event.title, event.why, event.detail):
            alike += 1  # the same thing said of several parcels at one moment
            events[-1] = replace(last, badge=Badge(f"×{alike}"), url=None)
        else:
            alike = 1
            events.append(event)
    return events


ORDER = DetailPage(
    load=lambda scope, pk: reads.whole_order(scope.all_store_ids, pk),
    store_id="detail__order__store_id",
    title=lambda whole, scope: _("Order %(number)s") % {"number": _order(whole)["number"]},
    back=(gettext_lazy("Orders"), orders_url),
    badges=order_badges,
    actions=order_actions,
    facts=order_facts,
    panels=order_panels,
    aside=order_aside,
    timeline=order_events,
)


# --- Doing --------------------------------------------------------------------------------------------------------


def _may_act(scope: Scope, ids: list[int], stores: dict[int, int]) -> list[int]:
    """Those of the orders that are there for this person; 403 where their role is short. `stores`: id → store."""
    mine = [pk for pk in ids if stores.get(pk) in {store.id for store in scope.whole.stores}]
    if len(ids) == 1 or not mine:
        scope.whole.require(stores.get(ids[0]) if ids else None)
    scope.whole.require_all((stores[pk] for pk in mine), "operate")
    return mine


def _asked(request: HttpRequest, scope: Scope, pk: int | None) -> list[int]:
    ids = [pk] if pk is not None else chosen_ids(request)
    if not ids:
        return []
    return _may_act(scope, ids, queries.stores_of_orders(ids))


def _back(pk: int | None) -> str:
    return reverse("web:order", args=[pk]) if pk is not None else orders_url()


def _nothing_chosen(request: HttpRequest, pk: int | None) -> HttpResponse:
    return after(request, _back(pk), refused=[_("Choose at least one order.")])


@page("operate", methods=("POST",))
def release(request: HttpRequest, scope: Scope, pk: int | None = None) -> HttpResponse:
    """Release all holds of one order, or of the chosen ones but those that wait for their payment: nobody says it of many."""
    ids = _asked(request, scope, pk)
    if not ids:
        return _nothing_chosen(request, pk)
    unpaid = [] if pk is not None else queries.waiting_for_payment(ids)
    wanted = sorted({*ids} - {*unpaid})
    done = release_holds(queries.open_holds_of(wanted), by=scope.by, at=scope.at)
    said = ngettext("%(count)d order released.", "%(count)d orders released.", len(done)) % {"count": len(done)}
    left = len(wanted) - len(done)
    refused = (
        [ngettext("%(count)d was not held.", "%(count)d were not held.", left) % {"count": left}] if left else []
    )
    if unpaid:
        refused.append(
            ngettext(
                "%(count)d waits for its payment: release it on its own page if you know that it was paid.",
                "%(count)d wait for their payment: release each on its own page if you know that it was paid.",
                len(unpaid),
            )
            % {"count": len(unpaid)}
        )
    return after(request, _back(pk), said if done else None, refused=refused)


@page("operate", methods=("POST",))
def hold(request: HttpRequest, scope: Scope, pk: int | None = None) -> HttpResponse:
    """Hold the chosen orders, or one, by hand."""
    ids = _asked(request, scope, pk)
    if not ids:
        return _nothing_chosen(request, pk)
    done = hold_orders(ids, by=scope.by, at=scope.at, note=request.POST.get("reason", ""))
    said = ngettext("%(count)d order held.", "%(count)d orders held.", len(done)) % {"count": len(done)}
    left = len(ids) - len(done)
    refused = (
        [ngettext("%(count)d was held already.", "%(count)d were held already.", left) % {"count": left}]
        if left
        else []
    )
    return after(request, _back(pk), said if done else None, refused=refused)


@page("operate", methods=("POST",))
def route(request: HttpRequest, scope: Scope, pk: int | None = None) -> HttpResponse:
    """Look for suppliers again for what is open."""
    ids = _asked(request, scope, pk)
    if not ids:
        return _nothing_chosen(request, pk)
    done = by_hand.route_again(ids, by=scope.by, at=scope.at)
    said = ngettext(
        "Suppliers are looked for again for %(count)d order.",
        "Suppliers are looked for again for %(count)d orders.",
        len(done),
    ) % {"count": len(done)}
    left = len(ids) - len(done)
    refused = (
        [ngettext("%(count)d has nothing open.", "%(count)d have nothing open.", left) % {"count": left}]
        if left
        else []
    )
    return after(request, _back(pk), said if done else None, refused=refused)


@page("operate", methods=("POST",))
def release_hold(request: HttpRequest, scope: Scope, pk: int | None = None) -> HttpResponse:
    """Release one hold, or those named in `ids` (separated by commas)."""
    texts = [pk] if pk is not None else request.POST.get("ids", "").split(",")
    ids = [int(text) for text in texts if str(text).isascii() and str(text).isdigit()][:1000]
    stores = queries.stores_of_holds(ids)
    mine = _may_act(scope, ids, stores)
    done = release_holds(mine, by=scope.by, at=scope.at)
    said = ngettext("%(count)d order goes on.", "%(count)d orders go on.", len(done)) % {"count": len(done)}
    return after(
        request, orders_url(), said if done else None, refused=[] if done else [_("It was not held any more.")]
    )


# --- Address ------------------------------------------------------------------------------------------------------


class AddressForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=160)
    line1 = forms.CharField(label=gettext_lazy("Street and number"), max_length=255)
    line2 = forms.CharField(label=gettext_lazy("Further line"), max_length=255, required=False)
    city = forms.CharField(label=gettext_lazy("City"), max_length=120, required=False)
    region = forms.CharField(label=gettext_lazy("Region"), max_length=120, required=False)
    postcode = forms.CharField(label=gettext_lazy("Postcode"), max_length=30, required=False)
    country = forms.RegexField(
        r"^[A-Za-z]{2}$", label=gettext_lazy("Country (two letters)"), min_length=2, max_length=2,
        help_text=gettext_lazy("GB, DE, FR, CN …"),
        error_messages={"invalid": gettext_lazy("Write the country as two letters, for example GB.")},
    )  # fmt: skip
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=40, required=False)
    email = forms.EmailField(label=gettext_lazy("E-mail"), max_length=254, required=False)

    def clean_country(self) -> str:
        return self.cleaned_data["country"].upper()


def _known_address(scope: Scope, whole: reads.WholeOrder) -> dict[str, Any]:
    newest = whole.detail.addresses[0] if whole.detail.addresses else {"country": _order(whole)["country"]}
    return {name: newest.get(name, "") for name in AddressForm.base_fields}


def _save_address(scope: Scope, whole: reads.WholeOrder, data: dict[str, Any], *, by: str, at: datetime) -> str:
    pk = _order(whole)["id"]
    by_hand.change_address(pk, data, by=by, at=at)
    return reverse("web:order", args=[pk])


ADDRESS = FormPage(
    title=lambda whole, scope: _("Ship order %(number)s to") % {"number": _order(whole)["number"]},
    form=AddressForm,
    load=lambda scope, pk: reads.whole_order(scope.whole.all_store_ids, pk),
    store_id="detail__order__store_id",
    initial=_known_address,
    save=_save_address,
    success=gettext_lazy("The address is kept. What waited for it goes on."),
    intro=gettext_lazy("The address as it is now stays on record; this becomes its next version."),
    back=(gettext_lazy("Orders"), orders_url),
    panels=lambda scope, whole: [NotePanel(why, tone="warning")]
    if (why := by_hand.why_not_readdress(_order(whole)["id"]))
    else [],
)


# --- Cancel or refund ---------------------------------------------------------------------------------------------


def give_back_form(scope: Scope, whole: reads.WholeOrder) -> type[forms.Form]:
    """A field for the units of each line, made for this order."""
    order = _order(whole)
    fields: dict[str, forms.Field] = {
        "what": forms.ChoiceField(
            label=_("What happens"), widget=forms.RadioSelect, initial="refund",
            choices=[
                ("cancel", _("Cancel only: nobody has shipped it, no money moves")),
                ("refund", _("Refund without return")),
                ("return", _("Return and refund")),
            ],
        )
    }  # fmt: skip
    for line in whole.detail.lines:
        most = line["quantity"] - max(line["refunded"], line["cancelled"])
        if line["kind"] != "goods" or most <= 0:
            continue
        open_units = line["quantity"] - line["cancelled"] - line["allocated"]
        fields[f"line_{line['id']}"] = forms.IntegerField(
            label=f"{line['sku']} {line['title']}".strip(), min_value=0, max_value=most, required=False, initial=0,
            help_text=_("of %(most)d; no supplier asked yet: %(open)d") % {"most": most, "open": open_units},
        )  # fmt: skip
    left = order["total_amount"] - order["refunded_amount"]
    fields["reason"] = forms.ChoiceField(label=_("Reason"), choices=words.case_reasons())
    fields["note"] = forms.CharField(
        label=_("Note"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2})
    )
    fields["amount"] = forms.DecimalField(
        label=_("Refund now (%(currency)s)") % {"currency": order["currency"]}, required=False, min_value=0,
        max_value=left, max_digits=15, decimal_places=4,
        help_text=_("At most %(left)s. Leave it empty to open the case only.") % {"left": fmt.money_text(left, order["currency"])},
    )  # fmt: skip
    fields["no_claim_reason"] = forms.CharField(
        label=_("Why no claim is made on the supplier"), required=False, max_length=60,
        help_text=_("Needed with a refund."),
    )  # fmt: skip
    return type("GiveBackForm", (forms.Form,), fields)


def _save_give_back(scope: Scope, whole: reads.WholeOrder, data: dict[str, Any], *, by: str, at: datetime) -> str:
    pk = _order(whole)["id"]
    lines = [
        (int(name.removeprefix("line_")), units)
        for name, units in data.items()
        if name.startswith("line_") and units
    ]
    if data["what"] == "cancel":
        by_hand.cancel_open(pk, lines, by=by, at=at)
    else:
        by_hand.give_back(
            pk, lines, kind=data["what"], reason=data["reason"], note=data["note"], amount=data["amount"] or None,
            no_claim_reason=data["no_claim_reason"], by=by, at=at,
        )  # fmt: skip
    return reverse("web:order", args=[pk])


GIVE_BACK = FormPage(
    title=lambda whole, scope: _("Cancel or refund order %(number)s") % {"number": _order(whole)["number"]},
    form=give_back_form,
    load=lambda scope, pk: reads.whole_order(scope.whole.all_store_ids, pk),
    store_id="detail__order__store_id",
    save=_save_give_back,
    success=gettext_lazy("Done. The order shows what became of it."),
    submit=gettext_lazy("Do it"),
    back=(gettext_lazy("Orders"), orders_url),
    intro=gettext_lazy("Units that no supplier was asked for are cancelled; for the others speak to the supplier."),
)


urlpatterns = [
    path("orders/", ORDERS.view, name="orders"),
    path("orders/release/", release, name="orders_release"),
    path("orders/hold/", hold, name="orders_hold"),
    path("orders/route/", route, name="orders_route"),
    path("orders/holds/release/", release_hold, name="holds_release"),
    path("orders/holds/<int:pk>/release/", release_hold, name="hold_release"),
    path("orders/<int:pk>/", ORDER.view, name="order"),
    path("orders/<int:pk>/release/", release, name="order_release"),
    path("orders/<int:pk>/hold/", hold, name="order_hold"),
    path("orders/<int:pk>/route/", route, name="order_route"),
    path("orders/<int:pk>/address/", ADDRESS.view, name="order_address"),
    path("orders/<int:pk>/give-back/", GIVE_BACK.view, name="order_give_back"),
]

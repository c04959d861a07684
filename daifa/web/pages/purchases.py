"""Purchase orders: what suppliers were asked for, what they answered, and every attempt to place it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.purchasing import queries
from daifa.domain.purchasing.process import ATTEMPT, PURCHASE_ORDER, REMINDER
from daifa.domain.purchasing.reminders import reminder_page
from daifa.domain.shipping.queries import parcel_page
from daifa.flows import by_hand
from daifa.lib.money import Money
from daifa.lib.refusal import Refused
from daifa.lib.sentences import joined
from daifa.web.kit import (
    ActionButton,
    Badge,
    Choice,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Event,
    Fact,
    ListPage,
    NotePanel,
    Panel,
    Scope,
    TablePanel,
    TimelinePanel,
    Toggle,
    after,
    page,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places, words
from daifa.web.pages.orders import parcel_columns, purchase_columns, stores_in_view

REMINDERS_SHOWN = 20


def _suppliers(_scope: Scope) -> list[tuple[str, str]]:
    from daifa.domain.sourcing.queries import supplier_page

    return [(str(supplier.id), supplier.name) for supplier in supplier_page(limit=200)]


SUPPLIER = Choice("supplier", gettext_lazy("Supplier"), _suppliers)


def purchase_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[queries.PurchaseRow]:
    return queries.purchase_page(
        scope.store_ids,
        state=filters.get("state"),
        supplier_id=int(filters["supplier"]) if "supplier" in filters else None,
        store_id=int(filters["store"]) if "store" in filters else None,
        overdue_at=scope.at if filters.get("overdue") else None,
        q=filters.get("q"),
        cursor=cursor,
        limit=limit,
    )


PURCHASES = ListPage(
    title=gettext_lazy("Purchase orders"),
    search=gettext_lazy("Our reference"),
    order=queries.NEWEST,
    rows=purchase_rows,
    export="purchases",
    columns=purchase_columns(),
    filters=[
        Choice("state", gettext_lazy("State"),
               lambda scope: [("open", _("to be placed")), *states.choices(PURCHASE_ORDER)], tabs=True),
        SUPPLIER,
        Choice("store", gettext_lazy("Store"), stores_in_view),
        Toggle("overdue", gettext_lazy("Overdue only")),
    ],
    row_url=lambda row: reverse("web:purchase", args=[row.id]),
    empty=EmptyPanel(
        gettext_lazy("No purchase orders yet"),
        gettext_lazy("They are drafted by themselves as soon as a paid order has found its supplier."),
        icon="clipboard-list",
    ),
)  # fmt: skip


# --- One ----------------------------------------------------------------------------------------------------------


def _badges(found: queries.PurchaseDetail, scope: Scope) -> list[Any]:
    purchase = found.purchase
    badges = [Badge(states.word(PURCHASE_ORDER, purchase["state"]), states.tone(PURCHASE_ORDER, purchase["state"]))]
    if _is_overdue(purchase, scope):
        badges.append(Badge(_("overdue"), "danger"))
    return badges


def _is_overdue(purchase: dict[str, Any], scope: Scope) -> bool:
    return bool(
        purchase["state"] == "placed" and _open_units(purchase) and purchase["ship_due_at"]
        and purchase["ship_due_at"] < scope.at
    )  # fmt: skip


def _open_units(purchase: dict[str, Any]) -> int:
    """Units that the supplier has neither shipped nor refused."""
    return purchase["units"] - purchase["shipped"] - purchase["rejected"] - purchase["cancelled"]


def _actions(found: queries.PurchaseDetail, scope: Scope) -> list[Any]:
    purchase = found.purchase
    reason = scope.why_not("operate", purchase["store_id"])
    if purchase["state"] == "placed" and _open_units(purchase):
        return [
            ActionButton(
                _("Give to another supplier"), reverse("web:purchase_take_away", args=[purchase["id"]]), icon="switch-horizontal",
                style="warning", reason=reason or by_hand.why_not_take_away(purchase["id"]), ask=_("What the supplier said"),
                confirm=_("Did the supplier confirm that he will not ship it? If he ships it all the same, the buyer gets it twice."),
            )
        ]  # fmt: skip
    if purchase["state"] != "unknown":
        return []
    if purchase["run_id"]:
        reason = reason or _("It travels in a workbook: settle it on the run.")
    url = reverse("web:purchase_settle", args=[purchase["id"]])
    return [
        ActionButton(_("The supplier has it"), url, icon="check", style="primary", reason=reason, fields={"placed": "1"},
                     confirm=_("Did the supplier confirm that he has this purchase order?")),
        ActionButton(_("He does not have it"), url, icon="x", style="warning", reason=reason, fields={"placed": "0"},
                     confirm=_("Did the supplier say that he does not have it? It will be placed again.")),
    ]  # fmt: skip


def _facts(found: queries.PurchaseDetail, scope: Scope) -> list[Fact]:
    purchase = found.purchase
    store, currency = purchase["store_id"], purchase["currency"]
    facts = [
        Fact(_("Order"), purchase["order_number"], "code", url=places.order(purchase["order_id"])),
        Fact(_("Supplier"), purchase["supplier_code"], url=places.place("supplier", purchase["supplier_id"])),
        Fact(_("Goods"), Money(purchase["goods_amount"], currency), "money"),
        Fact(_("Freight"), Money(purchase["freight_amount"], currency), "money"),
        Fact(_("Drafted"), purchase["at"], "datetime", store_id=store),
        Fact(_("Placed"), purchase["placed_at"], "datetime", store_id=store),
        Fact(_("Ship by"), purchase["ship_due_at"], "due" if _is_overdue(purchase, scope) else "datetime", store_id=store),
        Fact(_("Their number"), purchase["their_reference"], "code"),
    ]  # fmt: skip
    if purchase["run_id"]:
        facts.append(Fact(_("Workbook"), _("run %(id)s") % {"id": purchase["run_id"]}, url=places.place("run", purchase["run_id"])))
    if purchase["fx_source"]:
        facts.append(
            Fact(_("Exchange rate"), f"{purchase['fx_rate'].normalize():f}",
                 hint=f"{fmt.date_text(purchase['fx_date'])} · {purchase['fx_source'].upper()}")
        )  # fmt: skip
    return facts


def _line_columns(currency: str) -> list[Column]:
    def units(name: str, label: Any) -> Column:
        return Column(name, label, "quantity", value=lambda line: line[name] or None)

    return [
        Column("supplier_sku", gettext_lazy("Supplier's SKU"), "code", link=True,
               hint=lambda line: f"{line['sku']} {line['title']}".strip()),
        Column("factor", gettext_lazy("Pack"), value=lambda line: f"×{line['factor']}" if line["factor"] != 1 else ""),
        Column("quantity", gettext_lazy("Ordered"), "quantity"),
        units("accepted", gettext_lazy("Accepted")),
        units("rejected", gettext_lazy("Refused")),
        units("backordered", gettext_lazy("To follow")),
        units("cancelled", gettext_lazy("Cancelled")),
        units("shipped", gettext_lazy("Shipped")),
        Column("unit_cost", gettext_lazy("Cost"), "money", value=lambda line: Money(line["unit_cost"], currency)),
    ]  # fmt: skip


def _panels(found: queries.PurchaseDetail, scope: Scope) -> list[Panel]:
    purchase = found.purchase
    panels: list[Panel] = []
    if purchase["state"] == "unknown":
        panels.append(
            NotePanel(
                _("It was handed over and no answer came back. Nothing is sent again by itself: ask the supplier by "
                  "our reference %(reference)s, then say here what he answered.") % {"reference": purchase["reference"]},
                tone="danger", title=_("Nobody knows whether it was placed"),
            )
        )  # fmt: skip
    panels.append(
        TablePanel(_("Lines"), _line_columns(purchase["currency"]), found.lines,
                   row_url=lambda line: places.place("offer", line["offer_id"]))
    )  # fmt: skip
    panels.append(
        TablePanel(
            _("Parcels"), parcel_columns(of_order=True), _parcels(found),
            row_url=lambda row: reverse("web:parcel", args=[row.id]),
            empty=_("No parcel yet: numbers come with the supplier's reply."),
        )
    )  # fmt: skip
    panels.append(attempts_panel(found.attempts, purchase["store_id"]))
    panels.append(TimelinePanel(_("What the supplier answered"), _answers(found), empty=_("No answer yet."),
                                store_id=purchase["store_id"]))  # fmt: skip
    asked = reminder_page([purchase["store_id"]], purchase_id=purchase["id"], limit=REMINDERS_SHOWN)
    if asked:
        panels.append(
            TablePanel(_("Reminders"), reminder_columns(of_purchase=True), asked,
                       row_url=lambda row: reverse("web:reminder", args=[row["id"]]))
        )  # fmt: skip
    return panels


STEPS = {
    "soon": gettext_lazy("due soon"),
    "promise": gettext_lazy("promise passed"),
    "late": gettext_lazy("overdue"),
}
"""Why a supplier was reminded."""


def reminder_columns(*, of_purchase: bool = False) -> list[Column]:
    """Columns of reminders, for the list and for the table on this page."""
    columns = [
        Column("at", gettext_lazy("Written"), "datetime", link=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("supplier", gettext_lazy("Supplier"), url=lambda row: places.place("supplier", row["supplier_id"])),
        Column("state", gettext_lazy("State"), "state", states=REMINDER),
        Column("step", gettext_lazy("Why"), value=lambda row: STEPS[row["step"]]),
        Column("purchases", gettext_lazy("Purchases"), "quantity"),
        Column("due_at", gettext_lazy("Dispatch by"), "due"),
        Column("stake", gettext_lazy("At stake"), "money", currency="currency"),
    ]
    return [one for one in columns if not of_purchase or one.name not in ("store_id", "supplier", "purchases")]


def _parcels(found: queries.PurchaseDetail) -> list[Any]:
    purchase = found.purchase
    return parcel_page(
        [purchase["store_id"]], order_id=purchase["order_id"], supplier_id=purchase["supplier_id"], limit=100
    )


def attempts_panel(attempts: list[dict[str, Any]], store_id: int | None) -> TablePanel:
    return TablePanel(
        _("Attempts to place it"),
        [
            Column("key", gettext_lazy("Attempt"), "code"),
            Column("state", gettext_lazy("State"), "state", states=ATTEMPT),
            Column("at", gettext_lazy("Begun"), "datetime"),
            Column("resolved_at", gettext_lazy("Settled"), "datetime"),
            Column("result", gettext_lazy("Result"), wrap=True, value=lambda row: words.why(row["result"]), hint="proof"),
        ],
        [{**attempt, "store_id": store_id} for attempt in attempts],
        empty=_("None: a workbook that a person downloads is placed by the download."),
    )


def _answers(found: queries.PurchaseDetail) -> list[Event]:
    skus = {line["id"]: line["supplier_sku"] for line in found.lines}
    currency = found.purchase["currency"]
    events = []
    for answer in reversed(found.answers):
        said = []
        for row in answer["rows"]:
            line, accepted, rejected, backordered, shipped = row[:5]
            parts = [
                text % n
                for n, text in (
                    (accepted, ngettext("%d accepted", "%d accepted", accepted)),
                    (rejected, ngettext("%d refused", "%d refused", rejected)),
                    (backordered, ngettext("%d to follow", "%d to follow", backordered)),
                    (shipped, ngettext("%d shipped", "%d shipped", shipped)),
                )
                if n
            ]
            why = f" ({row[5]})" if len(row) > 5 and row[5] else ""
            if parts:
                said.append(f"{skus.get(line, line)}: {', '.join(parts)}{why}")
        amount = answer["goods_amount"] + answer["freight_amount"]
        refused = any(row[2] for row in answer["rows"])
        events.append(
            Event(
                answer["at"], _("Answer"), by=answer["source"], detail=joined("; ", said, chinese="；"),
                badge=Badge(fmt.money_text(amount, currency), "info") if amount else None,
                icon="message-2", tone="warning" if refused else "success", url=places.of_import(answer["source"]),
            )
        )  # fmt: skip
    return events


PURCHASE = DetailPage(
    load=lambda scope, pk: queries.purchase_detail(scope.all_store_ids, pk),
    store_id="purchase__store_id",
    title=lambda found, scope: _("Purchase order %(reference)s") % {"reference": found.purchase["reference"]},
    back=(gettext_lazy("Purchase orders"), lambda: reverse("web:purchases")),
    badges=_badges,
    actions=_actions,
    facts=_facts,
    panels=_panels,
)


@page("operate", methods=("POST",))
def settle(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A person says whether a purchase order in doubt reached the supplier."""
    found = queries.purchase_detail(scope.whole.all_store_ids, pk)
    scope.whole.require(found.purchase["store_id"] if found else None, "operate")
    placed = request.POST.get("placed") == "1"
    back = reverse("web:purchase", args=[pk])
    try:
        by_hand.settle_purchase(pk, placed, by=scope.by, at=scope.at)
    except Refused as refused:
        return after(request, back, refused=[refused.sentence])
    return after(request, back, _("It counts as placed.") if placed else _("It will be placed again."))


@page("operate", methods=("POST",))
def take_away(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The supplier will not ship what is open of it: it is looked for elsewhere."""
    found = queries.purchase_detail(scope.whole.all_store_ids, pk)
    scope.whole.require(found.purchase["store_id"] if found else None, "operate")
    back = reverse("web:purchase", args=[pk])
    try:
        units = by_hand.take_away(pk, request.POST.get("reason", ""), by=scope.by, at=scope.at)
    except Refused as refused:
        return after(request, back, refused=[refused.sentence])
    return after(
        request, back,
        ngettext("%(count)d unit is looked for elsewhere.", "%(count)d units are looked for elsewhere.", units) % {"count": units},
    )  # fmt: skip


urlpatterns = [
    path("purchases/", PURCHASES.view, name="purchases"),
    path("purchases/<int:pk>/", PURCHASE.view, name="purchase"),
    path("purchases/<int:pk>/settle/", settle, name="purchase_settle"),
    path("purchases/<int:pk>/take-away/", take_away, name="purchase_take_away"),
]

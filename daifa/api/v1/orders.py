"""Orders: the list, one with everything that hangs on it, holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema

from daifa.api.caller import caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import (
    After,
    Done,
    Id,
    Limit,
    Moment,
    MoneyOut,
    Number,
    Page,
    Words,
    aware,
    cursor_of,
    money,
    page_of,
)
from daifa.api.v1.parcels import ParcelOut, parcel_out
from daifa.api.v1.purchases import PurchaseOut, purchase_out
from daifa.domain.customers.rules import masked, masked_address
from daifa.domain.orders import queries
from daifa.domain.orders.models import STATUSES
from daifa.domain.orders.process import HOLDS

router = Router(tags=["orders"])
Status = Literal[("open", *(code for code, _words in STATUSES))]
Reason = Literal[tuple(HOLDS)]


class Counters(Schema):
    """Sales units, counted: ordered = cancelled + allocated + open."""

    ordered: int
    cancelled: int
    allocated: int
    purchased: int
    accepted: int
    shipped: int
    delivered: int
    returned: int


class OrderOut(Schema):
    """An order in a list."""

    id: int
    store_id: int
    number: str
    status: str
    holds: list[str] = Field(description="Reasons still open.")
    placed_at: datetime
    ship_by_at: datetime | None
    country: str
    recipient: str
    customer_ref: str
    total: MoneyOut
    refunded: MoneyOut
    counters: Counters


class LineOut(Schema):
    id: int
    line_no: int
    kind: str
    sku: str
    title: str
    variant_id: int | None
    unit_price: MoneyOut
    amount: MoneyOut
    refunded_amount: MoneyOut
    counters: Counters


class AddressOut(Schema):
    version: int
    name: str
    line1: str
    line2: str
    city: str
    region: str
    postcode: str
    country: str
    phone: str
    email: str
    at: datetime


class HoldOut(Schema):
    id: int
    line_id: int | None
    reason: str
    params: dict[str, Any]
    opened_at: datetime
    released_at: datetime | None
    released_by: str


class OrderMessageOut(Schema):
    id: int
    kind: str
    state: str
    reason: str
    subject: str
    at: datetime
    sent_at: datetime | None


class RefundOut(Schema):
    id: int
    external_ref: str
    state: str
    reason: str
    amount: MoneyOut
    at: datetime
    confirmed_at: datetime | None


class HappeningOut(Schema):
    """Something that happened: what, when, by whom, why."""

    at: datetime
    subject: str
    thing: int
    state: str
    sentence: str
    detail: str
    by: str
    why: str


class OrderDetailOut(Schema):
    """An order with everything that hangs on it. `timeline` is newest first."""

    id: int
    store_id: int
    number: str
    status: str
    is_history: bool
    placed_at: datetime
    paid_at: datetime | None
    ship_by_at: datetime | None
    country: str
    note: str
    source: str
    customer_ref: str
    goods: MoneyOut
    shipping: MoneyOut
    other: MoneyOut
    total: MoneyOut
    refunded: MoneyOut
    counters: Counters
    lines: list[LineOut]
    addresses: list[AddressOut]
    holds: list[HoldOut]
    purchases: list[PurchaseOut]
    parcels: list[ParcelOut]
    messages: list[OrderMessageOut]
    refunds: list[RefundOut]
    timeline: list[HappeningOut]


class ReleaseIn(Schema):
    """Which open holds to release: these; or, with none given, all of the order. `not_paid` released means: the buyer has paid."""

    hold_ids: list[Id] = Field([], max_length=1000)


class HoldIn(Schema):
    order_ids: list[Id] = Field(min_length=1, max_length=1000)
    note: str = Field("", max_length=200)


def _counters(row: dict[str, Any], ordered: str) -> dict[str, int]:
    names = ("cancelled", "allocated", "purchased", "accepted", "shipped", "delivered", "returned")
    return {"ordered": row[ordered], **{name: row[name] for name in names}}


def order_out(row: queries.OrderRow, knows_buyers: bool) -> dict[str, Any]:
    return {
        "id": row.id, "store_id": row.store_id, "number": row.number, "status": row.status, "holds": row.holds,
        "placed_at": row.placed_at, "ship_by_at": row.ship_by_at, "country": row.country, "recipient": row.name if knows_buyers else masked(row.name),
        "customer_ref": row.customer_ref, "total": money(row.total_amount, row.currency),
        "refunded": money(row.refunded_amount, row.currency), "counters": _counters(row._asdict(), "units"),
    }  # fmt: skip


@router.get("/orders", response={200: Page[OrderOut], **ERRORS})
def list_orders(
    request: HttpRequest,
    status: Status | None = None,
    store_id: Number = None,
    hold: Reason | None = None,
    q: Words = None,
    since: Moment = None,
    until: Moment = None,
    after: After = None,
    limit: Limit = 50,
):
    """Orders, newest first.

    `q` is an order number, SKU, waybill number, purchase reference, customer's reference (or the beginning of one), or
    the beginning of a name. `status` "open": those that have not ended. Placed from `since` up to before `until`.
    """
    from daifa.flows.reads.orders import order_list

    who = caller(request)
    cursor = cursor_of(queries.NEWEST, ("moment", "id"), after)
    rows = order_list(
        who.scope, q=q, status=status, store_id=store_id, hold=hold, since=aware(since), until=aware(until),
        cursor=cursor, limit=limit + 1,
    )  # fmt: skip
    return page_of(rows, limit, cursor, lambda row: order_out(row, who.knows_buyers(row.store_id)))


@router.post("/orders/hold", response={200: Done, **ERRORS})
def hold_orders(request: HttpRequest, given: HoldIn):
    """Hold orders by hand; what is not routed yet waits. `done` are those not held by hand before."""
    from daifa.flows.release_holds import hold_orders as hold

    who = caller(request)
    stores = queries.stores_of_orders(given.order_ids)
    for order_id in given.order_ids:
        who.require(stores.get(order_id, -1), "operate")
    return {"done": hold(given.order_ids, by=who.by, at=who.at, note=given.note)}


@router.get("/orders/{order_id}", response={200: OrderDetailOut, **ERRORS})
def get_order(request: HttpRequest, order_id: Id):
    """One order with lines, addresses, holds, purchases, parcels, messages, refunds and its timeline."""
    from daifa.flows.reads.orders import whole_order
    from daifa.flows.reads.timeline import timeline

    who = caller(request)
    whole = whole_order(who.scope, order_id)
    if whole is None:
        raise not_found()
    order = whole.detail.order
    currency = order["currency"]
    return {
        **{
            name: order[name]
            for name in (
                "id", "store_id", "number", "status", "is_history", "placed_at", "paid_at", "ship_by_at", "country", "note",
                "source",
            )
        },
        "customer_ref": whole.detail.customer["ref"] if whole.detail.customer else "",
        **{
            name: money(order[f"{name}_amount"], currency) for name in ("goods", "shipping", "other", "total", "refunded")
        },
        "counters": _counters(order, "units"),
        "lines": [
            {
                **{name: line[name] for name in ("id", "line_no", "kind", "sku", "title", "variant_id")},
                **{name: money(line[name], currency) for name in ("unit_price", "amount", "refunded_amount")},
                "counters": _counters(line, "quantity"),
            }
            for line in whole.detail.lines
        ],
        "addresses": [
            one if who.knows_buyers(order["store_id"]) else masked_address(one) for one in whole.detail.addresses
        ],
        "holds": whole.detail.holds,
        "purchases": [purchase_out(row) for row in whole.purchases],
        "parcels": [parcel_out(row) for row in whole.parcels],
        "messages": whole.messages,
        "refunds": [{**row, "amount": money(row["amount"], row["currency"])} for row in whole.refunds],
        "timeline": [
            {name: getattr(happening, name) for name in HappeningOut.model_fields}
            | ({"detail": ""} if happening.subject == "scan" and not who.knows_buyers(order["store_id"]) else {})
            for happening in timeline(who.scope, order_id)
        ],
    }  # fmt: skip


@router.post("/orders/{order_id}/holds/release", response={200: Done, **ERRORS})
def release_order_holds(request: HttpRequest, order_id: Id, given: ReleaseIn):
    """Release holds of an order and let it go on. Holds that are not open any more are left out of `done`."""
    from daifa.flows.release_holds import release_holds

    who = caller(request)
    who.require(queries.stores_of_orders([order_id]).get(order_id, -1), "operate")
    open_ones = queries.open_holds_of([order_id])
    wanted = [hold for hold in open_ones if not given.hold_ids or hold in given.hold_ids]
    return {"done": release_holds(wanted, by=who.by, at=who.at)}

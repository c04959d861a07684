"""The order list as people search it, and one order with everything that hangs on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daifa.domain.orders.queries import OrderDetail, OrderRow, order_detail, order_page
from daifa.domain.purchasing.queries import PurchaseRow, orders_of_references, purchase_page
from daifa.domain.shipping.queries import ParcelRow, orders_of_numbers, parcel_page
from daifa.domain.sourcing.models import SupplierOffer
from daifa.lib import bulk

MOST = 200  # purchases and parcels of one order


def order_list(scope: Sequence[int], *, q: str | None = None, **filters: Any) -> list[OrderRow]:
    """`orders.queries.order_page`, where `q` may also be a waybill number or our or the supplier's purchase reference."""
    also: set[int] = set()
    if q and (q := q.strip()):
        also = orders_of_numbers(scope, q) | orders_of_references(scope, q)
    return order_page(scope, q=q, also=also, **filters)


@dataclass(frozen=True)
class WholeOrder:
    """An order and its purchases, parcels, messages (without their text) and refunds."""

    detail: OrderDetail
    purchases: list[PurchaseRow]
    parcels: list[ParcelRow]
    messages: list[dict[str, Any]]
    refunds: list[dict[str, Any]]


def whole_order(scope: Sequence[int], order_id: int) -> WholeOrder | None:
    """None when the order is not there or not in scope."""
    detail = order_detail(scope, order_id)
    if detail is None:
        return None
    store = [detail.order["store_id"]]
    return WholeOrder(
        detail=detail,
        purchases=purchase_page(store, order_id=order_id, limit=MOST),
        parcels=parcel_page(store, order_id=order_id, limit=MOST),
        messages=bulk.fetch_dicts(
            """SELECT id, kind, state, reason, subject, at, sent_at FROM buyer_messages_message
               WHERE order_id = %s ORDER BY id""",
            (order_id,),
        ),
        refunds=bulk.fetch_dicts(
            """SELECT id, external_ref, state, reason, amount, currency, at, confirmed_at FROM aftersales_refund
               WHERE order_id = %s ORDER BY id""",
            (order_id,),
        ),
    )


# --- Why these suppliers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """An offer of a routing decision: of whom, under which SKU; `units` sales units, or the code why it was not chosen."""

    offer_id: int
    supplier_id: int
    supplier: str
    supplier_sku: str
    units: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RoutedLine:
    """What was decided for one line at `at`: who delivers, who does not and why, and the units held with their reason.

    `late`: nobody could ship it before the order's time for dispatch ran out.
    """

    at: datetime
    line_id: int
    sku: str
    title: str
    won: list[Choice]
    lost: list[Choice]
    held: tuple[str, int] | None
    late: bool = False


def routing_of(order_id: int) -> list[RoutedLine]:
    """Every routing decision of an order, newest first, line by line. The caller has made sure of the scope."""
    decisions = [
        (json.loads(decision), at)
        for decision, at in bulk.fetch(
            """SELECT decision, at FROM fulfilment_routingdecision WHERE order_id = %s ORDER BY id DESC LIMIT 20""",
            (order_id,),
        )
    ]
    if not decisions:
        return []
    offers = {
        row[0]: row
        for row in SupplierOffer.objects.filter(
            pk__in={
                entry[0]
                for decision, _at in decisions
                for line in decision
                for entry in [*line.get("won", ()), *line.get("lost", ())]
            }
        ).values_list("id", "supplier_id", "supplier__name", "supplier_sku")
    }
    lines = {
        row[0]: row
        for row in bulk.fetch("SELECT id, sku, title, line_no FROM orders_orderline WHERE order_id = %s", (order_id,))
    }

    def choice(offer: int, *, units: int = 0, reason: str = "") -> Choice:
        known = offers.get(offer, (offer, 0, "?", "?"))
        return Choice(*known, units=units, reason=reason)

    found = []
    for decision, at in decisions:
        for line in sorted(decision, key=lambda one: lines[one["line"]][3] if one["line"] in lines else 0):
            if line["line"] in lines:
                _id, sku, title, _number = lines[line["line"]]
                found.append(
                    RoutedLine(
                        at=at, line_id=line["line"], sku=sku, title=title,
                        won=[choice(offer, units=units) for offer, units in line.get("won", ())],
                        lost=[choice(lost[0], reason=lost[1]) for lost in line.get("lost", ())],
                        held=tuple(line["held"]) if line.get("held") else None, late=line.get("late", False),
                    )
                )  # fmt: skip
    return found

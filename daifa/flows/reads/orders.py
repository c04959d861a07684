"""The order list as people search it, and one order with everything that hangs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from daifa.domain.aftersales.models import Refund
from daifa.domain.messages.models import Message
from daifa.domain.orders.queries import OrderDetail, OrderRow, order_detail, order_page
from daifa.domain.purchasing.queries import PurchaseRow, orders_of_references, purchase_page
from daifa.domain.shipping.queries import ParcelRow, orders_of_numbers, parcel_page

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
        messages=list(
            Message.objects.filter(order_id=order_id)
            .order_by("id")
            .values("id", "kind", "state", "reason", "subject", "at", "sent_at")
        ),
        refunds=list(
            Refund.objects.filter(order_id=order_id)
            .order_by("id")
            .values("id", "external_ref", "state", "reason", "amount", "currency", "at", "confirmed_at")
        ),
    )

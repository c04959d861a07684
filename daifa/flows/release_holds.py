"""A person holds orders, or lets held ones go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from daifa.domain.history.commands import record_facts
from daifa.domain.orders import commands as orders
from daifa.domain.orders import queries


@transaction.atomic
def release_holds(hold_ids: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """Release these holds and route what is open of their orders; returns the orders that had one of them open.

    Who releases `not_paid` says that the buyer has paid: it counts as paid now.
    """
    found = queries.orders_of_holds(hold_ids)
    if not found:
        return []
    orders.lock_orders(sorted(set(found.values())))
    unpaid = queries.waiting_for_payment(holds=list(found))
    paid = orders.mark_paid([(order, at) for order in unpaid], by=by, at=at)
    released = {*orders.release_holds(ids=list(found), by=by, at=at), *unpaid}
    record_facts("orders_received", paid, at=at)  # which routes them, too
    record_facts("orders_to_route", sorted(released - set(paid)), at=at)
    return sorted(released)


@transaction.atomic
def hold_orders(order_ids: Sequence[int], *, by: str, at: datetime, note: str = "") -> list[int]:
    """Hold whole orders by hand; what is not routed yet waits. Returns the ids that are held now and were not before."""
    locked = orders.lock_orders(sorted(set(order_ids)))
    before = queries.held_by_hand(locked)
    fresh = [order for order in locked if order not in before]
    orders.hold_lines([(order, None, "by_hand", {"by": by, "note": note[:200]}) for order in fresh], at=at)
    return fresh

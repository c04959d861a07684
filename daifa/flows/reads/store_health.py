"""A store's health with what lies above it: complaints to the platform count into its defects and disputes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from daifa.domain.compliance import queries
from daifa.lib import bulk

LONGEST_DAYS = 460  # the longest window (400 days) and the orders before it


def complaints_of(store_id: int, *, at: datetime) -> list[queries.Complained]:
    """Complaints about orders of this store that came in within the longest window."""
    return [
        queries.Complained(*row)
        for row in bulk.fetch(
            """SELECT order_id, kind, opened_at FROM cases_complaint
               WHERE store_id = %s AND order_id IS NOT NULL AND opened_at > %s AND opened_at <= %s""",
            (store_id, at - timedelta(days=LONGEST_DAYS), at),
        )
    ]


def whole_health(store_id: int, *, at: datetime) -> queries.Health:
    """`compliance.queries.whole_health` with the complaints."""
    return queries.whole_health(store_id, at=at, complaints=complaints_of(store_id, at=at))


def numbers_of(orders: Iterable[int]) -> dict[int, str]:
    """The numbers by which people know these orders."""
    return dict(bulk.fetch("SELECT id, number FROM orders_order WHERE id = ANY(%s::bigint[])", (list(orders),)))

"""What is not booked yet of stores whose books were locked for good with their archive. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from daifa.lib import bulk

# Reaction → where its things stand: table, the order of one, what moves.
_THINGS = {
    "post_refunds": ("aftersales_refund", "x.order_id", "x.amount", "x.currency"),
    "post_orders": ("orders_order", "x.id", "x.total_amount", "x.currency"),
    "post_cancelled": ("orders_order", "x.id", "NULL::numeric", "''"),
    "post_handed_over": ("shipping_parcel", "x.order_id", "NULL::numeric", "''"),
    "post_delivered": ("shipping_parcel", "x.order_id", "NULL::numeric", "''"),
    "post_lost": ("shipping_parcel", "x.order_id", "NULL::numeric", "''"),
}
REACTIONS = tuple(_THINGS)
"""What may be booked after the archive: facts that move money of buyers and income. What is owed to suppliers or held as a
deposit was settled before, and moves only once the store came back."""


class Late(NamedTuple):
    """A fact that waits: the row of the reaction that was set aside, and what it is about. `amount` None: it only moves
    between the accounts."""

    pending_id: int
    reaction: str
    thing: int
    store_id: int
    order_id: int | None
    order_number: str
    amount: Decimal | None
    currency: str
    heard_at: datetime


def waiting(scope: Sequence[int] | None = None, *, reaction: str = "", things: Sequence[int] = ()) -> list[Late]:
    """What waits in these archived stores (None = in all), oldest first; with `reaction` only these things of it."""
    parts = " UNION ALL ".join(
        f"""SELECT p.id, p.reaction, x.id AS thing, x.store_id, {order} AS order_id, {amount} AS amount, {currency} AS currency, p.at
            FROM history_pendingreaction p JOIN {table} x ON x.id = ANY(p.things)
            WHERE p.state = 'parked' AND p.reaction = '{name}'"""
        for name, (table, order, amount, currency) in _THINGS.items()
        if reaction in ("", name)
    )
    if not parts:
        return []
    return [
        Late(*row)
        for row in bulk.fetch(
            f"""SELECT w.id, w.reaction, w.thing, w.store_id, w.order_id, coalesce(o.number, ''), w.amount, w.currency, w.at
                FROM ({parts}) AS w
                JOIN books_booklock b ON b.store_id = w.store_id AND b.locked_until = '9999-12-31'
                JOIN closing_lifecycle l ON l.store_id = w.store_id AND l.state = 'archived' AND l.replaced_at IS NULL
                LEFT JOIN orders_order o ON o.id = w.order_id
                WHERE (%(scope)s::bigint[] IS NULL OR w.store_id = ANY(%(scope)s::bigint[]))
                  AND (%(reaction)s::text = '' OR w.thing = ANY(%(things)s::bigint[]))
                ORDER BY w.id, w.thing""",
            {"scope": None if scope is None else list(scope), "reaction": reaction, "things": list(things)},
        )
    ]

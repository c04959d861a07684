"""Reads of orders. `scope` (ids of the stores the caller may see) always comes first; what lies outside is not there.

Lists are read page by page by key (`lib.paging.Cursor`): ask for one row more than you show, and you know whether
there is more. No list counts its rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from daifa.domain.orders.models import STATUSES
from daifa.domain.orders.process import HOLDS
from daifa.lib import bulk
from daifa.lib.paging import Cursor

NEWEST = ("-placed_at", "-id")
ENDED = ("delivered", "closed", "cancelled")
# Beyond this many matches a condition is no shortcut: the list is walked from its newest end and tested row by row.
MOST_MATCHES = 1_500
# So many customers whose name begins alike are looked at; who has more of them types another letter.
MOST_CUSTOMERS = 20_000
MANY_CUSTOMERS = 500
PAID = """(o.paid_at IS NOT NULL
           OR NOT EXISTS (SELECT FROM orders_hold unpaid WHERE unpaid.order_id = o.id AND unpaid.reason = 'not_paid'))"""
"""SQL of orders `o` whose buyer has paid. No deadline, no posting, no figure begins before."""
_STATUSES = {code for code, _words in STATUSES}
_AFTER_ALL = "\U0010ffff"  # greater than any further character, so that [q, q + this) is "begins with q"


class OrderRow(NamedTuple):
    """An order in a list. Amounts in `currency`, counters in sales units; `holds` are the reasons still open."""

    id: int
    store_id: int
    number: str
    placed_at: datetime
    status: str
    country: str
    currency: str
    total_amount: Decimal
    refunded_amount: Decimal
    units: int
    cancelled: int
    allocated: int
    purchased: int
    accepted: int
    shipped: int
    delivered: int
    returned: int
    open_holds: int
    ship_by_at: datetime | None
    customer_ref: str
    name: str  # of the recipient, else of the customer
    holds: list[str]


_COLUMNS = """
o.id, o.store_id, o.number, o.placed_at, o.status, o.country, o.currency, o.total_amount, o.refunded_amount,
o.units, o.cancelled, o.allocated, o.purchased, o.accepted, o.shipped, o.delivered, o.returned, o.open_holds,
o.ship_by_at, coalesce(c.ref, ''), coalesce(nullif(a.name, ''), c.name, ''),
CASE WHEN o.open_holds = 0 THEN '{}' ELSE ARRAY(
    SELECT DISTINCT h.reason FROM orders_hold h WHERE h.order_id = o.id AND h.released_at IS NULL ORDER BY 1) END
"""
_BESIDE = """
LEFT JOIN customers_customer c ON c.id = o.customer_id
LEFT JOIN orders_addressversion a ON a.order_id = o.id AND a.version = o.address_version
"""


def order_page(
    scope: Sequence[int],
    *,
    status: str | None = None,
    store_id: int | None = None,
    q: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    hold: str | None = None,
    also: Collection[int] = (),
    cursor: Cursor | None = None,
    limit: int = 50,
) -> list[OrderRow]:
    """At most `limit` orders, newest first, placed from `since` up to before `until`.

    `status`: one of STATUSES, or "open" for those that have not ended. `hold`: a reason still open. `q`: an order
    number, a SKU, a customer's reference or the beginning of one, or the beginning of a name or surname. `also`: ids
    of orders that match `q` in the eyes of subjects above (waybill numbers; see `flows.reads.orders.order_list`).
    An unknown status or reason matches nothing.
    """
    stores = [store for store in scope if store_id in (None, store)]
    if not stores or (hold and hold not in HOLDS):
        return []
    conditions, params = [], []
    if status == "open":
        conditions.append(f"o.status NOT IN {ENDED}")
    elif status:
        if status not in _STATUSES:
            return []
        # Written out, so that the planner can choose the partial index of this status.
        conditions.append(f"o.status = '{status}'")
    if since:
        conditions.append("o.placed_at >= %s")
        params.append(since)
    if until:
        conditions.append("o.placed_at < %s")
        params.append(until)
    only: set[int] | None = None
    if hold:
        found = _with_hold(hold)
        if found is None:
            conditions.append(_HELD)
            params.append(hold)
        else:
            only = found
    if q and (q := q.strip()):
        found, frequent = _matching(stores, q)
        found |= set(also)
        if frequent:
            terms = [term for term, _values in frequent]
            conditions.append(f"(o.id = ANY(%s::bigint[]) OR {' OR '.join(terms)})")
            params += [list(found), *(value for _term, values in frequent for value in values)]
        else:
            only = found if only is None else only & found
    if only is not None and not only:
        return []

    cursor = cursor or Cursor(NEWEST)
    beyond, key, order_by = cursor.sql({"placed_at": "o.placed_at", "id": "o.id"})
    conditions.append(beyond)
    where = " AND ".join(conditions)
    outer = order_by.replace("o.", "page.")
    if only is not None:
        page = f"""SELECT o.id, o.placed_at FROM orders_order o
                   WHERE o.id = ANY(%s::bigint[]) AND o.store_id = ANY(%s::bigint[]) AND {where}
                   ORDER BY {order_by} LIMIT %s"""
        arguments = [list(only), stores, *params, *key, limit]
    else:
        # Newest of each store by its own index, then the newest of those.
        page = f"""SELECT o.id, o.placed_at FROM unnest(%s::bigint[]) AS store(id) CROSS JOIN LATERAL (
                       SELECT o.id, o.placed_at FROM orders_order o WHERE o.store_id = store.id AND {where}
                       ORDER BY {order_by} LIMIT %s) o
                   ORDER BY {order_by} LIMIT %s"""
        arguments = [stores, *params, *key, limit, limit]
    # Bound by the client: which index serves best depends on the values, so the planner must see them.
    with connection.cursor() as c:
        c.execute(
            f"SELECT {_COLUMNS} FROM ({page}) page JOIN orders_order o ON o.id = page.id {_BESIDE} ORDER BY {outer}",
            arguments,
        )
        return cursor.forwards([OrderRow(*row) for row in c.fetchall()])


_HELD = """(SELECT TRUE FROM orders_hold h
            WHERE h.order_id = o.id AND h.reason = %s AND h.released_at IS NULL LIMIT 1)"""


def _with_hold(reason: str) -> set[int] | None:
    """Ids of the orders (of all stores) with this hold; None when they are too many to name."""
    rows = bulk.fetch(
        "SELECT order_id FROM orders_hold WHERE reason = %s AND released_at IS NULL LIMIT %s",
        (reason, MOST_MATCHES + 1),
    )
    return None if len(rows) > MOST_MATCHES else {row[0] for row in rows}


# What a search may mean: (condition of an order `o` for the walk, query of the order ids for the shortcut).
_NUMBER = (
    # Joined with '', so that no index over half the table is taken for it.
    "(o.number || '' >= %s AND o.number || '' < %s)",
    "SELECT id FROM orders_order WHERE store_id = ANY(%s::bigint[]) AND number >= %s AND number < %s LIMIT %s",
)
_SKU = (
    "(SELECT TRUE FROM orders_orderline l WHERE l.order_id = o.id AND l.sku >= %s AND l.sku < %s LIMIT 1)",
    "SELECT order_id FROM orders_orderline WHERE sku >= %s AND sku < %s LIMIT %s",
)
_NAMES = [
    (
        f"""(SELECT TRUE FROM orders_addressversion a WHERE a.order_id = o.id AND {also}
             AND {name} ~>=~ %s AND {name} ~<~ %s LIMIT 1)""",
        f"""SELECT order_id FROM orders_addressversion a
            WHERE {also} AND {name} ~>=~ %s AND {name} ~<~ %s LIMIT %s""",
    )
    for name, also in (
        ("lower(a.name)", "a.name <> ''"),
        ("lower(substring(a.name from '[^ ]+$'))", "a.name LIKE '%% %%'"),
    )
]
_CUSTOMERS = [
    "SELECT id FROM customers_customer WHERE store_id = ANY(%s::bigint[]) AND ref >= %s AND ref < %s LIMIT %s",
    """SELECT id FROM customers_customer
       WHERE store_id = ANY(%s::bigint[]) AND name <> '' AND lower(name) ~>=~ %s AND lower(name) ~<~ %s LIMIT %s""",
]


def spellings(q: str) -> list[str]:
    """`q` as typed, and in capitals or small letters where that differs; numbers are stored as the channel wrote them."""
    return list(dict.fromkeys((q, q.upper(), q.lower())))


def begins_with(q: str) -> tuple[str, str]:
    """(from, before): the range of texts that begin with `q` in byte order."""
    return q, q + _AFTER_ALL


def _matching(stores: list[int], q: str) -> tuple[set[int], list[tuple[str, tuple[Any, ...]]]]:
    """Ids of the orders that match `q` (some perhaps of other stores), and the conditions with too many matches."""
    asked: list[tuple[tuple[str, str], str, bool]] = []
    customers = []
    for word in spellings(q):
        asked += [(_NUMBER, word, True), (_SKU, word, False)]
        customers.append((_CUSTOMERS[0], word))
    if not q.startswith("#"):
        asked.append((_NUMBER, "#" + q, True))
    if len(q) > 1 and not q.isdigit():
        asked += [(meaning, q.lower(), False) for meaning in _NAMES]
        customers.append((_CUSTOMERS[1], q.lower()))
    parts, given = [], []
    for (_condition, query), word, of_store in asked:
        parts.append(f"ARRAY({query})")
        given += [*([stores] if of_store else []), *begins_with(word), MOST_MATCHES + 1]
    for query, word in customers:
        parts.append(f"ARRAY({query})")
        given += [stores, *begins_with(word), MOST_CUSTOMERS]
    # All meanings in one statement, and arrays rather than rows: thousands of ids cost little that way.
    matches = bulk.fetch(f"SELECT {', '.join(parts)}", given)[0]
    found: set[int] = set()
    frequent: list[tuple[str, tuple[Any, ...]]] = []
    for ((condition, _query), word, _of_store), ids in zip(asked, matches[: len(asked)], strict=True):
        if len(ids) > MOST_MATCHES:
            frequent.append((condition, begins_with(word)))
        else:
            found.update(ids)
    buyers = list({customer for ids in matches[len(asked) :] for customer in ids})
    if len(buyers) > MANY_CUSTOMERS:
        # Most of them have an order, so the walk meets one soon; and it looks a buyer up in a hash.
        frequent.append(("o.customer_id = ANY(%s::bigint[])", (buyers,)))
    elif buyers:
        orders = bulk.fetch(
            "SELECT ARRAY(SELECT id FROM orders_order WHERE customer_id = ANY(%s::bigint[]) LIMIT %s)",
            (buyers, MOST_MATCHES + 1),
        )[0][0]
        if len(orders) > MOST_MATCHES:
            frequent.append(("o.customer_id = ANY(%s::bigint[])", (buyers,)))
        else:
            found.update(orders)
    return found, frequent


# --- One order ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OrderDetail:
    """An order as plain rows: the order itself, its lines, versions of its address (newest first), and all holds."""

    order: dict[str, Any]
    lines: list[dict[str, Any]]
    addresses: list[dict[str, Any]]
    holds: list[dict[str, Any]]
    customer: dict[str, Any] | None


def order_detail(scope: Sequence[int], order_id: int) -> OrderDetail | None:
    """Everything orders themselves know about one; None when it is not there or not in scope."""
    orders = bulk.fetch_dicts(
        "SELECT * FROM orders_order WHERE id = %s AND store_id = ANY(%s::bigint[])", (order_id, list(scope))
    )
    if not orders:
        return None
    [order] = orders
    holds = bulk.fetch_dicts("SELECT * FROM orders_hold WHERE order_id = %s ORDER BY opened_at, id", (order_id,))
    for hold in holds:
        if isinstance(hold["params"], str):
            hold["params"] = json.loads(hold["params"])
    customers = (
        bulk.fetch_dicts("SELECT * FROM customers_customer WHERE id = %s", (order["customer_id"],))
        if order["customer_id"]
        else []
    )
    return OrderDetail(
        order=order,
        lines=bulk.fetch_dicts("SELECT * FROM orders_orderline WHERE order_id = %s ORDER BY line_no", (order_id,)),
        addresses=bulk.fetch_dicts(
            "SELECT * FROM orders_addressversion WHERE order_id = %s ORDER BY version DESC", (order_id,)
        ),
        holds=holds,
        customer=customers[0] if customers else None,
    )


def order_named(scope: Sequence[int], number: str, *, store_id: int | None = None) -> list[int]:
    """Ids of the orders with exactly this number, at most one a store."""
    stores = [store for store in scope if store_id in (None, store)]
    return [
        row[0]
        for row in bulk.fetch(
            "SELECT id FROM orders_order WHERE store_id = ANY(%s::bigint[]) AND number = %s ORDER BY id",
            (stores, number),
        )
    ]


def stores_of_orders(ids: Sequence[int]) -> dict[int, int]:
    """Order id → store id of those that exist: what a door asks before it lets somebody act on orders."""
    return dict(
        bulk.fetch("SELECT id, store_id FROM orders_order WHERE id = ANY(%s::bigint[])", (list(ids),))
    )


def stores_of_holds(ids: Sequence[int]) -> dict[int, int]:
    """Hold id → store id of those that exist."""
    return dict(
        bulk.fetch(
            """SELECT h.id, o.store_id FROM orders_hold h JOIN orders_order o ON o.id = h.order_id
               WHERE h.id = ANY(%s::bigint[])""",
            (list(ids),),
        )
    )


def orders_of_holds(ids: Sequence[int]) -> dict[int, int]:
    """Hold id → order id of those that are still open."""
    return dict(
        bulk.fetch(
            "SELECT id, order_id FROM orders_hold WHERE id = ANY(%s::bigint[]) AND released_at IS NULL", (list(ids),)
        )
    )


def unpaid(ids: Sequence[int]) -> list[int]:
    """Those of the orders whose buyer has not paid, be they still wanted or not."""
    return [row[0] for row in bulk.fetch(f"SELECT o.id FROM orders_order o WHERE o.id = ANY(%s::bigint[]) AND NOT {PAID} ORDER BY 1", (list(ids),))]


def wholly_cancelled(ids: Sequence[int]) -> list[int]:
    """Those of the orders of which no unit is wanted any more and no money was given back."""
    if not ids:
        return []
    return [
        row[0]
        for row in bulk.fetch(
            "SELECT id FROM orders_order WHERE id = ANY(%s::bigint[]) AND status = 'cancelled' AND refunded_amount = 0 ORDER BY id",
            (list(ids),),
        )
    ]


def waiting_for_payment(orders: Sequence[int] = (), *, holds: Sequence[int] = ()) -> list[int]:
    """Those of the orders, and of the orders of these holds, that are held because nobody has paid them."""
    return [
        row[0]
        for row in bulk.fetch(
            """SELECT DISTINCT order_id FROM orders_hold
               WHERE (order_id = ANY(%s::bigint[]) OR id = ANY(%s::bigint[])) AND reason = 'not_paid' AND released_at IS NULL
               ORDER BY 1""",
            (list(orders), list(holds)),
        )
    ]


def held_by_hand(order_ids: Sequence[int]) -> set[int]:
    """Those of the orders that a person holds as a whole."""
    rows = bulk.fetch(
        """SELECT order_id FROM orders_hold WHERE order_id = ANY(%s::bigint[]) AND line_id IS NULL
           AND reason = 'by_hand' AND released_at IS NULL""",
        (list(order_ids),),
    )
    return {row[0] for row in rows}


def open_holds_of(order_ids: Sequence[int]) -> list[int]:
    """Ids of all holds still open on these orders and their lines."""
    rows = bulk.fetch(
        "SELECT id FROM orders_hold WHERE order_id = ANY(%s::bigint[]) AND released_at IS NULL ORDER BY id",
        (list(order_ids),),
    )
    return [row[0] for row in rows]

"""Entries of the books with the words of what they are about: the order's number, the supplier's name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from daifa.lib import bulk
from daifa.lib.money import rounded
from daifa.lib.paging import Cursor
from daifa.lib.sentences import told

NEWEST = ("-at", "-id")

FACTS = (
    "order_paid", "purchase_accepted", "parcel_handed_over", "parcel_delivered", "parcel_lost", "refund_confirmed", "order_over",
    "expense", "supplier_paid", "deposit_moved", "commission_earned", "proceeds_settled", "proceeds_again", "late_settled", "reversal",
)  # fmt: skip


class Leg(NamedTuple):
    """One posting: debit positive."""

    code: str
    name: str
    name_zh: str
    currency: str
    amount: Decimal


class EntryRow(NamedTuple):
    """An entry with its legs; `reversed_by` is the entry that took it back."""

    id: int
    store_id: int
    at: datetime
    fact: str
    fact_id: int
    order_id: int | None
    order_number: str | None
    supplier_id: int | None
    supplier_name: str | None
    memo: str
    by: str
    reversal_of: int | None
    reversed_by: int | None
    legs: list[Leg]


_ENTRY = """SELECT e.id, e.store_id, e.at, e.fact, e.fact_id, e.order_id, o.number, e.supplier_id, s.name, e.memo, e.by,
                   e.reversal_of_id, (SELECT r.id FROM books_entry r WHERE r.reversal_of_id = e.id)
            FROM books_entry e LEFT JOIN orders_order o ON o.id = e.order_id
            LEFT JOIN sourcing_supplier s ON s.id = e.supplier_id"""


def entry_list(
    scope: Sequence[int], *, since: datetime | None = None, until: datetime | None = None, fact: str | None = None,
    order_id: int | None = None, supplier_id: int | None = None, q: str | None = None, cursor: Cursor | None = None,
    limit: int = 50,
) -> list[EntryRow]:  # fmt: skip
    """At most `limit` entries, newest first, dated from `since` on and before `until`.

    `q`: an order's number.
    """
    cursor = cursor or Cursor(NEWEST)
    beyond, params, order_by = cursor.sql({"at": "e.at", "id": "e.id"})
    where = [beyond, "e.store_id = ANY(%s::bigint[])"]
    params.append(list(scope))
    if since:
        where.append("e.at >= %s")
        params.append(since)
    if until:
        where.append("e.at < %s")
        params.append(until)
    if fact:
        where.append("e.fact = %s")
        params.append(fact)
    if order_id is not None:
        where.append("e.order_id = %s")
        params.append(order_id)
    if supplier_id is not None:
        where.append("e.supplier_id = %s")
        params.append(supplier_id)
    if q and (q := q.strip()):
        where.append(
            "e.order_id = ANY(ARRAY(SELECT id FROM orders_order WHERE number = %s AND store_id = ANY(%s::bigint[])))"
        )
        params += [q, list(scope)]
    rows = bulk.fetch(f"{_ENTRY} WHERE {' AND '.join(where)} ORDER BY {order_by} LIMIT %s", [*params, limit])
    return cursor.forwards(_with_legs(rows))


def entry(scope: Sequence[int], entry_id: int) -> EntryRow | None:
    """One entry; None when it is not there or not in scope."""
    rows = bulk.fetch(f"{_ENTRY} WHERE e.id = %s AND e.store_id = ANY(%s::bigint[])", (entry_id, list(scope)))
    return _with_legs(rows)[0] if rows else None


def _with_legs(rows: Sequence[tuple[Any, ...]]) -> list[EntryRow]:
    legs: dict[int, list[Leg]] = {}
    for entry_id, code, name, name_zh, currency, amount in bulk.fetch(
        """SELECT p.entry_id, a.code, a.name, a.name_zh, p.currency, p.amount FROM books_posting p
           JOIN books_account a ON a.id = p.account_id WHERE p.entry_id = ANY(%s::bigint[]) ORDER BY p.entry_id, p.line_no""",
        ([row[0] for row in rows],),
    ):
        legs.setdefault(entry_id, []).append(Leg(code, name, name_zh, currency, rounded(amount, currency)))
    return [EntryRow(*row[:9], told(row[9]), *row[10:], legs.get(row[0], [])) for row in rows]

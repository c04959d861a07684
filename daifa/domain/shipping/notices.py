"""What the channel is to be told about parcels: one notice for each parcel and version of its number.

The caller holds the transaction and, where notices are queued, the locks of the orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from daifa.domain.history.commands import move, record_births
from daifa.domain.shipping.process import DISPATCH_NOTICE
from daifa.lib import bulk

TABLE = DISPATCH_NOTICE.table_name


@dataclass(slots=True)
class Noticed:
    """`queued` notice ids are new, `replaced` ones were overtaken by a newer number before anybody was told.

    `unwanted`: parcel → why the channel is not told.
    """

    queued: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    unwanted: dict[int, str] = field(default_factory=dict)


def queue_notices(parcels: Sequence[int], *, at: datetime, by: str) -> Noticed:
    """Queue a notice for the newest number of each parcel, unless it has one; harmless to repeat.

    A notice with an older number that still waits is suppressed: the channel is told the newest one only.
    """
    result = Noticed()
    newest: dict[int, tuple[int, int]] = {}
    for parcel, store, state, version in bulk.fetch(
        """SELECT p.id, p.store_id, p.state,
                  coalesce((SELECT max(w.version) FROM shipping_waybillnumber w WHERE w.parcel_id = p.id AND w.is_active), 1)
           FROM shipping_parcel p WHERE p.id = ANY(%s::bigint[]) ORDER BY p.id""",
        (list(parcels),),
    ):
        if state == "cancelled":
            result.unwanted[parcel] = _("The parcel was cancelled.")
        else:
            newest[parcel] = (version, store)
    if not newest:
        return result
    there: set[tuple[int, int]] = set()
    for id_, parcel, version, state in bulk.fetch(
        f"SELECT id, parcel_id, version, state FROM {TABLE} WHERE parcel_id = ANY(%s::bigint[]) ORDER BY id",
        (list(newest),),
    ):
        there.add((parcel, version))
        if state == "queued" and version < newest[parcel][0]:
            result.replaced.append(id_)
    new = [(parcel, *row) for parcel, row in newest.items() if (parcel, row[0]) not in there]
    if not new and not result.replaced:
        return result
    result.queued = bulk.write_rows(
        TABLE,
        ("store_id", "parcel_id", "version", "state", "at"),
        [(store, parcel, version, "queued", at) for parcel, version, store in new],
    )
    batch = record_births(DISPATCH_NOTICE, result.queued, "queued", by=by, at=at)
    result.replaced = move(DISPATCH_NOTICE, result.replaced, to="suppressed", by=by, at=at, batch=batch).moved
    return result


def queued_notices(stores: Sequence[int]) -> list[int]:
    """Lock the waiting notices of these stores; ids in order."""
    return [
        row[0]
        for row in bulk.fetch(
            f"SELECT id FROM {TABLE} WHERE store_id = ANY(%s::bigint[]) AND state = 'queued' ORDER BY id FOR NO KEY UPDATE",
            (list(stores),),
        )
    ]


def confirm_notices(ids: Sequence[int], *, batch: int, answer: str, by: str, at: datetime) -> list[int]:
    """Told and confirmed at once, as when a person takes a file; returns the ids that were still waiting."""
    told = move(
        DISPATCH_NOTICE, ids, to="sent", by=by, at=at, batch=batch, set_at="sent_at", sets={"answer": answer[:300]}
    ).moved
    move(DISPATCH_NOTICE, told, to="confirmed", by=by, at=at, batch=batch)
    return told


def notices_with_answer(store: int, answer: str) -> list[int]:
    """The notices of a store that were confirmed by one file."""
    return [
        row[0]
        for row in bulk.fetch(
            f"SELECT id FROM {TABLE} WHERE store_id = %s AND answer = %s ORDER BY id", (store, answer)
        )
    ]


class NoticeRow(NamedTuple):
    """One order line in one parcel, as the channel is told. `replaces` is the number that no longer counts, or ""."""

    order_number: str
    sku: str
    quantity: int  # sales units
    carrier: str
    number: str
    shipped_at: datetime | None
    replaces: str


def rows_of_notices(ids: Sequence[int]) -> list[NoticeRow]:
    """What notices say: the number of the version they were made for, whatever the parcel's number is today."""
    return [
        NoticeRow(*row)
        for row in bulk.fetch(
            f"""
            SELECT o.number, l.sku, sum(i.order_quantity)::bigint, coalesce(nullif(w.carrier, ''), p.carrier),
                   coalesce(w.number, p.number), coalesce(p.handed_over_at, p.announced_at), coalesce(b.number, '')
            FROM {TABLE} n
            JOIN shipping_parcel p ON p.id = n.parcel_id
            JOIN orders_order o ON o.id = p.order_id
            JOIN shipping_parcelline i ON i.parcel_id = p.id
            JOIN orders_orderline l ON l.id = i.order_line_id
            LEFT JOIN shipping_waybillnumber w ON w.parcel_id = p.id AND w.version = n.version
            LEFT JOIN shipping_waybillnumber b ON b.parcel_id = p.id AND b.version = n.version - 1
            WHERE n.id = ANY(%s::bigint[])
            GROUP BY n.id, o.number, l.id, l.line_no, l.sku, w.carrier, p.carrier, w.number, p.number, p.handed_over_at,
                     p.announced_at, b.number
            ORDER BY n.id, l.line_no, l.id
            """,
            (list(ids),),
        )
    ]

"""Reads of parcels and what the channels were told. `scope` (ids of the stores the caller may see) comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.utils.translation import gettext

from daifa.domain.shipping.process import PARCEL
from daifa.lib import bulk
from daifa.lib.paging import Cursor
from daifa.lib.sentences import told

NEWEST = ("-announced_at", "-id")
SHORTEST_NUMBER = 4  # characters: fewer begin too many numbers
MOST_MATCHES = 5_000


class ParcelRow(NamedTuple):
    """A parcel in a list. `units` in the supplier's units; `order_number` is the channel's."""

    id: int
    store_id: int
    order_id: int
    order_number: str
    supplier_id: int
    supplier_code: str
    carrier: str
    number: str
    state: str
    units: int
    announced_at: datetime
    handed_over_at: datetime | None
    delivered_at: datetime | None
    last_event_at: datetime | None
    late_at: datetime | None
    is_late: bool
    is_shared_number: bool


def parcel_page(
    scope: Sequence[int],
    *,
    state: str | None = None,
    store_id: int | None = None,
    supplier_id: int | None = None,
    order_id: int | None = None,
    late: bool | None = None,
    q: str | None = None,
    cursor: Cursor | None = None,
    limit: int = 50,
) -> list[ParcelRow]:
    """At most `limit` parcels, newest announced first. `q`: a waybill number or its first four characters at least.

    `late`: those that are late and not delivered (True), or all others (False). An unknown state matches nothing.
    """
    stores = [store for store in scope if store_id in (None, store)]
    if not stores or (state and state not in PARCEL.table):
        return []
    conditions, params = [], []
    if state:
        conditions.append("p.state = %s")
        params.append(state)
    if supplier_id is not None:
        conditions.append("p.supplier_id = %s")
        params.append(supplier_id)
    if order_id is not None:
        conditions.append("p.order_id = %s")
        params.append(order_id)
    if late is not None:
        conditions.append(f"{'' if late else 'NOT '}(p.is_late AND p.delivered_at IS NULL)")
    if q and q.strip():
        conditions.append("p.id = ANY(%s::bigint[])")
        params.append([parcel for parcel, _order in _numbered(q.strip())])
    cursor = cursor or Cursor(NEWEST)
    beyond, key, order_by = cursor.sql({"announced_at": "p.announced_at", "id": "p.id"})
    conditions.append(beyond)
    # Bound by the client: which index serves best depends on the values, so the planner must see them.
    with connection.cursor() as c:
        c.execute(
            f"""
            SELECT p.id, p.store_id, p.order_id, o.number, p.supplier_id, s.code, p.carrier, p.number, p.state, p.units,
                   p.announced_at, p.handed_over_at, p.delivered_at, p.last_event_at, p.late_at, p.is_late,
                   p.is_shared_number
            FROM (SELECT p.* FROM unnest(%s::bigint[]) AS store(id) CROSS JOIN LATERAL (
                      SELECT p.* FROM shipping_parcel p WHERE p.store_id = store.id AND {" AND ".join(conditions)}
                      ORDER BY {order_by} LIMIT %s) p
                  ORDER BY {order_by} LIMIT %s) p
            JOIN orders_order o ON o.id = p.order_id JOIN sourcing_supplier s ON s.id = p.supplier_id
            ORDER BY {order_by}
            """,
            [stores, *params, *key, limit, limit],
        )
        return cursor.forwards([ParcelRow(*row) for row in c.fetchall()])


NUMBER_FOR_OTHERS = """
EXISTS (
    SELECT FROM shipping_parcel q
    JOIN orders_order oq ON oq.id = q.order_id JOIN orders_order op ON op.id = p.order_id
    LEFT JOIN orders_addressversion aq ON aq.order_id = oq.id AND aq.version = oq.address_version
    LEFT JOIN orders_addressversion ap ON ap.order_id = op.id AND ap.version = op.address_version
    WHERE q.number = p.number AND q.id <> p.id AND q.state <> 'cancelled' AND q.order_id <> p.order_id
      AND aq.digest IS DISTINCT FROM ap.digest{more})"""
"""Is the number of parcel `p` on a parcel (`q`) to another address, too? Several orders of one buyer in a box are not meant."""


def orders_of_numbers(scope: Sequence[int], q: str) -> set[int]:
    """Ids of the orders with a parcel whose waybill number, in force or replaced, is `q` or begins with it."""
    orders = {order for _parcel, order in _numbered(q.strip())}
    if not orders:
        return orders
    rows = bulk.fetch(
        "SELECT id FROM orders_order WHERE id = ANY(%s::bigint[]) AND store_id = ANY(%s::bigint[])",
        (list(orders), list(scope)),
    )
    return {row[0] for row in rows}


_BY_NUMBER = """
SELECT id, order_id FROM shipping_parcel p WHERE p.number >= %(from)s AND p.number < %(before)s
UNION ALL
SELECT p.id, p.order_id FROM shipping_waybillnumber w JOIN shipping_parcel p ON p.id = w.parcel_id
WHERE NOT w.is_active AND w.number >= %(from)s AND w.number < %(before)s
LIMIT %(limit)s
"""


def _numbered(q: str) -> list[tuple[int, int]]:
    """(parcel, order) of the numbers that begin with `q`, as typed or in capitals; of `q` itself where too many do."""
    found: dict[int, int] = {}
    for word in dict.fromkeys((q, q.upper())):
        # In byte order: everything that begins with the word; or the word alone (nothing sorts between it and "word !").
        for before in (word + "\U0010ffff", word + "\x01"):
            if len(word) < SHORTEST_NUMBER and before[-1] != "\x01":
                continue
            rows = bulk.fetch(_BY_NUMBER, {"from": word, "before": before, "limit": MOST_MATCHES + 1})
            if len(rows) <= MOST_MATCHES:
                found.update(rows)
                break
    return list(found.items())


@dataclass(frozen=True)
class ParcelDetail:
    """A parcel as plain rows: itself, its lines, versions of its number, scans (newest first), notices to the channel."""

    parcel: dict[str, Any]
    lines: list[dict[str, Any]]
    numbers: list[dict[str, Any]]
    events: list[dict[str, Any]]
    notices: list[dict[str, Any]]


def parcel_detail(scope: Sequence[int], parcel_id: int) -> ParcelDetail | None:
    """One parcel; None when it is not there or not in scope. Lines carry `sku` and `supplier_sku`."""
    from django.db.models import F

    from daifa.domain.shipping.models import DispatchNotice, Parcel, ParcelLine, TrackingEvent, WaybillNumber

    parcel = (
        Parcel.objects.filter(id=parcel_id, store_id__in=list(scope))
        .annotate(order_number=F("order__number"), supplier_code=F("supplier__code"))
        .values()
        .first()
    )
    if parcel is None:
        return None
    return ParcelDetail(
        parcel=parcel,
        lines=list(
            ParcelLine.objects.filter(parcel_id=parcel_id)
            .annotate(sku=F("order_line__sku"), supplier_sku=F("purchase_line__supplier_sku"))
            .order_by("id")
            .values()
        ),
        numbers=list(WaybillNumber.objects.filter(parcel_id=parcel_id).order_by("-version").values()),
        events=list(
            TrackingEvent.objects.filter(parcel_id=parcel_id)
            .order_by("-at", "status")
            .values("parcel_id", "at", "status", "raw_status", "place", "seen_at", "source")
        ),
        notices=list(DispatchNotice.objects.filter(parcel_id=parcel_id).order_by("-version").values()),
    )


# --- What stores take as files ------------------------------------------------------------------------------------


def notices_waiting(scope: Sequence[int]) -> dict[int, int]:
    """Store id → parcels whose number the store has not been told; stores that wait for none are left out."""
    return dict(
        bulk.fetch(
            """SELECT store_id, count(*) FROM shipping_dispatchnotice
               WHERE state = 'queued' AND store_id = ANY(%s::bigint[]) GROUP BY 1""",
            (list(scope),),
        )
    )


def dispatch_files(scope: Sequence[int], limit: int = 50) -> list[dict[str, Any]]:
    """The newest dispatch files taken by these stores: number, store_id, at, parcels."""
    rows = bulk.fetch(
        """SELECT substr(answer, 6)::bigint, store_id, min(sent_at), count(*) FROM shipping_dispatchnotice
           WHERE store_id = ANY(%s::bigint[]) AND answer ~ '^file:[0-9]+$' GROUP BY 1, 2 ORDER BY 1 DESC LIMIT %s""",
        (list(scope), limit),
    )
    return [dict(zip(("number", "store_id", "at", "parcels"), row, strict=True)) for row in rows]


# --- Parcel checks ------------------------------------------------------------------------------------------------

CHECKS_NEWEST = ("-at", "-id")


def check_page(
    scope: Sequence[int], *, state: str | None = None, about: str | None = None, order_id: int | None = None,
    q: str | None = None, cursor: Cursor | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """At most `limit` parcel checks, newest first, with `order_number` and `supplier_name`. `q`: an order number's beginning."""
    from django.db.models import F

    from daifa.domain.shipping.models import ParcelCheck

    found = ParcelCheck.objects.filter(store_id__in=list(scope))
    if state:
        found = found.filter(state=state)
    if about:
        found = found.filter(about=about)
    if order_id is not None:
        found = found.filter(order_id=order_id)
    if q and q.strip():
        found = found.filter(order__number__startswith=q.strip())
    rows = (cursor or Cursor(CHECKS_NEWEST)).slice(
        found.annotate(order_number=F("order__number"), supplier_name=F("supplier__name")).values(
            "id", "store_id", "order_id", "order_number", "supplier_id", "supplier_name", "about", "state", "name", "traces",
            "lines", "at", "read_at",
        ),
        limit,
    )  # fmt: skip
    return list(rows)


def check_detail(scope: Sequence[int], check_id: int) -> dict[str, Any] | None:
    """One parcel check as a row with `order_number` and `supplier_name`; None when not there or not in scope."""
    from django.db.models import F

    from daifa.domain.shipping.models import ParcelCheck

    found = (
        ParcelCheck.objects.filter(id=check_id, store_id__in=list(scope))
        .annotate(order_number=F("order__number"), supplier_name=F("supplier__name"))
        .values()
        .first()
    )
    if found and found["reason"]:
        found["reason"] = gettext(told(found["reason"]))  # the reader's sentences are kept as daifa says them; a person's as they are
    return found


def checks_of_photos(store_id: int, order_id: int | None, hashes: Sequence[str]) -> list[dict[str, Any]]:
    """The parcel checks of these photos (SHA-256) of one order, or of none, as they were handed in: with `supplier_name`."""
    from django.db.models import F

    from daifa.domain.shipping.models import ParcelCheck

    return list(
        ParcelCheck.objects.filter(store_id=store_id, order_id=order_id, sha256__in=list(hashes))
        .annotate(supplier_name=F("supplier__name"))
        .order_by("id")
        .values("id", "name", "state", "traces", "supplier_id", "supplier_name", "at")
    )


def checks_of_sample(sample_id: int) -> list[dict[str, Any]]:
    """The parcel checks of a sample, newest first."""
    from daifa.domain.shipping.models import ParcelCheck

    return list(
        ParcelCheck.objects.filter(sample_id=sample_id).order_by("-id").values("id", "name", "state", "traces", "at")
    )


def photos_waiting(limit: int) -> list[tuple[int, str]]:
    """(check, sha256) of photos that nobody has read yet, oldest first."""
    return bulk.fetch(
        "SELECT id, sha256 FROM shipping_parcelcheck WHERE state = 'received' ORDER BY id LIMIT %s", (limit,)
    )

"""Everything that may be done to parcels. The caller holds the transaction and the orders' locks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from daifa.domain.history.commands import move, record_births, record_facts
from daifa.domain.orders.commands import count_lines
from daifa.domain.shipping.process import PARCEL
from daifa.lib import bulk


class NewParcel(NamedTuple):
    """A parcel a supplier announced for one order: its waybill and what is in it.

    `lines`: (purchase line, order line, supplier units, sales units). `handed_over_at` None = only announced.
    """

    store: int
    order: int
    supplier: int
    carrier: str
    confidence: int
    number: str
    lines: tuple[tuple[int, int, int, int], ...]
    handed_over_at: datetime | None
    transit_days: int


def write_parcels(
    parcels: Sequence[NewParcel], *, source: str, by: str, at: datetime
) -> tuple[list[int], list[int], list[int]]:
    """Write new parcels, or add lines to those of the same order, supplier and number.

    Returns the ids of the new ones, of those that grew, and of those that grew after they had been delivered.

    The order side (`shipped` of lines and orders) is counted here; the purchase side by the caller.
    """
    if not parcels:
        return [], [], []
    existing: dict[tuple[int, int, str], int] = {}
    delivered: set[int] = set()
    shared: set[str] = set()
    for parcel, order, supplier, number, delivered_at in bulk.fetch(
        """SELECT id, order_id, supplier_id, number, delivered_at FROM shipping_parcel
           WHERE number = ANY(%s::text[]) AND state <> 'cancelled'""",
        (list({p.number for p in parcels}),),
    ):
        existing[order, supplier, number] = parcel
        shared.add(number)
        if delivered_at is not None:
            delivered.add(parcel)
    fresh: dict[tuple[int, int, str], NewParcel] = {}
    lines: list[tuple[tuple[int, int, str], tuple[int, int, int, int]]] = []
    for parcel in parcels:
        key = (parcel.order, parcel.supplier, parcel.number)
        if key not in existing and key not in fresh:
            fresh[key] = parcel
        lines += [(key, line) for line in parcel.lines]
    orders_of: dict[str, set[int]] = {}
    for order, _supplier, number in fresh:
        orders_of.setdefault(number, set()).add(order)
    units: dict[tuple[int, int, str], int] = {}
    for key, line in lines:
        units[key] = units.get(key, 0) + line[2]
    written = bulk.write_rows(
        "shipping_parcel",
        (
            "store_id", "order_id", "supplier_id", "carrier", "number", "state", "units", "announced_at",
            "handed_over_at", "last_event_at", "late_at", "is_shared_number",
        ),
        [
            (
                p.store, p.order, p.supplier, p.carrier, p.number,
                "handed_over" if p.handed_over_at else "announced", units.get(key, 0), at, p.handed_over_at,
                p.handed_over_at or at, (p.handed_over_at or at) + timedelta(days=p.transit_days),
                p.number in shared or len(orders_of[p.number]) > 1,
            )
            for key, p in fresh.items()
        ],
    )  # fmt: skip
    ids = dict(zip(fresh, written, strict=True))
    bulk.copy_rows(
        "shipping_waybillnumber",
        ("parcel_id", "number", "carrier", "confidence", "source", "at"),
        [(ids[key], p.number, p.carrier, p.confidence, source, at) for key, p in fresh.items()],
    )
    bulk.copy_rows(
        "shipping_parcelline",
        ("parcel_id", "purchase_line_id", "order_line_id", "quantity", "order_quantity"),
        [(ids.get(key) or existing[key], *line) for key, line in lines],
    )
    added = {existing[key]: n for key, n in units.items() if key in existing and n}
    if added:
        bulk.execute(
            """UPDATE shipping_parcel p SET units = p.units + d.n
               FROM unnest(%s::bigint[], %s::int[]) AS d(id, n) WHERE p.id = d.id""",
            (list(added), list(added.values())),
        )
        record_facts("parcels_extended", list(added), at=at)
    if shared:
        bulk.execute(
            "UPDATE shipping_parcel SET is_shared_number = true WHERE number = ANY(%s::text[]) AND NOT is_shared_number",
            ([number for number in shared if any(key[2] == number for key in fresh)],),
        )
    shipped: dict[int, dict[str, int]] = {}
    for key, (_, order_line, _, order_units) in lines:
        counter = shipped.setdefault(order_line, {"shipped": 0, "delivered": 0})
        counter["shipped"] += order_units
        counter["delivered"] += order_units if existing.get(key) in delivered else 0
    count_lines(shipped)
    batch = None
    for state in ("announced", "handed_over"):
        born = [ids[key] for key, p in fresh.items() if bool(p.handed_over_at) == (state == "handed_over")]
        batch = record_births(PARCEL, born, state, batch=batch, by=by, at=at)
    return list(ids.values()), list(added), [parcel for parcel in added if parcel in delivered]


def replace_numbers(rows: Sequence[tuple[int, str, str]], *, source: str, by: str, at: datetime) -> list[int]:
    """Give parcels (id, new number, carrier) a new waybill number; the old one stays on record.

    Parcels that have ended, or have that number already, stay. Returns the parcels changed.
    """
    if not rows:
        return []
    changed = bulk.fetch(
        """UPDATE shipping_parcel p SET number = d.number, carrier = CASE WHEN d.carrier = '' THEN p.carrier ELSE d.carrier END
           FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS d(id, number, carrier)
           WHERE p.id = d.id AND p.number <> d.number AND p.state <> ALL(%s::text[])
           RETURNING p.id, p.number, p.carrier""",
        ([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], ["delivered", "returned_to_sender", "cancelled"]),
    )
    ids = [row[0] for row in changed]
    if not ids:
        return []
    versions = dict(
        bulk.fetch(
            """WITH old AS (UPDATE shipping_waybillnumber SET is_active = false
                            WHERE parcel_id = ANY(%s::bigint[]) AND is_active RETURNING parcel_id)
               SELECT parcel_id, max(version) FROM shipping_waybillnumber WHERE parcel_id = ANY(%s::bigint[]) GROUP BY 1""",
            (ids, ids),
        )
    )
    bulk.copy_rows(
        "shipping_waybillnumber",
        ("parcel_id", "version", "number", "carrier", "source", "at"),
        [(parcel, versions[parcel] + 1, number, carrier, source, at) for parcel, number, carrier in changed],
    )
    return ids


class Scanned(NamedTuple):
    """What scans changed, by parcel id."""

    handed_over: list[int]
    moving: list[int]
    delivered: list[int]
    returned: list[int]
    lost: list[int]
    orders: list[int]


def record_scans(
    rows: Sequence[tuple[int, datetime, str, str, str]], *, source: str, by: str, at: datetime
) -> tuple[int, Scanned]:
    """Store scans (parcel, time, status, the carrier's words, place) once, and move the parcels.

    The newest known scan decides the state, in whatever order they come; `delivered` gives way only to
    `returned_to_sender`. A word nobody knows (`unknown`) is kept and moves nothing. Scans of one moment at two places are
    two; one without a place is none beside one that has it. Returns (new scans, what changed).
    """
    nothing = Scanned([], [], [], [], [], [])
    if not rows:
        return 0, nothing
    ids = sorted({row[0] for row in rows})
    fresh = bulk.fetch(
        """INSERT INTO shipping_trackingevent (parcel_id, at, status, raw_status, place, seen_at, source)
           SELECT p, t, s, left(r, 200), left(c, 120), %s, %s
           FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s::text[]) AS x(p, t, s, r, c)
           ON CONFLICT DO NOTHING RETURNING parcel_id, at, status, raw_status, place""",
        (at, source, *([row[i] for row in rows] for i in range(5))),
    )
    if not fresh:
        return 0, nothing
    now = {
        parcel: (state, handed_over_at, last)
        for parcel, state, handed_over_at, last in bulk.fetch(
            """SELECT id, state, handed_over_at, last_event_at FROM shipping_parcel WHERE id = ANY(%s::bigint[])
               ORDER BY id FOR NO KEY UPDATE""",
            (ids,),
        )
    }
    # Of a moment that was scanned already: it may be known with its place.
    if again := [row[:4] for row in fresh if not row[4] and (last_at := now[row[0]][2]) is not None and row[1] <= last_at]:
        gone = set(_known_with_place(again))
        fresh = [row for row in fresh if row[4] or row[:4] not in gone]
        if not fresh:
            return 0, nothing
    by_parcel: dict[int, list[tuple[datetime, str]]] = {}
    for parcel, when, status, _words, _place in fresh:
        by_parcel.setdefault(parcel, []).append((when, status))
    newest_move = _newest_moves([parcel for parcel, scans in by_parcel.items() if any(s[1] in _MOVES for s in scans)])
    target: dict[str, list[int]] = {}
    handed: dict[int, datetime] = {}
    last: dict[int, datetime] = {}
    delivered_at: dict[int, datetime] = {}
    first_moves: list[int] = []
    for parcel, scans in by_parcel.items():
        state, handed_over_at, last_at = now[parcel]
        scans = sorted(s for s in scans if s[1] not in ("unknown", "announced"))
        if not scans:
            continue
        if handed_over_at is None:
            handed[parcel] = scans[0][0]
        if last_at is None or scans[-1][0] > last_at:
            last[parcel] = scans[-1][0]
        if arrivals := [when for when, status in scans if status == "delivered"]:
            delivered_at[parcel] = arrivals[0]
        newest = _newest(state, newest_move.get(parcel), scans)
        if newest and newest != state:
            target.setdefault(newest, []).append(parcel)
            if state in ("announced", "handed_over") and newest not in ("handed_over",):
                first_moves.append(parcel)
    result = Scanned([], [], [], [], [], [])
    if handed:
        rows_ = bulk.fetch(
            """UPDATE shipping_parcel p SET handed_over_at = d.t, late_at = d.t + (p.late_at - p.announced_at)
               FROM unnest(%s::bigint[], %s::timestamptz[]) AS d(id, t)
               WHERE p.id = d.id AND p.handed_over_at IS NULL RETURNING p.id""",
            (list(handed), list(handed.values())),
        )
        result.handed_over.extend(row[0] for row in rows_)
    if last:
        bulk.execute(
            """UPDATE shipping_parcel p SET last_event_at = d.t
               FROM unnest(%s::bigint[], %s::timestamptz[]) AS d(id, t) WHERE p.id = d.id""",
            (list(last), list(last.values())),
        )
    batch = None
    for state, parcels in target.items():
        done = move(PARCEL, parcels, to=state, by=by, at=at, reason=source, batch=batch)
        moved, batch = done.moved, done.batch
        if state == "delivered":
            result.delivered.extend(moved)
        elif state == "returned_to_sender":
            result.returned.extend(moved)
        elif state == "lost":
            result.lost.extend(moved)
        elif state != "handed_over":
            result.moving.extend(set(moved) & set(first_moves))
    if delivered_at:
        # Also where it has been sent back since: what was delivered was delivered, whichever scan was read first.
        result.delivered[:] = _deliver(delivered_at)
    return len(fresh), result


def _newest_moves(parcels: list[int]) -> dict[int, tuple[datetime, str]]:
    """Parcel → time and status of its newest movement."""
    if not parcels:
        return {}
    return {
        parcel: (when, status)
        for parcel, when, status in bulk.fetch(
            """SELECT DISTINCT ON (e.parcel_id) e.parcel_id, e.at, e.status FROM unnest(%s::bigint[]) AS x(id)
               JOIN shipping_trackingevent e ON e.parcel_id = x.id AND e.status = ANY(%s::text[])
               ORDER BY e.parcel_id, e.at DESC, e.status DESC""",
            (parcels, list(_MOVES)),
        )
    }


_MOVES = ("in_transit", "out_for_delivery", "attempt_failed", "pickup_ready", "exception", "lost")


def _known_with_place(scans: Sequence[tuple[int, datetime, str, str]]) -> list[tuple[int, datetime, str, str]]:
    """Take those of these placeless scans (parcel, time, status, words) away again that are known with a place; returns them."""
    return bulk.fetch(
        """DELETE FROM shipping_trackingevent e USING unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::text[]) AS x(p, t, s, r)
           WHERE e.parcel_id = x.p AND e.at = x.t AND e.status = x.s AND e.raw_status = x.r AND e.place = ''
             AND EXISTS (SELECT FROM shipping_trackingevent k WHERE k.parcel_id = e.parcel_id AND k.at = e.at
                           AND k.status = e.status AND k.raw_status = e.raw_status AND k.place <> '')
           RETURNING e.parcel_id, e.at, e.status, e.raw_status""",
        [[scan[i] for scan in scans] for i in range(4)],
    )


def _newest(state: str, newest_move: tuple[datetime, str] | None, scans: list[tuple[datetime, str]]) -> str:
    """The state that fresh scans lead to; "" = they change nothing.

    Whatever the order in which scans are read, the same state comes out: returned, else delivered, else the newest
    movement of all that are stored (of two at one moment the later in the alphabet), else handed over.
    """
    ends = [status for _, status in scans if status in ("delivered", "returned_to_sender")]
    if "returned_to_sender" in ends:
        return "returned_to_sender"
    if state == "returned_to_sender":
        return ""
    if ends or state == "delivered":
        return "delivered"
    if newest_move is not None:
        return newest_move[1] if newest_move in scans else ""  # a late reading of an old scan changes nothing
    return "handed_over" if state == "announced" else ""


def _deliver(delivered: dict[int, datetime]) -> list[int]:
    """Note when parcels were delivered (the earliest scan that says so) and count their units; those that were not before."""
    new = [
        row[0]
        for row in bulk.fetch(
            """WITH old AS MATERIALIZED (SELECT id, delivered_at FROM shipping_parcel WHERE id = ANY(%s::bigint[])),
               now AS (UPDATE shipping_parcel p SET delivered_at = least(p.delivered_at, d.t)
                       FROM unnest(%s::bigint[], %s::timestamptz[]) AS d(id, t) WHERE p.id = d.id AND p.state <> 'cancelled')
               SELECT id FROM old WHERE delivered_at IS NULL ORDER BY id""",
            (list(delivered), list(delivered), list(delivered.values())),
        )
    ]
    rows = bulk.fetch(
        """SELECT order_line_id, sum(order_quantity)::int FROM shipping_parcelline
           WHERE parcel_id = ANY(%s::bigint[]) GROUP BY 1""",
        (new,),
    )
    count_lines({line: {"delivered": units} for line, units in rows})
    return new


def find_late(*, at: datetime, limit: int) -> list[int]:
    """Mark parcels that should have arrived by now as late, once each. Returns them."""
    return [
        row[0]
        for row in bulk.fetch(
            """WITH due AS (
                   SELECT id FROM shipping_parcel
                   WHERE late_at <= %s AND delivered_at IS NULL AND NOT is_late
                     AND state NOT IN ('lost', 'returned_to_sender', 'cancelled')
                   ORDER BY late_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
               UPDATE shipping_parcel p SET is_late = true FROM due WHERE p.id = due.id RETURNING p.id""",
            (at, limit),
        )
    ]


def find_lost(*, by: str, at: datetime, limit: int) -> list[int]:
    """Late parcels without a scan for the store's `lost_days` are lost. Returns them."""
    ids = [
        row[0]
        for row in bulk.fetch(
            """SELECT p.id FROM shipping_parcel p JOIN stores_store s ON s.id = p.store_id
               WHERE p.is_late AND p.delivered_at IS NULL
                 AND p.state NOT IN ('lost', 'returned_to_sender', 'cancelled', 'delivered')
                 AND p.last_event_at < %s - make_interval(days => s.lost_days)
               ORDER BY p.id LIMIT %s""",
            (at, limit),
        )
    ]
    return move(PARCEL, ids, to="lost", by=by, at=at, reason="no scan for too long").moved

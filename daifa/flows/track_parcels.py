"""Track: scans in any order, any number of times; late and lost parcels found by the clock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.connectors.contract import RowProblem, TrackingRow
from daifa.connectors.errors import ConnectorError
from daifa.connectors.registry import ASKABLE_KINDS, supplier_connector
from daifa.domain.history.commands import record_facts
from daifa.domain.orders.commands import lock_orders_of
from daifa.domain.shipping import commands as shipping
from daifa.domain.stores.commands import NewTask, open_tasks
from daifa.lib import bulk

PAGE = 500


@dataclass(slots=True)
class Tracked:
    """What a batch of scans did."""

    used: int = 0
    repeated: int = 0
    problems: list[RowProblem] = field(default_factory=list)


def apply_tracking(
    rows: Sequence[TrackingRow], *, source: str, by: str, at: datetime, stores: Sequence[int] | None = None
) -> Tracked:
    """Store scans and move parcels; atomic with the caller's transaction. `stores` limits whose parcels may be named.

    Numbers nobody knows are problems. A number several orders share moves all their parcels.
    """
    result = Tracked()
    parcels: dict[str, list[int]] = {}
    for number, parcel in bulk.fetch(
        # Each half has its index: a parcel carries its newest number, the replaced ones lie among the waybills.
        """WITH wanted AS (SELECT unnest(%(numbers)s::text[]) AS number)
           SELECT p.number, p.id FROM wanted JOIN shipping_parcel p USING (number)
           WHERE p.state <> 'cancelled' AND (%(stores)s::bigint[] IS NULL OR p.store_id = ANY(%(stores)s::bigint[]))
           UNION
           SELECT n.number, p.id FROM wanted
           JOIN shipping_waybillnumber n ON n.number = wanted.number AND NOT n.is_active
           JOIN shipping_parcel p ON p.id = n.parcel_id
           WHERE p.state <> 'cancelled' AND (%(stores)s::bigint[] IS NULL OR p.store_id = ANY(%(stores)s::bigint[]))
           ORDER BY 2""",
        {"numbers": list({row.number for row in rows}), "stores": stores and list(stores)},
    ):
        parcels.setdefault(number, []).append(parcel)
    scans = []
    for row in rows:
        if row.number not in parcels:
            result.problems.append(
                RowProblem(
                    row.row, "number_unknown", N_("No parcel here travels under the number %(number)s."),
                    {"number": row.number}, document=row.number,
                )
            )  # fmt: skip
        elif row.at > at:
            result.problems.append(
                RowProblem(
                    row.row, "scan_in_future", N_("The scan of %(number)s lies in the future: %(at)s by the clock of %(zone)s."),
                    {"number": row.number, "at": f"{row.at:%Y-%m-%d %H:%M}", "zone": str(row.at.tzinfo)}, document=row.number,
                )
            )  # fmt: skip
        else:
            result.used += 1
            scans += [(parcel, row.at, row.status, row.raw_status, row.place) for parcel in parcels[row.number]]
    if scans:
        lock_orders_of("shipping_parcel", sorted({scan[0] for scan in scans}))
        fresh, changed = shipping.record_scans(scans, source=source, by=by, at=at)
        result.repeated = max(0, len(scans) - fresh)
        record_facts("parcels_handed_over", changed.handed_over, at=at)
        record_facts("parcels_in_transit", changed.moving, at=at)
        record_facts("parcels_delivered", changed.delivered, at=at)
        record_facts("parcels_returned", changed.returned, at=at)
        if changed.lost:
            _report_lost(changed.lost, at=at)
    return result


def watch_parcels(*, at: datetime, by: str = "job:watch_parcels") -> dict[str, int]:
    """Find late and lost parcels; each is told once."""
    counts = {"late": 0, "lost": 0}
    for name in counts:
        while True:
            with transaction.atomic():
                if name == "late":
                    found = shipping.find_late(at=at, limit=PAGE)
                    record_facts("parcels_delayed", found, at=at)
                else:
                    found = shipping.find_lost(by=by, at=at, limit=PAGE)
                    _report_lost(found, at=at)
            counts[name] += len(found)
            if len(found) < PAGE:
                break
    return counts


def _report_lost(parcels: Sequence[int], *, at: datetime) -> None:
    if not parcels:
        return
    record_facts("parcels_lost", list(parcels), at=at)
    open_tasks(
        [
            NewTask(kind="parcel_lost", store_id=store, thing_kind="parcel", thing=parcel, params={"number": number},
                    stake=stake, currency=currency)
            for parcel, store, number, stake, currency in bulk.fetch(
                """SELECT p.id, p.store_id, p.number, sum(l.order_quantity * ol.unit_price), o.currency
                   FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id
                   LEFT JOIN shipping_parcelline l ON l.parcel_id = p.id
                   LEFT JOIN orders_orderline ol ON ol.id = l.order_line_id
                   WHERE p.id = ANY(%s::bigint[]) GROUP BY p.id, o.currency""", (list(parcels),))
        ],
        at=at,
    )  # fmt: skip


def poll_tracking(*, at: datetime, by: str = "job:poll_tracking") -> Tracked:
    """Ask suppliers with a system about numbers that still move."""
    total = Tracked()
    for supplier, kind, code, script in bulk.fetch(
        "SELECT id, kind, code, script FROM sourcing_supplier WHERE kind = ANY(%s::text[]) ORDER BY id",
        (list(ASKABLE_KINDS),),
    ):
        connector: Any = supplier_connector(kind=kind, code=code, script=json.loads(script), home=settings.DAIFA_HOME)
        moving = [
            row[0]
            for row in bulk.fetch(
                """SELECT number FROM shipping_parcel WHERE supplier_id = %s AND delivered_at IS NULL
                   AND state NOT IN ('lost', 'returned_to_sender', 'cancelled') ORDER BY id""",
                (supplier,),
            )
        ]
        for start in range(0, len(moving), PAGE):
            try:
                rows = connector.track(moving[start : start + PAGE], at=at)
            except ConnectorError:
                break
            with transaction.atomic():
                tracked = apply_tracking(rows, source=by, by=by, at=at)
            total.used += tracked.used
            total.problems += tracked.problems
    return total

"""Keep clocks: every few minutes what is open is reckoned anew, parcels are looked at, and once an hour the metrics.

Nothing is told to anybody from here: Today reads what runs out, `flows/chase_suppliers.py` asks suppliers in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from daifa.domain.compliance import commands, health
from daifa.domain.history.commands import retried
from daifa.domain.stores.queries import whole_scope
from daifa.flows.reads.store_health import complaints_of


def keep_clocks(
    *, at: datetime, by: str = "job:keep_clocks", stores: Sequence[int] | None = None, orders: Sequence[int] | None = None
) -> dict[str, int]:
    """Reckon clocks and findings as of `at`, of these stores (all); or the clocks of some orders only, at once. Returns counts."""
    reckoned = retried(lambda: commands.reckon_clocks(at=at, stores=stores, orders=orders))
    if orders is not None:
        return {"clocks": reckoned.clocks, "changed": reckoned.new + reckoned.changed + reckoned.gone, "findings": 0}
    found = retried(lambda: commands.find_parcel_faults(at=at, stores=stores))
    changed = reckoned.new + reckoned.changed + reckoned.gone
    return {"clocks": reckoned.clocks, "changed": changed, "findings": sum(found.values())}


def keep_metrics(*, at: datetime, stores: Sequence[int] | None = None) -> int:
    """Reckon the metrics of every store (or these) and keep them as the day's. Returns how many figures."""
    return sum(
        health.keep_metrics(store_id=store, at=at, complaints=complaints_of(store, at=at))
        for store in (whole_scope() if stores is None else stores)
    )

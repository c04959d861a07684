"""How many things wait for a person, cheap enough to be asked on every page: open tasks, held orders, clocks that ran out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from daifa.lib import bulk

MOST = 100
"""Held orders and clocks are counted up to here: whoever has a hundred of them opens the list anyway."""


def waiting(scope: Sequence[int], *, shared: bool, at: datetime) -> dict[tuple[str, str], int]:
    """(kind of task, kind of thing) → open tasks of these stores; ("held", "order") and ("clock", "") up to MOST.

    `shared` adds tasks that belong to no single store. One statement.
    """
    stores = list(scope)
    rows = bulk.fetch(
        """SELECT kind, thing_kind, count(*) FROM stores_task
           WHERE closed_at IS NULL AND (store_id = ANY(%(stores)s::bigint[]) OR (store_id IS NULL AND %(shared)s)) GROUP BY 1, 2
           UNION ALL
           SELECT 'held', 'order', count(*) FROM (
               SELECT FROM orders_order WHERE store_id = ANY(%(stores)s::bigint[]) AND status = 'on_hold' LIMIT %(most)s) AS held
           UNION ALL
           SELECT 'clock', '', count(*) FROM (
               SELECT FROM compliance_clock WHERE store_id = ANY(%(stores)s::bigint[]) AND due_at <= %(at)s AND acts
               LIMIT %(most)s) AS run_out""",
        {"stores": stores, "shared": shared, "at": at, "most": MOST},
    )
    return {(kind, thing): count for kind, thing, count in rows if count}

"""Closings as figures: which stores are open, when one shut, and each end with its cause, its days and its deposit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from daifa.domain.closing import queries as closing
from daifa.domain.exit_index.rules import ClosureRecord
from daifa.domain.stores.models import Store
from daifa.lib import bulk

CAUSE_OF = {"forced": "compliance", "choice": "business", "rule_change": "policy", "no_traffic": "users"}
"""Scenario of a closing → the group of causes it is counted in."""


def open_stores(scope: Sequence[int]) -> set[int]:
    """Those of the stores whose life is open: they take orders, or could."""
    return {store for store, state in closing.lifecycles(scope).items() if state == "open"}


def shut_on(scope: Sequence[int]) -> dict[int, date]:
    """Store → the day from which it takes no new orders, in its time zone, for those whose present life has ended."""
    rows = bulk.fetch(
        """SELECT l.store_id, (coalesce(l.shut_at, l.closed_at, l.archived_at) AT TIME ZONE s.timezone)::date
           FROM closing_lifecycle l JOIN stores_store s ON s.id = l.store_id
           WHERE l.replaced_at IS NULL AND l.state IN ('closing', 'closed', 'archived') AND l.store_id = ANY(%s::bigint[])
             AND coalesce(l.shut_at, l.closed_at, l.archived_at) IS NOT NULL""",
        (list(scope),),
    )
    return dict(rows)


def closure_records(scope: Sequence[int]) -> list[ClosureRecord]:
    """Every closing that went on to wind the store up, oldest first; what was averted or withdrawn is none.

    `began` is the day from which new orders were not taken. Deposits are those held on that day and given back since.
    Past closings that were recorded count beside them; `store_id` is 0 for stores that were never kept here, which
    only those see who see every store.
    """
    rows = bulk.fetch(
        """
        SELECT c.store_id, c.scenario, coalesce(l.shut_at, c.started_at), l.closed_at, s.currency, s.timezone,
               (SELECT coalesce(sum(CASE WHEN m.kind IN ('paid_in', 'topped_up', 'given_back') THEN m.amount
                                         WHEN m.kind IN ('deducted', 'withdrawn', 'returned') THEN -m.amount ELSE 0 END), 0)
                FROM cases_depositmove m WHERE m.store_id = c.store_id AND m.at < coalesce(l.shut_at, c.started_at)),
               (SELECT sum(m.amount) FROM cases_depositmove m WHERE m.store_id = c.store_id AND m.kind = 'returned'
                AND m.at >= coalesce(l.shut_at, c.started_at) AND (l.replaced_at IS NULL OR m.at < l.replaced_at)),
               (SELECT max(m.at) FROM cases_depositmove m WHERE m.store_id = c.store_id AND m.kind = 'returned'
                AND m.at >= coalesce(l.shut_at, c.started_at) AND (l.replaced_at IS NULL OR m.at < l.replaced_at))
        FROM closing_closing c JOIN closing_lifecycle l ON l.id = c.lifecycle_id JOIN stores_store s ON s.id = c.store_id
        WHERE c.state IN ('running', 'done') AND c.store_id = ANY(%s::bigint[])
        ORDER BY 3, c.id
        """,
        (list(scope),),
    )
    found = []
    for store, scenario, began, closed, currency, timezone, held, returned, deposit_at in rows:
        zone = ZoneInfo(timezone)
        found.append(
            ClosureRecord(
                store, scenario, CAUSE_OF[scenario], began.astimezone(zone).date(), closed.astimezone(zone).date() if closed else None,
                float(held), None if returned is None else float(returned),
                deposit_at.astimezone(zone).date() if deposit_at else None, currency,
            )
        )  # fmt: skip
    found += [
        ClosureRecord(
            one.store_id or 0, one.scenario, CAUSE_OF[one.scenario], one.began_on, one.closed_on, float(one.deposit_held),
            None if one.deposit_returned is None else float(one.deposit_returned), one.deposit_on, one.currency, one.name,
        )
        for one in closing.past_closings(scope, all_stores=not Store.objects.exclude(pk__in=list(scope)).exists())
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.began)

"""What of this waits for a person, as tasks: one a store where many things wait for the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.lib import bulk

WAIT, UPLOAD, UNKNOWN, AGAINST, PERSON = (
    "listings_wait", "listings_to_upload", "publication_unknown", "listings_against_rules", "channel_needs_person",
)  # fmt: skip


def count_waiting(stores: Sequence[int], *, by: str, at: datetime) -> None:
    """One task a store while something waits there for a person."""
    counts = dict(
        bulk.fetch(
            "SELECT store_id, count(*) FROM catalog_publication WHERE state = 'waiting' AND store_id = ANY(%s::bigint[]) GROUP BY 1",
            (list(stores),),
        )
    )
    one_task_a_store("listings_wait", stores, counts, by=by, at=at)


def one_task_a_store(kind: str, stores: Sequence[int], counts: Mapping[int, int], *, by: str, at: datetime) -> None:
    """The task of this kind (`WAIT`, `AGAINST`) stands in those of the stores of which something is counted, and says how much."""
    close_tasks(kind=kind, thing_kind="listings", things=[one for one in stores if not counts.get(one)], by=by, at=at)
    bulk.execute(
        """UPDATE stores_task t SET params = jsonb_build_object('count', c.count)
           FROM unnest(%s::bigint[], %s::int[]) AS c(store, count)
           WHERE t.kind = %s AND t.thing_kind = 'listings' AND t.thing = c.store AND t.closed_at IS NULL""",
        (list(counts), list(counts.values()), kind),
    )
    if kind == WAIT:
        tasks = [NewTask("listings_wait", store, "listings", store, {"count": count}) for store, count in counts.items()]
    else:
        tasks = [NewTask("listings_against_rules", store, "listings", store, {"count": count}) for store, count in counts.items()]
    open_tasks(tasks, at=at)

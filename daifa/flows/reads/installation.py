"""How this copy of daifa is: workers, jobs waiting, reactions owed and parked. Of no single store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from daifa.domain.history.models import PendingReaction
from daifa.lib import bulk
from daifa.lib.paging import Cursor


@dataclass(frozen=True, slots=True)
class Health:
    """`beat_at`: last sign of a worker, None where there is none. `owed`: things with a reaction still to come."""

    workers: int
    beat_at: datetime | None
    jobs_waiting: int
    jobs_failed: int
    owed: int
    owed_since: datetime | None
    parked: int
    messages_waiting: int
    database_bytes: int


def health() -> Health:
    """The state of the worker and of the work, in one statement."""
    row = bulk.fetch(
        """SELECT w.workers, w.beat, j.waiting, j.failed, coalesce(r.owed, 0)::int, r.since, coalesce(r.parked, 0)::int,
                  (SELECT count(*) FROM buyer_messages_message WHERE state = 'queued'),
                  pg_database_size(current_database())
           FROM (SELECT count(*) AS workers, max(last_heartbeat) AS beat FROM procrastinate_workers) w,
                (SELECT count(*) FILTER (WHERE status = 'todo') AS waiting, count(*) FILTER (WHERE status = 'failed') AS failed
                 FROM procrastinate_jobs) j,
                (SELECT sum(cardinality(things)) FILTER (WHERE state = 'pending') AS owed,
                        min(at) FILTER (WHERE state = 'pending') AS since,
                        sum(cardinality(things)) FILTER (WHERE state = 'parked') AS parked FROM history_pendingreaction) r"""
    )[0]
    return Health(*row)


class OwedRow(NamedTuple):
    """Things to which a reaction is owed, or was set aside. `state`: pending or parked."""

    id: int
    reaction: str
    things: int
    first: int
    at: datetime
    not_before: datetime | None
    attempts: int
    state: str
    reason: str


def reaction_list(*, state: str | None = None, cursor: Cursor | None = None, limit: int = 50) -> list[OwedRow]:
    """At most `limit` rows of pending and parked reactions, newest first."""
    found = PendingReaction.objects.filter(state=state) if state else PendingReaction.objects.exclude(state="suppressed")
    rows = (cursor or Cursor(("-id",))).slice(found, limit)
    return [
        OwedRow(r.id, r.reaction, len(r.things), r.things[0] if r.things else 0, r.at, r.not_before, r.attempts, r.state, r.reason)
        for r in rows
    ]

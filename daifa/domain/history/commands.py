"""Moving things, remembering it, and owing the reactions that follow.

Every change of state goes through `move`; every fact through `record_facts`. Both are set-based.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils.module_loading import import_string

from daifa.lib import bulk
from daifa.lib.process import Process

TRIES = 3
_MONTHS_SEEN: set[tuple[str, int, int]] = set()


@dataclass(slots=True)
class Moved:
    """`moved` ids changed state now; `others` were elsewhere already (id → the state they are in, "" = not there)."""

    moved: list[int] = field(default_factory=list)
    others: dict[int, str] = field(default_factory=dict)


def open_batch(*, by: str, at: datetime, reason: str = "") -> int:
    """Store who, when and why once; returns the id that transitions refer to."""
    return bulk.fetch(
        "INSERT INTO history_batch (by, at, reason) VALUES (%s, %s, %s) RETURNING id", (by, at, reason[:300])
    )[0][0]


def record_births(
    process: Process, ids: Sequence[int], state: str, *, at: datetime, batch: int | None = None, by: str = "",
    reason: str = "",
) -> None:  # fmt: skip
    """Transitions of rows that were just written in `state` (one of the process's starts).

    Give a `batch`, or `by` (and a `reason`) for one of their own.
    """
    if state not in process.starts:
        raise ValueError(f"No {process.name} begins as {state}.")
    if not ids:
        return
    bulk.execute(
        f"""{_batch_cte(batch)}
        INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
        SELECT b.id, %(kind)s, thing, '', %(state)s, %(at)s FROM b, unnest(%(ids)s::bigint[]) AS x(thing)""",
        {"batch": batch, "by": by, "reason": reason[:300], "kind": process.kind, "state": state, "at": at, "ids": list(ids)},
    )


def _batch_cte(batch: int | None) -> str:
    """The batch a statement's transitions belong to: the one given, or one written in the same statement."""
    if batch is not None:
        return "WITH b AS (SELECT %(batch)s::bigint AS id)"
    return """WITH b AS (INSERT INTO history_batch (by, at, reason) SELECT %(by)s, %(at)s, %(reason)s
                         WHERE %(batch)s::bigint IS NULL RETURNING id)"""


def move(
    process: Process,
    ids: Sequence[int],
    *,
    to: str,
    by: str,
    at: datetime,
    reason: str = "",
    batch: int | None = None,
    set_at: str = "",
) -> Moved:
    """Move rows of `process` to state `to` in one statement; must run inside a transaction.

    Rows are locked in id order. Those that another hand moved first, or that may not go there, stay and are reported.
    `set_at` names a datetime column that takes `at` in the same update.
    """
    if not ids:
        return Moved()
    also = f", {set_at} = %(at)s" if set_at else ""
    rows = bulk.fetch(
        f"""
        {_batch_cte(batch)}, locked AS MATERIALIZED (
            SELECT id, state FROM {process.table_name} WHERE id = ANY(%(ids)s::bigint[])
            ORDER BY id FOR NO KEY UPDATE
        ), moved AS (
            UPDATE {process.table_name} t SET state = %(to)s{also} FROM locked
            WHERE t.id = locked.id AND locked.state = ANY(%(before)s::text[]) RETURNING t.id, locked.state AS old
        ), kept AS (
            INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
            SELECT b.id, %(kind)s, moved.id, moved.old, %(to)s, %(at)s FROM b, moved
        )
        SELECT locked.id, locked.state, moved.id IS NOT NULL FROM locked LEFT JOIN moved USING (id) ORDER BY locked.id
        """,
        {
            "ids": list(ids), "to": to, "before": process.before(to), "batch": batch, "kind": process.kind, "at": at,
            "by": by, "reason": reason[:300],
        },
    )  # fmt: skip
    result = Moved()
    for thing, state, went in rows:
        if went:
            result.moved.append(thing)
        else:
            result.others[thing] = state
    if len(rows) < len(ids):
        for thing in set(ids) - {row[0] for row in rows}:
            result.others[thing] = ""
    return result


def record_facts(fact: str, things: Sequence[int], *, at: datetime) -> None:
    """Owe every reaction that is wired to `fact` in `flows/reactions.py`; wakes the worker once this commits."""
    if not things:
        return
    reactions = _wired().get(fact)
    if reactions is None:
        raise ValueError(f"No such fact: {fact}.")
    if not reactions:
        return
    ids = list(things)
    bulk.copy_rows("history_pendingreaction", ("reaction", "things", "at"), [(r, ids, at) for r in reactions])
    _wake_once()


def _wired() -> dict[str, list[str]]:
    """Fact → names of its reactions. The wiring lives above this subject and is found through the settings."""
    return import_string(settings.DAIFA_WIRING)()


def _wake_once() -> None:
    """One wake-up a transaction, after its commit: a worker that starts on it sees our rows. The sweep backs it."""
    hooks = connection.run_on_commit
    if not any(hook[1] is wake_worker for hook in hooks):
        transaction.on_commit(wake_worker)


def wake_worker() -> None:
    """Ask a worker to react. A no-op where the process that asked does the work itself."""
    import_string(settings.DAIFA_WAKE)()


def take_due(*, at: datetime, limit: int) -> list[tuple[str, list[int], int]]:
    """Take up to `limit` things' worth of what is owed by the reaction that waits longest: (reaction, things, attempts).

    The rows go with this transaction: if it fails they are still there. Rows another worker holds are skipped.
    """
    return bulk.fetch(
        """WITH longest AS MATERIALIZED (
               SELECT reaction FROM history_pendingreaction
               WHERE state = 'pending' AND (not_before IS NULL OR not_before <= %(at)s)
               ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
           ), locked AS MATERIALIZED (
               SELECT id, things FROM history_pendingreaction
               WHERE state = 'pending' AND (not_before IS NULL OR not_before <= %(at)s)
                 AND reaction = (SELECT reaction FROM longest)
               ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED
           ), taken AS (
               SELECT id, sum(cardinality(things)) OVER (ORDER BY id) - cardinality(things) AS before FROM locked
           )
           DELETE FROM history_pendingreaction p USING taken
           WHERE p.id = taken.id AND taken.before < %(limit)s
           RETURNING p.reaction, p.things, p.attempts""",
        {"at": at, "limit": limit},
    )


def keep_pending(
    reaction: str, reasons: dict[int, str], *, state: str, at: datetime, not_before: datetime | None = None,
    attempts: int = 0,
) -> None:  # fmt: skip
    """Keep single things as `parked` (a person must look), `suppressed` (no longer wanted) or `pending` (later)."""
    bulk.copy_rows(
        "history_pendingreaction",
        ("reaction", "things", "at", "state", "reason", "not_before", "attempts"),
        [(reaction, [thing], at, state, reason, not_before, attempts) for thing, reason in reasons.items()],
    )


def retry_parked(ids: Sequence[int]) -> int:
    """Put parked reactions back in line; returns how many."""
    count = bulk.execute(
        """UPDATE history_pendingreaction SET state = 'pending', attempts = 0, not_before = NULL
           WHERE id = ANY(%s::bigint[]) AND state = 'parked'""",
        (list(ids),),
    )
    if count:
        _wake_once()
    return count


def ensure_months(first: date, last: date) -> None:
    """Add the monthly partitions from `first` to `last` where they are missing. Cheap to repeat."""
    year, month = first.year, first.month
    while (year, month) <= (last.year, last.month):
        for table in ("history_transition", "shipping_trackingevent"):
            key = (table, year, month)
            if key not in _MONTHS_SEEN:
                bulk.execute("SELECT daifa_add_month(%s::text, %s::date)", (table, date(year, month, 1)))
                transaction.on_commit(partial(_MONTHS_SEEN.add, key))  # a month rolled back was not added
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def retried(work: Callable[[], Any]) -> Any:
    """Run `work` in a transaction; deadlocks and serialisation failures are tried three times in all."""
    for attempt in range(1, TRIES + 1):
        try:
            with transaction.atomic():
                return work()
        except OperationalError as error:
            code = getattr(error.__cause__, "sqlstate", "")
            if code not in ("40001", "40P01") or attempt == TRIES or connection.in_atomic_block:
                raise
    raise AssertionError("unreachable")

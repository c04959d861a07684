"""Moving things, remembering it, and owing the reactions that follow.

Every change of state goes through `move`; every fact through `record_facts`. Both are set-based.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils.module_loading import import_string

from daifa.lib import bulk
from daifa.lib.process import Process
from daifa.lib.sentences import kept

TRIES = 3
_MONTHS_SEEN: set[tuple[str, int, int]] = set()


@dataclass(slots=True)
class Moved:
    """`moved` ids changed state now; `others` were elsewhere already (id → the state they are in, "" = not there)."""

    moved: list[int] = field(default_factory=list)
    others: dict[int, str] = field(default_factory=dict)
    batch: int | None = None  # under which it was recorded; None where nothing was found


def open_batch(*, by: str, at: datetime, reason: str = "") -> int:
    """Store who, when and why once; returns the id that transitions refer to."""
    return bulk.fetch(
        "INSERT INTO history_batch (by, at, reason) VALUES (%s, %s, %s) RETURNING id", (by, at, kept(reason, 300))
    )[0][0]


def record_births(
    process: Process, ids: Sequence[int], state: str, *, at: datetime, batch: int | None = None, by: str = "",
    reason: str = "",
) -> int | None:  # fmt: skip
    """Transitions of rows that were just written in `state` (one of the process's starts).

    Give a `batch`, or `by` (and a `reason`) for one of their own. Returns the batch, for what happened with the births.
    """
    if state not in process.starts:
        raise ValueError(f"No {process.name} begins as {state}.")
    if not ids:
        return batch
    return bulk.fetch(
        f"""{_batch_cte(batch)}, kept AS (
            INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
            SELECT b.id, %(kind)s, thing, '', %(state)s, %(at)s FROM b, unnest(%(ids)s::bigint[]) AS x(thing)
        ) SELECT id FROM b""",
        {"batch": batch, "by": by, "reason": kept(reason, 300), "kind": process.kind, "state": state, "at": at, "ids": list(ids)},
    )[0][0]


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
    sets: Mapping[str, Any] | None = None,
) -> Moved:
    """Move rows of `process` to state `to` in one statement; must run inside a transaction.

    Rows are locked in id order. Those that another hand moved first, or that may not go there, stay and are reported.
    The same update gives `at` to the datetime column `set_at`, and further columns their values ({column: value}).
    """
    if not ids:
        return Moved()
    sets = sets or {}
    also = (f", {set_at} = %(at)s" if set_at else "") + "".join(f", {name} = %(set_{name})s" for name in sets)
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
        SELECT locked.id, locked.state, moved.id IS NOT NULL, b.id
        FROM b, locked LEFT JOIN moved USING (id) ORDER BY locked.id
        """,
        {
            "ids": list(ids), "to": to, "before": process.before(to), "batch": batch, "kind": process.kind, "at": at,
            "by": by, "reason": kept(reason, 300), **{f"set_{name}": value for name, value in sets.items()},
        },
    )  # fmt: skip
    result = Moved(batch=rows[0][3] if rows else batch)
    for thing, state, went, _ in rows:
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
    if not owes_more():
        transaction.on_commit(wake_worker)


def owes_more() -> bool:
    """Whether this transaction has recorded facts that somebody has yet to react to."""
    return any(hook[1] is wake_worker for hook in connection.run_on_commit)


def wake_worker() -> None:
    """Ask a worker to react. A no-op where the process that asked does the work itself."""
    import_string(settings.DAIFA_WAKE)()


def take_due(*, at: datetime, limit: int, few: int = 0) -> tuple[list[tuple[str, list[int], int]], bool]:
    """Take what is owed, oldest first: [(reaction, things, attempts)], and whether that was all of it.

    That is everything while it is no more than `few` things, otherwise up to `limit` things' worth of the one reaction
    that waits longest. The rows go with this transaction: if it fails they are still there. Rows another worker holds
    are skipped.
    """
    rows = bulk.fetch(
        """WITH oldest AS MATERIALIZED (
               SELECT id, reaction, cardinality(things) AS n FROM history_pendingreaction
               WHERE state = 'pending' AND (not_before IS NULL OR not_before <= %(at)s)
               ORDER BY id LIMIT %(few)s + 1 FOR UPDATE SKIP LOCKED
           ), together AS MATERIALIZED (
               SELECT count(*) <= %(few)s AND sum(n) <= %(few)s AS yes FROM oldest
           ), locked AS MATERIALIZED (
               SELECT id, things FROM history_pendingreaction
               WHERE state = 'pending' AND (not_before IS NULL OR not_before <= %(at)s)
                 AND NOT (SELECT yes FROM together) AND reaction = (SELECT reaction FROM oldest ORDER BY id LIMIT 1)
               ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED
           ), taken AS (
               SELECT id FROM oldest WHERE (SELECT yes FROM together)
               UNION ALL
               SELECT id FROM (SELECT id, sum(cardinality(things)) OVER (ORDER BY id) - cardinality(things) AS before
                               FROM locked) x
               WHERE before < %(limit)s
           )
           DELETE FROM history_pendingreaction p USING taken WHERE p.id = taken.id
           RETURNING p.id, p.reaction, p.things, p.attempts, (SELECT yes FROM together)""",
        {"at": at, "limit": limit, "few": few},
    )
    return [row[1:4] for row in sorted(rows)], not rows or rows[0][4]


def keep_pending(
    reaction: str, reasons: dict[int, str], *, state: str, at: datetime, not_before: datetime | None = None,
    attempts: int = 0,
) -> None:  # fmt: skip
    """Keep single things as `parked` (a person must look), `suppressed` (no longer wanted) or `pending` (later)."""
    bulk.copy_rows(
        "history_pendingreaction",
        ("reaction", "things", "at", "state", "reason", "not_before", "attempts"),
        [(reaction, [thing], at, state, kept(reason), not_before, attempts) for thing, reason in reasons.items()],
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

"""Doing what is owed: take pending reactions, run each over everything due, park only what fails.

A reaction gets up to 1,000 things in one transaction. If it fails it is tried on halves, by savepoint, until the bad
thing is alone; that one is kept with its reason (tried again a little later, three times, then parked for a person),
the rest commits.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction

from daifa.domain.history import commands as history
from daifa.domain.stores.commands import NewTask, open_tasks
from daifa.domain.stores.models import Store
from daifa.flows.book_late import task_of
from daifa.flows.reactions import Run, by_name
from daifa.flows.reads.late_entries import waiting
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext

GATHER = 1000
FEW = 20
MOST_TOGETHER = 20
TRIES = 3
PAUSE = timedelta(minutes=2)
# A lost race or a broken connection says nothing about the things: the whole round is tried again. Whatever else is
# raised is the fault of a thing, until it stands alone and proves otherwise.
LOST = (OperationalError, InterfaceError)

log = logging.getLogger(__name__)


def react(*, at: datetime, most: int | None = None) -> int:
    """Run what is due, one reaction after the other, until nothing is; returns how many things were reacted to.

    `most` bounds the number of rounds (a round = one reaction over up to GATHER things, or all that is due while that
    is few, in a transaction of its own).
    """
    done = rounds = 0
    idle = False
    while not idle and (most is None or rounds < most):
        try:
            count, idle = history.retried(lambda: _rounds(at, most=1 if most is not None else MOST_TOGETHER))
        except LOST:
            raise
        except Exception:  # everything was rolled back: again, one reaction by savepoint, to find the bad row
            count, was_all = history.retried(lambda: _round(at, carefully=True))
            idle = was_all and not count
        done += count
        rounds += 1
    return done


def _rounds(at: datetime, *, most: int) -> tuple[int, bool]:
    """A round, and while there is little to do what follows from it, in one transaction: (things, nothing is left).

    For a lone order the commits would cost more than the work.
    """
    done = 0
    for _ in range(most):
        count, was_all = _round(at, carefully=False)
        done += count
        if count > FEW:
            break
        if was_all and not (count and history.owes_more()):  # and nothing followed from it
            return done, True
    return done, False


def _round(at: datetime, *, carefully: bool) -> tuple[int, bool]:
    """What is due: one reaction over many things, or all reactions over a few; (things, whether that was all)."""
    rows, was_all = history.take_due(at=at, limit=GATHER, few=FEW)
    done = 0
    for name in dict.fromkeys(name for name, _, _ in rows):
        attempts = {thing: tries for reaction, things, tries in rows if reaction == name for thing in things}
        done += _react(name, attempts, at=at, carefully=carefully)
    return done, was_all


def _react(name: str, attempts: dict[int, int], *, at: datetime, carefully: bool) -> int:
    """One reaction over things {id: how often it was tried}."""
    reaction = by_name().get(name)
    things = list(attempts)
    if reaction is None:
        history.keep_pending(name, dict.fromkeys(things, gettext("No such reaction.")), state="parked", at=at)
        return 0
    by = f"job:{name}"
    failed: dict[int, str] = {}
    run = reaction.load()
    suppressed = _run(run, things, failed, at=at, by=by) if carefully else run(things, at=at, by=by)
    if suppressed:
        history.keep_pending(name, suppressed, state="suppressed", at=at)
    if failed:
        _keep_failed(name, failed, attempts, at=at)
    return len(things)


def _run(run: Run, things: Sequence[int], failed: dict[int, str], *, at: datetime, by: str) -> dict[int, str]:
    """Run over `things`, halving by savepoint where it fails; a lost race or connection is not a bad row.

    What a command refused is kept as its sentence, anything else as its name and the first line of what it says.
    """
    try:
        with transaction.atomic():
            return run(list(things), at=at, by=by)
    except LOST:
        raise  # deadlock, serialisation, broken connection: the whole round is tried again
    except Exception as error:
        if len(things) == 1:
            log.warning("%s failed for %s: %s", by, things[0], type(error).__name__, exc_info=error)
            failed[things[0]] = error.sentence if isinstance(error, Refused) else f"{type(error).__name__}: {error}".splitlines()[0][:300]
            return {}
    half = len(things) // 2
    first = _run(run, things[:half], failed, at=at, by=by)
    return first | _run(run, things[half:], failed, at=at, by=by)


def _keep_failed(name: str, failed: dict[int, str], attempts: dict[int, int], *, at: datetime) -> None:
    again = {thing: reason for thing, reason in failed.items() if attempts.get(thing, 0) + 1 < TRIES}
    parked = {thing: reason for thing, reason in failed.items() if thing not in again}
    for thing, reason in again.items():
        history.keep_pending(
            name, {thing: reason}, state="pending", at=at, not_before=at + PAUSE * (attempts.get(thing, 0) + 1),
            attempts=attempts.get(thing, 0) + 1,
        )  # fmt: skip
    if parked:
        history.keep_pending(name, parked, state="parked", at=at)
        late = {row.thing: row for row in waiting(reaction=name, things=list(parked))}
        names = dict(Store.objects.filter(pk__in={row.store_id for row in late.values()}).values_list("pk", "name"))
        open_tasks(
            [
                task_of(late[thing], names[late[thing].store_id]) if thing in late
                else NewTask(kind="reaction_parked", thing_kind=name, thing=thing, params={"reaction": name, "reason": reason})
                for thing, reason in parked.items()
            ],
            at=at,
        )  # fmt: skip


def owed(*, at: datetime) -> int:
    """How many things still have a reaction due now."""
    return bulk.fetch(
        """SELECT coalesce(sum(cardinality(things)), 0)::int FROM history_pendingreaction
           WHERE state = 'pending' AND (not_before IS NULL OR not_before <= %s)""",
        (at,),
    )[0][0]

"""Keeps the rule book: takes what ships newly, says what will change for each store, asks for re-checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from daifa.domain.closing.queries import lifecycles
from daifa.domain.policy import commands, queries
from daifa.domain.policy.rules import Change, Rule
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.flows import put_right
from daifa.lib import bulk

LOOK_AHEAD = timedelta(days=60)


@dataclass(slots=True)
class Watched:
    """What the look brought: a new version of the book or the sentences why not; tasks opened; orders routed again."""

    new_book: int | None = None
    problems: list[str] = field(default_factory=list)
    tasks: int = 0
    routed: int = 0


def watch_rules(*, at: datetime, by: str = "job:watch_rules") -> Watched:
    """Take a changed book, open and close the tasks of the stores, let go on what was held until a rule, a word or an
    agreement counts. Runs every hour, after an update, and on demand.

    A file that is refused leaves the last good book in place and a task that names file and line.
    """
    result = Watched()
    taken = commands.take_book(by=by, at=at)
    result.problems = [problem.sentence() for problem in taken.problems]
    if taken.is_new and taken.book is not None:
        result.new_book = taken.book.pk
    with transaction.atomic():
        if taken.problems:
            first = taken.problems[0]
            told = {"file": first.file, "line": first.line, "count": len(taken.problems)}
            result.tasks += open_tasks([NewTask("rules_refused", thing_kind="rules", params=told)], at=at)
        else:
            close_tasks(kind="rules_refused", thing_kind="rules", things=[0], by=by, at=at)
        if overtaken := queries.overtaken_files():
            told = {"file": ", ".join(overtaken)}
            result.tasks += open_tasks([NewTask("rules_overtaken", thing_kind="rules", params=told)], at=at)
        else:
            close_tasks(kind="rules_overtaken", thing_kind="rules", things=[0], by=by, at=at)
        living = living_stores()
        for store in living:
            result.tasks += _of_store(store, by=by, at=at)
        ended = list(Store.objects.exclude(pk__in=[store.pk for store in living]).values_list("pk", flat=True))
        for kind in ("rule_recheck", "rules_change"):
            close_tasks(kind=kind, thing_kind="rules_of", things=ended, by=by, at=at)
        result.routed = put_right.route_opened(at=at) + put_right.route_begun(at=at)
    return result


def living_stores() -> list[Store]:
    """The stores that still trade or are winding up; one that has ended needs no new rules."""
    stores = list(Store.objects.order_by("id"))
    lives = lifecycles([store.pk for store in stores])
    return [store for store in stores if lives[store.pk] not in ("closed", "archived")]


def _of_store(store: Store, *, by: str, at: datetime) -> int:
    on = at.date()
    due = to_recheck(store, on=on)
    coming = [change for change in changes_for(store, on=on) if change.on <= on + LOOK_AHEAD]
    tasks = []
    if due:
        tasks.append(NewTask("rule_recheck", store.pk, thing_kind="rules_of", thing=store.pk, params={"count": len(due), "channel": store.channel}))
    else:
        close_tasks(kind="rule_recheck", thing_kind="rules_of", things=[store.pk], by=by, at=at)
    if coming:
        first = coming[0].on
        tasks.append(
            NewTask(
                "rules_change", store.pk, thing_kind="rules_of", thing=store.pk,
                params={"count": len(coming), "date": first.isoformat()}, due_at=datetime.combine(first, datetime.min.time(), at.tzinfo),
            )
        )  # fmt: skip
    else:
        close_tasks(kind="rules_change", thing_kind="rules_of", things=[store.pk], by=by, at=at)
    _refresh(tasks)
    return open_tasks(tasks, at=at)


def _refresh(tasks: list[NewTask]) -> None:
    """An open task tells today's count."""
    for task in tasks:
        bulk.execute(
            """UPDATE stores_task SET params = %s::jsonb, due_at = %s
               WHERE kind = %s AND thing_kind = %s AND thing = %s AND closed_at IS NULL""",
            (bulk.json(task.params), task.due_at, task.kind, task.thing_kind, task.thing),
        )


# --- Reads for pages and the command line -----------------------------------------------------------------------


def rules_for(store: Store, *, on: date) -> list[Rule]:
    """All rules a store lives under on that day: its channel's, its country's law, payments, logistics."""
    channels = queries.channels_of(store)
    return [rule for rule in queries.in_force(on=on, store_id=store.pk).values() if rule.channel in channels]


def to_recheck(store: Store, *, on: date) -> list[Rule]:
    """Rules of the store's channel that were read too long ago. Law, payments and logistics are re-checked with releases."""
    channel = queries.channel_of(store)
    return [rule for rule in rules_for(store, on=on) if rule.channel == channel and rule.recheck and rule.verdict != "superseded"]


def changes_for(store: Store, *, on: date) -> list[Change]:
    """What is going to change for the store after that day."""
    return queries.announced(on=on, store_id=store.pk, channels=queries.channels_of(store))


def clocks_on(rule: Rule, store: Store) -> int | None:
    """Running clocks of a store under a rule; None where such rules make none."""
    if rule.kind not in ("deadline", "obligation"):
        return None
    return int(bulk.fetch("SELECT count(*) FROM compliance_clock WHERE store_id = %s AND rule = %s", (store.pk, rule.id))[0][0])


def stands_at(rule: Rule, store: Store) -> Decimal | None:
    """The newest figure of a store on a rule's line, in the rule's unit; None where nothing is counted."""
    rows = bulk.fetch(
        "SELECT value FROM compliance_metricday WHERE store_id = %s AND rule = %s AND value IS NOT NULL ORDER BY day DESC LIMIT 1",
        (store.pk, rule.id),
    )
    return rows[0][0] if rows else None

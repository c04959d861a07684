"""Keeps the rule book: takes what ships newly, says what will change for each store, asks for re-checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.domain.closing.queries import lifecycles
from daifa.domain.compliance.rules import HOURS_IN
from daifa.domain.policy import commands, queries, telling
from daifa.domain.policy.rules import COMPARE, Change, Rule
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.flows import put_right
from daifa.lib import bulk
from daifa.lib.money import rounded

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


def touched(change: Change, store: Store) -> int | None:
    """How many running clocks of the store hang on the rule that changes; None where it makes no clocks."""
    return clocks_on(change.rule, store)


def clocks_on(rule: Rule, store: Store) -> int | None:
    """Running clocks of a store under a rule; None where such rules make none."""
    if rule.kind not in ("deadline", "obligation"):
        return None
    return int(bulk.fetch("SELECT count(*) FROM compliance_clock WHERE store_id = %s AND rule = %s", (store.pk, rule.id))[0][0])


class Effect(NamedTuple):
    """What a change means for what a store has open now, as if it had begun under the new text.

    `overdue`: clocks that would be overdue and are not, `relaxed`: overdue ones that would not be; money by currency, of each
    order once. `clocks` None: such a rule makes none. `line`: "crossed", "cleared", or "" where the standing stays; `value` is it.
    """

    change: Change
    clocks: int | None = None
    overdue: int = 0
    overdue_money: dict[str, Decimal] = {}
    relaxed: int = 0
    relaxed_money: dict[str, Decimal] = {}
    line: str = ""
    value: Decimal | None = None

    def sentences(self) -> list[str]:
        """What it means in the reader's language; [] where nothing that is open is touched."""
        said: list[str] = []
        if self.overdue:
            text = ngettext(
                "%(n)d of %(all)d open clocks would be overdue%(money)s.", "%(n)d of %(all)d open clocks would be overdue%(money)s.", self.overdue
            )
            said.append(text % {"n": self.overdue, "all": self.clocks, "money": _at_stake(self.overdue_money)})
        if self.relaxed:
            text = ngettext("%(n)d overdue clock would not be%(money)s.", "%(n)d overdue clocks would not be%(money)s.", self.relaxed)
            said.append(text % {"n": self.relaxed, "money": _at_stake(self.relaxed_money)})
        if self.clocks and not said:
            text = ngettext("%(n)d open clock is touched, none turns.", "%(n)d open clocks are touched, none turns.", self.clocks)
            said.append(text % {"n": self.clocks})
        if self.line:
            now = telling.measured(self.value, self.change.rule.unit)
            said.append(
                (_("The line would be crossed: you stand at %(now)s.") if self.line == "crossed"
                 else _("The line would be crossed no more: you stand at %(now)s.")) % {"now": now}
            )  # fmt: skip
        return said


def _at_stake(money: dict[str, Decimal]) -> str:
    if not money:
        return ""
    return _(" (%(money)s at stake)") % {"money": ", ".join(f"{rounded(amount, code)} {code}" for code, amount in sorted(money.items()))}


def effects_of(changes: Iterable[Change], store: Store, *, at: datetime) -> list[Effect]:
    """What these changes would mean for what is open in a store at `at`. What has begun keeps the text it began under."""
    return [_effect(change, store, at) for change in changes]


def _effect(change: Change, store: Store, at: datetime) -> Effect:
    clocks, value = touched(change, store), value_now(change, store)
    before, after = _crossed(change.before, value), _crossed(change.after, value)
    line = ""
    if value is not None and None not in (before, after) and before != after:
        line = "crossed" if after else "cleared"
    shift = _shift(change) if clocks else None
    if shift is None:
        return Effect(change, clocks, line=line, value=value)
    acts = change.after is not None and change.after.acts
    same = change.before is not None and change.before.acts == acts
    worse, worse_money = _clocks_that(store, change.rule_id, at, shift, None if same else acts, overdue=True)
    better, better_money = _clocks_that(store, change.rule_id, at, shift, None if same else acts, overdue=False)
    return Effect(change, clocks, worse, worse_money, better, better_money, line, value)


def _shift(change: Change) -> timedelta | None:
    """How much later (or, negative, sooner) a clock of the rule would end; None where that cannot be said beforehand."""
    before, after = change.before, change.after
    if before is None or after is None:
        return timedelta(0) if before is not None else None
    hours = HOURS_IN.get(before.unit or "")
    if before.unit != after.unit or hours is None or isinstance(before.threshold, tuple) or isinstance(after.threshold, tuple):
        return timedelta(0) if before.threshold == after.threshold and before.unit == after.unit else None
    return timedelta(hours=float((after.threshold or 0) - (before.threshold or 0)) * hours)


def _clocks_that(
    store: Store, rule_id: str, at: datetime, shift: timedelta, acts: bool | None, *, overdue: bool
) -> tuple[int, dict[str, Decimal]]:
    """Clocks that would turn overdue (or overdue ones that would not be), and the money, of each order once.

    `acts`: whether the rule will act; None = as now.
    """
    rows = bulk.fetch(
        """SELECT currency, sum(clocks)::int, coalesce(sum(stake), 0)
           FROM (SELECT order_id, currency, count(*) AS clocks, max(stake) AS stake FROM compliance_clock
                 WHERE store_id = %(store)s AND rule = %(rule)s
                   AND (acts AND due_at <= %(at)s) <> %(overdue)s
                   AND (coalesce(%(acts)s::boolean, acts) AND due_at + %(shift)s <= %(at)s) = %(overdue)s
                 GROUP BY 1, 2) o GROUP BY 1""",
        {"store": store.pk, "rule": rule_id, "at": at, "shift": shift, "acts": acts, "overdue": overdue},
    )
    return sum(row[1] for row in rows), {row[0]: row[2] for row in rows if row[2]}


def _crossed(rule: Rule | None, value: Decimal | None) -> bool | None:
    """Whether a store that stands at `value` has crossed this line and it acts; None where that cannot be compared."""
    if rule is None or not rule.acts:
        return False
    if value is None or rule.comparison not in COMPARE or not isinstance(rule.threshold, Decimal):
        return None
    return COMPARE[rule.comparison](value, rule.threshold)


def value_now(change: Change, store: Store) -> Decimal | None:
    """Where the store stands today on the line that changes, in the rule's unit; None where nothing is counted."""
    return stands_at(change.rule, store)


def stands_at(rule: Rule, store: Store) -> Decimal | None:
    """The newest figure of a store on a rule's line, in the rule's unit; None where nothing is counted."""
    rows = bulk.fetch(
        "SELECT value FROM compliance_metricday WHERE store_id = %s AND rule = %s AND value IS NOT NULL ORDER BY day DESC LIMIT 1",
        (store.pk, rule.id),
    )
    return rows[0][0] if rows else None

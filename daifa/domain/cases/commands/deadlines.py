"""What time brings: deadlines reckoned anew, points that expire, tasks for what ran out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from daifa.domain.cases import queries, rules
from daifa.domain.cases.commands.qualifications import watch_qualifications
from daifa.domain.cases.commands.violations import attach_known_orders
from daifa.domain.cases.models import Appeal, Complaint, Infringement, Violation
from daifa.domain.cases.process import VIOLATION
from daifa.domain.history.commands import move
from daifa.domain.policy import queries as policy
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.lib import bulk

RECOUNTED = timedelta(days=90)
"""An appeal whose deadline nobody knew is looked up in the rules for so long after the notice."""


@transaction.atomic
def recount_deadlines(*, at: datetime) -> int:
    """Deadlines of open cases that come from a rule are reckoned anew, as the rule reads now for the day they began.

    An owner's word on a rule, a new file or newly announced holidays so move what is not answered yet. What a person
    entered, and what is over, stays. Returns how many cases changed.
    """
    books: dict[tuple[int, date], list[Any]] = {}

    def known(store: Store, start: datetime) -> tuple[list[Any], str, str]:
        zone = ZoneInfo(store.timezone)
        day = start.astimezone(zone).date()
        if (store.pk, day) not in books:
            then, now = queries.book(store, on=day), queries.book(store, on=at.astimezone(zone).date())
            # What the owner has confirmed since counts too, unless it took effect only after that day.
            since = [rule for rule in now if rule.acts and (rule.effective is None or rule.effective <= day)]
            books[store.pk, day] = [*(rule for rule in then if rule.acts), *since, *(rule for rule in then if not rule.acts)]
        return books[store.pk, day], store.timezone, policy.country_of(store)

    changed = 0
    for violation in Violation.objects.select_related("store").filter(state__in=queries.OPEN_VIOLATION).order_by("pk"):
        unknown = violation.appeal_due_at is None and violation.notified_at > at - RECOUNTED
        may_move = violation.state == "active" and (unknown or (violation.appeal_rule and violation.appeal_until > at))
        may_fall = violation.points_rule and not (violation.points_until and violation.points_until <= at)
        if not may_move and not may_fall:
            continue
        book, zone, country = known(violation.store, violation.notified_at)
        new: dict[str, Any] = {}
        if may_move:
            found = rules.appeal_deadline(rules.appeal_terms(violation.kind, book), violation.notified_at, zone, country)
            if found is not None:
                new = {"appeal_due_at": found.due_at, "appeal_until": found.until, "appeal_rule": found.rule}
        if may_fall:
            fall = rules.points_fall(book, violation.notified_at, zone)
            if fall is not None:
                new |= {"points_until": fall.at if fall.acts else None, "points_rule": fall.rule}
        changed += _anew(violation, new, "violation_to_appeal", "violation", "appeal_due_at")
    for appeal in Appeal.objects.select_related("violation__store").filter(state="sent").order_by("pk"):
        store = appeal.violation.store
        book, _zone, _country = known(store, appeal.violation.notified_at)
        due = rules.answer_deadline(
            rules.appeal_terms(appeal.violation.kind, book), appeal.sent_at, store.timezone, policy.country_of(store)
        )
        if due is not None and due != appeal.answer_due_at:
            changed += Appeal.objects.filter(pk=appeal.pk).update(answer_due_at=due)
    for complaint in Complaint.objects.select_related("store").filter(state="open").exclude(rule="").order_by("pk"):
        book, zone, country = known(complaint.store, complaint.opened_at)
        found = rules.complaint_deadline(complaint.opened_at, book, zone, country)
        if found is not None:
            changed += _anew(complaint, {"due_at": found.due_at, "rule": found.rule}, "complaint_to_answer", "complaint", "due_at")
    for case in Infringement.objects.select_related("store").filter(state="forwarded").exclude(rule="").order_by("pk"):
        book, zone, country = known(case.store, case.forwarded_at)
        found = rules.restore_deadline(case.forwarded_at, book, zone, country)
        if found is not None:
            new = {"restore_due_at": found.until, "rule": found.rule}
            changed += _anew(case, new, "infringement_restore_due", "infringement", "restore_due_at")
    return changed


def _anew(thing: Any, new: Mapping[str, Any], task: str, kind: str, due: str) -> bool:
    """Write what differs, and let the open task tell the new time."""
    fields = [name for name, value in new.items() if getattr(thing, name) != value]
    if not fields:
        return False
    for name in fields:
        setattr(thing, name, new[name])
    thing.save(update_fields=fields)
    if due in fields:
        bulk.execute(
            "UPDATE stores_task SET due_at = %s WHERE kind = %s AND thing_kind = %s AND thing = %s AND closed_at IS NULL",
            (new[due], task, kind, thing.pk),
        )
    return True


@transaction.atomic
def watch_cases(*, by: str, at: datetime) -> dict[str, int]:
    """Reckon deadlines anew, let violations whose points and limits are over expire, open the tasks that time brings.

    Counts by kind.
    """
    recount_deadlines(at=at)
    attach_known_orders()
    over = [row[0] for row in bulk.fetch(
        """SELECT v.id FROM cases_violation v
           WHERE v.state IN ('active', 'upheld', 'reduced') AND v.points_until IS NOT NULL AND v.points_until <= %(at)s
             AND (v.appeal_until IS NULL OR v.appeal_until <= %(at)s)
             AND NOT EXISTS (SELECT FROM cases_consequence c WHERE c.violation_id = v.id AND c.lifted_at IS NULL
                             AND (c.until_at IS NULL OR c.until_at > %(at)s))
           ORDER BY v.id""",
        {"at": at},
    )]  # fmt: skip
    expired = move(VIOLATION, over, to="expired", by=by, at=at, reason="points and limits are over").moved
    close_tasks(kind="violation_to_appeal", thing_kind="violation", things=expired, by=by, at=at)
    late = [row[0] for row in bulk.fetch(
        """SELECT t.thing FROM stores_task t JOIN cases_violation v ON v.id = t.thing
           WHERE t.kind = 'violation_to_appeal' AND t.closed_at IS NULL AND v.appeal_until <= %s""",
        (at,),
    )]  # fmt: skip
    close_tasks(kind="violation_to_appeal", thing_kind="violation", things=late, by=by, at=at)
    unanswered = open_tasks(
        [
            NewTask(
                kind="appeal_unanswered", store_id=store, thing_kind="violation", thing=violation,
                params={"reference": reference}, due_at=due,
            )
            for violation, store, reference, due in bulk.fetch(
                """SELECT v.id, v.store_id, v.reference, a.answer_due_at FROM cases_appeal a
                   JOIN cases_violation v ON v.id = a.violation_id
                   WHERE a.state = 'sent' AND a.answer_due_at <= %s ORDER BY v.id""",
                (at,),
            )
        ],
        at=at,
    )  # fmt: skip
    restore = open_tasks(
        [
            NewTask(
                kind="infringement_restore_due", store_id=store, thing_kind="infringement", thing=case,
                params={"reference": reference}, due_at=due,
            )
            for case, store, reference, due in bulk.fetch(
                """SELECT id, store_id, reference, restore_due_at FROM cases_infringement
                   WHERE state = 'forwarded' AND restore_due_at <= %s ORDER BY id""",
                (at,),
            )
        ],
        at=at,
    )  # fmt: skip
    return {
        "expired": len(expired), "appeals_unanswered": unanswered, "restore_due": restore,
        "qualifications_ending": watch_qualifications(by=by, at=at),
    }  # fmt: skip

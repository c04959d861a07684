"""What the clock does for closings: planned steps, days, reminders, standings, appeals that were sent elsewhere, quiet stores."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from daifa.domain.closing import commands, queries, rules, steps
from daifa.domain.closing.models import Closing, ClosingStep
from daifa.domain.stores.models import Store
from daifa.flows.close_store.do_steps import do_step, leave_out
from daifa.flows.close_store.step import Given
from daifa.flows.close_store.tasks import remind
from daifa.flows.route_lines import route_reopened
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _

AHEAD = timedelta(days=2)


def sweep(*, at: datetime, by: str = "job:keep_closings") -> dict[str, int]:
    """Do what was planned for a quiet hour or for a day, refresh expected days, remind of steps that are due.

    Returns {"done": steps done now, "due": reminders opened now}.
    """
    done = 0
    with transaction.atomic():
        route_reopened(at=at)
    keep_standings(at=at, by=by)
    follow_appeals(at=at, by=by)
    for pk in ClosingStep.objects.filter(
        state="waiting", not_before__lte=at, closing__state="running", code__in=("listings_down", "shred")
    ).values_list("pk", flat=True):
        try:
            done += do_step(pk, by=by, at=at) is not None
        except Refused as refused:
            if refused.code in ("running", "settled"):
                continue  # another hand is at it this moment, or has just done it: nothing is late, and nobody needs telling
            remind([pk], at=at, sentence=refused.sentence)
            ClosingStep.objects.filter(pk=pk, code="shred").update(not_before=at + timedelta(days=1))  # not every hour
    for closing in Closing.objects.filter(state__in=("threatened", "running")).select_related("store"):
        with transaction.atomic():
            commands.refresh_days(closing, at=at)
    due = [
        pk
        for pk, code, day, zone in ClosingStep.objects.filter(
            state="waiting", due_on__isnull=False, closing__state__in=("threatened", "running")
        ).values_list("pk", "code", "due_on", "closing__store__timezone")
        if day <= (at + AHEAD).astimezone(ZoneInfo(zone)).date() and not _waits_for_others(pk)
    ]
    return {"done": done, "due": remind(due, at=at)}


def keep_standings(*, at: datetime, by: str = "job:keep_standings") -> int:
    """Let violations, their end and won appeals move the standing of every store; what a store could not do is routed again.

    Returns how many moved.
    """
    moved = commands.reckon_standings(by=by, at=at)
    if any(before == "frozen" for before, _now in moved.values()):
        with transaction.atomic():
            route_reopened(at=at)
    return len(moved)


def follow_appeals(*, at: datetime, by: str = "job:keep_closings") -> int:
    """What happened on the violations' own pages settles the removal's steps: an appeal that was sent, one that was won.

    Returns how many steps were settled. Where only some of the violations were lifted the ruling is still to come.
    """
    settled = 0
    for closing in Closing.objects.filter(state="threatened", scenario="forced").select_related("store"):
        behind = queries.violations_behind(closing)
        waiting = {row.code: row.pk for row in ClosingStep.objects.filter(closing=closing, state="waiting")}
        if not behind or "ruling" not in waiting or "notice" in waiting:
            continue
        sent = [appeal for one in behind for appeal in one.appeals.filter(state="sent")]
        try:
            with transaction.atomic():
                if "appeal" in waiting and sent:
                    given = Given(_("sent on the page of the violation"), sent[0].reference or behind[0].reference)
                    settled += do_step(waiting["appeal"], given, by=by, at=at) is not None
                if all(one.state == "lifted" for one in behind):
                    if "appeal" in waiting and not sent:
                        leave_out(waiting["appeal"], note=_("lifted"), by=by, at=at)
                    given = Given(_("lifted: %(references)s") % {"references": listed(one.reference for one in behind)}, outcome="reversed")
                    settled += do_step(waiting["ruling"], given, by=by, at=at) is not None
        except Refused as refused:
            remind([waiting["ruling"]], at=at, sentence=refused.sentence)
    return settled


def _waits_for_others(pk: int) -> bool:
    row = ClosingStep.objects.get(pk=pk)
    states = dict(ClosingStep.objects.filter(closing_id=row.closing_id).values_list("code", "state"))
    return bool(rules.missing_before(row.code, steps.BY_CODE[row.code].after, states))


def quiet_stores(*, at: datetime) -> list[int]:
    """Open stores to which nobody comes: three stretches of thirty days below the line, by orders or by what was seen."""
    return [
        store.pk
        for store in Store.objects.filter(created_at__lt=at - timedelta(days=30 * rules.QUIET_MONTHS)).order_by("pk")
        if queries.lifecycle(store.pk) == "open"
        and queries.nobody_comes(store.pk, at=at)
    ]

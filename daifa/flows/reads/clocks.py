"""What runs out, for Today: clocks by store and kind, findings, and lines of the rule book that are near."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.domain.compliance import figure_queries, queries, rules
from daifa.domain.compliance.health import words_of


def clock_todos(scope: Sequence[int], at: datetime) -> list[Any]:
    """Groups for Today. Clocks of rules that only inform are left to the page of clocks."""
    from daifa.flows.reads.today import Todo

    todos = [
        Todo(
            kind="clocks_due",
            sentence=(
                ngettext("%(count)d clock has run out: %(kind)s", "%(count)d clocks have run out: %(kind)s", due.count)
                if due.overdue
                else ngettext("%(count)d clock runs out within a day: %(kind)s", "%(count)d clocks run out within a day: %(kind)s", due.count)
            )
            % {"count": due.count, "kind": _(rules.KINDS[due.kind].words)},
            advice=_("Open them, the most urgent first; the money is what the platform's rules take or give back."),
            store_id=due.store_id, opened_at=due.due_at, count=due.count, stake=due.stake, currency=due.currency,
            due_at=due.due_at, thing_kind="clock", name=due.kind,
        )
        for due in queries.running_out(scope, at=at)
    ]  # fmt: skip
    todos += [
        Todo(
            kind="parcel_faults",
            sentence=_finding(kind, count),
            advice=_(rules.FINDINGS[kind][1]),
            store_id=store, opened_at=since, count=count, stake=stake, currency=currency, due_at=None, thing_kind="finding",
            name=kind,
        )
        for store, kind, currency, count, stake, since in queries.findings_by_kind(scope)
    ]  # fmt: skip
    todos += [
        Todo(
            kind="metric_near",
            sentence=(_said(near.level) if near.is_said else _near(near.level))
            % {"metric": near.words, "value": near.value_text, "line": near.line_text},
            advice=near.consequence,
            store_id=near.store_id, opened_at=near.since, due_at=near.breaks_at, thing_kind="health", thing=near.store_id,
            name=near.rule,
        )
        for near in queries.near_lines(scope, at=at)
    ]  # fmt: skip
    todos += [
        Todo(
            kind="figures_stale",
            sentence=ngettext(
                "%(count)d figure of the platform is %(age)d days old: %(metric)s", "%(count)d figures of the platform are up to %(age)d days old: %(metric)s …",
                stale.count,
            ) % {"count": stale.count, "age": stale.age, "metric": words_of(stale.metric)},
            advice=_("Look them up on the platform and enter them; old figures warn of nothing."),
            store_id=stale.store_id, opened_at=_midnight(stale.ended_on, stale.zone), count=stale.count, thing_kind="health",
            thing=stale.store_id, name=stale.metric,
        )
        for stale in figure_queries.stale_figures(scope, at=at)
    ]  # fmt: skip
    return todos


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, datetime.min.time(), ZoneInfo(zone))


def _said(level: int) -> str:
    if level >= 100:
        return _("The platform says a line is crossed: %(metric)s %(value)s (line %(line)s)")
    return _("The platform says a line is near: %(metric)s %(value)s (line %(line)s)")


def _near(level: int) -> str:
    if level >= 100:
        return _("A line of the channel is crossed: %(metric)s %(value)s (line %(line)s)")
    if level >= 70:
        return _("A line of the channel is near: %(metric)s %(value)s (line %(line)s)")
    return _("A line of the channel will be crossed unless orders go out in time: %(metric)s %(value)s (line %(line)s)")


def _finding(kind: str, count: int) -> str:
    match kind:
        case "parcel_without_scan":
            return ngettext("%(count)d parcel was never scanned", "%(count)d parcels were never scanned", count) % {"count": count}
        case "number_reused":
            return ngettext(
                "%(count)d parcel has a number that others have too", "%(count)d parcels have a number that others have too", count
            ) % {"count": count}
        case "pickup_before_payment":
            return ngettext(
                "%(count)d parcel was scanned before its order was paid", "%(count)d parcels were scanned before their orders were paid", count
            ) % {"count": count}
        case "delivered_before_pickup" | "moved_after_delivery" | "two_places_at_once":
            return ngettext(
                "%(count)d parcel has scans that contradict each other", "%(count)d parcels have scans that contradict each other", count
            ) % {"count": count}
        case "two_carriers":
            return ngettext(
                "%(count)d parcel's number is said to be with two carriers", "%(count)d parcels' numbers are said to be with two carriers", count
            ) % {"count": count}
        case _:
            return ngettext(
                "%(count)d parcel was delivered somewhere else", "%(count)d parcels were delivered somewhere else", count
            ) % {"count": count}

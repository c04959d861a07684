"""Violations: taken from files, the API and people, once each; their points, limits, money and orders; accepted, lifted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.cases import queries, rules
from daifa.domain.cases.commands.deposit import NewMove, move_deposit, watch_money_back
from daifa.domain.cases.commands.taking import (
    MOST_POINTS,
    Taken,
    amount_problem,
    insert_new,
    locked,
    orders_named,
)
from daifa.domain.cases.models import Consequence, DepositMove, Violation
from daifa.domain.cases.process import CONSEQUENCES, VIOLATION, VIOLATION_KINDS
from daifa.domain.cases.rules import NOTHING
from daifa.domain.history.commands import move, record_births
from daifa.domain.policy import queries as policy
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sentences import gettext as _


class NewConsequence(NamedTuple):
    """A limit from when until when (None = until further notice); `amount` in the store's currency where it has one."""

    kind: str
    from_at: datetime
    until_at: datetime | None = None
    amount: Decimal | None = None
    note: str = ""


class NewViolation(NamedTuple):
    """What a platform ruled. What is left None is taken from the channel's rules, where they say it.

    `money`: taken with it, from the deposit or (`from_proceeds`) kept from what the platform owes us.
    """

    reference: str
    notified_at: datetime
    kind: str = "other"
    title: str = ""
    rule: str = ""
    points: Decimal = NOTHING
    points_until: datetime | None = None
    occurred_at: datetime | None = None
    appeal_due_at: datetime | None = None
    orders: tuple[str, ...] = ()
    consequences: tuple[NewConsequence, ...] = ()
    money: Decimal | None = None
    from_proceeds: bool = True
    note: str = ""
    row: int = 0


@transaction.atomic
def add_violations(
    violations: Sequence[NewViolation], *, store: Store, source: str, whole: bool = False, by: str, at: datetime
) -> Taken:
    """Write down what a platform ruled; of a reference that is there already only what it lacks: money, orders.

    Opens the task to appeal. `whole`: where the money of one cannot be entered nothing is written, and `Refused` says why.
    """
    result = Taken()
    usable: dict[str, NewViolation] = {}
    for wanted in violations:
        problem = _violation_problem(wanted, store, at)
        if problem is not None:
            result.refused.append(problem)
        elif wanted.reference.strip() in usable:
            result.known.append(wanted.reference.strip())
        else:
            usable[wanted.reference.strip()] = wanted
    if not usable:
        return result
    books: dict[date, list[Any]] = {}
    rows, deadlines = [], {}
    orders = orders_named(store, {number for wanted in usable.values() for number in wanted.orders})
    for reference, wanted in usable.items():
        day = wanted.notified_at.astimezone(ZoneInfo(store.timezone)).date()
        if day not in books:
            books[day] = queries.book(store, on=day)
        terms = rules.appeal_terms(wanted.kind, books[day])
        found = rules.appeal_deadline(terms, wanted.notified_at, store.timezone, policy.country_of(store))
        due, until, appeal_rule = (found.due_at, found.until, found.rule) if found else (None, None, "")
        if wanted.appeal_due_at is not None:  # what the notice says counts, on both readings
            due, until, appeal_rule = wanted.appeal_due_at, wanted.appeal_due_at, ""
        fall = None
        if wanted.points_until is None and wanted.points:
            fall = rules.points_fall(books[day], wanted.notified_at, store.timezone)
        points_until = fall.at if fall is not None and fall.acts else wanted.points_until
        deadlines[reference] = due
        rows.append((
            store.pk, reference, wanted.rule[:60], wanted.kind, "active", wanted.title[:300], wanted.points, points_until,
            wanted.occurred_at, wanted.notified_at, due, until, appeal_rule, wanted.note,
            [number[:80] for number in wanted.orders if number not in orders], source[:60], at, fall.rule if fall is not None else "",
        ))  # fmt: skip
    added = insert_new("cases_violation", _VIOLATION, rows, "(store_id, reference)", "reference")
    result.added = list(added.values())
    record_births(VIOLATION, result.added, "active", by=by, at=at, reason=source)
    result.completed, money, missing = _complete({ref: one for ref, one in usable.items() if ref not in added}, orders, store=store)
    for reference, wanted in usable.items():
        if told := missing.get(reference) or [number for number in wanted.orders if reference in added and number not in orders]:
            params = {"numbers": ", ".join(dict.fromkeys(told))[:200]}
            result.notes.append(RowRefused(wanted.row, reference, "no_order", _UNKNOWN_ORDERS, params))
    bulk.copy_rows(
        "cases_violationorder",
        ("violation_id", "order_id"),
        [
            (added[reference], order)
            for reference, wanted in usable.items()
            if reference in added
            for order in sorted({orders[number] for number in wanted.orders if number in orders})
        ],
    )
    bulk.copy_rows(
        "cases_consequence",
        ("violation_id", "kind", "from_at", "until_at", "amount", "note"),
        [
            (added[reference], c.kind, c.from_at, c.until_at, c.amount, c.note[:200])
            for reference, wanted in usable.items()
            if reference in added
            for c in wanted.consequences
        ],
    )
    money += [_money_of(wanted, added[reference]) for reference, wanted in usable.items() if reference in added and wanted.money]
    if money:
        moved = move_deposit(money, store=store, by=by, at=at)
        if whole and moved.refused:
            raise Refused(moved.refused[0].sentence(), code=moved.refused[0].code, field="money")
        result.notes += [replace(one, message=_WITHOUT_MONEY[one.code]) if one.code in _WITHOUT_MONEY else one for one in moved.refused]
        paid = set(DepositMove.objects.filter(pk__in=moved.added).values_list("violation__reference", flat=True))
        result.completed += sorted(paid - set(added) - set(result.completed))
    result.known += [reference for reference in usable if reference not in added and reference not in result.completed]
    open_tasks(
        [
            NewTask(
                kind="violation_to_appeal", store_id=store.pk, thing_kind="violation", thing=violation,
                params={"reference": reference, "kind": usable[reference].kind}, stake=usable[reference].money,
                currency=store.currency if usable[reference].money else "", due_at=deadlines[reference],
            )
            for reference, violation in added.items()
            if deadlines[reference] is None or deadlines[reference] > at
        ],
        at=at,
    )  # fmt: skip
    return result


_VIOLATION = (
    "store_id", "reference", "rule", "kind", "state", "title", "points", "points_until", "occurred_at", "notified_at",
    "appeal_due_at", "appeal_until", "appeal_rule", "note", "unknown_orders", "source", "at", "points_rule",
)  # fmt: skip


_UNKNOWN_ORDERS = N_("This store has no order %(numbers)s. The number is kept; the order is attached as soon as it is known.")
_WITHOUT_MONEY = {
    "too_much_out": N_("Kept without its money: only %(held)s %(currency)s of deposit are known. Enter the deposit, then this once more; "
                       "what was kept from the proceeds is a penalty."),
}  # fmt: skip


def _money_of(wanted: NewViolation, violation: int) -> NewMove:
    assert wanted.money is not None
    reference = f"violation {wanted.reference.strip()}"
    if len(reference) > 80:  # two long ones may begin alike
        reference = f"{reference[:63]} {hashlib.blake2b(reference.encode(), digest_size=8).hexdigest()}"
    return NewMove(
        "penalty" if wanted.from_proceeds else "deducted", wanted.money, wanted.notified_at, reference, violation, row=wanted.row
    )


def _complete(
    wanted: Mapping[str, NewViolation], orders: Mapping[str, int], *, store: Store
) -> tuple[list[str], list[NewMove], dict[str, list[str]]]:
    """Orders that known violations lack are attached: (references that got some, money never entered, numbers not known)."""
    completed, money, missing = [], [], {}
    for violation in Violation.objects.select_for_update().filter(store=store, reference__in=list(wanted)).order_by("id"):
        one = wanted[violation.reference]
        fresh, unknown = _attach_orders(violation, one.orders, orders)
        if fresh:
            completed.append(violation.reference)
        missing[violation.reference] = unknown
        if one.money and violation.state != "lifted" and not violation.moves.exists():
            money.append(_money_of(one, violation.pk))
    return completed, money, missing


def _attach_orders(violation: Violation, numbers: Sequence[str], orders: Mapping[str, int]) -> tuple[int, list[str]]:
    """Attach orders by number (`orders`: number → id), keep numbers not known here: (how many are new, numbers kept now)."""
    had = set(violation.orders.values_list("order_id", flat=True))
    fresh = {orders[number] for number in numbers if number in orders} - had
    bulk.copy_rows("cases_violationorder", ("violation_id", "order_id"), [(violation.pk, order) for order in sorted(fresh)])
    before = list(violation.unknown_orders)
    missing = list(dict.fromkeys(number[:80] for number in numbers if number not in orders and number[:80] not in before))
    violation.unknown_orders = [number for number in before if number not in orders] + missing
    if violation.unknown_orders != before:
        violation.save(update_fields=["unknown_orders"])
    return len(fresh), missing


@transaction.atomic
def name_orders(*, violation_id: int, numbers: Sequence[str], by: str, at: datetime) -> int:
    """A person says which orders are behind a violation; returns how many are new. Raises `Refused` for an unknown number."""
    violation = locked(Violation, violation_id)
    wanted = [number.strip() for number in numbers if number.strip()]
    if not wanted:
        raise Refused(_("Say which orders."), code="orders_missing", field="orders")
    orders = orders_named(violation.store, wanted)
    for number in wanted:
        if number not in orders:
            raise Refused(_("This store has no order %(number)s.") % {"number": number}, code="no_order", field="orders")
    return _attach_orders(violation, wanted, orders)[0]


def attach_known_orders() -> int:
    """Orders that came after the notice that names them are attached; returns how many violations got some."""
    rows = bulk.fetch(
        """SELECT DISTINCT v.id FROM cases_violation v CROSS JOIN LATERAL unnest(v.unknown_orders) AS n(number)
           JOIN orders_order o ON o.store_id = v.store_id AND o.number = n.number WHERE v.unknown_orders <> '{}' ORDER BY v.id"""
    )
    for (pk,) in rows:
        violation = locked(Violation, pk)
        _attach_orders(violation, list(violation.unknown_orders), orders_named(violation.store, violation.unknown_orders))
    return len(rows)


def _violation_problem(wanted: NewViolation, store: Store, at: datetime) -> RowRefused | None:
    def refused(code: str, message: str, **params: Any) -> RowRefused:
        return RowRefused(wanted.row, wanted.reference, code, message, params)

    if not wanted.reference.strip():
        return refused("reference_missing", N_("It has no reference of the platform; without one it could be taken twice."))
    if len(wanted.reference.strip()) > 80:
        return refused("reference_too_long", N_("The reference is longer than 80 characters."))
    if wanted.kind not in VIOLATION_KINDS:
        return refused(
            "unknown_kind", N_("%(kind)s is no kind of violation; use one of %(kinds)s."),
            kind=wanted.kind or "?", kinds=", ".join(VIOLATION_KINDS),
        )  # fmt: skip
    if wanted.notified_at > at + timedelta(days=1):
        return refused("date_in_future", N_("%(date)s lies ahead; enter it on the day it happens."), date=str(wanted.notified_at.date()))
    if wanted.occurred_at is not None and wanted.occurred_at > wanted.notified_at:
        return refused("times_crossed", N_("It is said to have happened after the notice of it."))
    if wanted.appeal_due_at is not None and wanted.appeal_due_at < wanted.notified_at:
        return refused("times_crossed_appeal", N_("Its appeal is said to be due before the notice."))
    if wanted.points_until is not None and wanted.points_until < wanted.notified_at:
        return refused("times_crossed_points", N_("Its points are said to end before the notice."))
    if not wanted.points.is_finite() or not 0 <= wanted.points <= MOST_POINTS:
        return refused("points_wrong", N_("%(points)s points cannot be right."), points=str(wanted.points))
    if wanted.rule and queries.rule(wanted.rule) is None:
        return refused("unknown_rule", N_("The rule book has no rule %(rule)s."), rule=wanted.rule)
    for one in wanted.consequences:
        if one.kind not in CONSEQUENCES:
            return refused("unknown_consequence", N_("%(kind)s is no kind of consequence."), kind=one.kind or "?")
        if one.until_at is not None and one.until_at < one.from_at:
            return refused("times_crossed_consequence", N_("A consequence is said to end before it begins."))
    if wanted.money is not None:
        return amount_problem(wanted.money, store.currency, refused)
    return None


@transaction.atomic
def set_appeal_deadline(*, violation_id: int, due_at: datetime, by: str, at: datetime) -> None:
    """A person enters the deadline the notice names; it counts before the rule book's. Raises `Refused`."""
    violation = locked(Violation, violation_id)
    if due_at < violation.notified_at:
        raise Refused(_("The deadline lies before the notice."), code="times_crossed", field="due_at")
    violation.appeal_due_at = violation.appeal_until = due_at
    violation.appeal_rule = ""
    violation.save(update_fields=["appeal_due_at", "appeal_until", "appeal_rule"])
    close_tasks(kind="violation_to_appeal", thing_kind="violation", things=[violation_id], by=by, at=at)
    if due_at > at and violation.state == "active":
        open_tasks([_appeal_task(violation)], at=at)


@transaction.atomic
def correct_points(
    *, violation_id: int, points: Decimal, points_until: datetime | None, reason: str, by: str, at: datetime
) -> None:
    """A person enters how many points there are and when they fall (None = nobody knows), as the platform shows it.

    What stood there before is kept in the note, with the reason. Raises `Refused`.
    """
    violation = locked(Violation, violation_id)
    if not points.is_finite() or not 0 <= points <= MOST_POINTS:
        raise Refused(_("%(points)s points cannot be right.") % {"points": points}, code="points_wrong", field="points")
    if points_until is not None and points_until < violation.notified_at:
        raise Refused(_("Its points are said to end before the notice."), code="times_crossed", field="points_until")
    if not reason.strip():
        raise Refused(_("Say where the platform shows it."), code="reason_missing", field="reason")
    zone = ZoneInfo(violation.store.timezone)
    before, after = (
        f"{number.normalize():f} / {until.astimezone(zone).date() if until else '–'}"
        for number, until in ((violation.points, violation.points_until), (points, points_until))
    )
    line = f"{at.date()} {by}: {before} → {after} ({reason.strip()[:200]})"
    violation.note = f"{violation.note}\n{line}".strip()
    violation.points, violation.points_until, violation.points_rule = points, points_until, ""
    violation.save(update_fields=["points", "points_until", "points_rule", "note"])


def _appeal_task(violation: Violation) -> NewTask:
    stake = queries.taken(violation.pk)
    return NewTask(
        kind="violation_to_appeal", store_id=violation.store_id, thing_kind="violation", thing=violation.pk,
        params={"reference": violation.reference, "kind": violation.kind}, stake=stake or None,
        currency=queries.currency_of(violation.store_id) if stake else "", due_at=violation.appeal_due_at,
    )  # fmt: skip


@transaction.atomic
def add_consequences(consequences: Sequence[NewConsequence], *, violation_id: int, by: str, at: datetime) -> list[int]:
    """Limits that came later, each once. Raises `Refused` for an unknown kind or crossed times."""
    violation = locked(Violation, violation_id)
    for one in consequences:
        if one.kind not in CONSEQUENCES:
            raise Refused(_("%(kind)s is no kind of consequence.") % {"kind": one.kind}, code="unknown_kind", field="kind")
        if one.until_at is not None and one.until_at < one.from_at:
            raise Refused(_("A consequence is said to end before it begins."), code="times_crossed", field="until_at")
    return [
        Consequence.objects.get_or_create(
            violation=violation, kind=c.kind, from_at=c.from_at, until_at=c.until_at, amount=c.amount, defaults={"note": c.note[:200]}
        )[0].pk
        for c in consequences
    ]


@transaction.atomic
def accept_violations(ids: Sequence[int], *, by: str, at: datetime) -> int:
    """A person decides not to appeal these: the task goes, the violation stays in force. Returns how many tasks."""
    return close_tasks(kind="violation_to_appeal", thing_kind="violation", things=list(ids), by=by, at=at)


@transaction.atomic
def lift_violations(ids: Sequence[int], *, reason: str, by: str, at: datetime) -> list[int]:
    """The platform took them back: no points any more, limits end, money taken is to be given back (a task)."""
    lifted = move(VIOLATION, list(ids), to="lifted", by=by, at=at, reason=reason).moved
    after_lifting(lifted, by=by, at=at)
    return lifted


def after_lifting(ids: Sequence[int], *, by: str, at: datetime) -> None:
    if not ids:
        return
    bulk.execute(
        "UPDATE cases_consequence SET lifted_at = %s WHERE violation_id = ANY(%s::bigint[]) AND lifted_at IS NULL",
        (at, list(ids)),
    )
    close_tasks(kind="violation_to_appeal", thing_kind="violation", things=list(ids), by=by, at=at)
    watch_money_back(ids, by=by, at=at)

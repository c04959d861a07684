"""Everything that may be done with cases: violations and appeals, the deposit, complaints, rights, licences, their files.

Many at once where many arrive at once. Whoever does one thing gets `Refused` with the sentence.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.books import commands as books
from daifa.domain.books import queries as book_queries
from daifa.domain.cases import files, pictures, queries, rules
from daifa.domain.cases.models import (
    Appeal,
    CaseFile,
    Complaint,
    Consequence,
    DepositMove,
    DepositRequirement,
    EvidencePack,
    Infringement,
    ListingRight,
    PictureCover,
    Qualification,
    QualificationNeed,
    Violation,
)
from daifa.domain.cases.process import (
    APPEAL,
    BASES,
    COMPLAINT,
    COMPLAINT_KINDS,
    CONSEQUENCES,
    DEPOSIT_MOVES,
    EVIDENCE_PACK,
    INFRINGEMENT,
    OUTCOMES,
    QUALIFICATIONS,
    RIGHTS,
    VIOLATION,
    VIOLATION_KINDS,
)
from daifa.domain.cases.rules import NOTHING
from daifa.domain.history.commands import move, record_births, record_facts
from daifa.domain.policy import queries as policy
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.lib import bulk, keeping
from daifa.lib.money import rounded
from daifa.lib.refusal import Refused, RowRefused

LARGEST = Decimal(10) ** 13
MOST_POINTS = Decimal(10_000)


@dataclass(slots=True)
class Taken:
    """What a command with many rows did: ids written now, references known before, rows refused.

    `notes`: remarks on rows that were taken (money of a violation that could not be entered, orders not known here).
    `completed`: references known before that got what they lacked: money, orders.
    """

    added: list[int] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: list[RowRefused] = field(default_factory=list)
    notes: list[RowRefused] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)


# --- Violations ---------------------------------------------------------------------------------------------------


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
    orders = _orders_named(store, {number for wanted in usable.values() for number in wanted.orders})
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
    added = _insert("cases_violation", _VIOLATION, rows, "(store_id, reference)", "reference")
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
    violation = _locked(Violation, violation_id)
    wanted = [number.strip() for number in numbers if number.strip()]
    if not wanted:
        raise Refused(_("Say which orders."), code="orders_missing", field="orders")
    orders = _orders_named(violation.store, wanted)
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
        violation = _locked(Violation, pk)
        _attach_orders(violation, list(violation.unknown_orders), _orders_named(violation.store, violation.unknown_orders))
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
        return _amount_problem(wanted.money, store.currency, refused)
    return None


def _amount_problem(amount: Decimal, currency: str, refused: Any) -> RowRefused | None:
    try:
        exact = rounded(amount, currency)
    except InvalidOperation:
        exact = LARGEST
    if not exact.is_finite() or exact >= LARGEST:
        return refused("amount_too_large", N_("The amount %(amount)s cannot be right."), amount=str(amount))
    if exact <= 0:
        return refused("amount_not_positive", N_("The amount %(amount)s is not above zero."), amount=str(amount))
    if exact != amount:
        return refused(
            "amount_too_fine", N_("The amount %(amount)s has more decimals than %(currency)s has."),
            amount=str(amount), currency=currency,
        )  # fmt: skip
    return None


def _orders_named(store: Store, numbers: Iterable[str]) -> dict[str, int]:
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    return dict(
        bulk.fetch(
            "SELECT number, id FROM orders_order WHERE store_id = %s AND number = ANY(%s::text[])", (store.pk, wanted)
        )
    )


def _insert(
    table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], key: str, name: str
) -> dict[str, int]:
    """Write rows whose key is not taken: value of `name` → id. Safe against another hand doing the same now."""
    found: dict[str, int] = {}
    one = "(" + ", ".join(["%s"] * len(columns)) + ")"
    for start in range(0, len(rows), 500):
        chunk = rows[start : start + 500]
        found |= dict(
            bulk.fetch(
                f"""INSERT INTO {table} ({", ".join(columns)}) VALUES {", ".join([one] * len(chunk))}
                    ON CONFLICT {key} DO NOTHING RETURNING {name}, id""",
                [value for row in chunk for value in row],
            )
        )
    return found


@transaction.atomic
def set_appeal_deadline(*, violation_id: int, due_at: datetime, by: str, at: datetime) -> None:
    """A person enters the deadline the notice names; it counts before the rule book's. Raises `Refused`."""
    violation = _locked(Violation, violation_id)
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
    violation = _locked(Violation, violation_id)
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
    """Limits that came later. Raises `Refused` for an unknown kind or crossed times."""
    violation = _locked(Violation, violation_id)
    for one in consequences:
        if one.kind not in CONSEQUENCES:
            raise Refused(_("%(kind)s is no kind of consequence.") % {"kind": one.kind}, code="unknown_kind", field="kind")
        if one.until_at is not None and one.until_at < one.from_at:
            raise Refused(_("A consequence is said to end before it begins."), code="times_crossed", field="until_at")
    return [
        Consequence.objects.create(
            violation=violation, kind=c.kind, from_at=c.from_at, until_at=c.until_at, amount=c.amount, note=c.note[:200]
        ).pk
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
    _after_lifting(lifted, by=by, at=at)
    return lifted


def _after_lifting(ids: Sequence[int], *, by: str, at: datetime) -> None:
    if not ids:
        return
    bulk.execute(
        "UPDATE cases_consequence SET lifted_at = %s WHERE violation_id = ANY(%s::bigint[]) AND lifted_at IS NULL",
        (at, list(ids)),
    )
    close_tasks(kind="violation_to_appeal", thing_kind="violation", things=list(ids), by=by, at=at)
    _watch_money(ids, by=by, at=at)


def _watch_money(ids: Sequence[int], *, by: str, at: datetime) -> None:
    """A task while a lifted violation has cost money that did not come back."""
    owed, settled = [], []
    for violation in Violation.objects.filter(pk__in=list(ids), state="lifted").select_related("store"):
        left = queries.taken(violation.pk)
        if left > 0:
            owed.append(
                NewTask(
                    kind="deduction_to_get_back", store_id=violation.store_id, thing_kind="violation", thing=violation.pk,
                    params={"reference": violation.reference}, stake=left, currency=violation.store.currency,
                )
            )  # fmt: skip
        else:
            settled.append(violation.pk)
    open_tasks(owed, at=at)
    close_tasks(kind="deduction_to_get_back", thing_kind="violation", things=settled, by=by, at=at)


# --- Appeals ------------------------------------------------------------------------------------------------------

_WHY_NOT_APPEAL = {
    "settled": N_("This violation is settled: there is nothing left to appeal."),
    "open": N_("An appeal is under way already; wait for its answer or withdraw it."),
    "rounds": N_("Appeals against it are used up: the channel allows %(rounds)s (rule %(rule)s). What is still to be said can be kept as a note."),
    "late": N_("The time to appeal ended on %(until)s. It is not taken as an appeal any more, but can be kept as a note. "
               "Was it handed in before? Then say when."),
}


def why_not_appeal(violation: Violation, *, by_letter: bool = False, at: datetime) -> tuple[str, str]:
    """(code, sentence) why no appeal can be made now; ("", "") when one can.

    `by_letter`: a letter of the platform opened this round, so the rule about how many there are does not count.
    """
    used = Appeal.objects.filter(violation=violation, sent_at__isnull=False).count()
    terms = _terms(violation)
    code = rules.why_not_appeal(
        state=violation.state, until=violation.appeal_until, rounds_used=used, rounds_allowed=None if by_letter else terms.most, at=at,
        has_open=Appeal.objects.filter(violation=violation, state__in=("draft", "sent")).exists(),
    )  # fmt: skip
    return (code, _appeal_sentence(code, violation, terms.rounds)) if code else ("", "")


def _terms(violation: Violation) -> rules.AppealTerms:
    """The rules about appeals as they read on the day of the notice."""
    zone = ZoneInfo(violation.store.timezone)
    return queries.appeal_terms(violation.store, kind=violation.kind, on=violation.notified_at.astimezone(zone).date())


def _appeal_sentence(code: str, violation: Violation, rounds: Any = None) -> str:
    until = ""
    if violation.appeal_until is not None:
        zone = ZoneInfo(violation.store.timezone)
        until = violation.appeal_until.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    told = {"rounds": int(rounds.threshold), "rule": rounds.id} if rounds is not None else {"rounds": "", "rule": ""}
    return _(_WHY_NOT_APPEAL[code]) % {"until": until, **told}


@transaction.atomic
def open_appeal(
    *, violation_id: int, text: str, keep_as_note: bool = False, by_letter: bool = False, handed_in_at: datetime | None = None,
    reference: str = "", by: str, at: datetime,
) -> Appeal:  # fmt: skip
    """Begin an appeal, as a draft. After the deadline it is refused; with `keep_as_note` the text is kept all the same.

    `by_letter` as in `why_not_appeal`. `handed_in_at`: a person handed it in at the platform already; that moment is asked
    whether it was in time, and the appeal counts as sent since then, under the platform's `reference`.

    Raises `Refused` (codes settled, open, rounds, late, times_crossed).
    """
    violation = _locked(Violation, violation_id)
    if not text.strip():
        raise Refused(_("Say why the violation is wrong."), code="text_missing", field="text")
    if handed_in_at is not None:
        _check_handed_in(violation, handed_in_at, at=at)
    code, sentence = why_not_appeal(violation, by_letter=by_letter, at=handed_in_at or at)
    if code and not (keep_as_note and code in ("late", "rounds", "settled")):
        raise Refused(sentence, code=code)
    state = "note" if code else "draft"
    last = max(Appeal.objects.filter(violation=violation).values_list("round", flat=True), default=0)
    appeal = Appeal.objects.create(
        violation=violation, round=0 if code else last + 1, state=state, text=text.strip(), opened_at=handed_in_at or at, by=by
    )
    record_births(APPEAL, [appeal.pk], state, by=by, at=at, reason=sentence)
    if handed_in_at is not None and not code:
        return send_appeal(appeal_id=appeal.pk, reference=reference, handed_in_at=handed_in_at, by=by, at=at)
    return appeal


def _check_handed_in(violation: Violation, handed_in_at: datetime, *, at: datetime) -> None:
    if handed_in_at > at:
        raise Refused(_("It cannot have been handed in later than now."), code="times_crossed", field="handed_in_at")
    if handed_in_at < violation.notified_at:
        raise Refused(_("It cannot have been handed in before the notice."), code="times_crossed", field="handed_in_at")


@transaction.atomic
def edit_appeal(*, appeal_id: int, text: str, by: str, at: datetime) -> None:
    """Change the words of a draft. Raises `Refused` once it was sent."""
    appeal = _locked(Appeal, appeal_id)
    if appeal.state != "draft":
        raise Refused(_("What was sent stays as it was sent."), code="sent")
    if not text.strip():
        raise Refused(_("Say why the violation is wrong."), code="text_missing", field="text")
    appeal.text = text.strip()
    appeal.save(update_fields=["text"])


@transaction.atomic
def send_appeal(
    *, appeal_id: int, reference: str = "", handed_in_at: datetime | None = None, by: str, at: datetime
) -> Appeal:
    """A person handed the appeal in at the platform, now or at `handed_in_at`: that moment must lie before the deadline.

    Raises `Refused` (late, times_crossed).
    """
    appeal = _locked(Appeal, appeal_id)
    violation = _locked(Violation, appeal.violation_id)
    sent = handed_in_at or at
    if handed_in_at is not None:
        _check_handed_in(violation, handed_in_at, at=at)
    if violation.appeal_until is not None and sent >= violation.appeal_until:
        raise Refused(_appeal_sentence("late", violation), code="late", field="handed_in_at")
    _must(move(APPEAL, [appeal_id], to="sent", by=by, at=at, set_at="sent_at"))
    _must(move(VIOLATION, [violation.pk], to="appealed", by=by, at=at))
    Appeal.objects.filter(pk=appeal_id).update(sent_at=sent)
    due = rules.answer_deadline(_terms(violation), sent, violation.store.timezone, policy.country_of(violation.store))
    Appeal.objects.filter(pk=appeal_id).update(reference=reference.strip()[:80], answer_due_at=due)
    close_tasks(kind="violation_to_appeal", thing_kind="violation", things=[violation.pk], by=by, at=at)
    appeal.refresh_from_db()
    return appeal


@transaction.atomic
def answer_appeal(
    *, appeal_id: int, outcome: str, answer: str = "", points: Decimal | None = None, by: str, at: datetime
) -> Violation:
    """What the platform answered: won lifts the violation, partly_won leaves `points`, lost upholds it. Raises `Refused`."""
    if outcome not in ("won", "partly_won", "lost"):
        raise Refused(_("Say whether it was won, won in part or lost."), code="outcome_unknown", field="outcome")
    appeal = _locked(Appeal, appeal_id)
    violation = _locked(Violation, appeal.violation_id)
    if outcome == "partly_won" and (points is None or not 0 <= points <= violation.points):
        raise Refused(
            _("Say how many of the %(points)s points are left.") % {"points": f"{violation.points.normalize():f}"},
            code="points_missing", field="points",
        )  # fmt: skip
    _must(move(APPEAL, [appeal_id], to=outcome, by=by, at=at, set_at="answered_at"))
    Appeal.objects.filter(pk=appeal_id).update(answer=answer.strip())
    to = {"won": "lifted", "partly_won": "reduced", "lost": "upheld"}[outcome]
    reason = f"{violation.points:f} → {points:f}" if outcome == "partly_won" else ""
    _must(move(VIOLATION, [violation.pk], to=to, by=by, at=at, reason=reason))
    close_tasks(kind="appeal_unanswered", thing_kind="violation", things=[violation.pk], by=by, at=at)
    if outcome == "partly_won":
        Violation.objects.filter(pk=violation.pk).update(points=points)
    if outcome == "won":
        _after_lifting([violation.pk], by=by, at=at)
    violation.refresh_from_db()
    return violation


@transaction.atomic
def withdraw_appeal(*, appeal_id: int, by: str, at: datetime) -> None:
    """Take a draft or a sent appeal back. Raises `Refused` where it was answered."""
    appeal = _locked(Appeal, appeal_id)
    was_sent = appeal.state == "sent"
    _must(move(APPEAL, [appeal_id], to="withdrawn", by=by, at=at))
    if was_sent:
        move(VIOLATION, [appeal.violation_id], to="active", by=by, at=at)


# --- Deposit ------------------------------------------------------------------------------------------------------


class NewMove(NamedTuple):
    """Money of the deposit; `amount` above zero in the store's currency. The reference makes repeats harmless."""

    kind: str
    amount: Decimal
    at: datetime
    reference: str = ""
    violation: int | None = None
    from_proceeds: bool = False
    note: str = ""
    row: int = 0


_WHY_NOT_MOVE = {
    "too_much_out": N_("Only %(held)s %(currency)s are held: more cannot leave the deposit. What was kept from the proceeds is a penalty."),
    "below_required": N_("%(required)s %(currency)s are required: only what is held beyond that can be withdrawn."),
    "more_than_taken": N_("Only %(taken)s %(currency)s were taken for this violation: more cannot come back."),
    "open_cases": N_("The platform returns the deposit once nothing is open; cases still open: %(open)s."),
}


@transaction.atomic
def move_deposit(moves: Sequence[NewMove], *, store: Store, by: str, at: datetime) -> Taken:
    """Record money paid into the deposit, deducted, given back, withdrawn, returned, or kept from the proceeds.

    The books post each of them once. In the order given; what cannot be is refused, the rest is taken.
    """
    result = Taken()
    # One hand at a time: two deductions must not both see the same balance.
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('move_deposit'), %s)", (store.pk,))
    state = queries.deposit(store.pk)
    deposit, required = state.held.amount, state.required.amount if state.required else None
    open_count: int | None = None
    references = [one.reference.strip()[:80] for one in moves]
    known = set(DepositMove.objects.filter(store=store, reference__in=references).values_list("reference", flat=True))
    locked = book_queries.locked_until([store.pk]).get(store.pk)
    of_store = set(
        Violation.objects.filter(store=store, pk__in=[m.violation for m in moves if m.violation]).values_list("pk", flat=True)
    )
    touched = set()
    for wanted, reference in zip(moves, references, strict=True):

        def refused(code: str, message: str, wanted: NewMove = wanted, **params: Any) -> RowRefused:
            return RowRefused(wanted.row, wanted.reference, code, message, params)

        if reference in known:
            result.known.append(wanted.reference)
            continue
        problem: RowRefused | None = None
        if wanted.kind not in DEPOSIT_MOVES:
            problem = refused("unknown_kind", N_("%(kind)s is no move of a deposit."), kind=wanted.kind or "?")
        elif wanted.at > at + timedelta(days=1):
            problem = refused("date_in_future", N_("%(date)s lies ahead; enter it on the day it happens."), date=str(wanted.at.date()))
        elif wanted.violation is not None and wanted.violation not in of_store:
            problem = refused("no_violation", N_("There is no such violation of this store."))
        elif locked == books.FOR_GOOD:
            problem = refused("books_locked", books.LOCKED_FOR_GOOD)
        else:
            problem = _amount_problem(wanted.amount, store.currency, refused)
        if problem is None:
            taken = queries.taken(wanted.violation, wanted.kind, store_id=store.pk)
            if wanted.kind in ("given_back", "penalty_back") and wanted.violation is None and taken <= 0:
                problem = refused("violation_missing", N_("Say for which violation the money comes back."))
        if problem is None:
            if wanted.kind == "returned" and open_count is None:
                open_count = len(queries.open_cases(store.pk))
            code = rules.why_not_move(
                wanted.kind, wanted.amount, deposit=deposit, required=required, taken=taken, has_open_cases=bool(open_count)
            )
            if code:
                problem = refused(
                    code, _WHY_NOT_MOVE[code], held=_plain(deposit, store), required=_plain(required or NOTHING, store), taken=_plain(taken, store),
                    currency=store.currency, open=open_count or 0,
                )  # fmt: skip
        if problem is None and not wanted.reference.strip() and _entered_already(wanted, store):
            problem = refused(
                "same_again", N_("The same amount of that day is entered already. If it moved twice, give the number of the second.")
            )
        if problem is not None:
            result.refused.append(problem)
            continue
        reference = reference or f"{wanted.kind} {uuid.uuid4().hex[:12]}"
        made = DepositMove.objects.create(
            store=store, kind=wanted.kind, amount=wanted.amount, currency=store.currency, from_proceeds=wanted.from_proceeds,
            violation_id=wanted.violation, reference=reference, note=wanted.note[:200], at=min(wanted.at, at), by=by,
        )  # fmt: skip
        known.add(reference)
        result.added.append(made.pk)
        deposit += rules.held([(wanted.kind, wanted.amount)])
        if wanted.violation:
            touched.add(wanted.violation)
    record_facts("deposits_moved", result.added, at=at)
    if result.added:
        watch_deposit(store, by=by, at=at)
        _watch_money(sorted(touched), by=by, at=at)
    return result


@transaction.atomic
def require_deposit(
    *, store: Store, amount: Decimal, valid_from: date, due_at: datetime | None = None, rule: str = "", note: str = "",
    by: str, at: datetime,
) -> DepositRequirement:  # fmt: skip
    """The platform demands so much from a day on; a second word about the same day replaces the first. Raises `Refused`."""
    if not amount.is_finite() or amount < 0 or amount >= LARGEST or rounded(amount, store.currency) != amount:
        raise Refused(_("The amount %(amount)s cannot be right.") % {"amount": amount}, code="amount_wrong", field="amount")
    if rule and queries.rule(rule) is None:
        raise Refused(_("The rule book has no rule %(rule)s.") % {"rule": rule}, code="unknown_rule", field="rule")
    found, _made = DepositRequirement.objects.update_or_create(
        store=store, valid_from=valid_from,
        defaults={"amount": amount, "due_at": due_at, "rule": rule[:60], "note": note[:200], "by": by, "at": at},
    )  # fmt: skip
    watch_deposit(store, by=by, at=at)
    return found


def _entered_already(wanted: NewMove, store: Store) -> bool:
    """Whether the same money without a number was entered for that day: a form that was sent twice."""
    zone = ZoneInfo(store.timezone)
    begins = datetime.combine(wanted.at.astimezone(zone).date(), time.min, zone)
    return DepositMove.objects.filter(
        store=store, kind=wanted.kind, amount=wanted.amount, violation_id=wanted.violation, from_proceeds=wanted.from_proceeds,
        reference__startswith=f"{wanted.kind} ", at__gte=begins, at__lt=begins + timedelta(days=1),
    ).exists()  # fmt: skip


def _plain(amount: Decimal, store: Store) -> str:
    """An amount for a sentence, with the decimals its currency has."""
    return f"{rounded(amount, store.currency):f}"


def watch_deposit(store: Store, *, by: str, at: datetime) -> None:
    """A task while less is held than required; it goes as soon as enough is."""
    state = queries.deposit(store.pk, at=at)
    close_tasks(kind="deposit_short", thing_kind="store", things=[store.pk], by=by, at=at)
    if state.short:
        open_tasks(
            [
                NewTask(
                    kind="deposit_short", store_id=store.pk, thing_kind="store", thing=store.pk,
                    params={"store": store.name, "short": _plain(state.short.amount, store), "currency": store.currency},
                    stake=state.short.amount, currency=store.currency, due_at=state.due_at,
                )
            ],
            at=at,
        )  # fmt: skip


# --- Complaints ---------------------------------------------------------------------------------------------------


class NewComplaint(NamedTuple):
    """What a buyer complains about. `reference` "" gets one of ours; `order` is the number of the order, "" = none."""

    kind: str
    text: str
    opened_at: datetime
    reference: str = ""
    order: str = ""
    aftersale_case: int | None = None
    due_at: datetime | None = None
    row: int = 0


def _own_reference(wanted: NewComplaint, store: Store) -> str:
    """A reference of ours: the same words about the same order on the same day are the same complaint, sent twice."""
    if not (wanted.order.strip() or wanted.text.strip() or wanted.aftersale_case):
        return f"C-{uuid.uuid4().hex[:10].upper()}"
    day = wanted.opened_at.astimezone(ZoneInfo(store.timezone)).date()
    told = "\x1f".join((wanted.kind, wanted.order.strip(), str(wanted.aftersale_case or ""), wanted.text.strip(), day.isoformat()))
    return f"C-{hashlib.sha256(told.encode()).hexdigest()[:10].upper()}"


@transaction.atomic
def open_complaints(
    complaints: Sequence[NewComplaint], *, store: Store, source: str, by: str, at: datetime
) -> Taken:
    """Write complaints down, each reference once, with the time to answer that the channel allows. Fact: complaints_opened."""
    result = Taken()
    usable: dict[str, NewComplaint] = {}
    orders = _orders_named(store, {c.order.strip() for c in complaints if c.order.strip()})
    cases = {c.aftersale_case for c in complaints if c.aftersale_case is not None}
    known_cases = dict(
        bulk.fetch(
            "SELECT id, order_id FROM aftersales_aftersalecase WHERE store_id = %s AND id = ANY(%s::bigint[])",
            (store.pk, sorted(cases)),
        )
        if cases
        else []
    )
    for wanted in complaints:

        def refused(code: str, message: str, wanted: NewComplaint = wanted, **params: Any) -> RowRefused:
            return RowRefused(wanted.row, wanted.reference or wanted.order, code, message, params)

        number = wanted.order.strip()
        if wanted.kind not in COMPLAINT_KINDS:
            problem = refused("unknown_kind", N_("%(kind)s is no kind of complaint."), kind=wanted.kind or "?")
        elif wanted.opened_at > at + timedelta(days=1):
            problem = refused("date_in_future", N_("%(date)s lies ahead; enter it on the day it happens."), date=str(wanted.opened_at.date()))
        elif number and number not in orders:
            problem = refused("no_order", N_("This store has no order %(number)s."), number=number)
        elif wanted.aftersale_case is not None and wanted.aftersale_case not in known_cases:
            problem = refused("no_case", N_("There is no such aftersale case in this store."))
        elif len(wanted.reference.strip()) > 80:
            problem = refused("reference_too_long", N_("The reference is longer than 80 characters."))
        else:
            reference = wanted.reference.strip() or _own_reference(wanted, store)
            if reference in usable:
                result.known.append(reference)
            else:
                usable[reference] = wanted
            continue
        result.refused.append(problem)
    if not usable:
        return result
    books: dict[date, list[Any]] = {}
    rows, dues = [], {}
    for reference, wanted in usable.items():
        day = wanted.opened_at.astimezone(ZoneInfo(store.timezone)).date()
        if day not in books:
            books[day] = queries.book(store, on=day)
        found = rules.complaint_deadline(wanted.opened_at, books[day], store.timezone, policy.country_of(store))
        dues[reference] = wanted.due_at or (found.due_at if found else None)
        order = orders.get(wanted.order.strip()) or known_cases.get(wanted.aftersale_case)
        rows.append((
            store.pk, reference, order, wanted.aftersale_case, wanted.kind, "open", wanted.text.strip(),
            dues[reference], found.rule if found and wanted.due_at is None else "", wanted.opened_at, source[:60], bulk.json({}),
        ))  # fmt: skip
    added = _insert("cases_complaint", _COMPLAINT, rows, "(store_id, reference)", "reference")
    result.known += [reference for reference in usable if reference not in added]
    result.added = list(added.values())
    record_births(COMPLAINT, result.added, "open", by=by, at=at, reason=source)
    open_tasks(
        [
            NewTask(
                kind="complaint_to_answer", store_id=store.pk, thing_kind="complaint", thing=complaint,
                params={"reference": reference, "kind": usable[reference].kind}, due_at=dues[reference],
            )
            for reference, complaint in added.items()
        ],
        at=at,
    )  # fmt: skip
    record_facts("complaints_opened", result.added, at=at)
    return result


_COMPLAINT = (
    "store_id", "reference", "order_id", "aftersale_case_id", "kind", "state", "text", "due_at", "rule", "opened_at",
    "source", "found",
)  # fmt: skip


@transaction.atomic
def note_findings(findings: Mapping[int, tuple[str, Mapping[str, Any]]], *, by: str, at: datetime) -> list[int]:
    """What a look at the parcel or its photos showed: complaint → ("clean" | "breach" | "", details). Returns those noted."""
    noted = []
    for complaint, (finding, found) in sorted(findings.items()):
        if finding not in ("", "clean", "breach"):
            raise ValueError(finding)
        if Complaint.objects.filter(pk=complaint).update(finding=finding, found={**found, "by": by, "at": at.isoformat()}):
            noted.append(complaint)
    return noted


@transaction.atomic
def answer_complaint(*, complaint_id: int, answer: str, by: str, at: datetime) -> None:
    """The buyer (or the platform) was answered. Raises `Refused`."""
    if not answer.strip():
        raise Refused(_("Write down what was answered."), code="answer_missing", field="answer")
    _must(move(COMPLAINT, [complaint_id], to="answered", by=by, at=at, set_at="answered_at"))
    Complaint.objects.filter(pk=complaint_id).update(answer=answer.strip())
    close_tasks(kind="complaint_to_answer", thing_kind="complaint", things=[complaint_id], by=by, at=at)


@transaction.atomic
def escalate_complaint(*, complaint_id: int, due_at: datetime | None = None, by: str, at: datetime) -> None:
    """The platform was called in: it has to be answered again, by `due_at` where it says so. Raises `Refused`."""
    complaint = Complaint.objects.get(pk=complaint_id)
    if due_at is not None and due_at <= complaint.opened_at:
        raise Refused(_("The deadline is before the complaint arrived."), code="times_crossed", field="due_at")
    _must(move(COMPLAINT, [complaint_id], to="escalated", by=by, at=at))
    Complaint.objects.filter(pk=complaint_id).update(due_at=due_at, rule="", ended_at=None, outcome="")
    close_tasks(kind="complaint_to_answer", thing_kind="complaint", things=[complaint_id], by=by, at=at)
    open_tasks(
        [
            NewTask(
                kind="complaint_to_answer", store_id=complaint.store_id, thing_kind="complaint", thing=complaint_id,
                params={"reference": complaint.reference, "kind": complaint.kind}, due_at=due_at,
            )
        ],
        at=at,
    )  # fmt: skip


@transaction.atomic
def settle_complaint(*, complaint_id: int, outcome: str, by: str, at: datetime) -> None:
    """How it ended. "unfounded" ends it as not upheld, everything else as settled. Raises `Refused`."""
    if outcome not in OUTCOMES:
        raise Refused(_("Say how the complaint ended."), code="outcome_unknown", field="outcome")
    to = "rejected" if outcome == "unfounded" else "resolved"
    _must(move(COMPLAINT, [complaint_id], to=to, by=by, at=at, set_at="ended_at", reason=outcome))
    Complaint.objects.filter(pk=complaint_id).update(outcome=outcome)
    close_tasks(kind="complaint_to_answer", thing_kind="complaint", things=[complaint_id], by=by, at=at)


@transaction.atomic
def close_complaints(ids: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """Put ended complaints away; those still open stay. Returns the closed ones."""
    return move(COMPLAINT, list(ids), to="closed", by=by, at=at).moved


# --- Infringement -------------------------------------------------------------------------------------------------


class NewInfringement(NamedTuple):
    """A notice that a listing breaches a right. `taken_down`: the platform has acted already."""

    reference: str
    notified_at: datetime
    right: str
    complainant: str = ""
    listing: int | None = None
    right_number: str = ""
    claim: str = ""
    answer_due_at: datetime | None = None
    taken_down: bool = False


@transaction.atomic
def open_infringement(wanted: NewInfringement, *, store: Store, source: str, by: str, at: datetime) -> Infringement:
    """Write a notice down, each reference once. Raises `Refused`."""
    reference = wanted.reference.strip()
    if not reference or len(reference) > 80:
        raise Refused(
            _("It has no reference of the platform; without one it could be taken twice."), code="reference_missing", field="reference"
        )
    if wanted.right not in RIGHTS:
        raise Refused(_("Say which right is said to be breached."), code="right_unknown", field="right")
    if wanted.notified_at > at + timedelta(days=1):
        raise Refused(
            _("%(date)s lies ahead; enter it on the day it happens.") % {"date": wanted.notified_at.date()},
            code="date_in_future", field="notified_at",
        )  # fmt: skip
    if wanted.answer_due_at is not None and wanted.answer_due_at <= wanted.notified_at:
        raise Refused(_("The deadline is before the notice arrived."), code="times_crossed", field="answer_due_at")
    title = ""
    if wanted.listing is not None:
        row = bulk.fetch(
            "SELECT coalesce(nullif(title, ''), sku) FROM catalog_listingvariant WHERE id = %s AND store_id = %s",
            (wanted.listing, store.pk),
        )
        if not row:
            raise Refused(_("This store has no such listing."), code="no_listing", field="listing")
        title = row[0][0]
    if known := Infringement.objects.filter(store=store, reference=reference).first():
        raise Refused(
            _("This notice is known already, as case %(id)s.") % {"id": known.pk}, code="known", field="reference"
        )
    state = "taken_down" if wanted.taken_down else "notified"
    case = Infringement.objects.create(
        store=store, reference=reference, listing_id=wanted.listing, title=title[:255], complainant=wanted.complainant.strip()[:160],
        right=wanted.right, right_number=wanted.right_number.strip()[:80], claim=wanted.claim.strip(), state=state,
        notified_at=wanted.notified_at, answer_due_at=wanted.answer_due_at, source=source[:60],
    )  # fmt: skip
    record_births(INFRINGEMENT, [case.pk], state, by=by, at=at, reason=source)
    record_facts("infringements_moved", [case.pk], at=at)
    open_tasks(
        [
            NewTask(
                kind="infringement_to_answer", store_id=store.pk, thing_kind="infringement", thing=case.pk,
                params={"reference": reference}, due_at=wanted.answer_due_at,
            )
        ],
        at=at,
    )  # fmt: skip
    return case


@transaction.atomic
def step_infringement(
    *, case_id: int, to: str, text: str = "", happened_at: datetime | None = None, by: str, at: datetime
) -> Infringement:
    """Move a case on. A counter-notice needs its words and a proof; forwarding it starts the complainant's 15 days.

    Raises `Refused`.
    """
    case = _locked(Infringement, case_id)
    when = min(happened_at or at, at)
    if to == "countered":
        if not text.strip():
            raise Refused(_("Say why nothing is infringed: that is the counter-notice."), code="text_missing", field="text")
        if not queries.has_proof(case):
            raise Refused(
                _("A counter-notice needs a first proof (E-Commerce Law 43): record the right on the listing, or add the document here."),
                code="proof_missing",
            )
        case.counter = text.strip()
        case.countered_at = when
    if to == "restored" and case.state == "forwarded" and case.restore_due_at and at < case.restore_due_at and not text.strip():
        raise Refused(
            _("The complainant's time runs until %(until)s. If the platform restored it earlier, write down what it said.")
            % {"until": case.restore_due_at.astimezone(ZoneInfo(case.store.timezone)).date()},
            code="too_early", field="text",
        )  # fmt: skip
    _must(move(INFRINGEMENT, [case_id], to=to, by=by, at=at, reason=text.strip()[:300]))
    record_facts("infringements_moved", [case_id], at=at)
    if to == "forwarded":
        book = queries.book(case.store, on=when.astimezone(ZoneInfo(case.store.timezone)).date())
        found = rules.restore_deadline(when, book, case.store.timezone, policy.country_of(case.store))
        case.forwarded_at = when
        case.restore_due_at, case.rule = (found.until, found.rule) if found else (None, "")
    if INFRINGEMENT.is_final(to):
        case.ended_at = when
    case.save(update_fields=["counter", "countered_at", "forwarded_at", "restore_due_at", "rule", "ended_at"])
    close_tasks(kind="infringement_to_answer", thing_kind="infringement", things=[case_id], by=by, at=at)
    close_tasks(kind="infringement_restore_due", thing_kind="infringement", things=[case_id], by=by, at=at)
    if to == "taken_down":
        open_tasks(
            [
                NewTask(
                    kind="infringement_to_answer", store_id=case.store_id, thing_kind="infringement", thing=case_id,
                    params={"reference": case.reference}, due_at=case.answer_due_at,
                )
            ],
            at=at,
        )  # fmt: skip
    case.refresh_from_db()
    return case


@transaction.atomic
def record_right(
    *, listing_ids: Sequence[int], store: Store, right: str, basis: str, valid_from: date, valid_until: date | None = None,
    holder: str = "", number: str = "", note: str = "", by: str, at: datetime,
) -> list[int]:  # fmt: skip
    """Record for listings of a store by what right their pictures, brand or design are used. Raises `Refused`."""
    if right not in RIGHTS:
        raise Refused(_("Say which right it is."), code="right_unknown", field="right")
    if basis not in BASES:
        raise Refused(_("Say by what it may be used."), code="basis_unknown", field="basis")
    if valid_until is not None and valid_until < valid_from:
        raise Refused(_("It ends before it begins."), code="times_crossed", field="valid_until")
    if basis in ("licence", "supplier") and not holder.strip():
        raise Refused(_("Say who gave the right."), code="holder_missing", field="holder")
    own = {row[0] for row in bulk.fetch(
        "SELECT id FROM catalog_listingvariant WHERE store_id = %s AND id = ANY(%s::bigint[])", (store.pk, list(listing_ids))
    )}  # fmt: skip
    if own != set(listing_ids) or not own:
        raise Refused(_("This store has no such listing."), code="no_listing", field="listing")
    return [
        ListingRight.objects.create(
            listing_id=listing, right=right, basis=basis, holder=holder.strip()[:160], number=number.strip()[:80],
            note=note.strip()[:300], valid_from=valid_from, valid_until=valid_until, by=by, at=at,
        ).pk
        for listing in sorted(own)
    ]  # fmt: skip


# --- Qualifications -----------------------------------------------------------------------------------------------


@transaction.atomic
def add_qualification(
    *, store: Store, kind: str, number: str, category: str = "", holder: str = "", valid_from: date,
    valid_until: date | None = None, note: str = "", by: str, at: datetime,
) -> Qualification:  # fmt: skip
    """Enter a licence; the same number again is a renewal and takes the new dates. Raises `Refused`."""
    if kind not in QUALIFICATIONS:
        raise Refused(_("Say which licence it is."), code="kind_unknown", field="kind")
    if not number.strip():
        raise Refused(_("Enter the number that stands on the document."), code="number_missing", field="number")
    if valid_until is not None and valid_until < valid_from:
        raise Refused(_("It ends before it begins."), code="times_crossed", field="valid_until")
    found, _made = Qualification.objects.update_or_create(
        store=store, category=category.strip()[:120], kind=kind, number=number.strip()[:80],
        defaults={
            "holder": holder.strip()[:160], "valid_from": valid_from, "valid_until": valid_until, "note": note.strip()[:300],
            "withdrawn_on": None, "by": by, "at": at,
        },
    )  # fmt: skip
    close_tasks(kind="qualification_ending", thing_kind="qualification", things=[found.pk], by=by, at=at)
    watch_qualifications(by=by, at=at, stores=[store.pk])
    return found


@transaction.atomic
def withdraw_qualification(*, qualification_id: int, on: date, by: str, at: datetime) -> None:
    """It does not count from that day on. Raises `Refused`."""
    found = _locked(Qualification, qualification_id)
    found.withdrawn_on = on
    found.save(update_fields=["withdrawn_on"])
    close_tasks(kind="qualification_ending", thing_kind="qualification", things=[qualification_id], by=by, at=at)


@transaction.atomic
def say_need(
    *, channel: str, category: str, kind: str, is_needed: bool, source: str, store: Store | None = None, by: str, at: datetime
) -> QualificationNeed:
    """The owner says that goods of a category need a licence (on a channel, in a store), or do not.

    It then stops publishing, or not. Raises `Refused`.
    """
    if kind not in QUALIFICATIONS:
        raise Refused(_("Say which licence it is."), code="kind_unknown", field="kind")
    if not source.strip():
        raise Refused(_("Say where it stands that it is needed or not."), code="source_missing", field="source")
    found, _made = QualificationNeed.objects.update_or_create(
        store=store, channel="" if store is not None else channel.strip()[:40], category=category.strip().casefold()[:120], kind=kind,
        default="", defaults={"is_needed": is_needed, "source": source.strip()[:200], "by": by, "at": at},
    )  # fmt: skip
    return found


@transaction.atomic
def decide_needs(
    defaults: Sequence[str], *, standing: str, source: str = "", channel: str = "", store: Store | None = None, by: str, at: datetime
) -> int:
    """The owner's word on needs that come with daifa (ids): "must", "not_needed", or "ask" as they came.

    For a store, a channel, or everywhere. A need that is struck out asks for the reason. Returns how many. Raises `Refused`.
    """
    known = {need.id: need for need in rules.default_needs()}
    if standing not in ("must", "ask", "not_needed") or not set(defaults) <= known.keys():
        raise Refused(_("Say whether it is a must, asked for, or not needed."), code="standing_unknown", field="standing")
    if standing == "not_needed" and not source.strip():
        raise Refused(_("Say where it stands that it is needed or not."), code="source_missing", field="source")
    where = {"store": store, "channel": "" if store is not None else channel.strip()[:40]}
    for name in defaults:
        if standing == "ask":
            QualificationNeed.objects.filter(**where, default=name).delete()
            continue
        need = known[name]
        QualificationNeed.objects.update_or_create(
            **where, category="", kind=need.kinds[0], default=name,
            defaults={"is_needed": standing == "must", "source": source.strip()[:200] or need.source[:200], "by": by, "at": at},
        )  # fmt: skip
    return len(defaults)


@transaction.atomic
def forget_needs(ids: Sequence[int]) -> int:
    """Take the owner's words back: what daifa knows counts again. Returns how many were taken."""
    return QualificationNeed.objects.filter(pk__in=list(ids)).delete()[0]


def watch_qualifications(*, by: str, at: datetime, stores: Sequence[int] | None = None) -> int:
    """Open a task for each licence that ends soon or has ended and is not replaced. Returns how many are new."""
    today = at.date()
    found = Qualification.objects.filter(
        valid_until__isnull=False, valid_until__lte=today + timedelta(days=rules.REMIND_DAYS), withdrawn_on=None
    ).select_related("store")
    if stores is not None:
        found = found.filter(store_id__in=list(stores))
    fresh = []
    for one in found:
        replaced = Qualification.objects.filter(
            store_id=one.store_id, kind=one.kind, category=one.category, withdrawn_on=None, valid_until=None
        ) | Qualification.objects.filter(
            store_id=one.store_id, kind=one.kind, category=one.category, withdrawn_on=None, valid_until__gt=one.valid_until
        )
        if replaced.exclude(pk=one.pk).exists():
            continue
        ends = datetime.combine(one.valid_until, datetime.max.time().replace(microsecond=0), ZoneInfo(one.store.timezone))
        fresh.append(
            NewTask(
                kind="qualification_ending", store_id=one.store_id, thing_kind="qualification", thing=one.pk,
                params={"number": one.number, "date": one.valid_until.isoformat()}, due_at=ends,
            )
        )  # fmt: skip
    return open_tasks(fresh, at=at)


# --- Files --------------------------------------------------------------------------------------------------------

FILE_KINDS = ("violation", "appeal", "complaint", "infringement", "listing_right", "qualification")


@transaction.atomic
def attach_files(
    contents: Sequence[tuple[str, bytes]], *, store_id: int, thing_kind: str, thing: int, note: str = "", by: str,
    at: datetime,
) -> tuple[list[int], list[str]]:  # fmt: skip
    """Keep photos and papers with a case; (ids, a sentence for each one refused). The same file twice is one.

    To a complaint only pictures can be added; what is not really one is refused. Fact: complaint_photos_added (file ids).
    """
    if thing_kind not in FILE_KINDS:
        raise ValueError(thing_kind)
    ids, refused, fresh = [], [], []
    for name, content in contents:
        try:
            kept = files.keep(name, content, images_only=thing_kind == "complaint")
        except Refused as refusal:
            refused.append(refusal.sentence)
            continue
        found, made = CaseFile.objects.get_or_create(
            thing_kind=thing_kind, thing=thing, sha256=kept.sha256,
            defaults={
                "store_id": store_id, "name": kept.name, "media_type": kept.media_type, "size": kept.size,
                "note": note[:200], "by": by, "at": at,
            },
        )  # fmt: skip
        ids.append(found.pk)
        if made:
            fresh.append(found.pk)
    if thing_kind == "complaint":
        record_facts("complaint_photos_added", fresh, at=at)
    return ids, refused


# --- Photos in evidence packs -------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """What was read on a photo: the parts to be covered, or (`why`, of `pictures.WHY_WAITING`) that a person must look."""

    sha256: str
    folder: str
    basis: str
    parts: tuple[pictures.Part, ...] = ()
    why: str = ""


@transaction.atomic
def note_readings(readings: Sequence[Reading], *, store_id: int, by: str, at: datetime) -> list[PictureCover]:
    """Keep what the reader found on photos; where a person has decided, his word stays. Opens the tasks to look."""
    notes = []
    for one in sorted(readings):
        fresh = {
            "folder": one.folder, "state": "waiting" if one.why else "read", "why": one.why, "basis": one.basis, "by": by, "at": at,
            "boxes": [[round(edge, 1) for edge in part.box] for part in one.parts], "found": pictures.counted(one.parts),
        }  # fmt: skip
        cover, made = PictureCover.objects.select_for_update().get_or_create(store_id=store_id, sha256=one.sha256, defaults=fresh)
        if not made and cover.basis:
            for name, value in fresh.items():
                setattr(cover, name, value)
            cover.save()
        notes.append(cover)
    waiting = [cover for cover in notes if cover.state == "waiting"]
    open_tasks(
        [NewTask(kind="picture_to_look_at", store_id=store_id, thing_kind="picture_cover", thing=cover.pk) for cover in waiting], at=at
    )
    done = [cover.pk for cover in notes if cover.state != "waiting"]
    close_tasks(kind="picture_to_look_at", thing_kind="picture_cover", things=done, by=by, at=at)
    return notes


@transaction.atomic
def decide_pictures(
    ids: Sequence[int], *, to: str, boxes: Sequence[pictures.Box] = (), by: str, at: datetime
) -> list[int]:
    """A person's word on photos: as_is, left_out, or boxed with the parts to cover. It counts for every later pack.

    Returns those decided. Raises `Refused`.
    """
    if to not in ("as_is", "left_out", "boxed"):
        raise Refused(_("Say whether it is shown, covered or left out."), code="decision_unknown", field="decision")
    if to == "boxed" and not boxes:
        raise Refused(_("Mark the fields to be covered, or show the photo as it is."), code="boxes_missing", field="fields")
    for left, top, right, bottom in boxes:
        if not (0 <= left < right <= 1000 and 0 <= top < bottom <= 1000):
            raise Refused(_("A covered part lies outside of the photo."), code="box_wrong", field="fields")
    parts = [pictures.Part("hand", box) for box in boxes] if to == "boxed" else []
    decided = []
    for cover in PictureCover.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk"):
        cover.state, cover.why, cover.basis, cover.by, cover.at = to, "", "", by, at
        cover.boxes, cover.found = [list(part.box) for part in parts], {"hand": 1} if parts else {}
        cover.save()
        decided.append(cover.pk)
    close_tasks(kind="picture_to_look_at", thing_kind="picture_cover", things=decided, by=by, at=at)
    return decided


# --- Evidence packs -----------------------------------------------------------------------------------------------


MOST_TRIES = 5
"""A pack whose gathering was cut off so often is given up: something in it stops the program each time."""


@transaction.atomic
def ask_pack(
    *, store_id: int, case_kind: str, case: int, orders: Sequence[int], name: str, language: str, revealed: bool, reason: str,
    costs: bool = False, by: str, at: datetime,
) -> EvidencePack:  # fmt: skip
    """Write down which pack is wanted; it is gathered by `flows/gather_evidence.py`. `name` stands for it until then."""
    pack = EvidencePack.objects.create(
        store_id=store_id, case_kind=case_kind, case=case, orders=sorted(orders), state="gathering", name=name[:120], language=language,
        revealed=revealed, reason=reason[:300], costs=costs, by=by, at=at,
    )  # fmt: skip
    record_births(EVIDENCE_PACK, [pack.pk], "gathering", by=by, at=at)
    pack.refresh_from_db()
    return pack


@transaction.atomic
def begin_pack(pack_id: int) -> bool:
    """Count one more try to gather a pack; False once there were too many."""
    tries = bulk.fetch(
        "UPDATE cases_evidencepack SET tries = tries + 1 WHERE id = %s AND state = 'gathering' RETURNING tries", (pack_id,)
    )
    return bool(tries) and tries[0][0] <= MOST_TRIES


def count_photos(pack_id: int, *, done: int, of: int) -> None:
    """How many of its photos have been looked at."""
    bulk.execute("UPDATE cases_evidencepack SET photos_done = %s, photos = %s WHERE id = %s", (done, of, pack_id))


def finish_pack(
    pack_id: int, *, name: str, content: bytes, contents: Sequence[tuple[str, str, int, str]], left_out: Sequence[str],
    gaps: Sequence[str] = (), by: str, at: datetime,
) -> EvidencePack:  # fmt: skip
    """Store a pack's bytes under their hash and say what it holds; whoever comes second finds it made.

    The hash is written down before the file is: killed in between, the next try knows which file was left. Where the data of
    its orders were erased meanwhile nothing is kept and the pack has failed.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        pack = _locked(EvidencePack, pack_id)
        if pack.state != "gathering":
            return pack
        _drop_left(pack, but=sha256)
        EvidencePack.objects.filter(pk=pack_id).update(sha256=sha256)
    keeping.store("evidence", content)
    with transaction.atomic():
        pack = _locked(EvidencePack, pack_id)
        if pack.erased_at is not None:
            _drop_left(pack)
            return _failed(pack, _("The data of its buyers were erased meanwhile."), by=by, at=at)
        if move(EVIDENCE_PACK, [pack_id], to="made", by=by, at=at, set_at="made_at").moved:
            EvidencePack.objects.filter(pk=pack_id).update(
                name=name[:120], size=len(content), contents=[list(row) for row in contents], left_out=list(left_out), gaps=list(gaps),
                photos_done=F("photos"), sentence="",
            )  # fmt: skip
            close_tasks(kind="pack_not_made", thing_kind="evidence_pack", things=[pack_id], by=by, at=at)
        pack.refresh_from_db()
        return pack


@transaction.atomic
def give_up_pack(pack_id: int, *, sentence: str, by: str, at: datetime) -> EvidencePack:
    """A pack that cannot be made says why, on its page and on Today; it can be asked for again."""
    pack = _locked(EvidencePack, pack_id)
    if pack.state == "gathering":
        _drop_left(pack)
        _failed(pack, sentence, by=by, at=at)
    return pack


@transaction.atomic
def ask_pack_again(pack_id: int, *, by: str, at: datetime) -> EvidencePack:
    """A pack that could not be made is wanted all the same. Raises `Refused`."""
    pack = _locked(EvidencePack, pack_id)
    if pack.erased_at is not None:
        raise Refused(_("The data of its buyers were erased: there is nothing to gather."), code="erased")
    if not move(EVIDENCE_PACK, [pack_id], to="gathering", by=by, at=at, sets={"tries": 0, "photos_done": 0, "sentence": ""}).moved:
        raise Refused(
            _("This pack is “%(state)s”: only one that could not be made is asked for again.")
            % {"state": queries.word(dict(EVIDENCE_PACK.words), pack.state)},
            code="wrong_state",
        )  # fmt: skip
    close_tasks(kind="pack_not_made", thing_kind="evidence_pack", things=[pack_id], by=by, at=at)
    pack.refresh_from_db()
    return pack


def _failed(pack: EvidencePack, sentence: str, *, by: str, at: datetime) -> EvidencePack:
    _must(move(EVIDENCE_PACK, [pack.pk], to="failed", by=by, at=at, sets={"sentence": sentence[:300], "sha256": ""}))
    if pack.erased_at is None:
        open_tasks(
            [NewTask(kind="pack_not_made", store_id=pack.store_id, thing_kind="evidence_pack", thing=pack.pk, params={"sentence": sentence[:300]})],
            at=at,
        )  # fmt: skip
    pack.refresh_from_db()
    return pack


def _drop_left(pack: EvidencePack, *, but: str = "") -> None:
    """The file of an earlier try that never came to its end."""
    if pack.sha256 and pack.sha256 != but and not EvidencePack.objects.filter(sha256=pack.sha256).exclude(pk=pack.pk).exists():
        files.path_of(pack.sha256, "evidence").unlink(missing_ok=True)


# --- What time brings ---------------------------------------------------------------------------------------------


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


# --- Inside -------------------------------------------------------------------------------------------------------


def _locked(model: Any, pk: int) -> Any:
    found = model.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if found is None:
        raise Refused(_("There is no such case."), code="no_case")
    return found


def _must(moved: Any) -> None:
    if not moved.moved:
        raise Refused(_("This case is not where it was: look at it again."), code="moved_on")

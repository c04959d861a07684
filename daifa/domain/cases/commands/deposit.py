"""The deposit a platform holds: what is required, every movement as money in the books."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.books import commands as books
from daifa.domain.books import queries as book_queries
from daifa.domain.cases import queries, rules
from daifa.domain.cases.commands.taking import LARGEST, Taken, amount_problem
from daifa.domain.cases.models import DepositMove, DepositRequirement, Violation
from daifa.domain.cases.process import DEPOSIT_MOVES
from daifa.domain.cases.rules import NOTHING
from daifa.domain.history.commands import record_facts
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.money import rounded
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sentences import gettext as _


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
            problem = amount_problem(wanted.amount, store.currency, refused)
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
        watch_money_back(sorted(touched), by=by, at=at)
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


def watch_money_back(ids: Sequence[int], *, by: str, at: datetime) -> None:
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

"""Refunds and cases. Many at once. The steps of cases are whole transactions; for refunds the caller holds one.

Both lock the orders first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from daifa.domain.aftersales.models import AftersaleLine
from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.domain.aftersales.rules import RETURN_TIME, SoldLine, match_credit
from daifa.domain.history.commands import move, record_births, record_facts
from daifa.domain.orders.commands import count_refunds, lock_orders
from daifa.domain.orders.queries import unpaid
from daifa.domain.purchasing.commands import cancel_units
from daifa.lib import bulk
from daifa.lib.money import rounded, shares
from daifa.lib.refusal import Refused


class NewRefund(NamedTuple):
    """Money given back on one order (or none). `lines`: (order line or None, SKU, units, amount).

    `settles`: units of a line that were cancelled before, and for which nothing was given back yet, are the ones meant
    first; else those named are cancelled on top of them. `came_back`: goods came back, so units that were shipped are
    meant before any that were not.
    """

    store: int
    order: int | None
    external_ref: str
    reason: str
    no_claim_reason: str
    amount: Decimal
    currency: str
    at: datetime
    lines: tuple[tuple[int | None, str, int, Decimal], ...]
    case: int | None = None
    settles: bool = False
    came_back: bool = False


@dataclass(slots=True)
class Credited:
    """What `apply_credits` did, in credit lines."""

    matched: int = 0
    partly: int = 0
    unmatched: int = 0
    known: int = 0
    refunds: list[int] = field(default_factory=list)


def write_refunds(refunds: Sequence[NewRefund], *, by: str, at: datetime) -> list[int]:
    """Write confirmed refunds; units that nobody was asked to ship are cancelled with them. Returns their ids.

    Lines and orders count what was refunded; the books hear of it (`refunds_confirmed`).
    """
    refunds = [refund for refund in refunds if refund.amount > 0 or refund.lines]
    if not refunds:
        return []
    lock_orders(sorted({refund.order for refund in refunds if refund.order is not None}))
    wants: dict[int, int] = {}
    meant = _meant_before(refunds)
    settled: dict[tuple[int, int], int] = {}  # (refund, line) → units that were cancelled before
    most: dict[tuple[int, int], int] = {}  # (refund, line) → units it may cancel
    for number, refund in enumerate(refunds):
        for line, _sku, units, _amount in refund.lines:
            if line is None or not units:
                continue
            gone, shipped = meant.get(line, (0, 0))
            kept = min(units, shipped) if refund.came_back else 0
            before = min(units - kept, gone) if refund.settles else 0
            meant[line] = (gone - before, shipped - kept)
            settled[number, line], most[number, line] = before, units - kept - before
            wants[line] = wants.get(line, 0) + units - kept - before
    cancelled = cancel_units({line: units for line, units in wants.items() if units}, by=by, at=at)
    ids = bulk.next_ids("aftersales_refund", len(refunds))
    bulk.copy_rows(
        "aftersales_refund",
        (
            "id", "store_id", "order_id", "case_id", "external_ref", "state", "reason", "no_claim_reason", "amount",
            "currency", "at", "confirmed_at",
        ),
        [
            (
                refund_id, r.store, r.order, r.case, r.external_ref[:80], "confirmed", r.reason, r.no_claim_reason,
                r.amount, r.currency, r.at, at,
            )
            for refund_id, r in zip(ids, refunds, strict=True)
        ],
    )  # fmt: skip
    rows = []
    for number, (refund_id, refund) in enumerate(zip(ids, refunds, strict=True)):
        for line, sku, units, amount in refund.lines:
            gone = min(most.get((number, line), 0), cancelled.get(line, 0)) if line is not None else 0
            if gone and line is not None:
                cancelled[line] -= gone
                most[number, line] -= gone
            gone += settled.pop((number, line), 0) if line is not None else 0
            rows.append((refund_id, line, sku[:80], units, gone, amount))
    bulk.copy_rows(
        "aftersales_refundline", ("refund_id", "order_line_id", "sku", "quantity", "cancelled", "amount"), rows
    )
    count_refunds(
        [(line, units, amount) for _, line, _, units, _, amount in rows if line is not None],
        [(r.order, r.amount) for r in refunds if r.order is not None],
    )
    record_births(REFUND, ids, "confirmed", by=by, at=at)
    record_facts("refunds_confirmed", ids, at=at)
    return ids


def _meant_before(refunds: Sequence[NewRefund]) -> dict[int, tuple[int, int]]:
    """Line → (units cancelled for which nothing was given back, units shipped for which nothing was), where it matters."""
    lines = sorted({line for refund in refunds if refund.settles or refund.came_back for line, *_ in refund.lines if line is not None})
    if not lines:
        return {}
    return {
        line: (max(cancelled - back_cancelled, 0), max(shipped - back_others, 0))
        for line, cancelled, shipped, back_cancelled, back_others in bulk.fetch(
            """SELECT l.id, l.cancelled, l.shipped, coalesce(sum(x.cancelled), 0), coalesce(sum(x.quantity - x.cancelled), 0)
               FROM orders_orderline l
               LEFT JOIN aftersales_refundline x ON x.order_line_id = l.id
                    AND EXISTS (SELECT FROM aftersales_refund r WHERE r.id = x.refund_id AND r.state = 'confirmed')
               WHERE l.id = ANY(%s::bigint[]) GROUP BY l.id""",
            (lines,),
        )
    }


def apply_credits(store: Any, credits: Sequence[Any], *, by: str, at: datetime) -> Credited:
    """Credit notes (`connectors.contract.IncomingCredit`): give back on the lines they belong to.

    Known credit numbers change nothing. What belongs to no line becomes a stand-alone refund, reason `no_original`.
    """
    result = Credited()
    # One hand at a time gives back in a store: two files must not match their credits to the same units.
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('apply_credits'), %s)", (store.pk,))
    known = {
        row[0]
        for row in bulk.fetch(
            "SELECT external_ref FROM aftersales_refund WHERE store_id = %s AND external_ref = ANY(%s::text[])",
            (store.pk, [credit.number for credit in credits]),
        )
    }
    fresh = [credit for credit in credits if credit.number not in known]
    result.known = sum(len(credit.lines) for credit in credits if credit.number in known)
    if not fresh:
        return result
    sold = _sold_lines(store.pk, fresh)
    refunds: list[NewRefund] = []
    for credit in sorted(fresh, key=lambda c: c.at):
        parts: dict[int | None, list[tuple[int | None, str, int, Decimal]]] = {}
        for line in credit.lines:
            candidates = sold.get(("order", credit.order_number) if credit.order_number else ("customer", credit.customer_ref), [])
            matches, units, money = match_credit(
                line.sku, line.unit_price, line.quantity, line.amount, credit.at, candidates
            )
            for match in matches:
                parts.setdefault(match.order, []).append((match.line, line.sku, match.quantity, match.amount))
            if units or (not matches and money):
                parts.setdefault(None, []).append((None, line.sku, units, money))
            if not matches:
                result.unmatched += 1
            elif units:
                result.partly += 1
            else:
                result.matched += 1
        for order, lines in parts.items():
            amount = sum((part[3] for part in lines), Decimal(0))
            refunds.append(
                NewRefund(
                    store.pk, order, credit.number, "credit_note" if order else "no_original",
                    "imported_credit" if order else "no_original", max(amount, Decimal(0)), store.currency, credit.at,
                    tuple(lines), settles=True,
                )
            )  # fmt: skip
    result.refunds = write_refunds(refunds, by=by, at=at)
    return result


def _sold_lines(store: int, credits: Sequence[Any]) -> dict[tuple[str, str], list[SoldLine]]:
    """Lines that may be given back, newest first, by customer reference or by order number."""
    skus = list({line.sku for credit in credits for line in credit.lines})
    result: dict[tuple[str, str], list[SoldLine]] = {}
    refs = list({c.customer_ref for c in credits if c.customer_ref and not c.order_number})
    numbers = list({c.order_number for c in credits if c.order_number})
    select = """SELECT {key}, l.id, o.id, l.sku, l.unit_price, o.placed_at, l.quantity - l.refunded
                FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id {join}
                WHERE o.store_id = %s AND {where} = ANY(%s::text[]) AND l.sku = ANY(%s::text[])
                  AND l.quantity > l.refunded AND NOT o.is_history
                ORDER BY o.placed_at DESC, o.id DESC, l.line_no DESC"""
    queries = (
        ("customer", refs, "c.ref", "JOIN customers_customer c ON c.id = o.customer_id", "c.ref"),
        ("order", numbers, "o.number", "", "o.number"),
    )
    for name, values, key, join, where in queries:
        if values:
            for row in bulk.fetch(select.format(key=key, join=join, where=where), (store, values, skus)):
                result.setdefault((name, row[0]), []).append(SoldLine(row[1], row[2], *row[3:]))
    return result


def open_case(
    *, order_id: int, kind: str, reason: str, lines: Sequence[tuple[int, int]], note: str, by: str, at: datetime
) -> int:
    """A buyer asks back units of lines [(line, units)]. Returns the case; raises `Refused` with the sentence."""
    lock_orders([order_id])
    if unpaid([order_id]):
        raise Refused(
            _("The buyer has not paid for this order, so nothing can be given back. Cancel what is not wanted any more."),
            code="not_paid",
        )
    left = dict(
        bulk.fetch("SELECT id, quantity - refunded FROM orders_orderline WHERE order_id = %s", (order_id,))
    )
    if not lines:
        raise Refused(_("Say which lines the buyer gives back."), code="no_lines")
    for line, units in lines:
        if line not in left or units < 1 or units > left[line]:
            raise Refused(_("That many units of a line cannot be given back."), code="too_many_units")
    store = bulk.fetch("SELECT store_id FROM orders_order WHERE id = %s", (order_id,))[0][0]
    case = bulk.fetch(
        """INSERT INTO aftersales_aftersalecase (store_id, order_id, kind, state, reason, note, opened_at)
           VALUES (%s, %s, %s, 'requested', %s, %s, %s) RETURNING id""",
        (store, order_id, kind, reason[:40], note, at),
    )[0][0]
    bulk.copy_rows("aftersales_aftersaleline", ("case_id", "order_line_id", "quantity"), [(case, *row) for row in lines])
    record_births(AFTERSALE_CASE, [case], "requested", by=by, at=at, reason=reason)
    return case


def refund_case(*, case_id: int, amount: Decimal, no_claim_reason: str, by: str, at: datetime) -> int:
    """Give `amount` back for a case and end it. Raises `Refused`; returns the refund."""
    row = bulk.fetch("SELECT order_id, store_id, state, kind FROM aftersales_aftersalecase WHERE id = %s", (case_id,))
    if not row:
        raise Refused(_("There is no such case."), code="no_case")
    order, store, state, kind = row[0]
    lock_orders([order])
    if "refunded" not in AFTERSALE_CASE.next(state):
        raise Refused(_("This case has been settled already."), code="settled")
    total, refunded, currency = bulk.fetch(
        "SELECT total_amount, refunded_amount, currency FROM orders_order WHERE id = %s", (order,)
    )[0]
    if amount <= 0 or amount > total - refunded:
        raise Refused(
            _("At most %(left)s %(currency)s can still be refunded on this order.")
            % {"left": total - refunded, "currency": currency},
            code="amount_too_high", field="amount",
        )  # fmt: skip
    if not no_claim_reason.strip():
        raise Refused(_("Write down why no claim is made on the supplier."), code="no_reason", field="no_claim_reason")
    lines = bulk.fetch(
        """SELECT l.order_line_id, o.sku, least(l.quantity, o.quantity - o.refunded), o.amount * l.quantity / nullif(o.quantity, 0)
           FROM aftersales_aftersaleline l JOIN orders_orderline o ON o.id = l.order_line_id
           WHERE l.case_id = %s ORDER BY l.id""",
        (case_id,),
    )
    amount = rounded(amount, currency)
    parts = shares(amount, [max(line[3] or 0, 0) for line in lines], currency)
    move(AFTERSALE_CASE, [case_id], to="refunded", by=by, at=at)
    bulk.execute("UPDATE aftersales_aftersalecase SET due_at = NULL WHERE id = %s AND due_at IS NOT NULL", (case_id,))
    return write_refunds(
        [
            NewRefund(
                store, order, f"case-{case_id}", "case", no_claim_reason.strip()[:60], amount, currency, at,
                tuple((line[0], line[1], line[2], part) for line, part in zip(lines, parts, strict=True)), case_id,
                settles=True, came_back=kind == "return",
            )
        ],
        by=by, at=at,
    )[0]  # fmt: skip


# --- The steps of a case ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Stepped:
    """What became of cases: `moved` went where they were sent; `refused` says of each other one why not."""

    moved: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


@transaction.atomic
def approve_cases(
    case_ids: Sequence[int], *, return_by: datetime | None = None, by: str, at: datetime
) -> Stepped:
    """Agree to what buyers ask; no money moves yet. Goods are expected back until `return_by`, else in a fortnight."""
    done = _step(case_ids, to="approved", by=by, at=at)
    bulk.execute(
        """UPDATE aftersales_aftersalecase SET due_at = CASE WHEN kind = 'return' THEN %s::timestamptz END
           WHERE id = ANY(%s::bigint[])""",
        (return_by or at + RETURN_TIME, done.moved),
    )
    return done


@transaction.atomic
def refuse_cases(case_ids: Sequence[int], *, reason: str, by: str, at: datetime) -> Stepped:
    """Say no, with the reason in writing; a refused case may still be approved later. Raises `Refused` without one."""
    if not reason.strip():
        raise Refused(_("Write down why it is refused: the buyer will ask."), code="no_reason", field="reason")
    return _step(case_ids, to="refused", reason=reason.strip(), by=by, at=at, ends=True)


@transaction.atomic
def record_returns(numbers: Mapping[int, str], *, by: str, at: datetime) -> Stepped:
    """Goods are on their way back: {case: the number they travel under, "" where nobody knows it}."""
    numbers = {case: " ".join(number.split())[:60] for case, number in numbers.items()}
    wrong = _without_goods(list(numbers))
    done = _step([case for case in numbers if case not in wrong], to="in_transit", by=by, at=at)
    done.refused.update(wrong)
    bulk.execute(
        """UPDATE aftersales_aftersalecase c SET return_number = d.number
           FROM unnest(%s::bigint[], %s::text[]) AS d(id, number) WHERE c.id = d.id""",
        (done.moved, [numbers[case] for case in done.moved]),
    )
    return done


@transaction.atomic
def receive_returns(
    units: Mapping[int, Sequence[tuple[int, int, str]]], *, note: str = "", by: str, at: datetime
) -> Stepped:
    """Goods came back: {case: [(line of the case, units that came, condition)]}; conditions are those of `AftersaleLine`.

    A line that is not named came back empty. Cases of which nothing came, or more than was asked back, are refused.
    """
    refused = _without_goods(list(units))
    asked: dict[int, dict[int, int]] = {}
    for case, line, quantity in bulk.fetch(
        "SELECT case_id, id, quantity FROM aftersales_aftersaleline WHERE case_id = ANY(%s::bigint[])", (list(units),)
    ):
        asked.setdefault(case, {})[line] = quantity
    for case, lines in units.items():
        if case not in refused and (why := _why_not_received(lines, asked.get(case, {}))):
            refused[case] = why
    done = _step([case for case in units if case not in refused], to="received", reason=note.strip(), by=by, at=at)
    done.refused.update(refused)
    rows = [line for case in done.moved for line in units[case] if line[1]]
    bulk.execute(
        """UPDATE aftersales_aftersaleline l SET received = d.units, outcome = d.outcome
           FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS d(id, units, outcome) WHERE l.id = d.id""",
        ([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]),
    )
    bulk.execute("UPDATE aftersales_aftersalecase SET due_at = NULL WHERE id = ANY(%s::bigint[])", (done.moved,))
    return done


@transaction.atomic
def expire_cases(case_ids: Sequence[int], *, by: str, at: datetime) -> Stepped:
    """The buyer never sent the goods back: the case ends without money."""
    wrong = _without_goods(case_ids)
    done = _step([case for case in case_ids if case not in wrong], to="expired", by=by, at=at, ends=True)
    done.refused.update(wrong)
    return done


@transaction.atomic
def close_cases(case_ids: Sequence[int], *, by: str, at: datetime) -> Stepped:
    """Nothing more is to be done about these."""
    return _step(case_ids, to="closed", by=by, at=at, ends=True)


def _step(
    case_ids: Sequence[int], *, to: str, by: str, at: datetime, reason: str = "", ends: bool = False
) -> Stepped:
    """Move cases under their orders' locks; those that stand elsewhere are refused. `ends`: nothing is due any more."""
    orders = bulk.fetch(
        "SELECT DISTINCT order_id FROM aftersales_aftersalecase WHERE id = ANY(%s::bigint[]) ORDER BY 1", (list(case_ids),)
    )
    lock_orders([row[0] for row in orders])
    moved = move(AFTERSALE_CASE, sorted(set(case_ids)), to=to, by=by, at=at, reason=reason)
    if ends:
        bulk.execute(
            "UPDATE aftersales_aftersalecase SET due_at = NULL WHERE id = ANY(%s::bigint[])", (moved.moved,)
        )
    return Stepped(moved.moved, {case: _cannot(case, state, to) for case, state in moved.others.items()})


def _cannot(case: int, state: str, to: str) -> str:
    if not state:
        return _("There is no such case.")
    side = int((get_language() or "").startswith("zh"))
    words = AFTERSALE_CASE.words
    return _("Case %(id)s is “%(state)s”: it cannot become “%(to)s”.") % {
        "id": case, "state": words[state][side], "to": words[to][side],
    }  # fmt: skip


def _without_goods(case_ids: Sequence[int]) -> dict[int, str]:
    """Of cases about money alone: that nothing comes back."""
    return {
        row[0]: _("Case %(id)s is about money only: nothing comes back.") % {"id": row[0]}
        for row in bulk.fetch(
            "SELECT id FROM aftersales_aftersalecase WHERE id = ANY(%s::bigint[]) AND kind <> 'return'",
            (list(case_ids),),
        )
    }


def _why_not_received(lines: Sequence[tuple[int, int, str]], asked: Mapping[int, int]) -> str:
    known = {outcome for outcome, _words in AftersaleLine.OUTCOMES}
    if len({line for line, _units, _outcome in lines}) < len(lines):
        return _("A line may be named once.")
    for line, units, outcome in lines:
        if line not in asked:
            return _("That line is not of this case.")
        if not 0 <= units <= asked[line]:
            return _("At most %(units)d units of a line can come back: that many were asked back.") % {"units": asked[line]}
        if units and outcome not in known:
            return _("Say in which condition the goods came back.")
    if not any(units for _line, units, _outcome in lines):
        return _("Say how many units of which line came back.")
    return ""

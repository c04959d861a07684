"""What buyers ask for after the purchase: cases and their steps, and the money given back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import (
    After,
    Done,
    Id,
    Limit,
    MoneyOut,
    Number,
    Page,
    Words,
    aware,
    cursor_of,
    money,
    page_of,
)
from daifa.domain.aftersales import commands, queries
from daifa.domain.aftersales.models import AftersaleCase, AftersaleLine
from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.lib.refusal import Refused

router = Router(tags=["aftersales"])
State = Literal[tuple(AFTERSALE_CASE.table)]
RefundState = Literal[tuple(REFUND.table)]
Kind = Literal[tuple(kind for kind, _words in AftersaleCase.KINDS)]
Outcome = Literal[tuple(outcome for outcome, _words in AftersaleLine.OUTCOMES)]


class CaseOut(Schema):
    """What a buyer asks for: his money, or his money for goods sent back."""

    id: int
    store_id: int
    order_id: int
    order_number: str
    kind: Kind
    state: State
    reason: str
    opened_at: datetime
    due_at: datetime | None = Field(description="Until when the goods are expected back.")


class CaseLineOut(Schema):
    id: int
    order_line_id: int
    sku: str
    quantity: int = Field(description="Units asked back.")
    received: int = Field(description="Units that came back.")
    outcome: str = Field(description="In which condition.")


class RefundOut(Schema):
    """Money given back; `order_id` is null where a credit matched no order."""

    id: int
    store_id: int
    order_id: int | None
    case_id: int | None
    external_ref: str
    state: str
    reason: str
    amount: MoneyOut
    at: datetime


class CaseDetailOut(CaseOut):
    return_number: str
    next: list[State] = Field(description="Where the case may go from here.")
    left: MoneyOut = Field(description="What can still be refunded on the order.")
    lines: list[CaseLineOut]
    refunds: list[RefundOut]


class StepIn(Schema):
    case_ids: list[Id] = Field(min_length=1, max_length=1000)


class ApproveIn(StepIn):
    return_by: datetime | None = Field(
        None, description="Until when goods must be sent back; a fortnight where left out."
    )


class RefuseIn(StepIn):
    reason: str = Field(min_length=1, max_length=300)


class ReturningIn(Schema):
    number: str = Field("", max_length=60, description="The number the goods travel under, where it is known.")


class UnitsIn(Schema):
    line_id: Id = Field(description="Line of the case, not of the order.")
    units: int = Field(ge=0, le=10**9)
    outcome: Outcome


class ReceivedIn(Schema):
    lines: list[UnitsIn] = Field(min_length=1, max_length=500)
    note: str = Field("", max_length=300)


class RefundIn(Schema):
    amount: Decimal = Field(gt=0, max_digits=15, decimal_places=4)
    no_claim_reason: str = Field(min_length=1, max_length=60, description="Why no claim is made on the supplier.")


def _require_cases(who: Caller, case_ids: list[int]) -> None:
    for store in queries.stores_of_cases(case_ids):
        who.require(store, "operate")


def _done(stepped: commands.Stepped) -> dict[str, Any]:
    return {"done": stepped.moved, "refused": list(stepped.refused.values())}


def _case(who: Caller, case_id: int) -> queries.CaseDetail:
    found = queries.case_detail(who.scope, case_id)
    if found is None:
        raise not_found()
    return found


def _case_out(found: queries.CaseDetail) -> dict[str, Any]:
    return {
        **found.case,
        "next": list(AFTERSALE_CASE.next(found.case["state"])),
        "left": money(found.case["left"], found.case["currency"]),
        "lines": found.lines,
        "refunds": [_refund_out(row) for row in found.refunds],
    }


def _refund_out(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "amount": money(row["amount"], row["currency"])}


@router.get("/cases", response={200: Page[CaseOut], **ERRORS})
def list_cases(
    request: HttpRequest,
    state: State | None = None,
    order_id: Number = None,
    q: Words = None,
    after: After = None,
    limit: Limit = 50,
):
    """Cases, newest first. `q`: the order's number or its beginning."""
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.case_page(
        caller(request).scope, state=state, order_id=order_id, q=q, cursor=cursor, limit=limit + 1
    )
    return page_of(rows, limit, cursor, lambda row: row)


@router.post("/cases/approve", response={200: Done, **ERRORS})
def approve_cases(request: HttpRequest, given: ApproveIn):
    """Agree to what these buyers ask. `done` are those that moved; `refused` says of each other one why not."""
    who = caller(request)
    _require_cases(who, given.case_ids)
    return _done(
        commands.approve_cases(given.case_ids, return_by=aware(given.return_by), by=who.by, at=who.at)
    )


@router.post("/cases/refuse", response={200: Done, **ERRORS})
def refuse_cases(request: HttpRequest, given: RefuseIn):
    """Say no, with the reason in writing."""
    who = caller(request)
    _require_cases(who, given.case_ids)
    return _done(commands.refuse_cases(given.case_ids, reason=given.reason, by=who.by, at=who.at))


@router.post("/cases/expire", response={200: Done, **ERRORS})
def expire_cases(request: HttpRequest, given: StepIn):
    """The goods never came back: these cases end without money."""
    who = caller(request)
    _require_cases(who, given.case_ids)
    return _done(commands.expire_cases(given.case_ids, by=who.by, at=who.at))


@router.post("/cases/close", response={200: Done, **ERRORS})
def close_cases(request: HttpRequest, given: StepIn):
    """Nothing more is to be done about these."""
    who = caller(request)
    _require_cases(who, given.case_ids)
    return _done(commands.close_cases(given.case_ids, by=who.by, at=who.at))


@router.get("/cases/{case_id}", response={200: CaseDetailOut, **ERRORS})
def get_case(request: HttpRequest, case_id: Id):
    """One case with its lines, its refunds, and where it may go from here."""
    return _case_out(_case(caller(request), case_id))


def _after(who: Caller, stepped: commands.Stepped, case_id: int) -> dict[str, Any]:
    if case_id in stepped.refused:
        raise Refused(stepped.refused[case_id], code="wrong_state")
    return _case_out(_case(who, case_id))


@router.post("/cases/{case_id}/returning", response={200: CaseDetailOut, **ERRORS})
def note_return(request: HttpRequest, case_id: Id, given: ReturningIn):
    """The buyer sent the goods."""
    who = caller(request)
    _require_cases(who, [case_id])
    return _after(who, commands.record_returns({case_id: given.number}, by=who.by, at=who.at), case_id)


@router.post("/cases/{case_id}/received", response={200: CaseDetailOut, **ERRORS})
def receive_return(request: HttpRequest, case_id: Id, given: ReceivedIn):
    """The goods came back: how many, and in which condition."""
    who = caller(request)
    _require_cases(who, [case_id])
    lines = [(line.line_id, line.units, line.outcome) for line in given.lines]
    done = commands.receive_returns({case_id: lines}, note=given.note, by=who.by, at=who.at)
    return _after(who, done, case_id)


@router.post("/cases/{case_id}/refund", response={200: CaseDetailOut, **ERRORS})
def refund_case(request: HttpRequest, case_id: Id, given: RefundIn):
    """Book the refund of a case and end it; pay it out where the buyer paid."""
    from daifa.flows import by_hand

    who = caller(request)
    _require_cases(who, [case_id])
    by_hand.refund_case(case_id, given.amount, no_claim_reason=given.no_claim_reason, by=who.by, at=who.at)
    return _case_out(_case(who, case_id))


@router.get("/refunds", response={200: Page[RefundOut], **ERRORS})
def list_refunds(
    request: HttpRequest,
    state: RefundState | None = None,
    unmatched: bool = False,
    q: Words = None,
    after: After = None,
    limit: Limit = 50,
):
    """Money given back, newest first. `unmatched`: only what belongs to no order. `q`: credit or order number."""
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.refund_page(
        caller(request).scope, state=state, unmatched=unmatched, q=q, cursor=cursor, limit=limit + 1
    )
    return page_of(rows, limit, cursor, _refund_out)

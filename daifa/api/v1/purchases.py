"""Purchase orders, and the workbook runs they travel in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, Problem, not_found
from daifa.api.shapes import After, Done, Id, Limit, MoneyOut, Number, Page, Words, cursor_of, money, page_of
from daifa.domain.purchasing import queries, reminders
from daifa.domain.purchasing.process import PURCHASE_ORDER, PURCHASE_RUN, REMINDER
from daifa.domain.stores.queries import why_not_outward

router = Router(tags=["purchases"])
State = Literal[("open", *PURCHASE_ORDER.table)]
RunState = Literal[tuple(PURCHASE_RUN.table)]
ReminderState = Literal[tuple(REMINDER.table)]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class PurchaseCounters(Schema):
    """The supplier's units: ordered = accepted + rejected + cancelled + backordered + unanswered."""

    ordered: int
    accepted: int
    rejected: int
    cancelled: int
    backordered: int
    shipped: int


class PurchaseOut(Schema):
    """A purchase order. Money in the supplier's currency."""

    id: int
    store_id: int
    order_id: int
    order_number: str
    supplier: str = Field(description="The supplier's code.")
    reference: str = Field(description="Ours.")
    their_reference: str
    state: str
    run_id: int | None
    goods: MoneyOut
    freight: MoneyOut
    counters: PurchaseCounters
    at: datetime
    placed_at: datetime | None
    ship_due_at: datetime | None


class PurchaseLineOut(Schema):
    id: int
    line_no: int
    sku: str = Field(description="The store's.")
    supplier_sku: str
    factor: int = Field(description="Sales units in one supplier unit.")
    unit_cost: MoneyOut
    unit_freight: MoneyOut
    counters: PurchaseCounters


class AttemptOut(Schema):
    """One try to place: stored before anything was sent."""

    id: int
    key: str
    state: str
    result: str
    proof: str
    at: datetime
    resolved_at: datetime | None


class PurchaseDetailOut(PurchaseOut):
    lines: list[PurchaseLineOut]
    attempts: list[AttemptOut]


class RunOut(Schema):
    """A workbook for a supplier, fixed when it was made: every download has the same `sha256`."""

    id: int
    store_id: int | None
    supplier: str
    number: int
    state: str
    name: str
    sha256: str
    orders: int
    rows: int
    times_sent: int
    at: datetime
    placed_at: datetime | None


class ConfirmedOut(Schema):
    run: RunOut
    placed: int = Field(description="Purchase orders placed now; 0 when they were before.")


class SettleIn(Schema):
    sent: bool = Field(description="True: the supplier has it. False: he has not, it may be sent again.")


def _counters(row: dict[str, Any], ordered: str) -> dict[str, int]:
    return {
        "ordered": row[ordered],
        **{name: row[name] for name in ("accepted", "rejected", "cancelled", "backordered", "shipped")},
    }


def purchase_out(row: queries.PurchaseRow) -> dict[str, Any]:
    return _purchase(row._asdict())


def _purchase(row: dict[str, Any]) -> dict[str, Any]:
    names = (
        "id", "store_id", "order_id", "order_number", "reference", "their_reference", "state", "run_id", "at", "placed_at",
        "ship_due_at",
    )  # fmt: skip
    return {
        **{name: row[name] for name in names},
        "supplier": row["supplier_code"],
        "goods": money(row["goods_amount"], row["currency"]),
        "freight": money(row["freight_amount"], row["currency"]),
        "counters": _counters(row, "units"),
    }


@router.get("/purchases", response={200: Page[PurchaseOut], **ERRORS})
def list_purchases(
    request: HttpRequest,
    state: State | None = None,
    store_id: Number = None,
    supplier_id: Number = None,
    order_id: Number = None,
    run_id: Number = None,
    q: Words = None,
    after: After = None,
    limit: Limit = 50,
):
    """Purchase orders, newest first. `state` "open": still to be placed. `q`: our reference or its beginning."""
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.purchase_page(
        caller(request).scope, state=state, store_id=store_id, supplier_id=supplier_id, order_id=order_id, run_id=run_id,
        q=q, cursor=cursor, limit=limit + 1,
    )  # fmt: skip
    return page_of(rows, limit, cursor, purchase_out)


@router.get("/purchases/{purchase_id}", response={200: PurchaseDetailOut, **ERRORS})
def get_purchase(request: HttpRequest, purchase_id: Id):
    """One purchase order with its lines and every attempt to place it."""
    found = queries.purchase_detail(caller(request).scope, purchase_id)
    if found is None:
        raise not_found()
    currency = found.purchase["currency"]
    return {
        **_purchase(found.purchase),
        "lines": [
            {
                **{name: line[name] for name in ("id", "line_no", "sku", "supplier_sku", "factor")},
                "unit_cost": money(line["unit_cost"], currency),
                "unit_freight": money(line["unit_freight"], currency),
                "counters": _counters(line, "quantity"),
            }
            for line in found.lines
        ],
        "attempts": found.attempts,
    }


class TakenAway(Schema):
    units: int = Field(description="Sales units that are looked for elsewhere.")


class Reason(Schema):
    reason: str = Field("", max_length=80, description="What the supplier said.")


@router.post("/purchases/{purchase_id}/take-away", response={200: TakenAway, **ERRORS})
def take_away(request: HttpRequest, purchase_id: Id, given: Reason):
    """The supplier said that he will not ship what is open: it counts as his refusal and is looked for elsewhere."""
    from daifa.flows import by_hand

    who = caller(request)
    found = queries.purchase_detail(who.scope, purchase_id)
    if found is None:
        raise not_found()
    who.require(found.purchase["store_id"], "operate")
    return {"units": by_hand.take_away(purchase_id, given.reason, by=who.by, at=who.at)}


# --- Reminders ----------------------------------------------------------------------------------------------------


class ReminderOut(Schema):
    """A letter that asks a supplier for what he has not shipped. `email` "": a person passes it on."""

    id: int
    store_id: int
    supplier: str = Field(description="The supplier's code.")
    state: str
    step: str = Field(description="The most pressing: soon, promise, late.")
    email: str
    subject: str
    purchases: int
    due_at: datetime | None = Field(description="The soonest of its orders' times for dispatch.")
    stake: MoneyOut | None
    at: datetime
    sent_at: datetime | None


class ReminderLineOut(Schema):
    purchase_id: int
    reference: str
    step: str
    units: int = Field(description="Supplier units that were missing.")
    due_at: datetime | None


class ReminderDetailOut(ReminderOut):
    text: str
    lines: list[ReminderLineOut]


class Settled(Schema):
    sent: bool = Field(True, description="True: it was passed on, or arrived. False: it is not needed.")


def reminder_out(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row, "supplier": row["supplier_code"],
        "stake": None if row["stake"] is None else money(row["stake"], row["currency"]),
    }  # fmt: skip


@router.get("/reminders", response={200: Page[ReminderOut], **ERRORS})
def list_reminders(
    request: HttpRequest,
    state: ReminderState | None = None,
    supplier_id: Number = None,
    purchase_id: Number = None,
    after: After = None,
    limit: Limit = 50,
):
    """Reminders of suppliers, newest first."""
    cursor = cursor_of(reminders.NEWEST, ("id",), after)
    rows = reminders.reminder_page(
        caller(request).scope, state=state, supplier_id=supplier_id, purchase_id=purchase_id, cursor=cursor, limit=limit + 1
    )
    return page_of(rows, limit, cursor, reminder_out)


@router.get("/reminders/{reminder_id}", response={200: ReminderDetailOut, **ERRORS})
def get_reminder(request: HttpRequest, reminder_id: Id):
    """One reminder: the letter as it was written, and the purchases in it."""
    found = reminders.reminder_page(caller(request).scope, reminder_id=reminder_id, limit=1)
    if not found:
        raise not_found()
    lines = [
        {
            "purchase_id": line.purchase_order_id, "reference": line.purchase_order.reference, "step": line.step,
            "units": line.units, "due_at": line.due_at,
        }
        for line in reminders.lines_of(reminder_id)
    ]  # fmt: skip
    return {**reminder_out(found[0]), "lines": lines}


@router.post("/reminders/{reminder_id}/settle", response={200: Done, **ERRORS})
def settle_reminder(request: HttpRequest, reminder_id: Id, given: Settled):
    """A person has passed a reminder on, or it is not needed. Empty `done`: it was settled before."""
    who = caller(request)
    found = reminders.reminder_with(who.scope, reminder_id)
    if found is None:
        raise not_found()
    who.require(found.store_id, "operate")
    if given.sent:
        return {"done": reminders.pass_on([reminder_id], by=who.by, at=who.at)}
    return {"done": reminders.drop([reminder_id], by=who.by, at=who.at, reason="by hand")}


# --- Runs ---------------------------------------------------------------------------------------------------------


def _run_out(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "supplier": row["supplier_code"]}


def _may_work_run(who: Caller, run_id: int) -> None:
    """404 for a run with a store the caller may not see, 403 where her role is short in one of them."""
    stores = queries.stores_of_run(run_id)
    if not stores:
        raise not_found()
    for store in stores:
        who.require(store, "view")
    for store in stores:
        who.require(store, "operate")


@router.get("/runs", response={200: Page[RunOut], **ERRORS})
def list_runs(
    request: HttpRequest,
    state: RunState | None = None,
    supplier_id: Number = None,
    after: After = None,
    limit: Limit = 50,
):
    """Runs, newest first. A run of several stores is shown to those who may see all of them."""
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.run_page(
        caller(request).scope, state=state, supplier_id=supplier_id, cursor=cursor, limit=limit + 1
    )
    return page_of(rows, limit, cursor, _run_out)


@router.get(
    "/runs/{run_id}/file",
    response={200: None, **ERRORS},
    openapi_extra={
        "responses": {
            200: {
                "description": "The workbook.",
                "content": {XLSX: {"schema": {"type": "string", "format": "binary"}}},
            }
        }
    },
)
def download_run(request: HttpRequest, run_id: Id):
    """The workbook, byte for byte as it was fixed. Downloading places nothing: confirm it when it is handed on.

    Once it has been sent its name says REPEAT, so that nobody ships twice.
    """
    from daifa.flows.place_purchases import repeat_name, run_withheld

    who = caller(request)
    found = queries.run_file(who.scope, run_id)
    if found is None:
        raise not_found()
    # It holds buyers' addresses: for those who work the store.
    _may_work_run(who, run_id)
    if sentence := why_not_outward(who.at):
        raise Problem(409, "quarantined", sentence)
    if verdict := run_withheld(run_id, at=who.at):
        raise Problem(409, str(verdict), verdict.sentence)
    name, content = found
    name = repeat_name(name, queries.run_row(who.scope, run_id)["times_sent"] + 1)
    response = HttpResponse(content, content_type=XLSX)
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["Cache-Control"] = "private, no-store"
    return response


@router.post("/runs/{run_id}/confirm", response={200: ConfirmedOut, **ERRORS})
def confirm_run(request: HttpRequest, run_id: Id):
    """You handed the workbook to the supplier: its purchase orders are placed. Repeating changes nothing."""
    from daifa.flows.place_purchases import confirm_run as confirm

    who = caller(request)
    _may_work_run(who, run_id)
    placed = confirm(run_id, by=who.by, at=who.at)
    return {"run": _run_out(queries.run_row(who.scope, run_id)), "placed": placed}


@router.post("/runs/{run_id}/settle", response={200: ConfirmedOut, **ERRORS})
def settle_run(request: HttpRequest, run_id: Id, given: SettleIn):
    """Say what became of a run whose sending is unknown. Only for runs in that state (409 otherwise)."""
    from daifa.flows.place_purchases import settle_run as settle

    who = caller(request)
    _may_work_run(who, run_id)
    if queries.run_row(who.scope, run_id)["state"] != "unknown":
        raise Problem(409, "not_unknown", _("What became of this run is known; there is nothing to settle."))
    placed = settle(run_id, given.sent, by=who.by, at=who.at)
    return {"run": _run_out(queries.run_row(who.scope, run_id)), "placed": placed}

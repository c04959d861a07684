"""The ledger: trial balance, profit and loss, entries of an order, expenses, payments to suppliers. Needs `books`."""

from __future__ import annotations

import datetime as dt
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Field, Query, Router, Schema, Status

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, Problem, forbidden, not_found
from daifa.api.shapes import Id, Moment, MoneyOut, Number, aware, money
from daifa.domain.books import commands, queries
from daifa.domain.orders.queries import stores_of_orders
from daifa.domain.sourcing.queries import supplier_with_id
from daifa.flows.book_late import book_late
from daifa.flows.reads.late_entries import waiting

router = Router(tags=["books"])
Amount = Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 12, decimal_places=4)]


class BalanceOut(Schema):
    """An account's balance: debit positive."""

    account: str
    name: str
    name_zh: str
    kind: str
    balance: MoneyOut


class SumsOut(Schema):
    currency: str
    debits: str
    credits: str


class TrialBalanceOut(Schema):
    """`is_balanced` is false only when something is broken."""

    balances: list[BalanceOut]
    sums: list[SumsOut]
    is_balanced: bool


class PnlOut(Schema):
    """sales − refunds − goods and freight = gross; gross − advertising − platform and tools − other = net."""

    month: str = Field(examples=["2026-05"])
    sales: MoneyOut
    refunds: MoneyOut
    goods_and_freight: MoneyOut
    gross: MoneyOut
    advertising: MoneyOut
    platform_and_tools: MoneyOut
    other: MoneyOut
    net: MoneyOut
    not_converted: list[MoneyOut] = Field(
        description="Net of stores for whose currency there is no rate; left out."
    )


class LegOut(Schema):
    account: str
    name: str
    name_zh: str
    amount: MoneyOut = Field(description="Debit positive, credit negative.")


class EntryOut(Schema):
    """A balanced entry: what was posted for one fact."""

    id: int
    store_id: int
    at: datetime
    fact: str
    fact_id: int
    memo: str
    by: str
    reversal_of: int | None
    legs: list[LegOut]


class ExpenseIn(Schema):
    """`key` makes repeats harmless: the same key is booked once."""

    store_id: Id
    kind: Literal["advertising", "platform", "tools", "other"]
    amount: Amount
    currency: str = Field(min_length=3, max_length=3)
    date: dt.date
    note: str = Field("", max_length=200)
    key: str = Field(min_length=1, max_length=60)


class PaymentIn(Schema):
    """Money paid to a supplier, in the currency in which he is owed; `key` as for expenses.

    Also what else moves the balance: money back from him (`received`), a credit note (`credited`), one for goods he takes
    back that were never handed over (`taken_back`).
    """

    store_id: Id
    supplier_id: Id
    kind: Literal["paid", "received", "credited", "taken_back"] = "paid"
    amount: Amount
    currency: str = Field(min_length=3, max_length=3)
    date: dt.date
    note: str = Field("", max_length=200)
    key: str = Field(min_length=1, max_length=60)


class BookedOut(Schema):
    id: int | None = Field(description="Null when the same key was booked before.")
    already: bool


def _scope(who: Caller, store_id: int | None) -> list[int]:
    """The stores whose books are asked for."""
    if store_id is not None:
        who.require(store_id, "books")
        return [store_id]
    scope = who.scope_for("books")
    if not scope:
        if not who.scope:
            raise not_found()
        raise forbidden(_("Only owners and bookkeepers may do this. Ask an owner for that role."))
    return scope


@router.get("/books/trial-balance", response={200: TrialBalanceOut, **ERRORS})
def trial_balance(request: HttpRequest, store_id: Number = None, at: Moment = None):
    """Balances of all accounts, of everything dated up to `at`."""
    found = queries.trial_balance(_scope(caller(request), store_id), aware(at))
    return {
        "balances": [
            {
                "account": row.code, "name": row.name, "name_zh": row.name_zh, "kind": row.kind,
                "balance": money(row.amount, row.currency),
            }
            for row in found.rows
        ],
        "sums": [
            {
                "currency": currency,
                "debits": money(found.debits[currency], currency)["amount"],
                "credits": money(found.credits[currency], currency)["amount"],
            }
            for currency in sorted(found.debits)
        ],
        "is_balanced": not found.off,
    }  # fmt: skip


@router.get("/books/pnl", response={200: PnlOut, **ERRORS})
def profit_and_loss(
    request: HttpRequest,
    month: Annotated[str, Query(pattern=r"^(19|20)\d\d-(0[1-9]|1[0-2])$", examples=["2026-05"])],
    store_id: Number = None,
    currency: Annotated[str | None, Query(None, pattern=r"^[A-Z]{3}$")] = None,
):
    """Profit and loss of a month, over one store or all whose books the caller keeps."""
    from daifa.lib.money import is_currency

    scope = _scope(caller(request), store_id)
    currency = currency or queries.currency_of(scope)
    if not is_currency(currency):
        raise Problem(
            422, "unknown_currency", _("%(currency)s is no currency.") % {"currency": currency}, "currency"
        )
    found = queries.pnl(scope, dt.date.fromisoformat(f"{month}-01"), currency)
    names = (
        "sales", "refunds", "goods_and_freight", "gross", "advertising", "platform_and_tools", "other", "net",
    )  # fmt: skip
    return {
        "month": month,
        **{name: money(getattr(found, name), currency) for name in names},
        "not_converted": [money(net, other) for other, net in found.unconverted],
    }


@router.get("/orders/{order_id}/entries", response={200: list[EntryOut], **ERRORS})
def entries_of_order(request: HttpRequest, order_id: Id):
    """What was posted for an order, by time."""
    who = caller(request)
    store = stores_of_orders([order_id]).get(order_id, -1)
    who.require(store, "books")
    return [
        _entry(list(legs))
        for _id, legs in groupby(queries.entries_of_orders([store], [order_id]), lambda leg: leg.entry_id)
    ]


def _entry(legs: list[queries.EntryLine]) -> dict[str, Any]:
    first = legs[0]
    names = ("store_id", "at", "fact", "fact_id", "memo", "by", "reversal_of")
    return {
        "id": first.entry_id,
        **{name: getattr(first, name) for name in names},
        "legs": [
            {
                "account": leg.code,
                "name": leg.name,
                "name_zh": leg.name_zh,
                "amount": money(leg.amount, leg.currency),
            }
            for leg in legs
        ],
    }


def _booked(written: commands.Written, key: str) -> Status:
    if written.refused:
        refusal = written.refused[0]
        raise Problem(409, refusal.code, refusal.sentence())
    found = written.added.get(key)
    return Status(201 if found else 200, {"id": found, "already": found is None})


@router.post("/books/expenses", response={200: BookedOut, 201: BookedOut, **ERRORS})
def add_expense(request: HttpRequest, given: ExpenseIn):
    """Book an expense on its day."""
    who = caller(request)
    who.require(given.store_id, "books")
    key = f"api:{given.store_id}:{given.key}"
    expense = commands.NewExpense(**given.model_dump(exclude={"key"}), key=key)
    return _booked(commands.add_expenses([expense], by=who.by, at=who.at), key)


@router.post("/books/payments", response={200: BookedOut, 201: BookedOut, **ERRORS})
def pay_supplier(request: HttpRequest, given: PaymentIn):
    """Book a payment to a supplier on its day: what we owe him falls. Or money back from him, or his credit note."""
    who = caller(request)
    who.require(given.store_id, "books")
    if supplier_with_id(given.supplier_id) is None:
        raise Problem(409, "no_supplier", _("There is no such supplier."), "supplier_id")
    key = f"api:{given.store_id}:{given.key}"
    payment = commands.NewPayment(**given.model_dump(exclude={"key"}), key=key)
    return _booked(commands.pay_suppliers([payment], by=who.by, at=who.at), key)


class LateOut(Schema):
    """A fact heard of after an archived store's books were locked. `amount` null: it only moves between accounts."""

    reaction: str
    store_id: int
    order_id: int | None
    order_number: str
    amount: MoneyOut | None
    heard_at: datetime


class BookLateIn(Schema):
    reason: str = Field(min_length=1, max_length=200, description="Why it is booked now; it stands in the books.")


class BookedLateOut(Schema):
    booked: int


@router.get("/stores/{store_id}/late-entries", response={200: list[LateOut], **ERRORS})
def late_entries(request: HttpRequest, store_id: Id):
    """What was heard of after the books of this archived store were locked, and is not booked."""
    caller(request).require(store_id, "books")
    return [
        {
            "reaction": row.reaction, "store_id": row.store_id, "order_id": row.order_id, "order_number": row.order_number,
            "amount": None if row.amount is None else money(row.amount, row.currency), "heard_at": row.heard_at,
        }
        for row in waiting([store_id])
    ]  # fmt: skip


@router.post("/stores/{store_id}/late-entries/book", response={200: BookedLateOut, **ERRORS})
def book_late_entries(request: HttpRequest, store_id: Id, given: BookLateIn):
    """Book it as of today; what it leaves goes through the bank, then the books are locked again. Only for owners."""
    who = caller(request)
    who.require(store_id, "own")
    return {"booked": book_late(store_id=store_id, reason=given.reason, by=who.by, at=who.at)}

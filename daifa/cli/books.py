"""`daifa books`."""

from __future__ import annotations

from datetime import date

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Trial balance, profit and loss, expenses, supplier payments.",
)
STORE = typer.Option("", help="Only this store's; all without it.")


def _scope(store: str) -> list[int]:
    return [output.store_with(store).pk] if store else output.scope()


@app.command("trial-balance")
def trial_balance(
    store: str = STORE,
    at: str = typer.Option("", help="Everything dated up to this day or moment; all without it."),
    as_json: bool = output.AS_JSON,
):
    """Balances of all accounts; exit code 1 if they do not sum to zero."""
    from daifa.domain.books.queries import trial_balance as ask

    found = ask(_scope(store), output.moment(at))
    currencies = sorted(found.debits)
    if as_json:
        output.put_json(
            {
                "balances": [
                    {"account": b.code, "name": b.name, "name_zh": b.name_zh, "kind": b.kind, "currency": b.currency,
                     "balance": b.amount}
                    for b in found.rows
                ],
                "sums": {c: {"debits": found.debits[c], "credits": found.credits[c]} for c in currencies},
                "off": found.off,
            }
        )  # fmt: skip
    else:
        output.table(
            (_("account"), _("name"), _("currency"), _("debit"), _("credit")),
            [
                *(
                    (b.code, b.name_zh if output.side() else b.name, b.currency, f"{b.amount:,}" if b.amount > 0 else "", f"{-b.amount:,}" if b.amount < 0 else "")
                    for b in found.rows
                ),
                *(("", _("sum"), c, f"{found.debits[c]:,}", f"{found.credits[c]:,}") for c in currencies),
            ],
            right=(3, 4),
        )  # fmt: skip
    if found.off:
        output.fail(
            _("The books do not balance: %(off)s.") % {"off": ", ".join(f"{off} {c}" for c, off in found.off.items())}
        )


@app.command("pnl")
def pnl(
    month: str = typer.Option(..., help="As 2026-05."),
    store: str = STORE,
    currency: str = typer.Option("", help="In which to show it; the stores' own where left out."),
    as_json: bool = output.AS_JSON,
):
    """Profit and loss of a month: sales − refunds − goods and freight = gross; − ads − platform and tools − other = net."""
    from daifa.domain.books.queries import currency_of
    from daifa.domain.books.queries import pnl as ask
    from daifa.lib.money import is_currency

    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        output.fail(_("“%(text)s” is no month. Write it as 2026-05.") % {"text": month})
    scope = _scope(store)
    currency = currency.upper() or currency_of(scope)
    if not scope:
        output.fail(_("There is no store yet: daifa stores add …"))
    if not is_currency(currency):
        output.fail(_("“%(text)s” is no currency; use its three letters, as in GBP.") % {"text": currency})
    found = ask(scope, first, currency)
    lines = (
        (_("sales"), found.sales), (_("refunds"), -found.refunds), (_("goods and freight"), -found.goods_and_freight),
        (_("gross profit"), found.gross), (_("advertising"), -found.advertising),
        (_("platform and tools"), -found.platform_and_tools), (_("other"), -found.other), (_("net profit"), found.net),
    )  # fmt: skip
    if as_json:
        names = (
            "sales",
            "refunds",
            "goods",
            "freight",
            "goods_and_freight",
            "gross",
            "advertising",
            "platform_and_tools",
            "other",
            "net",
        )
        output.put_json(
            {"month": month, "currency": currency, **{name: getattr(found, name) for name in names},
             "not_converted": [{"currency": c, "net": net} for c, net in found.unconverted]}
        )  # fmt: skip
        return
    output.table(
        (f"{month}, {currency}", _("amount"), _("share of sales")),
        [(name, f"{amount:,}", "" if (share := found.share_of_sales(amount)) is None else f"{share} %") for name, amount in lines],
        right=(1, 2),
    )
    for other, net in found.unconverted:
        told = {"net": f"{net:,}", "currency": other}
        typer.echo(_("Not in these figures: %(net)s %(currency)s, for which there is no exchange rate.") % told, err=True)


@app.command("add-expense")
def add_expense(
    store: str = typer.Option(..., help="Whose expense it is."),
    kind: str = typer.Option(..., help="advertising, platform, tools, samples or other."),
    amount: str = typer.Option(..., help="As 12.50."),
    currency: str = typer.Option("", help="The store's where left out."),
    on: str = typer.Option("", "--date", help="The day it belongs to; today where left out."),
    note: str = typer.Option("", help="What for."),
    key: str = typer.Option("", help="Makes repeats harmless: the same key is booked once."),
    as_json: bool = output.AS_JSON,
):
    """Book an expense."""
    from uuid import uuid4

    from daifa.domain.books.commands import NewExpense, add_expenses
    from daifa.domain.books.models import Expense

    at, found = clock.now(), output.store_with(store)
    # Prefixed, so that no key given here meets one of a file or of the API.
    key = f"cli:{found.pk}:{key or uuid4().hex}"
    expense = NewExpense(
        found.pk,
        kind,
        output.amount(amount),
        currency.upper() or found.currency,
        output.day(on, at.date()),
        note,
        key,
    )
    with output.sentences():
        written = add_expenses([expense], by=output.actor(), at=at)
    told = {"amount": amount, "currency": expense.currency, "kind": output.word(Expense.KINDS, kind), "store": found.name}
    _booked(written, key, as_json, _("Booked %(amount)s %(currency)s of %(kind)s for %(store)s.") % told)


@app.command("pay-supplier")
def pay_supplier(
    supplier: str = typer.Option(..., help="Who was paid."),
    store: str = typer.Option(..., help="For which store."),
    amount: str = typer.Option(..., help="As 1200."),
    currency: str = typer.Option("", help="The supplier's where left out."),
    on: str = typer.Option("", "--date", help="The day it was paid; today where left out."),
    note: str = typer.Option("", help="As the bank says."),
    kind: str = typer.Option(
        "paid", help="paid, received (money back from him), credited (he charges less), taken_back (goods that never left)."
    ),
    key: str = typer.Option("", help="Makes repeats harmless: the same key is booked once."),
    as_json: bool = output.AS_JSON,
):
    """Book a payment to a supplier: what we owe him falls. Or money back from him, or his credit note."""
    from uuid import uuid4

    from daifa.domain.books.commands import NewPayment, pay_suppliers

    at, found, paid = clock.now(), output.store_with(store), output.supplier_with(supplier)
    key = f"cli:{found.pk}:{key or uuid4().hex}"
    payment = NewPayment(
        found.pk,
        paid.pk,
        output.amount(amount),
        currency.upper() or paid.currency,
        output.day(on, at.date()),
        note,
        key,
        kind=kind,
    )
    with output.sentences():
        written = pay_suppliers([payment], by=output.actor(), at=at)
    told = {"amount": amount, "currency": payment.currency, "supplier": paid.name}
    sentence = {
        "received": _("Booked %(amount)s %(currency)s back from %(supplier)s."),
        "credited": _("Booked a credit note of %(amount)s %(currency)s by %(supplier)s."),
        "taken_back": _("Booked a credit note of %(amount)s %(currency)s by %(supplier)s."),
    }.get(kind, _("Booked a payment of %(amount)s %(currency)s to %(supplier)s."))
    _booked(written, key, as_json, sentence % told)


@app.command("late")
def late(
    store: str = STORE,
    book: str = typer.Option("", "--book", help="Book what waits in this store as of today; the reason, which stands in the books."),
    as_json: bool = output.AS_JSON,
):
    """What was heard of after an archived store's books were locked for good, and is not booked."""
    from daifa.flows.book_late import book_late
    from daifa.flows.reads.late_entries import waiting

    if book:
        if not store:
            output.fail(_("Say which store: --store."))
        with output.sentences():
            count = book_late(store_id=_scope(store)[0], reason=book, by=output.actor(), at=clock.now())
        if as_json:
            output.put_json({"booked": count})
        else:
            typer.echo(_("Booked as of today; the books are locked again."))
        return
    output.show(
        [row._asdict() for row in waiting(_scope(store))] if as_json else waiting(_scope(store)), as_json,
        (_("Order"), _("Amount"), _("Heard of")),
        lambda row: (row.order_number, "" if row.amount is None else output.money(row.amount, row.currency), output.when(row.heard_at)),
    )  # fmt: skip


def _booked(written, key: str, as_json: bool, sentence: str) -> None:
    if written.refused:
        output.fail(written.refused[0].sentence())
    number = written.added.get(key)
    if as_json:
        output.put_json({"id": number, "already": number is None})
    else:
        typer.echo(sentence if number else _("This key was booked before; nothing was added."))

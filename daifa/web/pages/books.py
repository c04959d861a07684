"""Books: profit and loss by month, the trial balance, entries, expenses, payments, exchange rates, export."""

from __future__ import annotations

import tempfile
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.db import transaction
from django.http import FileResponse, Http404, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from daifa.domain.books import commands, queries
from daifa.domain.books.models import Expense, FxRate, SupplierPayment
from daifa.domain.sourcing.models import Supplier
from daifa.flows import put_right
from daifa.flows.reads import ledger
from daifa.lib.commas import listed
from daifa.lib.money import Money
from daifa.web.kit import (
    ActionButton,
    ChartPanel,
    Choice,
    Column,
    DateRange,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    HtmlPanel,
    Kpi,
    KpiPanel,
    LinkButton,
    ListPage,
    NotePanel,
    PanelPage,
    Refused,
    Series,
    TablePanel,
    after,
    page,
)
from daifa.web.kit import format as fmt

MONTHS, FEWEST_MONTHS = 12, 6
STORES_SHOWN = 20

FACTS: dict[str, Any] = {
    "order_paid": _("Order paid"), "purchase_accepted": _("Purchase accepted"), "parcel_handed_over": _("Parcel handed over"),
    "parcel_delivered": _("Parcel delivered"), "parcel_lost": _("Parcel lost"), "refund_confirmed": _("Refund"),
    "order_over": _("Order over"),
    "expense": _("Expense"), "supplier_paid": _("Supplier paid or credited"), "deposit_moved": _("Deposit or penalty"),
    "commission_earned": _("Commission"), "proceeds_settled": _("Proceeds settled"), "proceeds_again": _("Proceeds settled anew"),
    "late_settled": _("Settled after the archive"), "reversal": _("Reversal"),
}  # fmt: skip

# Facts a person enters, and may therefore take back; the others follow from orders and parcels.
BY_HAND = ("expense", "supplier_paid")


def _tabs(active: str, *, above_list: bool = False) -> HtmlPanel:
    pages = [
        ("books", _("Profit and loss")), ("books_trial", _("Trial balance")), ("books_entries", _("Entries")),
        ("books_expenses", _("Expenses")), ("books_payments", _("Payments to suppliers")), ("books_rates", _("Exchange rates")),
    ]  # fmt: skip
    return HtmlPanel("web/pages/books_tabs.html", {"tabs": [(reverse(f"web:{name}"), label, name == active) for name, label in pages],
                                                    "above_list": above_list})  # fmt: skip


def _today(scope) -> date:
    return scope.at.astimezone(scope.zone()).date()


def _account(row) -> str:
    return row.name_zh if fmt.is_chinese() else row.name


# --- Profit and loss --------------------------------------------------------------------------------------------


def _month(request, scope) -> date:
    text = request.GET.get("month", "")
    try:
        return date.fromisoformat(f"{text[:7]}-01")
    except ValueError:
        return _today(scope).replace(day=1)


def _shift(month: date, by: int) -> date:
    number = month.year * 12 + month.month - 1 + by
    return date(number // 12, number % 12 + 1, 1)


def _change(now: Decimal, before: Decimal) -> Decimal | None:
    return (now - before) / abs(before) if before else None


class _Line:
    """A line of the statement: this month, its share of sales, the month before."""

    def __init__(self, name: Any, now: Decimal, before: Decimal, pnl: Any, *, total: bool = False) -> None:
        self.name, self.total = name, total
        self.shown, self.shown_before = (fmt.money(amount, pnl.currency, signed=True) for amount in (now, before))
        share = pnl.share_of_sales(now)
        self.share = None if share is None else share / 100


def _statement(now, before) -> list[_Line]:
    lines = [
        (_("Sales"), "sales", False), (_("− Refunds"), "refunds", False), (_("− Goods and freight"), "goods_and_freight", False),
        (_("Gross profit"), "gross", True), (_("− Advertising"), "advertising", False),
        (_("− Platform and tools"), "platform_and_tools", False), (_("− Other"), "other", False), (_("Net profit"), "net", True),
    ]  # fmt: skip
    return [_Line(name, getattr(now, key), getattr(before, key), now, total=total) for name, key, total in lines]


def _months_shown(stores: list[int], month: date) -> int:
    """A year back at most; of a young shop the months since it began, half a year at least."""
    known = queries.months_with_entries(stores)
    age = (month.year - known[0].year) * 12 + month.month - known[0].month + 1 if known else 0
    return max(FEWEST_MONTHS, min(MONTHS, age))


def _pnl_panels(request, scope):
    stores = scope.store_ids
    currency = queries.currency_of(stores)
    if not currency:
        return [_tabs("books"), EmptyPanel(_("No store yet"), _("The books begin with the first order of a store."), icon="book-2")]
    month = _month(request, scope)
    months = queries.pnl_by_month(stores, currency, last=month, months=_months_shown(stores, month))
    now, before = months[-1], months[-2]
    margin = now.net / now.sales if now.sales > 0 else None

    def kpi(label, amount: Decimal, earlier: Decimal, icon: str) -> Kpi:
        return Kpi(label, fmt.money_text(amount, currency), _("before: %(amount)s") % {"amount": fmt.money_text(earlier, currency)},
                   tone="red" if amount < 0 else "", delta=_change(amount, earlier), icon=icon)  # fmt: skip

    panels: list[Any] = [
        _tabs("books"),
        HtmlPanel(
            "web/pages/books_month.html",
            {"month": month, "earlier": _shift(month, -1), "later": _shift(month, 1) if month < _today(scope).replace(day=1) else None,
             "store": scope.current.name if scope.current else _("All my stores"), "many": len(scope.stores) > 1, "currency": currency},
        ),
        KpiPanel([
            kpi(_("Sales"), now.sales, before.sales, "shopping-cart"),
            kpi(_("Gross profit"), now.gross, before.gross, "coin"),
            kpi(_("Net profit"), now.net, before.net, "report-money"),
            Kpi(_("Net margin"), fmt.percent_text(margin) or "–", _("net profit of sales"), icon="chart-line",
                tone="red" if margin is not None and margin < 0 else ""),
        ]),
        ChartPanel(
            _("Sales, gross and net profit by month"),
            [fmt.month_text(one.month) for one in months],
            [
                Series(_("Sales"), [one.sales for one in months], tone="azure"),
                Series(_("Gross profit"), [one.gross for one in months], tone="teal"),
                Series(_("Net profit"), [one.net for one in months], kind="line", tone="orange"),
            ],
            unit=currency, name="pnl", empty=_("Nothing was sold in these months."),
        ),
    ]  # fmt: skip
    for other, net in now.unconverted:
        panels.append(
            NotePanel(
                _("Not in these figures: a net of %(amount)s, for which there is no exchange rate.") % {"amount": fmt.money_text(net, other)},
                tone="warning",
                actions=[LinkButton(_("Enter a rate"), reverse("web:books_rate_add"), "plus", reason=scope.why_not_shared("books"))],
            )
        )
    panels.append(
        HtmlPanel(
            "web/pages/books_statement.html",
            {
                "heading": _("Profit and loss of %(month)s") % {"month": fmt.month_text(month)},
                "now": month, "before": before.month, "lines": _statement(now, before),
                "pdf": f"{reverse('web:books_report')}?month={month:%Y-%m}",
                "note": _("Sales and cost count when goods are handed over or delivered, as each store has it; fees when the order is paid."),
            },
        )
    )  # fmt: skip
    if scope.current is None and len(scope.stores) > 1:
        panels.append(_by_store(scope, month))
    panels.append(_owed(scope))
    return panels


def _by_store(scope, month: date) -> TablePanel:
    rows = [(store, queries.pnl([store.id], month, store.currency)) for store in scope.stores[:STORES_SHOWN]]

    def money(label: Any, name: str) -> Column:
        return Column(name, label, "signed_money", value=lambda row: Money(getattr(row[1], name), row[1].currency))

    return TablePanel(
        _("By store"),
        [Column("store", _("Store"), value=lambda row: row[0].name), money(_("Sales"), "sales"), money(_("Gross profit"), "gross"),
         money(_("Net profit"), "net"),
         Column("margin", _("Net margin"), "percent", value=lambda row: row[1].net / row[1].sales if row[1].sales > 0 else None)],
        rows,
        note=_("Each in its own currency.") if len(scope.stores) <= STORES_SHOWN
        else _("The first %(n)d stores; choose another one in the top bar.") % {"n": STORES_SHOWN},
    )  # fmt: skip


def _owed(scope) -> TablePanel:
    """What suppliers are owed, in their currencies."""
    balances = queries.balances_of_suppliers(scope.store_ids)
    names = dict(Supplier.objects.filter(pk__in=[supplier for supplier, _c, _a in balances]).values_list("id", "name"))
    sums: dict[str, Decimal] = {}
    for _supplier, currency, amount in balances:
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    return TablePanel(
        _("What we owe suppliers"),
        [
            Column("name", _("Supplier"), value=lambda row: names.get(row[0], f"#{row[0]}"), link=True),
            Column("amount", _("Amount"), "signed_money", value=lambda row: Money(row[2], row[1])),
        ],
        balances,
        row_url=lambda row: reverse("web:supplier", args=[row[0]]),
        footer=[[currency, fmt.money(amount, currency)] for currency, amount in sorted(sums.items())] if len(balances) > 1 else [],
        empty=_("Nothing is owed."),
        actions=[LinkButton(_("Pay"), reverse("web:books_pay"), "wallet", reason=scope.why_not("books"))],
        note=_("Negative: paid ahead."),
    )


def _book_actions(scope):
    return [
        LinkButton(_("Add an expense"), reverse("web:books_expense_add"), "plus", "primary", reason=scope.why_not("books")),
        LinkButton(_("Pay a supplier"), reverse("web:books_pay"), "wallet", reason=scope.why_not("books")),
        LinkButton(_("Import expenses"), reverse("web:import_add", args=["expenses"]), "file-import", reason=scope.why_not("books")),
        LinkButton(_("Beancount"), reverse("web:books_beancount"), "download", download=True, reason=scope.why_not("books")),
    ]


BOOKS = PanelPage(title=_("Books"), panels=_pnl_panels, actions=_book_actions)

# --- Trial balance ----------------------------------------------------------------------------------------------


def _trial(request, scope):
    month = _today(scope).replace(day=1)
    ended = request.GET.get("month", "")
    at, until = None, None
    if ended:
        month = _month(request, scope)
        until = _shift(month, 1) - timedelta(days=1)
        at = datetime.combine(_shift(month, 1), time(), scope.zone()) - timedelta(microseconds=1)
    found = queries.trial_balance(scope.store_ids, at)
    panels: list[Any] = [_tabs("books_trial")]
    if found.off:
        panels.append(
            NotePanel(
                _("The books do not balance: %(amounts)s. Run “daifa audit” and tell whoever looks after this installation.")
                % {"amounts": listed(fmt.money_text(off, currency) for currency, off in found.off.items())},
                tone="danger",
            )
        )
    panels.append(
        TablePanel(
            _("Trial balance") if until is None else _("Trial balance at the end of %(month)s") % {"month": fmt.month_text(month)},
            [
                Column("code", _("Account"), "code", hint=""),
                Column("name", _("Account name"), value=_account),
                Column("currency", _("Currency"), "code"),
                Column("debit", _("Debit"), "money", value=lambda row: row.amount if row.amount > 0 else None, currency="currency"),
                Column("credit", _("Credit"), "money", value=lambda row: -row.amount if row.amount < 0 else None, currency="currency"),
            ],
            found.rows,
            footer=[
                ["", _("Sum"), currency, fmt.money(found.debits[currency], currency), fmt.money(found.credits[currency], currency)]
                for currency in sorted(found.debits)
            ],
            empty=_("No entries yet."),
            note=_("Debits and credits are equal in each currency, at all times."),
            actions=[
                LinkButton(_("Now"), reverse("web:books_trial")),
                LinkButton(fmt.month_text(_shift(month, -1)), f"{reverse('web:books_trial')}?month={_shift(month, -1):%Y-%m}", "chevron-left"),
            ],
        )
    )
    return panels


TRIAL = PanelPage(title=_("Books"), panels=_trial, actions=_book_actions)

# --- Entries ----------------------------------------------------------------------------------------------------


def _entries(scope, filters, cursor, limit):
    zone = scope.zone()
    since = filters.get("day_from")
    until = filters.get("day_to")
    return ledger.entry_list(
        scope.store_ids, q=filters.get("q"), fact=filters.get("fact"),
        supplier_id=int(filters["supplier"]) if "supplier" in filters else None,
        since=datetime.combine(since, time(), zone) if since else None,
        until=datetime.combine(until + timedelta(days=1), time(), zone) if until else None,
        cursor=cursor, limit=limit,
    )  # fmt: skip


def _legs(row) -> Any:
    return format_html_join(
        "",
        '<div class="d-flex justify-content-between gap-3 small"><span class="text-truncate"><span class="text-secondary code">{}</span> {}</span>{}</div>',
        ((leg.code, _account(leg), fmt.money(leg.amount, leg.currency)) for leg in row.legs),
    )


def _about(row) -> Any:
    if row.order_number:
        return format_html('<a class="code" href="{}">{}</a>', _order_url(row.order_id), row.order_number)
    if row.supplier_name:
        return format_html('<a href="{}">{}</a>', reverse("web:supplier", args=[row.supplier_id]), row.supplier_name)
    return row.memo or fmt.EMPTY


def _order_url(order_id: int) -> str:
    return reverse("web:order", args=[order_id])


def _fact(row) -> Any:
    return FACTS.get(row.fact, row.fact.replace("_", " "))


ENTRIES = ListPage(
    title=_("Entries"),
    search=_("Order number"),
    order=ledger.NEWEST,
    rows=_entries,
    panels=lambda scope, filters: [_tabs("books_entries", above_list=True)],
    columns=[
        Column("at", _("Time"), "datetime"),
        Column("fact", _("What"), value=_fact, link=True, hint=lambda row: row.memo[:60] if row.order_number or row.supplier_name else ""),
        Column("about", _("About"), "html", value=_about, export=False),
        Column("store_id", _("Store"), "store", when_many_stores=True),
        Column("legs", _("Postings"), "html", value=_legs, export=False),
    ],
    filters=[
        DateRange("day", _("Day")),
        Choice("fact", _("What"), list(FACTS.items())),
        Choice("supplier", _("Supplier"), lambda scope: list(Supplier.objects.order_by("name").values_list("id", "name"))),
    ],
    row_url=lambda row: reverse("web:books_entry", args=[row.id]),
    actions=_book_actions,
    empty=EmptyPanel(_("No entries yet"), _("Each paid order, accepted purchase, parcel, refund and expense posts one."), icon="book-2"),
)


def _entry_actions(row, scope):
    denied = scope.why_not("books", row.store_id)
    if row.reversed_by:
        denied = denied or _("It was reversed already.")
    elif row.fact not in BY_HAND:
        denied = denied or _("It follows from what happened to an order: correct it there, and the books follow.")
    return [
        ActionButton(_("Reverse"), reverse("web:books_reverse", args=[row.id]), "arrow-back-up", "danger", reason=denied, ask=_("What was wrong?"))
    ]


ENTRY = DetailPage(
    load=lambda scope, pk: ledger.entry(scope.whole.all_store_ids, pk),
    title=lambda row, scope: _("Entry %(n)d") % {"n": row.id},
    pretitle=lambda row, scope: _fact(row),
    back=(_("Entries"), lambda: reverse("web:books_entries")),
    actions=_entry_actions,
    facts=lambda row, scope: [
        Fact(_("What"), _fact(row)),
        Fact(_("Time"), row.at, "datetime", store_id=row.store_id),
        Fact(_("Order"), row.order_number, "code", url=_order_url(row.order_id) if row.order_id else None),
        Fact(_("Supplier"), row.supplier_name, url=reverse("web:supplier", args=[row.supplier_id]) if row.supplier_name else None),
        Fact(_("Note"), row.memo),
        Fact(_("Posted by"), fmt.actor_names([row.by])[row.by]),
        *([Fact(_("Takes back"), row.reversal_of, "code", url=reverse("web:books_entry", args=[row.reversal_of]))] if row.reversal_of else []),
        *([Fact(_("Taken back by"), row.reversed_by, "code", url=reverse("web:books_entry", args=[row.reversed_by]))] if row.reversed_by else []),
    ],
    panels=lambda row, scope: [
        TablePanel(
            _("Postings"),
            [
                Column("code", _("Account"), "code"),
                Column("name", _("Account name"), value=_account),
                Column("debit", _("Debit"), "money", value=lambda leg: leg.amount if leg.amount > 0 else None, currency="currency"),
                Column("credit", _("Credit"), "money", value=lambda leg: -leg.amount if leg.amount < 0 else None, currency="currency"),
            ],
            row.legs,
            empty=_("This fact is worth nothing."),
        )
    ],
)  # fmt: skip


@page("books", methods=("POST",))
def reverse_entry(request, scope, pk: int):
    found = ledger.entry(scope.whole.all_store_ids, pk)
    if found is None:
        raise Http404
    scope.whole.require(found.store_id, "books")
    if found.fact not in BY_HAND:
        return after(request, reverse("web:books_entry", args=[pk]),
                     refused=[_("It follows from what happened to an order: correct it there, and the books follow.")])  # fmt: skip
    try:
        commands.reverse_entry(entry_id=pk, by=scope.by, at=scope.at, reason=request.POST.get("reason", ""))
    except Refused as why:
        return after(request, reverse("web:books_entry", args=[pk]), refused=[why.sentence])
    return after(request, reverse("web:books_entry", args=[pk]), _("Reversed."))


# --- Expenses and payments --------------------------------------------------------------------------------------

EXPENSES = ListPage(
    title=_("Expenses"),
    order=("-date", "-id"),
    rows=lambda scope, filters, cursor, limit: cursor.slice(
        queries.expenses_of(scope.store_ids).filter(**({"kind": filters["kind"]} if "kind" in filters else {})), limit
    ),
    panels=lambda scope, filters: [_tabs("books_expenses", above_list=True)],
    columns=[
        Column("date", _("Day"), "date", link=True),
        Column("kind", _("Kind"), value=lambda row: row.get_kind_display()),
        Column("note", _("Note"), wrap=True),
        Column("store_id", _("Store"), "store", when_many_stores=True),
        Column("amount", _("Amount"), "money", currency="currency"),
    ],
    filters=[Choice("kind", _("Kind"), Expense.KINDS, tabs=True)],
    actions=_book_actions,
    empty=lambda scope: EmptyPanel(
        _("No expenses yet"), _("Enter what you spend on advertising, tools and the like, or import it as a file: only then is the net profit right."),
        icon="coin",
        actions=[LinkButton(_("Add an expense"), reverse("web:books_expense_add"), "plus", "primary", reason=scope.why_not("books"))],
    ),
    export="expenses",
)  # fmt: skip


def _payments(scope, filters, cursor, limit):
    rows = cursor.slice(queries.payments_of(scope.store_ids), limit)
    names = dict(Supplier.objects.filter(pk__in={row.supplier_id for row in rows}).values_list("id", "name"))
    for row in rows:
        row.supplier_name = names.get(row.supplier_id, f"#{row.supplier_id}")
    return rows


PAYMENTS = ListPage(
    title=_("Payments to suppliers"),
    order=("-date", "-id"),
    rows=_payments,
    panels=lambda scope, filters: [_tabs("books_payments", above_list=True)],
    columns=[
        Column("date", _("Day"), "date"),
        Column("supplier_name", _("Supplier"), url=lambda row: reverse("web:supplier", args=[row.supplier_id])),
        Column("kind", _("What"), value=lambda row: row.get_kind_display()),
        Column("note", _("Note"), wrap=True),
        Column("store_id", _("Store"), "store", when_many_stores=True),
        Column("amount", _("Amount"), "money", currency="currency"),
    ],
    actions=_book_actions,
    empty=EmptyPanel(_("No payments yet"), _("Enter what you paid a supplier; what is owed to him falls."), icon="wallet"),
    export="payments",
)


def _day_field(label: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))


def _amount_field() -> forms.DecimalField:
    return forms.DecimalField(
        label=_("Amount"), max_digits=17, decimal_places=4, widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    )


def _expense_form(scope, thing):
    class ExpenseForm(forms.Form):
        store = forms.TypedChoiceField(label=_("Store"), coerce=int, choices=[(one.id, f"{one.name} · {one.currency}") for one in scope.stores])
        kind = forms.ChoiceField(label=_("Kind"), choices=Expense.KINDS)
        amount = _amount_field()
        currency = forms.CharField(label=_("Currency"), max_length=3, required=False, help_text=_("Empty: the store's. Others are converted at the day's rate."))
        date = _day_field(_("Day"))
        note = forms.CharField(label=_("What for"), max_length=120, required=False)
        key = forms.UUIDField(widget=forms.HiddenInput)

    return ExpenseForm


def _booked(written, key: str) -> None:
    if written.refused:
        first = written.refused[0]
        fields = {"amount": "amount", "unknown": "currency", "date": "date", "exchange": "currency"}
        raise Refused(first.sentence(), field=fields.get(first.code.split("_")[0], ""))


def _add_expense(scope, thing, data, *, by, at):
    store = scope.require(data["store"], "books")
    key = f"{by}:{data['key']}"
    expense = commands.NewExpense(
        store.id, data["kind"], data["amount"], (data["currency"] or store.currency).upper(), data["date"], data["note"], key
    )
    _booked(commands.add_expenses([expense], by=by, at=at), key)


EXPENSE_ADD = FormPage(
    title=_("Add an expense"),
    form=_expense_form,
    initial=lambda scope, thing: {"store": scope.current.id if scope.current else None, "kind": "advertising", "date": _today(scope), "key": uuid4()},
    save=_add_expense,
    success=_("Booked."),
    success_url=lambda: reverse("web:books_expenses"),
    needs="books",
    submit=_("Book it"),
    back=(_("Expenses"), lambda: reverse("web:books_expenses")),
    intro=_("It is posted on its day, as paid from the bank."),
)


def _payee(scope, pk: int | None = None):
    if pk is None:
        return True
    return Supplier.objects.filter(pk=pk).first()


def _pay_form(scope, payee):
    class PayForm(forms.Form):
        supplier = forms.ModelChoiceField(Supplier.objects.order_by("name"), label=_("Supplier"), empty_label=None)
        store = forms.TypedChoiceField(label=_("For store"), coerce=int, choices=[(one.id, one.name) for one in scope.stores])
        kind = forms.ChoiceField(label=_("What"), choices=SupplierPayment.KINDS)
        amount = _amount_field()
        date = _day_field(_("Day"))
        note = forms.CharField(label=_("Note"), max_length=120, required=False)
        key = forms.UUIDField(widget=forms.HiddenInput)

    PayForm.base_fields["supplier"].label_from_instance = lambda one: f"{one.name} · {one.currency}"
    return PayForm


def _pay_initial(scope, payee):
    found: dict[str, Any] = {
        "date": _today(scope), "key": uuid4(), "store": scope.current.id if scope.current else None, "kind": "paid",
    }  # fmt: skip
    if payee is not True:
        found["supplier"] = payee.pk
        if scope.current or len(scope.stores) == 1:
            owed = [amount for of, currency, amount in queries.balances_of_suppliers(scope.store_ids) if of == payee.pk and currency == payee.currency]
            if owed:
                found |= {"amount": abs(owed[0]), "kind": "paid" if owed[0] > 0 else "received"}
    return found


def _pay(scope, payee, data, *, by, at):
    store = scope.require(data["store"], "books")
    supplier = data["supplier"]
    key = f"{by}:{data['key']}"
    payment = commands.NewPayment(
        store.id, supplier.pk, data["amount"], supplier.currency, data["date"], data["note"], key, kind=data["kind"]
    )
    _booked(commands.pay_suppliers([payment], by=by, at=at), key)


def _pay_panels(scope, payee):
    """What each store owes: a payment belongs to one store."""
    rows = [
        (store.name, *balance) for store in scope.stores[:STORES_SHOWN]
        for balance in queries.balances_of_suppliers([store.id]) if payee is True or balance[0] == payee.pk
    ]  # fmt: skip
    names = dict(Supplier.objects.filter(pk__in={row[1] for row in rows}).values_list("id", "name"))
    return [
        TablePanel(
            _("What we owe"),
            [
                Column("supplier", _("Supplier"), value=lambda row: names.get(row[1], f"#{row[1]}")),
                Column("store", _("Store"), value=lambda row: row[0]),
                Column("amount", _("Amount"), "signed_money", value=lambda row: Money(row[3], row[2])),
            ],
            rows[:60],
            empty=_("Nothing is owed."),
        )
    ]


PAY = FormPage(
    title=_("Pay a supplier"),
    form=_pay_form,
    load=_payee,
    initial=_pay_initial,
    save=_pay,
    success=_("Booked. What is owed has moved by it."),
    success_url=lambda: reverse("web:books_payments"),
    needs="books",
    submit=_("Book it"),
    intro=_("Enter what left the bank (or came back), or a credit note, in the supplier's currency. daifa does not pay by itself."),
    back=(_("Payments to suppliers"), lambda: reverse("web:books_payments")),
    panels=_pay_panels,
)

# --- Exchange rates ---------------------------------------------------------------------------------------------


def _rate_panels(scope, filters):
    homes = sorted({store.currency for store in scope.stores})
    theirs = sorted(set(Supplier.objects.exclude(state="ended").values_list("currency", flat=True)))
    on = _today(scope)
    rows = [
        (base, home, queries.rate_on(base, home, on)) for home in homes for base in sorted({*theirs, *homes}) if base != home
    ][:40]  # fmt: skip
    return [
        _tabs("books_rates", above_list=True),
        TablePanel(
            _("What counts today"),
            [
                Column("pair", _("One unit of"), "code", value=lambda row: row[0]),
                Column("rate", _("is worth"), value=lambda row: f"{row[2].rate.normalize():f} {row[1]}" if row[2] else _("no rate: orders are held")),
                Column("date", _("Of"), "date", value=lambda row: row[2].date if row[2] else None),
                Column("source", _("Source"), value=lambda row: _source(row[2])),
            ],
            rows,
            empty=_("All your stores and suppliers use one currency."),
        ),
    ]


def _source(rate) -> Any:
    if rate is None:
        return ""
    return _("entered by you") if rate.source == "hand" else _("European Central Bank")


RATES = ListPage(
    title=_("Exchange rates"),
    intro=_("A rate you enter goes before the published one, from its day on. Purchases keep the rate they were made with."),
    order=("-date", "-id"),
    rows=lambda scope, filters, cursor, limit: cursor.slice(FxRate.objects.filter(source="hand"), limit),
    panels=_rate_panels,
    columns=[
        Column("date", _("From this day"), "date"),
        Column("pair", _("Pair"), "code", value=lambda row: f"{row.base} → {row.quote}"),
        Column("rate", _("Rate"), "code", value=lambda row: f"{row.rate.normalize():f}"),
        Column("by", _("Entered by"), value=lambda row: fmt.actor_names([row.by])[row.by], phone=False, export=False),
    ],
    actions=lambda scope: [
        LinkButton(_("Enter a rate"), reverse("web:books_rate_add"), "plus", "primary", reason=scope.why_not_shared("books"))
    ],
    empty=EmptyPanel(_("You entered no rates"), _("The European Central Bank's reference rates are used where they exist."), icon="world"),
)


class RateForm(forms.Form):
    date = _day_field(_("From this day"))
    base = forms.CharField(label=_("One unit of"), max_length=3, help_text=_("Three letters, such as CNY."))
    rate = forms.DecimalField(label=_("is worth"), max_digits=18, decimal_places=8, widget=forms.TextInput(attrs={"inputmode": "decimal"}))
    quote = forms.CharField(label=_("units of"), max_length=3, help_text=_("Three letters, such as GBP."))


def _ratable(scope, **address):
    scope.require_shared("books")
    return True


def _set_rate(scope, thing, data, *, by, at):
    rate = commands.NewRate(data["date"], data["base"].strip().upper(), data["quote"].strip().upper(), data["rate"])
    written, _routed = put_right.set_fx_rates([rate], by=by, at=at)
    if written.refused:
        fields = {"rate_not_positive": "rate", "same_currency": "quote", "unknown_currency": "base"}
        raise Refused(written.refused[0].sentence(), field=fields.get(written.refused[0].code, ""))


RATE_ADD = FormPage(
    title=_("Enter an exchange rate"),
    form=RateForm,
    load=_ratable,
    initial=lambda scope, thing: {"date": _today(scope)},
    save=_set_rate,
    success=_("Saved. Orders that were held for want of a rate are routed again."),
    success_url=lambda: reverse("web:books_rates"),
    needs="books",
    back=(_("Exchange rates"), lambda: reverse("web:books_rates")),
)

# --- Files ------------------------------------------------------------------------------------------------------


@page("books", methods=("GET", "HEAD"))
def beancount(request, scope):
    """The books of the chosen stores as Beancount text."""
    file = tempfile.SpooledTemporaryFile(max_size=8_000_000)  # noqa: SIM115  closed by the response
    with transaction.atomic():
        for line in queries.beancount_lines(scope.store_ids):
            file.write(line.encode() + b"\n")
    file.seek(0)
    name = scope.current.code if scope.current else "all"
    return FileResponse(file, as_attachment=True, filename=f"books-{name}-{_today(scope):%Y-%m-%d}.beancount", content_type="text/plain; charset=utf-8")


@page("view", methods=("GET", "HEAD"))
def report(request, scope):
    """The month's report of the chosen stores as PDF."""
    from daifa.flows.reads.books_report import books_report_pdf

    month = _month(request, scope)
    try:
        content = books_report_pdf(scope.store_ids, month, get_language() or "en")
    except Refused as why:
        return after(request, reverse("web:books"), refused=[why.sentence])
    name = scope.current.code if scope.current else "all"
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="books-{name}-{month:%Y-%m}.pdf"'
    return response


urlpatterns = [
    path("books/", BOOKS.view, name="books"),
    path("books/trial-balance/", TRIAL.view, name="books_trial"),
    path("books/entries/", ENTRIES.view, name="books_entries"),
    path("books/entries/<int:pk>/", ENTRY.view, name="books_entry"),
    path("books/entries/<int:pk>/reverse/", reverse_entry, name="books_reverse"),
    path("books/expenses/", EXPENSES.view, name="books_expenses"),
    path("books/expenses/add/", EXPENSE_ADD.view, name="books_expense_add"),
    path("books/payments/", PAYMENTS.view, name="books_payments"),
    path("books/payments/add/", PAY.view, name="books_pay"),
    path("books/payments/add/<int:pk>/", PAY.view, name="books_pay_to"),
    path("books/rates/", RATES.view, name="books_rates"),
    path("books/rates/add/", RATE_ADD.view, name="books_rate_add"),
    path("books/books.beancount", beancount, name="books_beancount"),
    path("books/report.pdf", report, name="books_report"),
]

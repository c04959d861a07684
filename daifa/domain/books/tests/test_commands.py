"""Expenses, payments to suppliers, exchange rates."""

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from daifa.domain.books import commands, queries
from daifa.domain.books.commands import NewEntry, NewExpense, NewPayment, NewRate
from daifa.domain.books.models import Entry, Expense, FxRate, Posting, SupplierPayment
from daifa.domain.stores.models import Store

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 20, 9, tzinfo=UTC)
BY = "user:1"
DAY = date(2026, 3, 2)


@pytest.fixture
def shop():
    return Store.objects.create(
        code="gifts", name="Gifts", currency="GBP", timezone="Asia/Shanghai", created_at=AT
    )


def expense(
    shop, key="a", kind="advertising", amount="120.00", currency="GBP", day=DAY, note="spring", row=2
):
    return NewExpense(shop.pk, kind, Decimal(amount), currency, day, note, key, row)


def payment(shop, key, amount, currency="CNY", day=DAY, supplier=5):
    return NewPayment(shop.pk, supplier, Decimal(amount), currency, day, "", key)


def text(entry):
    legs = Posting.objects.filter(entry=entry).select_related("account").order_by("line_no")
    return ", ".join(
        f"{leg.account.code} {leg.amount:+.2f}" + ("" if leg.currency == "GBP" else f" {leg.currency}")
        for leg in legs
    )


def own_rate(base="USD", quote="GBP", rate="0.79", day=DAY):
    return commands.set_fx_rates([NewRate(day, base, quote, Decimal(rate))], by=BY, at=AT)


# --- Expenses -----------------------------------------------------------------------------------------------------


def test_an_expense_is_stored_and_posted_on_its_day(shop):
    done = commands.add_expenses([expense(shop), expense(shop, "b", "tools", "9.90")], by=BY, at=AT)
    assert sorted(done.added) == ["a", "b"] and not done.refused
    stored = Expense.objects.get(key="a")
    posted = Entry.objects.get(fact="expense", fact_id=stored.pk)
    assert text(posted) == "6000 +120.00, 1000 -120.00"
    assert posted.at.astimezone(UTC).date() == DAY
    assert (posted.memo, posted.by) == ("spring", BY)


def test_a_key_is_taken_once(shop):
    first = commands.add_expenses([expense(shop), expense(shop)], by=BY, at=AT)
    again = commands.add_expenses([expense(shop, amount="5.00")], by=BY, at=AT)
    assert (list(first.added), first.already) == (["a"], ["a"])
    assert (again.added, again.already) == ({}, ["a"])
    assert Expense.objects.get().amount == 120
    assert Entry.objects.count() == 1


def test_another_currency_is_booked_in_the_stores_at_the_days_rate(shop):
    own_rate()
    commands.add_expenses([expense(shop, kind="platform", amount="29.00", currency="USD")], by=BY, at=AT)
    posted = Entry.objects.get()
    assert text(posted) == "6100 +22.91, 1000 -22.91"
    assert posted.memo == "spring · 29.00 USD @ 0.79000000 GBP"


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"kind": "party"}, "unknown_kind", "party is no kind of expense; use one of advertising, platform, tools, samples, other."),
        ({"amount": "0"}, "amount_not_positive", "The amount 0 is not above zero."),
        ({"amount": "-3"}, "amount_not_positive", "The amount -3 is not above zero."),
        ({"amount": "NaN"}, "amount_too_large", "The amount NaN cannot be right."),
        ({"amount": "1e30"}, "amount_too_large", "The amount 1E+30 cannot be right."),
        ({"amount": "1.005"}, "amount_too_fine", "The amount 1.005 has more decimals than GBP has."),
        ({"currency": "XQZ"}, "unknown_currency", "XQZ is no currency; use its three letters, as in USD."),
        ({"currency": "KES"}, "exchange_rate_missing",
         "There is no exchange rate from KES to GBP on 2026-03-02; enter one and try again."),
        ({"day": date(2026, 3, 21)}, "date_in_future", "2026-03-21 lies ahead; enter it on the day it happens."),
        ({"day": date(1926, 3, 2)}, "date_too_early", "1926-03-02 cannot be right; check the year."),
        ({"key": ""}, "key_missing", "It needs a key of its own, at most 80 characters long."),
    ],
)  # fmt: skip
def test_what_cannot_be_an_expense_is_refused_beside_one_that_can(shop, change, code, sentence):
    done = commands.add_expenses(
        [expense(shop, "good"), expense(shop, **({"key": "bad"} | change))], by=BY, at=AT
    )
    assert list(done.added) == ["good"]
    assert [(row.code, row.row, row.sentence()) for row in done.refused] == [(code, 2, sentence)]


def test_an_unknown_store_is_refused(shop):
    done = commands.add_expenses([expense(SimpleNamespace(pk=10**9))], by=BY, at=AT)
    assert [row.code for row in done.refused] == ["no_store"]


def record(row, kind="ads", amount="12.00", note="", currency="", day=DAY):
    return SimpleNamespace(row=row, date=day, kind=kind, amount=Decimal(amount), currency=currency, note=note)


def test_expenses_from_a_file_come_in_once_and_as_often_as_it_says(shop):
    rows = [record(2), record(3), record(4, "软件", "9.90", note="  mail   tool "), record(5, "bribe")]
    first = commands.import_expenses(rows, store=shop, source="import:1", by="import:1", at=AT)
    assert len(first.added) == 3
    assert [(row.row, row.document, row.code) for row in first.refused] == [(5, "import:1", "unknown_kind")]
    assert sorted(Expense.objects.values_list("kind", "amount", "note")) == [
        ("advertising", 12, ""), ("advertising", 12, ""), ("tools", Decimal("9.90"), "mail tool"),
    ]  # fmt: skip
    again = commands.import_expenses([*rows, record(6)], store=shop, source="import:2", by="import:2", at=AT)
    assert (len(again.added), len(again.already)) == (1, 3)


# --- Payments -----------------------------------------------------------------------------------------------------


def owe(shop, amount, value, number=1, supplier=5, currency="CNY"):
    amount, value = Decimal(amount), Decimal(value)
    legs = [
        ("1300", "GBP", value),
        ("9000", "GBP", -value),
        ("9000", currency, amount),
        ("2000", currency, -amount),
    ]
    commands.post_entries(
        [NewEntry(shop.pk, "purchase_accepted", number, AT, legs, supplier_id=supplier)], by=BY
    )


def test_a_payment_in_the_stores_currency(shop):
    commands.pay_suppliers([payment(shop, "p", "50.00", "GBP")], by=BY, at=AT)
    posted = Entry.objects.get()
    assert (posted.fact, posted.supplier_id, text(posted)) == ("supplier_paid", 5, "2000 +50.00, 1000 -50.00")


def test_payments_close_what_was_booked_at_frozen_rates(shop):
    owe(shop, "100", "11.00")
    own_rate("CNY", "GBP", "0.12")
    own_rate("CNY", "GBP", "0.10", date(2026, 3, 10))
    done = commands.pay_suppliers(
        [payment(shop, "late", "80", day=date(2026, 3, 11)), payment(shop, "first", "40")], by=BY, at=AT
    )
    texts = {key: text(Entry.objects.get(fact="supplier_paid", fact_id=pk)) for key, pk in done.added.items()}
    assert texts == {
        "first": "2000 +40.00 CNY, 9000 -40.00 CNY, 9000 +4.40, 7000 +0.40, 1000 -4.80",
        "late": "2000 +80.00 CNY, 9000 -80.00 CNY, 9000 +8.60, 7000 -0.60, 1000 -8.00",
    }
    assert queries.balances_of_suppliers([shop.pk]) == [(5, "CNY", Decimal("-20.00"))]
    assert queries.trial_balance([shop.pk]).off == {}


def test_paying_off_leaves_nothing_in_the_exchange_account(shop):
    owe(shop, "33.33", "3.67")
    owe(shop, "66.67", "7.31", number=2)
    own_rate("CNY", "GBP", "0.1234")
    for key, amount in (("a", "10.01"), ("b", "20.02"), ("c", "69.97")):
        assert commands.pay_suppliers([payment(shop, key, amount)], by=BY, at=AT).added
    rows = {(b.code, b.currency): b.amount for b in queries.trial_balance([shop.pk]).rows}
    assert not {key for key in rows if key[0] in ("9000", "2000")}
    assert rows["1000", "GBP"] == Decimal("-12.34")  # 1.24 + 2.47 + 8.63, rounded half up each
    assert rows["7000", "GBP"] == Decimal("1.36")
    assert queries.balances_of_suppliers([shop.pk]) == []


def test_two_suppliers_do_not_share_their_rates(shop):
    owe(shop, "100", "11.00")
    owe(shop, "100", "20.00", number=2, supplier=6)
    own_rate("CNY", "GBP", "0.12")
    commands.pay_suppliers([payment(shop, "a", "100"), payment(shop, "b", "100", supplier=6)], by=BY, at=AT)
    assert {
        b.code: b.amount for b in queries.trial_balance([shop.pk]).rows if b.code in ("7000", "9000")
    } == {"7000": Decimal("-7.00")}


def test_money_back_and_credit_notes_bring_a_supplier_to_nothing(shop):
    def balance():
        return [(currency, amount) for _supplier, currency, amount in queries.balances_of_suppliers([shop.pk])]

    kinds = [("paid", "80.00"), ("credited", "3.00"), ("taken_back", "2.00"), ("received", "85.00")]
    written = commands.pay_suppliers(
        [payment(shop, kind, amount, "GBP")._replace(kind=kind) for kind, amount in kinds], by=BY, at=AT
    )
    assert len(written.added) == 4 and balance() == []
    assert [text(entry) for entry in Entry.objects.order_by("id")] == [
        "2000 +80.00, 1000 -80.00",
        "2000 +3.00, 5000 -3.00",
        "2000 +2.00, 1300 -2.00",
        "2000 -85.00, 1000 +85.00",
    ]
    assert list(Entry.objects.order_by("id").values_list("memo", flat=True)) == [
        "", "credit note", "credit note, goods taken back", "money back",
    ]  # fmt: skip
    odd = commands.pay_suppliers([payment(shop, "odd", "1.00", "GBP")._replace(kind="given")], by=BY, at=AT)
    assert odd.refused[0].code == "unknown_kind" and "given" in odd.refused[0].sentence()


def test_money_back_from_a_supplier_in_yuan_closes_what_was_paid_ahead(shop):
    commands.set_fx_rates([NewRate(DAY, "CNY", "GBP", Decimal("0.12"))], by=BY, at=AT)
    commands.pay_suppliers([payment(shop, "ahead", "20.00")], by=BY, at=AT)
    later = date(2026, 3, 9)
    commands.set_fx_rates([NewRate(later, "CNY", "GBP", Decimal("0.10"))], by=BY, at=AT)
    commands.pay_suppliers([payment(shop, "back", "20.00", day=later)._replace(kind="received")], by=BY, at=AT)
    assert text(Entry.objects.latest("id")) == (
        "2000 -20.00 CNY, 9000 +20.00 CNY, 9000 -2.40, 7000 +0.40, 1000 +2.00"
    )
    left = {(row.code, row.currency): row.amount for row in queries.trial_balance([shop.pk]).rows}
    assert left == {("1000", "GBP"): Decimal("-0.40"), ("7000", "GBP"): Decimal("0.40")}


def test_a_payment_is_refused_where_there_is_no_rate_and_repeats_are_harmless(shop):
    done = commands.pay_suppliers(
        [payment(shop, "x", "10.00", "KES"), payment(shop, "y", "10.00", "GBP")], by=BY, at=AT
    )
    assert [row.code for row in done.refused] == ["exchange_rate_missing"]
    assert commands.pay_suppliers([payment(shop, "y", "10.00", "GBP")], by=BY, at=AT).already == ["y"]
    assert SupplierPayment.objects.count() == Entry.objects.count() == 1


# --- Rates --------------------------------------------------------------------------------------------------------


def test_the_published_rate_of_the_nearest_earlier_day():
    friday = queries.rate_on("USD", "EUR", date(2014, 3, 28))
    assert friday == (Decimal("0.72679701"), date(2014, 3, 28), "ecb")
    assert queries.rate_on("USD", "EUR", date(2014, 3, 30)) == friday, "a Sunday"
    cross = queries.rate_on("CNY", "GBP", date(2010, 12, 25))
    assert cross.date == date(2010, 12, 24) and Decimal("0.09") < cross.rate < Decimal("0.11")
    assert queries.rate_on("GBP", "GBP", DAY).rate == 1


def test_where_nothing_is_published_there_is_no_rate():
    assert queries.rate_on("KES", "GBP", DAY) is None, "never published"
    assert queries.rate_on("CNY", "GBP", date(1999, 3, 1)) is None, "before it was"
    assert queries.rate_on("HRK", "GBP", date(2023, 6, 1)) is None, "no longer"


def test_beyond_the_last_published_day_that_day_serves():
    last = queries.rate_on("USD", "GBP", date(2090, 1, 1))
    assert last is not None and last == queries.rate_on("USD", "GBP", last.date)


def test_the_merchants_own_rate_wins_from_its_day_on_in_both_directions():
    own_rate("CNY", "GBP", "0.125", date(2014, 3, 20))
    assert queries.rate_on("CNY", "GBP", date(2014, 3, 28)) == (Decimal("0.125"), date(2014, 3, 20), "hand")
    assert queries.rate_on("GBP", "CNY", date(2014, 3, 28)) == (Decimal("8"), date(2014, 3, 20), "hand")
    assert queries.rate_on("CNY", "GBP", date(2014, 3, 19)).source == "ecb"
    own_rate("CNY", "GBP", "0.2", date(2014, 3, 20))
    assert FxRate.objects.count() == 1
    assert queries.rate_on("CNY", "GBP", date(2014, 4, 1)).rate == Decimal("0.2")


@pytest.mark.parametrize(
    ("base", "quote", "rate", "code"),
    [
        ("ABC", "GBP", "1", "unknown_currency"), ("GBP", "GBP", "1", "same_currency"), ("USD", "GBP", "0", "rate_not_positive"),
        ("USD", "GBP", "-1", "rate_not_positive"), ("USD", "GBP", "NaN", "rate_not_positive"),
        ("USD", "GBP", "1e12", "rate_not_positive"),
    ],
)  # fmt: skip
def test_rates_that_cannot_be_are_refused(base, quote, rate, code):
    assert [row.code for row in own_rate(base, quote, rate).refused] == [code]
    assert not FxRate.objects.exists()

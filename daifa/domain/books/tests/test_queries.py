"""What the books say: balances, profit and loss, per order, the Beancount text."""

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from daifa.domain.books import queries
from daifa.domain.books.commands import NewEntry, NewRate, post_entries, set_fx_rates
from daifa.domain.stores.models import Store

pytestmark = pytest.mark.django_db
MARCH = date(2026, 3, 1)


def store(code="gifts", currency="GBP", timezone="UTC"):
    return Store.objects.create(
        code=code,
        name=code.title(),
        currency=currency,
        timezone=timezone,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def post(shop, day, legs, order_id=None, number=[0], memo="", supplier_id=None):  # noqa: B006
    """`legs` as "1000 -5 6000 5"."""
    number[0] += 1
    words = legs.split()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    at = day if isinstance(day, datetime) else datetime(2026, 3, day, 12, tzinfo=UTC)
    entry = NewEntry(
        shop.pk, "test", number[0], at, [(code, shop.currency, Decimal(amount)) for code, amount in pairs], order_id,
        supplier_id, memo,
    )  # fmt: skip
    return post_entries([entry], by="user:1").posted["test", number[0]]


def a_month(shop):
    """The month of the table in the practitioners' article: 10,000 − 4,000 − 2,000 − 300 − 200 = 3,500."""
    post(shop, 1, "1100 10050 2100 -10050", order_id=1)
    post(shop, 2, "2100 10050 4000 -9900 4100 -250 4200 100", order_id=1)
    post(shop, 2, "5000 3600 5100 400 1300 -4000", order_id=1)
    post(shop, 3, "4900 50 1100 -50", order_id=1)
    post(shop, 4, "6000 2000 1000 -2000")
    post(shop, 5, "6100 180 1100 -180", order_id=1)
    post(shop, 6, "6200 120 1000 -120")
    post(shop, 7, "6900 150 7000 50 1000 -200")


def test_profit_and_loss_of_a_month():
    shop = store()
    a_month(shop)
    statement = queries.pnl([shop.pk], date(2026, 3, 17), "GBP")
    assert (statement.month, statement.sales, statement.refunds) == (MARCH, 10050, 50)
    assert (statement.goods, statement.freight, statement.goods_and_freight, statement.gross) == (
        3600,
        400,
        4000,
        6000,
    )
    assert (statement.advertising, statement.platform_and_tools, statement.other) == (2000, 300, 200)
    assert (statement.costs, statement.net) == (2500, 3500)
    assert statement.share_of_sales(statement.advertising) == Decimal("19.9")
    assert queries.pnl([shop.pk], date(2026, 2, 1), "GBP").net == 0
    assert queries.pnl([], MARCH, "GBP").share_of_sales(Decimal(1)) is None


def test_a_month_is_the_stores_own():
    shanghai, london = store("cups", timezone="Asia/Shanghai"), store("mugs", timezone="Europe/London")
    late = datetime(2026, 2, 28, 17, tzinfo=UTC)  # already March in Shanghai
    for shop in (shanghai, london):
        post(shop, late, "2100 10 4000 -10")
    assert queries.pnl([shanghai.pk], MARCH, "GBP").sales == 10
    assert queries.pnl([london.pk], MARCH, "GBP").sales == 0
    months = queries.pnl_by_month([shanghai.pk, london.pk], "GBP", last=MARCH, months=3)
    assert [(m.month.month, m.sales) for m in months] == [(1, 0), (2, 10), (3, 10)]
    assert queries.months_with_entries([shanghai.pk, london.pk]) == (date(2026, 2, 1), MARCH)
    assert queries.months_with_entries([]) is None


def test_several_stores_and_currencies():
    pounds, yen, shillings = store("a"), store("b", "JPY"), store("c", "KES")
    for shop in (pounds, yen, shillings):
        post(shop, 2, "2100 1000 4000 -1000")
        post(shop, 2, "6000 100 1000 -100")
    set_fx_rates(
        [NewRate(MARCH, "JPY", "GBP", Decimal("0.005"))], by="user:1", at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    scope = [pounds.pk, yen.pk, shillings.pk]
    statement = queries.pnl(scope, MARCH, "GBP")
    assert (statement.sales, statement.advertising) == (Decimal("1005.00"), Decimal("100.50"))
    assert statement.unconverted == [("KES", Decimal("900.00"))]
    assert queries.pnl([pounds.pk], MARCH, "GBP").sales == 1000
    assert queries.currency_of(scope) == "GBP"
    assert queries.currency_of([]) == ""


def test_trial_balance_sums_to_zero_per_currency_and_keeps_to_its_scope():
    ours, theirs = store("ours"), store("theirs", "JPY")
    a_month(ours)
    post(theirs, 2, "1100 7 2100 -7")
    both = queries.trial_balance([ours.pk, theirs.pk])
    assert both.off == {}
    assert both.debits == both.credits
    assert both.debits["JPY"] == 7
    assert {b.currency for b in queries.trial_balance([ours.pk]).rows} == {"GBP"}
    assert not [b for b in both.rows if b.code == "2100" and b.currency == "GBP"], (
        "settled accounts are left out"
    )
    assert queries.trial_balance([]).rows == []
    until = queries.trial_balance([ours.pk], at=datetime(2026, 3, 1, 23, tzinfo=UTC))
    assert [(b.code, b.kind, b.amount) for b in until.rows] == [
        ("1100", "asset", 10050),
        ("2100", "liability", -10050),
    ]


def test_profit_of_orders_counts_what_is_still_to_come():
    shop, other = store(), store("other")
    post(shop, 1, "1100 97 6100 3 2100 -100", order_id=1)
    post(shop, 2, "1300 40 2000 -40", order_id=1)
    post(shop, 3, "2100 60 4000 -60 5000 25 1300 -25", order_id=1)
    post(shop, 3, "1100 5 2100 -5", order_id=2)
    profits = queries.profit_of_orders([shop.pk], [1, 2, 3])
    assert sorted(profits) == [1, 2]
    assert (profits[1].profit, profits[1].deferred, profits[1].goods_bought, profits[1].expected) == (
        32,
        40,
        15,
        57,
    )
    assert queries.profit_of_orders([other.pk], [1, 2]) == {}


def test_the_journal_keeps_to_its_scope():
    shop, other = store(), store("other")
    first = post(shop, 1, "1100 5 2100 -5", order_id=1)
    second = post(shop, 2, "2100 5 4000 -5", order_id=1, memo="x")
    post(other, 3, "1100 5 2100 -5", order_id=1)
    of_order = queries.entries_of_orders([shop.pk], [1])
    assert [(line.entry_id, line.code, line.amount) for line in of_order] == [
        (first, "1100", 5), (first, "2100", -5), (second, "2100", 5), (second, "4000", -5),
    ]  # fmt: skip
    assert {line.entry_id for line in queries.newest_entries([shop.pk], limit=1)} == {second}
    assert {line.entry_id for line in queries.newest_entries([shop.pk], before=of_order[-1].at)} == {first}


def test_what_suppliers_are_owed():
    shop = store()
    post_entries(
        [
            NewEntry(shop.pk, fact, 1, datetime(2026, 3, 1, tzinfo=UTC), [(a, "GBP", Decimal(n)), ("2000", "GBP", Decimal(-n))],
                     supplier_id=supplier)
            for fact, a, n, supplier in (("purchase_accepted", "1300", 40, 3), ("supplier_paid", "1000", -15, 3))
        ],
        by="user:1",
    )  # fmt: skip
    assert queries.balances_of_suppliers([shop.pk]) == [(3, "GBP", Decimal(25))]
    assert queries.balances_of_suppliers([]) == []


def test_bean_check_accepts_the_export(tmp_path):
    shop, yen = store('a "quoted" one'[:40].replace(" ", "-")), store("yen", "JPY")
    a_month(shop)
    post(yen, 9, "6000 120 1000 -120", memo='ad "spring"\nsecond line \\')
    post_entries(
        [
            NewEntry(
                shop.pk, "purchase_accepted", 77, datetime(2026, 3, 9, tzinfo=UTC),
                [("1300", "GBP", Decimal("3.34")), ("9000", "GBP", Decimal("-3.34")), ("9000", "CNY", Decimal("30.70")),
                 ("2000", "CNY", Decimal("-30.70"))],
                supplier_id=3,
            )
        ],
        by="user:1",
    )  # fmt: skip
    text = queries.export_beancount([shop.pk, yen.pk])
    assert "2026-03-02 * " in text and "Assets:1300-Goods-Bought-Not-Yet-Handed-Over  3.34 GBP" in text
    assert text == "\n".join(queries.beancount_lines([shop.pk, yen.pk], chunk=2)) + "\n", (
        "chunks leave nothing out"
    )
    assert text.count(" * ") == 10
    file = tmp_path / "books.beancount"
    file.write_text(text)
    check = Path(sys.executable).parent / "bean-check"
    done = subprocess.run([check, str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    file.write_text(text.replace("3.34 GBP", "3.35 GBP", 1))
    assert subprocess.run([check, str(file)], capture_output=True, check=False).returncode != 0, (
        "it does look"
    )


def test_an_export_without_entries_is_still_a_file():
    assert queries.export_beancount([store().pk]).startswith('option "title" "daifa"')

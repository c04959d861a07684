"""From documents to the ledger: what each reaction posts, whatever the order and however often it is asked."""

from collections import Counter
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction
from django.db.models import F, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daifa.connectors.contract import IncomingOffer, IncomingProduct
from daifa.domain.aftersales.models import Refund, RefundLine
from daifa.domain.books import queries, rules
from daifa.domain.books.commands import NewEntry, post_entries
from daifa.domain.books.models import Entry, Posting
from daifa.domain.catalog.commands import import_products
from daifa.domain.history.commands import record_facts
from daifa.domain.orders.models import Hold, Order, OrderLine
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.domain.sourcing.commands import import_offers
from daifa.domain.stores.models import FeeRule
from daifa.flows import by_hand
from daifa.flows import post_to_books as flow
from daifa.flows.audit import CHECKS, audit, find
from daifa.flows.work import work_until_idle
from daifa.lib import bulk
from tests import cast
from tests.bought_orders import (
    DAY,
    PAID,
    answer,
    line,
    order,
    parcel,
    purchase,
    put_in,
    refund,
    store,
    supplier,
)

pytestmark = pytest.mark.django_db
NOW = PAID + 10 * DAY


def post(reaction, *things):
    assert reaction(list(things), at=NOW, by="job:test") == {}


def ledger(fact=""):
    """Entries as text, one line each: fact, then its legs."""
    found = []
    for entry in Entry.objects.filter(fact__startswith=fact).order_by("id"):
        legs = Posting.objects.filter(entry=entry).select_related("account").order_by("line_no")
        text = ", ".join(
            f"{leg.account.code} {leg.amount:+.2f}" + ("" if leg.currency == "GBP" else f" {leg.currency}")
            for leg in legs
        )
        found.append(f"{entry.fact}: {text}")
    return found


def balance(code, shop, currency="GBP"):
    return sum(
        (b.amount for b in queries.trial_balance([shop.pk]).rows if (b.code, b.currency) == (code, currency)),
        Decimal(0),
    )


def test_an_order_from_payment_to_the_last_parcel():
    shop = store()
    FeeRule.objects.create(
        store=shop, name="channel", percent=Decimal("2.9"), fixed=Decimal("0.30"), valid_from=date(2026, 1, 1)
    )
    of = order(shop, [("goods", 2, "25.90"), ("goods", 1, "8.00"), ("shipping", 1, "3.95")])
    kiln = purchase(of, [(1, 2, "3.10", "0.25")], parcel_freight="2.50")
    weaver = purchase(
        of, [(2, 1, "21.35", "0")], of_supplier=supplier("weaver", "CNY"), rate="0.1087", parcel_freight="8"
    )
    post(flow.post_orders, of.pk)
    post(flow.post_purchases, answer(kiln, {1: 2}), answer(weaver, {1: 1}))
    first, second = parcel(kiln, {1: 2}), parcel(weaver, {1: 1})
    post(flow.post_handed_over, first.pk)
    post(flow.post_handed_over, second.pk)
    assert ledger() == [
        "order_paid: 1100 +36.45, 6100 +1.40, 2100 -37.85",
        "purchase_accepted: 1300 +9.20, 2000 -9.20",
        "purchase_accepted: 1300 +3.19, 9000 -3.19, 9000 +29.35 CNY, 2000 -29.35 CNY",
        "parcel_handed_over: 2100 +28.92, 4000 -25.90, 4100 -3.02, 5000 +6.20, 5100 +3.00, 1300 -9.20",
        "parcel_handed_over: 2100 +8.93, 4000 -8.00, 4100 -0.93, 5000 +2.32, 5100 +0.87, 1300 -3.19",
    ]
    assert queries.trial_balance([shop.pk]).off == {}
    assert balance(rules.DEFERRED, shop) == balance(rules.GOODS_BOUGHT, shop) == 0
    profit = queries.profit_of_orders([shop.pk], [of.pk])[of.pk]
    assert (profit.sales, profit.goods, profit.freight, profit.fees) == (
        Decimal("37.85"), Decimal("8.52"), Decimal("3.87"), Decimal("1.40")
    )  # fmt: skip
    assert profit.profit == profit.expected == Decimal("24.06")


def test_a_fact_posts_once_however_often_it_is_told():
    shop = store()
    of = order(shop, [("goods", 1, "10.00")])
    bought = purchase(of, [(1, 1, "4.00", "0")])
    answered, box = answer(bought, {1: 1}), parcel(bought, {1: 1})
    given_back = refund(shop, of, "1.00")
    for _ in range(2):
        post(flow.post_orders, of.pk)
        post(flow.post_purchases, answered)
        post(flow.post_handed_over, box.pk)
        post(flow.post_delivered, box.pk)
        post(flow.post_refunds, given_back)
    assert Counter(Entry.objects.values_list("fact", flat=True)) == {
        "order_paid": 1, "purchase_accepted": 1, "parcel_handed_over": 1, "refund_confirmed": 1,
    }  # fmt: skip


def test_parcels_of_one_order_in_one_batch_and_lines_that_join_a_posted_parcel():
    shop = store()
    of = order(shop, [("goods", 3, "10.00")])
    bought = purchase(
        of, [(1, 3, "1.11", "0")], of_supplier=supplier("weaver", "CNY"), rate="0.1087", parcel_freight="5"
    )
    post(flow.post_orders, of.pk)
    post(flow.post_purchases, answer(bought, {1: 2}))
    one, two = parcel(bought, {1: 1}), parcel(bought, {1: 1})
    post(flow.post_handed_over, one.pk, two.pk)
    post(flow.post_purchases, answer(bought, {1: 1}))
    put_in(one, bought, {1: 1})
    post(flow.post_handed_over, one.pk)
    post(flow.post_handed_over, one.pk)
    assert ledger("parcel") == [
        "parcel_handed_over: 2100 +3.33, 4000 -3.33, 5000 +0.12, 5100 +0.54, 1300 -0.66",
        "parcel_handed_over: 2100 +3.34, 4000 -3.34, 5000 +0.12, 1300 -0.12",
        "parcel_handed_over: 2100 +3.33, 4000 -3.33, 5000 +0.12, 1300 -0.12",
    ]
    assert balance(rules.DEFERRED, shop) == balance(rules.GOODS_BOUGHT, shop) == 0


def test_units_worth_less_than_a_penny_are_counted_all_the_same():
    shop = store()
    of = order(shop, [("goods", 3, "0.01")])
    bought = purchase(of, [(1, 3, "0", "0")])
    post(flow.post_orders, of.pk)
    for _ in range(3):
        post(flow.post_handed_over, parcel(bought, {1: 1}).pk)
    assert ledger("parcel") == [
        "parcel_handed_over: ", "parcel_handed_over: 2100 +0.01, 4000 -0.01", "parcel_handed_over: ",
    ]  # fmt: skip


def test_units_worth_less_than_a_penny_that_are_cancelled_leave_nothing_deferred():
    shop = store()
    of = order(shop, [("goods", 4, "0.02")])
    bought = purchase(of, [(1, 4, "0", "0")])
    post(flow.post_orders, of.pk)
    for _ in range(2):
        post(flow.post_refunds, refund(shop, of, "0", {1: 1}))
    box = parcel(bought, {1: 2}).pk
    post(flow.post_handed_over, box)
    assert ledger()[1:] == [
        "refund_confirmed: ",
        "refund_confirmed: 2100 +0.01, 4200 -0.01",
        "parcel_handed_over: 2100 +0.01, 4000 -0.01",
    ]
    assert broken_orders(shop) == []


def test_the_auditor_finds_a_cent_that_stays_deferred_after_cancelled_units_were_paid_back():
    shop = store()
    of = order(shop, [("goods", 2, "10.00")])
    post(flow.post_orders, of.pk)
    refund(shop, of, "10.00", {1: 2})
    given = Refund.objects.get()
    legs = [(rules.DEFERRED, "GBP", Decimal("9.99")), (rules.RECEIVABLE, "GBP", Decimal("-9.99"))]
    post_entries([NewEntry(shop.pk, "refund_confirmed", given.pk, NOW, legs, of.pk)], by="test")
    assert broken_orders(shop) == [("deferred_income", [(of.pk, f"order {of.number}: 0.0100 GBP", 1)])]


def test_refunded_on_its_way_then_lost_where_revenue_waits_for_delivery():
    shop = store(revenue_at="delivered")
    of = order(shop, [("goods", 2, "40.00")])
    bought = purchase(of, [(1, 2, "5.00", "0")])
    post(flow.post_orders, of.pk)
    post(flow.post_purchases, answer(bought, {1: 2}))
    lost, fine = parcel(bought, {1: 1}), parcel(bought, {1: 1}, delivered_at=PAID + 6 * DAY, state="delivered")
    post(flow.post_refunds, refund(shop, of, "15.00", names={1: 1}))
    lost.state = "lost"
    lost.save()
    post(flow.post_lost, lost.pk)
    post(flow.post_lost, lost.pk)
    post(flow.post_delivered, fine.pk)
    assert ledger()[2:] == [
        "refund_confirmed: 4900 +15.00, 1100 -15.00",
        "parcel_lost: 5000 +5.00, 1300 -5.00, 2100 +20.00, 4900 -15.00, 4200 -5.00",
        "parcel_delivered: 2100 +20.00, 4000 -20.00, 5000 +5.00, 1300 -5.00",
    ]


@pytest.mark.parametrize("home", ["GBP", "JPY", "KWD", "RSD", "IQD"])
def test_the_auditor_and_the_books_know_the_same_coins(home):
    shop = store(currency=home)
    of = order(shop, [("goods", 2, "10.5055")])
    post(flow.post_orders, of.pk)
    by_code = {check.code: check for check in CHECKS}
    assert find(by_code["orders_posted_right"], [shop.pk]) == []
    assert -balance(rules.DEFERRED, shop, home) == rules.rounded(Decimal("10.5055"), home)


def test_an_order_worth_nothing_writes_no_entry_for_its_payment():
    shop = store()
    post(flow.post_orders, order(shop, [("goods", 1, "0")]).pk, order(shop, [("shipping", 1, "4.50")]).pk)
    assert ledger() == ["order_paid: 1100 +4.50, 4100 -4.50"]


def test_history_is_never_posted():
    shop = store()
    old = order(shop, [("goods", 1, "10.00")], is_history=True)
    post(flow.post_orders, old.pk)
    assert ledger() == []
    post(flow.post_refunds, refund(shop, old, "10.00"))
    assert ledger() == ["refund_confirmed: 4900 +10.00, 1100 -10.00"]


def test_a_store_whose_revenue_counts_at_delivery():
    shop = store(revenue_at="delivered")
    of = order(shop, [("goods", 1, "10.00")])
    bought = purchase(of, [(1, 1, "4.00", "0")])
    box = parcel(bought, {1: 1})
    post(flow.post_orders, of.pk)
    post(flow.post_handed_over, box.pk)
    assert ledger("parcel") == []
    box.delivered_at, box.state = PAID + 6 * DAY, "delivered"
    box.save()
    post(flow.post_delivered, box.pk)
    assert ledger("parcel") == ["parcel_delivered: 2100 +10.00, 4000 -10.00, 5000 +4.00, 1300 -4.00"]
    assert Entry.objects.get(fact="parcel_delivered").at == PAID + 6 * DAY


def test_a_parcel_nobody_saw_leaving_is_posted_when_it_arrives():
    shop = store()
    of = order(shop, [("goods", 1, "10.00")])
    box = parcel(
        purchase(of, [(1, 1, "4.00", "0")]), {1: 1}, handed_over_at=None, delivered_at=PAID + 4 * DAY
    )
    post(flow.post_delivered, box.pk)
    assert Entry.objects.get(fact="parcel_handed_over").at == PAID + 4 * DAY


def test_lost_then_refunded_then_found_where_revenue_waits_for_delivery():
    shop = store(revenue_at="delivered")
    of = order(shop, [("goods", 2, "40.00")])
    bought = purchase(of, [(1, 2, "5.00", "0")])
    post(flow.post_orders, of.pk)
    post(flow.post_purchases, answer(bought, {1: 2}))
    lost, fine = parcel(bought, {1: 1}, state="lost"), parcel(bought, {1: 1})
    post(flow.post_lost, lost.pk)
    post(flow.post_lost, lost.pk)
    post(flow.post_refunds, refund(shop, of, "20.00"))
    for box in (lost, fine):
        box.delivered_at, box.state = PAID + 9 * DAY, "delivered"
        box.save()
        post(flow.post_delivered, box.pk)
    assert ledger()[2:] == [
        "parcel_lost: 5000 +5.00, 1300 -5.00",
        "refund_confirmed: 2100 +20.00, 1100 -20.00",
        "parcel_delivered: 2100 +20.00, 4000 -20.00",
        "parcel_delivered: 4900 +20.00, 4000 -20.00, 5000 +5.00, 1300 -5.00",
    ]
    assert balance(rules.DEFERRED, shop) == balance(rules.GOODS_BOUGHT, shop) == 0


def test_a_replacement_costs_and_earns_nothing():
    shop = store()
    of = order(shop, [("goods", 1, "10.00")])
    bought = purchase(of, [(1, 1, "4.00", "0")])
    again = purchase(of, [(1, 1, "4.50", "0")], kind="replacement")
    post(flow.post_orders, of.pk)
    post(flow.post_purchases, answer(bought, {1: 1}), answer(again, {1: 1}))
    post(flow.post_handed_over, parcel(bought, {1: 1}).pk, parcel(again, {1: 1}).pk)
    assert ledger("parcel") == [
        "parcel_handed_over: 2100 +10.00, 4000 -10.00, 5000 +4.00, 1300 -4.00",
        "parcel_handed_over: 5000 +4.50, 1300 -4.50",
    ]


def test_refunds_of_cancelled_units_of_shipped_ones_and_of_nothing_we_know():
    shop = store()
    FeeRule.objects.create(
        store=shop,
        name="channel",
        percent=Decimal(10),
        fixed=0,
        valid_from=date(2026, 1, 1),
        refunded_on_refund=True,
    )
    of = order(shop, [("goods", 2, "50.00"), ("discount", 1, "-10.00")])
    bought = purchase(of, [(1, 2, "5.00", "0")])
    post(flow.post_orders, of.pk)
    post(flow.post_refunds, refund(shop, of, "20.00", {1: 1}))
    post(flow.post_handed_over, parcel(bought, {1: 1}).pk)
    post(flow.post_refunds, refund(shop, of, "5.00"), refund(shop, None, "7.65"))
    assert ledger() == [
        "order_paid: 1100 +36.00, 6100 +4.00, 2100 -40.00",
        "refund_confirmed: 2100 +20.00, 1100 -18.00, 6100 -2.00",
        "parcel_handed_over: 2100 +20.00, 4000 -25.00, 4200 +5.00, 5000 +5.00, 1300 -5.00",
        "refund_confirmed: 4900 +5.00, 1100 -4.50, 6100 -0.50",
        "refund_confirmed: 4900 +7.65, 1100 -7.65",
    ]


def test_a_refund_that_is_posted_before_the_payment():
    shop = store()
    of = order(shop, [("goods", 1, "30.00"), ("shipping", 1, "5.00")])
    given_back = refund(shop, of, "30.00", {1: 1})
    post(flow.post_refunds, given_back)
    post(flow.post_orders, of.pk)
    assert ledger("refund") == ["refund_confirmed: 2100 +35.00, 1100 -30.00, 4200 -5.00"]
    assert balance(rules.DEFERRED, shop) == 0


def test_a_second_answer_puts_its_units_into_the_posted_parcel():
    shop = cast.open_shop()
    import_products(
        [IncomingProduct(row=1, handle="bowl", title="Bowl", sku="BOWL")], by=cast.BY, at=cast.MORNING
    )
    bowl = IncomingOffer(row=1, supplier_sku="F-BOWL", sku="BOWL", price=Decimal("9.99"), stock=50)
    import_offers(shop.factory, [bowl], by=cast.BY, at=cast.MORNING)
    cast.receive_orders(shop, ["1"], skus=("MUG", "BOWL"))
    work_until_idle(at=cast.MORNING)
    bought = PurchaseOrder.objects.get()
    heading = "Our reference,Supplier SKU,Accepted quantity,Tracking number"
    for hours, sku in ((4, "gifts-factory-MUG"), (30, "F-BOWL")):
        at = cast.MORNING + timedelta(hours=hours)
        reply = f"{heading}\n{bought.reference},{sku},2,RM000000001GB\n"
        file = cast.read_file(shop, "replies", "reply.csv", reply.encode(), at=at, supplier=shop.factory)
        assert (file.state, file.rows_used, file.rows_refused) == ("done", 1, 0)
        work_until_idle(at=at)
    assert bought.order.parcels.get().lines.count() == 2
    assert Entry.objects.filter(fact="parcel_handed_over").count() == 2
    assert balance(rules.DEFERRED, shop.store) == balance(rules.GOODS_BOUGHT, shop.store) == 0
    assert audit() == []


# --- Generated histories -------------------------------------------------------------------------------------------

# Amounts of lines: from free of charge over cents, of which a unit has less than the smallest coin, to plenty.
prices = st.decimals(min_value=0, max_value=200, places=2) | st.decimals(
    min_value=0, max_value=Decimal("0.05"), places=3
)
STRAIGHT = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def histories(draw, fates):
    """(lines, steps (line number, units, fate), cost of a unit, how many steps are posted together)."""
    goods = draw(st.lists(st.tuples(st.integers(1, 4) | st.integers(5, 40), prices), min_size=1, max_size=3))
    money = draw(st.lists(st.tuples(st.sampled_from(["shipping", "discount"]), prices), max_size=2))
    cheapest = sum(price for _, price in goods) / 4
    lines = [("goods", units, str(price)) for units, price in goods]
    lines += [
        (kind, 1, str(price if kind == "shipping" else -min(price, cheapest).quantize(Decimal("0.001"))))
        for kind, price in money
    ]
    steps = []
    for number, (count, _) in enumerate(goods, 1):
        while count:
            units = draw(st.integers(max(1, count // 4), count))
            steps.append((number, units, draw(st.sampled_from(fates))))
            count -= units
    cost = draw(st.decimals(min_value=0, max_value=90, places=4))
    return lines, draw(st.permutations(steps)), cost, draw(st.integers(1, 3))


def given_back(of, step, units, home):
    """What a buyer gets back for units of a line: its price a unit, rounded once."""
    return rules.rounded(line(of, step).amount * units / line(of, step).quantity, home)


def settled_books(shop, home):
    """Balances after everything was posted: balanced, nothing deferred any more."""
    books = queries.trial_balance([shop.pk])
    assert books.off == {}
    at = {(b.code, b.currency): b.amount for b in books.rows}
    assert at.get((rules.DEFERRED, home), 0) == 0
    return at


@given(
    histories(["ship", "ship", "cancel", "again"]),
    st.sampled_from(["1", "0.1087"]),
    st.sampled_from(["GBP", "JPY", "KWD"]),
    st.permutations(["refunds", "parcels", "answers"]),
)
@STRAIGHT
def test_whatever_is_shipped_cancelled_and_refunded_the_books_close(history, rate, home, turns):
    """`again`: shipped, and a replacement of one unit after it."""
    lines, steps, cost, together = history
    with transaction.atomic():
        shop = store("generated", currency=home)
        of = order(shop, lines)
        whom = supplier("factory", "CNY" if rate != "1" else home)
        quantities = {each.line_no: each.quantity for each in of.lines.filter(kind="goods")}
        bought = purchase(
            of, [(n, quantity, str(cost), "0.3333") for n, quantity in quantities.items()], of_supplier=whom, rate=rate,
            parcel_freight="7.7",
        )  # fmt: skip
        post(flow.post_orders, of.pk)
        refunded = Decimal(0)
        due: dict[str, list[int]] = {"parcels": [], "answers": [], "refunds": []}
        for number, (step, units, fate) in enumerate(steps, 1):
            if fate == "cancel":
                amount = given_back(of, step, units, home)
                due["refunds"].append(refund(shop, of, str(amount), {step: units}))
                refunded += amount
            else:
                due["answers"].append(answer(bought, {step: units}))
                due["parcels"].append(parcel(bought, {step: units}).pk)
            if fate == "again":
                once_more = purchase(of, [(step, 1, str(cost), "0")], of_supplier=whom, rate=rate, kind="replacement")
                due["answers"].append(answer(once_more, {1: 1}))
                due["parcels"].append(parcel(once_more, {1: 1}).pk)
            if number % together == 0 or number == len(steps):
                # As the engine gathers them: each reaction over everything due, in any order of reactions.
                for name in turns:
                    if due[name]:
                        post(REACTIONS[name], *due[name])
                        due[name] = []
        at = settled_books(shop, home)
        assert at.get((rules.GOODS_BOUGHT, home), 0) == 0
        profit = queries.profit_of_orders([shop.pk], [of.pk]).get(of.pk, queries.OrderProfit(home))
        total = rules.rounded(of.total_amount, home)
        # Refunds out of deferred income never were sales: what stays is the total less what was given back.
        assert profit.sales - profit.refunds == total - refunded
        if "cancel" not in [fate for *_, fate in steps]:
            assert profit.sales == total
        assert broken_orders(shop) == []
        transaction.set_rollback(True)


REACTIONS = {"refunds": flow.post_refunds, "parcels": flow.post_handed_over, "answers": flow.post_purchases}


def broken_orders(shop):
    """What the auditor says of the books of orders."""
    gone = F("quantity") - F("cancelled")
    OrderLine.objects.filter(order__store=shop, kind="goods").update(
        allocated=gone, purchased=gone, accepted=gone, shipped=gone
    )
    for of in Order.objects.filter(store=shop):
        goods = of.lines.filter(kind="goods").aggregate(cancelled=Sum("cancelled"), shipped=Sum("shipped"))
        Order.objects.filter(pk=of.pk).update(
            allocated=goods["shipped"], purchased=goods["shipped"], accepted=goods["shipped"], **goods
        )
    return [
        (check.code, find(check, [shop.pk]))
        for check in CHECKS
        if check.code in ("deferred_income", "entry_balance", "orders_posted_right", "refunds_posted", "parcels_posted")
        and find(check, [shop.pk])
    ]


@given(
    histories(["deliver", "deliver", "cancel", "lose", "lose", "lose and find"]),
    st.sampled_from(["GBP", "JPY", "KWD"]),
    st.sampled_from(["refund first", "refund later"]),
    st.booleans(),
)
@STRAIGHT
def test_what_was_lost_and_paid_back_leaves_nothing_deferred_where_revenue_waits_for_delivery(
    history, home, when, names_lines
):
    """Units are delivered, cancelled and refunded, or lost and refunded (before or after); some turn up all the same."""
    lines, steps, cost, together = history
    with transaction.atomic():
        shop = store("generated", currency=home, revenue_at="delivered")
        of = order(shop, lines)
        quantities = {each.line_no: each.quantity for each in of.lines.filter(kind="goods")}
        bought = purchase(of, [(n, quantity, str(cost), "0") for n, quantity in quantities.items()], of_supplier=supplier("factory", home))
        post(flow.post_orders, of.pk)
        refunded, found, due = Decimal(0), [], []
        goods = sum((each.amount for each in of.lines.filter(kind="goods")), Decimal(0))
        for number, (step, units, fate) in enumerate(steps, 1):
            if fate != "cancel":
                post(flow.post_purchases, answer(bought, {step: units}))
            if fate == "deliver":
                due.append((flow.post_delivered, parcel(bought, {step: units}, delivered_at=PAID + 6 * DAY, state="delivered").pk))
            else:
                # Everything paid for the units comes back, their share of postage and discount with it.
                amount = rules.rounded(share_of(of, step, units, goods), home)
                refunded += amount
                gone = fate == "cancel"
                given = refund(
                    shop, of, str(amount), {step: units} if gone else None,
                    names={step: units} if names_lines and not gone else None,
                )  # fmt: skip
                if fate == "cancel":
                    due.append((flow.post_refunds, given))
                else:
                    box = parcel(bought, {step: units}, state="lost")
                    pair = [(flow.post_refunds, given), (flow.post_lost, box.pk)]
                    due += pair if when == "refund first" else pair[::-1]
                    if fate == "lose and find":
                        found.append(box)
            if number % together == 0 or number == len(steps):
                for reaction, thing in due:
                    post(reaction, thing)
                due = []
        for box in found:
            box.delivered_at, box.state = PAID + 9 * DAY, "delivered"
            box.save()
            post(flow.post_delivered, box.pk)
        settled_books(shop, home)
        profit = queries.profit_of_orders([shop.pk], [of.pk]).get(of.pk, queries.OrderProfit(home))
        assert profit.sales - profit.refunds == rules.rounded(of.total_amount, home) - refunded
        transaction.set_rollback(True)


@given(
    histories(["ship", "named", "by hand", "by hand"]),
    st.sampled_from(["GBP", "JPY", "KWD"]),
    st.sampled_from(["refund first", "refund later"]),
    st.booleans(),
)
@STRAIGHT
def test_what_was_cancelled_by_hand_and_paid_back_without_naming_units_leaves_nothing_deferred(history, home, when, postage):
    """The goods of such units come back with the share of the discount, their postage with them or not."""
    lines, steps, _cost, together = history
    with transaction.atomic():
        shop = store("generated", currency=home)
        of = order(shop, lines)
        bought = purchase(
            of, [(each.line_no, each.quantity, "1", "0") for each in of.lines.filter(kind="goods")], of_supplier=supplier("factory", home)
        )
        post(flow.post_orders, of.pk)
        goods = sum((each.amount for each in of.lines.filter(kind="goods")), Decimal(0))
        refunded, unnamed, worth, due = Decimal(0), Decimal(0), Decimal(0), []
        for number, (step, units, fate) in enumerate(steps, 1):
            if fate == "ship":
                due.append((flow.post_handed_over, parcel(bought, {step: units}).pk))
            elif fate == "named":
                amount = given_back(of, step, units, home)
                refunded += amount
                due.append((flow.post_refunds, refund(shop, of, str(amount), {step: units})))
            else:
                if postage:
                    worth += share_of(of, step, units, goods)
                elif goods:
                    worth += min(share_of(of, step, units, goods), line(of, step).amount * units / line(of, step).quantity)
                amount = rules.rounded(worth, home) - unnamed
                unnamed += amount
                refunded += amount
                OrderLine.objects.filter(order=of, line_no=step).update(cancelled=F("cancelled") + units)
                pair = [(flow.post_cancelled, of.pk)]
                if amount:
                    pair.append((flow.post_refunds, refund(shop, of, str(amount))))
                due += pair[::-1] if when == "refund first" else pair
            if number % together == 0 or number == len(steps):
                for reaction, thing in due:
                    post(reaction, thing)
                due = []
        profit = queries.profit_of_orders([shop.pk], [of.pk]).get(of.pk, queries.OrderProfit(home))
        if unnamed or not any(fate == "by hand" for *_, fate in steps):
            settled_books(shop, home)
            assert profit.sales - profit.refunds == rules.rounded(of.total_amount, home) - refunded
        else:  # worth less than a coin: nothing came back, and what was paid for them is still the buyer's
            assert profit.sales - profit.refunds + profit.deferred == rules.rounded(of.total_amount, home) - refunded
        assert broken_orders(shop) == []
        transaction.set_rollback(True)


def test_the_auditor_finds_the_postage_of_an_order_cancelled_by_hand_and_paid_back_without_its_units():
    shop = store()
    of = order(shop, [("goods", 1, "10.00"), ("shipping", 1, "4.00")])
    post(flow.post_orders, of.pk)
    OrderLine.objects.filter(order=of, line_no=1).update(cancelled=1)
    given = refund(shop, of, "10.00")
    legs = [(rules.DEFERRED, "GBP", Decimal("10.00")), (rules.RECEIVABLE, "GBP", Decimal("-10.00"))]
    post_entries([NewEntry(shop.pk, "refund_confirmed", given, PAID, legs, of.pk)], by="job:test")
    assert broken_orders(shop) == [("deferred_income", [(of.pk, f"order {of.number}: 4.0000 GBP", 1)])]
    post(flow.post_cancelled, of.pk)
    assert broken_orders(shop) == []
    assert ledger("order_over") == ["order_over: 2100 +4.00, 4200 -4.00"]
    post(flow.post_cancelled, of.pk)
    assert Entry.objects.filter(fact="order_over").count() == 1


def test_a_refund_of_postage_alone_pays_for_no_goods():
    shop = store()
    of = order(shop, [("goods", 1, "4.00"), ("shipping", 1, "4.00")])
    post(flow.post_orders, of.pk)
    OrderLine.objects.filter(order=of, line_no=1).update(cancelled=1)
    given = refund(shop, of, "4.00")
    RefundLine.objects.create(refund_id=given, order_line=line(of, 2), quantity=1, amount=Decimal(4))
    post(flow.post_refunds, given)
    assert balance(rules.DEFERRED, shop) == Decimal("-4.00"), "the goods are still owed"
    post(flow.post_refunds, refund(shop, of, "4.00"))
    assert balance(rules.DEFERRED, shop) == 0


def test_units_cancelled_by_hand_after_their_refund_settle_themselves():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["S-1"], skus=("MUG",), at=cast.MORNING)
    of = Order.objects.get(number="S-1")
    Hold.objects.create(order=of, reason="by_hand", opened_at=cast.MORNING)
    work_until_idle(at=cast.MORNING)
    of.refresh_from_db()
    refund(shop.store, of, str(of.total_amount), at=cast.MORNING)
    record_facts("refunds_confirmed", list(Refund.objects.values_list("pk", flat=True)), at=cast.MORNING)
    work_until_idle(at=cast.MORNING)
    assert -balance(rules.DEFERRED, shop.store, shop.store.currency) == of.total_amount
    by_hand.cancel_open(of.pk, [(each.pk, each.quantity) for each in of.lines.filter(kind="goods")], by=cast.BY, at=cast.MORNING)
    work_until_idle(at=cast.MORNING)
    assert balance(rules.DEFERRED, shop.store, shop.store.currency) == 0
    assert balance(rules.REFUNDS, shop.store, shop.store.currency) == 0, "it never was a sale"


def share_of(of, step, units, goods):
    own = line(of, step)
    if not goods:
        return of.total_amount * units / of.units
    return of.total_amount * own.amount / goods * units / own.quantity


# --- Races ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_hands_posting_the_same_parcels_at_once_post_them_once():
    shop = store()
    orders = [order(shop, [("goods", 3, "10.00")]) for _ in range(6)]
    boxes = []
    for of in orders:
        bought = purchase(of, [(1, 3, "1.11", "0")])
        boxes += [parcel(bought, {1: 1}).pk for _ in range(3)]
    post(flow.post_orders, *[of.pk for of in orders])
    start, failures = Barrier(2), []

    def hand(reaction, things):
        try:
            start.wait(timeout=20)
            for first in range(0, len(things), 6):
                with transaction.atomic():
                    reaction(things[first : first + 6], at=NOW, by="job:test")
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    hands = [
        Thread(target=hand, args=args)
        for args in ((flow.post_handed_over, boxes), (flow.post_delivered, boxes[::-1]))
    ]
    for each in hands:
        each.start()
    for each in hands:
        each.join(timeout=60)
    assert failures == []
    assert Entry.objects.filter(fact="parcel_handed_over").count() == len(boxes)
    assert balance(rules.DEFERRED, shop) == 0
    assert balance(rules.SALES, shop) == Decimal("-60.00")


# --- Cost ----------------------------------------------------------------------------------------------------------


@contextmanager
def counted_statements(monkeypatch):
    calls: Counter = Counter()
    with monkeypatch.context() as patch:
        for name in ("fetch", "execute", "copy_rows", "next_ids"):
            real = getattr(bulk, name)
            patch.setattr(bulk, name, lambda *a, _real=real, **k: calls.update(n=1) or _real(*a, **k))
        yield calls


def test_the_number_of_statements_does_not_grow_with_the_orders(monkeypatch):
    shop = store()
    orders = [order(shop, [("goods", 1, "10.00"), ("goods", 1, "12.00")]) for _ in range(12)]
    bought = [[purchase(of, [(n, 1, "4.00", "0")]) for n in (1, 2)] for of in orders]
    for few, reaction, things in (
        (7, flow.post_orders, [of.pk for of in orders]),
        (6, flow.post_purchases, [answer(one, {1: 1}) for pair in bought for one in pair]),
        (14, flow.post_handed_over, [parcel(one, {1: 1}).pk for pair in bought for one in pair]),
    ):
        with counted_statements(monkeypatch) as calls:
            post(reaction, *things)
        assert calls["n"] <= few, reaction.__name__
    assert OrderLine.objects.count() == 24
    assert Entry.objects.count() == 12 + 24 + 24

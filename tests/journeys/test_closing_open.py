"""What blocks the end of a store: goods that never came, postings of its own, returns by each buyer's law."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from daifa.domain.closing import queries
from daifa.domain.closing.rules import Terms
from daifa.domain.fulfilment.models import FulfilmentLine
from daifa.domain.history.models import PendingReaction
from daifa.domain.orders.models import Order
from daifa.flows import by_hand
from tests import bought_orders
from tests.shipped_orders import NOON, order, parcel, store

pytestmark = pytest.mark.django_db


def lost(shop):
    return {one.code: one.count for one in queries.blockers(shop.pk, at=NOON + timedelta(days=60))}.get("lost_unsettled", 0)


def paid_back(row, amount):
    Order.objects.filter(pk=row.pk).update(refunded_amount=Decimal(amount))


def test_one_yuan_does_not_settle_a_lost_parcel():
    shop = store()
    row = order(shop, shipped=2)  # two mugs at 10
    parcel(row, state="lost")
    assert lost(shop) == 1
    paid_back(row, "1.00")
    assert lost(shop) == 1, "one of twenty is back"
    paid_back(row, "19.99")
    assert lost(shop) == 1
    paid_back(row, "20.00")
    assert lost(shop) == 0


def test_with_a_discount_what_was_paid_for_the_goods_is_owed():
    shop = store()
    row = order(shop, goods=(("MUG", "Mug", 2), ("LAMP", "Lamp", 2)), goods_amount=Decimal(40), total_amount=Decimal(36))
    parcel(row, state="returned_to_sender")
    paid_back(row, "35.99")
    assert lost(shop) == 1
    paid_back(row, "36.00")
    assert lost(shop) == 0


@pytest.mark.parametrize(("currency", "back"), [("JPY", "6"), ("GBP", "6.66"), ("KWD", "6.666")])
def test_a_share_is_paid_back_in_whole_coins_of_the_currency(currency, back):
    shop = store()
    row = order(
        shop, goods=(("MUG", "Mug", 1), ("LAMP", "Lamp", 2)), goods_amount=Decimal(30), total_amount=Decimal(20), currency=currency
    )  # fmt: skip
    box = parcel(row, state="lost")
    box.lines.filter(order_line__sku="LAMP").delete()  # ten of thirty, of which twenty were paid: 6.6666…
    paid_back(row, Decimal(back) - Decimal("0.001"))
    assert lost(shop) == 1
    paid_back(row, back)
    assert lost(shop) == 0


def test_goods_that_were_sent_again_are_settled():
    shop = store()
    row = order(shop)
    parcel(row, state="lost")
    again = parcel(row, number="LX987654321CN", state="lost")
    FulfilmentLine.objects.filter(purchase_line__parcel_lines__parcel=again).update(kind="replacement")
    assert lost(shop) == 2, "the replacement is lost, too"
    again.state, again.delivered_at = "delivered", NOON + timedelta(days=20)
    again.save()
    assert lost(shop) == 0


def test_postings_of_other_stores_do_not_block_this_one():
    mine, theirs = store(), store("other")
    for shop, reaction in ((mine, "post_orders"), (theirs, "post_orders"), (theirs, "post_delivered")):
        row = order(shop)
        thing = row.pk if reaction == "post_orders" else parcel(row).pk
        PendingReaction.objects.create(reaction=reaction, things=[thing], at=NOON, state="parked", reason="x")
    owed = {
        shop.code: {one.code: one.count for one in queries.blockers(shop.pk, at=NOON)}.get("postings_owed", 0) for shop in (mine, theirs)
    }
    assert owed == {"gifts": 1, "other": 2}
    PendingReaction.objects.filter(things__contains=[Order.objects.get(store=mine).pk]).delete()
    assert not [one for one in queries.blockers(mine.pk, at=NOON) if one.code == "postings_owed"]


def test_each_buyer_may_return_as_long_as_the_law_of_his_country_says():
    shop = store(country="CN", kind="own_site", timezone="Asia/Shanghai")
    came = NOON + timedelta(days=5)  # 7 March
    for country in ("CN", "DE"):
        parcel(order(shop, country=country, shipped=2), number=f"LX{country}", state="delivered", delivered_at=came)

    def returnable(at):
        return next(((one.count, one.until) for one in queries.blockers(shop.pk, at=at) if one.code == "in_return_time"), (0, None))

    assert returnable(came + timedelta(days=1)) == (2, date(2026, 3, 21))
    assert returnable(came + timedelta(days=8)) == (1, date(2026, 3, 21)), "seven days in China, fourteen in Germany"
    assert returnable(came + timedelta(days=14)) == (0, None)
    days = {day.code: day for day in queries.days_if_started(shop, "choice", at=came + timedelta(days=1))}
    assert (days["aftersales_finished"].on, days["aftersales_finished"].rule_id) == (date(2026, 3, 21), "eu-withdraw-14")
    assert days["application"].on == date(2026, 3, 21)


def test_on_a_domestic_platform_its_rules_count_for_every_buyer():
    shop = store(country="CN", kind="marketplace", channel="xiaohongshu", timezone="Asia/Shanghai")
    parcel(order(shop, country="DE", shipped=2), state="delivered", delivered_at=NOON)
    days = {day.code: day for day in queries.days_if_started(shop, "choice", at=NOON)}
    assert (days["aftersales_finished"].on - NOON.date()).days == Terms().return_days.value


def kept(shop):
    found = {one.code: (one.count, one.amount) for one in queries.blockers(shop.pk, at=bought_orders.PAID)}
    return found.get("not_paid_back")


@pytest.mark.parametrize(("currency", "first", "rest"), [("GBP", "6.66", "6.67"), ("JPY", "6", "7"), ("KWD", "6.666", "6.667")])
def test_a_store_does_not_end_with_the_money_of_buyers_whose_goods_were_cancelled(currency, first, rest):
    shop = bought_orders.store(currency=currency)
    of = bought_orders.order(shop, [("goods", 3, "20.00")])
    line = of.lines.get()
    by_hand.cancel_open(of.pk, [(line.pk, 1)], by="user:1", at=bought_orders.PAID)
    assert kept(shop) == (1, Decimal(first))
    given = {"kind": "refund", "reason": "cancelled", "note": "", "no_claim_reason": "ours", "by": "user:1", "at": bought_orders.PAID}
    by_hand.give_back(of.pk, [(line.pk, 1)], amount=Decimal(first), **given)
    assert kept(shop) is None
    by_hand.cancel_open(of.pk, [(line.pk, 2)], by="user:1", at=bought_orders.PAID)
    assert kept(shop)[0] == 1
    # A refund that names the units settles them, also where it was agreed on less.
    by_hand.give_back(of.pk, [(line.pk, 2)], amount=Decimal(rest), **given)
    assert kept(shop) is None


def test_what_the_channel_pays_back_without_naming_goods_counts():
    shop = bought_orders.store()
    of = bought_orders.order(shop, [("goods", 2, "30.00"), ("shipping", 1, "5.00")])
    by_hand.cancel_open(of.pk, [(of.lines.get(kind="goods").pk, 2)], by="user:1", at=bought_orders.PAID)
    for amount, left in (("29.99", (1, Decimal("0.01"))), ("0.01", None)):
        bought_orders.refund(shop, of, amount)
        Order.objects.filter(pk=of.pk).update(refunded_amount=Order.objects.get(pk=of.pk).refunded_amount + Decimal(amount))
        assert kept(shop) == left
